/* SPDX-License-Identifier: Apache-2.0 */
/* What the profiles share with one another and with nobody else. Called by party/profile*.c. */
#ifndef PARTY_PROFILE_IMPL_H
#define PARTY_PROFILE_IMPL_H

#include "party/profile.h"

/* As party_profile_apply, after it has seen that 1 <= len <= PARTY_IDENTIFIER_MAX. */
typedef enum party_reject (*party_profile_form)(const char *parameter, const char *text, size_t len,
                                                char *out, size_t *out_len);

struct party_profile {
    const char *name;
    int takes_country; /* parameter: country calling code, 1 to 3 digits */
    party_profile_form form;
};

/* What party_fold writes for a character that is neither printable ASCII nor its full-width form. No profile
 * allows it. */
#define PARTY_FOLD_OTHER 0x7f

/*
 * Full-width forms (U+FF01..U+FF5E) to ASCII, letters to upper case, blanks and one leading apostrophe
 * removed. out has room for len bytes, one per character that remains. ENCODING: not UTF-8. EMPTY: nothing
 * remains.
 */
enum party_reject party_fold(const char *text, size_t len, char *out, size_t *out_len);
/* Folded text holds an asterisk, or, with runs_of_x, two X side by side. */
int party_fold_masked(const char *text, size_t len, int runs_of_x);
/* Folded text is a number with an exponent as spreadsheets write it: 1.1E+17, 4E+17. */
int party_fold_scientific(const char *text, size_t len);
/* Number of leading decimal digits. */
size_t party_fold_digits(const char *text, size_t len);

enum party_reject party_form_cn_resident_id(const char *parameter, const char *text, size_t len, char *out,
                                            size_t *out_len);
enum party_reject party_form_cn_uscc(const char *parameter, const char *text, size_t len, char *out,
                                     size_t *out_len);
enum party_reject party_form_phone_e164(const char *parameter, const char *text, size_t len, char *out,
                                        size_t *out_len);

#endif
