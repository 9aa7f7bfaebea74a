#!/usr/bin/env bash
# Ends everything that belongs to one state folder: apps, daemon, proxy and their keepers. Users of
# those apps get no answers afterwards. The folder itself stays.
#
# usage: scripts/end-all.sh STATE_FOLDER         as in CUTOVER_STATE
#        scripts/end-all.sh --list STATE_FOLDER  only show what runs; exit code 1 if anything does
set -euo pipefail

list=false
if [[ ${1:-} == --list ]]; then
  list=true
  shift
fi
if [[ $# -ne 1 || -z $1 || $1 == -* ]]; then
  sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
given=$(realpath --canonicalize-missing --no-symlinks "$1")
state=$(realpath --canonicalize-missing "$1")

# Daemon, proxy and keepers are this program with the state folder in their environment; instances
# and all their children are marked with their own folder.
belongs() {
  local process=$1 program variable
  program=$(readlink "$process/exe") || return 1
  while IFS= read -r -d '' variable; do
    case $variable in
      "CUTOVER_STATE=$given" | "CUTOVER_STATE=$state") [[ ${program##*/} != cutover* ]] || return 0 ;;
      "CUTOVER_INSTANCE_FOLDER=$state/"*) return 0 ;;
    esac
  done <"$process/environ"
  return 1
}

processes() {
  local process
  for process in /proc/[0-9]*; do
    if belongs "$process"; then printf '%s\n' "${process#/proc/}"; fi
  done 2>/dev/null # some end meanwhile, or belong to other users
}

if $list; then
  found=$(processes)
  [[ -z $found ]] && exit 0
  # shellcheck disable=SC2086
  ps -o pid=,args= -p ${found//$'\n'/,} || true
  exit 1
fi

for signal in TERM KILL; do
  for _ in {1..80}; do
    found=$(processes)
    [[ -n $found ]] || exit 0
    for pid in $found; do kill -s "$signal" "$pid" 2>/dev/null || true; done
    sleep 0.1
  done
done
printf 'these processes do not end: %s\n' "$found" >&2
exit 1
