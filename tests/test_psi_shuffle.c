/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"
#include "psi/shuffle.h"
#include "tests/unit.h"
#include <string.h>

static void test_permutation(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 100, 20000};
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s], once = 0, fixed = 0;
        uint32_t *perm = psi_secret_calloc(n, sizeof *perm);
        uint8_t *seen = psi_calloc(n, 1);
        CU_ASSERT_FATAL(perm && seen);
        CU_ASSERT_EQUAL(psi_shuffle(perm, n), TALLY_OK);
        for (size_t i = 0; i < n; i++) {
            CU_ASSERT_FATAL(perm[i] < n);
            once += !seen[perm[i]]++;
            fixed += perm[i] == i;
        }
        CU_ASSERT_EQUAL(once, n);
        if (n >= 100)
            CU_ASSERT(fixed < 15); /* about 1 is expected, whatever n; 15 has probability 2^-41 */
        psi_free(seen);
        psi_secret_free(perm);
    }
}

/* All 120 orders of five, equally often: chi-square with 119 degrees of freedom stays below 200 with
   probability 1 - 5e-6, and the seed makes the run repeatable. */
static void test_uniform(void)
{
    enum { RUNS = 60000, CELLS = 120 };
    static const uint8_t seed[32] = {42};
    unsigned cell[CELLS] = {0};
    psi_rng_set_seed(seed);
    for (unsigned r = 0; r < RUNS; r++) {
        uint32_t p[5];
        CU_ASSERT_EQUAL_FATAL(psi_shuffle(p, 5), TALLY_OK);
        unsigned index = 0; /* Lehmer code */
        for (unsigned i = 0; i < 5; i++) {
            unsigned smaller = 0;
            for (unsigned k = i + 1; k < 5; k++)
                smaller += p[k] < p[i];
            index = index * (5 - i) + smaller;
        }
        cell[index]++;
    }
    psi_rng_set_seed(NULL);
    double chi2 = 0, expected = (double)RUNS / CELLS;
    for (unsigned i = 0; i < CELLS; i++)
        chi2 += ((double)cell[i] - expected) * ((double)cell[i] - expected) / expected;
    CU_ASSERT(chi2 < 200);
    CU_ASSERT(chi2 > 60); /* too even would be as wrong */
}

static void test_fresh(void)
{
    uint32_t a[64], b[64];
    CU_ASSERT_EQUAL(psi_shuffle(a, 64), TALLY_OK);
    CU_ASSERT_EQUAL(psi_shuffle(b, 64), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
}

static void test_failure(void)
{
    static const uint32_t zero[64];
    uint32_t a[64];
    memset(a, 0xa5, sizeof a);
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_shuffle(a, 64), TALLY_ERR_RANDOM);
    CU_ASSERT_EQUAL(memcmp(a, zero, sizeof a), 0);
    psi_rng_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"permutation", test_permutation},
                                      {"uniform", test_uniform},
                                      {"fresh", test_fresh},
                                      {"failure", test_failure}};
    return unit_main(argc, argv, "psi_shuffle", tests, sizeof tests / sizeof *tests);
}
