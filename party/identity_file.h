/* SPDX-License-Identifier: Apache-2.0 */
/* Files of an identity: keys, encrypted or not, and certificates, read with care and replaced as a whole.
 * Called by party/identity and identity_*. */
#ifndef PARTY_IDENTITY_FILE_H
#define PARTY_IDENTITY_FILE_H

#include "party/identity.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/stat.h>

/* A passphrase that is asked for when it is first needed, once for all files of a folder. Lives in memory of
 * psi_secret_calloc. */
typedef struct party_passphrase {
    tally_passphrase_callback ask; /* NULL: there is none */
    void *user;
    size_t len; /* 0: not asked yet, or there is none */
    int asked;
    int used; /* 1: a file or a token needed it */
    char text[TALLY_PASSPHRASE_MAX + 1];
} party_passphrase;

/* Asks unless it is known. what names the file that needs it. TALLY_ERR_FILE: there is none. */
tally_status party_passphrase_get(party_passphrase *p, const char *what, tally_error *error) TALLY_MUST_CHECK;

/* tally_identity_load_with, with a passphrase that the caller keeps. */
tally_status party_identity_open(const char *dir, unsigned flags, party_passphrase *p, tally_identity **out,
                                 tally_error *error) TALLY_MUST_CHECK;

/* 1: the mode of a private file that others may read; a systemd credential may be read by its group, which is
 * how an access list for one user looks. */
int party_mode_too_open(mode_t mode, unsigned flags);

/* The file as a memory BIO (wiped on release). secret: refuses a file that others may read; flags of
 * tally_identity_load_with. */
tally_status party_identity_read(BIO **out, const char *path, int secret, unsigned flags,
                                 tally_error *error) TALLY_MUST_CHECK;
/* A PEM key. *encrypted (may be NULL): whether it was. TALLY_ERR_AUTH: the passphrase does not fit. */
tally_status party_key_read(EVP_PKEY **out, const char *path, unsigned flags, party_passphrase *p,
                            int *encrypted, tally_error *error) TALLY_MUST_CHECK;
/* A key in PEM or DER form; NULL with *asked when it may be the passphrase. */
EVP_PKEY *party_key_decode(BIO *bio, const char *path, party_passphrase *p, int *asked, tally_error *error);
/* The public key in clear that party_key_pem puts behind an encrypted one. NULL: there is none. */
EVP_PKEY *party_public_key_read(const char *path);
/*
 * PKCS#8 in PEM, wiped on release; NULL when it cannot be made. With a passphrase encrypted by PBES2 (RFC
 * 8018): PBKDF2 with HMAC-SHA-256 and PARTY_PBKDF2_ROUNDS, AES-256-CBC; the public key follows, so that it
 * can be shown without the passphrase.
 */
BIO *party_key_pem(EVP_PKEY *key, const party_passphrase *p);
#define PARTY_PBKDF2_ROUNDS 600000 /* OWASP password storage cheat sheet, 2023 */

/* A new Ed25519 key that signs, as party_key_pem gives it. NULL when it cannot be made. */
BIO *party_signing_key_make(const party_passphrase *p);
#define PARTY_CHAIN_MAX 8 /* certificates behind the first */
/* Certificates in PEM. chain may be NULL. */
BIO *party_certs_pem(X509 *cert, STACK_OF(X509) * chain);

/* The files of an identity. */
typedef struct party_identity_parts {
    BIO *key, *cert, *sign; /* sign may be NULL */
    int in_token;           /* key is what goes into key.uri */
} party_identity_parts;
void party_identity_parts_free(party_identity_parts *parts);
/* Into the folder dir, which is made or empty. On failure nothing is left. TALLY_ERR_FILE. */
tally_status party_identity_store(const char *dir, const party_identity_parts *parts,
                                  tally_error *error) TALLY_MUST_CHECK;
/* What was made elsewhere, checked, as files; *pin32: fingerprint of its key. p->used is set when they are to
 * be encrypted by p, whose ask is that of from; lock, if not NULL, takes its place there. */
tally_status party_import_parts(party_identity_parts *out, uint8_t pin32[32], const tally_import *from,
                                party_passphrase *p, const party_passphrase *lock,
                                tally_error *error) TALLY_MUST_CHECK;
/* One certificate in DER form, or all of a file in PEM form. */
tally_status party_cert_read(X509 **cert, STACK_OF(X509) * *chain, const char *path,
                             tally_error *error) TALLY_MUST_CHECK;
/* Those of a file behind those of *chain, which is made if it is NULL. */
tally_status party_chain_add(STACK_OF(X509) * *chain, const char *path, tally_error *error) TALLY_MUST_CHECK;
/* A certificate with its chain for key, checked: validity, strength, uses, order of the chain. Rearranges it.
 * TALLY_ERR_AUTH. */
tally_status party_import_check(X509 *cert, STACK_OF(X509) * chain, EVP_PKEY *key, const char *name,
                                tally_error *error) TALLY_MUST_CHECK;
/* 1..3650. */
tally_status party_days_check(unsigned days, tally_error *error) TALLY_MUST_CHECK;

/* The whole of bio into a new file, synced. 0 with errno. */
int party_identity_write(int dir_fd, const char *name, mode_t mode, BIO *bio);
/* The same by a temporary file that is renamed; what was there is replaced. */
int party_identity_replace(int dir_fd, const char *name, mode_t mode, BIO *bio);

#endif
