/* SPDX-License-Identifier: Apache-2.0 */
/* The vector tables that psi/subspace.c, psi/rowhash.c and psi/sha256.c choose from. Not for others. */
#ifndef PSI_VOLE_BACKENDS_H
#define PSI_VOLE_BACKENDS_H

#include "psi/rowhash.h"
#include "psi/sha256.h"
#include "psi/subspace.h"

extern const uint32_t psi_sha256_start[8]; /* before the first block: FIPS 180-4, section 5.3.3 */

#if defined(__x86_64__)
/* Each is in the source of its name; behind it what it needs of enum psi_cpu. */
extern const psi_subspace_backend psi_subspace_aesni;    /* AVX2, AES */
extern const psi_subspace_backend psi_subspace_vaes256;  /* AVX2, AES, VAES */
extern const psi_subspace_backend psi_subspace_vaes;     /* AVX512, AVX2, AES */
extern const psi_rowhash_backend psi_rowhash_avx2;       /* AVX2, CLMUL */
extern const psi_rowhash_backend psi_rowhash_vpclmul256; /* AVX2, CLMUL, VPCLMUL */
extern const psi_rowhash_backend psi_rowhash_avx512;     /* AVX512 */
extern const psi_sha256_backend psi_sha256_ni;           /* SHA */

/* expand of all three for streams; needs what aesni needs. */
tally_status psi_subspace_expand_aesni(psi_leaf *leaves, const psi_block *keys, size_t count);
#endif

#endif
