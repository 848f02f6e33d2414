#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the page and the charts of a benchmark run (benchmarks/page.py), on made-up results.

Usage: bench_page.py   (run by `make check`; appends "bench-page PASSED FAILED" to $TALLY_RESULTS)
"""
import copy
import html.parser
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
BENCHMARKS = os.path.join(os.path.dirname(HERE), "benchmarks")
sys.path.insert(0, BENCHMARKS)
import bench_results as made  # noqa: E402
import charts  # noqa: E402
import page  # noqa: E402
import results as data  # noqa: E402
import svg  # noqa: E402

VOID = {"meta", "br", "hr"}
TEXT_SIZE = {"title": 12.5, "legend": 11}


class Balance(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.seen = [], [], []
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def all_charts(results):
    return [c for section in charts.charts(results) for c in section.charts]


def markers(chart):
    return chart.canvas.svg().count('class="marker data') - chart.canvas.svg().count("cross-over")


def boxes(tree):
    """Where the texts of a chart are, by an average width of characters."""
    for e in tree.iter("{http://www.w3.org/2000/svg}text"):
        words, size = "".join(e.itertext()), TEXT_SIZE.get(e.get("class"), 10.5)
        width = len(words) * size * 0.52
        x = float(e.get("x")) - {"start": 0, "middle": width / 2, "end": width}[e.get("text-anchor")]
        yield words, x, float(e.get("y")) - size * 0.75, x + width, float(e.get("y")) + 1


def sound(results):
    """What must hold of any results: gives the charts."""
    drawn = all_charts(results)
    assert len({c.name for c in drawn}) == len(drawn), "two charts of one name"
    for c in drawn:
        for alone in (False, True):
            text = c.canvas.svg(alone)
            tree = ElementTree.fromstring(text)
            assert not re.search(r"\b(nan|inf|None)\b", text), f"{c.name}: not a number"
        texts = list(boxes(tree))
        for i, (words, left, top, right, bottom) in enumerate(texts):
            assert left >= -1 and right <= svg.WIDTH + 1 and bottom <= c.canvas.height, f"{c.name}: \"{words}\" leaves the chart"
            for other in texts[:i]:
                apart = right <= other[1] or other[3] <= left or bottom <= other[2] or other[4] <= top
                assert apart, f"{c.name}: \"{words}\" over \"{other[0]}\""
        assert markers(c) or "bar\" x=" in text, f"{c.name}: empty"
        assert c.caption.endswith("."), f"{c.name}: no caption"
    text = page.page(results)
    balance = Balance(text)
    assert not balance.wrong, f"tags not closed: {balance.wrong}"
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in balance.seen}, "something that is not text or a drawing"
    assert not any(name in ("src", "href") or name.startswith("on") for _, a in balance.seen for name in a), "something from outside"
    assert not re.search(r"\b(nan|None|inf)\b", text), "a figure that is none"
    return drawn


def test_full():
    results = made.full()
    drawn = sound(results)
    names = " ".join(c.name for c in drawn)
    for part in ("time-match", "crossover", "bytes-match", "peak-memory", "phases", "scaling", "prediction-wall", "prediction-bytes", "prediction-memory"):
        assert part in names, f"no chart {part}"
    counts = {part: sum(markers(c) for c in drawn if c.name.startswith(part)) for part in ("time", "scaling", "prediction")}
    shared = sum(p["placement"] == "shared" for p in results["points"])
    assert counts["time"] == len(results["points"]) - shared and counts["scaling"] == shared, counts
    assert counts["prediction"] == 3 * sum(p["predicted"] is not None for p in results["points"]), counts
    assert page.page(results).split("Every point")[1].count("<tr>") == len(results["points"]) + 1


def test_any_points():
    """Every point is drawn whatever is measured: random parts of the full results, unequal lists, figures missing."""
    chance = random.Random(7)
    for _ in range(40):
        results = made.full()
        results["points"] = chance.sample(results["points"], chance.randint(1, 20))
        for p in results["points"]:
            if chance.random() < 0.3:
                p["sender_rows"] = p["receiver_rows"] * chance.choice((3, 100)) + 1
            if chance.random() < 0.3:
                p["predicted"] = None
            for run in (p["median"], p["min"], p["max"]):
                if chance.random() < 0.2:
                    run[chance.choice(("sender", "receiver", "wire_bytes"))] = None
        drawn = sound(results)
        assert sum(markers(c) for c in drawn if c.name.startswith(("time", "scaling"))) >= len(results["points"])


def test_missing():
    sound(made.results([]))
    one = made.point("match", "plain", 1000)
    assert [c.name.split("-")[0] for c in sound(made.results([one]))] == ["time", "bytes", "peak"]
    one["median"] = {"wall_seconds": None}
    assert sound(made.results([one])) == []
    assert not any(c.name.startswith("crossover") for c in sound(made.results([made.point("match", "ecdh", 2**k) for k in (10, 12)])))
    bare = [{"function": "match", "protocol": "vole", "link": "lan", "receiver_rows": 5, "sender_rows": 5, "median": {"wall_seconds": 0}}]
    assert sound({"schema": data.SCHEMA, "points": bare}) == []
    for complete, said in ((None, False), (True, False), (False, True)):
        assert ("did not come to its end" in page.page(made.results([one]) | {"complete": complete})) == said, f"complete {complete}"
    same = [made.point("match", "ecdh", 4096) for _ in range(3)]
    assert markers(sound(made.results(same))[0]) == 3


def test_hostile():
    bad = "<script>alert(1)</script>\"'&\x00\x1b]]>\ud800\u202e" + "W" * 300
    results = made.full()
    for tree in (results, results["machine"], results["tally"], results["tally"]["backends"]):
        for key in [k for k in tree if isinstance(tree[k], str) and k != "schema"]:
            tree[key] = bad
    results["links"] = {bad: {"bits_per_second": "fast", "round_trip_seconds": []}}
    results["tally"]["backends"][bad] = bad
    for p in results["points"][:30]:
        p.update(function=bad, protocol=bad, security=bad, link=bad, scheme=bad, placement=bad, processors=["x"], threads=None, columns="many", runs=None)
    for p in results["points"][30:60]:
        p["median"] = {"wall_seconds": True, "receiver": [], "sender": {"phases": 3, "cpu_seconds": -1, "peak_bytes": 1e400}, "wire_bytes": "none"}
        p["predicted"] = "soon"
    sound(results)
    assert "<script" not in page.page(results)
    page.page(results).encode()


def test_scales():
    for values in ([0.03, 200], [3, 3.2], [7], [50, 70], [1e-4, 1e6], [55, 65]):
        for kind in ("time", "bytes"):
            scale = svg.Log(values, 200, 10)
            marks = svg.ticks(scale, kind)
            assert marks and marks == sorted(set(marks)), f"{values}: {marks}"
            places = [scale(v) for v in marks]
            assert all(a - b >= 18 for a, b in zip(places, places[1:])), f"{values}: {places}"
            assert all(10 <= at <= 200 for at in places), f"{values}: {places}"
    line = svg.Linear(0, 4, 10, 90)
    assert [line(v) for v in range(5)] == [10, 30, 50, 70, 90]


def test_words():
    for said, value in (("100 ms", svg.seconds(0.1, 1)), ("1 s", svg.seconds(1)), ("1 min", svg.seconds(60)), ("1 min", svg.seconds(59.99)), ("1 min 19 s", svg.seconds(79.3)),
                        ("2 h", svg.seconds(7199.9)), ("10 MB", svg.size_words(1e7)), ("1 MB", svg.size_words(999900)), ("16 thousand", svg.count_words(16384)),
                        ("4.1 thousand", svg.count_words(4096)), ("1 million", svg.count_words(2**20)), ("999", svg.count_words(999)), ("+20 %", svg.ratio_words(1.2)),
                        ("−1.5 %", svg.ratio_words(0.985)), ("× 3.1", svg.ratio_words(3.14)), ("equal", svg.ratio_words(1.0001))):
        assert value.replace("\xa0", " ") == said, f"{value} is not {said}"


def test_crossover():
    assert data.crossings([(10, 2.0), (1000, 0.5)])[0] == (10 * 100**0.5, "below")
    assert data.crossings([(10, 2.0), (100, 1.0), (1000, 0.5)]) == [(100, "below")]
    assert data.crossings([(10, 1.0), (100, 2.0)]) == [] and data.crossings([(10, 2.0), (100, 1.0), (1000, 3.0)]) == []
    assert [way for _, way in data.crossings([(1, 2.0), (2, 0.5), (4, 2.0)])] == ["below", "above"]
    points = []
    for protocol, times in (("ecdh", (1, 4, 16)), ("vole", (4, 4, 4))):
        for k, t in zip((10, 12, 14), times):
            points.append(made.point("match", protocol, 2**k))
            points[-1]["median"]["wall_seconds"] = t
    chart = next(c for c in sound(made.results(points)) if c.name.startswith("crossover"))
    assert chart.canvas.svg().count("cross-over") == 1 and "vole is the faster from about 4.1\xa0thousand rows on" in chart.caption, chart.caption


def test_limits():
    points = []
    for ratio in (1.0, 1.2, 0.8, 1.21, 0.79):
        p = made.point("match", "ecdh", 2**12)
        p["predicted"] = copy.deepcopy(p["median"])
        p["predicted"]["wall_seconds"] = {"low": None, "expected": p["median"]["wall_seconds"] / ratio, "high": None}
        p["predicted"]["sender"]["peak_bytes"] /= 2 if ratio == 1.2 else 1
        points.append(p)
    points[0]["predicted"]["receiver"]["sent_bytes"] = None
    points[0]["predicted"]["sender"] = None
    points.append(made.point("match", "plain", 2**12))
    assert data.limits(points) == {"wall": (3, 5), "bytes": (4, 4), "memory": (4, 5)}, data.limits(points)
    assert "wall time 3 of 5 within 20 %" in page.page(made.results(points))
    assert data.worst_first(points)[0][0] is points[1] and len(data.worst_first(points)) == 5


def test_command():
    with tempfile.TemporaryDirectory() as folder:
        source, html_file, pictures = (os.path.join(folder, name) for name in ("results.json", "page.html", "svg"))

        def run(*arguments):
            return subprocess.run([sys.executable, os.path.join(BENCHMARKS, "page.py"), source, *arguments], capture_output=True, text=True)

        for content, said in ((None, "results.json: cannot be read"), ("{", "is not JSON"), ("[]", "schema is not"), ('{"schema": "tally-bench-1"}', 'no list "points"'),
                              ('{"schema": "tally-bench-1", "points": [{"function": 1}]}', 'point 1: "function"')):
            if content is not None:
                with open(source, "w") as f:
                    f.write(content)
            done = run()
            assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
        with open(source, "w") as f:
            json.dump(made.full(), f)
        assert run("-o", html_file, "--svg", pictures).returncode == 0 and os.path.getsize(html_file) > 10000
        assert len(os.listdir(pictures)) == len(all_charts(made.full()))
        assert run().returncode == 0 and os.path.exists(os.path.join(folder, "index.html"))


def main():
    passed = failed = 0
    for name, test in [(n, t) for n, t in globals().items() if n.startswith("test_")]:
        try:
            test()
            passed += 1
        except Exception as e:  # whatever breaks is one failed test, and the others still run
            failed += 1
            at = e.__traceback__
            while at.tb_next:
                at = at.tb_next
            print(f"bench-page: {name}: {type(e).__name__}: {e} ({os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno})")
    print(f"bench-page  {passed + failed} tests, {failed} failed")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a") as f:
            f.write(f"bench-page {passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
