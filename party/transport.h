/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", lowest part: byte streams. Addresses (address.c), TCP (tcp.c) and the in-memory pipe (pipe.c),
 * all behind tally_transport. Called by party/connect, which also does the retrying. No cryptography here.
 */
#ifndef PARTY_TRANSPORT_H
#define PARTY_TRANSPORT_H

#include "party/cancel.h"

struct addrinfo;

typedef struct party_address {
    char host[256]; /* without brackets; "" only for listening on all addresses ("*:7440" or ":7440") */
    char port[6];   /* decimal, 1..65535 */
} party_address;

#define PARTY_ADDRESS_TEXT 272 /* "[host]:port" and its zero */

/* "HOST:PORT", "[IPv6]:PORT". TALLY_ERR_USAGE names what is wrong. */
tally_status party_address_parse(party_address *out, const char *text, int listening,
                                 tally_error *error) TALLY_MUST_CHECK;
/* The form party_address_parse takes, for messages. */
void party_address_text(char out[PARTY_ADDRESS_TEXT], const party_address *address);

/*
 * Socket addresses of a host, for freeaddrinfo. A name is looked up in a thread of its own, so that the
 * deadline and cancel (may be NULL) hold while a name server is silent; a lookup given up ends by itself.
 * TALLY_ERR_NETWORK: unknown host, or no answer; *retry (may be NULL) is 1 when asking again may help.
 */
tally_status party_resolve(const party_address *address, int listening, int64_t deadline_ms,
                           party_cancel *cancel, struct addrinfo **out, int *retry,
                           tally_error *error) TALLY_MUST_CHECK;

/*
 * A connected non-blocking socket as tally_transport: TCP_NODELAY, keep-alive; MSG_NOSIGNAL. The socket is
 * taken over also on failure; party_tcp_free closes it. shutdown ends our sending side after what was written
 * and makes both of our calls return TALLY_IO_FAILED.
 */
tally_status party_tcp_from_fd(int fd, tally_transport *out, tally_error *error) TALLY_MUST_CHECK;
/*
 * After shutdown: reads and drops until the peer has closed too, at most timeout_ms or until cancel (may be
 * NULL). Closing a socket with unread bytes resets the connection, and the peer could lose our last words.
 */
void party_tcp_linger(tally_transport *t, int timeout_ms, const party_cancel *cancel);
/* The least round-trip time that the kernel saw of a socket made by party_tcp_from_fd, microseconds; 0 when
 * unknown.
 */
uint32_t party_tcp_round_trip_us(const tally_transport *transport);
/* 1 if both ends of the socket have the same address, or loopback ones. */
int party_tcp_is_local(const tally_transport *transport);
void party_tcp_free(tally_transport *t);
/* The other end's numeric address, "127.0.0.1:5050" or "[::1]:5050". */
void party_tcp_peer_text(int fd, char *out, size_t size);

/*
 * One attempt to connect over all resolved addresses, each for at most 5 s, all until deadline_ms.
 * TALLY_ERR_NETWORK: refused, unreachable, unknown host (message says which); *retry is 1 when another
 * attempt may succeed. TALLY_ERR_INTERRUPTED when cancelled.
 */
tally_status party_tcp_connect(const party_address *address, int64_t deadline_ms, party_cancel *cancel,
                               int *fd, int *retry, tally_error *error) TALLY_MUST_CHECK;
/* The same; *failed: the errno of the last address, 0 when it did not come to that. */
tally_status party_tcp_try(const party_address *address, int64_t deadline_ms, party_cancel *cancel, int *fd,
                           int *retry, int *failed, tally_error *error) TALLY_MUST_CHECK;
/* Listening sockets on all resolved addresses (at most max), SO_REUSEADDR, IPV6_V6ONLY. TALLY_ERR_NETWORK: in
   use, not permitted, no such address here. */
tally_status party_tcp_listen(const party_address *address, int *fds, size_t max, size_t *count,
                              tally_error *error) TALLY_MUST_CHECK;

#endif
