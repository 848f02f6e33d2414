/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field GF(2^128) = F_2[x]/(x^128 + x^7 + x^2 + x + 1), element by element: products, inverses, values of
 * polynomials. Coefficient c of an element is bit c of the integer, and bit c % 8 of byte c / 8, as in
 * psi/rowhash. The sum is a ^ b. Constant time. Backends: portable and clmul (PCLMULQDQ), bit for bit alike.
 * Called by psi/shamir.
 */
#ifndef PSI_GF128_H
#define PSI_GF128_H

#include "psi/wide.h"

#include <stddef.h>

typedef psi_uwide psi_gf128;

psi_gf128 psi_gf128_load(const uint8_t b16[16]);
void psi_gf128_store(uint8_t b16[16], psi_gf128 a);

typedef struct psi_gf128_backend {
    const char *name;
    psi_gf128 (*product)(psi_gf128 a, psi_gf128 b);
    /* sum of c[j] * x^j, j = 0 .. count - 1; count >= 1. Time depends on count only. */
    psi_gf128 (*value)(psi_gf128 x, const psi_gf128 *c, size_t count);
} psi_gf128_backend;

const psi_gf128_backend *psi_gf128_lanes(void);
const psi_gf128_backend *const *psi_gf128_backends(size_t *count);

/* a^-1, and 0 for 0. */
psi_gf128 psi_gf128_inverse(psi_gf128 a);

#if defined(__x86_64__)
extern const psi_gf128_backend psi_gf128_clmul; /* psi/gf128_clmul.c: PSI_CPU_CLMUL */
#endif

#endif
