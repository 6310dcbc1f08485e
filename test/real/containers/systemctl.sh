#!/bin/sh
# What units and packages ask of systemctl, on a machine without systemd: enable [--now], disable [--now], restart, reload, cat, is-active,
# daemon-reload. Does what our units say, no more.
set -eu
verb=$1
shift
now=
while [ "${1:-}" = --now ] || [ "${1:-}" = --quiet ]; do
  [ "$1" = --quiet ] || now=yes
  shift
done

file_of() {
  for folder in /etc/systemd/system /lib/systemd/system; do
    [ ! -e "$folder/$1.service" ] || { echo "$folder/$1.service"; return; }
  done
  echo "no files found for $1.service" >&2
  exit 1
}
active() { [ -e "/run/$1.pid" ] && kill -0 "$(cat "/run/$1.pid")" 2>/dev/null; }

stop() {
  [ -e "/run/$1.pid" ] || return 0
  pid=$(cat "/run/$1.pid")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

start() {
  unit=$1
  file=$(file_of "$unit")
  setting() { sed -n "s/^$1=//p" "$file"; }
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
    --bounding-set=$capabilities env -u HOME $line") >>"/run/$unit.log" 2>&1 </dev/null &
  echo $! >"/run/$unit.pid"
}

for unit; do
  unit=${unit%.service}
  case $verb in
    cat) cat "$(file_of "$unit")" ;;
    is-active) active "$unit" ;;
    enable) file_of "$unit" >/dev/null && touch "/etc/systemd/system/$unit.enabled"; [ -z "$now" ] || start "$unit" ;;
    disable) rm -f "/etc/systemd/system/$unit.enabled"; [ -z "$now" ] || stop "$unit" ;;
    restart) stop "$unit"; start "$unit" ;;
    reload) kill -HUP "$(cat "/run/$unit.pid")" ;;
    *) echo "systemctl $verb is not known here" >&2; exit 1 ;;
  esac
done
