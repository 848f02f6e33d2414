/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree. Vectors: the eight leaves, their roots, paths and proofs of the reference implementation
 * of Certificate Transparency (google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc; the same
 * in transparency-dev/merkle, testonly/constants.go). Beside them the definitions of RFC 6962, written down
 * again as they stand there, recursively.
 */
#include "psi/merkle.h"
#include "tests/unit.h"

#include <string.h>

enum { LEAVES = 65, SAMPLES = 4 };

static uint8_t leaf[LEAVES][32];

/* Complete subtrees, as a log keeps them. */
static uint8_t kept[8][LEAVES][32];

static tally_status get(void *user, unsigned level, uint64_t index, uint8_t out32[32])
{
    (void)user;
    memcpy(out32, kept[level][index], 32);
    return TALLY_OK;
}

static tally_status put(void *user, unsigned level, uint64_t index, const uint8_t hash32[32])
{
    (void)user;
    memcpy(kept[level][index], hash32, 32);
    return TALLY_OK;
}

static tally_status broken(void *user, unsigned level, uint64_t index, uint8_t out32[32])
{
    (void)user, (void)level, (void)index, (void)out32;
    return TALLY_ERR_FILE;
}

/* ---- RFC 6962, section 2.1, as it stands ---- */

static size_t cut(size_t n)
{
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

static void mth(uint8_t (*d)[32], size_t n, uint8_t out32[32])
{
    uint8_t left[32], right[32];
    if (n == 1) {
        memcpy(out32, d, 32);
        return;
    }
    mth(d, cut(n), left);
    mth(d + cut(n), n - cut(n), right);
    psi_merkle_node(left, right, out32);
}

static size_t path(size_t m, uint8_t (*d)[32], size_t n, uint8_t (*out)[32])
{
    size_t k = cut(n), used;
    if (n == 1)
        return 0;
    if (m < k) {
        used = path(m, d, k, out);
        mth(d + k, n - k, out[used]);
    } else {
        used = path(m - k, d + k, n - k, out);
        mth(d, k, out[used]);
    }
    return used + 1;
}

static size_t subproof(size_t m, uint8_t (*d)[32], size_t n, int b, uint8_t (*out)[32])
{
    size_t k = cut(n), used;
    if (m == n) {
        if (!b)
            mth(d, n, out[0]);
        return !b;
    }
    if (m <= k) {
        used = subproof(m, d, k, b, out);
        mth(d + k, n - k, out[used]);
    } else {
        used = subproof(m - k, d + k, n - k, 0, out);
        mth(d, k, out[used]);
    }
    return used + 1;
}

/* ---- Tests ---- */

static const char *const inputs[8] = {"",
                                      "00",
                                      "10",
                                      "2021",
                                      "3031",
                                      "40414243",
                                      "50515253"
                                      "54555657",
                                      "6061626364656667"
                                      "68696a6b6c6d6e6f"};
static const char *const roots[9] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                     "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                     "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                     "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                     "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                     "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                     "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

#define N96 "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define N5F "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define N6B "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define NBC "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define NCA "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define ND3 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
#define NFA "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
#define N6E "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
#define N0E "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

typedef struct vector {
    uint64_t from, size; /* index of a leaf, or the older size */
    const char *proof[3];
} vector;

static const vector paths[] = {
    {0, 1, {0}}, {0, 8, {N96, N5F, N6B}}, {5, 8, {NBC, NCA, ND3}}, {2, 3, {NFA}}, {1, 5, {N6E, N5F, NBC}}};
static const vector proofs[] = {
    {1, 1, {0}}, {1, 8, {N96, N5F, N6B}}, {6, 8, {N0E, NCA, ND3}}, {2, 5, {N5F, NBC}}};

static void grow(void)
{
    for (size_t i = 0; i < 8; i++) {
        uint8_t bytes[16];
        psi_part part = {bytes, unit_hex(bytes, sizeof bytes, inputs[i])};
        psi_merkle_leaf(&part, 1, leaf[i]);
    }
}

static void check_vector(const vector *v, uint8_t (*proof)[32], size_t count)
{
    size_t wanted = 0;
    for (; wanted < 3 && v->proof[wanted]; wanted++) {
        uint8_t hash[32];
        unit_hex(hash, 32, v->proof[wanted]);
        CU_ASSERT(wanted < count && memcmp(proof[wanted], hash, 32) == 0);
    }
    CU_ASSERT_EQUAL(count, wanted);
}

static void test_vectors(void)
{
    psi_merkle m = {.size = 0};
    uint8_t root[32], wanted[9][32], proof[PSI_MERKLE_PROOF][32];
    size_t count = 0;
    grow();
    for (size_t n = 0; n <= 8; n++) {
        unit_hex(wanted[n], 32, roots[n]);
        psi_merkle_root(&m, root);
        CU_ASSERT(memcmp(root, wanted[n], 32) == 0);
        if (n < 8)
            CU_ASSERT_EQUAL(psi_merkle_add(&m, leaf[n], put, NULL), TALLY_OK);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const vector *v = &paths[i];
        CU_ASSERT_EQUAL(psi_merkle_include(v->from, v->size, get, NULL, proof, &count), TALLY_OK);
        check_vector(v, proof, count);
        CU_ASSERT(psi_merkle_included(v->from, v->size, leaf[v->from], proof[0], count, wanted[v->size]));
    }
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        const vector *v = &proofs[i];
        CU_ASSERT_EQUAL(psi_merkle_extend(v->from, v->size, get, NULL, proof, &count), TALLY_OK);
        check_vector(v, proof, count);
        CU_ASSERT(psi_merkle_extends(v->from, v->size, wanted[v->from], wanted[v->size], proof[0], count));
    }
}

/* 65 leaves of their own, and their complete subtrees. */
static void many(uint8_t (*root)[32])
{
    psi_merkle m = {.size = 0};
    psi_merkle_empty(root[0]);
    for (size_t i = 0; i < LEAVES; i++) {
        psi_part part = {&i, sizeof i};
        psi_merkle_leaf(&part, 1, leaf[i]);
        CU_ASSERT_EQUAL(psi_merkle_add(&m, leaf[i], put, NULL), TALLY_OK);
        psi_merkle_root(&m, root[i + 1]);
    }
}

static void test_roots(void)
{
    static uint8_t root[LEAVES + 1][32];
    many(root);
    for (size_t n = 1; n <= LEAVES; n++) {
        psi_merkle m;
        uint8_t wanted[32], again[32];
        mth(leaf, n, wanted);
        CU_ASSERT(memcmp(root[n], wanted, 32) == 0);
        CU_ASSERT_EQUAL(psi_merkle_load(&m, n, get, NULL), TALLY_OK);
        psi_merkle_root(&m, again);
        CU_ASSERT(memcmp(again, wanted, 32) == 0);
    }
}

/* Every index of every size: as the definition has it, and no other proof passes. */
static void test_inclusion(void)
{
    static uint8_t root[LEAVES + 1][32];
    many(root);
    for (size_t n = 1; n <= LEAVES; n++)
        for (size_t i = 0; i < n; i++) {
            uint8_t proof[PSI_MERKLE_PROOF][32], wanted[PSI_MERKLE_PROOF][32];
            size_t count = 0, c = path(i, leaf, n, wanted);
            CU_ASSERT_EQUAL(psi_merkle_include(i, n, get, NULL, proof, &count), TALLY_OK);
            CU_ASSERT(count == c && memcmp(proof, wanted, 32 * c) == 0);
            CU_ASSERT(psi_merkle_included(i, n, leaf[i], proof[0], count, root[n]));
            for (size_t j = 0; j < n; j++) /* as if it were another leaf */
                CU_ASSERT(j == i || !psi_merkle_included(j, n, leaf[i], proof[0], count, root[n]));
            CU_ASSERT(!psi_merkle_included(i, n, leaf[(i + 1) % LEAVES], proof[0], count, root[n]));
            CU_ASSERT(!psi_merkle_included(i, n, leaf[i], proof[0], count, root[n - 1]));
            CU_ASSERT(!psi_merkle_included(i, n, leaf[i], proof[0], count + 1, root[n]));
            CU_ASSERT(!count || !psi_merkle_included(i, n, leaf[i], proof[0], count - 1, root[n]));
            CU_ASSERT(!count || !psi_merkle_included(i, n, leaf[i], proof[1], count - 1, root[n]));
            for (size_t k = 0; k < SAMPLES && count; k++) {
                uint32_t bit = unit_below((uint32_t)count * 256);
                proof[bit / 256][bit / 8 % 32] ^= (uint8_t)(1u << bit % 8);
                CU_ASSERT(!psi_merkle_included(i, n, leaf[i], proof[0], count, root[n]));
                proof[bit / 256][bit / 8 % 32] ^= (uint8_t)(1u << bit % 8);
            }
        }
}

static void test_consistency(void)
{
    static uint8_t root[LEAVES + 1][32];
    many(root);
    for (size_t n = 1; n <= LEAVES; n++)
        for (size_t m = 1; m <= n; m++) {
            uint8_t proof[PSI_MERKLE_PROOF][32], wanted[PSI_MERKLE_PROOF][32];
            size_t count = 0, c = subproof(m, leaf, n, 1, wanted);
            CU_ASSERT_EQUAL(psi_merkle_extend(m, n, get, NULL, proof, &count), TALLY_OK);
            CU_ASSERT(count == c && memcmp(proof, wanted, 32 * c) == 0);
            CU_ASSERT(psi_merkle_extends(m, n, root[m], root[n], proof[0], count));
            CU_ASSERT(!psi_merkle_extends(m, n, root[m - 1], root[n], proof[0], count));
            CU_ASSERT(!psi_merkle_extends(m, n, root[m], root[n - 1], proof[0], count));
            CU_ASSERT(!psi_merkle_extends(m, n, root[m], root[n], proof[0], count + 1));
            CU_ASSERT(!count || !psi_merkle_extends(m, n, root[m], root[n], proof[0], count - 1));
            CU_ASSERT(!count || !psi_merkle_extends(m, n, root[m], root[n], proof[1], count - 1));
            CU_ASSERT(!psi_merkle_extends(n + 1, n, root[m], root[n], proof[0], count));
            for (size_t k = 0; k < SAMPLES && count; k++) {
                uint32_t bit = unit_below((uint32_t)count * 256);
                proof[bit / 256][bit / 8 % 32] ^= (uint8_t)(1u << bit % 8);
                CU_ASSERT(!psi_merkle_extends(m, n, root[m], root[n], proof[0], count));
                proof[bit / 256][bit / 8 % 32] ^= (uint8_t)(1u << bit % 8);
            }
        }
}

/* Sizes at both ends, and a log that cannot be read. */
static void test_edges(void)
{
    static uint8_t root[LEAVES + 1][32], proof[PSI_MERKLE_PROOF][32];
    size_t count = 7;
    psi_merkle m;
    many(root);
    CU_ASSERT_EQUAL(psi_merkle_extend(0, 9, get, NULL, proof, &count), TALLY_OK);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT(psi_merkle_extends(0, 9, root[0], root[9], proof[0], 0));
    CU_ASSERT(!psi_merkle_extends(0, 9, root[1], root[9], proof[0], 0));
    CU_ASSERT(psi_merkle_extends(0, 0, root[0], root[0], proof[0], 0));
    CU_ASSERT(!psi_merkle_extends(0, 0, root[0], root[1], proof[0], 0));
    CU_ASSERT(!psi_merkle_included(0, 0, leaf[0], proof[0], 0, leaf[0]));
    CU_ASSERT_EQUAL(psi_merkle_include(0, 0, get, NULL, proof, &count), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_merkle_extend(2, 1, get, NULL, proof, &count), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_merkle_include(0, PSI_MERKLE_MAX + 1, get, NULL, proof, &count), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_merkle_load(&m, PSI_MERKLE_MAX + 1, get, NULL), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_merkle_load(&m, 3, broken, NULL), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(m.size, 0);
    CU_ASSERT_EQUAL(psi_merkle_include(1, 3, broken, NULL, proof, &count), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(psi_merkle_extend(2, 3, broken, NULL, proof, &count), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(count, 0);
}

/* One hash for every subtree: proofs at the largest size are as long as they can be, and hold. */
static tally_status uniform(void *user, unsigned level, uint64_t index, uint8_t out32[32])
{
    uint8_t(*at)[32] = user;
    (void)index;
    memcpy(out32, at[level], 32);
    return TALLY_OK;
}

static void test_largest(void)
{
    static uint8_t at[PSI_MERKLE_LEVELS][32], proof[PSI_MERKLE_PROOF][32];
    static const uint64_t sizes[] = {PSI_MERKLE_MAX, PSI_MERKLE_MAX - 1, PSI_MERKLE_MAX / 2 + 1};
    for (size_t l = 1; l < PSI_MERKLE_LEVELS; l++)
        psi_merkle_node(at[l - 1], at[l - 1], at[l]);
    for (size_t i = 0; i < 3; i++) {
        psi_merkle whole, older;
        uint8_t root[32], before[32];
        size_t count = 0;
        CU_ASSERT_EQUAL(psi_merkle_load(&whole, sizes[i], uniform, at), TALLY_OK);
        psi_merkle_root(&whole, root);
        for (uint64_t n = 1; n < sizes[i] && n; n = n * 3 + 1) {
            CU_ASSERT_EQUAL(psi_merkle_include(n, sizes[i], uniform, at, proof, &count), TALLY_OK);
            CU_ASSERT(psi_merkle_included(n, sizes[i], at[0], proof[0], count, root));
            CU_ASSERT_EQUAL(psi_merkle_load(&older, n, uniform, at), TALLY_OK);
            psi_merkle_root(&older, before);
            CU_ASSERT_EQUAL(psi_merkle_extend(n, sizes[i], uniform, at, proof, &count), TALLY_OK);
            CU_ASSERT(count <= PSI_MERKLE_PROOF);
            CU_ASSERT(psi_merkle_extends(n, sizes[i], before, root, proof[0], count));
        }
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"vectors", test_vectors},     {"roots", test_roots},
                                      {"inclusion", test_inclusion}, {"consistency", test_consistency},
                                      {"edges", test_edges},         {"largest", test_largest}};
    return unit_main(argc, argv, "merkle", tests, sizeof tests / sizeof *tests);
}
