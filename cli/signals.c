/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

static tally_session *volatile running; /* what a signal cancels; set before the handlers are */

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    tally_session_cancel(running);
    errno = saved;
}

/* handler: on_signal, or SIG_DFL. A SIGHUP that is ignored (nohup) stays ignored. Calls are interrupted, not
   restarted, so that opening a pipe nobody writes to ends as well. */
static void set_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = handler}, old;
        sigemptyset(&action.sa_mask);
        /* A second Ctrl-C ends the program at once. */
        if (numbers[i] == SIGINT)
            action.sa_flags = (int)SA_RESETHAND;
        if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
            continue;
        sigaction(numbers[i], &action, NULL);
    }
}

void cli_signals_begin(tally_session *session)
{
    running = session;
    set_signals(on_signal);
}

void cli_signals_end(void)
{
    set_signals(SIG_DFL);
}
