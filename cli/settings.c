/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include "cli/message.h"
#include "cli/yaml.h"
#include "party/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_MAX 65536 /* bytes of a file */

enum { REQUIRE_AGREEMENT, LEDGER, LOG_FILE, SETTINGS };
static const char *const names[SETTINGS] = {"require-agreement", "ledger", "log-file"};

/* One file, and what it says. */
typedef struct reader {
    cli_yaml y;
    size_t line[SETTINGS]; /* where each was given, 0: not */
    int require_agreement;
    char *ledger, *log_file;
} reader;

static tally_status no_memory(tally_error *error)
{
    return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
}

static tally_status take_bool(reader *r, const char *text)
{
    int plain = r->y.event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE, yes = strcmp(text, "true") == 0;
    if (!plain || (!yes && strcmp(text, "false") != 0))
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "require-agreement is neither true nor false",
                               "write true or false, without quotes");
    r->require_agreement = yes;
    return TALLY_OK;
}

static tally_status take_path(reader *r, int at, const char *text)
{
    char **path = at == LEDGER ? &r->ledger : &r->log_file;
    if (text[0] == '/' && strlen(text) == r->y.event.data.scalar.length) {
        *path = strdup(text);
        return *path ? TALLY_OK : no_memory(r->y.error);
    }
    if (at == LEDGER)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "ledger is not a path that begins with /",
                               "write the whole path of the file, such as /var/lib/tally/ledger.db");
    return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "log-file is not a path that begins with /",
                           "write the whole path of the file, such as /var/log/tally/tally.log");
}

/* A name was the event: it and its value. */
static tally_status take_setting(reader *r)
{
    char what[600];
    const char *name = r->y.event.type == YAML_SCALAR_EVENT ? (const char *)r->y.event.data.scalar.value : "";
    int at = 0;
    while (at < SETTINGS && strcmp(names[at], name) != 0)
        at++;
    if (at == SETTINGS) {
        party_both(what, sizeof what, "unknown setting \"%.60s\"", name);
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), what,
                               "settings: require-agreement, ledger, log-file");
    }
    if (r->line[at]) {
        party_both(what, sizeof what, "%s is given twice, first on line %zu", names[at], r->line[at]);
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), what, "leave one of them out");
    }
    r->line[at] = cli_yaml_line(&r->y);
    tally_status st = cli_yaml_next(&r->y);
    if (st)
        return st;
    if (r->y.event.type != YAML_SCALAR_EVENT) {
        party_both(what, sizeof what, "%s has to be one value", names[at]);
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), what, "write it on one line: name: value");
    }
    const char *text = (const char *)r->y.event.data.scalar.value;
    return at == REQUIRE_AGREEMENT ? take_bool(r, text) : take_path(r, at, text);
}

static tally_status take_document(reader *r)
{
    tally_status st = cli_yaml_next(&r->y); /* the stream's start */
    if (!st)
        st = cli_yaml_next(&r->y);
    if (st || r->y.event.type == YAML_STREAM_END_EVENT) /* comments only, or nothing */
        return st;
    st = cli_yaml_next(&r->y);
    if (!st && r->y.event.type != YAML_MAPPING_START_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y),
                               "settings are lines of a name, a colon and a value",
                               "settings: require-agreement, ledger, log-file");
    if (!st)
        st = cli_yaml_next(&r->y);
    while (!st && r->y.event.type != YAML_MAPPING_END_EVENT) {
        st = take_setting(r);
        if (!st)
            st = cli_yaml_next(&r->y);
    }
    if (!st)
        st = cli_yaml_next(&r->y); /* the document's end */
    if (!st)
        st = cli_yaml_next(&r->y);
    if (!st && r->y.event.type != YAML_STREAM_END_EVENT)
        return cli_yaml_refuse(&r->y, cli_yaml_line(&r->y), "a second document begins", "take out ---");
    return st;
}

/* ---- Files ---- */

static tally_status cannot_read(const char *path, int e, tally_error *error)
{
    cli_fail(error, TALLY_ERR_FILE, "the settings %s cannot be read: %s", path, party_system_text(e));
    cli_hint(error, "they hold for everybody: let whoever runs tally read the file, or take it away");
    return TALLY_ERR_FILE;
}

/* The whole file; *len SETTINGS_MAX + 1 if it is longer. *there 0: there is none. */
static tally_status read_file(const char *path, unsigned char *buf, size_t *len, int *there,
                              tally_error *error)
{
    struct stat st;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *there = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);
    *len = 0;
    if (!*there)
        return TALLY_OK;
    int e = fd < 0 ? errno : fstat(fd, &st) ? errno : !S_ISREG(st.st_mode) ? EINVAL : 0;
    while (!e && n > 0 && *len <= SETTINGS_MAX) {
        n = read(fd, buf + *len, SETTINGS_MAX + 1 - *len);
        if (n < 0 && errno != EINTR)
            e = errno;
        if (n < 0 && !e)
            n = 1;
        else if (n > 0)
            *len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    return e ? cannot_read(path, e, error) : TALLY_OK;
}

static tally_status parse(reader *r, const unsigned char *bytes, size_t len)
{
    if (len > SETTINGS_MAX)
        return cli_yaml_refuse(&r->y, 1, "longer than 65536 bytes", "settings are a few lines");
    tally_status st = cli_yaml_open(&r->y, bytes, len);
    if (st)
        return st;
    st = take_document(r);
    cli_yaml_close(&r->y);
    return st;
}

/* What a file says, to what earlier files said: those hold. */
static tally_status add(cli_settings *all, reader *r)
{
    if (r->require_agreement && !all->require_agreement) {
        all->require_agreement = 1;
        all->required_by = strdup(r->y.path);
        if (!all->required_by)
            return no_memory(r->y.error);
    }
    if (r->ledger && !all->ledger) {
        all->ledger = r->ledger;
        r->ledger = NULL;
        all->ledger_by = strdup(r->y.path);
        if (!all->ledger_by)
            return no_memory(r->y.error);
    }
    if (r->log_file && !all->log_file) {
        all->log_file = r->log_file;
        r->log_file = NULL;
    }
    return TALLY_OK;
}

static tally_status load(cli_settings *all, const char *folder, tally_error *error)
{
    char *path = NULL;
    unsigned char *buf = malloc(SETTINGS_MAX + 1);
    size_t len = 0;
    int there = 0;
    tally_status st = buf && asprintf(&path, "%s/settings.yaml", folder) >= 0 ? TALLY_OK : no_memory(error);
    reader r = {.y = {.path = path, .form = PARTY_TEXT("one \"name: value\" on each line"), .error = error}};
    if (!st)
        st = read_file(path, buf, &len, &there, error);
    if (!st && there)
        st = parse(&r, buf, len);
    if (!st && there)
        st = add(all, &r);
    free(r.ledger);
    free(r.log_file);
    free(path);
    free(buf);
    return st;
}

tally_status cli_settings_load(cli_settings *out, const cli_places *places, const char *system,
                               tally_error *error)
{
    cli_settings all = {0};
    tally_status st = load(&all, system, error);
    if (!st && places->home)
        st = load(&all, places->home, error);
    if (st)
        cli_settings_free(&all);
    *out = all;
    return st;
}

void cli_settings_free(cli_settings *settings)
{
    free(settings->required_by);
    free(settings->ledger);
    free(settings->ledger_by);
    free(settings->log_file);
    *settings = (cli_settings){0};
}

tally_status cli_settings_log(const cli_places *places, const char *given, char **out, tally_error *error)
{
    cli_settings settings = {.ledger = NULL};
    tally_status st = cli_settings_load(&settings, places, CLI_SYSTEM_FOLDER, error);
    const char *path = given ? given : settings.log_file;
    *out = NULL;
    if (!st && path && !(*out = strdup(path)))
        st = no_memory(error);
    cli_settings_free(&settings);
    return st;
}
