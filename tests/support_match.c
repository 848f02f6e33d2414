/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_match.h"

#include "tests/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t *sorted(const uint32_t *ids, size_t n)
{
    uint32_t *copy = calloc(n + 1, sizeof *copy);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, ids, n * sizeof *ids);
    qsort(copy, n, sizeof *copy, compare_ids);
    return copy;
}

static size_t distinct(const uint32_t *ascending, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !i || ascending[i] != ascending[i - 1];
    return count;
}

void match_told(const pair_side *side, const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    uint32_t *all = sorted(y, ny), *hits = calloc(nx + 1, sizeof *hits);
    size_t rows = 0, wrong = 0;
    if (!hits)
        abort();
    for (size_t i = 0; i < nx; i++) {
        if (!bsearch(&x[i], all, ny, sizeof *all, compare_ids))
            continue;
        wrong += rows >= side->row_count || side->rows[rows] != i + 1;
        hits[rows++] = x[i];
    }
    uint32_t *hits_sorted = sorted(hits, rows);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(side->row_count, rows);
    CU_ASSERT_EQUAL(side->result.learns_matches, 1);
    CU_ASSERT_EQUAL(side->result.matched_rows, rows);
    CU_ASSERT_EQUAL(side->result.matched_items, distinct(hits_sorted, rows));
    free(hits_sorted);
    free(hits);
    free(all);
}

void match_untold(const pair_side *side)
{
    CU_ASSERT_EQUAL(side->row_count, 0);
    CU_ASSERT_EQUAL(side->result.learns_matches, 0);
    CU_ASSERT_EQUAL(side->result.matched_rows, 0);
    CU_ASSERT_EQUAL(side->result.matched_items, 0);
}

enum tally_protocol match_protocol(const tally_session *session)
{
    char *text = tally_session_summary_json(session);
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    const char *name = json_string_value(json_object_get(json_object_get(j, "terms"), "protocol"));
    enum tally_protocol found = TALLY_AUTO;
    if (name && strcmp(name, "ecdh") == 0)
        found = TALLY_ECDH;
    else if (name && strcmp(name, "vole") == 0)
        found = TALLY_VOLE;
    json_decref(j);
    free(text);
    return found;
}

void match_check(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny, enum tally_protocol asked,
                 enum tally_protocol used, enum tally_security security, enum tally_reveal reveal,
                 unsigned threads)
{
    pair p;
    pair_init(&p, security, reveal);
    pair_set_protocol(&p, asked);
    pair_side *r = &p.side[PAIR_RECEIVER], *s = &p.side[PAIR_SENDER];
    pair_add(r, x, nx);
    pair_add(s, y, ny);
    for (int i = 0; i < 2; i++)
        tally_session_set_threads(p.side[i].session, threads);
    pair_run(&p);
    CU_ASSERT_EQUAL(r->status, TALLY_OK);
    CU_ASSERT_EQUAL(s->status, TALLY_OK);
    if (r->status || s->status)
        printf("receiver: %s; sender: %s\n", r->error.message, s->error.message);
    match_told(r, x, nx, y, ny);
    if (reveal == TALLY_REVEAL_BOTH)
        match_told(s, y, ny, x, nx);
    else
        match_untold(s);
    uint32_t *xs = sorted(x, nx), *ys = sorted(y, ny);
    CU_ASSERT_EQUAL(r->result.own_items, distinct(xs, nx));
    CU_ASSERT_EQUAL(r->result.peer_items, distinct(ys, ny));
    CU_ASSERT_EQUAL(s->result.own_items, distinct(ys, ny));
    CU_ASSERT_EQUAL(s->result.peer_items, distinct(xs, nx));
    CU_ASSERT_EQUAL(r->result.bytes_sent, s->result.bytes_received);
    CU_ASSERT_EQUAL(s->result.bytes_sent, r->result.bytes_received);
    /* A masked item, or at least 24 bytes an item of a table after the points of the base OTs. */
    CU_ASSERT(r->result.bytes_sent >
              (used == TALLY_VOLE ? 8193 + 24 * distinct(xs, nx) : 32 * distinct(xs, nx)));
    CU_ASSERT_EQUAL(match_protocol(r->session), used);
    CU_ASSERT_EQUAL(match_protocol(s->session), used);
    CU_ASSERT_FALSE(r->leaked || s->leaked);
    free(xs);
    free(ys);
    pair_free(&p);
}
