/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many sessions in one process, by the public interface: 64 at once, driven in every way there is and some of
 * them cancelled; a loop that steps 48 in one thread; and N pairs in a row (TALLY_LONG=N, 300 otherwise).
 * After each of them memory, descriptors and threads are as before.
 */
#include "tests/api_common.h"
#include "tests/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define PAIRS 32

/* What the library holds, counted exactly. */
static atomic_long blocks;

static void *count_alloc(void *user, size_t bytes)
{
    void *p = malloc(bytes);
    (void)user;
    if (p)
        atomic_fetch_add(&blocks, 1);
    return p;
}

static void count_release(void *user, void *memory)
{
    (void)user;
    atomic_fetch_sub(&blocks, 1);
    free(memory);
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static int stepped(size_t i, int side)
{
    return i % 4 == 1 || i % 4 == 3 || (i % 4 == 2 && side == 0);
}

static int cancelled(size_t i)
{
    return i % 8 >= 6;
}

/* What they are given differs by pair; how each side is driven by pair and side. */
static void prepare(api_pair *p, size_t i, const tally_executor *x)
{
    static const enum api_link links[] = {API_PIPE, API_TCP, API_PIPE_TLS, API_TCP};
    enum tally_function f = i % 8 == 4 ? TALLY_COUNT : i % 8 == 5 ? TALLY_SUM : TALLY_MATCH;
    api_pair_new(p, i % 8 == 3 ? 700 : 150, f, i % 8 == 3 ? TALLY_VOLE : TALLY_AUTO, links[i % 4]);
    for (int side = 0; side < 2; side++) {
        if (i % 4 == 3 || i % 4 == 0)
            tally_session_set_executor(p->side[side].session, x);
        if (i % 4 == 1)
            tally_session_set_memory_limit(p->side[side].session, 64u << 20);
    }
}

static void *cancel_some(void *user)
{
    api_pair *pairs = user;
    for (size_t i = 0; i < PAIRS; i++)
        if (cancelled(i)) {
            pause_ms(2);
            tally_session_cancel(pairs[i].side[i / 8 % 2].session);
        }
    pause_ms(300);
    for (size_t i = 0; i < PAIRS; i++) /* one that connects would go on looking for its peer */
        if (cancelled(i))
            tally_session_cancel(pairs[i].side[i / 8 % 2 == 0].session);
    return NULL;
}

static void run_many(const tally_executor *x)
{
    static api_pair pairs[PAIRS];
    api_side *in_loop[2 * PAIRS];
    size_t loops = 0;
    pthread_t canceller;
    for (size_t i = 0; i < PAIRS; i++)
        prepare(&pairs[i], i, x);
    for (size_t i = 0; i < PAIRS; i++)
        for (int k = 1; k >= 0; k--) {
            api_side *side = &pairs[i].side[k];
            if (stepped(i, k)) {
                side->caller = pthread_self();
                side->check_caller = 1;
                CU_ASSERT_EQUAL_FATAL(tally_session_start(side->session, &side->error), TALLY_OK);
                in_loop[loops++] = side;
            } else {
                api_run(side);
            }
        }
    pthread_create(&canceller, NULL, cancel_some, pairs);
    api_loop(in_loop, loops);
    pthread_join(canceller, NULL);
    for (size_t i = 0; i < PAIRS; i++) {
        int ended = 0;
        for (int k = 0; k < 2; k++)
            if (!stepped(i, k))
                api_join(&pairs[i].side[k]);
        for (int k = 0; k < 2; k++)
            ended += pairs[i].side[k].status == TALLY_ERR_INTERRUPTED;
        if (!cancelled(i)) {
            CU_ASSERT(api_pair_good(&pairs[i]));
            if (!api_pair_good(&pairs[i]))
                printf("pair %zu: %s, %s\n", i, pairs[i].side[0].error.message,
                       pairs[i].side[1].error.message);
        } else { /* it may have come too late */
            CU_ASSERT(ended > 0 || api_pair_good(&pairs[i]));
        }
        api_pair_free(&pairs[i]);
    }
}

static void test_many(void)
{
    tally_executor x;
    api_executor *executor = api_executor_new(4, 7, &x);
    run_many(&x); /* what a process makes once is made now */
    long held = atomic_load(&blocks);
    size_t files = api_open_files(), threads = api_threads();
    for (int i = 0; i < (getenv("TALLY_LONG") ? 20 : 2); i++) {
        run_many(&x);
        CU_ASSERT_EQUAL(api_open_files(), files);
        CU_ASSERT_EQUAL(api_threads(), threads);
    }
    CU_ASSERT(api_executor_jobs(executor) > 0);
    api_executor_free(executor);
    CU_ASSERT_EQUAL(atomic_load(&blocks), held);
}

/* As a program over libevent would: everything in one thread. */
static void test_loop(void)
{
    static api_pair pairs[24];
    api_side *sides[48];
    for (size_t i = 0; i < 24; i++) {
        api_pair_new(&pairs[i], 300, TALLY_MATCH, TALLY_ECDH, i % 2 ? API_TCP : API_PIPE);
        for (int k = 0; k < 2; k++) {
            api_side *side = sides[2 * i + (size_t)k] = &pairs[i].side[k];
            side->caller = pthread_self();
            side->check_caller = 1;
            CU_ASSERT_EQUAL_FATAL(tally_session_start(side->session, &side->error), TALLY_OK);
        }
    }
    api_loop(sides, 48);
    for (size_t i = 0; i < 24; i++) {
        CU_ASSERT(api_pair_good(&pairs[i]));
        CU_ASSERT(pairs[i].side[0].progress > 0 && pairs[i].side[0].lines > 0);
        CU_ASSERT(pairs[i].side[1].progress > 0 && pairs[i].side[1].lines > 0);
        api_pair_free(&pairs[i]);
    }
}

static void run_one(size_t i)
{
    api_pair p;
    api_pair_new(&p, 8, TALLY_MATCH, TALLY_ECDH, i % 4 == 3 ? API_PIPE_TLS : API_PIPE);
    if (i % 2) {
        api_side *sides[] = {&p.side[0], &p.side[1]};
        for (int k = 0; k < 2; k++)
            CU_ASSERT_EQUAL_FATAL(tally_session_start(p.side[k].session, NULL), TALLY_OK);
        api_loop(sides, 2);
    } else {
        api_pair_run(&p);
    }
    CU_ASSERT(api_pair_good(&p));
    api_pair_free(&p);
}

static void test_in_a_row(void)
{
    size_t pairs = getenv("TALLY_LONG") ? strtoul(getenv("TALLY_LONG"), NULL, 10) : 150;
    size_t files = 0, threads = 0, kib = 0;
    long held = 0;
    if (SANITIZED)
        pairs = 40;
    for (size_t i = 0; i < pairs; i++) {
        if (i == pairs / 3) {
            files = api_open_files();
            threads = api_threads();
            kib = api_resident_kib();
            held = atomic_load(&blocks);
        }
        run_one(i);
    }
    printf("  %zu sessions: %zu KiB resident after a third, %zu at the end; %zu descriptors, %zu threads\n",
           2 * pairs, kib, api_resident_kib(), api_open_files(), api_threads());
    CU_ASSERT_EQUAL(api_open_files(), files);
    CU_ASSERT_EQUAL(api_threads(), threads);
    CU_ASSERT_EQUAL(atomic_load(&blocks), held);
    CU_ASSERT(SANITIZED || api_resident_kib() < kib + 4096); /* arenas of the C library still fill up */
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"many", test_many}, {"loop", test_loop}, {"in_a_row", test_in_a_row}};
    if (tally_set_allocator(count_alloc, count_release, NULL, NULL))
        return 1;
    api_identities_new(unit_tmp());
    int status = unit_main(argc, argv, "api_sessions", tests, sizeof tests / sizeof *tests);
    api_identities_free();
    return status;
}
