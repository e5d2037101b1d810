#!/bin/sh
# Builds the peer into target/peers/go; Go's own build cache makes a second time short.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v go >/dev/null 2>&1 || {
    echo "peers/go: Go is missing; install Go 1.26 or later (https://go.dev/doc/install)" >&2
    exit 1
}
mkdir -p "$here/../../../target/peers"
cd "$here"
exec go build -mod=readonly -trimpath -ldflags="-s -w" -o ../../../target/peers/go . >&2
