/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session held to an agreement (docs/agreement.md): what was not set is taken from it, what was set may
 * narrow it and never widen it; both signatures are checked before anything is sent, and again in what the
 * peer says. Called by party/session and party/greeting; nothing here does anything without an agreement.
 *
 * A breach is TALLY_ERR_POLICY, names the field, and is kept in s->breached, so that the peer hears it.
 */
#ifndef PARTY_HELD_H
#define PARTY_HELD_H

#include "party/ledger.h"
#include "party/session.h"

/* The settings of one side of a run under the agreement, as if they had been set: both to be freed. */
tally_status party_agreed_settings(const tally_agreement *a, enum tally_role role, tally_session **session,
                                   tally_input **input, tally_error *error) TALLY_MUST_CHECK;

/* The part of party_hold that says who the sides are: own party, role, address, and whom to accept. */
tally_status party_hold_sides(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Before the settings are checked: signatures, validity, whose identity this is, and every setting. */
tally_status party_hold(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Once the list is read: its digest, its size and its sketch; then it is padded, with or without an
 * agreement. */
tally_status party_hold_list(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* The agreement's part of hello 1. */
tally_status party_hold_say(const tally_session *s, wire_hello1 *hello, tally_error *error) TALLY_MUST_CHECK;
/* What the peer's hello 1 says of it, s->peer_hello. Both sides come to the same. */
tally_status party_hold_hear(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Of this side's own list, before it is padded. TALLY_ERR_POLICY. */
tally_status party_hold_size(uint64_t items, uint64_t most, tally_error *error) TALLY_MUST_CHECK;
/* The list size that the peer says in hello 2. */
tally_status party_hold_peer_list(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Makes the refusal in *error one of the field. TALLY_ERR_POLICY. */
tally_status party_breach(tally_session *s, enum party_agreed_id field, tally_error *error);
/* Right before the intent: what the day says, which may be another than when the wait for the peer began. */
tally_status party_hold_day(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* What holds over several runs. */
void party_hold_limits(const tally_session *s, party_limits *out);
/* Of the matches of the receiver's list: 1 if the agreed share is exceeded, 0 if not or none is agreed. */
int party_hold_share(const tally_session *s, uint64_t matches);

#endif
