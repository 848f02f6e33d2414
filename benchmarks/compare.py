#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tally against the insecure exchange of hashes (benchmarks/plain.c), CSV to CSV, two processes each on loopback.

usage: compare.py [--plain-only] BUILD-DIR [N_RECEIVER N_SENDER OVERLAP [RUNS [options of tally match...]]]

Makes the lists once, then runs the two in turn, the order changing from run to run. After every run the output must
have OVERLAP rows and be byte for byte the one of the first run. Wall time counts from the start of the first party to
the end of the last. Peak memory is the kernel's figure and never below that of this script, about 16 MB.
"""
import filecmp, os, shutil, signal, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
from shaping import free_port  # noqa: E402

KEY = "id_number:cn-resident-id"
SIDES = "sender", "receiver"
running = set()  # process ids we started and have not waited for


class Failed(Exception):
    pass


def start(argv, log):
    """Spawns argv with standard output and error to the file log."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    finally:
        os.close(out)
    running.add(pid)
    return pid


def kill_all():
    for pid in list(running):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        running.discard(pid)


class Bench:
    def __init__(self, folder, build, sizes, options):
        self.folder, self.build, self.options = folder, os.path.abspath(build), options
        self.n_receiver, self.n_sender, self.overlap = sizes
        os.environ["TALLY_HOME"] = self.path("home")
        self.make_list("receiver", 0, self.n_receiver, 1)
        self.make_list("sender", self.n_receiver - self.overlap, self.n_sender, 2)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_list(self, side, first, count, seed):
        with open(self.path(side + ".csv"), "wb") as f:
            command = [self.build + "/benchmarks/lists", "--first", str(first), "--count", str(count), "--seed", str(seed)]
            subprocess.run(command, stdout=f, check=True)

    def make_identities(self):
        tally = self.build + "/tally"
        self.pins = {}
        for side in SIDES:
            subprocess.run([tally, "identity", "new", side, "--organisation", "Benchmark " + side],
                           check=True, capture_output=True)
            shown = subprocess.run([tally, "identity", "show", side], check=True, capture_output=True, text=True)
            self.pins[side] = next(line.split()[1] for line in shown.stdout.splitlines()
                                   if line.startswith("fingerprint:"))

    def plain(self, side, port, output):
        argv = [self.build + "/benchmarks/plain", side, f"127.0.0.1:{port}", self.path(side + ".csv"), KEY]
        return argv + [output] if side == "receiver" else argv

    def tally(self, side, port, output):
        peer = "receiver" if side == "sender" else "sender"
        argv = [self.build + "/tally", "match", "--role", side, "--identity", side, "--peer", self.pins[peer],
                "--listen" if side == "sender" else "--connect", f"127.0.0.1:{port}",
                "--input", self.path(side + ".csv"), "--key", KEY, "--quiet"]
        return argv + (["--output", output] if side == "receiver" else []) + self.options

    def run(self, name):
        """One run of both sides: wall seconds, and CPU seconds and peak KiB by side."""
        port, output, used = free_port(), self.path(name + ".csv"), {}
        if os.path.exists(output):
            os.unlink(output)
        began = time.monotonic()
        side_of = {start(getattr(self, name)(side, port, output), self.path(side + ".log")): side for side in SIDES}
        while len(used) < 2:
            pid, status, usage = os.wait4(-1, 0)
            running.discard(pid)
            side = side_of[pid]
            used[side] = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
            if status:
                kill_all()
                with open(self.path(side + ".log"), errors="replace") as log:
                    raise Failed(f"{name}, {side}: status {os.waitstatus_to_exitcode(status)}\n{log.read()}")
        wall = time.monotonic() - began
        self.check(name, output)
        return wall, used

    def check(self, name, output):
        with open(output, "rb") as f:
            rows = sum(1 for _ in f) - 1
        if rows != self.overlap:
            raise Failed(f"{name} wrote {rows} rows, not {self.overlap}")
        reference = self.path("reference")
        if not os.path.exists(reference):
            shutil.copyfile(output, reference)
        elif not filecmp.cmp(output, reference, shallow=False):
            raise Failed(f"{name} wrote another file than the first run")


def report(name, runs):
    walls = [wall for wall, _ in runs]
    print(f"{name:6} wall median {statistics.median(walls):8.3f} s   min {min(walls):8.3f}   max {max(walls):8.3f}")
    for side in SIDES:
        cpu = statistics.median(used[side][0] for _, used in runs)
        peak = max(used[side][1] for _, used in runs)
        print(f"{'':6} {side:8} CPU median {cpu:8.3f} s   peak memory {peak * 1024 / 1e6:8.1f} MB")


def main(argv):
    plain_only = argv[:1] == ["--plain-only"]
    argv = argv[plain_only:]
    if not argv or argv[0].startswith("-") or 1 < len(argv) < 4:
        sys.exit(__doc__)
    sizes = [int(x) for x in argv[1:4]] or [1 << 14, 1 << 14, (1 << 14) // 10]
    count = int(argv[4]) if len(argv) > 4 else 5
    if min(sizes) < 0 or sizes[2] > min(sizes[:2]) or count < 1:
        sys.exit("compare.py: OVERLAP is at most the smaller list, RUNS at least 1")
    names = ["plain"] if plain_only else ["plain", "tally"]
    results = {name: [] for name in names}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="tally-compare-") as folder:
        bench = Bench(folder, argv[0], sizes, argv[5:])
        if not plain_only:
            bench.make_identities()
        try:
            for i in range(count):
                for name in names if i % 2 == 0 else reversed(names):
                    results[name].append(bench.run(name))
        finally:
            kill_all()
    print(f"receiver {sizes[0]} rows, sender {sizes[1]}, overlap {sizes[2]}; {count} runs, "
          f"{os.cpu_count()} processors; outputs identical, {sizes[2]} rows")
    for name in names:
        report(name, results[name])
    if not plain_only:
        walls = [[wall for wall, _ in results[name]] for name in names]
        ratio = statistics.median(walls[1]) / statistics.median(walls[0])
        pairs = statistics.median(t / p for p, t in zip(*walls))
        print(f"ratio of medians {ratio:.2f}   median of the ratios run by run {pairs:.2f}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failed, subprocess.CalledProcessError, OSError) as e:
        sys.exit(f"compare.py: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
