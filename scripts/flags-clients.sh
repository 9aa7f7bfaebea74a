#!/usr/bin/env bash
# OpenFeature's own SDKs against a real Cutover that serves a file: the examples in examples/flags,
# and what clients are known to trip over in scripts/flags-clients.
#
#   scripts/flags-clients.sh [FOLDER]
#
# Installs the SDKs for Python, JavaScript (server and web) and Rust below FOLDER (kept and used
# again), or a temporary one. Needs python3 with venv, node, npm and cargo; a language whose tools are
# missing is left out, and that is said. CUTOVER_BIN names the program; else the release build is used.
set -euo pipefail
# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"

work=$(mktemp -d /tmp/cutover-flags-XXXXXX)
clients=${1:-$work/clients}
examples=$root/examples/flags
mkdir -p "$clients/js"
export CUTOVER_STATE=$work/state
finish() {
  cutover down --all --yes >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

left_out=()
has() {
  local language=$1 tool
  shift
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    say "$language is left out: there is no $tool"
    left_out+=("$language")
    return 1
  done
}

ran=()
if has Python python3; then
  if [[ ! -x $clients/py/bin/python ]]; then
    say "installing Python's SDK ..."
    python3 -m venv "$clients/py"
    "$clients/py/bin/pip" install --quiet --disable-pip-version-check \
      --requirement "$examples/python/requirements.txt"
  fi
  ran+=(python)
fi
if has Rust cargo; then
  say "building Rust's SDK ..."
  cargo build --quiet --locked --manifest-path "$examples/rust/Cargo.toml" --target-dir "$clients/rust"
  ran+=(rust)
fi
# The last one: it changes the file.
if has JavaScript node npm; then
  # Modules are looked for beside the file.
  cp "$examples"/node/{package.json,package-lock.json,shop.mjs} "$here"/flags-clients/*.mjs "$clients/js/"
  if [[ ! -d $clients/js/node_modules/@openfeature ]]; then
    say "installing JavaScript's SDKs ..."
    (cd "$clients/js" && npm ci --no-audit --no-fund --silent)
  fi
  ran+=(node)
fi

address() {
  python3 - <<'END'
import socket
free = socket.socket()
free.bind(("127.0.0.1", 0))
print("127.0.0.1:%d" % free.getsockname()[1])
END
}

# Each example, by the language it is in.
run_example() {
  case $1 in
    python) "$clients/py/bin/python" "$examples/python/shop.py" ;;
    node) (cd "$clients/js" && node shop.mjs) ;;
    rust) "$clients/rust/debug/shop" ;;
  esac
}
run_checks() {
  case $1 in
    python) "$clients/py/bin/python" "$here/flags-clients/client.py" ;;
    node) (cd "$clients/js" && node server.mjs && node web.mjs) ;;
    rust) "$clients/rust/debug/shop-checks" ;;
  esac
}

say "the examples ..."
listen=$(address)
export FLAGS_URL=http://$listen
cutover flag serve --listen "$listen" "$examples/flags.json" 2>/dev/null
for language in "${ran[@]}"; do
  said=$(run_example "$language")
  : "${first:=$said}"
  # The same users get the same, whoever asks.
  [[ $said == "$first" ]] || die 1 "$language says otherwise: $said, and not $first"
done
for what in "old checkout (off)" "new checkout (on)"; do
  [[ $first == *"$what"* ]] || die 1 "nobody gets the $what: $first"
done

say "the checks ..."
export FLAGS_FILE=$work/flags.json FLAGS_TOKEN=s3cret
cp "$here/flags-clients/flags.json" "$FLAGS_FILE"
echo "$FLAGS_TOKEN" >"$work/tokens"
listen=$(address)
export FLAGS_URL=http://$listen
cutover flag serve --listen "$listen" --tokens "$work/tokens" "$FLAGS_FILE" 2>/dev/null
for language in "${ran[@]}"; do run_checks "$language"; done

if [[ ${#left_out[@]} -gt 0 ]]; then
  say "these agree: ${ran[*]}; left out: ${left_out[*]}"
else
  say "all clients agree"
fi
