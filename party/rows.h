/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input's inside: accepted rows and distinct items. Takes a file or rows from memory, gives items to the
 * protocol and, at the end, the rows of matched items. One numbering: row index r counts accepted rows in
 * input order from 0; item index i counts distinct items.
 */
#ifndef PARTY_ROWS_H
#define PARTY_ROWS_H

#include "party/cancel.h"
#include "party/csv.h"
#include "party/profile.h"
#include "psi/item.h"

#define PARTY_KEYS_MAX 8u

typedef struct party_row {
    uint64_t offset; /* of the record in the file; 0 for rows from memory */
    uint32_t length; /* raw bytes with its line end */
    uint32_t item;   /* index of its item */
    uint32_t row;    /* data row, from 1 */
    uint32_t line;   /* physical line where it starts, from 1 */
} party_row;

/* Progress while reading: bytes done of total (0 = unknown). */
typedef void (*party_rows_progress)(void *user, uint64_t done, uint64_t total);

/* Number of keys, and the name of key k's profile as it goes into the terms. Valid before loading. */
size_t party_input_keys(const tally_input *input);
const char *party_input_key_profile(const tally_input *input, size_t k);

/* Threads for reading and sorting: 0, the default, for as many as party_pool_threads finds. */
void party_input_threads(tally_input *input, unsigned threads);
/* Whose threads these are (party_pool_new_on); borrowed until it is set again. NULL, the default: ours. */
void party_input_executor(tally_input *input, const tally_executor *executor);

/* tally_input_load with cancel and progress. Loads once; a second call returns TALLY_OK at once. Duplicates
   are folded. Progress is told by the calling thread only. Fails before any work if no key was added or
   neither file nor rows were given. */
tally_status party_input_load(tally_input *input, party_cancel *cancel, party_rows_progress progress,
                              void *user, tally_error *error) TALLY_MUST_CHECK;

/* After loading. Items are in ascending byte order. */
const psi_item *party_input_items(const tally_input *input, size_t *count);
const party_row *party_input_rows(const tally_input *input, size_t *count);
/*
 * Each record of the file that is no blank line, in order, the header among them, until `each` returns 0.
 * Fails where loading would. The fields are those of party_derive_fields(d); an input that is not loaded is
 * as before.
 */
struct party_derive;
typedef int (*party_rows_record)(void *user, struct party_derive *d, const uint8_t *p,
                                 const party_csv_record *record, uint32_t line);
tally_status party_rows_each(tally_input *input, party_cancel *cancel, party_rows_record each, void *user,
                             tally_error *error) TALLY_MUST_CHECK;
/*
 * Checks that the file is still what was read: same device, inode, size, modification time, and path still
 * leads to it. TALLY_ERR_INPUT_CHANGED otherwise. TALLY_OK for standard input (spooled to an unnamed file)
 * and for rows from memory.
 */
tally_status party_input_unchanged(const tally_input *input, tally_error *error) TALLY_MUST_CHECK;

#endif
