#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The house rules that a program can check; one line per finding. Usage: lint.sh FILE.c... (run by `make lint`).
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
findings=$tmp/findings
: >"$findings"
shopt -s nullglob
code=(psi/*.[ch] proto/*.[ch] party/*.[ch] cli/*.[ch] tests/*.[ch] docs/examples/*.c benchmarks/*.[ch])
texts=("${code[@]}" Makefile README.md CONTRIBUTING.md proto/*.proto docs/*.md docs/man/* docs/examples/*.sh tests/*.sh tests/*.py tests/*.cpp
    tests/commands/*.py benchmarks/run benchmarks/*.py .ci/run cli/completions/* docs/systemd/* docs/examples/* debian/[a-z]*[a-z])

# report WHAT: grep lines "file:line:text" become findings "file:line: WHAT".
report() {
    sed -E "s|^([^:]+):([0-9]+):.*|\1:\2: $1|" >>"$findings"
}

# First line, length.
for f in "${code[@]}"; do
    [ "$(head -n 1 "$f")" = '/* SPDX-License-Identifier: Apache-2.0 */' ] || echo "$f:1: first line is not the SPDX line"
    lines=$(wc -l <"$f")
    [ "$lines" -le 800 ] || echo "$f:$lines: more than 800 lines"
done >>"$findings"

# Includes go one way: cli -> party -> proto, psi. Each layer: its folder, what it may include.
one_way() {
    local files=("$1"/*.[ch])
    [ ${#files[@]} -eq 0 ] && return
    grep -HnE '^ *# *include +"' "${files[@]}" | grep -vE "\"($2)\"" | report "$1/ may not include this"
}
one_way psi 'psi/[^"]*'
one_way proto '(psi|proto)/[^"]*'
one_way party '(psi|proto|party)/[^"]*|tally(-[a-z]+)?\.h'
one_way cli '(cli|party)/[^"]*'

# Names carry their folder. A definition that others can see starts in column 0 and is not static.
prefix() {
    local files=("$1"/*.c)
    [ ${#files[@]} -eq 0 ] && return
    awk -v ok="^($2)" -v folder="$1" '
        FNR == 1 { head = ""; comment = 0 }
        /^\/\*/ { comment = 1 }
        comment { if (/\*\//) comment = 0; next }
        /^(#|\/\/|static|_Static_assert|typedef|extern|__extension__|enum|union|struct [a-z0-9_]+ \{|struct [a-z0-9_]+;|[{} \t]|$)/ {
            if (!/^\{/) { if (!/^[ \t]/) head = ""; next }
            if (head == "") next
            check(head); head = ""; next
        }
        { head = $0; line = FNR; if (/;$/ || /= *\{$/ || /=$/) { if (!/\(/ || /=/) check(head); head = "" } }
        function check(text,   name) {
            if (text ~ /(^|[^A-Za-z0-9_])static /) return
            name = text
            sub(/^__attribute__\(\(.*\)\) /, "", name)
            sub(/[ \t]*(\[[^]]*\])*[ \t]*=.*|;.*/, "", name)
            sub(/\(.*/, "", name)
            sub(/\[.*/, "", name)
            sub(/^.*[ *]/, "", name)
            if (folder == "tests" ? name ~ ok : name !~ ok)
                printf "%s:%d: %s: a name others can see %s %s in %s/\n", FILENAME, line, name,
                    folder == "tests" ? "must not match" : "must match", ok, folder
        }' "${files[@]}" >>"$findings"
}
prefix psi 'psi_'
prefix proto 'wire_'
prefix party 'party_|tally_'
prefix cli 'cli_|main$'
prefix tests '(psi|wire|party|cli|tally)_' # those are the library's

# Calls nobody makes here; memcmp in psi/ only for public values, with a comment that says so.
calls='rand|srand|random|srandom|strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|system|popen'
grep -HnE "(^|[^A-Za-z0-9_.>])($calls) *\(" "${code[@]}" | report 'forbidden call'
grep -HnE '(^|[^A-Za-z0-9_])(memcmp|bcmp) *\(' psi/*.[ch] | grep -vi 'public' |
    report 'memcmp in psi/ without a comment that the values are public'

# Unfinished work, and paths of one machine. (The patterns are put together so that they do not find themselves.)
marks='TO''DO|FIX''ME|XX''X|HA''CK|st''ub|place''holder|for no''w'
grep -sHnwE "$marks" "${texts[@]}" | report 'a mark of unfinished work'
grep -sHnE '(^|[^A-Za-z0-9_.])/(work|ro''ot)(/|[^A-Za-z0-9_]|$)' "${texts[@]}" | report 'a path of one machine'

# Format.
clang-format --dry-run -Werror "${code[@]}" 2>&1 |
    sed -nE 's|^([^:]+:[0-9]+):[0-9]+: error: (.*)|\1: not as clang-format writes it (make format)|p' | sort -u >>"$findings"

# Static analysis of the files given.
if [ $# -gt 0 ]; then
    cppcheck --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --std=c11 -q -j 2 -I. -Ipsi \
        -D_GNU_SOURCE -D__GNUC__=12 -D__linux__ -D__x86_64__ -DTALLY_TEST -DPSI_VERIFY \
        --suppress=unknownMacro --template='{file}:{line}: {message} ({id})' "$@" >"$tmp/cppcheck" 2>&1
    status=$?
    grep -E '^[^:]+:[0-9]+: ' "$tmp/cppcheck" >>"$findings"
    [ $status -eq 0 ] || [ -s "$findings" ] || cat "$tmp/cppcheck" >>"$findings"
fi

if [ -s "$findings" ]; then
    sort -u "$findings"
    exit 1
fi
echo 'lint: clean'
