# shellcheck shell=bash
# A whole single-node cluster in namespaces of its own; sourced by e2e.sh.
#
# Processes, mounts and the network are in a PID, a mount and a network namespace that end with their first
# process: whatever is left running or mounted goes with it. The control groups alone are the machine's; they are below one
# directory and removed by name.

node_ip=10.98.0.1
service_net=10.97.0.0/16
pod_net=10.96.0.0/24

# Runs a command inside.
inside() { nsenter --target "$init" --mount --pid --net --ipc --uts -- "$@"; }
# Starts a component inside, and keeps its process id there in $work/NAME.pid.
start() {
    local name=$1
    shift
    inside setsid sh -c 'echo $$ >"$1/$2.pid"; log=$1/$2.log; shift 2; exec "$@" >>"$log" 2>&1 </dev/null' \
        sh "$work" "$name" "$@" 2>/dev/null &
}
stop() {
    local pid
    pid=$(cat "$work/$1.pid")
    inside kill -TERM "$pid" 2>/dev/null || return 0
    eventually "$1 has ended" 30 ended_inside "$pid"
}
ended_inside() { ! inside kill -0 "$1" 2>/dev/null; }

# Kubelet would set these for the whole machine: inside.sh hides them from it.
kernel_settings="vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes"

# What there is before, to compare with at the end.
before_cluster() {
    # shellcheck disable=SC2086 # a list
    sysctl --ignore $kernel_settings >"$work/sysctl"
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/interface \1/' | sort >"$work/interfaces"
    ip netns list | sort >"$work/netns"
    remove_dead
}

# Says what a whole node would need and this machine lacks; nothing where it can run one.
lacks() {
    local needed missing=
    [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] || { echo "it needs root on Linux"; return; }
    for needed in go cargo cc pkg-config ip nsenter unshare setpriv iptables openssl buildah pgrep python3 git flock; do
        command -v "$needed" >/dev/null || missing="$missing $needed"
    done
    [ -z "$missing" ] || { echo "missing:$missing (Debian: $packages)"; return; }
    pkg-config --exists libseccomp || { echo "libseccomp's headers are missing (Debian: libseccomp-dev)"; return; }
    # A machine may be root and yet not be allowed this, as in a container.
    missing=$(unshare --mount --pid --net --ipc --uts --fork --mount-proc --propagation private sh -euc '
        mount -t tmpfs e2e /run
        mkdir /run/lower /run/upper /run/work /run/merged
        mount -t overlay -o lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work e2e /run/merged
        ip link add node0 type veth peer name node1
        ip link add cni0 type bridge
        iptables -t nat -A POSTROUTING -m comment --comment e2e -j MASQUERADE' 2>&1) ||
        echo "namespaces, mounts, interfaces or iptables are not allowed here: $missing"
    for needed in $(cgroup_roots); do
        { mkdir "$needed/modelarts-e2e-try" && rmdir "$needed/modelarts-e2e-try"; } 2>/dev/null || echo "no control group can be made in $needed"
    done
}
packages="buildah gcc iproute2 iptables libseccomp-dev openssl pkg-config procps"

cluster_up() {
    cgroup=modelarts-e2e-$$
    for hierarchy in $(cgroup_roots); do
        mkdir -p "$hierarchy/$cgroup"
        # A new set has no CPU and no memory of its own, and takes no process then.
        for file in cpuset.cpus cpuset.mems; do
            [ ! -e "$hierarchy/$cgroup/$file" ] || [ -e "$hierarchy/cgroup.controllers" ] ||
                cat "$hierarchy/$file" >"$hierarchy/$cgroup/$file"
        done
    done
    # The end of this shell, however it ends, is the end of unshare, and that of all inside.
    # shellcheck disable=SC2086
    setpriv --pdeathsig KILL unshare --mount --pid --net --ipc --uts --fork --kill-child --mount-proc --propagation private \
        bash "$here/inside.sh" "$work" "$node" "$node_ip" $kernel_settings </dev/null 2>"$work/inside.log" &
    outer=$!
    eventually "the namespaces are set up" 20 test -s "$work/ready"
    init=$(pgrep -P "$outer")
    pid_namespace=$(readlink "/proc/$init/ns/pid")
    cluster_files
    start etcd "$control/etcd" --data-dir /run/etcd --listen-client-urls http://127.0.0.1:2379 \
        --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
    start kube-apiserver "$control/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --cert-dir "$work/certs" \
        --bind-address "$node_ip" --advertise-address "$node_ip" --secure-port 6443 \
        --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$work/sa.pub" \
        --service-account-signing-key-file "$work/sa.key" --token-auth-file "$work/tokens.csv" \
        --kubelet-preferred-address-types InternalIP \
        --authorization-mode Node,RBAC --service-cluster-ip-range "$service_net" --allow-privileged \
        --audit-policy-file "$work/audit-policy.yaml" --audit-log-path "$work/audit.log" --audit-log-mode blocking
    eventually "the API server is ready" 120 api_ready
    for user in admin kubelet controller-manager scheduler proxy; do kubeconfig_of $user; done
    start kube-controller-manager "$control/kube-controller-manager" --kubeconfig "$work/controller-manager.conf" \
        --leader-elect=false --root-ca-file "$work/certs/apiserver.crt" \
        --service-account-private-key-file "$work/sa.key" --use-service-account-credentials=true
    start kube-scheduler "$node/kube-scheduler" --kubeconfig "$work/scheduler.conf" --leader-elect=false
    start containerd "$node/containerd" --config "$work/containerd.toml"
    eventually "containerd answers" 60 ctr version
    ctr images import "$work/pause.tar" >/dev/null
    kubelet_up
    start kube-proxy "$node/kube-proxy" --kubeconfig "$work/proxy.conf" --proxy-mode iptables \
        --cluster-cidr "$pod_net" --hostname-override node --conntrack-max-per-core 0
    eventually "the node is ready" 120 node_ready
}

kubelet_up() { start kubelet "$node/kubelet" --config "$work/kubelet.yaml" --kubeconfig "$work/kubelet.conf" \
    --hostname-override node --node-ip "$node_ip"; }
ctr() { inside "$node/ctr" --address /run/containerd/containerd.sock --namespace k8s.io "$@"; }
api_ready() { [ -s "$work/certs/apiserver.crt" ] && kubeconfig_of admin && kubectl get --raw /readyz; }
node_ready() { kubectl wait --for condition=Ready node/node --timeout 1s; }

cgroup_roots() {
    awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/mounts
}

cluster_down() {
    [ -n "${outer:-}" ] || return 0
    kill -KILL "$outer" 2>/dev/null || :
    # The shell would tell that its child was killed.
    { wait; } 2>/dev/null
    # The first process of the namespace is killed by the kernel, in its own time; all others before it is gone.
    eventually "the processes have ended" 20 no_process
    [ ! -s "$work/made" ] || tac "$work/made" | xargs -r rmdir --parents --ignore-fail-on-non-empty
    local hierarchy
    for hierarchy in $(cgroup_roots); do
        [ ! -d "$hierarchy/$cgroup" ] || eventually "the control groups are empty" 20 remove_cgroups "$hierarchy/$cgroup"
    done
}
# Those of a run that was killed: nobody was left to remove them.
remove_dead() {
    local each pid
    for each in /tmp/modelarts-e2e-*; do
        pid=${each#*-e2e-}
        [ ! -d "$each" ] || [ -d "/proc/${pid%%.*}" ] || rm -rf "$each"
    done
    for each in $(cgroup_roots); do
        for each in "$each"/modelarts-e2e-*; do
            [ ! -d "$each" ] || [ -d "/proc/${each##*-}" ] || remove_cgroups "$each"
        done
    done
}
remove_cgroups() { find "$1" -depth -type d -exec rmdir {} +; }

# By the namespace, and by the control group: pods have process namespaces of their own.
processes() {
    local each
    for each in /proc/[0-9]*; do
        [ "$(readlink "$each/ns/pid" 2>/dev/null)" = "$pid_namespace" ] || grep -qs "/$cgroup" "$each/cgroup" || continue
        echo "process ${each#/proc/}: $(tr '\0' ' ' 2>/dev/null <"$each/cmdline")"
    done
}
no_process() { local left; left=$(processes); echo "$left"; [ -z "$left" ]; }

# Empty where nothing is left.
cluster_left() {
    local each
    processes
    grep -l "$work" /proc/[0-9]*/mountinfo 2>/dev/null | sed 's/^/mounts of /'
    for each in $(cgroup_roots); do [ ! -d "$each/$cgroup" ] || echo "control group $each/$cgroup"; done
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/interface \1/' | sort | comm -13 "$work/interfaces" -
    # shellcheck disable=SC2086
    sysctl --ignore $kernel_settings | comm -13 "$work/sysctl" - | sed 's/^/setting /'
    ip netns list | sort | comm -13 "$work/netns" - | sed 's/^/network namespace /'
}
