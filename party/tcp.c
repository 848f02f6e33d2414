/* SPDX-License-Identifier: Apache-2.0 */
#include "party/error.h"
#include "party/transport.h"
#include "psi/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* its tcp_info has the least round trip, which the C library's lacks */
#include <netdb.h>
#include <netinet/in.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTEMPT_MS 5000 /* one address of a host */
#define BACKLOG 512

struct tcp {
    int fd;
    int stop; /* eventfd: readable once shut down, never read */
};

/* Waits for events on the socket. 1: ready, or TALLY_IO_FAILED, TALLY_IO_TIMEOUT. */
static int64_t await(const struct tcp *t, short events, int64_t until)
{
    for (;;) {
        int64_t left = until - party_now_ms();
        struct pollfd p[2] = {{.fd = t->fd, .events = events}, {.fd = t->stop, .events = POLLIN}};
        int n = poll(p, 2, left < 0 ? 0 : (int)left);
        if (p[1].revents || (n < 0 && errno != EINTR))
            return TALLY_IO_FAILED;
        if (n > 0)
            return 1;
        if (n == 0 && left <= 0)
            return TALLY_IO_TIMEOUT;
    }
}

/* The stop descriptor is looked at first, so that a busy socket cannot hide a shutdown. */
static int64_t tcp_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    const struct tcp *t = user;
    int64_t until = party_now_ms() + timeout_ms;
    for (;;) {
        int64_t ready = await(t, POLLIN, until);
        if (ready != 1)
            return ready;
        ssize_t n = recv(t->fd, buf, cap, 0);
        if (n >= 0)
            return n ? (int64_t)n : TALLY_IO_END;
        if (errno != EINTR && errno != EAGAIN)
            return TALLY_IO_FAILED;
    }
}

static int64_t tcp_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    const struct tcp *t = user;
    int64_t until = party_now_ms() + timeout_ms;
    for (;;) {
        int64_t ready = await(t, POLLOUT, until);
        if (ready != 1)
            return ready;
        ssize_t n = send(t->fd, buf, len, MSG_NOSIGNAL);
        if (n > 0)
            return (int64_t)n;
        if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return TALLY_IO_FAILED;
    }
}

static void tcp_shutdown(void *user)
{
    const struct tcp *t = user;
    const uint64_t one = 1;
    ssize_t n = write(t->stop, &one, sizeof one);
    (void)n;
    /* Only the sending side: bytes of the peer that arrive after SHUT_RD would make the kernel reset the
     * connection. */
    shutdown(t->fd, SHUT_WR);
}

static void set_option(int fd, int level, int name, int value)
{
    /* Tuning only: a socket that refuses an option still works. */
    (void)!setsockopt(fd, level, name, &value, sizeof value);
}

tally_status party_tcp_from_fd(int fd, tally_transport *out, tally_error *error)
{
    struct tcp *t = psi_calloc(1, sizeof *t);
    if (!t) {
        close(fd);
        return party_no_memory(error, "a connection");
    }
    t->fd = fd;
    t->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int flags = fcntl(fd, F_GETFL);
    if (t->stop < 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        party_fail(error, TALLY_ERR_INTERNAL, "cannot prepare a socket: %s", party_system_text(errno));
        if (t->stop >= 0)
            close(t->stop);
        close(fd);
        psi_free(t);
        return TALLY_ERR_INTERNAL;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* A vanished host is noticed after 15 + 4 * 5 s even when nothing is sent. There is no TCP_USER_TIMEOUT:
       it would also end a connection whose peer computes for long and reads nothing; the link's heartbeats
       judge that. */
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
    *out = (tally_transport){.user = t, .read = tcp_read, .write = tcp_write, .shutdown = tcp_shutdown};
    return TALLY_OK;
}

void party_tcp_linger(tally_transport *transport, int timeout_ms, const party_cancel *cancel)
{
    const struct tcp *t = transport->user;
    int64_t until = party_now_ms() + timeout_ms;
    uint8_t dropped[16384];
    for (;;) {
        int64_t left = until - party_now_ms();
        struct pollfd p[2] = {{.fd = t->fd, .events = POLLIN},
                              {.fd = cancel ? cancel->fd : -1, .events = POLLIN}};
        if (left <= 0)
            return;
        int n = poll(p, 2, (int)left);
        if (p[1].revents || (n < 0 && errno != EINTR))
            return;
        ssize_t got = n > 0 ? recv(t->fd, dropped, sizeof dropped, 0) : 1;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

uint32_t party_tcp_round_trip_us(const tally_transport *transport)
{
    const struct tcp *t = transport->user;
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_min_rtt;
}

int party_tcp_is_local(const tally_transport *transport)
{
    const struct tcp *t = transport->user;
    struct sockaddr_storage a = {0}, b = {0};
    socklen_t a_len = sizeof a, b_len = sizeof b;
    if (getsockname(t->fd, (struct sockaddr *)&a, &a_len) ||
        getpeername(t->fd, (struct sockaddr *)&b, &b_len))
        return 0;
    if (a.ss_family == AF_INET6 && b.ss_family == AF_INET6)
        return memcmp(&((struct sockaddr_in6 *)&a)->sin6_addr, &((struct sockaddr_in6 *)&b)->sin6_addr,
                      sizeof(struct in6_addr)) == 0;
    uint32_t near = ntohl(((struct sockaddr_in *)&a)->sin_addr.s_addr),
             far = ntohl(((struct sockaddr_in *)&b)->sin_addr.s_addr);
    return a.ss_family == AF_INET && b.ss_family == AF_INET &&
           (near == far || (near >> 24 == 127 && far >> 24 == 127));
}

void party_tcp_free(tally_transport *transport)
{
    struct tcp *t = transport->user;
    if (t) {
        close(t->fd);
        close(t->stop);
        psi_free(t);
    }
    memset(transport, 0, sizeof *transport);
}

static void sockaddr_text(const struct sockaddr *sa, socklen_t len, char *out, size_t size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getnameinfo(sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(out, size, "an unknown address");
    else if (strchr(host, ':'))
        snprintf(out, size, "[%s]:%s", host, port);
    else
        snprintf(out, size, "%s:%s", host, port);
}

void party_tcp_peer_text(int fd, char *out, size_t size)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    memset(&sa, 0, sizeof sa);
    if (getpeername(fd, (struct sockaddr *)&sa, &len))
        snprintf(out, size, "an address that is gone");
    else
        sockaddr_text((const struct sockaddr *)&sa, len, out, size);
}

/* A free local port may meet itself by TCP's simultaneous open: that is nobody, not a peer. */
static int is_self(int fd)
{
    struct sockaddr_storage a, b;
    socklen_t a_len = sizeof a, b_len = sizeof b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (getsockname(fd, (struct sockaddr *)&a, &a_len) || getpeername(fd, (struct sockaddr *)&b, &b_len))
        return 0;
    return a_len == b_len && memcmp(&a, &b, a_len) == 0;
}

/* 0 and *fd, or an errno; ECANCELED when cancelled. */
static int connect_one(const struct addrinfo *ai, int64_t until, const party_cancel *cancel, int *out)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int failed = connect(fd, ai->ai_addr, ai->ai_addrlen) ? errno : 0;
    while (failed == EINPROGRESS || failed == EINTR) {
        int64_t left = until - party_now_ms();
        struct pollfd p[2] = {{.fd = fd, .events = POLLOUT}, {.fd = cancel->fd, .events = POLLIN}};
        socklen_t len = sizeof failed;
        int n = poll(p, 2, left < 0 ? 0 : (int)left);
        if (party_cancelled(cancel))
            failed = ECANCELED;
        else if (n == 0)
            failed = ETIMEDOUT;
        else if (n > 0 && p[0].revents && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len))
            failed = errno;
    }
    if (!failed && is_self(fd))
        failed = ECONNREFUSED;
    if (failed)
        close(fd);
    else
        *out = fd;
    return failed;
}

tally_status party_tcp_try(const party_address *address, int64_t deadline_ms, party_cancel *cancel, int *fd,
                           int *retry, int *why, tally_error *error)
{
    struct addrinfo *list = NULL;
    *why = 0;
    tally_status st = party_resolve(address, 0, deadline_ms, cancel, &list, retry, error);
    if (st)
        return st;
    int failed = EHOSTUNREACH;
    const struct addrinfo *ai = list;
    for (; ai && failed && failed != ECANCELED; ai = ai->ai_next) {
        int64_t until = party_now_ms() + ATTEMPT_MS;
        failed = connect_one(ai, until < deadline_ms ? until : deadline_ms, cancel, fd);
    }
    freeaddrinfo(list);
    *why = failed;
    if (!failed)
        return TALLY_OK;
    if (failed == ECANCELED)
        return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while connecting");
    char text[PARTY_ADDRESS_TEXT];
    party_address_text(text, address);
    *retry = failed != EMFILE && failed != ENFILE && failed != EACCES && failed != EPERM;
    return party_fail(error, TALLY_ERR_NETWORK, "cannot connect to %s: %s", text, party_system_text(failed));
}

tally_status party_tcp_connect(const party_address *address, int64_t deadline_ms, party_cancel *cancel,
                               int *fd, int *retry, tally_error *error)
{
    int why;
    return party_tcp_try(address, deadline_ms, cancel, fd, retry, &why, error);
}

/* 0 and *fd, or an errno. */
static int listen_one(const struct addrinfo *ai, int *out)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (ai->ai_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
        int failed = errno;
        close(fd);
        return failed;
    }
    *out = fd;
    return 0;
}

tally_status party_tcp_listen(const party_address *address, int *fds, size_t max, size_t *count,
                              tally_error *error)
{
    struct addrinfo *list = NULL;
    tally_status st = party_resolve(address, 1, party_now_ms() + 30000, NULL, &list, NULL, error);
    if (st)
        return st;
    size_t n = 0;
    int failed = 0;
    for (const struct addrinfo *ai = list; ai && n < max; ai = ai->ai_next) {
        int one = listen_one(ai, &fds[n]);
        n += one == 0;
        /* A host without IPv6 may still have names with IPv6 addresses; a port in use is never passed over.
         */
        if (one && (!failed || one == EADDRINUSE))
            failed = one;
        if (one == EADDRINUSE)
            break;
    }
    freeaddrinfo(list);
    if (n && failed != EADDRINUSE) {
        *count = n;
        return TALLY_OK;
    }
    while (n)
        close(fds[--n]);
    char text[PARTY_ADDRESS_TEXT];
    party_address_text(text, address);
    party_fail(error, TALLY_ERR_NETWORK, "cannot listen on %s: %s", text, party_system_text(failed));
    if (failed == EADDRINUSE)
        party_hint(error,
                   "another program has the port, perhaps a run of tally that still waits; end it or use "
                   "another port");
    else if (failed == EADDRNOTAVAIL)
        party_hint(error, "this machine has no such address; listen on one of its own, or on *:%s",
                   address->port);
    else if (failed == EACCES)
        party_hint(error, "ports below 1024 need a privilege; use a port such as 7440");
    return TALLY_ERR_NETWORK;
}
