/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrecy check: each test marks its items secret, scalars are marked where the library makes them, and
 * tests/ct.sh runs the tests one by one under valgrind, where a branch or an address that depends on a secret
 * is an error. Without valgrind they are plain tests of the same calls. Left out on purpose: psi_shuffle,
 * whose memory accesses follow its secret indices (psi/shuffle.h), and the gathering of items by such an
 * order; the join, whose result its side is entitled to; OKVS encoding, which is the receiver's own business
 * (psi/okvs.h), so the receiver's bin as a whole; table look-ups by the hash of a side's own item in
 * psi_vole_send_bin, where items are not marked but Delta, leaves and all that comes of them is. `leak
 * branch` and `leak index` are the controls that the check must catch.
 */
#include "party/overlap.h"
#include "psi/ahe.h"
#include "psi/ct.h"
#include "psi/ecdh.h"
#include "psi/gf128.h"
#include "psi/laplace.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include "psi/paillier.h"
#include "psi/shamir.h"
#include "psi/vole_setup.h"
#include "tests/paillier_primes.h"
#include "tests/support_curve.h"
#include "tests/support_expand.h"
#include "tests/support_lanes.h"
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

/* Base choices, exponents, choice bits and all strings are secret; points and columns are released by the
 * library. */
static void test_ot(void)
{
    enum { COUNT = 16 };
    static psi_ot_sender s;
    psi_point point;
    uint8_t choices[COUNT / 8], columns[PSI_OT_BASE * COUNT / 8];
    psi_block chosen[COUNT], strings[COUNT][2], want;
    unit_random(&sid, sizeof sid);
    unit_random(choices, sizeof choices);
    PSI_SECRET(choices, sizeof choices);
    CU_ASSERT_EQUAL_FATAL(psi_ot_open(&s, &sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ot_choose(chosen, &point, columns, choices, COUNT, s.pairs[0], &sid), TALLY_OK);
    unsigned ones = 0;
    for (size_t i = 0; i < sizeof columns; i++)
        ones += (unsigned)__builtin_popcount(columns[i]); /* public without a word from the test */
    CU_ASSERT(ones > 1024 - 200 && ones < 1024 + 200);
    CU_ASSERT_EQUAL_FATAL(psi_ot_strings(strings, &s, &point, columns, COUNT, &sid), TALLY_OK);
    PSI_DECLASSIFY(choices, sizeof choices);
    for (size_t i = 0; i < COUNT; i++) {
        want = strings[i][choices[i / 8] >> (i % 8) & 1];
        CU_ASSERT(same(&want, &chosen[i], sizeof want));
    }
}

/* Strings, roots, leaves and the place of the hole. */
static void test_ggm(void)
{
    psi_block root, ot[4][2], chosen[4], leaves[16], some[16];
    psi_ggm_level corrections[4];
    uint8_t delta = 11;
    psi_ggm *g = psi_ggm_new();
    CU_ASSERT_FATAL(g != NULL);
    unit_random(&root, sizeof root);
    unit_random(ot, sizeof ot);
    for (unsigned l = 0; l < 4; l++)
        chosen[l] = ot[l][~(delta >> (3 - l)) & 1];
    PSI_SECRET(&root, sizeof root);
    PSI_SECRET(ot, sizeof ot);
    PSI_SECRET(chosen, sizeof chosen);
    PSI_SECRET(&delta, sizeof delta);
    CU_ASSERT_EQUAL(psi_ggm_grow(g, &root, 4, (const psi_block(*)[2])ot, leaves, corrections), TALLY_OK);
    PSI_DECLASSIFY(corrections, sizeof corrections);
    CU_ASSERT_EQUAL(psi_ggm_puncture(g, delta, 4, chosen, corrections, some), TALLY_OK);
    psi_ggm_free(g);
    for (unsigned j = 0; j < 16; j++)
        if (j != 11)
            CU_ASSERT(same(&some[j ^ 11], &leaves[j], 16));
}

/* Leaf keys into columns, columns into short rows; every backend that runs here. */
static void test_columns(void)
{
    enum { BITS = 20 };
    static uint8_t u[64], v[BITS * 64], short_rows[2][PSI_ROW_STRIP * PSI_ROW_BYTES];
    static psi_leaf leaves[16];
    psi_block keys[16];
    psi_row_key key;
    uint8_t points[32], row[16] = {0};
    size_t count;
    unit_random(keys, sizeof keys);
    unit_random(points, sizeof points);
    PSI_SECRET(keys, sizeof keys);
    psi_row_key_init(&key, points);
    const psi_subspace_backend *const *all = psi_subspace_backends(&count);
    for (size_t t = 0; t < count; t++) {
        CU_ASSERT_EQUAL(all[t]->expand(leaves, keys, 16), TALLY_OK);
        for (unsigned c = 0; c < BITS / 4; c++)
            CU_ASSERT_EQUAL(all[t]->fold(u, v + c * 4 * 64, 64, leaves, 4, 4 * c, 4), TALLY_OK);
    }
    const psi_rowhash_backend *const *strips = psi_rowhash_backends(&count);
    for (size_t t = 0; t < count; t++) {
        strips[t]->strip(short_rows[t > 0], v, 64, BITS, &key);
        CU_ASSERT(t == 0 || same(short_rows[0], short_rows[1], sizeof short_rows[0]));
    }
    for (unsigned b = 0; b < BITS; b++)
        row[b / 8] |= (uint8_t)((v[b * 64] & 1) << (b % 8));
    psi_row_compress(short_rows[1], row, BITS, &key);
    CU_ASSERT(same(short_rows[0], short_rows[1], 32));
}

/*
 * The sender's part from Delta to tags: Delta is marked by psi_vole_draw, what the OTs would bring by the
 * test. The masks by Delta over the whole matrix, the tables of offsets, the code and the hash are all on the
 * way.
 */
static void test_vole_sender(void)
{
    psi_vole_sizes z;
    psi_vole_shared s;
    uint8_t delta[PSI_CODE_COLUMNS_MAX], choices[PSI_OT_MAX / 8], points[32], tags[N * 16];
    psi_vole_entry entries[N];
    psi_item own[N];
    unit_random(own, sizeof own);
    unit_random(&sid, sizeof sid);
    unit_random(points, sizeof points);
    CU_ASSERT_EQUAL_FATAL(psi_vole_sizes_init(&z, 6, 10, N), TALLY_OK);
    psi_vole_entries(entries, own, 0, N, &sid, z.bins);
    psi_block *strings = psi_calloc(psi_vole_ots(&z), sizeof *strings);
    psi_block *keys = psi_calloc((size_t)z.columns << z.k, sizeof *keys);
    psi_ggm_level *corrections = psi_calloc(psi_vole_levels(&z), sizeof *corrections);
    uint8_t *message = psi_calloc(1, PSI_VOLE_SEED + z.bin_bytes);
    psi_vole_work *w = psi_vole_work_new(&z, 0);
    CU_ASSERT_FATAL(strings && keys && corrections && message && w);
    unit_random(strings, psi_vole_ots(&z) * sizeof *strings);
    unit_random(corrections, psi_vole_levels(&z) * sizeof *corrections);
    unit_random(message, PSI_VOLE_SEED + z.bin_bytes);
    PSI_SECRET(strings, psi_vole_ots(&z) * sizeof *strings);
    CU_ASSERT_EQUAL_FATAL(psi_vole_draw(&z, delta, choices), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_puncture(&z, delta, strings, corrections, keys), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_shared_init(&s, &z, &sid, keys, delta, points), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_send_bin(w, &s, 0, message, entries, N, tags), TALLY_OK);
    PSI_DECLASSIFY(tags, N * z.tag_width);
    for (size_t i = 1; i < N; i++)
        CU_ASSERT_NOT_EQUAL(memcmp(tags, tags + i * z.tag_width, z.tag_width), 0);
    psi_vole_shared_free(&s);
    psi_vole_work_free(w);
    psi_free(message);
    psi_free(corrections);
    psi_free(keys);
    psi_free(strings);
}

/* Both ways of meeting a bound; the stream's key is marked where it is drawn, and so is all that comes of it.
 */
static void test_laplace(void)
{
    psi_wide wide, narrow;
    start();
    for (unsigned i = 0; i < 4; i++) {
        psi_laplace(&wide, &prg, 5, 150);
        psi_laplace(&narrow, &prg, (psi_uwide)1 << 100, 7);
        PSI_DECLASSIFY(&wide, sizeof wide);
        PSI_DECLASSIFY(&narrow, sizeof narrow);
        CU_ASSERT(wide >= -150 && wide <= 150 && narrow >= -7 && narrow <= 7);
    }
}

/* Every backend that runs here. */
static void test_shamir_field(void)
{
    psi_gf128 c[11], x, a, b;
    size_t count;
    const psi_gf128_backend *const *all = psi_gf128_backends(&count);
    unit_random(c, sizeof c);
    unit_random(&x, sizeof x);
    PSI_SECRET(c, sizeof c);
    PSI_SECRET(&x, sizeof x);
    for (size_t t = 0; t < count; t++) {
        a = all[t]->value(x, c, 11);
        b = all[0]->value(x, c, 11);
        CU_ASSERT(same(&a, &b, sizeof a));
    }
    a = psi_gf128_lanes()->product(x, psi_gf128_inverse(x));
    PSI_DECLASSIFY(&a, sizeof a);
    CU_ASSERT(a == 1);
}

/* Polynomial, points, shares and the secret; that points are distinct is released by the library. */
static void test_shamir(void)
{
    uint8_t shares[N][16], points[N][16], secret[16], joined[16];
    psi_shamir *f = NULL;
    unit_random(points, sizeof points);
    PSI_SECRET(points, sizeof points);
    CU_ASSERT_EQUAL_FATAL(psi_shamir_new(&f, N), TALLY_OK);
    psi_shamir_secret(f, secret);
    for (size_t i = 0; i < N; i++)
        psi_shamir_share(f, shares[i], points[i]);
    psi_shamir_free(f);
    CU_ASSERT_EQUAL(psi_shamir_join(joined, points[0], shares[0], N), TALLY_OK);
    CU_ASSERT(same(secret, joined, 16));
}

/* Shares and keys of labels under a minimum overlap: items, their keys and the key of all columns. */
static void test_shamir_label(void)
{
    party_overlap *o = NULL, *joined = NULL;
    uint8_t key[N][PSI_LABEL_KEY], share[N][PARTY_SHARE], a[PSI_LABEL_KEY], b[PSI_LABEL_KEY];
    party_share shares[N];
    start();
    unit_random(key, sizeof key);
    PSI_SECRET(key, sizeof key);
    CU_ASSERT_EQUAL_FATAL(party_overlap_new(&o, N, &sid), TALLY_OK);
    for (size_t i = 0; i < N; i++) {
        party_overlap_share(o, share[i], &items[i], key[i]);
        shares[i] = (party_share){&items[i], key[i], share[i]};
    }
    CU_ASSERT_EQUAL_FATAL(party_overlap_join(&joined, shares, N, &sid), TALLY_OK);
    party_overlap_key(o, a, key[0]);
    party_overlap_key(joined, b, key[0]);
    CU_ASSERT(same(a, b, sizeof a));
    party_overlap_free(joined);
    party_overlap_free(o);
}

static void paillier_values(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user;
    for (size_t i = 0; i < n; i++)
        out[i] = (psi_wide)(first + i) * 100 - (psi_wide)c;
    PSI_SECRET(out, n * sizeof *out);
}

/*
 * Both sides of Paillier on two rows. The primes are given (their search runs in variable time) and
 * marked by the library, as are exponents, masks and what rerandomises; values and groups are marked
 * here.
 */
static void test_paillier(void)
{
    static psi_ahe_plan plan = {
        .scheme = PSI_AHE_PAILLIER, .columns = 3, .groups = 2, .rows = 2, .selected = 2};
    static const uint8_t show[3] = {PSI_AHE_OPEN, PSI_AHE_MASKED, PSI_AHE_HIDDEN};
    uint8_t bytes[192], message[PSI_PAILLIER_KEY_BYTES], units[2 * PSI_PAILLIER_UNIT];
    uint8_t plain[2][PSI_AHE_PLAIN], group[2] = {2, 1};
    mp_limb_t p[PSI_PAILLIER_P], q[PSI_PAILLIER_P];
    psi_wide noise[3] = {5, -5, 0}, sum;
    const char *why;
    size_t bad;
    psi_ahe_key *key;
    psi_ahe_adder *adder;
    unit_hex(bytes, sizeof bytes, paillier_prime_p);
    psi_limbs_read(p, PSI_PAILLIER_P, bytes);
    unit_hex(bytes, sizeof bytes, paillier_prime_q);
    psi_limbs_read(q, PSI_PAILLIER_P, bytes);
    psi_paillier_set_primes(p, q);
    for (size_t c = 0; c < plan.columns; c++)
        plan.column[c] = (psi_ahe_column){-1000, 1000, 10};
    CU_ASSERT_EQUAL_FATAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&key, &plan, &sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_message(key, message), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, 0, 2, paillier_values, NULL, units), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), TALLY_OK);
    PSI_SECRET(group, sizeof group);
    PSI_SECRET(noise, sizeof noise);
    CU_ASSERT_EQUAL(psi_ahe_add_prepare(adder, 0, 2, group), TALLY_OK);
    for (size_t t = 0; t < plan.tasks; t++)
        CU_ASSERT_EQUAL(psi_ahe_add_task(adder, t, units, &bad, &why), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_merge(adder, 1, 0), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_finish(adder, 1, show, noise, units), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ahe_decrypt(key, show, units, plain, &why), TALLY_OK);
    CU_ASSERT(psi_ahe_open(plain[0]) == 105);
    psi_ahe_plain_add(&plan, 1, plain[1], 1);
    CU_ASSERT_EQUAL(psi_ahe_unmask(adder, 1, 1, plain[1], &sum), TALLY_OK);
    PSI_DECLASSIFY(&sum, sizeof sum);
    CU_ASSERT(sum == 94);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    psi_paillier_set_primes(NULL, NULL);
}

static void rlwe_gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    const psi_wide *values = user;
    for (size_t i = 0; i < n; i++)
        out[i] = values[(first + i) % N] * (c ? (psi_wide)1 << 60 : 1);
    PSI_SECRET(out, n * sizeof *out);
}

/* Packed RLWE, both sides: values, key, errors, selection, masks, noise, flood and what is opened.
 * Ciphertexts, figures and the key message are released by the library. */
static void test_rlwe(void)
{
    enum { ROWS = 4100 };
    static psi_ahe_plan plan = {
        .scheme = PSI_AHE_RLWE, .columns = 2, .groups = 2, .rows = ROWS, .selected = ROWS};
    static uint8_t group[ROWS], message[54272], sums[3][54286], plain[2][PSI_AHE_PLAIN];
    static const uint8_t show[2] = {PSI_AHE_OPEN, PSI_AHE_MASKED};
    psi_wide values[N] = {1, -2, 300, 0, -77}, noise[2] = {5, -6}, want[2] = {5, -6}, sum;
    const char *why;
    size_t bad;
    unit_random(&sid, sizeof sid);
    plan.group_max[0] = plan.group_max[1] = ROWS;
    plan.column[0] = (psi_ahe_column){-1000, 1000, 100};
    plan.column[1] = (psi_ahe_column){-1000 * ((psi_wide)1 << 60), 1000 * ((psi_wide)1 << 60), 100};
    CU_ASSERT_EQUAL_FATAL(psi_ahe_plan_init(&plan, &why), TALLY_OK);
    for (size_t i = 0; i < ROWS; i++) {
        group[i] = (uint8_t)unit_below(3);
        want[0] += group[i] ? values[i % N] : 0;
        want[1] += group[i] ? values[i % N] * ((psi_wide)1 << 60) : 0;
    }
    PSI_SECRET(group, sizeof group);
    PSI_SECRET(noise, sizeof noise);
    psi_ahe_key *key;
    psi_ahe_adder *adder;
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_new(&key, &plan, &sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_key_message(key, message), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), TALLY_OK);
    uint8_t *units = psi_calloc(plan.units, plan.unit_bytes);
    CU_ASSERT_FATAL(units != NULL);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_encrypt(key, 0, plan.units, rlwe_gather, values, units), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_add_prepare(adder, 0, plan.units, group), TALLY_OK);
    for (size_t t = 0; t < plan.tasks; t++)
        CU_ASSERT_EQUAL_FATAL(psi_ahe_add_task(adder, t, units, &bad, &why), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_merge(adder, 0, 1), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_finish(adder, 0, show, noise, sums[0]), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ahe_decrypt(key, show, sums[0], plain, &why), TALLY_OK);
    CU_ASSERT(psi_ahe_open(plain[0]) == want[0]);
    psi_wide secret = 17;
    PSI_SECRET(&secret, sizeof secret);
    psi_ahe_plain_add(&plan, 1, plain[1], secret);
    PSI_DECLASSIFY(plain, sizeof plain); /* the test's part: what the owner sends back */
    CU_ASSERT_EQUAL_FATAL(psi_ahe_unmask(adder, 0, 1, plain[1], &sum), TALLY_OK);
    PSI_DECLASSIFY(&sum, sizeof sum);
    CU_ASSERT(sum == want[1] + 17);
    psi_free(units);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
}

/* The ring's vector code: every backend that runs here, and eight lanes in C. */
static void test_rlwe_lanes(void)
{
    static int64_t x[PSI_RLWE_N], y[UNIT_RINGS_MAX][PSI_RLWE_N], z[PSI_RLWE_N], sum[PSI_RLWE_N];
    static psi_rlwe_factor f;
    const psi_rlwe_backend *rings[UNIT_RINGS_MAX];
    size_t count = unit_rings(rings);
    start();
    psi_rlwe_ternary(&prg, x);
    psi_rlwe_errors(&prg, z);
    for (size_t b = 0; b < count; b++) {
        memcpy(y[b], x, sizeof x);
        rings[b]->ntt(y[b], 1);
        rings[b]->factor(&f, y[b], 1);
        memset(sum, 0, sizeof sum);
        rings[b]->encode(y[b], z, x, 12345, 1);
        rings[b]->ntt(y[b], 1);
        rings[b]->add(sum, y[b], &f, 0, PSI_RLWE_N, 1);
        sum[0] += rings[b]->dot(y[b], &f, 512, 512, 1);
        rings[b]->reduce(sum, 1);
        memcpy(y[b], sum, sizeof sum);
        CU_ASSERT(same(y[b], y[0], sizeof sum));
    }
}

/* Messages that are hashed to the group: every backend that runs here, and eight lanes in C. */
static void test_expand(void)
{
    static const char dst[] = "a tag that fills more than one block, together with a prefix and an item";
    const psi_expand_backend *all[UNIT_EXPANDS_MAX];
    uint8_t out[UNIT_EXPANDS_MAX][N][64], one[1][64];
    size_t count = unit_expands(all);
    start();
    for (size_t b = 0; b < count; b++) {
        CU_ASSERT_EQUAL(psi_expand64_by(all[b], out[b], &sid, sizeof sid, items[0].b, sizeof *items, N,
                                        (const uint8_t *)dst, sizeof dst - 1),
                        TALLY_OK);
        CU_ASSERT(same(out[b], out[0], sizeof out[0]));
    }
    CU_ASSERT_EQUAL(
        psi_expand64(one, &sid, sizeof sid, items[0].b, sizeof *items, 1, (const uint8_t *)dst, 1), TALLY_OK);
    CU_ASSERT(!same(one, out[0][0], sizeof one));
}

/*
 * The group in lanes: scalars, points and uniform bytes are secret. Every backend that runs here, and both in
 * lanes in C; compared with the portable backend afterwards. N + 4 items: two vectors of the widest, the last
 * of them not full.
 */
enum { CURVE_N = N + 4 };

typedef struct curve_results {
    psi_point a[CURVE_N], b[CURVE_N], c[CURVE_N];
    psi_scalar each[CURVE_N];
    uint8_t uniform[CURVE_N][64];
} curve_results;

static void each_curve(void (*run)(const psi_group_backend *g, curve_results *w))
{
    static curve_results w[UNIT_GROUPS_MAX];
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    start();
    unit_random(w[0].uniform, sizeof w[0].uniform);
    CU_ASSERT_EQUAL_FATAL(all[0]->from_uniform(w[0].a, (const uint8_t(*)[64])w[0].uniform, CURVE_N),
                          TALLY_OK);
    for (size_t i = 0; i < CURVE_N; i++) {
        psi_scalar_random(&w[0].each[i], &prg);
        w[0].b[i] = w[0].a[(i + 1) % CURVE_N];
    }
    PSI_SECRET(&w[0], sizeof w[0]);
    for (size_t b = count; b-- > 0;) { /* the portable one last */
        memcpy(&w[b], &w[0], sizeof w[0]);
        run(all[b], &w[b]);
    }
    for (size_t b = 1; b < count; b++)
        CU_ASSERT(same(&w[b], &w[0], sizeof w[0]));
}

static void curve_multiply(const psi_group_backend *g, curve_results *w)
{
    CU_ASSERT_EQUAL(g->mul_common(w->a, w->a, CURVE_N, &k, NULL), TALLY_OK);
    PSI_SECRET(w->a, sizeof w->a);
    CU_ASSERT_EQUAL(g->base_mul(w->c, w->each, CURVE_N), TALLY_OK);
    CU_ASSERT_EQUAL(g->mul_each(w->b, w->a, w->each, CURVE_N, NULL), TALLY_OK);
}

static void curve_map(const psi_group_backend *g, curve_results *w)
{
    const uint8_t(*u)[64] = (const uint8_t(*)[64])w->uniform;
    CU_ASSERT_EQUAL(g->map_mul_common(w->a, u, CURVE_N, &k), TALLY_OK);
    CU_ASSERT_EQUAL(g->map_mul_each(w->b, u, w->each, CURVE_N), TALLY_OK);
    CU_ASSERT_EQUAL(g->from_uniform(w->c, u, CURVE_N), TALLY_OK);
}

static void curve_sums(const psi_group_backend *g, curve_results *w)
{
    CU_ASSERT_EQUAL(g->base_mul(w->c, w->each, CURVE_N), TALLY_OK);
    CU_ASSERT_EQUAL(g->add(w->c, w->a, w->b, CURVE_N, NULL), TALLY_OK);
    PSI_SECRET(w->c, sizeof w->c);
    CU_ASSERT_EQUAL(g->subtract(w->a, w->c, w->b, CURVE_N, NULL), TALLY_OK);
}

static void test_curve_multiply(void)
{
    each_curve(curve_multiply);
}

static void test_curve_map(void)
{
    each_curve(curve_map);
}

static void test_curve_sums(void)
{
    each_curve(curve_sums);
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
    static const unit_test tests[] = {{"item", test_item},
                                      {"equal", test_equal},
                                      {"scalars", test_scalars},
                                      {"ecdh", test_ecdh},
                                      {"oprf", test_oprf},
                                      {"match", test_match},
                                      {"ot", test_ot},
                                      {"ggm", test_ggm},
                                      {"columns", test_columns},
                                      {"vole-sender", test_vole_sender},
                                      {"laplace", test_laplace},
                                      {"shamir-field", test_shamir_field},
                                      {"shamir", test_shamir},
                                      {"shamir-label", test_shamir_label},
                                      {"paillier", test_paillier},
                                      {"rlwe", test_rlwe},
                                      {"rlwe-lanes", test_rlwe_lanes},
                                      {"expand", test_expand},
                                      {"curve-multiply", test_curve_multiply},
                                      {"curve-map", test_curve_map},
                                      {"curve-sums", test_curve_sums}};
    if (argc == 3 && strcmp(argv[1], "leak") == 0)
        return leak(argv[2]);
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            puts(tests[i].name);
        return 0;
    }
    return unit_main(argc, argv, "ct", tests, sizeof tests / sizeof *tests);
}
