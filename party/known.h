/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this home knows of peers, in the folder peers/: keys that were revoked here (file revoked), and
 * statements of rotation (file rotations). Read at every handshake, so that a revocation holds at once, also
 * for what is waiting. Called by party/tls for party/peer.
 *
 * A line of revoked, ended by \n: sha256:<64 hex> <time, UTC> <reason, up to 200 bytes, may be empty>
 */
#ifndef PARTY_KNOWN_H
#define PARTY_KNOWN_H

#include "party/rotation.h"
#include <jansson.h>

#define PARTY_REVOKED_MAX 4096 /* lines of one file */
#define PARTY_REASON_MAX 200

typedef struct party_revoked {
    uint8_t pin32[32];
    int64_t when;
    char reason[PARTY_REASON_MAX + 1];
} party_revoked;

typedef struct party_known {
    party_revoked *revoked;
    size_t revoked_count;
    party_rotation *rotations;
    size_t rotation_count; /* at most PARTY_ROTATIONS_ALL of all folders together */
} party_known;

/*
 * Of all folders; one that is not there, or lacks a file, adds nothing. TALLY_ERR_FILE: cannot be read, or
 * others may write to it. TALLY_ERR_INPUT: a damaged file: nobody is accepted until it is repaired.
 */
tally_status party_known_load(party_known **out, char *const *folders, size_t count,
                              tally_error *error) TALLY_MUST_CHECK;
void party_known_free(party_known *known);
/* NULL: not revoked. */
const party_revoked *party_known_revoked(const party_known *known, const uint8_t pin32[32]);

/* For the texts of tally_peers_json and tally_identity_json. NULL when memory is short. */
json_t *party_rotation_json(const party_rotation *r);

/* Lines of the file revoked: appended to known. TALLY_ERR_INPUT. For the above and tests. */
tally_status party_revoked_parse(party_known *known, const char *name, const char *text, size_t len,
                                 tally_error *error) TALLY_MUST_CHECK;

#endif
