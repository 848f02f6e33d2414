/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's side of a match by subspace VOLE (docs/protocol-vole.md). */
#include "party/error.h"
#include "party/hits.h"
#include "party/vole.h"
#include "psi/mem.h"
#include "psi/shuffle.h"
#include "psi/verify.h"

#include <string.h>

typedef struct sender {
    party_run *run;
    party_bins bins;
    psi_vole_shared shared;
    /* setup */
    uint8_t delta[PSI_CODE_COLUMNS_MAX];
    uint8_t choices[PSI_OT_MAX / 8];
    psi_block *strings; /* of the choices */
    uint8_t points[32];
    /* tags */
    uint32_t *place;    /* secret: entry -> place in what is sent */
    size_t entry;       /* bytes of a tag and what is sealed with it */
    uint8_t *tags;      /* in the order sent, entry bytes each */
    uint8_t **bin_tags; /* one work space for each thread, of the largest bin: tags, with columns and keys */
    size_t largest;     /* entries of the largest bin */
    /* of the group of bins in work */
    uint32_t first_bin, got;
    party_frame *frames;
} sender;

/* ---- Setup ---- */

static tally_status answer(sender *s, const psi_point *pairs, tally_error *error)
{
    const psi_vole_sizes *z = &s->bins.sizes;
    const psi_sid *sid = &s->run->sid;
    size_t ots = psi_vole_ots(z), length = psi_vole_choice_bytes(z);
    psi_point point;
    uint8_t *payload = party_link_buffer(length);
    s->strings = psi_secret_calloc(ots, sizeof *s->strings);
    if (!payload || !s->strings) {
        party_link_buffer_free(payload);
        return party_no_memory(error, "the OT extension");
    }
    tally_status st = psi_vole_draw(z, s->delta, s->choices);
    if (!st)
        st = psi_random(payload + 32, 32);
    if (!st)
        st = psi_vole_points(s->points, sid, payload + 32);
    if (!st)
        st = psi_ot_choose(s->strings, &point, payload + 64, s->choices, ots, pairs, sid);
    if (!st) {
        memcpy(payload, &point, sizeof point);
        return party_link_send(s->run->link, WIRE_VOLE_CHOICE, payload, length, error);
    }
    party_link_buffer_free(payload);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(error, st, "a point of the peer's base OTs is no valid group element");
    return party_fail(error, st, "the OT extension failed");
}

static tally_status take_open(void *user, size_t first, size_t n, const party_frame *frame,
                              tally_error *error)
{
    sender *s = user;
    (void)first, (void)n;
    if (frame->length != PSI_VOLE_OPEN)
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer's base OTs have %u bytes, not %zu",
                          frame->length, PSI_VOLE_OPEN);
    unsigned k = frame->payload[0];
    if (k != 4 && k != 6)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer asks for %u bits a column; this version knows 4 and 6", k);
    s->run->vole_k = k;
    tally_status st = party_bins_shape(&s->bins, s->run, k, error);
    if (st)
        return st;
    party_state_bins(&s->run->state, PSI_VOLE_SEED + s->bins.sizes.bin_bytes, s->bins.sizes.bins);
    return answer(s, (const psi_point *)(const void *)(frame->payload + 1), error);
}

static tally_status take_trees(void *user, size_t first, size_t n, const party_frame *frame,
                               tally_error *error)
{
    sender *s = user;
    const psi_vole_sizes *z = &s->bins.sizes;
    (void)first, (void)n;
    if (frame->length != psi_vole_trees_bytes(z))
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer's tree corrections have %u bytes, not %zu",
                          frame->length, psi_vole_trees_bytes(z));
    psi_block *keys = psi_secret_calloc((size_t)z->columns << z->k, sizeof *keys);
    if (!keys)
        return party_no_memory(error, "the trees");
    tally_status st =
        psi_vole_puncture(z, s->delta, s->strings, (const psi_ggm_level *)(const void *)frame->payload, keys);
    if (!st)
        st = psi_vole_shared_init(&s->shared, z, &s->run->sid, keys, s->delta, s->points);
    psi_secret_free(keys);
    return st ? party_fail(error, st, "the setup of the trees failed") : TALLY_OK;
}

/* ---- Bins ---- */

/* A bin's tags to their places in what is sent, each with the item's sealed columns. */
static tally_status place_tags(sender *s, uint32_t b, const uint8_t *tags)
{
    const party_run *run = s->run;
    const psi_vole_sizes *z = &s->bins.sizes;
    party_sealer *sealer =
        run->form ? party_sealer_new(run->form, run->offer, run->overlap, run->items, &run->sid) : NULL;
    tally_status st = run->form && !sealer ? TALLY_ERR_NO_MEMORY : TALLY_OK;
    for (uint32_t e = s->bins.start[b]; !st && e < s->bins.start[b + 1]; e++) {
        uint8_t *to = s->tags + s->place[e] * s->entry;
        memcpy(to, tags, z->tag_width);
        if (sealer)
            st = party_seal(sealer, s->bins.entries[e].item, tags + z->tag_width, to + z->tag_width);
        tags += z->tag_width + z->key_width;
    }
    party_sealer_free(sealer);
    return st;
}

static tally_status bin_work(void *user, unsigned worker, size_t begin, size_t end)
{
    sender *s = user;
    const uint32_t *start = s->bins.start;
    const psi_vole_sizes *z = &s->bins.sizes;
    psi_vole_work *work = party_bins_work(&s->bins, 0, worker);
    if (work && !s->bin_tags[worker])
        s->bin_tags[worker] = psi_secret_calloc(s->largest, z->tag_width + z->key_width);
    if (!work || !s->bin_tags[worker])
        return TALLY_ERR_NO_MEMORY;
    for (size_t i = begin; i < end; i++) {
        uint32_t b = s->first_bin + (uint32_t)i;
        tally_status st =
            psi_vole_send_bin(work, &s->shared, b, s->frames[i].payload, s->bins.entries + start[b],
                              start[b + 1] - start[b], s->bin_tags[worker]);
        if (!st)
            st = place_tags(s, b, s->bin_tags[worker]);
        if (st)
            return st;
    }
    return TALLY_OK;
}

static tally_status work_group(sender *s, tally_error *error)
{
    tally_status st = party_pool_run(s->run->pool, s->got, 1, bin_work, s);
    if (st)
        party_fail(error, st, "working on a bin failed");
    party_advance(s->run, s->bins.start[s->first_bin + s->got] - s->bins.start[s->first_bin]);
    for (uint32_t i = 0; i < s->got; i++)
        party_frame_free(&s->frames[i]);
    s->first_bin += s->got;
    s->got = 0;
    return st;
}

/* Is a frame there already? There is always room to send while bins come, so the wait does not block. */
static tally_status more_waiting(const sender *s, unsigned *more, tally_error *error)
{
    tally_status st = party_link_wait(s->run->link, PARTY_CAN_SEND | PARTY_CAN_RECEIVE, more, error);
    *more &= PARTY_CAN_RECEIVE;
    return st;
}

/* Works on the bins that are there, at most a group at once. */
static tally_status receive_bins(sender *s, tally_error *error)
{
    uint32_t bins = s->bins.sizes.bins;
    while (s->first_bin < bins) {
        unsigned more = 1;
        while (more && s->got < s->bins.group && s->first_bin + s->got < bins) {
            uint64_t first, units;
            tally_status st = party_receive(s->run, &s->frames[s->got], &first, &units, error);
            if (st)
                return st;
            s->got++;
            PSI_CHECK(units == 1); /* two bins are longer than WIRE_BIN_MAX */
            st = more_waiting(s, &more, error);
            if (st)
                return st;
        }
        tally_status st = work_group(s, error);
        if (st)
            return st;
    }
    return TALLY_OK;
}

static tally_status make_room(sender *s, tally_error *error)
{
    size_t n = s->run->own;
    for (uint32_t b = 0; b < s->bins.sizes.bins; b++) {
        size_t load = s->bins.start[b + 1] - s->bins.start[b];
        s->largest = load > s->largest ? load : s->largest;
    }
    s->frames = psi_calloc(s->bins.group, sizeof *s->frames);
    s->bin_tags = psi_calloc(s->bins.workers, sizeof *s->bin_tags);
    s->entry = s->bins.sizes.tag_width + party_sealed_bytes(s->run);
    s->tags = psi_secret_calloc(n, s->entry);
    if (!s->frames || !s->bin_tags || !s->tags)
        return party_no_memory(error, "the tags");
    return party_order(&s->place, n, error);
}

/* ---- Tags ---- */

static tally_status make_tags(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    sender *s = user;
    (void)error;
    memcpy(payload, s->tags + first * s->entry, n * s->entry);
    return TALLY_OK;
}

static tally_status hear_receiver(sender *s, party_matched *matched, tally_error *error)
{
    uint8_t *told = NULL;
    size_t count;
    tally_status st = party_told_receive(s->run, &told, &count, error);
    uint32_t *item = psi_secret_calloc(s->run->own, sizeof *item);
    if (!st && !item)
        st = party_no_memory(error, "the result");
    if (!st) {
        for (size_t e = 0; e < s->run->own; e++)
            item[s->place[e]] = s->bins.entries[e].item;
        st = party_told_collect(s->run, told, item, matched, error);
    }
    psi_secret_free(item);
    psi_free(told);
    return st;
}

static tally_status send(sender *s, party_matched *matched, tally_error *error)
{
    party_run *run = s->run;
    /* While the receiver makes its points, our items are hashed and sorted. */
    tally_status st = party_bins_sort(&s->bins, run, error);
    /* The receiver's points in, our choices out, hidden; its trees in. */
    if (!st)
        st = party_exchange(run, NULL, WIRE_VOLE_OPEN, take_open, s, error);
    if (!st)
        st = party_exchange(run, NULL, WIRE_VOLE_TREES, take_trees, s, error);
    if (!st)
        st = make_room(s, error);
    /* The masked table, bin by bin; then all tags together, shuffled over the whole list. */
    if (!st)
        st = receive_bins(s, error);
    if (st)
        return st;
    party_source tags = {WIRE_VOLE_TAGS, s->entry, run->own, make_tags};
    st = party_exchange(run, &tags, 0, NULL, s, error);
    return st || !run->both ? st : hear_receiver(s, matched, error);
}

tally_status party_vole_sender(party_run *run, party_matched *matched, tally_error *error)
{
    sender *s = psi_secret_calloc(1, sizeof *s);
    if (!s)
        return party_no_memory(error, "the sender");
    s->run = run;
    tally_status st = send(s, matched, error);
    for (uint32_t i = 0; s->frames && i < s->bins.group; i++)
        party_frame_free(&s->frames[i]);
    for (unsigned i = 0; s->bin_tags && i < s->bins.workers; i++)
        psi_secret_free(s->bin_tags[i]);
    psi_free(s->frames);
    psi_free(s->bin_tags);
    psi_secret_free(s->tags);
    psi_secret_free(s->place);
    psi_secret_free(s->strings);
    psi_vole_shared_free(&s->shared);
    party_bins_free(&s->bins);
    psi_secret_free(s);
    return st;
}
