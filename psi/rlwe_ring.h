/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of packed RLWE (docs/protocol-rlwe.md): polynomials modulo X^4096 + 1 and the two primes, their
 * number-theoretic transform, products point by point, bytes on the wire, samplers. Takes and gives arrays of
 * residues for one prime at a time. Backends: portable, avx2 and avx512, alike in all canonical results.
 * Called by psi/rlwe.
 *
 * Point k of the transform is the value at root^(2 * bitrev12(k) + 1). Residues are int64_t: canonical in
 * [0, q), or lazy, any number of the class within the bound a function states. All functions but the stream
 * run in a time that depends on the lengths only.
 */
#ifndef PSI_RLWE_RING_H
#define PSI_RLWE_RING_H

#include "psi/rng.h"
#include "psi/wide.h"
#include <openssl/types.h>

#define PSI_RLWE_LOG 12u
#define PSI_RLWE_N 4096u
#define PSI_RLWE_PIECE 512u   /* residues that one call of dot or of the stream takes at most */
#define PSI_RLWE_SHARE 27136u /* bytes of a polynomial modulo one prime: 4096 * 53 / 8 */
#define PSI_RLWE_POLY 54272u  /* modulo both */
#define PSI_RLWE_RESIDUE 53u  /* bits of a residue on the wire */

/* One prime, = 1 modulo 2 * 4096. Constants for products divided by 2^64 (psi_rlwe_product). */
typedef struct psi_rlwe_prime {
    int64_t q;
    int64_t root;     /* of order 8192, the smallest */
    uint64_t inverse; /* q^-1 mod 2^64 */
    int64_t one;      /* 2^64 mod q: the factor 1 */
    int64_t two32;    /* 2^96 mod q: the factor 2^32 */
    int64_t two52;    /* 2^116 mod q: the factor 2^52 */
    int64_t two64;    /* 2^128 mod q: the factor 2^64 */
    int64_t n;        /* 2^64 / 4096 mod q: the factor 1/4096 */
} psi_rlwe_prime;

extern const psi_rlwe_prime psi_rlwe_primes[2];
#define PSI_RLWE_Q0_INVERSE 2859438191925415 /* 2^64 / q0 mod q1 */

/* Points of a polynomial that others are multiplied with, as the backend likes them. Secret if they are. */
typedef struct psi_rlwe_factor {
    int64_t word[2][PSI_RLWE_N];
} psi_rlwe_factor;

typedef struct psi_rlwe_backend {
    const char *name;
    void (*prepare)(void); /* makes its tables; once */
    /* Transforms in place. In: |x| < 2^54; out: lazy, |x| < 2^57. */
    void (*ntt)(int64_t x[PSI_RLWE_N], unsigned prime);
    /* x, |x| < 2^57, as a factor. */
    void (*factor)(psi_rlwe_factor *f, const int64_t x[PSI_RLWE_N], unsigned prime);
    /* x = delta * digit + small: delta canonical, 0 <= digit < 2^47, |small| < 2^50; out: |x| < 2^54. */
    void (*encode)(int64_t x[PSI_RLWE_N], const int64_t digit[PSI_RLWE_N], const int64_t small[PSI_RLWE_N],
                   int64_t delta, unsigned prime);
    /* sum[at + j] += x[j] * f[at + j] for j < n, multiples of 8, |x| < 2^57; |sum| grows by less than 2^53.
     */
    void (*add)(int64_t sum[PSI_RLWE_N], const int64_t *x, const psi_rlwe_factor *f, size_t at, size_t n,
                unsigned prime);
    /* The sum of x[j] * f[at + j] for j < n <= PSI_RLWE_PIECE, lazy: |sum| < 2^62 - 2^58. */
    int64_t (*dot)(const int64_t *x, const psi_rlwe_factor *f, size_t at, size_t n, unsigned prime);
    /* Canonical residues, in place. In: |x| < 2^61. */
    void (*reduce)(int64_t x[PSI_RLWE_N], unsigned prime);
} psi_rlwe_backend;

/* The backend in use, chosen once by psi_cpu. Never NULL. */
const psi_rlwe_backend *psi_rlwe_ring(void);
/* All backends that this machine can run, portable first. */
const psi_rlwe_backend *const *psi_rlwe_rings(size_t *count);

/* root^bitrev12(k), k = 0..4095, canonical; ready after psi_rlwe_ring(). For backends. */
const int64_t *psi_rlwe_roots(unsigned prime);

#if defined(__x86_64__)
extern const psi_rlwe_backend psi_rlwe_avx2;   /* psi/rlwe_avx2.c: PSI_CPU_AVX2 */
extern const psi_rlwe_backend psi_rlwe_avx512; /* psi/rlwe_avx512.c: PSI_CPU_AVX512 */
#endif

/*
 * a * b / 2^64 mod q (Montgomery 1985), signed: |result| <= |a * b| / 2^64 + q / 2 + 1. The low words of a*b
 * and of m*q agree, so the difference of the high ones is exact.
 */
static inline int64_t psi_rlwe_product(int64_t a, int64_t b, const psi_rlwe_prime *p)
{
    psi_wide t = (psi_wide)a * b;
    int64_t m = (int64_t)((uint64_t)t * p->inverse);
    return (int64_t)(t >> 64) - (int64_t)(((psi_wide)m * p->q) >> 64);
}

/* x + q where x is negative. */
static inline int64_t psi_rlwe_lifted(int64_t x, const psi_rlwe_prime *p)
{
    return x + (p->q & (int64_t)(0 - ((uint64_t)x >> 63)));
}

/* In [0, q), for |x| < 2^62: the product with 1 stays below 2^62 * 2^53 / 2^64 + q / 2 + 1 < q. */
static inline int64_t psi_rlwe_canonical(int64_t x, const psi_rlwe_prime *p)
{
    return psi_rlwe_lifted(psi_rlwe_product(x, p->one, p), p);
}

/* x mod q, canonical, for |x| < 2^113. */
int64_t psi_rlwe_mod(psi_wide x, const psi_rlwe_prime *p);
/* The number in [0, q0 * q1) with these canonical residues. */
psi_uwide psi_rlwe_join(const int64_t residue[2]);
#define PSI_RLWE_Q ((psi_uwide)9007199252840449 * 8729336347426817)

/* ---- Bytes: residue j is bits 53 j .. 53 j + 52, little-endian ---- */

/* Canonical residues to bytes. */
void psi_rlwe_pack(uint8_t out[PSI_RLWE_SHARE], const int64_t x[PSI_RLWE_N]);
/* Residues [at, at + n) from bytes, multiples of 8. Returns 0 if all are below q, else not 0. Public bytes.
 */
uint64_t psi_rlwe_unpack(int64_t *x, const uint8_t in[PSI_RLWE_SHARE], size_t at, size_t n, unsigned prime);

/* ---- Public polynomials ---- */

/* Residues drawn from AES-128 in counter mode: for polynomial `number` and each prime, words of 8 bytes
 * little-endian, cut to 53 bits, those not below q left out. Variable time, public. */
typedef struct psi_rlwe_stream {
    EVP_CIPHER *aes;
    EVP_CIPHER_CTX *ctx;
    unsigned prime;
    size_t next; /* word of buf, PSI_RLWE_PIECE: all used */
    uint64_t buf[PSI_RLWE_PIECE];
} psi_rlwe_stream;

tally_status psi_rlwe_stream_open(psi_rlwe_stream *s, const uint8_t key16[16]) TALLY_MUST_CHECK;
void psi_rlwe_stream_close(psi_rlwe_stream *s); /* zeroed handles allowed */
tally_status psi_rlwe_stream_seek(psi_rlwe_stream *s, uint64_t number, unsigned prime) TALLY_MUST_CHECK;
/* The next n <= PSI_RLWE_PIECE residues, canonical. */
tally_status psi_rlwe_stream_read(psi_rlwe_stream *s, int64_t *out, size_t n) TALLY_MUST_CHECK;

/* ---- Samplers ---- */

#define PSI_RLWE_COINS 42u /* of an error: centred binomial, variance 42 / 4 */
/* Errors in -21..21: the number of ones among 42 coins, less 21. */
void psi_rlwe_errors(psi_prg *prg, int64_t out[PSI_RLWE_N]);
/* -1, 0 or 1, each with probability 1/3 up to 2^-62. */
void psi_rlwe_ternary(psi_prg *prg, int64_t out[PSI_RLWE_N]);

#endif
