/* SPDX-License-Identifier: Apache-2.0 */
/* Columns: every backend against counter mode written out here, and the relation between the two sides. */
#include "psi/subspace.h"

#include "psi/cpu.h"
#include "tests/unit.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 344, BYTES = 16 * BLOCKS, STRIDE = BYTES + 64, LEAVES = 1 << PSI_SUBSPACE_K_MAX };

static psi_block keys[LEAVES], shuffled[LEAVES];
static psi_leaf leaves[LEAVES];
static uint8_t u[STRIDE], v[PSI_SUBSPACE_K_MAX * STRIDE], w[PSI_SUBSPACE_K_MAX * STRIDE];
static uint8_t want_u[BYTES], want_v[PSI_SUBSPACE_K_MAX][BYTES];

static void reference(const psi_block *key, unsigned k, uint64_t first, size_t blocks)
{
    memset(want_u, 0, sizeof want_u);
    memset(want_v, 0, sizeof want_v);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    for (size_t j = 0; j < (size_t)1 << k; j++) {
        CU_ASSERT_FATAL(c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key[j].b, NULL) == 1);
        for (size_t n = 0; n < blocks; n++) {
            uint8_t counter[16] = {0}, stream[16];
            int len;
            for (int b = 0; b < 8; b++)
                counter[b] = (uint8_t)((first + n) >> (8 * b));
            if (EVP_EncryptUpdate(c, stream, &len, counter, 16) != 1)
                abort();
            for (size_t i = 0; i < 16; i++) {
                want_u[16 * n + i] ^= stream[i];
                for (unsigned b = 0; b < k; b++)
                    if (j >> b & 1)
                        want_v[b][16 * n + i] ^= stream[i];
            }
        }
    }
    EVP_CIPHER_CTX_free(c);
}

/* Bytes that differ, or that were written outside. */
static size_t wrong(const uint8_t *rows, unsigned k, size_t bytes)
{
    size_t sum = 0;
    for (unsigned b = 0; b < k; b++) {
        for (size_t i = 0; i < bytes; i++)
            sum += rows[b * STRIDE + i] != want_v[b][i];
        for (size_t i = bytes; i < STRIDE; i++)
            sum += rows[b * STRIDE + i] != 0x55;
    }
    return sum;
}

static void test_reference(void)
{
    static const unsigned depths[] = {4, 5, 6, 7, 8};
    static const struct {
        uint64_t first;
        size_t blocks;
    } ranges[] = {{0, 4}, {0, 128}, {4, 132}, {336, 344}, {((uint64_t)1 << 32) - 8, 12}, {12345678900, 64}};
    size_t count;
    const psi_subspace_backend *const *all = psi_subspace_backends(&count);
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT_STRING_EQUAL(all[0]->name, "portable");
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
            unsigned k = depths[d];
            size_t bytes = 16 * ranges[r].blocks;
            unit_random(keys, sizeof keys);
            reference(keys, k, ranges[r].first, ranges[r].blocks);
            for (size_t t = 0; t < count; t++) {
                CU_ASSERT_EQUAL(all[t]->expand(leaves, keys, (size_t)1 << k), TALLY_OK);
                memset(u, 0x55, sizeof u);
                memset(v, 0x55, sizeof v);
                CU_ASSERT_EQUAL(all[t]->fold(u, v, STRIDE, leaves, k, ranges[r].first, ranges[r].blocks),
                                TALLY_OK);
                CU_ASSERT_EQUAL(memcmp(u, want_u, bytes), 0);
                CU_ASSERT_EQUAL(u[bytes], 0x55);
                CU_ASSERT_EQUAL(wrong(v, k, bytes), 0);
                /* without u the missing leaf has no influence */
                memset(&leaves[0], (int)t + 1, sizeof leaves[0]);
                memset(v, 0x55, sizeof v);
                CU_ASSERT_EQUAL(all[t]->fold(NULL, v, STRIDE, leaves, k, ranges[r].first, ranges[r].blocks),
                                TALLY_OK);
                CU_ASSERT_EQUAL(wrong(v, k, bytes), 0);
            }
        }
}

/* A range is the same whether it is made at once or in pieces: bins and chunks meet nowhere. */
static void test_pieces(void)
{
    size_t count;
    const psi_subspace_backend *const *all = psi_subspace_backends(&count);
    unit_random(keys, sizeof keys);
    for (size_t t = 0; t < count; t++) {
        CU_ASSERT_EQUAL(all[t]->expand(leaves, keys, 16), TALLY_OK);
        CU_ASSERT_EQUAL(all[t]->fold(u, v, STRIDE, leaves, 4, 1000, 336), TALLY_OK);
        for (size_t at = 0; at < 336; at += 112)
            CU_ASSERT_EQUAL(all[t]->fold(NULL, w + 16 * at, STRIDE, leaves, 4, 1000 + at, 112), TALLY_OK);
        for (unsigned b = 0; b < 4; b++)
            CU_ASSERT_EQUAL(memcmp(v + b * STRIDE, w + b * STRIDE, 16 * 336), 0);
    }
}

/* Keys and columns that lie at any address, with nothing behind the last. */
static void test_edges(void)
{
    enum { COUNT = 8, SIZE = 16 * COUNT };
    size_t count;
    const psi_subspace_backend *const *all = psi_subspace_backends(&count);
    unit_random(keys, sizeof keys);
    for (unsigned k = PSI_SUBSPACE_K_MIN; k <= PSI_SUBSPACE_K_MAX; k++) {
        size_t used = ((size_t)1 << k) * sizeof *keys, size = ((size_t)1 << k) * sizeof *leaves;
        uint8_t *from = malloc(used + 1), *to = malloc(size + 1);
        uint8_t *sum = malloc(SIZE + 1), *columns = malloc(k * SIZE + 1);
        CU_ASSERT_FATAL(from && to && sum && columns);
        memcpy(from + 1, keys, used);
        reference(keys, k, ((uint64_t)1 << 32) - 4, COUNT);
        for (size_t t = 0; t < count; t++) {
            psi_leaf *l = (void *)(to + 1);
            CU_ASSERT_EQUAL(all[t]->expand(l, (const void *)(from + 1), (size_t)1 << k), TALLY_OK);
            CU_ASSERT_EQUAL(all[t]->fold(sum + 1, columns + 1, SIZE, l, k, ((uint64_t)1 << 32) - 4, COUNT),
                            TALLY_OK);
            CU_ASSERT_EQUAL(memcmp(sum + 1, want_u, SIZE), 0);
            for (unsigned b = 0; b < k; b++)
                CU_ASSERT_EQUAL(memcmp(columns + 1 + b * SIZE, want_v[b], SIZE), 0);
        }
        free(from);
        free(to);
        free(sum);
        free(columns);
    }
}

/* W = V ^ Delta u in every slot, for every Delta at k = 4 and some at 5, 6 and 8. */
static void test_relation(void)
{
    static const uint8_t deltas[][2] = {{5, 0},  {5, 31}, {5, 19},  {6, 0},  {6, 63},
                                        {6, 45}, {8, 1},  {8, 255}, {8, 144}};
    size_t count;
    const psi_subspace_backend *const *all = psi_subspace_backends(&count);
    for (size_t t = 0; t < count; t++)
        for (unsigned i = 0; i < 16 + sizeof deltas / sizeof *deltas; i++) {
            unsigned k = i < 16 ? 4 : deltas[i - 16][0], delta = i < 16 ? i : deltas[i - 16][1];
            size_t bad = 0;
            unit_random(keys, sizeof keys);
            for (unsigned j = 0; j < 1u << k; j++)
                shuffled[j ^ delta] = keys[j];
            memset(&shuffled[0], 0, sizeof shuffled[0]);
            CU_ASSERT_EQUAL(all[t]->expand(leaves, keys, (size_t)1 << k), TALLY_OK);
            CU_ASSERT_EQUAL(all[t]->fold(u, v, STRIDE, leaves, k, 77, 16), TALLY_OK);
            CU_ASSERT_EQUAL(all[t]->expand(leaves, shuffled, (size_t)1 << k), TALLY_OK);
            CU_ASSERT_EQUAL(all[t]->fold(NULL, w, STRIDE, leaves, k, 77, 16), TALLY_OK);
            for (unsigned b = 0; b < k; b++)
                for (size_t at = 0; at < 256; at++) {
                    uint8_t expected = v[b * STRIDE + at] ^ (delta >> b & 1 ? u[at] : 0);
                    bad += w[b * STRIDE + at] != expected;
                }
            CU_ASSERT_EQUAL(bad, 0);
        }
}

/* The fastest that the processor runs, unless TALLY_BACKEND says otherwise: `make unit` runs this test under
 * each of its values. */
static void test_chosen(void)
{
    const char *wanted = getenv("TALLY_BACKEND"), *name = "portable";
    unsigned cpu = psi_cpu_all(), aesni = PSI_CPU_AVX2 | PSI_CPU_AES, wide = aesni | PSI_CPU_VAES,
             widest = aesni | PSI_CPU_AVX512;
    size_t count, runnable = 1;
    if (wanted && (strcmp(wanted, "avx512") == 0 || strcmp(wanted, "ifma") == 0))
        wanted = NULL;
    runnable += (cpu & aesni) == aesni;
    runnable += (cpu & wide) == wide;
    runnable += (cpu & widest) == widest;
    psi_subspace_backends(&count);
    CU_ASSERT_EQUAL(count, runnable);
    if (!wanted || !*wanted || strcmp(wanted, "avx2") == 0)
        name = (cpu & wide) == wide ? "vaes256" : (cpu & aesni) == aesni ? "aesni" : name;
    if ((!wanted || !*wanted) && (cpu & widest) == widest)
        name = "vaes";
    CU_ASSERT_STRING_EQUAL(psi_subspace()->name, name);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"reference", test_reference},
                                      {"pieces", test_pieces},
                                      {"relation", test_relation},
                                      {"edges", test_edges},
                                      {"chosen", test_chosen}};
    return unit_main(argc, argv, "psi_subspace", tests, sizeof tests / sizeof *tests);
}
