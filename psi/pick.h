/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups in a table of numbers for eight rows at once that read all of it, whatever the indices: time and
 * addresses depend on the table's size only. From secret digits to entries; called by psi/paillier_owner.c.
 */
#ifndef PSI_PICK_H
#define PSI_PICK_H

#include <gmp.h>
#include <stddef.h>
#include <stdint.h>

#define PSI_PICK_ROWS 8u   /* looked up together */
#define PSI_PICK_LIMBS 48u /* of an entry */
#define PSI_PICK_MAX 64u   /* entries of a table */

typedef mp_limb_t psi_pick_entry[PSI_PICK_LIMBS];

typedef struct psi_pick_backend {
    const char *name;
    /* out[u] = table[index[u]] for the PSI_PICK_ROWS indices, each below `entries`, 1..PSI_PICK_MAX. */
    void (*rows)(psi_pick_entry *out, const psi_pick_entry *table, size_t entries, const uint64_t *index);
} psi_pick_backend;

/* The backend in use: AVX2, or portable. Chosen once by psi_cpu. */
const psi_pick_backend *psi_pick(void);
/* All that run on this processor, portable first. */
const psi_pick_backend *const *psi_pick_backends(size_t *count);

extern const psi_pick_backend psi_pick_avx2; /* psi/pick_avx2.c: PSI_CPU_AVX2 */

#endif
