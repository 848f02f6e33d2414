# SPDX-License-Identifier: Apache-2.0
"""Terms that differ: status 2 on both sides, the field named with both values, nothing of a list sent."""
import re

from harness import test


def differ(t, field, values, **more):
    s, r = t.pair(timeout="8s", **more)
    for p in (s, r):
        t.failed(p, 2, field, hint=True)
        for v in values:
            t.check(v in p.err, f"{p.name} does not name {v!r} for {field}: {p.last()}")
        t.check(p.seconds < 5, f"{field}: {p.name} took {p.seconds:.1f} s")


@test
def every_field(t):
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(10, 30))
    before = t.files()
    out = ["-o", "out.csv"]
    for listen in ("sender", "receiver"):
        differ(t, "security", ("semi-honest", "malicious"), receiver=out + ["--security", "malicious"], listen=listen)
        differ(t, "reveal-to", ("receiver", "both"), sender=["--reveal-to", "both"], receiver=out, listen=listen)
        differ(t, "protocol", ("ecdh", "vole"), sender=["--protocol", "vole"], receiver=out + ["--protocol", "ecdh"], listen=listen)
        differ(t, "key 1", ("cn-resident-id", "exact"), receiver=out, s={"key": "id_number:exact"}, listen=listen)
        differ(t, "key 2", ("exact", "none"), receiver=out, r={"key": ["id_number:cn-resident-id", "name"]}, listen=listen)
    # Two differences at once are both named.
    s, r = t.pair(sender=["--security", "malicious", "--reveal-to", "both"], receiver=out)
    for p in (s, r):
        t.failed(p, 2, "(?s)security.*reveal-to|reveal-to.*security")
    t.clean(before)


@test
def protocols(t):
    """auto goes with either; which one was taken, and why, is said on both sides."""
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(10, 30))
    for mine, theirs, taken in (("auto", "auto", "ecdh"), ("auto", "vole", "vole"), ("ecdh", "auto", "ecdh"), ("vole", "vole", "vole")):
        s, r = t.pair(sender=["--protocol", mine], receiver=["--protocol", theirs, "-o", f"{mine}-{theirs}.csv"])
        if t.good(s, r):
            for p in (s, r):
                t.check(re.search(rf"^tally: protocol {taken}: \S", p.err, re.M), f"{p.name} does not say that {taken} was taken: {p.last()}")
            t.equal(len(t.read(f"{mine}-{theirs}.csv").splitlines()), 11, f"{mine} and {theirs}")
    before = t.files()
    p = t.spawn("receiver", "connect", 9, "-o", "out.csv", "--protocol", "vole", "--security", "malicious", timeout="2s")
    p.wait()
    t.failed(p, 1, "malicious.*ecdh|ecdh.*malicious", hint=True)
    t.clean(before)


@test
def same_role(t):
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(10, 30))
    before = t.files()
    differ(t, "role", ("sender",), r={"say": "sender"})
    differ(t, "role", ("receiver",), s={"say": "receiver"}, sender=["-o", "a.csv"], receiver=["-o", "b.csv"])
    t.clean(before)
