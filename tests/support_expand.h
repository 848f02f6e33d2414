/* SPDX-License-Identifier: Apache-2.0 */
/* The source of the vector backends of psi/expand over eight words in plain C: what AVX-512 runs, on any
 * machine and under valgrind. */
#ifndef TESTS_SUPPORT_EXPAND_H
#define TESTS_SUPPORT_EXPAND_H

#include "psi/expand.h"

/* All backends of this machine, portable first, and the eight words last. Returns their number. */
#define UNIT_EXPANDS_MAX 4
size_t unit_expands(const psi_expand_backend *out[UNIT_EXPANDS_MAX]);

#endif
