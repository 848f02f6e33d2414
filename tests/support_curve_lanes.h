/* SPDX-License-Identifier: Apache-2.0 */
/* LANES numbers of 64 bits in plain C: what both emulated curves share of the operations that
 * psi/curve_lanes.h lists. lanes_add and lanes_sub, whose bounds differ, are theirs. */
#ifndef TESTS_SUPPORT_CURVE_LANES_H
#define TESTS_SUPPORT_CURVE_LANES_H

#include "psi/ct.h"
#include <stdint.h>
#include <string.h>

#define LANES_CALL
#define LANES_INLINE inline

typedef struct lanes {
    uint64_t v[LANES];
} lanes;

/* The expression in every lane l. */
#define EACH(type, expression)                                                                               \
    type r;                                                                                                  \
    for (unsigned l = 0; l < LANES; l++)                                                                     \
        r.v[l] = (expression);                                                                               \
    return r

static inline lanes lanes_set(uint64_t x)
{
    EACH(lanes, x);
}

static inline lanes lanes_everywhere(const uint64_t *x)
{
    EACH(lanes, *x);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    EACH(lanes, a.v[l] & b.v[l]);
}

static inline lanes lanes_or(lanes a, lanes b)
{
    EACH(lanes, a.v[l] | b.v[l]);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    EACH(lanes, a.v[l] ^ b.v[l]);
}

static inline lanes lanes_left(lanes a, unsigned n)
{
    EACH(lanes, a.v[l] << n);
}

static inline lanes lanes_right(lanes a, unsigned n)
{
    EACH(lanes, a.v[l] >> n);
}

/* All ones where equal. No comparison that a compiler may branch on, and masks pass a barrier: clang at -O2
 * has turned them into the choice of an address. (The check runs AVX2 code too, where masks are vectors.) */
static inline lanes lanes_equal(lanes a, lanes b)
{
    EACH(lanes, psi_ct_barrier((((a.v[l] ^ b.v[l]) | (0 - (a.v[l] ^ b.v[l]))) >> 63) - 1));
}

static inline lanes lanes_select(lanes mask, lanes a, lanes b)
{
    lanes r;
    for (unsigned l = 0; l < LANES; l++) {
        uint64_t m = psi_ct_barrier(mask.v[l]);
        r.v[l] = (a.v[l] & ~m) | (b.v[l] & m);
    }
    return r;
}

typedef lanes choice;

static inline choice choice_equal(lanes a, lanes b)
{
    return lanes_equal(a, b);
}

static inline lanes choice_first(choice c, lanes x)
{
    return lanes_and(c, x);
}

static inline lanes choice_next(lanes y, choice c, lanes x)
{
    return lanes_select(c, y, x);
}

static inline lanes lanes_digit(const int8_t *p)
{
    EACH(lanes, (uint64_t)(int64_t)p[l]);
}

static inline lanes lanes_load(const uint64_t *p)
{
    EACH(lanes, p[l]);
}

static inline void lanes_store(uint64_t *p, lanes x)
{
    memcpy(p, x.v, sizeof x.v);
}

#endif
