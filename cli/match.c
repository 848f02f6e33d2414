/* SPDX-License-Identifier: Apache-2.0 */
/* tally match: its help and its options. */
#include "cli/commands.h"
#include "cli/run.h"

const char cli_help_match[] =
    "usage: tally match --agreement FILE --identity NAME --input FILE [OPTIONS]\n"
    "       tally match --role ROLE --listen|--connect HOST:PORT --peer sha256:...\n"
    "           --identity NAME --input FILE --key COL[:PROFILE] [OPTIONS]\n"
    "\n"
    "Matches your list with the other side's. The receiver learns which of its\n"
    "rows are on the sender's list; both sides learn the size of the other list.\n"
    "Each side runs the command once, in opposite roles and in any order.\n"
    "\n"
    "link:\n"
    "      --role receiver|sender    who learns which rows match: the receiver\n" CLI_HELP_LINK
        CLI_HELP_TIMEOUT CLI_HELP_INPUT "run:\n"
    "  -o, --output FILE             where the matching rows go; - is standard\n"
    "                                output. For the receiver, and for a sender\n"
    "                                with --reveal-to both; without it only the\n"
    "                                counts are shown\n"
    "      --columns COL             write only this column; may be repeated\n"
    "      --offer COL:WIDTH         sender: the receiver may have this column of\n"
    "                                the matching rows, up to WIDTH bytes of UTF-8\n"
    "                                each (1 to 1024); may be repeated\n"
    "      --want COL                receiver: append this offered column of the\n"
    "                                sender's rows; may be repeated\n"
    "      --rows-per-person N       with the two above: most rows of the sender\n"
    "                                with one identifier, 1 to 64 (default 1)\n"
    "      --min-overlap K           with columns: fewer than K matching identifiers\n"
    "                                open no column, 2 to 1000\n"
    "      --reveal-to WHO           who learns its matching rows: receiver\n"
    "                                (default) or both\n"
    "      --security MODEL          semi-honest (default) or malicious\n"
    "      --protocol NAME           auto (the default), ecdh or vole; auto says what\n"
    "                                it picked\n"
    "      --threads N               at most N worker threads (default: all cores)\n"
    "      --summary FILE            write figures of the run as JSON\n"
    "      --json                    print them on standard output too\n"
    "      --force                   replace an output file that exists\n" CLI_HELP_LOG "example:\n"
    "  tally match --agreement screening.yaml --identity bank-id --input bank.csv \\\n"
    "      --output overlap.csv\n";

int cli_match(char *const *argv)
{
    static const enum cli_run_option options[] = {CLI_OUTPUT, CLI_COLUMNS,         CLI_OFFER,
                                                  CLI_WANT,   CLI_ROWS_PER_PERSON, CLI_SECURITY,
                                                  CLI_FORCE,  CLI_MIN_OVERLAP};
    static const cli_command command = {
        "match", cli_help_match, TALLY_MATCH, options, sizeof options / sizeof *options, CLI_KIND_RUN};
    return cli_run_main(&command, argv);
}
