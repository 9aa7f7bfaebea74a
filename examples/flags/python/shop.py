"""A shop that asks which checkout each user gets, and tells what came of it.

    pip install --requirement requirements.txt
    FLAGS_URL=http://127.0.0.1:8016 python shop.py
"""

import json
import os
import urllib.request

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

URL = os.environ.get("FLAGS_URL", "http://127.0.0.1:8016")
TOKEN = os.environ.get("FLAGS_TOKEN")  # as in the file of `cutover flag serve --tokens`
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}


def tell(*events):
    """Tells Cutover who saw what, and what came of it. In a shop: in the background, many at once."""
    headers = {**HEADERS, "Content-Type": "application/json"}
    body = json.dumps({"events": events}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{URL}/v1/track", body, headers), timeout=5)


api.set_provider(OFREPProvider(base_url=URL, headers_factory=lambda: HEADERS))
client = api.get_client()

for user, plan, pays in [("ann", "gold", 20), ("bob", "tin", 0), ("cem", "tin", 5), ("dia", "gold", 0)]:
    got = client.get_boolean_details("new-checkout", False, EvaluationContext(user, {"plan": plan}))
    print(f"{user}: {'new' if got.value else 'old'} checkout ({got.variant})")
    # Once the user really sees it; attributes are what reports can split by.
    tell({"kind": "exposure", "targetingKey": user, "flag": "new-checkout", "variant": got.variant,
          "attributes": {"plan": plan}})
    if pays:
        tell({"kind": "outcome", "targetingKey": user, "name": "paid", "value": pays})
