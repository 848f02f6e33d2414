/* SPDX-License-Identifier: Apache-2.0 */
/* Columns by AES-NI, one block a vector; key schedules for the wider ones too. */
#if defined(__x86_64__)

#include <immintrin.h>

#define LANES 1
#define LANES_TARGET __attribute__((target("avx2,aes")))

typedef __m128i lanes;
#define lanes_counter(c) _mm_set_epi64x(0, (long long)(c))
#define lanes_key(p) _mm_loadu_si128((const void *)(p))
#define lanes_store(p, x) _mm_storeu_si128((void *)(p), x)
#define lanes_xor _mm_xor_si128
#define lanes_round _mm_aesenc_si128
#define lanes_last _mm_aesenclast_si128

#include "psi/subspace_lanes.h"

LANES_TARGET static inline __m128i next_round_key(__m128i k, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xff);
    k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
    k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
    return _mm_xor_si128(k, assist);
}

/* FIPS 197 section 5.2. */
LANES_TARGET tally_status psi_subspace_expand_aesni(psi_leaf *leaves, const psi_block *keys, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        __m128i k = _mm_loadu_si128((const void *)keys[j].b), *out = (void *)leaves[j].round;
#define ROUND(i, constant)                                                                                   \
    _mm_storeu_si128(out + (i), k);                                                                          \
    k = next_round_key(k, _mm_aeskeygenassist_si128(k, constant));
        ROUND(0, 0x01)
        ROUND(1, 0x02)
        ROUND(2, 0x04)
        ROUND(3, 0x08)
        ROUND(4, 0x10)
        ROUND(5, 0x20)
        ROUND(6, 0x40)
        ROUND(7, 0x80)
        ROUND(8, 0x1b)
        ROUND(9, 0x36)
#undef ROUND
        _mm_storeu_si128(out + 10, k);
    }
    return TALLY_OK;
}

const psi_subspace_backend psi_subspace_aesni = {
    .name = "aesni", .expand = psi_subspace_expand_aesni, .fold = lanes_fold};

#else
typedef int psi_subspace_aesni_not_built; /* a translation unit is never empty */
#endif
