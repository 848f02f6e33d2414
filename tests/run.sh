#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs unit test programs; a program that dies before its own line counts as one failure. Usage: run.sh VARIANT PROGRAM...
variant=$1
shift
echo "unit tests ($variant)"
bad=0
for t in "$@"; do
    "$t"
    status=$?
    if [ $status -gt 1 ]; then
        echo "$(basename "$t") ended with status $status"
        [ -z "$TALLY_RESULTS" ] || echo "$(basename "$t") 0 1" >>"$TALLY_RESULTS"
        bad=1
    fi
done
exit $bad
