#!/usr/bin/env bash
# Sourced by the other scripts: finds the program and the spec.
#
#   cutover ARG ...       runs the program
#   use_spec              finds the spec and sets
#     spec                array: the arguments that name it
#     demo_app            array: settings that release the bundled demo app, empty for your own app
#     spec_file           its path

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

say() { printf '%s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "error: $*"
  exit "$code"
}

# CUTOVER_BIN, else the release build of this checkout, built now if it is not there.
if [[ -z ${CUTOVER_BIN:-} ]]; then
  CUTOVER_BIN=${CARGO_TARGET_DIR:-$root/target}/release/cutover
  if [[ ! -x $CUTOVER_BIN ]]; then
    command -v cargo >/dev/null || die 4 "cutover is not built, and there is no cargo to build it"
    say "building cutover (once) ..."
    (cd "$root" && cargo build --release --quiet -p cutover) >&2 ||
      die 1 "cutover could not be built"
  fi
fi
[[ -x $CUTOVER_BIN ]] || die 4 "CUTOVER_BIN=$CUTOVER_BIN is not a program"

cutover() { "$CUTOVER_BIN" "$@"; }

# The nearest cutover.yaml upwards from here, else that of the demo app.
find_spec() {
  local folder=$PWD
  while true; do
    if [[ -f $folder/cutover.yaml ]]; then
      printf '%s\n' "$folder/cutover.yaml"
      return
    fi
    [[ $folder == / ]] && return 1
    folder=$(dirname "$folder")
  done
}

# shellcheck disable=SC2034  # used by the scripts that source this file
use_spec() {
  demo_app=()
  if ! spec_file=$(find_spec); then
    spec_file=$root/examples/demo/cutover.yaml
    local program
    program=$(realpath "$CUTOVER_BIN")
    demo_app=(--set "release.command=[\"$program\", demo-app, --port, \"{port}\", --version, \"{version}\"]")
    [[ -z ${DEMO_LISTEN:-} ]] || demo_app+=(--set "listen=$DEMO_LISTEN")
    say "no cutover.yaml here or above: using the demo app ($spec_file)"
  fi
  spec=(--file "$spec_file")
}

# The version that git describes, made into one that Cutover takes:
# letters, digits, '.', '_' and '-', at most 63, beginning and ending with a letter or digit.
described_version() {
  local described
  described=$(git describe --tags --always --dirty 2>/dev/null) ||
    die 2 "no VERSION given, and this is no git checkout that could name one"
  described=$(printf '%s' "$described" | tr -c 'A-Za-z0-9._-' '-')
  while [[ $described == [._-]* ]]; do described=${described#?}; done
  described=${described:0:63}
  while [[ $described == *[._-] ]]; do described=${described%?}; done
  [[ -n $described ]] || die 2 "git describes no usable version; give one"
  printf '%s\n' "$described"
}

# Turns a bad URL of the environment into a usage error before anything is released.
check_is_url() {
  [[ $1 == http://* || $1 == https://* ]] || die 2 "$1 is not a http:// or https:// URL"
}

check_is_seconds() {
  [[ $2 =~ ^[0-9]+$ ]] || die 2 "$1=$2 is not a number of seconds"
}
