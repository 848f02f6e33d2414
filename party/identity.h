/* SPDX-License-Identifier: Apache-2.0 */
/* The identity's inside, for party/tls: key and certificate. */
#ifndef PARTY_IDENTITY_H
#define PARTY_IDENTITY_H

#include "party/tally.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

struct tally_identity {
    EVP_PKEY *key;
    X509 *cert;
    uint8_t fingerprint32[32];
    char fingerprint[TALLY_FINGERPRINT_TEXT];
    char subject[256];
    char key_type[32];
    int64_t not_before, not_after;
};

/* SHA-256 of the certificate's DER SubjectPublicKeyInfo. */
tally_status party_spki_fingerprint(X509 *cert, uint8_t out32[32]) TALLY_MUST_CHECK;
/* Subject in RFC 2253 form, UTF-8 (XN_FLAG_RFC2253 without ASN1_STRFLGS_ESC_MSB), control characters escaped. Empty when it does not fit. */
void party_subject_text(X509 *cert, char *out, size_t size);

#endif
