/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/rlwe_limb.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"

static uint64_t modulus(unsigned index, unsigned bits)
{
    return ((uint64_t)1 << bits) - (index > 0);
}

unsigned psi_rlwe_limb_bits(uint32_t bits[PSI_RLWE_LIMBS], psi_uwide span)
{
    for (unsigned n = 1;; n++)
        for (unsigned t = n; t <= PSI_RLWE_BITS; t++) {
            psi_uwide two = (psi_uwide)modulus(0, t) * modulus(1, t);
            int fits = n == 1 ? span < modulus(0, t) : n == 2 ? span < two : span / two < modulus(2, t - 1);
            if (!fits)
                continue;
            for (unsigned l = 0; l < n; l++)
                bits[l] = t - (l == 2);
            return n;
        }
}

void psi_rlwe_limb_init(psi_rlwe_limb *limb, unsigned index, unsigned bits)
{
    PSI_CHECK(bits >= 1 && bits <= PSI_RLWE_BITS && (index == 0 || bits >= 22));
    uint64_t p = modulus(index, bits);
    *limb = (psi_rlwe_limb){.index = index, .bits = bits, .p = p, .delta = PSI_RLWE_Q / p};
    for (unsigned i = 0; i < 2; i++)
        limb->residue[i] = psi_rlwe_mod((psi_wide)limb->delta, &psi_rlwe_primes[i]);
    limb->remainder64 = (uint64_t)(((PSI_RLWE_Q % p) << 64) / p);
    psi_uwide rest = p; /* long division; rest < q < 2^106 */
    for (unsigned i = 0; i < 169 - bits; i++) {
        rest *= 2;
        uint64_t bit = rest >= PSI_RLWE_Q;
        rest -= bit ? PSI_RLWE_Q : 0;
        limb->reciprocal = limb->reciprocal << 1 | bit;
    }
}

/* x mod 2^e - 1, e >= 22: 2^e is 1, so parts of e bits are added up. */
static uint64_t fold(psi_uwide x, unsigned e)
{
    const uint64_t mask = ((uint64_t)1 << e) - 1;
    for (unsigned round = 0; round < 3; round++) { /* below 6 * 2^e, then 2^e + 5, then 2^e */
        uint64_t sum = 0;
        for (unsigned shift = 0; shift < 128; shift += e)
            sum += (uint64_t)(x >> shift) & mask;
        x = sum;
    }
    uint64_t r = (uint64_t)x, full = (r + 1) >> e; /* 1 if r = mask, which is 0 */
    return r - (mask & (0 - full));
}

uint64_t psi_rlwe_limb_residue(const psi_rlwe_limb *limb, psi_wide x)
{
    if (limb->index == 0)
        return (uint64_t)x & (limb->p - 1);
    /* A multiple of p between 2^126.9 and 2^127 makes it positive. */
    return fold((psi_uwide)x + ((psi_uwide)limb->p << (127 - limb->bits)), limb->bits);
}

psi_uwide psi_rlwe_limb_plain(const psi_rlwe_limb *limb, uint64_t m)
{
    return limb->delta * m + (((psi_uwide)m * limb->remainder64) >> 64);
}

void psi_rlwe_limb_digits(const psi_rlwe_limb *limb, const psi_wide value[PSI_RLWE_N],
                          const uint8_t coins[2 * PSI_RLWE_N], int64_t digit[PSI_RLWE_N],
                          int64_t rest[PSI_RLWE_N])
{
    const psi_rlwe_limb copy = *limb;
    if (copy.index == 0)
        for (size_t j = 0; j < PSI_RLWE_N; j++)
            digit[j] = (int64_t)((uint64_t)value[j] & (copy.p - 1));
    else
        for (size_t j = 0; j < PSI_RLWE_N; j++)
            digit[j] = (int64_t)psi_rlwe_limb_residue(&copy, value[j]);
    for (size_t j = 0; j < PSI_RLWE_N; j++) {
        uint64_t coin = (uint64_t)coins[2 * j] << 48 | (uint64_t)coins[2 * j + 1] << 56;
        psi_uwide up = coin | (uint64_t)1 << 47;
        rest[j] = (int64_t)(((psi_uwide)(uint64_t)digit[j] * copy.remainder64 + up) >> 64);
    }
}

uint64_t psi_rlwe_limb_uniform(psi_prg *prg, const psi_rlwe_limb *limb)
{
    uint64_t x[2]; /* 128 bits times p / 2^128 */
    psi_prg_bytes(prg, x, sizeof x);
    uint64_t r = (uint64_t)(((psi_uwide)x[1] * limb->p + (((psi_uwide)x[0] * limb->p) >> 64)) >> 64);
    psi_wipe(x, sizeof x);
    return r;
}

psi_wide psi_rlwe_limb_flood(psi_prg *prg, const psi_rlwe_limb *limb)
{
    psi_uwide x, half = (psi_uwide)1 << (PSI_RLWE_FLOOD - limb->bits);
    psi_prg_bytes(prg, &x, sizeof x);
    psi_wide flood = (psi_wide)(x & (2 * half - 1)) - (psi_wide)half;
    psi_wipe(&x, sizeof x);
    return flood;
}

uint64_t psi_rlwe_limb_open(const psi_rlwe_limb *limb, psi_uwide y, psi_wide *noise)
{
    /*
     * y * p / q to the nearest: y / 2^42 < 2^64 times the reciprocal is that times 2^(127 - bits). Cutting y
     * and the reciprocal costs at most 2^42 / delta + 2^(bits - 63) <= 2^-16, far from the edge: |noise| is
     * below 0.26 / 0.5 of delta / 2 for sums of honest parties.
     */
    psi_uwide product = (y >> 42) * limb->reciprocal + ((psi_uwide)1 << (126 - limb->bits));
    uint64_t m = (uint64_t)(product >> (127 - limb->bits));
    m -= limb->p & psi_ct_barrier(0 - (((limb->p - 1) - m) >> 63)); /* m = p is 0 */
    psi_wide q = (psi_wide)PSI_RLWE_Q, e = (psi_wide)y - (psi_wide)psi_rlwe_limb_plain(limb, m);
    e -= q & ((q / 2 - e) >> 127);
    e += q & ((q / 2 + e) >> 127);
    *noise = e;
    return m;
}

uint64_t psi_rlwe_limb_join(psi_wide *x, const psi_rlwe_limb *limbs, unsigned n, const uint64_t *residues,
                            psi_wide low, psi_uwide span)
{
    /* Garner: digits of x - low to the base of the moduli. 2^t = 1 mod 2^t - 1, and mod 2^(t-1) - 1 the
       product of the first two is 2 (2 - 1), whose inverse is 2^(t-2). */
    uint64_t r[PSI_RLWE_LIMBS] = {0};
    for (unsigned l = 0; l < n; l++) {
        uint64_t below = residues[l] + limbs[l].p - psi_rlwe_limb_residue(&limbs[l], low);
        r[l] = limbs[l].index == 0 ? below & (limbs[l].p - 1) : fold(below, limbs[l].bits);
    }
    psi_uwide sum = r[0];
    uint64_t fits = ~(uint64_t)0;
    if (n > 1)
        sum += (psi_uwide)fold((psi_uwide)r[1] + limbs[1].p - fold(r[0], limbs[1].bits), limbs[1].bits)
               << limbs[0].bits;
    if (n > 2) {
        psi_uwide two = (psi_uwide)limbs[1].p << limbs[0].bits;
        uint64_t top = fold((psi_uwide)r[2] + limbs[2].p - fold(sum, limbs[2].bits), limbs[2].bits);
        top = fold((psi_uwide)top << (limbs[0].bits - 2), limbs[2].bits);
        /* top * two could pass 2^128: it must not exceed the span's digit, a public number. */
        fits = ~(uint64_t)(((psi_wide)(span / two) - (psi_wide)top) >> 127);
        sum += two * (top & fits);
    }
    /* Both below 2^128; sum <= span by the borrow of span - sum. */
    psi_uwide rest;
    uint64_t borrow = __builtin_sub_overflow(span, sum, &rest);
    fits &= psi_ct_barrier(borrow - 1);
    *x = (psi_wide)((psi_uwide)low + sum);
    return fits;
}
