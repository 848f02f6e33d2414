/* SPDX-License-Identifier: Apache-2.0 */
#include "party/aggregate.h"

#include "party/error.h"
#include "psi/ct.h"
#include "psi/laplace.h"
#include "psi/mem.h"
#include "psi/tagsize.h"
#include "psi/verify.h"

#include <string.h>

/* ---- Who does what ---- */

int party_aggregate_receiver_computes(const char *function, const char *reveal, uint64_t minimum,
                                      int receiver_has_values)
{
    if (strcmp(function, "sum") == 0)
        return !receiver_has_values;
    /* A count: who learns it computes it; with a minimum the party at risk does, which is the other one. */
    int sender_learns = strcmp(reveal, "sender") == 0;
    return minimum ? sender_learns : !sender_learns;
}

uint64_t party_aggregate_padding(const char *function, int other_learns, uint64_t epsilon_micro)
{
    return strcmp(function, "count") == 0 && !other_learns ? epsilon_micro : epsilon_micro / 2;
}

static void set_form(psi_aggregate *form, const wire_terms *owner, int noise, int minimum)
{
    *form = (psi_aggregate){.values = owner->value_count, .banded = owner->band_count, .ones = noise};
    form->outside = minimum && !noise;
    for (size_t v = 0; v < form->values; v++) {
        form->value[v].min = owner->values[v].min;
        form->value[v].max = owner->values[v].max;
    }
    for (size_t k = 0; k < form->banded; k++)
        form->cells[k] = owner->bands[k].count;
}

static unsigned parts_of(const party_aggregate *a)
{
    unsigned parts = 0;
    int exact = a->epsilon_micro == 0, judged = a->sum && a->minimum && exact;
    int banded = judged && a->form.banded;
    if (a->sum)
        parts |= PARTY_PART_SUM;
    if (a->sum && a->computing_learns)
        parts |= PARTY_PART_FIGURES;
    if (a->sum ? exact && (a->other_learns || a->minimum) : a->other_learns)
        parts |= PARTY_PART_COUNT;
    if (banded && a->other_learns)
        parts |= PARTY_PART_FIRST | PARTY_PART_MERGES;
    if (banded && !a->other_learns)
        parts |= PARTY_PART_MERGED;
    if (judged && a->groups > 1)
        parts |= PARTY_PART_MERGES;
    return parts;
}

void party_aggregate_agree(party_aggregate *a, const wire_terms *mine, const wire_terms *theirs)
{
    int receiver = strcmp(mine->role, "receiver") == 0;
    const wire_terms *r = receiver ? mine : theirs;
    int receiver_computes = party_aggregate_receiver_computes(mine->function, mine->reveal, mine->min_overlap,
                                                              r->value_count > 0);
    int receiver_learns = strcmp(mine->reveal, "sender") != 0;
    int sender_learns = strcmp(mine->reveal, "receiver") != 0;
    *a = (party_aggregate){.sum = strcmp(mine->function, "sum") == 0,
                           .computing = receiver == receiver_computes,
                           .minimum = mine->min_overlap,
                           .epsilon_micro = mine->epsilon_micro,
                           .dummies = mine->dummies,
                           .groups = 1};
    a->computing_learns = receiver_computes ? receiver_learns : sender_learns;
    a->other_learns = receiver_computes ? sender_learns : receiver_learns;
    if (!a->sum)
        a->computing_learns = 1;
    a->adder = a->computing ? mine : theirs;
    a->owner = a->computing ? theirs : mine;
    if (a->sum) {
        set_form(&a->form, a->owner, a->epsilon_micro != 0, a->minimum != 0);
        a->columns = psi_agg_columns(&a->form);
        if (a->adder->band_count)
            a->groups = a->adder->bands[0].count;
    }
    a->parts = parts_of(a);
}

/* ---- Sizes ---- */

void party_aggregate_batches(const int64_t *numbers, size_t items, uint64_t batch[PSI_AHE_GROUPS_MAX])
{
    memset(batch, 0, PSI_AHE_GROUPS_MAX * sizeof *batch);
    for (size_t i = 0; i < items; i++) {
        PSI_CHECK(numbers[i] >= 0 && numbers[i] < PSI_AHE_GROUPS_MAX);
        batch[numbers[i]]++;
    }
}

psi_uwide party_aggregate_scale(const party_aggregate *a, size_t c)
{
    return psi_laplace_scale(psi_agg_sensitivity(&a->form, c), psi_agg_parts(&a->form), a->epsilon_micro / 2);
}

/* Noise beyond this is drawn again: 2^-40 of all. */
static psi_wide noise_bound(psi_uwide scale)
{
    return (psi_wide)(28 * scale);
}

static tally_status plan_sum(party_aggregate *a, tally_error *error)
{
    psi_ahe_plan *p = &a->plan;
    const char *asked = strcmp(a->owner->scheme, "auto") != 0 ? a->owner->scheme : a->adder->scheme,
               *why = "";
    int adders = a->other_learns + a->computing_learns;
    *p = (psi_ahe_plan){.columns = a->columns, .groups = a->groups, .rows = a->others};
    p->selected = a->masked < a->others ? a->masked : a->others;
    for (size_t c = 0; c < a->columns && c < PSI_AHE_COLUMNS_MAX; c++) {
        psi_agg_range(&a->form, c, &p->column[c].min, &p->column[c].max);
        if (a->epsilon_micro)
            p->column[c].noise = adders * noise_bound(party_aggregate_scale(a, c));
    }
    for (size_t g = 0; g < a->groups; g++)
        p->group_max[g] = a->batch[g] + 2 * a->dummies;
    int tries_both = strcmp(asked, "auto") == 0;
    p->scheme = strcmp(asked, "paillier") == 0 ? PSI_AHE_PAILLIER : PSI_AHE_RLWE;
    tally_status st = psi_ahe_plan_init(p, &why);
    if (st == TALLY_ERR_USAGE && tries_both) {
        const char *also = "";
        p->scheme = PSI_AHE_PAILLIER;
        st = psi_ahe_plan_init(p, &also);
    }
    if (!st)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_INCOMPATIBLE, "the figures asked for do not fit the scheme: %s",
               party_word(why));
    party_hint(error, "agree on fewer values or bands, a narrower range, or another --scheme");
    return TALLY_ERR_INCOMPATIBLE;
}

tally_status party_aggregate_size(party_aggregate *a, uint64_t own, uint64_t peer, const uint64_t *batch,
                                  size_t batches, tally_error *error)
{
    uint64_t computing = a->computing ? own : peer, other = a->computing ? peer : own;
    size_t wanted = a->groups > 1 ? a->groups : 0;
    if (batches != wanted)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer says sizes of %zu batches where the terms have %zu", batches, wanted);
    for (size_t g = 0; g < a->groups; g++)
        a->batch[g] = a->groups > 1 ? batch[g] : computing;
    a->masked = (size_t)computing + 2 * a->dummies * a->groups;
    a->others = (size_t)other + 2 * a->dummies * a->groups;
    if (!a->sum)
        return TALLY_OK;
    a->figures = psi_secret_calloc(a->groups * a->columns, sizeof *a->figures);
    a->known = psi_calloc(a->columns, 1);
    return a->figures && a->known ? plan_sum(a, error) : party_no_memory(error, "the figures");
}

void party_aggregate_state(const party_aggregate *a, party_state *state, size_t tag_width)
{
    uint8_t show[PSI_AHE_COLUMNS_MAX];
    struct party_agg_sizes sizes = {.masked = a->masked, .other = a->others};
    if (a->sum) {
        sizes.values = a->plan.units;
        sizes.value_bytes = a->plan.unit_bytes;
        sizes.sum_bytes = a->plan.sum_bytes;
        /* Which bands are merged is not known yet, nor are the numbers that follow from it. */
        sizes.sums = sizes.figures = UINT64_MAX;
    }
    if (a->parts & PARTY_PART_FIRST) {
        party_aggregate_show(a, 1, show);
        sizes.first_sums = psi_ahe_sum_units(&a->plan, show);
        sizes.first_figures = party_aggregate_shown(a, show);
    }
    const wire_terms *mine = a->computing ? a->adder : a->owner;
    unsigned end = strcmp(mine->role, "sender") == 0 ? PARTY_PART_SENDER : 0;
    party_state_aggregate(state, a->computing, a->parts | end, tag_width, &sizes);
}

void party_aggregate_free(party_aggregate *a)
{
    psi_secret_free(a->figures);
    psi_free(a->known);
    psi_wipe(a->count, sizeof a->count);
    *a = (party_aggregate){.sum = 0};
}

/* ---- Shared by the spines ---- */

/* Dummy i of batch g into out: SHA-256(tag DUMMY, sid, g (1 byte), i (4 bytes big-endian)). */
static tally_status pool_item(psi_hash *h, const psi_sid *sid, size_t g, size_t i, uint8_t out[32])
{
    uint8_t number[5] = {(uint8_t)g, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    tally_status st = psi_hash_start(h, PSI_TAG_DUMMY);
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_add(h, number, sizeof number);
    return st ? st : psi_hash_end(h, out);
}

tally_status party_dummies_add(psi_item **items, const party_run *run, const party_aggregate *a,
                               const uint32_t *pool, tally_error *error)
{
    size_t n = run->own, each = 2 * (size_t)a->dummies, total = n + a->groups * each;
    psi_item *list = psi_secret_calloc(total, sizeof *list);
    psi_hash *h = psi_hash_new();
    psi_prg prg;
    tally_status st = list && h ? TALLY_OK : party_no_memory(error, "the list with its dummies");
    if (!st && (st = psi_prg_init(&prg)))
        party_fail(error, st, "the random generator of the system failed");
    if (!st && n)
        memcpy(list, run->items, n * sizeof *list);
    for (size_t k = n; !st && k < total; k++) {
        size_t g = (k - n) / each, i = (k - n) % each;
        uint8_t dummy[32];
        /* Both are made, so that time does not tell how many of the pool are taken. */
        uint64_t taken = psi_ct_barrier(0 - (((uint64_t)i - pool[g]) >> 63));
        psi_prg_bytes(&prg, list[k].b, sizeof list[k].b);
        st = pool_item(h, &run->sid, g, i, dummy);
        for (size_t b = 0; b < sizeof dummy; b++)
            list[k].b[b] ^= (uint8_t)((list[k].b[b] ^ dummy[b]) & taken);
        if (st)
            party_fail(error, st, "hashing a dummy failed");
    }
    psi_prg_wipe(&prg);
    psi_hash_free(h);
    if (st)
        psi_secret_free(list);
    else
        *items = list;
    return st;
}

void party_aggregate_show(const party_aggregate *a, int first, uint8_t show[PSI_AHE_COLUMNS_MAX])
{
    for (size_t c = 0; c < a->columns; c++) {
        psi_agg_column what = psi_agg_what(&a->form, c);
        int of_cell = what.kind == PSI_AGG_CELL || what.kind == PSI_AGG_CELL_VALUE;
        int counts = what.kind == PSI_AGG_CELL;
        show[c] = a->other_learns ? PSI_AHE_OPEN : PSI_AHE_MASKED;
        if (first)
            show[c] = counts ? PSI_AHE_MASKED : PSI_AHE_HIDDEN;
        else if ((a->parts & PARTY_PART_FIRST) && of_cell && a->merged[what.cell])
            show[c] = PSI_AHE_HIDDEN;
        else if ((a->parts & PARTY_PART_MERGED) && counts)
            show[c] = PSI_AHE_OPEN; /* the owner judges the bands */
    }
}

size_t party_aggregate_shown(const party_aggregate *a, const uint8_t *show)
{
    size_t n = 0;
    for (size_t c = 0; c < a->columns; c++)
        n += show[c] != PSI_AHE_HIDDEN;
    return n;
}

size_t party_aggregate_cells(const party_aggregate *a)
{
    return a->groups > 1 ? a->groups : a->form.banded ? a->form.cells[0] : 1;
}

int party_aggregate_live(const party_aggregate *a, size_t group)
{
    if (a->groups == 1 || !a->merged[group])
        return 1;
    for (size_t g = 0; g < group; g++)
        if (a->merged[g])
            return 0;
    return 1;
}

size_t party_aggregate_groups(const party_aggregate *a)
{
    size_t n = 0;
    for (size_t g = 0; g < a->groups; g++)
        n += (size_t)party_aggregate_live(a, g);
    return n;
}

void party_aggregate_noise(const party_aggregate *a, psi_prg *prg, psi_wide *noise)
{
    for (size_t c = 0; c < a->columns; c++) {
        /* Sensitivity 2^96 times 101 parts at most, over half of epsilon 0.01: below 2^111. */
        psi_uwide scale = party_aggregate_scale(a, c);
        PSI_CHECK(scale < PSI_LAPLACE_SCALE_MAX);
        psi_laplace(&noise[c], prg, scale, noise_bound(scale));
    }
}

static const char *kind_name(enum psi_agg_kind kind)
{
    switch (kind) {
    case PSI_AGG_ONES:
        return PARTY_WORD("the count");
    case PSI_AGG_VALUE:
        return PARTY_WORD("the sum");
    case PSI_AGG_SQUARE:
        return PARTY_WORD("the sum of squares");
    case PSI_AGG_CELL:
        return PARTY_WORD("the size of a band");
    case PSI_AGG_CELL_VALUE:
        return PARTY_WORD("the sum in a band");
    }
    return PARTY_WORD("a figure");
}

tally_status party_aggregate_check(const party_aggregate *a, tally_error *error)
{
    size_t bad;
    if (a->epsilon_micro)
        return TALLY_OK;
    for (size_t g = 0; g < a->groups; g++) {
        if (!party_aggregate_live(a, g) ||
            psi_agg_plausible(&a->form, a->count[g], a->figures + g * a->columns, a->known, &bad))
            continue;
        psi_agg_column what = psi_agg_what(&a->form, bad);
        int of_value = what.kind != PSI_AGG_ONES && what.kind != PSI_AGG_CELL;
        if (of_value)
            return party_fail(
                error, TALLY_ERR_MALFORMED,
                "a decrypted value is outside its bound: %s of %s cannot be that of the rows that match",
                kind_name(what.kind), a->owner->values[what.value].name);
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "a decrypted value is outside its bound: %s cannot be that of the rows that match",
                          kind_name(what.kind));
    }
    return TALLY_OK;
}

tally_status party_below_minimum(const party_aggregate *a, tally_error *error)
{
    party_fail(error, TALLY_ERR_POLICY,
               "the overlap is below the agreed minimum of %llu identifiers: nothing was answered",
               (unsigned long long)a->minimum);
    party_hint(error, "the other side was told only that the run failed; do not tell it more");
    return TALLY_ERR_POLICY;
}

tally_status party_send_whole(party_run *run, uint8_t type, const void *bytes, size_t len, tally_error *error)
{
    uint8_t *buffer = party_link_buffer(len);
    if (!buffer)
        return party_no_memory(error, "a message");
    memcpy(buffer, bytes, len);
    return party_link_send(run->link, type, buffer, len, error);
}

size_t party_merged_bytes(const party_aggregate *a)
{
    return (party_aggregate_cells(a) + 7) / 8;
}

void party_merged_put(const party_aggregate *a, uint8_t *out)
{
    memset(out, 0, party_merged_bytes(a));
    for (size_t i = 0; i < party_aggregate_cells(a); i++)
        if (a->merged[i])
            party_set_bit(out, i);
}

tally_status party_merged_take(party_aggregate *a, const party_frame *frame, tally_error *error)
{
    size_t cells = party_aggregate_cells(a), bytes = party_merged_bytes(a);
    int beyond = 0;
    for (size_t i = cells; frame->length == bytes && i < 8 * bytes; i++)
        beyond |= party_get_bit(frame->payload, i);
    if (frame->length != bytes || beyond)
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer's list of merged bands is not of %zu bands",
                          cells);
    for (size_t i = 0; i < cells; i++)
        a->merged[i] = (uint8_t)party_get_bit(frame->payload, i);
    return TALLY_OK;
}
