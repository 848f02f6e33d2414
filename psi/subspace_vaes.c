/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen leaf streams at a time in sixteen registers, each with four counter blocks; folded before they ever
 * reach memory. */
#include "psi/vole_backends.h"

#if defined(__x86_64__)

#include "psi/verify.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,aes")))
#define GROUP 16u

TARGET static inline __m512i round_key(const psi_leaf *leaf, int r)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)leaf->round[r]));
}

TARGET static inline __m512i xor4(__m512i a, __m512i b, __m512i c, __m512i d)
{
    return _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
}

/* The streams of sixteen leaves at four counters. */
TARGET static inline void streams(__m512i s[GROUP], const psi_leaf *leaves, __m512i counter)
{
#pragma GCC unroll 16
    for (unsigned j = 0; j < GROUP; j++)
        s[j] = _mm512_xor_si512(counter, round_key(leaves + j, 0));
    for (int r = 1; r < 10; r++)
#pragma GCC unroll 16
        for (unsigned j = 0; j < GROUP; j++)
            s[j] = _mm512_aesenc_epi128(s[j], round_key(leaves + j, r));
#pragma GCC unroll 16
    for (unsigned j = 0; j < GROUP; j++)
        s[j] = _mm512_aesenclast_epi128(s[j], round_key(leaves + j, 10));
}

/* Adds the sums over bits 0..3 of the sixteen streams to v[0..3]; returns the sum of all. The odd half of
 * each level is that level's bit. */
TARGET static inline __m512i butterfly(__m512i v[4], __m512i s[GROUP])
{
    v[0] = _mm512_xor_si512(v[0],
                            _mm512_xor_si512(xor4(s[1], s[3], s[5], s[7]), xor4(s[9], s[11], s[13], s[15])));
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        s[j] = _mm512_xor_si512(s[2 * j], s[2 * j + 1]);
    v[1] = _mm512_xor_si512(v[1], xor4(s[1], s[3], s[5], s[7]));
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        s[j] = _mm512_xor_si512(s[2 * j], s[2 * j + 1]);
    v[2] = _mm512_xor_si512(v[2], _mm512_xor_si512(s[1], s[3]));
    __m512i low = _mm512_xor_si512(s[0], s[1]), high = _mm512_xor_si512(s[2], s[3]);
    v[3] = _mm512_xor_si512(v[3], high);
    return _mm512_xor_si512(low, high);
}

TARGET static tally_status fold_vaes(uint8_t *u, uint8_t *v, size_t stride, const psi_leaf *leaves,
                                     unsigned k, uint64_t first, size_t blocks)
{
    const __m512i lane = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
    PSI_CHECK(blocks % 4 == 0 && k >= PSI_SUBSPACE_K_MIN && k <= PSI_SUBSPACE_K_MAX);
    for (size_t c = 0; c < blocks; c += 4) {
        __m512i counter = _mm512_add_epi64(lane, _mm512_maskz_set1_epi64(0x55, (long long)(first + c)));
        __m512i sums[PSI_SUBSPACE_K_MAX], all = _mm512_setzero_si512();
        for (unsigned b = 0; b < PSI_SUBSPACE_K_MAX; b++)
            sums[b] = _mm512_setzero_si512();
        for (unsigned g = 0; g < 1u << (k - 4); g++) {
            __m512i s[GROUP];
            streams(s, leaves + GROUP * g, counter);
            __m512i sum = butterfly(sums, s);
            all = _mm512_xor_si512(all, sum);
            for (unsigned b = 4; b < k; b++)
                if (g >> (b - 4) & 1)
                    sums[b] = _mm512_xor_si512(sums[b], sum);
        }
        if (u)
            _mm512_storeu_si512(u + 16 * c, all);
        for (unsigned b = 0; b < k; b++)
            _mm512_storeu_si512(v + b * stride + 16 * c, sums[b]);
    }
    return TALLY_OK;
}

const psi_subspace_backend psi_subspace_vaes = {
    .name = "vaes", .expand = psi_subspace_expand_aesni, .fold = fold_vaes};

#else
typedef int psi_subspace_vaes_not_built; /* a translation unit is never empty */
#endif
