/* SPDX-License-Identifier: Apache-2.0 */
#include "party/numbers.h"

#include "party/error.h"
#include "party/input.h"
#include "party/io.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static const int64_t power10[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/* ---- Cells ---- */

static int is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* n with one more digit: exact below 10^18, which it stays at once it is reached. */
static int64_t with_digit(int64_t n, int digit)
{
    return n < PARTY_NUMBER_MOST / 10 ? n * 10 + digit : PARTY_NUMBER_MOST;
}

enum party_reject party_number_parse(const uint8_t *text, size_t len, unsigned scale, int floor, int64_t *out)
{
    const uint8_t *p = text, *end = text + len;
    int64_t n = 0;
    unsigned left = scale;
    int negative = 0, any = 0, rest = 0;
    while (p < end && is_blank(*p))
        p++;
    while (p < end && is_blank(end[-1]))
        end--;
    if (p == end)
        return PARTY_REJECT_NO_VALUE;
    if (*p == '+' || *p == '-')
        negative = *p++ == '-';
    for (; p < end && is_digit(*p); p++, any = 1)
        n = with_digit(n, *p - '0');
    if (p < end && *p == '.')
        for (p++; p < end && is_digit(*p); p++, any = 1) {
            if (left)
                n = with_digit(n, *p - '0');
            else
                rest |= *p != '0';
            left -= left > 0;
        }
    if (p < end || !any)
        return PARTY_REJECT_NOT_NUMBER;
    if (rest && !floor)
        return PARTY_REJECT_DECIMALS;
    for (; left; left--)
        n = with_digit(n, 0);
    n = negative ? -n : n;
    *out = n - (negative && rest && n > -PARTY_NUMBER_MOST);
    return PARTY_ACCEPTED;
}

/* ---- Columns ---- */

size_t party_input_values(const tally_input *input)
{
    return input->value_count;
}

const party_value *party_input_value(const tally_input *input, size_t i)
{
    PSI_CHECK(i < input->value_count);
    return &input->values[i];
}

size_t party_input_bands(const tally_input *input)
{
    return input->band_count;
}

const party_band *party_input_band(const tally_input *input, size_t i)
{
    PSI_CHECK(i < input->band_count);
    return &input->bands[i];
}

const int64_t *party_input_numbers(const tally_input *input, size_t *columns)
{
    *columns = input->loaded ? input->value_count + input->band_count : 0;
    return *columns ? input->item_numbers : NULL;
}

size_t party_numbers_per_row(const tally_input *input)
{
    return input->row_numbers;
}

/* n * 10^decimals, at most PARTY_NUMBER_MOST in magnitude; |n| as well. */
static int64_t raised(int64_t n, unsigned decimals)
{
    int64_t most = PARTY_NUMBER_MOST / power10[decimals];
    return n >= most ? PARTY_NUMBER_MOST : n <= -most ? -PARTY_NUMBER_MOST : n * power10[decimals];
}

/* The least integer that is at least n / 10^decimals. */
static int64_t ceiling(int64_t n, unsigned decimals)
{
    return n / power10[decimals] + (n > 0 && n % power10[decimals] != 0);
}

/*
 * A band of a value column goes by that value. An integer v at the value's scale is at or above an edge
 * exactly if it is at or above the edge rounded up to that scale; a limit of 10^18 is above every value, as
 * these are below 2^48.
 *
 * A band of a column of its own keeps what is in the cell, rounded toward minus infinity: floor(x) >= e
 * exactly if x >= e, for whole e. Rounding each row of a person could make their sum too small; so further
 * decimals are kept as long as the edges stay below 2^48, which is far from where sums saturate.
 */
void party_numbers_bind(tally_input *input)
{
    input->row_numbers = input->value_count;
    for (size_t b = 0; b < input->band_count; b++) {
        party_band *band = &input->bands[b];
        band->value = -1;
        band->extra = 0;
        for (size_t v = 0; v < input->value_count; v++)
            if (strcmp(band->column, input->values[v].column) == 0)
                band->value = (int)v;
        if (band->value >= 0) {
            unsigned scale = input->values[band->value].scale;
            for (size_t e = 0; e < band->count; e++)
                band->limits[e] = scale >= band->scale ? raised(band->edges[e], scale - band->scale)
                                                       : ceiling(band->edges[e], band->scale - scale);
            continue;
        }
        int64_t low = -band->edges[0], high = band->edges[band->count - 1], most = low > high ? low : high;
        while (band->scale + band->extra < PARTY_SCALE_MAX &&
               raised(most, band->extra + 1) < PARTY_VALUE_BOUND)
            band->extra++;
        for (size_t e = 0; e < band->count; e++)
            band->limits[e] = raised(band->edges[e], band->extra);
        input->row_numbers++;
    }
}

/* ---- Rows ---- */

static enum party_reject in_range(const tally_input *input, const party_value *v, int64_t *n,
                                  uint32_t *clipped)
{
    if (*n >= v->min && *n <= v->max)
        return PARTY_ACCEPTED;
    if (!input->clip)
        return PARTY_REJECT_RANGE;
    *n = *n < v->min ? v->min : v->max;
    ++*clipped;
    return PARTY_ACCEPTED;
}

/* Field text needs no decoding: bytes that GB18030 reads otherwise than ASCII does are in no number, and
 * neither is a doubled quote. */
static enum party_reject parse_field(const uint8_t *record, const party_csv_field *field, unsigned scale,
                                     int floor, int64_t *out)
{
    return party_number_parse(record + field->begin, field->end - field->begin, scale, floor, out);
}

enum party_reject party_numbers_of_record(const tally_input *input, const uint8_t *record,
                                          const party_csv_field *fields, party_numbers *out)
{
    enum party_reject reject = PARTY_ACCEPTED;
    size_t n = 0;
    out->clipped = 0;
    for (size_t v = 0; reject == PARTY_ACCEPTED && v < input->value_count; v++, n++) {
        const party_value *value = &input->values[v];
        reject = parse_field(record, &fields[value->index], value->scale, 0, &out->at[n]);
        if (reject == PARTY_ACCEPTED)
            reject = in_range(input, value, &out->at[n], &out->clipped);
    }
    for (size_t b = 0; reject == PARTY_ACCEPTED && b < input->band_count; b++) {
        const party_band *band = &input->bands[b];
        if (band->value < 0)
            reject = parse_field(record, &fields[band->index], band->scale + band->extra, 1, &out->at[n++]);
    }
    return reject;
}

enum party_reject party_numbers_of_row(const tally_input *input, const int64_t *given, party_numbers *out)
{
    enum party_reject reject = PARTY_ACCEPTED;
    size_t n = 0;
    out->clipped = 0;
    for (size_t v = 0; reject == PARTY_ACCEPTED && v < input->value_count; v++, n++) {
        out->at[n] = given[v];
        reject = in_range(input, &input->values[v], &out->at[n], &out->clipped);
    }
    for (size_t b = 0; reject == PARTY_ACCEPTED && b < input->band_count; b++)
        if (input->bands[b].value < 0)
            out->at[n++] = raised(given[input->value_count + b], input->bands[b].extra);
    return reject;
}

/* ---- Folding ---- */

#define AHEAD 16          /* rows whose items are fetched before they are needed: they lie anywhere */
#define UNSEEN INT64_MIN  /* first number of an item that had no row yet; no number is that small */
#define ITEMS_PIECE 4096u /* items whose bands a thread finds at a time */

/* An item's numbers are `width` apart: value columns, then band columns, those of their own filled at first
 * with the number whose band is looked for. */
typedef struct folding {
    const tally_input *input;
    int64_t *items;
    size_t width;
    uint8_t slot[PARTY_NUMBERS_MAX]; /* where number n of a row belongs */
    atomic_ullong clipped;
} folding;

static tally_status refused(const tally_input *input, const party_row *row, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT,
               "%s, line %" PRIu32 ": a second row with the identifier of an earlier one", name, row->line);
    party_hint(error, "keep one row for each identifier, or have its rows brought together: "
                      "--duplicates sum or --duplicates max");
    return TALLY_ERR_INPUT;
}

static tally_status refuse_duplicates(const tally_input *input, tally_error *error)
{
    size_t r = 0;
    if (input->item_count == input->row_count)
        return TALLY_OK;
    uint8_t *seen = psi_calloc(input->item_count, 1);
    if (!seen)
        return party_no_memory(error, "looking for duplicates");
    while (!seen[input->rows[r].item])
        seen[input->rows[r++].item] = 1;
    psi_free(seen);
    return refused(input, &input->rows[r], error);
}

static tally_status left_range(const tally_input *input, size_t r, size_t v, tally_error *error)
{
    char name[PARTY_PATH_SHOWN], column[64];
    party_input_name(input, name, sizeof name);
    party_printable(column, sizeof column, input->values[v].column);
    party_fail(error, TALLY_ERR_INPUT,
               "%s, line %" PRIu32
               ": the sum of the rows with this identifier leaves the range of column \"%s\"",
               name, input->rows[r].line, column);
    party_hint(error,
               "declare a wider range for the column, which holds for sums as for single rows; or take "
               "the largest row: --duplicates max");
    return TALLY_ERR_INPUT;
}

/* Ends at -(2^63 - 1) and 2^63 - 1, never at UNSEEN. */
static int64_t saturating_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : -INT64_MAX;
    return sum < -INT64_MAX ? -INT64_MAX : sum;
}

/*
 * Goes by the order of the file, so that the line that is named does not depend on threads. Sums of value
 * columns stay in their range, below 2^48, or end the run here; with clipping, and for bands, they saturate.
 */
static tally_status fold_rows(folding *f, tally_error *error)
{
    const tally_input *input = f->input;
    size_t n = input->row_numbers, width = f->width;
    const int64_t *from = input->numbers;
    for (size_t i = 0; i < input->item_count; i++)
        f->items[i * width] = UNSEEN;
    for (size_t r = 0; r < input->row_count; r++, from += n) {
        int64_t *to = f->items + input->rows[r].item * width;
        if (r + AHEAD < input->row_count)
            __builtin_prefetch(f->items + input->rows[r + AHEAD].item * width, 1);
        if (*to == UNSEEN) {
            for (size_t k = 0; k < n; k++)
                to[f->slot[k]] = from[k];
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            int64_t *old = &to[f->slot[k]];
            if (input->duplicates == TALLY_DUPLICATES_MAX)
                *old = from[k] > *old ? from[k] : *old;
            else
                *old = saturating_add(*old, from[k]);
            if (k < input->value_count && !input->clip &&
                (*old < input->values[k].min || *old > input->values[k].max))
                return left_range(input, r, k, error);
        }
    }
    return TALLY_OK;
}

static int64_t band_of(const party_band *band, int64_t n)
{
    size_t below = 0; /* limits at or below n */
    for (size_t e = 0; e < band->count; e++)
        below += band->limits[e] <= n;
    return below ? (int64_t)(below - 1) : (int64_t)(band->count - 1);
}

/* Sums into their ranges, then bands. */
static tally_status finish_items(void *user, unsigned worker, size_t begin, size_t end)
{
    folding *f = user;
    const tally_input *input = f->input;
    uint32_t clipped = 0;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        int64_t *n = f->items + i * f->width;
        for (size_t v = 0; input->clip && v < input->value_count; v++)
            (void)in_range(input, &input->values[v], &n[v], &clipped);
        for (size_t b = 0; b < input->band_count; b++) {
            const party_band *band = &input->bands[b];
            int64_t *own = &n[input->value_count + b];
            *own = band_of(band, band->value < 0 ? *own : n[band->value]);
        }
    }
    atomic_fetch_add_explicit(&f->clipped, clipped, memory_order_relaxed);
    return TALLY_OK;
}

tally_status party_numbers_fold(tally_input *input, party_pool *pool, tally_error *error)
{
    folding f = {.input = input, .width = input->value_count + input->band_count};
    tally_status st = TALLY_OK;
    if (input->duplicates == TALLY_DUPLICATES_REFUSE)
        st = refuse_duplicates(input, error);
    if (st || !f.width)
        return st;
    for (size_t v = 0; v < input->value_count; v++)
        f.slot[v] = (uint8_t)v;
    for (size_t b = 0, n = input->value_count; b < input->band_count; b++)
        if (input->bands[b].value < 0)
            f.slot[n++] = (uint8_t)(input->value_count + b);
    f.items = psi_secret_calloc(input->item_count, f.width * sizeof *f.items);
    if (!f.items)
        return party_no_memory(error, "the numbers of the identifiers");
    party_input_huge_pages(f.items, input->item_count * f.width * sizeof *f.items);
    st = fold_rows(&f, error);
    if (!st)
        st = party_pool_run(pool, input->item_count, ITEMS_PIECE, finish_items, &f);
    if (st) {
        psi_secret_free(f.items);
        return st;
    }
    psi_secret_free(input->numbers);
    input->numbers = NULL;
    input->number_room = 0;
    input->item_numbers = f.items;
    input->stats.clipped += atomic_load(&f.clipped);
    return TALLY_OK;
}
