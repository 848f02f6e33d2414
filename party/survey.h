/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the cells of a file beside the reading of identifiers: what the columns are like, and which traps
 * (party/traps) are in them. Takes an input, gives counts and lines, no value. Called by party/check.
 */
#ifndef PARTY_SURVEY_H
#define PARTY_SURVEY_H

#include "party/input.h"

#define PARTY_SURVEY_COLUMNS 64u /* that are looked at when no key is named */
#define PARTY_SURVEY_LENGTHS 65u /* characters of a cell; the last: 64 and more */
#define PARTY_GUESSES 4u         /* profiles that are tried: the last is phone-e164+86 */

typedef struct party_surveyed {
    uint32_t column; /* from 0 */
    int exact;       /* its profile is exact */
    uint64_t rows, empty, valid;
    uint64_t distinct; /* about */
    uint64_t lengths[PARTY_SURVEY_LENGTHS];
    uint64_t
        guess[PARTY_GUESSES]; /* without a key: valid cells by cn-resident-id, cn-uscc, phone-e164, +86 */
    char name[64];            /* as the header has it; "" when that does not look like one */
    party_lines traps[PARTY_TRAPS];
} party_surveyed;

typedef struct party_survey party_survey;

/*
 * Looks at the first `most` rows (0: all). Fails where loading would, but for keys that are not there: then
 * nothing is looked at. *out is to be freed, also on failure.
 */
tally_status party_survey_new(party_survey **out, tally_input *input, uint64_t most, party_cancel *cancel,
                              tally_error *error) TALLY_MUST_CHECK;
void party_survey_free(party_survey *survey);

/* Column i of those looked at: the keys, in their order; without a key those of the file. NULL: no more. */
const party_surveyed *party_survey_column(const party_survey *survey, size_t i);
/* The delimiter that the file was read with. */
char party_survey_delimiter(const party_survey *survey);
/* Rows that were looked at. */
uint64_t party_survey_rows(const party_survey *survey);
/* Traps of the file as a whole. */
const party_lines *party_survey_file(const party_survey *survey, enum party_trap trap);
/* The name of a guess, "cn-uscc". */
const char *party_survey_guess(size_t i);

#endif
