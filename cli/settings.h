/* SPDX-License-Identifier: Apache-2.0 */
/* settings.yaml: what holds for every run on a machine (docs/settings.md). Called by the commands that run.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/home.h"

#define CLI_SYSTEM_FOLDER "/etc/tally"

typedef struct cli_settings {
    int require_agreement; /* a run without one is refused */
    char *required_by;     /* the file that says so; NULL if none does */
    char *ledger;          /* absolute path; NULL: the usual place */
    char *ledger_by;       /* the file that says so */
    char *log_file;        /* absolute path; NULL: none */
} cli_settings;

/*
 * Reads settings.yaml in the folder `system` (CLI_SYSTEM_FOLDER; another in tests), then in places->home. The
 * system's is read wherever the home is: what the administrator has set there holds. Files that are not there
 * say nothing. TALLY_ERR_USAGE: "FILE:LINE: ..."; TALLY_ERR_FILE: a file that is there cannot be read. *out
 * is then empty.
 */
tally_status cli_settings_load(cli_settings *out, const cli_places *places, const char *system,
                               tally_error *error) TALLY_MUST_CHECK;
/* Where the log goes: given (--log-file), else as the files say; NULL in *out: nowhere. free(). */
tally_status cli_settings_log(const cli_places *places, const char *given, char **out,
                              tally_error *error) TALLY_MUST_CHECK;
void cli_settings_free(cli_settings *settings);

#endif
