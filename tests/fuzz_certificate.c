/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer's certificate and the options about the peer. First byte: which parser; the rest: its input.
 * 0 fingerprint text, 1 and 2 address text (connecting, listening), 3 a DER certificate judged by a pin, 4 by
 * a name, 5 an alert in words.
 */
#include "party/error.h"
#include "party/identity.h"
#include "party/peer.h"
#include "party/transport.h"
#include "psi/hash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
    if (!ok)
        abort();
}

static void fuzz_pin(const char *text)
{
    uint8_t pin[32], again[32];
    char shown[TALLY_FINGERPRINT_TEXT];
    tally_error error;
    if (party_pin_parse(pin, text, &error)) {
        need(error.status == TALLY_ERR_USAGE && error.message[0]);
        return;
    }
    party_pin_text(shown, pin);
    need(strcasecmp(shown, text) == 0 && party_pin_parse(again, shown, NULL) == TALLY_OK);
    need(memcmp(pin, again, sizeof pin) == 0);
}

static void fuzz_address(const char *text, int listening)
{
    party_address address, again;
    char shown[PARTY_ADDRESS_TEXT];
    tally_error error;
    if (party_address_parse(&address, text, listening, &error)) {
        need(error.status == TALLY_ERR_USAGE && error.message[0]);
        return;
    }
    need(*address.host || listening);
    party_address_text(shown, &address);
    need(party_address_parse(&again, shown, listening, NULL) == TALLY_OK);
    need(strcmp(address.host, again.host) == 0 && strcmp(address.port, again.port) == 0);
}

static void fuzz_certificate(const uint8_t *der, size_t size, int by_name)
{
    const uint8_t *p = der;
    X509 *cert = X509_new_ex(psi_openssl(), NULL);
    party_peer_rule rule = {.pin_count = !by_name};
    party_verdict verdict;
    char subject[64], tiny[2];
    need(cert != NULL);
    if (d2i_X509(&cert, &p, (long)size)) {
        party_subject_text(cert, subject, sizeof subject);
        party_subject_text(cert, tiny, sizeof tiny);
        need(strlen(subject) < sizeof subject && strlen(tiny) < sizeof tiny);
        if (by_name) {
            X509_STORE *store = X509_STORE_new();
            rule.ca_file = "given";
            rule.name = subject;
            need(store && X509_STORE_add_cert(store, cert));
            int code = party_peer_judge(&rule, NULL, store, cert, NULL, 1790000000, 1, "the peer", &verdict);
            need((code == X509_V_OK) == (verdict.why.status == TALLY_OK));
            need(code != X509_V_OK || (*subject && strcmp(verdict.subject, subject) == 0));
            X509_STORE_free(store);
        } else {
            /* By the right pin: only time and strength may speak against it. By a wrong one: never accepted.
             */
            if (party_spki_fingerprint(cert, rule.pins[0]) == TALLY_OK) {
                int code =
                    party_peer_judge(&rule, NULL, NULL, cert, NULL, 1790000000, 0, "the peer", &verdict);
                need(code != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
                need((code == X509_V_OK) == (verdict.why.status == TALLY_OK));
            }
            rule.pins[0][31] ^= 1;
            need(party_peer_judge(&rule, NULL, NULL, cert, NULL, 1790000000, 0, "the peer", &verdict) !=
                 X509_V_OK);
            need(verdict.why.status == TALLY_ERR_AUTH && verdict.why.message[0]);
        }
    }
    X509_free(cert);
}

/* Self-signed, Ed25519, O=Ex, CN=a; its key was thrown away. */
static const uint8_t good[] = {
    0x30, 0x82, 0x01, 0x46, 0x30, 0x81, 0xf9, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x14, 0x5c, 0xa2, 0x2b,
    0xf5, 0x1c, 0xd6, 0x07, 0xa9, 0x6e, 0xb0, 0x79, 0xc3, 0xf5, 0xe8, 0x51, 0x2d, 0x93, 0x0e, 0x54, 0xd7,
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x30, 0x19, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04,
    0x0a, 0x0c, 0x02, 0x45, 0x78, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 0x61,
    0x30, 0x1e, 0x17, 0x0d, 0x32, 0x36, 0x31, 0x31, 0x32, 0x33, 0x32, 0x31, 0x30, 0x38, 0x35, 0x31, 0x5a,
    0x17, 0x0d, 0x32, 0x38, 0x31, 0x30, 0x32, 0x33, 0x32, 0x31, 0x30, 0x38, 0x35, 0x31, 0x5a, 0x30, 0x19,
    0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x0c, 0x02, 0x45, 0x78, 0x31, 0x0a, 0x30, 0x08,
    0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 0x61, 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
    0x03, 0x21, 0x00, 0x64, 0x46, 0xe6, 0xb7, 0x35, 0xbd, 0x04, 0xef, 0x1c, 0xad, 0x4b, 0x73, 0xcc, 0x2f,
    0x6e, 0x11, 0x72, 0xb7, 0x3d, 0xac, 0x74, 0x36, 0x23, 0x56, 0xf2, 0xab, 0x03, 0xd8, 0x04, 0xe7, 0xe9,
    0xf6, 0xa3, 0x53, 0x30, 0x51, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14, 0xd9,
    0x72, 0xee, 0x8b, 0x1e, 0xdb, 0x5f, 0x27, 0x67, 0xf1, 0xa4, 0xfb, 0x2b, 0x7c, 0x50, 0xea, 0x93, 0x7a,
    0x76, 0x27, 0x30, 0x1f, 0x06, 0x03, 0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0xd9, 0x72,
    0xee, 0x8b, 0x1e, 0xdb, 0x5f, 0x27, 0x67, 0xf1, 0xa4, 0xfb, 0x2b, 0x7c, 0x50, 0xea, 0x93, 0x7a, 0x76,
    0x27, 0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01,
    0xff, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00, 0x49, 0x99, 0x60, 0xfe, 0xa1, 0xf8,
    0x06, 0x2d, 0x55, 0xf5, 0xe9, 0x65, 0x5f, 0x22, 0x5f, 0x93, 0xd0, 0x2f, 0x8d, 0x69, 0x93, 0xa2, 0xca,
    0xff, 0xe6, 0xe2, 0x86, 0x27, 0x5c, 0xb8, 0xb0, 0xe9, 0x88, 0xc4, 0x2f, 0x46, 0x91, 0xa0, 0x13, 0xf2,
    0x3a, 0x62, 0xcf, 0x30, 0x4e, 0xec, 0xe3, 0xa7, 0x04, 0xf4, 0x00, 0xff, 0x4f, 0xca, 0xaf, 0xd5, 0xb8,
    0xcf, 0x41, 0xa0, 0x74, 0xc7, 0xef, 0x0c};

static void fuzz_patched(const uint8_t *patches, size_t size, int by_name)
{
    uint8_t der[sizeof good];
    memcpy(der, good, sizeof der);
    for (size_t i = 0; i + 3 <= size; i += 3)
        der[(patches[i] * 256u + patches[i + 1]) % sizeof der] = patches[i + 2];
    fuzz_certificate(der, sizeof der, by_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tally_error error;
    if (size < 1)
        return 0;
    char *text = malloc(size);
    need(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 8) {
    case 0:
        fuzz_pin(text);
        break;
    case 1:
    case 2:
        fuzz_address(text, data[0] % 8 == 2);
        break;
    case 3:
    case 4:
        fuzz_certificate(data + 1, size - 1, data[0] % 8 == 4);
        break;
    case 6:
    case 7:
        fuzz_patched(data + 1, size - 1, data[0] % 8 == 7);
        break;
    default:
        need(party_peer_alert(size > 1 ? data[1] : 0, text, &error) != TALLY_OK && error.message[0]);
    }
    free(text);
    return 0;
}
