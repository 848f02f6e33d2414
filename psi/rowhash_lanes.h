/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short rows with AVX2, one source for carry-less products of one pair and of two at once. Bits are
 * transposed by masked shifts between registers, bytes by interleaving; then comes the polynomial hash with
 * one reduction a row. The file that includes it defines LANES (field elements of a vector: 1 or 2),
 * LANES_TARGET for the processor, the type lanes and the following:
 *
 * - lanes_load: at any address; lanes_key: the same 16 bytes, at any address, in every element
 * - lanes_xor
 * - lanes_product: carry-less, of the halves that a constant names as for PCLMULQDQ
 * - lanes_up, lanes_down: every element shifted by 64 bits
 * - lanes_low: the low halves of two vectors, element by element, the second's above
 * - lanes_rows: stores the rows of LANES slots at the address given and 128 slots on, from their two halves
 *
 * and afterwards a psi_rowhash_backend with lanes_strip.
 */
#include "psi/mem.h"
#include "psi/verify.h"
#include "psi/vole_backends.h"

#define SLOTS 256u /* of a strip at once: the bits of a vector */

/* Eight bit strings of 256 bits, those from count on zero: bit r of byte j of out[i] is bit 8 j + i of string
 * r. */
LANES_TARGET static inline void transpose_bits(__m256i out[8], const uint8_t *strings, size_t stride,
                                               size_t count)
{
    __m256i a[8];
#pragma GCC unroll 8
    for (size_t r = 0; r < 8; r++)
        a[r] = r < count ? _mm256_loadu_si256((const void *)(strings + r * stride)) : _mm256_setzero_si256();
#pragma GCC unroll 3
    for (int step = 4; step > 0; step /= 2) {
        /* the lower half of every 2 step bits */
        const __m256i lower = _mm256_set1_epi8(step == 4 ? 0x0f : step == 2 ? 0x33 : 0x55);
#pragma GCC unroll 8
        for (int r = 0; r < 8; r++)
            if (!(r & step)) {
                __m256i t = _mm256_xor_si256(_mm256_srli_epi64(a[r], step), a[r + step]);
                t = _mm256_and_si256(t, lower);
                a[r + step] = _mm256_xor_si256(a[r + step], t);
                a[r] = _mm256_xor_si256(a[r], _mm256_slli_epi64(t, step));
            }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        out[i] = a[i];
}

/* Sixteen registers of sixteen bytes a lane, transposed within each lane: byte g of register s <- byte s of
 * register g. */
LANES_TARGET static inline void transpose_bytes(__m256i a[16])
{
    __m256i b[16];
#pragma GCC unroll 2
    for (int round = 0; round < 2; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm256_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm256_unpackhi_epi8(a[i], a[i + 8]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            a[2 * i] = _mm256_unpacklo_epi8(b[i], b[i + 8]);
            a[2 * i + 1] = _mm256_unpackhi_epi8(b[i], b[i + 8]);
        }
    }
}

/* Unreduced sums of products by Karatsuba's rule: of the low halves, of the high halves, and of the sums of
 * both. */
typedef struct products {
    lanes low, high, both;
} products;

/* Modulo x^128 + x^7 + x^2 + x + 1: the uppermost quarter times 0x87, then the one below, with the 7 bits
 * that the first has pushed into it. */
LANES_TARGET static inline lanes reduce(const products *s)
{
    static const uint8_t poly[16] = {0x87};
    const lanes p = lanes_key(poly);
    lanes middle = lanes_xor(s->both, lanes_xor(s->low, s->high));
    lanes low = lanes_xor(s->low, lanes_up(middle)), high = lanes_xor(s->high, lanes_down(middle));
    lanes upper = lanes_product(high, p, 0x01);
    low = lanes_xor(low, lanes_up(upper));
    high = lanes_xor(high, lanes_down(upper));
    return lanes_xor(low, lanes_product(high, p, 0x00));
}

/* A power of both points, and the sum of its halves for each. */
typedef struct power {
    lanes z[2], both;
} power;

/* The halves of the rows of LANES slots, whose first block is at row and each further one 32 bytes on. */
LANES_TARGET static inline void hash(lanes half[2], const uint8_t *row, const power *powers, size_t blocks)
{
    products sums[2] = {{{0}, {0}, {0}}, {{0}, {0}, {0}}};
    for (size_t b = 0; b < blocks; b++) {
        const power *z = powers + b;
        lanes a = lanes_load(row + 32 * b), both = lanes_xor(a, lanes_down(a));
#pragma GCC unroll 2
        for (size_t p = 0; p < 2; p++) {
            sums[p].low = lanes_xor(sums[p].low, lanes_product(a, z->z[p], 0x00));
            sums[p].high = lanes_xor(sums[p].high, lanes_product(a, z->z[p], 0x11));
        }
        sums[0].both = lanes_xor(sums[0].both, lanes_product(both, z->both, 0x00));
        sums[1].both = lanes_xor(sums[1].both, lanes_product(both, z->both, 0x10));
    }
    half[0] = reduce(&sums[0]);
    half[1] = reduce(&sums[1]);
}

LANES_TARGET static void lanes_strip(uint8_t *rows, const uint8_t *matrix, size_t stride, size_t bits,
                                     const psi_row_key *key)
{
    __m256i bytes[PSI_ROW_BLOCKS_MAX][16][8]; /* 40 KiB: block, eight strings, slot modulo 8 */
    __m256i row[16][PSI_ROW_BLOCKS_MAX];      /* blocks of slots 8 s + i and 8 s + i + 128 */
    power powers[PSI_ROW_BLOCKS_MAX];
    size_t blocks = (bits + 127) / 128;
    PSI_CHECK(blocks <= PSI_ROW_BLOCKS_MAX);
    for (size_t b = 0; b < blocks; b++) {
        lanes z1 = lanes_key(key->power[0][b]), z2 = lanes_key(key->power[1][b]);
        lanes both = lanes_low(lanes_xor(z1, lanes_down(z1)), lanes_xor(z2, lanes_down(z2)));
        powers[b] = (power){{z1, z2}, both};
    }
    for (size_t at = 0; at < PSI_ROW_STRIP; at += SLOTS) {
        for (size_t r = 0; r < 128 * blocks; r += 8) {
            size_t count = r >= bits ? 0 : bits - r < 8 ? bits - r : 8;
            transpose_bits(bytes[r / 128][r / 8 % 16], matrix + (count ? r * stride + at / 8 : 0), stride,
                           count);
        }
        for (size_t i = 0; i < 8; i++) {
            for (size_t b = 0; b < blocks; b++) {
                __m256i a[16];
#pragma GCC unroll 16
                for (size_t g = 0; g < 16; g++)
                    a[g] = bytes[b][g][i];
                transpose_bytes(a);
#pragma GCC unroll 16
                for (size_t s = 0; s < 16; s++)
                    row[s][b] = a[s];
            }
            for (size_t s = 0; s < 16; s++)
                for (size_t lane = 0; lane < 2; lane += LANES) {
                    lanes half[2];
                    hash(half, (const uint8_t *)row[s] + 16 * lane, powers, blocks);
                    lanes_rows(rows + PSI_ROW_BYTES * (at + 128 * lane + 8 * s + i), half[0], half[1]);
                }
        }
    }
    psi_wipe(bytes, sizeof bytes[0] * blocks);
    psi_wipe(row, sizeof row);
}
