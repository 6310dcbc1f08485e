#!/usr/bin/env bash
# Installs what the real-server tests need beyond Node, Go and Python, where it is missing. Debian or a relative of it; root.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need ip iproute2            # network namespaces and veth pairs
need nft nftables           # the firewall between the sites
need nsenter util-linux     # runs a server inside a namespace
need setpriv util-linux     # ends a server with its test
need cc gcc                 # Nomad needs cgo
need systemd-analyze systemd # judges the units; nothing of it runs
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "missing, and no apt-get here to install them: ${missing[*]}" >&2; exit 1; }
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
# Prometheus is unpacked from Debian's package: a fresh image has no list of packages.
command -v apt-get >/dev/null && { apt-cache show prometheus >/dev/null 2>&1 || apt-get update -qq; }
command -v go >/dev/null || { echo "go is not on PATH: the real servers are built from their Go modules (Go 1.26 or newer)" >&2; exit 1; }
command -v python3 >/dev/null || { echo "python3 is not on PATH: Envoy comes in a Python wheel" >&2; exit 1; }
