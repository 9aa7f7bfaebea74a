#!/usr/bin/env bash
# Brings an earlier version of an app back at once.
#
# usage: scripts/rollback.sh PATTERN APP [--force] [--dry-run] [--version=V] [--health-url=URL]
#
#   PATTERN          how the version was released: big-bang, rolling, blue-green, canary, shadow,
#                    ab-testing or feature-flag. The way back is the same for all of them: the
#                    pattern's steps are skipped, enough instances always serve.
#   APP              the app
#   --force          do not ask; turn a rollout back that is still running
#   --dry-run        show the plan and change nothing
#   --version=V      go to the newest good release of this version (default: the last good one)
#   --health-url=URL ask this URL from outside afterwards; without a 2xx answer exit code 7
#
# environment: HEALTH_CHECK_TIMEOUT (30), CUTOVER_BIN as for deploy.sh
#
# Exit codes are those of `cutover rollback`; see docs/troubleshooting.md.
set -euo pipefail

usage() { sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

force=false dry_run=false version='' url='' names=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --force) force=true ;;
    --dry-run) dry_run=true ;;
    --version=?*) version=${argument#*=} ;;
    --health-url=?*) url=${argument#*=} ;;
    -*) usage >&2 && exit 2 ;;
    *) names+=("$argument") ;;
  esac
done
[[ ${#names[@]} -eq 2 ]] || { usage >&2 && exit 2; }
pattern=${names[0]} app=${names[1]}

# The spec is not needed to go back: the release that is brought back has its own.
# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"

case $pattern in
  big-bang | rolling | blue-green | canary | shadow | ab-testing | feature-flag) ;;
  feature-toggle) ;;
  *) die 2 "there is no pattern $pattern: big-bang, rolling, blue-green, canary, shadow, ab-testing, feature-flag" ;;
esac
[[ -z $url ]] || check_is_url "$url"
seconds=${HEALTH_CHECK_TIMEOUT:-30}
check_is_seconds HEALTH_CHECK_TIMEOUT "$seconds"

arguments=(--app "$app")
[[ -z $version ]] || arguments+=(--to "$version")

if $dry_run; then
  cutover rollback --dry-run "${arguments[@]}"
  exit
fi

if ! $force && [[ -t 0 ]]; then
  read -r -p "bring ${version:-the last good version} of $app back? [y/N] " answer
  [[ $answer == [yY]* ]] || die 2 "nothing was changed"
fi

running() { cutover status --app "$app" --json | tr -d ' \n' | grep -q '"rollout":{'; }

if $force && running; then
  say "a rollout of $app is running: turning it back"
  cutover abort --force --app "$app"
  while running; do sleep 0.2; done
  # Turning back has brought the version before it; go on only to the one that was asked for.
  [[ -z $version ]] || cutover rollback "${arguments[@]}"
else
  cutover rollback "${arguments[@]}"
fi

if [[ -n $url ]] && ! CUTOVER_BIN=$CUTOVER_BIN "$here/check-url.sh" "$url" "$seconds"; then
  die 7 "$app was brought back and $url does not answer: a person must look"
fi
