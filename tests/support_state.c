/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_state.h"

#include "tests/unit.h"

tally_status state_take(party_state *s, uint8_t type, uint32_t length, uint64_t *first, uint64_t *units)
{
    uint8_t none = 0;
    party_frame frame = {.type = type, .length = length, .payload = &none};
    return party_state_take(s, &frame, first, units, NULL);
}

/* Bytes of n entries. */
static uint32_t state_bytes(const state_want *w, uint64_t n)
{
    uint64_t proofs = w->type == WIRE_OPRF_EVALUATED ? 64 * ((n + 255) / 256) : 0;
    return (uint32_t)(w->unit * n + proofs);
}

int state_refuses(const party_state *s, uint8_t type, uint32_t length)
{
    party_state copy = *s;
    uint64_t first = 77, units = 78;
    uint8_t expected = party_state_expects(&copy);
    tally_status st = state_take(&copy, type, length, &first, &units);
    return st == TALLY_ERR_MALFORMED && first == 77 && units == 78 && copy.taken == s->taken &&
           party_state_expects(&copy) == expected;
}

static void refuse_everything_but(const party_state *s, uint8_t right)
{
    static const uint32_t lengths[] = {0, 1, 11, 16, 32, 64, 96, 352, 353};
    unsigned wrong = 0;
    for (unsigned type = 0; type < 256; type++)
        for (size_t i = 0; type != right && i < sizeof lengths / sizeof *lengths; i++)
            wrong += !state_refuses(s, (uint8_t)type, lengths[i]);
    CU_ASSERT_EQUAL(wrong, 0);
}

void state_walk(party_state *s, const state_want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const state_want *w = &wants[i];
        /* In two frames where there is more than one entry, so that a state in the middle of a step is seen
         * too. */
        uint64_t parts[2] = {w->entries / 2, w->entries - w->entries / 2}, at = 0;
        for (int p = 0; p < 2; p++) {
            uint64_t first = 0, units = 0;
            if (!parts[p])
                continue;
            CU_ASSERT_EQUAL(party_state_expects(s), w->type);
            refuse_everything_but(s, w->type);
            if (w->unit) {
                CU_ASSERT(state_refuses(s, w->type, state_bytes(w, w->entries - at + 1)));
                CU_ASSERT(state_refuses(s, w->type, 0));
                if (w->unit > 1) {
                    CU_ASSERT(state_refuses(s, w->type, state_bytes(w, parts[p]) + 1));
                    CU_ASSERT(state_refuses(s, w->type, state_bytes(w, parts[p]) - 1));
                }
            }
            CU_ASSERT_EQUAL(state_take(s, w->type, state_bytes(w, parts[p]), &first, &units), TALLY_OK);
            CU_ASSERT_EQUAL(first, at);
            CU_ASSERT_EQUAL(units, parts[p]);
            at += units;
        }
    }
    CU_ASSERT_EQUAL(party_state_expects(s), 0);
    refuse_everything_but(s, 0);
}
