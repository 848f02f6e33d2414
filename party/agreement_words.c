/* SPDX-License-Identifier: Apache-2.0 */
/* An agreement in plain words: what each side would learn (the tables of README.md), and every limit. */
#include "party/agreement.h"

#include "party/error.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is said, and all that the sentences depend on. */
typedef struct words {
    const tally_agreement *a;
    int64_t function;
    size_t receiver, sender; /* parties */
    const char *name[2];     /* of the receiver, of the sender */
    int learns[2];           /* who is told the result: the receiver, the sender */
    int64_t minimum;
    int noise;
    json_t *told[2], *limits; /* what the receiver and the sender learn; limits */
    int local;                /* in the language that is shown */
    int failed;
} words;

enum { RECEIVER, SENDER };

static void say(words *w, json_t *list, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(words *w, json_t *list, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, w->local ? party_local(format) : format, args);
    va_end(args);
    size_t room = len < 0 ? 0 : (size_t)len * 2 + 1024;
    char *line = room ? malloc(room) : NULL;
    if (line)
        party_read_marks(line, room, w->local, text);
    for (char *p = line; p && *p; p++)
        if (*p == '\n')
            *p = ' ';
    w->failed |= !line || json_array_append_new(list, json_string(line));
    free(line);
    if (len >= 0)
        free(text);
}

/* "court, amount and case", to be freed; the column names of a list, or those of its entries whose `of` is
 * this side. */
static char *names_of(words *w, enum party_agreed_id list, enum party_agreed_id name, int side)
{
    char *text = NULL;
    size_t size, n = party_agreed_count(w->a, list, 0), left = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        w->failed = 1;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        left += side < 0 || party_agreed_number(w->a, AGREED_BAND_OF, i) == side;
    for (size_t i = 0, said = 0; i < n; i++) {
        if (side >= 0 && party_agreed_number(w->a, AGREED_BAND_OF, i) != side)
            continue;
        fprintf(out, "%s%s",
                !said              ? ""
                : said + 1 == left ? PARTY_WORD(" and ")
                                   : PARTY_WORD(", "),
                party_agreed_text(w->a, name, i));
        said++;
    }
    if (fclose(out)) {
        free(text);
        text = NULL;
        w->failed = 1;
    }
    return text;
}

/* ---- What each side learns ---- */

static void learns_match(words *w)
{
    char *columns = names_of(w, AGREED_COLUMNS, AGREED_COLUMN_NAME, -1);
    int some = columns && *columns;
    for (int s = 0; s < 2; s++)
        if (w->learns[s])
            say(w, w->told[s], "which identifiers of its own list are also on the list of %s", w->name[!s]);
    if (some) {
        int64_t rows = party_agreed_number(w->a, AGREED_ROWS_PER_PERSON, 0);
        say(w, w->told[RECEIVER],
            "for each of these, %s as the file of %s has %s, from at most %" PRId64 " %s", columns,
            w->name[SENDER],
            party_agreed_count(w->a, AGREED_COLUMNS, 0) > 1 ? PARTY_WORD("them") : PARTY_WORD("it"), rows,
            rows > 1 ? PARTY_WORD("rows") : PARTY_WORD("row"));
        if (w->minimum)
            say(w, w->limits,
                "With fewer than %" PRId64
                " identifiers on both lists %s cannot open the columns; it still learns "
                "which of its rows match.",
                w->minimum, w->name[RECEIVER]);
        say(w, w->told[SENDER], "which of the columns %s takes", w->name[RECEIVER]);
    }
    free(columns);
}

static void learns_count(words *w)
{
    /* With a minimum the side at risk counts, and releases. */
    for (int s = 0; s < 2; s++)
        if (w->learns[s] || w->minimum)
            say(w, w->told[s],
                w->noise ? "how many identifiers are on both lists, with noise on the number, and not which"
                         : "how many identifiers are on both lists, and not which");
}

static void learns_sum(words *w)
{
    int owner = (int)party_agreed_number(w->a, AGREED_VALUES_OF, 0), adder = !owner;
    char *values = names_of(w, AGREED_VALUES, AGREED_VALUE_NAME, -1),
         *own = names_of(w, AGREED_BANDS, AGREED_BAND_NAME, owner),
         *others = names_of(w, AGREED_BANDS, AGREED_BAND_NAME, adder);
    const char *noisy = w->noise ? PARTY_WORD(", with noise on every number") : "";
    for (int s = 0; values && own && others && s < 2; s++) {
        /* The side that adds up counts first; with a minimum the owner hears the count too. */
        if (s == adder || w->learns[s] || w->minimum)
            say(w, w->told[s],
                w->noise ? "how many identifiers are on both lists, with noise on the number, and not which"
                         : "how many identifiers are on both lists, and not which");
        if (w->learns[s]) {
            say(w, w->told[s], "sum, mean and variance of %s over them%s", values, noisy);
            if (*own || *others)
                say(w, w->told[s], "the number and the sum of %s in each band of %s%s%s%s", values, own,
                    *own && *others ? PARTY_WORD(" and ") : "", others,
                    w->minimum
                        ? PARTY_WORD("; bands with fewer identifiers than the minimum are shown together")
                        : "");
        }
        /* Whoever shows the owner's bands to the other hears or tells their sizes before any are merged. */
        if (*own && w->minimum && (s == adder) == w->learns[owner])
            say(w, w->told[s], "how many of them lie in each band of %s%s", own, noisy);
        if (*others && s == owner)
            say(w, w->told[s], "how many identifiers of the whole list of %s lie in each band of %s",
                w->name[adder], others);
    }
    free(values);
    free(own);
    free(others);
}

static void learns(words *w)
{
    if (w->function == TALLY_MATCH)
        learns_match(w);
    else if (w->function == TALLY_COUNT)
        learns_count(w);
    else
        learns_sum(w);
    for (int s = 0; s < 2; s++) {
        int nothing = json_array_size(w->told[s]) == 0;
        if (party_agreed_find(w->a, AGREED_MAX_SHARE, 0, 0))
            say(w, w->told[s], "whether more than %s of the list of %s are on both lists",
                party_agreed_text(w->a, AGREED_MAX_SHARE, 0), w->name[RECEIVER]);
        int64_t step = party_agreed_number(w->a, AGREED_PADDING, 0);
        if (step)
            say(w, w->told[s],
                "how many identifiers the list of %s has, rounded up to a multiple of %" PRId64, w->name[!s],
                step);
        else
            say(w, w->told[s], "how many identifiers the list of %s has", w->name[!s]);
        if (nothing)
            say(w, w->told[s], "nothing else");
    }
}

/* ---- Limits ---- */

static void limits_of_lists(words *w)
{
    const tally_agreement *a = w->a;
    for (size_t k = 0; k < party_agreed_count(a, AGREED_KEYS, 0); k++)
        say(w, w->limits,
            k ? "It also needs %s in the file of %s and %s in that of %s, read as %s."
              : "A person is identified by %s in the file of %s and %s in that of %s, read as %s.",
            party_agreed_text(a, AGREED_KEY_RECEIVER, k), w->name[RECEIVER],
            party_agreed_text(a, AGREED_KEY_SENDER, k), w->name[SENDER],
            party_agreed_text(a, AGREED_KEY_PROFILE, k));
    for (size_t p = 0; p < 2; p++)
        say(w, w->limits, "The list of %s has at most %s identifiers in a run.",
            tally_agreement_organisation(a, p), party_agreed_text(a, AGREED_MAX_LIST, p));
    for (size_t c = 0; c < party_agreed_count(a, AGREED_COLUMNS, 0); c++)
        say(w, w->limits, "A value of %s has at most %s bytes.", party_agreed_text(a, AGREED_COLUMN_NAME, c),
            party_agreed_text(a, AGREED_COLUMN_WIDTH, c));
    for (size_t v = 0; v < party_agreed_count(a, AGREED_VALUES, 0); v++)
        say(w, w->limits, "A value of %s is between %s and %s, with %s decimals; a row outside %s.",
            party_agreed_text(a, AGREED_VALUE_NAME, v), party_agreed_text(a, AGREED_VALUE_MIN, v),
            party_agreed_text(a, AGREED_VALUE_MAX, v), party_agreed_text(a, AGREED_VALUE_SCALE, v),
            w->noise ? PARTY_WORD("is taken as the nearest end") : PARTY_WORD("takes no part"));
    for (size_t b = 0; b < party_agreed_count(a, AGREED_BANDS, 0); b++) {
        char *edges = NULL;
        size_t used, n = party_agreed_count(a, AGREED_BAND_EDGES, b);
        FILE *all = open_memstream(&edges, &used);
        for (size_t e = 0; all && e < n; e++)
            fprintf(all, "%s%s", e ? ", " : "", party_agreed_find(a, AGREED_BAND_EDGES, b, e)->text);
        if (!all || fclose(all) || !edges) {
            free(edges);
            w->failed = 1;
            continue;
        }
        say(w, w->limits, "The bands of %s, a column of %s, have the edges %s.",
            party_agreed_text(a, AGREED_BAND_NAME, b), w->name[party_agreed_number(a, AGREED_BAND_OF, b)],
            edges);
        free(edges);
    }
    if (w->function == TALLY_SUM)
        say(w, w->limits, "Several rows of one person: %s.",
            (const char *[]){
                PARTY_WORD("their sum counts"), PARTY_WORD("the largest value counts"),
                PARTY_WORD("the list is refused")}[party_agreed_number(a, AGREED_DUPLICATES, 0)]);
    if (party_agreed_find(a, AGREED_CONSENT, 0, 0))
        say(w, w->limits,
            party_agreed_number(a, AGREED_CONSENT_RULE, 0)
                ? "A row of %s takes part only if its column %s names a consent."
                : "A row of %s takes part only until the day in its column %s, the last of the consent.",
            w->name[RECEIVER], party_agreed_text(a, AGREED_CONSENT_COLUMN, 0));
}

static void limits_of_answers(words *w)
{
    const tally_agreement *a = w->a;
    if (w->minimum && w->function != TALLY_MATCH)
        say(w, w->limits, "With fewer than %" PRId64 " identifiers on both lists nothing is answered.",
            w->minimum);
    else if (!w->minimum)
        say(w, w->limits, "No minimum overlap: the answer may be about one person.");
    if (w->noise)
        say(w, w->limits, "Noise with an epsilon of %s in each run; runs about the same persons add up.",
            party_agreed_text(a, AGREED_NOISE, 0));
    else if (w->function != TALLY_MATCH)
        say(w, w->limits,
            "Exact answers: two runs over lists that differ in one person tell about that person.");
    if (party_agreed_find(a, AGREED_MAX_SHARE, 0, 0))
        say(w, w->limits, "At most %s of the list of %s may be on both lists; more is reported to both.",
            party_agreed_text(a, AGREED_MAX_SHARE, 0), w->name[RECEIVER]);
    say(w, w->limits, "%s",
        party_agreed_number(a, AGREED_SECURITY, 0)
            ? "Protected against another side that deviates from the protocol (malicious)."
            : "Protected against another side that follows the protocol and is curious afterwards, not "
              "against one "
              "that runs another program (semi-honest).");
    if (party_agreed_number(a, AGREED_PROTOCOL, 0))
        say(w, w->limits, "The protocol is %s.", party_agreed_text(a, AGREED_PROTOCOL, 0));
    else
        say(w, w->limits, "The program chooses the protocol.");
    if (w->function == TALLY_SUM && party_agreed_number(a, AGREED_SCHEME, 0))
        say(w, w->limits, "Values are encrypted by %s.", party_agreed_text(a, AGREED_SCHEME, 0));
}

static void limits_of_runs(words *w)
{
    const tally_agreement *a = w->a;
    static const struct {
        enum party_agreed_id field;
        const char *none;
    } quotas[] = {{AGREED_RUNS_DAY, PARTY_TEXT("Any number of runs on one day.")},
                  {AGREED_RUNS_ALL, PARTY_TEXT("Any number of runs in all.")}};
    say(w, w->limits, "Runs may take place from %s to %s, both included, by the days of the time zone %s.",
        tally_agreement_valid_from(a), tally_agreement_valid_until(a),
        party_agreed_text(a, AGREED_TIME_ZONE, 0));
    for (size_t i = 0; i < 2; i++) {
        const char *n = party_agreed_text(a, quotas[i].field, 0);
        if (*n)
            say(w, w->limits,
                strcmp(n, "1") == 0 ? (i ? "At most %s run in all." : "At most %s run on one day.")
                                    : (i ? "At most %s runs in all." : "At most %s runs on one day."),
                n);
        else
            say(w, w->limits, PARTY_WHOLE, quotas[i].none);
    }
    if (party_agreed_find(a, AGREED_ROWS_DAY, 0, 0))
        say(w, w->limits, "%s asks about at most %s identifiers on one day, all its runs together.",
            w->name[RECEIVER], party_agreed_text(a, AGREED_ROWS_DAY, 0));
    else
        say(w, w->limits, "%s may ask about any number of identifiers on one day.", w->name[RECEIVER]);
    say(w, w->limits, "Purpose: %s", party_agreed_text(a, AGREED_PURPOSE, 0));
    say(w, w->limits, "Legal basis: %s", party_agreed_text(a, AGREED_LEGAL_BASIS, 0));
}

/* ---- Put together ---- */

static json_t *tell(const tally_agreement *a, int local)
{
    int64_t reveal = party_agreed_number(a, AGREED_REVEAL_TO, 0); /* receiver, sender, both */
    words w = {.a = a,
               .function = party_agreed_number(a, AGREED_FUNCTION, 0),
               .receiver = party_agreed_party(a, TALLY_RECEIVER),
               .sender = party_agreed_party(a, TALLY_SENDER),
               .learns = {reveal != 1, reveal != 0},
               .minimum = party_agreed_number(a, AGREED_MIN_OVERLAP, 0),
               .noise = party_agreed_number(a, AGREED_NOISE, 0) != 0,
               .told = {json_array(), json_array()},
               .limits = json_array(),
               .local = local};
    w.name[RECEIVER] = tally_agreement_organisation(a, w.receiver);
    w.name[SENDER] = tally_agreement_organisation(a, w.sender);
    learns(&w);
    limits_of_lists(&w);
    limits_of_answers(&w);
    limits_of_runs(&w);
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:[{s:s, s:s, s:o}, {s:s, s:s, s:o}], s:o}", "name",
        party_agreed_text(a, AGREED_NAME, 0), "function", party_agreed_text(a, AGREED_FUNCTION, 0), "digest",
        a->digest, "learns", "organisation", w.name[RECEIVER], "role", "receiver", "learns", w.told[RECEIVER],
        "organisation", w.name[SENDER], "role", "sender", "learns", w.told[SENDER], "limits", w.limits);
    if (w.failed) {
        json_decref(all);
        return NULL;
    }
    return all;
}

char *tally_agreement_learns_json(const tally_agreement *a)
{
    json_t *all = tell(a, 0);
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}

char *tally_agreement_learns(const tally_agreement *a)
{
    char *text = NULL;
    size_t size, i, k;
    json_t *all = tell(a, 1), *side, *line;
    FILE *out = all ? open_memstream(&text, &size) : NULL;
    if (!out) {
        json_decref(all);
        return NULL;
    }
    json_array_foreach(json_object_get(all, "learns"), i, side)
    {
        const char *of = json_string_value(json_object_get(side, "organisation"));
        fputs(i ? "\n" : "", out);
        fprintf(out, party_local(i ? "%s, the sender, learns\n" : "%s, the receiver, learns\n"), of);
        json_array_foreach(json_object_get(side, "learns"), k, line)
            fprintf(out, "  - %s\n", json_string_value(line));
    }
    fprintf(out, "\n%s\n", party_local("Limits"));
    json_array_foreach(json_object_get(all, "limits"), i, line)
        fprintf(out, "  - %s\n", json_string_value(line));
    json_decref(all);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}
