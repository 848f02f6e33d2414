/* SPDX-License-Identifier: Apache-2.0 */
/* Columns by VAES on vectors of two blocks, where there is no AVX-512. */
#if defined(__x86_64__)

#include <immintrin.h>

#define LANES 2
#define LANES_TARGET __attribute__((target("avx2,aes,vaes")))

typedef __m256i lanes;
#define lanes_counter(c) _mm256_set_epi64x(0, (long long)((c) + 1), 0, (long long)(c))
#define lanes_key(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(p)))
#define lanes_store(p, x) _mm256_storeu_si256((void *)(p), x)
#define lanes_xor _mm256_xor_si256
#define lanes_round _mm256_aesenc_epi128
#define lanes_last _mm256_aesenclast_epi128

#include "psi/subspace_lanes.h"

const psi_subspace_backend psi_subspace_vaes256 = {
    .name = "vaes256", .expand = psi_subspace_expand_aesni, .fold = lanes_fold};

#else
typedef int psi_subspace_vaes256_not_built; /* a translation unit is never empty */
#endif
