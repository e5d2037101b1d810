#!/usr/bin/env bash
# The script that people start with: list, apply, apply the status, delete what is gone, sleep.
# What it applies it applies in each pass, and an edit stands until the next one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A pass that is under way ends first; the sleep is cut short.
trap 'kill "${sleeping:-}" 2>/dev/null || true; exit 0' TERM INT

in_namespace() { kubectl --namespace "$NAMESPACE" "$@"; }

# Every page of the listing, one pool a line. It fails as a whole: half a listing would delete mirrors.
list() {
    local page=$work/page next=""
    : >"$work/pools"
    while :; do
        curl --silent --show-error --fail --max-time 60 --get --header "X-Auth-Token: $TOKEN" \
            --data-urlencode workspaceId=0 ${next:+--data-urlencode "continue=$next"} \
            "$ENDPOINT/v2/$PROJECT_ID/pools" >"$page" || return
        jq --compact-output '.items[]' "$page" >>"$work/pools" || return
        next=$(jq --raw-output '.metadata.continue // ""' "$page") || return
        [ -n "$next" ] || return 0
    done
}

pass() {
    list || return
    jq -c -L "$here" --arg source "$SOURCE" --arg uid "$uid" --arg namespace "$NAMESPACE" \
        'include "mirror"; mirror($source; $uid; $namespace)' "$work/pools" >"$work/mirrors" || return
    if [ -s "$work/mirrors" ]; then
        jq -c .object "$work/mirrors" |
            in_namespace apply --server-side --force-conflicts --field-manager=peer-shell -o json -f - \
                >"$work/applied" || return
        jq -c -L "$here" --arg now "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --slurpfile mirrors "$work/mirrors" '
            include "mirror";
            (INDEX($mirrors[]; .object.metadata.name)) as $wanted
            | (if .kind == "List" then .items[] else . end)
            | $wanted[.metadata.name] as $m
            | conditions($m.ready; $m.status.message // ""; $now) as $conditions
            | {apiVersion, kind, metadata: {name: .metadata.name, namespace: .metadata.namespace},
               status: ($m.status + {observedGeneration: .metadata.generation, conditions: $conditions})}' \
            "$work/applied" |
            in_namespace apply --server-side --subresource=status --force-conflicts \
                --field-manager=peer-shell -f - >"$work/log" || return
    fi
    jq -r .metadata.name "$work/pools" | sort >"$work/listed" || return
    in_namespace get modelartspools -l "modelarts.huaweicloud.com/source=$SOURCE" \
        -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | sort >"$work/present" || return
    comm -13 "$work/listed" "$work/present" |
        xargs -r kubectl --namespace "$NAMESPACE" delete modelartspool --ignore-not-found >"$work/log"
}

uid=$(in_namespace get modelartspoolsource "$SOURCE" -o 'jsonpath={.metadata.uid}')
while :; do
    pass || echo "shell: the pass has failed; another in $INTERVAL s" >&2
    sleep "$INTERVAL" &
    sleeping=$!
    wait "$sleeping" || true
done
