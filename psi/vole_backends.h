/* SPDX-License-Identifier: Apache-2.0 */
/* The vector tables that psi/subspace.c, psi/rowhash.c and psi/sha256.c choose from. Not for others. */
#ifndef PSI_VOLE_BACKENDS_H
#define PSI_VOLE_BACKENDS_H

#include "psi/rowhash.h"
#include "psi/sha256.h"
#include "psi/subspace.h"

extern const uint32_t psi_sha256_start[8]; /* before the first block: FIPS 180-4, section 5.3.3 */

#if defined(__x86_64__)
extern const psi_subspace_backend psi_subspace_vaes; /* psi/subspace_vaes.c: PSI_CPU_AVX512 */
extern const psi_rowhash_backend psi_rowhash_avx512; /* psi/rowhash_avx512.c: PSI_CPU_AVX512 */
extern const psi_sha256_backend psi_sha256_ni;       /* psi/sha256_ni.c: PSI_CPU_SHA */
#endif

#endif
