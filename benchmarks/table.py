#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of docs/sizing.md: 10^4 to 10^8 identifiers a side, measured where there is a run of that size, else estimated.

usage: table.py TALLY [RESULTS.json ...]

TALLY is the command; its home ($TALLY_HOME) has the calibration. Measured figures are medians of runs with the parties
apart, on one processor each, sums of two columns; so are the estimates, which are marked with a tilde.
"""
import json
import subprocess
import sys

sys.dont_write_bytecode = True
import plan  # noqa: E402
import svg  # noqa: E402

SIZES = [10**k for k in range(4, 9)]
KINDS = [("match", "vole", None, 0), ("match", "ecdh", None, 0), ("count", "ecdh", None, 0), ("sum", "ecdh", "rlwe", 2)]
LINKS = [link for link in plan.LINKS.values() if link.rate]


def seconds(value):
    return svg.seconds(value, 2).replace("\xa0", " ")


def size(value):
    return svg.size_words(value, 2).replace("\xa0", " ")


def estimate(tally, n, kind, link):
    function, protocol, scheme, columns = kind
    argv = [tally, "estimate", "--mine", str(n), "--theirs", str(n), "--function", function, "--link", link.option(),
            "--cores", "1", "--their-cores", "1", "--row-bytes", "45", "--json", *plan.value_options(columns)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return next(p for p in json.loads(done.stdout)["protocols"] if (p["protocol"], p["scheme"]) == (protocol, scheme))


def measured(points, n, kind, link):
    for p in points:
        if (p["receiver_rows"], p["sender_rows"], p["link"], p["placement"], p["processors"]) == (n, n, link.name, "apart", [1, 1]) and \
                (p["function"], p["protocol"], p["scheme"], p["columns"]) == kind and p["security"] == "semi-honest":
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
    print("| identifiers a side | | " + " | ".join(f"`{link.name}` {link.option()}" for link in LINKS) +
          " | bytes both ways | memory, receiver / sender |\n|---|---|---|---|---|---|---|")
    for n in SIZES:
        for kind in KINDS:
            print(row(argv[0], points, n, kind))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as e:
        sys.exit(f"table.py: {e}{getattr(e, 'stderr', None) or ''}")
