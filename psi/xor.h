/* SPDX-License-Identifier: Apache-2.0 */
/* XOR of byte strings by 16-byte vectors, which every target has (GNU C vector types; gcc and clang lower
 * them). */
#ifndef PSI_XOR_H
#define PSI_XOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t psi_vec __attribute__((vector_size(16)));

static inline psi_vec psi_load(const uint8_t *p)
{
    psi_vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void psi_store(uint8_t *p, psi_vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline void psi_xor32(uint8_t *a, const uint8_t *b)
{
    psi_store(a, psi_load(a) ^ psi_load(b));
    psi_store(a + 16, psi_load(a + 16) ^ psi_load(b + 16));
}

/* a ^= b & mask, len a multiple of 16; mask all zeros or all ones. */
static inline void psi_xor_masked(uint8_t *a, const uint8_t *b, size_t len, uint64_t mask)
{
    const psi_vec m = {mask, mask};
    for (size_t i = 0; i < len; i += 16)
        psi_store(a + i, psi_load(a + i) ^ (psi_load(b + i) & m));
}

#endif
