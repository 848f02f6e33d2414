/* SPDX-License-Identifier: Apache-2.0 */
/* Sums with a dishonest peer: one frame of a run is changed on its way. The side that is lied to refuses by
 * name, the other sees a failure like any other, and nobody has figures; and what each side's view does not
 * tell. */
#include "tests/support_sum.h"
#include "tests/unit.h"

#include "proto/limits.h"

#include <stdlib.h>
#include <string.h>

/* Changes the payload of a frame; len may shrink or grow by what fits. */
typedef void (*change)(uint8_t *payload, uint32_t *len, uint32_t unit);

typedef struct lie {
    uint8_t type; /* of the frame */
    change how;
    uint32_t unit; /* bytes of an entry */
    size_t nth;    /* the how-many-th frame of this type, from 0 */
    size_t seen;
    int told;
} lie;

static void tap_lie(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    lie *l = tap->user;
    uint32_t length = (uint32_t)(len - WIRE_HEADER);
    (void)index;
    if (frame[8] == l->type && l->seen++ == l->nth) {
        l->how(frame + WIRE_HEADER, &length, l->unit);
        frame_set_length(frame, length);
        l->told = 1;
    }
    tap_pass(tap, frame, WIRE_HEADER + length);
}

static void zero(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len;
    memset(p, 0, unit);
}

static void ones(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len;
    memset(p, 0xff, unit);
}

static void first_byte_high(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    p[0] = 0xff;
}

/* The modulus of a Paillier key: 384 bytes, big-endian, in front. */
static void even(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    p[383] &= 0xfe;
}

static void too_short(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    p[0] = 0;
}

static void proof(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)unit;
    p[*len - 1] ^= 1;
}

static void shorter(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)p, (void)unit;
    *len -= 1;
}

static void twice(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len;
    memcpy(p + unit, p, unit);
}

/* A figure that no sum can be: limb 0, bits above 46; or the sign of a slot. */
static void wide_figure(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    p[6] = 0x7f;
    p[15] = 0x7f;
    p[30] = 0x11;
}

static void many(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    p[6] = 1;
}

static void negative(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    memset(p, 0xff, 8);
}

static void few(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)len, (void)unit;
    memset(p, 0, 8);
    p[7] = 1;
}

static void beyond(uint8_t *p, uint32_t *len, uint32_t unit)
{
    (void)unit;
    p[*len - 1] |= 0x80;
}

typedef struct attack_case {
    enum tally_scheme scheme;
    enum tally_reveal reveal; /* the sender owns the values */
    int liar;                 /* PAIR_SENDER: the owner */
    uint8_t type;
    change how;
    uint32_t unit;
    size_t nth;
    uint64_t minimum;
    int bands;
    int category;     /* of the victim */
    const char *text; /* in its message */
} attack_case;

#define RLWE TALLY_SCHEME_RLWE
#define PAIL TALLY_SCHEME_PAILLIER
#define TO_R TALLY_REVEAL_RECEIVER
#define TO_S TALLY_REVEAL_SENDER
#define OWNER PAIR_SENDER
#define ADDS PAIR_RECEIVER
#define POLY 54272u

static const attack_case cases[] = {
    /* what the owner sends */
    {RLWE, TO_R, OWNER, WIRE_AGG_KEY, ones, 7, 0, 0, 0, 8, "key of the values is refused: "},
    {RLWE, TO_R, OWNER, WIRE_AGG_KEY, shorter, 0, 0, 0, 0, 8, "key of the values has 54271 bytes"},
    {RLWE, TO_R, OWNER, WIRE_AGG_VALUES, ones, 7, 0, 0, 0, 8, "encrypted values are refused: "},
    {RLWE, TO_R, OWNER, WIRE_AGG_VALUES, shorter, 0, 0, 0, 0, 8, "no whole number of entries"},
    {RLWE, TO_R, OWNER, WIRE_AGG_FIGURES, wide_figure, 0, 0, 0, 0, 8, "outside its bound"},
    {RLWE, TO_R, OWNER, WIRE_AGG_FIGURES, shorter, 0, 0, 0, 0, 8, "no whole number of entries"},
    {RLWE, TO_R, OWNER, WIRE_AGG_OTHER, twice, 32, 0, 0, 0, 8, "repeat each other"},
    {RLWE, TO_R, OWNER, WIRE_AGG_OTHER, ones, 32, 0, 0, 0, 8, "no valid group element"},
    {RLWE, TO_R, OWNER, WIRE_AGG_OTHER, zero, 32, 0, 0, 0, 8, "no valid group element"},
    {RLWE, TO_R, OWNER, WIRE_AGG_MERGED, beyond, 0, 0, 3, 1, 8, "merged bands"},
    {RLWE, TO_S, OWNER, WIRE_AGG_SIZES, wide_figure, 0, 0, 3, 1, 8, "outside its bound"},
    {PAIL, TO_R, OWNER, WIRE_AGG_KEY, zero, 384, 0, 0, 0, 8, "key of the values is refused: the modulus"},
    {PAIL, TO_R, OWNER, WIRE_AGG_KEY, even, 0, 0, 0, 0, 8, "the modulus is even"},
    {PAIL, TO_R, OWNER, WIRE_AGG_KEY, too_short, 0, 0, 0, 0, 8, "the modulus is too short"},
    {PAIL, TO_R, OWNER, WIRE_AGG_KEY, proof, 0, 0, 0, 0, 8, "the proof of the modulus does not hold"},
    {PAIL, TO_R, OWNER, WIRE_AGG_VALUES, zero, 768, 0, 0, 0, 8, "a ciphertext is out of range"},
    {PAIL, TO_R, OWNER, WIRE_AGG_VALUES, ones, 768, 0, 0, 0, 8, "a ciphertext is out of range"},
    {PAIL, TO_R, OWNER, WIRE_AGG_FIGURES, wide_figure, 0, 0, 0, 0, 8, "outside its bound"},
    /* what the side that adds up sends */
    {RLWE, TO_S, ADDS, WIRE_AGG_MASKED, twice, 32, 0, 0, 0, 8, "repeat each other"},
    {RLWE, TO_S, ADDS, WIRE_AGG_MASKED, first_byte_high, 0, 0, 0, 0, 8, "no valid group element"},
    {RLWE, TO_S, ADDS, WIRE_AGG_SUMS, ones, 7, 0, 0, 0, 8, "sums are refused: "},
    {RLWE, TO_S, ADDS, WIRE_AGG_COUNT, many, 0, 0, 0, 0, 8, "more matches than the lists"},
    {RLWE, TO_S, ADDS, WIRE_AGG_COUNT, negative, 0, 0, 0, 0, 8, "more matches than the lists"},
    {RLWE, TO_S, ADDS, WIRE_AGG_COUNT, shorter, 0, 0, 0, 0, 8, "counts have 7 bytes"},
    {RLWE, TO_S, ADDS, WIRE_AGG_COUNT, few, 0, 0, 0, 0, 8, "outside its bound"},
    {RLWE, TO_R, ADDS, WIRE_AGG_COUNT, few, 0, 0, 3, 0, 4, "below the agreed minimum"},
    {RLWE, TO_S, ADDS, WIRE_AGG_MERGED, beyond, 0, 0, 3, 1, 8, "merged bands"},
    {PAIL, TO_S, ADDS, WIRE_AGG_SUMS, zero, 768, 0, 0, 0, 8, "sums are refused: "},
    {PAIL, TO_S, ADDS, WIRE_AGG_SUMS, ones, 768, 0, 0, 0, 8, "sums are refused: "},
};

static void run_case(const attack_case *c)
{
    world w;
    lie l = {.type = c->type, .how = c->how, .unit = c->unit, .nth = c->nth};
    world_init(&w, c->scheme, OWNER, c->reveal);
    w.minimum = c->minimum;
    w.bands_v = c->bands;
    world_random(&w, 9, 8, 8); /* so that a repeated entry of the owner's meets one tag twice */
    world_prepare(&w);
    pair_tap *tap = &w.p.side[c->liar].tap;
    tap->on_frame = tap_lie;
    tap->user = &l;
    pair_run(&w.p);
    const pair_side *victim = &w.p.side[!c->liar], *liar = &w.p.side[c->liar];
    int fine = l.told && pair_category(victim) == c->category && strstr(victim->error.message, c->text) &&
               liar->status != TALLY_OK && !victim->result.learns_figures && !liar->result.learns_figures &&
               !victim->leaked && !liar->leaked;
    CU_ASSERT(fine);
    if (!fine)
        printf("  case %zu (type %u): told %d, victim %d '%s', liar %d '%s'\n", (size_t)(c - cases), c->type,
               l.told, victim->status, victim->error.message, liar->status, liar->error.message);
    world_free(&w);
}

static void test_lies(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(&cases[i]);
}

/* ---- Views ---- */

/* Masked figures: what the owner decrypts where the other side learns. */
static void masked_figure(uint64_t out[2], size_t match)
{
    world w;
    pair_record record;
    world_init(&w, TALLY_SCHEME_RLWE, OWNER, TO_R);
    world_random(&w, 3, 3, 3);
    for (size_t i = 0; i < 3; i++) { /* one row in common, which one is the question */
        w.rows[ADDS][i].id = (uint32_t)(i == match ? 1000 + i : 2000 + i);
        w.rows[OWNER][i].id = (uint32_t)(1000 + i);
    }
    world_join(&w);
    world_prepare(&w);
    pair_record_start(&record, &w.p.side[OWNER].tap);
    pair_run(&w.p);
    CU_ASSERT_PTR_NULL(world_wrong(&w));
    memset(out, 0, 2 * sizeof *out);
    for (size_t f = 0; f < record.count; f++)
        if (record.frame[f].type == WIRE_AGG_FIGURES)
            memcpy(out, record.frame[f].payload, 16);
    pair_record_free(&record);
    world_free(&w);
}

/* Whichever row matched, what the owner sees of its figure is uniform: chi-square of its three upper bits, at
 * 7 degrees of freedom below 31.3 (one in 20,000; the seed decides the lists only). */
static void test_owner_sees_nothing(void)
{
    enum { RUNS = 160, CELLS = 8 };
    unsigned cells[3][CELLS] = {{0}};
    for (size_t run = 0; run < RUNS; run++) {
        size_t match = run % 3;
        uint64_t limb[2];
        masked_figure(limb, match);
        CU_ASSERT(limb[0] < (uint64_t)1 << 46);
        cells[match][limb[0] & 7]++;
    }
    for (size_t m = 0; m < 3; m++) {
        double want = (double)(RUNS / 3) / CELLS, sum = 0;
        for (size_t c = 0; c < CELLS; c++)
            sum += (cells[m][c] - want) * (cells[m][c] - want) / want;
        CU_ASSERT(sum < 31.3);
    }
}

/*
 * Two file orders leave the same frames: types, lengths, and tags in ascending order. All else that the
 * frames hold is masked under fresh keys or encrypted, in an order drawn afresh (test_psi_shuffle.c).
 */
static void test_file_order(void)
{
    pair_record record[2][2];
    for (int order = 0; order < 2; order++) {
        world w;
        world_init(&w, TALLY_SCHEME_RLWE, OWNER, TALLY_REVEAL_BOTH);
        world_random(&w, 20, 20, 10);
        for (int side = 0; side < 2; side++)
            for (size_t i = 0; i < 20; i++) {
                size_t at = order ? 19 - i : i;
                w.rows[side][at] =
                    (world_row){(uint32_t)(side == ADDS ? i : i + 10), (int64_t)i, (int64_t)i, 0};
            }
        world_join(&w);
        world_prepare(&w);
        for (int side = 0; side < 2; side++)
            pair_record_start(&record[order][side], &w.p.side[side].tap);
        pair_run(&w.p);
        CU_ASSERT_PTR_NULL(world_wrong(&w));
        world_free(&w);
    }
    for (int side = 0; side < 2; side++) {
        const pair_record *a = &record[0][side], *b = &record[1][side];
        CU_ASSERT_EQUAL(a->count, b->count);
        for (size_t f = 2; f < a->count && f < b->count; f++) {
            CU_ASSERT_EQUAL(a->frame[f].type, b->frame[f].type);
            CU_ASSERT_EQUAL(a->frame[f].length, b->frame[f].length);
            uint32_t width = a->frame[f].length / 20;
            for (int k = 0; a->frame[f].type == WIRE_AGG_TAGS && k < 2; k++)
                for (uint32_t i = 1; i < 20; i++)
                    CU_ASSERT(memcmp(record[k][side].frame[f].payload + (i - 1) * width,
                                     record[k][side].frame[f].payload + i * width, width) < 0);
        }
    }
    for (int i = 0; i < 4; i++)
        pair_record_free(&record[i / 2][i % 2]);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"lies", test_lies},
                                      {"owner_sees_nothing", test_owner_sees_nothing},
                                      {"file_order", test_file_order}};
    return unit_main(argc, argv, "hostile_sum", tests, sizeof tests / sizeof *tests);
}
