/* SPDX-License-Identifier: Apache-2.0 */
/* An identity changed in place: its passphrase, a renewed certificate, a new TLS key beside the old one. */
#include "party/error.h"
#include "party/identity.h"
#include "party/identity_file.h"
#include "party/tls.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400
#define OVERLAP_DAYS_MAX 366

static tally_status folder_error(tally_error *error, const char *dir, const char *what)
{
    return party_fail(error, TALLY_ERR_FILE, PARTY_OF_WHOLE, dir, what);
}

static int open_folder(const char *dir)
{
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static tally_status path_of(char out[PATH_MAX], const char *dir, const char *name, tally_error *error)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX ? TALLY_OK : folder_error(error, dir, party_system_text(ENAMETOOLONG));
}

/* ---- Passphrase ---- */

/* One key by the old passphrase or, if an earlier change was interrupted, the new one. */
static tally_status read_by_either(EVP_PKEY **out, const char *path, party_passphrase *old,
                                   party_passphrase *new, tally_error *error)
{
    tally_error ignored;
    tally_status st = party_key_read(out, path, 0, old, NULL, error);
    if (st == TALLY_ERR_AUTH && new &&party_key_read(out, path, 0, new, NULL, &ignored) == TALLY_OK)
        st = TALLY_OK;
    return st;
}

tally_status tally_identity_set_passphrase(const char *dir, tally_passphrase_callback old_ask, void *old_user,
                                           tally_passphrase_callback new_ask, void *new_user,
                                           tally_error *error)
{
    enum { FILES = 3 };
    static const char *const names[FILES] = {"key.pem", "sign.pem", "next/key.pem"};
    char path[PATH_MAX];
    EVP_PKEY *keys[FILES] = {NULL};
    struct stat info;
    int fd = open_folder(dir), next = -1, found = 0, changed = 0;
    party_passphrase *old = psi_secret_calloc(1, sizeof *old), *new = psi_secret_calloc(1, sizeof *new);
    tally_status st = TALLY_OK;
    if (!old || !new)
        st = party_no_memory(error, "a passphrase");
    if (!st && fd < 0)
        st = folder_error(error, dir, party_system_text(errno));
    if (!st) {
        *old = (party_passphrase){.ask = old_ask, .user = old_user};
        *new = (party_passphrase){.ask = new_ask, .user = new_user};
    }
    for (int i = 0; !st && i < FILES; i++) {
        st = path_of(path, dir, names[i], error);
        if (!st && lstat(path, &info) == 0) {
            found = 1;
            st = read_by_either(&keys[i], path, old, new_ask ? new : NULL, error);
        }
    }
    if (!st && !found)
        st = folder_error(error, dir, "holds no key in a file");
    if (!st && new_ask)
        st = party_passphrase_get(new, dir, error);
    for (int i = 0; !st && i < FILES; i++) {
        if (!keys[i])
            continue;
        int in_next = i == FILES - 1;
        BIO *pem = party_key_pem(keys[i], new_ask ? new : NULL);
        if (in_next && next < 0)
            next = openat(fd, "next", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!pem)
            st = party_no_memory(error, "a key");
        else if (!party_identity_replace(in_next ? next : fd, in_next ? "key.pem" : names[i], 0600, pem))
            st = folder_error(error, dir, party_system_text(errno));
        changed += !st;
        BIO_free(pem);
    }
    if (st && changed)
        party_hint(error, "some keys have the new passphrase already: repeat the command with both");
    for (int i = 0; i < FILES; i++)
        EVP_PKEY_free(keys[i]);
    psi_secret_free(old);
    psi_secret_free(new);
    if (next >= 0)
        close(next);
    if (fd >= 0)
        close(fd);
    ERR_clear_error();
    return st;
}

/* ---- The same key, a new certificate ---- */

static tally_status replace_cert(const char *dir, X509 *cert, STACK_OF(X509) * chain, tally_error *error)
{
    int fd = open_folder(dir);
    BIO *pem = party_certs_pem(cert, chain);
    tally_status st = TALLY_OK;
    if (!pem)
        st = party_no_memory(error, "a certificate");
    else if (fd < 0 || !party_identity_replace(fd, "cert.pem", 0644, pem))
        st = folder_error(error, dir, party_system_text(errno));
    BIO_free(pem);
    if (fd >= 0)
        close(fd);
    return st;
}

static tally_status need_self_signed(const tally_identity *id, tally_error *error)
{
    if (party_cert_self_signed(id->cert))
        return TALLY_OK;
    party_fail(error, TALLY_ERR_AUTH,
               "an authority signed this certificate, so that it has to make the new one");
    party_hint(error, "give what it made: --cert FILE, with a new key also --key FILE");
    return TALLY_ERR_AUTH;
}

tally_status tally_identity_renew(const char *dir, unsigned days, const char *cert_path,
                                  const char *chain_path, tally_passphrase_callback ask, void *user,
                                  tally_error *error)
{
    tally_identity *id = NULL;
    X509 *cert = NULL;
    STACK_OF(X509) *chain = NULL;
    party_passphrase *p = psi_secret_calloc(1, sizeof *p);
    tally_status st = p ? party_days_check(days, error) : party_no_memory(error, "an identity");
    if (!st) {
        *p = (party_passphrase){.ask = ask, .user = user};
        st = party_identity_open(dir, 0, p, &id, error);
    }
    if (!st && cert_path)
        st = party_cert_read(&cert, &chain, cert_path, error);
    if (!st && cert_path && chain_path)
        st = party_chain_add(&chain, chain_path, error);
    if (!st && cert_path)
        st = party_import_check(cert, chain, id->key, cert_path, error);
    if (!st && !cert_path)
        st = need_self_signed(id, error);
    if (!st && !cert_path &&
        !(cert = party_cert_make(id->key, X509_get0_pubkey(id->cert), X509_get_subject_name(id->cert), days)))
        st = party_fail(error, TALLY_ERR_INTERNAL, "cannot make a certificate");
    if (!st)
        st = replace_cert(dir, cert, chain, error);
    sk_X509_pop_free(chain, X509_free);
    X509_free(cert);
    tally_identity_free(id);
    psi_secret_free(p);
    ERR_clear_error();
    return st;
}

/* ---- A new key ---- */

tally_status party_identity_read_rotations(tally_identity *id, const char *dir, tally_error *error)
{
    char path[PATH_MAX], *text = NULL;
    struct stat info;
    BIO *bio = NULL;
    tally_status st = path_of(path, dir, "next/cert.pem", error);
    if (st)
        return st;
    id->next_waits = lstat(path, &info) == 0;
    st = path_of(path, dir, "rotations", error);
    if (st || (lstat(path, &info) && errno == ENOENT))
        return st;
    st = party_identity_read(&bio, path, 0, 0, error);
    if (!st) {
        long len = BIO_get_mem_data(bio, &text);
        st = party_rotation_parse(id->rotations, PARTY_ROTATIONS_MAX, &id->rotation_count, path, text,
                                  (size_t)len, error);
    }
    BIO_free(bio);
    return st;
}

int64_t tally_identity_overlap_until(const tally_identity *id)
{
    return id->next_waits && id->rotation_count ? id->rotations[id->rotation_count - 1].until : 0;
}

/* The next key with a certificate of the same subject. */
static tally_status make_next(party_identity_parts *out, uint8_t pin32[32], const tally_identity *id,
                              unsigned days, const party_passphrase *p, tally_error *error)
{
    tally_status st = need_self_signed(id, error);
    if (st)
        return st;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(psi_openssl(), NULL, "ED25519");
    X509 *cert = key ? party_cert_make(key, key, X509_get_subject_name(id->cert), days) : NULL;
    party_identity_parts parts = {.key = cert ? party_key_pem(key, p->len ? p : NULL) : NULL,
                                  .cert = cert ? party_certs_pem(cert, NULL) : NULL};
    if (!parts.key || !parts.cert || party_spki_fingerprint(cert, pin32)) {
        party_identity_parts_free(&parts);
        st = party_fail(error, TALLY_ERR_INTERNAL, "cannot make a key and a certificate");
    }
    *out = parts;
    X509_free(cert);
    EVP_PKEY_free(key);
    return st;
}

/* All statements of the identity, the new one last. */
static tally_status write_rotations(const char *dir, const tally_identity *id, const party_rotation *last,
                                    tally_error *error)
{
    char text[PARTY_ROTATION_TEXT];
    BIO *bio = BIO_new(BIO_s_mem());
    int fd = open_folder(dir), ok = bio != NULL;
    for (size_t i = 0; ok && i <= id->rotation_count; i++) {
        party_rotation_text(text, i < id->rotation_count ? &id->rotations[i] : last);
        ok = BIO_puts(bio, text) > 0;
    }
    tally_status st = ok ? TALLY_OK : party_no_memory(error, "a statement of rotation");
    if (!st && (fd < 0 || !party_identity_replace(fd, "rotations", 0644, bio)))
        st = folder_error(error, dir, party_system_text(errno));
    BIO_free(bio);
    if (fd >= 0)
        close(fd);
    return st;
}

static void remove_next(const char *dir)
{
    static const char *const files[] = {"next/key.pem", "next/key.uri", "next/cert.pem"};
    int fd = open_folder(dir);
    if (fd < 0)
        return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlinkat(fd, files[i], 0);
    unlinkat(fd, "next", AT_REMOVEDIR);
    close(fd);
}

static tally_status may_rotate(const tally_identity *id, const char *dir, unsigned overlap_days,
                               tally_error *error)
{
    if (overlap_days < 1 || overlap_days > OVERLAP_DAYS_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "old and new key overlap for 1 to %d days",
                          OVERLAP_DAYS_MAX);
    if (id->next_waits) {
        folder_error(error, dir, "a new key waits in next/ already");
        party_hint(error, "put it in place with: tally identity rotate NAME --finish");
        return TALLY_ERR_FILE;
    }
    if (!id->sign) {
        party_fail(error, TALLY_ERR_AUTH, "%s: there is no signing key to vouch for the new key", dir);
        party_hint(error, "no agreement names this identity, then: make a new one, and give its fingerprint");
        return TALLY_ERR_AUTH;
    }
    if (id->rotation_count < PARTY_ROTATIONS_MAX)
        return TALLY_OK;
    folder_error(error, dir, "has been rotated as often as one agreement can follow");
    party_hint(error,
               "have a new agreement signed that names the key in use, and move the file rotations away");
    return TALLY_ERR_FILE;
}

tally_status tally_identity_rotate(const char *dir, unsigned overlap_days, unsigned days,
                                   const tally_import *from, tally_passphrase_callback ask, void *user,
                                   tally_error *error)
{
    char next[PATH_MAX];
    tally_identity *id = NULL;
    party_identity_parts parts = {0};
    party_rotation r = {.from = (int64_t)time(NULL)};
    party_passphrase *p = psi_secret_calloc(1, sizeof *p), *theirs = psi_secret_calloc(1, sizeof *theirs);
    tally_status st = p && theirs ? party_days_check(days, error) : party_no_memory(error, "an identity");
    if (!st)
        st = path_of(next, dir, "next", error);
    if (!st) {
        *p = (party_passphrase){.ask = ask, .user = user};
        st = party_identity_open(dir, 0, p, &id, error);
    }
    if (!st)
        st = may_rotate(id, dir, overlap_days, error);
    if (!st && from) {
        *theirs = (party_passphrase){.ask = from->ask, .user = from->user};
        st = party_import_parts(&parts, r.new32, from, theirs, p->len ? p : NULL, error);
    } else if (!st) {
        st = make_next(&parts, r.new32, id, days, p, error);
    }
    if (!st) {
        memcpy(r.old32, id->fingerprint32, sizeof r.old32);
        r.until = r.from + (int64_t)overlap_days * DAY_S;
        if (memcmp(r.old32, r.new32, sizeof r.old32) == 0) {
            st = party_fail(error, TALLY_ERR_AUTH, "the new certificate is of the key in use");
            party_hint(error, "renewing needs no rotation: tally identity rotate NAME --renew --cert FILE");
        }
    }
    if (!st)
        st = party_rotation_sign(&r, id);
    if (!st)
        st = party_identity_store(next, &parts, error);
    if (!st) {
        st = write_rotations(dir, id, &r, error);
        if (st)
            remove_next(dir);
    }
    party_identity_parts_free(&parts);
    tally_identity_free(id);
    psi_secret_free(p);
    psi_secret_free(theirs);
    ERR_clear_error();
    return st;
}

/* A rotation that was interrupted may have left a key that no statement vouches for. */
static tally_status check_vouched(const char *dir, tally_error *error)
{
    char path[PATH_MAX];
    uint8_t pin32[32];
    X509 *cert = NULL;
    STACK_OF(X509) *chain = NULL;
    int vouched = 0;
    tally_identity *id = psi_calloc(1, sizeof *id);
    tally_status st =
        id ? party_identity_read_rotations(id, dir, error) : party_no_memory(error, "an identity");
    if (!st)
        st = path_of(path, dir, "next/cert.pem", error);
    if (!st)
        st = party_certs_read(&cert, &chain, path, error);
    if (!st && party_spki_fingerprint(cert, pin32))
        st = folder_error(error, path, "the public key cannot be read");
    for (size_t i = 0; !st && i < id->rotation_count; i++)
        vouched |= memcmp(id->rotations[i].new32, pin32, sizeof pin32) == 0;
    if (!st && !vouched) {
        st = folder_error(error, dir, "no statement names the key in next/");
        party_hint(error, "the rotation was interrupted: remove the folder next/, and begin again");
    }
    sk_X509_pop_free(chain, X509_free);
    X509_free(cert);
    psi_free(id);
    return st;
}

/* Each step can be repeated: after a crash the command finishes what is left. */
tally_status tally_identity_rotate_finish(const char *dir, tally_error *error)
{
    static const char *const keys[] = {"key.pem", "key.uri"};
    struct stat info;
    int fd = open_folder(dir), ok = 1;
    if (fd < 0)
        return folder_error(error, dir, party_system_text(errno));
    tally_status st = TALLY_OK;
    if (fstatat(fd, "next/cert.pem", &info, AT_SYMLINK_NOFOLLOW)) {
        st = folder_error(error, dir, "there is no new key in next/");
        party_hint(error, "make one with: tally identity rotate NAME");
        goto done;
    }
    st = check_vouched(dir, error);
    if (st)
        goto done;
    for (int i = 0; ok && i < 2; i++) {
        char from[16];
        snprintf(from, sizeof from, "next/%s", keys[i]);
        if (fstatat(fd, from, &info, AT_SYMLINK_NOFOLLOW))
            continue;
        ok = (unlinkat(fd, keys[!i], 0) == 0 || errno == ENOENT) && renameat(fd, from, fd, keys[i]) == 0;
    }
    ok = ok && renameat(fd, "next/cert.pem", fd, "cert.pem") == 0 &&
         unlinkat(fd, "next", AT_REMOVEDIR) == 0 && fsync(fd) == 0;
    if (!ok) {
        st = folder_error(error, dir, party_system_text(errno));
        party_hint(error,
                   "remove the cause and repeat the command; the new key is in the folder or in next/");
    }
done:
    close(fd);
    return st;
}
