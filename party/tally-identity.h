/* SPDX-License-Identifier: Apache-2.0 */
/* A part of tally.h, which includes it: identities, and what is known of peers. The conventions are there. */
#ifndef TALLY_IDENTITY_H
#define TALLY_IDENTITY_H

/* ---- Identity: the private key and certificate of one organisation ---- */

typedef struct tally_identity tally_identity;

#define TALLY_FINGERPRINT_TEXT 72  /* "sha256:", 64 hex digits, zero */
#define TALLY_PASSPHRASE_MAX 1024  /* bytes */
#define TALLY_CERTIFICATE_DAYS 730 /* validity of a certificate that is made here, unless said otherwise */

/*
 * Gives a passphrase, or the PIN of a token: writes it to out (up to size bytes, no zero) and returns its
 * length; -1: there is none. what is the path of the file that needs it. Called from the thread of the call
 * that got it, at most once in each call, before that call changes anything; it may block. The library wipes
 * its copies before the call returns.
 */
typedef int64_t (*tally_passphrase_callback)(void *user, const char *what, char *out, size_t size);

/*
 * Makes a new identity in the folder dir (created with mode 0700, must not exist yet or be empty): key.pem
 * (Ed25519, PKCS#8, mode 0600), cert.pem (self-signed, X.509, subject O=organisation, CN=the folder's last
 * name, 730 days) and sign.pem (a second Ed25519 key, mode 0600, which signs agreements). organisation: 1..64
 * characters, no control characters. TALLY_ERR_FILE: a file exists or cannot be written; nothing is left
 * behind. TALLY_ERR_USAGE: organisation.
 */
TALLY_API tally_status tally_identity_create(const char *dir, const char *organisation,
                                             tally_error *error) TALLY_MUST_CHECK;
/*
 * Loads key.pem and cert.pem of a folder, and sign.pem if there is one. Any key type TLS 1.3 can use is
 * accepted; the two must belong together. TALLY_ERR_FILE: missing, unreadable, or a key that others may read
 * (mode & 077). TALLY_ERR_AUTH: not a matching pair, or a sign.pem that is no Ed25519 key. An expired
 * certificate loads, so that it can be shown; a session refuses it.
 */
TALLY_API tally_status tally_identity_load(const char *dir, tally_identity **out,
                                           tally_error *error) TALLY_MUST_CHECK;
/*
 * The same of keys that are encrypted (PKCS#8, RFC 5958), or in a PKCS#11 token: key.uri in place of key.pem
 * (docs/keys.md). ask NULL: there is no passphrase. Flags: TALLY_IDENTITY_CREDENTIAL: the folder is one of
 * systemd's credentials, whose files the group may read; TALLY_IDENTITY_PUBLIC: nothing is asked for, and
 * what is encrypted or in a token stays closed: such an identity can be shown, and neither signs nor
 * connects. TALLY_ERR_AUTH: the passphrase or the PIN does not fit; a PIN is tried once. TALLY_ERR_FILE: a
 * passphrase is needed, and there is none; the token or its module is not there.
 */
#define TALLY_IDENTITY_CREDENTIAL 1u
#define TALLY_IDENTITY_PUBLIC 2u
TALLY_API tally_status tally_identity_load_with(const char *dir, unsigned flags,
                                                tally_passphrase_callback ask, void *user,
                                                tally_identity **out, tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_identity_free(tally_identity *identity);
/* tally_identity_create with the validity in days (1..3650), and with keys encrypted by a passphrase unless
 * ask is NULL. */
TALLY_API tally_status tally_identity_create_with(const char *dir, const char *organisation, unsigned days,
                                                  tally_passphrase_callback ask, void *user,
                                                  tally_error *error) TALLY_MUST_CHECK;
/*
 * Sets, changes (old and new given) or removes (new NULL) the passphrase of all keys of the folder. Each file
 * is replaced as a whole; if only some could be, the call says so, and calling it again with both passphrases
 * repairs that.
 */
TALLY_API tally_status tally_identity_set_passphrase(const char *dir, tally_passphrase_callback old_ask,
                                                     void *old_user, tally_passphrase_callback new_ask,
                                                     void *new_user, tally_error *error) TALLY_MUST_CHECK;
/* Key and certificate made elsewhere. NULL for what is not given. */
typedef struct tally_import {
    const char *key;   /* file in PEM, DER or PKCS#12 form, or a pkcs11: URI (RFC 7512) */
    const char *cert;  /* file in PEM or DER form; not needed with a PKCS#12 key */
    const char *chain; /* further certificates, in PEM form */
    tally_passphrase_callback
        ask; /* for the key's file; if it needed one, what is written is encrypted by it */
    void *user;
    int encrypt; /* 1: what is written is encrypted in any case */
} tally_import;
/*
 * A new folder dir, as tally_identity_create, of what was made elsewhere, with a new sign.pem.
 * TALLY_ERR_AUTH: what key and certificate are does not do, and why. TALLY_ERR_FILE.
 */
TALLY_API tally_status tally_identity_import(const char *dir, const tally_import *from,
                                             tally_error *error) TALLY_MUST_CHECK;
/*
 * Replaces cert.pem by one of the same key, so that its fingerprint stays: a new self-signed one of these
 * days, or cert (with chain, may be NULL) as an authority gave it. TALLY_ERR_AUTH: another key, or the
 * certificate in use is not self-signed and cert is NULL.
 */
TALLY_API tally_status tally_identity_renew(const char *dir, unsigned days, const char *cert,
                                            const char *chain, tally_passphrase_callback ask, void *user,
                                            tally_error *error) TALLY_MUST_CHECK;
/*
 * Begins the change to a new TLS key: puts it, with a certificate of the same subject, into next/ (from NULL:
 * a new Ed25519 key; else imported), and a statement signed by the signing key at the end of the file
 * rotations. Agreements stay as they are; the other side takes the statement by tally_peers_add_rotation, and
 * then accepts the old key for overlap_days (1..366) and the new one from now on. Nothing else changes until
 * tally_identity_rotate_finish puts the new key in place of the old one, which is deleted.
 */
TALLY_API tally_status tally_identity_rotate(const char *dir, unsigned overlap_days, unsigned days,
                                             const tally_import *from, tally_passphrase_callback ask,
                                             void *user, tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_identity_rotate_finish(const char *dir, tally_error *error) TALLY_MUST_CHECK;
/* All that tally identity show tells, as one JSON object (docs/keys.md). free(). NULL when memory is short.
 */
TALLY_API char *tally_identity_json(const tally_identity *identity);
/* End of the overlap in which a new key waits in next/, seconds since 1970 UTC; 0: none waits. */
TALLY_API int64_t tally_identity_overlap_until(const tally_identity *identity);

/*
 * A folder that says what is known of peers: keys that were revoked, and statements of rotation. A session
 * with this identity reads it at every handshake: a revoked key is refused, whatever an agreement says. Up to
 * 4 folders; one that is not there says nothing.
 */
TALLY_API tally_status tally_identity_add_peers(tally_identity *identity, const char *folder,
                                                tally_error *error) TALLY_MUST_CHECK;
/* The folder (made with mode 0700 if it is not there). reason: one line, or NULL. A key that is revoked
 * already stays as it is. */
TALLY_API tally_status tally_peers_revoke(const char *folder, const char *pin, const char *reason,
                                          tally_error *error) TALLY_MUST_CHECK;
/* Takes a revocation back. TALLY_ERR_USAGE: there is none. */
TALLY_API tally_status tally_peers_restore(const char *folder, const char *pin,
                                           tally_error *error) TALLY_MUST_CHECK;
/* Takes the statements of a file, each verified. They count only under agreements that name their signing
 * key. */
TALLY_API tally_status tally_peers_add_rotation(const char *folder, const char *path,
                                                tally_error *error) TALLY_MUST_CHECK;
/* {"revoked": [...], "rotations": [...]}; free(). */
TALLY_API tally_status tally_peers_json(const char *folder, char **out, tally_error *error) TALLY_MUST_CHECK;
/* "sha256:<64 hex>": SHA-256 of the public key (DER SubjectPublicKeyInfo). Lives as long as the identity. */
TALLY_API const char *tally_identity_fingerprint(const tally_identity *identity);
/* The same of the key that signs, "" for an identity without one. Lives as long as the identity. */
TALLY_API const char *tally_identity_signing_fingerprint(const tally_identity *identity);
/*
 * Gives an identity that was made by another program, or by a version of this one before there were
 * agreements, its sign.pem (Ed25519, mode 0600). A loaded identity does not change. TALLY_ERR_FILE: dir holds
 * no identity, has a sign.pem already, or cannot be written; nothing was changed.
 */
TALLY_API tally_status tally_identity_add_signing_key(const char *dir, tally_error *error) TALLY_MUST_CHECK;
/* The same of an identity whose keys are encrypted; the new key then is too. */
TALLY_API tally_status tally_identity_add_signing_key_with(const char *dir, tally_passphrase_callback ask,
                                                           void *user, tally_error *error) TALLY_MUST_CHECK;
/* Subject of the certificate, RFC 2253, UTF-8: the text --peer-name compares with. */
TALLY_API const char *tally_identity_subject(const tally_identity *identity);
/* "Ed25519", "RSA 3072", ... */
TALLY_API const char *tally_identity_key_type(const tally_identity *identity);
/* Validity of the certificate, seconds since 1970 UTC. */
TALLY_API int64_t tally_identity_not_before(const tally_identity *identity);
TALLY_API int64_t tally_identity_not_after(const tally_identity *identity);

#endif
