/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer": TLS 1.3 over any byte stream, both sides authenticated, by OpenSSL with memory BIOs so that reading and
 * writing can run in two threads over one connection. Called by party/connect.
 */
#ifndef PARTY_TLS_H
#define PARTY_TLS_H

#include "party/cancel.h"

#define PARTY_PINS_MAX 8

/* Whom to accept. At least one of pins and ca_file; with both, both must hold. */
typedef struct party_peer_rule {
    uint8_t pins[PARTY_PINS_MAX][32]; /* SHA-256 of DER SubjectPublicKeyInfo; any of them */
    size_t pin_count;
    const char *ca_file; /* PEM, or NULL */
    const char *name;    /* exact subject, RFC 2253, required with ca_file */
} party_peer_rule;

/* "sha256:" and 64 hex digits of either case -> 32 bytes. TALLY_ERR_USAGE otherwise. */
tally_status party_pin_parse(uint8_t pin32[32], const char *text, tally_error *error) TALLY_MUST_CHECK;
void party_pin_text(char out[TALLY_FINGERPRINT_TEXT], const uint8_t pin32[32]);

typedef struct party_tls party_tls;

/*
 * Handshake over io (borrowed until party_tls_free) until deadline_ms. TLS 1.3 only, ALPN "tally/1", no tickets, no early data, no
 * resumption. The peer's certificate: own verification in one place (validity times with 300 s of tolerance, pin and/or chain and
 * subject); the handshake itself proves possession of the key.
 * TALLY_ERR_AUTH: the peer's certificate is missing, expired, not the pinned one, not of that CA or name (message says which and
 *   shows the fingerprint or subject that came), or the peer refused ours (by its alert), or our own is expired (checked first).
 * TALLY_ERR_NETWORK/TIMEOUT/INTERRUPTED: the stream. TALLY_ERR_MALFORMED: the other end does not speak TLS 1.3 or tally/1.
 * A client learns of the server's refusal only at its first read: party_tls_io's read then returns TALLY_IO_FAILED, and
 * party_tls_failure tells TALLY_ERR_AUTH.
 */
tally_status party_tls_open(party_tls **out, const tally_transport *io, int server, const tally_identity *identity,
                            const party_peer_rule *rule, int64_t deadline_ms, party_cancel *cancel,
                            tally_error *error) TALLY_MUST_CHECK;
/* The plaintext stream. read and write may run in two threads; shutdown sends close_notify if it can and shuts io down. */
void party_tls_io(party_tls *tls, tally_transport *out);
/* Why the stream failed, when a read or write returned TALLY_IO_FAILED: fills error, returns its status; TALLY_OK if nothing
   but the transport broke. A stream that ended without close_notify is a broken transport (truncation). */
tally_status party_tls_failure(party_tls *tls, tally_error *error);
void party_tls_free(party_tls *tls);

/* After the handshake. */
void party_tls_peer(const party_tls *tls, uint8_t fingerprint32[32], char *subject, size_t subject_size);
/* TLS exporter (RFC 8446 section 7.5), label "EXPORTER-tally-session", no context: binds the session id to this connection. */
tally_status party_tls_binding(party_tls *tls, uint8_t binding32[32]) TALLY_MUST_CHECK;

#endif
