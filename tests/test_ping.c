/* SPDX-License-Identifier: Apache-2.0 */
/* party/ping against a side that says what it likes: clocks, versions, a run, frames that are none. */
#include "party/calibration.h"
#include "party/ping.h"
#include "party/session.h"
#include "proto/frame.h"
#include "proto/ping.h"
#include "tests/support_tls.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What the other side answers, and what the ping makes of it. */
typedef struct play {
    const char *name;
    long long ahead_ms; /* of its clock */
    uint32_t low, high; /* protocol versions */
    enum wire_waits waits;
    uint8_t type; /* of its frame; 0: a ping */
    size_t cut;   /* bytes left out at the end of it */
    tally_status want;
    enum tally_ping_step step; /* the one to look at */
    enum tally_ping_state state;
} play;

typedef struct seen {
    enum tally_ping_state state[TALLY_PING_LINE + 1];
    int told[TALLY_PING_LINE + 1];
    int failed_message; /* each failure had a message */
} seen;

static char address[32];
static const play *now;

static void free_address(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
}

static tally_session *side(int connects)
{
    tally_session *s;
    CU_ASSERT_EQUAL_FATAL(tally_session_new(&s, NULL), TALLY_OK);
    tally_session_set_identity(s, connects ? bank : court);
    tally_session_set_timeout(s, 20);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, tally_identity_fingerprint(connects ? court : bank), NULL),
                    TALLY_OK);
    CU_ASSERT_EQUAL(connects ? tally_session_set_connect(s, address, NULL)
                             : tally_session_set_listen(s, address, NULL),
                    TALLY_OK);
    return s;
}

/* The side that listens, by the play. */
static void *answer(void *user)
{
    tally_session *s = user;
    party_frame frame;
    tally_ping found = {.met_run = 0};
    struct timespec t;
    if (party_session_listen(s, party_now_ms() + 20000, NULL) || party_session_link(s, NULL))
        return NULL;
    if (party_link_receive(s->link, &frame, NULL) == TALLY_OK) {
        uint8_t bytes[WIRE_PING_MAX];
        clock_gettime(CLOCK_REALTIME, &t);
        wire_ping own = {.waits = now->waits,
                         .clock_ms = (uint64_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000 + now->ahead_ms),
                         .version_min = now->low,
                         .version_max = now->high,
                         .software = "other 9"};
        size_t len = wire_ping_build(&own, bytes) - now->cut;
        uint8_t *buffer = party_link_buffer(len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(buffer);
        memcpy(buffer, bytes, len);
        party_frame_free(&frame);
        (void)!party_link_send(s->link, now->type ? now->type : WIRE_PING, buffer, len, NULL);
        if (now->want == TALLY_OK || now->step == TALLY_PING_CLOCKS)
            (void)!party_line_glance(s, &found, NULL);
    }
    party_session_close(s, 1);
    return NULL;
}

static void take(void *user, enum tally_ping_step step, enum tally_ping_state state,
                 const tally_error *detail)
{
    seen *s = user;
    s->state[step] = state;
    s->told[step]++;
    s->failed_message |= !detail->message[0];
}

static void test_plays(void)
{
    static const play plays[] = {
        {"as it should be", 0, 1, 1, WIRE_WAITS_PING, 0, 0, TALLY_OK, TALLY_PING_CLOCKS, TALLY_PING_OK},
        {"newer too", 2000, 1, 7, WIRE_WAITS_PING, 0, 0, TALLY_OK, TALLY_PING_VERSIONS, TALLY_PING_OK},
        {"a minute ahead", 60000, 1, 1, WIRE_WAITS_PING, 0, 0, TALLY_OK, TALLY_PING_CLOCKS,
         TALLY_PING_WARNED},
        {"a minute behind", -60000, 1, 1, WIRE_WAITS_PING, 0, 0, TALLY_OK, TALLY_PING_CLOCKS,
         TALLY_PING_WARNED},
        {"an hour ahead", 3600000, 1, 1, WIRE_WAITS_PING, 0, 0, TALLY_ERR_INCOMPATIBLE, TALLY_PING_CLOCKS,
         TALLY_PING_FAILED},
        {"newer only", 0, 2, 3, WIRE_WAITS_PING, 0, 0, TALLY_ERR_INCOMPATIBLE, TALLY_PING_VERSIONS,
         TALLY_PING_FAILED},
        {"a run", 0, 1, 1, WIRE_WAITS_RUN, 0, 0, TALLY_OK, TALLY_PING_TERMS, TALLY_PING_SKIPPED},
        {"another frame", 0, 1, 1, WIRE_WAITS_PING, WIRE_PROBE, 0, TALLY_ERR_MALFORMED, TALLY_PING_VERSIONS,
         TALLY_PING_FAILED},
        {"a frame cut", 0, 1, 1, WIRE_WAITS_PING, 0, 3, TALLY_ERR_MALFORMED, TALLY_PING_VERSIONS,
         TALLY_PING_FAILED}};
    party_line_limits(0.05, 1 << 20);
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        pthread_t thread;
        seen s = {.failed_message = 0};
        tally_ping found;
        tally_error error;
        now = &plays[i];
        free_address();
        tally_session *there = side(0), *here = side(1);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer, there), 0);
        tally_status st = tally_session_ping(here, take, &s, &found, &error);
        pthread_join(thread, NULL);
        if (st != now->want || s.state[now->step] != now->state)
            printf("%s: status %d, state %d: %s\n", now->name, st, (int)s.state[now->step], error.message);
        CU_ASSERT_EQUAL(st, now->want);
        CU_ASSERT(s.told[now->step] == 1 && s.state[now->step] == now->state && !s.failed_message);
        CU_ASSERT(s.told[TALLY_PING_RESOLVE] == 1 && s.told[TALLY_PING_AUTHENTICATE] == 1);
        CU_ASSERT_STRING_EQUAL(found.peer, tally_identity_fingerprint(court));
        CU_ASSERT(found.peer_not_after > 0 && found.own_not_after > 0);
        CU_ASSERT_EQUAL(found.met_run, now->waits == WIRE_WAITS_RUN);
        if (st == TALLY_OK || now->step == TALLY_PING_CLOCKS) {
            CU_ASSERT_DOUBLE_EQUAL(found.clock_ahead_seconds, (double)now->ahead_ms / 1000, 3);
            CU_ASSERT_EQUAL(found.sent_bits_per_second > 0, !found.met_run);
        } else {
            CU_ASSERT_EQUAL(s.told[TALLY_PING_LINE], 0);
        }
        CU_ASSERT(st == TALLY_OK || error.message[0]);
        /* A session is for one ping, or one run. */
        CU_ASSERT_EQUAL(tally_session_ping(here, take, &s, &found, &error), TALLY_ERR_USAGE);
        tally_session_free(here);
        tally_session_free(there);
    }
}

static void test_usage(void)
{
    tally_session *s;
    tally_ping found;
    tally_error error;
    free_address();
    CU_ASSERT_EQUAL_FATAL(tally_session_new(&s, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_ping(s, NULL, NULL, &found, &error), TALLY_ERR_USAGE);
    tally_session_set_identity(s, bank);
    CU_ASSERT_EQUAL(tally_session_ping(s, NULL, NULL, &found, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_connect(s, address, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_ping(s, NULL, NULL, &found, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(s, tally_identity_fingerprint(court), NULL), TALLY_OK);
    tally_session_set_role(s, TALLY_SENDER);
    CU_ASSERT_EQUAL(tally_session_ping(s, NULL, NULL, &found, &error),
                    TALLY_ERR_USAGE); /* terms need an input */
    tally_session_set_role(s, (enum tally_role)0);
    tally_session_set_timeout(s, 1);
    CU_ASSERT_EQUAL(tally_session_ping(s, NULL, NULL, &found, &error), TALLY_ERR_NETWORK); /* nobody there */
    CU_ASSERT(error.hint[0] != 0);
    tally_session_free(s);
}

/* ---- What a waiting run says ---- */

/* A heartbeat each 20 ms for a second; whoever hears it sees the link alive. */
static void *drip(void *user)
{
    const tally_transport *io = user;
    for (uint32_t n = 0; n < 50; n++) {
        uint8_t beat[WIRE_HEADER];
        wire_header_build(beat, &(wire_header){.sequence = n, .type = WIRE_HEARTBEAT});
        if (io->write(io->user, beat, sizeof beat, 1000) != sizeof beat)
            break;
        usleep(20000);
    }
    return NULL;
}

static void test_never_asked(void)
{
    tally_transport a, b;
    party_cancel cancel;
    pthread_t thread;
    tally_error error = {.message = ""};
    CU_ASSERT_EQUAL_FATAL(tally_pipe_new(&a, &b, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&cancel, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, drip, &b), 0);
    party_channel channel = {.io = a};
    int64_t began = party_now_ms();
    CU_ASSERT_EQUAL(party_ping_answer(&channel, began + 300, &cancel, &error), TALLY_ERR_TIMEOUT);
    CU_ASSERT(party_now_ms() - began < 800);
    a.shutdown(a.user);
    pthread_join(thread, NULL);
    party_cancel_close(&cancel);
    tally_pipe_free(&a);
    tally_pipe_free(&b);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"plays", test_plays}, {"usage", test_usage}, {"never_asked", test_never_asked}};
    identities_new();
    int status = unit_main(argc, argv, "ping", tests, sizeof tests / sizeof *tests);
    identities_free();
    return status;
}
