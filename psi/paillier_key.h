/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of Paillier-3072: search for the primes, what the owner computes from them, the proof that N-th powers
 * permute Z_N^* and its check (docs/protocol-paillier.md). Called by psi/paillier_owner.c and
 * psi/paillier_adder.c.
 */
#ifndef PSI_PAILLIER_KEY_H
#define PSI_PAILLIER_KEY_H

#include "psi/item.h"
#include "psi/mont.h"
#include "psi/rng.h"

#define PSI_PAILLIER_BITS 3072u
#define PSI_PAILLIER_N 48u     /* limbs of N, p^2, q^2 */
#define PSI_PAILLIER_P 24u     /* limbs of p, q */
#define PSI_PAILLIER_NN 96u    /* limbs of N^2 */
#define PSI_PAILLIER_ROOTS 11u /* 11 log2(6370 / 1.5) = 132 >= 128 */
#define PSI_PAILLIER_ROUGH 6370u
#define PSI_PAILLIER_N_BYTES (8 * PSI_PAILLIER_N)
#define PSI_PAILLIER_UNIT (8 * PSI_PAILLIER_NN)
#define PSI_PAILLIER_KEY_BYTES ((1 + PSI_PAILLIER_ROOTS) * PSI_PAILLIER_N_BYTES)

/* One of the two primes and what goes with it: p below, the other is q. All secret. */
typedef struct psi_paillier_half {
    mp_limb_t prime[PSI_PAILLIER_P];   /* p */
    mp_limb_t root[PSI_PAILLIER_P];    /* 1/N mod p - 1 */
    mp_limb_t exact[PSI_PAILLIER_P];   /* 1/p mod 2^1536: exact division by p */
    mp_limb_t decrypt[PSI_PAILLIER_P]; /* -1/q mod p in Montgomery form: 1/L((1 + N)^(p - 1) mod p^2) */
    psi_mont mod;                      /* p */
    psi_mont square;                   /* p^2 */
} psi_paillier_half;

/* A key of the owner, to be kept in memory of psi_secret_calloc. */
typedef struct psi_paillier_secret {
    mp_limb_t n[PSI_PAILLIER_N];     /* N: public */
    psi_paillier_half half[2];       /* p and q */
    mp_limb_t q_p[PSI_PAILLIER_P];   /* 1/q R^2 mod p */
    mp_limb_t qq_pp[PSI_PAILLIER_N]; /* 1/q^2 R^2 mod p^2 */
} psi_paillier_secret;

/*
 * Two primes of 1536 bits, both top bits set, 3 mod 4, |p - q| > 2^1436, gcd(p - 1, q - 1) = 2. Then N = p q
 * has 3072 bits exactly, and gcd(N, (p - 1)(q - 1)) = 1: p | q - 1 would need q - 1 >= 2 p. Variable time:
 * how long the search takes depends on the candidates that were thrown away, which have nothing to do with
 * those found, and on tests of the primes by GMP that only this machine could observe.
 */
void psi_paillier_search(psi_prg *prg, mp_limb_t *p, mp_limb_t *q);

/* Constant time. TALLY_ERR_NO_MEMORY. */
tally_status psi_paillier_secret_init(psi_paillier_secret *s, const mp_limb_t *p, const mp_limb_t *q,
                                      psi_mont_work *w) TALLY_MUST_CHECK;

/* The number in [0, N) from its residues, each in [0, p) or [0, q), 24 limbs. */
void psi_paillier_join(const psi_paillier_secret *s, mp_limb_t *out, const mp_limb_t *mod_p,
                       const mp_limb_t *mod_q, psi_mont_work *w);
/* The number in [0, N^2) from numbers of 48 limbs that have its residues mod p^2 and q^2. */
void psi_paillier_join_squares(const psi_paillier_secret *s, mp_limb_t *out, const mp_limb_t *mod_pp,
                               const mp_limb_t *mod_qq, psi_mont_work *w);
/* The plaintext in [0, N) of a ciphertext of 96 limbs that is coprime to N. Constant time. */
void psi_paillier_open(const psi_paillier_secret *s, mp_limb_t *plain, const mp_limb_t *c, psi_mont_work *w);

/* The key message: N, then the roots; PSI_PAILLIER_KEY_BYTES at out. Constant time in the primes. */
tally_status psi_paillier_prove(const psi_paillier_secret *s, const psi_sid *sid,
                                uint8_t *out) TALLY_MUST_CHECK;
/*
 * N from a key message that holds what it claims: TALLY_ERR_MALFORMED and *why otherwise, n untouched.
 * Variable time: everything is public.
 */
tally_status psi_paillier_check(mp_limb_t *n, const psi_sid *sid, const uint8_t *message,
                                const char **why) TALLY_MUST_CHECK;

/* Whether 0 < c < N^2 and gcd(c, N) = 1: NULL, or what is wrong. nn: N^2. Variable time: c is public. */
const char *psi_paillier_bad_unit(const mp_limb_t *n, const mp_limb_t *nn, const mp_limb_t *c);
/* N^2 of N. */
void psi_paillier_square(mp_limb_t *nn, const mp_limb_t *n);

#ifdef TALLY_TEST
/* Test builds only: keys are made from these primes of 24 limbs until called with NULL. */
void psi_paillier_set_primes(const mp_limb_t *p, const mp_limb_t *q);
#endif

#endif
