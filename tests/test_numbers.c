/* SPDX-License-Identifier: Apache-2.0 */
/* party/numbers: cells, ranges, bands, duplicates; files and memory; against a plain recomputation; faults.
 */
#include "party/input.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tally_error error;

static tally_input_stats stats_of(const tally_input *input)
{
    tally_input_stats s;
    tally_input_get_stats(input, &s);
    return s;
}

static const char *file_of(const char *text)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    unit_write_text(path, text);
    return path;
}

static void value(tally_input *input, const char *column, int64_t min, int64_t max, unsigned scale)
{
    CU_ASSERT_EQUAL(tally_input_add_value(input, column, min, max, scale, &error), TALLY_OK);
}

static void band(tally_input *input, const char *column, unsigned scale, size_t count, const int64_t *edges)
{
    CU_ASSERT_EQUAL(tally_input_add_band(input, column, edges, count, scale, &error), TALLY_OK);
}

/* Number c of the item of accepted row r. */
static int64_t number(const tally_input *input, size_t r, size_t c)
{
    size_t rows, columns;
    const party_row *row = party_input_rows(input, &rows);
    const int64_t *n = party_input_numbers(input, &columns);
    CU_ASSERT_FATAL(n != NULL && r < rows && c < columns);
    return n[row[r].item * columns + c];
}

/* The numbers of each accepted row's item: "1,2 3,4 ". */
static const char *shape(const tally_input *input)
{
    static char out[1024];
    size_t rows, columns, n = 0;
    const party_row *row = party_input_rows(input, &rows);
    const int64_t *numbers = party_input_numbers(input, &columns);
    out[0] = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            n += (size_t)snprintf(out + n, sizeof out - n, "%" PRId64 "%s",
                                  numbers[row[r].item * columns + c], c + 1 < columns ? "," : " ");
    return out;
}

/* ---- Cells ---- */

enum {
    ok = PARTY_ACCEPTED,
    no_value = PARTY_REJECT_NO_VALUE,
    not_number = PARTY_REJECT_NOT_NUMBER,
    decimals = PARTY_REJECT_DECIMALS
};

static enum party_reject parse(const char *text, unsigned scale, int floor, int64_t *out)
{
    /* a copy without a zero behind it, so that a sanitizer sees a read beyond the end */
    size_t len = strlen(text);
    uint8_t *copy = malloc(len ? len : 1);
    CU_ASSERT_FATAL(copy != NULL);
    memcpy(copy, text, len);
    enum party_reject r = party_number_parse(copy, len, scale, floor, out);
    free(copy);
    return r;
}

static void test_cells(void)
{
    static const struct {
        const char *text;
        unsigned scale;
        int reason;
        int64_t want;
    } t[] = {
        {"0", 0, ok, 0},
        {"7", 0, ok, 7},
        {"-7", 0, ok, -7},
        {"+7", 0, ok, 7},
        {"-0", 0, ok, 0},
        {"-0.00", 2, ok, 0},
        {"007", 0, ok, 7},
        {"-00012.50", 2, ok, -1250},
        {"  12\t", 0, ok, 12},
        {"\t -3 ", 0, ok, -3},
        {"1.5", 2, ok, 150},
        {"1.5", 1, ok, 15},
        {"1.50", 1, ok, 15},
        {"1.50000000000000000000000000000", 1, ok, 15},
        {"1.0", 0, ok, 1},
        {".5", 1, ok, 5},
        {"-.5", 1, ok, -5},
        {"5.", 0, ok, 5},
        {"5.", 3, ok, 5000},
        {"0.123456789", 9, ok, 123456789},
        {"-0.000000001", 9, ok, -1},
        {"281474976710655", 0, ok, 281474976710655},
        {"999999999999999999", 0, ok, 999999999999999999},
        {"1000000000000000000", 0, ok, PARTY_NUMBER_MOST},
        {"9223372036854775807", 0, ok, PARTY_NUMBER_MOST},
        {"-9223372036854775808", 0, ok, -PARTY_NUMBER_MOST},
        {"18446744073709551617", 0, ok, PARTY_NUMBER_MOST},
        {"1000000000", 9, ok, PARTY_NUMBER_MOST},
        {"999999999.999999999", 9, ok, 999999999999999999},
        {"-99999999999", 9, ok, -PARTY_NUMBER_MOST},
        {"", 0, no_value, 0},
        {" ", 0, no_value, 0},
        {" \t ", 2, no_value, 0},
        {"1.5", 0, decimals, 0},
        {"1.555", 2, decimals, 0},
        {"-0.001", 2, decimals, 0},
        {"0.0000000001", 9, decimals, 0},
        {"1.5000000000000000000000000000000000001", 1, decimals, 0},
        {"a", 0, not_number, 0},
        {"-", 0, not_number, 0},
        {"+", 0, not_number, 0},
        {".", 0, not_number, 0},
        {"-.", 2, not_number, 0},
        {"--1", 0, not_number, 0},
        {"+-1", 0, not_number, 0},
        {"- 1", 0, not_number, 0},
        {"1 2", 0, not_number, 0},
        {"1 000", 0, not_number, 0},
        {"1,000", 0, not_number, 0},
        {"1,5", 2, not_number, 0},
        {"1'000", 0, not_number, 0},
        {"1_000", 0, not_number, 0},
        {"1.2.3", 2, not_number, 0},
        {"1..2", 2, not_number, 0},
        {"1e5", 0, not_number, 0},
        {"1.1E+17", 0, not_number, 0},
        {"0x10", 0, not_number, 0},
        {"$5", 0, not_number, 0},
        {"5%", 0, not_number, 0},
        {"\xc2\xa5"
         "5",
         0, not_number, 0},
        {"\xef\xbc\x91", 0, not_number, 0},
        {"\xef\xbc\x8d"
         "1",
         0, not_number, 0},
        {"5\xc2\xa0", 0, not_number, 0},
        {"5\n", 0, not_number, 0},
        {"5\r", 0, not_number, 0},
        {"NaN", 0, not_number, 0},
        {"inf", 0, not_number, 0},
        {"null", 0, not_number, 0},
        {"1.555x", 2, not_number, 0},
        {"99999999999999999999x", 0, not_number, 0},
        {"5-", 0, not_number, 0},
        {"(5)", 0, not_number, 0},
        {"\"5\"", 0, not_number, 0},
        {"1/2", 0, not_number, 0},
        {"1:2", 0, not_number, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int64_t n = 77;
        int reason = parse(t[i].text, t[i].scale, 0, &n);
        if (reason != t[i].reason || n != (reason == ok ? t[i].want : 77))
            printf("[%s] at %u: %d, %" PRId64 "\n", t[i].text, t[i].scale, reason, n);
        CU_ASSERT_EQUAL(reason, t[i].reason);
        CU_ASSERT_EQUAL(n, t[i].reason == ok ? t[i].want : 77);
    }
    int64_t n = 77;
    CU_ASSERT_EQUAL(party_number_parse((const uint8_t *)"1\0002", 3, 0, 0, &n), not_number);
}

static void test_floor(void)
{
    static const struct {
        const char *text;
        unsigned scale;
        int64_t want;
    } t[] = {
        {"1.9", 0, 1},
        {"-1.9", 0, -2},
        {"-1.0", 0, -1},
        {"-1.0000000001", 0, -2},
        {"-0.0001", 0, -1},
        {"0.9999", 0, 0},
        {"-0.000", 0, 0},
        {"1.239", 2, 123},
        {"-1.231", 2, -124},
        {"-1.230", 2, -123},
        {"-.00001", 2, -1},
        {"-0.0000000001", 9, -1},
        {"-999999999999999999.5", 0, -PARTY_NUMBER_MOST},
        {"-1000000000000000000.5", 0, -PARTY_NUMBER_MOST},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int64_t n = 77;
        CU_ASSERT_EQUAL(parse(t[i].text, t[i].scale, 1, &n), ok);
        CU_ASSERT_EQUAL(n, t[i].want);
    }
}

/* Many digits: zeros count for nothing, others take the number to the end, and nothing wraps. */
static void test_long_cells(void)
{
    for (size_t len = 1; len <= 1000; len++)
        for (int negative = 0; negative < 2; negative++) {
            char text[2100];
            int64_t n = 77, sign = negative ? -1 : 1;
            memset(text, '9', sizeof text);
            text[0] = negative ? '-' : '+';
            text[1 + len] = 0;
            CU_ASSERT_EQUAL(parse(text, (unsigned)(len % 10), 0, &n), ok);
            CU_ASSERT(len + len % 10 > 18 ? n == sign * PARTY_NUMBER_MOST
                                          : n * sign > 0 && n * sign < PARTY_NUMBER_MOST);
            memset(text + 1, '0', len);
            snprintf(text + 1 + len, sizeof text - 1 - len, "12.5");
            CU_ASSERT_EQUAL(parse(text, 1, 0, &n), ok);
            CU_ASSERT_EQUAL(n, sign * 125);
            memset(text + 1 + len + 4, '0', len);
            text[1 + len + 4 + len] = 0;
            CU_ASSERT_EQUAL(parse(text, 1, 0, &n), ok);
            CU_ASSERT_EQUAL(n, sign * 125);
            text[1 + len + 4 + len - 1] = '1';
            CU_ASSERT_EQUAL(parse(text, 1, 0, &n), decimals);
            CU_ASSERT_EQUAL(parse(text, 1, 1, &n), ok);
            CU_ASSERT_EQUAL(n, negative ? -126 : 125);
        }
}

/* Every scale: what is written with all decimals, or without trailing zeros, comes back. */
static void test_scales(void)
{
    for (unsigned scale = 0; scale <= 9; scale++)
        for (int i = 0; i < 300; i++) {
            int64_t power = 1, n;
            char text[64];
            for (unsigned s = 0; s < scale; s++)
                power *= 10;
            unit_random(&n, sizeof n);
            n = n % (i < 150 ? 2000 : PARTY_VALUE_BOUND);
            uint64_t whole = (uint64_t)(n < 0 ? -n : n);
            size_t len =
                (size_t)snprintf(text, sizeof text, "%s%" PRIu64, n < 0 ? "-" : "", whole / (uint64_t)power);
            if (scale)
                len += (size_t)snprintf(text + len, sizeof text - len, ".%0*" PRIu64, (int)scale,
                                        whole % (uint64_t)power);
            while (scale && i % 2 && text[len - 1] == '0')
                text[--len] = 0;
            int64_t got = 77;
            CU_ASSERT_EQUAL(parse(text, scale, i % 3 == 0, &got), ok);
            CU_ASSERT_EQUAL(got, n);
        }
}

/* ---- Files ---- */

static void test_ranges(void)
{
    const char *dir = unit_tmp(), *path = unit_path(dir, "v.csv"), *rejects = unit_path(dir, "r.csv");
    unit_write_text(path, "id,balance,n\n"
                          "a,-1.50,3\n"   /* 2: the lower end */
                          "b,2000.00,3\n" /* 3: the upper end */
                          "c,-1.51,3\n"   /* 4 */
                          "d,2000.01,3\n" /* 5 */
                          "e,,3\n"        /* 6 */
                          "f,x,3\n"       /* 7 */
                          "g,1.005,3\n"   /* 8 */
                          "h,99999999999999999999999999999999999999.5,3\n"
                          ",x,3\n"        /* 10: the identifier comes first */
                          "i,1,\"\"\n"    /* 11 */
                          "j, \"1\",3\n"  /* 12: the quotes are text there */
                          "k,\" 1 \",3\n" /* 13 */
                          "l,9999,x\n"    /* 14: the first column's reason */
                          "m,1\n");       /* 15 */
    tally_input *input = unit_input(path, "id:exact", NULL);
    value(input, "balance", -150, 200000, 2);
    value(input, "n", 0, 9, 0);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, rejects, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "-150,3 200000,3 100,3 ");
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.rows == 14 && s.accepted == 3 && s.items == 3 && s.rejected == 11 && s.clipped == 0);
    CU_ASSERT(s.by_reason[no_value] == 2 && s.first_line[no_value] == 6);
    CU_ASSERT(s.by_reason[not_number] == 2 && s.first_line[not_number] == 7);
    CU_ASSERT(s.by_reason[decimals] == 1 && s.first_line[decimals] == 8);
    CU_ASSERT(s.by_reason[PARTY_REJECT_RANGE] == 4 && s.first_line[PARTY_REJECT_RANGE] == 4);
    char *list = unit_read(rejects, NULL);
    CU_ASSERT_STRING_EQUAL(list, "line,reason\n4,value outside its range\n5,value outside its range\n"
                                 "6,no value\n7,not a number\n8,more decimals than declared\n"
                                 "9,value outside its range\n10,empty\n11,no value\n12,not a number\n"
                                 "14,value outside its range\n15,wrong number of columns\n");
    free(list);
    tally_input_free(input);
    /* clipped: the ends, and counted */
    input = unit_input(path, "id:exact", NULL);
    value(input, "balance", -150, 200000, 2);
    value(input, "n", 0, 9, 0);
    tally_input_set_clip(input, 1);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "-150,3 200000,3 -150,3 200000,3 200000,3 100,3 ");
    s = stats_of(input);
    CU_ASSERT(s.accepted == 6 && s.clipped == 3 && s.by_reason[PARTY_REJECT_RANGE] == 0);
    tally_input_free(input);
}

static const int64_t scores[] = {350, 550, 650, 750, 950};

static void test_bands(void)
{
    /* a column of its own: the edges themselves, just below, just above, negative, far away */
    static const char text[] = "id,score\na,350\nb,349.9999\nc,549.99999999999999\nd,550\ne,949.5\nf,950\n"
                               "g,-351\nh,1e3\ni,999999999999999999999999\nj,-999999999999999999999999\nk,\n";
    tally_input *input = unit_input(file_of(text), "id:exact", NULL);
    band(input, "score", 0, 5, scores);
    CU_ASSERT_EQUAL(party_input_bands(input), 1);
    CU_ASSERT_EQUAL(party_input_band(input, 0)->count, 5);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "0 4 0 1 3 4 4 4 4 ");
    CU_ASSERT(stats_of(input).by_reason[not_number] == 1 && stats_of(input).by_reason[no_value] == 1);
    tally_input_free(input);
    /* negative edges with decimals: -1.5, -0.5, 0 */
    const int64_t low[] = {-15, -5, 0};
    input = unit_input(file_of("id,x\na,-1.5\nb,-1.50001\nc,-0.51\nd,-0.5\ne,-0.0000000000001\nf,0\ng,-0\n"),
                       "id:exact", NULL);
    band(input, "x", 1, 3, low);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "0 2 0 1 1 2 2 ");
    tally_input_free(input);
    /* of a value with fewer decimals than the edges, with more, and edges that no value can reach */
    const int64_t fine[] = {-25, 10, 15, 20, 281474976710655};
    for (unsigned scale = 0; scale < 3; scale++) {
        input = unit_input(file_of("id,x\na,-3\nb,-2\nc,0\nd,1\ne,2\nf,100\n"), "id:exact", NULL);
        band(input, "x", 1, 5, fine);
        value(input, "x", -100000, 100000, scale);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        for (size_t i = 0; i < 6; i++)
            CU_ASSERT_EQUAL(number(input, i, 1), ((const int64_t[]){4, 0, 0, 1, 3, 3})[i]);
        tally_input_free(input);
    }
    /* a value's decimals are the value's: 1.25 is a reject at scale 1 although a band would take it */
    input = unit_input(file_of("id,x\na,1.25\nb,1.2\n"), "id:exact", NULL);
    value(input, "x", 0, 100, 1);
    band(input, "x", 0, 5, scores);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(stats_of(input).by_reason[decimals], 1);
    tally_input_free(input);
    /* edges at the bounds, scale 9 */
    const int64_t wide[] = {-281474976710655, 0, 281474976710655};
    input =
        unit_input(file_of("id,x,y\na,-281474.976710655,-281474976710655\nb,281474.976710654,-1\n"
                           "c,281474.976710655,281474976710654.5\nd,-281474.9767106551,281474976710655\n"),
                   "id:exact", NULL);
    band(input, "x", 9, 3, wide);
    band(input, "y", 0, 3, wide);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "0,0 1,0 2,1 2,2 ");
    tally_input_free(input);
}

static const int64_t hundred[] = {0, 100};

static void test_duplicates(void)
{
    static const char text[] = "id,v,b\na,10,49.5\nb,-7,1\na,15,50.5\nb,2,1\na,-5,-0.4\nc,1,99\n";
    static const struct {
        enum tally_duplicates rule;
        const char *want;
    } t[] = {{0, "20,0 -5,0 20,0 -5,0 20,0 1,0 "},
             {TALLY_DUPLICATES_SUM, "20,0 -5,0 20,0 -5,0 20,0 1,0 "},
             {TALLY_DUPLICATES_MAX, "15,0 2,0 15,0 2,0 15,0 1,0 "}};
    for (size_t i = 0; i < 3; i++) {
        tally_input *input = unit_input(file_of(text), "id:exact", NULL);
        value(input, "v", -10, 25, 0);
        band(input, "b", 0, 2, hundred);
        if (t[i].rule)
            tally_input_set_duplicates(input, t[i].rule);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        CU_ASSERT_STRING_EQUAL(shape(input), t[i].want);
        CU_ASSERT_EQUAL(stats_of(input).items, 3);
        tally_input_free(input);
    }
    /* the decimals of single rows are not lost to the sum: 49.5 + 50.5 is 100, outside [0, 100) */
    tally_input *input = unit_input(file_of("id,b\na,49.5\na,50.5\nb,-0.5\nb,0.5\n"), "id:exact", NULL);
    band(input, "b", 0, 2, hundred);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "1 1 0 0 ");
    tally_input_free(input);
    /* sums of bands saturate, both ways */
    char many[2000] = "id,b\n";
    for (int i = 0; i < 15; i++)
        snprintf(many + strlen(many), 64, "a,%s\nb,-%s\n", "999999999999999999", "999999999999999999");
    input = unit_input(file_of(many), "id:exact", NULL);
    band(input, "b", 0, 2, hundred);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT(number(input, 0, 0) == 1 && number(input, 1, 0) == 1);
    tally_input_free(input);
}

static void test_refuse(void)
{
    static const char text[] = "id,v\na,10\n\nb,1\nc,x\nc,3\nb,2\na,10\n";
    for (int columns = 0; columns < 2; columns++) {
        tally_input *input = unit_input(file_of(text), "id:exact", NULL);
        if (columns)
            value(input, "v", 0, 10, 0);
        else /* row 5 is then accepted: c twice */
            CU_ASSERT_EQUAL(party_input_values(input), 0);
        tally_input_set_duplicates(input, TALLY_DUPLICATES_REFUSE);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, columns ? "list.csv, line 7: a second row"
                                                             : "list.csv, line 6: a second row"));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "--duplicates sum"));
        CU_ASSERT_EQUAL(stats_of(input).rows, 6);
        tally_input_free(input);
    }
    tally_input *input = unit_input(file_of("id,v\na,1\nb,2\n,3\n"), "id:exact", NULL);
    value(input, "v", 0, 10, 0);
    tally_input_set_duplicates(input, TALLY_DUPLICATES_REFUSE);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "1 2 ");
    tally_input_free(input);
    input = unit_input(file_of("id,v\na,1\n"), "id:exact", NULL);
    tally_input_set_duplicates(input, (enum tally_duplicates)9);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_USAGE);
    tally_input_free(input);
}

static void test_leaving_the_range(void)
{
    static const char text[] = "id,v,w\na,60,1\nb,-60,1\na,40,1\nb,-40,1\na,0,1\nb,-1,1\na,1,1\n";
    tally_input *input = unit_input(file_of(text), "id:exact", NULL);
    value(input, "w", 0, 10, 0);
    value(input, "v", -100, 100, 0);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        error.message, "list.csv, line 7: the sum of the rows with this identifier leaves the range of "
                       "column \"v\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "wider range"));
    size_t columns = 7;
    CU_ASSERT(party_input_numbers(input, &columns) == NULL && columns == 0);
    tally_input_free(input);
    input = unit_input(file_of(text), "id:exact", NULL);
    value(input, "w", 0, 10, 0);
    value(input, "v", -100, 100, 0);
    band(input, "v", 0, 2, hundred);
    tally_input_set_clip(input, 1);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "4,100,1 3,-100,1 4,100,1 3,-100,1 4,100,1 3,-100,1 4,100,1 ");
    CU_ASSERT_EQUAL(stats_of(input).clipped, 2);
    tally_input_free(input);
    /* the whole sum is clipped, not each step of it: 90 + 90 - 90 is 90; first the rows, then their sum */
    input = unit_input(file_of("id,v\na,90\na,90\na,-90\nb,500\nb,-60\n"), "id:exact", NULL);
    value(input, "v", -100, 100, 0);
    tally_input_set_clip(input, 1);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "90 90 90 40 40 ");
    CU_ASSERT_EQUAL(stats_of(input).clipped, 1);
    tally_input_free(input);
}

/* ---- Memory, encodings, misuse ---- */

static void test_memory_rows(void)
{
    static const struct {
        const char *id;
        int64_t n[3]; /* v at scale 2, the band of v, b at scale 1 */
    } t[] = {{"a", {150, 0, 5}},           {"b", {-100, 0, -1}},     {"a", {50, 0, 1}}, {"c", {10001, 0, 0}},
             {"d", {10000, 0, INT64_MAX}}, {"e", {0, 0, INT64_MIN}}, {"", {0, 0, 0}}};
    const int64_t edges[] = {0, 6}, whole[] = {1, 2, 50};
    for (int refuse = 0; refuse < 2; refuse++) {
        tally_input *input = unit_input(NULL, "id:exact", NULL);
        value(input, "v", -100, 10000, 2);
        band(input, "v", 0, 3, whole);
        band(input, "b", 1, 2, edges);
        tally_text key = {"a", 1};
        CU_ASSERT_EQUAL(tally_input_add_row(input, &key, 1, &error), TALLY_ERR_USAGE);
        CU_ASSERT_STRING_EQUAL(error.message,
                               "a row of 0 numbers for an input with 1 value and 2 band columns");
        CU_ASSERT_EQUAL(tally_input_add_row_numbers(input, &key, 1, t[0].n, 2, &error), TALLY_ERR_USAGE);
        for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
            key = (tally_text){t[i].id, strlen(t[i].id)};
            CU_ASSERT_EQUAL(tally_input_add_row_numbers(input, &key, 1, t[i].n, 3, &error), TALLY_OK);
        }
        CU_ASSERT_EQUAL(tally_input_add_value(input, "w", 0, 1, 0, &error), TALLY_ERR_USAGE);
        tally_input_set_clip(input, 1); /* too late */
        if (refuse) {
            tally_input_set_duplicates(input, TALLY_DUPLICATES_REFUSE);
            CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
            CU_ASSERT_STRING_EQUAL(error.message,
                                   "the rows, line 3: a second row with the identifier of an earlier one");
            CU_ASSERT_EQUAL(tally_input_add_row_numbers(input, &key, 1, t[0].n, 3, &error), TALLY_ERR_USAGE);
            /* another rule, and the rows are still there */
            tally_input_set_duplicates(input, TALLY_DUPLICATES_SUM);
        }
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        CU_ASSERT_STRING_EQUAL(shape(input), "200,1,1 -100,2,1 200,1,1 10000,2,1 0,2,1 ");
        tally_input_stats s = stats_of(input);
        CU_ASSERT(s.rows == 7 && s.rejected == 2 && s.by_reason[PARTY_REJECT_RANGE] == 1 && s.clipped == 0);
        CU_ASSERT_EQUAL(s.first_line[PARTY_REJECT_RANGE], 4);
        tally_input_free(input);
    }
}

static void test_gb18030(void)
{
    /* header: U+8EAB U+4EFD | U+91D1 U+989D ("amount"); a full-width 1 and a character with a digit inside */
    static const char text[] = "\xc9\xed\xb7\xdd|\xbd\xf0\xb6\xee\n"
                               "\xd5\xc5\xc8\xfd| 12.5\n"
                               "\x81\x7c|\"-3\"\n"
                               "a|\xa3\xb1\n"
                               "b|5\x81\x30\x81\x30\n"
                               "\xd5\xc5\xc8\xfd|1\n";
    const char *path = unit_path(unit_tmp(), "gb.csv");
    unit_write_text(path, text);
    tally_input *input = unit_input(path, "\xe8\xba\xab\xe4\xbb\xbd:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, "gb18030", &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_delimiter(input, '|', &error), TALLY_OK);
    value(input, "\xe9\x87\x91\xe9\xa2\x9d", -100, 1000, 1);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "135 -30 135 ");
    CU_ASSERT_EQUAL(stats_of(input).by_reason[not_number], 2);
    tally_input_free(input);
}

static void test_no_header(void)
{
    tally_input *input = unit_input(file_of("a,1,2\nb,3,4\na,5,6\n"), "1:exact", NULL);
    tally_input_set_header(input, 0);
    value(input, "3", 0, 100, 0);
    value(input, "2", 0, 100, 0);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "8,6 4,3 8,6 ");
    tally_input_free(input);
    input = unit_input(file_of("a,1,2\n"), "1:exact", NULL);
    tally_input_set_header(input, 0);
    value(input, "4", 0, 100, 0);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "there is no column 4"));
    tally_input_free(input);
    for (int bands = 0; bands < 2; bands++) {
        input = unit_input(file_of("id,x\na,1\n"), "id:exact", NULL);
        if (bands)
            band(input, "y", 0, 2, hundred);
        else
            value(input, "y", 0, 100, 0);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "has no column \"y\"; its columns: id, x"));
        tally_input_free(input);
    }
}

static void refuse_value(tally_input *input, const char *column, int64_t min, int64_t max, unsigned scale,
                         const char *message)
{
    CU_ASSERT_EQUAL(tally_input_add_value(input, column, min, max, scale, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, message));
}

static void refuse_band(tally_input *input, const char *column, unsigned scale, size_t count,
                        const int64_t *edges, const char *message)
{
    CU_ASSERT_EQUAL(tally_input_add_band(input, column, edges, count, scale, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, message));
}

static void test_usage(void)
{
    const int64_t bound = PARTY_VALUE_BOUND, flat[] = {1, 1}, down[] = {1, 2, 0}, far[] = {0, bound},
                  deep[] = {-bound, 0};
    int64_t many[34];
    char name[] = "vA";
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    refuse_value(input, "", 0, 1, 0, "needs the name of a column");
    refuse_value(input, NULL, 0, 1, 0, "needs the name of a column");
    refuse_value(input, "v", 0, 1, 10, "at most 9 decimals");
    refuse_value(input, "v", 1, 0, 0, "ends before it begins");
    refuse_value(input, "v", 0, bound, 0, "between -2^48 and 2^48");
    refuse_value(input, "v", -bound, 0, 0, "between -2^48 and 2^48");
    value(input, "v", 1 - bound, bound - 1, 9);
    refuse_value(input, "v", 0, 1, 0, "column \"v\" is a value twice");
    for (size_t i = 0; i < 34; i++)
        many[i] = (int64_t)i;
    refuse_band(input, "", 0, 2, hundred, "needs the name of a column");
    refuse_band(input, "v", 10, 2, hundred, "at most 9 decimals");
    refuse_band(input, "v", 0, 1, hundred, "2 to 33 edges, not 1");
    refuse_band(input, "v", 0, 34, many, "2 to 33 edges, not 34");
    refuse_band(input, "v", 0, 2, flat, "edge 2 of a band is not above");
    refuse_band(input, "v", 0, 3, down, "edge 3 of a band is not above");
    refuse_band(input, "v", 0, 2, far, "between -2^48 and 2^48");
    refuse_band(input, "v", 0, 2, deep, "between -2^48 and 2^48");
    band(input, "v", 0, 33, many);
    refuse_band(input, "v", 0, 2, hundred, "column \"v\" is a band twice");
    for (; name[1] < 'A' + 15; name[1]++)
        value(input, name, 5, 5, 0);
    refuse_value(input, name, 0, 1, 0, "more than 16 value columns");
    for (name[1] = 'A'; name[1] < 'A' + 3; name[1]++)
        band(input, name, 0, 2, hundred);
    refuse_band(input, name, 0, 2, hundred, "more than 4 band columns");
    CU_ASSERT(party_input_values(input) == 16 && party_input_bands(input) == 4);
    CU_ASSERT_STRING_EQUAL(party_input_value(input, 15)->column, "vO");
    tally_input_free(input);
    input = unit_input(file_of("id,x\na,1\n"), "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    size_t columns = 7;
    CU_ASSERT(party_input_numbers(input, &columns) == NULL && columns == 0);
    refuse_value(input, "x", 0, 1, 0, "after the input was loaded");
    refuse_band(input, "x", 0, 2, hundred, "after the input was loaded");
    tally_input_free(input);
}

/* A number that stands out is put where rows fail; no message may hold it. */
static void test_no_value_in_messages(void)
{
    static const char *const texts[] = {"id,v\na,31415926\n",          "id,v\na,31415926x\nb,31415926.5\n",
                                        "id,v\na,5\na,31415926\n",     "id,v\nb,90\nb,91\nb,31415926\n",
                                        "31415926,v\na,1\n",           "31415926,31415926\na,31415926\n",
                                        "id,v\nb,3\nb,31415926\nb,4\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int how = 0; how < 5; how++) {
            tally_input *input = unit_input(file_of(texts[i]), "id:exact", NULL);
            value(input, "v", 0, how < 2 ? 100 : how == 2 ? 31415926 : 31415930, how == 1 ? 1 : 0);
            tally_input_set_max_rejects(input, how == 3 ? 0 : UINT64_MAX, UINT64_MAX);
            if (how == 4)
                tally_input_set_duplicates(input, TALLY_DUPLICATES_REFUSE);
            error = (tally_error){.status = TALLY_OK};
            tally_status st = tally_input_load(input, &error);
            CU_ASSERT(!st == !error.status);
            CU_ASSERT_PTR_NULL(strstr(error.message, "31415926"));
            CU_ASSERT_PTR_NULL(strstr(error.hint, "31415926"));
            tally_input_free(input);
        }
    /* and the hint for a whole column of wrong values speaks of values */
    tally_input *input = unit_input(file_of("id,v\na,x\nb,y\n"), "id:exact", NULL);
    value(input, "v", 0, 1, 0);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "is rejected (2), most for: not a number, first on line 2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "--value"));
    tally_input_free(input);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"cells", test_cells},
        {"floor", test_floor},
        {"long_cells", test_long_cells},
        {"scales", test_scales},
        {"ranges", test_ranges},
        {"bands", test_bands},
        {"duplicates", test_duplicates},
        {"refuse", test_refuse},
        {"leaving_the_range", test_leaving_the_range},
        {"memory_rows", test_memory_rows},
        {"gb18030", test_gb18030},
        {"no_header", test_no_header},
        {"usage", test_usage},
        {"no_value_in_messages", test_no_value_in_messages},

    };
    return unit_main(argc, argv, "numbers", tests, sizeof tests / sizeof *tests);
}
