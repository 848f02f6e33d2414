/* SPDX-License-Identifier: Apache-2.0 */
/* The state table, exhaustively: at every state of every conversation, every frame type and the lengths
 * around the right one. */
#include "tests/support_state.h"
#include "tests/unit.h"

#include <string.h>

#define WIDTH 11u /* tag width of the tests: odd, so that no other unit divides by it */
#define BIN 353u  /* bytes of a bin's frame */
#define BINS 5u

/* The conversations that there are, written from docs/wire-format.md and not from the table. */
enum way { ECDH, OPRF, VOLE, WAYS };

static size_t conversation(state_want out[8], enum tally_role role, enum way way, int both, uint64_t own,
                           uint64_t peer, uint64_t confirmed)
{
    size_t n = 0;
    int malicious = way == OPRF;
    if (way == VOLE && role == TALLY_RECEIVER) {
        out[n++] = (state_want){WIRE_VOLE_CHOICE, 0, 1};
        out[n++] = (state_want){WIRE_VOLE_TAGS, WIDTH, peer};
    } else if (way == VOLE) {
        out[n++] = (state_want){WIRE_VOLE_OPEN, 0, 1};
        out[n++] = (state_want){WIRE_VOLE_TREES, 0, 1};
        out[n++] = (state_want){WIRE_VOLE_BIN, BIN, BINS};
        if (both)
            out[n++] = (state_want){WIRE_MATCHED, 1, (own + 7) / 8};
    } else if (role == TALLY_RECEIVER && malicious) {
        out[n++] = (state_want){WIRE_OPRF_KEY, 32, 1};
        out[n++] = (state_want){WIRE_OPRF_EVALUATED, 32, own};
        out[n++] = (state_want){WIRE_OPRF_TAGS, 16, peer};
    } else if (role == TALLY_RECEIVER) {
        out[n++] = (state_want){WIRE_ECDH_REPLY, WIDTH, own};
        out[n++] = (state_want){WIRE_ECDH_SENDER, 32, peer};
    } else {
        out[n++] = (state_want){malicious ? WIRE_OPRF_BLINDED : WIRE_ECDH_RECEIVER, 32, peer};
        if (both)
            out[n++] = (state_want){WIRE_MATCHED, 1, (own + 7) / 8};
        if (both && malicious)
            out[n++] = (state_want){WIRE_CONFIRM, 16, confirmed};
    }
    out[n++] = (state_want){WIRE_RECEIPT, 0, 1};
    if (role == TALLY_SENDER)
        out[n++] = (state_want){WIRE_RECEIPT, 0, 1};
    out[n++] = (state_want){WIRE_DONE, 0, 1};
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (out[i].entries)
            out[kept++] = out[i];
    return kept;
}

static void test_hellos(void)
{
    party_state s;
    static const state_want wants[] = {{WIRE_HELLO1, 0, 1}, {WIRE_HELLO2, 0, 1}};
    party_state_init(&s);
    state_walk(&s, wants, 2);
}

static void test_conversations(void)
{
    static const uint64_t sizes[][2] = {{1, 1}, {0, 5}, {5, 0}, {0, 0}, {5, 7}, {8, 3}, {9, 600}, {600, 9}};
    unsigned walked = 0;
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
        for (int c = 0; c < 4 * WAYS; c++) {
            enum tally_role role = c & 1 ? TALLY_RECEIVER : TALLY_SENDER;
            enum way way = (enum way)(c >> 2);
            int both = c >> 1 & 1;
            uint64_t own = sizes[z][0], peer = sizes[z][1], confirmed = own < peer ? own / 2 : peer / 2;
            state_want wants[8];
            party_state s;
            size_t count = conversation(wants, role, way, both, own, peer, confirmed);
            party_state_sizes(&s, role, way == VOLE ? TALLY_VOLE : TALLY_ECDH,
                              way == OPRF ? TALLY_MALICIOUS : TALLY_SEMI_HONEST, both, own, peer, WIDTH);
            party_state_confirmed(&s, confirmed);
            party_state_bins(&s, BIN, BINS);
            state_walk(&s, wants, count);
            walked++;
        }
    CU_ASSERT_EQUAL(walked, 96);
}

/* Bins have a size only when the receiver has said k; until then none may come, after that not one more. */
static void test_bins_wait_for_their_size(void)
{
    party_state s;
    uint64_t first, units;
    party_state_sizes(&s, TALLY_SENDER, TALLY_VOLE, TALLY_SEMI_HONEST, 0, 16, 1, WIDTH);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_VOLE_OPEN);
    CU_ASSERT(state_refuses(&s, WIRE_VOLE_BIN, BIN));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_VOLE_OPEN, 8193, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_VOLE_TREES);
    CU_ASSERT(state_refuses(&s, WIRE_VOLE_BIN, BIN));
    party_state_bins(&s, BIN, 2);
    CU_ASSERT(state_refuses(&s, WIRE_VOLE_BIN, BIN));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_VOLE_TREES, 7, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_VOLE_BIN);
    CU_ASSERT(state_refuses(&s, WIRE_DONE, 0));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_VOLE_BIN, BIN, &first, &units), TALLY_OK);
    CU_ASSERT(first == 0 && units == 1);
    CU_ASSERT(state_refuses(&s, WIRE_VOLE_BIN, 2 * BIN));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_VOLE_BIN, BIN, &first, &units), TALLY_OK);
    CU_ASSERT(first == 1 && units == 1);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_RECEIPT);
    CU_ASSERT(state_refuses(&s, WIRE_VOLE_BIN, BIN));
}

/* The number of confirmations is known only after the bitmap; before that none is expected. */
static void test_confirmations_wait_for_the_bitmap(void)
{
    party_state s;
    uint64_t first, units;
    party_state_sizes(&s, TALLY_SENDER, TALLY_ECDH, TALLY_MALICIOUS, 1, 16, 1, WIDTH);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_OPRF_BLINDED, 32, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_MATCHED);
    CU_ASSERT_EQUAL(state_take(&s, WIRE_MATCHED, 2, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_CONFIRM); /* asked before their number is known */
    party_state_confirmed(&s, 1);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_CONFIRM);
    CU_ASSERT(state_refuses(&s, WIRE_CONFIRM, 32));
    CU_ASSERT_EQUAL(state_take(&s, WIRE_CONFIRM, 16, &first, &units), TALLY_OK);
    CU_ASSERT_EQUAL(party_state_expects(&s), WIRE_RECEIPT);
}

static void test_messages_name_the_frames(void)
{
    party_state s;
    tally_error error = {.status = TALLY_OK};
    uint64_t first, units;
    party_frame frame = {.type = WIRE_OPRF_TAGS, .length = 16};
    party_state_init(&s);
    CU_ASSERT_EQUAL(party_state_take(&s, &frame, &first, &units, &error), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_MALFORMED);
    CU_ASSERT(strstr(error.message, "sender's tags") && strstr(error.message, "hello 1"));
    party_state_sizes(&s, TALLY_SENDER, TALLY_ECDH, TALLY_SEMI_HONEST, 0, 1, 2, WIDTH);
    frame = (party_frame){.type = WIRE_ECDH_RECEIVER, .length = 96};
    CU_ASSERT_EQUAL(party_state_take(&s, &frame, &first, &units, &error), TALLY_ERR_MALFORMED);
    CU_ASSERT(strstr(error.message, "more entries") && strstr(error.message, "receiver's masked items"));
}

static void test_evaluated_items(void)
{
    enum { MOST = 10000 };
    static uint8_t valid[32 * MOST + 64 * (MOST / 256 + 1) + 1];
    unsigned wrong = 0;
    memset(valid, 0, sizeof valid);
    for (uint64_t n = 1; n <= MOST; n++) {
        uint32_t length = (uint32_t)(32 * n + 64 * ((n + 255) / 256));
        valid[length] = 1;
        wrong += party_evaluated_items(length) != n;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    /* No other length stands for a number of items. */
    uint32_t largest = 32 * MOST + 64 * ((MOST + 255) / 256);
    for (uint32_t length = 0; length <= largest; length++)
        wrong += !valid[length] && party_evaluated_items(length) != 0;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(party_evaluated_items(64), 0);
    CU_ASSERT_EQUAL(party_evaluated_items(96), 1);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"hellos", test_hellos},
        {"conversations", test_conversations},
        {"bins_wait_for_their_size", test_bins_wait_for_their_size},
        {"confirmations_wait_for_the_bitmap", test_confirmations_wait_for_the_bitmap},
        {"messages_name_the_frames", test_messages_name_the_frames},
        {"evaluated_items", test_evaluated_items}};
    return unit_main(argc, argv, "state", tests, sizeof tests / sizeof *tests);
}
