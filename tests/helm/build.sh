#!/bin/sh
# Builds helm-unittest once, into the cache that the control plane is in, and prints its path. A module of
# its own: Helm of another version is in it, and the control plane takes minutes to build.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
command -v go >/dev/null 2>&1 || {
    echo "helm: Go is missing: install Go $(sed -n 's/^go \([0-9.]*\)$/\1/p' "$here/go.mod") or later to build helm-unittest" >&2
    exit 1
}
# What the key below stands for must not depend on the caller's.
GOTOOLCHAIN=local
GOFLAGS=
GOWORK=off
CGO_ENABLED=0
export GOTOOLCHAIN GOFLAGS GOWORK CGO_ENABLED

key=$(
    { cat "$here/go.mod" "$here/go.sum" "$here/build.sh" && go version; } | cksum | tr ' ' -
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller
program=$cache/helm-unittest-$key
if [ ! -x "$program" ]; then
    echo "helm: building helm-unittest: once, about 2 minutes on two cores" >&2
    mkdir -p "$cache"
    cd "$here"
    work=$(mktemp "$cache/helm-unittest.XXXXXX")
    trap 'rm -f "$work"' EXIT
    go build -mod=readonly -buildvcs=false -gcflags=all=-dwarf=false -ldflags "-s -w" -o "$work" \
        github.com/helm-unittest/helm-unittest/cmd/helm-unittest >&2
    # Whole, or not at all: another build may be under way.
    mv "$work" "$program"
fi
echo "$program"
