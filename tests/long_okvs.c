/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of the OKVS, for `make check-long`: how many rows peeling leaves over, at the size of a real bin
 * and at weakened parameters beside the law of Raghuraman and Rindal (2022). Prints exact (Clopper-Pearson)
 * bounds; a run of N encodings supports about log2 N bits and no more, and nothing here says otherwise.
 * Usage: long_okvs [ENCODINGS [SEED]], 100000 and 1 unless said otherwise; status 1 when a check fails.
 */
#include "psi/okvs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 34132, SLOTS = 43008, GAPS = 8 };

static psi_okvs_row rows[ROWS];
static psi_okvs_value values[ROWS], table[SLOTS];
static psi_prg prg;
static uint64_t state;
static unsigned passed, failed;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next64(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint16_t place(size_t sparse)
{
    return (uint16_t)((next64() >> 32) * sparse >> 32);
}

static void draw_rows(size_t n, size_t sparse)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t *p = rows[i].p;
        p[0] = place(sparse);
        do
            p[1] = place(sparse);
        while (p[1] == p[0]);
        do
            p[2] = place(sparse);
        while (p[2] == p[0] || p[2] == p[1]);
        rows[i].mask = next64();
    }
}

/* ln Pr[Bin(n, p) = x] */
static double log_point(double n, double p, double x)
{
    return lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(p) + (n - x) * log1p(-p);
}

/* Pr[Bin(n, p) <= x] for x far below n */
static double below_or_at(double n, double p, double x)
{
    double sum = 0;
    for (double i = 0; i <= x; i++)
        sum += exp(log_point(n, p, i));
    return sum < 1 ? sum : 1;
}

/* One-sided Clopper-Pearson bounds at 99 %: log2 of the rate that x events in n trials still allow. */
static double upper_bound(double n, double x)
{
    double lo = 0, hi = 1;
    for (int i = 0; i < 200; i++) {
        double p = (lo + hi) / 2;
        if (below_or_at(n, p, x) > 0.01)
            lo = p;
        else
            hi = p;
    }
    return log2(hi);
}

static double lower_bound(double n, double x)
{
    double lo = 0, hi = 1;
    for (int i = 0; x > 0 && i < 200; i++) {
        double p = (lo + hi) / 2;
        if (1 - below_or_at(n, p, x - 1) < 0.01)
            lo = p;
        else
            hi = p;
    }
    return x > 0 ? log2(lo) : -INFINITY;
}

static void verdict(int good, const char *what)
{
    printf("  %s: %s\n", good ? "ok" : "FAILED", what);
    passed += good != 0;
    failed += good == 0;
}

/* Bins of 2^20 items (docs/parameters/derive.py): no gap beyond 2 = floor(46 / log2 42944), no failure. */
static void real_size(psi_okvs *w, unsigned long encodings)
{
    unsigned long gaps[GAPS + 1] = {0}, refused = 0;
    for (unsigned long t = 0; t < encodings; t++) {
        unsigned gap;
        draw_rows(ROWS, SLOTS - PSI_OKVS_DENSE);
        if (psi_okvs_encode(w, table, SLOTS, rows, values, ROWS, &prg, &gap))
            refused++;
        gaps[gap < GAPS ? gap : GAPS]++;
    }
    printf("real size: %d rows, %d slots, %lu encodings\n", ROWS, SLOTS, encodings);
    unsigned long beyond = 0;
    for (unsigned g = 0; g <= GAPS; g++) {
        if (gaps[g])
            printf("  gap %u%s: %lu\n", g, g == GAPS ? " or more" : "", gaps[g]);
        beyond += g > 2 ? gaps[g] : 0;
    }
    double n = (double)encodings;
    printf("  at 99 %%: any gap at most 2^%.1f, gap above 2 at most 2^%.1f, no table at most 2^%.1f\n",
           upper_bound(n, n - (double)gaps[0]), upper_bound(n, (double)beyond),
           upper_bound(n, (double)refused));
    verdict(beyond == 0 && refused == 0, "no gap above 2, a table every time");
}

/* The law: a gap above floor(lambda / log2(e L)) comes with probability 2^-lambda at expansion e. */
static void weakened(psi_okvs *w, unsigned log2_rows, double lambda, double scale)
{
    size_t n = (size_t)1 << log2_rows;
    double slope = exp2(0.555 * log2_rows + 2.336), e = 1.223 + (lambda + 9.2) / slope;
    size_t sparse = (size_t)ceil(e * (double)n);
    unsigned bound = (unsigned)(lambda / log2((double)sparse));
    unsigned long trials = (unsigned long)(scale * exp2(lambda)), events = 0, refused = 0;
    for (unsigned long t = 0; t < trials; t++) {
        unsigned gap;
        draw_rows(n, sparse);
        refused +=
            psi_okvs_encode(w, table, sparse + PSI_OKVS_DENSE, rows, values, n, &prg, &gap) != TALLY_OK;
        events += gap > bound;
    }
    double low = lower_bound((double)trials, (double)events),
           high = upper_bound((double)trials, (double)events);
    printf("  L 2^%-2u e %.4f law 2^-%-4.1f gap above %u: %6lu of %8lu = 2^%.2f (99 %%: 2^%.2f .. 2^%.2f), "
           "no table %lu\n",
           log2_rows, e, lambda, bound, events, trials, log2((double)events / (double)trials), low, high,
           refused);
    if (low > -lambda + 2)
        verdict(0, "more than two bits worse than the law");
    else
        passed++;
}

int main(int argc, char **argv)
{
    unsigned long encodings = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    psi_okvs *w = psi_okvs_new(ROWS, SLOTS);
    if (!w || !encodings || psi_prg_init(&prg)) {
        fputs("long_okvs: cannot start\n", stderr);
        psi_okvs_free(w);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("weakened parameters, beside the law of Raghuraman and Rindal:");
    for (unsigned l = 8; l <= 12; l += 2)
        for (double lambda = 3; lambda <= 12; lambda += 3)
            weakened(w, l, lambda, lambda > 10 ? 25 : 200);
    real_size(w, encodings);
    psi_okvs_free(w);
    const char *results = getenv("TALLY_RESULTS");
    FILE *f = results && *results ? fopen(results, "a") : NULL;
    if (f) {
        fprintf(f, "long_okvs %u %u\n", passed, failed);
        fclose(f);
    }
    return failed != 0;
}
