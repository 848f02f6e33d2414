# SPDX-License-Identifier: Apache-2.0
"""An authenticated peer of our own that breaks the protocol at every step: status 8, a message, one code back, no output."""
import contextlib
import os
import socket
import struct

from auth import context, waiting
from harness import free_port, test

HELLO1, HELLO2, ABORT, HEARTBEAT, DONE = 1, 2, 3, 4, 5
POINTS, REPLY, SENDERS = 16, 17, 18
KEY, BLINDED, EVALUATED, TAGS = 24, 25, 26, 27
MATCHED, CONFIRM = 32, 33
OPEN, CHOICE, TREES, BIN, VOLE_TAGS = 40, 41, 42, 43, 44

# RFC 9496, A.1: small multiples of the generator. A.3: encodings that are none.
GOOD = [bytes.fromhex(x) for x in ("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
                                   "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
                                   "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259")]
BAD = {"identity": bytes(32), "non-canonical": b"\xff" * 32, "negative": b"\x01" + bytes(31),
       "p": bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
       "no square": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371")}


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(tag, n):
    return bytes([tag << 3]) + varint(n)


def text(tag, b):
    return bytes([tag << 3 | 2]) + varint(len(b)) + b


def hello1(role=b"receiver", versions=(1, 1), nonce=bytes(range(32)), security=b"semi-honest", reveal=b"receiver",
           keys=(b"cn-resident-id",), software=b"hostile 1", function=b"match", protocol=b"ecdh", terms=None):
    if terms is None:
        terms = text(1, role) + text(2, function) + text(3, protocol) + text(4, security) + text(5, reveal) + b"".join(text(6, k) for k in keys)
    return number(1, versions[0]) + number(2, versions[1]) + text(3, software) + text(4, nonce) + text(5, terms)


def hello2(items=3, commitment=bytes(32)):
    return number(1, items) + text(2, commitment)


class Peer:
    """The connecting end, with the bank's identity. Knows frames, no cryptography beyond TLS."""

    def __init__(self, t, port, identity="bank"):
        self.raw = socket.create_connection(("127.0.0.1", port), 5)
        self.s = context(t, identity).wrap_socket(self.raw)
        self.s.settimeout(10)
        self.out = 0
        t.closing.append(self.close)
        t.equal(self.read(1), b"\x01", "the ready byte of a listener that has accepted us")

    def frame(self, kind, payload=b"", length=None, sequence=None, reserved=0):
        head = struct.pack(">IIB", len(payload) if length is None else length, self.out if sequence is None else sequence, kind)
        self.out += 1
        self.send(head + bytes([reserved, 0, 0]) + payload)

    def send(self, data):
        with contextlib.suppress(OSError):
            self.s.sendall(data)

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def next(self):
        """Next frame that is no heartbeat: (type, payload), or (0, b"") at the end."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                length, _, kind = struct.unpack(">IIB", self.read(12)[:9])
                payload = self.read(length)
                if kind != HEARTBEAT:
                    return kind, payload
        return 0, b""

    def until(self, *kinds):
        while True:
            kind, payload = self.next()
            if kind in kinds or not kind:
                return kind, payload

    def greet(self, items=3, **more):
        self.frame(HELLO1, hello1(**more))
        self.until(HELLO1)
        self.frame(HELLO2, hello2(items))
        self.until(HELLO2)

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            self.s.unwrap()
        self.s.close()
        self.raw.close()


def attack(t, what, play, role="sender", code=None, status=8, text=None, more=(), timeout="5s", stay=False):
    """Runs the command as `role` against play(peer). code: abort code the peer must see (0 after hello 2), None for any. stay: the peer
    does not close even then."""
    port = free_port()
    output = ["-o", "out.csv"] if role == "receiver" or "both" in more else []
    victim = t.spawn(role, "listen", port, *output, *more, timeout=timeout)
    waiting(t, port)
    before = len(t.failures)
    try:
        peer = Peer(t, port, "bank" if role == "sender" else "agency")
        play(peer)
        if code is not None:
            kind, payload = peer.until(ABORT)
            t.check(kind == ABORT and payload == bytes([0, code]), f"{what}: the peer saw {kind} {payload.hex()}, want abort {code}")
            if not stay:
                peer.close()
        if victim.wait(8) is None:
            victim.kill()
            t.check(False, f"{what}: the {role} still ran after 8 s: {victim.last()}")
        else:
            t.failed(victim, status, text)
        peer.close()
    except (OSError, EOFError) as e:
        t.check(False, f"{what}: {type(e).__name__} {e}; {victim.last()}")
        victim.kill()
    t.check(not t.exists("out.csv"), f"{what}: an output was left")
    for k in range(before, len(t.failures)):
        if what not in t.failures[k]:
            t.failures[k] += f" [{what}]"
    return victim


def small(t):
    t.ids("sender.csv", range(5))
    t.ids("receiver.csv", range(3, 8))
    return t.files()


@test
def in_the_frames(t):
    before = small(t)
    attack(t, "unknown type", lambda p: p.frame(99, b"x"), code=5)
    attack(t, "length zero", lambda p: p.frame(HELLO1), code=5)
    attack(t, "length 2^31", lambda p: p.frame(HELLO1, b"", length=1 << 31), code=5)
    attack(t, "length above the limit of hello 1", lambda p: p.frame(HELLO1, b"", length=16385), code=5)
    attack(t, "sequence begins at 1", lambda p: p.frame(HELLO1, hello1(), sequence=1), code=5)
    attack(t, "reserved byte", lambda p: p.frame(HELLO1, hello1(), reserved=7), code=5)
    attack(t, "heartbeat with payload", lambda p: p.frame(HEARTBEAT, b"x"), code=5)
    attack(t, "a peer that stays", lambda p: p.frame(99, b"x"), code=5, stay=True)
    attack(t, "random bytes", lambda p: p.send(os.urandom(400)), code=5)
    attack(t, "end inside a header", lambda p: (p.send(b"\0\0\0"), p.close()), status=(6, 8))
    attack(t, "end inside a payload", lambda p: (p.frame(HELLO1, b"abc", length=90), p.close()), status=(6, 8))
    attack(t, "abort of a code that is none", lambda p: p.frame(ABORT, b"\0\x63"), status=(6, 8))
    attack(t, "abort without a code", lambda p: p.frame(ABORT, b"x"), status=(6, 8))
    t.clean(before)


@test
def in_hello_1(t):
    before = small(t)
    attack(t, "no protocol buffer", lambda p: p.frame(HELLO1, b"\xff" * 40), code=5)
    attack(t, "truncated", lambda p: p.frame(HELLO1, hello1()[:-3]), code=5)
    attack(t, "short nonce", lambda p: p.frame(HELLO1, hello1(nonce=b"short")), code=5)
    attack(t, "versions upside down", lambda p: p.frame(HELLO1, hello1(versions=(3, 2))), code=5)
    attack(t, "no terms", lambda p: p.frame(HELLO1, hello1(terms=b"")), code=5)
    attack(t, "nine keys", lambda p: p.frame(HELLO1, hello1(keys=[b"exact"] * 9)), code=5)
    attack(t, "long name", lambda p: p.frame(HELLO1, hello1(keys=[b"k" * 65])), code=5)
    attack(t, "escape sequence in a name", lambda p: p.frame(HELLO1, hello1(keys=[b"\x1b[2J"])), code=5)
    attack(t, "escape sequence in the software", lambda p: p.frame(HELLO1, hello1(software=b"\x1b[2J")), code=5)
    attack(t, "hello 2 first", lambda p: p.frame(HELLO2, hello2()), code=5)
    attack(t, "done first", lambda p: p.frame(DONE), code=5)
    attack(t, "points first", lambda p: p.frame(POINTS, GOOD[0]), code=5)
    v = attack(t, "no common version", lambda p: p.frame(HELLO1, hello1(versions=(7, 9))), status=2, text="version")
    t.check("7" in v.err and "9" in v.err, f"the peer's versions are not named: {v.last()}")
    attack(t, "another function", lambda p: p.frame(HELLO1, hello1(function=b"count")), status=2, text="function.*count")
    for v in t.parties:
        t.check("\x1b" not in v.err, "an escape sequence of the peer reached the terminal")
    t.clean(before)


@test
def in_hello_2(t):
    before = small(t)

    def after_hello1(kind, payload, **more):
        return lambda p: (p.frame(HELLO1, hello1()), p.until(HELLO1), p.frame(kind, payload, **more))

    attack(t, "hello 1 again", after_hello1(HELLO1, hello1()), code=0)
    attack(t, "2^40 declared", after_hello1(HELLO2, hello2(1 << 40)), code=0)
    attack(t, "2^64 - 1 declared", after_hello1(HELLO2, hello2((1 << 64) - 1)), code=0)
    attack(t, "short commitment", after_hello1(HELLO2, hello2(3, bytes(31))), code=0)
    attack(t, "points before hello 2", after_hello1(POINTS, GOOD[0]), code=0)
    attack(t, "long hello 2", after_hello1(HELLO2, bytes(1025)), code=0)
    v = attack(t, "2^30 declared, nothing sent", lambda p: (p.greet(1 << 30), p.close()), status=(6, 8))
    if v.usage:
        t.check(v.usage.ru_maxrss < 300_000, f"2^30 declared items cost {v.usage.ru_maxrss} KiB at the sender")
    attack(t, "silence", lambda p: p.greet(), status=6, code=0, timeout="2s", text="silent|nothing|answer|heard")
    t.clean(before)


@test
def towards_the_sender(t):
    before = small(t)

    def bulk(*frames, **more):
        def play(p):
            p.greet(**more)
            for kind, payload in frames:
                p.frame(kind, payload)
        return play

    for name, point in BAD.items():
        attack(t, f"{name} as a point", bulk((POINTS, GOOD[0] + point + GOOD[1])), code=0)
    attack(t, "empty bulk", bulk((POINTS, b"")), code=0)
    attack(t, "part of a point", bulk((POINTS, GOOD[0] + b"x")), code=0)
    attack(t, "more points than declared", bulk((POINTS, b"".join(GOOD) + GOOD[0])), code=0)
    attack(t, "one point too many", bulk((POINTS, b"".join(GOOD)), (POINTS, GOOD[0])), code=0)
    attack(t, "the sender's own message", bulk((SENDERS, GOOD[0])), code=0)
    attack(t, "hello in the middle", bulk((POINTS, GOOD[0]), (HELLO2, hello2())), code=0)
    attack(t, "done too early", bulk((POINTS, GOOD[0]), (DONE, b"")), code=0)
    attack(t, "bitmap nobody agreed on", bulk((POINTS, b"".join(GOOD)), (MATCHED, b"\x1f")), code=0)
    attack(t, "two megabytes", lambda p: (p.greet(), p.frame(POINTS, b"", length=2 << 20)), code=0)
    for name, point in BAD.items():
        attack(t, f"{name} blinded", bulk((BLINDED, GOOD[0] + point + GOOD[1]), security=b"malicious"), code=0, more=["--security", "malicious"])
    both = {"reveal": b"both"}
    attack(t, "bitmap beyond the end", bulk((POINTS, b"".join(GOOD)), (MATCHED, b"\xff"), **both), code=0, more=["--reveal-to", "both"])
    attack(t, "more matches than items", bulk((POINTS, b"".join(GOOD)), (MATCHED, b"\x1f"), **both), code=0, more=["--reveal-to", "both"])
    attack(t, "bitmap too long", bulk((POINTS, b"".join(GOOD)), (MATCHED, b"\x01\x00"), **both), code=0, more=["--reveal-to", "both"])
    attack(t, "matches it cannot confirm", bulk((BLINDED, b"".join(GOOD)), (MATCHED, b"\x03"), (CONFIRM, bytes(32)), security=b"malicious", **both),
           code=0, more=["--reveal-to", "both", "--security", "malicious"])
    t.clean(before)


@test
def towards_the_receiver(t):
    before = small(t)

    def semi_honest(*frames, width=6):
        def play(p):
            p.greet(role=b"sender")
            p.until(POINTS)
            for kind, payload in frames:
                p.frame(kind, payload)
        return play

    reply = (REPLY, bytes(5 * 6))  # 40 + ceil(log2 5) + ceil(log2 3) = 45 bits
    attack(t, "reply of another width", semi_honest((REPLY, bytes(5 * 6 - 1))), "receiver", code=0)
    attack(t, "reply too long", semi_honest((REPLY, bytes(6 * 6))), "receiver", code=0)
    attack(t, "points before the reply", semi_honest((SENDERS, GOOD[0])), "receiver", code=0)
    attack(t, "done before anything", semi_honest((DONE, b"")), "receiver", code=0)
    for name, point in BAD.items():
        attack(t, f"{name} as a point", semi_honest(reply, (SENDERS, GOOD[0] + point + GOOD[1])), "receiver", code=0)
    attack(t, "more points than declared", semi_honest(reply, (SENDERS, b"".join(GOOD) + GOOD[0])), "receiver", code=0)
    attack(t, "done too early", semi_honest(reply, (SENDERS, GOOD[0]), (DONE, b"")), "receiver", code=0)

    def malicious(key, *frames):
        def play(p):
            p.greet(role=b"sender", security=b"malicious")
            p.frame(KEY, key)
            if frames:
                p.until(BLINDED)
            for kind, payload in frames:
                p.frame(kind, payload)
        return play

    terms = ["--security", "malicious"]
    for name, point in BAD.items():
        attack(t, f"{name} as the key", malicious(point, (EVALUATED, bytes(5 * 32 + 64))), "receiver", code=0, more=terms)
    attack(t, "long key", malicious(GOOD[0] + b"x"), "receiver", code=0, more=terms)
    five = b"".join(GOOD) + GOOD[0] + GOOD[1]
    attack(t, "proof of nothing", malicious(GOOD[0], (EVALUATED, five + bytes(64))), "receiver", code=0, more=terms, text="proof")
    attack(t, "random proof", malicious(GOOD[0], (EVALUATED, five + bytes(range(31)) + b"\0" + bytes(range(31)) + b"\0")), "receiver", code=0, more=terms, text="proof")
    attack(t, "no proof", malicious(GOOD[0], (EVALUATED, five)), "receiver", code=0, more=terms)
    attack(t, "tags before the proof", malicious(GOOD[0], (TAGS, bytes(48))), "receiver", code=0, more=terms)
    t.clean(before)


@test
def in_the_fast_protocol(t):
    before = small(t)

    def to_sender(*frames, items=3):
        return lambda p: (p.greet(items, protocol=b"vole"), *(p.frame(*f) for f in frames))

    def to_receiver(*frames):
        return lambda p: (p.greet(role=b"sender", protocol=b"vole"), p.until(OPEN), *(p.frame(*f) for f in frames))

    pairs = b"".join(GOOD[k % 3] for k in range(256))
    attack(t, "k of 9", to_sender((OPEN, b"\x09" + pairs)), code=0)
    attack(t, "k of 0", to_sender((OPEN, b"\x00" + pairs)), code=0)
    attack(t, "short opening", to_sender((OPEN, b"\x04" + pairs[:-1])), code=0)
    for name, point in BAD.items():
        attack(t, f"{name} in the base OTs", to_sender((OPEN, b"\x04" + pairs[:32 * 77] + point + pairs[32 * 78:])), code=0)
    attack(t, "trees first", to_sender((TREES, bytes(4096))), code=0)
    attack(t, "points of the other protocol", to_sender((POINTS, GOOD[0])), code=0)
    attack(t, "a bin before the trees", to_sender((OPEN, b"\x04" + pairs), (BIN, bytes(4096))), code=0)
    attack(t, "done after the opening", to_sender((OPEN, b"\x04" + pairs), (DONE, b"")), code=0)
    attack(t, "no choice", to_receiver((CHOICE, b"x")), "receiver", code=0)
    attack(t, "tags before the choice", to_receiver((VOLE_TAGS, bytes(48))), "receiver", code=0)
    v = attack(t, "2^30 declared, nothing sent", lambda p: (to_sender(items=1 << 30)(p), p.close()), status=(6, 8))
    if v.usage:
        t.check(v.usage.ru_maxrss < 300_000, f"2^30 declared items cost {v.usage.ru_maxrss} KiB at the sender")
    v = attack(t, "2^30 declared to the receiver", lambda p: (p.greet(1 << 30, role=b"sender", protocol=b"vole"), p.close()), "receiver", status=(6, 8))
    if v.usage:
        t.check(v.usage.ru_maxrss < 300_000, f"2^30 declared items cost {v.usage.ru_maxrss} KiB at the receiver")
    t.clean(before)


@test
def a_peer_that_lets_a_run_finish_but_never_says_done(t):
    """Without the peer's word that the run is over there is no output."""
    before = small(t)

    def play(p):
        p.greet(role=b"sender")
        p.until(POINTS)
        p.frame(REPLY, bytes(5 * 6))
        p.frame(SENDERS, b"".join(GOOD))
        p.until(DONE)
        p.close()

    attack(t, "no done", play, "receiver", status=6)
    t.clean(before)
