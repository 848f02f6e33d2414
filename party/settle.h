/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a session (docs/wire-format.md): both sides tell their part of the receipt, sign the one text,
 * and say done. Called by party/session after the last protocol message.
 *
 *   receiver -> sender   WIRE_RECEIPT: facts
 *   sender -> receiver   WIRE_RECEIPT: facts, digest of the text, signature
 *   receiver -> sender   WIRE_RECEIPT: digest, signature; WIRE_DONE
 *   sender -> receiver   WIRE_DONE
 *
 * Nothing in it takes a time that depends on how many match: the receiver counts its hits before it settles,
 * and looks at them after.
 */
#ifndef PARTY_SETTLE_H
#define PARTY_SETTLE_H

#include "party/session.h"

/* Fills s->receipt, with every signature verified. TALLY_ERR_MALFORMED: the peer's receipt is another. */
tally_status party_settle(tally_session *s, party_run *run, tally_error *error) TALLY_MUST_CHECK;

#endif
