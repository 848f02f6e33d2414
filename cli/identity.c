/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char cli_help_identity[] =
    "usage: tally identity new NAME --organisation ORGANISATION [--json]\n"
    "       tally identity show NAME [--json]\n"
    "       tally identity add-signing-key NAME [--json]\n"
    "\n"
    "An identity is a private key and a certificate, and a second key that signs\n"
    "agreements, in a folder of its own.\n"
    "  new              makes one, valid for two years, and prints its fingerprints\n"
    "  show             prints its subject, fingerprints and validity\n"
    "  add-signing-key  gives an older or imported identity the key that signs\n"
    "\n"
    "NAME is a folder in $TALLY_HOME (else ~/.config/tally, else /etc/tally),\n"
    "or a path if it holds a slash. The key files are yours alone (mode 0600).\n"
    "Give the fingerprints to the other organisation by a way you both trust; they\n"
    "pass the first to tally match as --peer. Both stand in an agreement: the first\n"
    "as link-key, that of the signing key as signing-key.\n"
    "\n"
    "options:\n"
    "      --organisation ORGANISATION    name in the certificate, 1 to 64 characters\n"
    "      --json                         print the result as JSON\n"
    "  -h, --help                         show this text\n"
    "\n"
    "example:\n"
    "  tally identity new bank-id --organisation \"Example Bank\"\n"
    "  tally identity show bank-id\n";

#define DAY_S 86400
#define WARN_DAYS 30

/* ISO 8601: for JSON with T and Z, for people with a blank and UTC. */
static void utc_text(char out[32], long long seconds, int json)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    size_t n = 0;
    if (gmtime_r(&t, &tm))
        n = json ? strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm)
                 : strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
    if (!n)
        snprintf(out, 32, "unknown");
}

void cli_warn_expiry(const char *name, long long not_after)
{
    char date[32];
    long long left = not_after - (long long)time(NULL);
    if (left >= (long long)WARN_DAYS * DAY_S)
        return;
    utc_text(date, not_after, 0);
    if (left < 0)
        cli_note("warning: the certificate of %s expired on %s", name, date);
    else
        cli_note("warning: the certificate of %s expires on %s, in %lld days", name, date, left / DAY_S);
    cli_advise("renew it with the same key, then the fingerprint stays: man tally-identity");
}

static int print_json(const char *name, const char *dir, const char *organisation,
                      const tally_identity *identity)
{
    char from[32], until[32];
    const char *signing = tally_identity_signing_fingerprint(identity);
    utc_text(from, tally_identity_not_before(identity), 1);
    utc_text(until, tally_identity_not_after(identity), 1);
    json_t *object =
        json_pack("{s:s, s:s, s:s*, s:s, s:s, s:s, s:s?, s:s, s:s}", "name", name, "folder", dir,
                  "organisation", organisation, "subject", tally_identity_subject(identity), "key",
                  tally_identity_key_type(identity), "fingerprint", tally_identity_fingerprint(identity),
                  "signing_key", *signing ? signing : NULL, "valid_from", from, "valid_until", until);
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (!text)
        return -1; /* memory, or a name that is not UTF-8 */
    printf("%s\n", text);
    free(text);
    return 0;
}

static void print_plain(const char *name, const char *dir, const tally_identity *identity)
{
    char from[32], until[32];
    const char *signing = tally_identity_signing_fingerprint(identity);
    utc_text(from, tally_identity_not_before(identity), 0);
    utc_text(until, tally_identity_not_after(identity), 0);
    cli_print("name: %s\nfolder: %s\nsubject: %s\nkey: %s\nfingerprint: %s\nsigning key: %s\nvalid from: "
              "%s\nvalid until: %s\n",
              name, dir, tally_identity_subject(identity), tally_identity_key_type(identity),
              tally_identity_fingerprint(identity), *signing ? signing : PARTY_WORD("none"), from, until);
}

typedef struct identity_options {
    const char *action, *name, *organisation;
    int json, help;
} identity_options;

static tally_status parse(char *const *argv, identity_options *out, tally_error *error)
{
    enum { ORGANISATION, JSON, HELP };
    static const cli_option options[] = {[ORGANISATION] = {.name = "organisation", .takes_value = 1},
                                         [JSON] = {.name = "json"},
                                         [HELP] = {.name = "help", .letter = 'h'}};
    static const char *const actions[] = {"new", "show", "add-signing-key", NULL};
    cli_args args;
    const char *value;
    int o, action;
    cli_args_init(&args, options, sizeof options / sizeof *options, argv);
    while ((o = cli_args_next(&args, &value, error)) != CLI_END) {
        if (o == CLI_BAD)
            return error->status;
        if (o == ORGANISATION)
            out->organisation = value;
        else if (o == JSON)
            out->json = 1;
        else if (o == HELP)
            out->help = 1;
        else if (!out->action)
            out->action = value;
        else if (!out->name)
            out->name = value;
        else
            return cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
        if (out->help)
            return TALLY_OK;
    }
    if (!out->action) {
        cli_fail(error, TALLY_ERR_USAGE, "nothing to do was given");
        cli_hint(error, "write tally identity new NAME --organisation ..., or tally identity show NAME");
        return TALLY_ERR_USAGE;
    }
    tally_status st = cli_parse_choice("what follows tally identity", out->action, actions, &action, error);
    if (st)
        return st;
    if (!out->name) {
        cli_fail(error, TALLY_ERR_USAGE, "the identity's name is missing");
        cli_hint(error, "write tally identity %s NAME", out->action);
        return TALLY_ERR_USAGE;
    }
    if (strcmp(out->action, "new") != 0 && out->organisation)
        return cli_fail(error, TALLY_ERR_USAGE, "--organisation is only for tally identity new");
    if (strcmp(out->action, "new") == 0 && !out->organisation) {
        cli_fail(error, TALLY_ERR_USAGE, "--organisation is missing");
        cli_hint(error, "write --organisation \"Example Bank\": the name goes into the certificate");
        return TALLY_ERR_USAGE;
    }
    return TALLY_OK;
}

int cli_identity(char *const *argv)
{
    identity_options options = {0};
    cli_places places = {0};
    char *dir = NULL;
    tally_identity *identity = NULL;
    tally_error error = {0};
    int fresh, adds;
    tally_status st = parse(argv, &options, &error);
    if (st)
        return cli_report(&error);
    if (options.help)
        return cli_show_help(cli_help_identity);
    fresh = strcmp(options.action, "new") == 0;
    adds = strcmp(options.action, "add-signing-key") == 0;
    st = cli_places_find(&places, &error);
    if (!st && fresh)
        st = cli_identity_fresh(&places, options.name, &dir, &error);
    else if (!st)
        st = cli_identity_existing(&places, options.name, &dir, &error);
    if (!st && fresh)
        st = tally_identity_create(dir, options.organisation, &error);
    if (!st && adds)
        st = tally_identity_add_signing_key(dir, &error);
    if (!st)
        st = tally_identity_load(dir, &identity, &error);
    if (st)
        goto done;
    if (options.json) {
        if (print_json(options.name, dir, options.organisation, identity))
            st = cli_fail(&error, TALLY_ERR_NO_MEMORY, "the result could not be written as JSON");
    } else if (fresh) {
        cli_print("folder: %s\norganisation: %s\nfingerprint: %s\nsigning key: %s\n", dir,
                  options.organisation, tally_identity_fingerprint(identity),
                  tally_identity_signing_fingerprint(identity));
    } else {
        print_plain(options.name, dir, identity);
    }
    if (fresh)
        cli_advise(
            "give the fingerprints to the other organisation by a way you both trust; they pass the first "
            "as --peer, and an agreement names both");
    else
        cli_warn_expiry(options.name, tally_identity_not_after(identity));
    if (!*tally_identity_signing_fingerprint(identity))
        cli_advise("to sign agreements this identity needs one more key: tally identity add-signing-key %s",
                   options.name);
done:
    if (st)
        cli_report(&error);
    tally_identity_free(identity);
    free(dir);
    cli_places_free(&places);
    return tally_exit_status(st);
}
