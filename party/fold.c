/* SPDX-License-Identifier: Apache-2.0 */
#include "party/fold.h"

#include "party/error.h"
#include "psi/mem.h"
#include <stdlib.h>
#include <string.h>

/* First 64 bits of an item, and its row. Items are hashes, so these bits nearly decide the order. */
typedef struct entry {
    uint64_t prefix;
    uint32_t row;
} entry;
_Static_assert(2 * sizeof(entry) == sizeof(psi_item), "two lists of entries take the place of the items");

#define BITS_MAX 14   /* of a bucket's number, and of the digit that orders a bucket */
#define PER_BUCKET 10 /* log2 of the entries that are wanted in a bucket: they stay in the cache */
#define FEW 24u       /* entries that insertion sorts */
#define AHEAD 16      /* entries that are fetched before they are needed: their rows lie anywhere */

/*
 * Buckets are by the upper bits of the prefix, so that one sorted after the other is all in order. A slice is
 * the rows of one thread.
 */
typedef struct folding {
    tally_input *input;
    psi_item *folded;
    entry *lower, *sorted;            /* the halves of the block that becomes `folded` */
    size_t n, slices, buckets, first; /* first: bucket of the run that gathers */
    unsigned bits;                    /* buckets = 2^bits */
    size_t *at;       /* slices x buckets: number, then place of the slice's next entry in the bucket */
    size_t *start;    /* buckets + 1: where each begins in `sorted` */
    size_t *distinct; /* buckets + 1: distinct items in each, then in all before it */
} folding;

static uint64_t prefix_of(const psi_item *item)
{
    uint64_t prefix = 0;
    for (unsigned i = 0; i < 8; i++)
        prefix = prefix << 8 | item->b[i];
    return prefix;
}

/* The `bits` bits of prefix below its upper `above` ones. */
static size_t digit(uint64_t prefix, unsigned above, unsigned bits)
{
    return bits ? (size_t)(prefix << above >> (64 - bits)) : 0;
}

static unsigned log2_below(size_t n)
{
    unsigned bits = 0;
    while (bits < BITS_MAX && n >> (bits + 1))
        bits++;
    return bits;
}

static size_t slice_begin(const folding *f, size_t slice)
{
    return f->n / f->slices * slice + (slice < f->n % f->slices ? slice : f->n % f->slices);
}

static tally_status count_slice(void *user, unsigned worker, size_t begin, size_t end)
{
    folding *f = user;
    size_t *at = f->at + begin * f->buckets;
    (void)worker, (void)end;
    for (size_t r = slice_begin(f, begin); r < slice_begin(f, begin + 1); r++)
        at[digit(prefix_of(&f->input->items[r]), 0, f->bits)]++;
    return TALLY_OK;
}

static void place_buckets(folding *f)
{
    size_t sum = 0;
    for (size_t b = 0; b < f->buckets; b++) {
        f->start[b] = sum;
        for (size_t s = 0; s < f->slices; s++) {
            size_t count = f->at[s * f->buckets + b];
            f->at[s * f->buckets + b] = sum;
            sum += count;
        }
    }
    f->start[f->buckets] = sum;
}

static tally_status spread_slice(void *user, unsigned worker, size_t begin, size_t end)
{
    folding *f = user;
    size_t *at = f->at + begin * f->buckets;
    (void)worker, (void)end;
    for (size_t r = slice_begin(f, begin); r < slice_begin(f, begin + 1); r++) {
        uint64_t prefix = prefix_of(&f->input->items[r]);
        f->sorted[at[digit(prefix, 0, f->bits)]++] = (entry){prefix, (uint32_t)r};
    }
    return TALLY_OK;
}

/* ---- Sorting a bucket ---- */

static int compare(const psi_item *items, const entry *a, const entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return memcmp(items[a->row].b, items[b->row].b, sizeof items->b);
}

static int by_item(const void *x, const void *y, void *items)
{
    return compare(items, x, y);
}

/* Sorts entries whose prefixes agree in many bits: few, unless they are one item many times. */
static void sort_few(entry *a, size_t n, psi_item *items)
{
    size_t same = 1;
    while (same < n && compare(items, &a[0], &a[same]) == 0)
        same++;
    if (same >= n)
        return;
    if (n > FEW) {
        qsort_r(a, n, sizeof *a, by_item, items);
        return;
    }
    for (size_t i = same; i < n; i++) {
        entry x = a[i];
        size_t j = i;
        for (; j && compare(items, &a[j - 1], &x) > 0; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

static size_t count_distinct(const entry *a, size_t n, const psi_item *items)
{
    size_t distinct = n > 0;
    for (size_t i = 1; i < n; i++)
        distinct += compare(items, &a[i - 1], &a[i]) != 0;
    return distinct;
}

static tally_status sort_bucket(void *user, unsigned worker, size_t begin, size_t end)
{
    folding *f = user;
    uint32_t at[(1u << BITS_MAX) + 1];
    (void)worker;
    for (size_t b = begin; b < end; b++) {
        size_t n = f->start[b + 1] - f->start[b], digits;
        entry *a = f->sorted + f->start[b], *by_digit = f->lower + f->start[b];
        unsigned bits = log2_below(n);
        digits = (size_t)1 << bits;
        memset(at, 0, (digits + 1) * sizeof *at);
        for (size_t i = 0; i < n; i++)
            at[digit(a[i].prefix, f->bits, bits) + 1]++;
        for (size_t d = 0; d < digits; d++)
            at[d + 1] += at[d];
        for (size_t i = 0; i < n; i++)
            by_digit[at[digit(a[i].prefix, f->bits, bits)]++] = a[i];
        for (size_t d = 0, from = 0; d < digits; from = at[d++]) /* at[d] is now the digit's end */
            sort_few(by_digit + from, at[d] - from, f->input->items);
        memcpy(a, by_digit, n * sizeof *a);
        f->distinct[b] = count_distinct(a, n, f->input->items);
    }
    return TALLY_OK;
}

/* ---- Gathering ---- */

/* The distinct items of buckets [first + begin, first + end) to their places, and the places to the rows. */
static tally_status gather(void *user, unsigned worker, size_t begin, size_t end)
{
    folding *f = user;
    const psi_item *items = f->input->items;
    party_row *rows = f->input->rows;
    size_t to = f->start[f->first + end], next = f->distinct[f->first + begin];
    entry last = {.row = 0};
    (void)worker;
    for (size_t i = f->start[f->first + begin], from = i; i < to; i++) {
        const entry now = f->sorted[i];
        if (i + AHEAD < to) {
            __builtin_prefetch(&items[f->sorted[i + AHEAD].row]);
            __builtin_prefetch(&rows[f->sorted[i + AHEAD].row], 1);
        }
        if (i == from || compare(items, &last, &now) != 0)
            f->folded[next++] = items[now.row];
        rows[now.row].item = (uint32_t)(next - 1);
        last = now;
    }
    return TALLY_OK;
}

/*
 * The new items fill the block from below and meet the entries, which are its upper half: entry i lies at
 * byte 16 (n + i), the items of the first i entries end at 32 i or before. So the buckets up to entry e may
 * be gathered side by side from entry b on if 2 e <= n + b; and one bucket alone in any case, as an entry is
 * read before its item is written and i < n.
 */
static tally_status gather_all(folding *f, party_pool *pool)
{
    tally_status st = TALLY_OK;
    for (size_t b = 0, e; !st && b < f->buckets; b = e) {
        e = b;
        while (e < f->buckets && 2 * f->start[e + 1] <= f->n + f->start[b])
            e++;
        f->first = b;
        if (e > b)
            st = party_pool_run(pool, e - b, 8, gather, f);
        else
            st = gather(f, 0, 0, (e = b + 1) - b);
    }
    return st;
}

tally_status party_rows_fold(tally_input *input, party_pool *pool, tally_error *error)
{
    size_t n = input->row_count, sum = 0;
    folding f = {.input = input, .n = n, .slices = party_pool_size(pool)};
    f.bits = log2_below(n >> PER_BUCKET);
    f.buckets = (size_t)1 << f.bits;
    f.folded = psi_calloc(n, sizeof *f.folded);
    f.at = psi_calloc(f.slices * f.buckets, sizeof *f.at);
    f.start = psi_calloc(f.buckets + 1, sizeof *f.start);
    f.distinct = psi_calloc(f.buckets + 1, sizeof *f.distinct);
    tally_status st = f.folded && f.at && f.start && f.distinct
                          ? TALLY_OK
                          : party_no_memory(error, "sorting the identifiers");
    if (st)
        goto done;
    party_input_huge_pages(f.folded, n * sizeof *f.folded);
    f.lower = (entry *)(void *)f.folded;
    f.sorted = f.lower + n;
    st = party_pool_run(pool, f.slices, 1, count_slice, &f);
    place_buckets(&f);
    if (!st)
        st = party_pool_run(pool, f.slices, 1, spread_slice, &f);
    if (!st)
        st = party_pool_run(pool, f.buckets, 8, sort_bucket, &f);
    for (size_t b = 0; b <= f.buckets; b++) {
        size_t count = f.distinct[b];
        f.distinct[b] = sum;
        sum += count;
    }
    if (!st)
        st = gather_all(&f, pool);
    if (st)
        goto done;
    psi_free(input->items);
    input->items = f.folded;
    f.folded = NULL;
    input->item_room = n;
    input->item_count = input->stats.items = sum;
done:
    psi_free(f.distinct);
    psi_free(f.start);
    psi_free(f.at);
    psi_free(f.folded);
    return st;
}
