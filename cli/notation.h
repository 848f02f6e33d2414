/* SPDX-License-Identifier: Apache-2.0 */
/* Notation of columns of numbers and of noise, as options write it. All failures are TALLY_ERR_USAGE (or
 * TALLY_ERR_NO_MEMORY), name option and text, and leave the outputs untouched. */
#ifndef CLI_NOTATION_H
#define CLI_NOTATION_H

#include "party/tally.h"

#define CLI_EDGES_MAX 33u

/*
 * Numbers are [+-]digits[.digits], then e and digits, or k, M or G: -1.5, 1e9, 10M. Times 10^scale they are
 * whole and below 2^48 in magnitude.
 */

/*
 * "COL:MIN..MAX" or "COL:MIN..MAX@SCALE", SCALE 0..9, 0 if it is left out: the column is all before the last
 * colon, *column to be freed; min <= max at the scale, as tally_input_add_value takes them.
 */
tally_status cli_parse_value(const char *option, const char *text, char **column, int64_t *min, int64_t *max,
                             unsigned *scale, tally_error *error) TALLY_MUST_CHECK;
/*
 * "COL:E0,E1,...": 2..33 ascending edges at *scale, the most decimals that one of them needs; *column to be
 * freed.
 */
tally_status cli_parse_band(const char *option, const char *text, char **column, int64_t edges[CLI_EDGES_MAX],
                            size_t *count, unsigned *scale, tally_error *error) TALLY_MUST_CHECK;
/* "epsilon=0.5", 0.001..100 with up to 6 decimals, in millionths. */
tally_status cli_parse_epsilon(const char *option, const char *text, uint64_t *micro,
                               tally_error *error) TALLY_MUST_CHECK;

#endif
