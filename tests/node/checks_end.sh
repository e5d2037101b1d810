# shellcheck shell=bash
# The checks of rights, refusals and the end; sourced by e2e.sh.

policy_refuses() {
    local said
    release upgrade "$chart" --set admissionPolicy.enabled=true >/dev/null
    # A policy is in force some time after it is written. Dry runs are judged, too, and change nothing.
    eventually "an edit of a mirror's spec is refused with the policy's words" 40 edit_refused
    # The controller is let through.
    goes_on
    said=$(k label modelartspool "$sample" e2e.example.com/mine=yes 2>&1) || { say "a label of the user's own: expected to be let through, seen: $said"; return 1; }
}
edit_refused() {
    local said
    if said=$(k patch modelartspool "$sample" --dry-run=server --type merge --patch '{"spec": {"type": "Logical"}}' 2>&1); then
        echo "it was let through: $said"
        return 1
    fi
    echo "$said"
    [[ $said == *"may not change the spec of a mirror"* ]]
}

values_refused() {
    local said before
    before=$(helm history "$release" --namespace "$namespace" --output json)
    if said=$(release upgrade "$chart" --set replicsa=1 2>&1); then
        say "the unknown value replicsa: expected to be refused, seen: $said"
        return 1
    fi
    [[ $said == *replicsa* ]] || { say "expected the refusal to name replicsa, seen: $said"; return 1; }
    if said=$(release upgrade "$chart" --set 'watchNamespaces[0]=elsewhere' 2>&1); then
        say "sources outside watchNamespaces: expected to be refused, seen: $said"
        return 1
    fi
    [[ $said == *"not among watchNamespaces"* ]] || { say "expected the refusal to name watchNamespaces, seen: $said"; return 1; }
    same "the release's history" "$before" "$(helm history "$release" --namespace "$namespace" --output json)"
}

# A source that goes without its mirrors and comes again under another uid: a mirror is looked at before it is adopted.
adopted() {
    local uid
    k get modelartspoolsource team-a --output json | python3 -c 'import json, sys
source = json.load(sys.stdin)
kept = {key: source["metadata"].get(key, {}) for key in ("name", "labels", "annotations")}
json.dump({"apiVersion": source["apiVersion"], "kind": source["kind"], "metadata": kept, "spec": source["spec"]}, sys.stdout)' >"$work/source.json"
    k delete modelartspoolsource team-a --cascade=orphan >/dev/null
    k create --filename "$work/source.json" >/dev/null
    uid=$(k get modelartspoolsource team-a --output 'jsonpath={.metadata.uid}')
    eventually "the source of another uid owns the mirror" 60 owned_by "$uid"
}
owned_by() {
    local owner
    owner=$(k get modelartspool "$sample" --output 'jsonpath={.metadata.ownerReferences[*].uid}')
    echo "its owner is ${owner:-nobody}"
    [ "$owner" = "$1" ]
}

nothing_refused() { say "$(python3 "$here/audit.py" refused "$work/audit.log" "$namespace" "$release")"; }
rights_used() {
    local account
    # Those of the hooks are gone with them; their manifests tell them.
    for account in "$release-crds" "$release-test"; do
        helm get hooks "$release" --namespace "$namespace" | kubectl create --dry-run=client --output json --filename - |
            rights_of "$account"
    done
    # A round of the simulated cloud takes 90 s and has a pool that goes.
    eventually "each verb that the controller has been granted was used" 120 rights_of_controller >"$work/rights" || { cat "$work/rights"; return 1; }
    rights_of_controller
}
rights_of() { python3 "$here/audit.py" rights "$work/audit.log" "system:serviceaccount:$namespace:$1"; }
rights_of_controller() {
    kubectl get clusterroles,roles,clusterrolebindings,rolebindings --all-namespaces --output json | rights_of "$release"
}

# As docs/operations.md and the chart's notes say.
uninstalled() {
    local kept
    kubectl create namespace "$others" >/dev/null
    : >"$work/others"
    credentials "$others"
    python3 -c 'import json, sys
source = json.load(open(sys.argv[1]))
source["metadata"] = {"name": "mine"}
json.dump(source, sys.stdout)' "$work/source.json" >"$work/mine.json"
    kubectl --namespace "$others" create --filename "$work/mine.json" >/dev/null
    kubectl --namespace "$others" wait modelartspoolsource/mine --for condition=Ready --timeout 60s >/dev/null
    kept=$(kept_things)
    [[ $kept == *"$sample"* ]] || { say "the source of the user's own: expected a mirror of $sample, seen: $kept"; return 1; }
    helm uninstall "$release" --namespace "$namespace" --wait --timeout 60s >/dev/null
    # With their source go the mirrors.
    eventually "nothing of the release is left in its namespace" 90 as_before
    same "what is left of the release in the whole cluster" "" \
        "$(kubectl get clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings \
            --selector "app.kubernetes.io/instance=$release" --output name)"
    # What stays: the definitions, and the source that was not the chart's with its mirrors.
    kubectl get crd modelartspools.modelarts.huaweicloud.com modelartspoolsources.modelarts.huaweicloud.com >/dev/null
    same "the source of the user's own, its Secret and its mirrors" "$kept" "$(kept_things)"
}
# The Lease and the pod of the test are nobody's that Helm removes: the notes name them.
as_before() { things | grep -v -x -e "lease.coordination.k8s.io/$release" -e "pod/$release-test-team-a" | diff "$work/before" -; }
kept_things() { kubectl --namespace "$others" get modelartspoolsources,modelartspools,secrets --output 'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid}{"\n"}{end}'; }

# On a cluster that is not ours: what was made, and only that.
foreign_down() {
    # Whose the namespace is, if it is not ours, is not known.
    [ -e "$work/prepared" ] || return 0
    say "removing what was made on the cluster"
    helm uninstall "$release" --namespace "$namespace" --ignore-not-found --wait --timeout 60s >/dev/null 2>&1
    kubectl delete namespace "$namespace" --ignore-not-found --timeout 120s >/dev/null
    [ ! -e "$work/others" ] || kubectl delete namespace "$others" --ignore-not-found --timeout 120s >/dev/null
    kubectl delete --filename "$chart/crds" --ignore-not-found --timeout 60s >/dev/null
}
