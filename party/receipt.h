/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt (docs/ledger.md): one text about a run that both sides make alike, sign and keep. Neither side
 * learns from it what the function hides: results stand in it as hiding commitments. Made and exchanged by
 * party/settle at the end of a session; party/ledger checks what was kept.
 */
#ifndef PARTY_RECEIPT_H
#define PARTY_RECEIPT_H

#include "party/tally.h"
#include "proto/receipt.h"

#define PARTY_RECEIPT_MAX 4096u /* bytes of a receipt's text, zero included */

/* One side of a run, as a receipt has it. */
typedef struct party_receipt_side {
    char organisation[4 * 64 + 1];            /* of the agreement; "" without one */
    char fingerprint[TALLY_FINGERPRINT_TEXT]; /* link key; "" where the caller vouched for the link */
    int signs;
    uint8_t public32[32]; /* signing key */
    uint64_t items;       /* of the list, padding included */
    uint8_t commitment32[32];
    wire_facts facts;
} party_receipt_side;

/* What both sides say alike. */
typedef struct party_receipt_run {
    char session[65];                       /* 64 hex digits, of the session id */
    char agreement[TALLY_FINGERPRINT_TEXT]; /* digest; "": none */
    char function[8], protocol[8], security[16], reveal[16];
    uint64_t min_overlap;
    party_receipt_side side[2]; /* receiver, sender */
} party_receipt_run;

/* A receipt as it is kept. */
typedef struct party_receipt {
    char text[PARTY_RECEIPT_MAX]; /* "": there is none yet */
    uint8_t digest32[32];         /* SHA-256 of what is signed */
    int has_signature[2];
    uint8_t signature64[2][64]; /* receiver's, sender's */
} party_receipt;

/* Writes text and digest. TALLY_ERR_INTERNAL: it does not fit. */
tally_status party_receipt_write(party_receipt *out, const party_receipt_run *run) TALLY_MUST_CHECK;
/* Signs as receiver (0) or sender (1). */
tally_status party_receipt_sign(party_receipt *receipt, size_t side,
                                const tally_identity *identity) TALLY_MUST_CHECK;

/* What the text of a kept receipt says. TALLY_ERR_DIFFERS: it is not the text of a receipt, byte for byte. */
tally_status party_receipt_read(const char *text, party_receipt_run *out) TALLY_MUST_CHECK;
/* Is it the signature of that side under the text? TALLY_ERR_DIFFERS: it is not, or the side does not sign.
 */
tally_status party_receipt_verify(const char *text, const party_receipt_side *side,
                                  const uint8_t signature64[64]) TALLY_MUST_CHECK;

#endif
