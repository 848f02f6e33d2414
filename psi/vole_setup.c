/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/vole_setup.h"

#include "psi/ct.h"
#include "psi/mem.h"

#include <string.h>

size_t psi_vole_levels(const psi_vole_sizes *sizes)
{
    return (size_t)sizes->columns * sizes->k;
}

size_t psi_vole_ots(const psi_vole_sizes *sizes)
{
    return (psi_vole_levels(sizes) + 7) / 8 * 8;
}

size_t psi_vole_choice_bytes(const psi_vole_sizes *sizes)
{
    return 64 + PSI_OT_BASE * psi_vole_ots(sizes) / 8;
}

size_t psi_vole_trees_bytes(const psi_vole_sizes *sizes)
{
    return psi_vole_levels(sizes) * sizeof(psi_ggm_level);
}

tally_status psi_vole_grow(const psi_vole_sizes *sizes, const psi_block (*strings)[2], psi_block *keys,
                           psi_ggm_level *corrections)
{
    psi_prg prg;
    psi_block root;
    psi_ggm *g = psi_ggm_new();
    tally_status st = g ? psi_prg_init(&prg) : TALLY_ERR_NO_MEMORY;
    if (st)
        goto done;
    for (size_t c = 0; !st && c < sizes->columns; c++) {
        psi_prg_bytes(&prg, root.b, sizeof root.b);
        PSI_SECRET(root.b, sizeof root.b);
        st = psi_ggm_grow(g, &root, sizes->k, strings + c * sizes->k, keys + (c << sizes->k),
                          corrections + c * sizes->k);
    }
    PSI_DECLASSIFY(corrections,
                   psi_vole_levels(sizes) * sizeof *corrections); /* sent: each masked with an OT string */
    psi_prg_wipe(&prg);
done:
    psi_wipe(&root, sizeof root);
    psi_ggm_free(g);
    return st;
}

tally_status psi_vole_draw(const psi_vole_sizes *sizes, uint8_t *delta, uint8_t *choices)
{
    tally_status st = psi_random(delta, sizes->columns);
    if (!st)
        st = psi_random(choices, psi_vole_ots(sizes) / 8);
    if (st)
        return st;
    PSI_SECRET(delta, sizes->columns);
    PSI_SECRET(choices, psi_vole_ots(sizes) / 8);
    for (size_t c = 0; c < sizes->columns; c++) {
        delta[c] &= (uint8_t)((1u << sizes->k) - 1);
        /* The OT of level l has the complement of Delta's bit, most significant first. */
        for (size_t l = 0; l < sizes->k; l++) {
            size_t at = c * sizes->k + l;
            unsigned bit = ~(unsigned)delta[c] >> (sizes->k - 1 - l) & 1u;
            choices[at / 8] = (uint8_t)((choices[at / 8] & ~(1u << (at % 8))) | bit << (at % 8));
        }
    }
    return TALLY_OK;
}

tally_status psi_vole_puncture(const psi_vole_sizes *sizes, const uint8_t *delta, const psi_block *strings,
                               const psi_ggm_level *corrections, psi_block *keys)
{
    psi_ggm *g = psi_ggm_new();
    tally_status st = g ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t c = 0; !st && c < sizes->columns; c++)
        st = psi_ggm_puncture(g, delta[c], sizes->k, strings + c * sizes->k, corrections + c * sizes->k,
                              keys + (c << sizes->k));
    psi_ggm_free(g);
    return st;
}

tally_status psi_vole_points(uint8_t points32[32], const psi_sid *sid, const uint8_t nonce32[32])
{
    psi_hash *h = psi_hash_new();
    tally_status st = h ? psi_hash_start(h, PSI_TAG_ROW_HASH) : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_add(h, nonce32, 32);
    if (!st)
        st = psi_hash_end(h, points32);
    psi_hash_free(h);
    return st;
}
