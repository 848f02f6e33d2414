/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally ledger: what can be done with a ledger.
 *
 *   ledger.c         arguments, and which action takes which
 *   ledger_help.c    help, of the whole and of each action
 *   ledger_list.c    list
 *   ledger_show.c    show, report
 *   ledger_check.c   verify, prove, check-proof, checkpoint, reconcile, backup
 */
#ifndef CLI_LEDGER_H
#define CLI_LEDGER_H

#include "party/tally.h"

typedef struct cli_ledger_options {
    const char *word;     /* N, PROOF, OTHER or FILE */
    unsigned long long n; /* the word as a number, where the action wants one */
    const char *ledger, *output, *since, *checkpoint, *key, *identity, *passphrase_file, *agreement,
        *language;
    int all, json, signatures, force;
} cli_ledger_options;

/* Each gets the ledger open, but for check_proof, whose ledger is NULL. */
tally_status cli_ledger_list(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_show(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_report(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_verify(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_prove(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_check_proof(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_checkpoint(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_reconcile(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
tally_status cli_ledger_backup(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);

/* A fingerprint in lower case. TALLY_ERR_USAGE. */
tally_status cli_ledger_key(const char *text, char out[TALLY_FINGERPRINT_TEXT], tally_error *error);

/* "completed", "INCOMPLETE", "refused by a rule", ...: an exit status of a run in words; -1: incomplete. */
const char *cli_ledger_outcome(int exit_status);

extern const char cli_help_ledger_list[], cli_help_ledger_show[], cli_help_ledger_verify[],
    cli_help_ledger_prove[], cli_help_ledger_check_proof[], cli_help_ledger_checkpoint[],
    cli_help_ledger_report[], cli_help_ledger_reconcile[], cli_help_ledger_backup[];

#endif
