/* SPDX-License-Identifier: Apache-2.0 */
/* Bit transposition by byte interleaving and GFNI, then the polynomial hash by carry-less products with one
 * reduction a row. */
#include "psi/vole_backends.h"

#if defined(__x86_64__)

#include "psi/mem.h"
#include "psi/verify.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,gfni,vpclmulqdq")))

/* After interleaving, register t holds in 128-bit lane L the bytes 16 L + 2 t and 16 L + 2 t + 1 of the eight
 * strings. */
static inline size_t slot_of(size_t lane, size_t t, size_t s)
{
    return 8 * (16 * lane + 2 * t) + s; /* s = 0..15 */
}

/* Eight bit strings of 64 bytes -> eight registers in which each byte holds the eight strings' bits of one
 * slot. */
TARGET static inline void transpose8(__m512i out[8], const uint8_t *strings, size_t stride, size_t count)
{
    __m512i a[8], b[8];
    /* GFNI numbers a matrix's rows from the top byte, so the strings go in upside down. */
    for (size_t i = 0; i < 8; i++)
        a[7 - i] = i < count ? _mm512_loadu_si512(strings + i * stride) : _mm512_setzero_si512();
    for (size_t i = 0; i < 4; i++) {
        b[2 * i] = _mm512_unpacklo_epi8(a[i], a[i + 4]);
        b[2 * i + 1] = _mm512_unpackhi_epi8(a[i], a[i + 4]);
    }
    for (size_t h = 0; h < 2; h++)
        for (size_t i = 0; i < 2; i++) {
            a[4 * h + 2 * i] = _mm512_unpacklo_epi8(b[2 * i + h], b[2 * (i + 2) + h]);
            a[4 * h + 2 * i + 1] = _mm512_unpackhi_epi8(b[2 * i + h], b[2 * (i + 2) + h]);
        }
    for (size_t h = 0; h < 2; h++)
        for (size_t q = 0; q < 2; q++) {
            out[4 * h + 2 * q] = _mm512_unpacklo_epi8(a[4 * h + q], a[4 * h + 2 + q]);
            out[4 * h + 2 * q + 1] = _mm512_unpackhi_epi8(a[4 * h + q], a[4 * h + 2 + q]);
        }
    const __m512i identity = _mm512_set1_epi64((long long)0x8040201008040201u);
    for (size_t t = 0; t < 8; t++)
        out[t] = _mm512_gf2p8affine_epi64_epi8(identity, out[t], 0);
}

/* Sixteen registers of sixteen bytes a lane, transposed within each lane: byte g of register s <- byte s of
 * register g. */
TARGET static inline void transpose16(__m512i a[16])
{
    __m512i b[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm512_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm512_unpackhi_epi8(a[i], a[i + 8]);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = _mm512_unpacklo_epi8(b[i], b[i + 8]);
            a[2 * i + 1] = _mm512_unpackhi_epi8(b[i], b[i + 8]);
        }
    }
}

/* Unreduced product sums of four slots: low, middle and high 128 bits (the middle one shifted by 64). */
typedef struct product {
    __m512i low, middle, high;
} product;

TARGET static inline void add_product(product *p, __m512i a, __m512i z)
{
    p->low = _mm512_xor_si512(p->low, _mm512_clmulepi64_epi128(a, z, 0x00));
    p->high = _mm512_xor_si512(p->high, _mm512_clmulepi64_epi128(a, z, 0x11));
    p->middle = _mm512_ternarylogic_epi64(p->middle, _mm512_clmulepi64_epi128(a, z, 0x01),
                                          _mm512_clmulepi64_epi128(a, z, 0x10), 0x96);
}

/* Modulo x^128 + x^7 + x^2 + x + 1: the high half times 0x87, and what that pushes over 2^128 (7 bits) once
 * more. */
TARGET static inline __m512i reduce(const product *p)
{
    const __m512i poly = _mm512_set_epi64(0, 0x87, 0, 0x87, 0, 0x87, 0, 0x87);
    __m512i low = _mm512_xor_si512(p->low, _mm512_bslli_epi128(p->middle, 8));
    __m512i high = _mm512_xor_si512(p->high, _mm512_bsrli_epi128(p->middle, 8));
    __m512i upper = _mm512_clmulepi64_epi128(high, poly, 0x01);
    low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128(high, poly, 0x00));
    low = _mm512_xor_si512(low, _mm512_bslli_epi128(upper, 8));
    return _mm512_xor_si512(low, _mm512_clmulepi64_epi128(upper, poly, 0x01));
}

TARGET static inline void store_lanes(uint8_t *rows, size_t t, size_t s, __m512i first, __m512i second)
{
    uint8_t z1[64], z2[64];
    _mm512_storeu_si512(z1, first);
    _mm512_storeu_si512(z2, second);
    for (size_t lane = 0; lane < 4; lane++) {
        uint8_t *row = rows + PSI_ROW_BYTES * slot_of(lane, t, s);
        _mm_storeu_si128((void *)row, _mm_loadu_si128((const void *)(z1 + 16 * lane)));
        _mm_storeu_si128((void *)(row + 16), _mm_loadu_si128((const void *)(z2 + 16 * lane)));
    }
}

TARGET static void strip_avx512(uint8_t *rows, const uint8_t *matrix, size_t stride, size_t bits,
                                const psi_row_key *key)
{
    __m512i bytes[PSI_ROW_BLOCKS_MAX][16][8]; /* 80 KiB: block, eight strings, register */
    size_t blocks = (bits + 127) / 128;
    PSI_CHECK(blocks <= PSI_ROW_BLOCKS_MAX);
    for (size_t b = 0; b < blocks; b++)
        for (size_t g = 0; g < 16; g++) {
            size_t at = 128 * b + 8 * g, left = at < bits ? bits - at : 0;
            transpose8(bytes[b][g], left ? matrix + at * stride : matrix, stride, left < 8 ? left : 8);
        }
    for (size_t t = 0; t < 8; t++) {
        product sums[2][16];
        const __m512i zero = _mm512_setzero_si512();
        for (size_t s = 0; s < 16; s++)
            sums[0][s] = sums[1][s] = (product){zero, zero, zero};
        for (size_t b = 0; b < blocks; b++) {
            __m512i a[16];
            for (size_t g = 0; g < 16; g++)
                a[g] = bytes[b][g][t];
            transpose16(a);
            for (size_t p = 0; p < 2; p++) {
                __m512i z = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)key->power[p][b]));
                for (size_t s = 0; s < 16; s++)
                    add_product(&sums[p][s], a[s], z);
            }
        }
        for (size_t s = 0; s < 16; s++)
            store_lanes(rows, t, s, reduce(&sums[0][s]), reduce(&sums[1][s]));
    }
    psi_wipe(bytes, sizeof bytes[0] * blocks);
}

const psi_rowhash_backend psi_rowhash_avx512 = {.name = "avx512", .strip = strip_avx512};

#else
typedef int psi_rowhash_avx512_not_built; /* a translation unit is never empty */
#endif
