/* SPDX-License-Identifier: Apache-2.0 */
/* tally: picks the subcommand. */
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/language.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/protect.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help_main[] =
    "usage: tally COMMAND [OPTIONS]\n"
    "\n"
    "Two organisations find out which entries their lists have in common, and\n"
    "nothing else. Each runs one command; no list leaves its house.\n"
    "\n"
    "commands:\n"
    "  identity new NAME    make a key and a certificate for your organisation\n"
    "  identity show NAME   show its fingerprint, to be given to the other side\n"
    "  peer ...             keys of other sides: revoke one, take over a new one\n"
    "  agreement ...        write, check, sign and compare an agreement\n"
    "  check                look at your list before a run: what is wrong with it\n"
    "  ping                 try the way to the other side before a run\n"
    "  match                match your list with the other side's\n"
    "  count                count the identifiers on both lists\n"
    "  sum                  add up values over the identifiers on both lists\n"
    "  serve                wait for the other sides of several agreements\n"
    "  ledger ...           what was run: list, show, report, verify, prove\n"
    "  estimate             how long a run will take, how many bytes, how much memory\n"
    "  version              show versions\n"
    "  help [COMMAND]       show this text, or the help of a command\n"
    "\n"
    "Also: tally help exit-status, tally COMMAND --help, man tally. Messages are in\n"
    "the language of the environment (LANG), or of tally --lang zh_CN COMMAND.\n"
    "\n"
    "example:\n"
    "  tally identity new bank-id --organisation \"Example Bank\"\n"
    "  tally match --role receiver --connect agency.example:7440 \\\n"
    "      --identity bank-id --peer sha256:... \\\n"
    "      --input bank.csv --key id_card:cn-resident-id --output overlap.csv\n";

static const char help_exit[] =
    "exit status of every tally command:\n"
    "  0   done\n"
    "  1   a wrong or missing option\n"
    "  2   the two sides' versions or terms of the run differ\n"
    "  3   your list or agreement: format, columns, fields, too many rejects,\n"
    "      changed while in use\n"
    "  4   refused by the agreement, the minimum overlap, or a rule of this machine\n"
    "  5   certificate, fingerprint or name not accepted\n"
    "  6   network: no connection, time-out, link lost, the other side stopped\n"
    "  7   a local file, the ledger or standard output: missing, no rights, full\n"
    "  8   the other side sent what the protocol does not allow\n"
    "  9   interrupted\n"
    "  10  out of memory\n"
    "  11  a signature does not fit, two agreements differ, or a ledger does not\n"
    "      hold\n"
    "  70  a fault of this program\n"
    "\n"
    "docs/exit-status.md says for each what to do.\n";

typedef struct command {
    const char *name;
    const char *help;
    int (*run)(char *const *argv);
} command;

static int run_help(char *const *argv);

static const command commands[] = {
    {"identity", cli_help_identity, cli_identity},
    {"peer", cli_help_peer, cli_peer},
    {"agreement", cli_help_agreement, cli_agreement},
    {"ledger", cli_help_ledger, cli_ledger},
    {"check", cli_help_check, cli_check},
    {"ping", cli_help_ping, cli_ping},
    {"match", cli_help_match, cli_match},
    {"estimate", cli_help_estimate, cli_estimate_run},
    {"count", cli_help_count, cli_count},
    {"sum", cli_help_sum, cli_sum},
    {"serve", cli_help_serve, cli_serve_main},
    {"version", cli_help_version, cli_version},
    {"help", help_main, run_help},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* A piece of help that is translated as one: an option with the lines that go on with it, or a paragraph. The
   line end is not in it; the sources are read by the same rule (tests/messages.py). */
static size_t piece(const char *text)
{
    size_t len = strcspn(text, "\n");
    while (len && text[len] == '\n') {
        const char *next = text + len + 1;
        int heading = text[len - 1] == ':',
            paragraph = *text != ' ' && *next != ' ' && *next != '\n' && *next;
        if (strncmp(next, "       ", 7) != 0 && (heading || !paragraph))
            break;
        len += 1 + strcspn(next, "\n");
    }
    return len;
}

int cli_show_help(const char *text)
{
    while (*text) {
        char one[4096];
        size_t len = piece(text);
        snprintf(one, sizeof one, "%.*s", (int)len, text);
        printf("%s\n", party_local(one));
        text += len + (text[len] == '\n');
    }
    return CLI_EXIT_OK;
}

static const command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COMMANDS + 1];
    tally_error error;
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    names[COMMANDS] = NULL;
    const char *near = cli_nearest(name, names);
    cli_fail(&error, TALLY_ERR_USAGE, "unknown command %s", name);
    if (near)
        cli_hint(&error, "did you mean %s?", near);
    else
        cli_hint(&error, "tally help lists the commands");
    return cli_report(&error);
}

static int run_help(char *const *argv)
{
    if (!argv[0] || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return cli_show_help(help_main);
    if (strcmp(argv[0], "exit-status") == 0)
        return cli_show_help(help_exit);
    const command *c = find(argv[0]);
    return c ? cli_show_help(c->help) : unknown_command(argv[0]);
}

static int run_main(char *const *argv)
{
    tally_error error;
    if (argv[0] && strcmp(argv[0], "--lang") == 0) {
        if (!argv[1]) {
            cli_fail(&error, TALLY_ERR_USAGE, "--lang needs a value");
            cli_hint(&error, "write tally --lang zh_CN COMMAND, or tally --lang en COMMAND");
            return cli_report(&error);
        }
        if (cli_language_set(argv[1], &error))
            return cli_report(&error);
        argv += 2;
    }
    if (!argv[0]) {
        cli_fail(&error, TALLY_ERR_USAGE, "no command was given");
        cli_hint(&error, "tally help lists the commands");
        return cli_report(&error);
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return cli_show_help(help_main);
    if (strcmp(argv[0], "--version") == 0)
        return cli_show_version();
    const command *c = find(argv[0]);
    return c ? c->run(argv + 1) : unknown_command(argv[0]);
}

/* A closed standard descriptor would be given to the next file or socket, and messages would go there. The
   mode is the wrong one on purpose: using such a descriptor then fails as it should. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(CLI_EXIT_FILE);
}

int main(int argc, char **argv)
{
    cli_protect();
    fill_standard_descriptors();
    /* A reader of our output that goes away is a write error like any other: status 7. */
    signal(SIGPIPE, SIG_IGN);
    cli_language_begin();
    return cli_flush_stdout(run_main(argc > 0 ? argv + 1 : argv));
}
