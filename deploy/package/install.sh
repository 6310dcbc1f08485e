#!/bin/sh
# Puts the unpacked archive that this file came in into /opt/isthmus, or takes it away again: install.sh [--remove]. Root.
# What was installed before is replaced in one rename; a running agent hands over to the new version.
set -eu
[ "$(id -u)" = 0 ] || { echo "install.sh writes to /opt, /etc and /usr/local/bin: run it as root" >&2; exit 1; }
units="isthmus-agent.service isthmus-capture.service isthmus-control.service isthmus-gateway.service"
live() { [ -d /run/systemd/system ]; }

if [ "${1:-}" = --remove ]; then
  if live; then systemctl disable --now $units; fi
  for unit in $units; do rm -f "/etc/systemd/system/$unit"; done
  # Stopping the unit has taken the rules themselves away.
  rm -f /usr/local/bin/isthmus /etc/sysusers.d/isthmus.conf /etc/isthmus/capture.nft
  rm -rf /opt/isthmus
  if live; then systemctl daemon-reload; fi
  echo "removed; /etc/isthmus and /var/lib/isthmus* are left: they hold configuration and keys"
  exit 0
fi

from=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
rm -rf /opt/isthmus.new /opt/isthmus.old
mkdir -p /opt
cp -R "$from" /opt/isthmus.new
chown -R 0:0 /opt/isthmus.new
/opt/isthmus.new/deploy/package/code-cache || echo "no code cache could be written: the agent will start more slowly" >&2
if [ -e /opt/isthmus ]; then mv /opt/isthmus /opt/isthmus.old; fi
mv /opt/isthmus.new /opt/isthmus
rm -rf /opt/isthmus.old
mkdir -p /usr/local/bin /etc/isthmus /etc/sysusers.d /etc/systemd/system
ln -sf /opt/isthmus/bin/isthmus /usr/local/bin/isthmus
install -m 644 /opt/isthmus/deploy/systemd/isthmus.sysusers /etc/sysusers.d/isthmus.conf
if command -v systemd-sysusers >/dev/null; then systemd-sysusers isthmus.conf
elif ! id isthmus >/dev/null 2>&1; then useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin isthmus
fi
for unit in $units; do install -m 644 "/opt/isthmus/deploy/systemd/$unit" /etc/systemd/system/; done
[ -e /etc/isthmus/gateway.env ] || install -m 644 /opt/isthmus/deploy/systemd/gateway.env /etc/isthmus/gateway.env
if live; then
  systemctl daemon-reload
  if systemctl is-active --quiet isthmus-agent; then systemctl reload isthmus-agent; fi
fi
echo "installed: $(/opt/isthmus/bin/isthmus version)"
