#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the programs of docs/examples as a stranger would, against an installed Tally, and runs them.
# Usage: examples.sh STAGE DIR; STAGE is the PREFIX of an install.
stage=$1
dir=$2
work=$(mktemp -d /tmp/tally-examples-XXXXXX) || exit 2
trap 'rm -rf "$work"' EXIT
PKG_CONFIG_PATH=$stage/lib/pkgconfig
LD_LIBRARY_PATH=$stage/lib
TALLY_HOME=$work
export PKG_CONFIG_PATH LD_LIBRARY_PATH TALLY_HOME
port=$((20000 + $$ % 20000))
passed=0
failed=0

# check NAME COMMAND...: one test
check() {
    name=$1
    shift
    if "$@" >"$work/check.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        sed 's/^/    /' "$work/check.log"
    fi
}

build() { # COMPILER STANDARD SUFFIX PROGRAM
    # shellcheck disable=SC2046
    $1 "$2" $3 -O2 -Wall -Wextra -Werror "$dir/$4.c" -o "$work/$4$5" $(pkg-config --cflags --libs tally) -lpthread
}

in_memory() {
    "$work/in_memory" >"$work/out" || return 1
    cat "$work/out"
    cat >"$work/want" <<'END'
bank: row 1 matches: +44 20 7946 0101
bank: row 3 matches: (020) 7946 0103
END
    grep 'matches' "$work/out" | diff - "$work/want" &&
        grep -q '^bank: This side learned which of its 4 identifiers' "$work/out" &&
        grep -q '^court: The other side learned' "$work/out"
}

event_loop() {
    "$work/event_loop" >"$work/out" || return 1
    cat "$work/out"
    for every in 1 2 3 4 5 6 7 8; do
        echo "pair $every: $(((20 + every - 1) / every)) of 20 match"
    done | diff "$work/out" -
}

sum() {
    "$work/sum" >"$work/out" || return 1
    cat "$work/out"
    # The court has three of the bank's customers: 1,250.00, 40.50 + 9.50 and 7.00.
    printf 'bank: %s\n' 'count 3' 'sum 1307.00' 'mean 435.67' >"$work/want"
    grep -E '^[a-z]+: (count|sum|mean) ' "$work/out" | diff - "$work/want" &&
        grep -q '^bank: Of the identifiers on both lists, this side learned the number (3) and the sums' "$work/out" &&
        grep -q '^court: Of the identifiers on both lists, the other side learned the number and' "$work/out"
}

fingerprint() {
    "$stage/bin/tally" identity show "$work/$1" | sed -n 's/^fingerprint: //p'
}

identities() {
    "$stage/bin/tally" identity new "$work/bank" --organisation "Example Bank" &&
        "$stage/bin/tally" identity new "$work/court" --organisation "Example Court" &&
        fingerprint bank | grep -Eq '^sha256:[0-9a-f]{64}$'
}

lists() {
    printf 'id,name\n1,a\n2,b\n"3",c\n4,d\n' >"$work/bank.csv"
    printf 'number\n4\n9\n3\n' >"$work/court.csv"
}

# run SIDE LINK FINGERPRINT: becomes one side's program, so only behind & or in parentheses
run() {
    case $1 in
    receiver) set -- receiver "$2" "127.0.0.1:$port" "$work/bank" "$3" "$work/bank.csv" id ;;
    sender) set -- sender "$2" "127.0.0.1:$port" "$work/court" "$3" "$work/court.csv" number ;;
    esac
    exec "$work/receiver" "$@"
}

# two LINK-OF-RECEIVER LINK-OF-SENDER: both programs, connected over loopback
two() {
    run sender "$2" "$(fingerprint bank)" 2>"$work/sender.err" &
    sender=$!
    (run receiver "$1" "$(fingerprint court)") >"$work/out" 2>"$work/receiver.err"
    receiver_status=$?
    wait $sender
    sender_status=$?
    cat "$work/sender.err" "$work/receiver.err" "$work/out"
    printf 'id,name\n"3",c\n4,d\n' >"$work/want"
    [ $receiver_status -eq 0 ] && [ $sender_status -eq 0 ] && diff "$work/out" "$work/want" &&
        grep -q '^This side learned which of its 4 identifiers are on the other side.s list (2)' "$work/receiver.err" &&
        grep -q '^matching' "$work/receiver.err" && grep -q '^note: ' "$work/sender.err"
}

wrong_fingerprint() {
    run sender listen "$(fingerprint bank)" 2>"$work/sender.err" &
    sender=$!
    (run receiver connect "$(fingerprint bank)") >"$work/out" 2>"$work/receiver.err"
    status=$?
    kill -INT $sender
    wait $sender
    sender_status=$?
    cat "$work/sender.err" "$work/receiver.err"
    [ $status -eq 5 ] && [ $sender_status -ne 0 ] && [ ! -s "$work/out" ] && grep -q 'fingerprint' "$work/receiver.err"
}

interrupted() {
    : >"$work/waiting.err" # not a file of the test before, in which the word stands already
    run receiver listen "$(fingerprint court)" >"$work/out" 2>"$work/waiting.err" &
    program=$!
    tries=0
    while ! grep -q '^waiting' "$work/waiting.err" && [ $tries -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -INT $program
    wait $program
    status=$?
    cat "$work/waiting.err"
    [ $status -eq 9 ] && [ ! -s "$work/out" ]
}

usage() {
    "$work/receiver" receiver 2>"$work/err"
    [ $? -eq 1 ] && grep -q '^usage: ' "$work/err"
}

key() { # SIDE LINE: of tally identity show
    "$stage/bin/tally" identity show "$work/$1" | sed -n "s/^$2: //p"
}

# An agreement that both have signed.
agreement() {
    cat >"$work/agreed.yaml" <<END
tally-agreement: 1
name: An example
parties:
  - {organisation: Example Bank, role: receiver, contact: desk,
     link-key: "$(key bank fingerprint)", signing-key: "$(key bank 'signing key')"}
  - {organisation: Example Court, role: sender, contact: office, address: "127.0.0.1:$port",
     link-key: "$(key court fingerprint)", signing-key: "$(key court 'signing key')"}
purpose: showing it
legal-basis: none
valid-from: 2020-01-01
valid-until: 2099-12-31
function: match
keys:
  - {receiver-column: id, sender-column: number}
quotas: {runs-per-day: 1}
END
    "$stage/bin/tally" agreement sign "$work/agreed.yaml" --identity "$work/bank" &&
        "$stage/bin/tally" agreement sign "$work/agreed.yaml" --identity "$work/court"
}

# agreed_two STATUS: both sides, which end with this status
agreed_two() {
    "$work/agreed" "$work/agreed.yaml" "$work/court" "$work/court.db" "$work/court.csv" 2>"$work/sender.err" &
    sender=$!
    "$work/agreed" "$work/agreed.yaml" "$work/bank" "$work/bank.db" "$work/bank.csv" - >"$work/out" 2>"$work/receiver.err"
    receiver_status=$?
    wait $sender
    sender_status=$?
    cat "$work/sender.err" "$work/receiver.err" "$work/out"
    [ $receiver_status -eq "$1" ] && [ $sender_status -eq "$1" ]
}

agreed() {
    agreed_two 0 || return 1
    printf 'id,name\n"3",c\n4,d\n' | diff "$work/out" - &&
        grep -q '^run 1, 1 receipts verified: .*tally/1 receipt' "$work/receiver.err" &&
        grep -q '^run 1, 1 receipts verified: .*tally/1 receipt' "$work/sender.err"
}

quota() {
    agreed_two 4 && [ ! -s "$work/out" ] && grep -q 'quotas.runs-per-day' "$work/receiver.err" "$work/sender.err"
}

for program in in_memory event_loop sum receiver agreed; do
    check "$program as C" build "${CC:-cc}" -std=c11 "" $program ""
    if command -v g++ >/dev/null; then
        check "$program as C++" build g++ -std=c++17 "-x c++" $program .cc
    fi
done
check "in_memory" in_memory
check "event loop" event_loop
check "sum" sum
check "identities" identities
check "lists" lists
check "receiver connects" two connect listen
check "receiver listens" two listen connect
check "wrong fingerprint" wrong_fingerprint
check "interrupted" interrupted
check "usage" usage
check "agreement" agreement
check "agreed" agreed
check "quota" quota

echo "examples: $passed passed, $failed failed"
[ -z "$TALLY_RESULTS" ] || echo "examples $passed $failed" >>"$TALLY_RESULTS"
[ $failed -eq 0 ]
