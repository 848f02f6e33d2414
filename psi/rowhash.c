/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/rowhash.h"

#include "psi/cpu.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include "psi/vole_backends.h"

#include <pthread.h>
#include <string.h>

typedef struct element {
    uint64_t lo, hi;
} element;

static element load(const uint8_t b[16])
{
    element e;
    memcpy(&e.lo, b, 8);
    memcpy(&e.hi, b + 8, 8);
    return e;
}

static void store(uint8_t b[16], element e)
{
    memcpy(b, &e.lo, 8);
    memcpy(b + 8, &e.hi, 8);
}

/* a * x */
static element times_x(element a)
{
    uint64_t carry = a.hi >> 63;
    return (element){a.lo << 1 ^ (0x87 & (0 - carry)), a.hi << 1 | a.lo >> 63};
}

void psi_gf128_mul(uint8_t out16[16], const uint8_t a16[16], const uint8_t b16[16])
{
    element a = load(a16), b = load(b16), sum = {0, 0};
    for (unsigned i = 0; i < 128; i++) {
        uint64_t take = 0 - ((i < 64 ? b.lo >> i : b.hi >> (i - 64)) & 1);
        sum.lo ^= a.lo & take;
        sum.hi ^= a.hi & take;
        a = times_x(a);
    }
    store(out16, sum);
}

void psi_row_key_init(psi_row_key *key, const uint8_t points32[32])
{
    for (size_t p = 0; p < 2; p++) {
        memcpy(key->power[p][0], points32 + 16 * p, 16);
        for (size_t i = 1; i < PSI_ROW_BLOCKS_MAX; i++)
            psi_gf128_mul(key->power[p][i], key->power[p][i - 1], key->power[p][0]);
    }
}

/*
 * Z is linear, so the portable way needs no products: bit r of a row adds the constant x^(r % 128) * z^(r /
 * 128 + 1), computed once for each bit string, to the rows of the slots where it is set, under a mask.
 */
static void strip_portable(uint8_t *rows, const uint8_t *matrix, size_t stride, size_t bits,
                           const psi_row_key *key)
{
    PSI_CHECK(bits <= 128 * PSI_ROW_BLOCKS_MAX);
    element sums[PSI_ROW_STRIP][2];
    memset(sums, 0, sizeof sums);
    element unit[2] = {{0, 0}, {0, 0}};
    for (size_t r = 0; r < bits; r++) {
        for (size_t p = 0; p < 2; p++)
            unit[p] = r % 128 == 0 ? load(key->power[p][r / 128]) : times_x(unit[p]);
        const uint8_t *column = matrix + r * stride;
        for (size_t s = 0; s < PSI_ROW_STRIP; s++) {
            uint64_t take = 0 - (uint64_t)(column[s / 8] >> (s % 8) & 1);
            for (size_t p = 0; p < 2; p++) {
                sums[s][p].lo ^= unit[p].lo & take;
                sums[s][p].hi ^= unit[p].hi & take;
            }
        }
    }
    for (size_t s = 0; s < PSI_ROW_STRIP; s++)
        for (size_t p = 0; p < 2; p++)
            store(rows + PSI_ROW_BYTES * s + 16 * p, sums[s][p]);
    psi_wipe(sums, sizeof sums);
}

void psi_row_compress(uint8_t row32[32], const uint8_t *bits_in, size_t bits, const psi_row_key *key)
{
    memset(row32, 0, PSI_ROW_BYTES);
    for (size_t i = 0; 128 * i < bits; i++) {
        uint8_t block[16] = {0}, product[16];
        size_t bytes = (bits - 128 * i + 7) / 8;
        memcpy(block, bits_in + 16 * i, bytes < 16 ? bytes : 16);
        for (size_t p = 0; p < 2; p++) {
            psi_gf128_mul(product, block, key->power[p][i]);
            for (size_t b = 0; b < 16; b++)
                row32[16 * p + b] ^= product[b];
        }
        psi_wipe(block, sizeof block);
        psi_wipe(product, sizeof product);
    }
}

static const psi_rowhash_backend portable = {.name = "portable", .strip = strip_portable};
static const psi_rowhash_backend *backends[4] = {&portable};
static size_t backend_count = 1;
static const psi_rowhash_backend *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* A strip of rows that end within a byte and a block, against the portable backend. Nothing here is secret.
 */
static int agrees(const psi_rowhash_backend *b)
{
    enum { BITS = 147, BYTES = PSI_ROW_STRIP / 8 };
    uint8_t matrix[BITS][BYTES], rows[2][PSI_ROW_STRIP * PSI_ROW_BYTES], points[PSI_ROW_BYTES];
    psi_row_key key;
    for (size_t i = 0; i < sizeof matrix; i++)
        matrix[i / BYTES][i % BYTES] = (uint8_t)((i * i + 131 * i) >> 3);
    for (size_t i = 0; i < sizeof points; i++)
        points[i] = (uint8_t)(201 * i + 7);
    memset(&key, 0, sizeof key);
    psi_row_key_init(&key, points);
    portable.strip(rows[0], matrix[0], BYTES, BITS, &key);
    b->strip(rows[1], matrix[0], BYTES, BITS, &key);
    return memcmp(rows[0], rows[1], sizeof rows[0]) == 0; /* public */
}

/* One that computes anything else on this machine is not offered. */
static void offer(const psi_rowhash_backend *b, unsigned needs)
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
    offer(&psi_rowhash_avx2, PSI_CPU_AVX2 | PSI_CPU_CLMUL);
    offer(&psi_rowhash_vpclmul256, PSI_CPU_AVX2 | PSI_CPU_CLMUL | PSI_CPU_VPCLMUL);
    offer(&psi_rowhash_avx512, PSI_CPU_AVX512);
#endif
}

const psi_rowhash_backend *psi_rowhash(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_rowhash_backend *const *psi_rowhash_backends(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}
