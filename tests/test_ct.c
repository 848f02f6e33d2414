/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrecy check: each test marks its items secret, scalars are marked where the library makes them, and
 * tests/ct.sh runs the tests one by one under valgrind, where a branch or an address that depends on a secret
 * is an error. Without valgrind they are plain tests of the same calls. Left out on purpose: psi_shuffle,
 * whose memory accesses follow its secret indices (psi/shuffle.h), and the gathering of items by such an
 * order; the join, whose result its side is entitled to. `leak branch` and `leak index` are the controls that
 * the check must catch.
 */
#include "psi/ct.h"
#include "psi/ecdh.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

enum { N = 5 };

static psi_item items[N];
static const uint32_t order[N] = {3, 0, 4, 1, 2}; /* public here */
static psi_sid sid;
static psi_scalar k, r[N];
static psi_prg prg;

static void start(void)
{
    unit_random(items, sizeof items);
    unit_random(&sid, sizeof sid);
    PSI_SECRET(items, sizeof items);
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    psi_scalar_random(&k, &prg);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&r[i], &prg);
}

/* Compares after the fact: the test may look at what the library keeps secret. */
static int same(void *a, void *b, size_t n)
{
    PSI_DECLASSIFY(a, n);
    PSI_DECLASSIFY(b, n);
    return memcmp(a, b, n) == 0;
}

static void test_item(void)
{
    char text[19] = "110101199001011237";
    psi_item item, again;
    start();
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    const psi_part field = {text, 18};
    CU_ASSERT_EQUAL(psi_item_from_fields(h, &field, 1, &again), TALLY_OK);
    PSI_SECRET(text, sizeof text);
    CU_ASSERT_EQUAL(psi_item_from_fields(h, &field, 1, &item), TALLY_OK);
    CU_ASSERT(same(&item, &again, sizeof item));
    uint8_t digest[32], commitment[32], opening[32];
    CU_ASSERT_EQUAL(psi_random(opening, sizeof opening), TALLY_OK);
    PSI_SECRET(opening, sizeof opening);
    CU_ASSERT_EQUAL(psi_list_digest(h, items, N, digest), TALLY_OK);
    CU_ASSERT_EQUAL(psi_list_commit(h, opening, digest, commitment), TALLY_OK);
    CU_ASSERT(!same(digest, commitment, 32));
    psi_hash_free(h);
}

static void test_equal(void)
{
    start();
    uint64_t yes = psi_ct_equal(&items[0], &items[0], 32), no = psi_ct_equal(&items[0], &items[1], 32);
    PSI_DECLASSIFY(&yes, sizeof yes);
    PSI_DECLASSIFY(&no, sizeof no);
    CU_ASSERT(yes == UINT64_MAX && no == 0);
}

static void test_scalars(void)
{
    psi_scalar inverse[N], back[N];
    start();
    int valid = psi_scalar_is_valid(&k);
    PSI_DECLASSIFY(&valid, sizeof valid);
    CU_ASSERT_EQUAL(valid, 1);
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, r, N), TALLY_OK);
    CU_ASSERT_EQUAL(psi_scalar_invert(back, inverse, N), TALLY_OK);
    CU_ASSERT(same(back, r, sizeof back));
    uint32_t below = psi_prg_below(&prg, 1000);
    PSI_DECLASSIFY(&below, sizeof below);
    CU_ASSERT(below < 1000);
}

/* mask and tag, in both orders; what comes out is public without a word from the test. */
static void test_ecdh(void)
{
    psi_point a[N], b[N];
    uint8_t ta[N * 10], tb[N * 10];
    start();
    CU_ASSERT_EQUAL(psi_ecdh_mask(a, items, order, N, &sid, &k), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_mask(b, items, order, N, &sid, &r[0]), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
    CU_ASSERT_EQUAL(psi_ecdh_tag(ta, 10, a, N, &sid, &r[0], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_tag(tb, 10, b, N, &sid, &k, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(ta, tb, sizeof ta), 0);
}

static void test_oprf(void)
{
    psi_point pk, blinded[N], evaluated[N];
    psi_scalar inverse[N];
    psi_proof proof;
    uint8_t out[N][64], direct[N][64];
    start();
    CU_ASSERT_EQUAL(psi_oprf_public(&pk, &k), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_blind(blinded, r, "p", 1, items[0].b, 32, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_evaluate(evaluated, blinded, N, &k, NULL), TALLY_OK);
    psi_scalar nonce;
    psi_scalar_random(&nonce, &prg);
    CU_ASSERT_EQUAL(psi_oprf_prove(&proof, &k, &pk, blinded, evaluated, N, &nonce, PSI_OPRF_VERIFIABLE),
                    TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_verify(&proof, &pk, blinded, evaluated, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, r, N), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_finalize(out, evaluated, inverse, "p", 1, items[0].b, 32, N), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_direct(direct, &k, "p", 1, items[0].b, 32, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT(same(out, direct, sizeof out));
}

static void test_match(void)
{
    psi_point pk, blinded[N], evaluated[N];
    psi_proof proof;
    psi_scalar nonce;
    psi_oprf_label mine[N], theirs[N];
    start();
    psi_scalar_random(&nonce, &prg);
    CU_ASSERT_EQUAL(psi_oprf_public(&pk, &k), TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_blind(blinded, r, items, order, N, &sid), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_evaluate(evaluated, blinded, N, &k, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_prove(&proof, &k, &pk, blinded, evaluated, N, &nonce, PSI_OPRF_VERIFIABLE),
                    TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_finish(mine, evaluated, blinded, r, items, order, N, &sid, &pk, &proof),
                    TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_labels(theirs, items, order, N, &sid, &k), TALLY_OK);
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(memcmp(mine[i].tag, theirs[i].tag, 16), 0);
        CU_ASSERT(same(mine[i].confirm, theirs[i].confirm, 16));
    }
}

/* The controls: one secret bit decides a branch, or an address. Status 0 unless valgrind objects. */
static int leak(const char *how)
{
    static const char table[256] = {1, 2, 3};
    if (psi_prg_init(&prg))
        return 2;
    psi_scalar_random(&k, &prg);
    volatile int sink = 0;
    if (strcmp(how, "branch") == 0) {
        if (k.b[0] & 1)
            sink = 1;
    } else {
        sink = table[k.b[0]];
    }
    (void)sink;
    return 0;
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"item", test_item}, {"equal", test_equal}, {"scalars", test_scalars},
                                      {"ecdh", test_ecdh}, {"oprf", test_oprf},   {"match", test_match}};
    if (argc == 3 && strcmp(argv[1], "leak") == 0)
        return leak(argv[2]);
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            puts(tests[i].name);
        return 0;
    }
    return unit_main(argc, argv, "ct", tests, sizeof tests / sizeof *tests);
}
