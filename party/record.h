/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second pass over the input: takes a row of the loaded input, gives its record out of the file again, split,
 * after it has seen that it is still the row that was read. Called by party/output, party/columns.
 */
#ifndef PARTY_RECORD_H
#define PARTY_RECORD_H

#include "party/derive.h"

typedef struct party_records party_records;

/* For an input that was loaded from a file. */
tally_status party_records_new(party_records **out, tally_input *input, tally_error *error) TALLY_MUST_CHECK;
void party_records_free(party_records *r);
/* Its fields are those of the record given last. */
party_derive *party_records_derive(party_records *r);

/* The header's record, valid until the next call; *p NULL for an input without one. */
tally_status party_records_header(party_records *r, const uint8_t **p, party_csv_record *record,
                                  tally_error *error) TALLY_MUST_CHECK;
/*
 * A row's record, valid until the next call; rows in ascending order, so that each part of the file is read
 * about once. TALLY_ERR_INPUT_CHANGED: it is not the row that was read, or its identifier is another one.
 */
tally_status party_records_row(party_records *r, const party_row *row, const uint8_t **p,
                               party_csv_record *record, tally_error *error) TALLY_MUST_CHECK;
/* Index of a column by name, or by number without header. TALLY_ERR_INPUT as party_derive_column. */
tally_status party_records_column(party_records *r, const char *name, uint32_t *column,
                                  tally_error *error) TALLY_MUST_CHECK;
/* TALLY_ERR_INPUT_CHANGED: a row differs from what was read. */
tally_status party_records_changed(const party_records *r, tally_error *error);

#endif
