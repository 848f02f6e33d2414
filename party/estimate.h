/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run will take: takes a run's sizes (party/sizes), a machine's constants (party/calibration) and a
 * line, gives seconds stage by stage, processor time, bytes and memory of both sides. The formulas are those
 * of docs/sizing.md. Pure computing. Called by tally_estimate_json and, after a run, by party/summary.
 */
#ifndef PARTY_ESTIMATE_H
#define PARTY_ESTIMATE_H

#include "party/calibration.h"
#include "party/sizes.h"
#include <jansson.h>

/* Where and over what a run takes place; sides as in party/sizes. */
typedef struct party_place {
    unsigned threads[2];
    int same_machine;  /* both parties share the processors */
    double bits_to[2]; /* line rate towards a side, a second; 0: no limit */
    double round_trip; /* seconds */
    uint64_t rows[2];
    double row_bytes[2];
    size_t numbers[2]; /* columns of numbers that are read */
    int output[2];     /* writes matching rows */
    int ledger[2];     /* records the run */
} party_place;

/* What a stage waits for most of its time. */
enum party_bound { PARTY_BY_RECEIVER, PARTY_BY_SENDER, PARTY_BY_LINE, PARTY_BY_DELAY, PARTY_BY_DISK };

typedef struct party_forecast_stage {
    const char *name;
    double seconds;
    enum party_bound bound;
} party_forecast_stage;

#define PARTY_STAGES_MAX 12u

typedef struct party_forecast {
    party_forecast_stage stage[PARTY_STAGES_MAX];
    size_t stages;
    double matching;           /* as a phase of a summary, connecting with it */
    double seconds, low, high; /* from start to end */
    struct {
        double reading, writing; /* seconds */
        double cpu;
        uint64_t peak;           /* bytes of memory */
        uint64_t sent, protocol; /* bytes sent: on the transport, and those of the protocol alone */
        uint64_t disk;           /* bytes written at most */
    } side[2];
} party_forecast;

void party_forecast_run(party_forecast *out, const party_sizes *sizes, const party_place *place,
                        const tally_calibration *c);

/* Memory of a side at the end of the protocol, bytes, without what any process has. Of the place rows,
 * threads and numbers are looked at. */
uint64_t party_matching_bytes(const party_sizes *sizes, const party_place *place, unsigned side);

/* As `tally estimate --json` has a row for a side, and a summary what was predicted. NULL when memory is
 * short. */
json_t *party_forecast_json(const party_forecast *f, const party_sizes *sizes, unsigned own);

/* The work of a protocol, and the quantity its costs are linear in: for the receiver's items (0) or the
 * sender's (1). Not for the values of a sum. */
double party_work_units(enum party_job work, const party_sizes *sizes, unsigned side);

#endif
