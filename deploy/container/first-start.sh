#!/bin/sh
# Before a control plane's first start in a container: its root, where it holds one (ISTHMUS_ROOT_DIR), its state, and the file
# ISTHMUS_CONTEXT_FILE, by which `isthmus status` works in that container. Later starts find them and change nothing.
# Usage: first-start.sh CONFIG
set -eu
: "${ISTHMUS_CONTEXT_FILE:?names the context file}"
umask 077
if [ -n "${ISTHMUS_ROOT_DIR:-}" ] && [ ! -e "$ISTHMUS_ROOT_DIR" ]; then
  : "${ISTHMUS_TRUST_DOMAIN:?names the trust domain of the root}"
  # Made beside its place: a start that was killed leaves no half of a root.
  rm -rf "$ISTHMUS_ROOT_DIR.new"
  isthmus ca init --dir "$ISTHMUS_ROOT_DIR.new" --trust-domain "$ISTHMUS_TRUST_DOMAIN" >/dev/null
  mv "$ISTHMUS_ROOT_DIR.new" "$ISTHMUS_ROOT_DIR"
fi
if [ ! -e "$ISTHMUS_CONTEXT_FILE" ]; then
  # Without this file nobody has the credential: an earlier one is replaced. What is printed holds the new one, and would end up in a log.
  isthmus control init -c "$1" --replace >/dev/null
fi
