/* SPDX-License-Identifier: Apache-2.0 */
/* Between party/token and party/token_provider. */
#ifndef PARTY_TOKEN_IMPL_H
#define PARTY_TOKEN_IMPL_H

#include "party/token.h"
#include <p11-kit/pkcs11.h>
#include <pthread.h>

enum party_token_kind { PARTY_TOKEN_RSA, PARTY_TOKEN_EC, PARTY_TOKEN_ED25519 };

struct party_token {
    struct party_token_module *module;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    int has_session;
    CK_OBJECT_HANDLE key;
    enum party_token_kind kind;
    EVP_PKEY *public_key; /* of the certificate */
    char name[33];
    pthread_mutex_t lock; /* one signature at a time */
    CK_RV failed;         /* why the last signature failed, CKR_OK: it did not */
};

/* What the module signs. PKCS#11: mechanism over data; *len: room, then length. 0: failed says why. */
int party_token_sign(party_token *token, CK_MECHANISM *mechanism, const unsigned char *data, size_t data_len,
                     unsigned char *out, size_t *len);
/* The key for OpenSSL; its operations come back to party_token_sign. NULL when it cannot be made. */
EVP_PKEY *party_token_key(party_token *token);

#endif
