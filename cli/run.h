/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What match, count and sum share: takes the arguments of one of them, gives a session, its run, what is said
 * about it, and the exit status. Each command has a file of its own with its help and its options.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/home.h"
#include "cli/options.h"
#include "cli/progress.h"

/* Every option that a run can have. */
enum cli_run_option {
    CLI_ROLE,
    CLI_FUNCTION,
    CLI_LISTEN,
    CLI_CONNECT,
    CLI_IDENTITY,
    CLI_PASSPHRASE_FILE,
    CLI_PEER,
    CLI_PEER_CA,
    CLI_PEER_CRL,
    CLI_PEER_NAME,
    CLI_TIMEOUT,
    CLI_INPUT,
    CLI_KEY,
    CLI_ENCODING,
    CLI_DELIMITER,
    CLI_NO_HEADER,
    CLI_REJECTS,
    CLI_MAX_REJECTS,
    CLI_OUTPUT,
    CLI_COLUMNS,
    CLI_OFFER,
    CLI_WANT,
    CLI_ROWS_PER_PERSON,
    CLI_REVEAL_TO,
    CLI_SECURITY,
    CLI_PROTOCOL,
    CLI_THREADS,
    CLI_SUMMARY,
    CLI_JSON,
    CLI_QUIET,
    CLI_VERBOSE,
    CLI_FORCE,
    CLI_VALUE,
    CLI_BAND,
    CLI_PEER_BAND,
    CLI_DUPLICATES,
    CLI_SCHEME,
    CLI_MIN_OVERLAP,
    CLI_NOISE,
    CLI_AGREEMENT,
    CLI_LEDGER,
    CLI_LOG_FILE,
    CLI_HELP,
    CLI_RUN_OPTIONS
};

/* A run, or a command that takes some of its options to look at what it would do. */
enum cli_kind { CLI_KIND_RUN, CLI_KIND_CHECK, CLI_KIND_PING };

/* One of the three commands, or of those. */
typedef struct cli_command {
    const char *name, *help;
    enum tally_function function;
    const enum cli_run_option *options; /* of a run beyond those every run takes; else all */
    size_t count;
    enum cli_kind kind;
} cli_command;

/* A run of one of them. */
typedef struct cli_run {
    const cli_command *command;
    cli_option table[CLI_RUN_OPTIONS]; /* its options */
    enum cli_run_option which[CLI_RUN_OPTIONS];
    size_t options;
    cli_args args;
    uint64_t given; /* bit o: option o of enum cli_run_option was given */
    tally_session *session;
    tally_input *input;
    tally_identity *identity;
    tally_agreement *agreement;     /* NULL: none */
    tally_calibration *calibration; /* NULL: this machine was not measured */
    tally_ledger *ledger;
    cli_progress progress;
    int sender, both; /* from --role and --reveal-to */
    unsigned timeout_s;
    const char *identity_name, *passphrase_file, *peer_ca, *peer_crl, *peer_name, *input_path, *rejects,
        *output, *summary;
    const char *agreement_path, *ledger_path, *log_given;
    char *log_path; /* NULL: no log */
} cli_run;

static inline int cli_run_given(const cli_run *r, enum cli_run_option o)
{
    return r->given >> o & 1;
}

/* From the arguments to the exit status. */
int cli_run_main(const cli_command *command, char *const *argv);

/* cli/run_agreed.c: the agreement with its signatures, and the ledger. TALLY_ERR_POLICY: the settings require
 * an agreement, and none was given. */
tally_status cli_run_hold(cli_run *r, const cli_places *places, tally_error *error) TALLY_MUST_CHECK;
/* Of these the agreement alone, if one was given. */
tally_status cli_run_agreement(cli_run *r, tally_error *error) TALLY_MUST_CHECK;
/* An agreement with the signatures of FILE.sig, to be freed also on failure; without that file it is
 * unsigned. That, and a signature that does not fit, the run says. */
tally_status cli_agreement_open(const char *path, tally_agreement **out, tally_error *error) TALLY_MUST_CHECK;
/* Where the ledger is: --ledger, else as the settings say, else in the home; to be freed. */
tally_status cli_ledger_path(const cli_places *places, const char *given, char **out,
                             tally_error *error) TALLY_MUST_CHECK;

/* cli/run_options.c: reads the arguments into r. *help = 1: help was asked for, nothing else is checked. */
tally_status cli_run_parse(cli_run *r, char *const *argv, int *help, tally_error *error) TALLY_MUST_CHECK;

/* Parts of the help texts. */
#define CLI_HELP_LINK                                                                                        \
    "      --agreement FILE          what both sides signed (with FILE.sig); options\n"                      \
    "                                may only narrow it\n"                                                   \
    "      --listen HOST:PORT        wait here for the other side, or\n"                                     \
    "      --connect HOST:PORT       call it there (IPv6 in brackets)\n"                                     \
    "      --identity NAME           your identity (tally identity new)\n"                                   \
    "      --passphrase-file FILE    its passphrase, if it has one\n"                                        \
    "      --peer sha256:HEX         fingerprint of the other side; may be repeated\n"                       \
    "      --peer-ca FILE            authority of its certificate; needs --peer-name\n"                      \
    "      --peer-name SUBJECT       exact subject of that certificate\n"                                    \
    "      --peer-crl FILE           certificates that this authority has revoked\n"

#define CLI_HELP_TIMEOUT                                                                                     \
    "      --timeout TIME            how long to wait for it: 90s, 2h (default 10m)\n"                       \
    "\n"

#define CLI_HELP_INPUT                                                                                       \
    "input:\n"                                                                                               \
    "  -i, --input FILE              your list, a CSV file; - is standard input\n"                           \
    "      --key COL[:PROFILE]       column that identifies a row; repeated for a\n"                         \
    "                                composite. Profiles: exact (default),\n"                                \
    "                                cn-resident-id, cn-uscc, phone-e164,\n"                                 \
    "                                phone-e164+CC (CC: country code to assume)\n"                           \
    "      --encoding ENCODING       utf-8 (default) or gb18030\n"                                           \
    "      --delimiter C             one character, or tab (default ,)\n"                                    \
    "      --no-header               columns are numbered from 1\n"                                          \
    "      --rejects FILE            write line and reason of each rejected row\n"                           \
    "      --max-rejects N|P%        stop if more rows are rejected (default: none)\n"                       \
    "\n"

#define CLI_HELP_LOG                                                                                         \
    "      --ledger FILE             record the run there, not in the home\n"                                \
    "      --log-file FILE           append messages to FILE\n"                                              \
    "  -q, --quiet                   say only warnings and errors\n"                                         \
    "  -v, --verbose                 say more\n"                                                             \
    "  -h, --help                    show this text\n"                                                       \
    "\n"

#endif
