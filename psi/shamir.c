/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/shamir.h"

#include "psi/ct.h"
#include "psi/gf128.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "psi/verify.h"

struct psi_shamir {
    size_t threshold;
    psi_gf128 f[]; /* coefficients, the secret first */
};

tally_status psi_shamir_new(psi_shamir **out, size_t threshold)
{
    PSI_CHECK(threshold >= PSI_SHAMIR_MIN && threshold <= PSI_SHAMIR_MAX);
    size_t bytes = threshold * sizeof(psi_gf128);
    psi_shamir *s = psi_secret_calloc(1, sizeof *s + bytes);
    if (!s)
        return TALLY_ERR_NO_MEMORY;
    s->threshold = threshold;
    /* From the system itself: with a generator's output the shares would hide no more than its key. */
    tally_status st = psi_random(s->f, bytes);
    PSI_SECRET(s->f, bytes); /* born here */
    if (st)
        psi_shamir_free(s);
    else
        *out = s;
    return st;
}

void psi_shamir_free(psi_shamir *s)
{
    psi_secret_free(s);
}

void psi_shamir_secret(const psi_shamir *s, uint8_t secret16[16])
{
    psi_gf128_store(secret16, s->f[0]);
}

void psi_shamir_share(const psi_shamir *s, uint8_t share16[16], const uint8_t point16[16])
{
    psi_gf128_store(share16, psi_gf128_lanes()->value(psi_gf128_load(point16), s->f, s->threshold));
}

/*
 * f(0) = sum of y_i * product over j != i of x_j / (x_j - x_i) = X * sum of y_i / d_i, where X = product of
 * all x_j and d_i = x_i * product over j != i of (x_i + x_j). All d_i are inverted at once: d_i^-1 is the
 * product of the others over the product of all. It is zero if and only if points are zero or repeat.
 */
static uint64_t join(psi_gf128 *secret, psi_gf128 *d, psi_gf128 *before, const uint8_t *points,
                     const uint8_t *shares, size_t n)
{
    const psi_gf128_backend *f = psi_gf128_lanes();
    psi_gf128 all = 1, x = 1, sum = 0;
    for (size_t i = 0; i < n; i++) /* until they are used up, the points stand in before[] */
        before[i] = psi_gf128_load(points + 16 * i);
    for (size_t i = 0; i < n; i++) {
        d[i] = before[i];
        x = f->product(x, before[i]);
        for (size_t j = 0; j < n; j++)
            if (j != i)
                d[i] = f->product(d[i], before[i] ^ before[j]);
    }
    for (size_t i = 0; i < n; i++) {
        before[i] = all;
        all = f->product(all, d[i]);
    }
    psi_gf128 rest = psi_gf128_inverse(all); /* of d_0 .. d_i, from the last on */
    for (size_t i = n; i-- > 0;) {
        sum ^= f->product(psi_gf128_load(shares + 16 * i), f->product(rest, before[i]));
        rest = f->product(rest, d[i]);
    }
    *secret = f->product(x, sum);
    const psi_gf128 zero = 0;
    uint64_t bad = psi_ct_equal(&all, &zero, sizeof all);
    PSI_DECLASSIFY(&bad, sizeof bad); /* the caller hears it */
    return bad;
}

tally_status psi_shamir_join(uint8_t secret16[16], const uint8_t *points, const uint8_t *shares,
                             size_t threshold)
{
    PSI_CHECK(threshold >= 1 && threshold <= PSI_SHAMIR_MAX);
    psi_gf128 secret = 0, *work = psi_secret_calloc(2 * threshold, sizeof *work);
    tally_status st = TALLY_ERR_NO_MEMORY;
    if (work)
        st =
            join(&secret, work, work + threshold, points, shares, threshold) ? TALLY_ERR_MALFORMED : TALLY_OK;
    psi_gf128_store(secret16, secret);
    if (st)
        psi_wipe(secret16, 16);
    psi_wipe(&secret, sizeof secret);
    psi_secret_free(work);
    return st;
}
