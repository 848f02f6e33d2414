/* SPDX-License-Identifier: Apache-2.0 */
/* One run as the ledger has it (docs/ledger.md): takes its JSON, gives what tally ledger show and report say
 * of it. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "party/tally.h"

#include <jansson.h>
#include <stdio.h>

enum cli_run_state {
    CLI_RUN_DONE,
    CLI_RUN_FAILED,    /* ended otherwise, after it had begun */
    CLI_RUN_REFUSED,   /* ended before anything derived from the list had left */
    CLI_RUN_INCOMPLETE /* began, and has no end */
};

enum { CLI_RECEIVER, CLI_SENDER };

/* Objects are borrowed from root, and NULL where the record has none: jansson's readers take that. */
typedef struct cli_record {
    json_t *root;
    const json_t *begin; /* body of the intent, or of the refusal */
    const json_t *end;   /* body of the outcome, or of the refusal */
    const json_t *terms, *input, *peer, *receipt;
    long long n, began, ended; /* seconds since 1970, UTC; ended 0: none */
    enum cli_run_state state;
    enum tally_function function;
    int side;     /* CLI_RECEIVER or CLI_SENDER: this side */
    int has_role; /* 0: refused before it was known which; side is then the receiver */
    int disclosed, bypassed;
    const char *identity;       /* own fingerprint, "" unknown */
    const char *digest;         /* of the agreement; "": a run without */
    const char *own, *other;    /* organisations; "" unknown */
    int other_unknown;          /* under an agreement that does not have this side: who is the other? */
    tally_agreement *agreement; /* as kept; NULL: none, or it cannot be read */
    json_t *agreed;             /* its fields, as tally_agreement_json has them; NULL as above */
    char problem[512];          /* why the agreement cannot be read, or a signature does not fit; else "" */
} cli_record;

/* TALLY_ERR_FILE: not the record of a run. Nothing is to be freed then. */
tally_status cli_record_read(const char *json, cli_record *out, tally_error *error) TALLY_MUST_CHECK;
void cli_record_free(cli_record *record);

/* Text of a field; "" when it is not there or no text. */
const char *cli_record_text(const json_t *object, const char *key);
/* Whole number of a field, 0 or more: 1, or 0 when there is none. */
int cli_record_number(const json_t *object, const char *key, long long *out);
/* "2026-11-26 11:30:49 UTC", or "unknown". */
void cli_record_time(char out[32], long long seconds);
/* 1 for a character that cannot be seen, or steers a terminal or the order of reading. */
int cli_record_unseen(int32_t c);
/* What others wrote, for a terminal: what cannot be seen or steers it is '?'. */
void cli_record_print(FILE *out, const char *text);
/* The same into out, at most `width` columns of a terminal: cut, with "..", where it is longer. */
void cli_record_fit(char *out, size_t size, const char *text, size_t width);
/* Columns of a terminal that a text takes. */
size_t cli_record_width(const char *text);
/* "1,234,567" */
void cli_record_grouped(char out[32], long long number);

#endif
