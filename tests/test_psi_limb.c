/* SPDX-License-Identifier: Apache-2.0 */
/* Limbs of packed RLWE: moduli, plaintexts and back, rounding, numbers from residues. */
#include "psi/rlwe_limb.h"
#include "tests/unit.h"

#define BITS(n) ((psi_wide)1 << (n))
enum { N = PSI_RLWE_N };

static uint64_t word(void)
{
    uint64_t v;
    unit_random(&v, sizeof v);
    return v;
}

/* Uniform enough in [low, high], the ends more often. */
static psi_wide between(psi_wide low, psi_wide high)
{
    psi_uwide width = (psi_uwide)high - (psi_uwide)low + 1;
    uint32_t how = unit_below(8);
    return how == 0   ? low
           : how == 1 ? high
                      : (psi_wide)((psi_uwide)low + ((psi_uwide)word() << 64 | word()) % width);
}

static psi_uwide product_of(const psi_rlwe_limb *limbs, unsigned n)
{
    psi_uwide p = 1;
    for (unsigned l = 0; l < n; l++)
        p *= limbs[l].p;
    return p;
}

static uint64_t slow_mod(psi_wide x, uint64_t p)
{
    psi_wide r = x % (psi_wide)p;
    return (uint64_t)(r < 0 ? r + (psi_wide)p : r);
}

static void test_bits(void)
{
    uint32_t bits[PSI_RLWE_LIMBS];
    CU_ASSERT(psi_rlwe_limb_bits(bits, 0) == 1 && bits[0] == 1);
    CU_ASSERT(psi_rlwe_limb_bits(bits, 1) == 1 && bits[0] == 1);
    CU_ASSERT(psi_rlwe_limb_bits(bits, 2) == 1 && bits[0] == 2);
    CU_ASSERT(psi_rlwe_limb_bits(bits, (psi_uwide)BITS(46) - 1) == 1 && bits[0] == 46);
    CU_ASSERT(psi_rlwe_limb_bits(bits, (psi_uwide)BITS(46)) == 2 && bits[0] == 24 && bits[1] == 24);
    psi_uwide two = (psi_uwide)BITS(92) - (psi_uwide)BITS(46);
    CU_ASSERT(psi_rlwe_limb_bits(bits, two - 1) == 2 && bits[0] == 46 && bits[1] == 46);
    CU_ASSERT(psi_rlwe_limb_bits(bits, two) == 3 && bits[0] == 32 && bits[1] == 32 && bits[2] == 31);
    CU_ASSERT(psi_rlwe_limb_bits(bits, ~(psi_uwide)0) == 3);
    for (int i = 0; i < 2000; i++) {
        psi_rlwe_limb limbs[PSI_RLWE_LIMBS] = {{0}};
        psi_uwide span = ((psi_uwide)word() << 64 | word()) >> unit_below(128);
        unsigned n = psi_rlwe_limb_bits(bits, span);
        for (unsigned l = 0; l < n; l++)
            psi_rlwe_limb_init(&limbs[l], l, bits[l]);
        if (n < 3) {
            CU_ASSERT(product_of(limbs, n) > span);
        } else {
            CU_ASSERT(span / product_of(limbs, 2) < limbs[2].p);
        }
        for (unsigned a = 0; a < n; a++) /* coprime */
            for (unsigned b = 0; b < a; b++) {
                uint64_t x = limbs[a].p, y = limbs[b].p;
                while (y) {
                    uint64_t r = x % y;
                    x = y;
                    y = r;
                }
                CU_ASSERT_EQUAL(x, 1);
            }
    }
}

static void test_plain(void)
{
    psi_prg prg;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    static psi_wide v[N];
    static uint8_t coins[2 * N];
    static int64_t digit[N], rest[N];
    for (unsigned bits = 1; bits <= PSI_RLWE_BITS; bits++)
        for (unsigned index = 0; index < 3; index++) {
            psi_rlwe_limb limb;
            if (index && bits < 22)
                continue;
            psi_rlwe_limb_init(&limb, index, bits);
            CU_ASSERT(limb.delta * limb.p <= PSI_RLWE_Q && (limb.delta + 1) * limb.p > PSI_RLWE_Q);
            psi_wide flood = BITS(PSI_RLWE_FLOOD - bits), spare = (psi_wide)limb.delta / 2 - flood;
            CU_ASSERT(spare > flood * 9 / 10);
            for (int i = 0; i < 200; i++) {
                uint64_t m = (uint64_t)between(0, (psi_wide)limb.p - 1);
                psi_wide e = between(-flood - flood * 9 / 10, flood + flood * 9 / 10), noise;
                psi_wide y = (psi_wide)psi_rlwe_limb_plain(&limb, m) + e;
                y = (y + (psi_wide)PSI_RLWE_Q) % (psi_wide)PSI_RLWE_Q;
                CU_ASSERT_EQUAL(psi_rlwe_limb_open(&limb, (psi_uwide)y, &noise), m);
                CU_ASSERT(noise == e);
                /* the product p * plain is q * m but for less than p */
                if (bits <= 20)
                    CU_ASSERT(PSI_RLWE_Q * m - psi_rlwe_limb_plain(&limb, m) * limb.p <= limb.p);
                psi_wide x = between(-BITS(126), BITS(126));
                CU_ASSERT_EQUAL(psi_rlwe_limb_residue(&limb, x), slow_mod(x, limb.p));
                CU_ASSERT(psi_rlwe_limb_uniform(&prg, &limb) < limb.p);
                psi_wide f = psi_rlwe_limb_flood(&prg, &limb);
                CU_ASSERT(f >= -flood && f < flood);
            }
            /* rounding is right on average: sums of the rest against the exact sum */
            psi_wide off = 0;
            for (size_t j = 0; j < N; j++)
                v[j] = between(-BITS(95), BITS(95));
            unit_random(coins, sizeof coins);
            psi_rlwe_limb_digits(&limb, v, coins, digit, rest);
            for (size_t j = 0; j < N; j++) {
                CU_ASSERT_EQUAL_FATAL((uint64_t)digit[j], slow_mod(v[j], limb.p));
                psi_wide exact = (psi_wide)(((psi_uwide)digit[j] * limb.remainder64) >> 32); /* * 2^32 */
                CU_ASSERT_FATAL(rest[j] * BITS(32) > exact - BITS(32) &&
                                rest[j] * BITS(32) < exact + BITS(32));
                off += rest[j] * BITS(32) - exact;
            }
            CU_ASSERT(off < 200 * BITS(32) && off > -200 * BITS(32)); /* 6 * 0.5 * 64 */
        }
    psi_prg_wipe(&prg);
}

static void test_join(void)
{
    for (int i = 0; i < 20000; i++) {
        psi_rlwe_limb limbs[PSI_RLWE_LIMBS] = {{0}};
        uint32_t bits[PSI_RLWE_LIMBS];
        uint64_t residues[PSI_RLWE_LIMBS];
        psi_uwide span = ((psi_uwide)(word() >> 1) << 64 | word()) >> unit_below(127);
        psi_wide low = -(psi_wide)(((psi_uwide)(word() >> 2) << 64 | word()) % (span + 1)), got;
        unsigned n = psi_rlwe_limb_bits(bits, span);
        psi_wide x = between(low, (psi_wide)((psi_uwide)low + span));
        for (unsigned l = 0; l < n; l++) {
            psi_rlwe_limb_init(&limbs[l], l, bits[l]);
            residues[l] = slow_mod(x, limbs[l].p);
        }
        CU_ASSERT_EQUAL(psi_rlwe_limb_join(&got, limbs, n, residues, low, span), ~(uint64_t)0);
        CU_ASSERT(got == x);
        if (n < 3 && product_of(limbs, n) - 1 > span && span < (psi_uwide)BITS(120)) { /* just outside */
            psi_wide outside = unit_below(2) ? low - 1 : (psi_wide)((psi_uwide)low + span + 1);
            for (unsigned l = 0; l < n; l++)
                residues[l] = slow_mod(outside, limbs[l].p);
            CU_ASSERT_EQUAL(psi_rlwe_limb_join(&got, limbs, n, residues, low, span), 0);
        }
        if (n == 3) { /* the largest top digit */
            residues[2] = (residues[2] + limbs[2].p / 2) % limbs[2].p;
            if (psi_rlwe_limb_join(&got, limbs, n, residues, low, span))
                for (unsigned l = 0; l < n; l++)
                    CU_ASSERT_EQUAL(slow_mod(got, limbs[l].p), residues[l]);
        }
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"bits", test_bits}, {"plain", test_plain}, {"join", test_join}};
    return unit_main(argc, argv, "psi_limb", tests, sizeof tests / sizeof *tests);
}
