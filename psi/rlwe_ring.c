/* SPDX-License-Identifier: Apache-2.0 */
/* The primes, the portable transform, and the choice of a backend. */
#include "psi/rlwe_ring.h"

#include "psi/cpu.h"
#include "psi/verify.h"

#include <pthread.h>

#define N PSI_RLWE_N

const psi_rlwe_prime psi_rlwe_primes[2] = {
    {.q = 9007199252840449, /* 2^53 - 1900543 */
     .root = 2255748637179,
     .inverse = 0x5f250349001d0001,
     .one = 3892312064,
     .two32 = 8998406687226049,
     .two52 = 3698753223525376,
     .two64 = 8991259535145327,
     .n = 4503599627370496},
    {.q = 8729336347426817, /* 2032457 * 2^32 + 1900545 */
     .root = 1980117660706,
     .inverse = 0x5f25ffffffe30001,
     .one = 1656371596687295,
     .two32 = 2559624137191848,
     .two52 = 3768554840346360,
     .two64 = 2533963808078104,
     .n = 4503599627370496},
};

static int64_t roots[2][N];   /* root^bitrev12(k), canonical */
static int64_t factors[2][N]; /* the same times 2^64 */

int64_t psi_rlwe_mod(psi_wide x, const psi_rlwe_prime *p)
{
    /* |high| < 2^61, so its product is below 2^61 * 2^53 / 2^64 + q / 2 + 1. */
    int64_t high = (int64_t)(x >> 52), low = (int64_t)((uint64_t)x & (((uint64_t)1 << 52) - 1));
    return psi_rlwe_canonical(psi_rlwe_product(high, p->two52, p) + low, p);
}

psi_uwide psi_rlwe_join(const int64_t residue[2])
{
    const psi_rlwe_prime *p = &psi_rlwe_primes[1];
    int64_t k = psi_rlwe_product(residue[1] - residue[0], PSI_RLWE_Q0_INVERSE, p);
    return (psi_uwide)residue[0] + (psi_uwide)psi_rlwe_primes[0].q * (psi_uwide)psi_rlwe_lifted(k, p);
}

/* ---- Portable ---- */

static void prepare_portable(void)
{
    for (unsigned i = 0; i < 2; i++)
        for (size_t k = 0; k < N; k++)
            factors[i][k] = psi_rlwe_product(roots[i][k], psi_rlwe_primes[i].two64, &psi_rlwe_primes[i]);
}

/*
 * Cooley and Tukey's butterflies with the twist by powers of the root folded in (Longa, Naehrig 2016). No
 * reduction on the way: a product is below 2^57 * 2^53 / 2^64 + q / 2 + 1 < 2^53, so x grows from 2^54 by
 * less than 2^53 in each of twelve rounds and stays below 2^57.
 */
static void ntt_portable(int64_t x[N], unsigned prime)
{
    const psi_rlwe_prime p = psi_rlwe_primes[prime];
    for (size_t h = 1, t = N / 2; h < N; h *= 2, t /= 2)
        for (size_t i = 0; i < h; i++) {
            int64_t w = factors[prime][h + i], *a = x + 2 * i * t;
            for (size_t j = 0; j < t; j++) {
                int64_t u = a[j], v = psi_rlwe_product(a[j + t], w, &p);
                a[j] = u + v;
                a[j + t] = u - v;
            }
        }
}

static void factor_portable(psi_rlwe_factor *f, const int64_t x[N], unsigned prime)
{
    for (size_t j = 0; j < N; j++)
        f->word[0][j] = psi_rlwe_product(x[j], psi_rlwe_primes[prime].two64, &psi_rlwe_primes[prime]);
}

static void encode_portable(int64_t x[N], const int64_t digit[N], const int64_t small[N], int64_t delta,
                            unsigned prime)
{
    const psi_rlwe_prime p = psi_rlwe_primes[prime];
    int64_t f = psi_rlwe_product(delta, p.two64, &p);
    for (size_t j = 0; j < N; j++)
        x[j] = psi_rlwe_product(digit[j], f, &p) + small[j];
}

static void add_portable(int64_t sum[N], const int64_t *x, const psi_rlwe_factor *f, size_t at, size_t n,
                         unsigned prime)
{
    const psi_rlwe_prime p = psi_rlwe_primes[prime];
    PSI_CHECK(at + n <= N);
    for (size_t j = 0; j < n; j++)
        sum[at + j] += psi_rlwe_product(x[j], f->word[0][at + j], &p);
}

static int64_t dot_portable(const int64_t *x, const psi_rlwe_factor *f, size_t at, size_t n, unsigned prime)
{
    const psi_rlwe_prime p = psi_rlwe_primes[prime];
    int64_t sum = 0;
    PSI_CHECK(at + n <= N && n <= PSI_RLWE_PIECE); /* 2^9 products below 2^53 */
    for (size_t j = 0; j < n; j++)
        sum += psi_rlwe_product(x[j], f->word[0][at + j], &p);
    return sum;
}

static void reduce_portable(int64_t x[N], unsigned prime)
{
    for (size_t j = 0; j < N; j++)
        x[j] = psi_rlwe_canonical(x[j], &psi_rlwe_primes[prime]);
}

static const psi_rlwe_backend portable = {.name = "portable",
                                          .prepare = prepare_portable,
                                          .ntt = ntt_portable,
                                          .factor = factor_portable,
                                          .encode = encode_portable,
                                          .add = add_portable,
                                          .dot = dot_portable,
                                          .reduce = reduce_portable};

/* ---- Choice ---- */

static const psi_rlwe_backend *backends[3] = {&portable};
static size_t backend_count = 1;
static const psi_rlwe_backend *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_roots(void)
{
    for (unsigned i = 0; i < 2; i++) {
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        int64_t power = 1, step = psi_rlwe_product(p->root, p->two64, p);
        for (size_t k = 0; k < N; k++) {
            size_t reversed = 0;
            for (unsigned b = 0; b < PSI_RLWE_LOG; b++)
                reversed |= (k >> b & 1) << (PSI_RLWE_LOG - 1 - b);
            roots[i][reversed] = power;
            power = psi_rlwe_lifted(psi_rlwe_product(power, step, p), p);
        }
    }
}

static void choose(void)
{
    make_roots();
#if defined(__x86_64__)
    if (psi_cpu_all() & PSI_CPU_AVX2)
        backends[backend_count++] = &psi_rlwe_avx2;
    if (psi_cpu_all() & PSI_CPU_AVX512)
        backends[backend_count++] = &psi_rlwe_avx512;
    if (psi_cpu() & PSI_CPU_AVX2)
        chosen = &psi_rlwe_avx2;
    if (psi_cpu() & PSI_CPU_AVX512)
        chosen = &psi_rlwe_avx512;
#endif
    for (size_t b = 0; b < backend_count; b++)
        backends[b]->prepare();
}

const int64_t *psi_rlwe_roots(unsigned prime)
{
    return roots[prime];
}

const psi_rlwe_backend *psi_rlwe_ring(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_rlwe_backend *const *psi_rlwe_rings(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}
