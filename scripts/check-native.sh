#!/usr/bin/env bash
# Form and lint of everything in Rust, and what it depends on. Needs cargo with rustfmt and clippy.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="$PWD/build/cargo"
for crate in gateway/engine/native bench/engines/load bench/engines/http; do
  (cd "$crate" && cargo fmt --check && cargo clippy --locked --quiet --all-targets --all-features)
done
node scripts/check-crates.mjs
