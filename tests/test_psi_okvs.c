/* SPDX-License-Identifier: Apache-2.0 */
/* OKVS: every value comes back, gaps are closed by the dense part, what cannot be solved is refused, and the
 * table shows nothing. */
#include "psi/mem.h"
#include "psi/okvs.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 34160, SLOTS = 43008 };

static psi_okvs_row rows[MOST];
static psi_okvs_value values[MOST], table[SLOTS], second[SLOTS];
static psi_prg prg;

static psi_okvs_value sum(psi_okvs_value a, psi_okvs_value b)
{
    return (psi_okvs_value){a.lo ^ b.lo, a.hi ^ b.hi};
}

static psi_okvs_value decode(const psi_okvs_value *t, size_t slots, const psi_okvs_row *r)
{
    psi_okvs_value v = sum(t[r->p[0]], sum(t[r->p[1]], t[r->p[2]]));
    for (size_t j = 0; j < PSI_OKVS_DENSE; j++)
        if (r->mask >> j & 1)
            v = sum(v, t[slots - PSI_OKVS_DENSE + j]);
    return v;
}

/* Rows that do not decode to their value, and table entries of more than 80 bits. */
static size_t wrong(const psi_okvs_value *t, size_t slots, size_t n)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        psi_okvs_value v = decode(t, slots, &rows[i]);
        bad += v.lo != values[i].lo || v.hi != values[i].hi;
    }
    for (size_t c = 0; c < slots; c++)
        bad += t[c].hi >> 16 != 0;
    return bad;
}

static void random_rows(size_t n, size_t slots)
{
    uint32_t sparse = (uint32_t)(slots - PSI_OKVS_DENSE);
    unit_random(values, n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i].hi &= 0xffff;
        unit_random(&rows[i].mask, sizeof rows[i].mask);
        uint16_t *p = rows[i].p;
        p[0] = (uint16_t)unit_below(sparse);
        do
            p[1] = (uint16_t)unit_below(sparse);
        while (p[1] == p[0]);
        do
            p[2] = (uint16_t)unit_below(sparse);
        while (p[2] == p[0] || p[2] == p[1]);
    }
}

static void test_sizes(void)
{
    static const struct {
        size_t n, slots;
    } sizes[] = {{0, 1536},  {1, 1536},      {2, 1536},     {100, 1536},   {1024, 1536},
                 {0, 512},   {2048, 3072},   {4096, 5632},  {8192, 10752}, {16384, 20992},
                 {1, 65536}, {32768, 41472}, {34160, 43008}};
    psi_okvs *w = psi_okvs_new(MOST, 65536);
    psi_okvs_value *big = psi_calloc(65536, sizeof *big);
    CU_ASSERT_FATAL(w && big);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned gap = 99;
        random_rows(sizes[i].n, sizes[i].slots);
        CU_ASSERT_EQUAL(psi_okvs_encode(w, big, sizes[i].slots, rows, values, sizes[i].n, &prg, &gap),
                        TALLY_OK);
        CU_ASSERT_EQUAL(wrong(big, sizes[i].slots, sizes[i].n), 0);
        CU_ASSERT(gap <= 3);
    }
    psi_free(big);
    psi_okvs_free(w);
}

/* Groups of rows on the same three places: all but one of each group go to the gap. */
static void test_gaps(void)
{
    psi_okvs *w = psi_okvs_new(1024, 1536);
    CU_ASSERT_FATAL(w != NULL);
    for (unsigned want = 1; want <= 48; want = want < 8 ? want + 1 : want + 8) {
        for (unsigned groups = 1; groups <= want; groups += 3) {
            unsigned gap = 0;
            random_rows(600, 1536);
            /* groups get their first row at 100 .. and `want` more in turn */
            for (unsigned i = 0; i < want; i++)
                memcpy(rows[200 + i].p, rows[100 + i % groups].p, sizeof rows[0].p);
            CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 1536, rows, values, 600, &prg, &gap), TALLY_OK);
            CU_ASSERT(gap >= want && gap <= want + 1);
            CU_ASSERT_EQUAL(wrong(table, 1536, 600), 0);
        }
    }
    psi_okvs_free(w);
}

/* A table so tight that a large core stays: cycles of many kinds, and still every value. */
static void test_core(void)
{
    unsigned solved = 0, most = 0;
    psi_okvs *w = psi_okvs_new(1024, 1536);
    CU_ASSERT_FATAL(w != NULL);
    for (int i = 0; i < 200; i++) {
        unsigned gap = 0;
        random_rows(256, 256 + 64 + 24);
        tally_status st = psi_okvs_encode(w, table, 256 + 64 + 24, rows, values, 256, &prg, &gap);
        if (st == TALLY_OK) {
            CU_ASSERT_EQUAL(wrong(table, 256 + 64 + 24, 256), 0);
            solved++;
            most = gap > most ? gap : most;
        } else {
            CU_ASSERT_EQUAL(st, TALLY_ERR_DIFFERS);
        }
    }
    CU_ASSERT_EQUAL(solved, 200);
    CU_ASSERT(most >= 2); /* or the test is too kind */
    psi_okvs_free(w);
}

static size_t not_zero(size_t slots)
{
    size_t bytes = 0;
    for (size_t c = 0; c < slots; c++)
        bytes += table[c].lo != 0 || table[c].hi != 0;
    return bytes;
}

/* Two equal rows with two values, dependent masks, more rows over than the dense part takes: refused and
 * wiped. */
static void test_refused(void)
{
    psi_okvs *w = psi_okvs_new(1024, 1536);
    CU_ASSERT_FATAL(w != NULL);
    memset(table, 0x11, sizeof table);
    random_rows(300, 1536);
    rows[250] = rows[17];
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 1536, rows, values, 300, &prg, NULL), TALLY_ERR_DIFFERS);
    CU_ASSERT_EQUAL(not_zero(1536), 0);
    CU_ASSERT_EQUAL(table[1536].lo, 0x1111111111111111u); /* no further than it was asked to */

    memset(table, 0x11, sizeof table);
    random_rows(300, 1536);
    for (int i = 0; i < 4; i++)
        memcpy(rows[100 + i].p, rows[9].p, sizeof rows[9].p);
    rows[103].mask = rows[100].mask ^ rows[101].mask ^ rows[102].mask;
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 1536, rows, values, 300, &prg, NULL), TALLY_ERR_DIFFERS);
    CU_ASSERT_EQUAL(not_zero(1536), 0);

    unsigned gap = 0;
    memset(table, 0x11, sizeof table);
    random_rows(300, 1536);
    for (int i = 0; i < 49; i++)
        memcpy(rows[100 + i].p, rows[9].p, sizeof rows[9].p);
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 1536, rows, values, 300, &prg, &gap), TALLY_ERR_DIFFERS);
    CU_ASSERT_EQUAL(gap, 49);
    CU_ASSERT_EQUAL(not_zero(1536), 0);

    /* the work space is as good as new */
    random_rows(300, 1536);
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 1536, rows, values, 300, &prg, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(wrong(table, 1536, 300), 0);
    psi_okvs_free(w);
}

/* 255 degrees of freedom: mean 255, deviation 22.6; seven deviations either way. */
static int bytes_are_uniform(const psi_okvs_value *t, size_t slots)
{
    double count[256] = {0}, chi = 0, mean = (double)slots * 10 / 256;
    for (size_t c = 0; c < slots; c++) {
        for (int b = 0; b < 8; b++)
            count[t[c].lo >> (8 * b) & 255]++;
        count[t[c].hi & 255]++;
        count[t[c].hi >> 8 & 255]++;
    }
    for (int b = 0; b < 256; b++)
        chi += (count[b] - mean) * (count[b] - mean) / mean;
    return chi > 255 - 7 * 22.6 && chi < 255 + 7 * 22.6;
}

/* The same pairs twice: what no equation decides is drawn anew, and no entry is left empty. */
static void test_free_entries(void)
{
    psi_okvs *w = psi_okvs_new(MOST, SLOTS);
    CU_ASSERT_FATAL(w != NULL);
    static const size_t sizes[] = {0, 1, 1000, 34132};
    for (size_t i = 0; i < 4; i++) {
        size_t n = sizes[i], same = 0;
        random_rows(n, SLOTS);
        CU_ASSERT_EQUAL_FATAL(psi_okvs_encode(w, table, SLOTS, rows, values, n, &prg, NULL), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_okvs_encode(w, second, SLOTS, rows, values, n, &prg, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(wrong(second, SLOTS, n), 0);
        for (size_t c = 0; c < SLOTS; c++)
            same += table[c].lo == second[c].lo && table[c].hi == second[c].hi;
        CU_ASSERT_EQUAL(same, 0); /* masks bring the dense entries into every row: all differ */
        CU_ASSERT_EQUAL(not_zero(SLOTS), SLOTS);
        CU_ASSERT(bytes_are_uniform(table, SLOTS));
        CU_ASSERT(bytes_are_uniform(second, SLOTS));
    }
    psi_okvs_free(w);
}

/* Without masks the entries of a row's own component alone answer for its value. */
static void test_untouched_entries(void)
{
    psi_okvs *w = psi_okvs_new(16, 512);
    CU_ASSERT_FATAL(w != NULL);
    size_t same = 0;
    random_rows(1, 512);
    rows[0].mask = 0;
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 512, rows, values, 1, &prg, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(wrong(table, 512, 1), 0);
    memcpy(second, table, 512 * sizeof *table);
    CU_ASSERT_EQUAL(psi_okvs_encode(w, table, 512, rows, values, 1, &prg, NULL), TALLY_OK);
    for (size_t c = 0; c < 512; c++)
        same += table[c].lo == second[c].lo;
    CU_ASSERT_EQUAL(same, 0);
    psi_okvs_free(w);
}

static void test_memory(void)
{
    psi_mem_fail_at(0);
    psi_okvs *w = psi_okvs_new(100, 512);
    unsigned long most = psi_mem_count();
    CU_ASSERT_PTR_NOT_NULL(w);
    CU_ASSERT(most >= 7);
    psi_okvs_free(w);
    for (unsigned long n = 1; n <= most; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_PTR_NULL(psi_okvs_new(100, 512));
    }
    psi_mem_fail_at(0);
    psi_okvs_free(NULL);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"sizes", test_sizes},       {"gaps", test_gaps},
                                      {"core", test_core},         {"refused", test_refused},
                                      {"free", test_free_entries}, {"untouched", test_untouched_entries},
                                      {"memory", test_memory}};
    if (psi_prg_init(&prg))
        return 2;
    return unit_main(argc, argv, "psi_okvs", tests, sizeof tests / sizeof *tests);
}
