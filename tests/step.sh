#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one step of the tests; if it fails without having recorded a failure, it counts as one. Usage: step.sh NAME COMMAND...
results=${TALLY_RESULTS:-/dev/null}
failures() {
    cat "$results" 2>/dev/null | awk '{ f += $NF } END { print f + 0 }'
}
name=$1
shift
before=$(failures)
"$@"
status=$?
if [ $status -ne 0 ] && [ "$(failures)" -eq "$before" ]; then
    echo "$name ended with status $status"
    echo "$name 0 1" >>"$results"
fi
exit $status
