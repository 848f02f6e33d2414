#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one statically linked x86-64 program on an emulated processor with AVX-512 (F, DQ, CD, BW, VL, IFMA, VBMI, VAES, VPCLMULQDQ,
# GFNI), for machines that have none: a Debian kernel under Bochs. For correctness only; it is some fifty times slower than hardware.
# The program's standard output and error come out when it has ended; it is given the variables whose names start with TALLY_ and
# no input. Usage: emulated.sh PROGRAM [ARGUMENT...] (from the top of the sources). TIMEOUT: seconds, 1500 unless set; MEMORY: MiB,
# 512 unless set. Exit status: the program's, or 99 and a message where the emulator did not get to one.
set -eu
need="binutils debian-archive-keyring"
dir=$PWD/build/emulated
timeout=${TIMEOUT:-1500}
memory=${MEMORY:-512}
tree=$dir/tree
# What is unpacked runs with the libraries unpacked beside it.
libraries=$tree/usr/lib/x86_64-linux-gnu
loader=$tree/usr/lib64/ld-linux-x86-64.so.2
# Bochs of Debian 13: the 2.7 of Debian 12 computes GF2P8AFFINEQB wrongly (the complement).
suite=trixie
packages="bochs bochs-term bochsbios vgabios xorriso isolinux syslinux-common busybox-static"

fail() {
    echo "emulated.sh: $1" >&2
    exit 99
}

# $1 for a shell to read back as one word.
quoted() {
    printf "'"
    printf '%s' "$1" | sed "s/'/'\\\\''/g"
    printf "'"
}

[ $# -ge 1 ] || fail "usage: emulated.sh PROGRAM [ARGUMENT...]"
program=$1
shift
[ -f "$program" ] && [ -x "$program" ] || fail "$program: no such program"
for p in $need; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="${missing:-} $p"
done
[ -z "${missing:-}" ] || fail "needs packages: apt-get install -y --no-install-recommends$missing"
headers=$(readelf -hl "$program" 2>/dev/null) || fail "$program: not a program"
case $headers in
*INTERP*) fail "$program: not statically linked; the emulated machine holds no libraries" ;;
*X86-64*) ;;
*) fail "$program: not for x86-64" ;;
esac

scratch=$(mktemp -d)
emulator=
# timeout passes the signal on to the emulator, which is in its care.
clean() {
    [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || :
    [ -z "$emulator" ] || wait "$emulator" || :
    rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

# Everything is unpacked and nothing installed: this machine may hold another release and wants neither a kernel nor a desktop.
unpack() {
    # A package index of its own, so that this machine's stays as it is; from the mirror that this machine uses.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    [ -n "$mirror" ] || {
        echo "apt has no index of a Debian mirror (apt-get update makes one)"
        return 1
    }
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/archives/partial" "$scratch/tree" "$dir" &&
        : >"$scratch/apt/status" &&
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$scratch/apt/mirror.list" ||
        return 1
    options="-q -o Dir::State=$scratch/apt -o Dir::State::status=$scratch/apt/status -o Dir::Cache=$scratch/apt
             -o Dir::Etc::sourcelist=$scratch/apt/mirror.list -o Dir::Etc::sourceparts=/dev/null
             -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=$(id -un)"
    apt-get $options update && apt-get $options install -y --no-install-recommends --download-only $packages || return 1
    kernel=$(apt-cache $options depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p')
    (cd "$scratch/apt/archives" && apt-get $options download $kernel) || return 1
    for deb in "$scratch"/apt/archives/*.deb; do dpkg-deb -x "$deb" "$scratch/tree" || return 1; done
    rm -rf "$scratch/tree/usr/lib/modules" "$scratch/tree/usr/share/doc" "$scratch/tree/usr/share/locale" "$dir/tree" "$dir/new"
    cp "$scratch"/tree/boot/vmlinuz-* "$scratch/tree/vmlinuz" && cp -R -P "$scratch/tree" "$dir/new" && mv "$dir/new" "$dir/tree"
}
[ -e "$tree/vmlinuz" ] || unpack >"$scratch/unpacking" 2>&1 || {
    cat "$scratch/unpacking" >&2
    fail "could not unpack the emulator"
}

# All that the machine runs: one script, which starts the program. One serial port for each thing that comes out of it, so that the
# output needs no parsing and stays as it was written: kernel, standard output, standard error, exit status.
guest=$scratch/guest
mkdir -p "$guest/bin" "$guest/dev" "$guest/proc" "$guest/sys" "$guest/tmp" "$scratch/iso"
cp "$tree/usr/bin/busybox" "$guest/busybox"
cp "$program" "$guest/bin/"
mkdir -p "$guest/src/tests" && cp -R tests/vectors "$guest/src/tests/" # the program runs at the top of the sources, as it were
{
    echo '#!/busybox sh'
    echo '/busybox mount -t devtmpfs none /dev'
    echo '/busybox mount -t proc none /proc'
    echo '/busybox mount -t sysfs none /sys'
    echo '/busybox ifconfig lo 127.0.0.1 up'
    echo 'for port in 1 2 3; do /busybox stty -F /dev/ttyS$port raw; done'
    echo 'export HOME=/tmp TMPDIR=/tmp'
    for name in $(env | sed -n 's/^\(TALLY_[A-Z0-9_]*\)=.*/\1/p'); do
        eval "value=\$$name"
        echo "export $name=$(quoted "$value")"
    done
    printf 'cd /src && %s' "$(quoted "/bin/$(basename "$program")")"
    for argument; do printf ' %s' "$(quoted "$argument")"; done
    echo ' </dev/null >/dev/ttyS1 2>/dev/ttyS2'
    echo 'echo $? >/dev/ttyS3'
    echo '/busybox reboot -f'
} >"$guest/init"
chmod +x "$guest/init"
(cd "$guest" && find . | ./busybox cpio -o -H newc 2>/dev/null) >"$scratch/iso/initrd"
cp "$tree/vmlinuz" "$tree/usr/lib/ISOLINUX/isolinux.bin" "$tree/usr/lib/syslinux/modules/bios/ldlinux.c32" "$scratch/iso"

# reboot=t: ends in a triple fault, at which the emulator stops. The rest shortens the boot.
cat >"$scratch/iso/isolinux.cfg" <<CONFIG
default tally
prompt 0
label tally
  kernel /vmlinuz
  append initrd=/initrd console=ttyS0,115200 loglevel=5 reboot=t panic=-1 nosmp noapic nokaslr tsc=reliable mitigations=off cryptomgr.notests=1 initcall_blacklist=load_system_certificate_list
CONFIG
"$loader" --library-path "$libraries" "$tree/usr/bin/xorriso" -as mkisofs -quiet -o "$scratch/disc.iso" -b isolinux.bin -c boot.cat \
    -no-emul-boot -boot-load-size 4 -boot-info-table "$scratch/iso" 2>"$scratch/xorriso" || fail "no disc image: $(cat "$scratch/xorriso")"

# ips paces the timers and serial ports, not the processor: low, so that the kernel does not wait long for either.
cat >"$scratch/machine" <<CONFIG
config_interface: textconfig
display_library: term
romimage: file=$tree/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=$tree/usr/share/vgabios/vgabios.bin
cpu: model=corei7_icelake_u, count=1, ips=10000000, reset_on_triple_fault=0, ignore_bad_msrs=1
megs: $memory
ata0-master: type=cdrom, path=$scratch/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$scratch/console
com2: enabled=1, mode=file, dev=$scratch/out
com3: enabled=1, mode=file, dev=$scratch/error
com4: enabled=1, mode=file, dev=$scratch/status
clock: sync=none, time0=utc
log: $scratch/log
panic: action=fatal
error: action=ignore
info: action=ignore
CONFIG
# Debian's Bochs has the debugger built in, which waits for this word; and its screen wants a terminal, which script makes.
echo c >"$scratch/debugger"
: >"$scratch/out"
: >"$scratch/error"
export TERM=linux LTDL_LIBRARY_PATH="$libraries/bochs/plugins"
timeout -k 10 "$timeout" script -qec "exec $(quoted "$loader") --library-path $(quoted "$libraries") $(quoted "$tree/usr/bin/bochs-bin") \
    -q -f $(quoted "$scratch/machine") -rc $(quoted "$scratch/debugger")" /dev/null </dev/null >"$scratch/screen" 2>&1 &
emulator=$!
# The screen is drawn on a terminal of its own, and all waits when nobody reads it. At the emulator's end reading fails.
while kill -0 "$emulator" 2>/dev/null; do
    terminal=$(sed -n 's/.*connected to screen "\([^"]*\)".*/\1/p' "$scratch/screen" 2>/dev/null || :) # not there at first
    [ -z "$terminal" ] || cat "$terminal" >/dev/null 2>&1 || :
    sleep 1
done &
ended=0
wait "$emulator" || ended=$?
emulator=

cat "$scratch/out"
cat "$scratch/error" >&2
status=$(cat "$scratch/status" 2>/dev/null || :)
if [ -z "$status" ]; then
    # What the kernel said last or, before there was a kernel, the emulator.
    tail -n 20 "$scratch/$([ -s "$scratch/console" ] && echo console || echo screen)" >&2
    [ "$ended" = 124 ] && fail "$program: not finished in $timeout seconds"
    fail "$program: the emulated machine stopped before the program ended"
fi
exit "$status"
