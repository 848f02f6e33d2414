/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching with columns (docs/protocol-columns.md): what the sender seals for each identifier and the
 * receiver opens for each match. Called by party/session before and after a run, by the spines during it.
 *
 *   label = for each of the agreed rows: 1 byte (1: there is a row), then for each wanted column, in the
 *   receiver's order, the value's length (2 bytes big-endian) and width bytes, padded with zeros
 *   sealed = with a minimum overlap the share (party/overlap), then the label, sealed
 */
#ifndef PARTY_COLUMNS_H
#define PARTY_COLUMNS_H

#include "party/overlap.h"
#include "party/rows.h"
#include "proto/hello.h"
#include "psi/label.h"

/* What both sides agreed on: the columns that are sent. count 0: none. */
typedef struct party_form {
    size_t count;
    wire_column columns[WIRE_COLUMNS_MAX]; /* in the receiver's order, with the sender's widths */
    uint32_t from[WIRE_COLUMNS_MAX];       /* place of each in the offer */
    uint32_t rows;
    uint32_t minimum;     /* matches that open the labels, 2..PSI_SHAMIR_MAX; 0: any number */
    size_t label, sealed; /* bytes; sealed 0 without columns */
} party_form;

/*
 * The form of two terms. TALLY_ERR_DIFFERS: a column that is not offered is wanted, *bad is its index among
 * the wanted; *form untouched. TALLY_ERR_USAGE: sealed labels above WIRE_SEALED_MAX, or a minimum
 * overlap above PSI_SHAMIR_MAX, which no terms have; *form is filled.
 */
tally_status party_form_init(party_form *form, const wire_terms *offer, const wire_terms *want,
                             size_t *bad) TALLY_MUST_CHECK;

/* ---- The sender ---- */

/* The offered values of all items, read from the file once. */
typedef struct party_offer party_offer;

/*
 * columns: names and widths. TALLY_ERR_USAGE: rows from memory. TALLY_ERR_INPUT, with line and column and
 * never a value: no such column, a value that is longer than its width or not of the encoding, an identifier
 * with more rows than rows_per_person.
 */
tally_status party_offer_load(party_offer **out, tally_input *input, const wire_column *columns, size_t count,
                              uint32_t rows_per_person, party_cancel *cancel,
                              tally_error *error) TALLY_MUST_CHECK;
void party_offer_free(party_offer *o); /* wipes */

/* Seals for one thread. overlap, items: with a minimum, else not looked at. NULL when memory is short. */
typedef struct party_sealer party_sealer;
party_sealer *party_sealer_new(const party_form *form, const party_offer *offer, const party_overlap *overlap,
                               const psi_item *items, const psi_sid *sid);
void party_sealer_free(party_sealer *s);
/* The label of an item, sealed: form->sealed bytes at out. */
tally_status party_seal(party_sealer *s, uint32_t item, const uint8_t key[PSI_LABEL_KEY],
                        uint8_t *out) TALLY_MUST_CHECK;

/* ---- The receiver ---- */

/* Sealed labels of the matches as they came. Opened only when the peer has heard all it will ever hear, so
 * that it cannot learn from a label it spoilt whether there was a match. */
typedef struct party_sealed {
    size_t count;
    uint32_t *items;
    uint8_t *keys; /* secret, PSI_LABEL_KEY each */
    uint8_t *sealed;
} party_sealed;
void party_sealed_free(party_sealed *s);

typedef struct party_opened {
    const party_form *form;
    uint32_t *place; /* of an item's label, from 1; 0: none */
    uint8_t *labels; /* secret */
} party_opened;
/*
 * own: number of own items. TALLY_ERR_POLICY: fewer matches than the minimum overlap, nothing is opened.
 * TALLY_ERR_MALFORMED: a label does not open or is no label.
 */
tally_status party_open(party_opened *o, const party_form *form, const party_sealed *sealed,
                        const psi_item *items, size_t own, const psi_sid *sid,
                        tally_error *error) TALLY_MUST_CHECK;
void party_opened_free(party_opened *o);
/* The values (form->count of them, UTF-8, alive as long as o) of the peer's row i < form->rows of this item;
 * 0 if there is none. */
int party_opened_row(const party_opened *o, uint32_t item, uint32_t i, tally_text *values);

#endif
