/* SPDX-License-Identifier: Apache-2.0 */
/* What a count or a sum came to: figures as JSON and as a table, one by one, and the closing sentence. No
 * identifier in any of it. */
#include "party/figures.h"
#include "party/error.h"
#include "psi/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_TEXT (2 * PSI_AGG_TEXT + 8) /* bytes of a band's name, and of any cell of a table */

/* ---- Views: the figures of one group, or of all together ---- */

typedef struct view {
    const party_aggregate *a;
    psi_wide count;
    psi_wide sum[PSI_AHE_COLUMNS_MAX];
} view;

int party_figures_learned(const tally_session *s)
{
    const party_aggregate *a = &s->aggregate;
    return s->function != TALLY_MATCH && a->done && (a->computing ? a->computing_learns : a->other_learns);
}

/* Groups [from, to). */
static void look(view *v, const party_aggregate *a, size_t from, size_t to)
{
    *v = (view){.a = a};
    for (size_t g = from; g < to; g++) {
        v->count += a->count[g];
        for (size_t c = 0; c < a->columns; c++)
            v->sum[c] += a->figures[g * a->columns + c];
    }
    /* With noise the count is one of the sums. */
    if (a->sum && a->form.ones)
        v->count = v->sum[0];
}

/* One band, or what lies outside, or all that are merged (cell = cells): its count and a sum of each value.
 */
typedef struct cell {
    psi_wide count, sum[PSI_AGG_VALUES_MAX];
} cell;

static int is_merged(const party_aggregate *a, size_t i)
{
    return a->groups == 1 && (a->parts & (PARTY_PART_MERGES | PARTY_PART_MERGED)) && a->merged[i];
}

static void look_at_cell(cell *out, const view *v, size_t banded, size_t i)
{
    const psi_aggregate *f = &v->a->form;
    size_t cells = f->cells[banded], values = f->values;
    if (i < cells && psi_agg_cell_sent(f, banded, i) && !is_merged(v->a, i)) {
        out->count = v->sum[psi_agg_cell_column(f, banded, i, values)];
        for (size_t k = 0; k < values; k++)
            out->sum[k] = v->sum[psi_agg_cell_column(f, banded, i, k)];
        return;
    }
    /* What is left of the total. */
    out->count = v->count;
    for (size_t k = 0; k < values; k++)
        out->sum[k] = v->sum[psi_agg_value_column(f, k, 0)];
    for (size_t j = 0; j < cells; j++) {
        if (!psi_agg_cell_sent(f, banded, j) || is_merged(v->a, j))
            continue;
        out->count -= v->sum[psi_agg_cell_column(f, banded, j, values)];
        for (size_t k = 0; k < values; k++)
            out->sum[k] -= v->sum[psi_agg_cell_column(f, banded, j, k)];
    }
}

/* "350 to 550", or "outside". */
static void cell_name(char out[CELL_TEXT], const wire_band *b, size_t i)
{
    char from[PSI_AGG_TEXT], to[PSI_AGG_TEXT];
    if (i + 1 >= b->count) {
        snprintf(out, CELL_TEXT, "%s", party_local("outside"));
        return;
    }
    psi_agg_sum_text(from, b->edges[i], b->scale);
    psi_agg_sum_text(to, b->edges[i + 1], b->scale);
    party_show(out, CELL_TEXT, "%s to %s", from, to);
}

/* ---- JSON ---- */

static json_t *optional(const char *text, int there)
{
    return there ? json_string(text) : json_null();
}

static json_t *value_json(const view *v, size_t k)
{
    const wire_value *value = &v->a->owner->values[k];
    char sum[PSI_AGG_TEXT], mean[PSI_AGG_TEXT], variance[PSI_AGG_TEXT];
    psi_wide total = v->sum[psi_agg_value_column(&v->a->form, k, 0)];
    psi_agg_sum_text(sum, total, value->scale);
    if (v->count > 0)
        psi_agg_mean_text(mean, total, v->count, value->scale);
    if (v->count > 1)
        psi_agg_variance_text(variance, total, v->sum[psi_agg_value_column(&v->a->form, k, 1)], v->count,
                              value->scale);
    return json_pack("{s:s, s:s, s:o, s:o}", "column", value->name, "sum", sum, "mean",
                     optional(mean, v->count > 0), "variance", optional(variance, v->count > 1));
}

static json_t *cell_json(const view *v, size_t banded, size_t i)
{
    const psi_aggregate *f = &v->a->form;
    const wire_terms *t = v->a->owner;
    cell c;
    look_at_cell(&c, v, banded, i);
    json_t *sums = json_array();
    for (size_t k = 0; k < f->values; k++) {
        char sum[PSI_AGG_TEXT];
        psi_agg_sum_text(sum, c.sum[k], t->values[k].scale);
        json_array_append_new(sums, json_pack("{s:s, s:s}", "column", t->values[k].name, "sum", sum));
    }
    return json_pack("{s:I, s:o}", "count", (json_int_t)c.count, "values", sums);
}

/* Where the band lies, then the members of `what`, which is taken over (NULL: none). */
static json_t *place(json_t *what, const wire_band *b, size_t i)
{
    json_t *to = json_object();
    char from[PSI_AGG_TEXT], end[PSI_AGG_TEXT];
    if (i + 1 >= b->count) {
        json_object_set_new(to, "outside", json_true());
    } else {
        psi_agg_sum_text(from, b->edges[i], b->scale);
        psi_agg_sum_text(end, b->edges[i + 1], b->scale);
        json_object_set_new(to, "from", json_string(from));
        json_object_set_new(to, "to", json_string(end));
    }
    if (what)
        json_object_update(to, what);
    json_decref(what);
    return to;
}

static json_t *banded_json(const view *v, size_t k)
{
    const wire_band *b = &v->a->owner->bands[k];
    json_t *list = json_array(), *merged = json_array();
    for (size_t i = 0; i < b->count; i++)
        if (is_merged(v->a, i))
            json_array_append_new(merged, place(NULL, b, i));
        else
            json_array_append_new(list, place(cell_json(v, k, i), b, i));
    json_t *out = json_pack("{s:s, s:o}", "column", b->name, "bands", list);
    if (json_array_size(merged)) {
        json_t *together = cell_json(v, k, b->count);
        json_object_set(together, "of", merged);
        json_object_set_new(out, "merged", together);
    }
    json_decref(merged);
    return out;
}

static json_t *view_json(const view *v)
{
    const party_aggregate *a = v->a;
    json_t *values = json_array(), *bands = json_array();
    for (size_t k = 0; k < a->form.values; k++)
        json_array_append_new(values, value_json(v, k));
    for (size_t k = 0; k < a->form.banded; k++)
        json_array_append_new(bands, banded_json(v, k));
    json_t *out = json_pack("{s:I}", "count", (json_int_t)v->count);
    if (a->sum)
        json_object_set(out, "values", values);
    if (a->form.banded)
        json_object_set(out, "bands", bands);
    json_decref(values);
    json_decref(bands);
    return out;
}

/* Bands of the side that adds up. */
static json_t *groups_json(view *v, const party_aggregate *a)
{
    const wire_band *b = &a->adder->bands[0];
    json_t *list = json_array(), *merged = json_array(), *together = NULL;
    for (size_t g = 0; g < a->groups; g++) {
        if (a->merged[g])
            json_array_append_new(merged, place(NULL, b, g));
        if (!party_aggregate_live(a, g))
            continue;
        look(v, a, g, g + 1);
        if (a->merged[g])
            together = view_json(v);
        else
            json_array_append_new(list, place(view_json(v), b, g));
    }
    json_t *out = json_pack("{s:s, s:o}", "column", b->name, "bands", list);
    if (together) {
        json_object_set(together, "of", merged);
        json_object_set_new(out, "merged", together);
    }
    json_decref(merged);
    return out;
}

json_t *party_figures_json(const tally_session *s)
{
    const party_aggregate *a = &s->aggregate;
    view *v = party_figures_learned(s) ? psi_secret_calloc(1, sizeof *v) : NULL;
    if (!v)
        return NULL;
    look(v, a, 0, a->groups);
    json_t *out = view_json(v);
    if (a->groups > 1)
        json_object_set_new(out, "groups", groups_json(v, a));
    if (a->epsilon_micro)
        json_object_set_new(
            out, "noise", json_pack("{s:f, s:f}", "epsilon", (double)a->epsilon_micro / 1e6, "delta", 1e-6));
    psi_secret_free(v);
    return out;
}

char *tally_session_figures_json(const tally_session *s)
{
    json_t *j = party_figures_json(s);
    char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(j);
    return text;
}

/* ---- A table for people ---- */

#define TABLE_COLUMNS (2 + PSI_AGG_VALUES_MAX)
#define TABLE_ROWS (1 + PSI_AGG_CELLS_MAX + 1)

typedef struct table {
    size_t rows, columns;
    char text[TABLE_ROWS][TABLE_COLUMNS][CELL_TEXT];
} table;

/* The first column to the left, the others to the right. */
static void print_table(FILE *f, const table *t)
{
    size_t width[TABLE_COLUMNS] = {0};
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < t->columns; c++)
            width[c] = party_width(t->text[r][c]) > width[c] ? party_width(t->text[r][c]) : width[c];
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            int pad = (int)(width[c] - party_width(t->text[r][c]));
            if (c)
                fprintf(f, "  %*s%s", pad, "", t->text[r][c]);
            else
                fprintf(f, "%s%*s", t->text[r][c], t->columns > 1 ? pad : 0, "");
        }
        fputc('\n', f);
    }
}

static char *cell_at(table *t, size_t row, size_t column)
{
    return t->text[row][column];
}

static void put_wide(table *t, size_t row, size_t column, psi_wide v, unsigned scale)
{
    char text[PSI_AGG_TEXT];
    psi_agg_sum_text(text, v, scale);
    snprintf(cell_at(t, row, column), sizeof t->text[0][0], "%s", text);
}

static void put_text(table *t, size_t row, size_t column, const char *text)
{
    snprintf(cell_at(t, row, column), sizeof t->text[0][0], "%s", text);
}

static void values_table(table *t, const view *v)
{
    const party_aggregate *a = v->a;
    static const char *const heads[] = {PARTY_TEXT("column"), PARTY_TEXT("sum"), PARTY_TEXT("mean"),
                                        PARTY_TEXT("variance")};
    *t = (table){.rows = 1 + a->form.values, .columns = 4};
    for (size_t c = 0; c < 4; c++)
        put_text(t, 0, c, party_local(heads[c]));
    for (size_t k = 0; k < a->form.values; k++) {
        const wire_value *value = &a->owner->values[k];
        char text[PSI_AGG_TEXT] = "-";
        psi_wide sum = v->sum[psi_agg_value_column(&a->form, k, 0)];
        put_text(t, k + 1, 0, value->name);
        put_wide(t, k + 1, 1, sum, value->scale);
        if (v->count > 0)
            psi_agg_mean_text(text, sum, v->count, value->scale);
        put_text(t, k + 1, 2, text);
        snprintf(text, sizeof text, "-");
        if (v->count > 1)
            psi_agg_variance_text(text, sum, v->sum[psi_agg_value_column(&a->form, k, 1)], v->count,
                                  value->scale);
        put_text(t, k + 1, 3, text);
    }
}

static void heads_of_bands(table *t, const party_aggregate *a, const char *name)
{
    *t = (table){.rows = 1, .columns = 2 + a->form.values};
    put_text(t, 0, 0, name);
    put_text(t, 0, 1, party_local("count"));
    for (size_t k = 0; k < a->form.values; k++)
        put_text(t, 0, 2 + k, a->owner->values[k].name);
}

static void row_of_band(table *t, const party_aggregate *a, const char *name, psi_wide count,
                        const psi_wide *sum)
{
    size_t row = t->rows++;
    put_text(t, row, 0, name);
    put_wide(t, row, 1, count, 0);
    for (size_t k = 0; k < a->form.values; k++)
        put_wide(t, row, 2 + k, sum[k], a->owner->values[k].scale);
}

static void bands_table(table *t, const view *v, size_t banded)
{
    const party_aggregate *a = v->a;
    const wire_band *b = &a->owner->bands[banded];
    char name[CELL_TEXT];
    cell c;
    size_t merged = 0;
    heads_of_bands(t, a, b->name);
    for (size_t i = 0; i < b->count; i++) {
        if (is_merged(a, i)) {
            merged++;
            continue;
        }
        look_at_cell(&c, v, banded, i);
        cell_name(name, b, i);
        row_of_band(t, a, name, c.count, c.sum);
    }
    if (!merged)
        return;
    look_at_cell(&c, v, banded, b->count);
    party_show(name, sizeof name, "%zu merged", merged);
    row_of_band(t, a, name, c.count, c.sum);
}

static void groups_table(table *t, view *v, const party_aggregate *a)
{
    const wire_band *b = &a->adder->bands[0];
    size_t merged = 0;
    for (size_t g = 0; g < a->groups; g++)
        merged += a->merged[g];
    heads_of_bands(t, a, b->name);
    for (size_t g = 0; g < a->groups; g++) {
        char name[CELL_TEXT];
        psi_wide sum[PSI_AGG_VALUES_MAX];
        if (!party_aggregate_live(a, g))
            continue;
        look(v, a, g, g + 1);
        for (size_t k = 0; k < a->form.values; k++)
            sum[k] = v->sum[psi_agg_value_column(&a->form, k, 0)];
        if (a->merged[g])
            party_show(name, sizeof name, "%zu merged", merged);
        else
            cell_name(name, b, g);
        row_of_band(t, a, name, v->count, sum);
    }
}

static void print_figures(FILE *f, const party_aggregate *a, view *v, table *t)
{
    char name[CELL_TEXT];
    look(v, a, 0, a->groups);
    *t = (table){.rows = 1, .columns = 2};
    put_text(t, 0, 0, party_local("count"));
    put_wide(t, 0, 1, v->count, 0);
    print_table(f, t);
    if (!a->sum)
        return;
    fputc('\n', f);
    values_table(t, v);
    print_table(f, t);
    for (size_t k = 0; k < a->form.banded; k++) {
        fputc('\n', f);
        bands_table(t, v, k);
        print_table(f, t);
    }
    if (a->groups < 2)
        return;
    fputc('\n', f);
    groups_table(t, v, a);
    print_table(f, t);
    /* Crossed bands. */
    for (size_t g = 0; a->form.banded && g < a->groups; g++)
        for (size_t k = 0; k < a->form.banded; k++) {
            look(v, a, g, g + 1);
            cell_name(name, &a->adder->bands[0], g);
            fprintf(f, "\n%s %s:\n", a->adder->bands[0].name, name);
            bands_table(t, v, k);
            print_table(f, t);
        }
}

char *tally_session_figures_text(const tally_session *s)
{
    char *text = NULL;
    size_t size = 0;
    if (!party_figures_learned(s))
        return NULL;
    view *v = psi_secret_calloc(1, sizeof *v);
    table *t = psi_secret_calloc(1, sizeof *t);
    FILE *f = v && t ? open_memstream(&text, &size) : NULL;
    if (f) {
        print_figures(f, &s->aggregate, v, t);
        if (fclose(f)) {
            free(text);
            text = NULL;
        }
    }
    psi_secret_free(t);
    psi_secret_free(v);
    return text;
}

/* ---- One by one ---- */

static void set_figure(const psi_wide *sum, psi_wide rows, int64_t *count, int64_t *high, uint64_t *low)
{
    *count = (int64_t)rows;
    *high = (int64_t)(*sum >> 64);
    *low = (uint64_t)*sum;
}

tally_status tally_session_get_figure(const tally_session *s, size_t group, size_t value, size_t band_column,
                                      int64_t band, int64_t *count, int64_t *high, uint64_t *low)
{
    const party_aggregate *a = &s->aggregate;
    int by_band = band >= 0;
    if (!party_figures_learned(s) || !a->sum || group >= a->groups || value >= a->form.values ||
        (a->groups > 1 && a->merged[group]))
        return TALLY_ERR_USAGE;
    if (by_band && (band_column >= a->form.banded || (size_t)band >= a->form.cells[band_column] ||
                    is_merged(a, (size_t)band)))
        return TALLY_ERR_USAGE;
    view *v = psi_secret_calloc(1, sizeof *v);
    if (!v)
        return TALLY_ERR_NO_MEMORY;
    look(v, a, group, group + 1);
    if (by_band) {
        cell c;
        look_at_cell(&c, v, band_column, (size_t)band);
        set_figure(&c.sum[value], c.count, count, high, low);
    } else {
        set_figure(&v->sum[psi_agg_value_column(&a->form, value, 0)], v->count, count, high, low);
    }
    psi_secret_free(v);
    return TALLY_OK;
}

int64_t party_figures_count(const party_aggregate *a)
{
    psi_wide count = 0;
    for (size_t g = 0; g < a->groups; g++)
        count += a->sum && a->form.ones ? a->figures[g * a->columns] : a->count[g];
    return (int64_t)count;
}

/* ---- What each side learned ---- */

/* "amount, score and 3 more" */
static void say_values(party_sentence *s, const wire_terms *t)
{
    for (size_t k = 0; k < t->value_count && k < 4; k++)
        party_say(s, "%s%s",
                  !k                        ? ""
                  : k + 1 == t->value_count ? PARTY_WORD(" and ")
                                            : PARTY_WORD(", "),
                  t->values[k].name);
    if (t->value_count > 4)
        party_say(s, " and %zu more", t->value_count - 4);
}

static const char *who(int both, int this_side)
{
    return both        ? PARTY_WORD("both sides")
           : this_side ? PARTY_WORD("this side")
                       : PARTY_WORD("the other side");
}

static void say_result(party_sentence *s, const party_aggregate *a)
{
    int both = a->computing_learns && a->other_learns;
    int here = a->computing ? a->computing_learns : a->other_learns;
    party_say(s, "Of the identifiers on both lists, %s learned ", who(both, here));
    party_say(s, a->epsilon_micro ? "the number with noise" : "the number");
    if (here && a->epsilon_micro == 0)
        party_say(s, " (%" PRId64 ")", party_figures_count(a));
    if (a->sum) {
        party_say(s, " and the sums, means and variances of ");
        say_values(s, a->owner);
        party_say(s, a->computing ? " on the other side's list" : " on this side's list");
        if (a->form.banded || a->groups > 1)
            party_say(s, ", also by bands");
    }
    party_say(s, ", and not which they are.");
}

/* What the two parts bring with them, beyond the result. */
static void say_more(party_sentence *s, const party_aggregate *a)
{
    const char *adds = a->computing ? PARTY_WORD("This side") : PARTY_WORD("The other side"),
               *owns = a->computing ? PARTY_WORD("The other side") : PARTY_WORD("This side");
    if (a->sum && !a->computing_learns)
        party_say(s, " %s, which added up, learned how many there are%s.", adds,
                  a->epsilon_micro ? PARTY_WORD(", give or take a random number of dummies") : "");
    if (a->groups > 1 && (!a->computing_learns || (a->parts & PARTY_PART_MERGES)))
        party_say(s, " %s also learned how many of them lie in each band of %s%s.", adds,
                  a->adder->bands[0].name, a->epsilon_micro ? PARTY_WORD(", give or take dummies") : "");
    if (a->parts & PARTY_PART_FIRST)
        party_say(s, " %s also learned how many of them lie in each band of %s.", adds,
                  a->owner->bands[0].name);
    if (a->sum && !a->other_learns && (a->parts & PARTY_PART_COUNT))
        party_say(s, " %s heard how many there are%s%s.", owns,
                  a->groups > 1 ? PARTY_WORD(", also in each band of ") : "",
                  a->groups > 1 ? a->adder->bands[0].name : "");
    if (a->parts & PARTY_PART_MERGED)
        party_say(s, " %s also learned how many of them lie in each band of %s.", owns,
                  a->owner->bands[0].name);
    if (a->groups > 1)
        party_say(s, " %s also learned how many identifiers of %s list lie in each band of %s.", owns,
                  a->computing ? PARTY_WORD("this side's") : PARTY_WORD("the other side's"),
                  a->adder->bands[0].name);
}

static void say_minimum(party_sentence *s, const party_aggregate *a)
{
    const char *adds = a->computing ? PARTY_WORD("this side") : PARTY_WORD("the other side"),
               *owns = a->computing ? PARTY_WORD("the other side") : PARTY_WORD("this side");
    if (!a->minimum)
        return;
    party_say(s, " The minimum overlap of %" PRIu64 " was checked by %s, which counted", a->minimum, adds);
    if (a->epsilon_micro)
        party_say(s, " with noise");
    if ((a->parts & PARTY_PART_COUNT) && !a->epsilon_micro)
        party_say(s, ", and by %s on the count it was told", owns);
    else if (a->sum && a->computing_learns)
        party_say(s, "; %s relies on that", owns);
    party_say(s, ".");
}

static void say_noise(party_sentence *s, const party_aggregate *a)
{
    if (!a->epsilon_micro)
        return;
    party_say(s, " Noise of epsilon %g was spent:", (double)a->epsilon_micro / 1e6);
    party_say(s, " dummies of %s hide the exact number from %s (delta 1e-6)",
              a->computing ? PARTY_WORD("the other side") : PARTY_WORD("this side"),
              a->computing ? PARTY_WORD("this side") : PARTY_WORD("the other side"));
    if (a->other_learns)
        party_say(s, "; %s added noise for %s",
                  a->computing ? PARTY_WORD("this side") : PARTY_WORD("the other side"),
                  a->computing ? PARTY_WORD("the other side") : PARTY_WORD("this side"));
    if (a->sum && a->computing_learns)
        party_say(s, "; %s added noise for %s",
                  a->computing ? PARTY_WORD("the other side") : PARTY_WORD("this side"),
                  a->computing ? PARTY_WORD("this side") : PARTY_WORD("the other side"));
    party_say(s, ".");
}

void party_figures_sentence(const tally_session *session, party_sentence *s)
{
    const party_aggregate *a = &session->aggregate;
    size_t own;
    party_input_items(session->input, &own);
    say_result(s, a);
    say_more(s, a);
    party_say(s, " Each side learned the size of the other's list: %zu here, %" PRIu64 " there.", own,
              session->peer_items);
    say_minimum(s, a);
    say_noise(s, a);
}
