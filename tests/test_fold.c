/* SPDX-License-Identifier: Apache-2.0 */
/* party/fold against qsort: sizes, threads, duplicates, items that are no hashes; want of memory. */
#include "party/fold.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(psi_item));
}

/* How the items are made: hashes all different, hashes of `kinds` things, or with these bits only. */
static void make(psi_item *items, size_t n, uint32_t kinds, int narrow)
{
    psi_item *kind = calloc(kinds, sizeof *kind);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kind);
    unit_random(kind, kinds * sizeof *kind);
    for (uint32_t k = 0; narrow && k < kinds; k++) {
        memset(kind[k].b, 0x5a, narrow == 1 ? 2 : 31); /* one bucket; and all but the last byte the same */
        kind[k].b[0] = narrow == 1 && k % 8 == 0 ? 0xff : 0;
    }
    for (size_t i = 0; i < n; i++)
        items[i] = kind[kinds < n ? unit_below(kinds) : i];
    free(kind);
}

static tally_input *given(const psi_item *items, size_t n)
{
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    for (size_t i = 0; i < n; i++) {
        const party_row row = {.row = (uint32_t)i + 1, .line = (uint32_t)i + 1};
        CU_ASSERT_FATAL(party_input_take(input, &row, &items[i], NULL, PARTY_ACCEPTED, NULL) == TALLY_OK);
    }
    return input;
}

/* 0 if the fold is what sorting and leaving out duplicates gives. Sorts `items`. */
static size_t differs(const tally_input *input, psi_item *items, size_t n)
{
    size_t wrong = 0, distinct = 0;
    for (size_t i = 0; i < n; i++) {
        const party_row *r = &input->rows[i];
        wrong += r->row != i + 1 || r->item >= input->item_count ||
                 memcmp(&input->items[r->item], &items[i], sizeof *items) != 0;
    }
    qsort(items, n, sizeof *items, by_bytes);
    for (size_t i = 0; i < n; i++)
        if (!i || by_bytes(&items[i - 1], &items[i]) != 0)
            wrong += distinct >= input->item_count ||
                     memcmp(&input->items[distinct++], &items[i], sizeof *items) != 0;
    return wrong + (distinct != input->item_count) + (distinct != input->stats.items);
}

static void test_against_qsort(void)
{
    static const size_t sizes[] = {0, 1, 2, 25, 1000, 2047, 2048, 9001, 40000};
    static const uint32_t kinds[] = {1, 2, 50, 3000, 100000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            for (int how = 0; how < 6; how++) {
                int narrow = how % 3;
                size_t n = sizes[s];
                party_pool *pool = NULL;
                psi_item *items = calloc(n + 1, sizeof *items);
                CU_ASSERT_PTR_NOT_NULL_FATAL(items);
                make(items, n, kinds[k], narrow);
                tally_input *input = given(items, n);
                CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, how < 3 ? 1 : 4, NULL), TALLY_OK);
                CU_ASSERT_EQUAL(party_rows_fold(input, pool, NULL), TALLY_OK);
                CU_ASSERT_EQUAL(differs(input, items, n), 0);
                party_pool_free(pool);
                tally_input_free(input);
                free(items);
            }
}

static void test_no_memory(void)
{
    psi_item items[300];
    party_pool *pool = NULL;
    CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, 2, NULL), TALLY_OK);
    make(items, 300, 100, 0);
    tally_input *input = given(items, 300);
    unsigned long n = 1;
    tally_status st = TALLY_ERR_NO_MEMORY;
    for (; st; n++) {
        tally_error error;
        psi_mem_fail_at(n);
        st = party_rows_fold(input, pool, &error);
        psi_mem_fail_at(0);
        CU_ASSERT(st == TALLY_OK || (st == TALLY_ERR_NO_MEMORY && error.status == st));
        if (st) /* the rows are as they were */
            CU_ASSERT(input->row_count == 300 && memcmp(input->items, items, sizeof items) == 0);
    }
    CU_ASSERT(n > 4);
    CU_ASSERT_EQUAL(differs(input, items, 300), 0);
    party_pool_free(pool);
    tally_input_free(input);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"against_qsort", test_against_qsort}, {"no_memory", test_no_memory}};
    return unit_main(argc, argv, "fold", tests, sizeof tests / sizeof *tests);
}
