/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "cli/log.h"
#include "cli/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PLAIN_EVERY_S 10.0
#define WIDTH_MAX 120u

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void cli_progress_init(cli_progress *progress, int verbosity, unsigned timeout_s)
{
    const char *terminal = getenv("TERM");
    *progress = (cli_progress){.verbosity = verbosity, .timeout_s = timeout_s, .phase = ""};
    progress->redraw = isatty(STDERR_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

static void rate_text(char *out, size_t size, double rate)
{
    if (rate >= 1e6)
        snprintf(out, size, "%.1fM/s", rate / 1e6);
    else if (rate >= 1e3)
        snprintf(out, size, "%.1fk/s", rate / 1e3);
    else
        snprintf(out, size, "%.0f/s", rate);
}

static void time_text(char *out, size_t size, double seconds)
{
    unsigned long s = seconds < 360000 ? (unsigned long)(seconds + 0.5) : 360000;
    if (s >= 3600)
        party_show(out, size, "%lu:%02lu:%02lu left", s / 3600, s / 60 % 60, s % 60);
    else
        party_show(out, size, "%lu:%02lu left", s / 60, s % 60);
}

/* Adds part to line if it still fits into width columns with the two blanks before it. */
static void add(char *line, size_t size, unsigned width, const char *part)
{
    size_t used = strlen(line), more = strlen(part) + (used ? 2 : 0),
           wide = party_width(part) + (used ? 2 : 0);
    if (*part && party_width(line) + wide <= width && used + more < size)
        snprintf(line + used, size - used, "%s%s", used ? "  " : "", part);
}

void cli_progress_render(char *out, size_t size, unsigned width, const char *phase, uint64_t done,
                         uint64_t total, double seconds)
{
    /* The library counts bytes of the file while it reads and rows afterwards; only rows are worth a figure.
     */
    int rows = strcmp(phase, "reading") != 0;
    char part[96];
    if (total && done > total)
        done = total;
    *out = 0;
    const char *word = party_local(phase);
    int pad = party_width(word) < 8 ? 8 - (int)party_width(word) : 0;
    snprintf(part, sizeof part, "%s%*s", word, pad, "");
    add(out, size, width, part);
    if (total) {
        char bar[23];
        unsigned filled = (unsigned)((double)done / (double)total * 20);
        for (unsigned i = 0; i < 20; i++)
            bar[i + 1] = i < filled ? '#' : '.';
        bar[0] = '[';
        bar[21] = ']';
        bar[22] = 0;
        snprintf(part, sizeof part, "%3u%%", (unsigned)((double)done / (double)total * 100));
        if (width >= 40)
            add(out, size, width, bar);
        add(out, size, width, part);
    }
    if (rows && total) {
        party_show(part, sizeof part, "%llu/%llu rows", (unsigned long long)done, (unsigned long long)total);
        add(out, size, width, part);
    }
    if (!done || seconds < 0.5)
        return;
    if (rows) {
        rate_text(part, sizeof part, (double)done / seconds);
        add(out, size, width, part);
    }
    if (total) {
        time_text(part, sizeof part, seconds * (double)(total - done) / (double)done);
        add(out, size, width, part);
    }
}

static int foreground(void)
{
    return tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static unsigned columns(void)
{
    struct winsize w;
    unsigned width = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        width = w.ws_col;
    /* The last column stays free: writing there wraps on some terminals. */
    return width - 1 < WIDTH_MAX ? width - 1 : WIDTH_MAX;
}

static void clear(cli_progress *progress)
{
    if (progress->drawn && foreground())
        fputs("\r\033[K", stderr);
    progress->drawn = 0;
}

/* The log has the run's number from the moment there is one. */
static void tell_run(const cli_progress *progress)
{
    tally_result result;
    if (!progress->session)
        return;
    tally_session_get_result(progress->session, &result);
    cli_log_set_run(result.run);
}

static void waiting_text(char *out, size_t size, const cli_progress *progress)
{
    unsigned s = progress->timeout_s;
    if (s % 60)
        party_show(out, size, "waiting for the other side (at most %u s)", s);
    else
        party_show(out, size, "waiting for the other side (at most %u min)", s / 60);
}

static void plain(cli_progress *progress, double now, int fresh, uint64_t done, uint64_t total)
{
    char text[WIDTH_MAX + 1];
    if (fresh && strcmp(progress->phase, "waiting") == 0) {
        waiting_text(text, sizeof text, progress);
        fprintf(stderr, "%s%s\n", cli_message_journal() ? "<6>" : "tally: ", text);
    } else if (!cli_message_journal() && now - progress->last_line >= PLAIN_EVERY_S && done && total) {
        cli_progress_render(text, sizeof text, WIDTH_MAX, progress->phase, done, total,
                            now - progress->phase_began);
        fprintf(stderr, "tally: %s\n", text);
    } else {
        return;
    }
    progress->last_line = now;
}

void cli_progress_update(void *user, const char *phase, uint64_t done, uint64_t total)
{
    cli_progress *progress = user;
    double now = now_s();
    char text[WIDTH_MAX + 1];
    int fresh = strcmp(progress->phase, phase) != 0;
    if (fresh) {
        progress->phase = phase;
        progress->phase_began = now;
        if (progress->last_line <= 0)
            progress->last_line = now;
        tell_run(progress);
        cli_log_line(CLI_INFO, "phase", phase);
    }
    if (progress->verbosity < 1)
        return;
    if (strcmp(phase, "writing") == 0 && isatty(STDOUT_FILENO)) {
        clear(progress); /* the rows may be about to come out on this very terminal */
        return;
    }
    if (!progress->redraw || !foreground()) {
        plain(progress, now, fresh, done, total);
        return;
    }
    if (strcmp(phase, "waiting") == 0)
        waiting_text(text, sizeof text, progress);
    else
        cli_progress_render(text, sizeof text, columns(), phase, done, total, now - progress->phase_began);
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    progress->drawn = 1;
}

void cli_progress_log(void *user, int level, const char *line)
{
    cli_progress *progress = user;
    /* The log has what is told without --verbose, with --quiet too. */
    int shown = level <= progress->verbosity;
    if (!shown && level > 1)
        return;
    tell_run(progress);
    if (shown)
        clear(progress);
    cli_message_log_alone(!shown);
    if (level == 0)
        cli_note("warning: %s", line);
    else
        cli_note("%s", line);
    cli_message_log_alone(0);
}

void cli_progress_end(cli_progress *progress)
{
    clear(progress);
    fflush(stderr);
}
