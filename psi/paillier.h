/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paillier-3072 behind psi/ahe.h (docs/protocol-paillier.md): how columns lie in a plaintext, and the
 * functions of both sides. psi/paillier.c has the plan, psi/paillier_owner.c and psi/paillier_adder.c one
 * side each.
 *
 * A row is `limbs` ciphertexts; each holds the integer sum of v 2^shift over its columns, v signed. A slot
 * has `value` bits for a sum with its noise, signed, and guard bits above them, which only masks use.
 */
#ifndef PSI_PAILLIER_H
#define PSI_PAILLIER_H

#include "psi/ahe_schemes.h"
#include "psi/paillier_key.h"

/* Bits of a plaintext that slots may take: |sum of v 2^shift| < 2^3070 < N / 2, as N > 2^3071. */
#define PSI_PAILLIER_ROOM (PSI_PAILLIER_BITS - 2)

#define PSI_PAILLIER_LANES 16u /* tasks of psi_ahe_add_task: row r belongs to task r mod 16 */

/* Bits above a slot's value: 2^-40 is left of all masks of a session (docs/protocol-paillier.md). */
unsigned psi_paillier_guard(const psi_ahe_plan *plan);
/* Bits of a plaintext that the slots of a row's ciphertext `limb` take. */
unsigned psi_paillier_used(const psi_ahe_plan *plan, size_t limb);
/* Whether a row's ciphertext `limb` holds a column shown. Public. */
int psi_paillier_shown(const psi_ahe_plan *plan, const uint8_t *show, size_t limb);
/* x += v 2^shift for n limbs in two's complement; v of `words` limbs, and `sign` (0 or all ones) above them.
 * Constant time in x and v. */
void psi_paillier_add_at(mp_limb_t *x, size_t n, const mp_limb_t *v, size_t words, mp_limb_t sign,
                         unsigned shift);
void psi_paillier_place(mp_limb_t *x, size_t n, psi_wide v, unsigned shift);

/* A figure as it goes back: PSI_AHE_PLAIN bytes, little-endian, two's complement. */
enum { PSI_PAILLIER_FIGURE = PSI_AHE_PLAIN / 8 };
void psi_paillier_figure_read(mp_limb_t *x, const uint8_t plain[PSI_AHE_PLAIN]);
void psi_paillier_figure_write(uint8_t plain[PSI_AHE_PLAIN], const mp_limb_t *x);

tally_status psi_paillier_key_new(psi_ahe_key **out, const psi_ahe_plan *plan, const psi_sid *sid);
void psi_paillier_key_free(psi_ahe_key *key);
tally_status psi_paillier_key_message(const psi_ahe_key *key, uint8_t *out);
tally_status psi_paillier_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                                  void *user, uint8_t *out);
tally_status psi_paillier_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                                  uint8_t (*plain)[PSI_AHE_PLAIN], const char **why);
tally_status psi_paillier_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                                    const uint8_t *key_message, const char **why);
void psi_paillier_adder_free(psi_ahe_adder *a);
tally_status psi_paillier_add_prepare(psi_ahe_adder *a, size_t first, size_t n, const uint8_t *group);
tally_status psi_paillier_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad,
                                   const char **why);
tally_status psi_paillier_merge(psi_ahe_adder *a, size_t to, size_t from);
tally_status psi_paillier_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                                 uint8_t *out);
tally_status psi_paillier_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                                 const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum);

#endif
