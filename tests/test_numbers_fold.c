/* SPDX-License-Identifier: Apache-2.0 */
/* party/numbers against a plain recomputation, with threads and pieces of the file; want of memory. */
#include "party/input.h"
#include "psi/mem.h"
#include "psi/wide.h"
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

enum {
    ok = PARTY_ACCEPTED,
    no_value = PARTY_REJECT_NO_VALUE,
    not_number = PARTY_REJECT_NOT_NUMBER,
    decimals = PARTY_REJECT_DECIMALS
};

static const int64_t hundred[] = {0, 100};

/* ---- Against a plain recomputation ---- */

enum { ROWS_MOST = 3000, KINDS_MOST = 2000, TINY = 5 }; /* cells have up to TINY decimals */

/* One file as it should be read: value v (scale 2), value w (scale 0), own band x (scale 1), band of v (scale
 * 3). Sums are kept at TINY decimals. */
typedef struct model {
    int64_t low, high; /* of v, at scale 2 */
    enum tally_duplicates rule;
    int clip;
    size_t rows, accepted, left; /* left: line on which v left its range, or the second row; 0: none */
    uint64_t by_reason[PARTY_REJECT_COUNT];
    uint64_t clipped;
    uint32_t kind[ROWS_MOST]; /* of the accepted rows */
    struct {
        int seen;
        psi_wide v, w, x;
    } item[KINDS_MOST];
} model;

static const int64_t x_edges[] = {-25, 0, 5, 100}, v_edges[] = {-1000, -5, 0, 15, 99999};

/* Writes n / 10^TINY as people do. */
static size_t spell(char *out, size_t room, int64_t n)
{
    static const char *const before[] = {"", "", "", " ", "\t", "  "}, *const after[] = {"", "", "", " ",
                                                                                         "\t"};
    uint64_t m = (uint64_t)(n < 0 ? -n : n);
    char digits[64], sign[2] = "";
    size_t len = (size_t)snprintf(digits, sizeof digits, "%0*" PRIu64 ".%05" PRIu64, (int)unit_below(4),
                                  m / 100000, m % 100000);
    uint32_t how = unit_below(4);
    if (how == 0) /* more zeros */
        len += (size_t)snprintf(digits + len, sizeof digits - len, "%0*d", 1 + (int)unit_below(20), 0);
    else if (how < 3) {
        while (digits[len - 1] == '0')
            digits[--len] = 0;
        if (digits[len - 1] == '.' && unit_below(4))
            digits[--len] = 0;
    }
    if (n < 0 || (n == 0 && unit_below(4) == 0))
        sign[0] = '-';
    else if (unit_below(4) == 0)
        sign[0] = '+';
    const char *quote = unit_below(4) ? "" : "\"", *from = digits;
    if (m < 100000 && len > 1 && digits[0] == '0' && digits[1] == '.' && len > 2 && unit_below(2))
        from++; /* .5 */
    return (size_t)snprintf(out, room, "%s%s%s%s%s%s", quote, before[unit_below(6)], sign, from,
                            after[unit_below(5)], quote);
}

/* A cell: its number at TINY decimals, or its reason. */
static int cell(char *out, size_t *n, int64_t *number, unsigned places, int messy)
{
    static const char *const wrong[] = {"x", "1e3", "-", "1,0", "\xef\xbc\x91", "12a", "1 2", "."};
    static const char *const empty[] = {"", " ", "\"\"", "\" \t\""};
    uint32_t how = messy ? unit_below(60) : 5;
    if (how == 0) {
        *n += (size_t)snprintf(out + *n, 128, "%s", empty[unit_below(4)]);
        return no_value;
    }
    if (how == 1) {
        const char *text = wrong[unit_below(8)];
        *n += (size_t)snprintf(out + *n, 128, strchr(text, ',') ? "\"%s\"" : "%s", text);
        return not_number;
    }
    static const int64_t power[] = {100000, 10000, 1000, 100, 10, 1};
    int64_t size = (int64_t)1 << unit_below(24);
    *number = ((int64_t)unit_below((uint32_t)size) - size / 3) * power[places];
    if (messy && unit_below(30) == 0)
        *number += (int64_t)unit_below(100000);
    *n += spell(out + *n, 128, *number);
    return ok;
}

/* The reason for which value n (at TINY decimals) is rejected; clips it. */
static int judge(model *m, int64_t *n, int64_t low, int64_t high, int64_t unit, uint64_t *clipped)
{
    if (*n % unit)
        return decimals;
    if (*n >= low * unit && *n <= high * unit)
        return ok;
    if (!m->clip)
        return PARTY_REJECT_RANGE;
    *n = *n < low * unit ? low * unit : high * unit;
    ++*clipped;
    return ok;
}

static psi_wide joined(const model *m, psi_wide a, psi_wide b)
{
    return m->rule == TALLY_DUPLICATES_MAX ? (a > b ? a : b) : a + b;
}

enum { W_LOW = -100, W_HIGH = 1 << 20 };

static void take_row(model *m, uint32_t kind, size_t line, const int64_t n[3])
{
    m->kind[m->accepted++] = kind;
    if (m->item[kind].seen && m->rule == TALLY_DUPLICATES_REFUSE && !m->left)
        m->left = line;
    if (!m->item[kind].seen) {
        m->item[kind].v = n[0];
        m->item[kind].w = n[1];
        m->item[kind].x = n[2];
    } else {
        m->item[kind].v = joined(m, m->item[kind].v, n[0]);
        m->item[kind].w = joined(m, m->item[kind].w, n[1]);
        m->item[kind].x = joined(m, m->item[kind].x, n[2]);
    }
    m->item[kind].seen = 1;
    psi_wide v = m->item[kind].v, w = m->item[kind].w;
    int out = v < (psi_wide)m->low * 1000 || v > (psi_wide)m->high * 1000 || w < (psi_wide)W_LOW * 100000 ||
              w > (psi_wide)W_HIGH * 100000;
    if (out && !m->clip && !m->left)
        m->left = line;
}

static psi_wide ends(model *m, psi_wide n, int64_t low, int64_t high)
{
    m->clipped += n < low || n > high;
    return n < low ? low : n > high ? high : n;
}

/* Makes a file and its model. Returns its bytes. */
static size_t make(model *m, char *out)
{
    size_t n = (size_t)snprintf(out, 64, "v,id,x,w\n");
    memset(m, 0, sizeof *m);
    m->rows = unit_below(unit_below(4) ? 200 : ROWS_MOST);
    uint32_t kinds = 1 + unit_below(unit_below(2) ? 50 : KINDS_MOST), tight = unit_below(3);
    int messy = unit_below(4) != 0;
    m->rule = (enum tally_duplicates)(1 + unit_below(unit_below(3) ? 2 : 3));
    m->clip = (int)unit_below(2);
    m->high = tight == 0 ? 100000 : (int64_t)1 << (tight == 1 ? 30 : 40);
    m->low = tight == 0 ? -10000 : -m->high;
    for (size_t r = 0; r < m->rows; r++) {
        int64_t number[3] = {0, 0, 0};
        uint32_t kind = unit_below(kinds);
        uint64_t clipped = 0;
        int no_id = unit_below(50) == 0, v, w, x;
        v = cell(out, &n, &number[0], 2, messy);
        n += (size_t)snprintf(out + n, 32, no_id ? ",," : ",k%u,", kind);
        x = cell(out, &n, &number[2], 1 + unit_below(TINY), messy);
        out[n++] = ',';
        w = cell(out, &n, &number[1], 0, messy);
        n += (size_t)snprintf(out + n, 8, "%s", unit_below(2) ? "\n" : "\r\n");
        int reason = no_id ? PARTY_REJECT_EMPTY : v;
        if (reason == ok)
            reason = judge(m, &number[0], m->low, m->high, 1000, &clipped);
        if (reason == ok && (reason = w) == ok)
            reason = judge(m, &number[1], W_LOW, W_HIGH, 100000, &clipped);
        if (reason == ok)
            reason = x;
        if (reason != ok) {
            m->by_reason[reason]++;
            continue;
        }
        m->clipped += clipped;
        take_row(m, kind, r + 2, number);
    }
    for (uint32_t k = 0; m->clip && k < KINDS_MOST; k++)
        if (m->item[k].seen) {
            m->item[k].v = ends(m, m->item[k].v, m->low * 1000, m->high * 1000);
            m->item[k].w = ends(m, m->item[k].w, (int64_t)W_LOW * 100000, (int64_t)W_HIGH * 100000);
        }
    return n;
}

/* Band of a number with TINY decimals among edges with `scale`. */
static int64_t plain_band(psi_wide n, const int64_t *edges, size_t count, unsigned scale)
{
    for (size_t e = 0; e + 1 < count; e++) {
        psi_wide low = edges[e], high = edges[e + 1];
        for (unsigned s = scale; s < TINY; s++) {
            low *= 10;
            high *= 10;
        }
        if (n >= low && n < high)
            return (int64_t)e;
    }
    return (int64_t)count - 1;
}

static size_t differs(const model *m, const tally_input *input)
{
    size_t wrong = 0, rows, columns;
    const party_row *row = party_input_rows(input, &rows);
    const int64_t *numbers = party_input_numbers(input, &columns);
    if (rows != m->accepted || columns != 4 || !numbers)
        return 1;
    for (size_t r = 0; r < rows; r++) {
        const int64_t *n = numbers + row[r].item * columns;
        uint32_t k = m->kind[r];
        wrong += n[0] * 1000 != m->item[k].v || n[1] * 100000 != m->item[k].w ||
                 n[2] != plain_band(m->item[k].x, x_edges, 4, 1) ||
                 n[3] != plain_band(m->item[k].v, v_edges, 5, 3);
    }
    return wrong;
}

/* Loads the file with that many threads and pieces of that size; what differs from the model. */
static size_t check(const model *m, const char *path, unsigned threads, size_t piece)
{
    char want[64];
    size_t wrong = 0;
    tally_input *input = unit_input(path, "id:exact", NULL);
    value(input, "v", m->low, m->high, 2);
    band(input, "x", 1, 4, x_edges);
    band(input, "v", 3, 5, v_edges);
    value(input, "w", W_LOW, W_HIGH, 0);
    tally_input_set_duplicates(input, m->rule);
    tally_input_set_clip(input, m->clip);
    party_input_threads(input, threads);
    party_input_limits(piece, UINT32_MAX);
    tally_status st = tally_input_load(input, &error);
    party_input_limits(1u << 20, UINT32_MAX);
    tally_input_stats s = stats_of(input);
    int all_rejected = m->rows && !m->accepted;
    for (size_t i = 0; i < PARTY_REJECT_COUNT; i++)
        wrong += s.by_reason[i] != m->by_reason[i];
    wrong += s.rows != m->rows || s.accepted != m->accepted;
    if (m->left || all_rejected) {
        snprintf(want, sizeof want, "line %zu: ", m->left);
        wrong += st != TALLY_ERR_INPUT || (!all_rejected && !strstr(error.message, want));
    } else {
        wrong += st != TALLY_OK || s.clipped != m->clipped || differs(m, input);
    }
    tally_input_free(input);
    return wrong;
}

static void test_against_plain(void)
{
    static const size_t pieces[] = {64, 333, 5000, 1u << 20};
    static char text[ROWS_MOST * 400];
    static model m;
    const char *path = unit_path(unit_tmp(), "messy.csv");
    unsigned good = 0, left = 0, clipped = 0, wrong = 0;
    for (int round = 0; round < 120; round++) {
        size_t n = make(&m, text);
        CU_ASSERT_FATAL(n < sizeof text);
        unit_write(path, text, n);
        good += !m.left;
        left += m.left != 0;
        clipped += m.clipped != 0;
        for (unsigned threads = 1; threads <= 4; threads *= 2)
            for (size_t i = 0; i < 4; i++)
                if (check(&m, path, threads, pieces[i]) && !wrong++)
                    printf("round %d, %u threads, pieces of %zu: %s\n", round, threads, pieces[i],
                           error.message);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    if (!(good > 20 && left > 10 && clipped > 10))
        printf("%u good, %u left their range, %u clipped\n", good, left, clipped);
    CU_ASSERT(good > 20 && left > 10 && clipped > 10);
}

/* ---- Faults ---- */

/* Each allocation fails in turn while a file is read, and while rows are added and folded. */
static void test_faults(void)
{
    static const char text[] = "id,v,b\na,1,5\nb,2,7\n,3,3\na,4,101\nc,x,1\nd,6,6\n";
    const char *path = file_of(text);
    unsigned before = unit_descriptors();
    for (int rule = TALLY_DUPLICATES_SUM; rule <= TALLY_DUPLICATES_REFUSE; rule++)
        for (unsigned long n = 1, made = n; made >= n; n++) {
            tally_input *input = unit_input(path, "id:exact", NULL);
            value(input, "v", 0, 100, 0);
            band(input, "b", 0, 2, hundred);
            tally_input_set_duplicates(input, (enum tally_duplicates)rule);
            party_input_threads(input, 2);
            party_input_limits(16, UINT32_MAX);
            psi_mem_fail_at(n);
            tally_status st = tally_input_load(input, &error);
            made = psi_mem_count();
            psi_mem_fail_at(0);
            if (made >= n)
                CU_ASSERT(st == TALLY_ERR_NO_MEMORY && error.status == st && !input->numbers &&
                          !input->item_numbers);
            st = tally_input_load(input, &error);
            party_input_limits(1u << 20, UINT32_MAX);
            CU_ASSERT_EQUAL(st, rule == TALLY_DUPLICATES_REFUSE ? TALLY_ERR_INPUT : TALLY_OK);
            if (!st)
                CU_ASSERT_STRING_EQUAL(shape(input), rule == TALLY_DUPLICATES_SUM ? "5,1 2,0 5,1 6,0 "
                                                                                  : "4,1 2,0 4,1 6,0 ");
            tally_input_free(input);
        }
    CU_ASSERT_EQUAL(unit_descriptors(), before);
    for (unsigned long n = 1, made = n; made >= n; n++) {
        tally_input *input = NULL;
        tally_status st = TALLY_OK;
        psi_mem_fail_at(n);
        if (tally_input_new(&input, &error) == TALLY_OK) {
            st = tally_input_add_key(input, "id", NULL, &error);
            if (!st)
                st = tally_input_add_value(input, "v", 0, 1000, 0, &error);
            if (!st)
                st = tally_input_add_band(input, "b", hundred, 2, 0, &error);
            for (int64_t i = 0; !st && i < 100; i++) {
                const int64_t numbers[] = {i, i};
                const char id = (char)('a' + i % 20);
                st = tally_input_add_row_numbers(input, &(tally_text){&id, 1}, 1, numbers, 2, &error);
            }
            if (!st)
                st = tally_input_load(input, &error);
        }
        made = psi_mem_count();
        psi_mem_fail_at(0);
        CU_ASSERT_EQUAL(input ? st : error.status, made >= n ? TALLY_ERR_NO_MEMORY : TALLY_OK);
        if (made < n)
            CU_ASSERT(st == TALLY_OK && n > 12 && number(input, 0, 0) == 200 && number(input, 0, 1) == 1);
        if (st && input && input->row_count == 100) { /* folding again is no harm */
            CU_ASSERT_EQUAL(tally_input_load(input, &error), TALLY_OK);
            CU_ASSERT(number(input, 99, 0) == 19 + 39 + 59 + 79 + 99 && number(input, 0, 1) == 1);
        }
        tally_input_free(input);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"against_plain", test_against_plain}, {"faults", test_faults}};
    return unit_main(argc, argv, "numbers_fold", tests, sizeof tests / sizeof *tests);
}
