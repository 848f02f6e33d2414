/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include "cli/exit.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text from arguments and file names must not steer a terminal. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

tally_status cli_fail(tally_error *error, tally_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    make_printable(error->message);
    error->hint[0] = 0;
    error->status = status;
    return status;
}

void cli_hint(tally_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->hint, sizeof error->hint, format, args);
    va_end(args);
    make_printable(error->hint);
}

void cli_prefix(tally_error *error, const char *prefix)
{
    size_t room = sizeof error->message, used = strlen(prefix) + 2;
    if (used >= room)
        return;
    /* A message at the limit loses its end rather than the option's name. */
    memmove(error->message + used, error->message, room - used);
    memcpy(error->message, prefix, used - 2);
    memcpy(error->message + used - 2, ": ", 2);
    error->message[room - 1] = 0;
}

int cli_report(const tally_error *error)
{
    cli_note("%s", error->message[0] ? error->message : tally_status_name(error->status));
    if (error->hint[0])
        cli_advise("%s", error->hint);
    return tally_exit_status(error->status);
}

__attribute__((format(printf, 2, 0))) static void put_line(const char *prefix, const char *format,
                                                           va_list args)
{
    /* One call per line, so that lines of two processes on one terminal do not mix. */
    char line[1200];
    int used = snprintf(line, sizeof line, "%s: ", prefix);
    vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    fprintf(stderr, "%s\n", line);
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
    put_line("hint", format, args);
    va_end(args);
}

int cli_flush_stdout(int exit)
{
    int earlier = ferror(stdout);
    errno = 0;
    int failed = fflush(stdout) != 0;
    if ((!failed && !earlier) || exit != CLI_EXIT_OK)
        return exit;
    cli_note("standard output could not be written: %s", errno ? strerror(errno) : "a write failed");
    return CLI_EXIT_FILE;
}
