/* SPDX-License-Identifier: Apache-2.0 */
/* Punctured trees against a tree grown in the test, for every place of the hole. */
#include "psi/ggm.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <openssl/evp.h>
#include <string.h>

enum { LEAVES = 1 << PSI_GGM_DEPTH_MAX };

static psi_ggm *g;
static psi_block root, ot[PSI_GGM_DEPTH_MAX][2], all[LEAVES], some[LEAVES];
static psi_ggm_level corrections[PSI_GGM_DEPTH_MAX];

static void fresh(unsigned k)
{
    unit_random(&root, sizeof root);
    unit_random(ot, sizeof ot);
    memset(corrections, 0xaa, sizeof corrections);
    memset(all, 0xbb, sizeof all);
    memset(some, 0xcc, sizeof some);
    CU_ASSERT_EQUAL_FATAL(psi_ggm_grow(g, &root, k, (const psi_block(*)[2])ot, all, corrections), TALLY_OK);
}

/* What the peer's OTs give it: the string for the complement of each bit of delta, most significant first. */
static tally_status puncture(unsigned delta, unsigned k)
{
    psi_block strings[PSI_GGM_DEPTH_MAX];
    for (unsigned level = 0; level < k; level++)
        strings[level] = ot[level][~(delta >> (k - 1 - level)) & 1u];
    return psi_ggm_puncture(g, delta, k, strings, corrections, some);
}

/* Leaves that are not those of the tree; the hole counts if it is not zero. */
static unsigned wrong_leaves(unsigned delta, unsigned k)
{
    static const psi_block zero;
    unsigned wrong = memcmp(&some[0], &zero, 16) != 0;
    for (unsigned j = 0; j < 1u << k; j++)
        wrong += j != delta && memcmp(&some[j ^ delta], &all[j], 16) != 0;
    return wrong;
}

static void child(psi_block *out, const psi_block *parent, unsigned b)
{
    static const char *const keys[2] = {"tally ggm left 1", "tally ggm right1"};
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;
    CU_ASSERT_FATAL(c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, (const uint8_t *)keys[b], NULL));
    CU_ASSERT(EVP_EncryptUpdate(c, out->b, &len, parent->b, 16) == 1);
    for (int i = 0; i < 16; i++)
        out->b[i] ^= parent->b[i];
    EVP_CIPHER_CTX_free(c);
}

static void test_tree(void)
{
    for (unsigned k = 1; k <= 5; k++) {
        psi_block level[64], next[64], sums[2];
        unsigned wrong = 0;
        fresh(k);
        level[0] = root;
        for (unsigned l = 0; l < k; l++) {
            memcpy(sums, ot[l], sizeof sums);
            for (unsigned i = 0; i < 2u << l; i++) {
                child(&next[i], &level[i / 2], i % 2);
                for (int b = 0; b < 16; b++)
                    sums[i % 2].b[b] ^= next[i].b[b];
            }
            memcpy(level, next, sizeof level);
            wrong += memcmp(sums, &corrections[l], sizeof sums) != 0;
        }
        CU_ASSERT_EQUAL(memcmp(level, all, (size_t)16 << k), 0);
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static void test_puncture(void)
{
    for (unsigned k = 1; k <= 4; k++)
        for (unsigned delta = 0; delta < 1u << k; delta++) {
            fresh(k);
            CU_ASSERT_EQUAL(puncture(delta, k), TALLY_OK);
            CU_ASSERT_EQUAL(wrong_leaves(delta, k), 0);
        }
    static const unsigned six[] = {0, 1, 2, 31, 32, 33, 62, 63, 42, 21}, eight[] = {0, 1, 127, 128, 200, 255};
    for (size_t i = 0; i < sizeof six / sizeof *six; i++) {
        fresh(6);
        CU_ASSERT_EQUAL(puncture(six[i], 6), TALLY_OK);
        CU_ASSERT_EQUAL(wrong_leaves(six[i], 6), 0);
    }
    for (size_t i = 0; i < sizeof eight / sizeof *eight; i++) {
        fresh(8);
        CU_ASSERT_EQUAL(puncture(eight[i], 8), TALLY_OK);
        CU_ASSERT_EQUAL(wrong_leaves(eight[i], 8), 0);
    }
}

/* The missing leaf is nowhere in what the other side holds. */
static void test_hole(void)
{
    for (unsigned delta = 0; delta < 64; delta++) {
        unsigned seen = 0;
        fresh(6);
        CU_ASSERT_EQUAL(puncture(delta, 6), TALLY_OK);
        for (unsigned j = 0; j < 64; j++)
            seen += memcmp(&some[j], &all[delta], 16) == 0;
        CU_ASSERT_EQUAL(seen, 0);
    }
}

/* A changed correction that is used spoils at least its half level; the other one of the level is not looked
 * at. */
static void test_altered(void)
{
    for (unsigned level = 0; level < 4; level++)
        for (unsigned side = 0; side < 2; side++)
            for (unsigned delta = 0; delta < 16; delta++) {
                fresh(4);
                corrections[level].sum[side].b[5] ^= 0x10;
                CU_ASSERT_EQUAL(puncture(delta, 4), TALLY_OK);
                unsigned used = (delta >> (3 - level) & 1) != side;
                /* the subtree beside the path at this level, or more: later levels add the wrong sums */
                CU_ASSERT(used ? wrong_leaves(delta, 4) >= 8u >> level : wrong_leaves(delta, 4) == 0);
            }
}

static void test_wrong_string(void)
{
    for (unsigned level = 0; level < 4; level++) {
        fresh(4);
        psi_block t = ot[level][0];
        ot[level][0] = ot[level][1];
        ot[level][1] = t;
        CU_ASSERT_EQUAL(puncture(9, 4), TALLY_OK);
        CU_ASSERT(wrong_leaves(9, 4) >= 8u >> level);
    }
}

static void test_memory(void)
{
    psi_mem_fail_at(1);
    CU_ASSERT_PTR_NULL(psi_ggm_new());
    psi_mem_fail_at(0);
    psi_ggm *again = psi_ggm_new();
    CU_ASSERT_PTR_NOT_NULL(again);
    psi_ggm_free(again);
    psi_ggm_free(NULL);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"tree", test_tree},           {"puncture", test_puncture},
                                      {"hole", test_hole},           {"altered", test_altered},
                                      {"string", test_wrong_string}, {"memory", test_memory}};
    g = psi_ggm_new();
    int failed = g ? unit_main(argc, argv, "psi_ggm", tests, sizeof tests / sizeof *tests) : 2;
    psi_ggm_free(g);
    return failed;
}
