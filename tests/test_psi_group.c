/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/group.h"
#include "psi/mem.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <stdlib.h>
#include <string.h>

enum { N = 70 }; /* above every chunk size used inside */

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
    uint8_t uniform[N][64];
    unit_random(uniform, sizeof uniform);
    CU_ASSERT_EQUAL(g->from_uniform(out, (const uint8_t(*)[64])uniform, n), TALLY_OK);
}

static void for_each_backend(void (*test)(void))
{
    size_t count;
    const psi_group_backend *const *all = psi_group_backends(&count);
    CU_ASSERT_FATAL(count >= 1);
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
        psi_scalar ks[2] = {{{0}}, small(1)};
        unit_hex(ks[0].b, 32, order_hex);
        ks[0].b[0] = (uint8_t)(ks[0].b[0] - i);
        const psi_point cancel[2] = {b[1], b[i]};
        CU_ASSERT_EQUAL(g->sum_var(&got, cancel, ks, 2, NULL), TALLY_OK);
        CU_ASSERT(same(&got, &b[0], 32));
    }
}

/* Each invalid encoding, and the identity, at each place of a batch: the right index, all of out wiped. */
static void invalid(void)
{
    vectors v;
    psi_point bad[40], in[5], out[5];
    psi_scalar k[5], one;
    size_t n = 1;
    int inside = 0;
    memset(&bad[0], 0, sizeof *bad); /* the identity */
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v)) {
        if (strcmp(v.name, "##") == 0)
            inside = strcmp(v.value, "Invalid encodings") == 0;
        else if (inside && n < 40)
            CU_ASSERT_EQUAL(unit_hex(bad[n++].b, 32, v.value), 32);
    }
    CU_ASSERT_EQUAL(n, 1 + 29);
    psi_scalar_random(&one, &prg);
    for (size_t i = 0; i < 5; i++)
        psi_scalar_random(&k[i], &prg);
    for (size_t i = 0; i < n; i++) {
        size_t at = i % 5, seen = 99;
        random_points(in, 5);
        in[at] = bad[i];
        if (at < 4)
            in[4] = bad[(i + 7) % n]; /* the first one counts */
        memset(out, 0xa5, sizeof out);
        CU_ASSERT_EQUAL(g->mul_common(out, in, 5, &one, &seen), TALLY_ERR_MALFORMED);
        CU_ASSERT(seen == at && is_wiped(out, sizeof out));
        memset(out, 0xa5, sizeof out);
        seen = 99;
        CU_ASSERT_EQUAL(g->mul_each(out, in, k, 5, &seen), TALLY_ERR_MALFORMED);
        CU_ASSERT(seen == at && is_wiped(out, sizeof out));
        for (int zero = 0; zero < 2; zero++) { /* a weight of 0 does not excuse a bad point */
            psi_scalar w[5];
            memcpy(w, k, sizeof w);
            if (zero)
                w[at] = small(0);
            memset(out, 0xa5, sizeof out);
            seen = 99;
            CU_ASSERT_EQUAL(g->sum_var(out, in, w, 5, &seen), TALLY_ERR_MALFORMED);
            CU_ASSERT(seen == at && is_wiped(out, 32));
        }
        CU_ASSERT_EQUAL(g->mul_common(in, in, 5, &one, NULL), TALLY_ERR_MALFORMED);
        CU_ASSERT(is_wiped(in, sizeof in));
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
    for (size_t i = 0; i < N; i++) {
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

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"multiples", test_multiples},
                                      {"invalid", test_invalid},
                                      {"uniform", test_uniform},
                                      {"batches", test_batches},
                                      {"hash_to_group", test_hash_to_group},
                                      {"scalar_range", test_scalar_range},
                                      {"invert", test_invert},
                                      {"hash_to_scalar", test_hash_to_scalar}};
    return unit_main(argc, argv, "psi_group", tests, sizeof tests / sizeof *tests);
}
