/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of a count or a sum: it answers for the items of the computing side and sends its own; at a
 * sum it owns the values, which leave encrypted and come back as sums (docs/protocol-count.md,
 * docs/protocol-sum.md). */
#include "party/aggregate.h"
#include "party/error.h"
#include "party/masking.h"
#include "psi/join.h"
#include "psi/laplace.h"
#include "psi/mem.h"
#include "psi/tagsize.h"
#include "psi/verify.h"

#include <stdlib.h>
#include <string.h>

typedef struct other {
    party_run *run;
    party_aggregate *a;
    psi_item *items; /* secret: own, then dummies and fillers */
    uint32_t *order; /* secret: place in what is sent -> item */
    psi_scalar key;
    size_t width;
    uint8_t *tags; /* of the computing side's items; grows as they come */
    size_t tag_room;
    size_t repeats;
    /* the values */
    psi_ahe_key *values;
    uint8_t *out; /* units in work */
    size_t first;
    uint8_t show[PSI_AHE_COLUMNS_MAX];
    uint8_t *sums;
    size_t units; /* of a group */
    uint8_t (*plain)[PSI_AHE_PLAIN];
    size_t shown;
} other;

/* ---- Answering ---- */

/* Of the 2 tau dummies of a batch, tau + Z are on this list, so that what matches of them hides the count. */
static tally_status draw_pools(const party_aggregate *a, uint32_t pool[PSI_AHE_GROUPS_MAX],
                               tally_error *error)
{
    psi_prg prg;
    uint64_t epsilon = party_aggregate_padding(a->owner->function, a->other_learns, a->epsilon_micro);
    memset(pool, 0, PSI_AHE_GROUPS_MAX * sizeof *pool);
    if (!a->dummies)
        return TALLY_OK;
    tally_status st = psi_prg_init(&prg);
    if (st)
        return party_fail(error, st, "the random generator of the system failed");
    for (size_t g = 0; g < a->groups; g++) {
        psi_wide z;
        psi_laplace(&z, &prg, psi_laplace_scale(1, 1, epsilon), a->dummies);
        pool[g] = (uint32_t)(a->dummies + z);
        psi_wipe(&z, sizeof z);
    }
    psi_prg_wipe(&prg);
    return TALLY_OK;
}

static tally_status prepare(other *o, tally_error *error)
{
    party_aggregate *a = o->a;
    uint32_t pool[PSI_AHE_GROUPS_MAX];
    o->width = psi_tag_bytes(a->masked, a->others);
    tally_status st = draw_pools(a, pool, error);
    if (!st)
        st = party_dummies_add(&o->items, o->run, a, pool, error);
    psi_wipe(pool, sizeof pool);
    if (!st)
        st = party_order(&o->order, a->others, error);
    if (!st)
        st = party_masking_key(&o->key, error);
    if (st)
        return st;
    if (!a->sum)
        return TALLY_OK;
    /* While the computing side masks its items. */
    st = psi_ahe_key_new(&o->values, &a->plan, &o->run->sid);
    return st == TALLY_ERR_NO_MEMORY ? party_no_memory(error, "the key of the values")
           : st                      ? party_fail(error, st, "making the key of the values failed")
                                     : TALLY_OK;
}

static tally_status take_masked(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    other *o = user;
    void *tags = o->tags;
    int room = party_grow(&tags, &o->tag_room, first + n, o->width);
    o->tags = tags;
    if (!room)
        return party_no_memory(error, "the tags of the peer's items");
    tally_status st =
        party_tag(o->run, frame->payload, first, n, &o->key, o->width, o->tags + first * o->width, error);
    if (!st)
        party_advance(o->run, n);
    return st;
}

static void repeat(void *user, size_t own, size_t peer)
{
    other *o = user;
    o->repeats += own != peer;
}

static int by_bytes(const void *a, const void *b, void *width)
{
    return memcmp(a, b, *(size_t *)width);
}

/*
 * Refuses repeated items, which would show in a count how often they match; then sorts each batch. Tags are
 * pseudorandom to both sides, so their order says nothing about that of the items.
 */
static tally_status shuffle_tags(other *o, tally_error *error)
{
    const party_aggregate *a = o->a;
    psi_join *join = NULL;
    tally_status st = psi_join_new(&join, o->tags, a->masked, o->width);
    if (st == TALLY_ERR_NO_MEMORY)
        return party_no_memory(error, "looking for repeated items");
    if (!st)
        psi_join_probe(join, o->tags, a->masked, 0, repeat, o);
    psi_join_free(join);
    if (st || o->repeats)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer's masked items repeat each other: they are not distinct identifiers");
    for (size_t g = 0, from = 0; g < a->groups; g++) {
        size_t n = (size_t)a->batch[g] + 2 * a->dummies;
        if (n) /* without any, there is no list */
            qsort_r(o->tags + from * o->width, n, o->width, by_bytes, &o->width);
        from += n;
    }
    return TALLY_OK;
}

static tally_status make_tags(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const other *o = user;
    (void)error;
    memcpy(payload, o->tags + first * o->width, n * o->width);
    return TALLY_OK;
}

static tally_status make_own(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    other *o = user;
    return party_mask(o->run, o->items, o->order + first, n, &o->key, payload, error);
}

static tally_status answer(other *o, tally_error *error)
{
    const party_aggregate *a = o->a;
    party_source tags = {WIRE_AGG_TAGS, o->width, a->masked, make_tags};
    party_source own = {WIRE_AGG_OTHER, 32, a->others, make_own};
    /* All of a*H(x) in before any tag of b*(a*H(x)) goes out: their order must not follow the peer's. */
    tally_status st = party_exchange(o->run, NULL, WIRE_AGG_MASKED, take_masked, o, error);
    if (!st)
        st = shuffle_tags(o, error);
    if (!st)
        st = party_exchange(o->run, &tags, 0, NULL, o, error);
    /* b*H(y) out, shuffled. */
    return st ? st : party_exchange(o->run, &own, 0, NULL, o, error);
}

/* ---- Values ---- */

/* Integers of a column in the order sent; all of a dummy's are 0, and which rows are dummies is secret. */
static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    const other *o = user;
    const party_aggregate *a = o->a;
    static const int64_t nothing[PSI_AGG_VALUES_MAX + PSI_AGG_BANDED_MAX];
    psi_agg_column what = psi_agg_what(&a->form, c);
    uint64_t own = o->run->own;
    for (size_t i = 0; i < n; i++) {
        uint64_t item = o->order[first + i], mine = 0 - ((item - own) >> 63);
        const int64_t *numbers = own ? a->numbers + (item & mine) * a->number_columns : nothing;
        out[i] = psi_agg_integer(&a->form, what, numbers) & (psi_wide)(int64_t)mine;
    }
}

static tally_status encrypt_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    other *o = user;
    (void)worker;
    return psi_ahe_encrypt(o->values, o->first + begin, end - begin, gather, o,
                           o->out + begin * o->a->plan.unit_bytes);
}

static tally_status make_values(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    other *o = user;
    o->first = first;
    o->out = payload;
    tally_status st = party_pool_run(o->run->pool, n, o->a->plan.chunk, encrypt_chunk, o);
    return st ? party_fail(error, st, "encrypting a batch of values failed") : TALLY_OK;
}

static tally_status send_values(other *o, tally_error *error)
{
    const psi_ahe_plan *p = &o->a->plan;
    uint8_t *key = psi_calloc(p->key_bytes, 1);
    if (!key)
        return party_no_memory(error, "the key of the values");
    tally_status st = psi_ahe_key_message(o->values, key);
    st = st ? party_fail(error, st, "the key of the values could not be proved")
            : party_send_whole(o->run, WIRE_AGG_KEY, key, p->key_bytes, error);
    psi_free(key);
    if (st)
        return st;
    party_source values = {WIRE_AGG_VALUES, p->unit_bytes, p->units, make_values};
    return party_exchange(o->run, &values, 0, NULL, o, error);
}

/* ---- Sums ---- */

static tally_status take_sums(void *user, size_t first, size_t n, const party_frame *frame,
                              tally_error *error)
{
    other *o = user;
    (void)error;
    memcpy(o->sums + first * o->a->plan.sum_bytes, frame->payload, n * o->a->plan.sum_bytes);
    return TALLY_OK;
}

/* Receives and decrypts the sums of all live groups for the columns shown. */
static tally_status hear_sums(other *o, tally_error *error)
{
    const party_aggregate *a = o->a;
    const psi_ahe_plan *p = &a->plan;
    size_t groups = party_aggregate_groups(a);
    o->units = psi_ahe_sum_units(p, o->show);
    o->shown = party_aggregate_shown(a, o->show);
    psi_free(o->sums);
    psi_secret_free(o->plain);
    o->sums = psi_calloc(groups * o->units, p->sum_bytes);
    o->plain = psi_secret_calloc(groups * o->shown, sizeof *o->plain);
    if (!o->sums || !o->plain)
        return party_no_memory(error, "the sums");
    tally_status st = party_exchange(o->run, NULL, WIRE_AGG_SUMS, take_sums, o, error);
    for (size_t g = 0; !st && g < groups; g++) {
        const char *why = "";
        st = psi_ahe_decrypt(o->values, o->show, o->sums + g * o->units * p->sum_bytes,
                             o->plain + g * o->shown, &why);
        if (st == TALLY_ERR_MALFORMED)
            party_fail(error, st, "the peer's sums are refused: %s", party_word(why));
        else if (st)
            party_fail(error, st, "decrypting the sums failed");
    }
    return st;
}

static tally_status make_figures(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const other *o = user;
    (void)error;
    memcpy(payload, o->plain + first, n * PSI_AHE_PLAIN);
    return TALLY_OK;
}

static tally_status send_figures(other *o, uint8_t type, tally_error *error)
{
    party_source figures = {type, PSI_AHE_PLAIN, party_aggregate_groups(o->a) * o->shown, make_figures};
    return party_exchange(o->run, &figures, 0, NULL, o, error);
}

/* The figures that are open here. */
static void read_figures(const other *o)
{
    const party_aggregate *a = o->a;
    size_t at = 0;
    for (size_t g = 0; g < a->groups; g++)
        for (size_t c = 0; party_aggregate_live(a, g) && c < a->columns; c++) {
            if (o->show[c] == PSI_AHE_OPEN) {
                a->known[c] = 1;
                a->figures[g * a->columns + c] = psi_ahe_open(o->plain[at]);
            }
            at += o->show[c] != PSI_AHE_HIDDEN;
        }
}

/* This side's own noise on what the computing side is to learn; where both learn, this side has the same
 * result. */
static tally_status add_noise(other *o, tally_error *error)
{
    const party_aggregate *a = o->a;
    psi_wide *noise = psi_secret_calloc(a->columns, sizeof *noise);
    psi_prg prg;
    size_t at = 0;
    if (!noise)
        return party_no_memory(error, "the noise");
    tally_status st = psi_prg_init(&prg);
    if (st)
        party_fail(error, st, "the random generator of the system failed");
    for (size_t g = 0; !st && g < a->groups; g++) {
        party_aggregate_noise(a, &prg, noise);
        for (size_t c = 0; !st && c < a->columns; c++, at++) {
            if (o->show[c] == PSI_AHE_OPEN)
                psi_ahe_set_open(o->plain[at], psi_ahe_open(o->plain[at]) + noise[c]);
            else
                psi_ahe_plain_add(&a->plan, c, o->plain[at], noise[c]);
        }
    }
    psi_prg_wipe(&prg);
    psi_secret_free(noise);
    return st;
}

/* ---- Small bands ---- */

static tally_status take_count(void *user, size_t first, size_t n, const party_frame *frame,
                               tally_error *error)
{
    other *o = user;
    party_aggregate *a = o->a;
    psi_wide total = 0;
    (void)first, (void)n;
    if (frame->length != 8 * a->groups)
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer's counts have %u bytes, not %zu",
                          frame->length, 8 * a->groups);
    for (size_t g = 0; g < a->groups; g++) {
        uint64_t v = 0;
        for (size_t b = 0; b < 8; b++)
            v = v << 8 | frame->payload[8 * g + b];
        a->count[g] = (int64_t)v;
        total += a->count[g];
    }
    if (a->epsilon_micro)
        return TALLY_OK;
    for (size_t g = 0; g < a->groups; g++)
        if (a->count[g] < 0 || total > (psi_wide)o->run->own || total > (psi_wide)o->run->peer)
            return party_fail(error, TALLY_ERR_MALFORMED,
                              "the peer counts more matches than the lists have identifiers");
    return a->minimum && total < (psi_wide)a->minimum ? party_below_minimum(a, error) : TALLY_OK;
}

static tally_status take_merged(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    other *o = user;
    (void)first, (void)n;
    return party_merged_take(o->a, frame, error);
}

/* Every group whose sums come must be large enough: this side does not rely on the other's merging. */
static tally_status judge_groups(const party_aggregate *a, tally_error *error)
{
    for (size_t g = 0; g < a->groups; g++)
        if (party_aggregate_live(a, g) ? a->count[g] < (psi_wide)a->minimum : a->count[g] != 0)
            return party_below_minimum(a, error);
    return TALLY_OK;
}

/* The same of the own bands, where both sides learn and the other side has merged. */
static tally_status judge_bands(const party_aggregate *a, tally_error *error)
{
    psi_wide left = a->count[0];
    int merged = 0;
    for (size_t i = 0; i < a->form.cells[0]; i++) {
        psi_wide size = a->figures[psi_agg_cell_column(&a->form, 0, i, a->form.values)];
        merged |= a->merged[i];
        if (a->merged[i])
            continue;
        if (size < (psi_wide)a->minimum)
            return party_below_minimum(a, error);
        left -= size;
    }
    return (merged ? left < (psi_wide)a->minimum : left != 0) ? party_below_minimum(a, error) : TALLY_OK;
}

/* The bands of the owner, whose values are at risk: it sees their sizes first and keeps back the small ones.
 */
static tally_status merge_bands(other *o, tally_error *error)
{
    party_aggregate *a = o->a;
    uint64_t count[PSI_AGG_CELLS_MAX];
    uint8_t bitmap[(PSI_AGG_CELLS_MAX + 7) / 8];
    tally_status st = party_aggregate_check(a, error);
    if (st)
        return st;
    for (size_t i = 0; i < a->form.cells[0]; i++)
        count[i] = (uint64_t)a->figures[psi_agg_cell_column(&a->form, 0, i, a->form.values)];
    psi_agg_merge(count, a->form.cells[0], a->minimum, a->merged);
    for (size_t c = 0; c < a->columns; c++) {
        psi_agg_column what = psi_agg_what(&a->form, c);
        int of_cell = what.kind == PSI_AGG_CELL || what.kind == PSI_AGG_CELL_VALUE;
        if (of_cell && a->merged[what.cell])
            memset(o->plain[c], 0, PSI_AHE_PLAIN);
    }
    party_merged_put(a, bitmap);
    return party_send_whole(o->run, WIRE_AGG_MERGED, bitmap, party_merged_bytes(a), error);
}

/* ---- The result ---- */

static tally_status hear_count(other *o, tally_error *error)
{
    return o->a->parts & PARTY_PART_COUNT ? party_exchange(o->run, NULL, WIRE_AGG_COUNT, take_count, o, error)
                                          : TALLY_OK;
}

/* The sizes of the own bands go back masked; the computing side judges them. */
static tally_status return_sizes(other *o, tally_error *error)
{
    if (!(o->a->parts & PARTY_PART_FIRST))
        return TALLY_OK;
    party_aggregate_show(o->a, 1, o->show);
    tally_status st = hear_sums(o, error);
    return st ? st : send_figures(o, WIRE_AGG_SIZES, error);
}

static tally_status hear_result(other *o, tally_error *error)
{
    party_aggregate *a = o->a;
    tally_status st = return_sizes(o, error);
    if (!st)
        st = hear_count(o, error);
    if (!st && (a->parts & PARTY_PART_MERGES))
        st = party_exchange(o->run, NULL, WIRE_AGG_MERGED, take_merged, o, error);
    if (!st && (a->parts & PARTY_PART_MERGES) && a->groups > 1)
        st = judge_groups(a, error);
    if (st)
        return st;
    party_aggregate_show(a, 0, o->show);
    party_state_sums(&o->run->state, party_aggregate_groups(a) * psi_ahe_sum_units(&a->plan, o->show), 0);
    st = hear_sums(o, error);
    if (st)
        return st;
    if (a->epsilon_micro && a->computing_learns)
        st = add_noise(o, error);
    if (st)
        return st;
    read_figures(o);
    if (a->other_learns)
        st = party_aggregate_check(a, error);
    if (!st && (a->parts & PARTY_PART_FIRST) && a->computing_learns)
        st = judge_bands(a, error);
    if (!st && (a->parts & PARTY_PART_MERGED))
        st = merge_bands(o, error);
    return st || !a->computing_learns ? st : send_figures(o, WIRE_AGG_FIGURES, error);
}

static tally_status serve(other *o, tally_error *error)
{
    tally_status st = prepare(o, error);
    if (!st)
        st = answer(o, error);
    if (st || !o->a->sum)
        return st ? st : hear_count(o, error);
    st = send_values(o, error);
    return st ? st : hear_result(o, error);
}

tally_status party_other(party_run *run, party_aggregate *a, tally_error *error)
{
    other *o = psi_secret_calloc(1, sizeof *o);
    if (!o)
        return party_no_memory(error, "the other side");
    o->run = run;
    o->a = a;
    tally_status st = serve(o, error);
    psi_secret_free(o->plain);
    psi_free(o->sums);
    psi_ahe_key_free(o->values);
    psi_free(o->tags);
    psi_secret_free(o->order);
    psi_secret_free(o->items);
    psi_secret_free(o);
    return st;
}
