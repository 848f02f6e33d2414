/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Padding: takes the distinct items of a loaded list, adds dummies up to a multiple of the agreed step, so
 * that the other side learns the size of the list only as far as that. Called by party/session, after loading
 * and before anything keeps an index of an item (party_offer_load does).
 *
 * A dummy is 32 random bytes, which no identifier hashes to. In each value column it has the number of the
 * range that is nearest to 0, in each band column it lies outside. So it never matches and adds to no figure;
 * but where the other side is told how many identifiers of the whole list lie in each band
 * (docs/protocol-sum.md), the number outside of all bands has the dummies in it, and the other bands are
 * shown as they are.
 */
#ifndef PARTY_PAD_H
#define PARTY_PAD_H

#include "party/rows.h"

/*
 * The number of items becomes the next multiple of step, step itself for an empty list. Items stay distinct
 * and in ascending byte order; rows and numbers go with them; tally_input_stats stays as it is. Dummies of an
 * earlier call are replaced. What is about the real list (a sketch, for instance) is made before. On failure
 * the list has no dummies. TALLY_ERR_USAGE: not loaded, or step 0; TALLY_ERR_INPUT: more than 2^30;
 * TALLY_ERR_RANDOM.
 */
tally_status party_input_pad(tally_input *input, uint64_t step, tally_error *error) TALLY_MUST_CHECK;
/* Takes the dummies out again; TALLY_OK at once if there are none. TALLY_ERR_NO_MEMORY: they are still there.
 */
tally_status party_input_unpad(tally_input *input, tally_error *error) TALLY_MUST_CHECK;
/* Number of real identifiers, 0 before loading. */
size_t party_input_real(const tally_input *input);

#endif
