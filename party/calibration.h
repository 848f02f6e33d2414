/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one machine takes for each unit of work, and what its lines to peers carry: measured by
 * party/calibrate, kept as a JSON file, used by party/estimate (docs/sizing.md).
 */
#ifndef PARTY_CALIBRATION_H
#define PARTY_CALIBRATION_H

#include "party/tally.h"

/* What a side does of a protocol is linear in its own items and in the peer's. Side 0 is the receiver, or the
 * side that adds up; side 1 the sender, or the other. */
enum party_job {
    PARTY_WORK_ECDH,
    PARTY_WORK_ACTIVE, /* ecdh in the malicious form */
    PARTY_WORK_VOLE4,  /* per slot of a bin where the receiver's items count */
    PARTY_WORK_VOLE6,
    PARTY_WORK_COUNT,
    PARTY_WORK_RLWE, /* of a sum beyond a count: per unit of the encrypted rows */
    PARTY_WORK_PAILLIER,
    PARTY_WORKS
};

/* Processor seconds of one thread. */
typedef struct party_cost {
    double fixed[2], own[2], peer[2];
} party_cost;

#define PARTY_LINES_MAX 64u

/* A line to a peer. */
typedef struct party_line {
    char peer[TALLY_FINGERPRINT_TEXT];
    double sent_bits, received_bits; /* a second, as TCP carries them */
    double round_trip;               /* seconds */
    int64_t measured;                /* seconds since 1970 */
} party_line;

struct tally_calibration {
    int64_t measured;
    char processor[128];
    char backends[256]; /* as text, to notice that they have changed */
    unsigned processors;
    double read_row, read_byte, read_number; /* reading: a row, a byte of it, a number in it */
    double start;                            /* a run of two rows a side, without a line */
    double link_byte;                        /* TLS and socket, for a byte sent or received */
    double sync;                             /* a small file put on the disk */
    double speedup;                          /* of all processors against one */
    double base_bytes;                       /* memory of a process that has run a session */
    double session_bytes;                    /* on the transport each way beyond the protocol's frames */
    party_cost cost[PARTY_WORKS];
    party_line lines[PARTY_LINES_MAX];
    size_t line_count;
};

/* The line to a peer, NULL if it was not measured. */
const party_line *party_calibration_line(const tally_calibration *c, const char *peer);
/* The name of the processor and the backends in use, as calibrations keep them. */
void party_machine(char processor[128], char backends[256]);

/* As tally_calibration_load of a file with this text; name: as the message has it. */
tally_status party_calibration_parse(const char *name, const char *text, size_t len, tally_calibration **out,
                                     tally_error *error) TALLY_MUST_CHECK;

#ifdef TALLY_TEST
/* Test builds only: how long and how much is sent one way when a line is measured (default 3 s, 512 MiB). */
void party_line_limits(double most_seconds, uint64_t most_bytes);
#endif

#endif
