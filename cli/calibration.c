/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/estimate.h"

#include "cli/home.h"
#include "cli/message.h"
#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "calibration.json"

tally_status cli_calibration_path(char **path, tally_error *error)
{
    cli_places places = {0};
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_fresh(&places, NAME, path, error);
    cli_places_free(&places);
    return st;
}

static void show_progress(void *user, unsigned done, unsigned total)
{
    const int *redraw = user;
    if (*redraw && done < total)
        fprintf(stderr, party_local("\r%u of %u"), done, total);
    else if (*redraw)
        fputs("\r        \r", stderr);
}

tally_status cli_calibration_measure(const char *path, tally_calibration **out, tally_error *error)
{
    int redraw = isatty(STDERR_FILENO);
    tally_calibration *older = NULL;
    tally_error ignored;
    char *folder = strdup(path);
    if (!folder)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    cli_note("measuring this machine, about 30 seconds on an idle one");
    tally_status st = tally_calibration_measure(slash ? folder : ".", show_progress, &redraw, out, error);
    if (!st && access(path, F_OK) == 0 && tally_calibration_load(path, &older, &ignored) == TALLY_OK)
        tally_calibration_keep_lines(*out, older);
    if (!st)
        st = tally_calibration_save(*out, path, error);
    if (!st)
        cli_note("kept in %s", path);
    tally_calibration_free(older);
    free(folder);
    return st;
}

tally_status cli_calibration_line(const cli_estimate *e, tally_calibration *c, const char *path,
                                  tally_line *out, tally_error *error)
{
    cli_places places = {0};
    tally_identity *identity = NULL;
    tally_session *session = NULL;
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_open(&places, e->identity, e->passphrase_file, &identity, error);
    if (!st)
        st = tally_session_new(&session, error);
    if (!st) {
        tally_session_set_identity(session, identity);
        tally_session_set_timeout(session, e->timeout_s);
        st = tally_session_add_peer_pin(session, e->peer, error);
    }
    if (!st)
        st = e->listen ? tally_session_set_listen(session, e->listen, error)
                       : tally_session_set_connect(session, e->connect, error);
    if (!st) {
        cli_note(
            "measuring the line to %s: waiting for the other side, then about 7 seconds, more on a slow line",
            e->listen ? PARTY_WORD("the peer") : e->connect);
        cli_signals_begin(session);
        st = tally_session_measure_line(session, c, out, error);
        cli_signals_end();
    }
    if (!st)
        st = tally_calibration_save(c, path, error);
    tally_session_free(session);
    tally_identity_free(identity);
    cli_places_free(&places);
    return st;
}

tally_status cli_calibration_find(tally_calibration **out, tally_error *error)
{
    cli_places places = {0};
    *out = NULL;
    tally_status st = cli_places_find(&places, error);
    const char *const homes[] = {places.home, places.system};
    for (size_t i = 0; !st && !*out && i < 2; i++) {
        char *path;
        if (!homes[i])
            continue;
        if (asprintf(&path, "%s/" NAME, homes[i]) < 0)
            st = cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
        else {
            if (access(path, F_OK) == 0)
                st = tally_calibration_load(path, out, error);
            free(path);
        }
    }
    cli_places_free(&places);
    return st;
}
