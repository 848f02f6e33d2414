/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of Paillier-3072: the primes, the proof of the modulus, and each bad key by its name. */
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/paillier.h"
#include "tests/paillier_primes.h"
#include "tests/unit.h"

#include <string.h>

enum { P = PSI_PAILLIER_P, N = PSI_PAILLIER_N };

static mp_limb_t prime_p[P], prime_q[P];
static psi_sid sid;
static psi_ahe_plan plan = {.scheme = PSI_AHE_PAILLIER, .columns = 1, .groups = 1, .rows = 1, .selected = 1};
static psi_paillier_secret *secret;
static uint8_t message[PSI_PAILLIER_KEY_BYTES];
static const char *why;

static void set(mpz_t z, const mp_limb_t *a, size_t n)
{
    mpz_import(z, n, -1, 8, 0, 0, a);
}

static void test_search(void)
{
    psi_prg prg;
    mp_limb_t p[2][P], q[2][P];
    mpz_t a, b, g;
    mpz_inits(a, b, g, NULL);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
        psi_paillier_search(&prg, p[i], q[i]);
        set(a, p[i], P);
        set(b, q[i], P);
        CU_ASSERT(mpz_probab_prime_p(a, 64) && mpz_probab_prime_p(b, 64));
        CU_ASSERT(p[i][P - 1] >> 62 == 3 && q[i][P - 1] >> 62 == 3);
        CU_ASSERT(mpz_fdiv_ui(a, 4) == 3 && mpz_fdiv_ui(b, 4) == 3);
        mpz_sub(g, a, b);
        CU_ASSERT(mpz_sizeinbase(g, 2) > 1436);
        mpz_mul(g, a, b);
        CU_ASSERT_EQUAL(mpz_sizeinbase(g, 2), 3072);
        mpz_sub_ui(a, a, 1);
        mpz_sub_ui(b, b, 1);
        mpz_gcd(g, a, b);
        CU_ASSERT_EQUAL(mpz_cmp_ui(g, 2), 0);
    }
    CU_ASSERT(memcmp(p[0], p[1], sizeof p[0]) && memcmp(q[0], q[1], sizeof q[0]));
    psi_prg_wipe(&prg);
    mpz_clears(a, b, g, NULL);
}

static tally_status check(const uint8_t *bytes)
{
    mp_limb_t n[N];
    tally_status st = psi_paillier_check(n, &sid, bytes, &why);
    why = why ? why : "";
    return st;
}

/* The roots are those of the statement, in the test's own words. */
static void test_proof(void)
{
    mp_limb_t n[N], product[N];
    CU_ASSERT_EQUAL(psi_paillier_check(n, &sid, message, &why), TALLY_OK);
    mpn_mul_n(product, prime_p, prime_q, P);
    CU_ASSERT_EQUAL(mpn_cmp(n, product, N), 0);
    /* another session */
    sid.b[31] ^= 1;
    CU_ASSERT_EQUAL(check(message), TALLY_ERR_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why, "the proof of the modulus does not hold");
    sid.b[31] ^= 1;
    /* a byte of the modulus, of each root */
    unsigned passed = 0;
    for (size_t i = 0; i < 12 + PSI_PAILLIER_ROOTS; i++) {
        size_t at = i < 12 ? i * 32 + unit_below(32) : 384 * (1 + i - 12) + unit_below(384);
        uint8_t flip = (uint8_t)(1u << unit_below(8));
        message[at] ^= flip;
        passed += check(message) != TALLY_ERR_MALFORMED;
        message[at] ^= flip;
    }
    CU_ASSERT_EQUAL(passed, 0);
    /* roots swapped; a root plus N or minus: out of range or another number */
    uint8_t keep[PSI_PAILLIER_KEY_BYTES];
    memcpy(keep, message, sizeof keep);
    memcpy(message + 384, keep + 2 * 384, 384);
    memcpy(message + 2 * 384, keep + 384, 384);
    CU_ASSERT_EQUAL(check(message), TALLY_ERR_MALFORMED);
    memcpy(message, keep, sizeof keep);
    memset(message + 384, 0, 384);
    CU_ASSERT_EQUAL(check(message), TALLY_ERR_MALFORMED);
    memset(message + 384, 0xff, 384);
    CU_ASSERT_EQUAL(check(message), TALLY_ERR_MALFORMED);
    memcpy(message, keep, sizeof keep);
    CU_ASSERT_EQUAL(check(message), TALLY_OK);
}

/* rho_i of docs/protocol-paillier.md, section 5. */
static void challenge(mpz_t rho, const mpz_t n, unsigned i)
{
    static const char text[] = "tally/1 modulus";
    uint8_t input[1 + 15 + 32 + 384 + 1] = {15}, digest[32], wide[400];
    memcpy(input + 1, text, 15);
    memcpy(input + 16, &sid, 32);
    memcpy(input + 48, message, 384);
    input[432] = (uint8_t)i;
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    CU_ASSERT_EQUAL(psi_sha256(input, sizeof input, digest), TALLY_OK);
    const psi_part part = {digest, sizeof digest};
    CU_ASSERT_EQUAL(
        psi_expand_message_xmd(h, &part, 1, (const uint8_t *)text, sizeof text - 1, wide, sizeof wide),
        TALLY_OK);
    psi_hash_free(h);
    mpz_import(rho, sizeof wide, 1, 1, 0, 0, wide);
    mpz_mod(rho, rho, n);
}

/* The roots are those of the definition, by GMP and phi(N). */
static void test_roots(void)
{
    mpz_t p, q, n, d, sigma, rho;
    mpz_inits(p, q, n, d, sigma, rho, NULL);
    set(p, prime_p, P);
    set(q, prime_q, P);
    mpz_mul(n, p, q);
    mpz_sub_ui(p, p, 1);
    mpz_sub_ui(q, q, 1);
    mpz_mul(p, p, q);
    CU_ASSERT(mpz_invert(d, n, p) != 0);
    for (unsigned i = 0; i < PSI_PAILLIER_ROOTS; i++) {
        mpz_import(sigma, 384, 1, 1, 0, 0, message + 384 * (1 + i));
        challenge(rho, n, i);
        mpz_powm(rho, rho, d, n);
        CU_ASSERT_EQUAL(mpz_cmp(sigma, rho), 0);
    }
    mpz_clears(p, q, n, d, sigma, rho, NULL);
}

/* A key message of that modulus and roots that are 1. */
static void refuse(const mpz_t n, const char *wanted)
{
    uint8_t bytes[PSI_PAILLIER_KEY_BYTES] = {0};
    psi_ahe_adder *none = (psi_ahe_adder *)1;
    size_t size = (mpz_sizeinbase(n, 2) + 7) / 8;
    CU_ASSERT_FATAL(size <= 384);
    if (mpz_sgn(n))
        mpz_export(bytes + 384 - size, NULL, 1, 1, 0, 0, n);
    for (unsigned i = 1; i <= PSI_PAILLIER_ROOTS; i++)
        bytes[384 * i + 383] = 1;
    CU_ASSERT_EQUAL(check(bytes), TALLY_ERR_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why, wanted);
    CU_ASSERT_EQUAL(psi_ahe_adder_new(&none, &plan, &sid, bytes, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT_PTR_NULL(none);
}

/* A random prime of that many bits, the top `ones` of them set. */
static void prime_of(mpz_t z, size_t bits, unsigned ones)
{
    uint8_t bytes[384];
    do {
        unit_random(bytes, sizeof bytes);
        mpz_import(z, sizeof bytes, 1, 1, 0, 0, bytes);
        mpz_fdiv_r_2exp(z, z, bits);
        for (size_t i = 1; i <= ones; i++)
            mpz_setbit(z, bits - i);
        mpz_nextprime(z, z);
    } while (mpz_sizeinbase(z, 2) != bits);
}

static void test_bad_keys(void)
{
    mpz_t n, a, b;
    mpz_inits(n, a, b, NULL);
    refuse(n, "the modulus is too short");
    set(a, prime_p, P);
    set(b, prime_q, P);
    mpz_mul(n, a, b);
    mpz_add_ui(n, n, 1);
    refuse(n, "the modulus is even");
    mpz_setbit(n, 3072 - 1);
    mpz_clrbit(n, 0);
    refuse(n, "the modulus is even");
    mpz_fdiv_q_2exp(n, n, 1);
    mpz_setbit(n, 0);
    refuse(n, "the modulus is too short"); /* 3071 bits */
    mpz_fdiv_q_2exp(n, n, 3071 - 2048);
    mpz_setbit(n, 0);
    refuse(n, "the modulus is too short");
    mpz_mul(n, a, a); /* of two primes with both top bits set: 3072 bits */
    refuse(n, "the modulus is a power");
    prime_of(b, 1024, 3);
    mpz_pow_ui(n, b, 3);
    refuse(n, "the modulus is a power");
    static const unsigned factors[] = {3, 17, 6367};
    for (size_t i = 0; i < 3; i++) {
        mpz_set_ui(n, 0);
        mpz_setbit(n, 3071);
        mpz_tdiv_q_ui(n, n, factors[i]);
        mpz_add_ui(n, n, 1);
        mpz_setbit(n, 0);
        mpz_mul_ui(n, n, factors[i]);
        refuse(n, "the modulus has a small factor");
    }
    /* the first prime that is large enough: nothing but the proof speaks against it */
    prime_of(b, 3072 - 13 - 1536, 4);
    mpz_mul(n, a, b);
    mpz_mul_ui(n, n, 6373);
    CU_ASSERT_EQUAL_FATAL(mpz_sizeinbase(n, 2), 3072);
    refuse(n, "the proof of the modulus does not hold");
    /* the largest prime below 2^3072: 2^3072 - 1103717 */
    mpz_set_ui(n, 0);
    mpz_setbit(n, 3072);
    mpz_sub_ui(n, n, 1103717);
    CU_ASSERT_FATAL(mpz_probab_prime_p(n, 24));
    refuse(n, "the modulus is prime");
    mpz_clears(n, a, b, NULL);
}

/* q = 1 mod p: N-th powers do not permute, since p divides N and phi(N). Its maker knows the factors and
   gives the right residues mod p; mod q only one in p elements has a root. */
static void test_not_a_permutation(void)
{
    uint8_t bytes[PSI_PAILLIER_KEY_BYTES];
    mpz_t p, q, n, g, k;
    mpz_inits(p, q, n, g, k, NULL);
    prime_of(p, 1500, 2);
    mpz_setbit(k, 71);
    do { /* q = 2 k p + 1 */
        mpz_add_ui(k, k, 1);
        mpz_mul(q, k, p);
        mpz_mul_2exp(q, q, 1);
        mpz_add_ui(q, q, 1);
    } while (!mpz_probab_prime_p(q, 24));
    mpz_mul(n, p, q);
    while (mpz_sizeinbase(n, 2) < 3072) { /* a third, harmless prime if it is short */
        size_t missing = 3072 - mpz_sizeinbase(n, 2);
        mpz_set_ui(g, 0);
        mpz_setbit(g, missing < 14 ? 14 : missing);
        mpz_nextprime(g, g);
        CU_ASSERT_FATAL(missing >= 14);
        mpz_mul(n, n, g);
    }
    CU_ASSERT_EQUAL(mpz_sizeinbase(n, 2), 3072);
    mpz_export(bytes, NULL, 1, 1, 0, 0, n);
    mpz_sub_ui(q, q, 1);
    mpz_gcd(g, n, q);
    CU_ASSERT_EQUAL(mpz_cmp(g, p), 0);
    for (unsigned i = 1; i <= PSI_PAILLIER_ROOTS; i++) {
        unit_random(bytes + 384 * i, 384);
        bytes[384 * i] = 0;
    }
    CU_ASSERT_EQUAL(check(bytes), TALLY_ERR_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why, "the proof of the modulus does not hold");
    mpz_clears(p, q, n, g, k, NULL);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"search", test_search},
                                      {"proof", test_proof},
                                      {"roots", test_roots},
                                      {"bad_keys", test_bad_keys},
                                      {"not_a_permutation", test_not_a_permutation}};
    uint8_t bytes[192];
    int status = 1;
    unit_hex(bytes, sizeof bytes, paillier_prime_p);
    psi_limbs_read(prime_p, P, bytes);
    unit_hex(bytes, sizeof bytes, paillier_prime_q);
    psi_limbs_read(prime_q, P, bytes);
    memset(&sid, 7, sizeof sid);
    psi_mont_work *w = psi_mont_work_new();
    secret = psi_secret_calloc(1, sizeof *secret);
    if (w && secret && !psi_ahe_plan_init(&plan, &why) &&
        !psi_paillier_secret_init(secret, prime_p, prime_q, w) && !psi_paillier_prove(secret, &sid, message))
        status = unit_main(argc, argv, "psi_paillier_key", tests, sizeof tests / sizeof *tests);
    psi_secret_free(secret);
    psi_mont_work_free(w);
    return status;
}
