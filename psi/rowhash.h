/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bit columns to short rows (docs/protocol-vole.md, "Short rows"): transposes a bit matrix and
 * compresses each row linearly to 32 bytes. Takes `bits` bit strings (one for each bit of a row), gives one
 * 32-byte row for each slot:
 *
 *   Z(row) = (sum of block_i * z1^(i+1), sum of block_i * z2^(i+1)), i = 0 .. ceil(bits/128) - 1, over
 * GF(2^128) = F_2[x]/(x^128 + x^7 + x^2 + x + 1),
 *
 * where row bit r is coefficient r % 128 of block r / 128, and coefficient c of an element is bit c % 8 of
 * byte c / 8. Backends: portable, avx2 (with PCLMULQDQ), vpclmul256 (AVX2 and VPCLMULQDQ) and avx512 (GFNI,
 * VPCLMULQDQ), bit for bit alike. Called by psi/vole.
 */
#ifndef PSI_ROWHASH_H
#define PSI_ROWHASH_H

#include <stddef.h>
#include <stdint.h>

#define PSI_ROW_BLOCKS_MAX 10u /* 1280 bits; k = 4: 788 bits, 7 blocks; k = 6: 942 bits, 8 blocks */
#define PSI_ROW_BYTES 32u
#define PSI_ROW_STRIP 512u /* slots in one call */

/* Powers of the two points: power[p][i] = z_p^(i+1). Public once the sender has sent its nonce. */
typedef struct psi_row_key {
    uint8_t power[2][PSI_ROW_BLOCKS_MAX][16];
} psi_row_key;

/* Both points from 32 bytes. */
void psi_row_key_init(psi_row_key *key, const uint8_t points32[32]);

/* a * b in GF(2^128), in the representation above. Constant time. */
void psi_gf128_mul(uint8_t out16[16], const uint8_t a16[16], const uint8_t b16[16]);

typedef struct psi_rowhash_backend {
    const char *name;
    /* rows[32*s ..) for slots s = 0..511; bit s of bit string r is in matrix[r*stride + s/8], position s%8.
     * bits <= 1280. */
    void (*strip)(uint8_t *rows, const uint8_t *matrix, size_t stride, size_t bits, const psi_row_key *key);
} psi_rowhash_backend;

const psi_rowhash_backend *psi_rowhash(void);
const psi_rowhash_backend *const *psi_rowhash_backends(size_t *count);

/* Z of one row given as bits in bytes (bit r in byte r/8): for the sender's tables. */
void psi_row_compress(uint8_t row32[32], const uint8_t *bits_in, size_t bits, const psi_row_key *key);

#endif
