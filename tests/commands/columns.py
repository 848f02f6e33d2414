# SPDX-License-Identifier: Apache-2.0
"""Columns of the sender's rows in the receiver's output: both protocols, both encodings, quoting, refusals."""
import csv
import io
import json

import people
from harness import test

ID = people.resident
OFFER = ["--offer", "court:40", "--offer", "amount:9"]
WANT = ["--want", "amount", "--want", "court"]
MATCHED, OWN_ONLY = range(20, 40), range(40, 60)


def court(i, k):
    return ('\u6cd5\u9662 %d' % i, 'Court, "No. %d"' % i, "two\nlines %d" % k, "")[(i + k) % 4]


def write(t, copies=1, encoding="utf-8"):
    """Persons 0..39 at the sender, i with 1 + i % copies rows; 20..59 at the receiver, every seventh twice. Returns the output wanted."""
    def text(rows, end):
        out = io.StringIO()
        csv.writer(out, lineterminator=end).writerows(rows)
        return out.getvalue()
    theirs = {i: [(court(i, k), "secret%d" % i, str(100 * i + k)) for k in range(1 + i % copies)] for i in range(40)}
    rows = [["court", "id_number", "note", "amount"]]
    for k in range(copies):
        rows += [[v[k][0], ID(i), v[k][1], v[k][2]] for i, v in theirs.items() if k < len(v)]
    t.write("sender.csv", text(rows, "\n"), {ID(i) for i in range(60)})
    own = [i for i in (*MATCHED, *OWN_ONLY)] + [i for i in (*MATCHED, *OWN_ONLY) if i % 7 == 0]
    mine = [[str(n), ID(i), "\u5f20\u4e09"] for n, i in enumerate(own)]
    t.write("receiver.csv", text([["n", "id_number", "name"], *mine], "\r\n").encode(encoding))
    want = [["n", "id_number", "name", "amount", "court"]]
    want += [[*row, v[2], v[0]] for row, i in zip(mine, own) for v in theirs.get(i, [])]
    return text(want, "\r\n").encode(encoding)


@test
def both_protocols(t):
    for protocol in ("ecdh", "vole"):
        for copies in (1, 3):
            want = write(t, copies)
            rows = [] if copies == 1 else ["--rows-per-person", str(copies)]
            name = f"{protocol}-{copies}.csv"
            s, r = t.pair(sender=OFFER, receiver=[*WANT, "-o", name, "--summary", "r.json"], both=["--protocol", protocol, *rows])
            if not t.good(s, r):
                continue
            t.equal(t.read(name), want, name)
            for p in (s, r):
                t.check("columns of" in p.err and "amount, court." in p.err, f"{p.name} does not say what went: {p.last()}")
            terms = json.loads(t.read("r.json"))["terms"]
            t.equal((terms["want"], terms["rows_per_person"]), (["amount", "court"], copies), "terms of the summary")
            t.equal(terms["offer"], [{"column": "court", "width": 40}, {"column": "amount", "width": 9}], "offer in the summary")
            t.equal(terms["protocol"], protocol, "protocol of the summary")


@test
def models(t):
    want = write(t, 3)
    s, r = t.pair(sender=[*OFFER, "-o", "s.csv"], receiver=[*WANT, "-o", "r.csv"],
                  both=["--security", "malicious", "--reveal-to", "both", "--rows-per-person", "3"])
    if t.good(s, r):
        t.equal(t.read("r.csv"), want, "receiver, malicious and both")
        t.equal(len(list(csv.reader(io.StringIO(t.read("s.csv").decode())))), 1 + sum(1 + i % 3 for i in MATCHED), "rows of the sender")


@test
def gb18030(t):
    want = write(t, 3, "gb18030")
    s, r = t.pair(sender=OFFER, receiver=[*WANT, "-o", "out.csv", "--encoding", "gb18030"], both=["--rows-per-person", "3"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "GB18030")


@test
def picked(t):
    """Picked own columns first, then the wanted ones; without header there are values only."""
    t.write("sender.csv", "%s,\u6cd5,1\n" % ID(1))
    t.write("receiver.csv", "a;%s;b\n" % ID(1))
    s, r = t.pair(sender=["--no-header", "--offer", "2:3"], s={"key": "1:cn-resident-id"}, r={"key": "2:cn-resident-id"},
                  receiver=["--no-header", "--delimiter", ";", "--columns", "3", "--columns", "1", "--want", "2", "-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv").decode(), "b;a;\u6cd5\n", "picked columns")


@test
def refused(t):
    write(t, 3)
    before = t.files()
    out = ["-o", "out.csv"]
    # The sender's own list: named by line and column, never by value, and nothing is sent.
    for offer, text in ((["--offer", "courts:9"], 'no column "courts"'), (["--offer", "note:7", "--rows-per-person", "3"], "column 'note' at line 14 has 8 bytes"),
                        (["--offer", "note:9", "--rows-per-person", "2"], "line 85 is row 3 of its identifier")):
        s, r = t.pair(sender=offer, receiver=["--want", "note", *out])
        t.failed(s, 3, text, hint=True)
        t.failed(r, 6)
        t.check("secret" not in s.err + r.err, "a value is in a message")
    # Terms: both sides name the column.
    for offer, want, text in ((OFFER, ["--want", "note"], "column 'note'"), (OFFER, [], "court, amount offered"), ([], ["--want", "court"], "court wanted"),
                              (OFFER, [*WANT, "--rows-per-person", "3"], "rows per person")):
        if offer:
            t.write("sender.csv", "id_number,court,amount\n%s,x,1\n" % ID(30))
        s, r = t.pair(sender=offer, receiver=[*want, *out])
        t.failed(s, 2, text)
        t.failed(r, 2, text)
    # Options alone.
    for role, options, text in (("sender", ["--want", "x"], "--want is for the receiver"), ("receiver", ["--offer", "x:1"], "--offer is for the sender"),
                                ("receiver", ["--want", "x"], "--want needs --output"), ("receiver", [*out, "--rows-per-person", "2"], "--rows-per-person needs"),
                                ("sender", ["--offer", "x"], "--offer needs a column and its width"), ("sender", ["--offer", "x:1025"], "not between 1 and 1024"),
                                ("sender", ["--offer", "x:1", "--offer", "x:2"], "named twice"), ("receiver", [*out, "--want", "x", "--rows-per-person", "65"], "64")):
        p = t.spawn(role, "connect", 9, *options, timeout="2s")
        p.wait()
        t.failed(p, 1, text)
    t.clean(before)


@test
def minimum(t):
    """With a minimum overlap fewer matches open no column; both sides have to say the same."""
    want = write(t)
    n = len(MATCHED)
    before = t.files()
    for protocol in ("ecdh", "vole"):
        s, r = t.pair(sender=OFFER, receiver=[*WANT, "-o", f"{protocol}.csv"], both=["--protocol", protocol, "--min-overlap", str(n)])
        if t.good(s, r):
            t.equal(t.read(f"{protocol}.csv"), want, "columns at the minimum")
            t.check(f"Fewer than {n} matching identifiers would have opened none" in r.err, f"the minimum is not in the sentence: {r.last()}")
        s, r = t.pair(sender=OFFER, receiver=[*WANT, "-o", "none.csv"], both=["--protocol", protocol, "--min-overlap", str(n + 1)])
        t.failed(r, 4, "fewer than the minimum overlap", hint=False)
        t.check(not t.exists("none.csv"), "an output below the minimum")
    s, r = t.pair(sender=[*OFFER, "--min-overlap", "3"], receiver=[*WANT, "-o", "none.csv"])
    t.failed(s, 2, "min-overlap: here 3, there none")
    t.failed(r, 2, "min-overlap: here none, there 3")
    for role, options, text in (("receiver", ["-o", "x.csv", "--min-overlap", "5"], "--min-overlap needs --offer or --want"), ("sender", [*OFFER, "--min-overlap", "1001"], "between 2 and 1000")):
        p = t.spawn(role, "connect", 9, *options, timeout="2s")
        p.wait()
        t.failed(p, 1, text)
    t.clean(before, ("ecdh.csv", "vole.csv"))
