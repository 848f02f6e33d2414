/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel and every backend that this machine can run, beside OpenSSL's and libsodium's curves in the
 * same run: operations a second and cycles an operation, on one thread and on all of them. A round measures
 * every row once, and rounds follow each other, so that a slow minute of the machine falls on all rows alike
 * and ratios within one run can be relied on. benchmarks/README.md says how to read the output.
 */
#include "benchmarks/kernels.h"

#include "party/pool.h"
#include "psi/mem.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define REPEATS_MAX 999u
#define THREADS_MAX 256u
#define SECONDS_MAX 60.0

typedef struct settings {
    unsigned repeats, threads; /* threads: of the rows on all of them */
    double seconds;
    int json, cpu_time;
} settings;

/* Of one row on so many threads: one entry for each round. */
typedef struct series {
    const bench_row *row;
    unsigned threads;
    double *ops_per_s, *cycles_per_op;
} series;

typedef struct worker {
    pthread_t thread;
    const bench_row *row;
    bench_work *work;
    pthread_barrier_t *start;
    double seconds;
    int cpu_time;
    int cpu; /* -1: any */
    tally_status status;
    double ops, took, cycles;
} worker;

static int cpus[CPU_SETSIZE]; /* that this process may run on */
static unsigned cpu_count;
static int has_cycles;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "tally-kernels: %s%s\n", what, which);
    exit(70);
}

static void *room(size_t count, size_t size)
{
    void *p = psi_calloc(count, size);
    if (!p)
        fail("out of memory", "");
    return p;
}

/* ---- Clocks and processors ---- */

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* 1 if there is a counter that runs at one rate whatever the core does: the invariant time stamp counter. */
static int find_cycles(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
#else
    return 0;
#endif
}

static uint64_t cycles(void)
{
#if defined(__x86_64__)
    return has_cycles ? __rdtsc() : 0;
#else
    return 0;
#endif
}

static void find_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return; /* more processors than the set holds: threads go where they like */
    for (int c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET((size_t)c, &set))
            cpus[cpu_count++] = c;
}

static void stay_on(int cpu)
{
    cpu_set_t set;
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set); /* where that is refused, any will do */
}

/* ---- Measuring ---- */

static void *work_on(void *user)
{
    worker *w = user;
    const bench_row *row = w->row;
    size_t calls = 0;
    stay_on(w->cpu);
    w->status = row->run(row->table, w->work); /* warms up caches, tables and clock */
    pthread_barrier_wait(w->start);
    double begin = now(CLOCK_MONOTONIC), begin_cpu = now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t first = cycles();
    do {
        if (!w->status)
            w->status = row->run(row->table, w->work);
        calls++;
        w->took = now(CLOCK_MONOTONIC) - begin;
    } while (!w->status && w->took < w->seconds);
    w->cycles = (double)(cycles() - first);
    if (w->cpu_time) { /* without the time in which others had the processor */
        double ran = now(CLOCK_THREAD_CPUTIME_ID) - begin_cpu;
        w->cycles *= ran / w->took;
        w->took = ran;
    }
    w->ops = (double)calls * (double)row->ops;
    return NULL;
}

/* One row once: operations a second of all threads together, cycles of one processor for an operation. */
static void measure(const series *s, worker *workers, const settings *o, unsigned round)
{
    pthread_barrier_t start;
    double ops = 0, rate = 0, spent = 0;
    if (pthread_barrier_init(&start, NULL, s->threads))
        fail("no barrier", "");
    for (unsigned i = 0; i < s->threads; i++) {
        worker *w = &workers[i];
        w->row = s->row;
        w->start = &start;
        w->seconds = o->seconds;
        w->cpu_time = o->cpu_time;
        /* A processor for each thread; a single thread takes them in turn, from round to round. */
        w->cpu = s->threads > cpu_count ? -1 : cpus[(i + (s->threads == 1 ? round : 0)) % cpu_count];
        if (pthread_create(&w->thread, NULL, work_on, w))
            fail("cannot start a thread", "");
    }
    for (unsigned i = 0; i < s->threads; i++) {
        const worker *w = &workers[i];
        pthread_join(w->thread, NULL);
        if (w->status)
            fail("a kernel failed: ", s->row->kernel);
        ops += w->ops;
        rate += w->ops / w->took;
        spent += w->cycles;
    }
    pthread_barrier_destroy(&start);
    s->ops_per_s[round] = rate;
    s->cycles_per_op[round] = spent / ops;
}

static void measure_all(const series *all, size_t count, const settings *o)
{
    worker *workers = room(o->threads, sizeof *workers);
    for (unsigned i = 0; i < o->threads; i++) {
        workers[i].work = bench_work_new();
        if (!workers[i].work)
            fail("out of memory, or no keys for X25519", "");
    }
    for (unsigned round = 0; round < o->repeats; round++)
        for (size_t i = 0; i < count; i++)
            measure(&all[i], workers, o, round);
    for (unsigned i = 0; i < o->threads; i++)
        bench_work_free(workers[i].work);
    psi_free(workers);
}

/* ---- Output ---- */

typedef struct spread {
    double min, median, max;
} spread;

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static spread spread_of(const double *v, unsigned n)
{
    double sorted[REPEATS_MAX];
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, ascending);
    return (spread){sorted[0], (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[n - 1]};
}

static void print_csv(const series *all, size_t count, unsigned repeats)
{
    puts("kernel,backend,threads,ops_per_s,ops_per_s_min,ops_per_s_max,cycles_per_op,cycles_per_op_min,"
         "cycles_per_op_max,repeats");
    for (const series *s = all; s < all + count; s++) {
        spread ops = spread_of(s->ops_per_s, repeats), c = spread_of(s->cycles_per_op, repeats);
        printf("%s,%s,%u,%.1f,%.1f,%.1f,%.2f,%.2f,%.2f,%u\n", s->row->kernel, s->row->backend, s->threads,
               ops.median, ops.min, ops.max, c.median, c.min, c.max, repeats);
    }
}

static void print_json(const series *all, size_t count, unsigned repeats)
{
    for (size_t i = 0; i < count; i++) {
        const series *s = &all[i];
        spread ops = spread_of(s->ops_per_s, repeats), c = spread_of(s->cycles_per_op, repeats);
        printf("%s{\"kernel\": \"%s\", \"backend\": \"%s\", \"threads\": %u, \"ops_per_s\": %.1f, ",
               i ? ",\n " : "[", s->row->kernel, s->row->backend, s->threads, ops.median);
        if (has_cycles)
            printf("\"cycles_per_op\": %.2f, \"cycles_per_op_min\": %.2f, \"cycles_per_op_max\": %.2f, ",
                   c.median, c.min, c.max);
        else
            printf("\"cycles_per_op\": null, \"cycles_per_op_min\": null, \"cycles_per_op_max\": null, ");
        printf("\"ops_per_s_min\": %.1f, \"ops_per_s_max\": %.1f, \"repeats\": %u}", ops.min, ops.max,
               repeats);
    }
    puts("]");
}

static const series *find(const series *all, size_t count, const char *kernel, const char *backend,
                          unsigned threads)
{
    for (const series *s = all; s < all + count; s++)
        if (strcmp(s->row->kernel, kernel) == 0 && strcmp(s->row->backend, backend) == 0 &&
            s->threads == threads)
            return s;
    return NULL;
}

static void print_ratio(const series *a, const series *b, const char *text, unsigned repeats)
{
    double ratio[REPEATS_MAX];
    if (!a || !b || a == b)
        return;
    for (unsigned i = 0; i < repeats; i++)
        ratio[i] = a->ops_per_s[i] / b->ops_per_s[i];
    spread r = spread_of(ratio, repeats);
    spread best_a = spread_of(a->ops_per_s, repeats), best_b = spread_of(b->ops_per_s, repeats);
    fprintf(stderr,
            "tally-kernels: scalar_mul %s, %u thread%s / %s: %.2f (%.2f to %.2f; best by best %.2f)\n",
            a->row->backend, a->threads, a->threads == 1 ? "" : "s", text, r.median, r.min, r.max,
            best_a.max / best_b.max);
}

/* What one looks for first: each backend beside OpenSSL and libsodium, and what more threads give. */
static void print_ratios(const series *all, size_t count, const settings *o)
{
    const series *openssl = find(all, count, "openssl_x25519", "openssl", 1);
    const series *portable = find(all, count, "scalar_mul", "portable", 1);
    for (const series *s = all; s < all + count; s++)
        if (strcmp(s->row->kernel, "scalar_mul") == 0 && s->threads == 1) {
            print_ratio(s, openssl, "openssl_x25519", o->repeats);
            print_ratio(s, portable, "portable", o->repeats);
            if (!o->cpu_time) /* which does not see that threads wait for each other */
                print_ratio(find(all, count, "scalar_mul", s->row->backend, o->threads), s, "1 thread",
                            o->repeats);
        }
}

/* ---- Options ---- */

static void help(const bench_row *rows, size_t count)
{
    puts("usage: kernels [OPTION...]\n"
         "Measures every kernel and backend that this machine can run; CSV on standard output.\n"
         "\n"
         "      --json           an array of objects instead\n"
         "      --repeats N      rounds over all rows, 1 to 999 (9)\n"
         "      --seconds S      for each row in each round, up to 60 (0.05)\n"
         "      --threads N      of the rows on all threads, 1 to 256 (as many as processors)\n"
         "      --only K[,K...]  these kernels only\n"
         "      --cpu-time       count the threads' processor time instead of wall time\n"
         "      --help           this text\n"
         "\n"
         "kernels:");
    for (size_t i = 0; i < count; i++)
        if (!i || strcmp(rows[i].kernel, rows[i - 1].kernel) != 0)
            printf("  %s\n", rows[i].kernel);
}

static int misuse(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "tally-kernels: %s %s: %s\nhint: kernels --help\n", option, value, what);
    return 1;
}

/* Keeps the rows of the kernels in the list, in their order. NULL, or a name that is no kernel's. */
static const char *keep_only(bench_row *rows, size_t *count, char *list)
{
    unsigned char keep[BENCH_ROWS_MAX] = {0};
    size_t kept = 0;
    for (char *name = list, *next; name; name = next) {
        int found = 0;
        next = strchr(name, ',');
        if (next)
            *next++ = 0;
        for (size_t i = 0; i < *count; i++)
            if (strcmp(rows[i].kernel, name) == 0)
                found = keep[i] = 1;
        if (!found)
            return name;
    }
    for (size_t i = 0; i < *count; i++)
        if (keep[i])
            rows[kept++] = rows[i];
    *count = kept;
    return NULL;
}

/* A number from..to written in digits; 0 if it is none. */
static unsigned count_of(const char *text, unsigned from, unsigned to)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && n >= from && n <= to ? (unsigned)n : 0;
}

/* 0 to go on, 1 for misuse, -1 when help was asked for. */
static int read_options(settings *o, int argc, char **argv, bench_row *rows, size_t *count)
{
    static const struct option known[] = {
        {"json", no_argument, NULL, 'j'},          {"repeats", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'}, {"threads", required_argument, NULL, 't'},
        {"only", required_argument, NULL, 'o'},    {"help", no_argument, NULL, 'h'},
        {"cpu-time", no_argument, NULL, 'c'},      {NULL, 0, NULL, 0},
    };
    char *only = NULL, *end;
    int option, at = 1;
    for (; (option = getopt_long(argc, argv, "+:", known, NULL)) != -1; at = optind)
        switch (option) {
        case 'j':
            o->json = 1;
            break;
        case 'c':
            o->cpu_time = 1;
            break;
        case 'r':
            o->repeats = count_of(optarg, 1, REPEATS_MAX);
            if (!o->repeats)
                return misuse("--repeats", optarg, "not a number from 1 to 999");
            break;
        case 't':
            o->threads = count_of(optarg, 1, THREADS_MAX);
            if (!o->threads)
                return misuse("--threads", optarg, "not a number from 1 to 256");
            break;
        case 's':
            o->seconds = strtod(optarg, &end);
            if (end == optarg || *end || !(o->seconds > 0 && o->seconds <= SECONDS_MAX))
                return misuse("--seconds", optarg, "not a number above 0, up to 60");
            break;
        case 'o':
            only = optarg;
            break;
        case 'h':
            help(rows, *count);
            return -1;
        default:
            return misuse("option", argv[at],
                          option == ':' ? "a value is missing" : "unknown, or with a value it does not take");
        }
    if (optind < argc)
        return misuse("argument", argv[optind], "there are only options");
    const char *stranger = only ? keep_only(rows, count, only) : NULL;
    return stranger ? misuse("--only", stranger, "no kernel of this name") : 0;
}

int main(int argc, char **argv)
{
    static bench_row rows[BENCH_ROWS_MAX];
    settings o = {.repeats = 9, .threads = party_pool_threads(0), .seconds = 0.05};
    size_t row_count = bench_rows(rows), count = 0;
    int stop = read_options(&o, argc, argv, rows, &row_count);
    if (stop)
        return stop < 0 ? 0 : 1;
    has_cycles = find_cycles();
    find_cpus();
    series *all = room(2 * row_count, sizeof *all);
    double *numbers = room((size_t)4 * o.repeats, row_count * sizeof *numbers), *next = numbers;
    for (size_t i = 0; i < row_count; i++)
        for (unsigned t = 0; t < (o.threads > 1 ? 2u : 1u); t++) {
            all[count++] = (series){&rows[i], t ? o.threads : 1, next, next + o.repeats};
            next += 2 * o.repeats;
        }
    measure_all(all, count, &o);
    if (o.json)
        print_json(all, count, o.repeats);
    else
        print_csv(all, count, o.repeats);
    int lost = fflush(stdout) || ferror(stdout);
    if (lost)
        fprintf(stderr, "tally-kernels: standard output: %s\n", strerror(errno));
    else if (!o.json)
        print_ratios(all, count, &o);
    psi_free(numbers);
    psi_free(all);
    return lost ? 7 : 0;
}
