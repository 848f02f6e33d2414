/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/paillier.h"

#include "psi/ct.h"
#include "psi/verify.h"
#include <string.h>

unsigned psi_paillier_guard(const psi_ahe_plan *plan)
{
    /* A mask of `guard` bits above the value is within 1 / (2^guard - 1) of hiding it. At most two masks for
       each column and group: 2 columns groups / (2^guard - 1) <= 2^-40 with 41 + log2(columns groups) + 2^-40
       to spare, rounded up. */
    unsigned bits = 0;
    while (((size_t)1 << bits) < plan->columns * plan->groups)
        bits++;
    return 41 + bits;
}

/* Bits of a signed number in the bounds of column c's sum: -2^(b - 1) <= low, high < 2^(b - 1); 1..128. */
static unsigned value_bits(const psi_ahe_plan *plan, size_t c)
{
    psi_wide low, high;
    psi_ahe_bounds(plan, c, &low, &high);                      /* |.| < 2^127 */
    psi_uwide most = (psi_uwide)high, least = ~(psi_uwide)low; /* -low - 1, or all ones if low is 0 */
    unsigned bits = 1;
    while (most >> (bits - 1) || (low < 0 && least >> (bits - 1)))
        bits++;
    return bits;
}

static tally_status plan_init(psi_ahe_plan *plan, const char **why)
{
    unsigned guard = psi_paillier_guard(plan), used = 0;
    uint32_t limb = 0;
    for (size_t c = 0; c < plan->columns; c++) {
        unsigned width = value_bits(plan, c) + guard; /* <= 128 + 55: every column fits an empty plaintext */
        if (used + width > PSI_PAILLIER_ROOM) {
            limb++;
            used = 0;
        }
        plan->place[c] = (psi_ahe_place){.first = limb, .shift = used, .width = width};
        used += width;
    }
    plan->limbs = limb + 1;
    plan->key_bytes = PSI_PAILLIER_KEY_BYTES;
    plan->unit_bytes = plan->sum_bytes = PSI_PAILLIER_UNIT;
    plan->units = (size_t)plan->rows * plan->limbs;
    plan->chunk = 16 * (size_t)plan->limbs;
    plan->tasks = PSI_PAILLIER_LANES;
    *why = NULL;
    return TALLY_OK;
}

unsigned psi_paillier_used(const psi_ahe_plan *plan, size_t limb)
{
    unsigned used = 0;
    for (size_t c = 0; c < plan->columns; c++)
        if (plan->place[c].first == limb)
            used = plan->place[c].shift + plan->place[c].width;
    return used;
}

int psi_paillier_shown(const psi_ahe_plan *plan, const uint8_t *show, size_t limb)
{
    for (size_t c = 0; c < plan->columns; c++)
        if (plan->place[c].first == limb && show[c] != PSI_AHE_HIDDEN)
            return 1;
    return 0;
}

static size_t sum_units(const psi_ahe_plan *plan, const uint8_t *show)
{
    size_t n = 0;
    for (size_t limb = 0; limb < plan->limbs; limb++)
        n += (size_t)psi_paillier_shown(plan, show, limb);
    return n;
}

/* ---- Numbers ---- */

void psi_paillier_add_at(mp_limb_t *x, size_t n, const mp_limb_t *v, size_t words, mp_limb_t sign,
                         unsigned shift)
{
    const size_t skip = shift / 64;
    const unsigned s = shift % 64;
    mp_limb_t before = 0, carry = 0;
    for (size_t i = skip; i < n; i++) {
        mp_limb_t word = i - skip < words ? v[i - skip] : sign;
        psi_uwide sum = (psi_uwide)x[i] + (s ? word << s | before >> (64 - s) : word) + carry;
        x[i] = (mp_limb_t)sum;
        carry = (mp_limb_t)(sum >> 64);
        before = word;
    }
}

void psi_paillier_place(mp_limb_t *x, size_t n, psi_wide v, unsigned shift)
{
    const mp_limb_t words[2] = {(mp_limb_t)v, (mp_limb_t)((psi_uwide)v >> 64)};
    psi_paillier_add_at(x, n, words, 2, 0 - (words[1] >> 63), shift);
}

void psi_paillier_figure_read(mp_limb_t *x, const uint8_t plain[PSI_AHE_PLAIN])
{
    memset(x, 0, PSI_AHE_PLAIN);
    for (size_t i = 0; i < PSI_AHE_PLAIN; i++)
        x[i / 8] |= (mp_limb_t)plain[i] << (8 * (i % 8));
}

void psi_paillier_figure_write(uint8_t plain[PSI_AHE_PLAIN], const mp_limb_t *x)
{
    for (size_t i = 0; i < PSI_AHE_PLAIN; i++)
        plain[i] = (uint8_t)(x[i / 8] >> (8 * (i % 8)));
}

static void plain_add(const psi_ahe_plan *plan, size_t c, uint8_t plain[PSI_AHE_PLAIN], psi_wide noise)
{
    mp_limb_t x[PSI_PAILLIER_FIGURE];
    (void)plan, (void)c;
    psi_paillier_figure_read(x, plain);
    psi_paillier_place(x, PSI_PAILLIER_FIGURE, noise, 0);
    psi_paillier_figure_write(plain, x);
}

const psi_ahe_ops psi_ahe_paillier = {.plan = plan_init,
                                      .sum_units = sum_units,
                                      .key_new = psi_paillier_key_new,
                                      .key_free = psi_paillier_key_free,
                                      .key_message = psi_paillier_key_message,
                                      .encrypt = psi_paillier_encrypt,
                                      .decrypt = psi_paillier_decrypt,
                                      .plain_add = plain_add,
                                      .adder_new = psi_paillier_adder_new,
                                      .adder_free = psi_paillier_adder_free,
                                      .add_prepare = psi_paillier_add_prepare,
                                      .add_task = psi_paillier_add_task,
                                      .merge = psi_paillier_merge,
                                      .finish = psi_paillier_finish,
                                      .unmask = psi_paillier_unmask};
