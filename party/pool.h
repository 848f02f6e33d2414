/* SPDX-License-Identifier: Apache-2.0 */
/* A small pool of worker threads: one loop cut into chunks, run by all of them and the caller. */
#ifndef PARTY_POOL_H
#define PARTY_POOL_H

#include "party/cancel.h"

typedef struct party_pool party_pool;

/* Threads to use: want, or the smaller of affinity mask and cgroup v2 cpu.max when want is 0; 1..256. */
unsigned party_pool_threads(unsigned want);
/*
 * Processors that the cpu.max files (quota / period, rounded up) of the cgroup `own` ("/a/b") and of those
 * above it allow, below the mount point `root`; 0 if none of them sets a limit.
 */
unsigned party_pool_cgroup(const char *root, const char *own);
/* threads (1..256) counts the caller: threads - 1 workers are started. All signals are blocked in workers. */
tally_status party_pool_new(party_pool **out, unsigned threads, tally_error *error) TALLY_MUST_CHECK;
/*
 * The same with the caller's threads: with an executor (NULL, or without submit: none) no thread is started:
 * each run asks it for up to threads - 1 jobs, which join in for as long as the run lasts. A job that comes
 * late, or never, is not waited for.
 */
tally_status party_pool_new_on(party_pool **out, unsigned threads, const tally_executor *executor,
                               tally_error *error) TALLY_MUST_CHECK;
/* Jobs that an executor still holds do nothing when they come. */
void party_pool_free(party_pool *pool);
/* From now on runs end between two chunks with TALLY_ERR_INTERRUPTED once cancel is raised. Borrowed. */
void party_pool_set_cancel(party_pool *pool, const party_cancel *cancel);
unsigned party_pool_size(const party_pool *pool);

/*
 * Calls work(user, worker, begin, end) for consecutive chunks of [0, n), each at most `chunk` long and
 * starting at a multiple of it; worker is 0..threads-1 and no two calls with the same worker run at once.
 * Returns when all are done: TALLY_OK, or the status of the lowest failing chunk (later chunks may then not
 * have run). n may be 0; chunk is at least 1. One run at a time: work must not call the pool.
 */
typedef tally_status (*party_work)(void *user, unsigned worker, size_t begin, size_t end);
tally_status party_pool_run(party_pool *pool, size_t n, size_t chunk, party_work work,
                            void *user) TALLY_MUST_CHECK;

#endif
