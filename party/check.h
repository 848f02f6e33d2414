/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a list: takes the outcome of reading it (party/rows) and a look at its cells
 * (party/survey), gives findings, as JSON for tally check and as warnings of a run. Called by party/session.
 */
#ifndef PARTY_CHECK_H
#define PARTY_CHECK_H

#include "party/session.h"
#include "party/survey.h"

/* One trap that is in the list. */
typedef struct party_finding {
    enum party_trap trap;
    enum party_weight weight;
    const party_surveyed *column; /* NULL: of the whole file, or of whole rows */
    party_lines lines;            /* count 0: of the whole file */
} party_finding;

#define PARTY_FINDINGS_MAX (PARTY_TRAPS * (PARTY_KEYS_MAX + 2u))

/* Of an input that was read; survey may be NULL. Heaviest first. Returns their number. */
size_t party_findings(const tally_input *input, const party_survey *survey,
                      party_finding out[PARTY_FINDINGS_MAX]);

/* Into the session's log, once its list is read: what its rejects are about, and what is odd in its first
 * rows.
 */
tally_status party_warn_list(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Once the result is there: nothing matches. */
void party_warn_result(const tally_session *s);

#endif
