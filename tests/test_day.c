/* SPDX-License-Identifier: Apache-2.0 */
/* Days of time zones, against those of Python's zoneinfo; and files that are none. */
#include "party/day.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct expected {
    const char *zone;
    int64_t seconds;
    uint32_t day;
} expected;

/* Midnights, the edges of daylight saving time, and days that a zone skipped: from Python's zoneinfo. */
static const expected known[] = {
    {"Asia/Shanghai", 1795708799, 20261126},
    {"Asia/Shanghai", 1795708800, 20261127},
    {"Asia/Shanghai", 2366812799, 20441231},
    {"Asia/Shanghai", 2366812800, 20450101},
    {"America/Los_Angeles", 1805093999, 20270314},
    {"America/Los_Angeles", 1805094000, 20270315},
    {"America/Los_Angeles", 1825660799, 20271107},
    {"America/Los_Angeles", 1825660800, 20271108},
    {"America/Los_Angeles", 2382505199, 20450630},
    {"America/Los_Angeles", 2382505200, 20450701},
    {"Pacific/Kiritimati", 1798711199, 20261231},
    {"Pacific/Kiritimati", 1798711200, 20270101},
    {"Pacific/Kiritimati", 2340352799, 20440229},
    {"Pacific/Kiritimati", 2340352800, 20440301},
    {"Africa/Casablanca", 1811804399, 20270531},
    {"Africa/Casablanca", 1811804400, 20270601},
    {"Europe/Berlin", 2216843999, 20400331},
    {"Europe/Berlin", 2216844000, 20400401},
    {"Europe/Dublin", 2272060799, 20411230},
    {"Europe/Dublin", 2272060800, 20411231},
    {"Australia/Lord_Howe", 2051182799, 20341231},
    {"Australia/Lord_Howe", 2051182800, 20350101},
    {"Asia/Kathmandu", 1835374499, 20280228},
    {"Asia/Kathmandu", 1835374500, 20280229},
    {"Pacific/Chatham", 2012033699, 20331004},
    {"Pacific/Chatham", 2012033700, 20331005},
    {"America/St_Johns", 1899343799, 20300309},
    {"America/St_Johns", 1899343800, 20300310},
    {"Pacific/Apia", 1924945199, 20301231},
    {"Pacific/Apia", 1924945200, 20310101},
    {"Etc/GMT+12", 1798804799, 20261231},
    {"Etc/GMT+12", 1798804800, 20270101},
    {"Asia/Gaza", 1906923599, 20300605},
    {"Asia/Gaza", 1906923600, 20300606},
    {"America/Santiago", 1883015999, 20290901},
    {"America/Santiago", 1883016000, 20290902},
    {"America/Nuuk", 1811811599, 20270531},
    {"America/Nuuk", 1811811600, 20270601},
    {"Antarctica/Troll", 2098475999, 20360630},
    {"Antarctica/Troll", 2098476000, 20360701},
    {"America/Santiago", 1901761199, 20300406},
    {"America/Santiago", 1901761200, 20300406},
    {"America/Santiago", 1915070399, 20300907},
    {"America/Santiago", 1915070400, 20300908},
    {"Africa/Cairo", 1934834399, 20310424},
    {"Africa/Cairo", 1934834400, 20310425},
    {"Africa/Cairo", 1951160399, 20311030},
    {"Africa/Cairo", 1951160400, 20311030},
    {"Asia/Beirut", 1964037599, 20320327},
    {"Asia/Beirut", 1964037600, 20320328},
    {"Asia/Beirut", 1982782799, 20321030},
    {"Asia/Beirut", 1982782800, 20321030},
    {"America/Havana", 2309403599, 20430307},
    {"America/Havana", 2309403600, 20430308},
    {"America/Havana", 2329966799, 20431101},
    {"America/Havana", 2329966800, 20431101},
    {"Africa/Casablanca", 0, 19700101},
    {"Asia/Shanghai", 0, 19700101},
    {"America/Los_Angeles", 0, 19691231},
    {"Asia/Shanghai", 577216799, 19880417},
    {"Pacific/Apia", 1325239199, 20111229},
    {"Pacific/Apia", 1325239200, 20111231},
    {"America/Los_Angeles", 253354892399, 99980630},
    {"Europe/Dublin", 2382476399, 20450630},
    {"Europe/Dublin", 2382476400, 20450701},
};

static void check_days(const expected *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t day = 0;
        tally_error error;
        tally_status st = party_day_in_zone(rows[i].zone, rows[i].seconds, &day, &error);
        CU_ASSERT_EQUAL(st, TALLY_OK);
        CU_ASSERT_EQUAL(day, rows[i].day);
        if (st || day != rows[i].day)
            fprintf(stderr, "%s %lld: %u, not %u\n", rows[i].zone, (long long)rows[i].seconds, day,
                    rows[i].day);
    }
}

static void test_known(void)
{
    check_days(known, sizeof known / sizeof *known);
}

static void test_utc(void)
{
    static const expected rows[] = {{"UTC", 0, 19700101},          {"UTC", 86399, 19700101},
                                    {"UTC", 86400, 19700102},      {"UTC", 951782399, 20000228},
                                    {"UTC", 951782400, 20000229},  {"UTC", 4107542399, 21000228},
                                    {"UTC", 4107542400, 21000301}, {"UTC", 253370764799, 99981231}};
    check_days(rows, sizeof rows / sizeof *rows);
}

/* The zone of the process has no say. */
static void test_environment(void)
{
    uint32_t day = 0;
    setenv("TZ", "Pacific/Kiritimati", 1);
    CU_ASSERT_EQUAL(party_day_in_zone("UTC", 86399, &day, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(day, 19700101);
    CU_ASSERT_EQUAL(party_day_in_zone("Asia/Shanghai", 86399, &day, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(day, 19700102);
    CU_ASSERT_STRING_EQUAL(getenv("TZ"), "Pacific/Kiritimati");
    unsetenv("TZ");
}

static void test_refused(void)
{
    static const char *const names[] = {"",
                                        "/etc/localtime",
                                        "../zoneinfo/UTC",
                                        "localtime",
                                        "posixrules",
                                        "Factory",
                                        "right/UTC",
                                        "posix/Asia/Shanghai",
                                        "Asia//Shanghai",
                                        "Asia/Shang hai",
                                        "Asia/Shanghai\n",
                                        "UTC0;x",
                                        "Asia/ShanghaiAsia/ShanghaiAsia/ShanghaiAsia/ShanghaiAsia/Shanghai"};
    static const char *const files[] = {"Asia/Nowhere", "Asia", "Asia/", "leapseconds"};
    uint32_t day = 7;
    tally_error error;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CU_ASSERT_EQUAL(party_day_in_zone(names[i], 0, &day, &error), TALLY_ERR_USAGE);
        CU_ASSERT(error.hint[0] != 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CU_ASSERT_EQUAL(party_day_in_zone(files[i], 0, &day, &error), TALLY_ERR_FILE);
        CU_ASSERT(strstr(error.message, files[i]) != NULL);
    }
    CU_ASSERT_EQUAL(party_day_in_zone("UTC", -1, &day, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_day_in_zone("UTC", 253370764800, &day, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_day_in_zone("UTC", INT64_MAX, &day, &error), TALLY_ERR_USAGE);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_day_in_zone("Asia/Shanghai", 0, &day, &error), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(day, 7);
    unsigned open = unit_descriptors();
    CU_ASSERT_EQUAL(party_day_in_zone("Asia/Shanghai", 0, &day, &error), TALLY_OK);
    CU_ASSERT_EQUAL(unit_descriptors(), open);
}

/* ---- Files ---- */

#define BLOCK(width) (44 + 2 * (width) + 2 + 2 * 6 + 4)
#define SECOND BLOCK(4)
#define TIMES (SECOND + 44) /* of the second block, each of 8 bytes; then 2 bytes of types, and the types */

/* Transitions to type 1 (+3600) at 1000 and to type 0 (+0) at 2000, and a footer. */
static size_t make_file(uint8_t *out, const char *footer)
{
    size_t n = 0;
    for (size_t width = 4; width <= 8; width += 4) {
        memset(out + n, 0, BLOCK(width));
        memcpy(out + n, "TZif2", 5);
        out[n + 35] = 2; /* transitions */
        out[n + 39] = 2; /* types */
        out[n + 43] = 4; /* characters */
        n += 44;
        for (unsigned at = 1000; at <= 2000; at += 1000, n += width) {
            out[n + width - 2] = (uint8_t)(at >> 8);
            out[n + width - 1] = (uint8_t)at;
        }
        out[n] = 1;
        out[n + 10] = 3600 >> 8;
        out[n + 11] = 3600 & 255;
        n += 2 + 12 + 4;
    }
    out[n++] = '\n';
    memcpy(out + n, footer, strlen(footer));
    n += strlen(footer);
    out[n++] = '\n';
    return n;
}

static void test_file(void)
{
    uint8_t file[512];
    int32_t offset = 7;
    size_t len = make_file(file, "");
    static const int32_t expect[][2] = {{0, 0}, {999, 0}, {1000, 3600}, {1999, 3600}, {2000, 0}, {999999, 0}};
    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        CU_ASSERT(party_zone_offset(file, len, expect[i][0], &offset));
        CU_ASSERT_EQUAL(offset, expect[i][1]);
    }
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, file, cut);
        CU_ASSERT(!party_zone_offset(exact, cut, 3000, &offset));
        free(exact);
    }
}

/* One byte of a good file that makes a bad one. */
static void test_damaged(void)
{
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {
        {0, 't'},
        {4, 0},
        {4, '1'},
        {SECOND, 'x'},
        {SECOND + 4, 0},
        {20, 1},
        {24, 200},
        {28, 1},
        {32, 255},
        {35, 3},
        {39, 0},
        {43, 5},
        {SECOND + 23, 9},
        {SECOND + 31, 1},
        {SECOND + 32, 128},
        {SECOND + 36, 255},
        {TIMES + 6, 8},
        {TIMES + 8, 0x80},
        {TIMES + 16, 2},
        {TIMES + 18 + 6, 0x7f},
        {TIMES + 24, 0xf0},
        {SECOND + 39, 0},
        {SECOND + 39, 1},
    };
    uint8_t file[512];
    int32_t offset = 7;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = make_file(file, "");
        CU_ASSERT_NOT_EQUAL(file[rows[i].at], rows[i].value);
        file[rows[i].at] = rows[i].value;
        int taken = party_zone_offset(file, len, 1500, &offset);
        CU_ASSERT(!taken);
        if (taken)
            fprintf(stderr, "byte %zu = %u: %d\n", rows[i].at, rows[i].value, offset);
    }
}

/* The rule at the end: what is taken, and what it says at one moment. */
static void test_rule(void)
{
    enum { JULY = 1782864000, JANUARY = 1768435200 }; /* 2026-07-01, 2026-01-15 */
    static const struct {
        const char *footer;
        int32_t january, july;
    } good[] = {
        {"CST-8", 28800, 28800},
        {"<+0545>-5:45", 20700, 20700},
        {"PST8PDT,M3.2.0,M11.1.0", -28800, -25200},
        {"PST8PDT7:30:30,M3.2.0/2:00:00,M11.1.0/+2", -28800, -27030},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600},
        {"<-04>4<-03>,M9.1.6/24,M4.1.6/24", -10800, -14400},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7200, -3600},
        {"EST5EDT,0/0,J365/25", -14400, -14400},
        {"AAA3BBB,J32,J200", -10800, -7200},
        {"AAA3BBB,31,J200", -10800, -7200},
        {"AAA3BBB,J181/21,J300", -10800, -7200},
        {"AAA3BBB,J181/21:00:01,J300", -10800, -10800},
    };
    static const char *const bad[] = {"C",
                                      "CS-8",
                                      "CST",
                                      "CST-25",
                                      "CST8:60",
                                      "CST8:00:99",
                                      "CST-8x",
                                      "<+08-8",
                                      "<>-8",
                                      "PST8PDT",
                                      "PST8PDT,M3.2.0",
                                      "PST8PDT,M3.2.0,M11.1.0,",
                                      "PST8PDT,M0.2.0,M11.1.0",
                                      "PST8PDT,M13.2.0,M11.1.0",
                                      "PST8PDT,M3.0.0,M11.1.0",
                                      "PST8PDT,M3.6.0,M11.1.0",
                                      "PST8PDT,M3.2.7,M11.1.0",
                                      "PST8PDT,J0,J5",
                                      "PST8PDT,J366,J5",
                                      "PST8PDT,366,J5",
                                      "PST8PDT,M3.2.0/168,M11.1.0",
                                      "PST8PDT,K3,M11.1.0",
                                      "PST8PDT,M3.2.0/,M11.1.0",
                                      "PST8PD,M3.2.0,M11.1.0",
                                      "PST8PDT,M3.2,M11.1.0",
                                      "PST8PDT,",
                                      "PST99999999999"};
    uint8_t file[512];
    int32_t offset = 7;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t len = make_file(file, good[i].footer);
        CU_ASSERT(party_zone_offset(file, len, JANUARY, &offset));
        CU_ASSERT_EQUAL(offset, good[i].january);
        CU_ASSERT(party_zone_offset(file, len, JULY, &offset));
        CU_ASSERT_EQUAL(offset, good[i].july);
        if (offset != good[i].july)
            fprintf(stderr, "%s: %d\n", good[i].footer, offset);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = make_file(file, bad[i]);
        int taken = party_zone_offset(file, len, JULY, &offset);
        CU_ASSERT(!taken);
        if (taken)
            fprintf(stderr, "taken: %s\n", bad[i]);
    }
    memset(file, 0, sizeof file);
    size_t len = make_file(file, "A");
    CU_ASSERT(!party_zone_offset(file, len - 1, JULY, &offset)); /* no line end behind it */
}

/* A real file, cut at every length, and with bytes changed at random: refused, or some offset; never a crash.
 */
static void test_real_file(void)
{
    size_t len;
    char *bytes = unit_read(PARTY_ZONES "America/New_York", &len);
    int32_t offset;
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    CU_ASSERT(party_zone_offset((uint8_t *)bytes, len, 1782864000, &offset));
    CU_ASSERT_EQUAL(offset, -14400);
    for (size_t cut = 0; cut < len; cut++)
        CU_ASSERT(!party_zone_offset((uint8_t *)bytes, cut, 1782864000, &offset));
    uint8_t *copy = malloc(len);
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, bytes, len);
        for (uint32_t n = unit_below(4) + 1; n; n--)
            copy[unit_below(i % 2 ? (uint32_t)len : 44)] = (uint8_t)unit_below(256);
        offset = 0;
        if (party_zone_offset(copy, len, (int64_t)unit_below(UINT32_MAX), &offset))
            CU_ASSERT(offset >= -180000 && offset <= 180000);
    }
    free(copy);
    free(bytes);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"known", test_known},
        {"utc", test_utc},
        {"environment", test_environment},
        {"refused", test_refused},
        {"file", test_file},
        {"damaged", test_damaged},
        {"rule", test_rule},
        {"real_file", test_real_file},
    };
    return unit_main(argc, argv, "day", tests, sizeof tests / sizeof *tests);
}
