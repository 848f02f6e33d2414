/* SPDX-License-Identifier: Apache-2.0 */
/* The source of the group backends in lanes over plain C: what AVX2 and AVX-512 run, on any machine, under
 * valgrind, and with the bounds of every step checked where PSI_VERIFY is defined. */
#ifndef TESTS_SUPPORT_CURVE_H
#define TESTS_SUPPORT_CURVE_H

#include "psi/group_backends.h"

/* prepare() must have been called. */
extern const psi_group_backend unit_group_fma4;  /* psi/field_fma.h, four lanes */
extern const psi_group_backend unit_group_ifma8; /* psi/field_ifma.h, eight lanes */

/* All backends of this machine, portable first, and at the end the two above; ready. */
#define UNIT_GROUPS_MAX 5
#define UNIT_GROUPS_IN_C 2
size_t unit_groups(const psi_group_backend *out[UNIT_GROUPS_MAX]);

/* Runs the test with each of them as psi_group(). */
void unit_each_group(void (*test)(void));
#define UNIT_EACH_GROUP(test)                                                                                \
    static void test##_each(void)                                                                            \
    {                                                                                                        \
        unit_each_group(test);                                                                               \
    }

/* Numbers below 2^255 that are special to the field: around 0, p = 2^255 - 19 and 2^255, and with limbs of 51
 * and 52 bits at every bound, alone, everywhere and alternating. Returns how many. */
#define UNIT_NUMBERS_MAX 160
size_t unit_numbers(uint8_t out[UNIT_NUMBERS_MAX][32]);

#endif
