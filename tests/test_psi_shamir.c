/* SPDX-License-Identifier: Apache-2.0 */
/* The field GF(2^128) in every backend, and sharing a secret over it. */
#include "psi/gf128.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "psi/rowhash.h"
#include "psi/shamir.h"
#include "tests/unit.h"

#include <string.h>

static const psi_gf128 one = 1;

static psi_gf128 random_element(void)
{
    uint8_t b[16];
    unit_random(b, sizeof b);
    return psi_gf128_load(b);
}

/* ---- The field ---------------------------------------------------------------------------------------- */

/* Bit by bit, by code of its own (psi/rowhash). */
static psi_gf128 slow(psi_gf128 a, psi_gf128 b)
{
    uint8_t x[16], y[16], z[16];
    psi_gf128_store(x, a);
    psi_gf128_store(y, b);
    psi_gf128_mul(z, x, y);
    return psi_gf128_load(z);
}

/* Elements at the edges: 0, 1, x^127, all ones, halves, single bits. */
static psi_gf128 edge(unsigned i)
{
    const psi_gf128 ones = ~(psi_gf128)0, some[] = {0, 1, one << 127, ones, ones >> 64, ones << 64};
    return i < 6 ? some[i] : one << (i - 6);
}

static void test_product(void)
{
    size_t count;
    const psi_gf128_backend *const *all = psi_gf128_backends(&count);
    CU_ASSERT_STRING_EQUAL(all[0]->name, "portable");
    for (size_t t = 0; t < count; t++) {
        for (unsigned i = 0; i < 134; i++)
            for (unsigned j = 0; j < 134; j++)
                CU_ASSERT(all[t]->product(edge(i), edge(j)) == slow(edge(i), edge(j)));
        for (unsigned i = 0; i < 5000; i++) {
            psi_gf128 a = random_element(), b = random_element();
            CU_ASSERT(all[t]->product(a, b) == slow(a, b));
        }
        /* x^127 * x = x^128 = x^7 + x^2 + x + 1 */
        CU_ASSERT(all[t]->product(one << 127, 2) == 0x87);
    }
}

static void test_axioms(void)
{
    size_t count;
    const psi_gf128_backend *const *all = psi_gf128_backends(&count);
    for (size_t t = 0; t < count; t++)
        for (unsigned i = 0; i < 200; i++) {
            psi_gf128 (*const times)(psi_gf128, psi_gf128) = all[t]->product;
            psi_gf128 a = random_element(), b = random_element(), c = random_element();
            CU_ASSERT(times(a, 1) == a && times(a, 0) == 0);
            CU_ASSERT(times(a, b) == times(b, a));
            CU_ASSERT(times(a, times(b, c)) == times(times(a, b), c));
            CU_ASSERT(times(a, b ^ c) == (times(a, b) ^ times(a, c)));
            CU_ASSERT(times(a, a) != times(b, b)); /* squaring is one to one */
        }
}

static void test_inverse(void)
{
    CU_ASSERT(psi_gf128_inverse(0) == 0 && psi_gf128_inverse(1) == 1);
    for (unsigned i = 1; i < 134; i++)
        CU_ASSERT(slow(edge(i), psi_gf128_inverse(edge(i))) == 1);
    for (unsigned i = 0; i < 100; i++) {
        psi_gf128 a = random_element();
        CU_ASSERT(slow(a, psi_gf128_inverse(a)) == 1);
    }
}

/* Whole blocks, remainders, both, none. */
static void test_value(void)
{
    static psi_gf128 c[1000];
    size_t count;
    const psi_gf128_backend *const *all = psi_gf128_backends(&count);
    for (unsigned i = 0; i < 1000; i++)
        c[i] = random_element();
    for (size_t n = 1; n <= 1000; n = n < 40 ? n + 1 : n * 5) {
        psi_gf128 points[] = {0, 1, random_element()};
        for (unsigned p = 0; p < 3; p++) {
            psi_gf128 want = 0, power = 1;
            for (size_t j = 0; j < n; j++) {
                want ^= slow(c[j], power);
                power = slow(power, points[p]);
            }
            for (size_t t = 0; t < count; t++)
                CU_ASSERT(all[t]->value(points[p], c, n) == want);
        }
    }
}

static void test_bytes(void)
{
    uint8_t b[16] = {0};
    b[0] = 1;
    CU_ASSERT(psi_gf128_load(b) == 1);
    b[0] = 0;
    b[15] = 0x80;
    CU_ASSERT(psi_gf128_load(b) == one << 127);
    uint8_t back[16];
    psi_gf128_store(back, one << 127);
    CU_ASSERT_EQUAL(memcmp(b, back, 16), 0);
}

/* ---- Sharing ------------------------------------------------------------------------------------------ */

#define MOST (PSI_SHAMIR_MAX + 10)

typedef struct shared {
    uint8_t secret[16], points[16 * MOST], shares[16 * MOST];
} shared;

/* n shares of a new secret. */
static void share(shared *s, size_t threshold, size_t n)
{
    psi_shamir *f = NULL;
    CU_ASSERT_EQUAL_FATAL(psi_shamir_new(&f, threshold), TALLY_OK);
    psi_shamir_secret(f, s->secret);
    unit_random(s->points, 16 * n);
    for (size_t i = 0; i < n; i++)
        psi_shamir_share(f, s->shares + 16 * i, s->points + 16 * i);
    psi_shamir_free(f);
}

static void swap(uint8_t *list, size_t i, size_t j)
{
    uint8_t t[16];
    memcpy(t, list + 16 * i, 16);
    memmove(list + 16 * i, list + 16 * j, 16);
    memcpy(list + 16 * j, t, 16);
}

static int gives(const shared *s, size_t first, size_t n, const uint8_t secret[16])
{
    uint8_t got[16];
    CU_ASSERT_EQUAL(psi_shamir_join(got, s->points + 16 * first, s->shares + 16 * first, n), TALLY_OK);
    return memcmp(got, secret, 16) == 0;
}

static void test_join(void)
{
    static shared s;
    static const size_t thresholds[] = {2, 3, 4, 10, 100, 999, 1000};
    for (unsigned k = 0; k < sizeof thresholds / sizeof *thresholds; k++) {
        size_t t = thresholds[k];
        share(&s, t, t + 10);
        /* Any t of them; more say the same, fewer something else. */
        CU_ASSERT(gives(&s, 0, t, s.secret));
        CU_ASSERT(gives(&s, 10, t, s.secret));
        CU_ASSERT(!gives(&s, 0, t - 1, s.secret));
        if (t + 10 <= PSI_SHAMIR_MAX)
            CU_ASSERT(gives(&s, 0, t + 10, s.secret));
        for (size_t i = t; i-- > 1;) {
            uint32_t j = unit_below((uint32_t)i + 1);
            swap(s.points, i, j);
            swap(s.shares, i, j);
        }
        CU_ASSERT(gives(&s, 0, t, s.secret));
        /* A changed share, or a share at another's point, gives another secret. */
        for (unsigned n = 0; n < (t > 100 ? 2 : 20); n++) {
            size_t bit = unit_below((uint32_t)(128 * t));
            s.shares[bit / 8] = (uint8_t)(s.shares[bit / 8] ^ 1u << bit % 8);
            CU_ASSERT(!gives(&s, 0, t, s.secret));
            s.shares[bit / 8] = (uint8_t)(s.shares[bit / 8] ^ 1u << bit % 8);
        }
        swap(s.shares, 0, t - 1);
        CU_ASSERT(!gives(&s, 0, t, s.secret));
    }
}

/*
 * Two shares of three: for any secret there is a third share that goes with it, by interpolation through (0,
 * secret) and the two. Moving all points by the third puts that one at 0.
 */
static void test_too_few(void)
{
    static shared s;
    share(&s, 3, 2);
    for (unsigned n = 0; n < 200; n++) {
        shared guess = {.secret = {0}};
        uint8_t candidate[16], third[16];
        unit_random(candidate, 16);
        unit_random(third, 16);
        for (unsigned b = 0; b < 16; b++) {
            guess.points[b] = third[b];
            guess.points[16 + b] = s.points[b] ^ third[b];
            guess.points[32 + b] = s.points[16 + b] ^ third[b];
        }
        memcpy(guess.shares, candidate, 16);
        memcpy(guess.shares + 16, s.shares, 32);
        memcpy(s.points + 32, third, 16);
        CU_ASSERT_EQUAL(psi_shamir_join(s.shares + 32, guess.points, guess.shares, 3), TALLY_OK);
        CU_ASSERT(gives(&s, 0, 3, candidate));
    }
}

/* Over many polynomials, two shares of three and the secret are independent and uniform: 64 cells of two bits
 * each; chi-square with 63 degrees of freedom. The seed makes the run repeatable. */
static void test_independent(void)
{
    enum { RUNS = 20000, CELLS = 64 };
    static const uint8_t seed[32] = {7}, points[3][16] = {{1}, {2}, {3}};
    unsigned cell[CELLS] = {0}, fixed[CELLS] = {0};
    psi_rng_set_seed(seed);
    for (unsigned r = 0; r < RUNS; r++) {
        uint8_t secret[16], share[3][16];
        psi_shamir *f = NULL;
        CU_ASSERT_EQUAL_FATAL(psi_shamir_new(&f, 3), TALLY_OK);
        psi_shamir_secret(f, secret);
        for (unsigned i = 0; i < 3; i++)
            psi_shamir_share(f, share[i], points[i]);
        psi_shamir_free(f);
        cell[(secret[0] & 3) + 4 * (share[0][0] & 3) + 16 * (share[1][0] & 3)]++;
        fixed[((secret[0] ^ share[0][0] ^ share[1][0] ^ share[2][0]) & 3)]++;
    }
    psi_rng_set_seed(NULL);
    double chi2 = 0, expected = (double)RUNS / CELLS;
    for (unsigned i = 0; i < CELLS; i++)
        chi2 += (cell[i] - expected) * (cell[i] - expected) / expected;
    CU_ASSERT(chi2 < 125); /* 63 + 5.5 deviations */
    /* All three know it: f(0) = f(1) + f(2) + f(3), as 1 + 2 + 3 = 0 and the same holds of squares. */
    CU_ASSERT_EQUAL(fixed[0], RUNS);
}

static void test_refused(void)
{
    static shared s;
    static const uint8_t zero[16] = {0};
    uint8_t got[16];
    for (size_t t = 2; t <= 40; t += 19) {
        share(&s, t, t);
        for (unsigned n = 0; n < 10; n++) {
            size_t i = unit_below((uint32_t)t), j = (i + 1 + unit_below((uint32_t)t - 1)) % t;
            uint8_t kept[16];
            memcpy(kept, s.points + 16 * i, 16);
            memcpy(s.points + 16 * i, s.points + 16 * j, 16);
            memset(got, 1, sizeof got);
            CU_ASSERT_EQUAL(psi_shamir_join(got, s.points, s.shares, t), TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL(memcmp(got, zero, 16), 0);
            memset(s.points + 16 * i, 0, 16);
            CU_ASSERT_EQUAL(psi_shamir_join(got, s.points, s.shares, t), TALLY_ERR_MALFORMED);
            memcpy(s.points + 16 * i, kept, 16);
            CU_ASSERT(gives(&s, 0, t, s.secret));
        }
    }
}

static void test_failures(void)
{
    static shared s;
    static const uint8_t zero[16] = {0};
    uint8_t got[16] = {1};
    psi_shamir *f = NULL;
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_shamir_new(&f, 3), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_shamir_new(&f, 3), TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
    CU_ASSERT_PTR_NULL(f);
    psi_shamir_free(NULL);
    share(&s, 3, 3);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_shamir_join(got, s.points, s.shares, 3), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(memcmp(got, zero, 16), 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"product", test_product}, {"axioms", test_axioms},
        {"inverse", test_inverse}, {"value", test_value},
        {"bytes", test_bytes},     {"join", test_join},
        {"too_few", test_too_few}, {"independent", test_independent},
        {"refused", test_refused}, {"failures", test_failures},
    };
    return unit_main(argc, argv, "shamir", tests, sizeof tests / sizeof *tests);
}
