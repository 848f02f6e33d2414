/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ct.h"

uint64_t psi_ct_equal(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint64_t differs = 0; /* 0..255: the OR of all byte differences */
    for (size_t i = 0; i < len; i++)
        differs |= (uint64_t)(x[i] ^ y[i]);
    /* differs - 1 has its top bit set only for differs == 0. */
    return 0 - (psi_ct_barrier(differs - 1) >> 63);
}
