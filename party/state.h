/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state table of a session: which frame may come next, how long it may be, how many units in all. Every
 * frame from the peer passes party_state_take before anything looks into it. Called by party/run.
 */
#ifndef PARTY_STATE_H
#define PARTY_STATE_H

#include "party/link.h"

typedef struct party_step party_step;

typedef struct party_state {
    const party_step *step; /* the step whose frames are expected now */
    uint64_t taken;         /* units of it taken so far */
    uint64_t own, peer;     /* list sizes, after party_state_sizes */
    uint64_t confirmed;     /* set bits of the bitmap; UINT64_MAX until party_state_confirmed */
    size_t tag_width;
    size_t sealed; /* bytes of sealed columns behind each of the sender's tags, after party_state_sealed */
    size_t bin_bytes, bins; /* VOLE, after party_state_bins */
    unsigned parts;         /* enum party_part: what the run has of the steps that not every run has */
    struct party_agg_sizes {
        uint64_t masked, other;       /* items of the side that adds up and of the other, dummies included */
        uint64_t values, value_bytes; /* encrypted rows: units, and bytes of each */
        uint64_t sum_bytes;           /* of a returned sum */
        uint64_t first_sums, sums;    /* their numbers; sums UINT64_MAX until party_state_sums */
        uint64_t first_figures, figures;
    } agg; /* counts and sums, after party_state_aggregate */
} party_state;

/* Steps that only some runs have. */
enum party_part {
    PARTY_PART_BOTH = 1,     /* match: the result is revealed to both */
    PARTY_PART_SUM = 2,      /* sum, not count */
    PARTY_PART_COUNT = 4,    /* the other side hears the count */
    PARTY_PART_FIRST = 8,    /* sizes of bands go back to the side that adds up before anything else */
    PARTY_PART_MERGES = 16,  /* the side that adds up says which bands are merged */
    PARTY_PART_MERGED = 32,  /* the owner of the values says which bands are merged */
    PARTY_PART_FIGURES = 64, /* the side that adds up learns the figures */
    PARTY_PART_SENDER = 128  /* the sender hears the receiver's part of the receipt, then its signature */
};

/* Before hello 1. */
void party_state_init(party_state *s);
/* After hello 2: picks the role's rows of the table. tag_width in bytes; both: the result is revealed to
 * both. */
void party_state_sizes(party_state *s, enum tally_role role, enum tally_protocol protocol,
                       enum tally_security security, int both, uint64_t own, uint64_t peer, size_t tag_width);
/* Counts and sums, after hello 2: picks the rows of the table for the side that adds up (computing) or the
 * other. */
void party_state_aggregate(party_state *s, int computing, unsigned parts, size_t tag_width,
                           const struct party_agg_sizes *sizes);
/* The number of sums, known to the owner of the values once it has heard which bands are merged. */
void party_state_sums(party_state *s, uint64_t sums, uint64_t figures);
/* With columns: bytes that follow each tag of WIRE_OPRF_TAGS and WIRE_VOLE_TAGS. */
void party_state_sealed(party_state *s, size_t sealed);
/* VOLE: size of a bin's frame and number of bins, known to the sender after WIRE_VOLE_OPEN. */
void party_state_bins(party_state *s, size_t bin_bytes, size_t bins);
/* The sender's number of set bits, known after WIRE_MATCHED. */
void party_state_confirmed(party_state *s, uint64_t count);

/* One step of a run beforehand: what comes, without the headers of its frames. */
typedef struct party_message {
    uint8_t type;
    uint64_t units, unit_bytes; /* unit_bytes 0: one frame, of a length of its own */
} party_message;

/*
 * Message i of those still to come to this side, of a run whose sizes are all known: 0 when there are no more
 * than i. Steps with nothing to come have 0 units. For party/estimate.
 */
int party_state_message(const party_state *s, size_t i, party_message *out);

/* Type of the frames expected now; steps with nothing to come are passed over. 0 after the last. */
uint8_t party_state_expects(party_state *s);
/*
 * Checks a frame against the table and advances: its first unit's index and number of units.
 * TALLY_ERR_MALFORMED: another type than expected (out of order, repeated), a length that is no whole number
 * of units, more units than agreed.
 */
tally_status party_state_take(party_state *s, const party_frame *frame, uint64_t *first, uint64_t *units,
                              tally_error *error) TALLY_MUST_CHECK;

#define PARTY_PROOF_ITEMS 256u /* evaluated items under one proof */
/* Items in a WIRE_OPRF_EVALUATED payload: n with 32 n + 64 ceil(n / 256) = length; 0 if there is no such n.
 */
uint64_t party_evaluated_items(uint32_t length);

#endif
