/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/oprf.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <sodium.h>
#include <string.h>

#define CHUNK 128 /* points unblinded or hashed at once: 4 KiB on the stack */

/* The generator of RFC 9496, appendix A.1. */
static const psi_point generator = {{0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9,
                                     0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82,
                                     0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76}};

/* A domain separation tag: name, then contextString = "OPRFV1-", mode, "-ristretto255-SHA512" (RFC 9497
 * section 3.1). */
typedef struct context {
    uint8_t b[64]; /* the longest is "HashToScalar-" and 27 bytes more */
    size_t len;
} context;

static context make_context(const char *name, enum psi_oprf_mode mode)
{
    static const char version[] = "OPRFV1-", suite[] = "-ristretto255-SHA512";
    context c = {.len = strlen(name)};
    memcpy(c.b, name, c.len);
    memcpy(c.b + c.len, version, sizeof version - 1);
    c.len += sizeof version - 1;
    c.b[c.len++] = (uint8_t)mode;
    memcpy(c.b + c.len, suite, sizeof suite - 1);
    c.len += sizeof suite - 1;
    return c;
}

tally_status psi_oprf_blind(psi_point *blinded, const psi_scalar *r, const void *prefix, size_t prefix_len,
                            const uint8_t *inputs, size_t len, size_t n, enum psi_oprf_mode mode)
{
    const context dst = make_context("HashToGroup-", mode);
    tally_status st = psi_hash_mul_each(blinded, prefix, prefix_len, inputs, len, n, dst.b, dst.len, r);
    if (!st)
        PSI_DECLASSIFY(blinded,
                       n * sizeof *blinded); /* sent: uniform, whatever the input, for a uniform blind */
    return st;
}

tally_status psi_oprf_public(psi_point *pk, const psi_scalar *k)
{
    tally_status st = psi_group()->base_mul(pk, k, 1);
    PSI_DECLASSIFY(pk, sizeof *pk); /* public by its purpose */
    return st;
}

tally_status psi_oprf_evaluate(psi_point *evaluated, const psi_point *blinded, size_t n, const psi_scalar *k,
                               size_t *bad)
{
    tally_status st = psi_group()->mul_common(evaluated, blinded, n, k, bad);
    PSI_DECLASSIFY(evaluated, n * sizeof *evaluated); /* sent to the peer */
    return st;
}

/* ---- The proof that pk and all pairs share one key ---- */

static const uint8_t point_size[2] = {0, sizeof(psi_point)};

/* The weights d_i of ComputeComposites, RFC 9497 section 2.2.1: public, from a hash of everything that is
 * proved. */
static tally_status composite_weights(psi_hash *h, psi_scalar *weights, const psi_point *pk,
                                      const psi_point *blinded, const psi_point *evaluated, size_t n,
                                      enum psi_oprf_mode mode)
{
    static const uint8_t seed_size[2] = {0, 64};
    const context seed_dst = make_context("Seed-", mode), scalar_dst = make_context("HashToScalar-", mode);
    const uint8_t seed_dst_size[2] = {0, (uint8_t)seed_dst.len};
    uint8_t seed[64];
    const psi_part transcript[] = {
        {point_size, 2}, {pk, sizeof *pk}, {seed_dst_size, 2}, {seed_dst.b, seed_dst.len}};
    tally_status st = psi_sha512(h, transcript, 4, seed);
    for (size_t i = 0; !st && i < n; i++) {
        const uint8_t index[2] = {(uint8_t)(i >> 8), (uint8_t)i}; /* i < n <= PSI_OPRF_BATCH_MAX */
        const psi_part pair[] = {{seed_size, 2},
                                 {seed, sizeof seed},
                                 {index, 2},
                                 {point_size, 2},
                                 {&blinded[i], sizeof *blinded},
                                 {point_size, 2},
                                 {&evaluated[i], sizeof *evaluated},
                                 {"Composite", 9}};
        st = psi_hash_to_scalar(h, &weights[i], pair, 8, scalar_dst.b, scalar_dst.len);
    }
    return st;
}

/* c = HashToScalar(pk, a[0..4) = M, Z, t2, t3, "Challenge"), each point after its length. */
static tally_status challenge(psi_hash *h, psi_scalar *c, const psi_point *pk, const psi_point a[4],
                              enum psi_oprf_mode mode)
{
    static const char label[] = "Challenge";
    const context dst = make_context("HashToScalar-", mode);
    uint8_t text[5 * (2 + sizeof *pk) + sizeof label - 1], *p = text;
    for (unsigned i = 0; i < 5; i++) {
        memcpy(p, point_size, 2);
        memcpy(p + 2, i ? &a[i - 1] : pk, sizeof *pk);
        p += 2 + sizeof *pk;
    }
    memcpy(p, label, sizeof label - 1);
    const psi_part part = {text, sizeof text};
    return psi_hash_to_scalar(h, c, &part, 1, dst.b, dst.len);
}

tally_status psi_oprf_prove(psi_proof *proof, const psi_scalar *k, const psi_point *pk,
                            const psi_point *blinded, const psi_point *evaluated, size_t n,
                            const psi_scalar *r, enum psi_oprf_mode mode)
{
    const psi_group_backend *g = psi_group();
    psi_point a[4]; /* M, Z = k*M, t2 = r*generator, t3 = r*M */
    psi_scalar ck = {{0}};
    if (n == 0 || n > PSI_OPRF_BATCH_MAX) {
        psi_wipe(proof, sizeof *proof);
        return TALLY_ERR_INTERNAL;
    }
    psi_hash *h = psi_hash_new();
    psi_scalar *weights = psi_calloc(n, sizeof *weights);
    tally_status st = h && weights ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = composite_weights(h, weights, pk, blinded, evaluated, n, mode);
    if (!st)
        st = g->sum_var(&a[0], blinded, weights, n, NULL);
    if (!st)
        st = g->mul_common(&a[1], &a[0], 1, k, NULL);
    if (!st)
        st = g->base_mul(&a[2], r, 1);
    if (!st)
        st = g->mul_common(&a[3], &a[0], 1, r, NULL);
    PSI_DECLASSIFY(a, sizeof a); /* the verifier computes all four from the proof */
    if (!st)
        st = challenge(h, &proof->c, pk, a, mode);
    if (!st) {
        crypto_core_ristretto255_scalar_mul(ck.b, proof->c.b, k->b);
        crypto_core_ristretto255_scalar_sub(proof->s.b, r->b, ck.b);
        PSI_DECLASSIFY(&proof->s, sizeof proof->s); /* the uniform r hides c*k */
    } else {
        psi_wipe(proof, sizeof *proof);
    }
    psi_wipe(&ck, sizeof ck);
    psi_free(weights);
    psi_hash_free(h);
    return st;
}

tally_status psi_oprf_verify(const psi_proof *proof, const psi_point *pk, const psi_point *blinded,
                             const psi_point *evaluated, size_t n, enum psi_oprf_mode mode)
{
    const psi_group_backend *g = psi_group();
    psi_point a[4]; /* M, Z, t2 = s*generator + c*pk, t3 = s*M + c*Z */
    psi_scalar c;
    if (n == 0 || n > PSI_OPRF_BATCH_MAX || !psi_scalar_is_canonical(&proof->c) ||
        !psi_scalar_is_canonical(&proof->s))
        return TALLY_ERR_MALFORMED;
    const psi_scalar sc[2] = {proof->s, proof->c};
    const psi_point base[2] = {generator, *pk};
    psi_hash *h = psi_hash_new();
    psi_scalar *weights = psi_calloc(n, sizeof *weights);
    tally_status st = h && weights ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = composite_weights(h, weights, pk, blinded, evaluated, n, mode);
    if (!st)
        st = g->sum_var(&a[0], blinded, weights, n, NULL);
    if (!st)
        st = g->sum_var(&a[1], evaluated, weights, n, NULL);
    if (!st)
        st = g->sum_var(&a[2], base, sc, 2, NULL);
    if (!st)
        st = g->sum_var(&a[3], a, sc, 2, NULL);
    if (!st)
        st = challenge(h, &c, pk, a, mode);
    if (!st && !psi_ct_equal(&c, &proof->c, sizeof c))
        st = TALLY_ERR_MALFORMED;
    psi_free(weights);
    psi_hash_free(h);
    return st;
}

/* ---- Outputs ---- */

/* Finalize: the input is prefix and the len bytes at input, at most 65535 in all; n is the unblinded element.
 */
static tally_status output(psi_hash *h, uint8_t out64[64], const void *prefix, size_t prefix_len,
                           const uint8_t *input, size_t len, const psi_point *n)
{
    static const char label[] = "Finalize";
    size_t total = prefix_len + len;
    const uint8_t size[2] = {(uint8_t)(total >> 8), (uint8_t)total};
    PSI_CHECK(total <= 65535);
    const psi_part parts[] = {{size, 2},       {prefix, prefix_len}, {input, len},
                              {point_size, 2}, {n, sizeof *n},       {label, sizeof label - 1}};
    return psi_sha512(h, parts, sizeof parts / sizeof *parts, out64);
}

tally_status psi_oprf_finalize(uint8_t (*out64)[64], const psi_point *evaluated, const psi_scalar *r_inverse,
                               const void *prefix, size_t prefix_len, const uint8_t *inputs, size_t len,
                               size_t n)
{
    psi_point chunk[CHUNK];
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        st = psi_group()->mul_each(chunk, evaluated + at, r_inverse + at, m, NULL);
        for (size_t i = 0; !st && i < m; i++)
            st = output(h, out64[at + i], prefix, prefix_len, inputs + (at + i) * len, len, &chunk[i]);
    }
    if (st)
        psi_wipe(out64, n * sizeof *out64);
    psi_wipe(chunk, sizeof chunk);
    psi_hash_free(h);
    return st;
}

tally_status psi_oprf_direct(uint8_t (*out64)[64], const psi_scalar *k, const void *prefix, size_t prefix_len,
                             const uint8_t *inputs, size_t len, size_t n, enum psi_oprf_mode mode)
{
    const context dst = make_context("HashToGroup-", mode);
    psi_point chunk[CHUNK];
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        st = psi_hash_mul_common(chunk, prefix, prefix_len, inputs + at * len, len, m, dst.b, dst.len, k);
        for (size_t i = 0; !st && i < m; i++)
            st = output(h, out64[at + i], prefix, prefix_len, inputs + (at + i) * len, len, &chunk[i]);
    }
    if (st)
        psi_wipe(out64, n * sizeof *out64);
    psi_wipe(chunk, sizeof chunk);
    psi_hash_free(h);
    return st;
}
