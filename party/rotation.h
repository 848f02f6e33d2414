/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new TLS key for an organisation whose agreements name the old one: a statement, signed by the signing key
 * that the agreements name too, which the other side takes into its home. Made by party/identity_rotate, kept
 * by party/known, asked by party/peer and party/held.
 *
 * The text of a statement, each line ended by \n:
 *
 *     tally-rotation: 1
 *     signing-key: <64 hex, the public key, RFC 8032>
 *     old-key: sha256:<64 hex>
 *     new-key: sha256:<64 hex>
 *     from: 2026-11-26T18:00:00Z
 *     old-key-until: 2027-02-24T18:00:00Z
 *     signature: <128 hex, over PSI_TAG_ROTATION and the lines before>
 */
#ifndef PARTY_ROTATION_H
#define PARTY_ROTATION_H

#include "party/tally.h"

#define PARTY_ROTATIONS_MAX 32  /* statements of one identity */
#define PARTY_ROTATIONS_ALL 256 /* statements of all other sides that one home knows */
#define PARTY_ROTATION_TEXT 512 /* bytes of a statement with its zero: 485 */
#define PARTY_ROTATIONS_TEXT (PARTY_ROTATIONS_ALL * PARTY_ROTATION_TEXT)

typedef struct party_rotation {
    uint8_t signing32[32], old32[32], new32[32]; /* public key; fingerprints */
    int64_t from, until;                         /* of the new key; of the old one. Seconds, UTC */
    uint8_t signature64[64];
} party_rotation;

/* Signs: fills signing32 and signature64 from the rest. The identity has to have its signing key. */
tally_status party_rotation_sign(party_rotation *r, const tally_identity *identity) TALLY_MUST_CHECK;
/* The whole text of a statement. */
void party_rotation_text(char out[PARTY_ROTATION_TEXT], const party_rotation *r);
/*
 * Up to max statements one after another, with nothing between or behind; \r\n is taken for \n. Every
 * signature is verified. TALLY_ERR_INPUT: "NAME: what is wrong"; TALLY_ERR_DIFFERS: a signature does not fit.
 */
tally_status party_rotation_parse(party_rotation *out, size_t max, size_t *count, const char *name,
                                  const char *text, size_t len, tally_error *error) TALLY_MUST_CHECK;

enum party_pin_state {
    PARTY_PIN_OTHER,   /* not the agreed key, nor one that it was replaced by */
    PARTY_PIN_CURRENT, /* may be used */
    PARTY_PIN_EARLY,   /* one that it is going to be replaced by, but not yet */
    PARTY_PIN_RETIRED  /* the time in which it was replaced is over */
};
/*
 * Of at most PARTY_ROTATIONS_ALL statements: what the key shown32 is under an agreement that names agreed32
 * and a signing key of this fingerprint
 * ("sha256:..."). *until: when a key that may be used ceases to; 0: never.
 */
enum party_pin_state party_rotation_judge(const party_rotation *r, size_t count, const char *signing,
                                          const uint8_t agreed32[32], const uint8_t shown32[32], int64_t now,
                                          int64_t *until);

/* "2026-11-26T18:00:00Z" and back; 0: no such time. */
void party_utc_text(char out[32], int64_t seconds);
int party_utc_parse(const char *text, size_t len, int64_t *seconds);

#endif
