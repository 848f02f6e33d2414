/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the fields of a record to its item: decodes, normalises, hashes. One place for both passes, so that
 * the row that is written is judged as it was when it was read. Called by party/rows, party/output,
 * party/input.
 */
#ifndef PARTY_DERIVE_H
#define PARTY_DERIVE_H

#include "party/csv.h"
#include "party/input.h"
#include "party/profile.h"

typedef struct party_derive party_derive;

/* A handle for one thread. TALLY_ERR_NO_MEMORY; TALLY_ERR_FILE: the system has no converter for the encoding.
 */
tally_status party_derive_new(party_derive **out, enum party_encoding encoding,
                              tally_error *error) TALLY_MUST_CHECK;
void party_derive_free(party_derive *d);

/* Room for PARTY_FIELDS_MAX fields, for party_csv_next. */
party_csv_field *party_derive_fields(party_derive *d);

/*
 * Text of a field as UTF-8 (for an input in UTF-8: as claimed, not checked), valid until the next call.
 * ENCODING: not of the encoding; TOO_LONG: above PARTY_IDENTIFIER_MAX bytes.
 */
enum party_reject party_derive_text(party_derive *d, const uint8_t *record, const party_csv_field *field,
                                    tally_text *text);

/*
 * Item of a record with the input's keys, or the reason why the row is rejected. The fields are those of
 * party_derive_fields. Not TALLY_OK only for a fault of hashing (TALLY_ERR_INTERNAL).
 */
tally_status party_derive_record(party_derive *d, const tally_input *input, const uint8_t *p,
                                 const party_csv_record *record, psi_item *item, enum party_reject *reject,
                                 tally_error *error) TALLY_MUST_CHECK;
/*
 * The same without hashing, for many items at once: *one_block = 1 leaves the message of an accepted row in
 * block, for psi_items_from_blocks; 0: it is too long for that, and *item is the item.
 */
tally_status party_derive_block(party_derive *d, const tally_input *input, const uint8_t *p,
                                const party_csv_record *record, uint8_t block[64], int *one_block,
                                psi_item *item, enum party_reject *reject,
                                tally_error *error) TALLY_MUST_CHECK;
/* The same for texts from memory, one per key. */
tally_status party_derive_texts(party_derive *d, const tally_input *input, const tally_text *texts,
                                psi_item *item, enum party_reject *reject,
                                tally_error *error) TALLY_MUST_CHECK;

/*
 * Column called name: by the header record, whose fields are those of party_derive_fields, or by number when
 * the input has no header (then p and record are not used). TALLY_ERR_INPUT: there is no such column, or
 * several.
 */
tally_status party_derive_column(party_derive *d, const tally_input *input, const uint8_t *p,
                                 const party_csv_record *record, const char *name, uint32_t *column,
                                 tally_error *error) TALLY_MUST_CHECK;

#endif
