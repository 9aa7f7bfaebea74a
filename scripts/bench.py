#!/usr/bin/env python3
"""Measures what Cutover adds to a release, on this machine, with the demo app.

usage: scripts/bench.py            (builds target/release/cutover if CUTOVER_BIN is not set)

Prints, for each pattern, the time of a rollout over the physical minimum: the app's own start and
stop, measured by hand in the same run, and the holds that were asked for. Then how soon the
candidate gets no more requests after an abort and after a failed verdict, under open-loop load.
Needs python3 and nothing else; leaves no process behind.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
N = 4
SETTLE = 1.0
BAKE = 1.0
RATE = 200


def binary():
    named = os.environ.get("CUTOVER_BIN")
    if named:
        return named
    root = os.path.dirname(HERE)
    build = ["cargo", "build", "--release", "--quiet", "-p", "cutover"]
    subprocess.run(build, cwd=root, check=True)
    return os.path.join(root, "target", "release", "cutover")


BIN = binary()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b" 200 " in s.recv(64)
    except OSError:
        return False


def own_times():
    """Seconds the app itself takes to become healthy and to stop: medians of nine by hand."""
    starts, stops = [], []
    for _ in range(9):
        port = free_port()
        begun = time.monotonic()
        command = [BIN, "demo-app", "--port", str(port)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not answers(port):
            time.sleep(0.001)
        starts.append(time.monotonic() - begun)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        child.wait()
        stops.append(time.monotonic() - begun)
    return statistics.median(starts), statistics.median(stops)


class World:
    """A Cutover of its own, with v1 of the demo app live."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cutover-bench-")
        self.env = dict(os.environ, CUTOVER_STATE=os.path.join(self.folder, "state"), NO_COLOR="1")
        self.port = free_port()
        self.write({})

    def write(self, env):
        spec = {
            "app": "bench",
            "instances": N,
            "listen": f"127.0.0.1:{self.port}",
            "release": {
                "command": [BIN, "demo-app", "--port", "{port}", "--version", "{version}"],
                "env": env,
            },
            "health": {"settle": f"{int(SETTLE * 1000)}ms", "interval": "500ms"},
            "drain": {"requests": "5s", "upgraded": "5s", "stop": "5s"},
            "patterns": {
                "rolling": {"batch": 1},
                "blue-green": {"soak": f"{int(BAKE * 1000)}ms", "keep": "0s"},
                "canary": {"steps": ["25%", "50%"], "bake": f"{int(BAKE * 1000)}ms"},
            },
            "judge": {"guard": {"errors": "5%"}, "min-requests": 1 if not env else 20},
        }
        # JSON is YAML.
        with open(os.path.join(self.folder, "cutover.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def start(self, *arguments, **more):
        return subprocess.Popen(
            [BIN, *arguments], cwd=self.folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more)

    def run(self, *arguments, codes=(0,)):
        child = self.start(*arguments)
        out, _ = child.communicate()
        if child.returncode not in codes:
            sys.exit(f"cutover {' '.join(arguments)} ended with {child.returncode}\n{out}")
        return out

    def deploy(self, *arguments, codes=(0,)):
        out = self.run("deploy", *arguments, "--output", "ndjson", codes=codes)
        return [json.loads(line) for line in out.splitlines() if line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("down", "--all", "--yes", codes=(0, 1, 2, 10))
        shutil.rmtree(self.folder, ignore_errors=True)


def over_the_minimum(world, pattern, version, own_start, own_stop):
    events = world.deploy(version, "--pattern", pattern)
    plan = next(e["plan"] for e in events if e["type"] == "rollout-begun")
    finished = next(e for e in events if e["type"] == "rollout-finished")
    stages = len(plan["stages"])
    holds = 0.0
    for stage in plan["stages"]:
        waits = [0]
        for gate in stage["gates"]:
            if isinstance(gate, dict):
                waits.append(gate["hold"] if "hold" in gate else gate["judge"]["bake"])
        holds += max(waits) / 1000
    # A stage in which instances start, and one in which some stop, takes as long as the app does.
    starts = stops = 0
    stage_starts, stage_stops = False, False
    for e in events:
        if e["type"] == "instance":
            stage_starts |= e["state"] == "starting"
            stage_stops |= e["state"] == "stopping"
        if e["type"] in ("stage-reached", "rollout-finished"):
            starts += stage_starts
            stops += stage_stops
            stage_starts = stage_stops = False
    minimum = holds + starts * own_start + stops * own_stop
    total = finished["milliseconds"] / 1000
    return total, minimum, stages, (total - minimum) / stages


def last_request_after(world, pattern, share, how):
    """Milliseconds from the abort (or the failed verdict) to the last request the candidate got."""
    world.write({})
    world.run("deploy", "v1")
    bad = {"CUTOVER_DEMO_FAIL": "0.4"} if how == "verdict" else {}
    world.write(bad)
    load = world.start("load", f"http://127.0.0.1:{world.port}/", "--rate", str(RATE), "--for",
                       "8s", "--keep-alive", "0.5", "--json")
    version = f"v-{pattern}-{how}"
    arguments = [version, "--pattern", pattern, "--set", "patterns.canary.bake=30s",
                 "--set", "patterns.blue-green.soak=30s"]
    if how == "abort":
        world.run("deploy", *arguments, "--detach")
        while True:
            status = json.loads(world.run("status", "--json").splitlines()[-1])["apps"][0]
            shares = {k: float(v.rstrip("%")) for k, v in status["shares"].items()}
            ids = {i["release"]["id"] for i in status["instances"] if i["release"]["version"] == version}
            if any(shares.get(i, 0) >= share for i in ids):
                break
        time.sleep(0.5)
        asked = time.time() * 1000
        world.run("abort")
    else:
        events = world.deploy(*arguments, codes=(6,))
        asked = next(e["at"] for e in events if e["type"] == "turned-back")
    report = json.loads(load.communicate()[0].splitlines()[-1])
    seen = report["by_version"].get(version)
    if report["failed"]["total"] or not seen:
        sys.exit(f"{pattern} {how}: {report['failed']} {report['by_version']}")
    return seen["last"]["unix_ms"] - asked, sum(seen["by_status"].values())


def main():
    own_start, own_stop = own_times()
    print(f"the app's own start {own_start * 1000:.0f} ms, stop {own_stop * 1000:.0f} ms "
          f"(medians of 9); {N} instances")
    print("\npattern      rollout   minimum   stages   over the minimum, per stage")
    with World() as world:
        world.run("deploy", "v1")
        # A canary is judged by its requests, so there have to be some.
        users = world.start("load", f"http://127.0.0.1:{world.port}/", "--rate", "50", "--for", "5m")
        for pattern in ("rolling", "blue-green", "canary", "big-bang"):
            runs = [over_the_minimum(world, pattern, f"{pattern}-{k}", own_start, own_stop)
                    for k in range(3)]
            total, minimum, stages, over = sorted(runs, key=lambda run: run[3])[1]
            print(f"{pattern:<12} {total:6.2f} s  {minimum:6.2f} s  {stages:6}   {over * 1000:6.0f} ms")
        users.terminate()
        users.wait()
    print(f"\nlast request on the candidate, {RATE} requests/s, none failed")
    with World() as world:
        for pattern, share, how in (("blue-green", 100, "abort"), ("canary", 25, "abort"),
                                    ("canary", 0, "verdict"), ("blue-green", 0, "verdict")):
            after, met = last_request_after(world, pattern, share, how)
            word = "abort was asked" if how == "abort" else "the verdict failed"
            print(f"{pattern:<12} {after:6.0f} ms after {word} ({met} requests met it)")


if __name__ == "__main__":
    main()
