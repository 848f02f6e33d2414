#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzz target for SECONDS from an empty corpus. Usage: fuzz.sh SECONDS FUZZER...
seconds=$1
shift
artifacts=build/fuzz/artifacts
mkdir -p "$artifacts" || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
bad=0
[ $# -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
for fuzzer in "$@"; do
    name=$(basename "$fuzzer")
    mkdir "$tmp/corpus"
    log=$tmp/$name.log
    if "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=5 -print_final_stats=1 \
        -artifact_prefix="$artifacts/$name-" "$tmp/corpus" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        printf '%-20s %s executions, no crash\n' "$name" "$runs"
    else
        bad=1
        grep -E 'ERROR|SUMMARY|runtime error|invariant failed' "$log" | head -5
        tail -3 "$log"
        found=$(sed -n 's/.*Test unit written to //p' "$log" | head -1)
        printf '%-20s CRASH, reproducer: %s\n' "$name" "${found:-none was written}"
    fi
    rm -rf "$tmp/corpus"
done
exit $bad
