/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/join.h"
#include "psi/mem.h"
#include "tests/unit.h"
#include <string.h>

enum { OWN_MAX = 600, PEER_MAX = 700 };

typedef struct result {
    unsigned char met[OWN_MAX][PEER_MAX];
    size_t hits, first;
} result;

static result got;

static void hit(void *user, size_t own, size_t peer)
{
    result *r = user;
    CU_ASSERT_FATAL(own < OWN_MAX && peer >= r->first && peer - r->first < PEER_MAX);
    r->met[own][peer - r->first]++;
    r->hits++;
}

/* Compares with all pairs. Tags take few values when `values` is small, so that both sides repeat tags. */
static void check(size_t own, size_t peer, size_t width, uint32_t values)
{
    static uint8_t pool[1024][16], a[OWN_MAX * 16], b[PEER_MAX * 16];
    CU_ASSERT_FATAL(values <= 1024 && own <= OWN_MAX && peer <= PEER_MAX);
    unit_random(pool, sizeof pool);
    for (size_t i = 0; i < own; i++)
        memcpy(a + i * width, pool[unit_below(values)], width);
    for (size_t i = 0; i < peer; i++)
        memcpy(b + i * width, pool[unit_below(values)], width);
    /* Near misses: tags that differ in one bit only, anywhere. */
    for (size_t i = 0; i + 1 < own && i < peer; i += 7) {
        memcpy(b + i * width, a + i * width, width);
        b[i * width + unit_below((uint32_t)width)] ^= (uint8_t)(1u << unit_below(8));
    }
    memset(&got, 0, sizeof got);
    got.first = 1000000;
    psi_join *j = NULL;
    CU_ASSERT_EQUAL_FATAL(psi_join_new(&j, a, own, width), TALLY_OK);
    size_t half = peer / 2;
    psi_join_probe(j, b, half, got.first, hit, &got);
    psi_join_probe(j, b + half * width, peer - half, got.first + half, hit, &got);
    psi_join_free(j);
    size_t expected = 0, wrong = 0;
    for (size_t i = 0; i < own; i++)
        for (size_t k = 0; k < peer; k++) {
            unsigned same = memcmp(a + i * width, b + k * width, width) == 0;
            expected += same;
            wrong += got.met[i][k] != same;
        }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(got.hits, expected);
}

static void test_widths(void)
{
    for (size_t width = 1; width <= 16; width++) {
        check(500, 600, width, 1024);
        check(100, 600, width, 40);
    }
}

static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 64, 600};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++)
            check(sizes[i], sizes[k], 10, 1 + unit_below(1000));
}

static void test_all_equal(void)
{
    check(200, 200, 9, 1);
    CU_ASSERT(got.hits > 30000); /* all but the near misses */
}

static void test_no_memory(void)
{
    static const uint8_t tags[10 * 10];
    for (unsigned long n = 1; n <= 2; n++) {
        psi_mem_fail_at(n);
        psi_join *none = NULL;
        CU_ASSERT_EQUAL(psi_join_new(&none, tags, 10, 10), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(none);
    }
    psi_mem_fail_at(3);
    psi_join *j = NULL;
    CU_ASSERT_EQUAL(psi_join_new(&j, tags, 10, 10), TALLY_OK);
    CU_ASSERT_EQUAL(psi_mem_count(), 2);
    psi_mem_fail_at(0);
    psi_join_free(j);
    psi_join_free(NULL);
}

/* A peer that repeats one tag for all our items must not make the table quadratic. */
static void test_repeated(void)
{
    static uint8_t tags[100000 * 10];
    psi_join *j = NULL;
    CU_ASSERT_EQUAL(psi_join_new(&j, tags, 100000, 10), TALLY_ERR_MALFORMED);
    CU_ASSERT_PTR_NULL(j);
    unit_random(tags, sizeof tags);
    CU_ASSERT_EQUAL(psi_join_new(&j, tags, 100000, 10), TALLY_OK);
    psi_join_free(j);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"widths", test_widths},
                                      {"sizes", test_sizes},
                                      {"all_equal", test_all_equal},
                                      {"no_memory", test_no_memory},
                                      {"repeated", test_repeated}};
    return unit_main(argc, argv, "psi_join", tests, sizeof tests / sizeof *tests);
}
