/* SPDX-License-Identifier: Apache-2.0 */
/* Discrete Laplace noise against its exact probabilities. Streams have fixed keys, so that a run is
 * repeatable. */
#include "psi/laplace.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST ((psi_wide)1 << 126)

static void start(psi_prg *prg, unsigned seed)
{
    uint8_t key[32] = {(uint8_t)seed, (uint8_t)(seed >> 8), 'l'};
    psi_prg_init_key(prg, key);
}

/* ---- Chi-square --------------------------------------------------------------------------------------- */

#define CELLS_MAX 8001

/* Draws of scale t under bound against the exact probabilities; cells of fewer than 8 expected draws are one.
 * The limit is passed by one in thousands, which the fixed keys are not. */
static void check_shape(unsigned t, psi_wide bound, unsigned draws, unsigned seed)
{
    static unsigned count[CELLS_MAX];
    const int half = CELLS_MAX / 2, last = bound < half ? (int)bound : half;
    psi_prg prg;
    memset(count, 0, sizeof count);
    start(&prg, seed);
    for (unsigned i = 0; i < draws; i++) {
        psi_wide z;
        psi_laplace(&z, &prg, t, bound);
        CU_ASSERT_FATAL(z >= -bound && z <= bound);
        CU_ASSERT_FATAL(z >= -half && z <= half); /* exp(-4000/100) a draw at the widest of these tests */
        count[(int)z + half]++;
    }
    double mass = 0, chi2 = 0, rest_expected = 0, rest = 0;
    unsigned cells = 0;
    for (int z = -last; z <= last; z++)
        mass += exp(-abs(z) / (double)t);
    for (int z = -last; z <= last; z++) {
        double expected = draws * exp(-abs(z) / (double)t) / mass, seen = count[z + half];
        if (expected < 8) {
            rest_expected += expected;
            rest += seen;
            continue;
        }
        chi2 += (seen - expected) * (seen - expected) / expected;
        cells++;
    }
    if (rest_expected > 1) {
        chi2 += (rest - rest_expected) * (rest - rest_expected) / rest_expected;
        cells++;
    }
    double limit = cells - 1 + 4 * sqrt(2.0 * (cells - 1));
    CU_ASSERT(chi2 < limit);
    if (chi2 >= limit)
        printf("t %u, seed %u: chi-square %.1f in %u cells\n", t, seed, chi2, cells);
    psi_prg_wipe(&prg);
}

static void test_shape(void)
{
    static const unsigned scales[] = {1, 2, 5, 100};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned seed = 0; seed < 3; seed++)
            check_shape(scales[i], MOST, 20000, 10 * i + seed);
}

/* Both ways of meeting a bound, at, above and below the scale. */
static void test_truncated(void)
{
    static const unsigned bounds[] = {1, 2, 3, 4, 5, 6, 7, 12};
    for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++)
        check_shape(5, bounds[i], 20000, 100 + i);
    check_shape(2, 29, 20000, 120);
    check_shape(100, 99, 20000, 121);
    check_shape(100, 100, 20000, 122);
    check_shape(1, 1, 20000, 123);
}

/* Enough draws to miss the fourth term of the series of exp(-u/t), where it counts most: the outer half under
 * a bound just below the scale has 0.3775 of them, and would have 0.3708. */
static void test_series(void)
{
    enum { DRAWS = 150000 };
    unsigned outer = 0;
    psi_prg prg;
    psi_wide z;
    start(&prg, 150);
    for (unsigned i = 0; i < DRAWS; i++) {
        psi_laplace(&z, &prg, 1 << 20, (1 << 20) - 1);
        outer += z >= 1 << 19 || z <= -(1 << 19);
    }
    double p = (exp(-0.5) - exp(-1)) / (1 - exp(-1));
    CU_ASSERT(fabs(outer - DRAWS * p) < 4 * sqrt(DRAWS * p * (1 - p)));
    psi_prg_wipe(&prg);
}

/* ---- Sign and zero ------------------------------------------------------------------------------------ */

static void test_symmetry(void)
{
    enum { DRAWS = 20000 };
    for (unsigned seed = 0; seed < 4; seed++) {
        unsigned t = 1 + seed, zero = 0, positive = 0;
        psi_prg prg;
        psi_wide z;
        start(&prg, 200 + seed);
        for (unsigned i = 0; i < DRAWS; i++) {
            psi_laplace(&z, &prg, t, MOST);
            zero += z == 0;
            positive += z > 0;
        }
        /* P(Z = 0) = (1 - a) / (1 + a), a = exp(-1/t): tanh(1 / 2t). Without the rule about the two zeros it
         * would be near 2 / (1 + 1/that) */
        double p = tanh(0.5 / t), rest = DRAWS - zero;
        CU_ASSERT(fabs(zero - DRAWS * p) < 4 * sqrt(DRAWS * p * (1 - p)));
        CU_ASSERT(fabs(positive - rest / 2) < 4 * sqrt(rest / 4));
        psi_prg_wipe(&prg);
    }
}

static void test_bound_zero(void)
{
    static const psi_uwide scales[] = {1, 2, 1000, PSI_LAPLACE_SCALE_MAX};
    psi_prg prg;
    start(&prg, 300);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 100; k++) {
            psi_wide z = 5;
            psi_laplace(&z, &prg, scales[i], 0);
            CU_ASSERT(z == 0);
        }
    psi_prg_wipe(&prg);
}

/* ---- Wide scales -------------------------------------------------------------------------------------- */

/* |Z| / t is exponential of mean and deviation 1, Z^2 / t^2 has mean 2 and deviation sqrt(20); low bits are
 * uniform. */
static void check_wide(psi_uwide t, unsigned seed)
{
    enum { DRAWS = 10000 };
    double sum = 0, squares = 0, chi2 = 0, above = 0;
    unsigned low[16] = {0};
    psi_prg prg;
    start(&prg, seed);
    for (unsigned i = 0; i < DRAWS; i++) {
        psi_wide z;
        psi_laplace(&z, &prg, t, MOST);
        double x = fabs((double)z) / (double)t;
        sum += x;
        squares += x * x;
        above += x > 1;
        low[(unsigned)z & 15]++;
    }
    CU_ASSERT(fabs(sum / DRAWS - 1) < 4 / sqrt(DRAWS));
    CU_ASSERT(fabs(squares / DRAWS - 2) < 4 * sqrt(20.0 / DRAWS));
    CU_ASSERT(fabs(above / DRAWS - exp(-1)) < 2 / sqrt(DRAWS));
    for (unsigned i = 0; i < 16; i++)
        chi2 += pow(low[i] - DRAWS / 16.0, 2) / (DRAWS / 16.0);
    CU_ASSERT(chi2 < 15 + 4 * sqrt(30));
    psi_prg_wipe(&prg);
}

static void test_wide(void)
{
    check_wide((psi_uwide)1 << 100, 400);
    check_wide(((psi_uwide)1 << 100) + 12345, 401);
    check_wide(PSI_LAPLACE_SCALE_MAX, 402);
    /* far under the scale: uniform but for 2^-50 */
    psi_prg prg;
    psi_wide z;
    double sum = 0;
    start(&prg, 403);
    for (unsigned i = 0; i < 10000; i++) {
        psi_laplace(&z, &prg, (psi_uwide)1 << 100, ((psi_wide)1 << 50) - 1);
        CU_ASSERT_FATAL(z > -((psi_wide)1 << 50) && z < (psi_wide)1 << 50);
        sum += (double)z / 0x1p50;
    }
    CU_ASSERT(fabs(sum) < 4 * sqrt(10000 / 3.0));
    psi_prg_wipe(&prg);
}

/* The same key gives the same noise. */
static void test_stream(void)
{
    psi_prg a, b;
    psi_wide x, y;
    start(&a, 500);
    start(&b, 500);
    for (unsigned i = 0; i < 100; i++) {
        psi_laplace(&x, &a, 1000, MOST);
        psi_laplace(&y, &b, 1000, MOST);
        CU_ASSERT(x == y);
    }
}

/* ---- Sizes -------------------------------------------------------------------------------------------- */

static void test_scale(void)
{
    CU_ASSERT(psi_laplace_scale(1, 1, 1000000) == 1);
    CU_ASSERT(psi_laplace_scale(1, 1, 500000) == 2);
    CU_ASSERT(psi_laplace_scale(1, 1, 300000) == 4); /* 3.33 */
    CU_ASSERT(psi_laplace_scale(1, 1, PSI_EPSILON_MAX) == 1);
    CU_ASSERT(psi_laplace_scale(0, 1, 500000) == 1);
    CU_ASSERT(psi_laplace_scale(100, 3, 700000) == 429); /* 428.57 */
    CU_ASSERT(psi_laplace_scale(7, 1024, PSI_EPSILON_MIN) == 7168000);
    const psi_uwide large = ((psi_uwide)1 << 97) - 1;
    CU_ASSERT(psi_laplace_scale(large, 1, 1000000) == large);
    CU_ASSERT(psi_laplace_scale(large, 1024, 1000000) == large * 1024);
    /* 2^102 * 1000 / 10^-3 */
    CU_ASSERT(psi_laplace_scale((psi_uwide)1 << 92, 1024, PSI_EPSILON_MIN) == ((psi_uwide)1 << 102) * 1000);
    CU_ASSERT(psi_laplace_scale(large, 1024, PSI_EPSILON_MIN) == PSI_LAPLACE_SCALE_MAX);
    CU_ASSERT(psi_laplace_scale(large, 33, PSI_EPSILON_MIN) == PSI_LAPLACE_SCALE_MAX);
    CU_ASSERT(psi_laplace_scale(large, 32, PSI_EPSILON_MIN) == large * 32000);
}

/* Smallest probability that shows a count to be at the end of its range: what delta has to cover. */
static double at_the_end(double t, unsigned tau)
{
    double mass = 1;
    for (unsigned z = 1; z <= tau; z++)
        mass += 2 * exp(-(double)z / t);
    return exp(-(double)tau / t) / mass;
}

static void test_dummies(void)
{
    static const struct {
        uint64_t epsilon;
        unsigned scale, tau;
    } table[] = {{1000, 1000, 13817}, {10000, 100, 1383}, {100000, 10, 139}, {200000, 5, 70},
                 {250000, 4, 56},     {300000, 4, 56},    {500000, 2, 29},   {900000, 2, 29},
                 {1000000, 1, 15},    {2000000, 1, 15},   {100000000, 1, 15}};
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned tau = psi_dummies(table[i].epsilon), t = table[i].scale;
        CU_ASSERT_EQUAL(tau, table[i].tau);
        if (tau != table[i].tau)
            printf("epsilon %u: tau %u\n", (unsigned)table[i].epsilon, tau);
        CU_ASSERT(psi_laplace_scale(1, 1, table[i].epsilon) == t);
        CU_ASSERT(at_the_end(t, tau) < 1e-6);
        CU_ASSERT(2 * exp(-(double)tau / t) / (1 + exp(-1.0 / t)) <= 1e-6);
        CU_ASSERT(2 * exp(-(tau - 1.0) / t) / (1 + exp(-1.0 / t)) > 1e-6);
    }
}

/* The one thing that can fail is the key of the stream; a wiped stream is what is left. */
static void test_random(void)
{
    psi_prg prg;
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
    psi_wide z;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    unsigned different = 0;
    psi_wide before = 0;
    for (unsigned i = 0; i < 20; i++, before = z) {
        psi_laplace(&z, &prg, 1000000, MOST);
        different += z != before;
    }
    CU_ASSERT(different >= 19);
    psi_prg_wipe(&prg);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"shape", test_shape},       {"truncated", test_truncated},   {"series", test_series},
        {"symmetry", test_symmetry}, {"bound_zero", test_bound_zero}, {"wide", test_wide},
        {"stream", test_stream},     {"scale", test_scale},           {"dummies", test_dummies},
        {"random", test_random},
    };
    return unit_main(argc, argv, "laplace", tests, sizeof tests / sizeof *tests);
}
