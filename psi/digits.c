/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/digits.h"

#include "psi/mem.h"

/* 2^252 + 27742317777372353535851937790883648493 */
const uint8_t psi_group_order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                     0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

/* sum = k + l if k % 2 == parity, else k; 33 bytes. Both are below 2^254. */
static void add_order_if(uint8_t sum[33], const psi_scalar *k, unsigned parity)
{
    unsigned add = 0u - (1u ^ parity ^ (k->b[0] & 1u)), carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += k->b[i] + (psi_group_order[i] & add);
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    sum[32] = (uint8_t)carry;
}

/* half = sum / 2, rounded down */
static void halve(uint8_t half[32], const uint8_t sum[33])
{
    for (int i = 0; i < 32; i++)
        half[i] = (uint8_t)(sum[i] >> 1 | sum[i + 1] << 7);
}

/* An odd s is 2 h + 1 with h = sum of n_i 16^i, and the sum of 15 * 16^i for i < 63 is 16^63 - 1: so s = the
 * sum of (2 n_i - 15) 16^i for i < 63 and (2 n_63 + 1) 16^63. */
void psi_digits(int8_t digits[PSI_DIGITS], const psi_scalar *k)
{
    uint8_t sum[33], half[32];
    add_order_if(sum, k, 0);
    halve(half, sum);
    for (int i = 0; i < PSI_DIGITS; i++)
        digits[i] = (int8_t)(2 * (half[i / 2] >> (4 * (i % 2)) & 15) - (i == PSI_DIGITS - 1 ? -1 : 15));
    psi_wipe(sum, sizeof sum);
    psi_wipe(half, sizeof half);
}

void psi_scalar_half(psi_scalar *out, const psi_scalar *k)
{
    uint8_t sum[33];
    add_order_if(sum, k, 1); /* l is odd */
    halve(out->b, sum);
    psi_wipe(sum, sizeof sum);
}
