/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include "cli/exit.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void (*log_line)(enum cli_level level, const char *event, const char *text);
static _Thread_local int log_alone;

void cli_message_to(void (*line)(enum cli_level level, const char *event, const char *text))
{
    log_line = line;
}

void cli_message_log_alone(int on)
{
    log_alone = on;
}

int cli_message_journal(void)
{
    struct stat st;
    unsigned long long device, inode;
    const char *stream = getenv("JOURNAL_STREAM");
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           (unsigned long long)st.st_dev == device && (unsigned long long)st.st_ino == inode;
}

/* One call per line, so that lines of two processes on one terminal do not mix. */
static void say_line(enum cli_level level, const char *prefix, const char *text)
{
    static const int priorities[] = {3, 4, 6}; /* of sd-daemon(3): error, warning, information */
    int plain = strcmp(prefix, "tally") == 0;
    if (!log_alone && !cli_message_journal())
        fprintf(stderr, "%s: %s\n", prefix, text);
    else if (!log_alone)
        fprintf(stderr, "<%d>%s%s%s\n", priorities[level], plain ? "" : prefix, plain ? "" : ": ", text);
    if (log_line)
        log_line(level, plain ? "message" : prefix, text);
}

/* A message is a warning when its text, before it is translated, begins so. */
static enum cli_level level_of(const char *format)
{
    return strncmp(format, "warning: ", 9) == 0 ? CLI_WARNING : CLI_INFO;
}

__attribute__((format(printf, 3, 0))) static void put_line(enum cli_level level, const char *prefix,
                                                           const char *format, va_list args)
{
    char line[1200];
    vsnprintf(line, sizeof line, format, args);
    say_line(level, prefix, line);
}

int cli_report(const tally_error *error)
{
    say_line(CLI_ERROR, "tally", error->message[0] ? error->message : tally_status_name(error->status));
    if (error->hint[0])
        say_line(CLI_ERROR, "hint", error->hint);
    return tally_exit_status(error->status);
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(level_of(format), "tally", format, args);
    va_end(args);
}

void cli_advise(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(CLI_INFO, "hint", format, args);
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
