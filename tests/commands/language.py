# SPDX-License-Identifier: Apache-2.0
"""Simplified Chinese: messages, help, whole runs and tables; what a program reads and what is recorded stays English."""
import json
import os
import re
import shutil

from harness import test

ZH = {"LC_ALL": "zh_CN.UTF-8"}
HAN = r"[\u4e00-\u9fff]"


def width(text):
    import unicodedata
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@test
def which_language(t):
    for env, chinese in ((ZH, 1), ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, 1), ({"LC_ALL": "", "LANG": "zh_CN"}, 1),
                         ({"LC_ALL": "", "LC_MESSAGES": "zh_CN.utf8", "LANG": "C"}, 1), ({"LC_ALL": "en_US.UTF-8", "LANGUAGE": "zh_CN"}, 1),
                         ({"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, 1), ({"LC_ALL": "zh_CN.UTF-8", "LANGUAGE": "en:zh_CN"}, 0),
                         ({"LC_ALL": "C", "LANGUAGE": "zh_CN"}, 0), ({"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN"}, 0), ({"LC_ALL": "zh_CN.GB18030"}, 0),
                         ({"LC_ALL": "../../zh_CN.UTF-8"}, 0), ({"LC_ALL": "", "LANG": ""}, 0), ({"LC_ALL": "zh_TW.UTF-8"}, 0)):
        p = t.run("mach", env=env)
        t.equal(p.status, 1, "an unknown command")
        want = "tally: 未知命令 mach\n提示: 您是否想写 match？\n" if chinese else "tally: unknown command mach\nhint: did you mean match?\n"
        t.equal(p.err, want, f"messages with {env}")
    t.equal(t.run("--lang", "zh_CN", "mach").err.split()[1], "未知命令", "--lang zh_CN")
    t.equal(t.run("--lang", "en", "mach", env=ZH).err.split()[1], "unknown", "--lang en")
    t.failed(t.run("--lang", "xx", "version"), 1, "no messages in the language xx", hint=True)
    t.failed(t.run("--lang"), 1, "--lang needs a value", hint=True)


@test
def help_in_chinese(t):
    english = t.run("help")
    names = re.findall(r"^  ([a-z]+) ", english.out.decode(), re.M)
    for name in ["", "exit-status", *dict.fromkeys(n for n in names if n != "tally" and n != "help")]:
        p = t.run("help", *([name] if name else []), env=ZH)
        text = p.out.decode()
        t.equal((p.status, p.err), (0, ""), f"help {name}")
        t.check(re.search(HAN, text), f"help {name} is not in Chinese: {text[:80]}")
        for line in text.splitlines():
            t.check(width(line) <= 80, f"help {name}: more than 80 columns: {line}")
        for option in re.findall(r"^ +(?:-., )?(--[a-z-]+)", t.run("help", *([name] if name else [])).out.decode(), re.M):
            t.check(option in text, f"help {name}: {option} is not in it")


@test
def a_run(t):
    t.ids("sender.csv", range(0, 60))
    t.ids("receiver.csv", range(40, 120))
    homes = {}
    for role in ("sender", "receiver"):
        homes[role] = os.path.join(t.dir, role)
        shutil.copytree(t.home, homes[role])
    s, r = t.pair(receiver=["--output", "out.csv", "--summary", "r.json"], s={"home": homes["sender"], "env": ZH}, r={"home": homes["receiver"], "env": ZH})
    t.good(s, r)
    t.check("tally: 80 个标识中有 20 个重合，共 20 行，已写入 out.csv\n" in r.err, f"the result: {r.err}")
    t.check("本方获知了自己的 80 个标识中哪些在对方名单中（20 个）" in r.err, f"what was learned: {r.err}")
    for line in (s.err + r.err).splitlines():
        t.check(re.search(HAN, line), f"a line that is not in Chinese: {line}")
    # Recorded and read by programs: English.
    summary = json.loads(t.read("r.json"))
    t.check(summary["learned"].startswith("This side learned which of its 80 identifiers"), f"the summary: {summary['learned']}")
    for role in homes:
        record = t.run("ledger", "show", "1", "--json", home=homes[role], env=ZH).out.decode()
        t.check(not re.search(HAN, record), f"the record of a run has Chinese: {record}")
    t.check("获知内容：This side learned" in t.run("ledger", "show", "1", home=homes["receiver"], env=ZH).out.decode(), "what is recorded is shown as it is")
    table = t.run("ledger", "list", home=homes["receiver"], env=ZH).out.decode().splitlines()
    t.equal(len({width(line[:re.search("已披露|是$", line).start()]) for line in table}), 1, f"the columns of the list: {table}")
    t.check("试运行" in table[1] and "已完成" in table[1], f"a row of the list: {table[1]}")


@test
def a_refusal(t):
    t.ids("sender.csv", range(0, 20))
    t.ids("receiver.csv", range(10, 40))
    s, r = t.pair(both=["--min-overlap", "11"], command="count", s={"env": ZH}, sender=["--summary", "s.json"])
    t.check(s.status == 4 and "重合数低于约定的最小值 11 个标识" in s.err and "\n提示: " in s.err, f"the side that refuses: {s.last()}")
    t.failed(r, 6, "the other side ended the run: it could not go on")
    outcome = json.loads(t.read("s.json"))["outcome"]
    t.check(outcome["message"].startswith("the overlap is below the agreed minimum of 11"), f"the message that is recorded: {outcome}")


@test
def figures(t):
    t.write("sender.csv", "id_number,金额,x\na,1.50,1\nb,2.25,2\nc,4.00,3\n")
    t.write("receiver.csv", "id_number\na\nb\nc\n")
    s, r = t.pair(sender=["--value", "金额:0..100@2", "--value", "x:0..9"], command="sum", key="id_number", s={"env": ZH}, r={"env": ZH})
    if t.good(s, r):
        lines = r.out.decode().splitlines()
        t.check(lines[0].startswith("数量  3"), f"figures: {lines}")
        t.equal(len({width(line) for line in lines[2:5]}), 1, f"the columns of the figures: {lines}")
        t.check("总和" in lines[2] and "方差" in lines[2], f"head of the figures: {lines}")
    plain = t.run("agreement", "init", env=ZH).out
    t.equal(plain, t.run("agreement", "init").out, "an agreement to fill in, in another language")


@test
def words_inside(t):
    """What a message takes in from elsewhere: terms that differ, steps of a ping, reasons of rejects."""
    t.ids("sender.csv", range(0, 20))
    t.write("receiver.csv", "id_number\n" + "1.1E+17\n" * 3)
    s, r = t.pair(receiver=["--reveal-to", "both", "--want", "x", "--output", "o.csv", "--key", "id_number"], r={"env": ZH, "input": "sender.csv"})
    t.failed(s, 2, "the terms of the run differ: reveal-to: here receiver, there both; key 2: here none, there exact; columns: here none offered, there x wanted")
    t.check(r.status == 2 and "双方的运行条件不同：reveal-to：本方 both，对方 receiver；第 2 个标识列：本方 exact，对方 无；列：本方 索要 x，对方 提供 无\n" in r.err,
            f"terms that differ: {r.err}")
    p = t.run("check", "--input", "receiver.csv", "--key", "id_number:cn-resident-id", env=ZH)
    t.check("主要原因：科学计数法" in p.err, f"a reason: {p.err}")
    for line in p.out.decode().splitlines():
        t.check(width(line) <= 80 or not line.startswith("    "), f"a finding is too wide: {line}")
    for more in ((), ("--json",)):
        p = t.run("ping", "--connect", "127.0.0.1:1", "--timeout", "1s", "--identity", "bank", "--peer", t.pins["agency"], *more, env=ZH)
        t.equal(p.status, 6, "nobody is there")
        if more:
            steps = json.loads(p.out)["steps"]
            t.equal([(x["step"], x["state"]) for x in steps], [("resolve", "ok"), ("connect", "failed")], "steps as JSON")
            t.check(not re.search(HAN, p.out.decode()), f"JSON has Chinese: {p.out.decode()}")
        else:
            lines = p.out.decode().splitlines()
            t.check(lines[0].startswith("域名          正常     ") and lines[1].startswith("连接          失败     无法连接到"), f"steps: {lines}")


@test
def damaged_catalogues(t):
    """Whatever the file holds, texts are English then and nothing ends early."""
    root = t.path("moved")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(t.tally, os.path.join(root, "bin/tally"))
    mo = os.path.join(root, "share/locale/zh_CN/LC_MESSAGES/tally.mo")
    os.makedirs(os.path.dirname(mo))
    with open(os.path.join(os.path.dirname(t.tally), "../share/locale/zh_CN/LC_MESSAGES/tally.mo"), "rb") as f:
        good = f.read()
    was, t.tally = t.tally, os.path.join(root, "bin/tally")
    for name, data, said in (("whole", good, "未知命令"), ("none", None, "unknown"), ("empty", b"", "unknown"), ("short", good[:100], None),
                             ("half", good[:len(good) // 2], None), ("zeros", bytes(len(good)), "unknown"), ("other formats", good.replace("未知命令 %s".encode(), "未知 %n %s  ".encode()), "unknown")):
        if data is None:
            os.remove(mo)
        else:
            with open(mo, "wb") as f:
                f.write(data)
        p = t.run("mach", env=ZH)
        t.equal(p.status, 1, f"with a catalogue that is {name}")
        t.check(said is None or said in p.err, f"with a catalogue that is {name}: {p.err!r}")
    t.tally = was
