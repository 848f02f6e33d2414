#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the secrecy check under valgrind, one process for each test, and the two controls that it must catch.
# Usage: ct.sh PROGRAM [TEST...], all tests if none is named. Appends "constant-time PASSED FAILED" to $TALLY_RESULTS.
program=$1
shift
results=$TALLY_RESULTS
unset TALLY_RESULTS # one line for the whole check, not one for each process
export TALLY_BACKEND=portable # valgrind runs no AVX-512; tests find other backends by themselves
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# One check: WANTED-STATUS NAME ARGUMENT...; leaves a file NAME.failed, and what was printed, if it comes out otherwise.
cat >"$dir/check.sh" <<'END'
wanted=$1 log="$DIR/$2"
name=$2
shift 2
valgrind --tool=memcheck --quiet --error-exitcode=99 "$PROGRAM" "$@" >"$log.log" 2>&1
status=$?
: >"$log.ran"
[ $status -eq "$wanted" ] && exit 0
{ echo "constant-time: $name: status $status, expected $wanted" && cat "$log.log"; } >"$log.failed"
END

echo "constant-time check"
command -v valgrind >/dev/null || echo "constant-time: valgrind is missing: install it with 'make deps'"
names=${*:-$("$program" list)}
# As many at once as there are processors; each test is a name of one word.
{
    for name in $names; do
        printf '0 %s %s\n' "$name" "$name"
    done
    echo '99 control-branch leak branch'
    echo '99 control-index leak index'
} | DIR=$dir PROGRAM=$program xargs -P "$(nproc)" -L 1 sh "$dir/check.sh"
cat "$dir"/*.failed 2>/dev/null
checks=$(find "$dir" -name '*.ran' | wc -l) failed=$(find "$dir" -name '*.failed' | wc -l)
[ -n "$names" ] || failed=$((failed + 1))
passed=$((checks - failed))
printf '%-24s %d checks, %d failed\n' constant-time "$checks" "$failed"
[ -z "$results" ] || echo "constant-time $passed $failed" >>"$results"
[ "$failed" -eq 0 ]
