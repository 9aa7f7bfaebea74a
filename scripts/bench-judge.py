#!/usr/bin/env python3
"""Measures the judge on real processes behind the real proxy, with the demo app, on this machine.

usage: scripts/bench-judge.py [RELEASES] [APPS]   (50 10; builds target/release/cutover if CUTOVER_BIN
                                                   is not set)

1. APPS apps under 100 requests/s each. To all of them at once the same program is released again
   under another version, by canary (10 %, then 50 %, bake 30 s), until there were RELEASES releases.
   Counted: promoted by itself, turned back, left to a person.
2. One app after the other, six times: a version of which 2 % of the answers are errors (10 % of the
   traffic, 100 requests/s), and then 10 %. Measured: the time from its first request to the verdict,
   and the bad answers that users got. Bounds are out of the way: only the comparison judges.

Prints both, with the extremes. Needs python3 and nothing else; leaves no process behind. Ends with 1
where fewer than 98 % of the identical releases were promoted, or any was turned back.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = 100
HARMS = (0.02, 0.10)
REPEATS = 6


def binary():
    named = os.environ.get("CUTOVER_BIN")
    if named:
        return named
    root = os.path.dirname(HERE)
    build = ["cargo", "build", "--release", "--quiet", "-p", "cutover"]
    subprocess.run(build, cwd=root, check=True)
    return os.path.join(root, "target", "release", "cutover")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class App:
    """One app in a folder of its own, under load."""

    def __init__(self, world, number):
        self.world = world
        self.name = f"shop-{number}"
        self.folder = os.path.join(world.folder, self.name)
        os.mkdir(self.folder)
        self.port = free_port()
        self.versions = 0
        self.load = None

    def write(self, fail=0.0, steps=("10%", "50%"), bake="30s"):
        spec = {
            "app": self.name,
            "instances": 2,
            "listen": f"127.0.0.1:{self.port}",
            "release": {
                "command": [self.world.program, "demo-app", "--version", "{version}"],
                "env": {"CUTOVER_DEMO_FAIL": str(fail)},
            },
            "health": {"settle": "2s"},
            "pattern": "canary",
            "patterns": {"canary": {"steps": list(steps), "bake": bake}},
            "judge": {"guard": {"errors": "100%"}},
        }
        # JSON is YAML.
        with open(os.path.join(self.folder, "cutover.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def release(self, *arguments):
        """Releases the next version; the summary of how it ended."""
        self.versions += 1
        command = ["deploy", f"v{self.versions}", "--json", "--timeout", "15m", *arguments]
        ran = self.world.run(self.folder, *command)
        if not ran.stdout.strip():
            sys.exit(f"{self.name} v{self.versions}: {ran.stderr}")
        return json.loads(ran.stdout.strip().splitlines()[-1])

    def visit(self):
        command = [self.world.program, "load", f"http://127.0.0.1:{self.port}/"]
        command += ["--rate", str(RATE), "--seed", str(self.port)]
        self.load = subprocess.Popen(
            command, env=self.world.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def leave(self):
        if self.load:
            self.load.terminate()
            self.load.wait()
            self.load = None

    def looks(self, rollout):
        """Events of one rollout."""
        ran = self.world.run(self.folder, "events", "--app", self.name, "--output", "ndjson")
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        return [event for event in events if event.get("rollout") == rollout]


class World:
    """A Cutover of its own."""

    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="cutover-bench-")
        state = os.path.join(self.folder, "state")
        self.env = dict(os.environ, CUTOVER_STATE=state, NO_COLOR="1")
        self.env.pop("CUTOVER_RUN", None)
        self.apps = []

    def app(self):
        self.apps.append(App(self, len(self.apps)))
        return self.apps[-1]

    def run(self, folder, *arguments):
        return subprocess.run(
            [self.program, *arguments], cwd=folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def end(self):
        for app in self.apps:
            app.leave()
        self.run(self.folder, "down", "--all", "--yes")
        shutil.rmtree(self.folder, ignore_errors=True)


def identical(world, releases, count):
    """Releases of the same program; (promoted, turned back, left to a person, seconds)."""
    apps = [world.app() for _ in range(count)]
    for app in apps:
        app.write()
        app.release()
        app.visit()
    ends, rounds = [], -(-releases // count)
    with ThreadPoolExecutor(count) as pool:
        for number in range(rounds):
            due = apps[:min(count, releases - number * count)]
            ends += pool.map(lambda app: app.release(), due)
            print(f"  {len(ends)} of {releases} released", file=sys.stderr)
    for app in apps:
        app.leave()
    outcomes = [end["outcome"] for end in ends]
    promoted = outcomes.count("succeeded")
    back = sum(outcome.startswith("rolled_back") for outcome in outcomes)
    seconds = [end["seconds"] for end in ends if end["outcome"] == "succeeded"]
    return promoted, back, len(ends) - promoted - back, seconds


def harmful(world, share):
    """Releases of a program that is worse; (seconds to the verdict, bad answers) of each."""
    app = world.app()
    app.write()
    app.release()
    app.visit()
    found = []
    for _ in range(REPEATS):
        app.write(fail=share, steps=("10%",), bake="10m")
        end = app.release()
        looks = app.looks(end["rollout"])
        reached = next((e["at"] for e in looks if e["type"] == "stage-reached"), None)
        back = next((e["at"] for e in looks if e["type"] == "turned-back"), None)
        found.append(((back - reached) / 1000 if back else None, end["candidate"]["errors"]))
    app.leave()
    return found


def main():
    releases = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    world = World(binary())
    try:
        promoted, back, asked, seconds = identical(world, releases, count)
        print(f"{releases} releases of an identical program, {count} at a time, {RATE} requests/s "
              f"each: {promoted} promoted by themselves, {back} turned back, {asked} left to a person")
        if seconds:
            print(f"  duration in s: median {statistics.median(seconds):.0f}, "
                  f"{min(seconds):.0f} to {max(seconds):.0f}")
        for share in HARMS:
            found = harmful(world, share)
            times = [time for time, _ in found if time is not None]
            bad = [errors for _, errors in found]
            print(f"{share:.0%} errors more, 10% of {RATE} requests/s: {len(times)} of {len(found)} "
                  f"turned back; seconds: median {statistics.median(times):.0f}, {min(times):.0f} to "
                  f"{max(times):.0f}; bad answers: median {statistics.median(bad):.0f}, "
                  f"{min(bad)} to {max(bad)}")
    finally:
        world.end()
    sys.exit(0 if promoted >= 0.98 * releases and back == 0 else 1)


if __name__ == "__main__":
    main()
