#!/bin/sh
# Builds the real kube-apiserver, etcd, kube-controller-manager, kubectl and helm once, into a cache,
# and prints the directory that holds them. Where KUBEBUILDER_ASSETS is set, that directory is used
# instead and only looked through.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
say() { echo "cluster: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    missing=
    for component in kube-apiserver etcd kube-controller-manager kubectl; do
        [ -x "$KUBEBUILDER_ASSETS/$component" ] || missing="$missing $component"
    done
    [ -z "$missing" ] ||
        fail "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks:$missing; add what is missing, or unset the variable to build all from source"
    [ -x "$KUBEBUILDER_ASSETS/helm" ] || command -v helm >/dev/null 2>&1 ||
        say "helm is neither in KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS nor on the PATH: what needs it will fail"
    (cd "$KUBEBUILDER_ASSETS" && pwd)
    exit 0
fi

needed=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$here/go.mod")
alternative="or set KUBEBUILDER_ASSETS to a directory with kube-apiserver, etcd, kube-controller-manager, kubectl and helm of Kubernetes 1.37"
command -v go >/dev/null 2>&1 ||
    fail "Go is missing: install Go $needed or later to build a real API server, $alternative"

# Go would otherwise try to download the toolchain that go.mod names, and a workspace or flags of the
# caller would change what the key below stands for.
GOTOOLCHAIN=local
GOFLAGS=
GOWORK=off
# No C compiler is needed then.
CGO_ENABLED=0
export GOTOOLCHAIN GOFLAGS GOWORK CGO_ENABLED

go_version=$(go version)
# Before 1.21, Go builds on with what it does not understand and fails late, with an obscure error.
echo "$needed $(go env GOVERSION)" | awk '{
    split($1, need, "."); sub(/^go/, "", $2); split($2, have, ".")
    for (i = 1; i <= 3; i++) if (have[i] + 0 != need[i] + 0) exit have[i] + 0 < need[i] + 0
}' || fail "$go_version is too old: install Go $needed or later, $alternative"

key=$(cat "$here/go.mod" "$here/go.sum" "$here/main.go" "$here/build.sh" - <<END | cksum | tr ' ' -
$go_version
END
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller
directory=$cache/cluster-$key

if [ ! -x "$directory/kube-apiserver" ]; then
    mkdir -p "$cache"
    # The kernel frees the lock when its holder ends, however that ends. A system without flock may
    # build twice at the same time; that wastes work only, since the result is moved into place whole.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$cache/build.lock"
        if ! flock -n 9; then
            say "another build is under way; waiting for it"
            flock 9
        fi
        # Whoever left these was killed: this process holds the lock.
        rm -rf "$cache"/build.??????
    fi
fi
if [ ! -x "$directory/kube-apiserver" ]; then
    say "building kube-apiserver, etcd, kube-controller-manager, kubectl and helm: once, about 6 minutes on two cores"
    work=$(mktemp -d "$cache/build.XXXXXX")
    builder=
    # A shell that dies of a signal runs no EXIT trap unless the signal is turned into an exit.
    trap '[ -z "$builder" ] || kill "$builder" 2>/dev/null || :; rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    started=$(date +%s)
    cd "$here"
    say "looking up the packages (the first time this downloads some 200 modules)"
    go list -mod=readonly -deps . >"$work/packages" 2>"$work/log" 9>&- || {
        tail -n 20 "$work/log" >&2
        fail "failed to load the Go modules; is the module proxy ($(go env GOPROXY)) within reach?"
    }
    total=$(wc -l <"$work/packages" | tr -d ' ')

    stamp=k8s.io/component-base/version
    # Helm's kubeVersion checks need the version. Debug information is stripped by the linker anyway:
    # compiling without it is an eighth faster (measured). -v names each package that is compiled: the progress.
    # The lock is not handed down (9>&-): a builder that outlives this shell must not hold it.
    go build -v -mod=readonly -buildvcs=false -o "$work/cluster" -gcflags=all=-dwarf=false -ldflags \
        "-s -w -X $stamp.gitVersion=v1.37.2 -X $stamp.gitMajor=1 -X $stamp.gitMinor=37 -X helm.sh/helm/v4/internal/version.version=v4.3.1" \
        . >"$work/log" 2>&1 9>&- &
    builder=$!
    # Tells when the build is over at once; a plain sleep of 30 s would be noticed only at its end.
    waited=0
    while kill -0 "$builder" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        [ $((waited % 30)) -ne 0 ] ||
            say "$(($(date +%s) - started)) s: compiled $(wc -l <"$work/log" | tr -d ' ') of at most $total packages"
    done
    status=0
    wait "$builder" || status=$?
    builder=
    [ "$status" -eq 0 ] || {
        tail -n 30 "$work/log" >&2
        fail "failed to build: see above"
    }
    rm "$work/packages" "$work/log"
    for component in kube-apiserver etcd kube-controller-manager kubectl helm; do
        ln -s cluster "$work/$component"
    done
    # mktemp makes it private to its owner.
    chmod 755 "$work"
    # Without flock another builder may have been faster: then its result is as good.
    if [ ! -x "$directory/kube-apiserver" ]; then
        rm -rf "$directory"
        mv "$work" "$directory"
    fi
    say "built into $directory in $(($(date +%s) - started)) s"
fi
echo "$directory"
