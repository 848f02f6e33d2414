/* SPDX-License-Identifier: Apache-2.0 */
/* Subspace-VOLE matching from OTs to tags, both sides in one thread, against a plain comparison of the items.
 */
#include "psi/join.h"
#include "psi/mem.h"
#include "psi/vole_setup.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

/* One side's list in the order of its bins, and its tags. */
typedef struct list {
    psi_item *items;
    size_t n;
    psi_vole_entry *entries;
    uint32_t *start;
    uint8_t *tags;
} list;

static void list_init(list *l, size_t n)
{
    l->n = n;
    l->items = psi_calloc(n, sizeof *l->items);
    unit_random(l->items, n * sizeof *l->items);
}

static void list_sort(list *l, const psi_vole_sizes *z, const psi_sid *sid)
{
    psi_vole_entry *unsorted = psi_calloc(l->n, sizeof *unsorted);
    l->entries = psi_calloc(l->n, sizeof *l->entries);
    l->start = psi_calloc((size_t)z->bins + 1, sizeof *l->start);
    l->tags = psi_calloc(l->n, z->tag_width);
    psi_vole_entries(unsorted, l->items, 0, l->n, sid, z->bins);
    psi_vole_sort(l->entries, l->start, unsorted, l->n, z->bins);
    psi_free(unsorted);
}

static void list_free(list *l)
{
    psi_free(l->tags);
    psi_free(l->start);
    psi_free(l->entries);
    psi_free(l->items);
}

/* Everything that is sent, in the order of the protocol. */
static void run_setup(const psi_vole_sizes *z, const psi_sid *sid, psi_vole_shared *receiver,
                      psi_vole_shared *sender)
{
    size_t ots = psi_vole_ots(z), leaves = (size_t)z->columns << z->k;
    static psi_ot_sender open;
    psi_point point;
    uint8_t nonce[32], points[32], delta[PSI_CODE_COLUMNS_MAX], choices[PSI_OT_MAX / 8];
    uint8_t *columns = psi_calloc(PSI_OT_BASE, ots / 8);
    psi_block *chosen = psi_calloc(ots, sizeof *chosen), *keys_r = psi_calloc(leaves, 16),
              *keys_s = psi_calloc(leaves, 16);
    psi_block(*strings)[2] = psi_calloc(ots, sizeof *strings);
    psi_ggm_level *corrections = psi_calloc(psi_vole_levels(z), sizeof *corrections);
    CU_ASSERT_EQUAL_FATAL(psi_ot_open(&open, sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_draw(z, delta, choices), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(
        psi_ot_choose(chosen, &point, columns, choices, ots, (const psi_point(*)[2])open.pairs, sid),
        TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ot_strings(strings, &open, &point, columns, ots, sid), TALLY_OK);
    unsigned wrong = 0;
    for (size_t i = 0; i < ots; i++) {
        unsigned c = choices[i / 8] >> (i % 8) & 1u;
        wrong += memcmp(&chosen[i], &strings[i][c], 16) != 0;
        wrong += memcmp(&chosen[i], &strings[i][c ^ 1], 16) == 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL_FATAL(psi_vole_grow(z, (const psi_block(*)[2])strings, keys_r, corrections), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_puncture(z, delta, chosen, corrections, keys_s), TALLY_OK);
    for (size_t c = 0; c < z->columns; c++)
        for (size_t j = 0; j < (size_t)1 << z->k; j++) {
            const psi_block *s = &keys_s[(c << z->k) + (j ^ delta[c])];
            static const psi_block zero;
            wrong += memcmp(s, j == delta[c] ? &zero : &keys_r[(c << z->k) + j], 16) != 0;
        }
    CU_ASSERT_EQUAL(wrong, 0);
    unit_random(nonce, sizeof nonce);
    CU_ASSERT_EQUAL_FATAL(psi_vole_points(points, sid, nonce), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_shared_init(receiver, z, sid, keys_r, NULL, points), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_shared_init(sender, z, sid, keys_s, delta, points), TALLY_OK);
    psi_free(corrections);
    psi_free(strings);
    psi_free(keys_s);
    psi_free(keys_r);
    psi_free(chosen);
    psi_free(columns);
}

typedef struct met {
    const list *x, *y;
    size_t hits, wrong;
} met;

static void hit(void *user, size_t own, size_t peer)
{
    met *m = user;
    m->hits++;
    m->wrong +=
        memcmp(&m->x->items[m->x->entries[own].item], &m->y->items[m->y->entries[peer].item], 32) != 0;
}

static void check(unsigned k, size_t nx, size_t ny, size_t overlap)
{
    list x, y;
    psi_sid sid;
    psi_vole_sizes z;
    psi_vole_shared receiver, sender;
    unit_random(sid.b, sizeof sid.b);
    list_init(&x, nx);
    list_init(&y, ny);
    for (size_t i = 0; i < overlap; i++)
        y.items[ny - 1 - i] = x.items[i];
    CU_ASSERT_EQUAL_FATAL(psi_vole_sizes_init(&z, k, nx, ny), TALLY_OK);
    run_setup(&z, &sid, &receiver, &sender);
    list_sort(&x, &z, &sid);
    list_sort(&y, &z, &sid);
    psi_vole_work *wr = psi_vole_work_new(&z, 1), *ws = psi_vole_work_new(&z, 0);
    uint8_t *message = psi_calloc(PSI_VOLE_SEED + z.bin_bytes, 1);
    CU_ASSERT_FATAL(wr && ws && message);
    for (uint32_t b = 0; b < z.bins; b++) {
        uint32_t fx = x.start[b], fy = y.start[b];
        CU_ASSERT_EQUAL_FATAL(psi_vole_receive_bin(wr, &receiver, b, x.entries + fx, x.start[b + 1] - fx,
                                                   message, x.tags + fx * z.tag_width),
                              TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(psi_vole_send_bin(ws, &sender, b, message, y.entries + fy, y.start[b + 1] - fy,
                                                y.tags + fy * z.tag_width),
                              TALLY_OK);
    }
    met m = {.x = &x, .y = &y};
    psi_join *j = NULL;
    CU_ASSERT_EQUAL_FATAL(psi_join_new(&j, x.tags, nx, z.tag_width), TALLY_OK);
    psi_join_probe(j, y.tags, ny, 0, hit, &m);
    CU_ASSERT_EQUAL(m.hits, overlap);
    CU_ASSERT_EQUAL(m.wrong, 0);
    psi_join_free(j);
    psi_free(message);
    psi_vole_work_free(ws);
    psi_vole_work_free(wr);
    psi_vole_shared_free(&sender);
    psi_vole_shared_free(&receiver);
    list_free(&y);
    list_free(&x);
}

static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 1025};
    for (unsigned k = 4; k <= 6; k += 2)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check(k, sizes[i], sizes[i], sizes[i] / 3);
    check(4, 3000, 3000, 3000);
    check(4, 10, 5000, 10);
    check(6, 5000, 10, 7);
}

static void test_bins(void)
{
    check(4, 70000, 50000, 12345);
    check(6, 40000, 100, 100);
}

static void test_parameters(void)
{
    psi_vole_sizes z;
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, 1 << 20, 1 << 20), TALLY_OK);
    CU_ASSERT_EQUAL(z.bins, 32);
    CU_ASSERT_EQUAL(z.slots, 43008);
    CU_ASSERT_EQUAL(z.columns, 197);
    CU_ASSERT_EQUAL(z.tag_width, 10);
    CU_ASSERT_EQUAL(z.bins * z.bin_bytes, 33890304);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 6, 1 << 20, 1 << 20), TALLY_OK);
    CU_ASSERT_EQUAL(z.bins * z.bin_bytes, 27009024);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 5, 1, 1), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, ((uint64_t)1 << 30) + 1, 1), TALLY_ERR_USAGE);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"parameters", test_parameters}, {"sizes", test_sizes}, {"bins", test_bins}};
    return unit_main(argc, argv, "psi_vole", tests, sizeof tests / sizeof *tests);
}
