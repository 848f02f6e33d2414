/* SPDX-License-Identifier: Apache-2.0 */
/* tally count: its help and its options. */
#include "cli/commands.h"
#include "cli/run.h"

const char cli_help_count[] =
    "usage: tally count --agreement FILE --identity NAME --input FILE [OPTIONS]\n"
    "       tally count --role ROLE --listen|--connect HOST:PORT --peer sha256:...\n"
    "           --identity NAME --input FILE --key COL[:PROFILE] [OPTIONS]\n"
    "\n"
    "Counts the identifiers that are on both lists. Nobody learns which they are;\n"
    "both sides learn the size of the other list. Two runs with nearly the same list\n"
    "tell about the difference. Each side runs the command once, in opposite roles\n"
    "and in any order. The count is printed by the side that learns it.\n"
    "\n"
    "link:\n"
    "      --role receiver|sender    who asks: the receiver; it gets the answer\n"
    "                                unless --reveal-to says otherwise\n" CLI_HELP_LINK CLI_HELP_TIMEOUT
        CLI_HELP_INPUT "run:\n"
    "      --reveal-to WHO           who learns the count: receiver (default),\n"
    "                                sender or both\n"
    "      --min-overlap K           no answer below K: the sender (with --reveal-to\n"
    "                                sender: the receiver), whose list is at risk,\n"
    "                                counts and releases, so both learn the count\n"
    "      --noise epsilon=E         hide single members: a random number is added\n"
    "                                to the count, more the smaller E is (0.01 to\n"
    "                                100)\n"
    "      --protocol NAME           auto (the default) or ecdh\n"
    "      --threads N               at most N worker threads (default: all cores)\n"
    "      --summary FILE            write figures of the run as JSON\n"
    "      --json                    print the count as JSON\n" CLI_HELP_LOG "example:\n"
    "  tally count --agreement screening.yaml --identity bank-id --input bank.csv\n"
    "without one, one side of two (the other is --role receiver --connect):\n"
    "  tally count --role sender --listen 0.0.0.0:7440 --identity agency-id \\\n"
    "      --peer sha256:... --input agency.csv --key id_number:cn-resident-id\n";

int cli_count(char *const *argv)
{
    static const enum cli_run_option options[] = {CLI_MIN_OVERLAP, CLI_NOISE};
    static const cli_command command = {
        "count", cli_help_count, TALLY_COUNT, options, sizeof options / sizeof *options, CLI_KIND_RUN};
    return cli_run_main(&command, argv);
}
