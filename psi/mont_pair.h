/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers modulo p^2 as pairs: x + p y for the n limbs each of x and then y, p with both top bits set. A
 * product takes three products and two reductions of n limbs, 5 n^2 products of limbs, where Montgomery's
 * modulo p^2 itself takes 8 n^2. Constant time in all values and in p. Called by psi/paillier_owner.c.
 *
 * With R = 2^(64 n): x1 x2 + k p = R z for the k of Montgomery's reduction modulo p, so that
 *     (x1 + p y1) (x2 + p y2) / R = z + p ((x1 y2 + x2 y1 - k) / R)  mod p^2
 * and the pair form of a number a is a pair of a R mod p^2. x and y are any numbers below R.
 */
#ifndef PSI_MONT_PAIR_H
#define PSI_MONT_PAIR_H

#include "psi/mont.h"

#define PSI_PAIR_LIMBS (PSI_MONT_LIMBS / 4) /* n at most */

/* r = a b / R, 2 n limbs each; p: the modulus p of n limbs. r may be a or b. */
void psi_pair_mul(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, psi_mont_work *w);
/* The pair of a number below p^2 of 2 n limbs. exact: 1/p mod R, n limbs. */
void psi_pair_split(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *exact,
                    psi_mont_work *w);
/* x + p y, below R^2. */
void psi_pair_join(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w);

#endif
