/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and SIGHUP end a session, which then tells the peer and leaves nothing behind; a second
 * Ctrl-C ends the program at once. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "party/tally.h"

/* One session at a time, which lives until cli_signals_end. */
void cli_signals_begin(tally_session *session);
void cli_signals_end(void);

#endif
