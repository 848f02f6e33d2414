/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ecdh.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <string.h>

#define CHUNK 128 /* items gathered, or points multiplied, at once: 4 KiB on the stack */

/* Names the protocol, its version and the suite, as RFC 9380 section 3.1 asks. */
static const char input_dst[] = "TALLY-V01-CS01-ECDH-ristretto255_XMD:SHA-512_R255MAP_RO_";

tally_status psi_ecdh_mask(psi_point *out, const psi_item *items, const uint32_t *order, size_t n,
                           const psi_sid *sid, const psi_scalar *k)
{
    uint8_t prefix[PSI_ITEM_PREFIX];
    size_t prefix_len = psi_item_prefix(prefix, sid);
    psi_item chunk[CHUNK];
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        for (size_t i = 0; i < m; i++)
            chunk[i] = items[order[at + i]];
        st = psi_hash_mul_common(out + at, prefix, prefix_len, chunk[0].b, sizeof chunk[0], m,
                                 (const uint8_t *)input_dst, sizeof input_dst - 1, k);
    }
    if (st)
        psi_wipe(out, n * sizeof *out);
    else
        PSI_DECLASSIFY(out, n * sizeof *out); /* sent to the peer: pseudorandom without k (DDH) */
    psi_wipe(chunk, sizeof chunk);
    return st;
}

tally_status psi_ecdh_tag(uint8_t *tags, size_t width, const psi_point *in, size_t n, const psi_sid *sid,
                          const psi_scalar *k, size_t *bad)
{
    psi_point chunk[CHUNK];
    uint8_t digest[32] = {0};
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    PSI_CHECK(width >= 1 && width <= sizeof digest);
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK, bad_here = 0;
        st = psi_group()->mul_common(chunk, in + at, m, k, &bad_here);
        if (st == TALLY_ERR_MALFORMED && bad)
            *bad = at + bad_here;
        for (size_t i = 0; !st && i < m; i++) {
            st = psi_hash_start(h, PSI_TAG_ECDH_TAG);
            if (!st)
                st = psi_hash_add(h, sid->b, sizeof sid->b);
            if (!st)
                st = psi_hash_add(h, chunk[i].b, sizeof chunk[i].b);
            if (!st)
                st = psi_hash_end(h, digest);
            memcpy(tags + (at + i) * width, digest, width);
        }
    }
    if (st)
        psi_wipe(tags, n * width);
    else
        PSI_DECLASSIFY(tags, n * width); /* sent to the peer, or compared with what the peer sent */
    psi_wipe(digest, sizeof digest);
    psi_wipe(chunk, sizeof chunk);
    psi_hash_free(h);
    return st;
}
