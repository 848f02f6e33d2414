/* SPDX-License-Identifier: Apache-2.0 */
/* tally match: options to a session, the run, what is said about it. */
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/file.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/progress.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_help_match[] =
    "usage: tally match --role ROLE --listen|--connect HOST:PORT --identity NAME\n"
    "           --peer sha256:... --input FILE --key COL[:PROFILE] [OPTIONS]\n"
    "\n"
    "Matches your list with the other side's. The receiver learns which of its\n"
    "rows are on the sender's list; both sides learn the size of the other list.\n"
    "Each side runs the command once, in opposite roles and in any order.\n"
    "\n"
    "link:\n"
    "      --role receiver|sender    who learns which rows match: the receiver\n"
    "      --listen HOST:PORT        wait here for the other side, or\n"
    "      --connect HOST:PORT       call it there (IPv6 in brackets)\n"
    "      --identity NAME           your identity (tally identity new)\n"
    "      --peer sha256:HEX         fingerprint of the other side; may be repeated\n"
    "      --peer-ca FILE            authority that signed the other side's\n"
    "                                certificate; needs --peer-name\n"
    "      --peer-name SUBJECT       exact subject of that certificate\n"
    "      --timeout TIME            how long to wait for the other side: 90s, 10m,\n"
    "                                2h (default 10m)\n"
    "\n"
    "input:\n"
    "  -i, --input FILE              your list, a CSV file; - is standard input\n"
    "      --key COL[:PROFILE]       column that identifies a row; repeated for a\n"
    "                                composite. Profiles: exact (default),\n"
    "                                cn-resident-id, cn-uscc, phone-e164,\n"
    "                                phone-e164+CC (CC: country code to assume)\n"
    "      --encoding ENCODING       utf-8 (default) or gb18030\n"
    "      --delimiter C             one character, or tab (default ,)\n"
    "      --no-header               columns are numbered from 1\n"
    "      --rejects FILE            write line and reason of each rejected row\n"
    "      --max-rejects N|P%        stop if more rows are rejected (default: none)\n"
    "\n"
    "run:\n"
    "  -o, --output FILE             where the matching rows go; - is standard\n"
    "                                output. For the receiver, and for a sender\n"
    "                                with --reveal-to both; without it only the\n"
    "                                counts are shown\n"
    "      --columns COL             write only this column; may be repeated\n"
    "      --offer COL:WIDTH         sender: the receiver may have this column of the\n"
    "                                matching rows, up to WIDTH bytes of UTF-8 each\n"
    "                                (1 to 1024); may be repeated\n"
    "      --want COL                receiver: append this offered column of the\n"
    "                                sender's rows; may be repeated\n"
    "      --rows-per-person N       with the two above: most rows of the sender with\n"
    "                                one identifier, 1 to 64 (default 1)\n"
    "      --reveal-to WHO           who learns its matching rows: receiver\n"
    "                                (default) or both\n"
    "      --security MODEL          semi-honest (default) or malicious\n"
    "      --protocol NAME           auto (the default), ecdh or vole; auto says what it\n"
    "                                picked\n"
    "      --threads N               at most N worker threads (default: all cores)\n"
    "      --summary FILE            write figures of the run as JSON\n"
    "      --json                    print them on standard output too\n"
    "  -q, --quiet                   say only warnings and errors\n"
    "  -v, --verbose                 say more\n"
    "      --force                   replace an output file that exists\n"
    "  -h, --help                    show this text\n"
    "\n"
    "example:\n"
    "  tally match --role sender --listen 0.0.0.0:7440 \\\n"
    "      --identity agency-id --peer sha256:... \\\n"
    "      --input agency.csv --key id_number:cn-resident-id\n"
    "  tally match --role receiver --connect agency.example:7440 \\\n"
    "      --identity bank-id --peer sha256:... \\\n"
    "      --input bank.csv --key id_card:cn-resident-id --output overlap.csv\n";

enum {
    ROLE,
    LISTEN,
    CONNECT,
    IDENTITY,
    PEER,
    PEER_CA,
    PEER_NAME,
    TIMEOUT,
    INPUT,
    KEY,
    ENCODING,
    DELIMITER,
    NO_HEADER,
    REJECTS,
    MAX_REJECTS,
    OUTPUT,
    COLUMNS,
    OFFER,
    WANT,
    ROWS_PER_PERSON,
    REVEAL_TO,
    SECURITY,
    PROTOCOL,
    THREADS,
    SUMMARY,
    JSON,
    QUIET,
    VERBOSE,
    FORCE,
    HELP,
    OPTIONS
};

static const cli_option option_table[OPTIONS] = {
    [ROLE] = {.name = "role", .takes_value = 1},
    [LISTEN] = {.name = "listen", .takes_value = 1},
    [CONNECT] = {.name = "connect", .takes_value = 1},
    [IDENTITY] = {.name = "identity", .takes_value = 1},
    [PEER] = {.name = "peer", .takes_value = 1, .repeats = 1},
    [PEER_CA] = {.name = "peer-ca", .takes_value = 1},
    [PEER_NAME] = {.name = "peer-name", .takes_value = 1},
    [TIMEOUT] = {.name = "timeout", .takes_value = 1},
    [INPUT] = {.name = "input", .letter = 'i', .takes_value = 1},
    [KEY] = {.name = "key", .takes_value = 1, .repeats = 1},
    [ENCODING] = {.name = "encoding", .takes_value = 1},
    [DELIMITER] = {.name = "delimiter", .takes_value = 1},
    [NO_HEADER] = {.name = "no-header"},
    [REJECTS] = {.name = "rejects", .takes_value = 1},
    [MAX_REJECTS] = {.name = "max-rejects", .takes_value = 1},
    [OUTPUT] = {.name = "output", .letter = 'o', .takes_value = 1},
    [COLUMNS] = {.name = "columns", .takes_value = 1, .repeats = 1},
    [OFFER] = {.name = "offer", .takes_value = 1, .repeats = 1},
    [WANT] = {.name = "want", .takes_value = 1, .repeats = 1},
    [ROWS_PER_PERSON] = {.name = "rows-per-person", .takes_value = 1},
    [REVEAL_TO] = {.name = "reveal-to", .takes_value = 1},
    [SECURITY] = {.name = "security", .takes_value = 1},
    [PROTOCOL] = {.name = "protocol", .takes_value = 1},
    [THREADS] = {.name = "threads", .takes_value = 1},
    [SUMMARY] = {.name = "summary", .takes_value = 1},
    [JSON] = {.name = "json"},
    [QUIET] = {.name = "quiet", .letter = 'q'},
    [VERBOSE] = {.name = "verbose", .letter = 'v'},
    [FORCE] = {.name = "force"},
    [HELP] = {.name = "help", .letter = 'h'},
};

typedef struct match {
    cli_args args;
    tally_session *session;
    tally_input *input;
    tally_identity *identity;
    cli_progress progress;
    int sender, both; /* from --role and --reveal-to */
    unsigned timeout_s;
    const char *identity_name, *peer_ca, *peer_name, *input_path, *rejects, *output, *summary;
} match;

/* ---- Options ---- */

static tally_status add_key(match *m, const char *value, tally_error *error)
{
    char *column = NULL;
    const char *profile = NULL;
    tally_status st = cli_split_key(value, &column, &profile, error);
    if (!st)
        st = tally_input_add_key(m->input, column, profile, error);
    if (st == TALLY_ERR_USAGE && column && profile) {
        /* The library's hint lists the profiles; a colon in a column's name is known only here. */
        size_t used = strlen(error->hint);
        snprintf(error->hint + used, sizeof error->hint - used,
                 "%sif the column's name holds a colon: --key \"%s:exact\"", used ? "; " : "",
                 strlen(value) < 100 ? value : "COLUMN");
    }
    free(column);
    return st;
}

static tally_status refuse(tally_error *error, const char *message, const char *hint)
{
    cli_fail(error, TALLY_ERR_USAGE, "%s", message);
    cli_hint(error, "%s", hint);
    return TALLY_ERR_USAGE;
}

/* "COLUMN:WIDTH", with what follows the last colon as the width. */
static tally_status add_offer(match *m, const char *value, tally_error *error)
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
    st = tally_session_add_offer(m->session, column, (size_t)width, error);
    free(column);
    return st;
}

static tally_status set_choice(match *m, int o, const char *value, tally_error *error)
{
    static const char *const roles[] = {"receiver", "sender", NULL},
                             *const reveals[] = {"receiver", "both", NULL},
                             *const models[] = {"semi-honest", "malicious", NULL},
                             *const protocols[] = {"auto", "ecdh", "vole", NULL};
    int i;
    tally_status st;
    switch (o) {
    case ROLE:
        st = cli_parse_choice("--role", value, roles, &i, error);
        if (st)
            return st;
        m->sender = i;
        tally_session_set_role(m->session, i ? TALLY_SENDER : TALLY_RECEIVER);
        return TALLY_OK;
    case REVEAL_TO:
        st = cli_parse_choice("--reveal-to", value, reveals, &i, error);
        if (st)
            return st;
        m->both = i;
        tally_session_set_reveal(m->session, i ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER);
        return TALLY_OK;
    case SECURITY:
        st = cli_parse_choice("--security", value, models, &i, error);
        if (st)
            return st;
        tally_session_set_security(m->session, i ? TALLY_MALICIOUS : TALLY_SEMI_HONEST);
        return TALLY_OK;
    default:
        st = cli_parse_choice("--protocol", value, protocols, &i, error);
        if (st)
            return st;
        tally_session_set_protocol(m->session,
                                   (enum tally_protocol[]){TALLY_AUTO, TALLY_ECDH, TALLY_VOLE}[i]);
        return TALLY_OK;
    }
}

static tally_status set_number(match *m, int o, const char *value, tally_error *error)
{
    uint64_t rows, ppm;
    tally_status st;
    if (o == TIMEOUT)
        return cli_parse_duration("--timeout", value, &m->timeout_s, error);
    if (o == THREADS) {
        st = cli_parse_count("--threads", value, 1, 256, &rows, error);
        if (!st)
            tally_session_set_threads(m->session, (unsigned)rows);
        return st;
    }
    if (o == ROWS_PER_PERSON) {
        st = cli_parse_count("--rows-per-person", value, 1, 64, &rows, error);
        return st ? st : tally_session_set_rows_per_person(m->session, (unsigned)rows, error);
    }
    st = cli_parse_limit("--max-rejects", value, &rows, &ppm, error);
    if (!st)
        tally_input_set_max_rejects(m->input, rows, ppm);
    return st;
}

/* Options the library takes as they come. */
static tally_status set_text(match *m, int o, const char *value, tally_error *error)
{
    char delimiter;
    tally_status st = TALLY_OK;
    switch (o) {
    case LISTEN:
        return tally_session_set_listen(m->session, value, error);
    case CONNECT:
        return tally_session_set_connect(m->session, value, error);
    case PEER:
        return tally_session_add_peer_pin(m->session, value, error);
    case KEY:
        return add_key(m, value, error);
    case ENCODING:
        return tally_input_set_encoding(m->input, value, error);
    case DELIMITER:
        st = cli_parse_delimiter("--delimiter", value, &delimiter, error);
        return st ? st : tally_input_set_delimiter(m->input, delimiter, error);
    case COLUMNS:
        return tally_session_add_output_column(m->session, value, error);
    case OFFER:
        return add_offer(m, value, error);
    case WANT:
        return tally_session_add_want(m->session, value, error);
    case INPUT:
        m->input_path = value;
        return tally_input_set_file(m->input, value, error);
    default:
        m->rejects = value;
        return tally_input_set_rejects_file(m->input, value, error);
    }
}

static tally_status set_option(match *m, int o, const char *value, tally_error *error)
{
    char name[32];
    tally_status st;
    switch (o) {
    case ROLE:
    case REVEAL_TO:
    case SECURITY:
    case PROTOCOL:
        return set_choice(m, o, value, error);
    case TIMEOUT:
    case THREADS:
    case ROWS_PER_PERSON:
    case MAX_REJECTS:
        return set_number(m, o, value, error);
    case IDENTITY:
        m->identity_name = value;
        return TALLY_OK;
    case PEER_CA:
        m->peer_ca = value;
        return TALLY_OK;
    case PEER_NAME:
        m->peer_name = value;
        return TALLY_OK;
    case OUTPUT:
        m->output = value;
        return TALLY_OK;
    case SUMMARY:
        m->summary = value;
        return TALLY_OK;
    case NO_HEADER:
        tally_input_set_header(m->input, 0);
        return TALLY_OK;
    case JSON:
    case QUIET:
    case VERBOSE:
    case FORCE:
    case HELP:
        return TALLY_OK; /* asked for by cli_args_seen */
    default:
        st = set_text(m, o, value, error);
        snprintf(name, sizeof name, "--%s", option_table[o].name);
        /* Messages of the library do not know what the option is called. */
        if (st == TALLY_ERR_USAGE && strncmp(error->message, name, strlen(name)) != 0)
            cli_prefix(error, name);
        return st;
    }
}

static tally_status check_link(const match *m, tally_error *error)
{
    const cli_args *a = &m->args;
    if (!cli_args_seen(a, ROLE))
        return refuse(error, "--role is missing",
                      "--role receiver for the side that learns which rows match, --role sender for "
                      "the other");
    if (!cli_args_seen(a, LISTEN) && !cli_args_seen(a, CONNECT))
        return refuse(error, "--listen or --connect is missing",
                      "one side waits with --listen HOST:PORT, the other calls it with --connect HOST:PORT");
    if (cli_args_seen(a, LISTEN) && cli_args_seen(a, CONNECT))
        return refuse(error, "--listen and --connect exclude each other",
                      "one side listens, the other connects");
    if (!m->identity_name)
        return refuse(error, "--identity is missing",
                      "make one with: tally identity new NAME --organisation \"...\"");
    if (m->peer_ca && !m->peer_name)
        return refuse(error, "--peer-ca needs --peer-name",
                      "an authority signs many certificates; name the subject to accept, such as "
                      "\"CN=bank-id,O=Example Bank\"");
    if (m->peer_name && !m->peer_ca)
        return refuse(error, "--peer-name needs --peer-ca",
                      "give the authority's certificates, or the fingerprint of the other side with --peer");
    if (!cli_args_seen(a, PEER) && !m->peer_ca)
        return refuse(error, "--peer is missing",
                      "the other side finds its fingerprint with: tally identity show NAME");
    return TALLY_OK;
}

static tally_status check_options(const match *m, tally_error *error)
{
    const cli_args *a = &m->args;
    int learns = !m->sender || m->both;
    tally_status st = check_link(m, error);
    if (st)
        return st;
    if (!m->input_path)
        return refuse(error, "--input is missing", "give your list, a CSV file: --input FILE");
    if (!cli_args_seen(a, KEY))
        return refuse(error, "--key is missing",
                      "say which column identifies a row, such as --key id_card:cn-resident-id");
    if (m->output && !learns)
        return refuse(error, "--output is not for a sender: it does not learn which rows match",
                      "leave it out, or agree with the other side on --reveal-to both");
    if (cli_args_seen(a, COLUMNS) && !m->output)
        return refuse(error, "--columns needs --output", "say where the columns go: --output FILE");
    if (cli_args_seen(a, OFFER) && !m->sender)
        return refuse(error, "--offer is for the sender", "the receiver says which columns it takes: --want");
    if (cli_args_seen(a, WANT) && m->sender)
        return refuse(error, "--want is for the receiver", "the sender says which columns it gives: --offer");
    if (cli_args_seen(a, WANT) && !m->output)
        return refuse(error, "--want needs --output", "say where the columns go: --output FILE");
    if (cli_args_seen(a, ROWS_PER_PERSON) && !cli_args_seen(a, OFFER) && !cli_args_seen(a, WANT))
        return refuse(error, "--rows-per-person needs --offer or --want",
                      "it is the number of rows whose columns are sent for one identifier");
    if (m->output && strcmp(m->output, "-") == 0 && cli_args_seen(a, JSON))
        return refuse(error, "--json and --output - both want standard output",
                      "write the rows with --output FILE, or the figures with --summary FILE");
    if (m->summary && strcmp(m->summary, "-") == 0)
        return refuse(error, "--summary needs the name of a file",
                      "to have the summary on standard output, use --json");
    if (m->rejects && strcmp(m->rejects, "-") == 0)
        return refuse(error, "--rejects needs the name of a file",
                      "the rejected rows are not for standard output: --rejects FILE");
    if (cli_args_seen(a, QUIET) && cli_args_seen(a, VERBOSE))
        return refuse(error, "--quiet and --verbose exclude each other", "leave one of them out");
    return TALLY_OK;
}

/* Two of the run's files must not be one. */
static tally_status check_distinct(const match *m, tally_error *error)
{
    const struct {
        const char *option, *path;
    } files[] = {{"--input", m->input_path},
                 {"--output", m->output},
                 {"--rejects", m->rejects},
                 {"--summary", m->summary}};
    for (size_t i = 0; i < 4; i++)
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

/* TALLY_OK with *help = 1 when help was asked for. */
static tally_status parse(match *m, char *const *argv, int *help, tally_error *error)
{
    const char *value;
    int o;
    cli_args_init(&m->args, option_table, OPTIONS, argv);
    while ((o = cli_args_next(&m->args, &value, error)) != CLI_END) {
        if (o == HELP) {
            *help = 1;
            return TALLY_OK;
        }
        if (o == CLI_WORD) {
            cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
            cli_hint(error, "tally match takes options only; tally match --help lists them");
            o = CLI_BAD;
        }
        if (o == CLI_BAD)
            return error->status;
        tally_status st = set_option(m, o, value, error);
        if (st)
            return st;
    }
    tally_status st = check_options(m, error);
    return st ? st : check_distinct(m, error);
}

/* ---- The run ---- */

/* What a look at the disk can tell before the other side is kept waiting. */
static tally_status prepare(match *m, tally_error *error)
{
    cli_places places = {0};
    char *dir = NULL;
    int force = cli_args_seen(&m->args, FORCE), verbose = cli_args_seen(&m->args, VERBOSE);
    tally_status st = TALLY_OK;
    if (m->output && strcmp(m->output, "-") != 0)
        st = cli_file_check("--output", m->output, force, error);
    if (!st && m->summary)
        st = cli_file_check("--summary", m->summary, 1, error);
    if (!st && m->rejects)
        st = cli_file_check("--rejects", m->rejects, 1, error);
    if (!st && m->output)
        st = tally_session_set_output(m->session, m->output, force, error);
    if (!st && m->peer_ca)
        st = tally_session_set_peer_ca(m->session, m->peer_ca, m->peer_name, error);
    if (!st)
        st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_existing(&places, m->identity_name, &dir, error);
    if (!st)
        st = tally_identity_load(dir, &m->identity, error);
    free(dir);
    cli_places_free(&places);
    if (st)
        return st;
    cli_warn_expiry(m->identity_name, tally_identity_not_after(m->identity));
    cli_progress_init(&m->progress, cli_args_seen(&m->args, QUIET) ? 0 : 1 + verbose, m->timeout_s);
    tally_session_set_timeout(m->session, m->timeout_s);
    tally_session_set_identity(m->session, m->identity);
    tally_session_set_input(m->session, m->input);
    tally_session_on_progress(m->session, cli_progress_update, &m->progress);
    tally_session_on_log(m->session, cli_progress_log, &m->progress);
    return TALLY_OK;
}

static tally_session *volatile running; /* what a signal cancels; set before the handlers are */

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    tally_session_cancel(running);
    errno = saved;
}

/* handler: on_signal, or SIG_DFL. A SIGHUP that is ignored (nohup) stays ignored. Calls are interrupted, not
   restarted, so that opening a pipe nobody writes to ends as well. */
static void set_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = handler}, old;
        sigemptyset(&action.sa_mask);
        /* A second Ctrl-C ends the program at once. */
        if (numbers[i] == SIGINT)
            action.sa_flags = (int)SA_RESETHAND;
        if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
            continue;
        sigaction(numbers[i], &action, NULL);
    }
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

static void say_result(const match *m)
{
    tally_result r;
    char sent[32], received[32];
    const char *learned = tally_session_learned(m->session);
    tally_session_get_result(m->session, &r);
    if (r.learns_matches) {
        int to_file = m->output && strcmp(m->output, "-") != 0;
        cli_note("%llu of %llu identifiers match, in %llu rows%s%s", (unsigned long long)r.matched_items,
                 (unsigned long long)r.own_items, (unsigned long long)r.matched_rows,
                 to_file ? ", written to " : "", to_file ? m->output : "");
    }
    bytes_text(sent, r.bytes_sent);
    bytes_text(received, r.bytes_received);
    cli_note("sent %s, received %s", sent, received);
    if (*learned)
        cli_note("%c%s", tolower((unsigned char)*learned), learned + 1);
}

/* The figures of the run, to --summary and --json; also of a failed one. */
static tally_status write_summary(const match *m, tally_error *error)
{
    tally_status st = TALLY_OK;
    int json = cli_args_seen(&m->args, JSON);
    if (!m->summary && !json)
        return TALLY_OK;
    char *text = tally_session_summary_json(m->session);
    if (!text)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory for the summary");
    if (m->summary)
        st = cli_file_write(m->summary, text, error);
    if (json)
        printf("%s\n", text);
    free(text);
    return st;
}

static tally_status run(match *m, tally_error *error)
{
    tally_error second;
    running = m->session;
    set_signals(on_signal);
    tally_status st = tally_session_run(m->session, error);
    cli_progress_end(&m->progress);
    set_signals(SIG_DFL);
    if (st)
        cli_report(error);
    else if (m->progress.verbosity > 0)
        say_result(m);
    tally_status written = write_summary(m, &second);
    if (written)
        cli_report(&second);
    return st ? st : written;
}

int cli_match(char *const *argv)
{
    match m = {.timeout_s = 600};
    tally_error error = {0};
    int help = 0, ran = 0;
    tally_status st = tally_session_new(&m.session, &error);
    if (!st)
        st = tally_input_new(&m.input, &error);
    if (!st)
        st = parse(&m, argv, &help, &error);
    if (!st && help)
        cli_show_help(cli_help_match);
    if (!st && !help)
        st = prepare(&m, &error);
    if (!st && !help) {
        ran = 1;
        st = run(&m, &error);
    }
    if (st && !ran)
        cli_report(&error);
    tally_session_free(m.session);
    tally_input_free(m.input);
    tally_identity_free(m.identity);
    return tally_exit_status(st);
}
