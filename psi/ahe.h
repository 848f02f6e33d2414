/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Additively homomorphic aggregation, one contract for two schemes (docs/protocol-sum.md): the owner encrypts
 * the integer columns of its rows in the order sent; the computing side adds up the rows it selects, group by
 * group; the owner decrypts what comes back. Takes integers and selections, gives bytes and sums. Called by
 * party/other and party/computing.
 *
 *   owner      key_new, key_message                              -> computing side: adder_new validates it
 *   owner      encrypt: units of plan->unit_bytes, in order      -> computing side: add
 *   computing  finish: rerandomised sums, some open, some masked -> owner: decrypt
 *   owner      plain figures, where the computing side learns    -> computing side: psi_ahe_adder unmask
 *
 * Schemes: packed RLWE masked inner products (psi/rlwe.c, docs/protocol-rlwe.md) and Paillier-3072
 * (psi/paillier.c, docs/protocol-paillier.md). Semi-honest. Row values, keys, selections and masks are
 * secret; time depends on the plan only, except where a comment says otherwise.
 */
#ifndef PSI_AHE_H
#define PSI_AHE_H

#include "psi/item.h"
#include "psi/wide.h"
#include <stddef.h>

#define PSI_AHE_COLUMNS_MAX 256u /* integer columns of a row */
#define PSI_AHE_GROUPS_MAX 33u   /* selections of the computing side */
#define PSI_AHE_LIMBS_MAX 3u     /* RLWE: residues of a column */
#define PSI_AHE_PLAIN 64u        /* bytes of a decrypted figure as it goes back, masked or open */
#define PSI_AHE_BITS_MAX 96u     /* |value of a row| < 2^96 */

enum psi_ahe_scheme { PSI_AHE_RLWE = 1, PSI_AHE_PAILLIER = 2 };

/* One integer of each row. */
typedef struct psi_ahe_column {
    psi_wide min, max; /* of a row, min <= max, |.| < 2^PSI_AHE_BITS_MAX */
    psi_wide noise;    /* bound of what psi_ahe_noise adds to its sum in all, 0..2^120 */
} psi_ahe_column;

/* Where a column lies in the scheme's plaintexts. */
typedef struct psi_ahe_place {
    uint32_t first;                   /* RLWE: its first limb; Paillier: its ciphertext within a row */
    uint32_t limbs;                   /* RLWE */
    uint32_t bits[PSI_AHE_LIMBS_MAX]; /* RLWE: of each limb's plaintext modulus (psi/rlwe_limb.h) */
    uint32_t shift, width;            /* Paillier: its slot */
} psi_ahe_place;

/* What is added up. Both sides compute the same from the terms and the sizes of the lists. */
typedef struct psi_ahe_plan {
    /* given */
    enum psi_ahe_scheme scheme;
    size_t columns, groups;
    psi_ahe_column column[PSI_AHE_COLUMNS_MAX];
    uint64_t rows;                          /* rows that the owner encrypts, dummies included */
    uint64_t selected;                      /* most rows selected in all groups together */
    uint64_t group_max[PSI_AHE_GROUPS_MAX]; /* most rows selected in each group */
    /* derived by psi_ahe_plan_init */
    psi_ahe_place place[PSI_AHE_COLUMNS_MAX];
    uint32_t limbs;    /* RLWE: in all; Paillier: ciphertexts for a row */
    size_t key_bytes;  /* of key_message */
    size_t unit_bytes; /* of one unit of the encrypted rows */
    size_t units; /* RLWE: ceil(rows / 4096) * limbs, limb by limb within a block; Paillier: rows * limbs */
    size_t chunk; /* units that one call of encrypt takes at a time, for balance; divides nothing */
    size_t sum_bytes; /* of one returned unit */
    size_t tasks;     /* parallel parts of add */
} psi_ahe_plan;

/*
 * Checks the bounds and fills the derived fields. *why: a fixed phrase. TALLY_ERR_USAGE: more columns, groups
 * or rows than the scheme holds, a plaintext that could wrap, or a noise budget that does not suffice.
 */
tally_status psi_ahe_plan_init(psi_ahe_plan *plan, const char **why) TALLY_MUST_CHECK;

/* What becomes of a column when the sums of a group are returned. */
enum psi_ahe_show {
    PSI_AHE_HIDDEN = 0, /* the owner learns nothing of it */
    PSI_AHE_OPEN = 1,   /* the owner learns the sum, and nothing of larger plaintexts it may have made */
    PSI_AHE_MASKED = 2  /* the owner decrypts the sum plus a uniform mask that the computing side keeps */
};

/* Returned units of a group: RLWE: limbs of the columns shown; Paillier: ciphertexts that hold a column
 * shown. */
size_t psi_ahe_sum_units(const psi_ahe_plan *plan, const uint8_t *show);

/* Integers of column c of n rows from `first` (as sent; rows at or beyond plan->rows are never asked for)
 * into out. Called from any thread. */
typedef void (*psi_ahe_gather)(void *user, size_t first, size_t n, size_t c, psi_wide *out);

/* ---- The owner of the values ---- */

typedef struct psi_ahe_key psi_ahe_key;

/* A fresh key for this session. plan is borrowed. TALLY_ERR_RANDOM, TALLY_ERR_NO_MEMORY. */
tally_status psi_ahe_key_new(psi_ahe_key **out, const psi_ahe_plan *plan,
                             const psi_sid *sid) TALLY_MUST_CHECK;
void psi_ahe_key_free(psi_ahe_key *key); /* wipes */
/* The public key with its proof: plan->key_bytes at out. */
tally_status psi_ahe_key_message(const psi_ahe_key *key, uint8_t *out) TALLY_MUST_CHECK;
/* Units [first, first + n) of the encrypted rows, plan->unit_bytes each. Any thread; calls for different
 * units may run at once. */
tally_status psi_ahe_encrypt(const psi_ahe_key *key, size_t first, size_t n, psi_ahe_gather gather,
                             void *user, uint8_t *out) TALLY_MUST_CHECK;
/*
 * The figures of a group from the psi_ahe_sum_units units at in: for each column shown, in order,
 * PSI_AHE_PLAIN bytes at plain. TALLY_ERR_MALFORMED and *why a fixed phrase: a unit that is no ciphertext, or
 * (open) a sum outside plan->selected * [min, max], with 0, and the noise.
 */
tally_status psi_ahe_decrypt(const psi_ahe_key *key, const uint8_t *show, const uint8_t *in,
                             uint8_t (*plain)[PSI_AHE_PLAIN], const char **why) TALLY_MUST_CHECK;
/* The sum in an open figure of one's own. */
psi_wide psi_ahe_open(const uint8_t plain[PSI_AHE_PLAIN]);
/* The same from the peer, of column c. TALLY_ERR_MALFORMED: outside plan->selected * [min, max] and the
 * noise, or no figure. */
tally_status psi_ahe_open_checked(const psi_ahe_plan *plan, size_t c, const uint8_t plain[PSI_AHE_PLAIN],
                                  psi_wide *sum) TALLY_MUST_CHECK;
/* An open figure of a sum. */
void psi_ahe_set_open(uint8_t plain[PSI_AHE_PLAIN], psi_wide sum);
/* Adds noise, |noise| <= plan->column[c].noise, to a masked figure of column c. */
void psi_ahe_plain_add(const psi_ahe_plan *plan, size_t c, uint8_t plain[PSI_AHE_PLAIN], psi_wide noise);

/* ---- The computing side ---- */

typedef struct psi_ahe_adder psi_ahe_adder;

/*
 * From the owner's key message; plan is borrowed. TALLY_ERR_MALFORMED and *why a fixed phrase that names what
 * is wrong with the key: "the modulus is even", "the modulus is too short", ...
 */
tally_status psi_ahe_adder_new(psi_ahe_adder **out, const psi_ahe_plan *plan, const psi_sid *sid,
                               const uint8_t *key_message, const char **why) TALLY_MUST_CHECK;
void psi_ahe_adder_free(psi_ahe_adder *a); /* wipes */
/*
 * Units [first, first + n) at in have come, in order. group: for each row of the list as sent (plan->rows of
 * them), 0: not selected, g + 1: in group g < plan->groups. Prepares; then add_task for every task in
 * 0..plan->tasks-1, which may run at once, and only then the next prepare. TALLY_ERR_MALFORMED and *why: a
 * unit that is no ciphertext (bad: its index).
 */
tally_status psi_ahe_add_prepare(psi_ahe_adder *a, size_t first, size_t n,
                                 const uint8_t *group) TALLY_MUST_CHECK;
tally_status psi_ahe_add_task(psi_ahe_adder *a, size_t task, const uint8_t *in, size_t *bad,
                              const char **why) TALLY_MUST_CHECK;
/* Adds group `from` to group `to`, after the last unit; `from` is empty then. */
tally_status psi_ahe_merge(psi_ahe_adder *a, size_t to, size_t from) TALLY_MUST_CHECK;
/*
 * The sums of a group, rerandomised: psi_ahe_sum_units units at out. noise: for each column (not only those
 * shown) what is added to its sum, or NULL. At most twice for a group, with other columns shown the second
 * time: Paillier's distance counts on it; a column masked twice has the later mask. TALLY_ERR_INTERNAL: RLWE,
 * all figures were returned five times.
 */
tally_status psi_ahe_finish(psi_ahe_adder *a, size_t group, const uint8_t *show, const psi_wide *noise,
                            uint8_t *out) TALLY_MUST_CHECK;
/*
 * Sum of column c in a group from the masked figure the owner sent back. TALLY_ERR_MALFORMED: outside
 * plan->selected * [min, max], with 0, and the noise, or no figure.
 */
tally_status psi_ahe_unmask(const psi_ahe_adder *a, size_t group, size_t c,
                            const uint8_t plain[PSI_AHE_PLAIN], psi_wide *sum) TALLY_MUST_CHECK;

#endif
