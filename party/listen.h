/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", waiting side: from listening sockets to authenticated connections, however many strangers
 * knock. Each handshake has a thread, a deadline of 10 s and a cancel of its own; the loop that accepts never
 * blocks. Called by party/connect for a single run and by party/server for many.
 *
 * At most 96 handshakes run at once and at most 48 of one address (IPv6: of one /64); what comes beyond waits
 * in a queue, first come, first served: 512 connections in all, 256 of one address, whose further ones are
 * closed. While somebody waits, handshakes that take more than 250 ms make room, those that have failed
 * first, then the oldest; a peer that has authenticated has another second for its greeting.
 */
#ifndef PARTY_LISTEN_H
#define PARTY_LISTEN_H

#include "party/connect.h"
#include "party/first.h"

#define PARTY_SOCKETS 8 /* addresses of one host we listen on */

/* A connection whose peer has proved that it is one of those we wait for. */
typedef struct party_arrival {
    party_channel channel; /* to be closed by who takes it */
    char from[PARTY_ADDRESS_TEXT];
    uint64_t accepted; /* party_tls_accepted */
    party_first first; /* what greet has read */
    size_t entry;      /* what greet has chosen */
} party_arrival;

/* Runs in the thread of the handshake, after it; what it does not accept is dropped, and logged with its
 * reason. */
typedef tally_status (*party_greeting)(void *user, party_arrival *arrival, int64_t deadline_ms,
                                       const party_cancel *cancel, tally_error *error);

typedef struct party_listener party_listener;

/* options (identity, log, and deadline_ms for all handshakes, 0: none), context and user are borrowed until
 * party_listener_free. greet may be NULL. */
tally_status party_listener_new(party_listener **out, const party_connect_options *options,
                                const party_tls_context *context, party_greeting greet, void *user,
                                tally_error *error) TALLY_MUST_CHECK;
/* Ends all handshakes. */
void party_listener_free(party_listener *listener);
/*
 * The next peer, among those who connect to the sockets fds. TALLY_ERR_TIMEOUT (error untouched) at the
 * deadline, TALLY_ERR_INTERRUPTED (likewise) when cancel is raised; handshakes go on until the next call.
 */
tally_status party_listener_next(party_listener *listener, const int *fds, size_t fd_count,
                                 int64_t deadline_ms, const party_cancel *cancel,
                                 party_arrival *out) TALLY_MUST_CHECK;
/* How many were refused for their certificate, or refused ours; the last of them. */
unsigned party_listener_refused(const party_listener *listener, const tally_error **last, const char **from);

#endif
