# SPDX-License-Identifier: Apache-2.0
"""Made-up results of a benchmark for tests/bench_page.py. Usage: bench_results.py > results.json, to look at the page of it."""
import json
import random

chance = random.Random(1)  # of its own: whoever draws beside it changes nothing here
LINKS = {"lan": (1e9, 0.0002), "wan100": (1e8, 0.030), "wan10": (1e7, 0.050)}
COST = {"plain": (1.5e-7, 20, 90), "vole": (1.2e-6, 90, 330), "ecdh": (3.2e-5, 70, 210)}  # seconds, bytes and memory a row
PHASES = {"reading": 0.15, "waiting": 0.02, "matching": 0.8, "writing": 0.03}


def run(protocol, rows, link, speed, factor):
    seconds, row_bytes, memory = COST[protocol]
    rate, trip = LINKS[link]
    sent = rows * row_bytes + (2e6 if protocol == "vole" else 4e3)
    cpu = rows * seconds * factor
    wall = (0.05 + cpu / speed + sent * 8 / rate + 6 * trip) * factor
    def side(part):
        phases = None if protocol == "plain" else {p: {"seconds": wall * s, "cpu_seconds": cpu * part * s} for p, s in PHASES.items()}
        return {"cpu_seconds": cpu * part, "peak_bytes": int((6e6 + rows * memory * part) * factor**0.3), "sent_bytes": int(sent / 3) if part > 1 else int(sent * 2 / 3),
                "received_bytes": int(sent * 2 / 3) if part > 1 else int(sent / 3), "protocol_sent_bytes": None, "protocol_received_bytes": None, "disk_bytes": 0, "phases": phases}
    return {"wall_seconds": wall, "wire_bytes": {"to_sender": int(sent * 0.4), "to_receiver": int(sent * 0.63)}, "receiver": side(1.1), "sender": side(0.9)}


def point(function, protocol, rows, link="lan", security="semi-honest", processors=1, placement="apart", scheme=None, columns=0, predicted=True, factor=1.0):
    slow = (1.9 if security == "malicious" else 1) * (6 if scheme == "paillier" else 2 if scheme else 1) * factor
    made = {f: run(protocol, rows, link, processors**0.9, slow * f) for f in (0.93, 1.0, 1.12)}
    said = run(protocol, rows, link, processors**0.9, slow * chance.uniform(0.78, 1.2))
    wall = said["wall_seconds"]
    said = {"wall_seconds": {"low": wall * 0.8, "expected": wall, "high": wall * 1.3}, "receiver": said["receiver"], "sender": said["sender"]}
    return {"function": function, "protocol": protocol, "security": security, "scheme": scheme, "columns": columns, "link": link, "receiver_rows": rows, "sender_rows": rows,
            "overlap": rows // 10, "placement": placement, "processors": [processors] * 2, "threads": [processors] * 2,
            "runs": list(made.values()), "median": made[1.0], "min": made[0.93], "max": made[1.12], "predicted": said if predicted and protocol != "plain" else None}


def results(points):
    return {"schema": "tally-bench-1", "started": "2026-11-26T15:00:00Z", "finished": "2026-11-26T16:00:00Z", "command": "benchmarks/run --sizes 2^12,2^14,2^16,2^18,2^20 --out results/", "seed": 1,
            "machine": {"processor": "AMD EPYC 9B14", "processors": 2, "memory_bytes": 25000000000, "kernel": "6.18.5", "shaping": "tun"},
            "tally": {"tally": "0.1.0", "backends": {"group": "avx2", "sha512": "avx2", "rows": "portable"}}, "commit": "a91c6ff" + "0" * 33, "modified": False, "complete": True,
            "links": {k: {"bits_per_second": r, "round_trip_seconds": t} for k, (r, t) in LINKS.items()}, "points": points}


def full():
    """About what a long run of the harness gives."""
    chance.seed(1)
    points = [point("match", protocol, 2**k, link, security) for link in LINKS for k in (12, 14, 16, 18, 20)
              for protocol, security in (("plain", "semi-honest"), ("vole", "semi-honest"), ("ecdh", "semi-honest"), ("ecdh", "malicious"))]
    points += [point("count", "ecdh", 2**k, link) for link in ("lan", "wan100") for k in (12, 14, 16)]
    points += [point("sum", "ecdh", 2**k, "wan100", scheme=scheme, columns=1) for k in (12, 14, 16) for scheme in ("rlwe", "paillier")]
    points += [point("match", protocol, 2**18, "lan", processors=n, placement="shared") for protocol in ("vole", "ecdh") for n in (1, 2, 4)]
    return results(points)


if __name__ == "__main__":
    print(json.dumps(full(), indent=1))
