/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer": from addresses to an authenticated stream. A connecting side retries until the deadline
 * (connect.c); a listening side drops strangers and keeps waiting (listen.h). Called by party/session and
 * party/server.
 */
#ifndef PARTY_CONNECT_H
#define PARTY_CONNECT_H

#include "party/tls.h"
#include "party/transport.h"

typedef struct party_channel {
    tally_transport io;                                /* what the link reads and writes: plaintext */
    party_tls *tls;                                    /* NULL when the caller vouches for its transport */
    tally_transport raw;                               /* what lies below; counted */
    int owns_raw;                                      /* 1: a TCP socket of ours */
    uint8_t own_fingerprint[32], peer_fingerprint[32]; /* zero without TLS */
    uint8_t binding[32];                               /* TLS exporter; zero without TLS */
    char peer_subject[256];
    int64_t peer_until, peer_key_until; /* of its certificate; of its key, 0: not replaced */
    struct party_counted *counted;      /* the counting transport between tls and raw */
    struct party_unread *unread;        /* what was read before the link was there, above tls; or NULL */
} party_channel;

typedef void (*party_log_line)(void *user, int level, const char *line);

typedef struct party_connect_options {
    const party_address *listen; /* one of listen, connect, transport */
    const party_address *connect;
    const tally_transport *transport;
    int transport_tls, transport_tls_server;
    const tally_identity *identity;
    const party_peer_rule *rule;
    int ping;            /* 1: only a ping is wanted; 0: a listening run answers pings and waits on */
    int64_t deadline_ms; /* monotonic */
    party_cancel *cancel;
    party_log_line log; /* "dropped a connection from 127.0.0.1:5050: ..." level 0; from the calling thread;
                           may be NULL */
    void *log_user;
} party_connect_options;

/*
 * Our own certificate, the rule and the CA's file are checked before anything is sent (see
 * party_tls_context_new). Listening: handshakes of several connections run side by side (party/listen.h), so
 * that strangers delay nobody; the first peer that authenticates is taken, the listening sockets are closed,
 * the others dropped. A stranger is logged by address and reason and never ends
 * the wait. At the deadline TALLY_ERR_AUTH if anyone was refused for its certificate or refused ours
 * (message: how many, the last reason), else TALLY_ERR_TIMEOUT. Connecting: refused, unreachable, and a
 * connection that ends during the handshake are tried again after 20 ms, rising to 2 s, until the deadline,
 * then TALLY_ERR_TIMEOUT with the last reason; a server that authenticates as somebody else, or refuses our
 * certificate, is TALLY_ERR_AUTH at once; an unknown host, and a server that does not speak our TLS, are at
 * once too. A caller's transport: one handshake until the deadline; its shutdown is called when that fails.
 */
tally_status party_channel_open(party_channel *out, const party_connect_options *options,
                                tally_error *error) TALLY_MUST_CHECK;
/* Shuts down what is still open; a TCP peer gets up to 500 ms to read our last bytes. Nothing on a zeroed
 * channel. */
void party_channel_close(party_channel *channel);
/* Frees without a word to the peer and without waiting. */
void party_channel_drop(party_channel *channel);
/* Bytes that were read from an open channel are read once more: by the link, which begins with the first. At
 * most once. */
tally_status party_channel_unread(party_channel *channel, const uint8_t *bytes, size_t len,
                                  tally_error *error) TALLY_MUST_CHECK;
/* Bytes on the transport so far, TLS included. */
void party_channel_bytes(const party_channel *channel, uint64_t *sent, uint64_t *received);

/* ---- Between connect.c and listen.c ---- */

/* TLS over channel->raw, which is already there. On failure the channel is as before; raw is shut down. */
tally_status party_channel_secure(party_channel *channel, const party_tls_context *context,
                                  const tally_identity *identity, const char *where, int64_t deadline_ms,
                                  party_cancel *cancel, tally_error *error) TALLY_MUST_CHECK;
/* One log line (printf form), if options has a listener. */
void party_channel_log(const party_connect_options *options, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
