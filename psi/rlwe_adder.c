/* SPDX-License-Identifier: Apache-2.0 */
/* Packed RLWE: the computing side. */
#include "psi/rlwe.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <string.h>

#define N PSI_RLWE_N
#define LAZY 128u /* products of less than 2^53 that a sum takes before it is reduced: below 2^61 */

/* Sums of one limb of one group. Secret. */
typedef struct sums {
    int64_t first[2][N]; /* sum of m * a, at all points, lazy */
    int64_t second[2];   /* sum of m * b, over all points, canonical */
    uint64_t mask;       /* of the figure, when it is masked */
} sums;

struct psi_ahe_adder {
    psi_rlwe_terms terms;
    int64_t p0[2][N], p1[2][N];        /* encryption of zero: public */
    sums *sum;                         /* groups * limbs */
    uint32_t *lazy;                    /* of each limb: units added since sums were reduced */
    uint64_t most[PSI_AHE_GROUPS_MAX]; /* rows of each group, at most */
    psi_uwide spent;                   /* of the budget of flooding noise: eta * 2^bits of all returned */
    psi_rlwe_factor *selection;        /* blocks in work * groups * 2. Secret. */
    size_t capacity, block, blocks;    /* blocks there is room for, the first one in work, their number */
    size_t first, n;                   /* units in work */
};

static sums *sum_of(const psi_ahe_adder *a, size_t group, size_t limb)
{
    return &a->sum[group * a->terms.base.plan->limbs + limb];
}

static psi_rlwe_factor *selection_of(const psi_ahe_adder *a, size_t block, size_t group)
{
    return &a->selection[(block % a->capacity * a->terms.base.plan->groups + group) * 2];
}

tally_status psi_rlwe_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                                const uint8_t *key_message, const char **why)
{
    *out = NULL;
    psi_ahe_adder *a = psi_secret_calloc(1, sizeof *a);
    if (!a)
        return TALLY_ERR_NO_MEMORY;
    tally_status st = psi_rlwe_terms_init(&a->terms, plan, sid);
    for (unsigned i = 0; !st && i < 2; i++) {
        *why = "a residue of a polynomial is out of range";
        if (psi_rlwe_unpack(a->p0[i], key_message + i * PSI_RLWE_SHARE, 0, N, i))
            st = TALLY_ERR_MALFORMED;
        else
            st = psi_rlwe_p1(&a->terms, i, a->p1[i]);
    }
    if (!st) {
        a->sum = psi_secret_calloc(plan->groups * plan->limbs, sizeof *a->sum);
        a->lazy = psi_calloc(plan->limbs, sizeof *a->lazy);
        st = a->sum && a->lazy ? TALLY_OK : TALLY_ERR_NO_MEMORY;
        memcpy(a->most, plan->group_max, sizeof a->most);
    }
    if (st)
        psi_rlwe_adder_free(a);
    else
        *out = a;
    return st;
}

void psi_rlwe_adder_free(psi_ahe_adder *a)
{
    psi_rlwe_terms_free(&a->terms);
    psi_secret_free(a->sum);
    psi_free(a->lazy);
    psi_secret_free(a->selection);
    psi_secret_free(a);
}

/* m = the sum of X^-j over the rows j of group g: 1 at coefficient 0 for j = 0, and as X^-j = -X^(4096 - j),
 * -1 at coefficient 4096 - j for the others. Rows of the list only. */
static void select_rows(const psi_ahe_adder *a, size_t block, size_t g, const uint8_t *group, int64_t *m)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    const psi_rlwe_backend *ring = a->terms.ring;
    size_t row = block * N, rows = plan->rows - row < N ? (size_t)(plan->rows - row) : N;
    for (unsigned i = 0; i < 2; i++) {
        memset(m, 0, N * sizeof *m);
        for (size_t j = 0; j < rows; j++) {
            uint64_t differs = (uint64_t)group[row + j] ^ (g + 1);
            int64_t selected = (int64_t)(psi_ct_barrier(differs - 1) >> 63);
            m[(N - j) % N] = -selected;
        }
        m[0] = -m[0];
        ring->ntt(m, i);
        ring->factor(&selection_of(a, block, g)[i], m, i);
    }
}

tally_status psi_rlwe_add_prepare(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    PSI_CHECK(first + n <= plan->units);
    a->first = first;
    a->n = n;
    if (!n)
        return TALLY_OK;
    size_t block = first / plan->limbs, blocks = (first + n - 1) / plan->limbs - block + 1, kept = 0;
    if (blocks > a->capacity) {
        psi_secret_free(a->selection);
        a->capacity = 0;
        a->selection = psi_secret_calloc(blocks * plan->groups * 2, sizeof *a->selection);
        if (!a->selection)
            return TALLY_ERR_NO_MEMORY;
        a->capacity = blocks;
    } else if (first % plan->limbs != 0 && a->blocks && a->block + a->blocks - 1 == block) {
        kept = 1; /* the last call ended within this block */
    }
    int64_t *m = psi_secret_calloc(N, sizeof *m);
    if (!m)
        return TALLY_ERR_NO_MEMORY;
    for (size_t b = block + kept; b < block + blocks; b++)
        for (size_t g = 0; g < plan->groups; g++)
            select_rows(a, b, g, group, m);
    psi_secret_free(m);
    a->block = block;
    a->blocks = blocks;
    return TALLY_OK;
}

/* One unit: sums of m * a and m * b for all groups. */
static tally_status add_unit(psi_ahe_adder *a, psi_rlwe_stream *s, size_t unit, const uint8_t *in,
                             const char **why)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    const psi_rlwe_backend *ring = a->terms.ring;
    size_t limb = unit % plan->limbs, block = unit / plan->limbs;
    tally_status st = TALLY_OK;
    for (unsigned i = 0; i < 2; i++) {
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        int64_t x[PSI_RLWE_PIECE], y[PSI_RLWE_PIECE];
        st = psi_rlwe_stream_seek(s, unit, i);
        for (size_t at = 0; !st && at < N; at += PSI_RLWE_PIECE) {
            *why = "a residue of a polynomial is out of range";
            if (psi_rlwe_unpack(y, in + i * PSI_RLWE_SHARE, at, PSI_RLWE_PIECE, i))
                return TALLY_ERR_MALFORMED;
            st = psi_rlwe_stream_read(s, x, PSI_RLWE_PIECE);
            for (size_t g = 0; !st && g < plan->groups; g++) {
                const psi_rlwe_factor *m = &selection_of(a, block, g)[i];
                sums *sum = sum_of(a, g, limb);
                ring->add(sum->first[i], x, m, at, PSI_RLWE_PIECE, i);
                sum->second[i] =
                    psi_rlwe_canonical(sum->second[i] + ring->dot(y, m, at, PSI_RLWE_PIECE, i), p);
            }
        }
        if (st)
            return st;
    }
    return TALLY_OK;
}

static void reduce_limb(psi_ahe_adder *a, size_t limb)
{
    for (size_t g = 0; g < a->terms.base.plan->groups; g++)
        for (unsigned i = 0; i < 2; i++)
            a->terms.ring->reduce(sum_of(a, g, limb)->first[i], i);
    a->lazy[limb] = 0;
}

tally_status psi_rlwe_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad,
                               const char **why)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    psi_rlwe_stream s = {0};
    tally_status st = TALLY_OK;
    size_t unit = a->first / plan->limbs * plan->limbs + task;
    PSI_CHECK(task < plan->tasks);
    for (unit += unit < a->first ? plan->limbs : 0; !st && unit < a->first + a->n; unit += plan->limbs) {
        if (!s.ctx)
            st = psi_rlwe_stream_open(&s, a->terms.key16);
        if (!st && a->lazy[task] == LAZY)
            reduce_limb(a, task);
        a->lazy[task]++;
        *bad = unit;
        if (!st)
            st = add_unit(a, &s, unit, in + (unit - a->first) * PSI_RLWE_POLY, why);
    }
    psi_rlwe_stream_close(&s);
    return st;
}

tally_status psi_rlwe_merge(psi_ahe_adder *a, size_t to, size_t from)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    PSI_CHECK(to < plan->groups && from < plan->groups);
    for (size_t l = 0; l < plan->limbs; l++) {
        sums *x = sum_of(a, to, l), *y = sum_of(a, from, l);
        reduce_limb(a, l);
        for (unsigned i = 0; i < 2; i++) {
            for (size_t j = 0; j < N; j++)
                x->first[i][j] += y->first[i][j];
            x->second[i] = psi_rlwe_canonical(x->second[i] + y->second[i], &psi_rlwe_primes[i]);
        }
        a->lazy[l] = 2; /* canonical ones are below 2^53 as well */
        psi_wipe(y, sizeof *y);
    }
    a->most[to] += a->most[from];
    a->most[from] = 0;
    return TALLY_OK;
}

/* ---- What goes back ---- */

/* Secret. */
typedef struct room {
    int64_t ternary[N], error[N], u[N], first[N];
    psi_rlwe_factor factor;
    psi_prg prg;
} room;

/* One figure: the sums, a fresh encryption of zero (p1 u + e2, p0 u + e1), the noise and the mask, the flood.
 * Only the constant coefficient of the second component leaves. */
static void release(psi_ahe_adder *a, room *r, size_t group, size_t l, enum psi_ahe_show how, psi_wide noise,
                    uint8_t *out)
{
    const psi_rlwe_backend *ring = a->terms.ring;
    const psi_rlwe_limb *limb = &a->terms.limb[l];
    sums *sum = sum_of(a, group, l);
    uint64_t coins, second[2];
    psi_prg_bytes(&r->prg, &coins, sizeof coins);
    psi_wide added = psi_rlwe_limb_flood(&r->prg, limb) - (psi_wide)(PSI_RLWE_COINS / 2);
    for (unsigned b = 0; b < PSI_RLWE_COINS; b++) /* e1 */
        added += (psi_wide)(coins >> b & 1);
    added += (psi_wide)psi_rlwe_limb_plain(limb, psi_rlwe_limb_residue(limb, noise));
    if (how == PSI_AHE_MASKED) {
        sum->mask = psi_rlwe_limb_uniform(&r->prg, limb);
        added += (psi_wide)psi_rlwe_limb_plain(limb, sum->mask);
    }
    psi_rlwe_ternary(&r->prg, r->ternary);
    psi_rlwe_errors(&r->prg, r->error);
    for (unsigned i = 0; i < 2; i++) {
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        memcpy(r->u, r->ternary, sizeof r->u);
        ring->ntt(r->u, i);
        ring->factor(&r->factor, r->u, i);
        memcpy(r->first, r->error, sizeof r->first);
        ring->ntt(r->first, i);
        for (size_t j = 0; j < N; j++) /* below 2^57 + 2^60 */
            r->first[j] += sum->first[i][j];
        ring->add(r->first, a->p1[i], &r->factor, 0, N, i);
        ring->reduce(r->first, i);
        psi_rlwe_pack(out + i * PSI_RLWE_SHARE, r->first);
        int64_t points = sum->second[i]; /* of nine canonical parts */
        for (size_t at = 0; at < N; at += PSI_RLWE_PIECE)
            points += psi_rlwe_canonical(ring->dot(a->p0[i] + at, &r->factor, at, PSI_RLWE_PIECE, i), p);
        second[i] =
            (uint64_t)psi_rlwe_canonical(psi_rlwe_product(points, p->n, p) + psi_rlwe_mod(added, p), p);
    }
    psi_uwide both = second[0] | (psi_uwide)second[1] << PSI_RLWE_RESIDUE;
    for (unsigned b = 0; b < PSI_RLWE_SECOND; b++)
        out[PSI_RLWE_POLY + b] = (uint8_t)(both >> (8 * b));
    psi_wipe(&added, sizeof added);
    psi_wipe(&coins, sizeof coins);
    PSI_DECLASSIFY(out, PSI_RLWE_POLY + PSI_RLWE_SECOND); /* rerandomised and flooded */
}

tally_status psi_rlwe_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                             uint8_t *out)
{
    const psi_ahe_plan *plan = a->terms.base.plan;
    PSI_CHECK(group < plan->groups);
    psi_uwide eta = psi_rlwe_eta(a->most[group] < plan->selected ? a->most[group] : plan->selected);
    for (size_t l = 0; l < plan->limbs; l++)
        if (show[a->terms.limb[l].column] != PSI_AHE_HIDDEN)
            a->spent += eta << a->terms.limb[l].bits;
    if (a->spent > (psi_uwide)PSI_RLWE_RETURNS << PSI_RLWE_BUDGET_BITS)
        return TALLY_ERR_INTERNAL;
    room *r = psi_secret_calloc(1, sizeof *r);
    tally_status st = r ? psi_prg_init(&r->prg) : TALLY_ERR_NO_MEMORY;
    for (size_t l = 0; !st && l < plan->limbs; l++) {
        size_t c = a->terms.limb[l].column;
        if (show[c] == PSI_AHE_HIDDEN)
            continue;
        release(a, r, group, l, (enum psi_ahe_show)show[c], noise ? noise[c] : 0, out);
        out += plan->sum_bytes;
    }
    psi_secret_free(r);
    return st;
}

tally_status psi_rlwe_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                             const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum)
{
    const psi_ahe_place *place = &a->terms.base.plan->place[c];
    uint64_t residue[PSI_RLWE_LIMBS];
    for (size_t b = 8 * place->limbs; b < PSI_AHE_PLAIN; b++)
        if (plain[b])
            return TALLY_ERR_MALFORMED;
    for (uint32_t l = 0; l < place->limbs; l++) {
        const psi_rlwe_limb *limb = &a->terms.limb[place->first + l];
        residue[l] = psi_rlwe_figure(plain, l);
        if (residue[l] >= limb->p)
            return TALLY_ERR_MALFORMED;
        residue[l] += limb->p - sum_of(a, group, place->first + l)->mask;
        residue[l] = psi_rlwe_limb_residue(limb, (psi_wide)residue[l]);
    }
    uint64_t fits = psi_rlwe_sum(&a->terms, c, residue, sum);
    PSI_DECLASSIFY(&fits, sizeof fits); /* never fails for a peer that follows the protocol */
    psi_wipe(residue, sizeof residue);
    return fits ? TALLY_OK : TALLY_ERR_MALFORMED;
}
