/* SPDX-License-Identifier: Apache-2.0 */
/* party/output and party/file: which bytes come out, what is refused, what faults leave behind. */
#include "party/csv.h"
#include "party/input.h"
#include "party/io.h"
#include "party/output.h"
#include "psi/mem.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tally_error error;

typedef struct setup {
    char dir[128], in[160], out[160];
    tally_input *input;
    uint8_t matched[64]; /* by item */
} setup;

static void start_bytes(setup *s, const void *data, size_t len, const char *key, int header,
                        enum party_encoding encoding)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "%s", unit_tmp());
    snprintf(s->in, sizeof s->in, "%s/in.csv", s->dir);
    snprintf(s->out, sizeof s->out, "%s/out.csv", s->dir);
    unit_write(s->in, data, len);
    s->input = unit_input(s->in, key, NULL);
    tally_input_set_header(s->input, header);
    s->input->format.encoding = encoding;
    CU_ASSERT_FATAL(tally_input_load(s->input, &error) == TALLY_OK);
}

static void start(setup *s, const char *text, const char *key, int header)
{
    start_bytes(s, text, strlen(text), key, header, PARTY_UTF8);
}

/* Marks the items of the rows (from 1) in the list, which ends with 0. */
static void match(setup *s, const unsigned *rows)
{
    size_t n;
    const party_row *r = party_input_rows(s->input, &n);
    for (; *rows; rows++)
        for (size_t i = 0; i < n; i++)
            if (r[i].row == *rows)
                s->matched[r[i].item / 8] = (uint8_t)(s->matched[r[i].item / 8] | 1u << (r[i].item % 8));
}

static tally_status run(setup *s, int overwrite, const char *const *columns, size_t count, uint64_t *rows)
{
    party_output *o = NULL;
    tally_status st = party_output_open(&o, s->out, overwrite, columns, count, s->input, &error);
    if (!st)
        st = party_output_write(o, s->matched, NULL, rows, &error);
    if (!st)
        st = party_output_commit(o, &error);
    party_output_free(o);
    return st;
}

static void finish(setup *s)
{
    tally_input_free(s->input);
}

static void expect_file(const char *path, const char *want)
{
    char *got = unit_read(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    if (strcmp(got, want) != 0)
        printf("got [%s]\n", got);
    CU_ASSERT_STRING_EQUAL(got, want);
    free(got);
}

static void expect(const char *text, const char *key, int header, const unsigned *match_rows, uint64_t count,
                   const char *want)
{
    setup s;
    uint64_t rows = 99;
    start(&s, text, key, header);
    match(&s, match_rows);
    CU_ASSERT_EQUAL(run(&s, 0, NULL, 0, &rows), TALLY_OK);
    CU_ASSERT_EQUAL(rows, count);
    expect_file(s.out, want);
    struct stat st;
    CU_ASSERT(stat(s.out, &st) == 0 && (st.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(unit_entries(s.dir), 2);
    finish(&s);
}

static void test_bytes(void)
{
    static const unsigned none[] = {0}, first[] = {1, 0}, last[] = {3, 0};
    /* duplicates come out all, in input order; blank lines and rejects do not */
    expect("id,x\nb,1\na,2\n\n,3\nb,4\n", "id:exact", 1, first, 2, "id,x\nb,1\nb,4\n");
    expect("id,x\na,1\n", "id:exact", 1, none, 0, "id,x\n");
    expect("id,x", "id:exact", 1, none, 0, "id,x");
    /* quotes, line ends and blanks as they are */
    expect("\"id\", x\r\n\"a\",\"q\"\"\r\n\"\r\nb,  2 \r\nc,\r\n", "id:exact", 1, first, 1,
           "\"id\", x\r\n\"a\",\"q\"\"\r\n\"\r\n");
    expect("id,x\na,1\r\nb,2\nc,3\r", "id:exact", 1, last, 1, "id,x\nc,3\r");
    /* a last row without line end gets the file's */
    expect("id,x\r\na,1\r\nb,2\r\nc,3", "id:exact", 1, last, 1, "id,x\r\nc,3\r\n");
    expect("a,1\rb,2\rc,3", "1:exact", 0, last, 1, "c,3\r");
    expect("a,1", "1:exact", 0, first, 1, "a,1");
    /* byte order mark in front of what comes first */
    expect("\xef\xbb\xbfid\na\nb\nc\n", "id:exact", 1, last, 1, "\xef\xbb\xbfid\nc\n");
    expect("\xef\xbb\xbf"
           "a\nb\nc\n",
           "1:exact", 0, last, 1,
           "\xef\xbb\xbf"
           "c\n");
    expect("\xef\xbb\xbf"
           "a\n",
           "1:exact", 0, none, 0, "");
    expect("", "1:exact", 0, none, 0, "");
    /* bytes that are no UTF-8 outside the key */
    expect("id,x\na,\xff\xfe\n", "id:exact", 1, first, 1, "id,x\na,\xff\xfe\n");
    expect("id\na\n\x1a", "id:exact", 1, first, 1, "id\na\n");
}

static void expect_columns(const char *text, int header, const char *const *columns, size_t count,
                           const char *want)
{
    setup s;
    uint64_t rows;
    start(&s, text, header ? "id:exact" : "1:exact", header);
    memset(s.matched, 0xff, sizeof s.matched);
    CU_ASSERT_EQUAL(run(&s, 0, columns, count, &rows), TALLY_OK);
    expect_file(s.out, want);
    finish(&s);
}

static void test_columns(void)
{
    static const char text[] = "id,\"n,ame\",x\r\na,\"A \"\"a\"\"\",\r\nb,\"B\n\",\"2\"\r\nc,C,3";
    static const char *const name[] = {"n,ame"}, *const both[] = {"x", "id"}, *const empty[] = {"x"},
                             *const numbers[] = {"3", "1"}, *const twice[] = {"id", "id"};
    expect_columns(text, 1, name, 1, "\"n,ame\"\r\n\"A \"\"a\"\"\"\r\n\"B\n\"\r\nC\r\n");
    expect_columns(text, 1, both, 2, "x,id\r\n,a\r\n2,b\r\n3,c\r\n");
    expect_columns(text, 1, empty, 1, "x\r\n\"\"\r\n2\r\n3\r\n");
    expect_columns("a,1,2\nb,3,4\n", 0, numbers, 2, "2,a\n4,b\n");
    expect_columns("\xef\xbb\xbfid,x\na,1\n", 1, twice, 2, "\xef\xbb\xbfid,id\na,a\n");
    setup s;
    uint64_t rows;
    static const char *const missing[] = {"id", "y"};
    start(&s, "id,x\na,1\n", "id:exact", 1);
    CU_ASSERT_EQUAL(run(&s, 0, missing, 2, &rows), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "has no column \"y\"; its columns: id, x"));
    CU_ASSERT_EQUAL(unit_entries(s.dir), 1);
    finish(&s);
    /* GB18030 stays GB18030; 81 7C needs no quotes */
    static const char *const gb[] = {"\xe5\xbc\xa0"};
    start_bytes(&s, "id,\xd5\xc5\na,\x81\x7c\n", 11, "id:exact", 1, PARTY_GB18030);
    s.matched[0] = 1;
    CU_ASSERT_EQUAL(run(&s, 0, gb, 1, &rows), TALLY_OK);
    expect_file(s.out, "\xd5\xc5\n\x81\x7c\n");
    finish(&s);
}

static void test_refused(void)
{
    setup s;
    uint64_t rows;
    start(&s, "id\na\n", "id:exact", 1);
    unit_write_text(s.out, "old");
    CU_ASSERT_EQUAL(run(&s, 0, NULL, 0, &rows), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "already exists"));
    expect_file(s.out, "old");
    CU_ASSERT_EQUAL(run(&s, 1, NULL, 0, &rows), TALLY_OK);
    expect_file(s.out, "id\n");
    static const struct {
        const char *path, *message;
    } t[] = {
        {"none/out.csv", "No such file"},
        {"", "not a regular file"},
        {"link", "not a regular file"},
        {"in.csv", "replace the input"},
    };
    CU_ASSERT_EQUAL(symlink("out.csv", unit_path(s.dir, "link")), 0);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        snprintf(s.out, sizeof s.out, "%s/%s", s.dir, t[i].path);
        CU_ASSERT_EQUAL(run(&s, 1, NULL, 0, &rows), TALLY_ERR_FILE);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, t[i].message));
    }
    expect_file(s.in, "id\na\n");
    CU_ASSERT_EQUAL(unit_entries(s.dir), 3);
    finish(&s);
    /* rows from memory have no file to copy from */
    tally_input *memory = unit_input(NULL, "id:exact", NULL);
    const tally_text a = {"a", 1};
    CU_ASSERT_EQUAL(tally_input_add_row(memory, &a, 1, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_load(memory, NULL), TALLY_OK);
    party_output *o = NULL;
    CU_ASSERT_EQUAL(party_output_open(&o, unit_path(s.dir, "m.csv"), 0, NULL, 0, memory, &error),
                    TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(o);
    tally_input_free(memory);
}

/* A file that appears at the path after opening is not replaced without overwrite; one without commit leaves
 * nothing. */
static void test_late(void)
{
    setup s;
    uint64_t rows = 7;
    party_output *o = NULL;
    start(&s, "id\na\n", "id:exact", 1);
    CU_ASSERT_EQUAL(party_output_open(&o, s.out, 0, NULL, 0, s.input, &error), TALLY_OK);
    CU_ASSERT_EQUAL(unit_entries(s.dir), 2);
    CU_ASSERT_EQUAL(access(s.out, F_OK), -1);
    CU_ASSERT_EQUAL(party_output_write(o, s.matched, NULL, &rows, &error), TALLY_OK);
    CU_ASSERT_EQUAL(rows, 0);
    unit_write_text(s.out, "somebody else's");
    CU_ASSERT_EQUAL(party_output_commit(o, &error), TALLY_ERR_FILE);
    party_output_free(o);
    expect_file(s.out, "somebody else's");
    CU_ASSERT_EQUAL(unit_entries(s.dir), 2);
    CU_ASSERT_EQUAL(party_output_open(&o, s.out, 1, NULL, 0, s.input, &error), TALLY_OK);
    party_cancel cancel = {.fd = -1};
    atomic_store(&cancel.raised, 1);
    s.matched[0] = 1;
    rows = 7;
    CU_ASSERT_EQUAL(party_output_write(o, s.matched, &cancel, &rows, &error), TALLY_ERR_INTERRUPTED);
    CU_ASSERT_EQUAL(rows, 7);
    party_output_free(o);
    CU_ASSERT_EQUAL(unit_entries(s.dir), 2);
    party_output_free(NULL);
    finish(&s);
}

/* The file is changed behind the library's back with size and time kept: the row itself tells. */
static void test_changed(void)
{
    static const char *const later[] = {"id,x\nb,1\nc,2\n", "id,x\na,1,c,2\n", "id,x\n,,1\nc,2\n",
                                        "id,x\n\"a1\nc,2\n"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        setup s;
        uint64_t rows = 7;
        start(&s, "id,x\na,1\nc,2\n", "id:exact", 1);
        static const unsigned all[] = {1, 2, 0};
        match(&s, all);
        const struct timespec times[2] = {s.input->seen.st_mtim, s.input->seen.st_mtim};
        FILE *f = fopen(s.in, "r+");
        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        fputs(later[i], f);
        fclose(f);
        CU_ASSERT_EQUAL(utimensat(-1, s.in, times, 0), 0);
        CU_ASSERT_EQUAL(party_input_unchanged(s.input, &error), TALLY_OK);
        CU_ASSERT_EQUAL(run(&s, 0, NULL, 0, &rows), TALLY_ERR_INPUT_CHANGED);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "no longer what was read"));
        CU_ASSERT_EQUAL(rows, 7);
        CU_ASSERT_EQUAL(unit_entries(s.dir), 1);
        finish(&s);
    }
}

/* A row longer than the window, rows across its end: what comes out is what goes in, whole or every third
 * row. */
static void test_large(void)
{
    enum { ROWS = 30000, LONG = 600000 };
    size_t len = 0, wanted = 0, room = LONG + ROWS * 24 + 64;
    char *text = malloc(room), *want = malloc(room);
    setup s;
    CU_ASSERT_FATAL(text && want);
    for (unsigned i = 0; i < ROWS; i++) {
        size_t begin = len;
        len += (size_t)snprintf(text + len, room - len, "k%u,%u", i, i * 7);
        if (i == 15000) {
            memset(text + len, 'x', LONG);
            len += LONG;
        }
        text[len++] = '\n';
        if (i % 3 == 0) {
            memcpy(want + wanted, text + begin, len - begin);
            wanted += len - begin;
        }
    }
    for (unsigned every = 1; every <= 3; every += 2) {
        uint64_t rows = 0;
        size_t n, got_len;
        start_bytes(&s, text, len, "1:exact", 0, PARTY_UTF8);
        const party_row *r = party_input_rows(s.input, &n);
        uint8_t *matched = calloc(ROWS / 8 + 1, 1);
        CU_ASSERT_FATAL(matched && n == ROWS);
        for (size_t i = 0; i < n; i += every)
            matched[r[i].item / 8] = (uint8_t)(matched[r[i].item / 8] | 1u << (r[i].item % 8));
        party_output *o = NULL;
        CU_ASSERT_FATAL(party_output_open(&o, s.out, 0, NULL, 0, s.input, &error) == TALLY_OK);
        CU_ASSERT_EQUAL(party_output_write(o, matched, NULL, &rows, &error), TALLY_OK);
        CU_ASSERT_EQUAL(party_output_commit(o, &error), TALLY_OK);
        party_output_free(o);
        CU_ASSERT_EQUAL(rows, ROWS / every);
        char *got = unit_read(s.out, &got_len);
        CU_ASSERT(got && got_len == (every == 1 ? len : wanted));
        CU_ASSERT(got && memcmp(got, every == 1 ? text : want, got_len) == 0);
        free(got);
        free(matched);
        finish(&s);
    }
    free(want);
    free(text);
}

static void test_stdout(void)
{
    setup s;
    uint64_t rows;
    start(&s, "id\na\nb\n", "id:exact", 1);
    static const unsigned second[] = {2, 0};
    match(&s, second);
    char copy[160];
    snprintf(copy, sizeof copy, "%s/copy", s.dir);
    snprintf(s.out, sizeof s.out, "-");
    fflush(stdout);
    int old = dup(STDOUT_FILENO);
    FILE *f = fopen(copy, "wb");
    CU_ASSERT_FATAL(old >= 0 && f);
    dup2(fileno(f), STDOUT_FILENO);
    tally_status st = run(&s, 0, NULL, 0, &rows);
    dup2(old, STDOUT_FILENO);
    close(old);
    fclose(f);
    CU_ASSERT_EQUAL(st, TALLY_OK);
    expect_file(copy, "id\nb\n");
    CU_ASSERT_EQUAL(unit_entries(s.dir), 2);
    finish(&s);
}

static void test_file_write(void)
{
    const char *dir = unit_tmp();
    char path[400], name[240];
    snprintf(path, sizeof path, "%s/summary.json", dir);
    CU_ASSERT_EQUAL(party_file_write(path, "{}", 2, &error), TALLY_OK);
    expect_file(path, "{}");
    CU_ASSERT_EQUAL(chmod(path, 0644), 0);
    CU_ASSERT_EQUAL(party_file_write(path, "", 0, &error), TALLY_OK);
    expect_file(path, "");
    struct stat st;
    CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    /* the longest name that the folder takes has a temporary name too */
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CU_ASSERT_EQUAL(party_file_write(path, "x", 1, &error), TALLY_OK);
    expect_file(path, "x");
    CU_ASSERT_EQUAL(unit_entries(dir), 2);
    CU_ASSERT_EQUAL(party_file_write(dir, "x", 1, &error), TALLY_ERR_FILE);
    /* without a folder in the path: the working folder */
    char *old = getcwd(NULL, 0);
    CU_ASSERT_FATAL(old && chdir(dir) == 0);
    CU_ASSERT_EQUAL(party_file_write("plain", "y", 1, &error), TALLY_OK);
    CU_ASSERT_EQUAL(chdir(old), 0);
    free(old);
    expect_file(unit_path(dir, "plain"), "y");
}

/* Each allocation and each system call fails in turn: the exact code, and no file. */
static void test_faults(void)
{
    static const char *const columns[] = {"x", "id"};
    for (int how = 0; how < 8; how++) {
        int io = how & 1, picked = how >> 1 & 1, full = how >> 2;
        unsigned long n = 1;
        for (;; n++) {
            setup s;
            uint64_t rows;
            start(&s, "id,x\na,1\nb,2\na,3\n", "id:exact", 1);
            static const unsigned first[] = {1, 0};
            match(&s, first);
            unsigned before = unit_descriptors();
            if (io)
                party_io_fail_at(n, full ? ENOSPC : EIO);
            else
                psi_mem_fail_at(n);
            error = (tally_error){.status = TALLY_OK};
            tally_status st = run(&s, 0, columns, picked ? 2 : 0, &rows);
            unsigned long made = io ? party_io_count() : psi_mem_count();
            party_io_fail_at(0, 0);
            psi_mem_fail_at(0);
            CU_ASSERT_EQUAL(unit_descriptors(), before);
            if (made < n) {
                CU_ASSERT_EQUAL(st, TALLY_OK);
                expect_file(s.out, picked ? "x,id\n1,a\n3,a\n" : "id,x\na,1\na,3\n");
                finish(&s);
                break;
            }
            CU_ASSERT_EQUAL(st, io ? TALLY_ERR_FILE : TALLY_ERR_NO_MEMORY);
            CU_ASSERT_EQUAL(error.status, st);
            CU_ASSERT(!io || !full || strstr(error.message, "disk full"));
            CU_ASSERT(!io || strstr(error.message, s.dir));
            CU_ASSERT_EQUAL(unit_entries(s.dir), 1);
            finish(&s);
        }
        CU_ASSERT(n > 6);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"bytes", test_bytes},   {"columns", test_columns},       {"refused", test_refused},
        {"late", test_late},     {"changed", test_changed},       {"large", test_large},
        {"stdout", test_stdout}, {"file_write", test_file_write}, {"faults", test_faults},
    };
    return unit_main(argc, argv, "output", tests, sizeof tests / sizeof *tests);
}
