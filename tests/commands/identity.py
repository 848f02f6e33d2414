# SPDX-License-Identifier: Apache-2.0
"""Identities, version, help and misuse: everything that needs no peer."""
import json
import os
import re
import shutil
import stat

from harness import Party, free_port, test

PIN = r"^fingerprint: (sha256:[0-9a-f]{64})$"


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def fingerprint(p):
    found = re.search(PIN, p.out.decode(), re.M)
    return found[1] if found else None


@test
def new_and_show(t):
    new = t.run("identity", "new", "court", "--organisation", "Example Court")
    t.equal(new.status, 0, "identity new")
    folder = os.path.join(t.home, "court")
    t.equal(sorted(os.listdir(folder)), ["cert.pem", "key.pem", "sign.pem"], "files of an identity")
    t.equal(mode(folder), 0o700, "mode of the folder")
    t.equal(mode(os.path.join(folder, "key.pem")), 0o600, "mode of key.pem")
    t.check(mode(os.path.join(folder, "cert.pem")) in (0o600, 0o644), "mode of cert.pem")
    show = t.run("identity", "show", "court")
    t.equal(show.status, 0, "identity show")
    t.check(fingerprint(new), f"no fingerprint line from identity new: {new.out!r}")
    t.equal(fingerprint(show), fingerprint(new), "fingerprint of show against new")
    t.check(b"Example Court" in show.out, f"the organisation is not in {show.out!r}")
    t.check(b"PRIVATE" not in new.out + show.out, "a private key was printed")
    as_json = json.loads(t.run("identity", "show", "court", "--json").out)
    t.equal(as_json.get("fingerprint"), fingerprint(show), "fingerprint in JSON")
    t.check("Example Court" in as_json.get("subject", ""), f"subject in JSON: {as_json}")
    other = t.run("identity", "new", "court2", "--organisation", "Example Court", "--json")
    t.equal(other.status, 0, "identity new --json")
    t.check(re.fullmatch(r"sha256:[0-9a-f]{64}", json.loads(other.out).get("fingerprint", "")), f"JSON of new: {other.out!r}")
    t.check(json.loads(other.out)["fingerprint"] != fingerprint(new), "two identities share a key")


@test
def new_refuses_to_overwrite(t):
    key = os.path.join(t.home, "bank", "key.pem")
    with open(key, "rb") as f:
        was = f.read()
    p = t.run("identity", "new", "bank", "--organisation", "Another")
    t.failed(p, 7, "bank", hint=True)
    with open(key, "rb") as f:
        t.equal(f.read(), was, "key after a refused identity new")
    t.equal(sorted(os.listdir(os.path.join(t.home, "bank"))), ["cert.pem", "key.pem", "sign.pem"], "folder after a refused identity new")


@test
def new_names_and_places(t):
    p = t.run("identity", "new", "\u5c55\u793a", "--organisation", "\u793a\u4f8b\u94f6\u884c")
    t.equal(p.status, 0, f"Chinese organisation: {p.err}")
    show = t.run("identity", "show", "\u5c55\u793a")
    t.check("O=\u793a\u4f8b\u94f6\u884c" in show.out.decode(), f"Chinese organisation in {show.out.decode()!r}")
    t.equal(json.loads(t.run("identity", "show", "\u5c55\u793a", "--json").out)["subject"],
            "CN=\u5c55\u793a,O=\u793a\u4f8b\u94f6\u884c", "subject")
    p = t.run("identity", "new", "./keys", "--organisation", "Path")
    t.equal(p.status, 0, f"an identity by path: {p.err}")
    t.check(t.exists("keys/key.pem") and not os.path.exists(os.path.join(t.home, "keys")), "a name with a slash is a path")
    # Without TALLY_HOME the home is ~/.config/tally.
    p = Party(t, "identity", "new", "plain", "--organisation", "Plain", home="", name="home")
    p.wait()
    t.check(p.status == 0 and os.path.exists(os.path.join(t.home, ".config/tally/plain/key.pem")),
            f"home without TALLY_HOME: {p.status} {p.last()}")
    for bad in ("", "x" * 65, "two\nlines", "bell\a"):
        t.failed(t.run("identity", "new", "bad", "--organisation", bad), 1, "organisation")
    t.failed(t.run("identity", "new", "bad"), 1, "--organisation")
    t.failed(t.run("identity", "new", "--organisation", "X"), 1)
    t.check(not os.path.exists(os.path.join(t.home, "bad")), "a refused identity left a folder")


@test
def signing_key(t):
    """An identity of before has no signing key: show says how it gets one, and it gets one, once."""
    sign = os.path.join(t.home, "bank", "sign.pem")
    t.equal(mode(sign), 0o600, "mode of sign.pem")
    had = json.loads(t.run("identity", "show", "bank", "--json").out)
    t.check(re.fullmatch(r"sha256:[0-9a-f]{64}", had["signing_key"]) and had["signing_key"] != had["fingerprint"], f"signing key: {had}")
    t.failed(t.run("identity", "add-signing-key", "bank"), 7, "already", hint=True)
    os.unlink(sign)
    p = t.run("identity", "show", "bank")
    t.check(p.status == 0 and b"\nsigning key: none\n" in p.out and "hint: to sign agreements" in p.err and "tally identity add-signing-key bank" in p.err,
            f"show without a signing key: {p.status} {p.out!r} {p.last()}")
    t.check(json.loads(t.run("identity", "show", "bank", "--json").out)["signing_key"] is None, "no signing key in JSON")
    p = t.run("identity", "add-signing-key", "bank")
    t.check(p.status == 0 and re.search(rb"^signing key: sha256:[0-9a-f]{64}$", p.out, re.M), f"add-signing-key: {p.status} {p.out!r} {p.last()}")
    now = json.loads(t.run("identity", "show", "bank", "--json").out)
    t.check(now["signing_key"] != had["signing_key"] and now["fingerprint"] == had["fingerprint"], "keys after add-signing-key")
    t.failed(t.run("identity", "add-signing-key", "nobody"), 7, "nobody", hint=True)
    t.failed(t.run("identity", "add-signing-key", "bank", "--organisation", "X"), 1, "--organisation")


@test
def show_refuses(t):
    t.failed(t.run("identity", "show", "nobody"), 7, "nobody", hint=True)
    key = os.path.join(t.home, "bank", "key.pem")
    os.chmod(key, 0o644)
    t.failed(t.run("identity", "show", "bank"), 7, "key.pem", hint=True)
    os.chmod(key, 0o600)
    shutil.copy(os.path.join(t.home, "agency", "cert.pem"), os.path.join(t.home, "bank", "cert.pem"))
    t.failed(t.run("identity", "show", "bank"), 5)
    with open(key, "w") as f:
        f.write("no key")
    t.failed(t.run("identity", "show", "bank"), (5, 7))


@test
def version(t):
    p = t.run("version")
    t.check(p.status == 0 and re.match(rb"tally \d+\.\d+\.\d+", p.out), f"version: {p.status} {p.out!r}")
    p = t.run("version", "--json")
    v = json.loads(p.out)
    t.check(re.fullmatch(r"\d+\.\d+\.\d+", v["tally"]), f"version: {v}")
    for name in ("openssl", "libsodium", "protobuf-c", "utf8proc", "jansson", "libyaml"):
        t.check(re.match(r"\d+\.\d+", v["libraries"].get(name, "")), f"version of {name}: {v}")
    t.check(v["backends"].get("group") and v["protocol"]["min"] <= v["protocol"]["max"], f"backends and protocol: {v}")
    t.equal(p.err, "", "stderr of version --json")
    for wanted in ("portable", "avx2"):
        limited = json.loads(t.run("version", "--json", env={"TALLY_BACKEND": wanted}).out)["backends"]
        t.check(limited["group"] in ("portable", wanted) and limited["sha512"] in ("portable", wanted), f"TALLY_BACKEND={wanted}: {limited}")
        t.check(limited["streams"] in (("portable",) if wanted == "portable" else ("portable", "aesni", "vaes256")), f"TALLY_BACKEND={wanted}: {limited}")
        t.check(limited["rows"] in (("portable",) if wanted == "portable" else ("portable", "avx2", "vpclmul256")), f"TALLY_BACKEND={wanted}: {limited}")


@test
def help_and_misuse(t):
    for words in ((), ("match",), ("identity",), ("identity", "new"), ("identity", "show"), ("agreement",), ("agreement", "sign"), ("version",)):
        p = t.run(*words, "--help")
        t.check(p.status == 0 and len(p.out) > 40 and not p.err, f"{words} --help: {p.status} {p.out[:80]!r} {p.last()}")
    page = t.run("match", "--help").out.decode()
    for option in ("--role", "--listen", "--connect", "--peer", "--peer-ca", "--peer-name", "--identity", "--input", "--key",
                   "--output", "--columns", "--no-header", "--encoding", "--delimiter", "--rejects", "--max-rejects",
                   "--security", "--reveal-to", "--threads", "--timeout", "--summary", "--json", "--force"):
        t.check(re.search(re.escape(option) + r"\b", page), f"match --help does not name {option}")
    for words in ((), ("nonsense",), ("identity",), ("identity", "nonsense", "x"), ("identity", "show"), ("match", "--nonsense"),
                  ("version", "--nonsense"), ("version", "extra"), ("match", "extra"), ("identity", "show", "bank", "extra")):
        p = t.run(*words)
        t.check(p.status == 1 and not p.out and p.err.strip(), f"misuse {words}: {p.status} {p.out[:60]!r} {p.last()}")
        if words:
            t.check(re.search(r"^tally: \S", p.err, re.M), f"misuse {words}: no message in {p.last()}")
    t.failed(t.run("match", "--nonsense"), 1, "--nonsense")
    t.failed(t.run("nonsense"), 1, "nonsense", hint=True)


@test
def match_options(t):
    """Options that are missing, twice or wrong: status 1, at once, the option named, nothing touched."""
    t.ids("bank.csv", range(3))
    port = free_port()
    good = {"--role": "receiver", "--connect": f"127.0.0.1:{port}", "--identity": "bank", "--peer": t.pins["agency"],
            "--input": "bank.csv", "--key": "id_number:cn-resident-id", "--output": "out.csv", "--timeout": "30s"}
    before = t.files()

    def run(drop=(), *more):
        words = [w for k, v in good.items() if k not in drop for w in (k, v)]
        p = t.run("match", *words, *more)
        t.check(p.seconds < 3, f"{drop} {more}: took {p.seconds:.1f} s")
        return p

    for option in ("--role", "--identity", "--peer", "--input", "--key", "--connect"):
        t.failed(run((option,)), 1, option)
    for option, value, text in (
            ("--role", "third", "third"), ("--connect", "127.0.0.1", "port"), ("--connect", "127.0.0.1:0", "port"),
            ("--connect", "127.0.0.1:70000", "port"), ("--connect", "::1:7440", "bracket"), ("--peer", "sha256:12", "fingerprint|sha256"),
            ("--peer", "md5:" + "0" * 64, "fingerprint|sha256"), ("--key", "id_number:cn-driver", "cn-driver"),
            ("--timeout", "soon", "timeout"), ("--timeout", "-5s", "timeout"), ("--timeout", "0", "timeout")):
        t.failed(run((option,), option, value), 1, text)
    for words, text in (
            (("--listen", f"127.0.0.1:{port}"), "--listen|listen"), (("--security", "naive"), "naive"), (("--reveal-to", "all"), "all"),
            (("--encoding", "latin-1"), "latin-1"), (("--delimiter", "ab"), "delimiter"), (("--delimiter", '"'), "delimiter"),
            (("--max-rejects", "many"), "max-rejects"), (("--max-rejects", "101%"), "max-rejects"), (("--threads", "300"), "threads"),
            (("--threads", "x"), "threads"), (("--peer-name", "CN=x"), "--peer-ca"), (("--peer-ca", "ca.pem"), "--peer-name"),
            (("--output",), "output"), (("--key", "amount:phone-e164+0"), "phone-e164")):
        t.failed(run((), *words), 1, text)
    p = run(("--role",), "--role", "sender")
    t.failed(p, 1, "output")
    p = t.run("match", *[w for k, v in good.items() if k != "--input" for w in (k, v)], "--input", "bank.csv", "--no-header")
    t.failed(p, (1, 3), "id_number|column")
    t.clean(before)


@test
def unknown_column_options(t):
    """Column options repeat and never take comma lists; a column that is not there is named together with those that are."""
    t.ids("bank.csv", range(3))
    port = free_port()
    link = ["--role", "receiver", "--connect", f"127.0.0.1:{port}", "--identity", "bank", "--peer", t.pins["agency"], "--timeout", "2s"]
    before = t.files()
    for p, text in [(Party(t, "match", *link, "--input", "bank.csv", "-o", "o.csv", *words), text) for words, text in (
            (("--key", "id_numbr:cn-resident-id"), "id_numbr.*id_number|id_number.*id_numbr"),
            (("--key", "id_number", "--columns", "id_number,name"), "id_number,name"), (("--no-header", "--key", "9"), "9"))]:
        p.wait()
        t.failed(p, 3, text, hint=True)
    t.clean(before)
