/* SPDX-License-Identifier: Apache-2.0 */
#include "party/hits.h"

#include "party/error.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <string.h>

/* An honest peer's entries meet each own item once, but for a tag collision (2^-40 a run). */
#define SPARE 16u

tally_status party_hits_start(party_hits *h, party_run *run, const uint8_t *tags, size_t width,
                              tally_error *error)
{
    *h = (party_hits){
        .run = run, .width = width, .room = (run->own < run->peer ? run->own : run->peer) + SPARE};
    tally_status st = psi_join_new(&h->join, tags, run->own, width);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(error, st,
                          "the peer's answers repeat each other: they are no tags of distinct identifiers");
    h->list = psi_calloc(h->room, sizeof *h->list);
    h->sealed = run->form ? psi_calloc(h->room, party_sealed_bytes(run)) : NULL;
    h->seen = psi_calloc(run->own / 8 + 1, 1);
    if (st || !h->list || !h->seen || (run->form && !h->sealed))
        return party_no_memory(error, "the matches");
    return TALLY_OK;
}

void party_hits_end(party_hits *h)
{
    psi_join_free(h->join);
    h->join = NULL;
    psi_free(h->probe_tags);
    h->probe_tags = NULL;
    psi_free(h->chunks);
    h->chunks = NULL;
}

void party_hits_free(party_hits *h)
{
    party_hits_end(h);
    psi_secret_free(h->keys);
    psi_secret_free(h->item_of);
    psi_free(h->sealed);
    psi_free(h->seen);
    psi_free(h->list);
}

/* ---- Looking up the tags of a frame: chunks side by side, their hits joined in order ---- */

#define CHUNK 2048u
#define CHUNKS_MAX (WIRE_BULK_MAX / 5 / CHUNK + 1) /* the narrowest tags have 5 bytes */

/* One chunk's hits; an honest peer's entry meets one own item, but for a collision. */
typedef struct found {
    party_hit hits[CHUNK + SPARE];
    uint32_t count;
    int too_many;
} found;

typedef struct lookup {
    const party_hits *h;
    const uint8_t *tags;
    size_t first;
    found *chunks;
} lookup;

static void add_found(void *user, size_t own, size_t peer)
{
    found *f = user;
    if (f->count == CHUNK + SPARE)
        f->too_many = 1;
    else
        f->hits[f->count++] = (party_hit){(uint32_t)own, (uint32_t)peer};
}

static tally_status look_up(void *user, unsigned worker, size_t begin, size_t end)
{
    const lookup *l = user;
    found *f = &l->chunks[begin / CHUNK];
    (void)worker;
    f->count = 0;
    f->too_many = 0;
    psi_join_probe(l->h->join, l->tags + begin * l->h->width, end - begin, l->first + begin, add_found, f);
    return TALLY_OK;
}

/* Appends a chunk's hits, each with what is sealed beside its tag. 0: more than there can be. */
static int append(party_hits *h, const found *f, const uint8_t *entries, size_t first)
{
    size_t sealed = party_sealed_bytes(h->run), stride = h->width + sealed;
    if (f->too_many || f->count > h->room - h->count)
        return 0;
    for (uint32_t i = 0; sealed && i < f->count; i++)
        memcpy(h->sealed + (h->count + i) * sealed, entries + (f->hits[i].peer - first) * stride + h->width,
               sealed);
    for (uint32_t i = 0; i < f->count; i++) {
        h->distinct += !party_get_bit(h->seen, f->hits[i].own);
        party_set_bit(h->seen, f->hits[i].own);
    }
    memcpy(h->list + h->count, f->hits, f->count * sizeof *f->hits);
    h->count += f->count;
    return 1;
}

tally_status party_hits_probe(party_hits *h, const uint8_t *entries, size_t first, size_t n,
                              tally_error *error)
{
    const uint8_t *tags = entries;
    size_t stride = h->width + party_sealed_bytes(h->run), chunks = (n + CHUNK - 1) / CHUNK;
    PSI_CHECK(chunks <= CHUNKS_MAX);
    if (!h->chunks)
        h->chunks = psi_calloc(CHUNKS_MAX, sizeof *h->chunks);
    if (h->run->form && !h->probe_tags)
        h->probe_tags = psi_calloc(WIRE_BULK_MAX / stride, h->width);
    if (!h->chunks || (h->run->form && !h->probe_tags))
        return party_no_memory(error, "the peer's tags");
    if (h->run->form) {
        for (size_t i = 0; i < n; i++)
            memcpy(h->probe_tags + i * h->width, entries + i * stride, h->width);
        tags = h->probe_tags;
    }
    lookup l = {h, tags, first, h->chunks};
    tally_status st = party_pool_run(h->run->pool, n, CHUNK, look_up, &l);
    if (st)
        return party_fail(error, st, "looking up the peer's tags failed");
    for (size_t c = 0; c < chunks; c++)
        if (!append(h, &l.chunks[c], entries, first))
            return party_fail(error, TALLY_ERR_MALFORMED,
                              "the peer's entries match more often than the lists have identifiers");
    party_advance(h->run, n);
    return TALLY_OK;
}

static tally_status make_bitmap(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const party_hits *h = user;
    (void)error;
    memset(payload, 0, n);
    for (size_t i = 0; i < h->count; i++) {
        size_t byte = h->list[i].peer / 8;
        if (byte >= first && byte < first + n)
            party_set_bit(payload, h->list[i].peer - 8 * first);
    }
    return TALLY_OK;
}

tally_status party_hits_tell(party_hits *h, tally_error *error)
{
    /* A second own item with the same tag as an entry (a collision) changes nothing for the peer. */
    size_t kept = 0, sealed = party_sealed_bytes(h->run);
    for (size_t i = 0; i < h->count; i++) {
        if (kept && h->list[kept - 1].peer == h->list[i].peer)
            continue;
        if (sealed)
            memmove(h->sealed + kept * sealed, h->sealed + i * sealed, sealed);
        h->list[kept++] = h->list[i];
    }
    h->count = kept;
    party_source bitmap = {WIRE_MATCHED, 1, (h->run->peer + 7) / 8, make_bitmap};
    return party_exchange(h->run, &bitmap, 0, NULL, h, error);
}

#ifdef TALLY_TEST
static party_keys_seen keys_seen;
static void *keys_user;

void party_hits_watch(party_keys_seen seen, void *user)
{
    keys_seen = seen;
    keys_user = user;
}
#endif

tally_status party_hits_collect(party_hits *h, party_matched *matched, tally_error *error)
{
    party_sealed *sealed = &matched->sealed;
    if (h->run->form) {
        *sealed = (party_sealed){h->count, psi_calloc(h->count, sizeof *sealed->items),
                                 psi_secret_calloc(h->count, PSI_LABEL_KEY), h->sealed};
        h->sealed = NULL;
        if (!sealed->items || !sealed->keys)
            return party_no_memory(error, "the columns of the matches");
#ifdef TALLY_TEST
        if (keys_seen)
            keys_seen(keys_user, h->run, h->keys);
#endif
    }
    matched->bits = psi_calloc(h->run->own / 8 + 1, 1);
    if (!matched->bits)
        return party_no_memory(error, "the result");
    matched->count = 0;
    for (size_t i = 0; i < h->count; i++) {
        uint32_t item = h->item_of[h->list[i].own];
        matched->count += !party_get_bit(matched->bits, item);
        party_set_bit(matched->bits, item);
        if (h->run->form) {
            sealed->items[i] = item;
            memcpy(sealed->keys + i * PSI_LABEL_KEY, h->keys + (size_t)h->list[i].own * PSI_LABEL_KEY,
                   PSI_LABEL_KEY);
        }
    }
    return TALLY_OK;
}

/* ---- The sender's side ---- */

static tally_status take_bitmap(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    uint8_t *told = user;
    (void)error;
    memcpy(told + first, frame->payload, n);
    return TALLY_OK;
}

tally_status party_told_receive(party_run *run, uint8_t **told, size_t *count, tally_error *error)
{
    size_t set = 0;
    uint8_t *bits = psi_calloc(run->own / 8 + 1, 1);
    if (!bits)
        return party_no_memory(error, "the result");
    *told = bits;
    tally_status st = party_exchange(run, NULL, WIRE_MATCHED, take_bitmap, bits, error);
    if (st)
        return st;
    for (size_t i = run->own; i < (run->own + 7) / 8 * 8; i++)
        if (party_get_bit(bits, i))
            return party_fail(error, TALLY_ERR_MALFORMED,
                              "the peer claims a match beyond the end of the list");
    for (size_t i = 0; i < run->own; i++)
        set += (size_t)party_get_bit(bits, i);
    if (set > run->peer)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer claims more matches than its list has entries");
    *count = set;
    return TALLY_OK;
}

tally_status party_told_collect(const party_run *run, const uint8_t *told, const uint32_t *order,
                                party_matched *matched, tally_error *error)
{
    uint8_t *bits = psi_calloc(run->own / 8 + 1, 1);
    if (!bits)
        return party_no_memory(error, "the result");
    *matched = (party_matched){.bits = bits};
    for (size_t i = 0; i < run->own; i++)
        if (party_get_bit(told, i)) {
            party_set_bit(bits, order[i]);
            matched->count++;
        }
    return TALLY_OK;
}
