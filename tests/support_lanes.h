/* SPDX-License-Identifier: Apache-2.0 */
/* The source of the ring's vector backends over eight numbers in plain C: what AVX-512 runs, on any machine
 * and under valgrind. */
#ifndef TESTS_SUPPORT_LANES_H
#define TESTS_SUPPORT_LANES_H

#include "psi/rlwe_ring.h"

/* prepare() must have been called, after psi_rlwe_ring(). */
extern const psi_rlwe_backend unit_lanes8;

/* All backends of this machine and unit_lanes8, ready. */
#define UNIT_RINGS_MAX 4
size_t unit_rings(const psi_rlwe_backend *out[UNIT_RINGS_MAX]);

#endif
