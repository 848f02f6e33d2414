# SPDX-License-Identifier: Apache-2.0
"""Links that are cut, held or altered at many points of the conversation; peers that are killed."""
import signal

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
    outputs = {"r-whole.csv", "s-whole.csv"}
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


@test
def cut(t):
    sweep(t, "cut", "sender", 22, "3s", 8)


@test
def cut_receiver_listens_malicious_both(t):
    sweep(t, "cut", "receiver", 16, "3s", 8, ["--security", "malicious", "--reveal-to", "both"], settled=400, reset=True)


@test
def silence(t):
    sweep(t, "hold", "sender", 12, "3s", 12)


@test
def altered(t):
    sweep(t, "flip", "receiver", 16, "3s", 12)


@test
def stopped(t):
    """A peer that is stopped says nothing: the other side gives it up in time, and so does it when it wakes."""
    lists(t, 6000)
    before = t.files()
    for role in PARTS:
        s, r, relay = start(t, "sender", role, "2s")
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


@test
def killed(t):
    """SIGKILL: the other side ends within five seconds, says so, leaves nothing."""
    lists(t, 12000)
    before = t.files()
    for role in PARTS:
        for security, amounts in (("semi-honest", (2000, 200_000, 600_000)), ("malicious", (300_000,))):
            for amount in amounts:
                s, r, relay = start(t, PARTS[amount % 7 % 2], f"{role}-{amount}", "10s", ["--security", security])
                victim, other = (s, r) if role == "sender" else (r, s)
                t.check(relay.wait_bytes(amount), f"{role} at {amount}: the conversation never got there")
                victim.kill()
                t.check(other.wait(5) is not None, f"{role} killed at {amount}: the other side did not end in 5 s")
                if other.status is not None:
                    t.failed(other, 6)
                other.kill()
                t.equal(victim.status, -signal.SIGKILL, "the victim")
                relay.close()
    # A killed process cannot tidy up after itself; the other one can. Its temporary file is the only thing allowed.
    left = t.files() - before
    t.check(len(left) <= 8 and not [f for f in left if f.endswith(".csv")], f"files left: {sorted(left)}")
