/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic modulo p = 2^255 - 19 in lanes, by the integer multiply-add of 52 bits: one element a lane.
 * docs/curve.md derives every bound. The file that includes it defines LANES, the type lanes (LANES unsigned
 * numbers of 64 bits) and the operations on it that are listed in psi/curve_lanes.h; psi/curve_lanes.h is
 * included after it.
 *
 * An element is x = x0 + 2^52 x1 + .. + 2^208 x4.
 * - tight: xi < 2^52 for i < 4, x4 < 2^47 + 2^12: below 2^256. What every function returns, unless it says
 *   otherwise; loose elements of psi/field_fma.h are tight here.
 * - factor: tight in the low 52 bits of x0..x3, whatever stands above them. It may be multiplied, squared,
 *   selected and moved; field_settle makes it tight. A tight element is a factor.
 * - wide: five integers, a product or a small sum of products before its carries; xi < 2^63.
 * - raised: a product with 2^9 p added, so that another product can be taken off. At most three of them make
 *   a wide element: a limb of 2^9 p is below 2^61.
 * What is added to, taken off or compared is tight; a factor would count twice what it has carried.
 *
 * lanes_low(r, a, b) adds the low 52 bits of a b to r and lanes_high(r, a, b) the bits above, both of the
 * low 52 bits of a and b: of a factor they take what counts.
 */
#include <stdint.h>

typedef struct field {
    lanes l[5];
} field;

typedef struct field_wide {
    lanes l[5];
} field_wide;

#define FIELD_MASK (((uint64_t)1 << 52) - 1)
#define FIELD_TOP (((uint64_t)1 << 47) - 1) /* what limb 4 of a number of 255 bits holds */

/*
 * Ten columns, 2^260 = 608 modulo p. Columns 0..8 have at most nine halves, so r < 9 * 2^52; column 9 has one
 * high half of x4 y4 < 2^94 + 2^61, so r9 < 2^42 + 2^9. Columns 5..8 pass on what is above 52 bits, below 10.
 * Then column k + 5 goes to column k: its low 52 bits times 608, of which the high half goes to column k + 1;
 * 608 r9 < 2^52 has none. Result: limbs below 10 * 2^52 + 2^10 < 2^56.
 */
static LANES_INLINE field_wide field_fold(const lanes r[10])
{
    const lanes f = lanes_set(608);
    const lanes r5 = r[5], r6 = lanes_add(r[6], lanes_right(r5, 52)),
                r7 = lanes_add(r[7], lanes_right(r6, 52)), r8 = lanes_add(r[8], lanes_right(r7, 52)),
                r9 = lanes_add(r[9], lanes_right(r8, 52));
    return (field_wide){{lanes_low(r[0], r5, f), lanes_low(lanes_high(r[1], r5, f), r6, f),
                         lanes_low(lanes_high(r[2], r6, f), r7, f), lanes_low(lanes_high(r[3], r7, f), r8, f),
                         lanes_low(lanes_high(r[4], r8, f), r9, f)}};
}

/* The limbs of 2^m p. */
#define FIELD_MULTIPLE(i, m) (((i) == 0 ? FIELD_MASK - 18 : (i) == 4 ? FIELD_TOP : FIELD_MASK) << (m))

/*
 * What the columns of a raised product start with: 2^9 p, of which each limb is above that of a product, as
 * 10 * 2^52 + 2^10 < 2^56 - 2^9; and of a raised square, whose columns 1..4 are doubled on the way.
 */
static const uint64_t field_raise[5] = {FIELD_MULTIPLE(0, 9), FIELD_MULTIPLE(1, 9), FIELD_MULTIPLE(2, 9),
                                        FIELD_MULTIPLE(3, 9), FIELD_MULTIPLE(4, 9)};
static const uint64_t field_raise_square[5] = {FIELD_MULTIPLE(0, 9), FIELD_MULTIPLE(1, 8),
                                               FIELD_MULTIPLE(2, 8), FIELD_MULTIPLE(3, 8),
                                               FIELD_MULTIPLE(4, 8)};

static LANES_INLINE void field_columns(lanes r[10], int raised, const uint64_t start[5])
{
    for (int k = 0; k < 10; k++)
        r[k] = raised && k < 5 ? lanes_everywhere(&start[k]) : lanes_set(0);
}

static LANES_INLINE field_wide field_multiply_wide(const field *a, const field *b, int raised)
{
    lanes r[10];
    field_columns(r, raised, field_raise);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            r[i + j] = lanes_low(r[i + j], a->l[i], b->l[j]);
            r[i + j + 1] = lanes_high(r[i + j + 1], a->l[i], b->l[j]);
        }
    return field_fold(r);
}

/* Products of different limbs are added up first and doubled. */
static LANES_INLINE field_wide field_square_wide(const field *a, int raised)
{
    lanes r[10];
    field_columns(r, raised, field_raise_square);
    for (int i = 0; i < 5; i++)
        for (int j = i + 1; j < 5; j++) {
            r[i + j] = lanes_low(r[i + j], a->l[i], a->l[j]);
            r[i + j + 1] = lanes_high(r[i + j + 1], a->l[i], a->l[j]);
        }
    for (int k = 1; k < 9; k++)
        r[k] = lanes_add(r[k], r[k]);
    for (int i = 0; i < 5; i++) {
        r[2 * i] = lanes_low(r[2 * i], a->l[i], a->l[i]);
        r[2 * i + 1] = lanes_high(r[2 * i + 1], a->l[i], a->l[i]);
    }
    return field_fold(r);
}

static LANES_INLINE field_wide field_wide_add(const field_wide *a, const field_wide *b)
{
    field_wide w;
    for (int i = 0; i < 5; i++)
        w.l[i] = lanes_add(a->l[i], b->l[i]);
    return w;
}

/* a has 2^9 p more often than b, and b at most one product besides. */
static LANES_INLINE field_wide field_wide_subtract(const field_wide *a, const field_wide *b)
{
    field_wide w;
    for (int i = 0; i < 5; i++)
        w.l[i] = lanes_sub(a->l[i], b->l[i]);
    return w;
}

/*
 * A factor. The bits above 2^255 go first, then carries upwards: limb 4 ends below 2^47 and a carry of at
 * most 2^11. Limbs are below 2^63 on entry: 19 times the highest carry, 2^16, is below 2^21. What went up
 * from limbs 0..3 still stands above their 52 bits.
 */
static LANES_INLINE field field_reduce_factor(const field_wide *w, int products)
{
    (void)products; /* psi/field_fma.h needs it */
    lanes x0 = lanes_low(w->l[0], lanes_right(w->l[4], 47), lanes_set(19));
    lanes x1 = lanes_add(w->l[1], lanes_right(x0, 52));
    lanes x2 = lanes_add(w->l[2], lanes_right(x1, 52));
    lanes x3 = lanes_add(w->l[3], lanes_right(x2, 52));
    lanes x4 = lanes_add(lanes_and(w->l[4], lanes_set(FIELD_TOP)), lanes_right(x3, 52));
    return (field){{lanes_factor(x0), lanes_factor(x1), lanes_factor(x2), lanes_factor(x3), x4}};
}

/* A factor made tight. */
static LANES_INLINE field field_settle(const field *a)
{
    const lanes mask = lanes_set(FIELD_MASK);
    return (field){{lanes_and(a->l[0], mask), lanes_and(a->l[1], mask), lanes_and(a->l[2], mask),
                    lanes_and(a->l[3], mask), a->l[4]}};
}

static LANES_INLINE field field_reduce(const field_wide *w, int products)
{
    field x = field_reduce_factor(w, products);
    return field_settle(&x);
}

static LANES_INLINE field field_add(const field *a, const field *b)
{
    field_wide w;
    for (int i = 0; i < 5; i++)
        w.l[i] = lanes_add(a->l[i], b->l[i]);
    return field_reduce(&w, 0);
}

/* 4 p is added: each of its limbs is above a tight one's. */
static LANES_INLINE field field_subtract(const field *a, const field *b)
{
    field_wide w;
    for (int i = 0; i < 5; i++)
        w.l[i] = lanes_sub(lanes_add(a->l[i], lanes_set(FIELD_MULTIPLE(i, 2))), b->l[i]);
    return field_reduce(&w, 0);
}

static LANES_INLINE field field_negate(const field *a)
{
    const field zero = {{lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)}};
    return field_subtract(&zero, a);
}

static LANES_INLINE lanes field_limb(const field *a, int i)
{
    return a->l[i];
}

static LANES_INLINE field field_of_limbs(lanes x0, lanes x1, lanes x2, lanes x3, lanes x4)
{
    return (field){{x0, x1, x2, x3, x4}};
}

static LANES_INLINE field field_tighten(const field *a)
{
    return *a;
}

/* The number of 255 bits in four words of 64 bits, lowest first; bit 255 is ignored. */
static LANES_INLINE field field_from_words(const lanes w[4])
{
    const lanes mask = lanes_set(FIELD_MASK);
    return (field){{lanes_and(w[0], mask),
                    lanes_and(lanes_or(lanes_right(w[0], 52), lanes_left(w[1], 12)), mask),
                    lanes_and(lanes_or(lanes_right(w[1], 40), lanes_left(w[2], 24)), mask),
                    lanes_and(lanes_or(lanes_right(w[2], 28), lanes_left(w[3], 36)), mask),
                    lanes_and(lanes_right(w[3], 16), lanes_set(FIELD_TOP))}};
}

/*
 * The canonical number, 0 <= x < p. A tight element is below 2^256, so once more reduced it is below
 * 2^255 + 19; then x + 19 >= 2^255 exactly if x >= p.
 */
static inline void field_to_words(lanes w[4], const field *a)
{
    const lanes mask = lanes_set(FIELD_MASK), nineteen = lanes_set(19);
    field_wide once = {{a->l[0], a->l[1], a->l[2], a->l[3], a->l[4]}};
    field x = field_reduce(&once, 0);
    lanes q = nineteen;
    for (int i = 0; i < 4; i++)
        q = lanes_right(lanes_add(x.l[i], q), 52);
    q = lanes_right(lanes_add(x.l[4], q), 47);
    x.l[0] = lanes_low(x.l[0], q, nineteen);
    for (int i = 0; i < 4; i++) {
        x.l[i + 1] = lanes_add(x.l[i + 1], lanes_right(x.l[i], 52));
        x.l[i] = lanes_and(x.l[i], mask);
    }
    x.l[4] = lanes_and(x.l[4], lanes_set(FIELD_TOP));
    w[0] = lanes_or(x.l[0], lanes_left(x.l[1], 52));
    w[1] = lanes_or(lanes_right(x.l[1], 12), lanes_left(x.l[2], 40));
    w[2] = lanes_or(lanes_right(x.l[2], 24), lanes_left(x.l[3], 28));
    w[3] = lanes_or(lanes_right(x.l[3], 36), lanes_left(x.l[4], 16));
}
