#!/usr/bin/env bash
# Proves that the gate does its work: an unchanged tree passes ten times out of ten, and a copy whose look-up was made
# about 5 % slower (data/planted.patch) is refused, with the function that grew.
#
# The copy has a target folder of its own: cargo tells two checkouts of one workspace apart by nothing but the times of
# their files, so in a shared one the slow look-up would pass for this tree's at the next build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf '!!! %s\n' "$*" >&2; exit 1; }

target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
copy=$target/planted
log=$target/planted.log
mkdir -p "$target"

cargo run --locked --release -q -p benches -- gate --suite router --times 10 |
  tee "$log" | grep -c '^gate: .* hold' | grep -qx 10 || { cat "$log"; fail "the unchanged tree did not pass ten times"; }
echo "an unchanged tree passes ten times out of ten"

rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z | while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
  xargs -0 cp --parents -t "$copy"
patch -s -p1 -d "$copy" <benches/data/planted.patch ||
  fail "benches/data/planted.patch does not apply any more: make it slow down Trie::at again"
if (cd "$copy" && CARGO_TARGET_DIR=$copy/target cargo run --locked --release -q -p benches -- gate --suite router) >"$log" 2>&1; then
  cat "$log"
  fail "the gate let a planted regression pass"
fi
grep -q 'the gate is shut' "$log" || { cat "$log"; fail "the copy failed for another reason than the gate"; }
grep -Eq 'matchit find.*instructions from .*\(\+[4-9]\.[0-9] %\)' "$log" || { cat "$log"; fail "the planted regression is not told by its size"; }
grep -Eq '^ +\+[0-9.]+ in .*planted' "$log" || { cat "$log"; fail "the function that grew is not named"; }
sed -n '/the gate is shut/,$p' "$log" | head -4
echo "a planted regression is refused"
rm -rf "$copy"
