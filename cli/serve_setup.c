/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/run.h"
#include "cli/serve.h"
#include "cli/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Names the entry before what is wrong with it. */
static tally_status blame(const cli_serve_config *c, const cli_serve_entry *e, tally_status st,
                          tally_error *error)
{
    char where[400];
    snprintf(where, sizeof where, "%s:%zu: %s", c->path, e->line, e->name);
    cli_prefix(error, where);
    return st;
}

/* ---- Agreements ---- */

static void take_word(char *out, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

/* Who is who in it: the identity is the party whose signing key it has. */
static tally_status read_words(cli_serve_agreed *a, const tally_identity *identity, tally_error *error)
{
    char *text = tally_agreement_json(a->agreement);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *fields = json_object_get(all, "fields"), *parties = json_object_get(fields, "parties");
    free(text);
    if (!parties) {
        json_decref(all);
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    }
    take_word(a->name, sizeof a->name, fields, "name");
    take_word(a->function, sizeof a->function, fields, "function");
    for (size_t p = 0; p < 2; p++) {
        const json_t *party = json_array_get(parties, p);
        const char *key = json_string_value(json_object_get(party, "signing-key"));
        int own = key && strcmp(key, tally_identity_signing_fingerprint(identity)) == 0;
        char role[16];
        take_word(own ? a->own : a->peer, sizeof a->own, party, "organisation");
        take_word(role, sizeof role, party, "role");
        if (own)
            a->sender = strcmp(role, "sender") == 0;
    }
    json_decref(all);
    return TALLY_OK;
}

/* Folders to write to, and files to read: a run would find them wanting too late. */
static tally_status check_places(const cli_serve_entry *e, tally_error *error)
{
    const char *const files[] = {e->input, e->peer_ca, e->peer_crl}, *const folders[] = {e->output,
                                                                                         e->summary};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] && access(files[i], R_OK)) {
            cli_fail(error, TALLY_ERR_FILE, "%s cannot be read: %s", files[i], party_system_text(errno));
            cli_hint(error, "the file has to be there, readable for who runs tally serve, when a run begins");
            return TALLY_ERR_FILE;
        }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct stat st;
        if (!folders[i])
            continue;
        int failed = stat(folders[i], &st) ? errno : !S_ISDIR(st.st_mode) ? ENOTDIR : 0;
        if (!failed && access(folders[i], W_OK | X_OK))
            failed = errno;
        if (failed) {
            cli_fail(error, TALLY_ERR_FILE, "the folder %s cannot be written to: %s", folders[i],
                     party_system_text(failed));
            cli_hint(error, "make the folder, and let it belong to who runs tally serve");
            return TALLY_ERR_FILE;
        }
    }
    return e->rejects ? cli_file_check("rejects", e->rejects, 1, error) : TALLY_OK;
}

/* ---- Loading ---- */

/* Where the machine's settings name a ledger, no other counts. */
static tally_status check_ledger(const cli_serve_setup *s, const cli_places *places, tally_error *error)
{
    cli_settings settings = {.ledger = NULL};
    tally_status st = cli_settings_load(&settings, places, CLI_SYSTEM_FOLDER, error);
    if (!st && settings.ledger && s->config.ledger) {
        st = cli_fail(error, TALLY_ERR_POLICY, "runs are recorded in %s, as %s says", settings.ledger,
                      settings.ledger_by);
        cli_hint(error, "leave ledger out of %s", s->config.path);
    }
    cli_settings_free(&settings);
    return st;
}

static tally_status load_common(cli_serve_setup *s, tally_error *error)
{
    cli_places places = {0};
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = check_ledger(s, &places, error);
    if (!st)
        st = cli_identity_open(&places, s->config.identity, s->config.passphrase_file, &s->identity, error);
    if (!st)
        st = cli_ledger_path(&places, s->config.ledger, &s->ledger_path, error);
    if (!st)
        st = tally_ledger_open(&s->ledger, s->ledger_path, TALLY_LEDGER_WRITE, error);
    cli_places_free(&places);
    return st;
}

tally_status cli_serve_setup_load(cli_serve_setup **out, const char *path, tally_error *error)
{
    cli_serve_setup *s = calloc(1, sizeof *s);
    if (!s)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    s->users = 1;
    tally_status st = cli_serve_config_load(&s->config, path, error);
    if (!st)
        st = load_common(s, error);
    for (size_t i = 0; !st && i < s->config.count; i++) {
        const cli_serve_entry *e = &s->config.entry[i];
        st = cli_agreement_open(e->agreement, &s->agreed[i].agreement, error);
        if (!st)
            st = read_words(&s->agreed[i], s->identity, error);
        if (st)
            blame(&s->config, e, st, error);
    }
    if (st)
        cli_serve_setup_free(s);
    else
        *out = s;
    return st;
}

void cli_serve_setup_free(cli_serve_setup *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < TALLY_SERVER_ENTRIES; i++)
        tally_agreement_free(s->agreed[i].agreement);
    tally_ledger_free(s->ledger);
    tally_identity_free(s->identity);
    cli_serve_config_free(&s->config);
    free(s->ledger_path);
    free(s);
}

tally_status cli_serve_setup_server(cli_serve_setup *s, tally_server **out, tally_error *error)
{
    tally_server *server = NULL;
    tally_status st = tally_server_new(&server, s->identity, error);
    for (size_t i = 0; !st && i < s->config.count; i++) {
        const cli_serve_entry *e = &s->config.entry[i];
        st = tally_server_add(server, s->agreed[i].agreement, e->peer_ca, e->peer_crl, error);
        if (st)
            blame(&s->config, e, st, error);
    }
    for (size_t i = 0; !st && i < s->config.listen.count; i++) {
        st = tally_server_add_address(server, s->config.listen.at[i], error);
        if (st)
            cli_prefix(error, "listen");
    }
    if (st)
        tally_server_free(server);
    else
        *out = server;
    return st;
}

/* ---- One run ---- */

static tally_status set_input(const cli_serve_entry *e, tally_input *input, tally_error *error)
{
    tally_status st = tally_input_set_file(input, e->input, error);
    if (!st && e->encoding)
        st = tally_input_set_encoding(input, e->encoding, error);
    if (!st && e->delimiter)
        st = tally_input_set_delimiter(input, e->delimiter, error);
    if (!st && e->rejects)
        st = tally_input_set_rejects_file(input, e->rejects, error);
    if (!st && e->no_header)
        tally_input_set_header(input, 0);
    if (!st && e->has_max_rejects)
        tally_input_set_max_rejects(input, e->max_rejects, e->max_rejects_ppm);
    return st;
}

/* The share of the processors that one of max_sessions has. */
static unsigned thread_cap(const cli_serve_config *c)
{
    long all = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t n = c->threads ? c->threads : (uint64_t)(all > 0 ? all : 1) / c->max_sessions;
    return n ? (unsigned)n : 1;
}

tally_status cli_serve_setup_session(cli_serve_setup *s, size_t entry, const char *output,
                                     tally_session **session, tally_input **input, tally_error *error)
{
    const cli_serve_entry *e = &s->config.entry[entry];
    *session = NULL;
    *input = NULL;
    tally_status st = tally_session_new(session, error);
    if (!st)
        st = tally_input_new(input, error);
    if (!st)
        st = set_input(e, *input, error);
    if (!st && e->peer_ca)
        st = tally_session_set_peer_ca(*session, e->peer_ca, NULL, error);
    if (!st && e->peer_crl)
        st = tally_session_set_peer_crl(*session, e->peer_crl, error);
    if (!st && output)
        st = tally_session_set_output(*session, output, 0, error);
    for (size_t i = 0; !st && i < e->columns.count; i++)
        st = tally_session_add_output_column(*session, e->columns.at[i], error);
    if (st)
        return st;
    tally_session_set_identity(*session, s->identity);
    tally_session_set_agreement(*session, s->agreed[entry].agreement);
    tally_session_set_ledger(*session, s->ledger);
    tally_session_set_input(*session, *input);
    tally_session_set_threads(*session, thread_cap(&s->config));
    return TALLY_OK;
}

tally_status cli_serve_setup_check(cli_serve_setup *s, size_t entry, tally_error *error)
{
    const cli_serve_entry *e = &s->config.entry[entry];
    tally_session *session = NULL;
    tally_input *input = NULL;
    int match = strcmp(s->agreed[entry].function, "match") == 0;
    tally_status st = check_places(e, error);
    if (!st)
        st = cli_serve_setup_session(s, entry, match && e->output ? "output.csv" : NULL, &session, &input,
                                     error);
    if (!st)
        st = tally_session_set_listen(session, s->config.listen.at[0], error);
    if (!st)
        st = tally_session_check(session, error);
    tally_session_free(session);
    tally_input_free(input);
    return st ? blame(&s->config, e, st, error) : TALLY_OK;
}

/* ---- After a kill ---- */

/* ".tally-XXXXXX" and, if prefix is not NULL, ".PREFIX*.tally-XXXXXX" */
static int is_left(const char *name, const char *prefix)
{
    static const char mark[] = ".tally-";
    size_t len = strlen(name), tail = sizeof mark - 1 + 6;
    if (*name != '.' || len < tail || strncmp(name + len - tail, mark, sizeof mark - 1) != 0)
        return 0;
    return prefix ? len > tail && strncmp(name + 1, prefix, strlen(prefix)) == 0 : len == tail;
}

#define STALE_S 60 /* a file that is not surely ours is left alone for so long */

static void clean(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    struct stat st;
    while (d && (e = readdir(d)))
        if (is_left(e->d_name, prefix) && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && (prefix || time(NULL) - st.st_mtime > STALE_S) &&
            unlinkat(dirfd(d), e->d_name, 0) == 0)
            cli_note("removed what an earlier process left half written: %s/%s", folder, e->d_name);
    if (d)
        closedir(d);
}

void cli_serve_setup_clean(const cli_serve_setup *s)
{
    for (size_t i = 0; i < s->config.count; i++) {
        const cli_serve_entry *e = &s->config.entry[i];
        char prefix[80];
        snprintf(prefix, sizeof prefix, "%s-", e->name);
        if (e->output)
            clean(e->output, prefix);
        if (e->summary)
            clean(e->summary, NULL);
        char *slash = e->rejects ? strrchr(e->rejects, '/') : NULL;
        if (e->rejects) {
            char *folder = slash ? strndup(e->rejects, (size_t)(slash - e->rejects) + 1) : strdup(".");
            if (folder)
                clean(folder, slash ? slash + 1 : e->rejects);
            free(folder);
        }
    }
}
