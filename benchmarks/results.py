# SPDX-License-Identifier: Apache-2.0
"""Reads results.json of benchmarks/run (schema tally-bench-1) and answers questions about its points.

Usage: from results import load, Failed; results = load("results/results.json")
A figure that is missing, null, not a number or not above zero is None everywhere; nobody draws or counts it.
"""
import json
import math
from collections import namedtuple

SCHEMA = "tally-bench-1"
SIDES = "receiver", "sender"
PHASES = "reading", "waiting", "matching", "writing"
LIMITS = {"wall": 0.20, "bytes": 0.02, "memory": 0.15}  # how far from its prediction a figure may be
NEEDED = {"function": str, "protocol": str, "link": str, "receiver_rows": int, "sender_rows": int, "median": dict}
Setup = namedtuple("Setup", "function columns link placement processors threads shape")  # all that one panel holds constant
Series = namedtuple("Series", "protocol security scheme")


class Failed(Exception):
    pass


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            results = json.load(f, parse_constant=lambda name: None)
    except OSError as e:
        raise Failed(f"{path}: cannot be read: {e.strerror}; give the results.json that benchmarks/run wrote") from None
    except (ValueError, RecursionError) as e:
        raise Failed(f"{path}: is not JSON: {e}; give the results.json that benchmarks/run wrote") from None
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        raise Failed(f"{path}: the schema is not {SCHEMA}; give the results.json that benchmarks/run wrote")
    if not isinstance(results.get("points"), list):
        raise Failed(f"{path}: has no list \"points\"")
    for i, point in enumerate(results["points"]):
        for name, kind in NEEDED.items():
            value = point.get(name) if isinstance(point, dict) else None
            if not isinstance(value, kind) or (kind is int and (isinstance(value, bool) or not 0 < value < 10**15)):
                raise Failed(f"{path}: point {i + 1}: \"{name}\" is missing or not what the schema says")
    return results


def under(tree, *names):
    """What stands at the end of the names in nested objects, or None."""
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def figure(tree, *names):
    value = under(tree, *names)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e18 and math.isfinite(value)
    return value if good else None


def pair(point, name):
    """Of the receiver and the sender: [1, 1] becomes (1, 1)."""
    value = point.get(name)
    good = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value)
    return tuple(value) if good else (1, 1)


def rows(point):
    """The size of a point: of the larger list."""
    return max(point["receiver_rows"], point["sender_rows"])


def setup(point):
    small, large = sorted((point["receiver_rows"], point["sender_rows"]))
    shape = "equal" if large < 1.1 * small else f"{'sender' if point['sender_rows'] == large else 'receiver'}'s list {large / small:.3g} times the other"
    return Setup(point["function"], int(figure(point, "columns") or 0), point["link"], str(point.get("placement") or "apart"),
                 pair(point, "processors"), pair(point, "threads"), shape)


def series(point):
    scheme = point.get("scheme")
    return Series(point["protocol"], str(point.get("security") or "semi-honest"), scheme if isinstance(scheme, str) else None)


def grouped(points, key):
    """Points by key in order of appearance, each group by size."""
    groups = {}
    for p in points:
        groups.setdefault(key(p), []).append(p)
    return {k: sorted(group, key=rows) for k, group in groups.items()}


def wall(run):
    return figure(run, "wall_seconds")


def carried(run, side):
    """Bytes that the transport of one side sent and received."""
    sent, received = figure(run, side, "sent_bytes"), figure(run, side, "received_bytes")
    return sent + received if sent and received else None


def moved(run):
    """Bytes of both directions as the receiver's transport counted them, else as the sender's or the link did."""
    for side in SIDES:
        if carried(run, side):
            return carried(run, side)
    there, back = figure(run, "wire_bytes", "to_sender"), figure(run, "wire_bytes", "to_receiver")
    return (there or 0) + (back or 0) or None


def peak(run):
    """Peak memory of the side that needed more."""
    return max((v for v in (figure(run, side, "peak_bytes") for side in SIDES) if v), default=None)


def expected(predicted):
    """A prediction in the shape of a run, so that wall, moved and peak can be asked of it."""
    return {**predicted, "wall_seconds": under(predicted, "wall_seconds", "expected")} if isinstance(predicted, dict) else {}


def deviations(point):
    """Measured by predicted of what has both: {"wall": 1.07, "bytes": 1.001, "memory": 0.98}; of the worse side."""
    said, found = expected(point.get("predicted")), {}
    measured = point["median"]
    if wall(measured) and wall(said):
        found["wall"] = wall(measured) / wall(said)
    for name, get in (("bytes", carried), ("memory", lambda run, side: figure(run, side, "peak_bytes"))):
        sides = [get(measured, side) / get(said, side) for side in SIDES if get(measured, side) and get(said, side)]
        if sides:
            found[name] = max(sides, key=lambda ratio: abs(ratio - 1))
    return found


def within(name, ratio):
    return abs(ratio - 1) <= LIMITS[name] + 1e-9


def limits(points):
    """How many predictions held: {"wall": (41, 45), ...}, without those that nothing can be said of."""
    counts = {}
    for p in points:
        for name, ratio in deviations(p).items():
            good, total = counts.get(name, (0, 0))
            counts[name] = good + within(name, ratio), total + 1
    return {name: counts[name] for name in LIMITS if name in counts}


def worst_first(points):
    """Points that have a prediction with their deviations, by the largest deviation in units of its limit."""
    found = [(p, deviations(p)) for p in points]
    return sorted(((p, d) for p, d in found if d), key=lambda x: -max(abs(r - 1) / LIMITS[n] for n, r in x[1].items()))


def ratios(points, above, below):
    """Wall time of one protocol by another at the sizes that have both: [(rows, ratio)], by size."""
    times = [{}, {}]
    for p in points:
        for at, protocol in enumerate((above, below)):
            if p["protocol"] == protocol and wall(p["median"]):
                times[at].setdefault(rows(p), wall(p["median"]))
    return [(n, times[0][n] / times[1][n]) for n in sorted(times[0].keys() & times[1].keys())]


def crossings(curve):
    """Where a curve of ratios crosses 1, straight between points on logarithmic axes: [(rows, "below" or "above" from there on)]."""
    found, side, before = [], 0, None
    for n, ratio in curve:
        height = math.log(ratio)
        if side * height < 0:
            part = before[1] / (before[1] - height)
            found.append((before[0] * (n / before[0]) ** part, "below" if height < 0 else "above"))
        side, before = height or side, (n, height)
    return found
