/* SPDX-License-Identifier: Apache-2.0 */
/* Paillier-3072: ciphertexts that are none, whole sums against plain ones, and what a cheating owner gets.
 * Keys: test_psi_paillier_key.c. */
#include "psi/mem.h"
#include "psi/paillier.h"
#include "tests/paillier_primes.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

enum {
    P = PSI_PAILLIER_P,
    N = PSI_PAILLIER_N,
    NN = PSI_PAILLIER_NN,
    ROWS = 200,
    COLUMNS = 40,
    UNIT = PSI_PAILLIER_UNIT
};

static mp_limb_t prime_p[P], prime_q[P];
static psi_sid sid;
static psi_ahe_plan plan;
static psi_ahe_key *key; /* of the fixed primes; its plan changes from test to test, which no key notices */
static uint8_t message[PSI_PAILLIER_KEY_BYTES];
static psi_ahe_adder *adder;
static const char *why;
static psi_wide value[ROWS][COLUMNS];
static uint8_t group[ROWS];
static uint8_t *units;
static uint8_t sums[16 * UNIT];
static uint8_t plain[COLUMNS][PSI_AHE_PLAIN];

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user;
    CU_ASSERT_FATAL(first + n <= plan.rows);
    for (size_t i = 0; i < n; i++)
        out[i] = value[first + i][c];
}

static psi_wide wide_random(psi_wide min, psi_wide max)
{
    psi_uwide r;
    unit_random(&r, sizeof r);
    if (unit_below(4) == 0)
        return unit_below(2) ? min : max;
    return min + (psi_wide)(r % (psi_uwide)(max - min + 1));
}

static psi_wide power_of_two(unsigned n)
{
    return (psi_wide)1 << n;
}

/* ---- The stage ---- */

static void close_adder(void)
{
    psi_ahe_adder_free(adder);
    adder = NULL;
}

/* A plan of the columns set already; every row's values are drawn. */
static void start(size_t rows, size_t columns, size_t groups)
{
    plan.scheme = PSI_AHE_PAILLIER;
    plan.columns = columns;
    plan.groups = groups;
    plan.rows = plan.selected = rows;
    for (size_t g = 0; g < groups; g++)
        plan.group_max[g] = rows;
    CU_ASSERT_EQUAL_FATAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            value[r][c] = wide_random(plan.column[c].min, plan.column[c].max);
    free(units);
    units = malloc(plan.units * UNIT + 1);
    CU_ASSERT_FATAL(units != NULL);
    if (!key) {
        CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&key, &plan, &sid), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_ahe_key_message(key, message), TALLY_OK);
    }
    if (adder)
        close_adder();
    CU_ASSERT_EQUAL_FATAL(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), TALLY_OK);
}

/* All units, in calls of odd sizes that start within rows. */
static void encrypt_all(void)
{
    for (size_t at = 0, n; at < plan.units; at += n) {
        n = 1 + unit_below(40);
        n = n < plan.units - at ? n : plan.units - at;
        CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, at, n, gather, NULL, units + at * UNIT), TALLY_OK);
    }
}

static tally_status add(size_t first, size_t n, size_t *bad)
{
    tally_status st = psi_ahe_add_prepare(adder, first, n, group);
    for (size_t t = plan.tasks; !st && t-- > 0;) /* any order */
        st = psi_ahe_add_task(adder, t, units + first * UNIT, bad, &why);
    return st;
}

static void add_all(void)
{
    size_t bad;
    for (size_t at = 0, n; at < plan.units; at += n) {
        n = 1 + unit_below(100);
        n = n < plan.units - at ? n : plan.units - at;
        CU_ASSERT_EQUAL_FATAL(add(at, n, &bad), TALLY_OK);
    }
}

static psi_wide sum_of(size_t g, size_t c)
{
    psi_wide sum = 0;
    for (size_t r = 0; r < plan.rows; r++)
        sum += group[r] == g + 1 ? value[r][c] : 0;
    return sum;
}

/* The sums of group g as they come out at both ends, against plain ones; extra: noise of the owner. */
static void compare(size_t g, const uint8_t *show, const psi_wide *noise, const psi_wide *extra)
{
    size_t k = 0, wrong = 0;
    CU_ASSERT_EQUAL_FATAL(psi_ahe_finish(adder, g, show, noise, sums), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    for (size_t c = 0; c < plan.columns; c++) {
        psi_wide got = 0, wanted = sum_of(g, c) + (noise ? noise[c] : 0);
        if (show[c] == PSI_AHE_HIDDEN)
            continue;
        if (show[c] == PSI_AHE_MASKED) {
            if (extra) {
                psi_ahe_plain_add(&plan, c, plain[k], extra[c]);
                wanted += extra[c];
            }
            wrong += psi_ahe_unmask(adder, g, c, plain[k], &got) != TALLY_OK;
        } else {
            got = psi_ahe_open(plain[k]);
        }
        wrong += got != wanted;
        k++;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void draw_show(uint8_t *show)
{
    for (size_t c = 0; c < plan.columns; c++)
        show[c] = (uint8_t)unit_below(3);
    show[unit_below((uint32_t)plan.columns)] = (uint8_t)(1 + unit_below(2));
}

/* Ranges: a flag, small, negative only, both signs, the widest, one of nothing, noise up to 2^120. */
static void draw_columns(size_t columns)
{
    const psi_wide top = power_of_two(PSI_AHE_BITS_MAX) - 1;
    const psi_ahe_column kinds[] = {{0, 1, 0},
                                    {0, 1000, 5000},
                                    {-1000000, -1, 0},
                                    {-power_of_two(31), power_of_two(31) - 1, 1},
                                    {-top, top, 0},
                                    {0, 0, 0},
                                    {-5, 7, power_of_two(120)},
                                    {0, power_of_two(63), 0}};
    for (size_t c = 0; c < columns; c++)
        plan.column[c] = kinds[c < 8 ? c : unit_below(8)];
}

/* ---- Ciphertexts ---- */

static void set(mpz_t z, const mp_limb_t *a, size_t n)
{
    mpz_import(z, n, -1, 8, 0, 0, a);
}

static void put(uint8_t *unit, const mpz_t z)
{
    size_t size = (mpz_sizeinbase(z, 2) + 7) / 8;
    memset(unit, 0, UNIT);
    if (mpz_sgn(z))
        mpz_export(unit + UNIT - size, NULL, 1, 1, 0, 0, z);
}

static void test_bad_units(void)
{
    static const char range[] = "a ciphertext is out of range",
                      factor[] = "a ciphertext shares a factor with the modulus";
    const uint8_t show[2] = {PSI_AHE_OPEN, PSI_AHE_MASKED};
    uint8_t keep[UNIT];
    mpz_t p, n, nn, z;
    mpz_inits(p, n, nn, z, NULL);
    plan.column[0] = plan.column[1] = (psi_ahe_column){-3, 9, 0};
    start(40, 2, 1);
    encrypt_all();
    set(p, prime_p, P);
    set(n, prime_q, P);
    mpz_mul(n, n, p);
    mpz_mul(nn, n, n);
    for (unsigned kind = 0; kind < 8; kind++) {
        const char *wanted = kind == 1 || kind == 2 || kind == 6 || kind == 7 ? factor : range;
        mpz_set_ui(z, 0);
        if (kind == 1)
            mpz_set(z, n);
        if (kind == 2)
            mpz_mul_ui(z, p, 12345);
        if (kind == 3)
            mpz_set(z, nn);
        if (kind == 4)
            mpz_add_ui(z, nn, 1);
        if (kind == 6)
            mpz_sub(z, nn, n);
        if (kind == 7)
            mpz_sub(z, nn, p);
        for (unsigned i = 0; i < 2; i++) {
            size_t at = i ? 1 + unit_below(39) : 0, bad = 99;
            uint8_t *unit = units + at * UNIT;
            memcpy(keep, unit, UNIT);
            put(unit, z);
            if (kind == 5)
                memset(unit, 0xff, UNIT);
            memset(group, (int)i, plan.rows); /* selected or not */
            CU_ASSERT_EQUAL(add(0, 40, &bad), TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL(bad, at);
            CU_ASSERT_STRING_EQUAL(why, wanted);
            CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, unit, plain, &why), TALLY_ERR_MALFORMED);
            CU_ASSERT_STRING_EQUAL(why, wanted);
            memcpy(unit, keep, UNIT);
        }
    }
    /* 1 and N^2 - 1 are ciphertexts, of 0 both */
    mpz_sub_ui(z, nn, 1);
    put(sums, z);
    const uint8_t masked[2] = {PSI_AHE_MASKED, PSI_AHE_MASKED};
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, masked, sums, plain, &why), TALLY_OK);
    CU_ASSERT(psi_ahe_open(plain[0]) == 0 && psi_ahe_open(plain[1]) == 0);
    mpz_clears(p, n, nn, z, NULL);
}

/* Ciphertexts decrypt to the packed integer by Paillier's own formula, with GMP. */
static void test_definition(void)
{
    mpz_t n, nn, lambda, p, q, c, m, wanted, slot;
    mpz_inits(n, nn, lambda, p, q, c, m, wanted, slot, NULL);
    draw_columns(8);
    start(9, 8, 1);
    encrypt_all();
    set(p, prime_p, P);
    set(q, prime_q, P);
    mpz_mul(n, p, q);
    mpz_mul(nn, n, n);
    mpz_sub_ui(p, p, 1);
    mpz_sub_ui(q, q, 1);
    mpz_lcm(lambda, p, q);
    size_t wrong = 0;
    for (size_t u = 0; u < plan.units; u++) {
        mpz_import(c, UNIT, 1, 1, 0, 0, units + u * UNIT);
        mpz_powm(m, c, lambda, nn);
        mpz_sub_ui(m, m, 1);
        mpz_divexact(m, m, n);
        mpz_invert(slot, lambda, n);
        mpz_mul(m, m, slot);
        mpz_mod(m, m, n);
        mpz_set_ui(wanted, 0);
        for (size_t k = 0; k < plan.columns; k++) {
            if (plan.place[k].first != u % plan.limbs)
                continue;
            psi_wide v = value[u / plan.limbs][k];
            psi_uwide size = v < 0 ? 0 - (psi_uwide)v : (psi_uwide)v;
            mpz_import(slot, 1, -1, sizeof size, 0, 0, &size);
            mpz_mul_2exp(slot, slot, plan.place[k].shift);
            if (v < 0)
                mpz_sub(wanted, wanted, slot);
            else
                mpz_add(wanted, wanted, slot);
        }
        mpz_mod(wanted, wanted, n);
        wrong += mpz_cmp(wanted, m) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    mpz_clears(n, nn, lambda, p, q, c, m, wanted, slot, NULL);
}

/* ---- Sums ---- */

static void test_plan(void)
{
    draw_columns(COLUMNS);
    start(2, COLUMNS, 3);
    CU_ASSERT(plan.limbs >= 2);
    CU_ASSERT_EQUAL(plan.units, 2 * plan.limbs);
    CU_ASSERT_EQUAL(plan.unit_bytes, 768);
    CU_ASSERT_EQUAL(plan.key_bytes, 4608);
    CU_ASSERT_EQUAL(plan.tasks, 16);
    size_t wrong = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        const psi_ahe_place *x = &plan.place[c], *y = &plan.place[c + 1];
        unsigned v = x->width - psi_paillier_guard(&plan);
        psi_wide low, high;
        psi_ahe_bounds(&plan, c, &low, &high);
        /* just large enough: half the room holds not both ends */
        wrong += v < 1 || v > 128 || x->shift + x->width > 3070;
        if (v > 2 && v < 128)
            wrong += low < -power_of_two(v - 1) || high >= power_of_two(v - 1) ||
                     (low >= -power_of_two(v - 2) && high < power_of_two(v - 2));
        if (c + 1 < COLUMNS)
            wrong += !(y->first == x->first && y->shift == x->shift + x->width) &&
                     !(y->first == x->first + 1 && y->shift == 0);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(psi_paillier_guard(&plan), 41 + 7); /* 120 figures */
    plan.columns = plan.groups = 1;
    CU_ASSERT_EQUAL(psi_paillier_guard(&plan), 41);
    plan.columns = 256;
    plan.groups = 32;
    CU_ASSERT_EQUAL(psi_paillier_guard(&plan), 41 + 13);
}

/* The most columns there can be, in as many ciphertexts as they take; only some of these return. */
static void test_units_of_a_sum(void)
{
    uint8_t show[PSI_AHE_COLUMNS_MAX] = {0};
    const psi_wide top = power_of_two(PSI_AHE_BITS_MAX) - 1;
    plan.scheme = PSI_AHE_PAILLIER;
    for (size_t c = 0; c < PSI_AHE_COLUMNS_MAX; c++)
        plan.column[c] = (psi_ahe_column){-top, top, power_of_two(120)};
    plan.columns = PSI_AHE_COLUMNS_MAX;
    plan.groups = PSI_AHE_GROUPS_MAX;
    plan.rows = (uint64_t)1 << 31;
    plan.selected = (uint64_t)1 << 30;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    CU_ASSERT_EQUAL(plan.limbs, 16); /* 16 slots of 128 + 54 bits each */
    CU_ASSERT_EQUAL(psi_ahe_sum_units(&plan, show), 0);
    show[0] = show[255] = PSI_AHE_OPEN;
    CU_ASSERT_EQUAL(psi_ahe_sum_units(&plan, show), 2);
    show[1] = PSI_AHE_MASKED;
    CU_ASSERT_EQUAL(psi_ahe_sum_units(&plan, show), 2);
    show[16] = PSI_AHE_MASKED;
    CU_ASSERT_EQUAL(psi_ahe_sum_units(&plan, show), 3);
}

static void test_sums(void)
{
    static const size_t rows[] = {0, 1, 2, 17, ROWS};
    static const size_t columns[] = {1, 8, 3, COLUMNS, 2};
    uint8_t show[COLUMNS];
    for (size_t i = 0; i < 5; i++) {
        draw_columns(columns[i]);
        start(rows[i], columns[i], 1 + i % 3);
        CU_ASSERT_EQUAL(plan.limbs > 1, columns[i] == COLUMNS);
        for (size_t r = 0; r < rows[i]; r++)
            group[r] = (uint8_t)unit_below((uint32_t)plan.groups + 1);
        encrypt_all();
        add_all();
        for (size_t g = 0; g < plan.groups; g++) {
            draw_show(show);
            compare(g, show, NULL, NULL);
        }
        memset(show, PSI_AHE_OPEN, sizeof show);
        compare(0, show, NULL, NULL);
    }
}

/* Every row at one end of its range, all of them in the sum, and noise that reaches the bound. */
static void test_extremes(void)
{
    for (unsigned end = 0; end < 2; end++) {
        uint8_t show[COLUMNS];
        psi_wide noise[COLUMNS], extra[COLUMNS];
        draw_columns(8);
        start(17, 8, 1);
        for (size_t c = 0; c < 8; c++) {
            const psi_ahe_column *column = &plan.column[c];
            for (size_t r = 0; r < 17; r++)
                value[r][c] = end ? column->max : column->min;
            noise[c] = end ? column->noise : -column->noise;
            extra[c] = 0;
            show[c] = (uint8_t)(1 + (c + end) % 2);
        }
        memset(group, 1, 17);
        encrypt_all();
        add_all();
        compare(0, show, noise, NULL);
        for (size_t c = 0; c < 8; c++) {
            show[c] = PSI_AHE_MASKED;
            extra[c] = noise[c] / 2;
            noise[c] -= extra[c];
        }
        compare(0, show, noise, extra);
    }
}

static void test_selections(void)
{
    const uint8_t show[3] = {PSI_AHE_MASKED, PSI_AHE_OPEN, PSI_AHE_HIDDEN};
    draw_columns(3);
    start(33, 3, 3);
    encrypt_all();
    for (int how = 0; how < 3; how++) {
        if (how) {
            close_adder();
            CU_ASSERT_EQUAL_FATAL(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), TALLY_OK);
        }
        memset(group, how == 2 ? 3 : 0, sizeof group);
        if (how == 1)
            group[32] = 2;
        add_all();
        for (size_t g = 0; g < 3; g++)
            compare(g, show, NULL, NULL);
    }
}

static void test_merge(void)
{
    const uint8_t show[2] = {PSI_AHE_OPEN, PSI_AHE_MASKED};
    draw_columns(2);
    start(31, 2, 3);
    for (size_t r = 0; r < 31; r++)
        group[r] = (uint8_t)unit_below(4);
    encrypt_all();
    add_all();
    compare(1, show, NULL, NULL);
    CU_ASSERT_EQUAL(psi_ahe_merge(adder, 1, 0), TALLY_OK);
    for (size_t r = 0; r < 31; r++)
        group[r] = group[r] == 1 ? 2 : group[r];
    for (size_t g = 0; g < 3; g++)
        compare(g, show, NULL, NULL); /* group 0 is empty now */
    CU_ASSERT_EQUAL(psi_ahe_merge(adder, 2, 1), TALLY_OK);
    for (size_t r = 0; r < 31; r++)
        group[r] = group[r] == 2 ? 3 : group[r];
    for (size_t g = 0; g < 3; g++)
        compare(g, show, NULL, NULL);
}

/* A ciphertext mod N is y^N of its y: the plaintext is gone. */
static void residue(mpz_t r, const uint8_t *unit)
{
    mpz_t n;
    mpz_init(n);
    mpz_import(n, 384, 1, 1, 0, 0, message);
    mpz_import(r, UNIT, 1, 1, 0, 0, unit);
    mpz_mod(r, r, n);
    mpz_clear(n);
}

/* Rows encrypted twice, the same sums returned twice: other units, other y in them, other masked figures, the
   same open ones. */
static void test_fresh(void)
{
    const uint8_t show[3] = {PSI_AHE_MASKED, PSI_AHE_OPEN, PSI_AHE_HIDDEN};
    uint8_t figures[2][PSI_AHE_PLAIN];
    mpz_t y[5];
    for (int i = 0; i < 5; i++)
        mpz_init(y[i]);
    draw_columns(3);
    start(1, 3, 1);
    group[0] = 1;
    encrypt_all();
    residue(y[0], units);
    encrypt_all();
    residue(y[1], units);
    add_all(); /* the product is this one unit */
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    residue(y[2], sums);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    memcpy(figures, plain, sizeof figures);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    residue(y[3], sums);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    mpz_set_ui(y[4], 1); /* and none is that of an unblinded constant */
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(mpz_cmp(y[i], y[k]), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(figures[0], plain[0], PSI_AHE_PLAIN), 0);
    CU_ASSERT_EQUAL(memcmp(figures[1], plain[1], PSI_AHE_PLAIN), 0);
    /* the later mask counts */
    psi_wide sum;
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 0, figures[0], &sum), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 0, plain[0], &sum), TALLY_OK);
    CU_ASSERT(sum == sum_of(0, 0));
    for (int i = 0; i < 5; i++)
        mpz_clear(y[i]);
}

/* Figures that are none, or lie just outside. */
static void test_unmask(void)
{
    const uint8_t show[1] = {PSI_AHE_MASKED};
    uint8_t figure[PSI_AHE_PLAIN];
    psi_wide sum;
    plan.column[0] = (psi_ahe_column){-3, 10, 4};
    start(5, 1, 1);
    memset(group, 1, 5);
    for (size_t r = 0; r < 5; r++)
        value[r][0] = 10;
    encrypt_all();
    add_all();
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    for (psi_wide d = -80; d <= 10; d++) { /* 50 + d in [-19, 54] */
        memcpy(figure, plain[0], sizeof figure);
        psi_ahe_plain_add(&plan, 0, figure, d);
        tally_status st = psi_ahe_unmask(adder, 0, 0, figure, &sum);
        CU_ASSERT_EQUAL(st, d >= -69 && d <= 4 ? TALLY_OK : TALLY_ERR_MALFORMED);
        CU_ASSERT(st || sum == 50 + d);
    }
    size_t passed = 0;
    for (size_t i = 1; i < PSI_AHE_PLAIN; i++) {
        plain[0][i] ^= 1;
        passed += psi_ahe_unmask(adder, 0, 0, plain[0], &sum) == TALLY_OK;
        plain[0][i] ^= 1;
    }
    CU_ASSERT_EQUAL(passed, 0);
}

/* Values beyond the bounds: the column itself is wrong, found by whoever unmasks it, and hidden above its
   value bits from an owner that opens it; the neighbours stay right. */
static void test_cheating_owner(void)
{
    const uint8_t open[3] = {PSI_AHE_OPEN, PSI_AHE_OPEN, PSI_AHE_OPEN};
    const uint8_t mixed[3] = {PSI_AHE_OPEN, PSI_AHE_MASKED, PSI_AHE_OPEN};
    plan.column[0] = plan.column[1] = plan.column[2] = (psi_ahe_column){-100, 100, 0};
    start(3, 3, 1);
    memset(group, 1, 3);
    unsigned v = plan.place[1].width - psi_paillier_guard(&plan);
    psi_wide honest = sum_of(0, 1);
    value[1][1] += power_of_two(v) * 12345;
    encrypt_all();
    add_all();
    psi_wide sum;
    for (int again = 0; again < 2; again++) {
        CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, open, NULL, sums), TALLY_OK);
        CU_ASSERT_EQUAL(psi_ahe_decrypt(key, open, sums, plain, &why), TALLY_OK);
        CU_ASSERT(psi_ahe_open(plain[0]) == sum_of(0, 0));
        CU_ASSERT(psi_ahe_open(plain[1]) == honest); /* nothing is left of 12345 */
        CU_ASSERT(psi_ahe_open(plain[2]) == sum_of(0, 2));
        CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, mixed, NULL, sums), TALLY_OK);
        CU_ASSERT_EQUAL(psi_ahe_decrypt(key, mixed, sums, plain, &why), TALLY_OK);
        CU_ASSERT(psi_ahe_open(plain[0]) == sum_of(0, 0));
        CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 1, plain[1], &sum), TALLY_ERR_MALFORMED);
        CU_ASSERT(psi_ahe_open(plain[2]) == sum_of(0, 2));
    }
    /* within its value bits but outside its range: the owner's own check speaks */
    start(3, 3, 1);
    memset(value, 0, sizeof value);
    value[0][2] = 301;
    encrypt_all();
    add_all();
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, mixed, NULL, sums), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, mixed, sums, plain, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why, "a decrypted sum is outside its bound");
    size_t left = 0;
    for (size_t i = 0; i < 3 * PSI_AHE_PLAIN; i++)
        left += plain[i / PSI_AHE_PLAIN][i % PSI_AHE_PLAIN] != 0;
    CU_ASSERT_EQUAL(left, 0);
}

/* What the owner sees beside its open sums: all bits of guards, hidden slots and the rest of Z_N move. */
static void test_masks_cover(void)
{
    const uint8_t show[3] = {PSI_AHE_OPEN, PSI_AHE_HIDDEN, PSI_AHE_MASKED};
    mp_limb_t c[NN], x[N], ones[N], zeros[N];
    psi_wide sum;
    plan.column[0] = plan.column[1] = plan.column[2] = (psi_ahe_column){0, 1000, 0};
    start(2, 3, 1);
    memset(group, 1, 2);
    encrypt_all();
    add_all();
    memset(ones, 0, sizeof ones);
    memset(zeros, 0, sizeof zeros);
    psi_mont_work *w = psi_mont_work_new();
    psi_paillier_secret *secret = psi_secret_calloc(1, sizeof *secret);
    CU_ASSERT_FATAL(w && secret);
    CU_ASSERT_EQUAL_FATAL(psi_paillier_secret_init(secret, prime_p, prime_q, w), TALLY_OK);
    for (int i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
        psi_limbs_read(c, NN, sums);
        psi_paillier_open(secret, x, c, w);
        for (size_t k = 0; k < N; k++) {
            ones[k] |= x[k];
            zeros[k] |= ~x[k];
        }
    }
    psi_secret_free(secret);
    psi_mont_work_free(w);
    unsigned v = plan.place[0].width - psi_paillier_guard(&plan), still = 0, open_moves = 0;
    for (unsigned b = 0; b < 3072; b++) {
        int moves = (int)(ones[b / 64] >> (b % 64) & zeros[b / 64] >> (b % 64) & 1);
        if (b < v)
            open_moves += (unsigned)moves;
        else
            still += !moves; /* one of 2^23 bits by chance */
    }
    CU_ASSERT_EQUAL(open_moves, 0);
    CU_ASSERT_EQUAL(still, 0);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 2, plain[1], &sum), TALLY_OK);
    CU_ASSERT(sum == sum_of(0, 2));
}

/* ---- Faults ---- */

/* What one step gives with the fault that is set. */
enum step { KEY, MESSAGE, ENCRYPT, ADDER, ADD, FINISH, DECRYPT, STEPS };

static tally_status take(enum step step)
{
    const uint8_t show[2] = {PSI_AHE_OPEN, PSI_AHE_MASKED};
    psi_ahe_key *k = NULL;
    psi_ahe_adder *a = NULL;
    tally_status st = TALLY_OK;
    size_t bad;
    switch (step) {
    case KEY:
        st = psi_ahe_key_new(&k, &plan, &sid);
        CU_ASSERT_EQUAL(k == NULL, st != TALLY_OK);
        psi_ahe_key_free(k);
        return st;
    case MESSAGE:
        return psi_ahe_key_message(key, message);
    case ENCRYPT:
        return psi_ahe_encrypt(key, 0, 2, gather, NULL, units);
    case ADDER:
        st = psi_ahe_adder_new(&a, &plan, &sid, message, &why);
        CU_ASSERT_EQUAL(a == NULL, st != TALLY_OK);
        psi_ahe_adder_free(a);
        return st;
    case ADD:
        return add(0, 2, &bad);
    case FINISH:
        return psi_ahe_finish(adder, 0, show, NULL, sums);
    case DECRYPT:
        return psi_ahe_decrypt(key, show, sums, plain, &why);
    default:
        return TALLY_ERR_INTERNAL;
    }
}

/* Each allocation and each draw of each step fails in turn; then the step succeeds, and the sums are right.
 */
static void test_faults(void)
{
    static const unsigned long draws[STEPS] = {[KEY] = 1, [ENCRYPT] = 1, [FINISH] = 1};
    static const unsigned long least[STEPS] = {
        [KEY] = 2, [MESSAGE] = 2, [ENCRYPT] = 1, [ADDER] = 20, [DECRYPT] = 1};
    psi_wide sum;
    plan.column[0] = plan.column[1] = (psi_ahe_column){0, 1000, 0};
    start(2, 2, 1);
    memset(group, 1, 2);
    for (enum step step = 0; step < STEPS; step++) {
        unsigned long n = 0, failed = 0;
        tally_status st;
        do {
            psi_mem_fail_at(++n);
            st = take(step);
            failed += st == TALLY_ERR_NO_MEMORY;
        } while (st && n < 100);
        psi_mem_fail_at(0);
        CU_ASSERT_EQUAL(failed, n - 1);
        CU_ASSERT(failed >= least[step]);
        for (n = 1; n <= draws[step]; n++) {
            psi_rng_fail_at(n);
            CU_ASSERT_EQUAL(take(step), TALLY_ERR_RANDOM);
        }
        psi_rng_fail_at(0);
        if (step == FINISH)
            CU_ASSERT_EQUAL(take(step), TALLY_OK);
    }
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 1, plain[1], &sum), TALLY_OK);
    CU_ASSERT(sum == sum_of(0, 1) && psi_ahe_open(plain[0]) == sum_of(0, 0));
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"bad_units", test_bad_units},
                                      {"definition", test_definition},
                                      {"plan", test_plan},
                                      {"units_of_a_sum", test_units_of_a_sum},
                                      {"sums", test_sums},
                                      {"extremes", test_extremes},
                                      {"selections", test_selections},
                                      {"merge", test_merge},
                                      {"fresh", test_fresh},
                                      {"unmask", test_unmask},
                                      {"cheating_owner", test_cheating_owner},
                                      {"masks_cover", test_masks_cover},
                                      {"faults", test_faults}};
    uint8_t bytes[192];
    unit_hex(bytes, sizeof bytes, paillier_prime_p);
    psi_limbs_read(prime_p, P, bytes);
    unit_hex(bytes, sizeof bytes, paillier_prime_q);
    psi_limbs_read(prime_q, P, bytes);
    psi_paillier_set_primes(prime_p, prime_q);
    memset(&sid, 7, sizeof sid);
    int status = unit_main(argc, argv, "psi_paillier", tests, sizeof tests / sizeof *tests);
    if (adder)
        close_adder();
    psi_ahe_key_free(key);
    free(units);
    return status;
}
