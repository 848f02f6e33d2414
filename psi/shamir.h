/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secret of 16 bytes in shares of which T are needed: Shamir, "How to Share a Secret" (1979), over
 * GF(2^128) of psi/gf128. The secret is f(0) of a random polynomial f of degree T - 1, the share at a point x
 * is f(x). Fewer than T shares at distinct non-zero points are independent of the secret. Called by
 * party/overlap.
 */
#ifndef PSI_SHAMIR_H
#define PSI_SHAMIR_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

#define PSI_SHAMIR_MIN 2u
#define PSI_SHAMIR_MAX 1000u

/* The polynomial: secret, 16 T bytes. Read by any number of threads. */
typedef struct psi_shamir psi_shamir;

/* A new secret, PSI_SHAMIR_MIN <= threshold <= PSI_SHAMIR_MAX. TALLY_ERR_NO_MEMORY, TALLY_ERR_RANDOM; *out is
 * set only by success. */
tally_status psi_shamir_new(psi_shamir **out, size_t threshold) TALLY_MUST_CHECK;
void psi_shamir_free(psi_shamir *s); /* NULL allowed; wipes */

void psi_shamir_secret(const psi_shamir *s, uint8_t secret16[16]);
/* The share at a point, T products; constant time. The caller sees to it that points are distinct and not
 * zero, where the share is the secret itself. */
void psi_shamir_share(const psi_shamir *s, uint8_t share16[16], const uint8_t point16[16]);

/*
 * The secret from `threshold` points and their shares, 16 bytes each, in any order; a share that is none
 * gives another secret. T^2 + 5 T products and an inverse. TALLY_ERR_MALFORMED: a point that is zero or there
 * twice. TALLY_ERR_NO_MEMORY. secret16 is wiped on failure. Time depends on threshold only, and on such
 * points.
 */
tally_status psi_shamir_join(uint8_t secret16[16], const uint8_t *points, const uint8_t *shares,
                             size_t threshold) TALLY_MUST_CHECK;

#endif
