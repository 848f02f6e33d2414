#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: two builds give the same bytes, lintian finds no error, they install in a fresh Debian 12, a run
# between two parties works there, and removing them leaves keys and ledgers. Part of make check-long; needs the
# superuser for the root, which is kept as build/debian-12.tar. Usage: debian.sh [FOLDER of packages that are built]
set -u
cd "$(dirname "$0")/.." || exit 1
tests/deps.sh debian || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/tally-debian.XXXXXX") || exit 1
root=$work/root
passed=0 failed=0
finish() {
    for m in proc dev; do mountpoint -q "$root/$m" && umount -l "$root/$m"; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# ok NAME COMMAND...: counts it, and shows what it said if it fails.
ok() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "debian: $name"
        tail -n 20 "$work/said"
    fi
}
total() {
    echo "debian    $((passed + failed)) tests, $failed failed"
    [ -z "${TALLY_RESULTS:-}" ] || echo "debian $passed $failed" >>"$TALLY_RESULTS"
    [ "$failed" = 0 ]
    exit
}

# ---- Building ----

# At two times, in two folders (make takes no blanks in their names), in two time zones.
sums() { (cd "$1" && sha256sum ./*.deb); }
same() { sums "$work/first" >"$work/sums" && sums "$work/second" | diff "$work/sums" -; }
if [ $# -gt 0 ]; then
    cp -r "$1" "$work/first" || exit 1
else
    export CCACHE_DISABLE=1
    ok "builds" debian/build "$work/first" "$work/here"
    ok "builds again" env TZ=Asia/Shanghai debian/build "$work/second" "$work/another/folder"
    ok "two builds give the same bytes" same
fi
for p in tally-psi libtally0 libtally-dev tally-psi-doc; do
    ok "there is a package $p" ls "$work/first/$p"_*.deb
done
ok "the version is the Makefile's" test "$(sed -n 's/^VERSION *:= *//p' Makefile)" = "$(dpkg-parsechangelog -S Version)"
ok "lintian" lintian --allow-root --fail-on error,warning "$work"/first/*.changes
[ "$failed" = 0 ] || total

# ---- A fresh Debian 12 ----

if [ "$(id -u)" != 0 ]; then
    echo "debian: not the superuser, so the packages were not installed"
    total
fi
source=$(sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\([^ ]*\) bookworm .*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
mkdir -p build "$root"
if [ ! -e build/debian-12.tar ]; then
    ok "debootstrap" debootstrap --variant=minbase bookworm "$root" $source
    [ "$failed" = 0 ] || total
    tar -C "$root" -cf build/debian-12.tar . || exit 1
else
    tar -C "$root" -xf build/debian-12.tar || exit 1
fi
for f in /etc/apt/apt.conf.d/*proxy*; do [ ! -e "$f" ] || cp "$f" "$root/etc/apt/apt.conf.d/"; done
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" || exit 1
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/srv LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "$@"; }
as_tally() { inside setpriv --reuid=tally --regid=tally --init-groups env TALLY_HOME=/var/lib/tally "$@"; }
said() { grep -qF -- "$1" "$work/purged"; }

mkdir "$root/debs"
cp "$work"/first/*.deb "$root/debs/"
rm -f "$root"/debs/*dbgsym*
ok "apt-get update" inside apt-get -q -o Acquire::Check-Valid-Until=false update
ok "the packages install" inside sh -c 'apt-get -q install -y --no-install-recommends /debs/*.deb'
ok "the command runs" inside tally --version
ok "the demo runs" inside sh /usr/share/doc/tally-psi/examples/demo.sh tally
ok "there is a user" inside sh -c 'test "$(stat -c %U:%a /var/lib/tally)" = tally:700 && test "$(stat -c %U /etc/tally)" = root'
ok "no service runs by itself" inside sh -c '! ls /etc/systemd/system/*.wants/tally* 2>/dev/null'
ok "the library's dependencies are there" inside sh -c '! ldd /usr/lib/*/libtally.so.0 | grep "not found"'
ok "an identity of the service" as_tally tally identity new bank-id --organisation "Example Bank"
ok "an identity of the superuser" inside tally identity new agency-id --organisation "Example Agency"

ok "the first day" python3 tests/first_day.py --root "$root"

# A run between the service's user and the superuser, so that both have a ledger.
pin() { sed -n 's/^fingerprint: *//p' "$work/said"; }
ok "show" as_tally tally identity show bank-id
bank=$(pin)
ok "show" inside tally identity show agency-id
agency=$(pin)
printf 'id\nalpha\nbeta\n' >"$root/var/lib/tally/list.csv"
inside tally match --role sender --listen 127.0.0.1:7440 --identity agency-id --peer "$bank" --input /var/lib/tally/list.csv --key id --timeout 30s >"$work/sender" 2>&1 &
sender=$!
chmod 644 "$root/var/lib/tally/list.csv"
ok "a run as the service's user" as_tally tally match --role receiver --connect 127.0.0.1:7440 --identity bank-id --peer "$agency" --input /var/lib/tally/list.csv --key id \
    --output /var/lib/tally/out.csv --timeout 30s --log-file /var/log/tally/run.log
wait "$sender"
ok "the other side's end" test $? = 0
ok "the answer" cmp "$root/var/lib/tally/list.csv" "$root/var/lib/tally/out.csv"
kept="/var/lib/tally/bank-id/key.pem /var/lib/tally/ledger/ledger.db /var/log/tally/run.log /srv/.config/tally/agency-id/key.pem /srv/.config/tally/ledger/ledger.db /etc/tally/settings.yaml"
echo "log-file: /var/log/tally/run.log" >"$root/etc/tally/settings.yaml"
state() { inside sha256sum $kept; }
state >"$work/before"
unchanged() { state | diff "$work/before" -; }
packages="tally-psi libtally0 libtally-dev tally-psi-doc"
ok "removing" inside apt-get -q remove -y $packages
ok "removing leaves keys and ledgers" unchanged
ok "purging" inside apt-get -q purge -y tally-psi
cp "$work/said" "$work/purged"
ok "purging says where they are" said "tally-psi: kept /var/lib/tally"
ok "purging leaves keys and ledgers" unchanged
gone() { ! inside sh -c 'ls /usr/bin/tally /usr/lib/*/libtally* /usr/include/tally /usr/share/doc/tally-psi /usr/share/man/man1/tally* /lib/systemd/system/tally* /etc/logrotate.d/tally' 2>/dev/null; }
ok "purging leaves nothing else" gone
total
