# shellcheck shell=bash
# What is tried, in this order; sourced by e2e.sh. Each check runs in a shell of its own and fails with its first command.

sample=auto-pool-os-86c13962597848eeb29c5861153a391f
cloud() { k get service cloud --output 'jsonpath={.spec.clusterIP}'; }

# As a stranger would, with --set alone.
values() {
    local origin
    origin=http://$(cloud):8088
    printf -- '--set\n%s\n' "image.repository=${image%:*}" "image.tag=${image##*:}" \
        "image.pullPolicy=$($own && echo Never || echo IfNotPresent)" \
        "allowedEndpoints[0]=$origin" "sources[0].name=team-a" "sources[0].spec.endpoint=$origin" \
        "sources[0].spec.projectId=0a1b2c3d4e5f60718293a4b5c6d7e8f9" "sources[0].spec.interval=5s" \
        "sources[0].spec.prune.gracePeriod=0s" "sources[0].credentials.existingSecret=modelarts"
}
# release COMMAND CHART [OPTION...]
release() {
    local command=$1 from=$2 options
    shift 2
    mapfile -t options < <(values)
    helm "$command" "$release" "$from" --namespace "$namespace" --wait --timeout 120s "${options[@]}" "$@"
}

# The namespace, the simulated cloud in it, and the credentials that the cloud takes.
prepare() {
    kubectl create namespace "$namespace" >/dev/null
    : >"$work/prepared"
    kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
    k create secret generic modelarts --type modelarts.huaweicloud.com/credentials \
        --from-literal accessKey=SIMULATEDACCESSKEY01 --from-literal secretKey=simulated-secret-key-for-trying-out >/dev/null
    sed -e "s|IMAGE|$image|" -e "s|PULL|$($own && echo Never || echo IfNotPresent)|" "$here/cloud.yaml" >"$work/cloud.yaml"
    k apply --filename "$work/cloud.yaml" >/dev/null
    k rollout status deployment/cloud --timeout 120s >&2
    previous_chart
}

# The chart of the commit before its last change, with definitions that lack a column: as if it was new.
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
assert times == 1, "no column AGE in the definition"
open(sys.argv[1], "w").write(older)
END
}

pools_appear() {
    release install "$work/previous" >/dev/null
    k wait modelartspoolsource/team-a --for condition=Ready --timeout 60s >/dev/null
    eventually "the mirror of the sample is Running" 30 \
        k wait "modelartspool/$sample" --for 'jsonpath={.status.phase}=Running' --timeout 1s
}

upgraded() {
    local before after columns
    before=$(k get modelartspool "$sample" --output 'jsonpath={.metadata.uid}')
    columns='jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}'
    release upgrade "$chart" >/dev/null
    case $(kubectl get crd modelartspools.modelarts.huaweicloud.com --output "$columns") in
    *[Aa][Gg][Ee]*) ;;
    *) say "the column AGE of the new definition: expected, and not seen after helm upgrade"; return 1 ;;
    esac
    after=$(k get modelartspool "$sample" --output 'jsonpath={.metadata.uid}')
    same "the uid of the mirror over the upgrade" "$before" "$after"
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

leader() { k get lease "$release" --output 'jsonpath={.spec.holderIdentity}' | sed 's/[_/].*//'; }
leads_another() {
    local now
    now=$(leader)
    echo "the leader is ${now:-nobody}"
    [ -n "$now" ] && [ "$now" != "$1" ]
}
pod_killed() {
    local pod
    pod=$(leader)
    # No orderly end: nobody gives the lease back.
    k delete pod "$pod" --grace-period 0 --force >/dev/null 2>&1
    eventually "another pod than $pod leads" 40 leads_another "$pod"
    k rollout status "deployment/$release" --timeout 60s >/dev/null
    goes_on
}
leader_evicted() {
    local pod
    pod=$(leader)
    printf '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "%s", "namespace": "%s"}}' \
        "$pod" "$namespace" >"$work/eviction.json"
    eventually "the eviction of $pod is granted" 60 \
        kubectl create --raw "/api/v1/namespaces/$namespace/pods/$pod/eviction" --filename "$work/eviction.json"
    eventually "another pod than $pod leads" 40 leads_another "$pod"
    k rollout status "deployment/$release" --timeout 60s >/dev/null
    goes_on
}
kubelet_restarted() {
    local pods
    pods=$(k get pods --selector "app.kubernetes.io/name=$release" --output 'jsonpath={.items[*].metadata.uid}' | tr ' ' '\n' | sort)
    stop kubelet
    goes_on
    kubelet_up
    eventually "the node is ready" 90 node_ready
    same "the pods over the restart" "$pods" \
        "$(k get pods --selector "app.kubernetes.io/name=$release" --output 'jsonpath={.items[*].metadata.uid}' | tr ' ' '\n' | sort)"
    goes_on
}
