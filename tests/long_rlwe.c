/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timing of packed RLWE in the manner of dudect (Reparaz, Balasch, Verbauwhede 2017): two classes of secrets
 * in random order, Welch's t of the quickest nine tenths. Encryption of zeros and of random values; addition
 * with all and with no rows selected; decryption of one unit and of different ones. Passes below 10. Figures
 * of a busy machine mean little, so check-long only. Usage: long_rlwe [SAMPLES]
 */
#include "psi/ahe.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 4096, UNITS = 16, SAMPLES_MAX = 100000 };

static psi_ahe_plan plan;
static psi_wide values[2][ROWS];
static uint8_t group[2][ROWS], unit[54272], message[54272], sums[UNITS][54286], plain[1][PSI_AHE_PLAIN];
static const uint8_t show[1] = {PSI_AHE_MASKED};
static psi_ahe_key *key;
static psi_ahe_adder *adder;
static psi_prg prg;
static double took[2][SAMPLES_MAX];

static void must(tally_status st, const char *what)
{
    if (st) {
        fprintf(stderr, "long_rlwe: %s failed with status %d\n", what, (int)st);
        exit(70);
    }
}

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)c;
    memcpy(out, (const psi_wide *)user + first, n * sizeof *out);
}

/* Everything is read from the same place for both classes. */
static psi_wide now_values[ROWS];
static uint8_t now_group[ROWS], now_sums[54286];

static void set(int class, uint32_t draw)
{
    memcpy(now_values, values[class], sizeof now_values);
    memcpy(now_group, group[class], sizeof now_group);
    memcpy(now_sums, sums[class ? draw % UNITS : 0], sizeof now_sums);
}

static void encrypt(void)
{
    must(psi_ahe_encrypt(key, 0, 1, gather, now_values, unit), "encryption");
}

static void add(void)
{
    const char *why;
    size_t bad;
    must(psi_ahe_add_prepare(adder, 0, 1, now_group), "selection");
    must(psi_ahe_add_task(adder, 0, unit, &bad, &why), "addition");
}

static void decrypt(void)
{
    const char *why;
    must(psi_ahe_decrypt(key, show, now_sums, plain, &why), "decryption");
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Welch's t squared, with the sign of the difference. */
static double welch(size_t n[2])
{
    double mean[2], spread[2];
    for (int c = 0; c < 2; c++) {
        size_t kept = n[c] * 9 / 10;
        qsort(took[c], n[c], sizeof took[c][0], ascending);
        mean[c] = spread[c] = 0;
        for (size_t i = 0; i < kept; i++)
            mean[c] += took[c][i] / (double)kept;
        for (size_t i = 0; i < kept; i++)
            spread[c] += (took[c][i] - mean[c]) * (took[c][i] - mean[c]) / (double)(kept - 1) / (double)kept;
    }
    double d = mean[0] - mean[1], square = d * d / (spread[0] + spread[1]);
    printf("  means %.1f and %.1f us,", mean[0], mean[1]);
    return d < 0 ? -square : square;
}

static int compare(const char *name, void (*run)(void), size_t samples)
{
    size_t n[2] = {0, 0};
    for (size_t i = 0; i < samples + 20; i++) {
        struct timespec a, b;
        int class = (int)psi_prg_below(&prg, 2);
        uint32_t draw = psi_prg_below(&prg, 1u << 20);
        run();
        set(class, draw);
        clock_gettime(CLOCK_MONOTONIC, &a);
        run();
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (i >= 20)
            took[class][n[class]++] =
                (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
    }
    printf("%-8s", name);
    double square = welch(n);
    printf(" t^2 = %+.1f over %zu samples\n", square, samples);
    return square < 100 && square > -100;
}

int main(int argc, char **argv)
{
    size_t samples = argc > 1 ? strtoull(argv[1], NULL, 10) : 4000;
    const char *why = "";
    psi_sid sid;
    size_t bad;
    samples = samples < 100 ? 100 : samples > SAMPLES_MAX ? SAMPLES_MAX : samples;
    plan = (psi_ahe_plan){.scheme = PSI_AHE_RLWE, .columns = 1, .groups = 1, .rows = ROWS, .selected = ROWS};
    plan.column[0] = (psi_ahe_column){-1000000, 1000000, 0};
    plan.group_max[0] = ROWS;
    must(psi_ahe_plan_init(&plan, &why), why);
    must(psi_random(&sid, sizeof sid), "session id");
    must(psi_prg_init(&prg), "random");
    for (size_t r = 0; r < ROWS; r++)
        values[1][r] = (psi_wide)psi_prg_below(&prg, 2000000) - 1000000;
    memset(group[1], 1, ROWS);
    must(psi_ahe_key_new(&key, &plan, &sid), "key");
    must(psi_ahe_key_message(key, message), "key message");
    must(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), why);
    set(1, 0);
    encrypt();
    must(psi_ahe_add_prepare(adder, 0, 1, group[1]), "selection");
    must(psi_ahe_add_task(adder, 0, unit, &bad, &why), why);
    for (size_t i = 0; i < UNITS; i++)
        must(psi_ahe_finish(adder, 0, show, NULL, sums[i]), "finish");
    int passed = compare("encrypt", encrypt, samples) + compare("add", add, samples) +
                 compare("decrypt", decrypt, samples);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    printf("%-24s %d comparisons, %d failed\n", "long_rlwe", 3, 3 - passed);
    const char *results = getenv("TALLY_RESULTS");
    FILE *f = results && *results ? fopen(results, "a") : NULL;
    if (f) {
        fprintf(f, "long_rlwe %d %d\n", passed, 3 - passed);
        fclose(f);
    }
    return passed != 3;
}
