/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over the in-memory pipe: who is accepted, and what is said when not. */
#include "party/peer.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "tests/support_cert.h"
#include "tests/support_tls.h"
#include "tests/unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int says(const struct side *s, const char *text)
{
    int found = strstr(s->error.message, text) != NULL;
    if (!found)
        printf("expected \"%s\" in \"%s\"\n", text, s->error.message);
    return found;
}

/* ---- Who is accepted ---- */

static void test_right_pins(void)
{
    struct side s[2];
    uint8_t fingerprint[32], binding[2][32];
    char subject[256];
    sides_prepare(s, bank, court);
    sides_run(s);
    CU_ASSERT_EQUAL_FATAL(s[CLIENT].status, TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(s[SERVER].status, TALLY_OK);
    party_tls_peer(s[CLIENT].tls, fingerprint, subject, sizeof subject);
    CU_ASSERT(memcmp(fingerprint, court->fingerprint32, 32) == 0);
    CU_ASSERT_STRING_EQUAL(subject, "CN=court,O=Example Court");
    party_tls_peer(s[SERVER].tls, fingerprint, subject, sizeof subject);
    CU_ASSERT(memcmp(fingerprint, bank->fingerprint32, 32) == 0);
    CU_ASSERT_STRING_EQUAL(subject, "CN=bank,O=示例银行");
    CU_ASSERT_EQUAL(party_tls_binding(s[CLIENT].tls, binding[0]), TALLY_OK);
    CU_ASSERT_EQUAL(party_tls_binding(s[SERVER].tls, binding[1]), TALLY_OK);
    CU_ASSERT(memcmp(binding[0], binding[1], 32) == 0);
    sides_free(s);
    sides_prepare(s, bank, court);
    sides_run(s);
    CU_ASSERT_EQUAL_FATAL(s[SERVER].status, TALLY_OK);
    CU_ASSERT_EQUAL(party_tls_binding(s[SERVER].tls, binding[0]), TALLY_OK);
    CU_ASSERT(memcmp(binding[0], binding[1], 32) != 0); /* another connection, another binding */
    sides_free(s);
}

static void test_several_pins(void)
{
    struct side s[2];
    sides_prepare(s, bank, court);
    memcpy(s[CLIENT].rule.pins[0], stranger->fingerprint32, 32);
    memcpy(s[CLIENT].rule.pins[1], court->fingerprint32, 32);
    s[CLIENT].rule.pin_count = 2;
    sides_run(s);
    CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_OK);
    CU_ASSERT_EQUAL(s[SERVER].status, TALLY_OK);
    sides_free(s);
}

static void test_wrong_server(void)
{
    struct side s[2];
    sides_prepare(s, bank, stranger);
    s[CLIENT].rule = pin_of(court);
    sides_run(s);
    CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(s[CLIENT].error.status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&s[CLIENT], "the other side at 127.0.0.1:7440 has fingerprint sha256:"));
    CU_ASSERT(says(&s[CLIENT], tally_identity_fingerprint(stranger)));
    CU_ASSERT_PTR_NOT_NULL(strstr(s[CLIENT].error.hint, "tally identity show"));
    CU_ASSERT_EQUAL(s[SERVER].status, TALLY_ERR_AUTH);
    CU_ASSERT(
        says(&s[SERVER], "the other side refused our certificate: it is not the one that is expected there"));
    CU_ASSERT_PTR_NULL(s[CLIENT].tls);
    sides_free(s);
}

static void test_wrong_client(void)
{
    struct side s[2];
    sides_prepare(s, stranger, court);
    s[SERVER].rule = pin_of(bank);
    sides_run(s);
    CU_ASSERT_EQUAL(s[SERVER].status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&s[SERVER], tally_identity_fingerprint(stranger)));
    CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&s[CLIENT], "refused our certificate: it is not the one that is expected there"));
    sides_free(s);
}

/* The certificate was fine when the identity was loaded; by the other side's clock it is over. */
static void check_expired(int who, long from, long to, const char *there, const char *here)
{
    struct side s[2];
    tally_identity *old = cert_identity(&(cert_spec){.common = "old", .from_s = from, .to_s = to});
    sides_prepare(s, who == CLIENT ? old : bank, who == SERVER ? old : court);
    old->not_before = 0;
    old->not_after = INT64_MAX; /* past our own check */
    sides_run(s);
    CU_ASSERT_EQUAL(s[!who].status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&s[!who], there));
    CU_ASSERT(says(&s[!who], tally_identity_fingerprint(old)));
    CU_ASSERT_EQUAL(s[who].status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&s[who], here));
    sides_free(s);
    tally_identity_free(old);
}

static void test_expired(void)
{
    check_expired(CLIENT, -7200, -400, "showed a certificate that expired on 2",
                  "it has expired by the other side's clock");
    check_expired(SERVER, -7200, -400, "showed a certificate that expired on 2",
                  "it has expired by the other side's clock");
    check_expired(CLIENT, 400, 7200, "not valid before 2", "not valid yet by its clock");
    check_expired(SERVER, 400, 7200, "not valid before 2", "not valid yet by its clock");
}

static void test_clock_tolerance(void)
{
    struct side s[2];
    tally_identity *old = cert_identity(&(cert_spec){.common = "old", .from_s = -7200, .to_s = -200});
    tally_identity *young = cert_identity(&(cert_spec){.common = "young", .from_s = 200, .to_s = 7200});
    sides_prepare(s, old, young);
    old->not_after = INT64_MAX;
    young->not_before = 0;
    sides_run(s);
    CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_OK);
    CU_ASSERT_EQUAL(s[SERVER].status, TALLY_OK);
    sides_free(s);
    tally_identity_free(old);
    tally_identity_free(young);
}

static void test_own_checks(void)
{
    party_tls_context *c = NULL;
    tally_error error;
    party_peer_rule rule = pin_of(bank), none = {.pin_count = 0}, nameless = {.ca_file = "ca.pem"};
    party_peer_rule missing = {.ca_file = "/nonexistent/ca.pem", .name = "CN=x"};
    tally_identity *old = cert_identity(&(cert_spec){.common = "old", .from_s = -7200, .to_s = -10});
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 0, old, &rule, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "our own certificate expired on 2"));
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 0, bank, &none, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 0, bank, &nameless, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 0, bank, &missing, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "/nonexistent/ca.pem"));

    /* Nobody is asked for a passphrase of what is public. */
    static const char sealed[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                                 "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                 "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
    char path[256];
    const char *folder = unit_tmp();
    snprintf(path, sizeof path, "%s/sealed.pem", folder);
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fputs(sealed, f) >= 0 && fclose(f) == 0);
    party_peer_rule asks = {.ca_file = path, .name = "CN=x"};
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 1, bank, &asks, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NULL(c);
    tally_identity_free(old);
}

static void test_renewal_keeps_pin(void)
{
    struct side s[2];
    cert_made first = cert_make(&(cert_spec){.common = "a"});
    tally_identity *renewed = cert_identity(&(cert_spec){.common = "b", .with_key = first.key});
    sides_prepare(s, renewed, court);
    s[SERVER].rule.pin_count = 1;
    CU_ASSERT_EQUAL(party_spki_fingerprint(first.cert, s[SERVER].rule.pins[0]), TALLY_OK);
    sides_run(s);
    CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_OK);
    CU_ASSERT_EQUAL(s[SERVER].status, TALLY_OK);
    sides_free(s);
    cert_free(&first);
    tally_identity_free(renewed);
}

static void test_other_keys(void)
{
    static const char *const keys[] = {"RSA2048", "RSA3072", "P-256", "P-384"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct side s[2];
        tally_identity *id = cert_identity(&(cert_spec){.key = keys[i], .common = "k"});
        sides_prepare(s, i & 1 ? bank : id, i & 1 ? id : court);
        sides_run(s);
        CU_ASSERT_EQUAL(s[CLIENT].status, TALLY_OK);
        CU_ASSERT_EQUAL(s[SERVER].status, TALLY_OK);
        sides_free(s);
        tally_identity_free(id);
    }
}

/* ---- CA mode ---- */

static tally_identity *signed_identity(const cert_made *issuer, X509 *extra, const char *common)
{
    tally_identity *id = NULL;
    const char *dir = unit_tmp();
    cert_made made =
        cert_make(&(cert_spec){.organisation = "Example Court", .common = common, .issuer = issuer});
    cert_write_identity(&made, extra, dir);
    cert_free(&made);
    CU_ASSERT_EQUAL_FATAL(tally_identity_load(dir, &id, NULL), TALLY_OK);
    return id;
}

static void test_ca(void)
{
    char ca_file[256], other_file[256];
    const char *name = "CN=psi,O=Example Court";
    cert_made ca = cert_make(&(cert_spec){.common = "CA", .ca = 1});
    cert_made middle = cert_make(&(cert_spec){.common = "middle", .ca = 1, .issuer = &ca});
    cert_made other = cert_make(&(cert_spec){.common = "CA", .ca = 1, .key = "P-256"});
    const char *dir = unit_tmp();
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", dir);
    snprintf(other_file, sizeof other_file, "%s/other.pem", dir);
    cert_write_pem(ca.cert, ca_file);
    cert_write_pem(other.cert, other_file);
    tally_identity *direct = signed_identity(&ca, NULL, "psi"),
                   *chained = signed_identity(&middle, middle.cert, "psi");
    tally_identity *unchained = signed_identity(&middle, NULL, "psi"),
                   *namesake = signed_identity(&ca, NULL, "psi2");
    tally_identity *forged = signed_identity(&(cert_made){bank->key, bank->cert}, NULL, "psi");
    tally_identity *self = cert_identity(&(cert_spec){.organisation = "Example Court", .common = "psi"});
    const struct {
        const tally_identity *id;
        const char *file, *name, *says; /* says NULL: accepted */
        const tally_identity *pinned;
    } rows[] = {
        {direct, ca_file, name, NULL, NULL},
        {chained, ca_file, name, NULL, NULL},
        {direct, ca_file, name, NULL, direct},
        {direct, ca_file, name, "has fingerprint", chained},
        {unchained, ca_file, name, "not signed by the given CA", NULL},
        {namesake, ca_file, name, "has subject \"CN=psi2,O=Example Court\", not the name", NULL},
        {direct, ca_file, "CN=psi", "not the name given with --peer-name", NULL},
        {direct, ca_file, "cn=psi,o=example court", "not the name given with --peer-name", NULL},
        {direct, other_file, name, "not signed by the given CA", NULL},
        {self, ca_file, name, "not signed by the given CA", NULL},
        {forged, ca_file, name, "not signed by the given CA", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct side s[2];
        int who = i & 1 ? CLIENT : SERVER; /* the one with the CA's certificate */
        sides_prepare(s, who == CLIENT ? rows[i].id : bank, who == SERVER ? rows[i].id : court);
        s[!who].rule = rows[i].pinned ? pin_of(rows[i].pinned) : (party_peer_rule){.pin_count = 0};
        s[!who].rule.ca_file = rows[i].file;
        s[!who].rule.name = rows[i].name;
        sides_run(s);
        CU_ASSERT_EQUAL(s[!who].status, rows[i].says ? TALLY_ERR_AUTH : TALLY_OK);
        CU_ASSERT_EQUAL(s[who].status, rows[i].says ? TALLY_ERR_AUTH : TALLY_OK);
        if (rows[i].says)
            CU_ASSERT(says(&s[!who], rows[i].says));
        sides_free(s);
    }
    tally_identity *const all[] = {direct, chained, unchained, namesake, forged, self};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tally_identity_free(all[i]);
    cert_free(&ca);
    cert_free(&middle);
    cert_free(&other);
}

/* The rule on its own: what needs no handshake. */
static void test_judge(void)
{
    party_verdict v;
    int64_t now = (int64_t)time(NULL);
    party_peer_rule rule = pin_of(bank);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, bank->cert, NULL, now, 0, "x", &v), X509_V_OK);
    CU_ASSERT_EQUAL(v.why.status, TALLY_OK);
    CU_ASSERT_STRING_EQUAL(v.subject, "CN=bank,O=示例银行");
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, court->cert, NULL, now, 0, "x", &v),
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    CU_ASSERT_EQUAL(v.why.status, TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, bank->cert, NULL, bank->not_after + 300, 0, "x", &v),
                    X509_V_OK);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, bank->cert, NULL, bank->not_after + 301, 0, "x", &v),
                    X509_V_ERR_CERT_HAS_EXPIRED);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, bank->cert, NULL, bank->not_before - 300, 0, "x", &v),
                    X509_V_OK);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, bank->cert, NULL, bank->not_before - 301, 0, "x", &v),
                    X509_V_ERR_CERT_NOT_YET_VALID);
    /* A pinned key that is too weak all the same. */
    cert_made weak = cert_make(&(cert_spec){.key = "RSA1024", .common = "weak"});
    CU_ASSERT_EQUAL(party_spki_fingerprint(weak.cert, rule.pins[0]), TALLY_OK);
    CU_ASSERT_EQUAL(party_peer_judge(&rule, NULL, NULL, weak.cert, NULL, now, 0, "x", &v),
                    X509_V_ERR_EE_KEY_TOO_SMALL);
    cert_free(&weak);
    /* With a CA: an expired CA, and a signature over other contents. */
    cert_made ca = cert_make(&(cert_spec){.common = "CA", .ca = 1, .from_s = -9000, .to_s = -4000});
    cert_made leaf = cert_make(&(cert_spec){.common = "leaf", .issuer = &ca});
    X509_STORE *store = X509_STORE_new();
    CU_ASSERT_EQUAL_FATAL(X509_STORE_add_cert(store, ca.cert), 1);
    party_peer_rule by_ca = {.ca_file = "given", .name = "CN=leaf"};
    CU_ASSERT_EQUAL(party_peer_judge(&by_ca, NULL, store, leaf.cert, NULL, now, 0, "x", &v),
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.why.message, "expired"));
    CU_ASSERT_EQUAL(party_peer_judge(&by_ca, NULL, store, leaf.cert, NULL, now - 3800, 0, "x", &v),
                    X509_V_OK);
    CU_ASSERT_EQUAL(party_peer_judge(&by_ca, NULL, store, leaf.cert, NULL, now - 3800, 1, "x", &v),
                    X509_V_OK);
    /* The authority's key is revoked here. */
    party_revoked gone = {.reason = "broken into"};
    party_known known = {.revoked = &gone, .revoked_count = 1};
    CU_ASSERT_EQUAL(party_spki_fingerprint(ca.cert, gone.pin32), TALLY_OK);
    CU_ASSERT_EQUAL(party_peer_judge(&by_ca, &known, store, leaf.cert, NULL, now - 3800, 0, "x", &v),
                    X509_V_ERR_CERT_REVOKED);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.why.message, "broken into"));
    X509_STORE_free(store);
    cert_free(&leaf);
    cert_free(&ca);
}

static void test_pin_text(void)
{
    static const char good[] = "sha256:00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100";
    static const char *const bad[] = {
        "",
        "sha256:",
        "sha256",
        "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100",
        "sha256:00112233445566778899aabbccddeeffFFEEDDCCBBAA998877665544332211",
        "sha256:00112233445566778899aabbccddeeffFFEEDDCCBBAA9988776655443322110000",
        "sha256:0g112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100",
        "SHA256:00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100",
        "sha256: 0112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100",
    };
    uint8_t got[32], want[32];
    char text[TALLY_FINGERPRINT_TEXT];
    tally_error error;
    unit_hex(want, 32, good + 7);
    CU_ASSERT_EQUAL(party_pin_parse(got, good, NULL), TALLY_OK);
    CU_ASSERT(memcmp(got, want, 32) == 0);
    party_pin_text(text, got);
    CU_ASSERT_STRING_EQUAL(text, "sha256:00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(party_pin_parse(got, bad[i], &error), TALLY_ERR_USAGE);
        CU_ASSERT(memcmp(got, want, 32) == 0);
    }
}

/* ---- Others who knock ---- */

/* A plain OpenSSL client over our pipe: what a program that is not Tally would do. */
struct raw {
    tally_transport io;
    SSL_CTX *ctx;
    int handshake; /* SSL_do_handshake's last result */
    int alert;     /* fatal alert that came */
};

static void raw_alert(const SSL *ssl, int where, int value)
{
    struct raw *r = SSL_get_app_data(ssl);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        r->alert = value & 0xff;
}

static int accept_any(X509_STORE_CTX *ctx, void *user)
{
    (void)ctx, (void)user;
    return 1;
}

static void *raw_client(void *arg)
{
    struct raw *r = arg;
    uint8_t buf[32768], byte;
    SSL *ssl = SSL_new(r->ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_set_app_data(ssl, r);
    SSL_set_info_callback(ssl, raw_alert);
    for (int over = 0; !over;) {
        r->handshake = SSL_do_handshake(ssl);
        if (r->handshake == 1)
            over = SSL_read(ssl, &byte, 1) > 0 || SSL_get_error(ssl, 0) == SSL_ERROR_SSL;
        else
            over = SSL_get_error(ssl, r->handshake) != SSL_ERROR_WANT_READ;
        for (int n; (n = BIO_read(out, buf, sizeof buf)) > 0;)
            for (long at = 0, w; at < n; at += w)
                if ((w = r->io.write(r->io.user, buf + at, (size_t)(n - at), 2000)) <= 0)
                    goto done;
        long n = over ? 0 : r->io.read(r->io.user, buf, sizeof buf, 2000);
        if (n <= 0)
            break;
        BIO_write(in, buf, (int)n);
    }
done:
    SSL_free(ssl);
    ERR_clear_error();
    r->io.shutdown(r->io.user);
    return NULL;
}

static struct raw raw_new(int version, const char *protocol)
{
    struct raw r = {.alert = -1, .ctx = SSL_CTX_new_ex(psi_openssl(), NULL, TLS_client_method())};
    SSL_CTX_set_min_proto_version(r.ctx, version);
    SSL_CTX_set_max_proto_version(r.ctx, version);
    SSL_CTX_set_cert_verify_callback(r.ctx, accept_any, NULL);
    if (protocol)
        SSL_CTX_set_alpn_protos(r.ctx, (const unsigned char *)protocol, (unsigned)strlen(protocol));
    return r;
}

static void against_server(struct raw *r, struct side *server)
{
    struct side s[2];
    pthread_t thread;
    sides_prepare(s, bank, court);
    r->io = s[CLIENT].below;
    pthread_create(&thread, NULL, raw_client, r);
    side_handshake(&s[SERVER]);
    pthread_join(thread, NULL);
    *server = s[SERVER];
    sides_free(s);
    SSL_CTX_free(r->ctx);
}

static void test_no_certificate(void)
{
    struct side server;
    struct raw r = raw_new(TLS1_3_VERSION, "\007tally/1");
    against_server(&r, &server);
    CU_ASSERT_EQUAL(server.status, TALLY_ERR_AUTH);
    CU_ASSERT(says(&server, "showed no certificate"));
    CU_ASSERT_EQUAL(r.handshake, 1); /* a TLS 1.3 client believes it is done */
    CU_ASSERT_EQUAL(r.alert, TLS13_AD_CERTIFICATE_REQUIRED);
}

static void test_old_tls(void)
{
    struct side server;
    struct raw r = raw_new(TLS1_2_VERSION, "\007tally/1");
    against_server(&r, &server);
    CU_ASSERT_EQUAL(server.status, TALLY_ERR_MALFORMED);
    CU_ASSERT(says(&server, "does not speak TLS 1.3"));
    CU_ASSERT_EQUAL(r.alert, SSL_AD_PROTOCOL_VERSION);
}

static void test_wrong_alpn(void)
{
    static const char *const protocols[] = {"\002h2\010http/1.1", "\007tally/2", NULL};
    for (size_t i = 0; i < 3; i++) {
        struct side server;
        struct raw r = raw_new(TLS1_3_VERSION, protocols[i]);
        against_server(&r, &server);
        CU_ASSERT_EQUAL(server.status, TALLY_ERR_MALFORMED);
        CU_ASSERT(says(&server, "speaks TLS, but not tally/1"));
        CU_ASSERT_EQUAL(r.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
    }
}

static void test_garbage(void)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                        "\x16\x03\x01\xff\xff\x01\x02\x03\x04",
                                        "\x15\x03\x03\x00\x02\x02\x28"};
    for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        struct side s[2];
        int who = (int)(i & 1); /* the side that hears it */
        const char *text = texts[i / 2];
        size_t len = text[0] == 0x15 ? 7 : strlen(text);
        sides_prepare(s, bank, court);
        s[who].timeout_ms = 300;
        CU_ASSERT_EQUAL(s[!who].below.write(s[!who].below.user, text, len, 1000), (long)len);
        side_handshake(&s[who]);
        CU_ASSERT_EQUAL(s[who].status, TALLY_ERR_MALFORMED);
        CU_ASSERT(s[who].error.hint[0] != 0);
        sides_free(s);
    }
}

static void test_closed_and_silent(void)
{
    for (int who = 0; who < 2; who++) {
        struct side s[2];
        sides_prepare(s, bank, court);
        s[!who].below.shutdown(s[!who].below.user);
        side_handshake(&s[who]);
        CU_ASSERT_EQUAL(s[who].status, TALLY_ERR_NETWORK);
        sides_free(s);
        sides_prepare(s, bank, court);
        s[who].timeout_ms = 150;
        int64_t began = party_now_ms();
        side_handshake(&s[who]);
        CU_ASSERT_EQUAL(s[who].status, TALLY_ERR_TIMEOUT);
        CU_ASSERT(party_now_ms() - began >= 145 && party_now_ms() - began < 1500);
        sides_free(s);
    }
}

struct raiser {
    party_cancel *cancel;
    int64_t at;
};

static void *raise_soon(void *arg)
{
    struct raiser *r = arg;
    usleep(100000);
    r->at = party_now_ms();
    party_cancel_raise(r->cancel);
    return NULL;
}

static void test_cancel_handshake(void)
{
    for (int who = 0; who < 2; who++) {
        struct side s[2];
        pthread_t thread;
        sides_prepare(s, bank, court);
        struct raiser r = {.cancel = &s[who].cancel};
        pthread_create(&thread, NULL, raise_soon, &r);
        side_handshake(&s[who]);
        int64_t ended = party_now_ms();
        pthread_join(thread, NULL);
        CU_ASSERT_EQUAL(s[who].status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT(ended - r.at < 300);
        sides_free(s);
    }
}

static void test_faults(void)
{
    tally_error error;
    party_peer_rule rule = pin_of(bank);
    party_tls_context *c = NULL;
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_tls_context_new(&c, 0, bank, &rule, &error), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT_EQUAL_FATAL(party_tls_context_new(&c, 0, bank, &rule, &error), TALLY_OK);
    struct side s[2];
    sides_prepare(s, bank, court);
    for (unsigned long n = 1; n <= 3; n++) {
        party_tls *tls = NULL;
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(
            party_tls_open(&tls, c, &s[0].below, NULL, party_now_ms() + 1000, &s[0].cancel, &error),
            TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(tls);
    }
    psi_mem_fail_at(0);
    sides_free(s);
    party_tls_context_free(c);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"right_pins", test_right_pins},
        {"several_pins", test_several_pins},
        {"wrong_server", test_wrong_server},
        {"wrong_client", test_wrong_client},
        {"expired", test_expired},
        {"clock_tolerance", test_clock_tolerance},
        {"own_checks", test_own_checks},
        {"renewal_keeps_pin", test_renewal_keeps_pin},
        {"other_keys", test_other_keys},
        {"ca", test_ca},
        {"judge", test_judge},
        {"pin_text", test_pin_text},
        {"no_certificate", test_no_certificate},
        {"old_tls", test_old_tls},
        {"wrong_alpn", test_wrong_alpn},
        {"garbage", test_garbage},
        {"closed_and_silent", test_closed_and_silent},
        {"cancel_handshake", test_cancel_handshake},
        {"faults", test_faults},
    };
    identities_new();
    int status = unit_main(argc, argv, "tls", tests, sizeof tests / sizeof *tests);
    identities_free();
    return status;
}
