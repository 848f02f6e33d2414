/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", before there is a link: one frame each way in the thread of a handshake. All of it ends by a
 * deadline, whatever the peer sends and however slowly. Called by party/server (hello 1) and party/ping.
 */
#ifndef PARTY_FIRST_H
#define PARTY_FIRST_H

#include "party/connect.h"

typedef struct party_first {
    uint8_t
        *bytes; /* all that was read, to be read again by who takes the channel; psi_free, also on failure */
    size_t len;
    size_t payload; /* where the payload begins; it goes to the end */
} party_first;

/*
 * The peer's first frame, of the type WIRE_HELLO1 or WIRE_PING, and heartbeats before it.
 * TALLY_ERR_MALFORMED, TALLY_ERR_INCOMPATIBLE (another type), TALLY_ERR_PEER_STOPPED, _NETWORK, _TIMEOUT,
 * _INTERRUPTED, _NO_MEMORY.
 */
tally_status party_first_read(party_channel *channel, uint8_t type, party_first *out, int64_t deadline_ms,
                              const party_cancel *cancel, tally_error *error) TALLY_MUST_CHECK;
/* Sends one frame, the first of this side, within a second; it may not arrive. At most WIRE_HELLO1_MAX bytes.
 */
void party_first_say(party_channel *channel, uint8_t type, const uint8_t *payload, size_t len);

#endif
