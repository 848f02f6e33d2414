/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `tally estimate`: its options (estimate_options), the calibration of this machine
 * (calibration), and the table (estimate). */
#ifndef CLI_ESTIMATE_H
#define CLI_ESTIMATE_H

#include "party/tally.h"

typedef struct cli_estimate {
    tally_plan plan;
    int calibrate, json, help, has_link;
    const char *peer; /* whose measured line is taken */
    const char *file; /* the calibration; NULL: that of the home */
    const char *passphrase_file;
    const char *identity; /* with listen or connect: the line is measured */
    const char *listen, *connect;
    unsigned timeout_s;
} cli_estimate;

tally_status cli_estimate_parse(char *const *argv, cli_estimate *out, tally_error *error) TALLY_MUST_CHECK;

/* The file of the home, to be freed; the home is made if it is not there. */
tally_status cli_calibration_path(char **path, tally_error *error) TALLY_MUST_CHECK;
/* Measures and stores, with a note and progress on standard error. */
tally_status cli_calibration_measure(const char *path, tally_calibration **out,
                                     tally_error *error) TALLY_MUST_CHECK;
/* Measures the line to the peer of e and stores it in the calibration at path. */
tally_status cli_calibration_line(const cli_estimate *e, tally_calibration *c, const char *path,
                                  tally_line *out, tally_error *error) TALLY_MUST_CHECK;
/* What the home has; *out is NULL without an error when there is none. */
tally_status cli_calibration_find(tally_calibration **out, tally_error *error) TALLY_MUST_CHECK;

#endif
