/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/digits.h"

#include "psi/mem.h"

/* 2^252 + 27742317777372353535851937790883648493 */
const uint8_t psi_group_order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                     0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

void psi_digits(int8_t digits[PSI_DIGITS], const psi_scalar *k)
{
    int carry = 0;
    for (int i = 0; i < PSI_DIGITS; i++) {
        int d = (k->b[i / 2] >> (4 * (i % 2)) & 15) + carry; /* 0..16 */
        carry = (d + 8) >> 4;                                /* 1 from 8 on */
        digits[i] = (int8_t)(d - 16 * carry);
    }
}

void psi_scalar_half(psi_scalar *out, const psi_scalar *k)
{
    /* l is odd: an odd k is halved as k + l < 2^254. */
    unsigned odd = 0u - (k->b[0] & 1u), carry = 0;
    uint8_t sum[33];
    for (int i = 0; i < 32; i++) {
        carry += k->b[i] + (psi_group_order[i] & odd);
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    sum[32] = (uint8_t)carry;
    for (int i = 0; i < 32; i++)
        out->b[i] = (uint8_t)(sum[i] >> 1 | sum[i + 1] << 7);
    psi_wipe(sum, sizeof sum);
}
