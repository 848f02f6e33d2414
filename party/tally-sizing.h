/* SPDX-License-Identifier: Apache-2.0 */
/* What a run will take, before it: a part of tally.h, which includes it. */
#ifndef TALLY_SIZING_H
#define TALLY_SIZING_H

#include "tally.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What this machine takes for each unit of work of every protocol, and what its lines to peers carry
 * (docs/sizing.md). Kept as a JSON file; it belongs to the machine that it was measured on.
 */
typedef struct tally_calibration tally_calibration;

/* done of total parts are measured; from the calling thread. */
typedef void (*tally_calibration_progress)(void *user, uint32_t done, uint32_t total);
/*
 * Measures: runs each protocol between two threads of this process over made-up lists, about 30 s on one
 * processor. Call it first in a process, so that what a process makes once is measured too. folder: where
 * outputs will go; small files are made in it and removed. TALLY_ERR_FILE: folder. TALLY_ERR_NETWORK: no
 * connection over the loopback address.
 */
TALLY_API tally_status tally_calibration_measure(const char *folder, tally_calibration_progress progress,
                                                 void *user, tally_calibration **out,
                                                 tally_error *error) TALLY_MUST_CHECK;
/* TALLY_ERR_FILE: cannot be read. TALLY_ERR_INPUT: no calibration of this version. */
TALLY_API tally_status tally_calibration_load(const char *path, tally_calibration **out,
                                              tally_error *error) TALLY_MUST_CHECK;
/* Mode 0600, by temporary file and rename. */
TALLY_API tally_status tally_calibration_save(const tally_calibration *calibration, const char *path,
                                              tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_calibration_free(tally_calibration *calibration);
/* 1 if it was measured on a processor of this name, with the backends that are in use now. */
TALLY_API int tally_calibration_fits(const tally_calibration *calibration);
/* Takes the lines over that an older one has. */
TALLY_API void tally_calibration_keep_lines(tally_calibration *calibration, const tally_calibration *older);
/* The line to a peer, as tally_session_measure_line found it: rates of the line with what TCP, IP and TLS
 * add. */
typedef struct tally_line {
    char peer[TALLY_FINGERPRINT_TEXT];
    double sent_bits_per_second, received_bits_per_second, round_trip_seconds;
} tally_line;
/* TALLY_ERR_USAGE: the line to this peer was not measured. */
TALLY_API tally_status tally_calibration_get_line(const tally_calibration *calibration, const char *peer,
                                                  tally_line *out, tally_error *error) TALLY_MUST_CHECK;
/*
 * In place of tally_session_run, on both sides at once: connects and authenticates by the settings of the
 * session (identity, peer's fingerprint, address, timeout), measures the round trip and how much goes through
 * each way, 6 s in all (more on a slow line) and at most 512 MiB each way, and keeps the line in the
 * calibration under the peer's fingerprint. Nothing of a list is sent. TALLY_ERR_INCOMPATIBLE: the peer does
 * something else.
 */
TALLY_API tally_status tally_session_measure_line(tally_session *session, tally_calibration *calibration,
                                                  tally_line *out, tally_error *error) TALLY_MUST_CHECK;
/* What the run of this session should take goes into its summary (borrowed). NULL, the default: nothing. */
TALLY_API void tally_session_set_calibration(tally_session *session, const tally_calibration *calibration);
/* As the file has it. Release with free(). NULL when memory is short. */
TALLY_API char *tally_calibration_json(const tally_calibration *calibration);

#define TALLY_PLAN_VALUES 16
#define TALLY_PLAN_ROW_BYTES 64 /* bytes of a row of a list where nothing is said */

/* A run that is planned. Zero where nothing is said. */
typedef struct tally_plan {
    enum tally_role role; /* own; required */
    enum tally_function function;
    enum tally_protocol protocol; /* AUTO: every one that can do it */
    enum tally_security security; /* 0: semi-honest */
    enum tally_reveal reveal;     /* 0: receiver */
    enum tally_scheme scheme;     /* AUTO: both */
    uint64_t own_items, peer_items;
    uint64_t min_overlap;
    struct {
        int64_t min, max;
    } values[TALLY_PLAN_VALUES]; /* of a sum: range of each value column, below 2^48 */
    size_t value_count;
    int receiver_has_values;         /* 0: the sender has them */
    double bits_per_second;          /* of the line towards the peer; 0: no limit */
    double received_bits_per_second; /* of the other way; 0: the same */
    double round_trip_seconds;
    uint32_t threads, peer_threads; /* 0: all processors of this machine; 0: as many as here */
    int same_machine;               /* 1: both parties share the processors of this one */
    double row_bytes;               /* bytes of a row of either list; 0: TALLY_PLAN_ROW_BYTES */
} tally_plan;

/* TALLY_ERR_USAGE: a plan that no run can have, and why. Needs no calibration. */
TALLY_API tally_status tally_plan_check(const tally_plan *plan, tally_error *error) TALLY_MUST_CHECK;
/*
 * A JSON object (docs/sizing.md): for each protocol seconds with a range and stage by stage, and for both
 * sides processor time, memory and bytes. Release with free(). NULL and error: TALLY_ERR_USAGE, as
 * tally_plan_check has it; TALLY_ERR_INCOMPATIBLE: values that fit no scheme; TALLY_ERR_NO_MEMORY.
 */
TALLY_API char *tally_estimate_json(const tally_calibration *calibration, const tally_plan *plan,
                                    tally_error *error);

#ifdef __cplusplus
}
#endif

#endif
