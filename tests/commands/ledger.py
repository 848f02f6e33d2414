# SPDX-License-Identifier: Apache-2.0
"""The ledger as an auditor uses it: two organisations, two homes, real runs, then everything that can be asked of what was recorded."""
import html.parser
import json
import os
import re
import shutil
import sqlite3
import stat

from harness import Party, free_port, test

SHA = "sha256:[0-9a-f]{64}"


def homes(t, prefix="home"):
    """A home for each side, with its own identity alone."""
    made = {}
    for role, name in (("receiver", "bank"), ("sender", "agency")):
        made[role] = t.path(f"{prefix}-{role}")
        os.mkdir(made[role], 0o700)
        shutil.copytree(os.path.join(t.home, name), os.path.join(made[role], name))
    return made


def run_two(t, runs=2, made=None):
    """Real runs of two homes; each command writes the ledger of its own."""
    made = made or homes(t)
    t.ids("sender.csv", range(0, 60), seed=1)
    t.ids("receiver.csv", range(40, 120), seed=2)
    for i in range(runs):
        port = free_port()
        s = t.spawn("sender", "listen", port, home=made["sender"])
        r = t.spawn("receiver", "connect", port, "--output", f"out-{i}-{len(t.parties)}.csv", home=made["receiver"])
        s.wait()
        r.wait()
        t.good(s, r)
    return made


def ledger_of(home):
    return os.path.join(home, "ledger", "ledger.db")


def signing_key(t, home, name):
    return json.loads(t.run("identity", "show", name, "--json", home=home).out)["signing_key"]


def ok(t, p, what):
    t.equal(p.status, 0, f"{what}: {p.last()}")
    return p.out.decode()


class Page(html.parser.HTMLParser):
    """Every element closed in its turn; the text, without style."""
    VOID = {"meta", "br", "hr"}

    def __init__(self, t, page):
        super().__init__()
        self.t, self.open, self.text, self.language, self.ids = t, [], "", None, []
        self.feed(page)
        self.close()
        t.check(not self.open, f"not closed: {self.open}")
        t.check(len(self.ids) == len(set(self.ids)), f"ids are not unique: {self.ids}")

    def handle_starttag(self, tag, attrs):
        self.t.check(tag not in ("script", "img", "link", "iframe"), f"<{tag}> in a report")
        self.t.check(len(attrs) == len(dict(attrs)), f"an attribute twice in <{tag}>")
        self.ids += [v for k, v in attrs if k == "id"]
        if tag == "html":
            self.language = dict(attrs).get("lang")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.t.check(self.open and self.open.pop() == tag, f"</{tag}> closes nothing")

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@test
def list_and_show(t):
    made = run_two(t)
    said = ok(t, t.run("ledger", "list", home=made["receiver"]), "list")
    lines = said.splitlines()
    t.equal(len(lines), 3, f"lines of list: {said}")
    t.check(re.match(r"run +began \(UTC\) +function +role +agreement +other side +our list +their list +outcome +disclosed$", lines[0]), f"head: {lines[0]!r}")
    for n, line in enumerate(lines[1:], 1):
        t.check(re.match(rf" *{n}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  match +receiver  trial +sha256:[0-9a-f]{{8}}\.\. +80 +60  completed +yes$", line), f"a run: {line!r}")
    told = json.loads(ok(t, t.run("ledger", "list", "--json", home=made["sender"]), "list --json"))
    t.equal([(r["run"], r["role"], r["items"], r["peer_items"], r["exit_status"], r["disclosed"]) for r in told["runs"]],
            [(1, "sender", 60, 80, 0, True), (2, "sender", 60, 80, 0, True)], "list --json")
    t.equal(told["runs_in_all"], 2, "runs in all")
    said = ok(t, t.run("ledger", "show", "2", home=made["receiver"]), "show")
    names = [line.split(": ")[0] for line in said.splitlines() if not line.startswith("  ")]
    for name in ("run", "function", "began", "ended", "outcome", "disclosed", "this side", "other side", "agreement", "protocol", "rows read",
                 "identifiers", "identifiers on both lists", "learned", "bytes, total", "seconds, matching", "signature of the receiver"):
        t.check(name in names, f"show does not say {name!r}: {said}")
    t.check("identifiers on both lists: 20\n" in said and said.count("signature of the") == 2 and said.count(": holds") == 2, f"show: {said}")
    t.check("  tally/1 receipt\n  session: " in said, f"the receipt: {said}")
    said = ok(t, t.run("ledger", "show", "2", home=made["sender"]), "show at the sender")
    t.check("identifiers on both lists: this side was not told\n" in said, f"what the sender is not told: {said}")
    record = json.loads(ok(t, t.run("ledger", "show", "1", "--json", home=made["receiver"]), "show --json"))
    t.check(record["n"] == 1 and record["outcome"]["body"]["matched"] == 20, f"show --json: {record}")
    for home in made.values():
        with open(ledger_of(home), "rb") as f:
            data = f.read()
        t.check(not any(s.encode() in data for s in t.secrets), "an identifier is in the ledger")
        t.equal(stat.S_IMODE(os.stat(ledger_of(home)).st_mode), 0o600, "mode of the ledger")


@test
def many_runs(t):
    """The newest 25, --all, and the filter by agreement."""
    made = run_two(t, runs=1)
    # Nobody is there, so these end before anything is sent; all at once, into one ledger.
    waiting = [Party(t, "match", "--role", "receiver", "--connect", f"127.0.0.1:{free_port()}", "--identity", "bank", "--peer", t.pins["agency"], "--input",
                     "receiver.csv", "--key", "id_number:cn-resident-id", "--output", f"none-{i}.csv", "--timeout", "2s", home=made["receiver"]) for i in range(26)]
    for p in waiting:
        p.wait()
        t.failed(p, 6)
    p = t.run("ledger", "list", home=made["receiver"])
    total = json.loads(t.run("ledger", "list", "--json", "--all", home=made["receiver"]).out)
    t.equal(total["runs_in_all"], 27, "runs in all")
    t.equal(len(p.out.decode().splitlines()), 26, "lines without --all")
    t.check("--all shows 2 more" in p.err, f"list says: {p.last()}")
    t.check("completed" not in p.out.decode() and p.out.decode().count("network or other side  no") == 25, f"runs that did not begin: {p.out!r}")
    t.equal(len(total["runs"]), total["runs_in_all"], "--all")
    p = t.run("ledger", "list", "--agreement", "abcd1234", home=made["receiver"])
    t.check(p.status == 0 and p.out == b"" and "no run under this agreement" in p.err, f"filter: {p.status} {p.last()}")
    t.failed(t.run("ledger", "list", "--agreement", "xyz", home=made["receiver"]), 1, "--agreement", hint=True)


@test
def verify_and_prove(t):
    made = run_two(t)
    home, key = made["receiver"], signing_key(t, made["receiver"], "bank")
    first = ok(t, t.run("ledger", "checkpoint", home=home), "checkpoint")
    t.check(re.match(r"tally/ledger/[0-9a-f]{16}\n4\n[A-Za-z0-9+/]{43}=\n\n\u2014 tally/ledger/", first), f"checkpoint: {first!r}")
    t.write("first.txt", first)
    said = ok(t, t.run("ledger", "verify", home=home), "verify")
    t.check("runs: 2\n" in said and "records: 4\n" in said and "not checked" in said and f"signed by: {key}" in said, f"verify: {said}")
    t.check("could have made it anew" in said and "unless by" not in said and "It does not show" in said, f"what it shows: {said}")
    said = ok(t, t.run("ledger", "verify", "--key", key, home=home), "verify --key")
    t.check("unless by\n" in said and "was not compared" not in said, f"what it shows with a key: {said}")
    run_two(t, runs=1, made=made)
    said = ok(t, t.run("ledger", "verify", "--signatures", "--identity", "bank", "--checkpoint", "first.txt", home=home), "verify with all")
    t.check("receipts with signatures that hold: 3\n" in said and "the key that was asked for" in said and "older checkpoint: nothing" in said, f"verify: {said}")
    told = json.loads(ok(t, t.run("ledger", "verify", "--json", "--key", key.upper().replace("SHA", "sha"), home=home), "verify --json"))
    t.check(told["holds"] is True and told["records"] == 6 and told["signer"] == key and told["receipts"] is None, f"verify --json: {told}")
    t.failed(t.run("ledger", "verify", "--key", "sha256:" + "0" * 64, home=home), 11, "the latest checkpoint was signed by sha256:.*; you asked for sha256:0000", hint=True)
    t.failed(t.run("ledger", "verify", "--key", "sha256:12", home=home), 1, "not a fingerprint", hint=True)
    other = ok(t, t.run("ledger", "checkpoint", home=made["sender"]), "checkpoint of the other")
    t.write("other.txt", other)
    t.failed(t.run("ledger", "verify", "--checkpoint", "other.txt", home=home), 11, "", hint=True)
    t.write("nonsense.txt", "nonsense\n")
    t.failed(t.run("ledger", "verify", "--checkpoint", "nonsense.txt", home=home), 3, "nonsense.txt is not a checkpoint", hint=True)

    p = t.run("ledger", "prove", "2", "-o", "two.proof", "--since", "first.txt", home=home)
    t.check(p.status == 0 and p.out == b"" and "hint:" in p.err, f"prove: {p.status} {p.last()}")
    t.equal(stat.S_IMODE(os.stat(t.path("two.proof")).st_mode), 0o600, "mode of a proof")
    t.equal(ok(t, t.run("ledger", "prove", "2", "--since", "first.txt", home=home), "prove to standard output"), t.read("two.proof").decode(), "both ways")
    t.failed(t.run("ledger", "prove", "2", "-o", "two.proof", home=home), 7, "exists already", hint=True)
    t.write("last.txt", ok(t, t.run("ledger", "checkpoint", home=home), "checkpoint"))
    # Without any home: whoever checks it has neither ledger nor identity.
    nowhere = t.path("nowhere")
    p = t.run("ledger", "check-proof", "two.proof", "--checkpoint", "last.txt", "--key", key, home=nowhere)
    said = ok(t, p, "check-proof")
    t.check("holds of run 2" in said and "match as receiver" in said and "was changed since" in said and p.err == "", f"check-proof: {said} {p.last()}")
    p = t.run("ledger", "check-proof", "two.proof", "--checkpoint", "last.txt", home=nowhere)
    t.check(p.status == 0 and "was not compared" in p.err, f"check-proof without key: {p.status} {p.last()}")
    t.failed(t.run("ledger", "check-proof", "two.proof", "--checkpoint", "first.txt", "--key", key, home=nowhere), 11, "not proved", hint=True)
    t.failed(t.run("ledger", "check-proof", "two.proof", "--checkpoint", "other.txt", home=nowhere), 11, "not proved", hint=True)
    t.failed(t.run("ledger", "check-proof", "two.proof", "--checkpoint", "last.txt", "--key", signing_key(t, made["sender"], "agency"), home=nowhere), 11,
             "another key", hint=True)
    proof = t.read("two.proof").decode()
    for change in ((r"run 2", "run 1"), (r"size 6", "size 7"), (r"leaf (.)", lambda m: "leaf " + ("B" if m[1] == "A" else "A")), (r"path (.)", lambda m: "path " + ("B" if m[1] == "A" else "A")),
                   (r"record 3", "record 1"), (r"\A.*\n", "")):
        t.write("bad.proof", re.sub(*change, proof, count=1))
        t.failed(t.run("ledger", "check-proof", "bad.proof", "--checkpoint", "last.txt", "--key", key, home=nowhere), 11, "not proved", hint=True)
    t.write("bad.txt", t.read("last.txt").decode().replace("\n6\n", "\n5\n"))
    t.failed(t.run("ledger", "check-proof", "two.proof", "--checkpoint", "bad.txt", "--key", key, home=nowhere), 11)


@test
def a_changed_ledger_is_found(t):
    made = run_two(t)
    good = ledger_of(made["receiver"])
    key = signing_key(t, made["receiver"], "bank")
    tables = [r[0] for r in sqlite3.connect(good).execute("select name from sqlite_master where type = 'table' and sql like '%body%'")]
    if not t.equal(len(tables), 1, f"tables with bodies: {tables}"):
        return
    for i, sql in enumerate((f"update {tables[0]} set body = replace(body, '\"matched\":20', '\"matched\":10')", f"update {tables[0]} set time = time - 86400 where rowid = 2",
                             f"delete from {tables[0]} where rowid = (select max(rowid) from {tables[0]})")):
        bad = t.path(f"bad{i}.db")
        shutil.copy(good, bad)
        db = sqlite3.connect(bad)
        for (trigger,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {trigger}")  # whoever rewrites a ledger does this first
        db.execute(sql)
        db.commit()
        db.close()
        t.failed(t.run("ledger", "verify", "--signatures", "--key", key, "--ledger", bad, home=made["receiver"]), (7, 11))
        p = t.run("ledger", "backup", "no.db", "--ledger", bad, home=made["receiver"])
        t.check(p.status == 11 and "no.db was removed" in p.err and not t.exists("no.db"), f"a copy of a bad ledger: {p.status} {p.last()}")


@test
def backup_and_reconcile(t):
    made = run_two(t)
    p = t.run("ledger", "backup", "copy.db", home=made["sender"])
    t.check(p.status == 0 and p.out == b"" and "2 runs, 4 records, all verified" in p.err, f"backup: {p.status} {p.last()}")
    t.equal(stat.S_IMODE(os.stat(t.path("copy.db")).st_mode), 0o600, "mode of the copy")
    t.failed(t.run("ledger", "backup", "copy.db", home=made["sender"]), 7, "copy.db")
    t.equal(ok(t, t.run("ledger", "checkpoint", "--ledger", "copy.db", home=made["sender"]), "checkpoint of the copy"),
            ok(t, t.run("ledger", "checkpoint", home=made["sender"]), "checkpoint"), "checkpoints of ledger and copy")
    p = t.run("ledger", "reconcile", "copy.db", home=made["receiver"])
    t.check(p.status == 0 and p.out == b"" and re.search("compared 2 sessions of tally/ledger/[0-9a-f]{16} \\(yours\\) with tally/ledger/[0-9a-f]{16} \\(theirs\\): both record the same$", p.err.strip()),
            f"reconcile: {p.status} {p.out!r} {p.last()}")
    told = json.loads(ok(t, t.run("ledger", "reconcile", "copy.db", "--json", home=made["receiver"]), "reconcile --json"))
    t.check(re.fullmatch("tally/ledger/[0-9a-f]{16}", told.pop("ledger")) and re.fullmatch("tally/ledger/[0-9a-f]{16}", told.pop("other")), "names of the ledgers")
    t.equal(told, {"same": True, "compared": 2, "not_compared": 0, "count": 0, "differences": []}, "reconcile --json")
    t.failed(t.run("ledger", "reconcile", "copy.db", home=made["sender"]), 1, "copy.db is this ledger itself, or a copy of it", hint=True)
    t.failed(t.run("ledger", "reconcile", ledger_of(made["sender"]), home=made["sender"]), 1, "this ledger itself", hint=True)
    run_two(t, runs=1, made=(strangers := homes(t, "stranger")))
    t.failed(t.run("ledger", "reconcile", ledger_of(strangers["sender"]), home=made["receiver"]), 11, "nothing was compared", hint=True)
    p = t.run("ledger", "reconcile", ledger_of(strangers["sender"]), "--json", home=made["receiver"])
    told = json.loads(p.out)
    t.check(p.status == 11 and not told["same"] and told["compared"] == 0 and told["not_compared"] == 2, f"reconcile --json with a stranger: {p.status} {told}")
    run_two(t, runs=1, made=made)
    p = t.run("ledger", "reconcile", "copy.db", home=made["receiver"])
    t.failed(p, 11, "differ in 1 place", hint=True)
    t.equal(len(p.out.decode().splitlines()), 1, f"the difference: {p.out!r}")
    p = t.run("ledger", "reconcile", "copy.db", "--json", home=made["receiver"])
    told = json.loads(p.out)
    t.check(p.status == 11 and not told["same"] and told["count"] == 1 and len(told["differences"]) == 1, f"reconcile --json: {p.status} {told}")


@test
def reports(t):
    made = run_two(t, runs=1)
    for language, wanted, heading in (("en", "en", "Match of two lists"), ("zh", "zh-CN", "名单比对")):
        name = f"run-{language}.html"
        p = t.run("ledger", "report", "1", "-o", name, *(("--lang", language) if language != "en" else ()), home=made["receiver"])
        t.check(p.status == 0 and p.out == b"" and name in p.err, f"report: {p.status} {p.last()}")
        t.equal(stat.S_IMODE(os.stat(t.path(name)).st_mode), 0o600, "mode of a report")
        page = t.read(name).decode()
        read = Page(t, page)
        t.equal(read.language, wanted, "language of the page")
        t.check(heading in read.text and "Example Agency" in read.text and "tally/1 receipt\nsession: " in read.text, f"{name} says: {read.text[:400]}")
        t.check("http:" not in page and "https:" not in page and "url(" not in page, "something from elsewhere")
        t.check(not any(s in page for s in t.secrets), "an identifier is in a report")
    t.check("20" in Page(t, t.read("run-en.html").decode()).text, "the result")
    before = t.read("run-en.html")
    t.failed(t.run("ledger", "report", "1", "-o", "run-en.html", home=made["receiver"]), 7, "exists already", hint=True)
    t.equal(t.read("run-en.html"), before, "a report that was there")
    ok(t, t.run("ledger", "report", "1", "-o", "run-en.html", "--force", "--lang", "zh", home=made["receiver"]), "report --force")
    t.check(t.read("run-en.html") != before, "--force replaced nothing")
    t.failed(t.run("ledger", "report", "1", "-o", "x.html", "--lang", "fr", home=made["receiver"]), 1, "fr")
    t.failed(t.run("ledger", "report", "1", "-o", "no/such/x.html", home=made["receiver"]), 7, "x.html", hint=True)
    t.check(not t.exists("x.html"), "a refused report wrote something")


@test
def misuse(t):
    made = run_two(t, runs=1)
    empty = t.path("empty")
    os.mkdir(empty)
    for words in (("list",), ("show", "1"), ("verify",), ("checkpoint",), ("prove", "1"), ("backup", "b.db"), ("report", "1", "-o", "r.html"), ("reconcile", "x.db")):
        p = t.run("ledger", *words, home=empty)
        t.failed(p, 7, "there is no ledger at .*empty/ledger/ledger.db", hint=True)
        t.equal(p.out, b"", f"standard output of {words}")
    t.equal(os.listdir(empty), [], "reading made something")
    for words, status, text in (
            ((), 1, "nothing to do"), (("lst",), 1, "lst"), (("show",), 1, "number of a run is missing"), (("show", "0"), 1, "not the number"),
            (("show", "10k"), 1, "not the number"), (("show", "-1"), 1, ""), (("show", "999"), 1, "999"), (("report", "999", "-o", "r.html"), 1, "999"),
            (("prove", "999"), 1, "999"), (("show", "1", "2"), 1, "unexpected argument 2"), (("list", "1"), 1, "unexpected argument 1"),
            (("report", "1"), 1, "--output is missing"), (("check-proof", "p"), 1, "--checkpoint is missing"), (("list", "-o", "x"), 1, "--output is not for"),
            (("checkpoint", "--json"), 1, "--json is not for"), (("verify", "--identity", "bank", "--key", "sha256:" + "0" * 64), 1, "give one of them"),
            (("verify", "--identity", "nobody"), 7, "nobody"), (("list", "--ledger", "sender.csv"), 7, "sender.csv"), (("reconcile", "no.db"), 7, "no.db"),
            (("check-proof", "no.proof", "--checkpoint", "no.txt"), 7, "no.proof")):
        p = t.run("ledger", *words, home=made["receiver"])
        t.failed(p, status, text)
        t.equal(p.out, b"", f"standard output of {words}")
    t.check(not t.exists("r.html"), "misuse wrote a report")
    for words in (("ledger", "--help"), ("help", "ledger")):
        p = t.run(*words, home=empty)
        t.check(p.status == 0 and p.err == "" and b"usage: tally ledger list" in p.out and len(p.out) <= 4095, f"{words}: {p.status} {p.last()}")
    for name in ("list", "show", "report", "verify", "checkpoint", "prove", "check-proof", "reconcile", "backup"):
        p = t.run("ledger", name, "--help", home=empty)
        t.check(p.status == 0 and p.err == "" and p.out.startswith(f"usage: tally ledger {name}".encode()) and len(p.out) <= 4095, f"help of {name}: {p.out!r}")
    t.check(re.fullmatch(SHA, signing_key(t, made["receiver"], "bank")), "a signing key")
