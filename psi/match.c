/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of psi/oprf.h: RFC 9497's VOPRF on the items of a list, in their secret order. */
#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include <string.h>

#define CHUNK 128 /* items at once: 4 KiB, and 8 KiB of their outputs, on the stack */

static void gather(psi_item *chunk, const psi_item *items, const uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        chunk[i] = items[order[i]];
}

static tally_status digest(psi_hash *h, enum psi_tag tag, const psi_sid *sid, const psi_item *item,
                           const uint8_t output[64], uint8_t out[32])
{
    tally_status st = psi_hash_start(h, tag);
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_add(h, item->b, sizeof item->b);
    if (!st)
        st = psi_hash_add(h, output, 64);
    return st ? st : psi_hash_end(h, out);
}

/* Tag and confirmation are SHA-256(tag OPRF_TAG, sid, items[i], outputs[i]), cut in two; the key is half of
 * the same with tag LABEL_KEY. */
static tally_status make_labels(psi_hash *h, psi_oprf_label *labels, const psi_item *items,
                                uint8_t (*outputs)[64], size_t n, const psi_sid *sid)
{
    uint8_t d[32], key[32];
    tally_status st = TALLY_OK;
    for (size_t i = 0; !st && i < n; i++) {
        st = digest(h, PSI_TAG_OPRF_TAG, sid, &items[i], outputs[i], d);
        if (!st)
            st = digest(h, PSI_TAG_LABEL_KEY, sid, &items[i], outputs[i], key);
        if (st)
            break;
        memcpy(labels[i].tag, d, sizeof labels[i].tag);
        memcpy(labels[i].confirm, d + sizeof labels[i].tag, sizeof labels[i].confirm);
        memcpy(labels[i].key, key, sizeof labels[i].key);
        /* The sender sends its tags and the receiver compares its own with them. Confirmations and keys stay
         * secret. */
        PSI_DECLASSIFY(labels[i].tag, sizeof labels[i].tag);
    }
    psi_wipe(key, sizeof key);
    psi_wipe(d, sizeof d);
    return st;
}

tally_status psi_match_blind(psi_point *blinded, const psi_scalar *r, const psi_item *items,
                             const uint32_t *order, size_t n, const psi_sid *sid)
{
    uint8_t prefix[PSI_ITEM_PREFIX];
    size_t prefix_len = psi_item_prefix(prefix, sid);
    psi_item chunk[CHUNK];
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        gather(chunk, items, order + at, m);
        st = psi_oprf_blind(blinded + at, r + at, prefix, prefix_len, chunk[0].b, sizeof chunk[0], m,
                            PSI_OPRF_VERIFIABLE);
    }
    if (st)
        psi_wipe(blinded, n * sizeof *blinded);
    psi_wipe(chunk, sizeof chunk);
    return st;
}

tally_status psi_match_finish(psi_oprf_label *labels, const psi_point *evaluated, const psi_point *blinded,
                              const psi_scalar *r, const psi_item *items, const uint32_t *order, size_t n,
                              const psi_sid *sid, const psi_point *pk, const psi_proof *proof)
{
    uint8_t prefix[PSI_ITEM_PREFIX], outputs[CHUNK][64];
    size_t prefix_len = psi_item_prefix(prefix, sid);
    psi_item chunk[CHUNK];
    psi_scalar inverse[CHUNK];
    tally_status st = psi_oprf_verify(proof, pk, blinded, evaluated, n, PSI_OPRF_VERIFIABLE);
    if (st)
        return st;
    psi_hash *h = psi_hash_new();
    st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        gather(chunk, items, order + at, m);
        st = psi_scalar_invert(inverse, r + at, m);
        if (!st)
            st = psi_oprf_finalize(outputs, evaluated + at, inverse, prefix, prefix_len, chunk[0].b,
                                   sizeof chunk[0], m);
        if (!st)
            st = make_labels(h, labels + at, chunk, outputs, m, sid);
    }
    if (st)
        psi_wipe(labels, n * sizeof *labels);
    psi_wipe(inverse, sizeof inverse);
    psi_wipe(chunk, sizeof chunk);
    psi_wipe(outputs, sizeof outputs);
    psi_hash_free(h);
    return st;
}

tally_status psi_match_labels(psi_oprf_label *labels, const psi_item *items, const uint32_t *order, size_t n,
                              const psi_sid *sid, const psi_scalar *k)
{
    uint8_t prefix[PSI_ITEM_PREFIX], outputs[CHUNK][64];
    size_t prefix_len = psi_item_prefix(prefix, sid);
    psi_item chunk[CHUNK];
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        gather(chunk, items, order + at, m);
        st = psi_oprf_direct(outputs, k, prefix, prefix_len, chunk[0].b, sizeof chunk[0], m,
                             PSI_OPRF_VERIFIABLE);
        if (!st)
            st = make_labels(h, labels + at, chunk, outputs, m, sid);
    }
    if (st)
        psi_wipe(labels, n * sizeof *labels);
    psi_wipe(chunk, sizeof chunk);
    psi_wipe(outputs, sizeof outputs);
    psi_hash_free(h);
    return st;
}
