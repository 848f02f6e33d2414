/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_cert.h"

#include "psi/hash.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "test certificate: %s\n", what);
        abort();
    }
}

static EVP_PKEY *new_key(const char *type)
{
    if (!type || strcmp(type, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(psi_openssl(), NULL, "ED25519");
    if (strncmp(type, "RSA", 3) == 0)
        return EVP_PKEY_Q_keygen(psi_openssl(), NULL, "RSA", (size_t)strtoul(type + 3, NULL, 10));
    return EVP_PKEY_Q_keygen(psi_openssl(), NULL, "EC", type);
}

static void add_name(X509_NAME *name, int nid, const char *text)
{
    if (text)
        need(X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING, (const unsigned char *)text, -1, -1, 0),
             "name");
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(e && X509_add_ext(cert, e, -1), "extension");
    X509_EXTENSION_free(e);
}

cert_made cert_make(const cert_spec *spec)
{
    cert_made made = {.key = spec->with_key, .cert = X509_new_ex(psi_openssl(), NULL)};
    X509 *c = made.cert;
    uint8_t serial[8];
    if (made.key)
        EVP_PKEY_up_ref(made.key);
    else
        made.key = new_key(spec->key);
    need(c && made.key, "key");
    unit_random(serial, sizeof serial);
    BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
    need(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c)), "serial");
    BN_free(n);
    X509_NAME *name = X509_NAME_new();
    add_name(name, NID_organizationName, spec->organisation);
    add_name(name, NID_commonName, spec->common);
    int unset = !spec->from_s && !spec->to_s;
    need(X509_set_version(c, X509_VERSION_3) && X509_set_subject_name(c, name) &&
             X509_set_issuer_name(c, spec->issuer ? X509_get_subject_name(spec->issuer->cert) : name) &&
             X509_gmtime_adj(X509_getm_notBefore(c), unset ? -3600 : spec->from_s) &&
             X509_gmtime_adj(X509_getm_notAfter(c), unset ? 86400 : spec->to_s) &&
             X509_set_pubkey(c, made.key),
         "fields");
    X509_NAME_free(name);
    add_extension(c, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(c, NID_key_usage, spec->ca ? "critical,keyCertSign" : "critical,digitalSignature");
    if (!spec->ca)
        add_extension(c, NID_ext_key_usage, "serverAuth,clientAuth");
    EVP_PKEY *signer = spec->issuer ? spec->issuer->key : made.key;
    const EVP_MD *md = EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256();
    need(X509_sign(c, signer, md) > 0, "signature");
    return made;
}

void cert_free(cert_made *made)
{
    X509_free(made->cert);
    EVP_PKEY_free(made->key);
    memset(made, 0, sizeof *made);
}

static FILE *create(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    need(f != NULL, path);
    return f;
}

void cert_write_identity(const cert_made *made, X509 *extra, const char *dir)
{
    FILE *f = create(dir, "key.pem");
    need(PEM_write_PKCS8PrivateKey(f, made->key, NULL, NULL, 0, NULL, NULL) && fclose(f) == 0, "key.pem");
    f = create(dir, "cert.pem");
    need(PEM_write_X509(f, made->cert) && (!extra || PEM_write_X509(f, extra)) && fclose(f) == 0, "cert.pem");
}

void cert_write_pem(X509 *cert, const char *path)
{
    FILE *f = create(path, "");
    need(PEM_write_X509(f, cert) && fclose(f) == 0, path);
}

tally_identity *cert_identity(const cert_spec *spec)
{
    tally_identity *id = NULL;
    tally_error error;
    cert_made made = cert_make(spec);
    const char *dir = unit_tmp();
    cert_write_identity(&made, NULL, dir);
    cert_free(&made);
    need(tally_identity_load(dir, &id, &error) == TALLY_OK, error.message);
    return id;
}
