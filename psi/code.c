/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/code.h"

#include "psi/xor.h"

#include <string.h>

/* Generator polynomials of the base codes, bit i = coefficient of x^i. */
typedef struct base_code {
    unsigned k, degree;
    uint64_t hi, lo;
} base_code;

static const base_code codes[] = {
    {4, 116, 0x0013180f68607db8, 0xde3a5d853caeef25},
    {6, 76, 0x00000000000012ca, 0x7239ee08d439812d},
};

__extension__ typedef unsigned __int128 poly;

/* x^i * message modulo the generator, bit by bit: the parity bits of message bit i in systematic form, then
 * the overall parity bit. */
tally_status psi_code_init(psi_code *code, unsigned k)
{
    const base_code *base = NULL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].k == k)
            base = &codes[i];
    if (!base)
        return TALLY_ERR_USAGE;
    poly generator = (poly)base->hi << 64 | base->lo, top = (poly)1 << base->degree;
    memset(code, 0, sizeof *code);
    code->k = k;
    code->parity = base->degree + 1;
    code->columns = PSI_CODE_DIMENSION + code->parity;
    poly r = 1;
    for (unsigned s = 0; s < base->degree; s++) { /* x^degree mod generator */
        r <<= 1;
        if (r & top)
            r ^= generator;
    }
    for (unsigned i = 0; i < PSI_CODE_DIMENSION; i++) { /* r = x^(degree + i) mod generator */
        unsigned weight = 1;
        for (unsigned j = 0; j < base->degree; j++)
            if (r >> j & 1) {
                weight ^= 1;
                if (i < 64)
                    code->rows[j].lo |= (uint64_t)1 << i;
                else
                    code->rows[j].hi |= (uint64_t)1 << (i - 64);
            }
        if (weight & 1) {
            if (i < 64)
                code->rows[base->degree].lo |= (uint64_t)1 << i;
            else
                code->rows[base->degree].hi |= (uint64_t)1 << (i - 64);
        }
        r <<= 1;
        if (r & top)
            r ^= generator;
    }
    return TALLY_OK;
}

void psi_code_encode(const psi_code *code, const uint8_t message10[10], uint8_t *word)
{
    uint64_t lo, hi = 0;
    memcpy(&lo, message10, 8); /* little-endian, as all of Tally's targets */
    memcpy(&hi, message10 + 8, 2);
    memset(word, 0, (code->columns + 7) / 8);
    memcpy(word, message10, 10);
    for (unsigned j = 0; j < code->parity; j++) {
        unsigned bit = (unsigned)__builtin_parityll((code->rows[j].lo & lo) ^ (code->rows[j].hi & hi));
        unsigned at = PSI_CODE_DIMENSION + j;
        word[at / 8] = (uint8_t)(word[at / 8] | bit << (at % 8));
    }
}

/* 64 bytes of the sum of the columns whose bits are set. */
static inline void add_columns(psi_vec sum[4], uint64_t set, const uint8_t *columns, size_t stride)
{
    for (; set; set &= set - 1) {
        const uint8_t *c = columns + (size_t)__builtin_ctzll(set) * stride;
        sum[0] ^= psi_load(c);
        sum[1] ^= psi_load(c + 16);
        sum[2] ^= psi_load(c + 32);
        sum[3] ^= psi_load(c + 48);
    }
}

void psi_code_add_parity(const psi_code *code, const uint8_t *systematic, size_t stride, uint8_t *parity,
                         size_t parity_stride, size_t len)
{
    for (size_t at = 0; at < len; at += 64)
        for (unsigned j = 0; j < code->parity; j++) {
            uint8_t *out = parity + j * parity_stride + at;
            psi_vec sum[4] = {psi_load(out), psi_load(out + 16), psi_load(out + 32), psi_load(out + 48)};
            add_columns(sum, code->rows[j].lo, systematic + at, stride);
            add_columns(sum, code->rows[j].hi, systematic + 64 * stride + at, stride);
            for (size_t i = 0; i < 4; i++)
                psi_store(out + 16 * i, sum[i]);
        }
}
