/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below the group backends in lanes, against GMP: numbers modulo 2^255 - 19, the constants of the
 * curve, scalars as digits. */
#include "psi/curve_constants.h"
#include "psi/digits.h"
#include "tests/support_curve.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <gmp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t number[32];

enum { LANES_MAX = 8, RANDOM = 400, PAIRS = UNIT_NUMBERS_MAX * UNIT_NUMBERS_MAX };

static const psi_field_backend *f; /* each in turn */
static mpz_t p, l, x, y, z;

static void start(void)
{
    static int ready;
    if (ready++)
        return;
    mpz_inits(p, l, x, y, z, NULL);
    mpz_setbit(p, 255);
    mpz_sub_ui(p, p, 19);
    mpz_set_str(l, "27742317777372353535851937790883648493", 10);
    mpz_setbit(l, 252);
}

static void get(mpz_t r, const void *bytes)
{
    mpz_import(r, 32, -1, 1, 0, 0, bytes);
}

/* The number of 255 bits: bit 255 is ignored by the backends. */
static void get255(mpz_t r, const uint8_t *bytes)
{
    get(r, bytes);
    mpz_clrbit(r, 255);
}

/* r modulo m. */
static void put(uint8_t *bytes, mpz_t r, const mpz_t m)
{
    mpz_mod(r, r, m);
    memset(bytes, 0, 32);
    mpz_export(bytes, NULL, -1, 1, 0, 0, r);
}

static void for_each_field(void (*test)(void))
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    start();
    for (size_t i = 0; i < count; i++)
        if ((f = all[i]->field))
            test();
}

/* ---- Operations ---- */

enum operation { MIX, ADD, SUBTRACT, MULTIPLY, OPERATIONS };

static number a[PAIRS + LANES_MAX], b[PAIRS + LANES_MAX], c[PAIRS + LANES_MAX], got[PAIRS + LANES_MAX],
    wanted[OPERATIONS][PAIRS + LANES_MAX];
static size_t items;

static void expect(size_t i)
{
    mpz_t r, sum;
    mpz_inits(r, sum, NULL);
    get255(x, a[i]);
    get255(y, b[i]);
    get255(z, c[i]);
    mpz_add(sum, x, y);
    mpz_mul(r, sum, z);
    mpz_sub(sum, y, z);
    mpz_submul(r, x, sum);
    mpz_addmul(r, y, y);
    put(wanted[MIX][i], r, p);
    mpz_add(z, x, y);
    put(wanted[ADD][i], z, p);
    mpz_sub(z, x, y);
    put(wanted[SUBTRACT][i], z, p);
    mpz_mul(z, x, y);
    put(wanted[MULTIPLY][i], z, p);
    mpz_clears(r, sum, NULL);
}

/* The first operands from item `shift` on, so that each has been in each lane after LANES_MAX calls. */
static void operations(size_t shift)
{
    void (*const two[OPERATIONS])(number *, const number *, const number *,
                                  size_t) = {NULL, f->add, f->subtract, f->multiply};
    size_t n = items - shift;
    f->mix(got, (const number *)a + shift, (const number *)b + shift, (const number *)c + shift, n);
    CU_ASSERT_EQUAL(memcmp(got, wanted[MIX][shift], n * 32), 0);
    for (int o = ADD; o < OPERATIONS; o++) {
        two[o](got, (const number *)a + shift, (const number *)b + shift, n);
        CU_ASSERT_EQUAL(memcmp(got, wanted[o][shift], n * 32), 0);
    }
}

static void operations_in_every_lane(void)
{
    for (size_t shift = 0; shift < LANES_MAX; shift++)
        operations(shift);
}

static void test_special(void)
{
    static number special[UNIT_NUMBERS_MAX];
    size_t n = unit_numbers(special);
    start();
    items = n * n + LANES_MAX; /* the first few once more at the end, where a shift cuts them off */
    for (size_t i = 0; i < items; i++) {
        size_t pair = i % (n * n);
        memcpy(a[i], special[pair / n], 32);
        memcpy(b[i], special[pair % n], 32);
        memcpy(c[i], special[(3 * (pair / n) + 5 * pair) % n], 32);
        expect(i);
    }
    for_each_field(operations_in_every_lane);
}

static void operations_once(void)
{
    operations(0);
}

/* Also with bit 255 set, and of every length of the last vector. */
static void test_random(void)
{
    start();
    for (size_t round = 0; round < 2 * LANES_MAX; round++) {
        items = RANDOM + round;
        unit_random(a, sizeof *a * items);
        unit_random(b, sizeof *b * items);
        unit_random(c, sizeof *c * items);
        for (size_t i = 0; i < items; i++)
            expect(i);
        for_each_field(operations_once);
    }
}

/* Powers and inverses of every special number in every lane, and of random ones. */
static void powers(void)
{
    static const unsigned counts[] = {1, 2, 5, 100};
    for (size_t shift = 0; shift < LANES_MAX; shift++) {
        size_t n = items - shift;
        f->invert(got, (const number *)a + shift, n);
        CU_ASSERT_EQUAL(memcmp(got, wanted[0][shift], n * 32), 0);
    }
    for (size_t t = 0; t < sizeof counts / sizeof *counts; t++) {
        mpz_set_ui(y, 0);
        mpz_setbit(y, counts[t]);
        f->square(got, (const number *)a, items, counts[t]);
        for (size_t i = 0; i < items; i++) {
            get255(x, a[i]);
            mpz_powm(x, x, y, p);
            put(wanted[1][i], x, p);
        }
        CU_ASSERT_EQUAL(memcmp(got, wanted[1], items * 32), 0);
    }
    /* In place. */
    memcpy(got, a, items * 32);
    f->invert(got, (const number *)got, items);
    f->invert(got, (const number *)got, items);
    f->square(got, (const number *)got, items, 100);
    CU_ASSERT_EQUAL(memcmp(got, wanted[1], items * 32), 0);
}

static void test_powers(void)
{
    start();
    items = unit_numbers(a) + 40;
    unit_random(a[items - 40], (size_t)40 * 32);
    for (size_t i = 0; i < items; i++) {
        get255(x, a[i]);
        if (!mpz_invert(x, x, p))
            mpz_set_ui(x, 0);
        put(wanted[0][i], x, p);
    }
    for_each_field(powers);
}

/* ---- Square root of a ratio ---- */

static uint8_t square[PAIRS + LANES_MAX], want_square[16];

static void ratio_vectors(void)
{
    vectors v;
    number root[16], want[16];
    size_t n = 0;
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v)) {
        if (n == 16)
            break;
        uint8_t *to = strcmp(v.name, "u") == 0 ? a[n] : strcmp(v.name, "v") == 0 ? b[n] : NULL;
        if (strcmp(v.name, "was_square") == 0)
            want_square[n] = strcmp(v.value, "TRUE") == 0;
        else if (strcmp(v.name, "r") == 0)
            to = want[n++];
        if (to)
            CU_ASSERT_EQUAL(unit_hex(to, 32, v.value), 32);
    }
    CU_ASSERT_EQUAL_FATAL(n, 6);
    for (size_t shift = 0; shift < LANES_MAX; shift++) { /* repeated from lane `shift` on */
        size_t m = LANES_MAX + n;
        for (size_t i = n; i < m + shift; i++) {
            memcpy(a[i], a[i % n], 32);
            memcpy(b[i], b[i % n], 32);
        }
        f->sqrt_ratio(got, square, (const number *)a + shift, (const number *)b + shift, m);
        for (size_t i = 0; i < m; i++) {
            memcpy(root[0], want[(i + shift) % n], 32);
            CU_ASSERT(memcmp(got[i], root[0], 32) == 0 && square[i] == want_square[(i + shift) % n]);
        }
    }
}

static void test_ratio_vectors(void)
{
    for_each_field(ratio_vectors);
}

/* By its definition: r is even, and r^2 v is u, or sqrt(-1) u if that is no square; (1, 0) for u = 0, (0, 0)
 * for v = 0. */
static void ratios(void)
{
    mpz_t root_m1;
    mpz_init(root_m1);
    get(root_m1, psi_curve_numbers[CURVE_SQRT_M1]); /* checked below */
    f->sqrt_ratio(got, square, (const number *)a, (const number *)b, items);
    for (size_t i = 0; i < items; i++) {
        get255(x, a[i]);
        get255(y, b[i]);
        get(z, got[i]);
        mpz_mod(x, x, p);
        mpz_mod(y, y, p);
        int good = mpz_cmp(z, p) < 0 && mpz_even_p(z);
        if (mpz_sgn(x) == 0 || mpz_sgn(y) == 0) {
            good &= mpz_sgn(z) == 0 && square[i] == (mpz_sgn(x) == 0);
        } else {
            mpz_mul(z, z, z);
            mpz_mul(z, z, y);
            if (!square[i])
                mpz_mul(x, x, root_m1);
            mpz_mul(y, y, x);
            good &= mpz_congruent_p(z, x, p) && mpz_jacobi(y, p) == 1;
        }
        CU_ASSERT(good);
    }
    mpz_clear(root_m1);
}

static void test_ratios(void)
{
    static number special[UNIT_NUMBERS_MAX];
    size_t n = unit_numbers(special);
    start();
    for (items = 0; items < 1500; items++) {
        memcpy(a[items], special[unit_below((uint32_t)n)], 32);
        memcpy(b[items], special[unit_below((uint32_t)n)], 32);
        if (items % 3 == 0)
            unit_random(a[items], 32);
        if (items % 5 == 0)
            unit_random(b[items], 32);
    }
    for_each_field(ratios);
}

/* ---- Constants ---- */

/* The constant is the number that RFC 9496 section 4.1 prints in decimal, which meets its definition. */
static void constant(mpz_t r, int which, const char *decimal)
{
    get(r, psi_curve_numbers[which]);
    mpz_t printed;
    mpz_init_set_str(printed, decimal, 10);
    CU_ASSERT_EQUAL(mpz_cmp(r, printed), 0);
    mpz_clear(printed);
}

static void test_constants(void)
{
    mpz_t d, r;
    start();
    mpz_inits(d, r, NULL);
    constant(d, CURVE_D, "37095705934669439343138083508754565189542113879843219016388785533085940283555");
    mpz_mul_ui(r, d, 121666);
    mpz_add_ui(r, r, 121665);
    CU_ASSERT(mpz_divisible_p(r, p));
    constant(r, CURVE_SQRT_M1,
             "19681161376707505956807079304988542015446066515923890162744021073123829784752");
    mpz_mul(r, r, r);
    mpz_add_ui(r, r, 1);
    CU_ASSERT(mpz_divisible_p(r, p));
    constant(r, CURVE_SQRT_AD_MINUS_ONE,
             "25063068953384623474111414158702152701244531502492656460079210482610430750235");
    mpz_mul(r, r, r);
    mpz_add(r, r, d);
    mpz_add_ui(r, r, 1); /* a = -1 */
    CU_ASSERT(mpz_divisible_p(r, p));
    constant(r, CURVE_INVSQRT_A_MINUS_D,
             "54469307008909316920995813868745141605393597292927456921205312896311721017578");
    mpz_mul(r, r, r);
    mpz_add_ui(x, d, 1);
    mpz_mul(r, r, x);
    mpz_add_ui(r, r, 1);
    CU_ASSERT(mpz_divisible_p(r, p));
    constant(r, CURVE_ONE_MINUS_D_SQ,
             "1159843021668779879193775521855586647937357759715417654439879720876111806838");
    mpz_mul(x, d, d);
    mpz_ui_sub(x, 1, x);
    CU_ASSERT(mpz_congruent_p(r, x, p));
    constant(r, CURVE_D_MINUS_ONE_SQ,
             "40440834346308536858101042469323190826248399146238708352240133220865137265952");
    mpz_sub_ui(x, d, 1);
    mpz_mul(x, x, x);
    CU_ASSERT(mpz_congruent_p(r, x, p));
    mpz_mul_ui(x, d, 2);
    get(r, psi_curve_numbers[CURVE_2D]);
    CU_ASSERT(mpz_congruent_p(r, x, p) && mpz_cmp(r, p) < 0);
    for (unsigned i = 0; i < 3; i++) {
        get(r, psi_curve_numbers[CURVE_ZERO + i]);
        CU_ASSERT_EQUAL(mpz_cmp_ui(r, i), 0);
    }
    vectors v;
    uint8_t generator[32];
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v) && strcmp(v.name, "B[ 1]") != 0)
        ;
    CU_ASSERT_EQUAL(unit_hex(generator, 32, v.value), 32);
    fclose(v.file);
    get(r, psi_curve_generator);
    get(x, generator);
    CU_ASSERT_EQUAL(mpz_cmp(r, x), 0);
    get(r, psi_group_order);
    CU_ASSERT_EQUAL(mpz_cmp(r, l), 0);
    mpz_clears(d, r, NULL);
}

/* ---- Encodings of doubles ---- */

enum { TORSION = 4, CLASSES = 3 };

/* r[0], r[1], .. = x, y, z, x y / z with z = w: a point in extended coordinates. */
static void put_point(number r[4], const mpz_t px, const mpz_t py, unsigned w)
{
    mpz_set_ui(z, w);
    put(r[2], z, p);
    mpz_mul_ui(z, px, w);
    put(r[0], z, p);
    mpz_mul_ui(z, py, w);
    put(r[1], z, p);
    mpz_mul(z, px, py);
    mpz_mul_ui(z, z, w);
    put(r[3], z, p);
}

/*
 * 2 (P + T) for P the identity, the generator and its opposite, and T of order 1, 2 and 4, with many Z, each
 * in every lane: T makes no difference. With i = sqrt(-1): (x, y) + (0, -1) = (-x, -y), (x, y) + (i, 0) = (i
 * y, i x).
 */
static void encode_doubles(void)
{
    static number in[4][60];
    psi_point want[CLASSES], out[60];
    number generator[4];
    mpz_t gx, gy, i, qx, qy;
    vectors v;
    memset(&want[0], 0, sizeof *want);
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v) && strcmp(v.name, "B[ 2]") != 0)
        ;
    CU_ASSERT_EQUAL(unit_hex(want[1].b, 32, v.value), 32);
    fclose(v.file);
    mpz_inits(gx, gy, i, qx, qy, NULL);
    get(i, psi_curve_numbers[CURVE_SQRT_M1]);
    /* y = 4/5, x the root of (y^2 - 1) / (d y^2 + 1) that is not negative (RFC 8032, section 5.1) */
    mpz_set_ui(x, 5);
    mpz_invert(x, x, p);
    mpz_mul_ui(gy, x, 4);
    mpz_mod(gy, gy, p);
    get(y, psi_curve_numbers[CURVE_D]);
    mpz_mul(x, gy, gy);
    mpz_mul(y, y, x);
    mpz_add_ui(y, y, 1);
    mpz_sub_ui(x, x, 1);
    put(generator[0], x, p);
    put(generator[1], y, p);
    uint8_t is_square;
    f->sqrt_ratio(&generator[2], &is_square, (const number *)&generator[0], (const number *)&generator[1], 1);
    CU_ASSERT_EQUAL(is_square, 1);
    get(gx, generator[2]);
    psi_scalar minus_two = {{0}};
    mpz_sub_ui(x, l, 2);
    put(minus_two.b, x, l);
    CU_ASSERT_EQUAL(crypto_scalarmult_ristretto255_base(want[2].b, minus_two.b), 0);
    for (size_t shift = 0; shift < LANES_MAX; shift++) {
        for (size_t at = 0; at < 60; at++) {
            number q[4];
            size_t class = (at + shift) % 5 % CLASSES, torsion = (at + shift) / 5 % TORSION;
            mpz_set(qx, gx);
            mpz_set(qy, gy);
            if (class == 0) {
                mpz_set_ui(qx, 0);
                mpz_set_ui(qy, 1);
            }
            if (class == 2)
                mpz_neg(qx, qx);
            if (torsion & 2) { /* + (i, 0) */
                mpz_mul(x, qy, i);
                mpz_mul(qy, qx, i);
                mpz_set(qx, x);
            }
            if (torsion & 1) { /* + (0, -1) */
                mpz_neg(qx, qx);
                mpz_neg(qy, qy);
            }
            mpz_mod(qx, qx, p);
            mpz_mod(qy, qy, p);
            put_point(q, qx, qy, 1 + (unsigned)at * 77777);
            for (int part = 0; part < 4; part++)
                memcpy(in[part][at], q[part], 32);
        }
        memset(out, 0xa5, sizeof out);
        f->encode_doubles(out, (const number *)in[0], (const number *)in[1], (const number *)in[2],
                          (const number *)in[3], 60);
        for (size_t at = 0; at < 60; at++)
            CU_ASSERT_EQUAL(memcmp(&out[at], &want[(at + shift) % 5 % CLASSES], sizeof *out), 0);
    }
    mpz_clears(gx, gy, i, qx, qy, NULL);
}

static void test_encode_doubles(void)
{
    for_each_field(encode_doubles);
}

/* ---- Scalars ---- */

static void check_digits(const psi_scalar *k)
{
    int8_t digits[PSI_DIGITS];
    int odd = 1, small = 1;
    psi_digits(digits, k);
    mpz_set_ui(x, 0);
    for (size_t i = PSI_DIGITS; i-- > 0;) {
        odd &= digits[i] & 1;
        small &= digits[i] >= -15 && digits[i] <= 15;
        mpz_mul_2exp(x, x, 4);
        if (digits[i] < 0)
            mpz_sub_ui(x, x, (unsigned long)-digits[i]);
        else
            mpz_add_ui(x, x, (unsigned long)digits[i]);
    }
    get(y, k->b);
    if (mpz_even_p(y))
        mpz_add(y, y, l);
    CU_ASSERT(odd && small && mpz_cmp(x, y) == 0);
}

static void check_scalar(const psi_scalar *k)
{
    psi_scalar half = {{0}}, in_place = *k;
    check_digits(k);
    psi_scalar_half(&half, k);
    check_digits(&half);
    get(x, half.b);
    CU_ASSERT(mpz_cmp(x, l) < 0);
    mpz_mul_2exp(x, x, 1);
    get(y, k->b);
    CU_ASSERT(mpz_congruent_p(x, y, l));
    psi_scalar_half(&in_place, &in_place);
    CU_ASSERT_EQUAL(memcmp(&in_place, &half, sizeof half), 0);
}

static void test_scalars(void)
{
    psi_scalar k = {{0}};
    start();
    for (unsigned i = 0; i < 600; i++) { /* 0.., l - 1 .. */
        mpz_set_ui(x, i);
        put(k.b, x, l);
        check_scalar(&k);
        mpz_sub_ui(x, l, i + 1);
        put(k.b, x, l);
        check_scalar(&k);
    }
    for (unsigned bit = 0; bit < 253; bit++) /* 2^bit and its neighbours */
        for (unsigned i = 0; i < 3; i++) {
            mpz_set_ui(x, i);
            mpz_set_ui(z, 0);
            mpz_setbit(z, bit);
            mpz_add(x, x, z);
            mpz_sub_ui(x, x, 1);
            put(k.b, x, l);
            check_scalar(&k);
        }
    for (int byte = 0; byte < 256; byte++) { /* the same nibbles everywhere */
        memset(&k, byte, sizeof k);
        k.b[31] &= 0x0f;
        check_scalar(&k);
    }
    for (unsigned i = 0; i < 5000; i++) {
        unit_random(&k, sizeof k);
        k.b[31] &= 0x3f; /* digits: of any number below 2^254 */
        check_digits(&k);
        get(x, k.b);
        put(k.b, x, l);
        check_scalar(&k);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"special", test_special}, {"random", test_random},
                                      {"powers", test_powers},   {"ratio_vectors", test_ratio_vectors},
                                      {"ratios", test_ratios},   {"constants", test_constants},
                                      {"scalars", test_scalars}, {"encode_doubles", test_encode_doubles}};
    return unit_main(argc, argv, "psi_field", tests, sizeof tests / sizeof *tests);
}
