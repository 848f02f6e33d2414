/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile peer at a count, frame by frame: in every reveal mode and at every step (tests/support_attack).
 */
#include "tests/support_attack.h"
#include "tests/unit.h"

#include <unistd.h>

static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_SENDER, TALLY_REVEAL_BOTH};

static attack like(enum tally_reveal reveal)
{
    return (attack){.count = 1, .protocol = TALLY_ECDH, .security = TALLY_SEMI_HONEST, .reveal = reveal};
}

static void each_conversation(int from, int to, size_t at_once)
{
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        attack a = like(reveals[i]);
        count += attack_all_like(&a, from, to, at_once);
    }
    CU_ASSERT(count >= 12);
}

static void test_stream_header_order(void)
{
    each_conversation(CUT, EVERYWHERE, 2);
}

static void test_entries(void)
{
    each_conversation(EVERYWHERE, NONCE_SHORT, 2);
}

static void test_hellos(void)
{
    each_conversation(NONCE_SHORT, MATCHED_BEYOND, 2);
}

/* These wait for a heartbeat, which shows the gap in the numbers: all side by side. */
static void test_dropped_and_swapped(void)
{
    each_conversation(DROPPED, SILENT, 42);
}

/* From some frame on not even heartbeats come. */
static void test_silent(void)
{
    attack a[12];
    size_t count = 0;
    for (int i = 0; i < 3; i++)
        for (int liar = 0; liar < 2; liar++)
            for (size_t index = 0; index < 3; index += 2) {
                a[count] = like(reveals[i]);
                a[count].kind = SILENT;
                a[count].liar = liar;
                a[count].index = index;
                a[count++].expect = TIMEOUT;
            }
    CU_ASSERT_EQUAL(count, 12);
    attack_run(a, count);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"stream_header_order", test_stream_header_order}, {"entries", test_entries}, {"hellos", test_hellos},
        {"dropped_and_swapped", test_dropped_and_swapped}, {"silent", test_silent},
    };
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "hostile_count", tests, sizeof tests / sizeof *tests);
}
