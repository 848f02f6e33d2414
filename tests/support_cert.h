/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that `tally identity new` does not make: expired, RSA, signed by a CA. Everything aborts on
 * failure. */
#ifndef TESTS_SUPPORT_CERT_H
#define TESTS_SUPPORT_CERT_H

#include "party/tally.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct cert_made {
    EVP_PKEY *key;
    X509 *cert;
} cert_made;

typedef struct cert_spec {
    const char *key;          /* "ED25519" (also NULL), "P-256", "RSA1024", "RSA2048", "RSA3072" */
    const char *organisation; /* O, or NULL */
    const char *common;       /* CN, or NULL */
    const cert_made *issuer;  /* NULL: self-signed */
    int ca;                   /* 1: may sign others */
    long from_s, to_s;        /* validity, seconds from now; both 0: an hour ago until tomorrow */
    EVP_PKEY *with_key;       /* an existing key instead of a new one (a renewal); borrowed */
} cert_spec;

cert_made cert_make(const cert_spec *spec);
void cert_free(cert_made *made);
/* key.pem (0600) and cert.pem into the existing folder dir; extra, if not NULL, follows in cert.pem. */
void cert_write_identity(const cert_made *made, X509 *extra, const char *dir);
void cert_write_pem(X509 *cert, const char *path);
/* cert_make, cert_write_identity into a folder of its own, tally_identity_load. */
tally_identity *cert_identity(const cert_spec *spec);

#endif
