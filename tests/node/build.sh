#!/bin/sh
# Builds what a node needs and the control plane's binary lacks, once, into a cache, and prints the directory:
# kubelet, kube-proxy, kube-scheduler, containerd with its shim and ctr, runc, the CNI plugins, and pause.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
say() { echo "node: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

for needed in go cc pkg-config; do
    command -v $needed >/dev/null 2>&1 || fail "$needed is missing: install it (Debian: gcc, pkg-config; Go from go.dev)"
done
pkg-config --exists libseccomp || fail "libseccomp's headers are missing: install them (Debian: libseccomp-dev)"

# For the same reasons as in ../cluster/build.sh.
GOTOOLCHAIN=local
GOFLAGS=
GOWORK=off
export GOTOOLCHAIN GOFLAGS GOWORK
key=$(cat "$here/go.mod" "$here/go.sum" "$here/main.go" "$here/pause.c" "$here/build.sh" \
    "$here/runtime/go.mod" "$here/runtime/go.sum" - <<END | cksum | tr ' ' -
$(go version)
END
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller
directory=$cache/node-$key
mkdir -p "$cache"
exec 9>"$cache/node.lock"
flock 9
if [ ! -x "$directory/kubelet" ]; then
    say "building kubelet, containerd, runc and the CNI plugins: once, some 8 minutes on two cores"
    rm -rf "$cache"/node-build.??????
    work=$(mktemp -d "$cache/node-build.XXXXXX")
    builder=
    trap '[ -z "$builder" ] || kill "$builder" 2>/dev/null || :; rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    started=$(date +%s)
    # A failure names the program; what Go says goes to standard error as it is. The lock is not handed down.
    made() {
        what=$1
        shift
        # In the background: a shell that waits for a command in the foreground hears no signal.
        "$@" >&2 9>&- &
        builder=$!
        wait $builder || fail "failed to build $what: see above"
        builder=
        say "$(($(date +%s) - started)) s: $what is built"
    }
    flags="-mod=readonly -buildvcs=false -gcflags=all=-dwarf=false"
    # A module of their own, whose versions need not agree with Kubernetes's: its go.mod names them as tools.
    cd "$here/runtime"
    # shellcheck disable=SC2086 # a list
    made "containerd and the CNI plugins" env CGO_ENABLED=0 go build $flags -ldflags "-s -w" -o "$work/" \
        $(sed -n '/^tool (/,/^)/s/^\t//p' go.mod | grep -v runc$)
    # With seccomp, which is C: the restricted standard asks for the runtime's profile.
    # shellcheck disable=SC2086
    made runc env CGO_ENABLED=1 go build $flags -tags seccomp -ldflags "-s -w" -o "$work/" github.com/opencontainers/runc
    stamp=k8s.io/component-base/version
    cd "$here"
    # shellcheck disable=SC2086
    made "kubelet, kube-proxy and kube-scheduler" env CGO_ENABLED=0 go build $flags -o "$work/node" \
        -ldflags "-s -w -X $stamp.gitVersion=v1.37.2 -X $stamp.gitMajor=1 -X $stamp.gitMinor=37" .
    for component in kubelet kube-proxy kube-scheduler; do ln -s node "$work/$component"; done
    made pause cc -static -Os -s -o "$work/pause" "$here/pause.c"
    chmod 755 "$work"
    rm -rf "$directory"
    mv "$work" "$directory"
    say "built into $directory in $(($(date +%s) - started)) s"
fi
echo "$directory"
