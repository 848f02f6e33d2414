# SPDX-License-Identifier: Apache-2.0
"""Against a plain join: the real lists, and lists of every size, shape and profile."""
import json
import os
import random

import people
from harness import Skip, test

REAL = os.environ.get("TALLY_REAL_DATA") or os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared", "data")
OLD, NEW = "sdn-2021-09-16.csv", "sdn-2023-12-20.csv"


def real(t, column):
    """Copies of the two real lists, and the plain join both ways."""
    out = {}
    for name in (OLD, NEW):
        try:
            with open(os.path.join(REAL, name), "rb") as f:
                out[name] = t.write(name, f.read())
        except OSError:
            raise Skip(f"no real lists (TALLY_REAL_DATA names their folder)")
    key = (column - 1,)
    # Names, not entry numbers, are what must not turn up: numbers of five digits occur anywhere.
    t.secrets |= {k[0] for k, _ in people.keys_of(out[NEW], (1,), False) if k and len(k[0]) > 8}
    joins = {a: people.join(out[a], out[b], key, header=False) for a, b in ((OLD, NEW), (NEW, OLD))}
    distinct = len({k for k, _ in people.keys_of(joins[OLD], key, False)})
    t.equal(distinct, {1: 8349, 2: 8280}[column], "distinct matches of the plain join")
    return joins


def run_real(t, column, receiver, *more, security="semi-honest"):
    joins, sender = real(t, column), OLD if receiver == NEW else NEW
    both = "both" in more
    s, r = t.pair(sender=["-o", "s.csv"] if both else [], receiver=["-o", "r.csv", "--summary", "r.json"],
                  both=["--no-header", "--security", security, *(["--reveal-to", "both"] if both else [])],
                  key=f"{column}:exact", s={"input": sender}, r={"input": receiver}, timeout="20s")
    if not t.good(s, r):
        return
    t.equal(t.read("r.csv"), joins[receiver], f"rows of {receiver}")
    t.equal(json.loads(t.read("r.json"))["result"]["items"], {1: 8349, 2: 8280}[column], "matches")
    if both:
        t.equal(t.read("s.csv"), joins[sender], f"rows of {sender}")


@test
def real_by_number(t):
    run_real(t, 1, OLD)


@test
def real_by_number_other_direction(t):
    run_real(t, 1, NEW)


@test
def real_by_number_both(t):
    run_real(t, 1, OLD, "both", security="malicious")


@test
def real_by_name(t):
    run_real(t, 2, OLD)


@test
def real_by_name_both(t):
    run_real(t, 2, NEW, "both")


def compare(t, receiver, sender, what, *more, key="id_number:cn-resident-id", columns=(0,), canonical=lambda x: x, **pair):
    t.write("receiver.csv", receiver)
    t.write("sender.csv", sender)
    t.secrets |= {x for data in (receiver, sender) for k, _ in people.keys_of(data, columns) for x in k if len(x) > 8}
    s, r = t.pair(sender=["-o", "s.csv"], receiver=["-o", "r.csv"], both=["--reveal-to", "both", "--force", *more], key=key,
                  timeout="10s", **pair)
    if t.good(s, r):
        t.equal(t.read("r.csv"), people.join(receiver, sender, columns, key=canonical), f"{what}: receiver's rows")
        t.equal(t.read("s.csv"), people.join(sender, receiver, columns, key=canonical), f"{what}: sender's rows")


TERMS = (["--protocol", "ecdh"], ["--protocol", "vole"], ["--security", "malicious"])


def resident_table(persons, seed=1):
    return people.table([people.resident(p) for p in persons], seed=seed)


@test
def sizes(t):
    shapes = {"both empty": ([], []), "receiver empty": ([], range(3)), "sender empty": (range(3), []), "one and one": ([1], [1]),
              "one, another": ([1], [2]), "one against ten": ([4], range(10)), "ten against one": (range(10), [4]),
              "equal": (range(257), range(257)), "disjoint": (range(100), range(100, 200)), "batch": (range(300), range(43, 299))}
    for terms in TERMS:
        for what, (own, other) in shapes.items():
            compare(t, resident_table(own), resident_table(other, 2), f"{what}, {terms}", *terms)


@test
def random_lists(t):
    rng = random.Random(20240607)
    for k in range(18):
        people_here = [rng.randrange(400) for _ in range(rng.randrange(1, 300))]
        people_there = [rng.randrange(400) for _ in range(rng.randrange(1, 300))]
        compare(t, resident_table(people_here, k), resident_table(people_there, k + 1), f"random lists {k}", *rng.choice(TERMS), "--threads", str(rng.choice([1, 2, 5])), listen=rng.choice(["sender", "receiver"]))


@test
def more_than_a_batch(t):
    """Above 4096 items, so that several frames go each way."""
    for terms in TERMS:
        compare(t, resident_table(range(5000)), resident_table(range(4000, 8200), 2), f"{terms}", *terms)


@test
def large_against_small(t):
    for terms in TERMS[:2]:
        compare(t, resident_table(range(20000)), resident_table(range(19995, 20005), 2), f"20000 against 10, {terms}", *terms)


@test
def small_against_large(t):
    for terms in TERMS[1:]:
        compare(t, resident_table(range(19995, 20005)), resident_table(range(20000), 2), f"10 against 20000, {terms}", *terms)


@test
def more_than_a_bin(t):
    """Above 2^15 items, so that the fast protocol needs several bins, on either side and on both."""
    for own, other in ((range(40000), range(30000, 70000)), (range(70000), range(69000, 69100)), (range(100), range(50, 66000))):
        compare(t, resident_table(own), resident_table(other, 2), f"{own} against {other}", "--protocol", "vole")


@test
def composite_keys(t):
    def rows(pairs):
        return ("name,id_number,n\n" + "".join('"%s",%s,%d\n' % (n, people.resident(p), k) for k, (n, p) in enumerate(pairs))).encode()

    # Joined with their lengths: ("ab", "c") is not ("a", "bc"); order of keys matters, not order of columns.
    own = [("a,b", 1), ("Li", 2), ("Li", 3), ("Wang", 2), ("a", 9)]
    other = [("a,b", 1), ("Li", 3), ("Wang", 4), ("Li", 2), ("Li", 2), ("ab", 9)]
    compare(t, rows(own), rows(other), "composite", key=["name", "id_number:cn-resident-id"], columns=(0, 1))
    t.write("receiver.csv", "a,b\nab,c\nx,y\nq,\n")
    t.write("sender.csv", "b,a\nbc,a\ny,x\n,q\n")
    s, r = t.pair(receiver=["-o", "out.csv"], key=["a", "b"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), b"a,b\nx,y\n", "two exact keys")
    s, r = t.pair(receiver=["-o", "out2.csv"], r={"key": ["a", "b"]}, s={"key": ["b", "a"]})
    if t.good(s, r):
        t.equal(t.read("out2.csv"), b"a,b\n", "keys in another order")


@test
def credit_codes(t):
    def rows(which, odd):
        codes = [people.uscc(k) for k in which]
        return people.table([people.wide(c).lower() if odd and k % 2 else c.lower() if odd else c for k, c in enumerate(codes)], "code")

    t.secrets |= {people.uscc(k) for k in range(60)}
    compare(t, rows(range(40), True), rows(range(30, 60), False), "cn-uscc", key="code:cn-uscc",
            canonical=lambda c: "".join(chr(ord(x) - 0xFEE0) if ord(x) > 0xFF00 else x for x in c).upper())


@test
def telephones(t):
    t.secrets |= {people.phone(k)[3:] for k in range(10)}
    p = [people.phone(k) for k in range(10)]
    t.write("sender.csv", "phone\n" + "\n".join(p[:7]) + "\n+442079460000\n")
    own = [p[0], "0086" + p[1][3:], p[2][:3] + " " + p[2][3:6] + "-" + p[2][6:], people.wide(p[3]), "+86 (" + p[4][3:6] + ") " + p[4][6:],
           "+44 (0)20 7946 0000", p[8], p[5][3:]]
    t.write("receiver.csv", "phone,n\n" + "".join("%s,%d\n" % (x, k) for k, x in enumerate(own)))
    s, r = t.pair(receiver=["-o", "a.csv", "--columns", "n", "--rejects", "rejects.csv"], key="phone:phone-e164")
    if t.good(s, r):
        t.equal(t.read("a.csv"), b"n\n0\n1\n2\n3\n4\n5\n", "phone-e164")
        t.check(b"9,no country code" in t.read("rejects.csv"), f"rejects: {t.read('rejects.csv')!r}")
    # An assumed country code concerns one side's spelling only: the terms still agree.
    s, r = t.pair(receiver=["-o", "b.csv", "--columns", "n"], r={"key": "phone:phone-e164+86"}, s={"key": "phone:phone-e164"})
    if t.good(s, r):
        t.equal(t.read("b.csv"), b"n\n0\n1\n2\n3\n4\n5\n7\n", "phone-e164+86")
