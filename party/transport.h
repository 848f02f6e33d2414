/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", lowest part: byte streams. TCP (listen, connect with retry) and the in-memory pipe, all behind tally_transport.
 * Called by party/connect. No cryptography here.
 */
#ifndef PARTY_TRANSPORT_H
#define PARTY_TRANSPORT_H

#include "party/cancel.h"

typedef struct party_address {
    char host[256]; /* without brackets; "" only for listening on all addresses ("*:7440" or ":7440") */
    char port[6];   /* decimal, 1..65535 */
} party_address;

/* "HOST:PORT", "[IPv6]:PORT". TALLY_ERR_USAGE names what is wrong. */
tally_status party_address_parse(party_address *out, const char *text, int listening,
                                 tally_error *error) TALLY_MUST_CHECK;

/* A connected non-blocking socket as tally_transport: TCP_NODELAY, keep-alive; MSG_NOSIGNAL. close() by party_tcp_free. */
tally_status party_tcp_from_fd(int fd, tally_transport *out, tally_error *error) TALLY_MUST_CHECK;
void party_tcp_free(tally_transport *t);

/*
 * One attempt to connect over all resolved addresses, each for at most 5 s, all until deadline_ms. TALLY_ERR_NETWORK: refused, unreachable,
 * unknown host (message says which). TALLY_ERR_INTERRUPTED when cancelled. Retrying is party/connect's.
 */
tally_status party_tcp_connect(const party_address *address, int64_t deadline_ms, party_cancel *cancel, int *fd,
                               tally_error *error) TALLY_MUST_CHECK;
/* Listening sockets on all resolved addresses (at most max), SO_REUSEADDR, IPV6_V6ONLY. TALLY_ERR_NETWORK: in use, not permitted. */
tally_status party_tcp_listen(const party_address *address, int *fds, size_t max, size_t *count,
                              tally_error *error) TALLY_MUST_CHECK;

#endif
