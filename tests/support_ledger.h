/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers for tests: identities, agreements, runs that are recorded without a session. Everything aborts on
 * failure, unless it says otherwise. */
#ifndef TESTS_SUPPORT_LEDGER_H
#define TESTS_SUPPORT_LEDGER_H

#include "party/ledger_impl.h"

/* An identity that signs, O=name, in a folder of its own. */
tally_identity *ledger_identity(const char *name);
/* The agreement of tests (count; receiver Example Bank) with more lines at its end. */
tally_agreement *ledger_agreement(const char *more);
/* A path in a folder of its own; it lives until the program ends. */
const char *ledger_path(void);
tally_ledger *ledger_open(const char *path, enum tally_ledger_mode mode);

/* What one run says; zero: what tests mostly say. */
typedef struct ledger_run {
    const tally_identity *identity, *other; /* own, and the other side's: for fingerprints */
    const tally_agreement *agreement;
    const party_limits *limits;
    enum tally_role role; /* 0: receiver */
    uint32_t day;         /* 0: 20260825 */
    uint64_t items;       /* 0: 100 */
    const uint8_t *sketch;
    int sketches;        /* how many it is; 0: one */
    const char *receipt; /* JSON of the outcome's receipt; NULL: null */
    const char *session; /* 64 hex digits; NULL: null */
    int kept_back;       /* 1: the outcome says that nothing was disclosed */
    int status;          /* of the outcome */
} ledger_run;

/* Status as the ledger gives it. */
tally_status ledger_begin(tally_ledger *l, const ledger_run *run, uint64_t *n, uint8_t root32[32],
                          enum party_agreed_id *broken, tally_error *error);
tally_status ledger_end(tally_ledger *l, const ledger_run *run, uint64_t n, tally_error *error);
tally_status ledger_refused(tally_ledger *l, const ledger_run *run, tally_error *error);
/* A whole run; its number. */
uint64_t ledger_whole(tally_ledger *l, const ledger_run *run);

/* JSON of a receipt, signed by both; roots: of the two ledgers with the intents. To be freed. */
char *ledger_receipt(const tally_identity *receiver, const tally_identity *sender, const char *session,
                     const uint8_t receiver32[32], const uint8_t sender32[32]);
char *ledger_receipt_under(const tally_agreement *agreement, const tally_identity *receiver,
                           const tally_identity *sender, const char *session, const uint8_t receiver32[32],
                           const uint8_t sender32[32]);
/* 64 hex digits, all this one. It lives until the next call. */
const char *ledger_session(char digit);
/* A session of two sides with a receipt; the second one's outcome can be left out. */
void ledger_both(tally_ledger *a, const tally_identity *of_a, tally_ledger *b, const tally_identity *of_b,
                 char session, int b_ends);

/* The list, all runs as JSON and the checkpoint in one text, to be freed; NULL and *status on failure. */
char *ledger_dump(tally_ledger *l, tally_status *status);
/* The whole file; *len its bytes; free. */
uint8_t *ledger_bytes(const char *path, size_t *len);
void ledger_put(const char *path, const uint8_t *bytes, size_t len);
/* One statement by SQLite itself, as somebody would who changes a ledger. */
void ledger_sql(const char *path, const char *sql);

#endif
