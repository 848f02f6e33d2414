/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mont_pair.h"

#include "psi/mem.h"
#include "psi/verify.h"
#include <string.h>

/* t = q p + R z for the low n limbs q of -t/p, kept at q: z at r, what does not fit returned. */
static mp_limb_t reduce(const psi_mont *p, mp_limb_t *r, mp_limb_t *t, mp_limb_t *q)
{
    mp_size_t n = (mp_size_t)p->n;
    for (mp_size_t i = 0; i < n; i++) {
        q[i] = t[i] * p->inverse;
        t[i] = mpn_addmul_1(t + i, p->m, n, q[i]);
    }
    return mpn_add_n(r, t + n, t, n);
}

void psi_pair_mul(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, psi_mont_work *w)
{
    const mp_size_t n = (mp_size_t)p->n;
    const mp_limb_t *x1 = a, *y1 = a + n, *x2 = b, *y2 = b + n;
    mp_limb_t *s = w->t, *u = w->t + 2 * n, *q = w->r, *z = w->picked;
    PSI_CHECK(p->n <= PSI_PAIR_LIMBS && p->m[n - 1] >> 62 == 3);
    mpn_sec_mul(s, x1, n, y2, n, w->gmp);
    mpn_sec_mul(u, x2, n, y1, n, w->gmp);
    mp_limb_t high = mpn_add_n(s, s, u, 2 * n);
    mpn_sec_mul(u, x1, n, x2, n, w->gmp);
    /* x1 x2 + k p < R^2 + R p: below R once p is taken off in case of a carry, and then y is one more. */
    mp_limb_t more = reduce(p, z, u, q);
    mpn_cnd_sub_n(more, z, z, p->m, n);
    /* s - k: s + (R - k) - R, and the -R is -1 once divided by R; k = 0 asks for neither, and then there was
       no carry above. s + R <= 2 (R - 1)^2 + R < 2 R^2. */
    memset(u, 0, 2 * (size_t)n * sizeof *u);
    mp_limb_t less = mpn_sub_n(u, u + n, q, n);
    high += mpn_add_n(s, s, u, 2 * n);
    high += reduce(p, r + n, s, q); /* below 3 R in all, so high <= 2 */
    memcpy(r, z, (size_t)n * sizeof *z);
    /* 0 or -1, along with a p that keeps it from falling below 0 */
    memcpy(u, p->m, (size_t)n * sizeof *u);
    u[0] -= less - more; /* p is odd */
    high += mpn_add_n(r + n, r + n, u, n);
    /* below 4 R in all: 4 R - 4 p <= R, as p >= 3/4 R */
    for (int i = 0; i < 4; i++) {
        mp_limb_t above = (high | (0 - high)) >> 63;
        high -= mpn_cnd_sub_n(above, r + n, r + n, p->m, n);
    }
    PSI_CHECK(high == 0);
}

void psi_pair_split(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *exact,
                    psi_mont_work *w)
{
    const mp_size_t n = (mp_size_t)p->n;
    mp_limb_t x[PSI_PAIR_LIMBS], d[PSI_PAIR_LIMBS];
    psi_mont_in_wide(p, x, a, w);
    psi_mont_out(p, x, x, w);
    mpn_sub_n(d, a, x, n); /* divisible by p, and the quotient is below p */
    mpn_sec_mul(w->t, d, n, exact, n, w->gmp);
    memcpy(r, x, (size_t)n * sizeof *r);
    memcpy(r + n, w->t, (size_t)n * sizeof *r);
    psi_wipe(x, sizeof x);
    psi_wipe(d, sizeof d);
}

void psi_pair_join(const psi_mont *p, mp_limb_t *r, const mp_limb_t *a, psi_mont_work *w)
{
    const mp_size_t n = (mp_size_t)p->n;
    /* x + p y <= R - 1 + p (R - 1) = (p + 1) (R - 1) < R^2 */
    mpn_sec_mul(w->t, a + n, n, p->m, n, w->gmp);
    memset(w->t + 2 * n, 0, 2 * (size_t)n * sizeof *w->t);
    memcpy(w->t + 2 * n, a, (size_t)n * sizeof *a);
    mpn_add_n(r, w->t, w->t + 2 * n, 2 * n);
}
