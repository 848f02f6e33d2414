/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/aggregate.h"

#include "psi/ct.h"
#include "psi/verify.h"

#include <gmp.h>
#include <stdio.h>
#include <string.h>

static psi_wide least(psi_wide a, psi_wide b)
{
    return a < b ? a : b;
}

static psi_wide greatest(psi_wide a, psi_wide b)
{
    return a > b ? a : b;
}

/* ---- Columns ---- */

static size_t before_values(const psi_aggregate *a)
{
    return a->ones ? 1 : 0;
}

/* Cells of a banded column that are sent. */
static size_t sent_cells(const psi_aggregate *a, size_t banded)
{
    return a->cells[banded] - (a->outside ? 0 : 1);
}

size_t psi_agg_columns(const psi_aggregate *a)
{
    size_t n = before_values(a) + 2 * a->values;
    for (size_t k = 0; k < a->banded; k++)
        n += sent_cells(a, k) * (1 + a->values);
    return n;
}

psi_agg_column psi_agg_what(const psi_aggregate *a, size_t c)
{
    if (c < before_values(a))
        return (psi_agg_column){PSI_AGG_ONES, 0, 0, 0};
    c -= before_values(a);
    if (c < 2 * a->values)
        return (psi_agg_column){c % 2 ? PSI_AGG_SQUARE : PSI_AGG_VALUE, c / 2, 0, 0};
    c -= 2 * a->values;
    size_t k = 0, stride = 1 + a->values;
    for (; c >= sent_cells(a, k) * stride; k++) {
        PSI_CHECK(k + 1 < a->banded);
        c -= sent_cells(a, k) * stride;
    }
    if (c % stride == 0)
        return (psi_agg_column){PSI_AGG_CELL, 0, k, c / stride};
    return (psi_agg_column){PSI_AGG_CELL_VALUE, c % stride - 1, k, c / stride};
}

size_t psi_agg_value_column(const psi_aggregate *a, size_t value, int square)
{
    return before_values(a) + 2 * value + (square ? 1 : 0);
}

size_t psi_agg_cell_column(const psi_aggregate *a, size_t banded, size_t cell, size_t value)
{
    size_t c = before_values(a) + 2 * a->values;
    PSI_CHECK(psi_agg_cell_sent(a, banded, cell));
    for (size_t k = 0; k < banded; k++)
        c += sent_cells(a, k) * (1 + a->values);
    return c + cell * (1 + a->values) + (value == a->values ? 0 : 1 + value);
}

int psi_agg_cell_sent(const psi_aggregate *a, size_t banded, size_t cell)
{
    return cell < sent_cells(a, banded);
}

static psi_wide square(int64_t v)
{
    return (psi_wide)v * v;
}

void psi_agg_range(const psi_aggregate *a, size_t c, psi_wide *min, psi_wide *max)
{
    psi_agg_column what = psi_agg_what(a, c);
    int64_t low = a->value[what.value].min, high = a->value[what.value].max;
    switch (what.kind) {
    case PSI_AGG_ONES:
    case PSI_AGG_CELL:
        *min = 0;
        *max = 1;
        return;
    case PSI_AGG_SQUARE:
        *min = 0;
        *max = greatest(square(low), square(high));
        return;
    case PSI_AGG_VALUE:
    case PSI_AGG_CELL_VALUE:
        *min = least(0, low);
        *max = greatest(0, high);
        return;
    }
}

/* All ones if the row's cell is this one: both are below 2^63, so only 0 - 1 has its upper bit set. */
static psi_wide cell_mask(int64_t of_row, size_t cell)
{
    uint64_t other = (uint64_t)of_row ^ cell;
    return (psi_wide)(int64_t)psi_ct_barrier(0 - ((other - 1) >> 63));
}

psi_wide psi_agg_integer(const psi_aggregate *a, psi_agg_column what, const int64_t *numbers)
{
    switch (what.kind) {
    case PSI_AGG_ONES:
        return 1;
    case PSI_AGG_VALUE:
        return numbers[what.value];
    case PSI_AGG_SQUARE:
        return square(numbers[what.value]);
    case PSI_AGG_CELL:
        return cell_mask(numbers[a->values + what.banded], what.cell) & 1;
    case PSI_AGG_CELL_VALUE:
        break;
    }
    return numbers[what.value] & cell_mask(numbers[a->values + what.banded], what.cell);
}

/* ---- Noise ---- */

psi_uwide psi_agg_sensitivity(const psi_aggregate *a, size_t c)
{
    psi_wide min, max;
    psi_agg_range(a, c, &min, &max);
    return (psi_uwide)greatest(-min, max);
}

uint64_t psi_agg_parts(const psi_aggregate *a)
{
    /* The count; each value and its square; of each column with bands, one cell and its values. */
    return 1 + 2 * a->values + a->banded * (1 + a->values);
}

/* ---- Results ---- */

static int within(psi_wide sum, psi_wide rows, psi_wide low, psi_wide high)
{
    return sum >= rows * low && sum <= rows * high;
}

/* count * squares >= sum^2 (Cauchy and Schwarz), in integers of any size. */
static int square_fits(psi_wide count, psi_wide sum, psi_wide squares);

int psi_agg_plausible(const psi_aggregate *a, psi_wide count, const psi_wide *sum, const uint8_t *known,
                      size_t *bad)
{
    psi_wide of_cells[PSI_AGG_BANDED_MAX] = {0};
    size_t known_cells[PSI_AGG_BANDED_MAX] = {0};
    for (size_t c = 0; c < psi_agg_columns(a); c++) {
        psi_agg_column what = psi_agg_what(a, c);
        int64_t low = a->value[what.value].min, high = a->value[what.value].max;
        int fine = 1;
        if (!known[c])
            continue;
        *bad = c;
        if (what.kind == PSI_AGG_ONES)
            fine = sum[c] == count;
        else if (what.kind == PSI_AGG_VALUE)
            fine = within(sum[c], count, low, high);
        else if (what.kind == PSI_AGG_SQUARE)
            fine = within(sum[c], count, 0, greatest(square(low), square(high))) &&
                   (!known[c - 1] || square_fits(count, sum[c - 1], sum[c]));
        else if (what.kind == PSI_AGG_CELL) {
            of_cells[what.banded] += sum[c];
            known_cells[what.banded]++;
            fine = sum[c] >= 0 && of_cells[what.banded] <= count;
            /* Where what lies outside is sent too, they are all there are. */
            if (a->outside && known_cells[what.banded] == a->cells[what.banded])
                fine = fine && of_cells[what.banded] == count;
        } else {
            size_t counts = psi_agg_cell_column(a, what.banded, what.cell, a->values);
            fine = !known[counts] || within(sum[c], sum[counts], low, high);
        }
        if (!fine)
            return 0;
    }
    return 1;
}

size_t psi_agg_merge(const uint64_t *count, size_t cells, uint64_t least_rows, uint8_t *merged)
{
    uint64_t together = 0;
    size_t n = 0;
    for (size_t i = 0; i < cells; i++) {
        merged[i] = count[i] < least_rows;
        n += merged[i];
        together += merged[i] ? count[i] : 0;
    }
    while (n && n < cells && together < least_rows) {
        size_t smallest = cells;
        for (size_t i = 0; i < cells; i++)
            if (!merged[i] && (smallest == cells || count[i] < count[smallest]))
                smallest = i;
        merged[smallest] = 1;
        together += count[smallest];
        n++;
    }
    return n;
}

/* ---- Texts ---- */

static void set_wide(mpz_t out, psi_wide v)
{
    psi_uwide u = v < 0 ? 0 - (psi_uwide)v : (psi_uwide)v;
    mpz_import(out, 1, -1, sizeof u, 0, 0, &u);
    if (v < 0)
        mpz_neg(out, out);
}

static int square_fits(psi_wide count, psi_wide sum, psi_wide squares)
{
    mpz_t left, right;
    mpz_inits(left, right, NULL);
    set_wide(left, count);
    set_wide(right, squares);
    mpz_mul(left, left, right);
    set_wide(right, sum);
    mpz_mul(right, right, right);
    int fits = mpz_cmp(left, right) >= 0;
    mpz_clears(left, right, NULL);
    return fits;
}

/* v at scale decimals. */
static void decimal(char out[PSI_AGG_TEXT], const mpz_t v, unsigned scale)
{
    mpz_t whole, rest;
    mpz_inits(whole, rest, NULL);
    mpz_ui_pow_ui(rest, 10, scale);
    mpz_tdiv_qr(whole, rest, v, rest);
    const char *minus = mpz_sgn(v) < 0 ? "-" : "";
    mpz_abs(whole, whole);
    mpz_abs(rest, rest);
    if (scale)
        gmp_snprintf(out, PSI_AGG_TEXT, "%s%Zd.%0*Zd", minus, whole, (int)scale, rest);
    else
        gmp_snprintf(out, PSI_AGG_TEXT, "%s%Zd", minus, whole);
    mpz_clears(whole, rest, NULL);
}

/* n / d at the scale, d > 0, rounded half away from zero. */
static void quotient(char out[PSI_AGG_TEXT], mpz_t n, mpz_t d, unsigned more, unsigned scale)
{
    int negative = mpz_sgn(n) < 0;
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, more);
    mpz_mul(n, n, power);
    mpz_abs(n, n);
    mpz_mul_2exp(n, n, 1);
    mpz_add(n, n, d);
    mpz_mul_2exp(d, d, 1);
    mpz_fdiv_q(n, n, d);
    if (negative)
        mpz_neg(n, n);
    decimal(out, n, scale);
    mpz_clear(power);
}

#define MORE 4u /* decimals of means and variances beyond the scale */

void psi_agg_sum_text(char out[PSI_AGG_TEXT], psi_wide sum, unsigned scale)
{
    mpz_t v;
    mpz_init(v);
    set_wide(v, sum);
    decimal(out, v, scale);
    mpz_clear(v);
}

void psi_agg_mean_text(char out[PSI_AGG_TEXT], psi_wide sum, psi_wide count, unsigned scale)
{
    mpz_t n, d;
    PSI_CHECK(count > 0);
    mpz_inits(n, d, NULL);
    set_wide(n, sum);
    set_wide(d, count);
    quotient(out, n, d, MORE, scale + MORE);
    mpz_clears(n, d, NULL);
}

void psi_agg_variance_text(char out[PSI_AGG_TEXT], psi_wide sum, psi_wide squares, psi_wide count,
                           unsigned scale)
{
    mpz_t n, d, t;
    PSI_CHECK(count > 1);
    mpz_inits(n, d, t, NULL);
    set_wide(d, count);
    set_wide(n, squares);
    mpz_mul(n, n, d);
    set_wide(t, sum);
    mpz_submul(n, t, t);
    if (mpz_sgn(n) < 0)
        mpz_set_ui(n, 0);
    mpz_sub_ui(t, d, 1);
    mpz_mul(d, d, t);
    quotient(out, n, d, MORE, 2 * scale + MORE);
    mpz_clears(n, d, t, NULL);
}
