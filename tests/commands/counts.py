# SPDX-License-Identifier: Apache-2.0
"""tally count: two installed commands, right numbers, who learns them, refusals, noise."""
import json
import os
import re

from harness import Skip, test
from lists import REAL


def count(t, sender=(), receiver=(), both=(), **more):
    return t.pair(sender=sender, receiver=receiver, both=both, command="count", **more)


def number(p):
    """The count a side printed, None if it printed nothing."""
    return int(re.fullmatch(r"count  (-?\d+)\n", p.out.decode())[1]) if p.out else None


@test
def who_learns(t):
    t.ids("sender.csv", range(0, 70))
    t.ids("receiver.csv", range(40, 130))
    before = t.files()
    for reveal, minimum, want in (("receiver", None, (None, 30)), ("sender", None, (30, None)), ("both", None, (30, 30)),
                                  ("receiver", 30, (30, 30)), ("sender", 30, (30, 30)), ("both", 2, (30, 30))):
        s, r = count(t, both=["--reveal-to", reveal, *(["--min-overlap", str(minimum)] if minimum else [])])
        if t.good(s, r):
            t.equal((number(s), number(r)), want, f"counts for {reveal} and a minimum of {minimum}")
            for p in (s, r):
                t.check("not which they are" in p.err and "the size of the other's list" in p.err, f"{p.name} does not say what was learned: {p.last()}")
            t.equal(["(30)" in p.err for p in (s, r)], [w is not None for w in want], "who is told the number in words")
    t.clean(before)


@test
def json_and_summary(t):
    t.ids("sender.csv", range(0, 20))
    t.ids("receiver.csv", range(5, 40))
    s, r = count(t, sender=["--summary", "s.json"], receiver=["--json", "--summary", "r.json"])
    if t.good(s, r):
        t.equal(json.loads(r.out), {"count": 15}, "the count as JSON")
        summary = json.loads(t.read("r.json"))
        t.equal((summary["result"], summary["terms"]["function"], summary["terms"]["protocol"]), ({"count": 15}, "count", "ecdh"), "summary of the receiver")
        t.equal(json.loads(t.read("s.json"))["result"], None, "result in the summary of a side that learns nothing")
        t.equal(s.out, b"", "standard output of a side that learns nothing")


@test
def below_the_minimum(t):
    t.ids("sender.csv", range(0, 20))
    t.ids("receiver.csv", range(10, 40))
    before = t.files()
    for reveal, judge in (("receiver", "sender"), ("sender", "receiver"), ("both", "sender")):
        s, r = count(t, both=["--reveal-to", reveal, "--min-overlap", "11"])
        mine, other = (s, r) if judge == "sender" else (r, s)
        t.failed(mine, 4, "below the agreed minimum of 11", hint=True)
        t.failed(other, 6, "the other side ended the run: it could not go on")
        t.equal((s.out, r.out), (b"", b""), "standard output of a refused run")
        t.check("10" not in re.sub(r"127\.0\.0\.1:\d+|10 min|protocol", "", other.err), f"the count is in what the other side says: {other.last()}")
    t.clean(before)


@test
def noisy(t):
    t.ids("sender.csv", range(0, 50))
    t.ids("receiver.csv", range(25, 90))
    seen = set()
    for _ in range(4):
        s, r = count(t, both=["--noise", "epsilon=1", "--reveal-to", "both"])
        if t.good(s, r):
            t.equal(number(s), number(r), "the two sides' noisy counts")
            t.check(abs(number(r) - 25) < 100, f"count {number(r)} with noise for 25")
            t.check("epsilon 1" in r.err and "noise" in s.err, f"noise is not in the closing sentence: {r.last()}")
            seen.add(number(r))
    t.check(len(seen) > 1, f"four noisy counts are all {seen}")


@test
def refused(t):
    t.ids("sender.csv", range(0, 5))
    t.ids("receiver.csv", range(0, 5))
    for options, text in ((["--noise", "epsilon=0"], "--noise"), (["--noise", "1"], "--noise"), (["--min-overlap", "1"], "not between 2"),
                          (["--output", "x.csv"], "unknown option --output"), (["--security", "malicious"], "unknown option --security"),
                          (["--value", "a:0..1"], "unknown option --value"), (["--reveal-to", "none"], "receiver, both or sender")):
        p = t.spawn("receiver", "connect", 9, *options, command="count", timeout="2s")
        p.wait()
        t.failed(p, 1, text)
    s, r = t.pair(s={"command": "count"}, r={"command": "match"})
    t.failed(s, 2, "function: here count, there match")
    t.failed(r, 2, "function: here match, there count")
    s, r = count(t, sender=["--min-overlap", "3"])
    t.failed(s, 2, "min-overlap: here 3, there none")
    t.failed(r, 2, "min-overlap: here none, there 3")
    s, r = count(t, receiver=["--noise", "epsilon=0.5"])
    t.failed(s, 2, "noise: here none, there epsilon=0.5")
    t.failed(r, 2, "noise")


@test
def real_lists(t):
    """The two published lists: 8,280 names on both, computed with another tool (shared/data)."""
    old, new = (os.path.join(REAL, f"sdn-{d}.csv") for d in ("2021-09-16", "2023-12-20"))
    if not os.path.exists(old):
        raise Skip("no real lists beside this checkout")
    s, r = count(t, both=["--no-header", "--encoding", "utf-8"], s={"input": old, "key": "2"}, r={"input": new, "key": "2"}, timeout="50s")
    if t.good(s, r):
        t.equal(number(r), 8280, "names on both lists")
