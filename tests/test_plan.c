/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of runs: every refusal, the fields of the answer, and the protocol that a session would choose. */
#include "party/session.h"
#include "tests/support_estimate.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Refusals ---- */

static tally_plan a_plan(void)
{
    return (tally_plan){
        .role = TALLY_RECEIVER, .function = TALLY_MATCH, .own_items = 1000, .peer_items = 2000};
}

static tally_plan a_sum(void)
{
    tally_plan p = a_plan();
    p.function = TALLY_SUM;
    p.value_count = 1;
    p.values[0].max = 1000;
    return p;
}

static void refused(const tally_plan *p, const char *says)
{
    tally_calibration c;
    tally_error error = {.message = ""};
    estimate_calibration(&c);
    char *text = tally_estimate_json(&c, p, &error);
    CU_ASSERT_PTR_NULL(text);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, says));
    if (!strstr(error.message, says))
        printf("  got: %s; wanted: %s\n", error.message, says);
    free(text);
}

#define REFUSED(plan, change, says)                                                                          \
    do {                                                                                                     \
        tally_plan p = plan;                                                                                 \
        p.change;                                                                                            \
        refused(&p, says);                                                                                   \
    } while (0)

static void test_refused_plans(void)
{
    REFUSED(a_plan(), role = 0, "no role");
    REFUSED(a_plan(), function = 7, "neither match nor count nor sum");
    REFUSED(a_plan(), protocol = 3, "neither ecdh nor vole");
    REFUSED(a_plan(), security = 7, "neither semi-honest nor malicious");
    REFUSED(a_sum(), scheme = 3, "neither rlwe nor paillier");
    REFUSED(a_plan(), min_overlap = 20, "minimum overlap");
    REFUSED(a_plan(), reveal = 4, "the receiver, the sender or both");
    REFUSED(a_plan(), reveal = TALLY_REVEAL_SENDER, "to the receiver or to both");
    REFUSED(a_plan(), value_count = 1, "1 to 16 values");
    REFUSED(a_sum(), value_count = 0, "1 to 16 values");
    REFUSED(a_sum(), value_count = 17, "1 to 16 values");
    REFUSED(a_sum(), values[0].min = 1001, "range of a value");
    REFUSED(a_sum(), values[0].min = -((int64_t)1 << 48), "range of a value");
    REFUSED(a_sum(), values[0].max = (int64_t)1 << 48, "range of a value");
    REFUSED(a_sum(), security = TALLY_MALICIOUS, "semi-honest");
    REFUSED(a_sum(), protocol = TALLY_VOLE, "vole");
    REFUSED(a_plan(), scheme = TALLY_SCHEME_RLWE, "scheme");
    REFUSED(a_plan(), own_items = (1u << 30) + 1, "2^30");
    REFUSED(a_plan(), peer_items = UINT64_MAX, "2^30");
    REFUSED(a_plan(), bits_per_second = -1, "out of bounds");
    REFUSED(a_plan(), bits_per_second = (double)NAN, "out of bounds");
    REFUSED(a_plan(), bits_per_second = (double)INFINITY, "out of bounds");
    REFUSED(a_plan(), received_bits_per_second = 1e16, "out of bounds");
    REFUSED(a_plan(), round_trip_seconds = -1e-9, "out of bounds");
    REFUSED(a_plan(), round_trip_seconds = 3601, "out of bounds");
    REFUSED(a_plan(), round_trip_seconds = (double)NAN, "out of bounds");
    REFUSED(a_plan(), row_bytes = -1, "out of bounds");
    REFUSED(a_plan(), row_bytes = 1e7, "out of bounds");
    REFUSED(a_plan(), threads = 257, "out of bounds");
    REFUSED(a_plan(), peer_threads = 257, "out of bounds");
    tally_plan p = a_plan();
    p.protocol = TALLY_VOLE;
    p.security = TALLY_MALICIOUS;
    refused(&p, "vole");
}

/* Figures that one scheme holds and the other does not: left out, or refused where it was asked for. */
static void test_no_fit(void)
{
    tally_calibration c;
    estimate_calibration(&c);
    tally_plan p = a_sum();
    p.own_items = p.peer_items = 1u << 30;
    p.value_count = 16;
    for (int i = 0; i < 16; i++) {
        p.values[i].min = -((int64_t)1 << 47);
        p.values[i].max = ((int64_t)1 << 48) - 1;
    }
    for (int scheme = TALLY_SCHEME_AUTO; scheme <= TALLY_SCHEME_PAILLIER; scheme++) {
        tally_error error = {.message = ""};
        p.scheme = (enum tally_scheme)scheme;
        char *text = tally_estimate_json(&c, &p, &error);
        CU_ASSERT(text || error.status == TALLY_ERR_INCOMPATIBLE);
        if (scheme == TALLY_SCHEME_RLWE)
            CU_ASSERT_PTR_NULL(text);
        free(text);
    }
}

/* ---- The answer ---- */

static json_t *estimated(const tally_plan *p)
{
    tally_calibration c;
    tally_error error = {.message = ""};
    estimate_calibration(&c);
    char *text = tally_estimate_json(&c, p, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    free(text);
    return all;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *j = json_object_get(object, name);
    CU_ASSERT(json_is_number(j));
    return json_number_value(j);
}

static void check_row(const json_t *row, const tally_plan *p)
{
    static const char *const figures[] = {"cpu_seconds",    "peak_bytes",          "sent_bytes",
                                          "received_bytes", "protocol_sent_bytes", "protocol_received_bytes",
                                          "disk_bytes"};
    const json_t *wall = json_object_get(row, "wall_seconds"), *phases = json_object_get(row, "seconds"),
                 *stages = json_object_get(row, "stages"), *stage,
                 *side[2] = {json_object_get(row, "receiver"), json_object_get(row, "sender")};
    double total = 0;
    size_t i;
    CU_ASSERT(number_of(wall, "low") <= number_of(wall, "expected"));
    CU_ASSERT(number_of(wall, "expected") <= number_of(wall, "high"));
    CU_ASSERT(number_of(phases, "reading") + number_of(phases, "matching") + number_of(phases, "writing") <=
              number_of(wall, "expected") * 1.0001);
    CU_ASSERT(number_of(phases, "total") > 0);
    for (int s = 0; s < 2; s++) {
        for (i = 0; i < sizeof figures / sizeof *figures; i++)
            CU_ASSERT(number_of(side[s], figures[i]) >= 0);
        CU_ASSERT_EQUAL(number_of(side[s], "sent_bytes"), number_of(side[!s], "received_bytes"));
        CU_ASSERT_EQUAL(number_of(side[s], "protocol_sent_bytes"),
                        number_of(side[!s], "protocol_received_bytes"));
    }
    json_array_foreach(stages, i, stage)
    {
        total += number_of(stage, "seconds");
        CU_ASSERT(text_of(stage, "stage")[0] != 0 && json_is_string(json_object_get(stage, "waits_for")));
    }
    CU_ASSERT(fabs(total / number_of(wall, "expected") - 1) < 1e-4); /* six digits are printed */
    const json_t *scheme = json_object_get(row, "scheme");
    CU_ASSERT(p->function == TALLY_SUM ? json_is_string(scheme) : json_is_null(scheme));
}

/* Fields, and which protocols a plan is answered for. */
static void check_fields(const tally_plan *p, const char *rows)
{
    char got[80] = "";
    size_t i;
    json_t *row, *all = estimated(p), *calibration = json_object_get(all, "calibration");
    json_array_foreach(json_object_get(all, "protocols"), i, row)
    {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s%s", i ? " " : "", text_of(row, "protocol"),
                 text_of(row, "scheme"));
        check_row(row, p);
    }
    CU_ASSERT_STRING_EQUAL(got, rows);
    CU_ASSERT_STRING_EQUAL(text_of(all, "role"), p->role == TALLY_SENDER ? "sender" : "receiver");
    CU_ASSERT_STRING_EQUAL(text_of(all, "security"),
                           p->security == TALLY_MALICIOUS ? "malicious" : "semi-honest");
    CU_ASSERT(text_of(all, "because")[0] != 0);
    CU_ASSERT_EQUAL(number_of(json_object_get(all, "line"), "bits_per_second"), p->bits_per_second);
    CU_ASSERT_STRING_EQUAL(text_of(calibration, "processor"), "made up");
    CU_ASSERT(json_is_false(json_object_get(calibration, "fits_this_machine")));
    json_decref(all);
}

static void test_fields(void)
{
    tally_plan p = a_plan();
    check_fields(&p, "vole ecdh");
    p.role = TALLY_SENDER;
    p.bits_per_second = 1e8;
    p.round_trip_seconds = 0.03;
    check_fields(&p, "vole ecdh");
    p.protocol = TALLY_VOLE;
    p.reveal = TALLY_REVEAL_BOTH;
    check_fields(&p, "vole");
    p.protocol = TALLY_ECDH;
    check_fields(&p, "ecdh");
    p.protocol = TALLY_AUTO;
    p.security = TALLY_MALICIOUS;
    check_fields(&p, "ecdh");
    p = a_plan();
    p.function = TALLY_COUNT;
    p.reveal = TALLY_REVEAL_SENDER;
    check_fields(&p, "ecdh");
    p = a_sum();
    check_fields(&p, "ecdhrlwe ecdhpaillier");
    p.receiver_has_values = 1;
    p.scheme = TALLY_SCHEME_PAILLIER;
    check_fields(&p, "ecdhpaillier");
    p = a_plan();
    p.own_items = p.peer_items = 0;
    check_fields(&p, "vole ecdh");
}

/* The two ways of a line that differ: what this side sends goes one way, for either role. */
static void test_two_rates(void)
{
    double seconds[2][2];
    for (int sender = 0; sender < 2; sender++)
        for (int slow = 0; slow < 2; slow++) {
            tally_plan p = a_plan();
            p.role = sender ? TALLY_SENDER : TALLY_RECEIVER;
            p.protocol = TALLY_ECDH;
            p.own_items = p.peer_items = 100000;
            p.bits_per_second = slow ? 1e6 : 1e9;
            p.received_bits_per_second = slow ? 1e9 : 1e6;
            json_t *all = estimated(&p);
            seconds[sender][slow] = number_of(
                json_object_get(json_array_get(json_object_get(all, "protocols"), 0), "wall_seconds"),
                "expected");
            json_decref(all);
        }
    /* The sender's sending is the receiver's receiving. */
    CU_ASSERT_EQUAL(seconds[0][0], seconds[1][1]);
    CU_ASSERT_EQUAL(seconds[0][1], seconds[1][0]);
    CU_ASSERT(seconds[0][0] > seconds[0][1]); /* tags come too */
}

/* ---- Auto ---- */

static void check_auto(uint32_t receiver, uint32_t sender, enum tally_security security)
{
    static uint32_t ids[2000];
    pair p;
    for (uint32_t i = 0; i < 2000; i++)
        ids[i] = i;
    pair_init(&p, security, TALLY_REVEAL_RECEIVER);
    pair_set_protocol(&p, TALLY_AUTO);
    pair_add(&p.side[PAIR_RECEIVER], ids, receiver);
    pair_add(&p.side[PAIR_SENDER], ids, sender);
    pair_run(&p);
    tally_plan plan = a_plan();
    plan.own_items = receiver;
    plan.peer_items = sender;
    plan.security = security;
    json_t *all = estimated(&plan);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_OK);
    CU_ASSERT_STRING_EQUAL(text_of(all, "auto"), party_protocol_name(p.side[PAIR_RECEIVER].session->chosen));
    json_decref(all);
    pair_free(&p);
}

static void test_auto(void)
{
    static const uint32_t sizes[][2] = {{0, 0}, {511, 511}, {512, 511}, {511, 512}, {0, 512}, {1000, 900}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_auto(sizes[i][0], sizes[i][1], TALLY_SEMI_HONEST);
        check_auto(sizes[i][0], sizes[i][1], TALLY_MALICIOUS);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"refused plans", test_refused_plans}, {"no fit", test_no_fit}, {"fields", test_fields},
        {"two rates", test_two_rates},         {"auto", test_auto},
    };
    return unit_main(argc, argv, "plan", tests, sizeof tests / sizeof *tests);
}
