/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paillier-3072 alone, one thread: the key, encryption by its holder against a plain table of powers in GMP
 * (mod N^2, mpz_mul and mpz_mod, entries looked up by their index, the same exponents and output), adding,
 * returning, decrypting. Usage: paillier [ROWS [RUNS [KEYS]]] prints medians over the runs; KEYS 0 leaves the
 * search out of it.
 */
#include "psi/ahe.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX 99u
#define ALPHA 512u /* bits of an exponent, as in psi/paillier_owner.c */
#define UNIT 768u
#define COLUMNS 10u

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(tally_status st, const char *what)
{
    if (st) {
        fprintf(stderr, "paillier: %s failed with status %d\n", what, (int)st);
        exit(70);
    }
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

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user;
    for (size_t i = 0; i < n; i++)
        out[i] = (psi_wide)(first + i) * 7 - (psi_wide)c;
}

/* ---- The plain table ---- */

typedef struct plain {
    mpz_t n, nn, c, t;
    mpz_t *power; /* window, digit */
    unsigned window;
    psi_prg prg;
} plain;

static void plain_init(plain *p, const uint8_t *n_bytes, unsigned window)
{
    const size_t windows = (ALPHA + window - 1) / window, entries = (size_t)1 << window;
    uint8_t z[384];
    mpz_inits(p->n, p->nn, p->c, p->t, NULL);
    mpz_import(p->n, 384, 1, 1, 0, 0, n_bytes);
    mpz_mul(p->nn, p->n, p->n);
    p->window = window;
    must(psi_prg_init(&p->prg), "random");
    psi_prg_bytes(&p->prg, z, sizeof z);
    mpz_import(p->t, sizeof z, 1, 1, 0, 0, z); /* h_s = (-z^2)^N */
    mpz_mul(p->t, p->t, p->t);
    mpz_neg(p->t, p->t);
    mpz_mod(p->t, p->t, p->n);
    mpz_powm(p->t, p->t, p->n, p->nn);
    p->power = psi_calloc(windows * entries, sizeof *p->power);
    must(p->power ? TALLY_OK : TALLY_ERR_NO_MEMORY, "memory");
    for (size_t i = 0; i < windows; i++)
        for (size_t e = 0; e < entries; e++) {
            mpz_t *x = &p->power[i * entries + e];
            mpz_init(*x);
            if (e == 0) {
                mpz_set_ui(*x, 1);
            } else {
                mpz_mul(*x, x[-1], p->t);
                mpz_mod(*x, *x, p->nn);
            }
            if (e == entries - 1) {
                mpz_mul(p->t, *x, p->t);
                mpz_mod(p->t, p->t, p->nn);
            }
        }
}

static void plain_encrypt(plain *p, const mpz_t m, uint8_t *out)
{
    uint8_t alpha[ALPHA / 8 + 1] = {0};
    psi_prg_bytes(&p->prg, alpha, ALPHA / 8);
    mpz_mul(p->c, m, p->n);
    mpz_add_ui(p->c, p->c, 1);
    for (size_t i = 0; i * p->window < ALPHA; i++) {
        size_t bit = i * p->window, at = bit / 8;
        unsigned two = alpha[at] | (unsigned)alpha[at + 1] << 8;
        unsigned digit = two >> (bit % 8) & ((1u << p->window) - 1);
        mpz_mul(p->c, p->c, p->power[(i << p->window) + digit]);
        mpz_mod(p->c, p->c, p->nn);
    }
    size_t size = (mpz_sizeinbase(p->c, 2) + 7) / 8;
    memset(out, 0, UNIT);
    mpz_export(out + UNIT - size, NULL, 1, 1, 0, 0, p->c);
}

static void plain_clear(plain *p)
{
    for (size_t i = 0; i < (size_t)((ALPHA + p->window - 1) / p->window) << p->window; i++)
        mpz_clear(p->power[i]);
    psi_free(p->power);
    mpz_clears(p->n, p->nn, p->c, p->t, NULL);
}

/* ---- */

int main(int argc, char **argv)
{
    const size_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 256,
                 runs = argc > 2 ? strtoull(argv[2], NULL, 10) : 9,
                 keys = argc > 3 ? strtoull(argv[3], NULL, 10) : 21;
    static psi_ahe_plan plan;
    static double ours[RUNS_MAX], six[RUNS_MAX], eight[RUNS_MAX], adding[RUNS_MAX], other[RUNS_MAX];
    static plain by_six, by_eight;
    const char *why;
    psi_sid sid = {{0}};
    psi_ahe_key *key = NULL;
    psi_ahe_adder *adder = NULL;
    if (rows < 1 || rows > 1u << 20 || runs < 1 || runs > RUNS_MAX || keys > RUNS_MAX) {
        fprintf(stderr, "usage: paillier [ROWS [RUNS [KEYS]]]\n");
        return 1;
    }
    plan.scheme = PSI_AHE_PAILLIER;
    plan.columns = COLUMNS;
    plan.groups = 1;
    plan.rows = plan.selected = plan.group_max[0] = rows;
    for (size_t c = 0; c < COLUMNS; c++)
        plan.column[c] = (psi_ahe_column){-10, (psi_wide)1 << 32, 0};
    must(psi_ahe_plan_init(&plan, &why), "plan");
    printf("Paillier-3072, %zu rows of %u columns in %u ciphertext each, median of %zu runs, one thread\n",
           rows, COLUMNS, plan.limbs, runs);
    for (size_t i = 0; i < keys; i++) {
        psi_ahe_key *k;
        double t = now();
        must(psi_ahe_key_new(&k, &plan, &sid), "key");
        other[i] = now() - t;
        psi_ahe_key_free(k);
    }
    if (keys) {
        double middle = median(other, keys);
        printf("  %-40s %9.1f ms (%zu keys: min %.1f, max %.1f)\n", "key", middle * 1e3, keys, other[0] * 1e3,
               other[keys - 1] * 1e3);
    }
    uint8_t *message = psi_calloc(1, plan.key_bytes), *units = psi_calloc(plan.units, UNIT),
            *group = psi_calloc(rows, 1), *unit = psi_calloc(1, UNIT);
    must(message && units && group && unit ? TALLY_OK : TALLY_ERR_NO_MEMORY, "memory");
    must(psi_ahe_key_new(&key, &plan, &sid), "key");
    double t = now();
    must(psi_ahe_key_message(key, message), "proof");
    printf("  %-40s %9.1f ms\n", "proof", (now() - t) * 1e3);
    t = now();
    must(psi_ahe_adder_new(&adder, &plan, &sid, message, &why), "check of the key");
    printf("  %-40s %9.1f ms\n", "check of the key", (now() - t) * 1e3);
    plain_init(&by_six, message, 6);
    plain_init(&by_eight, message, 8);
    mpz_t m;
    mpz_init_set_ui(m, 12345);
    mpz_mul_2exp(m, m, 1000);
    memset(group, 1, rows);
    size_t bad;
    for (size_t run = 0; run < runs; run++) { /* in turns, so that all see the same machine */
        t = now();
        must(psi_ahe_encrypt(key, 0, plan.units, gather, NULL, units), "encryption");
        ours[run] = (now() - t) / (double)plan.units;
        t = now();
        for (size_t r = 0; r < rows; r++)
            plain_encrypt(&by_six, m, unit);
        six[run] = (now() - t) / (double)rows;
        t = now();
        for (size_t r = 0; r < rows; r++)
            plain_encrypt(&by_eight, m, unit);
        eight[run] = (now() - t) / (double)rows;
        t = now();
        must(psi_ahe_add_prepare(adder, 0, plan.units, group), "adding");
        for (size_t task = 0; task < plan.tasks; task++)
            must(psi_ahe_add_task(adder, task, units, &bad, &why), "adding");
        adding[run] = (now() - t) / (double)plan.units;
    }
    double a = median(ours, runs), b = median(six, runs), c = median(eight, runs);
    printf("  %-40s %9.1f us\n", "encryption, each ciphertext", a * 1e6);
    printf("  %-40s %9.1f us, ratio %.3f\n", "plain table of GMP, 6 bits at a time", b * 1e6, a / b);
    printf("  %-40s %9.1f us, ratio %.3f\n", "plain table of GMP, 8 bits at a time", c * 1e6, a / c);
    printf("  %-40s %9.1f us\n", "check and add, each ciphertext", median(adding, runs) * 1e6);
    /* What came of all runs: each added every row once; and the plain table's last ciphertext is one. */
    static const uint8_t open[COLUMNS] = {[0] = PSI_AHE_MASKED};
    static uint8_t plain_sum[COLUMNS][PSI_AHE_PLAIN];
    psi_wide sum = 0, wanted = 0;
    t = now();
    must(psi_ahe_finish(adder, 0, open, NULL, units), "returning");
    printf("  %-40s %9.1f ms\n", "rerandomising a sum", (now() - t) * 1e3);
    t = now();
    must(psi_ahe_decrypt(key, open, units, plain_sum, &why), "decryption");
    printf("  %-40s %9.1f ms\n", "decrypting a sum", (now() - t) * 1e3);
    for (size_t r = 0; r < rows; r++)
        wanted += (psi_wide)r * 7 * (psi_wide)runs;
    if (psi_ahe_unmask(adder, 0, 0, plain_sum[0], &sum) || sum != wanted) {
        fprintf(stderr, "paillier: a sum is wrong\n");
        return 11;
    }
    must(psi_ahe_decrypt(key, open, unit, plain_sum, &why), "decryption of a ciphertext of the plain table");
    mpz_clear(m);
    plain_clear(&by_six);
    plain_clear(&by_eight);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    psi_free(unit);
    psi_free(group);
    psi_free(units);
    psi_free(message);
    return 0;
}
