/* SPDX-License-Identifier: Apache-2.0 */
/* party/csv: RFC 4180 section 2 by cases, random records against what was written and against libcsv, pieces.
 */
#include "party/csv.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static party_csv_field fields[PARTY_FIELDS_MAX];
static const party_csv_format comma = {',', PARTY_UTF8};

#define U(s) ((const uint8_t *)(s))

/* Records and fields of data as text: fields end with '|', records with '/' and their lines; faults by name.
 */
static void dump(const party_csv_format *format, const uint8_t *p, size_t len, char *out, size_t room)
{
    party_csv_record r;
    size_t n = 0;
    static uint8_t text[1 << 16];
    for (;;) {
        enum party_csv_result result = party_csv_next(format, p, len, 1, &r, fields);
        if (result == PARTY_CSV_END)
            break;
        if (result != PARTY_CSV_RECORD) {
            snprintf(out + n, room - n, "%s", party_csv_result_text(result));
            return;
        }
        for (uint32_t f = 0; f < r.fields; f++) {
            size_t t = party_csv_field_text(p, &fields[f], text);
            n += (size_t)snprintf(out + n, room - n, "%.*s|", (int)t, (const char *)text);
        }
        n += (size_t)snprintf(out + n, room - n, "%s%s/%u ", r.blank ? "b" : "", r.bad_encoding ? "e" : "",
                              r.lines);
        p += r.length;
        len -= r.length;
    }
    out[n] = 0;
}

static void expect(const party_csv_format *format, const char *data, size_t len, const char *want)
{
    char got[4096];
    dump(format, U(data), len, got, sizeof got);
    if (strcmp(got, want) != 0)
        printf("got [%s]\n", got);
    CU_ASSERT_STRING_EQUAL(got, want);
}

static void test_cases(void)
{
    static const struct {
        const char *data, *want;
    } t[] = {
        {"", ""},
        {"a", "a|/1 "},
        {"a,b\nc,d\n", "a|b|/1 c|d|/1 "},
        {"a,b\r\nc,d", "a|b|/1 c|d|/1 "},
        {"a\rb\r", "a|/1 b|/1 "},
        {"\n\r\n\r", "|b/1 |b/1 |b/1 "},
        {",", "||/1 "},
        {",\n,,", "||/1 |||/1 "},
        {"\"a\",\"b\"\n", "a|b|/1 "},
        {"\"\"\n", "|/1 "},
        {"\"a\"\"b\"", "a\"b|/1 "},
        {"\"\"\"\"", "\"|/1 "},
        {"\"\"\"\"\"\"", "\"\"|/1 "},
        {"\"a,b\",c", "a,b|c|/1 "},
        {"\"a\nb\"\nc", "a\nb|/2 c|/1 "},
        {"\"a\r\nb\rc\nd\"\r\n", "a\r\nb\rc\nd|/4 "},
        {"a\"b,c", "a\"b|c|/1 "},
        {" \"a\"", " \"a\"|/1 "},
        {"a;b", "a;b|/1 "},
        {"\"a\"b", "text after a closing quote"},
        {"\"a\" ,b", "text after a closing quote"},
        {"\"a", "a quote is opened and never closed"},
        {"a,\"", "a quote is opened and never closed"},
        {"\"a\"\"", "a quote is opened and never closed"},
        {"\xe5\xbc\xa0,\xff\n", "\xe5\xbc\xa0|\xff|/1 "},
        {"\x1a", "\x1a|/1 "},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        expect(&comma, t[i].data, strlen(t[i].data), t[i].want);
    static const char zero[] = "zero byte, so this is not text in the declared encoding";
    expect(&comma, "a\0b", 3, zero);
    expect(&comma, "\"a\0b\"", 5, zero);
    expect(&comma, "\"a\"\0", 4, zero);
    expect(&(party_csv_format){';', PARTY_UTF8}, "a;\"b;\"\nc,d;", 11, "a|b;|/1 c,d||/1 ");
    expect(&(party_csv_format){'\t', PARTY_UTF8}, "a\tb", 3, "a|b|/1 ");
}

static void test_extents(void)
{
    party_csv_record r;
    static const char data[] = "ab,\"c\"\"d\"\r\nx";
    CU_ASSERT_EQUAL(party_csv_next(&comma, U(data), sizeof data - 1, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT_EQUAL(r.length, 11);
    CU_ASSERT_EQUAL(r.content, 9);
    CU_ASSERT_EQUAL(r.fields, 2);
    CU_ASSERT(fields[0].begin == 0 && fields[0].end == 2 && !fields[0].quoted && !fields[0].escaped);
    CU_ASSERT(fields[1].begin == 4 && fields[1].end == 8 && fields[1].quoted && fields[1].escaped);
    CU_ASSERT_EQUAL(party_csv_next(&comma, U("\"a\n\"b"), 5, 1, &r, fields), PARTY_CSV_BAD_QUOTE);
    CU_ASSERT_EQUAL(r.lines, 2);
}

/* GB18030: 81 7C is one character although 7C alone is '|'; 81 30 81 30 is one of four bytes. */
static void test_gb18030(void)
{
    const party_csv_format bar = {'|', PARTY_GB18030}, gb = {',', PARTY_GB18030};
    party_csv_record r;
    CU_ASSERT_EQUAL(party_csv_next(&bar, U("\x81\x7c|b\n"), 5, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT(r.fields == 2 && fields[0].end == 2 && fields[1].begin == 3 && !r.bad_encoding);
    CU_ASSERT_EQUAL(
        party_csv_next(&(party_csv_format){'0', PARTY_GB18030}, U("\x81\x30\x81\x30"), 4, 1, &r, fields),
        PARTY_CSV_RECORD);
    CU_ASSERT(r.fields == 1 && !r.bad_encoding);
    /* the same bytes as UTF-8 are cut */
    CU_ASSERT_EQUAL(party_csv_next(&(party_csv_format){'|', PARTY_UTF8}, U("\x81\x7c|b\n"), 5, 1, &r, fields),
                    PARTY_CSV_RECORD);
    CU_ASSERT(r.fields == 3 && !r.bad_encoding);
    static const char *const bad[] = {
        "\x80",     "\xff",     "\x81",  "\x81\x20", "\x81\x30", "\x81\x30\x20", "\x81\x30\x81\x40",
        "\x81\x7f", "\x81\xff", "\x81,", "\"\x81\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(party_csv_next(&gb, U(bad[i]), strlen(bad[i]), 1, &r, fields), PARTY_CSV_RECORD);
        CU_ASSERT(r.bad_encoding && r.length == strlen(bad[i]));
    }
    CU_ASSERT_EQUAL(party_csv_next(&gb, U("a\x81\x30\x81"), 4, 0, &r, fields), PARTY_CSV_MORE);
    /* a line end after a broken character is still a line end */
    CU_ASSERT_EQUAL(party_csv_next(&gb, U("\x81\nb"), 3, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT(r.length == 2 && r.bad_encoding);
    /* writing knows characters too */
    uint8_t out[8];
    CU_ASSERT_EQUAL(party_csv_field_write(&bar, U("\x81\x7c"), 2, out), 2);
    CU_ASSERT_EQUAL(party_csv_field_write(&bar, U("|"), 1, out), 3);
}

static void test_limits(void)
{
    size_t len = PARTY_RECORD_MAX + 8;
    uint8_t *big = malloc(len);
    party_csv_record r;
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, 'a', len);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, PARTY_RECORD_MAX, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, PARTY_RECORD_MAX, 0, &r, fields), PARTY_CSV_MORE);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, len, 0, &r, fields), PARTY_CSV_TOO_LONG);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, len, 1, &r, fields), PARTY_CSV_TOO_LONG);
    big[0] = '"';
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, len, 1, &r, fields), PARTY_CSV_TOO_LONG);
    big[PARTY_RECORD_MAX - 2] = '"';
    big[PARTY_RECORD_MAX - 1] = '\n';
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, len, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT_EQUAL(r.length, PARTY_RECORD_MAX);
    memset(big, ',', PARTY_FIELDS_MAX);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, PARTY_FIELDS_MAX - 1, 1, &r, fields), PARTY_CSV_RECORD);
    CU_ASSERT_EQUAL(r.fields, PARTY_FIELDS_MAX);
    CU_ASSERT_EQUAL(party_csv_next(&comma, big, PARTY_FIELDS_MAX, 1, &r, fields), PARTY_CSV_TOO_MANY);
    free(big);
}

/* ---- Random ---- */

static size_t random_bytes(uint8_t *p, size_t max)
{
    static const char alphabet[] = "ab,\"\n\r;|\x81\x7c\x30\xe5 ";
    size_t len = unit_below((uint32_t)max + 1);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)alphabet[unit_below(sizeof alphabet - 1)];
    return len;
}

static int same_fields(const party_csv_field *a, const party_csv_field *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (a[i].begin != b[i].begin || a[i].end != b[i].end || a[i].quoted != b[i].quoted ||
            a[i].escaped != b[i].escaped)
            return 0;
    return 1;
}

/* Any bytes, given in a prefix, are MORE or the result of the whole; a prefix never says something else. */
static void test_pieces(void)
{
    static party_csv_field others[PARTY_FIELDS_MAX];
    unsigned wrong = 0;
    for (int round = 0; round < 4000; round++) {
        uint8_t p[40];
        size_t len = random_bytes(p, sizeof p);
        const party_csv_format f = {","
                                    ";"
                                    "|"[unit_below(3)],
                                    unit_below(2) ? PARTY_GB18030 : PARTY_UTF8};
        party_csv_record whole, part;
        enum party_csv_result w = party_csv_next(&f, p, len, 1, &whole, fields);
        for (size_t cut = 0; cut < len; cut++) {
            enum party_csv_result r = party_csv_next(&f, p, cut, 0, &part, others);
            if (r == PARTY_CSV_MORE)
                continue;
            wrong += r != w;
            if (r == w && r == PARTY_CSV_RECORD)
                wrong += memcmp(&whole, &part, sizeof part) != 0 || !same_fields(fields, others, part.fields);
        }
        if (w == PARTY_CSV_RECORD) {
            int again = party_csv_next(&f, p, whole.length, 1, &part, others) == PARTY_CSV_RECORD;
            wrong += !again || part.length != whole.length || part.fields != whole.fields;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

#define ROWS 6
#define COLS 5
typedef struct table {
    size_t rows, cols;
    size_t len[ROWS][COLS];
    uint8_t text[ROWS][COLS][12];
    size_t row, col;
    unsigned wrong;
} table;

static void libcsv_field(void *text, size_t len, void *user)
{
    table *t = user;
    if (t->row >= t->rows || t->col >= t->cols || len != t->len[t->row][t->col] ||
        memcmp(text, t->text[t->row][t->col], len) != 0)
        t->wrong++;
    t->col++;
}

static void libcsv_row(int c, void *user)
{
    table *t = user;
    (void)c;
    t->wrong += t->col != t->cols;
    t->row++;
    t->col = 0;
}

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* A table written by party_csv_field_write is read back by us and by libcsv as what it was. */
static void test_against_libcsv(void)
{
    static table t;
    unsigned wrong = 0;
    for (int round = 0; round < 3000; round++) {
        uint8_t file[ROWS * COLS * 32];
        size_t n = 0;
        static const char *const ends[] = {"\n", "\r\n", "\r"};
        const char *end = ends[unit_below(3)];
        const party_csv_format f = {",;|"[unit_below(3)], PARTY_UTF8};
        memset(&t, 0, sizeof t);
        t.rows = 1 + unit_below(ROWS);
        t.cols = 2 + unit_below(COLS - 1); /* a lone empty column is a blank line, which libcsv skips */
        for (size_t r = 0; r < t.rows; r++) {
            for (size_t c = 0; c < t.cols; c++) {
                t.len[r][c] = random_bytes(t.text[r][c], sizeof t.text[r][c]);
                if (c)
                    file[n++] = (uint8_t)f.delimiter;
                n += party_csv_field_write(&f, t.text[r][c], t.len[r][c], file + n);
            }
            if (r + 1 < t.rows || unit_below(2)) {
                memcpy(file + n, end, strlen(end));
                n += strlen(end);
            }
        }
        struct csv_parser parser;
        CU_ASSERT_FATAL(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
        csv_set_delim(&parser, (unsigned char)f.delimiter);
        csv_set_space_func(&parser, no_space);
        wrong += csv_parse(&parser, file, n, libcsv_field, libcsv_row, &t) != n;
        wrong += csv_fini(&parser, libcsv_field, libcsv_row, &t) != 0;
        csv_free(&parser);
        wrong += t.wrong + (t.row != t.rows);
        size_t at = 0, row = 0;
        party_csv_record rec;
        while (party_csv_next(&f, file + at, n - at, 1, &rec, fields) == PARTY_CSV_RECORD && row < t.rows) {
            wrong += rec.fields != t.cols;
            for (size_t c = 0; c < rec.fields && c < t.cols; c++) {
                uint8_t text[64];
                size_t len = party_csv_field_text(file + at, &fields[c], text);
                wrong += len != t.len[row][c] || memcmp(text, t.text[row][c], len) != 0;
            }
            at += rec.length;
            row++;
        }
        wrong += at != n || row != t.rows;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- Real lists: counts of their README, found with another tool ---- */

static void libcsv_count(int c, void *user)
{
    (void)c;
    ++*(size_t *)user;
}

static void test_real_lists(void)
{
    static const struct {
        const char *name;
        size_t rows;
    } lists[] = {{"sdn-2021-09-16.csv", 9135}, {"sdn-2023-12-20.csv", 13817}};
    const char *dir = unit_real_data();
    CU_ASSERT(PARTY_CSV_RECORD == 0);
    for (size_t i = 0; dir && i < 2; i++) {
        size_t len, at = 0, rows = 0, theirs = 0, columns = 0;
        char *p = unit_read(unit_path(dir, lists[i].name), &len);
        party_csv_record r;
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        while (party_csv_next(&comma, U(p) + at, len - at, 1, &r, fields) == PARTY_CSV_RECORD) {
            at += r.length;
            rows++;
            columns += r.fields;
        }
        CU_ASSERT_EQUAL(at, len);
        CU_ASSERT_EQUAL(rows, lists[i].rows + 1); /* and Ctrl-Z */
        CU_ASSERT_EQUAL(columns, lists[i].rows * 12 + 1);
        struct csv_parser parser;
        CU_ASSERT_FATAL(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
        CU_ASSERT_EQUAL(csv_parse(&parser, p, len, NULL, libcsv_count, &theirs), len);
        csv_fini(&parser, NULL, libcsv_count, &theirs);
        csv_free(&parser);
        CU_ASSERT_EQUAL(theirs, rows);
        free(p);
    }
}

/* Every byte at every place of a long field, for what is looked at eight bytes at a time. */
static void test_every_byte(void)
{
    static const char delimiters[] = ",\t|\x01~";
    static party_csv_field f[PARTY_FIELDS_MAX];
    party_csv_record r;
    unsigned wrong = 0;
    for (const char *d = delimiters; *d; d++)
        for (unsigned c = 0; c < 256; c++)
            for (uint32_t at = 1; at < 24; at++) {
                uint8_t text[32];
                party_csv_format format = {*d, PARTY_UTF8};
                memset(text, unit_below(2) ? 'a' : 0xe5, sizeof text);
                text[26] = '\n';
                text[at] = (uint8_t)c;
                enum party_csv_result got = party_csv_next(&format, text, 27, 1, &r, f);
                if (c == 0)
                    wrong += got != PARTY_CSV_NUL;
                else if (c == (uint8_t)*d)
                    wrong += got != PARTY_CSV_RECORD || r.fields != 2 || f[0].end != at || f[1].end != 26;
                else if (c == '\n' || c == '\r')
                    wrong += got != PARTY_CSV_RECORD || r.fields != 1 || f[0].end != at || r.length != at + 1;
                else
                    wrong += got != PARTY_CSV_RECORD || r.fields != 1 || f[0].end != 26;
                text[0] = text[25] = '"';
                got = party_csv_next(&format, text, 27, 1, &r, f);
                if (c == 0 || c == '"')
                    wrong += got != (c ? PARTY_CSV_BAD_QUOTE : PARTY_CSV_NUL);
                else
                    wrong += got != PARTY_CSV_RECORD || r.fields != 1 || f[0].end != 25 ||
                             r.lines != 1u + (c == '\n' || c == '\r');
            }
    CU_ASSERT_EQUAL(wrong, 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"cases", test_cases},           {"extents", test_extents},
        {"gb18030", test_gb18030},       {"limits", test_limits},
        {"pieces", test_pieces},         {"against_libcsv", test_against_libcsv},
        {"real_lists", test_real_lists}, {"every_byte", test_every_byte},
    };
    return unit_main(argc, argv, "csv", tests, sizeof tests / sizeof *tests);
}
