/* SPDX-License-Identifier: Apache-2.0 */
/* What a run is held to, and where it is recorded. */
#include "cli/file.h"
#include "cli/message.h"
#include "cli/run.h"
#include "cli/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

tally_status cli_agreement_open(const char *path, tally_agreement **out, tally_error *error)
{
    char *beside;
    struct stat info;
    tally_status st = tally_agreement_load(path, out, error);
    if (st)
        return st;
    if (asprintf(&beside, "%s.sig", path) < 0)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    if (stat(beside, &info) == 0 || errno != ENOENT)
        st = tally_agreement_add_signatures(*out, beside, error);
    if (st == TALLY_ERR_DIFFERS)
        st = TALLY_OK;
    free(beside);
    return st;
}

tally_status cli_ledger_path(const cli_places *places, const char *given, char **out, tally_error *error)
{
    cli_settings settings = {.ledger = NULL};
    const char *home = places->home ? places->home : places->system;
    tally_status st = cli_settings_load(&settings, places, CLI_SYSTEM_FOLDER, error);
    const char *path = given ? given : settings.ledger;
    if (!st && !path && !home) {
        cli_fail(error, TALLY_ERR_FILE, "there is no home folder for the ledger");
        cli_hint(error, "set TALLY_HOME to a folder, or say where it is: --ledger FILE");
        st = TALLY_ERR_FILE;
    }
    if (!st && asprintf(out, "%s%s", path ? path : home, path ? "" : "/ledger/ledger.db") < 0)
        st = cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    cli_settings_free(&settings);
    return st;
}

/* What holds for every run on this machine. */
static tally_status check_settings(const cli_run *r, const cli_places *places, tally_error *error)
{
    cli_settings settings = {.ledger = NULL};
    tally_status st = cli_settings_load(&settings, places, CLI_SYSTEM_FOLDER, error);
    if (!st && settings.require_agreement && !r->agreement_path) {
        st = cli_fail(error, TALLY_ERR_POLICY, "nothing is run here without an agreement, as %s says",
                      settings.required_by);
        cli_hint(error, "give the agreement that both sides have signed: --agreement FILE");
    } else if (!st && settings.ledger && r->ledger_path) {
        st = cli_fail(error, TALLY_ERR_POLICY, "runs are recorded in %s, as %s says", settings.ledger,
                      settings.ledger_by);
        cli_hint(error, "leave --ledger out");
    }
    cli_settings_free(&settings);
    return st;
}

/* A file that the run writes must not be the ledger. */
static tally_status check_written(const cli_run *r, const char *ledger, tally_error *error)
{
    const struct {
        const char *option, *path;
    } files[] = {{"--output", r->output},
                 {"--rejects", r->rejects},
                 {"--summary", r->summary},
                 {"--log-file", r->log_path}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i].path || strcmp(files[i].path, "-") == 0 || !cli_file_same(files[i].path, ledger))
            continue;
        cli_fail(error, TALLY_ERR_USAGE, "%s is the ledger: %s", files[i].option, ledger);
        cli_hint(error, "give the file another name");
        return TALLY_ERR_USAGE;
    }
    return TALLY_OK;
}

tally_status cli_run_agreement(cli_run *r, tally_error *error)
{
    return r->agreement_path ? cli_agreement_open(r->agreement_path, &r->agreement, error) : TALLY_OK;
}

tally_status cli_run_hold(cli_run *r, const cli_places *places, tally_error *error)
{
    char *path = NULL;
    tally_status st = check_settings(r, places, error);
    if (!st && r->agreement_path)
        st = cli_agreement_open(r->agreement_path, &r->agreement, error);
    if (!st)
        st = cli_ledger_path(places, r->ledger_path, &path, error);
    if (!st)
        st = check_written(r, path, error);
    if (!st)
        st = tally_ledger_open(&r->ledger, path, TALLY_LEDGER_WRITE, error);
    free(path);
    return st;
}
