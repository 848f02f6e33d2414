/* SPDX-License-Identifier: Apache-2.0 */
/* What the command says on standard error, and the check that standard output took everything. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "party/error.h"

enum cli_level { CLI_ERROR, CLI_WARNING, CLI_INFO };

/* Fills error (never NULL here): status and message, no hint, in English and in the language that is shown.
   Control characters become '?'. Returns status. */
tally_status cli_fail(tally_error *error, tally_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets the hint of an error that was just filled. */
void cli_hint(tally_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before the message of an error that the library filled, so that it names the option. */
void cli_prefix(tally_error *error, const char *prefix);

/* "tally: message", then "hint: ..." if there is one. Returns the exit status. */
int cli_report(const tally_error *error);
/* One line "tally: ..."; a warning if format begins "warning: ". */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line "hint: ...". */
void cli_advise(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Standard output, for people: the format and marked words in the language that is shown. */
void cli_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Standard output: text in so many columns of a terminal, to the left, or to the right where width is
   negative. */
void cli_column(const char *text, int width);
/* The message of an error in the language that is shown. */
const char *cli_shown(const tally_error *error);

/* Where lines go besides standard error (cli/log.h); event: "message" or "hint". */
void cli_message_to(void (*line)(enum cli_level level, const char *event, const char *text));
/* on: what the calling thread says next goes there alone, as with --quiet. */
void cli_message_log_alone(int on);
/* 1: standard error goes to the journal of systemd. Lines then begin with their level, "<6>". */
int cli_message_journal(void);

/* Flushes standard output. Returns exit, or reports and returns CLI_EXIT_FILE when something could not be
   written and exit was CLI_EXIT_OK. */
int cli_flush_stdout(int exit);

#endif
