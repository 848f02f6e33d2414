#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of docs/sizing.md: 10^4 to 10^8 identifiers a side, measured where there is a run of that size, else estimated.

usage: table.py TALLY [RESULTS.json ...]

TALLY is the command; its home ($TALLY_HOME) has the calibration. Measured figures are medians of runs with the parties
apart; estimates are marked with a tilde, and are of one processor a side as the runs were.
"""
import json, subprocess, sys

SIZES = [10**k for k in range(4, 9)]
KINDS = [("match", "vole", None), ("match", "ecdh", None), ("count", "ecdh", None), ("sum", "ecdh", "rlwe")]
LINKS = {"lan": "1gbit,0.2ms", "wan100": "100mbit,30ms", "wan10": "10mbit,50ms"}
VALUES = ["--value", "amount:0..500000000", "--value", "score:350..950"]


def seconds(s):
    if s < 10:
        return f"{s:.1f} s"
    if s < 100:
        return f"{s:.0f} s"
    return f"{s / 60:.0f} min" if s < 5400 else f"{s / 3600:.1f} h"


def size(b):
    for unit in "kB", "MB", "GB":
        b /= 1000
        if b < 1000:
            break
    return f"{b:.1f} {unit}" if b < 10 else f"{b:.0f} {unit}"


def estimate(tally, n, kind, link):
    function, protocol, scheme = kind
    argv = [tally, "estimate", "--mine", str(n), "--theirs", str(n), "--function", function, "--link", LINKS[link],
            "--cores", "1", "--their-cores", "1", "--row-bytes", "45", "--json"]
    argv += VALUES if function == "sum" else []
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return next(p for p in json.loads(done.stdout)["protocols"] if (p["protocol"], p["scheme"]) == (protocol, scheme))


def measured(points, n, kind, link):
    for p in points:
        if (p["receiver_rows"], p["sender_rows"], p["link"], p["placement"]) == (n, n, link, "apart") and \
                (p["function"], p["protocol"], p.get("scheme")) == kind and p["security"] == "semi-honest":
            return p["median"]
    return None


def row(tally, points, n, kind):
    cells, figures = [], None
    for link in LINKS:
        run, guess = measured(points, n, kind, link), estimate(tally, n, kind, link)
        cells.append(seconds(run["wall_seconds"]) if run else "~" + seconds(guess["wall_seconds"]["expected"]))
        figures = figures or run
    tilde, figures = ("", figures) if figures else ("~", guess)
    cells.append(tilde + size(figures["receiver"]["sent_bytes"] + figures["sender"]["sent_bytes"]))
    cells.append(" / ".join(tilde + size(figures[side]["peak_bytes"]) for side in ("receiver", "sender")))
    name = kind[0] + " by " + (kind[2] or kind[1])
    return f"| 10^{len(str(n)) - 1} | {name} | " + " | ".join(cells) + " |"


def main(argv):
    if not argv or argv[0].startswith("-"):
        sys.exit(__doc__)
    points = []
    for path in argv[1:]:
        with open(path) as f:
            points += json.load(f)["points"]
    print("| identifiers a side | | " + " | ".join(f"`{name}` {link}" for name, link in LINKS.items()) +
          " | bytes both ways | memory, receiver / sender |\n|---|---|---|---|---|---|---|")
    for n in SIZES:
        for kind in KINDS:
            print(row(argv[0], points, n, kind))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as e:
        sys.exit(f"table.py: {e}{getattr(e, 'stderr', None) or ''}")
