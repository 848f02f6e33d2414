/* SPDX-License-Identifier: Apache-2.0 */
/* Packed RLWE: whole runs through psi/ahe.h against plain sums. */
#include "psi/mem.h"
#include "psi/rlwe.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS(n) ((psi_wide)1 << (n))
enum { ROWS_MAX = 10000, COLUMNS = 8, N = PSI_RLWE_N };

static psi_ahe_plan plan;
static psi_wide value[COLUMNS][ROWS_MAX];
static uint8_t group[ROWS_MAX], show[PSI_AHE_COLUMNS_MAX];
static psi_sid sid;
static psi_ahe_key *key;
static psi_ahe_adder *adder;
static uint8_t *units, message[PSI_RLWE_POLY], sums[3 * COLUMNS * (PSI_RLWE_POLY + PSI_RLWE_SECOND)];
static uint8_t plain[COLUMNS][PSI_AHE_PLAIN];
static const char *why;
static size_t bad;

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

/* ---- Whole runs ---- */

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    CU_ASSERT_FATAL(user == &plan && first + n <= plan.rows && c < plan.columns && n > 0);
    memcpy(out, &value[c][first], n * sizeof *out);
}

static void set_plan(size_t rows, size_t columns, size_t groups, const psi_ahe_column *column)
{
    plan = (psi_ahe_plan){.scheme = PSI_AHE_RLWE, .columns = columns, .groups = groups, .rows = rows};
    plan.selected = rows;
    memcpy(plan.column, column, columns * sizeof *column);
    for (size_t g = 0; g < groups; g++)
        plan.group_max[g] = rows;
    CU_ASSERT_EQUAL_FATAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
}

static void make_values(void)
{
    for (size_t c = 0; c < plan.columns; c++)
        for (size_t r = 0; r < plan.rows; r++)
            value[c][r] = between(plan.column[c].min, plan.column[c].max);
}

static void open_both(void)
{
    unit_random(&sid, sizeof sid);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&key, &plan, &sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_message(key, message), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), TALLY_OK);
}

static void close_both(void)
{
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    psi_free(units);
    adder = NULL;
    key = NULL;
    units = NULL;
}

static void encrypt_all(void)
{
    units = psi_calloc(plan.units, plan.unit_bytes);
    CU_ASSERT_FATAL(units != NULL);
    for (size_t u = 0, n; u < plan.units; u += n) {
        n = 1 + unit_below(7);
        n = n < plan.units - u ? n : plan.units - u;
        CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, u, n, gather, &plan, units + u * plan.unit_bytes),
                              TALLY_OK);
    }
}

/* Any cut into calls. */
static void add_all(void)
{
    for (size_t u = 0, n; u < plan.units; u += n) {
        n = 1 + unit_below((uint32_t)(2 * plan.limbs + 1));
        n = n < plan.units - u ? n : plan.units - u;
        CU_ASSERT_EQUAL_FATAL(psi_ahe_add_prepare(adder, u, n, group), TALLY_OK);
        for (size_t t = 0; t < plan.tasks; t++)
            CU_ASSERT_EQUAL_FATAL(psi_ahe_add_task(adder, t, units + u * plan.unit_bytes, &bad, &why),
                                  TALLY_OK);
    }
}

static psi_wide plain_sum(size_t g, size_t c)
{
    psi_wide sum = 0;
    for (size_t r = 0; r < plan.rows; r++)
        sum += group[r] == g + 1 ? value[c][r] : 0;
    return sum;
}

static psi_wide noise_of(size_t c)
{
    return between(-plan.column[c].noise, plan.column[c].noise);
}

/* Returns of group g with random shows, random noise of either side; checks each sum. */
static void check_group(size_t g, psi_wide *expected)
{
    psi_wide added[COLUMNS];
    int noisy = unit_below(2) == 1;
    for (size_t c = 0; c < plan.columns; c++) {
        show[c] = (uint8_t)unit_below(3);
        added[c] = noisy ? noise_of(c) : 0;
    }
    size_t n = psi_ahe_sum_units(&plan, show), want = 0, at = 0;
    for (size_t c = 0; c < plan.columns; c++)
        want += show[c] ? plan.place[c].limbs : 0;
    CU_ASSERT_EQUAL(n, want);
    memset(sums, 0x5a, sizeof sums);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, g, show, noisy ? added : NULL, sums), TALLY_OK);
    if (n * plan.sum_bytes < sizeof sums)
        CU_ASSERT_EQUAL(sums[n * plan.sum_bytes], 0x5a);
    tally_status st = psi_ahe_decrypt(key, show, sums, plain, &why);
    if (st)
        printf("decrypt: %d %s\n", st, why);
    CU_ASSERT_EQUAL_FATAL(st, TALLY_OK);
    for (size_t c = 0; c < plan.columns; c++) {
        psi_wide sum = 0;
        if (show[c] == PSI_AHE_OPEN) {
            CU_ASSERT(psi_ahe_open(plain[at++]) == expected[c] + added[c]);
        } else if (show[c] == PSI_AHE_MASKED) {
            psi_wide more = noisy ? 0 : noise_of(c);
            psi_ahe_plain_add(&plan, c, plain[at], more);
            CU_ASSERT_EQUAL(psi_ahe_unmask(adder, g, c, plain[at++], &sum), TALLY_OK);
            CU_ASSERT(sum == expected[c] + added[c] + more);
        }
    }
}

static const psi_ahe_column mixed[COLUMNS] = {
    {1, 1, 0},                                /* counts */
    {0, BITS(20), 1000},                      /* positive */
    {-BITS(31), -1, 0},                       /* negative */
    {-BITS(40), BITS(40), BITS(60)},          /* two limbs */
    {0, BITS(64), 0},                         /* squares */
    {-BITS(96) + 1, BITS(96) - 1, BITS(120)}, /* the widest: three */
    {0, 0, 5},                                /* nothing but noise */
    {-1, 0, 0},
};

static void test_sums(void)
{
    static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 10000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t groups = 1; groups <= 3; groups++) {
            psi_wide expected[COLUMNS];
            set_plan(sizes[s], COLUMNS, groups, mixed);
            make_values();
            for (size_t r = 0; r < plan.rows; r++)
                group[r] = (uint8_t)unit_below((uint32_t)groups + 1);
            open_both();
            encrypt_all();
            add_all();
            for (size_t g = 0; g < groups; g++) {
                if (groups == 3 && g == 1)
                    continue; /* goes into the next */
                for (size_t c = 0; c < COLUMNS; c++)
                    expected[c] = plain_sum(g, c) + (groups == 3 && g == 2 ? plain_sum(1, c) : 0);
                if (groups == 3 && g == 2)
                    CU_ASSERT_EQUAL(psi_ahe_merge(adder, 2, 1), TALLY_OK);
                check_group(g, expected);
            }
            if (groups == 3) {
                memset(expected, 0, sizeof expected);
                check_group(1, expected); /* empty after the merge */
            }
            close_both();
        }
}

/* All rows at one end, and selections of none, one and all. */
static void test_extremes(void)
{
    for (int end = 0; end < 2; end++)
        for (int how = 0; how < 3; how++) {
            psi_wide expected[COLUMNS];
            set_plan(4097, COLUMNS, 1, mixed);
            for (size_t c = 0; c < COLUMNS; c++)
                for (size_t r = 0; r < plan.rows; r++)
                    value[c][r] = end ? plan.column[c].max : plan.column[c].min;
            memset(group, how == 2, plan.rows);
            if (how == 1)
                group[end ? 4096 : 0] = 1;
            open_both();
            encrypt_all();
            add_all();
            for (size_t c = 0; c < COLUMNS; c++)
                expected[c] = plain_sum(0, c);
            check_group(0, expected);
            close_both();
        }
}

static void test_sizes(void)
{
    set_plan(10000, COLUMNS, 2, mixed);
    CU_ASSERT_EQUAL(plan.unit_bytes * 100, 1325 * 4096); /* 13.25 bytes a value */
    CU_ASSERT_EQUAL(plan.key_bytes, 54272);
    CU_ASSERT_EQUAL(plan.sum_bytes, 54286);
    CU_ASSERT_EQUAL(plan.limbs, 1 + 1 + 1 + 2 + 2 + 3 + 1 + 1);
    CU_ASSERT_EQUAL(plan.units, 3 * plan.limbs);
    CU_ASSERT_EQUAL(plan.tasks, plan.limbs);
    CU_ASSERT_EQUAL(plan.place[0].bits[0], 14); /* 10001 sums */
    CU_ASSERT_EQUAL(plan.place[6].bits[0], 4);  /* 11 sums */
    size_t first = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        CU_ASSERT_EQUAL(plan.place[c].first, first);
        first += plan.place[c].limbs;
    }
}

/* Flooding: at 2^20 rows 22 figures of 46 bits and not one more; narrow ones cost less. */
static void test_budget(void)
{
    plan = (psi_ahe_plan){.scheme = PSI_AHE_RLWE, .groups = 1, .rows = 1 << 20, .selected = 1 << 20};
    plan.group_max[0] = 1 << 20;
    CU_ASSERT_EQUAL(psi_rlwe_eta(1 << 20), 21568 + 2048);
    CU_ASSERT_EQUAL(psi_rlwe_eta(0), 2048);
    CU_ASSERT_EQUAL(psi_rlwe_eta(1), 2048 + 22);
    for (size_t c = 0; c < 23; c++)
        plan.column[c].max = BITS(25);
    plan.columns = 22;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    CU_ASSERT_EQUAL(plan.place[21].bits[0], 46);
    plan.columns = 23;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(
        why, "too many figures for lists of this size: the flooding noise would not hide what was selected");
    plan.columns = 11;
    plan.groups = 2;
    plan.group_max[1] = 1 << 20;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    plan.columns = 12;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_ERR_USAGE);
    plan.group_max[1] = 1 << 16;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    plan.group_max[1] = (uint64_t)1 << 40; /* never above what is selected in all */
    plan.columns = 11;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    plan.groups = 1;
    plan.columns = 43;
    for (size_t c = 0; c < 43; c++)
        plan.column[c].max = BITS(24) - 1;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK); /* 44 bits: four times as many */
    plan.selected = 0;
    plan.rows = 0;
    CU_ASSERT_EQUAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    CU_ASSERT_EQUAL(plan.units, 0);
    /* five returns of what was planned, and no more */
    static const psi_ahe_column wide[COLUMNS] = {{0, BITS(33), 0}, {0, BITS(33), 0}, {0, BITS(33), 0}};
    set_plan(4096, 3, 1, wide);
    open_both();
    memset(group, 0, plan.rows);
    memset(show, PSI_AHE_OPEN, COLUMNS);
    unsigned times = 0;
    tally_status st;
    while (!(st = psi_ahe_finish(adder, 0, show, NULL, sums)) && times < 1000)
        times++;
    CU_ASSERT_EQUAL(st, TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(times, (5u << 19) / (3 * psi_rlwe_eta(4096)));
    close_both();
}

/* Sums of a million rows at the end of the range, with the largest plaintext there is. One block's ciphertext
 * stands for all: the owner encrypts the same values again and again. */
static void same_value(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user, (void)first;
    for (size_t i = 0; i < n; i++)
        out[i] = c ? plan.column[c].min : plan.column[c].max;
}

static void test_million(void)
{
    enum { MILLION = 1 << 20 };
    static const psi_ahe_column columns[COLUMNS] = {{0, BITS(26) - 1, 0}, {-BITS(45), BITS(25), BITS(40)}};
    uint8_t *all = psi_calloc(MILLION, 1);
    CU_ASSERT_FATAL(all != NULL);
    memset(all, 1, MILLION);
    set_plan(MILLION, 2, 1, columns);
    CU_ASSERT(plan.place[0].limbs == 1 && plan.place[0].bits[0] == 46 && plan.place[1].limbs == 2);
    open_both();
    uint8_t *block = psi_calloc(plan.limbs, plan.unit_bytes);
    CU_ASSERT_FATAL(block != NULL);
    for (size_t u = 0; u < plan.units; u += plan.limbs) {
        CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, u, plan.limbs, same_value, NULL, block), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_ahe_add_prepare(adder, u, plan.limbs, all), TALLY_OK);
        for (size_t t = 0; t < plan.tasks; t++)
            CU_ASSERT_EQUAL_FATAL(psi_ahe_add_task(adder, t, block, &bad, &why), TALLY_OK);
    }
    show[0] = PSI_AHE_OPEN;
    show[1] = PSI_AHE_MASKED;
    psi_wide sum;
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    CU_ASSERT(psi_ahe_open(plain[0]) == MILLION * columns[0].max);
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 1, plain[1], &sum), TALLY_OK);
    CU_ASSERT(sum == MILLION * columns[1].min);
    psi_free(block);
    psi_free(all);
    close_both();
}

/* ---- Bytes of a peer that does not follow the protocol ---- */

static void set_residue(uint8_t *polynomial, size_t j, int64_t residue)
{
    for (unsigned b = 0; b < 53; b++) {
        size_t bit = 53 * j + b;
        polynomial[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
        polynomial[bit / 8] |= (uint8_t)((residue >> b & 1) << (bit % 8));
    }
}

static const psi_ahe_column simple[COLUMNS] = {{0, BITS(20), 0}, {-BITS(50), BITS(50), 0}};

static void start_simple(void)
{
    set_plan(5000, 2, 1, simple);
    make_values();
    for (size_t r = 0; r < plan.rows; r++)
        group[r] = (uint8_t)unit_below(2);
    open_both();
    encrypt_all();
}

static tally_status add_unit(size_t u)
{
    CU_ASSERT_EQUAL_FATAL(psi_ahe_add_prepare(adder, u, 1, group), TALLY_OK);
    tally_status st = TALLY_OK;
    for (size_t t = 0; !st && t < plan.tasks; t++)
        st = psi_ahe_add_task(adder, t, units + u * plan.unit_bytes, &bad, &why);
    return st;
}

static void test_malformed_units(void)
{
    static const char range[] = "a residue of a polynomial is out of range";
    start_simple();
    for (unsigned i = 0; i < 2; i++) {
        const int64_t q = psi_rlwe_primes[i].q, wrong[] = {q, ((int64_t)1 << 53) - 1, q + 1};
        for (int w = 0; w < 3; w++) {
            size_t u = unit_below((uint32_t)plan.units), j = w == 0 ? 0 : w == 1 ? N - 1 : unit_below(N);
            uint8_t *unit = units + u * plan.unit_bytes + i * PSI_RLWE_SHARE;
            static uint8_t saved[PSI_RLWE_SHARE];
            memcpy(saved, unit, sizeof saved);
            set_residue(unit, j, wrong[w]);
            why = NULL;
            CU_ASSERT_EQUAL(add_unit(u), TALLY_ERR_MALFORMED);
            CU_ASSERT_STRING_EQUAL(why, range);
            CU_ASSERT_EQUAL(bad, u);
            set_residue(unit, j, q - 1);
            CU_ASSERT_EQUAL(add_unit(u), TALLY_OK);
            memcpy(unit, saved, sizeof saved);
            /* the key */
            psi_ahe_adder *other = NULL;
            uint8_t *share = message + i * PSI_RLWE_SHARE;
            memcpy(saved, share, sizeof saved);
            set_residue(share, j, wrong[w]);
            CU_ASSERT_EQUAL(psi_ahe_adder_new(&other, &plan, &sid, message, &why), TALLY_ERR_MALFORMED);
            CU_ASSERT_STRING_EQUAL(why, range);
            CU_ASSERT_PTR_NULL(other);
            memcpy(share, saved, sizeof saved);
        }
    }
    close_both();
}

/* A unit whose first component is zero and whose second is y mod q: it opens as y. */
static void set_unit(uint8_t *unit, psi_wide y)
{
    psi_uwide both = 0;
    for (unsigned i = 2; i-- > 0;)
        both = both << 53 | (psi_uwide)(uint64_t)psi_rlwe_mod(y, &psi_rlwe_primes[i]);
    memset(unit, 0, plan.sum_bytes);
    for (unsigned b = 0; b < PSI_RLWE_SECOND; b++)
        unit[PSI_RLWE_POLY + b] = (uint8_t)(both >> (8 * b));
}

static void test_malformed_sums(void)
{
    static const psi_ahe_column columns[COLUMNS] = {{0, 2, 0}, {0, BITS(80), 0}};
    set_plan(100, 2, 1, columns);
    CU_ASSERT(plan.place[0].bits[0] == 8 && plan.place[1].limbs == 2);
    psi_rlwe_limb limb[3];
    psi_rlwe_limb_init(&limb[0], 0, 8);
    for (unsigned l = 0; l < 2; l++)
        psi_rlwe_limb_init(&limb[1 + l], l, plan.place[1].bits[l]);
    open_both();
    memset(show, PSI_AHE_OPEN, 2);
    psi_wide sum = 100 * BITS(80) - 7;
    for (int l = 0; l < 3; l++) /* noise just inside and just outside, above and below, of each limb */
        for (int sign = -1; sign < 2; sign += 2)
            for (int over = 0; over < 2; over++) {
                psi_wide most = BITS(PSI_RLWE_FLOOD - limb[l].bits) + 22 * 100 + BITS(18);
                for (int k = 0; k < 3; k++)
                    set_unit(sums + (size_t)k * plan.sum_bytes,
                             (psi_wide)psi_rlwe_limb_plain(&limb[k],
                                                           psi_rlwe_limb_residue(&limb[k], k ? sum : 200)) +
                                 (k == l ? sign * (most + over) : 0));
                tally_status st = psi_ahe_decrypt(key, show, sums, plain, &why);
                CU_ASSERT_EQUAL(st, over ? TALLY_ERR_MALFORMED : TALLY_OK);
                if (over) {
                    CU_ASSERT_STRING_EQUAL(why, "a sum's noise is outside its bound");
                } else {
                    CU_ASSERT(psi_ahe_open(plain[0]) == 200 && psi_ahe_open(plain[1]) == sum);
                }
            }
    for (size_t k = 1; k < 3; k++)
        set_unit(sums + k * plan.sum_bytes, 0);
    for (uint64_t m = 199; m < 203; m++) { /* sums of 100 rows in 0..2 */
        set_unit(sums, (psi_wide)psi_rlwe_limb_plain(&limb[0], m));
        memset(plain, 0x77, sizeof plain);
        tally_status st = psi_ahe_decrypt(key, show, sums, plain, &why);
        CU_ASSERT_EQUAL(st, m > 200 ? TALLY_ERR_MALFORMED : TALLY_OK);
        if (m > 200) {
            CU_ASSERT_STRING_EQUAL(why, "a sum is outside its range");
            CU_ASSERT_EQUAL(plain[0][0], 0);
        }
    }
    set_unit(sums, 0);
    for (size_t k = 1; k < 3; k++) /* -1 */
        set_unit(sums + k * plan.sum_bytes, -(psi_wide)psi_rlwe_limb_plain(&limb[k], 1));
    memset(plain, 0x77, sizeof plain);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT(plain[0][0] == 0 && plain[1][0] == 0); /* no figure is left behind */
    /* bits that mean nothing, residues that are none */
    for (size_t k = 1; k < 3; k++)
        set_unit(sums + k * plan.sum_bytes, 0);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    sums[PSI_RLWE_POLY + 13] |= 0x04;
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_ERR_MALFORMED);
    for (unsigned i = 0; i < 2; i++)
        for (int w = 0; w < 2; w++)
            for (int where = 0; where < 2; where++) {
                int64_t wrong = w ? ((int64_t)1 << 53) - 1 : psi_rlwe_primes[i].q;
                set_unit(sums, 0);
                if (where)
                    set_residue(sums + PSI_RLWE_POLY, i, wrong);
                else
                    set_residue(sums + i * PSI_RLWE_SHARE, unit_below(N), wrong);
                CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_ERR_MALFORMED);
                CU_ASSERT_STRING_EQUAL(why, "a residue of a polynomial is out of range");
            }
    close_both();
}

/* A changed first component or a wrong key is noise: refused by its size or by the range nearly always. */
static void test_tampered(void)
{
    static uint8_t saved[sizeof sums];
    start_simple();
    add_all();
    memset(show, PSI_AHE_OPEN, 2);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, saved), TALLY_OK);
    unsigned accepted = 0;
    for (int i = 0; i < 40; i++) {
        memcpy(sums, saved, sizeof sums);
        set_residue(sums + plan.sum_bytes, unit_below(N), (int64_t)(word() >> 12));
        accepted += psi_ahe_decrypt(key, show, sums, plain, &why) == TALLY_OK;
    }
    CU_ASSERT(accepted < 35); /* half of it passes the noise bound, of which the range takes some */
    /* a key of another session or another owner gives garbage, not the sum */
    psi_ahe_key *other;
    psi_sid sid2 = sid;
    sid2.b[0] ^= 1;
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&other, &plan, &sid2), TALLY_OK);
    tally_status st = psi_ahe_decrypt(other, show, saved, plain, &why);
    CU_ASSERT(st == TALLY_ERR_MALFORMED || psi_ahe_open(plain[1]) != plain_sum(0, 1));
    psi_ahe_key_free(other);
    close_both();
}

static void test_bad_figures(void)
{
    psi_wide sum;
    start_simple();
    add_all();
    show[0] = show[1] = PSI_AHE_MASKED;
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 1, plain[1], &sum), TALLY_OK);
    CU_ASSERT(sum == plain_sum(0, 1));
    for (int i = 0; i < 3; i++) {
        uint8_t figure[PSI_AHE_PLAIN];
        memcpy(figure, plain[1], sizeof figure);
        if (i == 0)
            figure[16] = 1; /* only two limbs */
        else if (i == 1)
            figure[7] = 1; /* 2^56 */
        else
            psi_rlwe_set_figure(figure, 1, ((uint64_t)1 << plan.place[1].bits[1]) - 1); /* p itself */
        CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 0, 1, figure, &sum), TALLY_ERR_MALFORMED);
    }
    /* figures outside the range: moved up by half of the plaintext space */
    unsigned refused = 0;
    for (int i = 0; i < 20; i++) {
        uint8_t figure[PSI_AHE_PLAIN];
        memcpy(figure, plain[0], sizeof figure);
        psi_ahe_plain_add(&plan, 0, figure, BITS(40));
        refused += psi_ahe_unmask(adder, 0, 0, figure, &sum) == TALLY_ERR_MALFORMED;
    }
    CU_ASSERT_EQUAL(refused, plan.place[0].bits[0] > 40 ? 20 : 0);
    close_both();
}

/* ---- What is hidden ---- */

/* An owner that puts finer plaintexts into its ciphertexts than the modulus allows sees them drowned: the
 * flood is uniform, and over more than half of what lies between two plaintexts. */
static void test_finer_plaintexts(void)
{
    static const psi_ahe_column narrow[COLUMNS] = {{0, 1, 0}};
    psi_rlwe_limb limb;
    unsigned high = 0, octave[8] = {0};
    set_plan(100, 1, 1, narrow);
    CU_ASSERT_EQUAL(plan.place[0].bits[0], 7);
    psi_rlwe_limb_init(&limb, 0, 7);
    psi_prg prg;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    for (int i = 0; i < 4096; i++) {
        psi_wide f = psi_rlwe_limb_flood(&prg, &limb), b = BITS(PSI_RLWE_FLOOD - 7);
        high += f >= 0;
        octave[(f + b) / (b / 4)]++;
    }
    CU_ASSERT(high > 2048 - 200 && high < 2048 + 200);
    for (int o = 0; o < 8; o++)
        CU_ASSERT(octave[o] > 512 - 120 && octave[o] < 512 + 120);
    CU_ASSERT(4 * BITS(PSI_RLWE_FLOOD - 7) > (psi_wide)limb.delta); /* 2B > delta / 2 */
}

/* What comes back is flooded to the full width: moved by B, half of the units leave the bound of the noise on
 * either side. */
static void test_flooded(void)
{
    enum { TIMES = 256 };
    static const psi_ahe_column narrow[COLUMNS] = {{0, 1, 0}};
    set_plan(100, 1, 1, narrow);
    make_values();
    memset(group, 1, plan.rows);
    show[0] = PSI_AHE_OPEN;
    open_both();
    encrypt_all();
    add_all();
    unsigned accepted[2] = {0, 0};
    for (int i = 0; i < TIMES; i++) {
        CU_ASSERT_EQUAL_FATAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
        psi_uwide both = 0;
        for (unsigned b = PSI_RLWE_SECOND; b-- > 0;)
            both = both << 8 | sums[PSI_RLWE_POLY + b];
        psi_wide move = BITS(PSI_RLWE_FLOOD - plan.place[0].bits[0]) * (i & 1 ? 1 : -1);
        for (unsigned k = 0; k < 2; k++) {
            int64_t had = (int64_t)(both >> (53 * k)) & (((int64_t)1 << 53) - 1);
            int64_t moved = psi_rlwe_mod(move + had, &psi_rlwe_primes[k]);
            for (unsigned b = 0; b < 53; b++) {
                size_t bit = 53 * k + b;
                uint8_t *byte = &sums[PSI_RLWE_POLY + bit / 8];
                *byte = (uint8_t)((*byte & ~(1u << (bit % 8))) | (unsigned)(moved >> b & 1) << (bit % 8));
            }
        }
        tally_status st = psi_ahe_decrypt(key, show, sums, plain, &why);
        if (!st) {
            accepted[i & 1]++;
            CU_ASSERT(psi_ahe_open(plain[0]) == plain_sum(0, 0));
        }
    }
    for (int side = 0; side < 2; side++) /* 64 of 128, six deviations */
        CU_ASSERT(accepted[side] > 30 && accepted[side] < 98);
    close_both();
}

/* Masked figures are uniform: the owner's residues of the same sum, over many returns. */
static void test_masked_uniform(void)
{
    enum { TIMES = 512 };
    static const psi_ahe_column wide[COLUMNS] = {{-BITS(25), BITS(25), 0}};
    unsigned bins[16] = {0};
    set_plan(2, 1, 1, wide);
    value[0][0] = value[0][1] = 5;
    group[0] = group[1] = 1;
    show[0] = PSI_AHE_MASKED;
    open_both();
    encrypt_all();
    add_all();
    psi_rlwe_limb limb;
    psi_rlwe_limb_init(&limb, 0, plan.place[0].bits[0]);
    for (int i = 0; i < TIMES; i++) {
        psi_wide sum;
        CU_ASSERT_EQUAL_FATAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_ahe_decrypt(key, show, sums, plain, &why), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_ahe_unmask(adder, 0, 0, plain[0], &sum), TALLY_OK);
        CU_ASSERT(sum == 10);
        bins[psi_rlwe_figure(plain[0], 0) * 16 / limb.p]++;
    }
    double chi = 0;
    for (int b = 0; b < 16; b++)
        chi += ((double)bins[b] - TIMES / 16) * ((double)bins[b] - TIMES / 16) / (TIMES / 16);
    CU_ASSERT(chi < 52); /* 15 degrees: passed once in 10^5.2 */
    close_both();
}

/* Two returns of one sum, and two encryptions of one row, have nothing in common; neither have sessions. */
static void test_fresh(void)
{
    static uint8_t again[sizeof sums], other[PSI_RLWE_POLY];
    start_simple();
    add_all();
    memset(show, PSI_AHE_OPEN, 2);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, sums), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 0, show, NULL, again), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, 0, 1, gather, &plan, other), TALLY_OK);
    const uint8_t *pairs[][2] = {{sums, again},
                                 {sums, sums + plan.sum_bytes},
                                 {units, other},
                                 {units, units + plan.unit_bytes},
                                 {sums, units}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        unsigned same = 0;
        for (size_t j = 0; j < PSI_RLWE_POLY; j++)
            same += pairs[k][0][j] == pairs[k][1][j];
        CU_ASSERT(same > 100 && same < 330); /* 212 by chance, sigma 14.5 */
    }
    /* another session id: other polynomials a and p1 from the same coins */
    static const uint8_t seed[32] = {9};
    psi_ahe_key *keys[2];
    static uint8_t messages[2][PSI_RLWE_POLY];
    psi_sid sid2 = sid;
    sid2.b[31] ^= 0x80;
    for (int i = 0; i < 2; i++) {
        psi_rng_set_seed(seed);
        CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&keys[i], &plan, i ? &sid2 : &sid), TALLY_OK);
        CU_ASSERT_EQUAL(psi_ahe_key_message(keys[i], messages[i]), TALLY_OK);
        psi_rng_set_seed(NULL);
        psi_ahe_key_free(keys[i]);
    }
    unsigned same = 0;
    for (size_t j = 0; j < PSI_RLWE_POLY; j++)
        same += messages[0][j] == messages[1][j];
    CU_ASSERT(same < 330);
    close_both();
}

/* ---- Faults ---- */

static tally_status whole(void)
{
    tally_status st = psi_ahe_key_new(&key, &plan, &sid);
    if (!st)
        st = psi_ahe_key_message(key, message);
    if (!st)
        st = psi_ahe_adder_new(&adder, &plan, &sid, message, &why);
    for (size_t u = 0; !st && u < plan.units; u += 2) {
        size_t n = plan.units - u < 2 ? 1 : 2;
        st = psi_ahe_encrypt(key, u, n, gather, &plan, units);
        if (!st)
            st = psi_ahe_add_prepare(adder, u, n, group);
        for (size_t t = 0; !st && t < plan.tasks; t++)
            st = psi_ahe_add_task(adder, t, units, &bad, &why);
    }
    if (!st)
        st = psi_ahe_finish(adder, 0, show, NULL, sums);
    if (!st)
        st = psi_ahe_decrypt(key, show, sums, plain, &why);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    adder = NULL;
    key = NULL;
    return st;
}

static void test_faults(void)
{
    set_plan(4100, 2, 1, simple);
    make_values();
    memset(group, 1, plan.rows);
    memset(show, PSI_AHE_OPEN, 2);
    units = psi_calloc(2, plan.unit_bytes);
    psi_mem_fail_at(0);
    psi_rng_fail_at(0);
    CU_ASSERT_EQUAL(whole(), TALLY_OK);
    unsigned long allocations = psi_mem_count(), draws = psi_rng_count();
    CU_ASSERT(allocations > 8 && draws == 2 + plan.units / 2);
    for (unsigned long n = 1; n <= allocations; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(whole(), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
    for (unsigned long n = 1; n <= draws; n++) {
        psi_rng_fail_at(n);
        CU_ASSERT_EQUAL(whole(), TALLY_ERR_RANDOM);
    }
    psi_rng_fail_at(0);
    CU_ASSERT_EQUAL(whole(), TALLY_OK);
    CU_ASSERT(psi_ahe_open(plain[0]) == plain_sum(0, 0));
    psi_free(units);
    units = NULL;
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"sizes", test_sizes},
                                      {"sums", test_sums},
                                      {"extremes", test_extremes},
                                      {"budget", test_budget},
                                      {"million", test_million},
                                      {"malformed-units", test_malformed_units},
                                      {"malformed-sums", test_malformed_sums},
                                      {"tampered", test_tampered},
                                      {"bad-figures", test_bad_figures},
                                      {"finer-plaintexts", test_finer_plaintexts},
                                      {"flooded", test_flooded},
                                      {"masked-uniform", test_masked_uniform},
                                      {"fresh", test_fresh},
                                      {"faults", test_faults}};
    return unit_main(argc, argv, "psi_rlwe", tests, sizeof tests / sizeof *tests);
}
