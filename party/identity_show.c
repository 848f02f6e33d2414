/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be said about an identity, as JSON. No key is in it. */
#include "party/identity.h"
#include "party/known.h"
#include "party/summary.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *name_json(X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    json_t *j = NULL;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) > 0) {
        long len = BIO_get_mem_data(bio, &text);
        j = len > 0 ? json_stringn(text, (size_t)len) : NULL;
    }
    BIO_free(bio);
    return j ? j : json_null();
}

static json_t *time_json(const ASN1_TIME *t)
{
    int64_t seconds;
    char text[32];
    if (!party_asn1_seconds(t, &seconds))
        return json_null();
    party_utc_text(text, seconds);
    return json_string(text);
}

static json_t *serial_json(X509 *cert)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    json_t *j = hex ? json_string(hex) : json_null();
    OPENSSL_free(hex);
    BN_free(n);
    return j;
}

static json_t *chain_json(const tally_identity *id)
{
    json_t *list = json_array();
    for (int i = 0; id->chain && i < sk_X509_num(id->chain); i++) {
        X509 *x = sk_X509_value(id->chain, i);
        json_array_append_new(list, json_pack("{s:o, s:o}", "subject", name_json(X509_get_subject_name(x)),
                                              "valid_until", time_json(X509_get0_notAfter(x))));
    }
    return list;
}

/* What the certificate may be used for; without the extension for both. */
static json_t *uses_json(X509 *cert)
{
    uint32_t uses = X509_get_extension_flags(cert) & EXFLAG_XKUSAGE ? X509_get_extended_key_usage(cert)
                                                                    : XKU_SSL_CLIENT | XKU_SSL_SERVER;
    if (uses & XKU_ANYEKU)
        uses |= XKU_SSL_CLIENT | XKU_SSL_SERVER;
    return json_pack("{s:b, s:b}", "connect", (uses & XKU_SSL_CLIENT) != 0, "listen",
                     (uses & XKU_SSL_SERVER) != 0);
}

static json_t *rotation_state_json(const tally_identity *id)
{
    json_t *list = json_array();
    for (size_t i = 0; i < id->rotation_count; i++)
        json_array_append_new(list, party_rotation_json(&id->rotations[i]));
    return json_pack("{s:b, s:o}", "new_key_waits", id->next_waits, "statements", list);
}

char *tally_identity_json(const tally_identity *id)
{
    char from[32], until[32];
    int64_t left = id->not_after - (int64_t)time(NULL);
    party_utc_text(from, id->not_before);
    party_utc_text(until, id->not_after);
    json_t *object = json_pack(
        "{s:s, s:s, s:s?, s:b, s:o, s:s, s:s?, s:o, s:o, s:b, s:s, s:s, s:I, s:o, s:o, s:o}", "key",
        id->key_type, "key_in", id->in_token ? "token" : "file", "token",
        *id->token_name ? id->token_name : NULL, "key_encrypted", id->key_encrypted, "signing_key_encrypted",
        *id->sign_fingerprint ? json_boolean(id->sign_encrypted) : json_null(), "fingerprint",
        id->fingerprint, "signing_key", *id->sign_fingerprint ? id->sign_fingerprint : NULL, "issuer",
        name_json(X509_get_issuer_name(id->cert)), "serial", serial_json(id->cert), "self_signed",
        party_cert_self_signed(id->cert), "valid_from", from, "valid_until", until, "days_left",
        (json_int_t)(left < 0 ? -1 : left / 86400), "chain", chain_json(id), "may", uses_json(id->cert),
        "rotation", rotation_state_json(id));
    ERR_clear_error();
    if (object)
        json_object_set_new(object, "subject", json_string(id->subject));
    return party_json_text(object);
}
