#!/bin/bash
# The image and the chart on a real node: make e2e. Root and Linux; or E2E_KUBECONFIG names any cluster.
#
# With E2E_KUBECONFIG the cluster's nodes must be able to pull E2E_IMAGE (repository:tag), and the checks that need the node
# or the audit log are named and left out. It creates the namespace modelarts-e2e and the chart's cluster-wide objects,
# and refuses to begin where the definitions are there already.
set -euo pipefail
shopt -s inherit_errexit
# Jobs of their own process group would outlive an interrupt.
set +m
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
chart=$repository/charts/modelarts-pool-controller
namespace=modelarts-e2e
release=modelarts-pool-controller
passed=0 failed=0 skipped=0 checking=

say() { printf 'e2e: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=files.sh
. "$here/files.sh"
# shellcheck source=cluster.sh
. "$here/cluster.sh"
# shellcheck source=checks.sh
. "$here/checks.sh"
# shellcheck source=checks_end.sh
. "$here/checks_end.sh"

[ "${1:-}" != --lacks ] || { lacks; exit; }

finish() {
    local status=$?
    trap - EXIT
    # A second signal must not end the cleaning up.
    trap '' HUP INT TERM
    set +e
    [ -z "$checking" ] || { pkill -TERM -P "$checking"; kill -TERM "$checking"; } 2>/dev/null
    if $own; then
        cluster_down
        local left
        left=$(cluster_left)
        if [ -n "$left" ]; then
            say "FAILED nothing is left behind: expected nothing, saw:"
            printf '%s\n' "$left" >&2
            status=1
        else
            say "ok nothing is left behind: no process, mount, control group, interface, network namespace or setting"
        fi
    else
        foreign_down
    fi
    if [ "$status" = 0 ] || [ -z "${E2E_KEEP:-}" ]; then rm -rf "$work"; else say "kept: $work"; fi
    exit "$status"
}

own=true
if [ -n "${E2E_KUBECONFIG:-}" ]; then
    own=false
    image=${E2E_IMAGE:?names the image that the nodes of E2E_KUBECONFIG can pull, as repository:tag}
    control=$("$repository/tests/cluster/build.sh")
    say "on the cluster of $E2E_KUBECONFIG; its node and its audit log can't be looked at: checks that need them are skipped"
    ! kubectl get crd modelartspools.modelarts.huaweicloud.com >/dev/null 2>&1 ||
        die "modelarts-pool-controller is installed there already: e2e would change it; name another cluster"
else
    missing=$(lacks)
    [ -z "$missing" ] || die "$missing; or name a cluster with E2E_KUBECONFIG"
    control=$("$repository/tests/cluster/build.sh")
    node=$("$here/build.sh")
    image=$("$repository/tests/image/build.sh" | tail -n 1)
fi
work=$(mktemp -d "/tmp/modelarts-e2e-$$.XXXXXX")
chmod 755 "$work"
! $own || before_cluster
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if $own; then
    say "$SECONDS s: starting the node"
    cluster_up
    ctr images import "$repository/target/image/modelarts-pool-controller.oci.tar" >/dev/null
fi
say "$SECONDS s: preparing the namespace and the simulated cloud"
prepare
check "the namespace takes no pod that is not restricted" restricted
check "pools appear" pools_appear
# Without a mirror each check that follows would only wait out its limit.
[ "$failed" = 0 ] || exit 1
check "an upgrade from the previous chart changes a definition and keeps the objects" upgraded
check "the chart's own test passes" chart_test
check_own "the process is killed: the mirror goes on" process_killed
check "the pod is killed: the mirror goes on" pod_killed
check "the leader is evicted: the mirror goes on" leader_evicted
check_own "the kubelet is restarted: the mirror goes on" kubelet_restarted
check "the admission policy refuses a user's edit" policy_refuses
check "a mistake in the values is refused" values_refused
check "a source that comes again adopts its mirrors" adopted
check_own "the rights are enough: nothing was refused" nothing_refused
check_own "the rights are not too much: each verb was used" rights_used
check "an uninstall leaves what the notes say" uninstalled
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
