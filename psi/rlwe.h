/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of packed RLWE share: psi/rlwe.c, psi/rlwe_owner.c, psi/rlwe_adder.c. Not for others. */
#ifndef PSI_RLWE_H
#define PSI_RLWE_H

#include "psi/ahe_schemes.h"
#include "psi/rlwe_limb.h"

#define PSI_RLWE_SECOND 14u      /* bytes of the constant coefficient: 106 bits and 6 zero bits */
#define PSI_RLWE_P1 UINT64_MAX   /* number of p1 in the stream; units have theirs */
#define PSI_RLWE_BUDGET_BITS 65u /* the sum of eta * 2^bits over all figures, at most: see psi/rlwe.c */
#define PSI_RLWE_RETURNS 5u      /* of each figure, at most: what the adder gives is counted */

/* Both handles start with it. Public. */
typedef struct psi_rlwe_terms {
    psi_ahe_base base;
    const psi_rlwe_backend *ring;
    psi_rlwe_limb *limb; /* plan->limbs */
    uint8_t key16[16];   /* of the public polynomials */
} psi_rlwe_terms;

/* TALLY_ERR_NO_MEMORY, TALLY_ERR_INTERNAL; psi_rlwe_terms_free in every case. */
tally_status psi_rlwe_terms_init(psi_rlwe_terms *t, const psi_ahe_plan *plan,
                                 const psi_sid *sid) TALLY_MUST_CHECK;
void psi_rlwe_terms_free(psi_rlwe_terms *t);
/* p1 modulo one prime, canonical. */
tally_status psi_rlwe_p1(const psi_rlwe_terms *t, unsigned prime, int64_t out[PSI_RLWE_N]) TALLY_MUST_CHECK;
/* Of the error in what is opened, but for the flood: 6.5 standard deviations of the errors of n rows and 2^11
 * for the encryption of zero, rounded up. */
uint64_t psi_rlwe_eta(uint64_t n);

/* Column c's sum from its residues: psi_rlwe_limb_join with the plan's bounds. */
uint64_t psi_rlwe_sum(const psi_rlwe_terms *t, size_t c, const uint64_t *residues, psi_wide *sum);
/* Residue l of a masked figure. */
uint64_t psi_rlwe_figure(const uint8_t plain[PSI_AHE_PLAIN], unsigned l);
void psi_rlwe_set_figure(uint8_t plain[PSI_AHE_PLAIN], unsigned l, uint64_t residue);

/* The owner: psi/rlwe_owner.c. The adder: psi/rlwe_adder.c. */
tally_status psi_rlwe_key_new(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid);
void psi_rlwe_key_free(psi_ahe_key *key);
tally_status psi_rlwe_key_message(const psi_ahe_key *key, uint8_t *out);
tally_status psi_rlwe_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                              void *user, uint8_t *out);
tally_status psi_rlwe_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                              uint8_t (*plain)[PSI_AHE_PLAIN], const char **why);
tally_status psi_rlwe_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                                const uint8_t *key_message, const char **why);
void psi_rlwe_adder_free(psi_ahe_adder *a);
tally_status psi_rlwe_add_prepare(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group);
tally_status psi_rlwe_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad,
                               const char **why);
tally_status psi_rlwe_merge(psi_ahe_adder *a, size_t to, size_t from);
tally_status psi_rlwe_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                             uint8_t *out);
tally_status psi_rlwe_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                             const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum);

#endif
