#!/usr/bin/env python3
"""Compares cutover-flags with flagd's own engines on random flags and contexts.

    scripts/flags-oracle.py [--cases 100000] [--seed 1] [--folder DIR] [--show 10] [--wild] [--only Python]

Installs openfeature-flagd-core 2.0.0 (Python, v3) into a virtual environment and
@openfeature/flagd-core 4.0.1 (JavaScript, v2) by npm, both below --folder, then evaluates the same
flags by them and by the example `oracle` of the crate. Needs cargo, python3 and npm. JavaScript
gets ASCII keys only: it does not hash UTF-8 bytes.

Without --wild the rules keep to what the engines define alike, and every difference is an error
(exit 1). With --wild operands are of any type; differences are counted by operator and shown, and
docs/flags.md tells which ones there are and why.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOW = 1_790_000_000
WORDS = ["a", "b", "c", "pro", "free", "CH", "DE", "x1", "10", "1.2.3", "jürgen", "🎈", ""]
ASCII = [word for word in WORDS if word.isascii()]
VERSIONS = ["1.0.0", "1.2.3", "v1.2", "2", "2.0.0-rc.1", "2.0.0-rc.2+b", "10.0.1", "1.2.3.4", "x"]
NUMBERS = [0, 1, 2, 3, -1, 7, 10, 100, 0.5, 1.5, -2.25]


class Rules:
    """Random rules; sound ones have operands of the types that an operator is for."""

    def __init__(self, rng, wild, ascii_only):
        self.rng, self.wild = rng, wild
        self.words = ASCII if ascii_only else WORDS

    def pick(self, *makers):
        return self.rng.choice(makers)()

    def variant(self):
        return self.rng.choice(["a", "b", "c"])

    def var(self, name):
        return {"var": self.rng.choice([name, [name]])}

    def text(self, depth):
        makers = [
            lambda: self.rng.choice(self.words),
            lambda: self.var("plan"),
            lambda: self.var("user.name"),
            lambda: self.var("targetingKey"),
            lambda: {"var": ["nothing", self.rng.choice(self.words)]},
            lambda: {"var": "$flagd.flagKey"},
        ]
        if depth > 0:
            makers += [
                lambda: {"cat": [self.text(depth - 1) for _ in range(self.rng.randint(1, 3))]},
                lambda: {"substr": [self.text(depth - 1), self.rng.randint(-4, 4)]},
                lambda: {"substr": [self.text(depth - 1), self.rng.randint(0, 3), self.rng.randint(0, 4)]},
                lambda: {"if": [self.truth(depth - 1), self.text(depth - 1), self.text(depth - 1)]},
            ]
        return self.any(depth) if self.stray() else self.pick(*makers)

    def number(self, depth):
        makers = [
            lambda: self.rng.choice(NUMBERS),
            lambda: self.var("age"),
            lambda: self.var("ratio"),
            lambda: self.var("list.0"),
        ]
        if depth > 0:
            makers += [
                lambda: {self.rng.choice(["+", "*", "min", "max"]): [self.number(depth - 1) for _ in range(self.rng.randint(1, 3))]},
                lambda: {"-": [self.number(depth - 1), self.number(depth - 1)]},
                lambda: {"-": [self.number(depth - 1)]},
                lambda: {"/": [self.number(depth - 1), self.rng.choice([1, 2, 4, 0.5])]},
                # Of negative numbers, Python's remainder has the other sign.
                lambda: {"%": [self.rng.choice([{"max": [0, {"var": "age"}]}, 7, 10]), self.rng.choice([2, 3, 7])]},
            ]
            # In JavaScript's engine 4.0.1 a `reduce` inside a comparison or a sum throws.
            if self.words is WORDS or self.wild:
                makers += [lambda: {"reduce": [self.list(depth - 1), {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}]
        return self.any(depth) if self.stray() else self.pick(*makers)

    def list(self, depth):
        makers = [
            lambda: self.var("list"),
            lambda: [self.rng.choice(NUMBERS) for _ in range(self.rng.randint(0, 4))],
        ]
        if depth > 0:
            makers += [
                lambda: {"map": [self.list(depth - 1), {"+": [{"var": ""}, self.rng.choice(NUMBERS)]}]},
                lambda: {"filter": [self.list(depth - 1), {">": [{"var": ""}, self.rng.choice(NUMBERS)]}]},
                lambda: {"merge": [self.list(depth - 1), self.list(depth - 1)]},
            ]
        return self.any(depth) if self.stray() else self.pick(*makers)

    def truth(self, depth):
        makers = [lambda: {"==": [self.var("plan"), self.rng.choice(self.words)]}, lambda: self.var("beta")]
        if depth > 0:
            deeper = depth - 1
            makers += [
                lambda: {self.rng.choice(["==", "===", "!=", "!=="]): [self.text(deeper), self.text(deeper)]},
                lambda: {self.rng.choice(["==", "===", "!=", "!=="]): [self.number(deeper), self.number(deeper)]},
                lambda: {self.rng.choice(["<", "<=", ">", ">="]): [self.number(deeper), self.number(deeper)]},
                lambda: {self.rng.choice(["<", "<="]): [self.number(deeper), self.number(deeper), self.number(deeper)]},
                lambda: {"in": [self.text(deeper), [self.rng.choice(self.words) for _ in range(self.rng.randint(0, 12))]]},
                # JavaScript finds nothing in an empty text, not even an empty one.
                lambda: {"in": [self.rng.choice([word for word in ASCII if word]), self.text(deeper)]},
                lambda: {"in": [self.number(deeper), self.list(deeper)]},
                lambda: {"!": [self.truth(deeper)]},
                # JavaScript takes the only item of a list that `!!` is called with for the list.
                lambda: {"!!": [self.text(deeper) if self.words is ASCII else self.pick(lambda: self.text(deeper), lambda: self.list(deeper))]},
                lambda: {self.rng.choice(["and", "or"]): [self.truth(deeper) for _ in range(self.rng.randint(1, 3))]},
                lambda: {self.rng.choice(["starts_with", "ends_with"]): [self.text(deeper), self.rng.choice(self.words)]},
                lambda: {"sem_ver": [self.pick(lambda: self.var("version"), lambda: self.rng.choice(VERSIONS)),
                                     self.rng.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~", "=="]), self.rng.choice(VERSIONS)]},
                lambda: {self.rng.choice(["all", "some", "none"]): [self.list(deeper), {">": [{"var": ""}, self.rng.choice(NUMBERS)]}]},
                lambda: {"missing": [self.rng.choice(["plan", "nothing", "user.name"]) for _ in range(2)]},
                lambda: {"missing_some": [1, [self.rng.choice(["plan", "nothing", "age"]) for _ in range(2)]]},
                lambda: {"fractional": [[True, 1], [False, 1]]},
            ]
        return self.any(depth) if self.stray() else self.pick(*makers)

    def weight(self):
        return self.pick(lambda: self.rng.randint(0, 100), lambda: self.rng.randint(-3, 3), lambda: self.var("age"))

    def fractional(self, depth):
        entries = [[self.result(depth - 1), self.weight()] for _ in range(self.rng.randint(1, 5))]
        entries = [entry[: self.rng.choice([1, 2, 2])] for entry in entries]
        if self.rng.random() < 0.5:
            return {"fractional": entries}
        values = [lambda: self.text(depth - 1)]
        if self.wild or self.words is WORDS:
            values += [lambda: self.var("id"), lambda: self.var("user"), lambda: self.var("beta"), lambda: self.var("ratio")]
        return {"fractional": [self.pick(*values)] + entries}

    def result(self, depth):
        makers = [self.variant, self.variant]
        if depth > 0:
            deeper = depth - 1
            makers += [
                lambda: {"if": [self.truth(deeper), self.result(deeper), self.result(deeper)]},
                lambda: {"if": [self.truth(deeper), self.result(deeper)]},
                lambda: {"if": [self.truth(deeper), self.result(deeper), self.truth(deeper), self.result(deeper), None]},
            ]
        return self.pick(*makers)

    def rule(self):
        makers = [lambda: self.result(4), lambda: self.fractional(3), lambda: {"if": [self.truth(4), self.fractional(2), "a"]},
                  lambda: {"if": [self.truth(4), "a", "b"]}, lambda: {"!": [self.truth(3)]}]
        while not isinstance(rule := self.pick(*makers), dict):
            pass
        return rule

    def stray(self):
        return self.wild and self.rng.random() < 0.1

    def any(self, depth):
        depth = max(depth - 1, 0)
        return self.rng.choice([lambda: None, lambda: True, lambda: {"var": "nothing"}, lambda: self.text(depth),
                                lambda: self.number(depth), lambda: self.list(depth), lambda: {"var": "user"}])()


def context(rng, words):
    ids = [7, 2**53 + 1, -5, 3.0, 2.5, 1e300, 0.1, 65504, 2**63, "u-7", True, [1, 2], {"b": 1, "aa": [1.5, None]}]
    made = {
        "targetingKey": rng.choice(["user-%d" % rng.randint(0, 999)] * 8 + [w for w in words if w]),
        "plan": rng.choice([w for w in words if w]),
        "age": rng.randint(-5, 90),
        "ratio": rng.choice([0.5, 1.25, 3.0, -0.75]),
        "beta": rng.random() < 0.5,
        "list": [rng.choice(NUMBERS) for _ in range(rng.randint(1, 4))],
        "version": rng.choice(VERSIONS),
        "user": {"name": rng.choice([w for w in words if w]), "n": rng.randint(0, 9)},
        "id": rng.choice(ids[:11] + ids[12:]),
    }
    return made


def cases(count, seed, wild, ascii_only):
    rng = random.Random(seed)
    rules = Rules(rng, wild, ascii_only)
    for _ in range(count):
        flag = {"state": "ENABLED", "variants": {"a": 1, "b": 2, "c": 3, "true": 4, "false": 5},
                "defaultVariant": rng.choice(["a", "b"]), "targeting": rules.rule()}
        yield {"flag": flag, "context": context(rng, rules.words), "now": NOW}


PYTHON = """
import copy, json, logging, sys, time
logging.disable(logging.CRITICAL)
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError
for line in sys.stdin:
    case = json.loads(line)
    time.time = lambda: case["now"]
    core = FlagdCore()
    try:
        core.set_flags({"flags": {"flag": case["flag"]}})
        attributes = {k: v for k, v in case["context"].items() if k != "targetingKey"}
        seen = core.resolve_integer_value("flag", 0, EvaluationContext(case["context"].get("targetingKey"), attributes))
        print(json.dumps({"variant": seen.variant, "reason": str(seen.reason.value)}))
    except OpenFeatureError as error:
        print(json.dumps({"error": error.error_code.value}))
    except Exception as error:
        print(json.dumps({"error": "CRASH " + type(error).__name__}))
"""

NODE = """
const { FlagdCore } = require('@openfeature/flagd-core');
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { flag, context, now } = JSON.parse(line);
  Date.now = () => now * 1000;
  let answer;
  try {
    const core = new FlagdCore(undefined, silent);
    core.setConfigurations(JSON.stringify({ flags: { flag } }));
    const seen = core.resolveNumberEvaluation('flag', 0, context, silent);
    answer = seen.errorCode ? { error: seen.errorCode } : { variant: seen.variant, reason: seen.reason };
  } catch (error) { answer = { error: 'CRASH ' + error.message }; }
  console.log(JSON.stringify(answer));
});
"""


def install(folder):
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "openfeature-flagd-core==2.0.0"], check=True)
    js = folder / "js"
    if not (js / "node_modules").exists():
        js.mkdir(exist_ok=True)
        (js / "package.json").write_text('{"private": true}')
        packages = ["@openfeature/flagd-core@4.0.1", "@openfeature/core"]
        subprocess.run(["npm", "install", "--silent", *packages], cwd=js, check=True)
    (folder / "oracle.py").write_text(PYTHON)
    (js / "oracle.js").write_text(NODE)
    return [str(python), str(folder / "oracle.py")], ["node", str(js / "oracle.js")]


def answers(command, lines):
    run = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def operators(rule):
    if isinstance(rule, dict):
        for key, value in rule.items():
            yield key
            yield from operators(value)
    elif isinstance(rule, list):
        for item in rule:
            yield from operators(item)


def compare(name, bucketing, command, made, ours, show, wild):
    lines = [json.dumps(case) for case in made]
    one, other = answers([ours, bucketing], lines), answers(command, lines)
    assert len(one) == len(other) == len(made), (len(one), len(other), len(made))
    clean = lambda answer: {key: value for key, value in answer.items() if value is not None}
    different = [(case, clean(a), clean(b)) for case, a, b in zip(made, one, other) if clean(a) != clean(b)]
    # JavaScript's engine throws on some comparisons with an `if` in them; it says GENERAL then.
    threw = [case for case, _, b in different if b == {"error": "GENERAL"} and name == "JavaScript" and not wild]
    different = [difference for difference in different if not any(difference[0] is case for case in threw)]
    print(f"{name} ({bucketing}): {len(made)} cases, {len(different)} differ, {len(threw)} that it gave up on")
    outcomes = collections.Counter(a.get("reason", a.get("error")) for a in one)
    print("  ours:", dict(outcomes))
    if different:
        print("  theirs, where different:", dict(collections.Counter(b.get("error") or b.get("reason") for _, _, b in different)))
        counts = collections.Counter(key for case, _, _ in different for key in set(operators(case["flag"]["targeting"])))
        print("  operators in those:", dict(counts.most_common(12)))
    for case, a, b in sorted(different, key=lambda d: len(json.dumps(d[0]["flag"])))[:show]:
        print("   ", json.dumps(case["flag"]["targeting"], ensure_ascii=False), json.dumps(case["context"], ensure_ascii=False), "ours", a, "theirs", b)
    return len(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "flags-oracle")
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--wild", action="store_true")
    parser.add_argument("--only", choices=["Python", "JavaScript"])
    given = parser.parse_args()
    python, node = install(given.folder)
    build = ["cargo", "build", "--release", "-q", "-p", "cutover-flags", "--example", "oracle"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    ours = str(target / "release/examples/oracle")
    different = 0
    for name, bucketing, command, ascii_only in [("Python", "v3", python, False), ("JavaScript", "v2", node, True)]:
        if given.only not in (None, name):
            continue
        made = list(cases(given.cases, given.seed, given.wild, ascii_only))
        different += compare(name, bucketing, command, made, ours, given.show, given.wild)
    sys.exit(1 if different and not given.wild else 0)


if __name__ == "__main__":
    main()
