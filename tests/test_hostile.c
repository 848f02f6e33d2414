/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile peer in the protocol ecdh, frame by frame: in every conversation and at every step
 * (tests/support_attack). */
#include "tests/support_attack.h"
#include "tests/unit.h"

#include <unistd.h>

static void each_conversation(int from, int to, size_t at_once)
{
    size_t count = 0;
    for (int m = 0; m < 4; m++)
        count += attack_all(TALLY_ECDH, m & 1 ? TALLY_MALICIOUS : TALLY_SEMI_HONEST,
                            m & 2 ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER, from, to, at_once);
    CU_ASSERT(count >= 8);
}

static void test_stream_header_order(void)
{
    each_conversation(CUT, EVERYWHERE, 2);
}

static void test_entries(void)
{
    each_conversation(EVERYWHERE, PAYLOAD_LONG, 2);
}

static void test_hellos(void)
{
    each_conversation(NONCE_SHORT, MATCHED_BEYOND, 2);
}

static void test_claims(void)
{
    each_conversation(MATCHED_BEYOND, DROPPED, 2);
}

/* These wait for a heartbeat, which shows the gap in the numbers: all side by side. */
static void test_dropped_and_swapped(void)
{
    each_conversation(DROPPED, SILENT, 42);
}

/* From some frame on not even heartbeats come. */
static void test_silent(void)
{
    attack a[8];
    size_t count = 0;
    for (int m = 0; m < 2; m++)
        for (int liar = 0; liar < 2; liar++)
            for (size_t index = 0; index < 3; index += 2)
                a[count++] = (attack){.kind = SILENT,
                                      .liar = liar,
                                      .index = index,
                                      .protocol = TALLY_ECDH,
                                      .security = m ? TALLY_MALICIOUS : TALLY_SEMI_HONEST,
                                      .reveal = m ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER,
                                      .expect = TIMEOUT};
    CU_ASSERT_EQUAL(count, 8);
    attack_run(a, count);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"stream_header_order", test_stream_header_order},
        {"entries", test_entries},
        {"hellos", test_hellos},
        {"claims", test_claims},
        {"dropped_and_swapped", test_dropped_and_swapped},
        {"silent", test_silent},
    };
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "hostile", tests, sizeof tests / sizeof *tests);
}
