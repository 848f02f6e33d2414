/* SPDX-License-Identifier: Apache-2.0 */
/* psi/field_ifma.h and all above it over eight lanes in C. */
#include "tests/support_curve.h"

#include "psi/verify.h"

#define LANES 8
#include "tests/support_curve_lanes.h"

/* Limbs and columns never wrap. */
static inline lanes lanes_add(lanes a, lanes b)
{
#ifdef PSI_VERIFY
    for (unsigned l = 0; l < LANES; l++)
        PSI_CHECK(a.v[l] <= UINT64_MAX - b.v[l]);
#endif
    EACH(lanes, a.v[l] + b.v[l]);
}

/* Nor here; 0 - b, to make a mask, and a minus a mask of all ones are meant to. */
static inline lanes lanes_sub(lanes a, lanes b)
{
#ifdef PSI_VERIFY
    for (unsigned l = 0; l < LANES; l++)
        PSI_CHECK(a.v[l] >= b.v[l] || a.v[l] == 0 || b.v[l] == UINT64_MAX);
#endif
    EACH(lanes, a.v[l] - b.v[l]);
}

__extension__ typedef unsigned __int128 wide;

/* What is above the 52 bits of a factor, here always the same, so that it spoils every other use. */
#define ABOVE ((uint64_t)0xbad << 52)

static inline lanes lanes_factor(lanes x)
{
    EACH(lanes, (x.v[l] & 0xfffffffffffff) | ABOVE);
}

/* Of the low 52 bits of both factors. */
static inline wide product52(uint64_t a, uint64_t b)
{
    return (wide)(a & 0xfffffffffffff) * (b & 0xfffffffffffff);
}

#ifdef PSI_VERIFY
/* Nothing is cut off a factor, and the sum does not wrap. Beside 608 stands a column of a product with up to
 * four bits more, which field_fold takes separately. */
static void check_product(uint64_t sum, uint64_t r, uint64_t a, uint64_t b)
{
    a = a >> 52 == ABOVE >> 52 ? a - ABOVE : a;
    b = b >> 52 == ABOVE >> 52 ? b - ABOVE : b;
    PSI_CHECK(b >> 52 == 0 && a >> (b == 608 ? 56 : 52) == 0);
    PSI_CHECK(sum >= r);
}
#endif

static inline lanes lanes_low(lanes r, lanes a, lanes b)
{
    lanes sum;
    for (unsigned l = 0; l < LANES; l++) {
        sum.v[l] = r.v[l] + (uint64_t)(product52(a.v[l], b.v[l]) & 0xfffffffffffff);
#ifdef PSI_VERIFY
        check_product(sum.v[l], r.v[l], a.v[l], b.v[l]);
#endif
    }
    return sum;
}

static inline lanes lanes_high(lanes r, lanes a, lanes b)
{
    lanes sum;
    for (unsigned l = 0; l < LANES; l++) {
        sum.v[l] = r.v[l] + (uint64_t)(product52(a.v[l], b.v[l]) >> 52);
#ifdef PSI_VERIFY
        check_product(sum.v[l], r.v[l], a.v[l], b.v[l]);
#endif
    }
    return sum;
}

#include "psi/field_ifma.h"

#include "psi/curve_lanes.h"

#include "psi/group_lanes.h"

const psi_group_backend unit_group_ifma8 = GROUP_BACKEND("ifma, eight lanes in C");
