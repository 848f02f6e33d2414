/* SPDX-License-Identifier: Apache-2.0 */
/* tally sum: its help and its options. */
#include "cli/commands.h"
#include "cli/run.h"

const char cli_help_sum[] =
    "usage: tally sum --agreement FILE --identity NAME --input FILE [OPTIONS]\n"
    "       tally sum --role ROLE --listen|--connect HOST:PORT --peer sha256:...\n"
    "           --identity NAME --input FILE --key COL[:PROFILE] [OPTIONS]\n"
    "\n"
    "Adds up columns of one side over the identifiers on both lists: count, sums,\n"
    "means, variances, also by bands. Nobody learns which identifiers they are. One\n"
    "side, the owner, names its columns with --value; the other adds them up. The\n"
    "figures are printed by the side that learns them.\n"
    "\n"
    "link:\n"
    "      --role receiver|sender    who asks: the receiver\n" CLI_HELP_LINK CLI_HELP_TIMEOUT CLI_HELP_INPUT
    "values:\n"
    "      --value COL:MIN..MAX[@SCALE]\n"
    "                                a column that is added up, whole numbers or\n"
    "                                with SCALE decimals, all within MIN..MAX;\n"
    "                                repeated. Rows with other cells are left out:\n"
    "                                amount:0..5e8, balance:-1e9..1e9@2\n"
    "      --band COL:E1,E2,..       figures by bands [E1, E2), [E2, E3), .. and\n"
    "                                outside. The owner may repeat it; of the\n"
    "                                other side it tells the owner how many of ALL\n"
    "                                its identifiers lie in each band\n"
    "      --peer-band COL:E1,E2,..  the owner accepts these bands of the other side\n"
    "      --duplicates RULE         rows with one identifier: sum (default),\n"
    "                                max or refuse\n"
    "\n"
    "run:\n"
    "      --reveal-to WHO           who learns the figures: receiver (default),\n"
    "                                sender or both\n"
    "      --min-overlap K           no answer below K identifiers; smaller bands\n"
    "                                are merged; bands of one column only\n"
    "      --noise epsilon=E         hide single members: a random number is added\n"
    "                                to each figure, more the smaller E is (0.01\n"
    "                                to 100); values are cut to their range\n"
    "      --scheme NAME             encryption: auto (default), rlwe, paillier\n"
    "      --protocol NAME           auto (default) or ecdh\n"
    "      --threads N               at most N worker threads (default: all cores)\n"
    "      --summary FILE            write figures of the run as JSON\n"
    "      --json                    print them as JSON\n" CLI_HELP_LOG "example:\n"
    "  tally sum --agreement screening.yaml --identity bank-id --input bank.csv\n";

int cli_sum(char *const *argv)
{
    static const enum cli_run_option options[] = {CLI_VALUE,  CLI_BAND,        CLI_PEER_BAND, CLI_DUPLICATES,
                                                  CLI_SCHEME, CLI_MIN_OVERLAP, CLI_NOISE};
    static const cli_command command = {
        "sum", cli_help_sum, TALLY_SUM, options, sizeof options / sizeof *options, CLI_KIND_RUN};
    return cli_run_main(&command, argv);
}
