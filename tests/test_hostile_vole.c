/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile peer in the protocol vole, frame by frame (tests/support_attack); and bins that are too many, too
 * few, in another order or two in one frame. */
#include "proto/limits.h"
#include "psi/vole.h"
#include "tests/support_attack.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t all(enum tally_reveal reveal, int from, int to, size_t at_once)
{
    return attack_all(TALLY_VOLE, TALLY_SEMI_HONEST, reveal, from, to, at_once);
}

static void test_stream_header_order(void)
{
    CU_ASSERT_EQUAL(all(TALLY_REVEAL_BOTH, CUT, EVERYWHERE, 2), 12 * (EVERYWHERE - CUT) - 2 * 3);
}

static void test_content(void)
{
    for (int both = 0; both < 2; both++)
        CU_ASSERT(all(both ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER, EVERYWHERE, NONCE_SHORT, 2) >= 21);
}

/* A byte anywhere: never a crash, never a row that does not match. */
static void test_flipped_bytes(void)
{
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(all(i & 1 ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER, BYTE_FLIPPED, K_FIVE, 2), 5);
}

static void test_hellos_and_claims(void)
{
    for (int both = 0; both < 2; both++)
        CU_ASSERT(all(both ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER, NONCE_SHORT, DROPPED, 2) >= 16);
}

/* These wait for a heartbeat, which shows the gap in the numbers: all side by side. */
static void test_dropped_and_swapped(void)
{
    CU_ASSERT_EQUAL(all(TALLY_REVEAL_BOTH, DROPPED, SILENT, 24), 24);
}

static void test_silent(void)
{
    attack a[5];
    size_t count = 0;
    for (int liar = 0; liar < 2; liar++)
        for (size_t index = 2; index < (liar == PAIR_RECEIVER ? 5 : 4);
             index++) /* OPEN, TREES, BIN; CHOICE, TAGS */
            a[count++] = (attack){.kind = SILENT,
                                  .liar = liar,
                                  .index = index,
                                  .protocol = TALLY_VOLE,
                                  .security = TALLY_SEMI_HONEST,
                                  .reveal = TALLY_REVEAL_RECEIVER,
                                  .expect = TIMEOUT};
    attack_run(a, count);
    CU_ASSERT_EQUAL(count, 5);
}

/* ---- Two bins ---------------------------------------------------------------------------------------- */

enum way { AS_SENT, EXCHANGED, IN_ONE_FRAME, ONE_MORE, ONE_LESS, FIRST_TWICE, WAYS };

typedef struct bins {
    enum way way;
    uint8_t *first; /* frame of the first bin, where it is held back */
    size_t len;
    unsigned seen;
} bins;

static void change_bins(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    bins *b = tap->user;
    (void)index;
    if (frame[8] != WIRE_VOLE_BIN || b->way == AS_SENT) {
        tap_pass(tap, frame, len);
        return;
    }
    uint32_t sequence = frame_sequence(frame);
    if (b->seen++ == 0) {
        b->first = malloc(2 * len);
        if (!b->first)
            abort();
        memcpy(b->first, frame, len);
        b->len = len;
        if (b->way != EXCHANGED && b->way != IN_ONE_FRAME)
            tap_pass(tap, frame, len);
        return;
    }
    switch (b->way) {
    case EXCHANGED:
        frame_set_sequence(frame, sequence - 1);
        frame_set_sequence(b->first, sequence);
        tap_pass(tap, frame, len);
        tap_pass(tap, b->first, b->len);
        break;
    case IN_ONE_FRAME:
        memcpy(b->first + b->len, frame + WIRE_HEADER, len - WIRE_HEADER);
        frame_set_length(b->first, (uint32_t)(2 * (len - WIRE_HEADER)));
        tap_pass(tap, b->first, 2 * len - WIRE_HEADER);
        break;
    case ONE_MORE:
        tap_pass(tap, frame, len);
        frame_set_sequence(frame, sequence + 1);
        tap_pass(tap, frame, len);
        break;
    case ONE_LESS: /* done instead */
        frame[8] = WIRE_DONE;
        frame_set_length(frame, 0);
        tap_pass(tap, frame, WIRE_HEADER);
        break;
    default: /* FIRST_TWICE */
        frame_set_sequence(b->first, sequence);
        tap_pass(tap, b->first, b->len);
    }
}

static void test_two_bins(void)
{
    enum { N = 33000, NY2 = 200 };
    static uint32_t ids[N];
    psi_vole_sizes sizes;
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&sizes, 4, N, NY2), TALLY_OK);
    CU_ASSERT_EQUAL(sizes.bins, 2);
    for (uint32_t i = 0; i < N; i++)
        ids[i] = i;
    for (int way = 0; way < WAYS; way++) {
        pair p;
        bins b = {.way = (enum way)way};
        pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
        pair_set_protocol(&p, TALLY_VOLE);
        pair_add(&p.side[PAIR_RECEIVER], ids, N);
        pair_add(&p.side[PAIR_SENDER], ids, NY2);
        p.side[PAIR_RECEIVER].tap.on_frame = change_bins;
        p.side[PAIR_RECEIVER].tap.user = &b;
        pair_run(&p);
        const pair_side *r = &p.side[PAIR_RECEIVER], *s = &p.side[PAIR_SENDER];
        if (way == AS_SENT || way == EXCHANGED || way == FIRST_TWICE) {
            CU_ASSERT_EQUAL(r->status, TALLY_OK);
            CU_ASSERT_EQUAL(s->status, TALLY_OK);
            /* All; none; those of the first bin. */
            size_t least = way == AS_SENT ? NY2 : way == FIRST_TWICE ? NY2 / 4 : 0;
            size_t most = way == AS_SENT ? NY2 : way == FIRST_TWICE ? NY2 * 3 / 4 : 0;
            CU_ASSERT(r->row_count >= least && r->row_count <= most);
        } else {
            CU_ASSERT_EQUAL(s->status, TALLY_ERR_MALFORMED);
            CU_ASSERT(r->status == TALLY_ERR_PEER_STOPPED || r->status == TALLY_ERR_NETWORK);
            CU_ASSERT_EQUAL(r->row_count, 0);
        }
        CU_ASSERT(way == AS_SENT || b.seen == 2);
        free(b.first);
        pair_free(&p);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"stream_header_order", test_stream_header_order},
        {"content", test_content},
        {"flipped_bytes", test_flipped_bytes},
        {"hellos_and_claims", test_hellos_and_claims},
        {"dropped_and_swapped", test_dropped_and_swapped},
        {"silent", test_silent},
        {"two_bins", test_two_bins},
    };
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "hostile_vole", tests, sizeof tests / sizeof *tests);
}
