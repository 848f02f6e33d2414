# SPDX-License-Identifier: Apache-2.0
"""Local files: inputs that are missing, broken or change during a run; disks that fill up."""
import os
import subprocess
import time

import people
from harness import Skip, free_port, listeners, test, wait_until

ID = people.resident


def bad_input(t, status, text, hint=True, name="receiver.csv", options=(), key="id_number:cn-resident-id"):
    """The receiver cannot use its input: it says why, the sender hears that it will not come, nothing is left."""
    before = t.files()
    s, r = t.pair(receiver=["-o", "out.csv", *options], r={"input": name, "key": key}, timeout="8s")
    t.failed(r, status, text, hint=hint)
    t.failed(s, 6)
    t.check(s.seconds < 6, f"{text}: the sender waited {s.seconds:.1f} s for a peer that cannot come")
    t.clean(before)


@test
def unusable_inputs(t):
    t.ids("sender.csv", range(20))
    os.mkdir(t.path("folder"))
    bad_input(t, 7, "missing.csv", name="missing.csv")
    bad_input(t, (3, 7), "folder", name="folder", hint=False)
    t.write("receiver.csv", "")
    bad_input(t, 3, "receiver.csv|empty", hint=False)
    good = "id_number,name\n%s,a\n" % ID(1)
    t.write("receiver.csv", good + '%s,"two\nlines"\n%s,"never closed\n%s,b\n' % (ID(2), ID(3), ID(4)), {ID(k) for k in range(9)})
    bad_input(t, 3, r"line 5\b")
    t.write("receiver.csv", good + '%s,"closed" and more\n' % ID(3))
    bad_input(t, 3, r"line 3\b")
    t.write("receiver.csv", good.encode("utf-16"))
    bad_input(t, 3, "UTF-16")
    t.write("receiver.csv", good.encode("utf-16-le"))
    bad_input(t, 3, "zero byte|UTF-16|NUL")
    t.write("receiver.csv", b"PK\x03\x04\x14\x00\x06\x00" + bytes(600))
    bad_input(t, 3, "spreadsheet|xlsx|Excel|zip")
    t.write("receiver.csv", good)
    bad_input(t, 3, "id_card", key="id_card:cn-resident-id", hint=False)
    t.write("twice.csv", "id_number,id_number\n%s,%s\n" % (ID(1), ID(2)))
    bad_input(t, 3, "id_number", name="twice.csv")
    bad_input(t, 3, "amount", options=["--columns", "amount"], hint=False)
    t.write("receiver.csv", good + "%s,%s\n" % (ID(5), "x" * (17 << 20)))
    bad_input(t, 3, r"line 3\b", hint=False)
    t.write("receiver.csv", good + "%s%s\n" % (ID(5), "," * 5000))
    bad_input(t, 3, r"line 3\b", hint=False)


@test
def unreadable_for_others(t):
    if os.geteuid() == 0:
        raise Skip("root may read anything")
    t.ids("sender.csv", range(20))
    t.ids("receiver.csv", range(20))
    os.chmod(t.path("receiver.csv"), 0)
    bad_input(t, 7, "receiver.csv")


def changed(t, role, change):
    """The side that waits has read its list; the list changes; then the other side comes."""
    t.ids("sender.csv", range(200))
    t.ids("receiver.csv", range(150, 400))
    port = free_port()
    out = lambda r: ["-o", "out.csv"] if r == "receiver" else []
    first = t.spawn(role, "listen", port, *out(role), timeout="20s")
    if not wait_until(lambda: port in listeners(), 10):
        t.stop("the listener did not open its port")
    time.sleep(0.05)
    change(t.path(role + ".csv"))
    other = "receiver" if role == "sender" else "sender"
    before = t.files()
    second = t.spawn(other, "connect", port, *out(other), timeout="20s")
    first.wait(), second.wait()
    t.failed(first, 3, role + ".csv.*chang|chang.*" + role + ".csv", hint=True)
    t.failed(second, 6)
    t.clean(before)


def appended(path):
    with open(path, "a") as f:
        f.write("%s,new,1\n" % ID(7777))


def replaced(path):
    with open(path + ".new", "w") as f:
        f.write("id_number\n%s\n" % ID(1))
    os.rename(path + ".new", path)


def overwritten(path):
    """Same inode, same size, other digits."""
    with open(path, "r+b") as f:
        f.seek(40)
        f.write(b"7")


@test
def input_appended(t):
    changed(t, "sender", appended)
    changed(t, "receiver", appended)


@test
def input_replaced(t):
    changed(t, "sender", replaced)
    changed(t, "receiver", replaced)


@test
def input_overwritten(t):
    changed(t, "sender", overwritten)
    changed(t, "receiver", overwritten)


@test
def input_removed(t):
    changed(t, "sender", os.unlink)
    changed(t, "receiver", os.unlink)


# ---- Disk full -----------------------------------------------------------------------------------------------------------

def many(t, n=3000):
    t.ids("sender.csv", range(n))
    t.ids("receiver.csv", range(n))


@test
def disk_full(t):
    many(t)
    os.mkdir(t.path("small"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", t.path("small")], capture_output=True)
    if done.returncode:
        raise Skip("cannot mount a small file system here")
    t.closing.append(lambda: subprocess.run(["umount", "-l", t.path("small")], capture_output=True))
    s, r = t.pair(receiver=["-o", "small/out.csv"], timeout="10s")
    t.failed(r, 7, "(?i)disk full|no space", hint=True)
    t.equal(s.status, 0, "sender: the rows are written when both sides are done")
    t.equal(os.listdir(t.path("small")), [], "files on the full disk")


@test
def file_size_limit(t):
    many(t, 20000)  # the ledger stays below the limit, the output does not
    t.write("out.csv", "an earlier one")
    before = t.files()
    limit = ("sh", "-c", 'trap "" XFSZ; ulimit -f 256; exec "$@"', "sh")
    s, r = t.pair(receiver=["-o", "out.csv", "--force"], r={"wrap": limit}, timeout="10s")
    t.failed(r, 7, "out.csv")
    t.equal(s.status, 0, "sender")
    t.equal(t.read("out.csv"), b"an earlier one", "an output of an earlier run")
    t.clean(before)


@test
def standard_output_full(t):
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    many(t)
    before = t.files()
    s, r = t.pair(receiver=["-o", "-"], r={"stdout": "/dev/full"}, timeout="10s")
    t.failed(r, 7, "standard output", hint=True)
    t.equal(s.status, 0, "sender")
    t.clean(before)


@test
def input_through_a_pipe(t):
    """A named pipe and standard input are read to their end, once."""
    t.ids("sender.csv", range(20))
    data = t.ids("x.csv", range(10, 2000))
    os.mkfifo(t.path("pipe.csv"))
    port = free_port()
    receiver = t.spawn("receiver", "connect", port, "-o", "out.csv", input="pipe.csv", timeout="20s")
    sender = t.spawn("sender", "listen", port, timeout="20s")
    with open(t.path("pipe.csv"), "wb") as f:
        f.write(data)
    sender.wait(), receiver.wait()
    if t.good(sender, receiver):
        t.equal(t.read("out.csv"), people.join(data, t.read("sender.csv")), "input through a named pipe")


@test
def interrupted_while_reading(t):
    """An input that does not come is no reason not to stop: nobody writes, or a writer that says nothing."""
    for writer in (False, True):
        name = f"pipe-{writer}"
        os.mkfifo(t.path(name))
        fd = os.open(t.path(name), os.O_RDWR) if writer else -1
        p = t.spawn("sender", "listen", free_port(), input=name)
        time.sleep(0.7)
        t.equal(p.poll(), None, f"waiting for {name}")
        p.signal(2)
        if t.check(p.wait(4) is not None, f"SIGINT does not end a run that waits for {name}"):
            t.failed(p, 9)
        p.kill()
        if writer:
            os.close(fd)
