#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the vector backends that can be audited by each compiler and level, and the controls, and audits the objects
# (tests/audit.py). Not among them: subspace_vaes, where gcc -O3 unrolls a loop over an array on the stack by one step too
# many, never taken, that would write over the canary; rlwe_avx2 and rlwe_avx512, which divide and load pointers while
# they prepare tables; sketch, which compares digests that are public.
# Usage: audit.sh LEVEL... with MAKE and CC in the environment; clang is tried beside CC where it is installed.
here=$(dirname "$0")
case $($CC -dumpmachine) in
x86_64*) ;;
*)
    echo "audit: there are vector backends on x86-64 only"
    exit 0
    ;;
esac
for tool in objdump python3; do
    command -v $tool >/dev/null || { echo "audit: $tool is missing: install it with 'make deps'" && exit 1; }
done
compilers=$CC
case $CC in
*clang*) ;;
*) command -v clang >/dev/null && compilers="$CC
clang" ;;
esac
mkdir -p build/audit
$CC -c -o build/audit/leaks.o "$here/audit_leaks.s" || exit 1
objects="controls=build/audit/leaks.o"
for level in "$@"; do
    IFS='
'
    for compiler in $compilers; do
        unset IFS
        short=$(basename "$compiler" | tr ' ' '_')
        folder=build/audit/$short$level
        for name in digits group_avx2 group_ifma expand_avx2 expand_avx512 rowhash_avx2 rowhash_vpclmul256 rowhash_avx512 subspace_aesni \
            subspace_vaes256 gf128_clmul sha256_ni pick_avx2; do
            "$MAKE" --no-print-directory CC="$compiler" CFLAGS="$level -g" B="$folder" "$folder/psi/$name.o" || exit 1
            objects="$objects $name.$short$level=$folder/psi/$name.o"
        done
    done
done
# shellcheck disable=SC2086
exec python3 "$here/audit.py" $objects
