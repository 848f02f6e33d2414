#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cycles of a multiplication by a common scalar on processors that are not at hand, by a model of their ports.

usage: model.py OBJECT LANES PROCESSOR    (make bench-model; llvm-mca, of Debian's package llvm)

OBJECT is psi/group_ifma.o or psi/group_avx2.o of a release build, PROCESSOR a name of llvm-mca's. Each function that a
multiplication consists of is read from the object and run through llvm-mca as a loop, its calls, which are rows of their own, left
out. "ports" is what the busiest port needs, "simulated" what llvm-mca takes with its queues and latencies. The number of calls is
that of docs/curve.md, section 8, for a full batch. Not in it: caches, calls and returns, loads and stores of items, the clock.
"""
import re
import subprocess
import sys

BATCH = 128
FLOW = re.compile(r"(j|call|ret|nop|data16|cs nop|endbr|leave|xchg)")


def calls(lanes):
    """Of each function for one vector, a batch having BATCH / lanes of them; see psi/group_lanes.h."""
    batch = BATCH / lanes
    doubles, readies, picks, adds, add_readies = 63 * 3, 63 + 1, 64, 64, 7  # readies, add_readies: with the table
    decode = {"field_square_pair": 257 / 2, "field_multiply": 27}
    encode = {"field_square": 254 / batch, "field_multiply": 18 + 11 / batch}
    n = {
        "point_double": doubles,
        "point_double_ready": readies,
        "table_pick": picks,
        "point_add": adds,
        "point_add_ready": add_readies,
        "point_cache": 9,
        "point_get_ready": 1,
        "field_square_to": doubles + readies + 2,
        "field_square_raised_to": 2 * (doubles + readies) + 1,
        "field_multiply_to": doubles + 2 * readies + 2 * adds + 3 * add_readies + 2,
        "field_multiply_raised_to": readies + 2 * adds + 3 * add_readies,
        "field_multiply_factor": 3 * doubles + 2 * readies + 3 * adds + 2 * add_readies,
        "field_multiply": 9,
    }
    for part in (decode, encode):
        for name, count in part.items():
            n[name] = n.get(name, 0) + count
    return n


def functions(path):
    """By name: (address, instruction) of each. Compilers give one body to functions that do the same, so bodies go by address."""
    run = lambda *command: subprocess.run(command, check=True, capture_output=True, text=True).stdout
    blocks = re.findall(r"^([0-9a-f]+) <[^>]*>:\n(.*?)(?=\n\n|\Z)", run("objdump", "-d", "--no-show-raw-insn", path), re.S | re.M)
    bodies = {int(at, 16): [(int(a, 16), text.split("#")[0].strip()) for a, text in re.findall(r"^ *([0-9a-f]+):\t(.*)$", block, re.M)]
              for at, block in blocks}
    return {name: bodies[int(at, 16)] for at, name in re.findall(r"^([0-9a-f]+) [tT] (\S+)$", run("nm", path), re.M)}


def body(all_functions, name):
    """Instructions of a function without jumps and calls; two squarings of field_square_pair are one turn of its loop."""
    if name not in all_functions:
        sys.exit(f"model.py: no function {name} in the object: a release build by gcc has it, others may inline it")
    found = all_functions[name]
    if name.startswith("field_square") and not name.endswith("_to"):  # the loop: from the target of the last jump backwards
        back = [(at, int(re.match(r"j\w+ +([0-9a-f]+)", text)[1], 16)) for at, text in found if re.match(r"j\w+ +[0-9a-f]+", text)]
        end, start = [(at, to) for at, to in back if to < at][-1]
        found = [(at, text) for at, text in found if start <= at <= end]
    return [re.sub(r"<[^>]*>", "", text) for _, text in found if not FLOW.match(text)]


def modelled(instructions, processor, turns=50):
    done = subprocess.run(["llvm-mca", "-mcpu=" + processor, f"-iterations={turns}"], input="\n".join(instructions) + "\n", text=True,
                          capture_output=True)
    if done.returncode:
        sys.exit("model.py: llvm-mca: " + done.stderr.strip().splitlines()[0])
    ports = float(re.search(r"Block RThroughput: *([\d.]+)", done.stdout)[1])
    return ports, int(re.search(r"Total Cycles: *(\d+)", done.stdout)[1]) / turns


def main(argv):
    if len(argv) != 4:
        sys.exit(__doc__.split("\n")[2])
    lanes, processor = int(argv[2]), argv[3]
    try:
        found = functions(argv[1])
        sums = [0.0, 0.0]
        print(f"{'function':26}{'calls':>8}{'ports':>10}{'simulated':>11}")
        for name, count in calls(lanes).items():
            cost = modelled(body(found, name), processor)
            sums = [s + count * c for s, c in zip(sums, cost)]
            print(f"{name:26}{count:8.1f}{cost[0]:10.1f}{cost[1]:11.1f}")
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"model.py: {e}; objdump is in the package binutils, llvm-mca in llvm")
    print(f"{'a vector of ' + argv[2]:26}{'':8}{sums[0]:10.0f}{sums[1]:11.0f}")
    print(f"{'an item, ' + processor:26}{'':8}{sums[0] / lanes:10.0f}{sums[1] / lanes:11.0f}")


main(sys.argv)
