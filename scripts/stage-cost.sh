#!/usr/bin/env bash
# Measures what Cutover adds to the time that a release takes at least: for each stage of a
# rollout, from entering it to reaching it, less the time the program itself needs to answer.
#
# usage: scripts/stage-cost.sh [PATTERN]      PATTERN: rolling (default), blue-green or canary
#
# Needs python3. Exit code 1 if a stage costs 150 ms or more on average.
set -euo pipefail

pattern=${1:-rolling}
case $pattern in
  rolling | blue-green | canary) ;;
  *)
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac

# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cutover-cost-XXXXXX")
export CUTOVER_STATE=$scratch/state
# shellcheck disable=SC2317  # called by the trap
finish() {
  "$here/end-all.sh" "$CUTOVER_STATE"
  rm -rf "$scratch"
}
trap finish EXIT

program=$(realpath "$CUTOVER_BIN")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# No holds: whatever is asked for by the spec is not Cutover's own time.
cat >"$scratch/cutover.yaml" <<YAML
app: cost
instances: 4
listen: 127.0.0.1:$port
release: { command: ["$program", demo-app, --port, "{port}", --version, "{version}"] }
health: { settle: 0s }
pattern: $pattern
patterns:
  blue-green: { soak: 0s, keep: 0s }
  canary: { steps: [25%, 50%], bake: 0s }
judge: { min-requests: 0 }
YAML
cd "$scratch"
cutover --quiet deploy v1 >/dev/null
cutover deploy v2 --output ndjson >events 2>/dev/null

python3 - "$program" "$scratch/events" <<'PYTHON'
import json, socket, subprocess, sys, time

program, events = sys.argv[1:]

def own_start():
    """From starting the program to its first answer, in ms."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    child = subprocess.Popen([program, "demo-app", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        while time.monotonic() < begun + 10:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as stream:
                    stream.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                    if stream.recv(12).endswith(b"200"):
                        return 1000 * (time.monotonic() - begun)
            except ConnectionRefusedError:
                time.sleep(0.0005)
        sys.exit("the program does not answer")
    finally:
        child.terminate()
        child.wait()

start = sorted(own_start() for _ in range(5))[2]
entered, costs, started = None, [], False
for line in open(events):
    event = json.loads(line)
    kind = event["type"]
    if kind == "stage-entered":
        entered, started = event["at"], False
    elif kind == "instance" and event.get("state") == "starting":
        started = True
    elif kind == "stage-reached":
        took = event["at"] - entered
        cost = took - (start if started else 0)
        costs.append(cost)
        print(f"stage {event['stage'] + 1}: {took} ms, of these Cutover's own {cost:.0f} ms")
average = sum(costs) / len(costs)
print(f"the program needs {start:.0f} ms to answer; Cutover adds {average:.0f} ms a stage on average")
sys.exit(average >= 150)
PYTHON
