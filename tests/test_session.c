/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions against a plain join, and what a caller sees of them. */
#include "party/session.h"
#include "proto/hello.h"
#include "psi/mem.h"
#include "tests/support_match.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEMI TALLY_SEMI_HONEST
#define MALICIOUS TALLY_MALICIOUS
#define ONE TALLY_REVEAL_RECEIVER
#define BOTH TALLY_REVEAL_BOTH

/* ---- Against the plain join -------------------------------------------------------------------------- */

static void check_match(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny,
                        enum tally_security security, enum tally_reveal reveal)
{
    match_check(x, nx, y, ny, TALLY_ECDH, TALLY_ECDH, security, reveal, 1);
}

static void check_all(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    check_match(x, nx, y, ny, SEMI, ONE);
    check_match(x, nx, y, ny, SEMI, BOTH);
    check_match(x, nx, y, ny, MALICIOUS, ONE);
    check_match(x, nx, y, ny, MALICIOUS, BOTH);
}

static void test_small_sizes(void)
{
    static const uint32_t a[] = {5, 9}, b[] = {9, 5}, c[] = {9, 4}, d[] = {7, 7};
    for (size_t nx = 0; nx <= 2; nx++)
        for (size_t ny = 0; ny <= 2; ny++) {
            check_all(a, nx, b, ny);
            check_all(a, nx, c, ny);
        }
    check_all(d, 2, d, 1);
    check_all(d, 1, d, 2);
}

static void test_equal_and_disjoint(void)
{
    uint32_t x[40], y[40];
    for (uint32_t i = 0; i < 40; i++) {
        x[i] = 1000 + 7 * i % 40;
        y[i] = 2000 + i;
    }
    check_all(x, 40, x, 40);
    check_all(x, 40, y, 40);
}

static void test_long_against_short(void)
{
    enum { LONG = 3000, SHORT = 10 };
    static uint32_t x[LONG];
    uint32_t y[SHORT];
    for (uint32_t i = 0; i < LONG; i++)
        x[i] = 3 * i;
    for (uint32_t i = 0; i < SHORT; i++)
        y[i] = 301 * i; /* every third of them is on the long list */
    check_match(x, LONG, y, SHORT, SEMI, ONE);
    check_match(y, SHORT, x, LONG, SEMI, BOTH);
    check_match(x, LONG, y, SHORT, MALICIOUS, BOTH);
    check_match(y, SHORT, x, LONG, MALICIOUS, ONE);
}

/* Identifiers from a small range, so that both lists have duplicates and they overlap by chance. */
static void test_random_overlaps(void)
{
    for (int round = 0; round < 12; round++) {
        uint32_t x[120], y[120];
        size_t nx = unit_below(121), ny = unit_below(121);
        uint32_t range = 1 + unit_below(300);
        for (size_t i = 0; i < nx; i++)
            x[i] = unit_below(range);
        for (size_t i = 0; i < ny; i++)
            y[i] = unit_below(range);
        check_match(x, nx, y, ny, round & 1 ? MALICIOUS : SEMI, round & 2 ? BOTH : ONE);
    }
}

static void test_more_threads(void)
{
    uint32_t x[700], y[700];
    for (uint32_t i = 0; i < 700; i++) {
        x[i] = i;
        y[i] = 350 + i;
    }
    match_check(x, 700, y, 700, TALLY_ECDH, TALLY_ECDH, SEMI, BOTH, 3);
    match_check(x, 700, y, 700, TALLY_ECDH, TALLY_ECDH, MALICIOUS, BOTH, 3);
}

/* ---- What is reported -------------------------------------------------------------------------------- */

/* A pair over {1,2,3,4} and {3,4,5}: two matches. */
static void small_pair(pair *p, enum tally_security security, enum tally_reveal reveal)
{
    static const uint32_t x[] = {1, 2, 3, 4}, y[] = {5, 4, 3};
    pair_init(p, security, reveal);
    pair_add(&p->side[PAIR_RECEIVER], x, 4);
    pair_add(&p->side[PAIR_SENDER], y, 3);
}

static void test_learned_sentence(void)
{
    pair p;
    small_pair(&p, SEMI, ONE);
    const tally_session *r = p.side[PAIR_RECEIVER].session, *s = p.side[PAIR_SENDER].session;
    CU_ASSERT_STRING_EQUAL(tally_session_learned(r), "");
    pair_run(&p);
    CU_ASSERT(strstr(tally_session_learned(r),
                     "which of its 4 identifiers are on the other side's list (2)") != NULL);
    CU_ASSERT(strstr(tally_session_learned(r), "the other list has 3") != NULL);
    CU_ASSERT(strstr(tally_session_learned(s), "this side learned only that the other list has 4") != NULL);
    CU_ASSERT(strstr(tally_session_learned(s), "(2)") == NULL);
    pair_free(&p);
    small_pair(&p, SEMI, BOTH);
    pair_run(&p);
    for (int i = 0; i < 2; i++)
        CU_ASSERT(strstr(tally_session_learned(p.side[i].session), "on the other's list (2)") != NULL);
    pair_free(&p);
}

static json_int_t number(const json_t *object, const char *group, const char *name)
{
    const json_t *v = json_object_get(json_object_get(object, group), name);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static json_t *summary_of(const tally_session *session)
{
    char *text = tally_session_summary_json(session);
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (!j)
        abort();
    return j;
}

static void test_summary(void)
{
    pair p;
    small_pair(&p, MALICIOUS, ONE);
    tally_text empty = {"", 0};
    CU_ASSERT_EQUAL(tally_input_add_row(p.side[PAIR_RECEIVER].input, &empty, 1, NULL),
                    TALLY_OK); /* a reject */
    pair_run(&p);
    json_t *r = summary_of(p.side[PAIR_RECEIVER].session), *s = summary_of(p.side[PAIR_SENDER].session);
    CU_ASSERT_EQUAL(number(r, "result", "items"), 2);
    CU_ASSERT_EQUAL(number(r, "result", "rows"), 2);
    CU_ASSERT_EQUAL(number(r, "peer", "items"), 3);
    CU_ASSERT_EQUAL(number(r, "input", "rows"), 5);
    CU_ASSERT_EQUAL(number(r, "input", "items"), 4);
    CU_ASSERT_EQUAL(number(r, "input", "rejected"), 1);
    CU_ASSERT_EQUAL(number(json_object_get(r, "input"), "rejects", "empty"), -1);
    CU_ASSERT_EQUAL(number(json_object_get(json_object_get(r, "input"), "rejects"), "empty", "rows"), 1);
    CU_ASSERT_EQUAL(number(json_object_get(json_object_get(r, "input"), "rejects"), "empty", "first_line"),
                    5);
    CU_ASSERT_EQUAL(number(r, "outcome", "exit_status"), 0);
    CU_ASSERT_EQUAL(number(r, "bytes", "sent"), number(s, "bytes", "received"));
    CU_ASSERT(number(r, "bytes", "sent") > 0);
    /* 4 blinded items in one frame; a key, 4 answers with a proof, 3 tags */
    CU_ASSERT_EQUAL(number(r, "bytes", "protocol_sent"), 12 + 4 * 32);
    CU_ASSERT_EQUAL(number(s, "bytes", "protocol_sent"), 12 + 32 + 12 + 4 * 32 + 64 + 12 + 3 * 16);
    CU_ASSERT_EQUAL(number(r, "bytes", "protocol_received"), number(s, "bytes", "protocol_sent"));
    CU_ASSERT(json_integer_value(json_object_get(r, "peak_memory_bytes")) > 1 << 20);
    CU_ASSERT(json_is_null(json_object_get(s, "result")));
    const json_t *terms = json_object_get(r, "terms");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(terms, "security")), "malicious");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(terms, "role")), "receiver");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(terms, "keys"), 0)), "exact");
    const json_t *seconds = json_object_get(r, "seconds");
    CU_ASSERT(json_real_value(json_object_get(seconds, "total")) >=
              json_real_value(json_object_get(seconds, "matching")));
    const json_t *cpu = json_object_get(r, "cpu_seconds");
    CU_ASSERT(json_real_value(json_object_get(cpu, "matching")) > 0);
    CU_ASSERT(json_real_value(json_object_get(cpu, "total")) >=
              json_real_value(json_object_get(cpu, "matching")));
    CU_ASSERT_FALSE(p.side[PAIR_RECEIVER].leaked || p.side[PAIR_SENDER].leaked);
    json_decref(r);
    json_decref(s);
    pair_free(&p);
}

static void test_version_json(void)
{
    char *text = tally_version_json();
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "tally")), tally_version());
    CU_ASSERT_EQUAL(number(j, "protocol", "max"), WIRE_VERSION_MAX);
    CU_ASSERT(json_string_length(json_object_get(json_object_get(j, "backends"), "group")) > 0);
    json_decref(j);
    free(text);
}

static void test_status_names(void)
{
    static const struct {
        tally_status status;
        int exit_status;
    } all[] = {{TALLY_OK, 0},
               {TALLY_ERR_USAGE, 1},
               {TALLY_ERR_INCOMPATIBLE, 2},
               {TALLY_ERR_INPUT, 3},
               {TALLY_ERR_INPUT_CHANGED, 3},
               {TALLY_ERR_POLICY, 4},
               {TALLY_ERR_AUTH, 5},
               {TALLY_ERR_NETWORK, 6},
               {TALLY_ERR_TIMEOUT, 6},
               {TALLY_ERR_PEER_STOPPED, 6},
               {TALLY_ERR_FILE, 7},
               {TALLY_ERR_MALFORMED, 8},
               {TALLY_ERR_INTERRUPTED, 9},
               {TALLY_ERR_NO_MEMORY, 10},
               {TALLY_ERR_DIFFERS, 11},
               {TALLY_ERR_INTERNAL, 70},
               {TALLY_ERR_RANDOM, 70}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CU_ASSERT_EQUAL(tally_exit_status(all[i].status), all[i].exit_status);
        CU_ASSERT_STRING_NOT_EQUAL(tally_status_name(all[i].status), "unknown");
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_STRING_NOT_EQUAL(tally_status_name(all[i].status), tally_status_name(all[k].status));
    }
}

static void test_callbacks(void)
{
    pair p;
    small_pair(&p, SEMI, ONE);
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT(p.side[i].progress_calls >= 4); /* at least once for each phase */
        CU_ASSERT(p.side[i].log_lines >= 1);
    }
    pair_free(&p);
}

static int stop_at_second(void *user, uint64_t row, uint64_t line)
{
    unsigned *calls = user;
    (void)row, (void)line;
    return ++*calls == 2;
}

static void test_caller_stops_at_a_match(void)
{
    pair p;
    unsigned calls = 0;
    small_pair(&p, SEMI, ONE);
    tally_session_on_match(p.side[PAIR_RECEIVER].session, stop_at_second, &calls);
    pair_run(&p);
    CU_ASSERT_EQUAL(calls, 2);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_ERR_INTERRUPTED);
    CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, "calling program") != NULL);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].result.matched_items, 0);
    CU_ASSERT_EQUAL(p.side[PAIR_SENDER].status, TALLY_OK); /* the run was over for the peer */
    pair_free(&p);
}

/* ---- Terms ------------------------------------------------------------------------------------------- */

static void expect_differing(pair *p, const char *field)
{
    pair_run(p);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(p->side[i].status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT_EQUAL(p->side[i].error.status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT(strstr(p->side[i].error.message, field) != NULL);
        CU_ASSERT(p->side[i].error.hint[0] != 0);
        CU_ASSERT_EQUAL(p->side[i].row_count, 0);
        if (!strstr(p->side[i].error.message, field))
            printf("side %d for '%s': %s\n", i, field, p->side[i].error.message);
    }
    pair_free(p);
}

static void test_differing_terms(void)
{
    pair p;
    tally_text keys[2] = {{"11010519491231002X", 18}, {"b", 1}};
    small_pair(&p, SEMI, ONE);
    tally_session_set_role(p.side[PAIR_SENDER].session, TALLY_RECEIVER);
    expect_differing(&p, "role: here receiver, there receiver");
    small_pair(&p, SEMI, ONE);
    tally_session_set_security(p.side[PAIR_SENDER].session, MALICIOUS);
    expect_differing(&p, "security: here ");
    small_pair(&p, SEMI, ONE);
    tally_session_set_reveal(p.side[PAIR_RECEIVER].session, BOTH);
    expect_differing(&p, "reveal-to: here ");
    small_pair(&p, SEMI, ONE);
    tally_session_set_protocol(p.side[PAIR_SENDER].session, TALLY_VOLE);
    expect_differing(&p, "protocol: here ");
    /* Another profile, and another number of keys. */
    pair_init(&p, SEMI, ONE);
    tally_input_free(p.side[PAIR_SENDER].input);
    CU_ASSERT_EQUAL(tally_input_new(&p.side[PAIR_SENDER].input, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(p.side[PAIR_SENDER].input, "id", "cn-resident-id", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(p.side[PAIR_SENDER].input, "name", "exact", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_row(p.side[PAIR_SENDER].input, keys, 2, NULL), TALLY_OK);
    tally_session_set_input(p.side[PAIR_SENDER].session, p.side[PAIR_SENDER].input);
    pair_add(&p.side[PAIR_RECEIVER], NULL, 0);
    pair_run(&p);
    CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, "key 1: here exact, there cn-resident-id") != NULL);
    CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, "key 2: here none, there exact") != NULL);
    CU_ASSERT(strstr(p.side[PAIR_SENDER].error.message, "key 1: here cn-resident-id, there exact") != NULL);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_ERR_INCOMPATIBLE);
    CU_ASSERT_EQUAL(p.side[PAIR_SENDER].status, TALLY_ERR_INCOMPATIBLE);
    pair_free(&p);
}

/* What no setting can make differ is changed under way: function, version. */
static void change_hello1(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    wire_hello1 hello;
    const char *why;
    uint8_t *bytes;
    size_t n;
    const char *field = tap->user;
    if (index != 0 || frame[8] != WIRE_HELLO1) {
        tap_pass(tap, frame, len);
        return;
    }
    if (wire_hello1_parse(&hello, frame + WIRE_HEADER, len - WIRE_HEADER, &why))
        abort();
    if (*field == 'f')
        snprintf(hello.terms.function, sizeof hello.terms.function, "count");
    else
        hello.version_min = hello.version_max = WIRE_VERSION_MAX + 1;
    if (wire_hello1_build(&hello, &bytes, &n))
        abort();
    frame_set_length(frame, (uint32_t)n);
    tap_pass(tap, frame, WIRE_HEADER);
    tap_pass(tap, bytes, n);
    psi_free(bytes);
}

static void expect_changed(char *field, const char *text)
{
    pair p;
    small_pair(&p, SEMI, ONE);
    for (int i = 0; i < 2; i++) {
        p.side[i].tap.on_frame = change_hello1;
        p.side[i].tap.user = field;
    }
    expect_differing(&p, text);
}

static void test_differing_function_version(void)
{
    char function[] = "f", version[] = "v";
    expect_changed(function, "function: here match, there count");
    expect_changed(version, "no common protocol version: here 1 to 1, there 2 to 2");
}

/* ---- Failing inputs ---------------------------------------------------------------------------------- */

/* A fresh input that fails in the named way. */
static tally_input *failing_input(const char *way)
{
    tally_input *input = NULL;
    tally_status st = tally_input_new(&input, NULL);
    if (!st)
        st = tally_input_add_key(input, "id", NULL, NULL);
    char path[200];
    snprintf(path, sizeof path, "%s/missing.csv", unit_tmp());
    if (!st && strcmp(way, "missing") == 0)
        st = tally_input_set_file(input, path, NULL);
    tally_text empty = {"", 0};
    if (!st && strcmp(way, "rejects") == 0) {
        st = tally_input_add_row(input, &empty, 1, NULL);
        tally_input_set_max_rejects(input, 0, UINT64_MAX);
    }
    CU_ASSERT_EQUAL(st, TALLY_OK);
    return input;
}

static void test_input_fails_on_one_side(void)
{
    static const struct {
        const char *way;
        tally_status status;
        const char *told;
    } ways[] = {{"missing", TALLY_ERR_FILE, "fault of its own"},
                {"rejects", TALLY_ERR_INPUT, "its own list"}};
    for (size_t w = 0; w < 2; w++)
        for (int bad = 0; bad < 2; bad++) {
            pair p;
            small_pair(&p, SEMI, BOTH);
            tally_input *input = failing_input(ways[w].way);
            tally_session_set_input(p.side[bad].session, input);
            pair_run(&p);
            CU_ASSERT_EQUAL(p.side[bad].status, ways[w].status);
            CU_ASSERT_EQUAL(p.side[!bad].status, TALLY_ERR_PEER_STOPPED);
            CU_ASSERT(strstr(p.side[!bad].error.message, ways[w].told) != NULL);
            CU_ASSERT_EQUAL(p.side[!bad].row_count, 0);
            pair_free(&p);
            tally_input_free(input);
        }
}

/* ---- Cancel ------------------------------------------------------------------------------------------ */

typedef struct canceller {
    tally_session *session;
    const char *phase; /* cancel when this phase ... */
    uint64_t done;     /* ... has come this far */
    atomic_int reached;
    int64_t at;
} canceller;

static void watch(void *user, const char *phase, uint64_t done, uint64_t total)
{
    canceller *c = user;
    (void)total;
    if (strcmp(phase, c->phase) == 0 && done >= c->done)
        atomic_store(&c->reached, 1);
}

static void *cancel_when_reached(void *user)
{
    canceller *c = user;
    const struct timespec pause = {.tv_nsec = 1000000};
    while (!atomic_load(&c->reached))
        nanosleep(&pause, NULL);
    c->at = party_now_ms();
    tally_session_cancel(c->session);
    return NULL;
}

/* Also when the session ended without reaching the phase, which the status then shows. */
static void end_watch(canceller *c, pthread_t thread)
{
    atomic_store(&c->reached, 1);
    pthread_join(thread, NULL);
}

/* A side stops between two batches, which take up to 1 s with one slow thread, and gives the peer 2 s to take
 * the abort. */
#define CANCEL_MS 4000

static void cancel_at(int who, const char *phase, uint64_t done, enum tally_security security)
{
    enum { N = 9000 };
    static uint32_t x[N];
    pair p;
    pthread_t thread;
    for (uint32_t i = 0; i < N; i++)
        x[i] = i;
    pair_init(&p, security, BOTH);
    pair_add(&p.side[PAIR_RECEIVER], x, N);
    pair_add(&p.side[PAIR_SENDER], x, N);
    canceller c = {.session = p.side[who].session, .phase = phase, .done = done};
    tally_session_on_progress(c.session, watch, &c);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, cancel_when_reached, &c), 0);
    pair_start(&p);
    pthread_join(p.side[who].thread, NULL);
    int64_t took = party_now_ms();
    pthread_join(p.side[!who].thread, NULL);
    int64_t peer_took = party_now_ms();
    end_watch(&c, thread);
    took -= c.at;
    peer_took -= c.at;
    CU_ASSERT_EQUAL(p.side[who].status, TALLY_ERR_INTERRUPTED);
    CU_ASSERT_STRING_EQUAL(p.side[who].error.message, "interrupted");
    CU_ASSERT_EQUAL(pair_category(&p.side[!who]), 6);
    CU_ASSERT(took < CANCEL_MS);
    CU_ASSERT(peer_took < CANCEL_MS);
    CU_ASSERT_EQUAL(p.side[who].row_count + p.side[!who].row_count, 0);
    if (took >= CANCEL_MS || peer_took >= CANCEL_MS)
        printf("cancel at %s %u: %d ms here, %d ms there\n", phase, (unsigned)done, (int)took,
               (int)peer_took);
    pair_free(&p);
}

static void test_cancel(void)
{
    cancel_at(PAIR_RECEIVER, "reading", 0, SEMI);
    cancel_at(PAIR_RECEIVER, "matching", 0, SEMI);
    cancel_at(PAIR_SENDER, "matching", 1, SEMI);
    cancel_at(PAIR_RECEIVER, "matching", 1, MALICIOUS);
    cancel_at(PAIR_SENDER, "matching", 1, MALICIOUS);
    cancel_at(PAIR_RECEIVER, "matching", 5000, MALICIOUS);
}

/* Before the run, and while no peer is there. */
static void test_cancel_without_peer(void)
{
    pair p;
    tally_error error;
    small_pair(&p, SEMI, ONE);
    tally_session_cancel(p.side[PAIR_RECEIVER].session);
    CU_ASSERT_EQUAL(tally_session_run(p.side[PAIR_RECEIVER].session, &error), TALLY_ERR_INTERRUPTED);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_INTERRUPTED);
    pair_free(&p);

    pthread_t thread;
    small_pair(&p, SEMI, ONE);
    canceller c = {.session = p.side[PAIR_SENDER].session, .phase = "matching", .done = 0};
    tally_session_on_progress(c.session, watch, &c);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, cancel_when_reached, &c), 0);
    CU_ASSERT_EQUAL(tally_session_run(c.session, &error), TALLY_ERR_INTERRUPTED);
    int64_t took = party_now_ms();
    end_watch(&c, thread);
    /* Nobody is there to take the abort, which is given 2 s. */
    CU_ASSERT(took - c.at < 3000);
    pair_free(&p);
}

/* ---- Settings ---------------------------------------------------------------------------------------- */

/* Runs the receiver alone and expects a refusal that says so. */
static void refused(pair *p, const char *part)
{
    tally_error error = {.status = TALLY_OK};
    CU_ASSERT_EQUAL(tally_session_run(p->side[PAIR_RECEIVER].session, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, part) != NULL);
    if (!strstr(error.message, part))
        printf("'%s' expected: %s\n", part, error.message);
    pair_free(p);
}

static tally_session *fresh(pair *p)
{
    small_pair(p, SEMI, ONE);
    return p->side[PAIR_RECEIVER].session;
}

static void test_settings_that_cannot_run(void)
{
    pair p;
    tally_session *s;
    s = fresh(&p);
    tally_session_set_role(s, (enum tally_role)0);
    refused(&p, "role");
    s = fresh(&p);
    tally_session_set_security(s, (enum tally_security)7);
    refused(&p, "security");
    s = fresh(&p);
    tally_session_set_protocol(s, (enum tally_protocol)3);
    refused(&p, "the protocol is neither ecdh nor vole nor auto");
    s = fresh(&p);
    tally_session_set_protocol(s, TALLY_VOLE);
    tally_session_set_security(s, MALICIOUS);
    refused(&p, "the malicious model needs the protocol ecdh");
    s = fresh(&p);
    tally_session_set_reveal(s, (enum tally_reveal)2);
    refused(&p, "revealed");
    s = fresh(&p);
    tally_session_set_input(s, NULL);
    refused(&p, "input");
    s = fresh(&p);
    tally_session_set_transport(s, NULL, 0, 0);
    refused(&p, "listen, connect, transport and connection");
    s = fresh(&p);
    CU_ASSERT_EQUAL(tally_session_set_listen(s, "127.0.0.1:7440", NULL), TALLY_OK);
    refused(&p, "listen, connect, transport and connection");
    s = fresh(&p);
    tally_session_set_transport(s, &p.side[PAIR_RECEIVER].io, 1, 0);
    refused(&p, "identity");
    s = fresh(&p);
    tally_session_set_timeout(s, 0);
    refused(&p, "timeout");
    s = fresh(&p);
    tally_session_set_threads(s, 257);
    refused(&p, "256");
    s = fresh(&p);
    tally_session_set_role(s, TALLY_SENDER);
    CU_ASSERT_EQUAL(tally_session_set_output(s, "out.csv", 0, NULL), TALLY_OK);
    refused(&p, "output");
}

static void test_settings_refused_at_once(void)
{
    pair p;
    static const char good[] = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    small_pair(&p, SEMI, ONE);
    tally_session *s = p.side[PAIR_RECEIVER].session;
    CU_ASSERT_EQUAL(tally_session_set_listen(s, "nowhere", NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_connect(s, "host:0", NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_connect(s, ":7440", NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, "sha256:0011", NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, good + 7, NULL), TALLY_ERR_USAGE);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, good, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, good, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_input_add_key(p.side[PAIR_RECEIVER].input, "x", "no-such-profile", NULL),
                    TALLY_ERR_USAGE);
    /* Nothing of this keeps the session from running. */
    pair_run(&p);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_OK);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].row_count, 2);
    /* But once only. */
    CU_ASSERT_EQUAL(tally_session_run(s, NULL), TALLY_ERR_USAGE);
    pair_free(&p);
}

/* ---- TLS --------------------------------------------------------------------------------------------- */

static tally_identity *new_identity(const char *organisation)
{
    tally_identity *identity = NULL;
    char dir[200];
    snprintf(dir, sizeof dir, "%s/id", unit_tmp());
    CU_ASSERT_EQUAL(tally_identity_create(dir, organisation, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_identity_load(dir, &identity, NULL), TALLY_OK);
    return identity;
}

static void test_tls(void)
{
    tally_identity *bank = new_identity("Example Bank"), *court = new_identity("Example Court");
    for (int round = 0; round < 3;
         round++) { /* round 1: the sender is the TLS server; round 2: the bank pins itself */
        pair p;
        small_pair(&p, round ? MALICIOUS : SEMI, BOTH);
        pair_side *r = &p.side[PAIR_RECEIVER], *s = &p.side[PAIR_SENDER];
        tally_session_set_transport(r->session, &r->pipe, 1, round != 1);
        tally_session_set_transport(s->session, &s->pipe, 1, round == 1);
        tally_session_set_identity(r->session, bank);
        tally_session_set_identity(s->session, court);
        tally_session_set_timeout(r->session, 5);
        tally_session_set_timeout(s->session, 5);
        CU_ASSERT_EQUAL(tally_session_add_peer_pin(
                            r->session, tally_identity_fingerprint(round == 2 ? bank : court), NULL),
                        TALLY_OK);
        CU_ASSERT_EQUAL(tally_session_add_peer_pin(s->session, tally_identity_fingerprint(bank), NULL),
                        TALLY_OK);
        pair_run(&p);
        if (round < 2) {
            CU_ASSERT_EQUAL(r->status, TALLY_OK);
            CU_ASSERT_EQUAL(s->status, TALLY_OK);
            CU_ASSERT_EQUAL(r->row_count, 2);
            CU_ASSERT_EQUAL(s->row_count, 2);
            CU_ASSERT_EQUAL(r->result.bytes_sent, s->result.bytes_received);
            CU_ASSERT(r->result.bytes_sent > 1000); /* certificates included */
            json_t *j = summary_of(r->session);
            const json_t *peer = json_object_get(j, "peer");
            CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(peer, "fingerprint")),
                                   tally_identity_fingerprint(court));
            CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(peer, "subject")),
                                   tally_identity_subject(court));
            json_decref(j);
        } else {
            CU_ASSERT_EQUAL(r->status, TALLY_ERR_AUTH);
            CU_ASSERT(pair_category(s) == 5 || pair_category(s) == 6);
            CU_ASSERT(strstr(r->error.message, tally_identity_fingerprint(court)) != NULL);
            CU_ASSERT_EQUAL(r->row_count + s->row_count, 0);
        }
        pair_free(&p);
    }
    tally_identity_free(bank);
    tally_identity_free(court);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"small_sizes", test_small_sizes},
        {"equal_and_disjoint", test_equal_and_disjoint},
        {"long_against_short", test_long_against_short},
        {"random_overlaps", test_random_overlaps},
        {"more_threads", test_more_threads},
        {"learned_sentence", test_learned_sentence},
        {"summary", test_summary},
        {"version_json", test_version_json},
        {"status_names", test_status_names},
        {"callbacks", test_callbacks},
        {"caller_stops_at_a_match", test_caller_stops_at_a_match},
        {"differing_terms", test_differing_terms},
        {"differing_function_version", test_differing_function_version},
        {"input_fails_on_one_side", test_input_fails_on_one_side},
        {"cancel", test_cancel},
        {"cancel_without_peer", test_cancel_without_peer},
        {"settings_that_cannot_run", test_settings_that_cannot_run},
        {"settings_refused_at_once", test_settings_refused_at_once},
        {"tls", test_tls},
    };
    return unit_main(argc, argv, "session", tests, sizeof tests / sizeof *tests);
}
