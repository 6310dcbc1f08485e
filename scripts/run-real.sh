#!/usr/bin/env bash
# The real servers and the network namespaces: needs root, Go and Python; builds each server once into a cache outside the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "test:real makes network namespaces: run it as root" >&2; exit 1; }
bash test/real/setup.sh
node build/test/real/servers/install-all.js
# One file at a time: these start whole clusters, and two at once would starve each other of CPU.
TEST_CONCURRENCY=1 TEST_TIMEOUT_MS=900000 exec bash scripts/run-tests.sh real
