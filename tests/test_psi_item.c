/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/item.h"
#include "tests/unit.h"
#include <string.h>

static psi_hash *h;

static void start(void)
{
    if (!h)
        h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
}

/* item = plain SHA-256 of exactly these bytes; an 18-digit number leaves room for the padding in one block
 * of 64. */
static void test_item(void)
{
    static const char text[] = "\14tally/1 item\1\0\0\0\22"
                               "110101199001011237";
    static const char two[] = "\14tally/1 item\2\0\0\0\2ab\0\0\0\0";
    uint8_t expected[32];
    psi_item item;
    start();
    CU_ASSERT(sizeof text - 1 <= 55);
    CU_ASSERT_EQUAL(psi_sha256(text, sizeof text - 1, expected), TALLY_OK);
    const psi_part one = {"110101199001011237", 18};
    CU_ASSERT_EQUAL(psi_item_from_fields(h, &one, 1, &item), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(item.b, expected, 32), 0);
    CU_ASSERT_EQUAL(psi_sha256(two, sizeof two - 1, expected), TALLY_OK);
    const psi_part pair[] = {{"ab", 2}, {NULL, 0}};
    CU_ASSERT_EQUAL(psi_item_from_fields(h, pair, 2, &item), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(item.b, expected, 32), 0);
}

/* Where one field ends and the next begins is part of the item. */
static void test_boundaries(void)
{
    const psi_part cuts[][2] = {
        {{"ab", 2}, {"c", 1}}, {{"a", 1}, {"bc", 2}}, {{"abc", 3}, {"", 0}}, {{"", 0}, {"abc", 3}}};
    psi_item items[5];
    start();
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(psi_item_from_fields(h, cuts[i], 2, &items[i]), TALLY_OK);
    CU_ASSERT_EQUAL(psi_item_from_fields(h, cuts[2], 1, &items[4]), TALLY_OK);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(memcmp(&items[i], &items[k], sizeof *items), 0);
}

static void test_limits(void)
{
    static uint8_t big[4097];
    psi_part f[9];
    psi_item a, b;
    start();
    for (int i = 0; i < 9; i++)
        f[i] = (psi_part){big, 4096};
    CU_ASSERT_EQUAL(psi_item_from_fields(h, f, 8, &a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_item_from_fields(h, f, 0, &b), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_item_from_fields(h, f, 9, &b), TALLY_ERR_INTERNAL);
    f[3].len = 4097;
    CU_ASSERT_EQUAL(psi_item_from_fields(h, f, 8, &b), TALLY_ERR_INTERNAL);
    f[3].len = 4096; /* a refused item leaves the handle usable */
    CU_ASSERT_EQUAL(psi_item_from_fields(h, f, 8, &b), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
}

static void test_list(void)
{
    psi_item items[300];
    uint8_t text[1 + 12 + 8 + sizeof items], expected[32], got[32], opening[32];
    start();
    unit_random(items, sizeof items);
    memcpy(text, "\14tally/1 list\0\0\0\0\0\0\1\54", 21);
    memcpy(text + 21, items, sizeof items);
    CU_ASSERT_EQUAL(psi_sha256(text, sizeof text, expected), TALLY_OK);
    CU_ASSERT_EQUAL(psi_list_digest(h, items, 300, got), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, expected, 32), 0);
    CU_ASSERT_EQUAL(psi_list_digest(h, NULL, 0, got), TALLY_OK);
    CU_ASSERT_EQUAL(psi_sha256("\14tally/1 list\0\0\0\0\0\0\0\0", 21, expected), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, expected, 32), 0);
    unit_random(opening, sizeof opening);
    memcpy(text, "\16tally/1 commit", 15);
    memcpy(text + 15, opening, 32);
    memcpy(text + 47, expected, 32);
    uint8_t commitment[32];
    CU_ASSERT_EQUAL(psi_list_commit(h, opening, expected, got), TALLY_OK);
    CU_ASSERT_EQUAL(psi_sha256(text, 79, commitment), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, commitment, 32), 0);
}

static void test_prefix(void)
{
    psi_sid sid;
    uint8_t p[PSI_ITEM_PREFIX];
    unit_random(&sid, sizeof sid);
    CU_ASSERT_EQUAL(psi_item_prefix(p, &sid), 1 + 13 + 32);
    CU_ASSERT_EQUAL(memcmp(p, "\15tally/1 input", 14), 0);
    CU_ASSERT_EQUAL(memcmp(p + 14, &sid, 32), 0);
    psi_hash_free(h);
    h = NULL;
}

/* In two steps an item is the same, and what is too long for a block is said to be. */
static void test_blocks(void)
{
    enum { MOST = 70 };
    static uint8_t bytes[8 * 45], blocks[MOST][64], message[14 + 8 * 49] = "\14tally/1 item";
    static psi_item want[MOST], got[MOST + 1];
    size_t n = 0;
    psi_hash *hash = psi_hash_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(hash);
    for (int round = 0; round < 2000; round++) {
        psi_part f[8];
        size_t count = 1 + unit_below(8), total = 0;
        unit_random(bytes, sizeof bytes);
        for (size_t i = 0; i < count; i++) {
            f[i] = (psi_part){bytes + 45 * i, unit_below(45) / (unit_below(2) ? count : 1)};
            message[14 + total + 3] = (uint8_t)f[i].len;
            memset(message + 14 + total, 0, 3);
            memcpy(message + 14 + total + 4, f[i].p, f[i].len);
            total += 4 + f[i].len;
        }
        message[13] = (uint8_t)count;
        CU_ASSERT_EQUAL(psi_sha256(message, 14 + total, want[n].b), TALLY_OK);
        CU_ASSERT_EQUAL(psi_item_from_fields(hash, f, count, &got[0]), TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(got[0].b, want[n].b, 32), 0);
        int fits = psi_item_block(f, count, blocks[n]);
        CU_ASSERT_EQUAL(fits, total <= 41);
        n += (size_t)fits;
        if (n == MOST || unit_below(20) == 0) {
            memset(got, 0x77, sizeof got);
            psi_items_from_blocks((const uint8_t(*)[64])blocks, n, got);
            CU_ASSERT_EQUAL(memcmp(got, want, n * sizeof *got), 0);
            CU_ASSERT_EQUAL(got[n].b[0], 0x77);
            n = 0;
        }
    }
    const psi_part none = {NULL, 0}, *nine = &none;
    CU_ASSERT_EQUAL(psi_item_block(&none, 1, blocks[0]), 1);
    CU_ASSERT_EQUAL(psi_item_block(&none, 0, blocks[0]), 0);
    CU_ASSERT_EQUAL(psi_item_block(nine, 9, blocks[0]), 0);
    psi_hash_free(hash);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"item", test_item},     {"boundaries", test_boundaries},
                                      {"limits", test_limits}, {"list", test_list},
                                      {"prefix", test_prefix}, {"blocks", test_blocks}};
    return unit_main(argc, argv, "psi_item", tests, sizeof tests / sizeof *tests);
}
