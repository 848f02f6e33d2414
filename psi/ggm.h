/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Punctured trees (Goldreich, Goldwasser, Micali 1986; used as in Roy 2022): the receiver of a match grows a
 * tree of depth k for every column, the sender gets all its leaves but one of its own secret choosing, Delta.
 * Takes OT strings, gives leaf keys. Called by psi/vole_setup.
 *
 * child_b(s) = AES-128_{K_b}(s) ^ s with two fixed public keys K_0, K_1. Level l = 1..k has 2^l nodes; the
 * correction of a level is the XOR of all its left children and of all its right children, each masked with
 * one string of the level's OT.
 */
#ifndef PSI_GGM_H
#define PSI_GGM_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

#define PSI_GGM_DEPTH_MAX 8u

typedef struct psi_block {
    uint8_t b[16];
} psi_block;

/* Two masked sums of a level: 32 bytes on the wire. */
typedef struct psi_ggm_level {
    psi_block sum[2];
} psi_ggm_level;

typedef struct psi_ggm psi_ggm; /* the two fixed permutations; one per thread */
psi_ggm *psi_ggm_new(void);
void psi_ggm_free(psi_ggm *g);

/* Grows one tree from a random root: leaves[0 .. 2^k) and, for each level, the corrections masked with
   ot[level][0..1]. Roots, leaves and ot are secret. */
tally_status psi_ggm_grow(psi_ggm *g, const psi_block *root, unsigned k, const psi_block (*ot)[2],
                          psi_block *leaves, psi_ggm_level *corrections) TALLY_MUST_CHECK;

/*
 * The other side: delta in 0 .. 2^k - 1 (secret), ot[level] = the string for the complement of delta's bit at
 * that level, most significant bit first. leaves[j ^ delta] = leaf j for all j but delta; leaves[0] is zero.
 * Time and addresses do not depend on delta.
 */
tally_status psi_ggm_puncture(psi_ggm *g, unsigned delta, unsigned k, const psi_block *ot,
                              const psi_ggm_level *corrections, psi_block *leaves) TALLY_MUST_CHECK;

#endif
