# shellcheck shell=bash
# The checks of rights, refusals and the end; sourced by e2e.sh.

policy_refuses() {
    local said
    sed "s|system:serviceaccount:modelarts:|system:serviceaccount:$namespace:|" "$chart/files/admission-guard.yaml" >"$work/guard.yaml"
    grep -q "system:serviceaccount:$namespace:" "$work/guard.yaml" || { say "the guard names no service account to replace"; return 1; }
    # Not applied: a guard that was there before must not be changed.
    kubectl create --filename "$work/guard.yaml" >/dev/null
    : >"$work/guarded"
    # A policy is in force some time after it is written. Dry runs are judged, too, and change nothing.
    eventually "an edit of a mirror's spec is refused with the policy's words" 40 edit_refused
    goes_on
    said=$(k label modelartspool "$sample" e2e.example.com/mine=yes) || { say "a label of the user's own: expected to be let through, seen: $said"; return 1; }
    kubectl delete --filename "$work/guard.yaml" >/dev/null
    rm "$work/guarded"
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
    local said
    if said=$(release upgrade "$chart" --set replicsa=1 2>&1); then
        say "the unknown value replicsa: expected to be refused, seen: $said"
        return 1
    fi
    [[ $said == *replicsa* ]] || { say "expected the refusal to name replicsa, seen: $said"; return 1; }
}

account=system:serviceaccount:$namespace:$release
nothing_refused() { python3 "$here/audit.py" refused "$work/audit.log" "$account" </dev/null; }
# A source that goes without its mirrors and comes again under another uid: a mirror is looked at before it is adopted.
adopted() {
    local uid
    k get modelartspoolsource team-a --output json | python3 -c 'import json, sys
source = json.load(sys.stdin)
kept = {key: source["metadata"].get(key, {}) for key in ("name", "labels", "annotations")}
json.dump({"apiVersion": source["apiVersion"], "kind": source["kind"], "metadata": kept, "spec": source["spec"]}, sys.stdout)' >"$work/source.json"
    k delete modelartspoolsource team-a --cascade orphan >/dev/null
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
rights_used() {
    # A round of the simulated cloud takes 90 s and has a pool that goes.
    eventually "each granted verb was used" 120 all_used
}
all_used() {
    kubectl get clusterroles,roles --all-namespaces --output json |
        python3 -c 'import json, sys
roles = json.load(sys.stdin)
bound = [r for r in roles["items"] if r["metadata"]["name"] in sys.argv[1:]]
json.dump({"items": bound}, sys.stdout)' "$release" "$release-lease" |
        python3 "$here/audit.py" rights "$work/audit.log" "$account"
}

uninstalled() {
    local left
    helm uninstall "$release" --namespace "$namespace" --wait --timeout 60s >/dev/null
    left=$(k get deployments,serviceaccounts,roles,rolebindings,modelartspoolsources --selector "app.kubernetes.io/instance=$release" --output name
        kubectl get clusterroles,clusterrolebindings --selector "app.kubernetes.io/instance=$release" --output name)
    same "what is left of the release" "" "$left"
    # With their source go the mirrors; the definitions stay, and the Secret, which was never the chart's.
    eventually "the mirrors are gone" 60 no_mirrors
    kubectl get crd modelartspools.modelarts.huaweicloud.com modelartspoolsources.modelarts.huaweicloud.com >/dev/null
    k get secret modelarts >/dev/null
}
no_mirrors() { local left; left=$(k get modelartspools --output name); echo "there are $left"; [ -z "$left" ]; }

# On a cluster that is not ours: what was made, and only that.
foreign_down() {
    # Whose the namespace is, if it is not ours, is not known.
    [ -e "$work/prepared" ] || return 0
    helm uninstall "$release" --namespace "$namespace" --ignore-not-found >/dev/null 2>&1
    [ ! -e "$work/guarded" ] || kubectl delete --filename "$work/guard.yaml" --ignore-not-found >/dev/null 2>&1
    kubectl delete namespace "$namespace" --ignore-not-found --timeout 120s >/dev/null
    kubectl delete --filename "$chart/crds" --ignore-not-found --timeout 60s >/dev/null
}
