/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/tagsize.h"
#include "tests/unit.h"

static void test_log2(void)
{
    CU_ASSERT_EQUAL(psi_log2_ceil(0), 0);
    CU_ASSERT_EQUAL(psi_log2_ceil(1), 0);
    for (unsigned k = 1; k < 64; k++) {
        uint64_t n = (uint64_t)1 << k;
        CU_ASSERT_EQUAL(psi_log2_ceil(n), k);
        CU_ASSERT_EQUAL(psi_log2_ceil(n + 1), k + 1);
        if (k > 1)
            CU_ASSERT_EQUAL(psi_log2_ceil(n - 1), k);
    }
    CU_ASSERT_EQUAL(psi_log2_ceil(UINT64_MAX), 64);
}

static void test_table(void)
{
    static const struct {
        uint64_t nx, ny;
        size_t bytes;
    } rows[] = {{0, 0, 5},
                {1, 1, 5},
                {1, 2, 6},
                {16, 16, 6},
                {16, 17, 7},
                {1 << 16, 1 << 16, 9},
                {1 << 18, 1 << 18, 10},
                {1 << 20, 1 << 20, 10},
                {(1 << 20) + 1, 1 << 20, 11},
                {1 << 24, 1 << 24, 11},
                {10, 100000, 8},
                {100000000, 100000000, 12},
                {(uint64_t)1 << 44, (uint64_t)1 << 44, 16},
                {(uint64_t)1 << 60, (uint64_t)1 << 60, 16}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(psi_tag_bytes(rows[i].nx, rows[i].ny), rows[i].bytes);
        CU_ASSERT_EQUAL(psi_tag_bytes(rows[i].ny, rows[i].nx), rows[i].bytes);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"log2", test_log2}, {"table", test_table}};
    return unit_main(argc, argv, "psi_tagsize", tests, sizeof tests / sizeof *tests);
}
