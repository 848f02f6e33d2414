#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the packages that are missing (Debian and relatives); prints the line it runs; sudo only where needed.
packages="gcc libc6-dev make pkg-config libssl-dev libsodium-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler
libutf8proc-dev libjansson-dev libyaml-dev libsqlite3-dev libgmp-dev libp11-kit-dev softhsm2 opensc libcunit1-dev libcsv-dev valgrind clang clang-format cppcheck libclang-rt-14-dev openssl python3 iproute2 tzdata gettext man-db"
# `deps.sh debian`: what `make deb` and tests/debian.sh need too.
[ "${1:-}" != debian ] || packages="$packages debhelper dpkg-dev fakeroot lintian debootstrap"
command -v dpkg-query >/dev/null || {
    echo "tally: this system has no dpkg; please install the equivalents of:" $packages >&2
    exit 0
}
missing=
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
line="apt-get install -y --no-install-recommends$missing"
echo "$sudo apt-get update && $sudo $line"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q && $sudo $line
