/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit integers for sums, sums of squares and their bounds. GNU C; every 64-bit target of gcc and clang
 * has them. */
#ifndef PSI_WIDE_H
#define PSI_WIDE_H

#include <stdint.h>

__extension__ typedef __int128 psi_wide;
__extension__ typedef unsigned __int128 psi_uwide;

#endif
