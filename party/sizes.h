/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message of a run beforehand: takes the terms and the two list sizes, gives types, numbers and bytes,
 * by the state table and the layouts that the run itself goes by. Called by party/estimate.
 */
#ifndef PARTY_SIZES_H
#define PARTY_SIZES_H

#include "party/aggregate.h"
#include "psi/vole.h"

enum { PARTY_AT_RECEIVER, PARTY_AT_SENDER }; /* sides, as indices */

typedef struct party_sent {
    uint8_t type;
    uint8_t to; /* PARTY_AT_RECEIVER or PARTY_AT_SENDER */
    uint64_t units, frames;
    uint64_t bytes; /* with the frames' headers */
} party_sent;

#define PARTY_SENT_MAX 24u

typedef struct party_sizes {
    /* given */
    enum tally_function function;
    enum tally_protocol protocol; /* ECDH or VOLE */
    int active;                   /* the malicious form */
    unsigned k;                   /* VOLE: bits of Delta in a column */
    int both;                     /* a match's result goes to both */
    size_t sealed;                /* bytes of sealed columns behind each of the sender's tags */
    uint64_t items[2];
    /* derived */
    unsigned computing;        /* count and sum: the side that adds up */
    party_aggregate aggregate; /* count and sum, as that side sees it; without the terms */
    psi_vole_sizes vole;
    size_t tag; /* bytes of a tag */
    party_sent sent[PARTY_SENT_MAX];
    size_t count;
} party_sizes;

/*
 * terms: the receiver's and the sender's, which go together. The given fields are set. Bands are taken as
 * none merged and the computing side's as equally full.
 * TALLY_ERR_USAGE: too many items; TALLY_ERR_INCOMPATIBLE: figures that fit no scheme; TALLY_ERR_NO_MEMORY.
 */
tally_status party_sizes_init(party_sizes *s, const wire_terms terms[2], tally_error *error) TALLY_MUST_CHECK;
void party_sizes_free(party_sizes *s);

/* Of a session that has had both hello 2s. */
tally_status party_sizes_of(party_sizes *s, const tally_session *session,
                            tally_error *error) TALLY_MUST_CHECK;

/* The messages of a type: bytes with headers; 0 if the run has none. */
uint64_t party_sizes_bytes(const party_sizes *s, uint8_t type);
/* All bytes of the protocol that go to a side. */
uint64_t party_sizes_to(const party_sizes *s, unsigned side);

#endif
