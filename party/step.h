/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks of a session: called at once when the session runs on the caller's thread, and handed over to
 * tally_session_step when it was started. Everything that calls the caller back passes here. Called by
 * party/session and party_log.
 */
#ifndef PARTY_STEP_H
#define PARTY_STEP_H

#include "party/tally.h"

typedef struct party_steps party_steps;

void party_tell_progress(const tally_session *s, const char *phase, uint64_t done, uint64_t total);
void party_tell_log(const tally_session *s, int level, const char *line);

/* What a batch of calls for matching rows came to. */
enum party_told { PARTY_TOLD_ALL, PARTY_TOLD_SOME, PARTY_TOLD_STOP, PARTY_TOLD_CANCELLED };
/* Calls the caller back for rows, `most` times or a few more, from where the last call ended. */
typedef enum party_told (*party_tell_some)(void *user, size_t most);
/* Until all are told, or the caller stops, or the session is cancelled. */
enum party_told party_tell_rows(const tally_session *s, party_tell_some some, void *user);

/* Is this thread in a callback of s? */
int party_in_callback(const tally_session *s);
/* Cancels a session that was started and waits for its thread; then frees. NULL allowed. */
void party_steps_free(tally_session *s, party_steps *p);

#endif
