#!/usr/bin/env bash
# The real servers and the network namespaces: needs root, Go and Python; builds each server once into a cache outside the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "test:real makes network namespaces: run it as root" >&2; exit 1; }
bash test/real/setup.sh
node build/test/real/servers/install-all.js
# Two files at a time: each starts whole clusters of its own, on ports and in namespaces of its own, and waits for timers more than for a CPU.
TEST_CONCURRENCY=2 TEST_TIMEOUT_MS=900000 exec bash scripts/run-tests.sh real
