# SPDX-License-Identifier: Apache-2.0
"""Links that are cut, held or altered at many points of the conversation; peers that are killed."""
import contextlib
import os
import signal
import time

import people
from harness import PARTS, Proxy, free_port, listeners, test, wait_until

AT_ONCE = 10


def lists(t, n=300):
    t.ids("sender.csv", range(n))
    t.ids("receiver.csv", range(n // 2, n + n // 2))
    return people.join(t.read("receiver.csv"), t.read("sender.csv"))


def start(t, listen, tag, timeout, more=(), **proxy):
    """A pair with a proxy between, the listener first. Both have an output where the terms allow one."""
    port = free_port()
    outputs = {"receiver": ["-o", f"r-{tag}.csv"], "sender": ["-o", f"s-{tag}.csv"] if "both" in more else []}
    parties = {listen: t.spawn(listen, "listen", port, *outputs[listen], *more, timeout=timeout)}
    if not wait_until(lambda: port in listeners(), 10):
        t.stop(f"the listener did not open its port: {parties[listen].last()}")
    relay = Proxy(t, port, **proxy)
    other = "receiver" if listen == "sender" else "sender"
    parties[other] = t.spawn(other, "connect", relay.port, *outputs[other], *more, timeout=timeout)
    return parties["sender"], parties["receiver"], relay


def measure(t, listen, more=()):
    """Bytes of a whole conversation: {'up': ..., 'down': ...}."""
    s, r, relay = start(t, listen, "whole", "10s", more)
    s.wait(), r.wait()
    t.good(s, r)
    relay.close()
    for name in ("s-whole.csv", "r-whole.csv"):
        with contextlib.suppress(OSError):
            os.unlink(t.path(name))
    return dict(relay.bytes)


def spread(total, n):
    """n byte numbers of 0 .. total - 1: dense where the handshake and the end are."""
    ends = [0, 1, 5, 100, 600, total - 1, total - 25, total - 60]
    rest = max(n - len(ends), 0)
    return sorted({x for x in ends + [total * (k + 1) // (rest + 1) for k in range(rest)] if 0 <= x < total})


def judge(t, what, s, r, relay, tag, want, wants, seconds, statuses=(5, 6, 8)):
    """Whatever happens to the link: an end in time, statuses and messages, and an output exactly if the run succeeded."""
    for p, prefix, rows in ((s, "s", wants), (r, "r", want)):
        p.wait()
        name = f"{prefix}-{tag}.csv"
        t.check(p.seconds < seconds, f"{what}: {p.name} took {p.seconds:.1f} s")
        if p.status == 0:
            if prefix == "r" or wants is not None:
                t.check(t.exists(name) and t.read(name) == rows, f"{what}: {p.name} ended well without the right output")
        else:
            t.check(p.status in statuses, f"{what}: {p.name} ended with {p.status}: {p.last()}")
            t.check("tally: " in p.err, f"{what}: {p.name} gave no message")
            t.check(not t.exists(name), f"{what}: {p.name} failed and left an output")
    relay.close()


def sweep(t, kind, listen, points, timeout, seconds, more=(), settled=200, **proxy):
    """One run for each direction and byte number. Before the last `settled` bytes nobody may end well."""
    want = lists(t)
    wants = people.join(t.read("sender.csv"), t.read("receiver.csv")) if "both" in more else None
    before = t.files()
    whole = measure(t, listen, more)
    todo = [(way, n) for way in ("up", "down") for n in spread(whole[way], points)]
    outputs = set()
    for k in range(0, len(todo), AT_ONCE):
        running = []
        for way, n in todo[k:k + AT_ONCE]:
            tag = f"{kind}-{way}-{n}"
            running.append((way, n, tag, *start(t, listen, tag, timeout, more, **{kind: (way, n)}, **proxy)))
        for way, n, tag, s, r, relay in running:
            what = f"{kind} at byte {n} of {whole[way]} {way}, {listen} listens"
            judge(t, what, s, r, relay, tag, want, wants, seconds)
            t.check(relay.acted.is_set() or n >= whole[way] - settled, f"{what}: the link was never touched")
            outputs |= {f"{p[0]}-{tag}.csv" for p, x in (("r", r), ("s", s)) if x.status == 0}
            # A link that breaks before anybody is authenticated is tried again, and works then.
            if n < whole[way] - settled and relay.calls == 1:
                t.check(s.status != 0 and r.status != 0, f"{what}: ended with {s.status} and {r.status}")
    t.clean(before, outputs)


PROTOCOLS = {"ecdh": ["--protocol", "ecdh"], "vole": ["--protocol", "vole"], "malicious": ["--security", "malicious", "--reveal-to", "both"]}


@test
def cut(t):
    sweep(t, "cut", "sender", 22, "3s", 8, PROTOCOLS["ecdh"])


@test
def cut_vole(t):
    sweep(t, "cut", "receiver", 18, "3s", 8, PROTOCOLS["vole"], reset=True)


@test
def cut_malicious_both(t):
    sweep(t, "cut", "receiver", 16, "3s", 8, PROTOCOLS["malicious"], settled=400, reset=True)


@test
def silence(t):
    sweep(t, "hold", "sender", 12, "3s", 12, PROTOCOLS["ecdh"])


@test
def silence_vole(t):
    sweep(t, "hold", "sender", 10, "3s", 12, PROTOCOLS["vole"])


@test
def altered(t):
    sweep(t, "flip", "receiver", 16, "3s", 12, PROTOCOLS["ecdh"])


def judged(t, p, status, what):
    first = len(t.failures)
    if p.status is not None and not t.failed(p, status):
        t.failures[first] += f" [{what}]"


def at_steps(t, act, ends, settled=400, roles=PARTS, protocols=PROTOCOLS):
    """act(party) at many points of the conversation. The link towards that party is held at a byte first, so the point is exact. ends: the
    statuses it may end with. The other side ends with 6 in five seconds and says why; no output anywhere."""
    lists(t, 1000)
    before = t.files()
    for listen, (name, more) in zip(("sender", "receiver", "sender"), protocols.items()):
        whole = measure(t, listen, more)
        for role in roles:
            way = "up" if role == listen else "down"
            points = sorted({1500, 2000, *(whole[way] * k // 6 for k in range(1, 6)), whole[way] - settled})
            running = []
            for n in points:
                what = f"{name}, {role} at byte {n} of {whole[way]} towards it"
                s, r, relay = start(t, listen, f"{name}-{role}-{n}", "4s", more, hold=(way, n))
                hit, other = (s, r) if role == "sender" else (r, s)
                if not t.check(relay.acted.wait(10), f"{what}: the conversation never got there"):
                    continue
                act(hit)
                running.append((what, hit, other, relay, time.monotonic()))
            for what, hit, other, relay, since in running:
                t.check(hit.wait(since + 5 - time.monotonic()) is not None, f"{what}: it did not end in 5 s")
                t.check(other.wait(since + 6 - time.monotonic()) is not None, f"{what}: the other side did not end in 6 s")
                if ends > 0:
                    judged(t, hit, ends, what)
                judged(t, other, 6, what)
                for p in (hit, other):
                    p.kill()
                relay.close()
    return t.files() - before


@test
def killed(t):
    """SIGKILL. The killed one cannot tidy up: its temporary file is the only thing that may stay."""
    left = at_steps(t, lambda p: p.kill(), -signal.SIGKILL)
    t.check(not [f for f in left if not os.path.basename(f).startswith(".r-") and not os.path.basename(f).startswith(".s-")], f"files left: {sorted(left)}")


@test
def stopped(t):
    """A peer that is stopped says nothing: the other side gives it up in time, and so does it when it wakes."""
    lists(t, 6000)
    before = t.files()
    for role in PARTS:
        s, r, relay = start(t, "sender", role, "2s", PROTOCOLS["ecdh"])
        victim, other = (s, r) if role == "sender" else (r, s)
        t.check(relay.wait_bytes(100_000), f"{role}: the matching did not begin")
        victim.signal(signal.SIGSTOP)
        t.check(other.wait(6) is not None, f"{role} stopped: the other side did not end in 6 s")
        victim.signal(signal.SIGCONT)
        t.check(victim.wait(6) is not None, f"{role} stopped: did not end in 6 s after it woke")
        for p, text in ((other, "nothing was heard"), (victim, None)):
            if p.status is not None:
                t.failed(p, 6, text, hint=True)
            p.kill()
        relay.close()
    t.clean(before)
