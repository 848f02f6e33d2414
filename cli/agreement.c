/* SPDX-License-Identifier: Apache-2.0 */
/* tally agreement: everything about agreements that needs no other side. */
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char cli_help_agreement[] =
    "usage: tally agreement init\n"
    "       tally agreement check FILE [--json]\n"
    "       tally agreement show FILE [--json]\n"
    "       tally agreement sign FILE --identity NAME [--add THEIRS.sig]\n"
    "       tally agreement sign FILE --add THEIRS.sig\n"
    "       tally agreement diff A B [--json]\n"
    "\n"
    "An agreement says what two organisations let each other ask, and how often. It\n"
    "is a YAML file that both sign, byte for byte.\n"
    "  init     prints an agreement to fill in, with an explanation of every field\n"
    "  check    is it complete, and does it fit together? Says in plain words what\n"
    "           each side would learn, and every limit\n"
    "  show     every field, those left out filled in; the digest; who has signed\n"
    "  sign     writes your signature to FILE.sig, beside the other side's if that is\n"
    "           there; --add takes over the other side's, once verified\n"
    "  diff     the fields in which two agreements differ, as they are in A | in B\n"
    "\n"
    "The digests of show, read out on the telephone, tell whether both have the same\n"
    "text. A run with --agreement FILE (tally match, count, sum) is held to it: what\n"
    "the agreement does not allow is refused on both sides.\n"
    "\n"
    "options:\n"
    "      --identity NAME    whose signing key signs (tally identity new)\n"
    "      --passphrase-file FILE  passphrase of that key, if it has one\n"
    "      --add FILE         signatures that the other side sent\n"
    "      --json             print the result as JSON\n"
    "  -h, --help             show this text\n"
    "\n"
    "exit status: 3 the agreement or a .sig file has a fault, 5 a key that the\n"
    "agreement does not name, 11 a signature that does not fit, or agreements that\n"
    "differ.\n"
    "\n"
    "example:\n"
    "  tally agreement init > screening.yaml     # then fill it in\n"
    "  tally agreement check screening.yaml\n"
    "  tally agreement sign screening.yaml --identity bank-id\n"
    "  tally agreement sign screening.yaml --add screening-agency.sig\n";

typedef struct options {
    const char *action, *words[2], *identity, *passphrase_file, *add;
    size_t count;
    int json, help;
} options;

/* What an action takes. */
typedef struct action {
    const char *name;
    size_t words;
    int json, signs;
    tally_status (*run)(const options *o, tally_error *error);
    const char *form;
} action;

/* The result of the library to standard output, and released. */
static tally_status print(char *text, tally_error *error)
{
    if (!text)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    size_t length = strlen(text);
    printf("%s%s", text, length && text[length - 1] != '\n' ? "\n" : "");
    free(text);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return TALLY_OK;
    return cli_fail(error, TALLY_ERR_FILE, "standard output could not be written: %s",
                    party_system_text(errno ? errno : EIO));
}

/* "FILE.sig", to be freed. */
static tally_status signature_path(const char *path, char **out, tally_error *error)
{
    if (asprintf(out, "%s.sig", path) >= 0)
        return TALLY_OK;
    *out = NULL;
    return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
}

/* Takes FILE.sig over, if there is one. */
static tally_status load_signatures(tally_agreement *a, const char *path, tally_error *error)
{
    char *beside = NULL;
    tally_status st = signature_path(path, &beside, error);
    if (!st && access(beside, F_OK) == 0)
        st = tally_agreement_add_signatures(a, beside, error);
    free(beside);
    return st;
}

/* Days, as the world's clocks show them now; a day more or less in the zone of the agreement. */
#define WARN_DAYS 30

/* From today to a day of the calendar, "YYYY-MM-DD". */
static int days_until(const struct tm *today, const char *day)
{
    struct tm from = {.tm_year = today->tm_year, .tm_mon = today->tm_mon, .tm_mday = today->tm_mday},
              to = {.tm_year = 0};
    if (!strptime(day, "%Y-%m-%d", &to))
        return WARN_DAYS;
    return (int)((timegm(&to) - timegm(&from)) / 86400);
}

static void warn_days(const tally_agreement *a)
{
    char today[16] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm) || !strftime(today, sizeof today, "%Y-%m-%d", &tm))
        return;
    if (strcmp(today, tally_agreement_valid_until(a)) > 0)
        cli_note("warning: the agreement ended on %s; today is %s (UTC)", tally_agreement_valid_until(a),
                 today);
    else if (strcmp(today, tally_agreement_valid_from(a)) < 0)
        cli_note("the agreement begins on %s; today is %s (UTC)", tally_agreement_valid_from(a), today);
    else if (days_until(&tm, tally_agreement_valid_until(a)) < WARN_DAYS)
        cli_note("warning: the agreement ends on %s, in %d days; have a new one signed",
                 tally_agreement_valid_until(a), days_until(&tm, tally_agreement_valid_until(a)));
}

static tally_status run_init(const options *o, tally_error *error)
{
    (void)o;
    return print(tally_agreement_template(), error);
}

static tally_status run_check(const options *o, tally_error *error)
{
    tally_agreement *a = NULL;
    tally_status st = tally_agreement_load(o->words[0], &a, error);
    if (!st)
        st = print(o->json ? tally_agreement_learns_json(a) : tally_agreement_learns(a), error);
    if (!st) {
        cli_note("%s is complete, and its fields go together", o->words[0]);
        warn_days(a);
    }
    tally_agreement_free(a);
    return st;
}

static tally_status run_show(const options *o, tally_error *error)
{
    tally_agreement *a = NULL;
    tally_error later;
    tally_status st = tally_agreement_load(o->words[0], &a, error);
    if (st)
        return st;
    /* The fields are shown also when a signature does not fit: that is when they are looked at. */
    st = load_signatures(a, o->words[0], error);
    warn_days(a);
    tally_status printed = print(o->json ? tally_agreement_json(a) : tally_agreement_fields(a), &later);
    if (!st && printed) {
        *error = later;
        st = printed;
    }
    tally_agreement_free(a);
    return st;
}

static tally_status sign_with(tally_agreement *a, const char *name, const char *passphrase_file,
                              tally_error *error)
{
    cli_places places = {0};
    tally_identity *identity = NULL;
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_open(&places, name, passphrase_file, &identity, error);
    if (!st)
        st = tally_agreement_sign(a, identity, error);
    tally_identity_free(identity);
    cli_places_free(&places);
    return st;
}

static tally_status run_sign(const options *o, tally_error *error)
{
    tally_agreement *a = NULL;
    char *beside = NULL;
    int missing = -1;
    tally_status st = tally_agreement_load(o->words[0], &a, error);
    if (!st)
        st = signature_path(o->words[0], &beside, error);
    if (!st)
        st = load_signatures(a, o->words[0], error);
    if (st == TALLY_ERR_DIFFERS || st == TALLY_ERR_AUTH)
        cli_hint(error,
                 "the agreement was changed after it was signed: move %s away, and let both sides sign again",
                 beside);
    if (!st && o->add)
        st = tally_agreement_add_signatures(a, o->add, error);
    if (!st && o->identity)
        st = sign_with(a, o->identity, o->passphrase_file, error);
    if (!st)
        st = tally_agreement_write_signatures(a, beside, error);
    for (int p = 0; !st && p < 2; p++) {
        int is_signed = tally_agreement_signed(a, (size_t)p) == TALLY_SIGNED;
        cli_print(is_signed ? "%s: signed\n" : "%s: not signed\n",
                  tally_agreement_organisation(a, (size_t)p));
        missing = is_signed ? missing : p;
    }
    if (!st)
        cli_print("digest: %s\nsignatures: %s\n", tally_agreement_digest(a), beside);
    if (!st)
        warn_days(a);
    if (!st && missing >= 0)
        cli_advise(
            "send the agreement and %s to %s, which signs and sends its file back: tally agreement sign %s "
            "--add THEIRS.sig",
            beside, tally_agreement_organisation(a, (size_t)missing), o->words[0]);
    if (!st && missing < 0 && o->identity)
        cli_advise("send %s to the other organisation, which takes it over: tally agreement sign %s --add "
                   "THEIRS.sig",
                   beside, o->words[0]);
    free(beside);
    tally_agreement_free(a);
    return st;
}

static tally_status run_diff(const options *o, tally_error *error)
{
    tally_agreement *a = NULL, *b = NULL;
    char *report = NULL;
    tally_status st = tally_agreement_load(o->words[0], &a, error), printed;
    if (!st)
        st = tally_agreement_load(o->words[1], &b, error);
    if (!st)
        st = tally_agreement_diff(a, b, o->json, &report, error);
    if (report) {
        printed = print(report, error);
        if (printed)
            st = printed;
        else if (st)
            cli_fail(error, st, "the agreements differ");
        else if (strcmp(tally_agreement_digest(a), tally_agreement_digest(b)) != 0)
            cli_note(
                "the fields are the same; the texts differ in comments or layout, so that a signature of one "
                "does not fit the other");
        else
            cli_note("the agreements are the same");
    }
    tally_agreement_free(b);
    tally_agreement_free(a);
    return st;
}

static const action actions[] = {{"init", 0, 0, 0, run_init, "tally agreement init > FILE"},
                                 {"check", 1, 1, 0, run_check, "tally agreement check FILE"},
                                 {"show", 1, 1, 0, run_show, "tally agreement show FILE"},
                                 {"sign", 1, 0, 1, run_sign, "tally agreement sign FILE --identity NAME"},
                                 {"diff", 2, 1, 0, run_diff, "tally agreement diff A B"}};
enum { ACTIONS = sizeof actions / sizeof *actions };

static tally_status read_arguments(char *const *argv, options *out, tally_error *error)
{
    enum { IDENTITY, PASSPHRASE_FILE, ADD, JSON, HELP };
    static const cli_option table[] = {[IDENTITY] = {.name = "identity", .takes_value = 1},
                                       [PASSPHRASE_FILE] = {.name = "passphrase-file", .takes_value = 1},
                                       [ADD] = {.name = "add", .takes_value = 1},
                                       [JSON] = {.name = "json"},
                                       [HELP] = {.name = "help", .letter = 'h'}};
    cli_args args;
    const char *value;
    int i;
    cli_args_init(&args, table, sizeof table / sizeof *table, argv);
    while ((i = cli_args_next(&args, &value, error)) != CLI_END) {
        if (i == CLI_BAD)
            return error->status;
        if (i == IDENTITY)
            out->identity = value;
        else if (i == PASSPHRASE_FILE)
            out->passphrase_file = value;
        else if (i == ADD)
            out->add = value;
        else if (i == JSON)
            out->json = 1;
        else if (i == HELP)
            out->help = 1;
        else if (!out->action)
            out->action = value;
        else if (out->count < 2)
            out->words[out->count++] = value;
        else
            return cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
        if (out->help)
            return TALLY_OK;
    }
    return TALLY_OK;
}

/* The action, and whether it takes what was given. */
static tally_status find_action(const options *o, const action **out, tally_error *error)
{
    const char *names[ACTIONS + 1] = {NULL};
    int which;
    for (int i = 0; i < ACTIONS; i++)
        names[i] = actions[i].name;
    if (!o->action) {
        cli_fail(error, TALLY_ERR_USAGE, "nothing to do was given");
        cli_hint(error, "begin with tally agreement init > FILE; tally agreement --help says the rest");
        return TALLY_ERR_USAGE;
    }
    tally_status st = cli_parse_choice("what follows tally agreement", o->action, names, &which, error);
    if (st)
        return st;
    const action *a = &actions[which];
    if (o->count != a->words) {
        if (o->count > a->words)
            cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", o->words[a->words]);
        else
            cli_fail(error, TALLY_ERR_USAGE,
                     a->words == 2 && o->count == 1 ? "the second agreement is missing"
                                                    : "the agreement is missing");
        cli_hint(error, "write %s", a->form);
        return TALLY_ERR_USAGE;
    }
    if (o->json && !a->json)
        return cli_fail(error, TALLY_ERR_USAGE, "--json is not for tally agreement %s", a->name);
    if (o->passphrase_file && !o->identity)
        return cli_fail(error, TALLY_ERR_USAGE,
                        "--passphrase-file is that of the identity: give --identity too");
    if ((o->identity || o->add) && !a->signs)
        return cli_fail(error, TALLY_ERR_USAGE, "--%s is only for tally agreement sign",
                        o->identity ? "identity" : "add");
    if (a->signs && !o->identity && !o->add) {
        cli_fail(error, TALLY_ERR_USAGE, "--identity is missing");
        cli_hint(error,
                 "--identity NAME says who signs; --add FILE takes over the signature of the other side");
        return TALLY_ERR_USAGE;
    }
    *out = a;
    return TALLY_OK;
}

int cli_agreement(char *const *argv)
{
    options o = {.count = 0};
    const action *a = NULL;
    tally_error error = {.hint = ""};
    tally_status st = read_arguments(argv, &o, &error);
    if (!st && o.help)
        return cli_show_help(cli_help_agreement);
    if (!st)
        st = find_action(&o, &a, &error);
    if (!st)
        st = a->run(&o, &error);
    return st ? cli_report(&error) : CLI_EXIT_OK;
}
