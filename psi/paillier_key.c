/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/paillier_key.h"

#include "psi/ct.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <string.h>

enum { P = PSI_PAILLIER_P, N = PSI_PAILLIER_N, NN = PSI_PAILLIER_NN };

#define SIEVE_MAX 16384u /* candidates with a smaller factor are not tested further */
#define REPS 64          /* of GMP 6: Baillie-PSW, then 40 rounds of Miller-Rabin */
#define APART 1436u      /* |p - q| > 2^APART */

#ifdef TALLY_TEST
static const mp_limb_t *test_p, *test_q;

void psi_paillier_set_primes(const mp_limb_t *p, const mp_limb_t *q)
{
    test_p = p;
    test_q = q;
}

static int given(mp_limb_t *p, mp_limb_t *q)
{
    if (!test_p)
        return 0;
    memcpy(p, test_p, P * sizeof *p);
    memcpy(q, test_q, P * sizeof *q);
    return 1;
}
#else
static inline int given(mp_limb_t *p, mp_limb_t *q)
{
    (void)p, (void)q;
    return 0;
}
#endif

/* ---- The search ---- */

/* Odd divisors below SIEVE_MAX; those that are not prime cost time only, so the small ones are left out. */
static int has_small_factor(const mp_limb_t *x)
{
    static const unsigned first[] = {3, 5, 7, 11, 13};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (mpn_mod_1(x, P, first[i]) == 0)
            return 1;
    for (unsigned d = 17; d < SIEVE_MAX; d += 2)
        if (d % 3 && d % 5 && d % 7 && d % 11 && d % 13 && mpn_mod_1(x, P, d) == 0)
            return 1;
    return 0;
}

static void search_one(psi_prg *prg, mp_limb_t *p)
{
    mpz_t view;
    do {
        psi_prg_bytes(prg, p, P * sizeof *p);
        /* A candidate that is refused is forgotten; the tests of the one that is taken run in variable time,
           which this machine alone could observe (psi/paillier_key.h). */
        PSI_DECLASSIFY(p, P * sizeof *p);
        p[0] |= 3;
        p[P - 1] |= (mp_limb_t)3 << 62;
        mpz_roinit_n(view, p, P);
    } while (has_small_factor(p) || !mpz_probab_prime_p(view, 1) || !mpz_probab_prime_p(view, REPS));
}

/* |p - q| > 2^APART and gcd(p - 1, q - 1) = 2. */
static int fit(const mp_limb_t *p, const mp_limb_t *q)
{
    mp_limb_t d[P], e[P];
    mpz_t a, b, g;
    if (mpn_cmp(p, q, P) < 0)
        mpn_sub_n(d, q, p, P);
    else
        mpn_sub_n(d, p, q, P);
    int apart = mpn_zero_p(d, P) ? 0 : mpz_sizeinbase(mpz_roinit_n(a, d, P), 2) > APART;
    memcpy(d, p, sizeof d);
    memcpy(e, q, sizeof e);
    d[0] ^= 1;
    e[0] ^= 1;
    mpz_init(g);
    mpz_gcd(g, mpz_roinit_n(a, d, P), mpz_roinit_n(b, e, P));
    int two = mpz_cmp_ui(g, 2) == 0;
    mpz_clear(g); /* 2 almost always */
    psi_wipe(d, sizeof d);
    psi_wipe(e, sizeof e);
    return apart && two;
}

void psi_paillier_search(psi_prg *prg, mp_limb_t *p, mp_limb_t *q)
{
    if (!given(p, q)) {
        search_one(prg, p);
        do
            search_one(prg, q);
        while (!fit(p, q));
    }
    PSI_SECRET(p, P * sizeof *p);
    PSI_SECRET(q, P * sizeof *q);
}

/* ---- What follows from the primes ---- */

/* a -= m while a >= m, at most `times` times. */
static void reduce(mp_limb_t *a, const mp_limb_t *m, size_t n, unsigned times)
{
    mp_limb_t d[N];
    while (times--) {
        mp_limb_t below = mpn_sub_n(d, a, m, (mp_size_t)n);
        psi_limbs_move(a, d, n, below - 1);
    }
    psi_wipe(d, sizeof d);
}

/* r = 1/p mod 2^1536: 1/p mod 2^64, doubled in length with r (2 - p r). */
static void invert_low(mp_limb_t *r, const mp_limb_t *p, psi_mont_work *w)
{
    static const mp_limb_t two[P] = {2};
    mp_limb_t x = p[0];
    for (int i = 0; i < 5; i++)
        x *= 2 - p[0] * x;
    memset(r, 0, P * sizeof *r);
    r[0] = x;
    for (size_t right = 1; right < P; right *= 2) {
        mpn_sec_mul(w->t, p, P, r, P, w->gmp);
        mpn_sub_n(w->r, two, w->t, P);
        mpn_sec_mul(w->t, w->r, P, r, P, w->gmp);
        memcpy(r, w->t, P * sizeof *r);
    }
}

/* root = 1/N mod p - 1 for N = q mod p - 1. p - 1 = 2 m with m odd. */
static tally_status find_root(psi_paillier_half *h, const mp_limb_t *q)
{
    mp_limb_t m[P], a[P], other[P];
    mp_size_t itch = mpn_sec_invert_itch(P);
    mp_limb_t *scratch = psi_secret_calloc((size_t)itch, sizeof *scratch);
    if (!scratch)
        return TALLY_ERR_NO_MEMORY;
    mpn_rshift(m, h->prime, P, 1);
    memcpy(a, q, sizeof a);
    reduce(a, m, P, 2); /* q < 2^1536, m > 0.37 2^1536 */
    int found = mpn_sec_invert(h->root, a, m, P, 2 * 64 * P, scratch);
    PSI_DECLASSIFY(&found, sizeof found); /* always, as gcd(N, p - 1) = 1 */
    /* Of r and r + m the odd one: the inverse mod 2 is 1. */
    mpn_add_n(other, h->root, m, P);
    psi_limbs_move(h->root, other, P, (h->root[0] & 1) - 1);
    psi_secret_free(scratch);
    psi_wipe(m, sizeof m);
    psi_wipe(a, sizeof a);
    psi_wipe(other, sizeof other);
    return found ? TALLY_OK : TALLY_ERR_INTERNAL;
}

/* 1/q mod p = q^(p - 2), in Montgomery form. */
static void invert_mod(const psi_paillier_half *h, mp_limb_t *r, const mp_limb_t *q, psi_mont_work *w)
{
    mp_limb_t e[P];
    memcpy(e, h->prime, sizeof e);
    e[0] -= 2; /* p = 3 mod 4 */
    psi_mont_in(&h->mod, r, q, w);
    psi_mont_pow(&h->mod, r, r, e, 64 * P, w);
    psi_wipe(e, sizeof e);
}

static tally_status half_init(psi_paillier_half *h, const mp_limb_t *p, const mp_limb_t *q, psi_mont_work *w)
{
    static const mp_limb_t zero[P];
    memcpy(h->prime, p, sizeof h->prime);
    psi_mont_init(&h->mod, p, P);
    mpn_sec_sqr(w->t, p, P, w->gmp);
    psi_mont_init(&h->square, w->t, N);
    invert_low(h->exact, p, w);
    invert_mod(h, h->decrypt, q, w);
    psi_mont_sub(&h->mod, h->decrypt, zero, h->decrypt);
    return find_root(h, q);
}

tally_status psi_paillier_secret_init(psi_paillier_secret *s, const mp_limb_t *p, const mp_limb_t *q,
                                      psi_mont_work *w)
{
    mp_limb_t wide_q[N] = {0}, x[N] = {0}, t[N];
    const psi_mont *pp = &s->half[0].square;
    mpn_sec_mul(s->n, p, P, q, P, w->gmp);
    PSI_DECLASSIFY(s->n, sizeof s->n); /* the public key */
    tally_status st = half_init(&s->half[0], p, q, w);
    if (!st)
        st = half_init(&s->half[1], q, p, w);
    if (st)
        goto done;
    invert_mod(&s->half[0], s->q_p, q, w);
    /* 1/q mod p^2 from u = 1/q mod p: u (2 - q u); then squared. */
    psi_mont_out(&s->half[0].mod, x, s->q_p, w);
    memcpy(wide_q, q, P * sizeof *q);
    psi_mont_in(pp, x, x, w);
    psi_mont_in(pp, t, wide_q, w);
    psi_mont_mul(pp, t, t, x, w);
    psi_mont_sub(pp, t, pp->one, t);
    psi_mont_add(pp, t, t, pp->one);
    psi_mont_mul(pp, x, x, t, w);
    psi_mont_sqr(pp, x, x, w);
    psi_mont_in(pp, s->qq_pp, x, w);
    psi_mont_in(&s->half[0].mod, s->q_p, s->q_p, w);
done:
    psi_wipe(wide_q, sizeof wide_q);
    psi_wipe(x, sizeof x);
    psi_wipe(t, sizeof t);
    return st;
}

/* out = b + m k for the k < M with b + m k = a mod M: n limbs each, 2 n at out; c is M, over = 1/m R^2
   mod M. b < m < 2^(64 n) < 2 M. */
static void garner(const psi_mont *c, const mp_limb_t *over, const mp_limb_t *m, mp_limb_t *out,
                   const mp_limb_t *a, const mp_limb_t *b, psi_mont_work *w)
{
    mp_size_t n = (mp_size_t)c->n;
    mp_limb_t k[N], low[NN] = {0};
    memcpy(low, b, c->n * sizeof *b);
    psi_mont_sub(c, k, a, b);
    psi_mont_mul(c, k, k, over, w);
    psi_mont_out(c, k, k, w); /* in [0, M) */
    mpn_sec_mul(out, m, n, k, n, w->gmp);
    mpn_add_n(out, out, low, 2 * n);
    psi_wipe(k, sizeof k);
    psi_wipe(low, sizeof low);
}

void psi_paillier_join(const psi_paillier_secret *s, mp_limb_t *out, const mp_limb_t *mod_p,
                       const mp_limb_t *mod_q, psi_mont_work *w)
{
    garner(&s->half[0].mod, s->q_p, s->half[1].prime, out, mod_p, mod_q, w);
}

void psi_paillier_join_squares(const psi_paillier_secret *s, mp_limb_t *out, const mp_limb_t *mod_pp,
                               const mp_limb_t *mod_qq, psi_mont_work *w)
{
    mp_limb_t b[N];
    memcpy(b, mod_qq, sizeof b);
    reduce(b, s->half[1].square.m, N, 1); /* q^2 > 2^3072 / 2 */
    garner(&s->half[0].square, s->qq_pp, s->half[1].square.m, out, mod_pp, b, w);
    psi_wipe(b, sizeof b);
}

/* The plaintext mod p: L(c^(p - 1) mod p^2) / L((1 + N)^(p - 1) mod p^2) with L(x) = (x - 1) / p. */
static void open_half(const psi_paillier_half *h, mp_limb_t *plain, const mp_limb_t *c, psi_mont_work *w)
{
    static const mp_limb_t one[P] = {1};
    mp_limb_t x[N], e[P];
    memcpy(e, h->prime, sizeof e);
    e[0] ^= 1;
    psi_mont_in_wide(&h->square, x, c, w);
    psi_mont_pow(&h->square, x, x, e, 64 * P, w);
    psi_mont_out(&h->square, x, x, w);
    mpn_sub_n(x, x, one, P); /* the quotient is below p: the low half decides */
    mpn_sec_mul(w->t, x, P, h->exact, P, w->gmp);
    memcpy(x, w->t, P * sizeof *x);
    psi_mont_mul(&h->mod, x, x, h->decrypt, w);
    psi_mont_in(&h->mod, x, x, w);
    psi_mont_out(&h->mod, plain, x, w);
    psi_wipe(x, sizeof x);
    psi_wipe(e, sizeof e);
}

void psi_paillier_open(const psi_paillier_secret *s, mp_limb_t *plain, const mp_limb_t *c, psi_mont_work *w)
{
    mp_limb_t a[P], b[P];
    open_half(&s->half[0], a, c, w);
    open_half(&s->half[1], b, c, w);
    psi_paillier_join(s, plain, a, b, w);
    psi_wipe(a, sizeof a);
    psi_wipe(b, sizeof b);
}
