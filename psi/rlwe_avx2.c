/* SPDX-License-Identifier: Apache-2.0 */
/* The ring over four lanes. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define LANES 4
#define LANES_TARGET __attribute__((target("avx2")))
#define LANES_SHORT __attribute__((target("avx2"), always_inline)) /* of one instruction or a few */

typedef __m256i lanes;

LANES_SHORT static inline lanes lanes_load(const int64_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

LANES_SHORT static inline void lanes_store(int64_t *p, lanes x)
{
    _mm256_storeu_si256((void *)p, x);
}

LANES_SHORT static inline lanes lanes_set(int64_t x)
{
    return _mm256_set1_epi64x(x);
}

LANES_SHORT static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm256_add_epi64(a, b);
}

LANES_SHORT static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm256_sub_epi64(a, b);
}

LANES_SHORT static inline lanes lanes_and(lanes a, lanes b)
{
    return _mm256_and_si256(a, b);
}

LANES_SHORT static inline lanes lanes_mul(lanes a, lanes b)
{
    return _mm256_mul_epi32(a, b);
}

LANES_SHORT static inline lanes lanes_high(lanes x)
{
    return _mm256_srli_epi64(x, 32);
}

/* There is no arithmetic shift of 64 bits: moved up by 2^63 before and down by 2^31 after. */
LANES_SHORT static inline lanes lanes_down(lanes x)
{
    lanes up = _mm256_add_epi64(x, _mm256_set1_epi64x(INT64_MIN));
    return _mm256_sub_epi64(_mm256_srli_epi64(up, 32), _mm256_set1_epi64x(0x80000000));
}

LANES_SHORT static inline lanes lanes_sign(lanes x)
{
    return _mm256_cmpgt_epi64(_mm256_setzero_si256(), x);
}

LANES_SHORT static inline void lanes_split(lanes a, lanes b, size_t t, lanes *u, lanes *w)
{
    *u = t == 2 ? _mm256_permute2x128_si256(a, b, 0x20) : _mm256_unpacklo_epi64(a, b);
    *w = t == 2 ? _mm256_permute2x128_si256(a, b, 0x31) : _mm256_unpackhi_epi64(a, b);
}

#include "psi/rlwe_lanes.h"

const psi_rlwe_backend psi_rlwe_avx2 = LANES_BACKEND("avx2");

#else
typedef int psi_rlwe_avx2_not_built; /* a translation unit is never empty */
#endif
