/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_sum.h"

#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t edges_v[] = {-500000, 0, 10000, 3000000}, edges_t[] = {-5, 0, 5, 50},
                     edges_g[] = {0, 10, 20};

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "tests/support_sum: %s failed\n", what);
    abort();
}

void world_init(world *w, enum tally_scheme scheme, int owner, enum tally_reveal reveal)
{
    *w = (world){.owner = owner, .reveal = reveal, .scheme = scheme};
    pair_init(&w->p, TALLY_SEMI_HONEST, reveal);
}

static int64_t between(int64_t low, int64_t high)
{
    uint64_t x;
    switch (unit_below(8)) {
    case 0:
        return low;
    case 1:
        return high;
    default:
        unit_random(&x, sizeof x);
        return low + (int64_t)(x % (uint64_t)(high - low + 1));
    }
}

static void fill(world *w, int side, uint32_t first)
{
    w->rows[side] = calloc(w->n[side] + 1, sizeof *w->rows[side]);
    must(w->rows[side] != NULL, "memory");
    for (size_t i = 0; i < w->n[side]; i++) {
        world_row *r = &w->rows[side][i];
        *r = (world_row){first + (uint32_t)i, between(WORLD_V_MIN, WORLD_V_MAX),
                         between(WORLD_W_MIN, WORLD_W_MAX), between(side == w->owner ? -10 : -1, 60)};
    }
    for (size_t i = w->n[side]; i > 1; i--) {
        size_t j = unit_below((uint32_t)i);
        world_row x = w->rows[side][i - 1];
        w->rows[side][i - 1] = w->rows[side][j];
        w->rows[side][j] = x;
    }
}

static size_t band_of(const int64_t *edges, size_t count, int64_t v)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (v >= edges[i] && v < edges[i + 1])
            return i;
    return count - 1;
}

static void add(world_sums *s, const world_row *r)
{
    s->count++;
    s->sum[WORLD_V] += r->v;
    s->sum[WORLD_W] += r->w;
}

void world_join(world *w)
{
    memset(&w->total, 0, sizeof w->total);
    memset(w->by_v, 0, sizeof w->by_v);
    memset(w->by_t, 0, sizeof w->by_t);
    memset(w->by_g, 0, sizeof w->by_g);
    for (size_t i = 0; i < w->n[w->owner]; i++)
        for (size_t j = 0; j < w->n[!w->owner]; j++) {
            const world_row *o = &w->rows[w->owner][i], *c = &w->rows[!w->owner][j];
            if (o->id != c->id)
                continue;
            add(&w->total, o);
            add(&w->by_v[band_of(edges_v, 4, o->v)], o);
            add(&w->by_t[band_of(edges_t, 4, o->t)], o);
            add(&w->by_g[band_of(edges_g, 3, c->t)], o);
        }
}

void world_random(world *w, size_t receiver, size_t sender, size_t both)
{
    must(both <= receiver && both <= sender, "an overlap within the lists");
    w->n[PAIR_RECEIVER] = receiver;
    w->n[PAIR_SENDER] = sender;
    fill(w, PAIR_RECEIVER, 1000);
    fill(w, PAIR_SENDER, 1000 + (uint32_t)(receiver - both));
    world_join(w);
}

static void set_owner(world *w, pair_side *s)
{
    must(!tally_input_add_value(s->input, "v", WORLD_V_MIN, WORLD_V_MAX, 2, NULL) &&
             !tally_input_add_value(s->input, "w", WORLD_W_MIN, WORLD_W_MAX, 0, NULL),
         "adding values");
    if (w->bands_v)
        must(!tally_input_add_band(s->input, "v", edges_v, 4, 2, NULL), "adding bands");
    if (w->bands_t)
        must(!tally_input_add_band(s->input, "t", edges_t, 4, 0, NULL), "adding bands");
    if (w->groups)
        must(!tally_session_add_peer_band(s->session, "g", edges_g, 3, 0, NULL), "accepting bands");
}

static void add_rows(world *w, int side)
{
    pair_side *s = &w->p.side[side];
    int owner = side == w->owner;
    for (size_t i = 0; i < w->n[side]; i++) {
        char text[48];
        const world_row *r = &w->rows[side][i];
        tally_text key = {text, (size_t)snprintf(text, sizeof text, PAIR_MARK "%u", (unsigned)r->id)};
        int64_t numbers[4] = {r->v, r->w};
        size_t count = owner ? 2 : 0;
        if (owner && w->bands_v)
            numbers[count++] = r->v;
        if (owner ? w->bands_t : w->groups)
            numbers[count++] = r->t;
        if (w->count_only)
            must(!tally_input_add_row(s->input, &key, 1, NULL), "adding a row");
        else
            must(!tally_input_add_row_numbers(s->input, &key, 1, numbers, count, NULL), "adding a row");
    }
}

/* A file without rows: rows from memory need at least one. */
static void empty_file(world *w, int side)
{
    char path[200];
    snprintf(path, sizeof path, "%s/empty-%d.csv", unit_tmp(), side);
    FILE *f = fopen(path, "w");
    must(f && fputs("id,v,w,t,g\n", f) > 0 && fclose(f) == 0, "writing an empty list");
    must(!tally_input_set_file(w->p.side[side].input, path, NULL), "setting an empty list");
}

void world_prepare(world *w)
{
    for (int side = 0; side < 2; side++) {
        pair_side *s = &w->p.side[side];
        tally_session_set_function(s->session, w->count_only ? TALLY_COUNT : TALLY_SUM);
        must(!tally_session_set_min_overlap(s->session, w->minimum, NULL) &&
                 !tally_session_set_noise(s->session, w->epsilon_micro, NULL),
             "settings");
        tally_input_set_clip(s->input, w->epsilon_micro != 0);
        if (w->count_only) {
            /* neither values nor a scheme */
        } else if (side == w->owner) {
            tally_session_set_scheme(s->session, w->scheme);
            set_owner(w, s);
        } else if (w->groups) {
            must(!tally_input_add_band(s->input, "g", edges_g, 3, 0, NULL), "adding bands");
        }
        if (w->n[side])
            add_rows(w, side);
        else
            empty_file(w, side);
    }
}

void world_run(world *w)
{
    world_prepare(w);
    pair_run(&w->p);
}

void world_free(world *w)
{
    pair_free(&w->p);
    free(w->rows[0]);
    free(w->rows[1]);
}

int world_learns(const world *w, int side)
{
    return w->reveal == TALLY_REVEAL_BOTH ||
           (side == PAIR_RECEIVER ? w->reveal == TALLY_REVEAL_RECEIVER : w->reveal == TALLY_REVEAL_SENDER);
}

int world_figure(const world *w, int side, size_t group, size_t value, size_t column, long band,
                 world_sums *out)
{
    int64_t high;
    uint64_t low;
    if (tally_session_get_figure(w->p.side[side].session, group, value, column, band, &out->count, &high,
                                 &low))
        return 0;
    out->sum[value] = (world_wide)high * ((world_wide)1 << 64) + (world_wide)low;
    return 1;
}

int world_equal(const world_sums *a, const world_sums *b)
{
    return a->count == b->count && a->sum[WORLD_V] == b->sum[WORLD_V] && a->sum[WORLD_W] == b->sum[WORLD_W];
}

static int same(const world *w, int side, size_t group, size_t column, long band, const world_sums *want)
{
    for (size_t k = 0; k < WORLD_VALUES; k++) {
        world_sums got;
        if (!world_figure(w, side, group, k, column, band, &got) || got.count != want->count ||
            got.sum[k] != want->sum[k])
            return 0;
    }
    return 1;
}

static const char *wrong_at(const world *w, int side)
{
    const pair_side *s = &w->p.side[side];
    world_sums none;
    if (s->result.learns_figures != world_learns(w, side))
        return "the wrong side learned the figures";
    if (!world_learns(w, side))
        return world_figure(w, side, 0, 0, 0, -1, &none) ? "figures at a side that learns none" : NULL;
    if (s->result.matched_items != (uint64_t)w->total.count)
        return "the count";
    if (!w->groups && !same(w, side, 0, 0, -1, &w->total))
        return "a sum";
    for (long b = 0; !w->groups && b < WORLD_BANDS; b++) {
        if (w->bands_v && !same(w, side, 0, 0, b, &w->by_v[b]))
            return "a band of v";
        if (w->bands_t && !same(w, side, 0, w->bands_v ? 1 : 0, b, &w->by_t[b]))
            return "a band of t";
    }
    for (size_t g = 0; w->groups && g < WORLD_GROUPS; g++)
        if (!same(w, side, g, 0, -1, &w->by_g[g]))
            return "a band of the other side";
    for (long b = 0; w->groups && w->bands_v && b < WORLD_BANDS; b++) {
        world_sums all = {0, {0, 0}}, one;
        for (size_t g = 0; g < WORLD_GROUPS; g++)
            for (size_t k = 0; k < WORLD_VALUES; k++) {
                if (!world_figure(w, side, g, k, 0, b, &one))
                    return "no figure of crossed bands";
                all.sum[k] += one.sum[k];
                all.count += k ? 0 : one.count;
            }
        if (!world_equal(&all, &w->by_v[b]))
            return "crossed bands";
    }
    return NULL;
}

const char *world_wrong(const world *w)
{
    for (int side = 0; side < 2; side++) {
        const pair_side *s = &w->p.side[side];
        if (s->status)
            return s->error.message;
        if (s->leaked)
            return "an identifier is in a message";
        const char *wrong = wrong_at(w, side);
        if (wrong)
            return wrong;
    }
    return NULL;
}
