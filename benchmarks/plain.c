/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people do today, made as well as we can: exchange the hashes of the identifiers and join. The
 * yardstick of benchmarks/run. Not private: hashes of resident ids are found by trying all.
 *
 * plain sender HOST:PORT FILE KEY [COLUMN...]
 *
 * listens and sends 16 bytes of SHA-256 for each distinct identifier, and the whole number of each COLUMN;
 * KEY is COL[:PROFILE], HOST an IPv4 address.
 *
 * plain receiver HOST:PORT FILE KEY [OUTPUT]
 *
 * joins them with its own and writes its matching rows, or without OUTPUT prints the count, and the sums if
 * there are any, as JSON. Reader, normalising, hashing, folding and writer are Tally's. Wire: number of
 * hashes and of columns (8 bytes each, little-endian), then batches of hashes, each with its numbers behind
 * it. The receiver takes them in while it still reads its own file.
 */
#include "party/numbers.h"
#include "party/output.h"
#include "party/pool.h"
#include "party/rows.h"
#include "psi/join.h"
#include "psi/mem.h"
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
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
#define COLUMNS_MAX 8u
#define VALUE_BOUND (INT64_C(1) << 47) /* of one number, either way */
#define CONNECT_TRIES 6000             /* every 5 ms: 30 s */

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

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || *end || port < 1 || port > 65535 || (size_t)(colon - text) >= sizeof host)
        die(text, "not an IPv4 address and a port, such as 127.0.0.1:7440");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    a.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die(text, "not an IPv4 address and a port, such as 127.0.0.1:7440");
    return a;
}

static int socket_or_die(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket", strerror(errno));
    return fd;
}

static int listen_on(const char *text)
{
    struct sockaddr_in at = address(text);
    int fd = socket_or_die(), one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, 1))
        die("listen", strerror(errno));
    return fd;
}

static int connect_to(const char *text)
{
    struct sockaddr_in at = address(text);
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

static tally_input *load(const char *file, const char *key, char *const *columns, size_t count)
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
        tally_input_add_key(input, column, colon ? colon + 1 : NULL, &error))
        die(key, error.message);
    for (size_t i = 0; i < count; i++)
        if (tally_input_add_value(input, columns[i], -VALUE_BOUND, VALUE_BOUND, 0, &error))
            die(columns[i], error.message);
    if (tally_input_set_file(input, file, &error) || party_input_load(input, NULL, NULL, NULL, &error))
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

static void sender(const char *at, const char *file, const char *key, char *const *names, size_t columns)
{
    int listener = listen_on(at);
    tally_input *input = load(file, key, names, columns);
    size_t count;
    const psi_item *items = party_input_items(input, &count);
    const int64_t *numbers = party_input_numbers(input, &columns);
    uint8_t *batch = room(BATCH, WIDTH);
    uint64_t *values = room(BATCH, columns * sizeof *values);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept", strerror(errno));
    uint64_t announced[2] = {htole64(count), htole64(columns)};
    send_all(fd, announced, sizeof announced);
    for (size_t begin = 0; begin < count; begin += BATCH) {
        size_t end = count - begin < BATCH ? count : begin + BATCH;
        hashes(batch, items, begin, end);
        for (size_t i = 0; i < (end - begin) * columns; i++)
            values[i] = htole64((uint64_t)numbers[begin * columns + i]);
        send_all(fd, batch, (end - begin) * WIDTH);
        send_all(fd, values, (end - begin) * columns * sizeof *values);
    }
    close(fd);
    close(listener);
    psi_free(values);
    psi_free(batch);
    tally_input_free(input);
}

typedef struct intake {
    const char *at;
    uint8_t *hashes;
    uint64_t *values;
    size_t count, columns;
} intake;

static void *take_in(void *user)
{
    intake *in = user;
    uint64_t announced[2];
    int fd = connect_to(in->at);
    receive_all(fd, announced, sizeof announced);
    uint64_t count = le64toh(announced[0]), columns = le64toh(announced[1]);
    if (count > HASHES_MAX || columns > COLUMNS_MAX)
        die("receive", "too many hashes or columns");
    in->count = (size_t)count;
    in->columns = (size_t)columns;
    in->hashes = room(in->count, WIDTH);
    in->values = room(in->count, in->columns * sizeof *in->values);
    for (size_t begin = 0; begin < in->count; begin += BATCH) {
        size_t n = in->count - begin < BATCH ? in->count - begin : BATCH;
        receive_all(fd, in->hashes + begin * WIDTH, n * WIDTH);
        receive_all(fd, in->values + begin * in->columns, n * in->columns * sizeof *in->values);
    }
    close(fd);
    return NULL;
}

typedef struct probe {
    const psi_join *join;
    const intake *in;
    uint8_t *matched; /* a bit for each own item; several threads set them */
    uint64_t hits, sums[COLUMNS_MAX];
} probe;

static void hit(void *user, size_t own, size_t peer)
{
    probe *p = user;
    __atomic_fetch_or(&p->matched[own / 8], (uint8_t)(1u << own % 8), __ATOMIC_RELAXED);
    __atomic_fetch_add(&p->hits, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < p->in->columns; i++)
        __atomic_fetch_add(&p->sums[i], le64toh(p->in->values[peer * p->in->columns + i]), __ATOMIC_RELAXED);
}

static tally_status look_up(void *user, unsigned worker, size_t begin, size_t end)
{
    const probe *p = user;
    (void)worker;
    psi_join_probe(p->join, p->in->hashes + begin * WIDTH, end - begin, begin, hit, user);
    return TALLY_OK;
}

static void print_figures(const probe *p)
{
    printf("{\"count\": %" PRIu64 ", \"sums\": [", p->hits);
    for (size_t i = 0; i < p->in->columns; i++)
        printf("%s%" PRId64, i ? ", " : "", (int64_t)p->sums[i]);
    puts("]}");
    if (fflush(stdout))
        die("standard output", strerror(errno));
}

static void receiver(const char *at, const char *file, const char *key, const char *path)
{
    tally_error error;
    intake in = {.at = at};
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_in, &in))
        die("thread", "cannot be started");
    tally_input *input = load(file, key, NULL, 0);
    party_output *output = NULL;
    if (path && party_output_open(&output, path, 1, NULL, 0, input, &error))
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
    probe p = {.join = join, .in = &in, .matched = room(count / 8 + 1, 1)};
    uint64_t rows;
    if (party_pool_run(pool, in.count, PROBE, look_up, &p))
        die("join", "failed");
    if (!path)
        print_figures(&p);
    else if (party_output_write(output, p.matched, NULL, &rows, &error) ||
             party_output_commit(output, &error))
        die(path, error.message);
    psi_free(p.matched);
    party_pool_free(pool);
    psi_join_free(join);
    psi_free(own);
    psi_free(in.values);
    psi_free(in.hashes);
    party_output_free(output);
    tally_input_free(input);
}

int main(int argc, char **argv)
{
    if (argc >= 5 && argc <= 5 + (int)COLUMNS_MAX && strcmp(argv[1], "sender") == 0) {
        sender(argv[2], argv[3], argv[4], argv + 5, (size_t)argc - 5);
    } else if ((argc == 5 || argc == 6) && strcmp(argv[1], "receiver") == 0) {
        receiver(argv[2], argv[3], argv[4], argv[5]);
    } else {
        fprintf(stderr, "usage: plain sender HOST:PORT FILE KEY [COLUMN...]\n"
                        "       plain receiver HOST:PORT FILE KEY [OUTPUT]\n");
        return 1;
    }
    return 0;
}
