/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subspace VOLE columns (docs/protocol-vole.md; Roy 2022): takes the leaf keys of a column's tree, gives the
 * column's bits for a range of slots. Backends: portable (AES by OpenSSL), aesni (AVX2 and AES-NI), vaes256
 * (AVX2 and VAES) and vaes (AVX-512 with VAES), bit for bit alike. Called by psi/vole.
 *
 * A column has 2^k leaf keys. Leaf j's stream is AES-128 in counter mode: block c (slots 128c .. 128c + 127,
 * slot s in byte s/8, bit s%8) is AES_j(c as a 128-bit little-endian number; c < 2^64).
 *
 * - u = XOR of all streams
 * - V_b = XOR of the streams j whose bit b is set, b = 0 .. k-1
 *
 * The sender orders its leaves by j ^ Delta, so that the one it lacks is leaf 0, which occurs in u only.
 */
#ifndef PSI_SUBSPACE_H
#define PSI_SUBSPACE_H

#include "psi/ggm.h"

#define PSI_SUBSPACE_K_MIN 4u
#define PSI_SUBSPACE_K_MAX 8u

/* Expanded AES-128 key: 11 round keys of 16 bytes; round 0 is the key itself. */
typedef struct psi_leaf {
    uint8_t round[11][16];
} psi_leaf;

typedef struct psi_subspace_backend {
    const char *name;
    /* leaves[j] from count keys. Secret; time depends on count only. */
    tally_status (*expand)(psi_leaf *leaves, const psi_block *keys, size_t count);
    /*
     * Slots 128*first .. 128*(first + blocks) - 1 of one column: u gets 16*blocks bytes (NULL: not wanted;
     * leaf 0 then has no influence), V_b is written at v + b*stride. blocks is a multiple of 4. Constant
     * time.
     */
    tally_status (*fold)(uint8_t *u, uint8_t *v, size_t stride, const psi_leaf *leaves, unsigned k,
                         uint64_t first, size_t blocks);
} psi_subspace_backend;

/* The backend in use, chosen once by psi_cpu. Never NULL. */
const psi_subspace_backend *psi_subspace(void);
/* All backends that this machine can run, portable first. */
const psi_subspace_backend *const *psi_subspace_backends(size_t *count);

#endif
