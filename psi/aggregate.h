/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sum is made of: takes the declared values and bands, gives the integer columns that psi/ahe adds up,
 * and from their sums the figures that are shown. Pure arithmetic, no cryptography. Called by party/other,
 * party/computing, party/figures.
 *
 *   columns, in this order: a 1 (only with noise, where nobody knows the exact count); for each value its
 * value and its square; for each column with bands and each of its bands a 1 and every value, or zeros for a
 * row of another band. What lies outside the bands is what is left of the total, and a band of its own only
 * where bands may be merged.
 */
#ifndef PSI_AGGREGATE_H
#define PSI_AGGREGATE_H

#include "psi/wide.h"
#include <stddef.h>

#define PSI_AGG_VALUES_MAX 16u
#define PSI_AGG_BANDED_MAX 4u /* columns with bands */
#define PSI_AGG_CELLS_MAX 33u /* bands of a column, with what lies outside */
#define PSI_AGG_TEXT 96u      /* bytes of a number as text: below 2^157 and 22 decimals */

typedef struct psi_aggregate {
    size_t values;
    struct {
        int64_t min, max; /* |.| < 2^48 */
    } value[PSI_AGG_VALUES_MAX];
    size_t banded;                    /* columns with bands, of the owner of the values */
    size_t cells[PSI_AGG_BANDED_MAX]; /* bands of each, with what lies outside: 2..PSI_AGG_CELLS_MAX */
    int ones;                         /* the count is a sum */
    int outside;                      /* what lies outside is sent */
} psi_aggregate;

enum psi_agg_kind { PSI_AGG_ONES, PSI_AGG_VALUE, PSI_AGG_SQUARE, PSI_AGG_CELL, PSI_AGG_CELL_VALUE };
typedef struct psi_agg_column {
    enum psi_agg_kind kind;
    size_t value, banded, cell;
} psi_agg_column;

/* Number of columns; what column c is; the column of a thing. */
size_t psi_agg_columns(const psi_aggregate *a);
psi_agg_column psi_agg_what(const psi_aggregate *a, size_t c);
size_t psi_agg_value_column(const psi_aggregate *a, size_t value, int square);
/* value = a->values: the column that counts the cell. The cell must be one that is sent. */
size_t psi_agg_cell_column(const psi_aggregate *a, size_t banded, size_t cell, size_t value);
/* 1 if the cell has columns: all but what lies outside, or that too with a->outside. */
int psi_agg_cell_sent(const psi_aggregate *a, size_t banded, size_t cell);

/* Least and greatest integer of column c in a row, with 0, which a dummy has. */
void psi_agg_range(const psi_aggregate *a, size_t c, psi_wide *min, psi_wide *max);
/* The integer of a column in a row: numbers are its values, then for each column with bands the index of its
 * cell. Time does not depend on them. */
psi_wide psi_agg_integer(const psi_aggregate *a, psi_agg_column what, const int64_t *numbers);

/* ---- Noise ---- */

/* Most by which one person changes column c, and the number of figures that one person is in: the budget of
 * the figures is shared by so many. */
psi_uwide psi_agg_sensitivity(const psi_aggregate *a, size_t c);
uint64_t psi_agg_parts(const psi_aggregate *a);

/* ---- Results ---- */

/*
 * 1 if the sums of all columns (sum[c], 0 for a column that is not known: known[c] = 0) can belong to count
 * rows: every sum in count * range, squares no smaller than the squared sum over count, cells within the
 * total. 0: *bad is the first column that cannot. For exact figures only.
 */
int psi_agg_plausible(const psi_aggregate *a, psi_wide count, const psi_wide *sum, const uint8_t *known,
                      size_t *bad);

/*
 * Minimum overlap over the cells of one partition (bands with what lies outside, or groups): merged[i] = 1
 * for those that are shown only together. All below the minimum are merged; while those together are below
 * it, the smallest other one joins them. Then every cell shown, what is merged, and every difference of
 * figures has at least `least` rows or none, if the total has (docs/protocol-sum.md, section 5). Returns the
 * number merged, 0 or at least 1; one alone stays merged when it is all there is.
 */
size_t psi_agg_merge(const uint64_t *count, size_t cells, uint64_t least, uint8_t *merged);

/* Exact decimals: sum at `scale`. */
void psi_agg_sum_text(char out[PSI_AGG_TEXT], psi_wide sum, unsigned scale);
/* sum / count, four decimals more than the scale, rounded half away from zero. count > 0. */
void psi_agg_mean_text(char out[PSI_AGG_TEXT], psi_wide sum, psi_wide count, unsigned scale);
/*
 * (count * squares - sum^2) / (count * (count - 1)), the sample variance, twice the scale and four decimals
 * more, rounded half up; count > 1. Negative (only with noise): taken as 0.
 */
void psi_agg_variance_text(char out[PSI_AGG_TEXT], psi_wide sum, psi_wide squares, psi_wide count,
                           unsigned scale);

#endif
