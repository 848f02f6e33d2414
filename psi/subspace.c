/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/subspace.h"

#include "psi/cpu.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include "psi/vole_backends.h"
#include "psi/xor.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define PIECE                                                                                                \
    2048u /* bytes of a stream at once: the streams of a column pass through the first cache level */

/* OpenSSL expands keys itself: only round 0 is used. */
static tally_status expand_portable(psi_leaf *leaves, const psi_block *keys, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        memset(&leaves[j], 0, sizeof leaves[j]);
        memcpy(leaves[j].round[0], keys[j].b, 16);
    }
    return TALLY_OK;
}

static void counters(uint8_t *out, uint64_t first, size_t bytes)
{
    memset(out, 0, bytes);
    for (size_t at = 0; at < bytes; at += 16, first++)
        for (unsigned b = 0; b < 8; b++)
            out[at + b] = (uint8_t)(first >> (8 * b));
}

static tally_status fold_portable(uint8_t *u, uint8_t *v, size_t stride, const psi_leaf *leaves, unsigned k,
                                  uint64_t first, size_t blocks)
{
    uint8_t plain[PIECE], stream[PIECE];
    size_t bytes = 16 * blocks;
    PSI_CHECK(blocks % 4 == 0 && k >= PSI_SUBSPACE_K_MIN && k <= PSI_SUBSPACE_K_MAX);
    EVP_CIPHER *aes = EVP_CIPHER_fetch(psi_openssl(), "AES-128-ECB", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    tally_status st = aes && ctx ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (u)
        memset(u, 0, bytes);
    for (unsigned b = 0; b < k; b++)
        memset(v + b * stride, 0, bytes);
    for (size_t j = u ? 0 : 1; !st && j < (size_t)1 << k; j++) {
        if (!EVP_EncryptInit_ex2(ctx, aes, leaves[j].round[0], NULL, NULL) ||
            !EVP_CIPHER_CTX_set_padding(ctx, 0))
            st = TALLY_ERR_INTERNAL;
        for (size_t at = 0; !st && at < bytes; at += PIECE) {
            size_t n = bytes - at < PIECE ? bytes - at : PIECE;
            int len;
            counters(plain, first + at / 16, n);
            if (!EVP_EncryptUpdate(ctx, stream, &len, plain, (int)n))
                st = TALLY_ERR_INTERNAL;
            if (u)
                psi_xor_masked(u + at, stream, n, ~(uint64_t)0);
            for (unsigned b = 0; b < k; b++)
                if (j >> b & 1)
                    psi_xor_masked(v + b * stride + at, stream, n, ~(uint64_t)0);
        }
    }
    psi_wipe(stream, sizeof stream);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(aes);
    return st;
}

static const psi_subspace_backend portable = {
    .name = "portable", .expand = expand_portable, .fold = fold_portable};
static const psi_subspace_backend *backends[4] = {&portable};
static size_t backend_count = 1;
static const psi_subspace_backend *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* Four blocks of a column, leaf 0 with and without, against the portable backend. Nothing here is secret. */
static int agrees(const psi_subspace_backend *b)
{
    enum { K = PSI_SUBSPACE_K_MIN, LEAVES = 1 << K, BYTES = 64 };
    psi_block keys[LEAVES];
    psi_leaf leaves[2][LEAVES];
    uint8_t u[2][BYTES], v[2][2][K][BYTES];
    const psi_subspace_backend *both[2] = {&portable, b};
    for (size_t i = 0; i < sizeof keys; i++)
        keys[i / 16].b[i % 16] = (uint8_t)(37 * i + i / 16);
    for (int i = 0; i < 2; i++)
        if (both[i]->expand(leaves[i], keys, LEAVES) ||
            both[i]->fold(u[i], v[i][0][0], BYTES, leaves[i], K, 0x1fffffffe, BYTES / 16) ||
            both[i]->fold(NULL, v[i][1][0], BYTES, leaves[i], K, 4, BYTES / 16))
            return 0;
    return memcmp(u[0], u[1], sizeof u[0]) == 0 && memcmp(v[0], v[1], sizeof v[0]) == 0; /* public */
}

/* One that computes anything else on this machine is not offered. */
static void offer(const psi_subspace_backend *b, unsigned needs)
{
    if ((psi_cpu_all() & needs) != needs || !agrees(b))
        return;
    backends[backend_count++] = b;
    if ((psi_cpu() & needs) == needs)
        chosen = b;
}
#endif

/* The fastest last. */
static void choose(void)
{
#if defined(__x86_64__)
    offer(&psi_subspace_aesni, PSI_CPU_AVX2 | PSI_CPU_AES);
    offer(&psi_subspace_vaes256, PSI_CPU_AVX2 | PSI_CPU_AES | PSI_CPU_VAES);
    offer(&psi_subspace_vaes, PSI_CPU_AVX512 | PSI_CPU_AVX2 | PSI_CPU_AES);
#endif
}

const psi_subspace_backend *psi_subspace(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_subspace_backend *const *psi_subspace_backends(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}
