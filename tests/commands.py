# SPDX-License-Identifier: Apache-2.0
"""Tests of the installed command: commands.py [--long] [--only NAME] [-v] TALLY. Needs Python 3.11 and nothing else."""
import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "commands"))
import harness  # noqa: E402

TOPICS = (
    "identity", "keys", "check", "ping", "language", "agreement", "agreed", "ledger", "example", "output", "spelling", "lists", "columns",
    "counts", "sums", "serve", "estimate", "auth", "terms", "talk", "files", "breaks", "signals", "ops", "hostile", "soak",
)


def main():
    p = argparse.ArgumentParser(description="Tests of the installed command.")
    p.add_argument("--long", action="store_true", help="soak and scale tests too")
    p.add_argument("--only", help="tests whose name holds this")
    p.add_argument("-v", "--verbose", action="store_true", help="a line for every test")
    p.add_argument("tally", help="the command to test")
    o = p.parse_args()
    for topic in TOPICS:
        __import__(topic)
    began = time.monotonic()
    try:
        passed, failed = harness.run_all(os.path.abspath(o.tally), o.only, o.long, verbose=o.verbose)
    except OSError as e:
        print(f"commands: {e}")
        passed, failed = 0, 1
    print(f"commands  {passed + failed} tests, {failed} failed ({time.monotonic() - began:.0f} s)")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a") as f:
            f.write(f"commands {passed} {failed}\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
