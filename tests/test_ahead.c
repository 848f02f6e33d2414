/* SPDX-License-Identifier: Apache-2.0 */
/* party/ahead and the turns in party/rows: several threads read what one would. */
#include "party/input.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tally_error error;

/* A list as people make them, and now and then one that is broken: its bytes, at most `room`. */
static size_t messy(char *out, size_t room, int faults)
{
    static const char *const ids[] = {"a",
                                      "b",
                                      "11010519491231002X",
                                      "440524188001010014",
                                      "\"a\"",
                                      "\"\"",
                                      "",
                                      "\"x\ny\"",
                                      "\"a\"\",\"",
                                      "b\"c\"",
                                      "\xff",
                                      "0123456789012345678901234567890123456789x"};
    static const char *const notes[] = {"",
                                        "x",
                                        "\"one\ntwo\nthree\"",
                                        "\"\r\n,\"",
                                        "\"a,\"\"b\"\"\n\"",
                                        "it's 5\" wide",
                                        "x,y",
                                        "plain words, as many as there are"};
    static const char *const ends[] = {"\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n\r\n\n"};
    static const char *const broken[] = {"\"a\"b,\n", "\"never closed,\n", "zero,\1\n", "\x1a\n"};
    size_t n =
        (size_t)snprintf(out, room, "%sid,note%s", unit_below(4) ? "" : "\xef\xbb\xbf", ends[unit_below(7)]);
    uint32_t rows = unit_below(120), kinds = 1 + unit_below(12), ending = unit_below(8);
    for (uint32_t i = 0; i < rows; i++) {
        const char *end = ends[ending < 7 ? ending : unit_below(7)];
        if (faults && unit_below(100) == 0) {
            n += (size_t)snprintf(out + n, room - n, "%s", broken[unit_below(4)]);
            char *one = memchr(out, 1, n);
            if (one)
                *one = 0;
        }
        n +=
            (size_t)snprintf(out + n, room - n, "%s,%s%s", ids[unit_below(kinds)], notes[unit_below(8)], end);
    }
    if (unit_below(3) == 0)
        n += (size_t)snprintf(out + n, room - n, "%s", unit_below(2) ? "\x1a" : "a,last");
    return n;
}

/* Everything there is to tell about a load, in one text. */
static char *told(const char *path, const char *rejects, size_t piece, unsigned threads, int gb18030)
{
    size_t rows, items, n = 0, room = 1u << 16;
    char *out = calloc(room, 1);
    CU_ASSERT_FATAL(out != NULL);
    tally_input *input = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL(tally_input_set_rejects_file(input, rejects, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_encoding(input, gb18030 ? "gb18030" : "utf-8", NULL), TALLY_OK);
    unlink(rejects);
    party_input_threads(input, threads);
    party_input_limits(piece, UINT32_MAX);
    error = (tally_error){.status = TALLY_OK};
    tally_status st = tally_input_load(input, &error);
    party_input_limits(1u << 20, UINT32_MAX);
    tally_input_stats s;
    tally_input_get_stats(input, &s);
    n += (size_t)snprintf(out + n, room - n, "%d [%s] [%s]\n", (int)st, error.message, error.hint);
    n += (size_t)snprintf(out + n, room - n, "%llu %llu %llu %llu;", (unsigned long long)s.rows,
                          (unsigned long long)s.accepted, (unsigned long long)s.rejected,
                          (unsigned long long)s.items);
    for (size_t i = 0; i < PARTY_REJECT_COUNT; i++)
        n += (size_t)snprintf(out + n, room - n, " %llu at %llu", (unsigned long long)s.by_reason[i],
                              (unsigned long long)s.first_line[i]);
    const party_row *r = party_input_rows(input, &rows);
    const psi_item *item = party_input_items(input, &items);
    for (size_t i = 0; !st && i < rows; i++)
        n += (size_t)snprintf(out + n, room - n, "\n%llu+%u %u/%u@%u", (unsigned long long)r[i].offset,
                              r[i].length, r[i].row, r[i].line, r[i].item);
    for (size_t i = 0; !st && i < items; i++)
        n += (size_t)snprintf(out + n, room - n, "\n%02x%02x%02x%02x", item[i].b[0], item[i].b[1],
                              item[i].b[30], item[i].b[31]);
    char *list = access(rejects, R_OK) == 0 ? unit_read(rejects, NULL) : NULL;
    n += (size_t)snprintf(out + n, room - n, "\n%s", list ? list : "no list");
    CU_ASSERT(n < room);
    free(list);
    tally_input_free(input);
    return out;
}

/* Whatever the pieces and the threads, the rows, their numbers, the rejects and the errors are those of one
 * thread that reads one record after the other (which pieces of 4 bytes lead to: no record fits). */
static void test_pieces(void)
{
    static const size_t pieces[] = {4, 9, 16, 40, 64, 150, 400, 1u << 20};
    const char *dir = unit_tmp(), *path = unit_path(dir, "messy.csv"), *rejects = unit_path(dir, "r.csv");
    static char text[1u << 15];
    unsigned wrong = 0, good = 0, bad = 0;
    for (int round = 0; round < 150; round++) {
        size_t n = messy(text, sizeof text, round % 3 == 0);
        CU_ASSERT_FATAL(n < sizeof text);
        unit_write(path, text, n);
        int gb18030 = round % 8 == 7;
        char *want = told(path, rejects, 4, 1, gb18030);
        good += *want == '0';
        bad += *want != '0';
        for (size_t i = 1; i < sizeof pieces / sizeof *pieces; i++) {
            char *got = told(path, rejects, pieces[i], 1 + unit_below(4), gb18030);
            if (strcmp(got, want) != 0 && !wrong++)
                printf("round %d, pieces of %zu:\n%s\n---- but not\n%s\n", round, pieces[i], got, want);
            free(got);
        }
        free(want);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(good > 50 && bad > 10);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"pieces", test_pieces}};
    return unit_main(argc, argv, "ahead", tests, sizeof tests / sizeof *tests);
}
