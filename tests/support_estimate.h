/* SPDX-License-Identifier: Apache-2.0 */
/* A calibration of round numbers that no machine has, shared by the tests of sizes and of the estimate. */
#ifndef TESTS_SUPPORT_ESTIMATE_H
#define TESTS_SUPPORT_ESTIMATE_H

#include "party/calibration.h"

/* Every constant is set and differs from the others where a mistake could hide. */
void estimate_calibration(tally_calibration *c);

#endif
