/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subspace-VOLE matching, online part (docs/protocol-vole.md): bin by bin. Takes items, leaf keys and Delta
 * from psi/vole_setup, gives what is sent and the tags. A bin is one thread's work with a work space of its
 * own; everything else is shared and read only. Called by party/vole.
 *
 *   receiver, bin b: seed, D = u ^ C(P), column by column          -> sender
 *   sender, bin b:   Q = W ^ (Delta where D is set), tags of its items of the bin
 */
#ifndef PSI_VOLE_H
#define PSI_VOLE_H

#include "psi/code.h"
#include "psi/ggm.h"
#include "psi/item.h"
#include "psi/rowhash.h"
#include "psi/subspace.h"

/* Sizes of a run: a function of k and the two list sizes, so both sides compute the same. */
typedef struct psi_vole_sizes {
    unsigned k, columns;
    uint32_t bins;     /* ceil(receiver's n / 2^15), at least 1 */
    uint32_t slots;    /* of a bin, sparse and dense: a multiple of 512, at most 43520 */
    uint32_t load_max; /* receiver's items in a bin, exceeded with probability 2^-41 in all */
    size_t tag_width;  /* bytes, 5..13 */
    size_t key_width;  /* 0; set to PSI_VOLE_KEY by who wants a key behind each tag (psi/label) */
    size_t bin_bytes;  /* of D: columns * slots / 8 */
} psi_vole_sizes;

#define PSI_VOLE_SEED 16u /* bytes in front of D */
#define PSI_VOLE_KEY 16u  /* bytes of an item's key: the last of the digest whose first ones are the tag */

/* TALLY_ERR_USAGE for another k than 4 or 6, or more than 2^30 items. */
tally_status psi_vole_sizes_init(psi_vole_sizes *s, unsigned k, uint64_t receiver_items,
                                 uint64_t sender_items) TALLY_MUST_CHECK;

/* An item as this protocol uses it: 16 bytes of SHA-256(tag VOLE_ID padded with sid to a block, item), and
 * its place in the list. */
typedef struct psi_vole_entry {
    uint8_t id[16];
    uint32_t bin, item;
} psi_vole_entry;

/* entries[i] for items[first + i], i < n. */
void psi_vole_entries(psi_vole_entry *entries, const psi_item *items, size_t first, size_t n,
                      const psi_sid *sid, uint32_t bins);
/* Sorts entries by bin into `sorted` (n each); start[b] .. start[b + 1] is bin b, start has bins + 1 entries.
 * Returns the largest bin. */
size_t psi_vole_sort(psi_vole_entry *sorted, uint32_t *start, const psi_vole_entry *entries, size_t n,
                     uint32_t bins);

/* What all bins share. */
typedef struct psi_vole_shared {
    psi_vole_sizes sizes;
    psi_code code;
    psi_sid sid;
    psi_row_key row_key;
    psi_leaf
        *leaves;    /* secret: columns * 2^k expanded keys; the sender's in order j ^ Delta, leaf 0 unknown */
    uint8_t *delta; /* sender only, secret: one per column */
    uint8_t (*offset)[256][32]; /* sender only, secret: Z(Delta o C(m)) by bytes of m, ten tables */
    uint32_t tag_state[8];      /* SHA-256 after the block of tag and sid */
} psi_vole_shared;

/* keys16: columns * 2^k leaf keys (wiped by the caller); delta NULL at the receiver. points32: H(row-hash
 * nonce). Owns copies; _free wipes. */
tally_status psi_vole_shared_init(psi_vole_shared *s, const psi_vole_sizes *sizes, const psi_sid *sid,
                                  const psi_block *keys, const uint8_t *delta,
                                  const uint8_t points32[32]) TALLY_MUST_CHECK;
void psi_vole_shared_free(psi_vole_shared *s);

typedef struct psi_vole_work psi_vole_work; /* about 7 MB at k = 4 */
psi_vole_work *psi_vole_work_new(const psi_vole_sizes *sizes, int receiver);
void psi_vole_work_free(psi_vole_work *w);

/*
 * Receiver: bin b with its n entries. message: PSI_VOLE_SEED + bin_bytes. tags: n * (tag_width +
 * key_width), in the order of the entries; keys are secret. TALLY_ERR_INTERNAL after three seeds without a
 * table (probability below 2^-120).
 */
tally_status psi_vole_receive_bin(psi_vole_work *w, const psi_vole_shared *s, uint32_t b,
                                  const psi_vole_entry *entries, size_t n, uint8_t *message,
                                  uint8_t *tags) TALLY_MUST_CHECK;
/* Sender: bin b of the peer's message with its own n entries; tags as above. Any message is a valid one. */
tally_status psi_vole_send_bin(psi_vole_work *w, const psi_vole_shared *s, uint32_t b, const uint8_t *message,
                               const psi_vole_entry *entries, size_t n, uint8_t *tags) TALLY_MUST_CHECK;

#endif
