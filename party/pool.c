/* SPDX-License-Identifier: Apache-2.0 */
#include "party/pool.h"

#include "party/error.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define THREADS_MAX 256u

typedef struct worker {
    party_pool *pool;
    pthread_t thread;
    unsigned number; /* 1..threads-1; 0 is the caller */
} worker;

struct party_pool {
    unsigned threads;
    unsigned started; /* workers that run */
    worker *workers;

    pthread_mutex_t lock; /* for what follows, up to the loop */
    pthread_cond_t wake, idle;
    uint64_t round; /* of party_pool_run */
    unsigned busy;  /* workers that have not finished this round */
    int stop;
    psi_account *account;        /* of whoever made it: the workers allocate for the same */
    tally_executor executor;     /* submit NULL: none, and nothing of the next three is used */
    int open;                    /* a run is on, which jobs may join */
    unsigned holders;            /* the owner, and jobs that the executor has taken */
    uint8_t joined[THREADS_MAX]; /* numbers of the workers that are in the run */
    size_t failed_chunk;         /* SIZE_MAX: none */
    tally_status status;         /* of failed_chunk */

    /* The loop: written by the caller under the lock while no worker is busy. */
    size_t n, chunk, chunks;
    party_work work;
    void *user;
    atomic_size_t next; /* chunk to claim; passes `chunks` by at most one for each thread */
    atomic_int failed;
    const party_cancel *cancel; /* NULL: cannot be cancelled */
};

/* ---- How many threads ---- */

/* One cpu.max file: "max PERIOD" or "QUOTA PERIOD". 0: no limit, or no such file. */
static unsigned cpu_max(const char *path)
{
    unsigned long long quota, period, n = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%19llu %19llu", &quota, &period) == 2 && period > 0) {
        n = quota / period + (quota % period != 0);
        n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
    }
    fclose(f);
    return (unsigned)n;
}

unsigned party_pool_cgroup(const char *root, const char *own)
{
    char path[4096];
    unsigned least = 0;
    for (size_t len = strlen(own);; len--) { /* own, then each folder above it */
        while (len > 0 && own[len - 1] == '/')
            len--;
        int n = snprintf(path, sizeof path, "%s%.*s/cpu.max", root, (int)len, own);
        unsigned limit = n > 0 && (size_t)n < sizeof path ? cpu_max(path) : 0;
        if (limit && (!least || limit < least))
            least = limit;
        while (len > 0 && own[len - 1] != '/')
            len--;
        if (len == 0)
            return least;
    }
}

/* The line "0::/a/b" of /proc/self/cgroup (cgroups(7)). */
static unsigned own_cgroup(void)
{
    char line[4096];
    unsigned limit = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = 0;
            limit = party_pool_cgroup("/sys/fs/cgroup", line + 3);
        }
    if (f)
        fclose(f);
    return limit;
}

unsigned party_pool_threads(unsigned want)
{
    if (want == 0) {
        cpu_set_t mask[8]; /* 8 * 1024 processors: the kernel's own limit */
        unsigned limit = own_cgroup();
        memset(mask, 0, sizeof mask);
        if (sched_getaffinity(0, sizeof mask, mask) == 0)
            want = (unsigned)CPU_COUNT_S(sizeof mask, mask);
        if (limit && limit < want)
            want = limit;
    }
    return want < 1 ? 1 : want > THREADS_MAX ? THREADS_MAX : want;
}

/* ---- The loop ---- */

/*
 * Chunks are claimed in ascending order, and a claimed chunk always runs: so every chunk below a failing one
 * runs, and the lowest failing chunk is the same whatever the threads do.
 */
static void take_chunks(party_pool *pool, unsigned number)
{
    while (!atomic_load_explicit(&pool->failed, memory_order_relaxed)) {
        if (pool->cancel && party_cancelled(pool->cancel)) {
            atomic_store_explicit(&pool->failed, 1, memory_order_relaxed);
            pthread_mutex_lock(&pool->lock);
            if (!pool->status)
                pool->status = TALLY_ERR_INTERRUPTED;
            pthread_mutex_unlock(&pool->lock);
            return;
        }
        size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->chunks)
            return;
        size_t begin = i * pool->chunk; /* below n: no overflow */
        size_t end = pool->n - begin > pool->chunk ? begin + pool->chunk : pool->n;
        tally_status status = pool->work(pool->user, number, begin, end);
        if (status) {
            atomic_store_explicit(&pool->failed, 1, memory_order_relaxed);
            pthread_mutex_lock(&pool->lock);
            if (i < pool->failed_chunk) {
                pool->failed_chunk = i;
                pool->status = status;
            }
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    party_pool *pool = w->pool;
    uint64_t round = 0;
    psi_account_enter(pool->account);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->round == round)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop)
            break;
        round = pool->round;
        pthread_mutex_unlock(&pool->lock);
        take_chunks(pool, w->number);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- The caller's threads ---- */

static void free_shell(party_pool *pool)
{
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    psi_free(pool->workers);
    psi_free(pool);
}

/* Lets go of the lock, and of the pool. */
static void let_go(party_pool *pool)
{
    int last = --pool->holders == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        free_shell(pool);
}

/* What an executor runs: joins the run that is on, which need not be the one it was submitted for. */
static void job_main(void *arg)
{
    party_pool *pool = arg;
    unsigned number = 1;
    pthread_mutex_lock(&pool->lock);
    while (number < pool->threads && pool->joined[number])
        number++;
    if (pool->open && number < pool->threads) {
        pool->joined[number] = 1;
        pool->busy++;
        pthread_mutex_unlock(&pool->lock);
        psi_account *before = psi_account_enter(pool->account);
        take_chunks(pool, number);
        psi_account_enter(before);
        pthread_mutex_lock(&pool->lock);
        pool->joined[number] = 0;
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->idle);
    }
    let_go(pool);
}

/* Asks for the jobs that the executor does not hold already, as far as there are chunks for them. */
static void ask_executor(party_pool *pool)
{
    for (size_t asked = 1; asked < pool->threads && asked < pool->chunks; asked++) {
        pthread_mutex_lock(&pool->lock);
        int enough = pool->holders >= pool->threads;
        pool->holders += !enough;
        pthread_mutex_unlock(&pool->lock);
        if (enough)
            return;
        if (pool->executor.submit(pool->executor.user, job_main, pool) == 0)
            continue;
        pthread_mutex_lock(&pool->lock); /* refused: we have the threads we have */
        pool->holders--;
        pthread_mutex_unlock(&pool->lock);
        return;
    }
}

tally_status party_pool_run(party_pool *pool, size_t n, size_t chunk, party_work work, void *user)
{
    PSI_CHECK(chunk >= 1);
    if (n == 0)
        return TALLY_OK;
    pthread_mutex_lock(&pool->lock);
    PSI_CHECK(pool->busy == 0);
    pool->n = n;
    pool->chunk = chunk;
    pool->chunks = n / chunk + (n % chunk != 0);
    pool->work = work;
    pool->user = user;
    pool->failed_chunk = SIZE_MAX;
    pool->status = TALLY_OK;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->failed, 0, memory_order_relaxed);
    pool->open = 1;
    if (pool->chunks > 1 && pool->started) { /* one chunk is the caller's: nobody need wake up */
        pool->round++;
        pool->busy = pool->started;
        pthread_cond_broadcast(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    if (pool->executor.submit)
        ask_executor(pool);
    take_chunks(pool, 0);
    pthread_mutex_lock(&pool->lock);
    pool->open = 0;
    while (pool->busy)
        pthread_cond_wait(&pool->idle, &pool->lock);
    tally_status status = pool->status;
    pthread_mutex_unlock(&pool->lock);
    return status;
}

/* ---- Making and freeing ---- */

void party_pool_set_cancel(party_pool *pool, const party_cancel *cancel)
{
    pool->cancel = cancel;
}

void party_pool_free(party_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_lock(&pool->lock);
    let_go(pool);
}

tally_status party_pool_new(party_pool **out, unsigned threads, tally_error *error)
{
    return party_pool_new_on(out, threads, NULL, error);
}

tally_status party_pool_new_on(party_pool **out, unsigned threads, const tally_executor *executor,
                               tally_error *error)
{
    PSI_CHECK(threads >= 1 && threads <= THREADS_MAX);
    party_pool *pool = psi_calloc(1, sizeof *pool);
    worker *workers = psi_calloc(threads, sizeof *workers); /* one more than needed: never none */
    if (!pool || !workers) {
        psi_free(workers);
        psi_free(pool);
        return party_no_memory(error, "the worker threads");
    }
    /* With default attributes these cannot fail on Linux. */
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->threads = threads;
    pool->workers = workers;
    pool->account = psi_account_current();
    pool->holders = 1;
    if (executor && executor->submit) {
        pool->executor = *executor;
        *out = pool;
        return TALLY_OK;
    }

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int good = 1;
    while (good && pool->started < threads - 1) {
        worker *w = &workers[pool->started];
        *w = (worker){.pool = pool, .number = pool->started + 1};
        good = !pthread_create(&w->thread, NULL, worker_main, w);
        pool->started += (unsigned)good;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!good) {
        party_pool_free(pool);
        return party_no_memory(error, "the worker threads");
    }
    *out = pool;
    return TALLY_OK;
}

unsigned party_pool_size(const party_pool *pool)
{
    return pool->threads;
}
