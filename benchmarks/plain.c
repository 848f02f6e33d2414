/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people do today, made as well as we can: exchange the hashes of the identifiers and join. The
 * yardstick of benchmarks/compare.py. Not private: hashes of resident ids are found by trying all of them.
 *
 * plain sender PORT FILE KEY
 *
 * listens on 127.0.0.1 and sends 16 bytes of SHA-256 for each distinct identifier; KEY is COL[:PROFILE].
 *
 * plain receiver PORT FILE KEY OUTPUT
 *
 * joins them with its own and writes its matching rows. Reader, normalising, hashing, folding and writer are
 * Tally's. Wire: number of hashes (8 bytes, little-endian), hashes. The receiver takes them in while it still
 * reads its own file.
 */
#include "party/output.h"
#include "party/pool.h"
#include "party/rows.h"
#include "psi/join.h"
#include "psi/mem.h"
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 16u               /* bytes of a hash: two of 2^32 different ones meet with probability 2^-65 */
#define BATCH 16384u            /* hashes of one write, 256 KiB */
#define PROBE 8192u             /* hashes that a thread looks up at a time */
#define HASHES_MAX (1ull << 31) /* the bound of psi_join */
#define CONNECT_TRIES 6000      /* every 5 ms: 30 s */

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "plain: %s: %s\n", what, why);
    exit(1);
}

static void *room(size_t count, size_t size)
{
    void *p = psi_calloc(count, size);
    if (!p)
        die("memory", strerror(ENOMEM));
    return p;
}

/* ---- The link ---- */

static struct sockaddr_in loopback(const char *port)
{
    char *end;
    unsigned long n = strtoul(port, &end, 10);
    if (*end || n < 1 || n > 65535)
        die(port, "not a port");
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)n), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int socket_or_die(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket", strerror(errno));
    return fd;
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket_or_die(), one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, 1))
        die("listen", strerror(errno));
    return fd;
}

static int connect_to(const char *port)
{
    struct sockaddr_in at = loopback(port);
    const struct timespec pause = {.tv_nsec = 5000000};
    for (unsigned i = 0; i < CONNECT_TRIES; i++) {
        int fd = socket_or_die();
        if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
            return fd;
        close(fd);
        nanosleep(&pause, NULL);
    }
    die("connect", "nobody listens");
}

static void send_all(int fd, const void *data, size_t len)
{
    for (const uint8_t *p = data; len;) {
        ssize_t n = TEMP_FAILURE_RETRY(send(fd, p, len, MSG_NOSIGNAL));
        if (n < 0)
            die("send", strerror(errno));
        p += n;
        len -= (size_t)n;
    }
}

static void receive_all(int fd, void *data, size_t len)
{
    for (uint8_t *p = data; len;) {
        ssize_t n = TEMP_FAILURE_RETRY(recv(fd, p, len, 0));
        if (n <= 0)
            die("receive", n ? strerror(errno) : "the sender left");
        p += n;
        len -= (size_t)n;
    }
}

/* ---- The list ---- */

static tally_input *load(const char *file, const char *key)
{
    tally_error error;
    tally_input *input = NULL;
    char column[256];
    const char *colon = strrchr(key, ':');
    size_t len = colon ? (size_t)(colon - key) : strlen(key);
    if (len >= sizeof column)
        die("KEY", "too long");
    memcpy(column, key, len);
    column[len] = 0;
    if (tally_input_new(&input, &error) ||
        tally_input_add_key(input, column, colon ? colon + 1 : NULL, &error) ||
        tally_input_set_file(input, file, &error) || party_input_load(input, NULL, NULL, NULL, &error))
        die(file, error.message);
    return input;
}

/* The hashes of items [begin, end), one after the other. */
static void hashes(uint8_t *out, const psi_item *items, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++, out += WIDTH)
        memcpy(out, items[i].b, WIDTH);
}

/* ---- The two sides ---- */

static void sender(const char *port, const char *file, const char *key)
{
    int listener = listen_on(port);
    tally_input *input = load(file, key);
    size_t count;
    const psi_item *items = party_input_items(input, &count);
    uint8_t *batch = room(BATCH, WIDTH);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept", strerror(errno));
    uint64_t announced = htole64(count);
    send_all(fd, &announced, sizeof announced);
    for (size_t at = 0; at < count; at += BATCH) {
        size_t end = count - at < BATCH ? count : at + BATCH;
        hashes(batch, items, at, end);
        send_all(fd, batch, (end - at) * WIDTH);
    }
    close(fd);
    close(listener);
    psi_free(batch);
    tally_input_free(input);
}

typedef struct intake {
    const char *port;
    uint8_t *hashes;
    size_t count;
} intake;

static void *take_in(void *user)
{
    intake *in = user;
    uint64_t count;
    int fd = connect_to(in->port);
    receive_all(fd, &count, sizeof count);
    count = le64toh(count);
    if (count > HASHES_MAX)
        die("receive", "too many hashes");
    in->count = (size_t)count;
    in->hashes = room(in->count, WIDTH);
    receive_all(fd, in->hashes, in->count * WIDTH);
    close(fd);
    return NULL;
}

typedef struct probe {
    const psi_join *join;
    const uint8_t *hashes;
    uint8_t *matched; /* a bit for each own item; several threads set them */
} probe;

static void hit(void *user, size_t own, size_t peer)
{
    probe *p = user;
    (void)peer;
    __atomic_fetch_or(&p->matched[own / 8], (uint8_t)(1u << own % 8), __ATOMIC_RELAXED);
}

static tally_status look_up(void *user, unsigned worker, size_t begin, size_t end)
{
    const probe *p = user;
    (void)worker;
    psi_join_probe(p->join, p->hashes + begin * WIDTH, end - begin, begin, hit, user);
    return TALLY_OK;
}

static void receiver(const char *port, const char *file, const char *key, const char *path)
{
    tally_error error;
    intake in = {.port = port};
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_in, &in))
        die("thread", "cannot be started");
    tally_input *input = load(file, key);
    party_output *output = NULL;
    if (party_output_open(&output, path, 1, NULL, 0, input, &error))
        die(path, error.message);
    size_t count;
    const psi_item *items = party_input_items(input, &count);
    uint8_t *own = room(count, WIDTH);
    hashes(own, items, 0, count);
    psi_join *join = NULL;
    party_pool *pool = NULL;
    if (psi_join_new(&join, own, count, WIDTH) || party_pool_new(&pool, party_pool_threads(0), &error))
        die("join", "out of memory");
    pthread_join(thread, NULL);
    probe p = {join, in.hashes, room(count / 8 + 1, 1)};
    uint64_t rows;
    if (party_pool_run(pool, in.count, PROBE, look_up, &p))
        die("join", "failed");
    if (party_output_write(output, p.matched, NULL, &rows, &error) || party_output_commit(output, &error))
        die(path, error.message);
    psi_free(p.matched);
    party_pool_free(pool);
    psi_join_free(join);
    psi_free(own);
    psi_free(in.hashes);
    party_output_free(output);
    tally_input_free(input);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "sender") == 0) {
        sender(argv[2], argv[3], argv[4]);
    } else if (argc == 6 && strcmp(argv[1], "receiver") == 0) {
        receiver(argv[2], argv[3], argv[4], argv[5]);
    } else {
        fprintf(stderr, "usage: plain sender PORT FILE KEY\n       plain receiver PORT FILE KEY OUTPUT\n");
        return 1;
    }
    return 0;
}
