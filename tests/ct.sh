#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the secrecy check under valgrind, one process for each test, and the two controls that it must catch.
# Usage: ct.sh PROGRAM [TEST...], all tests if none is named. Appends "constant-time PASSED FAILED" to $TALLY_RESULTS.
program=$1
shift
results=$TALLY_RESULTS
unset TALLY_RESULTS # one line for the whole check, not one for each process
export TALLY_BACKEND=portable # valgrind runs no AVX-512; tests find other backends by themselves
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# check WANTED-STATUS NAME ARGUMENT...
check() {
    wanted=$1 name=$2
    shift 2
    valgrind --tool=memcheck --quiet --error-exitcode=99 "$program" "$@" >"$log" 2>&1
    status=$?
    if [ $status -eq "$wanted" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "constant-time: $name: status $status, expected $wanted"
        cat "$log"
    fi
}

echo "constant-time check"
command -v valgrind >/dev/null || echo "constant-time: valgrind is missing: install it with 'make deps'"
names=${*:-$("$program" list)}
[ -n "$names" ] || failed=1
for name in $names; do
    check 0 "$name" "$name"
done
check 99 "control: a branch on a secret" leak branch
check 99 "control: an address from a secret" leak index
printf '%-24s %d checks, %d failed\n' constant-time $((passed + failed)) "$failed"
[ -z "$results" ] || echo "constant-time $passed $failed" >>"$results"
[ "$failed" -eq 0 ]
