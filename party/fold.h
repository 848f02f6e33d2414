/* SPDX-License-Identifier: Apache-2.0 */
/* Folding duplicates: takes the items of the rows, gives the ascending list of distinct ones. Called by
 * party/rows. */
#ifndef PARTY_FOLD_H
#define PARTY_FOLD_H

#include "party/input.h"
#include "party/pool.h"

/*
 * items[r] of each row becomes the ascending list of distinct items, rows[r].item their index. At most 88
 * bytes per row are alive beside its numbers: rows 24, items 32, and a block of 32 that is two lists of
 * entries first and the new items in the end. TALLY_ERR_NO_MEMORY leaves the input as it was.
 */
tally_status party_rows_fold(tally_input *input, party_pool *pool, tally_error *error) TALLY_MUST_CHECK;

#endif
