# SPDX-License-Identifier: Apache-2.0
"""What an administrator meets: the log and its rotation, the journal, memory of keys, core dumps, completions, units."""
import os
import re
import resource
import shutil
import subprocess
import time

from harness import Skip, free_port, listeners, test, wait_until
from serve import Serving

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR) tally\[(\d+)\]: run=(-|\d+) event=(\w+) (.+)")


def log_of(t, name="a.log"):
    """(level, pid, run, event, text) of each line; every line has the documented form."""
    text = t.read(name).decode()
    t.look_for_secrets(name, text)
    t.check(text.endswith("\n"), f"{name} ends in the middle of a line")
    out = []
    for line in text.splitlines():
        m = LINE.fullmatch(line)
        t.check(m, f"{name}: not a log line: {line!r}")
        out += [m.groups()] if m else []
    return out


@test
def log_file(t):
    t.ids("sender.csv", range(40))
    t.ids("receiver.csv", range(20, 90))
    before = t.files()
    logs = {"sender": ["--log-file", "s.log"], "receiver": ["--log-file", "r.log", "-o", "out.csv", "-q"]}
    began = time.time()
    s, r = t.pair(**logs)
    t.good(s, r)
    t.clean(before, {"s.log", "r.log", "out.csv"})
    t.equal(r.err, "", "standard error with --quiet")
    for p, name in ((s, "s.log"), (r, "r.log")):
        t.equal(os.stat(t.path(name)).st_mode & 0o777, 0o600, f"mode of {name}")
        lines = log_of(t, name)
        t.equal({line[1] for line in lines}, {str(p.pid)}, "process id")
        t.equal(lines[0][2:4], ("-", "start"), "first line")
        t.check(re.fullmatch(r"command=match version=\d+\.\d+\.\d+.*", lines[0][4]), f"first line: {lines[0]}")
        t.equal((lines[-1][0], lines[-1][3:]), ("INFO", ("end", "status=0")), "last line")
        t.check(re.fullmatch(r"\d+", lines[-1][2]), "the last line has the run's number")
        t.equal([line[4] for line in lines if line[3] == "phase"][0], "reading", "first phase")
        t.check(any(line[3] == "message" and line[4].startswith("read ") for line in lines), f"{name} has what was read")
        t.check(any("of the ledger" in line[4] for line in lines), f"{name} has the result's lines")
    day = time.strftime("%Y-%m-%dT%H:", time.gmtime(began))
    t.check(t.read("s.log").decode().startswith(day) or time.gmtime(began).tm_min == 59, "times are UTC")
    # A second run appends; one that fails says why, with the same words as on standard error.
    s2 = t.spawn("sender", "connect", free_port(), "--log-file", "s.log", timeout="1s")
    s2.wait()
    t.failed(s2, 6)
    lines = [line for line in log_of(t, "s.log") if line[1] == str(s2.pid)]
    t.equal(lines[-1][0], "ERROR", "level of a failure")
    t.equal(lines[-1][4], "status=6", "last line of a failure")
    said = dict((line[3], line[4]) for line in lines if line[0] == "ERROR")
    t.check(f"tally: {said.get('message')}\n" in s2.err and f"hint: {said.get('hint')}\n" in s2.err, f"messages of the failure: {said}")
    t.check(not any("%" in line[4] or "[#" in line[4] for line in lines), "no progress in the log")


@test
def log_that_cannot_be(t):
    t.ids("sender.csv", range(9))
    os.mkdir(t.path("folder"))
    os.mkfifo(t.path("pipe"))
    t.write("real", "")
    os.symlink("real", t.path("link"))
    for name, status, text in (("no/where.log", 7, "no/where.log cannot be opened"), ("folder", 7, "folder is not a regular file"),
                               ("pipe", 7, "pipe is not a regular file"), ("link", 7, "link is not a regular file"),
                               ("/dev/full", 7, "not a regular file"), ("-", 1, "--log-file needs the name of a file"),
                               ("sender.csv", 1, "--input and --log-file are the same file")):
        p = t.spawn("sender", "connect", free_port(), "--log-file", name, timeout="2s")
        p.wait()
        t.failed(p, status, text, hint=True)
    t.equal(t.read("real"), b"", "what a link points to")
    # By the settings too, where the list must not be meant either.
    for path, status in ((t.path("set.log"), 6), (t.path("sender.csv"), 1)):
        t.write("home/settings.yaml", f"log-file: {path}\n")
        p = t.spawn("sender", "connect", free_port(), timeout="1s")
        p.wait()
        t.failed(p, status)
    t.equal(log_of(t, "set.log")[-1][4], "status=6", "log of the settings")


@test
def log_rotated(t):
    """Renamed while a run waits, as logrotate does it: what follows is in a new file, and nothing is lost."""
    t.ids("sender.csv", range(9))
    port = free_port()
    p = t.spawn("sender", "listen", port, "--log-file", "a.log", timeout="30s")
    if not wait_until(lambda: port in listeners(), 10):
        t.stop("the listener did not open its port")
    wait_until(lambda: b"event=phase waiting" in t.read("a.log"), 5)
    os.rename(t.path("a.log"), t.path("a.log.1"))
    p.signal(15)
    p.wait()
    t.failed(p, 9)
    old, new = log_of(t, "a.log.1"), log_of(t)
    t.equal([line[3] for line in old if line[3] in ("start", "end")], ["start"], "the renamed file")
    t.equal(new[-1][3:], ("end", "status=9"), "the new file")
    t.equal(os.stat(t.path("a.log")).st_mode & 0o777, 0o600, "mode of the new file")


@test
def log_full(t):
    """A log that takes no more is said once; the run goes on."""
    t.ids("sender.csv", range(9))
    t.ids("receiver.csv", range(9))
    t.write("a.log", "x" * (256 << 10))
    limit = ("sh", "-c", 'trap "" XFSZ; ulimit -f 256; exec "$@"', "sh")
    s, r = t.pair(sender=["--log-file", "a.log"], s={"wrap": limit})
    t.good(s, r)
    t.equal(len(re.findall("a.log is not complete", s.err)), 1, "warnings of a full log")


@test
def log_of_serve(t):
    s = Serving(t, start=False)
    s.start("--log-file", "a.log")
    s.good(s.peer(s.a, "1.csv"), "1.csv", s.want)
    t.check(wait_until(lambda: b"event=done" in t.read("a.log"), 5), "the run is in the log")
    os.rename(t.path("a.log"), t.path("a.log.1"))
    os.unlink(t.path("sender.csv"))
    t.check(s.peer(s.a, "2.csv").status != 0, "a run without its list")
    t.check(wait_until(lambda: os.path.exists(t.path("a.log")) and b"event=failed" in t.read("a.log"), 5), "the failure is in the new file")
    s.stop()
    old, new = log_of(t, "a.log.1"), log_of(t)
    t.equal(old[0][3:], ("start", f"command=serve version={re.search(r'version=(.+)', old[0][4])[1]}"), "first line")
    done = [line for line in old if "event=done" in line[4]]
    t.equal([(line[0], line[2]) for line in done], [("INFO", "1")], "the run that was done, with its number")
    t.equal([line[0] for line in new if "event=failed" in line[4]], ["WARNING"], "level of a run that failed")
    t.equal(new[-1][3:], ("end", "status=0"), "the last line")
    t.failed(t.run("serve", "--config", "serve.yaml", "--log-file", "serve.yaml", home=s.home), 1, "the log serve.yaml is the configuration", hint=True)


JOURNAL = """import os, sys
s = os.fstat(2)
os.environ["JOURNAL_STREAM"] = sys.argv[1] if sys.argv[1] != "-" else f"{s.st_dev}:{s.st_ino}"
os.execvp(sys.argv[2], sys.argv[2:])"""


@test
def journal(t):
    t.ids("sender.csv", range(40))
    for stream in ("-", "1:1"):
        p = t.spawn("sender", "connect", free_port(), timeout="1s", wrap=("python3", "-c", JOURNAL, stream))
        p.wait()
        t.equal(p.status, 6, "status")
        lines = p.err.splitlines()
        if stream == "-":
            t.check(all(re.match(r"<[346]>", line) for line in lines), f"levels: {lines}")
            t.check(any(line.startswith("<6>read 40 rows") for line in lines), f"information: {lines}")
            t.equal([line[:3] for line in lines[-3:] if "hint" in line], ["<3>"], "level of the hint of an error")
            t.check(not any("tally:" in line for line in lines), "no prefix: the journal has the program's name")
        else:
            t.check(not any(line.startswith("<") for line in lines), "another stream is no journal")


@test
def memory_of_keys(t):
    """Locked where it may be, never dumped; and where it may not be, a run goes on as ever."""
    t.ids("sender.csv", range(9))
    t.ids("receiver.csv", range(9))
    port = free_port()
    p = t.spawn("sender", "listen", port, timeout="30s")
    if not wait_until(lambda: port in listeners(), 10):
        t.stop("the listener did not open its port")
    with open(f"/proc/{p.pid}/status") as f:
        locked = int(re.search(r"VmLck:\s+(\d+) kB", f.read())[1])
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] >= 1 << 20:
        t.check(locked >= 1024, f"{locked} kB are locked")
    with open(f"/proc/{p.pid}/limits") as f:
        t.check(re.search(r"Max core file size +0 +0 ", f.read()), "a core dump is possible")
    p.kill()
    s, r = t.pair(receiver=["-o", "out.csv"], s={"wrap": ("sh", "-c", 'ulimit -l 0; exec "$@"', "sh")})
    t.good(s, r)


@test
def not_dumpable(t):
    """PR_GET_DUMPABLE shows in who owns /proc/PID: the superuser, although another user runs it."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs the superuser and setpriv")
    copy = t.path("tally")
    shutil.copy(t.tally, copy)
    os.chmod(copy, 0o755)
    for d in (t.dir, os.path.dirname(t.dir)):
        os.chmod(d, 0o755)
    t.ids("sender.csv", range(9))
    os.chmod(t.path("sender.csv"), 0o644)
    shutil.copytree(t.home, t.path("theirs"))
    subprocess.run(["chown", "-R", "65534", t.path("theirs")], check=True)
    as_nobody = ("setpriv", "--reuid=65534", "--clear-groups")
    # What the same user's programs get without it, to know that the test sees a difference.
    plain = subprocess.Popen([*as_nobody, "sleep", "30"])
    wait_until(lambda: os.stat(f"/proc/{plain.pid}/mem").st_uid == 65534, 5)
    p = t.spawn("sender", "listen", free_port(), timeout="20s", home=t.path("theirs"), wrap=(*as_nobody,))
    t.check(p.wait_for("waiting for", 10), f"does not wait: {p.last()}")
    t.equal((os.stat(f"/proc/{plain.pid}/mem").st_uid, os.stat(f"/proc/{p.pid}/mem").st_uid), (65534, 0), "owners of the memory of sleep and of tally")
    p.kill()
    plain.kill()
    plain.wait()


def installed(t):
    """1 if the command was installed; check-long runs it where it was built."""
    return os.path.isdir(os.path.join(os.path.dirname(os.path.dirname(t.tally)), "share"))


# ---- Completions ---------------------------------------------------------------------------------------------------------

BASH = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tally 2>&1; printf '%s\\n' "${COMPREPLY[@]}\""""
# zsh completes on a terminal only: its two builtins are played here.
ZSH = """compset() { : }; compadd() { [[ $1 != -S ]] || shift 2; shift; print -l -- $@ }; _files() { print FILES }
file=$1; shift; words=($@); [[ $words[-1] != '' ]] || :; words=("$@"); CURRENT=$#; source $file"""


def completer(t, shell):
    """words -> what is offered behind them; the last one is the beginning of what is looked for."""
    share = os.path.join(os.path.dirname(os.path.dirname(t.tally)), "share")
    file = os.path.join(share, *{"bash": ("bash-completion", "completions", "tally"), "zsh": ("zsh", "site-functions", "_tally")}[shell])
    environment = os.environ | {"TALLY_HOME": t.home, "LC_ALL": "C.UTF-8"}

    def offered(*words):
        script = ["bash", "--norc", "-c", BASH, "bash"] if shell == "bash" else ["zsh", "-f", "-c", ZSH, "zsh"]
        done = subprocess.run([*script, file, t.tally, *words], capture_output=True, text=True, cwd=t.dir, env=environment)
        t.equal(done.stderr, "", f"{shell}: {words}")
        return [x for x in done.stdout.split("\n") if x]
    return offered


def completes(t, shell):
    if not shutil.which(shell) or not installed(t):
        raise Skip(f"no {shell} here, or nothing installed")
    offered = completer(t, shell)
    helped = lambda *words: t.run(*words, "--help").out.decode()
    commands = re.findall(r"^  ([a-z]+) ", helped().split("commands:\n")[1].split("\n\n")[0], re.M)
    t.check(len(commands) >= 9, f"commands: {commands}")
    t.equal(sorted(set(commands)), sorted(set(offered(""))), f"{shell}: commands")
    for command in commands:
        if command == "help":
            continue
        text = helped(command)
        actions = re.findall(rf"^(?:usage:|      ) tally {command} ([a-z][a-z-]*)", text, re.M)
        if actions:
            t.equal(sorted(set(actions)), sorted(set(offered(command, ""))), f"{shell}: actions of {command}")
        for words in [(command, a) for a in dict.fromkeys(actions)] or [(command,)]:
            text = helped(*words)
            # Every option in its own line or in the usage; not those that a sentence mentions.
            usage, _, rest = text.partition("\n\n")
            lines = usage.split("\n") + [x for x in rest.split("\n") if re.match(r" +(-\w, )?--", x)]
            options = {o for x in lines for o in re.findall(r"(?<![\w-])--[a-z][a-z-]*", x)} | set(re.findall(r"^ +(-\w), --", rest, re.M))
            t.check(options, f"{words} has options")
            missing = options - set(offered(*words, "-"))
            t.check(not missing, f"{shell}: {words} does not know {sorted(missing)}")
    for option, values in (("--role", {"receiver", "sender"}), ("--protocol", {"auto", "ecdh", "vole"}), ("--reveal-to", {"receiver", "sender", "both"}),
                           ("--security", {"semi-honest", "malicious"}), ("--identity", {"agency", "bank"}), ("--encoding", {"utf-8", "gb18030"}),
                           ("--peer", {"sha256:"})):
        got = set(offered("match", option, ""))
        t.check(values <= got, f"{shell}: {option}: {got}")
    t.check({"sum", "max", "refuse"} <= set(offered("sum", "--role", "sender", "--duplicates", "")), f"{shell}: --duplicates")
    t.check({"agency", "bank"} <= set(offered("identity", "show", "")), f"{shell}: identities")
    t.write("a list.csv", "")
    for words in (("match", "--input", "a"), ("match", "-i", "a"), ("match", "--log-file", "a"), ("ledger", "backup", "a"), ("agreement", "check", "a"), ("ledger", "report", "1", "-o", "a")):
        t.equal(offered(*words), ["a list.csv"] if shell == "bash" else ["FILES"], f"{shell}: files behind {words}")
    t.check("exit-status" in offered("help", ""), f"{shell}: help topics")
    t.check("--lang" in offered("-"), f"{shell}: options before the command")
    t.equal(offered("--lang", ""), ["en", "zh_CN"], f"{shell}: languages")
    t.check({"en", "zh_CN"} <= set(offered("--lang", "=", "") if shell == "bash" else offered("--lang=")), f"{shell}: languages behind =")
    t.equal(sorted(offered("--lang", "zh_CN", "")), sorted(offered("")), f"{shell}: commands behind --lang")
    t.equal(offered("--lang", "zh_CN", "match", "--role", "r" if shell == "bash" else ""), ["receiver"] if shell == "bash" else ["receiver", "sender"], f"{shell}: a value behind --lang")
    if shell == "bash":
        t.equal(offered("match", "--role", "=", "se"), ["sender"], "behind =")
        t.equal(offered("match", "--key", "id", ":", "cn-u"), ["cn-uscc"], "profiles")
        t.equal(offered("match", "--ro"), ["--role", "--rows-per-person"], "the beginning of an option")
    else:
        t.check("cn-uscc" in offered("match", "--key", "id:"), "profiles")


@test
def completion_in_bash(t):
    completes(t, "bash")


@test
def completion_in_zsh(t):
    completes(t, "zsh")


# ---- Units, uninstalling -------------------------------------------------------------------------------------------------

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXPOSURE = 15  # tenths, of systemd-analyze security; docs/operations.md says it


@test
def units(t):
    """Those installed are valid, name the installed command, and leave a service little to do harm with."""
    if not shutil.which("systemd-analyze") or not installed(t):
        raise Skip("no systemd-analyze here, or nothing installed")
    folder = os.path.join(os.path.dirname(os.path.dirname(t.tally)), "lib", "systemd", "system")
    names = sorted(os.listdir(folder))
    t.equal(names, ["tally-serve.service", "tally@.service", "tally@.timer"], "units")
    for name in names:
        shutil.copy(os.path.join(folder, name), t.dir)
        if name.endswith(".service"):
            text = t.read(name).decode()
            t.check(f"ExecStart={t.tally} " in text, f"{name} starts another command")
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "./" + name], capture_output=True, text=True, cwd=t.dir, env=os.environ | {"SYSTEMD_COLORS": "0"})
            t.equal(done.returncode, 0, f"exposure of {name}: {done.stdout[-200:]}{done.stderr}")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "./" + name], capture_output=True, text=True, cwd=t.dir, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{t.dir}:"})
        t.equal((done.returncode, done.stdout + done.stderr), (0, ""), f"verify {name}")
    sysusers = os.path.join(folder, "..", "..", "sysusers.d", "tally.conf")
    if shutil.which("systemd-sysusers"):
        done = subprocess.run(["systemd-sysusers", "--dry-run", sysusers], capture_output=True, text=True)
        t.equal(done.returncode, 0, f"sysusers: {done.stderr}")


@test
def uninstall_keeps_data(t):
    """What make install put there goes; keys, settings, ledgers and logs stay, and it says where."""
    stage = t.path("stage")
    where = ["PREFIX=/usr", f"DESTDIR={stage}"]
    make = lambda target, *more: subprocess.run(["make", "-s", "--no-print-directory", "-C", TOP, target, *where, *more], capture_output=True, text=True,
                                                env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "TALLY"))})
    for d in ("etc/tally/bank-id", "var/lib/tally/ledger"):
        os.makedirs(os.path.join(stage, d))
    kept = ["etc/tally/settings.yaml", "etc/tally/bank-id/key.pem", "var/lib/tally/ledger/ledger.db"]
    for name in kept:
        t.write(f"stage/{name}", "x")
    done = make("install")
    t.equal(done.returncode, 0, f"make install: {done.stderr[-300:]}")
    t.check(os.access(os.path.join(stage, "usr/bin/tally"), os.X_OK), "it is installed")
    done = make("uninstall")
    t.equal(done.returncode, 0, f"make uninstall: {done.stderr[-300:]}")
    left = sorted(os.path.relpath(os.path.join(d, f), stage) for d, _, names in os.walk(stage) for f in names)
    t.equal(left, sorted(kept), "what is left")
    for d in ("/etc/tally", "/var/lib/tally", "~/.config/tally"):
        t.check(d in done.stdout, f"says that {d} is kept: {done.stdout[-300:]}")
