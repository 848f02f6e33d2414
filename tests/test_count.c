/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions of a count against a plain join, and what a caller sees of them. */
#include "party/session.h"
#include "proto/hello.h"
#include "psi/laplace.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/support_count.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_SENDER, TALLY_REVEAL_BOTH};

/* ---- Against the plain join -------------------------------------------------------------------------- */

static void check_count(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny, enum tally_reveal reveal,
                        uint64_t minimum)
{
    pair p;
    uint64_t truth = count_plain(x, nx, y, ny);
    uint64_t items[2] = {count_plain(x, nx, x, nx), count_plain(y, ny, y, ny)};
    count_pair(&p, reveal, x, nx, y, ny);
    count_minimum(&p, minimum);
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        const pair_side *side = &p.side[i];
        int learns = count_learns(i, reveal, minimum);
        CU_ASSERT_EQUAL(side->status, TALLY_OK);
        if (side->status)
            printf("side %d: %s\n", i, side->error.message);
        CU_ASSERT_EQUAL(side->result.own_items, items[i]);
        CU_ASSERT_EQUAL(side->result.peer_items, items[!i]);
        CU_ASSERT_EQUAL(side->result.learns_matches, 0);
        CU_ASSERT_EQUAL(side->result.learns_figures, learns);
        CU_ASSERT_EQUAL(side->result.matched_items, learns ? truth : 0);
        CU_ASSERT_EQUAL(side->result.matched_rows, 0);
        CU_ASSERT_EQUAL(count_figure(side), learns ? (int64_t)truth : INT64_MIN);
        CU_ASSERT_EQUAL(side->row_count, 0);
        CU_ASSERT_FALSE(side->leaked);
        CU_ASSERT(strstr(tally_session_learned(side->session), "not which they are") != NULL);
    }
    pair_free(&p);
}

static void check_all(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    for (int i = 0; i < 3; i++)
        check_count(x, nx, y, ny, reveals[i], 0);
}

static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 5, 300};
    uint32_t x[300], y[300];
    for (int i = 0; i < 16; i++)
        for (int round = 0; round < 3; round++) {
            size_t nx = sizes[i / 4], ny = sizes[i % 4];
            uint32_t range = 1 + unit_below(2 * (uint32_t)(nx > ny ? nx : ny) + 1);
            for (size_t k = 0; k < nx; k++)
                x[k] = unit_below(range);
            for (size_t k = 0; k < ny; k++)
                y[k] = unit_below(range);
            check_count(x, nx, y, ny, reveals[round], 0);
        }
}

static void test_all_and_none(void)
{
    uint32_t x[40], y[40];
    for (uint32_t i = 0; i < 40; i++) {
        x[i] = 1000 + 7 * i % 40;
        y[i] = 2000 + i;
    }
    check_all(x, 40, x, 40);
    check_all(x, 40, y, 40);
    check_all(x, 0, y, 40);
    check_all(x, 40, y, 0);
    check_all(x, 0, y, 0);
    check_all(x, 1, x, 40);
}

static void test_random_overlaps(void)
{
    for (int round = 0; round < 60; round++) {
        uint32_t x[60], y[60];
        size_t nx = unit_below(61), ny = unit_below(61);
        uint32_t range = 1 + unit_below(150);
        for (size_t i = 0; i < nx; i++)
            x[i] = unit_below(range);
        for (size_t i = 0; i < ny; i++)
            y[i] = unit_below(range);
        check_count(x, nx, y, ny, reveals[round % 3], 0);
    }
}

/* More than one frame in each direction, more than one thread. */
static void test_several_frames(void)
{
    enum { N = 4800 };
    static uint32_t x[N];
    pair p;
    for (uint32_t i = 0; i < N; i++)
        x[i] = i;
    count_pair(&p, TALLY_REVEAL_BOTH, x, N, x + 700, N - 700);
    for (int i = 0; i < 2; i++)
        tally_session_set_threads(p.side[i].session, 2);
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(p.side[i].status, TALLY_OK);
        CU_ASSERT_EQUAL(p.side[i].result.matched_items, N - 700);
    }
    pair_free(&p);
}

/* ---- Minimum overlap --------------------------------------------------------------------------------- */

/* The side that counts refuses; the other hears of a failure like any other. */
static void check_refused(uint32_t overlap, uint64_t minimum, enum tally_reveal reveal)
{
    pair p;
    pair_record record;
    uint32_t x[20], y[20];
    int computing = count_computing(reveal, minimum);
    for (uint32_t i = 0; i < 20; i++) {
        x[i] = i;
        y[i] = 20 - overlap + i;
    }
    count_pair(&p, reveal, x, 20, y, 20);
    count_minimum(&p, minimum);
    pair_record_start(&record, &p.side[computing].tap);
    pair_run(&p);
    const pair_side *side = &p.side[computing], *other = &p.side[!computing];
    CU_ASSERT_EQUAL(side->status, TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(side->error.status, TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(pair_category(side), 4);
    CU_ASSERT(strstr(side->error.message, "below the agreed minimum of ") != NULL);
    CU_ASSERT(side->error.hint[0] != 0);
    CU_ASSERT_EQUAL(other->status, TALLY_ERR_PEER_STOPPED);
    CU_ASSERT_EQUAL(pair_category(other), 6);
    CU_ASSERT_EQUAL(record.count, 4);
    CU_ASSERT_EQUAL(record.frame[2].type, WIRE_AGG_MASKED);
    CU_ASSERT_EQUAL(record.frame[3].type, WIRE_ABORT);
    for (int i = 0; i < 2; i++)
        count_untold(&p.side[i]);
    pair_record_free(&record);
    pair_free(&p);
}

static void test_minimum(void)
{
    enum { K = 6 };
    for (int i = 0; i < 3; i++)
        for (uint32_t overlap = K - 1; overlap <= K + 1; overlap++) {
            uint32_t x[20], y[20];
            for (uint32_t k = 0; k < 20; k++) {
                x[k] = k;
                y[k] = 20 - overlap + k;
            }
            if (overlap < K)
                check_refused(overlap, K, reveals[i]);
            else
                check_count(x, 20, y, 20, reveals[i], K);
        }
    for (int i = 0; i < 3; i++) {
        check_refused(0, 2, reveals[i]);
        check_refused(1, 2, reveals[i]);
        check_refused(20, 21, reveals[i]);
        check_refused(20, WIRE_OVERLAP_MAX, reveals[i]);
    }
}

static void test_minimum_of_empty_lists(void)
{
    static const uint32_t x[] = {1, 2, 3};
    for (int i = 0; i < 9; i++) {
        pair p;
        int computing = count_computing(reveals[i % 3], 2);
        count_pair(&p, reveals[i % 3], x, i < 3 ? 0 : 3, x, i >= 3 && i < 6 ? 3 : 0);
        count_minimum(&p, i >= 3 && i < 6 ? 4 : 2);
        pair_run(&p);
        CU_ASSERT_EQUAL(p.side[computing].status, TALLY_ERR_POLICY);
        CU_ASSERT_EQUAL(p.side[!computing].status, TALLY_ERR_PEER_STOPPED);
        pair_free(&p);
    }
}

static void strike_when_tags_come(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    (void)index;
    if (frame[8] == WIRE_AGG_OTHER)
        memset(frame + WIRE_HEADER, 0xff, 32); /* no group element: the side that counts fails */
    tap_pass(tap, frame, len);
}

/* Message and hint tell the other side no more than those of another failure of its peer. */
static void test_refusal_looks_like_any_failure(void)
{
    static const uint32_t x[] = {1, 2, 3}, y[] = {3, 4, 5};
    for (int i = 0; i < 3; i++) {
        tally_error error[2];
        for (int fails = 0; fails < 2; fails++) {
            pair p;
            int computing = count_computing(reveals[i], 2);
            count_pair(&p, reveals[i], x, 3, y, 3);
            count_minimum(&p, 2);
            if (fails)
                p.side[!computing].tap.on_frame = strike_when_tags_come;
            pair_run(&p);
            CU_ASSERT_EQUAL(p.side[computing].status, fails ? TALLY_ERR_MALFORMED : TALLY_ERR_POLICY);
            error[fails] = p.side[!computing].error;
            pair_free(&p);
        }
        CU_ASSERT_EQUAL(error[0].status, error[1].status);
        CU_ASSERT_STRING_EQUAL(error[0].message, error[1].message);
        CU_ASSERT_STRING_EQUAL(error[0].hint, error[1].hint);
    }
}

/* ---- Noise ------------------------------------------------------------------------------------------- */

static uint8_t seeds[2][32];

static void fixed_randomness(void *user)
{
    psi_rng_set_seed(user);
}

static void system_randomness(void *user)
{
    (void)user;
    psi_rng_set_seed(NULL);
}

/* Count with noise, from fixed seeds, of lists with 4 in common. */
static int64_t noisy(enum tally_reveal reveal, uint64_t epsilon_micro, unsigned run)
{
    static const uint32_t x[] = {1, 2, 3, 4, 5}, y[] = {2, 3, 4, 5, 6, 7};
    pair p;
    int64_t figure[2];
    count_pair(&p, reveal, x, 5, y, 6);
    count_noise(&p, epsilon_micro);
    for (int i = 0; i < 2; i++) {
        memset(seeds[i], 0x40 + i, 32);
        memcpy(seeds[i], &run, sizeof run);
        p.side[i].before = fixed_randomness;
        p.side[i].after = system_randomness;
        p.side[i].hook_user = seeds[i];
    }
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        const tally_result *r = &p.side[i].result;
        figure[i] = count_figure(&p.side[i]);
        CU_ASSERT_EQUAL(p.side[i].status, TALLY_OK);
        CU_ASSERT_EQUAL(r->learns_figures, count_learns(i, reveal, 0));
        CU_ASSERT_EQUAL(figure[i] != INT64_MIN, r->learns_figures);
        CU_ASSERT_EQUAL(r->own_items, i == PAIR_RECEIVER ? 5 : 6);
        CU_ASSERT_EQUAL(r->peer_items, i == PAIR_RECEIVER ? 6 : 5);
        CU_ASSERT_EQUAL(r->matched_items, figure[i] > 0 ? (uint64_t)figure[i] : 0);
        CU_ASSERT_FALSE(p.side[i].leaked);
    }
    if (reveal == TALLY_REVEAL_BOTH)
        CU_ASSERT_EQUAL(figure[0], figure[1]);
    pair_free(&p);
    return figure[reveal == TALLY_REVEAL_SENDER ? PAIR_SENDER : PAIR_RECEIVER];
}

/* At epsilon 1 the noise has scale 1 (E|Z| = 0.85, sd 1.36); where both learn, dummies and the count share
 * it: twice scale 2 (each sd 2.8). Of 200 runs the mean lies within 5 of its own deviations. */
static void test_noise(void)
{
    enum { RUNS = 200, TRUTH = 4 };
    for (int i = 0; i < 3; i++) {
        int both = reveals[i] == TALLY_REVEAL_BOTH, outside = 0, exact = 0, above = 0, below = 0;
        int64_t tau = psi_dummies(both ? 500000 : 1000000), most = both ? tau + 28 * 2 : tau, sum = 0,
                squares = 0;
        for (unsigned run = 0; run < RUNS; run++) {
            int64_t z = noisy(reveals[i], 1000000, run) - TRUTH;
            outside += z > most || z < -most;
            exact += z == 0;
            above += z > 0;
            below += z < 0;
            sum += z;
            squares += z * z;
        }
        double mean = (double)sum / RUNS, variance = (double)squares / RUNS;
        CU_ASSERT_EQUAL(outside, 0);
        CU_ASSERT(mean < (both ? 1.5 : 0.5) && mean > (both ? -1.5 : -0.5));
        /* 2 q / (1 - q)^2, q = exp(-1/scale): 1.84 at scale 1, twice 7.8 at scale 2 */
        CU_ASSERT(both ? variance > 8 && variance < 32 : variance > 0.9 && variance < 3.7);
        CU_ASSERT(exact < (both ? 60 : 130) && exact > (both ? 5 : 60)); /* (1 - q) / (1 + q) = 0.46 */
        CU_ASSERT(above > 20 && below > 20);
        if (outside || mean > 1.5 || mean < -1.5 || above <= 20 || below <= 20)
            printf("reveal %d: mean %g variance %g exact %d\n", (int)reveals[i], mean, variance, exact);
    }
}

/* The dummies are on both lists as sent, and so the sizes in the frames grow by 2 tau, whatever the lists
 * are; the sizes that the sides are told do not. */
static void test_noise_of_small_epsilon(void)
{
    int64_t tau = psi_dummies(100000); /* 0.1 */
    for (unsigned run = 0; run < 3; run++) {
        int64_t z = noisy(TALLY_REVEAL_RECEIVER, 100000, run) - 4;
        CU_ASSERT(z <= tau && z >= -tau);
    }
}

static void test_noise_on_empty_lists(void)
{
    static const uint32_t x[] = {1, 2, 3};
    int64_t tau = psi_dummies(1000000);
    for (int i = 0; i < 3; i++) {
        pair p;
        count_pair(&p, TALLY_REVEAL_RECEIVER, x, i == 1 ? 3 : 0, x, i == 2 ? 3 : 0);
        count_noise(&p, 1000000);
        pair_run(&p);
        CU_ASSERT_EQUAL(p.side[0].status, TALLY_OK);
        CU_ASSERT_EQUAL(p.side[1].status, TALLY_OK);
        int64_t z = count_figure(&p.side[PAIR_RECEIVER]);
        CU_ASSERT(z <= tau && z >= -tau);
        pair_free(&p);
    }
}

static void test_frames_with_noise(void)
{
    static const uint32_t x[] = {1, 2, 3};
    pair p;
    pair_record record[2];
    uint32_t padding = 2 * psi_dummies(1000000);
    count_pair(&p, TALLY_REVEAL_RECEIVER, x, 3, x, 2);
    count_noise(&p, 1000000);
    for (int i = 0; i < 2; i++)
        pair_record_start(&record[i], &p.side[i].tap);
    pair_run(&p);
    CU_ASSERT_EQUAL(record[PAIR_RECEIVER].frame[2].length, 32 * (3 + padding));
    CU_ASSERT_EQUAL(record[PAIR_SENDER].frame[3].type, WIRE_AGG_OTHER);
    CU_ASSERT_EQUAL(record[PAIR_SENDER].frame[3].length, 32 * (2 + padding));
    for (int i = 0; i < 2; i++)
        pair_record_free(&record[i]);
    pair_free(&p);
}

/* ---- Settings ---------------------------------------------------------------------------------------- */

static void new_pair(pair *p)
{
    static const uint32_t x[] = {1, 2, 3, 4}, y[] = {5, 4, 3};
    count_pair(p, TALLY_REVEAL_RECEIVER, x, 4, y, 3);
}

/* Runs the receiver alone and expects a refusal that says so. */
static void refused(pair *p, const char *part)
{
    tally_error error = {.status = TALLY_OK};
    CU_ASSERT_EQUAL(tally_session_run(p->side[PAIR_RECEIVER].session, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, part) != NULL);
    if (!strstr(error.message, part))
        printf("'%s' expected: %s\n", part, error.message);
    pair_free(p);
}

static void test_settings(void)
{
    static const int64_t edges[] = {0, 10, 20};
    pair p;
    new_pair(&p);
    tally_session *s = p.side[PAIR_RECEIVER].session;
    tally_session_set_security(s, TALLY_MALICIOUS);
    refused(&p, "semi-honest peers only");
    new_pair(&p);
    tally_session_set_protocol(p.side[PAIR_RECEIVER].session, TALLY_VOLE);
    refused(&p, "need the protocol ecdh");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_add_offer(p.side[PAIR_RECEIVER].session, "court", 20, NULL), TALLY_OK);
    refused(&p, "neither columns nor an output");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_add_want(p.side[PAIR_RECEIVER].session, "court", NULL), TALLY_OK);
    refused(&p, "neither columns nor an output");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_set_output(p.side[PAIR_RECEIVER].session, "out.csv", 0, NULL), TALLY_OK);
    refused(&p, "neither columns nor an output");
    new_pair(&p);
    tally_session_set_scheme(p.side[PAIR_RECEIVER].session, TALLY_SCHEME_RLWE);
    refused(&p, "a scheme is for a sum");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(p.side[PAIR_RECEIVER].session, "age", edges, 3, 0, NULL),
                    TALLY_OK);
    refused(&p, "values and bands are for a sum");
    for (int bands = 0; bands < 2; bands++) {
        tally_input *input = NULL;
        new_pair(&p);
        CU_ASSERT_EQUAL(tally_input_new(&input, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(tally_input_add_key(input, "id", "exact", NULL), TALLY_OK);
        CU_ASSERT_EQUAL(bands ? tally_input_add_band(input, "age", edges, 3, 0, NULL)
                              : tally_input_add_value(input, "amount", 0, 9, 0, NULL),
                        TALLY_OK);
        tally_session_set_input(p.side[PAIR_RECEIVER].session, input);
        refused(&p, "values and bands are for a sum");
        tally_input_free(input);
    }
    new_pair(&p);
    tally_session_set_function(p.side[PAIR_RECEIVER].session, (enum tally_function)77);
    refused(&p, "neither match nor count nor sum");
    new_pair(&p);
    tally_session_set_reveal(p.side[PAIR_RECEIVER].session, (enum tally_reveal)77);
    refused(&p, "the receiver, the sender or both");
    new_pair(&p);
    tally_session_set_scheme(p.side[PAIR_RECEIVER].session, (enum tally_scheme)77);
    refused(&p, "neither auto nor rlwe nor paillier");
}

static void new_match(pair *p)
{
    new_pair(p);
    tally_session_set_function(p->side[PAIR_RECEIVER].session, TALLY_MATCH);
}

/* What counts have and a match has not. */
static void test_settings_of_a_match(void)
{
    pair p;
    new_match(&p);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[PAIR_RECEIVER].session, 5, NULL), TALLY_OK);
    refused(&p, "a minimum overlap of a match holds for columns");
    new_match(&p);
    tally_session_set_reveal(p.side[PAIR_RECEIVER].session, TALLY_REVEAL_SENDER);
    refused(&p, "revealed to the receiver or to both");
    new_match(&p);
    CU_ASSERT_EQUAL(tally_session_set_noise(p.side[PAIR_RECEIVER].session, 1000000, NULL), TALLY_OK);
    refused(&p, "noise is for counts and sums");
    new_match(&p);
    tally_session_set_scheme(p.side[PAIR_RECEIVER].session, TALLY_SCHEME_PAILLIER);
    refused(&p, "a scheme is for a sum");
}

static void test_bounds_of_settings(void)
{
    pair p;
    tally_error error;
    new_pair(&p);
    tally_session *s = p.side[PAIR_RECEIVER].session;
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 7, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 1, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "2 to 2^30") != NULL);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, (1ull << 30) + 1, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(s->min_overlap, 7);
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 10000, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 9999, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "0.01 to 100") != NULL);
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 100000001, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(s->epsilon_micro, 10000);
    pair_free(&p);
}

/* ---- Terms ------------------------------------------------------------------------------------------- */

/* Both sides name the field; nothing but hello 1 has left either. */
static void expect_differing(pair *p, const char *at_receiver, const char *at_sender)
{
    const char *const parts[2] = {at_receiver, at_sender};
    pair_record record[2];
    for (int i = 0; i < 2; i++)
        if (!p->side[i].tap.on_frame)
            pair_record_start(&record[i], &p->side[i].tap);
        else
            record[i].count = 0;
    pair_run(p);
    for (int i = 0; i < 2; i++) {
        const pair_side *side = &p->side[i];
        CU_ASSERT_EQUAL(side->status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT_EQUAL(side->error.status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT(strstr(side->error.message, parts[i]) != NULL);
        CU_ASSERT(side->error.hint[0] != 0);
        if (!strstr(side->error.message, parts[i]))
            printf("side %d for '%s': %s\n", i, parts[i], side->error.message);
        CU_ASSERT(side->tap.index == 1);
        CU_ASSERT(record[i].count == 0 || record[i].frame[0].type == WIRE_HELLO1);
        count_untold(side);
        pair_record_free(&record[i]);
    }
    pair_free(p);
}

static void test_differing_terms(void)
{
    pair p;
    new_pair(&p);
    tally_session_set_function(p.side[PAIR_SENDER].session, TALLY_MATCH);
    expect_differing(&p, "function: here count, there match", "function: here match, there count");
    new_pair(&p);
    tally_session_set_function(p.side[PAIR_SENDER].session, TALLY_SUM);
    expect_differing(&p, "function: here count, there sum", "function: here sum, there count");
    new_pair(&p);
    tally_session_set_reveal(p.side[PAIR_SENDER].session, TALLY_REVEAL_BOTH);
    expect_differing(&p, "reveal-to: here receiver, there both", "reveal-to: here both, there receiver");
    new_pair(&p);
    tally_session_set_reveal(p.side[PAIR_RECEIVER].session, TALLY_REVEAL_SENDER);
    expect_differing(&p, "reveal-to: here sender, there receiver", "reveal-to: here receiver, there sender");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[PAIR_SENDER].session, 5, NULL), TALLY_OK);
    expect_differing(&p, "min-overlap: here none, there 5", "min-overlap: here 5, there none");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[PAIR_RECEIVER].session, 6, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[PAIR_SENDER].session, 5, NULL), TALLY_OK);
    expect_differing(&p, "min-overlap: here 6, there 5", "min-overlap: here 5, there 6");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_set_noise(p.side[PAIR_RECEIVER].session, 1500000, NULL), TALLY_OK);
    expect_differing(&p, "noise: here epsilon=1.500000, there none",
                     "noise: here none, there epsilon=1.500000");
    new_pair(&p);
    CU_ASSERT_EQUAL(tally_session_set_noise(p.side[PAIR_RECEIVER].session, 1000000, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_noise(p.side[PAIR_SENDER].session, 1000001, NULL), TALLY_OK);
    expect_differing(&p, "there epsilon=1.000001", "there epsilon=1.000000");
    new_pair(&p);
    tally_session_set_role(p.side[PAIR_SENDER].session, TALLY_RECEIVER);
    expect_differing(&p, "role: here receiver", "role: here receiver");
    /* All of them at once. */
    new_pair(&p);
    tally_session_set_reveal(p.side[PAIR_SENDER].session, TALLY_REVEAL_BOTH);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[PAIR_SENDER].session, 5, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_noise(p.side[PAIR_SENDER].session, 1000000, NULL), TALLY_OK);
    expect_differing(
        &p,
        "reveal-to: here receiver, there both; min-overlap: here none, there 5; noise: here none, there epsi",
        "reveal-to: here both, there receiver; min-overlap: here 5, there none; noise: here epsilon=1.0");
}

/* Protocol auto on one side goes with ecdh on the other; the summary of both says ecdh. */
static void test_protocol_auto(void)
{
    pair p;
    new_pair(&p);
    tally_session_set_protocol(p.side[PAIR_SENDER].session, TALLY_AUTO);
    pair_run(&p);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(p.side[i].status, TALLY_OK);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].result.matched_items, 2);
    pair_free(&p);
}

/* What no setting can make differ is changed under way. */
static void change_hello1(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    wire_hello1 hello;
    const char *why, *field = tap->user;
    uint8_t *bytes;
    size_t n;
    if (index != 0 || frame[8] != WIRE_HELLO1) {
        tap_pass(tap, frame, len);
        return;
    }
    if (wire_hello1_parse(&hello, frame + WIRE_HEADER, len - WIRE_HEADER, &why))
        abort();
    wire_terms *t = &hello.terms;
    if (strcmp(field, "dummies") == 0) {
        t->dummies++;
    } else if (strcmp(field, "columns") == 0) {
        int sender = strcmp(t->role, "sender") == 0;
        t->column_count = t->rows_per_person = 1;
        snprintf(t->columns[0].name, sizeof t->columns[0].name, "court");
        t->columns[0].width = sender ? 8 : 0;
    } else if (strcmp(field, "values") == 0) {
        t->value_count = 1;
        snprintf(t->values[0].name, sizeof t->values[0].name, "amount");
    } else if (strcmp(field, "bands") == 0) {
        t->band_count = 1;
        t->bands[0] = (wire_band){.name = "age", .count = 2, .edges = {0, 1}};
    } else if (strcmp(field, "vole") == 0) {
        snprintf(t->protocol, sizeof t->protocol, "vole");
    } else {
        snprintf(t->scheme, sizeof t->scheme, "rlwe");
    }
    if (wire_hello1_build(&hello, &bytes, &n))
        abort();
    frame_set_length(frame, (uint32_t)n);
    tap_pass(tap, frame, WIRE_HEADER);
    tap_pass(tap, bytes, n);
    psi_free(bytes);
}

static void test_what_only_a_hostile_peer_says(void)
{
    static const struct {
        const char *field, *text;
    } cases[] = {{"dummies", "dummies: here "},
                 {"columns", "columns: here none"},
                 {"values", "values: here none, there some"},
                 {"bands", "values: here none, there some"},
                 {"scheme", "values: here none, there some"},
                 {"vole", "protocol: here ecdh, there vole"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair p;
        char field[16];
        snprintf(field, sizeof field, "%s", cases[i].field);
        new_pair(&p);
        if (i == 0)
            count_noise(&p, 1000000);
        for (int k = 0; k < 2; k++) {
            p.side[k].tap.on_frame = change_hello1;
            p.side[k].tap.user = field;
        }
        expect_differing(&p, cases[i].text, cases[i].text);
    }
}

/* ---- Cancel ------------------------------------------------------------------------------------------ */

typedef struct canceller {
    tally_session *session;
    const char *phase; /* cancel when this phase ... */
    uint64_t done;     /* ... has come this far */
} canceller;

static void cancel_when_reached(void *user, const char *phase, uint64_t done, uint64_t total)
{
    const canceller *c = user;
    (void)total;
    if (strcmp(phase, c->phase) == 0 && done >= c->done)
        tally_session_cancel(c->session);
}

static void test_cancel(void)
{
    enum { N = 4500 };
    static uint32_t x[N];
    static const struct {
        int who;
        const char *phase;
        uint64_t done;
    } cases[] = {{PAIR_RECEIVER, "reading", 0},      {PAIR_SENDER, "reading", 0},
                 {PAIR_RECEIVER, "matching", 0},     {PAIR_SENDER, "matching", 0},
                 {PAIR_RECEIVER, "matching", 1},     {PAIR_SENDER, "matching", 1},
                 {PAIR_RECEIVER, "matching", N + 1}, {PAIR_SENDER, "matching", N + 1}};
    for (uint32_t i = 0; i < N; i++)
        x[i] = i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair p;
        int who = cases[i].who;
        count_pair(&p, TALLY_REVEAL_BOTH, x, N, x, N);
        canceller c = {p.side[who].session, cases[i].phase, cases[i].done};
        tally_session_on_progress(c.session, cancel_when_reached, &c);
        pair_run(&p);
        CU_ASSERT_EQUAL(p.side[who].status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT_STRING_EQUAL(p.side[who].error.message, "interrupted");
        CU_ASSERT_EQUAL(pair_category(&p.side[!who]), 6);
        for (int k = 0; k < 2; k++)
            count_untold(&p.side[k]);
        pair_free(&p);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"sizes", test_sizes},
        {"all_and_none", test_all_and_none},
        {"random_overlaps", test_random_overlaps},
        {"several_frames", test_several_frames},
        {"minimum", test_minimum},
        {"minimum_of_empty_lists", test_minimum_of_empty_lists},
        {"refusal_looks_like_any_failure", test_refusal_looks_like_any_failure},
        {"noise", test_noise},
        {"noise_of_small_epsilon", test_noise_of_small_epsilon},
        {"noise_on_empty_lists", test_noise_on_empty_lists},
        {"frames_with_noise", test_frames_with_noise},
        {"settings", test_settings},
        {"settings_of_a_match", test_settings_of_a_match},
        {"bounds_of_settings", test_bounds_of_settings},
        {"differing_terms", test_differing_terms},
        {"protocol_auto", test_protocol_auto},
        {"what_only_a_hostile_peer_says", test_what_only_a_hostile_peer_says},
        {"cancel", test_cancel},
    };
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "count", tests, sizeof tests / sizeof *tests);
}
