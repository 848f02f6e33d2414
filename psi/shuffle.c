/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/shuffle.h"

#include "psi/mem.h"

tally_status psi_shuffle(uint32_t *perm, size_t n)
{
    psi_prg prg;
    tally_status st = psi_prg_init(&prg);
    if (st) {
        psi_wipe(perm, n * sizeof *perm);
        return st;
    }
    /* Inside out: place i swaps with a uniform j <= i. n <= 2^32 - 1, so i + 1 fits the bound; at most 2
       draws of 4 bytes each on average, 32 GiB of the stream's 256. */
    for (size_t i = 0; i < n; i++) {
        uint32_t j = psi_prg_below(&prg, (uint32_t)(i + 1));
        perm[i] = perm[j];
        perm[j] = (uint32_t)i;
    }
    psi_prg_wipe(&prg);
    return TALLY_OK;
}
