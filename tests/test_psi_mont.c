/* SPDX-License-Identifier: Apache-2.0 */
/* Montgomery arithmetic against GMP's integers: random operands and those at the ends. */
#include "psi/mem.h"
#include "psi/mont_pair.h"
#include "tests/unit.h"

#include <string.h>

enum { MAX = PSI_MONT_LIMBS };

static psi_mont c;
static psi_mont_work *w;
static mpz_t m, r, r_inverse, x, y, z;

static void set(mpz_t to, const mp_limb_t *a, size_t n)
{
    mpz_import(to, n, -1, 8, 0, 0, a);
}

/* A modulus of n limbs. shape: 0 random, 1 the largest, 2 the smallest, 3 with zeros inside. */
static void start(size_t n, unsigned shape)
{
    mp_limb_t a[MAX];
    unit_random(a, sizeof a);
    if (shape == 1)
        memset(a, 0xff, sizeof a);
    if (shape == 2)
        memset(a, 0, sizeof a);
    if (shape == 3)
        memset(a + 1, 0, (n - 1) * sizeof *a);
    if (shape >= 2)
        a[n - 1] = shape == 2 && n > 1 ? 1 : 5;
    a[0] |= 3;
    psi_mont_init(&c, a, n);
    set(m, a, n);
    mpz_set_ui(r, 1);
    mpz_mul_2exp(r, r, 64 * n);
    CU_ASSERT(mpz_invert(r_inverse, r, m) != 0);
}

/* Random, or all ones, zero, one, m - 1, m, R - m - 1, only the top bit. */
static void operand(mp_limb_t *a)
{
    size_t n = c.n;
    unit_random(a, n * sizeof *a);
    switch (unit_below(12)) {
    case 0:
        memset(a, 0xff, n * sizeof *a);
        break;
    case 1:
        memset(a, 0, n * sizeof *a);
        break;
    case 2:
        memset(a, 0, n * sizeof *a);
        a[0] = 1;
        break;
    case 3:
        memcpy(a, c.m, n * sizeof *a);
        a[0]--;
        break;
    case 4:
        memcpy(a, c.m, n * sizeof *a);
        break;
    case 5:
        for (size_t i = 0; i < n; i++)
            a[i] = ~c.m[i];
        break;
    case 6:
        memset(a, 0, n * sizeof *a);
        a[n - 1] = (mp_limb_t)1 << 63;
        break;
    default:
        break;
    }
}

/* a = b mod m, a of n limbs. */
static int is(const mp_limb_t *a, const mpz_t b)
{
    set(z, a, c.n);
    return mpz_congruent_p(z, b, m);
}

static void test_operations(void)
{
    static const size_t lengths[] = {1, 2, 3, 24, 48, 96};
    mp_limb_t a[MAX], b[MAX], out[MAX], wide[2 * MAX];
    size_t wrong = 0;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (unsigned shape = 0; shape < 4; shape++) {
            size_t n = lengths[l];
            start(n, shape);
            for (int i = 0; i < 60; i++) {
                operand(a);
                operand(b);
                set(x, a, n);
                set(y, b, n);
                psi_mont_add(&c, out, a, b);
                mpz_add(z, x, y);
                mpz_set(y, z);
                wrong += !is(out, y);
                set(y, b, n);
                psi_mont_sub(&c, out, a, b);
                mpz_sub(y, x, y);
                wrong += !is(out, y);
                set(y, b, n);
                psi_mont_mul(&c, out, a, b, w);
                mpz_mul(y, x, y);
                mpz_mul(y, y, r_inverse);
                wrong += !is(out, y);
                memcpy(out, a, sizeof out); /* in place */
                psi_mont_mul(&c, out, out, b, w);
                wrong += !is(out, y);
                psi_mont_sqr(&c, out, a, w);
                mpz_mul(y, x, x);
                mpz_mul(y, y, r_inverse);
                wrong += !is(out, y);
                psi_mont_in(&c, out, a, w);
                mpz_mul(y, x, r);
                wrong += !is(out, y);
                psi_mont_out(&c, out, out, w);
                wrong += !is(out, x);
                set(z, out, n);
                wrong += mpz_cmp(z, m) >= 0;
                psi_mont_out(&c, out, a, w);
                mpz_mul(y, x, r_inverse);
                wrong += !is(out, y);
                set(z, out, n);
                wrong += mpz_cmp(z, m) >= 0;
                memcpy(wide, a, n * sizeof *a);
                memcpy(wide + n, b, n * sizeof *b);
                set(x, wide, 2 * n);
                psi_mont_in_wide(&c, out, wide, w);
                mpz_mul(y, x, r);
                wrong += !is(out, y);
                psi_mont_redc(&c, out, wide);
                mpz_mul(y, x, r_inverse);
                wrong += !is(out, y);
            }
        }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_pow(void)
{
    static const size_t lengths[] = {1, 2, 24, 48, 96};
    static const size_t bits[] = {1, 2, 3, 4, 5, 63, 64, 65, 127, 190, 512};
    mp_limb_t a[MAX], e[8], out[MAX];
    size_t wrong = 0;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
            start(lengths[l], (unsigned)k % 4);
            operand(a);
            unit_random(e, sizeof e);
            if (k % 3 == 0)
                memset(e, k % 2 ? 0xff : 0, sizeof e);
            set(x, a, c.n);
            set(y, e, 8);
            mpz_fdiv_r_2exp(y, y, bits[k]); /* bits above are not looked at */
            mpz_powm(y, x, y, m);
            psi_mont_in(&c, out, a, w);
            psi_mont_pow(&c, out, out, e, bits[k], w);
            psi_mont_out(&c, out, out, w);
            wrong += !is(out, y);
        }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* x + p y of a pair of n limbs each. */
static void set_pair(mpz_t to, const mp_limb_t *a)
{
    set(z, a + c.n, c.n);
    mpz_mul(z, z, m);
    set(to, a, c.n);
    mpz_add(to, to, z);
}

/* Products and conversions modulo p^2, for p with both top bits set; halves at their ends as well. */
static void test_pairs(void)
{
    static const size_t lengths[] = {1, 2, 24};
    mp_limb_t a[MAX], b[MAX], out[MAX], p[MAX], exact[MAX];
    size_t wrong = 0;
    mpz_t square, inverse;
    mpz_inits(square, inverse, NULL);
    for (size_t l = 0; l < 3; l++)
        for (unsigned shape = 0; shape < 4; shape++) {
            size_t n = lengths[l];
            unit_random(p, sizeof p);
            if (shape == 1)
                memset(p, 0xff, sizeof p);
            if (shape == 2)
                memset(p, 0, sizeof p);
            p[0] |= shape == 3 ? ~(mp_limb_t)0 : 1;
            p[n - 1] |= (mp_limb_t)3 << 62;
            psi_mont_init(&c, p, n);
            set(m, p, n);
            mpz_set_ui(r, 1);
            mpz_mul_2exp(r, r, 64 * n);
            mpz_invert(r_inverse, m, r);
            memset(exact, 0, sizeof exact);
            mpz_export(exact, NULL, -1, 8, 0, 0, r_inverse);
            mpz_mul(square, m, m);
            mpz_invert(inverse, r, square);
            for (int i = 0; i < 400; i++) {
                operand(a);
                operand(a + n);
                operand(b);
                operand(b + n);
                set_pair(x, a);
                set_pair(y, b);
                mpz_mul(y, x, y);
                mpz_mul(y, y, inverse);
                psi_pair_mul(&c, out, a, b, w);
                set_pair(x, out);
                wrong += !mpz_congruent_p(x, y, square);
                psi_pair_mul(&c, a, a, b, w); /* in place */
                wrong += memcmp(a, out, 2 * n * sizeof *a) != 0;
                psi_pair_join(&c, b, out, w);
                set(y, b, 2 * n);
                wrong += mpz_cmp(x, y) != 0;
                mpz_mod(y, y, square);
                memset(b, 0, sizeof b);
                mpz_export(b, NULL, -1, 8, 0, 0, y);
                psi_pair_split(&c, b, b, exact, w); /* in place */
                set_pair(x, b);
                wrong += mpz_cmp(x, y) != 0;
            }
        }
    CU_ASSERT_EQUAL(wrong, 0);
    mpz_clears(square, inverse, NULL);
}

static void test_limbs(void)
{
    uint8_t bytes[16], back[16];
    mp_limb_t a[2], b[2] = {7, 9};
    unit_random(bytes, sizeof bytes);
    psi_limbs_read(a, 2, bytes);
    mpz_import(x, 16, 1, 1, 0, 0, bytes);
    set(y, a, 2);
    CU_ASSERT_EQUAL(mpz_cmp(x, y), 0);
    psi_limbs_write(back, a, 2);
    CU_ASSERT_EQUAL(memcmp(bytes, back, 16), 0);
    psi_limbs_move(b, a, 2, 0);
    CU_ASSERT(b[0] == 7 && b[1] == 9);
    psi_limbs_move(b, a, 2, ~(mp_limb_t)0);
    CU_ASSERT(b[0] == a[0] && b[1] == a[1]);
}

static void test_faults(void)
{
    psi_mem_fail_at(1);
    CU_ASSERT_PTR_NULL(psi_mont_work_new());
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"operations", test_operations},
                                      {"pow", test_pow},
                                      {"pairs", test_pairs},
                                      {"limbs", test_limbs},
                                      {"faults", test_faults}};
    mpz_inits(m, r, r_inverse, x, y, z, NULL);
    w = psi_mont_work_new();
    int status = w ? unit_main(argc, argv, "psi_mont", tests, sizeof tests / sizeof *tests) : 1;
    psi_mont_work_free(w);
    mpz_clears(m, r, r_inverse, x, y, z, NULL);
    return status;
}
