/* SPDX-License-Identifier: Apache-2.0 */
/* The second key of an identity, Ed25519 (RFC 8032), which signs. What is signed begins with a tag of
 * psi/hash, so that no signature can be taken for another kind of thing. */
#include "party/identity.h"

#include "party/tls.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include <openssl/err.h>
#include <sodium.h>
#include <string.h>

tally_status party_sign_fingerprint(const uint8_t public32[32], char out[TALLY_FINGERPRINT_TEXT])
{
    /* SubjectPublicKeyInfo of Ed25519: 12 fixed bytes and the key, RFC 8410 section 4. */
    uint8_t spki[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, digest[32];
    memcpy(spki + 12, public32, 32);
    tally_status st = psi_sha256(spki, sizeof spki, digest);
    if (!st)
        party_pin_text(out, digest);
    return st;
}

tally_status party_sign(const tally_identity *identity, const void *message, size_t len, uint8_t out64[64])
{
    uint8_t signature[64];
    size_t size = sizeof signature;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = c && EVP_DigestSignInit_ex(c, NULL, NULL, psi_openssl(), NULL, identity->sign, NULL) == 1 &&
             EVP_DigestSign(c, signature, &size, message, len) == 1 && size == sizeof signature;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    if (!ok)
        return TALLY_ERR_INTERNAL;
    memcpy(out64, signature, sizeof signature);
    return TALLY_OK;
}

tally_status party_sign_derive(const tally_identity *identity, enum psi_tag tag, const void *context,
                               size_t len, uint8_t out32[32])
{
    uint8_t secret[32];
    size_t size = sizeof secret;
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (!st && (EVP_PKEY_get_raw_private_key(identity->sign, secret, &size) != 1 || size != sizeof secret))
        st = TALLY_ERR_INTERNAL;
    if (!st)
        st = psi_hash_start(h, tag);
    if (!st)
        st = psi_hash_add(h, secret, sizeof secret);
    if (!st)
        st = psi_hash_add_sized(h, context, len);
    if (!st)
        st = psi_hash_end(h, out32);
    psi_hash_free(h);
    psi_wipe(secret, sizeof secret);
    ERR_clear_error();
    return st;
}

tally_status party_sign_verify(const uint8_t public32[32], const void *message, size_t len,
                               const uint8_t signature64[64])
{
    /* Under a key of small order a signature can be made that fits every text, and OpenSSL takes it. */
    if (crypto_core_ed25519_is_valid_point(public32) != 1)
        return TALLY_ERR_DIFFERS;
    EVP_PKEY *key =
        psi_openssl() ? EVP_PKEY_new_raw_public_key_ex(psi_openssl(), "ED25519", NULL, public32, 32) : NULL;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ready = key && c && EVP_DigestVerifyInit_ex(c, NULL, NULL, psi_openssl(), NULL, key, NULL) == 1;
    int good = ready && EVP_DigestVerify(c, signature64, 64, message, len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good ? TALLY_OK : ready ? TALLY_ERR_DIFFERS : TALLY_ERR_INTERNAL;
}
