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
    psi_vole_work **work;    /* for a group of bins: as many as threads, at most one for each bin */
    unsigned workers;
} party_bins;

/* Hashes and sorts the own items. TALLY_ERR_INTERNAL at the receiver when a bin is overfull (probability
 * 2^-41): run again. */
tally_status party_bins_init(party_bins *b, party_run *run, unsigned k, tally_error *error) TALLY_MUST_CHECK;
void party_bins_free(party_bins *b);

#endif
