#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Derives the parameters of subspace-VOLE matching (docs/protocol-vole.md) from first principles, prints them and
compares them with the constants in the sources. Standard library only. Status 1 when a constant differs.

Usage: python3 docs/parameters/derive.py
"""
import pathlib
import re
import sys
from math import ceil, comb, floor, lgamma, log, log1p, log2

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAMBDA = 40  # statistical security
DIMENSION = 80  # of the codes: bits of H_B
DENSE = 64
differences = 0


def source(path):
    return (ROOT / path).read_text()


def compare(what, derived, found):
    global differences
    same = derived == found
    differences += not same
    print(f"  {'=' if same else 'DIFFERS'} {what}: {derived}" + ("" if same else f", the source has {found}"))


def at_least(what, needed, has):
    global differences
    good = has >= needed
    differences += not good
    print(f"  {'ok' if good else 'TOO SMALL'} {what}: needs {needed}, the source has {has}")


# ---- Codes ------------------------------------------------------------------------------------------------------

def generator(t, field=0x11D):
    """Generator polynomial of the primitive narrow-sense BCH code of length 255 that corrects t errors: the product
    of x - a^r over the cyclotomic cosets of 1 .. 2t. Bit i is the coefficient of x^i."""
    exp, x = [], 1
    for _ in range(255):
        exp.append(x)
        x <<= 1
        if x & 256:
            x ^= field
    assert x == 1 and len(set(exp)) == 255, "x generates the field"
    index = {v: i for i, v in enumerate(exp)}
    roots = {i * 2**j % 255 for i in range(1, 2 * t + 1) for j in range(8)}
    g = [1]
    for r in roots:
        product = [0] * (len(g) + 1)
        for i, c in enumerate(g):
            product[i + 1] ^= c
            if c:
                product[i] ^= exp[(index[c] + r) % 255]
        g = product
    assert set(g) <= {0, 1}, "cosets are closed under squaring, so the polynomial is binary"
    return sum(c << i for i, c in enumerate(g)), len(g) - 1


def rank(rows):
    basis = []
    for row in rows:
        for b in basis:
            row = min(row, row ^ b)
        if row:
            basis.append(row)
    return len(basis)


def codes():
    print(f"codes: BCH of length 255, extended by a parity bit, shortened to dimension {DIMENSION}")
    text = source("psi/code.c")
    found = {int(k): (int(d), int(hi, 16) << 64 | int(lo, 16))
             for k, d, hi, lo in re.findall(r"\{(\d+), (\d+), (0x[0-9a-f]+), (0x[0-9a-f]+)\}", text)}
    header = source("psi/code.h")
    compare("dimension in psi/code.h", DIMENSION, int(re.search(r"PSI_CODE_DIMENSION (\d+)u", header)[1]))
    compare("values of k in psi/code.c", [4, 6], sorted(found))
    widest, shapes = 0, {}
    for k in sorted(found):
        t = next(t for t in range(1, 60) if k * (2 * t + 2) >= 128)
        g, degree = generator(t)
        columns, distance = DIMENSION + degree + 1, 2 * t + 2
        rows = []
        for i in range(DIMENSION):  # x^i times the generator: a basis of the shortened code
            word = g << i
            rows.append(word << 1 | bin(word).count("1") & 1)
        print(f"  k={k}: (255, {255 - degree}, {2 * t + 1}), {columns} columns, distance {distance}, "
              f"k*d = {k * distance}, dimension {rank(rows)}, lightest row of the basis "
              f"{min(bin(r).count('1') for r in rows)}")
        assert rank(rows) == DIMENSION and k * distance >= 128
        compare(f"generator k={k}", (degree, hex(g)), (found[k][0], hex(found[k][1])))
        line = re.search(rf"^ \*\s+{k}\s+\((\d+),(\d+),(\d+)\)\s+(\d+)\s+(\d+)\s+(\d+)", header, re.M)
        compare(f"table of psi/code.h k={k}", (255, 255 - degree, 2 * t + 1, columns, distance, k * distance),
                tuple(map(int, line.groups())))
        widest = max(widest, columns)
        shapes[k] = (columns, distance)
    compare("PSI_CODE_COLUMNS_MAX", widest, int(re.search(r"PSI_CODE_COLUMNS_MAX (\d+)u", header)[1]))
    return shapes


# ---- Bins and slots ---------------------------------------------------------------------------------------------

def log2_tail(n, p, load):
    """log2 of Pr[Bin(n, p) > load], summed term by term from the largest down."""
    def point(x):
        return (lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(p) + (n - x) * log1p(-p)) / log(2)
    first, total = point(load + 1), 0.0
    for x in range(load + 1, n + 1):
        term = 2.0 ** (point(x) - first)
        total += term
        if term < 2.0**-60:
            break
    return first + log2(total)


def largest_load(n, bins):
    """Smallest L such that some bin exceeds L with probability at most 2^-(LAMBDA + 1) in all."""
    if bins == 1:
        return n
    lo, hi = n // bins, 2 * (n // bins) + 200
    while lo < hi:
        mid = (lo + hi) // 2
        if log2(bins) + log2_tail(n, 1 / bins, mid) <= -(LAMBDA + 1):
            hi = mid
        else:
            lo = mid + 1
    return lo


def expansion(rows, bits):
    """Raghuraman and Rindal (2022), weight 3: a fit, not a theorem."""
    return 1.223 + (bits + 9.2) / 2 ** (0.555 * log2(rows) + 2.336)


def slots_needed(rows, bins):
    bits = LAMBDA + 1 + log2(bins)
    e = expansion(rows, bits)
    sparse = ceil(e * rows)
    return e, sparse, sparse + DENSE, floor(bits / log2(sparse))


def bins_and_slots():
    print("\nbins of 2^15 items: load L from the exact binomial tail, expansion e for 2^-(41 + log2 bins)")
    text = source("psi/vole.c")
    single = re.search(r"single\[\] = \{(.*?)\};", text, re.S)[1]
    many = re.search(r"many\[\] = \{(.*?)\};", text, re.S)[1]
    single = [tuple(map(int, m)) for m in re.findall(r"\{(\d+), (\d+)\}", single)]
    many = [tuple(map(int, m)) for m in re.findall(r"\{(\d+), (\d+), (\d+)\}", many)]

    def up(x):
        return -(-x // 512) * 512

    for items, slots in single:
        e, sparse, needed, gap = slots_needed(items, 1)
        print(f"  one bin, {items} items: e {e:.4f}, {sparse} + {DENSE}, gap {gap}")
        compare(f"slots for {items}", up(needed), slots)
    compare("sizes of one bin", [2**i for i in range(10, 16)], [s[0] for s in single])
    shown = (2, 3, 4, 8, 16, 31, 32, 33, 48, 63, 64)
    tops = []
    for first, (last, slots, load) in zip((2, many[0][0] + 1), many):
        bins_here = range(first, last + 1) if last <= 64 else sorted(
            {first, last} | {first * 2**i for i in range(10) if first * 2**i < last} | {306, 3052, 10000})
        worst_load = worst_slots = 0
        for bins in bins_here:
            here = largest_load(bins * 2**15, bins)  # fullest: fewer items in as many bins are no worse
            e, sparse, needed, gap = slots_needed(here, bins)
            worst_load, worst_slots = max(worst_load, here), max(worst_slots, needed)
            if bins in shown or last > 64:
                print(f"  {bins} bins: L {here}, e {e:.4f}, {sparse} + {DENSE}, gap {gap}")
        at_least(f"load up to {last} bins", worst_load, load)
        at_least(f"slots up to {last} bins", worst_slots, slots)
        # rows up to the load the source admits must fit the law as well
        at_least(f"slots up to {last} bins at the admitted load", slots_needed(load, last)[2], slots)
        compare(f"slots a multiple of 512 up to {last} bins", 0, slots % 512)
        tops.append(last)
    compare("bins", [64, 2**15], tops)
    assert all(s - DENSE <= 65536 for _, s in single) and all(s <= 65536 for _, s, _ in many)
    # the probability that a g x 64 random binary matrix has no full rank is below 2^(g - 64)
    for g in (1, 2, 3):
        exact = 1.0
        for i in range(g):
            exact *= 1 - 2.0 ** (i - DENSE)
        assert 1 - exact < 2.0 ** (g - DENSE)
    return single, many


# ---- Rows, tags, hashes -----------------------------------------------------------------------------------------

def lengths(shapes, single, many):
    print("\nshort rows: Z is injective on the 2^(k d) offsets of one codeword, except with probability")
    header = source("psi/rowhash.h")
    most = int(re.search(r"PSI_ROW_BLOCKS_MAX (\d+)u", header)[1])
    for k, (columns, distance) in shapes.items():
        bits = k * columns
        blocks = -(-bits // 128)
        bound = k * distance + 2 * (log2(blocks) - 128)
        print(f"  k={k}: {bits} bits, {blocks} blocks, 2^{k * distance} * ({blocks} / 2^128)^2 = 2^{bound:.1f}; "
              f"for 2^20 items 2^{bound + 20:.1f}, for 2^30 2^{bound + 30:.1f}")
        compare(f"row of k={k} in psi/rowhash.h", (bits, blocks),
                tuple(map(int, re.search(rf"k = {k}: (\d+) bits, (\d+) blocks", header).groups())))
        at_least(f"PSI_ROW_BLOCKS_MAX for k={k}", blocks, most)
        assert bound + 30 <= -LAMBDA

    print("\nH_B: 80 bits; a non-member is taken for a member with probability 2^-80 each")
    for log_n in (10, 20, 24, 30):
        print(f"  2^{log_n} items of the sender: 2^{log_n - DIMENSION}")
    at_least("bits of H_B at 2^30", LAMBDA + 30, DIMENSION)

    print("\nids of 128 bits: two of 2^31 items collide with probability below 2^%.1f" % (log2(comb(2**31, 2)) - 128))
    print("streams: AES-128 in counter mode, one block for 128 slots")
    for bins, slots in ((32, many[0][1]), (2**15, many[1][1])):
        blocks = bins * slots // 128
        for k, (columns, _) in shapes.items():
            print(f"  {bins} bins, k={k}: {blocks} blocks a leaf, {columns} unknown leaves: apart from random by "
                  f"2^{2 * log2(blocks) - 129 + log2(columns):.1f}")
    print("trees: fixed AES keys without a tweak, so one offline guess meets any unknown node or leaf of a session")
    for k, (columns, _) in shapes.items():
        targets = (k + 1) * columns
        print(f"  k={k}: {targets} targets, probability 2^{log2(targets) - 128:.1f} for each guess")

    print("\ntags: ceil((40 + ceil(log2 n_x) + ceil(log2 n_y)) / 8) bytes")
    text = source("psi/tagsize.h")
    compare("PSI_STAT_BITS", LAMBDA, int(re.search(r"PSI_STAT_BITS (\d+)", text)[1]))

    def width(nx, ny):
        return -(-(LAMBDA + (nx - 1).bit_length() + (ny - 1).bit_length()) // 8)

    for n in (1, 2**10, 2**16, 2**20, 2**24, 10**8, 2**30):
        print(f"  n = {n}: {width(n, n)} bytes, false matches 2^{2 * log2(n) - 8 * width(n, n):.1f}")
        assert 2 * log2(n) - 8 * width(n, n) <= -LAMBDA
    compare("PSI_TAG_MAX holds the widest", True, int(re.search(r"PSI_TAG_MAX (\d+)", text)[1]) >= width(2**30, 2**30))

    print("\nbytes at 2^20 x 2^20")
    for k, (columns, _) in shapes.items():
        d = 32 * (16 + columns * many[0][1] // 8)
        ots = -(-k * columns // 8) * 8
        setup = 1 + 128 * 64 + 64 + 128 * ots // 8 + 32 * k * columns
        tags = width(2**20, 2**20) * 2**20
        print(f"  k={k}: setup {setup}, bins {d}, tags {tags}, together {setup + d + tags}, "
              f"{8 * (setup + d + tags) / 2**20:.1f} bits an item")


def main():
    shapes = codes()
    single, many = bins_and_slots()
    lengths(shapes, single, many)
    print("\nall constants of the sources agree" if differences == 0 else f"\n{differences} differences")
    return differences != 0


if __name__ == "__main__":
    sys.exit(main())
