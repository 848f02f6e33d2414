/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consent: takes the cell of the consent column, says whether the row may take part. By the agreement's rule:
 * the cell is the last day of the consent, or names it. Called by party/session before loading, and by
 * party/rows and party/ahead for each row whose identifier was accepted.
 */
#ifndef PARTY_CONSENT_H
#define PARTY_CONSENT_H

#include "party/derive.h"

/*
 * Rows of the file take part only with consent, by this column. reference = 1: its cell is not empty. 0: it
 * is a day, today (yyyymmdd) or later. A second call replaces the first. TALLY_ERR_USAGE: no column, no day,
 * or the input was loaded or has rows from memory; loading rows from memory with such a rule is
 * TALLY_ERR_USAGE.
 */
tally_status party_input_set_consent(tally_input *input, const char *column, int reference, uint32_t today,
                                     tally_error *error) TALLY_MUST_CHECK;

/* The record is that of party_derive_record; PARTY_ACCEPTED if there is no rule. */
enum party_reject party_consent_of_record(party_derive *d, const tally_input *input, const uint8_t *record);

/*
 * A cell's text, UTF-8; blanks around it, of any width, are ignored. A day is YYYY-MM-DD, YYYY/MM/DD or
 * YYYYMMDD. PARTY_REJECT_NO_CONSENT: empty. PARTY_REJECT_CONSENT_EXPIRED, PARTY_REJECT_CONSENT_DATE: by the
 * day.
 */
enum party_reject party_consent_judge(const char *text, size_t len, int reference, uint32_t today);

/* 1 if a row was left out for lack of consent, which is no fault of the list. */
int party_consent_reason(int reason);

#endif
