/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel and every backend of it that this machine runs, beside OpenSSL's X25519 and libsodium in the
 * same run: operations a second and cycles an operation, on one thread and on all. All rows are measured in
 * turn and then all again, so that a slow minute of the machine meets every row and ratios hold.
 * benchmarks/README.md says what an operation is.
 */
#include "psi/expand.h"
#include "psi/gf128.h"
#include "psi/group_backends.h"
#include "psi/item.h"
#include "psi/mem.h"
#include "psi/pick.h"
#include "psi/rlwe_ring.h"
#include "psi/rng.h"
#include "psi/rowhash.h"
#include "psi/sha256.h"
#include "psi/subspace.h"

#include <getopt.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define N 1024 /* points, hashes and scalars in one call */
#define REPEATS_MAX 99
#define ROWS_MAX 64
#define THREADS_MAX 256
#define VOLE_K 4u
#define STRIDE 64u       /* bytes of a column of the matrix in work: 512 slots */
#define MATRIX_BITS 788u /* of a row, k = 4 */
#define COEFFICIENTS 1000u

/* What one thread works on. */
typedef struct work {
    uint8_t uniform[N][64], wide[N][64];
    psi_point points[N], out[N];
    psi_scalar k[N], inverse[N];
    uint8_t numbers[N][32], digests[N][32];
    psi_leaf leaves[N];
    psi_block keys[N];
    uint8_t u[STRIDE], v[VOLE_K * STRIDE], matrix[MATRIX_BITS * STRIDE], rows[PSI_ROW_STRIP * PSI_ROW_BYTES];
    psi_row_key row_key;
    psi_gf128 coefficients[COEFFICIENTS], sum;
    int64_t polynomial[PSI_RLWE_N];
    psi_pick_entry table[PSI_PICK_MAX], picked[PSI_PICK_ROWS];
    EVP_PKEY *own, *peer;
    EVP_PKEY_CTX *derive;
} work;

typedef struct row row;
struct row {
    const char *kernel, *backend;
    const void *table; /* the backend */
    size_t ops;        /* of one call of run */
    void (*run)(const row *r, work *w);
};

static void die(const char *what)
{
    fprintf(stderr, "kernels: %s\n", what);
    exit(70);
}

static void must(int failed, const char *kernel)
{
    if (failed)
        die(kernel);
}

/* ---- Kernels ---- */

#define UNIFORM(w) ((const uint8_t(*)[64])(w)->uniform)

static void scalar_mul(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->mul_common(w->out, w->points, N, w->k, NULL), r->kernel);
}

static void scalar_mul_each(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->mul_each(w->out, w->points, w->k, N, NULL), r->kernel);
}

static void map_mul(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->map_mul_common(w->out, UNIFORM(w), N, w->k), r->kernel);
}

static void from_uniform(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->from_uniform(w->out, UNIFORM(w), N), r->kernel);
}

static void base_mul(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->base_mul(w->out, w->k, N), r->kernel);
}

static void point_add(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->add(w->out, w->points, w->points, N, NULL), r->kernel);
}

static void sum_var(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    must(g->sum_var(w->out, w->points, w->k, N, NULL), r->kernel);
}

static void field_square(const row *r, work *w)
{
    const psi_group_backend *g = r->table;
    g->field->square(w->numbers, (const uint8_t(*)[32])w->numbers, N, 100);
}

static void hash_to_group(const row *r, work *w)
{
    static const char dst[] = "TALLY-V01-CS01-ECDH-ristretto255_XMD:SHA-512_R255MAP_RO_";
    static const uint8_t prefix[PSI_ITEM_PREFIX];
    must(psi_hash_to_group(w->out, prefix, sizeof prefix, w->numbers[0], 32, N, (const uint8_t *)dst,
                           sizeof dst - 1),
         r->kernel);
}

static void expand(const row *r, work *w)
{
    static const char dst[] = "TALLY-V01-CS01-ECDH-ristretto255_XMD:SHA-512_R255MAP_RO_";
    static const uint8_t prefix[PSI_ITEM_PREFIX];
    must(psi_expand64_by(r->table, w->wide, prefix, sizeof prefix, w->numbers[0], 32, N, (const uint8_t *)dst,
                         sizeof dst - 1),
         r->kernel);
}

static void scalar_invert(const row *r, work *w)
{
    must(psi_scalar_invert(w->inverse, w->k, N), r->kernel);
}

static void openssl_x25519(const row *r, work *w)
{
    uint8_t shared[32];
    size_t len = sizeof shared;
    for (int i = 0; i < 16; i++)
        must(EVP_PKEY_derive(w->derive, shared, &len) != 1, r->kernel);
}

static void sodium_x25519(const row *r, work *w)
{
    static const uint8_t base[32] = {9};
    for (int i = 0; i < 16; i++)
        must(crypto_scalarmult(w->out[i].b, w->k[i].b, base), r->kernel);
}

static void sodium_ristretto255(const row *r, work *w)
{
    for (int i = 0; i < 16; i++)
        must(crypto_scalarmult_ristretto255(w->out[i].b, w->k[i].b, w->points[i].b), r->kernel);
}

static void sha256(const row *r, work *w)
{
    const psi_sha256_backend *b = r->table;
    b->blocks(w->digests, UNIFORM(w), N);
}

static void subspace_expand(const row *r, work *w)
{
    const psi_subspace_backend *b = r->table;
    must(b->expand(w->leaves, w->keys, N), r->kernel);
}

static void subspace_fold(const row *r, work *w)
{
    const psi_subspace_backend *b = r->table;
    must(b->fold(w->u, w->v, STRIDE, w->leaves, VOLE_K, 0, STRIDE / 16), r->kernel);
}

static void row_hash(const row *r, work *w)
{
    const psi_rowhash_backend *b = r->table;
    b->strip(w->rows, w->matrix, STRIDE, MATRIX_BITS, &w->row_key);
}

static void shamir_value(const row *r, work *w)
{
    const psi_gf128_backend *b = r->table;
    w->sum = b->value(w->sum ^ 2, w->coefficients, COEFFICIENTS);
}

static void rlwe_ntt(const row *r, work *w)
{
    const psi_rlwe_backend *b = r->table;
    memset(w->polynomial, 1, sizeof w->polynomial);
    for (size_t i = 0; i < PSI_RLWE_N; i++)
        w->polynomial[i] &= 1;
    b->ntt(w->polynomial, 0);
}

static void pick_rows(const row *r, work *w)
{
    static const uint64_t index[PSI_PICK_ROWS] = {1, 2, 3, 5, 8, 13, 21, 34};
    const psi_pick_backend *b = r->table;
    b->rows(w->picked, (const psi_pick_entry *)w->table, PSI_PICK_MAX, index);
}

static row rows[ROWS_MAX];
static size_t row_count;

static void offer(const char *kernel, const char *backend, const void *table, size_t ops,
                  void (*run)(const row *, work *))
{
    if (row_count == ROWS_MAX)
        die("too many rows");
    rows[row_count++] = (row){kernel, backend, table, ops, run};
}

static void offer_all(void)
{
    size_t count;
    const psi_group_backend *const *groups = psi_group_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("scalar_mul", groups[i]->name, groups[i], N, scalar_mul);
    offer("openssl_x25519", "openssl", NULL, 16, openssl_x25519);
    offer("sodium_x25519", "libsodium", NULL, 16, sodium_x25519);
    offer("sodium_ristretto255", "libsodium", NULL, 16, sodium_ristretto255);
    offer("hash_to_group", psi_group()->name, NULL, N, hash_to_group);
    for (size_t i = 0; i < count; i++) {
        offer("scalar_mul_each", groups[i]->name, groups[i], N, scalar_mul_each);
        offer("map_mul", groups[i]->name, groups[i], N, map_mul);
        offer("from_uniform", groups[i]->name, groups[i], N, from_uniform);
        offer("base_mul", groups[i]->name, groups[i], N, base_mul);
        offer("point_add", groups[i]->name, groups[i], N, point_add);
        offer("sum_var", groups[i]->name, groups[i], N, sum_var);
        if (groups[i]->field)
            offer("field_square", groups[i]->name, groups[i], 100 * N, field_square);
    }
    offer("scalar_invert", "libsodium", NULL, N, scalar_invert);
    const psi_expand_backend *const *expanders = psi_expand_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("expand", psi_expand_name(expanders[i]), expanders[i], N, expand);
    const psi_sha256_backend *const *hashes = psi_sha256_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("sha256", hashes[i]->name, hashes[i], N, sha256);
    const psi_subspace_backend *const *streams = psi_subspace_backends(&count);
    for (size_t i = 0; i < count; i++) {
        offer("subspace_expand", streams[i]->name, streams[i], N, subspace_expand);
        offer("subspace_fold", streams[i]->name, streams[i], 8 * STRIDE, subspace_fold);
    }
    const psi_rowhash_backend *const *strips = psi_rowhash_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("row_hash", strips[i]->name, strips[i], PSI_ROW_STRIP, row_hash);
    const psi_gf128_backend *const *fields = psi_gf128_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("shamir_value", fields[i]->name, fields[i], COEFFICIENTS, shamir_value);
    const psi_rlwe_backend *const *rings = psi_rlwe_rings(&count);
    for (size_t i = 0; i < count; i++)
        offer("rlwe_ntt", rings[i]->name, rings[i], 1, rlwe_ntt);
    const psi_pick_backend *const *picks = psi_pick_backends(&count);
    for (size_t i = 0; i < count; i++)
        offer("pick_rows", picks[i]->name, picks[i], PSI_PICK_ROWS, pick_rows);
}

/* ---- Measuring ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The processor's reference clock; 0 where there is none that a program may read. */
static uint64_t cycles(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

static work *work_new(void)
{
    work *w = psi_calloc(1, sizeof *w);
    psi_prg prg;
    uint8_t points[32];
    if (!w)
        die("out of memory");
    must(psi_prg_init(&prg), "random generator");
    psi_prg_bytes(&prg, w->uniform, sizeof w->uniform);
    psi_prg_bytes(&prg, w->numbers, sizeof w->numbers);
    psi_prg_bytes(&prg, w->keys, sizeof w->keys);
    psi_prg_bytes(&prg, w->matrix, sizeof w->matrix);
    psi_prg_bytes(&prg, w->coefficients, sizeof w->coefficients);
    psi_prg_bytes(&prg, w->table, sizeof w->table);
    psi_prg_bytes(&prg, points, sizeof points);
    psi_row_key_init(&w->row_key, points);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&w->k[i], &prg);
    must(psi_group()->from_uniform(w->points, UNIFORM(w), N), "points");
    must(psi_subspace()->expand(w->leaves, w->keys, N), "leaves");
    w->own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    w->peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    w->derive = w->own ? EVP_PKEY_CTX_new(w->own, NULL) : NULL;
    if (!w->peer || !w->derive || EVP_PKEY_derive_init(w->derive) != 1 ||
        EVP_PKEY_derive_set_peer(w->derive, w->peer) != 1)
        die("OpenSSL gives no X25519 keys");
    psi_prg_wipe(&prg);
    return w;
}

static void work_free(work *w)
{
    EVP_PKEY_CTX_free(w->derive);
    EVP_PKEY_free(w->peer);
    EVP_PKEY_free(w->own);
    psi_free(w);
}

typedef struct worker {
    pthread_t thread;
    work *w;
    const row *r;
    pthread_barrier_t *start;
    int cpu; /* -1: any */
    double seconds, ops_per_s, cycles_per_op;
} worker;

static void *measure(void *user)
{
    worker *k = user;
    if (k->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)k->cpu, &set);
        (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set); /* a place, not a promise */
    }
    k->r->run(k->r, k->w);
    pthread_barrier_wait(k->start);
    size_t calls = 0;
    double begin = now(), took;
    uint64_t ticks = cycles();
    do {
        k->r->run(k->r, k->w);
        calls++;
        took = now() - begin;
    } while (took < k->seconds);
    ticks = cycles() - ticks;
    double ops = (double)calls * (double)k->r->ops;
    k->ops_per_s = ops / took;
    k->cycles_per_op = (double)ticks / ops;
    return NULL;
}

typedef struct result {
    double ops_per_s[REPEATS_MAX], cycles_per_op[REPEATS_MAX];
} result;

static int cpus[THREADS_MAX];

static void measure_row(const row *r, worker *workers, unsigned threads, double seconds, result *out,
                        unsigned repeat)
{
    pthread_barrier_t start;
    must(pthread_barrier_init(&start, NULL, threads), "threads");
    for (unsigned i = 0; i < threads; i++) {
        workers[i].r = r;
        workers[i].start = &start;
        workers[i].seconds = seconds;
        workers[i].cpu = cpus[i];
        must(pthread_create(&workers[i].thread, NULL, measure, &workers[i]), "threads");
    }
    out->ops_per_s[repeat] = out->cycles_per_op[repeat] = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        out->ops_per_s[repeat] += workers[i].ops_per_s;
        out->cycles_per_op[repeat] += workers[i].cycles_per_op / threads;
    }
    pthread_barrier_destroy(&start);
}

/* ---- Output ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(double *v, unsigned n)
{
    qsort(v, n, sizeof *v, ascending);
}

static void print_row(const row *r, unsigned threads, result *x, unsigned repeats, int json, int first)
{
    sort(x->ops_per_s, repeats);
    sort(x->cycles_per_op, repeats);
    double ops = x->ops_per_s[repeats / 2], low = x->ops_per_s[0], high = x->ops_per_s[repeats - 1];
    double ticks = x->cycles_per_op[repeats / 2];
    if (json)
        printf("%s\n  {\"kernel\": \"%s\", \"backend\": \"%s\", \"threads\": %u, \"ops_per_s\": %.1f, "
               "\"cycles_per_op\": %.2f, \"ops_per_s_min\": %.1f, \"ops_per_s_max\": %.1f, "
               "\"cycles_per_op_min\": %.2f, \"cycles_per_op_max\": %.2f, \"repeats\": %u}",
               first ? "" : ",", r->kernel, r->backend, threads, ops, ticks, low, high, x->cycles_per_op[0],
               x->cycles_per_op[repeats - 1], repeats);
    else
        printf("%s,%s,%u,%.1f,%.1f,%.1f,%.2f,%.2f,%.2f,%u\n", r->kernel, r->backend, threads, ops, low, high,
               ticks, x->cycles_per_op[0], x->cycles_per_op[repeats - 1], repeats);
}

/* The median of the ratios of two rows, repeat by repeat: before print_row sorts them. */
static double ratio(const result *a, const result *b, unsigned repeats)
{
    double q[REPEATS_MAX];
    for (unsigned i = 0; i < repeats; i++)
        q[i] = a->ops_per_s[i] / b->ops_per_s[i];
    sort(q, repeats);
    return q[repeats / 2];
}

static const result *find(const result *results, const char *kernel, const char *backend)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].kernel, kernel) == 0 && (!backend || strcmp(rows[i].backend, backend) == 0))
            return &results[i];
    return NULL;
}

/* The ratios that one looks for first: results of one thread, then of all. */
static void print_ratios(const result *one, const result *all, unsigned threads, unsigned repeats)
{
    const result *x25519 = find(one, "openssl_x25519", NULL), *portable = find(one, "scalar_mul", "portable");
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].kernel, "scalar_mul") != 0)
            continue;
        fprintf(stderr, "kernels: scalar_mul %s:", rows[i].backend);
        if (x25519)
            fprintf(stderr, " %.2f times openssl_x25519,", ratio(&one[i], x25519, repeats));
        if (portable)
            fprintf(stderr, " %.2f times portable,", ratio(&one[i], portable, repeats));
        fprintf(stderr, " %u threads %.2f times one\n", threads, ratio(&all[i], &one[i], repeats));
    }
}

static void help(void)
{
    puts("Usage: kernels [OPTION]...\n"
         "Measures every kernel and backend that this machine runs; CSV on standard output.\n"
         "\n"
         "  --json          an array of objects instead of CSV\n"
         "  --repeats N     rounds over all rows, 1 to 99 (9)\n"
         "  --seconds S     for one row in one round (0.05)\n"
         "  --threads N     for the rows of all threads (one for each processor)\n"
         "  --only K[,K]    only these kernels\n"
         "  --help          this text");
}

static int misuse(const char *what)
{
    fprintf(stderr, "kernels: %s\nTry 'kernels --help'.\n", what);
    return 1;
}

/* Leaves the rows named in `only`. 0 if a name is none. */
static int keep_only(char *only)
{
    unsigned char wanted[ROWS_MAX] = {0};
    size_t kept = 0;
    char *rest = NULL;
    for (char *name = strtok_r(only, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        int found = 0;
        for (size_t i = 0; i < row_count; i++)
            if (strcmp(rows[i].kernel, name) == 0)
                found = wanted[i] = 1;
        if (!found)
            return 0;
    }
    for (size_t i = 0; i < row_count; i++)
        if (wanted[i])
            rows[kept++] = rows[i];
    row_count = kept;
    return 1;
}

/* The processors that this process may run on. */
static unsigned count_cpus(void)
{
    cpu_set_t set;
    unsigned n = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    for (int c = 0; c < CPU_SETSIZE && n < THREADS_MAX; c++)
        if (CPU_ISSET((size_t)c, &set))
            cpus[n++] = c;
    for (unsigned i = n; i < THREADS_MAX; i++)
        cpus[i] = -1;
    return n;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"repeats", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static worker workers[THREADS_MAX];
    unsigned repeats = 9, threads = count_cpus();
    double seconds = 0.05;
    int json = 0, c;
    char *end;
    offer_all();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            json = 1;
        else if (c == 'r')
            repeats = (unsigned)strtoul(optarg, &end, 10);
        else if (c == 't')
            threads = (unsigned)strtoul(optarg, &end, 10);
        else if (c == 's')
            seconds = strtod(optarg, &end);
        else if (c == 'o' && !keep_only(optarg))
            return misuse("--only names a kernel that does not exist");
        else if (c == 'h')
            return help(), 0;
        else if (c == '?')
            return misuse("an option is not known, or misses its value");
        if ((c == 'r' || c == 't' || c == 's') && (*end || end == optarg))
            return misuse("a number is not a number");
    }
    if (optind < argc)
        return misuse("there are no arguments besides options");
    if (repeats < 1 || repeats > REPEATS_MAX || threads < 1 || threads > THREADS_MAX ||
        !(seconds > 0 && seconds <= 3600))
        return misuse("a number is out of range");

    result *one = psi_calloc(row_count, sizeof *one), *all = psi_calloc(row_count, sizeof *all);
    if (!one || !all)
        die("out of memory");
    for (unsigned i = 0; i < threads; i++)
        workers[i].w = work_new();
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (size_t i = 0; i < row_count; i++) {
            measure_row(&rows[i], workers, 1, seconds, &one[i], repeat);
            measure_row(&rows[i], workers, threads, seconds, &all[i], repeat);
        }
    if (!json)
        print_ratios(one, all, threads, repeats);
    fputs(
        json ? "["
             : "kernel,backend,threads,ops_per_s,ops_per_s_min,ops_per_s_max,cycles_per_op,cycles_per_op_min,"
               "cycles_per_op_max,repeats\n",
        stdout);
    for (size_t i = 0; i < row_count; i++) {
        print_row(&rows[i], 1, &one[i], repeats, json, i == 0);
        if (threads > 1)
            print_row(&rows[i], threads, &all[i], repeats, json, 0);
    }
    if (json)
        puts("\n]");
    for (unsigned i = 0; i < threads; i++)
        work_free(workers[i].w);
    psi_free(all);
    psi_free(one);
    return 0;
}
