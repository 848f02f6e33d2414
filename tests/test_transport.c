/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, the in-memory pipe, TCP, and the cancel flag. */
#include "party/transport.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Addresses ---- */

static void test_addresses(void)
{
    static const struct {
        const char *text;
        int listening;
        const char *host, *port; /* host NULL: refused */
    } rows[] = {
        {"127.0.0.1:7440", 0, "127.0.0.1", "7440"},
        {"psi.example.org:1", 0, "psi.example.org", "1"},
        {"[::1]:65535", 0, "::1", "65535"},
        {"[fe80::1%eth0]:7440", 0, "fe80::1%eth0", "7440"},
        {"*:7440", 1, "", "7440"},
        {":7440", 1, "", "7440"},
        {"*:7440", 0, NULL, NULL},
        {":7440", 0, NULL, NULL},
        {"localhost", 0, NULL, NULL},
        {"localhost:", 0, NULL, NULL},
        {"localhost:0", 0, NULL, NULL},
        {"localhost:65536", 0, NULL, NULL},
        {"localhost:99999", 0, NULL, NULL},
        {"localhost:123456", 0, NULL, NULL},
        {"localhost:08", 0, NULL, NULL},
        {"localhost:+80", 0, NULL, NULL},
        {"localhost:http", 0, NULL, NULL},
        {"localhost:80 ", 0, NULL, NULL},
        {"::1:7440", 0, NULL, NULL},
        {"[::1]", 0, NULL, NULL},
        {"[]:7440", 1, NULL, NULL},
        {"[::1:7440", 0, NULL, NULL},
        {"[localhost]:7440", 0, NULL, NULL},
        {"a b:7440", 0, NULL, NULL},
        {"a\nb:7440", 0, NULL, NULL},
        {"user@host:7440", 0, NULL, NULL},
        {"http://host:7440", 0, NULL, NULL},
        {"", 1, NULL, NULL},
        {"[:", 1, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        party_address a = {.host = "untouched"};
        tally_error error = {.status = TALLY_OK};
        tally_status st = party_address_parse(&a, rows[i].text, rows[i].listening, &error);
        if (rows[i].host) {
            CU_ASSERT_EQUAL_FATAL(st, TALLY_OK);
            CU_ASSERT_STRING_EQUAL(a.host, rows[i].host);
            CU_ASSERT_STRING_EQUAL(a.port, rows[i].port);
        } else {
            CU_ASSERT_EQUAL(st, TALLY_ERR_USAGE);
            CU_ASSERT_STRING_EQUAL(a.host, "untouched");
            CU_ASSERT(error.message[0] && error.hint[0]);
        }
    }
}

static void test_address_lengths(void)
{
    char text[400], back[PARTY_ADDRESS_TEXT];
    party_address a;
    memset(text, 'h', sizeof text);
    memcpy(text + 255, ":1", 3);
    CU_ASSERT_EQUAL(party_address_parse(&a, text, 0, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(strlen(a.host), 255);
    party_address_text(back, &a);
    CU_ASSERT_STRING_EQUAL(back, text);
    memset(text, 'h', sizeof text);
    memcpy(text + 256, ":1", 3);
    CU_ASSERT_EQUAL(party_address_parse(&a, text, 0, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(party_address_parse(&a, "[2001:db8::1]:7440", 0, NULL), TALLY_OK);
    party_address_text(back, &a);
    CU_ASSERT_STRING_EQUAL(back, "[2001:db8::1]:7440");
    CU_ASSERT_EQUAL(party_address_parse(&a, ":7440", 1, NULL), TALLY_OK);
    party_address_text(back, &a);
    CU_ASSERT_STRING_EQUAL(back, "*:7440");
}

/* ---- Streams: the same rules for the pipe and for TCP ---- */

struct stream {
    const tally_transport *io;
    uint8_t *bytes;
    size_t len;
    int ok;
};

static void *send_all(void *arg)
{
    struct stream *s = arg;
    size_t at = 0;
    while (at < s->len) {
        long n = s->io->write(s->io->user, s->bytes + at, s->len - at, 1000);
        if (n == TALLY_IO_TIMEOUT)
            continue;
        if (n <= 0)
            return NULL;
        at += (size_t)n;
    }
    s->ok = 1;
    return NULL;
}

static void *receive_all(void *arg)
{
    struct stream *s = arg;
    size_t at = 0;
    while (at < s->len) {
        long n = s->io->read(s->io->user, s->bytes + at, s->len - at < 7001 ? s->len - at : 7001, 1000);
        if (n == TALLY_IO_TIMEOUT)
            continue;
        if (n <= 0)
            return NULL;
        at += (size_t)n;
    }
    s->ok = 1;
    return NULL;
}

static void check_duplex(const tally_transport *a, const tally_transport *b, size_t len)
{
    struct stream s[4] = {{.io = a}, {.io = b}, {.io = b}, {.io = a}};
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        s[i].len = len;
        s[i].bytes = malloc(len);
        if (i < 2)
            unit_random(s[i].bytes, len);
        pthread_create(&thread[i], NULL, i < 2 ? send_all : receive_all, &s[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT(s[i].ok);
    }
    CU_ASSERT(memcmp(s[0].bytes, s[2].bytes, len) == 0);
    CU_ASSERT(memcmp(s[1].bytes, s[3].bytes, len) == 0);
    for (int i = 0; i < 4; i++)
        free(s[i].bytes);
}

static void check_timeouts(const tally_transport *a)
{
    static uint8_t block[65536];
    int64_t began = party_now_ms();
    CU_ASSERT_EQUAL(a->read(a->user, block, sizeof block, 0), TALLY_IO_TIMEOUT);
    CU_ASSERT_EQUAL(a->read(a->user, block, sizeof block, 60), TALLY_IO_TIMEOUT);
    int64_t took = party_now_ms() - began;
    CU_ASSERT(took >= 55 && took < 1000);
    long n = 1, total = 0;
    while (n > 0 && total < 64 << 20)
        total += n = a->write(a->user, block, sizeof block, 20);
    CU_ASSERT_EQUAL(n, TALLY_IO_TIMEOUT);
}

struct blocked {
    const tally_transport *io;
    long result;
    int64_t ended;
};

static void *blocked_read(void *arg)
{
    struct blocked *b = arg;
    uint8_t byte;
    b->result = b->io->read(b->io->user, &byte, 1, 20000);
    b->ended = party_now_ms();
    return NULL;
}

static void *blocked_write(void *arg)
{
    struct blocked *b = arg;
    static uint8_t block[65536];
    do
        b->result = b->io->write(b->io->user, block, sizeof block, 20000);
    while (b->result > 0);
    b->ended = party_now_ms();
    return NULL;
}

/* shutdown makes a blocked read and a blocked write of the same end return at once, and may be repeated. */
static void check_shutdown(const tally_transport *a)
{
    struct blocked r = {.io = a}, w = {.io = a};
    pthread_t reader, writer;
    uint8_t byte = 0;
    pthread_create(&reader, NULL, blocked_read, &r);
    pthread_create(&writer, NULL, blocked_write, &w);
    usleep(50000);
    int64_t at = party_now_ms();
    a->shutdown(a->user);
    a->shutdown(a->user);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    CU_ASSERT_EQUAL(r.result, TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(w.result, TALLY_IO_FAILED);
    CU_ASSERT(r.ended - at < 500 && w.ended - at < 500);
    CU_ASSERT_EQUAL(a->read(a->user, &byte, 1, 1000), TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(a->write(a->user, &byte, 1, 1000), TALLY_IO_FAILED);
}

/* What was written before a shutdown still arrives, then the end. */
static void check_end(const tally_transport *a, const tally_transport *b)
{
    char got[16] = "";
    CU_ASSERT_EQUAL(a->write(a->user, "last", 4, 1000), 4);
    a->shutdown(a->user);
    CU_ASSERT_EQUAL(b->read(b->user, got, sizeof got, 1000), 4);
    CU_ASSERT_STRING_EQUAL(got, "last");
    CU_ASSERT_EQUAL(b->read(b->user, got, sizeof got, 1000), TALLY_IO_END);
}

static void pipe_pair(tally_transport *a, tally_transport *b)
{
    CU_ASSERT_EQUAL_FATAL(tally_pipe_new(a, b, NULL), TALLY_OK);
}

static void test_pipe(void)
{
    tally_transport a, b;
    pipe_pair(&a, &b);
    check_duplex(&a, &b, 3000000);
    check_timeouts(&a);
    tally_pipe_free(&a);
    tally_pipe_free(&b);
    pipe_pair(&a, &b);
    check_shutdown(&a);
    tally_pipe_free(&b);
    tally_pipe_free(&a);
    tally_pipe_free(&a);
    CU_ASSERT_PTR_NULL(a.user);
    pipe_pair(&a, &b);
    check_end(&a, &b);
    char byte = 0;
    CU_ASSERT_EQUAL(b.write(b.user, &byte, 1, 1000), TALLY_IO_FAILED);
    tally_pipe_free(&a);
    CU_ASSERT_EQUAL(b.read(b.user, &byte, 1, 1000), TALLY_IO_END);
    tally_pipe_free(&b);
}

/* ---- TCP ---- */

/* A free port of 127.0.0.1 or ::1; 0 when there is no such address. */
static int free_port(int family)
{
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET)
        ((struct sockaddr_in *)&sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&sa)->sin6_addr = in6addr_loopback;
    int fd = socket(family, SOCK_STREAM, 0), port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
                                       : ((struct sockaddr_in6 *)&sa)->sin6_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static party_address loopback(int family, int port)
{
    party_address a = {.host = ""};
    snprintf(a.host, sizeof a.host, "%s", family == AF_INET ? "127.0.0.1" : "::1");
    snprintf(a.port, sizeof a.port, "%u", (unsigned)port & 0xffff);
    return a;
}

static void tcp_pair(int family, tally_transport *a, tally_transport *b)
{
    party_address address = loopback(family, free_port(family));
    party_cancel cancel;
    int fds[4], fd = -1, retry = 0;
    size_t count = 0;
    char from[64];
    tally_error error = {.message = ""};
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&cancel, NULL), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_tcp_listen(&address, fds, 4, &count, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_EQUAL_FATAL(party_tcp_connect(&address, party_now_ms() + 2000, &cancel, &fd, &retry, &error),
                          TALLY_OK);
    CU_ASSERT_EQUAL(party_tcp_from_fd(fd, a, NULL), TALLY_OK);
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    poll(&p, 1, 2000);
    fd = accept(fds[0], NULL, NULL);
    CU_ASSERT_FATAL(fd >= 0);
    party_tcp_peer_text(fd, from, sizeof from);
    CU_ASSERT_PTR_EQUAL(strstr(from, family == AF_INET ? "127.0.0.1:" : "[::1]:"), from);
    CU_ASSERT_EQUAL(party_tcp_from_fd(fd, b, NULL), TALLY_OK);
    /* A second listener on the port is refused with a hint, and names the address. */
    CU_ASSERT_EQUAL(party_tcp_listen(&address, fds + 1, 3, &count, &error), TALLY_ERR_NETWORK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, address.port));
    CU_ASSERT(error.hint[0] != 0);
    close(fds[0]);
    party_cancel_close(&cancel);
}

static void test_tcp(void)
{
    tally_transport a, b;
    tcp_pair(AF_INET, &a, &b);
    check_duplex(&a, &b, 8000000);
    check_timeouts(&a);
    party_tcp_free(&a);
    party_tcp_free(&b);
    CU_ASSERT_PTR_NULL(a.user);
    tcp_pair(AF_INET, &a, &b);
    check_shutdown(&a);
    party_tcp_free(&a);
    party_tcp_free(&b);
    tcp_pair(AF_INET, &a, &b);
    check_end(&a, &b);
    party_tcp_free(&a);
    party_tcp_free(&b);
}

static void test_tcp_v6(void)
{
    tally_transport a, b;
    if (!free_port(AF_INET6)) {
        printf("no IPv6 loopback here; skipped\n");
        CU_PASS("no IPv6 loopback");
        return;
    }
    tcp_pair(AF_INET6, &a, &b);
    check_duplex(&a, &b, 100000);
    check_end(&a, &b);
    party_tcp_free(&a);
    party_tcp_free(&b);
}

/* The peer is streaming when we stop: our last words reach it although we never read its bytes. */
static void test_last_words(void)
{
    tally_transport a, b;
    static uint8_t block[65536];
    char got[16] = "";
    tcp_pair(AF_INET, &a, &b);
    for (int i = 0; i < 4; i++)
        CU_ASSERT(b.write(b.user, block, sizeof block, 100) > 0);
    CU_ASSERT_EQUAL(a.write(a.user, "abort", 5, 1000), 5);
    a.shutdown(a.user);
    int64_t began = party_now_ms();
    party_tcp_linger(&a, 100, NULL);
    CU_ASSERT(party_now_ms() - began >= 95); /* the peer has not closed */
    party_tcp_free(&a);
    CU_ASSERT_EQUAL(b.read(b.user, got, sizeof got, 1000), 5);
    CU_ASSERT_STRING_EQUAL(got, "abort");
    b.shutdown(b.user);
    party_tcp_free(&b);
}

static void test_broken_is_no_signal(void)
{
    tally_transport a, b;
    static uint8_t block[65536];
    tcp_pair(AF_INET, &a, &b);
    party_tcp_free(&b);
    long n = 1;
    for (int i = 0; i < 100 && n > 0; i++, usleep(1000))
        n = a.write(a.user, block, sizeof block, 100);
    CU_ASSERT_EQUAL(n, TALLY_IO_FAILED); /* and SIGPIPE did not end this program */
    party_tcp_free(&a);
}

static void test_connect_errors(void)
{
    party_cancel cancel;
    int fd = -1, retry = 0;
    tally_error error = {.message = ""};
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&cancel, NULL), TALLY_OK);
    party_address nobody = loopback(AF_INET, free_port(AF_INET));
    CU_ASSERT_EQUAL(party_tcp_connect(&nobody, party_now_ms() + 2000, &cancel, &fd, &retry, &error),
                    TALLY_ERR_NETWORK);
    CU_ASSERT_EQUAL(retry, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "refused"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, nobody.port));
    CU_ASSERT_EQUAL(fd, -1);
    /* A listener whose queue is full leaves further connections hanging: the deadline and cancel end the
     * wait. */
    party_address full = loopback(AF_INET, free_port(AF_INET));
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(full.port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), queued[4];
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 0), 0);
    for (int i = 0; i < 4; i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int rc = connect(queued[i], (struct sockaddr *)&sa, sizeof sa);
        CU_ASSERT(rc == 0 || errno == EINPROGRESS);
    }
    int64_t began = party_now_ms();
    CU_ASSERT_EQUAL(party_tcp_connect(&full, began + 200, &cancel, &fd, &retry, &error), TALLY_ERR_NETWORK);
    CU_ASSERT(party_now_ms() - began >= 195 && party_now_ms() - began < 1000);
    CU_ASSERT_EQUAL(retry, 1);
    party_cancel_raise(&cancel);
    CU_ASSERT_EQUAL(party_tcp_connect(&full, party_now_ms() + 5000, &cancel, &fd, &retry, &error),
                    TALLY_ERR_INTERRUPTED);
    for (int i = 0; i < 4; i++)
        close(queued[i]);
    close(listener);
    party_cancel_close(&cancel);
}

/* Names that only the hosts file or the rule of RFC 6761 answers: no name server is asked. */
static void test_resolve(void)
{
    struct addrinfo *list = NULL;
    party_cancel cancel;
    int retry = 7;
    tally_error error = {.message = ""};
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&cancel, NULL), TALLY_OK);
    party_address a = {.host = "localhost", .port = "7440"};
    CU_ASSERT_EQUAL(party_resolve(&a, 0, party_now_ms() + 5000, &cancel, &list, &retry, &error), TALLY_OK);
    CU_ASSERT_EQUAL(retry, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT(list->ai_family == AF_INET || list->ai_family == AF_INET6);
    freeaddrinfo(list);
    list = NULL;
    CU_ASSERT_EQUAL(party_resolve(&a, 0, party_now_ms() - 1, &cancel, &list, &retry, &error),
                    TALLY_ERR_NETWORK);
    party_cancel_raise(&cancel);
    CU_ASSERT_EQUAL(party_resolve(&a, 0, party_now_ms() + 5000, &cancel, &list, &retry, &error),
                    TALLY_ERR_INTERRUPTED);
    CU_ASSERT_PTR_NULL(list);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_resolve(&a, 0, party_now_ms() + 5000, &cancel, &list, &retry, &error),
                    TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    party_cancel_close(&cancel);
}

static void test_cancel(void)
{
    party_cancel c;
    CU_ASSERT_EQUAL_FATAL(party_cancel_init(&c, NULL), TALLY_OK);
    struct pollfd p = {.fd = c.fd, .events = POLLIN};
    CU_ASSERT_EQUAL(party_cancelled(&c), 0);
    CU_ASSERT_EQUAL(poll(&p, 1, 0), 0);
    errno = 77;
    party_cancel_raise(&c);
    party_cancel_raise(&c);
    CU_ASSERT_EQUAL(errno, 77);
    CU_ASSERT_EQUAL(party_cancelled(&c), 1);
    CU_ASSERT_EQUAL(poll(&p, 1, 0), 1);
    party_cancel_close(&c);
    CU_ASSERT_EQUAL(c.fd, -1);
}

static void test_faults(void)
{
    tally_transport a = {.user = NULL}, b = {.user = NULL};
    tally_error error = {.status = TALLY_OK};
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(tally_pipe_new(&a, &b, &error), TALLY_ERR_NO_MEMORY);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_NO_MEMORY);
    CU_ASSERT(a.user == NULL && b.user == NULL);
    int fd = dup(0);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_tcp_from_fd(fd, &a, &error), TALLY_ERR_NO_MEMORY);
    CU_ASSERT_EQUAL(close(fd), -1); /* it was taken over and closed */
    CU_ASSERT_PTR_NULL(a.user);
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"addresses", test_addresses},
        {"address_lengths", test_address_lengths},
        {"pipe", test_pipe},
        {"tcp", test_tcp},
        {"tcp_v6", test_tcp_v6},
        {"last_words", test_last_words},
        {"broken_is_no_signal", test_broken_is_no_signal},
        {"connect_errors", test_connect_errors},
        {"resolve", test_resolve},
        {"cancel", test_cancel},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "transport", tests, sizeof tests / sizeof *tests);
}
