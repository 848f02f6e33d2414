/* SPDX-License-Identifier: Apache-2.0 */
/* What ends soon: certificates, an agreement, the overlap of two keys. Warned of in the log and in the
 * summary. Called by party/session. */
#ifndef PARTY_EXPIRY_H
#define PARTY_EXPIRY_H

#include "party/session.h"

#define PARTY_EXPIRY_DAYS 30

/* A warning: into the summary, and unless say is 0 into the log. */
void party_warn(tally_session *s, int say, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Our own certificate (which the command says by itself), and the agreement. Before the peer is there. */
void party_expiry_own(tally_session *s);
/* The peer's certificate and key, after the handshake. */
void party_expiry_peer(tally_session *s);

#endif
