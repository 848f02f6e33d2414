/* SPDX-License-Identifier: Apache-2.0 */
#include "party/check.h"

#include "party/agreement.h"
#include "party/consent.h"
#include "party/day.h"
#include "party/error.h"
#include "party/held.h"
#include "party/io.h"
#include "party/sizes.h"
#include "party/summary.h"
#include "psi/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAMPLE 20000u /* rows that a run looks at, and a check that proposes keys */
#define PROPOSED 80u  /* percent of the cells that are of a profile */

/* ---- Findings ---- */

typedef struct finds {
    party_finding *at;
    size_t count;
} finds;

static void add(finds *l, enum party_trap trap, enum party_weight weight, const party_surveyed *column,
                const party_lines *lines)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i].trap == trap && l->at[i].weight == weight && l->at[i].column == column) {
            party_lines_join(&l->at[i].lines, lines);
            return;
        }
    l->at[l->count++] = (party_finding){trap, weight, column, *lines};
}

/* What text that is not UTF-8 may be; -1: none of it was among the rows that were looked at. */
static int looks_like(const party_survey *survey)
{
    if (survey && party_survey_file(survey, PARTY_TRAP_IS_WESTERN)->count)
        return PARTY_TRAP_IS_WESTERN;
    return survey && party_survey_file(survey, PARTY_TRAP_IS_GB18030)->count ? PARTY_TRAP_IS_GB18030 : -1;
}

/* The rejects, each reason by its trap. */
static void find_rejects(finds *l, const tally_input *input, const party_survey *survey)
{
    const party_surveyed *column = survey && input->key_count == 1 ? party_survey_column(survey, 0) : NULL;
    for (int i = 0; i < PARTY_REJECT_COUNT; i++) {
        const party_lines *lines = &input->reject_lines[i];
        int trap = party_trap_of_reject(i);
        if (!lines->count)
            continue;
        if (i == PARTY_REJECT_ENCODING && input->format.encoding == PARTY_UTF8)
            trap = looks_like(survey);
        if (trap >= 0)
            add(l, (enum party_trap)trap, PARTY_REJECTED, i == PARTY_REJECT_COLUMNS ? NULL : column, lines);
    }
}

/* Without a header line the first row is on the first line, or on the one behind sep=. */
static void find_header(finds *l, const tally_input *input)
{
    uint32_t first = input->separator_line ? 2 : 1;
    const tally_input_stats *s = &input->stats;
    if (input->header || !input->path || s->accepted * 2 < s->rows || s->accepted < 2)
        return;
    for (int i = 0; i < PARTY_REJECT_COUNT; i++)
        if (!party_consent_reason(i) && input->reject_lines[i].count &&
            input->reject_lines[i].first[0] == first) {
            party_lines line = {1, {first}};
            add(l, PARTY_TRAP_HEADER_READ, PARTY_WARNED, NULL, &line);
        }
}

size_t party_findings(const tally_input *input, const party_survey *survey,
                      party_finding out[PARTY_FINDINGS_MAX])
{
    const tally_input_stats *s = &input->stats;
    const party_lines whole = {.count = 0};
    const party_surveyed *c;
    finds l = {out, 0};
    find_rejects(&l, input, survey);
    if (survey && input->format.encoding == PARTY_GB18030 &&
        party_survey_file(survey, PARTY_TRAP_IS_UTF8)->count)
        add(&l, PARTY_TRAP_IS_UTF8, PARTY_WARNED, NULL, &whole);
    find_header(&l, input);
    for (size_t k = 0; survey && input->key_count && (c = party_survey_column(survey, k)); k++)
        for (int t = 0; t < PARTY_TRAPS; t++) {
            int marks = t == PARTY_TRAP_APOSTROPHE || t == PARTY_TRAP_FORMULA;
            if (c->traps[t].count && (c->exact || !marks))
                add(&l, (enum party_trap)t, PARTY_WARNED, c, &c->traps[t]);
        }
    if (s->accepted >= 20 && s->items * 10 <= s->accepted)
        add(&l, PARTY_TRAP_DUPLICATES, PARTY_WARNED, NULL, &whole);
    for (size_t k = 0; survey && input->key_count && (c = party_survey_column(survey, k)); k++)
        for (int t = PARTY_TRAP_APOSTROPHE; t <= PARTY_TRAP_FORMULA; t++)
            if (c->traps[t].count && !c->exact)
                add(&l, (enum party_trap)t, PARTY_HANDLED, c, &c->traps[t]);
    if (input->separator_line) {
        party_lines line = {1, {1}};
        add(&l, PARTY_TRAP_SEPARATOR_LINE, PARTY_HANDLED, NULL, &line);
    }
    return l.count;
}

/* ---- JSON ---- */

static json_t *lines_json(const party_lines *lines)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PARTY_LINES && i < lines->count; i++)
        json_array_append_new(list, json_integer(lines->first[i]));
    return list;
}

static json_t *rejects_json(const tally_input *input)
{
    json_t *all = json_array();
    for (int i = 0; i < PARTY_REJECT_COUNT; i++)
        if (input->stats.by_reason[i])
            json_array_append_new(all, json_pack("{s:s, s:I, s:o}", "reason", party_reject_name(i), "rows",
                                                 (json_int_t)input->stats.by_reason[i], "lines",
                                                 lines_json(&input->reject_lines[i])));
    return all;
}

static json_t *findings_json(const tally_input *input, const party_survey *survey)
{
    party_finding found[PARTY_FINDINGS_MAX];
    size_t count = party_findings(input, survey, found);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        const party_finding *f = &found[i];
        tally_error e = {0};
        party_trap_say(f->trap, f->column && f->column->exact, &e);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s?, s:I, s:o, s:s, s:s}", "trap",
                                             party_trap_name(f->trap), "weight", party_weight_name(f->weight),
                                             "column", f->column ? f->column->name : NULL, "rows",
                                             (json_int_t)f->lines.count, "lines", lines_json(&f->lines),
                                             "message", e.message, "hint", e.hint));
    }
    return all;
}

/* Pairs of a length in characters and how many cells have it. */
static json_t *lengths_json(const party_surveyed *c)
{
    json_t *all = json_array();
    for (size_t n = 0; n < PARTY_SURVEY_LENGTHS; n++)
        if (c->lengths[n])
            json_array_append_new(all, json_pack("[I, I]", (json_int_t)n, (json_int_t)c->lengths[n]));
    return all;
}

static json_t *columns_json(const tally_input *input, const party_survey *survey)
{
    json_t *all = json_array();
    const party_surveyed *c;
    for (size_t k = 0; input->key_count && (c = party_survey_column(survey, k)); k++)
        json_array_append_new(
            all, json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:o}", "column", c->name, "number",
                           (json_int_t)c->column + 1, "profile", party_input_key_profile(input, k), "rows",
                           (json_int_t)c->rows, "empty", (json_int_t)c->empty, "valid", (json_int_t)c->valid,
                           "distinct", (json_int_t)c->distinct, "lengths", lengths_json(c)));
    return all;
}

/* Columns that could be keys: of a profile of numbers, by how many cells are valid. */
static json_t *proposals_json(const tally_input *input, const party_survey *survey)
{
    json_t *all = json_array();
    const party_surveyed *c;
    for (size_t k = 0; !input->key_count && (c = party_survey_column(survey, k)); k++)
        for (size_t i = 0; i < PARTY_GUESSES; i++) {
            uint64_t filled = c->rows - c->empty;
            if (!filled || c->guess[i] * 100 < filled * PROPOSED)
                continue;
            json_array_append_new(all,
                                  json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "column", c->name, "number",
                                            (json_int_t)c->column + 1, "profile", party_survey_guess(i),
                                            "rows", (json_int_t)c->rows, "valid", (json_int_t)c->guess[i],
                                            "distinct", (json_int_t)c->distinct));
            break;
        }
    return all;
}

/* How many identifiers several rows have, the most rows of one, and the lines of further rows. */
static tally_status duplicates_json(const tally_input *input, json_t **out, tally_error *error)
{
    size_t rows, items;
    const party_row *row = party_input_rows(input, &rows);
    party_input_items(input, &items);
    party_lines lines = {.count = 0};
    uint64_t repeated = 0;
    uint32_t largest = rows ? 1 : 0;
    uint32_t *seen = psi_calloc(items ? items : 1, sizeof *seen);
    if (!seen)
        return party_no_memory(error, "counting duplicates");
    for (size_t r = 0; r < rows; r++) {
        uint32_t n = ++seen[row[r].item];
        repeated += n == 2;
        largest = n > largest ? n : largest;
        if (n > 1)
            party_lines_add(&lines, row[r].line);
    }
    psi_free(seen);
    *out = json_pack("{s:I, s:I, s:I, s:o}", "rows", (json_int_t)lines.count, "identifiers",
                     (json_int_t)repeated, "most_rows", (json_int_t)largest, "lines", lines_json(&lines));
    return TALLY_OK;
}

/* Bytes that a match sends with another list of the same size. */
static tally_status bytes_sent(uint64_t items, uint64_t out[2], tally_error *error)
{
    const char *why;
    wire_terms terms[2] = {{.role = "receiver"}, {.role = "sender"}};
    party_sizes sizes = {.function = TALLY_MATCH,
                         .protocol = party_choose(TALLY_AUTO, TALLY_MATCH, 0, items, items, &why),
                         .k = party_vole_k(0.01),
                         .items = {items, items}};
    for (int i = 0; i < 2; i++)
        party_terms_words(&terms[i], TALLY_MATCH, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER,
                          TALLY_SCHEME_AUTO);
    tally_status st = party_sizes_init(&sizes, terms, error);
    for (unsigned i = 0; !st && i < 2; i++)
        out[i] = party_sizes_to(&sizes, !i);
    party_sizes_free(&sizes);
    return st;
}

static tally_status sent_json(const tally_input *input, json_t **out, tally_error *error)
{
    uint64_t items = input->stats.items, told = items, bytes[2] = {0};
    if (input->padding)
        told = items ? (items + input->padding - 1) / input->padding * input->padding : input->padding;
    tally_status st = bytes_sent(told, bytes, error);
    if (!st)
        *out = json_pack("{s:I, s:I, s:I, s:{s:I, s:I}}", "identifiers", (json_int_t)items, "padded_to",
                         (json_int_t)told, "padding_step", (json_int_t)input->padding, "match_bytes",
                         "receiver", (json_int_t)bytes[0], "sender", (json_int_t)bytes[1]);
    return st;
}

static json_t *format_json(const tally_input *input, const party_survey *survey)
{
    char delimiter[2] = {party_survey_delimiter(survey), 0};
    return json_pack("{s:s, s:s, s:b, s:I}", "encoding",
                     input->format.encoding == PARTY_UTF8 ? "utf-8" : "gb18030", "delimiter", delimiter,
                     "header", input->header, "columns", (json_int_t)input->columns);
}

/* outcome: of loading. */
static tally_status report(tally_input *input, const party_survey *survey, const tally_error *outcome,
                           char **out, tally_error *error)
{
    const tally_input_stats *s = &input->stats;
    json_t *duplicates = NULL, *sent = NULL;
    char name[PARTY_PATH_SHOWN];
    tally_status st = TALLY_OK;
    party_input_name(input, name, sizeof name);
    if (input->loaded)
        st = duplicates_json(input, &duplicates, error);
    if (!st && input->loaded)
        st = sent_json(input, &sent, error);
    json_t *all = st ? NULL
                     : json_pack("{s:s, s:b, s:i, s:s, s:s, s:o}", "file", name, "usable",
                                 input->key_count && !outcome->status, "exit_status",
                                 tally_exit_status(outcome->status), "message", outcome->message, "hint",
                                 outcome->hint, "format", format_json(input, survey));
    json_t *counts =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o?, s:o, s:o, s:o, s:o?}", "rows",
                  (json_int_t)(input->key_count ? s->rows : party_survey_rows(survey)), "accepted",
                  (json_int_t)s->accepted, "rejected", (json_int_t)s->rejected, "without_consent",
                  (json_int_t)s->without_consent, "clipped", (json_int_t)s->clipped, "identifiers",
                  (json_int_t)s->items, "rejects", rejects_json(input), "duplicates", duplicates, "keys",
                  columns_json(input, survey), "proposals", proposals_json(input, survey), "findings",
                  findings_json(input, survey), "sent", sent);
    if (!st && all && counts)
        json_object_update(all, counts);
    else if (!counts) {
        json_decref(all);
        all = NULL;
    }
    json_decref(counts);
    if (st) {
        json_decref(all);
        return st;
    }
    *out = party_json_text(all);
    return *out ? TALLY_OK : party_no_memory(error, "the report on the list");
}

tally_status tally_input_check_json(tally_input *input, char **out, tally_error *error)
{
    party_survey *survey = NULL;
    tally_error outcome = {.status = TALLY_OK}, ignored;
    *out = NULL;
    if (input->loaded || !input->path)
        return party_fail(error, TALLY_ERR_USAGE, "a list is checked before it is loaded, and from a file");
    tally_status st = party_survey_new(&survey, input, input->key_count ? 0 : SAMPLE, NULL, &outcome);
    /* What a run would say comes from loading. */
    if (tally_exit_status(st) == -TALLY_ERR_NO_MEMORY) {
        if (error)
            *error = outcome;
        party_survey_free(survey);
        return st;
    }
    if (input->key_count)
        st = tally_input_load(input, &outcome);
    if (!st && input->most)
        st = party_hold_size(input->stats.items, input->most, &outcome);
    if (tally_exit_status(st) != -TALLY_ERR_NO_MEMORY) {
        tally_status made = report(input, survey, &outcome, out, &ignored);
        if (made) {
            outcome = ignored;
            st = made;
        }
    }
    party_survey_free(survey);
    if (st && error)
        *error = outcome;
    return st;
}

/* ---- An agreement ---- */

static tally_status take_keys(tally_input *input, const tally_input *agreed, tally_error *error)
{
    tally_status st = TALLY_OK;
    for (size_t k = 0; !st && k < agreed->key_count; k++) {
        char profile[40];
        const party_key *key = &agreed->keys[k];
        snprintf(profile, sizeof profile, "%s%s%s", party_profile_name(key->profile),
                 *key->parameter ? "+" : "", key->parameter);
        st = tally_input_add_key(input, key->column, profile, error);
    }
    return st;
}

static tally_status take_numbers(tally_input *input, const tally_input *agreed, tally_error *error)
{
    size_t values = input->value_count ? 0 : agreed->value_count,
           bands = input->band_count ? 0 : agreed->band_count;
    tally_status st = TALLY_OK;
    for (size_t i = 0; !st && i < values; i++) {
        const party_value *v = &agreed->values[i];
        st = tally_input_add_value(input, v->column, v->min, v->max, v->scale, error);
    }
    for (size_t i = 0; !st && i < bands; i++) {
        const party_band *b = &agreed->bands[i];
        st = tally_input_add_band(input, b->column, b->edges, b->count, b->scale, error);
    }
    return st;
}

static tally_status take_consent(tally_input *input, const tally_agreement *a, tally_error *error)
{
    uint32_t today;
    tally_status st =
        party_day_in_zone(party_agreed_text(a, AGREED_TIME_ZONE, 0), (int64_t)time(NULL), &today, error);
    return st ? st
              : party_input_set_consent(input, party_agreed_text(a, AGREED_CONSENT_COLUMN, 0),
                                        (int)party_agreed_number(a, AGREED_CONSENT_RULE, 0), today, error);
}

tally_status tally_input_set_agreement(tally_input *input, const tally_agreement *agreement,
                                       enum tally_role role, tally_error *error)
{
    tally_session *session = NULL;
    tally_input *agreed = NULL;
    if (role != TALLY_RECEIVER && role != TALLY_SENDER)
        return party_fail(error, TALLY_ERR_USAGE, "no role was set: receiver or sender");
    tally_status st = party_agreed_settings(agreement, role, &session, &agreed, error);
    if (!st && !input->key_count)
        st = take_keys(input, agreed, error);
    if (!st)
        st = take_numbers(input, agreed, error);
    if (!st && role == TALLY_RECEIVER && party_agreed_find(agreement, AGREED_CONSENT, 0, 0))
        st = take_consent(input, agreement, error);
    if (!st && !input->duplicates_given)
        tally_input_set_duplicates(input, agreed->duplicates);
    if (!st) {
        tally_input_set_clip(input, agreed->clip);
        input->padding = (uint64_t)party_agreed_number(agreement, AGREED_PADDING, 0);
        size_t own = (party_agreed_number(agreement, AGREED_ROLE, 1) != 0) == (role == TALLY_SENDER);
        input->most = (uint64_t)party_agreed_number(agreement, AGREED_MAX_LIST, own);
    }
    tally_session_free(session);
    tally_input_free(agreed);
    return st;
}

/* ---- Warnings of a run ---- */

/* Where it is, what it is, what to do. */
static void warn(const tally_session *s, const party_finding *f, int sampled)
{
    char lines[PARTY_LINES_TEXT];
    tally_error e = {0};
    int level = f->weight == PARTY_HANDLED ? 1 : 0;
    unsigned long long rows = f->lines.count;
    party_lines_text(lines, &f->lines);
    party_trap_say(f->trap, f->column && f->column->exact, &e);
    if (!rows)
        party_log(s, level, "the list: %s; %s", party_message_of(&e), party_hint_of(&e));
    else if (!f->lines.first[0])
        party_log(s, level, "column \"%s\": %s; %s", f->column ? f->column->name : "", party_message_of(&e),
                  party_hint_of(&e));
    else if (!f->column)
        party_log(s, level, "line %s (%llu in all): %s; %s", lines, rows, party_message_of(&e),
                  party_hint_of(&e));
    else if (sampled && f->weight != PARTY_REJECTED)
        party_log(s, level, "column \"%s\", line %s (%llu among the first %u rows): %s; %s", f->column->name,
                  lines, rows, SAMPLE, party_message_of(&e), party_hint_of(&e));
    else
        party_log(s, level, "column \"%s\", line %s (%llu in all): %s; %s", f->column->name, lines, rows,
                  party_message_of(&e), party_hint_of(&e));
}

/* Whether a finding speaks of the rejects of one reason, and of no other. */
static int said_by(const party_finding *found, size_t count, int reason)
{
    int trap = party_trap_of_reject(reason);
    for (size_t i = 0; i < count; i++) {
        int t = (int)found[i].trap;
        if (found[i].weight == PARTY_REJECTED && t != PARTY_TRAP_KIND &&
            (t == trap ||
             (reason == PARTY_REJECT_ENCODING && (t == PARTY_TRAP_IS_GB18030 || t == PARTY_TRAP_IS_WESTERN))))
            return 1;
    }
    return 0;
}

/* The rejects of each reason; in full only with -v where a warning follows that says it better. */
static void log_rejects(tally_session *s, const party_finding *found, size_t count, int many)
{
    const tally_input_stats *stats = &s->input->stats;
    for (int i = 0; i < PARTY_REJECT_COUNT; i++)
        if (stats->by_reason[i])
            party_log(s,
                      !many                      ? 1
                      : said_by(found, count, i) ? 2
                                                 : 0,
                      "rejected %llu rows: %s, first at line %llu", (unsigned long long)stats->by_reason[i],
                      party_word(party_reject_name(i)), (unsigned long long)stats->first_line[i]);
}

tally_status party_warn_list(tally_session *s, tally_error *error)
{
    party_survey *survey = NULL;
    party_finding found[PARTY_FINDINGS_MAX];
    const tally_input_stats *stats = &s->input->stats;
    tally_status st = TALLY_OK;
    if (s->input->path)
        st = party_survey_new(&survey, s->input, SAMPLE, &s->cancel, error);
    size_t count = st || !survey ? 0 : party_findings(s->input, survey, found);
    int many = (stats->rejected - stats->without_consent) * 100 > stats->rows;
    log_rejects(s, found, count, many);
    for (size_t i = 0; i < count; i++)
        if (many || found[i].weight != PARTY_REJECTED)
            warn(s, &found[i], stats->rows > SAMPLE);
    party_survey_free(survey);
    return st;
}

void party_warn_result(const tally_session *s)
{
    tally_result r;
    tally_session_get_result(s, &r);
    if (!r.own_items || !r.peer_items || r.matched_items || s->epsilon_micro ||
        !(r.learns_matches || r.learns_figures))
        return;
    party_log(
        s, 0,
        "no identifier is on both lists. If that cannot be, compare with the other side: do both keys "
        "name the column with the identifier, with the same profile; is one of the lists read in the "
        "wrong encoding; does one of them hold other people, or test data? tally check shows what is in "
        "a list");
}
