/* SPDX-License-Identifier: Apache-2.0 */
/* The portable compression function is OpenSSL's, which is fast on every processor; its one-block entry is a
 * legacy name. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "psi/sha256.h"

#include "psi/cpu.h"
#include "psi/verify.h"
#include "psi/vole_backends.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>

const uint32_t psi_sha256_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void psi_sha256_prefix(uint32_t state[8], enum psi_tag tag, const uint8_t sid32[32])
{
    const char *text = psi_tag_text(tag);
    size_t len = strlen(text);
    uint8_t block[64] = {0};
    SHA256_CTX c;
    PSI_CHECK(len <= 31);
    block[0] = (uint8_t)len;
    memcpy(block + 1, text, len);
    memcpy(block + 1 + len, sid32, 32);
    SHA256_Init(&c);
    SHA256_Transform(&c, block);
    for (int i = 0; i < 8; i++)
        state[i] = c.h[i];
}

/* out = state after one more block, in bytes. */
static void compress(uint8_t out[32], const uint32_t state[8], const uint8_t block[64])
{
    SHA256_CTX c;
    for (int j = 0; j < 8; j++)
        c.h[j] = state[j];
    SHA256_Transform(&c, block);
    for (int j = 0; j < 8; j++)
        for (int b = 0; b < 4; b++)
            out[4 * j + b] = (uint8_t)(c.h[j] >> (24 - 8 * b));
}

static void many_portable(uint8_t (*out)[32], const uint32_t state[8], const uint8_t *messages, size_t len,
                          size_t n)
{
    uint8_t block[64] = {0};
    uint32_t bits = (uint32_t)(8 * (64 + len));
    PSI_CHECK(len <= 55);
    block[len] = 0x80;
    block[62] = (uint8_t)(bits >> 8);
    block[63] = (uint8_t)bits;
    for (size_t i = 0; i < n; i++) {
        memcpy(block, messages + i * len, len);
        compress(out[i], state, block);
    }
}

static void blocks_portable(uint8_t (*out)[32], const uint8_t (*blocks)[64], size_t n)
{
    for (size_t i = 0; i < n; i++)
        compress(out[i], psi_sha256_start, blocks[i]);
}

static const psi_sha256_backend portable = {
    .name = "portable", .many = many_portable, .blocks = blocks_portable};

static const psi_sha256_backend *backends[2] = {&portable};
static size_t backend_count = 1;
static const psi_sha256_backend *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    chosen = &portable;
#if defined(__x86_64__)
    if (psi_cpu_all() & PSI_CPU_SHA)
        backends[backend_count++] = &psi_sha256_ni;
    if (psi_cpu() & PSI_CPU_SHA)
        chosen = &psi_sha256_ni;
#endif
}

const psi_sha256_backend *psi_sha256_lanes(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_sha256_backend *const *psi_sha256_backends(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}
