/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key in a PKCS#11 token (OASIS PKCS#11 2.40), which signs there and never leaves it. Takes a URI
 * (RFC 7512), gives a key that TLS can use. Called by party/identity. The module is loaded when a key is
 * named, and only then; nothing is linked. party/token_uri reads the URI, party/token talks to the module,
 * party/token_provider is the provider for OpenSSL.
 */
#ifndef PARTY_TOKEN_H
#define PARTY_TOKEN_H

#include "party/identity_file.h"

typedef struct party_token party_token;

#define PARTY_TOKEN_TEXT 256

/*
 * cert: of this key, which signs once to show that it is. p gives the PIN, unless the URI has a pin-source;
 * it is tried once, and not at all where one wrong PIN would lock the token. where: begins messages. *key
 * belongs to the token: free it before. TALLY_ERR_AUTH: PIN, or a key that cannot be used; TALLY_ERR_FILE:
 * URI, module, token or key are not there.
 */
tally_status party_token_open(party_token **out, EVP_PKEY **key, const char *uri, const char *where,
                              X509 *cert, party_passphrase *p, tally_error *error) TALLY_MUST_CHECK;
/* The same of a file that holds the URI and nothing else (key.uri), which others may not write. */
tally_status party_token_read(party_token **out, EVP_PKEY **key, const char *path, X509 *cert,
                              party_passphrase *p, tally_error *error) TALLY_MUST_CHECK;
/* What the file says of the token's label, without the token; may be empty. */
tally_status party_token_named(char out[PARTY_TOKEN_TEXT], const char *path,
                               tally_error *error) TALLY_MUST_CHECK;
void party_token_free(party_token *token);
/* Why it did not sign; TALLY_OK: it did. */
tally_status party_token_failure(party_token *token, tally_error *error);
/* Label of the token. Lives as long as it. */
const char *party_token_name(const party_token *token);

#define PARTY_TOKEN_ID 64
/* What a URI says; empty: not said. */
typedef struct party_token_uri {
    char token[PARTY_TOKEN_TEXT], serial[PARTY_TOKEN_TEXT], manufacturer[PARTY_TOKEN_TEXT],
        model[PARTY_TOKEN_TEXT], object[PARTY_TOKEN_TEXT], module[PARTY_TOKEN_TEXT],
        pin_source[PARTY_TOKEN_TEXT];
    unsigned char id[PARTY_TOKEN_ID];
    size_t id_len;
} party_token_uri;
/* TALLY_ERR_INPUT: not a URI of a private key, or one with a PIN in it. */
tally_status party_token_uri_parse(party_token_uri *out, const char *uri, const char *where,
                                   tally_error *error) TALLY_MUST_CHECK;

#endif
