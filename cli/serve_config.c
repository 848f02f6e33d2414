/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve_config.h"

#include "cli/file.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/yaml.h"
#include "party/error.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX 262144 /* bytes of a file */
#define NAME_MAX_BYTES 64

const char cli_serve_example[] =
    "# tally serve --config FILE. Paths that do not begin with / are relative to\n"
    "# the folder of this file. man tally-serve has every field.\n"
    "\n"
    "# Where the other sides connect to; one, or a list.\n"
    "listen: 0.0.0.0:7440\n"
    "# Whose runs these are: an identity of the home, or a path.\n"
    "identity: agency-id\n"
    "# passphrase-file: agency-id.pass\n"
    "\n"
    "# Runs at the same time, and threads of each (left out: the processors, shared).\n"
    "max-sessions: 4\n"
    "# threads: 2\n"
    "# A run that takes longer is cancelled (left out: 24h); none: no limit.\n"
    "# max-duration: 6h\n"
    "# How long a stop lets running ones finish.\n"
    "grace: 60s\n"
    "# What it does, as JSON, for whoever watches it.\n"
    "# status: serve-status.json\n"
    "# Where runs are recorded, if not in the home.\n"
    "# ledger: ledger.db\n"
    "\n"
    "runs:\n"
    "    # A name for log lines and files.\n"
    "  - name: debtors\n"
    "    # Signed by both sides, with its .sig beside it.\n"
    "    agreement: debtors.yaml\n"
    "    # The list, read anew for each run: replace it by renaming another to it.\n"
    "    input: debtors.csv\n"
    "    # encoding: gb18030\n"
    "    # delimiter: ;\n"
    "    # no-header: true\n"
    "    # max-rejects: 1%\n"
    "    # rejects: debtors-rejects.csv\n"
    "    # Folder for a summary of each run, and, where this side learns which rows\n"
    "    # match, for these; names get date, time and number.\n"
    "    # summary: summaries\n"
    "    # output: matches\n"
    "    # columns: [id_number, name]\n"
    "    # The authority that the agreement names for the other side.\n"
    "    # peer-ca: authority.pem\n"
    "    # What it has revoked; read anew with SIGHUP.\n"
    "    # peer-crl: authority.crl\n";

/* ---- The fields ---- */

enum kind { TEXT, PATH, TEXTS, SWITCH, COUNT, TIME, TIME_OR_NONE, CHARACTER, LIMIT, NAME };

struct field {
    const char *name;
    enum kind kind;
    size_t at; /* in cli_serve_config or cli_serve_entry */
    uint64_t min, max;
};

static const struct field tops[] = {
    {"listen", TEXTS, offsetof(cli_serve_config, listen), 1, CLI_SERVE_LISTEN},
    {"identity", TEXT, offsetof(cli_serve_config, identity), 0, 0},
    {"passphrase-file", PATH, offsetof(cli_serve_config, passphrase_file), 0, 0},
    {"ledger", PATH, offsetof(cli_serve_config, ledger), 0, 0},
    {"status", PATH, offsetof(cli_serve_config, status), 0, 0},
    {"max-sessions", COUNT, offsetof(cli_serve_config, max_sessions), 1, 64},
    {"threads", COUNT, offsetof(cli_serve_config, threads), 1, 256},
    {"max-duration", TIME_OR_NONE, offsetof(cli_serve_config, max_duration_s), 0, 0},
    {"grace", TIME, offsetof(cli_serve_config, grace_s), 0, 0},
};
static const struct field ones[] = {
    {"name", NAME, offsetof(cli_serve_entry, name), 0, 0},
    {"agreement", PATH, offsetof(cli_serve_entry, agreement), 0, 0},
    {"input", PATH, offsetof(cli_serve_entry, input), 0, 0},
    {"encoding", TEXT, offsetof(cli_serve_entry, encoding), 0, 0},
    {"delimiter", CHARACTER, offsetof(cli_serve_entry, delimiter), 0, 0},
    {"no-header", SWITCH, offsetof(cli_serve_entry, no_header), 0, 0},
    {"max-rejects", LIMIT, 0, 0, 0},
    {"rejects", PATH, offsetof(cli_serve_entry, rejects), 0, 0},
    {"output", PATH, offsetof(cli_serve_entry, output), 0, 0},
    {"columns", TEXTS, offsetof(cli_serve_entry, columns), 1, CLI_SERVE_COLUMNS},
    {"summary", PATH, offsetof(cli_serve_entry, summary), 0, 0},
    {"peer-ca", PATH, offsetof(cli_serve_entry, peer_ca), 0, 0},
    {"peer-crl", PATH, offsetof(cli_serve_entry, peer_crl), 0, 0},
};
enum { TOPS = sizeof tops / sizeof *tops, ONES = sizeof ones / sizeof *ones, FIELDS_MAX = 16 };

typedef struct reader {
    cli_yaml y;
    size_t folder; /* bytes of the path that are its folder, with the slash */
    cli_serve_config *config;
} reader;

static tally_status no_memory(tally_error *error)
{
    return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
}

/* Puts file and line before what a notation's own check said. */
static tally_status refuse_value(const reader *r, tally_status st)
{
    char where[300];
    snprintf(where, sizeof where, "%s:%zu", r->y.path, cli_yaml_line(&r->y));
    cli_prefix(r->y.error, where);
    return st;
}

/* ---- Values ---- */

/* The text of the scalar; NULL and an error if it is none, or empty. */
static const char *scalar(const reader *r, const char *name)
{
    const yaml_event_t *e = &r->y.event;
    if (e->type == YAML_SCALAR_EVENT && e->data.scalar.length &&
        strlen((const char *)e->data.scalar.value) == e->data.scalar.length)
        return (const char *)e->data.scalar.value;
    cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: %s has to be one value", r->y.path, cli_yaml_line(&r->y),
             name);
    cli_hint(r->y.error, "write it on one line: name: value");
    return NULL;
}

static tally_status take_text(const reader *r, char **out, const char *text)
{
    *out = strdup(text);
    return *out ? TALLY_OK : no_memory(r->y.error);
}

static tally_status take_path(const reader *r, char **out, const char *text)
{
    if (*text == '/')
        return take_text(r, out, text);
    return asprintf(out, "%.*s%s", (int)r->folder, r->y.path, text) < 0 ? no_memory(r->y.error) : TALLY_OK;
}

static tally_status take_name(const reader *r, char **out, const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    if (strlen(text) > NAME_MAX_BYTES || text[strspn(text, good)] || *text == '-')
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "name is not 1 to 64 letters, digits, - and _",
                               "it stands in log lines and in the names of files");
    return take_text(r, out, text);
}

static tally_status take_switch(const reader *r, int *out, const char *name, const char *text)
{
    int yes = strcmp(text, "true") == 0;
    if (r->y.event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (!yes && strcmp(text, "false") != 0)) {
        cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: %s is neither true nor false", r->y.path,
                 cli_yaml_line(&r->y), name);
        cli_hint(r->y.error, "write true or false, without quotes");
        return TALLY_ERR_USAGE;
    }
    *out = yes;
    return TALLY_OK;
}

static tally_status add_text(const reader *r, cli_serve_texts *out, const char *text)
{
    char **more = realloc(out->at, (out->count + 1) * sizeof *more);
    if (!more)
        return no_memory(r->y.error);
    out->at = more;
    tally_status st = take_text(r, &more[out->count], text);
    out->count += st == TALLY_OK;
    return st;
}

/* One value, or a list of them. */
static tally_status take_texts(reader *r, cli_serve_texts *out, const struct field *f)
{
    int list = r->y.event.type == YAML_SEQUENCE_START_EVENT;
    tally_status st = list ? cli_yaml_next(&r->y) : TALLY_OK;
    while (!st && !(list && r->y.event.type == YAML_SEQUENCE_END_EVENT)) {
        const char *text = scalar(r, f->name);
        if (!text)
            return TALLY_ERR_USAGE;
        if (out->count == f->max) {
            cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: %s has more than %llu values", r->y.path,
                     cli_yaml_line(&r->y), f->name, (unsigned long long)f->max);
            return TALLY_ERR_USAGE;
        }
        st = add_text(r, out, text);
        if (!list)
            return st;
        if (!st)
            st = cli_yaml_next(&r->y);
    }
    return st;
}

static tally_status take_value(reader *r, const struct field *f, void *base)
{
    void *at = (char *)base + f->at;
    if (f->kind == TEXTS)
        return take_texts(r, at, f);
    const char *text = scalar(r, f->name);
    cli_serve_entry *e = base;
    tally_status st;
    if (!text)
        return TALLY_ERR_USAGE;
    switch (f->kind) {
    case NAME:
        return take_name(r, at, text);
    case PATH:
        return take_path(r, at, text);
    case SWITCH:
        return take_switch(r, at, f->name, text);
    case COUNT:
        st = cli_parse_count(f->name, text, f->min, f->max, at, r->y.error);
        break;
    case TIME_OR_NONE:
        if (strcmp(text, "none") == 0) {
            *(unsigned *)at = 0;
            return TALLY_OK;
        }
        /* fall through */
    case TIME:
        st = cli_parse_duration(f->name, text, at, r->y.error);
        break;
    case CHARACTER:
        st = cli_parse_delimiter(f->name, text, at, r->y.error);
        break;
    case LIMIT:
        st = cli_parse_limit(f->name, text, &e->max_rejects, &e->max_rejects_ppm, r->y.error);
        e->has_max_rejects = 1;
        break;
    default:
        return take_text(r, at, text);
    }
    return st ? refuse_value(r, st) : TALLY_OK;
}

/* ---- Mappings ---- */

/* The field that is the event, not given before; -1 and an error otherwise. `runs` is number count. */
static int field_of(const reader *r, const struct field *fields, int count, int top, size_t lines[FIELDS_MAX])
{
    const char *name = r->y.event.type == YAML_SCALAR_EVENT ? (const char *)r->y.event.data.scalar.value : "";
    const char *names[FIELDS_MAX + 2] = {NULL};
    int at = 0;
    for (int i = 0; i < count; i++)
        names[i] = fields[i].name;
    if (top)
        names[count] = "runs";
    while (names[at] && strcmp(names[at], name) != 0)
        at++;
    if (!names[at]) {
        const char *near = cli_nearest(name, names);
        cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: unknown field \"%.60s\"", r->y.path,
                 cli_yaml_line(&r->y), name);
        if (near)
            cli_hint(r->y.error, "did you mean %s?", near);
        else
            cli_hint(r->y.error, "tally serve --example shows all fields");
        return -1;
    }
    if (lines[at]) {
        cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: %s is given twice, first on line %zu", r->y.path,
                 cli_yaml_line(&r->y), names[at], lines[at]);
        cli_hint(r->y.error, "leave one of them out");
        return -1;
    }
    lines[at] = cli_yaml_line(&r->y);
    return at;
}

static tally_status need(const reader *r, size_t line, const char *name, int given)
{
    if (given)
        return TALLY_OK;
    cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: %s is missing", r->y.path, line, name);
    cli_hint(r->y.error, "tally serve --example shows how such a file looks");
    return TALLY_ERR_USAGE;
}

static tally_status check_entry(const reader *r, const cli_serve_entry *e)
{
    tally_status st = need(r, e->line, "name", e->name != NULL);
    if (!st)
        st = need(r, e->line, "agreement", e->agreement != NULL);
    if (!st)
        st = need(r, e->line, "input", e->input != NULL);
    for (size_t i = 0; !st && i + 1 < r->config->count; i++)
        if (strcmp(r->config->entry[i].name, e->name) == 0) {
            cli_fail(r->y.error, TALLY_ERR_USAGE, "%s:%zu: the name %s is there twice, first on line %zu",
                     r->y.path, e->line, e->name, r->config->entry[i].line);
            cli_hint(r->y.error, "each entry has a name of its own");
            return TALLY_ERR_USAGE;
        }
    if (!st && e->columns.count && !e->output)
        st = cli_yaml_refuse(&r->y, e->line, "columns without output",
                             "columns are those of the matching rows; output is the folder for these");
    if (!st && e->peer_crl && !e->peer_ca)
        st = cli_yaml_refuse(
            &r->y, e->line, "peer-crl without peer-ca",
            "a list of revoked certificates is that of an authority; a key is revoked by tally peer "
            "revoke");
    return st;
}

static tally_status take_entry(reader *r)
{
    cli_serve_config *c = r->config;
    size_t lines[FIELDS_MAX] = {0};
    if (r->y.event.type != YAML_MAPPING_START_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "an entry of runs has to be fields",
                               "begin with: - name: debtors, and write its other fields below");
    if (c->count == TALLY_SERVER_ENTRIES)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "more than 64 entries",
                               "another tally serve, at another port, has room");
    cli_serve_entry *more = realloc(c->entry, (c->count + 1) * sizeof *more);
    if (!more)
        return no_memory(r->y.error);
    c->entry = more;
    cli_serve_entry *e = &more[c->count++];
    *e = (cli_serve_entry){.line = cli_yaml_line(&r->y)};
    tally_status st = cli_yaml_next(&r->y);
    while (!st && r->y.event.type != YAML_MAPPING_END_EVENT) {
        int at = field_of(r, ones, ONES, 0, lines);
        st = at < 0 ? TALLY_ERR_USAGE : cli_yaml_next(&r->y);
        if (!st)
            st = take_value(r, &ones[at], e);
        if (!st)
            st = cli_yaml_next(&r->y);
    }
    return st ? st : check_entry(r, e);
}

static tally_status take_runs(reader *r)
{
    if (r->y.event.type != YAML_SEQUENCE_START_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "runs is no list",
                               "each entry begins with - name: ...");
    tally_status st = cli_yaml_next(&r->y);
    while (!st && r->y.event.type != YAML_SEQUENCE_END_EVENT) {
        st = take_entry(r);
        if (!st)
            st = cli_yaml_next(&r->y);
    }
    return st;
}

static tally_status take_document(reader *r)
{
    size_t lines[FIELDS_MAX] = {0};
    tally_status st = cli_yaml_next(&r->y); /* the stream's start */
    if (!st)
        st = cli_yaml_next(&r->y);
    if (!st && r->y.event.type == YAML_STREAM_END_EVENT)
        return cli_yaml_refuse(&r->y, 1, "there is nothing in it",
                               "tally serve --example shows how such a file looks");
    if (!st)
        st = cli_yaml_next(&r->y);
    if (!st && r->y.event.type != YAML_MAPPING_START_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "it does not consist of fields",
                               "tally serve --example shows how such a file looks");
    if (!st)
        st = cli_yaml_next(&r->y);
    while (!st && r->y.event.type != YAML_MAPPING_END_EVENT) {
        int at = field_of(r, tops, TOPS, 1, lines);
        st = at < 0 ? TALLY_ERR_USAGE : cli_yaml_next(&r->y);
        if (!st)
            st = at == TOPS ? take_runs(r) : take_value(r, &tops[at], r->config);
        if (!st)
            st = cli_yaml_next(&r->y);
    }
    if (!st)
        st = cli_yaml_next(&r->y); /* the document's end */
    if (!st)
        st = cli_yaml_next(&r->y);
    if (!st && r->y.event.type != YAML_STREAM_END_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "a second document begins", "take out ---");
    if (!st)
        st = need(r, 1, "listen", r->config->listen.count > 0);
    if (!st)
        st = need(r, 1, "identity", r->config->identity != NULL);
    return st ? st : need(r, 1, "runs", r->config->count > 0);
}

/* An identity with a slash is a path, relative like the others. */
static tally_status place_identity(const reader *r)
{
    char *name = r->config->identity;
    if (!strchr(name, '/'))
        return TALLY_OK;
    tally_status st = take_path(r, &r->config->identity, name);
    if (st)
        r->config->identity = name;
    else
        free(name);
    return st;
}

tally_status cli_serve_config_load(cli_serve_config *out, const char *path, tally_error *error)
{
    cli_serve_config config = {.max_sessions = 4, .grace_s = 60, .max_duration_s = 86400};
    char *text = NULL;
    const char *slash = strrchr(path, '/');
    reader r = {.y = {.path = path,
                      .form = PARTY_TEXT("tally serve --example shows how such a file looks"),
                      .error = error},
                .folder = slash ? (size_t)(slash - path) + 1 : 0,
                .config = &config};
    *out = (cli_serve_config){.path = NULL};
    tally_status st = cli_file_read(path, CONFIG_MAX, &text, error);
    if (st) {
        cli_hint(error, "--config names the configuration; tally serve --example shows how one looks");
        return st;
    }
    config.path = strdup(path);
    st = config.path ? cli_yaml_open(&r.y, (const unsigned char *)text, strlen(text)) : no_memory(error);
    if (!st) {
        st = take_document(&r);
        if (!st)
            st = place_identity(&r);
        cli_yaml_close(&r.y);
    }
    free(text);
    if (st)
        cli_serve_config_free(&config);
    else
        *out = config;
    return st;
}

static void free_texts(cli_serve_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->at[i]);
    free(texts->at);
}

void cli_serve_config_free(cli_serve_config *c)
{
    for (size_t i = 0; i < c->count; i++) {
        cli_serve_entry *e = &c->entry[i];
        free(e->name);
        free(e->agreement);
        free(e->input);
        free(e->encoding);
        free(e->rejects);
        free(e->peer_ca);
        free(e->peer_crl);
        free(e->output);
        free(e->summary);
        free_texts(&e->columns);
    }
    free(c->entry);
    free_texts(&c->listen);
    free(c->path);
    free(c->identity);
    free(c->passphrase_file);
    free(c->ledger);
    free(c->status);
    *c = (cli_serve_config){.path = NULL};
}
