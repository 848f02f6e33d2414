/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file -> fields, by libyaml's events. Nothing of YAML is taken that two programs could read differently,
 * or that hides what is signed: no anchors, aliases, tags, merge keys, second documents, control characters.
 */
#include "party/agreement.h"

#include "party/error.h"
#include "party/run.h"
#include "psi/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>
#include <yaml.h>

#define NODES_MAX 1024u /* of what the schema allows: 2 * 9 + 8 * 4 + 32 * 3 + 16 * 5 + 5 * 36 + 30 */

tally_status party_agreed_fail(const tally_agreement *a, uint32_t line, const char *path, tally_error *error,
                               const char *format, ...)
{
    char text[1000];
    va_list args;
    va_start(args, format);
    party_both_of(text, sizeof text, format, args);
    va_end(args);
    return party_fail(error, TALLY_ERR_INPUT, "%s:%u: %s%s%s", a->path, line, path, *path ? ": " : "",
                      party_word(text));
}

/* ---- The bytes ---- */

/* UTF-8 without marks that end lines, hide or reorder text: what is seen is what is signed. */
static tally_status check_bytes(const tally_agreement *a, tally_error *error)
{
    uint32_t line = 1;
    for (size_t at = 0; at < a->len;) {
        utf8proc_int32_t c;
        ptrdiff_t n = utf8proc_iterate((const utf8proc_uint8_t *)a->bytes + at, (ptrdiff_t)(a->len - at), &c);
        if (n <= 0) {
            party_agreed_fail(a, line, "", error, "not UTF-8 at byte %zu", at + 1);
            party_hint(error, "save the file in the encoding UTF-8");
            return TALLY_ERR_INPUT;
        }
        if (party_agreed_hidden(c) && c != '\n' && c != '\t') {
            party_agreed_fail(a, line, "", error,
                              "the character U+%04X, which cannot be seen or hides others", (unsigned)c);
            party_hint(error, PARTY_WHOLE,
                       c == 0xfeff && at == 0 ? "save the file as UTF-8 without byte order mark"
                                              : "take it out: what is signed has to be what is read");
            return TALLY_ERR_INPUT;
        }
        line += c == '\n';
        at += (size_t)n;
    }
    return TALLY_OK;
}

/* ---- Nodes ---- */

typedef struct reader {
    tally_agreement *a;
    yaml_parser_t yaml;
    yaml_event_t event;
    int held;        /* event is to be deleted */
    char path[96];   /* of the field being read */
    char open[200];  /* fields that are still to be filled in */
    uint32_t opened; /* line of the first of them; 0: none */
    unsigned more;   /* of them that did not fit */
    size_t seen, at; /* characters of the text, and the bytes they take: how far cut_short has looked */
    tally_error *error;
} reader;

static tally_status add(reader *r, enum party_agreed_id field, size_t item, size_t sub, uint32_t line,
                        int given, party_agreed **out)
{
    void *list = r->a->at;
    if (r->a->count == NODES_MAX || !party_grow(&list, &r->a->room, r->a->count + 1, sizeof *r->a->at))
        return party_no_memory(r->error, "an agreement");
    r->a->at = list;
    *out = &r->a->at[r->a->count++];
    **out = (party_agreed){
        .field = field, .item = (uint32_t)item, .sub = (uint32_t)sub, .line = line, .given = given};
    return TALLY_OK;
}

static tally_status set_text(reader *r, party_agreed *node, const char *text, size_t len)
{
    node->text = psi_calloc(len + TALLY_FINGERPRINT_TEXT, 1); /* room to write a fingerprint anew */
    if (!node->text)
        return party_no_memory(r->error, "an agreement");
    if (len)
        memcpy(node->text, text, len);
    return TALLY_OK;
}

/* ---- Events ---- */

static uint32_t line_of(const reader *r)
{
    return (uint32_t)r->event.start_mark.line + 1;
}

static tally_status refuse(reader *r, uint32_t line, const char *what, const char *hint)
{
    party_agreed_fail(r->a, line, r->path, r->error, PARTY_WHOLE, what);
    party_hint(r->error, PARTY_WHOLE, hint);
    return TALLY_ERR_INPUT;
}

/* The next event, with what no event here may have refused. */
static tally_status next(reader *r)
{
    if (r->held)
        yaml_event_delete(&r->event);
    r->held = 0;
    if (!yaml_parser_parse(&r->yaml, &r->event)) {
        char what[600];
        uint32_t line = (uint32_t)r->yaml.problem_mark.line + 1;
        if (r->yaml.error == YAML_MEMORY_ERROR)
            return party_no_memory(r->error, "an agreement");
        party_both(what, sizeof what, "not YAML: %s%s%s", r->yaml.problem ? r->yaml.problem : "unreadable",
                   r->yaml.context ? ", " : "", r->yaml.context ? r->yaml.context : "");
        return refuse(
            r, line, what,
            "look at colons, dashes, quotes and how far lines are indented here and just above; tabs "
            "do not indent");
    }
    r->held = 1;
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (e->type == YAML_ALIAS_EVENT || anchor)
        return refuse(r, line_of(r), "anchors (&) and aliases (*) are not allowed",
                      "write the text out where it belongs; text that begins with & or * goes in quotes");
    if (tag)
        return refuse(r, line_of(r), "tags (!) are not allowed",
                      "leave it out; text that begins with ! goes in quotes");
    return TALLY_OK;
}

/* ---- Fields ---- */

static int is_scalar(const reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT;
}

/* "<...>": left by the template. */
static int is_open(const char *text, size_t len)
{
    return len >= 2 && text[0] == '<' && text[len - 1] == '>';
}

/* Notes a field that is missing or still to be filled in. */
static void note_open(reader *r, const char *path, uint32_t line)
{
    size_t used = strlen(r->open);
    if (!r->opened)
        r->opened = line;
    if (used + strlen(path) + 24 > sizeof r->open)
        r->more++;
    else
        snprintf(r->open + used, sizeof r->open - used, "%s%s (line %u)", used ? ", " : "", path, line);
}

/* 1 if a comment follows the scalar on its line: " # ..." may have been meant as text. */
static int cut_short(reader *r)
{
    const char *text = r->a->bytes;
    while (r->seen < r->event.end_mark.index && r->at < r->a->len) {
        r->at++;
        while (((unsigned char)text[r->at] & 0xc0) == 0x80) /* the rest of a character of UTF-8 */
            r->at++;
        r->seen++;
    }
    return text[r->at + strspn(text + r->at, " \t")] == '#';
}

static tally_status take_scalar(reader *r, enum party_agreed_id field, size_t item, size_t sub)
{
    const party_agreed_field *f = &party_agreed_fields[field];
    const char *text = (const char *)r->event.data.scalar.value;
    size_t len = r->event.data.scalar.length;
    party_agreed *node = NULL;
    tally_status st = add(r, field, item, sub, line_of(r), 1, &node);
    if (!st)
        st = set_text(r, node, text, len);
    if (st)
        return st;
    if (is_open(text, len)) {
        note_open(r, r->path, node->line);
        return TALLY_OK;
    }
    int plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
        is_text = f->type == AGREED_TEXT || f->type == AGREED_PROSE || f->type == AGREED_COLUMN;
    if (plain && is_text && cut_short(r))
        return refuse(r, (uint32_t)r->event.end_mark.line + 1,
                      "the text is followed by a comment, from its # on",
                      "put the text in quotes if the # belongs to it, or the comment on a line of its own");
    return party_agreed_value(r->a, f, r->path, node->line, node->text, len, plain, &node->number, r->error);
}

static tally_status wrong_kind(reader *r, enum party_agreed_id field)
{
    char form[600], what[1000];
    party_agreed_form(&party_agreed_fields[field], form, sizeof form);
    party_both(what, sizeof what, "has to be %s", form);
    return refuse(r, line_of(r), what, "tally agreement init shows how it is written");
}

static tally_status take_map(reader *r, enum party_agreed_id parent, size_t item, uint32_t line);

static tally_status take_list(reader *r, enum party_agreed_id field, size_t item)
{
    const party_agreed_field *f = &party_agreed_fields[field];
    int edges = f->type == AGREED_EDGES;
    uint32_t line = line_of(r);
    char path[96];
    memcpy(path, r->path, sizeof path);
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return wrong_kind(r, field);
    size_t n = 0;
    for (;; n++) {
        memcpy(r->path, path, sizeof path);
        tally_status st = next(r);
        if (st)
            return st;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        snprintf(r->path, sizeof r->path, "%.80s[%zu]", path, n + 1);
        if (n == f->max)
            return wrong_kind(r, field);
        if (edges ? !is_scalar(r) : r->event.type != YAML_MAPPING_START_EVENT)
            return refuse(r, line_of(r), edges ? "has to be a number" : "has to be a group of fields",
                          "tally agreement init shows how it is written");
        party_agreed *node = NULL;
        uint32_t at = line_of(r);
        if (edges)
            st = take_scalar(r, field, item, n);
        else
            st = add(r, field, n, 0, at, 1, &node);
        if (!st && !edges)
            st = take_map(r, field, n, at);
        if (st)
            return st;
    }
    if (n < f->min) {
        char form[600], what[1000];
        party_agreed_form(f, form, sizeof form);
        party_both(what, sizeof what, "has to be %s, not %zu", form, n);
        return refuse(r, line, what, "add what is missing, or leave the field out if it may be");
    }
    return TALLY_OK;
}

static tally_status unknown(reader *r, enum party_agreed_id parent, const char *name)
{
    char shown[64], names[330] = "";
    size_t used = 0;
    party_printable(shown, sizeof shown, name);
    for (int f = 0; f < AGREED_FIELDS; f++)
        if (party_agreed_fields[f].parent == parent && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     party_agreed_fields[f].name);
    party_agreed_fail(r->a, line_of(r), r->path, r->error, "unknown field \"%s\"", shown);
    if (parent == AGREED_TOP)
        party_hint(r->error, "fields here: %s", names);
    else
        party_hint(r->error, "it has: %s", names);
    return TALLY_ERR_INPUT;
}

/* The field that the event names; AGREED_FIELDS with *st when there is none. */
static enum party_agreed_id take_name(reader *r, enum party_agreed_id parent, size_t item, tally_status *st)
{
    if (!is_scalar(r)) {
        *st = refuse(r, line_of(r), "a field has to begin with its name and a colon",
                     "tally agreement init shows how an agreement is written");
        return AGREED_FIELDS;
    }
    const char *name = (const char *)r->event.data.scalar.value;
    if (strcmp(name, "<<") == 0) {
        *st = refuse(r, line_of(r), "merge keys (<<) are not allowed", "write the fields out");
        return AGREED_FIELDS;
    }
    for (int f = 0; f < AGREED_FIELDS; f++) {
        if (party_agreed_fields[f].parent != parent || strcmp(party_agreed_fields[f].name, name) != 0 ||
            strlen(name) != r->event.data.scalar.length)
            continue;
        party_agreed_path(r->path, sizeof r->path, (enum party_agreed_id)f, item);
        const party_agreed *had = party_agreed_find(r->a, (enum party_agreed_id)f, 0, 0);
        int by_item = parent != AGREED_TOP && party_agreed_fields[parent].type == AGREED_LIST;
        if (by_item)
            had = party_agreed_find(r->a, (enum party_agreed_id)f, item, 0);
        if (had) {
            char what[64];
            party_both(what, sizeof what, "is given twice, first on line %u", had->line);
            *st = refuse(r, line_of(r), what, "leave one of them out");
            return AGREED_FIELDS;
        }
        return (enum party_agreed_id)f;
    }
    *st = unknown(r, parent, name);
    return AGREED_FIELDS;
}

/* 1 if a field that was left out has its fallback: it may stand with this function, and has a use. */
static int applies(const tally_agreement *a, int f)
{
    if (f == AGREED_ROWS_PER_PERSON && !party_agreed_find(a, AGREED_COLUMNS, 0, 0))
        return 0;
    return party_agreed_fields[f].parent != AGREED_TOP ||
           (party_agreed_fields[f].functions >> party_agreed_number(a, AGREED_FUNCTION, 0) & 1);
}

/* What was left out of a group or entry that begins on this line. */
static tally_status fill_in(reader *r, enum party_agreed_id parent, size_t item, uint32_t line)
{
    tally_status st = TALLY_OK;
    for (int f = 0; !st && f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        party_agreed *node = NULL;
        if (field->parent != parent || party_agreed_find(r->a, (enum party_agreed_id)f, item, 0))
            continue;
        party_agreed_path(r->path, sizeof r->path, (enum party_agreed_id)f, item);
        if (field->required)
            note_open(r, r->path, line);
        if (!field->fallback || !applies(r->a, f))
            continue;
        size_t len = strlen(field->fallback);
        st = add(r, (enum party_agreed_id)f, item, 0, line, 0, &node);
        if (!st)
            st = set_text(r, node, field->fallback, len);
        if (!st)
            st = party_agreed_value(r->a, field, r->path, line, node->text, len, 1, &node->number, r->error);
    }
    return st;
}

/* A mapping whose start was the event, to its end. Depth: the schema's, three at most. */
static tally_status take_map(reader *r, enum party_agreed_id parent, size_t item, uint32_t line)
{
    char path[96];
    memcpy(path, r->path, sizeof path);
    for (;;) {
        memcpy(r->path, path, sizeof path);
        tally_status st = next(r);
        if (st)
            return st;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        enum party_agreed_id field = take_name(r, parent, item, &st);
        if (field == AGREED_FIELDS)
            return st;
        const party_agreed_field *f = &party_agreed_fields[field];
        party_agreed *node = NULL;
        st = next(r);
        if (st)
            return st;
        if (f->type == AGREED_LIST || f->type == AGREED_EDGES) {
            st = take_list(r, field, item);
        } else if (f->type == AGREED_GROUP) {
            uint32_t at = line_of(r);
            if (r->event.type != YAML_MAPPING_START_EVENT)
                return wrong_kind(r, field);
            st = add(r, field, 0, 0, at, 1, &node);
            if (!st)
                st = take_map(r, field, 0, at);
        } else {
            st = is_scalar(r) ? take_scalar(r, field, item, 0) : wrong_kind(r, field);
        }
        if (st)
            return st;
    }
    tally_status st = fill_in(r, parent, item, line);
    memcpy(r->path, path, sizeof path);
    return st;
}

static tally_status take_document(reader *r)
{
    tally_status st = next(r); /* the stream's start */
    if (!st)
        st = next(r);
    if (!st && r->event.type == YAML_STREAM_END_EVENT)
        return refuse(r, 1, "the file is empty", "tally agreement init prints an agreement to fill in");
    if (!st && (r->event.data.document_start.version_directive ||
                r->event.data.document_start.tag_directives.start !=
                    r->event.data.document_start.tag_directives.end))
        return refuse(r, line_of(r), "directives (%) are not allowed", "leave the line out");
    if (!st)
        st = next(r);
    if (!st && r->event.type != YAML_MAPPING_START_EVENT)
        return refuse(r, line_of(r), "an agreement is a list of fields, each a name, a colon and a value",
                      "tally agreement init prints an agreement to fill in");
    if (!st)
        st = take_map(r, AGREED_TOP, 0, 1);
    if (!st)
        st = next(r); /* the document's end */
    if (!st)
        st = next(r);
    if (!st && r->event.type != YAML_STREAM_END_EVENT)
        return refuse(r, line_of(r), "a second document begins",
                      "an agreement is one document: take out ---");
    return st;
}

tally_status party_agreed_parse(tally_agreement *a, tally_error *error)
{
    reader r = {.a = a, .error = error};
    tally_status st = check_bytes(a, error);
    if (st)
        return st;
    if (!yaml_parser_initialize(&r.yaml))
        return party_no_memory(error, "an agreement");
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)a->bytes, a->len);
    st = take_document(&r);
    if (r.held)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
    if (st || !r.opened)
        return st;
    char more[32] = "";
    if (r.more)
        snprintf(more, sizeof more, ", and %u more", r.more);
    party_agreed_fail(a, r.opened, "", error, "missing, or still to be filled in: %s%s", r.open, more);
    party_hint(error,
               "write each as \"name: value\", in place of the text in <>; tally agreement init says what "
               "each is for");
    return TALLY_ERR_INPUT;
}
