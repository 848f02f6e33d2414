/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sessions in two threads of one process over tally_pipe_new, with a tap on what each side sends. Shared
 * by the tests of sessions, hostile peers, faults and transcripts.
 *
 *     pair p;
 *     pair_init(&p, TALLY_MALICIOUS, TALLY_REVEAL_BOTH);
 *     pair_add(&p.side[PAIR_RECEIVER], ids, n); ...    settings on p.side[i].session as needed
 *     pair_run(&p);                                    look at p.side[i]
 *     pair_free(&p);
 */
#ifndef TESTS_SUPPORT_SESSION_H
#define TESTS_SUPPORT_SESSION_H

#include "party/tally.h"
#include "proto/frame.h"
#include <pthread.h>

enum { PAIR_RECEIVER = 0, PAIR_SENDER = 1 };

/* In every identifier of the tests; no message, log line or summary may hold it. */
#define PAIR_MARK "subject-"

typedef struct pair_tap pair_tap;

/*
 * Sees each whole frame of one direction, header first, before the peer does; index counts frames without
 * heartbeats (for a heartbeat it is the index of the next frame). Passes on what it likes with tap_pass.
 */
typedef void (*pair_on_frame)(pair_tap *tap, size_t index, uint8_t *frame, size_t len);

struct pair_tap {
    tally_transport inner;
    pair_on_frame on_frame; /* NULL: everything passes unchanged */
    void *user;
    uint8_t *bytes; /* of an unfinished frame */
    size_t fill;
    size_t index;
    int closed;
};

/* Writes bytes towards the peer; waits for room. */
void tap_pass(pair_tap *tap, const void *bytes, size_t len);
/* The stream ends here, in both directions, as if the process were killed. */
void tap_close(pair_tap *tap);

/* Header fields of a raw frame. */
uint32_t frame_length(const uint8_t *frame);
uint32_t frame_sequence(const uint8_t *frame);
void frame_set_length(uint8_t *frame, uint32_t length);
void frame_set_sequence(uint8_t *frame, uint32_t sequence);

typedef struct pair_side {
    tally_session *session;
    tally_input *input;
    tally_transport pipe, io; /* io: the session's, through the tap */
    pair_tap tap;
    void (*before)(void *user); /* runs in the side's thread, right before the session */
    void (*after)(void *user);  /* and right after it */
    void *hook_user;
    pthread_t thread;
    /* outcome */
    tally_status status;
    tally_error error;
    tally_result result;
    uint64_t *rows; /* told by on_match, in order */
    size_t row_count, row_room;
    unsigned progress_calls, log_lines;
    int leaked; /* a log line, message, sentence or summary held PAIR_MARK */
} pair_side;

typedef struct pair {
    pair_side side[2];
} pair;

/* Sessions of the protocol ecdh with one key of profile "exact", one thread each, callbacks of this file,
 * plain transport. Aborts when it cannot. */
void pair_init(pair *p, enum tally_security security, enum tally_reveal reveal);
/* Both sides. */
void pair_set_protocol(pair *p, enum tally_protocol protocol);
/* Adds PAIR_MARK and the decimal of each id as a row. n = 0 sets a file without rows instead. */
void pair_add(pair_side *side, const uint32_t *ids, size_t n);
void pair_start(pair *p);
void pair_join(pair *p);
void pair_run(pair *p); /* start and join */
void pair_free(pair *p);

/* Category: exit status of a status. */
int pair_category(const pair_side *side);

/* What one direction sent, without heartbeats: a tap that records and passes on. Room for all frames of a
 * small run. */
typedef struct pair_record {
    struct {
        uint8_t type;
        uint32_t length;
        uint8_t *payload;
    } frame[32];
    size_t count;
} pair_record;
void pair_record_start(pair_record *record, pair_tap *tap);
void pair_record_free(pair_record *record);

#endif
