/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", for many runs: one place where the peers of several agreements come. Each handshake ends with
 * the peer's hello 1, which it sends first; key and agreement together choose the entry, so that a peer of
 * one agreement never reaches another. The session then runs on the open connection, hello 1 read again.
 */
#ifndef PARTY_SERVER_H
#define PARTY_SERVER_H

#include "party/connect.h"
#include "party/listen.h"

struct tally_connection {
    party_arrival arrival;
    char digest[TALLY_FINGERPRINT_TEXT]; /* of the entry's agreement: by this one the peer was accepted */
    int taken;
};

/* The channel, with what was read from it to be read again; the connection is then empty. */
tally_status party_connection_take(tally_connection *c, party_channel *out,
                                   tally_error *error) TALLY_MUST_CHECK;

#endif
