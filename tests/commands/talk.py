# SPDX-License-Identifier: Apache-2.0
"""What the command says: progress on a terminal and without, warnings, summaries of failed runs, and its manual."""
import datetime
import json
import os
import re
import shutil
import subprocess

from auth import identity_of
from harness import Skip, free_port, test

MANUAL = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "man")


def lists(t, n=40):
    t.ids("sender.csv", range(n))
    t.ids("receiver.csv", range(n // 2, n + n // 2))


@test
def progress_on_a_terminal(t):
    """On a terminal in the foreground: one line redrawn, with phase, bar, share and rows; nothing of it is left at the end."""
    lists(t, 5000)
    port = free_port()
    sender = t.spawn("sender", "listen", port, "--protocol", "ecdh", terminal=True, env={"TERM": "xterm"})
    receiver = t.spawn("receiver", "connect", port, "-o", "out.csv", terminal=True, env={"TERM": "dumb"})
    sender.wait(), receiver.wait()
    t.good(sender, receiver)
    drawn = re.findall(r"\r([^\r\n\x1b]*)\x1b\[K", sender.err)
    t.check(any(re.match(r"matching\s+\[#*\.*\]\s+\d+%\s+\d+/10000 rows", x) for x in drawn), f"no progress bar in {sender.err[:600]!r}")
    t.check(max(map(len, drawn), default=0) < 80, "a line wider than the terminal")
    t.check("waiting" in sender.err, "no word about waiting")
    t.check(not re.search(r"[^\n\r]\r?matching", sender.err.split("\x1b[K")[-1]), "a progress line is left at the end")
    t.check("\x1b" not in receiver.err, "escape sequences on a terminal that has none")
    # In the background, or with -q, nothing is drawn.
    s, r = t.pair(sender=["-q"], receiver=["-o", "q.csv"], s={"terminal": True, "env": {"TERM": "xterm"}})
    t.good(s, r)
    t.equal(s.err, "", "-q on a terminal")


@test
def more_and_less(t):
    lists(t)
    s, r = t.pair(sender=["-v"], receiver=["-o", "out.csv"])
    t.good(s, r)
    t.check(all(re.match(r"(tally|hint): \S", x) for x in (s.err + r.err).splitlines()), f"lines without their prefix: {s.err + r.err!r}")
    p = t.spawn("receiver", "connect", free_port(), "-q", "-o", "q.csv", timeout="1s")
    p.wait()
    t.failed(p, 6, hint=True)
    t.equal(len(p.err.splitlines()), 2, "lines of a failure with -q")


@test
def summaries_of_failed_runs(t):
    lists(t)
    t.write("bad.csv", "id_number\n1\n2\n")

    def outcome(name):
        text = t.read(name).decode()
        t.look_for_secrets(name, text)
        j = json.loads(text)
        t.check(j["result"] is None and j["learned"] == "", f"{name}: a failed run tells a result: {j['result']} {j['learned']}")
        t.check(j["outcome"]["message"], f"{name}: no message")
        return j["outcome"]["status"], j["outcome"]["exit_status"]

    s, r = t.pair(sender=["--summary", "s.json"], receiver=["--summary", "r.json", "-o", "o.csv", "--security", "malicious"])
    t.equal((outcome("s.json"), outcome("r.json")), (("incompatible peer", 2),) * 2, "terms differ")
    s, r = t.pair(sender=["--summary", "s.json"], receiver=["--summary", "r.json", "-o", "o.csv"], r={"input": "bad.csv"})
    t.equal((outcome("s.json"), outcome("r.json")), (("peer stopped", 6), ("input data", 3)), "list cannot be used")
    p = t.spawn("receiver", "connect", free_port(), "--summary", "r.json", "--json", "-o", "o.csv", timeout="1s")
    p.wait()
    t.equal(outcome("r.json"), ("timeout", 6), "nobody there")
    t.equal(json.loads(p.out)["outcome"]["exit_status"], 6, "--json of a failed run")
    s, r = t.pair(sender=["--summary", "s.json"], receiver=["--summary", "r.json", "-o", "o.csv"], r={"peer": t.pins["stranger"]}, timeout="1s")
    t.equal((outcome("s.json"), outcome("r.json")), (("authentication", 5),) * 2, "wrong fingerprint")
    t.check(not t.exists("o.csv"), "an output was left")


@test
def certificates_about_to_expire(t):
    lists(t)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=5)
    pin = identity_of(t, "soon", "/O=Soon/CN=soon", end=soon.strftime("%Y%m%d%H%M%SZ"))
    t.check(re.search(r"^tally: warning: .*soon.* expires on " + soon.strftime("%Y-%m-%d"), t.parties[-1].err, re.M),
            f"identity show does not warn: {t.parties[-1].last()}")
    s, r = t.pair(receiver=["-o", "out.csv"], r={"identity": "soon"}, s={"peer": pin})
    t.good(s, r)
    t.check("expires on" in r.err, f"the run does not warn: {r.last()}")
    t.check(b"out.csv" not in r.out and t.exists("out.csv"), "the run goes on")


@test
def reader_gone(t):
    """Standard output into a pipe whose reader has gone: a message and status 7, whatever SIGPIPE does."""
    lists(t, 3000)
    port = free_port()
    sender = t.spawn("sender", "listen", port)
    wrap = ("sh", "-c", '{ "$@"; echo $? >"$0"; } | :', t.path("status"))
    receiver = t.spawn("receiver", "connect", port, "-o", "-", wrap=wrap)
    sender.wait(), receiver.wait()
    t.equal(sender.status, 0, "sender")
    t.equal(t.read("status").strip(), b"7", f"status of the receiver: {receiver.last()}")
    t.check("standard output" in receiver.err, f"message: {receiver.last()}")


@test
def pages_can_be_shown(t):
    """troff once ran for ever over a Chinese page without a place to break a line at."""
    if not shutil.which("man"):
        raise Skip("there is no man")
    for folder in (MANUAL, os.path.join(MANUAL, "zh_CN")):
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".1")):
            try:
                page = subprocess.run(["man", "-l", "-E", "UTF-8", os.path.join(folder, name)], capture_output=True, timeout=20)
                t.equal((page.returncode, len(page.stdout) > 500), (0, True), f"man of {folder}/{name}")
            except subprocess.TimeoutExpired:
                t.check(False, f"{folder}/{name} does not come to an end")


@test
def manual(t):
    """The manual and --help name the same options."""
    pages = {"match": "tally-match.1", "identity": "tally-identity.1", "version": "tally-version.1", "check": "tally-check.1", "ping": "tally-ping.1"}
    shown = {w: t.run(w, "--help").out.decode() for w in pages}
    anywhere = set(re.findall(r"--[a-z][a-z-]+", "".join(shown.values()))) | {"--help", "--version"}
    for word, page in pages.items():
        try:
            with open(os.path.join(MANUAL, page)) as f:
                text = re.sub(r"\\f[A-Z]|\\", "", f.read())
        except OSError:
            raise Skip(f"no docs/man/{page} beside the tests")
        named = set(re.findall(r"--[a-z][a-z-]+", text))
        own = set(re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]+)", shown[word], re.M)) - {"--help"}
        t.equal(sorted(own - named), [], f"options of tally {word} --help that {page} lacks")
        t.equal(sorted(named - anywhere), [], f"options of {page} that no --help has")
