/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring a line: what both sides find, a peer that does something else, probes that are none. */
#include "party/calibration.h"
#include "party/session.h"
#include "psi/mem.h"
#include "tests/support_tls.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One side in a thread of its own. */
typedef struct measuring {
    tally_session *session;
    tally_calibration calibration;
    tally_line line;
    void (*hostile)(tally_session *s); /* in place of measuring */
    tally_status status;
    tally_error error;
    pthread_t thread;
} measuring;

static void *run(void *user)
{
    measuring *m = user;
    if (!m->hostile) {
        m->status = tally_session_measure_line(m->session, &m->calibration, &m->line, &m->error);
        return NULL;
    }
    m->status = party_session_open(m->session, &m->error);
    if (m->status)
        return NULL;
    m->hostile(m->session);
    party_session_close(m->session, 0);
    return NULL;
}

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void prepare(measuring m[2], void (*hostile)(tally_session *))
{
    char address[32];
    const tally_identity *const who[2] = {court, bank};
    snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
    for (int i = 0; i < 2; i++) {
        m[i] = (measuring){.hostile = i ? hostile : NULL};
        CU_ASSERT_EQUAL_FATAL(tally_session_new(&m[i].session, NULL), TALLY_OK);
        tally_session_set_identity(m[i].session, who[i]);
        tally_session_set_timeout(m[i].session, 20);
        CU_ASSERT_EQUAL_FATAL(
            tally_session_add_peer_pin(m[i].session, tally_identity_fingerprint(who[!i]), NULL), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(i ? tally_session_set_connect(m[i].session, address, NULL)
                                : tally_session_set_listen(m[i].session, address, NULL),
                              TALLY_OK);
    }
}

static void both(measuring m[2])
{
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&m[i].thread, NULL, run, &m[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(m[i].thread, NULL);
    for (int i = 0; i < 2; i++)
        tally_session_free(m[i].session);
}

static void test_both_find_the_same(void)
{
    measuring m[2];
    party_line_limits(0.2, 16 << 20);
    prepare(m, NULL);
    both(m);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(m[i].status, TALLY_OK);
        CU_ASSERT_STRING_EQUAL(m[i].line.peer, tally_identity_fingerprint(i ? court : bank));
        CU_ASSERT(m[i].line.sent_bits_per_second > 1e6 && m[i].line.sent_bits_per_second < 1e13);
        /* a side is told what the other saw, in whole bits */
        CU_ASSERT_DOUBLE_EQUAL(m[i].line.sent_bits_per_second, m[!i].line.received_bits_per_second, 1);
        CU_ASSERT(m[i].line.round_trip_seconds >= 0 && m[i].line.round_trip_seconds < 1);
        const party_line *kept = party_calibration_line(&m[i].calibration, m[i].line.peer);
        CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
        CU_ASSERT_EQUAL(kept->sent_bits, m[i].line.sent_bits_per_second);
        CU_ASSERT_EQUAL(m[i].calibration.line_count, 1);
    }
}

/* A second measurement of a peer replaces the first, and a full table loses its oldest line. */
static void test_table(void)
{
    measuring m[2];
    party_line_limits(0.05, 1 << 20);
    prepare(m, NULL);
    for (size_t i = 0; i < PARTY_LINES_MAX; i++) {
        party_line *line = &m[0].calibration.lines[i];
        snprintf(line->peer, sizeof line->peer, "sha256:%064zu", i);
        line->measured = i == 7 ? 1 : 100;
    }
    m[0].calibration.line_count = PARTY_LINES_MAX;
    snprintf(m[1].calibration.lines[0].peer, sizeof m[1].calibration.lines[0].peer, "%s",
             tally_identity_fingerprint(court));
    m[1].calibration.line_count = 1;
    both(m);
    CU_ASSERT_EQUAL(m[0].status, TALLY_OK);
    CU_ASSERT_EQUAL(m[0].calibration.line_count, PARTY_LINES_MAX);
    CU_ASSERT_STRING_EQUAL(m[0].calibration.lines[7].peer, tally_identity_fingerprint(bank));
    CU_ASSERT_EQUAL(m[1].status, TALLY_OK);
    CU_ASSERT_EQUAL(m[1].calibration.line_count, 1);
    CU_ASSERT(m[1].calibration.lines[0].sent_bits > 0);
}

static void put(tally_session *s, uint8_t type, size_t len)
{
    /* the other side may have gone already */
    (void)!party_link_send(s->link, type, party_link_buffer(len), len, NULL);
}

static void pings(tally_session *s)
{
    party_frame frame;
    for (int i = 0; i < 20; i++) {
        put(s, WIRE_PROBE, 1);
        if (party_link_receive(s->link, &frame, NULL) == TALLY_OK)
            party_frame_free(&frame);
    }
}

static void wait_for_its_end(tally_session *s)
{
    party_frame frame;
    while (party_link_receive(s->link, &frame, NULL) == TALLY_OK)
        party_frame_free(&frame);
}

static void says_hello(tally_session *s)
{
    put(s, WIRE_HELLO1, 100);
    wait_for_its_end(s);
}

static void long_ping(tally_session *s)
{
    put(s, WIRE_PROBE, 2);
    wait_for_its_end(s);
}

static void short_bulk(tally_session *s)
{
    pings(s);
    put(s, WIRE_PROBE, 1000);
    wait_for_its_end(s);
}

static void endless_bulk(tally_session *s)
{
    party_frame frame;
    unsigned ready = 0;
    pings(s);
    for (int i = 0; i < 1000; i++) {
        put(s, WIRE_PROBE, WIRE_PROBE_MAX);
        if (party_link_wait(s->link, PARTY_CAN_SEND | PARTY_CAN_RECEIVE, &ready, NULL))
            return;
        if ((ready & PARTY_CAN_RECEIVE) && party_link_receive(s->link, &frame, NULL) == TALLY_OK)
            party_frame_free(&frame);
    }
}

/* Takes the bulk of a side that connects, and says that it saw nothing, or more than there can be. */
static void says_rate(tally_session *s, uint8_t byte)
{
    uint8_t *payload = party_link_buffer(9);
    pings(s);
    put(s, WIRE_PROBE, WIRE_PROBE_MAX);
    put(s, WIRE_PROBE, WIRE_PROBE_MAX);
    put(s, WIRE_PROBE, WIRE_PROBE_MAX);
    put(s, WIRE_PROBE, 9);
    party_frame frame;
    if (party_link_receive(s->link, &frame, NULL) == TALLY_OK) /* the rate of the above */
        party_frame_free(&frame);
    memset(payload, byte, 9);
    (void)!party_link_send(s->link, WIRE_PROBE, payload, 9, NULL);
    wait_for_its_end(s);
}

static void says_zero(tally_session *s)
{
    says_rate(s, 0);
}

static void says_too_much(tally_session *s)
{
    says_rate(s, 0xff);
}

static void nothing(tally_session *s)
{
    (void)s;
}

static void test_hostile(void)
{
    static const struct {
        void (*peer)(tally_session *);
        tally_status status;
        const char *says;
    } cases[] = {{says_hello, TALLY_ERR_INCOMPATIBLE, "does not measure the line"},
                 {long_ping, TALLY_ERR_MALFORMED, "has 2 bytes, not 1"},
                 {short_bulk, TALLY_ERR_MALFORMED, "do not end, or have another length"},
                 {endless_bulk, TALLY_ERR_MALFORMED, "do not end, or have another length"},
                 {says_zero, TALLY_ERR_MALFORMED, "saw 0 bits a second"},
                 {says_too_much, TALLY_ERR_MALFORMED, "saw 18446744073709551615 bits a second"},
                 {nothing, TALLY_ERR_NETWORK, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        measuring m[2];
        party_line_limits(0.1, 4 << 20);
        prepare(m, cases[i].peer);
        both(m);
        CU_ASSERT_EQUAL(m[1].status, TALLY_OK);
        CU_ASSERT_EQUAL(m[0].status, cases[i].status);
        CU_ASSERT(strstr(m[0].error.message, cases[i].says) != NULL);
        CU_ASSERT_EQUAL(m[0].calibration.line_count, 0);
    }
}

/* A session refuses probes, as it does every frame that its table does not expect. */
static void test_not_in_a_session(void)
{
    party_state state;
    uint64_t first, units;
    uint8_t zero[1] = {0};
    tally_error error;
    party_state_init(&state);
    const party_frame frame = {.type = WIRE_PROBE, .length = 1, .payload = zero};
    CU_ASSERT_EQUAL(party_state_take(&state, &frame, &first, &units, &error), TALLY_ERR_MALFORMED);
}

static void test_settings(void)
{
    measuring m[2];
    tally_error error;
    prepare(m, NULL);
    tally_session *none;
    CU_ASSERT_EQUAL_FATAL(tally_session_new(&none, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_measure_line(none, &m[0].calibration, &m[0].line, &error), TALLY_ERR_USAGE);
    tally_session_free(none);
    tally_session_cancel(m[0].session);
    CU_ASSERT_EQUAL(tally_session_measure_line(m[0].session, &m[0].calibration, &m[0].line, &error),
                    TALLY_ERR_INTERRUPTED);
    /* once */
    CU_ASSERT_EQUAL(tally_session_measure_line(m[0].session, &m[0].calibration, &m[0].line, &error),
                    TALLY_ERR_USAGE);
    for (int i = 0; i < 2; i++)
        tally_session_free(m[i].session);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"both_find_the_same", test_both_find_the_same},
                                      {"table", test_table},
                                      {"hostile", test_hostile},
                                      {"not_in_a_session", test_not_in_a_session},
                                      {"settings", test_settings}};
    identities_new();
    int status = unit_main(argc, argv, "line", tests, sizeof tests / sizeof *tests);
    identities_free();
    return status;
}
