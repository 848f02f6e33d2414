/* SPDX-License-Identifier: Apache-2.0 */
/* Key and certificate that were made elsewhere: read in the forms in which authorities give them, and checked
 * so that what is wrong is said here and not by a refused handshake. */
#include "party/error.h"
#include "party/identity.h"
#include "party/identity_file.h"
#include "party/token.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define STRENGTH_BITS 112 /* as party/peer asks of the other side */

/* ---- Checks ---- */

static tally_status refuse(tally_error *error, const char *hint)
{
    party_hint(error, PARTY_WHOLE, hint);
    return TALLY_ERR_AUTH;
}

int party_cert_self_signed(X509 *cert)
{
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0 &&
           X509_verify(cert, X509_get0_pubkey(cert)) == 1;
}

static tally_status check_times(X509 *cert, const char *name, tally_error *error)
{
    int64_t from, until, now = (int64_t)time(NULL);
    char when[32];
    if (!party_asn1_seconds(X509_get0_notBefore(cert), &from) ||
        !party_asn1_seconds(X509_get0_notAfter(cert), &until)) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the validity is not a pair of times", name);
        return refuse(error, "have the certificate made again");
    }
    if (now > until) {
        party_time_text(when, until);
        party_fail(error, TALLY_ERR_AUTH, "%s: the certificate expired on %s", name, when);
        return refuse(error, "ask your authority for a new one; the key may stay");
    }
    if (now < from) {
        party_time_text(when, from);
        party_fail(error, TALLY_ERR_AUTH, "%s: the certificate is not valid before %s", name, when);
        return refuse(error, "import it then, or check this machine's clock");
    }
    return TALLY_OK;
}

static tally_status check_uses(X509 *cert, const char *name, tally_error *error)
{
    uint32_t flags = X509_get_extension_flags(cert);
    if ((flags & EXFLAG_KUSAGE) && !(X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE)) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the certificate's key usage has no digitalSignature", name);
        return refuse(error,
                      "TLS 1.3 signs with the key: ask your authority for a certificate that allows it");
    }
    if ((flags & EXFLAG_XKUSAGE) &&
        !(X509_get_extended_key_usage(cert) & (XKU_SSL_CLIENT | XKU_SSL_SERVER | XKU_ANYEKU))) {
        party_fail(error, TALLY_ERR_AUTH,
                   "%s: the certificate's extended key usage has neither clientAuth nor serverAuth", name);
        return refuse(error, "ask your authority for a certificate for TLS, best with both");
    }
    return TALLY_OK;
}

static tally_status check_strength(X509 *cert, EVP_PKEY *key, const char *name, tally_error *error)
{
    char type[32];
    int bits = 0;
    if (!party_key_type(key, type, sizeof type)) {
        party_fail(error, TALLY_ERR_AUTH, "%s: TLS 1.3 cannot use this key, or it is too weak (%s)", name,
                   type);
        return refuse(error, "use Ed25519, RSA from 2048 bits, or EC on P-256, P-384 or P-521");
    }
    if (EVP_PKEY_get_security_bits(key) < STRENGTH_BITS) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the key is too weak (%s)", name, type);
        return refuse(error, "use Ed25519, RSA from 2048 bits, or EC on P-256, P-384 or P-521");
    }
    if (X509_get_signature_info(cert, NULL, NULL, &bits, NULL) && bits < STRENGTH_BITS &&
        !party_cert_self_signed(cert)) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the authority signed with a hash that is too weak (%d bits)",
                   name, bits);
        return refuse(error, "ask your authority for a certificate signed with SHA-256 or better");
    }
    return TALLY_OK;
}

/* Puts the chain in order: each certificate signed the one before. What belongs nowhere is an error: a wrong
 * file was given. */
static tally_status order_chain(X509 *cert, STACK_OF(X509) * chain, const char *name, tally_error *error)
{
    X509 *below = cert;
    int count = chain ? sk_X509_num(chain) : 0;
    if (count > PARTY_CHAIN_MAX)
        return party_fail(error, TALLY_ERR_FILE, "%s: too many certificates", name);
    for (int at = 0; at < count; at++) {
        int found = -1;
        for (int i = at; found < 0 && i < count; i++) {
            X509 *x = sk_X509_value(chain, i);
            if (X509_check_issued(x, below) == X509_V_OK && X509_verify(below, X509_get0_pubkey(x)) == 1)
                found = i;
        }
        if (found < 0 || party_cert_self_signed(below)) {
            char subject[256];
            party_subject_text(below, subject, sizeof subject);
            party_fail(error, TALLY_ERR_AUTH,
                       "%s: the chain is not complete: none of its other certificates signed that of \"%s\"",
                       name, subject);
            return refuse(error,
                          "give exactly the intermediate certificates between yours and the authority's");
        }
        X509 *next = sk_X509_value(chain, found);
        (void)sk_X509_set(chain, found, sk_X509_value(chain, at));
        (void)sk_X509_set(chain, at, next);
        below = next;
        tally_status st = check_times(next, name, error);
        if (st)
            return st;
    }
    return TALLY_OK;
}

tally_status party_import_check(X509 *cert, STACK_OF(X509) * chain, EVP_PKEY *key, const char *name,
                                tally_error *error)
{
    tally_status st = TALLY_OK;
    if (X509_check_private_key(cert, key) != 1) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the certificate is not of this key", name);
        st = refuse(error,
                    "give the certificate that was made for the key; in a file of several it comes first");
    }
    if (!st)
        st = check_strength(cert, key, name, error);
    if (!st)
        st = check_times(cert, name, error);
    if (!st)
        st = check_uses(cert, name, error);
    if (!st)
        st = order_chain(cert, chain, name, error);
    ERR_clear_error();
    return st;
}

/* ---- Reading ---- */

typedef struct pieces {
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * chain;
    party_token *token;
} pieces;

static void pieces_free(pieces *x)
{
    EVP_PKEY_free(x->key);
    X509_free(x->cert);
    sk_X509_pop_free(x->chain, X509_free);
    party_token_free(x->token);
}

/* PKCS#12: key, certificate and chain in one file. *is: it is such a file. */
static tally_status read_pkcs12(pieces *x, const char *path, party_passphrase *p, int *is, tally_error *error)
{
    BIO *bio = NULL;
    tally_status st = party_identity_read(&bio, path, 1, 0, error);
    if (st)
        return st;
    PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, psi_openssl(), NULL);
    *is = p12 && d2i_PKCS12_bio(bio, &p12) != NULL;
    if (*is) {
        const char *word = NULL;
        if (!PKCS12_verify_mac(p12, NULL, 0) && !PKCS12_verify_mac(p12, "", 0)) {
            st = party_passphrase_get(p, path, error);
            word = p->text;
        }
        if (!st && !PKCS12_parse(p12, word, &x->key, &x->cert, &x->chain)) {
            party_fail(error, TALLY_ERR_AUTH,
                       "%s: the passphrase does not fit, or the file is of an old kind", path);
            st = refuse(error, "check the passphrase; files of RC2 or 3DES are converted by: openssl pkcs12 "
                               "-legacy -in OLD -out NEW.pem, which gives --key and --cert");
        }
        if (!st && (!x->key || !x->cert)) {
            party_fail(error, TALLY_ERR_AUTH, "%s: has a key or a certificate, but not both", path);
            st = refuse(error, "export it again with its certificate, or give --key and --cert");
        }
    }
    PKCS12_free(p12);
    BIO_free(bio);
    ERR_clear_error();
    return st;
}

static tally_status read_key_file(EVP_PKEY **out, const char *path, party_passphrase *p, tally_error *error)
{
    BIO *bio = NULL;
    int asked = 0;
    tally_error why = {0};
    tally_status st = party_identity_read(&bio, path, 1, 0, error);
    if (st)
        return st;
    *out = party_key_decode(bio, path, p, &asked, &why);
    BIO_free(bio);
    if (*out)
        return TALLY_OK;
    if (asked && why.status) {
        if (error)
            *error = why;
        return why.status;
    }
    if (asked) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the passphrase does not fit, or the file is damaged", path);
        return refuse(error, "check the passphrase that the file was given to you with");
    }
    party_fail(error, TALLY_ERR_FILE, "%s: no private key in PEM, DER or PKCS#12 form", path);
    party_hint(error, "a certificate or a request for one is not the key; the key is a file of its own");
    return TALLY_ERR_FILE;
}

/* One certificate in DER form, or all of a file in PEM form. */
tally_status party_cert_read(X509 **cert, STACK_OF(X509) * *chain, const char *path, tally_error *error)
{
    BIO *bio = NULL;
    tally_error why = {0};
    tally_status st = party_identity_read(&bio, path, 0, 0, error);
    if (st)
        return st;
    X509 *x = X509_new_ex(psi_openssl(), NULL);
    int is_der = x && d2i_X509_bio(bio, &x) != NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (is_der) {
        *cert = x;
        return TALLY_OK;
    }
    X509_free(x);
    st = party_certs_read(cert, chain, path, &why);
    if (st && error)
        *error = why;
    return st;
}

tally_status party_chain_add(STACK_OF(X509) * *chain, const char *path, tally_error *error)
{
    X509 *next = NULL;
    STACK_OF(X509) *rest = NULL;
    tally_status st = party_cert_read(&next, &rest, path, error);
    if (st)
        return st;
    if (!*chain)
        *chain = sk_X509_new_null();
    int ok = *chain != NULL;
    while (ok && next) {
        ok = sk_X509_push(*chain, next) > 0;
        if (ok)
            next = rest ? sk_X509_shift(rest) : NULL;
    }
    X509_free(next);
    sk_X509_pop_free(rest, X509_free);
    return ok ? TALLY_OK : party_no_memory(error, "a chain of certificates");
}

static tally_status read_pieces(pieces *x, const tally_import *from, party_passphrase *p, tally_error *error)
{
    int in_token = strncmp(from->key, "pkcs11:", 7) == 0, is_p12 = 0;
    tally_status st = in_token ? TALLY_OK : read_pkcs12(x, from->key, p, &is_p12, error);
    if (!st && !is_p12 && !in_token)
        st = read_key_file(&x->key, from->key, p, error);
    if (!st && !x->cert && !from->cert) {
        party_fail(error, TALLY_ERR_USAGE, "the certificate of the key is missing");
        party_hint(error, "give it with --cert FILE");
        st = TALLY_ERR_USAGE;
    }
    if (!st && from->cert) {
        X509_free(x->cert);
        sk_X509_pop_free(x->chain, X509_free);
        x->cert = NULL;
        x->chain = NULL;
        st = party_cert_read(&x->cert, &x->chain, from->cert, error);
    }
    if (!st && from->chain)
        st = party_chain_add(&x->chain, from->chain, error);
    if (!st && in_token)
        st = party_token_open(&x->token, &x->key, from->key, "the key's URI", x->cert, p, error);
    return st;
}

static BIO *text_bio(const char *text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && BIO_printf(bio, "%s\n", text) > 0)
        return bio;
    BIO_free(bio);
    return NULL;
}

tally_status party_import_parts(party_identity_parts *out, uint8_t pin32[32], const tally_import *from,
                                party_passphrase *p, const party_passphrase *lock, tally_error *error)
{
    pieces x = {0};
    party_identity_parts parts = {0};
    if (!from->key)
        return party_fail(error, TALLY_ERR_USAGE, "the key to import is missing");
    tally_status st = read_pieces(&x, from, p, error);
    if (!st)
        st = party_import_check(x.cert, x.chain, x.key, from->cert ? from->cert : from->key, error);
    if (!st)
        st = party_spki_fingerprint(x.cert, pin32);
    if (!st && from->encrypt)
        st = party_passphrase_get(p, from->key, error);
    if (!st) {
        parts.in_token = x.token != NULL;
        parts.key = x.token ? text_bio(from->key) : party_key_pem(x.key, lock ? lock : p->used ? p : NULL);
        parts.cert = party_certs_pem(x.cert, x.chain);
        if (!parts.key || !parts.cert)
            st = party_no_memory(error, "an identity");
    }
    if (!st) {
        *out = parts;
        parts = (party_identity_parts){0};
    }
    party_identity_parts_free(&parts);
    pieces_free(&x);
    ERR_clear_error();
    return st;
}

tally_status tally_identity_import(const char *dir, const tally_import *from, tally_error *error)
{
    uint8_t pin32[32];
    party_identity_parts parts = {0};
    party_passphrase *p = psi_secret_calloc(1, sizeof *p);
    tally_status st = p && psi_openssl() ? TALLY_OK : party_no_memory(error, "an identity");
    if (!st) {
        p->ask = from->ask;
        p->user = from->user;
        st = party_import_parts(&parts, pin32, from, p, NULL, error);
    }
    if (!st && !(parts.sign = party_signing_key_make(p->used ? p : NULL)))
        st = party_fail(error, TALLY_ERR_INTERNAL, "cannot make an Ed25519 key");
    if (!st)
        st = party_identity_store(dir, &parts, error);
    party_identity_parts_free(&parts);
    psi_secret_free(p);
    ERR_clear_error();
    return st;
}
