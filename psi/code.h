/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binary linear codes C: F_2^80 -> F_2^columns of subspace-VOLE matching: primitive narrow-sense BCH
 * codes of length 255 (field polynomial 0x11D), extended by a parity bit and shortened to dimension 80, in
 * systematic form: bit i < 80 of a codeword is bit i of the message. Derived and checked by
 * docs/parameters/derive.py and tests/test_psi_code.c.
 *
 *   k   base code      columns   distance d   k*d
 *   4   (255,139,31)   197       32           128
 *   6   (255,179,21)   157       22           132
 */
#ifndef PSI_CODE_H
#define PSI_CODE_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

#define PSI_CODE_DIMENSION 80u
#define PSI_CODE_COLUMNS_MAX 197u

typedef struct psi_code {
    unsigned k;       /* bits of Delta in each column */
    unsigned columns; /* length of the code */
    unsigned parity;  /* columns - 80 */
    /* parity column j is the XOR of the systematic columns i with bit i set: bit i of rows[j] (lo: 0..63,
     * hi: 64..79) */
    struct {
        uint64_t lo, hi;
    } rows[PSI_CODE_COLUMNS_MAX - PSI_CODE_DIMENSION];
} psi_code;

/* Fills the code for k = 4 or 6 (TALLY_ERR_USAGE otherwise). A few microseconds. */
tally_status psi_code_init(psi_code *code, unsigned k) TALLY_MUST_CHECK;

/* Codeword of an 80-bit message (10 bytes, bit i in byte i/8, position i%8) into (columns + 7) / 8 bytes.
 * Constant time. */
void psi_code_encode(const psi_code *code, const uint8_t message10[10], uint8_t *word);

/* parity[j] ^= the XOR of the systematic columns of row j: columns are bit strings of len bytes (a multiple
 * of 64), `stride` apart. */
void psi_code_add_parity(const psi_code *code, const uint8_t *systematic, size_t stride, uint8_t *parity,
                         size_t parity_stride, size_t len);

#endif
