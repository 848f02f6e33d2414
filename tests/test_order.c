/* SPDX-License-Identifier: Apache-2.0 */
/* The order of what a peer receives: nothing of the file's order, every place alike. Fails when the shuffle
 * is taken out. */
#include "party/input.h"
#include "psi/hash.h"
#include "psi/rng.h"
#include "psi/vole.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static void fixed_randomness(void *user)
{
    psi_rng_set_seed(user);
}

static void system_randomness(void *user)
{
    (void)user;
    psi_rng_set_seed(NULL);
}

static void seed_side(pair_side *side, uint8_t seed32[32])
{
    side->before = fixed_randomness;
    side->after = system_randomness;
    side->hook_user = seed32;
}

/* With the same randomness, a file in another order gives the very same frames: nothing of the file's order
 * is left. */
static void test_file_order_leaves_no_trace(void)
{
    enum { N = 50 };
    uint8_t seed[2][32];
    unit_random(seed, sizeof seed);
    for (int m = 0; m < 3; m++) {
        pair_record record[2][2];
        for (int round = 0; round < 2; round++) {
            uint32_t x[N], y[N];
            pair p;
            for (uint32_t i = 0; i < N; i++) {
                uint32_t at = round ? N - 1 - i : i;
                x[at] = 17 * i % N;
                y[at] = N / 2 + 11 * i % N;
            }
            pair_init(&p, m == 1 ? TALLY_MALICIOUS : TALLY_SEMI_HONEST, TALLY_REVEAL_BOTH);
            pair_set_protocol(&p, m == 2 ? TALLY_VOLE : TALLY_ECDH);
            pair_add(&p.side[PAIR_RECEIVER], x, N);
            pair_add(&p.side[PAIR_SENDER], y, N);
            for (int i = 0; i < 2; i++) {
                seed_side(&p.side[i], seed[i]);
                pair_record_start(&record[round][i], &p.side[i].tap);
            }
            pair_run(&p);
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_OK);
            CU_ASSERT_EQUAL(p.side[PAIR_SENDER].status, TALLY_OK);
            CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].row_count, N / 2);
            pair_free(&p);
        }
        for (int i = 0; i < 2; i++) {
            const pair_record *a = &record[0][i], *b = &record[1][i];
            CU_ASSERT(a->count >= 4);
            CU_ASSERT_EQUAL(a->count, b->count);
            for (size_t f = 0; f < a->count && f < b->count; f++) {
                CU_ASSERT_EQUAL(a->frame[f].length, b->frame[f].length);
                if (a->frame[f].type == WIRE_RECEIPT) /* tells the time */
                    continue;
                CU_ASSERT(a->frame[f].length == b->frame[f].length &&
                          memcmp(a->frame[f].payload, b->frame[f].payload, a->frame[f].length) == 0);
            }
            pair_record_free(&record[0][i]);
            pair_record_free(&record[1][i]);
        }
    }
}

#define PLACES 8u
/* Chi-square with 7 or 8 degrees of freedom stays below this with probability 1 - 10^-6. */
#define CHI_SQUARE_MAX 42.7

/* The place of one item of the sender's, seen in the bitmap of its only match, is uniform over many runs. */
static void sender_places(enum tally_protocol protocol, enum tally_security security, unsigned runs)
{
    static const uint32_t x[] = {3}, y[PLACES] = {0, 1, 2, 3, 4, 5, 6, 7};
    unsigned seen[PLACES] = {0}, single = 0;
    for (unsigned run = 0; run < runs; run++) {
        pair p;
        uint8_t seed[2][32];
        pair_record record;
        unit_random(seed, sizeof seed);
        pair_init(&p, security, TALLY_REVEAL_BOTH);
        pair_set_protocol(&p, protocol);
        pair_add(&p.side[PAIR_RECEIVER], x, 1);
        pair_add(&p.side[PAIR_SENDER], y, PLACES);
        seed_side(&p.side[0], seed[0]);
        seed_side(&p.side[1], seed[1]);
        pair_record_start(&record, &p.side[PAIR_RECEIVER].tap);
        pair_run(&p);
        for (size_t f = 0; f < record.count; f++)
            for (unsigned i = 0; record.frame[f].type == WIRE_MATCHED && i < PLACES; i++)
                if (record.frame[f].payload[0] == 1u << i) {
                    seen[i]++;
                    single++;
                }
        pair_record_free(&record);
        pair_free(&p);
    }
    CU_ASSERT_EQUAL(single, runs);
    double expected = (double)runs / PLACES, chi = 0;
    for (unsigned i = 0; i < PLACES; i++)
        chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    CU_ASSERT(chi < CHI_SQUARE_MAX);
}

static void test_place_of_a_senders_item(void)
{
    sender_places(TALLY_ECDH, TALLY_SEMI_HONEST, 240);
    sender_places(TALLY_ECDH, TALLY_MALICIOUS, 160);
    sender_places(TALLY_VOLE, TALLY_SEMI_HONEST, 120);
}

/* Overwrites the entry at one place of the receiver's list by another point of the same list. */
static void overwrite_place(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    const unsigned *place = tap->user;
    (void)index;
    if (frame[8] == WIRE_ECDH_RECEIVER && len == WIRE_HEADER + 32 * PLACES)
        memcpy(frame + WIRE_HEADER + 32 * *place, frame + WIRE_HEADER + 32 * ((*place + 1) % PLACES), 32);
    tap_pass(tap, frame, len);
}

/*
 * The place of one item of the receiver's. Nobody can see it in the masked items; but when the entry at place
 * p is overwritten, the only match is lost exactly when it stood there. Over many runs each p has to hit one
 * time in eight. (In the malicious form each blind is fresh, so the list says nothing about the order
 * whatever it is; both forms take their order from one place.)
 */
static void test_place_of_a_receivers_item(void)
{
    enum { RUNS = 40 };
    static const uint32_t x[PLACES] = {0, 1, 2, 3, 4, 5, 6, 7}, y[] = {3};
    double chi = 0, expected = (double)RUNS / PLACES;
    for (unsigned place = 0; place < PLACES; place++) {
        unsigned lost = 0;
        for (int run = 0; run < RUNS; run++) {
            pair p;
            uint8_t seed[2][32];
            unit_random(seed, sizeof seed);
            pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
            pair_add(&p.side[PAIR_RECEIVER], x, PLACES);
            pair_add(&p.side[PAIR_SENDER], y, 1);
            seed_side(&p.side[0], seed[0]);
            seed_side(&p.side[1], seed[1]);
            p.side[PAIR_RECEIVER].tap.on_frame = overwrite_place;
            p.side[PAIR_RECEIVER].tap.user = &place;
            pair_run(&p);
            /* The neighbour's tag stands there twice: 0 matches if the item was overwritten; 1 or 2
             * otherwise. */
            lost += p.side[PAIR_RECEIVER].row_count == 0 || p.side[PAIR_RECEIVER].rows[0] != 4;
            pair_free(&p);
        }
        /* Variance of a binomial: RUNS * 1/8 * 7/8. */
        chi += (lost - expected) * (lost - expected) / (expected * (PLACES - 1) / PLACES);
    }
    CU_ASSERT(chi < CHI_SQUARE_MAX);
}

/* ---- Over all bins ----------------------------------------------------------------------------------- */

enum { RECEIVERS = 33000, SENDERS = 2000, BINS = 2 };

/* Zeros the first half of the sender's tags, and keeps its hellos. */
typedef struct half {
    pair_record record; /* first: as pair_record_start wants the tap's user */
    pair_on_frame inner;
} half;

static void zero_half(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    half *h = tap->user;
    if (frame[8] == WIRE_VOLE_TAGS)
        memset(frame + WIRE_HEADER, 0, (len - WIRE_HEADER) / 2);
    h->inner(tap, index, frame, len);
}

/* docs/wire-format.md section 5, without TLS. */
static psi_sid session_id(const pair_record *receiver, const pair_record *sender)
{
    static const uint8_t version[4] = {0, 0, 0, 1}, zero[32] = {0};
    const pair_record *both[2] = {receiver, sender};
    psi_sid sid;
    psi_hash *h = psi_hash_new();
    if (!h || psi_hash_start(h, PSI_TAG_SID) || psi_hash_add_sized(h, version, 4))
        abort();
    for (int i = 0; i < 3; i++)
        if (psi_hash_add_sized(h, zero, 32))
            abort();
    for (int hello = 0; hello < 2; hello++)
        for (int i = 0; i < 2; i++)
            if (psi_hash_add_sized(h, both[i]->frame[hello].payload, both[i]->frame[hello].length))
                abort();
    if (psi_hash_end(h, sid.b))
        abort();
    psi_hash_free(h);
    return sid;
}

/*
 * Tags of one bin do not stand together. The items whose tags stood in the first half of what was sent are
 * those that no longer match; of the items of bin 0 about a half has to be among them, as of the others.
 */
static void test_tags_of_all_bins_are_mixed(void)
{
    static uint32_t ids[RECEIVERS];
    static half sender;
    pair_record receiver;
    pair p;
    for (uint32_t i = 0; i < RECEIVERS; i++)
        ids[i] = i;
    pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
    pair_set_protocol(&p, TALLY_VOLE);
    pair_add(&p.side[PAIR_RECEIVER], ids, RECEIVERS);
    pair_add(&p.side[PAIR_SENDER], ids, SENDERS);
    pair_record_start(&receiver, &p.side[PAIR_RECEIVER].tap);
    pair_record_start(&sender.record, &p.side[PAIR_SENDER].tap);
    sender.inner = p.side[PAIR_SENDER].tap.on_frame;
    p.side[PAIR_SENDER].tap.on_frame = zero_half;
    pair_run(&p);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_OK);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].row_count, SENDERS / 2);

    size_t items, rows;
    const psi_item *item = party_input_items(p.side[PAIR_SENDER].input, &items);
    const party_row *row = party_input_rows(p.side[PAIR_SENDER].input, &rows);
    static psi_vole_entry entry[SENDERS];
    static uint8_t kept[SENDERS];
    psi_sid sid = session_id(&receiver, &sender.record);
    CU_ASSERT_FATAL(items == SENDERS && rows == SENDERS && sender.record.count == 6);
    psi_vole_entries(entry, item, 0, items, &sid, BINS);
    for (size_t i = 0; i < p.side[PAIR_RECEIVER].row_count; i++)
        kept[p.side[PAIR_RECEIVER].rows[i] - 1] = 1;
    unsigned of_bin = 0, lost_of_bin = 0;
    for (size_t i = 0; i < rows; i++)
        if (entry[row[i].item].bin == 0) {
            of_bin++;
            lost_of_bin += !kept[row[i].row - 1];
        }
    /* Both are hypergeometric or binomial with a standard deviation of at most 23 and 12: seven of them. */
    CU_ASSERT(of_bin > SENDERS / 2 - 160 && of_bin < SENDERS / 2 + 160);
    CU_ASSERT(2 * lost_of_bin > of_bin - 168 && 2 * lost_of_bin < of_bin + 168);
    pair_record_free(&receiver);
    pair_record_free(&sender.record);
    pair_free(&p);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"file_order_leaves_no_trace", test_file_order_leaves_no_trace},
                                      {"place_of_a_senders_item", test_place_of_a_senders_item},
                                      {"place_of_a_receivers_item", test_place_of_a_receivers_item},
                                      {"tags_of_all_bins_are_mixed", test_tags_of_all_bins_are_mixed}};
    return unit_main(argc, argv, "order", tests, sizeof tests / sizeof *tests);
}
