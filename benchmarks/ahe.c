/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scheme of additively homomorphic aggregation alone, one thread, both sides in one process: time a value
 * for encryption and addition, time for key, return and decryption. One group with half of the rows; the sums
 * are checked. Usage: ahe rlwe|paillier ROWS COLUMNS [BITS [RUNS]]: medians over the runs, after one that
 * warms up. BITS of a value: 20 unless said otherwise.
 */
#include "psi/ahe.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum phase { KEY, ENCRYPT, ADD, FINISH, DECRYPT, PHASES };
#define RUNS_MAX 99

typedef struct bench {
    psi_ahe_plan plan;
    uint64_t *values; /* column by column */
    uint8_t *group, *units, *sums;
    uint8_t (*plain)[PSI_AHE_PLAIN];
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
        fprintf(stderr, "ahe: %s failed with status %d\n", what, (int)st);
        exit(70);
    }
}

static void *room(size_t count, size_t size)
{
    void *p = psi_calloc(count, size);
    must(p ? TALLY_OK : TALLY_ERR_NO_MEMORY, "memory");
    return p;
}

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    const bench *b = user;
    const uint64_t *column = b->values + c * b->plan.rows;
    for (size_t i = 0; i < n; i++)
        out[i] = (psi_wide)column[first + i];
}

static void run_once(bench *b, double took[PHASES])
{
    static uint8_t show[PSI_AHE_COLUMNS_MAX];
    const psi_ahe_plan *plan = &b->plan;
    psi_ahe_key *key = NULL;
    psi_ahe_adder *adder = NULL;
    psi_sid sid;
    const char *why = "";
    size_t bad, step = plan->chunk > 2 * plan->limbs ? plan->chunk : 2 * plan->limbs;
    memset(show, PSI_AHE_OPEN, plan->columns);
    must(psi_random(&sid, sizeof sid), "session id");
    uint8_t *message = room(1, plan->key_bytes);
    double t = now();
    must(psi_ahe_key_new(&key, plan, &sid), "key");
    must(psi_ahe_key_message(key, message), "key message");
    took[KEY] = now() - t;
    must(psi_ahe_adder_new(&adder, plan, &sid, message, &why), why);
    took[ENCRYPT] = took[ADD] = 0;
    for (size_t u = 0; u < plan->units; u += step) {
        size_t n = plan->units - u < step ? plan->units - u : step;
        t = now();
        for (size_t i = 0; i < n; i += plan->chunk)
            must(psi_ahe_encrypt(key, u + i, n - i < plan->chunk ? n - i : plan->chunk, gather, b,
                                 b->units + i * plan->unit_bytes),
                 "encryption");
        took[ENCRYPT] += now() - t;
        t = now();
        must(psi_ahe_add_prepare(adder, u, n, b->group), "selection");
        for (size_t task = 0; task < plan->tasks; task++)
            must(psi_ahe_add_task(adder, task, b->units, &bad, &why), why);
        took[ADD] += now() - t;
    }
    t = now();
    must(psi_ahe_finish(adder, 0, show, NULL, b->sums), "finish");
    took[FINISH] = now() - t;
    t = now();
    must(psi_ahe_decrypt(key, show, b->sums, b->plain, &why), why);
    took[DECRYPT] = now() - t;
    for (size_t c = 0; c < plan->columns; c++) {
        psi_wide sum = 0;
        for (size_t r = 0; r < plan->rows; r++)
            sum += b->group[r] ? (psi_wide)b->values[c * plan->rows + r] : 0;
        if (psi_ahe_open(b->plain[c]) != sum) {
            fprintf(stderr, "ahe: the sum of column %zu is wrong\n", c);
            exit(11);
        }
    }
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    psi_free(message);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    static const char *const names[PHASES] = {"key", "encrypt", "add", "finish", "decrypt"};
    static double took[PHASES][RUNS_MAX];
    static bench b;
    const char *why = "";
    psi_ahe_plan *plan = &b.plan;
    size_t runs = argc > 5 ? strtoull(argv[5], NULL, 10) : 5;
    unsigned bits = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 20;
    if (argc < 4 || runs < 1 || runs > RUNS_MAX || bits < 1 || bits > 63) {
        fprintf(stderr, "usage: ahe rlwe|paillier ROWS COLUMNS [BITS [RUNS]]\n");
        return 1;
    }
    plan->scheme = strcmp(argv[1], "rlwe") == 0 ? PSI_AHE_RLWE : PSI_AHE_PAILLIER;
    plan->rows = plan->selected = plan->group_max[0] = strtoull(argv[2], NULL, 10);
    plan->columns = strtoull(argv[3], NULL, 10);
    plan->groups = 1;
    for (size_t c = 0; c < plan->columns && c < PSI_AHE_COLUMNS_MAX; c++)
        plan->column[c].max = ((psi_wide)1 << bits) - 1;
    must(psi_ahe_plan_init(plan, &why), why);
    size_t step = plan->chunk > 2 * plan->limbs ? plan->chunk : 2 * plan->limbs;
    b.values = room(plan->rows * plan->columns, sizeof *b.values);
    b.group = room(plan->rows, 1);
    b.units = room(step, plan->unit_bytes);
    b.plain = room(plan->columns, sizeof *b.plain);
    static uint8_t show[PSI_AHE_COLUMNS_MAX];
    memset(show, PSI_AHE_OPEN, plan->columns);
    b.sums = room(psi_ahe_sum_units(plan, show), plan->sum_bytes);
    psi_prg prg;
    must(psi_prg_init(&prg), "random");
    psi_prg_bytes(&prg, b.values, plan->rows * plan->columns * sizeof *b.values);
    psi_prg_bytes(&prg, b.group, plan->rows);
    for (size_t i = 0; i < plan->rows * plan->columns; i++)
        b.values[i] >>= 64 - bits;
    for (size_t r = 0; r < plan->rows; r++)
        b.group[r] &= 1;
    for (size_t run = 0; run <= runs; run++) {
        double once[PHASES];
        run_once(&b, once);
        for (size_t p = 0; run && p < PHASES; p++)
            took[p][run - 1] = once[p];
    }
    double values = (double)plan->rows * (double)plan->columns;
    printf("%s, %llu rows, %zu columns of %u bits, %u units a block or row, %zu bytes a unit, one thread, "
           "median of %zu runs\n",
           argv[1], (unsigned long long)plan->rows, plan->columns, bits, plan->limbs, plan->unit_bytes, runs);
    for (size_t p = 0; p < PHASES; p++) {
        qsort(took[p], runs, sizeof took[p][0], ascending);
        double median = took[p][runs / 2];
        printf("  %-8s %10.3f ms", names[p], median * 1e3);
        if (p == ENCRYPT || p == ADD)
            printf("  %10.1f ns a value (%.1f to %.1f)", median / values * 1e9, took[p][0] / values * 1e9,
                   took[p][runs - 1] / values * 1e9);
        printf("\n");
    }
    return 0;
}
