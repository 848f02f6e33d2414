/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of expand_message_xmd: every backend against psi_expand_message_xmd, which tests/test_psi_hash.c
 * holds to the published vectors. */
#include "psi/expand.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "tests/support_expand.h"
#include "tests/unit.h"

#include <string.h>

enum { MOST = 19, LONGEST = 4500, PREFIX = 600 };

static uint8_t messages[MOST * LONGEST], prefix[PREFIX], dst[256];
static psi_hash *h;

/* All backends on one set of sizes; what stands behind the n-th output stays. Returns what is wrong. */
static unsigned wrong(size_t prefix_len, size_t len, size_t n, size_t dst_len)
{
    const psi_expand_backend *all[UNIT_EXPANDS_MAX];
    uint8_t want[MOST][64], out[MOST + 1][64];
    unsigned bad = 0;
    size_t count = unit_expands(all);
    for (size_t i = 0; i < n; i++) {
        const psi_part parts[] = {{prefix, prefix_len}, {messages + i * len, len}};
        bad += psi_expand_message_xmd(h, parts, 2, dst, dst_len, want[i], 64) != TALLY_OK;
    }
    for (size_t t = 0; t <= count; t++) {
        memset(out, 0x77, sizeof out);
        if (t < count) /* one by one, then the one that the library takes */
            bad +=
                psi_expand64_by(all[t], out, prefix, prefix_len, messages, len, n, dst, dst_len) != TALLY_OK;
        else
            bad += psi_expand64(out, prefix, prefix_len, messages, len, n, dst, dst_len) != TALLY_OK;
        bad += memcmp(out, want, n * 64) != 0;
        for (size_t b = 0; b < 64; b++)
            bad += out[n][b] != 0x77;
    }
    return bad;
}

static void start(void)
{
    h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    unit_random(messages, sizeof messages);
    unit_random(prefix, sizeof prefix);
    unit_random(dst, sizeof dst);
}

/* Every length around two blocks and some of many blocks, with prefixes and tags of any length beside it. */
static void test_lengths(void)
{
    static const size_t large[] = {383, 384, 511, 512, 513, 1000, 1024, 4095, 4096, LONGEST};
    start();
    for (size_t len = 0; len <= 300; len++)
        CU_ASSERT_EQUAL(wrong(unit_below(151), len, 1 + unit_below(MOST), 1 + unit_below(255)), 0);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        CU_ASSERT_EQUAL(wrong(unit_below(PREFIX + 1), large[i], 1 + unit_below(MOST), 1 + unit_below(255)),
                        0);
    psi_hash_free(h);
}

static void test_prefixes(void)
{
    static const size_t large[] = {255, 256, 257, 383, 384, 385, 511, 512, 513, PREFIX};
    start();
    for (size_t len = 0; len <= 150; len++)
        CU_ASSERT_EQUAL(wrong(len, len % 2 ? 32 : unit_below(301), 9, 56), 0);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        CU_ASSERT_EQUAL(wrong(large[i], 32, 9, 56), 0);
    CU_ASSERT_EQUAL(psi_expand64((uint8_t(*)[64])messages, NULL, 0, prefix, 32, 1, dst, 56), TALLY_OK);
    psi_hash_free(h);
}

/* Where messages and tags end within blocks: all pairs near the edges. A part may be prefix. */
static void test_edges(void)
{
    static const size_t tags[] = {1,   2,   45,  46,  47,  48,  56,  62,  63,  64,  107, 108, 109,
                                  110, 111, 112, 173, 174, 175, 176, 237, 238, 239, 240, 254, 255};
    start();
    for (size_t t = 0; t < sizeof tags / sizeof *tags; t++)
        for (size_t len = 0; len <= 256; len += len % 128 > 8 && len % 128 < 118 ? 5 : 1) {
            size_t before = len < 128 && len % 3 == 0 ? unit_below((uint32_t)len + 1) : 0;
            CU_ASSERT_EQUAL(wrong(before, len - before, 1, tags[t]), 0);
        }
    for (size_t len = 1; len <= 255; len++)
        CU_ASSERT_EQUAL(wrong(46, 32, 4, len), 0);
    psi_hash_free(h);
}

static void test_numbers(void)
{
    start();
    for (size_t n = 0; n <= MOST; n++) {
        CU_ASSERT_EQUAL(wrong(46, 32, n, 56), 0);
        CU_ASSERT_EQUAL(wrong(0, 300, n, 255), 0);
        CU_ASSERT_EQUAL(wrong(130, 0, n, 1), 0);
    }
    psi_hash_free(h);
}

static void test_refused(void)
{
    static const size_t lengths[] = {0, 256, SIZE_MAX};
    const psi_expand_backend *all[UNIT_EXPANDS_MAX];
    uint8_t out[3][64];
    size_t count = unit_expands(all);
    start();
    for (size_t i = 0; i < 3; i++)
        for (size_t t = 0; t <= count; t++) {
            unsigned left = 0;
            memset(out, 0xa5, sizeof out);
            tally_status st = t < count
                                  ? psi_expand64_by(all[t], out, prefix, 5, messages, 32, 3, dst, lengths[i])
                                  : psi_expand64(out, prefix, 5, messages, 32, 3, dst, lengths[i]);
            CU_ASSERT_EQUAL(st, TALLY_ERR_INTERNAL);
            for (size_t b = 0; b < sizeof out; b++)
                left += ((const uint8_t *)out)[b];
            CU_ASSERT_EQUAL(left, 0);
        }
    psi_hash_free(h);
}

/* No memory is taken, so none can be short. */
static void test_no_memory(void)
{
    start();
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_expand64((uint8_t(*)[64])messages, prefix, 200, prefix, 20, MOST, dst, 255),
                    TALLY_OK);
    CU_ASSERT_EQUAL(psi_mem_count(), 0);
    psi_mem_fail_at(0);
    psi_hash_free(h);
}

static void test_choice(void)
{
    size_t count;
    unsigned known = 0;
    const psi_expand_backend *const *all = psi_expand_backends(&count);
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT_STRING_EQUAL(psi_expand_name(all[0]), "portable");
    for (size_t t = 0; t < count; t++)
        known += all[t] == psi_expand();
    CU_ASSERT_EQUAL(known, 1);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"lengths", test_lengths}, {"prefixes", test_prefixes},
                                      {"edges", test_edges},     {"numbers", test_numbers},
                                      {"refused", test_refused}, {"no_memory", test_no_memory},
                                      {"choice", test_choice}};
    return unit_main(argc, argv, "psi_expand", tests, sizeof tests / sizeof *tests);
}
