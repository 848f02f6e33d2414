/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What benchmarks/kernels measures: rows of a kernel and a backend (benchmarks/kernel_rows.c), which
 * benchmarks/kernels.c times and prints.
 */
#ifndef BENCHMARKS_KERNELS_H
#define BENCHMARKS_KERNELS_H

#include "psi/tally-status.h"
#include <stddef.h>

#define BENCH_ROWS_MAX 320u

/* Inputs and outputs of all kernels; one per thread. */
typedef struct bench_work bench_work;

typedef struct bench_row {
    const char *kernel, *backend;
    const void *table; /* of the backend; NULL where there is nothing to choose */
    size_t ops;        /* in one call of run */
    /* The kernel once over its batch: some 10 microseconds or more, so that reading the clock costs nothing.
     */
    tally_status (*run)(const void *table, bench_work *w);
} bench_row;

/* Fills rows with every kernel and every backend that this machine can run, and returns their number. */
size_t bench_rows(bench_row rows[BENCH_ROWS_MAX]);

/* Random inputs. NULL when memory is short or a library refuses to make a key. */
bench_work *bench_work_new(void);
void bench_work_free(bench_work *w); /* NULL allowed */

#endif
