/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link of a given rate and delay between two parties on one machine.
 *
 * link tun NAMESPACE-1 NAMESPACE-2 RATE ONE-WAY-DELAY
 *
 * makes a TUN device "link" in each of two network namespaces (`ip netns add`), 10.77.0.1 and 10.77.0.2, and
 * carries packets between them. Needs root.
 *
 * link relay LISTEN-PORT CONNECT-PORT RATE ONE-WAY-DELAY
 *
 * takes one TCP connection on loopback and carries its bytes to another port; needs no rights.
 *
 * RATE is bits per second each way, 0 for no limit: of IP packets with tun, of what TCP carries with relay.
 * The delay is in microseconds. It prints "ready" once it works; on SIGTERM it prints the bytes carried to
 * side 1 (the listener's peer) and to side 2, and how many packets were dropped for want of room, as JSON.
 * A packet leaves when the line is free and arrives a delay later; the queue before the line holds twice the
 * bandwidth-delay product, at least 256 KiB. With tun what does not fit is dropped, with relay it waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_LEAST (256u * 1024)
#define PACKET_MAX (65536u + 256)
#define BURST 64           /* packets taken from one side before the other has its turn */
#define CHUNK_MAX 65536u   /* what a relay takes at once, */
#define CHUNK_LEAST 1448u  /* at most a millisecond of the line, at least a segment */
#define CONNECT_TRIES 6000 /* every 5 ms: 30 s */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- One direction: what is under way, in order of arrival ---- */

typedef struct packet {
    struct packet *next;
    uint64_t arrives;
    size_t len, done; /* done: bytes of a relay that are already written */
    unsigned char data[];
} packet;

typedef struct direction {
    uint64_t rate, delay_ns, queue; /* bits a second, or 0; bytes */
    uint64_t free_at;               /* when the line has sent all before */
    uint64_t carried, dropped;
    packet *head, **tail;
} direction;

static void direction_new(direction *d, uint64_t rate, uint64_t delay_us)
{
    uint64_t product = rate / 8 * (2 * delay_us) / 1000000; /* delay is half of a round trip */
    *d = (direction){.rate = rate, .delay_ns = delay_us * 1000};
    d->queue = 2 * product > QUEUE_LEAST ? 2 * product : QUEUE_LEAST;
    d->tail = &d->head;
}

static uint64_t line_ns(const direction *d, uint64_t bytes)
{
    return d->rate ? (uint64_t)((double)bytes * 8e9 / (double)d->rate) : 0;
}

static int has_room(const direction *d, uint64_t now)
{
    return d->free_at <= now || d->free_at - now <= line_ns(d, d->queue);
}

/* Puts a copy on the line; wire: the bytes it takes there. */
static void put(direction *d, uint64_t now, const void *data, size_t len, uint64_t wire)
{
    packet *p = malloc(sizeof *p + len);
    if (!p)
        die("memory");
    d->free_at = (d->free_at > now ? d->free_at : now) + line_ns(d, wire);
    p->next = NULL;
    p->arrives = d->free_at + d->delay_ns;
    p->len = len;
    p->done = 0;
    memcpy(p->data, data, len);
    *d->tail = p;
    d->tail = &p->next;
    d->carried += wire;
}

static void take_off(direction *d)
{
    packet *p = d->head;
    d->head = p->next;
    if (!d->head)
        d->tail = &d->head;
    free(p);
}

/* ---- TUN devices ---- */

/*
 * Bytes of a packet on the wire. One with offload stands for segments of gso_size bytes, each with headers of
 * its own.
 */
static uint64_t wire_bytes(const unsigned char *data, size_t len)
{
    struct virtio_net_hdr h;
    memcpy(&h, data, sizeof h);
    const unsigned char *ip = data + sizeof h;
    uint64_t bytes = len - sizeof h;
    if (h.gso_type == VIRTIO_NET_HDR_GSO_NONE || !h.gso_size)
        return bytes;
    size_t ip_len = ip[0] >> 4 == 4 ? (ip[0] & 15u) * 4u : 40;
    if (ip_len + sizeof(struct tcphdr) > bytes)
        return bytes;
    uint64_t headers = ip_len + (ip[ip_len + 12] >> 4) * 4u; /* TCP's length of its header, in words */
    if (headers >= bytes)
        return bytes;
    uint64_t segments = (bytes - headers + h.gso_size - 1) / h.gso_size;
    return bytes + (segments - 1) * headers;
}

static void into_namespace(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/var/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        die(path);
    close(fd);
}

static void address(struct ifreq *r, const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
        die(text);
    memcpy(&r->ifr_addr, &a, sizeof a);
}

static int tun_open(const char *own)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    memcpy(r.ifr_name, "link", 5);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
        die("/dev/net/tun");
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address(&r, own);
    if (s < 0 || ioctl(s, SIOCSIFADDR, &r))
        die("address");
    address(&r, "255.255.255.0");
    if (ioctl(s, SIOCSIFNETMASK, &r))
        die("netmask");
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &r))
        die("link up");
    close(s);
    return fd;
}

static void tun_read(direction *d, int fd)
{
    static unsigned char data[PACKET_MAX];
    for (int i = 0; i < BURST; i++) {
        ssize_t n = read(fd, data, sizeof data);
        if (n < (ssize_t)sizeof(struct virtio_net_hdr) + 20)
            return;
        uint64_t now = now_ns();
        if (has_room(d, now))
            put(d, now, data, (size_t)n, wire_bytes(data, (size_t)n));
        else
            d->dropped++;
    }
}

/* ---- Waiting ---- */

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

/* Waits for the files or for `at`; signals come through only here. */
static void wait_until(struct pollfd *files, uint64_t at, const sigset_t *open_to)
{
    struct timespec t;
    uint64_t now = now_ns(), left = at > now ? at - now : 0;
    t.tv_sec = (time_t)(left / 1000000000u);
    t.tv_nsec = (long)(left % 1000000000u);
    if (ppoll(files, 2, at == UINT64_MAX ? NULL : &t, open_to) < 0 && errno != EINTR)
        die("poll");
}

static uint64_t next_arrival(const direction d[2])
{
    uint64_t at = UINT64_MAX;
    for (int i = 0; i < 2; i++)
        if (d[i].head && d[i].head->arrives < at)
            at = d[i].head->arrives;
    return at;
}

/* d[0] goes from side 1 to side 2. */
static void carry_packets(direction d[2], const int fd[2], const sigset_t *open_to)
{
    struct pollfd files[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[1], .events = POLLIN}};
    while (!stopping) {
        wait_until(files, next_arrival(d), open_to);
        for (int i = 0; i < 2; i++) {
            if (files[i].revents & POLLIN)
                tun_read(&d[i], fd[i]);
            for (uint64_t now = now_ns(); d[i].head && d[i].head->arrives <= now; take_off(&d[i]))
                if (write(fd[!i], d[i].head->data, d[i].head->len) < 0)
                    d[i].dropped++;
        }
    }
}

/* ---- Relay ---- */

static int relay_open(const char *listen_port, const char *connect_port, int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_port = htons((uint16_t)strtoul(listen_port, NULL, 10));
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(listener, (const struct sockaddr *)&a, sizeof a) || listen(listener, 1))
        die(listen_port);
    puts("ready");
    fflush(stdout);
    fd[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    if (fd[0] < 0)
        die("accept");
    a.sin_port = htons((uint16_t)strtoul(connect_port, NULL, 10));
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < CONNECT_TRIES; i++) {
        fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd[1] < 0)
            die("socket");
        if (connect(fd[1], (const struct sockaddr *)&a, sizeof a) == 0) {
            for (int k = 0; k < 2; k++)
                if (setsockopt(fd[k], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
                    die("TCP_NODELAY");
            return fcntl(fd[1], F_SETFL, O_NONBLOCK);
        }
        close(fd[1]);
        nanosleep(&pause, NULL);
    }
    die(connect_port);
}

typedef struct relay {
    direction *d;
    int from, to;
    int ended;   /* the side it comes from has sent all */
    int blocked; /* the other side takes no more for now */
    int shut;
} relay;

static void relay_read(relay *r, uint64_t now)
{
    static unsigned char data[CHUNK_MAX];
    size_t most = r->d->rate ? (size_t)(r->d->rate / 8 / 1000) : CHUNK_MAX;
    most = most > CHUNK_MAX ? CHUNK_MAX : most < CHUNK_LEAST ? CHUNK_LEAST : most;
    while (has_room(r->d, now)) {
        ssize_t n = read(r->from, data, most);
        if (n > 0) {
            put(r->d, now, data, (size_t)n, (uint64_t)n);
            if (!r->d->rate)
                return;
            continue;
        }
        r->ended = n == 0 || (errno != EAGAIN && errno != EINTR);
        return;
    }
}

static void relay_write(relay *r, uint64_t now)
{
    r->blocked = 0;
    for (packet *p; (p = r->d->head) && p->arrives <= now;) {
        ssize_t n = send(r->to, p->data + p->done, p->len - p->done, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            r->blocked = 1;
            return;
        }
        p->done += n < 0 ? p->len - p->done : (size_t)n; /* nobody is there to take it */
        if (p->done == p->len)
            take_off(r->d);
    }
    if (r->ended && !r->d->head && !r->shut) {
        shutdown(r->to, SHUT_WR);
        r->shut = 1;
    }
}

static void carry_bytes(direction d[2], const int fd[2], const sigset_t *open_to)
{
    relay r[2] = {{.d = &d[0], .from = fd[0], .to = fd[1]}, {.d = &d[1], .from = fd[1], .to = fd[0]}};
    while (!stopping) {
        struct pollfd files[2] = {{.fd = fd[0]}, {.fd = fd[1]}};
        uint64_t now = now_ns(), at = UINT64_MAX;
        for (int i = 0; i < 2; i++) {
            uint64_t then = UINT64_MAX;
            if (!r[i].ended && has_room(&d[i], now))
                files[i].events |= POLLIN;
            else if (!r[i].ended) /* until a chunk of the queue is gone */
                then = d[i].free_at - line_ns(&d[i], d[i].queue);
            if (r[i].blocked)
                files[!i].events |= POLLOUT;
            else if (d[i].head && d[i].head->arrives < then)
                then = d[i].head->arrives;
            at = then < at ? then : at;
        }
        for (int i = 0; i < 2; i++)
            if (!files[i].events)
                files[i].fd = -1; /* else a closed connection would wake us at once, for ever */
        wait_until(files, at, open_to);
        now = now_ns();
        for (int i = 0; i < 2; i++) {
            if (files[i].revents & (POLLIN | POLLHUP | POLLERR) && !r[i].ended)
                relay_read(&r[i], now);
            relay_write(&r[i], now);
        }
    }
}

static uint64_t number(const char *text)
{
    char *end;
    errno = EINVAL;
    uint64_t n = strtoull(text, &end, 10);
    if (end == text || *end)
        die(text);
    return n;
}

int main(int argc, char **argv)
{
    int relaying = argc == 6 && strcmp(argv[1], "relay") == 0;
    if (!relaying && !(argc == 6 && strcmp(argv[1], "tun") == 0)) {
        fprintf(stderr, "usage: link tun NAMESPACE-1 NAMESPACE-2 RATE ONE-WAY-DELAY\n"
                        "       link relay LISTEN-PORT CONNECT-PORT RATE ONE-WAY-DELAY\n");
        return 1;
    }
    direction d[2];
    for (int i = 0; i < 2; i++)
        direction_new(&d[i], number(argv[4]), number(argv[5]));
    /* Timers as exact as they go, and no waiting behind the parties that it serves: it never has much to do.
     */
    prctl(PR_SET_TIMERSLACK, 1);
    struct sched_param first = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_RR, &first); /* not everybody may; then the delay is less exact */
    struct sigaction action = {.sa_handler = stop};
    sigset_t closed, open_to;
    sigemptyset(&closed);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int fd[2];
    if (relaying) {
        if (relay_open(argv[2], argv[3], fd))
            die("relay");
    } else {
        static const char *const own[2] = {"10.77.0.1", "10.77.0.2"};
        for (int i = 0; i < 2; i++) {
            into_namespace(argv[2 + i]);
            fd[i] = tun_open(own[i]);
        }
        puts("ready");
        fflush(stdout);
    }
    sigaddset(&closed, SIGTERM);
    sigaddset(&closed, SIGINT);
    sigprocmask(SIG_BLOCK, &closed, &open_to);
    (relaying ? carry_bytes : carry_packets)(d, fd, &open_to);
    printf("{\"to_1\": %" PRIu64 ", \"to_2\": %" PRIu64 ", \"dropped\": %" PRIu64 "}\n", d[1].carried,
           d[0].carried, d[0].dropped + d[1].dropped);
    return fflush(stdout) || ferror(stdout);
}
