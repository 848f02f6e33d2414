# SPDX-License-Identifier: Apache-2.0
"""The same people spelled differently on both sides; rows that are no identifier; duplicates."""
import json
import os
import re
import stat

import people
from harness import test

ID = people.resident


def wrong(id18):
    """The same number with another check digit."""
    return id18[:17] + ("1" if id18[17] != "1" else "2")


def x_ids(n):
    """Persons whose number ends in X."""
    out, k = [], 1000
    while len(out) < n:
        if ID(k).endswith("X"):
            out.append(ID(k))
        k += 1
    return out


@test
def same_people(t):
    xs = x_ids(4)
    ids = [ID(k) for k in range(20)]
    plain = ids[:12] + xs + ids[15:]
    t.write("sender.csv", "id_number\n" + "\n".join(plain) + "\n", [*plain, *map(people.old, ids)])
    rows = [
        people.wide(ids[0]) + ",full-width",
        xs[0].lower() + ",small x",
        people.wide(xs[1]) + ",full-width X",
        people.wide(xs[2].lower()) + ",full-width x",
        " %s ,blanks" % ids[1],
        "%s %s %s,groups" % (ids[2][:6], ids[2][6:14], ids[2][14:]),
        "\u3000%s\u00a0,ideographic blank" % ids[3],
        people.old(ids[4]) + ",15 digits",
        '"%s","quoted,\nand on two lines"' % ids[5],
        '"%s","two\r\nlines"' % people.old(ids[6]),
        "\ufeff%s,mark inside" % ids[7],
        "'%s,spreadsheet apostrophe" % ids[8],
        "\t%s,tab" % ids[9],
        people.wide(people.old(ids[10])) + ",15 full-width digits",
    ]
    strangers = ["%s,nobody" % ID(500), people.wide(ID(501)) + ",nobody"]
    body = [rows[0], strangers[0], *rows[1:7], strangers[1], *rows[7:]]
    data = "\ufeff" + "\r\n".join(["id_number,how", *body]) + "\r\n\x1a"
    t.write("receiver.csv", data)
    s, r = t.pair(receiver=["-o", "out.csv", "--summary", "r.json"])
    if not t.good(s, r):
        return
    want = "\r\n".join(["id_number,how", *rows]) + "\r\n"
    t.equal(t.read("out.csv").removeprefix(b"\xef\xbb\xbf"), want.encode(), "rows of the same people")
    n = json.loads(t.read("r.json"))["input"]
    t.check(n["items"] == 16 and n["accepted"] == 16 and n["rejected"] <= 1, f"input: {n}")


@test
def the_other_way_round(t):
    """Odd spellings on the sender's side, GB18030 on the receiver's, Ctrl-Z on both."""
    ids = [ID(k) for k in range(40)]
    odd = [people.wide(i) if k % 3 == 0 else people.old(i) if k % 3 == 1 else " " + i.lower() for k, i in enumerate(ids[:20])]
    t.write("sender.csv", "\ufeffnr,id_number\r\n" + "".join('%d,"%s"\r\n' % (k, x) for k, x in enumerate(odd)) + "\x1a\r\n", ids)
    # The second byte of many GB18030 characters is an ASCII letter, a backslash or a bar; four-byte ones hold digits.
    names = ["\u5f20\u4e09", "\u674e\u56db,\u738b", "\u8a89\u8c4a", "\u3447\u4dae", "\U00020087 \U0002a6a5", "\u4e02\u4e04\u4e05\u4e06", "\u7adc\u7d83"]
    rows = ['%s,"%s"' % (people.wide(i) if k % 2 else i, names[k % len(names)]) for k, i in enumerate(ids[10:])]
    t.write("receiver.csv", ("\u8eab\u4efd\u8bc1\u53f7,\u59d3\u540d\n" + "\n".join(rows) + "\n\x1a").encode("gb18030"))
    s, r = t.pair(receiver=["-o", "out.csv", "--encoding", "gb18030"], r={"key": "\u8eab\u4efd\u8bc1\u53f7:cn-resident-id"})
    if t.good(s, r):
        t.equal(t.read("out.csv"), ("\u8eab\u4efd\u8bc1\u53f7,\u59d3\u540d\n" + "\n".join(rows[:10]) + "\n").encode("gb18030"), "GB18030 rows")
    s, r = t.pair(receiver=["-o", "names.csv", "--encoding", "gb18030", "--columns", "\u59d3\u540d"],
                  r={"key": "\u8eab\u4efd\u8bc1\u53f7:cn-resident-id"})
    if t.good(s, r):
        want = ["\u59d3\u540d"] + [('"%s"' if "," in n else "%s") % n for n in (names[k % len(names)] for k in range(10))]
        t.equal(t.read("names.csv").decode("gb18030"), "\n".join(want) + "\n", "a column of a GB18030 file")


@test
def exact_names_across_encodings(t):
    """The exact profile compares characters, not bytes: one side in GB18030, the other in UTF-8, composed or not."""
    t.write("sender.csv", "name\nZo\u00eb M\u00fcller\n\u5f20\u4e09\n\u20ac uro\nsame\n", ["M\u00fcller"])
    t.write("receiver.csv", "name,k\nZoe\u0308 Mu\u0308ller,1\n\u5f20\u4e09,2\nother,3\nSame,4\nsame ,5\nsame,6\n".encode("gb18030"))
    s, r = t.pair(receiver=["-o", "out.csv", "--encoding", "gb18030", "--columns", "k"], key="name")
    if t.good(s, r):
        t.equal(t.read("out.csv"), b"k\n1\n2\n6\n", "names by characters")


@test
def rejects(t):
    """Every reason, with the physical line where the record starts, never with a value."""
    g = [ID(k) for k in range(12)]
    t.ids("sender.csv", range(12))
    rows = [                                            # reason of each row, None: accepted
        ('%s,"two\nlines"' % g[0], None),               # lines 2 and 3
        (wrong(g[1]) + ",a", "bad check digit"),        # 4
        (",a", "empty"),
        ("  ,a", "empty"),
        (g[2][:10] + "****" + g[2][14:] + ",a", "masked"),
        (g[2][:14] + "XXXX,a", "masked"),
        ("1.10101E+17,a", "scientific notation"),
        (g[3][:15] + "000,a", "digits lost"),
        (g[4][:17] + ",a", "wrong length"),
        (g[4][:10] + "A" + g[4][11:] + ",a", "bad character"),
        (people.wide(wrong(g[5])) + ",a", "bad check digit"),
        ("11010119990231123" + people.resident_check("11010119990231123") + ",a", "bad date of birth"),
        (g[6] + ",a,b", "wrong number of columns"),
        (g[7], "wrong number of columns"),
        ("1" * 5000 + ",a", "too long"),
        (g[8] + ",good", None),
    ]
    line, want, bad = 2, [], set()
    for text, reason in rows:
        if reason:
            want.append((line, reason))
            bad.add(text.split(",")[0].strip())
        line += text.count("\n") + 1
    t.write("receiver.csv", "id_number,note\n" + "\n".join(x for x, _ in rows) + "\n", {*g, *(b for b in bad if len(b) > 8)})
    s, r = t.pair(receiver=["-o", "out.csv", "--rejects", "rejects.csv", "--summary", "r.json"])
    if not t.good(s, r):
        return
    t.equal(t.read("out.csv").decode(), "id_number,note\n%s\n%s\n" % (rows[0][0], rows[-1][0]), "accepted rows")
    text = t.read("rejects.csv").decode()
    got = [tuple(x.split(",")) for x in re.findall(r"^\d+,.*$", text, re.M)]
    t.equal(got, [(str(n), reason) for n, reason in want], "--rejects")
    t.equal(stat.S_IMODE(os.stat(t.path("rejects.csv")).st_mode), 0o600, "mode of the rejects file")
    first, count = {}, {}
    for n, reason in want:
        first.setdefault(reason, n)
        count[reason] = count.get(reason, 0) + 1
    t.equal(json.loads(t.read("r.json"))["input"]["rejects"], {k: {"rows": count[k], "first_line": first[k]} for k in count}, "rejects in the summary")
    for reason, n in first.items():
        t.check(re.search(rf"\bline (\d+, )*{n}\b", r.err), f"stderr does not name line {n}, {reason}: {r.last()}")
    t.look_for_secrets("the rejects file", text)
    t.look_for_secrets("the summary", t.read("r.json").decode())


@test
def bad_encoding_rows(t):
    g = [ID(k).encode() for k in range(4)]
    t.ids("sender.csv", range(4))
    t.write("receiver.csv", b"id_number,n\n%s,1\n%s\xff,2\n%s,3\n" % (g[0], g[1], g[2]))
    s, r = t.pair(receiver=["-o", "out.csv", "--rejects", "rejects.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), b"id_number,n\n%s,1\n%s,3\n" % (g[0], g[2]), "rows beside a badly encoded one")
        t.check(re.search(rb"^3,bad encoding$", t.read("rejects.csv"), re.M), f"rejects: {t.read('rejects.csv')!r}")


@test
def max_rejects(t):
    ids = [ID(k) for k in range(100)]
    t.ids("sender.csv", range(100))
    t.write("receiver.csv", "id_number\n" + "\n".join(ids[:98] + [wrong(ids[98]), wrong(ids[99])]) + "\n", ids)
    before = t.files()
    for limit, ok in (("1", 0), ("1%", 0), ("0", 0), ("2", 1), ("2%", 1), ("1.5%", 0), ("10%", 1)):
        s, r = t.pair(receiver=["-o", "out.csv", "--max-rejects", limit])
        if ok:
            if t.good(s, r):
                t.equal(len(people.records(t.read("out.csv"))), 99, f"--max-rejects {limit}")
                os.unlink(t.path("out.csv"))
        else:
            t.failed(r, 3, "reject", hint=True)
            t.failed(s, 6)
    t.clean(before)


@test
def nothing_but_rejects(t):
    """A list of which no row is an identifier is the wrong column, not an empty list."""
    t.ids("sender.csv", range(5))
    t.write("receiver.csv", "id_number\nx\ny\n")
    before = t.files()
    s, r = t.pair(receiver=["-o", "out.csv"])
    t.failed(r, 3, r"line 2\b", hint=True)
    t.failed(s, 6)
    t.clean(before)


@test
def duplicates(t):
    g = [ID(k) for k in range(10)]
    own = ["%s,first" % g[0], "%s,a" % g[7], "%s,second" % people.wide(g[0]), "%s,15" % people.old(g[1]), "%s,first" % g[0], "%s,18" % g[1]]
    other = ["%s,x" % g[1]] * 3 + ["%s,y" % people.wide(g[0])] + ["%s,z" % g[0]] * 2 + ["%s,w" % g[5]]
    t.write("receiver.csv", "id_number,n\n" + "\n".join(own) + "\n", g)
    t.write("sender.csv", "id_number,n\n" + "\n".join(other) + "\n", g)
    for security in ("semi-honest", "malicious"):
        s, r = t.pair(sender=["-o", "s.csv", "--summary", "s.json"], receiver=["-o", "r.csv", "--summary", "r.json"],
                      both=["--reveal-to", "both", "--force", "--security", security])
        if not t.good(s, r):
            continue
        t.equal(t.read("r.csv").decode(), "id_number,n\n" + "\n".join(x for k, x in enumerate(own) if k != 1) + "\n", f"receiver's rows, {security}")
        t.equal(t.read("s.csv").decode(), "id_number,n\n" + "\n".join(other[:6]) + "\n", f"sender's rows, {security}")
        a, b = json.loads(t.read("s.json")), json.loads(t.read("r.json"))
        # Multiplicity does not leak: each side learns the number of different identifiers.
        t.equal((a["peer"]["items"], b["peer"]["items"]), (3, 3), "sizes the other side learns")
        t.equal((a["result"], b["result"]), ({"items": 2, "rows": 6}, {"items": 2, "rows": 5}), "result")
