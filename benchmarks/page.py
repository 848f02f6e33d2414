#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The results of benchmarks/run as one self-contained HTML page, or its charts as SVG files.

usage: page.py RESULTS.json [-o INDEX.html] [--svg FOLDER]

Without -o the page goes beside the results as index.html, unless only --svg is asked for. Reading the page needs no
script and no network.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
import charts  # noqa: E402
from results import LIMITS, SIDES, Failed, figure, limits, load, moved, rows, series, setup, under, wall, within, worst_first  # noqa: E402
from svg import count_words, css, escape, figures, ratio_words, seconds, size_words  # noqa: E402

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1d;--pale:#59595f;--rule:#dcdce0;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--paper:#17181b;--ink:#ececee;--pale:#b0b0b6;--rule:#3a3b40;--bad:#ff9b93}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1260px;padding:1.2rem 1rem 3rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .8rem}h2{font-size:1.2rem;margin:2.4rem 0 .3rem;border-top:1px solid var(--rule);padding-top:1rem}
p{max-width:46rem;margin:.4rem 0}.pale,figcaption{color:var(--pale)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0;font-size:.92rem}
dt{color:var(--pale)}dd{margin:0;overflow-wrap:anywhere}ul{padding-left:1.2rem;max-width:46rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:1.6rem 1.2rem;margin:1rem 0}
figure{margin:0;max-width:460px;break-inside:avoid}figure svg{display:block;width:100%;height:auto}figcaption{font-size:.86rem;line-height:1.4;padding:.2rem .5rem}
.wide{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;font-size:.78rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .55rem .25rem 0;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap;vertical-align:top}.n{text-align:right}
.over{color:var(--bad);font-weight:600}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:color-mix(in srgb,var(--rule) 40%,transparent);padding:.7rem;border-radius:4px;font-size:.85rem}
@media (max-width:500px){dl{grid-template-columns:1fr}dt{margin-top:.3rem}}
@media print{@page{margin:14mm}html{font-size:10pt}figcaption{font-size:8pt}body{font-size:10pt;max-width:none;padding:0}.charts{grid-template-columns:repeat(2,1fr)}h2,h3,thead{break-after:avoid}tr{break-inside:avoid}
.wide{overflow:visible}table{font-size:6.5pt;line-height:1.25;width:100%}th,td{white-space:normal;padding-right:.35rem}}
"""
# Printed on white whatever the screen has.
PRINT = ":root{--paper:#fff;--ink:#1b1b1d;--pale:#59595f;--rule:#dcdce0;--bad:#b3261e}"
WORDS = """<p><b>ecdh</b> and <b>vole</b> are the two protocols of Tally: ecdh computes with points of an elliptic curve and sends little; vole computes
little and sends more. <b>Insecure</b> is the plain exchange of hashes that many use today: fast, but it gives the sender's list away.
<b>Semi-honest</b> is secure against a side that follows the protocol, <b>malicious</b> (hollow markers) against one that does not. <b>rlwe</b> and
<b>paillier</b> are the two encryptions under which a sum is formed. Each side is a process of its own; the <b>receiver</b> gets the result.</p>"""


SHAPING = {"netem": "by the kernel (netem)", "tun": "by a virtual network device (tun)", "relay": "by a relay between the two"}


def machine(results):
    """What the heading says: [(term, description)], of what is known."""
    m = results.get("machine")
    memory, processors = figure(m, "memory_bytes"), figure(m, "processors")
    backends = under(results, "tally", "backends")
    commit = results.get("commit")
    shaping = SHAPING.get(str(under(m, "shaping")), under(m, "shaping"))
    links = results.get("links") if isinstance(results.get("links"), dict) else {}
    told = "; ".join(f"{link}: {charts.link_words(results, link)} there and back" for link in links)
    return [(term, said) for term, said in (
        ("Started", results.get("started")),
        ("Machine", ", ".join(str(v) for v in (under(m, "processor"), processors and f"{processors} processors", memory and size_words(memory) + " of memory",
                                               under(m, "kernel") and f"kernel {under(m, 'kernel')}") if v)),
        ("Tally", ", ".join(str(v) for v in (under(results, "tally", "tally"), commit and f"commit {commit}",
                                             results.get("modified") is True and "with changes not committed") if v)),
        ("Backends", ", ".join(f"{k} {v}" for k, v in backends.items()) if isinstance(backends, dict) else None),
        ("Links", told + (f"; slowed down {shaping}" if shaping and told else ""))) if said]


def summary(results):
    """The main findings as sentences: whether it is all, the fastest way through the largest match over each link, and the predictions."""
    points, said = results["points"], []
    if results.get("complete") is False:
        said.append("The benchmark did not come to its end: points are missing.")
    private = [p for p in points if p["function"] == "match" and p["protocol"] != "plain" and wall(p["median"])]
    largest = max(map(rows, private), default=0)
    for link in dict.fromkeys(p["link"] for p in private if rows(p) == largest):
        at = [p for p in private if rows(p) == largest and p["link"] == link]
        best = min(at, key=lambda p: wall(p["median"]))
        plain = next((wall(p["median"]) for p in points if p["protocol"] == "plain" and wall(p["median"]) and setup(p) == setup(best) and rows(p) == largest), None)
        beside = f", {figures(wall(best['median']) / plain, 2)} times the {seconds(plain)} of the insecure exchange" if plain else ""
        said.append(f"Largest match over {charts.link_words(results, link)}: {count_words(best['receiver_rows'])} rows against {count_words(best['sender_rows'])} "
                    f"in {seconds(wall(best['median']))} with {charts.name(series(best))}{beside}.")
    held = [f"{charts.METRICS[name]} {good} of {total} within {LIMITS[name] * 100:.0f} %" for name, (good, total) in limits(points).items()]
    said.append(f"Predictions that held: {', '.join(held)}." if held else "There are no predictions to compare with.")
    return said


def table(head, lines):
    """head: [(title, is a number)]; lines: lists of text or (text, class)."""
    def cell(value, number, tag):
        words, name = value if isinstance(value, tuple) else (value, "")
        names = " ".join(n for n in ("n" if number else "", name) if n)
        return f"<{tag}{f' class={chr(34)}{names}{chr(34)}' if names else ''}>{escape(words)}</{tag}>"
    top = "".join(cell(title, number, "th") for title, number in head)
    body = "\n".join("<tr>" + "".join(cell(v, number, "td") for v, (_, number) in zip(line, head)) + "</tr>" for line in lines)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def maybe(words, value):
    return words(value) if value else "–"


def spaced(value):
    return f"{value:,}".replace(",", "\xa0")


def both(words, run, key):
    return " / ".join(maybe(words, figure(run, side, key)) for side in SIDES)


def who(p):
    s = setup(p)
    return [charts.function_words(s), charts.name(series(p)), p["link"], f"{spaced(p['receiver_rows'])} / {spaced(p['sender_rows'])}"]


IDENTITY = [("Function", False), ("Protocol", False), ("Link", False), ("Rows", True)]


def points_table(points):
    head = IDENTITY + [("Overlap", True), ("Processors", False)] + [
        (title, True) for title in ("Runs", "Wall time", "Fastest to slowest", "Processor time", "Peak memory", "Bytes")]
    lines = []
    for p in points:
        run, low, high = p["median"], wall(p.get("min")), wall(p.get("max"))
        runs = str(len(p["runs"])) if isinstance(p.get("runs"), list) else "–"
        lines.append(who(p) + [maybe(spaced, figure(p, "overlap")), charts.machine_words(setup(p)).replace(" processors", "").replace(" processor", ""), runs, maybe(seconds, wall(run)),
                               f"{seconds(low)} to {seconds(high)}" if low and high else "–",
                               both(seconds, run, "cpu_seconds"), both(size_words, run, "peak_bytes"), maybe(size_words, moved(run))])
    return table(head, lines)


def predictions_table(found):
    head = IDENTITY + [("Processors", False)] + [(charts.METRICS[m].capitalize(), True) for m in LIMITS]
    return table(head, [who(p) + [charts.machine_words(setup(p))] + [
        (ratio_words(d[m]), "" if within(m, d[m]) else "over") if m in d else "–" for m in LIMITS] for p, d in found])


def page(results):
    day = str(results.get("started") or "")[:10]
    out = ['<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
           f"<title>Tally, benchmark {escape(day)}</title><style>{STYLE}{css(False)}@media screen and (prefers-color-scheme:dark){{{css(True)}}}@media print{{{PRINT}}}</style></head><body>",
           f"<h1>Tally: benchmark{f' of {escape(day)}' if day else ''}</h1>", "<ul>", *(f"<li>{escape(words)}</li>" for words in summary(results)), "</ul>",
           "<dl>", *(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>" for term, said in machine(results)), "</dl>", WORDS]
    for section in charts.charts(results):
        out += [f"<h2>{escape(section.title)}</h2><p class=\"pale\">{escape(section.text)}</p>", '<div class="charts">']
        out += [f"<figure>{c.canvas.svg()}<figcaption>{escape(c.caption)}</figcaption></figure>" for c in section.charts]
        out.append("</div>")
    found = worst_first(results["points"])
    if found:
        out += ["<h2>Every prediction, the worst first</h2>",
                '<p class="pale">How much more (+) or less (−) than predicted; what is outside its limit is red and bold.</p>',
                predictions_table(found)]
    if results["points"]:
        out += ["<h2>Every point</h2>",
                '<p class="pale">Medians of the runs, each figure on its own. Two figures: receiver / sender.</p>', points_table(results["points"])]
    if isinstance(results.get("command"), str):
        seed = f"The lists come from seed {escape(results['seed'])}. " if results.get("seed") is not None else ""
        out += ["<h2>To repeat it</h2>", f"<p>{seed}In a checkout of the commit named above, as root (it makes network namespaces):</p><pre>{escape(results['command'])}</pre>"]
    return "\n".join(out) + "\n</body></html>\n"


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    p = argparse.ArgumentParser(description="The results of benchmarks/run as an HTML page or as SVG files.")
    p.add_argument("results", metavar="RESULTS.json")
    p.add_argument("-o", metavar="INDEX.html", dest="page", help="the page (default: index.html beside the results)")
    p.add_argument("--svg", metavar="FOLDER", help="write each chart as a file of its own")
    o = p.parse_args()
    try:
        results = load(o.results)
        if o.svg:
            os.makedirs(o.svg, exist_ok=True)
            for section in charts.charts(results):
                for chart in section.charts:
                    write(os.path.join(o.svg, chart.name + ".svg"), chart.canvas.svg(alone=True) + "\n")
        if o.page or not o.svg:
            write(o.page or os.path.join(os.path.dirname(o.results), "index.html"), page(results))
    except (Failed, OSError) as e:
        print(f"page.py: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
