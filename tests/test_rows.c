/* SPDX-License-Identifier: Apache-2.0 */
/* party/rows and party/input: reading, rejects, folding, refusals, faults. */
#include "party/error.h"
#include "party/input.h"
#include "party/io.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

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

/* Loads text with one key; the input, or NULL with `error` filled. */
static tally_input *load(const char *text, const char *key, const char *key2)
{
    tally_input *input = unit_input(file_of(text), key, key2);
    if (tally_input_load(input, &error) == TALLY_OK)
        return input;
    tally_input_free(input);
    return NULL;
}

/* What the input looks like: "row/line@item " for each accepted row, with items numbered by first appearance.
 */
static const char *shape(const tally_input *input)
{
    static char out[2048];
    size_t rows, items, n = 0, seen = 0;
    uint32_t names[64];
    const party_row *r = party_input_rows(input, &rows);
    party_input_items(input, &items);
    out[0] = 0;
    for (size_t i = 0; i < rows && i < 64; i++) {
        size_t k = 0;
        while (k < seen && names[k] != r[i].item)
            k++;
        if (k == seen)
            names[seen++] = r[i].item;
        CU_ASSERT(r[i].item < items);
        n += (size_t)snprintf(out + n, sizeof out - n, "%u/%u@%zu ", r[i].row, r[i].line, k);
    }
    CU_ASSERT_EQUAL(seen, items);
    return out;
}

static void expect_shape(const char *text, const char *key, const char *want)
{
    tally_input *input = load(text, key, NULL);
    if (!input)
        printf("%s (%s)\n", error.message, error.hint);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    const char *got = shape(input);
    if (strcmp(got, want) != 0)
        printf("got [%s]\n", got);
    CU_ASSERT_STRING_EQUAL(got, want);
    tally_input_free(input);
}

static void expect_error(const char *text, const char *key, const char *message, const char *hint)
{
    error = (tally_error){.status = TALLY_OK};
    tally_input *input = load(text, key, NULL);
    CU_ASSERT_PTR_NULL(input);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_INPUT);
    int ok = strstr(error.message, message) && strstr(error.hint, hint);
    if (!ok)
        printf("got [%s] (%s)\n", error.message, error.hint);
    CU_ASSERT(ok);
    tally_input_free(input);
}

static void test_records(void)
{
    expect_shape("id,x\na,1\nb,2\na,3\n", "id:exact", "1/2@0 2/3@1 3/4@0 ");
    expect_shape("id,x\r\na,1\r\nb,2", "id:exact", "1/2@0 2/3@1 ");
    expect_shape("id,x\ra,1\rb,2\r", "id:exact", "1/2@0 2/3@1 ");
    expect_shape("id\n", "id:exact", "");
    expect_shape("id", "id:exact", "");
    expect_shape("\n\nid,x\n\na,1\n\n\nb,2\n\n", "id:exact", "1/5@0 2/8@1 ");
    expect_shape("\xef\xbb\xbfid,x\na,1\n", "id:exact", "1/2@0 ");
    expect_shape("x,\"i\"\"d\"\n1,\"a\"\n2,a\n", "i\"d:exact", "1/2@0 2/3@0 ");
    expect_shape("id,x\n\"a\",\"two\nlines\"\nb,2\n", "id:exact", "1/2@0 2/4@1 ");
    expect_shape("\"id\nlong\",x\na,1\n", "id\nlong:exact", "1/3@0 ");
    /* 1A is an end-of-file mark alone at the very end, and data elsewhere */
    expect_shape("id\na\n\x1a", "id:exact", "1/2@0 ");
    expect_shape("id\na\n\x1a\r\n", "id:exact", "1/2@0 ");
    expect_shape("id\na\n\x1a\nb\n", "id:exact", "1/2@0 2/3@1 3/4@2 ");
    expect_shape("id\na\x1a", "id:exact", "1/2@0 ");
    tally_input *input = load("id\na\x1a\na\n", "id:exact", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    CU_ASSERT_EQUAL(stats_of(input).items, 2);
    tally_input_free(input);
}

static void test_same_people(void)
{
    expect_shape("id\n11010519491231002X\n１１０１０５１９４９１２３１００２ｘ\n110105491231002\n"
                 "\"110105 19491231 002x\n\"\n'11010519491231002X\n",
                 "id:cn-resident-id", "1/2@0 2/3@0 3/4@0 4/5@0 5/7@0 ");
    expect_shape("tel\n+8613800138000\n138-0013-8000\n", "tel:phone-e164+86", "1/2@0 2/3@0 ");
    /* composites: each field counts on its own */
    tally_input *input = load("a,b\nx,yz\nxy,z\nx,yz\n", "a:exact", "b:exact");
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    CU_ASSERT_STRING_EQUAL(shape(input), "1/2@0 2/3@1 3/4@0 ");
    CU_ASSERT_EQUAL(party_input_keys(input), 2);
    CU_ASSERT_STRING_EQUAL(party_input_key_profile(input, 1), "exact");
    tally_input_free(input);
}

static void test_no_header(void)
{
    static const struct {
        const char *text, *key, *fault;
    } t[] = {
        {"1,a\n2,b\n", "2:exact", NULL},
        {"", "1:exact", NULL},
        {"1,a\n", "0:exact", "there is no column 0"},
        {"1,a\n", "3:exact", "it has 2"},
        {"1,a\n", "99999999999999999999:exact", "there is no column 9999"},
        {"1,a\n", "name:exact", "\"name\" is no column number"},
        {"1,a\n", "-1:exact", "no column number"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        tally_input *input = unit_input(file_of(t[i].text), t[i].key, NULL);
        tally_input_set_header(input, 0);
        tally_status st = tally_input_load(input, &error);
        CU_ASSERT_EQUAL(st, t[i].fault ? TALLY_ERR_INPUT : TALLY_OK);
        CU_ASSERT(!t[i].fault || strstr(error.message, t[i].fault));
        if (!t[i].fault)
            CU_ASSERT_EQUAL(stats_of(input).rows, strlen(t[i].text) / 4);
        tally_input_free(input);
    }
}

static void test_rejects(void)
{
    const char *dir = unit_tmp(), *path = unit_path(dir, "r.csv"), *list = unit_path(dir, "list.csv");
    unit_write_text(list, "id,x\n"
                          "11010519491231002X,1\n"
                          ",2\n"
                          "110105********002X,3\n"
                          "\"110105194912310021\",\"4\n4\"\n"
                          "1101\n"
                          "\n"
                          "\xff,6\n"
                          "11010519491231002X,\xff\n"
                          ",8\n"
                          "1.1E+17,9\n"
                          "110105194912310000,10\n"
                          "110105190002290021,11\n");
    tally_input *input = unit_input(list, "id:cn-resident-id", NULL);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, path, NULL), TALLY_OK);
    unit_write_text(path, "old");
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.rows == 11 && s.accepted == 2 && s.rejected == 9 && s.items == 1);
    CU_ASSERT(s.by_reason[PARTY_REJECT_EMPTY] == 2 && s.first_line[PARTY_REJECT_EMPTY] == 3);
    CU_ASSERT(s.by_reason[PARTY_REJECT_MASKED] == 1 && s.first_line[PARTY_REJECT_MASKED] == 4);
    CU_ASSERT(s.by_reason[PARTY_REJECT_CHECK_DIGIT] == 1 && s.first_line[PARTY_REJECT_CHECK_DIGIT] == 5);
    CU_ASSERT(s.by_reason[PARTY_REJECT_COLUMNS] == 1 && s.first_line[PARTY_REJECT_COLUMNS] == 7);
    CU_ASSERT(s.by_reason[PARTY_REJECT_ENCODING] == 1 && s.first_line[PARTY_REJECT_ENCODING] == 9);
    CU_ASSERT(s.by_reason[PARTY_REJECT_DATE] == 1 && s.first_line[PARTY_REJECT_DATE] == 14);
    CU_ASSERT_STRING_EQUAL(shape(input), "1/2@0 7/10@0 ");
    char *rejects = unit_read(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rejects);
    CU_ASSERT_STRING_EQUAL(rejects,
                           "line,reason\n3,empty\n4,masked\n5,bad check digit\n7,wrong number of columns\n"
                           "9,bad encoding\n11,empty\n12,scientific notation\n13,digits lost\n"
                           "14,bad date of birth\n");
    free(rejects);
    struct stat st;
    CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(unit_entries(dir), 2);
    tally_input_free(input);
    /* nothing rejected: the list is there and empty */
    input = unit_input(file_of("id\na\n"), "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, path, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    rejects = unit_read(path, NULL);
    CU_ASSERT_STRING_EQUAL(rejects, "line,reason\n");
    free(rejects);
    tally_input_free(input);
    /* the list of rejects may not replace the list itself */
    input = unit_input(list, "id:cn-resident-id", NULL);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, list, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_FILE);
    tally_input_free(input);
}

static void test_max_rejects(void)
{
    static const struct {
        uint64_t rows, ppm;
        tally_status want;
    } t[] = {
        {UINT64_MAX, UINT64_MAX, TALLY_OK},    {2, UINT64_MAX, TALLY_OK},
        {1, UINT64_MAX, TALLY_ERR_INPUT},      {UINT64_MAX, 500000, TALLY_OK},
        {UINT64_MAX, 499999, TALLY_ERR_INPUT}, {UINT64_MAX, 1000000, TALLY_OK},
        {UINT64_MAX, 0, TALLY_ERR_INPUT},      {0, 0, TALLY_ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *rejects = unit_path(unit_tmp(), "r.csv");
        tally_input *input = unit_input(file_of("id,x\na,\nb,\n,\n,\n"), "id:exact", NULL);
        tally_input_set_max_rejects(input, t[i].rows, t[i].ppm);
        CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, rejects, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), t[i].want);
        tally_input_stats s = stats_of(input);
        CU_ASSERT(s.rows == 4 && s.rejected == 2);
        size_t items;
        party_input_items(input, &items);
        CU_ASSERT_EQUAL(items, t[i].want ? 0 : 2);
        CU_ASSERT_EQUAL(access(rejects, R_OK), 0);
        if (t[i].want) {
            CU_ASSERT_PTR_NOT_NULL(strstr(error.message,
                                          "2 of 4 rows are rejected, more than allowed: 2 empty (first "
                                          "on line 4)"));
            CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "--rejects"));
        }
        tally_input_free(input);
    }
    expect_error("id\n1\n\n22\n", "id:cn-uscc", "is rejected (2), most for: wrong length, first on line 2",
                 "--key");
}

static void test_columns(void)
{
    expect_error("id,name\na,b\n", "ID:exact", "has no column \"ID\"; its columns: id, name", "exactly");
    expect_error("id;name\na;b\n", "id:exact", "its columns: id;name", "--delimiter");
    expect_error("id,name\na,b\n", "2:exact", "has no column \"2\"", "--no-header");
    expect_error("id,id\na,b\n", "id:exact", "has 2 columns called \"id\"", "rename");
    expect_error("\xc9\xed\xb7\xdd,x\na,b\n", "id:exact", "its columns: ????, x", "gb18030");
    expect_error("a\x1b[2J,b\n", "id:exact", "its columns: a?[2J, b", "exactly");
    /* what looks like data is not shown */
    expect_error("110105,Zhang San\n", "id:exact", "does not look like a header", "--no-header");
    CU_ASSERT_PTR_NULL(strstr(error.message, "110105"));
    CU_ASSERT_PTR_NULL(strstr(error.message, "Zhang"));
    char wide[4000] = "";
    for (int i = 0; i < 100; i++) {
        size_t n = strlen(wide);
        snprintf(wide + n, sizeof wide - n, "%scolumn%c%c", i ? "," : "", 'a' + i / 26, 'a' + i % 26);
    }
    expect_error(wide, "id:exact", "columnaa, columnab", "exactly");
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, " and 79 more"));
}

static void test_not_csv(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *message, *hint;
    } t[] = {
        {"\xff\xfei\0d\0", 6, "looks like UTF-16", "UTF-8"},
        {"\xfe\xff\0i", 4, "looks like UTF-16", "UTF-8"},
        {"PK\3\4abc", 7, ".xlsx", "CSV"},
        {"\xd0\xcf\x11\xe0", 4, ".xls", "CSV"},
        {"i\0d\0\n\0", 6, "line 1: zero byte", "UTF-16"},
        {"id\na\n\"b\" c\n", 11, "line 3: text after a closing quote", "twice"},
        {"id\na\n\"b\nc\n", 10, "line 3: a quote is opened and never closed", "twice"},
        {"", 0, "is empty: there is no header", "--no-header"},
        {"\x1a", 1, "is empty", "header"},
        {"\n\n", 2, "is empty", "header"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *path = unit_path(unit_tmp(), "x.csv");
        unit_write(path, t[i].bytes, t[i].len);
        tally_input *input = unit_input(path, "id:exact", NULL);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_INPUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, t[i].message));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, t[i].hint));
        CU_ASSERT_EQUAL(stats_of(input).rows, 0);
        tally_input_free(input);
    }
    char many[PARTY_FIELDS_MAX + 2];
    memset(many, ',', sizeof many - 1);
    many[sizeof many - 1] = 0;
    expect_error(many, "id:exact", "more than 4096 columns", "--delimiter");
}

static void test_files(void)
{
    const char *dir = unit_tmp();
    const char *const paths[] = {unit_path(dir, "none.csv"), dir, "/dev/null", unit_path(dir, "none/x.csv")};
    static const char *const messages[] = {"No such file", "Is a directory", "Invalid argument",
                                           "No such file"};
    unsigned before = unit_descriptors();
    for (size_t i = 0; i < 4; i++) {
        tally_input *input = unit_input(paths[i], "id:exact", NULL);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_FILE);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, paths[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, messages[i]));
        tally_input_free(input);
    }
    CU_ASSERT_EQUAL(unit_descriptors(), before);
}

static void test_usage(void)
{
    tally_input *input = unit_input(NULL, NULL, NULL);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "", "exact", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "id", "passport", &error), TALLY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(error.message, "unknown profile \"passport\"");
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(tally_input_add_key(input, "id", NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "id", NULL, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_ERR_USAGE);
    for (const char *c = "\"\r\n\x1a"
                         "aZ5\x7f\xe5";
         *c; c++)
        CU_ASSERT_EQUAL(tally_input_set_delimiter(input, *c, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_set_delimiter(input, 0, &error), TALLY_ERR_USAGE);
    for (const char *c = ",;|\t:^~ \x01"; *c; c++)
        CU_ASSERT_EQUAL(tally_input_set_delimiter(input, *c, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, "latin-1", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, "UTF-8", &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_file(input, "", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, "", &error), TALLY_ERR_USAGE);
    tally_input_free(input);
    /* after loading, and after rows */
    input = load("id\na\n", "id:exact", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    const tally_text a = {"a", 1};
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "x", NULL, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_set_file(input, "x", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_add_row(input, &a, 1, &error), TALLY_ERR_USAGE);
    tally_input_free(input);
    tally_input_free(NULL);
}

static void test_memory_rows(void)
{
    const tally_text t[] = {{"a", 1}, {"x", 1}, {"b", 1}, {"x", 1}, {"a", 1}, {"x", 1}, {"", 0}, {"x", 1}};
    const char *rejects = unit_path(unit_tmp(), "r.csv");
    tally_input *input = unit_input(NULL, "id:exact", "name:exact");
    tally_input *file = load("id,name\na,x\nb,x\na,x\n", "id:exact", "name:exact");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(tally_input_add_row(input, t, 1, &error), TALLY_ERR_USAGE);
    for (size_t i = 0; i < 8; i += 2)
        CU_ASSERT_EQUAL(tally_input_add_row(input, t + i, 2, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "x", NULL, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_set_file(input, "x", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(stats_of(input).rows, 0);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, rejects, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "1/1@0 2/2@1 3/3@0 ");
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.rows == 4 && s.rejected == 1 && s.first_line[PARTY_REJECT_EMPTY] == 4);
    char *list = unit_read(rejects, NULL);
    CU_ASSERT_STRING_EQUAL(list, "line,reason\n4,empty\n");
    free(list);
    /* the same items as from a file */
    size_t n, m;
    const psi_item *mine = party_input_items(input, &n), *theirs = party_input_items(file, &m);
    CU_ASSERT(n == 2 && m == 2 && memcmp(mine, theirs, 2 * sizeof *mine) == 0);
    CU_ASSERT_EQUAL(party_input_unchanged(input, &error), TALLY_OK);
    tally_input_free(file);
    tally_input_free(input);
}

static void test_gb18030(void)
{
    /* header: U+8EAB U+4EFD ("identity"); value in the second row has 7C as a second byte; names of GB 2312
     */
    static const char text[] = "\x84\x31\x95\x33\xc9\xed\xb7\xdd|\xc3\xfb\n"
                               "\xd5\xc5\xc8\xfd|1\n"
                               "\x81\x7c|2\n"
                               "\xa3\xb1|3\n"
                               "\x81\x20|4\n"
                               "ok|\xff\n";
    const char *path = unit_path(unit_tmp(), "gb.csv");
    unit_write_text(path, text);
    tally_input *input = unit_input(path, "\xe8\xba\xab\xe4\xbb\xbd:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, "gb18030", &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_delimiter(input, '|', &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "1/2@0 2/3@1 3/4@2 ");
    tally_input_stats s = stats_of(input);
    CU_ASSERT(s.by_reason[PARTY_REJECT_ENCODING] == 2 && s.rejected == 2);
    /* the same identifiers as the UTF-8 of the characters: U+5F20 U+4E09, U+4E85 (81 7C), U+FF11 */
    tally_input *utf8 = load("id\n\xe5\xbc\xa0\xe4\xb8\x89\n\xe4\xba\x85\n\xef\xbc\x91\n", "id:exact", NULL);
    size_t n, m = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(utf8);
    const psi_item *a = party_input_items(input, &n), *b = party_input_items(utf8, &m);
    CU_ASSERT(n == 3 && m == 3 && memcmp(a, b, 3 * sizeof *a) == 0);
    tally_input_free(utf8);
    tally_input_free(input);
}

/* Items ascending and distinct, each row's item its own; many duplicates too. */
static void test_fold(void)
{
    enum { ROWS = 5000 };
    for (uint32_t kinds = 1; kinds <= 100000; kinds *= 10) {
        tally_input *input = unit_input(NULL, "id:exact", NULL);
        uint32_t *kind = calloc(ROWS, sizeof *kind), *item_of = malloc(sizeof *item_of * 100000);
        CU_ASSERT_FATAL(kind && item_of);
        memset(item_of, 0xff, sizeof *item_of * 100000);
        for (size_t i = 0; i < ROWS; i++) {
            char text[16];
            kind[i] = unit_below(kinds);
            int len = snprintf(text, sizeof text, "%u", kind[i]);
            CU_ASSERT_EQUAL(tally_input_add_row(input, &(tally_text){text, (size_t)len}, 1, NULL), TALLY_OK);
        }
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        size_t n, rows, distinct = 0, wrong = 0;
        const psi_item *items = party_input_items(input, &n);
        const party_row *r = party_input_rows(input, &rows);
        CU_ASSERT_EQUAL_FATAL(rows, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            distinct += item_of[kind[i]] == UINT32_MAX;
            if (item_of[kind[i]] == UINT32_MAX)
                item_of[kind[i]] = r[i].item;
            wrong += r[i].item != item_of[kind[i]] || r[i].item >= n;
        }
        for (size_t i = 1; i < n; i++)
            wrong += memcmp(items[i - 1].b, items[i].b, 32) >= 0;
        CU_ASSERT_EQUAL(n, distinct);
        CU_ASSERT_EQUAL(stats_of(input).items, distinct);
        CU_ASSERT_EQUAL(wrong, 0);
        free(item_of);
        free(kind);
        tally_input_free(input);
    }
}

/* Items that agree in their first bytes, which hashes never do: order and equality still go by all 32. */
static void test_fold_ties(void)
{
    enum { ROWS = 600 };
    tally_input *input = unit_input(NULL, "id:exact", NULL);
    static psi_item given[ROWS];
    size_t n, rows, wrong = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        memset(given[i].b, 0x80, 32);
        given[i].b[unit_below(2) ? 5 : 0] = (uint8_t)unit_below(2);
        given[i].b[6 + unit_below(26)] = (uint8_t)unit_below(256);
        const party_row row = {.row = i + 1, .line = i + 1};
        CU_ASSERT_EQUAL(party_input_take(input, &row, &given[i], NULL, PARTY_ACCEPTED, &error), TALLY_OK);
    }
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    const psi_item *items = party_input_items(input, &n);
    const party_row *r = party_input_rows(input, &rows);
    CU_ASSERT_EQUAL_FATAL(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        wrong += r[i].row != i + 1 || memcmp(items[r[i].item].b, given[i].b, 32) != 0;
    for (size_t i = 1; i < n; i++)
        wrong += memcmp(items[i - 1].b, items[i].b, 32) >= 0;
    CU_ASSERT_EQUAL(wrong, 0);
    tally_input_free(input);
}

/* Windows of every size give what one large window gives: rows, offsets, lines, line ends. */
static void test_windows(void)
{
    static const char text[] =
        "\xef\xbb\xbfid,note\r\na,\"line\r\nline\"\r\n\r\nb,2\r\nc,\"\"\"\"\r\na,3\r\n\x1a\r\n";
    tally_input *whole = load(text, "id:exact", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
    size_t n, m;
    const party_row *want = party_input_rows(whole, &n);
    CU_ASSERT_EQUAL(n, 4);
    for (size_t chunk = 1; chunk <= sizeof text; chunk++) {
        party_input_limits(chunk, UINT32_MAX);
        tally_input *input = load(text, "id:exact", NULL);
        party_input_limits(1u << 20, UINT32_MAX);
        if (chunk < 4) { /* the byte order mark is looked for in the first window */
            tally_input_free(input);
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(input);
        const party_row *got = party_input_rows(input, &m);
        CU_ASSERT(m == n && memcmp(got, want, n * sizeof *got) == 0);
        tally_input_free(input);
    }
    CU_ASSERT(want[0].offset == 12 && want[0].length == 16 && want[3].line == 7);
    tally_input_free(whole);
    party_input_limits(1u << 20, 3);
    expect_error("id\na\nb\nc\n", "id:exact", "more than 3 lines", "split");
    expect_shape("id\na\nb\n", "id:exact", "1/2@0 2/3@1 ");
    party_input_limits(1u << 20, UINT32_MAX);
}

static void test_standard_input(void)
{
    static const char text[] = "id\na\nb\n";
    int pipes[2], old = dup(STDIN_FILENO);
    unsigned before = unit_descriptors();
    CU_ASSERT_FATAL(old >= 0 && pipe(pipes) == 0);
    CU_ASSERT_EQUAL(write(pipes[1], text, sizeof text - 1), sizeof text - 1);
    close(pipes[1]);
    dup2(pipes[0], STDIN_FILENO);
    close(pipes[0]);
    tally_input *input = unit_input("-", "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(shape(input), "1/2@0 2/3@1 ");
    CU_ASSERT_EQUAL(party_input_unchanged(input, &error), TALLY_OK);
    tally_input_free(input);
    dup2(old, STDIN_FILENO);
    CU_ASSERT_EQUAL(unit_descriptors(), before);
    close(old);
}

static void *feed(void *path)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fputs("id\na\n", f);
        fclose(f);
    }
    return NULL;
}

static void test_fifo(void)
{
    char path[256];
    pthread_t thread = 0;
    snprintf(path, sizeof path, "%s/fifo", unit_tmp());
    CU_ASSERT_FATAL(mkfifo(path, 0600) == 0 && pthread_create(&thread, NULL, feed, path) == 0);
    tally_input *input = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(stats_of(input).rows, 1);
    tally_input_free(input);
}

static void test_unchanged(void)
{
    for (int how = 0; how < 5; how++) {
        const char *path = file_of("id\na\nb\n");
        tally_input *input = unit_input(path, "id:exact", NULL);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        CU_ASSERT_EQUAL(party_input_unchanged(input, &error), TALLY_OK);
        if (how == 0) {
            FILE *f = fopen(path, "a");
            CU_ASSERT_PTR_NOT_NULL_FATAL(f);
            fputs("c\n", f);
            fclose(f);
        } else if (how == 1) {
            const struct timeval times[2] = {{1000, 0}, {1000, 0}};
            CU_ASSERT_EQUAL(utimes(path, times), 0);
        } else if (how == 2) {
            CU_ASSERT_EQUAL(unlink(path), 0);
        } else if (how == 3) {
            char other[300];
            snprintf(other, sizeof other, "%s.new", path);
            unit_write_text(other, "id\na\nb\n");
            CU_ASSERT_EQUAL(rename(other, path), 0);
        } else {
            CU_ASSERT_EQUAL(chmod(path, 0600), 0); /* not a change of the data */
        }
        CU_ASSERT_EQUAL(party_input_unchanged(input, &error), how == 4 ? TALLY_OK : TALLY_ERR_INPUT_CHANGED);
        tally_input_free(input);
    }
}

static void cut(void *user, uint64_t done, uint64_t total)
{
    (void)total;
    if (done >= 64 && truncate(user, 70))
        abort();
}

static void raise_cancel(void *user, uint64_t done, uint64_t total)
{
    CU_ASSERT(done <= total);
    if (done >= 64)
        atomic_store(&((party_cancel *)user)->raised, 1);
}

static void test_while_reading(void)
{
    char text[1000] = "id\n", path[256];
    for (int i = 0; i < 100; i++)
        snprintf(text + strlen(text), 8, "%d\n", i);
    snprintf(path, sizeof path, "%s", file_of(text));
    party_input_limits(32, UINT32_MAX);
    party_cancel cancel = {.fd = -1};
    tally_input *input = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL(party_input_load(input, &cancel, raise_cancel, &cancel, &error), TALLY_ERR_INTERRUPTED);
    CU_ASSERT_EQUAL(party_input_load(input, NULL, cut, path, &error), TALLY_ERR_INPUT_CHANGED);
    CU_ASSERT_EQUAL(stats_of(input).rows, 0);
    /* a later load reads what is there now */
    CU_ASSERT_EQUAL(party_input_load(input, NULL, NULL, NULL, &error), TALLY_OK);
    CU_ASSERT(stats_of(input).rows < 100 && stats_of(input).rows > 10);
    party_input_limits(1u << 20, UINT32_MAX);
    tally_input_free(input);
}

/* Each allocation and each system call fails in turn: the exact code, nothing left open, nothing left behind.
 */
static void test_faults(void)
{
    for (int io = 0; io < 2; io++) {
        for (unsigned long n = 1;; n++) {
            const char *dir = unit_tmp(), *path = unit_path(dir, "list.csv"),
                       *rejects = unit_path(dir, "r.csv");
            unit_write_text(path, "id,x\na,1\n,2\nb,3\na,4\n");
            unsigned before = unit_descriptors();
            party_input_limits(8, UINT32_MAX);
            tally_input *input = unit_input(path, "id:exact", NULL);
            CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, rejects, NULL), TALLY_OK);
            if (io)
                party_io_fail_at(n, EIO);
            else
                psi_mem_fail_at(n);
            error = (tally_error){.status = TALLY_OK};
            tally_status st = tally_input_load(input, &error);
            unsigned long made = io ? party_io_count() : psi_mem_count();
            party_io_fail_at(0, 0);
            psi_mem_fail_at(0);
            party_input_limits(1u << 20, UINT32_MAX);
            if (made < n) {
                CU_ASSERT(st == TALLY_OK && n > 8);
                CU_ASSERT_EQUAL(unit_entries(dir), 2);
                tally_input_free(input);
                break;
            }
            CU_ASSERT_EQUAL(st, io ? TALLY_ERR_FILE : TALLY_ERR_NO_MEMORY);
            CU_ASSERT_EQUAL(error.status, st);
            CU_ASSERT_EQUAL(unit_descriptors(), before);
            CU_ASSERT(unit_entries(dir) == 1 || access(rejects, R_OK) == 0);
            /* the next attempt finds nothing broken */
            CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
            CU_ASSERT_STRING_EQUAL(shape(input), "1/2@0 3/4@1 4/5@0 ");
            tally_input_free(input);
        }
    }
}

static void test_messages(void)
{
    static const struct {
        const char *text;
        size_t room;
        const char *want;
    } t[] = {
        {"plain", 16, "plain"},
        {"plain", 5, "plai"},
        {"\xe5\xbc\xa0\xe4\xb8\x89", 7, "\xe5\xbc\xa0\xe4\xb8\x89"},
        {"\xe5\xbc\xa0\xe4\xb8\x89", 6, "\xe5\xbc\xa0"}, /* never half a character */
        {"a\x1b[1m\r\n\x7f", 16, "a?[1m???"},
        {"\xff\xc2\x85\xe2\x80\xae.", 16, "???."}, /* not UTF-8, C1, right-to-left override */
    };
    char out[16], big[2000];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        party_printable(out, t[i].room, t[i].text);
        CU_ASSERT_STRING_EQUAL(out, t[i].want);
    }
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    CU_ASSERT_EQUAL(party_fail(&error, TALLY_ERR_FILE, "%s", big), TALLY_ERR_FILE);
    party_hint(&error, "%s", big);
    CU_ASSERT(strlen(error.message) == sizeof error.message - 1 &&
              strlen(error.hint) == sizeof error.hint - 1);
    CU_ASSERT_EQUAL(party_no_memory(&error, "a test"), TALLY_ERR_NO_MEMORY);
    CU_ASSERT_STRING_EQUAL(error.message, "out of memory for a test");
    CU_ASSERT_STRING_EQUAL(error.hint, "");
    CU_ASSERT_EQUAL(party_fail(NULL, TALLY_ERR_USAGE, "x"), TALLY_ERR_USAGE);
    party_hint(NULL, "x");
}

static void test_real_lists(void)
{
    const char *dir = unit_real_data();
    static const struct {
        const char *name, *key;
        uint64_t rows, items;
    } t[] = {
        {"sdn-2021-09-16.csv", "1:exact", 9135, 9135},
        {"sdn-2021-09-16.csv", "2:exact", 9135, 9118},
        {"sdn-2023-12-20.csv", "1:exact", 13817, 13817},
        {"sdn-2023-12-20.csv", "2:exact", 13817, 13798},
    };
    CU_ASSERT(sizeof(party_row) == 24);
    for (size_t i = 0; dir && i < 4; i++) {
        tally_input *input = unit_input(unit_path(dir, t[i].name), t[i].key, NULL);
        tally_input_set_header(input, 0);
        CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
        tally_input_stats s = stats_of(input);
        CU_ASSERT(s.rows == t[i].rows && s.accepted == t[i].rows && s.items == t[i].items);
        tally_input_free(input);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"records", test_records},
        {"same_people", test_same_people},
        {"no_header", test_no_header},
        {"rejects", test_rejects},
        {"max_rejects", test_max_rejects},
        {"columns", test_columns},
        {"not_csv", test_not_csv},
        {"files", test_files},
        {"usage", test_usage},
        {"memory_rows", test_memory_rows},
        {"gb18030", test_gb18030},
        {"fold", test_fold},
        {"fold_ties", test_fold_ties},
        {"windows", test_windows},
        {"standard_input", test_standard_input},
        {"fifo", test_fifo},
        {"unchanged", test_unchanged},
        {"while_reading", test_while_reading},
        {"faults", test_faults},
        {"messages", test_messages},
        {"real_lists", test_real_lists},
    };
    return unit_main(argc, argv, "rows", tests, sizeof tests / sizeof *tests);
}
