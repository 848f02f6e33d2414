#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the unit tests for arm64 with Debian's cross compiler and runs those of psi/ and proto/ under qemu-user. The libraries are
# unpacked into build/arm64/root and installed nowhere. Usage: arm64.sh (from the top of the sources; part of make check-long)
set -eu
dir=$PWD/build/arm64
root=$dir/root
need="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
packages="libsodium23 libsodium-dev libssl3 libssl-dev libprotobuf-c1 libprotobuf-c-dev libutf8proc2 libutf8proc-dev
libjansson4 libjansson-dev libyaml-0-2 libyaml-dev libsqlite3-0 libsqlite3-dev libgmp10 libgmp-dev libp11-kit-dev libcunit1 libcunit1-dev libcsv3 libcsv-dev"
for p in $need; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="${missing:-} $p"
done
if [ -n "${missing:-}" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "$sudo apt-get install -y --no-install-recommends$missing"
    $sudo apt-get update -q && $sudo apt-get install -y --no-install-recommends $missing
fi
if [ ! -e "$dir/unpacked" ]; then
    # A package index of its own, so that this machine's stays as it is.
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$dir/deb" "$root"
    : >"$dir/apt/status"
    options="-q -o Dir::State=$dir/apt -o Dir::State::status=$dir/apt/status -o Dir::Cache=$dir/apt
             -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=$(id -un)"
    apt-get $options update
    (cd "$dir/deb" && apt-get $options download $packages)
    for deb in "$dir"/deb/*.deb; do dpkg-deb -x "$deb" "$root"; done
    touch "$dir/unpacked"
fi
lib=$root/usr/lib/aarch64-linux-gnu
export PKG_CONFIG_LIBDIR=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
tests=$(ls tests/test_psi_*.c tests/test_wire.c tests/test_profile.c tests/test_csv.c | sed 's|^tests/\(.*\)\.c$|build/arm64/out/tests/\1|')
make --no-print-directory VARIANT=test B=build/arm64/out CC=aarch64-linux-gnu-gcc \
    CFLAGS="-O2 -g -isystem $root/usr/include -isystem $root/usr/include/aarch64-linux-gnu" \
    LDFLAGS="-L$lib -Wl,-rpath-link,$lib" $tests
failed=0
for t in $tests; do
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$lib" "$t" || failed=1
done
exit $failed
