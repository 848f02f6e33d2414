/* SPDX-License-Identifier: Apache-2.0 */
/* The computing side of Paillier-3072: checks key and ciphertexts, multiplies those selected, masks and
 * rerandomises the products. */
#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/paillier.h"
#include "psi/verify.h"

#include <string.h>

enum { N = PSI_PAILLIER_N, NN = PSI_PAILLIER_NN, LANES = PSI_PAILLIER_LANES, MASK_WORDS = 3 };

#define TRIES 256 /* a draw is refused with probability at most 1/2 + 1/16 */

/* A product of ciphertexts times R^-factors: multiplying by a ciphertext that is not in Montgomery form costs
   a factor 1/R, which finish makes good for all of them at once. */
typedef struct product {
    mp_limb_t x[NN];
    uint64_t factors;
} product;

struct psi_ahe_adder {
    psi_ahe_base base;
    psi_mont mod, square; /* N, N^2: public */
    size_t first, count;  /* of the units of this add */
    const uint8_t *group;
    psi_mont_work *work[LANES];     /* of each task; merge and finish, one at a time, use the first */
    product *products;              /* lane, limb, group + 1; 0 takes the rows that are not selected */
    mp_limb_t (*masks)[MASK_WORDS]; /* group, column: of its last masked return */
};

static product *at(const psi_ahe_adder *a, size_t lane, size_t limb, size_t slot)
{
    return &a->products[(lane * a->base.plan->limbs + limb) * (a->base.plan->groups + 1) + slot];
}

static void reset(product *p)
{
    memset(p, 0, sizeof *p);
    p->x[0] = 1;
}

tally_status psi_paillier_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                                    const uint8_t *key_message, const char **why)
{
    mp_limb_t n[N], nn[NN];
    const size_t count = (size_t)LANES * plan->limbs * (plan->groups + 1);
    tally_status st = TALLY_ERR_NO_MEMORY;
    *out = NULL;
    *why = NULL;
    psi_ahe_adder *a = psi_secret_calloc(1, sizeof *a);
    if (!a)
        return st;
    a->base = (psi_ahe_base){&psi_ahe_paillier, plan};
    a->products = psi_secret_calloc(count, sizeof *a->products);
    a->masks = psi_secret_calloc(plan->groups * plan->columns, sizeof *a->masks);
    int complete = a->products && a->masks;
    for (size_t i = 0; complete && i < LANES; i++)
        complete = (a->work[i] = psi_mont_work_new()) != NULL;
    if (complete)
        st = psi_paillier_check(n, sid, key_message, why);
    if (st) {
        psi_paillier_adder_free(a);
        return st;
    }
    psi_mont_init(&a->mod, n, N);
    psi_paillier_square(nn, n);
    psi_mont_init(&a->square, nn, NN);
    for (size_t i = 0; i < count; i++)
        reset(&a->products[i]);
    *out = a;
    return TALLY_OK;
}

void psi_paillier_adder_free(psi_ahe_adder *a)
{
    for (size_t i = 0; i < LANES; i++)
        psi_mont_work_free(a->work[i]);
    psi_secret_free(a->masks);
    psi_secret_free(a->products);
    psi_secret_free(a);
}

/* ---- Adding ---- */

tally_status psi_paillier_add_prepare(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group)
{
    PSI_CHECK(first <= a->base.plan->units && n <= a->base.plan->units - first);
    a->first = first;
    a->count = n;
    a->group = group;
    return TALLY_OK;
}

/* The product of the row's group, or of those not selected, times c. Each of them is read and written. */
static void select_and_multiply(const psi_ahe_adder *a, product *of, uint8_t group, const mp_limb_t *c,
                                psi_mont_work *w)
{
    const size_t slots = a->base.plan->groups + 1;
    mp_limb_t x[NN] = {0};
    for (size_t s = 0; s < slots; s++) {
        mp_limb_t mine = psi_ct_barrier(0 - (((mp_limb_t)(s ^ group) - 1) >> 63));
        for (size_t k = 0; k < NN; k++)
            x[k] |= of[s].x[k] & mine;
        of[s].factors += mine & 1;
    }
    psi_mont_mul(&a->square, x, x, c, w);
    for (size_t s = 0; s < slots; s++)
        psi_limbs_move(of[s].x, x, NN, 0 - (((mp_limb_t)(s ^ group) - 1) >> 63));
    psi_wipe(x, sizeof x);
}

tally_status psi_paillier_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad,
                                   const char **why)
{
    const size_t limbs = a->base.plan->limbs, end = a->first + a->count;
    const mp_limb_t *nn = a->square.m;
    psi_mont_work *w = a->work[task];
    mp_limb_t c[NN], wide[NN], all[N], out[N];
    *why = NULL;
    memcpy(all, a->mod.one, sizeof all);
    for (size_t u = a->first; u < end; u++) {
        size_t row = u / limbs;
        if (row % LANES != task)
            continue;
        psi_limbs_read(c, NN, in + (u - a->first) * PSI_PAILLIER_UNIT);
        if (mpn_zero_p(c, NN) || mpn_cmp(c, nn, NN) >= 0) { /* public */
            *bad = u;
            *why = "a ciphertext is out of range";
            return TALLY_ERR_MALFORMED;
        }
        memcpy(wide, c, sizeof wide);
        psi_mont_redc(&a->mod, out, wide); /* c / R mod N: coprime to N like c */
        psi_mont_mul(&a->mod, all, all, out, w);
        select_and_multiply(a, at(a, task, u % limbs, 0), a->group[row], c, w);
    }
    /* One gcd for all of them; the culprit is looked for only if there is one. */
    mpz_t x, n, g;
    mpz_init(g);
    mpz_gcd(g, mpz_roinit_n(x, all, N), mpz_roinit_n(n, a->mod.m, N));
    int coprime = mpz_cmp_ui(g, 1) == 0;
    mpz_clear(g);
    for (size_t u = a->first; !coprime && u < end; u++) {
        if (u / limbs % LANES != task)
            continue;
        psi_limbs_read(c, NN, in + (u - a->first) * PSI_PAILLIER_UNIT);
        *why = psi_paillier_bad_unit(a->mod.m, nn, c);
        if (*why) {
            *bad = u;
            return TALLY_ERR_MALFORMED;
        }
    }
    return TALLY_OK;
}

/* to *= from */
static void multiply(const psi_ahe_adder *a, product *to, const product *from)
{
    psi_mont_mul(&a->square, to->x, to->x, from->x, a->work[0]);
    to->factors += from->factors + 1;
}

tally_status psi_paillier_merge(psi_ahe_adder *a, size_t to, size_t from)
{
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t limb = 0; limb < a->base.plan->limbs; limb++) {
            multiply(a, at(a, lane, limb, to + 1), at(a, lane, limb, from + 1));
            reset(at(a, lane, limb, from + 1));
        }
    return TALLY_OK;
}

/* ---- Returning ---- */

/* Uniform in [0, bound) for the n limbs at bound, of which the top one is not 0. */
static tally_status draw_below(psi_prg *prg, mp_limb_t *r, const mp_limb_t *bound, size_t n)
{
    mp_limb_t d[N], top = bound[n - 1];
    for (unsigned s = 1; s < 64; s *= 2)
        top |= top >> s;
    for (int i = 0; i < TRIES; i++) {
        psi_prg_bytes(prg, r, n * sizeof *r);
        r[n - 1] &= top;
        mp_limb_t below = mpn_sub_n(d, r, bound, (mp_size_t)n);
        PSI_DECLASSIFY(&below, sizeof below); /* tells of draws that are thrown away only */
        if (below) {
            psi_wipe(d, sizeof d);
            return TALLY_OK;
        }
    }
    return TALLY_ERR_INTERNAL;
}

/*
 * The mask of a slot with v value bits and g guard bits: r = t 2^v + l + 2^(v - 1) with t uniform in [0, 2^g
 * - 1), and l uniform in [0, 2^v), or 2^(v - 1) for an open column. The sum with its noise is in [-2^(v - 1),
 * 2^(v - 1)), so sum + r is in [0, 2^(v + g)): slots neither borrow nor carry. l uniform: r is uniform on 2^v
 * (2^g - 1) values, sum + r is within 1 / (2^g - 1) of a mask alone. l = 2^(v - 1): r is a multiple of 2^v,
 * and the value bits are those of the sum.
 */
static tally_status draw_mask(psi_prg *prg, mp_limb_t *r, unsigned v, unsigned g, int open)
{
    mp_limb_t half[MASK_WORDS] = {0}, low[2], t, full = 0;
    half[(v - 1) / 64] = (mp_limb_t)1 << ((v - 1) % 64);
    int i = 0;
    do {
        psi_prg_bytes(prg, &t, sizeof t);
        t &= ((mp_limb_t)1 << g) - 1; /* g <= 55 */
        full = (mp_limb_t)(t == ((mp_limb_t)1 << g) - 1);
        PSI_DECLASSIFY(&full, sizeof full); /* as in draw_below */
    } while (full && ++i < TRIES);
    psi_prg_bytes(prg, low, sizeof low);
    if (v < 64)
        low[0] &= ((mp_limb_t)1 << v) - 1;
    if (v <= 64)
        low[1] = 0;
    else if (v < 128)
        low[1] &= ((mp_limb_t)1 << (v - 64)) - 1;
    memcpy(r, half, sizeof half);
    psi_paillier_add_at(r, MASK_WORDS, open ? half : low, 2, 0, 0);
    psi_paillier_add_at(r, MASK_WORDS, &t, 1, 0, v);
    psi_wipe(low, sizeof low);
    psi_wipe(&t, sizeof t);
    return full ? TALLY_ERR_INTERNAL : TALLY_OK;
}

/* What is added to the plaintext of a group's ciphertext `limb`: masks and noise in the slots, and above them
   a number that fills Z_N. In [0, N) together with the sums of an owner that keeps to its bounds. */
static tally_status draw_addend(psi_ahe_adder *a, size_t group, size_t limb, const uint8_t *show,
                                const psi_wide *noise, psi_prg *prg, mp_limb_t *sum)
{
    const psi_ahe_plan *plan = a->base.plan;
    const unsigned g = psi_paillier_guard(plan), used = psi_paillier_used(plan, limb);
    mp_limb_t bound[N], top[N], r[MASK_WORDS];
    /* floor(N / 2^used); used <= 3070 and N > 2^3071 leave at least 2 */
    size_t skip = used / 64, n = N - skip;
    if (used % 64)
        mpn_rshift(bound, a->mod.m + skip, (mp_size_t)n, used % 64);
    else
        memcpy(bound, a->mod.m + skip, n * sizeof *bound);
    while (n > 1 && bound[n - 1] == 0)
        n--;
    memset(sum, 0, N * sizeof *sum);
    tally_status st = draw_below(prg, top, bound, n);
    psi_paillier_add_at(sum, N, top, n, 0, used);
    psi_wipe(top, sizeof top);
    for (size_t c = 0; !st && c < plan->columns; c++) {
        const psi_ahe_place *place = &plan->place[c];
        if (place->first != limb)
            continue;
        st = draw_mask(prg, r, place->width - g, g, show[c] == PSI_AHE_OPEN);
        psi_paillier_add_at(sum, N, r, MASK_WORDS, 0, place->shift);
        if (noise)
            psi_paillier_place(sum, N, noise[c], place->shift);
        if (show[c] == PSI_AHE_MASKED)
            memcpy(a->masks[group * plan->columns + c], r, sizeof r);
    }
    psi_wipe(r, sizeof r);
    return st;
}

/* x *= (1 + m N) r^N for a fresh r: uniform among the ciphertexts of the plaintext of x plus m. */
static tally_status rerandomise(const psi_ahe_adder *a, mp_limb_t *x, const mp_limb_t *m, psi_prg *prg,
                                uint8_t *out)
{
    static const mp_limb_t one[NN] = {1};
    const psi_mont *c = &a->square;
    psi_mont_work *w = a->work[0];
    mp_limb_t y[NN], r[NN];
    tally_status st = TALLY_OK;
    mpn_sec_mul(y, m, N, a->mod.m, N, w->gmp); /* m < N: 1 + m N < N^2 */
    mpn_add_n(y, y, one, NN);
    psi_mont_in(c, x, x, w);
    psi_mont_mul(c, x, x, y, w);
    const char *why = NULL;
    for (int i = 0; i < TRIES; i++) {
        st = draw_below(prg, r, a->mod.m, N);
        if (st)
            break;
        memset(r + N, 0, N * sizeof *r);
        psi_mont_in(c, r, r, w);
        psi_mont_pow(c, r, r, a->mod.m, PSI_PAILLIER_BITS, w);
        psi_mont_mul(c, y, x, r, w);
        psi_mont_in(c, y, y, w);
        psi_mont_out(c, y, y, w);
        PSI_DECLASSIFY(y, sizeof y); /* uniform: sent, or thrown away with its r */
        /* gcd(r, N) = 1 if and only if this is coprime to N, as what came in is */
        why = psi_paillier_bad_unit(a->mod.m, c->m, y);
        if (!why)
            break;
    }
    psi_limbs_write(out, y, NN);
    psi_wipe(y, sizeof y);
    psi_wipe(r, sizeof r);
    return st ? st : why ? TALLY_ERR_INTERNAL : TALLY_OK;
}

/* The ciphertext of a group's sums in `limb`, in x. */
static void collect(const psi_ahe_adder *a, size_t group, size_t limb, mp_limb_t *x)
{
    product all = *at(a, 0, limb, group + 1);
    mp_limb_t f[NN];
    for (size_t lane = 1; lane < LANES; lane++)
        multiply(a, &all, at(a, lane, limb, group + 1));
    mp_limb_t e = all.factors;
    psi_mont_pow(&a->square, f, a->square.rr, &e, 64, a->work[0]); /* R^factors in Montgomery form */
    psi_mont_mul(&a->square, x, all.x, f, a->work[0]);
    psi_wipe(&all, sizeof all);
    psi_wipe(f, sizeof f);
}

tally_status psi_paillier_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                                 uint8_t *out)
{
    const psi_ahe_plan *plan = a->base.plan;
    mp_limb_t x[NN], addend[N];
    psi_prg prg;
    size_t done = 0;
    tally_status st = psi_prg_init(&prg);
    for (size_t limb = 0; !st && limb < plan->limbs; limb++) {
        if (!psi_paillier_shown(plan, show, limb))
            continue;
        collect(a, group, limb, x);
        st = draw_addend(a, group, limb, show, noise, &prg, addend);
        if (!st)
            st = rerandomise(a, x, addend, &prg, out + done++ * PSI_PAILLIER_UNIT);
    }
    if (st)
        psi_wipe(out, done * PSI_PAILLIER_UNIT);
    psi_wipe(x, sizeof x);
    psi_wipe(addend, sizeof addend);
    psi_prg_wipe(&prg);
    return st;
}

tally_status psi_paillier_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                                 const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum)
{
    const psi_ahe_plan *plan = a->base.plan;
    mp_limb_t x[PSI_PAILLIER_FIGURE], r[PSI_PAILLIER_FIGURE] = {0};
    psi_wide low, high;
    psi_ahe_bounds(plan, c, &low, &high);
    memcpy(r, a->masks[group * plan->columns + c], sizeof *a->masks);
    psi_paillier_figure_read(x, plain);
    mpn_sub_n(x, x, r, PSI_PAILLIER_FIGURE);
    psi_wide value = (psi_wide)((psi_uwide)x[1] << 64 | x[0]);
    uint64_t outside = (uint64_t)(value < low) | (uint64_t)(value > high), sign = 0 - (x[1] >> 63);
    for (size_t i = 2; i < PSI_PAILLIER_FIGURE; i++)
        outside |= x[i] ^ sign;
    outside = outside != 0;
    PSI_DECLASSIFY(&outside, sizeof outside); /* the run ends and says so */
    *sum = outside ? 0 : value;
    psi_wipe(x, sizeof x);
    psi_wipe(r, sizeof r);
    return outside ? TALLY_ERR_MALFORMED : TALLY_OK;
}
