#!/bin/bash
# Before Envoy is told to end: existing clients are asked to connect elsewhere (`connection: close`, GOAWAY). New ones, which a
# load balancer may send for a while, are still served. Done when none is connected, or after DRAIN_MOST seconds.
# This uses bash's /dev/tcp, because Envoy's image has no curl.
set -u

ask() { # METHOD PATH
  exec 3<>"/dev/tcp/127.0.0.1/15000" || return 1
  printf '%s %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}

# Whether a client is connected to a port that is not Envoy's own: neither its admin interface nor the probes'.
has_clients() {
  ask GET '/stats?filter=^listener\..*downstream_cx_active$' |
    grep -v -e '^listener\.admin\.' -e '_15021\.' -e '\.worker_' |
    grep -q ': [1-9]'
}

ask POST '/drain_listeners?graceful&skip_exit' >/dev/null
sleep "$DRAIN_LEAST"
while [ "$SECONDS" -lt "$DRAIN_MOST" ] && has_clients; do
  sleep 1
done
