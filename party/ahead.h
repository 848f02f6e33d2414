/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ahead: takes a piece of the input file and gives its rows as if a record began behind its first
 * line end. Whether one does is known only when everything in front of it was read; party/rows compares, and
 * reads the piece itself where the guess was wrong. So no error is made here but want of memory and faults of
 * the disk: what is not a plain record ends the piece. One party_ahead is one thread's.
 */
#ifndef PARTY_AHEAD_H
#define PARTY_AHEAD_H

#include "party/derive.h"
#include "party/input.h"

#define PARTY_AHEAD_BATCH 64u /* items hashed at once */

typedef struct party_ahead {
    const tally_input *input;
    party_derive *derive;
    uint8_t *buf;
    size_t room;

    uint64_t begin, end; /* what was read: whole records; equal if there is none */
    party_taken taken;   /* numbers of rows count from 0 at begin, and lines too */
    uint32_t lines;      /* physical lines from begin to end */
    tally_status
        status; /* TALLY_ERR_NO_MEMORY, TALLY_ERR_FILE with errno in `fault`; what was read is void */
    int fault;

    size_t pending; /* rows at the end of `taken` whose items are still blocks */
    uint8_t blocks[PARTY_AHEAD_BATCH][64];
} party_ahead;

/* Makes one for pieces of at most `piece` bytes of an input that knows its format, columns and keys. */
tally_status party_ahead_init(party_ahead *a, const tally_input *input, size_t piece,
                              tally_error *error) TALLY_MUST_CHECK;
void party_ahead_free(party_ahead *a);
/* Reads the records that begin in [from, to) of the file of `size` bytes; exact = 1: one begins at from. */
void party_ahead_read(party_ahead *a, uint64_t from, uint64_t to, uint64_t size, int exact);

#endif
