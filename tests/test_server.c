/* SPDX-License-Identifier: Apache-2.0 */
/* One place for the peers of several agreements: who reaches which entry, what the others hear, and sessions
 * on what was accepted. */
#include "party/agreement.h"
#include "party/held.h"
#include "party/identity.h"
#include "party/server.h"
#include "proto/ping.h"
#include "psi/mem.h"
#include "tests/support_held.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static tally_identity *other; /* a second bank */
static tally_agreement *with_bank, *with_other, *not_here;

static int free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&sa, len), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

/* Entry 0 is for the bank, entry 1 for the other. */
static tally_server *server_at(const char *address)
{
    tally_server *s = NULL;
    tally_error e = {.message = ""};
    CU_ASSERT_EQUAL_FATAL(tally_server_new(&s, held_identity[AGENCY], &e), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_server_add(s, with_bank, NULL, NULL, &e), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_server_add(s, with_other, NULL, NULL, &e), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_server_add_address(s, address, &e), TALLY_OK);
    return s;
}

/* A peer that speaks by itself: its first frame, and what comes back. */
struct caller {
    const tally_identity *identity;
    const tally_agreement *agreement; /* of its hello 1; NULL: none */
    int garbage;                      /* no hello 1 at all */
    int ping;                         /* announces a ping, and sends 1: one, 2: hello 1 */
    char address[40];
    tally_status connected;
    uint8_t type; /* of the answer; 0: the connection was closed */
    char digest[TALLY_FINGERPRINT_TEXT];
    pthread_t thread;
};

static void first_words(const struct caller *c, uint8_t **frame, size_t *len)
{
    wire_hello1 hello = {.version_min = 1, .version_max = 1};
    tally_session *with = NULL;
    tally_input *input = NULL;
    uint8_t *bytes = NULL;
    CU_ASSERT_EQUAL_FATAL(
        party_agreed_settings(c->agreement ? c->agreement : with_bank, TALLY_RECEIVER, &with, &input, NULL),
        TALLY_OK);
    with->input = input;
    with->identity = c->identity;
    with->agreement = c->agreement;
    CU_ASSERT_EQUAL(party_terms_fill(with, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(party_hold_say(with, &hello, NULL), TALLY_OK);
    hello.terms = with->terms;
    snprintf(hello.software, sizeof hello.software, "test");
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&hello, &bytes, len), TALLY_OK);
    *frame = malloc(*len + WIRE_HEADER);
    wire_header_build(*frame, &(wire_header){.length = (uint32_t)*len, .type = WIRE_HELLO1});
    memcpy(*frame + WIRE_HEADER, bytes, *len);
    *len += WIRE_HEADER;
    psi_free(bytes);
    tally_session_free(with);
    tally_input_free(input);
}

static void ping_words(uint8_t **frame, size_t *len)
{
    const wire_ping ping = {.waits = WIRE_WAITS_PING, .version_min = 1, .version_max = 1, .software = "test"};
    *frame = malloc(WIRE_HEADER + WIRE_PING_MAX);
    *len = wire_ping_build(&ping, *frame + WIRE_HEADER);
    wire_header_build(*frame, &(wire_header){.length = (uint32_t)*len, .type = WIRE_PING});
    *len += WIRE_HEADER;
}

static size_t read_all(const tally_transport *io, uint8_t *out, size_t len)
{
    size_t have = 0;
    for (int64_t until = party_now_ms() + 3000; have < len && party_now_ms() < until;) {
        long n = io->read(io->user, out + have, len - have, 100);
        if (n == TALLY_IO_END || n == TALLY_IO_FAILED)
            break;
        have += n > 0 ? (size_t)n : 0;
    }
    return have;
}

static void *call(void *arg)
{
    struct caller *c = arg;
    party_peer_rule rule = {.pin_count = 1};
    party_address address;
    party_cancel cancel;
    party_channel channel;
    uint8_t *frame = NULL, header[WIRE_HEADER];
    size_t len = 0;
    memcpy(rule.pins[0], held_identity[AGENCY]->fingerprint32, 32);
    if (party_cancel_init(&cancel, NULL) || party_address_parse(&address, c->address, 0, NULL))
        abort();
    const party_connect_options options = {.connect = &address,
                                           .identity = c->identity,
                                           .rule = &rule,
                                           .ping = c->ping,
                                           .deadline_ms = party_now_ms() + 5000,
                                           .cancel = &cancel};
    c->connected = party_channel_open(&channel, &options, NULL);
    if (c->connected) {
        party_cancel_close(&cancel);
        return NULL;
    }
    if (c->ping == 1)
        ping_words(&frame, &len);
    else
        first_words(c, &frame, &len);
    usleep(150000); /* longer than the server waits each time */
    if (c->garbage)
        frame[8] = WIRE_PROBE;
    for (size_t at = 0; at < len; at += 7) /* in pieces */
        CU_ASSERT(channel.io.write(channel.io.user, frame + at, len - at < 7 ? len - at : 7, 1000) > 0);
    if (read_all(&channel.io, header, sizeof header) == sizeof header) {
        uint32_t n = (uint32_t)header[2] << 8 | header[3];
        uint8_t *payload = malloc(n + 1);
        c->type = header[8];
        wire_hello1 *hello = malloc(sizeof *hello);
        const char *why = "";
        if (read_all(&channel.io, payload, n) == n && c->type == WIRE_HELLO1 &&
            wire_hello1_parse(hello, payload, n, &why) == TALLY_OK && hello->has_agreement)
            party_pin_text(c->digest, hello->agreement.digest32);
        free(hello);
        free(payload);
    }
    free(frame);
    party_channel_close(&channel);
    party_cancel_close(&cancel);
    return NULL;
}

struct told {
    int lines;
    char last[600];
};

static void keep(void *user, int level, const char *line)
{
    struct told *t = user;
    (void)level;
    t->lines++;
    snprintf(t->last, sizeof t->last, "%s", line);
}

/* What comes of a caller: the entry it reached, or -1. */
static int reach(struct caller *c, struct told *told)
{
    char address[40];
    size_t entry = 99;
    tally_connection *connection = NULL;
    tally_error e = {.message = ""};
    snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
    tally_server *s = server_at(address);
    memset(told, 0, sizeof *told);
    tally_server_on_log(s, keep, told);
    CU_ASSERT_EQUAL_FATAL(tally_server_listen(s, NULL, &e), TALLY_OK);
    memcpy(c->address, address, sizeof address);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&c->thread, NULL, call, c), 0);
    tally_status st = TALLY_ERR_TIMEOUT;
    for (int i = 0; st == TALLY_ERR_TIMEOUT && !told->lines && i < 100; i++)
        st = tally_server_accept(s, 50, &entry, &connection, &e);
    CU_ASSERT(st == TALLY_OK || st == TALLY_ERR_TIMEOUT);
    tally_connection_free(connection);
    pthread_join(c->thread, NULL);
    tally_server_free(s);
    return st ? -1 : (int)entry;
}

static void test_who_reaches_what(void)
{
    struct told told;
    const struct {
        const tally_identity *identity;
        const tally_agreement *agreement;
        int entry;
        const tally_agreement *answer;
    } callers[] = {
        {held_identity[BANK], with_bank, 0, NULL},
        {other, with_other, 1, NULL},
        {held_identity[BANK], with_other, -1, with_bank}, /* the right key, another's agreement */
        {other, with_bank, -1, with_other},               /* a good agreement, the wrong key */
        {held_identity[BANK], not_here, -1, with_bank},
        {other, NULL, -1, with_other},
    };
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        struct caller c = {.identity = callers[i].identity, .agreement = callers[i].agreement};
        CU_ASSERT_EQUAL(reach(&c, &told), callers[i].entry);
        CU_ASSERT_EQUAL(c.connected, TALLY_OK);
        /* A connection that nobody uses is told so; one that has no entry hears of the agreement it has. */
        CU_ASSERT_EQUAL(c.type, callers[i].answer ? WIRE_HELLO1 : WIRE_ABORT);
        CU_ASSERT_STRING_EQUAL(c.digest, callers[i].answer ? callers[i].answer->digest : "");
        CU_ASSERT_EQUAL(told.lines, callers[i].answer != NULL);
        CU_ASSERT(!callers[i].answer || strstr(told.last, "is known, and runs"));
    }
}

static void test_strangers(void)
{
    struct told told;
    /* The agency itself has a certificate that no entry expects. */
    struct caller c = {.identity = held_identity[AGENCY], .agreement = with_bank};
    CU_ASSERT_EQUAL(reach(&c, &told), -1);
    CU_ASSERT_EQUAL(c.connected, TALLY_ERR_AUTH);
    CU_ASSERT(strstr(told.last, "which no agreement here names") != NULL);
    c = (struct caller){.identity = held_identity[BANK], .agreement = with_bank, .garbage = 1};
    CU_ASSERT_EQUAL(reach(&c, &told), -1);
    CU_ASSERT(strstr(told.last, "does not want a run") != NULL);
}

/* A ping of a peer is answered and reaches no entry; who announces one gets nothing else. */
static void test_ping(void)
{
    struct told told;
    struct caller c = {.identity = held_identity[BANK], .agreement = with_bank, .ping = 1};
    CU_ASSERT_EQUAL(reach(&c, &told), -1);
    CU_ASSERT(c.connected == TALLY_OK && c.type == WIRE_PING);
    CU_ASSERT(strstr(told.last, "answered a ping of the other side") != NULL);
    c = (struct caller){.identity = held_identity[BANK], .agreement = with_bank, .ping = 2};
    CU_ASSERT_EQUAL(reach(&c, &told), -1);
    CU_ASSERT(c.connected == TALLY_OK && c.type == 0);
    CU_ASSERT(strstr(told.last, "announced a ping and began with hello 1") != NULL);
    c = (struct caller){.identity = held_identity[AGENCY], .agreement = with_bank, .ping = 1};
    CU_ASSERT_EQUAL(reach(&c, &told), -1); /* a stranger's */
    CU_ASSERT_EQUAL(c.connected, TALLY_ERR_AUTH);
}

/* ---- Sessions ---- */

struct ending {
    tally_session *session;
    tally_status status;
    tally_error error;
    pthread_t thread;
};

static void *run_session(void *arg)
{
    struct ending *e = arg;
    e->status = tally_session_run(e->session, &e->error);
    return NULL;
}

/* The bank's session as the command has it, the agency's on what the server accepted, with agreements that
 * may differ from the entry's. */
static void run_both(held_run *r, const char *address, tally_server *s, struct ending ends[2])
{
    size_t entry = 99;
    tally_connection *connection = NULL;
    tally_error e = {.message = ""};
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct ending){.session = r->p.side[i].session};
        ends[i].session->transport = NULL;
    }
    CU_ASSERT_EQUAL_FATAL(tally_session_set_connect(ends[BANK].session, address, &e), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&ends[BANK].thread, NULL, run_session, &ends[BANK]), 0);
    CU_ASSERT_EQUAL_FATAL(tally_server_accept(s, 5000, &entry, &connection, &e), TALLY_OK);
    CU_ASSERT_EQUAL(entry, 0);
    CU_ASSERT(strncmp(tally_connection_from(connection), "127.0.0.1:", 10) == 0);
    tally_session_set_connection(ends[AGENCY].session, connection);
    run_session(&ends[AGENCY]);
    pthread_join(ends[BANK].thread, NULL);
}

static void test_session(void)
{
    char address[40];
    held_run r;
    struct ending ends[2];
    snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
    tally_server *s = server_at(address);
    CU_ASSERT_EQUAL_FATAL(tally_server_listen(s, NULL, NULL), TALLY_OK);
    for (int n = 0; n < 2; n++) { /* one after the other */
        tally_result result;
        held_begin(&r, with_bank, with_bank, 20, held_fresh());
        run_both(&r, address, s, ends);
        CU_ASSERT_EQUAL(ends[BANK].status, TALLY_OK);
        CU_ASSERT_EQUAL(ends[AGENCY].status, TALLY_OK);
        tally_session_get_result(ends[BANK].session, &result);
        CU_ASSERT_EQUAL(result.matched_items, 18);
        CU_ASSERT_EQUAL(held_last(r.ledger[AGENCY]).exit_status, 0);
        held_end(&r);
    }
    /* A list that cannot be used: the peer hears it at once. */
    held_begin(&r, with_bank, with_bank, 20, held_fresh());
    CU_ASSERT_EQUAL(tally_input_set_file(r.p.side[AGENCY].input, "/nonexistent.csv", NULL), TALLY_OK);
    int64_t began = party_now_ms();
    run_both(&r, address, s, ends);
    CU_ASSERT(party_now_ms() - began < 2500);
    CU_ASSERT_EQUAL(ends[AGENCY].status, TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(ends[BANK].status, TALLY_ERR_PEER_STOPPED);
    held_end(&r);
    /* A session of another agreement does not take the connection. */
    held_begin(&r, with_bank, with_other, 20, held_fresh());
    run_both(&r, address, s, ends);
    CU_ASSERT_EQUAL(ends[AGENCY].status, TALLY_ERR_AUTH);
    CU_ASSERT(ends[BANK].status != TALLY_OK);
    held_end(&r);
    tally_server_free(s);
}

static void test_sockets_move(void)
{
    char address[2][40];
    tally_error e = {.message = ""};
    size_t entry;
    tally_connection *connection;
    for (int i = 0; i < 2; i++)
        snprintf(address[i], sizeof address[i], "127.0.0.1:%d", free_port());
    tally_server *a = server_at(address[0]), *b = server_at(address[0]), *c = server_at(address[1]);
    CU_ASSERT_EQUAL_FATAL(tally_server_listen(a, NULL, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_server_listen(b, NULL, &e), TALLY_ERR_NETWORK);
    CU_ASSERT_EQUAL(tally_server_listen(b, a, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_server_accept(a, 10, &entry, &connection, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_server_listen(c, b, &e), TALLY_OK);
    tally_server_wake(c);
    CU_ASSERT_EQUAL(tally_server_accept(c, 5000, &entry, &connection, &e), TALLY_ERR_INTERRUPTED);
    CU_ASSERT_EQUAL(tally_server_accept(c, 10, &entry, &connection, &e), TALLY_ERR_TIMEOUT);
    tally_server_free(c);
    tally_server_free(b);
    tally_server_free(a);
}

/* A wake whose flag was taken back between its two halves still ends the wait: it would spin otherwise. */
static void test_half_a_wake(void)
{
    const party_connect_options options = {.identity = held_identity[AGENCY]};
    const uint64_t one = 1;
    party_listener *l = NULL;
    party_cancel wake;
    party_arrival arrival;
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&wake, NULL), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_listener_new(&l, &options, NULL, NULL, NULL, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(write(wake.fd, &one, sizeof one), sizeof one);
    CU_ASSERT_EQUAL(party_listener_next(l, NULL, 0, party_now_ms() + 100, &wake, &arrival),
                    TALLY_ERR_INTERRUPTED);
    party_listener_free(l);
    party_cancel_close(&wake);
}

/* A program that only looks, and never waits, gets its peers too. */
static void test_polled(void)
{
    size_t entry = 99;
    tally_connection *connection = NULL;
    tally_error e = {.message = ""};
    struct caller c = {.identity = held_identity[BANK], .agreement = with_bank};
    snprintf(c.address, sizeof c.address, "127.0.0.1:%d", free_port());
    tally_server *s = server_at(c.address);
    CU_ASSERT_EQUAL_FATAL(tally_server_listen(s, NULL, &e), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&c.thread, NULL, call, &c), 0);
    tally_status st = TALLY_ERR_TIMEOUT;
    for (int i = 0; st == TALLY_ERR_TIMEOUT && i < 1000; i++) {
        usleep(5000);
        st = tally_server_accept(s, 0, &entry, &connection, &e);
    }
    CU_ASSERT_EQUAL(st, TALLY_OK);
    CU_ASSERT_EQUAL(entry, 0);
    tally_connection_free(connection);
    pthread_join(c.thread, NULL);
    tally_server_free(s);
}

static void test_entries(void)
{
    char address[40];
    tally_server *s = server_at("127.0.0.1:1");
    tally_error e = {.message = ""};
    CU_ASSERT_EQUAL(tally_server_add(s, with_bank, NULL, NULL, &e), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(e.message, "there twice") != NULL);
    tally_server_free(s);
    CU_ASSERT_EQUAL_FATAL(tally_server_new(&s, other, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_server_add(s, with_bank, NULL, NULL, &e), TALLY_ERR_POLICY); /* not its agreement */
    CU_ASSERT_EQUAL(tally_server_listen(s, NULL, &e), TALLY_ERR_USAGE);
    tally_server_free(s);
    /* Its handshakes read the entries from then on. */
    snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
    s = server_at(address);
    CU_ASSERT_EQUAL_FATAL(tally_server_listen(s, NULL, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_server_add(s, not_here, NULL, NULL, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_server_add_address(s, "127.0.0.1:1", &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_server_listen(s, NULL, &e), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(e.message, "listens already") != NULL);
    tally_server_free(s);
}

static void test_check(void)
{
    held_run r;
    tally_agreement *over = held_agreed(held_match, "valid-until: 2099", "valid-until: 2021");
    held_begin(&r, with_bank, over, 5, held_fresh());
    for (int i = 0; i < 2; i++) {
        tally_error e = {.message = ""};
        tally_session *s = r.p.side[i].session;
        s->transport = NULL;
        CU_ASSERT_EQUAL(tally_session_set_listen(s, "127.0.0.1:1", &e), TALLY_OK);
        CU_ASSERT_EQUAL(tally_session_check(s, &e), i == BANK ? TALLY_OK : TALLY_ERR_POLICY);
        CU_ASSERT(i == BANK || strstr(e.message, "valid-until") != NULL);
        CU_ASSERT_EQUAL(tally_session_run(s, &e), TALLY_ERR_USAGE);
        uint64_t runs = 9;
        CU_ASSERT_EQUAL(tally_ledger_runs(r.ledger[i], &runs, &e), TALLY_OK);
        CU_ASSERT_EQUAL(runs, 0);
    }
    held_end(&r);
    tally_agreement_free(over);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"who_reaches_what", test_who_reaches_what},
        {"strangers", test_strangers},
        {"session", test_session},
        {"sockets_move", test_sockets_move},
        {"entries", test_entries},
        {"check", test_check},
        {"ping", test_ping},
        {"half_a_wake", test_half_a_wake},
        {"polled", test_polled},
    };
    char dir[200];
    held_start();
    tally_identity *own = held_identity[BANK];
    snprintf(dir, sizeof dir, "%s/other", unit_tmp());
    if (tally_identity_create(dir, "other", NULL) || tally_identity_load(dir, &other, NULL))
        abort();
    with_bank = held_agreed(held_match, "", "");
    not_here = held_agreed(held_match, "purpose: debts", "purpose: others");
    held_identity[BANK] = other;
    with_other = held_agreed(held_count, "organisation: Bank", "organisation: Other");
    held_identity[BANK] = own;
    int status = unit_main(argc, argv, "server", tests, sizeof tests / sizeof *tests);
    tally_agreement_free(with_other);
    tally_agreement_free(not_here);
    tally_agreement_free(with_bank);
    tally_identity_free(other);
    return status;
}
