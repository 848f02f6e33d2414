/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256: leaves one by one into a root, proofs that a leaf
 * is in a tree and that a tree is the beginning of a larger one, and their checks (RFC 9162, sections 2.1.3.2
 * and 2.1.4.2). No step of the data path; called by party/ledger. Everything here is public.
 *
 * Subtree (level, index) is the complete one over the leaves index * 2^level .. (index + 1) * 2^level - 1. A
 * complete subtree never changes, so a log that keeps their hashes answers everything in O(log n).
 */
#ifndef PSI_MERKLE_H
#define PSI_MERKLE_H

#include "psi/hash.h"

#define PSI_MERKLE_LEVELS 64u /* of subtrees: sizes up to 2^63 */
#define PSI_MERKLE_PROOF                                                                                     \
    64u /* hashes of a proof, at most: one a level, and one to start a consistency proof */
#define PSI_MERKLE_MAX ((uint64_t)1 << 63)

/* SHA-256 of no bytes: the root of a tree without leaves. */
void psi_merkle_empty(uint8_t out32[32]);
/* Of the byte 0x00 and the parts. NULL parts of length 0 are allowed. */
void psi_merkle_leaf(const psi_part *parts, size_t count, uint8_t out32[32]);
/* Of the byte 0x01 and two hashes. out32 may be either. */
void psi_merkle_node(const uint8_t left32[32], const uint8_t right32[32], uint8_t out32[32]);

/* Gives, and takes, the hash of a complete subtree. What fails ends the call with its status. */
typedef tally_status (*psi_merkle_get)(void *user, unsigned level, uint64_t index, uint8_t out32[32]);
typedef tally_status (*psi_merkle_put)(void *user, unsigned level, uint64_t index, const uint8_t hash32[32]);

/* A tree that grows: at[l] is the hash of its complete subtree of level l, where bit l of size is set. */
typedef struct psi_merkle {
    uint64_t size;
    uint8_t at[PSI_MERKLE_LEVELS][32];
} psi_merkle;

/* The tree over the first size leaves. TALLY_ERR_INTERNAL: size above PSI_MERKLE_MAX. */
tally_status psi_merkle_load(psi_merkle *m, uint64_t size, psi_merkle_get get, void *user) TALLY_MUST_CHECK;
/* Adds a leaf; put (NULL: not wanted) gets each subtree that it completes, the leaf first. size has to be
 * below PSI_MERKLE_MAX. When put fails, the tree is as it was. */
tally_status psi_merkle_add(psi_merkle *m, const uint8_t leaf32[32], psi_merkle_put put,
                            void *user) TALLY_MUST_CHECK;
void psi_merkle_root(const psi_merkle *m, uint8_t root32[32]);

/*
 * Proofs: PATH and PROOF of RFC 6962, sections 2.1.1 and 2.1.2. TALLY_ERR_INTERNAL: index >= size, older >
 * size, or size above PSI_MERKLE_MAX. A tree without leaves is the beginning of each, by an empty proof.
 */
tally_status psi_merkle_include(uint64_t index, uint64_t size, psi_merkle_get get, void *user,
                                uint8_t proof[PSI_MERKLE_PROOF][32], size_t *count) TALLY_MUST_CHECK;
tally_status psi_merkle_extend(uint64_t older, uint64_t size, psi_merkle_get get, void *user,
                               uint8_t proof[PSI_MERKLE_PROOF][32], size_t *count) TALLY_MUST_CHECK;

/* 1 if the proof holds, else 0. Any values may be given. proof: count hashes of 32 bytes, one behind the
 * other. */
int psi_merkle_included(uint64_t index, uint64_t size, const uint8_t leaf32[32], const uint8_t *proof,
                        size_t count, const uint8_t root32[32]);
int psi_merkle_extends(uint64_t older, uint64_t size, const uint8_t older32[32], const uint8_t root32[32],
                       const uint8_t *proof, size_t count);

#endif
