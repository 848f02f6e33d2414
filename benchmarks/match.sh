#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two real parties on loopback: wall time, CPU time, peak memory and bytes of both sides, result checked against a plain join.
# Usage: benchmarks/match.sh BUILD-DIR [N_RECEIVER [N_SENDER [OVERLAP [more options of tally match]]]]
set -eu
build=$1
shift
nr=${1:-10000} ns=${2:-${1:-10000}} overlap=${3:-$((${1:-10000} / 10))}
[ $# -lt 3 ] || shift 3
[ $# -gt 0 ] && [ "${1#-}" = "$1" ] && shift $#
tally=$build/tally
dir=$(mktemp -d)
sender=
trap '[ -z "$sender" ] || kill "$sender" 2>/dev/null || true; rm -rf "$dir"' EXIT
export TALLY_HOME="$dir"
"$build/benchmarks/lists" 0 "$nr" 1 >"$dir/receiver.csv"
"$build/benchmarks/lists" $((nr - overlap)) "$ns" 2 >"$dir/sender.csv"
for side in receiver sender; do "$tally" identity new $side --organisation "Benchmark $side" >/dev/null 2>&1; done
pin() { "$tally" identity show "$1" | sed -n 's/^fingerprint: //p'; }
port=${PORT:-17440}
python3 benchmarks/timed.py "$dir/sender.time" "$tally" match --role sender --listen 127.0.0.1:$port --identity sender \
    --peer "$(pin receiver)" --input "$dir/sender.csv" --key id_number:cn-resident-id --summary "$dir/sender.json" -q "$@" &
sender=$!
python3 benchmarks/timed.py "$dir/receiver.time" "$tally" match --role receiver --connect 127.0.0.1:$port --identity receiver \
    --peer "$(pin sender)" --input "$dir/receiver.csv" --key id_number:cn-resident-id --output "$dir/out.csv" \
    --summary "$dir/receiver.json" -q "$@"
wait $sender
sender=
awk -F, 'NR == FNR { if (FNR > 1) seen[$1] = 1; next } FNR == 1 || $1 in seen' "$dir/sender.csv" "$dir/receiver.csv" >"$dir/join.csv"
cmp "$dir/out.csv" "$dir/join.csv" || { echo "the result differs from a plain join" >&2; exit 11; }
echo "receiver $nr rows, sender $ns rows, overlap $overlap: result equals a plain join"
for side in receiver sender; do
    rows=$nr
    [ $side = receiver ] || rows=$ns
    printf '%-9s' $side
    awk -v rows="$rows" '{ printf "wall %.2f s, CPU %.2f s, peak memory %.1f MB (%.0f bytes a row)", $1, $2, $3 / 1024, $3 * 1024 / rows }' "$dir/$side.time"
    python3 -c 'import json,sys; s=json.load(open(sys.argv[1])); print(", sent %d bytes, received %d; matching %.2f s" % (s["bytes"]["sent"], s["bytes"]["received"], s["seconds"]["matching"]))' "$dir/$side.json"
done
