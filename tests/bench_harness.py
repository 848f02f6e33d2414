#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the benchmark itself: its lists, its links, and that it notices a result that is wrong.

usage: bench_harness.py BUILD-DIR [NAME]    only tests whose name holds NAME

Needs Python 3.11 and the programs of `make bench-programs`. Uses loopback, and as root network namespaces of its own
(iproute2); without, the test of them is skipped.
"""
import concurrent.futures
import csv
import datetime
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
BENCHMARKS = os.path.join(os.path.dirname(HERE), "benchmarks")
sys.path.insert(0, BENCHMARKS)
import plan  # noqa: E402
import shaping  # noqa: E402

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015
TESTS = []
SO_RCVBUFFORCE = 33  # of Linux; not in the socket module
LINK_LIMIT = 30  # seconds after which a connection over a link counts as hung


class Skipped(Exception):
    """This machine cannot do what the test needs; the message says what."""


# In place of tally: runs it, then breaks what it gave. The two braces are for the real command and for what is broken.
WRAPPER = """#!/usr/bin/env python3
import json, os, subprocess, sys
REAL, HOW = {!r}, {!r}
arguments = sys.argv[1:]
if arguments[0] not in ("match", "count", "sum"):
    sys.exit(subprocess.call([REAL, *arguments]))
after = lambda option: arguments[arguments.index(option) + 1]
receiver = after("--role") == "receiver"
if HOW == "neither" or HOW == "fail" and not receiver:
    sys.exit(5)
if HOW == "downgrade": arguments[arguments.index("malicious")] = "semi-honest"
done = subprocess.run([REAL, *arguments], env=os.environ | {{"WRAPPER": __file__}}, stdout=subprocess.PIPE)
text = done.stdout
if receiver and HOW in ("missing", "tampered", "swapped", "absent"):
    rows = open(after("--output"), "rb").read().splitlines(True)
    if HOW == "missing": del rows[-1]
    if HOW == "tampered": rows[3] = rows[3].replace(b",", b";", 1)
    if HOW == "swapped": rows[2], rows[3] = rows[3], rows[2]
    if HOW == "absent": os.unlink(after("--output"))
    else: open(after("--output"), "wb").write(b"".join(rows))
if receiver and HOW in ("count", "sum", "garbage"):
    answer = json.loads(text)
    if HOW == "count": answer["count"] += 1
    if HOW == "sum": answer["values"][1]["sum"] = str(int(answer["values"][1]["sum"]) - 1)
    text = b"none" if HOW == "garbage" else json.dumps(answer).encode()
if HOW in ("sent", "items", "lost", "memory") and receiver or HOW == "protocol" and not receiver:
    summary = json.load(open(after("--summary")))
    if HOW == "sent": summary["bytes"]["sent"] += 1000
    if HOW == "protocol": summary["bytes"]["protocol_sent"] += 1
    if HOW == "items": summary["input"]["items"] -= 1
    if HOW == "memory": summary["peak_memory_bytes"] += 100000000
    if HOW == "lost": del summary["terms"]
    json.dump(summary, open(after("--summary"), "w"))
sys.stdout.buffer.write(text)
sys.exit(done.returncode)
"""


def test(function):
    TESTS.append(function)
    return function


def lists(build, *options):
    done = subprocess.run([build + "/benchmarks/lists", *options], capture_output=True, check=True)
    return done.stdout.decode()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


# ---- Identifiers, read by other means than Tally's ----

def folded(text):
    return "".join(c for c in unicodedata.normalize("NFKC", text).upper() if not c.isspace()).removeprefix("'")


def resident(text):
    """The canonical resident id, or None."""
    text = folded(text)
    if re.fullmatch(r"\d{15}", text):
        text = text[:6] + "19" + text[6:]
        text += next(c for c in "0123456789X" if mod_11_2(text + c))
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", text) or not mod_11_2(text):
        return None
    try:
        datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None
    return text


def mod_11_2(text):
    """ISO 7064, the recursive way: Tally and lists have a table of weights."""
    p = 0
    for c in text[:-1]:
        p = (p + int(c)) * 2 % 11
    return (p + int(text[-1].replace("X", "10"))) % 11 == 1


def company(text):
    """The canonical credit code, or None."""
    text = folded(text)
    if len(text) != 18 or any(c not in ALPHABET for c in text):
        return None
    total = sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(text[:17])) + ALPHABET.index(text[17])
    return text if total % 31 == 0 else None


def organisation_checks(code):
    """GB 11714-1997 over characters 9 to 17 of a credit code."""
    total = sum(int(c, 36) * w for c, w in zip(code[8:16], (3, 7, 9, 10, 5, 8, 4, 2)))
    return code[16] == "0X987654321"[total % 11]


# ---- Lists ----

MESSY = ("--messy", "30%", "--rejects", "10%", "--duplicates", "20%")


@test
def lists_are_reproducible(build):
    text = lists(build, "--count", "2000", "--seed", "7", *MESSY)
    assert text == lists(build, "--count", "2000", "--seed", "7", *MESSY), "the same options give another list"
    assert text != lists(build, "--count", "2000", "--seed", "8", *MESSY), "the seed changes nothing"


@test
def lists_have_valid_ids(build):
    ids = [r["id_number"] for r in rows_of(lists(build, "--first", "123456789", "--count", "20000"))]
    assert len(set(ids)) == 20000 and all(resident(i) == i for i in ids)
    codes = [r["credit_code"] for r in rows_of(lists(build, "--count", "20000", "--kind", "company"))]
    assert len(set(codes)) == 20000 and all(company(c) == c and organisation_checks(c) for c in codes)


@test
def lists_spell_in_many_ways(build):
    for kind, column, canonical in (("person", "id_number", resident), ("company", "credit_code", company)):
        plainly = {r[column] for r in rows_of(lists(build, "--count", "20000", "--kind", kind))}
        messy = [r[column] for r in rows_of(lists(build, "--count", "20000", "--kind", kind, "--messy", "10%", "--seed", "9"))]
        assert {canonical(text) for text in messy} == plainly, f"{kind}: a spelling is not of its entry"
        others = [text for text in messy if text not in plainly]
        assert 1700 < len(others) < 2300, f"{kind}: {len(others)} of 20000 are messy, not a tenth"
        kinds = {"lower case": str.islower, "full width": lambda t: not t.isascii() and t.strip() == t, "blanks inside": lambda t: " " in t.strip(),
                 "blanks around": lambda t: t.strip() != t, "apostrophe": lambda t: t.startswith("'")}
        if kind == "person":
            kinds["15 digits"] = lambda t: len(t) == 15
        for name, has in kinds.items():
            assert any(map(has, others)), f"{kind}: none with {name}"


@test
def lists_have_the_named_overlap(build):
    for kind, column, canonical in (("person", "id_number", resident), ("company", "credit_code", company)):
        mine = ("--count", "3000", "--seed", "1", "--kind", kind, *MESSY)
        theirs = ("--first", "2500", "--count", "2000", "--seed", "2", "--kind", kind, *MESSY)
        a, b = lists(build, *mine), lists(build, *theirs)
        here, there = ([canonical(r[column]) for r in rows_of(text)] for text in (a, b))
        both = set(here) & set(there) - {None}
        assert len(both) == 500, f"{kind}: {len(both)} on both lists"
        lines = a.splitlines(True)
        joined = "".join(lines[:1] + [line for line, i in zip(lines[1:], here, strict=True) if i in both])
        assert joined == lists(build, *mine, "--only", "2500..3000"), f"{kind}: --only is not the plain join"
        matched = [r for r, i in zip(rows_of(b), there) if i in both]
        sums = [sum(int(r[c]) for r in matched) for c, _ in plan.COLUMNS]
        totals = [int(x) for x in lists(build, *theirs, "--only", "2500..3000", "--totals").split()]
        assert totals == [500, len(matched), *sums], f"{kind}: --totals is not the plain join"
        assert 200 < here.count(None) < 400 and 500 < len(here) - here.count(None) - 3000 < 700, f"{kind}: shares of rejects and duplicates"


@test
def lists_refuse_what_makes_no_sense(build):
    for wrong in ([], ["--count", "-1"], ["--count", "5", "--messy", "5"], ["--count", "5", "--only", "7"], ["--count", "5", "6"]):
        done = subprocess.run([build + "/benchmarks/lists", *wrong], capture_output=True, text=True)
        assert done.returncode == 1 and "lists: " in done.stderr, wrong


# ---- Options ----

@test
def options_are_read(build):
    assert plan.sizes("2^10..2^14/2,10k,1M,2^10") == [1 << 10, 1 << 12, 1 << 14, 10_000, 1_000_000]
    own = plan.links("lan,mine=2.5mbit,80ms,wan10")
    assert [line.name for line in own] == ["lan", "mine", "wan10"] and own[1].rate == 2_500_000 and own[1].round_trip == 0.08
    for option, wrong in (("--sizes", "2^40"), ("--sizes", "2^10..100"), ("--links", "mars"), ("--functions", "guess"), ("--messy", "5")):
        done = subprocess.run([BENCHMARKS + "/run", option, wrong, "--dry-run"], capture_output=True, text=True)
        assert done.returncode == 2 and f"'{wrong}'" in done.stderr, (option, wrong, done.stderr)


@test
def default_matrix_is_in_time(build):
    with open(os.path.join(os.path.dirname(HERE), "Makefile"), encoding="utf-8") as f:
        defaults = re.search(r"\$\(or \$\(OPTIONS\),([^)]*)\)", f.read())[1].split()
    done = subprocess.run([BENCHMARKS + "/run", *defaults, "--dry-run"], capture_output=True, text=True, check=True)
    assert int(re.search(r"about (\d+) min", done.stdout)[1]) < 40, done.stdout.splitlines()[-1]


# ---- Kernels ----

@test
def kernels_are_listed(build):
    done = subprocess.run([build + "/benchmarks/kernels", "--json", "--repeats", "1", "--seconds", "0.001", "--threads", "2"], capture_output=True,
                          text=True, check=True, timeout=120)
    rows = {(row["kernel"], row["backend"], row["threads"]): row for row in json.loads(done.stdout)}
    for kernel in ("scalar_mul", "hash_to_group", "base_mul", "sum_var"):
        assert {threads for name, backend, threads in rows if name == kernel and backend == "portable"} == {1, 2}, kernel
    assert ("openssl_x25519", "openssl", 1) in rows and ("sodium_ristretto255", "libsodium", 1) in rows
    for name, row in rows.items():
        assert 0 < row["ops_per_s_min"] <= row["ops_per_s"] <= row["ops_per_s_max"], name
        assert row["cycles_per_op"] is None or 0 < row["cycles_per_op_min"] <= row["cycles_per_op"] <= row["cycles_per_op_max"], name
    text = subprocess.run([build + "/benchmarks/kernels", "--repeats", "1", "--seconds", "0.001", "--only", "scalar_mul,expand"], capture_output=True,
                          text=True, check=True, timeout=120).stdout
    table = list(csv.DictReader(io.StringIO(text)))
    assert {row["kernel"] for row in table} == {"scalar_mul", "expand"} and all(float(row["ops_per_s"]) > 0 for row in table)


# ---- Runs ----

def bench(build, folder, *options, **more):
    command = [BENCHMARKS + "/run", "--build", build, "--out", folder, "--no-estimates", "--repeats", "1", "--scaling", "none", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


@test
def honest_runs_pass(build):
    with tempfile.TemporaryDirectory() as out:
        done = bench(build, out, "--sizes", "2^8", "--links", "loopback", "--duplicates", "10%", "--rejects", "5%", "--messy", "20%",
                     "--schemes", "rlwe", "--repeats", "2")
        assert done.returncode == 0, done.stderr
        with open(out + "/results.json", encoding="utf-8") as f:
            results = json.load(f)
        assert results["schema"] == "tally-bench-1" and len(results["points"]) == 8 and results["complete"] is True
        for point in results["points"]:
            assert len(point["runs"]) == 2 and point["overlap"] == 25 and point["predicted"] is None
            for side in ("receiver", "sender"):
                assert point["median"][side]["cpu_seconds"] > 0 and point["median"][side]["peak_bytes"] > 1 << 20
                assert (point["median"][side]["sent_bytes"] is None) == (point["protocol"] == "plain")
            assert point["min"]["wall_seconds"] <= point["median"]["wall_seconds"] <= point["max"]["wall_seconds"]
        with open(out + "/results.csv", encoding="utf-8") as f:
            assert len(list(csv.DictReader(f))) == 16


@test
def companies_and_unequal_lists_pass(build):
    with tempfile.TemporaryDirectory() as out:
        done = bench(build, out, "--sizes", "300", "--theirs", "1000", "--kind", "company", "--links", "slow=20mbit,10ms", "--messy", "50%",
                     "--protocols", "vole,plain", "--functions", "match", "--placement", "shared")
        assert done.returncode == 0, done.stderr
        with open(out + "/results.json", encoding="utf-8") as f:
            results = json.load(f)
        wire = results["points"][1]["median"]["wire_bytes"]
        known = results["machine"]["shaping"] != "relay"
        assert all((wire[way] is not None) == known for way in wire)
        assert not known or wire["to_sender"] > results["points"][1]["median"]["receiver"]["sent_bytes"]
        assert results["points"][1]["median"]["wall_seconds"] > 0.03, "faster than three round trips"


@test
def relay_carries_runs(build):
    with tempfile.TemporaryDirectory() as out:
        done = bench(build, out, "--sizes", "2^8", "--shaping", "relay", "--links", "slow=20mbit,10ms", "--protocols", "vole,plain")
        assert done.returncode == 0, done.stderr


def write_wrapper(build, folder, how):
    path = folder + "/tally"
    with open(path, "w", encoding="utf-8") as f:
        f.write(WRAPPER.format(build + "/tally", how))
    os.chmod(path, 0o700)
    return path


def left_running(program):
    """Processes with the program in their command line or, of the tally that it runs, in the environment."""
    left = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as a, open(f"/proc/{entry}/environ", "rb") as b:
                seen = a.read() + b.read()
        except OSError:  # it ended just now, or is another user's
            continue
        if program.encode() in seen and int(entry) != os.getpid():
            left.append(entry)
    return left


@test
def wrong_results_are_noticed(build):
    """What the wrapper breaks, in which function and protocol, and what the message must say."""
    malicious = ("ecdh", "--security", "malicious")
    cases = (("missing", "match", ("vole",), "not the one of a plain join: they differ from line 26 on"),
             ("missing", "match", malicious, "they differ from line 26 on"), ("downgrade", "match", malicious, "security is semi-honest"),
             ("tampered", "match", ("vole",), "they differ from line 4 on"), ("swapped", "match", ("vole",), "they differ from line 3 on"),
             ("absent", "match", ("vole",), "wrote no output"), ("count", "count", ("ecdh",), "the count is 26"),
             ("sum", "sum", ("ecdh",), "the sum of score is"), ("garbage", "count", ("ecdh",), "no JSON"),
             ("fail", "count", ("ecdh",), "the sender ended with status 5"), ("sent", "match", ("vole",), "summary of the receiver: sent"),
             ("protocol", "match", ("vole",), "summary of the sender: bytes.protocol_sent"), ("items", "match", ("vole",), "items is 255"),
             ("memory", "match", ("vole",), "peak_memory_bytes is"), ("lost", "match", ("vole",), "lacks a field"))
    for how, function, protocol, words in cases:
        with tempfile.TemporaryDirectory() as out:
            wrapper = write_wrapper(build, out, how)
            done = bench(build, out + "/results", "--tally", wrapper, "--sizes", "2^8", "--links", "loopback", "--functions", function,
                         "--schemes", "rlwe", "--protocols", *protocol)
            assert done.returncode == 1, f"{how}: status {done.returncode}\n{done.stderr}"
            assert words in done.stderr, f"{how}: {done.stderr}"
            assert not re.search(r"\d{15}", done.stderr), f"{how}: an identifier in the message"
            assert os.path.exists(out + "/results/failed/receiver.log"), f"{how}: no logs kept"
            assert not left_running(wrapper), f"{how}: a party is left"


@test
def failure_over_a_relay_is_told(build):
    """The relay waits for a party that never comes; the message must be the party's failure."""
    with tempfile.TemporaryDirectory() as out:
        done = bench(build, out, "--tally", write_wrapper(build, out, "neither"), "--sizes", "2^8", "--shaping", "relay", "--links", "lan",
                     "--functions", "count", "--protocols", "ecdh")
        assert done.returncode == 1 and "ended with status 5" in done.stderr, done.stderr


@test
def interrupt_leaves_nothing(build):
    with tempfile.TemporaryDirectory() as out:
        # A line on which the second size takes a quarter of a minute, however fast the machine.
        command = [BENCHMARKS + "/run", "--build", build, "--out", out, "--no-estimates", "--sizes", "2^8,2^14", "--links", "slow=1mbit,10ms",
                   "--functions", "count", "--repeats", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for _ in range(2):  # the two points of the first size
                process.stdout.readline()
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130 and "interrupted" in said, (process.returncode, said)
        with open(out + "/results.json", encoding="utf-8") as f:
            results = json.load(f)
        assert len(results["points"]) == 2 and results["complete"] is False
        left = [name for name in shaping.all_namespaces() if name.startswith(f"tally-bench-{process.pid}-")]
        assert not left, f"network namespaces are left: {left}"


@test
def killed_benchmarks_are_swept(build):
    """The namespaces of a process that is no more go, those of one that runs stay."""
    network = shaping.Shaping("tun", build)
    try:
        network.open()
    except shaping.LinkFailed as e:
        raise Skipped(str(e)) from e
    finally:
        network.close()
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, alive = f"tally-bench-{ended.pid}-sender", f"tally-bench-{os.getpid()}-sender"
    try:
        for name in (dead, alive):
            shaping.call("ip", "netns", "add", name)
        shaping.remove_stale()
        assert dead not in shaping.all_namespaces() and alive in shaping.all_namespaces(), shaping.all_namespaces()
    finally:
        for name in (dead, alive):
            shaping.attempt("ip", "netns", "del", name)


@test
def results_of_before_go(build):
    """A run that fails at once leaves no results of the run before it."""
    with tempfile.TemporaryDirectory() as out:
        for name in ("results.json", "results.csv", "index.html"):
            with open(f"{out}/{name}", "w", encoding="utf-8"):
                pass
        done = bench(build, out, "--tally", "/bin/false", "--sizes", "2^8", "--links", "loopback")
        assert done.returncode == 1 and "version" in done.stderr, done.stderr
        assert os.listdir(out) in ([], ["failed"]), os.listdir(out)


# ---- Links ----

def take_all(connection, seen):
    while chunk := connection.recv(1 << 20):
        seen.append((time.monotonic(), len(chunk)))


def rate_of(seen):
    """Bits a second once the first second is over; 0 if little came."""
    late = [(at, n) for at, n in seen if at >= seen[0][0] + 1]
    if len(late) < 2 or late[-1][0] == late[0][0]:
        return 0
    return 8 * sum(n for _, n in late[1:]) / (late[-1][0] - late[0][0])


def push(connection, until):
    block = bytes(1 << 16)
    while time.monotonic() < until:
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)


def measure_link(listener, connect):
    """(least and middle round trip, rate to the listener, rate back), both ways at once."""
    listener.settimeout(LINK_LIMIT)
    out = connect()
    back = listener.accept()[0]
    for s in (out, back):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(LINK_LIMIT)
    trips = []
    for _ in range(20):
        began = time.monotonic()
        out.sendall(b"x")
        back.sendall(back.recv(1))
        out.recv(1)
        trips.append(time.monotonic() - began)
    trips.sort()
    until, seen = time.monotonic() + 3.5, ([], [])
    with out, back, concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(push, s, until) for s in (out, back)]
        work += [pool.submit(take_all, s, into) for s, into in ((back, seen[0]), (out, seen[1]))]
        for one in work:
            one.result()
    return trips[0], trips[10], *map(rate_of, seen)


def check_link(measure, payload):
    """A link may not be faster than what was asked for; a busy machine makes it slower, so there it has room, and five tries."""
    for _ in range(5):
        least, middle, to, back = measure()
        if least >= 0.0299 and middle <= 0.060 and all(0.70 <= rate / (1e8 * payload) <= 1.03 for rate in (to, back)):
            return
    raise AssertionError(f"100 Mbit/s, 30 ms: round trip {least * 1e3:.2f} ms, middle {middle * 1e3:.2f} ms, "
                         f"{to / payload / 1e6:.1f} and {back / payload / 1e6:.1f} Mbit/s")


@test
def relay_has_rate_and_delay(build):
    network = shaping.Shaping("relay", build)
    link = plan.LINKS["wan100"]

    def measure():
        _, _, listen_at, connect_at = network.start(link)
        with socket.create_server(("127.0.0.1", int(listen_at.split(":")[1]))) as listener:
            try:
                return measure_link(listener, lambda: socket.create_connection(("127.0.0.1", int(connect_at.split(":")[1]))))
            finally:
                network.stop(link)
    try:
        check_link(measure, 1.0)
    finally:
        network.close()


def socket_in(namespace):
    """A TCP socket of another network namespace; this thread comes back to its own."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/var/run/netns/{namespace}", "rb") as there:
        for space in (there, home):
            if libc.setns(space.fileno(), 0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
            if space is there:
                made = socket.socket()
    # A window that fills the line and part of its queue, so that nothing is dropped: the link is measured, not TCP.
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 900_000)
    return made


@test
def shaped_link_has_rate_and_delay(build):
    network = shaping.Shaping("auto", build)
    link = plan.LINKS["wan100"]
    reason = network.open()
    if network.kind == "relay":
        raise Skipped(reason)

    def measure():
        receiver, sender, _, _ = network.start(link)
        try:
            listener = socket_in(sender)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((shaping.SENDER, shaping.PORT))
            listener.listen(1)

            def connect():
                s = socket_in(receiver)
                s.connect((shaping.SENDER, shaping.PORT))
                return s
            with listener:
                return measure_link(listener, connect)
        finally:
            network.stop(link)
    try:
        check_link(measure, 1448 / 1500)  # of each 1500 bytes 20 are of IP, 32 of TCP with its timestamps
    finally:
        network.close()


def main(argv):
    if not 1 <= len(argv) <= 2 or argv[0].startswith("-"):
        sys.exit(__doc__)
    build, passed, failed, skipped = os.path.abspath(argv[0]), 0, 0, 0
    began = time.monotonic()
    for function in TESTS:
        if len(argv) == 2 and argv[1] not in function.__name__:
            continue
        try:
            function(build)
            passed += 1
        except Skipped as e:
            skipped += 1
            print(f"bench-harness: {function.__name__} skipped: {e}")
        except Exception as e:  # whatever breaks is one failed test, and the others still run
            failed += 1
            print(f"bench-harness: {function.__name__}: {type(e).__name__}: {e}")
    print(f"bench-harness  {passed + failed} tests, {failed} failed, {skipped} skipped ({time.monotonic() - began:.0f} s)")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a", encoding="utf-8") as f:
            f.write(f"bench-harness {passed} {failed}\n")
    return 1 if failed or not passed + skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
