/* SPDX-License-Identifier: Apache-2.0 */
/* The computing side of a count or a sum: it finds how many match and adds up what the other side has
 * encrypted, without learning which of its own items are among them (docs/protocol-count.md,
 * docs/protocol-sum.md). */
#include "party/aggregate.h"
#include "party/error.h"
#include "party/masking.h"
#include "psi/join.h"
#include "psi/laplace.h"
#include "psi/mem.h"
#include "psi/shuffle.h"
#include "psi/tagsize.h"

#include <string.h>

typedef struct computing {
    party_run *run;
    party_aggregate *a;
    psi_item *items;                /* secret: own, then dummies, batch after batch */
    uint32_t *order;                /* secret: place in what is sent -> item; batch after batch */
    size_t end[PSI_AHE_GROUPS_MAX]; /* of each batch in what is sent */
    psi_scalar key;
    size_t width;
    uint8_t *tags;      /* of what was sent; in each batch in an order that says nothing */
    uint8_t *peer_tags; /* of one frame */
    psi_join *join;
    uint32_t *met; /* of the other side's entries: a tag of ours + 1, or 0; grows as they come */
    size_t met_room;
    uint8_t *group; /* secret, of the other side's entries: group + 1, or 0 */
    psi_ahe_adder *adder;
    psi_wide *noise;   /* of all groups and columns; NULL: none is added here */
    const uint8_t *in; /* units in work */
    struct refusal {
        const char *why;
        size_t unit;
    } * refusals; /* of each task */
    uint8_t show[PSI_AHE_COLUMNS_MAX];
    uint8_t *sums; /* as sent */
    uint8_t (*plain)[PSI_AHE_PLAIN];
} computing;

/* ---- How many match ---- */

/* The items of each batch together, shuffled within it. */
static tally_status order_batches(computing *c, tally_error *error)
{
    const party_aggregate *a = c->a;
    size_t own = c->run->own, each = 2 * (size_t)a->dummies, largest = 0, at[PSI_AHE_GROUPS_MAX];
    for (size_t g = 0, sum = 0; g < a->groups; g++) {
        at[g] = sum;
        sum += (size_t)a->batch[g] + each;
        c->end[g] = sum;
        largest = a->batch[g] + each > largest ? (size_t)a->batch[g] + each : largest;
    }
    uint32_t *listed = psi_secret_calloc(a->masked, sizeof *listed);
    uint32_t *shuffled = psi_secret_calloc(largest, sizeof *shuffled);
    c->order = psi_secret_calloc(a->masked, sizeof *c->order);
    tally_status st =
        listed && shuffled && c->order ? TALLY_OK : party_no_memory(error, "the order of the items");
    for (size_t i = 0; !st && i < a->masked; i++) {
        size_t g = a->groups == 1 ? 0 : i < own ? (size_t)a->numbers[i] : (i - own) / each;
        listed[at[g]++] = (uint32_t)i;
    }
    for (size_t g = 0, from = 0; !st && g < a->groups; from = c->end[g++]) {
        size_t n = c->end[g] - from;
        st = psi_shuffle(shuffled, n);
        if (st)
            party_fail(error, st, "the random generator of the system failed");
        for (size_t i = 0; !st && i < n; i++)
            c->order[from + i] = listed[from + shuffled[i]];
    }
    psi_secret_free(shuffled);
    psi_secret_free(listed);
    return st;
}

static tally_status prepare(computing *c, tally_error *error)
{
    const party_aggregate *a = c->a;
    uint32_t pool[PSI_AHE_GROUPS_MAX];
    for (size_t g = 0; g < a->groups; g++)
        pool[g] = 2 * a->dummies;
    c->width = psi_tag_bytes(a->masked, a->others);
    tally_status st = party_dummies_add(&c->items, c->run, a, pool, error);
    if (!st)
        st = order_batches(c, error);
    if (!st)
        st = party_masking_key(&c->key, error);
    if (st)
        return st;
    c->tags = psi_calloc(a->masked, c->width);
    c->peer_tags = psi_calloc(WIRE_BULK_MAX / 32, c->width);
    return c->tags && c->peer_tags ? TALLY_OK : party_no_memory(error, "the tags of the items");
}

static tally_status make_masked(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    computing *c = user;
    return party_mask(c->run, c->items, c->order + first, n, &c->key, payload, error);
}

static tally_status take_tags(void *user, size_t first, size_t n, const party_frame *frame,
                              tally_error *error)
{
    computing *c = user;
    (void)error;
    memcpy(c->tags + first * c->width, frame->payload, n * c->width);
    return TALLY_OK;
}

static void meet(void *user, size_t own, size_t peer)
{
    computing *c = user;
    c->met[peer] = (uint32_t)own + 1;
}

static tally_status take_other(void *user, size_t first, size_t n, const party_frame *frame,
                               tally_error *error)
{
    computing *c = user;
    tally_status st = party_tag(c->run, frame->payload, first, n, &c->key, c->width, c->peer_tags, error);
    if (st)
        return st;
    void *met = c->met;
    int room = party_grow(&met, &c->met_room, first + n, sizeof *c->met);
    c->met = met;
    if (!room)
        return party_no_memory(error, "the matches");
    psi_join_probe(c->join, c->peer_tags, n, first, meet, c);
    party_advance(c->run, n);
    return TALLY_OK;
}

/* The group of each entry of the other side, and how many are in each. */
static tally_status count_groups(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    uint8_t *seen = psi_calloc(a->masked / 8 + 1, 1);
    c->group = psi_secret_calloc(a->others, 1); /* all of them have come */
    tally_status st = seen && c->group ? TALLY_OK : party_no_memory(error, "the count");
    for (size_t j = 0; !st && j < a->others; j++) {
        size_t tag = c->met[j] - 1, g = 0;
        if (!c->met[j])
            continue;
        if (party_get_bit(seen, tag))
            st = party_fail(error, TALLY_ERR_MALFORMED,
                            "the peer's masked items repeat each other: they are not distinct identifiers");
        party_set_bit(seen, tag);
        while (tag >= c->end[g])
            g++;
        c->group[j] = (uint8_t)(g + 1);
        a->count[g]++;
    }
    /* With noise the other side has put tau and a little more or less of the dummies of each batch on its
     * list. */
    for (size_t g = 0; g < a->groups; g++)
        a->count[g] -= a->dummies;
    psi_free(seen);
    return st;
}

static tally_status match(computing *c, tally_error *error)
{
    const party_aggregate *a = c->a;
    party_source masked = {WIRE_AGG_MASKED, 32, a->masked, make_masked};
    /* a*H(x) out, batch after batch; tags of b*(a*H(x)) back, each batch in the order of its tags. */
    tally_status st = party_exchange(c->run, &masked, WIRE_AGG_TAGS, take_tags, c, error);
    if (st)
        return st;
    st = psi_join_new(&c->join, c->tags, a->masked, c->width);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(error, st,
                          "the peer's answers repeat each other: they are no tags of distinct identifiers");
    if (st)
        return party_no_memory(error, "the table of tags");
    /* b*H(y) in: which of them have a tag of ours is known, and not to which of our items it belongs. */
    st = party_exchange(c->run, NULL, WIRE_AGG_OTHER, take_other, c, error);
    psi_join_free(c->join);
    c->join = NULL;
    return st ? st : count_groups(c, error);
}

/* ---- Adding up ---- */

static tally_status take_key(void *user, size_t first, size_t n, const party_frame *frame, tally_error *error)
{
    computing *c = user;
    const char *why = "";
    (void)first, (void)n;
    if (frame->length != c->a->plan.key_bytes)
        return party_fail(error, TALLY_ERR_MALFORMED, "the key of the values has %u bytes, not %zu",
                          frame->length, c->a->plan.key_bytes);
    c->refusals = psi_calloc(c->a->plan.tasks, sizeof *c->refusals);
    if (!c->refusals)
        return party_no_memory(error, "adding up");
    tally_status st = psi_ahe_adder_new(&c->adder, &c->a->plan, &c->run->sid, frame->payload, &why);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(error, st, "the peer's key of the values is refused: %s", party_word(why));
    return st == TALLY_ERR_NO_MEMORY ? party_no_memory(error, "adding up")
           : st                      ? party_fail(error, st, "the key of the values could not be taken")
                                     : TALLY_OK;
}

static tally_status add_task(void *user, unsigned worker, size_t begin, size_t end)
{
    computing *c = user;
    tally_status st = TALLY_OK;
    (void)worker;
    for (size_t t = begin; !st && t < end; t++)
        st = psi_ahe_add_task(c->adder, t, c->in, &c->refusals[t].unit, &c->refusals[t].why);
    return st;
}

static tally_status take_values(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    computing *c = user;
    size_t tasks = c->a->plan.tasks;
    c->in = frame->payload;
    tally_status st = psi_ahe_add_prepare(c->adder, first, n, c->group);
    if (!st)
        st = party_pool_run(c->run->pool, tasks, 1, add_task, c);
    for (size_t t = 0; st == TALLY_ERR_MALFORMED && t < tasks; t++)
        if (c->refusals[t].why)
            return party_fail(error, st, "the peer's encrypted values are refused: %s (unit %zu)",
                              party_word(c->refusals[t].why), c->refusals[t].unit);
    return st ? party_fail(error, st, "adding up a batch of values failed") : TALLY_OK;
}

/* This side's noise on what the other side is to learn. A noisy count is the result of this side too. */
static tally_status draw_noise(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    psi_prg prg;
    if (!a->epsilon_micro || !a->other_learns)
        return TALLY_OK;
    c->noise = psi_secret_calloc(a->groups * a->columns + 1, sizeof *c->noise);
    if (!c->noise)
        return party_no_memory(error, "the noise");
    tally_status st = psi_prg_init(&prg);
    if (st)
        return party_fail(error, st, "the random generator of the system failed");
    if (a->sum) {
        for (size_t g = 0; g < a->groups; g++)
            party_aggregate_noise(a, &prg, c->noise + g * a->columns);
    } else {
        psi_uwide scale = psi_laplace_scale(1, 1, a->epsilon_micro / 2);
        psi_laplace(c->noise, &prg, scale, (psi_wide)(28 * scale));
        a->count[0] += *c->noise;
    }
    psi_prg_wipe(&prg);
    return TALLY_OK;
}

/*
 * Refuses when fewer match than agreed. Whatever the count is, everything of the other side has come by now,
 * so that the time of a refusal says nothing. With noise it is the noisy number that is judged: the other
 * side knows how many dummies it has put on its list, so that a judgement of the rest alone would tell it
 * about the exact count.
 */
static tally_status judge(const computing *c, tally_error *error)
{
    const party_aggregate *a = c->a;
    psi_wide total = 0;
    for (size_t g = 0; g < a->groups; g++)
        total += a->count[g] + (a->sum && c->noise ? c->noise[g * a->columns] : 0); /* column 0: the count */
    return a->minimum && total < (psi_wide)a->minimum ? party_below_minimum(a, error) : TALLY_OK;
}

static tally_status make_sums(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const computing *c = user;
    (void)error;
    memcpy(payload, c->sums + first * c->a->plan.sum_bytes, n * c->a->plan.sum_bytes);
    return TALLY_OK;
}

/* The sums of all groups to the owner, as c->show says. */
static tally_status send_sums(computing *c, const psi_wide *noise, tally_error *error)
{
    const party_aggregate *a = c->a;
    const psi_ahe_plan *p = &a->plan;
    size_t units = psi_ahe_sum_units(p, c->show), sent = 0;
    psi_free(c->sums);
    c->sums = psi_calloc(party_aggregate_groups(a) * units, p->sum_bytes);
    if (!c->sums)
        return party_no_memory(error, "the sums");
    for (size_t g = 0; g < a->groups; g++) {
        if (!party_aggregate_live(a, g))
            continue;
        tally_status st = psi_ahe_finish(c->adder, g, c->show, noise ? noise + g * a->columns : NULL,
                                         c->sums + sent * p->sum_bytes);
        if (st)
            return party_fail(error, st, "finishing the sums failed");
        sent += units;
    }
    party_source sums = {WIRE_AGG_SUMS, p->sum_bytes, sent, make_sums};
    return party_exchange(c->run, &sums, 0, NULL, c, error);
}

static tally_status take_figures(void *user, size_t first, size_t n, const party_frame *frame,
                                 tally_error *error)
{
    computing *c = user;
    (void)error;
    memcpy(c->plain + first, frame->payload, n * PSI_AHE_PLAIN);
    return TALLY_OK;
}

/* The figures that the owner returns for the columns shown, of every live group, into a->figures. */
static tally_status hear_figures(computing *c, uint8_t type, tally_error *error)
{
    party_aggregate *a = c->a;
    size_t at = 0, n = party_aggregate_groups(a) * party_aggregate_shown(a, c->show);
    psi_secret_free(c->plain);
    c->plain = psi_secret_calloc(n, sizeof *c->plain);
    if (!c->plain)
        return party_no_memory(error, "the figures");
    tally_status st = party_exchange(c->run, NULL, type, take_figures, c, error);
    for (size_t g = 0; !st && g < a->groups; g++)
        for (size_t i = 0; !st && party_aggregate_live(a, g) && i < a->columns; i++) {
            psi_agg_column what = psi_agg_what(&a->form, i);
            int merged = (a->parts & PARTY_PART_MERGED) && a->merged[what.cell] &&
                         (what.kind == PSI_AGG_CELL || what.kind == PSI_AGG_CELL_VALUE);
            psi_wide *to = &a->figures[g * a->columns + i];
            if (c->show[i] == PSI_AHE_HIDDEN)
                continue;
            const uint8_t *from = c->plain[at++];
            a->known[i] = (uint8_t)!merged;
            if (merged)
                continue;
            st = c->show[i] == PSI_AHE_OPEN ? psi_ahe_open_checked(&a->plan, i, from, to)
                                            : psi_ahe_unmask(c->adder, g, i, from, to);
            if (st)
                party_fail(error, st, "a decrypted value is outside its bound: figure %zu of the peer",
                           at - 1);
        }
    return st;
}

/* ---- Small bands ---- */

/* The owner's bands: their sizes come back masked, so that this side, whose list is at risk, sees them first.
 */
static tally_status merge_bands(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    uint64_t count[PSI_AGG_CELLS_MAX];
    party_aggregate_show(a, 1, c->show);
    tally_status st = send_sums(c, NULL, error);
    if (!st)
        st = hear_figures(c, WIRE_AGG_SIZES, error);
    if (!st)
        st = party_aggregate_check(a, error);
    for (size_t i = 0; !st && i < a->form.cells[0]; i++)
        count[i] = (uint64_t)a->figures[psi_agg_cell_column(&a->form, 0, i, a->form.values)];
    if (st)
        return st;
    psi_agg_merge(count, a->form.cells[0], a->minimum, a->merged);
    memset(a->known, 0, a->columns);
    return TALLY_OK;
}

/* The own bands: the sums of small ones are added before anything leaves. */
static tally_status merge_groups(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    uint64_t count[PSI_AHE_GROUPS_MAX];
    size_t to = a->groups;
    for (size_t g = 0; g < a->groups; g++)
        count[g] = (uint64_t)a->count[g];
    psi_agg_merge(count, a->groups, a->minimum, a->merged);
    for (size_t g = 0; g < a->groups; g++) {
        if (!a->merged[g])
            continue;
        if (to == a->groups) {
            to = g;
            continue;
        }
        tally_status st = psi_ahe_merge(c->adder, to, g);
        if (st)
            return party_fail(error, st, "merging small bands failed");
        a->count[to] += a->count[g];
        a->count[g] = 0;
    }
    return TALLY_OK;
}

/* ---- Answers ---- */

static tally_status send_counts(computing *c, tally_error *error)
{
    const party_aggregate *a = c->a;
    uint8_t counts[8 * PSI_AHE_GROUPS_MAX];
    for (size_t g = 0; g < a->groups; g++)
        for (size_t b = 0; b < 8; b++)
            counts[8 * g + b] = (uint8_t)((uint64_t)a->count[g] >> (56 - 8 * b));
    return party_send_whole(c->run, WIRE_AGG_COUNT, counts, 8 * a->groups, error);
}

static tally_status send_merged(computing *c, tally_error *error)
{
    uint8_t bitmap[(PSI_AGG_CELLS_MAX + 7) / 8];
    party_merged_put(c->a, bitmap);
    return party_send_whole(c->run, WIRE_AGG_MERGED, bitmap, party_merged_bytes(c->a), error);
}

static tally_status take_merged(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    computing *c = user;
    (void)first, (void)n;
    return party_merged_take(c->a, frame, error);
}

static tally_status answer_sum(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    tally_status st = TALLY_OK;
    if (a->parts & PARTY_PART_FIRST)
        st = merge_bands(c, error);
    else if (a->parts & PARTY_PART_MERGES)
        st = merge_groups(c, error);
    if (!st && (a->parts & PARTY_PART_COUNT))
        st = send_counts(c, error);
    if (!st && (a->parts & PARTY_PART_MERGES))
        st = send_merged(c, error);
    if (!st) {
        party_aggregate_show(a, 0, c->show);
        st = send_sums(c, c->noise, error);
    }
    if (!st && (a->parts & PARTY_PART_MERGED))
        st = party_exchange(c->run, NULL, WIRE_AGG_MERGED, take_merged, c, error);
    if (st || !a->computing_learns)
        return st;
    party_state_sums(&c->run->state, 0, party_aggregate_groups(a) * party_aggregate_shown(a, c->show));
    st = hear_figures(c, WIRE_AGG_FIGURES, error);
    return st ? st : party_aggregate_check(a, error);
}

static tally_status compute(computing *c, tally_error *error)
{
    party_aggregate *a = c->a;
    tally_status st = prepare(c, error);
    if (!st)
        st = match(c, error);
    if (!st && a->sum)
        st = party_exchange(c->run, NULL, WIRE_AGG_KEY, take_key, c, error);
    if (!st && a->sum)
        st = party_exchange(c->run, NULL, WIRE_AGG_VALUES, take_values, c, error);
    if (!st)
        st = draw_noise(c, error);
    if (!st)
        st = judge(c, error);
    if (st)
        return st;
    if (a->sum)
        return answer_sum(c, error);
    return a->other_learns ? send_counts(c, error) : TALLY_OK;
}

tally_status party_computing(party_run *run, party_aggregate *a, tally_error *error)
{
    computing *c = psi_secret_calloc(1, sizeof *c);
    if (!c)
        return party_no_memory(error, "the computing side");
    c->run = run;
    c->a = a;
    tally_status st = compute(c, error);
    psi_secret_free(c->plain);
    psi_free(c->sums);
    psi_secret_free(c->noise);
    psi_ahe_adder_free(c->adder);
    psi_free(c->refusals);
    psi_secret_free(c->group);
    psi_free(c->met);
    psi_join_free(c->join);
    psi_free(c->peer_tags);
    psi_free(c->tags);
    psi_secret_free(c->order);
    psi_secret_free(c->items);
    psi_secret_free(c);
    return st;
}
