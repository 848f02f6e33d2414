/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that psi/group.c chooses from, one line for each backend. Not for others: call psi_group(). */
#ifndef PSI_GROUP_BACKENDS_H
#define PSI_GROUP_BACKENDS_H

#include "psi/group.h"

extern const psi_group_backend psi_group_portable; /* psi/group_sodium.c */
/* A compiler or an assembler that does not know the instructions leaves them out: -DPSI_WITHOUT_IFMA,
 * -DPSI_WITHOUT_AVX2. */
#if defined(__x86_64__) && !defined(PSI_WITHOUT_AVX2)
#define PSI_GROUP_AVX2
extern const psi_group_backend psi_group_avx2; /* needs PSI_CPU_AVX2 and PSI_CPU_FMA */
#endif
#if defined(__x86_64__) && !defined(PSI_WITHOUT_IFMA)
#define PSI_GROUP_IFMA
extern const psi_group_backend psi_group_ifma; /* needs PSI_CPU_AVX512 and PSI_CPU_IFMA */
#endif

/* What lies below a backend in lanes, for tests and benchmarks: numbers modulo p = 2^255 - 19 as 32
 * little-endian bytes, bit 255 ignored on input, canonical on output. */
struct psi_field_backend {
    /* out[i] = (a[i] + b[i]) * c[i] - a[i] * (b[i] - c[i]) + b[i]^2, through every kind of element; the same
     * as b * (b + c - a) + 2 a c. */
    void (*mix)(uint8_t (*out)[32], const uint8_t (*a)[32], const uint8_t (*b)[32], const uint8_t (*c)[32],
                size_t n);
    /* out[i] = a[i] + b[i], the loose sum as it is, and a[i] - b[i], made tight */
    void (*add)(uint8_t (*out)[32], const uint8_t (*a)[32], const uint8_t (*b)[32], size_t n);
    void (*subtract)(uint8_t (*out)[32], const uint8_t (*a)[32], const uint8_t (*b)[32], size_t n);
    /* out[i] = a[i] * b[i] */
    void (*multiply)(uint8_t (*out)[32], const uint8_t (*a)[32], const uint8_t (*b)[32], size_t n);
    /* out[i] = a[i]^2^count, count > 0 */
    void (*square)(uint8_t (*out)[32], const uint8_t (*a)[32], size_t n, unsigned count);
    /* out[i] = 1 / a[i], or 0 */
    void (*invert)(uint8_t (*out)[32], const uint8_t (*a)[32], size_t n);
    /* The encoding of 2 P, for P = (x[i] : y[i] : z[i] : t[i]) in extended coordinates, in one batch of at
     * most 64. */
    void (*encode_doubles)(psi_point *out, const uint8_t (*x)[32], const uint8_t (*y)[32],
                           const uint8_t (*z)[32], const uint8_t (*t)[32], size_t n);
    /* SQRT_RATIO_M1 of RFC 9496 section 4.2: was_square[i] is 0 or 1 */
    void (*sqrt_ratio)(uint8_t (*out)[32], uint8_t *was_square, const uint8_t (*u)[32],
                       const uint8_t (*v)[32], size_t n);
};

#endif
