/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a tally_error: every failure of party/ passes here once, where it is noticed. */
#ifndef PARTY_ERROR_H
#define PARTY_ERROR_H

#include "party/tally.h"

/* Sets status and message (printf form), clears the hint, returns status. error may be NULL. No identifier,
   key or masked item may be an argument. */
tally_status party_fail(tally_error *error, tally_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets the hint of an error that party_fail has just filled. */
void party_hint(tally_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Out of memory, with the place named. Returns TALLY_ERR_NO_MEMORY. */
tally_status party_no_memory(tally_error *error, const char *what);
/* C0, C1, and the marks that hide or reorder text: nothing that may stand in a line. */
int party_unprintable(int32_t c);
/* Copies text so that it is safe on a terminal: control characters become '?', cut to fit out_size with its
 * zero. */
void party_printable(char *out, size_t out_size, const char *text);

#endif
