/* SPDX-License-Identifier: Apache-2.0 */
#include "party/pool.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define N_MAX 5000

typedef struct loop {
    atomic_uchar seen[N_MAX]; /* times an index was worked on */
    atomic_int inside[8];     /* of a worker's number */
    atomic_uint workers;      /* bit i: worker i took part */
    atomic_int bad;
    size_t n, chunk;
    size_t fail_from, fail_step; /* chunks that fail; step 0: none */
    unsigned pause_us;
} loop;

static tally_status note(void *user, unsigned worker, size_t begin, size_t end)
{
    loop *l = user;
    if (worker >= 8 || atomic_fetch_add(&l->inside[worker], 1) != 0)
        atomic_store(&l->bad, 1);
    if (begin >= end || end > l->n || begin % l->chunk || end - begin > l->chunk ||
        (end < l->n && end % l->chunk))
        atomic_store(&l->bad, 1);
    atomic_fetch_or(&l->workers, 1u << worker);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&l->seen[i], 1);
    if (l->pause_us)
        nanosleep(&(struct timespec){.tv_nsec = l->pause_us * 1000L}, NULL);
    atomic_fetch_sub(&l->inside[worker], 1);
    size_t c = begin / l->chunk;
    if (l->fail_step && c >= l->fail_from && (c - l->fail_from) % l->fail_step == 0)
        return c == l->fail_from ? TALLY_ERR_MALFORMED : TALLY_ERR_INTERNAL;
    return TALLY_OK;
}

static void reset(loop *l, size_t n, size_t chunk)
{
    memset(l, 0, sizeof *l);
    l->n = n;
    l->chunk = chunk;
}

static void test_covers(void)
{
    static loop l;
    for (unsigned threads = 1; threads <= 5; threads++) {
        party_pool *pool = NULL;
        CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, threads, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(party_pool_size(pool), threads);
        const size_t sizes[] = {0, 1, 2, 63, 64, 65, 128, 1000, N_MAX}, chunks[] = {1, 7, 64, 256, 100000};
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
                reset(&l, sizes[s], chunks[c]);
                CU_ASSERT_EQUAL(party_pool_run(pool, l.n, l.chunk, note, &l), TALLY_OK);
                size_t once = 0;
                for (size_t i = 0; i < N_MAX; i++)
                    once += atomic_load(&l.seen[i]) == (i < l.n);
                CU_ASSERT_EQUAL(once, N_MAX);
                CU_ASSERT_EQUAL(atomic_load(&l.bad), 0);
                CU_ASSERT_EQUAL(atomic_load(&l.workers) >> threads, 0);
            }
        party_pool_free(pool);
    }
    party_pool_free(NULL);
}

/* Sleeping chunks are shared by all, the caller (worker 0) too. */
static void test_all_take_part(void)
{
    static loop l;
    party_pool *pool = NULL;
    CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, 4, NULL), TALLY_OK);
    reset(&l, 64, 1);
    l.pause_us = 5000;
    CU_ASSERT_EQUAL(party_pool_run(pool, l.n, l.chunk, note, &l), TALLY_OK);
    CU_ASSERT_EQUAL(atomic_load(&l.workers), 0xf);
    party_pool_free(pool);
}

/* Whatever the threads do, the status is that of the lowest failing chunk, and every chunk below it ran. */
static void test_errors(void)
{
    static loop l;
    party_pool *pool = NULL;
    CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, 4, NULL), TALLY_OK);
    for (int round = 0; round < 300; round++) {
        reset(&l, 1 + unit_below(N_MAX), 1 + unit_below(20));
        size_t count = (l.n + l.chunk - 1) / l.chunk;
        l.fail_from = unit_below((uint32_t)count);
        l.fail_step = 1 + unit_below(3);
        CU_ASSERT_EQUAL(party_pool_run(pool, l.n, l.chunk, note, &l), TALLY_ERR_MALFORMED);
        size_t ran = 0, twice = 0;
        for (size_t i = 0; i < l.n; i++) {
            ran += i < l.fail_from * l.chunk && atomic_load(&l.seen[i]) == 1;
            twice += atomic_load(&l.seen[i]) > 1;
        }
        CU_ASSERT_EQUAL(ran, l.fail_from * l.chunk);
        CU_ASSERT_EQUAL(twice, 0);
    }
    /* The pool is as good as new afterwards. */
    reset(&l, 100, 3);
    CU_ASSERT_EQUAL(party_pool_run(pool, l.n, l.chunk, note, &l), TALLY_OK);
    party_pool_free(pool);
}

static tally_status look_at_mask(void *user, unsigned worker, size_t begin, size_t end)
{
    atomic_int *unblocked = user;
    sigset_t mask;
    (void)begin, (void)end;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (worker > 0 && !sigismember(&mask, SIGINT))
        atomic_fetch_add(unblocked, 1);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return TALLY_OK;
}

static void test_signals_blocked(void)
{
    party_pool *pool = NULL;
    atomic_int unblocked = 0;
    sigset_t mask;
    CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, 3, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(party_pool_run(pool, 30, 1, look_at_mask, &unblocked), TALLY_OK);
    CU_ASSERT_EQUAL(atomic_load(&unblocked), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CU_ASSERT_EQUAL(sigismember(&mask, SIGINT), 0);
    party_pool_free(pool);
}

static void test_idle_costs_nothing(void)
{
    party_pool *pool = NULL;
    struct timespec a, b;
    CU_ASSERT_EQUAL_FATAL(party_pool_new(&pool, 4, NULL), TALLY_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    CU_ASSERT((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 30);
    party_pool_free(pool);
}

static void put_file(const char *folder, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static void test_cgroup(void)
{
    const char *root = unit_tmp();
    char a[120], b[140];
    snprintf(a, sizeof a, "%s/a", root);
    snprintf(b, sizeof b, "%s/b", a);
    CU_ASSERT_EQUAL_FATAL(mkdir(a, 0700) + mkdir(b, 0700), 0);
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a/b"), 0);
    static const struct {
        const char *text;
        unsigned expect;
    } cases[] = {
        {"max 100000\n", 0},      {"200000 100000\n", 2}, {"200001 100000\n", 3}, {"50000 100000\n", 1},
        {"1 100000\n", 1},        {"150000 50000\n", 3},  {"100000 0\n", 0},      {"", 0},
        {"900000000 1000\n", 256}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file(b, cases[i].text);
        CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a/b"), cases[i].expect);
        CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a"), 0);
    }
    put_file(b, "400000 100000\n"); /* the least of the chain counts */
    put_file(a, "300000 100000\n");
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a/b"), 3);
    put_file(a, "500000 100000\n");
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a/b"), 4);
    put_file(root, "200000 100000\n");
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/a/b"), 2);
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/"), 2);
    CU_ASSERT_EQUAL(party_pool_cgroup(root, "/elsewhere/deep"), 2);
}

static void test_threads(void)
{
    cpu_set_t before, one;
    CU_ASSERT_EQUAL(party_pool_threads(1), 1);
    CU_ASSERT_EQUAL(party_pool_threads(7), 7);
    CU_ASSERT_EQUAL(party_pool_threads(256), 256);
    CU_ASSERT_EQUAL(party_pool_threads(100000), 256);
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned all = party_pool_threads(0);
    CU_ASSERT(all >= 1 && all <= (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof one, &one), 0);
    CU_ASSERT_EQUAL(party_pool_threads(0), 1);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
}

static void test_faults(void)
{
    for (unsigned long i = 1; i <= 2; i++) {
        party_pool *pool = NULL;
        tally_error error;
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(party_pool_new(&pool, 2, &error), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(error.status, TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(pool);
    }
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"covers", test_covers},
        {"all_take_part", test_all_take_part},
        {"errors", test_errors},
        {"signals_blocked", test_signals_blocked},
        {"idle_costs_nothing", test_idle_costs_nothing},
        {"cgroup", test_cgroup},
        {"threads", test_threads},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "pool", tests, sizeof tests / sizeof *tests);
}
