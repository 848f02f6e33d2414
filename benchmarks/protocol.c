/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subspace VOLE alone: both lists and the link in memory, both parties in one process, a table of time by
 * phase. With one thread the two parties take turns in it; with more, each phase uses all of them. The result
 * is checked against the known overlap. Usage: protocol K N_RECEIVER N_SENDER OVERLAP [THREADS [RUNS]] prints
 * the median of each phase over the runs
 */
#include "party/pool.h"
#include "psi/join.h"
#include "psi/mem.h"
#include "psi/sha256.h"
#include "psi/vole_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum phase { OTS, TREES, IDS_R, IDS_S, BINS_R, BINS_S, JOIN, PHASES };
static const char *const names[PHASES] = {"base OTs and extension",
                                          "trees",
                                          "receiver: hash and sort items",
                                          "sender: hash and sort items",
                                          "receiver: bins",
                                          "sender: bins",
                                          "receiver: join"};
#define RUNS_MAX 99

typedef struct side {
    const psi_item *items;
    size_t n;
    psi_vole_entry *entries, *unsorted;
    uint32_t *start;
    uint8_t *tags;
    psi_vole_shared shared;
    psi_vole_work **work;
} side;

typedef struct bench {
    psi_vole_sizes z;
    psi_sid sid;
    side r, s;
    uint8_t *messages; /* all bins: the link */
    party_pool *pool;
    side *hashing;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(tally_status st, const char *what)
{
    if (st) {
        fprintf(stderr, "protocol: %s failed with status %d\n", what, (int)st);
        exit(70);
    }
}

static void *room(size_t count, size_t size)
{
    void *p = psi_calloc(count, size);
    must(p ? TALLY_OK : TALLY_ERR_NO_MEMORY, "memory");
    return p;
}

static tally_status hash_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    bench *b = user;
    (void)worker;
    psi_vole_entries(b->hashing->unsorted + begin, b->hashing->items, begin, end - begin, &b->sid, b->z.bins);
    return TALLY_OK;
}

static void sort_side(bench *b, side *x)
{
    b->hashing = x;
    must(party_pool_run(b->pool, x->n, 4096, hash_chunk, b), "hashing");
    psi_vole_sort(x->entries, x->start, x->unsorted, x->n, b->z.bins);
}

static tally_status receive_bins(void *user, unsigned worker, size_t begin, size_t end)
{
    bench *b = user;
    tally_status st = TALLY_OK;
    for (size_t i = begin; !st && i < end; i++)
        st = psi_vole_receive_bin(b->r.work[worker], &b->r.shared, (uint32_t)i, b->r.entries + b->r.start[i],
                                  b->r.start[i + 1] - b->r.start[i],
                                  b->messages + i * (PSI_VOLE_SEED + b->z.bin_bytes),
                                  b->r.tags + b->r.start[i] * b->z.tag_width);
    return st;
}

static tally_status send_bins(void *user, unsigned worker, size_t begin, size_t end)
{
    bench *b = user;
    tally_status st = TALLY_OK;
    for (size_t i = begin; !st && i < end; i++)
        st = psi_vole_send_bin(b->s.work[worker], &b->s.shared, (uint32_t)i,
                               b->messages + i * (PSI_VOLE_SEED + b->z.bin_bytes),
                               b->s.entries + b->s.start[i], b->s.start[i + 1] - b->s.start[i],
                               b->s.tags + b->s.start[i] * b->z.tag_width);
    return st;
}

static void setup(bench *b, double *ots, double *trees)
{
    const psi_vole_sizes *z = &b->z;
    size_t count = psi_vole_ots(z), leaves = (size_t)z->columns << z->k;
    static psi_ot_sender open;
    static uint8_t delta[PSI_CODE_COLUMNS_MAX], choices[PSI_OT_MAX / 8],
        columns[PSI_OT_BASE * PSI_OT_MAX / 8];
    static psi_block chosen[PSI_OT_MAX], strings[PSI_OT_MAX][2];
    static psi_ggm_level corrections[PSI_OT_MAX];
    psi_block *keys_r = room(leaves, sizeof *keys_r), *keys_s = room(leaves, sizeof *keys_s);
    psi_point point;
    uint8_t nonce[32], points[32];
    double t = now();
    must(psi_ot_open(&open, &b->sid), "base OTs");
    must(psi_vole_draw(z, delta, choices), "choices");
    must(psi_ot_choose(chosen, &point, columns, choices, count, open.pairs[0], &b->sid), "OT extension");
    must(psi_ot_strings(strings, &open, &point, columns, count, &b->sid), "OT strings");
    *ots = now() - t;
    t = now();
    must(psi_vole_grow(z, (const psi_block(*)[2])strings, keys_r, corrections), "trees");
    must(psi_vole_puncture(z, delta, chosen, corrections, keys_s), "trees");
    must(psi_random(nonce, sizeof nonce), "nonce");
    must(psi_vole_points(points, &b->sid, nonce), "points");
    must(psi_vole_shared_init(&b->r.shared, z, &b->sid, keys_r, NULL, points), "receiver");
    must(psi_vole_shared_init(&b->s.shared, z, &b->sid, keys_s, delta, points), "sender");
    *trees = now() - t;
    psi_free(keys_s);
    psi_free(keys_r);
}

static void count_hit(void *user, size_t own, size_t peer)
{
    size_t *hits = user;
    (void)own, (void)peer;
    ++*hits;
}

static size_t run_once(bench *b, double took[PHASES])
{
    psi_join *j = NULL;
    size_t hits = 0;
    must(psi_random(b->sid.b, sizeof b->sid.b), "session id");
    setup(b, &took[OTS], &took[TREES]);
    double t = now();
    sort_side(b, &b->r);
    took[IDS_R] = now() - t;
    t = now();
    sort_side(b, &b->s);
    took[IDS_S] = now() - t;
    t = now();
    must(party_pool_run(b->pool, b->z.bins, 1, receive_bins, b), "receiver's bins");
    took[BINS_R] = now() - t;
    t = now();
    must(party_pool_run(b->pool, b->z.bins, 1, send_bins, b), "sender's bins");
    took[BINS_S] = now() - t;
    t = now();
    must(psi_join_new(&j, b->r.tags, b->r.n, b->z.tag_width), "join");
    psi_join_probe(j, b->s.tags, b->s.n, 0, count_hit, &hits);
    took[JOIN] = now() - t;
    psi_join_free(j);
    psi_vole_shared_free(&b->s.shared);
    psi_vole_shared_free(&b->r.shared);
    return hits;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

static void side_init(side *x, const bench *b, const psi_item *items, size_t n, int receiver,
                      unsigned threads)
{
    *x = (side){.items = items, .n = n};
    x->entries = room(n, sizeof *x->entries);
    x->unsorted = room(n, sizeof *x->unsorted);
    x->start = room((size_t)b->z.bins + 1, sizeof *x->start);
    x->tags = room(n, b->z.tag_width);
    x->work = room(threads, sizeof *x->work);
    for (unsigned i = 0; i < threads; i++) {
        x->work[i] = psi_vole_work_new(&b->z, receiver);
        must(x->work[i] ? TALLY_OK : TALLY_ERR_NO_MEMORY, "memory");
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: protocol K N_RECEIVER N_SENDER OVERLAP [THREADS [RUNS]]\n");
        return 1;
    }
    unsigned k = (unsigned)strtoul(argv[1], NULL, 10),
             threads = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1;
    size_t nr = strtoull(argv[2], NULL, 10), ns = strtoull(argv[3], NULL, 10),
           overlap = strtoull(argv[4], NULL, 10);
    size_t runs = argc > 6 ? strtoull(argv[6], NULL, 10) : 5;
    static double took[PHASES][RUNS_MAX], total[RUNS_MAX];
    if (overlap > nr || overlap > ns || runs < 1 || runs > RUNS_MAX || threads < 1 || threads > 256) {
        fprintf(stderr,
                "protocol: overlap above a list's size, or runs outside 1..%d, or threads outside 1..256\n",
                RUNS_MAX);
        return 1;
    }
    bench b = {0};
    tally_error error;
    must(psi_vole_sizes_init(&b.z, k, nr, ns), "sizes (K is 4 or 6)");
    must(party_pool_new(&b.pool, threads, &error), "threads");
    psi_item *x = room(nr, sizeof *x), *y = room(ns, sizeof *y);
    psi_prg prg;
    must(psi_prg_init(&prg), "random");
    psi_prg_bytes(&prg, x, nr * sizeof *x);
    psi_prg_bytes(&prg, y, ns * sizeof *y);
    memcpy(y, x, overlap * sizeof *y);
    side_init(&b.r, &b, x, nr, 1, threads);
    side_init(&b.s, &b, y, ns, 0, threads);
    b.messages = room(b.z.bins, PSI_VOLE_SEED + b.z.bin_bytes);
    for (size_t run = 0; run <= runs; run++) { /* the first warms up */
        double once[PHASES];
        size_t hits = run_once(&b, once);
        if (hits != overlap) {
            fprintf(stderr, "protocol: %zu matches, %zu expected\n", hits, overlap);
            return 11;
        }
        for (size_t p = 0; run && p < PHASES; p++) {
            took[p][run - 1] = once[p];
            total[run - 1] += once[p];
        }
    }
    printf(
        "k = %u, %zu x %zu, overlap %zu, %u thread%s, streams %s, rows %s, hashes %s, median of %zu runs\n",
        k, nr, ns, overlap, threads, threads > 1 ? "s" : "", psi_subspace()->name, psi_rowhash()->name,
        psi_sha256_lanes()->name, runs);
    for (size_t p = 0; p < PHASES; p++)
        printf("  %-32s %8.1f ms\n", names[p], median(took[p], runs) * 1e3);
    double middle = median(total, runs);
    printf("  %-32s %8.1f ms (min %.1f, max %.1f)\n", "both parties together", middle * 1e3, total[0] * 1e3,
           total[runs - 1] * 1e3);
    printf("  %-32s %8.2f MB to the sender, %.2f MB to the receiver\n", "sent",
           (double)(b.z.bins * (PSI_VOLE_SEED + b.z.bin_bytes) + 8193 + 32 * psi_vole_levels(&b.z)) / 1e6,
           (double)(ns * b.z.tag_width + 64 + 16 * psi_vole_ots(&b.z)) / 1e6);
    return 0;
}
