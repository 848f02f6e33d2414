#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The group as a compiler makes it that knows AVX2 and no AVX-512, or neither: its tests pass, and what was left out is not there.
# Usage: without.sh BUILD-DIR COMPILER-COMMAND... Appends "without PASSED FAILED" to $TALLY_RESULTS.
build=$1
shift
results=${TALLY_RESULTS:-/dev/null}
unset TALLY_RESULTS # one line for all builds
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# try NAME FLAG...
try() {
    name=$1
    shift
    mkdir "$dir/$name"
    for source in psi/group.c psi/group_avx2.c psi/group_ifma.c tests/test_psi_group.c; do
        $compiler "$@" -c -o "$dir/$name/$(basename "$source" .c).o" "$source" || return 1
    done
    $compiler -o "$dir/$name/test" "$dir/$name"/*.o "$build"/tests/support_*.o "$build/libtally.a" \
        $libraries || return 1
    "$dir/$name/test"
}

compiler=$* libraries="$(pkg-config --libs libsodium libcrypto libssl libprotobuf-c libutf8proc jansson gmp yaml-0.1 sqlite3) -lcunit -lcsv -lm -lpthread"
# Side by side: each is compiled by one process.
n=0
for flags in -DPSI_WITHOUT_IFMA -DPSI_WITHOUT_AVX2 "-DPSI_WITHOUT_AVX2 -DPSI_WITHOUT_IFMA"; do
    n=$((n + 1))
    # The flags are words.
    # shellcheck disable=SC2086
    { try "build$n" $flags >"$dir/$n.out" 2>&1 && : >"$dir/$n.good"; } &
done
wait
n=0
for flags in -DPSI_WITHOUT_IFMA -DPSI_WITHOUT_AVX2 "-DPSI_WITHOUT_AVX2 -DPSI_WITHOUT_IFMA"; do
    n=$((n + 1))
    echo "the group with $flags"
    cat "$dir/$n.out"
    if [ -e "$dir/$n.good" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "without $passed $failed" >>"$results"
[ "$failed" -eq 0 ]
