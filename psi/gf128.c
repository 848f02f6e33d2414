/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/gf128.h"

#include "psi/cpu.h"
#include "psi/verify.h"

#include <pthread.h>
#include <string.h>

psi_gf128 psi_gf128_load(const uint8_t b16[16])
{
    uint64_t half[2];
    memcpy(half, b16, sizeof half);
    return (psi_gf128)half[1] << 64 | half[0];
}

void psi_gf128_store(uint8_t b16[16], psi_gf128 a)
{
    const uint64_t half[2] = {(uint64_t)a, (uint64_t)(a >> 64)};
    memcpy(b16, half, sizeof half);
}

/*
 * Product of two polynomials by integer products with holes: of a word's bits those at places r modulo 5 are
 * kept, at most 13 of them, so that the sums of an integer product stay below 2^5 and do not run into the
 * next place that counts.
 */
enum { STEP = 5 };

static psi_uwide every_fifth(unsigned r)
{
    /* bits 0, 5, .. 125 */
    const psi_uwide bits = (psi_uwide)0x2108421084210842 << 64 | 0x1084210842108421;
    return bits << r;
}

static psi_uwide multiply64(uint64_t a, uint64_t b)
{
    uint64_t x[STEP], y[STEP];
    psi_uwide product = 0;
    for (unsigned r = 0; r < STEP; r++) {
        x[r] = a & (uint64_t)every_fifth(r);
        y[r] = b & (uint64_t)every_fifth(r);
    }
    for (unsigned r = 0; r < STEP; r++) {
        psi_uwide sum = 0;
        for (unsigned i = 0; i < STEP; i++)
            sum ^= (psi_uwide)x[i] * y[(r + STEP - i) % STEP];
        product |= sum & every_fifth(r);
    }
    return product;
}

/* x^128 = x^7 + x^2 + x + 1; what that pushes over x^128 once more. */
static psi_gf128 reduce(psi_uwide low, psi_uwide high)
{
    psi_uwide over = high >> 127 ^ high >> 126 ^ high >> 121;
    high ^= over;
    return low ^ high ^ high << 1 ^ high << 2 ^ high << 7;
}

static psi_gf128 product_portable(psi_gf128 a, psi_gf128 b)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    psi_uwide low = multiply64(a0, b0), high = multiply64(a1, b1);
    psi_uwide middle = multiply64(a0 ^ a1, b0 ^ b1) ^ low ^ high;
    return reduce(low ^ middle << 64, high ^ middle >> 64);
}

static psi_gf128 value_portable(psi_gf128 x, const psi_gf128 *c, size_t count)
{
    PSI_CHECK(count >= 1);
    psi_gf128 value = c[count - 1];
    for (size_t j = count - 1; j-- > 0;)
        value = product_portable(value, x) ^ c[j];
    return value;
}

static const psi_gf128_backend portable = {
    .name = "portable", .product = product_portable, .value = value_portable};
static const psi_gf128_backend *backends[2] = {&portable};
static size_t backend_count = 1;
static const psi_gf128_backend *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
#if defined(__x86_64__)
    if (psi_cpu_all() & PSI_CPU_CLMUL)
        backends[backend_count++] = &psi_gf128_clmul;
    if (psi_cpu() & PSI_CPU_CLMUL)
        chosen = &psi_gf128_clmul;
#endif
}

const psi_gf128_backend *psi_gf128_lanes(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_gf128_backend *const *psi_gf128_backends(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}

psi_gf128 psi_gf128_inverse(psi_gf128 a)
{
    /* a^(2^128 - 2) = a^2 * a^4 * .. * a^(2^127) */
    const psi_gf128_backend *f = psi_gf128_lanes();
    psi_gf128 square = a, inverse = 1;
    for (unsigned i = 1; i < 128; i++) {
        square = f->product(square, square);
        inverse = f->product(inverse, square);
    }
    return inverse;
}
