/* SPDX-License-Identifier: Apache-2.0 */
/* party/check, party/survey, party/traps: every trap in a list, and lists that are in order. */
#include "party/check.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char list[1 << 20];
static size_t used;
static tally_error error;
static const char *path; /* of the last list */

static void start(const char *header)
{
    used = (size_t)snprintf(list, sizeof list, "%s\n", header);
}

static void row(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void row(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    used += (size_t)vsnprintf(list + used, sizeof list - used, format, args);
    va_end(args);
    list[used++] = '\n';
}

/* Person i's resident number. */
static const char *resident(unsigned i)
{
    static char id[4][24];
    static unsigned at;
    static const unsigned weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    char *p = id[at++ % 4];
    unsigned sum = 0;
    snprintf(p, sizeof id[0], "110105%04u%02u%02u%03u", 1950 + i % 50, 1 + i % 12, 1 + i % 28, 1 + i % 997);
    for (size_t k = 0; k < 17; k++)
        sum += (unsigned)(p[k] - '0') * weights[k];
    p[17] = "10X98765432"[sum % 11];
    p[18] = 0;
    return p;
}

/* The report on what was written, by these settings; key NULL: none. */
static json_t *report(const char *key, const char *encoding, int header, tally_status want)
{
    path = unit_path(unit_tmp(), "list.csv");
    char *text = NULL;
    unit_write(path, list, used);
    tally_input *input = unit_input(path, key, NULL);
    if (encoding)
        CU_ASSERT_EQUAL(tally_input_set_encoding(input, encoding, NULL), TALLY_OK);
    tally_input_set_header(input, header);
    tally_status st = tally_input_check_json(input, &text, &error);
    CU_ASSERT_EQUAL(st, want);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    free(text);
    tally_input_free(input);
    return all;
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const json_t *finding(const json_t *all, const char *trap)
{
    size_t i;
    const json_t *f;
    json_array_foreach(json_object_get(all, "findings"), i, f)
    {
        if (strcmp(json_string_value(json_object_get(f, "trap")), trap) == 0)
            return f;
    }
    return NULL;
}

/* That it holds this trap and no other, on so many rows, first on this line; frees the report. */
static void only(json_t *all, const char *trap, const char *weight, long long rows, long long line)
{
    const json_t *f = finding(all, trap);
    if (!f || json_array_size(json_object_get(all, "findings")) != 1) {
        char *text = json_dumps(json_object_get(all, "findings"), JSON_INDENT(1));
        printf("want %s only: %s\n", trap, text);
        free(text);
        CU_FAIL("another finding");
    }
    if (f) {
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(f, "weight")), weight);
        CU_ASSERT_EQUAL(number(f, "rows"), rows);
        if (line)
            CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_object_get(f, "lines"), 0)), line);
        CU_ASSERT(strlen(json_string_value(json_object_get(f, "message"))) > 20);
        CU_ASSERT(strlen(json_string_value(json_object_get(f, "hint"))) > 10);
    }
    json_decref(all);
}

static void none(json_t *all)
{
    if (json_array_size(json_object_get(all, "findings"))) {
        char *text = json_dumps(json_object_get(all, "findings"), JSON_INDENT(1));
        printf("want no finding: %s\n", text);
        free(text);
        CU_FAIL("a finding in a clean list");
    }
    json_decref(all);
}

/* ---- Lists in order ---- */

static void test_clean(void)
{
    start("id,name");
    for (unsigned i = 0; i < 300; i++)
        row("%s,Person %u", resident(i), i);
    none(report("id:cn-resident-id", NULL, 1, TALLY_OK));
    none(report("id:exact", NULL, 1, TALLY_OK));
    none(report("name:exact", NULL, 1, TALLY_OK));

    start("n"); /* counted up from 1 */
    for (unsigned i = 1; i < 1200; i++)
        row("%u", i);
    none(report("n:exact", NULL, 1, TALLY_OK));

    start("n"); /* sixteen digits, of which a tenth end in 0 */
    for (unsigned i = 0; i < 2000; i++)
        row("62%07u%07u", unit_below(10000000), unit_below(10000000));
    none(report("n:exact", NULL, 1, TALLY_OK));

    start("n"); /* all of ten digits, some with zeros in front */
    for (unsigned i = 0; i < 500; i++)
        row("%010u", unit_below(2000000000));
    none(report("n:exact", NULL, 1, TALLY_OK));

    start("n"); /* fifteen digits for some who still have an old number of eighteen */
    for (unsigned i = 0; i < 400; i++)
        row(i % 20 ? "110105%08u%04u" : "110105%05u%04u", 10000000 + unit_below(9000000), i + 1000);
    none(report("n:exact", NULL, 1, TALLY_OK));

    start("code,name"); /* a code in which X is a letter like others; names that begin with an apostrophe */
    for (unsigned i = 0; i < 400; i++)
        row("91%06uMA%sA,%s %u", i, i == 3 ? "4XXX" : "4X7X", i % 9 ? "Smith" : "'Abd al-Aziz", i);
    none(report("code:exact", NULL, 1, TALLY_OK));
    none(report("name:exact", NULL, 1, TALLY_OK));

    start("name"); /* Chinese, in both encodings as declared; a star in a name; XX in a code */
    for (unsigned i = 0; i < 50; i++)
        row("\xe5\xbc\xa0\xe4\xb8\x89 %u A*STAR XX%u", i, i);
    none(report("name:exact", NULL, 1, TALLY_OK));
    start("name");
    for (unsigned i = 0; i < 50; i++)
        row("\xd5\xc5\xc8\xfd%u", i);
    none(report("name:exact", "gb18030", 1, TALLY_OK));
}

/* ---- Cells ---- */

static void test_cells(void)
{
    static const struct {
        const char *cell, *trap;
        int rejected; /* by cn-resident-id; exact takes all of them */
        int handled;
    } traps[] = {{"1.10105E+17", "scientific-notation", 1, 0},
                 {"110105********0021", "masked", 1, 0},
                 {"110105XXXXXXXX0021", "masked", 1, 0},
                 {"'110105194912310021", "leading-apostrophe", 0, 1},
                 {"=\"110105194912310021\"", "formula-quotes", 0, 1},
                 {"\"=\"\"110105194912310021\"\"\"", "formula-quotes", 0, 1}};
    for (size_t t = 0; t < sizeof traps / sizeof *traps; t++) {
        start("id,n");
        for (unsigned i = 0; i < 40; i++)
            if (i == 7 || i == 9)
                row("%s,%u", traps[t].cell, i);
            else
                row("%s,%u", resident(i), i);
        only(report("id:exact", NULL, 1, TALLY_OK), traps[t].trap, "warning", 2, 9);
        if (traps[t].rejected)
            only(report("id:cn-resident-id", NULL, 1, TALLY_OK), traps[t].trap, "rejected", 2, 9);
    }
    /* What is handled is the same person. */
    start("id");
    row("%s", resident(5));
    row("'%s", resident(5));
    row("=\"%s\"", resident(5));
    json_t *all = report("id:cn-resident-id", NULL, 1, TALLY_OK);
    CU_ASSERT_EQUAL(number(all, "identifiers"), 1);
    CU_ASSERT_EQUAL(number(all, "rejected"), 0);
    const json_t *f = finding(all, "formula-quotes");
    CU_ASSERT(f && strcmp(json_string_value(json_object_get(f, "weight")), "handled") == 0);
    f = finding(all, "leading-apostrophe");
    CU_ASSERT(f && strcmp(json_string_value(json_object_get(f, "weight")), "handled") == 0);
    const json_t *d = json_object_get(all, "duplicates");
    CU_ASSERT_EQUAL(number(d, "rows"), 2);
    CU_ASSERT_EQUAL(number(d, "identifiers"), 1);
    CU_ASSERT_EQUAL(number(d, "most_rows"), 3);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_object_get(d, "lines"), 0)), 3);
    json_decref(all);
}

static void test_blanks(void)
{
    static const char *const bad[] = {"ACME %u ",
                                      ("\xe3\x80\x80"
                                       "ACME %u"),
                                      "AC\xe2\x80\x8bME %u", "AC\xc2\xa0ME %u"};
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        char cell[64];
        start("name");
        for (unsigned i = 0; i < 30; i++)
            row("ACME %u", i);
        snprintf(cell, sizeof cell, "%.*s%u%s", (int)(strchr(bad[b], '%') - bad[b]), bad[b], 77u,
                 strchr(bad[b], '%') + 2);
        row("%s", cell);
        only(report("name:exact", NULL, 1, TALLY_OK), "blanks", "warning", 1, 32);
    }
}

static void test_digits(void)
{
    start("id,n");
    for (unsigned i = 0; i < 40; i++)
        row("%.15s000,%u", resident(i), i);
    only(report("id:exact", NULL, 1, TALLY_OK), "digits-lost", "warning", 40, 2);
    json_t *all = report("id:cn-resident-id", NULL, 1, TALLY_OK); /* one check digit in eleven is 0 */
    const json_t *f = finding(all, "digits-lost");
    CU_ASSERT(f && number(f, "rows") > 30);
    json_decref(all);

    start("n"); /* sixteen digits whose last is always 0 */
    for (unsigned i = 0; i < 200; i++)
        row("62%07u%06u0", unit_below(10000000), unit_below(1000000));
    only(report("n:exact", NULL, 1, TALLY_OK), "digits-lost", "warning", 200, 2);

    start("n"); /* ten digits, a tenth of which began with 0 */
    for (unsigned i = 0; i < 400; i++)
        row("%u", i % 10 ? 1000000000 + unit_below(1000000000) : 100000000 + unit_below(800000000));
    only(report("n:exact", NULL, 1, TALLY_OK), "leading-zeros-lost", "warning", 40, 2);
}

static void test_columns(void)
{
    start("region,id");
    for (unsigned i = 0; i < 40; i++)
        row("north,%u", i);
    json_t *all = report("region:exact", NULL, 1, TALLY_OK);
    CU_ASSERT_PTR_NOT_NULL(finding(all, "constant-column"));
    CU_ASSERT_PTR_NOT_NULL(finding(all, "mostly-duplicates"));
    json_decref(all);

    start("id,name");
    row("%s,a", resident(1));
    row("%s,b,c", resident(2));
    row(",d");
    row("12345,e");
    all = report("id:cn-resident-id", NULL, 1, TALLY_OK);
    const json_t *f = finding(all, "columns");
    CU_ASSERT(f && number(f, "rows") == 1);
    f = finding(all, "empty");
    CU_ASSERT(f && json_integer_value(json_array_get(json_object_get(f, "lines"), 0)) == 4);
    f = finding(all, "not-of-the-profile");
    CU_ASSERT(f && strcmp(json_string_value(json_object_get(f, "column")), "id") == 0);
    json_decref(all);

    start("phone");
    for (unsigned i = 0; i < 20; i++)
        row(i % 2 ? "+86 138%08u" : "138%08u", i);
    only(report("phone:phone-e164", NULL, 1, TALLY_OK), "country-code", "rejected", 10, 2);

    /* More lines than are named. */
    start("id");
    for (unsigned i = 0; i < 30; i++)
        row(i < 25 ? "110105********0021" : "%s", resident(i));
    all = report("id:cn-resident-id", NULL, 1, TALLY_OK);
    f = finding(all, "masked");
    CU_ASSERT(f && number(f, "rows") == 25 && json_array_size(json_object_get(f, "lines")) == 10);
    json_decref(all);
}

/* ---- The file ---- */

static void test_encodings(void)
{
    start("name");
    for (unsigned i = 0; i < 30; i++)
        row(i % 3 ? "abc%u" : "\xd5\xc5\xc8\xfd%u", i);
    only(report("name:exact", NULL, 1, TALLY_OK), "encoding-gb18030", "rejected", 10, 2);
    start("name");
    for (unsigned i = 0; i < 30; i++)
        row(i % 3 ? "abc%u" : "M\xfcller %u", i);
    only(report("name:exact", NULL, 1, TALLY_OK), "encoding-western", "rejected", 10, 2);
    start("name");
    for (unsigned i = 0; i < 30; i++)
        row("\xe5\xbc\xa0\xe4\xb8\x89%u", i);
    json_t *all = report("name:exact", "gb18030", 1, TALLY_OK);
    CU_ASSERT_PTR_NOT_NULL(finding(all, "encoding-utf-8"));
    json_decref(all);
    start("\xe5\xa7\x93\xe5\x90\x8d");
    row("a");
    json_decref(report("\xe5\xa7\x93\xe5\x90\x8d:exact", "gb18030", 1, TALLY_ERR_INPUT));
    CU_ASSERT(strstr(error.hint, "leave out --encoding gb18030") != NULL);
}

static void test_separator(void)
{
    start("sep=;");
    row("id;name");
    for (unsigned i = 0; i < 30; i++)
        row("%s;a,b", resident(i));
    only(report("id:cn-resident-id", NULL, 1, TALLY_OK), "separator-line", "handled", 1, 1);
    tally_input *input = unit_input(path, "id:cn-resident-id", NULL);
    CU_ASSERT_EQUAL(tally_input_set_delimiter(input, ',', NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
    CU_ASSERT(strstr(error.message, "sep=") != NULL);
    tally_input_free(input);
    /* Line numbers count it. */
    start("SEP=\t\r");
    row("id\tname");
    row("1\ta");
    used += (size_t)snprintf(list + used, sizeof list - used, "2\tb");
    json_t *all = report("id:exact", NULL, 1, TALLY_OK);
    CU_ASSERT_EQUAL(number(all, "rows"), 2);
    json_decref(all);
}

static void test_delimiters(void)
{
    static const struct {
        const char *header, *hint;
    } files[] = {{"id;name;n", "--delimiter ';'"},
                 {"id\tname\tn", "--delimiter tab"},
                 {"id|name|n", "--delimiter '|'"}};
    for (size_t i = 0; i < 3; i++) {
        start(files[i].header);
        row("1");
        json_decref(report("id:exact", NULL, 1, TALLY_ERR_INPUT));
        CU_ASSERT(strstr(error.hint, files[i].hint) != NULL);
    }
}

static void test_header(void)
{
    start("id");
    for (unsigned i = 0; i < 20; i++)
        row("%s", resident(i));
    json_t *all = report("1:cn-resident-id", NULL, 0, TALLY_OK);
    const json_t *f = finding(all, "header-read-as-row");
    CU_ASSERT(f && strcmp(json_string_value(json_object_get(f, "weight")), "warning") == 0);
    json_decref(all);
}

/* Files that are no text, and files no program could read: a run and a check say the same. */
static void test_no_text(void)
{
    static const char utf16le[] = "i\0d\0\n\0001\0\n\0002\0\n\0", utf16be[] = "\0i\0d\0\n\0001\0\n\0002\0\n";
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } files[] = {{"\xff\xfei\0d\0\n\0", 8, "UTF-16"},
                 {"\xfe\xff\0i\0d\0\n", 8, "UTF-16"},
                 {utf16le, sizeof utf16le - 1, "UTF-16"},
                 {utf16be, sizeof utf16be - 1, "UTF-16"},
                 {"PK\3\4 and so on", 14, ".xlsx"},
                 {"\xd0\xcf\x11\xe0 and so on", 14, ".xls "},
                 {"%PDF-1.7\n", 9, "PDF"},
                 {"\x1f\x8b\x08 so on", 9, "gzip"},
                 {"id\n\"1\n2\n", 8, "quote"},
                 {"id\n1\0\n2\n", 8, "zero byte"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        memcpy(list, files[i].bytes, files[i].len);
        used = files[i].len;
        json_t *all = report("id:exact", NULL, 1, TALLY_ERR_INPUT);
        CU_ASSERT(!json_is_true(json_object_get(all, "usable")));
        CU_ASSERT(strstr(error.message, files[i].says) != NULL);
        CU_ASSERT(error.hint[0] != 0);
        json_decref(all);
        char seen[sizeof error.message];
        snprintf(seen, sizeof seen, "%s", error.message);
        tally_input *input = unit_input(path, "id:exact", NULL);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
        CU_ASSERT_STRING_EQUAL(error.message, seen);
        tally_input_free(input);
        if (i < 8) {
            json_decref(report(NULL, NULL, 1, TALLY_ERR_INPUT));
            CU_ASSERT_STRING_EQUAL(strstr(error.message, " looks"), strstr(seen, " looks"));
        }
    }
}

/* ---- Without a key, figures, faults ---- */

static void test_proposals(void)
{
    start("nr,card,phone,mail,company");
    for (unsigned i = 0; i < 60; i++)
        row("%u,%s,138%08u,p%u@example.org,91350100M000100Y43", i, i == 3 ? "" : resident(i), i, i);
    json_t *all = report(NULL, NULL, 1, TALLY_OK), *p = json_object_get(all, "proposals");
    CU_ASSERT_EQUAL(json_array_size(p), 3);
    static const char *const want[][2] = {
        {"card", "cn-resident-id"}, {"phone", "phone-e164+86"}, {"company", "cn-uscc"}};
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(p, i);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(one, "column")), want[i][0]);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(one, "profile")), want[i][1]);
    }
    CU_ASSERT_EQUAL(number(json_array_get(p, 0), "valid"), 59);
    CU_ASSERT_EQUAL(number(json_array_get(p, 2), "distinct"), 1);
    CU_ASSERT(!json_is_true(json_object_get(all, "usable")));
    json_decref(all);
    /* A first record that is no header is not shown. */
    start(resident(1));
    for (unsigned i = 2; i < 30; i++)
        row("%s", resident(i));
    all = report(NULL, NULL, 1, TALLY_OK);
    char *text = json_dumps(all, 0);
    CU_ASSERT(strstr(text, resident(1)) == NULL);
    free(text);
    json_decref(all);
}

static void test_figures(void)
{
    start("id,n");
    for (unsigned i = 0; i < 300; i++)
        row("%s,%u", resident(i % 250), i);
    row("12,1");
    json_t *all = report("id:cn-resident-id", NULL, 1, TALLY_OK);
    CU_ASSERT_EQUAL(number(all, "rows"), 301);
    CU_ASSERT_EQUAL(number(all, "identifiers"), 250);
    const json_t *key = json_array_get(json_object_get(all, "keys"), 0);
    CU_ASSERT_EQUAL(number(key, "valid"), 300);
    CU_ASSERT_EQUAL(number(key, "distinct"), 250);
    const json_t *lengths = json_object_get(key, "lengths");
    CU_ASSERT_EQUAL(json_array_size(lengths), 2);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_array_get(lengths, 1), 0)), 18);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_array_get(lengths, 1), 1)), 300);
    const json_t *sent = json_object_get(all, "sent");
    CU_ASSERT_EQUAL(number(sent, "identifiers"), 250);
    CU_ASSERT(number(json_object_get(sent, "match_bytes"), "receiver") > 250 * 32);
    const json_t *reject = json_array_get(json_object_get(all, "rejects"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(reject, "reason")), "wrong length");
    char *text = json_dumps(all, 0);
    for (unsigned i = 0; i < 250; i++)
        CU_ASSERT(strstr(text, resident(i)) == NULL);
    free(text);
    json_decref(all);
    /* Refused: the counts are there all the same. */
    tally_input *input = unit_input(path, "id:cn-resident-id", NULL);
    tally_input_set_max_rejects(input, 0, UINT64_MAX);
    CU_ASSERT_EQUAL(tally_input_check_json(input, &text, &error), TALLY_ERR_INPUT);
    all = json_loads(text, 0, NULL);
    free(text);
    CU_ASSERT_EQUAL(number(all, "rejected"), 1);
    CU_ASSERT_EQUAL(number(all, "exit_status"), 3);
    reject = json_array_get(json_object_get(all, "rejects"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_object_get(reject, "lines"), 0)), 302);
    json_decref(all);
    tally_input_free(input);
}

static void test_usage(void)
{
    char *text;
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_check_json(input, &text, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(text);
    tally_input_free(input);
    input = unit_input(unit_path(unit_tmp(), "not-there.csv"), "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_check_json(input, &text, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(text);
    free(text);
    tally_input_free(input);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"clean", test_clean},         {"cells", test_cells},           {"blanks", test_blanks},
        {"digits", test_digits},       {"columns", test_columns},       {"encodings", test_encodings},
        {"separator", test_separator}, {"delimiters", test_delimiters}, {"header", test_header},
        {"no-text", test_no_text},     {"proposals", test_proposals},   {"figures", test_figures},
        {"usage", test_usage}};
    return unit_main(argc, argv, "check", tests, sizeof tests / sizeof *tests);
}
