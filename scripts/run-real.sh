#!/usr/bin/env bash
# The real servers and the network namespaces: needs root, Go and Python; builds each server once into a cache outside the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "test:real makes network namespaces: run it as root" >&2; exit 1; }
bash test/real/setup.sh
node build/test/real/servers/install-all.js
# What holds a bound of time under 500 GET/s has the machine to itself.
TEST_ONLY='/site-loss\.test' TEST_CONCURRENCY=1 TEST_TIMEOUT_MS=900000 bash scripts/run-tests.sh real
# Two files at a time: each starts whole clusters of its own, on ports and in namespaces of its own, and waits for timers more than for a CPU.
TEST_EXCEPT='/site-loss\.test' TEST_CONCURRENCY=2 TEST_TIMEOUT_MS=900000 exec bash scripts/run-tests.sh real
