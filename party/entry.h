/* SPDX-License-Identifier: Apache-2.0 */
/* A session's records in the ledger (party/ledger.h). Called by party/session; without a ledger nothing is
 * done. */
#ifndef PARTY_ENTRY_H
#define PARTY_ENTRY_H

#include "party/session.h"

/* The intent, after hello 1 and before hello 2: fills run_number and ledger_root. TALLY_ERR_POLICY: a quota
 * or the differencing guard, with s->breached. */
tally_status party_entry_begin(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* May either side have learned something of the result? */
int party_disclosed(const tally_session *s);
/* How the run ended, as *outcome says. */
tally_status party_entry_end(tally_session *s, const tally_error *outcome,
                             tally_error *error) TALLY_MUST_CHECK;

#endif
