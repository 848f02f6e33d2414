/* SPDX-License-Identifier: Apache-2.0 */
#include "party/masking.h"

#include "party/error.h"
#include "psi/ecdh.h"

/* The batch in work. */
typedef struct batch {
    const party_run *run;
    const psi_scalar *key;
    const psi_item *items;
    const uint32_t *order;
    const uint8_t *in;
    uint8_t *out;
    size_t width;
} batch;

tally_status party_masking_key(psi_scalar *key, tally_error *error)
{
    psi_prg prg;
    tally_status st = psi_prg_init(&prg);
    if (st)
        return party_fail(error, st, "the random generator of the system failed");
    psi_scalar_random(key, &prg);
    psi_prg_wipe(&prg);
    return TALLY_OK;
}

static tally_status mask_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    const batch *b = user;
    (void)worker;
    return psi_ecdh_mask((psi_point *)(void *)b->out + begin, b->items, b->order + begin, end - begin,
                         &b->run->sid, b->key);
}

tally_status party_mask(party_run *run, const psi_item *items, const uint32_t *order, size_t n,
                        const psi_scalar *key, uint8_t *points, tally_error *error)
{
    batch b = {.run = run, .key = key, .items = items, .order = order, .out = points};
    tally_status st = party_pool_run(run->pool, n, PARTY_CHUNK, mask_chunk, &b);
    if (st)
        return party_fail(error, st, "masking a batch of items failed");
    party_advance(run, n);
    return TALLY_OK;
}

static tally_status tag_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    const batch *b = user;
    (void)worker;
    return psi_ecdh_tag(b->out + begin * b->width, b->width, (const psi_point *)(const void *)b->in + begin,
                        end - begin, &b->run->sid, b->key, NULL);
}

tally_status party_tag(party_run *run, const uint8_t *points, size_t first, size_t n, const psi_scalar *key,
                       size_t width, uint8_t *tags, tally_error *error)
{
    batch b = {.run = run, .key = key, .in = points, .out = tags, .width = width};
    tally_status st = party_pool_run(run->pool, n, PARTY_CHUNK, tag_chunk, &b);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(
            error, st, "the peer sent a masked item that is no valid group element, among those from %zu on",
            first);
    return st ? party_fail(error, st, "tagging a batch of the peer's items failed") : TALLY_OK;
}
