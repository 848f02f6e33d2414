/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory by the public interface: an allocator of the caller's that fails at its n-th call, over a whole
 * small session of each function, with the exact status, no leak and no file; and the limit of a session. n
 * goes through every call with TALLY_LONG, else through those a step apart.
 */
#include "tests/api_common.h"
#include "tests/unit.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_ulong calls, fail_at;
static atomic_long blocks;

static void *test_alloc(void *user, size_t bytes)
{
    if (atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at))
        return NULL;
    void *p = malloc(bytes);
    if (p) {
        memset(p, 0xa5, bytes); /* the library zeroes what has to be zero */
        atomic_fetch_add((atomic_long *)user, 1);
    }
    return p;
}

static void test_release(void *user, void *memory)
{
    atomic_fetch_sub((atomic_long *)user, 1);
    free(memory);
}

typedef struct kind {
    const char *name;
    enum tally_function function;
    enum tally_protocol protocol;
    int malicious, columns, stepped;
    size_t n;
    unsigned long every; /* without TALLY_LONG */
} kind;

static const kind kinds[] = {
    {"match", TALLY_MATCH, TALLY_ECDH, 0, 0, 0, 6, 1},
    {"stepped", TALLY_MATCH, TALLY_ECDH, 0, 0, 1, 6, 3},
    {"malicious", TALLY_MATCH, TALLY_ECDH, 1, 0, 0, 6, 3},
    {"columns", TALLY_MATCH, TALLY_ECDH, 0, 1, 0, 6, 3},
    {"vole", TALLY_MATCH, TALLY_VOLE, 0, 0, 0, 6, 5},
    {"count", TALLY_COUNT, TALLY_ECDH, 0, 0, 0, 6, 3},
    {"sum", TALLY_SUM, TALLY_ECDH, 0, 0, 0, 6, 7},
};

static char *folder;

static void write_file(const char *path, size_t n, size_t step, const char *tail, const char *head)
{
    FILE *f = fopen(path, "we");
    if (!f)
        abort();
    fputs(head, f);
    for (size_t i = 0; i < n; i += step)
        fprintf(f, "person-%zu%s\n", i, tail);
    if (fclose(f))
        abort();
}

static void prepare(api_pair *p, const kind *k, const char *out)
{
    char path[2][200];
    api_pair_new(p, k->columns ? 0 : k->n, k->function, k->protocol, API_PIPE);
    p->n = k->n;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.csv", folder, i);
        if (k->malicious)
            tally_session_set_security(p->side[i].session, TALLY_MALICIOUS);
        if (k->columns)
            CU_ASSERT_EQUAL(tally_input_set_file(p->side[i].input, path[i], NULL), TALLY_OK);
    }
    if (!k->columns)
        return;
    tally_session_on_match(p->side[0].session, NULL, NULL); /* it takes rows for lines */
    CU_ASSERT_EQUAL(tally_session_add_offer(p->side[1].session, "city", 8, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_want(p->side[0].session, "city", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_output(p->side[0].session, out, 0, NULL), TALLY_OK);
}

static void run(api_pair *p, const kind *k)
{
    api_side *sides[] = {&p->side[0]};
    if (!k->stepped) {
        api_pair_run(p);
        return;
    }
    api_run(&p->side[1]);
    p->side[0].status = tally_session_start(p->side[0].session, &p->side[0].error);
    if (!p->side[0].status)
        api_loop(sides, 1);
    else
        p->side[0].pipe.shutdown(p->side[0].pipe.user);
    api_join(&p->side[1]);
}

/* 1 while there was an n-th call. */
static int run_with_fault(const kind *k, unsigned long n)
{
    api_pair p;
    char out[200];
    long before = atomic_load(&blocks);
    snprintf(out, sizeof out, "%s/out.csv", folder);
    prepare(&p, k, out);
    atomic_store(&calls, 0);
    atomic_store(&fail_at, n);
    run(&p, k);
    int struck = atomic_load(&calls) >= n;
    atomic_store(&fail_at, 0);
    if (struck) {
        int hit = p.side[0].status == TALLY_ERR_NO_MEMORY ? 0 : 1;
        const api_side *side = &p.side[hit], *other = &p.side[!hit];
        CU_ASSERT_EQUAL(side->status, TALLY_ERR_NO_MEMORY);
        CU_ASSERT(side->error.status == TALLY_ERR_NO_MEMORY && *side->error.message);
        CU_ASSERT(other->status == TALLY_ERR_PEER_STOPPED || other->status == TALLY_ERR_NETWORK ||
                  (other->status == TALLY_OK && hit == 0));
        CU_ASSERT_NOT_EQUAL(access(out, F_OK), 0);
        if (side->status != TALLY_ERR_NO_MEMORY)
            printf("%s, call %lu: %d (%s), %d (%s)\n", k->name, n, p.side[0].status, p.side[0].error.message,
                   p.side[1].status, p.side[1].error.message);
    } else {
        CU_ASSERT(!p.side[0].status && !p.side[1].status);
        if (p.side[0].status || p.side[1].status)
            printf("%s: %s; %s\n", k->name, p.side[0].error.message, p.side[1].error.message);
    }
    api_pair_free(&p);
    unlink(out);
    CU_ASSERT_EQUAL(atomic_load(&blocks), before);
    return struck;
}

static void test_sweep(void)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        unsigned long n = 1, every = getenv("TALLY_LONG") ? 1 : kinds[i].every;
        run_with_fault(&kinds[i], ULONG_MAX); /* what a process makes once */
        while (run_with_fault(&kinds[i], n))
            n += every;
        CU_ASSERT(n > 30);
        if (getenv("TALLY_LONG"))
            printf("  %s: each of %lu calls\n", kinds[i].name, n - 1);
    }
}

static void test_too_late(void)
{
    tally_error error;
    tally_input *input = NULL;
    CU_ASSERT_EQUAL(tally_input_new(&input, &error), TALLY_OK);
    tally_input_free(input);
    CU_ASSERT_EQUAL(tally_set_allocator(test_alloc, NULL, NULL, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_set_allocator(NULL, NULL, NULL, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "too late") && *error.hint);
}

/* ---- The limit ---- */

/* Limits from nothing to enough; the run ends well or says that it was the limit, and nothing leaks. */
static void test_limit(void)
{
    const enum tally_protocol protocols[] = {TALLY_ECDH, TALLY_VOLE};
    for (int i = 0; i < 2; i++) {
        unsigned good = 0, named = 0;
        for (uint64_t limit = 1024; limit <= (uint64_t)512 << 20 && !good; limit *= 4)
            for (int side = 0; side < 2; side++) {
                api_pair p;
                long before = atomic_load(&blocks);
                api_pair_new(&p, 3000, TALLY_MATCH, protocols[i], API_PIPE);
                tally_session_set_memory_limit(p.side[side].session, limit);
                api_pair_run(&p);
                const api_side *s = &p.side[side];
                if (s->status == TALLY_OK) {
                    good++;
                    CU_ASSERT(api_pair_good(&p));
                } else {
                    CU_ASSERT_EQUAL(s->status, TALLY_ERR_NO_MEMORY);
                    CU_ASSERT(strstr(s->error.message, "limit of this session") && *s->error.hint);
                    named++;
                }
                api_pair_free(&p);
                CU_ASSERT_EQUAL(atomic_load(&blocks), before);
            }
        CU_ASSERT(good > 0 && named > 4);
    }
}

/* A list that cannot fit by itself is noticed before its size is told; both together when the peer's is
 * known. */
static void test_limit_before(void)
{
    const size_t sizes[2] = {20000, 4};
    for (int own_large = 0; own_large < 2; own_large++) {
        api_pair p;
        tally_result r;
        api_pair_new(&p, sizes[0], TALLY_MATCH, TALLY_ECDH, API_PIPE);
        if (!own_large) { /* the receiver's is small: a list of its own */
            api_pair small;
            api_pair_new(&small, sizes[1], TALLY_MATCH, TALLY_ECDH, API_PIPE);
            tally_session_set_input(p.side[0].session, small.side[0].input);
            tally_session_set_memory_limit(p.side[0].session, 310000); /* what comes is more */
            api_pair_run(&p);
            CU_ASSERT_EQUAL(p.side[0].status, TALLY_ERR_NO_MEMORY);
            CU_ASSERT_PTR_NOT_NULL(strstr(p.side[0].error.message, "will need about"));
            tally_session_get_result(p.side[1].session, &r);
            CU_ASSERT_EQUAL(r.peer_items, sizes[1]); /* hello 2 did */
            api_pair_free(&small);
        } else { /* loaded before, so that it is not the reading that needs too much */
            CU_ASSERT_EQUAL(tally_input_load(p.side[0].input, NULL), TALLY_OK);
            tally_session_set_memory_limit(p.side[0].session, 400000);
            api_pair_run(&p);
            CU_ASSERT_EQUAL(p.side[0].status, TALLY_ERR_NO_MEMORY);
            CU_ASSERT_PTR_NOT_NULL(strstr(p.side[0].error.message, "will need about"));
            tally_session_get_result(p.side[1].session, &r);
            CU_ASSERT_EQUAL(r.peer_items, 0); /* hello 2 did not come */
        }
        api_pair_free(&p);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"sweep", test_sweep},
                                      {"too_late", test_too_late},
                                      {"limit", test_limit},
                                      {"limit_before", test_limit_before}};
    char path[200];
    tally_error error;
    if (tally_set_allocator(test_alloc, test_release, &blocks, &error))
        return 1;
    folder = strdup(unit_tmp());
    snprintf(path, sizeof path, "%s/0.csv", folder);
    write_file(path, 6, 1, "", "id\n");
    snprintf(path, sizeof path, "%s/1.csv", folder);
    write_file(path, 6, 2, ",Oslo", "id,city\n");
    int status = unit_main(argc, argv, "api_memory", tests, sizeof tests / sizeof *tests);
    free(folder);
    return status;
}
