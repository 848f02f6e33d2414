# SPDX-License-Identifier: Apache-2.0
"""tally sum: two installed commands on files against a plain join, both schemes, bands, rejects, duplicates, refusals."""
import json
import re
import statistics
from fractions import Fraction

import people
from harness import test

ID = people.resident
SCHEMES = ("rlwe", "paillier")


def total(t, sender=(), receiver=(), both=(), **more):
    return t.pair(sender=sender, receiver=receiver, both=both, command="sum", timeout="30s", **more)


def amount(i):
    return (-1) ** i * (37 * i * i % 99991) * 100 + i % 100


def score(i):
    return 350 + i * 7 % 600


def write(t, sender=range(0, 40), receiver=range(25, 90)):
    """The sender's people with an amount at two decimals and a score; the receiver's with a region. Returns who is on both."""
    text = "".join(f"{ID(i)},{amount(i) / 100:.2f},{score(i)}\n" for i in sender)
    t.write("sender.csv", "id_number,amount,score\n" + text, {ID(i) for i in sender})
    t.write("receiver.csv", "id_number,region\n" + "".join(f"{ID(i)},{i % 4}\n" for i in receiver), {ID(i) for i in receiver})
    return sorted(set(sender) & set(receiver))


def fixed(v, scale):
    """An integer at scale decimals as text."""
    sign, digits = "-" if v < 0 else "", str(abs(v)).rjust(scale + 1, "0")
    return sign + (digits[:-scale] + "." + digits[-scale:] if scale else digits)


def rounded(x, scale):
    """A fraction at scale decimals, half away from zero."""
    n = abs(x) * 10**scale
    return fixed((-1 if x < 0 else 1) * int(n + Fraction(1, 2)), scale)


def value(name, values, scale):
    return {"column": name, "sum": fixed(sum(values), scale), "mean": rounded(Fraction(sum(values), 10**scale * len(values)), scale + 4),
            "variance": rounded(Fraction(statistics.variance(map(Fraction, values))) / 100**scale, 2 * scale + 4)}


VALUES = ["--value", "amount:-1e9..1e9@2", "--value", "score:350..950"]


@test
def both_schemes(t):
    who = write(t)
    want = {"count": len(who), "values": [value("amount", [amount(i) for i in who], 2), value("score", [score(i) for i in who], 0)]}
    for scheme in SCHEMES:
        s, r = total(t, sender=[*VALUES, "--scheme", scheme], receiver=["--json", "--summary", "r.json"])
        if not t.good(s, r):
            continue
        t.equal(json.loads(r.out), want, f"figures by {scheme}")
        t.equal(s.out, b"", "standard output of the side that learns nothing")
        summary = json.loads(t.read("r.json"))
        t.equal((summary["result"], summary["terms"]["scheme"]), (want, scheme), "summary")
        t.equal(summary["terms"]["values"], [{"column": "amount", "min": "-1000000000.00", "max": "1000000000.00", "scale": 2},
                                             {"column": "score", "min": "350", "max": "950", "scale": 0}], "values in the summary")


@test
def both_directions(t):
    """The receiver's values, and the table on standard output."""
    who = write(t)
    t.write("theirs.csv", t.read("sender.csv"))
    t.write("mine.csv", t.read("receiver.csv"))
    want = "count  %d\n\ncolumn  *sum  *mean  *variance\nscore  *%d  *%s  *%s\n" % (
        len(who), sum(map(score, who)), *(re.escape(value("score", [score(i) for i in who], 0)[k]) for k in ("mean", "variance")))
    for reveal in ("receiver", "sender", "both"):
        s, r = total(t, receiver=["--value", "score:350..950"], both=["--reveal-to", reveal], s={"input": "mine.csv"}, r={"input": "theirs.csv"})
        if t.good(s, r):
            for p, learns in ((s, reveal != "receiver"), (r, reveal != "sender")):
                t.check(re.fullmatch(want if learns else "", p.out.decode()), f"{p.name}, reveal to {reveal}: {p.out!r} is not {want if learns else ''!r}")


@test
def bands(t):
    who = write(t)
    edges = (350, 540, 600, 950)
    s, r = total(t, sender=[*VALUES, "--band", "score:" + ",".join(map(str, edges))], receiver=["--json"])
    if t.good(s, r):
        got = json.loads(r.out)["bands"][0]["bands"]
        want = []
        for low, high in zip(edges, edges[1:]):
            inside = [i for i in who if low <= score(i) < high]
            want.append({"from": str(low), "to": str(high), "count": len(inside), "values": [
                {"column": "amount", "sum": fixed(sum(map(amount, inside)), 2)}, {"column": "score", "sum": str(sum(map(score, inside)))}]})
        want.append({"outside": True, "count": 0, "values": [{"column": "amount", "sum": "0.00"}, {"column": "score", "sum": "0"}]})
        t.equal(got, want, "bands of the score")
    s, r = total(t, sender=[*VALUES, "--peer-band", "region:0,1,2,3"], receiver=["--json", "--band", "region:0,1,2,3"])
    if t.good(s, r):
        got = json.loads(r.out)["groups"]["bands"]
        t.equal([b["count"] for b in got], [sum(i % 4 == g for i in who) for g in range(4)], "sizes of the regions")
        t.equal([b["values"][1]["sum"] for b in got], [str(sum(score(i) for i in who if i % 4 == g)) for g in range(4)], "scores of the regions")
        t.check("in each band of region" in s.err and "in each band of region" in r.err, f"the sentence does not say that band sizes are known: {s.last()}")


@test
def small_bands_are_merged(t):
    who = write(t)
    sizes = [sum(low <= score(i) < high for i in who) for low, high in ((350, 540), (540, 600), (600, 950))]
    k = sorted(sizes)[1]
    t.check(min(sizes) < k and k > 1, f"a small band among {sizes}")
    for scheme in SCHEMES:
        s, r = total(t, sender=[*VALUES, "--band", "score:350,540,600,950", "--scheme", scheme], receiver=["--json"], both=["--min-overlap", str(k)])
        if t.good(s, r):
            band = json.loads(r.out)["bands"][0]
            t.check(all(b["count"] >= k for b in band["bands"]) and band["merged"]["count"] >= k, f"bands below {k}: {band}")
            t.equal(sum(b["count"] for b in band["bands"]) + band["merged"]["count"], len(who), "all bands together")
    s, r = total(t, sender=VALUES, both=["--min-overlap", str(len(who) + 1)])
    t.failed(r, 4, "below the agreed minimum", hint=True)
    t.failed(s, 6, "the other side ended the run")
    t.equal((s.out, r.out), (b"", b""), "standard output of a refused run")


@test
def rejected_cells(t):
    rows = [(ID(1), "10"), (ID(2), ""), (ID(3), "12x"), (ID(4), "1e3"), (ID(5), "101"), (ID(6), "1.5"), (ID(7), " 20 "), (ID(8), "-1"), (ID(9), "9" * 40)]
    t.write("sender.csv", "id_number,v\n" + "".join(f"{i},{v}\n" for i, v in rows), {i for i, _ in rows})
    t.write("receiver.csv", "id_number\n" + "".join(f"{i}\n" for i, _ in rows))
    s, r = total(t, sender=["--value", "v:0..100", "--rejects", "rejects.csv"], receiver=["--json"])
    if t.good(s, r):
        t.equal((json.loads(r.out)["count"], json.loads(r.out)["values"][0]["sum"]), (2, "30"), "figures of what is left")
        t.equal(t.read("rejects.csv").decode().splitlines()[1:], ["3,no value", "4,not a number", "5,not a number", "6,value outside its range",
                                                                  "7,more decimals than declared", "9,value outside its range", "10,value outside its range"], "rejects")
    s, r = total(t, sender=["--value", "v:0..100", "--max-rejects", "5"])
    t.failed(s, 3, "rejected", hint=True)
    t.failed(r, 6)


@test
def duplicates(t):
    t.write("sender.csv", "id_number,v\n%s,10\n%s,30\n%s,5\n" % (ID(1), ID(1), ID(2)))
    t.write("receiver.csv", "id_number\n%s\n%s\n" % (ID(1), ID(2)))
    for rule, want in (("sum", "45"), ("max", "35")):
        s, r = total(t, sender=["--value", "v:0..100", "--duplicates", rule], receiver=["--json"])
        if t.good(s, r):
            t.equal(json.loads(r.out)["values"][0]["sum"], want, f"duplicates {rule}")
    s, r = total(t, sender=["--value", "v:0..100", "--duplicates", "refuse"])
    t.failed(s, 3, "line 3", hint=True)
    t.failed(r, 6)
    s, r = total(t, sender=["--value", "v:0..35"])
    t.failed(s, 3, "line 3", hint=True)


@test
def noisy(t):
    who = write(t)
    s, r = total(t, sender=VALUES, receiver=["--json"], both=["--noise", "epsilon=5"])
    if t.good(s, r):
        got = json.loads(r.out)
        t.check(abs(got["count"] - len(who)) < 100 and got["noise"]["epsilon"] == 5, f"noisy figures {got}")
        t.check("noise of epsilon 5" in r.err.lower(), f"noise is not in the sentence: {r.last()}")


@test
def refused(t):
    write(t)
    for role, options, text in (("receiver", ["--peer-band", "g:0,1"], "--peer-band is for the side with the values"), ("sender", ["--duplicates", "max"], "--duplicates needs"),
                                ("sender", ["--value", "amount"], "--value"), ("sender", ["--value", "amount:5..1"], "--value"), ("sender", ["--value", "a:0..1e15"], "--value"),
                                ("sender", ["--value", "a:0..1", "--value", "a:0..2"], "--value"), ("sender", [*VALUES, "--band", "score:5"], "--band"),
                                ("sender", [*VALUES, "--band", "score:5,4"], "--band"), ("sender", [*VALUES, "--scheme", "ntru"], "auto, rlwe or paillier")):
        p = t.spawn(role, "connect", 9, *options, command="sum", timeout="2s")
        p.wait()
        t.failed(p, 1, text)
    for sender, receiver, text in (([], [], "values"), (VALUES, ["--band", "region:0,1"], "band: "), ([*VALUES, "--peer-band", "region:0,1"], ["--band", "region:0,2"], "region:0,1"),
                                   ([*VALUES, "--scheme", "rlwe"], ["--scheme", "paillier"], "scheme: ")):
        s, r = total(t, sender=sender, receiver=receiver)
        t.failed(s, 2, text)
        t.failed(r, 2, text)
    s, r = total(t, sender=["--value", "none:0..1"])
    t.failed(s, 3, "none", hint=True)
