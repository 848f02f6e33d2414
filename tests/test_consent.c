/* SPDX-License-Identifier: Apache-2.0 */
/* Consent: cells, rows that are left out and how they are counted, and the settings. */
#include "party/consent.h"
#include "party/input.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TODAY 20261126u

static tally_error error;

static void test_days(void)
{
    static const struct {
        const char *text;
        int expect;
    } rows[] = {
        {"2026-11-26", PARTY_ACCEPTED},
        {"2026-11-27", PARTY_ACCEPTED},
        {"2026-11-25", PARTY_REJECT_CONSENT_EXPIRED},
        {"2026/11/26", PARTY_ACCEPTED},
        {"20261126", PARTY_ACCEPTED},
        {"20261125", PARTY_REJECT_CONSENT_EXPIRED},
        {"9999-12-31", PARTY_ACCEPTED},
        {"0001-01-01", PARTY_REJECT_CONSENT_EXPIRED},
        {" \t2026-11-26  ", PARTY_ACCEPTED},
        {"\u30002026-11-26\u00a0", PARTY_ACCEPTED},
        {"2028-02-29", PARTY_ACCEPTED},
        {"2027-02-29", PARTY_REJECT_CONSENT_DATE},
        {"2100-02-29", PARTY_REJECT_CONSENT_DATE},
        {"2400-02-29", PARTY_ACCEPTED},
        {"2027-04-31", PARTY_REJECT_CONSENT_DATE},
        {"2027-13-01", PARTY_REJECT_CONSENT_DATE},
        {"2027-00-01", PARTY_REJECT_CONSENT_DATE},
        {"2027-01-00", PARTY_REJECT_CONSENT_DATE},
        {"0000-01-01", PARTY_REJECT_CONSENT_DATE},
        {"2027-1-1", PARTY_REJECT_CONSENT_DATE},
        {"2027-01-1 ", PARTY_REJECT_CONSENT_DATE},
        {"2027-01/01", PARTY_REJECT_CONSENT_DATE},
        {"2027/01-01", PARTY_REJECT_CONSENT_DATE},
        {"2027.01.01", PARTY_REJECT_CONSENT_DATE},
        {"01-01-2027", PARTY_REJECT_CONSENT_DATE},
        {"2027-01-01T00:00", PARTY_REJECT_CONSENT_DATE},
        {"2027 01 01", PARTY_REJECT_CONSENT_DATE},
        {"202701011", PARTY_REJECT_CONSENT_DATE},
        {"+2027101", PARTY_REJECT_CONSENT_DATE},
        {"２０２７０１０１", PARTY_REJECT_CONSENT_DATE},
        {"forever", PARTY_REJECT_CONSENT_DATE},
        {"yes", PARTY_REJECT_CONSENT_DATE},
        {"", PARTY_REJECT_NO_CONSENT},
        {"   ", PARTY_REJECT_NO_CONSENT},
        {"\u3000\u3000", PARTY_REJECT_NO_CONSENT},
        {" \t\r\n", PARTY_REJECT_NO_CONSENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int got = party_consent_judge(rows[i].text, strlen(rows[i].text), 0, TODAY);
        CU_ASSERT_EQUAL(got, rows[i].expect);
        if (got != rows[i].expect)
            fprintf(stderr, "'%s': %d\n", rows[i].text, got);
        got = party_consent_judge(rows[i].text, strlen(rows[i].text), 1, TODAY);
        CU_ASSERT_EQUAL(got,
                        rows[i].expect == PARTY_REJECT_NO_CONSENT ? PARTY_REJECT_NO_CONSENT : PARTY_ACCEPTED);
    }
    CU_ASSERT_EQUAL(party_consent_judge("\xff", 1, 1, TODAY), PARTY_ACCEPTED);
    CU_ASSERT_EQUAL(party_consent_judge("\xff", 1, 0, TODAY), PARTY_REJECT_CONSENT_DATE);
    CU_ASSERT_EQUAL(party_consent_judge("2026-11-26\0", 11, 0, TODAY), PARTY_REJECT_CONSENT_DATE);
}

/* Loads text with a key "id" and a rule; the input, or NULL with `error` filled. */
static tally_input *load(const char *text, const char *column, int reference, const char *rejects)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    unit_write_text(path, text);
    tally_input *input = unit_input(path, "id:exact", NULL);
    error = (tally_error){.status = TALLY_OK};
    if ((!rejects || !tally_input_set_rejects_file(input, rejects, &error)) &&
        !party_input_set_consent(input, column, reference, TODAY, &error) && !tally_input_load(input, &error))
        return input;
    tally_input_free(input);
    return NULL;
}

static tally_input_stats stats_of(const tally_input *input)
{
    tally_input_stats s;
    tally_input_get_stats(input, &s);
    return s;
}

static void test_rows(void)
{
    const char *rejects = unit_path(unit_tmp(), "rejects.csv");
    tally_input *input = load("id,until\na,2027-01-01\nb,2026-11-25\nc,\n,2026-11-25\nd,soon\n"
                              "e,\" 2026/11/26 \"\nf,2027-01-01,x\n",
                              "until", 0, rejects);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.rows == 7 && s.accepted == 2 && s.items == 2 && s.rejected == 5 && s.without_consent == 3);
    CU_ASSERT(s.by_reason[PARTY_REJECT_EMPTY] == 1 && s.by_reason[PARTY_REJECT_COLUMNS] == 1);
    CU_ASSERT(s.by_reason[PARTY_REJECT_NO_CONSENT] == 1 && s.first_line[PARTY_REJECT_NO_CONSENT] == 4);
    CU_ASSERT(s.by_reason[PARTY_REJECT_CONSENT_EXPIRED] == 1 &&
              s.first_line[PARTY_REJECT_CONSENT_EXPIRED] == 3);
    CU_ASSERT(s.by_reason[PARTY_REJECT_CONSENT_DATE] == 1 && s.first_line[PARTY_REJECT_CONSENT_DATE] == 6);
    char *text = unit_read(rejects, NULL);
    CU_ASSERT_STRING_EQUAL(text,
                           "line,reason\n3,consent expired\n4,no consent\n5,empty\n6,consent not a date\n"
                           "8,wrong number of columns\n");
    free(text);
    CU_ASSERT_STRING_EQUAL(tally_reject_name(PARTY_REJECT_NO_CONSENT), "no consent");
    tally_input_free(input);
    input = load("id,ref\na,\nb, x \nc,\"\xe3\x80\x80\"\nd,2020-01-01\n", "ref", 1, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    s = stats_of(input);
    CU_ASSERT(s.rows == 4 && s.accepted == 2 && s.without_consent == 2 && s.rejected == 2);
    tally_input_free(input);
}

/* One identifier with and without consent: the rows with it count, and only they are there to come out. */
static void test_duplicates(void)
{
    tally_input *input =
        load("id,until\na,2020-01-01\na,2027-01-01\nb,2020-01-01\na,\nb,x\na,2027-01-02\n", "until", 0, NULL);
    size_t rows, items;
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    const party_row *r = party_input_rows(input, &rows);
    party_input_items(input, &items);
    CU_ASSERT(rows == 2 && items == 1);
    CU_ASSERT(r[0].line == 3 && r[0].row == 2 && r[1].line == 7 && r[1].row == 6);
    CU_ASSERT_EQUAL(stats_of(input).without_consent, 4);
    tally_input_free(input);
}

/* Consent comes before the numbers, and numbers of rows without it are added to nothing. */
static void test_numbers(void)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    size_t columns;
    unit_write_text(path, "id,v,until\na,5,2027-01-01\na,7,2020-01-01\nb,x,\nc,x,2027-01-01\n");
    tally_input *input = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_add_value(input, "v", 0, 100, 0, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "until", 0, TODAY, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_numbers(input, &columns)[0], 5);
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.accepted == 1 && s.without_consent == 2 && s.by_reason[PARTY_REJECT_NOT_NUMBER] == 1);
    tally_input_free(input);
}

static void test_limits(void)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    static const struct {
        uint64_t rows, ppm;
        tally_status expect;
    } t[] = {{1, UINT64_MAX, TALLY_OK},
             {0, UINT64_MAX, TALLY_ERR_INPUT},
             {UINT64_MAX, 200000, TALLY_OK},
             {UINT64_MAX, 199999, TALLY_ERR_INPUT}};
    unit_write_text(path, "id,ref\na,x\nb,\nc,\nd,\n,x\n");
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        tally_input *input = unit_input(path, "id:exact", NULL);
        tally_input_set_max_rejects(input, t[i].rows, t[i].ppm);
        CU_ASSERT_EQUAL(party_input_set_consent(input, "ref", 1, TODAY, &error), TALLY_OK);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), t[i].expect);
        if (t[i].expect) {
            CU_ASSERT(strstr(error.message, "1 of 5 rows are rejected, more than allowed: 1 empty") != NULL);
            CU_ASSERT(strstr(error.message, "consent") == NULL);
        }
        tally_input_free(input);
    }
    CU_ASSERT_PTR_NULL(load("id,ref\na,\nb, \n", "ref", 1, NULL));
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_INPUT);
    CU_ASSERT(strstr(error.message, "every row") && strstr(error.message, "no consent") &&
              strstr(error.hint, "consent column"));
    tally_input *input = load("id,ref\n", "ref", 1, NULL); /* an empty list is one */
    CU_ASSERT_PTR_NOT_NULL(input);
    tally_input_free(input);
}

static void test_refused(void)
{
    CU_ASSERT_PTR_NULL(load("id,until\na,2027-01-01\n", "Until", 0, NULL));
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_INPUT);
    CU_ASSERT(strstr(error.message, "list.csv has no column \"Until\"") != NULL);
    CU_ASSERT_PTR_NULL(load("id,u,u\na,1,2\n", "u", 1, NULL));
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_INPUT);
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "c", 0, 0, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "c", 1, 0, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "", 0, TODAY, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_set_consent(input, NULL, 0, TODAY, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "c", 0, TODAY, &error), TALLY_OK);
    const tally_text a = {"a", 1};
    CU_ASSERT_EQUAL(tally_input_add_row(input, &a, 1, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "memory") && error.hint[0]);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "c", 0, TODAY, &error), TALLY_ERR_USAGE);
    tally_input_free(input);
    input = load("id,until\na,2027-01-01\n", "until", 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "until", 0, TODAY, &error), TALLY_ERR_USAGE);
    tally_input_free(input);
    input = unit_input(NULL, NULL, NULL);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "until", 0, TODAY, &error), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    tally_input_free(input);
}

/* Columns by number, GB18030 with a full-width blank, and the threads that read ahead. */
static void test_forms(void)
{
    const char *path = unit_path(unit_tmp(), "list.csv");
    unit_write_text(path, "a|\xa1\xa1"
                          "2027-01-01\nb|\xa1\xa1\nc|\xb2\xbb\n");
    tally_input *input = unit_input(path, "1:exact", NULL);
    tally_input_set_header(input, 0);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, "gb18030", &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_delimiter(input, '|', &error), TALLY_OK);
    CU_ASSERT_EQUAL(party_input_set_consent(input, "2", 0, TODAY, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_input_load(input, &error), TALLY_OK);
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.accepted == 1 && s.by_reason[PARTY_REJECT_NO_CONSENT] == 1 &&
              s.by_reason[PARTY_REJECT_CONSENT_DATE] == 1);
    tally_input_free(input);
    enum { ROWS = 20000 };
    char *text = malloc(ROWS * 24 + 16);
    size_t n = (size_t)snprintf(text, 16, "id,until\n"), valid = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned year = 2020 + unit_below(12);
        valid += year > 2026;
        n += (size_t)snprintf(text + n, 24, "%u,%u-06-01\n", i, year);
    }
    unit_write(path, text, n);
    free(text);
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        party_input_limits(1 << 12, UINT32_MAX);
        input = unit_input(path, "id:exact", NULL);
        party_input_threads(input, threads);
        CU_ASSERT_EQUAL(party_input_set_consent(input, "until", 0, TODAY, &error), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(tally_input_load(input, &error), TALLY_OK);
        party_input_limits(1 << 20, UINT32_MAX);
        s = stats_of(input);
        CU_ASSERT(s.rows == ROWS && s.accepted == valid && s.without_consent == ROWS - valid);
        tally_input_free(input);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"days", test_days},       {"rows", test_rows},     {"duplicates", test_duplicates},
        {"numbers", test_numbers}, {"limits", test_limits}, {"refused", test_refused},
        {"forms", test_forms}};
    return unit_main(argc, argv, "consent", tests, sizeof tests / sizeof *tests);
}
