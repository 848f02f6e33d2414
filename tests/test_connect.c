/* SPDX-License-Identifier: Apache-2.0 */
/* From addresses to an authenticated stream: orders of starting, strangers, deadlines, cancel, byte counts.
 */
#include "party/connect.h"
#include "psi/mem.h"
#include "tests/support_cert.h"
#include "tests/support_tls.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One party_channel_open in a thread of its own, with its log kept. */
struct end {
    party_connect_options options;
    party_address address;
    party_peer_rule rule;
    party_cancel cancel;
    party_channel channel;
    tally_status status;
    tally_error error;
    int64_t ended;
    pthread_t thread, self;   /* self: as the thread itself sees it */
    int lines, foreign_lines; /* log lines, and those from another thread */
    char log[8192];
};

static void keep_line(void *user, int level, const char *line)
{
    struct end *e = user;
    size_t at = strlen(e->log);
    e->lines++;
    e->foreign_lines += !pthread_equal(pthread_self(), e->self);
    snprintf(e->log + at, sizeof e->log - at, "%d %s\n", level, line);
}

static void *open_channel(void *arg)
{
    struct end *e = arg;
    e->self = pthread_self();
    e->status = party_channel_open(&e->channel, &e->options, &e->error);
    e->ended = party_now_ms();
    return NULL;
}

static void end_init(struct end *e, const tally_identity *own, const tally_identity *peer, int timeout_ms)
{
    memset(e, 0, sizeof *e);
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&e->cancel, NULL), TALLY_OK);
    e->rule = pin_of(peer);
    e->options = (party_connect_options){.identity = own,
                                         .rule = &e->rule,
                                         .deadline_ms = party_now_ms() + timeout_ms,
                                         .cancel = &e->cancel,
                                         .log = keep_line,
                                         .log_user = e};
}

static void set_address(struct end *e, int listens, const char *host, int port)
{
    snprintf(e->address.host, sizeof e->address.host, "%s", host);
    snprintf(e->address.port, sizeof e->address.port, "%u", (unsigned)port & 0xffff);
    if (listens)
        e->options.listen = &e->address;
    else
        e->options.connect = &e->address;
}

static void start(struct end *e)
{
    CU_ASSERT_EQUAL_FATAL(pthread_create(&e->thread, NULL, open_channel, e), 0);
}

static void await(struct end *e)
{
    pthread_join(e->thread, NULL);
}

static void end_free(struct end *e)
{
    party_channel_close(&e->channel);
    party_cancel_close(&e->cancel);
}

/* Both say goodbye before either waits for the other's, as two parties do. */
static void both_free(struct end *a, struct end *b)
{
    struct end *const both[2] = {a, b};
    for (int i = 0; i < 2; i++)
        if (both[i]->channel.io.shutdown)
            both[i]->channel.io.shutdown(both[i]->channel.io.user);
    end_free(a);
    end_free(b);
}

static int says(const char *text, const char *wanted)
{
    int found = strstr(text, wanted) != NULL;
    if (!found)
        printf("expected \"%s\" in \"%s\"\n", wanted, text);
    return found;
}

static int bound(int family, int *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM, 0), on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, sa, len) || getsockname(fd, sa, &len)) {
        close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

/* A port nobody has; 0 when the family is not available. */
static int free_port(int family)
{
    int port = 0, fd = bound(family, &port);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? port : 0;
}

/* A plain connection to 127.0.0.1; waits until somebody listens. */
static int knock(int port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 400; i++, usleep(5000)) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
            return fd;
        close(fd);
    }
    CU_FAIL_FATAL("nobody listens");
    return -1;
}

static void check_talk(struct end *a, struct end *b)
{
    char got[8] = "";
    uint64_t sent[2], received[2];
    CU_ASSERT_EQUAL_FATAL(a->status, TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(b->status, TALLY_OK);
    CU_ASSERT_EQUAL(a->channel.io.write(a->channel.io.user, "ping", 4, 1000), 4);
    CU_ASSERT_EQUAL(b->channel.io.read(b->channel.io.user, got, sizeof got, 1000), 4);
    CU_ASSERT_STRING_EQUAL(got, "ping");
    CU_ASSERT(memcmp(a->channel.binding, b->channel.binding, 32) == 0);
    CU_ASSERT(memcmp(a->channel.own_fingerprint, b->channel.peer_fingerprint, 32) == 0);
    CU_ASSERT(memcmp(b->channel.own_fingerprint, a->channel.peer_fingerprint, 32) == 0);
    party_channel_bytes(&a->channel, &sent[0], &received[0]);
    party_channel_bytes(&b->channel, &sent[1], &received[1]);
    CU_ASSERT_EQUAL(sent[0], received[1]);
    CU_ASSERT_EQUAL(sent[1], received[0]);
    CU_ASSERT(sent[0] >= 4 && sent[0] < 10000);
    CU_ASSERT(a->foreign_lines == 0 && b->foreign_lines == 0);
}

static void meet(int family, const char *host, int connect_first)
{
    struct end server, client;
    int port = free_port(family);
    end_init(&server, court, bank, 5000);
    end_init(&client, bank, court, 5000);
    set_address(&server, 1, host, port);
    set_address(&client, 0, host, port);
    int64_t began = party_now_ms();
    start(connect_first ? &client : &server);
    if (connect_first)
        usleep(100000);
    start(connect_first ? &server : &client);
    await(&server);
    await(&client);
    CU_ASSERT(party_now_ms() - began < 2000);
    check_talk(&client, &server);
    CU_ASSERT(memcmp(client.channel.peer_fingerprint, court->fingerprint32, 32) == 0);
    CU_ASSERT_STRING_EQUAL(client.channel.peer_subject, "CN=court,O=Example Court");
    CU_ASSERT_STRING_EQUAL(server.channel.peer_subject, "CN=bank,O=示例银行");
    if (connect_first)
        CU_ASSERT(says(client.log, "refused; trying again"));
    both_free(&client, &server);
}

static void test_listen_first(void)
{
    meet(AF_INET, "127.0.0.1", 0);
}

static void test_connect_first(void)
{
    meet(AF_INET, "127.0.0.1", 1);
}

static void test_ipv6(void)
{
    if (!free_port(AF_INET6)) {
        printf("no IPv6 loopback here; skipped\n");
        CU_PASS("no IPv6 loopback");
        return;
    }
    meet(AF_INET6, "::1", 0);
}

static void test_all_addresses(void)
{
    struct end server, client;
    int port = free_port(AF_INET);
    end_init(&server, court, bank, 5000);
    end_init(&client, bank, court, 5000);
    set_address(&server, 1, "", port);
    set_address(&client, 0, "127.0.0.1", port);
    start(&server);
    start(&client);
    await(&server);
    await(&client);
    check_talk(&server, &client);
    both_free(&server, &client);
}

/* A port scan, garbage, a silent stranger and the wrong key come first; the peer comes last and waits for
 * nobody. */
static void test_strangers(void)
{
    struct end server, client, wrong;
    int port = free_port(AF_INET);
    struct linger reset = {.l_onoff = 1};
    end_init(&server, court, bank, 8000);
    set_address(&server, 1, "127.0.0.1", port);
    start(&server);
    int scan = knock(port), rude = knock(port), garbage = knock(port), silent[3];
    close(scan);
    setsockopt(rude, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(rude);
    CU_ASSERT_EQUAL(write(garbage, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    for (int i = 0; i < 3; i++)
        silent[i] = knock(port);
    end_init(&wrong, stranger, court, 8000);
    set_address(&wrong, 0, "127.0.0.1", port);
    int64_t began = party_now_ms();
    start(&wrong);
    await(&wrong);
    CU_ASSERT_EQUAL(wrong.status, TALLY_ERR_AUTH); /* at once, not at its deadline */
    CU_ASSERT(wrong.ended - began < 1500);
    CU_ASSERT(says(wrong.error.message, "refused our certificate"));
    usleep(50000);
    end_init(&client, bank, court, 8000);
    set_address(&client, 0, "127.0.0.1", port);
    began = party_now_ms();
    start(&client);
    await(&client);
    await(&server);
    CU_ASSERT(party_now_ms() - began < 2000);
    check_talk(&client, &server);
    CU_ASSERT(says(server.log, "dropped a connection from 127.0.0.1:"));
    CU_ASSERT(says(server.log, "closed the connection during the handshake"));
    CU_ASSERT(says(server.log, "does not speak TLS 1.3"));
    CU_ASSERT(says(server.log, tally_identity_fingerprint(stranger)));
    /* The silent ones were let go of without waiting for their 10 s. */
    char byte;
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(read(silent[i], &byte, 1) <= 0);
        close(silent[i]);
    }
    close(garbage);
    end_free(&wrong);
    both_free(&client, &server);
}

/* More strangers than there may be handshakes, all of them silent and all from the peer's own address: they
 * stay, and the peer is let in all the same. What is said about them is bounded. */
static void test_crowd(void)
{
    struct end server, client;
    int port = free_port(AF_INET), fds[280];
    end_init(&server, court, bank, 8000);
    end_init(&client, bank, court, 8000);
    set_address(&server, 1, "127.0.0.1", port);
    set_address(&client, 0, "127.0.0.1", port);
    start(&server);
    for (int i = 0; i < 280; i++)
        fds[i] = knock(port);
    usleep(50000);
    int64_t began = party_now_ms();
    start(&client);
    await(&client);
    await(&server);
    printf("the peer was let in after %lld ms\n", (long long)(client.ended - began));
    CU_ASSERT(client.ended - began < 5000);
    check_talk(&client, &server);
    CU_ASSERT(server.lines > 2 && server.lines < 80);
    CU_ASSERT(says(server.log, "too many connections of that address at once"));
    for (int i = 0; i < 280; i++)
        close(fds[i]);
    both_free(&client, &server);
}

static void test_deadlines(void)
{
    struct end e, wrong;
    int port = free_port(AF_INET);
    end_init(&e, court, bank, 150);
    set_address(&e, 1, "127.0.0.1", port);
    int64_t began = party_now_ms();
    start(&e);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_TIMEOUT);
    CU_ASSERT(says(e.error.message, "the other side did not connect to 127.0.0.1:"));
    CU_ASSERT(e.error.hint[0] && e.ended - began >= 145 && e.ended - began < 1000);
    end_free(&e);
    end_init(&e, bank, court, 150);
    set_address(&e, 0, "127.0.0.1", port);
    start(&e);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_TIMEOUT);
    CU_ASSERT(says(e.error.message, "refused"));
    CU_ASSERT(e.error.hint[0] != 0);
    end_free(&e);
    /* A stranger was refused: the deadline's outcome tells so. */
    end_init(&e, court, bank, 600);
    end_init(&wrong, stranger, court, 5000);
    set_address(&e, 1, "127.0.0.1", port);
    set_address(&wrong, 0, "127.0.0.1", port);
    start(&e);
    start(&wrong);
    await(&wrong);
    await(&e);
    CU_ASSERT_EQUAL(wrong.status, TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_AUTH);
    CU_ASSERT(says(e.error.message, "(1 refused); the last, from 127.0.0.1:"));
    CU_ASSERT(says(e.error.message, tally_identity_fingerprint(stranger)));
    end_free(&e);
    end_free(&wrong);
    /* A silent stranger at the deadline is no reason to wait longer, nor a refusal. */
    end_init(&e, court, bank, 300);
    set_address(&e, 1, "127.0.0.1", port);
    began = party_now_ms();
    start(&e);
    int silent = knock(port);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_TIMEOUT);
    CU_ASSERT(e.ended - began < 1000);
    close(silent);
    end_free(&e);
}

static void test_wrong_server_at_once(void)
{
    struct end server, client;
    int port = free_port(AF_INET);
    end_init(&server, stranger, bank, 800);
    end_init(&client, bank, court, 8000);
    set_address(&server, 1, "127.0.0.1", port);
    set_address(&client, 0, "127.0.0.1", port);
    int64_t began = party_now_ms();
    start(&server);
    start(&client);
    await(&client);
    CU_ASSERT_EQUAL(client.status, TALLY_ERR_AUTH);
    CU_ASSERT(client.ended - began < 2000);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "the other side at 127.0.0.1:%d has fingerprint sha256:", port);
    CU_ASSERT(says(client.error.message, wanted));
    await(&server);
    CU_ASSERT_EQUAL(server.status, TALLY_ERR_AUTH);
    CU_ASSERT(says(server.error.message, "refused our certificate"));
    both_free(&server, &client);
}

/* Somebody accepts and goes away, twice; then the peer comes to the same port. */
static void test_listener_going_away(void)
{
    struct end server, client;
    int port = 0, fd = bound(AF_INET, &port);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CU_ASSERT_EQUAL_FATAL(listen(fd, 4), 0);
    end_init(&server, court, bank, 6000);
    end_init(&client, bank, court, 6000);
    set_address(&server, 1, "127.0.0.1", port);
    set_address(&client, 0, "127.0.0.1", port);
    start(&client);
    for (int i = 0; i < 2; i++) {
        poll(&p, 1, 3000);
        int one = accept(fd, NULL, NULL);
        CU_ASSERT(one >= 0);
        if (one >= 0)
            close(one);
    }
    close(fd);
    start(&server);
    await(&client);
    await(&server);
    check_talk(&client, &server);
    CU_ASSERT(says(client.log, "during the handshake; trying again"));
    both_free(&client, &server);
}

static void test_cancel(void)
{
    for (int listens = 0; listens < 2; listens++) {
        struct end e;
        int port = free_port(AF_INET), silent = -1;
        end_init(&e, court, bank, 20000);
        set_address(&e, listens, "127.0.0.1", port);
        start(&e);
        if (listens)
            silent = knock(port); /* and a handshake under way */
        usleep(400000);
        int64_t at = party_now_ms();
        party_cancel_raise(&e.cancel);
        await(&e);
        CU_ASSERT_EQUAL(e.status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT(e.ended - at < 300);
        if (silent >= 0)
            close(silent);
        end_free(&e);
    }
}

static void test_at_once(void)
{
    struct end e;
    int port = 0, fd = bound(AF_INET, &port);
    tally_identity *old = cert_identity(&(cert_spec){.common = "old", .from_s = -7200, .to_s = -60});
    int64_t began = party_now_ms();
    for (int listens = 0; listens < 2; listens++) {
        end_init(&e, old, bank, 20000);
        set_address(&e, listens, "127.0.0.1", port);
        start(&e);
        await(&e);
        CU_ASSERT_EQUAL(e.status, TALLY_ERR_AUTH);
        CU_ASSERT(says(e.error.message, "our own certificate expired on 2"));
        end_free(&e);
    }
    CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    end_init(&e, court, bank, 20000); /* the port is taken */
    set_address(&e, 1, "127.0.0.1", port);
    start(&e);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_NETWORK);
    CU_ASSERT(says(e.error.message, "cannot listen on 127.0.0.1:"));
    end_free(&e);
    end_init(&e, court, bank, 20000); /* no such host, and no name server is asked for this one */
    set_address(&e, 0, "no..host", 7440);
    start(&e);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_NETWORK);
    CU_ASSERT(says(e.error.message, "unknown host no..host"));
    end_free(&e);
    end_init(&e, court, bank, 20000);
    e.rule = (party_peer_rule){.ca_file = "/nonexistent", .name = "CN=x"};
    set_address(&e, 0, "127.0.0.1", port);
    start(&e);
    await(&e);
    CU_ASSERT_EQUAL(e.status, TALLY_ERR_FILE);
    end_free(&e);
    CU_ASSERT(party_now_ms() - began < 3000);
    close(fd);
    tally_identity_free(old);
}

/* Something that is not Tally has the port: said at once. */
static void test_other_service(void)
{
    struct end client;
    int port = 0, fd = bound(AF_INET, &port);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    end_init(&client, bank, court, 5000);
    set_address(&client, 0, "127.0.0.1", port);
    start(&client);
    int one = accept(fd, NULL, NULL);
    CU_ASSERT_EQUAL(write(one, "220 mail.example.org ESMTP\r\n", 28), 28);
    await(&client);
    CU_ASSERT_EQUAL(client.status, TALLY_ERR_MALFORMED);
    CU_ASSERT(says(client.error.message, "does not speak TLS 1.3"));
    close(one);
    close(fd);
    end_free(&client);
}

static void test_callers_transport(void)
{
    for (int tls = 0; tls < 2; tls++) {
        struct end a, b;
        tally_transport pipe[2];
        CU_ASSERT_EQUAL_FATAL(tally_pipe_new(&pipe[0], &pipe[1], NULL), TALLY_OK);
        end_init(&a, bank, court, 3000);
        end_init(&b, court, bank, 3000);
        a.options.transport = &pipe[0];
        b.options.transport = &pipe[1];
        a.options.transport_tls = b.options.transport_tls = tls;
        b.options.transport_tls_server = 1;
        start(&a);
        start(&b);
        await(&a);
        await(&b);
        check_talk(&a, &b);
        CU_ASSERT_EQUAL(a.channel.tls != NULL, tls);
        if (!tls) {
            uint64_t sent, received;
            const uint8_t zero[32] = {0};
            party_channel_bytes(&a.channel, &sent, &received);
            CU_ASSERT(sent == 4 && received == 0);
            CU_ASSERT(memcmp(a.channel.binding, zero, 32) == 0);
        }
        both_free(&a, &b);
        tally_pipe_free(&pipe[0]);
        tally_pipe_free(&pipe[1]);
    }
    /* A wrong peer on the caller's transport: both ends learn it, nobody waits. */
    struct end a, b;
    tally_transport pipe[2];
    CU_ASSERT_EQUAL_FATAL(tally_pipe_new(&pipe[0], &pipe[1], NULL), TALLY_OK);
    end_init(&a, bank, court, 3000);
    end_init(&b, stranger, bank, 3000);
    a.options.transport = &pipe[0];
    b.options.transport = &pipe[1];
    a.options.transport_tls = b.options.transport_tls = b.options.transport_tls_server = 1;
    start(&a);
    start(&b);
    await(&a);
    await(&b);
    CU_ASSERT_EQUAL(a.status, TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(b.status, TALLY_ERR_AUTH);
    CU_ASSERT(says(a.error.message, "the other side has fingerprint"));
    both_free(&a, &b);
    tally_pipe_free(&pipe[0]);
    tally_pipe_free(&pipe[1]);
}

/* Our last bytes reach a peer that keeps sending: closing a socket with unread bytes would lose them. */
static void test_last_words(void)
{
    struct end server, client;
    static char block[65536];
    char got[8] = "";
    int port = free_port(AF_INET);
    end_init(&server, court, bank, 5000);
    end_init(&client, bank, court, 5000);
    set_address(&server, 1, "127.0.0.1", port);
    set_address(&client, 0, "127.0.0.1", port);
    start(&server);
    start(&client);
    await(&server);
    await(&client);
    CU_ASSERT_EQUAL_FATAL(client.status | server.status, TALLY_OK);
    for (int i = 0; i < 8; i++)
        CU_ASSERT(client.channel.io.write(client.channel.io.user, block, sizeof block, 100) > 0);
    CU_ASSERT_EQUAL(server.channel.io.write(server.channel.io.user, "sorry", 5, 1000), 5);
    party_channel_close(&server.channel);
    CU_ASSERT_PTR_NULL(server.channel.io.user);
    CU_ASSERT_EQUAL(client.channel.io.read(client.channel.io.user, got, sizeof got, 1000), 5);
    CU_ASSERT_STRING_EQUAL(got, "sorry");
    CU_ASSERT_EQUAL(client.channel.io.read(client.channel.io.user, got, sizeof got, 1000), TALLY_IO_END);
    both_free(&client, &server);
}

static void test_faults(void)
{
    for (int listens = 0; listens < 2; listens++) {
        /* Context, waiting room: both before any thread. For a connecting side: context only, then nobody
         * answers. */
        for (unsigned long n = 1; n <= (listens ? 2u : 1u); n++) {
            struct end e;
            end_init(&e, court, bank, 100);
            set_address(&e, listens, "127.0.0.1", free_port(AF_INET));
            psi_mem_fail_at(n);
            open_channel(&e);
            psi_mem_fail_at(0);
            CU_ASSERT_EQUAL(e.status, TALLY_ERR_NO_MEMORY);
            CU_ASSERT_EQUAL(e.error.status, TALLY_ERR_NO_MEMORY);
            CU_ASSERT_PTR_NULL(e.channel.io.user);
            end_free(&e);
        }
    }
    /* Over a caller's transport, alone: every allocation in turn, then the peer's silence. */
    for (unsigned long n = 1; n <= 5; n++) {
        struct end e;
        tally_transport pipe[2];
        CU_ASSERT_EQUAL_FATAL(tally_pipe_new(&pipe[0], &pipe[1], NULL), TALLY_OK);
        end_init(&e, court, bank, 100);
        e.options.transport = &pipe[0];
        e.options.transport_tls = 1;
        psi_mem_fail_at(n);
        open_channel(&e);
        CU_ASSERT(psi_mem_count() >= n);
        psi_mem_fail_at(0);
        CU_ASSERT_EQUAL(e.status, TALLY_ERR_NO_MEMORY);
        end_free(&e);
        tally_pipe_free(&pipe[0]);
        tally_pipe_free(&pipe[1]);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"listen_first", test_listen_first},
        {"connect_first", test_connect_first},
        {"ipv6", test_ipv6},
        {"all_addresses", test_all_addresses},
        {"strangers", test_strangers},
        {"crowd", test_crowd},
        {"deadlines", test_deadlines},
        {"wrong_server_at_once", test_wrong_server_at_once},
        {"listener_going_away", test_listener_going_away},
        {"cancel", test_cancel},
        {"at_once", test_at_once},
        {"other_service", test_other_service},
        {"callers_transport", test_callers_transport},
        {"last_words", test_last_words},
        {"faults", test_faults},
    };
    identities_new();
    int status = unit_main(argc, argv, "connect", tests, sizeof tests / sizeof *tests);
    identities_free();
    return status;
}
