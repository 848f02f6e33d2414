/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sum between two sessions in memory, and the plain join it is compared with. Identifiers are numbers; the
 * owner has two values, "v" at two decimals and "w" without, and a column "t" for bands; the other side has a
 * column "g".
 *
 *     world w;
 *     world_init(&w, TALLY_SCHEME_RLWE, PAIR_SENDER, TALLY_REVEAL_BOTH);
 *     w.bands_v = ..; w.own_bands = ..;
 *     world_random(&w, 40, 30, 12);
 *     world_run(&w);                       looks right: world_wrong(&w) is NULL
 *     world_free(&w);
 */
#ifndef TESTS_SUPPORT_SUM_H
#define TESTS_SUPPORT_SUM_H

#include "tests/support_session.h"

__extension__ typedef __int128 world_wide;

enum { WORLD_V, WORLD_W, WORLD_VALUES };
#define WORLD_V_MIN (-1000000)
#define WORLD_V_MAX 3000000
#define WORLD_W_MIN 0
#define WORLD_W_MAX (((int64_t)1 << 40) - 1)
#define WORLD_BANDS 4 /* of "v" and "t", with what lies outside */
#define WORLD_GROUPS 3

typedef struct world_row {
    uint32_t id;
    int64_t v, w, t; /* the owner's; of the other side, t is its "g" */
} world_row;

/* What the plain join says of a set of matching identifiers. */
typedef struct world_sums {
    int64_t count;
    world_wide sum[WORLD_VALUES];
} world_sums;

typedef struct world {
    pair p;
    int owner; /* PAIR_RECEIVER or PAIR_SENDER: who has the values */
    enum tally_reveal reveal;
    enum tally_scheme scheme;
    uint64_t minimum, epsilon_micro;
    int bands_v, bands_t; /* the owner's bands by "v", by "t" */
    int groups;           /* the other side's bands by "g" */
    int count_only;       /* no sum */
    world_row *rows[2];   /* by side */
    size_t n[2];
    world_sums total, by_v[WORLD_BANDS], by_t[WORLD_BANDS], by_g[WORLD_GROUPS];
} world;

void world_init(world *w, enum tally_scheme scheme, int owner, enum tally_reveal reveal);
/* Lists of n[0] (receiver) and n[1] (sender) identifiers of which `both` are on both, values at random, ends
 * of the ranges now and then. */
void world_random(world *w, size_t receiver, size_t sender, size_t both);
/* After changes of rows: what the join says. */
void world_join(world *w);
/* Settings and rows to the sessions, then both run. */
void world_prepare(world *w);
void world_run(world *w);
/* 1 if the side learns the figures by the terms. */
int world_learns(const world *w, int side);
/* NULL, or what is not as the join says: statuses, exact figures, also by bands and groups. Without minimum
 * and noise. */
const char *world_wrong(const world *w);
void world_free(world *w);
/* One figure of a side; 0 if there is none. */
int world_figure(const world *w, int side, size_t group, size_t value, size_t column, long band,
                 world_sums *out);

int world_equal(const world_sums *a, const world_sums *b);

#endif
