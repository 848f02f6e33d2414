/* SPDX-License-Identifier: Apache-2.0 */
/* Packed RLWE: the plan, and what both sides share. */
#include "psi/rlwe.h"

#include "psi/mem.h"

#include <string.h>

#define CHUNK 4u /* units: 217 kB and about half a millisecond of encryption */

_Static_assert(PSI_RLWE_LIMBS <= PSI_AHE_LIMBS_MAX && 8 * PSI_RLWE_LIMBS <= PSI_AHE_PLAIN, "limbs");

uint64_t psi_rlwe_eta(uint64_t n)
{
    /*
     * 6.5^2 * 42 / 4 = 443.625 = 7098 / 16. More than five times the mean size of all there is, which is at
     * most sqrt(10.75 n + 57355) + n / 2^16 + 3: variance 42 / 4 and 1 / 4 of a rounding for each row,
     * 2 * 4096 * 42 / 4 * 2 / 3 + 42 / 4 for the zero; bias of the roundings; roundings of noise and mask.
     * 5 sqrt(10.75 n) + 5 n / 2^16 <= 6.5 sqrt(10.5 n) for n <= 2^30, and 5 sqrt(57355) + 15 < 2048.
     */
    uint64_t square = (7098 * n + 15) / 16, root = 0;
    for (uint64_t bit = (uint64_t)1 << 20; bit; bit /= 2)
        root += (root + bit) * (root + bit) <= square ? bit : 0;
    return root + (root * root < square) + 2048;
}

/*
 * A figure's flood is uniform in 2 B = 2^(105 - bits) numbers and moved by an error x: distance E|x| / 2B,
 * and E|x| <= eta / 5. The sum of eta * 2^bits is at most 2^65, so five returns of every figure of every
 * group are within 5 * 2^65 / 5 / 2^105 = 2^-40.
 */
static tally_status plan_rlwe(psi_ahe_plan *plan, const char **why)
{
    psi_uwide eta = 0, bits = 0;
    uint32_t limbs = 0;
    for (size_t c = 0; c < plan->columns; c++) {
        psi_ahe_place *place = &plan->place[c];
        psi_wide low, high;
        psi_ahe_bounds(plan, c, &low, &high);
        *place = (psi_ahe_place){.first = limbs};
        place->limbs = psi_rlwe_limb_bits(place->bits, (psi_uwide)high - (psi_uwide)low);
        limbs += place->limbs;
        for (uint32_t l = 0; l < place->limbs; l++)
            bits += (psi_uwide)1 << place->bits[l];
    }
    for (size_t g = 0; g < plan->groups; g++)
        eta += psi_rlwe_eta(plan->group_max[g] < plan->selected ? plan->group_max[g] : plan->selected);
    *why = "too many figures for lists of this size: the flooding noise would not hide what was selected";
    if (eta * bits > (psi_uwide)1 << PSI_RLWE_BUDGET_BITS) /* below 2^26 * 2^56 */
        return TALLY_ERR_USAGE;
    plan->limbs = limbs;
    plan->key_bytes = PSI_RLWE_POLY;
    plan->unit_bytes = PSI_RLWE_POLY;
    plan->units = (size_t)((plan->rows + PSI_RLWE_N - 1) / PSI_RLWE_N) * limbs;
    plan->chunk = CHUNK;
    plan->sum_bytes = PSI_RLWE_POLY + PSI_RLWE_SECOND;
    plan->tasks = limbs;
    return TALLY_OK;
}

static size_t sum_units(const psi_ahe_plan *plan, const uint8_t *show)
{
    size_t units = 0;
    for (size_t c = 0; c < plan->columns; c++)
        units += show[c] == PSI_AHE_HIDDEN ? 0 : plan->place[c].limbs;
    return units;
}

tally_status psi_rlwe_terms_init(psi_rlwe_terms *t, const psi_ahe_plan *plan, const psi_sid *sid)
{
    uint8_t key32[32];
    *t = (psi_rlwe_terms){.base = {&psi_ahe_rlwe, plan}, .ring = psi_rlwe_ring()};
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    t->limb = st ? NULL : psi_calloc(plan->limbs, sizeof *t->limb);
    if (!t->limb)
        st = TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_hash_start(h, PSI_TAG_RLWE_SEED);
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_end(h, key32);
    if (!st)
        memcpy(t->key16, key32, sizeof t->key16);
    for (size_t c = 0; !st && c < plan->columns; c++)
        for (uint32_t l = 0; l < plan->place[c].limbs; l++) {
            psi_rlwe_limb *limb = &t->limb[plan->place[c].first + l];
            psi_rlwe_limb_init(limb, l, plan->place[c].bits[l]);
            limb->column = c;
        }
    psi_hash_free(h);
    return st;
}

void psi_rlwe_terms_free(psi_rlwe_terms *t)
{
    psi_free(t->limb);
    t->limb = NULL;
}

tally_status psi_rlwe_p1(const psi_rlwe_terms *t, unsigned prime, int64_t out[PSI_RLWE_N])
{
    psi_rlwe_stream s;
    tally_status st = psi_rlwe_stream_open(&s, t->key16);
    if (!st)
        st = psi_rlwe_stream_seek(&s, PSI_RLWE_P1, prime);
    for (size_t at = 0; !st && at < PSI_RLWE_N; at += PSI_RLWE_PIECE)
        st = psi_rlwe_stream_read(&s, out + at, PSI_RLWE_PIECE);
    psi_rlwe_stream_close(&s);
    return st;
}

uint64_t psi_rlwe_sum(const psi_rlwe_terms *t, size_t c, const uint64_t *residues, psi_wide *sum)
{
    const psi_ahe_place *place = &t->base.plan->place[c];
    psi_wide low, high;
    psi_ahe_bounds(t->base.plan, c, &low, &high);
    return psi_rlwe_limb_join(sum, t->limb + place->first, place->limbs, residues, low,
                              (psi_uwide)high - (psi_uwide)low);
}

uint64_t psi_rlwe_figure(const uint8_t plain[PSI_AHE_PLAIN], unsigned l)
{
    uint64_t v = 0;
    for (unsigned b = 8; b-- > 0;)
        v = v << 8 | plain[8 * l + b];
    return v;
}

void psi_rlwe_set_figure(uint8_t plain[PSI_AHE_PLAIN], unsigned l, uint64_t residue)
{
    for (unsigned b = 0; b < 8; b++)
        plain[8 * l + b] = (uint8_t)(residue >> (8 * b));
}

static void plain_add(const psi_ahe_plan *plan, size_t c, uint8_t plain[PSI_AHE_PLAIN], psi_wide noise)
{
    for (uint32_t l = 0; l < plan->place[c].limbs; l++) {
        psi_rlwe_limb limb;
        psi_rlwe_limb_init(&limb, l, plan->place[c].bits[l]);
        uint64_t sum = psi_rlwe_figure(plain, l) + psi_rlwe_limb_residue(&limb, noise);
        psi_rlwe_set_figure(plain, l, psi_rlwe_limb_residue(&limb, (psi_wide)sum));
    }
}

const psi_ahe_ops psi_ahe_rlwe = {.plan = plan_rlwe,
                                  .sum_units = sum_units,
                                  .key_new = psi_rlwe_key_new,
                                  .key_free = psi_rlwe_key_free,
                                  .key_message = psi_rlwe_key_message,
                                  .encrypt = psi_rlwe_encrypt,
                                  .decrypt = psi_rlwe_decrypt,
                                  .plain_add = plain_add,
                                  .adder_new = psi_rlwe_adder_new,
                                  .adder_free = psi_rlwe_adder_free,
                                  .add_prepare = psi_rlwe_add_prepare,
                                  .add_task = psi_rlwe_add_task,
                                  .merge = psi_rlwe_merge,
                                  .finish = psi_rlwe_finish,
                                  .unmask = psi_rlwe_unmask};
