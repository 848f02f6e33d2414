/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 with the processor's SHA instructions, four messages side by side so that their latencies overlap.
 */
#include "psi/vole_backends.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define LANES 4

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* The state as the instructions want it: words f e b a and h g d c, lowest lane first. */
TARGET static inline void load_state(const uint32_t state[8], __m128i *abef, __m128i *cdgh)
{
    *abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    *cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
}

TARGET static inline void store_digest(uint8_t out[32], __m128i abef, __m128i cdgh)
{
    const __m128i swap = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    /* bytes reversed: a b e f and c d g h in big-endian order */
    __m128i first = _mm_shuffle_epi8(abef, swap), second = _mm_shuffle_epi8(cdgh, swap);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_unpacklo_epi64(first, second));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_unpackhi_epi64(first, second));
}

/* Messages side by side; the compiler keeps them in registers because every loop below is unrolled. */
typedef struct lanes {
    __m128i abef[LANES], cdgh[LANES], w[LANES][4];
} lanes;

/* Four rounds, number 4t to 4t + 3; up to t = 11, w[t % 4] is then replaced by the words of group t + 4. */
TARGET static inline __attribute__((always_inline)) void rounds(lanes *x, int t)
{
    const __m128i k = _mm_load_si128((const __m128i *)(const void *)(round_constants + 4 * t));
#pragma GCC unroll 4
    for (int l = 0; l < LANES; l++) {
        __m128i *w = x->w[l], m = _mm_add_epi32(w[t % 4], k);
        x->cdgh[l] = _mm_sha256rnds2_epu32(x->cdgh[l], x->abef[l], m);
        x->abef[l] = _mm_sha256rnds2_epu32(x->abef[l], x->cdgh[l], _mm_shuffle_epi32(m, 0x0e));
        if (t < 12) {
            __m128i next = _mm_sha256msg1_epu32(w[t % 4], w[(t + 1) % 4]);
            next = _mm_add_epi32(next, _mm_alignr_epi8(w[(t + 3) % 4], w[(t + 2) % 4], 4));
            w[t % 4] = _mm_sha256msg2_epu32(next, w[(t + 3) % 4]);
        }
    }
}

/* One padded block for each lane. */
TARGET static void compress_lanes(uint8_t (*out)[32], const uint32_t state[8], const uint8_t (*blocks)[64])
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abef, cdgh;
    lanes x;
    load_state(state, &abef, &cdgh);
#pragma GCC unroll 4
    for (int l = 0; l < LANES; l++) {
        const __m128i *block = (const __m128i *)(const void *)blocks[l];
        x.abef[l] = abef;
        x.cdgh[l] = cdgh;
        for (int i = 0; i < 4; i++)
            x.w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128(block + i), swap);
    }
#pragma GCC unroll 16
    for (int t = 0; t < 16; t++)
        rounds(&x, t);
#pragma GCC unroll 4
    for (int l = 0; l < LANES; l++)
        store_digest(out[l], _mm_add_epi32(x.abef[l], abef), _mm_add_epi32(x.cdgh[l], cdgh));
}

TARGET static void many_ni(uint8_t (*out)[32], const uint32_t state[8], const uint8_t *messages, size_t len,
                           size_t n)
{
    uint8_t blocks[LANES][64] = {{0}}, digests[LANES][32];
    uint32_t bits = (uint32_t)(8 * (64 + len));
    for (int l = 0; l < LANES; l++) {
        blocks[l][len] = 0x80;
        blocks[l][62] = (uint8_t)(bits >> 8);
        blocks[l][63] = (uint8_t)bits;
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++)
            memcpy(blocks[l], messages + (i + l) * len, len);
        compress_lanes(out + i, state, (const uint8_t(*)[64])blocks);
    }
    if (i == n)
        return;
    for (size_t l = 0; i + l < n; l++)
        memcpy(blocks[l], messages + (i + l) * len, len);
    compress_lanes(digests, state, (const uint8_t(*)[64])blocks);
    memcpy(out + i, digests, (n - i) * 32);
}

TARGET static void blocks_ni(uint8_t (*out)[32], const uint8_t (*blocks)[64], size_t n)
{
    uint8_t rest[LANES][64] = {{0}}, digests[LANES][32];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        compress_lanes(out + i, psi_sha256_start, blocks + i);
    if (i == n)
        return;
    memcpy(rest, blocks + i, (n - i) * sizeof *rest);
    compress_lanes(digests, psi_sha256_start, (const uint8_t(*)[64])rest);
    memcpy(out + i, digests, (n - i) * sizeof *digests);
}

const psi_sha256_backend psi_sha256_ni = {.name = "sha-ni", .many = many_ni, .blocks = blocks_ni};

#else
typedef int psi_sha256_ni_not_built; /* a translation unit is never empty */
#endif
