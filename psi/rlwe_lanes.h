/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring over vectors, one source for all widths. The file that includes it defines LANES (4 or 8 numbers
 * of 64 bits), LANES_TARGET for whole functions, LANES_SHORT for short ones, the type lanes and, all static
 * inline, the following:
 *
 * - lanes_load, lanes_store: at any address
 * - lanes_set: the same number everywhere
 * - lanes_add, lanes_sub, lanes_and
 * - lanes_mul: product of the signed low halves
 * - lanes_high: logical shift by 32
 * - lanes_down: x / 2^32 for a multiple of 2^32, signed
 * - lanes_sign: all ones where negative
 * - lanes_split: u = b[l - t] where l & t, else a[l]; w = b[l] where l & t, else a[l + t]; its own inverse
 *
 * and afterwards a psi_rlwe_backend of the functions below.
 *
 * Products are Montgomery's with a division by 2^32: x = x0 + 2^32 x1, |x0| <= 2^31, and a factor w is kept
 * as f = 2^32 w mod q and g = 2^64 w mod q. Then x0 f + x1 g = 2^32 w x modulo q, of 86 bits, and one step
 * divides it by 2^32. Each needs seven multiplications of 32 by 32 bits. f and g are stored with the high
 * half of the number that remains when the low half is taken as signed.
 */
#include "psi/rlwe_ring.h"

#define LANES_SMALL (LANES == 8 ? 3 : 2) /* rounds in which butterflies lie within vectors */

typedef struct lanes_prime {
    lanes q_low, q_high, inverse; /* of q and of q^-1 mod 2^32 */
} lanes_prime;

typedef struct lanes_factor {
    lanes f0, f1, g0, g1;
} lanes_factor;

static int64_t lanes_table[2][2][PSI_RLWE_N / LANES];          /* prime, f or g: roots of large rounds */
static int64_t lanes_small[2][LANES_SMALL][2][PSI_RLWE_N / 2]; /* lane by lane for the small rounds */

/* The form of f and g in memory. */
static int64_t lanes_form(int64_t f)
{
    return f + ((f & 0x80000000) << 1);
}

LANES_SHORT static inline lanes_prime lanes_of(unsigned prime)
{
    const psi_rlwe_prime *p = &psi_rlwe_primes[prime];
    int64_t low = (int32_t)(uint32_t)p->q;
    return (lanes_prime){lanes_set(low), lanes_set((p->q - low) / ((int64_t)1 << 32)),
                         lanes_set((int64_t)(p->inverse & 0xffffffff))};
}

LANES_SHORT static inline lanes_factor lanes_factor_of(lanes f, lanes g)
{
    return (lanes_factor){f, lanes_high(f), g, lanes_high(g)};
}

LANES_SHORT static inline lanes_factor lanes_factor_at(const int64_t *f, const int64_t *g)
{
    return lanes_factor_of(lanes_load(f), lanes_load(g));
}

/* A canonical number as a factor for all lanes. */
LANES_SHORT static inline lanes_factor lanes_constant(int64_t w, unsigned prime)
{
    const psi_rlwe_prime *p = &psi_rlwe_primes[prime];
    return lanes_factor_of(lanes_set(lanes_form(psi_rlwe_product(w, p->two32, p))),
                           lanes_set(lanes_form(psi_rlwe_product(w, p->two64, p))));
}

/*
 * x * w mod q, |x| < 2^61, |f|, |g| < 2^53. x0 f0 + x1 g0 is below 2^62 + 2^60 and m q_low below 2^31 * 2^21,
 * so the difference stays below 2^63. Result: below (2^31 |f| + 2^29 |g|) / 2^32 + q / 2, so below 2^53 if
 * |f| <= 0.97 q, |g| <= q / 2 + 2^46 and |x| < 2^57, or if |f|, |g| <= q / 2 + 2^46.
 */
LANES_SHORT static inline lanes lanes_product(lanes x, lanes_factor w, const lanes_prime *p)
{
    lanes x1 = lanes_high(lanes_add(x, lanes_set(0x80000000)));
    lanes low = lanes_add(lanes_mul(x, w.f0), lanes_mul(x1, w.g0));
    lanes high = lanes_add(lanes_mul(x, w.f1), lanes_mul(x1, w.g1));
    lanes m = lanes_mul(low, p->inverse);
    high = lanes_sub(high, lanes_mul(m, p->q_high));
    return lanes_add(high, lanes_down(lanes_sub(low, lanes_mul(m, p->q_low))));
}

LANES_SHORT static inline void lanes_butterfly(lanes *u, lanes *w, lanes_factor f, const lanes_prime *p)
{
    lanes v = lanes_product(*w, f, p), sum = lanes_add(*u, v);
    *w = lanes_sub(*u, v);
    *u = sum;
}

/* Rounds of t = LANES / 2 .. 1: element j of a round has root h + j / (2 t). The split that brings elements
 * to their lanes brings the roots there, too. */
LANES_TARGET static void lanes_prepare(void)
{
    for (unsigned i = 0; i < 2; i++) {
        const int64_t *roots = psi_rlwe_roots(i);
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        for (unsigned word = 0; word < 2; word++) {
            int64_t to = word ? p->two64 : p->two32;
            for (size_t k = 0; k < PSI_RLWE_N / LANES; k++)
                lanes_table[i][word][k] = lanes_form(psi_rlwe_product(roots[k], to, p));
            for (unsigned s = 0; s < LANES_SMALL; s++) {
                size_t t = LANES / 2 >> s, h = PSI_RLWE_N / (2 * t);
                for (size_t j = 0; j < PSI_RLWE_N; j += 2 * LANES) {
                    int64_t each[2 * LANES];
                    lanes u, w;
                    for (size_t l = 0; l < 2 * LANES; l++)
                        each[l] = lanes_form(psi_rlwe_product(roots[h + (j + l) / (2 * t)], to, p));
                    lanes_split(lanes_load(each), lanes_load(each + LANES), t, &u, &w);
                    lanes_store(&lanes_small[i][s][word][j / 2], u);
                }
            }
        }
    }
}

/* Growth as in ntt_portable. */
LANES_TARGET static void lanes_ntt(int64_t x[PSI_RLWE_N], unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    size_t h = 1, t = PSI_RLWE_N / 2;
    for (; t >= 2 * LANES; h *= 4, t /= 4) /* two rounds in one pass */
        for (size_t i = 0; i < h; i++) {
            const int64_t *f = lanes_table[prime][0], *g = lanes_table[prime][1];
            lanes_factor w = lanes_factor_of(lanes_set(f[h + i]), lanes_set(g[h + i]));
            size_t k = 2 * (h + i);
            lanes_factor w0 = lanes_factor_of(lanes_set(f[k]), lanes_set(g[k]));
            lanes_factor w1 = lanes_factor_of(lanes_set(f[k + 1]), lanes_set(g[k + 1]));
            int64_t *a = x + 2 * i * t, *b = a + t / 2, *c = a + t, *d = b + t;
            for (size_t j = 0; j < t / 2; j += LANES) {
                lanes x0 = lanes_load(a + j), x1 = lanes_load(b + j), x2 = lanes_load(c + j),
                      x3 = lanes_load(d + j);
                lanes_butterfly(&x0, &x2, w, &p);
                lanes_butterfly(&x1, &x3, w, &p);
                lanes_butterfly(&x0, &x1, w0, &p);
                lanes_butterfly(&x2, &x3, w1, &p);
                lanes_store(a + j, x0);
                lanes_store(b + j, x1);
                lanes_store(c + j, x2);
                lanes_store(d + j, x3);
            }
        }
    for (size_t j = 0; j < PSI_RLWE_N; j += 2 * LANES) {
        lanes a = lanes_load(x + j), b = lanes_load(x + j + LANES);
        if (t == LANES) { /* an odd number of large rounds: 8 lanes */
            size_t k = h + j / (2 * LANES);
            lanes_butterfly(
                &a, &b,
                lanes_factor_of(lanes_set(lanes_table[prime][0][k]), lanes_set(lanes_table[prime][1][k])),
                &p);
        }
#define LANES_ROUND(s)                                                                                       \
    lanes_split(a, b, LANES / 2 >> (s), &a, &b);                                                             \
    lanes_butterfly(                                                                                         \
        &a, &b, lanes_factor_at(&lanes_small[prime][s][0][j / 2], &lanes_small[prime][s][1][j / 2]), &p);    \
    lanes_split(a, b, LANES / 2 >> (s), &a, &b);
        LANES_ROUND(0)
        LANES_ROUND(1)
#if LANES == 8
        LANES_ROUND(2)
#endif
#undef LANES_ROUND
        lanes_store(x + j, a);
        lanes_store(x + j + LANES, b);
    }
}

/* x + (x & 2^31) * 2: lanes_form. */
LANES_SHORT static inline lanes lanes_formed(lanes x)
{
    lanes bit = lanes_and(x, lanes_set(0x80000000));
    return lanes_add(x, lanes_add(bit, bit));
}

LANES_TARGET static void lanes_to_factor(psi_rlwe_factor *f, const int64_t x[PSI_RLWE_N], unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    const psi_rlwe_prime *q = &psi_rlwe_primes[prime];
    const lanes_factor two32 = lanes_constant(psi_rlwe_product(q->two32, 1, q), prime);
    const lanes_factor two64 = lanes_constant(q->one, prime);
    for (size_t j = 0; j < PSI_RLWE_N; j += LANES) {
        lanes v = lanes_load(x + j);
        lanes_store(&f->word[0][j], lanes_formed(lanes_product(v, two32, &p)));
        lanes_store(&f->word[1][j], lanes_formed(lanes_product(v, two64, &p)));
    }
}

LANES_TARGET static void lanes_encode(int64_t x[PSI_RLWE_N], const int64_t digit[PSI_RLWE_N],
                                      const int64_t small[PSI_RLWE_N], int64_t delta, unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    const lanes_factor f = lanes_constant(delta, prime);
    for (size_t j = 0; j < PSI_RLWE_N; j += LANES)
        lanes_store(x + j, lanes_add(lanes_product(lanes_load(digit + j), f, &p), lanes_load(small + j)));
}

LANES_TARGET static void lanes_add_products(int64_t sum[PSI_RLWE_N], const int64_t *x,
                                            const psi_rlwe_factor *f, size_t at, size_t n, unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    for (size_t j = 0; j < n; j += LANES) {
        lanes_factor w = lanes_factor_at(&f->word[0][at + j], &f->word[1][at + j]);
        lanes_store(sum + at + j,
                    lanes_add(lanes_load(sum + at + j), lanes_product(lanes_load(x + j), w, &p)));
    }
}

LANES_TARGET static int64_t lanes_dot(const int64_t *x, const psi_rlwe_factor *f, size_t at, size_t n,
                                      unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    lanes sum = lanes_set(0);
    int64_t each[LANES], all = 0;
    for (size_t j = 0; j < n; j += LANES) {
        lanes_factor w = lanes_factor_at(&f->word[0][at + j], &f->word[1][at + j]);
        sum = lanes_add(sum, lanes_product(lanes_load(x + j), w, &p));
    }
    lanes_store(each, sum);
    for (unsigned l = 0; l < LANES; l++)
        all += each[l];
    return all;
}

LANES_TARGET static void lanes_reduce(int64_t x[PSI_RLWE_N], unsigned prime)
{
    const lanes_prime p = lanes_of(prime);
    const lanes_factor one = lanes_constant(1, prime);
    const lanes q = lanes_set(psi_rlwe_primes[prime].q);
    for (size_t j = 0; j < PSI_RLWE_N; j += LANES) {
        lanes v = lanes_product(lanes_load(x + j), one, &p);
        lanes_store(x + j, lanes_add(v, lanes_and(q, lanes_sign(v))));
    }
}

#define LANES_BACKEND(title)                                                                                 \
    {                                                                                                        \
        .name = (title), .prepare = lanes_prepare, .ntt = lanes_ntt, .factor = lanes_to_factor,              \
        .encode = lanes_encode, .add = lanes_add_products, .dot = lanes_dot, .reduce = lanes_reduce          \
    }
