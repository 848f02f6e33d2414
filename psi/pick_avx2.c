/* SPDX-License-Identifier: Apache-2.0 */
/* Four rows and twelve limbs at a time: twelve sums, a mask and the entry's number stay in registers. */
#include "psi/pick.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { ROWS = 4, WORDS = 3, STEP = 4 * WORDS };

__attribute__((target("avx2"))) static void rows_avx2(psi_pick_entry *out, const psi_pick_entry *table,
                                                      size_t entries, const uint64_t *index)
{
    const __m256i one = _mm256_set1_epi64x(1);
    for (size_t u = 0; u < PSI_PICK_ROWS; u += ROWS)
        for (size_t k = 0; k < PSI_PICK_LIMBS; k += STEP) {
            __m256i x[ROWS][WORDS], wanted[ROWS], e = _mm256_setzero_si256();
            for (size_t r = 0; r < ROWS; r++) {
                wanted[r] = _mm256_set1_epi64x((long long)index[u + r]);
                for (size_t i = 0; i < WORDS; i++)
                    x[r][i] = _mm256_setzero_si256();
            }
            for (size_t n = 0; n < entries; n++) {
                for (size_t r = 0; r < ROWS; r++) {
                    __m256i mask = _mm256_cmpeq_epi64(e, wanted[r]);
                    for (size_t i = 0; i < WORDS; i++) {
                        __m256i entry =
                            _mm256_loadu_si256((const __m256i *)(const void *)(table[n] + k + 4 * i));
                        x[r][i] = _mm256_or_si256(x[r][i], _mm256_and_si256(mask, entry));
                    }
                }
                e = _mm256_add_epi64(e, one);
            }
            for (size_t r = 0; r < ROWS; r++)
                for (size_t i = 0; i < WORDS; i++)
                    _mm256_storeu_si256((__m256i *)(void *)(out[u + r] + k + 4 * i), x[r][i]);
        }
}

const psi_pick_backend psi_pick_avx2 = {"AVX2", rows_avx2};
#endif
