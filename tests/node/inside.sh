#!/bin/bash
# The first process of the node's namespaces: sets them up, then becomes the one that reaps: inside.sh WORK NODE IP SETTING...
set -eu
work=$1 node=$2 node_ip=$3
shift 3

# Kubelet shares the mounts of pods. Only within this namespace: it was unshared as private.
mount --make-rshared /
for directory in /run /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /opt/cni /etc/cni; do
    # What had to be made on the machine for it is told to who cleans up.
    [ -d "$directory" ] || { mkdir -p "$directory"; echo "$directory" >>"$work/made"; }
    mount -t tmpfs -o mode=755 e2e "$directory"
    mount --make-shared "$directory"
done
mkdir -p /run/etcd /run/lock /run/settings
# Kubelet sets these for the whole machine. Here it reads and writes a file instead.
for setting in "$@"; do
    file=/proc/sys/${setting//.//}
    [ -e "$file" ] || continue
    cat "$file" >"/run/settings/$setting"
    mount --bind "/run/settings/$setting" "$file"
done
hostname node
ip link set lo up
# The dummy type is not in every kernel.
ip link add node0 type veth peer name node1
ip addr add "$node_ip/24" dev node0
ip link set node0 up
ip link set node1 up
ip route add default dev node0
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready >"$work/ready"
# Not this shell: what it inherits, such as a closed terminal, must not end the node.
exec "$node/pause"
