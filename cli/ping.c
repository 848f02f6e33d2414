/* SPDX-License-Identifier: Apache-2.0 */
/* tally ping: the steps to a run one by one, before there is one. */
#include "cli/commands.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/run.h"
#include "cli/signals.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S 10 /* how long a calling side tries, unless --timeout says otherwise */

const char cli_help_ping[] =
    "usage: tally ping --listen|--connect HOST:PORT --identity NAME --peer sha256:...\n"
    "           [OPTIONS]\n"
    "       tally ping --agreement FILE --identity NAME [OPTIONS]\n"
    "\n"
    "Goes the steps to a run one by one and says how each went: name, TCP,\n"
    "certificates, versions, clocks, terms, and how fast the line is. Nothing of a\n"
    "list is sent and no list is read. Run it on both sides, one with --listen and\n"
    "one with --connect; or call a run of the other side that waits already: it\n"
    "answers and waits on.\n"
    "\n"
    "link:\n" CLI_HELP_LINK
    "      --timeout TIME            how long to try to connect (default 10s), or to\n"
    "                                wait for it when listening (10m)\n"
    "\n"
    "terms, compared when both sides give a role or an agreement:\n"
    "      --role receiver|sender    this side's role\n"
    "      --function F              match (default), count or sum\n"
    "      --key COL[:PROFILE]       as in the run; only the profiles are compared\n"
    "      --reveal-to, --security, --protocol, --scheme, --min-overlap, --noise,\n"
    "      --value, --band, --peer-band, --duplicates, --offer, --rows-per-person,\n"
    "      --want                    as in the run\n"
    "\n"
    "others:\n"
    "      --json                    print the steps as JSON\n"
    "  -q, --quiet                   say only what failed\n"
    "  -v, --verbose                 say more\n"
    "  -h, --help                    show this text\n"
    "\n"
    "example:\n"
    "  tally ping --connect agency.example:7440 --identity bank-id --peer sha256:...\n";

typedef struct steps {
    int quiet;
    json_t *json; /* NULL: they are printed as they come */
} steps;

static const char *const step_names[] = {[TALLY_PING_RESOLVE] = "resolve",
                                         [TALLY_PING_CONNECT] = "connect",
                                         [TALLY_PING_AUTHENTICATE] = "authenticate",
                                         [TALLY_PING_VERSIONS] = "versions",
                                         [TALLY_PING_CLOCKS] = "clocks",
                                         [TALLY_PING_TERMS] = "terms",
                                         [TALLY_PING_LINE] = "line"},
                         *const state_names[] = {[TALLY_PING_OK] = "ok",
                                                 [TALLY_PING_WARNED] = "warning",
                                                 [TALLY_PING_SKIPPED] = "skipped",
                                                 [TALLY_PING_FAILED] = "failed"};

static void print_step(const char *step, const char *state, const char *detail)
{
    cli_column(party_local(step), 13);
    putchar(' ');
    cli_column(party_local(state), 8);
    printf(" %s\n", detail);
}

static void on_step(void *user, enum tally_ping_step step, enum tally_ping_state state,
                    const tally_error *detail)
{
    steps *s = user;
    if (s->json)
        json_array_append_new(s->json, json_pack("{s:s, s:s, s:s}", "step", step_names[step], "state",
                                                 state_names[state], "detail", detail->message));
    else if (!s->quiet || state == TALLY_PING_FAILED || state == TALLY_PING_WARNED)
        print_step(step_names[step], state_names[state], cli_shown(detail));
    fflush(stdout);
}

static void print_json(const steps *s, const tally_ping *p, const tally_error *error)
{
    json_t *all = json_pack(
        "{s:i, s:s, s:s, s:O, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:b}", "exit_status",
        tally_exit_status(error->status), "message", error->message, "hint", error->hint, "steps", s->json,
        "peer", p->peer, "peer_subject", p->peer_subject, "own_not_after", (json_int_t)p->own_not_after,
        "peer_not_after", (json_int_t)p->peer_not_after, "clock_ahead_seconds", p->clock_ahead_seconds,
        "round_trip_seconds", p->round_trip_seconds, "sent_bits_per_second", p->sent_bits_per_second,
        "received_bits_per_second", p->received_bits_per_second, "met_run", p->met_run);
    char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(all);
}

static tally_status prepare(cli_run *r, tally_error *error)
{
    cli_places places = {0};
    char *dir = NULL;
    cli_passphrase p = {.file = r->passphrase_file, .option = "--passphrase-file", .name = r->identity_name};
    tally_status st = TALLY_OK;
    if (r->peer_ca)
        st = tally_session_set_peer_ca(r->session, r->peer_ca, r->peer_name, error);
    if (!st && r->peer_crl)
        st = tally_session_set_peer_crl(r->session, r->peer_crl, error);
    if (!st)
        st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_existing(&places, r->identity_name, &dir, error);
    if (!st) /* of its last day the steps speak */
        st = cli_identity_load(&places, dir, &p, &r->identity, error);
    cli_passphrase_forget(&p);
    free(dir);
    if (!st)
        st = cli_run_agreement(r, error);
    cli_places_free(&places);
    if (st)
        return st;
    tally_session_set_timeout(r->session, r->timeout_s);
    tally_session_set_identity(r->session, r->identity);
    tally_session_set_input(r->session, r->input);
    tally_session_set_agreement(r->session, r->agreement);
    tally_session_on_log(r->session, cli_progress_log, &r->progress);
    return TALLY_OK;
}

static tally_status ping(cli_run *r, tally_error *error)
{
    tally_ping found = {.met_run = 0};
    steps s = {.quiet = cli_run_given(r, CLI_QUIET)};
    tally_status st = prepare(r, error);
    if (st)
        return st;
    if (cli_run_given(r, CLI_JSON) && !(s.json = json_array()))
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    cli_signals_begin(r->session);
    st = tally_session_ping(r->session, on_step, &s, &found, error);
    cli_signals_end();
    if (s.json)
        print_json(&s, &found, error);
    json_decref(s.json);
    fflush(stdout);
    return st;
}

int cli_ping(char *const *argv)
{
    static const enum cli_run_option options[] = {
        CLI_ROLE,      CLI_FUNCTION, CLI_LISTEN,          CLI_CONNECT,     CLI_IDENTITY,
        CLI_PEER,      CLI_PEER_CA,  CLI_PEER_NAME,       CLI_TIMEOUT,     CLI_KEY,
        CLI_REVEAL_TO, CLI_SECURITY, CLI_PROTOCOL,        CLI_SCHEME,      CLI_DUPLICATES,
        CLI_VALUE,     CLI_BAND,     CLI_PEER_BAND,       CLI_MIN_OVERLAP, CLI_NOISE,
        CLI_OFFER,     CLI_WANT,     CLI_ROWS_PER_PERSON, CLI_AGREEMENT,   CLI_JSON,
        CLI_QUIET,     CLI_VERBOSE,  CLI_PASSPHRASE_FILE, CLI_PEER_CRL,    CLI_HELP};
    static const cli_command command = {
        "ping", cli_help_ping, TALLY_MATCH, options, sizeof options / sizeof *options, CLI_KIND_PING};
    cli_run r = {.command = &command};
    tally_error error = {0};
    int help = 0;
    tally_status st = tally_session_new(&r.session, &error);
    if (!st)
        st = tally_input_new(&r.input, &error);
    if (!st)
        st = cli_run_parse(&r, argv, &help, &error);
    if (!st && help)
        cli_show_help(cli_help_ping);
    else if (!st) {
        if (!r.timeout_s)
            r.timeout_s = cli_run_given(&r, CLI_LISTEN) ? 600 : CONNECT_S;
        cli_progress_init(&r.progress, cli_run_given(&r, CLI_QUIET) ? 0 : 1 + cli_run_given(&r, CLI_VERBOSE),
                          r.timeout_s);
        st = ping(&r, &error);
    }
    if (st)
        cli_report(&error);
    tally_session_free(r.session);
    tally_input_free(r.input);
    tally_identity_free(r.identity);
    tally_agreement_free(r.agreement);
    return tally_exit_status(st);
}
