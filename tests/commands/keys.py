# SPDX-License-Identifier: Apache-2.0
"""Passphrases, keys of an authority, keys in a token, rotation, revocation, warnings before an end."""
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import time

from auth import authority, identity_of, openssl
from harness import Agreed, Party, free_port, test

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def secret(t, name, text, mode=0o600):
    t.write(name, text + "\n")
    os.chmod(t.path(name), mode)
    return name


def shown(t, name, *more, **party):
    p = t.run("identity", "show", name, "--json", *more, **party)
    return json.loads(p.out) if p.status == 0 else t.stop(f"identity show {name}: {p.last()}")


def lists(t):
    t.ids("sender.csv", range(8))
    t.ids("receiver.csv", range(5, 12))


# ---- Passphrases -----------------------------------------------------------------------------------------------------

@test
def passphrase(t):
    """Set, asked for, wrong, missing, changed, removed; never printed; used by sign and by a run."""
    lists(t)
    one, two = secret(t, "one", "correct horse"), secret(t, "two", "battery staple")
    p = t.run("identity", "new", "bank2", "--organisation", "Example Bank", "--passphrase-file", one)
    t.equal(p.status, 0, f"new: {p.last()}")
    for name in ("key.pem", "sign.pem"):
        path = os.path.join(t.home, "bank2", name)
        t.check(b"BEGIN ENCRYPTED PRIVATE KEY" in open(path, "rb").read(), f"{name} is not encrypted")
        text = subprocess.run(["openssl", "asn1parse", "-in", path], capture_output=True, text=True).stdout
        t.check("PBKDF2" in text and "hmacWithSHA256" in text and "aes-256-cbc" in text and ":0927C0" in text, f"{name}: {text}")
        done = subprocess.run(["openssl", "pkey", "-in", path, "-passin", f"file:{t.path(one)}", "-noout"], capture_output=True)
        t.equal(done.returncode, 0, f"openssl reads {name}")
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", two), 5, "passphrase", hint=True)
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", "missing"), 7, "missing", hint=True)
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", secret(t, "open", "correct horse", 0o640)), 7, "others may read", hint=True)
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", secret(t, "lines", "correct horse\nmore")), 7, "one line", hint=True)
    all_ = shown(t, "bank2", "--passphrase-file", one)
    t.check(all_["key_encrypted"] and all_["signing_key_encrypted"], f"show: {all_}")
    # What is public needs no passphrase; what was changed by hand is noticed.
    t.equal(shown(t, "bank2"), all_, "shown without the passphrase")
    sign = os.path.join(t.home, "bank2", "sign.pem")
    good, other = open(sign).read(), open(os.path.join(t.home, "bank2", "key.pem")).read()
    head = "-----BEGIN PUBLIC KEY-----"
    t.check(head in good, "no public key behind an encrypted one")
    t.write("home/bank2/sign.pem", good[:good.index(head)] + other[other.index(head):])
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", one), 5, "of another key", hint=True)
    t.write("home/bank2/sign.pem", good[:good.index(head)])
    t.failed(t.run("identity", "show", "bank2"), 7, "does not follow", hint=True)
    t.write("home/bank2/sign.pem", good)
    os.mkfifo(t.path("pipe"), 0o600)
    writer = subprocess.Popen(["sh", "-c", f"exec 3>'{t.path('pipe')}'; sleep 0.3; cat '{t.path(one)}' >&3"])
    p = t.run("identity", "show", "bank2", "--passphrase-file", "pipe")
    t.equal((p.status, writer.wait()), (0, 0), f"a passphrase by a pipe: {p.last()}")
    os.unlink(t.path("pipe"))
    secret(t, "long", "x" * 1025)
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", "long"), 7, "does not hold a passphrase", hint=True)
    t.run("identity", "passphrase", "bank2", "--passphrase-file", one, "--new-passphrase-file", two)
    t.failed(t.run("identity", "show", "bank2", "--passphrase-file", one), 5)
    port = free_port()
    a, b = (Party(t, "ping", "--" + where, f"127.0.0.1:{port}", "--identity", name, "--peer", pin, "--timeout", "9s", *more, name=name)
            for where, name, pin, more in (("listen", "agency", all_["fingerprint"], ()), ("connect", "bank2", t.pins["agency"], ("--passphrase-file", two))))
    a.wait(), b.wait()
    t.good(a, b)
    s, r = t.pair(receiver=("--passphrase-file", two, "-o", "out.csv"), s={"peer": all_["fingerprint"]}, r={"identity": "bank2"})
    t.good(s, r)
    t.equal(t.run("identity", "passphrase", "bank2", "--passphrase-file", two, "--remove").status, 0, "remove")
    t.equal(shown(t, "bank2")["key_encrypted"], False, "encrypted after --remove")
    for p in t.parties:
        t.check("correct horse" not in p.err and "battery" not in p.err and b"battery" not in p.out, "a passphrase was printed")


@test
def passphrase_terminal(t):
    """Asked for on the terminal, twice when it is new, without echo; an interrupt gives the terminal back."""
    def talk(answers, *words):
        master, slave = pty.openpty()
        p = subprocess.Popen([t.tally, *words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=t.dir,
                             env={**os.environ, "TALLY_HOME": t.home},
                             preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(slave)
        said, end = b"", time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([master], [], [], 0.05)[0]:
                try:
                    said += os.read(master, 4096)
                except OSError:
                    break
            if answers and said.rstrip(b" ").endswith(b":") and b"hint" not in said.splitlines()[-1]:
                os.write(master, answers.pop(0))
                said += b"\n"
        os.close(master)
        return p.wait(5), said.decode()
    status, said = talk([b"open sesamx\x7fe\r", b"open sesame\r"], "identity", "new", "cave", "--organisation", "Example", "--passphrase")
    t.equal(status, 0, f"new: {said}")
    status, said = talk([], "identity", "show", "cave")
    t.check(status == 0 and "key.pem, encrypted" in said, f"show asks nothing: {status} {said}")
    status, said = talk([b"open sesame\r"], "identity", "rotate", "cave")
    t.check(status == 0 and "waits in next/" in said and "sesame" not in said, f"rotate: {status} {said}")
    status, said = talk([b"one\r", b"other\r"], "identity", "passphrase", "bank")
    t.check(status == 1 and "not the same" in said, f"two different ones: {status} {said}")
    status, said = talk([b"open\x03"], "identity", "passphrase", "cave")
    t.check(status == 9 and "no passphrase" in said, f"interrupted: {status} {said}")


@test
def credential(t):
    """systemd's credentials: the passphrase, and a whole identity, which its group may read."""
    one = secret(t, "one", "from systemd")
    t.run("identity", "new", "svc", "--organisation", "Example", "--passphrase-file", one)
    folder = t.path("credentials")
    os.mkdir(folder)
    for name in ("key.pem", "cert.pem", "sign.pem"):
        with open(os.path.join(t.home, "svc", name), "rb") as f:
            t.write(f"credentials/{name}", f.read())
        os.chmod(os.path.join(folder, name), 0o440)
    secret(t, "credentials/tally-passphrase", "another", 0o440)
    env = {"CREDENTIALS_DIRECTORY": folder}

    def sign(identity, **more):
        t.write("a.yaml.sig", "")
        os.unlink(t.path("a.yaml.sig"))
        return t.run("agreement", "sign", "a.yaml", "--identity", identity, **more)

    a = Agreed(t, sign=False)
    t.write("a.yaml", a.text.replace(a.keys_of("bank"), a.keys_of("svc")))
    t.failed(sign("svc", env=env), 5, "passphrase")
    secret(t, "credentials/tally-passphrase.svc", "from systemd", 0o440)
    t.equal(sign("svc", env=env).status, 0, "the credential of the identity")
    secret(t, "tmp2", "from systemd")
    os.replace(t.path("tmp2"), os.path.join(folder, "tally-passphrase"))
    os.unlink(os.path.join(folder, "tally-passphrase.svc"))
    t.equal(sign(folder, env=env).status, 0, "the identity as a credential")
    t.failed(t.run("identity", "show", folder, "--passphrase-file", one), 7, "others may read")


# ---- Import ----------------------------------------------------------------------------------------------------------

def key_and_cert(t, name, *algorithm, days=30, ext=(), issuer=None):
    openssl(t, "genpkey", *algorithm, "-out", f"{name}.key")
    os.chmod(t.path(f"{name}.key"), 0o600)
    words = ["req", "-x509", "-key", f"{name}.key", "-subj", f"/O=Example/CN={name}", "-days", str(days), "-out", f"{name}.crt"]
    for e in ext:
        words += ["-addext", e]
    openssl(t, *words)


@test
def imports(t):
    """Every kind of key and form of file; what is wrong is said."""
    kinds = {"rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"), "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
             "p384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"), "p521": ("EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
             "ed": ("ED25519",), "ed448": ("ED448",)}
    names = {"rsa": "RSA 2048", "p256": "EC P-256", "p384": "EC P-384", "p521": "EC P-521", "ed": "Ed25519", "ed448": "Ed448"}
    for name, algorithm in kinds.items():
        key_and_cert(t, name, "-algorithm", *algorithm)
        p = t.run("identity", "import", "i-" + name, "--key", f"{name}.key", "--cert", f"{name}.crt")
        if t.equal(p.status, 0, f"import {name}: {p.last()}"):
            all_ = shown(t, "i-" + name)
            t.equal((all_["key"], all_["self_signed"]), (names[name], True), f"import {name}")
            t.check(all_["signing_key"], f"import {name}: no signing key")
    one = secret(t, "one", "p twelve")
    openssl(t, "pkey", "-in", "p256.key", "-outform", "DER", "-out", "der.key")
    openssl(t, "x509", "-in", "p256.crt", "-outform", "DER", "-out", "der.crt")
    openssl(t, "pkcs8", "-topk8", "-in", "p256.key", "-outform", "DER", "-passout", f"file:{t.path(one)}", "-out", "sealed.key")
    openssl(t, "pkcs12", "-export", "-inkey", "p256.key", "-in", "p256.crt", "-passout", f"file:{t.path(one)}", "-out", "both.p12")
    for f in ("der.key", "sealed.key", "both.p12"):
        os.chmod(t.path(f), 0o600)
    pin = shown(t, "i-p256")["fingerprint"]
    for name, words, encrypted in (("f-der", ("--key", "der.key", "--cert", "der.crt"), False), ("f-sealed", ("--key", "sealed.key", "--cert", "p256.crt"), True),
                                   ("f-p12", ("--key", "both.p12"), True)):
        p = t.run("identity", "import", name, *words, "--passphrase-file", one) if encrypted else t.run("identity", "import", name, *words)
        if t.equal(p.status, 0, f"{name}: {p.last()}"):
            all_ = shown(t, name)
            t.equal((all_["fingerprint"], all_["key_encrypted"]), (pin, encrypted), name)
    # An authority, an intermediate one, and a leaf; the chain given out of order.
    for ca, by in (("root", None), ("mid", "root")):
        openssl(t, "genpkey", "-algorithm", "ED25519", "-out", f"{ca}.key")
        openssl(t, "req", "-new", "-key", f"{ca}.key", "-subj", f"/CN={ca}", "-out", "csr.pem")
        t.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        sign = ("-signkey", f"{ca}.key") if not by else ("-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-CAcreateserial")
        openssl(t, "x509", "-req", "-in", "csr.pem", *sign, "-extfile", "ca.ext", "-days", "30", "-out", f"{ca}.crt")
    openssl(t, "req", "-new", "-key", "p256.key", "-subj", "/O=Example/CN=leaf", "-out", "csr.pem")
    openssl(t, "x509", "-req", "-in", "csr.pem", "-CA", "mid.crt", "-CAkey", "mid.key", "-CAcreateserial", "-days", "30", "-out", "leaf.crt")
    t.write("chain.pem", t.read("root.crt") + t.read("mid.crt"))
    p = t.run("identity", "import", "leaf", "--key", "p256.key", "--cert", "leaf.crt", "--chain", "chain.pem")
    if t.equal(p.status, 0, f"leaf: {p.last()}"):
        all_ = shown(t, "leaf")
        t.equal([c["subject"] for c in all_["chain"]] + [all_["issuer"]], ["CN=mid", "CN=root", "CN=mid"], "chain")
    t.failed(t.run("identity", "import", "x", "--key", "p256.key", "--cert", "leaf.crt", "--chain", "root.crt"), 5, "chain is not complete", hint=True)
    t.write("many.pem", t.read("root.crt") * 9)
    t.failed(t.run("identity", "import", "x", "--key", "p256.key", "--cert", "leaf.crt", "--chain", "many.pem"), 7, "too many certificates")
    t.failed(t.run("identity", "rotate", "leaf", "--renew", "--cert", "leaf.crt", "--chain", "many.pem"), 7, "too many certificates")
    openssl(t, "x509", "-in", "leaf.crt", "-outform", "DER", "-out", "leaf.der")
    t.equal(t.run("identity", "rotate", "leaf", "--renew", "--cert", "leaf.der", "--chain", "chain.pem").status, 0, "renew from DER")
    # What is wrong.
    key_and_cert(t, "nouse", "-algorithm", "ED25519", ext=("extendedKeyUsage=emailProtection",))
    key_and_cert(t, "nosign", "-algorithm", "ED25519", ext=("keyUsage=keyEncipherment",))
    key_and_cert(t, "weak", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
    key_and_cert(t, "half", "-algorithm", "ED25519", ext=("extendedKeyUsage=clientAuth",))
    identity_of(t, "old", "/CN=old", start="20200101000000Z", end="20210101000000Z")
    identity_of(t, "early", "/CN=early", start="20980101000000Z", end="20990101000000Z")
    before = t.files()
    for words, status, text in (
            (("--key", "ed.key", "--cert", "p256.crt"), 5, "not of this key"), (("--key", "nouse.key", "--cert", "nouse.crt"), 5, "clientAuth"),
            (("--key", "nosign.key", "--cert", "nosign.crt"), 5, "digitalSignature"), (("--key", "weak.key", "--cert", "weak.crt"), 5, "weak"),
            (("--key", "home/old/key.pem", "--cert", "home/old/cert.pem"), 5, "expired on 2021-01-01"),
            (("--key", "home/early/key.pem", "--cert", "home/early/cert.pem"), 5, "not valid before 2098-01-01"),
            (("--key", "ed.key"), 1, "certificate"), (("--cert", "ed.crt"), 1, "--key"), (("--key", "ed.crt", "--cert", "ed.crt"), 7, "others may read|no private key"),
            (("--key", "sealed.key", "--cert", "p256.crt"), 7, "passphrase"), (("--key", "both.p12"), 7, "passphrase"),
            (("--key", "missing.key", "--cert", "ed.crt"), 7, "missing.key")):
        t.failed(t.run("identity", "import", "x", *words), status, text)
    t.failed(t.run("identity", "import", "x", "--key", "both.p12", "--passphrase-file", secret(t, "bad", "wrong")), 5, "passphrase", hint=True)
    t.clean(before, {"bad"})
    t.run("identity", "import", "half", "--key", "half.key", "--cert", "half.crt")
    t.check(b"connecting only" in t.run("identity", "show", "half").out, "a certificate of clientAuth alone is not marked")


# ---- Tokens ----------------------------------------------------------------------------------------------------------

@test
def token(t):
    """Keys in a SoftHSM token: TLS in both roles, agreements signed, PIN wrong, token gone."""
    lists(t)
    os.makedirs(t.path("tokens"))
    t.write("softhsm2.conf", f"directories.tokendir = {t.path('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n")
    env = {"SOFTHSM2_CONF": t.path("softhsm2.conf")}

    def tool(*words):
        done = subprocess.run(words, env={**os.environ, **env}, cwd=t.dir, capture_output=True, text=True, timeout=60)
        return done.returncode == 0 or t.stop(f"{words[:3]}: {done.stderr[-300:]}")

    tool("softhsm2-util", "--init-token", "--free", "--label", "tally test", "--so-pin", "12345678", "--pin", "654321")
    pin, bad = secret(t, "pin", "654321"), secret(t, "badpin", "111111")
    for number, (name, algorithm) in enumerate((("ec", ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")), ("rsa", ("RSA", "-pkeyopt", "rsa_keygen_bits:3072")),
                                                ("ed", ("ED25519",))), 1):
        key_and_cert(t, name, "-algorithm", *algorithm)
        openssl(t, "pkcs8", "-topk8", "-nocrypt", "-in", f"{name}.key", "-out", f"{name}.p8")
        tool("softhsm2-util", "--import", f"{name}.p8", "--token", "tally test", "--label", name, "--id", f"0{number}", "--pin", "654321")
        uri = f"pkcs11:token=tally%20test;object={name};type=private?module-path={MODULE}"
        p = t.run("identity", "import", "t-" + name, "--key", uri, "--cert", f"{name}.crt", "--passphrase-file", pin, env=env)
        if not t.equal(p.status, 0, f"import {name}: {p.last()}"):
            continue
        t.check(not os.path.exists(os.path.join(t.home, "t-" + name, "key.pem")), "a key was written")
        all_ = shown(t, "t-" + name, "--passphrase-file", pin, env=env)
        t.equal((all_["key_in"], all_["token"]), ("token", "tally test"), f"show {name}")
        for listen in ("sender", "receiver") if name == "rsa" else ("receiver",):
            out = f"out-{name}-{listen}.csv"
            s, r = t.pair(receiver=("--passphrase-file", pin, "-o", out), listen=listen, s={"peer": all_["fingerprint"]}, r={"identity": "t-" + name, "env": env})
            t.good(s, r)
            t.equal(t.read(out).count(b"\n") if t.exists(out) else None, 4, f"result with {name}, {listen} listens")
    before = t.files()
    all_ = shown(t, "t-ec")
    t.equal((all_["key_in"], all_["token"], all_["key"]), ("token", "tally test", "EC P-256"), "show without the token")
    t.failed(t.run("identity", "show", "t-ec", "--passphrase-file", bad, env=env), 5, "does not take the PIN", hint=True)
    for words, status, text in (
            ((f"pkcs11:token=tally%20test;object=none?module-path={MODULE}", "ec.crt"), 7, "no such private key"),
            ((f"pkcs11:token=other;object=ec?module-path={MODULE}", "ec.crt"), 7, "token is not there"),
            (("pkcs11:token=tally%20test;object=ec?module-path=/nonexistent.so", "ec.crt"), 7, "no PKCS#11 module"),
            ((f"pkcs11:token=tally%20test;object=ec?module-path={MODULE}", "rsa.crt"), 5, "not of this key"),
            ((f"pkcs11:token=tally%20test;object=ec?module-path={MODULE}&pin-value=654321", "ec.crt"), 3, "PIN may not stand"),
            ((f"pkcs11:token=tally%20test?module-path={MODULE}", "ec.crt"), 3, "not the URI")):
        t.failed(t.run("identity", "import", "x", "--key", words[0], "--cert", words[1], "--passphrase-file", pin, env=env), status, text, hint=True)
    # The PIN from a file that the URI names; the key of another certificate of the same kind.
    t.write("home/t-ec/key.uri", f"pkcs11:token=tally%20test;id=%01?module-path={MODULE}&pin-source={t.path(pin)}\n")
    shown(t, "t-ec", "--passphrase-file", pin, env=env)
    os.chmod(t.path("home/t-ec/key.uri"), 0o666)
    t.failed(t.run("identity", "show", "t-ec", "--passphrase-file", pin, env=env), 7, "others may write", hint=True)
    os.rename(t.path("tokens"), t.path("gone"))
    os.mkdir(t.path("tokens"))
    t.failed(t.run("identity", "show", "t-rsa", "--passphrase-file", pin, env=env), 7, "token is not there", hint=True)
    os.rmdir(t.path("tokens"))
    os.rename(t.path("gone"), t.path("tokens"))
    t.clean(before)


# ---- Rotation and revocation -----------------------------------------------------------------------------------------

@test
def rotation(t):
    """A new key under an agreement that names the old one: nothing is signed again; the old key ends."""
    lists(t)
    a = Agreed(t)
    before = json.loads(a.run("receiver", "identity", "show", "bank", "--json").out)

    def runs(what, status=(0, 0), text=None):
        n = len(t.parties)
        s, r = a.pair(receiver=("-o", f"out{n}.csv"), timeout="3s" if any(status) else "10s")
        t.equal((s.status, r.status), status, f"{what}: {s.last()} {r.last()}")
        if text:
            t.check(re.search(text, s.err), f"{what}: no {text!r} in {s.err[-600:]}")
        return s, r

    p = a.run("receiver", "identity", "rotate", "bank", "--overlap", "20")
    t.equal(p.status, 0, f"rotate: {p.last()}")
    named = a.run("receiver", "identity", "show", "bank").out.decode()
    t.check("agreement:" not in named, f"an agreement outside the home: {named}")
    shutil.copy(t.path(a.file("receiver")), os.path.join(a.home["receiver"], "a.yaml"))
    named = a.run("receiver", "identity", "show", "bank").out.decode()
    t.check(re.search("^agreement: .*, with .* until 2099-12-31: .*/a.yaml$", named, re.M), f"the agreement of the home: {named}")
    t.equal([x["valid_until"] for x in json.loads(a.run("receiver", "identity", "show", "bank", "--json").out)["agreements"]], ["2099-12-31"], "as JSON")
    t.equal(json.loads(a.run("receiver", "identity", "show", "stranger", "--json").out)["agreements"], [], "of a stranger")
    t.check(b"waits in next/" in p.out and "add-rotation" in p.err and "--finish" in p.err, f"rotate says: {p.out} {p.err}")
    t.equal(stat.S_IMODE(os.stat(os.path.join(a.home["receiver"], "bank/next/key.pem")).st_mode), 0o600, "mode of the next key")
    t.failed(a.run("receiver", "identity", "rotate", "bank"), 7, "waits", hint=True)
    s, r = runs("the old key, before the other side knows")
    t.check("new key waits" in r.err, f"no warning of the overlap: {r.err}")
    statement = os.path.join(a.home["receiver"], "bank/rotations")
    t.write("statement", open(statement, "rb").read().replace(b"\n", b"\r\n"))
    t.write("changed", open(statement, "rb").read().replace(before["fingerprint"].encode(), t.pins["stranger"].encode()))
    t.failed(a.run("sender", "peer", "add-rotation", "changed"), 11, "signature", hint=True)
    t.failed(a.run("sender", "peer", "add-rotation", a.file("sender")), 3, "not a statement", hint=True)
    t.equal(a.run("sender", "peer", "add-rotation", "statement").status, 0, "add-rotation")
    s, r = runs("the old key in the overlap")
    t.check("is accepted until" in s.err and "new key" in s.err, f"no warning about the peer's key: {s.err}")
    # A statement that is not the other side's changes nothing.
    t.equal(a.run("sender", "identity", "rotate", "stranger").status, 0, "rotate of a stranger")
    t.equal(a.run("sender", "peer", "add-rotation", os.path.join(a.home["sender"], "stranger/rotations")).status, 0, "add-rotation of a stranger")
    p = a.run("receiver", "identity", "rotate", "bank", "--finish")
    t.equal(p.status, 0, f"finish: {p.last()}")
    after = json.loads(a.run("receiver", "identity", "show", "bank", "--json").out)
    t.check(after["fingerprint"] != before["fingerprint"] and after["signing_key"] == before["signing_key"], "keys after --finish")
    t.equal(after["rotation"]["new_key_waits"], False, "show after --finish")
    t.failed(a.run("receiver", "identity", "rotate", "bank", "--finish"), 7, "no new key", hint=True)
    runs("the new key")
    rotations = os.path.join(a.home["sender"], "peers/rotations")
    kept = open(rotations, "rb").read()
    os.unlink(rotations)
    runs("the new key without the statement", (5, 5), "add-rotation")
    with open(rotations, "wb") as f:
        f.write(kept)
    # Once more: the chain of two statements leads from the agreed key to the third.
    a.run("receiver", "identity", "rotate", "bank")
    a.run("receiver", "identity", "rotate", "bank", "--finish")
    t.equal(a.run("sender", "peer", "add-rotation", statement).status, 0, "add-rotation of both")
    s, r = runs("the third key")
    t.equal(len(json.loads(a.run("sender", "peer", "list", "--json").out)["rotations"]), 3, "statements")
    t.equal(len(json.loads(a.run("receiver", "identity", "show", "bank", "--json").out)["rotation"]["statements"]), 2, "own statements")
    third = json.loads(a.run("receiver", "identity", "show", "bank", "--json").out)["fingerprint"]
    a.run("sender", "peer", "revoke", third)
    runs("the third key, revoked", (5, 5), "revoked here")


@test
def revocation(t):
    """A revoked key is refused whatever --peer says, at once also by a side that waits; listed, taken back."""
    lists(t)
    t.equal(t.run("peer", "list").out, b"no key is revoked\n", "empty list")
    os.makedirs(t.path("other"))
    port = free_port()
    s = t.spawn("sender", "listen", port, timeout="4s")
    s.wait_for("listening")
    p = t.run("peer", "revoke", t.pins["bank"], "--reason", "server stolen")
    t.equal(p.status, 0, f"revoke: {p.last()}")
    t.equal(stat.S_IMODE(os.stat(os.path.join(t.home, "peers/revoked")).st_mode), 0o600, "mode of the list")
    shutil.copytree(os.path.join(t.home, "bank"), t.path("other/bank"))
    r = t.spawn("receiver", "connect", port, "-o", "out.csv", home=t.path("other"))
    for q in (r, s):
        q.wait()
        t.failed(q, 5, "revoked")
    t.check("server stolen" in s.err and "server stolen" not in r.err, f"the reason: {s.err[-300:]} {r.err[-300:]}")
    listed = json.loads(t.run("peer", "list", "--json").out)["revoked"]
    t.equal([(x["key"], x["reason"]) for x in listed], [(t.pins["bank"], "server stolen")], "list")
    t.failed(t.run("peer", "revoke", "sha256:12"), 1, "sha256", hint=True)
    t.failed(t.run("peer", "restore", t.pins["agency"]), 1, "not revoked", hint=True)
    t.failed(t.run("peer", "revoke", t.pins["stranger"], "--reason", "two\nlines"), 1, "reason")
    t.equal(t.run("peer", "restore", t.pins["bank"]).status, 0, "restore")
    t.good(*t.pair(receiver=("-o", "out.csv")))
    # A damaged or open list lets nobody in.
    t.write("home/peers/revoked", "sha256:12\n")
    s, r = t.pair(receiver=("-o", "out2.csv"), timeout="2s")
    t.failed(r, 3, "revoked:1", hint=True)
    t.write("home/peers/revoked", "")
    os.chmod(t.path("home/peers/revoked"), 0o666)
    t.failed(t.pair(receiver=("-o", "out2.csv"), timeout="2s")[1], 7, "only its owner", hint=True)


@test
def renewal(t):
    """The same key with a new certificate; warnings before an end, on stderr and in the summary."""
    lists(t)
    first = shown(t, "bank")
    p = t.run("identity", "rotate", "bank", "--renew", "--days", "20")
    t.equal(p.status, 0, f"renew: {p.last()}")
    now = shown(t, "bank")
    t.equal((now["fingerprint"], now["days_left"], now["serial"] != first["serial"]), (first["fingerprint"], now["days_left"], True), "renewed")
    t.check(now["days_left"] in (19, 20), f"days left: {now}")
    t.equal(t.run("identity", "new", "short", "--organisation", "A", "--days", "10").status, 0, "new --days")
    t.check(shown(t, "short")["days_left"] in (9, 10), "--days")
    t.failed(t.run("identity", "new", "x", "--organisation", "A", "--days", "4000"), 1, "--days")
    s, r = t.pair(sender=("--summary", "s.json"), receiver=("--summary", "r.json", "-o", "out.csv", "-q"))
    t.good(s, r)
    t.check("the certificate of bank expires on" in r.err and "--renew" in r.err, f"own certificate: {r.err}")
    t.check("the other side's certificate expires on" in s.err, f"the peer's certificate: {s.err}")
    for name, text in (("s", "the other side's certificate expires"), ("r", "our own certificate expires")):
        warnings = json.loads(t.read(f"{name}.json"))["warnings"]
        t.check(any(text in w for w in warnings), f"warnings of {name}: {warnings}")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 10 * 86400))
    a = Agreed(t, sign=False)
    for role in ("sender", "receiver"):
        a.write(role, a.text.replace("2099-12-31", day))
    a.sign()
    for p in (t.run("agreement", "check", a.file("sender")), t.run("agreement", "show", a.file("sender")), *a.pair(receiver=("-o", "o.csv"))):
        t.check(p.status == 0 and re.search(rf"agreement ends on {day}, in (9|10) days", p.err), f"{p.args[:2]}: {p.status} {p.err[-300:]}")
    # The certificate of an authority is replaced by one of the same key only.
    authority(t, "ca")
    identity_of(t, "byca", "/O=Example/CN=byca", authority="ca")
    t.failed(t.run("identity", "rotate", "byca", "--renew"), 5, "authority", hint=True)
    t.failed(t.run("identity", "rotate", "byca", "--renew", "--cert", "home/bank/cert.pem"), 5, "not of this key", hint=True)
    t.equal(t.run("identity", "rotate", "byca", "--renew", "--cert", "home/byca/cert.pem").status, 0, "renew with --cert")


@test
def authority_revokes(t):
    """--peer-crl: a list in force lets others in and the revoked one not; without one in force nobody."""
    lists(t)
    openssl(t, "genpkey", "-algorithm", "ED25519", "-out", "ca.key")
    openssl(t, "req", "-x509", "-key", "ca.key", "-subj", "/CN=ca", "-days", "30", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    subject = "CN=agency,O=Example"
    identity_of(t, "byca", "/O=Example/CN=agency", authority="ca")

    def crl(name, *more):
        openssl(t, "ca", "-config", "c.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", "sha256", *more, "-out", name)

    def run(crl_file):
        return t.pair(receiver=("--peer-ca", "ca.pem", "--peer-name", subject, "--peer-crl", crl_file, "-o", f"out-{crl_file}.csv"),
                      s={"identity": "byca"}, r={"peer": False}, timeout="2s")

    t.write("index.txt", "")
    t.write("crlnumber", "01")
    crl("empty.crl", "-crldays", "30")
    crl("past.crl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
    openssl(t, "ca", "-config", "c.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", "sha256", "-revoke", "home/byca/cert.pem")
    crl("full.crl", "-crldays", "30")
    t.good(*run("empty.crl"))
    t.failed(run("full.crl")[1], 5, "revoked", hint=True)
    t.failed(run("past.crl")[1], 5, "CRL has expired", hint=True)
    # In a configuration of tally serve.
    root = subprocess.run("openssl x509 -in ca.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum", shell=True, cwd=t.dir, capture_output=True,
                          text=True, check=True).stdout[:64]
    base = Agreed(t, sign=False)
    signing = base.keys_of("agency").splitlines()[1].split(": ")[1]
    t.run("identity", "rotate", "byca", "--renew", "--cert", "home/byca/cert.pem")
    shutil.copy(os.path.join(t.home, "agency/sign.pem"), os.path.join(t.home, "byca/sign.pem"))
    shutil.rmtree(os.path.join(t.home, "agency"))
    shutil.copytree(os.path.join(t.home, "byca"), os.path.join(t.home, "agency"))
    a = Agreed(t, name="ca-", keys={"agency": f'ca: sha256:{root}\n    subject: "{subject}"\n    signing-key: {signing}', "bank": base.keys_of("bank")})
    for name, status in (("empty.crl", 0), ("full.crl", 5)):
        port = free_port()
        t.write("serve.yaml", f"listen: 127.0.0.1:{port}\nidentity: bank\nruns:\n  - name: one\n    agreement: {a.file('receiver')}\n    input: receiver.csv\n"
                              f"    output: .\n    peer-ca: ca.pem\n    peer-crl: {name}\n")
        serving = Party(t, "serve", "--config", "serve.yaml", name="serve", home=a.home["receiver"])
        t.check(serving.wait_for("event=listening"), f"serve: {serving.last()}")
        p = a.spawn("sender", where="connect", port=port)
        p.wait()
        t.equal(p.status, status, f"serve with {name}: {p.last()}")
        serving.signal(signal.SIGTERM)
        serving.wait(10)
        t.check(("revoked" in serving.err) == bool(status), f"serve with {name} says: {serving.err[-300:]}")
    t.write("serve.yaml", t.read("serve.yaml").replace(b"    peer-ca: ca.pem\n", b""))
    t.failed(t.run("serve", "--config", "serve.yaml", "--check", home=a.home["receiver"]), 1, "peer-crl without peer-ca", hint=True)
    t.write("none.crl", "no list")
    t.failed(run("none.crl")[1], 7, "none.crl", hint=True)
    p = t.spawn("receiver", "connect", free_port(), "--peer-crl", "empty.crl", "-o", "o.csv")
    p.wait()
    t.failed(p, 1, "--peer-crl", hint=True)
