/* SPDX-License-Identifier: Apache-2.0 */
/* The identity's inside, for party/tls: key and certificate; for party/agreement the signing key. Made by
 * identity_new.c, read by identity.c. */
#ifndef PARTY_IDENTITY_H
#define PARTY_IDENTITY_H

#include "party/rotation.h"
#include "psi/hash.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

#define PARTY_PEERS_MAX 4 /* folders */

struct tally_identity {
    EVP_PKEY *key;             /* NULL with TALLY_IDENTITY_PUBLIC, where it is encrypted or in a token */
    struct party_token *token; /* where key is; NULL: in key.pem, or not opened */
    int in_token;
    char token_name[256];              /* its label, or what key.uri says of it; may be empty */
    int key_encrypted, sign_encrypted; /* the files were */
    char *peers[PARTY_PEERS_MAX];      /* folders that say what is known of peers */
    size_t peers_count;
    party_rotation rotations[PARTY_ROTATIONS_MAX]; /* of this identity's keys, oldest first */
    size_t rotation_count;
    int next_waits; /* 1: a new key lies in next/, and this one is in use until --finish */
    X509 *cert;
    STACK_OF(X509) *
        chain; /* further certificates of cert.pem (a CA's intermediates), sent along; may be empty */
    uint8_t fingerprint32[32];
    char fingerprint[TALLY_FINGERPRINT_TEXT];
    EVP_PKEY *sign; /* Ed25519, of sign.pem; NULL: this identity has none, or as key */
    uint8_t sign_public32[32];
    char sign_fingerprint[TALLY_FINGERPRINT_TEXT]; /* empty without one */
    char subject[256];
    char key_type[32];
    int64_t not_before, not_after;
};

/* A pem_password_cb: what is public needs no passphrase, and OpenSSL's own callback would ask the terminal.
 */
int party_pem_public(char *buf, int size, int writing, void *user);
/* SHA-256 of the certificate's DER SubjectPublicKeyInfo. */
tally_status party_spki_fingerprint(X509 *cert, uint8_t out32[32]) TALLY_MUST_CHECK;
/* Subject in RFC 2253 form, UTF-8 (XN_FLAG_RFC2253 without ASN1_STRFLGS_ESC_MSB), control characters escaped.
   Empty when it does not fit, or is not valid. */
void party_subject_text(X509 *cert, char *out, size_t size);
/* Seconds since 1970 UTC. 0 when the certificate's time is not a time. */
int party_asn1_seconds(const ASN1_TIME *t, int64_t *out);
/* "2026-08-25 10:00 UTC". */
void party_time_text(char out[32], int64_t seconds);
/* "sha256:..." of an Ed25519 public key (RFC 8032, 32 bytes), over its DER SubjectPublicKeyInfo. */
tally_status party_sign_fingerprint(const uint8_t public32[32],
                                    char out[TALLY_FINGERPRINT_TEXT]) TALLY_MUST_CHECK;
/* Ed25519 over len bytes by the identity's signing key, which has to be there. */
tally_status party_sign(const tally_identity *identity, const void *message, size_t len,
                        uint8_t out64[64]) TALLY_MUST_CHECK;
/* A key of 32 bytes for another use, from the secret of the signing key, which has to be there, and a
 * context: SHA-256(tag, secret (32 bytes), sized context). */
tally_status party_sign_derive(const tally_identity *identity, enum psi_tag tag, const void *context,
                               size_t len, uint8_t out32[32]) TALLY_MUST_CHECK;
/* TALLY_ERR_DIFFERS: not the signature of this key over these bytes. */
tally_status party_sign_verify(const uint8_t public32[32], const void *message, size_t len,
                               const uint8_t signature64[64]) TALLY_MUST_CHECK;

/* "Ed25519", "RSA 3072", ...; 0 when TLS 1.3 has no use for the key. */
int party_key_type(EVP_PKEY *key, char *out, size_t size);
/* The file rotations of the folder, and whether there is next/. */
tally_status party_identity_read_rotations(tally_identity *id, const char *dir,
                                           tally_error *error) TALLY_MUST_CHECK;
/* 1: signed by its own key. */
int party_cert_self_signed(X509 *cert);
/* The certificates of a file in PEM form: the first, and what follows it. */
tally_status party_certs_read(X509 **cert, STACK_OF(X509) * *chain, const char *path,
                              tally_error *error) TALLY_MUST_CHECK;
/* A new certificate of this subject for public_key (that of key, which need not give it), signed by its own
 * key. NULL when it cannot be made. */
X509 *party_cert_make(EVP_PKEY *key, EVP_PKEY *public_key, X509_NAME *subject, unsigned days);
/* TALLY_ERR_AUTH when our own certificate is not valid now: said before anything is sent. TALLY_ERR_USAGE:
 * its key is not open. */
tally_status party_identity_usable(const tally_identity *identity, tally_error *error) TALLY_MUST_CHECK;

#endif
