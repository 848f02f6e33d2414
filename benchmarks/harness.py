# SPDX-License-Identifier: Apache-2.0
"""Runs the points of benchmarks/run: both parties as processes, every result checked against a plain join, every figure kept."""
import contextlib
import filecmp
import json
import os
import select
import shutil
import signal
import statistics
import subprocess
import time

import plan

SIDES = ("receiver", "sender")
PHASES = ("reading", "waiting", "matching", "writing")
RUN_LIMIT = 7200  # seconds that a run may take before it counts as hung
GRACE = 3  # seconds that a party has to end after the other one failed, and after it was told to
FAREWELL = 64  # bytes that a side may have sent and the other not read: the alert that closes TLS
CALIBRATE_LIMIT = 300
PEAK_ALLOWED, PEAK_SLACK = 0.1, 16_000_000  # how far a summary's peak memory may be from the kernel's; the slack is of what starts a process


class Failed(Exception):
    """A run went wrong, or its result is wrong; the message never holds an identifier."""


def first_difference(path, other):
    """Number of the first line in which two files differ, from 1."""
    with open(path, "rb") as a, open(other, "rb") as b:
        number = 0
        while True:
            number += 1
            x, y = a.readline(), b.readline()
            if x != y or not x:
                return number


def read_json(path, what):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        raise Failed(f"{what}: no JSON to read: {e}") from e


def each_figure(runs, choose):
    """The runs' dictionaries as one, each number chosen on its own; null where a run has none."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: each_figure([run[key] for run in runs], choose) for key in first}
    if None in runs:
        return None
    chosen = choose(runs)
    return round(chosen) if isinstance(first, int) else round(chosen, 6)


class Lists:
    """The two lists of a pair of sizes, and what a plain join of them gives."""

    def __init__(self, folder, build, o, point):
        self.folder, self.program = folder, os.path.join(build, "benchmarks", "lists")
        self.overlap = point.overlap
        first = point.receiver_rows - point.overlap
        shares = ["--kind", o.kind, "--messy", o.messy, "--rejects", o.rejects, "--duplicates", o.duplicates]
        self.options = {"receiver": ["--first", "0", "--count", str(point.receiver_rows), "--seed", str(2 * o.seed), *shares],
                        "sender": ["--first", str(first), "--count", str(point.sender_rows), "--seed", str(2 * o.seed + 1), *shares]}
        only = ["--only", f"{first}..{first + point.overlap}"]
        for side in SIDES:
            self.write(side + ".csv", self.options[side])
        # lists knows which row is which person, so the join needs no reader of identifiers, and cannot share a fault with Tally's.
        self.write("join.csv", self.options["receiver"] + only)
        totals = subprocess.run([self.program, *self.options["sender"], *only, "--totals"], check=True, capture_output=True, text=True)
        self.count, _, *self.sums = map(int, totals.stdout.split())
        written = sum(os.path.getsize(self.path(side + ".csv")) for side in SIDES)
        self.row_bytes = max(1, round(written / (point.receiver_rows + point.sender_rows)))
        os.sync()  # else the system writes them out while the first run is measured

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, options):
        with open(self.path(name), "wb") as f:
            subprocess.run([self.program, *options], stdout=f, check=True)

    def check_rows(self, output):
        if not os.path.exists(output):
            raise Failed("the receiver wrote no output")
        if not filecmp.cmp(output, self.path("join.csv"), shallow=False):
            raise Failed(f"the output is not the one of a plain join: they differ from line {first_difference(output, self.path('join.csv'))} on")

    def check_figures(self, columns, count, sums):
        if count != self.count:
            raise Failed(f"the count is {count}, by a plain join {self.count}")
        for i in range(columns):
            if i >= len(sums) or sums[i] != self.sums[i]:
                raise Failed(f"the sum of {plan.COLUMNS[i][0]} is {sums[i] if i < len(sums) else 'missing'}, by a plain join {self.sums[i]}")


class Harness:
    def __init__(self, o, folder, build, network, say):
        self.o, self.folder, self.build, self.network, self.say = o, folder, build, network, say
        self.tally = os.path.abspath(o.tally or os.path.join(build, "tally"))
        # A home each, as on two machines: neither waits for the other's ledger.
        self.environments = {side: os.environ | {"TALLY_HOME": self.path(f"home-{side}")} for side in SIDES}
        self.running = {}  # side -> process of a party
        self.lists = None
        self.lists_of = None
        self.calibration = o.calibration or self.path("calibration.json")
        self.key = "id_number:cn-resident-id" if o.kind == "person" else "credit_code:cn-uscc"
        self.processors = sorted(os.sched_getaffinity(0))[: o.processors]

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *arguments, side="receiver", timeout=60):
        return subprocess.run([self.tally, *arguments], env=self.environments[side], capture_output=True, text=True, timeout=timeout)

    # ---- Once ----

    def version(self):
        done = self.call("version", "--json")
        if done.returncode:
            raise Failed(f"{self.tally} version --json: status {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def make_identities(self):
        self.pins = {}
        for side in SIDES:
            made = self.call("identity", "new", side, "--organisation", f"Benchmark {side}", side=side)
            shown = self.call("identity", "show", side, side=side)
            pins = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("fingerprint:")]
            if made.returncode or not pins:
                raise Failed(f"identity of the {side}: {made.stderr.strip() or shown.stderr.strip()}")
            self.pins[side] = pins[0]

    def calibrate(self):
        """Measures this machine for predictions, unless a calibration was given."""
        if self.o.no_estimates or self.o.calibration:
            return
        self.say("calibrating: tally estimate --calibrate")
        done = self.call("estimate", "--calibrate", "--calibration", self.calibration, timeout=CALIBRATE_LIMIT)
        if done.returncode:
            raise Failed(f"tally estimate --calibrate: {done.stderr.strip()}\n--no-estimates does without")

    def predicted(self, point):
        if self.o.no_estimates or point.protocol == "plain":
            return None
        if point.protocol == "vole" and point.link.rate and self.network.kind == "relay":
            return None  # vole goes by the round trip that the kernel sees, which a relay does not delay
        arguments = ["estimate", "--json", "--role", "receiver", "--function", point.function, "--protocol", point.protocol,
                     "--mine", str(point.receiver_rows), "--theirs", str(point.sender_rows), "--row-bytes", str(self.lists.row_bytes),
                     "--calibration", self.calibration,
                     "--cores", str(point.processors[0]), "--their-cores", str(point.processors[1])]
        if point.function == "match":
            arguments += ["--security", point.security]
        if point.function == "sum":
            arguments += ["--scheme", point.scheme, *plan.value_options(point.columns)]
        if point.link.rate:
            arguments += ["--link", point.link.option()]
        if point.placement == "shared":
            arguments.append("--same-machine")
        done = self.call(*arguments)
        if done.returncode:
            raise Failed(f"tally {' '.join(arguments)}: {done.stderr.strip()}")
        for row in json.loads(done.stdout)["protocols"]:
            if (row["protocol"], row.get("scheme") or None) == (point.protocol, point.scheme):
                return {key: row[key] for key in ("wall_seconds", *SIDES)}
        raise Failed(f"tally {' '.join(arguments)}: no prediction for {point.title()}")

    # ---- One run ----

    def prepare(self, point):
        sizes = point.receiver_rows, point.sender_rows
        if self.lists_of != sizes:
            self.say(f"making lists of {sizes[0]} and {sizes[1]} entries")
            self.lists, self.lists_of = Lists(self.folder, self.build, self.o, point), sizes

    def bound_to(self, side, point):
        if point.placement == "shared":
            return self.processors[: point.processors[0]]
        half = len(self.processors) // 2
        return self.processors[:half] if side == "receiver" else self.processors[half : 2 * half]

    def command(self, side, point, at):
        source = self.path(side + ".csv")
        output = [self.path("output.csv")] if side == "receiver" and point.function == "match" else []
        if point.protocol == "plain":
            columns = [name for name, _ in plan.COLUMNS[: point.columns]] if side == "sender" else []
            return [os.path.join(self.build, "benchmarks", "plain"), side, at, source, self.key, *columns, *output]
        peer = "receiver" if side == "sender" else "sender"
        command = [self.tally, point.function, "--role", side, "--identity", side, "--peer", self.pins[peer],
                   "--listen" if side == "sender" else "--connect", at, "--input", source, "--key", self.key, "--quiet",
                   "--threads", str(point.processors[SIDES.index(side)]), "--protocol", point.protocol,
                   "--max-rejects", "100%", "--summary", self.path(side + ".json")]
        if point.function == "match":
            command += ["--security", point.security]
        elif side == "receiver":
            command += ["--json"]
        if point.function == "sum" and side == "sender":
            command += ["--scheme", point.scheme, *plan.value_options(point.columns)]
        return command + (["--output", *output] if output else [])

    def start(self, side, point, namespace, at):
        bound = ",".join(map(str, self.bound_to(side, point)))
        command = [os.path.join(self.build, "benchmarks", "launch"), self.path(side + ".time"), namespace, bound,
                   *self.command(side, point, at)]
        with open(self.path(side + ".out"), "wb") as out, open(self.path(side + ".log"), "wb") as log:
            # A session of its own: an interrupt from the terminal is for us.
            self.running[side] = subprocess.Popen(command, env=self.environments[side], stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                                  start_new_session=True)

    def wait(self):
        """Waits for both parties; once one has failed the other has GRACE seconds."""
        poll, sides, failed = select.poll(), {}, []
        try:
            for side, process in self.running.items():
                fd = os.pidfd_open(process.pid)
                sides[fd] = side
                poll.register(fd, select.POLLIN)
            until = time.monotonic() + RUN_LIMIT
            while self.running:
                ready = poll.poll(max(0, until - time.monotonic()) * 1000)
                if not ready:
                    break
                for fd, _ in ready:
                    poll.unregister(fd)
                    side = sides[fd]
                    status = self.running.pop(side).wait()
                    if status:
                        failed.append(f"the {side} ended with status {status}")
                        until = min(until, time.monotonic() + GRACE)
        finally:
            for fd in sides:
                os.close(fd)
        if failed:
            raise Failed("; ".join(failed))
        if self.running:
            raise Failed(f"no end after {RUN_LIMIT} s of: {', '.join(self.running)}")

    def end_parties(self):
        """Tells the parties that still run to end, and kills what does not: each with what it has started, its session being its own."""
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGTERM)
        until = time.monotonic() + GRACE
        while self.running:
            _, process = self.running.popitem()
            end = os.pidfd_open(process.pid)
            select.select([end], [], [], max(0, until - time.monotonic()))
            os.close(end)
            os.killpg(process.pid, signal.SIGKILL)  # before it is waited for: its number is still its own
            process.wait()

    def run(self, point):
        """One run of a point, checked."""
        for name in ("output.csv", *(side + end for side in SIDES for end in (".json", ".time", ".out", ".log"))):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))
        try:
            receiver_in, sender_in, listen_at, connect_at = self.network.start(point.link)
            self.start("sender", point, sender_in, listen_at)
            self.start("receiver", point, receiver_in, connect_at)
            self.wait()
        except BaseException:
            self.end_parties()
            self.network.abandon()
            raise
        wire = self.network.stop(point.link)
        times = {side: read_json(self.path(side + ".time"), f"time of the {side}") for side in SIDES}
        self.check(point, times)
        wall = max(t["ended"] for t in times.values()) - max(t["began"] for t in times.values())
        figures = {side: self.side_figures(side, point, times[side]) for side in SIDES}
        return {"wall_seconds": round(wall, 6), "wire_bytes": wire} | figures

    def check(self, point, times):
        if point.protocol != "plain":
            summaries = {side: read_json(self.path(side + ".json"), f"summary of the {side}") for side in SIDES}
            self.check_summaries(point, summaries, times)
        if point.function == "match":
            self.lists.check_rows(self.path("output.csv"))
            return
        result = read_json(self.path("receiver.out"), "answer of the receiver")
        try:
            sums = result.get("sums") or [int(value["sum"]) for value in result.get("values") or []]
            self.lists.check_figures(point.columns, result["count"], sums)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise Failed(f"answer of the receiver: not what a {point.function} prints ({type(e).__name__}: {e})") from e

    def check_summaries(self, point, summaries, times):
        """Each side's summary against the lists, the other's summary and the kernel's figures."""
        try:
            for side, other in (SIDES, SIDES[::-1]):
                own, peer = summaries[side], summaries[other]
                entries = point.receiver_rows if side == "receiver" else point.sender_rows
                claims = [("status", own["outcome"]["status"], "ok"), ("items", own["input"]["items"], entries),
                          ("peer's items", own["peer"]["items"], peer["input"]["items"])]
                claims += [(name, own["terms"][name], getattr(point, name)) for name in ("function", "protocol", "security")]
                if point.function == "sum":
                    claims.append(("scheme", own["terms"]["scheme"], point.scheme))
                claims.append(("bytes.protocol_sent", own["bytes"]["protocol_sent"], peer["bytes"]["protocol_received"]))
                for name, got, wanted in claims:
                    if got != wanted:
                        raise Failed(f"summary of the {side}: {name} is {got}, but the other side or the lists say {wanted}")
                unread = own["bytes"]["sent"] - peer["bytes"]["received"]
                if not 0 <= unread <= FAREWELL:
                    raise Failed(f"summary of the {side}: sent {own['bytes']['sent']} bytes, but the {other} received {peer['bytes']['received']}")
                peak, seen = own["peak_memory_bytes"], times[side]["peak_bytes"]
                if abs(peak - seen) > max(PEAK_ALLOWED * seen, PEAK_SLACK):
                    raise Failed(f"summary of the {side}: peak_memory_bytes is {peak}, but the kernel says {seen}")
            if point.function == "match" and summaries["receiver"]["result"]["items"] != self.lists.count:
                raise Failed(f"summary of the receiver: {summaries['receiver']['result']['items']} matches, by a plain join {self.lists.count}")
        except (KeyError, TypeError) as e:
            raise Failed(f"a summary lacks a field: {e}") from e

    def side_figures(self, side, point, taken):
        figures = {"cpu_seconds": taken["cpu_seconds"], "peak_bytes": taken["peak_bytes"], "disk_bytes": taken["disk_bytes"]}
        summary = {} if point.protocol == "plain" else read_json(self.path(side + ".json"), f"summary of the {side}")
        for name in ("sent", "received", "protocol_sent", "protocol_received"):
            figures[name + "_bytes"] = summary.get("bytes", {}).get(name)
        figures["phases"] = {phase: {"seconds": summary.get("seconds", {}).get(phase),
                                     "cpu_seconds": summary.get("cpu_seconds", {}).get(phase)} for phase in PHASES}
        return figures

    # ---- Points ----

    def keep_evidence(self, out):
        """What the failed run left, but for the lists; returns the folder."""
        kept = os.path.join(out, "failed")
        os.makedirs(kept, exist_ok=True)
        for name in sorted(os.listdir(self.folder)):
            if name.endswith((".log", ".out", ".json", ".time")) or name in ("output.csv", "join.csv"):
                shutil.copy(self.path(name), kept)
        return kept

    def measure(self, group):
        """Runs the points of a group in turn, round by round, so that a slow minute falls on all; returns them with their figures."""
        runs = {point: [] for point in group}
        for number in range(-self.o.warm_up, max(plan.repeats(point, self.o) for point in group)):
            for point in group if number % 2 == 0 else group[::-1]:
                if number >= plan.repeats(point, self.o):
                    continue
                self.prepare(point)
                self.say(f"{point.title()} {'warm-up' if number < 0 else f'run {number + 1}'}")
                try:
                    figures = self.run(point)
                except Failed as e:
                    raise Failed(f"{' '.join(point.title().split())}, run {number + 1}: {e}") from e
                if number >= 0:
                    runs[point].append(figures)
        return [point.shown() | {"runs": runs[point], "median": each_figure(runs[point], statistics.median),
                                 "min": each_figure(runs[point], min), "max": each_figure(runs[point], max),
                                 "predicted": self.predicted(point)} for point in group]


@contextlib.contextmanager
def interruptible():
    """SIGTERM and SIGHUP end the benchmark as an interrupt from the terminal does."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
