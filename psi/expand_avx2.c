/* SPDX-License-Identifier: Apache-2.0 */
/* Four messages side by side. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define LANES 4
#define LANES_TARGET __attribute__((target("avx2")))
#define LANES_SHORT __attribute__((target("avx2"), always_inline)) /* of one instruction or a few */

typedef __m256i lanes;

LANES_SHORT static inline lanes lanes_load(const uint64_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

LANES_SHORT static inline void lanes_store(uint64_t *p, lanes x)
{
    _mm256_storeu_si256((void *)p, x);
}

LANES_SHORT static inline lanes lanes_set(uint64_t x)
{
    return _mm256_set1_epi64x((long long)x);
}

LANES_SHORT static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm256_add_epi64(a, b);
}

/* Without it gcc 12 gathers the shifts of a round, runs out of registers and takes 1.4 times as long. */
LANES_SHORT static inline lanes lanes_here(lanes x)
{
    __asm__("" : "+x"(x));
    return x;
}

LANES_SHORT static inline lanes lanes_xor3(lanes a, lanes b, lanes c)
{
    return lanes_here(_mm256_xor_si256(_mm256_xor_si256(a, b), c));
}

LANES_SHORT static inline lanes lanes_choose(lanes a, lanes b, lanes c)
{
    return _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)));
}

/* b ^ c is the a ^ b of the round before, which the compiler sees. */
LANES_SHORT static inline lanes lanes_majority(lanes a, lanes b, lanes c)
{
    return _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)));
}

LANES_SHORT static inline lanes lanes_rotate8(lanes x)
{
    return _mm256_shuffle_epi8(x, _mm256_set_epi8(8, 15, 14, 13, 12, 11, 10, 9, 0, 7, 6, 5, 4, 3, 2, 1, 8, 15,
                                                  14, 13, 12, 11, 10, 9, 0, 7, 6, 5, 4, 3, 2, 1));
}

#define LANES_RIGHT(x, n) _mm256_srli_epi64(x, n)
#define LANES_ROTATE(x, n)                                                                                   \
    ((n) == 8 ? lanes_rotate8(x) : _mm256_or_si256(_mm256_srli_epi64(x, n), _mm256_slli_epi64(x, 64 - (n))))

#include "psi/expand_lanes.h"

const psi_expand_backend psi_expand_avx2 = {.name = "avx2", .many = lanes_many};

#else
typedef int psi_expand_avx2_not_built; /* a translation unit is never empty */
#endif
