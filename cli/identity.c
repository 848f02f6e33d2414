/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/identity.h"

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_help_identity[] =
    "usage: tally identity new NAME --organisation ORGANISATION [--days N]\n"
    "                          [--passphrase | --passphrase-file FILE] [--json]\n"
    "       tally identity import NAME --key FILE [--cert FILE] [--chain FILE]\n"
    "                          [--passphrase | --passphrase-file FILE] [--json]\n"
    "       tally identity show NAME [--passphrase-file FILE] [--json]\n"
    "       tally identity passphrase NAME [--passphrase-file FILE]\n"
    "                          [--new-passphrase-file FILE | --remove]\n"
    "       tally identity rotate NAME [--overlap DAYS] [--days N]\n"
    "                          [--key FILE --cert FILE [--chain FILE]]\n"
    "       tally identity rotate NAME --finish\n"
    "       tally identity rotate NAME --renew [--days N]\n"
    "                          [--cert FILE [--chain FILE]]\n"
    "       tally identity add-signing-key NAME [--passphrase-file FILE] [--json]\n"
    "\n"
    "An identity is a private key and a certificate, and a second key that signs\n"
    "agreements, in a folder of its own.\n"
    "  new              makes one, and prints its fingerprints\n"
    "  import           takes key and certificate that your organisation has\n"
    "  show             prints all about it, without a passphrase: how long it is\n"
    "                   valid, which agreements in the home name it\n"
    "  passphrase       sets, changes or removes the passphrase of its keys\n"
    "  rotate           makes a new key beside the one in use; --finish puts it in\n"
    "                   place; --renew keeps the key, with a new certificate\n"
    "  add-signing-key  gives an older identity the key that signs\n"
    "\n"
    "NAME is a folder in $TALLY_HOME (else ~/.config/tally, else /etc/tally),\n"
    "or a path if it holds a slash. The key files are yours alone (mode 0600).\n"
    "Give the fingerprints to the other organisation by a way you both trust; they\n"
    "pass the first to tally match as --peer. Both stand in an agreement: the first\n"
    "as link-key, that of the signing key as signing-key.\n"
    "\n"
    "options:\n"
    "      --organisation ORGANISATION  name in the certificate, 1 to 64 characters\n"
    "      --days N                     validity of the certificate (default 730)\n"
    "      --passphrase                 ask for a passphrase; the keys are encrypted\n"
    "      --passphrase-file FILE       it stands there; without it a passphrase that\n"
    "                                   is needed is asked for on the terminal\n"
    "      --new-passphrase-file FILE   the one to change to; for rotate: of --key\n"
    "      --key FILE                   PEM, DER, PKCS#12, or a URI pkcs11:...\n"
    "      --cert FILE, --chain FILE    certificate, and those between it and the\n"
    "                                   authority's\n"
    "      --overlap DAYS               both keys are accepted that long (default 90)\n"
    "      --json                       print the result as JSON\n"
    "  -h, --help                       show this text\n"
    "\n"
    "example:\n"
    "  tally identity new bank-id --organisation \"Example Bank\"\n"
    "  tally identity show bank-id\n";

#define OVERLAP_DAYS 90

enum action { NEW, IMPORT, SHOW, PASSPHRASE, ROTATE, ADD_SIGNING_KEY };

enum option {
    ORGANISATION,
    DAYS,
    ASK,
    PASSPHRASE_FILE,
    NEW_PASSPHRASE_FILE,
    REMOVE,
    KEY,
    CERT,
    CHAIN,
    OVERLAP,
    FINISH,
    RENEW,
    JSON,
    HELP,
    OPTIONS
};

static const cli_option table[OPTIONS] = {
    [ORGANISATION] = {.name = "organisation", .takes_value = 1},
    [DAYS] = {.name = "days", .takes_value = 1},
    [ASK] = {.name = "passphrase"},
    [PASSPHRASE_FILE] = {.name = "passphrase-file", .takes_value = 1},
    [NEW_PASSPHRASE_FILE] = {.name = "new-passphrase-file", .takes_value = 1},
    [REMOVE] = {.name = "remove"},
    [KEY] = {.name = "key", .takes_value = 1},
    [CERT] = {.name = "cert", .takes_value = 1},
    [CHAIN] = {.name = "chain", .takes_value = 1},
    [OVERLAP] = {.name = "overlap", .takes_value = 1},
    [FINISH] = {.name = "finish"},
    [RENEW] = {.name = "renew"},
    [JSON] = {.name = "json"},
    [HELP] = {.name = "help", .letter = 'h'}};

#define TAKES(o) (1u << (o))
static const char *const actions[] = {"new",    "import",          "show", "passphrase",
                                      "rotate", "add-signing-key", NULL};
static const unsigned takes[] = {
    [NEW] = TAKES(ORGANISATION) | TAKES(DAYS) | TAKES(ASK) | TAKES(PASSPHRASE_FILE) | TAKES(JSON),
    [IMPORT] = TAKES(KEY) | TAKES(CERT) | TAKES(CHAIN) | TAKES(ASK) | TAKES(PASSPHRASE_FILE) | TAKES(JSON),
    [SHOW] = TAKES(PASSPHRASE_FILE) | TAKES(JSON),
    [PASSPHRASE] = TAKES(PASSPHRASE_FILE) | TAKES(NEW_PASSPHRASE_FILE) | TAKES(REMOVE),
    [ROTATE] = TAKES(OVERLAP) | TAKES(DAYS) | TAKES(KEY) | TAKES(CERT) | TAKES(CHAIN) | TAKES(FINISH) |
               TAKES(RENEW) | TAKES(PASSPHRASE_FILE) | TAKES(NEW_PASSPHRASE_FILE),
    [ADD_SIGNING_KEY] = TAKES(PASSPHRASE_FILE) | TAKES(JSON)};

typedef struct identity_options {
    const char *action, *name;
    const char *values[OPTIONS];
    unsigned given;
    int what, help;
    unsigned days, overlap;
} identity_options;

static int given(const identity_options *o, enum option i)
{
    return (o->given & TAKES(i)) != 0;
}

/* ---- Arguments ---- */

static tally_status check(identity_options *o, tally_error *error)
{
    uint64_t n;
    tally_status st = TALLY_OK;
    for (int i = 0; i < HELP; i++)
        if (given(o, (enum option)i) && !(takes[o->what] & TAKES(i)))
            return cli_fail(error, TALLY_ERR_USAGE, "tally identity %s takes no --%s", o->action,
                            table[i].name);
    o->days = TALLY_CERTIFICATE_DAYS;
    o->overlap = OVERLAP_DAYS;
    if (given(o, DAYS)) {
        st = cli_parse_count("--days", o->values[DAYS], 1, 3650, &n, error);
        o->days = st ? 0 : (unsigned)n;
    }
    if (!st && given(o, OVERLAP)) {
        st = cli_parse_count("--overlap", o->values[OVERLAP], 1, 366, &n, error);
        o->overlap = st ? 0 : (unsigned)n;
    }
    if (st)
        return st;
    if (o->what == NEW && !given(o, ORGANISATION)) {
        cli_fail(error, TALLY_ERR_USAGE, "--organisation is missing");
        cli_hint(error, "write --organisation \"Example Bank\": the name goes into the certificate");
        return TALLY_ERR_USAGE;
    }
    if (o->what == IMPORT && !given(o, KEY)) {
        cli_fail(error, TALLY_ERR_USAGE, "--key is missing");
        cli_hint(error,
                 "give the private key's file, or its URI pkcs11:...; a new certificate of a key that is "
                 "here already is for tally identity rotate NAME --renew --cert FILE");
        return TALLY_ERR_USAGE;
    }
    if (given(o, REMOVE) && given(o, NEW_PASSPHRASE_FILE))
        return cli_fail(error, TALLY_ERR_USAGE, "--remove and --new-passphrase-file exclude each other");
    if (given(o, FINISH) && (o->given & ~(TAKES(FINISH) | TAKES(PASSPHRASE_FILE))))
        return cli_fail(error, TALLY_ERR_USAGE, "--finish takes no other option of rotate");
    if (given(o, RENEW) && (given(o, OVERLAP) || given(o, KEY) || given(o, NEW_PASSPHRASE_FILE))) {
        cli_fail(error, TALLY_ERR_USAGE,
                 "--renew keeps the key: --overlap, --key and --new-passphrase-file are "
                 "for a new one");
        cli_hint(error, "leave --renew out if the key is to be replaced");
        return TALLY_ERR_USAGE;
    }
    if (o->what == ROTATE && !given(o, RENEW) && !given(o, KEY) && (given(o, CERT) || given(o, CHAIN))) {
        cli_fail(error, TALLY_ERR_USAGE, "a certificate without its key");
        cli_hint(error, "give --key FILE too; for a new certificate of the key in use write --renew");
        return TALLY_ERR_USAGE;
    }
    return TALLY_OK;
}

static tally_status parse(char *const *argv, identity_options *out, tally_error *error)
{
    cli_args args;
    const char *value;
    int o;
    cli_args_init(&args, table, OPTIONS, argv);
    while ((o = cli_args_next(&args, &value, error)) != CLI_END) {
        if (o == CLI_BAD)
            return error->status;
        if (o >= 0) {
            out->given |= TAKES(o);
            out->values[o] = value;
        } else if (!out->action) {
            out->action = value;
        } else if (!out->name) {
            out->name = value;
        } else {
            return cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
        }
        out->help |= o == HELP;
        if (out->help)
            return TALLY_OK;
    }
    if (!out->action) {
        cli_fail(error, TALLY_ERR_USAGE, "nothing to do was given");
        cli_hint(error, "write tally identity new NAME --organisation ..., or tally identity show NAME");
        return TALLY_ERR_USAGE;
    }
    tally_status st =
        cli_parse_choice("what follows tally identity", out->action, actions, &out->what, error);
    if (st)
        return st;
    if (!out->name) {
        cli_fail(error, TALLY_ERR_USAGE, "the identity's name is missing");
        cli_hint(error, "write tally identity %s NAME", out->action);
        return TALLY_ERR_USAGE;
    }
    return check(out, error);
}

/* ---- Actions ---- */

static tally_status make(const identity_options *o, const char *dir, cli_passphrase *p, tally_error *error)
{
    int encrypt = given(o, ASK) || given(o, PASSPHRASE_FILE);
    tally_import from = {.key = o->values[KEY],
                         .cert = o->values[CERT],
                         .chain = o->values[CHAIN],
                         .ask = cli_passphrase_ask,
                         .user = p,
                         .encrypt = encrypt};
    p->is_new = o->what == NEW;
    if (o->what == IMPORT)
        return tally_identity_import(dir, &from, error);
    return tally_identity_create_with(dir, o->values[ORGANISATION], o->days,
                                      encrypt ? cli_passphrase_ask : NULL, p, error);
}

/* One passphrase opens sign.pem and the token. */
static void advise_pin(const char *dir)
{
    char *path = NULL;
    if (asprintf(&path, "%s/key.uri", dir) < 0)
        return;
    if (access(path, F_OK) == 0)
        cli_advise("the token has a PIN of its own: either it is the same as this passphrase, or pin-source "
                   "in %s names the file that has it",
                   path);
    free(path);
}

static tally_status change_passphrase(const identity_options *o, const char *dir, cli_passphrase *p,
                                      tally_error *error)
{
    cli_passphrase fresh = {.file = o->values[NEW_PASSPHRASE_FILE],
                            .option = "--new-passphrase-file",
                            .name = o->name,
                            .is_new = 1};
    tally_status st = tally_identity_set_passphrase(
        dir, cli_passphrase_ask, p, given(o, REMOVE) ? NULL : cli_passphrase_ask, &fresh, error);
    st = cli_passphrase_reason(&fresh, st, error);
    cli_passphrase_forget(&fresh);
    if (!st && given(o, REMOVE))
        cli_note("the keys of %s have no passphrase any more", o->name);
    else if (!st)
        cli_note("the keys of %s are encrypted with the new passphrase", o->name);
    if (!st)
        advise_pin(dir);
    return st;
}

static tally_status rotate(const identity_options *o, const char *dir, cli_passphrase *p, tally_error *error)
{
    cli_passphrase fresh = {
        .file = o->values[NEW_PASSPHRASE_FILE], .option = "--new-passphrase-file", .name = o->values[KEY]};
    tally_import from = {.key = o->values[KEY],
                         .cert = o->values[CERT],
                         .chain = o->values[CHAIN],
                         .ask = cli_passphrase_ask,
                         .user = &fresh};
    if (given(o, RENEW))
        return tally_identity_renew(dir, o->days, o->values[CERT], o->values[CHAIN], cli_passphrase_ask, p,
                                    error);
    if (given(o, FINISH))
        return tally_identity_rotate_finish(dir, error);
    tally_status st = tally_identity_rotate(dir, o->overlap, o->days, from.key ? &from : NULL,
                                            cli_passphrase_ask, p, error);
    cli_passphrase_forget(&fresh);
    return cli_passphrase_reason(&fresh, st, error);
}

static void advise(const identity_options *o, const char *dir, const tally_identity *identity)
{
    int overlap = o->what == SHOW && tally_identity_overlap_until(identity) != 0;
    if (o->what == NEW || o->what == IMPORT || (o->what == SHOW && !overlap && !given(o, JSON)))
        cli_advise(
            "give the fingerprints to the other organisation by a way you both trust; they pass the first "
            "as --peer, and an agreement names both");
    else if (o->what == ROTATE && given(o, RENEW))
        cli_advise("the fingerprint is the same: nobody has to be told");
    else if (o->what == ROTATE && given(o, FINISH))
        cli_advise(
            "the old key is deleted; who has not taken %s/rotations yet has to: tally peer add-rotation",
            dir);
    else if (o->what == ROTATE || overlap)
        cli_advise(
            "give %s/rotations to the other sides: tally peer add-rotation rotations. Once all have taken "
            "it: tally identity rotate %s --finish",
            dir, o->name);
    if (!*tally_identity_signing_fingerprint(identity))
        cli_advise("to sign agreements this identity needs one more key: tally identity add-signing-key %s",
                   o->name);
}

static tally_status act(const identity_options *o, const cli_places *places, const char *dir,
                        cli_passphrase *p, tally_error *error)
{
    tally_identity *identity = NULL;
    tally_status st = TALLY_OK;
    if (o->what == NEW || o->what == IMPORT)
        st = make(o, dir, p, error);
    else if (o->what == PASSPHRASE)
        st = change_passphrase(o, dir, p, error);
    else if (o->what == ROTATE)
        st = rotate(o, dir, p, error);
    else if (o->what == ADD_SIGNING_KEY)
        st = tally_identity_add_signing_key_with(dir, cli_passphrase_ask, p, error);
    st = cli_passphrase_reason(p, st, error);
    if (st || o->what == PASSPHRASE)
        return st;
    /* A passphrase that was given is tried; none is asked for. */
    int open = o->what == SHOW && given(o, PASSPHRASE_FILE);
    st = cli_identity_load(places, dir, open ? p : NULL, &identity, error);
    if (!st)
        st = cli_identity_print(places, o->name, dir, o->what == NEW ? o->values[ORGANISATION] : NULL,
                                given(o, JSON), identity, error);
    if (!st) {
        advise(o, dir, identity);
        cli_identity_warn(o->name, identity);
    }
    tally_identity_free(identity);
    return st;
}

int cli_identity(char *const *argv)
{
    identity_options o = {0};
    cli_places places = {0};
    char *dir = NULL;
    tally_error error = {0};
    tally_status st = parse(argv, &o, &error);
    if (st)
        return cli_report(&error);
    if (o.help)
        return cli_show_help(cli_help_identity);
    st = cli_places_find(&places, &error);
    if (!st && (o.what == NEW || o.what == IMPORT))
        st = cli_identity_fresh(&places, o.name, &dir, &error);
    else if (!st)
        st = cli_identity_existing(&places, o.name, &dir, &error);
    if (!st) {
        cli_passphrase p = {.file = o.values[PASSPHRASE_FILE], .option = "--passphrase-file", .name = o.name};
        st = act(&o, &places, dir, &p, &error);
        cli_passphrase_forget(&p);
    }
    if (st)
        cli_report(&error);
    free(dir);
    cli_places_free(&places);
    return tally_exit_status(st);
}
