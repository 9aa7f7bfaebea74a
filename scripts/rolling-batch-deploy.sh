#!/usr/bin/env bash
# Releases a version batch by batch; the old one serves until each batch is ready.
#
# usage: scripts/rolling-batch-deploy.sh [VERSION] [BATCH]
#        VERSION: as git describes this checkout; BATCH: instances at a time, as the spec says (1)
#
# environment:
#   HEALTH_CHECK_URL      asked from outside once the new version is live
#   HEALTH_CHECK_TIMEOUT  seconds until an instance must be ready (health.deadline of the spec),
#                         and seconds that HEALTH_CHECK_URL may take to answer (30)
#   BATCH_DELAY           seconds to wait between batches (patterns.rolling.pause of the spec)
#   ROLLBACK_ON_FAILURE   true: a bad version is turned back by itself (exit code 5 or 6).
#                         false: everything stays as it is for a person to look at. As the spec
#                         says, if not given.
#   DEPLOY_TIMEOUT        seconds to wait for the end with ROLLBACK_ON_FAILURE=false (600); the
#                         rollout goes on then (exit code 9)
#   CUTOVER_BIN           the program; if not given it is built from this checkout on first use
#   DEMO_LISTEN           address of the demo app, if that is what is released (127.0.0.1:8080)
#
# Exit codes are those of `cutover deploy`; see docs/troubleshooting.md.
set -euo pipefail

usage() { sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac
[[ $# -le 2 ]] || { usage >&2 && exit 2; }

# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"
use_spec

version=${1:-}
batch=${2:-}
url=${HEALTH_CHECK_URL:-}
seconds=${HEALTH_CHECK_TIMEOUT:-}
delay=${BATCH_DELAY:-}
[[ -z $url ]] || check_is_url "$url"
[[ -n $version ]] || version=$(described_version)

arguments=(--pattern rolling)
if [[ -n $batch ]]; then
  [[ $batch =~ ^[1-9][0-9]*$ ]] || die 2 "BATCH=$batch is not a number from 1 on"
  arguments+=(--batch "$batch")
fi
if [[ -n $delay ]]; then
  check_is_seconds BATCH_DELAY "$delay"
  arguments+=(--set "patterns.rolling.pause=${delay}s")
fi
if [[ -n $seconds ]]; then
  check_is_seconds HEALTH_CHECK_TIMEOUT "$seconds"
  # Without `health:` an instance is ready when it listens; a deadline would ask for /health, too.
  if grep -Eq '^health:' "$spec_file"; then
    arguments+=(--set "health.deadline=${seconds}s")
  else
    say "$spec_file has no health: HEALTH_CHECK_TIMEOUT only counts for HEALTH_CHECK_URL"
  fi
fi
case ${ROLLBACK_ON_FAILURE:-} in
  '') ;;
  true) arguments+=(--on-failure rollback) ;;
  false)
    check_is_seconds DEPLOY_TIMEOUT "${DEPLOY_TIMEOUT:-600}"
    arguments+=(--on-failure hold --timeout "${DEPLOY_TIMEOUT:-600}s")
    ;;
  *) die 2 "ROLLBACK_ON_FAILURE=$ROLLBACK_ON_FAILURE: write true or false" ;;
esac

cutover deploy "$version" "${arguments[@]}" "${spec[@]}" "${demo_app[@]}"

if [[ -n $url ]] && ! CUTOVER_BIN=$CUTOVER_BIN "$here/check-url.sh" "$url" "${seconds:-30}"; then
  if [[ ${ROLLBACK_ON_FAILURE:-true} == false ]]; then
    die 7 "$version is live and HEALTH_CHECK_URL does not answer; go back: cutover rollback"
  fi
  say "$version is live and HEALTH_CHECK_URL does not answer: going back"
  cutover rollback "${spec[@]}" ||
    die 7 "$version stays live: going back failed (exit code $?), a person must look"
  exit 6
fi
