/* SPDX-License-Identifier: Apache-2.0 */
#include "party/overlap.h"

#include "psi/mem.h"
#include "psi/sha256.h"

#include <string.h>

enum hashes { PAD, POINT, BOTH, HASHES };

struct party_overlap {
    uint32_t state[HASHES][8]; /* after tag and sid */
    uint8_t column_key[16];
    psi_shamir *f; /* the sender's */
};

/* The first 16 bytes of the hash of a message of len <= 32 bytes. */
static void hash16(const party_overlap *o, enum hashes which, uint8_t out16[16], const uint8_t *message,
                   size_t len)
{
    uint8_t digest[1][32];
    psi_sha256_lanes()->many(digest, o->state[which], message, len, 1);
    memcpy(out16, digest[0], 16);
    psi_wipe(digest, sizeof digest);
}

/* Where an item's share is. At 0 would be the key itself (2^-128 an item): 1 stands for it. */
static void point_of(const party_overlap *o, uint8_t point16[16], const psi_item *item)
{
    uint8_t any = 0;
    hash16(o, POINT, point16, item->b, sizeof item->b);
    for (unsigned i = 0; i < 16; i++)
        any |= point16[i];
    point16[0] |= (uint8_t)((any - 1u) >> 31); /* 1 if no bit was set */
}

/* Covers a share, or uncovers it. */
static void pad(const party_overlap *o, uint8_t share[PARTY_SHARE], const uint8_t key[PSI_LABEL_KEY])
{
    uint8_t cover[PARTY_SHARE];
    hash16(o, PAD, cover, key, PSI_LABEL_KEY);
    for (unsigned i = 0; i < PARTY_SHARE; i++)
        share[i] ^= cover[i];
    psi_wipe(cover, sizeof cover);
}

static party_overlap *with_sid(const psi_sid *sid)
{
    party_overlap *o = psi_secret_calloc(1, sizeof *o);
    if (!o)
        return NULL;
    psi_sha256_prefix(o->state[PAD], PSI_TAG_LABEL_SHARE, sid->b);
    psi_sha256_prefix(o->state[POINT], PSI_TAG_LABEL_POINT, sid->b);
    psi_sha256_prefix(o->state[BOTH], PSI_TAG_LABEL_BOTH, sid->b);
    return o;
}

void party_overlap_free(party_overlap *o)
{
    if (!o)
        return;
    psi_shamir_free(o->f);
    psi_secret_free(o);
}

tally_status party_overlap_new(party_overlap **out, size_t minimum, const psi_sid *sid)
{
    party_overlap *o = with_sid(sid);
    tally_status st = o ? psi_shamir_new(&o->f, minimum) : TALLY_ERR_NO_MEMORY;
    if (st) {
        party_overlap_free(o);
        return st;
    }
    psi_shamir_secret(o->f, o->column_key);
    *out = o;
    return TALLY_OK;
}

void party_overlap_share(const party_overlap *o, uint8_t share[PARTY_SHARE], const psi_item *item,
                         const uint8_t key[PSI_LABEL_KEY])
{
    uint8_t point[16];
    point_of(o, point, item);
    psi_shamir_share(o->f, share, point);
    pad(o, share, key);
    psi_wipe(point, sizeof point);
}

tally_status party_overlap_join(party_overlap **out, const party_share *shares, size_t minimum,
                                const psi_sid *sid)
{
    party_overlap *o = with_sid(sid);
    uint8_t *points = psi_secret_calloc(minimum, 16), *plain = psi_secret_calloc(minimum, PARTY_SHARE);
    tally_status st = o && points && plain ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t i = 0; !st && i < minimum; i++) {
        point_of(o, points + 16 * i, shares[i].item);
        memcpy(plain + PARTY_SHARE * i, shares[i].share, PARTY_SHARE);
        pad(o, plain + PARTY_SHARE * i, shares[i].key);
    }
    if (!st)
        st = psi_shamir_join(o->column_key, points, plain, minimum);
    psi_secret_free(plain);
    psi_secret_free(points);
    if (st)
        party_overlap_free(o);
    else
        *out = o;
    return st;
}

void party_overlap_key(const party_overlap *o, uint8_t label_key[PSI_LABEL_KEY],
                       const uint8_t key[PSI_LABEL_KEY])
{
    uint8_t message[16 + PSI_LABEL_KEY];
    memcpy(message, o->column_key, 16);
    memcpy(message + 16, key, PSI_LABEL_KEY);
    hash16(o, BOTH, label_key, message, sizeof message);
    psi_wipe(message, sizeof message);
}
