# SPDX-License-Identifier: Apache-2.0
"""Who may take part: fingerprints, certificates, authorities; strangers on the port while waiting."""
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import time

import people
from harness import PARTS, Skip, free_port, listeners, test, wait_until


def lists(t):
    t.ids("sender.csv", range(40))
    t.ids("receiver.csv", range(30, 60))
    return people.join(t.read("receiver.csv"), t.read("sender.csv"))


def openssl(t, *args):
    done = subprocess.run(["openssl", *args], cwd=t.dir, capture_output=True, timeout=30)
    if done.returncode:
        t.stop(f"openssl {args[:2]}: {done.stderr.decode()[-300:]}")


def need_openssl():
    if not shutil.which("openssl"):
        raise Skip("no openssl command")


CONFIG = """[ca]
default_ca=c
[c]
database=index.txt
new_certs_dir=.
serial=serial
default_md=null
policy=p
[p]
organizationName=optional
commonName=supplied
[req]
distinguished_name=d
[d]
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
"""


def identity_of(t, name, subject, authority=None, start=None, end=None):
    """Key and certificate as an organisation's own tools would make them. Returns the fingerprint."""
    need_openssl()
    t.write("c.cnf", CONFIG)
    t.write("index.txt", "")
    t.write("serial", "%02X" % (16 + t.count))
    t.write("unique.attr", "")
    folder = os.path.join(t.home, name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    if not os.path.exists(key):
        openssl(t, "genpkey", "-algorithm", "ed25519", "-out", key)
        os.chmod(key, 0o600)
    openssl(t, "req", "-config", "c.cnf", "-new", "-key", key, "-subj", subject, "-out", "csr.pem")
    if authority:
        openssl(t, "x509", "-req", "-in", "csr.pem", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial",
                "-days", "30", "-out", cert)
    else:
        openssl(t, "ca", "-config", "c.cnf", "-batch", "-notext", "-selfsign", "-keyfile", key, "-in", "csr.pem", "-startdate",
                start or "20240101000000Z", "-enddate", end or "20990101000000Z", "-out", cert)
    found = re.search(r"^fingerprint: (\S+)$", t.run("identity", "show", name).out.decode(), re.M)
    return found[1] if found else t.stop(f"identity show {name} gives no fingerprint: {t.parties[-1].last()}")


def authority(t, name):
    need_openssl()
    t.write("c.cnf", CONFIG)
    openssl(t, "genpkey", "-algorithm", "ed25519", "-out", f"{name}.key")
    openssl(t, "req", "-config", "c.cnf", "-x509", "-extensions", "root", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "30",
            "-out", f"{name}.pem")


def context(t, identity, server=False, alpn="tally/1"):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if identity:
        c.load_cert_chain(os.path.join(t.home, identity, "cert.pem"), os.path.join(t.home, identity, "key.pem"))
    if alpn:
        c.set_alpn_protocols([alpn])
    return c


def call(t, port, identity, **more):
    """A TLS client of our own: what comes back until the end."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as raw:
        c = context(t, identity, **more)
        with c.wrap_socket(raw) as s:
            s.settimeout(5)
            return s.recv(100)
    return b""


def waiting(t, port):
    return wait_until(lambda: port in listeners(), 10) or t.stop("the listener did not open its port")


# ---- Fingerprints ----------------------------------------------------------------------------------------------------

@test
def wrong_fingerprint(t):
    lists(t)
    before = t.files()
    runs = [(listen, wrong, *t.pair(receiver=["-o", "out.csv"], listen=listen, timeout="2s", wait=False, **{wrong[0]: {"peer": t.pins["stranger"]}}))
            for listen in PARTS for wrong in PARTS]
    for listen, wrong, s, r in runs:
        s.wait(), r.wait()
        expecting, other = (s, r) if wrong == "sender" else (r, s)
        t.failed(expecting, 5, "fingerprint", hint=True)
        # The one who is refused hears so; as a listener it cannot tell a wrong peer from a stranger, and waits for the right one.
        t.failed(other, 5, hint=True)
        came = t.pins["bank" if wrong == "sender" else "agency"]
        t.check(came in expecting.err, f"{wrong} does not show the fingerprint that came: {expecting.last()}")
    t.clean(before)


@test
def several_fingerprints(t):
    want = lists(t)
    s, r = t.pair(sender=["--peer", t.pins["stranger"]], receiver=["-o", "out.csv"])
    if t.good(s, r):
        t.equal(t.read("out.csv"), want, "one of two fingerprints")
    s, r = t.pair(receiver=["-o", "out2.csv"], s={"peer": t.pins["bank"].upper().replace("SHA256", "sha256")})
    t.good(s, r)


@test
def renewed_certificate_keeps_the_pin(t):
    """As docs/quick-start.md tells to renew."""
    need_openssl()
    lists(t)
    folder = os.path.join(t.home, "bank")
    with open(os.path.join(folder, "cert.pem")) as f:
        was = f.read()
    line = "openssl x509 -in cert.pem -signkey key.pem -days 730 -out cert.new && mv cert.new cert.pem"
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True)
    with open(os.path.join(folder, "cert.pem")) as f:
        t.check(done.returncode == 0 and f.read() != was, f"renewing as documented: {done.stderr!r}")
    t.check(t.pins["bank"].encode() in t.run("identity", "show", "bank").out, "fingerprint of a renewed certificate")
    s, r = t.pair(receiver=["-o", "out.csv"])
    t.good(s, r)


# ---- Certificates ----------------------------------------------------------------------------------------------------

@test
def own_expired(t):
    lists(t)
    pin = identity_of(t, "old", "/O=Old/CN=old", start="20200101000000Z", end="20210101000000Z")
    t.check("2021" in t.run("identity", "show", "old").out.decode(), "identity show does not say when it expired")
    s, r = t.pair(receiver=["-o", "out.csv"], r={"identity": "old"}, s={"peer": pin}, timeout="3s")
    t.failed(r, 5, "expired", hint=True)
    t.failed(s, 6, hint=True)
    pin = identity_of(t, "young", "/O=Young/CN=young", start="20900101000000Z", end="20950101000000Z")
    s, r = t.pair(receiver=["-o", "out.csv"], r={"identity": "young"}, s={"peer": pin}, timeout="3s")
    t.failed(r, 5, "not.*valid|yet")
    t.check(not t.exists("out.csv"), "an output was left")


@test
def peer_expired(t):
    lists(t)
    pin = identity_of(t, "old", "/O=Old/CN=old", start="20200101000000Z", end="20210101000000Z")
    port = free_port()
    sender = t.spawn("sender", "listen", port, peer=pin, timeout="3s")
    waiting(t, port)
    call(t, port, "old")
    sender.wait()
    t.failed(sender, 5, "expired", hint=True)
    # As a server: the connecting side ends at once.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        receiver = t.spawn("receiver", "connect", server.getsockname()[1], "-o", "out.csv", peer=pin, timeout="20s")
        raw, _ = server.accept()
        with contextlib.suppress(OSError), raw, context(t, "old", True).wrap_socket(raw, server_side=True) as s:
            s.settimeout(5)
            s.recv(100)
    t.equal(receiver.wait(5), 5, "status against an expired server")
    t.failed(receiver, 5, "expired", hint=True)


@test
def no_certificate_then_the_right_peer(t):
    want = lists(t)
    port = free_port()
    sender = t.spawn("sender", "listen", port, timeout="20s")
    waiting(t, port)
    t.equal(call(t, port, None), b"", "what a client without a certificate gets")
    t.check(sender.wait_for(r"127\.0\.0\.1:\d+.*certificate"), f"the listener does not log the stranger: {sender.last()}")
    t.equal(call(t, port, "stranger"), b"", "what a stranger's certificate gets")
    t.check(sender.wait_for(re.escape(t.pins["stranger"])), f"the listener does not log whose certificate came: {sender.last()}")
    t.equal(sender.poll(), None, "a stranger ended the wait")
    receiver = t.spawn("receiver", "connect", port, "-o", "out.csv")
    sender.wait(), receiver.wait()
    if t.good(sender, receiver):
        t.equal(t.read("out.csv"), want, "after strangers")


@test
def strangers_while_waiting(t):
    """Garbage, a port scan, HTTP, another TLS version, another protocol, silence: the right peer is served all the same."""
    want = lists(t)
    port = free_port()
    receiver = t.spawn("receiver", "listen", port, "-o", "out.csv", timeout="30s")
    waiting(t, port)
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    t.closing += [s.close for s in silent]
    for hello in (b"", b"\x00" * 400, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\xff" * 2000, os.urandom(3000)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 3) as s:
            s.sendall(hello)
    old = context(t, "agency")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 3) as raw:
        old.wrap_socket(raw).close()
    t.equal(call(t, port, "agency", alpn="http/1.1"), b"", "another protocol name")
    t.check(receiver.wait_for(r"127\.0\.0\.1:\d+"), f"strangers are not logged: {receiver.last()}")
    began = time.monotonic()
    sender = t.spawn("sender", "connect", port)
    sender.wait(), receiver.wait()
    if t.good(sender, receiver):
        t.equal(t.read("out.csv"), want, "after strangers")
        t.check(time.monotonic() - began < 5, f"silent strangers delayed the peer by {time.monotonic() - began:.1f} s")


@test
def more_strangers_than_places(t):
    want = lists(t)
    port = free_port()
    receiver = t.spawn("receiver", "listen", port, "-o", "out.csv", timeout="40s")
    waiting(t, port)
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    t.closing += [s.close for s in silent]
    sender = t.spawn("sender", "connect", port, timeout="40s")
    sender.wait(), receiver.wait()
    if t.good(sender, receiver):
        t.equal(t.read("out.csv"), want, "after 60 silent strangers")


# ---- Authorities -----------------------------------------------------------------------------------------------------

@test
def by_authority(t):
    want = lists(t)
    authority(t, "root"), authority(t, "other")
    bank = identity_of(t, "bank-ca", "/O=Example Bank/CN=bank", "root")
    agency = identity_of(t, "agency-ca", "/O=Example Agency/CN=agency", "root")
    t.check("CN=bank,O=Example Bank" in t.run("identity", "show", "bank-ca").out.decode(), "subject in the form of RFC 2253")

    def run(who, ca="root", peer=False, output="out.csv", **more):
        return t.pair(sender=["--peer-ca", f"{ca}.pem", "--peer-name", who], receiver=["--peer-ca", "root.pem", "--peer-name", "CN=agency,O=Example Agency",
                      "-o", output], s={"identity": "agency-ca", "peer": peer}, r={"identity": "bank-ca", "peer": False}, timeout="2s", **more)

    for listen, peer in (("sender", False), ("receiver", False), ("sender", bank)):
        s, r = run("CN=bank,O=Example Bank", peer=peer, output=f"{listen}{bool(peer)}.csv", listen=listen)
        if t.good(s, r):
            t.equal(t.read(f"{listen}{bool(peer)}.csv"), want, "by authority and name")
    before = t.files()
    refused = [(listen, ca, peer, *run(who, ca, peer, listen=listen, wait=False)) for listen in PARTS for who, ca, peer in (
        ("CN=bank", "root", False), ("CN=bank,O=Example Bank Ltd", "root", False), ("O=Example Bank,CN=bank", "root", False),
        ("CN=bank,O=Example Bank", "other", False), ("CN=bank,O=Example Bank", "root", t.pins["bank"]))]
    for listen, ca, peer, s, r in refused:
        s.wait(), r.wait()
        t.failed(s, 5, hint=True)
        t.failed(r, 5)
        if ca == "root" and not peer:
            t.check("CN=bank,O=Example Bank" in s.err, f"the subject that came is not shown: {s.last()}")
    t.clean(before)
    # A self-signed certificate of the right name is not of the authority.
    identity_of(t, "forged", "/O=Example Bank/CN=bank")
    s, r = t.pair(sender=["--peer-ca", "root.pem", "--peer-name", "CN=bank,O=Example Bank"], s={"identity": "agency-ca", "peer": False},
                  r={"identity": "forged", "peer": agency}, timeout="2s")
    t.failed(s, 5)
    t.failed(r, 5)
    s, r = t.pair(sender=["--peer-ca", "nothing.pem", "--peer-name", "CN=bank"], s={"peer": False}, timeout="3s")
    t.failed(s, 7, "nothing.pem")


# ---- Nobody, and a port in use -------------------------------------------------------------------------------------------

@test
def nobody_there(t):
    lists(t)
    before = t.files()
    both = [t.spawn("receiver", "connect", free_port(), "-o", "out.csv", timeout="2s"), t.spawn("sender", "listen", free_port(), timeout="2s")]
    for p in both:
        p.wait()
        t.failed(p, 6, hint=True)
        t.check(1.8 < p.seconds < 5, f"{p.name}: gave up after {p.seconds:.1f} s instead of 2")
    p = t.spawn("receiver", "connect", 7440, "-o", "out.csv", host="no-such-host.invalid", timeout="3s")
    p.wait()
    t.failed(p, 6, "no-such-host.invalid", hint=True)
    t.clean(before)


@test
def port_in_use(t):
    lists(t)
    with socket.create_server(("127.0.0.1", 0)) as server:
        p = t.spawn("sender", "listen", server.getsockname()[1], timeout="20s")
        p.wait()
        t.failed(p, 6, "in use", hint=True)
        t.check(p.seconds < 5, f"took {p.seconds:.1f} s")
    p = t.spawn("sender", "listen", free_port(), host="192.0.2.1", timeout="20s")
    p.wait()
    t.failed(p, 6, "192.0.2.1")


@test
def missing_identity(t):
    lists(t)
    p = t.spawn("sender", "listen", free_port(), identity="nobody")
    p.wait()
    t.failed(p, 7, "nobody", hint=True)
    os.chmod(os.path.join(t.home, "agency", "key.pem"), 0o640)
    p = t.spawn("sender", "listen", free_port())
    p.wait()
    t.failed(p, 7, "key.pem", hint=True)
