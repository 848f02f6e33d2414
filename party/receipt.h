/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt (docs/ledger.md): one text about a run that both sides make alike, sign and keep. Neither side
 * learns from it what the function hides: results stand in it as hiding commitments. Called by party/session,
 * and by party/ledger to check what was kept.
 */
#ifndef PARTY_RECEIPT_H
#define PARTY_RECEIPT_H

#include "party/tally.h"

#define PARTY_RECEIPT_MAX 4096u /* bytes of a receipt's text */

/* What the text of a kept receipt says of one side; "" or zero where it says nothing. */
typedef struct party_receipt_side {
    char fingerprint[TALLY_FINGERPRINT_TEXT]; /* link key */
    uint8_t public32[32];                     /* signing key; signs: 1 if there is one */
    int signs;
    uint8_t ledger32[32]; /* root of its ledger with the run's intent; keeps: 1 if it keeps one */
    int keeps;
} party_receipt_side;

typedef struct party_receipt_facts {
    char session[65]; /* 64 hex digits */
    char agreement[TALLY_FINGERPRINT_TEXT];
    party_receipt_side side[2]; /* receiver, sender */
} party_receipt_facts;

/* TALLY_ERR_DIFFERS: not the text of a receipt. */
tally_status party_receipt_read(const char *text, party_receipt_facts *out) TALLY_MUST_CHECK;
/* Is signature64 that of this side under the text? TALLY_ERR_DIFFERS: it is not. */
tally_status party_receipt_verify(const char *text, const party_receipt_side *side,
                                  const uint8_t signature64[64]) TALLY_MUST_CHECK;

#endif
