/* SPDX-License-Identifier: Apache-2.0 */
/* Records of runs as a ledger gives them, for reports: with an agreement and a receipt that are really
 * signed. Everything aborts on failure. */
#ifndef TESTS_SUPPORT_REPORT_H
#define TESTS_SUPPORT_REPORT_H

#include <jansson.h>

enum sample {
    SAMPLE_MATCH,      /* by agreement, with columns, seen from the receiver */
    SAMPLE_SENDER,     /* the same run seen from the sender */
    SAMPLE_TRIAL,      /* without agreement */
    SAMPLE_FAILED,     /* and disclosed */
    SAMPLE_INCOMPLETE, /* an intent alone */
    SAMPLE_REFUSED,
    SAMPLE_SUM, /* bands at both sides, merged ones, noise */
    SAMPLE_COUNT,
    SAMPLE_SIGNATURE, /* one under the receipt does not fit */
    SAMPLES
};

extern const char *const sample_names[SAMPLES];
/* A new reference. */
json_t *sample_run(enum sample which);

#endif
