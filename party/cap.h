/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory limit of a session, looked at before there is anything to allocate: takes the terms and the list
 * sizes that are known, gives TALLY_ERR_NO_MEMORY if the run will not fit. Called by party/greeting.
 */
#ifndef PARTY_CAP_H
#define PARTY_CAP_H

#include "party/session.h"

/* peer_items: 0 before hello 2. Nothing without a limit. */
tally_status party_cap_check(const tally_session *s, uint64_t peer_items,
                             tally_error *error) TALLY_MUST_CHECK;

#endif
