/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's side of Paillier-3072: encrypts rows by its primes and a table of powers, decrypts sums. */
#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/mont_pair.h"
#include "psi/paillier.h"
#include "psi/pick.h"
#include "psi/verify.h"

#include <string.h>

enum { P = PSI_PAILLIER_P, N = PSI_PAILLIER_N, NN = PSI_PAILLIER_NN };

#define ALPHA 512u /* bits of an exponent of h_s: docs/protocol-paillier.md */
/* Bits of alpha taken at a time. A window's powers, 24 KB, are read once for all units of a batch. */
#define WINDOW 6u
#define ENTRIES (1u << WINDOW)
#define WINDOWS ((ALPHA + WINDOW - 1) / WINDOW)
#define BATCH PSI_PICK_ROWS /* units encrypted together */

typedef psi_pick_entry power;
_Static_assert(N == PSI_PICK_LIMBS, "a power is an entry");

struct psi_ahe_key {
    psi_ahe_base base;
    psi_sid sid;
    mp_limb_t nn[NN]; /* N^2 */
    psi_paillier_secret secret;
    mp_limb_t factor[2][2][P];        /* q R^2, q R^3 mod p: from m to m q in Montgomery form; R = 2^1536 */
    power table[2][WINDOWS][ENTRIES]; /* h_s^(e 2^(WINDOW i)) mod p^2, q^2, pairs (psi/mont_pair.h) */
};

/* What one call of encrypt works with: secret. */
typedef struct desk {
    psi_mont_work mont;
    psi_prg prg;
    mp_limb_t plain[BATCH][N]; /* two's complement */
    mp_limb_t alpha[BATCH][ALPHA / 64 + 1];
    mp_limb_t at[2][BATCH][N]; /* ciphertexts mod p^2, q^2 */
    uint64_t digit[BATCH];
    mp_limb_t picked[BATCH][N];
    mp_limb_t out[NN];
    psi_wide values[BATCH];
} desk;

/* ---- The key ---- */

/* h_s = (-z^2)^N mod p^2 for a z of 3072 random bits, of which z mod p alone counts, and its powers. */
static void make_table(psi_ahe_key *key, int side, psi_prg *prg, psi_mont_work *w)
{
    static const mp_limb_t zero[N], r[N] = {[P] = 1};
    const psi_paillier_half *half = &key->secret.half[side];
    const psi_mont *c = &half->square;
    mp_limb_t base[N];
    psi_prg_bytes(prg, base, sizeof base);
    psi_mont_in(c, base, base, w);
    psi_mont_sqr(c, base, base, w);
    psi_mont_sub(c, base, zero, base);
    psi_mont_pow(c, base, base, key->secret.n, PSI_PAILLIER_BITS, w);
    psi_mont_mul(c, base, base, r, w); /* R h_s: the Montgomery form has R^2 */
    psi_mont_in(c, base, base, w);
    psi_mont_out(c, base, base, w);
    psi_pair_split(&half->mod, base, base, half->exact, w);
    for (size_t i = 0; i < WINDOWS; i++) {
        power *t = key->table[side][i];
        memcpy(t[0], half->mod.one, P * sizeof(mp_limb_t)); /* R = (R - p) + p */
        t[0][P] = 1;
        memcpy(t[1], base, sizeof t[1]);
        for (size_t e = 2; e < ENTRIES; e++)
            psi_pair_mul(&half->mod, t[e], t[e - 1], base, w);
        psi_pair_mul(&half->mod, base, t[ENTRIES - 1], base, w);
    }
    psi_wipe(base, sizeof base);
    psi_mont_in(&half->mod, key->factor[side][0], key->secret.half[!side].prime, w);
    psi_mont_in(&half->mod, key->factor[side][0], key->factor[side][0], w);
    psi_mont_in(&half->mod, key->factor[side][1], key->factor[side][0], w);
}

tally_status psi_paillier_key_new(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid)
{
    psi_prg prg;
    mp_limb_t p[P], q[P];
    psi_mont_work *w = NULL;
    psi_ahe_key *key = NULL;
    *out = NULL;
    tally_status st = psi_prg_init(&prg);
    if (st)
        return st;
    st = TALLY_ERR_NO_MEMORY;
    key = psi_secret_calloc(1, sizeof *key);
    w = psi_mont_work_new();
    if (!key || !w)
        goto done;
    key->base = (psi_ahe_base){&psi_ahe_paillier, plan};
    key->sid = *sid;
    psi_paillier_search(&prg, p, q);
    st = psi_paillier_secret_init(&key->secret, p, q, w);
    if (st)
        goto done;
    psi_paillier_square(key->nn, key->secret.n);
    make_table(key, 0, &prg, w);
    make_table(key, 1, &prg, w);
    *out = key;
    key = NULL;
done:
    psi_secret_free(key);
    psi_mont_work_free(w);
    psi_prg_wipe(&prg);
    psi_wipe(p, sizeof p);
    psi_wipe(q, sizeof q);
    return st;
}

void psi_paillier_key_free(psi_ahe_key *key)
{
    psi_secret_free(key);
}

tally_status psi_paillier_key_message(const psi_ahe_key *key, uint8_t *out)
{
    return psi_paillier_prove(&key->secret, &key->sid, out);
}

/* ---- Encryption ---- */

/* The plaintexts of units [first, first + n). */
static void pack(const psi_ahe_plan *plan, desk *d, size_t first, size_t n, psi_ahe_gather gather, void *user)
{
    const size_t limbs = plan->limbs, row = first / limbs, rows = (first + n - 1) / limbs - row + 1;
    memset(d->plain, 0, sizeof d->plain);
    for (size_t c = 0; c < plan->columns; c++) {
        const psi_ahe_place *place = &plan->place[c];
        size_t lo = row, hi = row + rows; /* the rows whose ciphertext place->first is among the units */
        lo += lo * limbs + place->first < first;
        hi -= (hi - 1) * limbs + place->first >= first + n;
        if (lo >= hi)
            continue;
        gather(user, lo, hi - lo, c, d->values);
        for (size_t r = lo; r < hi; r++)
            psi_paillier_place(d->plain[r * limbs + place->first - first], N, d->values[r - lo],
                               place->shift);
    }
}

/* picked[u] = t[digit of alpha[u] at window i]. */
static void pick(desk *d, const power *t, size_t i)
{
    const size_t bit = i * WINDOW;
    for (size_t u = 0; u < BATCH; u++) {
        const mp_limb_t *a = d->alpha[u] + bit / 64; /* one limb beyond alpha, 0 */
        const unsigned s = bit % 64;
        d->digit[u] = (a[0] >> s | (s ? a[1] << (64 - s) : 0)) & (ENTRIES - 1);
    }
    psi_pick()->rows(d->picked, t, ENTRIES, d->digit);
}

/* The pair of 1 + m N, N = p q: (1 + m q p) R = (R - p) + p (1 + m q R). */
static void start_half(const psi_ahe_key *key, desk *d, int side, mp_limb_t *x, const mp_limb_t *m)
{
    static const mp_limb_t one[P] = {1};
    const psi_mont *c = &key->secret.half[side].mod;
    const mp_limb_t *low = key->factor[side][0], *high = key->factor[side][1];
    mp_limb_t *y = x + P, *t = d->picked[0];
    psi_mont_mul(c, t, m + P, high, &d->mont);
    psi_mont_mul(c, y, m, low, &d->mont);
    psi_mont_add(c, y, y, t);
    /* The limbs of m hold m + R^2 if m is negative, and R^2 q R = high. */
    mp_limb_t negative = psi_ct_barrier(0 - (m[N - 1] >> 63));
    for (size_t k = 0; k < P; k++)
        t[k] = high[k] & negative;
    psi_mont_sub(c, y, y, t);
    psi_mont_add(c, y, y, one);
    memcpy(x, c->one, P * sizeof *x);
}

/* at[side] = a number of 48 limbs that is (1 + m N) h_s^alpha mod p^2. */
static void encrypt_half(const psi_ahe_key *key, desk *d, int side, size_t n)
{
    static const mp_limb_t r[N] = {[P] = 1};
    const psi_paillier_half *half = &key->secret.half[side];
    mp_limb_t(*x)[N] = d->at[side];
    for (size_t u = 0; u < n; u++)
        start_half(key, d, side, x[u], d->plain[u]);
    for (size_t i = 0; i < WINDOWS; i++) {
        pick(d, key->table[side][i], i);
        for (size_t u = 0; u < n; u++)
            psi_pair_mul(&half->mod, x[u], x[u], d->picked[u], &d->mont);
    }
    for (size_t u = 0; u < n; u++) {
        psi_pair_join(&half->mod, x[u], x[u], &d->mont);
        psi_mont_mul(&half->square, x[u], x[u], r, &d->mont); /* R / 2^3072 = 1 / R */
    }
}

tally_status psi_paillier_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                                  void *user, uint8_t *out)
{
    const psi_ahe_plan *plan = key->base.plan;
    PSI_CHECK(first <= plan->units && n <= plan->units - first);
    desk *d = psi_secret_calloc(1, sizeof *d);
    tally_status st = d ? psi_prg_init(&d->prg) : TALLY_ERR_NO_MEMORY;
    for (size_t done = 0, b; !st && done < n; done += b) {
        b = n - done < BATCH ? n - done : BATCH;
        pack(plan, d, first + done, b, gather, user);
        for (size_t u = 0; u < b; u++)
            psi_prg_bytes(&d->prg, d->alpha[u], ALPHA / 8);
        encrypt_half(key, d, 0, b);
        encrypt_half(key, d, 1, b);
        for (size_t u = 0; u < b; u++) {
            uint8_t *unit = out + (done + u) * PSI_PAILLIER_UNIT;
            psi_paillier_join_squares(&key->secret, d->out, d->at[0][u], d->at[1][u], &d->mont);
            psi_limbs_write(unit, d->out, NN);
            PSI_DECLASSIFY(unit, PSI_PAILLIER_UNIT); /* a ciphertext: sent */
        }
    }
    psi_secret_free(d);
    return st;
}

/* ---- Decryption ---- */

/* Bits [shift, shift + width) of the 48 limbs at x, width <= 64 * 8 - 1. */
static void cut_slot(mp_limb_t *figure, const mp_limb_t *x, unsigned shift, unsigned width)
{
    memset(figure, 0, PSI_AHE_PLAIN);
    for (unsigned i = 0; 64 * i < width; i++) {
        size_t at = shift / 64 + i;
        const unsigned s = shift % 64, left = width - 64 * i;
        mp_limb_t word = at < N ? x[at] >> s : 0;
        if (s && at + 1 < N)
            word |= x[at + 1] << (64 - s);
        figure[i] = left < 64 ? word & (((mp_limb_t)1 << left) - 1) : word;
    }
}

/* The low `bits` bits of a figure, signed; 1..128. */
static psi_wide signed_low(const mp_limb_t *figure, unsigned bits)
{
    psi_uwide x = ((psi_uwide)figure[1] << 64 | figure[0]) << (128 - bits);
    return (psi_wide)x >> (128 - bits); /* arithmetic in gcc and clang */
}

/* One column of a plaintext. */
static tally_status read_column(const psi_ahe_plan *plan, size_t c, int open, const mp_limb_t *x,
                                uint8_t plain[PSI_AHE_PLAIN])
{
    mp_limb_t figure[PSI_PAILLIER_FIGURE];
    psi_wide low, high;
    uint64_t outside = 0;
    cut_slot(figure, x, plan->place[c].shift, plan->place[c].width);
    if (open) {
        psi_wide sum = signed_low(figure, plan->place[c].width - psi_paillier_guard(plan));
        psi_ahe_bounds(plan, c, &low, &high);
        outside = (uint64_t)(sum < low) | (uint64_t)(sum > high);
        psi_ahe_set_open(plain, sum);
    } else {
        psi_paillier_figure_write(plain, figure);
    }
    psi_wipe(figure, sizeof figure);
    PSI_DECLASSIFY(&outside, sizeof outside); /* the run ends and says so */
    PSI_DECLASSIFY(plain, PSI_AHE_PLAIN);     /* the owner's result, or masked and sent */
    return outside ? TALLY_ERR_MALFORMED : TALLY_OK;
}

tally_status psi_paillier_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                                  uint8_t (*plain)[PSI_AHE_PLAIN], const char **why)
{
    const psi_ahe_plan *plan = key->base.plan;
    mp_limb_t unit[NN], x[N];
    size_t shown = 0, next = 0; /* limbs before `next` are read */
    tally_status st = TALLY_OK;
    *why = NULL;
    psi_mont_work *w = psi_mont_work_new();
    if (!w)
        return TALLY_ERR_NO_MEMORY;
    for (size_t c = 0; !st && c < plan->columns; c++) { /* places come limb by limb */
        if (show[c] == PSI_AHE_HIDDEN)
            continue;
        if (plan->place[c].first >= next) {
            next = (size_t)plan->place[c].first + 1;
            psi_limbs_read(unit, NN, in);
            in += PSI_PAILLIER_UNIT;
            *why = psi_paillier_bad_unit(key->secret.n, key->nn, unit);
            st = *why ? TALLY_ERR_MALFORMED : TALLY_OK;
            if (st)
                break;
            psi_paillier_open(&key->secret, x, unit, w);
        }
        st = read_column(plan, c, show[c] == PSI_AHE_OPEN, x, plain[shown++]);
        if (st)
            *why = "a decrypted sum is outside its bound";
    }
    if (st)
        psi_wipe(plain, shown * sizeof *plain);
    psi_wipe(x, sizeof x);
    psi_mont_work_free(w);
    return st;
}
