/* SPDX-License-Identifier: Apache-2.0 */
/* Step "match": takes tags of our own items, then tags from the peer in any order, gives which own items are
 * met. */
#ifndef PSI_JOIN_H
#define PSI_JOIN_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

/* An open-addressed table of n fixed-width tags, width 1..16 bytes; 2^k slots at load <= 1/2, 4 bytes a slot.
   Tags must be pseudorandom (they are hash outputs), so their own bytes address the table. */
typedef struct psi_join psi_join;

/*
 * tags: n*width bytes, kept by reference until psi_join_free; n <= 2^31. TALLY_ERR_NO_MEMORY.
 * TALLY_ERR_MALFORMED: the tags are not pseudorandom, as when a peer that computes them repeats one: some tag
 * would lie more than 512 slots from its place. Distinct random tags go that far with probability n *
 * e^(-0.19 * 512) (linear probing at load 1/2; Knuth, TAOCP 3, 6.4).
 */
tally_status psi_join_new(psi_join **out, const uint8_t *tags, size_t n, size_t width) TALLY_MUST_CHECK;
/*
 * Looks up count peer tags of the same width. For each hit, hit(user, own index, peer index = first + i) is
 * called, once for every own item with that tag. Variable time: the result is what this side is entitled to
 * learn.
 */
void psi_join_probe(const psi_join *j, const uint8_t *peer, size_t count, size_t first,
                    void (*hit)(void *user, size_t own, size_t peer_index), void *user);
void psi_join_free(psi_join *j);

#endif
