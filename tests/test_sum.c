/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over the overlap, whole sessions in memory against a plain join: both schemes, both directions, all
 * ways to reveal, bands, minimum overlap, noise. */
#include "tests/support_sum.h"
#include "tests/unit.h"

#include "proto/limits.h"
#include "psi/aggregate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_SENDER, TALLY_REVEAL_BOTH};

static void expect_right(world *w)
{
    world_run(w);
    const char *wrong = world_wrong(w);
    if (wrong)
        printf("  scheme %d, owner %d, reveal %d, %zu x %zu: %s\n", (int)w->scheme, w->owner, (int)w->reveal,
               w->n[0], w->n[1], wrong);
    CU_ASSERT(wrong == NULL);
    world_free(w);
}

/* One run of `step`, from the one that the seed says. */
static void every_way(enum tally_scheme scheme, size_t most, unsigned step)
{
    unsigned run = unit_below(step);
    for (int owner = 0; owner < 2; owner++)
        for (size_t r = 0; r < 3; r++)
            for (int bands = 0; bands < 4; bands++) {
                world w;
                if (run++ % step)
                    continue;
                world_init(&w, scheme, owner, reveals[r]);
                w.bands_v = bands & 1;
                w.bands_t = bands & 1;
                w.groups = bands >> 1;
                size_t nr = 1 + unit_below((uint32_t)most), ns = 1 + unit_below((uint32_t)most);
                size_t most_both = nr < ns ? nr : ns;
                world_random(&w, nr, ns, unit_below((uint32_t)most_both + 1));
                expect_right(&w);
            }
}

static void test_rlwe(void)
{
    every_way(TALLY_SCHEME_RLWE, 60, 1);
}

static void test_paillier(void)
{
    every_way(TALLY_SCHEME_PAILLIER, 12, 5); /* a key takes about half a second */
}

static void test_sizes(void)
{
    static const size_t sizes[][3] = {{0, 0, 0}, {0, 5, 0}, {5, 0, 0},  {1, 1, 0},
                                      {1, 1, 1}, {7, 7, 7}, {40, 40, 0}};
    for (int scheme = TALLY_SCHEME_RLWE; scheme <= TALLY_SCHEME_PAILLIER; scheme++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            world w;
            if (scheme == TALLY_SCHEME_PAILLIER && i % 3)
                continue;
            world_init(&w, (enum tally_scheme)scheme, (int)(i & 1), reveals[i % 3]);
            w.bands_v = 1;
            world_random(&w, sizes[i][0], sizes[i][1], sizes[i][2]);
            expect_right(&w);
        }
}

static void test_thousand(void)
{
    world w;
    world_init(&w, TALLY_SCHEME_AUTO, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
    w.bands_v = 1;
    world_random(&w, 1000, 1200, 567);
    expect_right(&w);
}

/* Every value at one end of its range, everybody matches. */
static void test_ends(void)
{
    for (int scheme = TALLY_SCHEME_RLWE; scheme <= TALLY_SCHEME_PAILLIER; scheme++)
        for (int end = 0; end < 2; end++) {
            world w;
            world_init(&w, (enum tally_scheme)scheme, PAIR_RECEIVER, TALLY_REVEAL_BOTH);
            w.bands_v = 1;
            world_random(&w, 30, 30, 30);
            for (size_t i = 0; i < 30; i++) {
                w.rows[PAIR_RECEIVER][i].v = end ? WORLD_V_MAX : WORLD_V_MIN;
                w.rows[PAIR_RECEIVER][i].w = end ? WORLD_W_MAX : WORLD_W_MIN;
            }
            world_join(&w);
            expect_right(&w);
        }
}

/* ---- Minimum overlap ---- */

static void test_minimum(void)
{
    for (int owner = 0; owner < 2; owner++)
        for (size_t r = 0; r < 3; r++)
            for (size_t both = 9; both <= 11; both++) {
                world w;
                world_init(&w, TALLY_SCHEME_RLWE, owner, reveals[r]);
                w.minimum = 10;
                world_random(&w, 20, 25, both);
                world_run(&w);
                if (both >= 10) {
                    CU_ASSERT_PTR_NULL(world_wrong(&w));
                } else {
                    /* The side that adds up refuses; the other sees a failure like any other. */
                    CU_ASSERT_EQUAL(w.p.side[!owner].status, TALLY_ERR_POLICY);
                    CU_ASSERT_EQUAL(w.p.side[owner].status, TALLY_ERR_PEER_STOPPED);
                    CU_ASSERT(strstr(w.p.side[owner].error.message, "minimum") == NULL);
                    CU_ASSERT(!w.p.side[0].result.learns_figures && !w.p.side[1].result.learns_figures);
                }
                world_free(&w);
            }
}

/* Which cells are merged, by the rule, and what they come to. */
static size_t merged_cells(const world_sums *cells, size_t n, uint64_t least, uint8_t *merged,
                           world_sums *together)
{
    uint64_t count[PSI_AGG_CELLS_MAX];
    *together = (world_sums){0, {0, 0}};
    for (size_t i = 0; i < n; i++)
        count[i] = (uint64_t)cells[i].count;
    size_t many = psi_agg_merge(count, n, least, merged);
    for (size_t i = 0; i < n; i++)
        if (merged[i]) {
            together->count += cells[i].count;
            for (size_t k = 0; k < WORLD_VALUES; k++)
                together->sum[k] += cells[i].sum[k];
        }
    return many;
}

/* Small bands: shown or not as the rule says, what is shown is right, and the total stays. */
static void check_merged(const world *w, const world_sums *cells, size_t n, int groups)
{
    uint8_t merged[PSI_AGG_CELLS_MAX];
    world_sums together, got;
    size_t many = merged_cells(cells, n, w->minimum, merged, &together);
    CU_ASSERT(many == 0 || together.count >= (int64_t)w->minimum);
    for (int side = 0; side < 2; side++) {
        if (!world_learns(w, side))
            continue;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < WORLD_VALUES; k++) {
                int there = groups ? world_figure(w, side, i, k, 0, -1, &got)
                                   : world_figure(w, side, 0, k, 0, (long)i, &got);
                CU_ASSERT_EQUAL(there, !merged[i]);
                CU_ASSERT(!there || (got.count == cells[i].count && got.sum[k] == cells[i].sum[k] &&
                                     got.count >= (int64_t)w->minimum));
            }
        char *json = tally_session_figures_json(w->p.side[side].session);
        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        CU_ASSERT_EQUAL(strstr(json, "\"merged\"") != NULL, many != 0);
        free(json);
        char *text = tally_session_figures_text(w->p.side[side].session);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT_EQUAL(strstr(text, "merged") != NULL, many != 0);
        free(text);
    }
}

static void test_merging(void)
{
    for (int scheme = TALLY_SCHEME_RLWE; scheme <= TALLY_SCHEME_PAILLIER; scheme++)
        for (int owner = 0; owner < 2; owner++)
            for (size_t r = 0; r < 3; r++)
                for (int groups = 0; groups < 2; groups++) {
                    world w;
                    if (scheme == TALLY_SCHEME_PAILLIER && r != (size_t)(owner + groups))
                        continue;
                    world_init(&w, (enum tally_scheme)scheme, owner, reveals[r]);
                    w.minimum = 2 + unit_below(5);
                    w.bands_v = !groups;
                    w.groups = groups;
                    world_random(&w, 14, 16, 12);
                    world_run(&w);
                    CU_ASSERT(w.p.side[0].status == TALLY_OK && w.p.side[1].status == TALLY_OK);
                    if (w.p.side[0].status || w.p.side[1].status)
                        printf("  %s | %s\n", w.p.side[0].error.message, w.p.side[1].error.message);
                    else
                        check_merged(&w, groups ? w.by_g : w.by_v, groups ? WORLD_GROUPS : WORLD_BANDS,
                                     groups);
                    world_free(&w);
                }
}

/* ---- Noise ---- */

static double as_double(world_wide v)
{
    return (double)v;
}

static void test_noise(void)
{
    for (int scheme = TALLY_SCHEME_RLWE; scheme <= TALLY_SCHEME_PAILLIER; scheme++)
        for (size_t r = 0; r < 3; r++) {
            world w;
            world_sums got[2] = {{0, {0, 0}}};
            world_init(&w, (enum tally_scheme)scheme, (int)(r & 1), reveals[r]);
            w.epsilon_micro = 2000000;
            w.bands_v = 1;
            world_random(&w, 12, 12, 6);
            world_run(&w);
            CU_ASSERT(w.p.side[0].status == TALLY_OK && w.p.side[1].status == TALLY_OK);
            CU_ASSERT(w.p.side[0].result.own_items == 12 && w.p.side[0].result.peer_items == 12);
            for (int side = 0; side < 2; side++) {
                if (!world_learns(&w, side))
                    continue;
                for (size_t k = 0; k < WORLD_VALUES; k++)
                    CU_ASSERT(world_figure(&w, side, 0, k, 0, -1, &got[side]));
                /* 8 parts of half of epsilon 2, two adders at most, each within 28 scales. */
                CU_ASSERT(labs((long)(got[side].count - w.total.count)) <= 2 * 28 * 8);
                CU_ASSERT(fabs(as_double(got[side].sum[WORLD_V] - w.total.sum[WORLD_V])) <=
                          2.0 * 28 * 8 * WORLD_V_MAX);
                /* Zero has probability below 2^-20. */
                CU_ASSERT(got[side].sum[WORLD_W] != w.total.sum[WORLD_W]);
                CU_ASSERT(strstr(tally_session_learned(w.p.side[side].session), "epsilon 2") != NULL);
            }
            if (w.reveal == TALLY_REVEAL_BOTH)
                CU_ASSERT(world_equal(&got[0], &got[1]));
            world_free(&w);
        }
}

/* Noise and a minimum: only where the owner of the values learns, and clipped; at the minimum both ends come.
 */
static void test_noise_and_minimum(void)
{
    unsigned ends[2] = {0, 0};
    tally_error error;
    for (unsigned i = 0; i < 24; i++) {
        world w;
        world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, i & 1 ? TALLY_REVEAL_BOTH : TALLY_REVEAL_SENDER);
        w.epsilon_micro = 10000000;
        w.minimum = 6;
        world_random(&w, 9, 9, 6);
        world_run(&w);
        ends[w.p.side[PAIR_RECEIVER].status == TALLY_OK]++;
        CU_ASSERT(w.p.side[PAIR_RECEIVER].status == TALLY_OK ||
                  w.p.side[PAIR_RECEIVER].status == TALLY_ERR_POLICY);
        world_free(&w);
    }
    CU_ASSERT(ends[0] && ends[1]);
    for (int side = 0; side < 2; side++) {
        world w;
        world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
        w.epsilon_micro = 1000000;
        w.minimum = 2;
        world_random(&w, 3, 3, 2);
        world_prepare(&w);
        CU_ASSERT_EQUAL(tally_session_run(w.p.side[side].session, &error), TALLY_ERR_USAGE);
        CU_ASSERT(strstr(error.message, "a minimum overlap and noise go together only") != NULL);
        world_free(&w);
    }
    world w;
    world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_BOTH);
    world_random(&w, 3, 3, 2);
    world_prepare(&w);
    CU_ASSERT_EQUAL(tally_session_set_noise(w.p.side[PAIR_SENDER].session, 1000000, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_run(w.p.side[PAIR_SENDER].session, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "clipped") != NULL);
    world_free(&w);
}

/* The mean of many noisy counts is near the truth, and they spread as the scale says. */
static void test_noise_spread(void)
{
    enum { RUNS = 60 };
    double sum = 0, squares = 0;
    for (int i = 0; i < RUNS; i++) {
        world w;
        world_sums got;
        world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
        w.epsilon_micro = 2000000;
        world_random(&w, 8, 8, 5);
        world_run(&w);
        CU_ASSERT_EQUAL_FATAL(world_figure(&w, PAIR_RECEIVER, 0, 0, 0, -1, &got), 1);
        double error = (double)(got.count - w.total.count);
        sum += error;
        squares += error * error;
        world_free(&w);
    }
    /* Parts 1 + 2 * 2 = 5, epsilon 1 for the figures: scale 5, variance 2 * 25 = 50 (a little less,
     * discrete); five deviations of the mean, and of the variance (excess kurtosis 3: relative deviation
     * sqrt(5 / RUNS)). */
    CU_ASSERT(fabs(sum / RUNS) < 5 * sqrt(50.0 / RUNS));
    CU_ASSERT(squares / RUNS > 50.0 * (1 - 3 * sqrt(5.0 / RUNS)) &&
              squares / RUNS < 50.0 * (1 + 5 * sqrt(5.0 / RUNS)));
}

/* ---- Terms ---- */

static void expect_difference(world *w, const char *field)
{
    for (int side = 0; side < 2; side++) {
        CU_ASSERT_EQUAL(w->p.side[side].status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT(strstr(w->p.side[side].error.message, field) != NULL);
    }
    world_free(w);
}

static void start(world *w)
{
    world_init(w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
    world_random(w, 5, 5, 2);
    world_prepare(w);
}

static void test_differences(void)
{
    static const int64_t edges[] = {1, 2};
    world w;
    start(&w);
    tally_session_set_scheme(w.p.side[PAIR_RECEIVER].session, TALLY_SCHEME_PAILLIER);
    pair_run(&w.p);
    expect_difference(&w, "scheme: ");
    start(&w);
    tally_session_set_function(w.p.side[PAIR_RECEIVER].session, TALLY_COUNT);
    pair_run(&w.p);
    expect_difference(&w, "function: ");
    start(&w);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(w.p.side[PAIR_RECEIVER].session, 2, NULL), TALLY_OK);
    pair_run(&w.p);
    expect_difference(&w, "min-overlap: ");
    start(&w);
    CU_ASSERT_EQUAL(tally_session_set_noise(w.p.side[PAIR_RECEIVER].session, 1000000, NULL), TALLY_OK);
    pair_run(&w.p);
    expect_difference(&w, "noise: ");
    start(&w);
    tally_session_set_reveal(w.p.side[PAIR_SENDER].session, TALLY_REVEAL_BOTH);
    pair_run(&w.p);
    expect_difference(&w, "reveal-to: ");
    start(&w);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(w.p.side[PAIR_SENDER].session, "g", edges, 2, 0, NULL),
                    TALLY_OK);
    pair_run(&w.p);
    expect_difference(&w, "band: ");
    /* Nobody has values; both have. */
    world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
    w.count_only = 1;
    world_random(&w, 3, 3, 1);
    world_prepare(&w);
    for (int side = 0; side < 2; side++)
        tally_session_set_function(w.p.side[side].session, TALLY_SUM);
    pair_run(&w.p);
    expect_difference(&w, "values");
}

static void expect_usage(world *w, int side, const char *text)
{
    tally_error error;
    CU_ASSERT_EQUAL(tally_session_run(w->p.side[side].session, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, text) != NULL);
    world_free(w);
}

static void test_settings(void)
{
    static const int64_t edges[] = {1, 2};
    world w;
    start(&w);
    tally_session_set_security(w.p.side[0].session, TALLY_MALICIOUS);
    expect_usage(&w, 0, "semi-honest");
    start(&w);
    tally_session_set_protocol(w.p.side[0].session, TALLY_VOLE);
    expect_usage(&w, 0, "ecdh");
    start(&w);
    CU_ASSERT_EQUAL(tally_session_set_output(w.p.side[0].session, "x", 0, NULL), TALLY_OK);
    expect_usage(&w, 0, "no rows");
    start(&w);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(w.p.side[PAIR_RECEIVER].session, "g", edges, 2, 0, NULL),
                    TALLY_OK);
    expect_usage(&w, PAIR_RECEIVER, "by the side that has the values");
    start(&w);
    tally_session_set_function(w.p.side[PAIR_SENDER].session, TALLY_COUNT);
    expect_usage(&w, PAIR_SENDER, "for a sum");
    start(&w);
    tally_session_set_function(w.p.side[PAIR_SENDER].session, TALLY_MATCH);
    expect_usage(&w, PAIR_SENDER, "for a sum");
    world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_RECEIVER);
    w.bands_v = w.bands_t = 1;
    w.minimum = 2;
    world_random(&w, 3, 3, 1);
    world_prepare(&w);
    expect_usage(&w, PAIR_SENDER, "at most one column");
    start(&w);
    tally_session *s = w.p.side[0].session;
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 1, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 9999, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 100000001, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(s, "g", edges, 1, 0, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(s, "", edges, 2, 0, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_band(s, "g", edges, 2, 10, NULL), TALLY_ERR_USAGE);
    world_free(&w);
}

/* What is said and shown: the sentence names the count only to who learned it, the table and the JSON agree.
 */
static void test_words(void)
{
    for (size_t r = 0; r < 3; r++) {
        world w;
        world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, reveals[r]);
        world_random(&w, 9, 8, 4);
        world_run(&w);
        for (int side = 0; side < 2; side++) {
            tally_session *s = w.p.side[side].session;
            const char *learned = tally_session_learned(s);
            char *text = tally_session_figures_text(s), *json = tally_session_figures_json(s);
            CU_ASSERT_EQUAL(strstr(learned, "the number (4)") != NULL, world_learns(&w, side));
            CU_ASSERT_EQUAL(text != NULL && json != NULL, world_learns(&w, side));
            CU_ASSERT(!json || strstr(json, "\"count\": 4") != NULL);
            CU_ASSERT(!text || strncmp(text, "count  4\n", 9) == 0);
            free(text);
            free(json);
        }
        world_free(&w);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"rlwe", test_rlwe},
                                      {"paillier", test_paillier},
                                      {"sizes", test_sizes},
                                      {"thousand", test_thousand},
                                      {"ends", test_ends},
                                      {"minimum", test_minimum},
                                      {"merging", test_merging},
                                      {"noise", test_noise},
                                      {"noise_spread", test_noise_spread},
                                      {"noise_and_minimum", test_noise_and_minimum},
                                      {"differences", test_differences},
                                      {"settings", test_settings},
                                      {"words", test_words}};
    return unit_main(argc, argv, "sum", tests, sizeof tests / sizeof *tests);
}
