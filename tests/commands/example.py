# SPDX-License-Identifier: Apache-2.0
"""The example of the documentation, end to end; who listens and who starts first."""
import json
import re
import socket

import people
from harness import PARTS, Skip, Party, free_port, test


def lists(t, sender=range(0, 60), receiver=range(40, 120)):
    t.ids("sender.csv", sender)
    t.ids("receiver.csv", receiver, "id_card", seed=2)
    return people.join(t.read("receiver.csv"), t.read("sender.csv"))


KEYS = {"s": {"key": "id_number:cn-resident-id"}, "r": {"key": "id_card:cn-resident-id"}}


@test
def as_documented(t):
    t.ids("agency.csv", range(0, 60))
    t.ids("bank.csv", range(40, 120), "id_card", seed=2)
    for name, organisation in (("agency-id", "Example Agency"), ("bank-id", "Example Bank")):
        t.equal(t.run("identity", "new", name, "--organisation", organisation).status, 0, f"identity new {name}")
    pins = {n: re.search(r"^fingerprint: (\S+)$", t.run("identity", "show", n).out.decode(), re.M)[1] for n in ("agency-id", "bank-id")}
    before, port = t.files(), free_port()
    sender = Party(t, "match", "--role", "sender", "--listen", f"127.0.0.1:{port}", "--identity", "agency-id", "--peer", pins["bank-id"],
                   "--input", "agency.csv", "--key", "id_number:cn-resident-id", name="sender")
    receiver = Party(t, "match", "--role", "receiver", "--connect", f"127.0.0.1:{port}", "--identity", "bank-id", "--peer",
                     pins["agency-id"], "--input", "bank.csv", "--key", "id_card:cn-resident-id", "--output", "overlap.csv", name="receiver")
    sender.wait(), receiver.wait()
    if t.good(sender, receiver):
        t.equal(t.read("overlap.csv"), people.join(t.read("bank.csv"), t.read("agency.csv")), "overlap.csv")
        t.equal(len(people.records(t.read("overlap.csv"))), 21, "rows of overlap.csv")
    t.clean(before, {"overlap.csv"})
    t.equal(receiver.out + sender.out, b"", "stdout when the result goes to a file")
    # The closing sentence of what each side learned.
    t.check("60" in receiver.err and "80" in receiver.err and "20" in receiver.err, f"receiver's closing sentence: {receiver.last()}")
    t.check("60" in sender.err and "80" in sender.err and "learned" in sender.err, f"sender's closing sentence: {sender.last()}")
    t.check(not re.search(r"[^\x20-\x7e\n\u0080-\uffff]", sender.err + receiver.err), "control characters on stderr without a terminal")


@test
def either_listens_either_first(t):
    want = lists(t)
    for listen in PARTS:
        for first in PARTS:
            out = f"{listen}-{first}.csv"
            s, r = t.pair(receiver=["--output", out], listen=listen, first=first, gap=0.6, timeout="10s", **KEYS)
            if t.good(s, r):
                t.equal(t.read(out), want, out)


@test
def ipv6(t):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        raise Skip("no IPv6 loopback")
    want = lists(t)
    s, r = t.pair(receiver=["--output", "out.csv"], host="[::1]", **KEYS)
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "over IPv6")
    s, r = t.pair(receiver=["--output", "name.csv"], r={"host": "localhost", **KEYS["r"]}, s=KEYS["s"])
    if t.good(s, r):
        t.equal(t.read("name.csv"), want, "by host name")


@test
def reveal_and_security(t):
    want = lists(t)
    theirs = people.join(t.read("sender.csv"), t.read("receiver.csv"))
    for terms in (["--protocol", "ecdh"], ["--protocol", "vole"], ["--security", "malicious"], ["--protocol", "ecdh", "--security", "malicious"]):
        s, r = t.pair(sender=["--output", "s.csv"], receiver=["--output", "r.csv"], both=[*terms, "--reveal-to", "both", "--force"], **KEYS)
        if t.good(s, r):
            t.equal(t.read("r.csv"), want, f"receiver, {terms}, both")
            t.equal(t.read("s.csv"), theirs, f"sender, {terms}, both")
        s, r = t.pair(receiver=["--output", "m.csv", "--force"], both=[*terms, "--threads", "1"], **KEYS)
        if t.good(s, r):
            t.equal(t.read("m.csv"), want, f"receiver, {terms}")


@test
def no_output_asked(t):
    """Without --output the receiver still learns how many match, and says so."""
    lists(t)
    s, r = t.pair(receiver=["--summary", "sum.json"], **KEYS)
    if t.good(s, r):
        t.equal(json.loads(t.read("sum.json"))["result"], {"items": 20, "rows": 20}, "result in the summary")
        t.check("20" in r.err, f"closing sentence: {r.last()}")


@test
def gone_afterwards(t):
    """Processes have ended and the port is free: a second run uses the same one at once."""
    lists(t)
    port = free_port()
    for k in range(2):
        s, r = t.pair(receiver=["--output", f"{k}.csv"], port=port, **KEYS)
        t.good(s, r)
    t.equal(t.read("0.csv"), t.read("1.csv"), "the same run twice")
    with socket.socket() as probe:
        probe.settimeout(1)
        t.check(probe.connect_ex(("127.0.0.1", port)) != 0, "somebody still listens")
