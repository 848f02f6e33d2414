/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's side of a match: it answers for the receiver's items and sends its own
 * (docs/protocol-ecdh.md). */
#include "party/error.h"
#include "party/hits.h"
#include "party/masking.h"
#include "proto/limits.h"
#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include "psi/tagsize.h"
#include "psi/verify.h"

#include <string.h>

typedef struct sender {
    party_run *run;
    uint32_t *order; /* secret: place in what is sent -> item */
    psi_scalar key;
    size_t width;
    uint8_t *told; /* bitmap over the sending order, from the receiver */
    /* malicious */
    psi_point public_key;
    uint8_t (*confirm)[16]; /* in sending order; kept only when the result is revealed to both */
    size_t *confirm_of;     /* place in the sending order of the i-th set bit */
    /* of the batch in work */
    const uint8_t *in;
    uint8_t *out;
    size_t first, n;
} sender;

/* ---- Semi-honest ---- */

/* Answers a batch in a frame of its own. The receiver reads while it sends, so waiting here for room cannot
 * deadlock. */
static tally_status reply(void *user, size_t first, size_t n, const party_frame *frame, tally_error *error)
{
    sender *s = user;
    uint8_t *out = party_link_buffer(n * s->width);
    if (!out)
        return party_no_memory(error, "a batch to send");
    tally_status st = party_tag(s->run, frame->payload, first, n, &s->key, s->width, out, error);
    if (st) {
        party_link_buffer_free(out);
        return st;
    }
    party_advance(s->run, n);
    return party_link_send(s->run->link, WIRE_ECDH_REPLY, out, n * s->width, error);
}

static tally_status make_masked(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    sender *s = user;
    return party_mask(s->run, s->run->items, s->order + first, n, &s->key, payload, error);
}

static tally_status semi_honest(sender *s, tally_error *error)
{
    party_source masked = {WIRE_ECDH_SENDER, 32, s->run->own, make_masked};
    tally_status st = party_masking_key(&s->key, error);
    if (st)
        return st;
    /* a*H(x) in, tags of b*(a*H(x)) out in the same order; then b*H(y) out. */
    st = party_exchange(s->run, NULL, WIRE_ECDH_RECEIVER, reply, s, error);
    return st ? st : party_exchange(s->run, &masked, 0, NULL, s, error);
}

/* ---- Malicious ---- */

static tally_status evaluate_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    sender *s = user;
    (void)worker;
    size_t count = end - begin;
    const psi_point *blinded = (const psi_point *)(const void *)s->in + begin;
    psi_point *evaluated = (psi_point *)(void *)s->out + begin;
    psi_prg prg;
    psi_scalar nonce;
    psi_proof proof;
    tally_status st = psi_oprf_evaluate(evaluated, blinded, count, &s->key, NULL);
    if (st)
        return st;
    st = psi_prg_init(&prg);
    if (st)
        return st;
    psi_scalar_random(&nonce, &prg);
    psi_prg_wipe(&prg);
    st = psi_oprf_prove(&proof, &s->key, &s->public_key, blinded, evaluated, count, &nonce,
                        PSI_OPRF_VERIFIABLE);
    psi_wipe(&nonce, sizeof nonce);
    if (!st)
        memcpy(s->out + 32 * s->n + 64 * (begin / PARTY_PROOF_ITEMS), &proof, sizeof proof);
    return st;
}

static tally_status evaluate(void *user, size_t first, size_t n, const party_frame *frame, tally_error *error)
{
    sender *s = user;
    size_t length = 32 * n + 64 * ((n + PARTY_PROOF_ITEMS - 1) / PARTY_PROOF_ITEMS);
    if (length > WIRE_BULK_MAX)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer sent %zu blinded items in one frame: too many for one answer", n);
    s->in = frame->payload;
    s->n = n;
    s->out = party_link_buffer(length);
    if (!s->out)
        return party_no_memory(error, "a batch to send");
    tally_status st = party_pool_run(s->run->pool, n, PARTY_PROOF_ITEMS, evaluate_chunk, s);
    if (!st) {
        party_advance(s->run, n);
        return party_link_send(s->run->link, WIRE_OPRF_EVALUATED, s->out, length, error);
    }
    party_link_buffer_free(s->out);
    if (st == TALLY_ERR_MALFORMED)
        return party_fail(
            error, st, "the peer sent a blinded item that is no valid group element, among those from %zu on",
            first);
    return party_fail(error, st, "evaluating a batch of the peer's items failed");
}

static tally_status label_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    sender *s = user;
    (void)worker;
    const party_run *run = s->run;
    psi_oprf_label labels[PARTY_CHUNK];
    size_t at = s->first + begin, count = end - begin, stride = PSI_MALICIOUS_TAG + party_sealed_bytes(run);
    party_sealer *sealer =
        run->form ? party_sealer_new(run->form, run->offer, run->overlap, run->items, &run->sid) : NULL;
    if (run->form && !sealer)
        return TALLY_ERR_NO_MEMORY;
    tally_status st = psi_match_labels(labels, run->items, s->order + at, count, &run->sid, &s->key);
    for (size_t i = 0; !st && i < count; i++) {
        uint8_t *entry = s->out + stride * (begin + i);
        memcpy(entry, labels[i].tag, 16);
        if (s->confirm)
            memcpy(s->confirm[at + i], labels[i].confirm, 16);
        if (sealer)
            st = party_seal(sealer, s->order[at + i], labels[i].key, entry + PSI_MALICIOUS_TAG);
    }
    psi_wipe(labels, sizeof labels);
    party_sealer_free(sealer);
    return st;
}

static tally_status make_tags(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    sender *s = user;
    s->out = payload;
    s->first = first;
    tally_status st = party_pool_run(s->run->pool, n, PARTY_CHUNK, label_chunk, s);
    if (st)
        return party_fail(error, st, "tagging a batch of items failed");
    party_advance(s->run, n);
    return TALLY_OK;
}

static tally_status make_public_key(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error)
{
    const sender *s = user;
    (void)first, (void)n, (void)error;
    memcpy(payload, &s->public_key, sizeof s->public_key);
    return TALLY_OK;
}

static tally_status malicious(sender *s, tally_error *error)
{
    party_run *run = s->run;
    party_source key = {WIRE_OPRF_KEY, 32, 1, make_public_key};
    size_t stride = PSI_MALICIOUS_TAG + party_sealed_bytes(run);
    party_source tags = {WIRE_OPRF_TAGS, stride, run->own, make_tags};
    if (run->both) {
        s->confirm = psi_secret_calloc(run->own, sizeof *s->confirm);
        if (!s->confirm)
            return party_no_memory(error, "the confirmations");
    }
    tally_status st = party_masking_key(&s->key, error);
    if (st)
        return st;
    st = psi_oprf_public(&s->public_key, &s->key);
    if (st)
        return party_fail(error, st, "the public key could not be computed");
    st = party_exchange(run, &key, 0, NULL, s, error);
    if (st)
        return st;
    st = party_exchange(run, NULL, WIRE_OPRF_BLINDED, evaluate, s, error);
    return st ? st : party_exchange(run, &tags, 0, NULL, s, error);
}

/* ---- What the receiver tells, when the result is revealed to both ---- */

static tally_status take_confirm(void *user, size_t first, size_t n, const party_frame *frame,
                                 tally_error *error)
{
    sender *s = user;
    for (size_t i = 0; i < n; i++)
        if (!psi_ct_equal(s->confirm[s->confirm_of[first + i]], frame->payload + 16 * i, 16))
            return party_fail(error, TALLY_ERR_MALFORMED,
                              "the peer claims a match that it cannot confirm (entry %zu)", first + i);
    return TALLY_OK;
}

static tally_status hear_confirmations(sender *s, size_t count, tally_error *error)
{
    s->confirm_of = psi_calloc(count, sizeof *s->confirm_of);
    if (!s->confirm_of)
        return party_no_memory(error, "the confirmations");
    for (size_t i = 0, at = 0; i < s->run->own; i++)
        if (party_get_bit(s->told, i))
            s->confirm_of[at++] = i;
    party_state_confirmed(&s->run->state, count);
    return party_exchange(s->run, NULL, WIRE_CONFIRM, take_confirm, s, error);
}

static tally_status hear_receiver(sender *s, party_matched *matched, tally_error *error)
{
    size_t count = 0;
    tally_status st = party_told_receive(s->run, &s->told, &count, error);
    if (!st && s->run->security == TALLY_MALICIOUS)
        st = hear_confirmations(s, count, error);
    return st ? st : party_told_collect(s->run, s->told, s->order, matched, error);
}

tally_status party_sender(party_run *run, party_matched *matched, tally_error *error)
{
    PSI_CHECK(run->protocol != TALLY_VOLE || run->security != TALLY_MALICIOUS);
    if (run->protocol == TALLY_VOLE)
        return party_vole_sender(run, matched, error);
    sender s = {.run = run};
    int active = run->security == TALLY_MALICIOUS;
    s.width = active ? PSI_MALICIOUS_TAG : psi_tag_bytes(run->own, run->peer);
    tally_status st = party_order(&s.order, run->own, error);
    if (st)
        return st;
    st = active ? malicious(&s, error) : semi_honest(&s, error);
    if (!st && run->both)
        st = hear_receiver(&s, matched, error);
    psi_wipe(&s.key, sizeof s.key);
    psi_free(s.confirm_of);
    psi_secret_free(s.confirm);
    psi_free(s.told);
    psi_secret_free(s.order);
    return st;
}
