/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The minimum overlap of a match with columns (docs/protocol-columns.md, section 7): takes an item and its
 * key, gives the key of its label, which takes the key of all columns besides, and a share of that one.
 * Called by party/session once a run, by party/columns for each label.
 *
 *   share = f(x) XOR pad(key), 16 bytes, in front of the sealed label
 */
#ifndef PARTY_OVERLAP_H
#define PARTY_OVERLAP_H

#include "party/tally.h"
#include "psi/item.h"
#include "psi/label.h"
#include "psi/shamir.h"

#define PARTY_SHARE 16u /* bytes */

/* The key of all columns of one run; the sender's also holds f. Secret; read by any number of threads. */
typedef struct party_overlap party_overlap;

/* The sender's: a new key. minimum as in psi_shamir_new, whose codes these are. */
tally_status party_overlap_new(party_overlap **out, size_t minimum, const psi_sid *sid) TALLY_MUST_CHECK;
void party_overlap_free(party_overlap *o); /* NULL allowed */
void party_overlap_share(const party_overlap *o, uint8_t share[PARTY_SHARE], const psi_item *item,
                         const uint8_t key[PSI_LABEL_KEY]);

/* What the receiver has of a match. */
typedef struct party_share {
    const psi_item *item;
    const uint8_t *key;   /* PSI_LABEL_KEY bytes */
    const uint8_t *share; /* PARTY_SHARE bytes, as it came */
} party_share;
/* The receiver's, from `minimum` matches of different items. TALLY_ERR_NO_MEMORY. TALLY_ERR_MALFORMED: two
 * items have one point (n^2 2^-129). Shares that are none give another key, which opens nothing. */
tally_status party_overlap_join(party_overlap **out, const party_share *shares, size_t minimum,
                                const psi_sid *sid) TALLY_MUST_CHECK;

/* The key that seals the label of the item with this key. */
void party_overlap_key(const party_overlap *o, uint8_t label_key[PSI_LABEL_KEY],
                       const uint8_t key[PSI_LABEL_KEY]);

#endif
