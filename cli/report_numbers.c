/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, result and figures, bytes and seconds. */
#include "cli/report.h"

#include "cli/report_html.h"
#include <stdlib.h>
#include <string.h>

static void row_if(const cli_page *p, const json_t *object, enum cli_text label, const char *key,
                   int zero_too)
{
    long long number;
    if (cli_record_number(object, key, &number) && (number || zero_too))
        cli_html_row_number(p, label, number);
}

static void lists(const cli_page *p)
{
    const cli_record *r = p->r;
    long long items = -1, declared = -1, theirs = 0;
    cli_html_heading3(p, CLI_TEXT_S_LISTS);
    cli_html_facts(p, CLI_TEXT_S_LISTS);
    row_if(p, r->input, CLI_TEXT_R_READ, "rows", 1);
    row_if(p, r->input, CLI_TEXT_R_REJECTED, "rejected", 1);
    row_if(p, r->input, CLI_TEXT_R_CONSENT, "without_consent", 0);
    row_if(p, r->input, CLI_TEXT_R_ACCEPTED, "accepted", 1);
    row_if(p, r->input, CLI_TEXT_R_DUPLICATES, "duplicates", 1);
    row_if(p, r->input, CLI_TEXT_R_CLIPPED, "clipped", 0);
    if (cli_record_number(r->input, "items", &items))
        cli_html_row_number(p, CLI_TEXT_R_ITEMS, items);
    if (cli_record_number(r->input, "declared", &declared) && declared != items)
        cli_html_row_number(p, CLI_TEXT_R_DECLARED, declared);
    if (cli_record_number(r->end, "peer_items", &theirs) && theirs)
        cli_html_row_number(p, CLI_TEXT_R_THEIRS, theirs);
    else
        cli_html_row_text(p, CLI_TEXT_R_THEIRS, CLI_TEXT_UNKNOWN);
    cli_html_table_end(p);
}

/* ---- Figures of counts and sums ---- */

static const char *count_of(const json_t *object, char out[32])
{
    const json_t *count = json_object_get(object, "count");
    if (!json_is_integer(count))
        return "";
    cli_record_grouped(out, json_integer_value(count));
    return out;
}

/* "0 to below 1000" */
static void say_where(const cli_page *p, const json_t *band)
{
    if (json_is_true(json_object_get(band, "outside")))
        cli_html_say(p, CLI_TEXT_F_OUTSIDE, CLI_HTML_END);
    else
        cli_html_say(p, CLI_TEXT_F_FROM_TO, cli_record_text(band, "from"), cli_record_text(band, "to"),
                     CLI_HTML_END);
}

/* The bands that were put together, in one text; to be freed. */
static char *merged_from(const cli_page *p, const json_t *of)
{
    char *text = NULL;
    size_t size, i;
    const json_t *band;
    cli_page to = *p;
    to.out = open_memstream(&text, &size);
    if (!to.out)
        return NULL;
    json_array_foreach(of, i, band)
    {
        fputs(i ? cli_report_text(CLI_TEXT_LIST_COMMA, p->language) : "", to.out);
        say_where(&to, band);
    }
    if (fclose(to.out)) {
        free(text);
        return NULL;
    }
    return text;
}

/* Where a band lies, or which ones were put together. */
static void say_band(const cli_page *p, const json_t *band)
{
    const json_t *of = json_object_get(band, "of");
    if (!of) {
        say_where(p, band);
        return;
    }
    char *from = merged_from(p, of);
    const char *text = cli_report_text(CLI_TEXT_F_MERGED, p->language), *open = strchr(text, '{');
    fprintf(p->out, "%.*s%s%s", (int)(open - text), text, from ? from : "", open + 3);
    free(from);
}

/* Of value column v; of none when there are no values. */
static void band_row(const cli_page *p, const json_t *band, size_t v)
{
    char number[32];
    const json_t *value = json_array_get(json_object_get(band, "values"), v);
    fputs("<tr><th scope=\"row\">", p->out);
    say_band(p, band);
    fputs("</th>", p->out);
    cli_html_cell(p, count_of(band, number), 1);
    if (value)
        cli_html_cell(p, cli_record_text(value, "sum"), 1);
    fputs("</tr>\n", p->out);
}

/* One table for each value column: more would not go on a narrow page. */
static void bands_of_value(const cli_page *p, const json_t *column, const json_t *value, size_t v)
{
    size_t i;
    const json_t *band, *merged = json_object_get(column, "merged");
    if (value)
        cli_html_grid(p, CLI_TEXT_F_BANDS_OF, cli_record_text(column, "column"),
                      cli_record_text(value, "column"));
    else
        cli_html_grid(p, CLI_TEXT_F_BANDS, cli_record_text(column, "column"), "");
    cli_html_head(p, CLI_TEXT_F_BAND);
    cli_html_head_number(p, CLI_TEXT_F_COUNT);
    if (value)
        cli_html_head_number(p, CLI_TEXT_F_SUM);
    fputs("</tr>\n</thead>\n<tbody>\n", p->out);
    json_array_foreach(json_object_get(column, "bands"), i, band) band_row(p, band, v);
    if (json_is_object(merged))
        band_row(p, merged, v);
    cli_html_grid_end(p);
}

static void bands(const cli_page *p, const json_t *list)
{
    size_t i, v;
    const json_t *column, *value;
    json_array_foreach(list, i, column)
    {
        const json_t *all = json_object_get(column, "bands"),
                     *any = json_array_size(all) ? json_array_get(all, 0) : json_object_get(column, "merged"),
                     *values_of = json_object_get(any, "values");
        if (!json_array_size(values_of))
            bands_of_value(p, column, NULL, 0);
        json_array_foreach(values_of, v, value) bands_of_value(p, column, value, v);
    }
}

/* Count, sum, mean and variance of each value column. */
static void values(const cli_page *p, const json_t *figures, enum cli_text caption)
{
    static const struct {
        const char *key;
        enum cli_text text;
    } rows[] = {{"sum", CLI_TEXT_F_SUM}, {"mean", CLI_TEXT_F_MEAN}, {"variance", CLI_TEXT_F_VARIANCE}};
    char number[32];
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(figures, "values"), i, value)
    {
        fputs("<table class=\"facts\">\n<caption>", p->out);
        cli_html_say(p, caption, cli_record_text(value, "column"), CLI_HTML_END);
        fputs("</caption>\n<tbody>\n", p->out);
        cli_html_row(p, CLI_TEXT_F_COUNT, count_of(figures, number));
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            const char *text = cli_record_text(value, rows[k].key);
            if (*text)
                cli_html_row(p, rows[k].text, text);
            else
                cli_html_row_text(p, rows[k].text, CLI_TEXT_NONE);
        }
        cli_html_table_end(p);
    }
}

/* One group by the bands of the side that adds up: as the whole, under a heading. */
static void group(const cli_page *p, const json_t *one, const char *column)
{
    char number[32];
    fputs("<h4>", p->out);
    cli_html_escape(p->out, column);
    cli_html_say(p, CLI_TEXT_COLON, CLI_HTML_END);
    say_band(p, one);
    fputs("</h4>\n", p->out);
    if (json_array_size(json_object_get(one, "values"))) {
        values(p, one, CLI_TEXT_F_VALUE);
    } else {
        cli_html_facts(p, CLI_TEXT_F_BAND);
        cli_html_row(p, CLI_TEXT_F_COUNT, count_of(one, number));
        cli_html_table_end(p);
    }
    bands(p, json_object_get(one, "bands"));
}

static void figures(const cli_page *p, const json_t *all)
{
    size_t i;
    const json_t *groups = json_object_get(all, "groups"), *merged = json_object_get(groups, "merged"), *one;
    values(p, all, CLI_TEXT_F_TOTAL);
    bands(p, json_object_get(all, "bands"));
    if (!groups)
        return;
    json_array_foreach(json_object_get(groups, "bands"), i, one)
        group(p, one, cli_record_text(groups, "column"));
    if (json_is_object(merged))
        group(p, merged, cli_record_text(groups, "column"));
}

const char *cli_report_count(const cli_page *p, char out[32])
{
    const json_t *all = json_object_get(p->r->end, "figures");
    long long matched;
    const char *count = json_is_object(all) ? count_of(all, out) : "";
    if (*count || !cli_record_number(p->r->end, "matched", &matched))
        return count;
    cli_record_grouped(out, matched);
    return out;
}

static void result(const cli_page *p)
{
    const cli_record *r = p->r;
    const json_t *all = json_object_get(r->end, "figures"),
                 *exceeded = json_object_get(r->end, "share_exceeded");
    char number[32];
    const char *count = cli_report_count(p, number);
    cli_html_heading3(p, CLI_TEXT_S_RESULT);
    if (!*count && !json_is_boolean(exceeded)) {
        cli_html_paragraph(p, r->state == CLI_RUN_DONE ? CLI_TEXT_RESULT_HIDDEN : CLI_TEXT_RESULT_NONE,
                           CLI_HTML_END);
        return;
    }
    cli_html_facts(p, CLI_TEXT_S_RESULT);
    if (*count)
        cli_html_row(p, CLI_TEXT_R_BOTH, count);
    else
        cli_html_row_text(p, CLI_TEXT_R_BOTH, CLI_TEXT_RESULT_HIDDEN);
    if (json_is_object(json_object_get(all, "noise")))
        cli_html_row_text(p, CLI_TEXT_R_WITH_NOISE, CLI_TEXT_YES);
    if (json_is_boolean(exceeded))
        cli_html_row_text(p, CLI_TEXT_R_SHARE, json_is_true(exceeded) ? CLI_TEXT_YES : CLI_TEXT_NO);
    cli_html_table_end(p);
    if (json_is_object(all))
        figures(p, all);
}

/* ---- Bytes and seconds ---- */

static void bytes(const cli_page *p)
{
    static const struct {
        const char *key;
        enum cli_text text;
    } phases[] = {{"greeting", CLI_TEXT_P_GREETING},
                  {"protocol", CLI_TEXT_P_PROTOCOL},
                  {"receipt", CLI_TEXT_P_RECEIPT},
                  {"total", CLI_TEXT_P_TOTAL}};
    const json_t *all = json_object_get(p->r->end, "bytes");
    if (!json_is_object(all))
        return;
    cli_html_grid(p, CLI_TEXT_C_BYTES, "", "");
    cli_html_head(p, CLI_TEXT_C_PHASE);
    cli_html_head_number(p, CLI_TEXT_C_SENT);
    cli_html_head_number(p, CLI_TEXT_C_RECEIVED);
    fputs("</tr>\n</thead>\n<tbody>\n", p->out);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const json_t *phase = json_object_get(all, phases[i].key);
        char sent[32] = "", received[32] = "";
        long long number;
        if (cli_record_number(phase, "sent", &number))
            cli_record_grouped(sent, number);
        if (cli_record_number(phase, "received", &number))
            cli_record_grouped(received, number);
        fputs("<tr><th scope=\"row\">", p->out);
        cli_html_say(p, phases[i].text, CLI_HTML_END);
        fputs("</th>", p->out);
        cli_html_cell(p, sent, 1);
        cli_html_cell(p, received, 1);
        fputs("</tr>\n", p->out);
    }
    cli_html_grid_end(p);
}

static void seconds(const cli_page *p)
{
    static const struct {
        const char *key;
        enum cli_text text;
    } phases[] = {{"reading", CLI_TEXT_P_READING},
                  {"waiting", CLI_TEXT_P_WAITING},
                  {"matching", CLI_TEXT_P_MATCHING},
                  {"writing", CLI_TEXT_P_WRITING}};
    const json_t *all = json_object_get(p->r->end, "seconds");
    if (!json_is_object(all))
        return;
    cli_html_grid(p, CLI_TEXT_C_TIME, "", "");
    cli_html_head(p, CLI_TEXT_C_PHASE);
    cli_html_head_number(p, CLI_TEXT_C_SECONDS);
    fputs("</tr>\n</thead>\n<tbody>\n", p->out);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const json_t *value = json_object_get(all, phases[i].key);
        char number[40] = "";
        if (json_is_number(value))
            snprintf(number, sizeof number, "%.3f", json_number_value(value));
        fputs("<tr><th scope=\"row\">", p->out);
        cli_html_say(p, phases[i].text, CLI_HTML_END);
        fputs("</th>", p->out);
        cli_html_cell(p, number, 1);
        fputs("</tr>\n", p->out);
    }
    cli_html_grid_end(p);
}

void cli_report_numbers(const cli_page *p)
{
    cli_html_section(p, "numbers", CLI_TEXT_S_NUMBERS);
    lists(p);
    result(p);
    cli_html_section_end(p);
    if (!json_is_object(json_object_get(p->r->end, "bytes")) &&
        !json_is_object(json_object_get(p->r->end, "seconds")))
        return;
    cli_html_section(p, "cost", CLI_TEXT_S_COST);
    bytes(p);
    seconds(p);
    cli_html_section_end(p);
}
