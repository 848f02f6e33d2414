/* SPDX-License-Identifier: Apache-2.0 */
/* The portable backend, on libsodium: one call for each point. The reference that other backends are checked
 * against. */
#include "psi/ct.h"
#include "psi/group_backends.h"
#include "psi/mem.h"
#include <sodium.h>

/* libsodium ignores bit 255 before its release 1.0.19: 1 where a canonical encoding cannot have it. The bytes
 * are public, or marked so. */
static int too_high(const psi_point *p)
{
    return p->b[31] >> 7;
}

/*
 * *out = k * *in; nonzero if in is not canonical or the product is the identity, which for 0 < k < l means in
 * is. Two marks for the secrecy check. The decoder branches on whether the encoding is valid and on nothing
 * else: a peer's point is public, and our own come out of the one-way map, whose encodings are always valid,
 * so the copy is released. The status says whether the product is the identity, which is the same question
 * about `in`.
 */
static int mul(psi_point *out, const psi_point *in, const psi_scalar *k)
{
    psi_point p = *in;
    PSI_DECLASSIFY(&p, sizeof p);
    int bad = too_high(&p) | crypto_scalarmult_ristretto255(out->b, k->b, p.b);
    PSI_DECLASSIFY(&bad, sizeof bad);
    psi_wipe(&p, sizeof p); /* H(x) is as secret as x */
    return bad;
}

static void prepare(void)
{
    psi_sodium();
}

static tally_status refuse(psi_point *out, size_t n, size_t at, size_t *bad)
{
    psi_wipe(out, n * sizeof *out);
    if (bad)
        *bad = at;
    return TALLY_ERR_MALFORMED;
}

static tally_status mul_common(psi_point *out, const psi_point *in, size_t n, const psi_scalar *k,
                               size_t *bad)
{
    for (size_t i = 0; i < n; i++)
        if (mul(&out[i], &in[i], k))
            return refuse(out, n, i, bad);
    return TALLY_OK;
}

static tally_status mul_each(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n; i++)
        if (mul(&out[i], &in[i], &k[i]))
            return refuse(out, n, i, bad);
    return TALLY_OK;
}

static tally_status from_uniform(psi_point *out, const uint8_t (*uniform64)[64], size_t n)
{
    for (size_t i = 0; i < n; i++)
        crypto_core_ristretto255_from_hash(out[i].b, uniform64[i]); /* cannot fail */
    return TALLY_OK;
}

/* H(x) is as secret as x and leaves no copy behind, but the one in out. No byte of a peer is in it: what
 * cannot be multiplied is a fault of ours. */
static tally_status map_mul_each(psi_point *out, const uint8_t (*uniform64)[64], const psi_scalar *k,
                                 size_t n)
{
    tally_status st = from_uniform(out, uniform64, n);
    return st || mul_each(out, out, k, n, NULL) ? TALLY_ERR_INTERNAL : TALLY_OK;
}

static tally_status map_mul_common(psi_point *out, const uint8_t (*uniform64)[64], size_t n,
                                   const psi_scalar *k)
{
    tally_status st = from_uniform(out, uniform64, n);
    return st || mul_common(out, out, n, k, NULL) ? TALLY_ERR_INTERNAL : TALLY_OK;
}

static tally_status base_mul(psi_point *out, const psi_scalar *k, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int zero = crypto_scalarmult_ristretto255_base(out[i].b, k[i].b);
        PSI_DECLASSIFY(&zero, sizeof zero); /* a caller's bug: keys and blinds are never 0 */
        if (zero) {
            psi_wipe(out, n * sizeof *out);
            return TALLY_ERR_INTERNAL;
        }
    }
    return TALLY_OK;
}

/* libsodium decodes both and accepts the identity, which no input may be: that is seen on the bytes. */
static tally_status combine(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad,
                            int (*operation)(unsigned char *, const unsigned char *, const unsigned char *))
{
    for (size_t i = 0; i < n; i++) {
        psi_point p = a[i], q = b[i];
        PSI_DECLASSIFY(&p, sizeof p); /* as in mul */
        PSI_DECLASSIFY(&q, sizeof q);
        int wrong = sodium_is_zero(p.b, sizeof p.b) | sodium_is_zero(q.b, sizeof q.b);
        wrong |= too_high(&p) | too_high(&q) | operation(out[i].b, p.b, q.b);
        wrong |= sodium_is_zero(out[i].b, sizeof out[i].b);
        psi_wipe(&p, sizeof p);
        psi_wipe(&q, sizeof q);
        if (wrong)
            return refuse(out, n, i, bad);
    }
    return TALLY_OK;
}

static tally_status add(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad)
{
    return combine(out, a, b, n, bad, crypto_core_ristretto255_add);
}

static tally_status subtract(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad)
{
    return combine(out, a, b, n, bad, crypto_core_ristretto255_sub);
}

static tally_status sum_var(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad)
{
    psi_point sum = {{0}}; /* the identity */
    for (size_t i = 0; i < n; i++) {
        psi_point term;
        if (sodium_is_zero(k[i].b, sizeof k[i].b)) {
            if (too_high(&in[i]) || !crypto_core_ristretto255_is_valid_point(in[i].b) ||
                sodium_is_zero(in[i].b, sizeof in[i].b))
                return refuse(out, 1, i, bad);
            continue;
        }
        if (mul(&term, &in[i], &k[i]) || crypto_core_ristretto255_add(sum.b, sum.b, term.b))
            return refuse(out, 1, i, bad);
    }
    *out = sum;
    return TALLY_OK;
}

const psi_group_backend psi_group_portable = {
    .name = "portable",
    .prepare = prepare,
    .mul_common = mul_common,
    .mul_each = mul_each,
    .from_uniform = from_uniform,
    .map_mul_common = map_mul_common,
    .map_mul_each = map_mul_each,
    .base_mul = base_mul,
    .add = add,
    .subtract = subtract,
    .sum_var = sum_var,
};
