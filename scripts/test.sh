#!/usr/bin/env bash
# Runs the scripts against the demo app in a world of its own, and checks what users are served.
#
# usage: scripts/test.sh
set -euo pipefail

# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"
export CUTOVER_BIN

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cutover-test-XXXXXX")
export CUTOVER_STATE=$scratch/state
unset CUTOVER_APP CUTOVER_ENV HEALTH_CHECK_URL HEALTH_CHECK_TIMEOUT BATCH_DELAY ROLLBACK_ON_FAILURE

failure=
# shellcheck disable=SC2317  # called by the trap
finish() {
  local code=$?
  if [[ $code -ne 0 && -f $scratch/out ]]; then
    say "the last command printed:"
    cat "$scratch/out" >&2
  fi
  [[ -z $failure ]] || say "FAILED: $failure"
  "$here/end-all.sh" "$CUTOVER_STATE" || code=1
  rm -rf "$scratch"
  exit "$code"
}
trap finish EXIT

fail() {
  failure=$*
  exit 1
}

free_port() {
  local port
  while true; do
    port=$((15000 + RANDOM % 5000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s\n' "$port"
}

# Runs a command and wants this exit code.
expect() {
  local wanted=$1 code=0
  shift
  "$@" >"$scratch/out" 2>&1 </dev/null || code=$?
  [[ $code -eq $wanted ]] || fail "exit code $code, not $wanted: $*"
}

says() {
  grep -qF -- "$1" "$scratch/out" || fail "the output lacks \"$1\""
}

served() {
  local answer
  answer=$(curl --silent --show-error --max-time 5 "http://$DEMO_LISTEN/") || fail "no answer"
  [[ $answer == "cutover-demo $1 "* ]] || fail "users get \"$answer\", not $1"
}

journal_length() { cutover history --app demo --json | wc -c; }

step() { say "- $*"; }

DEMO_LISTEN=127.0.0.1:$(free_port)
export DEMO_LISTEN
nothing=http://127.0.0.1:$(free_port)/
# Outside any folder with a cutover.yaml, so the demo app is what is released.
mkdir "$scratch/empty"
cd "$scratch/empty"

step "deploy.sh releases a version and asks HEALTH_CHECK_URL"
HEALTH_CHECK_URL=http://$DEMO_LISTEN/ expect 0 "$here/deploy.sh" v1
served v1

step "deploy.sh names the version after the checkout, made into a valid one"
mkdir "$scratch/checkout"
(
  cd "$scratch/checkout"
  git init --quiet
  git -c user.name=t -c user.email=t@localhost commit --quiet --allow-empty -m one
  git tag 'release/1.0+x'
)
cd "$scratch/checkout"
expect 0 "$here/deploy.sh"
served release-1.0-x
cd "$scratch/empty"

step "deploy.sh goes back when HEALTH_CHECK_URL does not answer"
HEALTH_CHECK_URL=$nothing HEALTH_CHECK_TIMEOUT=1 expect 6 "$here/deploy.sh" v3
says "HEALTH_CHECK_URL does not answer: going back"
served release-1.0-x

step "deploy.sh --rollback brings the version before back"
expect 0 "$here/deploy.sh" --rollback
served v1

step "rolling-batch-deploy.sh releases in batches, with its settings"
HEALTH_CHECK_TIMEOUT=20 BATCH_DELAY=1 ROLLBACK_ON_FAILURE=true \
  HEALTH_CHECK_URL=http://$DEMO_LISTEN/ expect 0 "$here/rolling-batch-deploy.sh" v4 2
says "stage 1/2"
says "hold 1s"
served v4

step "rolling-batch-deploy.sh goes back when HEALTH_CHECK_URL does not answer"
HEALTH_CHECK_URL=$nothing HEALTH_CHECK_TIMEOUT=2 expect 6 "$here/rolling-batch-deploy.sh" v5 4
served v4

step "rollback.sh --dry-run changes nothing"
before=$(journal_length)
expect 0 "$here/rollback.sh" rolling demo --dry-run
says "v4 -> v1"
[[ $(journal_length) == "$before" ]] || fail "the history has changed"
served v4

step "rollback.sh goes back to the last good version, and to a named one"
expect 0 "$here/rollback.sh" rolling demo --health-url="http://$DEMO_LISTEN/"
served v1
expect 0 "$here/rollback.sh" canary demo --force --version=v4
served v4
HEALTH_CHECK_TIMEOUT=1 expect 7 "$here/rollback.sh" rolling demo --version=v1 --health-url="$nothing"
served v1

step "rollback.sh --force turns a running rollout back"
: >"$scratch/rolling"
BATCH_DELAY=60 "$here/rolling-batch-deploy.sh" v6 2 >"$scratch/rolling" 2>&1 </dev/null &
rolling=$!
for _ in {1..200}; do
  ! grep -q 'stage 1/2 reached' "$scratch/rolling" || break
  sleep 0.1
done
grep -q 'stage 1/2 reached' "$scratch/rolling" || fail "the rollout did not get to its first stage"
expect 8 "$here/rollback.sh" rolling demo
expect 0 "$here/rollback.sh" rolling demo --force
code=0
wait "$rolling" || code=$?
[[ $code -eq 6 ]] || fail "the rollout that was turned back ended with $code, not 6"
served v1

step "bad input is refused and changes nothing"
before=$(journal_length)
expect 2 "$here/deploy.sh" --no-such-flag
expect 2 "$here/deploy.sh" ../x
expect 2 "$here/deploy.sh" v1 v2
HEALTH_CHECK_URL=127.0.0.1 expect 2 "$here/deploy.sh" v9
HEALTH_CHECK_TIMEOUT=soon expect 2 "$here/rolling-batch-deploy.sh" v9
BATCH_DELAY=-1 expect 2 "$here/rolling-batch-deploy.sh" v9
ROLLBACK_ON_FAILURE=maybe expect 2 "$here/rolling-batch-deploy.sh" v9
expect 2 "$here/rolling-batch-deploy.sh" v9 0
expect 2 "$here/rollback.sh" rolling
expect 2 "$here/rollback.sh" sideways demo
expect 2 "$here/rollback.sh" rolling nobody
expect 2 "$here/rollback.sh" rolling demo --version=v99
[[ $(journal_length) == "$before" ]] || fail "the history has changed"
served v1

step "everything can be ended"
expect 1 "$here/end-all.sh" --list "$CUTOVER_STATE"
says proxy-serve
expect 0 cutover down --all --yes
expect 0 "$here/end-all.sh" --list "$CUTOVER_STATE"
say "all scripts do what they say"
