/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer", looked at alone: each step to an authenticated and agreed connection, and what it takes,
 * outside any session (docs/wire-format.md, section 12). tally_session_ping, and what a waiting run says to
 * it.
 */
#ifndef PARTY_PING_H
#define PARTY_PING_H

#include "party/connect.h"

/* A run waits here: hears the ping out and says so, until the deadline or within a few seconds. Called by
 * party/listen. */
tally_status party_ping_answer(party_channel *channel, int64_t deadline_ms, const party_cancel *cancel,
                               tally_error *error) TALLY_MUST_CHECK;

/* party/line: round trips, then at most a second and 64 MiB each way, over the session's link. */
tally_status party_line_glance(tally_session *s, tally_ping *out, tally_error *error) TALLY_MUST_CHECK;

#endif
