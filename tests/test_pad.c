/* SPDX-License-Identifier: Apache-2.0 */
/* Padding: sizes, order, rows and numbers that go with their items, the output, and whole sessions. */
#include "party/input.h"
#include "party/output.h"
#include "party/pad.h"
#include "party/session.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/support_count.h"
#include "tests/support_input.h"
#include "tests/support_match.h"
#include "tests/support_sum.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tally_error error;

static tally_input *loaded(const char *text, int numbers)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    static const int64_t edges[] = {0, 10, 20, 30};
    unit_write_text(path, text);
    tally_input *input = unit_input(path, "id:exact", NULL);
    if (numbers && (tally_input_add_value(input, "v", -5, 100, 0, &error) ||
                    tally_input_add_value(input, "w", 7, 100, 0, &error) ||
                    tally_input_add_value(input, "x", -100, -7, 0, &error) ||
                    tally_input_add_band(input, "v", edges, 4, 0, &error) ||
                    tally_input_add_band(input, "t", edges, 3, 0, &error)))
        abort();
    if (tally_input_load(input, &error))
        fprintf(stderr, "%s\n", error.message);
    return input;
}

/* n different identifiers, every seventh twice. */
static tally_input *many(size_t n)
{
    char *text = malloc(n * 24 + 8);
    size_t at = (size_t)snprintf(text, 8, "id\n");
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, 24, i % 7 ? "%zu\n" : "%zu\n%zu\n", i, i);
    tally_input *input = loaded(text, 0);
    free(text);
    return input;
}

static int ascending(const tally_input *input)
{
    size_t n;
    const psi_item *items = party_input_items(input, &n);
    for (size_t i = 1; i < n; i++)
        if (memcmp(items[i - 1].b, items[i].b, 32) >= 0)
            return 0;
    return 1;
}

/* Items of all rows, one after the other, to be freed. */
static psi_item *items_of_rows(const tally_input *input)
{
    size_t rows, n;
    const party_row *r = party_input_rows(input, &rows);
    const psi_item *items = party_input_items(input, &n);
    psi_item *out = malloc((rows + 1) * sizeof *out);
    for (size_t i = 0; i < rows; i++)
        out[i] = items[r[i].item];
    return out;
}

static void test_sizes(void)
{
    static const size_t rows[][3] = {/* items, step, padded */
                                     {0, 10, 10},     {1, 10, 10},   {9, 10, 10},      {10, 10, 10},
                                     {11, 10, 20},    {1, 1, 1},     {0, 1, 1},        {5, 2, 6},
                                     {300, 256, 512}, {300, 1, 300}, {40, 1000, 1000}, {1000, 7, 1001},
                                     {1001, 7, 1001}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tally_input *input = many(rows[i][0]);
        tally_input_stats before, after;
        size_t n, row_count;
        psi_item *was = items_of_rows(input);
        tally_input_get_stats(input, &before);
        CU_ASSERT_EQUAL(party_input_pad(input, rows[i][1], &error), TALLY_OK);
        party_input_items(input, &n);
        party_input_rows(input, &row_count);
        CU_ASSERT_EQUAL(n, rows[i][2]);
        CU_ASSERT_EQUAL(party_input_real(input), rows[i][0]);
        CU_ASSERT(ascending(input));
        psi_item *now = items_of_rows(input);
        CU_ASSERT_EQUAL(memcmp(was, now, row_count * sizeof *now), 0);
        tally_input_get_stats(input, &after);
        CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof after), 0);
        free(now);
        free(was);
        tally_input_free(input);
    }
}

/* Again with another step, and back: the dummies are never those of before. */
static void test_again(void)
{
    tally_input *input = many(50);
    size_t n, rows;
    const psi_item *items = party_input_items(input, &n);
    psi_item list[50], padded[64];
    uint32_t index[64];
    const party_row *r = party_input_rows(input, &rows);
    CU_ASSERT_FATAL(n == 50 && rows == 58);
    memcpy(list, items, sizeof list);
    for (size_t i = 0; i < rows; i++)
        index[i] = r[i].item;
    CU_ASSERT_EQUAL(party_input_pad(input, 64, &error), TALLY_OK);
    items = party_input_items(input, &n);
    CU_ASSERT_EQUAL_FATAL(n, 64);
    memcpy(padded, items, sizeof padded);
    CU_ASSERT_EQUAL(party_input_pad(input, 64, &error), TALLY_OK);
    items = party_input_items(input, &n);
    CU_ASSERT_EQUAL_FATAL(n, 64);
    size_t same = 0;
    for (size_t i = 0; i < 64; i++)
        for (size_t k = 0; k < 64; k++)
            same += memcmp(&padded[i], &items[k], 32) == 0;
    CU_ASSERT_EQUAL(same, 50);
    CU_ASSERT_EQUAL(party_input_pad(input, 25, &error), TALLY_OK);
    party_input_items(input, &n);
    CU_ASSERT_EQUAL(n, 50);
    CU_ASSERT_EQUAL(party_input_pad(input, 51, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_OK);
    items = party_input_items(input, &n);
    r = party_input_rows(input, &rows);
    CU_ASSERT(n == 50 && memcmp(items, list, sizeof list) == 0);
    for (size_t i = 0; i < rows; i++)
        CU_ASSERT_EQUAL(r[i].item, index[i]);
    tally_input_free(input);
}

static void test_numbers(void)
{
    tally_input *input = loaded("id,v,w,x,t\na,1,10,-10,5\nb,15,20,-20,15\na,2,11,-11,1\nc,-5,7,-7,99\n", 1);
    size_t columns, rows, n;
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_OK);
        if (round != 2)
            CU_ASSERT_EQUAL(party_input_pad(input, round ? 8 : 2000, &error), TALLY_OK);
        const int64_t *numbers = party_input_numbers(input, &columns);
        const party_row *r = party_input_rows(input, &rows);
        static const int64_t expect[4][5] = {
            {3, 21, -21, 0, 0}, {15, 20, -20, 1, 1}, {3, 21, -21, 0, 0}, {-5, 7, -7, 3, 2}};
        static const int64_t dummy[5] = {0, 7, -7, 3, 2};
        CU_ASSERT_FATAL(columns == 5 && rows == 4);
        party_input_items(input, &n);
        CU_ASSERT_EQUAL(n, round == 0 ? 2000 : round == 1 ? 8 : 3);
        for (size_t i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(memcmp(numbers + r[i].item * 5, expect[i], sizeof dummy), 0);
        size_t dummies = 0;
        for (size_t i = 0; i < n; i++)
            dummies += memcmp(numbers + i * 5, dummy, sizeof dummy) == 0;
        CU_ASSERT_EQUAL(dummies, n - 3);
    }
    tally_input_free(input);
}

/* The rows that come out are those of the items, wherever these have gone. */
static void test_output(void)
{
    tally_input *input = loaded("id,x\na,1\nb,2\nc,3\na,4\nd,5\n", 0);
    const char *path = unit_path(unit_tmp(), "out.csv");
    party_output *out = NULL;
    size_t rows;
    uint64_t written;
    uint8_t bits[64] = {0};
    CU_ASSERT_EQUAL_FATAL(party_output_open(&out, path, 0, NULL, 0, input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_pad(input, 512, &error), TALLY_OK);
    const party_row *r = party_input_rows(input, &rows);
    bits[r[0].item / 8] |= (uint8_t)(1 << r[0].item % 8);
    bits[r[2].item / 8] |= (uint8_t)(1 << r[2].item % 8);
    CU_ASSERT_EQUAL(party_output_write(out, bits, NULL, &written, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_output_commit(out, &error), TALLY_OK);
    party_output_free(out);
    char *text = unit_read(path, NULL);
    CU_ASSERT_STRING_EQUAL(text, "id,x\na,1\nc,3\na,4\n");
    CU_ASSERT_EQUAL(written, 3);
    free(text);
    tally_input_free(input);
}

static void test_refused(void)
{
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    CU_ASSERT_EQUAL(party_input_pad(input, 10, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_real(input), 0);
    tally_input_free(input);
    input = many(3);
    CU_ASSERT_EQUAL(party_input_pad(input, 0, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_pad(input, (1u << 30) + 1, &error), TALLY_ERR_INPUT);
    CU_ASSERT(strstr(error.message, "2^30") && error.hint[0]);
    CU_ASSERT_EQUAL(party_input_pad(input, UINT64_MAX, &error), TALLY_ERR_INPUT);
    tally_input_free(input);
}

/* Each allocation and the draw fail in turn: the list is as it was, and can be padded. */
static void test_faults(void)
{
    tally_input *input = loaded("id,v,w,x,t\na,1,10,-10,5\nb,15,20,-20,15\na,2,11,-11,1\n", 1);
    size_t n;
    psi_item *was = items_of_rows(input);
    CU_ASSERT_EQUAL(party_input_pad(input, 10, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_OK);
    for (unsigned long fault = 1; fault <= 5; fault++) {
        psi_mem_fail_at(fault < 5 ? fault : 0);
        psi_rng_fail_at(fault < 5 ? 0 : 1);
        CU_ASSERT_EQUAL(party_input_pad(input, 10, &error),
                        fault < 5 ? TALLY_ERR_NO_MEMORY : TALLY_ERR_RANDOM);
        psi_mem_fail_at(0);
        psi_rng_fail_at(0);
        party_input_items(input, &n);
        psi_item *now = items_of_rows(input);
        CU_ASSERT(n == 2 && memcmp(was, now, 3 * sizeof *now) == 0);
        free(now);
    }
    CU_ASSERT_EQUAL(party_input_pad(input, 10, &error), TALLY_OK);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_input_unpad(input, &error), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    party_input_items(input, &n);
    CU_ASSERT_EQUAL(n, 10);
    free(was);
    tally_input_free(input);
}

/* ---- Sessions ---- */

/* As an agreement would set it. */
static void pad_side(pair_side *side, uint64_t step)
{
    side->session->padding = step;
}

static void test_match(void)
{
    uint32_t x[30], y[40];
    for (uint32_t i = 0; i < 30; i++)
        x[i] = i;
    for (uint32_t i = 0; i < 40; i++)
        y[i] = 20 + i;
    static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_BOTH};
    static const enum tally_protocol protocols[] = {TALLY_ECDH, TALLY_ECDH, TALLY_VOLE};
    for (int i = 0; i < 6; i++) {
        pair p;
        pair_init(&p, i % 3 == 1 ? TALLY_MALICIOUS : TALLY_SEMI_HONEST, reveals[i / 3]);
        pair_set_protocol(&p, protocols[i % 3]);
        pair_add(&p.side[PAIR_RECEIVER], x, 30);
        pair_add(&p.side[PAIR_SENDER], y, i == 5 ? 0 : 40);
        pad_side(&p.side[PAIR_RECEIVER], 64);
        pad_side(&p.side[PAIR_SENDER], 100);
        pair_run(&p);
        const pair_side *r = &p.side[PAIR_RECEIVER], *s = &p.side[PAIR_SENDER];
        CU_ASSERT(r->status == TALLY_OK && s->status == TALLY_OK);
        CU_ASSERT(r->result.peer_items == 100 && s->result.peer_items == 64);
        CU_ASSERT_EQUAL(r->result.matched_items, i == 5 ? 0 : 10);
        match_told(r, x, 30, y, i == 5 ? 0 : 40);
        if (reveals[i / 3] == TALLY_REVEAL_BOTH)
            match_told(s, y, i == 5 ? 0 : 40, x, 30);
        pair_free(&p);
    }
}

static void test_count(void)
{
    uint32_t x[30], y[40];
    for (uint32_t i = 0; i < 40; i++) {
        x[i % 30] = i % 30;
        y[i] = 23 + i;
    }
    for (uint64_t minimum = 0; minimum <= 7; minimum += 7) {
        pair p;
        count_pair(&p, TALLY_REVEAL_BOTH, x, 30, y, 40);
        count_minimum(&p, minimum);
        pad_side(&p.side[PAIR_RECEIVER], 100);
        pad_side(&p.side[PAIR_SENDER], 64);
        pair_run(&p);
        CU_ASSERT(p.side[0].status == TALLY_OK && p.side[1].status == TALLY_OK);
        CU_ASSERT_EQUAL(count_figure(&p.side[0]), 7);
        CU_ASSERT_EQUAL(count_figure(&p.side[1]), 7);
        pair_free(&p);
    }
}

static void test_sum(void)
{
    for (int i = 0; i < 8; i++) {
        world w;
        world_init(&w, TALLY_SCHEME_RLWE, i & 1 ? PAIR_SENDER : PAIR_RECEIVER, TALLY_REVEAL_BOTH);
        w.bands_v = w.bands_t = i >> 1 & 1;
        w.groups = i >> 2 & 1;
        world_random(&w, 25, 30, 9);
        world_prepare(&w);
        pad_side(&w.p.side[PAIR_RECEIVER], 64);
        pad_side(&w.p.side[PAIR_SENDER], 50);
        pair_run(&w.p);
        const char *wrong = world_wrong(&w);
        CU_ASSERT_PTR_NULL(wrong);
        if (wrong)
            fprintf(stderr, "%d: %s\n", i, wrong);
        world_free(&w);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"sizes", test_sizes},   {"again", test_again},     {"numbers", test_numbers},
        {"output", test_output}, {"refused", test_refused}, {"faults", test_faults},
        {"match", test_match},   {"count", test_count},     {"sum", test_sum}};
    return unit_main(argc, argv, "pad", tests, sizeof tests / sizeof *tests);
}
