#!/bin/sh
# `systemctl enable --now UNIT...` and `disable --now UNIT...` of a machine without systemd: does what these units ask of it, no more.
set -eu
verb=$1
shift 2
for unit; do
  file=/etc/systemd/system/$unit.service
  setting() { sed -n "s/^$1=//p" "$file"; }
  if [ "$verb" = disable ]; then
    [ -e "/run/$unit.pid" ] || continue
    pid=$(cat "/run/$unit.pid")
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    continue
  fi
  user=$(setting User)
  install -d -o "$user" -g "$user" -m "$(setting StateDirectoryMode)" "/var/lib/$(setting StateDirectory)"
  credentials=/run/credentials/$unit
  credential=$(setting LoadCredential)
  if [ -n "$credential" ]; then
    install -d -o "$user" -m 700 /run/credentials "$credentials"
    install -o "$user" -m 400 "${credential#*:}" "$credentials/${credential%%:*}"
    chmod 755 /run/credentials
  fi
  environment=$(setting EnvironmentFile)
  [ -z "$environment" ] || { set -a; . "$environment"; set +a; }
  capabilities=-all
  [ -z "$(setting AmbientCapabilities)" ] || capabilities=-all,+net_bind_service
  line=$(setting ExecStart | sed "s|%d|$credentials|g")
  (eval "exec setsid setpriv --reuid=$user --regid=$user --clear-groups --no-new-privs --inh-caps=$capabilities --ambient-caps=$capabilities \
    --bounding-set=$capabilities env -u HOME $line") >"/run/$unit.log" 2>&1 </dev/null &
  echo $! >"/run/$unit.pid"
done
