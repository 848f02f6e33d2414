/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashing: SHA-256 and SHA-512 by OpenSSL, and the one table of domain tags. Every hash of Tally starts with
 * one tag of this table, so that no two uses can meet. Called by every stage from item to receipt.
 */
#ifndef PSI_HASH_H
#define PSI_HASH_H

#include "psi/tally-status.h"
#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

/* The table of tags. The ASCII text in hash.c is part of the wire format: frozen with the protocol version.
 */
enum psi_tag {
    PSI_TAG_ITEM,         /* identifier fields -> 32-byte item, before any session exists */
    PSI_TAG_SID,          /* transcript of both hellos -> session id */
    PSI_TAG_COMMIT,       /* hiding commitment to an input list */
    PSI_TAG_LIST,         /* sorted items of a list -> digest that is committed to */
    PSI_TAG_ECDH_INPUT,   /* sid, item -> message that is hashed to the group */
    PSI_TAG_ECDH_TAG,     /* sid, doubly masked point -> tag (semi-honest) */
    PSI_TAG_OPRF_TAG,     /* sid, RFC 9497 output -> tag and confirmation (malicious) */
    PSI_TAG_VOLE_ID,      /* sid, item -> 16-byte id and bin (subspace VOLE) */
    PSI_TAG_VOLE_ROW,     /* sid, seed, bin -> keys of the rows of a bin */
    PSI_TAG_VOLE_TAG,     /* sid, id, short row -> tag */
    PSI_TAG_OT_SEED,      /* sid, index, bit, points -> seed of a base OT */
    PSI_TAG_OT_STRING,    /* sid, index, row of the extension -> string */
    PSI_TAG_ROW_HASH,     /* sid, nonce -> points of the short rows */
    PSI_TAG_LABEL_KEY,    /* sid, item, RFC 9497 output -> key of an item's sealed columns */
    PSI_TAG_LABEL_SHARE,  /* sid, key of an item -> pad of its share of the column key */
    PSI_TAG_LABEL_POINT,  /* sid, item -> point at which the column key is shared */
    PSI_TAG_LABEL_BOTH,   /* sid, column key, key of an item -> key of its sealed columns */
    PSI_TAG_DUMMY,        /* sid, batch, number -> an item that is on no list */
    PSI_TAG_RLWE_SEED,    /* sid -> key of the public polynomials */
    PSI_TAG_PAILLIER,     /* sid, modulus, number -> element whose root proves the key */
    PSI_TAG_AGREEMENT,    /* an agreement's text, line ends normalised -> its digest */
    PSI_TAG_SIGN,         /* in front of an agreement's text when it is signed */
    PSI_TAG_AGREED_FIELD, /* a field of an agreement -> what tells whether two agreements differ in it */
    PSI_TAG_SESSION,      /* sid -> the number of a session in receipts and ledgers */
    PSI_TAG_RESULT,       /* opening, result -> hiding commitment to a result */
    PSI_TAG_RECEIPT,      /* in front of a receipt's text when it is signed */
    PSI_TAG_LEAF,         /* in front of a record's columns: a leaf of the ledger's tree */
    PSI_TAG_SKETCH_KEY,   /* signing key -> key of the sketches of own lists */
    PSI_TAG_SKETCH,       /* key, item -> counter and sign; key, list -> digest */
    PSI_TAG_ROTATION,     /* in front of a statement of rotation when it is signed */
    PSI_TAG_COUNT
};

/* The ASCII text of a tag, without a terminating zero on the wire; never NULL for a tag of the table. */
const char *psi_tag_text(enum psi_tag tag);

/*
 * A handle that is made once and used for many hashes (one per thread; not shared). It costs two allocations'
 * time, so batches make one and pass it down; what it absorbed last stays in it until psi_hash_free wipes it.
 * psi_hash_start begins SHA-256 and absorbs: one byte tag length, the tag's ASCII.
 */
typedef struct psi_hash psi_hash;
psi_hash *psi_hash_new(void);    /* NULL when memory is short */
void psi_hash_free(psi_hash *h); /* NULL allowed; state is wiped */
tally_status psi_hash_start(psi_hash *h, enum psi_tag tag) TALLY_MUST_CHECK;
tally_status psi_hash_add(psi_hash *h, const void *p, size_t len) TALLY_MUST_CHECK;
/* Absorbs the length as 8 bytes big-endian, then the bytes: for parts of variable length. */
tally_status psi_hash_add_sized(psi_hash *h, const void *p, size_t len) TALLY_MUST_CHECK;
tally_status psi_hash_end(psi_hash *h, uint8_t out32[32]) TALLY_MUST_CHECK;

/* Plain SHA-512 of the parts in one go (RFC 9497), also between start and end of h. NULL parts of length 0
 * are allowed. */
typedef struct psi_part {
    const void *p;
    size_t len;
} psi_part;
tally_status psi_sha512(psi_hash *h, const psi_part *parts, size_t count, uint8_t out64[64]) TALLY_MUST_CHECK;
/* Plain SHA-256 in one go: fingerprints of certificates, where the outside world fixes the form. */
tally_status psi_sha256(const void *p, size_t len, uint8_t out32[32]) TALLY_MUST_CHECK;

/* expand_message_xmd with SHA-512, RFC 9380 section 5.3.1. msg_parts <= 8, 1 <= out_len <= 16320, 1 <=
   dst_len <= 255; anything else is TALLY_ERR_INTERNAL. On failure out is wiped. */
tally_status psi_expand_message_xmd(psi_hash *h, const psi_part *msg, size_t msg_parts, const uint8_t *dst,
                                    size_t dst_len, uint8_t *out, size_t out_len) TALLY_MUST_CHECK;

/* Tally's own OpenSSL library context, made at the first call and kept; NULL when it cannot be made. */
OSSL_LIB_CTX *psi_openssl(void);

#endif
