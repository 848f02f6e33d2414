/* SPDX-License-Identifier: Apache-2.0 */
#include "party/identity.h"

#include "party/error.h"
#include "party/tls.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX 65536 /* bytes of a key.pem or cert.pem; RSA 16384 with a chain is below 30000 */
#define CHAIN_MAX 8

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

/* The file as a memory BIO (wiped on release). secret: refuses a file that others may read. */
static tally_status read_file(BIO **out, const char *path, int secret, tally_error *error)
{
    tally_status st = TALLY_ERR_FILE;
    struct stat info;
    BIO *bio = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info)) {
        int missing = errno == ENOENT;
        file_error(error, path, party_system_text(errno));
        if (missing)
            party_hint(error, "make an identity with `tally identity new`, or check the folder's name");
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        file_error(error, path, "not a regular file");
        goto done;
    }
    if (secret && (info.st_mode & 077)) {
        party_fail(error, TALLY_ERR_FILE, "%s: others may read the private key (mode %04o)", path,
                   (unsigned)(info.st_mode & 07777));
        party_hint(error, "run: chmod 600 '%s'; if others could have copied the key, make a new identity",
                   path);
        goto done;
    }
    bytes = psi_secret_calloc(FILE_MAX, 1);
    bio = BIO_new(BIO_s_secmem());
    if (!bytes || !bio) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    for (ssize_t n = 1; n != 0;) {
        n = len < FILE_MAX ? read(fd, bytes + len, FILE_MAX - len) : 0;
        if (n < 0 && errno != EINTR) {
            file_error(error, path, party_system_text(errno));
            goto done;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    if (len == FILE_MAX) {
        file_error(error, path, "too large for a key or certificate");
        goto done;
    }
    if (len && BIO_write(bio, bytes, (int)len) != (int)len) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    *out = bio;
    bio = NULL;
    st = TALLY_OK;
done:
    BIO_free(bio);
    psi_secret_free(bytes);
    if (fd >= 0)
        close(fd);
    return st;
}

struct passphrase {
    int asked;
};

static int no_passphrase(char *buf, int size, int writing, void *user)
{
    struct passphrase *p = user;
    (void)buf, (void)size, (void)writing;
    p->asked = 1;
    return -1;
}

static tally_status read_key(EVP_PKEY **out, const char *path, tally_error *error)
{
    BIO *bio = NULL;
    struct passphrase p = {0};
    tally_status st = read_file(&bio, path, 1, error);
    if (st)
        return st;
    *out = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, &p, psi_openssl(), NULL);
    BIO_free(bio);
    if (*out)
        return TALLY_OK;
    if (!p.asked)
        return file_error(error, path, "no private key in PEM form");
    file_error(error, path, "the private key is encrypted");
    party_hint(error,
               "store it without passphrase, readable by this user only: openssl pkey -in OLD -out NEW");
    return TALLY_ERR_FILE;
}

/* sign.pem. An identity made by another program, or by an earlier version of this one, has none. */
static tally_status read_signing_key(tally_identity *id, const char *path, tally_error *error)
{
    struct stat info;
    size_t len = sizeof id->sign_public32;
    if (lstat(path, &info) && errno == ENOENT)
        return TALLY_OK;
    tally_status st = read_key(&id->sign, path, error);
    if (st)
        return st;
    if (!EVP_PKEY_is_a(id->sign, "ED25519") ||
        EVP_PKEY_get_raw_public_key(id->sign, id->sign_public32, &len) != 1 ||
        len != sizeof id->sign_public32) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the key that signs has to be an Ed25519 key", path);
        party_hint(error, "move it away, and make one with: tally identity add-signing-key");
        return TALLY_ERR_AUTH;
    }
    st = party_sign_fingerprint(id->sign_public32, id->sign_fingerprint);
    return st ? party_fail(error, st, "%s: cannot read the public key", path) : TALLY_OK;
}

/* The next certificate of the file; NULL at its end or when it is damaged. */
static X509 *next_cert(BIO *bio)
{
    X509 *x = X509_new_ex(psi_openssl(), NULL),
         *got = x ? PEM_read_bio_X509(bio, &x, no_passphrase, NULL) : NULL;
    if (!got)
        X509_free(x);
    return got;
}

static tally_status read_certs(tally_identity *id, const char *path, tally_error *error)
{
    BIO *bio = NULL;
    tally_status st = read_file(&bio, path, 0, error);
    if (st)
        return st;
    id->cert = next_cert(bio);
    if (!id->cert) {
        st = file_error(error, path, "no certificate in PEM form");
        goto done;
    }
    id->chain = sk_X509_new_null();
    if (!id->chain) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    for (X509 *x; (x = next_cert(bio)) != NULL;) {
        if (sk_X509_num(id->chain) == CHAIN_MAX || !sk_X509_push(id->chain, x)) {
            X509_free(x);
            st = file_error(error, path, "too many certificates");
            goto done;
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        st = file_error(error, path, "a certificate after the first is damaged");
done:
    BIO_free(bio);
    return st;
}

/* Names the key type; 0 when TLS 1.3 has no use for it. */
static int key_type(EVP_PKEY *key, char *out, size_t size)
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
    if (X509_check_private_key(id->cert, id->key) != 1) {
        party_fail(error, TALLY_ERR_AUTH, "%s: key.pem and cert.pem do not belong together", dir);
        party_hint(error, "put back the certificate that was made for this key, or make a new identity");
        return TALLY_ERR_AUTH;
    }
    if (!key_type(id->key, id->key_type, sizeof id->key_type)) {
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

tally_status tally_identity_load(const char *dir, tally_identity **out, tally_error *error)
{
    size_t size = strlen(dir) + sizeof "/cert.pem";
    tally_status st = TALLY_ERR_NO_MEMORY;
    tally_identity *id = psi_secret_calloc(1, sizeof *id);
    char *path = psi_calloc(size, 1);
    if (!id || !path || !psi_openssl()) {
        party_no_memory(error, "an identity");
        goto done;
    }
    snprintf(path, size, "%s/key.pem", dir);
    st = read_key(&id->key, path, error);
    if (st)
        goto done;
    snprintf(path, size, "%s/cert.pem", dir);
    st = read_certs(id, path, error);
    if (st)
        goto done;
    st = describe(id, dir, error);
    if (st)
        goto done;
    snprintf(path, size, "%s/sign.pem", dir);
    st = read_signing_key(id, path, error);
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

void tally_identity_free(tally_identity *identity)
{
    if (!identity)
        return;
    sk_X509_pop_free(identity->chain, X509_free);
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    EVP_PKEY_free(identity->sign);
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
    if (now > identity->not_after) {
        party_time_text(when, identity->not_after);
        party_fail(error, TALLY_ERR_AUTH, "our own certificate expired on %s", when);
        party_hint(error,
                   "renew it; with the same key the peer keeps our fingerprint, with a new identity the peer "
                   "needs the new one");
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
