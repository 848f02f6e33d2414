/* SPDX-License-Identifier: Apache-2.0 */
/* Short rows by AVX2 and VPCLMULQDQ, where there is no AVX-512. */
#if defined(__x86_64__)

#include "psi/rowhash.h"

#include <immintrin.h>

#define LANES 2
#define LANES_TARGET __attribute__((target("avx2,vpclmulqdq")))

typedef __m256i lanes;
#define lanes_load(p) _mm256_loadu_si256((const void *)(p))
#define lanes_key(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(p)))
#define lanes_xor _mm256_xor_si256
#define lanes_product _mm256_clmulepi64_epi128
#define lanes_up(x) _mm256_bslli_epi128(x, 8)
#define lanes_down(x) _mm256_bsrli_epi128(x, 8)
#define lanes_low _mm256_unpacklo_epi64

LANES_TARGET static inline void lanes_rows(uint8_t *row, lanes first, lanes second)
{
    _mm256_storeu_si256((void *)row, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256((void *)(row + 128 * PSI_ROW_BYTES), _mm256_permute2x128_si256(first, second, 0x31));
}

#include "psi/rowhash_lanes.h"

const psi_rowhash_backend psi_rowhash_vpclmul256 = {.name = "vpclmul256", .strip = lanes_strip};

#else
typedef int psi_rowhash_vpclmul256_not_built; /* a translation unit is never empty */
#endif
