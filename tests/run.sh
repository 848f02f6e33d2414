#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs unit test programs; one that dies before its own line, or after it, counts as one failure. Usage: run.sh VARIANT PROGRAM...
variant=$1
shift
echo "unit tests ($variant)"
bad=0
for t in "$@"; do
    "$(dirname "$0")/step.sh" "$(basename "$t")" "$t" || bad=1
done
exit $bad
