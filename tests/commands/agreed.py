# SPDX-License-Identifier: Apache-2.0
"""Runs held to an agreement: two organisations with homes, keys and ledgers of their own; refusals, quotas, kills, full disks, hostile ledgers."""
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import people
from agreement import fill
from auth import authority, identity_of, openssl
from harness import OWNER, PARTS, Agreed, Party, Skip, free_port, test, wait_until

OTHER = {"sender": "receiver", "receiver": "sender"}


def lists(t, sender=range(20), receiver=range(10, 30)):
    t.ids("sender.csv", sender)
    return people.join(t.ids("receiver.csv", receiver), t.read("sender.csv"))


def complete(t, a, run=1):
    """Both ledgers hold the whole of a run, and the same receipt with both signatures. Returns the body of its outcome on each side."""
    found = {}
    for role in PARTS:
        of = {r["kind"]: r for r in a.records(role) if r["run"] == run}
        if not t.check(set(of) == {1, 2}, f"records of run {run} of the {role}: {sorted(of)}"):
            t.stop("no receipts to compare")
        t.equal((of[2]["status"], of[2]["disclosed"]), (0, 1), f"outcome of run {run} of the {role}")
        found[role] = of[2]["body"]
    receipts = [found[role]["receipt"] for role in PARTS]
    t.check(receipts[0] == receipts[1], f"receipts of run {run} differ")
    for role in PARTS:
        t.check(re.fullmatch("[0-9a-f]{128}", receipts[0][role] or ""), f"run {run} has no signature of the {role}")
    return found


def refused(t, a, p, role, text, status=4):
    """Refused by an agreement: said on stderr, and the last record of its ledger says the same."""
    t.failed(p, status, text, hint=True)
    last = next((r for r in reversed(a.records(role)) if r["kind"] != 4), None)
    if t.check(last, f"{text}: the {role}'s ledger has no record"):
        t.equal((last["status"], last["disclosed"]), (status, 0), f"{text}: the {role}'s record")
        t.check(re.search(text, last["body"]["message"]), f"{text}: the {role}'s record says {last['body']['message']!r}")


# ---- Runs that settle ------------------------------------------------------------------------------------------------

@test
def first_use(t):
    """From nothing: homes, identities, the template, two signatures, a match. Nothing is said at the run but the agreement, the identity and files."""
    want = lists(t)
    home, shown = {}, {}
    for role, who in OWNER.items():
        home[role] = t.path(f"{who}/home")
        os.makedirs(t.path(who))
        t.equal(t.run("identity", "new", "own", "--organisation", f"Example {who.title()}", home=home[role]).status, 0, "identity new")
        shown[role] = json.loads(t.run("identity", "show", "own", "--json", home=home[role]).out)
    text = fill(t, "bank/a.yaml")
    for who, role in (("bank", "receiver"), ("agency", "sender")):
        for had, has in zip((json.loads(t.run("identity", "show", who, "--json").out)[k] for k in ("fingerprint", "signing_key")),
                            (shown[role][k] for k in ("fingerprint", "signing_key"))):
            text = text.replace(had, has)
    text = text.replace("receiver-column: id_card", "receiver-column: id_number").replace("# address: agency.example:7440", "", 1)
    text = text.replace("    contact: Enforcement office", f"    contact: Enforcement office\n    address: 127.0.0.1:{free_port()}")
    for who in OWNER.values():
        t.write(f"{who}/a.yaml", text)
        t.equal(t.run("agreement", "check", f"{who}/a.yaml").status, 0, f"check: {t.parties[-1].last()}")
    for role, add in (("receiver", ()), ("sender", ("--add", "bank/a.yaml.sig"))):
        p = t.run("agreement", "sign", f"{OWNER[role]}/a.yaml", "--identity", "own", *add, home=home[role])
        t.equal(p.status, 0, f"sign: {p.last()}")
    t.equal(t.run("agreement", "sign", "bank/a.yaml", "--add", "agency/a.yaml.sig", home=home["receiver"]).status, 0, f"add: {t.parties[-1].last()}")
    both = [Party(t, "match", "--agreement", f"{who}/a.yaml", "--identity", "own", "--input", f"{role}.csv", "--timeout", "10s",
                  *(["-o", "out.csv"] if role == "receiver" else []), name=role, home=home[role]) for role, who in OWNER.items()]
    for p in both:
        p.wait()
    if t.good(*both):
        t.equal(t.read("out.csv"), want, "output of the first run")
        for who, p in zip(OWNER.values(), both):
            t.check(f"held to the agreement {who}/a.yaml; run 1 of the ledger" in p.err, f"{p.name} does not say what it was held to: {p.last()}")
            t.equal(os.stat(t.path(f"{who}/home/ledger/ledger.db")).st_mode & 0o777, 0o600, "mode of the ledger")
            t.equal(os.stat(t.path(f"{who}/home/ledger")).st_mode & 0o777, 0o700, "mode of its folder")


@test
def every_function(t):
    want = lists(t)
    a = Agreed(t)
    for run, listen in enumerate(PARTS, 1):
        s, r = a.pair(sender=["--summary", "s.json"], receiver=["-o", f"out{run}.csv", "--json"], listen=listen)
        if not t.good(s, r):
            return
        t.equal(t.read(f"out{run}.csv"), want, f"output when the {listen} listens")
        found = complete(t, a, run)
        digest = json.loads(a.run("sender", "agreement", "show", a.file("sender"), "--json").out)["digest"]
        for told in (json.loads(t.read("s.json")), json.loads(r.out)):
            t.equal((told["agreement"], told["ledger"]), ({"digest": digest, "name": "Court debtors"}, {"run": run, "receipt": True}), "of the summary")
        t.check(f"agreement: {digest}\n" in found["sender"]["receipt"]["text"], "the receipt does not name the agreement")
        t.equal((found["receiver"]["matched"], found["sender"]["matched"]), (10, None), "matches of the outcomes")
    # A run without the agreement is a trial, in the same ledger.
    s, r = a.pair(sender=["--role", "sender", "--peer", t.pins["bank"]], receiver=["--role", "receiver", "--peer", t.pins["agency"], "-o", "trial.csv", "--json"],
                  both=["--key", "id_number:cn-resident-id"], agreement=False)
    if t.good(s, r):
        for p in (s, r):
            t.check("a trial: no agreement was given; run 3 of the ledger" in p.err, f"{p.name} does not say that it is a trial: {p.last()}")
        told = json.loads(r.out)
        t.equal((told["agreement"], told["ledger"]), (None, {"run": 3, "receipt": True}), "summary of a trial")
        t.equal([x["agreement"] for x in a.records("sender") if x["run"] == 3], ["", ""], "agreement of a trial's records")
    # One side alone without it.
    s, r = a.pair(receiver=["--role", "receiver", "--peer", t.pins["agency"], "--key", "id_number:cn-resident-id", "-o", "half.csv"], r={"agreement": False})
    refused(t, a, s, "sender", "the other side runs without the agreement")
    refused(t, a, r, "receiver", "holds this run to an agreement, this side to none")
    t.check(not t.exists("half.csv"), "an output without the agreement")


@test
def counts_and_sums(t):
    lists(t)
    t.write("sender.csv", "id_number,amount\n" + "".join(f"{people.resident(i)},{i}.50\n" for i in range(20)))
    terms = "values-of: sender\nvalues:\n  - {name: amount, min: 0, max: 1000, scale: 2}\n"
    for function, more, want in (("count", "min-overlap: 5\n", {"count": 10}), ("sum", terms, {"count": 10, "sum": "150.00"})):
        a = Agreed(t, more, function, name=f"{function}-")
        s, r = a.pair(receiver=["--json", "--summary", "r.json"], sender=["--summary", "s.json"])
        if t.good(s, r):
            told = json.loads(r.out)
            t.equal({"count": told["count"], **({"sum": told["values"][0]["sum"]} if function == "sum" else {})}, want, f"result of a {function}")
            found = complete(t, a)
            t.equal(found["receiver"]["figures"], told, f"figures of a {function} in the ledger")
            for name in ("r.json", "s.json"):
                t.equal(json.loads(t.read(name))["ledger"], {"run": 1, "receipt": True}, f"ledger in the summary of a {function}")
    # The guard against two lists that differ in a few people: a count with a minimum overlap.
    a = Agreed(t, "min-overlap: 5\n", "count", name="near-")
    t.good(*a.pair())
    t.good(*a.pair())  # the very same list says nothing new
    t.ids("receiver.csv", range(11, 30))
    s, r = a.pair()
    refused(t, a, r, "receiver", "min-overlap: the list is nearly that of run 1")
    refused(t, a, s, "sender", "its policy does not allow the run")  # why is nothing for the other side


# ---- Who the other side is -------------------------------------------------------------------------------------------

@test
def by_authority(t):
    want = lists(t)
    authority(t, "root"), authority(t, "other")
    for who in ("bank", "agency"):
        identity_of(t, f"{who}-ca", f"/O=Example {who.title()}/CN={who}", "root")
        t.equal(t.run("identity", "add-signing-key", f"{who}-ca").status, 0, "add-signing-key")
    openssl(t, "x509", "-in", "root.pem", "-pubkey", "-noout", "-out", "root.pub")
    openssl(t, "pkey", "-pubin", "-in", "root.pub", "-outform", "DER", "-out", "root.der")
    openssl(t, "dgst", "-sha256", "-binary", "-out", "root.sha", "root.der")
    keys = {}
    for who in ("bank", "agency"):
        signing = json.loads(t.run("identity", "show", f"{who}-ca", "--json").out)["signing_key"]
        keys[who] = f'ca: sha256:{t.read("root.sha").hex()}\n    subject: "CN={who},O=Example {who.title()}"\n    signing-key: {signing}'
    a = Agreed(t, keys=keys, sign=False)
    for role, who in OWNER.items():
        a.identity[role] = f"{who}-ca"
        shutil.copytree(os.path.join(t.home, f"{who}-ca"), os.path.join(a.home[role], f"{who}-ca"))
    a.sign()
    both = ["--peer-ca", "root.pem"]
    s, r = a.pair(both=both, receiver=["-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "by authority")
        complete(t, a)
    s, r = a.pair(sender=both, receiver=["-o", "no.csv"], timeout="1s")
    t.failed(r, 1, "--peer-ca FILE", hint=True)
    t.failed(s, 6)
    s, r = a.pair(sender=["--peer-ca", "other.pem"], receiver=[*both, "-o", "no.csv"], timeout="1s")
    t.failed(s, 7, "other.pem: no certificate of the authority", hint=True)
    t.failed(r, 6)
    s, r = a.pair(sender=[*both, "--peer-name", "CN=nobody"], receiver=[*both, "-o", "no.csv"], timeout="2s")
    refused(t, a, s, "sender", r"parties\[\]\.subject")
    t.failed(r, 5, "refused our certificate", hint=True)
    # The right authority and another of its certificates.
    identity_of(t, "clerk", "/O=Example Bank/CN=clerk", "root")
    shutil.copytree(os.path.join(t.home, "clerk"), os.path.join(a.home["receiver"], "clerk"))
    s, r = a.pair(sender=both, receiver=["--role", "receiver", *both, "--peer-name", "CN=agency,O=Example Agency", "--key", "id_number:cn-resident-id",
                                         "-o", "no.csv"], r={"agreement": False, "identity": "clerk"}, timeout="2s")
    t.failed(s, 5, "CN=clerk,O=Example Bank", hint=True)
    t.failed(r, 5)
    t.check(not t.exists("no.csv"), "an output of a refused run")


@test
def another_link_key(t):
    """Whoever comes with another key is refused in the handshake, and an identity that is of neither party before there is one."""
    lists(t)
    a = Agreed(t)
    trial = {"receiver": ["--role", "receiver", "--peer", t.pins["agency"], "-o", "no.csv"], "sender": ["--role", "sender", "--peer", t.pins["bank"]]}
    for stranger in PARTS:
        held = OTHER[stranger]
        s, r = a.pair(**{stranger: [*trial[stranger], "--key", "id_number:cn-resident-id"], stranger[0]: {"agreement": False, "identity": "stranger"}},
                      listen=held, timeout="2s")
        p, q = (s, r) if held == "sender" else (r, s)
        refused(t, a, p, held, "fingerprint", 5)
        t.check(t.pins["stranger"] in p.err, f"the key that came is not shown: {p.last()}")
        t.failed(q, 5)
    # The right signing key in an identity of another link key.
    own = os.path.join(a.home["receiver"], "bank")
    shutil.copy(os.path.join(own, "sign.pem"), os.path.join(a.home["receiver"], "stranger", "sign.pem"))
    for home, text in ((a.home["receiver"], r"parties\[\]\.link-key: this identity has the key"), (a.home["sender"], r"parties\[\]\.signing-key")):
        p = a.spawn("receiver", "-o", "no.csv", where="connect", port=free_port(), identity="stranger", home=home, timeout="3s")
        p.wait()
        t.failed(p, 4, text, hint=True)
    t.check(not t.exists("no.csv"), "an output of a refused run")


# ---- Refusals --------------------------------------------------------------------------------------------------------

def refuse_all(t, cases):
    """cases: (what, agreement, who breaks it, words of each side, keywords of each side, field). All at once, eight at a time."""
    for at in range(0, len(cases), 8):
        running, began = [], time.monotonic()
        for k, (what, a, role, words, ones, field) in enumerate(cases[at:at + 8], at):
            output = ["-o", f"no{k}.csv"] if a.function == "match" and "command" not in ones.get("receiver", {}) else []
            s, r = a.pair(sender=words.get("sender", []), receiver=[*output, *words.get("receiver", [])], s=ones.get("sender", {}), r=ones.get("receiver", {}),
                          listen=PARTS[k % 2], wait=False)
            running.append((what, role, {"sender": s, "receiver": r}, f"no{k}.csv", re.escape(field)))
        for what, role, p, output, field in running:
            p["sender"].wait(), p["receiver"].wait()
            before = len(t.failures)
            for who in PARTS:
                t.failed(p[who], 4, field, hint=True)
            t.check("the agreement does not allow this run" in p[role].err, f"{role} does not say that it is its own: {p[role].last()}")
            t.check("the other side ended the run: its policy does not allow the run" in p[OTHER[role]].err, f"{OTHER[role]}: {p[OTHER[role]].last()}")
            t.check(not t.exists(output), "an output")
            t.failures[before:] = [f"{f} [{what}]" for f in t.failures[before:]]
        t.check(time.monotonic() - began < 9, f"a side waited in vain: {time.monotonic() - began:.1f} s")
    # What was said is on record, once for each run.
    for a in {id(c[1]): c[1] for c in cases}.values():
        for role in PARTS:
            records = [r for r in a.records(role) if r["kind"] != 4]
            t.equal({(r["kind"], r["status"], r["disclosed"]) for r in records}, {(3, 4, 0)}, f"records of the {role} {a.name}")
            fields = sorted(re.escape(c[5]) for c in cases if c[1] is a)
            said = "\n".join(r["body"]["message"] for r in records)
            t.equal(len(records), len(fields), f"number of records of the {role} {a.name}")
            for f in fields:
                t.check(len(re.findall(f, said)) >= fields.count(f), f"{f} is not on record at the {role} {a.name}: {said}")


@test
def days_and_signatures(t):
    lists(t)
    cases = []
    for name, change, field in (("over-", ("2099-12-31", "2021-12-31"), "valid-until: it ended on 2021-12-31"),
                                ("early-", ("2020-01-01", "2098-01-01"), "valid-from: it begins on 2098-01-01")):
        a = Agreed(t, name=name, sign=False)
        for role in PARTS:
            a.write(role, a.text.replace(*change))
        a.sign()
        # Both sides see it: each says so itself.
        s, r = a.pair(receiver=["-o", "no.csv"])
        refused(t, a, s, "sender", f"{field}|valid-")
        refused(t, a, r, "receiver", f"{field}|valid-")
        t.check(field in s.err + r.err, f"neither says {field}: {s.last()} {r.last()}")
        t.check(not t.exists("no.csv"), "an output of a day that is not agreed")
    for role in PARTS:
        a = Agreed(t, name=f"none-{role}-")
        os.unlink(t.path(a.file(role, ".sig")))
        cases.append((f"no signatures at the {role}", a, role, {}, {}, "parties[].signing-key"))
        a = Agreed(t, name=f"one-{role}-")
        os.unlink(t.path(a.file(role, ".sig")))
        t.equal(a.run(role, "agreement", "sign", a.file(role), "--identity", a.identity[role]).status, 0, "sign")
        cases.append((f"one signature at the {role}", a, role, {}, {}, "parties[].signing-key"))
    refuse_all(t, cases)
    # A file of signatures of another text.
    a = Agreed(t, name="other-")
    b = Agreed(t, "padding-step: 100\n", name="text-")
    shutil.copy(t.path(b.file("receiver", ".sig")), t.path(a.file("receiver", ".sig")))
    s, r = a.pair(receiver=["-o", "no.csv"], timeout="3s")
    refused(t, a, r, "receiver", r"parties\[\]\.signing-key: the signature of Example Bank does not fit the text of other-bank/a\.yaml")
    refused(t, a, s, "sender", r"parties\[\]\.signing-key")
    # Both signed, but not the same.
    shutil.copy(t.path(b.file("receiver")), t.path(a.file("receiver")))
    s, r = a.pair(receiver=["-o", "no.csv"])
    for p, role in ((s, "sender"), (r, "receiver")):
        refused(t, a, p, role, "the two sides hold different agreements: they differ in padding-step")
    a = Agreed(t, name="layout-")
    b = Agreed(t, "# a remark\n", name="remark-")
    for suffix in ("", ".sig"):
        shutil.copy(t.path(b.file("sender", suffix)), t.path(a.file("sender", suffix)))
    s, r = a.pair(receiver=["-o", "no.csv"])
    for p, role in ((s, "sender"), (r, "receiver")):
        refused(t, a, p, role, "comments or layout")
    t.check(not t.exists("no.csv"), "an output of a refused run")


@test
def wider_than_agreed(t):
    """Whatever the command line widens is refused on both sides, and the field is named on both."""
    lists(t)
    extra = "".join(f"{people.resident(i)},x,{i},south,2\n" for i in range(20))
    t.write("sender.csv", "id_number,name,amount,court,region\n" + extra)
    t.write("receiver.csv", "id_number,name,amount,court,region\n" + extra)
    m = Agreed(t, "columns:\n  - {name: court, width: 8}\nmin-overlap: 5\nprotocol: ecdh\nsecurity: malicious\n", name="m-")
    p = Agreed(t, "protocol: vole\n", name="p-")
    c = Agreed(t, "min-overlap: 5\nnoise-epsilon: 1\nreveal-to: both\n", "count", name="c-")
    u = Agreed(t, "values-of: sender\nvalues:\n  - {name: amount, min: 0, max: 1000, scale: 0}\nbands:\n  - {name: amount, of: sender, edges: [0, 10, 20]}\n"
               "duplicates: refuse\nscheme: rlwe\n", "sum", name="u-")

    def case(a, role, field, *words, **ones):
        return f"{role} {' '.join(words)} {ones}", a, role, {role: list(words)}, {role: ones} if ones else {}, field
    cases = [case(m, "receiver", "security", "--security", "semi-honest"),
             case(m, "sender", "reveal-to", "--reveal-to", "both"), case(m, "receiver", "keys[].profile", "--key", "id_number:exact"),
             case(m, "sender", "keys[].sender-column", "--key", "name:cn-resident-id"), case(m, "receiver", "keys[].receiver-column", "--key", "name:cn-resident-id"),
             case(m, "sender", "keys", "--key", "id_number:cn-resident-id", "--key", "name"), case(m, "sender", "columns[].name", "--offer", "amount:4"),
             case(m, "sender", "columns[].width", "--offer", "court:9"), case(m, "receiver", "columns[].name", "--want", "amount"),
             case(m, "receiver", "rows-per-person", "--rows-per-person", "2"), case(m, "sender", "min-overlap", "--min-overlap", "4"),
             case(m, "sender", "parties[].role", "--role", "receiver"),
             case(p, "receiver", "protocol", "--protocol", "ecdh"), case(p, "sender", "function", command="count"),
             case(c, "receiver", "min-overlap", "--min-overlap", "4"), case(c, "sender", "noise-epsilon", "--noise", "epsilon=2"),
             case(u, "sender", "values[].name", "--value", "region:0..9"), case(u, "sender", "values[].max", "--value", "amount:0..1001"),
             case(u, "sender", "values[].min", "--value", "amount:-1..1000"), case(u, "sender", "values[].scale", "--value", "amount:0..1000@1"),
             case(u, "sender", "bands[].edges", "--band", "amount:0,5,20"), case(u, "sender", "bands[].name", "--band", "region:0,5,20"),
             case(u, "sender", "bands[].name", "--peer-band", "region:0,5,20"), case(u, "sender", "duplicates", "--duplicates", "sum"),
             case(u, "receiver", "scheme", "--scheme", "paillier"), case(u, "receiver", "function", command="match")]
    refuse_all(t, cases)
    t.check(not [f for f in t.files() if os.path.basename(f).startswith("no")], "outputs of refused runs")


@test
def longest_list(t):
    lists(t)
    a = Agreed(t, sign=False)
    for role in PARTS:
        a.write(role, a.text.replace("    contact: Compliance desk", "    contact: Compliance desk\n    max-list: 30"))
    a.sign()
    t.ids("receiver.csv", range(31))
    s, r = a.pair(receiver=["-o", "no.csv"])
    refused(t, a, r, "receiver", r"parties\[\]\.max-list: the list has 31 identifiers, and at most 30")
    refused(t, a, s, "sender", r"parties\[\]\.max-list")
    want = lists(t)
    t.good(*a.pair(receiver=["-o", "out.csv"]))
    t.equal(t.read("out.csv"), want, "a list of the longest size")


# ---- On the wire -----------------------------------------------------------------------------------------------------

ABORT = 15  # bytes of the frame with which a side stops


class Layout:
    """Where things are in a conversation of these lists, from the TLS records of one whole run. By way: 'up', 'down'."""

    def __init__(self, t, a, listen, **more):
        s, r, relay = a.through(listen, proxy={"keep": True}, **more)
        s.wait(), r.wait()
        if not t.good(s, r):
            t.stop("no whole run to measure")
        relay.close()
        self.at, self.first, self.hello1 = {}, {}, {}
        self.receiver = "down" if listen == "receiver" else "up"  # what the receiver sends
        for role in PARTS:
            way = "down" if role == listen else "up"  # what this role sends
            sent = [x for x in a.records(role) if x["kind"] == 2][-1]["body"]["bytes"]
            found = relay.records(way)
            t.equal(relay.bytes[way], sent["total"]["sent"], f"bytes the {role} sent, by its ledger and on the line")
            n = next((i for i in range(len(found) - 1) if found[i][2] + found[i + 1][2] - 34 == sent["greeting"]["sent"]), None)
            if n is None:
                t.stop(f"hello 1 of the {role} is not found in {found}")
            self.at[way] = [x[1] for x in found]
            self.first[way], self.hello1[way] = n, found[n][2] - 17

    def place(self, way, what):
        """The first byte of: hello1, hello2, protocol, receipt (the first), end (the last frame), close."""
        at = self.at[way]
        return at[{"hello1": self.first[way], "hello2": self.first[way] + 1, "protocol": self.first[way] + 2, "receipt": -4 if way == self.receiver else -3,
                   "signature": -3, "end": -2, "close": -1}[what]]

@test
def nothing_of_a_list_on_the_wire(t):
    """A refusal costs each side hello 1 and a word at most, however long the lists are."""
    lists(t)
    a = Agreed(t, "quotas: {runs-in-all: 1}\n")
    shape = Layout(t, a, "sender")
    b = Agreed(t, "padding-step: 100\nquotas: {runs-in-all: 1}\n", name="b-")
    c = Agreed(t, name="c-")
    for suffix in ("", ".sig"):  # the receiver's copy is another agreement
        shutil.copy(t.path(b.file("receiver", suffix)), t.path(c.file("receiver", suffix)))
    seen = {}
    for n in (20, 3000):
        lists(t, range(n), range(n))
        for what, agreed, words in (("quota", a, {}), ("fields", c, {}), ("receiver", a, {"receiver": ["--reveal-to", "both"]}),
                                    ("sender", a, {"sender": ["--key", "name"]})):
            s, r, relay = agreed.through("sender", proxy={"keep": True}, **words)
            s.wait(), r.wait()
            for p in (s, r):
                t.failed(p, 4)
            for way in ("up", "down"):
                after = [x[2] - 17 for x in relay.records(way)[shape.first[way]:] if x[2] != 19]  # without the alert that closes
                t.check(sum(after) <= shape.hello1[way] + ABORT + 60 and len(after) <= 2, f"{what}, lists of {n}: {way} {after}")
                t.check(max(after[1:], default=0) <= ABORT + 1, f"{what}, lists of {n}: more than a word after hello 1: {way} {after}")
                seen.setdefault((what, way), set()).add(tuple(after))
            for role in PARTS:
                sent = a.records(role)[-1]["body"]["bytes"]
                t.equal((sent["protocol"], sent["receipt"]), ({"sent": 0, "received": 0},) * 2, f"{what}: bytes of the protocol")
            relay.close()
    # The abort can overtake what it follows on one side only: lengths of frames are the same for any list.
    for (what, way), lengths in seen.items():
        t.check(len({x[0] for x in lengths if len(x) == 2} | {x[0] for x in lengths if len(x) == 1 and x[0] > 100}) <= 1,
                f"{what}: what is sent {way} depends on the lists: {lengths}")
    t.check(max(a.counted(role) for role in PARTS) == 1, "a refusal was counted")


# ---- Quotas ----------------------------------------------------------------------------------------------------------

def at_once(t, quota, runs=10, allowed=3):
    """Many runs at once on two ledgers: never more than allowed. What both ledgers still allow is there for the next run, and no more."""
    lists(t)
    a = Agreed(t, f"quotas: {{{quota}}}\n", name=quota.split(":")[0] + "-")
    pairs = [a.pair(receiver=["-o", f"{a.name}{k}.csv"], listen=PARTS[k % 2], timeout="20s", wait=False) for k in range(runs)]
    good = 0
    for k, (s, r) in enumerate(pairs):
        s.wait(), r.wait()
        if s.status == 0 or r.status == 0:
            t.good(s, r)
            good += 1
        else:
            for p in (s, r):
                t.failed(p, 4, "quotas\\." + quota.split(":")[0])
        t.equal(t.exists(f"{a.name}{k}.csv"), r.status == 0, f"{quota}: output of run {k}")
    t.check(good <= allowed, f"{quota}: {good} of {runs} runs went through, {allowed} are allowed")
    # A run that one ledger let begin and the other did not is none: it can be made up for, up to the quota.
    for k in range(allowed + 1 - good):
        s, r = a.pair(receiver=["-o", f"{a.name}next{k}.csv"])
        if good < allowed:
            good += t.good(s, r)
        else:
            for p, role in ((s, "sender"), (r, "receiver")):
                refused(t, a, p, role, "quotas\\." + quota.split(":")[0])
    t.equal(good, allowed, f"{quota}: runs that went through in the end")
    for role in PARTS:
        found = list(a.runs(role).values())
        t.equal((found.count("disclosed"), found.count("incomplete")), (allowed, 0), f"{quota}: runs in the {role}'s ledger of {found}")
    numbers = [[x["body"]["receipt"]["text"] for x in a.records(role) if x["kind"] == 2 and x["status"] == 0] for role in PARTS]
    t.equal(sorted(numbers[0]), sorted(numbers[1]), f"{quota}: receipts of both ledgers")


@test
def runs_of_a_day_at_once(t):
    at_once(t, "runs-per-day: 3")


@test
def runs_in_all_at_once(t):
    at_once(t, "runs-in-all: 3")


@test
def rows_of_a_day_at_once(t):
    at_once(t, "rows-per-day: 69")  # of 20 each


# ---- Kills -----------------------------------------------------------------------------------------------------------

@test
def killed_at_steps(t):
    """kill -9 at known places of the conversation, of either side: what had begun counts, what had not does not, and the next run works."""
    lists(t)
    shape = {listen: Layout(t, Agreed(t, name=f"{listen}-"), listen) for listen in PARTS}
    running = []
    for victim in PARTS:
        listen = OTHER[victim]
        for what, counts in (("hello1", False), ("hello2", True), ("protocol", True), ("receipt", True), ("end", True)):
            a = Agreed(t, "quotas: {runs-in-all: 2}\n", name=f"{victim}-{what}-")
            s, r, relay = a.through(listen, receiver=["-o", f"{a.name}.csv"], proxy={"hold": ("down", shape[listen].place("down", what))})
            running.append((a, victim, what, counts, {"sender": s, "receiver": r}, relay))
    for a, victim, what, _, p, relay in running:
        t.check(relay.acted.wait(10), f"{a.name}: the conversation never got there")
    # What it has to write before it waits is written.
    for a, victim, what, counts, p, relay in running:
        if counts:
            t.check(wait_until(lambda: 1 in [x["kind"] for x in a.records(victim)], 5), f"{a.name}: no intent on record while it waits")
    time.sleep(0.1)
    for a, victim, what, counts, p, relay in running:
        p[victim].kill()
    for a, victim, what, counts, p, relay in running:
        other = p[OTHER[victim]]
        t.check(other.wait(8) is not None, f"{a.name}: the other side did not end")
        t.check(other.status in ((0, 6) if what == "end" else (6,)), f"{a.name}: the other side ended with {other.status}: {other.last()}")
        if victim == "receiver" or what != "end":
            t.check(not t.exists(f"{a.name}.csv"), f"{a.name}: an output")
        relay.close()
    for k in range(3):
        again = [(x, *x[0].pair(receiver=["-o", f"{x[0].name}{k}.csv"], wait=False)) for x in running]
        for (a, victim, what, counts, _, _), s, r in again:
            s.wait(), r.wait()
            if k < 2 - counts:
                t.good(s, r)
            else:
                t.check((s.status, r.status) == (4, 4), f"{a.name}: run {k} after it ended with {s.status} and {r.status}: {s.last()} {r.last()}")
                t.check("quotas.runs-in-all" in s.err and "quotas.runs-in-all" in r.err, f"{a.name}: {s.last()} {r.last()}")
            t.equal(t.exists(f"{a.name}{k}.csv"), r.status == 0, f"{a.name}: output of run {k} after it")
    for a, victim, what, counts, _, _ in running:
        found = a.runs(victim)
        t.equal("incomplete" in found.values(), counts, f"{a.name}: runs {found}")
        t.equal(a.counted(victim), 2, f"{a.name}: counted of {found}")


def kill_at_random(t, n, seed=None):
    rng = random.Random(seed)
    want = lists(t, range(120), range(60, 180))
    a = Agreed(t)
    t.good(*a.pair())
    for k in range(0, n, 5):
        pairs = [a.pair(receiver=["-o", f"r{i}.csv"], listen=rng.choice(PARTS), timeout="3s", wait=False) for i in range(k, k + 5)]
        moments = sorted((rng.random() * 0.5, i, rng.randrange(2)) for i in range(5))
        began = time.monotonic()
        for when, i, which in moments:
            time.sleep(max(began + when - time.monotonic(), 0))
            pairs[i][which].signal(signal.SIGKILL)
            pairs[i][which].wait(5)
        for i, (s, r) in enumerate(pairs, k):
            for p in (s, r):
                p.wait(15)
                t.check(p.status in (0, 6, -9), f"run {i}: {p.name} ended with {p.status}: {p.last()}")
            if r.status == 0:
                t.equal(t.read(f"r{i}.csv"), want, f"output of run {i}")
            elif t.exists(f"r{i}.csv"):
                # Killed between the rename and its end: only then.
                t.check(r.status == -9 and t.read(f"r{i}.csv") == want, f"run {i}: an output of {r.status}")
    t.good(*a.pair(receiver=["-o", "last.csv"]))
    t.equal(t.read("last.csv"), want, "output after the kills")
    receipts = {}
    for role in PARTS:
        for number, what in a.runs(role).items():
            of = [x for x in a.records(role) if x["run"] == number]
            t.check(what != "refused" or of[0]["disclosed"] == 0, f"the {role}'s run {number}: {of}")
        receipts[role] = {x["body"]["receipt"]["text"] for x in a.records(role) if x["kind"] == 2 and x["status"] == 0}
    outputs = sum(t.exists(f"r{i}.csv") for i in range(n)) + 2  # with the first, which had none, and the last
    t.check(outputs <= len(receipts["receiver"]), f"{outputs} outputs and {len(receipts['receiver'])} receipts: an output is not on record")
    return a


@test
def killed_at_random(t):
    seed = int(os.environ.get("TALLY_SEED", random.Random().randrange(1 << 30)))
    kill_at_random(t, 15, seed)
    if t.failures:
        t.note(f"TALLY_SEED={seed}")


@test(long=True)
def killed_at_random_many(t):
    seed = int(os.environ.get("TALLY_SEED", random.Random().randrange(1 << 30)))
    t.note(f"TALLY_SEED={seed}")
    kill_at_random(t, 300, seed)


@test
def killed_in_a_transaction(t):
    """A process that dies while it writes the ledger leaves a journal beside it; the next run undoes what was half written."""
    want = lists(t)
    a = Agreed(t)
    limit = shutil.which("prlimit")
    if not limit:
        raise Skip("no prlimit command")
    for _ in range(4):
        t.good(*a.pair())
    for role in PARTS:
        # The kernel kills whoever writes a file beyond a size: within its last pages, or when it grows. Which of its pages a
        # transaction writes is the ledger's affair: some of these limits have to be met.
        died = 0
        for k, less in enumerate((0, 8192, 16384, 24576)):
            before = a.records(role)
            size = os.path.getsize(a.ledger(role)) - less
            s, r = a.pair(receiver=["-o", f"{role}-no{k}.csv"], timeout="5s", **{role[0]: {"wrap": [limit, f"--fsize={size}", "--core=0"]}})
            p, q = (s, r) if role == "sender" else (r, s)
            if p.status == 0:
                continue
            died += os.path.exists(a.ledger(role) + "-journal")
            t.equal(p.status, -signal.SIGXFSZ, f"{role}: how it died: {p.last()}")
            t.check(not t.exists(f"{role}-no{k}.csv") or q is r and r.status == 0, f"{role}: an output")
            s, r = a.pair(receiver=["-o", f"{role}-out{k}.csv"])
            if t.good(s, r):
                t.equal(t.read(f"{role}-out{k}.csv"), want, f"{role}: output of the next run")
            t.check(not os.path.exists(a.ledger(role) + "-journal"), f"{role}: the journal is still there")
            found = a.records(role)
            t.equal(found[:len(before)], before, f"{role}: records before")
            # It died at its intent, of which nothing is left, or at its outcome: an incomplete run.
            kinds = [x["kind"] for x in found[len(before):]]
            t.check(kinds in ([1, 2], [1, 1, 2]), f"{role}: records after {kinds}")
            if q.status == 0:
                t.equal(kinds, [1, 1, 2], f"{role}: its peer was served")
        t.check(died > 0, f"{role}: no journal was left: the test does not reach what it is for")


# ---- Full disks ------------------------------------------------------------------------------------------------------

# Files may not grow beyond a size; the signal for it is ignored, so that a write fails as on a full disk.
LIMITED = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); n = int(sys.argv[1]); " \
    "resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY)); os.execvp(sys.argv[2], sys.argv[2:])"


@test
def ledger_cannot_grow(t):
    """Before the first byte of a list: refused. At the end: what was found is discarded, and the run stays one without an outcome."""
    want = lists(t)
    a = Agreed(t)
    shape = {listen: Layout(t, a, listen) for listen in PARTS}
    t.good(*a.pair())
    for role in PARTS:
        listen = OTHER[role]
        size = os.path.getsize(a.ledger(role)) // 2
        before = a.records(role)
        s, r, relay = a.through(listen, receiver=["-o", "no.csv"], proxy={"keep": True}, **{role[0]: {"wrap": [sys.executable, "-c", LIMITED, str(size)]}})
        s.wait(), r.wait()
        p, q = (s, r) if role == "sender" else (r, s)
        t.failed(p, 7, "cannot write the ledger .*ledger\\.db", hint=True)
        t.failed(q, 6, "it had a fault of its own")
        way = "up"
        after = [x[2] - 17 for x in relay.records(way)[shape[listen].first[way]:] if x[2] != 19]
        t.check(after[0] == shape[listen].hello1[way] and sum(after[1:]) <= ABORT, f"{role}: sent after hello 1: {after}")
        t.check(not t.exists("no.csv"), "an output")
        t.equal(a.records(role), before, f"{role}: its ledger")
        relay.close()
        # The intent is written, then the disk fills up.
        s, r, relay = a.through(listen, receiver=["-o", "no.csv"], proxy={"hold": ("down", shape[listen].place("down", "hello2"))},
                                **{role[0]: {"wrap": [sys.executable, "-c", LIMITED, str(1 << 40)]}})
        p, q = (s, r) if role == "sender" else (r, s)
        t.check(relay.acted.wait(10) and wait_until(lambda: a.records(role)[-1]["kind"] == 1, 5), f"{role}: no intent")
        size = os.path.getsize(a.ledger(role)) // 2
        resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        relay.release()
        s.wait(), r.wait()
        t.failed(p, 7, "cannot write the ledger .*ledger\\.db", hint=True)
        t.equal(q.status, 0, f"{role} cannot write its outcome: the other side, {q.last()}")
        if role == "receiver":
            t.check(not t.exists("no.csv") and not [f for f in t.files() if ".no.csv" in f], f"files left: {sorted(t.files())}")
        else:
            t.equal(t.read("no.csv"), want, "the receiver's output")
            os.unlink(t.path("no.csv"))
        t.equal(list(a.runs(role).values())[-1], "incomplete", f"{role}: its run")
        relay.close()
    s, r = a.pair(receiver=["-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "once there is room again")


FULL = 'mount -t tmpfs -o size=16k tmpfs "$TALLY_HOME/ledger" && exec "$@"'


@test
def disk_full(t):
    """A disk of its own for the ledger, too small for one."""
    lists(t)
    a = Agreed(t)
    for role in PARTS:
        os.makedirs(os.path.join(a.home[role], "ledger"))
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "sh", "-c", FULL, "sh", "true"], capture_output=True,
                                                     env={**os.environ, "TALLY_HOME": a.home["sender"]}).returncode:
        raise Skip("no file system can be mounted here")
    port = free_port()
    p = a.spawn("sender", where="listen", port=port, wrap=["unshare", "-rm", "sh", "-c", FULL, "sh"], timeout="4s")
    p.wait()
    t.failed(p, 7, "ledger/ledger\\.db: disk full", hint=True)
    t.check("free some space" in p.err, f"it is not said what to do: {p.last()}")


# ---- Settings --------------------------------------------------------------------------------------------------------

@test
def settings(t):
    want = lists(t)
    a = Agreed(t)
    trial = ["--role", "receiver", "--peer", t.pins["agency"], "--key", "id_number:cn-resident-id", "-o", "out.csv"]
    one = os.path.join(a.home["receiver"], "settings.yaml")

    def say(text):
        with open(one, "w") as f:
            f.write(text)

    def alone(*more, **ones):
        p = a.spawn("receiver", *more, where="connect", port=free_port(), timeout="2s", **ones)
        p.wait()
        return p

    say("require-agreement: true\n")
    p = alone(*trial, agreement=False)
    t.failed(p, 4, re.escape(one), hint=True)
    t.check("--agreement" in p.err and not os.path.exists(a.ledger("receiver")), f"a trial against the settings: {p.last()}")
    s, r = a.pair(receiver=["-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "with the agreement that is required")
    elsewhere = t.path("elsewhere/l.db")
    say(f"# of this machine\nrequire-agreement: true\nledger: {elsewhere}\n")
    s, r = a.pair(receiver=["-o", "two.csv"])
    if t.good(s, r):
        t.equal((a.runs("receiver", elsewhere), a.runs("receiver"), a.runs("sender")), ({1: "disclosed"}, {1: "disclosed"}, {1: "disclosed", 2: "disclosed"}),
                "ledgers of the receiver and the sender")
    p = alone("-o", "no.csv", "--ledger", "other.db")
    t.failed(p, 4, f"runs are recorded in {re.escape(elsewhere)}, as {re.escape(one)} says", hint=True)
    t.check(not t.exists("other.db"), "a ledger that the settings do not allow")
    for text, line, what in (("require-agreement: yes\n", 1, "neither true nor false"), ("\nledger: l.db\n", 2, "begins with /"), ("nonsense: 1\n", 1, "unknown setting"),
                             ("ledger: /a\nledger: /b\n", 2, "given twice"), ("ledger: /a: b\n", 1, "not YAML"), ("x", 1, "name, a colon"),
                             ("require-agreement: true\n---\nledger: /a\n", 2, "second document")):
        say(text)
        p = alone("-o", "no.csv")
        t.failed(p, 1, f"{re.escape(one)}:{line}: .*{what}", hint=True)
    os.unlink(one)
    os.mkdir(one)
    t.failed(alone("-o", "no.csv"), 7, re.escape(one), hint=True)
    os.rmdir(one)
    # --ledger, without settings.
    s, r = a.pair(receiver=["-o", "three.csv", "--ledger", "given.db"])
    if t.good(s, r):
        t.equal(a.runs("receiver", t.path("given.db")), {1: "disclosed"}, "the ledger of --ledger")
    t.failed(alone("-o", "no.csv", "--ledger", "receiver.csv"), 1, "same file")
    t.check(not t.exists("no.csv"), "an output of a refused run")


# ---- Receipts --------------------------------------------------------------------------------------------------------

@test
def lost_receipts(t):
    """The connection breaks in the last exchange. The receiver has the matches, and gives none: without the other side's receipt it has none."""
    lists(t)
    for listen in PARTS:
        shape = Layout(t, Agreed(t, name=f"{listen}-"), listen)
        to_receiver = "up" if listen == "receiver" else "down"
        for what in ("receipt", "end"):
            a = Agreed(t, "quotas: {runs-in-all: 2}\n", name=f"{listen}-{what}-")
            s, r, relay = a.through(listen, receiver=["-o", f"{a.name}.csv"], proxy={"cut": (to_receiver, shape.place(to_receiver, what)), "reset": what == "end"})
            s.wait(), r.wait()
            t.check(relay.acted.is_set(), f"{a.name}: the link was never cut")
            t.failed(r, 6, hint=True)
            t.check(s.status == (0 if what == "end" else 6), f"{a.name}: the sender ended with {s.status}: {s.last()}")
            t.check(not [f for f in t.files() if f"{a.name}.csv" in f], f"{a.name}: an output was left")
            for role in PARTS:
                t.equal(a.runs(role), {1: "disclosed"}, f"{a.name}: the {role}'s ledger")
            body = a.records("receiver")[-1]["body"]
            t.equal((body["exit_status"], body["matched"], body["result"]), (6, None, None), f"{a.name}: the receiver's outcome")
            t.good(*a.pair(receiver=["-o", f"{a.name}2.csv"]))
            s, r = a.pair(receiver=["-o", f"{a.name}3.csv"])
            for p, role in ((s, "sender"), (r, "receiver")):
                refused(t, a, p, role, "quotas\\.runs-in-all")


# ---- Consent ---------------------------------------------------------------------------------------------------------

@test
def consent(t):
    """Who has not consented is not asked about: not in the list that is sent, not among the matches, and the receipt has the number."""
    sender, dates = range(40), ("2099-12-31", "2001-01-01", "", "soon", " 20991231 ", "2099/01/02", "2023-02-29", "31.12.2099")
    good = {"2099-12-31", " 20991231 ", "2099/01/02"}
    t.ids("sender.csv", sender)
    rows = [(people.resident(i), dates[i % len(dates)]) for i in sender]
    data = t.write("receiver.csv", "id_number,consent_until\n" + "".join(f"{x},{d}\n" for x, d in rows), [x for x, _ in rows])
    kept = [r for r in people.records(data)[1:] if people.fields(r)[1] in good]
    a = Agreed(t, "consent: {rule: valid-until, column: consent_until}\n")
    s, r = a.pair(receiver=["-o", "out.csv", "--summary", "r.json", "--rejects", "rejects.csv"], sender=["--summary", "s.json"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), b"id_number,consent_until\n" + b"".join(kept), "matches")
        told = json.loads(t.read("r.json"))["input"]
        t.equal((told["rows"], told["items"], told["without_consent"]), (40, 15, 25), "of the summary")
        t.check("left out 25 rows for want of consent" in r.err, f"it is not said how many were left out: {r.last()}")
        t.equal(json.loads(t.read("s.json"))["peer"]["items"], 15, "what the sender hears of")
        text = complete(t, a)["sender"]["receipt"]["text"]
        t.check("receiver-list: 15\nreceiver-without-consent: 25\n" in text and "sender-without-consent: 0\n" in text, f"receipt: {text}")
        intent = a.records("receiver")[1]["body"]["input"]
        t.equal((intent["items"], intent["without_consent"], intent["rejected"]), (15, 25, 0), "of the intent")
    # A reference to a consent, with counts; all without one.
    b = Agreed(t, "consent: {rule: reference, column: consent_until}\n", "count", name="b-")
    s, r = b.pair(receiver=["--json"])
    if t.good(s, r):
        t.equal(json.loads(r.out), {"count": 35}, "a count of those with a reference")
        t.check("receiver-without-consent: 5\n" in complete(t, b)["sender"]["receipt"]["text"], "receipt of a count")
    t.write("receiver.csv", "id_number,name\n" + "".join(f"{x},{d}\n" for x, d in rows))
    s, r = a.pair(receiver=["-o", "no.csv"])
    t.failed(r, 3, "consent_until")
    t.failed(s, 6)
    t.check(not t.exists("no.csv"), "an output without the column of consent")


# ---- Hostile ledgers -------------------------------------------------------------------------------------------------

def database(path, *sql):
    with contextlib.closing(sqlite3.connect(path)) as db:
        for line in sql:
            db.execute(line)
        db.commit()


@test
def hostile_ledgers(t):
    """Whatever stands in the place of the ledger: status 7, the file named, nobody called, and the file left as it is."""
    lists(t)
    a = Agreed(t)
    t.good(*a.pair())
    os.mkdir(t.path("good"))
    good = a.ledger("receiver")

    def newer(path):
        shutil.copy(good, path)
        database(path, "PRAGMA user_version = 99")

    def cut(path):
        shutil.copy(good, path)
        os.truncate(path, os.path.getsize(path) // 2)

    def text(path, data):
        with open(path, "wb") as f:
            f.write(data)

    def changed(*sql):
        def make(path):
            shutil.copy(good, path)
            database(path, *sql)
        return make

    cases = (("random", lambda p: text(p, random.Random(1).randbytes(40000)), "damaged, or no ledger|not a ledger"),
             ("short", lambda p: text(p, b"xy"), "damaged, or no ledger|not a ledger"),
             ("other", lambda p: database(p, "CREATE TABLE x(y)"), "is not a ledger"), ("newer", newer, "newer version"), ("half", cut, "damaged"),
             ("folder", os.mkdir, "not a regular file"), ("fifo", os.mkfifo, "not a regular file"), ("gone", lambda p: os.symlink(t.path("no/where"), p), "."),
             ("column", changed("ALTER TABLE records ADD COLUMN more TEXT"), "damaged"),
             ("trigger", changed("CREATE TRIGGER x AFTER INSERT ON nodes BEGIN SELECT 1; END"), "damaged"),
             ("view", changed("CREATE VIEW v AS SELECT 1"), "damaged"), ("nodes", changed("DROP TABLE nodes"), "damaged"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.01)
        for name, make, said in cases:
            path = t.path(f"good/{name}.db")
            make(path)
            before = t.read(f"good/{name}.db") if os.path.isfile(path) else None
            p = a.spawn("receiver", "-o", "no.csv", "--ledger", path, where="connect", port=server.getsockname()[1], timeout="3s")
            p.wait()
            t.failed(p, 7, f"{name}\\.db", hint=name != "gone")
            t.check(re.search(said, p.err), f"{name}: no {said!r} in {p.last()}")
            t.check(p.seconds < 3, f"{name}: took {p.seconds:.1f} s")
            if before is not None:
                t.equal(t.read(f"good/{name}.db"), before, f"{name}: the file afterwards")
            with contextlib.suppress(OSError):
                server.accept()
                t.check(False, f"{name}: the other side was called")
    # Records that are not what was written, with the schema whole: found when the run is to begin, before anything of the list is sent.
    for name, make in (("checkpoint", changed("UPDATE checkpoint SET size = 1")), ("removed", changed("DELETE FROM records WHERE seq = 3"))):
        path = t.path(f"good/{name}.db")
        make(path)
        s, r, relay = a.through(receiver=["-o", "no.csv", "--ledger", path], proxy={"keep": True})
        s.wait(), r.wait()
        t.failed(r, 7, f"{name}\\.db is damaged", hint=True)
        t.failed(s, 6, "it had a fault of its own")
        relay.close()
    # An empty file is what a ledger is made in.
    text(t.path("good/empty.db"), b"")
    s, r = a.pair(receiver=["--ledger", t.path("good/empty.db")])
    t.good(s, r)
    t.equal(a.runs("receiver", t.path("good/empty.db")), {1: "disclosed"}, "a ledger made in an empty file")
    if os.geteuid():
        os.chmod(good, 0o400)
        p = a.spawn("receiver", where="connect", port=free_port(), timeout="2s")
        p.wait()
        t.failed(p, 7, "ledger\\.db", hint=True)
        os.chmod(good, 0o600)
    t.check(not t.exists("no.csv"), "an output of a refused run")


@test
def busy_ledger(t):
    """Another process has the ledger for a while: the run waits for it."""
    want = lists(t)
    a = Agreed(t)
    t.good(*a.pair())
    db = sqlite3.connect(a.ledger("receiver"), isolation_level=None)
    t.closing.append(db.close)
    db.execute("BEGIN IMMEDIATE")
    s, r = a.pair(receiver=["-o", "out.csv"], wait=False)
    t.check(r.wait(1) is None and s.wait(0.1) is None, f"it did not wait: {r.last()}")
    db.execute("ROLLBACK")
    s.wait(), r.wait()
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "output after the wait")
