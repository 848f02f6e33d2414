/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches of lists: equal ones, and how far apart others are found to be. */
#include "psi/mem.h"
#include "psi/sketch.h"
#include "tests/unit.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(psi_item));
}

static psi_item *random_list(size_t n)
{
    psi_item *items = malloc((n + 1) * sizeof *items);
    if (!items)
        abort();
    unit_random(items, n * sizeof *items);
    qsort(items, n, sizeof *items, by_bytes);
    return items;
}

static void sketch(const uint8_t key[32], const psi_item *items, size_t n, uint8_t *out)
{
    CU_ASSERT_EQUAL_FATAL(psi_sketch_make(key, items, n, out), TALLY_OK);
}

static void hash(uint8_t out[32], const uint8_t key[32], const void *rest, size_t len, int block)
{
    const char *text = psi_tag_text(PSI_TAG_SKETCH);
    uint8_t all[256] = {0};
    size_t n = strlen(text);
    all[0] = (uint8_t)n;
    memcpy(all + 1, text, n);
    memcpy(all + 1 + n, key, 32);
    size_t at = block ? 64 : n + 33;
    memcpy(all + at, rest, len);
    CU_ASSERT_FATAL(EVP_Digest(all, at + len, out, NULL, EVP_sha256(), NULL) == 1);
}

/* Every byte of the form, worked out once more. */
static void test_form(void)
{
    uint8_t key[32], out[PSI_SKETCH_BYTES], want[32], list[8 + 3 * 32] = {0}, expect[PSI_SKETCH_BYTES] = {0};
    unit_random(key, sizeof key);
    for (size_t n = 0; n <= 3; n++) {
        psi_item *items = random_list(n);
        sketch(key, items, n, out);
        list[7] = (uint8_t)n;
        memcpy(list + 8, items, n * 32);
        memset(expect, 0, sizeof expect);
        hash(expect, key, list, 8 + n * 32, 0);
        for (size_t i = 0; i < n; i++) {
            hash(want, key, items[i].b, 32, 1);
            size_t at = 32 + 2 * (((unsigned)want[0] << 8 | want[1]) & 1023);
            unsigned c = ((unsigned)expect[at] << 8 | expect[at + 1]) + (want[2] & 1 ? 0xffff : 1);
            expect[at] = (uint8_t)(c >> 8);
            expect[at + 1] = (uint8_t)c;
        }
        CU_ASSERT_EQUAL(memcmp(out, expect, sizeof out), 0);
        free(items);
    }
}

static void test_equal(void)
{
    static const size_t sizes[] = {0, 1, 2, 255, 256, 257, 5000};
    uint8_t key[32], other[32], a[PSI_SKETCH_BYTES], b[PSI_SKETCH_BYTES];
    unit_random(key, sizeof key);
    unit_random(other, sizeof other);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        psi_item *items = random_list(sizes[s]);
        sketch(key, items, sizes[s], a);
        sketch(key, items, sizes[s], b);
        CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
        CU_ASSERT_EQUAL(psi_sketch_difference(a, b), 0);
        CU_ASSERT_EQUAL(psi_sketch_near(a, b, 1000), 0);
        /* Under another key everything is another. */
        sketch(other, items, sizes[s], b);
        CU_ASSERT_NOT_EQUAL(memcmp(a, b, 32), 0);
        CU_ASSERT(psi_sketch_difference(a, b) >= 1);
        free(items);
    }
}

/* One item more, less, or replaced: the least that tells of a person. */
static void test_one(void)
{
    uint8_t key[32], a[PSI_SKETCH_BYTES], b[PSI_SKETCH_BYTES];
    for (int trial = 0; trial < 2000; trial++) {
        size_t n = 1 + unit_below(40);
        psi_item *items = random_list(n), *others = random_list(n);
        unit_random(key, sizeof key);
        sketch(key, items, n, a);
        sketch(key, items + 1, n - 1, b);
        CU_ASSERT_EQUAL(psi_sketch_difference(a, b), 1);
        CU_ASSERT_EQUAL(psi_sketch_near(a, b, 2), 1);
        CU_ASSERT_EQUAL(psi_sketch_near(a, b, 1), 0);
        CU_ASSERT_EQUAL(psi_sketch_near(a, b, 0), 0);
        memcpy(others, items, n * sizeof *items);
        unit_random(&others[unit_below((uint32_t)n)], sizeof *others);
        qsort(others, n, sizeof *others, by_bytes);
        sketch(key, others, n, b);
        uint64_t d = psi_sketch_difference(a, b);
        CU_ASSERT(d == 1 || d == 2 ||
                  d == 4); /* 1: both in one counter with one sign, only the digest tells */
        CU_ASSERT_EQUAL(psi_sketch_near(a, b, 3), 1);
        free(others);
        free(items);
    }
}

/* Lists that share `common` items and differ in `apart`. */
static void pair(const uint8_t key[32], size_t common, size_t apart, uint8_t *a, uint8_t *b)
{
    psi_item *both = random_list(common + apart), *left = malloc((common + apart + 1) * sizeof *left),
             *right = malloc((common + apart + 1) * sizeof *right);
    size_t l = 0, r = 0, rest = apart;
    if (!left || !right)
        abort();
    for (size_t i = 0; i < common + apart; i++) {
        int differs = unit_below((uint32_t)(common + apart - i)) < rest, to_left = unit_below(2) == 0;
        rest -= (size_t)differs;
        if (!differs || to_left)
            left[l++] = both[i];
        if (!differs || !to_left)
            right[r++] = both[i];
    }
    sketch(key, left, l, a);
    sketch(key, right, r, b);
    free(right);
    free(left);
    free(both);
}

/* No smaller difference gets past; twice as large a one does from 16 on, three times below. */
static void test_near(void)
{
    static const uint64_t leasts[] = {2, 3, 4, 5, 7, 10, 16, 20, 30, 50, 100, 200};
    enum { TRIALS = 10000, LEASTS = sizeof leasts / sizeof *leasts };
    uint8_t key[32], a[PSI_SKETCH_BYTES], b[PSI_SKETCH_BYTES];
    unsigned missed = 0, refused[LEASTS] = {0}, tried[LEASTS] = {0}, over[LEASTS] = {0};
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        unsigned which = trial % LEASTS;
        uint64_t k = leasts[which];
        size_t apart = trial / LEASTS % 2 ? (size_t)k - 1 : 1 + unit_below((uint32_t)k - 1);
        unit_random(key, sizeof key);
        pair(key, unit_below(50), apart, a, b);
        missed += !psi_sketch_near(a, b, k);
        pair(key, unit_below(50), 2 * (size_t)k, a, b);
        refused[which] += (unsigned)psi_sketch_near(a, b, k);
        pair(key, unit_below(50), 3 * (size_t)k, a, b);
        over[which] += (unsigned)psi_sketch_near(a, b, k);
        tried[which]++;
    }
    CU_ASSERT_EQUAL(missed, 0);
    for (unsigned i = 0; i < LEASTS; i++) {
        CU_ASSERT(over[i] * 10 < tried[i]); /* 3 % at 4, where one pair that cancels is enough */
        CU_ASSERT(leasts[i] < 16 || refused[i] * 50 < tried[i]);
    }
}

/* The estimate is right on average, and as often off as its error says. */
static void test_estimate(void)
{
    enum { TRIALS = 400, APART = 3000 };
    uint8_t key[32], a[PSI_SKETCH_BYTES], b[PSI_SKETCH_BYTES];
    double sum = 0, squares = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        unit_random(key, sizeof key);
        pair(key, 100, APART, a, b);
        double ratio = (double)psi_sketch_difference(a, b) / APART;
        sum += ratio;
        squares += (ratio - 1) * (ratio - 1);
    }
    /* mean: standard error 0.0022; variance 2/1024 = 0.00195, of which the estimate is off by 7 % */
    CU_ASSERT(sum / TRIALS > 0.989 && sum / TRIALS < 1.011);
    CU_ASSERT(squares / TRIALS > 0.00125 && squares / TRIALS < 0.0027);
}

/* Counters stand for their residues modulo 2^16. */
static void test_wrap(void)
{
    uint8_t a[PSI_SKETCH_BYTES] = {1}, b[PSI_SKETCH_BYTES] = {2};
    static const struct {
        uint8_t a[2], b[2];
        uint64_t square;
    } rows[] = {{{0, 0}, {0xff, 0xff}, 1},
                {{0xff, 0xfe}, {0, 1}, 9},
                {{0x7f, 0xff}, {0x80, 0}, 1},
                {{0, 0}, {0x80, 0}, 1u << 30},
                {{0x80, 0}, {0, 0}, 1u << 30},
                {{0, 0}, {0x7f, 0xff}, 0x3fff0001},
                {{0, 0}, {0, 0}, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(a + 40, rows[i].a, 2);
        memcpy(b + 40, rows[i].b, 2);
        CU_ASSERT_EQUAL(psi_sketch_difference(a, b), rows[i].square);
        CU_ASSERT_EQUAL(psi_sketch_difference(b, a), rows[i].square);
    }
    for (size_t at = 32; at < PSI_SKETCH_BYTES; at += 2) {
        a[at] = 0x80;
        b[at] = a[at + 1] = b[at + 1] = 0;
    }
    CU_ASSERT_EQUAL(psi_sketch_difference(a, b), 1ull << 40);
    CU_ASSERT_EQUAL(psi_sketch_near(a, b, 1u << 30), 0);
    CU_ASSERT_EQUAL(psi_sketch_near(a, b, UINT64_MAX), 1);
}

static void test_faults(void)
{
    uint8_t key[32] = {1}, out[PSI_SKETCH_BYTES] = {0}, zero[PSI_SKETCH_BYTES] = {0};
    psi_item *items = random_list(3);
    sketch(key, items, 3, out); /* what is made once for the process */
    memset(out, 0, sizeof out);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_sketch_make(key, items, 3, out), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(memcmp(out, zero, sizeof out), 0);
    free(items);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"form", test_form},         {"equal", test_equal}, {"one", test_one},      {"near", test_near},
        {"estimate", test_estimate}, {"wrap", test_wrap},   {"faults", test_faults}};
    return unit_main(argc, argv, "psi_sketch", tests, sizeof tests / sizeof *tests);
}
