/* SPDX-License-Identifier: Apache-2.0 */
/* What both schemes share: checks of a plan, bounds, open figures; the rest goes to the scheme's table. */
#include "psi/ahe_schemes.h"
#include "psi/verify.h"

#include <string.h>

#define BITS(n) ((psi_wide)1 << (n))

static const psi_ahe_ops *ops_of(const void *handle)
{
    return ((const psi_ahe_base *)handle)->ops;
}

static const psi_ahe_ops *scheme(const psi_ahe_plan *plan)
{
    return plan->scheme == PSI_AHE_RLWE ? &psi_ahe_rlwe : &psi_ahe_paillier;
}

void psi_ahe_bounds(const psi_ahe_plan *plan, size_t c, psi_wide *low, psi_wide *high)
{
    /* |min|, |max| < 2^96, selected <= 2^30, noise <= 2^120: below 2^127. */
    const psi_ahe_column *column = &plan->column[c];
    psi_wide n = (psi_wide)plan->selected;
    *low = (column->min < 0 ? n * column->min : 0) - column->noise;
    *high = (column->max > 0 ? n * column->max : 0) + column->noise;
}

tally_status psi_ahe_plan_init(psi_ahe_plan *plan, const char **why)
{
    *why = "the scheme is not known";
    if (plan->scheme != PSI_AHE_RLWE && plan->scheme != PSI_AHE_PAILLIER)
        return TALLY_ERR_USAGE;
    *why = "too many columns";
    if (plan->columns < 1 || plan->columns > PSI_AHE_COLUMNS_MAX)
        return TALLY_ERR_USAGE;
    *why = "too many groups";
    if (plan->groups < 1 || plan->groups > PSI_AHE_GROUPS_MAX)
        return TALLY_ERR_USAGE;
    *why = "too many rows";
    if (plan->rows > BITS(31) || plan->selected > BITS(30))
        return TALLY_ERR_USAGE;
    *why = "a column's range or noise is too wide";
    for (size_t c = 0; c < plan->columns; c++) {
        const psi_ahe_column *column = &plan->column[c];
        if (column->min > column->max || column->min <= -BITS(PSI_AHE_BITS_MAX) ||
            column->max >= BITS(PSI_AHE_BITS_MAX) || column->noise < 0 || column->noise > BITS(120))
            return TALLY_ERR_USAGE;
    }
    return scheme(plan)->plan(plan, why);
}

size_t psi_ahe_sum_units(const psi_ahe_plan *plan, const uint8_t *show)
{
    return scheme(plan)->sum_units(plan, show);
}

psi_wide psi_ahe_open(const uint8_t plain[PSI_AHE_PLAIN])
{
    psi_uwide v = 0;
    for (unsigned i = 16; i-- > 0;)
        v = v << 8 | plain[i];
    return (psi_wide)v;
}

tally_status psi_ahe_open_checked(const psi_ahe_plan *plan, size_t c, const uint8_t plain[PSI_AHE_PLAIN],
                                  psi_wide *sum)
{
    psi_wide low, high, v = psi_ahe_open(plain);
    uint8_t rest = 0;
    for (unsigned i = 16; i < PSI_AHE_PLAIN; i++)
        rest |= plain[i];
    psi_ahe_bounds(plan, c, &low, &high);
    if (rest || v < low || v > high)
        return TALLY_ERR_MALFORMED;
    *sum = v;
    return TALLY_OK;
}

void psi_ahe_set_open(uint8_t plain[PSI_AHE_PLAIN], psi_wide sum)
{
    psi_uwide v = (psi_uwide)sum;
    memset(plain, 0, PSI_AHE_PLAIN);
    for (unsigned i = 0; i < 16; i++, v >>= 8)
        plain[i] = (uint8_t)v;
}

void psi_ahe_plain_add(const psi_ahe_plan *plan, size_t c, uint8_t plain[PSI_AHE_PLAIN], psi_wide noise)
{
    scheme(plan)->plain_add(plan, c, plain, noise);
}

/* ---- The owner ---- */

tally_status psi_ahe_key_new(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid)
{
    return scheme(plan)->key_new(out, plan, sid);
}

void psi_ahe_key_free(psi_ahe_key *key)
{
    if (key)
        ops_of(key)->key_free(key);
}

tally_status psi_ahe_key_message(const psi_ahe_key *key, uint8_t *out)
{
    return ops_of(key)->key_message(key, out);
}

tally_status psi_ahe_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                             void *user, uint8_t *out)
{
    return ops_of(key)->encrypt(key, first, n, gather, user, out);
}

tally_status psi_ahe_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                             uint8_t (*plain)[PSI_AHE_PLAIN], const char **why)
{
    return ops_of(key)->decrypt(key, show, in, plain, why);
}

/* ---- The computing side ---- */

tally_status psi_ahe_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                               const uint8_t *key_message, const char **why)
{
    return scheme(plan)->adder_new(out, plan, sid, key_message, why);
}

void psi_ahe_adder_free(psi_ahe_adder *a)
{
    if (a)
        ops_of(a)->adder_free(a);
}

tally_status psi_ahe_add_prepare(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group)
{
    return ops_of(a)->add_prepare(a, first, n, group);
}

tally_status psi_ahe_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad, const char **why)
{
    return ops_of(a)->add_task(a, task, in, bad, why);
}

tally_status psi_ahe_merge(psi_ahe_adder *a, size_t to, size_t from)
{
    PSI_CHECK(to != from);
    return ops_of(a)->merge(a, to, from);
}

tally_status psi_ahe_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                            uint8_t *out)
{
    return ops_of(a)->finish(a, group, show, noise, out);
}

tally_status psi_ahe_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                            const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum)
{
    return ops_of(a)->unmask(a, group, c, plain, sum);
}
