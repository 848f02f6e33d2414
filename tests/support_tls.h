/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a TLS connection over the in-memory pipe, and three identities to play with. */
#ifndef TESTS_SUPPORT_TLS_H
#define TESTS_SUPPORT_TLS_H

#include "party/identity.h"
#include "party/tls.h"
#include "party/transport.h"

#define CLIENT 0
#define SERVER 1

/* One end of a handshake. */
struct side {
    const tally_identity *identity;
    party_peer_rule rule;
    int64_t timeout_ms;
    party_cancel cancel;
    tally_transport below;
    party_tls_context *context;
    party_tls *tls;
    tally_transport io;
    tally_status status;
    tally_error error;
    int server;
};

/* "CN=bank,O=示例银行", "CN=court,O=Example Court", and one nobody asked for. */
extern tally_identity *bank, *court, *stranger;
void identities_new(void);
void identities_free(void);

party_peer_rule pin_of(const tally_identity *id);
/* A pipe, and both sides set up to accept each other; what a test wants otherwise it changes before the
 * handshake. */
void sides_prepare(struct side s[2], const tally_identity *client, const tally_identity *server);
/* One side's handshake (a struct side; a thread function). A side that fails shuts its end of the pipe down.
 */
void *side_handshake(void *arg);
/* Both handshakes; CU_ASSERTs nothing. */
void sides_run(struct side s[2]);
/* sides_prepare with bank and court, sides_run, and both must have succeeded. */
void sides_connect(struct side s[2]);
void sides_free(struct side s[2]);

#endif
