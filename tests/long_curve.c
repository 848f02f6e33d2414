/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timing of the group backends in the manner of dudect (Reparaz, Balasch, Verbauwhede 2017), on the code as
 * it is compiled: two classes of secrets in random order, Welch's t of all samples and of the quickest 99, 90
 * and 50 % of both classes together; the largest |t| counts. Passes below 10; what does not is measured once
 * more, since machines are noisy. A control that takes a little longer for one class must not pass.
 * check-long only. Usage: long_curve [SAMPLES]; the portable backend, libsodium, gets a quarter of them.
 */
#include "psi/digits.h"
#include "psi/expand.h"
#include "psi/group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ITEMS = 16, POOL = 64, WARM_UP = 20, SAMPLES_MAX = 1000000, CROPS = 4 };
static const double crops[CROPS] = {1.0, 0.99, 0.9, 0.5};

/* What one call takes. Everything is read from the same place for both classes. */
typedef struct inputs {
    psi_scalar k[ITEMS];
    psi_point points[ITEMS];
    uint8_t uniform[ITEMS][64];
} inputs;

static const psi_group_backend *g;
static psi_prg prg;
static inputs pool[POOL], base, now;
static psi_point out[ITEMS];
static double *took, *sorted;
static uint8_t *class_of;

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "long_curve: %s failed\n", what);
        exit(70);
    }
}

/* ---- What is timed ---- */

static void mul_common(void)
{
    must(!g->mul_common(out, now.points, ITEMS, now.k, NULL), "mul_common");
}

static void mul_each(void)
{
    must(!g->mul_each(out, now.points, now.k, ITEMS, NULL), "mul_each");
}

static void base_mul(void)
{
    must(!g->base_mul(out, now.k, ITEMS), "base_mul");
}

static void map_mul_common(void)
{
    must(!g->map_mul_common(out, (const uint8_t(*)[64])now.uniform, ITEMS, now.k), "map_mul_common");
}

static void map_mul_each(void)
{
    must(!g->map_mul_each(out, (const uint8_t(*)[64])now.uniform, now.k, ITEMS), "map_mul_each");
}

static void from_uniform(void)
{
    must(!g->from_uniform(out, (const uint8_t(*)[64])now.uniform, ITEMS), "from_uniform");
}

/* Of neighbours, of which no two are equal or opposite. */
static void add(void)
{
    must(!g->add(out, now.points, now.points + 1, ITEMS - 1, NULL), "add");
}

static void subtract(void)
{
    must(!g->subtract(out, now.points, now.points + 1, ITEMS - 1, NULL), "subtract");
}

/* By the lanes in use, whichever group has its turn: messages of 64 bytes. */
static void expand(void)
{
    static uint8_t expanded[ITEMS][64];
    must(!psi_expand64(expanded, "", 0, now.uniform[0], sizeof now.uniform[0], ITEMS,
                       (const uint8_t *)"long_curve", 10),
         "psi_expand64");
}

/* The control: for odd scalars a loop more, a few hundredths of the whole. */
static void leak(void)
{
    base_mul();
    for (volatile unsigned i = 0; (now.k[0].b[0] & 1) && i < 10000; i++)
        ;
}

/* ---- Classes: how `now` differs from base ---- */

static void scalars_random(const inputs *random)
{
    memcpy(now.k, random->k, sizeof now.k);
}

static void points_random(const inputs *random)
{
    memcpy(now.points, random->points, sizeof now.points);
}

static void uniform_random(const inputs *random)
{
    memcpy(now.uniform, random->uniform, sizeof now.uniform);
}

static void scalars_set(const psi_scalar *k)
{
    for (size_t i = 0; i < ITEMS; i++)
        now.k[i] = *k;
}

static void scalars_one(const inputs *random)
{
    (void)random;
    scalars_set(&(psi_scalar){{1}});
}

/* Half of it is 1: all digits but the highest are -15. */
static void scalars_two(const inputs *random)
{
    (void)random;
    scalars_set(&(psi_scalar){{2}});
}

static void scalars_largest(const inputs *random)
{
    psi_scalar k;
    (void)random;
    memcpy(k.b, psi_group_order, sizeof k.b);
    k.b[0]--;
    scalars_set(&k);
}

/* One number below 256 in each half: every limb but the lowest is zero. */
static void uniform_small(const inputs *random)
{
    memset(now.uniform, 0, sizeof now.uniform);
    for (size_t i = 0; i < ITEMS; i++) {
        now.uniform[i][0] = random->uniform[i][0] | 1;
        now.uniform[i][32] = random->uniform[i][32] & 0xfe;
    }
}

static void same(const inputs *random)
{
    (void)random;
}

/* ---- Statistics ---- */

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Welch's t of the samples not above limit. */
static double welch(size_t samples, double limit)
{
    double n[2] = {0, 0}, mean[2] = {0, 0}, squares[2] = {0, 0};
    for (size_t i = 0; i < samples; i++)
        if (took[i] <= limit) {
            int c = class_of[i];
            double d = took[i] - mean[c];
            n[c]++;
            mean[c] += d / n[c];
            squares[c] += d * (took[i] - mean[c]);
        }
    if (n[0] < 2 || n[1] < 2)
        return 0;
    double spread = squares[0] / (n[0] - 1) / n[0] + squares[1] / (n[1] - 1) / n[1];
    return spread > 0 ? (mean[0] - mean[1]) / sqrt(spread) : 0;
}

typedef struct timing {
    const char *name;
    void (*run)(void);
    void (*first)(const inputs *), (*second)(const inputs *);
} timing;

static const timing timings[] = {
    {"mul_common, scalar fixed, random", mul_common, same, scalars_random},
    {"mul_common, scalar 1, random", mul_common, scalars_one, scalars_random},
    {"mul_common, scalar 2, random", mul_common, scalars_two, scalars_random},
    {"mul_common, scalar l - 1, random", mul_common, scalars_largest, scalars_random},
    {"mul_common, points fixed, random", mul_common, same, points_random},
    {"mul_each, scalars fixed, random", mul_each, same, scalars_random},
    {"mul_each, scalars 2, random", mul_each, scalars_two, scalars_random},
    {"mul_each, points fixed, random", mul_each, same, points_random},
    {"base_mul, scalars fixed, random", base_mul, same, scalars_random},
    {"base_mul, scalars 2, random", base_mul, scalars_two, scalars_random},
    {"base_mul, scalars l - 1, random", base_mul, scalars_largest, scalars_random},
    {"map_mul_common, scalar fixed, random", map_mul_common, same, scalars_random},
    {"map_mul_common, items small, random", map_mul_common, uniform_small, uniform_random},
    {"map_mul_each, scalars fixed, random", map_mul_each, same, scalars_random},
    {"map_mul_each, items small, random", map_mul_each, uniform_small, uniform_random},
    {"from_uniform, items fixed, random", from_uniform, same, uniform_random},
    {"from_uniform, items small, random", from_uniform, uniform_small, uniform_random},
    {"add, points fixed, random", add, same, points_random},
    {"subtract, points fixed, random", subtract, same, points_random},
    {"expand, items small, random", expand, uniform_small, uniform_random},
};
static const timing control = {"control, scalars 2, 1", leak, scalars_two, scalars_one};
enum { TIMINGS = sizeof timings / sizeof *timings };

/* The t of largest magnitude. */
static double measure(const timing *m, size_t samples)
{
    double worst = 0, median;
    for (size_t i = 0; i < samples + WARM_UP; i++) {
        struct timespec a, b;
        int second = (int)psi_prg_below(&prg, 2);
        const inputs *random = &pool[psi_prg_below(&prg, POOL)];
        now = base;
        (second ? m->second : m->first)(random);
        clock_gettime(CLOCK_MONOTONIC, &a);
        m->run();
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (i >= WARM_UP) {
            took[i - WARM_UP] = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
            class_of[i - WARM_UP] = (uint8_t)second;
        }
    }
    memcpy(sorted, took, samples * sizeof *took);
    qsort(sorted, samples, sizeof *sorted, ascending);
    median = sorted[samples / 2];
    printf("  %-8s %-38s %7.1f us, t =", g->name, m->name, median);
    for (int c = 0; c < CROPS; c++) {
        double t = welch(samples, sorted[(size_t)(crops[c] * (double)(samples - 1))]);
        printf(" %+.1f", t);
        worst = fabs(t) > fabs(worst) ? t : worst;
    }
    printf("\n");
    return worst;
}

static void fill(inputs *x)
{
    for (size_t i = 0; i < ITEMS; i++)
        psi_scalar_random(&x->k[i], &prg);
    psi_prg_bytes(&prg, x->uniform, sizeof x->uniform);
    must(!psi_group()->from_uniform(x->points, (const uint8_t(*)[64])x->uniform, ITEMS), "from_uniform");
}

int main(int argc, char **argv)
{
    size_t samples = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000, count;
    int passed = 0, failed = 0;
    samples = samples < 400 ? 400 : samples > SAMPLES_MAX ? SAMPLES_MAX : samples;
    took = calloc(samples, sizeof *took);
    sorted = calloc(samples, sizeof *sorted);
    class_of = calloc(samples, 1);
    must(took && sorted && class_of, "memory");
    must(!psi_prg_init(&prg), "random");
    fill(&base);
    for (size_t i = 0; i < POOL; i++)
        fill(&pool[i]);
    const psi_group_backend *const *backends = psi_group_backends(&count);
    printf("time of %d items in two classes, %zu samples; t of all, and of the quickest 99, 90, 50 %%\n",
           ITEMS, samples);
    for (size_t b = 0; b < count; b++) {
        size_t n = b == 0 ? samples / 4 : samples;
        g = backends[b];
        for (size_t i = 0; i < TIMINGS; i++) {
            int ok = fabs(measure(&timings[i], n)) < 10 || fabs(measure(&timings[i], n)) < 10;
            passed += ok;
            failed += !ok;
            if (!ok)
                printf("long_curve: %s: %s: time depends on the class\n", g->name, timings[i].name);
        }
    }
    int seen = fabs(measure(&control, samples)) >= 10;
    passed += seen;
    failed += !seen;
    if (!seen)
        printf("long_curve: the control was not found\n");
    free(took);
    free(sorted);
    free(class_of);
    printf("%-24s %d comparisons, %d failed\n", "long_curve", passed + failed, failed);
    const char *results = getenv("TALLY_RESULTS");
    FILE *f = results && *results ? fopen(results, "a") : NULL;
    if (f) {
        fprintf(f, "long_curve %d %d\n", passed, failed);
        fclose(f);
    }
    return failed != 0;
}
