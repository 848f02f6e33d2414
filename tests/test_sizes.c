/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes beforehand against whole sessions: every message of every form of a run, its frames and bytes, as
 * they went over the line. */
#include "party/error.h"
#include "party/session.h"
#include "party/sizes.h"
#include "psi/tagsize.h"
#include "tests/support_count.h"
#include "tests/support_estimate.h"
#include "tests/support_input.h"
#include "tests/support_sum.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES 64u

static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_SENDER, TALLY_REVEAL_BOTH};

/* ---- What went over the line ---- */

typedef struct seen {
    uint64_t frames[TYPES], bytes[TYPES];
} seen;

static void see(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    seen *s = tap->user;
    (void)index;
    if (frame[8] < TYPES) {
        s->frames[frame[8]]++;
        s->bytes[frame[8]] += len;
    }
    tap_pass(tap, frame, len);
}

static void run_seen(pair *p, seen went[2])
{
    memset(went, 0, 2 * sizeof *went);
    for (int i = 0; i < 2; i++) {
        p->side[i].tap.on_frame = see;
        p->side[i].tap.user = &went[i];
    }
    pair_run(p);
}

static int of_protocol(unsigned type)
{
    return type != WIRE_HELLO1 && type != WIRE_HELLO2 && type != WIRE_RECEIPT && type != WIRE_DONE &&
           type != WIRE_HEARTBEAT;
}

/* Messages whose number follows from what matched. */
static int unknown(const party_sizes *z, unsigned type, int merged)
{
    if (type == WIRE_CONFIRM)
        return 1;
    return merged && z->function == TALLY_SUM && (type == WIRE_AGG_SUMS || type == WIRE_AGG_FIGURES);
}

/*
 * The sizes that a side knows against what both sent. merged: bands were put together, so that fewer sums
 * went than there are bands: what is foreseen is a bound then.
 */
static void check_side(const pair *p, int side, const seen went[2], int merged, const char *what)
{
    party_sizes z;
    tally_error error = {.message = ""};
    const tally_session *s = p->side[side].session;
    CU_ASSERT_EQUAL_FATAL(party_sizes_of(&z, s, &error), TALLY_OK);
    uint64_t loose[2] = {0, 0}, most[2] = {0, 0};
    for (unsigned from = 0; from < 2; from++)
        for (unsigned t = 0; t < TYPES; t++) {
            uint64_t frames = 0, bytes = 0;
            for (size_t i = 0; i < z.count; i++)
                if (z.sent[i].type == t && z.sent[i].to == !from) {
                    frames += z.sent[i].frames;
                    bytes += z.sent[i].bytes;
                }
            int right = frames == went[from].frames[t] && bytes == went[from].bytes[t];
            if (of_protocol(t) && unknown(&z, t, merged)) {
                right = t == WIRE_CONFIRM ? bytes == 0 : went[from].bytes[t] <= bytes;
                loose[from] += went[from].bytes[t];
                most[from] += bytes;
            }
            if (of_protocol(t) && !right)
                printf("  %s, side %d: '%s' from %u: %llu frames, %llu bytes; foreseen %llu, %llu\n", what,
                       side, wire_frame_name((uint8_t)t), from, (unsigned long long)went[from].frames[t],
                       (unsigned long long)went[from].bytes[t], (unsigned long long)frames,
                       (unsigned long long)bytes);
            CU_ASSERT(!of_protocol(t) || right);
        }
    /* And the link's own count. */
    CU_ASSERT_EQUAL(party_sizes_to(&z, (unsigned)!side) - most[side] + loose[side],
                    s->traffic.sent[PARTY_PROTOCOL]);
    CU_ASSERT_EQUAL(party_sizes_to(&z, (unsigned)side) - most[!side] + loose[!side],
                    s->traffic.received[PARTY_PROTOCOL]);
    party_sizes_free(&z);
}

static void check_pair(pair *p, int merged, const char *what)
{
    seen went[2];
    run_seen(p, went);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(p->side[i].status, TALLY_OK);
        if (p->side[i].status)
            printf("  %s, side %d: %s\n", what, i, p->side[i].error.message);
    }
    for (int i = 0; i < 2; i++)
        if (!p->side[i].status)
            check_side(p, i, went, merged, what);
}

/* ---- From a plan ---- */

/* Bytes of the protocol that a plan's one answer has for the receiver to send and to receive. */
static void plan_bytes(tally_plan plan, json_int_t out[2])
{
    static const char *const names[] = {"protocol_sent_bytes", "protocol_received_bytes"};
    tally_calibration c;
    tally_error error = {.message = ""};
    estimate_calibration(&c);
    plan.role = TALLY_RECEIVER;
    char *text = tally_estimate_json(&c, &plan, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    json_t *all = json_loads(text, 0, NULL), *rows = json_object_get(all, "protocols");
    CU_ASSERT_EQUAL(json_array_size(rows), 1);
    for (int i = 0; i < 2; i++)
        out[i] = json_integer_value(
            json_object_get(json_object_get(json_array_get(rows, 0), "receiver"), names[i]));
    json_decref(all);
    free(text);
}

/* The plan of a run, then what the run's session knows. */
static void check_plan(const pair *p, const tally_plan *plan)
{
    party_sizes z;
    json_int_t planned[2] = {-1, -1};
    CU_ASSERT_EQUAL_FATAL(party_sizes_of(&z, p->side[PAIR_RECEIVER].session, NULL), TALLY_OK);
    plan_bytes(*plan, planned);
    CU_ASSERT_EQUAL((uint64_t)planned[0], party_sizes_to(&z, PARTY_AT_SENDER));
    CU_ASSERT_EQUAL((uint64_t)planned[1], party_sizes_to(&z, PARTY_AT_RECEIVER));
    party_sizes_free(&z);
}

/* ---- Matches ---- */

/* n identifiers from first on. */
static uint32_t *list(size_t n, uint32_t first)
{
    uint32_t *ids = malloc((n + 1) * sizeof *ids);
    if (!ids)
        abort();
    for (size_t i = 0; i < n; i++)
        ids[i] = first + (uint32_t)i;
    return ids;
}

static void check_match(size_t receiver, size_t sender, enum tally_protocol protocol,
                        enum tally_security security, int both, unsigned k)
{
    pair p;
    char what[96];
    uint32_t *x = list(receiver, 0), *y = list(sender, (uint32_t)(receiver - receiver / 3));
    snprintf(what, sizeof what, "match, protocol %d, security %d, both %d, k %u, %zu x %zu", (int)protocol,
             (int)security, both, k, receiver, sender);
    pair_init(&p, security, both ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER);
    pair_set_protocol(&p, protocol);
    pair_add(&p.side[PAIR_RECEIVER], x, receiver);
    pair_add(&p.side[PAIR_SENDER], y, sender);
    p.side[PAIR_RECEIVER].session->vole_k = k; /* the sender hears it */
    check_pair(&p, 0, what);
    tally_plan plan = {.function = TALLY_MATCH,
                       .protocol = protocol,
                       .security = security,
                       .reveal = both ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER,
                       .own_items = receiver,
                       .peer_items = sender,
                       .round_trip_seconds = k == 6 ? 0.03 : 0};
    check_plan(&p, &plan);
    pair_free(&p);
    free(x);
    free(y);
}

static const size_t few[] = {0, 1, 2, 7, 300};
static const size_t around[][2] = {{4095, 3}, {4096, 4096}, {4097, 4095},
                                   {3, 4097}, {8193, 255},  {257, 8192}};

static void test_ecdh(void)
{
    for (unsigned both = 0; both < 2; both++) {
        for (size_t i = 0; i < 25; i++)
            check_match(few[i / 5], few[i % 5], TALLY_ECDH, TALLY_SEMI_HONEST, (int)both, 0);
        for (size_t i = both; i < 6; i += 2)
            check_match(around[i][0], around[i][1], TALLY_ECDH, TALLY_SEMI_HONEST, (int)both, 0);
    }
}

/* Confirmations of a malicious match whose result goes to both: as many as match, which nobody knows
 * beforehand; foreseen are none. */
static void test_malicious(void)
{
    for (unsigned both = 0; both < 2; both++) {
        for (size_t i = 0; i < 25; i++)
            check_match(few[i / 5], few[i % 5], TALLY_ECDH, TALLY_MALICIOUS, (int)both, 0);
        for (size_t i = both; i < 6; i += 2)
            check_match(around[i][0], around[i][1], TALLY_ECDH, TALLY_MALICIOUS, (int)both, 0);
        check_match(255, 256, TALLY_ECDH, TALLY_MALICIOUS, (int)both, 0); /* a proof covers 256 */
        check_match(256, 257, TALLY_ECDH, TALLY_MALICIOUS, (int)both, 0);
        check_match(513, 1, TALLY_ECDH, TALLY_MALICIOUS, (int)both, 0);
    }
}

static void test_vole(void)
{
    for (unsigned k = 4; k <= 6; k += 2) {
        for (size_t i = k / 6; i < 25; i += 4)
            check_match(few[i / 5], few[i % 5], TALLY_VOLE, TALLY_SEMI_HONEST, (int)(i & 1), k);
        for (size_t i = k / 6; i < 6; i += 2)
            check_match(around[i][0], around[i][1], TALLY_VOLE, TALLY_SEMI_HONEST, k == 6, k);
        /* A bin holds 2^15 of the receiver's; a frame of tags 2^15 at most. */
        check_match(32768, 10, TALLY_VOLE, TALLY_SEMI_HONEST, k == 4, k);
        check_match(32769, 32769, TALLY_VOLE, TALLY_SEMI_HONEST, k == 6, k);
        check_match(70000, 70001, TALLY_VOLE, TALLY_SEMI_HONEST, 1, k);
        check_match(3, 32768, TALLY_VOLE, TALLY_SEMI_HONEST, 0, k);
    }
}

/* ---- Columns ---- */

static const char *write_list(const char *name, size_t n, size_t first, int columns)
{
    const char *path = unit_path(unit_tmp(), name);
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(columns ? "id,court,amount\n" : "id\n", f);
    for (size_t i = first; i < first + n; i++)
        fprintf(f, columns ? PAIR_MARK "%zu,c%zu,%zu\n" : PAIR_MARK "%zu\n", i, i % 10, i % 100);
    CU_ASSERT_EQUAL_FATAL(fclose(f), 0);
    return path;
}

static void check_columns(size_t receiver, size_t sender, enum tally_protocol protocol,
                          enum tally_security security, int both, unsigned copies, uint64_t minimum)
{
    static unsigned number;
    pair p;
    char what[96], name[2][24];
    const size_t n[2] = {receiver, sender};
    snprintf(what, sizeof what, "columns, protocol %d, security %d, both %d, rows %u, minimum %u, %zu x %zu",
             (int)protocol, (int)security, both, copies, (unsigned)minimum, receiver, sender);
    pair_init(&p, security, both ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER);
    pair_set_protocol(&p, protocol);
    for (int i = 0; i < 2; i++) {
        tally_session *s = p.side[i].session;
        snprintf(name[i], sizeof name[i], "list-%u.csv", number++);
        CU_ASSERT_EQUAL(
            tally_input_set_file(p.side[i].input, write_list(name[i], n[i], 0, i == PAIR_SENDER), NULL),
            TALLY_OK);
        CU_ASSERT_EQUAL(tally_session_set_rows_per_person(s, copies, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, minimum, NULL), TALLY_OK);
        tally_session_on_match(s, NULL, NULL);
    }
    pair_side *r = &p.side[PAIR_RECEIVER], *s = &p.side[PAIR_SENDER];
    CU_ASSERT_EQUAL(tally_session_add_offer(s->session, "court", 12, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_offer(s->session, "amount", 4, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_want(r->session, "amount", NULL), TALLY_OK);
    snprintf(name[0], sizeof name[0], "out-%u.csv", number++);
    CU_ASSERT_EQUAL(tally_session_set_output(r->session, unit_path(unit_tmp(), name[0]), 0, NULL), TALLY_OK);
    check_pair(&p, 0, what);
    CU_ASSERT(s->session->form.sealed >= 16 + 4);
    pair_free(&p);
}

static void test_columns(void)
{
    for (unsigned vole = 0; vole < 2; vole++) {
        enum tally_protocol protocol = vole ? TALLY_VOLE : TALLY_ECDH;
        for (unsigned minimum = 0; minimum <= 3; minimum += 3) {
            check_columns(5, 7, protocol, TALLY_SEMI_HONEST, 0, 1, minimum);
            check_columns(300, 270, protocol, TALLY_SEMI_HONEST, 1, 3, minimum);
            check_columns(20, 5000, protocol, TALLY_SEMI_HONEST, 0, 20, minimum);
            if (!vole)
                check_columns(300, 270, protocol, TALLY_MALICIOUS, 1, 1, minimum);
        }
        check_columns(0, 4, protocol, TALLY_SEMI_HONEST, 1, 1, 0);
        check_columns(4, 0, protocol, TALLY_SEMI_HONEST, 0, 1, 0);
        check_columns(4097, 4096, protocol, TALLY_SEMI_HONEST, 0, 1, 2);
    }
}

/* ---- Counts ---- */

static void check_count(size_t receiver, size_t sender, enum tally_reveal reveal, uint64_t minimum,
                        uint64_t epsilon_micro)
{
    pair p;
    char what[96];
    uint32_t *x = list(receiver, 0), *y = list(sender, (uint32_t)(receiver - receiver / 3));
    snprintf(what, sizeof what, "count, reveal %d, minimum %u, epsilon %u, %zu x %zu", (int)reveal,
             (unsigned)minimum, (unsigned)epsilon_micro, receiver, sender);
    count_pair(&p, reveal, x, receiver, y, sender);
    count_minimum(&p, minimum);
    count_noise(&p, epsilon_micro);
    check_pair(&p, 0, what);
    if (!epsilon_micro) {
        tally_plan plan = {.function = TALLY_COUNT,
                           .reveal = reveal,
                           .min_overlap = minimum,
                           .own_items = receiver,
                           .peer_items = sender};
        check_plan(&p, &plan);
    }
    pair_free(&p);
    free(x);
    free(y);
}

static void test_count(void)
{
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = r; i < 25; i += 3)
            check_count(few[i / 5], few[i % 5], reveals[r], 0, 0);
        check_count(around[2 * r][0], around[2 * r][1], reveals[r], 0, 0);
        check_count(around[2 * r + 1][0], around[2 * r + 1][1], reveals[r], 0, 0);
        check_count(300, 290, reveals[r], 10, 0);
        check_count(40, 50, reveals[r], 0, 1000000);
    }
}

/* ---- Sums ---- */

static void run_world(world *w, int merged)
{
    char what[160];
    snprintf(what, sizeof what,
             "sum, scheme %d, owner %d, reveal %d, bands %d %d, groups %d, minimum %u, epsilon %u, %zu x %zu",
             (int)w->scheme, w->owner, (int)w->reveal, w->bands_v, w->bands_t, w->groups,
             (unsigned)w->minimum, (unsigned)w->epsilon_micro, w->n[0], w->n[1]);
    world_prepare(w);
    check_pair(&w->p, merged, what);
    if (!w->bands_v && !w->bands_t && !w->groups && !w->epsilon_micro) {
        tally_plan plan = {.function = TALLY_SUM,
                           .scheme = w->scheme,
                           .reveal = w->reveal,
                           .min_overlap = w->minimum,
                           .own_items = w->n[0],
                           .peer_items = w->n[1],
                           .value_count = WORLD_VALUES,
                           .values = {{WORLD_V_MIN, WORLD_V_MAX}, {WORLD_W_MIN, WORLD_W_MAX}},
                           .receiver_has_values = w->owner == PAIR_RECEIVER};
        check_plan(&w->p, &plan);
    }
    world_free(w);
}

static void check_sum(enum tally_scheme scheme, int owner, enum tally_reveal reveal, const size_t n[3])
{
    world w;
    world_init(&w, scheme, owner, reveal);
    world_random(&w, n[0], n[1], n[2]);
    run_world(&w, 0);
}

static void test_rlwe(void)
{
    static const size_t sizes[][3] = {{0, 5, 0},     {5, 0, 0},     {1, 1, 1},      {60, 40, 20},
                                      {300, 200, 9}, {50, 4096, 7}, {4097, 50, 13}, {30, 8193, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int owner = 0; owner < 2; owner++)
            check_sum(TALLY_SCHEME_RLWE, owner, reveals[(i + (size_t)owner) % 3], sizes[i]);
    for (size_t r = 0; r < 3; r++)
        for (int owner = 0; owner < 2; owner++)
            check_sum(TALLY_SCHEME_RLWE, owner, reveals[r], sizes[3]);
}

static void test_paillier(void)
{
    static const size_t sizes[][3] = {{9, 7, 5}, {1, 0, 0}, {20, 130, 4}};
    for (size_t i = 0; i < 3; i++)
        check_sum(TALLY_SCHEME_PAILLIER, (int)(i & 1), reveals[i], sizes[i]);
}

/* With a minimum that is reached, and that no band falls below where there are bands. */
static void test_sum_minimum(void)
{
    for (size_t r = 0; r < 3; r++)
        for (int owner = 0; owner < 2; owner++) {
            world w;
            world_init(&w, TALLY_SCHEME_RLWE, owner, reveals[r]);
            w.minimum = 5;
            world_random(&w, 40, 50, 20);
            run_world(&w, 0);
        }
}

/* Bands of the owner, of the side that adds up, of both; noise. */
static void test_bands(void)
{
    for (size_t r = 0; r < 3; r++)
        for (int owner = 0; owner < 2; owner++)
            for (int bands = 1; bands < 4; bands++) {
                world w;
                world_init(&w, TALLY_SCHEME_RLWE, owner, reveals[r]);
                w.bands_v = bands & 1;
                w.bands_t = bands & 1 && r == 1;
                w.groups = bands >> 1;
                w.epsilon_micro = r == 2 && bands == 3 ? 1000000 : 0;
                world_random(&w, 60, 45, 30);
                run_world(&w, 0);
            }
}

/* Groups that are far from equally full: the plan of the scheme depends on the fullest. */
static void test_uneven_groups(void)
{
    for (int scheme = TALLY_SCHEME_RLWE; scheme <= TALLY_SCHEME_PAILLIER; scheme++)
        for (size_t most = 40; most <= (scheme == TALLY_SCHEME_RLWE ? 4000u : 40u); most *= 10) {
            world w;
            world_init(&w, (enum tally_scheme)scheme, PAIR_SENDER, TALLY_REVEAL_BOTH);
            w.groups = 1;
            world_random(&w, most, 30, 20);
            for (size_t i = 0; i < most; i++)
                w.rows[PAIR_RECEIVER][i].t = 5;
            world_join(&w);
            run_world(&w, 0);
        }
}

/* Bands below the minimum are shown as one: how many is known after the count only, so the sums foreseen are
 * the most there can be. */
static void test_merged_bands(void)
{
    for (size_t r = 0; r < 3; r++)
        for (int owner = 0; owner < 2; owner++)
            for (int bands = 1; bands < 3; bands++) {
                world w;
                world_init(&w, TALLY_SCHEME_RLWE, owner, reveals[r]);
                w.minimum = 6;
                w.bands_v = bands & 1;
                w.groups = bands >> 1;
                world_random(&w, 40, 50, 20);
                run_world(&w, 1);
            }
}

/* ---- Refusals ---- */

static void set_terms(wire_terms terms[2], enum tally_function function, enum tally_scheme scheme)
{
    memset(terms, 0, 2 * sizeof *terms);
    for (int i = 0; i < 2; i++) {
        snprintf(terms[i].role, sizeof terms[i].role, "%s", i ? "sender" : "receiver");
        party_terms_words(&terms[i], function, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER, scheme);
    }
}

static void test_too_many(void)
{
    static wire_terms terms[2];
    for (int function = TALLY_MATCH; function <= TALLY_SUM; function++)
        for (int protocol = TALLY_ECDH; protocol <= (function == TALLY_MATCH ? TALLY_VOLE : TALLY_ECDH);
             protocol++)
            for (unsigned side = 0; side < 2; side++) {
                tally_error error = {.message = ""};
                party_sizes z = {.function = (enum tally_function)function,
                                 .protocol = (enum tally_protocol)protocol,
                                 .k = 4,
                                 .items = {3, 3}};
                z.items[side] = (1u << 30) + 1;
                set_terms(terms, (enum tally_function)function, TALLY_SCHEME_AUTO);
                CU_ASSERT_EQUAL(party_sizes_init(&z, terms, &error), TALLY_ERR_USAGE);
                CU_ASSERT(strstr(error.message, "2^30") != NULL);
                party_sizes_free(&z);
                if (function == TALLY_SUM)
                    continue;
                z.items[side] = 1u << 30;
                CU_ASSERT_EQUAL(party_sizes_init(&z, terms, &error), TALLY_OK);
                CU_ASSERT(party_sizes_to(&z, PARTY_AT_SENDER) > 0);
                party_sizes_free(&z);
            }
}

/* Sixteen values of 48 bits, squared and summed over 2^30: more than a plaintext of either scheme. */
static void test_no_fit(void)
{
    static wire_terms terms[2];
    tally_error error = {.message = ""};
    for (int scheme = TALLY_SCHEME_AUTO; scheme <= TALLY_SCHEME_PAILLIER; scheme++) {
        party_sizes z = {.function = TALLY_SUM, .protocol = TALLY_ECDH, .items = {1u << 30, 1u << 30}};
        set_terms(terms, TALLY_SUM, (enum tally_scheme)scheme);
        terms[1].value_count = 16;
        for (int i = 0; i < 16; i++) {
            terms[1].values[i].min = -((int64_t)1 << 47);
            terms[1].values[i].max = ((int64_t)1 << 48) - 1;
        }
        tally_status st = party_sizes_init(&z, terms, &error);
        if (scheme == TALLY_SCHEME_RLWE)
            CU_ASSERT_EQUAL(st, TALLY_ERR_INCOMPATIBLE);
        if (st) {
            CU_ASSERT_EQUAL(st, TALLY_ERR_INCOMPATIBLE);
            CU_ASSERT(strstr(error.message, "do not fit") != NULL);
        }
        party_sizes_free(&z);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"ecdh", test_ecdh},
        {"malicious", test_malicious},
        {"vole", test_vole},
        {"columns", test_columns},
        {"count", test_count},
        {"rlwe", test_rlwe},
        {"paillier", test_paillier},
        {"sum minimum", test_sum_minimum},
        {"bands", test_bands},
        {"uneven groups", test_uneven_groups},
        {"merged bands", test_merged_bands},
        {"too many", test_too_many},
        {"no fit", test_no_fit},
    };
    return unit_main(argc, argv, "sizes", tests, sizeof tests / sizeof *tests);
}
