/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_count.h"

#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>

void count_pair(pair *p, enum tally_reveal reveal, const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    pair_init(p, TALLY_SEMI_HONEST, reveal);
    pair_add(&p->side[PAIR_RECEIVER], x, nx);
    pair_add(&p->side[PAIR_SENDER], y, ny);
    for (int i = 0; i < 2; i++)
        tally_session_set_function(p->side[i].session, TALLY_COUNT);
}

void count_minimum(pair *p, uint64_t minimum)
{
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(tally_session_set_min_overlap(p->side[i].session, minimum, NULL), TALLY_OK);
}

void count_noise(pair *p, uint64_t epsilon_micro)
{
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(tally_session_set_noise(p->side[i].session, epsilon_micro, NULL), TALLY_OK);
}

static int before(const uint32_t *list, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == id)
            return 1;
    return 0;
}

uint64_t count_plain(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    uint64_t count = 0;
    for (size_t i = 0; i < nx; i++)
        count += !before(x, i, x[i]) && before(y, ny, x[i]);
    return count;
}

int count_computing(enum tally_reveal reveal, uint64_t minimum)
{
    int to_sender = reveal == TALLY_REVEAL_SENDER;
    return (minimum ? to_sender : !to_sender) ? PAIR_RECEIVER : PAIR_SENDER;
}

int count_learns(int side, enum tally_reveal reveal, uint64_t minimum)
{
    return minimum || reveal == TALLY_REVEAL_BOTH ||
           (reveal == TALLY_REVEAL_RECEIVER) == (side == PAIR_RECEIVER);
}

int64_t count_figure(const pair_side *side)
{
    char *text = tally_session_figures_json(side->session);
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *count = json_object_get(j, "count");
    int64_t v = json_is_integer(count) ? json_integer_value(count) : INT64_MIN;
    json_decref(j);
    free(text);
    return v;
}

void count_untold(const pair_side *side)
{
    CU_ASSERT_EQUAL(side->row_count, 0);
    CU_ASSERT_EQUAL(side->result.matched_items, 0);
    CU_ASSERT_EQUAL(side->result.learns_figures, 0);
    CU_ASSERT_EQUAL(count_figure(side), INT64_MIN);
    CU_ASSERT_STRING_EQUAL(tally_session_learned(side->session), "");
    CU_ASSERT_FALSE(side->leaked);
}
