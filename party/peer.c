/* SPDX-License-Identifier: Apache-2.0 */
#include "party/peer.h"

#include "party/error.h"
#include "party/identity.h"
#include "psi/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRENGTH_BITS 112 /* RSA 2048 and P-224 upwards, NIST SP 800-57 part 1 table 2 */

/* ---- Pins ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

tally_status party_pin_parse(uint8_t pin32[32], const char *text, tally_error *error)
{
    static const char prefix[] = "sha256:";
    const size_t skip = sizeof prefix - 1;
    uint8_t pin[32];
    int ok = strncmp(text, prefix, skip) == 0 && strlen(text) == skip + 64;
    for (size_t i = 0; ok && i < 32; i++) {
        int hi = hex_digit(text[skip + 2 * i]), lo = hex_digit(text[skip + 2 * i + 1]);
        ok = hi >= 0 && lo >= 0;
        if (ok)
            pin[i] = (uint8_t)(hi << 4 | lo);
    }
    if (ok) {
        memcpy(pin32, pin, sizeof pin);
        return TALLY_OK;
    }
    char shown[96];
    party_printable(shown, sizeof shown, text);
    party_fail(error, TALLY_ERR_USAGE, "fingerprint \"%s\" is not sha256: and 64 hexadecimal digits", shown);
    party_hint(error, "copy the fingerprint line of the other side's `tally identity show`");
    return TALLY_ERR_USAGE;
}

void party_pin_text(char out[TALLY_FINGERPRINT_TEXT], const uint8_t pin32[32])
{
    int n = snprintf(out, TALLY_FINGERPRINT_TEXT, "sha256:");
    for (size_t i = 0; i < 32; i++)
        n += snprintf(out + n, TALLY_FINGERPRINT_TEXT - (size_t)n, "%02x", pin32[i]);
}

/* ---- The certificate ---- */

/* X509_V_OK, or the code of a certificate that is out of its time by more than the tolerance. */
static int judge_time(const X509 *cert, int64_t now, int64_t *limit)
{
    int64_t from, to;
    if (!party_asn1_seconds(X509_get0_notBefore(cert), &from) ||
        !party_asn1_seconds(X509_get0_notAfter(cert), &to))
        return X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
    *limit = to;
    if (now - PARTY_CLOCK_TOLERANCE_S > to)
        return X509_V_ERR_CERT_HAS_EXPIRED;
    *limit = from;
    return now + PARTY_CLOCK_TOLERANCE_S < from ? X509_V_ERR_CERT_NOT_YET_VALID : X509_V_OK;
}

static int refuse_time(int code, int64_t limit, const char *who, const party_verdict *v, tally_error *why)
{
    char when[32], pin[TALLY_FINGERPRINT_TEXT];
    party_time_text(when, limit);
    party_pin_text(pin, v->fingerprint32);
    if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
        party_fail(why, TALLY_ERR_AUTH, "%s showed a certificate that expired on %s (%s)", who, when, pin);
        party_hint(why, "the other side has to renew its certificate; with the same key its fingerprint "
                        "stays. If the date "
                        "is in the future, check this machine's clock");
    } else if (code == X509_V_ERR_CERT_NOT_YET_VALID) {
        party_fail(why, TALLY_ERR_AUTH, "%s showed a certificate that is not valid before %s (%s)", who, when,
                   pin);
        party_hint(why, "check the clocks of both machines");
    } else {
        party_fail(why, TALLY_ERR_AUTH, "%s showed a certificate without a readable validity (%s)", who, pin);
    }
    return code;
}

/* Is it one of the pins, or the key that an agreed one was replaced by? */
static enum party_pin_state judge_pin(const party_peer_rule *rule, const party_known *known,
                                      const uint8_t pin32[32], int64_t now, int64_t *until)
{
    const party_rotation *rotations = known && *rule->signing ? known->rotations : NULL;
    enum party_pin_state best = PARTY_PIN_OTHER;
    for (size_t i = 0; i < rule->pin_count && best != PARTY_PIN_CURRENT; i++) {
        enum party_pin_state state = party_rotation_judge(rotations, rotations ? known->rotation_count : 0,
                                                          rule->signing, rule->pins[i], pin32, now, until);
        best = state == PARTY_PIN_OTHER ? best : state;
    }
    return best;
}

static int refuse_pin(enum party_pin_state state, const party_peer_rule *rule, const char *who,
                      const char *pin, tally_error *why)
{
    if (state == PARTY_PIN_RETIRED) {
        party_fail(why, TALLY_ERR_AUTH, "%s has key %s, which was replaced, and its time is over", who, pin);
        party_hint(why, "the other side has to use its new key: tally identity rotate NAME --finish");
    } else if (state == PARTY_PIN_EARLY) {
        party_fail(why, TALLY_ERR_AUTH, "%s has key %s, which replaces the agreed one only later", who, pin);
        party_hint(why, "check the clocks of both machines; tally peer list shows from when it is accepted");
    } else if (rule->agreed) {
        party_fail(why, TALLY_ERR_AUTH, "%s has fingerprint %s, not the link-key of the agreement", who, pin);
        party_hint(
            why,
            "ask the other side for the output of `tally identity show`; if its key was replaced, it has "
            "a statement of rotation for you: tally peer add-rotation FILE");
    } else {
        party_fail(why, TALLY_ERR_AUTH,
                   rule->pin_count == 1 ? "%s has fingerprint %s, not the one given with --peer"
                                        : "%s has fingerprint %s, not one of those given with --peer",
                   who, pin);
        party_hint(why, "ask the other side for the output of `tally identity show`; if its key was "
                        "replaced, use the new "
                        "fingerprint");
    }
    return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

static int refuse_revoked(const party_revoked *r, const char *who, const char *pin, tally_error *why)
{
    char when[32];
    party_time_text(when, r->when);
    if (*r->reason)
        party_fail(why, TALLY_ERR_AUTH, "%s has key %s, which was revoked here on %s: %s", who, pin, when,
                   r->reason);
    else
        party_fail(why, TALLY_ERR_AUTH, "%s has key %s, which was revoked here on %s", who, pin, when);
    party_hint(
        why, "the other side needs a new key; tally peer list shows what is revoked, and tally peer restore "
             "takes a revocation back");
    return X509_V_ERR_CERT_REVOKED;
}

struct chain_clock {
    int64_t now;
};

/* The chain's own clock is ours: the CA's certificates get the same tolerance as the leaf. */
static int chain_step(int ok, X509_STORE_CTX *ctx)
{
    int code = X509_STORE_CTX_get_error(ctx);
    int64_t limit;
    const struct chain_clock *clock = X509_STORE_CTX_get_app_data(ctx);
    if (ok || (code != X509_V_ERR_CERT_HAS_EXPIRED && code != X509_V_ERR_CERT_NOT_YET_VALID))
        return ok;
    const X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    return cert && judge_time(cert, clock->now, &limit) == X509_V_OK;
}

/* What known says of the authorities' keys in a chain. */
static const party_revoked *revoked_above(const party_known *known, STACK_OF(X509) * chain)
{
    const party_revoked *found = NULL;
    uint8_t pin32[32];
    for (int i = 1; !found && i < sk_X509_num(chain); i++)
        if (party_spki_fingerprint(sk_X509_value(chain, i), pin32) == TALLY_OK)
            found = party_known_revoked(known, pin32);
    return found;
}

/* NULL when the chain holds, else what is wrong with it; *revoked: the key of an authority in it. */
static const char *judge_chain(X509_STORE *store, X509 *leaf, STACK_OF(X509) * untrusted, int64_t now,
                               int peer_is_server, int crl, const party_known *known,
                               const party_revoked **revoked, int *code)
{
    struct chain_clock clock = {now};
    const char *wrong = "out of memory";
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(psi_openssl(), NULL);
    if (ctx && X509_STORE_CTX_init(ctx, store, leaf, untrusted)) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)now);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | (crl ? X509_V_FLAG_CRL_CHECK : 0ul));
        X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits */
        X509_VERIFY_PARAM_set_purpose(param,
                                      peer_is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
        X509_STORE_CTX_set_app_data(ctx, &clock);
        X509_STORE_CTX_set_verify_cb(ctx, chain_step);
        int good = X509_verify_cert(ctx) == 1;
        *code = X509_STORE_CTX_get_error(ctx);
        wrong = good ? NULL : X509_verify_cert_error_string(*code);
        if (good)
            *revoked = revoked_above(known, X509_STORE_CTX_get0_chain(ctx));
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return wrong;
}

int party_peer_judge_key(const party_peer_rule *rule, const party_known *known, const uint8_t pin32[32],
                         int64_t now, const char *who, int64_t *until, tally_error *why)
{
    char pin[TALLY_FINGERPRINT_TEXT];
    *until = 0;
    party_pin_text(pin, pin32);
    const party_revoked *revoked = party_known_revoked(known, pin32);
    if (revoked)
        return refuse_revoked(revoked, who, pin, why);
    enum party_pin_state state =
        rule->pin_count ? judge_pin(rule, known, pin32, now, until) : PARTY_PIN_CURRENT;
    return state == PARTY_PIN_CURRENT ? X509_V_OK : refuse_pin(state, rule, who, pin, why);
}

int party_peer_judge(const party_peer_rule *rule, const party_known *known, X509_STORE *store, X509 *leaf,
                     STACK_OF(X509) * untrusted, int64_t now, int peer_is_server, const char *who,
                     party_verdict *out)
{
    char pin[TALLY_FINGERPRINT_TEXT];
    const party_revoked *revoked = NULL;
    int64_t limit = 0;
    tally_error *why = &out->why;
    memset(out, 0, sizeof *out);
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (!key || party_spki_fingerprint(leaf, out->fingerprint32)) {
        party_fail(why, TALLY_ERR_AUTH, "%s showed a certificate whose public key cannot be read", who);
        return X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY;
    }
    party_subject_text(leaf, out->subject, sizeof out->subject);
    party_pin_text(pin, out->fingerprint32);

    int code = party_peer_judge_key(rule, known, out->fingerprint32, now, who, &out->key_until, why);
    if (code)
        return code;
    code = judge_time(leaf, now, &limit);
    if (code)
        return refuse_time(code, limit, who, out, why);
    (void)!party_asn1_seconds(X509_get0_notAfter(leaf), &out->not_after);
    if (EVP_PKEY_get_security_bits(key) < STRENGTH_BITS) {
        party_fail(why, TALLY_ERR_AUTH, "%s has a key that is too weak (%s)", who, pin);
        party_hint(why, "the other side needs a new key: Ed25519, RSA from 2048 bits, or EC from P-256");
        return X509_V_ERR_EE_KEY_TOO_SMALL;
    }
    if (!store)
        return X509_V_OK;
    const char *wrong = judge_chain(store, leaf, untrusted, now, peer_is_server, rule->crl_file != NULL,
                                    known, &revoked, &code);
    if (revoked) {
        party_pin_text(pin, revoked->pin32);
        return refuse_revoked(revoked, who, pin, why);
    }
    if (wrong && (code == X509_V_ERR_CERT_REVOKED || code == X509_V_ERR_UNABLE_TO_GET_CRL ||
                  code == X509_V_ERR_CRL_HAS_EXPIRED || code == X509_V_ERR_CRL_NOT_YET_VALID ||
                  code == X509_V_ERR_CRL_SIGNATURE_FAILURE)) {
        party_fail(why, TALLY_ERR_AUTH, "the certificate of %s by %s: %s (subject \"%s\")", who,
                   rule->crl_file, party_word(wrong), out->subject);
        party_hint(why, code == X509_V_ERR_CERT_REVOKED
                            ? "the authority has revoked it; the other side needs a new certificate"
                            : "fetch the authority's latest list of revoked certificates for --peer-crl");
        return code == X509_V_ERR_CERT_REVOKED ? code : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    }
    if (wrong) {
        party_fail(why, TALLY_ERR_AUTH,
                   "the certificate of %s is not signed by the given CA: %s (subject \"%s\")", who,
                   party_word(wrong), out->subject);
        party_hint(
            why,
            "ask the other side which CA signed its certificate, and give that CA's file with --peer-ca");
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    }
    if (!*out->subject || strcmp(out->subject, rule->name) != 0) {
        party_fail(why, TALLY_ERR_AUTH, "%s has subject \"%s\", not %s", who,
                   *out->subject ? out->subject : PARTY_WORD("(longer than 255 bytes)"),
                   rule->agreed ? PARTY_WORD("the subject of the agreement")
                                : PARTY_WORD("the name given with --peer-name"));
        party_hint(
            why,
            "the name is compared exactly; copy the subject line of the other side's `tally identity show`");
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    }
    return X509_V_OK;
}

/* ---- The CA's file ---- */

/* Is it one that may sign? A certificate whose key cannot be read is none. */
static int may_sign(const party_peer_rule *rule, X509 *cert)
{
    uint8_t pin32[32];
    return !rule->has_ca_pin ||
           (!party_spki_fingerprint(cert, pin32) && memcmp(pin32, rule->ca_pin32, sizeof pin32) == 0);
}

/* The lists of revoked certificates of rule->crl_file into the store. */
static tally_status add_crls(X509_STORE *store, const party_peer_rule *rule, tally_error *error)
{
    tally_status st = TALLY_OK;
    struct stat info;
    int count = 0;
    BIO *bio = NULL;
    errno = 0;
    if (stat(rule->crl_file, &info) || !S_ISREG(info.st_mode) || !(bio = BIO_new_file(rule->crl_file, "r")))
        return party_fail(error, TALLY_ERR_FILE, "%s: %s", rule->crl_file,
                          errno ? party_system_text(errno) : PARTY_WORD("cannot be read"));
    for (; !st; count++) {
        X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, party_pem_public, NULL);
        if (!crl)
            break;
        if (!X509_STORE_add_crl(store, crl))
            st = party_no_memory(error, "a list of revoked certificates");
        X509_CRL_free(crl);
    }
    if (!st && (!count || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
        st = party_fail(error, TALLY_ERR_FILE, "%s: no list of revoked certificates in PEM form",
                        rule->crl_file);
        party_hint(error, "one in DER form is converted by: openssl crl -inform DER -in FILE -out NEW");
    }
    BIO_free(bio);
    return st;
}

tally_status party_peer_store(X509_STORE **out, const party_peer_rule *rule, tally_error *error)
{
    const char *ca_file = rule->ca_file;
    tally_status st = TALLY_ERR_FILE;
    int count = 0, used = 0;
    struct stat info;
    X509_STORE *store = X509_STORE_new();
    BIO *bio = NULL;
    if (!store) {
        st = party_no_memory(error, "the CA's certificates");
        goto done;
    }
    errno = 0;
    if (stat(ca_file, &info) || !S_ISREG(info.st_mode) || !(bio = BIO_new_file(ca_file, "r"))) {
        party_fail(error, st, "%s: %s", ca_file,
                   errno ? party_system_text(errno) : PARTY_WORD("cannot be read"));
        goto done;
    }
    for (;; count++) {
        X509 *x = X509_new_ex(psi_openssl(), NULL);
        if (!x || !PEM_read_bio_X509(bio, &x, party_pem_public, NULL)) {
            X509_free(x);
            break;
        }
        int good = may_sign(rule, x), added = !good || X509_STORE_add_cert(store, x);
        used += good;
        X509_free(x);
        if (!added) {
            st = party_no_memory(error, "the CA's certificates");
            goto done;
        }
    }
    if (!count || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        party_fail(error, st, "%s: %s", ca_file,
                   count ? PARTY_WORD("a certificate is damaged") : PARTY_WORD("no certificate in PEM form"));
        goto done;
    }
    if (!used) {
        char pin[TALLY_FINGERPRINT_TEXT];
        party_pin_text(pin, rule->ca_pin32);
        party_fail(error, st, "%s: no certificate of the authority %s that the agreement names", ca_file,
                   pin);
        party_hint(error, "give that authority's file; the fingerprint is that of its public key");
        goto done;
    }
    st = rule->crl_file ? add_crls(store, rule, error) : TALLY_OK;
    if (st)
        goto done;
    *out = store;
    store = NULL;
done:
    BIO_free(bio);
    X509_STORE_free(store);
    ERR_clear_error();
    return st;
}

/* ---- Alerts ---- */

tally_status party_peer_alert(int alert, const char *who, tally_error *error)
{
    static const char show[] =
        "give the other side the output of `tally identity show`: it has to use our fingerprint, or "
        "our CA and subject";
    static const char renew[] =
        "check `tally identity show` and both clocks; if the certificate has expired, renew it";
    static const char ask[] =
        "ask the other side why: it, or the authority of our certificate, has revoked our "
        "key. A new one is made by "
        "tally identity rotate NAME";
    static const struct {
        int alert;
        const char *words, *hint;
    } ours[] = {
        {SSL3_AD_NO_CERTIFICATE, "it saw none", show},
        {TLS13_AD_CERTIFICATE_REQUIRED, "it saw none", show},
        {SSL_AD_BAD_CERTIFICATE, "not valid yet by its clock, or not usable", renew},
        {SSL_AD_UNSUPPORTED_CERTIFICATE, "its kind is not supported", show},
        {SSL_AD_CERTIFICATE_REVOKED, "it is revoked", ask},
        {SSL_AD_CERTIFICATE_EXPIRED, "it has expired by the other side's clock", renew},
        {SSL_AD_CERTIFICATE_UNKNOWN, "it is not acceptable", show},
        {SSL_AD_UNKNOWN_CA, "it is not the one that is expected there", show},
        {SSL_AD_ACCESS_DENIED, "access is denied", show},
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (ours[i].alert != alert)
            continue;
        party_fail(error, TALLY_ERR_AUTH, "%s refused our certificate: %s", who, party_word(ours[i].words));
        party_hint(error, PARTY_WHOLE, ours[i].hint);
        return TALLY_ERR_AUTH;
    }
    if (alert == SSL_AD_INTERNAL_ERROR) {
        party_fail(error, TALLY_ERR_PEER_STOPPED, "%s has a fault of its own and judged no certificate", who);
        party_hint(error, "the other side's own messages have the reason");
        return TALLY_ERR_PEER_STOPPED;
    }
    if (alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
        party_fail(error, TALLY_ERR_MALFORMED, "%s speaks TLS, but not tally/1", who);
        party_hint(
            error,
            "check host and port: is that the other side's tally? A run and tally ping need their own kind "
            "on the other side; an older tally answers no ping");
        return TALLY_ERR_MALFORMED;
    }
    if (alert == SSL_AD_PROTOCOL_VERSION || alert == SSL_AD_HANDSHAKE_FAILURE)
        party_fail(error, TALLY_ERR_MALFORMED, "%s does not accept our TLS 1.3: %s", who,
                   party_word(SSL_alert_desc_string_long(alert)));
    else
        party_fail(error, TALLY_ERR_MALFORMED, "%s ended the connection with the TLS alert \"%s\"", who,
                   party_word(SSL_alert_desc_string_long(alert)));
    party_hint(
        error,
        "check host and port: is that the other side's tally, and is nothing in between that opens TLS?");
    return TALLY_ERR_MALFORMED;
}
