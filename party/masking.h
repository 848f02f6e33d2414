/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking and tagging by ECDH with one secret exponent (psi/ecdh.h), a batch over all threads at a time:
 * takes items or the peer's points, gives what goes on the wire or is compared. Called by the spines.
 */
#ifndef PARTY_MASKING_H
#define PARTY_MASKING_H

#include "party/run.h"
#include "psi/group.h"

/* A fresh exponent. TALLY_ERR_RANDOM. */
tally_status party_masking_key(psi_scalar *key, tally_error *error) TALLY_MUST_CHECK;
/* points[32 i ..] = key * H(items[order[i]]), i < n. Counts n items of progress. */
tally_status party_mask(party_run *run, const psi_item *items, const uint32_t *order, size_t n,
                        const psi_scalar *key, uint8_t *points, tally_error *error) TALLY_MUST_CHECK;
/* tags[width i ..] of key * points[32 i ..], i < n; the peer's points, `first` in its order.
 * TALLY_ERR_MALFORMED: one is no group element. */
tally_status party_tag(party_run *run, const uint8_t *points, size_t first, size_t n, const psi_scalar *key,
                       size_t width, uint8_t *tags, tally_error *error) TALLY_MUST_CHECK;

#endif
