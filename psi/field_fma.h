/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic modulo p = 2^255 - 19 in lanes, by the fused multiply-add of double precision: one element a
 * lane. docs/curve.md derives every bound. The file that includes it defines LANES, the types lanes (LANES
 * unsigned numbers of 64 bits) and reals (LANES doubles) and the operations on them that are listed in
 * psi/curve_lanes.h; psi/curve_lanes.h is included after it.
 *
 * An element is five integers in doubles, x = x0 + 2^51 x1 + .. + 2^204 x4.
 * - tight: |xi| <= 2^50 + 2^15. What every function returns, unless it says otherwise.
 * - loose: |xi| <= 2^51 + 2^16, the sum or difference of two tight ones. One factor of a product may be
 *   loose, the other must be tight; a loose element is not squared and not added to again.
 * - wide: five integers of 64 bits (two's complement), a product or a small sum of products before its
 *   carries; |xi| < 2^61.
 * What psi/field_ifma.h calls a factor is tight here, and products, which have a sign, need not be raised.
 *
 * A product of limbs |a b| < 2^102 is split without error: h = round(a b + C) for C = 3 * 2^102 keeps the
 * multiple of 2^51 next to a b, in any rounding mode, since the sum lies between 2^103 and 2^104, where
 * doubles are 2^51 apart; then l = a b - (h - C) is below 2^51 in magnitude and l + 3 * 2^51 lies between
 * 2^52 and 2^53, where doubles are the integers. The bits of both, taken as integers, are a constant plus
 * (h - C) / 2^51 and a constant plus l. Integers are added up as they are; field_reduce takes the constants
 * off, once for each product that went into a wide element.
 */
#include <stdint.h>

typedef struct field {
    reals l[5];
} field;

typedef struct field_wide {
    lanes l[5];
} field_wide;

#define FIELD_MASK (((uint64_t)1 << 51) - 1)
#define FIELD_SPLIT 0x1.8p103               /* C */
#define FIELD_UNIT 0x1.8p52                 /* 3 * 2^51 */
#define FIELD_SPLIT_BITS 0x4668000000000000 /* of C: exponent 1023 + 103, fraction 1/2 */
#define FIELD_UNIT_BITS 0x4338000000000000  /* of 3 * 2^51 */

/* Column k of a product has as many low halves as there are i, j in 0..4 with i + j = k, and the high halves
 * of column k - 1. FIELD_CARRIED: what their constants come to in limb k, column k + 5 folded in. */
#define FIELD_TERMS(k) ((k) < 0 || (k) > 8 ? 0 : (k) < 5 ? (k) + 1 : 9 - (k))
#define FIELD_COLUMN(k)                                                                                      \
    ((uint64_t)FIELD_TERMS(k) * FIELD_UNIT_BITS + (uint64_t)FIELD_TERMS((k)-1) * FIELD_SPLIT_BITS)
#define FIELD_CARRIED(k) (FIELD_COLUMN(k) + 19 * FIELD_COLUMN((k) + 5))

/* What field_reduce adds to the limbs of a wide element of 0, 1 or 2 products: 2^62 + 2^50, and the constants
 * taken off. */
#define FIELD_BIAS(k, products) (((uint64_t)1 << 62) + ((uint64_t)1 << 50) - (products)*FIELD_CARRIED(k))
#define FIELD_BIASES(products)                                                                               \
    {                                                                                                        \
        FIELD_BIAS(0, products), FIELD_BIAS(1, products), FIELD_BIAS(2, products), FIELD_BIAS(3, products),  \
            FIELD_BIAS(4, products)                                                                          \
    }
static const uint64_t field_biases[3][5] = {FIELD_BIASES(0), FIELD_BIASES(1), FIELD_BIASES(2)};
static const uint64_t field_mask = FIELD_MASK;
static const uint64_t field_unit = 0x4330000000000000; /* the bits of 2^52 */
static const uint64_t field_nineteen = 19;
static const double field_split = FIELD_SPLIT, field_both = FIELD_SPLIT + FIELD_UNIT;
static const double field_limb_bias = 0x1p52 + 0x1p50 + 0x1p11,
                    field_lowest_bias = 0x1p52 + 0x1p50 + 19 * 0x1p11;

/* r + 19 x */
static inline lanes field_fold(lanes r, lanes x)
{
    return lanes_add(lanes_add(r, x), lanes_add(lanes_add(x, x), lanes_left(x, 4)));
}

/*
 * Low halves are below 2^51, high ones up to 2^50 + 2^16 + 1 (one factor loose): columns are below 7 * 2^51 +
 * 2^20 in magnitude, and below 125 * 2^51 < 2^58 once folded. Column 4 comes first, then 5 and 0, 6 and 1, ..
 * so that a column is whole soon after its first term.
 */
static LANES_INLINE field_wide field_multiply_wide(const field *a, const field *b, int raised)
{
    (void)raised;
    field_wide w;
    const reals split = reals_everywhere(&field_split), both = reals_everywhere(&field_both);
    lanes r0, r1, r2, r3, r4, r5, r6, r7, r8, r9;
    lanes_product_set(a->l[0], &b->l[4], split, both, &r4, &r5);
    lanes_product(a->l[1], &b->l[3], split, both, &r4, &r5);
    lanes_product(a->l[2], &b->l[2], split, both, &r4, &r5);
    lanes_product(a->l[3], &b->l[1], split, both, &r4, &r5);
    lanes_product(a->l[4], &b->l[0], split, both, &r4, &r5);
    lanes_product_high(a->l[1], &b->l[4], split, both, &r5, &r6);
    lanes_product(a->l[2], &b->l[3], split, both, &r5, &r6);
    lanes_product(a->l[3], &b->l[2], split, both, &r5, &r6);
    lanes_product(a->l[4], &b->l[1], split, both, &r5, &r6);
    lanes_product_set(a->l[0], &b->l[0], split, both, &r0, &r1);
    w.l[0] = field_fold(r0, r5);
    lanes_product_high(a->l[2], &b->l[4], split, both, &r6, &r7);
    lanes_product(a->l[3], &b->l[3], split, both, &r6, &r7);
    lanes_product(a->l[4], &b->l[2], split, both, &r6, &r7);
    lanes_product_high(a->l[0], &b->l[1], split, both, &r1, &r2);
    lanes_product(a->l[1], &b->l[0], split, both, &r1, &r2);
    w.l[1] = field_fold(r1, r6);
    lanes_product_high(a->l[3], &b->l[4], split, both, &r7, &r8);
    lanes_product(a->l[4], &b->l[3], split, both, &r7, &r8);
    lanes_product_high(a->l[0], &b->l[2], split, both, &r2, &r3);
    lanes_product(a->l[1], &b->l[1], split, both, &r2, &r3);
    lanes_product(a->l[2], &b->l[0], split, both, &r2, &r3);
    w.l[2] = field_fold(r2, r7);
    lanes_product_high(a->l[4], &b->l[4], split, both, &r8, &r9);
    lanes_product(a->l[0], &b->l[3], split, both, &r3, &r4);
    lanes_product(a->l[1], &b->l[2], split, both, &r3, &r4);
    lanes_product(a->l[2], &b->l[1], split, both, &r3, &r4);
    lanes_product(a->l[3], &b->l[0], split, both, &r3, &r4);
    w.l[3] = field_fold(r3, r8);
    w.l[4] = field_fold(r4, r9);
    return w;
}

/* a tight. Products of different limbs are added up apart and doubled. */
static LANES_INLINE field_wide field_square_wide(const field *a, int raised)
{
    (void)raised;
    field_wide w;
    const reals split = reals_everywhere(&field_split), both = reals_everywhere(&field_both);
    lanes r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, o1, o2, o3, o4, o5, o6, o7, o8;
    lanes_product_set(a->l[0], &a->l[4], split, both, &o4, &o5);
    lanes_product(a->l[1], &a->l[3], split, both, &o4, &o5);
    lanes_product_set(a->l[2], &a->l[2], split, both, &r4, &r5);
    lanes_product_high(a->l[1], &a->l[4], split, both, &o5, &o6);
    lanes_product(a->l[2], &a->l[3], split, both, &o5, &o6);
    r5 = lanes_add(r5, lanes_add(o5, o5));
    lanes_product_set(a->l[0], &a->l[0], split, both, &r0, &r1);
    w.l[0] = field_fold(r0, r5);
    lanes_product_high(a->l[2], &a->l[4], split, both, &o6, &o7);
    lanes_product_set(a->l[3], &a->l[3], split, both, &r6, &r7);
    r6 = lanes_add(r6, lanes_add(o6, o6));
    lanes_product_set(a->l[0], &a->l[1], split, both, &o1, &o2);
    r1 = lanes_add(r1, lanes_add(o1, o1));
    w.l[1] = field_fold(r1, r6);
    lanes_product_high(a->l[3], &a->l[4], split, both, &o7, &o8);
    r7 = lanes_add(r7, lanes_add(o7, o7));
    lanes_product_high(a->l[0], &a->l[2], split, both, &o2, &o3);
    lanes_product_set(a->l[1], &a->l[1], split, both, &r2, &r3);
    r2 = lanes_add(r2, lanes_add(o2, o2));
    w.l[2] = field_fold(r2, r7);
    lanes_product_set(a->l[4], &a->l[4], split, both, &r8, &r9);
    r8 = lanes_add(r8, lanes_add(o8, o8));
    lanes_product(a->l[0], &a->l[3], split, both, &o3, &o4);
    lanes_product(a->l[1], &a->l[2], split, both, &o3, &o4);
    r3 = lanes_add(r3, lanes_add(o3, o3));
    w.l[3] = field_fold(r3, r8);
    r4 = lanes_add(r4, lanes_add(o4, o4));
    w.l[4] = field_fold(r4, r9);
    return w;
}

static LANES_INLINE field_wide field_wide_add(const field_wide *a, const field_wide *b)
{
    return (field_wide){{lanes_add(a->l[0], b->l[0]), lanes_add(a->l[1], b->l[1]),
                         lanes_add(a->l[2], b->l[2]), lanes_add(a->l[3], b->l[3]),
                         lanes_add(a->l[4], b->l[4])}};
}

static LANES_INLINE field_wide field_wide_subtract(const field_wide *a, const field_wide *b)
{
    return (field_wide){{lanes_sub(a->l[0], b->l[0]), lanes_sub(a->l[1], b->l[1]),
                         lanes_sub(a->l[2], b->l[2]), lanes_sub(a->l[3], b->l[3]),
                         lanes_sub(a->l[4], b->l[4])}};
}

/*
 * All carries at once. With x + 2^62 + 2^50 = 2^51 c + r, 0 <= r < 2^51, a limb x is 2^51 (c - 2^11) +
 * r - 2^50, |c - 2^11| <= 2^10. A limb of the result is r - 2^50 and its lower neighbour's carry, 19 times
 * the highest one's for the lowest: at most 2^50 + 19 * 2^10 < 2^50 + 2^15. r + c lies below 2^52, so
 * 2^52 + r + c has the bits of 2^52 plus r + c.
 */
static LANES_INLINE field field_reduce(const field_wide *w, int products)
{
    const uint64_t *bias = field_biases[products];
    const lanes mask = lanes_everywhere(&field_mask), unit = lanes_everywhere(&field_unit);
    const reals other = reals_everywhere(&field_limb_bias), lowest = reals_everywhere(&field_lowest_bias);
    lanes x0 = lanes_add(w->l[0], lanes_everywhere(&bias[0])),
          x1 = lanes_add(w->l[1], lanes_everywhere(&bias[1])),
          x2 = lanes_add(w->l[2], lanes_everywhere(&bias[2])),
          x3 = lanes_add(w->l[3], lanes_everywhere(&bias[3])),
          x4 = lanes_add(w->l[4], lanes_everywhere(&bias[4]));
    lanes c4 = lanes_multiply32(lanes_right(x4, 51), lanes_everywhere(&field_nineteen));
    field r;
    r.l[0] = reals_sub(lanes_as_reals(lanes_add(lanes_or(lanes_and(x0, mask), unit), c4)), lowest);
    r.l[1] =
        reals_sub(lanes_as_reals(lanes_add(lanes_or(lanes_and(x1, mask), unit), lanes_right(x0, 51))), other);
    r.l[2] =
        reals_sub(lanes_as_reals(lanes_add(lanes_or(lanes_and(x2, mask), unit), lanes_right(x1, 51))), other);
    r.l[3] =
        reals_sub(lanes_as_reals(lanes_add(lanes_or(lanes_and(x3, mask), unit), lanes_right(x2, 51))), other);
    r.l[4] =
        reals_sub(lanes_as_reals(lanes_add(lanes_or(lanes_and(x4, mask), unit), lanes_right(x3, 51))), other);
    return r;
}

static LANES_INLINE field field_reduce_factor(const field_wide *w, int products)
{
    return field_reduce(w, products);
}

static LANES_INLINE field field_settle(const field *a)
{
    return *a;
}

/* Loose. */
static LANES_INLINE field field_add(const field *a, const field *b)
{
    return (field){{reals_add(a->l[0], b->l[0]), reals_add(a->l[1], b->l[1]), reals_add(a->l[2], b->l[2]),
                    reals_add(a->l[3], b->l[3]), reals_add(a->l[4], b->l[4])}};
}

/* Loose. */
static LANES_INLINE field field_subtract(const field *a, const field *b)
{
    return (field){{reals_sub(a->l[0], b->l[0]), reals_sub(a->l[1], b->l[1]), reals_sub(a->l[2], b->l[2]),
                    reals_sub(a->l[3], b->l[3]), reals_sub(a->l[4], b->l[4])}};
}

/* As tight as a is. */
static LANES_INLINE field field_negate(const field *a)
{
    const reals zero = reals_set(0);
    return (field){{reals_sub(zero, a->l[0]), reals_sub(zero, a->l[1]), reals_sub(zero, a->l[2]),
                    reals_sub(zero, a->l[3]), reals_sub(zero, a->l[4])}};
}

static LANES_INLINE lanes field_limb(const field *a, int i)
{
    return reals_as_lanes(a->l[i]);
}

static LANES_INLINE field field_of_limbs(lanes x0, lanes x1, lanes x2, lanes x3, lanes x4)
{
    return (field){
        {lanes_as_reals(x0), lanes_as_reals(x1), lanes_as_reals(x2), lanes_as_reals(x3), lanes_as_reals(x4)}};
}

/*
 * A limb of a tight or loose element as an integer. A loose one may be as large as 2^51 or a little more,
 * where the sum with 3 * 2^51 leaves the doubles whose bits are integers: the multiple of 2^51 next to it is
 * split off first, by C as in a product.
 */
static LANES_INLINE lanes field_integer(reals x)
{
    reals h = reals_add(x, reals_set(FIELD_SPLIT)), l = reals_sub(x, reals_sub(h, reals_set(FIELD_SPLIT)));
    lanes high = lanes_left(lanes_sub(reals_as_lanes(h), lanes_set(FIELD_SPLIT_BITS)), 51);
    lanes low = lanes_sub(reals_as_lanes(reals_add(l, reals_set(FIELD_UNIT))), lanes_set(FIELD_UNIT_BITS));
    return lanes_add(high, low);
}

static LANES_INLINE field_wide field_integers(const field *a)
{
    return (field_wide){{field_integer(a->l[0]), field_integer(a->l[1]), field_integer(a->l[2]),
                         field_integer(a->l[3]), field_integer(a->l[4])}};
}

/* A loose element made tight. */
static LANES_INLINE field field_tighten(const field *a)
{
    field_wide w = field_integers(a);
    return field_reduce(&w, 0);
}

/* The number of 255 bits in four words of 64 bits, lowest first; bit 255 is ignored. */
static LANES_INLINE field field_from_words(const lanes w[4])
{
    const lanes mask = lanes_set(FIELD_MASK);
    field_wide x = {{lanes_and(w[0], mask),
                     lanes_and(lanes_or(lanes_right(w[0], 51), lanes_left(w[1], 13)), mask),
                     lanes_and(lanes_or(lanes_right(w[1], 38), lanes_left(w[2], 26)), mask),
                     lanes_and(lanes_or(lanes_right(w[2], 25), lanes_left(w[3], 39)), mask),
                     lanes_and(lanes_right(w[3], 12), mask)}};
    return field_reduce(&x, 0);
}

/*
 * The canonical number, 0 <= x < p, of a tight or loose element. |x| < 2^255 + 2^221, so that x + 2 p lies
 * between 0 and 4 p; the limbs are not negative then. One quotient by 2^255 is taken, which leaves
 * x < 2^255 + 57, then one of x + 19, which is 1 exactly if x >= p.
 */
static inline void field_to_words(lanes w[4], const field *a)
{
    const lanes mask = lanes_set(FIELD_MASK), nineteen = lanes_set(19);
    field_wide x = field_integers(a);
    lanes q = lanes_set(0);
    x.l[0] = lanes_add(x.l[0], lanes_set(((uint64_t)1 << 52) - 38));
    for (int i = 1; i < 5; i++)
        x.l[i] = lanes_add(x.l[i], lanes_set(((uint64_t)1 << 52) - 2));
    for (int i = 0; i < 5; i++)
        q = lanes_right(lanes_add(x.l[i], q), 51);
    x.l[0] = lanes_add(x.l[0], lanes_multiply32(q, nineteen));
    x.l[4] = lanes_sub(x.l[4], lanes_left(q, 51));
    q = nineteen;
    for (int i = 0; i < 5; i++)
        q = lanes_right(lanes_add(x.l[i], q), 51);
    x.l[0] = lanes_add(x.l[0], lanes_multiply32(q, nineteen));
    for (int i = 0; i < 4; i++) {
        x.l[i + 1] = lanes_add(x.l[i + 1], lanes_right(x.l[i], 51));
        x.l[i] = lanes_and(x.l[i], mask);
    }
    x.l[4] = lanes_and(x.l[4], mask);
    w[0] = lanes_or(x.l[0], lanes_left(x.l[1], 51));
    w[1] = lanes_or(lanes_right(x.l[1], 13), lanes_left(x.l[2], 38));
    w[2] = lanes_or(lanes_right(x.l[2], 26), lanes_left(x.l[3], 25));
    w[3] = lanes_or(lanes_right(x.l[3], 39), lanes_left(x.l[4], 12));
}
