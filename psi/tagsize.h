/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of truncated tags, by formula: the one place where both sides' lengths come from. */
#ifndef PSI_TAGSIZE_H
#define PSI_TAGSIZE_H

#include <stddef.h>
#include <stdint.h>

#define PSI_STAT_BITS 40     /* lambda: a run errs with probability below 2^-40 */
#define PSI_TAG_MAX 16       /* bytes of the widest tag */
#define PSI_MALICIOUS_TAG 16 /* bytes; protocols against active peers never truncate further */

/* ceil(log2 n), 0 for n <= 1. */
unsigned psi_log2_ceil(uint64_t n);

/*
 * Bytes of a semi-honest tag: ceil((40 + ceil(log2 nx) + ceil(log2 ny)) / 8): nx*ny pairs, each colliding
 * with probability 2^-bits, leave 2^-40. At most PSI_TAG_MAX for nx, ny <= 2^44. 2^20 x 2^20: 10.
 */
size_t psi_tag_bytes(uint64_t nx, uint64_t ny);

#endif
