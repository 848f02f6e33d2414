/* SPDX-License-Identifier: Apache-2.0 */
#include "party/link.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- A transport over a socket of our own ---- */

static long socket_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    struct pollfd p = {.fd = *(int *)user, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) == 0)
        return TALLY_IO_TIMEOUT;
    ssize_t n = recv(p.fd, buf, cap, MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? TALLY_IO_TIMEOUT : TALLY_IO_FAILED;
}

static long socket_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    struct pollfd p = {.fd = *(int *)user, .events = POLLOUT};
    if (poll(&p, 1, timeout_ms) == 0)
        return TALLY_IO_TIMEOUT;
    ssize_t n = send(p.fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? TALLY_IO_TIMEOUT : TALLY_IO_FAILED;
}

static void socket_shutdown(void *user)
{
    shutdown(*(int *)user, SHUT_RDWR);
}

/* Two ends; link[i] works on fd[i] once it was started. */
typedef struct ends {
    int fd[2];
    party_link *link[2];
    party_cancel cancel[2];
} ends;

static void start(ends *e, int i, unsigned silence_ms)
{
    tally_transport io = {&e->fd[i], socket_read, socket_write, socket_shutdown};
    CU_ASSERT_EQUAL_FATAL(party_link_new(&e->link[i], &io, silence_ms, &e->cancel[i], NULL), TALLY_OK);
}

static void open_ends(ends *e, unsigned silence_ms, int links)
{
    memset(e, 0, sizeof *e);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->fd), 0);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(party_cancel_init(&e->cancel[i], NULL), TALLY_OK);
    for (int i = 0; i < links; i++)
        start(e, i, silence_ms);
}

/* As open_ends, over TCP, where closing with unread bytes resets the connection. */
static void open_tcp(ends *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    memset(e, 0, sizeof *e);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    e->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(e->fd[0], (struct sockaddr *)&a, sizeof a), 0);
    e->fd[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    close(fd);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(party_cancel_init(&e->cancel[i], NULL), TALLY_OK);
        start(e, i, 5000);
    }
}

static void close_end(ends *e, int i, int graceful)
{
    party_link_close(e->link[i], graceful);
    e->link[i] = NULL;
    if (e->fd[i] >= 0)
        close(e->fd[i]);
    e->fd[i] = -1;
}

static void close_ends(ends *e)
{
    for (int i = 0; i < 2; i++) {
        close_end(e, i, 0);
        party_cancel_close(&e->cancel[i]);
    }
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static tally_status send_bytes(party_link *link, uint8_t type, const void *p, size_t len, tally_error *error)
{
    uint8_t *buffer = party_link_buffer(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buffer);
    if (len)
        memcpy(buffer, p, len);
    return party_link_send(link, type, buffer, len, error);
}

/* A raw frame from a peer that is not a link. */
static void raw_frame(int fd, uint8_t type, uint32_t sequence, const void *p, uint32_t len)
{
    uint8_t h[WIRE_HEADER];
    wire_header_build(h, &(wire_header){len, sequence, type});
    CU_ASSERT_EQUAL(send(fd, h, sizeof h, MSG_NOSIGNAL), (ssize_t)sizeof h);
    if (len)
        CU_ASSERT_EQUAL(send(fd, p, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void raw_bytes(int fd, const char *hex)
{
    uint8_t b[256];
    size_t n = unit_hex(b, sizeof b, hex);
    CU_ASSERT_EQUAL(send(fd, b, n, MSG_NOSIGNAL), (ssize_t)n);
}

static int receives(party_link *link, uint8_t type, const void *p, uint32_t len)
{
    party_frame f;
    if (party_link_receive(link, &f, NULL))
        return 0;
    int same = f.type == type && f.length == len && memcmp(f.payload, p, len) == 0;
    party_frame_free(&f);
    return same;
}

/* The next receive fails in this way. */
static void fails(party_link *link, tally_status status, const char *part)
{
    party_frame f;
    tally_error e = {0};
    CU_ASSERT_EQUAL(party_link_receive(link, &f, &e), status);
    CU_ASSERT_EQUAL(e.status, status);
    CU_ASSERT(strstr(e.message, part) != NULL);
    if (e.status != status || !strstr(e.message, part))
        fprintf(stderr, "status %d: %s\n", e.status, e.message);
}

/* ---- Bulk both ways ---- */

#define HALF ((size_t)32 << 20)

/* Frame i of a direction: its length and bytes can be told from i. */
static size_t size_of(unsigned i)
{
    static const size_t sizes[] = {1, WIRE_BULK_MAX, 2, 131072, 31, WIRE_BULK_MAX - 1, 4096, 32, 65537, 1000};
    return sizes[i % 10];
}

static void fill(uint8_t *p, size_t len, unsigned i, int side)
{
    memset(p, (int)(i * 7 + (unsigned)side), len);
    p[0] = (uint8_t)i;
    p[len - 1] = (uint8_t)(i >> 8);
    p[len / 2] = (uint8_t)(i ^ (unsigned)side);
}

typedef struct talker {
    party_link *link;
    int side;
    size_t sent, received;
    unsigned bad;
    tally_status status;
} talker;

static void *talk(void *arg)
{
    static _Thread_local uint8_t expected[WIRE_BULK_MAX];
    talker *t = arg;
    unsigned out = 0, in = 0;
    while (!t->status && (t->sent < HALF || t->received < HALF)) {
        unsigned ready = 0, wish = t->sent < HALF ? PARTY_CAN_SEND | PARTY_CAN_RECEIVE : PARTY_CAN_RECEIVE;
        if (t->received >= HALF)
            wish &= ~(unsigned)PARTY_CAN_RECEIVE;
        t->status = party_link_wait(t->link, wish, &ready, NULL);
        if (!t->status && (ready & PARTY_CAN_SEND)) {
            size_t len = size_of(out);
            uint8_t *b = party_link_buffer(len);
            fill(b, len, out++, t->side);
            t->status = party_link_send(t->link, WIRE_ECDH_SENDER, b, len, NULL);
            t->sent += len;
        }
        if (!t->status && (ready & PARTY_CAN_RECEIVE)) {
            party_frame f;
            t->status = party_link_receive(t->link, &f, NULL);
            if (t->status)
                break;
            fill(expected, size_of(in), in, !t->side);
            t->bad += f.type != WIRE_ECDH_SENDER || f.length != size_of(in) ||
                      memcmp(f.payload, expected, f.length);
            t->received += f.length;
            in++;
            party_frame_free(&f);
        }
    }
    return NULL;
}

static void test_both_ways(void)
{
    ends e;
    pthread_t other;
    open_ends(&e, 5000, 2);
    talker a = {.link = e.link[0]}, b = {.link = e.link[1], .side = 1};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&other, NULL, talk, &b), 0);
    talk(&a);
    pthread_join(other, NULL);
    CU_ASSERT(a.status == TALLY_OK && b.status == TALLY_OK);
    CU_ASSERT(a.bad == 0 && b.bad == 0);
    CU_ASSERT(a.received >= HALF && a.received == b.sent && b.received == a.sent);
    close_ends(&e);
}

typedef struct pusher {
    party_link *link;
    atomic_uint sent; /* frames of 1 MiB */
    unsigned stop_at;
    tally_status status;
} pusher;

static void *push_frames(void *arg)
{
    pusher *p = arg;
    while (!p->status && atomic_load(&p->sent) < p->stop_at) {
        uint8_t *b = party_link_buffer(WIRE_BULK_MAX);
        b[0] = (uint8_t)atomic_load(&p->sent);
        p->status = party_link_send(p->link, WIRE_ECDH_SENDER, b, WIRE_BULK_MAX, NULL);
        atomic_fetch_add(&p->sent, p->status == TALLY_OK);
    }
    return NULL;
}

/* A peer that takes nothing holds the sender back after 4 MiB in each queue, one frame in work at each end,
   and what the socket holds. */
static void test_backpressure(void)
{
    ends e;
    pthread_t thread;
    open_ends(&e, 5000, 2);
    pusher p = {.link = e.link[0], .stop_at = 40};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, push_frames, &p), 0);
    pause_ms(300);
    unsigned held = atomic_load(&p.sent);
    CU_ASSERT(held >= 6 && held <= 10);
    pause_ms(200);
    CU_ASSERT_EQUAL(atomic_load(&p.sent), held);
    unsigned ready = PARTY_CAN_RECEIVE;
    CU_ASSERT_EQUAL(party_link_wait(e.link[1], PARTY_CAN_SEND | PARTY_CAN_RECEIVE, &ready, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(ready, PARTY_CAN_SEND | PARTY_CAN_RECEIVE);
    unsigned in_order = 0;
    for (unsigned i = 0; i < 40; i++) {
        party_frame f;
        CU_ASSERT_EQUAL_FATAL(party_link_receive(e.link[1], &f, NULL), TALLY_OK);
        in_order += f.payload[0] == i && f.length == WIRE_BULK_MAX;
        party_frame_free(&f);
    }
    CU_ASSERT_EQUAL(in_order, 40);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(p.status, TALLY_OK);
    close_ends(&e);
}

/* ---- What a hostile or broken peer sends ---- */

static void test_hostile(void)
{
    static const struct {
        const char *hex;
        tally_status status;
        const char *part;
    } cases[] = {
        {"00000001 00000000 63 000000", TALLY_ERR_MALFORMED, "unknown frame type"},
        {"00000020 00000000 12 000001", TALLY_ERR_MALFORMED, "reserved"},
        {"00100001 00000000 12 000000", TALLY_ERR_MALFORMED, "(type 18, sender's masked items): longer"},
        {"ffffffff 00000000 12 000000", TALLY_ERR_MALFORMED, "longer"},
        {"00004001 00000000 01 000000", TALLY_ERR_MALFORMED, "(type 1, hello 1): longer"},
        {"00000001 00000000 04 000000", TALLY_ERR_MALFORMED, "heartbeat): longer"},
        {"00000000 00000000 12 000000", TALLY_ERR_MALFORMED, "empty"},
        {"00000000 00000001 04 000000", TALLY_ERR_MALFORMED, "out of order"},
        {"00000000 ffffffff 05 000000", TALLY_ERR_MALFORMED, "out of order"},
        /* the same frame twice */
        {"00000000 00000000 04 000000 00000000 00000000 04 000000", TALLY_ERR_MALFORMED, "out of order"},
        /* one left out */
        {"00000000 00000000 04 000000 00000000 00000002 04 000000", TALLY_ERR_MALFORMED, "out of order"},
        {"00000002 00000000 03 000000 0008", TALLY_ERR_MALFORMED, "not a code of the list"},
        {"00000002 00000000 03 000000 0102", TALLY_ERR_MALFORMED, "not a code of the list"},
        {"00000003 00000000 03 000000 000002", TALLY_ERR_MALFORMED, "not a code of the list"},
        {"", TALLY_ERR_NETWORK, "the other side closed the connection"},
        {"00000000 00000000 04 000000", TALLY_ERR_NETWORK, "the other side closed the connection"},
        {"00", TALLY_ERR_NETWORK, "truncated"},
        {"00000020 00000000 12 0000", TALLY_ERR_NETWORK, "truncated"},
        {"00000020 00000000 12 000000", TALLY_ERR_NETWORK, "truncated"},
        {"00000004 00000000 12 000000 010203", TALLY_ERR_NETWORK, "truncated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ends e;
        tally_error error;
        open_ends(&e, 5000, 1);
        raw_bytes(e.fd[1], cases[i].hex);
        shutdown(e.fd[1], SHUT_WR);
        fails(e.link[0], cases[i].status, cases[i].part);
        fails(e.link[0], cases[i].status, cases[i].part); /* and again: the first cause stays */
        unsigned ready;
        CU_ASSERT_EQUAL(party_link_wait(e.link[0], 3, &ready, &error), cases[i].status);
        CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO1, "x", 1, &error), cases[i].status);
        close_ends(&e);
    }
}

/* What came whole is delivered before the failure, whatever the failure. */
static void test_frames_before_end(void)
{
    static const uint8_t payload[40] = {1, 2, 3};
    static const struct {
        const char *after;
        tally_status status;
    } cases[] = {{"", TALLY_ERR_NETWORK},
                 {"0000", TALLY_ERR_NETWORK},
                 {"00000000 00000009 04 000000", TALLY_ERR_MALFORMED}};
    for (size_t i = 0; i < 3; i++) {
        ends e;
        open_ends(&e, 5000, 1);
        raw_frame(e.fd[1], WIRE_ECDH_REPLY, 0, payload, 40);
        raw_frame(e.fd[1], WIRE_HEARTBEAT, 1, NULL, 0);
        raw_frame(e.fd[1], WIRE_ECDH_SENDER, 2, payload, 32);
        raw_frame(e.fd[1], WIRE_DONE, 3, NULL, 0);
        raw_bytes(e.fd[1], cases[i].after);
        close(e.fd[1]);
        e.fd[1] = -1;
        pause_ms(30);
        unsigned ready = 0;
        CU_ASSERT_EQUAL(party_link_wait(e.link[0], 3, &ready, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(ready, PARTY_CAN_RECEIVE);
        CU_ASSERT(receives(e.link[0], WIRE_ECDH_REPLY, payload, 40));
        CU_ASSERT(receives(e.link[0], WIRE_ECDH_SENDER, payload, 32));
        CU_ASSERT(receives(e.link[0], WIRE_DONE, payload, 0));
        fails(e.link[0], cases[i].status, "");
        close_ends(&e);
    }
}

/* Our own mistakes are told apart from the peer's and do not hurt the link. */
static void test_send_checks(void)
{
    ends e;
    open_ends(&e, 5000, 2);
    CU_ASSERT_EQUAL(party_link_send(e.link[0], WIRE_DONE, NULL, 0, NULL), TALLY_ERR_NO_MEMORY);
    CU_ASSERT_EQUAL(send_bytes(e.link[0], 99, "x", 1, NULL), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_DONE, "x", 1, NULL), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO2, "", 0, NULL), TALLY_ERR_INTERNAL);
    uint8_t *small = party_link_buffer(4);
    CU_ASSERT_EQUAL(party_link_send(e.link[0], WIRE_HELLO2, small, 5, NULL), TALLY_ERR_INTERNAL);
    CU_ASSERT_PTR_NULL(party_link_buffer(WIRE_PAYLOAD_MAX + 1));
    party_link_buffer_free(NULL);
    party_link_buffer_free(party_link_buffer(7));
    CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO2, "fine", 4, NULL), TALLY_OK);
    CU_ASSERT(receives(e.link[1], WIRE_HELLO2, "fine", 4));
    close_ends(&e);
}

/* ---- Silence, heartbeats, cancel ---- */

static void test_silence(void)
{
    ends e;
    open_ends(&e, 300, 1);
    int64_t begin = party_now_ms();
    fails(e.link[0], TALLY_ERR_TIMEOUT, "nothing was heard from the other side for 300 ms");
    int64_t took = party_now_ms() - begin;
    CU_ASSERT(took >= 250 && took < 2000);
    close_ends(&e);

    /* Bytes that trickle in are life, though no frame is complete; then silence inside a frame. */
    open_ends(&e, 300, 1);
    raw_bytes(e.fd[1], "00000020 00000000 12 000000");
    for (int i = 0; i < 3; i++) {
        pause_ms(150);
        raw_bytes(e.fd[1], "aa");
    }
    begin = party_now_ms();
    fails(e.link[0], TALLY_ERR_TIMEOUT, "300 ms");
    CU_ASSERT(party_now_ms() - begin >= 150);
    close_ends(&e);
}

/*
 * Two idle links for 3 s with a limit of 1.5 s; a side that does not take its frames, which is not a silent
 * peer; and the bytes of an idle link seen from outside: a heartbeat about once a second, numbered.
 */
static void test_heartbeats(void)
{
    static const uint8_t expected[2][WIRE_HEADER] = {{0, 0, 0, 0, 0, 0, 0, 0, 4},
                                                     {0, 0, 0, 0, 0, 0, 0, 1, 4}};
    ends e, f, g;
    pthread_t thread;
    uint8_t got[2][WIRE_HEADER];
    open_ends(&e, 1500, 2);
    open_ends(&f, 1500, 2);
    open_ends(&g, 5000, 1);
    pusher p = {.link = f.link[0], .stop_at = 20};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, push_frames, &p), 0);
    int64_t begin = party_now_ms();
    CU_ASSERT_EQUAL(recv(g.fd[1], got, sizeof got, MSG_WAITALL), (ssize_t)sizeof got);
    int64_t took = party_now_ms() - begin;
    CU_ASSERT(took >= 1900 && took < 4000);
    CU_ASSERT_EQUAL(memcmp(got, expected, sizeof got), 0);
    pause_ms(3000 - took);
    CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO2, "still", 5, NULL), TALLY_OK);
    CU_ASSERT(receives(e.link[1], WIRE_HELLO2, "still", 5));
    CU_ASSERT_EQUAL(send_bytes(e.link[1], WIRE_HELLO2, "here", 4, NULL), TALLY_OK);
    CU_ASSERT(receives(e.link[0], WIRE_HELLO2, "here", 4));
    for (unsigned i = 0; i < 20; i++) {
        party_frame frame;
        CU_ASSERT_EQUAL_FATAL(party_link_receive(f.link[1], &frame, NULL), TALLY_OK);
        party_frame_free(&frame);
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(p.status, TALLY_OK);
    close_ends(&g);
    close_ends(&f);
    close_ends(&e);
}

static void *cancel_soon(void *arg)
{
    pause_ms(100);
    party_cancel_raise(arg);
    return NULL;
}

static void test_cancel(void)
{
    for (int what = 0; what < 3; what++) {
        ends e;
        pthread_t thread;
        tally_error error = {0};
        party_frame f;
        unsigned ready;
        tally_status status = TALLY_OK;
        open_ends(&e, 5000, 1);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, cancel_soon, &e.cancel[0]), 0);
        int64_t begin = party_now_ms();
        switch (what) {
        case 0:
            status = party_link_receive(e.link[0], &f, &error);
            break;
        case 1:
            status = party_link_wait(e.link[0], PARTY_CAN_RECEIVE, &ready, &error);
            break;
        default: /* until the queue is full */
            while (!status)
                status = party_link_send(e.link[0], WIRE_MATCHED, party_link_buffer(WIRE_BULK_MAX),
                                         WIRE_BULK_MAX, &error);
        }
        int64_t took = party_now_ms() - begin;
        CU_ASSERT_EQUAL(status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT_EQUAL(error.status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT(took >= 90 && took < 1000);
        begin = party_now_ms();
        close_end(&e, 0, 0);
        CU_ASSERT(party_now_ms() - begin < 1000);
        pthread_join(thread, NULL);
        close_ends(&e);
    }
}

/* ---- Aborts ---- */

typedef struct aborter {
    party_link *link;
    enum wire_abort_code code;
    ends *e; /* if not NULL: closes end i afterwards */
    int i;
    int64_t took;
} aborter;

static void *abort_it(void *arg)
{
    aborter *a = arg;
    int64_t begin = party_now_ms();
    party_link_abort(a->link, (wire_abort){a->code, 0});
    a->took = party_now_ms() - begin;
    if (a->e)
        close_end(a->e, a->i, 0);
    return NULL;
}

static void test_abort_codes(void)
{
    static const tally_status expected[] = {[WIRE_ABORT_FAILED] = TALLY_ERR_PEER_STOPPED,
                                            [WIRE_ABORT_VERSION] = TALLY_ERR_INCOMPATIBLE,
                                            [WIRE_ABORT_TERMS] = TALLY_ERR_INCOMPATIBLE,
                                            [WIRE_ABORT_INPUT] = TALLY_ERR_PEER_STOPPED,
                                            [WIRE_ABORT_POLICY] = TALLY_ERR_POLICY,
                                            [WIRE_ABORT_MALFORMED] = TALLY_ERR_PEER_STOPPED,
                                            [WIRE_ABORT_INTERRUPTED] = TALLY_ERR_PEER_STOPPED,
                                            [WIRE_ABORT_LOCAL] = TALLY_ERR_PEER_STOPPED};
    for (int code = 0; code < 8; code++) {
        ends e;
        pthread_t thread;
        open_ends(&e, 5000, 2);
        aborter a = {.link = e.link[0], .code = (enum wire_abort_code)code};
        CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_MATCHED, "bulk", 4, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO1, "terms", 5, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_DONE, "", 0, NULL), TALLY_OK);
        if (code % 2) /* after a cancel too */
            party_cancel_raise(&e.cancel[0]);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, abort_it, &a), 0);
        unsigned ready;
        for (int i = 0; i < 500 && !party_link_wait(e.link[1], PARTY_CAN_SEND, &ready, NULL); i++)
            pause_ms(1);
        CU_ASSERT(receives(e.link[1], WIRE_HELLO1, "terms", 5)); /* the rest is dropped, a hello is not */
        fails(e.link[1], expected[code], wire_abort_text((enum wire_abort_code)code));
        party_link_abort(
            e.link[1], (wire_abort){WIRE_ABORT_FAILED, 0}); /* has nothing to say to a peer that has ended */
        /* Answered, though link 1 is still open. */
        pthread_join(thread, NULL);
        CU_ASSERT(a.took < 1500);
        close_end(&e, 1, 1);
        fails(e.link[0], code % 2 ? TALLY_ERR_INTERRUPTED : TALLY_ERR_INTERNAL, "");
        close_ends(&e);
    }
}

/* Both at once: neither waits for the other. */
static void test_abort_both(void)
{
    ends e;
    pthread_t thread;
    open_ends(&e, 5000, 2);
    aborter a = {e.link[0], WIRE_ABORT_TERMS, &e, 0, 0}, b = {e.link[1], WIRE_ABORT_TERMS, &e, 1, 0};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, abort_it, &a), 0);
    abort_it(&b);
    pthread_join(thread, NULL);
    CU_ASSERT(a.took < 1000 && b.took < 1000);
    close_ends(&e);
}

/*
 * Over TCP: the peer pushes frames that this side does not take while it aborts, and the other way round the
 * peer aborts because of bytes that are no frame. Neither what is under way nor a reset may swallow the
 * abort.
 */
static void test_abort_under_load(void)
{
    for (int malformed = 0; malformed < 2; malformed++) {
        ends e;
        pthread_t pushing, aborting;
        tally_error error = {0};
        open_tcp(&e);
        pusher p = {.link = e.link[1], .stop_at = 1000};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&pushing, NULL, push_frames, &p), 0);
        pause_ms(50);
        aborter a = {.link = e.link[0], .code = WIRE_ABORT_POLICY};
        if (malformed) {
            raw_bytes(e.fd[0], "ff");
            CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO2, "0123456789abcdef", 16, NULL), TALLY_OK);
            pthread_join(pushing, NULL);
            CU_ASSERT_EQUAL(p.status, TALLY_ERR_MALFORMED);
            a = (aborter){.link = e.link[1], .code = WIRE_ABORT_MALFORMED};
        }
        CU_ASSERT_EQUAL_FATAL(pthread_create(&aborting, NULL, abort_it, &a), 0);
        if (malformed) {
            party_frame f;
            tally_status status;
            while (!(status = party_link_receive(e.link[0], &f, &error)))
                party_frame_free(&f);
            CU_ASSERT_EQUAL(status, TALLY_ERR_PEER_STOPPED);
            CU_ASSERT(strstr(error.message, "did not understand") != NULL);
            close_end(&e, 0, 0);
        } else {
            pthread_join(pushing, NULL);
            CU_ASSERT_EQUAL(p.status, TALLY_ERR_POLICY);
            close_end(&e, 1, 0);
        }
        pthread_join(aborting, NULL);
        CU_ASSERT(a.took < 1000);
        close_ends(&e);
    }
}

/* A peer that takes nothing cannot hold an abort or a close for long. */
static void test_stalled_peer(void)
{
    ends e;
    open_ends(&e, 5000, 1);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(
            party_link_send(e.link[0], WIRE_MATCHED, party_link_buffer(WIRE_BULK_MAX), WIRE_BULK_MAX, NULL),
            TALLY_OK);
    aborter a = {.link = e.link[0], .code = WIRE_ABORT_FAILED};
    abort_it(&a);
    CU_ASSERT(a.took >= 1900 && a.took < 3000);
    int64_t begin = party_now_ms();
    close_end(&e, 0, 0);
    CU_ASSERT(party_now_ms() - begin < 1000);
    close_ends(&e);
}

/* ---- The orderly end ---- */

typedef struct closer {
    ends *e;
    int i;
} closer;

static void *close_gracefully(void *arg)
{
    closer *c = arg;
    close_end(c->e, c->i, 1);
    return NULL;
}

/* As the spines end: DONE, DONE, both close. The last word arrives though the other side's heartbeats may lie
   unread, and neither side waits for the other's time limit. */
static void test_done_and_close(void)
{
    for (int round = 0; round < 20; round++) {
        ends e;
        pthread_t thread;
        open_tcp(&e);
        closer c = {&e, 1};
        CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_DONE, "", 0, NULL), TALLY_OK);
        CU_ASSERT(receives(e.link[1], WIRE_DONE, "", 0));
        CU_ASSERT_EQUAL(send_bytes(e.link[1], WIRE_DONE, "", 0, NULL), TALLY_OK);
        int64_t begin = party_now_ms();
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, close_gracefully, &c), 0);
        CU_ASSERT(receives(e.link[0], WIRE_DONE, "", 0));
        close_end(&e, 0, 1);
        pthread_join(thread, NULL);
        CU_ASSERT(party_now_ms() - begin < 1500);
        close_ends(&e);
    }
}

/* Closing gracefully sends what is queued. */
static void test_close_flushes(void)
{
    ends e;
    pthread_t thread;
    open_ends(&e, 5000, 2);
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t *b = party_link_buffer(900000);
        memset(b, i, 900000);
        CU_ASSERT_EQUAL(party_link_send(e.link[0], WIRE_OPRF_TAGS, b, 900000, NULL), TALLY_OK);
    }
    closer c = {&e, 0};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, close_gracefully, &c), 0);
    for (uint8_t i = 0; i < 4; i++) {
        party_frame f;
        CU_ASSERT_EQUAL_FATAL(party_link_receive(e.link[1], &f, NULL), TALLY_OK);
        CU_ASSERT(f.length == 900000 && f.payload[0] == i && f.payload[899999] == i);
        party_frame_free(&f);
    }
    fails(e.link[1], TALLY_ERR_NETWORK, "the other side closed the connection");
    pthread_join(thread, NULL);
    close_ends(&e);
}

/* A write that fails (reset) does not hide what the peer said before it left. */
static void test_word_before_reset(void)
{
    ends e;
    static const uint8_t terms[2] = {0, WIRE_ABORT_TERMS};
    open_ends(&e, 5000, 1);
    pusher p = {.link = e.link[0], .stop_at = 100};
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, push_frames, &p), 0);
    pause_ms(50);
    raw_frame(e.fd[1], WIRE_ABORT, 0, terms, 2);
    close(e.fd[1]); /* with unread bytes: the writer's next send fails */
    e.fd[1] = -1;
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(p.status, TALLY_ERR_INCOMPATIBLE);
    close_ends(&e);
}

/* Only writing breaks: reported after the time that the peer's own word is given. */
static long broken_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    (void)user, (void)buf, (void)len, (void)timeout_ms;
    return TALLY_IO_FAILED;
}

static void test_broken_write(void)
{
    ends e;
    open_ends(&e, 5000, 0);
    tally_transport io = {&e.fd[0], socket_read, broken_write, socket_shutdown};
    CU_ASSERT_EQUAL_FATAL(party_link_new(&e.link[0], &io, 5000, &e.cancel[0], NULL), TALLY_OK);
    CU_ASSERT_EQUAL(send_bytes(e.link[0], WIRE_HELLO2, "x", 1, NULL), TALLY_OK);
    int64_t begin = party_now_ms();
    fails(e.link[0], TALLY_ERR_NETWORK, "broke while sending");
    CU_ASSERT(party_now_ms() - begin < 1500);
    close_ends(&e);
}

/* ---- Every allocation fails once ---- */

static tally_status small_run(void)
{
    ends e;
    tally_status status = TALLY_OK;
    open_ends(&e, 5000, 0);
    for (int i = 0; i < 2 && !status; i++) {
        tally_transport io = {&e.fd[i], socket_read, socket_write, socket_shutdown};
        status = party_link_new(&e.link[i], &io, 5000, &e.cancel[i], NULL);
    }
    for (int i = 0; i < 4 && !status; i++) {
        party_frame f;
        status = party_link_send(e.link[i % 2], WIRE_MATCHED, party_link_buffer(1000), 1000, NULL);
        if (!status)
            status = party_link_receive(e.link[(i + 1) % 2], &f, NULL);
        if (!status)
            party_frame_free(&f);
    }
    close_ends(&e);
    return status;
}

static void test_faults(void)
{
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(small_run(), TALLY_OK);
    unsigned long n = psi_mem_count();
    CU_ASSERT_EQUAL(n, 2 + 4 * 2);
    for (unsigned long i = 1; i <= n; i++) {
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(small_run(), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"both_ways", test_both_ways},
        {"backpressure", test_backpressure},
        {"hostile", test_hostile},
        {"frames_before_end", test_frames_before_end},
        {"send_checks", test_send_checks},
        {"silence", test_silence},
        {"heartbeats", test_heartbeats},
        {"cancel", test_cancel},
        {"abort_codes", test_abort_codes},
        {"abort_both", test_abort_both},
        {"abort_under_load", test_abort_under_load},
        {"stalled_peer", test_stalled_peer},
        {"done_and_close", test_done_and_close},
        {"close_flushes", test_close_flushes},
        {"word_before_reset", test_word_before_reset},
        {"broken_write", test_broken_write},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "link", tests, sizeof tests / sizeof *tests);
}
