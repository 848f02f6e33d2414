# SPDX-License-Identifier: Apache-2.0
"""The charts of a benchmark: charts(results) gives sections of charts, each with what it shows in a sentence.

Usage: for section in charts(results): for chart in section.charts: chart.name, chart.caption, chart.canvas.svg()
A chart that would be empty is not made. Markers with class `data` are the points drawn, one for each.
"""
from collections import namedtuple

from results import LIMITS, PHASES, SIDES, crossings, deviations, expected, figure, grouped, moved, peak, ratios, rows, series, setup, wall, within
from svg import Canvas, Linear, Log, count_words, cut, figures, ratio_words, seconds, size_words, ticks

Chart = namedtuple("Chart", "name canvas caption")
Section = namedtuple("Section", "title text charts")
SHAPES = {"ecdh": "circle", "vole": "square", "rlwe": "diamond", "paillier": "triangle", "plain": "cross", "other": "bar"}
METRICS = {"wall": "wall time", "bytes": "bytes", "memory": "peak memory"}


def kind(s):
    """The class that gives a series its colour and marker."""
    return next((word for word in (s.scheme, s.protocol) if word in SHAPES), "other")


def look(s):
    return kind(s) + (" hollow" if s.security == "malicious" else ""), SHAPES[kind(s)]


def name(s):
    if s.protocol == "plain":
        return "insecure"
    return cut(s.protocol + (f" with {s.scheme}" if s.scheme else "") + (f", {s.security}" if s.security != "semi-honest" else ""), 36)


def link_words(results, link):
    said = (results.get("links") or {}).get(link) if isinstance(results.get("links"), dict) else None
    rate, trip = figure(said, "bits_per_second"), figure(said, "round_trip_seconds")
    if not rate:
        return cut(link, 36)
    for unit, word in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s")):
        if rate >= unit:
            break
    return f"{figures(rate / unit)}\xa0{word}" + (f", {seconds(trip)}" if trip else "")


def function_words(s):
    return cut(s.function, 36) + (f" of {s.columns} column{'s' * (s.columns > 1)}" if s.columns else "")


def machine_words(s):
    n, m = s.processors
    each = f"{n} processor{'s' * (n > 1)}" if n == m else f"{n} and {m} processors"
    threads = "" if s.threads == s.processors else f", {'/'.join(map(str, s.threads))} threads"
    return each + (" shared" if s.placement == "shared" else " each" if n == m else "") + threads


def detail(s, *more):
    return ", ".join([machine_words(s)] + ([] if s.shape == "equal" else [s.shape]) + [m for m in more if m])


def axis_words(s):
    return "rows on each side" if s.shape == "equal" else "rows of the larger list"


def file_name(*parts):
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in "-".join(map(str, parts)).lower())
    return "-".join(p for p in kept.split("-") if p)[:80]


def scaling_groups(points):
    """Points that share their processors and differ in nothing but how many: {key: points}, each with one for 1 processor."""
    def key(p):
        s = setup(p)
        return s._replace(processors=None, threads=None), series(p), rows(p)
    groups = grouped([p for p in points if p.get("placement") == "shared" and wall(p["median"])], key)
    return {k: g for k, g in groups.items() if len({workers(p) for p in g}) > 1 and min(map(workers, g)) == 1}


def workers(point):
    """What limits how much of a party runs at once."""
    s = setup(point)
    return min(max(s.processors), max(s.threads))


def panels(points):
    """Setups with the points that a chart against size shows. One of a single size is left to the scaling if that has it all."""
    scaled = {id(p) for g in scaling_groups(points).values() for p in g}
    return {s: g for s, g in grouped(points, setup).items() if len({rows(p) for p in g}) > 1 or any(id(p) not in scaled for p in g)}


def against_size(title, s, points, get, axis, words, legend=None, band=False):
    """Medians with whiskers by series, the prediction dashed (with its range); None where there is nothing to draw."""
    lines = grouped([p for p in points if get(p["median"])], series)
    drawn = [p for group in lines.values() for p in group]
    if not drawn:
        return None
    values = []
    for p in drawn:
        said = expected(p.get("predicted"))
        values += [get(p["median"]), get(p.get("min")), get(p.get("max")), get(said)]
        values += [figure(p, "predicted", "wall_seconds", end) for end in ("low", "high")] if band else []
    entries = [(*look(who), name(who) + (legend(group) if legend else "")) for who, group in lines.items()]
    c = Canvas(title, detail(s), entries)
    x = Log([rows(p) for p in drawn], c.left, c.right)
    y = Log([v for v in values if v], c.bottom, c.top)
    c.rows_axis(x, [rows(p) for p in drawn], axis_words(s))
    c.y_axis(y, ticks(y, axis), words)
    for who, group in lines.items():
        colour, shape = look(who)
        if band:
            ends = [[(x(rows(p)), y(v)) for p in group if (v := figure(p, "predicted", "wall_seconds", end))] for end in ("low", "high")]
            c.path(ends[0] + ends[1][::-1], f"{kind(who)} band")
        c.path([(x(rows(p)), y(v)) for p in group if (v := get(expected(p.get("predicted"))))], f"{kind(who)} prediction")
        c.path([(x(rows(p)), y(get(p["median"]))) for p in group], f"{kind(who)} line")
        for p in group:
            low, high = get(p.get("min")), get(p.get("max"))
            if low and high and high > low:
                c.path([(x(rows(p)), y(low)), (x(rows(p)), y(high))], f"{kind(who)} whisker")
            c.marker(x(rows(p)), y(get(p["median"])), colour, shape)
    return c


def by_size(points, get):
    """Of the points at the largest size that was measured more than once (else the largest): by the figure, smallest first."""
    found = grouped([p for p in points if get(p["median"])], rows)
    shared = [n for n, g in found.items() if len(g) > 1]
    size = max(shared or found)
    return size, sorted(found[size], key=lambda p: get(p["median"]))


def time_caption(points):
    size, group = by_size(points, wall)
    plain = next((wall(p["median"]) for p in group if p["protocol"] == "plain"), None)
    said = [f"{name(series(p))} {seconds(wall(p['median']))}" +
            (f" ({figures(wall(p['median']) / plain, 2)} times the insecure exchange)" if plain and p["protocol"] != "plain" else "") for p in group]
    return f"At {count_words(size)} rows: " + "; ".join(said) + "."


def time_charts(results, points):
    for s, group in panels(points).items():
        c = against_size(f"Time: {function_words(s)}, {link_words(results, s.link)}", s, group, wall, "time", lambda v: seconds(v, 1), band=True)
        if c:
            yield Chart(file_name("time", *s[:4], *s.processors, *s.threads, s.shape), c, time_caption(group))


def per_row(get, p):
    return size_words(get(p["median"]) / rows(p))


def size_charts(results, points, what, get):
    """Bytes or memory hardly depend on the link: for each function one chart, of the setup that was measured at most points."""
    best = {}
    for s, group in panels(points).items():
        key = (s.function, s.columns, s.shape)
        able = [p for p in group if get(p["median"])]
        if len(able) > len(best.get(key, (None, ()))[1]):
            best[key] = s, able
    for s, group in best.values():
        c = against_size(f"{what}: {function_words(s)}, {link_words(results, s.link)}", s, group, get, "bytes", lambda v: size_words(v, 1),
                         legend=lambda g: f": {per_row(get, g[-1])} a row")
        size, at = by_size(group, get)
        words = "; ".join(f"{name(series(p))} {size_words(get(p['median']))}, {per_row(get, p)} a row" for p in at)
        yield Chart(file_name(what, *s[:3], s.shape), c, f"At {count_words(size)} rows: {words}.")


def crossover_charts(results, points):
    """Time of vole by time of ecdh against size, a line for each link."""
    def key(p):
        return setup(p)._replace(link=None), str(p.get("security")), series(p).scheme
    for (s, security, scheme), group in grouped([p for p in points if p["protocol"] in ("vole", "ecdh")], key).items():
        curves = {link: ratios(g, "vole", "ecdh") for link, g in grouped(group, lambda p: p["link"]).items()}
        curves = {link: curve for link, curve in curves.items() if len(curve) > 1}
        if not curves:
            continue
        entries, said, drawn = [], [], []
        for at, (link, curve) in enumerate(curves.items()):
            found = crossings(curve)
            faster = "vole" if curve[0][1] < 1 else "ecdh"
            short = ", ".join("≈ " + count_words(n) for n, _ in found) or f"{faster} faster"
            entries.append((f"link{at % 4}", list(SHAPES.values())[at % 5], f"{cut(link, 12)}: {short}"))
            where = f"Over {link_words(results, link)}, "
            if found:
                said.append(where + " and ".join(f"{'vole' if way == 'below' else 'ecdh'} is the faster from about {count_words(n)} rows on" for n, way in found) + ".")
            else:
                said.append(where + f"{faster} is the faster at every size measured ({count_words(curve[0][0])} to {count_words(curve[-1][0])} rows); they do not cross.")
            drawn.append((curve, found))
        c = Canvas(f"Time of vole by time of ecdh: {function_words(s)}", detail(s, security, scheme), entries)
        x = Log([n for curve, _ in drawn for n, _ in curve], c.left, c.right)
        y = Log([r for curve, _ in drawn for _, r in curve] + [0.9, 1.1], c.bottom, c.top)
        c.rows_axis(x, [n for curve, _ in drawn for n, _ in curve], axis_words(s))
        marks = [v for v in ticks(y, "ratio") if v == 1 or abs(y(v) - y(1)) >= 18]
        c.y_axis(y, marks, lambda v: f"× {figures(v, 2)}")
        c.path([(c.left, y(1)), (c.right, y(1))], "limit")
        for (curve, found), (colour, shape, _) in zip(drawn, entries):
            c.path([(x(n), y(r)) for n, r in curve], f"{colour} line")
            for n, _ in found:
                c.path([(x(n), y(1)), (x(n), c.bottom)], f"{colour} drop")
                c.marker(x(n), y(1), f"{colour} hollow cross-over", "circle")
            for n, r in curve:
                c.marker(x(n), y(r), colour, shape)
        yield Chart(file_name("crossover", s.function, s.columns, s.placement, *s.processors, security, scheme, s.shape), c, " ".join(said))


def percents(shares):
    low, high = f"{min(shares):.0f}", f"{max(shares):.0f}"
    return f"{low}\xa0%" if low == high else f"{low} to {high}\xa0%"


def phase_charts(results, points):
    """Processor time of both sides by phase, at the largest size of each function."""
    def phases(p, side):
        return [figure(p["median"], side, "phases", phase, "cpu_seconds") or 0 for phase in PHASES]
    able = [p for p in points if any(sum(phases(p, side)) for side in SIDES)]
    for (function, columns, shape), group in grouped(able, lambda p: (setup(p).function, setup(p).columns, setup(p).shape)).items():
        s = setup(group[-1])
        largest = next(g for g in grouped(group, setup).values() if rows(g[-1]) == rows(group[-1]))
        s, size = setup(largest[0]), rows(group[-1])
        bars = [(p, side) for p in largest if rows(p) == size for side in SIDES if sum(phases(p, side))]
        c = Canvas(f"Processor time: {function_words(s)}, {count_words(size)} rows", detail(s, link_words(results, s.link)), [(phase, "bar", phase) for phase in PHASES],
                   plot=32 * len(bars), left=16, under=38)
        longest = max(sum(phases(*bar)) for bar in bars)
        x = Linear(0, longest * 1.02, c.left, c.right)
        step = next(v for v in sorted(m * 10.0**e for m in (1, 2, 5) for e in range(-6, 7)) if longest / v <= 4)
        c.x_axis(x, [step * i for i in range(int(longest / step) + 1)], lambda v: f"{figures(v)} s", "processor time")
        for at, bar in enumerate(bars):
            y, begin = c.top + 32 * at, 0
            c.text(c.left, y + 10, f"{bar[1]}, {name(series(bar[0]))}: {seconds(sum(phases(*bar)))}", "legend")
            for phase, value in zip(PHASES, phases(*bar)):
                if value:
                    c.rect(x(begin), y + 14, x(begin + value) - x(begin), 12, f"{phase} bar")
                begin += value
        most = {}
        for bar in bars:
            value, phase = max(zip(phases(*bar), PHASES))
            most.setdefault(phase, []).append(value / sum(phases(*bar)) * 100)
        words = "; ".join(f"{phase} in {len(shares)} of {len(bars)} bars ({percents(shares)})" for phase, shares in most.items())
        yield Chart(file_name("phases", function, columns, shape), c, f"The largest part is {words}.")


def scaling_charts(results, points):
    """Speed-up against one processor, of runs that share their processors."""
    panels_of = {}
    for (s, who, size), group in scaling_groups(points).items():
        panels_of.setdefault((s, size), []).append((who, sorted(group, key=workers)))
    for (s, size), lines in panels_of.items():
        c = Canvas(f"Speed-up: {function_words(s)}, {link_words(results, s.link)}", f"{count_words(size)} rows", [(*look(who), name(who)) for who, _ in lines], under=38)
        most = max(workers(group[-1]) for _, group in lines)
        gains = [(who, [(workers(p), *(wall(g[0]["median"]) / (wall(p.get(end)) or wall(p["median"])) for end in ("median", "max", "min"))) for p in g])
                 for who, g in lines]
        top = max([most] + [v for _, g in gains for point in g for v in point[1:]])
        x, y = Linear(0.8, most + 0.2, c.left, c.right), Linear(0, top * 1.05, c.bottom, c.top)
        marks = sorted({n for _, g in gains for n, *_ in g})
        c.x_axis(x, [n for n in marks if n == most or x(most) - x(n) >= 14], str, "processors or threads, both parties on the same")
        c.y_axis(y, range(0, int(top) + 1, max(1, int(top) // 6)), lambda v: f"× {v}")
        c.path([(x(1), y(1)), (x(most), y(most))], "limit")
        for who, g in gains:
            c.path([(x(n), y(v)) for n, v, _, _ in g], f"{kind(who)} line")
            for n, v, low, high in g:
                c.path([(x(n), y(low)), (x(n), y(high))], f"{kind(who)} whisker")
                c.marker(x(n), y(v), *look(who))
        words = "; ".join(f"{name(who)} {figures(g[-1][1])} times as fast on {g[-1][0]} as on one" for who, g in gains)
        yield Chart(file_name("scaling", s.function, s.columns, s.link, s.shape, size), c, f"{words[0].upper()}{words[1:]}. The dashed line is the ideal.")


def prediction_charts(results, points):
    """Measured by predicted of every point that has both."""
    for metric, limit in LIMITS.items():
        found = [(p, d[metric]) for p in points if metric in (d := deviations(p))]
        if not found:
            continue
        who = list(dict.fromkeys(series(p) for p, _ in found))
        links = list(dict.fromkeys(p["link"] for p, _ in found))
        c = Canvas(f"Measured by predicted: {METRICS[metric]}", legend=[(*look(s), name(s)) for s in who])
        far = max([1 + 2 * limit] + [max(r, 1 / r) for _, r in found])
        x, y = Log([rows(p) for p, _ in found], c.left, c.right, 1.5), Log([1 / far, far], c.bottom, c.top, 1 + limit / 4)
        marks = [v for v in (1 - limit, 1, 1 + limit) if y.low < v < y.high]
        for v in sorted((0.01, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.5, 2, 5, 10, 100), key=lambda v: -abs(v - 1)):
            if y.low < v < y.high and all(abs(y(v) - y(m)) >= 16 for m in marks):
                marks.append(v)
        if abs(y(1 + limit) - y(1)) < 12:  # too close for words: the lines alone
            marks = [v for v in marks if v not in (1 - limit, 1 + limit)]
        c.rows_axis(x, [rows(p) for p, _ in found], "rows of the larger list; side by side: links")
        c.y_axis(y, marks, ratio_words)
        for v in (1 - limit, 1 + limit):
            c.path([(c.left, y(v)), (c.right, y(v))], "limit")
        for p, ratio in found:
            c.marker(x(rows(p)) + 7 * (links.index(p["link"]) - (len(links) - 1) / 2), y(ratio), *look(series(p)))
        good = sum(within(metric, r) for _, r in found)
        worst = max((r for _, r in found), key=lambda r: abs(r - 1))
        yield Chart(file_name("prediction", metric), c, f"{good} of {len(found)} within {limit * 100:.0f} % of the prediction (the dashed lines); "
                    f"the farthest: {ratio_words(worst)}.")


def charts(results):
    points = results["points"]
    said = any(expected(p.get("predicted")) for p in points)
    dashed = " Dashed: what tally estimate predicted, with its range." if said else ""
    sections = (
        ("Time", "From the start of the second party to the end of the last, median of the runs; the vertical bar runs from the fastest to the slowest." + dashed,
         time_charts(results, points)),
        ("Which protocol is faster", "Below the dashed line vole is the faster, above it ecdh. A ring on it marks where they cross, between two sizes measured.", crossover_charts(results, points)),
        ("Bytes", "In both directions, TLS included; where no side counted them, as the link did, with IP headers.",
         size_charts(results, points, "Bytes", moved)),
        ("Memory", "The most that the process held at once, of the side that needed more.", size_charts(results, points, "Peak memory", peak)),
        ("Processor time", "Of each side at the largest size. Waiting lasts until the other side is there and has proved who it is.", phase_charts(results, points)),
        ("Scaling", "The same run on more processors.", scaling_charts(results, points)),
        ("Predictions", "What was measured by what tally estimate said beforehand: above the middle it took more, below it less.", prediction_charts(results, points)))
    return [Section(title, text, made) for title, text, found in sections if (made := list(found))]
