/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "match", what every protocol shares: takes the tags of the own items and the peer's tags as they come,
 * gives the matched items, and the bitmap for the sender when the result is revealed to both.
 */
#ifndef PARTY_HITS_H
#define PARTY_HITS_H

#include "party/run.h"
#include "psi/join.h"

/* A match between an own tag and a place in the peer's order. */
typedef struct party_hit {
    uint32_t own, peer;
} party_hit;

typedef struct party_hits {
    party_run *run;
    psi_join *join;
    party_hit *list; /* ascending by peer; room for `room` of them from the start, so that a match costs as
                        little as can be */
    size_t count, room;
    uint8_t *seen;   /* own tags that an entry met, a bit each */
    size_t distinct; /* how many of them: what party_hits_collect will count */
    size_t width;
    uint32_t *item_of; /* own tag -> item; given by the spine, psi_secret_free */
    /* with columns */
    uint8_t *keys;        /* of own tags, PSI_LABEL_KEY each; given by the spine, psi_secret_free */
    uint8_t *sealed;      /* of each hit */
    uint8_t *probe_tags;  /* tags of one frame without what is sealed */
    struct found *chunks; /* hits of one frame, chunk by chunk */
} party_hits;

/* Builds the table of own tags: run->own of width bytes each, kept by reference until party_hits_end.
   TALLY_ERR_MALFORMED: they repeat. */
tally_status party_hits_start(party_hits *h, party_run *run, const uint8_t *tags, size_t width,
                              tally_error *error) TALLY_MUST_CHECK;
/* Looks up n entries of the peer, `first` in its order: tags, with columns each followed by what is sealed.
 * TALLY_ERR_MALFORMED: more matches than own items. */
tally_status party_hits_probe(party_hits *h, const uint8_t *entries, size_t first, size_t n,
                              tally_error *error) TALLY_MUST_CHECK;
/* Sends WIRE_MATCHED and keeps one hit for each entry of the peer: what is left are the set bits in order. */
tally_status party_hits_tell(party_hits *h, tally_error *error) TALLY_MUST_CHECK;
/* The result, from item_of and keys; what is sealed moves into *matched. Its time depends on the number of
   matches: when the sender does not learn that, it comes after the last message. */
tally_status party_hits_collect(party_hits *h, party_matched *matched, tally_error *error) TALLY_MUST_CHECK;
/* The last tag was looked up: releases the table. */
void party_hits_end(party_hits *h);
void party_hits_free(party_hits *h);

#ifdef TALLY_TEST
/* Test builds only: is told all keys of the receiver's own items (run->own of them) at the end of a run with
 * columns; NULL turns it off. */
typedef void (*party_keys_seen)(void *user, const party_run *run, const uint8_t *keys);
void party_hits_watch(party_keys_seen seen, void *user);
#endif

/* The sender's side, when the result is revealed to both: receives the bitmap over its items in the order
   sent (*told: psi_free), checks it and counts its bits. TALLY_ERR_MALFORMED: bits beyond the list, or more
   than the peer has items. */
tally_status party_told_receive(party_run *run, uint8_t **told, size_t *count,
                                tally_error *error) TALLY_MUST_CHECK;
/* The result: place i of the order sent is item order[i]. */
tally_status party_told_collect(const party_run *run, const uint8_t *told, const uint32_t *order,
                                party_matched *matched, tally_error *error) TALLY_MUST_CHECK;

#endif
