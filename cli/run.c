/* SPDX-License-Identifier: Apache-2.0 */
/* The run of match, count and sum: what is looked at before, signals, what is said about the end. */
#include "cli/run.h"

#include "cli/commands.h"
#include "cli/estimate.h"
#include "cli/file.h"
#include "cli/home.h"
#include "cli/log.h"
#include "cli/message.h"
#include "cli/settings.h"
#include "cli/signals.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The run ---- */

/* --log-file, or the one of settings.yaml: what is said from here on goes there too. */
static tally_status open_log(cli_run *r, const cli_places *places, tally_error *error)
{
    const char *const written[] = {r->input_path, r->output, r->rejects, r->summary, r->agreement_path};
    tally_status st = cli_settings_log(places, r->log_given, &r->log_path, error);
    for (size_t i = 0; !st && r->log_path && i < sizeof written / sizeof *written; i++)
        if (written[i] && strcmp(written[i], "-") != 0 && cli_file_same(written[i], r->log_path)) {
            cli_fail(error, TALLY_ERR_USAGE, "the log %s is another file of the run", r->log_path);
            cli_hint(error, "give the log a name of its own: --log-file FILE");
            return TALLY_ERR_USAGE;
        }
    return st || !r->log_path ? st : cli_log_open(r->log_path, r->command->name, error);
}

/* What a look at the disk can tell before the other side is kept waiting. */
static tally_status prepare(cli_run *r, tally_error *error)
{
    cli_places places = {0};
    int force = cli_run_given(r, CLI_FORCE), verbose = cli_run_given(r, CLI_VERBOSE);
    tally_status st = TALLY_OK;
    if (r->output && strcmp(r->output, "-") != 0)
        st = cli_file_check("--output", r->output, force, error);
    if (!st && r->summary)
        st = cli_file_check("--summary", r->summary, 1, error);
    if (!st && r->rejects)
        st = cli_file_check("--rejects", r->rejects, 1, error);
    if (!st && r->output)
        st = tally_session_set_output(r->session, r->output, force, error);
    if (!st)
        st = cli_places_find(&places, error);
    if (!st)
        st = open_log(r, &places, error);
    if (!st && r->peer_ca)
        st = tally_session_set_peer_ca(r->session, r->peer_ca, r->peer_name, error);
    if (!st && r->peer_crl)
        st = tally_session_set_peer_crl(r->session, r->peer_crl, error);
    if (!st)
        st = cli_identity_open(&places, r->identity_name, r->passphrase_file, &r->identity, error);
    if (!st)
        st = cli_run_hold(r, &places, error);
    cli_places_free(&places);
    if (st)
        return st;
    tally_error useless;
    if (cli_calibration_find(&r->calibration, &useless))
        cli_note("nothing is predicted of this run: %s", party_message_of(&useless));
    if (r->calibration && !tally_calibration_fits(r->calibration)) {
        tally_calibration_free(r->calibration); /* of another processor */
        r->calibration = NULL;
    }
    tally_session_set_calibration(r->session, r->calibration);
    cli_progress_init(&r->progress, cli_run_given(r, CLI_QUIET) ? 0 : 1 + verbose, r->timeout_s);
    r->progress.session = r->session;
    tally_session_set_timeout(r->session, r->timeout_s);
    tally_session_set_identity(r->session, r->identity);
    tally_session_set_input(r->session, r->input);
    tally_session_set_agreement(r->session, r->agreement);
    tally_session_set_ledger(r->session, r->ledger);
    tally_session_on_progress(r->session, cli_progress_update, &r->progress);
    tally_session_on_log(r->session, cli_progress_log, &r->progress);
    return TALLY_OK;
}

static void bytes_text(char out[32], uint64_t bytes)
{
    if (bytes >= 1000000000)
        snprintf(out, 32, "%.1f GB", (double)bytes / 1e9);
    else if (bytes >= 1000000)
        snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
    else
        snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
}

/* How long it took once the peer was there, and what was predicted, unless the line is not known. */
static void say_time(const cli_run *r)
{
    char *text = tally_session_summary_json(r->session), predicted[200] = "";
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    const char *line = NULL;
    double total, waiting, expected;
    if (json_unpack(all, "{s:{s:{s:F}, s:s}}", "predicted", "seconds", "total", &expected, "line", &line) ==
            0 &&
        strcmp(line, "not measured") != 0)
        party_both(predicted, sizeof predicted, "; %.1f s were predicted", expected);
    if (json_unpack(all, "{s:{s:F, s:F}}", "seconds", "total", &total, "waiting", &waiting) == 0)
        cli_note("took %.1f s once the other side was there%s", total - waiting, predicted);
    json_decref(all);
    free(text);
}

static void say_result(const cli_run *r)
{
    tally_result result;
    char sent[32], received[32];
    const char *learned = tally_session_learned(r->session);
    tally_session_get_result(r->session, &result);
    if (result.learns_matches) {
        int to_file = r->output && strcmp(r->output, "-") != 0;
        if (to_file)
            cli_note("%llu of %llu identifiers match, in %llu rows, written to %s",
                     (unsigned long long)result.matched_items, (unsigned long long)result.own_items,
                     (unsigned long long)result.matched_rows, r->output);
        else
            cli_note("%llu of %llu identifiers match, in %llu rows", (unsigned long long)result.matched_items,
                     (unsigned long long)result.own_items, (unsigned long long)result.matched_rows);
    }
    bytes_text(sent, result.bytes_sent);
    bytes_text(received, result.bytes_received);
    cli_note("sent %s, received %s", sent, received);
    say_time(r);
    if (*learned)
        cli_note("%c%s", tolower((unsigned char)*learned), learned + 1);
    if (r->agreement)
        cli_note("held to the agreement %s; run %llu of the ledger", r->agreement_path,
                 (unsigned long long)result.run);
    else
        cli_note("a trial: no agreement was given; run %llu of the ledger", (unsigned long long)result.run);
}

/* Counts and sums: the figures on standard output, as a table or as JSON. A side that learns none prints
 * nothing. */
static tally_status print_figures(const cli_run *r, tally_error *error)
{
    int json = cli_run_given(r, CLI_JSON);
    char *text = json ? tally_session_figures_json(r->session) : tally_session_figures_text(r->session);
    tally_result result;
    tally_session_get_result(r->session, &result);
    if (!text)
        return result.learns_figures ? cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory for the figures")
                                     : TALLY_OK;
    printf("%s%s", text, json ? "\n" : "");
    free(text);
    return TALLY_OK;
}

/* The figures of the run, to --summary and, of a match, --json; also of a failed one. */
static tally_status write_summary(const cli_run *r, tally_error *error)
{
    tally_status st = TALLY_OK;
    int json = cli_run_given(r, CLI_JSON) && r->command->function == TALLY_MATCH;
    if (!r->summary && !json)
        return TALLY_OK;
    char *text = tally_session_summary_json(r->session);
    if (!text)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory for the summary");
    if (r->summary)
        st = cli_file_write(r->summary, text, error);
    if (json)
        printf("%s\n", text);
    free(text);
    return st;
}

/* Of a run that failed: whether it counts all the same. */
static void say_counted(const cli_run *r)
{
    tally_result result;
    tally_session_get_result(r->session, &result);
    if (result.run)
        cli_note(result.disclosed
                     ? "run %llu of the ledger: it failed, and counts as disclosed, in quotas too"
                     : "run %llu of the ledger: it failed, and disclosed nothing, so it does not count",
                 (unsigned long long)result.run);
}

/* Said with --quiet too. */
static void warn_share(const cli_run *r)
{
    tally_result result;
    tally_session_get_result(r->session, &result);
    if (result.share_exceeded)
        cli_note(
            "warning: more of the receiver's list matched than the agreement expects (max-match-share); the "
            "receipt says so");
}

static tally_status run(cli_run *r, tally_error *error)
{
    tally_error second;
    cli_signals_begin(r->session);
    tally_status st = tally_session_run(r->session, error);
    tally_result result;
    tally_session_get_result(r->session, &result);
    cli_log_set_run(result.run);
    cli_progress_end(&r->progress);
    cli_signals_end();
    if (st)
        cli_report(error);
    cli_message_log_alone(r->progress.verbosity < 1);
    if (st)
        say_counted(r);
    else
        say_result(r);
    cli_message_log_alone(0);
    if (!st)
        warn_share(r);
    if (!st && r->command->function != TALLY_MATCH && (st = print_figures(r, error)))
        cli_report(error);
    tally_status written = write_summary(r, &second);
    if (written)
        cli_report(&second);
    return st ? st : written;
}

int cli_run_main(const cli_command *command, char *const *argv)
{
    cli_run r = {.command = command, .timeout_s = 600};
    tally_error error = {0};
    int help = 0, ran = 0;
    tally_status st = tally_session_new(&r.session, &error);
    if (!st)
        st = tally_input_new(&r.input, &error);
    if (!st) {
        tally_session_set_function(r.session, command->function);
        st = cli_run_parse(&r, argv, &help, &error);
    }
    if (!st && help)
        cli_show_help(command->help);
    if (!st && !help)
        st = prepare(&r, &error);
    if (!st && !help) {
        ran = 1;
        st = run(&r, &error);
    }
    if (st && !ran)
        cli_report(&error);
    cli_log_close(tally_exit_status(st));
    tally_session_free(r.session);
    tally_input_free(r.input);
    tally_identity_free(r.identity);
    tally_agreement_free(r.agreement);
    tally_ledger_free(r.ledger);
    tally_calibration_free(r.calibration);
    free(r.log_path);
    return tally_exit_status(st);
}
