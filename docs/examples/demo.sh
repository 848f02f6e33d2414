#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A whole match between two organisations on this machine: demo.sh TALLY. Works in a temporary folder, leaves nothing.
set -u
LC_ALL=C
export LC_ALL
tally=${1:?usage: demo.sh TALLY}
case $tally in */*) tally=$(cd "$(dirname "$tally")" && pwd)/$(basename "$tally") ;; esac

dir=$(mktemp -d "${TMPDIR:-/tmp}/tally-demo.XXXXXX") || exit 1
sender=
finish() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$dir" || exit 1

fail() {
    echo "demo: $1" >&2
    for log in agency.log bank.log; do
        [ ! -s "$log" ] || sed "s/^/  $log: /" "$log" >&2
    done
    exit 1
}

# Two organisations have two homes; here they are two folders.
at_agency() { TALLY_HOME=$dir/agency "$tally" "$@"; }
at_bank() { TALLY_HOME=$dir/bank "$tally" "$@"; }

# ids SEEDS: one invented resident id per number, with its check character (GB 11643): the sum of digit times
# 2^(17 - position) modulo 11, position from 0, picks it from 10X98765432. Region 990000 does not exist.
ids() {
    printf '%s\n' "$@" | awk '{
        id = sprintf("990000%04d%02d%02d%03d", 1950 + $1 % 50, 1 + $1 % 12, 1 + $1 % 28, 100 + $1)
        sum = 0
        for (k = 1; k <= 17; k++) sum += substr(id, k, 1) * (2 ^ (18 - k) % 11)
        print id substr("10X98765432", sum % 11 + 1, 1)
    }'
}

# The agency writes its list plainly; rows end in LF.
ids 3 9 15 16 23 42 48 61 77 80 86 | awk 'BEGIN { print "id_number,case" } { print $0 ",case " NR }' >agency.csv

# The bank has eight customers, four of them on the agency's list, one of those with two accounts. It writes x for X,
# blanks, quotes and full-width digits (U+FF10 to U+FF19), and its rows end in CRLF.
ids 5 9 15 15 16 29 31 42 60 >bank-ids.txt
awk '
    BEGIN { printf "name,id_card\r\n"; split("Chen Deng Fang Fang Guo Hu Jin Lin Ma", name, " ") }
    NR == 2 { sub(/X$/, "x"); $0 = substr($0, 1, 6) " " substr($0, 7, 8) " " substr($0, 15) }
    NR == 3 { for (k = 0; k <= 9; k++) gsub(k, sprintf("%c%c%c", 239, 188, 144 + k)) }
    NR == 5 { $0 = "\"" $0 " \"" }
    { printf "%s,%s\r\n", name[NR], $0 }' bank-ids.txt >bank.csv

echo "An agency has a list of $(($(wc -l <agency.csv) - 1)) persons (agency.csv):"
sed -n '1,4s/^/    /p' agency.csv
echo "    ..."
echo "A bank has a list of $(($(wc -l <bank.csv) - 1)) accounts, spelled in its own way (bank.csv):"
sed -n '1,5s/^/    /p' bank.csv
echo "    ..."
echo "Which of the bank's customers are on the agency's list? Neither shows its list to the other."

echo
echo "1. Each makes an identity and tells the other its fingerprint."
echo "    agency\$ tally identity new agency-id --organisation \"Example Agency\""
at_agency identity new agency-id --organisation "Example Agency" >/dev/null 2>agency.log ||
    fail "the agency has no identity"
echo "    bank\$   tally identity new bank-id --organisation \"Example Bank\""
at_bank identity new bank-id --organisation "Example Bank" >/dev/null 2>bank.log ||
    fail "the bank has no identity"
agency=$(at_agency identity show agency-id | sed -n 's/^fingerprint: //p')
bank=$(at_bank identity show bank-id | sed -n 's/^fingerprint: //p')
[ -n "$agency" ] && [ -n "$bank" ] || fail "there is no fingerprint"

# The usual port, unless somebody has it: then the agency's run ends at once and the next one is tried.
for port in 7440 17440 27440 37440 47440; do
    at_agency match --role sender --listen 127.0.0.1:$port --identity agency-id --peer "$bank" \
        --input agency.csv --key id_number:cn-resident-id --timeout 60s >agency.log 2>&1 &
    sender=$!
    tries=0
    until grep -q -e 'listening on' -e '^hint:' agency.log || [ $tries -eq 50 ]; do
        sleep 0.2
        tries=$((tries + 1))
    done
    ! grep -q 'listening on' agency.log || break
    kill "$sender" 2>/dev/null
    wait "$sender"
    sender=
done
[ -n "$sender" ] || fail "the agency cannot listen"

echo
echo "2. Each runs one command: the agency first, here, but the order does not matter."
short() { echo "$1" | cut -c 1-15; }
cat <<EOF
    agency\$ tally match --role sender --listen 127.0.0.1:$port \\
                --identity agency-id --peer $(short "$bank")... \\
                --input agency.csv --key id_number:cn-resident-id
    bank\$   tally match --role receiver --connect 127.0.0.1:$port \\
                --identity bank-id --peer $(short "$agency")... \\
                --input bank.csv --key id_card:cn-resident-id --output overlap.csv
EOF
at_bank match --role receiver --connect 127.0.0.1:$port --identity bank-id --peer "$agency" \
    --input bank.csv --key id_card:cn-resident-id --output overlap.csv --timeout 60s >bank.log 2>&1 ||
    fail "the bank's side ended with status $?"
wait "$sender" || fail "the agency's side ended with status $?"
sender=

echo
echo "3. The bank has its own matching rows, exactly as it wrote them (overlap.csv):"
sed 's/^/    /' overlap.csv
echo
echo "4. What each side says it learned:"
sed -n 's/^tally: .*learned/    agency: &/p' agency.log | sed 's/tally: //'
sed -n 's/^tally: .*learned/    bank:   &/p' bank.log | sed 's/tally: //'

# A plain join, by the numbers as they were before they were respelled, gives the same bytes.
awk -F, 'FILENAME == "agency.csv" { listed[$1] = 1; next }
    FILENAME == "bank-ids.txt" { keep[FNR + 1] = $1 in listed; next }
    FNR == 1 || keep[FNR]' agency.csv bank-ids.txt bank.csv >expected.csv
[ "$(wc -l <expected.csv)" -eq 6 ] || fail "the lists of this demo are not what they should be"
cmp -s expected.csv overlap.csv || fail "overlap.csv is not what a plain join gives"
echo
echo "Five rows of the bank, four persons, are on both lists. A plain join of the two files gives the same rows."
