/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers modulo 2^255 - 19 that ristretto255 uses (RFC 9496 section 4.1), in four words of 64 bits, lowest
 * first. Private to the backends in lanes; tests/test_psi_field.c checks each by its definition. */
#ifndef PSI_CURVE_CONSTANTS_H
#define PSI_CURVE_CONSTANTS_H

#include <stdint.h>

enum {
    CURVE_ZERO,
    CURVE_ONE,
    CURVE_TWO,
    CURVE_D, /* -121665 / 121666 */
    CURVE_2D,
    CURVE_SQRT_M1,
    CURVE_SQRT_AD_MINUS_ONE,
    CURVE_INVSQRT_A_MINUS_D,
    CURVE_ONE_MINUS_D_SQ,
    CURVE_D_MINUS_ONE_SQ,
    CURVE_NUMBERS
};

extern const uint64_t psi_curve_numbers[CURVE_NUMBERS][4];
/* The encoding of the generator. */
extern const uint64_t psi_curve_generator[4];

#endif
