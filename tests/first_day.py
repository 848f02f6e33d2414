#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first day of two users, wrong things first: runs it and compares with docs/first-day.md, apart from times, keys and figures.

first_day.py TALLY [--write]        the command that was built or installed; two homes in a temporary folder
first_day.py --root ROOT [--write]  the one installed in this root (tests/debian.sh), as two users of it; needs the superuser
"""
import argparse
import difflib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "commands"))
import people  # noqa: E402
from harness import listeners, wait_until  # noqa: E402

PAGE = os.path.join(TOP, "docs", "first-day.md")
PORT = 7440


class User:
    def __init__(self, day, name):
        self.day, self.name = day, name
        self.shown = f"/home/{name}"
        self.home = os.path.join(day.root, "home", name) if day.root else os.path.join(day.tmp, name)
        if day.root:
            if not os.path.exists(self.home):
                subprocess.run(["chroot", day.root, "useradd", "-m", name], check=True)
            self.wrap = ["chroot", day.root, "setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "env", "-i", f"HOME={self.shown}", "LC_ALL=C.UTF-8",
                         "PATH=/usr/bin:/bin", "sh", "-c"]
        else:
            os.mkdir(self.home)
            self.wrap = ["env", "-i", f"HOME={self.home}", "LC_ALL=C.UTF-8", f"PATH={os.path.dirname(day.tally)}:/usr/bin:/bin", "sh", "-c"]

    def start(self, line):
        line = line.replace(f":{PORT}", f":{self.day.port}")
        return subprocess.Popen([*self.wrap, f"cd && {line}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def write(self, name, data):
        path = os.path.join(self.home, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, 0o644)


class Day:
    """Runs commands and writes down what is seen."""

    def __init__(self, tally, root):
        self.tally, self.root = tally, root
        self.tmp = tempfile.mkdtemp(prefix="tally-first-day-")
        self.lines, self.wrong, self.pins = [], [], {}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.bank, self.agency = User(self, "bank"), User(self, "agency")

    def say(self, text):
        self.lines += ["", *text.strip("\n").split("\n"), ""]

    def seen(self, user, process):
        text = process.communicate(timeout=120)[0].decode(errors="replace")
        text = re.sub(rf"\b{self.port}\b", str(PORT), text.replace(self.bank.home, self.bank.shown).replace(self.agency.home, self.agency.shown))
        return text.rstrip("\n").split("\n") if text.strip() else []

    def end(self, status, want, line):
        if status != want:
            self.wrong.append(f"status {status}, want {want}: {line}")
        return [f"[status {status}]"] if status else []

    def run(self, user, line, want=0):
        p = user.start(line)
        out = self.seen(user, p)
        self.block([f"{user.name}$ {line}", *out, *self.end(p.returncode, want, line)])
        return "\n".join(out)

    def both(self, first, first_line, second, second_line, wants=(0, 0)):
        """The first one waits."""
        p = first.start(first_line)
        if not wait_until(lambda: self.port in listeners() or p.poll() is not None, 20):
            self.wrong.append(f"does not listen: {first_line}")
        q = second.start(second_line)
        out = self.seen(second, q)
        self.block([f"{second.name}$ {second_line}", *out, *self.end(q.returncode, wants[1], second_line)])
        if wants[0] is None:
            p.terminate()
        out = self.seen(first, p)
        if wants[0] is not None:
            self.block([f"{first.name}$ {first_line}", *out, *self.end(p.returncode, wants[0], first_line)])

    def block(self, lines):
        folded = []
        for line in lines:
            folded.append(("    " + line).rstrip())
        self.lines += [*folded, ""]

    def pin(self, user, name):
        p = user.start(f"tally identity show {name}")
        found = re.search(r"^fingerprint: (\S+)$", p.communicate()[0].decode(), re.M)
        return found[1]


def expired(user, name):
    """What an IT department hands over: a key and a certificate of its own making that ended years ago."""
    folder = os.path.join(user.home, ".config", "tally", name)
    os.makedirs(folder)
    with tempfile.TemporaryDirectory() as tmp:
        config = os.path.join(tmp, "c.cnf")
        with open(config, "w") as f:
            f.write(f"[ca]\ndefault_ca=a\n[a]\ndatabase={tmp}/index.txt\nserial={tmp}/serial\nnew_certs_dir={tmp}\ndefault_md=sha256\npolicy=p\n"
                    "[p]\norganizationName=optional\ncommonName=supplied\n[req]\ndistinguished_name=d\n[d]\n")
        for n, text in (("index.txt", ""), ("serial", "10")):
            with open(os.path.join(tmp, n), "w") as f:
                f.write(text)
        key, csr, cert = os.path.join(folder, "key.pem"), os.path.join(tmp, "csr.pem"), os.path.join(folder, "cert.pem")
        for args in (["genpkey", "-algorithm", "ed25519", "-out", key], ["req", "-config", config, "-new", "-key", key, "-subj", "/CN=bank-it/O=Example Bank", "-out", csr],
                     ["ca", "-config", config, "-batch", "-notext", "-selfsign", "-keyfile", key, "-in", csr, "-startdate", "20210101000000Z", "-enddate", "20230101000000Z", "-out", cert]):
            subprocess.run(["openssl", *args], check=True, capture_output=True)
    os.chmod(key, 0o600)
    if user.day.root:
        owner = os.stat(user.home)
        for path in (os.path.dirname(folder), folder, key, cert):
            os.chown(path, owner.st_uid, owner.st_gid)


# ---- The day -------------------------------------------------------------------------------------------------------------

KEY = "--key id_card:cn-resident-id"


def ids(numbers):
    """Invented: there is no region 990000."""
    made = [f"990000{1950 + i % 50}{1 + i % 12:02}{1 + i % 28:02}{101 + i}" for i in numbers]
    return [d + people.resident_check(d) for d in made]


def customers(d):
    """The bank's export, each trap in turn."""
    own = ids([5, 9, 15, 16, 29, 31, 42, 60])
    table = lambda cells, head="name,id_card", sep=",": head.replace(",", sep) + "\n" + "".join(f"Customer {k}{sep}{c}\n" for k, c in enumerate(cells))
    good = table(own)
    check = lambda name, more="": f"tally check --input {name} {KEY}{more}"
    d.say("The bank's clerk saves the list of customers as it is in the spreadsheet. That is a workbook, no CSV file:")
    d.bank.write("customers.xlsx", b"PK\x03\x04\x14\x00\x06\x00" + bytes(600))
    d.run(d.bank, check("customers.xlsx"), 3)
    d.say("Then \"Unicode text\":")
    d.bank.write("customers.txt", good.encode("utf-16"))
    d.run(d.bank, check("customers.txt"), 3)
    d.say("Then CSV. The spreadsheet had taken the numbers for numbers:")
    d.bank.write("customers.csv", table([f"{float(c[:17] + '0'):.5E}" for c in own]))
    d.run(d.bank, check("customers.csv"), 3)
    d.say("With the column set to \"number, no decimals\" there are digits again, but a spreadsheet keeps 15 of them:")
    d.bank.write("customers.csv", table([c[:15] + "000" for c in own]))
    d.run(d.bank, check("customers.csv"), 3)
    d.say("Somebody exports from the archive, where the numbers are masked:")
    d.bank.write("customers.csv", table([c[:6] + "********" + c[14:] for c in own]))
    d.run(d.bank, check("customers.csv"), 3)
    d.say("From the core banking system, which writes GB18030. The numbers are fine, and the whole is not UTF-8:")
    d.bank.write("customers.csv", "姓名,身份证\n".encode("gb18030") + b"".join(f"客户,{c}\n".encode("gb18030") for c in own))
    d.run(d.bank, "tally check --input customers.csv --key 身份证:cn-resident-id", 3)
    d.run(d.bank, "tally check --input customers.csv --encoding gb18030 --key 身份证:cn-resident-id")
    d.say("The clerk prefers the spreadsheet after all, with the column as text. What it puts round texts, and the line in which it\nnotes the delimiter, do no harm:")
    d.bank.write("customers.csv", "sep=;\n" + table([f'"=""{c}"""' if k % 2 else f"'{c}" for k, c in enumerate(own)], sep=";"))
    d.run(d.bank, check("customers.csv", " --delimiter ';'"))
    d.say("In the end the database administrator takes them from the database:")
    d.bank.write("customers.csv", good)
    d.run(d.bank, check("customers.csv"))


def day(d):
    d.lines += ["# The first day", "",
                "Two users who have never seen Tally, from installing to a first match, with everything that goes wrong on such a day",
                "going wrong first. `tests/first_day.py` has run it and checks that it still runs so. Both are on one machine here, so that the",
                "agency's address is 127.0.0.1; the [quick start](quick-start.md) is the short way.", "", "## Installing"]
    d.say("Both, from the package (`make deb`):")
    d.block(["$ sudo apt-get install ./tally-psi_0.1.0_amd64.deb"])
    d.run(d.bank, "tally --version")
    d.say("## Identities")
    d.run(d.bank, 'tally identity new bank-id --organisation "Example Bank"')
    d.run(d.agency, 'tally identity new agency-id --organisation "Example Agency"')
    bank, agency = d.pin(d.bank, "bank-id"), d.pin(d.agency, "agency-id")
    d.say("They read the fingerprints to each other on the telephone.\n\n## The bank's list")
    customers(d)
    d.say("The agency's list is in order:")
    d.agency.write("debtors.csv", "id_number,case\n" + "".join(f"{c},case {k}\n" for k, c in enumerate(ids([3, 9, 15, 16, 23, 42, 48, 61, 77]))))
    d.run(d.agency, "tally check --input debtors.csv --key id_number:cn-resident-id")
    d.say("## The line")
    d.say("Nobody has opened the port, or nobody listens yet:")
    call = f"tally ping --connect 127.0.0.1:{PORT} --identity bank-id --peer {agency} --timeout 2s"
    wait = f"tally ping --listen 127.0.0.1:{PORT} --identity agency-id --peer {bank} --timeout 5s"
    d.run(d.bank, call, 6)
    d.say("The agency waits for it. The bank's clerk has written one digit of the fingerprint down wrongly:")
    other = agency[:-1] + ("0" if agency[-1] != "0" else "1")
    d.both(d.agency, wait, d.bank, call.replace(agency, other), (5, 5))
    d.say("The bank's IT department has a certificate for it, made long ago:")
    expired(d.bank, "bank-it")
    d.both(d.agency, wait, d.bank, call.replace("bank-id", "bank-it"), (6, 5))
    d.say("With the identity of this morning and the right fingerprint:")
    d.both(d.agency, wait, d.bank, call)
    d.say("## The match\n\nBoth want to receive:")
    run = lambda role, link, me, peer, file, key: f"tally match --role {role} --{link} 127.0.0.1:{PORT} --identity {me} --peer {peer} --input {file} --key {key}:cn-resident-id --timeout 20s"
    wrong = run("receiver", "listen", "agency-id", bank, "debtors.csv", "id_number")
    right = run("receiver", "connect", "bank-id", agency, "customers.csv", "id_card") + " --output overlap.csv"
    d.both(d.agency, wrong, d.bank, right, (2, 2))
    d.say("They talk it over: the agency sends, the bank receives.")
    d.both(d.agency, run("sender", "listen", "agency-id", bank, "debtors.csv", "id_number"), d.bank, right)
    d.run(d.bank, "cat overlap.csv")
    d.say("Both have a record of it; the attempt with two receivers is there too:")
    d.run(d.bank, "tally ledger list")


# ---- Comparing -----------------------------------------------------------------------------------------------------------

def plain(text):
    """Without what differs from day to day and from machine to machine."""
    for pattern, to in ((r"sha256:[0-9a-f]{8,}", "sha256:KEY"), (r"(127\.0\.0\.1):(?!7440)\d+", r"\1:PORT"), (r"\d{4}-\d\d-\d\d", "DATE"), (r"\d\d:\d\d(:\d\d)?( UTC|Z)?", "TIME"), (r"in \d+ days", "in N days"), (r"s (ahead of|behind) this", "s off this"),
                        (r"\d+(\.\d+)? ?(ms|s|kB|MB|GB|bytes|kbit/s|Mbit/s|Gbit/s|kbit|Mbit|Gbit)\b", r"N \2"), (r"; N s were predicted", ""), (r" {2,}", "  ")):
        text = re.sub(pattern, to, text)
    return text


def main():
    p = argparse.ArgumentParser()
    p.add_argument("tally", nargs="?")
    p.add_argument("--root")
    p.add_argument("--write", action="store_true")
    o = p.parse_args()
    if not o.tally and not o.root:
        p.error("TALLY or --root")
    d = Day(os.path.abspath(o.tally) if o.tally else None, o.root)
    try:
        day(d)
    finally:
        shutil.rmtree(d.tmp, ignore_errors=True)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(d.lines)).strip("\n") + "\n"
    for w in d.wrong:
        print(f"first-day: {w}")
    if o.write:
        with open(PAGE, "w") as f:
            f.write(text)
    with open(PAGE) as f:
        differs = list(difflib.unified_diff(plain(f.read()).split("\n"), plain(text).split("\n"), "docs/first-day.md", "today", lineterm="", n=1))
    print("\n".join(differs[:60]), end="\n" if differs else "")
    failed = len(d.wrong) + bool(differs)
    print(f"first-day {1 + len(d.wrong)} tests, {failed} failed")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a") as f:
            f.write(f"first-day {0 if failed else 1} {failed}\n")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
