/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "numbers", beside "item": takes the cells of value and band columns, gives integers at the declared
 * scale or the reason why the row is rejected, and after duplicates are folded one integer per column and
 * distinct identifier. Called by party/rows, party/ahead and party/input; count and sum ask for the result.
 * All of it is personal data: wiped on release, and never part of a message.
 */
#ifndef PARTY_NUMBERS_H
#define PARTY_NUMBERS_H

#include "party/csv.h"
#include "party/pool.h"
#include "party/profile.h"

#define PARTY_VALUES_MAX 16u
#define PARTY_BANDS_MAX 4u
#define PARTY_NUMBERS_MAX (PARTY_VALUES_MAX + PARTY_BANDS_MAX)
#define PARTY_EDGES_MAX 33u
#define PARTY_SCALE_MAX 9u
#define PARTY_VALUE_BOUND ((int64_t)1 << 48) /* every declared bound and edge is below it in magnitude */

/* A value column. */
typedef struct party_value {
    char *column;
    int64_t min, max; /* at the scale; -2^48 < min <= max < 2^48 */
    unsigned scale;   /* decimals, 0..9 */
    uint32_t index;   /* column, from 0; set by loading */
} party_value;

/* A band column. */
typedef struct party_band {
    char *column;
    int64_t edges[PARTY_EDGES_MAX]; /* at the scale, ascending, below 2^48 in magnitude */
    size_t count;                   /* of edges, 2..33 */
    unsigned scale;                 /* of the edges */
    /* how it is worked out: see party_numbers_bind */
    int value;                       /* index of the value column of the same name, or -1 */
    unsigned extra;                  /* without one: decimals kept beyond the scale */
    int64_t limits[PARTY_EDGES_MAX]; /* the edges at the scale of what is kept */
    uint32_t index;                  /* column, from 0; set by loading */
} party_band;

/* The numbers of one row: value columns in order, then the band columns that are no value columns. */
typedef struct party_numbers {
    int64_t at[PARTY_NUMBERS_MAX];
    uint32_t clipped; /* how many of them were moved into their range */
} party_numbers;

/* The declared columns, in order. Valid before loading. */
size_t party_input_values(const tally_input *input);
const party_value *party_input_value(const tally_input *input, size_t i);
size_t party_input_bands(const tally_input *input);
const party_band *party_input_band(const tally_input *input, size_t i);
/*
 * After loading: item-major array [item * columns + c], c over the value columns, then over the band columns:
 * for these the index of the item's band, 0..count - 2, or count - 1 for outside of all. NULL, and *columns
 * 0, if no column was declared. Lives as long as the input.
 */
const int64_t *party_input_numbers(const tally_input *input, size_t *columns);

#define PARTY_NUMBER_MOST 1000000000000000000 /* 10^18: what a larger magnitude is taken for */

/*
 * A cell's text as an integer with `scale` (0..9) decimals: ASCII blanks and tabs around it are ignored, then
 * [+-], digits, and a point with digits; ".5" and "5." are numbers, "." is none. Any length. Decimals that do
 * not fit and are not zero: PARTY_REJECT_DECIMALS, or, with floor = 1, rounded toward minus infinity. Other
 * reasons: PARTY_REJECT_NO_VALUE, PARTY_REJECT_NOT_NUMBER; *out is then untouched.
 */
enum party_reject party_number_parse(const uint8_t *text, size_t len, unsigned scale, int floor,
                                     int64_t *out);

/* How many numbers a row of the input has; 0 without value and band columns. */
size_t party_numbers_per_row(const tally_input *input);
/* Settles how bands are worked out; after each change of the declared columns. */
void party_numbers_bind(tally_input *input);
/* The numbers of a record whose identifier was accepted, or why the row is rejected. */
enum party_reject party_numbers_of_record(const tally_input *input, const uint8_t *record,
                                          const party_csv_field *fields, party_numbers *out);
/* The same from memory: one number per value column, then one per band column, at their scales. */
enum party_reject party_numbers_of_row(const tally_input *input, const int64_t *given, party_numbers *out);

/*
 * Once rows[r].item is set: brings the numbers of the rows of each item together as the rule for duplicates
 * says, gives each its bands, releases the numbers of the rows. TALLY_ERR_INPUT: duplicates are refused, or a
 * sum left its range; names the line. On failure the rows' numbers are still there, and it can be called
 * again.
 */
tally_status party_numbers_fold(tally_input *input, party_pool *pool, tally_error *error) TALLY_MUST_CHECK;

#endif
