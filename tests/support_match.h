/* SPDX-License-Identifier: Apache-2.0 */
/* A pair of sessions against a plain join of the two lists. Shared by the tests of whole runs. */
#ifndef TESTS_SUPPORT_MATCH_H
#define TESTS_SUPPORT_MATCH_H

#include "tests/support_session.h"

/* What one side was told of its list x, in order, against rows of x whose identifier is in y. */
void match_told(const pair_side *side, const uint32_t *x, size_t nx, const uint32_t *y, size_t ny);
/* A side that learns no matches was told none. */
void match_untold(const pair_side *side);

/* Runs a pair over receiver's x and sender's y and checks everything a caller sees: statuses, rows, counts,
 * sizes, bytes. used: the protocol that the summary names, with `asked` set on both sides. threads as in the
 * session. */
void match_check(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny, enum tally_protocol asked,
                 enum tally_protocol used, enum tally_security security, enum tally_reveal reveal,
                 unsigned threads);
/* The protocol that a session's summary names. */
enum tally_protocol match_protocol(const tally_session *session);

#endif
