# SPDX-License-Identifier: Apache-2.0
"""tally ping: each step that can fail, both sides, and against runs and other programs."""
import json
import os
import re
import socket
import subprocess
import threading

from harness import OWNER, Agreed, Party, Skip, free_port, listeners, test, wait_until

STEPS = ["resolve", "connect", "authenticate", "versions", "clocks", "terms", "line"]


def ping(t, role, where, port, *more, peer=None, timeout="3s", host="127.0.0.1", terms=True, **party):
    other = {"sender": "bank", "receiver": "agency"}[role]
    args = ["ping", "--" + where, f"{host}:{port}", "--identity", party.pop("identity", OWNER[role]), "--peer", peer or t.pins[other], "--timeout", timeout]
    args += ["--role", role, "--key", "id_number:cn-resident-id"] if terms else []
    return Party(t, *args, *more, name=role, **party)


def both(t, sender=(), receiver=(), s={}, r={}, waits="10s"):
    port = free_port()
    a = ping(t, "sender", "listen", port, *sender, timeout=waits, **s)
    wait_until(lambda: port in listeners() or a.poll() is not None, 10)
    b = ping(t, "receiver", "connect", port, *receiver, **r)
    a.wait(), b.wait()
    return a, b


def steps(p):
    return dict(re.findall(r"^(\w+) +(ok|warning|skipped|failed) ", p.out.decode(), re.M))


def last_failed(t, p, step, status, text):
    t.failed(p, status, text, hint=True)
    t.equal([k for k, v in steps(p).items() if v == "failed"], [step], f"the step that failed: {p.out!r}")


@test
def ping_each_other(t):
    before = t.files()
    a, b = both(t)
    t.good(a, b)
    t.equal(steps(b), dict.fromkeys(STEPS, "ok"), "steps of the side that connects")
    t.equal(steps(a), dict.fromkeys(STEPS[1:], "ok"), "steps of the side that listens")
    t.check("days left" in b.out.decode() and t.pins["agency"] in b.out.decode(), f"no fingerprint or days: {b.out!r}")
    t.clean(before)
    t.check(not t.exists("home/ledger"), "a ping was recorded as a run")
    a, b = both(t, receiver=["--json"], s={"terms": False})
    t.good(a, b)
    j = json.loads(b.out)
    t.equal([(x["step"], x["state"]) for x in j["steps"]], [(x, "skipped" if x == "terms" else "ok") for x in STEPS], "as JSON")
    t.check(abs(j["clock_ahead_seconds"]) < 5 and j["sent_bits_per_second"] > 1e6 and j["peer"] == t.pins["agency"], f"figures: {j}")
    t.equal(j["exit_status"], 0, "status in it")
    t.check(max(map(len, t.run("ping", "--help").out.decode().splitlines())) <= 80, "a line of the help is too long")


@test
def ping_terms_that_differ(t):
    a, b = both(t, sender=["--security", "malicious"])
    for p in (a, b):
        last_failed(t, p, "terms", 2, "security: here ")
    a, b = both(t, receiver=["--function", "count"])
    last_failed(t, b, "terms", 2, "function: here count, there match")


@test
def ping_of_an_agreement(t):
    a = Agreed(t)
    port = free_port()
    made = {role: Party(t, "ping", "--" + where, f"127.0.0.1:{port}", "--identity", OWNER[role], "--agreement", a.file(role), "--timeout", "10s",
                        name=role, home=a.home[role]) for role, where in (("sender", "listen"), ("receiver", "connect"))}
    for p in made.values():
        p.wait()
        t.check(p.status == 0 and "the same agreement" in p.out.decode(), f"{p.name}: {p.out!r} {p.last()}")
    a.write("receiver", a.text + "padding-step: 10\n")
    p = Party(t, "ping", "--connect", f"127.0.0.1:{port}", "--identity", "bank", "--agreement", a.file("receiver"), home=a.home["receiver"])
    p.wait()
    t.failed(p, 4, "signature", hint=True)


@test
def ping_nobody(t):
    p = ping(t, "receiver", "connect", free_port(), timeout="1s")
    p.wait()
    last_failed(t, p, "connect", 6, "Connection refused")
    t.check("TCP from 127.0.0.1" in p.err, f"nothing to ask for: {p.last()}")
    p = ping(t, "receiver", "connect", 7440, host="no-such-host.invalid", timeout="2s")
    p.wait()
    last_failed(t, p, "resolve", 6, "no-such-host.invalid") if "unknown host" in p.err else t.failed(p, 6, "no-such-host.invalid")
    p = ping(t, "sender", "listen", free_port(), timeout="1s")
    p.wait()
    last_failed(t, p, "connect", 6, "the other side did not connect")
    for args, text in ((("--connect", "x:1"), "--identity is missing"), (("--connect", "x:1", "--identity", "bank"), "--peer is missing"),
                       (("--identity", "bank"), "--listen or --connect is missing"),
                       (("--connect", "x:1", "--identity", "bank", "--peer", t.pins["agency"], "--role", "sender"), "--key is missing")):
        t.failed(t.run("ping", *args), 1, text, hint=True)


@test
def ping_dropped(t):
    """A full queue of a listener drops what comes, as a firewall does."""
    held = [socket.create_server(("127.0.0.1", 0), backlog=0)]
    t.closing.append(lambda: [x.close() for x in held])
    full = False
    while not full and len(held) < 16:
        client = socket.socket()
        client.settimeout(0.3)
        held.append(client)
        try:
            client.connect(held[0].getsockname())
        except OSError:
            full = True
    if not full:
        raise Skip("no queue of this system is ever full")
    p = ping(t, "receiver", "connect", held[0].getsockname()[1], timeout="2s")
    p.wait()
    last_failed(t, p, "connect", 6, "timed out")
    t.check("drops packets" in p.err and "TCP from 127.0.0.1 to 127.0.0.1" in p.err, f"whom to ask for what: {p.last()}")
    if os.geteuid() or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        raise Skip("a machine without a route needs root and a network namespace")
    for route, text, hint in (("unreachable", "No route to host", "a route from this machine to 192.0.2.1"), ("blackhole", "Invalid argument", "ip route get 192.0.2.1")):
        p = ping(t, "receiver", "connect", 7440, host="192.0.2.1", timeout="1s", wrap=["unshare", "-n", "sh", "-c",
                 f'ip link set lo up && ip route add {route} 192.0.2.0/24 && exec "$@"', "sh"])
        p.wait()
        last_failed(t, p, "connect", 6, text)
        t.check(hint in p.err, f"what to do: {p.last()}")


@test
def ping_passphrase(t):
    """An identity whose key is encrypted."""
    secret = t.path("pass")
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("one two three\n")
    made = t.run("identity", "new", "locked", "--organisation", "Locked", "--passphrase-file", secret, "--json")
    t.equal(made.status, 0, "identity new")
    t.pins["locked"] = json.loads(made.out)["fingerprint"]
    a, b = both(t, sender=["--passphrase-file", secret], s={"identity": "locked"}, r={"peer": t.pins["locked"]})
    t.good(a, b)


@test
def ping_wrong_keys(t):
    a, b = both(t, r={"peer": t.pins["stranger"]}, waits="1s")
    last_failed(t, b, "authenticate", 5, t.pins["agency"])
    last_failed(t, a, "authenticate", 5, "refused")
    a, b = both(t, s={"peer": t.pins["stranger"]}, waits="1s")
    last_failed(t, b, "authenticate", 5, "refused our certificate")
    t.equal(t.run("peer", "revoke", t.pins["agency"]).status, 0, "peer revoke")
    a, b = both(t, waits="1s")
    last_failed(t, b, "authenticate", 5, "revoked here")


@test
def ping_other_programs(t):
    """Something that is silent, something that talks, TLS that is no tally."""
    def serve(answer):
        server = socket.create_server(("127.0.0.1", 0))
        held = []
        t.closing.append(lambda: [x.close() for x in [server, *held]])

        def accept():
            try:
                while True:
                    client, _ = server.accept()
                    held.append(client)
                    client.sendall(answer)
            except OSError:
                pass
        threading.Thread(target=accept, daemon=True).start()
        return server.getsockname()[1]

    p = ping(t, "receiver", "connect", serve(b"220 mail.example ESMTP\r\n"))
    p.wait()
    last_failed(t, p, "authenticate", 8, "does not speak TLS")
    p = ping(t, "receiver", "connect", serve(b""), timeout="1s")
    p.wait()
    last_failed(t, p, "authenticate", 6, "handshake")
    port = free_port()
    key, cert = t.path("k.pem"), t.path("c.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=other"],
                          capture_output=True)
    t.equal(made.returncode, 0, "openssl req")
    other = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", cert, "-alpn", "h2"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.closing.append(lambda: (other.kill(), other.wait()))
    wait_until(lambda: port in listeners(), 10)
    p = ping(t, "receiver", "connect", port)
    p.wait()
    t.failed(p, (5, 8), "speaks TLS, but not tally|has fingerprint", hint=True)


@test
def ping_a_run(t):
    """A waiting run answers, drops a stranger's ping, and then runs; a waiting ping is no run."""
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(10, 30))
    port = free_port()
    run = t.spawn("sender", "listen", port, timeout="30s")
    wait_until(lambda: port in listeners() or run.poll() is not None, 10)
    p = ping(t, "receiver", "connect", port)
    p.wait()
    t.equal((p.status, steps(p)), (0, {**dict.fromkeys(STEPS, "ok"), "terms": "skipped", "line": "skipped"}), f"a ping of a run: {p.last()}")
    t.check("a run waits there" in p.out.decode(), f"what waits: {p.out!r}")
    p = ping(t, "receiver", "connect", port, identity="stranger")
    p.wait()
    last_failed(t, p, "authenticate", 5, "refused our certificate")
    other = t.spawn("receiver", "connect", port, "-o", "out.csv")
    other.wait(), run.wait()
    t.good(run, other)
    t.check("answered a ping" in run.err and t.exists("out.csv"), f"the run: {run.last()}")
    port = free_port()
    waiting = ping(t, "sender", "listen", port, timeout="4s")
    wait_until(lambda: port in listeners() or waiting.poll() is not None, 10)
    other = t.spawn("receiver", "connect", port, "-o", "two.csv")
    other.wait()
    t.failed(other, 8, "not tally/1", hint=True)
    p = ping(t, "receiver", "connect", port)
    p.wait(), waiting.wait()
    t.equal((p.status, waiting.status), (0, 0), f"the ping that waited on: {p.last()} {waiting.last()}")
