/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include "cli/exit.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tally_status cli_fail(tally_error *error, tally_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_fail_of(error, status, format, args);
    va_end(args);
    return status;
}

void cli_hint(tally_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_hint_of_args(error, format, args);
    va_end(args);
}

static void put_before(char *message, size_t room, const char *prefix)
{
    size_t used = strlen(prefix) + 2;
    if (used >= room || !*message)
        return;
    /* A message at the limit loses its end rather than the option's name. */
    memmove(message + used, message, room - used);
    memcpy(message, prefix, used - 2);
    memcpy(message + used - 2, ": ", 2);
    message[room - 1] = 0;
}

void cli_prefix(tally_error *error, const char *prefix)
{
    put_before(error->message, sizeof error->message, prefix);
    put_before(error->local_message, sizeof error->local_message, prefix);
}

const char *cli_shown(const tally_error *error)
{
    return *error->local_message ? error->local_message : error->message;
}

int cli_report(const tally_error *error)
{
    if (*error->message)
        cli_note("%s", cli_shown(error));
    else
        cli_note(PARTY_WHOLE, tally_status_name(error->status));
    if (*error->hint)
        cli_advise("%s", *error->local_hint ? error->local_hint : error->hint);
    return tally_exit_status(error->status);
}

__attribute__((format(printf, 2, 0))) static void put_line(const char *prefix, const char *format,
                                                           va_list args)
{
    /* One call per line, so that lines of two processes on one terminal do not mix. */
    char line[1200];
    party_render(line, sizeof line, party_translates(), format, args);
    fprintf(stderr, "%s: %s\n", prefix, line);
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line("tally", format, args);
    va_end(args);
}

void cli_advise(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(party_local(PARTY_TEXT("hint")), format, args);
    va_end(args);
}

static int lost; /* what cli_print had no memory for */

void cli_print(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int len = vasprintf(&text, party_local(format), args);
    va_end(args);
    size_t room = len >= 0 ? (size_t)len * 2 + 1024 : 0;
    char *shown = room ? malloc(room) : NULL;
    lost |= !shown;
    if (shown) {
        party_read_marks(shown, room, party_translates(), text);
        fputs(shown, stdout);
    }
    free(shown);
    free(text);
}

int cli_flush_stdout(int exit)
{
    int earlier = ferror(stdout) || lost;
    errno = 0;
    int failed = fflush(stdout) != 0;
    if ((!failed && !earlier) || exit != CLI_EXIT_OK)
        return exit;
    cli_note("standard output could not be written: %s", party_system_text(errno ? errno : EIO));
    return CLI_EXIT_FILE;
}
