/* SPDX-License-Identifier: Apache-2.0 */
/* The notation of value and band columns and of noise. The command is no library, so its files are included.
 */
#include "tests/unit.h"

#include "cli/message.c"
#include "cli/notation.c"

#include <inttypes.h>

static tally_error error;

static void test_value(void)
{
    static const struct {
        const char *text, *column;
        int64_t min, max;
        unsigned scale;
    } good[] = {
        {"balance:0..100", "balance", 0, 100, 0},
        {"balance:-1e9..1e9@2", "balance", -100000000000, 100000000000, 2},
        {"balance:-1.50..2.5@2", "balance", -150, 250, 2},
        {"b:-0.500..+1M@1", "b", -5, 10000000, 1},
        {"b:10k..1.5M", "b", 10000, 1500000, 0},
        {"b:0..1G@0", "b", 0, 1000000000, 0},
        {"b:0.000000001..1@9", "b", 1, 1000000000, 9},
        {"b:1.25e2..1E3", "b", 125, 1000, 0},
        {"b:-281474976710655..281474976710655", "b", -281474976710655, 281474976710655, 0},
        {"b:0e99999999999..000000000000000000000000000000005", "b", 0, 5, 0},
        {"b:0.00000000000000000000000000000000..1.0000000000000000000000000000", "b", 0, 1, 0},
        {"a:b:c:7..7", "a:b:c", 7, 7, 0},
        {"\xe4\xbd\x99\xe9\xa2\x9d:-0..1", "\xe4\xbd\x99\xe9\xa2\x9d", 0, 1, 0},
        {"a..b@3:1..2@0", "a..b@3", 1, 2, 0},
    };
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "is not a column and the range"},
        {"balance", "is not a column and the range"},
        {"balance:", "is not a column and the range"},
        {":0..1", "is not a column and the range"},
        {"b:0", "is not a column and the range"},
        {"b:0..", "is not a column and the range"},
        {"b:..1", "is not a column and the range"},
        {"b:0...5", "is not a column and the range"},
        {"b:.5..1@1", "is not a column and the range"},
        {"b:0..1.@1", "is not a column and the range"},
        {"b:0..1x", "is not a column and the range"},
        {"b:0..1e", "is not a column and the range"},
        {"b:0..1e-2@2", "is not a column and the range"},
        {"b:0..1k5", "is not a column and the range"},
        {"b:0..1kk", "is not a column and the range"},
        {"b: 0..1", "is not a column and the range"},
        {"b:0..1 ", "is not a column and the range"},
        {"b:--1..1", "is not a column and the range"},
        {"b:0,5..1", "is not a column and the range"},
        {"b:@2..1", "is not a column and the range"},
        {"b:0..@2", "is not a column and the range"},
        {"b:0..1@", "the decimals are 0 to 9, not \"\""},
        {"b:0..1@10", "the decimals are 0 to 9, not \"10\""},
        {"b:0..1@x", "the decimals are 0 to 9, not \"x\""},
        {"b:0..1@2@2", "the decimals are 0 to 9"},
        {"b:0.005..1@2", "0.005 has more than 2 decimals"},
        {"b:0..0.5", "0.5 has more than 0 decimals"},
        {"b:0..1.0000000000000000000000000000000001@9", "has more than 9 decimals"},
        {"b:0..281474976710656", "281474976710656 is too large at 0 decimals"},
        {"b:-281474976710656..0", "-281474976710656 is too large"},
        {"b:0..281475@9", "281475 is too large at 9 decimals"},
        {"b:0..1e15", "1e15 is too large"},
        {"b:0..1e99999999999999999999", "is too large"},
        {"b:0..99999999999999999999999999999999", "is too large"},
        {"b:0..18446744073709551617", "is too large"},
        {"b:1..0", "the range ends before it begins"},
        {"b:-1..-1.5@1", "the range ends before it begins"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *column = NULL;
        int64_t min = 77, max = 77;
        unsigned scale = 77;
        tally_status st = cli_parse_value("--value", good[i].text, &column, &min, &max, &scale, &error);
        if (st)
            printf("%s\n", error.message);
        CU_ASSERT_EQUAL_FATAL(st, TALLY_OK);
        CU_ASSERT_STRING_EQUAL(column, good[i].column);
        CU_ASSERT(min == good[i].min && max == good[i].max && scale == good[i].scale);
        free(column);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *column = NULL;
        int64_t min = 77, max = 77;
        unsigned scale = 77;
        CU_ASSERT_EQUAL(cli_parse_value("--value", bad[i].text, &column, &min, &max, &scale, &error),
                        TALLY_ERR_USAGE);
        if (!strstr(error.message, bad[i].message))
            printf("%s\n", error.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, bad[i].message));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, bad[i].text));
        CU_ASSERT(strncmp(error.message, "--value: ", 9) == 0 && error.hint[0]);
        CU_ASSERT(!column && min == 77 && max == 77 && scale == 77);
    }
}

static void test_band(void)
{
    static const struct {
        const char *text, *column;
        size_t count;
        int64_t edges[5];
        unsigned scale;
    } good[] = {
        {"score:350,550,650,750,950", "score", 5, {350, 550, 650, 750, 950}, 0},
        {"x:-1.5,0,0.25", "x", 3, {-150, 0, 25}, 2},
        {"x:1.500,2", "x", 2, {15, 20}, 1},
        {"a:b:1k,1M,1e9", "a:b", 3, {1000, 1000000, 1000000000}, 0},
        {"x:0,0.000000001", "x", 2, {0, 1}, 9},
        {"x:-281474976710655,281474976710655", "x", 2, {-281474976710655, 281474976710655}, 0},
    };
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "is not a column and the edges"},
        {"score", "is not a column and the edges"},
        {":1,2", "is not a column and the edges"},
        {"score:", "is not a column and the edges"},
        {"score:1,", "is not a column and the edges"},
        {"score:,1", "is not a column and the edges"},
        {"score:1,,2", "is not a column and the edges"},
        {"score:1, 2", "is not a column and the edges"},
        {"score:1..2", "is not a column and the edges"},
        {"score:a,b", "is not a column and the edges"},
        {"score:1", "has only one edge"},
        {"score:1,1", "the edges do not ascend"},
        {"score:1,1.0", "the edges do not ascend"},
        {"score:1,3,2", "the edges do not ascend"},
        {"score:0,0.0000000001", "has more than 9 decimals"},
        {"score:0.000000001,281475", "281475 is too large at 9 decimals"},
        {"score:0,1e15", "1e15 is too large"},
        {"s:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34",
         "has too many edges"},
    };
    int64_t edges[CLI_EDGES_MAX];
    size_t count = 77;
    unsigned scale = 77;
    char *column = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CU_ASSERT_EQUAL_FATAL(cli_parse_band("--band", good[i].text, &column, edges, &count, &scale, &error),
                              TALLY_OK);
        CU_ASSERT_STRING_EQUAL(column, good[i].column);
        CU_ASSERT(count == good[i].count && scale == good[i].scale);
        CU_ASSERT(memcmp(edges, good[i].edges, count * sizeof *edges) == 0);
        free(column);
    }
    CU_ASSERT_EQUAL_FATAL(
        cli_parse_band(
            "--band",
            "s:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,"
            "32,33",
            &column, edges, &count, &scale, &error),
        TALLY_OK);
    CU_ASSERT(count == 33 && edges[32] == 33);
    free(column);
    column = NULL;
    count = scale = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(cli_parse_band("--band", bad[i].text, &column, edges, &count, &scale, &error),
                        TALLY_ERR_USAGE);
        if (!strstr(error.message, bad[i].message))
            printf("%s\n", error.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, bad[i].message));
        CU_ASSERT(strncmp(error.message, "--band: ", 8) == 0 && error.hint[0]);
        CU_ASSERT(!column && count == 77 && scale == 77 && edges[32] == 33);
    }
}

static void test_epsilon(void)
{
    static const struct {
        const char *text;
        uint64_t micro;
    } good[] = {{"epsilon=0.5", 500000},    {"epsilon=1", 1000000},    {"epsilon=100", 100000000},
                {"epsilon=0.01", 10000},    {"epsilon=0.0100", 10000}, {"epsilon=99.999999", 99999999},
                {"epsilon=+2.50", 2500000}, {"epsilon=1e1", 10000000}};
    static const char *const bad[] = {
        "",           "0.5",           "epsilon",       "epsilon=",
        "epsilon=.5", "epsilon=0",     "epsilon=-1",    "epsilon=0.0009",
        "epsilon=x",  "epsilon=100.1", "epsilon=1e9",   "epsilon=0.0010001",
        "eps=0.5",    "Epsilon=0.5",   "epsilon=0.5,x", "epsilon=1e999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t micro = 77;
        CU_ASSERT_EQUAL(cli_parse_epsilon("--noise", good[i].text, &micro, &error), TALLY_OK);
        CU_ASSERT_EQUAL(micro, good[i].micro);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t micro = 77;
        CU_ASSERT_EQUAL(cli_parse_epsilon("--noise", bad[i], &micro, &error), TALLY_ERR_USAGE);
        CU_ASSERT(micro == 77 && strncmp(error.message, "--noise: \"", 10) == 0 &&
                  strstr(error.hint, "epsilon=0.5"));
    }
}

/* What is written at a scale comes back. */
static void test_random(void)
{
    for (int i = 0; i < 3000; i++) {
        char text[160], number[48] = "", *column = NULL;
        unsigned scale = unit_below(10), got_scale = 77;
        int64_t power = 1, n, min = 0, max = 0;
        for (unsigned s = 0; s < scale; s++)
            power *= 10;
        unit_random(&n, sizeof n);
        n = n % ((int64_t)1 << (1 + unit_below(48)));
        uint64_t m = (uint64_t)(n < 0 ? -n : n);
        if (scale)
            snprintf(number, sizeof number, ".%0*" PRIu64, (int)scale, m % (uint64_t)power);
        snprintf(text, sizeof text, "c:%s%" PRIu64 "%s..%s%" PRIu64 "%s@%u", n < 0 ? "-" : "",
                 m / (uint64_t)power, number, n < 0 ? "-" : "", m / (uint64_t)power, number, scale);
        CU_ASSERT_EQUAL_FATAL(cli_parse_value("--value", text, &column, &min, &max, &got_scale, &error),
                              TALLY_OK);
        CU_ASSERT(min == n && max == n && got_scale == scale);
        free(column);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"value", test_value}, {"band", test_band}, {"epsilon", test_epsilon}, {"random", test_random}};
    return unit_main(argc, argv, "notation", tests, sizeof tests / sizeof *tests);
}
