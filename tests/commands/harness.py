# SPDX-License-Identifier: Apache-2.0
"""Runs the installed command as two organisations would: own homes, own processes, loopback between them."""
import concurrent.futures
import contextlib
import fcntl
import inspect
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

import people

HARD_S = 60  # no child lives longer
TESTS = []   # (name, function, long)
PARTS = ("sender", "receiver")


class Skip(Exception):
    pass


class Stop(Exception):
    """A failure after which the rest of the test has no meaning."""


def test(function=None, long=False):
    def add(f):
        TESTS.append((f"{f.__module__}.{f.__name__}", f, long))
        return f
    return add(function) if function else add


_ports = set()
_ports_lock = threading.Lock()


def free_port(family=socket.AF_INET):
    while True:
        with socket.socket(family) as s:
            s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            port = s.getsockname()[1]
        with _ports_lock:
            if port not in _ports:
                _ports.add(port)
                return port


def listeners():
    """Ports somebody listens on, without connecting to them (a connection would be a stranger)."""
    out = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(name) as f:
            for line in f.readlines()[1:]:
                part = line.split()
                if part[3] == "0A":
                    out.add(int(part[1].rsplit(":", 1)[1], 16))
    return out


def wait_until(condition, seconds, step=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


CONTROLLING = "import fcntl, os, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """The slave of a terminal of 80 columns, for a child's stderr; what is written there goes to a file."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        master, self.slave = pty.openpty()
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        mode = termios.tcgetattr(self.slave)
        mode[1] &= ~termios.OPOST
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)
        threading.Thread(target=self.copy, args=(master,), daemon=True).start()
        return self.slave

    def __exit__(self, *_):
        os.close(self.slave)

    def copy(self, master):
        with open(self.path, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while data := os.read(master, 4096):
                f.write(data)
        os.close(master)


class Party:
    """One run of the command. Its standard streams go to files, so nothing can block on us."""

    def __init__(self, t, *args, name="tally", home=None, stdin=None, stdout=None, wrap=(), env=None, terminal=False):
        t.count += 1
        base = os.path.join(t.logs, f"{t.count:03d}-{name}")
        self.t, self.name, self.args = t, name, [str(a) for a in args]
        self.out_path, self.err_path = base + ".out", base + ".err"
        self.deadline = time.monotonic() + HARD_S
        self.status = None
        self.usage = None
        self.peak = 0  # bytes, see look
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TALLY", "XDG", "LC_", "LANG"))}
        environment.update({"HOME": t.home, "LC_ALL": "C.UTF-8", "TMPDIR": t.path("tmp")} | ({} if home == "" else {"TALLY_HOME": home or t.home}) | (env or {}))
        if stdin is not None:
            with open(base + ".in", "wb") as f:
                f.write(stdin)
        if terminal:
            wrap = (sys.executable, "-c", CONTROLLING, *wrap)
        with open(base + ".in" if stdin is not None else os.devnull, "rb") as i, \
                open(stdout or self.out_path, "wb") as o, Terminal(self.err_path) if terminal else open(self.err_path, "wb") as e:
            self.began = time.monotonic()
            self.process = subprocess.Popen([*wrap, t.tally, *self.args], stdin=i, stdout=o, stderr=e, cwd=t.dir,
                                            env=environment, start_new_session=True)
        self.pid = self.process.pid
        t.parties.append(self)

    @property
    def err(self):
        with open(self.err_path, errors="surrogateescape", newline="") as f:
            return f.read()

    @property
    def out(self):
        with open(self.out_path, "rb") as f:
            return f.read()

    def poll(self):
        """Status if it has ended. Reaped by wait4, which also gives what it used."""
        if self.status is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.seconds = time.monotonic() - self.began
                self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
                self.usage = used
        return self.status

    def look(self):
        """Notes the peak of memory so far. (ru_maxrss also counts what this interpreter held when it forked.)"""
        with contextlib.suppress(OSError, TypeError), open(f"/proc/{self.pid}/status") as f:
            self.peak = int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) * 1024
        return self.poll() is not None

    def wait(self, seconds=None):
        limit = min(self.deadline - time.monotonic(), seconds if seconds is not None else HARD_S)
        if not wait_until(lambda: self.poll() is not None, max(limit, 0.1), 0.01):
            if seconds is None or time.monotonic() > self.deadline:
                self.kill()
                self.t.stop(f"{self.name} still ran after {HARD_S} s: {self.args}; {self.last()}")
            return None
        return self.status

    def signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.01)

    def wait_for(self, text, seconds=10):
        ok = wait_until(lambda: re.search(text, self.err) or self.poll() is not None, seconds)
        return bool(ok and re.search(text, self.err))

    def last(self):
        return repr(self.err[-400:])


class T:
    """One test: its folder, its processes, its failures."""

    def __init__(self, name, tally, root, identities):
        self.name, self.tally = name, tally
        self.dir = tempfile.mkdtemp(prefix="test-", dir=root)
        self.home = os.path.join(self.dir, "home")
        self.logs = os.path.join(self.dir, "logs")
        os.mkdir(self.logs)
        os.mkdir(self.path("tmp"))
        shutil.copytree(identities.home, self.home)
        self.pins = identities.pins
        self.count = 0
        self.parties, self.closing, self.failures, self.notes, self.secrets = [], [], [], [], set()

    # -- checking ----------------------------------------------------------------------------------------------

    def check(self, ok, what):
        if not ok:
            lines = [f"{os.path.basename(f.filename)}:{f.lineno}" for f in inspect.stack()[1:]
                     if os.path.basename(f.filename) not in ("harness.py", "thread.py", "threading.py", "_base.py")]
            self.failures.append(f"{self.name} ({' < '.join(lines[:2])}): {what}")
        return bool(ok)

    def equal(self, got, want, what):
        if got != want:
            g, w = repr(got), repr(want)
            if len(g) + len(w) > 600:
                at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                g = f"{len(got)} long, at {at}: {got[max(at - 40, 0):at + 60]!r}"
                w = f"{len(want)} long: {want[max(at - 40, 0):at + 60]!r}"
            return self.check(False, f"{what}: got {g}, want {w}")
        return True

    def stop(self, what):
        self.check(False, what)
        raise Stop

    def note(self, text):
        self.notes.append(text)

    # -- files -------------------------------------------------------------------------------------------------

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data, secrets=()):
        if isinstance(data, str):
            data = data.encode()
        with open(self.path(name), "wb") as f:
            f.write(data)
        self.secrets.update(secrets)
        return data

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def ids(self, name, persons, column="id_number", seed=1):
        """Writes a list of resident ids; returns its bytes. No id may show up in anything a run reports."""
        ids = [people.resident(i) for i in persons]
        return self.write(name, people.table(ids, column, seed=seed), ids)

    def files(self):
        """All but the ledger, which every run with a peer leaves; a journal beside it would be one too many."""
        return {os.path.relpath(os.path.join(d, f), self.dir) for d, _, names in os.walk(self.dir) for f in names
                if not d.startswith(self.logs) and not (f == "ledger.db" and d.endswith("/home/ledger"))}

    # -- running -----------------------------------------------------------------------------------------------

    def run(self, *args, **more):
        p = Party(self, *args, **more)
        p.wait()
        return p

    def spawn(self, role, where, port, *more, peer=None, input=None, key="id_number:cn-resident-id", identity=None, say=None,
              timeout="5s", host="127.0.0.1", command="match", **party):
        """One side of a match (or another command), as agency (sender) or bank (receiver). where: listen or connect. peer=False: no fingerprint; say: the
        role it claims."""
        own = {"sender": "agency", "receiver": "bank"}[role]
        other = {"sender": "bank", "receiver": "agency"}[role]
        args = [command, "--role", say or role, "--" + where, f"{host}:{port}", "--identity", identity or own]
        if peer is not False:
            args += ["--peer", peer or self.pins[other]]
        args += ["--input", input or f"{role}.csv"]
        for k in [key] if isinstance(key, str) else key:
            args += ["--key", k]
        if timeout:
            args += ["--timeout", timeout]
        return Party(self, *args, *more, name=role, **party)

    def pair(self, sender=(), receiver=(), both=(), listen="sender", first=None, port=None, gap=0.0, s={}, r={}, wait=True, **more):
        """Both sides, to their ends unless wait is False. s and r are keywords of spawn for one side."""
        port = port or free_port(socket.AF_INET6 if more.get("host") == "[::1]" else socket.AF_INET)
        made = {}
        for role in ([first] if first else []) + [x for x in PARTS if x != first]:
            options, words = (sender, s) if role == "sender" else (receiver, r)
            made[role] = self.spawn(role, "listen" if role == listen else "connect", port, *options, *both,
                                    **{**more, **words})
            if gap and len(made) == 1:
                time.sleep(gap)
        for p in made.values() if wait else ():
            p.wait()
        return made["sender"], made["receiver"]

    def good(self, sender, receiver):
        for p in (sender, receiver):
            if p.status != 0:
                self.check(False, f"{p.name} ended with {p.status}: {p.last()}")
        return sender.status == 0 and receiver.status == 0

    def failed(self, p, status, text=None, hint=False):
        """The party ended with this status (or one of them), said so on stderr, and gave a hint where asked."""
        wanted = status if isinstance(status, (tuple, set)) else (status,)
        ok = self.check(p.status in wanted, f"{p.name} ended with {p.status}, want {status}: {p.last()} after {' '.join(p.args[-6:])}")
        said = re.findall(r"^tally: (.+)$", p.err, re.M)
        ok &= self.check(said, f"{p.name} gave no message: {p.last()}")
        for line in said:
            ok &= self.check(line[0] == line[0].lower(), f"{p.name}: message does not begin in lower case: {line!r}")
        if text:
            ok &= self.check(re.search(text, p.err), f"{p.name}: no {text!r} in {p.last()}")
        if hint:
            ok &= self.check(re.search(r"^\s*(tally: )?hint: \S", p.err, re.M), f"{p.name}: no hint in {p.last()}")
        return ok

    def clean(self, before, allowed=()):
        """Nothing was left beside the files of before."""
        extra = self.files() - set(before) - set(allowed)
        self.check(not extra, f"files left: {sorted(extra)}")

    # -- end ---------------------------------------------------------------------------------------------------

    def close(self):
        for c in self.closing:
            with contextlib.suppress(Exception):
                c()
        for p in self.parties:
            if p.poll() is None:
                p.kill()
                self.check(False, f"{p.name} was still running at the end of the test: {p.args}")
        for p in self.parties:
            self.look_for_secrets(f"stderr of {p.name}", p.err)
        shutil.rmtree(self.dir, ignore_errors=True)

    def look_for_secrets(self, where, text):
        words = set(re.findall(r"[0-9A-Za-z+]{6,}", text))
        hit = words & self.secrets or [s for s in list(self.secrets)[:2000] if s in text]
        self.check(not hit, f"an identifier of a list is in {where}")


class Proxy:
    """A TCP relay that counts, cuts, holds or flips at a byte. Directions: 'up' from the connecting party, 'down' to it."""

    def __init__(self, t, to, cut=None, hold=None, flip=None, reset=False, keep=False):
        """cut, hold, flip: (direction, byte number from 0). Cut and hold happen before that byte is passed on. keep: all bytes stay in data."""
        self.to, self.cut, self.hold, self.flip, self.reset, self.keep = to, cut, hold, flip, reset, keep
        self.bytes = {"up": 0, "down": 0}
        self.data = {"up": bytearray(), "down": bytearray()}
        self.lock, self.held_back, self.released = threading.Lock(), [], False
        self.calls = 0
        self.acted = threading.Event()
        self.sockets = []
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.server.listen(8)
        t.closing.append(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                self.calls += 1
                upstream = None
                for _ in range(100):
                    try:
                        upstream = socket.create_connection(("127.0.0.1", self.to))
                        break
                    except OSError:
                        time.sleep(0.05)
                if not upstream:
                    client.close()
                    continue
                self.sockets += [client, upstream]
                for s in (client, upstream):
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=("up", client, upstream), daemon=True).start()
                threading.Thread(target=self.pump, args=("down", upstream, client), daemon=True).start()

    def pump(self, way, source, sink):
        held = False
        try:
            while data := source.recv(65536):
                at = self.bytes[way]
                self.bytes[way] += len(data)
                if self.keep:
                    self.data[way] += data
                if held:
                    with self.lock:
                        if not self.released:
                            self.held_back.append((sink, data))
                            continue
                for what in (self.cut, self.hold, self.flip):
                    if not what or what[0] != way or not at <= what[1] < at + len(data) or self.acted.is_set():
                        continue
                    n = what[1] - at
                    if what is self.flip:
                        data = data[:n] + bytes([data[n] ^ 0x40]) + data[n + 1:]
                        self.acted.set()
                        continue
                    sink.sendall(data[:n])
                    if what is self.cut:
                        self.acted.set()
                        return self.close()
                    held = True
                    self.held_back.append((sink, data[n:]))
                    self.acted.set()
                if not held or self.released:
                    sink.sendall(data)
            if not held or self.released:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    def release(self):
        """What was held goes on, and all that follows."""
        with self.lock:
            for sink, data in self.held_back:
                with contextlib.suppress(OSError):
                    sink.sendall(data)
            self.released = True

    def records(self, way):
        """The TLS records that went there, of keep: [(type, place of the first byte, bytes after the header)]."""
        out, at, data = [], 0, self.data[way]
        while at + 5 <= len(data):
            out.append((data[at], at, int.from_bytes(data[at + 3:at + 5], "big")))
            at += 5 + out[-1][2]
        return out

    def wait_bytes(self, n, seconds=20):
        return wait_until(lambda: sum(self.bytes.values()) >= n, seconds, 0.005)

    def close(self):
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for s in self.sockets:
            with contextlib.suppress(OSError):
                if self.reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                else:
                    s.shutdown(socket.SHUT_RDWR)
            s.close()


AGREEMENT = """tally-agreement: 1
name: Court debtors
parties:
  - organisation: Example Bank
    role: receiver
    {bank}
    contact: Compliance desk
  - organisation: Example Agency
    role: sender
    {agency}
    contact: Enforcement office
purpose: Finding debtors among customers
legal-basis: Court Act, section 7
valid-from: 2020-01-01
valid-until: 2099-12-31
function: {function}
keys:
  - {{receiver-column: id_number, sender-column: id_number, profile: cn-resident-id}}
"""
OWNER = {"receiver": "bank", "sender": "agency"}


class Agreed:
    """The two organisations apart: each with its own folder, its home in it, and its copy of an agreement, signed by both with the command."""

    def __init__(self, t, more="", function="match", name="", sign=True, keys=None):
        """more: text behind the agreement. keys: of each organisation, the lines that say who it is."""
        self.t, self.function, self.name = t, function, name
        self.folder = {role: f"{name}{who}" for role, who in OWNER.items()}
        self.home = {role: t.path(f"{folder}/home") for role, folder in self.folder.items()}
        self.identity = dict(OWNER)
        for role, who in OWNER.items():
            os.makedirs(self.home[role], mode=0o700)
            for one in (who, "stranger"):
                shutil.copytree(os.path.join(t.home, one), os.path.join(self.home[role], one))
        self.text = AGREEMENT.format(function=function, **(keys or {who: self.keys_of(who) for who in OWNER.values()})) + more
        for role in PARTS:
            self.write(role, self.text)
        if sign:
            self.sign()

    def keys_of(self, who):
        shown = self.t.run("identity", "show", who).out.decode()
        return "\n    ".join(f"{name}: {re.search(rf'^{word}: (.+)$', shown, re.M)[1]}" for name, word in (("link-key", "fingerprint"), ("signing-key", "signing key")))

    def file(self, role, suffix=""):
        return f"{self.folder[role]}/a.yaml{suffix}"

    def write(self, role, text):
        self.t.write(self.file(role), text)

    def run(self, role, *args, **more):
        return self.t.run(*args, home=self.home[role], **more)

    def sign(self):
        """Both sign, each on its own copy, and exchange what they signed."""
        t, r, s = self.t, self.file("receiver"), self.file("sender")
        for p in (self.run("receiver", "agreement", "sign", r, "--identity", self.identity["receiver"]),
                  self.run("sender", "agreement", "sign", s, "--identity", self.identity["sender"], "--add", r + ".sig"),
                  self.run("receiver", "agreement", "sign", r, "--add", s + ".sig")):
            if p.status:
                t.stop(f"{' '.join(p.args)}: {p.last()}")

    def spawn(self, role, *more, where=None, port=None, command=None, input=None, identity=None, agreement=True, timeout="10s", **party):
        """One side of a run. where: listen or connect; None: as the agreement says."""
        args = [command or self.function, "--identity", identity or self.identity[role], "--input", input or f"{role}.csv", "--timeout", timeout]
        args += ["--agreement", self.file(role)] if agreement else []
        args += [f"--{where}", f"127.0.0.1:{port}"] if where else []
        return Party(self.t, *args, *more, name=f"{self.name}{role}", **{"home": self.home[role], **party})

    def pair(self, sender=(), receiver=(), both=(), listen="sender", s={}, r={}, wait=True, **more):
        """Both sides. s, r: keywords of spawn for one side. listen None: as the agreement says."""
        port = free_port() if listen else None
        made = {role: self.spawn(role, *words, *both, where=listen and ("listen" if role == listen else "connect"), port=port, **{**more, **one})
                for role, words, one in (("sender", sender, s), ("receiver", receiver, r))}
        for p in made.values() if wait else ():
            p.wait()
        return made["sender"], made["receiver"]

    def through(self, listen="sender", sender=(), receiver=(), both=(), s={}, r={}, proxy={}, **more):
        """Both sides with a relay between them, not waited for: (sender, receiver, relay)."""
        t, port = self.t, free_port()
        words, ones = {"sender": sender, "receiver": receiver}, {"sender": s, "receiver": r}
        other = "receiver" if listen == "sender" else "sender"
        made = {listen: self.spawn(listen, *words[listen], *both, where="listen", port=port, **{**more, **ones[listen]})}
        if not wait_until(lambda: port in listeners() or made[listen].poll() is not None, 10):
            t.stop(f"the listener did not open its port: {made[listen].last()}")
        relay = Proxy(t, port, **proxy)
        made[other] = self.spawn(other, *words[other], *both, where="connect", port=relay.port, **{**more, **ones[other]})
        return made["sender"], made["receiver"], relay

    def ledger(self, role):
        return os.path.join(self.home[role], "ledger", "ledger.db")

    def records(self, role, path=None):
        """All records of a ledger, in order, as dicts with the body parsed; [] if there is none."""
        path = path or self.ledger(role)
        if not os.path.exists(path):
            return []
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.row_factory = sqlite3.Row
            found = db.execute("PRAGMA integrity_check").fetchall()
            self.t.equal([tuple(r) for r in found], [("ok",)], f"integrity of the {role}'s ledger")
            out = [dict(r) for r in db.execute("SELECT * FROM records ORDER BY seq")]
        for r in out:
            r["body"] = json.loads(r["body"])
        return out

    def runs(self, role, path=None):
        """What each run came to: {run: "refused", "incomplete", "disclosed" or "nothing"}."""
        out = {}
        for r in self.records(role, path):
            if r["kind"] in (1, 3):
                out[r["run"]] = "incomplete" if r["kind"] == 1 else "refused"
            elif r["kind"] == 2:
                out[r["run"]] = "disclosed" if r["disclosed"] else "nothing"
        return out

    def counted(self, role):
        """How many runs a quota counts."""
        return sum(x in ("incomplete", "disclosed") for x in self.runs(role).values())


class Identities:
    """Two organisations and a stranger, made once by the command; every test gets copies."""

    def __init__(self, tally, root):
        self.home = os.path.join(root, "identities")
        self.pins = {}
        os.mkdir(self.home, 0o700)
        env = dict(os.environ, TALLY_HOME=self.home)
        for name in ("agency", "bank", "stranger"):
            done = subprocess.run([tally, "identity", "new", name, "--organisation", f"Example {name.title()}"],
                                  env=env, capture_output=True, timeout=HARD_S)
            shown = subprocess.run([tally, "identity", "show", name], env=env, capture_output=True, timeout=HARD_S)
            pin = re.search(rb"^fingerprint: (sha256:[0-9a-f]{64})$", shown.stdout, re.M)
            if done.returncode or not pin:
                raise SystemExit(f"commands: identity new {name} ended with {done.returncode}: {done.stderr!r} {shown.stdout!r}")
            self.pins[name] = pin[1].decode()


def run_one(name, function, tally, root, identities):
    t = T(name, tally, root, identities)
    began = time.monotonic()
    skipped = None
    try:
        function(t)
    except Skip as e:
        skipped = str(e)
    except Stop:
        pass
    except Exception as e:  # a fault of the test is a failure with its place
        at = e.__traceback__
        while at.tb_next and "commands" in (at.tb_next.tb_frame.f_code.co_filename or ""):
            at = at.tb_next
        t.failures.append(f"{name} ({os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}): {type(e).__name__}: {e}")
    finally:
        t.close()
    return name, t.failures, t.notes, skipped, time.monotonic() - began


def run_all(tally, only=None, with_long=False, at_once=5, verbose=False):
    """Returns (tests run, tests failed)."""
    wanted = [(n, f) for n, f, long in TESTS if (with_long or not long) and (not only or only in n)]
    # The long ones measure, so they have the machine to themselves, at the end.
    alone = [(n, f) for n, f, long in TESTS if long and (n, f) in wanted]
    root = tempfile.mkdtemp(prefix="tally-commands-")
    passed = failed = 0
    try:
        identities = Identities(tally, root)

        def tell(result):
            nonlocal passed, failed
            name, failures, notes, skipped, seconds = result
            for line in dict.fromkeys(failures):
                print(line, flush=True)
            for line in notes:
                print(f"{name}: {line}", flush=True)
            if skipped:
                print(f"{name}: skipped, {skipped}", flush=True)
            elif verbose:
                print(f"{name}: {'FAILED' if failures else 'ok'} in {seconds:.1f} s", flush=True)
            passed += not failures and not skipped
            failed += bool(failures)

        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            waiting = [pool.submit(run_one, n, f, tally, root, identities) for n, f in wanted if (n, f) not in alone]
            for w in concurrent.futures.as_completed(waiting):
                tell(w.result())
        for n, f in alone:
            tell(run_one(n, f, tally, root, identities))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return passed, failed
