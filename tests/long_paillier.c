/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time of Paillier's secret operations for two classes of input, compared by Welch's t (the method of dudect:
 * Reparaz, Balasch, Verbauwhede, 2017): a fixed input against random ones, in random order, the slowest tenth
 * of each left out. Prints t; |t| above 4.5 is suspicious on a quiet machine, and a busy one reaches it by
 * itself, so this is no part of `make check` and never fails. Usage: long_paillier [MEASUREMENTS]
 */
#include "psi/mem.h"
#include "psi/paillier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 16, NN = PSI_PAILLIER_NN, UNIT = PSI_PAILLIER_UNIT };

static psi_ahe_plan plan;
static psi_ahe_key *key;
static psi_ahe_adder *adder;
static psi_paillier_secret *secret;
static psi_mont_work *work;
static psi_prg prg;
static psi_wide values[ROWS];
static uint8_t units[ROWS * UNIT], fixed_units[ROWS * UNIT], group[ROWS];
static mp_limb_t c[NN], opened[PSI_PAILLIER_N];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "long_paillier: %s failed\n", what);
        exit(70);
    }
}

static void gather(void *user, size_t first, size_t n, size_t column, psi_wide *out)
{
    (void)user, (void)column;
    memcpy(out, values + first, n * sizeof *out);
}

static void prepare_open(int random)
{
    /* Of each class the same bytes are copied from the same place, so that no cache tells them apart. */
    if (random) {
        psi_prg_bytes(&prg, units, UNIT);
        units[0] = 0;
    } else {
        psi_prg_bytes(&prg, units + UNIT, UNIT);
        memcpy(units, fixed_units, UNIT);
    }
    psi_limbs_read(c, NN, units);
}

static void run_open(void)
{
    psi_paillier_open(secret, opened, c, work);
}

static void prepare_encrypt(int random)
{
    psi_prg_bytes(&prg, values, sizeof values);
    for (size_t i = 0; i < ROWS; i++)
        values[i] = random ? values[i] >> 33 : 0;
}

static void run_encrypt(void)
{
    must(psi_ahe_encrypt(key, 0, 8, gather, NULL, units) == TALLY_OK, "encryption");
}

static void prepare_select(int random)
{
    psi_prg_bytes(&prg, group, sizeof group);
    for (size_t i = 0; i < ROWS; i++)
        group[i] = (uint8_t)(random ? group[i] % (plan.groups + 1) : 0);
}

static void run_select(void)
{
    size_t bad;
    const char *why;
    must(psi_ahe_add_prepare(adder, 0, ROWS, group) == TALLY_OK, "adding");
    for (size_t t = 0; t < plan.tasks; t++)
        must(psi_ahe_add_task(adder, t, fixed_units, &bad, &why) == TALLY_OK, "adding");
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void compare(const char *name, size_t count, void (*prepare)(int), void (*run)(void))
{
    double *took[2] = {psi_calloc(count, sizeof(double)), psi_calloc(count, sizeof(double))};
    size_t n[2] = {0, 0};
    double mean[2], variance[2];
    must(took[0] && took[1], "memory");
    for (size_t i = 0; i < count + 16; i++) {
        int which = (int)psi_prg_below(&prg, 2);
        prepare(which);
        double t = now();
        run();
        t = now() - t;
        if (i >= 16) /* the first warm up */
            took[which][n[which]++] = t;
    }
    for (int k = 0; k < 2; k++) {
        qsort(took[k], n[k], sizeof(double), ascending);
        n[k] -= n[k] / 10;
        mean[k] = variance[k] = 0;
        for (size_t i = 0; i < n[k]; i++)
            mean[k] += took[k][i] / (double)n[k];
        for (size_t i = 0; i < n[k]; i++)
            variance[k] += (took[k][i] - mean[k]) * (took[k][i] - mean[k]) / (double)(n[k] - 1);
        psi_free(took[k]);
    }
    double t = (mean[0] - mean[1]) / sqrt(variance[0] / (double)n[0] + variance[1] / (double)n[1]);
    printf("  %-12s fixed %10.2f us, random %10.2f us, %zu measurements, t = %+.2f\n", name, mean[0] / 1e3,
           mean[1] / 1e3, count, t);
}

int main(int argc, char **argv)
{
    const size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    static const psi_sid sid = {{1}};
    mp_limb_t p[PSI_PAILLIER_P], q[PSI_PAILLIER_P];
    uint8_t message[PSI_PAILLIER_KEY_BYTES];
    const char *why = NULL;
    if (count < 100 || count > 1000000) {
        fprintf(stderr, "usage: long_paillier [MEASUREMENTS], at least 100\n");
        return 1;
    }
    plan.scheme = PSI_AHE_PAILLIER;
    plan.columns = 1;
    plan.groups = 4;
    plan.rows = plan.selected = ROWS;
    plan.column[0] = (psi_ahe_column){-((psi_wide)1 << 95), (psi_wide)1 << 95, 0};
    work = psi_mont_work_new();
    secret = psi_secret_calloc(1, sizeof *secret);
    must(work && secret, "memory");
    must(psi_prg_init(&prg) == TALLY_OK, "random");
    must(psi_ahe_plan_init(&plan, &why) == TALLY_OK, "plan");
    must(psi_ahe_key_new(&key, &plan, &sid) == TALLY_OK, "key");
    must(psi_ahe_key_message(key, message) == TALLY_OK, "proof");
    must(psi_ahe_adder_new(&adder, &plan, &sid, message, &why) == TALLY_OK, "adder");
    must(psi_ahe_encrypt(key, 0, ROWS, gather, NULL, fixed_units) == TALLY_OK, "encryption");
    psi_paillier_search(&prg, p, q);
    must(psi_paillier_secret_init(secret, p, q, work) == TALLY_OK, "primes");
    printf("Paillier: does time depend on secrets? |t| above 4.5 is suspicious on a quiet machine\n");
    compare("decrypt", count, prepare_open, run_open);
    compare("encrypt", count, prepare_encrypt, run_encrypt);
    compare("select", count, prepare_select, run_select);
    psi_wipe(p, sizeof p);
    psi_wipe(q, sizeof q);
    psi_secret_free(secret);
    psi_mont_work_free(work);
    psi_ahe_adder_free(adder);
    psi_ahe_key_free(key);
    psi_prg_wipe(&prg);
    return 0;
}
