/* SPDX-License-Identifier: Apache-2.0 */
/* A conversation as it has to be, walked through the state table frame by frame. Shared by the tests of
 * matches and of counts and sums. */
#ifndef TESTS_SUPPORT_STATE_H
#define TESTS_SUPPORT_STATE_H

#include "party/state.h"

/* One frame that may come, and what it has to count as. */
typedef struct state_want {
    uint8_t type;
    uint32_t unit; /* bytes of an entry; 0: the frame counts as one whatever its length */
    uint64_t entries;
} state_want;

tally_status state_take(party_state *s, uint8_t type, uint32_t length, uint64_t *first, uint64_t *units);
/* 1 if the frame is refused and the state is as it was: the right one is still taken afterwards. */
int state_refuses(const party_state *s, uint8_t type, uint32_t length);
/* Takes each frame in two parts where it has more than one entry; before each, every other type and the
 * lengths around the right one are refused. Nothing may come after the last. */
void state_walk(party_state *s, const state_want *wants, size_t count);

#endif
