/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sketch of a list: enough to tell whether a later list is nearly the same, and nothing about who is on it
 * without the key (docs/ledger.md). 1024 counters: each item adds +1 or -1 to one of them, counter and sign
 * by a keyed hash; and a keyed digest of the list, which only equal lists share.
 *
 * Called by party/session for its own list; compared by party/ledger.
 */
#ifndef PSI_SKETCH_H
#define PSI_SKETCH_H

#include "psi/item.h"

#define PSI_SKETCH_COUNTERS 1024u
#define PSI_SKETCH_BYTES (32u + 2u * PSI_SKETCH_COUNTERS) /* digest, counters modulo 2^16, big-endian */

/*
 * items: distinct, in ascending byte order, as party_input_items has them. On failure out is untouched.
 * TALLY_ERR_NO_MEMORY.
 *
 *   digest   SHA-256(tag SKETCH, key, count (8 bytes), items)
 *   counter  SHA-256(tag SKETCH, key, zeros up to 64 bytes, item): the lower 10 bits of its first two bytes;
 *            the lowest bit of the third is the sign, 1 for -1
 */
tally_status psi_sketch_make(const uint8_t key32[32], const psi_item *items, size_t count,
                             uint8_t out[PSI_SKETCH_BYTES]) TALLY_MUST_CHECK;
/* Estimate of how many items are on one of two lists only, under one key: 0 for equal lists, else at least 1.
 * Relative standard error: sqrt(2 / 1024), about 4.4 %. */
uint64_t psi_sketch_difference(const uint8_t a[PSI_SKETCH_BYTES], const uint8_t b[PSI_SKETCH_BYTES]);
/*
 * 1 unless the lists are equal or differ in at least `least` items. It errs on the side of 1: the estimate
 * has to exceed `least` by five standard errors and, as few items that meet in one counter count for more, by
 * up to 6. So twice as many differing items are seen to be enough from about 16 on, three times as many
 * below. A smaller difference passes once in a million lists.
 */
int psi_sketch_near(const uint8_t a[PSI_SKETCH_BYTES], const uint8_t b[PSI_SKETCH_BYTES], uint64_t least);

#endif
