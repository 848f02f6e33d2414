/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers modulo an odd modulus in Montgomery form, constant time in all values and, psi_mont_init included,
 * in the modulus: only lengths and the number of bits of an exponent decide how long a call takes. Limbs and
 * their products are GMP's, by those of its functions that promise constant time (mpn_sec_*, mpn_cnd_*) or
 * are straight multiply-and-add loops (mpn_addmul_1). Called by psi/paillier*.c.
 *
 * R = 2^(64 n) for a modulus m of n limbs, least significant limb first. The Montgomery form of x is x R mod
 * m. Functions take any n limbs, also m and above, and give n limbs, perhaps m or above, of the right
 * residue; psi_mont_out gives the one in [0, m).
 */
#ifndef PSI_MONT_H
#define PSI_MONT_H

#include <gmp.h>
#include <stddef.h>
#include <stdint.h>

#define PSI_MONT_LIMBS 96u /* N^2 of a Paillier modulus of 3072 bits */

typedef struct psi_mont {
    size_t n;                      /* 1..PSI_MONT_LIMBS */
    mp_limb_t inverse;             /* -1/m mod 2^64 */
    mp_limb_t m[PSI_MONT_LIMBS];   /* odd, above 1, and m[n - 1] not 0 */
    mp_limb_t one[PSI_MONT_LIMBS]; /* R mod m: 1 in Montgomery form, in [0, m) */
    mp_limb_t rr[PSI_MONT_LIMBS];  /* R^2 mod m */
} psi_mont;

/* Room for intermediate results: secret, so from psi_mont_work_new; one per thread. */
typedef struct psi_mont_work {
    mp_limb_t t[2 * PSI_MONT_LIMBS];     /* a product */
    mp_limb_t r[PSI_MONT_LIMBS];         /* a result */
    mp_limb_t table[16][PSI_MONT_LIMBS]; /* psi_mont_pow */
    mp_limb_t picked[PSI_MONT_LIMBS];
    mp_limb_t gmp[4 * PSI_MONT_LIMBS]; /* what mpn_sec_mul and mpn_sec_sqr ask for */
} psi_mont_work;

psi_mont_work *
psi_mont_work_new(void); /* NULL when memory is short, or GMP asks for more room than there is */
void psi_mont_work_free(psi_mont_work *w); /* wipes; NULL allowed */

/* From the n limbs at m, odd and above 1. */
void psi_mont_init(psi_mont *c, const mp_limb_t *m, size_t n);

/* r = a b / R: of two Montgomery forms the form of the product. r may be a or b. */
void psi_mont_mul(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, psi_mont_work *w);
void psi_mont_sqr(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w);
/* r = t / R for the 2 n limbs at t, which are overwritten. */
void psi_mont_redc(const psi_mont *c, mp_limb_t *r, mp_limb_t *t);
/* r = a + b, a - b. r may be a or b. */
void psi_mont_add(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void psi_mont_sub(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
/* Into Montgomery form: of n limbs, of 2 n limbs. */
void psi_mont_in(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w);
void psi_mont_in_wide(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w);
/* Out of it: r in [0, m). */
void psi_mont_out(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w);
/* r = a^e, both in Montgomery form, for the exponent of `bits` bits at e, which is secret as well. bits >= 1.
 */
void psi_mont_pow(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *e, size_t bits,
                  psi_mont_work *w);

/* r = mask ? a : r for n limbs; mask 0 or all ones. */
void psi_limbs_move(mp_limb_t *r, const mp_limb_t *a, size_t n, mp_limb_t mask);
/* A number of n limbs from and to 8 n bytes, the most significant first. */
void psi_limbs_read(mp_limb_t *r, size_t n, const uint8_t *in);
void psi_limbs_write(uint8_t *out, const mp_limb_t *a, size_t n);

#endif
