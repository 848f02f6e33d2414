/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress and log lines of a run on standard error: one line redrawn on a terminal in the foreground, else
 * plain lines at most every ten seconds. The two callbacks fit tally_session_on_progress and
 * tally_session_on_log.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "party/tally.h"

typedef struct cli_progress {
    int verbosity;                /* 0: warnings only, 1: information, 2: detail */
    int redraw;                   /* standard error is a terminal that can go back to the start of a line */
    int drawn;                    /* a line stands there now */
    unsigned timeout_s;           /* shown while waiting */
    const char *phase;            /* the current one, as the library named it */
    double phase_began;           /* seconds, monotonic */
    double last_line;             /* when the last plain line was written */
    const tally_session *session; /* whose run number the log has; NULL: none */
} cli_progress;

void cli_progress_init(cli_progress *progress, int verbosity, unsigned timeout_s);
void cli_progress_update(void *progress, const char *phase, uint64_t done, uint64_t total);
void cli_progress_log(void *progress, int level, const char *line);
/* Clears the line. */
void cli_progress_end(cli_progress *progress);

/* One line of at most width columns, ASCII, no line end: phase, bar, share, done/total, rate, time left;
   parts that do not fit or are not known are left out. seconds: since the phase began. */
void cli_progress_render(char *out, size_t size, unsigned width, const char *phase, uint64_t done,
                         uint64_t total, double seconds);

#endif
