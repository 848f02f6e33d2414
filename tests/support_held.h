/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two organisations whose sessions are held to an agreement, each with a ledger, over an in-memory link that
 * records their frames. Shared by the tests of what is refused and of what is allowed. Aborts when it cannot.
 */
#ifndef TESTS_SUPPORT_HELD_H
#define TESTS_SUPPORT_HELD_H

#include "party/agreement.h"
#include "tests/support_session.h"

#define BANK PAIR_RECEIVER
#define AGENCY PAIR_SENDER

/* Agreements without their keys: a match, one by telephone numbers, one with a column, a count, a sum. */
extern const char held_match[], held_phone[], held_columns[], held_count[], held_sum[];
extern tally_identity *held_identity[2];

/* Makes the two identities; first of all. */
void held_start(void);
/* The agreement of the text with the first `old` replaced ("": appended to), signed by both. */
tally_agreement *held_agreed(const char *text, const char *old, const char *replacement);

typedef struct held_run {
    pair p;
    pair_record record[2];
    tally_agreement *agreement[2]; /* borrowed; NULL: none */
    tally_ledger *ledger[2];
} held_run;

/* Sessions in which nothing is set but identity, agreement and ledger. The lists are 1..n and 3..n+2, the
 * ledgers those of these paths. */
void held_begin(held_run *r, tally_agreement *bank, tally_agreement *agency, unsigned n,
                const char *const paths[2]);
void held_end(held_run *r);
/* Another list for a side: from .. from+n-1. */
void held_list(pair_side *side, unsigned from, unsigned n);
/* In which the first `other` have another amount than there. */
void held_list_with(pair_side *side, unsigned from, unsigned n, unsigned other);
/* Paths of two fresh ledgers; they live until the next call. */
const char *const *held_fresh(void);
tally_run held_last(tally_ledger *ledger);

#endif
