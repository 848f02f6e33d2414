/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of --log-file, whose lines docs/operations.md describes: takes what cli/message.c says, and what
 * only a log is told. Called by the commands that run, from any thread.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include "cli/message.h"

/*
 * Opens path for appending (made with mode 0600; a symbolic link, and what is no regular file, is refused).
 * From then on all that is said goes there too. command: the first line says that it starts. TALLY_ERR_USAGE:
 * "-"; TALLY_ERR_FILE.
 */
tally_status cli_log_open(const char *path, const char *command, tally_error *error) TALLY_MUST_CHECK;
/* The last line, with the exit status, and close. Nothing if no log is open. */
void cli_log_close(int exit);
/* The ledger's number of the run that the calling thread is at; 0: none yet. */
void cli_log_set_run(unsigned long long run);
/* One line "event=... text", to the log alone. A file that was renamed or deleted (logrotate) is made anew
   under its name. */
void cli_log_line(enum cli_level level, const char *event, const char *text);

#endif
