#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shared library of this tree against that of the last release, a tag v* that is reachable: nothing that a program
# compiled against it uses may be gone or changed while the soname is the same. Without a release, or without abidiff
# (package abigail-tools), only the list of names is compared. Usage: abi.sh BUILD; ABI_TAG names another tag.
build=$1
if ! tests/api.sh "$build" --names; then
    echo "abi: the exported names are not those of party/libtally.symbols"
    exit 1
fi
tag=${ABI_TAG:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)}
if [ -z "$tag" ]; then
    echo "abi: there is no release to compare with yet; the exported names are those of party/libtally.symbols"
    exit 0
fi
if ! command -v abidiff >/dev/null; then
    echo "abi: no abidiff here (package abigail-tools); only the exported names were compared"
    exit 0
fi
work=$(mktemp -d /tmp/tally-abi-XXXXXX) || exit 2
trap 'rm -rf "$work"' EXIT
git archive "$tag" | tar -x -C "$work" || exit 2
(cd "$work" && ${MAKE:-make} --no-print-directory "-j$(nproc)" B=build/abi all) >"$work/log" 2>&1 || {
    tail "$work/log"
    exit 2
}
soname() {
    readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'
}
old=$work/build/abi/libtally.so
new=$build/libtally.so
if [ "$(soname "$old")" != "$(soname "$new")" ]; then
    echo "abi: the soname is $(soname "$new"), that of $tag is $(soname "$old"): programs have to be compiled anew anyway"
    exit 0
fi
abidiff --headers-dir1 "$work/party" --headers-dir2 party --no-added-syms "$old" "$new"
status=$?
# Bits of abidiff(1): 1 error, 2 usage, 4 a change, 8 one that breaks programs.
if [ $status -eq 0 ]; then
    echo "abi: no change to what $tag has"
elif [ $((status & 3)) -ne 0 ]; then
    exit 2
else
    echo "abi: changed since $tag: a change that breaks programs needs a new soname (SOVERSION in Makefile, docs/api.md)"
    exit 1
fi
