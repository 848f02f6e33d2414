# SPDX-License-Identifier: Apache-2.0
"""tally check over files as programs make them, and what a run says of the same lists."""
import io
import json
import re
import zipfile

import people
from harness import Agreed, test

KEY = "id:cn-resident-id"
HEAD = "id,name\n"


def rows(n=40, **at):
    """The text of a list of n persons, with other cells at some places: rows(_5="x")."""
    other = {int(k[1:]): v for k, v in at.items()}
    return HEAD + "".join(f"{other.get(i, people.resident(i))},n{i}\n" for i in range(n))


def workbook():
    """An .xlsx as spreadsheets write it: a zip of XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("[Content_Types].xml", '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>')
        z.writestr("xl/worksheets/sheet1.xml", '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>')
    return out.getvalue()


def check(t, data, *options, status=0, key=KEY):
    """The report as JSON."""
    t.write("list.csv", data, [people.resident(i) for i in range(40)])
    p = t.run("check", "--input", "list.csv", *(["--key", key] if key else []), "--json", *options)
    t.equal(p.status, status, f"status of a check: {p.last()}")
    t.look_for_secrets("the report", p.out.decode())
    return json.loads(p.out), p


def traps(report):
    return {f["trap"]: f["weight"] for f in report["findings"]}


@test
def good_list(t):
    report, p = check(t, rows())
    t.equal((report["usable"], report["rows"], report["identifiers"], report["findings"]), (True, 40, 40, []), "a clean list")
    t.equal(p.err, "", "standard error")
    p = t.run("check", "-i", "list.csv", "--key", KEY)
    t.equal(p.status, 0, "for people")
    for text in (r"^rows +40$", r"^identifiers +40 +distinct$", "the other side learns that the list has 40", "nothing was sent now", "a run can use this list"):
        t.check(re.search(text, p.out.decode(), re.M), f"no {text!r} in {p.out!r}")
    p = t.run("check", "-i", "-", "--key", KEY, stdin=t.read("list.csv"))
    t.check(p.status == 0 and b"rows                     40" in p.out, f"standard input: {p.out!r} {p.last()}")
    t.check(max(map(len, t.run("check", "--help").out.decode().splitlines())) <= 80, "a line of the help is too long")


@test
def files_that_are_no_list(t):
    text = rows()
    for data, says in ((workbook(), r"\.xlsx workbook"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), r"\.xls workbook"),
                       (text.encode("utf-16"), "UTF-16"), (text.encode("utf-16-le"), "UTF-16"), (text.encode("utf-16-be"), "UTF-16"),
                       (b"%PDF-1.4\n", "PDF"), (text.replace("n7", '"n7', 1), "a quote is opened and never closed"), ("", "is empty")):
        report, p = check(t, data, status=3)
        t.failed(p, 3, says, hint=True)
        t.check(re.search(says, report["message"]) and not report["usable"], f"{says}: {report['message']}")
        if ".xlsx" not in says:
            continue  # a run that cannot use its list looks for its peer for two seconds
        run = t.run("match", "--role", "receiver", "--connect", "127.0.0.1:9", "--identity", "bank", "--peer", t.pins["agency"],
                    "--input", "list.csv", "--key", KEY, "--timeout", "1s")
        t.failed(run, 3, re.escape(report["message"]), hint=True)


@test
def traps_in_a_list(t):
    one = people.resident(5)
    for cell, trap, weight in (("1.10105E+17", "scientific-notation", "rejected"), (one[:6] + "********" + one[14:], "masked", "rejected"),
                               (one[:15] + "000", "digits-lost", "rejected"), ("'" + one, "leading-apostrophe", "handled"),
                               (f'="{one}"', "formula-quotes", "handled"), (f'"=""{one}"""', "formula-quotes", "handled"), ("", "empty", "rejected")):
        report, p = check(t, rows(_5=cell))
        t.equal(traps(report), {trap: weight}, f"cell {cell[:1]}..")
        t.equal(report["findings"][0]["lines"], [7], f"{trap}: lines")
        p = t.run("check", "-i", "list.csv", "--key", KEY)
        t.check('column "id", line 7 (1 in all)' in p.out.decode(), f"{trap}: {p.out!r}")
        t.look_for_secrets("the report", p.out.decode())
    report, _ = check(t, "sep=;\r\n" + rows().replace(",", ";").replace("\n", "\r\n"))
    t.equal((traps(report), report["identifiers"]), ({"separator-line": "handled"}, 40), "sep=;")
    report, _ = check(t, rows().replace("n7", "张三").encode("gb18030"), key="name")
    t.equal(traps(report), {"encoding-gb18030": "rejected"}, "GB18030 read as UTF-8")
    report, _ = check(t, rows().replace("n7", "Müller").encode("latin-1"), key="name")
    t.equal(traps(report), {"encoding-western": "rejected"}, "Latin-1 read as UTF-8")
    report, _ = check(t, rows().replace("n", "张三"), "--encoding", "gb18030", key="2", status=3)
    report, p = check(t, rows().replace(",", ";"), status=3)
    t.failed(p, 3, "no column", hint=True)
    t.check("--delimiter ';'" in p.err, f"delimiter: {p.last()}")
    report, _ = check(t, rows(), "--no-header", key="1:cn-resident-id")
    t.equal(traps(report), {"not-of-the-profile": "rejected", "header-read-as-row": "warning"}, "--no-header with a header")


@test
def without_a_key(t):
    report, p = check(t, rows(), key=None)
    t.equal([(x["column"], x["profile"]) for x in report["proposals"]], [("id", "cn-resident-id")], "proposals")
    t.equal(report["usable"], False, "without a key")
    p = t.run("check", "-i", "list.csv")
    t.check(p.status == 0 and '--key "id:cn-resident-id"' in p.out.decode(), f"proposal: {p.out!r}")


@test
def refused_like_a_run(t):
    report, p = check(t, rows(_5="12", _6="13"), "--max-rejects", "1", "--rejects", "r.csv", status=3)
    t.failed(p, 3, "2 of 40 rows are rejected, more than allowed", hint=True)
    t.equal((report["exit_status"], report["rejected"], report["rejects"][0]["lines"]), (3, 2, [7, 8]), "counts of a refused list")
    t.equal(t.read("r.csv"), b"line,reason\n7,wrong length\n8,wrong length\n", "rejects")
    for args, text in ((("check",), "--input is missing"), (("check", "-i", "list.csv", "--role", "sender"), "--role needs --agreement"),
                       (("check", "-i", "list.csv", "--listen", "x:1"), "unknown option")):
        t.failed(t.run(*args), 1, text, hint=True)
    t.failed(t.run("check", "-i", "nothing.csv", "--key", "id"), 7, "nothing.csv", hint=False)


@test
def of_an_agreement(t):
    t.ids("receiver.csv", range(30))
    a = Agreed(t, "padding-step: 50\n", sign=False)
    p = a.run("receiver", "check", "-i", "receiver.csv", "--agreement", a.file("receiver"), "--role", "receiver", "--json")
    report = json.loads(p.out)
    t.equal((p.status, report["identifiers"], report["sent"]["padded_to"], report["keys"][0]["profile"]), (0, 30, 50, "cn-resident-id"), "by the agreement")
    p = a.run("receiver", "check", "-i", "receiver.csv", "--agreement", a.file("receiver"))
    t.failed(p, 1, "--role is missing", hint=True)


@test
def warnings_of_a_run(t):
    """The same sentences; nothing in common; quiet where all is well."""
    secrets = [people.resident(i) for i in range(80)]
    one = people.resident(5)
    t.write("sender.csv", rows(_5=f"'{one}", _6="1.1E+17"), secrets)
    t.write("receiver.csv", HEAD + "".join(f"{people.resident(i)},n\n" for i in range(40, 80)), secrets)
    s, r = t.pair(both=["-q"], receiver=["-o", "out.csv"], key=KEY)
    if t.good(s, r):
        t.check("scientific notation, as 1.1E+17" in s.err and 'column "id", line 8 (1 in all)' in s.err, f"rejects: {s.last()}")
        t.check("rejected 1 rows" not in s.err, f"the same reject said twice: {s.err}")
        t.check("no identifier is on both lists" in r.err and "test data" in r.err, f"nothing in common: {r.last()}")
        t.check("no identifier is on both" not in s.err, "a side that does not learn it says so")
    t.write("sender.csv", HEAD + "".join(f"north,n{i}\n" for i in range(40)))
    t.write("receiver.csv", HEAD + "".join(f"north{i},n{i}\n" for i in range(40)))
    s, r = t.pair(both=["-q"], receiver=["-o", "two.csv"], key="id")
    if t.good(s, r):
        t.check("most rows repeat the identifier of another row" in s.err, f"duplicates: {s.last()}")
    c, d = t.pair(both=["-q"], key="id", command="count")
    t.check("no identifier is on both lists" in d.err, f"a count of 0: {d.last()}")
    t.write("sender.csv", rows(), secrets)
    t.write("receiver.csv", rows(), secrets)
    s, r = t.pair(both=["-q"], receiver=["-o", "three.csv"], key=KEY)
    t.equal((s.err, r.err), ("", ""), "a run without anything to warn of")
