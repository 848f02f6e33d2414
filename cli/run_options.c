/* SPDX-License-Identifier: Apache-2.0 */
/* The options of match, count and sum: from the arguments to the settings of a session and its input. */
#include "cli/file.h"
#include "cli/message.h"
#include "cli/notation.h"
#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option all_options[CLI_RUN_OPTIONS] = {
    [CLI_ROLE] = {.name = "role", .takes_value = 1},
    [CLI_FUNCTION] = {.name = "function", .takes_value = 1},
    [CLI_LISTEN] = {.name = "listen", .takes_value = 1},
    [CLI_CONNECT] = {.name = "connect", .takes_value = 1},
    [CLI_IDENTITY] = {.name = "identity", .takes_value = 1},
    [CLI_PASSPHRASE_FILE] = {.name = "passphrase-file", .takes_value = 1},
    [CLI_PEER_CRL] = {.name = "peer-crl", .takes_value = 1},
    [CLI_PEER] = {.name = "peer", .takes_value = 1, .repeats = 1},
    [CLI_PEER_CA] = {.name = "peer-ca", .takes_value = 1},
    [CLI_PEER_NAME] = {.name = "peer-name", .takes_value = 1},
    [CLI_TIMEOUT] = {.name = "timeout", .takes_value = 1},
    [CLI_INPUT] = {.name = "input", .letter = 'i', .takes_value = 1},
    [CLI_KEY] = {.name = "key", .takes_value = 1, .repeats = 1},
    [CLI_ENCODING] = {.name = "encoding", .takes_value = 1},
    [CLI_DELIMITER] = {.name = "delimiter", .takes_value = 1},
    [CLI_NO_HEADER] = {.name = "no-header"},
    [CLI_REJECTS] = {.name = "rejects", .takes_value = 1},
    [CLI_MAX_REJECTS] = {.name = "max-rejects", .takes_value = 1},
    [CLI_OUTPUT] = {.name = "output", .letter = 'o', .takes_value = 1},
    [CLI_COLUMNS] = {.name = "columns", .takes_value = 1, .repeats = 1},
    [CLI_OFFER] = {.name = "offer", .takes_value = 1, .repeats = 1},
    [CLI_WANT] = {.name = "want", .takes_value = 1, .repeats = 1},
    [CLI_ROWS_PER_PERSON] = {.name = "rows-per-person", .takes_value = 1},
    [CLI_REVEAL_TO] = {.name = "reveal-to", .takes_value = 1},
    [CLI_SECURITY] = {.name = "security", .takes_value = 1},
    [CLI_PROTOCOL] = {.name = "protocol", .takes_value = 1},
    [CLI_THREADS] = {.name = "threads", .takes_value = 1},
    [CLI_SUMMARY] = {.name = "summary", .takes_value = 1},
    [CLI_JSON] = {.name = "json"},
    [CLI_QUIET] = {.name = "quiet", .letter = 'q'},
    [CLI_VERBOSE] = {.name = "verbose", .letter = 'v'},
    [CLI_FORCE] = {.name = "force"},
    [CLI_VALUE] = {.name = "value", .takes_value = 1, .repeats = 1},
    [CLI_BAND] = {.name = "band", .takes_value = 1, .repeats = 1},
    [CLI_PEER_BAND] = {.name = "peer-band", .takes_value = 1},
    [CLI_DUPLICATES] = {.name = "duplicates", .takes_value = 1},
    [CLI_SCHEME] = {.name = "scheme", .takes_value = 1},
    [CLI_MIN_OVERLAP] = {.name = "min-overlap", .takes_value = 1},
    [CLI_NOISE] = {.name = "noise", .takes_value = 1},
    [CLI_AGREEMENT] = {.name = "agreement", .takes_value = 1},
    [CLI_LEDGER] = {.name = "ledger", .takes_value = 1},
    [CLI_LOG_FILE] = {.name = "log-file", .takes_value = 1},
    [CLI_HELP] = {.name = "help", .letter = 'h'},
};

/* What every run takes. */
static const enum cli_run_option common[] = {
    CLI_ROLE,      CLI_LISTEN,    CLI_CONNECT,   CLI_IDENTITY, CLI_PASSPHRASE_FILE, CLI_PEER_CRL,
    CLI_PEER,      CLI_PEER_CA,   CLI_PEER_NAME, CLI_TIMEOUT,  CLI_INPUT,           CLI_KEY,
    CLI_ENCODING,  CLI_DELIMITER, CLI_NO_HEADER, CLI_REJECTS,  CLI_MAX_REJECTS,     CLI_REVEAL_TO,
    CLI_PROTOCOL,  CLI_THREADS,   CLI_SUMMARY,   CLI_JSON,     CLI_QUIET,           CLI_VERBOSE,
    CLI_AGREEMENT, CLI_LEDGER,    CLI_LOG_FILE,  CLI_HELP};

/* ---- Values of options ---- */

static tally_status add_key(cli_run *r, const char *value, tally_error *error)
{
    char *column = NULL;
    const char *profile = NULL;
    tally_status st = cli_split_key(value, &column, &profile, error);
    if (!st)
        st = tally_input_add_key(r->input, column, profile, error);
    if (st == TALLY_ERR_USAGE && column && profile) {
        /* The library's hint lists the profiles; a colon in a column's name is known only here. */
        const char *column_of = strlen(value) < 100 ? value : "COLUMN";
        if (*error->hint)
            cli_hint(error, "%s; if the column's name holds a colon: --key \"%s:exact\"",
                     party_hint_of(error), column_of);
        else
            cli_hint(error, "if the column's name holds a colon: --key \"%s:exact\"", column_of);
    }
    free(column);
    return st;
}

static tally_status refuse(tally_error *error, const char *message, const char *hint)
{
    cli_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, message);
    cli_hint(error, PARTY_WHOLE, hint);
    return TALLY_ERR_USAGE;
}

/* "COLUMN:WIDTH", with what follows the last colon as the width. */
static tally_status add_offer(cli_run *r, const char *value, tally_error *error)
{
    uint64_t width;
    const char *colon = strrchr(value, ':');
    if (!colon || colon == value)
        return refuse(error, "--offer needs a column and its width",
                      "such as --offer court:32 for values of up to 32 bytes of UTF-8");
    tally_status st = cli_parse_count("--offer", colon + 1, 1, 1024, &width, error);
    if (st)
        return st;
    char *column = strndup(value, (size_t)(colon - value));
    if (!column)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    st = tally_session_add_offer(r->session, column, (size_t)width, error);
    free(column);
    return st;
}

static tally_status set_role(cli_run *r, const char *value, tally_error *error)
{
    static const char *const roles[] = {"receiver", "sender", NULL};
    tally_status st = cli_parse_choice("--role", value, roles, &r->sender, error);
    if (!st)
        tally_session_set_role(r->session, r->sender ? TALLY_SENDER : TALLY_RECEIVER);
    return st;
}

/* Of a ping: a run has it from its command. */
static tally_status set_function(cli_run *r, const char *value, tally_error *error)
{
    static const char *const functions[] = {"match", "count", "sum", NULL};
    int i;
    tally_status st = cli_parse_choice("--function", value, functions, &i, error);
    if (!st)
        tally_session_set_function(r->session, (enum tally_function)i);
    return st;
}

static tally_status set_reveal(cli_run *r, const char *value, tally_error *error)
{
    static const char *const of_match[] = {"receiver", "both", NULL}, *const others[] = {"receiver", "both",
                                                                                         "sender", NULL};
    static const enum tally_reveal reveal[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_BOTH, TALLY_REVEAL_SENDER};
    int i;
    tally_status st = cli_parse_choice(
        "--reveal-to", value,
        r->command->function == TALLY_MATCH && r->command->kind == CLI_KIND_RUN ? of_match : others, &i,
        error);
    if (st)
        return st;
    r->both = i == 1;
    tally_session_set_reveal(r->session, reveal[i]);
    return TALLY_OK;
}

static tally_status set_choice(cli_run *r, int o, const char *value, tally_error *error)
{
    static const char *const models[] = {"semi-honest", "malicious", NULL},
                             *const protocols[] = {"auto", "ecdh", "vole", NULL},
                             *const schemes[] = {"auto", "rlwe", "paillier", NULL},
                             *const duplicates[] = {"sum", "max", "refuse", NULL};
    char name[32];
    const char *const *names = o == CLI_SECURITY   ? models
                               : o == CLI_PROTOCOL ? protocols
                               : o == CLI_SCHEME   ? schemes
                                                   : duplicates;
    int i;
    snprintf(name, sizeof name, "--%s", all_options[o].name);
    tally_status st = cli_parse_choice(name, value, names, &i, error);
    if (st)
        return st;
    if (o == CLI_SECURITY)
        tally_session_set_security(r->session, i ? TALLY_MALICIOUS : TALLY_SEMI_HONEST);
    else if (o == CLI_PROTOCOL)
        tally_session_set_protocol(r->session, (enum tally_protocol)i);
    else if (o == CLI_SCHEME)
        tally_session_set_scheme(r->session, (enum tally_scheme)i);
    else
        tally_input_set_duplicates(r->input, (enum tally_duplicates)(i + 1));
    return TALLY_OK;
}

/* ---- Values, bands, noise ---- */

static tally_status add_value(cli_run *r, const char *value, tally_error *error)
{
    char *column = NULL;
    int64_t min, max;
    unsigned scale;
    tally_status st = cli_parse_value("--value", value, &column, &min, &max, &scale, error);
    if (!st)
        st = tally_input_add_value(r->input, column, min, max, scale, error);
    free(column);
    return st;
}

/* Bands of an own column, or those accepted of the other side. */
static tally_status add_band(cli_run *r, int own, const char *value, tally_error *error)
{
    char *column = NULL;
    int64_t edges[CLI_EDGES_MAX];
    size_t count;
    unsigned scale;
    tally_status st =
        cli_parse_band(own ? "--band" : "--peer-band", value, &column, edges, &count, &scale, error);
    if (!st)
        st = own ? tally_input_add_band(r->input, column, edges, count, scale, error)
                 : tally_session_add_peer_band(r->session, column, edges, count, scale, error);
    free(column);
    return st;
}

static tally_status set_noise(cli_run *r, const char *value, tally_error *error)
{
    uint64_t micro;
    tally_status st = cli_parse_epsilon("--noise", value, &micro, error);
    if (!st)
        st = tally_session_set_noise(r->session, micro, error);
    if (!st)
        tally_input_set_clip(r->input, 1);
    return st;
}

/* ---- Options ---- */

static tally_status set_number(cli_run *r, int o, const char *value, tally_error *error)
{
    uint64_t rows, ppm;
    tally_status st;
    if (o == CLI_TIMEOUT)
        return cli_parse_duration("--timeout", value, &r->timeout_s, error);
    if (o == CLI_THREADS) {
        st = cli_parse_count("--threads", value, 1, 256, &rows, error);
        if (!st)
            tally_session_set_threads(r->session, (unsigned)rows);
        return st;
    }
    if (o == CLI_ROWS_PER_PERSON) {
        st = cli_parse_count("--rows-per-person", value, 1, 64, &rows, error);
        return st ? st : tally_session_set_rows_per_person(r->session, (unsigned)rows, error);
    }
    if (o == CLI_MIN_OVERLAP) {
        st = cli_parse_count(
            "--min-overlap", value, 2,
            r->command->function == TALLY_MATCH && r->command->kind == CLI_KIND_RUN ? 1000 : 1 << 30, &rows,
            error);
        return st ? st : tally_session_set_min_overlap(r->session, rows, error);
    }
    st = cli_parse_limit("--max-rejects", value, &rows, &ppm, error);
    if (!st)
        tally_input_set_max_rejects(r->input, rows, ppm);
    return st;
}

/* Options the library takes as they come. */
static tally_status set_text(cli_run *r, int o, const char *value, tally_error *error)
{
    char delimiter;
    tally_status st = TALLY_OK;
    switch (o) {
    case CLI_LISTEN:
        return tally_session_set_listen(r->session, value, error);
    case CLI_CONNECT:
        return tally_session_set_connect(r->session, value, error);
    case CLI_PEER:
        return tally_session_add_peer_pin(r->session, value, error);
    case CLI_KEY:
        return add_key(r, value, error);
    case CLI_ENCODING:
        return tally_input_set_encoding(r->input, value, error);
    case CLI_DELIMITER:
        st = cli_parse_delimiter("--delimiter", value, &delimiter, error);
        return st ? st : tally_input_set_delimiter(r->input, delimiter, error);
    case CLI_COLUMNS:
        return tally_session_add_output_column(r->session, value, error);
    case CLI_OFFER:
        return add_offer(r, value, error);
    case CLI_WANT:
        return tally_session_add_want(r->session, value, error);
    case CLI_VALUE:
        return add_value(r, value, error);
    case CLI_BAND:
    case CLI_PEER_BAND:
        return add_band(r, o == CLI_BAND, value, error);
    case CLI_NOISE:
        return set_noise(r, value, error);
    case CLI_INPUT:
        r->input_path = value;
        return tally_input_set_file(r->input, value, error);
    default:
        r->rejects = value;
        return tally_input_set_rejects_file(r->input, value, error);
    }
}

static tally_status set_option(cli_run *r, int o, const char *value, tally_error *error)
{
    char name[32];
    tally_status st;
    switch (o) {
    case CLI_ROLE:
        return set_role(r, value, error);
    case CLI_FUNCTION:
        return set_function(r, value, error);
    case CLI_REVEAL_TO:
        return set_reveal(r, value, error);
    case CLI_SECURITY:
    case CLI_PROTOCOL:
    case CLI_SCHEME:
    case CLI_DUPLICATES:
        return set_choice(r, o, value, error);
    case CLI_TIMEOUT:
    case CLI_THREADS:
    case CLI_ROWS_PER_PERSON:
    case CLI_MAX_REJECTS:
    case CLI_MIN_OVERLAP:
        return set_number(r, o, value, error);
    case CLI_IDENTITY:
        r->identity_name = value;
        return TALLY_OK;
    case CLI_PASSPHRASE_FILE:
        r->passphrase_file = value;
        return TALLY_OK;
    case CLI_PEER_CRL:
        r->peer_crl = value;
        return TALLY_OK;
    case CLI_PEER_CA:
        r->peer_ca = value;
        return TALLY_OK;
    case CLI_PEER_NAME:
        r->peer_name = value;
        return TALLY_OK;
    case CLI_AGREEMENT:
        r->agreement_path = value;
        return TALLY_OK;
    case CLI_LEDGER:
        r->ledger_path = value;
        return TALLY_OK;
    case CLI_LOG_FILE:
        r->log_given = value;
        return TALLY_OK;
    case CLI_OUTPUT:
        r->output = value;
        return TALLY_OK;
    case CLI_SUMMARY:
        r->summary = value;
        return TALLY_OK;
    case CLI_NO_HEADER:
        tally_input_set_header(r->input, 0);
        return TALLY_OK;
    case CLI_JSON:
    case CLI_QUIET:
    case CLI_VERBOSE:
    case CLI_FORCE:
    case CLI_HELP:
        return TALLY_OK; /* asked for by cli_args_seen */
    default:
        st = set_text(r, o, value, error);
        snprintf(name, sizeof name, "--%s", all_options[o].name);
        /* Messages of the library do not know what the option is called. */
        if (st == TALLY_ERR_USAGE && strncmp(error->message, name, strlen(name)) != 0)
            cli_prefix(error, name);
        return st;
    }
}

static tally_status check_link(const cli_run *r, tally_error *error)
{
    int agreed = r->agreement_path != NULL, run = r->command->kind == CLI_KIND_RUN;
    if (run && !agreed && !cli_run_given(r, CLI_ROLE) && !cli_run_given(r, CLI_PEER) && !r->peer_ca)
        return refuse(
            error, "neither --agreement nor --role is given",
            "--agreement FILE for a run that both sides have signed; without one, --role, --peer, --key and "
            "--listen or --connect make a trial");
    if (run && !cli_run_given(r, CLI_ROLE) && !agreed)
        return refuse(error, "--role is missing",
                      r->command->function == TALLY_MATCH
                          ? "--role receiver for the side that learns which rows match, --role sender for "
                            "the other"
                          : "--role receiver for the side that asks, --role sender for the other");
    if (!cli_run_given(r, CLI_LISTEN) && !cli_run_given(r, CLI_CONNECT) && !agreed)
        return refuse(error, "--listen or --connect is missing",
                      "one side waits with --listen HOST:PORT, the other calls it with --connect HOST:PORT");
    if (cli_run_given(r, CLI_LISTEN) && cli_run_given(r, CLI_CONNECT))
        return refuse(error, "--listen and --connect exclude each other",
                      "one side listens, the other connects");
    if (!r->identity_name)
        return refuse(error, "--identity is missing",
                      "it says who you are: the name of an identity in the home; the first is made by tally "
                      "identity new "
                      "NAME --organisation \"...\"");
    if (r->peer_ca && !r->peer_name && !agreed)
        return refuse(error, "--peer-ca needs --peer-name",
                      "an authority signs many certificates; name the subject to accept, such as "
                      "\"CN=bank-id,O=Example Bank\"");
    if (r->peer_crl && !r->peer_ca)
        return refuse(
            error, "--peer-crl needs --peer-ca",
            "a list of revoked certificates is that of an authority; a key is revoked by tally peer "
            "revoke");
    if (r->peer_name && !r->peer_ca)
        return refuse(error, "--peer-name needs --peer-ca",
                      "give the authority's certificates, or the fingerprint of the other side with --peer");
    if (!cli_run_given(r, CLI_PEER) && !r->peer_ca && !agreed)
        return refuse(error, "--peer is missing",
                      "the other side finds its fingerprint with: tally identity show NAME");
    return TALLY_OK;
}

/* Under an agreement the library knows more: these are for what is said here alone. */
static tally_status check_match(const cli_run *r, tally_error *error)
{
    if (r->agreement_path)
        return TALLY_OK;
    if (r->output && r->sender && !r->both)
        return refuse(error, "--output is not for a sender: it does not learn which rows match",
                      "leave it out, or agree with the other side on --reveal-to both");
    if (cli_run_given(r, CLI_COLUMNS) && !r->output)
        return refuse(error, "--columns needs --output", "say where the columns go: --output FILE");
    if (cli_run_given(r, CLI_OFFER) && !r->sender)
        return refuse(error, "--offer is for the sender", "the receiver says which columns it takes: --want");
    if (cli_run_given(r, CLI_WANT) && r->sender)
        return refuse(error, "--want is for the receiver", "the sender says which columns it gives: --offer");
    if (cli_run_given(r, CLI_WANT) && !r->output)
        return refuse(error, "--want needs --output", "say where the columns go: --output FILE");
    if (cli_run_given(r, CLI_ROWS_PER_PERSON) && !cli_run_given(r, CLI_OFFER) && !cli_run_given(r, CLI_WANT))
        return refuse(error, "--rows-per-person needs --offer or --want",
                      "it is the number of rows whose columns are sent for one identifier");
    if (cli_run_given(r, CLI_MIN_OVERLAP) && !cli_run_given(r, CLI_OFFER) && !cli_run_given(r, CLI_WANT))
        return refuse(error, "--min-overlap needs --offer or --want",
                      "a match tells the receiver which rows match whatever their number is; a minimum holds "
                      "for columns, and for tally count and tally sum");
    return TALLY_OK;
}

static tally_status check_sum(const cli_run *r, tally_error *error)
{
    int owner = cli_run_given(r, CLI_VALUE);
    if (r->agreement_path)
        return TALLY_OK;
    if (cli_run_given(r, CLI_PEER_BAND) && !owner)
        return refuse(error, "--peer-band is for the side with the values",
                      "bands of a column of your own: --band");
    if (cli_run_given(r, CLI_DUPLICATES) && !owner && !cli_run_given(r, CLI_BAND))
        return refuse(error, "--duplicates needs --value or --band",
                      "it says what the numbers of several rows with one identifier come to");
    return TALLY_OK;
}

/* tally check: keys may be left out, to have some proposed. */
static tally_status check_check(const cli_run *r, tally_error *error)
{
    if (!r->input_path)
        return refuse(error, "--input is missing", "give your list, a CSV file: --input FILE");
    if (r->agreement_path && !cli_run_given(r, CLI_ROLE))
        return refuse(error, "--role is missing",
                      "the agreement names columns for both sides: --role receiver or --role sender");
    if (!r->agreement_path && cli_run_given(r, CLI_ROLE))
        return refuse(error, "--role needs --agreement",
                      "without an agreement a list has no role: leave it out");
    if (r->rejects && strcmp(r->rejects, "-") == 0)
        return refuse(error, "--rejects needs the name of a file",
                      "the rejected rows are not for standard output: --rejects FILE");
    return TALLY_OK;
}

static tally_status check_options(const cli_run *r, tally_error *error)
{
    if (r->command->kind == CLI_KIND_CHECK)
        return check_check(r, error);
    tally_status st = check_link(r, error);
    if (st)
        return st;
    if (r->command->kind == CLI_KIND_PING && r->agreement_path == NULL && cli_run_given(r, CLI_ROLE) &&
        !cli_run_given(r, CLI_KEY))
        return refuse(error, "--key is missing",
                      "with --role the terms are compared: give the keys of the run as well");
    if (r->command->kind == CLI_KIND_PING)
        return TALLY_OK;
    if (!r->input_path)
        return refuse(error, "--input is missing", "give your list, a CSV file: --input FILE");
    if (!cli_run_given(r, CLI_KEY) && !r->agreement_path)
        return refuse(error, "--key is missing",
                      "say which column identifies a row, such as --key id_card:cn-resident-id");
    if (r->summary && strcmp(r->summary, "-") == 0)
        return refuse(error, "--summary needs the name of a file",
                      "to have the figures on standard output, use --json");
    if (r->rejects && strcmp(r->rejects, "-") == 0)
        return refuse(error, "--rejects needs the name of a file",
                      "the rejected rows are not for standard output: --rejects FILE");
    if (r->output && strcmp(r->output, "-") == 0 && cli_run_given(r, CLI_JSON))
        return refuse(error, "--json and --output - both want standard output",
                      "write the rows with --output FILE, or the figures with --summary FILE");
    if (cli_run_given(r, CLI_QUIET) && cli_run_given(r, CLI_VERBOSE))
        return refuse(error, "--quiet and --verbose exclude each other", "leave one of them out");
    return r->command->function == TALLY_MATCH ? check_match(r, error)
           : r->command->function == TALLY_SUM ? check_sum(r, error)
                                               : TALLY_OK;
}

/* Two of the run's files must not be one. */
static tally_status check_distinct(const cli_run *r, tally_error *error)
{
    const struct {
        const char *option, *path;
    } files[] = {{"--input", r->input_path},         {"--output", r->output},
                 {"--rejects", r->rejects},          {"--summary", r->summary},
                 {"--agreement", r->agreement_path}, {"--ledger", r->ledger_path},
                 {"--log-file", r->log_given}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t j = 0; j < i; j++) {
            const char *a = files[i].path, *b = files[j].path;
            if (!a || !b || strcmp(a, "-") == 0 || strcmp(b, "-") == 0 || !cli_file_same(a, b))
                continue;
            cli_fail(error, TALLY_ERR_USAGE, "%s and %s are the same file: %s", files[j].option,
                     files[i].option, a);
            cli_hint(error, "give each a name of its own");
            return TALLY_ERR_USAGE;
        }
    return TALLY_OK;
}

static void fill_table(cli_run *r)
{
    const cli_command *c = r->command;
    size_t every = c->kind == CLI_KIND_RUN ? sizeof common / sizeof *common : 0;
    for (size_t i = 0; i < every + c->count; i++) {
        enum cli_run_option o = i < every ? common[i] : c->options[i - every];
        r->table[r->options] = all_options[o];
        r->which[r->options++] = o;
    }
}

tally_status cli_run_parse(cli_run *r, char *const *argv, int *help, tally_error *error)
{
    const char *value;
    int i;
    fill_table(r);
    cli_args_init(&r->args, r->table, r->options, argv);
    while ((i = cli_args_next(&r->args, &value, error)) != CLI_END) {
        if (i == CLI_WORD) {
            cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
            cli_hint(error, "tally %s takes options only; tally %s --help lists them", r->command->name,
                     r->command->name);
            i = CLI_BAD;
        }
        if (i == CLI_BAD)
            return error->status;
        enum cli_run_option o = r->which[i];
        if (o == CLI_HELP) {
            *help = 1;
            return TALLY_OK;
        }
        r->given |= (uint64_t)1 << o;
        tally_status st = set_option(r, (int)o, value, error);
        if (st)
            return st;
    }
    tally_status st = check_options(r, error);
    return st ? st : check_distinct(r, error);
}
