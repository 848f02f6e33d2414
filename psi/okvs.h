/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oblivious key-value store, one bin: a three-hash garbled cuckoo table with 64 dense binary columns
 * (Raghuraman and Rindal 2022; Garimella, Pinkas, Rosulek, Trieu, Yanai 2021). Takes rows (three sparse
 * positions and a 64-bit dense mask) and 80-bit values, gives a table P with, for every row, value = P[p0] ^
 * P[p1] ^ P[p2] ^ XOR of P[sparse + j] over the bits j of the mask. Called by psi/vole for each bin. Variable
 * time: it runs on the receiver's own items only, and the peer sees nothing but the finished table masked.
 */
#ifndef PSI_OKVS_H
#define PSI_OKVS_H

#include "psi/rng.h"
#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

#define PSI_OKVS_DENSE 64u
#define PSI_OKVS_SLOTS_MAX 65536u /* so that positions fit 16 bits */

typedef struct psi_okvs_row {
    uint16_t p[3]; /* distinct, below the number of sparse columns */
    uint64_t mask;
} psi_okvs_row;

/* 80 bits: the upper 48 of hi are zero. */
typedef struct psi_okvs_value {
    uint64_t lo, hi;
} psi_okvs_value;

/* Work space for one thread: bins of up to `rows` rows and `slots` slots (sparse and dense). NULL when memory
 * is short. */
typedef struct psi_okvs psi_okvs;
psi_okvs *psi_okvs_new(size_t rows, size_t slots);
void psi_okvs_free(psi_okvs *w);

/*
 * Fills table[0 .. slots). n rows with their values; free entries come from prg. TALLY_OK; TALLY_ERR_DIFFERS
 * when the dense part has no full rank or more than 48 rows stay over (the caller draws a new seed): table is
 * then wiped. *gap, if not NULL: rows that peeling left over.
 */
tally_status psi_okvs_encode(psi_okvs *w, psi_okvs_value *table, size_t slots, const psi_okvs_row *rows,
                             const psi_okvs_value *values, size_t n, psi_prg *prg,
                             unsigned *gap) TALLY_MUST_CHECK;

#endif
