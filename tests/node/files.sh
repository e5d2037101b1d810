# shellcheck shell=bash
# The files that the cluster's components are started with; sourced by e2e.sh.

cluster_files() {
    local user
    # A token each, as the API server knows its own components: Node and RBAC hold for them, too.
    cat >"$work/tokens.csv" <<END
admin-token,admin,admin,"system:masters"
kubelet-token,system:node:node,node,"system:nodes"
controller-manager-token,system:kube-controller-manager,kcm
scheduler-token,system:kube-scheduler,scheduler
proxy-token,system:kube-proxy,proxy
END
    openssl genrsa -out "$work/sa.key" 2048 2>/dev/null
    openssl rsa -in "$work/sa.key" -pubout -out "$work/sa.pub" 2>/dev/null
    cat >"$work/audit-policy.yaml" <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
END
    cat >"$work/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
# Reached from within the namespace alone.
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
# The machine's disk may be nearly full; that is not what is tried here.
evictionHard: {memory.available: 10Mi, nodefs.available: 1Mi, imagefs.available: 1Mi}
imageGCHighThresholdPercent: 100
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: []
resolvConf: ""
END
    cat >"$work/containerd.toml" <<END
version = 3
root = "/run/containerd/root"
state = "/run/containerd/state"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/pause:e2e"
[plugins."io.containerd.cri.v1.runtime"]
# runc otherwise fails where the machine's root lacks CAP_SYS_RESOURCE.
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["$node"]
conf_dir = "$work/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "$node/runc"
SystemdCgroup = false
END
    mkdir -p "$work/cni" "$work/pause"
    cat >"$work/cni/10-bridge.conflist" <<END
{"cniVersion": "1.0.0", "name": "e2e", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_net"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
    cp "$node/pause" "$work/pause/"
    printf 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n' >"$work/pause/Dockerfile"
    (
        export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
        storage=(--root "$work/storage/root" --runroot "$work/storage/run")
        buildah "${storage[@]}" build --quiet --tag localhost/pause:e2e "$work/pause" >/dev/null
        buildah "${storage[@]}" push --quiet localhost/pause:e2e "oci-archive:$work/pause.tar:localhost/pause:e2e" >/dev/null
    )
}

kubeconfig_of() {
    cat >"$work/$1.conf" <<END
apiVersion: v1
kind: Config
current-context: e2e
clusters: [{name: e2e, cluster: {server: "https://$node_ip:6443", certificate-authority: $work/certs/apiserver.crt}}]
users: [{name: $1, user: {token: $1-token}}]
contexts: [{name: e2e, context: {cluster: e2e, user: $1}}]
END
}
