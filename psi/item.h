/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "item": takes the canonical fields of one identifier, gives the 32-byte item every protocol works on.
 * Called by party/rows for each accepted row; by the protocols to bind items to a session.
 */
#ifndef PSI_ITEM_H
#define PSI_ITEM_H

#include "psi/hash.h"

typedef struct psi_item {
    uint8_t b[32];
} psi_item;

typedef struct psi_sid {
    uint8_t b[32];
} psi_sid;

/*
 * The public bytes that stand before an item in every hash to the group: one byte tag length, the ASCII of
 * ECDH_INPUT, the session id. Returns their number, at most PSI_ITEM_PREFIX.
 */
#define PSI_ITEM_PREFIX (1 + 15 + 32)
size_t psi_item_prefix(uint8_t out[PSI_ITEM_PREFIX], const psi_sid *sid);

/*
 * item = SHA-256(tag ITEM, number of fields (1 byte), for each field its length (4 bytes big-endian) and
 * bytes). fields: 1..8 canonical fields, each at most 4096 bytes (the profile module's limits); else
 * TALLY_ERR_INTERNAL. It is unkeyed: an item is as secret as the identifier and never leaves the process
 * unmasked.
 */
tally_status psi_item_from_fields(psi_hash *h, const psi_part *fields, size_t count,
                                  psi_item *out) TALLY_MUST_CHECK;

/*
 * The same in two steps, for items by the million. psi_item_block writes the message with SHA-256's padding
 * and returns 1 if it fits one block: the fields and 4 bytes for each take at most 41 bytes. Otherwise 0,
 * with block untouched. psi_items_from_blocks hashes n of them, out[i] of blocks[i].
 */
#define PSI_ITEM_ONE_BLOCK 41u
int psi_item_block(const psi_part *fields, size_t count, uint8_t block[64]) TALLY_MUST_CHECK;
void psi_items_from_blocks(const uint8_t (*blocks)[64], size_t n, psi_item *out);

/* Digest of a list: SHA-256(tag LIST, count (8 bytes BE), items in ascending byte order). items must be
 * sorted. */
tally_status psi_list_digest(psi_hash *h, const psi_item *sorted, size_t count,
                             uint8_t out32[32]) TALLY_MUST_CHECK;

/* Hiding commitment: SHA-256(tag COMMIT, opening (32 secret random bytes), list digest). */
tally_status psi_list_commit(psi_hash *h, const uint8_t opening32[32], const uint8_t digest32[32],
                             uint8_t out32[32]) TALLY_MUST_CHECK;

#endif
