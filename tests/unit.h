/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test file shares: a table of tests, a seed, a name filter, one line of results. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/CUnit.h>
#include <stdint.h>

/*
 * Write tests as `static void test_name(void)` with CU_ASSERT macros, list them and call unit_main:
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const unit_test tests[] = {{"name", test_name}, ...};
 *         return unit_main(argc, argv, "module", tests, sizeof tests / sizeof *tests);
 *     }
 *
 * Command line: [--seed N] [NAME ...]. The seed is printed; a failing run is repeated with it.
 */
typedef struct unit_test {
    const char *name;
    void (*run)(void);
} unit_test;

int unit_main(int argc, char **argv, const char *suite, const unit_test *tests, size_t count);

/* Reproducible bytes for test data, from the seed. Not for keys: the library draws its own. */
void unit_random(void *out, size_t len);
/* Uniform in [0, bound), bound >= 1. */
uint32_t unit_below(uint32_t bound);
/* Hex text to bytes; spaces allowed. Returns the number of bytes, aborts on bad input. */
size_t unit_hex(uint8_t *out, size_t cap, const char *hex);
/* A new empty folder for the test, removed with its contents when the runner ends. */
const char *unit_tmp(void);

#endif
