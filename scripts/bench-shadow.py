#!/usr/bin/env python3
"""Measures what a shadow costs users, on this machine, with the demo app.

usage: scripts/bench-shadow.py [ROUNDS]   (5; builds target/release/cutover if CUTOVER_BIN is not set)

v1 serves all users. In each round there are phases of load without a shadow, and with all requests
copied to a v2 that is fine, slow (5 s for each answer), failing (500 for all), resetting (cuts all
connections but those of the health check) and dead (refuses connections, though it was ready). The
phases take turns, so that what else the machine does hits all of them alike.

Prints, for each kind of phase, what became of the copies, the medians over the rounds of p50 and
p99 of users' latencies, and their ratios to those without a shadow. A failed request of a user is
an error. Needs python3 and nothing else; leaves no process behind.
"""

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
N = 2
RATE = 300
LENGTH = 10
DEADLINE = 60
SEEN = ("sent", "unanswered", "behind", "other_status")


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


def broken_app(port, kind):
    """An app that answers /health and else resets; a dead one stops to listen once it was healthy."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)

    def answer(stream):
        with stream:
            if stream.recv(4096).startswith(b"GET /health"):
                stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            else:
                # Closing with a linger of zero seconds is a reset.
                linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    if kind == "dead":
        answer(listener.accept()[0])
        listener.close()
        threading.Event().wait()
    while True:
        threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()


class ControlSocket(http.client.HTTPConnection):
    """The proxy's control socket."""

    def __init__(self, path):
        super().__init__("proxy")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class World:
    """A Cutover of its own, with v1 of the demo app live."""

    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="cutover-bench-")
        state = os.path.join(self.folder, "state")
        self.env = dict(os.environ, CUTOVER_STATE=state, NO_COLOR="1")
        self.env.pop("CUTOVER_RUN", None)
        self.socket = os.path.join(state, "proxy.sock")
        self.port = free_port()
        self.versions = 0

    def write(self, command, env):
        spec = {
            "app": "bench",
            "instances": N,
            "listen": f"127.0.0.1:{self.port}",
            "release": {"command": command, "env": env},
            # Asked seldom once it is ready, so that a dead one stays where copies go.
            "health": {"healthy-after": 1, "interval": "60s", "settle": "1s"},
            "drain": {"requests": "2s", "upgraded": "2s", "stop": "2s"},
            "patterns": {"shadow": {"mirror": "100%", "for": "1h"}},
            # What is measured is what a bad shadow costs: it must not be turned back.
            "judge": {"min-requests": 1000000000, "compare": False},
        }
        # JSON is YAML.
        with open(os.path.join(self.folder, "cutover.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def run(self, *arguments, codes=(0,)):
        child = subprocess.run(
            [self.program, *arguments], cwd=self.folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if child.returncode not in codes:
            sys.exit(f"cutover {' '.join(arguments)} ended with {child.returncode}\n"
                     f"{child.stdout}{child.stderr}")
        return child.stdout

    def ask(self, path):
        connection = ControlSocket(self.socket)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def mirrored(self):
        return json.loads(self.ask("/v1/state"))["apps"]["bench"]["table"].get("mirrored", {})

    def copies(self):
        counts = re.findall(r'cutover_copies_total\{.*result="(\w+)"\} (\d+)', self.ask("/metrics"))
        counts = {result: int(count) for result, count in counts}
        compared = ("same_status", "other_status", "unanswered", "alone", "cut")
        counts["sent"] = sum(counts.get(result, 0) for result in compared)
        return counts

    def demo(self):
        return [self.program, "demo-app", "--port", "{port}", "--version", "{version}"]

    def shadow(self, kind):
        """Brings a candidate of this kind beside v1, up to the moment in which copies go there."""
        own = [sys.executable, os.path.abspath(__file__), f"--{kind}-app", "{port}"]
        broken = kind in ("resetting", "dead")
        env = {"slow": {"CUTOVER_DEMO_LATENCY": "5s"}, "failing": {"CUTOVER_DEMO_FAIL": "1"}}
        self.write(own if broken else self.demo(), env.get(kind, {}))
        self.versions += 1
        self.run("deploy", f"{kind}-{self.versions}", "--pattern", "shadow", "--detach")
        self.wait("copies go to the candidate", self.mirrored)

    def back(self):
        # 5 and 6: turned back, which is what was asked for.
        self.run("abort", codes=(0, 5, 6))
        self.wait("the rollout has ended", self.is_at_rest)

    def is_at_rest(self):
        app = json.loads(self.run("status", "--json").splitlines()[-1])["apps"][0]
        return not app["rollout"] and len(app["instances"]) == N

    def wait(self, what, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"never: {what}\n{self.run('status')}")
            time.sleep(0.05)

    def phase(self, kind):
        """p50 and p99 of users in microseconds, and what became of copies."""
        if kind != "none":
            self.shadow(kind)
        before = self.copies()
        load = self.run("load", f"http://127.0.0.1:{self.port}/", "--rate", str(RATE),
                        "--for", f"{LENGTH}s", "--keep-alive", "1", "--json")
        report = json.loads(load.splitlines()[-1])
        bad = report["failed"]["total"] + report["errors"] + report["unsent"]
        if bad or set(report["by_version"]) != {"v1"}:
            sys.exit(f"{kind}: users saw the shadow: {report['failed']} {report['by_status']} "
                     f"{report['by_version']}")
        if kind != "none":
            if not self.mirrored():
                sys.exit(f"{kind}: the shadow has ended in the middle of the load")
            # Copies that hang are counted once they are given up.
            wanted = report["completed"] - 10
            self.wait("all copies are counted", lambda: self.settled(before) >= wanted)
            self.back()
        after = self.copies()
        became = {result: after.get(result, 0) - before.get(result, 0) for result in SEEN}
        return report["latency"]["p50"], report["latency"]["p99"], became

    def settled(self, before):
        now = self.copies()
        return sum(now.get(result, 0) - before.get(result, 0) for result in ("sent", "behind"))

    def __enter__(self):
        self.write(self.demo(), {})
        self.run("deploy", "v1")
        return self

    def __exit__(self, *_):
        self.run("down", "--all", "--yes", codes=(0, 1, 2, 10))
        shutil.rmtree(self.folder, ignore_errors=True)


def main(rounds):
    kinds = ("none", "fine", "slow", "failing", "resetting", "dead")
    runs = {kind: [] for kind in kinds}
    with World(binary()) as world:
        # Once without counting, for everything that is done the first time only.
        world.phase("none")
        for number in range(rounds):
            # Each round begins with another one.
            for kind in kinds[number % len(kinds):] + kinds[:number % len(kinds)]:
                runs[kind].append(world.phase(kind))
    print(f"{rounds} rounds of {LENGTH} s at {RATE} requests/s, all of them copied; "
          f"no user's request failed\n")
    print("shadow       p50 in ms   ratio   p99 in ms   ratio   " + "".join(f"{s:>14}" for s in SEEN))
    base = [statistics.median(run[at] for run in runs["none"]) for at in (0, 1)]
    for kind, all_runs in runs.items():
        p50, p99 = [statistics.median(run[at] for run in all_runs) for at in (0, 1)]
        became = [sum(run[2][result] for run in all_runs) for result in SEEN]
        print(f"{kind:<10} {p50 / 1000:11.3f} {p50 / base[0]:7.2f} {p99 / 1000:11.3f} "
              f"{p99 / base[1]:7.2f}   " + "".join(f"{count:14}" for count in became))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("--resetting-app", "--dead-app"):
        broken_app(int(sys.argv[2]), sys.argv[1][2:].split("-", maxsplit=1)[0])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
