/* SPDX-License-Identifier: Apache-2.0 */
/* What a run will take: properties that hold for every run, machine and line; each protocol by hand. */
#include "party/estimate.h"

#include "party/session.h"
#include "psi/tagsize.h"
#include "psi/vole_setup.h"
#include "tests/support_estimate.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { R = PARTY_AT_RECEIVER, S = PARTY_AT_SENDER };

/* ---- Forms of a run ---- */

typedef struct form {
    const char *name;
    enum tally_function function;
    enum tally_protocol protocol;
    int active;
    unsigned k;
    enum tally_reveal reveal;
    enum tally_scheme scheme;
    unsigned owner; /* of a sum */
} form;

static const form forms[] = {
    {"ecdh", TALLY_MATCH, TALLY_ECDH, 0, 0, TALLY_REVEAL_RECEIVER, 0, 0},
    {"ecdh both", TALLY_MATCH, TALLY_ECDH, 0, 0, TALLY_REVEAL_BOTH, 0, 0},
    {"ecdh malicious", TALLY_MATCH, TALLY_ECDH, 1, 0, TALLY_REVEAL_RECEIVER, 0, 0},
    {"vole 4", TALLY_MATCH, TALLY_VOLE, 0, 4, TALLY_REVEAL_RECEIVER, 0, 0},
    {"vole 6 both", TALLY_MATCH, TALLY_VOLE, 0, 6, TALLY_REVEAL_BOTH, 0, 0},
    {"count", TALLY_COUNT, TALLY_ECDH, 0, 0, TALLY_REVEAL_RECEIVER, 0, 0},
    {"count to the sender", TALLY_COUNT, TALLY_ECDH, 0, 0, TALLY_REVEAL_SENDER, 0, 0},
    {"sum rlwe", TALLY_SUM, TALLY_ECDH, 0, 0, TALLY_REVEAL_RECEIVER, TALLY_SCHEME_RLWE, S},
    {"sum rlwe of the receiver", TALLY_SUM, TALLY_ECDH, 0, 0, TALLY_REVEAL_BOTH, TALLY_SCHEME_RLWE, R},
    {"sum paillier", TALLY_SUM, TALLY_ECDH, 0, 0, TALLY_REVEAL_SENDER, TALLY_SCHEME_PAILLIER, S},
};
#define FORMS (sizeof forms / sizeof *forms)

static tally_status try_sizes(party_sizes *z, const form *f, uint64_t receiver, uint64_t sender)
{
    static wire_terms terms[2];
    memset(terms, 0, sizeof terms);
    for (int i = 0; i < 2; i++) {
        snprintf(terms[i].role, sizeof terms[i].role, "%s", i ? "sender" : "receiver");
        party_terms_words(&terms[i], f->function, f->active ? TALLY_MALICIOUS : TALLY_SEMI_HONEST, f->reveal,
                          f->scheme);
    }
    if (f->function == TALLY_SUM) {
        terms[f->owner].value_count = 2;
        terms[f->owner].values[0].max = 1000000000;
        terms[f->owner].values[1].max = 1000;
    }
    *z = (party_sizes){.function = f->function,
                       .protocol = f->protocol,
                       .active = f->active,
                       .k = f->k,
                       .both = f->reveal == TALLY_REVEAL_BOTH,
                       .items = {receiver, sender}};
    return party_sizes_init(z, terms, NULL);
}

static void make_sizes(party_sizes *z, const form *f, uint64_t receiver, uint64_t sender)
{
    CU_ASSERT_EQUAL_FATAL(try_sizes(z, f, receiver, sender), TALLY_OK);
}

static party_place make_place(const form *f, uint64_t receiver, uint64_t sender, unsigned threads,
                              double rate, double trip)
{
    party_place p = {.threads = {threads, threads},
                     .bits_to = {rate, rate},
                     .round_trip = trip,
                     .rows = {receiver, sender},
                     .row_bytes = {64, 64}};
    if (f->function == TALLY_SUM)
        p.numbers[f->owner] = 2;
    if (f->function == TALLY_MATCH) {
        p.output[R] = 1;
        p.output[S] = f->reveal == TALLY_REVEAL_BOTH;
    }
    return p;
}

static void forecast(party_forecast *out, const form *f, uint64_t receiver, uint64_t sender,
                     const party_place *place, const tally_calibration *c)
{
    party_sizes z;
    party_place at = *place;
    at.rows[R] = receiver;
    at.rows[S] = sender;
    make_sizes(&z, f, receiver, sender);
    party_forecast_run(out, &z, &at, c);
    party_sizes_free(&z);
}

/* ---- What holds always ---- */

static int good(double v)
{
    return isfinite(v) && v >= 0;
}

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(a) + fabs(b));
}

static void check_sound(const party_forecast *f, const party_sizes *z, const tally_calibration *c)
{
    double total = 0;
    CU_ASSERT_FATAL(f->stages > 0 && f->stages <= PARTY_STAGES_MAX);
    for (size_t i = 0; i < f->stages; i++) {
        total += f->stage[i].seconds;
        CU_ASSERT(good(f->stage[i].seconds));
        CU_ASSERT(f->stage[i].name && f->stage[i].name[0]);
        CU_ASSERT(f->stage[i].bound <= PARTY_BY_DISK);
    }
    CU_ASSERT(near(total, f->seconds));
    CU_ASSERT(good(f->matching) && f->matching <= f->seconds);
    CU_ASSERT(good(f->low) && f->low <= f->seconds && f->seconds <= f->high && isfinite(f->high));
    for (unsigned side = 0; side < 2; side++) {
        CU_ASSERT(good(f->side[side].reading) && good(f->side[side].writing));
        CU_ASSERT(f->side[side].reading + f->matching + f->side[side].writing <= f->seconds * (1 + 1e-9));
        CU_ASSERT(good(f->side[side].cpu));
        CU_ASSERT_EQUAL(f->side[side].protocol, party_sizes_to(z, !side));
        CU_ASSERT(f->side[side].sent >= f->side[side].protocol);
        CU_ASSERT(f->side[side].peak >= (uint64_t)c->base_bytes);
        CU_ASSERT(f->side[side].peak < (uint64_t)1 << 50);
    }
}

static void test_extremes(void)
{
    static const uint64_t items[] = {0, 1, 4096, 1u << 20, 1u << 30};
    static const double rates[] = {0, 1000, 1e8, 1e15}, trips[] = {0, 1e-5, 0.03, 3600};
    static const unsigned threads[] = {1, 2, 256}, processors[] = {1, 2, 64};
    tally_calibration c;
    for (size_t f = 0; f < FORMS; f++)
        for (int n = 0; n < 25; n++) {
            party_sizes z;
            uint64_t receiver = items[n / 5], sender = items[n % 5];
            tally_status st = try_sizes(&z, &forms[f], receiver, sender);
            /* Of the largest lists sums of squares fit no scheme, or do. */
            CU_ASSERT(st == TALLY_OK || (forms[f].function == TALLY_SUM && st == TALLY_ERR_INCOMPATIBLE));
            for (int i = 0; !st && i < 4 * 4 * 3 * 3 * 2 * 2; i++) {
                party_forecast out;
                int rest = i;
                party_place place = make_place(&forms[f], receiver, sender, threads[rest % 3],
                                               rates[rest / 3 % 4], trips[rest / 12 % 4]);
                rest /= 48;
                estimate_calibration(&c);
                c.processors = processors[rest % 3];
                c.speedup = rest / 3 % 2 ? c.processors : 1;
                place.same_machine = rest / 6;
                party_forecast_run(&out, &z, &place, &c);
                check_sound(&out, &z, &c);
            }
            party_sizes_free(&z);
        }
}

/* A machine for which nothing costs anything. */
static void test_nothing_costs(void)
{
    for (size_t f = 0; f < FORMS; f++) {
        tally_calibration c = {.processors = 1, .speedup = 1};
        party_forecast out;
        party_place place = make_place(&forms[f], 0, 0, 1, 0, 0);
        forecast(&out, &forms[f], 5000, 6000, &place, &c);
        CU_ASSERT_EQUAL(out.seconds, 0);
        CU_ASSERT_EQUAL(out.side[R].cpu + out.side[S].cpu, 0);
    }
}

/* ---- What never makes a run faster ---- */

static double spread(double low, double high)
{
    return low * pow(high / low, unit_below(1000001) / 1e6);
}

static void random_machine(tally_calibration *c)
{
    estimate_calibration(c);
    c->processors = 1 + unit_below(64);
    c->speedup = 1 + (c->processors - 1) * (unit_below(1001) / 1000.0);
    c->read_row = spread(1e-8, 1e-5);
    c->link_byte = spread(1e-11, 1e-8);
    for (unsigned w = 0; w < PARTY_WORKS; w++)
        for (unsigned s = 0; s < 2; s++) {
            c->cost[w].fixed[s] = spread(1e-5, 1e-1);
            c->cost[w].own[s] = spread(1e-8, 1e-3);
            c->cost[w].peer[s] = spread(1e-8, 1e-3);
        }
}

static party_place random_place(const form *f)
{
    party_place p = make_place(f, 0, 0, 1 + unit_below(16), spread(1e5, 1e11), spread(1e-6, 0.5));
    p.bits_to[S] = spread(1e5, 1e11);
    p.threads[S] = 1 + unit_below(16);
    p.same_machine = unit_below(4) == 0;
    return p;
}

static uint64_t random_items(void)
{
    return unit_below(1u << unit_below(23));
}

/* Not faster, up to rounding. */
static void expect_slower(const party_forecast *slower, const party_forecast *base, const form *f,
                          const char *what, uint64_t receiver, uint64_t sender)
{
    int ok = slower->seconds >= base->seconds * (1 - 1e-9);
    CU_ASSERT(ok);
    if (!ok)
        printf("  %s, %s, %llu x %llu: %.9g s, without %.9g s\n", f->name, what, (unsigned long long)receiver,
               (unsigned long long)sender, slower->seconds, base->seconds);
}

/* Frames of encrypted values hold as many units in both runs: fewer in a frame overlap a little more. */
static int same_frames(const form *f, const uint64_t n[2], const uint64_t m[2])
{
    size_t unit[2];
    for (int i = 0; i < 2; i++) {
        party_sizes z;
        make_sizes(&z, f, i ? m[R] : n[R], i ? m[S] : n[S]);
        unit[i] = z.aggregate.plan.unit_bytes;
        party_sizes_free(&z);
    }
    return unit[0] == unit[1];
}

/* Without a delay: with one, a stage that is hidden behind computing can open TCP's window for the next, as
 * it does on a real line. And without the fixed part of a sum, which is taken to overlap. */
static void test_more_items(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        const form *f = &forms[unit_below(FORMS)];
        tally_calibration c;
        party_forecast base, more;
        random_machine(&c);
        c.cost[PARTY_WORK_RLWE].fixed[0] = c.cost[PARTY_WORK_RLWE].fixed[1] = 0;
        c.cost[PARTY_WORK_PAILLIER].fixed[0] = c.cost[PARTY_WORK_PAILLIER].fixed[1] = 0;
        party_place place = random_place(f);
        uint64_t n[2] = {random_items(), random_items()}, m[2] = {n[R], n[S]};
        place.round_trip = 0;
        m[unit_below(2)] += trial % 2 ? 1 : random_items();
        if (trial % 3 == 0) /* over the end of a chunk */
            n[R] = n[S] = m[S] = 4096, m[R] = 4097;
        if (!same_frames(f, n, m))
            continue;
        forecast(&base, f, n[R], n[S], &place, &c);
        forecast(&more, f, m[R], m[S], &place, &c);
        expect_slower(&more, &base, f, "more items", m[R], m[S]);
        CU_ASSERT(more.side[R].cpu >= base.side[R].cpu * (1 - 1e-12));
        CU_ASSERT(more.side[S].cpu >= base.side[S].cpu * (1 - 1e-12));
    }
}

/* One item more does not open the window for all that follow. */
static void test_first_byte(void)
{
    tally_calibration c = {.processors = 1, .speedup = 1};
    party_forecast none, one;
    party_place place = make_place(&forms[0], 0, 0, 1, 1e9, 0.1);
    forecast(&none, &forms[0], 0, 1000000, &place, &c);
    forecast(&one, &forms[0], 1, 1000000, &place, &c);
    expect_slower(&one, &none, &forms[0], "one item of the receiver", 1, 1000000);
}

static void test_slower_line(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        const form *f = &forms[unit_below(FORMS)];
        tally_calibration c;
        party_forecast base, slower, longer, fastest;
        random_machine(&c);
        party_place place = random_place(f), other = place;
        uint64_t n[2] = {random_items(), random_items()};
        forecast(&base, f, n[R], n[S], &place, &c);
        other.bits_to[unit_below(2)] *= 0.01 + 0.98 * unit_below(1000) / 1000;
        forecast(&slower, f, n[R], n[S], &other, &c);
        expect_slower(&slower, &base, f, "slower line", n[R], n[S]);
        other = place;
        other.round_trip *= 1 + unit_below(1000) / 100.0;
        forecast(&longer, f, n[R], n[S], &other, &c);
        expect_slower(&longer, &base, f, "longer round trip", n[R], n[S]);
        other = place;
        other.bits_to[R] = other.bits_to[S] = 0; /* no limit */
        forecast(&fastest, f, n[R], n[S], &other, &c);
        expect_slower(&base, &fastest, f, "a limit", n[R], n[S]);
    }
}

/* Not of vole's receiver: the group of bins that its threads make at once grows with them, and the line waits
 * for the first. */
static void test_fewer_threads(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        const form *f = &forms[unit_below(FORMS)];
        tally_calibration c;
        party_forecast base, fewer;
        random_machine(&c);
        party_place place = random_place(f), other = place;
        uint64_t n[2] = {random_items(), random_items()};
        unsigned side = unit_below(2);
        if (f->protocol == TALLY_VOLE && side == R)
            continue;
        forecast(&base, f, n[R], n[S], &place, &c);
        other.threads[side] = 1 + unit_below(place.threads[side]);
        forecast(&fewer, f, n[R], n[S], &other, &c);
        expect_slower(&fewer, &base, f, "fewer threads", n[R], n[S]);
    }
}

static void test_same_machine(void)
{
    for (int trial = 0; trial < 2000; trial++) {
        const form *f = &forms[unit_below(FORMS)];
        tally_calibration c;
        party_forecast apart, together;
        random_machine(&c);
        party_place place = random_place(f);
        uint64_t n[2] = {random_items(), random_items()};
        place.same_machine = 0;
        forecast(&apart, f, n[R], n[S], &place, &c);
        place.same_machine = 1;
        forecast(&together, f, n[R], n[S], &place, &c);
        expect_slower(&together, &apart, f, "same machine", n[R], n[S]);
        CU_ASSERT_EQUAL(together.side[R].cpu, apart.side[R].cpu);
        CU_ASSERT_EQUAL(together.side[R].sent, apart.side[R].sent);
    }
}

/* Two that read at the same time on a machine of two processors, each on both. */
static void test_reading_together(void)
{
    tally_calibration c = {.processors = 2, .speedup = 2, .read_row = 1e-3};
    party_forecast out;
    party_place place = make_place(&forms[5], 0, 0, 2, 0, 0);
    forecast(&out, &forms[5], 1000, 1000, &place, &c);
    CU_ASSERT(near(out.seconds, 0.5)); /* a second each, on two processors */
    place.same_machine = 1;
    forecast(&out, &forms[5], 1000, 1000, &place, &c);
    CU_ASSERT(near(out.seconds, 1));
}

/* ---- Processor time is linear ---- */

static void test_linear(void)
{
    tally_calibration c;
    estimate_calibration(&c);
    c.link_byte = 0; /* bytes of a tag grow with the lists */
    for (size_t i = 0; i < FORMS; i++)
        for (unsigned grows = 0; grows < 2; grows++) {
            const form *f = &forms[i];
            party_forecast at[3];
            party_place place = make_place(f, 0, 0, 1, 1e8, 0.01);
            if (f->protocol == TALLY_VOLE && grows == R)
                continue; /* slots of bins */
            for (unsigned t = 0; t < 3; t++) {
                uint64_t n[2] = {8192, 8192}; /* whole blocks of RLWE */
                n[grows] *= 1 + t;
                forecast(&at[t], f, n[R], n[S], &place, &c);
            }
            for (unsigned side = 0; side < 2; side++) {
                double first = at[1].side[side].cpu - at[0].side[side].cpu,
                       second = at[2].side[side].cpu - at[1].side[side].cpu;
                CU_ASSERT(near(first, second));
                CU_ASSERT(first > 0);
                if (!near(first, second))
                    printf("  %s, side %u: %.9g, then %.9g\n", f->name, side, first, second);
            }
        }
}

/* ---- By hand ---- */

/*
 * A line of 12 Mbit/s carries 12e6 / 8 * 1448 / 1500 = 1,448,000 bytes of TCP a second: a window of 10
 * segments takes 10 ms. TLS adds 22 bytes to 16384.
 */
#define RATE 12e6
#define ON_LINE(payload) ((payload) * (1 + 22.0 / 16384) / 1448000)

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Only what a run computes, and 0.5 s to start. */
static tally_calibration hand_machine(enum party_job w)
{
    tally_calibration c = {.processors = 1, .speedup = 1, .start = 0.5};
    c.cost[w] = (party_cost){.own = {100e-6, 50e-6}, .peer = {80e-6, 40e-6}};
    return c;
}

static void expect_seconds(double got, double want)
{
    CU_ASSERT(near(got, want));
    if (!near(got, want))
        printf("  %.9g s, by hand %.9g s\n", got, want);
}

static void test_hand_ecdh(void)
{
    tally_calibration c = hand_machine(PARTY_WORK_ECDH);
    party_forecast out;
    party_place place = make_place(&forms[0], 0, 0, 1, RATE, 0);
    double tag = (double)psi_tag_bytes(8192, 4096);
    /* 8192 of the receiver's in two frames each way, 4096 of the sender's in one. */
    double masked = ON_LINE(8192 * 32 + 24), reply = ON_LINE(8192 * tag + 24),
           others = ON_LINE(4096 * 32 + 12);
    double receiver = 8192 * 100e-6, answers = 8192 * 40e-6, sender = 4096 * 50e-6, looks = 4096 * 80e-6;
    double first = (receiver + masked + answers + reply) / 2 + larger(receiver, answers) / 2;
    double second = sender + others + looks;
    forecast(&out, &forms[0], 8192, 4096, &place, &c);
    expect_seconds(out.seconds, 0.5 + first + second);
    expect_seconds(out.side[R].cpu, 0.5 + receiver + looks);
    expect_seconds(out.side[S].cpu, 0.5 + answers + sender);

    /* With 20 ms there and back: 3 to connect, 1, a half, 2.5 to end; and both directions wait once for half
     * of the first round trip. */
    place.round_trip = 0.02;
    forecast(&out, &forms[0], 8192, 4096, &place, &c);
    first += (0.01 + 0.01) / 2;
    expect_seconds(out.seconds, 0.5 + 7 * 0.02 + first + second);

    /* Two threads each. */
    place.threads[R] = place.threads[S] = 2;
    place.round_trip = 0;
    c.processors = 4;
    c.speedup = 2.5; /* two: 1 + 1.5 / 3 */
    first = ((receiver + answers) / 1.5 + masked + reply) / 2 + larger(receiver, answers) / 1.5 / 2;
    second = (sender + looks) / 1.5 + others;
    forecast(&out, &forms[0], 8192, 4096, &place, &c);
    expect_seconds(out.seconds, 0.5 + first + second);
}

static void test_hand_malicious(void)
{
    tally_calibration c = hand_machine(PARTY_WORK_ACTIVE);
    party_forecast out;
    party_place place = make_place(&forms[2], 0, 0, 1, RATE, 0);
    /* 4096 blinded in a frame, as many evaluated with a proof of 64 bytes for each 256, 100 tags of 16. */
    double blinded = ON_LINE(4096 * 32 + 12), evaluated = ON_LINE(4096 * 32 + 16 * 64 + 12),
           tags = ON_LINE(100 * 16 + 12);
    forecast(&out, &forms[2], 4096, 100, &place, &c);
    expect_seconds(out.seconds, 0.5 + 4096 * 100e-6 + blinded + 4096 * 40e-6 + evaluated + 100 * 50e-6 +
                                    tags + 100 * 80e-6);
}

static void test_hand_vole(void)
{
    tally_calibration c = hand_machine(PARTY_WORK_VOLE4);
    party_forecast out;
    party_sizes z;
    party_place place = make_place(&forms[3], 0, 0, 1, RATE, 0);
    c.cost[PARTY_WORK_VOLE4].fixed[R] = 0.03; /* of which 0.01 is any run's */
    c.cost[PARTY_WORK_VOLE4].fixed[S] = 0.05;
    c.cost[PARTY_WORK_ECDH].fixed[R] = c.cost[PARTY_WORK_ECDH].fixed[S] = 0.01;
    /* Four bins: two groups of two on one thread. 40000 tags in two frames, 40000 / 32768 chunks. */
    make_sizes(&z, &forms[3], 100000, 40000);
    CU_ASSERT_EQUAL_FATAL(z.vole.bins, 4);
    double slots = 4.0 * z.vole.slots, tag = (double)z.tag, chunks = 40000.0 / 32768;
    double open = ON_LINE(8193 + 12), choice = ON_LINE((double)psi_vole_choice_bytes(&z.vole) + 12),
           trees = ON_LINE((double)psi_vole_trees_bytes(&z.vole) + 12);
    double bins = ON_LINE(4 * (16.0 + (double)z.vole.bin_bytes + 12)), tags = ON_LINE(40000 * tag + 24);
    double encodes = slots * 100e-6, decodes = slots * 40e-6 + 40000 * 50e-6, looks = 40000 * 80e-6;
    double first = 0.02 + open + 0.04 + choice + trees;
    double second = (encodes + bins + decodes) / 2 + larger(larger(encodes, decodes), bins) / 2;
    double third = (tags + looks) / chunks + (1 - 1 / chunks) * larger(tags, looks);
    forecast(&out, &forms[3], 100000, 40000, &place, &c);
    expect_seconds(out.seconds, 0.5 + first + second + third);
    expect_seconds(out.side[S].cpu, 0.5 + 0.04 + decodes);
    party_sizes_free(&z);
}

/* A count that the receiver makes, then the same by RLWE with the sender's values. */
static void test_hand_aggregate(void)
{
    tally_calibration c = hand_machine(PARTY_WORK_COUNT);
    party_forecast out;
    party_sizes z;
    party_place place = make_place(&forms[5], 0, 0, 1, RATE, 0);
    double tag = (double)psi_tag_bytes(1000, 3000);
    double masked = ON_LINE(1000 * 32 + 12), tags = ON_LINE(1000 * tag + 12),
           others = ON_LINE(3000 * 32 + 12);
    double first = 1000 * 100e-6 + masked + 1000 * 40e-6,
           second = tags + 3000 * 50e-6 + others + 3000 * 80e-6;
    forecast(&out, &forms[5], 1000, 3000, &place, &c);
    expect_seconds(out.seconds, 0.5 + first + second);

    c.cost[PARTY_WORK_RLWE] = (party_cost){.fixed = {0.02, 0.03}, .own = {0, 5e-3}, .peer = {2e-3, 0}};
    make_sizes(&z, &forms[7], 1000, 3000);
    double units = (double)z.aggregate.plan.units; /* one frame holds them */
    CU_ASSERT_FATAL(units <= (double)party_batch(WIRE_AGG_VALUES, z.aggregate.plan.unit_bytes));
    double key = ON_LINE((double)z.aggregate.plan.key_bytes + 12);
    double values = ON_LINE(units * (double)z.aggregate.plan.unit_bytes + 12);
    double sums = ON_LINE((double)party_sizes_bytes(&z, WIRE_AGG_SUMS)),
           figures = ON_LINE((double)party_sizes_bytes(&z, WIRE_AGG_FIGURES));
    double third = key + units * 5e-3 + 0.03 + values + units * 2e-3 + 0.02, fourth = sums + figures;
    CU_ASSERT(figures > 0);
    forecast(&out, &forms[7], 1000, 3000, &place, &c);
    expect_seconds(out.seconds, 0.5 + first + second + third + fourth);
    party_sizes_free(&z);
}

/* Reading and writing: the longer of the two lists; a tenth of the shorter list and two files come out. */
static void test_hand_files(void)
{
    tally_calibration c = {.processors = 1,
                           .speedup = 1,
                           .read_row = 1e-3,
                           .read_byte = 1e-5,
                           .read_number = 5e-4,
                           .sync = 0.25};
    party_forecast out;
    party_place place = make_place(&forms[0], 0, 0, 1, 0, 0);
    place.row_bytes[S] = 100;
    place.numbers[S] = 3;
    forecast(&out, &forms[0], 500, 1000, &place, &c);
    expect_seconds(out.side[R].reading, 500 * (1e-3 + 64e-5));
    expect_seconds(out.side[S].reading, 1000 * (1e-3 + 1e-3 + 1.5e-3));
    expect_seconds(out.side[R].writing, 0.5 + 50 * (1e-3 + 64e-5));
    CU_ASSERT_EQUAL(out.side[S].writing, 0);
    CU_ASSERT_EQUAL(out.side[R].disk, 50 * 64);
    expect_seconds(out.seconds, 3.5 + 0.5 + 50 * (1e-3 + 64e-5));
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"extremes", test_extremes},
        {"nothing costs", test_nothing_costs},
        {"more items", test_more_items},
        {"first byte", test_first_byte},
        {"slower line", test_slower_line},
        {"fewer threads", test_fewer_threads},
        {"same machine", test_same_machine},
        {"reading together", test_reading_together},
        {"linear", test_linear},
        {"hand ecdh", test_hand_ecdh},
        {"hand malicious", test_hand_malicious},
        {"hand vole", test_hand_vole},
        {"hand aggregate", test_hand_aggregate},
        {"hand files", test_hand_files},
    };
    return unit_main(argc, argv, "estimate", tests, sizeof tests / sizeof *tests);
}
