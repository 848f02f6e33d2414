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

/* One call per line, so that lines of two processes on one terminal do not mix. hint 1: it is one. */
static void say_line(enum cli_level level, int hint, const char *text)
{
    static const int priorities[] = {3, 4, 6}; /* of sd-daemon(3): error, warning, information */
    const char *prefix = hint ? party_local(PARTY_TEXT("hint")) : "tally";
    if (!log_alone && !cli_message_journal())
        fprintf(stderr, "%s: %s\n", prefix, text);
    else if (!log_alone)
        fprintf(stderr, "<%d>%s%s%s\n", priorities[level], hint ? prefix : "", hint ? ": " : "", text);
    if (log_line)
        log_line(level, hint ? "hint" : "message", text);
}

/* A message is a warning when its text, before it is translated, says so. The events are those of tally
 * serve. */
static enum cli_level level_of(const char *format)
{
    static const char *const events[] = {" event=warning", " event=failed", " event=refused",
                                         " event=not-reloaded"};
    int warning = strncmp(format, "warning: ", 9) == 0;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        warning |= strncmp(format, "serve: ", 7) == 0 && strstr(format, events[i]);
    return warning ? CLI_WARNING : CLI_INFO;
}

__attribute__((format(printf, 3, 0))) static void put_line(enum cli_level level, int hint, const char *format,
                                                           va_list args)
{
    char line[1200];
    party_render(line, sizeof line, party_translates(), format, args);
    say_line(level, hint, line);
}

__attribute__((format(printf, 2, 3))) static void report_line(int hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(CLI_ERROR, hint, format, args);
    va_end(args);
}

/* What to do where the place of the error says nothing better. An interruption was meant. */
static const struct {
    tally_status status;
    const char *hint;
} advice[] = {
    {TALLY_ERR_USAGE, PARTY_TEXT("--help after the command lists its options")},
    {TALLY_ERR_INCOMPATIBLE,
     PARTY_TEXT("compare options and tally version with the other side, then run again")},
    {TALLY_ERR_INPUT, PARTY_TEXT("correct what is named, in the list or the agreement, then run again")},
    {TALLY_ERR_INPUT_CHANGED, PARTY_TEXT("run again when nothing writes to the file")},
    {TALLY_ERR_POLICY, PARTY_TEXT("see what the agreement says: tally agreement check FILE")},
    {TALLY_ERR_AUTH, PARTY_TEXT("compare what tally identity show prints on both sides")},
    {TALLY_ERR_NETWORK, PARTY_TEXT("check that the other side runs and that the line is up, then run again")},
    {TALLY_ERR_TIMEOUT, PARTY_TEXT("check that the other side runs and that the line is up, then run again")},
    {TALLY_ERR_PEER_STOPPED, PARTY_TEXT("the messages and the ledger of the other side have the reason")},
    {TALLY_ERR_FILE, PARTY_TEXT("check the file and its folder: are they there, yours, and is there room?")},
    {TALLY_ERR_MALFORMED,
     PARTY_TEXT(
         "compare tally version with the other side; if both are the same, keep the messages of both and "
         "report it")},
    {TALLY_ERR_NO_MEMORY,
     PARTY_TEXT("end other programs or take a larger machine; tally estimate says how much a run needs")},
    {TALLY_ERR_DIFFERS,
     PARTY_TEXT("keep the files as they are for whoever looks into it; docs/auditor.md says what to do")},
    {TALLY_ERR_RANDOM,
     PARTY_TEXT("look into the system's log: the random generator of the system does not work")},
    {TALLY_ERR_INTERNAL,
     PARTY_TEXT("report it with the output of tally version and the messages of a run with -v")},
};

static const char *general_hint(tally_status status)
{
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (advice[i].status == status)
            return party_local(advice[i].hint);
    return "";
}

int cli_report(const tally_error *error)
{
    if (*error->message)
        report_line(0, "%s", cli_shown(error));
    else
        report_line(0, PARTY_WHOLE, tally_status_name(error->status));
    const char *hint = *error->local_hint ? error->local_hint
                       : *error->hint     ? error->hint
                                          : general_hint(error->status);
    if (*hint)
        report_line(1, "%s", hint);
    return tally_exit_status(error->status);
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(level_of(format), 0, format, args);
    va_end(args);
}

void cli_advise(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(CLI_INFO, 1, format, args);
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

void cli_column(const char *text, int width)
{
    int room = (width < 0 ? -width : width) - (int)party_width(text), pad = room > 0 ? room : 0;
    printf("%*s%s%*s", width < 0 ? pad : 0, "", text, width < 0 ? 0 : pad, "");
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
