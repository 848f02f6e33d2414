/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sessions for the tests of the public interface, which see nothing of the library but tally.h and its
 * shared object: a bank (receiver) with rows 0..n-1 and a court (sender) with every second of them.
 */
#ifndef TESTS_API_COMMON_H
#define TESTS_API_COMMON_H

#include "party/tally.h"
#include <pthread.h>

typedef struct api_side {
    tally_session *session;
    tally_input *input;
    tally_transport pipe;
    pthread_t thread;
    tally_status status;
    tally_error error;
    uint64_t rows, progress, lines; /* callbacks */
    pthread_t caller;               /* the thread that has to make them; with check_caller */
    int check_caller, wrong_caller;
} api_side;

typedef struct api_pair {
    api_side side[2]; /* receiver, sender */
    size_t n;
    int over; /* sessions of it that a loop has seen end */
} api_pair;

enum api_link { API_PIPE, API_PIPE_TLS, API_TCP };

/* Two identities in folders below dir; freed by api_identities_free. */
void api_identities_new(const char *dir);
void api_identities_free(void);

/* Both sessions, set up and with callbacks; aborts when it cannot. */
void api_pair_new(api_pair *p, size_t n, enum tally_function function, enum tally_protocol protocol,
                  enum api_link link);
void api_pair_free(api_pair *p);
/* Runs a side by tally_session_run, in a thread; join with api_join. */
void api_run(api_side *side);
void api_join(api_side *side);
/* Both, to the end. */
void api_pair_run(api_pair *p);
/* Steps sessions that were started until all are over: one thread, one epoll. */
void api_loop(api_side **sides, size_t count);
/* Both ended well and the receiver heard of each match. */
int api_pair_good(const api_pair *p);

/* An executor of `threads` threads; it refuses every refuse-th job (0: none). */
typedef struct api_executor api_executor;
api_executor *api_executor_new(unsigned threads, unsigned refuse, tally_executor *out);
uint64_t api_executor_jobs(const api_executor *x); /* that were run */
void api_executor_free(api_executor *x);           /* waits for its jobs */

/* Of this process. */
size_t api_open_files(void);
size_t api_threads(void);
size_t api_resident_kib(void);

#endif
