/* SPDX-License-Identifier: Apache-2.0 */
/* Making an identity: Ed25519 key, self-signed certificate, and a second key that signs: three files that
 * appear whole or not at all. */
#include "party/error.h"
#include "party/identity.h"
#include "party/identity_file.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

#define NAME_CHARACTERS 64 /* upper bound of organizationName and commonName, RFC 5280 appendix A.1 */
#define DAYS_MAX 3650
#define BACKDATE_S 3600 /* the peer's clock may be slow */

/* ---- The certificate ---- */

/* UTF-8, 1..64 characters, none of them a control character. */
static int name_ok(const char *text, size_t len)
{
    size_t characters = 0;
    for (size_t at = 0; at < len; characters++) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &c);
        if (n <= 0 || utf8proc_category(c) == UTF8PROC_CATEGORY_CC)
            return 0;
        at += (size_t)n;
    }
    return characters >= 1 && characters <= NAME_CHARACTERS;
}

static int add_name(X509_NAME *name, int nid, const char *text, size_t len)
{
    return X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING, (const unsigned char *)text, (int)len, -1,
                                      0);
}

static int add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = e && X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static int set_serial(X509 *cert, const uint8_t serial20[20])
{
    BIGNUM *n = BN_bin2bn(serial20, 20, NULL);
    int ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

/* Ed25519 and Ed448 hash by themselves. */
static const EVP_MD *sign_digest(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448") ? NULL : EVP_sha256();
}

X509 *party_cert_make(EVP_PKEY *key, EVP_PKEY *public_key, X509_NAME *name, unsigned days)
{
    uint8_t serial20[20];
    if (psi_random(serial20, sizeof serial20))
        return NULL;
    serial20[0] =
        (uint8_t)((serial20[0] & 0x7f) | 0x40); /* positive, 158 random bits, always 20 bytes of DER */
    X509 *cert = X509_new_ex(psi_openssl(), NULL);
    int ok =
        cert && name && X509_set_version(cert, X509_VERSION_3) && set_serial(cert, serial20) &&
        X509_set_subject_name(cert, name) && X509_set_issuer_name(cert, name) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) &&
        X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 86400) && X509_set_pubkey(cert, public_key) &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
        add_extension(cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, sign_digest(key)) > 0;
    if (!ok) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

/* ---- The folder ---- */

/* The last component of a path without trailing slashes; *len 0 when it names no folder of its own. */
static const char *last_component(const char *dir, size_t *len)
{
    size_t end = strlen(dir);
    while (end && dir[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && dir[start - 1] != '/')
        start--;
    *len = end - start;
    if ((*len == 1 && dir[start] == '.') || (*len == 2 && dir[start] == '.' && dir[start + 1] == '.'))
        *len = 0;
    return dir + start;
}

static tally_status folder_error(tally_error *error, const char *dir, const char *what)
{
    return party_fail(error, TALLY_ERR_FILE, PARTY_OF_WHOLE, dir, what);
}

static int holds_identity(int fd)
{
    struct stat info;
    return fstatat(fd, "key.pem", &info, AT_SYMLINK_NOFOLLOW) == 0 ||
           fstatat(fd, "key.uri", &info, AT_SYMLINK_NOFOLLOW) == 0 ||
           fstatat(fd, "cert.pem", &info, AT_SYMLINK_NOFOLLOW) == 0 ||
           fstatat(fd, "sign.pem", &info, AT_SYMLINK_NOFOLLOW) == 0;
}

static tally_status check_empty(int fd, const char *dir, tally_error *error)
{
    if (holds_identity(fd)) {
        folder_error(error, dir, "already holds an identity");
        party_hint(error, "use it, or choose another folder; nothing was changed");
        return TALLY_ERR_FILE;
    }
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        folder_error(error, dir, party_system_text(errno));
        if (copy >= 0)
            close(copy);
        return TALLY_ERR_FILE;
    }
    int entries = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    if (!entries)
        return TALLY_OK;
    folder_error(error, dir, "is not empty");
    party_hint(error, "an identity has a folder of its own; choose another name");
    return TALLY_ERR_FILE;
}

/* All files by temporary names. The first temporary file, made exclusively, also keeps a second process out:
   it either fails to make it, or sees the first one's key.pem afterwards. On failure only our own files are
   removed. */
enum { KEY, CERT, SIGN, FILES };

static int put_files(int fd, const party_identity_parts *parts)
{
    static const char *const tmp[FILES] = {".key.pem.new", ".cert.pem.new", ".sign.pem.new"};
    const char *const name[FILES] = {parts->in_token ? "key.uri" : "key.pem", "cert.pem", "sign.pem"};
    BIO *const pem[FILES] = {parts->key, parts->cert, parts->sign};
    const char *ours[FILES] = {NULL};
    int ok = 1;
    for (int i = 0; ok && i < FILES; i++) {
        if (!pem[i])
            continue;
        ok = party_identity_write(fd, tmp[i], i == CERT ? 0644 : 0600, pem[i]);
        if (ok)
            ours[i] = tmp[i];
    }
    if (ok && holds_identity(fd)) {
        errno = EEXIST;
        ok = 0;
    }
    for (int i = 0; ok && i < FILES; i++) {
        if (!pem[i])
            continue;
        ok = renameat(fd, tmp[i], fd, name[i]) == 0;
        if (ok)
            ours[i] = name[i];
    }
    ok = ok && fsync(fd) == 0;
    int saved = errno;
    for (int i = 0; !ok && i < FILES; i++)
        if (ours[i])
            unlinkat(fd, ours[i], 0);
    errno = saved;
    return ok;
}

tally_status party_identity_store(const char *dir, const party_identity_parts *parts, tally_error *error)
{
    int made = mkdir(dir, 0700) == 0, failed = made ? 0 : errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int opening = errno;
        folder_error(error, dir, party_system_text(failed && failed != EEXIST ? failed : opening));
        if (failed == ENOENT)
            party_hint(error, "the folder above it does not exist; make it first");
        if (made)
            rmdir(dir);
        return TALLY_ERR_FILE;
    }
    tally_status st = made ? TALLY_OK : check_empty(fd, dir, error);
    if (!st && (fchmod(fd, 0700) || !put_files(fd, parts)))
        st = folder_error(error, dir, party_system_text(errno));
    close(fd);
    if (st && made)
        rmdir(dir);
    return st;
}

BIO *party_signing_key_make(const party_passphrase *p)
{
    EVP_PKEY *key = psi_openssl() ? EVP_PKEY_Q_keygen(psi_openssl(), NULL, "ED25519") : NULL;
    BIO *pem = key ? party_key_pem(key, p) : NULL;
    EVP_PKEY_free(key);
    return pem;
}

BIO *party_certs_pem(X509 *cert, STACK_OF(X509) * chain)
{
    BIO *pem = BIO_new(BIO_s_mem());
    int ok = pem && PEM_write_bio_X509(pem, cert);
    for (int i = 0; ok && chain && i < sk_X509_num(chain); i++)
        ok = PEM_write_bio_X509(pem, sk_X509_value(chain, i));
    if (ok)
        return pem;
    BIO_free(pem);
    return NULL;
}

void party_identity_parts_free(party_identity_parts *parts)
{
    BIO_free(parts->key);
    BIO_free(parts->cert);
    BIO_free(parts->sign);
    *parts = (party_identity_parts){0};
}

tally_status party_days_check(unsigned days, tally_error *error)
{
    if (days >= 1 && days <= DAYS_MAX)
        return TALLY_OK;
    return party_fail(error, TALLY_ERR_USAGE, "a certificate is valid for 1 to %d days", DAYS_MAX);
}

static tally_status check_names(const char *dir, const char *organisation, tally_error *error)
{
    size_t common_len;
    const char *common = last_component(dir, &common_len);
    if (!name_ok(organisation, strlen(organisation)))
        return party_fail(error, TALLY_ERR_USAGE,
                          "the organisation's name has to be 1 to %d characters of UTF-8 without "
                          "control characters",
                          NAME_CHARACTERS);
    if (!name_ok(common, common_len))
        return party_fail(error, TALLY_ERR_USAGE,
                          "the folder's name becomes part of the certificate: 1 to %d characters of "
                          "UTF-8 without control characters, and not . or ..",
                          NAME_CHARACTERS);
    return TALLY_OK;
}

tally_status tally_identity_create_with(const char *dir, const char *organisation, unsigned days,
                                        tally_passphrase_callback ask, void *user, tally_error *error)
{
    size_t common_len;
    const char *common = last_component(dir, &common_len);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    X509_NAME *name = NULL;
    party_identity_parts parts = {0};
    party_passphrase *p = NULL, *lock = NULL;
    uint8_t probe;
    tally_status st = check_names(dir, organisation, error);
    if (!st)
        st = party_days_check(days, error);
    if (st)
        return st;
    p = psi_secret_calloc(1, sizeof *p);
    if (!p || !psi_openssl()) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    if (ask) {
        p->ask = ask;
        p->user = user;
        lock = p;
        st = party_passphrase_get(p, dir, error);
        if (st)
            goto done;
    }
    st = psi_random(&probe, 1); /* whose failure OpenSSL would not tell apart */
    if (st) {
        party_fail(error, st, "the random generator failed");
        goto done;
    }
    st = TALLY_ERR_INTERNAL;
    key = EVP_PKEY_Q_keygen(psi_openssl(), NULL, "ED25519");
    name = X509_NAME_new();
    if (key && name && add_name(name, NID_organizationName, organisation, strlen(organisation)) &&
        add_name(name, NID_commonName, common, common_len))
        cert = party_cert_make(key, key, name, days);
    if (cert) {
        parts.key = party_key_pem(key, lock);
        parts.cert = party_certs_pem(cert, NULL);
        parts.sign = party_signing_key_make(lock);
    }
    if (!parts.key || !parts.cert || !parts.sign) {
        party_fail(error, st, "cannot make keys and a certificate");
        goto done;
    }
    st = party_identity_store(dir, &parts, error);
done:
    party_identity_parts_free(&parts);
    X509_NAME_free(name);
    X509_free(cert);
    EVP_PKEY_free(key);
    psi_secret_free(p);
    ERR_clear_error();
    return st;
}

tally_status tally_identity_create(const char *dir, const char *organisation, tally_error *error)
{
    return tally_identity_create_with(dir, organisation, TALLY_CERTIFICATE_DAYS, NULL, NULL, error);
}

/* The key that signs is encrypted where the other key is. Opening that one also shows whether the passphrase
 * fits. */
static tally_status find_passphrase(const char *dir, party_passphrase *p, int *encrypt, tally_error *error)
{
    char path[4096];
    struct stat info;
    EVP_PKEY *key = NULL;
    *encrypt = 0;
    if (snprintf(path, sizeof path, "%s/key.pem", dir) >= (int)sizeof path)
        return folder_error(error, dir, party_system_text(ENAMETOOLONG));
    if (lstat(path, &info)) { /* in a token: its PIN is no passphrase for files, but may be made one */
        *encrypt = p->ask != NULL;
        return *encrypt ? party_passphrase_get(p, path, error) : TALLY_OK;
    }
    tally_status st = party_key_read(&key, path, 0, p, encrypt, error);
    EVP_PKEY_free(key);
    return st;
}

tally_status tally_identity_add_signing_key_with(const char *dir, tally_passphrase_callback ask, void *user,
                                                 tally_error *error)
{
    static const char tmp[] = ".sign.pem.new", name[] = "sign.pem";
    tally_status st = TALLY_OK;
    struct stat info;
    BIO *pem = NULL;
    int encrypt = 0;
    party_passphrase *p = psi_secret_calloc(1, sizeof *p);
    if (!p)
        return party_no_memory(error, "an identity");
    p->ask = ask;
    p->user = user;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        st = folder_error(error, dir, party_system_text(errno));
        goto done;
    }
    if (fstatat(fd, "key.pem", &info, AT_SYMLINK_NOFOLLOW) &&
        fstatat(fd, "key.uri", &info, AT_SYMLINK_NOFOLLOW)) {
        st = folder_error(error, dir, "holds no identity");
        party_hint(error, "make one with `tally identity new`, or check the folder's name");
        goto done;
    }
    st = find_passphrase(dir, p, &encrypt, error);
    if (st)
        goto done;
    pem = party_signing_key_make(encrypt ? p : NULL);
    if (!pem) {
        st = party_fail(error, TALLY_ERR_INTERNAL, "cannot make an Ed25519 key");
        goto done;
    }
    /* The exclusive temporary file keeps a second process out; the link never replaces a key. */
    if (!party_identity_write(fd, tmp, 0600, pem)) {
        int exists = errno == EEXIST;
        st = folder_error(error, dir,
                          exists ? PARTY_WORD("has a file .sign.pem.new of an earlier try")
                                 : party_system_text(errno));
        if (exists)
            party_hint(
                error,
                "a key that signs is being made there, or was when it was interrupted: if nobody is at it, "
                "remove .sign.pem.new and try again");
        goto done;
    }
    if (linkat(fd, tmp, fd, name, 0)) {
        int exists = errno == EEXIST;
        st = folder_error(error, dir,
                          exists ? PARTY_WORD("has a key that signs already") : party_system_text(errno));
        if (exists)
            party_hint(error, "use it; nothing was changed");
    }
    unlinkat(fd, tmp, 0);
    if (!st && fsync(fd))
        st = folder_error(error, dir, party_system_text(errno));
done:
    BIO_free(pem);
    psi_secret_free(p);
    if (fd >= 0)
        close(fd);
    ERR_clear_error();
    return st;
}

tally_status tally_identity_add_signing_key(const char *dir, tally_error *error)
{
    return tally_identity_add_signing_key_with(dir, NULL, NULL, error);
}
