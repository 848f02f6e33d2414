/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limbs of packed RLWE (docs/protocol-rlwe.md, section 3): a column's sum lies in [low, high] and is carried
 * as residues modulo one to three coprime numbers whose product is just large enough, each in a ciphertext of
 * its own. Takes integers and gives plaintexts modulo q and back. Called by psi/rlwe. Constant time but for
 * psi_rlwe_limb_bits and psi_rlwe_limb_init, which see public numbers only.
 */
#ifndef PSI_RLWE_LIMB_H
#define PSI_RLWE_LIMB_H

#include "psi/rlwe_ring.h"

#define PSI_RLWE_BITS 46u /* of a plaintext modulus, at most */
#define PSI_RLWE_LIMBS 3u /* of a column, at most: 46 + 46 + 45 bits hold any psi_wide */
/* Flooding noise is uniform in [-B, B), B = 2^(104 - bits): Delta / 2 = q / 2^(bits + 1) > 1.93 B. */
#define PSI_RLWE_FLOOD 104u

/* Plaintext modulus p of a limb: index 0: 2^bits; others: 2^bits - 1, with bits of index 2 one less than of
 * index 1. Two numbers 2^a - 1, 2^b - 1 are coprime if a and b are. */
typedef struct psi_rlwe_limb {
    size_t column; /* of the plan; no matter here */
    unsigned index, bits;
    uint64_t p;
    psi_uwide delta;      /* floor(q / p) */
    int64_t residue[2];   /* of delta, modulo each prime */
    uint64_t remainder64; /* floor((q mod p) * 2^64 / p) */
    uint64_t reciprocal;  /* floor(p * 2^(169 - bits) / q) < 2^64 */
} psi_rlwe_limb;

/* The fewest limbs, then the least moduli, whose product exceeds span = high - low. Returns their number. */
unsigned psi_rlwe_limb_bits(uint32_t bits[PSI_RLWE_LIMBS], psi_uwide span);
void psi_rlwe_limb_init(psi_rlwe_limb *limb, unsigned index, unsigned bits);

/* x mod p in [0, p), |x| < 2^126.5. */
uint64_t psi_rlwe_limb_residue(const psi_rlwe_limb *limb, psi_wide x);
/* q * m / p, rounded down up to 1: what a plaintext m in [0, p] stands for. Below 2^106. */
psi_uwide psi_rlwe_limb_plain(const psi_rlwe_limb *limb, uint64_t m);
/*
 * 4096 plaintexts of values, each as delta * digit + rest: digit the residue in [0, p), rest below 2^46 and
 * rounded up or down at random so that it is right on average. coins: two uniform bytes for each value.
 */
void psi_rlwe_limb_digits(const psi_rlwe_limb *limb, const psi_wide value[PSI_RLWE_N],
                          const uint8_t coins[2 * PSI_RLWE_N], int64_t digit[PSI_RLWE_N],
                          int64_t rest[PSI_RLWE_N]);
/* Uniform in [0, p) up to 2^-82. */
uint64_t psi_rlwe_limb_uniform(psi_prg *prg, const psi_rlwe_limb *limb);
/* Uniform in [-B, B). */
psi_wide psi_rlwe_limb_flood(psi_prg *prg, const psi_rlwe_limb *limb);
/* From y in [0, q): the m in [0, p) whose plaintext is next to y, and the signed rest. */
uint64_t psi_rlwe_limb_open(const psi_rlwe_limb *limb, psi_uwide y, psi_wide *noise);
/* The number in [low, low + span] with these residues modulo limbs[0..n). Returns all ones, or 0 if there is
 * none. */
uint64_t psi_rlwe_limb_join(psi_wide *x, const psi_rlwe_limb *limbs, unsigned n, const uint64_t *residues,
                            psi_wide low, psi_uwide span);

#endif
