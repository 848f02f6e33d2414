# SPDX-License-Identifier: Apache-2.0
"""tally serve: one process, two agreements, two peers; runs in a row and at once, reloads, stops, kills, strangers."""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import people
from harness import Agreed, Party, Proxy, free_port, listeners, test, wait_until


class Serving:
    """An agency that serves two agreements, one with a bank and one with the organisation of the identity "stranger"."""

    def __init__(self, t, more="", one="", two="", start=True, quotas=""):
        """more: top fields; one, two: fields of the entries, each as lines of two blanks' indent."""
        self.t, self.port = t, free_port()
        t.ids("sender.csv", range(20))
        t.ids("two.csv", range(5, 25))
        self.want = people.join(t.ids("receiver.csv", range(10, 30)), t.read("sender.csv"))
        self.a = Agreed(t, quotas)
        self.b = Agreed(t, "", name="second-", sign=False,
                        keys={"bank": self.a.keys_of("stranger"), "agency": self.a.keys_of("agency")})
        self.b.identity["receiver"] = "stranger"
        self.b.sign()
        self.home = self.a.home["sender"]
        self.fields = {"more": more, "one": one, "two": two}
        self.write()
        self.process = None
        if start:
            self.start()

    def write(self, name="serve.yaml", **fields):
        f = {**self.fields, **fields}
        self.t.write(name, f"listen: 127.0.0.1:{self.port}\nidentity: agency\n{f['more']}runs:\n"
                           f"  - name: debtors\n    agreement: {self.a.file('sender')}\n    input: sender.csv\n{f['one']}"
                           f"  - name: second\n    agreement: {self.b.file('sender')}\n    input: two.csv\n{f['two']}")

    def start(self, *more, env=None):
        self.process = Party(self.t, "serve", "--config", "serve.yaml", *more, name="serve", home=self.home, env=env)
        if not self.process.wait_for("event=listening") or not wait_until(lambda: self.port in listeners(), 5):
            self.t.stop(f"serve does not listen: {self.process.last()}")
        return self.process

    def peer(self, which, out, *more, wait=True, **party):
        p = which.spawn("receiver", "-o", out, *more, where="connect", port=self.port, **party)
        if wait:
            p.wait()
        return p

    def good(self, p, out, want):
        if self.t.equal(p.status, 0, f"the peer of serve: {p.last()}"):
            self.t.equal(self.t.read(out), want, f"what {out} holds")

    def stop(self, number=signal.SIGTERM, seconds=20):
        self.process.signal(number)
        self.process.wait(seconds)
        self.t.equal(self.process.status, 0, f"end of serve: {self.process.last()}")


def hold(s, which, out):
    """A peer whose run has begun and stands still, because nothing of its list passes. Returns it and its relay."""
    relay = Proxy(s.t, s.port, hold=("up", 1700))
    p = which.spawn("receiver", "-o", out, where="connect", port=relay.port)
    if not wait_until(lambda: relay.acted.is_set(), 10):
        s.t.stop("the held peer did not come so far")
    return p, relay


# ---- Runs ------------------------------------------------------------------------------------------------------------

@test
def two_agreements(t):
    """Runs in a row and at once, a list changed between runs, status and log lines; at the end it stops at once."""
    os.makedirs(t.path("sums"))
    s = Serving(t, "status: status.json\nmax-sessions: 2\n", "    summary: sums\n")
    second = people.join(t.read("receiver.csv"), t.read("two.csv"))
    s.good(s.peer(s.a, "1.csv"), "1.csv", s.want)
    both = [s.peer(s.a, "2.csv", wait=False), s.peer(s.b, "3.csv", wait=False), s.peer(s.a, "4.csv", wait=False)]
    for p, out, want in zip(both, ("2.csv", "3.csv", "4.csv"), (s.want, second, s.want)):
        p.wait()
        s.good(p, out, want)
    t.ids("new.csv", range(12))
    os.rename(t.path("new.csv"), t.path("sender.csv"))
    s.good(s.peer(s.a, "5.csv"), "5.csv", people.join(t.read("receiver.csv"), t.read("sender.csv")))
    t.check(wait_until(lambda: len(re.findall("event=done status=0", s.process.err)) == 5, 5), f"lines of five runs: {s.process.last()}")
    t.equal(len(re.findall(r'entry=second connection=\d+ run=\d+ event=done status=0 peer="Example Bank"', s.process.err)), 1, "line of the second entry")
    told = json.loads(t.read("status.json"))
    t.equal((told["state"], told["sessions"]["running"], [e["done"] for e in told["entries"]], told["entries"][0]["last"]["exit_status"]), ("serving", 0, [4, 1], 0), "status")
    t.equal(told["next_expiry"]["what"], "certificate", "what ends first")
    names = sorted(os.listdir(t.path("sums")))
    t.check(len(names) == 4 and all(re.fullmatch(r"debtors-\d{8}-\d{6}-\d+\.summary\.json", n) for n in names), f"summaries: {names}")
    t.equal(set(s.a.runs("sender").values()), {"disclosed"}, "runs in the ledger of serve")
    began = time.monotonic()
    s.stop()
    t.check(time.monotonic() - began < 2, "an idle serve took long to stop")
    t.equal(json.loads(t.read("status.json"))["state"], "stopped", "state at the end")


@test
def pings_and_a_new_key(t):
    """A peer's ping is answered and disturbs nothing; a peer whose key was replaced is served by the statement alone."""
    s = Serving(t)
    home = s.a.home["receiver"]
    for more in ((), ("--agreement", s.a.file("receiver"))):
        p = t.run("ping", "--connect", f"127.0.0.1:{s.port}", "--identity", "bank", "--peer", t.pins["agency"], "--timeout", "5s", *more, home=home)
        t.equal(p.status, 0, f"ping: {p.last()}")
        t.check(re.search(rb"^authenticate +ok .*^terms +skipped +not compared: a run waits there", p.out, re.M | re.S), f"ping says {p.out!r}")
    t.failed(t.run("ping", "--connect", f"127.0.0.1:{s.port}", "--identity", "agency", "--peer", t.pins["agency"], "--timeout", "2s", home=s.home), 5)
    s.a.run("receiver", "identity", "rotate", "bank", "--overlap", "20")
    t.equal(s.a.run("sender", "peer", "add-rotation", os.path.join(home, "bank/rotations")).status, 0, "add-rotation")
    t.equal(s.a.run("receiver", "identity", "rotate", "bank", "--finish").status, 0, "rotate --finish")
    s.good(s.peer(s.a, "1.csv"), "1.csv", s.want)
    s.stop()


@test
def overlong(t):
    """A run that takes longer than max-duration is cancelled, and its place is free."""
    s = Serving(t, "max-duration: 2s\nmax-sessions: 1\n")
    p, relay = hold(s, s.a, "1.csv")
    s.good(s.peer(s.b, "2.csv"), "2.csv", people.join(t.read("receiver.csv"), t.read("two.csv")))
    t.check(re.search(r"entry=debtors connection=1 event=cancelling: it has run for max-duration, 2 s", s.process.err), f"nothing of the limit: {s.process.last()}")
    t.check(re.search(r"entry=debtors connection=1 run=\d+ event=failed status=9", s.process.err), f"end of the run: {s.process.last()}")
    relay.release()
    p.wait()
    t.check(p.status != 0 and not t.exists("1.csv"), "the held run was a success")
    s.stop()


@test
def serves_a_receiver(t):
    """The entries of a receiver: an output for each run, never overwritten."""
    t.ids("sender.csv", range(20))
    want = people.join(t.ids("receiver.csv", range(10, 30)), t.read("sender.csv"))
    a, port = Agreed(t), free_port()
    os.makedirs(t.path("conf/out"))
    t.write("conf/serve.yaml", f"listen: [127.0.0.1:{port}]\nidentity: bank\nruns:\n  - name: mine\n    agreement: ../{a.file('receiver')}\n    input: ../receiver.csv\n    output: out\n")
    t.write("conf/out/.mine-20200101-000000-1.csv.tally-abcdef", "left by a kill")
    serve = Party(t, "serve", "--config", "conf/serve.yaml", name="serve", home=a.home["receiver"])
    if not serve.wait_for("event=listening"):
        t.stop(f"serve does not listen: {serve.last()}")
    for n in (1, 2):
        p = a.spawn("sender", where="connect", port=port)
        p.wait()
        t.equal(p.status, 0, f"the sender: {p.last()}")
        t.check(wait_until(lambda: len(re.findall("event=done", serve.err)) == n, 5), f"run {n}: {serve.last()}")
    serve.signal(signal.SIGINT)
    serve.wait(10)
    names = sorted(os.listdir(t.path("conf/out")))
    t.check(len(names) == 2 and all(re.fullmatch(r"mine-\d{8}-\d{6}-[12]\.csv", n) for n in names), f"outputs: {names}")
    for n in names:
        t.equal(t.read(f"conf/out/{n}"), want, n)
    t.check("removed what an earlier process left" in serve.err, "nothing is said of what was cleaned")


@test
def refusals(t):
    """What one peer may not does not touch the others: an agreement that has ended, another agreement, a quota that is reached."""
    s = Serving(t, start=False, quotas="quotas:\n  runs-per-day: 1\n")
    s.b.text = s.b.text.replace("2099-12-31", "2021-12-31")
    for role in ("sender", "receiver"):
        s.b.write(role, s.b.text)
        with contextlib.suppress(OSError):
            os.unlink(t.path(s.b.file(role, ".sig")))
    s.b.sign()
    s.start()
    t.check(s.process.wait_for("second: the agreement does not allow this run: valid-until"), f"no word on the ended agreement: {s.process.last()}")
    s.good(s.peer(s.a, "1.csv"), "1.csv", s.want)
    over = s.peer(s.a, "2.csv")
    t.failed(over, 4)
    t.check(s.process.wait_for(r"entry=debtors connection=2 run=\d+ event=failed status=4 disclosed=no .*runs-per-day"), f"a quota: {s.process.last()}")
    # The bank with an agreement that the agency does not serve: fields are named, and nothing runs.
    changed = Agreed(t, "", name="third-", sign=False)
    changed.text = changed.text.replace("Court Act, section 7", "Court Act, section 8")
    for role in ("sender", "receiver"):
        changed.write(role, changed.text)
    changed.sign()
    p = s.peer(changed, "3.csv")
    t.failed(p, 4, "they differ in legal-basis")
    t.check(s.process.wait_for("the other side Example Bank is known, and runs under an agreement that is not one of it here"), f"another agreement: {s.process.last()}")
    # The ended agreement, by a peer whose clock is right too: it refuses by itself, and serve goes on.
    t.failed(s.peer(s.b, "4.csv"), 4, "valid-until")
    t.check(not any(t.exists(f"{n}.csv") for n in (2, 3, 4)), "an output of a refused run")
    t.equal(sorted(s.a.runs("sender").values()).count("disclosed"), 1, "runs that count")
    s.stop()


@test
def check_and_config(t):
    s = Serving(t, start=False)
    p = t.run("serve", "--config", "serve.yaml", "--check", home=s.home)
    t.equal(p.status, 0, f"--check: {p.last()}")
    t.check(re.search(rb'^debtors: match with "Example Bank", as the sender, under "Court debtors" until 2099-12-31; the list is sender.csv$', p.out, re.M), f"what it would do: {p.out!r}")
    t.check(s.port not in listeners(), "--check listens")
    os.unlink(t.path("two.csv"))
    os.unlink(t.path(s.a.file("sender", ".sig")))
    p = t.run("serve", "--config", "serve.yaml", "--check", home=s.home)
    t.failed(p, 4, r"serve.yaml:\d+: debtors: .*has not signed", hint=True)
    t.check(re.search(r"serve.yaml:\d+: second: two.csv cannot be read", p.err), "a missing list")
    p = t.run("serve", "--example")
    t.check(p.status == 0 and b"max-sessions: 4" in p.out, "--example")
    base = t.read("serve.yaml").decode()
    for what, text, said in ((("identity: agency", "identiti: agency"), 'serve.yaml:2: unknown field "identiti"', "did you mean identity?"),
                             (("name: second", "name: debtors"), "serve.yaml:7: the name debtors is there twice, first on line 4", "name of its own"),
                             (("    input: two.csv\n", ""), "serve.yaml:7: input is missing", "example"),
                             (("identity: agency", "identity: agency\nmax-sessions: 0"), "serve.yaml:3: max-sessions", "between 1 and 64"),
                             (("identity: agency", "identity: &x agency"), "serve.yaml:2: anchors", "quotes"),
                             (("input: two.csv", "input: two.csv\n    columns: x"), "serve.yaml:7: columns without output", "folder"),
                             (("runs:", "runs: 1\nmore:"), "serve.yaml:3: runs is no list", "- name"),
                             (("identity: agency", "identity: agency\nmax-duration: ever"), "serve.yaml:3: max-duration", "90s, 10m, 2h"),
                             (("identity: agency", "identity: agency\ngrace: 0s"), "serve.yaml:3: grace", "90s, 10m, 2h"),
                             (("identity: agency", "identity: agency\nidentity: agency"), "serve.yaml:3: identity is given twice, first on line 2", "leave one"),
                             (("identity: agency", "identity: [agency]"), "serve.yaml:2: identity has to be one value", "name: value"),
                             (("identity: agency", "identity: ''"), "serve.yaml:2: identity has to be one value", "name: value"),
                             (("identity: agency", "identity: \"a\\0b\""), "serve.yaml:2: identity has to be one value", "name: value"),
                             (("identity: agency", "identity: !x agency"), "serve.yaml:2: anchors", "quotes"),
                             (("identity: agency", "? [identity]\n: agency"), 'serve.yaml:2: unknown field ""', "example"),
                             (("identity: agency\n", ""), "serve.yaml:1: identity is missing", "example"),
                             (("identity: agency", "identity: agency\nthreads: 257"), "serve.yaml:3: threads", "between 1 and 256"),
                             (("listen:", "listen: [" + "a:1, " * 17 + "]\nmore:"), "serve.yaml:1: listen has more than 16 values", ""),
                             (("listen:", "listen: [[a:1]]\nmore:"), "serve.yaml:1: listen has to be one value", "name: value"),
                             (("name: second", "name: ../second"), "serve.yaml:7: name is not 1 to 64 letters", "names of files"),
                             (("name: second", "name: -second"), "serve.yaml:7: name is not 1 to 64 letters", "names of files"),
                             (("name: second", "name: " + 65 * "s"), "serve.yaml:7: name is not 1 to 64 letters", "names of files"),
                             (("input: two.csv", "input: two.csv\n    no-header: 'true'"), "serve.yaml:10: no-header is neither true nor false", "without quotes"),
                             (("input: two.csv", "input: two.csv\n    delimiter: ab"), "serve.yaml:10: delimiter", ""),
                             (("input: two.csv", "input: two.csv\n    max-rejects: -1"), "serve.yaml:10: max-rejects", ""),
                             (("input: two.csv", "input: two.csv\n" + "".join(f"  - {{name: n{i}, agreement: a, input: b}}\n" for i in range(63))), "serve.yaml:72: more than 64 entries", "another port"),
                             (("  - name: second", "  - second\n  - name: x"), "serve.yaml:7: an entry of runs has to be fields", "begin with"),
                             (("runs:", "runs: }"), "not YAML", "example"),
                             (("identity: agency", "identity: 'agency"), "not YAML", "example"),
                             ((base, ""), "serve.yaml:1: there is nothing in it", "example"),
                             ((base, "- a\n"), "serve.yaml:1: it does not consist of fields", "example"),
                             ((base, 5000 * "["), "serve.yaml:1: it does not consist of fields", "example"),
                             ((base, "a: " + 5000 * "{a: "), 'serve.yaml:1: unknown field "a"', "example"),
                             (("identity: agency", "identity: \udcff"), "not YAML", "example"),
                             (("runs:", "---\nruns:"), "serve.yaml", "second document")):
        with open(t.path("serve.yaml"), "wb") as f:
            f.write(base.replace(*what, 1).encode(errors="surrogateescape"))
        p = t.run("serve", "--config", "serve.yaml", home=s.home)
        t.failed(p, 1, re.escape(text))
        t.check(said in p.err, f"no {said!r} in {p.last()}")


# ---- Signals, kills --------------------------------------------------------------------------------------------------

@test
def signals(t):
    """HUP takes a new configuration and keeps the old one if the new cannot be used; TERM during a run lets it finish; systemd hears of it."""
    s = Serving(t, start=False)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(f"\0tally-test-{os.getpid()}-{s.port}")
    heard.settimeout(0.2)
    words, over = [], threading.Event()

    def listen():
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                words.extend(heard.recv(200).decode().split("\n"))
        heard.close()

    threading.Thread(target=listen, daemon=True).start()
    t.closing.append(over.set)
    s.start(env={"NOTIFY_SOCKET": f"@tally-test-{os.getpid()}-{s.port}", "WATCHDOG_USEC": "400000"})

    def hear(word):
        return wait_until(lambda: word in words, 5)

    t.check(hear("READY=1") and hear("WATCHDOG=1"), f"words to systemd: {words}")
    good = t.read("serve.yaml").decode()
    t.write("serve.yaml", good.replace("input: two.csv", "inputs: two.csv"))
    s.process.signal(signal.SIGHUP)
    t.check(s.process.wait_for("event=not-reloaded") and s.process.wait_for("unknown field"), f"a bad reload: {s.process.last()}")
    s.good(s.peer(s.b, "1.csv"), "1.csv", people.join(t.read("receiver.csv"), t.read("two.csv")))
    t.write("serve.yaml", good.replace("input: two.csv", "input: sender.csv"))
    s.process.signal(signal.SIGHUP)
    t.check(s.process.wait_for("event=reloaded entries=2"), f"a reload: {s.process.last()}")
    s.good(s.peer(s.b, "2.csv"), "2.csv", s.want)
    t.check(hear("RELOADING=1"), f"words to systemd: {words}")
    p, relay = hold(s, s.a, "3.csv")
    t.check(s.process.wait_for(r"entry=debtors connection=3 event=connected"), "the held run")
    s.process.signal(signal.SIGTERM)
    t.check(s.process.wait_for("event=stopping running=1 waiting=0"), f"stopping: {s.process.last()}")
    t.check(wait_until(lambda: s.port not in listeners(), 5), "it listens while it stops")
    time.sleep(0.3)
    relay.release()
    p.wait()
    s.good(p, "3.csv", s.want)
    s.process.wait(10)
    t.equal(s.process.status, 0, f"end of serve: {s.process.last()}")
    t.check(re.search("event=done.*\n(.*\n)*.*event=stopped", s.process.err), f"order of the end: {s.process.last()}")
    t.check(hear("STOPPING=1"), f"words to systemd: {words}")


@test
def turns(t):
    """While a run of an entry stands still, two more wait, a third is sent away, and another entry is served."""
    s = Serving(t)
    p, relay = hold(s, s.a, "1.csv")
    wait_for = [s.peer(s.a, f"{n}.csv", wait=False) for n in (2, 3)]
    t.check(wait_until(lambda: len(re.findall("event=waits", s.process.err)) == 2, 10), f"two that wait: {s.process.last()}")
    t.failed(s.peer(s.a, "4.csv"), 6)
    t.check("event=refused reason: others of this entry wait already" in s.process.err, f"the third: {s.process.last()}")
    s.good(s.peer(s.b, "5.csv"), "5.csv", people.join(t.read("receiver.csv"), t.read("two.csv")))
    t.check(all(x.poll() is None for x in [p, *wait_for]), "somebody did not wait")
    relay.release()
    for x, out in zip([p, *wait_for], ("1.csv", "2.csv", "3.csv")):
        x.wait()
        s.good(x, out, s.want)
    s.stop()


@test
def keys_that_change(t):
    """A peer with a new key, by its statement of rotation; one that is revoked while it waits for its turn, and one after it."""
    s = Serving(t)
    s.a.run("receiver", "identity", "rotate", "bank")
    t.equal(s.a.run("sender", "peer", "add-rotation", os.path.join(s.a.home["receiver"], "bank/rotations")).status, 0, "add-rotation")
    s.a.run("receiver", "identity", "rotate", "bank", "--finish")
    key = json.loads(s.a.run("receiver", "identity", "show", "bank", "--json").out)["fingerprint"]
    t.check(key != t.pins["bank"], "the key is the old one")
    s.good(s.peer(s.a, "1.csv"), "1.csv", s.want)
    p, relay = hold(s, s.a, "2.csv")
    waits = s.peer(s.a, "3.csv", wait=False)
    t.check(s.process.wait_for("event=waits"), f"one that waits: {s.process.last()}")
    t.equal(s.a.run("sender", "peer", "revoke", key).status, 0, "revoke")
    relay.release()
    p.wait()
    s.good(p, "2.csv", s.want)
    waits.wait()
    t.check(waits.status != 0 and not t.exists("3.csv"), f"revoked while it waited: {waits.status}")
    t.failed(s.peer(s.a, "4.csv"), 5, "revoked")
    t.check(len(re.findall("revoked here", s.process.err)) == 2, f"what serve says of the revoked: {s.process.err[-600:]}")
    s.stop()


@test
def second_signal_and_kill(t):
    """A second TERM cancels a run that stands still; after kill -9 the port is free at once and the ledger knows of the run."""
    s = Serving(t)
    p, relay = hold(s, s.a, "1.csv")
    s.process.signal(signal.SIGTERM)
    t.check(s.process.wait_for("event=stopping running=1"), "stopping")
    s.process.signal(signal.SIGTERM)
    s.process.wait(10)
    t.equal(s.process.status, 0, f"end after two signals: {s.process.last()}")
    relay.close()
    p.wait()
    t.check(p.status != 0 and not t.exists("1.csv"), f"the peer of a cancelled run: {p.status}")
    s.start()
    p, relay = hold(s, s.a, "2.csv")
    t.check(wait_until(lambda: len(s.a.runs("sender")) == 2, 5), f"the run is on record before it ends: {s.a.runs('sender')}")
    s.process.kill()
    s.start()
    s.good(s.peer(s.a, "3.csv"), "3.csv", s.want)
    relay.close()
    p.wait()
    t.check(p.status != 0 and not t.exists("2.csv"), f"the peer of a killed run: {p.status}")
    t.equal(s.a.runs("sender")[2], "incomplete", "the killed run")
    s.stop()


# ---- Strangers -------------------------------------------------------------------------------------------------------

class Strangers:
    """So many at once, of five kinds, from the right peer's own address; again: each comes back when it was dropped."""

    def __init__(self, t, port, count, again):
        self.port, self.again, self.over, self.came, self.sockets = port, again, threading.Event(), 0, set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.set_alpn_protocols(["tally/1"])
        identity = os.path.join(t.home, "agency")  # a certificate that no entry expects
        self.context.load_cert_chain(os.path.join(identity, "cert.pem"), os.path.join(identity, "key.pem"))
        t.closing.append(self.end)
        kinds = (self.silent, self.garbage, self.slow, self.wrong, self.half)
        self.threads = [threading.Thread(target=self.live, args=(kinds[i % len(kinds)],), daemon=True) for i in range(count)]
        for x in self.threads:
            x.start()

    def live(self, kind):
        while not self.over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as s:
                self.came += 1
                s.settimeout(1)
                self.sockets.add(s)
                kind(s)
            if not self.again:
                return

    def until_dropped(self, s):
        while not self.over.is_set():
            try:
                if not s.recv(4096):
                    return
            except TimeoutError:
                continue

    def silent(self, s):
        self.until_dropped(s)

    def garbage(self, s):
        s.sendall(os.urandom(2000))
        self.until_dropped(s)

    def slow(self, s):
        out = ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
        for b in out.read():
            s.sendall(bytes([b]))
            if self.over.wait(0.2):
                return

    def wrong(self, s):
        with contextlib.suppress(ssl.SSLError), self.context.wrap_socket(s) as tls:
            self.until_dropped(tls)

    def half(self, s):
        s.shutdown(socket.SHUT_WR)
        self.until_dropped(s)

    def end(self):
        self.over.set()
        for x in self.threads:
            x.join(3)


def timed(s, n, of):
    """The slowest or (of=min) the fastest of n runs of the right peer, in a row."""
    seconds = []
    for i in range(n):
        p = s.peer(s.a, f"timed-{i}.csv", "--force")
        s.good(p, f"timed-{i}.csv", s.want)
        seconds.append(p.seconds)
    return of(seconds)


def measure(t, again, runs, of):
    s = Serving(t)
    quiet = timed(s, runs, of)
    strangers = Strangers(t, s.port, 200, again)
    wait_until(lambda: strangers.came >= 200, 10)
    loud = timed(s, runs, of)
    strangers.end()
    t.note(f"a run took {quiet:.2f} s without strangers, {loud:.2f} s with {strangers.came} of them")
    t.check(loud - quiet < 1, f"with strangers {loud:.2f} s, without {quiet:.2f} s")
    lines = len(re.findall("event=dropped", s.process.err))
    t.check(0 < lines < 200, f"{lines} lines about strangers")
    s.stop()


@test
def strangers(t):
    measure(t, False, 2, min)  # other tests run meanwhile


@test(long=True)
def strangers_again_and_again(t):
    measure(t, True, 10, max)


@test(long=True)
def many_runs(t):
    """300 runs in a row of two peers at once: memory, descriptors and threads stay."""
    s = Serving(t)

    def used():
        pid = s.process.pid
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]), len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))

    def some(n):
        for _ in range(n):
            both = [s.peer(s.a, "a.csv", "--force", wait=False), s.peer(s.b, "b.csv", "--force", wait=False)]
            for p in both:
                p.wait()
                t.equal(p.status, 0, f"a run: {p.last()}")
    some(30)
    time.sleep(1.5)
    before = used()
    some(120)
    time.sleep(1.5)
    after = used()
    t.note(f"kB, descriptors, threads: {before} after 60 runs, {after} after 300")
    t.check(after[1] == before[1] and after[2] == before[2] and after[0] < before[0] * 1.2 + 1000, f"it grows: {before}, {after}")
    s.stop()
