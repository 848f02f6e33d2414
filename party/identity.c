/* SPDX-License-Identifier: Apache-2.0 */
#include "party/identity.h"

#include "party/error.h"
#include "party/identity_file.h"
#include "party/tls.h"
#include "party/token.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* ---- What a certificate says ---- */

tally_status party_spki_fingerprint(X509 *cert, uint8_t out32[32])
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    tally_status st = len > 0 ? psi_sha256(der, (size_t)len, out32) : TALLY_ERR_MALFORMED;
    OPENSSL_free(der);
    ERR_clear_error();
    return st;
}

void party_subject_text(X509 *cert, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    out[0] = 0;
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                  XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) > 0) {
        long len = BIO_get_mem_data(bio, &text);
        if (len > 0 && (size_t)len < size && !memchr(text, 0, (size_t)len)) {
            memcpy(out, text, (size_t)len);
            out[len] = 0;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
}

int party_asn1_seconds(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;
    if (!t || !ASN1_TIME_to_tm(t, &tm))
        return 0;
    *out = timegm(&tm);
    return 1;
}

void party_time_text(char out[32], int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
        snprintf(out, 32, "a time out of range");
}

/* ---- Reading the folder ---- */

static tally_status file_error(tally_error *error, const char *path, const char *what)
{
    return party_fail(error, TALLY_ERR_FILE, PARTY_OF_WHOLE, path, what);
}

/* A key, or none where it is encrypted and only what is public is asked for. */
static tally_status read_key(EVP_PKEY **out, const char *path, unsigned flags, party_passphrase *p,
                             int *encrypted, tally_error *error)
{
    tally_error why = {0};
    tally_status st = party_key_read(out, path, flags, p, encrypted, &why);
    if (st && *encrypted && (flags & TALLY_IDENTITY_PUBLIC))
        return TALLY_OK;
    if (st && error)
        *error = why;
    return st;
}

/* sign.pem. An identity made by another program, or by an earlier version of this one, has none. */
static tally_status read_signing_key(tally_identity *id, const char *path, unsigned flags,
                                     party_passphrase *p, tally_error *error)
{
    struct stat info;
    size_t len = sizeof id->sign_public32;
    if (lstat(path, &info) && errno == ENOENT)
        return TALLY_OK;
    tally_status st = read_key(&id->sign, path, flags, p, &id->sign_encrypted, error);
    if (st)
        return st;
    EVP_PKEY *beside = id->sign_encrypted ? party_public_key_read(path) : NULL,
             *key = id->sign ? id->sign : beside;
    if (!key) {
        party_fail(error, TALLY_ERR_FILE, "%s: the public key does not follow the encrypted one", path);
        party_hint(error, "give the passphrase; tally identity passphrase writes the file anew, with both");
        st = TALLY_ERR_FILE;
    } else if (!EVP_PKEY_is_a(key, "ED25519") ||
               EVP_PKEY_get_raw_public_key(key, id->sign_public32, &len) != 1 ||
               len != sizeof id->sign_public32) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the key that signs has to be an Ed25519 key", path);
        party_hint(error, "move it away, and make one with: tally identity add-signing-key");
        st = TALLY_ERR_AUTH;
    } else if (beside && EVP_PKEY_eq(beside, key) != 1) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the public key that follows is of another key", path);
        party_hint(error, "somebody changed the file: put it back from a backup, and compare what the other "
                          "sides have been told");
        st = TALLY_ERR_AUTH;
    } else {
        st = party_sign_fingerprint(id->sign_public32, id->sign_fingerprint);
        if (st)
            party_fail(error, st, "%s: cannot read the public key", path);
    }
    EVP_PKEY_free(beside);
    return st;
}

int party_pem_public(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return -1;
}

/* The next certificate of the file; NULL at its end or when it is damaged. */
static X509 *next_cert(BIO *bio)
{
    X509 *x = X509_new_ex(psi_openssl(), NULL),
         *got = x ? PEM_read_bio_X509(bio, &x, party_pem_public, NULL) : NULL;
    if (!got)
        X509_free(x);
    return got;
}

tally_status party_certs_read(X509 **cert, STACK_OF(X509) * *chain, const char *path, tally_error *error)
{
    BIO *bio = NULL;
    X509 *first = NULL;
    STACK_OF(X509) *rest = NULL;
    tally_status st = party_identity_read(&bio, path, 0, 0, error);
    if (st)
        return st;
    first = next_cert(bio);
    if (!first) {
        st = file_error(error, path, "no certificate in PEM form");
        goto done;
    }
    rest = sk_X509_new_null();
    if (!rest) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    for (X509 *x; (x = next_cert(bio)) != NULL;) {
        if (sk_X509_num(rest) == PARTY_CHAIN_MAX || !sk_X509_push(rest, x)) {
            X509_free(x);
            st = file_error(error, path, "too many certificates");
            goto done;
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        st = file_error(error, path, "a certificate after the first is damaged");
        goto done;
    }
    *cert = first;
    *chain = rest;
    first = NULL;
    rest = NULL;
done:
    X509_free(first);
    sk_X509_pop_free(rest, X509_free);
    BIO_free(bio);
    ERR_clear_error();
    return st;
}

int party_key_type(EVP_PKEY *key, char *out, size_t size)
{
    static const struct {
        const char *group, *name;
    } curves[] = {{"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}};
    char group[64] = "";
    const char *type = EVP_PKEY_get0_type_name(key);
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448")) {
        snprintf(out, size, "%s", EVP_PKEY_is_a(key, "ED25519") ? "Ed25519" : "Ed448");
        return 1;
    }
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        snprintf(out, size, "%s %d", EVP_PKEY_is_a(key, "RSA") ? "RSA" : "RSA-PSS", bits);
        return bits >= 2048;
    }
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL)) {
        for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
            if (strcmp(group, curves[i].group) == 0) {
                snprintf(out, size, "EC %s", curves[i].name);
                return 1;
            }
        }
    }
    snprintf(out, size, "%.15s %.14s", type ? type : "unknown", group);
    return 0;
}

static tally_status describe(tally_identity *id, const char *dir, tally_error *error)
{
    EVP_PKEY *key =
        id->key ? id->key : X509_get0_pubkey(id->cert); /* an unreadable one is of no kind below */
    if (id->key && X509_check_private_key(id->cert, id->key) != 1) {
        party_fail(error, TALLY_ERR_AUTH, "%s: key.pem and cert.pem do not belong together", dir);
        party_hint(error,
                   "put back the certificate that was made for this key; if a rotation was interrupted, "
                   "finish it: tally identity rotate NAME --finish");
        return TALLY_ERR_AUTH;
    }
    if (!key || !party_key_type(key, id->key_type, sizeof id->key_type)) {
        party_fail(error, TALLY_ERR_AUTH, "%s: TLS 1.3 cannot use this key (%s)", dir, id->key_type);
        party_hint(error, "use Ed25519, RSA from 2048 bits, or EC on P-256, P-384 or P-521");
        return TALLY_ERR_AUTH;
    }
    tally_status st = party_spki_fingerprint(id->cert, id->fingerprint32);
    if (st)
        return party_fail(error, st, "%s/cert.pem: cannot read the public key", dir);
    party_pin_text(id->fingerprint, id->fingerprint32);
    party_subject_text(id->cert, id->subject, sizeof id->subject);
    if (!party_asn1_seconds(X509_get0_notBefore(id->cert), &id->not_before) ||
        !party_asn1_seconds(X509_get0_notAfter(id->cert), &id->not_after))
        return party_fail(error, TALLY_ERR_AUTH, "%s/cert.pem: the validity is not a pair of times", dir);
    return TALLY_OK;
}

/* The certificate, and key.pem or key.uri, which says where in a token the key is. */
static tally_status read_pair(tally_identity *id, char *path, size_t size, const char *dir, unsigned flags,
                              party_passphrase *p, tally_error *error)
{
    struct stat info;
    tally_status st;
    snprintf(path, size, "%s/key.uri", dir);
    int in_token = lstat(path, &info) == 0;
    snprintf(path, size, "%s/key.pem", dir);
    if (!in_token) {
        st = read_key(&id->key, path, flags, p, &id->key_encrypted, error);
        if (st)
            return st;
        snprintf(path, size, "%s/cert.pem", dir);
        return party_certs_read(&id->cert, &id->chain, path, error);
    }
    if (lstat(path, &info) == 0) {
        party_fail(error, TALLY_ERR_FILE, "%s: holds key.pem and key.uri, which name two keys", dir);
        party_hint(error, "keep the one that cert.pem is of, and move the other away");
        return TALLY_ERR_FILE;
    }
    snprintf(path, size, "%s/cert.pem", dir);
    st = party_certs_read(&id->cert, &id->chain, path, error);
    if (st)
        return st;
    snprintf(path, size, "%s/key.uri", dir);
    id->in_token = 1;
    if (flags & TALLY_IDENTITY_PUBLIC)
        return party_token_named(id->token_name, path, error);
    st = party_token_read(&id->token, &id->key, path, id->cert, p, error);
    if (!st)
        snprintf(id->token_name, sizeof id->token_name, "%s", party_token_name(id->token));
    return st;
}

tally_status party_identity_open(const char *dir, unsigned flags, party_passphrase *p, tally_identity **out,
                                 tally_error *error)
{
    size_t size = strlen(dir) + sizeof "/cert.pem";
    tally_status st = TALLY_ERR_NO_MEMORY;
    tally_identity *id = psi_secret_calloc(1, sizeof *id);
    char *path = psi_calloc(size, 1);
    if (!id || !path || !psi_openssl()) {
        party_no_memory(error, "an identity");
        goto done;
    }
    st = read_pair(id, path, size, dir, flags, p, error);
    if (st)
        goto done;
    st = describe(id, dir, error);
    if (st)
        goto done;
    snprintf(path, size, "%s/sign.pem", dir);
    st = read_signing_key(id, path, flags, p, error);
    if (!st)
        st = party_identity_read_rotations(id, dir, error);
    if (st)
        goto done;
    *out = id;
    id = NULL;
done:
    ERR_clear_error();
    psi_free(path);
    tally_identity_free(id);
    return st;
}

tally_status tally_identity_load_with(const char *dir, unsigned flags, tally_passphrase_callback ask,
                                      void *user, tally_identity **out, tally_error *error)
{
    party_passphrase *p = psi_secret_calloc(1, sizeof *p);
    if (!p)
        return party_no_memory(error, "an identity");
    p->ask = flags & TALLY_IDENTITY_PUBLIC ? NULL : ask;
    p->user = user;
    tally_status st = party_identity_open(dir, flags, p, out, error);
    psi_secret_free(p);
    return st;
}

tally_status tally_identity_load(const char *dir, tally_identity **out, tally_error *error)
{
    return tally_identity_load_with(dir, 0, NULL, NULL, out, error);
}

void tally_identity_free(tally_identity *identity)
{
    if (!identity)
        return;
    sk_X509_pop_free(identity->chain, X509_free);
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    EVP_PKEY_free(identity->sign);
    party_token_free(identity->token);
    for (size_t i = 0; i < identity->peers_count; i++)
        psi_free(identity->peers[i]);
    psi_secret_free(identity);
}

const char *tally_identity_fingerprint(const tally_identity *identity)
{
    return identity->fingerprint;
}

const char *tally_identity_signing_fingerprint(const tally_identity *identity)
{
    return identity->sign_fingerprint;
}

const char *tally_identity_subject(const tally_identity *identity)
{
    return identity->subject;
}

const char *tally_identity_key_type(const tally_identity *identity)
{
    return identity->key_type;
}

int64_t tally_identity_not_before(const tally_identity *identity)
{
    return identity->not_before;
}

int64_t tally_identity_not_after(const tally_identity *identity)
{
    return identity->not_after;
}

tally_status party_identity_usable(const tally_identity *identity, tally_error *error)
{
    char when[32];
    int64_t now = (int64_t)time(NULL);
    if (!identity->key)
        return party_fail(error, TALLY_ERR_USAGE, "the identity was loaded without its keys");
    if (now > identity->not_after) {
        party_time_text(when, identity->not_after);
        party_fail(error, TALLY_ERR_AUTH, "our own certificate expired on %s", when);
        party_hint(error, "renew it: tally identity rotate NAME --renew; the key and its fingerprint stay");
        return TALLY_ERR_AUTH;
    }
    if (now < identity->not_before) {
        party_time_text(when, identity->not_before);
        party_fail(error, TALLY_ERR_AUTH, "our own certificate is not valid before %s", when);
        party_hint(error, "check this machine's clock");
        return TALLY_ERR_AUTH;
    }
    return TALLY_OK;
}
