/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to randomness. Everything random in Tally's own code comes through here. */
#ifndef PSI_RNG_H
#define PSI_RNG_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

/*
 * Fills out with len bytes from the operating system's generator (getrandom).
 * Returns TALLY_OK, or TALLY_ERR_RANDOM with out wiped.
 */
tally_status psi_random(void *out, size_t len) TALLY_MUST_CHECK;

/* Makes libsodium ready, once; called before each module's first use of it. */
void psi_sodium(void);
/* 0: it cannot be made ready, for want of a random source or a working mutex: no session may be made. */
int psi_sodium_works(void);

/*
 * A ChaCha20 stream keyed by 32 bytes, for shuffles and blinds by the million (RFC 8439, 96-bit nonce zero,
 * at most 2^32 blocks = 256 GiB from one key). Secret: psi_prg_wipe when done.
 */
typedef struct psi_prg {
    uint8_t key32[32];
    uint32_t block; /* next ChaCha20 block, 64 bytes each */
    unsigned used;  /* bytes of buf already given out, 0..512 */
    uint8_t buf[512];
} psi_prg;

/* Keys the stream from psi_random. On failure the handle is wiped. */
tally_status psi_prg_init(psi_prg *prg) TALLY_MUST_CHECK;
/* Keys the stream from a given key (known-answer tests, derived streams). */
void psi_prg_init_key(psi_prg *prg, const uint8_t key32[32]);
void psi_prg_bytes(psi_prg *prg, void *out, size_t len);
/* Uniform in [0, bound) without bias, bound >= 1. Rejection: number of draws depends on discarded values
 * only. */
uint32_t psi_prg_below(psi_prg *prg, uint32_t bound);
void psi_prg_wipe(psi_prg *prg);

#ifdef TALLY_TEST
/* Test builds only: psi_random fails at its n-th call from now (0 = never); */
void psi_rng_fail_at(unsigned long n);
unsigned long psi_rng_count(void);
/* and gives a reproducible stream from seed32 until called with NULL (known-answer transcripts). Per thread.
 */
void psi_rng_set_seed(const uint8_t seed32[32]);
#endif

#endif
