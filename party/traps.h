/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong with lists between the program that exports them and this one: a name, a sentence and
 * advice for each. The one place of these texts: party/check finds them in a file, a run meets them among its
 * rejects.
 */
#ifndef PARTY_TRAPS_H
#define PARTY_TRAPS_H

#include "party/profile.h"

enum party_trap {
    PARTY_TRAP_SCIENTIFIC,
    PARTY_TRAP_DIGITS_LOST,
    PARTY_TRAP_ZEROS_LOST,
    PARTY_TRAP_MASKED,
    PARTY_TRAP_APOSTROPHE,
    PARTY_TRAP_FORMULA,
    PARTY_TRAP_BLANKS,
    PARTY_TRAP_SEPARATOR_LINE,
    PARTY_TRAP_IS_GB18030,
    PARTY_TRAP_IS_WESTERN,
    PARTY_TRAP_IS_UTF8,
    PARTY_TRAP_HEADER_READ,
    PARTY_TRAP_COLUMNS,
    PARTY_TRAP_COUNTRY_CODE,
    PARTY_TRAP_EMPTY,
    PARTY_TRAP_KIND,
    PARTY_TRAP_CONSTANT,
    PARTY_TRAP_DUPLICATES,
    PARTY_TRAPS
};

/* REJECTED: the rows do not take part. WARNED: they do, and may not match. HANDLED: they do, as meant. */
enum party_weight { PARTY_REJECTED, PARTY_WARNED, PARTY_HANDLED };

#define PARTY_LINES 10u

/* Rows of one kind, and the physical lines of the first of them. */
typedef struct party_lines {
    uint64_t count;
    uint32_t first[PARTY_LINES];
} party_lines;

void party_lines_add(party_lines *lines, uint32_t line);
/* Adds rows of another kind, in the order of their lines. */
void party_lines_join(party_lines *to, const party_lines *from);
/* "2, 3, 7", with ", ..." when there are more. */
#define PARTY_LINES_TEXT 128
void party_lines_text(char out[PARTY_LINES_TEXT], const party_lines *lines);

/* "scientific-notation": frozen, for JSON. */
const char *party_trap_name(enum party_trap trap);
const char *party_weight_name(enum party_weight weight);
/* The sentence and the advice, in out->message and out->hint. exact: the column's profile is exact. */
void party_trap_say(enum party_trap trap, int exact, tally_error *out);
/* What a reason of rejects is called here, or -1: a reason that needs no more words. */
int party_trap_of_reject(int reason);

#endif
