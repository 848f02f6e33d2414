/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally ledger report: takes the record of a run, gives one HTML page about it, for people who were not
 * there. No script, nothing from elsewhere; everything that others wrote is escaped.
 *
 *   report.c           the page from top to bottom: headline, banners, what was asked, the agreement
 *   report_learned.c   what each side learned
 *   report_numbers.c   lists, result, bytes and seconds
 *   report_receipt.c   the receipt, and how to check all of it
 *   report_html.c      escaping, rows, sections, style
 *   report_text.c      every word, in English and Chinese
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/record.h"
#include "cli/report_text.h"

#include <stdio.h>

/* ledger: its name, or "". made: when the page is made, seconds since 1970. *out: free(). */
tally_status cli_report_make(const char *run_json, const char *ledger, enum cli_language language,
                             long long made, char **out, tally_error *error) TALLY_MUST_CHECK;

/* ---- Between the files of a report ---- */

enum cli_receipt_state { CLI_RECEIPT_NONE, CLI_RECEIPT_UNREAD, CLI_RECEIPT_READ };

typedef struct cli_page {
    FILE *out;
    enum cli_language language;
    const cli_record *r;
    const char *ledger;             /* its name; "": not known */
    const char *name[2], *start[2]; /* of receiver and sender; start: at the beginning of a sentence */
    char peer_name[256];            /* from its certificate, where no agreement names it */
    enum cli_receipt_state receipt; /* signed_by: of receiver and sender, once read */
    tally_receipt_signature signed_by[2];
} cli_page;

void cli_report_learned(const cli_page *p);
void cli_report_numbers(const cli_page *p);
void cli_report_receipt(const cli_page *p);
void cli_report_check(const cli_page *p);
/* How many identifiers are on both lists, as this side was told; "" when it was not. */
const char *cli_report_count(const cli_page *p, char out[32]);
/* Columns of terms.values, terms.bands or terms.bands_of_the_adder as "a, b"; to be freed, NULL when memory
   is short. */
char *cli_report_columns(const cli_page *p, const char *list);

#endif
