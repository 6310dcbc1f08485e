#!/usr/bin/env bash
# Runs the compiled tests of the named folders under build/test; ends with the runner's own counts, and with what failed where that is not nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
dirs=()
for name in "$@"; do [ -d "build/test/$name" ] && dirs+=("build/test/$name"); done
# Globs and folder arguments mean different things in Node 20 and later, so the files are named.
mapfile -t files < <(for f in $(find "${dirs[@]}" -name '*.test.js' | sort); do s=${f#build/}; [ -f "${s%.js}.ts" ] && echo "$f"; done | grep -E "${TEST_ONLY:-.}" | grep -vE "${TEST_EXCEPT:-^$}")
[ "${#files[@]}" -gt 0 ] || { echo "no tests found under: $*" >&2; exit 1; }
reporter=tap
[ -t 1 ] && reporter=spec
failed=$(mktemp)
trap 'rm -f "$failed"' EXIT
rc=0
node --enable-source-maps --test --test-timeout="${TEST_TIMEOUT_MS:-300000}" --test-concurrency="${TEST_CONCURRENCY:-2}" \
  --test-reporter="$reporter" --test-reporter-destination=stdout \
  --test-reporter=./scripts/failed-tests.mjs --test-reporter-destination="$failed" "${files[@]}" || rc=$?
cat "$failed"
exit "$rc"
