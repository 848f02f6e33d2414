/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 2HashDH as standardised: the OPRF and VOPRF of RFC 9497, suite ristretto255-SHA512, in batches, and the
 * tags that matching against an active peer uses (docs/protocol-ecdh.md). Client = receiver, server = sender.
 */
#ifndef PSI_OPRF_H
#define PSI_OPRF_H

#include "psi/group.h"
#include "psi/item.h"

#define PSI_OPRF_BATCH_MAX 65535 /* elements under one proof: the RFC's two-byte index, 2^16 - 1 */

enum psi_oprf_mode { PSI_OPRF_BASE = 0x00, PSI_OPRF_VERIFIABLE = 0x01 };

typedef struct psi_proof {
    psi_scalar c, s; /* RFC 9497 section 2.2.1; 64 bytes on the wire: c then s */
} psi_proof;

/* blinded[i] = r[i] * H(prefix || the len bytes at inputs + i*len), RFC 9497 section 3.3.1 with many inputs.
 */
tally_status psi_oprf_blind(psi_point *blinded, const psi_scalar *r, const void *prefix, size_t prefix_len,
                            const uint8_t *inputs, size_t len, size_t n,
                            enum psi_oprf_mode mode) TALLY_MUST_CHECK;

/* pk = k * generator. */
tally_status psi_oprf_public(psi_point *pk, const psi_scalar *k) TALLY_MUST_CHECK;

/* evaluated[i] = k * blinded[i]; TALLY_ERR_MALFORMED and *bad on an invalid element. */
tally_status psi_oprf_evaluate(psi_point *evaluated, const psi_point *blinded, size_t n, const psi_scalar *k,
                               size_t *bad) TALLY_MUST_CHECK;

/* GenerateProof of RFC 9497 section 2.2.1 over 1..65535 pairs; r is the proof's fresh random scalar. On
   failure proof is wiped. */
tally_status psi_oprf_prove(psi_proof *proof, const psi_scalar *k, const psi_point *pk,
                            const psi_point *blinded, const psi_point *evaluated, size_t n,
                            const psi_scalar *r, enum psi_oprf_mode mode) TALLY_MUST_CHECK;

/* VerifyProof of RFC 9497 section 2.2.2. TALLY_ERR_MALFORMED: an element or pk is invalid or the identity, c
   or s is not canonical, n is not 1..65535, or the proof does not hold. */
tally_status psi_oprf_verify(const psi_proof *proof, const psi_point *pk, const psi_point *blinded,
                             const psi_point *evaluated, size_t n, enum psi_oprf_mode mode) TALLY_MUST_CHECK;

/* out64[i] = SHA-512(len(input), input, len(N), N, "Finalize") with N = r_inverse[i] * evaluated[i], RFC
 * 9497 3.3.1. */
tally_status psi_oprf_finalize(uint8_t (*out64)[64], const psi_point *evaluated, const psi_scalar *r_inverse,
                               const void *prefix, size_t prefix_len, const uint8_t *inputs, size_t len,
                               size_t n) TALLY_MUST_CHECK;

/* The sender's own evaluation of its inputs: out64[i] = F_k(prefix || input i). */
tally_status psi_oprf_direct(uint8_t (*out64)[64], const psi_scalar *k, const void *prefix, size_t prefix_len,
                             const uint8_t *inputs, size_t len, size_t n,
                             enum psi_oprf_mode mode) TALLY_MUST_CHECK;

/*
 * Matching (psi/match.c). The OPRF input of an item is psi_item_prefix (tag ECDH_INPUT, sid), then the
 * 32-byte item. d = SHA-256(tag OPRF_TAG, sid, item, F_k(input)); tag = d[0..16), confirmation = d[16..32).
 * The sender sends tags; only a receiver that evaluated the item knows the confirmation, which the sender
 * never sent. key = SHA-256(tag LABEL_KEY, sid, item, F_k(input))[0..16) seals the item's columns
 * (psi/label).
 */
typedef struct psi_oprf_label {
    uint8_t tag[16];
    uint8_t confirm[16];
    uint8_t key[16]; /* secret */
} psi_oprf_label;

/* Receiver, batch of its items in secret order: blinds. r[i] are the n fresh blinds (secret, kept until
 * finish). */
tally_status psi_match_blind(psi_point *blinded, const psi_scalar *r, const psi_item *items,
                             const uint32_t *order, size_t n, const psi_sid *sid) TALLY_MUST_CHECK;
/* Receiver, same batch: verifies the proof first, then gives the labels. TALLY_ERR_MALFORMED: labels
 * untouched. */
tally_status psi_match_finish(psi_oprf_label *labels, const psi_point *evaluated, const psi_point *blinded,
                              const psi_scalar *r, const psi_item *items, const uint32_t *order, size_t n,
                              const psi_sid *sid, const psi_point *pk,
                              const psi_proof *proof) TALLY_MUST_CHECK;
/* Sender: labels of its own items in secret order. */
tally_status psi_match_labels(psi_oprf_label *labels, const psi_item *items, const uint32_t *order, size_t n,
                              const psi_sid *sid, const psi_scalar *k) TALLY_MUST_CHECK;

#endif
