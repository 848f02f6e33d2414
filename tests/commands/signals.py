# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM: the side that gets one ends with 9, the other promptly and with a message."""
import signal
import time

from breaks import PROTOCOLS, at_steps, start
from harness import PARTS, free_port, listeners, test, wait_until


@test
def while_waiting(t):
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(20))
    before = t.files()
    for number in (signal.SIGINT, signal.SIGTERM):
        port = free_port()
        listening = t.spawn("receiver", "listen", port, "-o", "out.csv", timeout="60s")
        connecting = t.spawn("sender", "connect", free_port(), timeout="60s")
        wait_until(lambda: port in listeners(), 10)
        time.sleep(0.5)
        for p in (listening, connecting):
            p.signal(number)
            t.check(p.wait(3) is not None, f"{p.name} did not end within 3 s of {number.name} while waiting")
            if p.status is not None:
                t.failed(p, 9)
            p.kill()
        t.check(port not in listeners(), "the port is still open")
    t.clean(before)


def while_computing(t, number, listen, *more):
    """In the middle of group operations: 20000 items take seconds."""
    t.ids("sender.csv", range(20000))
    t.ids("receiver.csv", range(10000, 30000))
    before = t.files()
    for role in PARTS:
        s, r, relay = start(t, listen, role, "10s", more)
        hit, other = (s, r) if role == "sender" else (r, s)
        t.check(relay.wait_bytes(300_000), f"the matching did not begin: {s.last()} {r.last()}")
        hit.signal(number)
        for p in (hit, other):
            t.check(p.wait(5) is not None, f"{p.name} did not end within 5 s of {number.name} to the {role}")
        if hit.status is not None:
            t.failed(hit, 9)
        if other.status is not None:
            t.failed(other, 6, hint=True)
        for p in (hit, other):
            p.kill()
        relay.close()
    t.clean(before)


@test
def interrupt_while_computing(t):
    while_computing(t, signal.SIGINT, "sender", "--protocol", "ecdh")


@test
def terminate_while_computing(t):
    while_computing(t, signal.SIGTERM, "receiver", "--security", "malicious")


@test
def interrupt_at_every_step(t):
    t.equal(sorted(at_steps(t, lambda p: p.signal(signal.SIGINT), 9)), [], "files left")


@test
def terminate_at_every_step(t):
    t.equal(sorted(at_steps(t, lambda p: p.signal(signal.SIGTERM), 9, protocols={"vole": PROTOCOLS["vole"]})), [], "files left")
