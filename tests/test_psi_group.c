/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/cpu.h"
#include "psi/group.h"
#include "psi/mem.h"
#include "tests/support_curve.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <stdlib.h>
#include <string.h>

enum {
    N = 70,         /* above every chunk size used inside, but one: */
    BATCH = 128,    /* of psi/group_lanes.h */
    EVERY_LANE = 17 /* items that take every lane of two vectors of eight, and one more vector */
};

/* l, the order of the group, little-endian (RFC 9496 section 4). */
static const char order_hex[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

static const psi_group_backend *g; /* each backend in turn */
static psi_prg prg;

static psi_scalar small(uint32_t x)
{
    psi_scalar s = {{(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)}};
    return s;
}

static int is_wiped(const void *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= ((const uint8_t *)p)[i];
    return any == 0;
}

static int same(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static void random_points(psi_point *out, size_t n)
{
    uint8_t uniform[BATCH + 2][64];
    unit_random(uniform, sizeof uniform);
    CU_ASSERT_EQUAL(g->from_uniform(out, (const uint8_t(*)[64])uniform, n), TALLY_OK);
}

static void random_scalars(psi_scalar *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        psi_scalar_random(&out[i], &prg);
}

/* l - k, for 0 < k < 2^32 */
static psi_scalar minus(uint32_t k)
{
    psi_scalar s = {{0}};
    uint64_t low = 0, high;
    unit_hex(s.b, 32, order_hex);
    for (int i = 0; i < 8; i++)
        low |= (uint64_t)s.b[i] << (8 * i);
    high = low - k;
    for (int i = 0; i < 8; i++)
        s.b[i] = (uint8_t)(high >> (8 * i));
    return s;
}

static void for_each_backend(void (*test)(void))
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    CU_ASSERT_FATAL(count >= 1 + UNIT_GROUPS_IN_C);
    CU_ASSERT_EQUAL(strcmp(all[0]->name, "portable"), 0);
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_OK);
    for (size_t i = 0; i < count; i++) {
        g = all[i];
        test();
    }
}

static void multiples(void)
{
    vectors v;
    psi_point b[16], got;
    size_t n = 0;
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v))
        if (strncmp(v.name, "B[", 2) == 0 && n < 16)
            CU_ASSERT_EQUAL(unit_hex(b[n++].b, 32, v.value), 32);
    CU_ASSERT_EQUAL_FATAL(n, 16);
    for (uint32_t i = 1; i < 16; i++) {
        psi_scalar k = small(i);
        CU_ASSERT_EQUAL(g->base_mul(&got, &k, 1), TALLY_OK);
        CU_ASSERT(same(&got, &b[i], 32));
        CU_ASSERT_EQUAL(g->mul_common(&got, &b[1], 1, &k, NULL), TALLY_OK);
        CU_ASSERT(same(&got, &b[i], 32));
        CU_ASSERT_EQUAL(g->mul_each(&got, &b[1], &k, 1, NULL), TALLY_OK);
        CU_ASSERT(same(&got, &b[i], 32));
        /* B[i] = 1*B[i-1] + 1*B[1], and B[0], the identity, as (l - i)*B[1] + 1*B[i] */
        const psi_scalar ones[2] = {small(1), small(1)};
        const psi_point pair[2] = {b[i - 1], b[1]};
        if (i > 1) {
            CU_ASSERT_EQUAL(g->sum_var(&got, pair, ones, 2, NULL), TALLY_OK);
            CU_ASSERT(same(&got, &b[i], 32));
        }
        const psi_scalar ks[2] = {minus(i), small(1)};
        const psi_point cancel[2] = {b[1], b[i]};
        CU_ASSERT_EQUAL(g->sum_var(&got, cancel, ks, 2, NULL), TALLY_OK);
        CU_ASSERT(same(&got, &b[0], 32));
    }
}

/* The identity, the generator with bit 255 set, which no vector of the RFC has, and the invalid encodings of
 * RFC 9496. */
enum { INVALID = 2 + 29 };
static psi_point bad[INVALID];

static void read_invalid(void)
{
    vectors v;
    size_t n = 2;
    int inside = 0;
    memset(&bad[0], 0, sizeof *bad);
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v)) {
        if (strcmp(v.name, "##") == 0) {
            inside = strcmp(v.value, "Invalid encodings") == 0;
            continue;
        }
        psi_point *to = strcmp(v.name, "B[ 1]") == 0 ? &bad[1] : inside && n < INVALID ? &bad[n++] : NULL;
        if (to)
            CU_ASSERT_EQUAL(unit_hex(to->b, 32, v.value), 32);
    }
    CU_ASSERT_EQUAL(n, INVALID);
    bad[1].b[31] |= 0x80;
}

/* What a refused call leaves: the status, the index in *seen, all of out wiped. Sets both anew. */
static void refused(tally_status st, tally_status wanted, psi_point *out, size_t n, size_t *seen, size_t at)
{
    CU_ASSERT_EQUAL(st, wanted);
    CU_ASSERT((!seen || *seen == at) && is_wiped(out, n * sizeof *out));
    memset(out, 0xa5, n * sizeof *out);
    if (seen)
        *seen = 9999;
}

/* Each invalid encoding at a place of a batch, all places in turn, with another behind it: the first counts.
 */
static void invalid(void)
{
    enum { M = EVERY_LANE };
    psi_point good[M], in[M], out[M];
    psi_scalar k[M];
    size_t seen;
    read_invalid();
    random_scalars(k, M);
    random_points(good, M);
    for (size_t i = 0; i < INVALID;
         i++) { /* what decodes is the same for all: tests of every place are below */
        size_t at = i % M;
        memcpy(in, good, sizeof in);
        in[at] = bad[i];
        if (at < M - 1)
            in[M - 1] = bad[(i + 7) % INVALID];
        refused(g->mul_common(out, in, M, &k[0], &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
        refused(g->mul_each(out, in, k, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
        for (int zero = 0; zero < 2; zero++) { /* a weight of 0 does not excuse a bad point */
            psi_scalar w[M];
            memcpy(w, k, sizeof w);
            if (zero)
                w[at] = small(0);
            refused(g->sum_var(out, in, w, M, &seen), TALLY_ERR_MALFORMED, out, 1, &seen, at);
        }
        if (i % M == 0) {
            CU_ASSERT_EQUAL(g->mul_common(in, in, M, &k[0], NULL), TALLY_ERR_MALFORMED);
            CU_ASSERT(is_wiped(in, sizeof in));
        }
    }
}

/* Each invalid encoding at every place, in either operand of a sum. */
static void invalid_everywhere(void)
{
    enum { M = EVERY_LANE };
    psi_point good[M], in[M], out[M];
    size_t seen;
    read_invalid();
    random_points(good, M);
    for (size_t i = 0; i < INVALID; i++)
        for (size_t at = 0; at < M; at++) {
            for (size_t j = 0; j < M; j++)
                in[j] = good[(j + 1) % M]; /* nothing cancels */
            in[at] = bad[i];
            if ((i + at) % 2)
                refused(g->add(out, in, good, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
            else
                refused(g->subtract(out, good, in, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
        }
}

/* Scalars of 0, and sums that are the identity, at every place. */
static void identities(void)
{
    enum { M = EVERY_LANE };
    psi_point p[M], q[M], out[M];
    psi_scalar k[M], w[M];
    uint8_t uniform[M][64];
    size_t seen;
    const psi_scalar zero = small(0), negative = minus(1);
    random_points(p, M);
    random_scalars(k, M);
    unit_random(uniform, sizeof uniform);
    for (size_t at = 0; at < M; at++) {
        memcpy(w, k, sizeof w);
        w[at] = zero;
        refused(g->base_mul(out, w, M), TALLY_ERR_INTERNAL, out, M, NULL, 0);
        refused(g->mul_each(out, p, w, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
        refused(g->map_mul_each(out, (const uint8_t(*)[64])uniform, w, M), TALLY_ERR_INTERNAL, out, M, NULL,
                0);
        for (size_t i = 0; i < M; i++)
            q[i] = p[(i + 1) % M];
        CU_ASSERT_EQUAL(g->mul_common(&q[at], &p[at], 1, &negative, NULL), TALLY_OK);
        refused(g->add(out, p, q, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
        q[at] = p[at];
        refused(g->subtract(out, p, q, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, at);
    }
    CU_ASSERT_EQUAL(g->mul_common(out, p, M, &zero, NULL), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(g->map_mul_common(out, (const uint8_t(*)[64])uniform, M, &zero), TALLY_ERR_INTERNAL);
    CU_ASSERT(is_wiped(out, sizeof out));
}

/* What fails behind the first batch wipes the first batch as well. */
static void late(void)
{
    enum { M = BATCH + 2 };
    static psi_point in[M], out[M];
    static psi_scalar k[M];
    size_t seen;
    random_points(in, M);
    random_scalars(k, M);
    in[M - 1].b[31] |= 0x80;
    refused(g->mul_common(out, in, M, k, &seen), TALLY_ERR_MALFORMED, out, M, &seen, M - 1);
    refused(g->mul_each(out, in, k, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, M - 1);
    refused(g->add(out, in, in, M, &seen), TALLY_ERR_MALFORMED, out, M, &seen, M - 1);
    refused(g->sum_var(out, in, k, M, &seen), TALLY_ERR_MALFORMED, out, 1, &seen, M - 1);
    k[M - 1] = small(0);
    refused(g->base_mul(out, k, M), TALLY_ERR_INTERNAL, out, M, NULL, 0);
}

/* Sums with weights of 0 among others, of 0 only, and that cancel across lanes and vectors. */
static void sums(void)
{
    psi_point p[N], sum, wanted, twice[2];
    psi_scalar k[N];
    random_points(p, N);
    for (size_t n = 1; n <= N; n += n < 18 ? 1 : 13) {
        for (size_t i = 0; i < n; i++)
            k[i] = small(0);
        CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, n, NULL), TALLY_OK);
        CU_ASSERT(is_wiped(&sum, sizeof sum));
        psi_scalar_random(&k[n - 1], &prg);
        CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, n, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(g->mul_common(&wanted, &p[n - 1], 1, &k[n - 1], NULL), TALLY_OK);
        CU_ASSERT(same(&sum, &wanted, 32));
        if (n == 1)
            continue;
        psi_point kept = p[0];
        p[0] = p[n - 1]; /* 5 p + (l - 5) p = 0, then 5 p + (l - 3) p = 2 p */
        k[0] = small(5);
        k[n - 1] = minus(5);
        CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, n, NULL), TALLY_OK);
        CU_ASSERT(is_wiped(&sum, sizeof sum));
        k[n - 1] = minus(3);
        CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, n, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(g->add(twice, p, p, 1, NULL), TALLY_OK);
        CU_ASSERT(same(&sum, twice, 32));
        p[0] = kept;
    }
}

static void uniform(void)
{
    vectors v;
    uint8_t in[8][64];
    size_t waiting = 0, seen = 0;
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v)) {
        if (strcmp(v.name, "I") == 0 && waiting < 8)
            CU_ASSERT_EQUAL(unit_hex(in[waiting++], 64, v.value), 64);
        if (strcmp(v.name, "O") != 0)
            continue;
        psi_point expected, got[8];
        CU_ASSERT_EQUAL(unit_hex(expected.b, 32, v.value), 32);
        CU_ASSERT_EQUAL(g->from_uniform(got, (const uint8_t(*)[64])in, waiting), TALLY_OK);
        for (size_t i = 0; i < waiting; i++, seen++)
            CU_ASSERT(same(&got[i], &expected, 32));
        waiting = 0;
    }
    CU_ASSERT_EQUAL(seen, 7 + 4);
}

/* Batches agree with each other and in place; (a*b)*P = a*(b*P); n == 0 is fine. */
static void batches(void)
{
    psi_point p[N], one[N], each[N], in_place[N], sum, got;
    psi_scalar k[N], ones[N];
    random_points(p, N);
    for (size_t i = 0; i < N; i++) {
        psi_scalar_random(&k[i], &prg);
        ones[i] = small(1);
    }
    CU_ASSERT_EQUAL(g->mul_each(each, p, k, N, NULL), TALLY_OK);
    memcpy(in_place, p, sizeof p);
    CU_ASSERT_EQUAL(g->mul_each(in_place, in_place, k, N, NULL), TALLY_OK);
    CU_ASSERT(same(each, in_place, sizeof each));
    for (size_t i = 0; i < N; i += i < 2 * EVERY_LANE ? 1 : 17) {
        CU_ASSERT_EQUAL(g->mul_common(&got, &p[i], 1, &k[i], NULL), TALLY_OK);
        CU_ASSERT(same(&got, &each[i], 32));
    }
    CU_ASSERT_EQUAL(g->mul_common(one, p, N, &k[0], NULL), TALLY_OK);
    memcpy(in_place, p, sizeof p);
    CU_ASSERT_EQUAL(g->mul_common(in_place, in_place, N, &k[0], NULL), TALLY_OK);
    CU_ASSERT(same(one, in_place, sizeof one));
    CU_ASSERT_EQUAL(g->mul_common(one, one, N, &k[1], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(g->mul_common(in_place, p, N, &k[1], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(g->mul_common(in_place, in_place, N, &k[0], NULL), TALLY_OK);
    CU_ASSERT(same(one, in_place, sizeof one));
    /* The sum with weights is the plain sum of the products. */
    CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, N, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(g->sum_var(&got, each, ones, N, NULL), TALLY_OK);
    CU_ASSERT(same(&sum, &got, 32));
    CU_ASSERT_EQUAL(g->base_mul(one, k, N), TALLY_OK);
    CU_ASSERT_EQUAL(g->base_mul(&got, &k[N - 1], 1), TALLY_OK);
    CU_ASSERT(same(&got, &one[N - 1], 32));
    CU_ASSERT_EQUAL(g->mul_common(one, p, 0, &k[0], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(g->mul_each(one, p, k, 0, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(g->base_mul(one, k, 0), TALLY_OK);
    CU_ASSERT_EQUAL(g->sum_var(&sum, p, k, 0, NULL), TALLY_OK);
    CU_ASSERT(is_wiped(&sum, sizeof sum)); /* the empty sum is the identity, encoded as zeros */
    const psi_scalar zero = small(0);
    memset(one, 0xa5, sizeof one);
    CU_ASSERT_EQUAL(g->base_mul(one, &zero, 1), TALLY_ERR_INTERNAL);
    CU_ASSERT(is_wiped(one, 32));
}

static void test_multiples(void)
{
    for_each_backend(multiples);
}

static void test_invalid(void)
{
    for_each_backend(invalid);
}

static void test_invalid_everywhere(void)
{
    for_each_backend(invalid_everywhere);
}

static void test_identities(void)
{
    for_each_backend(identities);
}

static void test_late(void)
{
    for_each_backend(late);
}

static void test_sums(void)
{
    for_each_backend(sums);
}

static void test_uniform(void)
{
    for_each_backend(uniform);
}

static void test_batches(void)
{
    for_each_backend(batches);
}

static void test_hash_to_group(void)
{
    static const uint8_t dst[] = "some tag";
    uint8_t msgs[N][20], expanded[1][64];
    psi_point all[N], one;
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    unit_random(msgs, sizeof msgs);
    CU_ASSERT_EQUAL(psi_hash_to_group(all, "pre", 3, msgs[0], 20, N, dst, 8), TALLY_OK);
    for (size_t i = 0; i < N; i++) {
        const psi_part parts[] = {{"pre", 3}, {msgs[i], 20}};
        CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 2, dst, 8, expanded[0], 64), TALLY_OK);
        CU_ASSERT_EQUAL(psi_group()->from_uniform(&one, (const uint8_t(*)[64])expanded, 1), TALLY_OK);
        CU_ASSERT(same(&one, &all[i], 32));
    }
    psi_hash_free(h);
    CU_ASSERT_EQUAL(psi_hash_to_group(all, NULL, 0, msgs[0], 20, 0, dst, 8), TALLY_OK);
    memset(all, 0xa5, sizeof all);
    CU_ASSERT_EQUAL(psi_hash_to_group(all, "pre", 3, msgs[0], 20, N, dst, 0), TALLY_ERR_INTERNAL);
    CU_ASSERT(is_wiped(all, sizeof all));
    memset(all, 0xa5, sizeof all);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_hash_to_group(all, "pre", 3, msgs[0], 20, N, dst, 256), TALLY_ERR_INTERNAL);
    CU_ASSERT(is_wiped(all, sizeof all));
    CU_ASSERT_EQUAL(psi_mem_count(), 0);
    psi_mem_fail_at(0);
}

/* The fastest that the processor runs, unless TALLY_BACKEND says otherwise: `make unit` runs this test under
 * each of its values. */
static void test_chosen(void)
{
    const char *wanted = getenv("TALLY_BACKEND"), *name = psi_group()->name;
    unsigned cpu = psi_cpu_all();
    int avx2 = (cpu & PSI_CPU_AVX2) && (cpu & PSI_CPU_FMA);
    int ifma = (cpu & PSI_CPU_AVX512) && (cpu & PSI_CPU_IFMA);
    if (wanted && (strcmp(wanted, "ifma") == 0 || strcmp(wanted, "avx512") == 0))
        wanted = NULL;
    if (wanted && *wanted)
        ifma = 0;
    if (wanted && *wanted && strcmp(wanted, "avx2") != 0)
        avx2 = 0;
#ifndef PSI_GROUP_AVX2
    avx2 = 0;
#endif
#ifndef PSI_GROUP_IFMA
    ifma = 0;
#endif
    CU_ASSERT_EQUAL(strcmp(name, ifma ? "ifma" : avx2 ? "avx2" : "portable"), 0);
}

static void test_scalar_range(void)
{
    psi_scalar s, order = {{0}};
    unit_hex(order.b, 32, order_hex);
    s = order;
    CU_ASSERT(!psi_scalar_is_canonical(&s) && !psi_scalar_is_valid(&s));
    s.b[0]--;
    CU_ASSERT(psi_scalar_is_canonical(&s) && psi_scalar_is_valid(&s));
    s.b[0] += 2;
    CU_ASSERT(!psi_scalar_is_canonical(&s) && !psi_scalar_is_valid(&s));
    s = order;
    s.b[15]--; /* far below l, though its low bytes are above l's */
    s.b[0] = 0xff;
    CU_ASSERT(psi_scalar_is_valid(&s));
    s = order;
    s.b[31] = 0x11;
    memset(s.b, 0, 31);
    CU_ASSERT(!psi_scalar_is_canonical(&s));
    memset(&s, 0xff, sizeof s);
    CU_ASSERT(!psi_scalar_is_canonical(&s));
    s = small(0);
    CU_ASSERT(psi_scalar_is_canonical(&s) && !psi_scalar_is_valid(&s));
    s = small(1);
    CU_ASSERT(psi_scalar_is_valid(&s));
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_OK);
    unsigned high = 0;
    for (int i = 0; i < 200; i++) {
        psi_scalar_random(&s, &prg);
        CU_ASSERT(psi_scalar_is_valid(&s));
        high += s.b[31] >> 3 & 1; /* bit 251 is set for half of them */
    }
    CU_ASSERT(high > 50 && high < 150);
}

static void test_invert(void)
{
    psi_scalar k[N], inverse[N], one = small(2), half;
    psi_point p[N], q[N];
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_OK);
    g = psi_group();
    random_points(p, N);
    for (size_t n = 1; n <= N; n += n < 3 ? 1 : 33) {
        for (size_t i = 0; i < n; i++)
            psi_scalar_random(&k[i], &prg);
        CU_ASSERT_EQUAL(psi_scalar_invert(inverse, k, n), TALLY_OK);
        CU_ASSERT_EQUAL(g->mul_each(q, p, k, n, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(g->mul_each(q, q, inverse, n, NULL), TALLY_OK);
        CU_ASSERT(same(p, q, n * sizeof *p));
    }
    CU_ASSERT_EQUAL(psi_scalar_invert(&half, &one, 1), TALLY_OK); /* (l + 1) / 2 */
    psi_scalar expected;
    unit_hex(expected.b, 32, "f7e97a2e8d31092c6bce7b51ef7c6f0a00000000000000000000000000000008");
    CU_ASSERT(same(&half, &expected, 32));
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, k, 0), TALLY_OK);
    k[3] = small(0);
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, k, 9), TALLY_ERR_INTERNAL);
    CU_ASSERT(is_wiped(inverse, 9 * sizeof *inverse));
}

static void test_hash_to_scalar(void)
{
    psi_scalar s;
    uint8_t seed[51]; /* RFC 9497 section 3.2.1: the first try of DeriveKeyPair is one HashToScalar */
    memset(seed, 0xa3, 32);
    memcpy(seed + 32, "\0\10test key", 10);
    seed[42] = 0;
    static const uint8_t dst[] = "DeriveKeyPairOPRFV1-\0-ristretto255-SHA512";
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    const psi_part part = {seed, 43};
    CU_ASSERT_EQUAL(psi_hash_to_scalar(h, &s, &part, 1, dst, sizeof dst - 1), TALLY_OK);
    psi_hash_free(h);
    vectors v;
    psi_scalar expected = {{0}};
    vectors_open(&v, "rfc9497-ristretto255-sha512.txt");
    while (vectors_next(&v) && strcmp(v.name, "skSm") != 0)
        ;
    unit_hex(expected.b, 32, v.value);
    fclose(v.file);
    CU_ASSERT(same(&s, &expected, 32));
}

/* ---- The check at start ---- */

/* The fastest backend, but that the last byte of what the function with the number `wrong` gives is off. */
static const psi_group_backend *right;
static int wrong;

static tally_status spoil(int function, tally_status st, psi_point *out, size_t n)
{
    if (function == wrong && n)
        out[n - 1].b[31] ^= 1;
    return st;
}

static void right_prepare(void) {}

static tally_status wrong_mul_common(psi_point *out, const psi_point *in, size_t n, const psi_scalar *k,
                                     size_t *at)
{
    tally_status st = right->mul_common(out, in, n, k, at);
    return wrong == 8 && st ? TALLY_OK : spoil(1, st, out, n);
}

static tally_status wrong_mul_each(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n,
                                   size_t *at)
{
    return spoil(2, right->mul_each(out, in, k, n, at), out, n);
}

static tally_status wrong_from_uniform(psi_point *out, const uint8_t (*uniform)[64], size_t n)
{
    return spoil(3, right->from_uniform(out, uniform, n), out, n);
}

static tally_status wrong_map_mul_common(psi_point *out, const uint8_t (*uniform)[64], size_t n,
                                         const psi_scalar *k)
{
    return spoil(4, right->map_mul_common(out, uniform, n, k), out, n);
}

static tally_status wrong_map_mul_each(psi_point *out, const uint8_t (*uniform)[64], const psi_scalar *k,
                                       size_t n)
{
    return spoil(5, right->map_mul_each(out, uniform, k, n), out, n);
}

static tally_status wrong_base_mul(psi_point *out, const psi_scalar *k, size_t n)
{
    return spoil(6, right->base_mul(out, k, n), out, n);
}

static tally_status wrong_add(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *at)
{
    return spoil(7, right->add(out, a, b, n, at), out, n);
}

static tally_status wrong_subtract(psi_point *out, const psi_point *a, const psi_point *b, size_t n,
                                   size_t *at)
{
    return spoil(9, right->subtract(out, a, b, n, at), out, n);
}

/* Each function in turn is wrong in one bit of the last of nine items, or takes what it must refuse (8). */
static void test_agrees(void)
{
    const psi_group_backend spoilt = {.name = "spoilt",
                                      .prepare = right_prepare,
                                      .mul_common = wrong_mul_common,
                                      .mul_each = wrong_mul_each,
                                      .from_uniform = wrong_from_uniform,
                                      .map_mul_common = wrong_map_mul_common,
                                      .map_mul_each = wrong_map_mul_each,
                                      .base_mul = wrong_base_mul,
                                      .add = wrong_add,
                                      .subtract = wrong_subtract};
    right = psi_group();
    for (wrong = 0; wrong < 10; wrong++)
        CU_ASSERT_EQUAL(psi_group_agrees(&spoilt), wrong == 0);
}

UNIT_EACH_GROUP(test_hash_to_group)

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"multiples", test_multiples},
                                      {"invalid", test_invalid},
                                      {"invalid_everywhere", test_invalid_everywhere},
                                      {"identities", test_identities},
                                      {"late", test_late},
                                      {"sums", test_sums},
                                      {"uniform", test_uniform},
                                      {"batches", test_batches},
                                      {"hash_to_group", test_hash_to_group_each},
                                      {"chosen", test_chosen},
                                      {"agrees", test_agrees},
                                      {"scalar_range", test_scalar_range},
                                      {"invert", test_invert},
                                      {"hash_to_scalar", test_hash_to_scalar}};
    return unit_main(argc, argv, "psi_group", tests, sizeof tests / sizeof *tests);
}
