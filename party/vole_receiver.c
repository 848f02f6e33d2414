/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver's side of a match by subspace VOLE (docs/protocol-vole.md). */
#include "party/error.h"
#include "party/hits.h"
#include "party/vole.h"
#include "proto/limits.h"
#include "psi/mem.h"

#include <string.h>

typedef struct receiver {
    party_run *run;
    party_bins bins;
    psi_vole_shared shared;
    psi_ot_sender open;
    uint8_t *tags;     /* of own items, in the order of the bins */
    uint32_t *item_of; /* own tag -> item */
    uint8_t *keys;     /* the same, PSI_VOLE_KEY each; only with columns */
    uint8_t **both;    /* with columns: one work space for each thread, tags and keys of a bin */
    /* of the group of bins in work */
    uint32_t first_bin;
    uint8_t **frames;
} receiver;

/* ---- Setup: OTs, trees ---- */

static tally_status make_open(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const receiver *r = user;
    (void)first, (void)n, (void)error;
    payload[0] = (uint8_t)r->run->vole_k;
    memcpy(payload + 1, r->open.pairs, sizeof r->open.pairs);
    return TALLY_OK;
}

/* The sender's answer: point, nonce and columns -> leaf keys of all trees, and the corrections that go back.
 */
static tally_status grow_trees(receiver *r, const uint8_t *answer, uint8_t *corrections, tally_error *error)
{
    const psi_vole_sizes *z = &r->bins.sizes;
    const psi_sid *sid = &r->run->sid;
    psi_point point;
    uint8_t points[32];
    psi_block(*strings)[2] = psi_secret_calloc(psi_vole_ots(z), sizeof *strings);
    psi_block *keys = psi_secret_calloc((size_t)z->columns << z->k, sizeof *keys);
    tally_status st = strings && keys ? TALLY_OK : party_no_memory(error, "the trees");
    if (st)
        goto done;
    memcpy(&point, answer, sizeof point);
    st = psi_ot_strings(strings, &r->open, &point, answer + 64, psi_vole_ots(z), sid);
    if (!st)
        st = psi_vole_grow(z, (const psi_block(*)[2])strings, keys, (psi_ggm_level *)(void *)corrections);
    if (!st)
        st = psi_vole_points(points, sid, answer + 32);
    if (!st)
        st = psi_vole_shared_init(&r->shared, z, sid, keys, NULL, points);
    if (st == TALLY_ERR_MALFORMED)
        party_fail(error, st, "the peer's point in the OT extension is no valid group element");
    else if (st)
        party_fail(error, st, "the setup of the trees failed");
done:
    psi_secret_free(keys);
    psi_secret_free(strings);
    return st;
}

static tally_status take_choice(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    receiver *r = user;
    const psi_vole_sizes *z = &r->bins.sizes;
    (void)first, (void)n;
    if (frame->length != psi_vole_choice_bytes(z))
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer's OT extension has %u bytes, not %zu",
                          frame->length, psi_vole_choice_bytes(z));
    size_t length = psi_vole_trees_bytes(z);
    uint8_t *corrections = party_link_buffer(length);
    if (!corrections)
        return party_no_memory(error, "the tree corrections");
    tally_status st = grow_trees(r, frame->payload, corrections, error);
    if (st) {
        party_link_buffer_free(corrections);
        return st;
    }
    return party_link_send(r->run->link, WIRE_VOLE_TREES, corrections, length, error);
}

/* ---- Bins: one frame each, as many at once as there are threads ---- */

static tally_status bin_work(void *user, unsigned worker, size_t begin, size_t end)
{
    receiver *r = user;
    const uint32_t *start = r->bins.start;
    const psi_vole_sizes *z = &r->bins.sizes;
    size_t width = z->tag_width;
    psi_vole_work *work = party_bins_work(&r->bins, 1, worker);
    if (work && r->both && !r->both[worker])
        r->both[worker] = psi_secret_calloc(z->load_max, width + PSI_VOLE_KEY);
    if (!work || (r->both && !r->both[worker]))
        return TALLY_ERR_NO_MEMORY;
    tally_status st = TALLY_OK;
    for (size_t i = begin; !st && i < end; i++) {
        uint32_t b = r->first_bin + (uint32_t)i, n = start[b + 1] - start[b];
        uint8_t *tags = r->tags + start[b] * width;
        uint8_t *out = r->both ? r->both[worker] : tags;
        st = psi_vole_receive_bin(work, &r->shared, b, r->bins.entries + start[b], n, r->frames[i], out);
        for (uint32_t e = 0; r->both && !st && e < n; e++, out += width + PSI_VOLE_KEY) {
            memcpy(tags + e * width, out, width);
            memcpy(r->keys + (size_t)(start[b] + e) * PSI_VOLE_KEY, out + width, PSI_VOLE_KEY);
        }
    }
    return st;
}

static tally_status send_group(receiver *r, uint32_t count, tally_error *error)
{
    size_t length = PSI_VOLE_SEED + r->bins.sizes.bin_bytes;
    tally_status st = TALLY_OK;
    for (uint32_t i = 0; i < count; i++) {
        r->frames[i] = party_link_buffer(length);
        if (!r->frames[i])
            st = party_no_memory(error, "a bin");
    }
    if (!st) {
        st = party_pool_run(r->run->pool, count, 1, bin_work, r);
        if (st)
            party_fail(error, st, "encoding a bin failed");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (st)
            party_link_buffer_free(r->frames[i]);
        else
            st = party_link_send(r->run->link, WIRE_VOLE_BIN, r->frames[i], length, error);
        r->frames[i] = NULL;
    }
    return st;
}

static tally_status send_bins(receiver *r, tally_error *error)
{
    const psi_vole_sizes *z = &r->bins.sizes;
    r->frames = psi_calloc(r->bins.group, sizeof *r->frames);
    if (!r->frames)
        return party_no_memory(error, "the frames of the bins");
    for (r->first_bin = 0; r->first_bin < z->bins;) {
        uint32_t left = z->bins - r->first_bin, count = left < r->bins.group ? left : r->bins.group;
        tally_status st = send_group(r, count, error);
        if (st)
            return st;
        party_advance(r->run, r->bins.start[r->first_bin + count] - r->bins.start[r->first_bin]);
        r->first_bin += count;
    }
    return TALLY_OK;
}

static tally_status take_tags(void *user, size_t first, size_t n, const party_frame *frame,
                              tally_error *error)
{
    receiver *r = user;
    return party_hits_probe(r->run->hits, frame->payload, first, n, error);
}

static tally_status make_room(receiver *r, tally_error *error)
{
    const psi_vole_sizes *z = &r->bins.sizes;
    r->tags = psi_calloc(r->run->own, z->tag_width);
    r->item_of = psi_secret_calloc(r->run->own, sizeof *r->item_of);
    int ok = r->tags && r->item_of;
    for (size_t e = 0; ok && e < r->run->own; e++)
        r->item_of[e] = r->bins.entries[e].item;
    if (ok && r->run->form) {
        r->keys = psi_secret_calloc(r->run->own, PSI_VOLE_KEY);
        r->both = psi_calloc(r->bins.workers, sizeof *r->both);
        ok = r->keys && r->both;
    }
    return ok ? TALLY_OK : party_no_memory(error, "the tags of the items");
}

static tally_status receive(receiver *r, tally_error *error)
{
    party_run *run = r->run;
    party_source open = {WIRE_VOLE_OPEN, PSI_VOLE_OPEN, 1, make_open};
    tally_status st = psi_ot_open(&r->open, &run->sid);
    if (st)
        return party_fail(error, st, "the base OTs could not be opened");
    /* Points out; while the sender works on them, our items are hashed and sorted. */
    st = party_exchange(run, &open, 0, NULL, r, error);
    if (!st)
        st = party_bins_sort(&r->bins, run, error);
    if (!st)
        st = party_bins_shape(&r->bins, run, run->vole_k, error);
    if (!st)
        st = make_room(r, error);
    /* The sender's choices in, hidden; the trees' corrections out. */
    if (!st)
        st = party_exchange(run, NULL, WIRE_VOLE_CHOICE, take_choice, r, error);
    if (st)
        return st;
    /* The masked table, bin by bin. */
    st = send_bins(r, error);
    if (st)
        return st;
    st = party_hits_start(r->run->hits, run, r->tags, r->bins.sizes.tag_width, error);
    if (st)
        return st;
    /* The sender's tags, once it has all bins. */
    st = party_exchange(run, NULL, WIRE_VOLE_TAGS, take_tags, r, error);
    return !st && run->both ? party_hits_tell(run->hits, error) : st;
}

tally_status party_vole_receiver(party_run *run, tally_error *error)
{
    receiver *r = psi_secret_calloc(1, sizeof *r);
    if (!r)
        return party_no_memory(error, "the receiver");
    r->run = run;
    tally_status st = receive(r, error);
    if (!st) {
        party_hits_end(run->hits);
        run->hits->item_of = r->item_of;
        run->hits->keys = r->keys;
        r->item_of = NULL;
        r->keys = NULL;
    }
    psi_free(r->frames);
    for (unsigned i = 0; r->both && i < r->bins.workers; i++)
        psi_secret_free(r->both[i]);
    psi_free(r->both);
    psi_secret_free(r->item_of);
    psi_secret_free(r->keys);
    psi_free(r->tags);
    psi_vole_shared_free(&r->shared);
    party_bins_free(&r->bins);
    psi_secret_free(r);
    return st;
}
