#!/usr/bin/env bash
# Draws the diagram of every page in patterns/ anew, from the settings that the page itself shows,
# and compares.
#
# usage: scripts/check-diagrams.sh [--write]     --write puts the drawings into the pages
#
# A page holds its settings in its first ```yaml block, and the drawing between
# <!-- diagram:begin PATTERN --> and <!-- diagram:end -->.
set -euo pipefail

write=false
case ${1:-} in
  '') ;;
  --write) write=true ;;
  *)
    printf 'usage: %s [--write]\n' "${0##*/}" >&2
    exit 2
    ;;
esac

# shellcheck source=scripts/find-cutover.sh
source "$(dirname "${BASH_SOURCE[0]}")/find-cutover.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cutover-diagrams-XXXXXX")
export CUTOVER_STATE=$scratch/state
# shellcheck disable=SC2317  # called by the trap
finish() {
  "$here/end-all.sh" "$CUTOVER_STATE"
  rm -rf "$scratch"
}
trap finish EXIT

# A plan leads from the live release to the next, so v1 has to be live. It is a worker without a
# port, which takes no time to be ready.
cat >"$scratch/first.yaml" <<'YAML'
app: shop
instances: 4
release: { command: [sleep, "600"] }
health: { settle: 0s }
YAML
cutover --quiet deploy v1 --file "$scratch/first.yaml" >/dev/null

# Prints the drawing of one page.
draw() {
  local page=$1
  {
    printf 'app: shop\ninstances: 4\nlisten: 127.0.0.1:8080\n'
    printf 'release: { command: [serve, "{port}"] }\n'
    awk '/^```/ { if (inside) exit } inside { print } /^```yaml$/ { inside = 1 }' "$page"
  } >"$scratch/cutover.yaml"
  cutover --file "$scratch/cutover.yaml" plan v2 --diagram
}

# Puts a drawing in its place.
page_with() {
  awk -v drawing="$2" '
    /^<!-- diagram:end -->$/ { inside = 0 }
    !inside { print }
    /^<!-- diagram:begin / {
      inside = 1
      print "```text"
      while ((getline line < drawing) > 0) print line
      print "```"
    }' "$1"
}

differ=0
pages=0
for page in "$root"/patterns/*.md; do
  pages=$((pages + 1))
  grep -q '^<!-- diagram:begin ' "$page" || die 1 "$page has no place for its diagram"
  draw "$page" >"$scratch/drawing"
  page_with "$page" "$scratch/drawing" >"$scratch/page"
  if $write; then
    cat "$scratch/page" >"$page"
  elif ! diff -u "$page" "$scratch/page" >&2; then
    say "the diagram in $page is out of date: scripts/check-diagrams.sh --write"
    differ=1
  fi
done
[[ $pages -eq 7 ]] || die 1 "there are $pages pages in patterns/, not 7"
$write || [[ $differ -ne 0 ]] || say "all $pages diagrams are as the program draws them"
exit "$differ"
