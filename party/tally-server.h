/* SPDX-License-Identifier: Apache-2.0 */
/* One place where the peers of several agreements come: a part of tally.h, which includes it. */
#ifndef TALLY_SERVER_H
#define TALLY_SERVER_H

#include "tally.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tally_server tally_server;

#define TALLY_SERVER_ENTRIES 64

/* For the agreements of one identity, which is borrowed. */
TALLY_API tally_status tally_server_new(tally_server **out, const tally_identity *identity,
                                        tally_error *error) TALLY_MUST_CHECK;
/* Stops listening too. Connections that it gave live on. */
TALLY_API void tally_server_free(tally_server *server);
/*
 * An entry: an agreement (borrowed), and where it names an authority of the other side, that authority's file
 * and that of its list of revoked certificates (NULL: none); both are read now. Entries count from 0. Whether
 * a run is allowed today, only the run looks. TALLY_ERR_POLICY: the identity is not one of its parties;
 * TALLY_ERR_USAGE: it is there already, or one too many.
 */
TALLY_API tally_status tally_server_add(tally_server *server, const tally_agreement *agreement,
                                        const char *peer_ca, const char *peer_crl,
                                        tally_error *error) TALLY_MUST_CHECK;
/* Where to listen, "HOST:PORT"; up to 16, before the server listens. */
TALLY_API tally_status tally_server_add_address(tally_server *server, const char *address,
                                                tally_error *error) TALLY_MUST_CHECK;
/* Who was dropped, and why: a bounded number of lines. From the thread that calls tally_server_accept. */
TALLY_API void tally_server_on_log(tally_server *server, tally_log_callback callback, void *user);
/* Begins to listen. old (may be NULL): a server whose sockets are taken over where the address is the same,
   and which then stops; on failure it goes on as before. TALLY_ERR_NETWORK. */
TALLY_API tally_status tally_server_listen(tally_server *server, tally_server *old,
                                           tally_error *error) TALLY_MUST_CHECK;
/*
 * Waits for the next peer that has authenticated and named the agreement of an entry of its own; everybody
 * else is dropped meanwhile, and delays nobody; pings of peers are answered. timeout_ms 0 only looks. *out
 * goes to tally_session_set_connection of a session with the same identity and agreement, in any thread.
 * TALLY_ERR_TIMEOUT; TALLY_ERR_INTERRUPTED: tally_server_wake.
 */
TALLY_API tally_status tally_server_accept(tally_server *server, uint32_t timeout_ms, size_t *entry,
                                           tally_connection **out, tally_error *error) TALLY_MUST_CHECK;
/* Makes tally_server_accept return, now or when it is next called. Any thread, signal handlers too. */
TALLY_API void tally_server_wake(tally_server *server);
/* Closes the sockets and ends all handshakes. */
TALLY_API void tally_server_stop(tally_server *server);
/* The peer's address. */
TALLY_API const char *tally_connection_from(const tally_connection *connection);
/* Of a connection that no session has: the peer hears that this side cannot run now. */
TALLY_API void tally_connection_free(tally_connection *connection);

#ifdef __cplusplus
}
#endif

#endif
