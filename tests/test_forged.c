/* SPDX-License-Identifier: Apache-2.0 */
/* Forged content of many entries: each proof counts, repeated entries are refused, flipped bits never crash
 * or hang. */
#include "tests/support_session.h"
#include "tests/unit.h"

#include <string.h>
#include <unistd.h>

static int peer_ended(tally_status st)
{
    return st == TALLY_ERR_PEER_STOPPED || st == TALLY_ERR_NETWORK;
}

/* ---- Several proofs ---------------------------------------------------------------------------------- */

typedef struct forgery {
    size_t at, from; /* offsets into the payload of the evaluated items: the byte at `at` changes, or 32 bytes
                        come from `from` */
    size_t bytes;    /* 0: one bit; otherwise that many bytes are exchanged */
    size_t length;   /* of the payload seen */
} forgery;

static void forge(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    forgery *f = tap->user;
    uint8_t *payload = frame + WIRE_HEADER, kept[64];
    (void)index;
    if (frame[8] == WIRE_OPRF_EVALUATED) {
        f->length = len - WIRE_HEADER;
        if (f->bytes) {
            memcpy(kept, payload + f->at, f->bytes);
            memcpy(payload + f->at, payload + f->from, f->bytes);
            memcpy(payload + f->from, kept, f->bytes);
        } else {
            payload[f->at] ^= 4;
        }
    }
    tap_pass(tap, frame, len);
}

/* 300 items lie under two proofs, of 256 and 44: each is verified, over its own items. */
static void test_every_proof_counts(void)
{
    enum { N = 300, POINTS = 32 * N };
    static uint32_t ids[N];
    forgery all[] = {
        {.at = POINTS + 5},                               /* first proof */
        {.at = POINTS + 64 + 40},                         /* second proof */
        {.at = POINTS, .from = POINTS + 64, .bytes = 64}, /* the two proofs exchanged */
        {.at = 32 * 255, .from = 32 * 256, .bytes = 32},  /* two items over the border of the groups */
        {.at = 32 * 298, .from = 32 * 299, .bytes = 32},  /* two items of the second */
        {.at = 32 * 7, .from = 32 * 7, .bytes = 32},      /* nothing: this one must pass */
    };
    size_t count = sizeof all / sizeof *all;
    for (uint32_t i = 0; i < N; i++)
        ids[i] = i;
    for (size_t i = 0; i < count; i++) {
        pair p;
        pair_init(&p, TALLY_MALICIOUS, TALLY_REVEAL_RECEIVER);
        pair_add(&p.side[PAIR_RECEIVER], ids, N);
        pair_add(&p.side[PAIR_SENDER], ids + 20, 10);
        p.side[PAIR_SENDER].tap.on_frame = forge;
        p.side[PAIR_SENDER].tap.user = &all[i];
        pair_run(&p);
        CU_ASSERT_EQUAL(all[i].length, POINTS + 2 * 64);
        if (i + 1 < count) {
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_ERR_MALFORMED);
            CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, "proof") != NULL);
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].row_count, 0);
            CU_ASSERT(peer_ended(p.side[PAIR_SENDER].status));
        } else {
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_OK);
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].row_count, 10);
        }
        pair_free(&p);
    }
}

/* ---- Repeated entries -------------------------------------------------------------------------------- */

/* Every entry of one frame becomes its first. */
static void level(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    const uint8_t *type = tap->user;
    size_t size = frame[8] == WIRE_ECDH_REPLY ? 8 : 32; /* psi_tag_bytes(600, 600): (40 + 10 + 10) / 8 */
    (void)index;
    for (size_t at = WIRE_HEADER + size; frame[8] == *type && at < len; at += size)
        memcpy(frame + at, frame + WIRE_HEADER, size);
    tap_pass(tap, frame, len);
}

static tally_status receive_levelled(uint8_t type, size_t own, size_t peer, size_t *rows)
{
    static uint32_t ids[600];
    pair p;
    for (uint32_t i = 0; i < 600; i++)
        ids[i] = i;
    pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
    pair_add(&p.side[PAIR_RECEIVER], ids, own);
    pair_add(&p.side[PAIR_SENDER], ids, peer);
    p.side[PAIR_SENDER].tap.on_frame = level;
    p.side[PAIR_SENDER].tap.user = &type;
    pair_run(&p);
    tally_status st = p.side[PAIR_RECEIVER].status;
    *rows = p.side[PAIR_RECEIVER].row_count;
    CU_ASSERT(st ? peer_ended(p.side[PAIR_SENDER].status) : !p.side[PAIR_SENDER].status);
    pair_free(&p);
    return st;
}

/* Equal answers would make the table of tags slow, equal entries the list of matches long: both are refused.
 */
static void test_repeated_entries(void)
{
    size_t rows;
    CU_ASSERT_EQUAL(receive_levelled(WIRE_ECDH_REPLY, 600, 600, &rows), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(rows, 0);
    /* 600 hits on one item are what 600 items may have: a wrong result, of one row, as a peer that lies about
     * its list gives. */
    CU_ASSERT_EQUAL(receive_levelled(WIRE_ECDH_SENDER, 600, 600, &rows), TALLY_OK);
    CU_ASSERT_EQUAL(rows, 1);
    /* All 40 entries hit the same of 20 items, or none. */
    unsigned refused = 0;
    for (int i = 0; i < 12; i++) {
        tally_status st = receive_levelled(WIRE_ECDH_SENDER, 20, 40, &rows);
        CU_ASSERT(st == TALLY_ERR_MALFORMED || st == TALLY_OK);
        CU_ASSERT_EQUAL(rows, 0);
        refused += st == TALLY_ERR_MALFORMED;
    }
    CU_ASSERT(refused > 0); /* fails by chance with probability 2^-12 */
}

/* ---- Bytes at random --------------------------------------------------------------------------------- */

typedef struct flip {
    size_t offset; /* of the byte in what the liar sends */
    uint8_t mask;
    size_t sent;
} flip;

static void flip_byte(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    flip *f = tap->user;
    size_t at = f->offset - f->sent;
    (void)index;
    /* Left alone: what makes a peer that stalls and is alive, such as one that sends heartbeats for ever.
       That is a length or a declared size that grows, and a last frame that becomes a heartbeat. */
    int stalls =
        at < 4 || (frame[8] == WIRE_HELLO2 && at == WIRE_HEADER + 1) || (frame[8] == WIRE_DONE && at == 8);
    if (f->offset >= f->sent && at < len && !stalls)
        frame[at] ^= f->mask;
    f->sent += len;
    tap_pass(tap, frame, len);
}

/* Frame types that may become heartbeats by one flip do not stall either: a heartbeat is empty, and done is
 * not one bit away. */
static void test_flipped_bits(void)
{
    static const uint32_t receiver_ids[] = {1, 2, 3, 4, 5}, sender_ids[] = {3, 4, 5, 6, 7, 8, 9};
    for (int i = 0; i < 240; i++) {
        pair p;
        int liar = i & 1, malicious = i >> 1 & 1;
        flip f = {.offset = unit_below(liar ? 700 : 350), .mask = (uint8_t)(1u << unit_below(8))};
        pair_init(&p, malicious ? TALLY_MALICIOUS : TALLY_SEMI_HONEST,
                  i >> 2 & 1 ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER);
        pair_add(&p.side[PAIR_RECEIVER], receiver_ids, 5);
        pair_add(&p.side[PAIR_SENDER], sender_ids, 7);
        p.side[liar].tap.on_frame = flip_byte;
        p.side[liar].tap.user = &f;
        pair_run(&p);
        for (int s = 0; s < 2; s++) {
            int category = pair_category(&p.side[s]);
            CU_ASSERT(category == 0 || category == 2 || category == 6 || category == 8);
            CU_ASSERT(!p.side[s].status || p.side[s].row_count == 0);
            CU_ASSERT(p.side[s].row_count <= 3);
            CU_ASSERT_FALSE(p.side[s].leaked);
        }
        pair_free(&p);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"every_proof_counts", test_every_proof_counts},
                                      {"repeated_entries", test_repeated_entries},
                                      {"flipped_bits", test_flipped_bits}};
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "forged", tests, sizeof tests / sizeof *tests);
}
