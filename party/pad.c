/* SPDX-License-Identifier: Apache-2.0 */
#include "party/pad.h"

#include "party/error.h"
#include "party/input.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

size_t party_input_real(const tally_input *input)
{
    return input->loaded ? (size_t)input->stats.items : 0;
}

static size_t columns_of(const tally_input *input)
{
    return input->item_numbers ? input->value_count + input->band_count : 0;
}

/* Old index of an item -> new one, for all rows. */
static void point_rows(tally_input *input, const uint32_t *to)
{
    for (size_t r = 0; r < input->row_count; r++)
        input->rows[r].item = to[input->rows[r].item];
}

tally_status party_input_unpad(tally_input *input, tally_error *error)
{
    size_t columns = columns_of(input), kept = 0;
    if (!input->loaded || input->item_count == input->stats.items)
        return TALLY_OK;
    uint32_t *to = psi_calloc(input->item_count, sizeof *to); /* at first: 1 if a row has the item */
    if (!to)
        return party_no_memory(error, "taking out the dummies");
    for (size_t r = 0; r < input->row_count; r++)
        to[input->rows[r].item] = 1;
    for (size_t i = 0; i < input->item_count; i++) {
        if (!to[i])
            continue;
        input->items[kept] = input->items[i];
        if (columns)
            memmove(input->item_numbers + kept * columns, input->item_numbers + i * columns,
                    columns * sizeof *input->item_numbers);
        to[i] = (uint32_t)kept++;
    }
    point_rows(input, to);
    input->item_count = kept;
    psi_free(to);
    return TALLY_OK;
}

/* ---- Adding dummies ---- */

/* The list as it will be. */
typedef struct padding {
    size_t real, dummies, columns;
    psi_item *dummy; /* in ascending order */
    psi_item *items;
    int64_t *numbers;
    uint32_t *to;                        /* old index of an item -> new one */
    int64_t of_dummy[PARTY_NUMBERS_MAX]; /* its numbers */
} padding;

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(psi_item));
}

static void numbers_of_dummy(const tally_input *input, int64_t *out)
{
    for (size_t v = 0; v < input->value_count; v++) {
        const party_value *value = &input->values[v];
        *out++ = value->min > 0 ? value->min : value->max < 0 ? value->max : 0;
    }
    for (size_t b = 0; b < input->band_count; b++)
        *out++ = (int64_t)input->bands[b].count - 1;
}

static tally_status draw(padding *p, tally_error *error)
{
    tally_status st = psi_random(p->dummy, p->dummies * sizeof *p->dummy);
    if (st)
        return party_fail(error, st, "the dummies that pad the list could not be drawn");
    qsort(p->dummy, p->dummies, sizeof *p->dummy, by_bytes);
    return TALLY_OK;
}

/* Both lists into one. TALLY_ERR_RANDOM: two items are the same, which happens once in 2^190 lists. */
static tally_status merge(padding *p, const tally_input *input, tally_error *error)
{
    size_t r = 0, d = 0, n = p->real + p->dummies;
    for (size_t i = 0; i < n; i++) {
        int is_dummy = r == p->real || (d < p->dummies && by_bytes(&p->dummy[d], &input->items[r]) < 0);
        p->items[i] = is_dummy ? p->dummy[d] : input->items[r];
        if (p->columns)
            memcpy(p->numbers + i * p->columns, is_dummy ? p->of_dummy : input->item_numbers + r * p->columns,
                   p->columns * sizeof *p->numbers);
        if (!is_dummy)
            p->to[r] = (uint32_t)i;
        r += !is_dummy;
        d += (size_t)is_dummy;
        if (i && by_bytes(&p->items[i - 1], &p->items[i]) == 0)
            return party_fail(error, TALLY_ERR_RANDOM, "two dummies that pad the list are the same");
    }
    return TALLY_OK;
}

static void take_over(padding *p, tally_input *input)
{
    point_rows(input, p->to);
    psi_free(input->items);
    input->items = p->items;
    input->item_count = input->item_room = p->real + p->dummies;
    p->items = NULL;
    if (!p->columns)
        return;
    psi_secret_free(input->item_numbers);
    input->item_numbers = p->numbers;
    p->numbers = NULL;
}

static tally_status add_dummies(tally_input *input, size_t dummies, tally_error *error)
{
    padding p = {.real = input->item_count, .dummies = dummies, .columns = columns_of(input)};
    size_t n = p.real + dummies;
    p.dummy = psi_calloc(dummies, sizeof *p.dummy);
    p.items = psi_calloc(n, sizeof *p.items);
    p.to = psi_calloc(p.real, sizeof *p.to);
    p.numbers = psi_secret_calloc(p.columns ? n : 0, p.columns * sizeof *p.numbers);
    tally_status st = p.dummy && p.items && p.to && p.numbers ? draw(&p, error)
                                                              : party_no_memory(error, "padding the list");
    if (!st) {
        party_input_huge_pages(p.items, n * sizeof *p.items);
        numbers_of_dummy(input, p.of_dummy);
        st = merge(&p, input, error);
    }
    if (!st)
        take_over(&p, input);
    psi_secret_free(p.numbers);
    psi_free(p.to);
    psi_free(p.items);
    psi_free(p.dummy);
    return st;
}

tally_status party_input_pad(tally_input *input, uint64_t step, tally_error *error)
{
    if (!input->loaded)
        return party_fail(error, TALLY_ERR_USAGE, "a list is padded after it was loaded");
    if (!step)
        return party_fail(error, TALLY_ERR_USAGE, "a list cannot be padded to a multiple of 0");
    tally_status st = party_input_unpad(input, error);
    uint64_t real = input->item_count, over = real % step, dummies = real && !over ? 0 : step - over;
    if (st)
        return st;
    if (dummies > WIRE_ITEMS_MAX || real + dummies > WIRE_ITEMS_MAX) {
        party_fail(error, TALLY_ERR_INPUT,
                   "the list has %" PRIu64 " identifiers, which the padding to a multiple of %" PRIu64
                   " brings above 2^30, the most that fit one run",
                   real, step);
        party_hint(error, "agree on a smaller padding-step, or split the list");
        return TALLY_ERR_INPUT;
    }
    return dummies ? add_dummies(input, (size_t)dummies, error) : TALLY_OK;
}
