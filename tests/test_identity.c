/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: made, kept, loaded, shown, refused. */
#include "party/identity.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/support_cert.h"
#include "tests/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Paths live until the program ends. */
static const char *join(const char *dir, const char *name)
{
    static char *kept[256];
    static size_t count;
    if (count == sizeof kept / sizeof *kept || asprintf(&kept[count], "%s/%s", dir, name) < 0)
        abort();
    return kept[count++];
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

static int entries(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return n;
}

static tally_status create(const char *dir, const char *organisation, tally_error *error)
{
    memset(error, 0, sizeof *error);
    return tally_identity_create(dir, organisation, error);
}

static tally_status load(const char *dir, tally_identity **id, tally_error *error)
{
    *id = NULL;
    memset(error, 0, sizeof *error);
    return tally_identity_load(dir, id, error);
}

static void test_roundtrip(void)
{
    tally_error error;
    tally_identity *id, *again;
    const char *dir = join(unit_tmp(), "bank-id");
    CU_ASSERT_EQUAL_FATAL(create(dir, "Example Bank", &error), TALLY_OK);
    CU_ASSERT_EQUAL(mode_of(dir), 0700);
    CU_ASSERT_EQUAL(mode_of(join(dir, "key.pem")), 0600);
    CU_ASSERT_EQUAL(mode_of(join(dir, "sign.pem")), 0600);
    CU_ASSERT_EQUAL(entries(dir), 3);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(tally_identity_subject(id), "CN=bank-id,O=Example Bank");
    CU_ASSERT_STRING_EQUAL(tally_identity_key_type(id), "Ed25519");
    CU_ASSERT_EQUAL(strlen(tally_identity_fingerprint(id)), 71);
    int64_t now = (int64_t)time(NULL);
    CU_ASSERT(tally_identity_not_before(id) >= now - 3660 && tally_identity_not_before(id) <= now - 3540);
    CU_ASSERT(tally_identity_not_after(id) >= now + 730 * 86400 - 60 &&
              tally_identity_not_after(id) <= now + 730 * 86400 + 60);
    CU_ASSERT_EQUAL(party_identity_usable(id, &error), TALLY_OK);
    /* The fingerprint by another way: an Ed25519 SubjectPublicKeyInfo is 12 fixed bytes and the key, RFC
     * 8410. */
    uint8_t spki[44], raw[32], digest[32];
    size_t raw_len = sizeof raw;
    unit_hex(spki, 12, "302a300506032b6570032100");
    CU_ASSERT_EQUAL(EVP_PKEY_get_raw_public_key(id->key, raw, &raw_len), 1);
    memcpy(spki + 12, raw, 32);
    CU_ASSERT_EQUAL(psi_sha256(spki, sizeof spki, digest), TALLY_OK);
    CU_ASSERT(memcmp(digest, id->fingerprint32, 32) == 0);
    CU_ASSERT_EQUAL(load(dir, &again, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(tally_identity_fingerprint(id), tally_identity_fingerprint(again));
    tally_identity_free(again);
    tally_identity_free(id);
    tally_identity_free(NULL);
}

static void test_certificate_form(void)
{
    tally_error error;
    tally_identity *id;
    const char *dir = join(unit_tmp(), "form");
    CU_ASSERT_EQUAL_FATAL(create(dir, "A", &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_EQUAL(X509_get_version(id->cert), X509_VERSION_3);
    CU_ASSERT_EQUAL(X509_get_extension_flags(id->cert) & EXFLAG_CA, 0);
    CU_ASSERT_EQUAL(X509_get_key_usage(id->cert), KU_DIGITAL_SIGNATURE);
    CU_ASSERT_EQUAL(X509_get_extended_key_usage(id->cert), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    CU_ASSERT_EQUAL(X509_verify(id->cert, id->key), 1);
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(id->cert), NULL);
    CU_ASSERT(BN_num_bits(serial) == 159 && !BN_is_negative(serial));
    BN_free(serial);
    X509_NAME *name = X509_get_subject_name(id->cert);
    int at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    const ASN1_STRING *o = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    CU_ASSERT_EQUAL(ASN1_STRING_type(o), V_ASN1_UTF8STRING);
    tally_identity_free(id);
}

static void test_names(void)
{
    static const struct {
        const char *folder, *organisation, *subject; /* subject NULL: refused */
    } rows[] = {
        {"court", "示例市中级人民法院", "CN=court,O=示例市中级人民法院"},
        {"银行", "A, \"B\" + C;", "CN=银行,O=A\\, \\\"B\\\" \\+ C\\;"},
        {"trailing//", "x", "CN=trailing,O=x"},
        {"sixty-four", "0123456789012345678901234567890123456789012345678901234567890123",
         "CN=sixty-four,O=0123456789012345678901234567890123456789012345678901234567890123"},
        {"sixty-five", "01234567890123456789012345678901234567890123456789012345678901234", NULL},
        {"empty", "", NULL},
        {"line", "a\nb", NULL},
        {"c1",
         "a\xc2\x85"
         "b",
         NULL},
        {"broken", "a\xff", NULL},
        {"overlong", "a\xc0\xaf", NULL},
        {".", "dots", NULL},
        {"x/..", "dots", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tally_error error;
        tally_identity *id;
        const char *parent = unit_tmp(), *dir = join(parent, rows[i].folder);
        tally_status st = create(dir, rows[i].organisation, &error);
        if (!rows[i].subject) {
            CU_ASSERT_EQUAL(st, TALLY_ERR_USAGE);
            CU_ASSERT_EQUAL(error.status, TALLY_ERR_USAGE);
            CU_ASSERT_EQUAL(entries(parent), 0);
            continue;
        }
        CU_ASSERT_EQUAL_FATAL(st, TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
        CU_ASSERT_STRING_EQUAL(tally_identity_subject(id), rows[i].subject);
        tally_identity_free(id);
    }
}

static void test_never_overwrites(void)
{
    tally_error error;
    tally_identity *id, *again;
    const char *dir = join(unit_tmp(), "kept");
    CU_ASSERT_EQUAL_FATAL(create(dir, "First", &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_EQUAL(create(dir, "Second", &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "already holds an identity"));
    /* A key alone counts too, either of them. */
    unlink(join(dir, "cert.pem"));
    unlink(join(dir, "key.pem"));
    CU_ASSERT_EQUAL(create(dir, "Second", &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "already holds an identity"));
    rename(join(dir, "sign.pem"), join(dir, "key.pem"));
    CU_ASSERT_EQUAL(create(dir, "Second", &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "already holds an identity"));
    CU_ASSERT_EQUAL(entries(dir), 1);
    tally_identity_free(id);
    const char *other = unit_tmp();
    int fd = open(join(other, "list.csv"), O_CREAT | O_WRONLY, 0600);
    close(fd);
    CU_ASSERT_EQUAL(create(other, "X", &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "is not empty"));
    CU_ASSERT_EQUAL(entries(other), 1);
    /* An existing empty folder is fine. */
    const char *empty = unit_tmp();
    CU_ASSERT_EQUAL(create(empty, "X", &error), TALLY_OK);
    CU_ASSERT_EQUAL(load(empty, &again, &error), TALLY_OK);
    tally_identity_free(again);
}

static void test_folder_errors(void)
{
    tally_error error;
    const char *dir = join(unit_tmp(), "a/b");
    CU_ASSERT_EQUAL(create(dir, "X", &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "above it"));
    const char *parent = unit_tmp(), *file = join(parent, "file");
    close(open(file, O_CREAT | O_WRONLY, 0600));
    CU_ASSERT_EQUAL(create(file, "X", &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(entries(parent), 1);
}

static void test_permissions(void)
{
    static const mode_t open_modes[] = {0644, 0640, 0604, 0660};
    tally_error error;
    tally_identity *id;
    const char *dir = join(unit_tmp(), "id");
    CU_ASSERT_EQUAL_FATAL(create(dir, "X", &error), TALLY_OK);
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        chmod(join(dir, "key.pem"), open_modes[i]);
        CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "others may read"));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "chmod 600"));
        CU_ASSERT_PTR_NULL(id);
    }
    chmod(join(dir, "key.pem"), 0400);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_OK);
    tally_identity_free(id);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
    chmod(path, 0600);
}

static void test_bad_folders(void)
{
    tally_error error;
    tally_identity *id;
    const char *dir = unit_tmp();
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "key.pem"));
    cert_made one = cert_make(&(cert_spec){.common = "one"}), two = cert_make(&(cert_spec){.common = "two"});
    cert_write_identity(&one, NULL, dir);
    cert_write_pem(two.cert, join(dir, "cert.pem"));
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "do not belong together"));
    unlink(join(dir, "cert.pem"));
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "cert.pem"));
    write_text(join(dir, "cert.pem"), "not a certificate\n");
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    write_text(join(dir, "cert.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    cert_write_pem(one.cert, join(dir, "cert.pem"));
    write_text(join(dir, "key.pem"), "");
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "no private key"));
    unlink(join(dir, "key.pem"));
    mkdir(join(dir, "key.pem"), 0700);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "not a regular file"));
    rmdir(join(dir, "key.pem"));
    /* Large enough to be no key, whatever it holds. */
    FILE *f = fopen(join(dir, "key.pem"), "w");
    for (int i = 0; i < 70000; i++)
        fputc('A', f);
    fclose(f);
    chmod(join(dir, "key.pem"), 0600);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "too large"));
    CU_ASSERT_PTR_NULL(id);
    cert_free(&one);
    cert_free(&two);
}

static void test_encrypted_key(void)
{
    tally_error error;
    tally_identity *id;
    const char *dir = unit_tmp();
    cert_made made = cert_make(&(cert_spec){.common = "locked"});
    cert_write_identity(&made, NULL, dir);
    FILE *f = fopen(join(dir, "key.pem"), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(PEM_write_PKCS8PrivateKey(f, made.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL));
    fclose(f);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "passphrase"));
    cert_free(&made);
}

static void test_key_types(void)
{
    static const struct {
        const char *key, *shown; /* shown NULL: refused */
    } rows[] = {{"RSA2048", "RSA 2048"},
                {"P-256", "EC P-256"},
                {"P-384", "EC P-384"},
                {"RSA1024", NULL},
                {"secp256k1", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tally_error error;
        tally_identity *id;
        const char *dir = unit_tmp();
        cert_made made = cert_make(&(cert_spec){.key = rows[i].key, .common = "k"});
        cert_write_identity(&made, NULL, dir);
        tally_status st = load(dir, &id, &error);
        CU_ASSERT_EQUAL(st, rows[i].shown ? TALLY_OK : TALLY_ERR_AUTH);
        if (!st)
            CU_ASSERT_STRING_EQUAL(tally_identity_key_type(id), rows[i].shown);
        tally_identity_free(id);
        cert_free(&made);
    }
}

static void test_validity_and_renewal(void)
{
    tally_error error;
    tally_identity *old, *future, *renewed;
    cert_made first = cert_make(&(cert_spec){.common = "old", .from_s = -7200, .to_s = -600});
    cert_made second = cert_make(&(cert_spec){.common = "old", .with_key = first.key});
    const char *dir = unit_tmp();
    cert_write_identity(&first, NULL, dir);
    CU_ASSERT_EQUAL_FATAL(load(dir, &old, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_identity_usable(old, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "our own certificate expired on 2"));
    CU_ASSERT(error.hint[0] != 0);
    dir = unit_tmp();
    cert_write_identity(&second, first.cert, dir);
    CU_ASSERT_EQUAL_FATAL(load(dir, &renewed, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_identity_usable(renewed, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(tally_identity_fingerprint(old), tally_identity_fingerprint(renewed));
    CU_ASSERT_EQUAL(sk_X509_num(renewed->chain), 1);
    future = cert_identity(&(cert_spec){.common = "early", .from_s = 3600, .to_s = 7200});
    CU_ASSERT_EQUAL(party_identity_usable(future, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "not valid before"));
    tally_identity_free(old);
    tally_identity_free(renewed);
    tally_identity_free(future);
    cert_free(&first);
    cert_free(&second);
}

static void test_long_subject_is_empty(void)
{
    char long_name[300], text[64];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    cert_made made = cert_make(&(cert_spec){.organisation = long_name, .common = "x"});
    tally_identity *id = NULL;
    const char *dir = unit_tmp();
    tally_error error;
    cert_write_identity(&made, NULL, dir);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(tally_identity_subject(id), "");
    tally_identity_free(id);
    cert_made small = cert_make(&(cert_spec){.common = "tab\there"});
    party_subject_text(small.cert, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "CN=tab\\09here");
    party_subject_text(small.cert, text, 13); /* 13 characters and the zero do not fit */
    CU_ASSERT_STRING_EQUAL(text, "");
    party_subject_text(small.cert, text, 14);
    CU_ASSERT_STRING_EQUAL(text, "CN=tab\\09here");
    cert_free(&small);
    cert_free(&made);
}

static void test_signing_key(void)
{
    tally_error error;
    tally_identity *id, *other;
    uint8_t a[64], b[64];
    const char *dir = join(unit_tmp(), "signs");
    CU_ASSERT_EQUAL_FATAL(create(dir, "Example Bank", &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_EQUAL(strlen(tally_identity_signing_fingerprint(id)), 71);
    CU_ASSERT_STRING_NOT_EQUAL(tally_identity_signing_fingerprint(id), tally_identity_fingerprint(id));
    CU_ASSERT_EQUAL(party_sign(id, "message", 7, a), TALLY_OK);
    CU_ASSERT_EQUAL(party_sign(id, "message", 7, b), TALLY_OK);
    CU_ASSERT(memcmp(a, b, 64) == 0); /* Ed25519 is deterministic */
    CU_ASSERT_EQUAL(party_sign_verify(id->sign_public32, "message", 7, a), TALLY_OK);
    CU_ASSERT_EQUAL(party_sign_verify(id->sign_public32, "massage", 7, a), TALLY_ERR_DIFFERS);
    a[63] ^= 1;
    CU_ASSERT_EQUAL(party_sign_verify(id->sign_public32, "message", 7, a), TALLY_ERR_DIFFERS);
    /* RFC 8032 section 7.1, test 1: the empty message. */
    uint8_t key[32], signature[64];
    unit_hex(key, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    unit_hex(
        signature, 64,
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b");
    CU_ASSERT_EQUAL(party_sign_verify(key, "", 0, signature), TALLY_OK);
    /* A key of order 1, under which the same signature would fit every text. */
    memset(key, 0, sizeof key);
    memset(signature, 0, sizeof signature);
    key[0] = signature[0] = 1;
    CU_ASSERT_EQUAL(party_sign_verify(key, "message", 7, signature), TALLY_ERR_DIFFERS);
    /* The same rules as for key.pem. */
    chmod(join(dir, "sign.pem"), 0640);
    CU_ASSERT_EQUAL(load(dir, &other, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "sign.pem: others may read"));
    chmod(join(dir, "sign.pem"), 0600);
    CU_ASSERT_EQUAL(tally_identity_add_signing_key(dir, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "already"));
    CU_ASSERT_EQUAL(entries(dir), 3);
    /* An identity of before. */
    unlink(join(dir, "sign.pem"));
    CU_ASSERT_EQUAL_FATAL(load(dir, &other, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(tally_identity_signing_fingerprint(other), "");
    tally_identity_free(other);
    CU_ASSERT_EQUAL(tally_identity_add_signing_key(dir, &error), TALLY_OK);
    CU_ASSERT_EQUAL(mode_of(join(dir, "sign.pem")), 0600);
    CU_ASSERT_EQUAL(entries(dir), 3);
    CU_ASSERT_EQUAL_FATAL(load(dir, &other, &error), TALLY_OK);
    CU_ASSERT_STRING_NOT_EQUAL(tally_identity_signing_fingerprint(other),
                               tally_identity_signing_fingerprint(id));
    CU_ASSERT_STRING_EQUAL(tally_identity_fingerprint(other), tally_identity_fingerprint(id));
    tally_identity_free(other);
    tally_identity_free(id);
    CU_ASSERT_EQUAL(tally_identity_add_signing_key(unit_tmp(), &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "holds no identity"));
    CU_ASSERT_EQUAL(tally_identity_add_signing_key(join(unit_tmp(), "none"), &error), TALLY_ERR_FILE);
    /* An organisation's own link key of another kind, and a signing key of the wrong kind. */
    cert_made rsa = cert_make(&(cert_spec){.key = "RSA2048", .common = "r"});
    dir = unit_tmp();
    cert_write_identity(&rsa, NULL, dir);
    CU_ASSERT_EQUAL(tally_identity_add_signing_key(dir, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(load(dir, &id, &error), TALLY_OK);
    CU_ASSERT_EQUAL(strlen(tally_identity_signing_fingerprint(id)), 71);
    tally_identity_free(id);
    rename(join(dir, "key.pem"), join(dir, "sign.pem"));
    cert_write_identity(&rsa, NULL, dir);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "has to be an Ed25519 key"));
    cert_free(&rsa);
}

static void test_faults(void)
{
    tally_error error;
    tally_identity *id;
    const char *parent = unit_tmp(), *dir = join(parent, "id");
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(create(dir, "X", &error), TALLY_ERR_RANDOM);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
    CU_ASSERT_EQUAL(entries(parent), 0);
    CU_ASSERT_EQUAL_FATAL(create(dir, "X", &error), TALLY_OK);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_OK);
    unsigned long count = psi_mem_count();
    CU_ASSERT(count >= 3 && count < 100);
    tally_identity_free(id);
    for (unsigned long n = 1; n <= count; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(load(dir, &id, &error), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(error.status, TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(id);
    }
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"roundtrip", test_roundtrip},
        {"certificate_form", test_certificate_form},
        {"names", test_names},
        {"never_overwrites", test_never_overwrites},
        {"folder_errors", test_folder_errors},
        {"permissions", test_permissions},
        {"bad_folders", test_bad_folders},
        {"encrypted_key", test_encrypted_key},
        {"key_types", test_key_types},
        {"validity_and_renewal", test_validity_and_renewal},
        {"long_subject_is_empty", test_long_subject_is_empty},
        {"signing_key", test_signing_key},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "identity", tests, sizeof tests / sizeof *tests);
}
