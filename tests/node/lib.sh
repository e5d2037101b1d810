# shellcheck shell=bash
# How a check waits, passes and fails; sourced by e2e.sh.

# eventually WHAT SECONDS COMMAND...: until the command succeeds; says what was awaited and what it said last.
eventually() {
    local what=$1 deadline=$((SECONDS + $2)) said
    shift 2
    until said=$("$@" 2>&1); do
        if [ $SECONDS -ge $deadline ]; then
            say "expected: $what; seen at last: ${said:-(nothing) from $*}"
            return 1
        fi
        sleep 0.3
    done
}

# check NAME FUNCTION: in a shell of its own, so that the first command that fails ends the check and no other. It
# must not be the condition of an `if`: then the shell would go on after a failure. In the background, since a shell
# that waits for a command in the foreground hears no signal.
check() {
    local begun=$SECONDS status=0
    (set -e; "$2") &
    checking=$!
    wait "$checking" || status=$?
    checking=
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        say "ok $1 ($((SECONDS - begun)) s)"
    else
        failed=$((failed + 1))
        say "FAILED $1 ($((SECONDS - begun)) s)"
        [ "$failed" != 1 ] || tell_state
    fi
}
check_own() {
    if $own; then
        check "$@"
    else
        skipped=$((skipped + 1))
        say "SKIPPED $1: it needs the node or the audit log"
    fi
}
same() { [ "$2" = "$3" ] || { say "$1: expected $2, seen $3"; return 1; }; }

kubectl() {
    if $own; then inside "$control/kubectl" --kubeconfig "$work/admin.conf" "$@"
    else "$control/kubectl" --kubeconfig "$E2E_KUBECONFIG" "$@"; fi
}
helm() {
    if $own; then inside "$control/helm" --kubeconfig "$work/admin.conf" "$@"
    else "$control/helm" --kubeconfig "$E2E_KUBECONFIG" "$@"; fi
}
k() { kubectl --namespace "$namespace" "$@"; }

tell_state() {
    say "what there is:"
    {
        k get pods,modelartspoolsources,modelartspools,events --output wide
        k logs --tail 20 --selector app.kubernetes.io/name=modelarts-pool-controller --prefix
    } >&2 2>&1 || :
    $own || return 0
    for log in "$work"/*.log; do
        [ "$log" = "$work/audit.log" ] || { say "the end of $log:"; tail -n 8 "$log" >&2; }
    done
}
