/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mont.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <string.h>

_Static_assert(sizeof(mp_limb_t) == 8 && GMP_NAIL_BITS == 0, "limbs of 64 bits");

#define WINDOW 4u /* bits of an exponent taken at a time */

psi_mont_work *psi_mont_work_new(void)
{
    psi_mont_work *w;
    const mp_size_t n = PSI_MONT_LIMBS, room = sizeof w->gmp / sizeof *w->gmp;
    if (mpn_sec_mul_itch(n, n) > room || mpn_sec_sqr_itch(n) > room)
        return NULL;
    return psi_secret_calloc(1, sizeof *w);
}

void psi_mont_work_free(psi_mont_work *w)
{
    psi_secret_free(w);
}

void psi_limbs_move(mp_limb_t *r, const mp_limb_t *a, size_t n, mp_limb_t mask)
{
    mask = psi_ct_barrier(mask);
    for (size_t i = 0; i < n; i++)
        r[i] ^= (r[i] ^ a[i]) & mask;
}

void psi_limbs_read(mp_limb_t *r, size_t n, const uint8_t *in)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = in + 8 * (n - 1 - i);
        mp_limb_t x = 0;
        for (unsigned k = 0; k < 8; k++)
            x = x << 8 | p[k];
        r[i] = x;
    }
}

void psi_limbs_write(uint8_t *out, const mp_limb_t *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 8; k++)
            out[8 * (n - 1 - i) + k] = (uint8_t)(a[i] >> (56 - 8 * k));
}

/* Once, where the argument says that a < 2 m. */
static void cut(const psi_mont *c, mp_limb_t *a)
{
    mp_limb_t d[PSI_MONT_LIMBS], below = mpn_sub_n(d, a, c->m, (mp_size_t)c->n);
    psi_limbs_move(a, d, c->n, below - 1);
    psi_wipe(d, c->n * sizeof *d);
}

/* r = 2 a mod m for a in [0, m). */
static void twice(const psi_mont *c, mp_limb_t *a)
{
    mp_limb_t d[PSI_MONT_LIMBS];
    mp_size_t n = (mp_size_t)c->n;
    mp_limb_t carry = mpn_lshift(a, a, n, 1), below = mpn_sub_n(d, a, c->m, n);
    psi_limbs_move(a, d, c->n, (carry | (below ^ 1)) * ~(mp_limb_t)0);
    psi_wipe(d, c->n * sizeof *d);
}

void psi_mont_init(psi_mont *c, const mp_limb_t *m, size_t n)
{
    PSI_CHECK(n >= 1 && n <= PSI_MONT_LIMBS);
    memset(c, 0, sizeof *c);
    c->n = n;
    memcpy(c->m, m, n * sizeof *m);
    mp_limb_t x = m[0]; /* x m = 1 mod 2^3; each step doubles the bits */
    for (int i = 0; i < 5; i++)
        x *= 2 - m[0] * x;
    c->inverse = 0 - x;
    /* No division, which would look up the top bits of m: 1 doubled 64 n times, and as often again. */
    c->one[0] = 1;
    for (size_t i = 0; i < 64 * n; i++)
        twice(c, c->one);
    memcpy(c->rr, c->one, n * sizeof *m);
    for (size_t i = 0; i < 64 * n; i++)
        twice(c, c->rr);
}

void psi_mont_redc(const psi_mont *c, mp_limb_t *r, mp_limb_t *t)
{
    mp_size_t n = (mp_size_t)c->n;
    /* Each step clears t[i], which then holds the carry that belongs n limbs higher. */
    for (mp_size_t i = 0; i < n; i++)
        t[i] = mpn_addmul_1(t + i, c->m, n, t[i] * c->inverse);
    /* t < R^2, so (t + q m) / R < R + m: below R once m is taken off in case of a carry. */
    mp_limb_t carry = mpn_add_n(r, t + n, t, n);
    mpn_cnd_sub_n(carry, r, r, c->m, n);
}

void psi_mont_mul(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, psi_mont_work *w)
{
    mpn_sec_mul(w->t, a, (mp_size_t)c->n, b, (mp_size_t)c->n, w->gmp);
    psi_mont_redc(c, r, w->t);
}

void psi_mont_sqr(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w)
{
    mpn_sec_sqr(w->t, a, (mp_size_t)c->n, w->gmp);
    psi_mont_redc(c, r, w->t);
}

void psi_mont_add(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
    mp_size_t n = (mp_size_t)c->n;
    /* A carry is worth R = one mod m. one <= R / 2 (m > R / 2: one = R - m; else one < m), so that after a
       second one, which leaves less than 2 one - 1, there is no third. psi_mont_sub alike. */
    mp_limb_t carry = mpn_add_n(r, a, b, n);
    carry = mpn_cnd_add_n(carry, r, r, c->one, n);
    mpn_cnd_add_n(carry, r, r, c->one, n);
}

void psi_mont_sub(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
    mp_size_t n = (mp_size_t)c->n;
    mp_limb_t borrow = mpn_sub_n(r, a, b, n);
    borrow = mpn_cnd_sub_n(borrow, r, r, c->one, n);
    mpn_cnd_sub_n(borrow, r, r, c->one, n);
}

void psi_mont_in(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w)
{
    psi_mont_mul(c, r, a, c->rr, w);
}

void psi_mont_in_wide(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w)
{
    /* a = a1 R + a0: a R = (a1 R) R + a0 R */
    psi_mont_mul(c, w->r, a + c->n, c->rr, w);
    psi_mont_mul(c, w->r, w->r, c->rr, w);
    mp_limb_t *low = w->table[0];
    psi_mont_mul(c, low, a, c->rr, w);
    psi_mont_add(c, r, w->r, low);
}

void psi_mont_out(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w)
{
    memcpy(w->t, a, c->n * sizeof *a);
    memset(w->t + c->n, 0, c->n * sizeof *a);
    psi_mont_redc(c, r, w->t); /* (a + q m) / R <= m, as a and q are below R */
    cut(c, r);
}

/* Bits [at, at + WINDOW) of the exponent of `bits` bits. */
static mp_limb_t digit(const mp_limb_t *e, size_t bits, size_t at)
{
    mp_limb_t x = e[at / 64] >> (at % 64); /* at is a multiple of WINDOW, which divides 64 */
    size_t left = bits - at;
    return x & (((mp_limb_t)1 << (left < WINDOW ? left : WINDOW)) - 1);
}

void psi_mont_pow(const psi_mont *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *e, size_t bits,
                  psi_mont_work *w)
{
    const mp_size_t n = (mp_size_t)c->n;
    mp_limb_t *x = w->r, *picked = w->picked;
    PSI_CHECK(bits >= 1);
    memcpy(w->table[0], c->one, sizeof c->one);
    memcpy(w->table[1], a, c->n * sizeof *a);
    for (size_t i = 2; i < 16; i++)
        psi_mont_mul(c, w->table[i], w->table[i - 1], w->table[1], w);
    memcpy(x, c->one, sizeof c->one);
    for (size_t at = (bits - 1) / WINDOW * WINDOW + WINDOW; at;) {
        at -= WINDOW;
        for (unsigned i = 0; i < WINDOW; i++)
            psi_mont_sqr(c, x, x, w);
        mp_limb_t d = digit(e, bits, at);
        memset(picked, 0, c->n * sizeof *picked);
        for (mp_limb_t i = 0; i < 16; i++) { /* all of the table is read */
            mp_limb_t mask = psi_ct_barrier(((i ^ d) - 1) >> 63) * ~(mp_limb_t)0;
            for (mp_size_t k = 0; k < n; k++)
                picked[k] |= w->table[i][k] & mask;
        }
        psi_mont_mul(c, x, x, picked, w);
    }
    memcpy(r, x, c->n * sizeof *r);
}
