#!/usr/bin/env bash
# Releases a version by big bang: the old one stops, then the new one starts.
#
# usage: scripts/deploy.sh [VERSION]      VERSION: as git describes this checkout, if not given
#        scripts/deploy.sh --rollback     goes back to the last good version
#
# environment:
#   HEALTH_CHECK_URL      asked from outside once the new version is live; without a 2xx answer
#                         the old version is brought back (exit code 6)
#   HEALTH_CHECK_TIMEOUT  seconds that URL may take to answer (30)
#   CUTOVER_BIN           the program; if not given it is built from this checkout on first use
#   DEMO_LISTEN           address of the demo app, if that is what is released (127.0.0.1:8080)
#
# Exit codes are those of `cutover deploy`; see docs/troubleshooting.md.
set -euo pipefail

usage() { sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

version=
rollback=false
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --rollback) rollback=true ;;
    -*) usage >&2 && exit 2 ;;
    *) [[ -z $version ]] || { usage >&2 && exit 2; }
       version=$argument ;;
  esac
done

# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"
use_spec

if $rollback; then
  [[ -z $version ]] || die 2 "--rollback takes no VERSION; use: cutover rollback --to $version"
  cutover rollback "${spec[@]}"
  exit
fi

url=${HEALTH_CHECK_URL:-}
seconds=${HEALTH_CHECK_TIMEOUT:-30}
[[ -z $url ]] || check_is_url "$url"
check_is_seconds HEALTH_CHECK_TIMEOUT "$seconds"
[[ -n $version ]] || version=$(described_version)

cutover deploy "$version" --pattern big-bang "${spec[@]}" "${demo_app[@]}"

if [[ -n $url ]] && ! CUTOVER_BIN=$CUTOVER_BIN "$here/check-url.sh" "$url" "$seconds"; then
  say "$version is live and HEALTH_CHECK_URL does not answer: going back"
  cutover rollback "${spec[@]}" ||
    die 7 "$version stays live: going back failed (exit code $?), a person must look"
  exit 6
fi
