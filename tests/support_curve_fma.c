/* SPDX-License-Identifier: Apache-2.0 */
/* psi/field_fma.h and all above it over four lanes in C, with fma() of the C library. */
#include "tests/support_curve.h"

#include "psi/verify.h"
#include <math.h>

#define LANES 4
#include "tests/support_curve_lanes.h"

typedef struct reals {
    double v[LANES];
} reals;

/* Integers of 64 bits in two's complement. */
static inline lanes lanes_add(lanes a, lanes b)
{
    EACH(lanes, a.v[l] + b.v[l]);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    EACH(lanes, a.v[l] - b.v[l]);
}

/* Of the low halves: no carry may have more bits. */
static inline lanes lanes_multiply32(lanes a, lanes b)
{
#ifdef PSI_VERIFY
    for (unsigned l = 0; l < LANES; l++)
        PSI_CHECK(a.v[l] >> 32 == 0 && b.v[l] >> 32 == 0);
#endif
    EACH(lanes, (uint64_t)(uint32_t)a.v[l] * (uint32_t)b.v[l]);
}

static inline reals lanes_as_reals(lanes a)
{
    reals r;
    memcpy(&r, &a, sizeof r);
    return r;
}

static inline lanes reals_as_lanes(reals a)
{
    lanes r;
    memcpy(&r, &a, sizeof r);
    return r;
}

static inline reals reals_set(double x)
{
    EACH(reals, x);
}

static inline reals reals_everywhere(const double *x)
{
    EACH(reals, *x);
}

#ifdef PSI_VERIFY
/* Sign, and exponent plus 1023. */
static unsigned binade(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (unsigned)(bits >> 52);
}

static int is_integer(double x)
{
    return x > -0x1p53 && x < 0x1p53 && (double)(int64_t)x == x;
}

/* r = a + b. Sums are exact (Knuth's error term is 0), with two exceptions in favour of a constant b: the sum
 * with 2^52 or more stands in the same binade, since its bits are what is wanted, and that with 2^103 or more
 * rounds. */
static void check_sum(double r, double a, double b)
{
    double back = r - a, error = (a - (r - back)) + (b - back);
    if (b >= 0x1p52)
        PSI_CHECK(binade(r) == binade(b));
    PSI_CHECK(error == 0 || b >= 0x1p103);
}
#endif

static inline reals reals_add(reals a, reals b)
{
#ifdef PSI_VERIFY
    for (unsigned l = 0; l < LANES; l++)
        check_sum(a.v[l] + b.v[l], a.v[l], b.v[l]);
#endif
    EACH(reals, a.v[l] + b.v[l]);
}

static inline reals reals_sub(reals a, reals b)
{
#ifdef PSI_VERIFY
    for (unsigned l = 0; l < LANES; l++)
        check_sum(a.v[l] - b.v[l], a.v[l], -b.v[l]);
#endif
    EACH(reals, a.v[l] - b.v[l]);
}

/* a b = h + l, h a multiple of 2^51: *high = the bits of split + h, *low = those of both - split + l, where
 * split is 3 * 2^102 and both is 3 * 2^102 + 3 * 2^51. Both sums stand in the binade of their constant, or
 * their bits would not add up. */
static inline void lanes_product_set(reals a, const reals *b, reals split, reals both, lanes *low,
                                     lanes *high)
{
    reals h, l;
    for (unsigned i = 0; i < LANES; i++) {
        h.v[i] = fma(a.v[i], b->v[i], split.v[i]);
        l.v[i] = fma(a.v[i], b->v[i], both.v[i] - h.v[i]);
#ifdef PSI_VERIFY
        PSI_CHECK(is_integer(a.v[i]) && is_integer(b->v[i]));
        double x = fabs(a.v[i]), y = fabs(b->v[i]); /* one tight, the other loose at most */
        PSI_CHECK(fmin(x, y) <= 0x1p50 + 0x1p15 && fmax(x, y) <= 0x1p51 + 0x1p16);
        PSI_CHECK(binade(h.v[i]) == binade(0x1p103) && binade(l.v[i]) == binade(0x1p52));
#endif
    }
    *high = reals_as_lanes(h);
    *low = reals_as_lanes(l);
}

/* The same with *low added to, *high set. */
static inline void lanes_product_high(reals a, const reals *b, reals split, reals both, lanes *low,
                                      lanes *high)
{
    lanes l;
    lanes_product_set(a, b, split, both, &l, high);
    *low = lanes_add(*low, l);
}

/* The same with both added to. */
static inline void lanes_product(reals a, const reals *b, reals split, reals both, lanes *low, lanes *high)
{
    lanes l, h;
    lanes_product_set(a, b, split, both, &l, &h);
    *low = lanes_add(*low, l);
    *high = lanes_add(*high, h);
}

#include "psi/field_fma.h"

#include "psi/curve_lanes.h"

#include "psi/group_lanes.h"

const psi_group_backend unit_group_fma4 = GROUP_BACKEND("fma, four lanes in C");
