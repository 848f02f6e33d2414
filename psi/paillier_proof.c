/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that x -> x^N permutes Z_N^*, and its check: N-th roots of elements that a hash gives, for an N
 * without a prime factor below PSI_PAILLIER_ROUGH (Goldberg, Reyzin, Sagga, Baldimtsi, Efficient
 * noninteractive certification of RSA moduli and beyond, ASIACRYPT 2019). The check works on public values in
 * variable time.
 */
#include "psi/ct.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/paillier_key.h"

#include <string.h>

enum { P = PSI_PAILLIER_P, N = PSI_PAILLIER_N, NN = PSI_PAILLIER_NN };

#define SURPLUS 16u /* bytes drawn beyond N's: distance from uniform 2^-128 */

/* rho_i = expand(H(sid, N, i)) mod N */
static tally_status challenge(psi_hash *h, const psi_sid *sid, const uint8_t *n_bytes, unsigned i, mpz_t rho)
{
    const char *tag = psi_tag_text(PSI_TAG_PAILLIER);
    uint8_t digest[32], wide[PSI_PAILLIER_N_BYTES + SURPLUS], number = (uint8_t)i;
    const psi_part part = {digest, sizeof digest};
    tally_status st = psi_hash_start(h, PSI_TAG_PAILLIER);
    st = st ? st : psi_hash_add(h, sid, sizeof *sid);
    st = st ? st : psi_hash_add(h, n_bytes, PSI_PAILLIER_N_BYTES);
    st = st ? st : psi_hash_add(h, &number, 1);
    st = st ? st : psi_hash_end(h, digest);
    st = st ? st : psi_expand_message_xmd(h, &part, 1, (const uint8_t *)tag, strlen(tag), wide, sizeof wide);
    if (st)
        return st;
    mpz_t n;
    mpz_init(n);
    mpz_import(n, PSI_PAILLIER_N_BYTES, 1, 1, 0, 0, n_bytes);
    mpz_import(rho, sizeof wide, 1, 1, 0, 0, wide);
    mpz_mod(rho, rho, n);
    mpz_clear(n);
    return TALLY_OK;
}

/* The root of a number of 48 limbs mod p. */
static void root_half(const psi_paillier_half *h, mp_limb_t *r, const mp_limb_t *rho, psi_mont_work *w)
{
    psi_mont_in_wide(&h->mod, r, rho, w);
    psi_mont_pow(&h->mod, r, r, h->root, 64 * P, w);
    psi_mont_out(&h->mod, r, r, w);
}

tally_status psi_paillier_prove(const psi_paillier_secret *s, const psi_sid *sid, uint8_t *out)
{
    tally_status st = TALLY_ERR_NO_MEMORY;
    mp_limb_t wide[N], a[P], b[P];
    mpz_t rho;
    mpz_init(rho);
    psi_mont_work *w = psi_mont_work_new();
    psi_hash *h = psi_hash_new();
    if (!w || !h)
        goto done;
    psi_limbs_write(out, s->n, N);
    for (unsigned i = 0; i < PSI_PAILLIER_ROOTS; i++) {
        st = challenge(h, sid, out, i, rho);
        if (st)
            goto done;
        for (size_t k = 0; k < N; k++)
            wide[k] = mpz_getlimbn(rho, (mp_size_t)k);
        root_half(&s->half[0], a, wide, w);
        root_half(&s->half[1], b, wide, w);
        psi_paillier_join(s, wide, a, b, w);
        psi_limbs_write(out + (1 + i) * PSI_PAILLIER_N_BYTES, wide, N);
    }
    PSI_DECLASSIFY(out, PSI_PAILLIER_KEY_BYTES); /* the proof: sent */
done:
    psi_hash_free(h);
    psi_mont_work_free(w);
    mpz_clear(rho);
    psi_wipe(a, sizeof a);
    psi_wipe(b, sizeof b);
    if (st)
        psi_wipe(out, PSI_PAILLIER_KEY_BYTES);
    return st;
}

/* NULL or what is wrong with the number alone. */
static const char *bad_modulus(const mpz_t n)
{
    if (mpz_sizeinbase(n, 2) != PSI_PAILLIER_BITS)
        return "the modulus is too short";
    if (mpz_even_p(n))
        return "the modulus is even";
    for (unsigned d = 3; d < PSI_PAILLIER_ROUGH; d += 2)
        if (mpz_divisible_ui_p(n, d))
            return "the modulus has a small factor";
    if (mpz_probab_prime_p(n, 1)) /* a prime never fails the test, and nothing else is refused for long */
        return "the modulus is prime";
    if (mpz_perfect_power_p(n))
        return "the modulus is a power";
    return NULL;
}

tally_status psi_paillier_check(mp_limb_t *out, const psi_sid *sid, const uint8_t *message, const char **why)
{
    tally_status st = TALLY_ERR_MALFORMED;
    mpz_t n, rho, sigma, power;
    mpz_inits(n, rho, sigma, power, NULL);
    psi_hash *h = psi_hash_new();
    if (!h) {
        st = TALLY_ERR_NO_MEMORY;
        goto done;
    }
    mpz_import(n, PSI_PAILLIER_N_BYTES, 1, 1, 0, 0, message);
    *why = bad_modulus(n);
    if (*why)
        goto done;
    *why = "the proof of the modulus does not hold";
    for (unsigned i = 0; i < PSI_PAILLIER_ROOTS; i++) {
        mpz_import(sigma, PSI_PAILLIER_N_BYTES, 1, 1, 0, 0, message + (1 + i) * PSI_PAILLIER_N_BYTES);
        if (mpz_sgn(sigma) == 0 || mpz_cmp(sigma, n) >= 0)
            goto done;
        tally_status hashed = challenge(h, sid, message, i, rho);
        if (hashed) {
            st = hashed;
            goto done;
        }
        mpz_powm(power, sigma, n, n);
        if (mpz_cmp(power, rho) != 0)
            goto done;
    }
    psi_limbs_read(out, N, message);
    *why = NULL;
    st = TALLY_OK;
done:
    psi_hash_free(h);
    mpz_clears(n, rho, sigma, power, NULL);
    return st;
}

const char *psi_paillier_bad_unit(const mp_limb_t *n, const mp_limb_t *nn, const mp_limb_t *c)
{
    mpz_t a, b, g;
    if (mpn_zero_p(c, NN) || mpn_cmp(c, nn, NN) >= 0)
        return "a ciphertext is out of range";
    mpz_init(g);
    mpz_gcd(g, mpz_roinit_n(a, c, NN), mpz_roinit_n(b, n, N));
    int coprime = mpz_cmp_ui(g, 1) == 0;
    mpz_clear(g);
    return coprime ? NULL : "a ciphertext shares a factor with the modulus";
}

void psi_paillier_square(mp_limb_t *nn, const mp_limb_t *n)
{
    mpn_sqr(nn, n, N);
}
