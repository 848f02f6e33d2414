/* SPDX-License-Identifier: Apache-2.0 */
/* The ring over eight lanes. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define LANES_TARGET __attribute__((target("avx512f,avx512dq")))
#define LANES_SHORT                                                                                          \
    __attribute__((target("avx512f,avx512dq"), always_inline)) /* of one instruction or a few */

typedef __m512i lanes;

LANES_SHORT static inline lanes lanes_load(const int64_t *p)
{
    return _mm512_loadu_si512((const void *)p);
}

LANES_SHORT static inline void lanes_store(int64_t *p, lanes x)
{
    _mm512_storeu_si512((void *)p, x);
}

LANES_SHORT static inline lanes lanes_set(int64_t x)
{
    return _mm512_set1_epi64(x);
}

LANES_SHORT static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_epi64(a, b);
}

LANES_SHORT static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_epi64(a, b);
}

LANES_SHORT static inline lanes lanes_and(lanes a, lanes b)
{
    return _mm512_and_si512(a, b);
}

LANES_SHORT static inline lanes lanes_mul(lanes a, lanes b)
{
    return _mm512_mul_epi32(a, b);
}

LANES_SHORT static inline lanes lanes_high(lanes x)
{
    return _mm512_srli_epi64(x, 32);
}

LANES_SHORT static inline lanes lanes_down(lanes x)
{
    return _mm512_srai_epi64(x, 32);
}

LANES_SHORT static inline lanes lanes_sign(lanes x)
{
    return _mm512_srai_epi64(x, 63);
}

LANES_SHORT static inline void lanes_split(lanes a, lanes b, size_t t, lanes *u, lanes *w)
{
    if (t == 4) {
        *u = _mm512_shuffle_i64x2(a, b, 0x44);
        *w = _mm512_shuffle_i64x2(a, b, 0xee);
    } else if (t == 2) {
        *u = _mm512_permutex2var_epi64(a, _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), b);
        *w = _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2), b);
    } else {
        *u = _mm512_unpacklo_epi64(a, b);
        *w = _mm512_unpackhi_epi64(a, b);
    }
}

#include "psi/rlwe_lanes.h"

const psi_rlwe_backend psi_rlwe_avx512 = LANES_BACKEND("avx512");

#else
typedef int psi_rlwe_avx512_not_built; /* a translation unit is never empty */
#endif
