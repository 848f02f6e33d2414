# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of every kernel under callgrind, with each backend, and compares them with benchmarks/counts.txt.

usage: counts.py [--store] [--cc CC] [--flags CFLAGS] COUNTED; COUNTED is the program of benchmarks/counted.c. A kernel that takes more than 3 % more
than its stored figure fails; one that takes more than 3 % less is a warning. Without a stored figure for this compiler and architecture,
and without valgrind, it says so and skips. Libraries are counted too: where their versions are not those of the file, more is only a
warning as well. --store writes what it counts and the versions into the file (make bench-counts).
"""
import argparse
import collections
import concurrent.futures
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counts.txt")
FLAGS = "-O3 -g"  # of the figures
ALLOWED = 0.03
STORE = "make bench-counts"
BACKENDS = ("portable", "avx2")  # valgrind runs no AVX-512
TITLE = f"{'bench-smoke: counts':<24}"

# One choice for all machines in every library that chooses by processor and can be told: OpenSSL has SSE2, SSSE3, PCLMULQDQ and AES
# instructions (without the last, tables of AES would be most of vole and rlwe), the C library no AVX2. What is left (GMP, libsodium's streams)
# looks at the processor that valgrind emulates, whose class is a part of the architecture.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C", "OPENSSL_ia32cap": "0x0200020207800000:0",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-BMI2,-RTM",
}


def skip(why):
    print(f"{TITLE} skipped: {why}")
    return 0


def compiler_name(cc):
    """gcc-12, clang-14, or None where the compiler does not say."""
    try:
        done = subprocess.run([*shlex.split(cc), "-dM", "-E", "-x", "c", os.devnull], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise SystemExit(f"counts: cannot ask the compiler {cc} for its version: {e}") from e
    for name, macro in (("clang", "__clang_major__"), ("gcc", "__GNUC__")):
        if found := re.search(rf"^#define {macro} (\d+)$", done.stdout, re.M):
            return f"{name}-{found[1]}"
    return None


def inclusive(path):
    """{kernel: instructions}: of each function kernel_NAME, its own lines and those of its calls, in callgrind's file."""
    counts, names, kernel = collections.Counter(), {}, None
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("fn="):
                number, name = re.fullmatch(r"fn=(\(\d+\))(?: (.+))?\n", line).groups()
                if name:
                    names[number] = name
                kernel = names[number][7:] if names.get(number, "").startswith("kernel_") else None
            elif found := re.match(r"cfn=(\(\d+\)) (.+)\n", line):
                names[found[1]] = found[2]
            elif kernel and (found := re.fullmatch(r"[+\-*\d]\d* (\d+)\n", line)):
                counts[kernel] += int(found[1])
    return counts


def versions(program):
    """The libraries whose instructions are counted too, and valgrind, whose emulated processor they see."""
    said = []
    for command in ([program, "--versions"], ["valgrind", "--version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"counts: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        said.append(done.stdout.strip())
    return ", ".join(said)


def count(program, backend):
    """(class of the emulated processor, {kernel: instructions}) with this TALLY_BACKEND."""
    with tempfile.TemporaryDirectory(prefix="tally-counts-") as folder:
        out = os.path.join(folder, "callgrind.out")
        done = subprocess.run(["valgrind", "--tool=callgrind", "--quiet", "--collect-atstart=no", "--toggle-collect=kernel_*",
                               f"--callgrind-out-file={out}", program, folder],
                              env={**ENVIRONMENT, "TALLY_BACKEND": backend}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"counts: {program} under callgrind ended with {done.returncode}: {done.stderr[-600:].strip()}")
        (level, number), figures = done.stdout.split(), inclusive(out)
        if len(figures) != int(number):
            raise SystemExit(f"counts: callgrind shows {len(figures)} of the {number} kernels of {program}: {', '.join(figures)}")
        return level, figures


def count_all(program):
    """(class of the emulated processor, {(kernel, backend): instructions}), backends side by side."""
    counted = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for backend, (level, figures) in zip(BACKENDS, pool.map(lambda b: count(program, b), BACKENDS)):
            if backend in ("portable", level):
                counted |= {(kernel, backend): figure for kernel, figure in figures.items()}
    return level, counted


def read_stored():
    """{(compiler, architecture): {(kernel, backend): count}}, {the same: versions}, and the comment at the top."""
    stored, made_with, head = collections.defaultdict(dict), {}, []
    with open(FILE, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if found := re.fullmatch(r"# (\S+) on (\S+): (OpenSSL .+)\n", line):
                made_with[found[1], found[2]] = found[3]
            elif line.startswith("#") or not line.strip():
                head.append(line)
            else:
                parts = line.split()
                if len(parts) != 5 or not parts[4].isdigit() or int(parts[4]) == 0:
                    raise SystemExit(f"counts: {FILE}:{number}: not 'KERNEL BACKEND COMPILER ARCHITECTURE COUNT'; write the file anew with '{STORE}'")
                stored[parts[2], parts[3]][parts[0], parts[1]] = int(parts[4])
    return stored, made_with, head


def store(stored, made_with, head, key, counted):
    stored[key] = counted
    with open(FILE, "w", encoding="utf-8") as f:
        f.writelines(head)
        f.writelines(f"# {' on '.join(one)}: {text}\n" for one, text in sorted(made_with.items()))
        for (compiler, architecture), figures in sorted(stored.items()):
            for (kernel, backend), figure in sorted(figures.items()):
                f.write(f"{kernel:<24} {backend:<8} {compiler:<9} {architecture:<12} {figure:>12}\n")
    print(f"{TITLE} {len(counted)} figures for {' on '.join(key)} stored in benchmarks/counts.txt")
    return 0


def compare(figures, counted, strict):
    """Number of figures that fail, each said; without strict more instructions are a warning."""
    failed = 0
    for one in sorted(figures.keys() | counted.keys()):
        old, new, kernel = figures.get(one), counted.get(one), f"{one[0]} ({one[1]})"
        if not old or not new:
            what = "has no stored figure" if new else "has a stored figure and was not counted"
            print(f"counts: {kernel} {what}; if that is meant, store the figures: {STORE}")
            failed += 1
            continue
        change = new / old - 1
        text = f"counts: {kernel} takes {new} instructions, {abs(change):.1%} {'more' if change > 0 else 'less'} than the {old} stored"
        if change > ALLOWED:
            print(f"{text}{'' if strict else ' (a warning)'}; if that is meant, store the figures: {STORE}")
            failed += strict
        elif change < -ALLOWED:
            print(f"{text} (a warning): store the better figure, so that it is held: {STORE}")
    return failed


def main():
    p = argparse.ArgumentParser(description="Instructions of every kernel against benchmarks/counts.txt.")
    p.add_argument("--store", action="store_true", help="write the figures into the file")
    p.add_argument("--cc", default="cc", help="the compiler the program was built by")
    p.add_argument("--flags", default=FLAGS, help="its options")
    p.add_argument("counted", help="the program of benchmarks/counted.c")
    o = p.parse_args()
    if o.flags.split() != FLAGS.split():
        return skip(f"figures are stored for CFLAGS=\"{FLAGS}\", this build has \"{o.flags}\"")
    if not shutil.which("valgrind", path=ENVIRONMENT["PATH"]):
        return skip("valgrind is missing: install it with 'make deps'")
    if not os.access(o.counted, os.X_OK):
        raise SystemExit(f"counts: {o.counted} is no program: build it with 'make VARIANT=plain {o.counted}'")
    compiler = compiler_name(o.cc)
    if not compiler:
        return skip(f"{o.cc} is neither gcc nor clang")
    stored, made_with, head = read_stored()
    known = {architecture for name, architecture in stored if name == compiler and architecture.startswith(platform.machine() + "-")}
    if not known and not o.store:
        return skip(f"no stored figures for {compiler} on {platform.machine()}; store some: {STORE}")
    level, counted = count_all(os.path.abspath(o.counted))
    key = (compiler, f"{platform.machine()}-{level}")
    here = versions(o.counted)
    if o.store:
        return store(stored, made_with | {key: here}, head, key, counted)
    if key not in stored:
        return skip(f"no stored figures for {' on '.join(key)}; store some: {STORE}")
    if here != made_with.get(key):
        print(f"counts: here are {here}; the figures are of {made_with.get(key, 'unknown versions')}: more instructions are only a warning")
    failed = compare(stored[key], counted, here == made_with.get(key))
    total = len(stored[key].keys() | counted.keys())
    print(f"{TITLE} {total} figures, {failed} failed; instructions by {compiler} for {key[1]}")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a", encoding="utf-8") as f:
            f.write(f"bench-smoke-counts {total - failed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
