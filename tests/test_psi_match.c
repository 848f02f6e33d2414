/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"
#include "psi/oprf.h"
#include "tests/unit.h"
#include <string.h>

enum { N = 270, OWN = 290 }; /* three chunks each */

static psi_item items[OWN];
static uint32_t order[OWN];
static psi_sid sid;
static psi_scalar k, r[N], proof_r;
static psi_point pk, blinded[N], evaluated[N];
static psi_proof proof;
static psi_oprf_label receiver[N], sender[OWN];

/* The receiver has N of the sender's OWN items, in a random order. */
static void run_to_proof(void)
{
    psi_prg prg;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    psi_scalar_random(&k, &prg);
    psi_scalar_random(&proof_r, &prg);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&r[i], &prg);
    psi_prg_wipe(&prg);
    unit_random(items, sizeof items);
    unit_random(&sid, sizeof sid);
    for (uint32_t i = 0; i < OWN; i++) {
        uint32_t j = unit_below(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    CU_ASSERT_EQUAL(psi_oprf_public(&pk, &k), TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_blind(blinded, r, items, order, N, &sid), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_evaluate(evaluated, blinded, N, &k, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_prove(&proof, &k, &pk, blinded, evaluated, N, &proof_r, PSI_OPRF_VERIFIABLE),
                    TALLY_OK);
}

static tally_status finish(void)
{
    return psi_match_finish(receiver, evaluated, blinded, r, items, order, N, &sid, &pk, &proof);
}

static void test_equal_labels(void)
{
    static uint32_t straight[OWN];
    for (uint32_t i = 0; i < OWN; i++)
        straight[i] = i;
    run_to_proof();
    CU_ASSERT_EQUAL(finish(), TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_labels(sender, items, straight, OWN, &sid, &k), TALLY_OK);
    for (size_t i = 0; i < N; i++)
        for (size_t m = 0; m < OWN; m++) {
            CU_ASSERT_EQUAL(memcmp(receiver[i].tag, sender[m].tag, 16) == 0, order[i] == m);
            CU_ASSERT_EQUAL(memcmp(receiver[i].confirm, sender[m].confirm, 16) == 0, order[i] == m);
        }
}

/* The label is the hash of the contract, over the standard's output. */
static void test_definition(void)
{
    uint8_t prefix[PSI_ITEM_PREFIX], out[1][64], text[1 + 12 + 32 + 32 + 64], digest[32];
    run_to_proof();
    size_t len = psi_item_prefix(prefix, &sid);
    const uint32_t ninth = 9;
    CU_ASSERT_EQUAL(psi_oprf_direct(out, &k, prefix, len, items[9].b, 32, 1, PSI_OPRF_VERIFIABLE), TALLY_OK);
    memcpy(text, "\14tally/1 oprf", 13);
    memcpy(text + 13, &sid, 32);
    memcpy(text + 45, &items[9], 32);
    memcpy(text + 77, out[0], 64);
    CU_ASSERT_EQUAL(psi_sha256(text, sizeof text, digest), TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_labels(sender, items, &ninth, 1, &sid, &k), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(sender[0].tag, digest, 16), 0);
    CU_ASSERT_EQUAL(memcmp(sender[0].confirm, digest + 16, 16), 0);
}

/* Whatever is wrong, no label is computed or written. */
static void refuse(void)
{
    uint8_t before[sizeof receiver];
    memset(receiver, 0xa5, sizeof receiver);
    memcpy(before, receiver, sizeof before);
    CU_ASSERT_EQUAL(finish(), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(memcmp(receiver, before, sizeof before), 0);
}

static void test_refused(void)
{
    psi_point keep;
    run_to_proof();
    const psi_proof good = proof;
    proof.s.b[3] ^= 4;
    refuse();
    proof = good;
    proof.c.b[3] ^= 4;
    refuse();
    proof = good;
    memset(&proof.s, 0xff, sizeof proof.s);
    refuse();
    proof = good;
    keep = pk;
    pk = blinded[0];
    refuse();
    memset(&pk, 0, sizeof pk);
    refuse();
    pk = keep;
    static const size_t places[] = {0, 31, 32, N - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        psi_point *p = &evaluated[places[i]];
        keep = *p;
        *p = blinded[places[i]];
        refuse();
        memset(p, 0, sizeof *p);
        refuse();
        memset(p, 0xff, sizeof *p);
        refuse();
        *p = keep;
    }
    CU_ASSERT_EQUAL(finish(), TALLY_OK);
    CU_ASSERT_EQUAL(psi_match_finish(receiver, evaluated, blinded, r, items, order, 0, &sid, &pk, &proof),
                    TALLY_ERR_MALFORMED);
}

static void test_fresh_blinds_hide(void)
{
    static psi_point again[N];
    psi_prg prg;
    run_to_proof();
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&r[i], &prg);
    CU_ASSERT_EQUAL(psi_match_blind(again, r, items, order, N, &sid), TALLY_OK);
    for (size_t i = 0; i < N; i++)
        CU_ASSERT_NOT_EQUAL(memcmp(&again[i], &blinded[i], 32), 0);
}

static int is_wiped(const void *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= ((const uint8_t *)p)[i];
    return any == 0;
}

static tally_status do_blind(void)
{
    return psi_match_blind(blinded, r, items, order, N, &sid);
}

static tally_status do_labels(void)
{
    return psi_match_labels(sender, items, order, OWN, &sid, &k);
}

/* Every allocation fails in turn: the exact code, and outputs wiped, or untouched before the proof is
 * verified. */
static void sweep(tally_status (*run)(void), void *out, size_t size, unsigned long untouched,
                  unsigned long allocations)
{
    unsigned long n = 1;
    for (;; n++) {
        memset(out, 0xa5, size);
        psi_mem_fail_at(n);
        tally_status st = run();
        if (psi_mem_count() < n) {
            CU_ASSERT_EQUAL(st, TALLY_OK);
            break;
        }
        CU_ASSERT_EQUAL(st, TALLY_ERR_NO_MEMORY);
        CU_ASSERT(n <= untouched ? *(uint8_t *)out == 0xa5 : is_wiped(out, size));
    }
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(n - 1, allocations);
}

static void test_no_memory(void)
{
    run_to_proof();
    sweep(finish, receiver, sizeof receiver, 2, 2 + 1 + 3); /* verify, handle, three chunks */
    sweep(do_labels, sender, sizeof sender, 0, 1 + 3);
    sweep(do_blind, blinded, sizeof blinded, 0, 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"equal_labels", test_equal_labels},
                                      {"definition", test_definition},
                                      {"refused", test_refused},
                                      {"fresh_blinds_hide", test_fresh_blinds_hide},
                                      {"no_memory", test_no_memory}};
    return unit_main(argc, argv, "psi_match", tests, sizeof tests / sizeof *tests);
}
