/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subspace-VOLE matching, setup (docs/protocol-vole.md): Delta, the trees of all columns, and the short-row
 * points. Takes OT strings, gives leaf keys for psi_vole_shared_init. Called once a run by party/vole on
 * either side.
 */
#ifndef PSI_VOLE_SETUP_H
#define PSI_VOLE_SETUP_H

#include "psi/ot.h"
#include "psi/vole.h"

/* OTs of a run: one for each level of each column's tree, rounded up to a multiple of 8 (the last few are not
 * used). */
size_t psi_vole_ots(const psi_vole_sizes *sizes);
/* Corrections of all columns: 32 bytes for each level. */
size_t psi_vole_levels(const psi_vole_sizes *sizes);

/* Bytes of the three messages of the setup: k and the base OTs' points; point, nonce and the OT extension's
 * columns; the corrections. */
#define PSI_VOLE_OPEN (1 + 2 * PSI_OT_BASE * sizeof(psi_point))
size_t psi_vole_choice_bytes(const psi_vole_sizes *sizes);
size_t psi_vole_trees_bytes(const psi_vole_sizes *sizes);

/* Receiver: grows every tree from fresh roots. keys: columns * 2^k (secret); corrections: psi_vole_levels
 * entries (sent). */
tally_status psi_vole_grow(const psi_vole_sizes *sizes, const psi_block (*strings)[2], psi_block *keys,
                           psi_ggm_level *corrections) TALLY_MUST_CHECK;

/* Sender: draws Delta, k bits for each column, and the choice bits of the OTs: (psi_vole_ots + 7) / 8 bytes.
 * Both secret. */
tally_status psi_vole_draw(const psi_vole_sizes *sizes, uint8_t *delta, uint8_t *choices) TALLY_MUST_CHECK;
/* Sender: all leaves but Delta's, in the order of psi_ggm_puncture. */
tally_status psi_vole_puncture(const psi_vole_sizes *sizes, const uint8_t *delta, const psi_block *strings,
                               const psi_ggm_level *corrections, psi_block *keys) TALLY_MUST_CHECK;

/* Both: the points of the short rows, SHA-256(tag ROW_HASH, sid, nonce); the nonce is the sender's. */
tally_status psi_vole_points(uint8_t points32[32], const psi_sid *sid,
                             const uint8_t nonce32[32]) TALLY_MUST_CHECK;

#endif
