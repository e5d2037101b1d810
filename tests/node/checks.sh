# shellcheck shell=bash
# What is tried, in this order; sourced by e2e.sh. Each check runs in a shell of its own and fails with its first command.

sample=auto-pool-os-86c13962597848eeb29c5861153a391f
# What a source of the user's own is in.
others=$namespace-others
cloud() { printf 'http://%s:8088' "$(k get service cloud --output 'jsonpath={.spec.clusterIP}')"; }
pull_policy() { if $own; then echo Never; else echo IfNotPresent; fi; }

# release COMMAND CHART [OPTION...]: as a stranger would, with --set alone.
release() {
    local command=$1 from=$2 origin
    shift 2
    origin=$(cloud)
    helm "$command" "$release" "$from" --namespace "$namespace" --wait --timeout 120s \
        --set "image.repository=${image%:*}" --set "image.tag=${image##*:}" --set "image.pullPolicy=$(pull_policy)" \
        --set "allowedEndpoints[0]=$origin" --set "sources[0].name=team-a" --set "sources[0].spec.endpoint=$origin" \
        --set "sources[0].spec.projectId=0a1b2c3d4e5f60718293a4b5c6d7e8f9" --set "sources[0].spec.interval=5s" \
        --set "sources[0].spec.prune.gracePeriod=0s" --set "sources[0].credentials.existingSecret=modelarts" "$@"
}
# The credentials that the simulated cloud takes, in a namespace.
credentials() {
    kubectl --namespace "$1" create secret generic modelarts --type modelarts.huaweicloud.com/credentials \
        --from-literal accessKey=SIMULATEDACCESSKEY01 --from-literal secretKey=simulated-secret-key-for-trying-out >/dev/null
}

# The namespace, and the simulated cloud in it.
prepare() {
    kubectl create namespace "$namespace" >/dev/null
    : >"$work/prepared"
    kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
    credentials "$namespace"
    sed -e "s|IMAGE|$image|" -e "s|PULL|$(pull_policy)|" "$here/cloud.yaml" >"$work/cloud.yaml"
    k apply --filename "$work/cloud.yaml" >/dev/null
    k rollout status deployment/cloud --timeout 120s >&2
    eventually "the namespace has its own service account and certificates" 30 k get serviceaccount/default configmap/kube-root-ca.crt
    things >"$work/before"
    previous_chart
}

# Whatever there is in the namespace, but for the traces that things leave when they go.
things() {
    local kinds
    kinds=$(kubectl api-resources --namespaced --verbs list --output name | grep -Ev '^(events|controllerrevisions|pods\.metrics)' | paste -sd , -)
    k get "$kinds" --output name --ignore-not-found | grep -Ev '^(pod|replicaset|endpointslice)[^/]*/cloud-|^endpoints/cloud$' | sort -u
}

# The chart of the commit before its last change, with a definition that lacks a column: as if that was new.
previous_chart() {
    local before
    before=$(git -C "$repository" log --format=%H -n 1 --skip 1 -- charts/modelarts-pool-controller)
    [ -n "$before" ] || die "the history holds no previous chart: fetch it (git fetch --unshallow)"
    mkdir "$work/previous"
    git -C "$repository" archive "$before" charts/modelarts-pool-controller | tar -x -C "$work/previous" --strip-components 2
    python3 - "$work"/previous/crds/*modelartspools.yaml <<'END'
import re, sys
text = open(sys.argv[1]).read()
column = r"(?m)^ *- description: Age of the pool itself, not of the mirror\.\n(?:.*\n){3}"
older, times = re.subn(column, "", text)
assert times == 1, "no column Age in the definition"
open(sys.argv[1], "w").write(older)
END
}

restricted() {
    local said
    if said=$(k run root --image "$image" --dry-run=server 2>&1); then
        say "a pod without a security context: expected to be refused, seen: $said"
        return 1
    fi
    [[ $said == *PodSecurity*restricted* ]] || { say "expected a refusal by the standard, seen: $said"; return 1; }
}

pools_appear() {
    release install "$work/previous" >/dev/null
    k wait modelartspoolsource/team-a --for condition=Ready --timeout 60s >/dev/null
    eventually "the mirror of the sample is Running" 30 \
        k wait "modelartspool/$sample" --for 'jsonpath={.status.phase}=Running' --timeout 1s
    # As people ask for it.
    k get mapool >&2
    ready_pods 2
}
ready_pods() {
    k rollout status "deployment/$release" --timeout 60s >/dev/null
    same "ready pods of the controller" "$1" "$(k get deployment "$release" --output 'jsonpath={.status.readyReplicas}')"
}

columns() { kubectl get crd modelartspools.modelarts.huaweicloud.com --output 'jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}'; }
upgraded() {
    local before pods
    [[ " $(columns) " != *" Age "* ]] || { say "the definition of the previous chart has the column Age already"; return 1; }
    before=$(k get modelartspoolsources,modelartspools --output 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}')
    release upgrade "$chart" >/dev/null
    [[ " $(columns) " == *" Age "* ]] || { say "columns after helm upgrade: expected Age among them, seen $(columns)"; return 1; }
    # Pools that the cloud has made or deleted meanwhile come and go; the sample and the source stay.
    for pods in team-a "$sample"; do
        same "the uid of $pods over the upgrade" "$(grep "^$pods " <<<"$before")" \
            "$(k get modelartspoolsources,modelartspools --output 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}' | grep "^$pods ")"
    done
    # The hook's own account and its rights are gone with it.
    same "what the hook has left" "" "$(k get jobs,serviceaccounts --output name | grep crds)"
    goes_on
}

# A mirror that is deleted comes back, and a pass succeeds after now: the whole way works.
goes_on() {
    local uid since
    uid=$(k get modelartspool "$sample" --output 'jsonpath={.metadata.uid}')
    since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    k delete modelartspool "$sample" --wait=false >/dev/null
    eventually "the deleted mirror $uid is there again" 60 another_uid "$uid"
    eventually "a pass has succeeded after $since" 60 synced_after "$since"
}
another_uid() {
    local now
    now=$(k get modelartspool "$sample" --output 'jsonpath={.metadata.uid}') && [ "$now" != "$1" ]
}
synced_after() {
    local last
    last=$(k get modelartspoolsource team-a --output 'jsonpath={.status.lastSyncTime}')
    echo "the last pass was at $last"
    [[ $last > $1 ]]
}

# The chart's own test: in a pod, what a pass would change now. That is nothing, unless the cloud changes meanwhile.
chart_test() { eventually "helm test passes" 100 helm test "$release" --namespace "$namespace" --timeout 60s; }

leader() { k get lease "$release" --output 'jsonpath={.spec.holderIdentity}' | sed 's/[_/].*//'; }
leads_another() {
    local now
    now=$(leader)
    echo "the leader is ${now:-nobody}"
    [ -n "$now" ] && [ "$now" != "$1" ]
}
# Killed by the kernel: no orderly end, nobody gives the lease back.
process_killed() {
    local pod before pid
    pod=$(leader)
    before=$(restarts "$pod")
    pid=$(process_of "$pod")
    [ -n "$pid" ] || { say "no process of $pod"; return 1; }
    inside kill -KILL "$pid"
    eventually "the container of $pod is started again" 60 restarted_after "$pod" "$before"
    ready_pods 2
    goes_on
}
restarts() { k get pod "$1" --output 'jsonpath={.status.containerStatuses[0].restartCount}'; }
restarted_after() { local now; now=$(restarts "$1"); echo "$now restarts"; [ "$now" -gt "$2" ]; }
process_of() {
    local uid pid
    uid=$(k get pod "$1" --output 'jsonpath={.metadata.uid}')
    for pid in $(inside pgrep -f '^/modelarts-pool-controller run'); do
        ! inside grep -q "pod$uid" "/proc/$pid/cgroup" || echo "$pid"
    done
}
pod_killed() {
    local pod
    pod=$(leader)
    k delete pod "$pod" --grace-period 0 --force >/dev/null 2>&1
    eventually "another pod than $pod leads" 60 leads_another "$pod"
    ready_pods 2
    goes_on
}
leader_evicted() {
    local pod
    pod=$(leader)
    printf '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "%s", "namespace": "%s"}}' \
        "$pod" "$namespace" >"$work/eviction.json"
    # The budget may count the pod of the check before.
    eventually "the eviction of $pod is granted" 60 \
        kubectl create --raw "/api/v1/namespaces/$namespace/pods/$pod/eviction" --filename "$work/eviction.json"
    eventually "another pod than $pod leads" 60 leads_another "$pod"
    ready_pods 2
    goes_on
}
pods() { k get pods --selector "app.kubernetes.io/name=$release" --output 'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort; }
kubelet_restarted() {
    local before
    before=$(pods)
    stop kubelet
    goes_on
    kubelet_up
    eventually "the kubelet answers and the node is ready" 90 kubelet_ready
    goes_on
    same "the pods and their restarts over the restart" "$before" "$(pods)"
}
kubelet_ready() { kubectl get --raw /api/v1/nodes/node/proxy/healthz && node_ready; }
