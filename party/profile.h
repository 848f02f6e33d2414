/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "identifier": takes the text of one field, gives its canonical form or the reason why it is no
 * identifier. Pure functions, any thread. docs/identifiers.md is the reference with the standards' sections.
 */
#ifndef PARTY_PROFILE_H
#define PARTY_PROFILE_H

#include "party/tally.h"

#define PARTY_IDENTIFIER_MAX 4096u /* bytes of a field's text, and of its canonical form */

/* Why a row is rejected. Order is frozen: index of tally_input_stats.by_reason. */
enum party_reject {
    PARTY_ACCEPTED = -1,
    PARTY_REJECT_EMPTY = 0,
    PARTY_REJECT_ENCODING,  /* not valid in the declared encoding */
    PARTY_REJECT_COLUMNS,   /* another number of columns than the first record */
    PARTY_REJECT_TOO_LONG,  /* above PARTY_IDENTIFIER_MAX */
    PARTY_REJECT_LENGTH,    /* wrong number of characters for the profile */
    PARTY_REJECT_CHARACTER, /* a character the profile does not allow */
    PARTY_REJECT_CHECK_DIGIT,
    PARTY_REJECT_DATE,         /* date of birth that does not exist */
    PARTY_REJECT_MASKED,       /* asterisks (or full-width ones) instead of characters */
    PARTY_REJECT_SCIENTIFIC,   /* 1.1E+17: a spreadsheet turned it into a number */
    PARTY_REJECT_DIGITS_LOST,  /* 18 digits ending in 000 with a wrong check digit: spreadsheet precision */
    PARTY_REJECT_COUNTRY_CODE, /* telephone number without country code */
    /* of value and band columns, once the identifier is accepted */
    PARTY_REJECT_NO_VALUE,
    PARTY_REJECT_NOT_NUMBER,
    PARTY_REJECT_DECIMALS, /* more of them than the column declares, and not zero */
    PARTY_REJECT_RANGE,
    /* of the consent column, before the numbers; these do not count as faults of the list */
    PARTY_REJECT_NO_CONSENT,
    PARTY_REJECT_CONSENT_EXPIRED,
    PARTY_REJECT_CONSENT_DATE,
    PARTY_REJECT_COUNT
};

/* "empty", "bad check digit", ...; NULL outside. */
const char *party_reject_name(int reason);

typedef struct party_profile party_profile;

/* Finds a profile by its command-line name ("phone-e164+86" too). *parameter receives what follows '+', or
 * "". NULL if unknown. */
const party_profile *party_profile_find(const char *name, char parameter[8]);
/* Name that goes into the terms: without parameter. */
const char *party_profile_name(const party_profile *profile);
/* Names of all profiles for help texts; NULL from the first unused index on. */
const char *party_profile_at(size_t i);

/*
 * Canonical form of text (UTF-8 claimed, not trusted) into out, which has room for PARTY_IDENTIFIER_MAX
 * bytes; *out_len its bytes, >= 1. Returns PARTY_ACCEPTED, or the reason with out untouched in meaning.
 * parameter as from party_profile_find.
 */
enum party_reject party_profile_apply(const party_profile *profile, const char *parameter, const char *text,
                                      size_t len, char *out, size_t *out_len);

#endif
