/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each takes its arguments (without its own name, NULL-terminated) and returns the exit
 * status. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

extern const char cli_help_agreement[], cli_help_check[], cli_help_ping[], cli_help_estimate[],
    cli_help_identity[], cli_help_ledger[], cli_help_match[], cli_help_peer[], cli_help_count[],
    cli_help_serve[], cli_help_sum[], cli_help_version[];

int cli_agreement(char *const *argv);
int cli_check(char *const *argv);
int cli_estimate_run(char *const *argv);
int cli_identity(char *const *argv);
int cli_ledger(char *const *argv);
int cli_peer(char *const *argv);
int cli_match(char *const *argv);
int cli_count(char *const *argv);
int cli_ping(char *const *argv);
int cli_serve_main(char *const *argv);
int cli_sum(char *const *argv);
int cli_version(char *const *argv);

/* Prints one of the help texts; returns CLI_EXIT_OK. */
int cli_show_help(const char *text);
/* "tally 0.1.0" on standard output. */
int cli_show_version(void);

#endif
