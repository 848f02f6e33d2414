#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes, by exact integers, the bounds of docs/curve.md from the operations of psi/field_fma.h and
psi/field_ifma.h. Prints them and fails if one does not hold. Usage: curve_bounds.py"""
P = 2**255 - 19
UNIT = 2**51
TIGHT, LOOSE = 2**50 + 2**15, 2**51 + 2**16


def check(what, ok):
    print(('  ' if ok else '! ') + what)
    check.failed += not ok


check.failed = 0


def terms(k):
    return 0 if k < 0 or k > 8 else k + 1 if k < 5 else 9 - k


def product_fma(a, b, low):
    """Largest magnitudes of columns and of the wide result; low halves up to `low`."""
    high = a * b // UNIT + 1
    columns = [terms(k) * low + terms(k - 1) * high for k in range(10)]
    return high, columns, [columns[k] + 19 * columns[k + 5] for k in range(5)]


print('doubles (psi/field_fma.h), magnitudes in units of 2^51')
check('tight times loose: %d above 2^101, below 2^102' % (TIGHT * LOOSE - 2**101), TIGHT * LOOSE < 2**102)
high, columns, loose = product_fma(TIGHT, LOOSE, UNIT - 1)
check('high half of tight times loose: 2^50 + %d' % (high - 2**50), high == 2**50 + 2**16 + 1)
print('    columns 0..9: ' + ' '.join('%.4g' % (c / UNIT) for c in columns))
check('product of tight and loose: %s, below 2^58' % ' '.join('%.6g' % (w / UNIT) for w in loose), max(loose) < 2**58)
tight = product_fma(TIGHT, TIGHT, UNIT - 1)[2]
check('product of two tight: %s' % ' '.join('%.6g' % (w / UNIT) for w in tight), max(tight) < 101 * UNIT)
wide = {'double_parts, 2 c + a - b': 4 * max(tight), 'add_parts and ready_of_parts, sum of two': 2 * max(tight),
        'test_mix': 2 * max(loose) + max(tight)}
for name, w in wide.items():
    check('%s: %.6g, below 2^60' % (name, w / UNIT), w < 2**60)
for name, w in [('of wide below 2^61', 2**61 - 1), ('of double_parts', wide['double_parts, 2 c + a - b']),
                ('of a product', max(loose))]:
    carry = max(abs(((x + 2**62 + 2**50) >> 51) - 2**11) for x in (-w, w))
    check('field_reduce %s: carries up to %d, lowest limb 2^50 + %d' % (name, carry, 19 * carry), 19 * carry < 2**15)
check('r + 19 c below 2^52 in field_reduce', 2**51 - 1 + 19 * (2**11 + 2**10) < 2**52)
value = sum(LOOSE * 2**(51 * i) for i in range(5))
check('a loose element is below 2^255 + 2^221', value < 2**255 + 2**221)
check('with 2 p added between 0 and 4 p', 0 < 2 * P - value and value + 2 * P < 4 * P)
split = LOOSE // UNIT + 1
check('field_integer: multiple of 2^51 up to %d, C + x between 2^103 and 2^104' % split, 3 * 2**102 - LOOSE > 2**103
      and 3 * 2**102 + LOOSE < 2**104)
check('3 * 2^51 + x alone would leave [2^52, 2^53] for a loose x', 3 * 2**51 + LOOSE > 2**53)

print('integers (psi/field_ifma.h), in units of 2^52')
FULL = 2**52 - 1
TOP = 2**47 - 1
limbs = [FULL] * 4 + [2**47 + 2**12 - 1]
r = [0] * 10
for i in range(5):
    for j in range(5):
        r[i + j] += min(FULL, limbs[i] * limbs[j])
        r[i + j + 1] += limbs[i] * limbs[j] >> 52
check('columns 0..9: %s' % ' '.join('%.4g' % (c / 2**52) for c in r), max(r) < 10 * 2**52)
check('column 9 by itself: 2^42 + %d' % (r[9] - 2**42), r[9] < 2**42 + 2**9)
carries = []
for k in range(6, 10):
    carries.append(r[k - 1] >> 52)
    r[k] += carries[-1]
check('carries out of columns 5..8: %s' % ' '.join(map(str, carries)), max(carries) < 10)
check('608 r9 below 2^52', 608 * r[9] < 2**52)
low, high = (lambda x: min(FULL, min(FULL, x) * 608)), (lambda x: min(FULL, x) * 608 >> 52)
w = [r[0] + low(r[5])] + [r[k] + high(r[k + 4]) + low(r[k + 5]) for k in range(1, 5)]
check('product: %s, below 10 * 2^52 + 2^10' % ' '.join('%.6g' % (x / 2**52) for x in w), max(w) < 10 * 2**52 + 2**10)
p9 = [(2**52 - 19) * 2**9] + [FULL * 2**9] * 3 + [TOP * 2**9]
check('2^9 p is above a product, limb by limb', all(x >= y for x, y in zip(p9, w)))
check('2 (2^9 p) is above 2^9 p and a product: 2 c - g of double_parts', all(2 * x >= x + y for x, y in zip(p9, w)))
f = [2 * (x + y) for x, y in zip(w, p9)]
check('double_parts, 2 c - g: below 2^62 + 2^57', max(f) < 2**62 + 2**57 < 2**63)
p2 = [(2**52 - 19) * 4] + [FULL * 4] * 3 + [TOP * 4]
check('4 p is above a tight element, limb by limb', all(x >= y for x, y in zip(p2, limbs)))
for name, x in [('of limbs below 2^63', [2**63 - 1] * 5), ('of a product', w), ('of double_parts', f)]:
    q = x[4] >> 47
    carry = 0
    for limb in [x[0] + 19 * q] + x[1:4]:
        carry = (limb + carry) >> 52
    check('field_reduce_factor %s: quotient up to %d, limb 4 below 2^47 + %d' % (name, q, carry),
          carry <= 2**11 and 19 * q < 2**21 and TOP + carry <= limbs[4])
value = sum(x * 2**(52 * i) for i, x in enumerate(limbs))
check('a tight element is below 2^256', value < 2**256)
check('reduced once more it is below 2^255 + 19', (value >> 255) * 19 + 2**255 - 1 < 2**255 + 19 + 1)
raise SystemExit(check.failed > 0)
