# SPDX-License-Identifier: Apache-2.0
"""tally estimate: measures once, answers for every protocol, refuses with reasons; bytes foreseen are the bytes of a run."""
import json
import os
import stat
import time

import people
from harness import Party, test

SLOW_S = 240  # measuring takes 20 s alone on a machine, and it seldom is
WORKS = ("ecdh", "ecdh malicious", "vole 4", "vole 6", "count", "sum by rlwe", "sum by paillier")
PEER = "sha256:" + "ab" * 32


def made_up():
    """A calibration of a machine that is none, with a line to one peer (docs/sizing.md)."""
    cost = {"fixed": 0.001, "own": 2e-5, "peer": 1e-5}
    return {
        "format": "tally-calibration-1", "measured": 1790000000, "processor": "made up", "processors": 2, "backends": {"group": "none"},
        "work": {work: {"receiver": cost, "sender": cost} for work in WORKS},
        "lines": [{"peer": PEER, "sent_bits_per_second": 1e7, "received_bits_per_second": 2e7, "round_trip_seconds": 0.04, "measured": 1790000000}],
        "seconds": {"start": 0.01, "sync": 0.002, "row": 1e-6, "byte_of_row": 1e-9, "number": 1e-7, "byte_on_link": 1e-9},
        "all_processors": {"speedup": 1.9}, "bytes": {"process": 8e6, "session": 4000}}


def write_made_up(t, name="made.json"):
    t.write(name, json.dumps(made_up()))
    return name


def slowly(t, *args, **more):
    p = Party(t, "estimate", *args, **more)
    p.deadline = time.monotonic() + SLOW_S
    p.wait(SLOW_S)
    return p


def ask(t, *args, mine=1000, theirs=900, calibration="made.json"):
    """The answer as JSON, None if there is none."""
    p = t.run("estimate", "--mine", mine, "--theirs", theirs, "--calibration", calibration, "--json", *args)
    if t.check(p.status == 0, f"estimate {args} ended with {p.status}: {p.last()}"):
        t.equal(p.err, "", f"messages of estimate {args}")
        return json.loads(p.out)
    return None


@test
def help_and_misuse(t):
    p = t.run("estimate", "--help")
    t.equal((p.status, p.err), (0, ""), "status and messages of --help")
    for word in ("--mine", "--theirs", "--link", "--calibrate", "--columns", "examples:"):
        t.check(word.encode() in p.out, f"--help does not have {word}")
    made = ["--calibration", write_made_up(t)]
    sizes = ["--mine", "5", "--theirs", "6"]
    before = t.files()
    for args, text, hint in (
            ([], "the sizes of the lists are missing", "--mine 10M --theirs 8M"),
            (["--mine", "5"], "the sizes of the lists are missing", "--theirs"),
            (["--mine", "5", "--theirs", "x"], '--theirs: "x" is not a count', "2\\^20"),
            (["--mine", "-1", "--theirs", "5"], '--mine: "-1" is not a count', "10M"),
            (["--mine", "2^31", "--theirs", "5"], "--mine: 2\\^31 is not between 0 and 1073741824", None),
            ([*sizes, "--link", "100,30ms"], '--link: "100,30ms" is not a rate', "--link 100mbit,30ms"),
            ([*sizes, "--link", "100mbit,30"], '--link: "100mbit,30" is not a rate', "ms"),
            ([*sizes, "--link", "0mbit,1ms"], "--link:", "kbit, mbit or gbit"),
            ([*sizes, "--link", "-5mbit"], "--link:", "kbit"),
            ([*sizes, "--link", "nanmbit,1ms"], "--link:", "kbit"),
            ([*sizes, "--link", "999999999999gbit,1ms"], "--link:", "kbit"),
            ([*sizes, "--link", "1mbit,61s"], "--link:", "round trip"),
            ([*sizes, "--link", "1mbit,1ms,2ms"], "--link:", "round trip"),
            ([*sizes, "--function", "join"], '--function is match, count or sum, not "join"', None),
            ([*sizes, "--function", "sum"], "a sum needs its values", "--columns 2"),
            ([*sizes, "--columns", "2"], "are for a sum", "--function sum"),
            ([*sizes, "--function", "sum", "--columns", "17"], "--columns: 17 is not between 1 and 16", None),
            ([*sizes, "--function", "sum", "--columns", "2", "--value", "a:0..5"], "both say what is added up", "--columns"),
            ([*sizes, "--function", "sum", "--value", "a:9..5"], "the range ends before it begins", "smaller end"),
            ([*sizes, "--function", "sum", "--columns", "1", "--security", "malicious"], "counts and sums hold against semi-honest peers only", "semi-honest"),
            ([*sizes, "--protocol", "vole", "--security", "malicious"], "vole is for semi-honest matches", "ecdh"),
            ([*sizes, "--function", "count", "--protocol", "vole"], "vole is for semi-honest matches", "ecdh"),
            ([*sizes, "--scheme", "rlwe"], "a scheme is for a sum", None),
            ([*sizes, "--min-overlap", "20"], "a minimum overlap is for counts and sums", "no columns"),
            (["--calibrate", "--mine", "5"], "--mine is for an estimate", "leave out"),
            (["--calibrate", "--peer", PEER], "--peer and --timeout are for measuring a line", "--listen"),
            ([*sizes, "--link", "1e-9kbit"], "--link:", "kbit"),
            ([*sizes, "--reveal-to", "sender"], "to the receiver or to both", None),
            ([*sizes, "--cores", "0"], "--cores: 0 is not between 1 and 256", None),
            ([*sizes, "--row-bytes", "0"], "--row-bytes: 0 is not between", None),
            ([*sizes, "--min-overlap", "1"], "--min-overlap: 1 is not between 2", None),
            ([*sizes, "--link", "1mbit", "--peer", PEER], "--link and --peer both", "leave one"),
            ([*sizes, "--peer", "sha256:" + "cd" * 32], "was not measured", "--calibrate"),
            ([*sizes, "--listen", "127.0.0.1:9"], "measure a line", "--calibrate"),
            (["--calibrate", "--listen", "127.0.0.1:9"], "measured with the peer", "--identity"),
            ([*sizes, "extra"], "unexpected argument extra", None),
            ([*sizes, "--mine", "6"], "--mine was given twice", None),
            (["--nonsense"], "unknown option --nonsense", "--help")):
        p = t.run("estimate", *args, *made)
        t.failed(p, 1, text, hint=hint is not None)
        t.check(hint is None or hint.replace("\\", "") in p.err, f"no hint {hint!r} in {p.last()}")
        t.equal(p.out, b"", f"standard output of a refused {args}")
    t.clean(before)


@test
def measures_once(t):
    home = t.path("fresh")
    kept = os.path.join(home, "calibration.json")
    p = slowly(t, "--mine", "10k", "--theirs", "2^14", home=home)
    if not t.check(p.status == 0, f"the first use ended with {p.status}: {p.last()}"):
        return
    t.check("measuring this machine" in p.err and kept in p.err, f"the first use does not say what it does: {p.last()}")
    t.equal(os.listdir(home), ["calibration.json"], "what the first use leaves in the home")
    t.equal(stat.S_IMODE(os.stat(kept).st_mode), 0o600, "mode of the calibration")
    with open(kept, "rb") as f:
        first = f.read()
    calibration = json.loads(first)
    t.equal((calibration["format"], calibration["lines"], set(calibration["work"])), ("tally-calibration-1", [], set(WORKS)), "what was measured")
    for word in (b"vole", b"ecdh", b"auto picks vole", b"where the time of vole goes", b"10,000 identifiers here, 16,384 there"):
        t.check(word in p.out, f"no {word!r} in {p.out[-1500:]!r}")
    q = t.run("estimate", "--mine", "10000", "--theirs", "16384", home=home)
    t.equal((q.status, q.err, q.out), (0, "", p.out), "the second use")
    t.check(q.seconds < 5, f"the second use took {q.seconds:.1f} s")
    with open(kept, "rb") as f:
        t.equal(f.read(), first, "the calibration after the second use")


@test
def calibrate_again(t):
    """Over a calibration that is there: measured anew, its lines kept, the home untouched."""
    write_made_up(t)
    before, began = t.files(), int(time.time())
    p = slowly(t, "--calibrate", "--json", "--calibration", "made.json")
    if not t.check(p.status == 0, f"--calibrate ended with {p.status}: {p.last()}"):
        return
    said = json.loads(p.out)
    t.equal(said, json.loads(t.read("made.json")), "what --calibrate prints and what it keeps")
    t.check(said["processor"] != "made up" and said["measured"] >= began, "the calibration is still the old one")
    t.equal([line["peer"] for line in said["lines"]], [PEER], "lines after the machine was measured again")
    t.equal(stat.S_IMODE(os.stat(t.path("made.json")).st_mode), 0o600, "mode of the calibration")
    t.clean(before)


@test
def every_protocol(t):
    write_made_up(t)
    before = t.files()
    columns = ["--function", "sum", "--columns", "2"]
    for args, want in (([], ["vole", "ecdh"]), (["--role", "sender", "--link", "100mbit,30ms"], ["vole", "ecdh"]),
                       (["--security", "malicious"], ["ecdh"]), (["--protocol", "vole", "--reveal-to", "both"], ["vole"]),
                       (["--function", "count", "--reveal-to", "sender", "--min-overlap", "10"], ["ecdh"]),
                       (columns, ["ecdh rlwe", "ecdh paillier"]), ([*columns, "--scheme", "paillier"], ["ecdh paillier"]),
                       (["--function", "sum", "--value", "amount:0..1e6@2", "--value", "n:-5..5"], ["ecdh rlwe", "ecdh paillier"])):
        answer = ask(t, *args)
        if answer is None:
            continue
        rows = answer["protocols"]
        t.equal([" ".join(filter(None, (r["protocol"], r["scheme"]))) for r in rows], want, f"protocols for {args}")
        for r in rows:
            wall = r["wall_seconds"]
            t.check(0 < wall["low"] <= wall["expected"] <= wall["high"], f"seconds for {args}: {wall}")
            t.check(abs(sum(s["seconds"] for s in r["stages"]) / wall["expected"] - 1) < 1e-3, f"stages for {args} do not add up to {wall}")
            t.check(min(r["receiver"].values()) >= 0 and r["receiver"]["sent_bytes"] == r["sender"]["received_bytes"], f"bytes for {args}: {r['receiver']}")
        p = t.run("estimate", "--mine", "1000", "--theirs", "900", *args, "--calibration", "made.json")
        t.check(p.status == 0 and b"auto picks" in p.out and b"here" in p.out, f"the table for {args}: {p.status}, {p.last()}")
    t.clean(before)


@test
def sizes_and_lines(t):
    write_made_up(t)
    for text, number in (("10M", 10_000_000), ("2^20", 1 << 20), ("250k", 250_000), ("1G", 1_000_000_000), ("0", 0)):
        t.equal(ask(t, mine=text, theirs=text)["protocols"], ask(t, mine=number, theirs=number)["protocols"], f"{text} and {number}")
    given, kept = ask(t, "--link", "10mbit,40ms"), ask(t, "--peer", PEER)
    t.equal(kept["line"], given["line"] | {"received_bits_per_second": 2e7}, "the line that was measured")
    seconds = {link: ask(t, "--link", link, mine="1M", theirs="1M")["protocols"][0]["wall_seconds"]["expected"]
               for link in ("1gbit,1ms", "100mbit,1ms", "100mbit,90ms", "10000kbit,1ms", "10mbit,1ms")}
    t.check(seconds["1gbit,1ms"] < seconds["100mbit,1ms"] < seconds["10mbit,1ms"] == seconds["10000kbit,1ms"], f"seconds by line: {seconds}")
    t.check(seconds["100mbit,1ms"] < seconds["100mbit,90ms"], f"seconds by round trip: {seconds}")
    p = t.run("estimate", "--mine", "1M", "--theirs", "1M", "--link", "1mbit", "--calibration", "made.json")
    t.check(b"Most of the time the line is what it waits for" in p.out, f"no advice on the line in {p.out[-600:]!r}")


@test
def other_calibrations(t):
    sizes = ["--mine", "5", "--theirs", "6"]
    t.failed(t.run("estimate", *sizes, "--calibration", "none.json"), 7, "cannot read the calibration none.json: No such file", hint=True)
    t.write("garbage.json", "{\"format\": \"tally-calibration-1\"")
    t.failed(t.run("estimate", *sizes, "--calibration", "garbage.json"), 3, "garbage.json is no calibration of this version", hint=True)
    home = t.path("home/calibration.json")
    for text in ("", "id\n1\n", json.dumps(made_up() | {"format": "tally-calibration-2"}), json.dumps(made_up() | {"processors": 0})):
        t.write("home/calibration.json", text)
        p = t.run("estimate", *sizes)
        t.failed(p, 3, f"{home} is no calibration of this version", hint=True)
        t.equal(t.read("home/calibration.json"), text.encode(), "a calibration that was not understood")
    os.remove(home)
    os.mkdir(home)
    t.failed(t.run("estimate", *sizes), (3, 7), "calibration", hint=True)
    os.rmdir(home)
    # Of another machine: said where it lies in the home, not where it was asked for.
    write_made_up(t, "home/calibration.json")
    p = t.run("estimate", *sizes, "--json")
    t.check(p.status == 0 and "measured with another processor" in p.err and "--calibrate" in p.err, f"another machine's calibration: {p.status}, {p.last()}")
    t.equal(json.loads(p.out)["calibration"]["fits_this_machine"], False, "fits_this_machine")
    p = t.run("estimate", *sizes, "--calibration", home)
    t.equal((p.status, p.err), (0, ""), "another machine's calibration that was asked for")


def check_bytes(t, command, options, estimate, sizes, both=(), sender=(), **more):
    """Both sides' summaries against what was foreseen for each."""
    s, r = t.pair(sender=["--summary", "s.json", *sender], receiver=["--summary", "r.json", *options], both=both, command=command, **more)
    if not t.good(s, r):
        return
    for side, name, mine, theirs in (("receiver", "r.json", *sizes), ("sender", "s.json", *reversed(sizes))):
        summary = json.loads(t.read(name))
        answer = ask(t, *estimate, "--role", side, mine=mine, theirs=theirs)
        row = next(x for x in answer["protocols"] if x["protocol"] == summary["terms"]["protocol"])
        t.equal((summary["bytes"]["protocol_sent"], summary["bytes"]["protocol_received"]),
                (row[side]["protocol_sent_bytes"], row[side]["protocol_received_bytes"]), f"bytes of the {side} of a {command} {list(estimate)}")
        if "--protocol" not in estimate:
            t.equal(summary["terms"]["protocol"], answer["auto"], f"the protocol of the run and of the estimate for a {command}")
        t.check(abs(summary["bytes"]["sent"] - row[side]["sent_bytes"]) < 4000 + 0.01 * row[side]["sent_bytes"],
                f"bytes on the transport of the {side} of a {command}: {summary['bytes']['sent']}, foreseen {row[side]['sent_bytes']}")
    for name in ("r.json", "s.json"):
        os.remove(t.path(name))


@test
def bytes_of_runs(t):
    write_made_up(t)
    t.ids("receiver.csv", range(0, 6000))
    t.ids("sender.csv", range(5000, 9500))
    sizes = (6000, 4500)
    check_bytes(t, "match", ["--output", "out.csv"], [], sizes)
    check_bytes(t, "match", ["--output", "out2.csv"], ["--protocol", "ecdh"], sizes, both=["--protocol", "ecdh"])
    check_bytes(t, "count", [], ["--function", "count"], sizes)
    check_bytes(t, "count", [], ["--function", "count", "--reveal-to", "both", "--min-overlap", "20"], sizes, both=["--reveal-to", "both", "--min-overlap", "20"])


@test
def bytes_of_a_sum(t):
    write_made_up(t)
    persons = [people.resident(i) for i in range(300, 900)]
    t.write("sender.csv", "id_number,amount\n" + "".join(f"{p},{i % 1000}\n" for i, p in enumerate(persons)), persons)
    t.ids("receiver.csv", range(0, 500))
    value = ["--value", "amount:0..1000"]
    check_bytes(t, "sum", [], ["--function", "sum", *value, "--scheme", "rlwe"], (500, 600), sender=[*value, "--scheme", "rlwe"])
