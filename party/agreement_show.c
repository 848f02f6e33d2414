/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of agreements for people and programs, each derived from the schema. No secret is in any of it. */
#include "party/agreement.h"

#include "party/error.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[] = {
    [TALLY_UNSIGNED] = "not signed", [TALLY_SIGNED] = "signed", [TALLY_SIGNATURE_BAD] = "does not fit"};

static int is_entry(enum party_agreed_id field)
{
    return party_agreed_fields[field].parent != AGREED_TOP &&
           party_agreed_fields[party_agreed_fields[field].parent].type == AGREED_LIST;
}

/* Entries that a field can be in: those of its list, else one. */
static size_t items_of(const tally_agreement *a, enum party_agreed_id field)
{
    return is_entry(field) ? party_agreed_count(a, party_agreed_fields[field].parent, 0) : 1;
}

/* The value as one line, to be freed: edges in brackets, line ends as blanks; NULL when memory is short. */
static char *one_line(const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    char *text = NULL;
    size_t size, edges = party_agreed_fields[field].type == AGREED_EDGES;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (edges)
        fputc('[', out);
    for (size_t i = 0; i < (edges ? party_agreed_count(a, field, item) : 1); i++) {
        const party_agreed *f = party_agreed_find(a, field, item, i);
        fprintf(out, "%s%s", i ? ", " : "", f && f->text ? f->text : "");
    }
    if (edges)
        fputc(']', out);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return text;
}

/* A stream's text once it is closed; NULL when memory was short. */
static char *finish(FILE *out, char **text, int failed)
{
    if (fclose(out) || failed) {
        free(*text);
        return NULL;
    }
    return *text;
}

char *tally_agreement_fields(const tally_agreement *a)
{
    char *text = NULL, path[96];
    size_t size;
    int failed = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (int f = 0; f < AGREED_FIELDS; f++) {
        enum party_agreed_id field = (enum party_agreed_id)f;
        if (is_entry(field)) /* shown with its list, entry after entry */
            continue;
        enum party_agreed_type type = party_agreed_fields[f].type;
        size_t entries = type == AGREED_LIST ? party_agreed_count(a, field, 0) : 1;
        for (size_t i = 0; i < entries; i++)
            for (int g = 0; g < AGREED_FIELDS; g++) {
                enum party_agreed_id inner = (enum party_agreed_id)g;
                const party_agreed *value = party_agreed_find(a, inner, i, 0);
                int here = type == AGREED_LIST ? party_agreed_fields[g].parent == field : g == f;
                if (!here || !value || !value->text)
                    continue;
                char *line = one_line(a, inner, i);
                party_agreed_path(path, sizeof path, inner, i);
                fprintf(out, "%s: %s%s\n", path, line ? line : "", value->given ? "" : "   (filled in)");
                failed |= !line;
                free(line);
            }
    }
    fprintf(out, "digest: %s\n", a->digest);
    for (size_t p = 0; p < PARTY_SIGNATURES; p++)
        fprintf(out, "signature of %s: %s\n", tally_agreement_organisation(a, p),
                states[a->signatures[p].state]);
    return finish(out, &text, failed);
}

/* ---- JSON ---- */

static json_t *value_json(const party_agreed *f)
{
    return party_agreed_fields[f->field].type == AGREED_INTEGER ? json_integer(f->number)
                                                                : json_string(f->text);
}

/* The fields of a group, of an entry, or on top. */
static json_t *fields_json(const tally_agreement *a, enum party_agreed_id parent, size_t item)
{
    json_t *object = json_object();
    int failed = !object;
    for (int f = 0; !failed && f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        const party_agreed *node = party_agreed_find(a, (enum party_agreed_id)f, item, 0);
        json_t *value;
        if (field->parent != parent || !node)
            continue;
        if (field->type == AGREED_GROUP) {
            value = fields_json(a, (enum party_agreed_id)f, 0);
        } else if (field->type == AGREED_LIST || field->type == AGREED_EDGES) {
            size_t n = party_agreed_count(a, (enum party_agreed_id)f, item);
            value = json_array();
            for (size_t i = 0; i < n; i++)
                failed |= json_array_append_new(
                    value, field->type == AGREED_LIST
                               ? fields_json(a, (enum party_agreed_id)f, i)
                               : value_json(party_agreed_find(a, (enum party_agreed_id)f, item, i)));
        } else {
            value = value_json(node);
        }
        failed |= json_object_set_new(object, field->name, value);
    }
    if (failed) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* Paths of what was filled in. */
static json_t *filled_json(const tally_agreement *a)
{
    char path[96];
    json_t *list = json_array();
    for (size_t i = 0; i < a->count; i++)
        if (!a->at[i].given) {
            party_agreed_path(path, sizeof path, a->at[i].field, a->at[i].item);
            json_array_append_new(list, json_string(path));
        }
    return list;
}

static json_t *signatures_json(const tally_agreement *a)
{
    json_t *list = json_array();
    for (size_t p = 0; p < PARTY_SIGNATURES; p++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "organisation", tally_agreement_organisation(a, p),
                                        "signing_key", party_agreed_text(a, AGREED_SIGNING_KEY, p), "state",
                                        states[a->signatures[p].state]));
    return list;
}

static char *dump(json_t *j)
{
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    return text;
}

char *tally_agreement_json(const tally_agreement *a)
{
    return dump(json_pack("{s:s, s:o, s:o, s:o}", "digest", a->digest, "fields",
                          fields_json(a, AGREED_TOP, 0), "filled_in", filled_json(a), "signatures",
                          signatures_json(a)));
}

/* ---- Differences ---- */

/* Parties are compared role by role, other entries by their place. */
static size_t place(const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    return party_agreed_fields[field].parent == AGREED_PARTIES
               ? party_agreed_party(a, item ? TALLY_SENDER : TALLY_RECEIVER)
               : item;
}

/* One field of both into the list; 0 when memory is short. */
static int compare(json_t *list, const tally_agreement *a, const tally_agreement *b,
                   enum party_agreed_id field, size_t item)
{
    char path[96];
    const party_agreed *in_a = party_agreed_find(a, field, place(a, field, item), 0),
                       *in_b = party_agreed_find(b, field, place(b, field, item), 0);
    char *text_a = one_line(a, field, place(a, field, item)),
         *text_b = one_line(b, field, place(b, field, item));
    int ok = text_a && text_b;
    if (ok && (!in_a != !in_b || strcmp(text_a, text_b) != 0)) {
        if (party_agreed_fields[field].parent == AGREED_PARTIES)
            snprintf(path, sizeof path, "parties[%s].%s", item ? "sender" : "receiver",
                     party_agreed_fields[field].name);
        else
            party_agreed_path(path, sizeof path, field, item);
        ok = json_array_append_new(list, json_pack("{s:s, s:s?, s:s?}", "field", path, "a",
                                                   in_a ? text_a : NULL, "b", in_b ? text_b : NULL)) == 0;
    }
    free(text_a);
    free(text_b);
    return ok;
}

static json_t *differences(const tally_agreement *a, const tally_agreement *b)
{
    json_t *list = json_array();
    int ok = list != NULL;
    for (int f = 0; ok && f < AGREED_FIELDS; f++) {
        enum party_agreed_id field = (enum party_agreed_id)f;
        size_t n = items_of(a, field), m = items_of(b, field);
        enum party_agreed_type type = party_agreed_fields[f].type;
        if (type == AGREED_LIST || type == AGREED_GROUP)
            continue;
        for (size_t i = 0; ok && i < (n > m ? n : m); i++)
            ok = compare(list, a, b, field, i);
    }
    if (!ok) {
        json_decref(list);
        list = NULL;
    }
    return list;
}

static char *differences_text(const json_t *list)
{
    char *text = NULL;
    size_t size, i;
    const json_t *entry;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    json_array_foreach(list, i, entry)
    {
        const char *in_a = json_string_value(json_object_get(entry, "a")),
                   *in_b = json_string_value(json_object_get(entry, "b"));
        fprintf(out, "%s: %s | %s\n", json_string_value(json_object_get(entry, "field")),
                in_a ? in_a : "(none)", in_b ? in_b : "(none)");
    }
    return finish(out, &text, 0);
}

tally_status tally_agreement_diff(const tally_agreement *a, const tally_agreement *b, int json, char **report,
                                  tally_error *error)
{
    json_t *list = differences(a, b);
    int same = json_array_size(list) == 0;
    char *text = NULL;
    if (list && json)
        text = dump(json_pack("{s:b, s:[s, s], s:O}", "same", same, "digests", a->digest, b->digest,
                              "differences", list));
    else if (list)
        text = differences_text(list);
    json_decref(list);
    if (!text)
        return party_no_memory(error, "the differences of two agreements");
    *report = text;
    return same ? TALLY_OK : TALLY_ERR_DIFFERS;
}

/* ---- The template ---- */

/* Text as comment lines of at most 78 characters behind an indent. */
static void comment(FILE *out, const char *indent, const char *text)
{
    size_t room = 76 - strlen(indent);
    while (*text) {
        size_t n = strlen(text);
        if (n > room) {
            n = room;
            while (n && text[n] != ' ')
                n--;
            n = n ? n : room;
        }
        fprintf(out, "%s# %.*s\n", indent, (int)n, text);
        text += n + (text[n] == ' ');
    }
}

/* What the field is, what it has to be, and what holds without it. */
static void explain(FILE *out, const char *indent, const party_agreed_field *f)
{
    char marked[600], form[256];
    party_agreed_form(f, marked, sizeof marked);
    party_read_marks(form, sizeof form, 0, marked);
    fputs(*indent ? "" : "\n", out);
    comment(out, indent, f->help);
    fprintf(out, "%s# (%s", indent, form);
    if (!f->required)
        fprintf(out, "; left out: %s", f->fallback ? f->fallback : f->leave);
    fputs(")\n", out);
}

/* The fields of an entry of a list, or of a group, behind an indent. mark: "" or "# ". */
static void template_inner(FILE *out, enum party_agreed_id parent, size_t item, const char *mark, int told)
{
    int list = party_agreed_fields[parent].type == AGREED_LIST, first = 1;
    for (int f = 0; f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        const char *example = field->example;
        if (field->parent != parent)
            continue;
        if (told && !*mark)
            explain(out, list ? "    " : "  ", field);
        if (f == AGREED_ROLE)
            example = field->words[item];
        int active = field->required || *mark || *example == '<';
        const char *dash = first && list ? "- " : list ? "  " : "";
        fprintf(out, "%s  %s%s%s: %s\n", mark, dash, active ? "" : "# ", field->name, example);
        first = 0;
    }
}

/* In a list that is commented out, what each field of an entry is. */
static void explain_inner(FILE *out, enum party_agreed_id parent)
{
    char marked[600], form[256], line[700];
    for (int f = 0; f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        if (field->parent != parent)
            continue;
        party_agreed_form(field, marked, sizeof marked);
        party_read_marks(form, sizeof form, 0, marked);
        snprintf(line, sizeof line, "[%s] %s (%s%s%s)", field->name, field->help, form,
                 field->required ? "" : "; left out: ",
                 field->required   ? ""
                 : field->fallback ? field->fallback
                                   : field->leave);
        comment(out, "", line);
    }
}

char *tally_agreement_template(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("# An agreement between two organisations, for Tally.\n"
          "# Fill in everything in <>, and take the # from before those optional fields that you want.\n"
          "# Put text in quotes if it holds a colon or begins with anything but a letter.\n"
          "# Then: tally agreement check FILE; send the file to the other side; and both:\n"
          "# tally agreement sign FILE --identity NAME. After that not one character may change.\n",
          out);
    for (int f = 0; f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        const char *mark = field->required ? "" : "# ";
        if (field->parent != AGREED_TOP)
            continue;
        explain(out, "", field);
        if (field->type != AGREED_LIST && field->type != AGREED_GROUP) {
            fprintf(out, "%s%s: %s\n", mark, field->name, field->example);
            continue;
        }
        if (*mark)
            explain_inner(out, (enum party_agreed_id)f);
        fprintf(out, "%s%s:\n", mark, field->name);
        for (size_t i = 0; i < (f == AGREED_PARTIES ? 2 : 1); i++)
            template_inner(out, (enum party_agreed_id)f, i, mark, i == 0);
    }
    return finish(out, &text, 0);
}
