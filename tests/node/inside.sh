#!/bin/bash
# The first process of the node's namespaces: sets them up, then reaps what is left to it.
set -eu
work=$1 node_ip=$2

# Kubelet shares the mounts of pods. Only within this namespace: it was unshared as private.
mount --make-rshared /
for directory in /run /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /opt/cni /etc/cni; do
    # What had to be made on the machine for it is told to who cleans up.
    [ -d "$directory" ] || { mkdir -p "$directory"; echo "$directory" >>"$work/made"; }
    mount -t tmpfs -o mode=755 e2e "$directory"
    mount --make-shared "$directory"
done
mkdir -p /run/etcd /run/lock
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
trap : CHLD
while :; do
    sleep 3600 &
    wait $! || :
done
