"""Python's OpenFeature SDK with its OFREP provider, against the server in FLAGS_URL."""

import os

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(
    OFREPProvider(
        base_url=os.environ["FLAGS_URL"],
        headers_factory=lambda: {"Authorization": "Bearer " + os.environ["FLAGS_TOKEN"]},
    )
)
client = api.get_client()
gold = EvaluationContext("u1", {"tier": "gold"})
tin = EvaluationContext("u1", {"tier": "tin"})


def expect(details, value, variant, reason, error=None):
    code = details.error_code and str(getattr(details.error_code, "value", details.error_code))
    got = (details.value, details.variant, str(getattr(details.reason, "value", details.reason)), code)
    assert got == (value, variant, reason, error), f"{details.flag_key}: {got}"


expect(client.get_string_details("color", "x", gold), "blue", "blue", "TARGETING_MATCH")
expect(client.get_string_details("color", "x", tin), "red", "red", "DEFAULT")
assert client.get_string_details("color", "x", tin).flag_metadata["owner"] == "design"
expect(client.get_boolean_details("team/new-checkout", True, tin), False, "off", "STATIC")
expect(client.get_float_details("price", 0.0, tin), 10.0, "full", "STATIC")
expect(client.get_integer_details("most", 0, tin), 10, "many", "STATIC")
expect(client.get_object_details("layout", {}, tin), {"columns": 3}, "wide", "STATIC")
expect(client.get_boolean_details("gone", True, tin), True, "", "DISABLED")
expect(client.get_string_details("own-default", "mine", tin), "mine", "", "DEFAULT")
expect(client.get_boolean_details("nope", True, tin), True, None, "ERROR", "FLAG_NOT_FOUND")
expect(client.get_boolean_details("broken", True, tin), True, None, "ERROR", "PARSE_ERROR")
expect(client.get_integer_details("color", 7, tin), 7, None, "ERROR", "TYPE_MISMATCH")
suits = {client.get_string_value("suit", "x", EvaluationContext(f"u{i}")) for i in range(40)}
assert suits == {"clubs", "spades", "hearts", "diamonds"}, suits
print("Python: 13 checks passed")
