# SPDX-License-Identifier: Apache-2.0
"""What comes out: rows byte for byte, columns, standard output, JSON, the summary."""
import json
import os
import stat

import people
from harness import Skip, test

ID = people.resident


def both(t, own, other=None, **more):
    """Receiver's file is own; the sender has every person 0..49 unless given."""
    t.write("receiver.csv", own, {ID(i) for i in range(100)})
    if other is None:
        t.ids("sender.csv", range(50))
    else:
        t.write("sender.csv", other)
    return more


@test
def byte_for_byte(t):
    i = ID
    rows = [
        '%s,plain,1' % i(1),
        '"%s","quoted, with ""marks""",2' % i(2),
        '%s,"two\nlines",3' % i(3),
        '%s,"crlf\r\ninside",4' % i(60),
        ' %s ,"blank beside the number ",5' % i(4),
        '%s,"",6' % i(5),
        '%s,trailing blank ,7' % i(61),
        '%s,\u5f20\u4e09,8' % i(6),
        "%s,it's,9" % i(7),
        '%s,in "the" middle,10' % i(9),
    ]
    for name, end, bom, last in (("lf", "\n", "", 1), ("crlf", "\r\n", "", 1), ("bom", "\r\n", "\ufeff", 1), ("last", "\n", "", 0),
                                 ("crlf-last", "\r\n", "\ufeff", 0)):
        text = bom + end.join(["id_number,name,n", *rows]) + (end if last else "")
        both(t, text)
        s, r = t.pair(receiver=["--output", f"{name}.csv"])
        if not t.good(s, r):
            continue
        want = bom + end.join(["id_number,name,n"] + [x for x in rows if i(60) not in x and i(61) not in x]) + end
        got = t.read(f"{name}.csv")
        # A byte order mark belongs to the file, not to the header's first column: both with and without it are the same table.
        t.equal(got.removeprefix(b"\xef\xbb\xbf"), want.encode().removeprefix(b"\xef\xbb\xbf"), name)
    t.equal(stat.S_IMODE(os.stat(t.path("lf.csv")).st_mode), 0o600, "mode of the output")


@test
def columns(t):
    both(t, 'id_number,name,"a,b",id2\r\n%s,"Li, Wei",x,"he said ""no"""\r\n%s,other,y,z\r\n%s,"two\r\nlines",v,w\r\n' % (ID(1), ID(70), ID(2)))
    s, r = t.pair(receiver=["--output", "out.csv", "--columns", "id2", "--columns", "name", "--columns", "a,b"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), b'id2,name,"a,b"\r\n"he said ""no""","Li, Wei",x\r\nw,"two\r\nlines",v\r\n', "--columns")


@test
def standard_output(t):
    both(t, t.ids("x.csv", range(45, 60)))
    want = people.join(t.read("x.csv"), t.read("sender.csv"))
    s, r = t.pair(receiver=["-o", "-"])
    t.good(s, r)
    t.equal(r.out, want, "-o -")
    t.equal(s.out, b"", "stdout of the sender")
    s, r = t.pair(receiver=["-o", "-", "-q"], sender=["-q"])
    t.good(s, r)
    t.equal((r.out, r.err, s.err), (want, "", ""), "-q with -o -")
    # The input by standard input, the result to standard output: the command in a pipe.
    s, r = t.pair(receiver=["-o", "-"], r={"input": "-", "stdin": t.read("x.csv")})
    t.good(s, r)
    t.equal(r.out, want, "-i - -o -")
    s, r = t.pair(receiver=["-o", "./-"])
    t.good(s, r)
    t.check(t.exists("-"), "./- is a file")


@test
def numbered_columns(t):
    other = b"".join(b"a;%s;b\n" % ID(k).encode() for k in range(50))
    both(t, b"".join(b"%d,%s,\"q,%d\"\n" % (k, ID(k).encode(), k) for k in range(40, 60)), other)
    s, r = t.pair(sender=["--no-header", "--delimiter", ";"], receiver=["--no-header", "-o", "out.csv"], key="2:cn-resident-id")
    if t.good(s, r):
        t.equal(t.read("out.csv"), people.join(t.read("receiver.csv"), other.replace(b";", b","), (1,), header=False), "--no-header --key 2")
    s, r = t.pair(sender=["--no-header", "--delimiter", ";"], receiver=["--no-header", "-o", "c.csv", "--columns", "3"], key="2:cn-resident-id")
    if t.good(s, r):
        t.equal(t.read("c.csv"), b"".join(b'"q,%d"\n' % k for k in range(40, 50)), "--no-header --columns 3")


@test
def tabs(t):
    both(t, "id_number\tname\n%s\ta,b\n%s\tc\n" % (ID(3), ID(80)))
    s, r = t.pair(receiver=["--delimiter", "tab", "-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), b"id_number\tname\n%s\ta,b\n" % ID(3).encode(), "tab as delimiter")


@test
def summary_and_json(t):
    rows = ["id_number,name"] + ["%s,n" % ID(k) for k in (1, 2, 2, 3, 70, 71)] + [ID(5)[:17] + ("1" if ID(5)[17] != "1" else "2") + ",bad", ",none"]
    both(t, "\n".join(rows) + "\n")
    s, r = t.pair(sender=["--summary", "s.json"], receiver=["--summary", "r.json", "--json", "-o", "out.csv"])
    if not t.good(s, r):
        return
    a, b = json.loads(t.read("s.json")), json.loads(t.read("r.json"))
    t.equal(stat.S_IMODE(os.stat(t.path("r.json")).st_mode), 0o600, "mode of the summary")
    t.equal((a["status"], a["outcome"]["exit_status"]) if "status" in a else a["outcome"]["exit_status"], 0, "exit status in the summary")
    t.equal({k: b["input"][k] for k in ("rows", "accepted", "items", "duplicates", "rejected")},
            {"rows": 8, "accepted": 6, "items": 5, "duplicates": 1, "rejected": 2}, "input of the receiver")
    t.equal(b["input"]["rejects"], {"bad check digit": {"rows": 1, "first_line": 8}, "empty": {"rows": 1, "first_line": 9}}, "rejects")
    t.equal((a["input"]["items"], a["peer"]["items"], b["peer"]["items"]), (50, 5, 50), "sizes")
    t.equal((a["result"], b["result"]), (None, {"items": 3, "rows": 4}), "result: the sender does not learn it")
    for x, y in ((a, b), (b, a)):  # the close of TLS (24 bytes) may come after the other side has counted
        t.check(0 <= x["bytes"]["sent"] - y["bytes"]["received"] <= 24 and y["bytes"]["received"] > 1000, f"bytes: {a['bytes']} {b['bytes']}")
    t.equal(b["peer"]["fingerprint"], t.pins["agency"], "the peer's fingerprint")
    for side in (a, b):
        t.check({"reading", "waiting", "matching", "writing", "total"} <= side["seconds"].keys(), "seconds per phase")
        t.check(side["versions"]["libraries"]["libsodium"], "versions")
        t.check(side["terms"]["protocol"] == "ecdh" and side["terms"]["keys"] == ["cn-resident-id"], f"terms: {side['terms']}")
        t.check("learned" in side["learned"], f"sentence: {side['learned']!r}")
    printed = json.loads(r.out)
    t.equal({k: printed.get(k) for k in ("input", "peer", "result", "bytes")}, {k: b[k] for k in ("input", "peer", "result", "bytes")}, "--json")
    for name in ("s.json", "r.json"):
        t.look_for_secrets(name, t.read(name).decode())
    t.look_for_secrets("--json", r.out.decode())


@test
def json_with_rows_on_stdout(t):
    """stdout carries one thing: rows or JSON."""
    both(t, t.ids("x.csv", range(45, 60)))
    p = t.spawn("receiver", "connect", 9, "-o", "-", "--json", timeout="2s")
    p.wait()
    t.failed(p, 1, "--json")
    t.equal(p.out, b"", "stdout")


@test
def existing_output(t):
    both(t, t.ids("x.csv", range(45, 60)))
    t.write("out.csv", "precious")
    before = t.files()
    s, r = t.pair(receiver=["-o", "out.csv"], timeout="2s")
    t.failed(r, 7, "out.csv", hint=True)
    t.failed(s, 6)
    t.check("--force" in r.err, f"the hint does not name --force: {r.last()}")
    t.equal(t.read("out.csv"), b"precious", "an existing file")
    s, r = t.pair(receiver=["-o", "out.csv", "--force"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), people.join(t.read("x.csv"), t.read("sender.csv")), "--force")
    t.clean(before)


@test
def places_that_cannot_be_written(t):
    both(t, t.ids("x.csv", range(45, 60)))
    os.mkdir(t.path("folder"))
    t.write("plain", "a file")
    before = t.files()
    runs = [(text, *t.pair(receiver=words, timeout="2s", wait=False)) for text, words in (
        ("missing", ["-o", "missing/out.csv"]), ("folder", ["-o", "folder"]), ("plain", ["-o", "plain/out.csv"]),
        ("missing", ["-o", "o.csv", "--summary", "missing/s.json"]), ("missing", ["-o", "o.csv", "--rejects", "missing/rejects.csv"]))]
    for text, s, r in runs:
        s.wait(), r.wait()
        t.failed(r, 7, text, hint=text != "folder")
        t.failed(s, 6)  # found before anything was disclosed
    t.clean(before)


@test
def one_file_for_two_purposes(t):
    both(t, t.ids("x.csv", range(45, 60)))
    was = t.read("receiver.csv")
    before = t.files()
    for words in (("-o", "receiver.csv", "--force"), ("-o", "./receiver.csv", "--force"), ("-o", "o.csv", "--summary", "o.csv"),
                  ("-o", "o.csv", "--rejects", "receiver.csv"), ("-o", "o.csv", "--summary", "r", "--rejects", "r")):
        p = t.spawn("receiver", "connect", 9, *words, timeout="2s")
        p.wait()
        t.failed(p, (1, 7), "same file|input itself")
    t.equal(t.read("receiver.csv"), was, "the input")
    t.clean(before)


@test
def folder_without_rights(t):
    if os.geteuid() == 0:
        raise Skip("root may write anywhere")
    both(t, t.ids("x.csv", range(45, 60)))
    os.mkdir(t.path("closed"), 0o500)
    s, r = t.pair(receiver=["-o", "closed/out.csv"])
    t.failed(r, 7, "closed", hint=True)
    t.failed(s, 6)
    t.equal(os.listdir(t.path("closed")), [], "the folder")
