#!/usr/bin/env bash
# Waits until a URL answers 2xx, looking from outside as a user would.
#
# usage: scripts/check-url.sh URL [SECONDS]     exit 0: it answers; 1: not within SECONDS (30)
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
  printf 'usage: %s URL [SECONDS]\n' "${0##*/}" >&2
  exit 2
fi
url=$1
seconds=${2:-30}
end=$((SECONDS + seconds))
last="nothing was tried"

# Redirects are not followed: what they lead to may be healthy while the app is not.
look() {
  local left=$((end - SECONDS))
  ((left > 0)) || left=1
  if command -v curl >/dev/null; then
    last=$(curl --silent --show-error --output /dev/null --max-time "$left" \
      --write-out '%{http_code}' "$url" 2>&1) || true
    [[ $last == 2?? ]]
  else
    last="no good answer"
    "${CUTOVER_BIN:-cutover}" load "$url" --rate 2 --for 500ms --timeout "${left}s" --json |
      tr -d ' \n' | grep -q '"ok":[1-9]'
  fi
}

while true; do
  if look; then
    printf '%s answers\n' "$url" >&2
    exit 0
  fi
  if ((SECONDS >= end)); then
    printf '%s does not answer 2xx within %s s; last: %s\n' "$url" "$seconds" "$last" >&2
    exit 1
  fi
  sleep 0.5
done
