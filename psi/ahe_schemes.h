/* SPDX-License-Identifier: Apache-2.0 */
/* The table that each scheme fills and psi/ahe.c dispatches to; functions as in psi/ahe.h, each handle
 * starting with a psi_ahe_base. Not for others. */
#ifndef PSI_AHE_SCHEMES_H
#define PSI_AHE_SCHEMES_H

#include "psi/ahe.h"

typedef struct psi_ahe_ops {
    tally_status (*plan)(psi_ahe_plan *plan, const char **why);
    size_t (*sum_units)(const psi_ahe_plan *plan, const uint8_t *show);
    tally_status (*key_new)(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid);
    void (*key_free)(psi_ahe_key *key);
    tally_status (*key_message)(const psi_ahe_key *key, uint8_t *out);
    tally_status (*encrypt)(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather, void *user,
                            uint8_t *out);
    tally_status (*decrypt)(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                            uint8_t (*plain)[PSI_AHE_PLAIN], const char **why);
    void (*plain_add)(const psi_ahe_plan *plan, size_t c, uint8_t plain[PSI_AHE_PLAIN], psi_wide noise);
    tally_status (*adder_new)(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                              const uint8_t *key_message, const char **why);
    void (*adder_free)(psi_ahe_adder *a);
    tally_status (*add_prepare)(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group);
    tally_status (*add_task)(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad, const char **why);
    tally_status (*merge)(psi_ahe_adder *a, size_t to, size_t from);
    tally_status (*finish)(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                           uint8_t *out);
    tally_status (*unmask)(const psi_ahe_adder *a, size_t group, size_t c, const uint8_t plain[PSI_AHE_PLAIN],
                           psi_wide *sum);
} psi_ahe_ops;

/* What both handles of a scheme begin with, so that psi/ahe.c finds the table. */
typedef struct psi_ahe_base {
    const psi_ahe_ops *ops;
    const psi_ahe_plan *plan;
} psi_ahe_base;

extern const psi_ahe_ops psi_ahe_rlwe, psi_ahe_paillier;

/* selected * [min, max] and the noise of column c: bounds of a sum. */
void psi_ahe_bounds(const psi_ahe_plan *plan, size_t c, psi_wide *low, psi_wide *high);

#endif
