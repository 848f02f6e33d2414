/* SPDX-License-Identifier: Apache-2.0 */
/* The state table of counts and sums: which conversations the terms lead to, and each of them exhaustively.
 */
#include "party/aggregate.h"
#include "tests/support_state.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 11u  /* tag width of the tests: odd, so that no other unit divides by it */
#define VALUE 353u /* bytes of an encrypted row, and of a sum */
#define SUM 97u

/* One run as the two sides agree on it. */
typedef struct run {
    int sum, reveal, noise, receiver_has_values;
    uint64_t minimum;
    size_t owner_bands, adder_bands;
} run;

enum { TO_RECEIVER, TO_SENDER, TO_BOTH, REVEALS };

static void say(wire_terms *t, const run *r, int receiver)
{
    static const char *const reveal[REVEALS] = {"receiver", "sender", "both"};
    memset(t, 0, sizeof *t);
    snprintf(t->role, sizeof t->role, "%s", receiver ? "receiver" : "sender");
    snprintf(t->function, sizeof t->function, "%s", r->sum ? "sum" : "count");
    snprintf(t->reveal, sizeof t->reveal, "%s", reveal[r->reveal]);
    t->min_overlap = r->minimum;
    t->epsilon_micro = r->noise ? 1000000 : 0;
    t->dummies = r->noise ? 15 : 0;
    if (!r->sum)
        return;
    int owner = receiver == r->receiver_has_values;
    t->value_count = owner ? 3 : 0;
    t->band_count = owner ? r->owner_bands : r->adder_bands;
    for (size_t k = 0; k < t->band_count; k++)
        t->bands[k] = (wire_band){.count = 3 + k, .edges = {0, 1, 2, 3, 4, 5}};
}

/* Calls test for every run that the terms allow: with a minimum overlap at most one column has bands, and the
 * side that adds up has at most one in any case. */
static unsigned each_run(void (*test)(const run *r))
{
    unsigned count = 0;
    for (int i = 0; i < 2 * REVEALS * 2 * 2 * 2 * 3 * 2; i++) {
        int bits = i / REVEALS;
        run r = {.reveal = i % REVEALS,
                 .sum = bits & 1,
                 .noise = bits >> 1 & 1,
                 .receiver_has_values = bits >> 2 & 1,
                 .minimum = bits >> 3 & 1 ? 5 : 0,
                 .adder_bands = (size_t)(bits >> 4 & 1),
                 .owner_bands = (size_t)(bits >> 5)};
        if (r.minimum && r.owner_bands + r.adder_bands > 1)
            continue;
        if (!r.sum && (r.owner_bands || r.adder_bands || r.receiver_has_values))
            continue;
        test(&r);
        count++;
    }
    return count;
}

/* Who adds up, and who learns what. Counts: who learns the number counts; with a minimum the other one does,
 * and then both learn it. Sums: who has no values. */
static int receiver_computes(const run *r)
{
    if (r->sum)
        return !r->receiver_has_values;
    return r->minimum ? r->reveal == TO_SENDER : r->reveal != TO_SENDER;
}

static int learns(const run *r, int receiver)
{
    return r->reveal == TO_BOTH || r->reveal == (receiver ? TO_RECEIVER : TO_SENDER);
}

static void check_agreement(const run *r)
{
    wire_terms terms[2];
    party_aggregate side[2];
    say(&terms[0], r, 1);
    say(&terms[1], r, 0);
    for (int i = 0; i < 2; i++)
        party_aggregate_agree(&side[i], &terms[i], &terms[!i]);
    int computes = receiver_computes(r);
    for (int i = 0; i < 2; i++) {
        const party_aggregate *a = &side[i];
        CU_ASSERT_EQUAL(a->computing, computes == !i);
        CU_ASSERT_EQUAL(a->sum, r->sum);
        CU_ASSERT_EQUAL(a->other_learns, learns(r, !computes));
        CU_ASSERT_EQUAL(a->computing_learns, r->sum ? learns(r, computes) : 1);
        CU_ASSERT(a->computing_learns || a->other_learns);
        CU_ASSERT_PTR_EQUAL(a->adder, &terms[!computes]);
        CU_ASSERT_PTR_EQUAL(a->owner, &terms[computes]);
        CU_ASSERT_EQUAL(a->groups, r->adder_bands ? 3 : 1);
        CU_ASSERT_EQUAL(a->columns, r->sum ? psi_agg_columns(&a->form) : 0);
        CU_ASSERT(a->minimum == r->minimum && a->dummies == (r->noise ? 15 : 0));
    }
    CU_ASSERT_EQUAL(side[0].parts, side[1].parts);
    CU_ASSERT_EQUAL(side[0].columns, side[1].columns);
}

static void test_agreement(void)
{
    /* counts: 3 reveals, minimum, noise; sums: values of either side, and the 6 pairs of bands without a
     * minimum, 3 with one */
    CU_ASSERT_EQUAL(each_run(check_agreement), 3 * 2 * 2 + 3 * 2 * 2 * (6 + 3));
}

/* ---- Conversations ----------------------------------------------------------------------------------- */

static size_t conversation(state_want out[12], const run *r, int computing, const struct party_agg_sizes *z)
{
    size_t n = 0, kept = 0;
    int computes = receiver_computes(r), other_learns = learns(r, !computes);
    int bands_judged = r->sum && r->minimum && !r->noise && r->owner_bands;
    int groups_judged = r->sum && r->minimum && !r->noise && r->adder_bands;
    if (computing) {
        out[n++] = (state_want){WIRE_AGG_TAGS, WIDTH, z->masked};
        out[n++] = (state_want){WIRE_AGG_OTHER, 32, z->other};
        if (r->sum) {
            out[n++] = (state_want){WIRE_AGG_KEY, 0, 1};
            out[n++] = (state_want){WIRE_AGG_VALUES, VALUE, z->values};
        }
        if (bands_judged && other_learns)
            out[n++] = (state_want){WIRE_AGG_SIZES, 64, z->first_figures};
        if (bands_judged && !other_learns)
            out[n++] = (state_want){WIRE_AGG_MERGED, 0, 1};
        if (r->sum && learns(r, computes))
            out[n++] = (state_want){WIRE_AGG_FIGURES, 64, z->figures};
    } else {
        out[n++] = (state_want){WIRE_AGG_MASKED, 32, z->masked};
        if (bands_judged && other_learns)
            out[n++] = (state_want){WIRE_AGG_SUMS, SUM, z->first_sums};
        if (r->sum ? !r->noise && (other_learns || r->minimum) : other_learns)
            out[n++] = (state_want){WIRE_AGG_COUNT, 0, 1};
        if ((bands_judged && other_learns) || groups_judged)
            out[n++] = (state_want){WIRE_AGG_MERGED, 0, 1};
        if (r->sum)
            out[n++] = (state_want){WIRE_AGG_SUMS, SUM, z->sums};
    }
    out[n++] = (state_want){WIRE_RECEIPT, 0, 1};
    if (computes != computing) /* the receiver computes, and this side does not, or the other way round */
        out[n++] = (state_want){WIRE_RECEIPT, 0, 1};
    out[n++] = (state_want){WIRE_DONE, 0, 1};
    for (size_t i = 0; i < n; i++)
        if (out[i].entries)
            out[kept++] = out[i];
    return kept;
}

static const struct party_agg_sizes sizes[] = {{.masked = 5,
                                                .other = 7,
                                                .values = 3,
                                                .value_bytes = VALUE,
                                                .sum_bytes = SUM,
                                                .first_sums = 2,
                                                .sums = 6,
                                                .first_figures = 3,
                                                .figures = 9},
                                               {.masked = 1,
                                                .other = 1,
                                                .values = 1,
                                                .value_bytes = VALUE,
                                                .sum_bytes = SUM,
                                                .first_sums = 1,
                                                .sums = 1,
                                                .first_figures = 1,
                                                .figures = 1},
                                               /* empty lists: no items, no rows, and sums all the same */
                                               {.masked = 0,
                                                .other = 4,
                                                .values = 2,
                                                .value_bytes = VALUE,
                                                .sum_bytes = SUM,
                                                .first_sums = 2,
                                                .sums = 2,
                                                .first_figures = 2,
                                                .figures = 2},
                                               {.masked = 4,
                                                .other = 0,
                                                .values = 0,
                                                .value_bytes = VALUE,
                                                .sum_bytes = SUM,
                                                .first_sums = 2,
                                                .sums = 2,
                                                .first_figures = 2,
                                                .figures = 2},
                                               {.masked = 600,
                                                .other = 9,
                                                .values = 40,
                                                .value_bytes = VALUE,
                                                .sum_bytes = SUM,
                                                .first_sums = 33,
                                                .sums = 528,
                                                .first_figures = 33,
                                                .figures = 561}};

static void walk_run(const run *r)
{
    wire_terms terms[2];
    party_aggregate a;
    say(&terms[0], r, 1);
    say(&terms[1], r, 0);
    party_aggregate_agree(&a, &terms[0], &terms[1]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int computing = 0; computing < 2; computing++) {
            state_want wants[12];
            party_state s;
            struct party_agg_sizes z = sizes[i];
            size_t count = conversation(wants, r, computing, &z);
            /* As party_aggregate_state leaves them. */
            if (r->sum)
                z.sums = z.figures = UINT64_MAX;
            party_state_aggregate(&s, computing,
                                  a.parts | (computing == receiver_computes(r) ? 0 : PARTY_PART_SENDER),
                                  WIDTH, &z);
            party_state_sums(&s, sizes[i].sums, sizes[i].figures);
            state_walk(&s, wants, count);
        }
}

static void test_conversations(void)
{
    CU_ASSERT(each_run(walk_run) > 100);
}

/* Without a minimum a count has no minimum's frames, and so on: how many conversations differ. */
static unsigned char seen_parts[128];
static void note_parts(const run *r)
{
    wire_terms terms[2];
    party_aggregate a;
    say(&terms[0], r, 1);
    say(&terms[1], r, 0);
    party_aggregate_agree(&a, &terms[0], &terms[1]);
    CU_ASSERT_FATAL(a.parts < sizeof seen_parts);
    seen_parts[a.parts] = 1;
}

static void test_parts(void)
{
    unsigned different = 0;
    each_run(note_parts);
    for (unsigned parts = 0; parts < sizeof seen_parts; parts++) {
        different += seen_parts[parts];
        if (!seen_parts[parts])
            continue;
        CU_ASSERT(!(parts & PARTY_PART_BOTH)); /* of a match */
        /* The owner judges its bands or the side that adds up does. */
        CU_ASSERT(!(parts & PARTY_PART_FIRST) || !(parts & PARTY_PART_MERGED));
        CU_ASSERT(!(parts & PARTY_PART_FIRST) || (parts & PARTY_PART_MERGES));
        CU_ASSERT((parts & PARTY_PART_SUM) || !(parts & ~(unsigned)PARTY_PART_COUNT));
    }
    /* Counts: told or not. Sums, by who learns (the side that adds up, the other, both): with noise 2, exact
     * 2 more, with a minimum and bands of the owner 3, of the side that adds up 2. */
    CU_ASSERT_EQUAL(different, 2 + 2 + 2 + 3 + 2);
}

/* ---- Numbers that are known late --------------------------------------------------------------------- */

/* Which bands are merged decides how many sums come: until that is known the step is not passed over, after
 * it not one more may come. */
static void test_sums_wait_for_the_merging(void)
{
    party_state s;
    uint64_t first, units;
    struct party_agg_sizes z = {.masked = 1,
                                .value_bytes = VALUE,
                                .sum_bytes = SUM,
                                .first_sums = 1,
                                .sums = UINT64_MAX,
                                .figures = UINT64_MAX};
    party_state_aggregate(&s, 0, PARTY_PART_SUM | PARTY_PART_FIRST | PARTY_PART_COUNT | PARTY_PART_MERGES,
                          WIDTH, &z);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_MASKED, 32, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_SUMS, SUM, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_AGG_COUNT);
    CU_ASSERT(state_refuses(&s, WIRE_AGG_SUMS, SUM));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_COUNT, 8, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_MERGED, 1, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_AGG_SUMS); /* asked before their number is known */
    CU_ASSERT(state_refuses(&s, WIRE_DONE, 0));
    party_state_sums(&s, 2, 0);
    CU_ASSERT(state_refuses(&s, WIRE_AGG_SUMS, 3 * SUM));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_SUMS, SUM, &first, &units), TALLY_OK);
    CU_ASSERT(first == 0 && units == 1);
    CU_ASSERT(state_refuses(&s, WIRE_AGG_SUMS, 2 * SUM));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_SUMS, SUM, &first, &units), TALLY_OK);
    CU_ASSERT(first == 1 && units == 1);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_RECEIPT);
}

static void test_figures_wait_for_the_merging(void)
{
    party_state s;
    uint64_t first, units;
    struct party_agg_sizes z = {.masked = 1,
                                .other = 1,
                                .values = 1,
                                .value_bytes = VALUE,
                                .sum_bytes = SUM,
                                .sums = UINT64_MAX,
                                .figures = UINT64_MAX};
    party_state_aggregate(&s, 1, PARTY_PART_SUM | PARTY_PART_MERGED | PARTY_PART_FIGURES, WIDTH, &z);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_TAGS, WIDTH, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_OTHER, 32, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_KEY, 100, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_VALUES, VALUE, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_AGG_MERGED);
    CU_ASSERT(state_refuses(&s, WIRE_AGG_FIGURES, 64));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_MERGED, 1, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_AGG_FIGURES);
    CU_ASSERT(state_refuses(&s, WIRE_DONE, 0));
    party_state_sums(&s, 0, 3);
    CU_ASSERT(state_refuses(&s, WIRE_AGG_FIGURES, 4 * 64));
    CU_ASSERT(state_refuses(&s, WIRE_AGG_FIGURES, 3 * 64 - 1));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_AGG_FIGURES, 3 * 64, &first, &units), TALLY_OK);
    CU_ASSERT(first == 0 && units == 3);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_RECEIPT);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"agreement", test_agreement},
                                      {"conversations", test_conversations},
                                      {"parts", test_parts},
                                      {"sums_wait_for_the_merging", test_sums_wait_for_the_merging},
                                      {"figures_wait_for_the_merging", test_figures_wait_for_the_merging}};
    return unit_main(argc, argv, "state_sum", tests, sizeof tests / sizeof *tests);
}
