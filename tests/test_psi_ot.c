/* SPDX-License-Identifier: Apache-2.0 */
/* Base OTs and their extension: who gets which string, and what is refused. */
#include "psi/mem.h"
#include "psi/ot.h"
#include "tests/support_curve.h"
#include "tests/unit.h"

#include <string.h>

static psi_sid sid;
static psi_ot_sender sender;
static psi_point point;
static uint8_t choices[PSI_OT_MAX / 8], columns[PSI_OT_BASE * PSI_OT_MAX / 8];
static psi_block chosen[PSI_OT_MAX], strings[PSI_OT_MAX][2];

static tally_status choose(size_t count)
{
    return psi_ot_choose(chosen, &point, columns, choices, count, sender.pairs[0], &sid);
}

static tally_status both(size_t count)
{
    return psi_ot_strings(strings, &sender, &point, columns, count, &sid);
}

static void start(size_t count)
{
    unit_random(&sid, sizeof sid);
    unit_random(choices, sizeof choices);
    CU_ASSERT_EQUAL_FATAL(psi_ot_open(&sender, &sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(choose(count), TALLY_OK);
}

static unsigned choice_of(const uint8_t *bits, size_t i)
{
    return (unsigned)bits[i / 8] >> (i % 8) & 1u;
}

/* Strings that are not the chosen one. */
static size_t misses(size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += memcmp(&chosen[i], &strings[i][choice_of(choices, i)], 16) != 0;
    return wrong;
}

static void test_strings(void)
{
    static const size_t counts[] = {8, 136, 792, 944, 4096};
    for (size_t t = 0; t < sizeof counts / sizeof *counts; t++) {
        size_t n = counts[t], same = 0;
        start(n);
        CU_ASSERT_EQUAL(both(n), TALLY_OK);
        CU_ASSERT_EQUAL(misses(n), 0);
        for (size_t i = 0; i < n; i++) {
            same += memcmp(&strings[i][0], &strings[i][1], 16) == 0;
            same += i && memcmp(&strings[i][0], &strings[i - 1][0], 16) == 0;
        }
        CU_ASSERT_EQUAL(same, 0);
    }
}

/* Neither end of the choices is special. */
static void test_constant_choices(void)
{
    for (unsigned bit = 0; bit < 2; bit++) {
        start(64);
        memset(choices, bit ? 0xff : 0, sizeof choices);
        CU_ASSERT_EQUAL(choose(64), TALLY_OK);
        CU_ASSERT_EQUAL(both(64), TALLY_OK);
        CU_ASSERT_EQUAL(misses(64), 0);
    }
}

/* The base choices are half ones, all points are fresh, and the order of a pair does not follow the choice.
 */
static void test_open(void)
{
    static psi_ot_sender again;
    unsigned ones = 0, equal = 0;
    start(8);
    CU_ASSERT_EQUAL(psi_ot_open(&again, &sid), TALLY_OK);
    for (unsigned j = 0; j < PSI_OT_BASE; j++) {
        ones += choice_of(sender.choice, j);
        for (int p = 0; p < 2; p++)
            equal += memcmp(&sender.pairs[j][p], &again.pairs[j][p], 32) == 0;
        equal += memcmp(&sender.pairs[j][0], &sender.pairs[j][1], 32) == 0;
    }
    CU_ASSERT_EQUAL(equal, 0);
    CU_ASSERT(ones > 24 && ones < 104); /* 64 +- 7 standard deviations */
}

/* Points that are none: not canonical, off the curve, the identity; in every place. */
static void test_refused(void)
{
    psi_point bad[3];
    memset(&bad[0], 0xff, sizeof bad[0]);
    /* RFC 9496 appendix A.3, "non-square x^2" */
    CU_ASSERT_EQUAL(
        unit_hex(bad[1].b, 32, "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"), 32);
    memset(&bad[2], 0, sizeof bad[2]);
    start(8);
    for (int i = 0; i < 3; i++) {
        static const unsigned places[] = {0, 63, 127};
        for (int p = 0; p < 6; p++) {
            psi_point *at = &sender.pairs[places[p / 2]][p % 2], keep = *at;
            *at = bad[i];
            CU_ASSERT_EQUAL(choose(8), TALLY_ERR_MALFORMED);
            *at = keep;
        }
        psi_point keep = point;
        point = bad[i];
        CU_ASSERT_EQUAL(both(8), TALLY_ERR_MALFORMED);
        point = keep;
    }
    CU_ASSERT_EQUAL(choose(8), TALLY_OK);
    CU_ASSERT_EQUAL(both(8), TALLY_OK);
    CU_ASSERT_EQUAL(misses(8), 0);
}

/* Another point, another pair of points, another session: other strings. */
static void test_tampered(void)
{
    start(64);
    psi_point keep = point;
    point = sender.pairs[3][0];
    CU_ASSERT_EQUAL(both(64), TALLY_OK);
    CU_ASSERT_EQUAL(misses(64), 64);
    point = keep;
    sid.b[31] ^= 1;
    CU_ASSERT_EQUAL(both(64), TALLY_OK);
    CU_ASSERT_EQUAL(misses(64), 64);
    sid.b[31] ^= 1;
    psi_point swapped = sender.pairs[70][0];
    sender.pairs[70][0] = sender.pairs[70][1];
    sender.pairs[70][1] = swapped;
    CU_ASSERT_EQUAL(both(64), TALLY_OK);
    size_t half = misses(64); /* column 70 is another random one */
    CU_ASSERT(half > 8 && half < 56);
    sender.pairs[70][1] = sender.pairs[70][0];
    sender.pairs[70][0] = swapped;
    CU_ASSERT_EQUAL(both(64), TALLY_OK);
    CU_ASSERT_EQUAL(misses(64), 0);
}

/* Bit i of column j enters row i only, and only where base choice j is one. */
static void test_columns(void)
{
    start(64);
    for (unsigned j = 0; j < PSI_OT_BASE; j += 21) {
        unsigned i = unit_below(64);
        columns[j * 8 + i / 8] ^= (uint8_t)(1u << (i % 8));
        CU_ASSERT_EQUAL(both(64), TALLY_OK);
        CU_ASSERT_EQUAL(misses(64), choice_of(sender.choice, j));
        columns[j * 8 + i / 8] ^= (uint8_t)(1u << (i % 8));
    }
}

static void test_faults(void)
{
    start(8);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(choose(8), TALLY_OK);
    unsigned long most = psi_mem_count();
    CU_ASSERT(most >= 2);
    unsigned failed = 0;
    for (unsigned long n = 1; n <= most; n++) {
        psi_mem_fail_at(n);
        failed += choose(8) == TALLY_ERR_NO_MEMORY;
    }
    CU_ASSERT_EQUAL(failed, most);
    for (unsigned long n = 1; n <= 2; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(both(8), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_ot_open(&sender, &sid), TALLY_ERR_RANDOM);
    CU_ASSERT_EQUAL(psi_ot_open(&sender, &sid), TALLY_OK);
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(choose(8), TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
}

UNIT_EACH_GROUP(test_strings)

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"strings", test_strings_each}, {"constant", test_constant_choices}, {"open", test_open},
        {"refused", test_refused},      {"tampered", test_tampered},         {"columns", test_columns},
        {"faults", test_faults}};
    return unit_main(argc, argv, "psi_ot", tests, sizeof tests / sizeof *tests);
}
