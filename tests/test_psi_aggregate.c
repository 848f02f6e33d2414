/* SPDX-License-Identifier: Apache-2.0 */
/* What a sum is made of, against plain computations: columns, bounds, merging of small cells, texts. */
#include "psi/aggregate.h"
#include "tests/unit.h"

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (((int64_t)1 << 48) - 1)
enum {
    COLUMNS = 1 + 2 * PSI_AGG_VALUES_MAX + PSI_AGG_BANDED_MAX * PSI_AGG_CELLS_MAX * (1 + PSI_AGG_VALUES_MAX)
};

static int64_t random_value(void)
{
    uint64_t v = 0;
    unit_random(&v, 6);
    v >>= unit_below(48);
    return unit_below(2) ? (int64_t)v : -(int64_t)v;
}

static void random_form(psi_aggregate *a)
{
    memset(a, 0, sizeof *a);
    a->values = unit_below(PSI_AGG_VALUES_MAX + 1);
    a->banded = unit_below(PSI_AGG_BANDED_MAX + 1);
    a->ones = (int)unit_below(2);
    a->outside = (int)unit_below(2);
    for (size_t v = 0; v < a->values; v++) {
        int64_t x = random_value(), y = random_value();
        a->value[v].min = x < y ? x : y;
        a->value[v].max = x < y ? y : x;
    }
    for (size_t k = 0; k < a->banded; k++)
        a->cells[k] = 2 + unit_below(PSI_AGG_CELLS_MAX - 1);
}

/* The columns of a form in their order, written down from the head of psi/aggregate.h. */
static size_t list_columns(const psi_aggregate *a, psi_agg_column out[COLUMNS])
{
    size_t n = 0;
    if (a->ones)
        out[n++] = (psi_agg_column){PSI_AGG_ONES, 0, 0, 0};
    for (size_t v = 0; v < a->values; v++) {
        out[n++] = (psi_agg_column){PSI_AGG_VALUE, v, 0, 0};
        out[n++] = (psi_agg_column){PSI_AGG_SQUARE, v, 0, 0};
    }
    for (size_t k = 0; k < a->banded; k++)
        for (size_t i = 0; i < a->cells[k] - !a->outside; i++) {
            out[n++] = (psi_agg_column){PSI_AGG_CELL, 0, k, i};
            for (size_t v = 0; v < a->values; v++)
                out[n++] = (psi_agg_column){PSI_AGG_CELL_VALUE, v, k, i};
        }
    return n;
}

/* ---- Columns ----------------------------------------------------------------------------------------- */

static void check_numbering(const psi_aggregate *a)
{
    static psi_agg_column want[COLUMNS];
    size_t n = list_columns(a, want);
    unsigned wrong = 0;
    CU_ASSERT_EQUAL_FATAL(psi_agg_columns(a), n);
    for (size_t c = 0; c < n; c++) {
        psi_agg_column w = psi_agg_what(a, c);
        size_t back = 0;
        wrong += w.kind != want[c].kind || w.value != want[c].value || w.banded != want[c].banded ||
                 w.cell != want[c].cell;
        if (w.kind == PSI_AGG_VALUE || w.kind == PSI_AGG_SQUARE)
            back = psi_agg_value_column(a, w.value, w.kind == PSI_AGG_SQUARE);
        else if (w.kind != PSI_AGG_ONES)
            back = psi_agg_cell_column(a, w.banded, w.cell, w.kind == PSI_AGG_CELL ? a->values : w.value);
        wrong += back != c;
    }
    for (size_t k = 0; k < a->banded; k++)
        for (size_t i = 0; i < a->cells[k] + 2; i++)
            wrong +=
                psi_agg_cell_sent(a, k, i) != (i + 1 < a->cells[k] || (i + 1 == a->cells[k] && a->outside));
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_numbering(void)
{
    psi_aggregate a = {0};
    CU_ASSERT_EQUAL(psi_agg_columns(&a), 0);
    for (int round = 0; round < 500; round++) {
        random_form(&a);
        check_numbering(&a);
    }
    /* All small forms. */
    for (int i = 0; i < 4 * 4 * 3 * 3; i++) {
        a = (psi_aggregate){.ones = i & 1,
                            .outside = i >> 1 & 1,
                            .values = (size_t)(i >> 2 & 3),
                            .banded = (size_t)(i / 16 % 3),
                            .cells = {2 + (size_t)(i / 48), 2}};
        check_numbering(&a);
    }
    a = (psi_aggregate){.values = PSI_AGG_VALUES_MAX,
                        .banded = PSI_AGG_BANDED_MAX,
                        .cells = {33, 33, 33, 33},
                        .ones = 1,
                        .outside = 1};
    check_numbering(&a);
    CU_ASSERT_EQUAL(psi_agg_columns(&a), COLUMNS);
}

/* ---- Integers ---------------------------------------------------------------------------------------- */

/* By the definition. */
static psi_wide plain(const psi_aggregate *a, psi_agg_column w, const int64_t *numbers)
{
    psi_wide v = w.kind == PSI_AGG_ONES || w.kind == PSI_AGG_CELL ? 1 : numbers[w.value];
    if (w.kind == PSI_AGG_SQUARE)
        return v * v;
    if (w.kind == PSI_AGG_CELL || w.kind == PSI_AGG_CELL_VALUE)
        return numbers[a->values + w.banded] == (int64_t)w.cell ? v : 0;
    return v;
}

/* Values of their ranges, also their ends; cells of their columns. */
static void random_row(const psi_aggregate *a, int64_t *numbers)
{
    for (size_t v = 0; v < a->values; v++) {
        uint64_t span = (uint64_t)(a->value[v].max - a->value[v].min), x = 0;
        unit_random(&x, 8);
        uint32_t which = unit_below(4);
        numbers[v] = which == 0   ? a->value[v].min
                     : which == 1 ? a->value[v].max
                                  : a->value[v].min + (int64_t)(x % (span + 1));
    }
    for (size_t k = 0; k < a->banded; k++)
        numbers[a->values + k] = (int64_t)unit_below((uint32_t)a->cells[k]);
}

static void check_row(const psi_aggregate *a, const int64_t *numbers)
{
    static psi_agg_column columns[COLUMNS];
    size_t n = list_columns(a, columns);
    unsigned wrong = 0;
    for (size_t c = 0; c < n; c++) {
        psi_wide v = psi_agg_integer(a, columns[c], numbers), min = 1, max = -1;
        psi_agg_range(a, c, &min, &max);
        wrong += v != plain(a, columns[c], numbers);
        wrong += v < min || v > max || min > 0 || max < 0; /* 0 is a dummy's */
        psi_uwide size = v < 0 ? (psi_uwide)-v : (psi_uwide)v;
        wrong += size > psi_agg_sensitivity(a, c);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_integers(void)
{
    psi_aggregate a;
    int64_t numbers[PSI_AGG_VALUES_MAX + PSI_AGG_BANDED_MAX];
    for (int round = 0; round < 300; round++) {
        random_form(&a);
        for (int i = 0; i < 5; i++) {
            random_row(&a, numbers);
            check_row(&a, numbers);
        }
    }
    /* Cells far beyond those there are match none of them. */
    a = (psi_aggregate){.values = 1, .value = {{-LIMIT, LIMIT}}, .banded = 1, .cells = {33}, .outside = 1};
    static const int64_t values[] = {-LIMIT, -1, 0, 1, LIMIT};
    static const int64_t cells[] = {0, 1, 31, 32, 33, 255, 256, 1ll << 31, 1ll << 32, 1ll << 62, INT64_MAX};
    for (size_t v = 0; v < 5; v++)
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
            numbers[0] = values[v];
            numbers[1] = cells[i];
            check_row(&a, numbers);
        }
}

/* The bounds are reached: by the ends of the ranges. */
static void test_bounds_are_tight(void)
{
    static const int64_t ranges[][2] = {{-LIMIT, LIMIT}, {3, 7}, {-7, -3}, {-2, 9}, {-9, 2}, {0, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        psi_aggregate a = {.values = 1,
                           .value = {{ranges[i][0], ranges[i][1]}},
                           .banded = 1,
                           .cells = {2},
                           .ones = 1,
                           .outside = 1};
        for (size_t c = 0; c < psi_agg_columns(&a); c++) {
            psi_agg_column w = psi_agg_what(&a, c);
            psi_wide min = 0, max = 0, least = 0, most = 0;
            psi_agg_range(&a, c, &min, &max);
            for (int e = 0; e < 2; e++) {
                int64_t numbers[2] = {ranges[i][e], (int64_t)w.cell};
                psi_wide v = plain(&a, w, numbers);
                least = v < least ? v : least;
                most = v > most ? v : most;
            }
            CU_ASSERT(min == least && max == most);
            CU_ASSERT(psi_agg_sensitivity(&a, c) == (psi_uwide)(-least > most ? -least : most));
        }
    }
}

/* One person is in as many figures as a row without zeros has. */
static void test_parts(void)
{
    psi_aggregate a;
    int64_t numbers[PSI_AGG_VALUES_MAX + PSI_AGG_BANDED_MAX];
    for (int round = 0; round < 100; round++) {
        uint64_t parts = 0;
        random_form(&a);
        a.ones = 1;
        for (size_t v = 0; v < a.values; v++)
            numbers[v] = 1 + (int64_t)v;
        for (size_t k = 0; k < a.banded; k++)
            numbers[a.values + k] = (int64_t)unit_below((uint32_t)a.cells[k] - 1);
        for (size_t c = 0; c < psi_agg_columns(&a); c++)
            parts += plain(&a, psi_agg_what(&a, c), numbers) != 0;
        CU_ASSERT_EQUAL(psi_agg_parts(&a), parts);
    }
}

/* ---- What can be ------------------------------------------------------------------------------------- */

typedef struct sums {
    psi_aggregate a;
    psi_wide count, sum[COLUMNS];
    uint8_t known[COLUMNS];
} sums;

static void random_sums(sums *s, size_t rows)
{
    int64_t numbers[PSI_AGG_VALUES_MAX + PSI_AGG_BANDED_MAX];
    random_form(&s->a);
    s->count = (psi_wide)rows;
    memset(s->sum, 0, sizeof s->sum);
    memset(s->known, 1, sizeof s->known);
    for (size_t r = 0; r < rows; r++) {
        random_row(&s->a, numbers);
        for (size_t c = 0; c < psi_agg_columns(&s->a); c++)
            s->sum[c] += plain(&s->a, psi_agg_what(&s->a, c), numbers);
    }
}

static int can_be(const sums *s)
{
    size_t bad = SIZE_MAX;
    return psi_agg_plausible(&s->a, s->count, s->sum, s->known, &bad);
}

/* 1 if the sums with one replaced are refused for it, and pass when that one is not known. */
static int refuses(sums *s, size_t c, psi_wide value)
{
    size_t bad = SIZE_MAX;
    psi_wide kept = s->sum[c];
    s->sum[c] = value;
    int refused = !psi_agg_plausible(&s->a, s->count, s->sum, s->known, &bad) && bad == c;
    s->known[c] = 0;
    refused &= can_be(s);
    s->known[c] = 1;
    s->sum[c] = kept;
    return refused;
}

static psi_wide wide_square(int64_t v)
{
    return (psi_wide)v * v;
}

/* Sums of column c that no rows have: number of them in out. */
static size_t impossible(const sums *s, size_t c, psi_wide out[3])
{
    const psi_aggregate *a = &s->a;
    psi_agg_column w = psi_agg_what(a, c);
    psi_wide low = a->value[w.value].min, high = a->value[w.value].max, rows = s->count;
    size_t n = 0;
    switch (w.kind) {
    case PSI_AGG_ONES:
        out[n++] = rows - 1;
        out[n++] = rows + 1;
        break;
    case PSI_AGG_VALUE:
        out[n++] = rows * low - 1;
        out[n++] = rows * high + 1;
        break;
    case PSI_AGG_SQUARE: {
        psi_wide most = wide_square((int64_t)low), other = wide_square((int64_t)high);
        out[n++] = -1;
        out[n++] = rows * (most > other ? most : other) + 1;
        /* below the squared sum over the count; |sum| < 2^54, so its square fits */
        psi_wide squared = s->sum[c - 1] * s->sum[c - 1];
        if (squared)
            out[n++] = (squared + rows - 1) / rows - 1;
        break;
    }
    case PSI_AGG_CELL:
        out[n++] = -1;
        out[n++] = rows + 1;
        break;
    case PSI_AGG_CELL_VALUE:
        rows = s->sum[psi_agg_cell_column(a, w.banded, w.cell, a->values)];
        out[n++] = rows * low - 1;
        out[n++] = rows * high + 1;
        break;
    }
    return n;
}

static void test_plausible(void)
{
    static sums s;
    for (int round = 0; round < 150; round++) {
        unsigned wrong = 0;
        psi_wide bad[3];
        random_sums(&s, 1 + unit_below(50));
        CU_ASSERT(can_be(&s));
        for (size_t c = 0; c < psi_agg_columns(&s.a); c++) {
            size_t n = impossible(&s, c, bad);
            for (size_t i = 0; i < n; i++) {
                /* A cell that is not known leaves the sums within it without a bound. */
                wrong += !refuses(&s, c, bad[i]);
            }
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

/* Cells hold no more than there are, all together. */
static void test_plausible_cells(void)
{
    size_t bad = 0;
    static const uint8_t known[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    psi_aggregate a = {.banded = 1, .cells = {4}};
    CU_ASSERT(psi_agg_plausible(&a, 6, (psi_wide[]){1, 2, 3}, known, &bad));
    CU_ASSERT(psi_agg_plausible(&a, 7, (psi_wide[]){1, 2, 3}, known, &bad));
    CU_ASSERT_FALSE(psi_agg_plausible(&a, 5, (psi_wide[]){1, 2, 3}, known, &bad));
    CU_ASSERT_EQUAL(bad, 2);
    /* Two columns with bands are counted apart. */
    a = (psi_aggregate){.banded = 2, .cells = {2, 2}, .outside = 1};
    CU_ASSERT(psi_agg_plausible(&a, 5, (psi_wide[]){5, 0, 2, 3}, known, &bad));
    CU_ASSERT_FALSE(psi_agg_plausible(&a, 5, (psi_wide[]){5, 0, 3, 3}, known, &bad));
    CU_ASSERT_EQUAL(bad, 3);
}

static void test_plausible_extremes(void)
{
    static sums s;
    const psi_wide most = (psi_wide)1 << 30;
    s.a = (psi_aggregate){.values = 1, .value = {{-LIMIT, LIMIT}}};
    memset(s.known, 1, sizeof s.known);
    s.count = most;
    for (int sign = -1; sign <= 1; sign += 2) {
        s.sum[0] = sign * most * LIMIT;
        s.sum[1] = most * wide_square(LIMIT); /* just below 2^126 */
        CU_ASSERT(can_be(&s));
        CU_ASSERT(refuses(&s, 0, s.sum[0] + sign));
        CU_ASSERT(refuses(&s, 1, s.sum[1] + 1));
        CU_ASSERT(refuses(&s, 1, s.sum[1] - 1)); /* all rows at the end of the range: only this is a square */
    }
    /* No row: nothing but zeros. */
    random_sums(&s, 0);
    CU_ASSERT(can_be(&s));
    for (size_t c = 0; c < psi_agg_columns(&s.a); c++) {
        CU_ASSERT(refuses(&s, c, 1));
        CU_ASSERT(refuses(&s, c, -1));
    }
}

/* ---- Small cells ------------------------------------------------------------------------------------- */

enum { CELLS = 7 };

/* Every figure that can be had from the shown ones by adding and subtracting: of any cells shown, what is
 * merged being one of them, and of what they leave of the total. */
static unsigned too_small(const uint64_t *count, size_t cells, uint64_t least, const uint8_t *merged)
{
    uint64_t shown[CELLS + 1] = {0}, total = 0, together = 0;
    size_t n = 0, hidden = 0;
    unsigned wrong = 0;
    for (size_t i = 0; i < cells; i++) {
        total += count[i];
        hidden += merged[i];
        if (merged[i])
            together += count[i];
        else
            shown[n++] = count[i];
    }
    if (hidden)
        shown[n++] = together;
    for (unsigned set = 0; set < 1u << n; set++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += set >> i & 1 ? shown[i] : 0;
        wrong += sum != 0 && sum < least;
        wrong += total - sum != 0 && total - sum < least;
    }
    return wrong;
}

/* Fewest cells that have to be merged, and of those choices the one that hides the fewest rows. */
static void best(const uint64_t *count, size_t cells, uint64_t least, size_t *n, uint64_t *rows)
{
    *n = SIZE_MAX;
    for (unsigned set = 0; set < 1u << cells; set++) {
        uint64_t together = 0;
        size_t size = 0;
        int fine = 1;
        for (size_t i = 0; i < cells; i++) {
            size += set >> i & 1;
            together += set >> i & 1 ? count[i] : 0;
            fine &= (set >> i & 1) || count[i] >= least;
        }
        fine &= size == 0 || size == cells || together >= least;
        if (fine && (size < *n || (size == *n && together < *rows))) {
            *n = size;
            *rows = together;
        }
    }
}

static void test_merge(void)
{
    for (int round = 0; round < 20000; round++) {
        uint64_t count[CELLS], least = 2 + unit_below(9), total = 0, rows = 0, want_rows = 0;
        size_t cells = 2 + unit_below(CELLS - 1), n = 0, want = 0;
        uint8_t merged[CELLS];
        memset(merged, 0x5a, sizeof merged);
        for (size_t i = 0; i < cells; i++)
            total += count[i] = unit_below(3) ? unit_below(2 * (uint32_t)least) : unit_below(2);
        size_t said = psi_agg_merge(count, cells, least, merged);
        unsigned wrong = 0;
        for (size_t i = 0; i < cells; i++) {
            wrong += merged[i] > 1;
            n += merged[i];
            rows += merged[i] ? count[i] : 0;
            wrong += !merged[i] && count[i] < least;
        }
        best(count, cells, least, &want, &want_rows);
        wrong += said != n || n != want || rows != want_rows;
        wrong += n && n < cells && rows < least;
        wrong += total >= least && too_small(count, cells, least, merged);
        CU_ASSERT_EQUAL(wrong, 0);
        if (wrong)
            break;
    }
}

static void test_merge_known(void)
{
    static const struct {
        uint64_t count[4], least;
        uint8_t merged[4];
    } cases[] = {
        {{10, 10, 10, 10}, 10, {0, 0, 0, 0}}, /* nothing to do */
        {{10, 10, 10, 9}, 10, {1, 0, 0, 1}},  /* one alone would show by what is left of the total */
        {{30, 20, 40, 9}, 10, {0, 1, 0, 1}},  /* with the smallest */
        {{5, 20, 40, 5}, 10, {1, 0, 0, 1}},   /* enough together */
        {{5, 20, 40, 4}, 10, {1, 1, 0, 1}},
        {{0, 20, 40, 60}, 10, {1, 1, 0, 0}},
        {{0, 0, 0, 60}, 10, {1, 1, 1, 1}}, /* all there is */
        {{3, 3, 3, 3}, 10, {1, 1, 1, 1}},
        {{0, 0, 0, 0}, 10, {1, 1, 1, 1}},
        {{1ull << 30, 1, 1ull << 30, 1}, 2, {0, 1, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t merged[4];
        size_t n = psi_agg_merge(cases[i].count, 4, cases[i].least, merged);
        CU_ASSERT_EQUAL(memcmp(merged, cases[i].merged, 4), 0);
        CU_ASSERT_EQUAL(n, (size_t)merged[0] + merged[1] + merged[2] + merged[3]);
    }
}

/* ---- Texts ------------------------------------------------------------------------------------------- */

static psi_wide wide_of(const char *text)
{
    int negative = *text == '-';
    psi_uwide v = 0;
    for (text += negative; *text; text++)
        v = 10u * v + (unsigned)(*text - '0');
    return (psi_wide)(negative ? 0 - v : v);
}

/* These constants come from Python's integers and fractions, rounded half away from zero. */
static void test_texts_known(void)
{
    static const struct {
        const char *sum;
        unsigned scale;
        const char *text;
    } of_sums[] = {
        {"0", 0, "0"},
        {"0", 2, "0.00"},
        {"-1", 0, "-1"},
        {"-1", 2, "-0.01"},
        {"5", 9, "0.000000005"},
        {"100", 2, "1.00"},
        {"-12345", 2, "-123.45"},
        {"85070591730234615865843651857942052864", 9, "85070591730234615865843651857.942052864"},
        {"-85070591730234615865843651857942052864", 0, "-85070591730234615865843651857942052864"},
        {"170141183460469231731687303715884105727", 1, "17014118346046923173168730371588410572.7"},
        {"-170141183460469231731687303715884105728", 0, "-170141183460469231731687303715884105728"}};
    static const struct {
        const char *sum, *count;
        unsigned scale;
        const char *text;
    } of_means[] = {
        {"0", "1", 0, "0.0000"},
        {"1", "3", 0, "0.3333"},
        {"2", "3", 0, "0.6667"},
        {"-2", "3", 0, "-0.6667"},
        {"1", "20000", 0, "0.0001"}, /* half, away from zero */
        {"-1", "20000", 0, "-0.0001"},
        {"3", "20000", 0, "0.0002"},
        {"1", "20001", 0, "0.0000"}, /* less than half; zero has no sign */
        {"-1", "20001", 0, "0.0000"},
        {"5", "2", 0, "2.5000"},
        {"123456789", "7", 2, "176366.841429"},
        {"-123456789", "7", 9, "-0.0176366841429"},
        {"1", "1", 9, "0.0000000010000"},
        {"85070591730234615865843651857942052864", "1", 0, "85070591730234615865843651857942052864.0000"},
        {"-85070591730234615865843651857942052864", "3", 9, "-28356863910078205288614550619.3140176213333"},
        {"85070591730234615865843651857942052864", "1073741824", 0, "79228162514264337593543950336.0000"},
        {"170141183460469231731687303715884105727", "1", 9, "170141183460469231731687303715.8841057270000"},
        {"-170141183460469231731687303715884105728", "1", 0,
         "-170141183460469231731687303715884105728.0000"}};
    static const struct {
        const char *sum, *squares, *count;
        unsigned scale;
        const char *text;
    } of_variances[] = {{"0", "0", "2", 0, "0.0000"},
                        {"3", "5", "2", 0, "0.5000"},  /* 1, 2 */
                        {"6", "14", "3", 0, "1.0000"}, /* 1, 2, 3 */
                        {"6", "14", "3", 9, "0.0000000000000000010000"},
                        {"-6", "14", "3", 0, "1.0000"},
                        {"0", "1", "2", 0, "1.0000"},
                        {"10", "30", "4", 2, "0.00016667"},
                        {"-7", "49", "3", 1, "0.163333"},
                        {"0", "1", "101", 0, "0.0100"},
                        {"9223372036854775808", "85070591730234615865843651857942052864", "2", 0,
                         "42535295865117307932921825928971026432.0000"},
                        {"0", "85070591730234615865843651857942052864", "2", 0,
                         "85070591730234615865843651857942052864.0000"},
                        {"0", "85070591730234615865843651857942052864", "1073741824", 9,
                         "79228162588.0513139571016336000000"},
                        {"151115727451828646838272", "85070591730234615865843651857942052864", "1073741824",
                         9, "59421121941.0384854678262252000000"}};
    char text[PSI_AGG_TEXT];
    for (size_t i = 0; i < sizeof of_sums / sizeof *of_sums; i++) {
        psi_agg_sum_text(text, wide_of(of_sums[i].sum), of_sums[i].scale);
        CU_ASSERT_STRING_EQUAL(text, of_sums[i].text);
    }
    for (size_t i = 0; i < sizeof of_means / sizeof *of_means; i++) {
        psi_agg_mean_text(text, wide_of(of_means[i].sum), wide_of(of_means[i].count), of_means[i].scale);
        CU_ASSERT_STRING_EQUAL(text, of_means[i].text);
    }
    for (size_t i = 0; i < sizeof of_variances / sizeof *of_variances; i++) {
        psi_agg_variance_text(text, wide_of(of_variances[i].sum), wide_of(of_variances[i].squares),
                              wide_of(of_variances[i].count), of_variances[i].scale);
        CU_ASSERT_STRING_EQUAL(text, of_variances[i].text);
    }
}

/* A variance that noise has made negative is nothing. */
static void test_negative_variance(void)
{
    char text[PSI_AGG_TEXT];
    psi_agg_variance_text(text, 100, 50, 200, 0);
    CU_ASSERT_STRING_EQUAL(text, "0.0000");
    psi_agg_variance_text(text, 0, -1, 2, 1);
    CU_ASSERT_STRING_EQUAL(text, "0.000000");
    psi_agg_variance_text(text, ((psi_wide)1 << 126), -((psi_wide)1 << 126), 2, 9);
    CU_ASSERT_STRING_EQUAL(text, "0.0000000000000000000000");
}

static void mpz_of(mpz_t out, psi_wide v)
{
    psi_uwide u = v < 0 ? 0 - (psi_uwide)v : (psi_uwide)v;
    mpz_set_ui(out, (unsigned long)(u >> 64));
    mpz_mul_2exp(out, out, 64);
    mpz_add_ui(out, out, (unsigned long)u);
    if (v < 0)
        mpz_neg(out, out);
}

/* q at so many decimals, half away from zero, digit by digit. */
static void text_of(char out[200], const mpq_t q, unsigned decimals)
{
    mpq_t v;
    mpz_t whole;
    char digits[180], *point = out;
    mpq_init(v);
    mpz_init(whole);
    mpq_abs(v, q);
    for (unsigned i = 0; i < decimals; i++) {
        mpz_mul_ui(mpq_numref(v), mpq_numref(v), 10);
        mpq_canonicalize(v);
    }
    mpq_t half;
    mpq_init(half);
    mpq_set_ui(half, 1, 2);
    mpq_add(v, v, half);
    mpz_fdiv_q(whole, mpq_numref(v), mpq_denref(v));
    if (mpq_sgn(q) < 0 && mpz_sgn(whole) > 0)
        *point++ = '-';
    mpz_get_str(digits, 10, whole);
    size_t len = strlen(digits), lead = len > decimals ? 0 : decimals + 1 - len;
    for (size_t i = 0; i < lead + len; i++) {
        if (i + decimals == lead + len && decimals)
            *point++ = '.';
        *point++ = i < lead ? '0' : digits[i - lead];
    }
    *point = 0;
    mpq_clears(v, half, NULL);
    mpz_clear(whole);
}

static psi_wide random_wide(unsigned bits)
{
    psi_uwide v = 0;
    unit_random(&v, sizeof v);
    v >>= 128 - 1 - unit_below(bits);
    return unit_below(2) ? (psi_wide)v : -(psi_wide)v;
}

static void test_texts_random(void)
{
    mpz_t s, n, c, t;
    mpq_t q;
    mpz_inits(s, n, c, t, NULL);
    mpq_init(q);
    for (int round = 0; round < 20000; round++) {
        char have[PSI_AGG_TEXT], want[200];
        unsigned scale = unit_below(10);
        psi_wide sum = random_wide(127), squares = random_wide(127), count = random_wide(31);
        if (round & 1) { /* small ones, where halves are frequent */
            sum = (psi_wide)unit_below(400) - 200;
            squares = unit_below(400);
            count = 1 + (psi_wide)unit_below(round & 2 ? 40 : 20000);
        }
        count = count < 0 ? -count : count ? count : 1;
        memset(have, 'x', sizeof have);
        mpz_of(s, sum);
        mpz_of(c, count);
        mpz_of(n, squares);

        mpq_set_z(q, s);
        mpz_ui_pow_ui(mpq_denref(q), 10, scale);
        mpq_canonicalize(q);
        text_of(want, q, scale);
        psi_agg_sum_text(have, sum, scale);
        CU_ASSERT_STRING_EQUAL(have, want);

        mpq_set_z(q, s);
        mpz_ui_pow_ui(mpq_denref(q), 10, scale);
        mpz_mul(mpq_denref(q), mpq_denref(q), c);
        mpq_canonicalize(q);
        text_of(want, q, scale + 4);
        psi_agg_mean_text(have, sum, count, scale);
        CU_ASSERT_STRING_EQUAL(have, want);

        if (count < 2)
            continue;
        mpz_mul(n, n, c);
        mpz_submul(n, s, s);
        if (mpz_sgn(n) < 0)
            mpz_set_ui(n, 0);
        mpq_set_z(q, n);
        mpz_ui_pow_ui(mpq_denref(q), 10, 2 * scale);
        mpz_mul(mpq_denref(q), mpq_denref(q), c);
        mpz_sub_ui(t, c, 1);
        mpz_mul(mpq_denref(q), mpq_denref(q), t);
        mpq_canonicalize(q);
        text_of(want, q, 2 * scale + 4);
        psi_agg_variance_text(have, sum, squares, count, scale);
        CU_ASSERT_STRING_EQUAL(have, want);
    }
    mpz_clears(s, n, c, t, NULL);
    mpq_clear(q);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"numbering", test_numbering},
                                      {"integers", test_integers},
                                      {"bounds_are_tight", test_bounds_are_tight},
                                      {"parts", test_parts},
                                      {"plausible", test_plausible},
                                      {"plausible_cells", test_plausible_cells},
                                      {"plausible_extremes", test_plausible_extremes},
                                      {"merge", test_merge},
                                      {"merge_known", test_merge_known},
                                      {"texts_known", test_texts_known},
                                      {"negative_variance", test_negative_variance},
                                      {"texts_random", test_texts_random}};
    return unit_main(argc, argv, "psi_aggregate", tests, sizeof tests / sizeof *tests);
}
