#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs unit test programs, as many at once as there are processors; one that dies before its own line, or after it, counts as one failure.
# Usage: run.sh VARIANT PROGRAM...
variant=$1
shift
here=$(dirname "$0")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo "unit tests ($variant)"
# Each with its output and its line of results in files of its own, so that nothing mixes.
export HERE="$here" DIR="$dir"
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c '
    name=$(basename "$1")
    TALLY_RESULTS="$DIR/$name.results" "$HERE/step.sh" "$name" "$1" >"$DIR/$name.out" 2>&1 || touch "$DIR/$name.failed"
    cat "$DIR/$name.out"' sh '{}'
cat "$dir"/*.results >>"${TALLY_RESULTS:-/dev/null}" 2>/dev/null
set -- "$dir"/*.failed
[ ! -e "$1" ]
