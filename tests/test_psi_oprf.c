/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"
#include "psi/oprf.h"
#include "tests/support_curve.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2 };

/* One test vector of RFC 9497; inputs of a batch have lengths of their own, so they are done one by one. */
typedef struct vector {
    enum psi_oprf_mode mode;
    psi_scalar k, blind[BATCH], proof_r;
    psi_point pk, blinded[BATCH], evaluated[BATCH];
    psi_proof proof;
    uint8_t input[BATCH][64], output[BATCH][64];
    size_t input_len[BATCH], n;
} vector;

/* Comma-separated hex into fields of `stride` bytes; returns their number. */
static size_t fields(void *out, size_t stride, size_t *len, const char *text)
{
    char one[512];
    size_t n = 0;
    for (;; n++) {
        size_t c = strcspn(text, ",");
        if (c >= sizeof one || n == BATCH)
            abort();
        memcpy(one, text, c);
        one[c] = 0;
        size_t got = unit_hex((uint8_t *)out + n * stride, stride, one);
        if (len)
            len[n] = got;
        if (!text[c])
            return n + 1;
        text += c + 1;
    }
}

static void check(const vector *t)
{
    psi_scalar inverse[BATCH];
    psi_point got[BATCH];
    uint8_t out[BATCH][64], direct[BATCH][64];
    psi_proof proof;
    for (size_t i = 0; i < t->n; i++) {
        size_t cut = t->input_len[i] / 2; /* a prefix is part of the input */
        const uint8_t *in = t->input[i];
        CU_ASSERT_EQUAL(
            psi_oprf_blind(&got[i], &t->blind[i], in, cut, in + cut, t->input_len[i] - cut, 1, t->mode),
            TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(&got[i], &t->blinded[i], 32), 0);
    }
    CU_ASSERT_EQUAL(psi_oprf_evaluate(got, t->blinded, t->n, &t->k, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, t->evaluated, t->n * sizeof *got), 0);
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, t->blind, t->n), TALLY_OK);
    for (size_t i = 0; i < t->n; i++) {
        const uint8_t *in = t->input[i];
        size_t len = t->input_len[i];
        CU_ASSERT_EQUAL(psi_oprf_finalize(&out[i], &t->evaluated[i], &inverse[i], NULL, 0, in, len, 1),
                        TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(out[i], t->output[i], 64), 0);
        CU_ASSERT_EQUAL(psi_oprf_direct(&direct[i], &t->k, in, len, NULL, 0, 1, t->mode), TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(direct[i], t->output[i], 64), 0);
    }
    if (t->mode == PSI_OPRF_BASE)
        return;
    CU_ASSERT_EQUAL(psi_oprf_public(got, &t->k), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, &t->pk, 32), 0);
    CU_ASSERT_EQUAL(
        psi_oprf_prove(&proof, &t->k, &t->pk, t->blinded, t->evaluated, t->n, &t->proof_r, t->mode),
        TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&proof, &t->proof, sizeof proof), 0);
    CU_ASSERT_EQUAL(psi_oprf_verify(&proof, &t->pk, t->blinded, t->evaluated, t->n, t->mode), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_verify(&proof, &t->pk, t->blinded, t->evaluated, t->n, PSI_OPRF_BASE),
                    TALLY_ERR_MALFORMED);
}

static void test_vectors(void)
{
    vectors v;
    vector t = {0};
    unsigned seen[2] = {0}, batch2 = 0;
    vectors_open(&v, "rfc9497-ristretto255-sha512.txt");
    while (vectors_next(&v)) {
        if (strcmp(v.name, "##") == 0 && strcmp(v.value, "VOPRF Mode") == 0)
            t.mode = PSI_OPRF_VERIFIABLE;
        else if (strcmp(v.name, "skSm") == 0)
            fields(&t.k, 32, NULL, v.value);
        else if (strcmp(v.name, "pkSm") == 0)
            fields(&t.pk, 32, NULL, v.value);
        else if (strcmp(v.name, "Input") == 0)
            t.n = fields(t.input, 64, t.input_len, v.value);
        else if (strcmp(v.name, "Blind") == 0)
            fields(t.blind, 32, NULL, v.value);
        else if (strcmp(v.name, "BlindedElement") == 0)
            fields(t.blinded, 32, NULL, v.value);
        else if (strcmp(v.name, "EvaluationElement") == 0)
            fields(t.evaluated, 32, NULL, v.value);
        else if (strcmp(v.name, "Proof") == 0)
            fields(&t.proof, 64, NULL, v.value);
        else if (strcmp(v.name, "ProofRandomScalar") == 0)
            fields(&t.proof_r, 32, NULL, v.value);
        else if (strcmp(v.name, "Output") == 0) {
            CU_ASSERT_EQUAL(fields(t.output, 64, NULL, v.value), t.n);
            check(&t);
            seen[t.mode]++;
            batch2 += t.n == 2;
        }
    }
    CU_ASSERT_EQUAL(seen[PSI_OPRF_BASE], 2);
    CU_ASSERT_EQUAL(seen[PSI_OPRF_VERIFIABLE], 3);
    CU_ASSERT_EQUAL(batch2, 1);
}

/* ---- A batch of our own ---- */

enum { N = 150, LEN = 24 };
static uint8_t inputs[N][LEN];
static psi_scalar k, r[N], inverse[N], proof_r;
static psi_point pk, blinded[N], evaluated[N];
static psi_proof proof;

static void start(void)
{
    psi_prg prg;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    psi_scalar_random(&k, &prg);
    psi_scalar_random(&proof_r, &prg);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&r[i], &prg);
    psi_prg_wipe(&prg);
    unit_random(inputs, sizeof inputs);
    CU_ASSERT_EQUAL(psi_oprf_public(&pk, &k), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_blind(blinded, r, "p", 1, inputs[0], LEN, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_evaluate(evaluated, blinded, N, &k, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(psi_scalar_invert(inverse, r, N), TALLY_OK);
}

static tally_status prove(size_t n)
{
    return psi_oprf_prove(&proof, &k, &pk, blinded, evaluated, n, &proof_r, PSI_OPRF_VERIFIABLE);
}

static tally_status verify(size_t n)
{
    return psi_oprf_verify(&proof, &pk, blinded, evaluated, n, PSI_OPRF_VERIFIABLE);
}

static void test_batch(void)
{
    static uint8_t out[N][64], direct[N][64];
    start();
    CU_ASSERT_EQUAL(psi_oprf_finalize(out, evaluated, inverse, "p", 1, inputs[0], LEN, N), TALLY_OK);
    CU_ASSERT_EQUAL(psi_oprf_direct(direct, &k, "p", 1, inputs[0], LEN, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(out, direct, sizeof out), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(out[0], out[1], 64), 0);
    CU_ASSERT_EQUAL(psi_oprf_direct(direct, &k, "q", 1, inputs[0], LEN, N, PSI_OPRF_VERIFIABLE), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(out, direct, 64), 0);
    for (size_t n = 1; n <= N; n += 23) {
        CU_ASSERT_EQUAL(prove(n), TALLY_OK);
        CU_ASSERT_EQUAL(verify(n), TALLY_OK);
    }
}

static void test_refused(void)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    enum { M = 3 };
    start();
    CU_ASSERT_EQUAL(prove(M), TALLY_OK);
    CU_ASSERT_EQUAL(verify(M), TALLY_OK);
    const psi_proof good = proof;
    const psi_point good_pk = pk;

    CU_ASSERT_EQUAL(verify(M - 1), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(verify(M + 1), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(verify(0), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(verify(PSI_OPRF_BATCH_MAX + 1), TALLY_ERR_MALFORMED);
    for (unsigned bit = 0; bit < 8 * sizeof proof; bit += 37) {
        ((uint8_t *)&proof)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
        proof = good;
    }
    memset(&proof, 0, sizeof proof); /* zero is a canonical scalar, and no proof */
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    /* c + l and s + l are the same numbers, but not canonical. */
    for (int which = 0; which < 2; which++) {
        proof = good;
        psi_scalar *s = which ? &proof.s : &proof.c;
        unsigned carry = 0;
        for (int i = 0; i < 32; i++) {
            carry += (unsigned)s->b[i] + order[i];
            s->b[i] = (uint8_t)carry;
            carry >>= 8;
        }
        CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    }
    proof = good;

    memset(&pk, 0, sizeof pk); /* the identity */
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    memset(&pk, 0xff, sizeof pk);
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    pk = blinded[0];
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    pk = good_pk;

    for (size_t i = 0; i < M; i++)
        for (int side = 0; side < 2; side++) {
            psi_point *p = side ? &evaluated[i] : &blinded[i], keep = *p;
            *p = evaluated[i + 1]; /* valid, but another one */
            CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
            memset(p, 0, sizeof *p);
            CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
            memset(p, 0xff, sizeof *p);
            CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
            *p = keep;
        }
    psi_point swap = evaluated[0];
    evaluated[0] = evaluated[1];
    evaluated[1] = swap;
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    swap = blinded[0];
    blinded[0] = blinded[1];
    blinded[1] = swap; /* right pairs again, in another order */
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);

    /* Another key for one element: a prover cannot make it hold. */
    start();
    CU_ASSERT_EQUAL(psi_oprf_evaluate(&evaluated[1], &blinded[1], 1, &r[0], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(prove(M), TALLY_OK);
    CU_ASSERT_EQUAL(verify(M), TALLY_ERR_MALFORMED);
    memset(&proof, 0xa5, sizeof proof);
    CU_ASSERT_EQUAL(prove(0), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(prove(PSI_OPRF_BATCH_MAX + 1), TALLY_ERR_INTERNAL);
    static const psi_proof none;
    CU_ASSERT_EQUAL(memcmp(&proof, &none, sizeof proof), 0);
}

static void test_evaluate_malformed(void)
{
    static const uint8_t zero[sizeof evaluated];
    start();
    for (size_t at = 0; at < N; at += 23) {
        psi_point keep = blinded[at];
        size_t bad = 9999;
        memset(&blinded[at], at % 2 ? 0 : 0xff, sizeof keep);
        CU_ASSERT_EQUAL(psi_oprf_evaluate(evaluated, blinded, N, &k, &bad), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(bad, at);
        CU_ASSERT_EQUAL(memcmp(evaluated, zero, sizeof zero), 0);
        blinded[at] = keep;
    }
}

static void test_no_memory(void)
{
    static uint8_t out[N][64];
    static const uint8_t zero[sizeof out];
    start();
    CU_ASSERT_EQUAL(prove(5), TALLY_OK);
    for (unsigned long n = 1; n <= 2; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(verify(5), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(3);
    CU_ASSERT_EQUAL(verify(5), TALLY_OK);
    for (unsigned long n = 1; n <= 2; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(prove(5), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(memcmp(&proof, zero, sizeof proof), 0);
    }
    memset(out, 0xa5, sizeof out);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_oprf_finalize(out, evaluated, inverse, "p", 1, inputs[0], LEN, N),
                    TALLY_ERR_NO_MEMORY);
    CU_ASSERT_EQUAL(memcmp(out, zero, sizeof out), 0);
    unsigned long n = 1;
    for (;; n++) {
        memset(out, 0xa5, sizeof out);
        psi_mem_fail_at(n);
        tally_status st = psi_oprf_direct(out, &k, "p", 1, inputs[0], LEN, N, PSI_OPRF_VERIFIABLE);
        if (psi_mem_count() < n) {
            CU_ASSERT_EQUAL(st, TALLY_OK);
            break;
        }
        CU_ASSERT_EQUAL(st, TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(memcmp(out, zero, sizeof out), 0);
    }
    CU_ASSERT_EQUAL(n, 2); /* one handle */
    psi_mem_fail_at(0);
}

UNIT_EACH_GROUP(test_vectors)
UNIT_EACH_GROUP(test_batch)
UNIT_EACH_GROUP(test_evaluate_malformed)

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"vectors", test_vectors_each},
                                      {"batch", test_batch_each},
                                      {"refused", test_refused},
                                      {"evaluate_malformed", test_evaluate_malformed_each},
                                      {"no_memory", test_no_memory}};
    return unit_main(argc, argv, "psi_oprf", tests, sizeof tests / sizeof *tests);
}
