/* SPDX-License-Identifier: Apache-2.0 */
/* tally ledger: reads the arguments, opens the ledger, calls the action. */
#include "cli/ledger.h"

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/run.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LEDGER,
    OUTPUT,
    SINCE,
    CHECKPOINT,
    KEY,
    IDENTITY,
    PASSPHRASE_FILE,
    AGREEMENT,
    LANGUAGE,
    ALL,
    JSON,
    SIGNATURES,
    FORCE,
    HELP,
    OPTIONS
};

static const cli_option table[OPTIONS] = {[LEDGER] = {.name = "ledger", .takes_value = 1},
                                          [OUTPUT] = {.name = "output", .letter = 'o', .takes_value = 1},
                                          [SINCE] = {.name = "since", .takes_value = 1},
                                          [CHECKPOINT] = {.name = "checkpoint", .takes_value = 1},
                                          [KEY] = {.name = "key", .takes_value = 1},
                                          [IDENTITY] = {.name = "identity", .takes_value = 1},
                                          [PASSPHRASE_FILE] = {.name = "passphrase-file", .takes_value = 1},
                                          [AGREEMENT] = {.name = "agreement", .takes_value = 1},
                                          [LANGUAGE] = {.name = "lang", .takes_value = 1},
                                          [ALL] = {.name = "all"},
                                          [JSON] = {.name = "json"},
                                          [SIGNATURES] = {.name = "signatures"},
                                          [FORCE] = {.name = "force"},
                                          [HELP] = {.name = "help", .letter = 'h'}};

#define TAKES(option) (1u << (option))

typedef struct action {
    const char *name, *word; /* what the word is; NULL: takes none */
    int is_number;           /* the word is the number of a run */
    unsigned takes, needs;   /* options */
    tally_status (*run)(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error);
    const char *help, *form;
} action;

static const action actions[] = {
    {"list", NULL, 0, TAKES(LEDGER) | TAKES(AGREEMENT) | TAKES(ALL) | TAKES(JSON), 0, cli_ledger_list,
     cli_help_ledger_list, "tally ledger list"},
    {"show", "number of a run", 1, TAKES(LEDGER) | TAKES(JSON), 0, cli_ledger_show, cli_help_ledger_show,
     "tally ledger show N"},
    {"report", "number of a run", 1, TAKES(LEDGER) | TAKES(OUTPUT) | TAKES(LANGUAGE) | TAKES(FORCE),
     TAKES(OUTPUT), cli_ledger_report, cli_help_ledger_report, "tally ledger report N -o FILE.html"},
    {"verify", NULL, 0,
     TAKES(LEDGER) | TAKES(SIGNATURES) | TAKES(IDENTITY) | TAKES(PASSPHRASE_FILE) | TAKES(KEY) |
         TAKES(CHECKPOINT) | TAKES(JSON),
     0, cli_ledger_verify, cli_help_ledger_verify, "tally ledger verify"},
    {"prove", "number of a run", 1, TAKES(LEDGER) | TAKES(OUTPUT) | TAKES(SINCE) | TAKES(FORCE), 0,
     cli_ledger_prove, cli_help_ledger_prove, "tally ledger prove N -o FILE"},
    {"check-proof", "proof", 0, TAKES(CHECKPOINT) | TAKES(KEY), TAKES(CHECKPOINT), cli_ledger_check_proof,
     cli_help_ledger_check_proof, "tally ledger check-proof PROOF --checkpoint FILE"},
    {"checkpoint", NULL, 0, TAKES(LEDGER), 0, cli_ledger_checkpoint, cli_help_ledger_checkpoint,
     "tally ledger checkpoint"},
    {"reconcile", "other side's ledger", 0, TAKES(LEDGER) | TAKES(JSON), 0, cli_ledger_reconcile,
     cli_help_ledger_reconcile, "tally ledger reconcile OTHER.db"},
    {"backup", "file for the copy", 0, TAKES(LEDGER), 0, cli_ledger_backup, cli_help_ledger_backup,
     "tally ledger backup FILE"}};
enum { ACTIONS = sizeof actions / sizeof *actions };

/* What the arguments were, before it is known whether they go together. */
typedef struct arguments {
    const char *action, *extra;
    int help;
    cli_args args;
} arguments;

static void set_option(cli_ledger_options *o, int i, const char *value)
{
    const char **texts[] = {[LEDGER] = &o->ledger,
                            [OUTPUT] = &o->output,
                            [SINCE] = &o->since,
                            [CHECKPOINT] = &o->checkpoint,
                            [KEY] = &o->key,
                            [IDENTITY] = &o->identity,
                            [PASSPHRASE_FILE] = &o->passphrase_file,
                            [AGREEMENT] = &o->agreement,
                            [LANGUAGE] = &o->language};
    if (i <= LANGUAGE)
        *texts[i] = value;
    else
        *(i == ALL ? &o->all : i == JSON ? &o->json : i == SIGNATURES ? &o->signatures : &o->force) = 1;
}

static tally_status read_arguments(char *const *argv, arguments *a, cli_ledger_options *o, tally_error *error)
{
    const char *value;
    int i;
    cli_args_init(&a->args, table, OPTIONS, argv);
    while ((i = cli_args_next(&a->args, &value, error)) != CLI_END) {
        if (i == CLI_BAD)
            return error->status;
        if (i == HELP)
            a->help = 1;
        else if (i >= 0)
            set_option(o, i, value);
        else if (!a->action)
            a->action = value;
        else if (!o->word)
            o->word = value;
        else if (!a->extra)
            a->extra = value;
        if (a->help)
            return TALLY_OK;
    }
    return TALLY_OK;
}

static tally_status find_action(const arguments *a, const action **out, tally_error *error)
{
    const char *names[ACTIONS + 1] = {NULL};
    int which;
    for (int i = 0; i < ACTIONS; i++)
        names[i] = actions[i].name;
    if (!a->action) {
        cli_fail(error, TALLY_ERR_USAGE, "nothing to do was given");
        cli_hint(error, "begin with tally ledger list; tally ledger --help says the rest");
        return TALLY_ERR_USAGE;
    }
    tally_status st = cli_parse_choice("what follows tally ledger", a->action, names, &which, error);
    if (!st)
        *out = &actions[which];
    return st;
}

/* Digits alone: the number of a run is no size. */
static tally_status parse_run(const char *text, unsigned long long *out, tally_error *error)
{
    size_t len = strlen(text);
    unsigned long long n = 0;
    int is = len && len <= 18 && strspn(text, "0123456789") == len;
    for (size_t i = 0; is && i < len; i++)
        n = 10 * n + (unsigned long long)(text[i] - '0');
    if (!n) {
        cli_fail(error, TALLY_ERR_USAGE, "%s is not the number of a run", text);
        cli_hint(error, "tally ledger list shows the numbers: 1, 2, ...");
        return TALLY_ERR_USAGE;
    }
    *out = n;
    return TALLY_OK;
}

static tally_status check_word(const action *what, const arguments *a, cli_ledger_options *o,
                               tally_error *error)
{
    const char *extra = what->word ? a->extra : o->word;
    tally_status st = TALLY_OK;
    if (extra)
        st = cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", extra);
    else if (what->word && !o->word)
        st = cli_fail(error, TALLY_ERR_USAGE, "the %s is missing", what->word);
    if (st) {
        cli_hint(error, "write %s", what->form);
        return st;
    }
    return what->is_number ? parse_run(o->word, &o->n, error) : TALLY_OK;
}

static tally_status check_options(const action *what, const arguments *a, const cli_ledger_options *o,
                                  tally_error *error)
{
    for (int i = 0; i < HELP; i++) {
        if (cli_args_seen(&a->args, i) && !(what->takes & TAKES(i))) {
            cli_fail(error, TALLY_ERR_USAGE, "--%s is not for tally ledger %s", table[i].name, what->name);
            cli_hint(error, "tally ledger %s --help lists its options", what->name);
            return TALLY_ERR_USAGE;
        }
        if (!cli_args_seen(&a->args, i) && (what->needs & TAKES(i))) {
            cli_fail(error, TALLY_ERR_USAGE, "--%s is missing", table[i].name);
            cli_hint(error, "write %s", what->form);
            return TALLY_ERR_USAGE;
        }
    }
    if (o->identity && o->key)
        return cli_fail(error, TALLY_ERR_USAGE, "--identity and --key say the same: give one of them");
    return TALLY_OK;
}

static tally_status with_ledger(const action *what, const cli_ledger_options *o, tally_error *error)
{
    cli_places places = {0};
    tally_ledger *ledger = NULL;
    char *path = NULL;
    if (!(what->takes & TAKES(LEDGER)))
        return what->run(NULL, o, error);
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_ledger_path(&places, o->ledger, &path, error);
    if (!st && !o->ledger && access(path, F_OK) != 0) {
        st = cli_fail(error, TALLY_ERR_FILE, "there is no ledger at %s", path);
        cli_hint(error,
                 "the first run makes it; set TALLY_HOME to the home it was run in, or say where it is: "
                 "--ledger FILE");
    }
    if (!st)
        st = tally_ledger_open(&ledger, path, o->ledger ? TALLY_LEDGER_COPY : TALLY_LEDGER_READ, error);
    if (!st)
        st = what->run(ledger, o, error);
    tally_ledger_free(ledger);
    free(path);
    cli_places_free(&places);
    return st;
}

int cli_ledger(char *const *argv)
{
    arguments a = {.help = 0};
    cli_ledger_options o = {.json = 0};
    const action *what = NULL;
    tally_error error = {.hint = ""};
    tally_status st = read_arguments(argv, &a, &o, &error);
    if (!st && a.help && !a.action)
        return cli_show_help(cli_help_ledger);
    if (!st)
        st = find_action(&a, &what, &error);
    if (!st && a.help)
        return cli_show_help(what->help);
    if (!st)
        st = check_word(what, &a, &o, &error);
    if (!st)
        st = check_options(what, &a, &o, &error);
    if (!st)
        st = with_ledger(what, &o, &error);
    return st ? cli_report(&error) : CLI_EXIT_OK;
}
