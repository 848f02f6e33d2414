/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer": TLS 1.3 over any byte stream, both sides authenticated, by OpenSSL with memory BIOs so that
 * reading and writing can run in two threads over one connection. Called by party/connect. Whom to accept is
 * party/peer's.
 *
 * On the wire: TLS 1.3, ALPN "tally/1"; then one byte 0x01 from the server as the first application data. In
 * TLS 1.3 a client is done before the server has judged its certificate; this ready byte tells the client
 * that it was accepted, an alert in its place that it was not.
 */
#ifndef PARTY_TLS_H
#define PARTY_TLS_H

#include "party/cancel.h"

#define PARTY_PINS_MAX 8
#define PARTY_RULES_MAX 64

/* Whom to accept. At least one of pins and ca_file; with both, both must hold. */
typedef struct party_peer_rule {
    uint8_t pins[PARTY_PINS_MAX][32]; /* SHA-256 of DER SubjectPublicKeyInfo; any of them */
    size_t pin_count;
    const char *ca_file; /* PEM, or NULL */
    const char *name;    /* exact subject, RFC 2253, required with ca_file */
    int agreed;          /* pins and name are those of an agreement: for messages */
    int has_ca_pin;
    char signing[TALLY_FINGERPRINT_TEXT]; /* with agreed: the other side's signing key, whose statements of
                                             rotation replace pins; else "" */
    const char *crl_file;                 /* PEM, for ca_file; NULL: none */
    uint8_t ca_pin32[32]; /* of the certificates in ca_file only those with this public key sign */
} party_peer_rule;

/* "sha256:" and 64 hex digits of either case -> 32 bytes. TALLY_ERR_USAGE otherwise. */
tally_status party_pin_parse(uint8_t pin32[32], const char *text, tally_error *error) TALLY_MUST_CHECK;
void party_pin_text(char out[TALLY_FINGERPRINT_TEXT], const uint8_t pin32[32]);

/* What all connections of a run or a server share: our certificate and key, the rules, the CAs' certificates.
 */
typedef struct party_tls_context party_tls_context;

/*
 * identity and rule are borrowed until the context is freed. TALLY_ERR_USAGE: the rule is incomplete.
 * TALLY_ERR_FILE: ca_file. TALLY_ERR_AUTH: our own certificate is not valid now, or TLS cannot use it. One
 * context may serve many connections in many threads.
 */
tally_status party_tls_context_new(party_tls_context **out, int server, const tally_identity *identity,
                                   const party_peer_rule *rule, tally_error *error) TALLY_MUST_CHECK;
/* What a connection may be for, by its ALPN: a run, "tally/1", or a ping, "tally-ping/1". */
enum party_tls_purpose { PARTY_TLS_RUN, PARTY_TLS_RUN_OR_PING, PARTY_TLS_PING };
/* PARTY_TLS_RUN unless it is set, before the first connection. RUN_OR_PING is for a server. */
void party_tls_context_purpose(party_tls_context *context, enum party_tls_purpose purpose);
void party_tls_context_free(party_tls_context *context);
/* One more rule, borrowed likewise: a peer has to meet any of them. At most PARTY_RULES_MAX; not once the
 * context is in use. TALLY_ERR_USAGE, TALLY_ERR_FILE as above. */
tally_status party_tls_context_add(party_tls_context *context, const party_peer_rule *rule,
                                   tally_error *error) TALLY_MUST_CHECK;

typedef struct party_tls party_tls;

/*
 * Handshake and ready byte over io (its functions are borrowed until party_tls_free) until deadline_ms.
 * TLS 1.3 only, ALPN by purpose, no tickets, no early data, no resumption. Verification of the peer's
 * certificate in one place (party/peer); the handshake itself proves possession of the key. where names the
 * peer in messages ("127.0.0.1:7440"), or is NULL. On failure the peer has been sent an alert if there was
 * one to send; io is left to the caller. TALLY_ERR_AUTH: the peer's certificate is missing, expired, not the
 * pinned one, not of that CA or name (message says which and shows the fingerprint or subject that came), or
 * the peer refused ours (by its alert). TALLY_ERR_NETWORK/TIMEOUT/INTERRUPTED: the stream.
 * TALLY_ERR_MALFORMED: the other end does not speak TLS 1.3 or tally/1.
 */
tally_status party_tls_open(party_tls **out, const party_tls_context *context, const tally_transport *io,
                            const char *where, int64_t deadline_ms, party_cancel *cancel,
                            tally_error *error) TALLY_MUST_CHECK;
/*
 * The plaintext stream. read and write may run in two threads; a write that has taken bytes may leave up to
 * 64 KiB of ciphertext for the next read, write or shutdown to send on. shutdown sends close_notify if it can
 * (at most about 1 s) and shuts io down.
 */
void party_tls_io(party_tls *tls, tally_transport *out);
/* Why the stream failed, when a read or write returned TALLY_IO_FAILED: fills error, returns its status;
   TALLY_OK if nothing but the transport broke. A stream that ended without close_notify is a broken transport
   (truncation). */
tally_status party_tls_failure(party_tls *tls, tally_error *error);
void party_tls_free(party_tls *tls);

/* After the handshake. */
void party_tls_peer(const party_tls *tls, uint8_t fingerprint32[32], char *subject, size_t subject_size);
/* 1 for a ping. */
int party_tls_is_ping(const party_tls *tls);
/* When the peer's certificate ends, and when its key is replaced for good (0: it is not); seconds, UTC. */
void party_tls_peer_until(const party_tls *tls, int64_t *certificate, int64_t *key);
/* Bit i: the peer's certificate meets rule i of the context, in the order in which they were given. */
uint64_t party_tls_accepted(const party_tls *tls);
/* TLS exporter (RFC 8446 section 7.5), label "EXPORTER-tally-session", no context: binds the session id to
   this connection. */
tally_status party_tls_binding(party_tls *tls, uint8_t binding32[32]) TALLY_MUST_CHECK;

#endif
