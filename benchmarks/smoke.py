# SPDX-License-Identifier: Apache-2.0
"""Small runs of two real parties over loopback: right answers, and to the byte what the protocol pages say is sent.

usage: smoke.py [--only NAME] [-v] TALLY. The figures and their formulas are in benchmarks/bytes.txt. What `tally estimate` predicts must be the
same bytes. Run by `make bench-smoke`; no clock has a say in it.
"""
import argparse
import ast
import functools
import json
import operator
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "commands"))
import harness  # noqa: E402
import people  # noqa: E402

FIGURES = os.path.join(HERE, "bytes.txt")
SIDES = ("receiver", "sender")
VALUE = "amount:0..1000000"

# Receiver's and sender's persons; the lists overlap in the middle.
SMALL, LARGE = (256, 300), (4096, 4500)
# name: command, sizes, options of both sides, of the sender, terms as the summary has them
RUNS = {
    "match-vole": ("match", LARGE, ["--protocol", "vole"], [], {}),
    "match-vole-both": ("match", LARGE, ["--protocol", "vole", "--reveal-to", "both"], [], {}),
    "match-ecdh": ("match", LARGE, ["--protocol", "ecdh"], [], {}),
    "match-ecdh-malicious": ("match", SMALL, ["--security", "malicious"], [], {}),
    "count": ("count", LARGE, [], [], {}),
    "count-minimum": ("count", LARGE, ["--min-overlap", "100"], [], {}),
    "sum-rlwe": ("sum", LARGE, [], ["--scheme", "rlwe", "--value", VALUE], {"scheme": "rlwe"}),
    "sum-paillier": ("sum", SMALL, [], ["--scheme", "paillier", "--value", VALUE], {"scheme": "paillier"}),
}

# A machine on which nothing takes time: bytes are predicted from the sizes alone, so this saves measuring the real one.
NO_COST = {side: {"fixed": 0, "own": 0, "peer": 0} for side in SIDES}
WORKS = ("ecdh", "ecdh malicious", "vole 4", "vole 6", "count", "sum by rlwe", "sum by paillier")
CALIBRATION = {
    "format": "tally-calibration-1", "measured": 0, "processor": "none", "processors": 1, "backends": {}, "lines": [],
    "work": {work: NO_COST for work in WORKS}, "all_processors": {"speedup": 1}, "bytes": {"process": 0, "session": 0},
    "seconds": {name: 0 for name in ("start", "sync", "row", "byte_of_row", "number", "byte_on_link")},
}

OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul}


def evaluate(formula):
    """A sum of products of whole numbers."""
    def value(node):
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        raise ValueError("only whole numbers, +, * and brackets can stand there")
    return value(ast.parse(formula.strip(), mode="eval").body)


def read_figures(path):
    """{(run, side): bytes it sends}, each the value of the formula that stands beside it."""
    figures = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not (text := line.split("#")[0].strip()):
                continue
            parts = re.fullmatch(r"(\S+) +(receiver|sender) +(\d+) = (.+)", text)
            if not parts:
                raise SystemExit(f"smoke: {path}:{number}: not 'RUN receiver|sender BYTES = FORMULA'")
            run, side, figure, formula = parts.groups()
            try:
                result = evaluate(formula)
            except (SyntaxError, ValueError) as e:
                raise SystemExit(f"smoke: {path}:{number}: {formula}: {e}") from e
            if result != int(figure):
                raise SystemExit(f"smoke: {path}:{number}: the formula gives {result}, beside it stands {figure}")
            if run not in RUNS or (run, side) in figures:
                raise SystemExit(f"smoke: {path}:{number}: {'there is no such run' if run not in RUNS else 'stands there twice'}: {run} {side}")
            figures[run, side] = int(figure)
    return figures


def amount(i):
    return i * 7919 % 1000001


def write_lists(t, sizes):
    """A tenth of the shorter list is on both. Returns these persons."""
    mine, theirs = sizes
    first = mine - min(sizes) // 10
    t.ids("receiver.csv", range(mine))
    ids = {i: people.resident(i) for i in range(first, first + theirs)}
    t.write("sender.csv", "id_number,amount\n" + "".join(f"{x},{amount(i)}\n" for i, x in ids.items()), set(ids.values()))
    return range(first, mine)


def check_join(t, side, other):
    t.equal(t.read(f"{side}-out.csv"), people.join(t.read(f"{side}.csv"), t.read(f"{other}.csv")), f"output of the {side} against a plain join")


def check_figures(t, command, receiver, overlap):
    answer = json.loads(receiver.out)
    t.equal(answer["count"], len(overlap), "the count")
    if command == "sum":
        t.equal([int(v["sum"]) for v in answer["values"]], [sum(map(amount, overlap))], "the sum")


def check_bytes(t, run, sent, received, figures):
    for side, other in (SIDES, SIDES[::-1]):
        t.equal(sent[side], figures.get((run, side)), f"protocol bytes that the {side} sent, against benchmarks/bytes.txt (where a change on purpose goes)")
        t.equal(received[other], sent[side], f"protocol bytes that the {other} received, against those sent")


def check_estimate(t, command, sizes, terms, options, sent, received):
    """What `tally estimate` predicts of this run."""
    t.write("calibration.json", json.dumps(CALIBRATION))
    given = [*options, "--protocol", terms["protocol"]] if command == "match" and "--protocol" not in options else options
    p = t.run("estimate", "--json", "--role", "receiver", "--function", command, "--mine", sizes[0], "--theirs", sizes[1],
              "--same-machine", "--calibration", "calibration.json", *given)
    if p.status != 0:
        t.stop(f"estimate ended with {p.status}: {p.last()}")
    rows = json.loads(p.out)["protocols"]
    if not t.equal(len(rows), 1, "protocols that estimate tells of"):
        return
    for side in SIDES:
        for figure, real in (("protocol_sent_bytes", sent), ("protocol_received_bytes", received)):
            t.equal(rows[0][side][figure], real[side], f"{figure} of the {side} that estimate predicts, against the run")


def smoke(run, figures, t):
    command, sizes, both, sender_options, wanted = RUNS[run]
    overlap = write_lists(t, sizes)
    writers = () if command != "match" else SIDES if "both" in both else ("receiver",)
    output = {side: ["--output", f"{side}-out.csv"] if side in writers else ["--json"] for side in SIDES}
    sender, receiver = t.pair(command=command, timeout="30s", both=both, sender=[*sender_options, *output["sender"], "--summary", "sender.json"],
                              receiver=[*output["receiver"], "--summary", "receiver.json"])
    if not t.good(sender, receiver):
        return
    for side in writers:
        check_join(t, side, SIDES[side == "receiver"])
    if not writers:
        check_figures(t, command, receiver, overlap)
    summaries = {side: json.loads(t.read(f"{side}.json")) for side in SIDES}
    sent, received = ({side: s["bytes"][f"protocol_{way}"] for side, s in summaries.items()} for way in ("sent", "received"))
    check_bytes(t, run, sent, received, figures)
    terms = summaries["receiver"]["terms"]
    for name, value in wanted.items():
        t.equal(terms[name], value, name)
    check_estimate(t, command, sizes, terms, [*both, *sender_options], sent, received)


def main():
    p = argparse.ArgumentParser(description="Small runs between two parties: answers, and bytes against benchmarks/bytes.txt.")
    p.add_argument("--only", help="runs whose name holds this")
    p.add_argument("-v", "--verbose", action="store_true", help="a line for every run")
    p.add_argument("tally", help="the command to test")
    o = p.parse_args()
    if not os.access(o.tally, os.X_OK):
        raise SystemExit(f"smoke: {o.tally} is no program: build it with 'make all'")
    figures = read_figures(FIGURES)
    harness.TESTS[:] = [(f"smoke.{run}", functools.partial(smoke, run, figures), False) for run in RUNS]
    passed, failed = harness.run_all(os.path.abspath(o.tally), o.only, verbose=o.verbose)
    print(f"{'bench-smoke: bytes':<24} {passed + failed} runs, {failed} failed; against benchmarks/bytes.txt and tally estimate")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a", encoding="utf-8") as f:
            f.write(f"bench-smoke-bytes {passed} {failed}\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
