/* SPDX-License-Identifier: Apache-2.0 */
#include "party/identity_file.h"

#include "party/error.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_dispatch.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 65536 /* bytes of a key.pem or cert.pem; RSA 16384 with a chain is below 30000 */

/* ---- Passphrases ---- */

tally_status party_passphrase_get(party_passphrase *p, const char *what, tally_error *error)
{
    p->used = 1;
    if (p->len)
        return TALLY_OK;
    int64_t n = p->ask && !p->asked ? p->ask(p->user, what, p->text, TALLY_PASSPHRASE_MAX) : -1;
    p->asked = 1;
    if (n > 0 && n <= TALLY_PASSPHRASE_MAX) {
        p->len = (size_t)n;
        p->text[n] = 0;
        return TALLY_OK;
    }
    party_fail(error, TALLY_ERR_FILE, "%s: a passphrase is needed, and none was given", what);
    party_hint(error, "give it in a file that only you may read, --passphrase-file FILE, or as the systemd "
                      "credential tally-passphrase");
    return TALLY_ERR_FILE;
}

/* ---- Reading ---- */

int party_mode_too_open(mode_t mode, unsigned flags)
{
    return (mode & (flags & TALLY_IDENTITY_CREDENTIAL ? 037 : 077)) != 0;
}

static tally_status file_error(tally_error *error, const char *path, const char *what)
{
    return party_fail(error, TALLY_ERR_FILE, PARTY_OF_WHOLE, path, what);
}

tally_status party_identity_read(BIO **out, const char *path, int secret, unsigned flags, tally_error *error)
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
    if (secret && party_mode_too_open(info.st_mode, flags)) {
        party_fail(error, TALLY_ERR_FILE, "%s: others may read the private key (mode %04o)", path,
                   (unsigned)(info.st_mode & 07777));
        party_hint(error, "run: chmod 600 '%s'; if others could have copied the key, make a new identity",
                   path);
        goto done;
    }
    /* Of the file's size, so that a key fits into locked memory; one that grows meanwhile is refused. */
    size_t room = info.st_size < FILE_MAX ? (size_t)info.st_size + 1 : 0;
    if (!room) {
        file_error(error, path, "too large for a key or certificate");
        goto done;
    }
    bytes = psi_secret_calloc(room, 1);
    bio = BIO_new(BIO_s_secmem());
    if (!bytes || !bio) {
        st = party_no_memory(error, "an identity");
        goto done;
    }
    for (ssize_t n = 1; n != 0;) {
        n = len < room ? read(fd, bytes + len, room - len) : 0;
        if (n < 0 && errno != EINTR) {
            file_error(error, path, party_system_text(errno));
            goto done;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    if (len == room) {
        file_error(error, path, "changed while it was read");
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

/* For OpenSSL, which asks in the middle of reading. */
struct asking {
    party_passphrase *p;
    const char *path;
    tally_error *error;
    tally_status st;
    int asked;
};

static int tell_passphrase(char *buf, int size, int writing, void *user)
{
    struct asking *a = user;
    (void)writing;
    a->asked = 1;
    a->st = party_passphrase_get(a->p, a->path, a->error);
    if (a->st || size < 0 || a->p->len > (size_t)size)
        return -1;
    memcpy(buf, a->p->text, a->p->len);
    return (int)a->p->len;
}

EVP_PKEY *party_key_decode(BIO *bio, const char *path, party_passphrase *p, int *asked, tally_error *error)
{
    struct asking a = {.p = p, .path = path, .error = error};
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(&key, NULL, NULL, NULL, OSSL_KEYMGMT_SELECT_KEYPAIR,
                                                        psi_openssl(), NULL);
    if (d && OSSL_DECODER_CTX_set_pem_password_cb(d, tell_passphrase, &a))
        (void)!OSSL_DECODER_from_bio(d, bio);
    OSSL_DECODER_CTX_free(d);
    ERR_clear_error();
    *asked = a.asked;
    return key;
}

tally_status party_key_read(EVP_PKEY **out, const char *path, unsigned flags, party_passphrase *p,
                            int *encrypted, tally_error *error)
{
    BIO *bio = NULL;
    struct asking a = {.p = p, .path = path, .error = error};
    tally_status st = party_identity_read(&bio, path, 1, flags, error);
    if (st)
        return st;
    *out = PEM_read_bio_PrivateKey_ex(bio, NULL, tell_passphrase, &a, psi_openssl(), NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (encrypted)
        *encrypted = a.asked;
    if (*out)
        return TALLY_OK;
    if (!a.asked)
        return file_error(error, path, "no private key in PEM form");
    if (a.st)
        return a.st;
    party_fail(error, TALLY_ERR_AUTH, "%s: the passphrase does not fit, or the file is damaged", path);
    party_hint(error, "check the passphrase; without it the key is lost, and a new identity has to be made");
    return TALLY_ERR_AUTH;
}

EVP_PKEY *party_public_key_read(const char *path)
{
    BIO *bio = NULL;
    EVP_PKEY *key = NULL;
    unsigned char *der = NULL;
    long len = 0;
    /* By its name: PEM_read_bio_PUBKEY would try the private key too, and ask for the passphrase itself. */
    if (party_identity_read(&bio, path, 0, 0, NULL) == TALLY_OK &&
        PEM_bytes_read_bio(&der, &len, NULL, "PUBLIC KEY", bio, NULL, NULL)) {
        const unsigned char *at = der;
        key = d2i_PUBKEY_ex(NULL, &at, len, psi_openssl(), NULL);
    }
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* ---- Writing ---- */

/* The PKCS#8 of key, encrypted. */
static X509_SIG *encrypt(EVP_PKEY *key, const party_passphrase *p)
{
    uint8_t salt[16], iv[16];
    X509_SIG *out = NULL;
    X509_ALGOR *how = NULL;
    PKCS8_PRIV_KEY_INFO *plain = NULL;
    EVP_CIPHER *aes = EVP_CIPHER_fetch(psi_openssl(), "AES-256-CBC", NULL);
    if (!aes || psi_random(salt, sizeof salt) || psi_random(iv, sizeof iv))
        goto done;
    plain = EVP_PKEY2PKCS8(key);
    how = PKCS5_pbe2_set_iv_ex(aes, PARTY_PBKDF2_ROUNDS, salt, sizeof salt, iv, NID_hmacWithSHA256,
                               psi_openssl());
    if (plain && how)
        out = PKCS8_set0_pbe_ex(p->text, (int)p->len, plain, how, psi_openssl(), NULL);
    if (out)
        how = NULL; /* out has taken it over */
done:
    X509_ALGOR_free(how);
    PKCS8_PRIV_KEY_INFO_free(plain);
    EVP_CIPHER_free(aes);
    return out;
}

BIO *party_key_pem(EVP_PKEY *key, const party_passphrase *p)
{
    BIO *pem = psi_openssl() ? BIO_new(BIO_s_secmem()) : NULL;
    X509_SIG *sealed = pem && p ? encrypt(key, p) : NULL;
    int ok = pem && (p ? sealed && PEM_write_bio_PKCS8(pem, sealed) && PEM_write_bio_PUBKEY(pem, key)
                       : PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL));
    X509_SIG_free(sealed);
    ERR_clear_error();
    if (ok)
        return pem;
    BIO_free(pem);
    return NULL;
}

int party_identity_write(int dir_fd, const char *name, mode_t mode, BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return 0;
    int ok = fchmod(fd, mode) == 0;
    for (long at = 0; ok && at < len;) {
        ssize_t n = write(fd, bytes + at, (size_t)(len - at));
        at += n > 0 ? n : 0;
        ok = n > 0 || (n < 0 && errno == EINTR);
    }
    ok = ok && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) && ok) {
        saved = errno;
        ok = 0;
    }
    if (!ok)
        unlinkat(dir_fd, name, 0);
    errno = saved;
    return ok;
}

int party_identity_replace(int dir_fd, const char *name, mode_t mode, BIO *bio)
{
    char tmp[64];
    snprintf(tmp, sizeof tmp, ".%s.change", name);
    if (unlinkat(dir_fd, tmp, 0) && errno != ENOENT)
        return 0;
    if (!party_identity_write(dir_fd, tmp, mode, bio))
        return 0;
    if (renameat(dir_fd, tmp, dir_fd, name) == 0 && fsync(dir_fd) == 0)
        return 1;
    int saved = errno;
    unlinkat(dir_fd, tmp, 0);
    errno = saved;
    return 0;
}
