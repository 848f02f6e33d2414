/* SPDX-License-Identifier: Apache-2.0 */
/* Secret permutations of a list, so that the order of what a peer receives says nothing about the file. */
#ifndef PSI_SHUFFLE_H
#define PSI_SHUFFLE_H

#include "psi/rng.h"

/*
 * perm becomes a uniform permutation of 0..n-1, n <= 2^32 - 1, by Fisher-Yates over a fresh ChaCha20 stream.
 * Indices are secret and memory access follows them: cache leakage is local to this machine, see
 * docs/threat-model.md. TALLY_ERR_RANDOM: perm is wiped.
 */
tally_status psi_shuffle(uint32_t *perm, size_t n) TALLY_MUST_CHECK;

#endif
