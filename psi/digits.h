/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars as digits, for the group backends in lanes. Time depends on nothing. */
#ifndef PSI_DIGITS_H
#define PSI_DIGITS_H

#include "psi/group.h"

/* l, the order of the group, little-endian (RFC 9496 section 4). */
extern const uint8_t psi_group_order[32];

#define PSI_DIGITS 64

/* k or k + l, whichever is odd, = sum of digits[i] * 16^i: digits are odd, in [-15, 15]. k canonical. */
void psi_digits(int8_t digits[PSI_DIGITS], const psi_scalar *k);

/* out = k / 2 modulo the order of the group. k canonical. */
void psi_scalar_half(psi_scalar *out, const psi_scalar *k);

#endif
