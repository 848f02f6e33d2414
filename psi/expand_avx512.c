/* SPDX-License-Identifier: Apache-2.0 */
/* Eight messages side by side. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define LANES_TARGET __attribute__((target("avx512f")))
#define LANES_SHORT __attribute__((target("avx512f"), always_inline)) /* of one instruction or a few */

typedef __m512i lanes;

LANES_SHORT static inline lanes lanes_load(const uint64_t *p)
{
    return _mm512_loadu_si512((const void *)p);
}

LANES_SHORT static inline void lanes_store(uint64_t *p, lanes x)
{
    _mm512_storeu_si512((void *)p, x);
}

LANES_SHORT static inline lanes lanes_set(uint64_t x)
{
    return _mm512_set1_epi64((long long)x);
}

LANES_SHORT static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_epi64(a, b);
}

/* Functions of three bits by their table of truth: bit 4a + 2b + c is the value. */
LANES_SHORT static inline lanes lanes_xor3(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

LANES_SHORT static inline lanes lanes_choose(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0xca);
}

LANES_SHORT static inline lanes lanes_majority(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0xe8);
}

#define LANES_RIGHT(x, n) _mm512_srli_epi64(x, n)
#define LANES_ROTATE(x, n) _mm512_ror_epi64(x, n)

#include "psi/expand_lanes.h"

const psi_expand_backend psi_expand_avx512 = {.name = "avx512", .many = lanes_many};

#else
typedef int psi_expand_avx512_not_built; /* a translation unit is never empty */
#endif
