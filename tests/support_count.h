/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of sessions that count. Shared by the tests of counts. */
#ifndef TESTS_SUPPORT_COUNT_H
#define TESTS_SUPPORT_COUNT_H

#include "tests/support_session.h"

/* A pair over receiver's x and sender's y that counts. */
void count_pair(pair *p, enum tally_reveal reveal, const uint32_t *x, size_t nx, const uint32_t *y,
                size_t ny);
void count_minimum(pair *p, uint64_t minimum);
void count_noise(pair *p, uint64_t epsilon_micro);
/* Distinct identifiers on both lists, by comparing all with all. */
uint64_t count_plain(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny);
/* Index of the side that counts. */
int count_computing(enum tally_reveal reveal, uint64_t minimum);
/* Does the side learn the count? */
int count_learns(int side, enum tally_reveal reveal, uint64_t minimum);
/* "count" of the figures, INT64_MIN if there are none. */
int64_t count_figure(const pair_side *side);
/* A side that failed was told nothing, and nothing of a list is in what it says. */
void count_untold(const pair_side *side);

#endif
