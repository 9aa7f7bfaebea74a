#!/usr/bin/env bash
# OpenFeature's own SDKs against a real Cutover that serves a file.
#
#   scripts/flags-clients.sh [FOLDER]
#
# Installs the SDKs for Python and JavaScript (server and web) below FOLDER (kept and used again), or
# a temporary one, and runs scripts/flags-clients/*. Needs python3, node and npm. CUTOVER_BIN names
# the program; else the release build is used.
set -euo pipefail
# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"

work=$(mktemp -d /tmp/cutover-flags-XXXXXX)
clients=${1:-$work/clients}
mkdir -p "$clients/js"
export CUTOVER_STATE=$work/state
finish() {
  cutover down --all --yes >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

if [[ ! -x $clients/py/bin/python ]]; then
  say "installing Python's SDK ..."
  python3 -m venv "$clients/py"
  "$clients/py/bin/pip" install --quiet openfeature-sdk==0.10.0 openfeature-provider-ofrep==0.3.0
fi
if [[ ! -d $clients/js/node_modules/@openfeature ]]; then
  say "installing JavaScript's SDKs ..."
  echo '{"type": "module", "private": true}' >"$clients/js/package.json"
  (cd "$clients/js" && npm install --no-audit --no-fund --silent \
    @openfeature/server-sdk@1.23.0 @openfeature/ofrep-provider@0.1.3 \
    @openfeature/web-sdk@1.10.0 @openfeature/ofrep-web-provider@0.4.3 \
    eventsource@4.1.1)
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export FLAGS_URL=http://127.0.0.1:$port FLAGS_FILE=$work/flags.json FLAGS_TOKEN=s3cret
cp "$here/flags-clients/flags.json" "$FLAGS_FILE"
echo "$FLAGS_TOKEN" >"$work/tokens"
cutover flag serve --listen "127.0.0.1:$port" --tokens "$work/tokens" "$FLAGS_FILE" 2>/dev/null

"$clients/py/bin/python" "$here/flags-clients/client.py"
# Modules are looked for beside the file.
cp "$here"/flags-clients/*.mjs "$clients/js/"
(cd "$clients/js" && node server.mjs && node web.mjs)
say "all clients agree"
