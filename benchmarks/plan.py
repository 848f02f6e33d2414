# SPDX-License-Identifier: Apache-2.0
"""What benchmarks/run measures: reads sizes, links and shares from options, makes the list of points, and says roughly how long a run takes."""
import dataclasses
import itertools
import re

PAILLIER_MAX = 1 << 14
SLOW_RATE = 100_000_000  # bits a second: links up to this are slow, and
SLOW_ROWS = 1 << 18  # from this size on count as long,
LONG_RUN = 30  # as does a run of so many seconds
CALIBRATION_SECONDS = 25
COLUMNS = (("amount_fen", 500_000_000), ("score", 2000), ("days", 8000), ("balance_fen", 500_000_000))  # of lists.c, and a bound


class Misuse(Exception):
    """An option that makes no sense; the message says which and what would."""


@dataclasses.dataclass(frozen=True)
class Link:
    name: str
    rate: int  # bits a second each way, 0: loopback as it is
    round_trip: float

    def option(self):
        """As tally estimate takes it."""
        rate = f"{self.rate / 1e9:g}gbit" if self.rate >= 10**9 else f"{self.rate / 1e6:g}mbit"
        return f"{rate},{self.round_trip * 1e3:g}ms"

    def shown(self):
        return {"bits_per_second": self.rate or None, "round_trip_seconds": self.round_trip if self.rate else None}


LINKS = {link.name: link for link in (Link("lan", 10**9, 0.0002), Link("wan100", 10**8, 0.030), Link("wan10", 10**7, 0.050),
                                      Link("loopback", 0, 0.0))}


@dataclasses.dataclass(frozen=True)
class Point:
    function: str
    protocol: str
    security: str
    scheme: str | None
    columns: int
    link: Link
    receiver_rows: int
    sender_rows: int
    overlap: int
    placement: str
    processors: tuple

    def shown(self):
        return dataclasses.asdict(self) | {"link": self.link.name, "processors": list(self.processors), "threads": list(self.processors)}

    def baseline(self):
        """The point of the insecure baseline with the same task."""
        return dataclasses.replace(self, protocol="plain", security="semi-honest", scheme=None)

    def title(self):
        parts = [self.function, self.protocol, self.scheme or ("malicious" if self.security == "malicious" else "")]
        rows = power(self.receiver_rows) if self.receiver_rows == self.sender_rows else f"{power(self.receiver_rows)} x {power(self.sender_rows)}"
        return f"{' '.join(p for p in parts if p):22} {rows:>12} {self.link.name:8}"


def power(n):
    return f"2^{n.bit_length() - 1}" if n and n & (n - 1) == 0 else str(n)


def size(text):
    """16384, 2^14, 10k or 1M (thousands and millions)."""
    if m := re.fullmatch(r"2\^(\d{1,2})", text):
        n = 1 << int(m[1])
    elif m := re.fullmatch(r"(\d{1,10})([kM]?)", text):
        n = int(m[1]) * {"": 1, "k": 1000, "M": 1_000_000}[m[2]]
    else:
        raise Misuse(f"size '{text}': write 16384, 2^14, 10k or 1M")
    if not 1 <= n <= 1 << 30:
        raise Misuse(f"size '{text}': 1 to 2^30 rows")
    return n


def sizes(text):
    """Sizes between commas; 2^10..2^22 is every power, 2^10..2^22/2 every second one."""
    found = []
    for part in text.split(","):
        if ".." not in part:
            found.append(size(part))
            continue
        m = re.fullmatch(r"2\^(\d{1,2})\.\.2\^(\d{1,2})(?:/(\d{1,2}))?", part)
        if not m or int(m[1]) > int(m[2]) or m[3] and int(m[3]) == 0:
            raise Misuse(f"sizes '{part}': a range is of powers of two, such as 2^10..2^20 or 2^10..2^20/2")
        found += [size(f"2^{e}") for e in range(int(m[1]), int(m[2]) + 1, int(m[3] or 1))]
    return list(dict.fromkeys(found))


def link(text):
    """A link by name, or one of one's own: name=100mbit,30ms."""
    if text in LINKS:
        return LINKS[text]
    m = re.fullmatch(r"([a-z0-9-]+)=(\d+(?:\.\d+)?)(k|m|g)bit,(\d+(?:\.\d+)?)(us|ms|s)", text)
    if not m:
        raise Misuse(f"link '{text}': one of {', '.join(LINKS)}, or name=100mbit,30ms (rate each way, round trip)")
    rate = round(float(m[2]) * {"k": 10**3, "m": 10**6, "g": 10**9}[m[3]])
    round_trip = float(m[4]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[m[5]]
    if not 1000 <= rate <= 10**11 or round_trip > 10 or m[1] in LINKS:
        raise Misuse(f"link '{text}': a name of its own, 1 kbit to 100 gbit, and at most 10 s")
    return Link(m[1], rate, round_trip)


def links(text):
    # A comma stands inside a link of one's own too.
    return list(dict.fromkeys(link(part) for part in re.findall(r"[^,=]+=[^,]*,[^,]*|[^,]+", text)))


def chosen(option, text, known):
    """Names between commas, or all."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise Misuse(f"{option} '{name}': all, or some of {', '.join(known)}")
    return list(dict.fromkeys(names))


def share(option, text):
    m = re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", text)
    if not m or float(m[1]) > 100:
        raise Misuse(f"{option} '{text}': a share such as 5%")
    return float(m[1]) / 100


def variants(function, o):
    """The (protocol, security, scheme) of a function, the baseline first."""
    protocols = chosen("--protocols", o.protocols, ("plain", "vole", "ecdh"))
    models = chosen("--security", o.security, ("semi-honest", "malicious"))
    if "plain" in protocols:
        yield "plain", "semi-honest", None
    if function == "match":
        if "vole" in protocols and "semi-honest" in models:
            yield "vole", "semi-honest", None
        if "ecdh" in protocols:
            yield from (("ecdh", model, None) for model in models)
    elif "ecdh" in protocols and "semi-honest" in models:
        schemes = chosen("--schemes", o.schemes, ("rlwe", "paillier")) if function == "sum" else [None]
        yield from (("ecdh", "semi-honest", scheme) for scheme in schemes)


def points(o, processors):
    """All points in the order in which they are measured. processors: of receiver and sender."""
    overlap = share("--overlap", o.overlap)
    functions = chosen("--functions", o.functions, ("match", "count", "sum"))
    theirs = sizes(o.theirs) if o.theirs else [None]
    limit = size(o.paillier_max)
    for mine, other, line in itertools.product(sizes(o.sizes), theirs, links(o.links)):
        other = other or mine
        for function in functions:
            for protocol, security, scheme in variants(function, o):
                if scheme == "paillier" and max(mine, other) > limit:
                    continue
                yield Point(function, protocol, security, scheme, o.columns if function == "sum" else 0, line, mine, other,
                            int(min(mine, other) * overlap), o.placement, processors)


def scaling(o, available):
    """What more processors give: every function at one size, both parties on the same 1, 2, 4, ... of them, without a shaped link."""
    if o.scaling == "none" or available < 2:
        return
    rows = size(o.scaling)
    counts = [1 << k for k in range(available.bit_length()) if 1 << k < available] + [available]
    for count in counts:
        for function in chosen("--functions", o.functions, ("match", "count", "sum")):
            for protocol, security, scheme in variants(function, o):
                if protocol != "plain" and scheme != "paillier" and security == "semi-honest":
                    yield Point(function, protocol, security, scheme, o.columns if function == "sum" else 0, LINKS["loopback"], rows, rows,
                                int(rows * share("--overlap", o.overlap)), "shared", (count, count))


def value_options(columns):
    """What tally is told of the values of a sum."""
    return [word for name, most in COLUMNS[:columns] for word in ("--value", f"{name}:0..{most}")]


def repeats(point, o):
    slow = 0 < point.link.rate <= SLOW_RATE and max(point.receiver_rows, point.sender_rows) >= SLOW_ROWS
    return min(o.long_repeats, o.repeats) if slow or expected_seconds(point) > LONG_RUN else o.repeats


# Microseconds of one processor of each side for a row, bytes of a row on the wire, both with its share of the rest; measured roughly.
COSTS = {("match", "plain"): (0.25, 18), ("count", "plain"): (0.25, 18), ("sum", "plain"): (0.25, 36),
         ("match", "vole"): (4.5, 45), ("match", "ecdh"): (34, 80), ("count", "ecdh"): (34, 105),
         ("sum", "rlwe"): (46, 120), ("sum", "paillier"): (900, 850)}


def expected_seconds(point):
    """Rough wall time of one run, to plan with; a fast guess and no claim."""
    cpu, wire = COSTS[point.function, point.scheme or point.protocol]
    if point.security == "malicious":
        cpu, wire = cpu * 2.1, wire * 1.1
    if point.placement == "shared":
        cpu *= 2  # both sides on the same processors
    rows = max(point.receiver_rows, point.sender_rows)
    line = rows * wire * 8 / point.link.rate if point.link.rate else 0
    return 0.3 + 8 * point.link.round_trip + rows * cpu / 1e6 / min(point.processors) + line
