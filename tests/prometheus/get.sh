#!/bin/sh
# Prints the directory that holds promtool and prometheus: that of the PATH, or the cache that the control plane
# is in, into which Debian's package is unpacked once. Nothing is installed, and no root is needed.
set -eu

say() { echo "prometheus: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

found=$(command -v promtool || :)
if [ -n "$found" ] && [ -x "$(dirname "$found")/prometheus" ]; then
    dirname "$found"
    exit 0
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller
directory=$cache/prometheus
if [ ! -x "$directory/promtool" ]; then
    remedy="install promtool and prometheus 2.42 or later, on the PATH"
    for program in apt-get dpkg; do
        command -v "$program" >/dev/null 2>&1 ||
            fail "Prometheus is neither on the PATH nor in $directory, and there is no $program to get it with: $remedy"
    done
    say "getting Prometheus from the package of the distribution: once, about 20 MB"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/prometheus.XXXXXX")
    # A shell that dies of a signal runs no EXIT trap unless the signal is turned into an exit.
    trap 'rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    download() { (cd "$work" && apt-get download prometheus) >>"$work/log" 2>&1; }
    # A machine that is made for one run may lack the lists of packages; only root can get them.
    download || { [ "$(id -u)" = 0 ] && apt-get update >>"$work/log" 2>&1 && download; } || {
        tail -n 20 "$work/log" >&2
        fail "failed to download the package: are the lists there (apt-get update), and the mirror within reach? Else $remedy"
    }
    dpkg -x "$work"/prometheus_*.deb "$work/unpacked"
    mkdir "$work/bin"
    mv "$work/unpacked/usr/bin/promtool" "$work/unpacked/usr/bin/prometheus" "$work/bin/"
    # Whole, or not at all: another run may have been faster, and then its result is as good.
    [ -x "$directory/promtool" ] || {
        rm -rf "$directory"
        mv "$work/bin" "$directory"
    }
fi
echo "$directory"
