#!/usr/bin/env bash
# Form and lint of everything in Rust. Needs cargo with rustfmt and clippy.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="$PWD/build/cargo"
for crate in gateway/engine/native bench/engines/load; do
  (cd "$crate" && cargo fmt --check && cargo clippy --locked --quiet --all-targets --all-features)
done
