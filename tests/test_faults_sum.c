/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault sweep of counts and sums: each allocation and each random read of a small session fails in turn. The
 * side it hits ends with the very code, the other hears of it, and neither has figures; leaks show under
 * ASan. Also: both sides cancelled at every step.
 */
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/support_sum.h"
#include "tests/unit.h"

#include <stdio.h>

enum { STEPS_MAX = 3000 };

typedef struct fault {
    void (*fail_at)(unsigned long n);
    unsigned long (*count)(void);
    tally_status status;
} fault;

static const fault memory = {psi_mem_fail_at, psi_mem_count, TALLY_ERR_NO_MEMORY};
static const fault randomness = {psi_rng_fail_at, psi_rng_count, TALLY_ERR_RANDOM};

static void prepare(world *w, enum tally_scheme scheme, int form)
{
    world_init(w, scheme, PAIR_SENDER, form == 1 ? TALLY_REVEAL_RECEIVER : TALLY_REVEAL_BOTH);
    w->bands_v = form == 1;
    w->groups = form == 2;
    w->minimum = form == 3 ? 0 : 2;
    w->epsilon_micro = form == 3 ? 3000000 : 0;
    w->count_only = form == 4;
    world_random(w, 5, 6, 4);
    world_prepare(w);
}

/* Runs with the n-th call failing. 1 while there was an n-th call. */
static int run_with_fault(enum tally_scheme scheme, int form, const fault *f, unsigned long n)
{
    world w;
    prepare(&w, scheme, form);
    f->fail_at(n);
    pair_start(&w.p);
    for (int i = 0; i < 2; i++)
        pthread_join(w.p.side[i].thread, NULL);
    int struck = f->count() >= n;
    f->fail_at(0);
    int hit = w.p.side[0].status == f->status ? 0 : 1;
    const pair_side *side = &w.p.side[hit], *other = &w.p.side[!hit];
    tally_result result[2];
    for (int i = 0; i < 2; i++)
        tally_session_get_result(w.p.side[i].session, &result[i]);
    int fine = struck ? side->status == f->status && side->error.message[0] && !result[hit].learns_figures &&
                            (other->status == TALLY_ERR_PEER_STOPPED || other->status == TALLY_ERR_NETWORK ||
                             other->status == TALLY_OK)
                      : side->status == TALLY_OK && other->status == TALLY_OK;
    CU_ASSERT(fine);
    if (!fine)
        printf("  form %d, call %lu: %d (%s), %d (%s)\n", form, n, side->status, side->error.message,
               other->status, other->error.message);
    world_free(&w);
    return struck;
}

/* Every `step`-th call. */
static void sweep(enum tally_scheme scheme, int form, const fault *f, unsigned long step)
{
    unsigned long n = 1 + unit_below((uint32_t)step);
    while (n < STEPS_MAX && run_with_fault(scheme, form, f, n))
        n += step;
    CU_ASSERT(n < STEPS_MAX && n > step);
}

static void test_count(void)
{
    sweep(TALLY_SCHEME_AUTO, 4, &memory, 1);
    sweep(TALLY_SCHEME_AUTO, 4, &randomness, 1);
}

static void test_rlwe(void)
{
    for (int form = 0; form < 4; form++) {
        sweep(TALLY_SCHEME_RLWE, form, &memory, form ? 3 : 1);
        sweep(TALLY_SCHEME_RLWE, form, &randomness, 1);
    }
}

/* A key takes about half a second: a few places of many; test_psi_paillier.c has them all. */
static void test_paillier(void)
{
    sweep(TALLY_SCHEME_PAILLIER, 1, &memory, 40);
    sweep(TALLY_SCHEME_PAILLIER, 1, &randomness, 6);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"count", test_count}, {"rlwe", test_rlwe}, {"paillier", test_paillier}};
    return unit_main(argc, argv, "faults_sum", tests, sizeof tests / sizeof *tests);
}
