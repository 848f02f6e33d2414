/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ggm.h"

#include "psi/ct.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <openssl/evp.h>
#include <string.h>

#define LEAVES_MAX (1u << PSI_GGM_DEPTH_MAX)

struct psi_ggm {
    EVP_CIPHER_CTX *child[2];
};

/* Nothing-up-my-sleeve keys: ASCII text of 16 bytes each. */
static const char fixed_keys[2][17] = {"tally ggm left 1", "tally ggm right1"};

psi_ggm *psi_ggm_new(void)
{
    psi_ggm *g = psi_calloc(1, sizeof *g);
    EVP_CIPHER *aes = g ? EVP_CIPHER_fetch(psi_openssl(), "AES-128-ECB", NULL) : NULL;
    int ok = aes != NULL;
    for (int b = 0; b < 2 && ok; b++) {
        g->child[b] = EVP_CIPHER_CTX_new();
        ok = g->child[b] &&
             EVP_EncryptInit_ex2(g->child[b], aes, (const unsigned char *)fixed_keys[b], NULL, NULL) &&
             EVP_CIPHER_CTX_set_padding(g->child[b], 0);
    }
    EVP_CIPHER_free(aes);
    if (ok)
        return g;
    psi_ggm_free(g);
    return NULL;
}

void psi_ggm_free(psi_ggm *g)
{
    if (!g)
        return;
    EVP_CIPHER_CTX_free(g->child[1]);
    EVP_CIPHER_CTX_free(g->child[0]);
    psi_free(g);
}

static void xor_block(psi_block *a, const psi_block *b)
{
    for (int i = 0; i < 16; i++)
        a->b[i] ^= b->b[i];
}

/* nodes[0 .. n) become their 2n children, in place: child b of node i at 2i + b. */
static tally_status grow_level(psi_ggm *g, psi_block *nodes, size_t n)
{
    psi_block half[2][LEAVES_MAX / 2];
    int len, bytes = (int)(n * sizeof *nodes);
    for (int b = 0; b < 2; b++)
        if (!EVP_EncryptUpdate(g->child[b], half[b][0].b, &len, nodes[0].b, bytes) || len != bytes) {
            psi_wipe(half, sizeof half);
            return TALLY_ERR_INTERNAL;
        }
    for (size_t i = n; i-- > 0;) {
        psi_block parent = nodes[i];
        for (size_t b = 0; b < 2; b++) {
            nodes[2 * i + b] = half[b][i];
            xor_block(&nodes[2 * i + b], &parent);
        }
    }
    psi_wipe(half, sizeof half);
    return TALLY_OK;
}

static void level_sums(psi_ggm_level *sums, const psi_block *nodes, size_t n)
{
    memset(sums, 0, sizeof *sums);
    for (size_t i = 0; i < n; i++)
        xor_block(&sums->sum[i & 1], &nodes[i]);
}

tally_status psi_ggm_grow(psi_ggm *g, const psi_block *root, unsigned k, const psi_block (*ot)[2],
                          psi_block *leaves, psi_ggm_level *corrections)
{
    PSI_CHECK(k >= 1 && k <= PSI_GGM_DEPTH_MAX);
    leaves[0] = *root;
    for (unsigned level = 0; level < k; level++) {
        tally_status st = grow_level(g, leaves, (size_t)1 << level);
        if (st)
            return st;
        level_sums(&corrections[level], leaves, (size_t)2 << level);
        for (int b = 0; b < 2; b++)
            xor_block(&corrections[level].sum[b], &ot[level][b]);
    }
    return TALLY_OK;
}

/* All ones if a == b, for values below 2^32. */
static uint8_t mask_equal(uint32_t a, uint32_t b)
{
    uint64_t d = a ^ b;
    return (uint8_t)psi_ct_barrier((uint64_t)0 - ((d - 1) >> 63));
}

static void xor_masked(psi_block *a, const psi_block *b, uint8_t mask)
{
    for (int i = 0; i < 16; i++)
        a->b[i] ^= (uint8_t)(b->b[i] & mask);
}

static void clear_masked(psi_block *a, uint8_t mask)
{
    for (int i = 0; i < 16; i++)
        a->b[i] &= (uint8_t)~mask;
}

tally_status psi_ggm_puncture(psi_ggm *g, unsigned delta, unsigned k, const psi_block *ot,
                              const psi_ggm_level *corrections, psi_block *leaves)
{
    PSI_CHECK(k >= 1 && k <= PSI_GGM_DEPTH_MAX && delta >> k == 0);
    memset(leaves, 0, sizeof *leaves);
    for (unsigned level = 0; level < k; level++) {
        /* Node `hole` of this level's parents is the unknown one; its children are taken out, then the one
         * beside the path is restored. */
        uint32_t hole = level ? delta >> (k - level) : 0, bit = delta >> (k - 1 - level) & 1;
        size_t n = (size_t)2 << level;
        tally_status st = grow_level(g, leaves, n / 2);
        if (st)
            return st;
        for (uint32_t i = 0; i < n; i++)
            clear_masked(&leaves[i], mask_equal(i / 2, hole));
        psi_ggm_level sums;
        psi_block found = ot[level], known = {{0}};
        level_sums(&sums, leaves, n);
        for (uint32_t b = 0; b < 2; b++) {
            uint8_t wanted = mask_equal(b, bit ^ 1);
            xor_masked(&found, &corrections[level].sum[b], wanted);
            xor_masked(&known, &sums.sum[b], wanted);
        }
        xor_block(&found, &known);
        for (uint32_t i = 0; i < n; i++)
            xor_masked(&leaves[i], &found, mask_equal(i, 2 * hole + (bit ^ 1)));
        psi_wipe(&sums, sizeof sums);
        psi_wipe(&found, sizeof found);
        psi_wipe(&known, sizeof known);
    }
    /* leaves[j] moves to j ^ delta: one conditional exchange of halves for each bit of delta. */
    for (unsigned b = 0; b < k; b++) {
        uint8_t swap = mask_equal(delta >> b & 1, 1);
        for (size_t j = 0; j < (size_t)1 << k; j++) {
            size_t other = j | (size_t)1 << b;
            if (other == j)
                continue;
            psi_block t = leaves[j];
            xor_block(&t, &leaves[other]);
            xor_masked(&leaves[j], &t, swap);
            xor_masked(&leaves[other], &t, swap);
        }
    }
    return TALLY_OK;
}
