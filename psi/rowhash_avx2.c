/* SPDX-License-Identifier: Apache-2.0 */
/* Short rows by AVX2 and PCLMULQDQ. */
#if defined(__x86_64__)

#include "psi/rowhash.h"

#include <immintrin.h>

#define LANES 1
#define LANES_TARGET __attribute__((target("avx2,pclmul")))

typedef __m128i lanes;
#define lanes_load(p) _mm_loadu_si128((const void *)(p))
#define lanes_key(p) _mm_loadu_si128((const void *)(p))
#define lanes_xor _mm_xor_si128
#define lanes_product _mm_clmulepi64_si128
#define lanes_up(x) _mm_slli_si128(x, 8)
#define lanes_down(x) _mm_srli_si128(x, 8)
#define lanes_low _mm_unpacklo_epi64

LANES_TARGET static inline void lanes_rows(uint8_t *row, lanes first, lanes second)
{
    _mm_storeu_si128((void *)row, first);
    _mm_storeu_si128((void *)(row + 16), second);
}

#include "psi/rowhash_lanes.h"

const psi_rowhash_backend psi_rowhash_avx2 = {.name = "avx2", .strip = lanes_strip};

#else
typedef int psi_rowhash_avx2_not_built; /* a translation unit is never empty */
#endif
