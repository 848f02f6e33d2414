/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider for OpenSSL (provider(7)) that does one thing: sign with a key of a token. It lives in a library
 * context of its own, so that nothing else is ever fetched from it; a key names its provider, and OpenSSL
 * follows that. A key is its token and its public half, whose questions the default provider answers.
 */
#include "party/token_impl.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <string.h>

#define PROPERTIES "provider=tally-token"
#define TOKEN_PARAM "tally-token"

/* Tables of OpenSSL hold functions of different types as void (*)(void). */
#define ENTRY(id, f)                                                                                         \
    {                                                                                                        \
        id, (void (*)(void))f                                                                                \
    }

/* ---- Keys ---- */

typedef struct token_key {
    party_token *token; /* NULL: a public key, brought here to be compared */
    EVP_PKEY *public_key;
    const char *type;
} token_key;

static void *key_new(const char *type)
{
    token_key *k = psi_calloc(1, sizeof *k);
    if (k)
        k->type = type;
    return k;
}

static void *rsa_new(void *provider)
{
    (void)provider;
    return key_new("RSA");
}

static void *ec_new(void *provider)
{
    (void)provider;
    return key_new("EC");
}

static void *ed25519_new(void *provider)
{
    (void)provider;
    return key_new("ED25519");
}

static void key_free(void *data)
{
    token_key *k = data;
    if (k)
        EVP_PKEY_free(k->public_key);
    psi_free(k);
}

static int key_has(const void *data, int selection)
{
    const token_key *k = data;
    return k && k->public_key && (!(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->token);
}

static int key_match(const void *a, const void *b, int selection)
{
    const token_key *x = a, *y = b;
    (void)selection;
    return x->public_key && y->public_key && EVP_PKEY_eq(x->public_key, y->public_key) == 1;
}

/* Our own keys come as a pointer, public ones of other providers as their numbers. */
static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
    token_key *k = data;
    const OSSL_PARAM *ours = OSSL_PARAM_locate_const(params, TOKEN_PARAM);
    const void *token = NULL;
    size_t len = 0;
    (void)selection;
    if (ours) {
        if (!OSSL_PARAM_get_octet_ptr(ours, &token, &len))
            return 0;
        k->token = (party_token *)(uintptr_t)token;
        k->public_key = k->token->public_key;
        return EVP_PKEY_up_ref(k->public_key);
    }
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(psi_openssl(), k->type, NULL);
    int ok = c && EVP_PKEY_fromdata_init(c) == 1 &&
             EVP_PKEY_fromdata(c, &k->public_key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_ptr(TOKEN_PARAM, NULL, 0), OSSL_PARAM_END};
    (void)selection;
    return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    const token_key *k = data;
    return k->public_key && EVP_PKEY_get_params(k->public_key, params);
}

static const OSSL_PARAM *key_gettable_params(void *provider)
{
    static const OSSL_PARAM table[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
                                       OSSL_PARAM_END};
    (void)provider;
    return table;
}

static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEY_ENTRIES                                                                                          \
    ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free), ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),                          \
        ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match), ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),              \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),                                             \
        ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                                 \
        ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH rsa_key[] = {ENTRY(OSSL_FUNC_KEYMGMT_NEW, rsa_new), KEY_ENTRIES, {0, NULL}};
static const OSSL_DISPATCH ec_key[] = {ENTRY(OSSL_FUNC_KEYMGMT_NEW, ec_new),
                                       ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
                                       KEY_ENTRIES,
                                       {0, NULL}};
static const OSSL_DISPATCH ed25519_key[] = {
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, ed25519_new), KEY_ENTRIES, {0, NULL}};

/* ---- Signatures ---- */

typedef struct token_signer {
    token_key *key;
    EVP_MD *digest; /* NULL with Ed25519 */
    int pss;
} token_signer;

static void *signer_new(void *provider, const char *properties)
{
    (void)provider, (void)properties;
    return psi_calloc(1, sizeof(token_signer));
}

static void signer_free(void *data)
{
    token_signer *s = data;
    if (s)
        EVP_MD_free(s->digest);
    psi_free(s);
}

/* PSS with a salt as long as the digest, as TLS 1.3 has it, or PKCS #1 v1.5, for certificates. */
static int signer_set_params(void *data, const OSSL_PARAM params[])
{
    token_signer *s = data;
    const OSSL_PARAM *p = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    if (!p)
        return 1;
    int mode = 0;
    if (p->data_type == OSSL_PARAM_UTF8_STRING && p->data)
        mode = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0       ? RSA_PKCS1_PSS_PADDING
               : strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                                                                      : 0;
    else if (!OSSL_PARAM_get_int(p, &mode))
        return 0;
    s->pss = mode == RSA_PKCS1_PSS_PADDING;
    return mode == RSA_PKCS1_PSS_PADDING || mode == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *signer_settable(void *data, void *provider)
{
    static const OSSL_PARAM table[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
                                       OSSL_PARAM_END};
    (void)data, (void)provider;
    return table;
}

static int signer_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
    token_signer *s = data;
    s->key = key;
    if (!s->key || !s->key->token)
        return 0;
    EVP_MD_free(s->digest);
    s->digest = NULL;
    if (s->key->token->kind != PARTY_TOKEN_ED25519) {
        s->digest = EVP_MD_fetch(psi_openssl(), digest && *digest ? digest : "SHA256", NULL);
        if (!s->digest)
            return 0;
    }
    return signer_set_params(s, params);
}

/* r and s of one length, as PKCS#11 has them -> ECDSA-Sig-Value, RFC 3279. */
static int der_of(const unsigned char *raw, size_t raw_len, unsigned char *out, size_t room, size_t *len)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)(raw_len / 2), NULL),
           *s = BN_bin2bn(raw + raw_len / 2, (int)(raw_len / 2), NULL);
    int ok = sig && r && s && ECDSA_SIG_set0(sig, r, s), n = 0;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    ok = ok && (n = i2d_ECDSA_SIG(sig, NULL)) > 0 && (size_t)n <= room && i2d_ECDSA_SIG(sig, &out) == n;
    ECDSA_SIG_free(sig);
    *len = ok ? (size_t)n : 0;
    return ok;
}

/* What hash and mask generation of PKCS#11 belong to a digest. */
static const struct hash_row {
    const char *name;
    CK_MECHANISM_TYPE hash;
    CK_RSA_PKCS_MGF_TYPE mgf;
    CK_MECHANISM_TYPE rsa; /* hashes in the token */
} hashes[] = {{"SHA256", CKM_SHA256, CKG_MGF1_SHA256, CKM_SHA256_RSA_PKCS},
              {"SHA384", CKM_SHA384, CKG_MGF1_SHA384, CKM_SHA384_RSA_PKCS},
              {"SHA512", CKM_SHA512, CKG_MGF1_SHA512, CKM_SHA512_RSA_PKCS}};

static const struct hash_row *hash_of(const EVP_MD *digest)
{
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        if (EVP_MD_is_a(digest, hashes[i].name))
            return &hashes[i];
    return NULL;
}

/* The whole message at once, as TLS and certificates need it. */
static int signer_sign(void *data, unsigned char *out, size_t *len, size_t room, const unsigned char *message,
                       size_t message_len)
{
    token_signer *s = data;
    party_token *t = s->key->token;
    unsigned char digest[EVP_MAX_MD_SIZE], raw[256];
    unsigned digest_len = 0;
    size_t size = (size_t)EVP_PKEY_get_size(t->public_key), raw_len = sizeof raw;
    if (!out) {
        *len = size;
        return 1;
    }
    if (room < size)
        return 0;
    *len = room;
    if (t->kind == PARTY_TOKEN_ED25519) {
        CK_MECHANISM m = {CKM_EDDSA, NULL, 0};
        return party_token_sign(t, &m, message, message_len, out, len);
    }
    const struct hash_row *h = hash_of(s->digest);
    if (!h || !EVP_Digest(message, message_len, digest, &digest_len, s->digest, NULL))
        return 0;
    if (t->kind == PARTY_TOKEN_EC) {
        CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
        return party_token_sign(t, &m, digest, digest_len, raw, &raw_len) &&
               der_of(raw, raw_len, out, room, len);
    }
    if (s->pss) {
        CK_RSA_PKCS_PSS_PARAMS pss = {h->hash, h->mgf, digest_len};
        CK_MECHANISM m = {CKM_RSA_PKCS_PSS, &pss, sizeof pss};
        return party_token_sign(t, &m, digest, digest_len, out, len);
    }
    CK_MECHANISM m = {h->rsa, NULL, 0};
    return party_token_sign(t, &m, message, message_len, out, len);
}

/* AlgorithmIdentifier of a certificate that is signed here: Ed25519 (RFC 8410), ecdsa-with-SHA256 (RFC 5758),
 * sha256WithRSAEncryption (RFC 4055). */
static int signer_get_params(void *data, OSSL_PARAM params[])
{
    static const unsigned char ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70},
                               ecdsa[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                          0x48, 0xce, 0x3d, 0x04, 0x03, 0x02},
                               rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
    const token_signer *s = data;
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (!p)
        return 1;
    if (s->key->token->kind == PARTY_TOKEN_ED25519)
        return OSSL_PARAM_set_octet_string(p, ed25519, sizeof ed25519);
    if (!EVP_MD_is_a(s->digest, "SHA256"))
        return 0;
    return s->key->token->kind == PARTY_TOKEN_EC ? OSSL_PARAM_set_octet_string(p, ecdsa, sizeof ecdsa)
                                                 : OSSL_PARAM_set_octet_string(p, rsa, sizeof rsa);
}

static const OSSL_PARAM *signer_gettable(void *data, void *provider)
{
    static const OSSL_PARAM table[] = {OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
                                       OSSL_PARAM_END};
    (void)data, (void)provider;
    return table;
}

static const OSSL_DISPATCH signer[] = {ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signer_new),
                                       ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signer_free),
                                       ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signer_init),
                                       ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signer_sign),
                                       ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signer_set_params),
                                       ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signer_settable),
                                       ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, signer_get_params),
                                       ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, signer_gettable),
                                       {0, NULL}};

/* ---- The provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {{"RSA:rsaEncryption", PROPERTIES, rsa_key, NULL},
                                          {"EC:id-ecPublicKey", PROPERTIES, ec_key, NULL},
                                          {"ED25519", PROPERTIES, ed25519_key, NULL},
                                          {NULL, NULL, NULL, NULL}},
                                signatures[] = {{"RSA:rsaEncryption", PROPERTIES, signer, NULL},
                                                {"ECDSA", PROPERTIES, signer, NULL},
                                                {"ED25519", PROPERTIES, signer, NULL},
                                                {NULL, NULL, NULL, NULL}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                                   {0, NULL}};

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **context)
{
    (void)in;
    *out = provider_functions;
    *context = (void *)(uintptr_t)handle;
    return 1;
}

/* Made once for the process, as psi_openssl is. */
static pthread_once_t context_once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context;

static void start_context(void)
{
    OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();
    if (c && OSSL_PROVIDER_add_builtin(c, "tally-token", provider_init) &&
        OSSL_PROVIDER_load(c, "tally-token"))
        context = c;
    else
        OSSL_LIB_CTX_free(c);
}

EVP_PKEY *party_token_key(party_token *token)
{
    static const char *const types[] = {"RSA", "EC", "ED25519"};
    void *pointer = token;
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_ptr(TOKEN_PARAM, &pointer, 0),
                           OSSL_PARAM_construct_end()};
    pthread_once(&context_once, start_context);
    EVP_PKEY_CTX *c = context ? EVP_PKEY_CTX_new_from_name(context, types[token->kind], PROPERTIES) : NULL;
    if (!c || EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(c);
    return key;
}
