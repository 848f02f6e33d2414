# SPDX-License-Identifier: Apache-2.0
"""Agreements: written, checked, shown, signed by two organisations, compared. Everything that needs no peer."""
import json
import os
import re
import stat

from harness import test

SHA = "sha256:[0-9a-f]{64}"


def key_of(t, name, which):
    return json.loads(t.run("identity", "show", name, "--json").out)[which]


def fill(t, name="a.yaml", **more):
    """The template with everything in <> filled in as a user would; more: text put behind it."""
    text = t.run("agreement", "init").out.decode()
    bank, agency = ((key_of(t, n, "fingerprint"), key_of(t, n, "signing_key")) for n in ("bank", "agency"))
    for value in ("Court debtors", "Example Bank", *bank, "Compliance desk", "Example Agency", *agency, "Enforcement office",
                  "Finding debtors among customers", "Court Act, section 7", "2020-01-01", "2099-12-31", "id_card", "id_number"):
        text = re.sub(r": <[^>]*>", lambda _: ": " + value, text, count=1)
    text += more.get("extra", "")
    t.write(name, text)
    return text


@test
def from_template_to_check(t):
    p = t.run("agreement", "init")
    t.check(p.status == 0 and p.err == "" and p.out.endswith(b"\n"), f"init: {p.status} {p.last()}")
    t.check(max(len(line) for line in p.out.decode().splitlines()) <= 110, "a line of the template is long")
    t.write("t.yaml", p.out)
    t.failed(t.run("agreement", "check", "t.yaml"), 3, r"t\.yaml:\d+: missing, or still to be filled in: name \(line \d+\).*and \d+ more", hint=True)
    fill(t)
    p = t.run("agreement", "check", "a.yaml")
    t.equal(p.status, 0, f"check of the filled template: {p.last()}")
    said = p.out.decode()
    for text in ("Example Bank, the receiver, learns\n  - which identifiers of its own list are also on the list of Example Agency\n",
                 "Example Agency, the sender, learns\n", "  - nothing else\n", "\nLimits\n", "Purpose: Finding debtors among customers\n",
                 "from 2020-01-01 to 2099-12-31", "Any number of runs"):
        t.check(text in said, f"check does not say {text!r}: {said}")
    t.check("is complete" in p.err and p.err.count("\n") == 1, f"check on stderr: {p.last()}")
    told = json.loads(t.run("agreement", "check", "a.yaml", "--json").out)
    t.equal([x["role"] for x in told["learns"]], ["receiver", "sender"], "roles in JSON")
    t.check(all(f"  - {x}\n" in said for side in told["learns"] for x in side["learns"]), "JSON of check against its text")
    t.check(all(f"  - {x}\n" in said for x in told["limits"]) and re.fullmatch(SHA, told["digest"]), "limits in JSON")


@test
def faults_are_named(t):
    """File, line and field, and what to do about it; nothing on standard output."""
    good = fill(t)
    line = good.splitlines().index("function: match") + 1
    for change, text in (
            (("function: match", "function: matsch"), rf"a\.yaml:{line}: function: \"matsch\" is not match, count or sum"),
            (("function: match", "function: match\nfunction: match"), rf"a\.yaml:{line + 1}: function: is given twice, first on line {line}"),
            (("function: match", "funktion: match"), rf"a\.yaml:{line}: unknown field \"funktion\""),
            (("function: match", "function: &x match"), rf"a\.yaml:{line}: function: anchors"),
            (("function: match", "function: match\npadding-step: 0x10"), r"padding-step: \"0x10\""),
            (("function: match", "function: count\nsecurity: malicious"), r"security: counts and sums hold against"),
            (("2099-12-31", "2019-12-31"), r"valid-until: is before valid-from")):
        t.write("b.yaml", good.replace(*change))
        for words in (("check", "b.yaml"), ("show", "b.yaml", "--json"), ("sign", "b.yaml", "--identity", "bank"), ("diff", "a.yaml", "b.yaml")):
            p = t.run("agreement", *words)
            t.failed(p, 3, text.replace("a\\.yaml", "b\\.yaml"), hint=True)
            t.equal(p.out, b"", f"standard output of {words}")
    t.check(not t.exists("b.yaml.sig"), "an agreement with a fault was signed")
    t.failed(t.run("agreement", "check", "nowhere.yaml"), 7, "nowhere.yaml")
    t.write("big.yaml", good + "#" * 70000)
    t.failed(t.run("agreement", "check", "big.yaml"), 3, "65536", hint=True)
    t.write("old.yaml", good.replace("2099-12-31", "2020-12-31"))
    p = t.run("agreement", "check", "old.yaml")
    t.check(p.status == 0 and "warning: the agreement ended on 2020-12-31" in p.err, f"an agreement that has ended: {p.status} {p.last()}")


@test
def two_organisations_sign(t):
    good = fill(t)
    os.mkdir(t.path("agency"))
    t.write("agency/a.yaml", good.replace("\n", "\r\n"))  # as a mail program may have it
    p = t.run("agreement", "show", "a.yaml")
    t.check(p.status == 0 and b"signature of Example Bank: not signed\n" in p.out, f"show before signing: {p.status} {p.out!r}")
    p = t.run("agreement", "sign", "a.yaml", "--identity", "bank")
    t.check(p.status == 0 and b"Example Bank: signed\nExample Agency: not signed\n" in p.out, f"sign: {p.status} {p.out!r} {p.last()}")
    t.check("hint: send the agreement and a.yaml.sig to Example Agency" in p.err, f"hint of sign: {p.last()}")
    t.equal(stat.S_IMODE(os.stat(t.path("a.yaml.sig")).st_mode), 0o600, "mode of the file of signatures")
    t.check(re.fullmatch(rb"tally-agreement-signatures 1\ned25519 [A-Za-z0-9+/]{43}= [A-Za-z0-9+/]{86}== Example Bank\n", t.read("a.yaml.sig")),
            f"form of the file: {t.read('a.yaml.sig')!r}")
    p = t.run("agreement", "sign", "agency/a.yaml", "--identity", "agency", "--add", "a.yaml.sig")
    t.check(p.status == 0 and b"Example Bank: signed\nExample Agency: signed\n" in p.out and "hint: send agency/a.yaml.sig to the other organisation" in p.err, f"sign and add: {p.status} {p.out!r} {p.last()}")
    p = t.run("agreement", "sign", "a.yaml", "--add", "agency/a.yaml.sig")
    t.check(p.status == 0 and b"Example Agency: signed\n" in p.out, f"add: {p.status} {p.out!r} {p.last()}")
    t.equal(t.read("a.yaml.sig"), t.read("agency/a.yaml.sig"), "both hold the same signatures")
    before = t.read("a.yaml.sig")
    p = t.run("agreement", "sign", "a.yaml", "--identity", "bank")
    t.check(p.status == 0 and t.read("a.yaml.sig") == before, f"signing again changes nothing: {p.status} {p.last()}")
    shown = [json.loads(t.run("agreement", "show", name, "--json").out) for name in ("a.yaml", "agency/a.yaml")]
    t.equal(shown[0], shown[1], "what both are shown")
    t.equal([s["state"] for s in shown[0]["signatures"]], ["signed", "signed"], "states in JSON")
    t.check("protocol" in shown[0]["filled_in"] and shown[0]["fields"]["protocol"] == "auto", f"filled in: {shown[0]}")
    t.equal(shown[0]["fields"]["parties"][1]["max-list"], 1 << 30, "a number in JSON")
    p = t.run("agreement", "diff", "a.yaml", "agency/a.yaml")
    t.check(p.status == 0 and p.out == b"" and "are the same" in p.err, f"diff of two copies: {p.status} {p.out!r} {p.last()}")


@test
def a_changed_text_does_not_keep_its_signature(t):
    good = fill(t)
    t.run("agreement", "sign", "a.yaml", "--identity", "bank")
    t.write("a.yaml", good.replace("Compliance desk", "Compliance dusk"))
    p = t.run("agreement", "show", "a.yaml")
    t.failed(p, 11, "the signature of Example Bank does not fit", hint=True)
    t.check(b"signature of Example Bank: does not fit\n" in p.out and b"contact: Compliance dusk\n" in p.out, f"show all the same: {p.out!r}")
    p = t.run("agreement", "show", "a.yaml", "--json")
    t.equal((p.status, json.loads(p.out)["signatures"][0]["state"]), (11, "does not fit"), "in JSON")
    was = t.read("a.yaml.sig")
    t.failed(t.run("agreement", "sign", "a.yaml", "--identity", "bank"), 11, "move a.yaml.sig away", hint=True)
    t.equal(t.read("a.yaml.sig"), was, "the file of signatures after a refused sign")
    p = t.run("agreement", "sign", "a.yaml", "--add", "a.yaml.sig")
    t.failed(p, 11, "does not fit")
    # Signatures of another text, of a key that is not named, and no signatures at all.
    t.write("b.yaml", good)
    for name, data, status, text in (("x.sig", was, 11, "does not fit"), ("y.sig", b"hello\n", 3, "not a file of signatures"),
                                     ("z.sig", b"x" * 3000, 3, "more than 2048"), ("none.sig", None, 7, "none.sig")):
        if data is not None:
            t.write(name, data)
        t.write("c.yaml", good.replace("Enforcement office", "Enforcement Office"))
        p = t.run("agreement", "sign", "c.yaml", "--add", name)
        t.failed(p, status, text)
        t.check(p.out == b"" and not t.exists("c.yaml.sig"), f"{name}: left {p.out!r}")
    t.run("identity", "new", "stranger", "--organisation", "Example Bank")
    t.failed(t.run("agreement", "sign", "b.yaml", "--identity", "stranger"), 5, "names no party", hint=True)
    os.unlink(os.path.join(t.home, "bank", "sign.pem"))
    t.failed(t.run("agreement", "sign", "b.yaml", "--identity", "bank"), 5, "add-signing-key", hint=True)
    t.failed(t.run("agreement", "sign", "b.yaml", "--identity", "nobody"), 7, "nobody", hint=True)
    t.check(not t.exists("b.yaml.sig"), "a refused sign wrote a file")


@test
def differences(t):
    good = fill(t)
    t.write("b.yaml", good.replace("Enforcement office", "Registry").replace("# protocol: ecdh", "protocol: ecdh")
            .replace("# padding-step: 10000", "padding-step: 10000"))
    p = t.run("agreement", "diff", "a.yaml", "b.yaml")
    t.failed(p, 11, "differ")
    t.equal(p.out.decode().splitlines(), ["parties[sender].contact: Enforcement office | Registry", "protocol: auto | ecdh", "padding-step: (none) | 10000"],
            "differences")
    p = t.run("agreement", "diff", "a.yaml", "b.yaml", "--json")
    found = json.loads(p.out)
    t.check(p.status == 11 and not found["same"] and found["digests"][0] != found["digests"][1], f"diff --json: {p.status} {found}")
    t.equal(found["differences"][2], {"field": "padding-step", "a": None, "b": "10000"}, "a difference in JSON")
    t.write("c.yaml", good + "# a comment\n")
    p = t.run("agreement", "diff", "a.yaml", "c.yaml")
    t.check(p.status == 0 and p.out == b"" and "comments or layout" in p.err, f"only a comment: {p.status} {p.last()}")
    t.equal(json.loads(t.run("agreement", "diff", "a.yaml", "c.yaml", "--json").out)["same"], True, "same in JSON")
    if os.path.exists("/dev/full"):
        for words in (("diff", "a.yaml", "b.yaml"), ("diff", "a.yaml", "b.yaml", "--json"), ("check", "a.yaml"), ("show", "a.yaml"), ("init",)):
            t.failed(t.run("agreement", *words, stdout="/dev/full"), 7, "standard output could not be written")


@test
def who_signs_is_who_is_named(t):
    good = fill(t)
    t.write("b.yaml", re.sub("link-key: " + SHA, "link-key: sha256:" + "ab" * 32, good, count=1))
    t.failed(t.run("agreement", "sign", "b.yaml", "--identity", "bank"), 5, r"b\.yaml:\d+: parties\[1\]\.link-key", hint=True)
    t.check(not t.exists("b.yaml.sig"), "an agreement with another link key was signed")
    t.write("old.yaml", good.replace("2099-12-31", "2020-12-31"))
    p = t.run("agreement", "sign", "old.yaml", "--identity", "bank")
    t.check(p.status == 0 and "warning: the agreement ended on 2020-12-31" in p.err, f"signing what has ended: {p.status} {p.last()}")
    t.write("c.yaml", good.replace("Finding debtors among customers", "Finding debtors # 3"))
    t.failed(t.run("agreement", "check", "c.yaml"), 3, r"c\.yaml:\d+: purpose: the text is followed by a comment", hint=True)
    stale = os.path.join(t.home, "bank", ".sign.pem.new")
    os.rename(os.path.join(t.home, "bank", "sign.pem"), stale)
    p = t.run("identity", "add-signing-key", "bank")
    t.failed(p, 7, r"\.sign\.pem\.new", hint=True)
    t.check("remove .sign.pem.new" in p.err, f"hint for a stale file: {p.last()}")
    os.unlink(stale)
    t.equal(t.run("identity", "add-signing-key", "bank").status, 0, "once it is removed")


@test
def misuse(t):
    fill(t)
    for words, text in (
            ((), "nothing to do"), (("nonsense",), "nonsense"), (("check",), "agreement is missing"), (("check", "a.yaml", "b.yaml"), "b.yaml"),
            (("diff", "a.yaml"), "second agreement is missing"), (("init", "a.yaml"), "a.yaml"), (("init", "--json"), "--json"),
            (("sign", "a.yaml"), "--identity is missing"), (("sign", "a.yaml", "--identity", "bank", "--json"), "--json"),
            (("check", "a.yaml", "--identity", "bank"), "--identity is only"), (("show", "a.yaml", "--add", "x"), "--add is only"),
            (("check", "a.yaml", "--nonsense"), "--nonsense"), (("diff", "a", "b", "c"), "unexpected argument c")):
        p = t.run("agreement", *words)
        t.failed(p, 1, text)
        t.equal(p.out, b"", f"standard output of {words}")
    t.check(not t.exists("a.yaml.sig"), "misuse signed something")
    for words in (("agreement", "--help"), ("help", "agreement"), ("agreement", "check", "-h")):
        p = t.run(*words)
        t.check(p.status == 0 and p.err == "" and b"usage: tally agreement init" in p.out, f"{words}: {p.status} {p.last()}")


@test
def hostile_names(t):
    """A text that could steer a terminal is refused, whichever way it is written."""
    good = fill(t)
    for bad in ('"\\e[2J"', '"\\u202e"', "\x1b[2J", "\u202e", "a\u2028b"):
        t.write("b.yaml", good.replace("Compliance desk", bad))
        p = t.run("agreement", "check", "b.yaml")
        t.failed(p, 3, r"b\.yaml:\d+", hint=True)
        t.check("\x1b" not in p.err and "\u202e" not in p.err, f"{bad!r} came through: {p.last()}")
