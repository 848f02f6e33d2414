/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver's side of a match: it learns which of its items are on the sender's list
 * (docs/protocol-ecdh.md). */
#include "party/error.h"
#include "party/hits.h"
#include "party/masking.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include "psi/tagsize.h"
#include "psi/verify.h"

#include <string.h>

typedef struct receiver {
    party_run *run;
    uint32_t *order; /* secret: place in what is sent -> item */
    uint8_t *tags;   /* of own items, in sending order, width bytes each */
    size_t width;
    uint8_t *peer_tags; /* of one frame */
    /* semi-honest */
    psi_scalar key;
    /* malicious */
    psi_scalar *blinds;
    psi_point *blinded;
    uint8_t (*confirm)[16]; /* in sending order */
    uint8_t *keys;          /* in sending order, PSI_LABEL_KEY each; only with columns */
    psi_point public_key;
    /* of the batch in work */
    const uint8_t *in;
    size_t first, n;
} receiver;

/* ---- Semi-honest: one secret exponent ---- */

static tally_status make_masked(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    receiver *r = user;
    return party_mask(r->run, r->run->items, r->order + first, n, &r->key, payload, error);
}

static tally_status take_reply(void *user, size_t first, size_t n, const party_frame *frame,
                               tally_error *error)
{
    receiver *r = user;
    (void)error;
    memcpy(r->tags + first * r->width, frame->payload, n * r->width);
    return TALLY_OK;
}

static tally_status take_masked(void *user, size_t first, size_t n, const party_frame *frame,
                                tally_error *error)
{
    receiver *r = user;
    tally_status st = party_tag(r->run, frame->payload, first, n, &r->key, r->width, r->peer_tags, error);
    return st ? st : party_hits_probe(r->run->hits, r->peer_tags, first, n, error);
}

static tally_status semi_honest(receiver *r, tally_error *error)
{
    party_run *run = r->run;
    party_source masked = {WIRE_ECDH_RECEIVER, 32, run->own, make_masked};
    tally_status st = party_masking_key(&r->key, error);
    if (st)
        return st;
    /* a*H(x) out, tags of b*(a*H(x)) back in the same order. */
    st = party_exchange(run, &masked, WIRE_ECDH_REPLY, take_reply, r, error);
    if (st)
        return st;
    st = party_hits_start(r->run->hits, run, r->tags, r->width, error);
    if (st)
        return st;
    /* b*H(y) in; tags of a*(b*H(y)) meet those of our own items. */
    st = party_exchange(run, NULL, WIRE_ECDH_SENDER, take_masked, r, error);
    if (st)
        return st;
    return run->both ? party_hits_tell(run->hits, error) : TALLY_OK;
}

/* ---- Malicious: 2HashDH with fresh blinds and proofs ---- */

static tally_status blind_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    receiver *r = user;
    (void)worker;
    size_t at = r->first + begin;
    return psi_match_blind(r->blinded + at, r->blinds + at, r->run->items, r->order + at, end - begin,
                           &r->run->sid);
}

static tally_status make_blinded(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    receiver *r = user;
    r->first = first;
    tally_status st = party_pool_run(r->run->pool, n, PARTY_CHUNK, blind_chunk, r);
    if (st)
        return party_fail(error, st, "blinding a batch of items failed");
    memcpy(payload, r->blinded + first, n * sizeof *r->blinded);
    party_advance(r->run, n);
    return TALLY_OK;
}

static tally_status finish_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    receiver *r = user;
    (void)worker;
    size_t at = r->first + begin, count = end - begin;
    psi_oprf_label labels[PARTY_PROOF_ITEMS];
    psi_proof proof;
    memcpy(&proof, r->in + 32 * r->n + 64 * (begin / PARTY_PROOF_ITEMS), sizeof proof);
    tally_status st = psi_match_finish(labels, (const psi_point *)(const void *)r->in + begin,
                                       r->blinded + at, r->blinds + at, r->run->items, r->order + at, count,
                                       &r->run->sid, &r->public_key, &proof);
    for (size_t i = 0; !st && i < count; i++) {
        memcpy(r->tags + 16 * (at + i), labels[i].tag, 16);
        memcpy(r->confirm[at + i], labels[i].confirm, 16);
        if (r->keys)
            memcpy(r->keys + PSI_LABEL_KEY * (at + i), labels[i].key, PSI_LABEL_KEY);
    }
    psi_wipe(labels, sizeof labels);
    return st;
}

static tally_status take_evaluated(void *user, size_t first, size_t n, const party_frame *frame,
                                   tally_error *error)
{
    receiver *r = user;
    r->in = frame->payload;
    r->first = first;
    r->n = n;
    tally_status st = party_pool_run(r->run->pool, n, PARTY_PROOF_ITEMS, finish_chunk, r);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(
            error, st,
            "the peer's proof for entries from %zu on does not hold: it did not use the key it announced",
            first);
    if (st)
        return party_fail(error, st, "finishing a batch of items failed");
    party_advance(r->run, n);
    return TALLY_OK;
}

static tally_status take_tags(void *user, size_t first, size_t n, const party_frame *frame,
                              tally_error *error)
{
    receiver *r = user;
    return party_hits_probe(r->run->hits, frame->payload, first, n, error);
}

static tally_status take_public_key(void *user, size_t first, size_t n, const party_frame *frame,
                                    tally_error *error)
{
    receiver *r = user;
    (void)first, (void)n, (void)error;
    memcpy(&r->public_key, frame->payload, sizeof r->public_key);
    return TALLY_OK;
}

static tally_status make_confirm(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const receiver *r = user;
    (void)error;
    for (size_t i = 0; i < n; i++)
        memcpy(payload + 16 * i, r->confirm[r->run->hits->list[first + i].own], 16);
    return TALLY_OK;
}

static tally_status malicious(receiver *r, tally_error *error)
{
    party_run *run = r->run;
    party_source blinded = {WIRE_OPRF_BLINDED, 32, run->own, make_blinded};
    r->blinds = psi_secret_calloc(run->own, sizeof *r->blinds);
    r->blinded = psi_calloc(run->own, sizeof *r->blinded);
    r->confirm = psi_secret_calloc(run->own, sizeof *r->confirm);
    if (run->form)
        r->keys = psi_secret_calloc(run->own, PSI_LABEL_KEY);
    if (!r->blinds || !r->blinded || !r->confirm || (run->form && !r->keys))
        return party_no_memory(error, "the blinds of the items");
    psi_prg prg;
    tally_status st = psi_prg_init(&prg);
    if (st)
        return party_fail(error, st, "the random generator of the system failed");
    for (size_t i = 0; i < run->own; i++)
        psi_scalar_random(&r->blinds[i], &prg);
    psi_prg_wipe(&prg);

    /* The sender's key is fixed before anything of ours leaves. */
    st = party_exchange(run, NULL, WIRE_OPRF_KEY, take_public_key, r, error);
    if (st)
        return st;
    /* r*H(x) out, k*(r*H(x)) back; each proof is verified before its entries are used. */
    st = party_exchange(run, &blinded, WIRE_OPRF_EVALUATED, take_evaluated, r, error);
    if (st)
        return st;
    st = party_hits_start(r->run->hits, run, r->tags, r->width, error);
    if (st)
        return st;
    st = party_exchange(run, NULL, WIRE_OPRF_TAGS, take_tags, r, error);
    if (st)
        return st;
    if (run->both) {
        st = party_hits_tell(r->run->hits, error);
        party_source confirm = {WIRE_CONFIRM, 16, run->hits->count, make_confirm};
        if (!st)
            st = party_exchange(run, &confirm, 0, NULL, r, error);
    }
    return st;
}

tally_status party_receiver(party_run *run, tally_error *error)
{
    PSI_CHECK(run->protocol != TALLY_VOLE || run->security != TALLY_MALICIOUS);
    if (run->protocol == TALLY_VOLE)
        return party_vole_receiver(run, error);
    receiver r = {.run = run};
    int active = run->security == TALLY_MALICIOUS;
    r.width = active ? PSI_MALICIOUS_TAG : psi_tag_bytes(run->own, run->peer);
    tally_status st = party_order(&r.order, run->own, error);
    if (st)
        return st;
    r.tags = psi_calloc(run->own, r.width);
    r.peer_tags = psi_calloc(WIRE_BULK_MAX / 32, r.width);
    if (!r.tags || !r.peer_tags) {
        st = party_no_memory(error, "the tags of the items");
        goto done;
    }
    st = active ? malicious(&r, error) : semi_honest(&r, error);
    if (!st) {
        party_hits_end(run->hits);
        run->hits->item_of = r.order;
        run->hits->keys = r.keys;
        r.order = NULL;
        r.keys = NULL;
    }
done:
    psi_wipe(&r.key, sizeof r.key);
    psi_secret_free(r.keys);
    psi_secret_free(r.confirm);
    psi_free(r.blinded);
    psi_secret_free(r.blinds);
    psi_free(r.peer_tags);
    psi_free(r.tags);
    psi_secret_free(r.order);
    return st;
}
