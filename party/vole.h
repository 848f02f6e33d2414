/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of subspace VOLE share in party/: the list in the order of its bins, and a work space
 * for each thread. */
#ifndef PARTY_VOLE_H
#define PARTY_VOLE_H

#include "party/run.h"
#include "psi/vole_setup.h"

typedef struct party_bins {
    psi_vole_sizes sizes;
    psi_vole_entry *entries; /* ours, by bin */
    uint32_t *start;         /* bins + 1 */
    uint32_t group;       /* bins in work at once: two for each thread, so that none waits for the slowest */
    unsigned workers;     /* of the pool */
    psi_vole_work **work; /* one for each worker, made when it gets its first bin */
} party_bins;

/*
 * Hashes and sorts the own items; needs no message of the peer, as the number of bins follows from the list
 * sizes. TALLY_ERR_INTERNAL at the receiver when a bin is overfull (probability 2^-41): run again.
 */
tally_status party_bins_sort(party_bins *b, party_run *run, tally_error *error) TALLY_MUST_CHECK;
/* Sizes for the receiver's choice of k, 4 or 6. */
tally_status party_bins_shape(party_bins *b, party_run *run, unsigned k, tally_error *error) TALLY_MUST_CHECK;
/* The work space of a worker, called by that worker only. NULL: no memory. */
psi_vole_work *party_bins_work(party_bins *b, int receiver, unsigned worker);
void party_bins_free(party_bins *b);

#endif
