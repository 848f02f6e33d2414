/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/laplace.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <math.h>

/*
 * Terms of the series of exp(-u/t), each reached with probability at most 1/TERMS!: leaving out the rest
 * moves the distribution by 1/30! < 2^-107.
 */
#define TERMS 30u
/* Draws of the geometric part: all of them succeed with probability exp(-70) < 2^-100. */
#define DRAWS 70u

/* All ones if a < b, else 0; a, b < 2^127. */
static uint64_t below(psi_uwide a, psi_uwide b)
{
    return psi_ct_barrier(0 - (uint64_t)((a - b) >> 127));
}

static psi_uwide draw_bits(psi_prg *prg, psi_uwide ones)
{
    uint64_t half[2];
    psi_prg_bytes(prg, half, sizeof half);
    psi_uwide x = ((psi_uwide)half[1] << 64 | half[0]) & ones;
    psi_wipe(half, sizeof half);
    return x;
}

/* Uniform in [0, bound), 1 <= bound < 2^127. The branch tells of refused draws only. */
static psi_uwide uniform(psi_prg *prg, psi_uwide bound)
{
    psi_uwide ones = bound - 1;
    PSI_CHECK(bound >= 1 && bound >> 127 == 0);
    for (unsigned shift = 1; shift < 128; shift *= 2)
        ones |= ones >> shift;
    for (;;) {
        psi_uwide x = draw_bits(prg, ones);
        uint64_t keep = below(x, bound);
        PSI_DECLASSIFY(&keep, sizeof keep); /* of refused draws */
        if (keep)
            return x;
    }
}

/* All ones with probability exp(-u/t), u <= t: algorithm 1. The number of successes of Bernoulli(u/(t k)), k
 * = 1, 2, .. before the first failure is even. */
static uint64_t bernoulli_exp(psi_prg *prg, psi_uwide u, psi_uwide t)
{
    uint64_t going = UINT64_MAX, even = UINT64_MAX;
    for (unsigned k = 1; k <= TERMS; k++) {
        going &= below(uniform(prg, t * k), u); /* t k < 2^117 */
        even ^= going;
    }
    return psi_ct_barrier(even);
}

/* Number of successes of Bernoulli(1/e) before the first failure, at most DRAWS. */
static uint64_t geometric(psi_prg *prg)
{
    /* floor(2^127 / e): off by less than 2^-127 a draw */
    const psi_uwide threshold = (psi_uwide)0x2f16ac6c59de6f8d << 64 | 0x5d6f63c1482a7c86;
    uint64_t going = UINT64_MAX, count = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        going &= below(draw_bits(prg, ~(psi_uwide)0 >> 1), threshold);
        count += going & 1;
    }
    return count;
}

/* Algorithm 2: one of two signs, and the zero of one of them refused. 0: refused. */
static uint64_t draw_wide(psi_prg *prg, psi_uwide *size, uint64_t *sign, psi_uwide scale, psi_uwide bound)
{
    psi_uwide u = uniform(prg, scale);
    uint64_t keep = bernoulli_exp(prg, u, scale);
    PSI_DECLASSIFY(&keep, sizeof keep); /* of refused draws */
    if (!keep)
        return 0;
    *size = u + scale * geometric(prg); /* < 71 * 2^112 */
    *sign = 0 - ((uint64_t)draw_bits(prg, 1));
    keep = ~below(bound, *size) & ~(*sign & below(*size, 1));
    PSI_DECLASSIFY(&keep, sizeof keep); /* of refused draws */
    return keep;
}

/* For a bound below the scale, where algorithm 2 would rarely meet it: uniform in [-bound, bound], kept with
 * probability exp(-|z| / scale) > 1/e. */
static uint64_t draw_narrow(psi_prg *prg, psi_uwide *size, uint64_t *sign, psi_uwide scale, psi_uwide bound)
{
    psi_uwide shifted = uniform(prg, 2 * bound + 1), negative;
    *sign = below(shifted, bound);
    negative = (psi_uwide)*sign << 64 | *sign;
    *size = ((shifted - bound) ^ negative) - negative;
    uint64_t keep = bernoulli_exp(prg, *size, scale);
    PSI_DECLASSIFY(&keep, sizeof keep); /* of refused draws */
    return keep;
}

void psi_laplace(psi_wide *out, psi_prg *prg, psi_uwide scale, psi_wide bound)
{
    psi_uwide size = 0, most = (psi_uwide)bound;
    uint64_t sign = 0, keep = 0;
    PSI_CHECK(scale >= 1 && scale <= PSI_LAPLACE_SCALE_MAX && bound >= 0);
    /* Each draw is kept with probability above 1/5, whatever scale and bound are. */
    while (!keep)
        keep = most < scale ? draw_narrow(prg, &size, &sign, scale, most)
                            : draw_wide(prg, &size, &sign, scale, most);
    psi_uwide negative = (psi_uwide)sign << 64 | sign;
    *out = (psi_wide)((size ^ negative) - negative);
    psi_wipe(&size, sizeof size);
    psi_wipe(&negative, sizeof negative);
}

psi_uwide psi_laplace_scale(psi_uwide sensitivity, uint64_t parts, uint64_t epsilon_micro)
{
    PSI_CHECK(sensitivity >> 97 == 0 && parts >= 1 && parts <= 1024);
    PSI_CHECK(epsilon_micro >= PSI_EPSILON_MIN && epsilon_micro <= PSI_EPSILON_MAX);
    psi_uwide micro = sensitivity * parts * 1000000u; /* < 2^(97 + 10 + 20) */
    psi_uwide scale = (micro + epsilon_micro - 1) / epsilon_micro;
    if (scale > PSI_LAPLACE_SCALE_MAX)
        return PSI_LAPLACE_SCALE_MAX;
    return scale ? scale : 1;
}

unsigned psi_dummies(uint64_t epsilon_micro)
{
    const double delta = 1e-6, scale = (double)psi_laplace_scale(1, 1, epsilon_micro);
    return (unsigned)ceil(log(2 / (delta * (1 + exp(-1 / scale)))) * scale);
}
