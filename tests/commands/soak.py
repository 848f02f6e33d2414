# SPDX-License-Identifier: Apache-2.0
"""--long: scale with its figures, and a minute of kills at random."""
import json
import os
import random
import time

import people
from breaks import PROTOCOLS, start
from harness import PARTS, test, wait_until


def measured(t, *more, **pair):
    """Both sides to their ends, with Party.peak. At most 15 minutes."""
    s, r = t.pair(*more, wait=False, **pair)
    for p in (s, r):
        p.deadline += 840
    wait_until(lambda: s.look() + r.look() == 2, 900, 0.005)
    s.wait(), r.wait()
    t.good(s, r)
    return s, r


@test(long=True)
def scale(t):
    n = 1 << int(os.environ.get("TALLY_SCALE", "18"))
    # What the program costs before any list.
    t.ids("sender.csv", range(1))
    t.ids("receiver.csv", range(1))
    base = max(p.peak for p in measured(t))
    own = t.ids("receiver.csv", range(n))
    other = t.ids("sender.csv", range(n // 2, n + n // 2), seed=2)
    want = people.join(own, other)
    for what, words in (("vole", ["--protocol", "vole"]), ("ecdh", ["--protocol", "ecdh"]), ("malicious", ["--security", "malicious"])):
        s, r = measured(t, sender=["--summary", "s.json"], receiver=["-o", "out.csv", "--summary", "r.json", "--force"],
                        both=words, timeout="60s")
        if s.status or r.status:
            continue
        t.equal(t.read("out.csv"), want, f"{n} x {n}, {what}")
        for p in (s, r):
            cpu = p.usage.ru_utime + p.usage.ru_stime
            above = (p.peak - base) / n
            summary = json.loads(t.read(p.name[0] + ".json"))
            t.note(f"{n} x {n} {what}, {p.name}: wall {p.seconds:.1f} s, CPU {cpu:.1f} s ({cpu / p.seconds:.2f} cores), "
                   f"peak {p.peak / 1e6:.1f} MB = {p.peak / n:.0f} bytes a row, {above:.0f} above the {base / 1e6:.1f} MB of a run with one row; "
                   f"sent {summary['bytes']['sent']}, received {summary['bytes']['received']}; seconds {json.dumps(summary['seconds'])}")
            t.check(above <= 400, f"{p.name}, {what}: {above:.0f} bytes of peak memory a row, at most 400")


@test(long=True)
def kills_at_random(t):
    rng = random.Random()
    seed = int(os.environ.get("TALLY_SEED", rng.randrange(1 << 30)))
    rng.seed(seed)
    t.note(f"TALLY_SEED={seed}")
    t.ids("sender.csv", range(8000))
    want = people.join(t.ids("receiver.csv", range(4000, 12000)), t.read("sender.csv"))
    end, runs, finished = time.monotonic() + 60, 0, 0
    while time.monotonic() < end and not t.failures:
        runs += 1
        words, how, role = rng.choice(list(PROTOCOLS.values())), rng.choice([2, 9, 15]), rng.choice(PARTS)
        s, r, relay = start(t, rng.choice(PARTS), f"k{runs}", "10s", words)
        victim, other = (s, r) if role == "sender" else (r, s)
        victim.wait(rng.random() ** 2 * 3)
        victim.signal(how)
        victim.wait(5)
        if other.wait(15) is None:
            t.check(False, f"run {runs}: the other side of a {role} with signal {how} did not end: {other.last()}")
        out = f"r-k{runs}.csv"
        t.check(t.exists(out) == (r.status == 0), f"run {runs}: receiver's status {r.status}, output {t.exists(out)}")
        if r.status == 0:
            finished += 1
            t.equal(t.read(out), want, f"run {runs}")
        t.check(victim.status in (0, -9 if how == 9 else 9), f"run {runs}: the victim of {how} ended with {victim.status}: {victim.last()}")
        t.check(other.status in (0, 6), f"run {runs}: the other side ended with {other.status}: {other.last()}")
        relay.close()
        for p in (s, r):
            p.kill()
    t.note(f"{runs} runs, {finished} of them finished before the signal")
