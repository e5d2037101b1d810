#!/bin/sh
# Counts the instructions that the pure core takes for one pool, with valgrind's callgrind, and compares them with
# benches/instructions.json: `make instructions`. BASELINE=1 writes that anew.
#
# Instructions, not seconds: they are nearly the same on any machine, however busy. What grows by more than TOLERANCE
# percent fails; what shrinks by as much is to be written down, so that the gain is kept.
set -eu

cd "$(dirname "$0")/.."
tolerance=${TOLERANCE:-5}
baseline=benches/instructions.json
out=target/instructions
fail() {
    echo "instructions: $*" >&2
    exit 1
}
command -v valgrind >/dev/null 2>&1 || fail "valgrind is not here (Debian: apt-get install valgrind)"
mkdir -p "$out"
echo "instructions: building the cases, optimised (once, some minutes)" >&2
program=$(${CARGO:-cargo} bench --locked --bench core --no-run --profile instructions --message-format=json 2>"$out/build.log" |
    sed -n 's/.*"executable":"\([^"]*core-[^"]*\)".*/\1/p' | tail -n 1) || { tail -n 20 "$out/build.log" >&2; fail "the build failed"; }
[ -x "$program" ] || { tail -n 20 "$out/build.log" >&2; fail "cargo names no program"; }

count() {
    valgrind --tool=callgrind --callgrind-out-file="$out/callgrind.$1" "$program" "$1" "$2" 2>"$out/$1.log" ||
        { tail -n 20 "$out/$1.log" >&2; fail "$1 failed"; }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/$1.log"
}
{
    printf '{\n'
    separator=
    for case in saved known desired observed plan; do
        echo "instructions: $case" >&2
        # What is prepared before falls out: three times less once, of 200 pools.
        printf '%s  "%s": %d' "$separator" "$case" $((($(count $case 3) - $(count $case 1)) / 400))
        separator=',
'
    done
    printf '\n}\n'
} >"$out/now.json"
[ -z "${BASELINE:-}" ] || cp "$out/now.json" $baseline
python3 - "$baseline" "$out/now.json" "$tolerance" <<'END'
import json, sys
before, now = (json.load(open(path)) for path in sys.argv[1:3])
tolerance = float(sys.argv[3])
bad = set(before) ^ set(now)
print(f"{'instructions for one pool':<28}{'baseline':>10}{'now':>10}{'change':>10}")
for case in now:
    change = 100 * (now[case] / before.get(case, now[case]) - 1)
    print(f"{case:<28}{before.get(case, 0):>10}{now[case]:>10}{change:>+9.1f}%")
    if abs(change) > tolerance:
        bad.add(case)
if bad:
    sys.exit(f"instructions: {', '.join(sorted(bad))}: off by more than {tolerance:g} %; "
             "where that is meant: BASELINE=1 make instructions, and say why in the commit")
END
