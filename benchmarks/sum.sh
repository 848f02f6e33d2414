#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A count and a sum between two real parties on loopback, in turn on the same lists: wall time, CPU time, peak memory and bytes of both
# sides; figures checked against a plain join; the ratio of the wall times at the end.
# Usage: benchmarks/sum.sh BUILD-DIR [N_RECEIVER [N_SENDER [OVERLAP [RUNS [more options of tally sum for the sender]]]]]
set -eu
build=$1
shift
nr=${1:-10000} ns=${2:-${1:-10000}} overlap=${3:-$((${1:-10000} / 10))} runs=${4:-1}
[ $# -lt 4 ] && shift $# || shift 4
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
# run FUNCTION [options of the sender]
run() {
    function=$1
    shift
    python3 benchmarks/timed.py "$dir/sender.time" "$tally" "$function" --role sender --listen 127.0.0.1:$port --identity sender \
        --peer "$(pin receiver)" --input "$dir/sender.csv" --key id_number:cn-resident-id --summary "$dir/sender.json" -q "$@" &
    sender=$!
    python3 benchmarks/timed.py "$dir/receiver.time" "$tally" "$function" --role receiver --connect 127.0.0.1:$port --identity receiver \
        --peer "$(pin sender)" --input "$dir/receiver.csv" --key id_number:cn-resident-id --summary "$dir/receiver.json" --json -q \
        >"$dir/out.json"
    wait $sender
    sender=
    cut -d' ' -f1 "$dir/receiver.time" >>"$dir/$function.wall"
}
# The join: count, sum and sum of squares of the last two columns, in integers of any size.
python3 - "$dir/receiver.csv" "$dir/sender.csv" >"$dir/join" <<'END'
import csv, sys
mine = {r["id_number"] for r in csv.DictReader(open(sys.argv[1]))}
rows = [r for r in csv.DictReader(open(sys.argv[2])) if r["id_number"] in mine]
print(len(rows), sum(int(r["amount_fen"]) for r in rows), sum(int(r["score"]) for r in rows))
END
i=0
while [ $i -lt "$runs" ]; do
    i=$((i + 1))
    run count
    python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["count"] == int(open(sys.argv[2]).read().split()[0]), "the count differs from a plain join"' "$dir/out.json" "$dir/join"
    run sum --value amount_fen:0..500000000 --value score:350..950 "$@"
    python3 -c 'import json, sys
got, want = json.load(open(sys.argv[1])), open(sys.argv[2]).read().split()
assert [got["count"]] + [int(v["sum"]) for v in got["values"]] == list(map(int, want)), "a sum differs from a plain join"' "$dir/out.json" "$dir/join"
done
echo "receiver $nr rows, sender $ns rows, overlap $overlap: count and sums equal a plain join; the last sum:"
for side in receiver sender; do
    rows=$nr
    [ $side = receiver ] || rows=$ns
    printf '%-9s' $side
    awk -v rows="$rows" '{ printf "wall %.2f s, CPU %.2f s, peak memory %.1f MB (%.0f bytes a row)", $1, $2, $3 / 1024, $3 * 1024 / rows }' "$dir/$side.time"
    python3 -c 'import json,sys; s=json.load(open(sys.argv[1])); print(", sent %d bytes, received %d; by %s" % (s["bytes"]["sent"], s["bytes"]["received"], s["terms"]["scheme"]))' "$dir/$side.json"
done
python3 - "$dir/count.wall" "$dir/sum.wall" <<'END'
import statistics, sys
count, total = ([float(x) for x in open(f)] for f in sys.argv[1:])
print("wall time, median of %d: count %.2f s, sum %.2f s, ratio %.3f" % (len(count), statistics.median(count), statistics.median(total), statistics.median(total) / statistics.median(count)))
END
