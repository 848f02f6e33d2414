/* SPDX-License-Identifier: Apache-2.0 */
/* Packed RLWE: the owner's key, encryption and decryption. */
#include "psi/rlwe.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <string.h>

#define N PSI_RLWE_N

struct psi_ahe_key {
    psi_rlwe_terms terms;
    psi_rlwe_factor secret[2]; /* s, ternary */
    uint8_t p0[PSI_RLWE_POLY]; /* p1 * s + e: public */
};

/* What one call of encrypt works in. Secret. */
typedef struct room {
    psi_wide value[N];
    int64_t error[N], digit[N], small[N], x[N];
    uint8_t coins[2 * N];
    psi_prg prg;
} room;

tally_status psi_rlwe_key_new(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid)
{
    psi_ahe_key *key = psi_secret_calloc(1, sizeof *key);
    room *r = psi_secret_calloc(1, sizeof *r);
    tally_status st = key && r ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_rlwe_terms_init(&key->terms, plan, sid);
    if (!st)
        st = psi_prg_init(&r->prg);
    if (st)
        goto done;
    const psi_rlwe_backend *ring = key->terms.ring;
    psi_rlwe_ternary(&r->prg, r->digit);
    psi_rlwe_errors(&r->prg, r->error);
    for (unsigned i = 0; !st && i < 2; i++) {
        memcpy(r->small, r->digit, sizeof r->small);
        ring->ntt(r->small, i);
        ring->factor(&key->secret[i], r->small, i);
        memcpy(r->x, r->error, sizeof r->x);
        ring->ntt(r->x, i);
        st = psi_rlwe_p1(&key->terms, i, r->small);
        ring->add(r->x, r->small, &key->secret[i], 0, N, i);
        ring->reduce(r->x, i);
        psi_rlwe_pack(key->p0 + i * PSI_RLWE_SHARE, r->x);
    }
    PSI_DECLASSIFY(key->p0, sizeof key->p0); /* an encryption of zero under s */
done:
    psi_secret_free(r);
    if (st && key)
        psi_rlwe_key_free(key);
    *out = st ? NULL : key;
    return st;
}

void psi_rlwe_key_free(psi_ahe_key *key)
{
    psi_rlwe_terms_free(&key->terms);
    psi_secret_free(key);
}

tally_status psi_rlwe_key_message(const psi_ahe_key *key, uint8_t *out)
{
    memcpy(out, key->p0, sizeof key->p0);
    return TALLY_OK;
}

/* Digits of a limb and what goes beside them: the error, and the rest of the plaintext rounded by coins. */
static void digits(room *r, const psi_rlwe_limb *limb)
{
    psi_rlwe_errors(&r->prg, r->error);
    psi_prg_bytes(&r->prg, r->coins, sizeof r->coins);
    psi_rlwe_limb_digits(limb, r->value, r->coins, r->digit, r->small);
    for (size_t j = 0; j < N; j++)
        r->small[j] += r->error[j];
}

/* b = a * s + e + q v / p, at the points of both primes. */
static tally_status seal(const psi_ahe_key *key, psi_rlwe_stream *s, room *r, size_t unit, uint8_t *out)
{
    const psi_rlwe_backend *ring = key->terms.ring;
    const psi_rlwe_limb *limb = &key->terms.limb[unit % key->terms.base.plan->limbs];
    tally_status st = TALLY_OK;
    digits(r, limb);
    for (unsigned i = 0; !st && i < 2; i++) {
        int64_t a[PSI_RLWE_PIECE];
        ring->encode(r->x, r->digit, r->small, limb->residue[i], i);
        ring->ntt(r->x, i);
        st = psi_rlwe_stream_seek(s, unit, i);
        for (size_t at = 0; !st && at < N; at += PSI_RLWE_PIECE) {
            st = psi_rlwe_stream_read(s, a, PSI_RLWE_PIECE);
            if (!st)
                ring->add(r->x, a, &key->secret[i], at, PSI_RLWE_PIECE, i);
        }
        if (st)
            break; /* without all of a * s it is no ciphertext */
        ring->reduce(r->x, i);
        psi_rlwe_pack(out + i * PSI_RLWE_SHARE, r->x);
    }
    if (st)
        psi_wipe(out, PSI_RLWE_POLY);
    else
        PSI_DECLASSIFY(out, PSI_RLWE_POLY); /* a ciphertext */
    return st;
}

tally_status psi_rlwe_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                              void *user, uint8_t *out)
{
    const psi_ahe_plan *plan = key->terms.base.plan;
    psi_rlwe_stream s = {0};
    PSI_CHECK(first + n <= plan->units);
    room *r = psi_secret_calloc(1, sizeof *r);
    tally_status st = r ? psi_rlwe_stream_open(&s, key->terms.key16) : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_prg_init(&r->prg);
    for (size_t u = first; !st && u < first + n; u++) {
        size_t row = u / plan->limbs * N, rows = plan->rows - row < N ? (size_t)(plan->rows - row) : N;
        const psi_rlwe_limb *limb = &key->terms.limb[u % plan->limbs];
        if (u == first || limb->index == 0) { /* the limbs of a column follow each other */
            gather(user, row, rows, limb->column, r->value);
            PSI_SECRET(r->value, sizeof r->value);
            memset(r->value + rows, 0, (N - rows) * sizeof *r->value);
        }
        st = seal(key, &s, r, u, out + (u - first) * PSI_RLWE_POLY);
    }
    psi_rlwe_stream_close(&s);
    psi_secret_free(r);
    return st;
}

/* Residue `which` of the two of 53 bits at in. */
static int64_t second_of(const uint8_t in[PSI_RLWE_SECOND], unsigned which)
{
    psi_uwide both = 0;
    for (unsigned b = PSI_RLWE_SECOND; b-- > 0;)
        both = both << 8 | in[b];
    return (int64_t)(both >> (PSI_RLWE_RESIDUE * which)) & (((int64_t)1 << PSI_RLWE_RESIDUE) - 1);
}

/* Opens one returned unit: the constant coefficient of second - first * s. The constant coefficient of a
 * product is the mean of its values at all points. */
static tally_status unseal(const psi_ahe_key *key, const psi_rlwe_limb *limb, const uint8_t *in, int64_t *x,
                           uint64_t *residue, const char **why)
{
    const psi_rlwe_backend *ring = key->terms.ring;
    const uint8_t *second = in + PSI_RLWE_POLY;
    int64_t y[2];
    *why = "a residue of a polynomial is out of range";
    if (second[PSI_RLWE_SECOND - 1] >> 2)
        return TALLY_ERR_MALFORMED;
    for (unsigned i = 0; i < 2; i++) {
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        if (psi_rlwe_unpack(x, in + i * PSI_RLWE_SHARE, 0, N, i) || second_of(second, i) >= p->q)
            return TALLY_ERR_MALFORMED;
        int64_t sum = 0; /* of eight canonical parts */
        for (size_t at = 0; at < N; at += PSI_RLWE_PIECE)
            sum += psi_rlwe_canonical(ring->dot(x + at, &key->secret[i], at, PSI_RLWE_PIECE, i), p);
        y[i] = psi_rlwe_canonical(second_of(second, i) - psi_rlwe_product(sum, p->n, p), p);
    }
    psi_wide noise,
        most = ((psi_wide)1 << (PSI_RLWE_FLOOD - limb->bits)) +
               22 * (psi_wide)key->terms.base.plan->selected +
               ((psi_wide)1 << 18); /* the flood; |e| <= 21 and a rounding each; 2 * 4096 * 21 + 25 */
    *residue = psi_rlwe_limb_open(limb, psi_rlwe_join(y), &noise);
    uint64_t outside = (uint64_t)((most - noise) >> 127) | (uint64_t)((most + noise) >> 127);
    psi_wipe(&noise, sizeof noise);
    psi_wipe(y, sizeof y);
    PSI_DECLASSIFY(&outside, sizeof outside); /* never for a peer that follows the protocol */
    *why = "a sum's noise is outside its bound";
    return outside ? TALLY_ERR_MALFORMED : TALLY_OK;
}

tally_status psi_rlwe_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                              uint8_t (*plain)[PSI_AHE_PLAIN], const char **why)
{
    const psi_ahe_plan *plan = key->terms.base.plan;
    int64_t *x = psi_calloc(N, sizeof *x); /* public */
    tally_status st = x ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    uint64_t residue[PSI_RLWE_LIMBS];
    size_t shown = 0;
    for (size_t c = 0; !st && c < plan->columns; c++) {
        if (show[c] == PSI_AHE_HIDDEN)
            continue;
        const psi_ahe_place *place = &plan->place[c];
        for (uint32_t l = 0; !st && l < place->limbs; l++, in += plan->sum_bytes)
            st = unseal(key, &key->terms.limb[place->first + l], in, x, &residue[l], why);
        if (st)
            break;
        memset(plain[shown], 0, PSI_AHE_PLAIN);
        if (show[c] == PSI_AHE_MASKED) {
            for (uint32_t l = 0; l < place->limbs; l++)
                psi_rlwe_set_figure(plain[shown], l, residue[l]);
        } else {
            psi_wide sum;
            uint64_t fits = psi_rlwe_sum(&key->terms, c, residue, &sum);
            PSI_DECLASSIFY(&fits, sizeof fits); /* never fails for a peer that follows the protocol */
            *why = "a sum is outside its range";
            st = fits ? TALLY_OK : TALLY_ERR_MALFORMED;
            if (!st)
                psi_ahe_set_open(plain[shown], sum);
            psi_wipe(&sum, sizeof sum);
        }
        PSI_DECLASSIFY(plain[shown], PSI_AHE_PLAIN); /* the result, or uniform under the peer's mask */
        shown++;
    }
    if (st)
        psi_wipe(plain, shown * sizeof *plain);
    psi_wipe(residue, sizeof residue);
    psi_free(x);
    return st;
}
