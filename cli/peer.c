/* SPDX-License-Identifier: Apache-2.0 */
/* What this home knows of other sides' keys. */
#include "cli/commands.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

const char cli_help_peer[] =
    "usage: tally peer revoke sha256:HEX [--reason TEXT]\n"
    "       tally peer restore sha256:HEX\n"
    "       tally peer add-rotation FILE\n"
    "       tally peer list [--json]\n"
    "\n"
    "Keys of other sides that this home does not accept any more, and keys that\n"
    "other sides have replaced.\n"
    "  revoke        refuses this key from now on, whatever an agreement or --peer\n"
    "                says: a key that was stolen, or of a side you do not trust\n"
    "  restore       takes that back\n"
    "  add-rotation  takes over the statement of another side about its new key (the\n"
    "                file rotations of tally identity rotate). It counts for the\n"
    "                agreements that name the key that signed it; nothing has to be\n"
    "                signed again\n"
    "  list          both, also those of /etc/tally\n"
    "\n"
    "They are kept in the folder peers of $TALLY_HOME (else ~/.config/tally, else\n"
    "/etc/tally), and hold in every run.\n"
    "\n"
    "options:\n"
    "      --reason TEXT  kept with the key, and said when it is refused\n"
    "      --json         print the list as JSON\n"
    "  -h, --help         show this text\n"
    "\n"
    "example:\n"
    "  tally peer revoke sha256:... --reason \"server stolen on 3 May\"\n";

enum action { REVOKE, RESTORE, ADD_ROTATION, LIST };

typedef struct peer_options {
    const char *action, *word, *reason;
    int what, json, help;
} peer_options;

static tally_status parse(char *const *argv, peer_options *out, tally_error *error)
{
    enum { REASON, JSON, HELP };
    static const cli_option table[] = {[REASON] = {.name = "reason", .takes_value = 1},
                                       [JSON] = {.name = "json"},
                                       [HELP] = {.name = "help", .letter = 'h'}};
    static const char *const actions[] = {"revoke", "restore", "add-rotation", "list", NULL};
    static const char *const usage[] = {"tally peer revoke sha256:HEX", "tally peer restore sha256:HEX",
                                        "tally peer add-rotation FILE", "tally peer list"};
    cli_args args;
    const char *value;
    int o;
    cli_args_init(&args, table, sizeof table / sizeof *table, argv);
    while ((o = cli_args_next(&args, &value, error)) != CLI_END) {
        if (o == CLI_BAD)
            return error->status;
        if (o == REASON)
            out->reason = value;
        else if (o == JSON)
            out->json = 1;
        else if (o == HELP)
            out->help = 1;
        else if (!out->action)
            out->action = value;
        else if (!out->word)
            out->word = value;
        else
            return cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
        if (out->help)
            return TALLY_OK;
    }
    if (!out->action) {
        cli_fail(error, TALLY_ERR_USAGE, "nothing to do was given");
        cli_hint(error, "write tally peer list, or tally peer revoke sha256:HEX");
        return TALLY_ERR_USAGE;
    }
    tally_status st = cli_parse_choice("what follows tally peer", out->action, actions, &out->what, error);
    if (st)
        return st;
    if ((out->what != LIST && !out->word) || (out->what == LIST && out->word)) {
        cli_fail(error, TALLY_ERR_USAGE,
                 out->word ? "tally peer list takes no further word" : "the key or file is missing");
        cli_hint(error, "write %s", usage[out->what]);
        return TALLY_ERR_USAGE;
    }
    if (out->reason && out->what != REVOKE)
        return cli_fail(error, TALLY_ERR_USAGE, "--reason is only for tally peer revoke");
    if (out->json && out->what != LIST)
        return cli_fail(error, TALLY_ERR_USAGE, "--json is only for tally peer list");
    return TALLY_OK;
}

/* ---- list ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_list(const json_t *all)
{
    size_t i;
    const json_t *one, *revoked = json_object_get(all, "revoked"),
                       *rotations = json_object_get(all, "rotations");
    if (!json_array_size(revoked))
        cli_print("no key is revoked\n");
    json_array_foreach(revoked, i, one)
    {
        cli_print("revoked: %s\n", text_of(one, "key"));
        if (*text_of(one, "reason"))
            cli_print("    since %s: %s\n", text_of(one, "since"), text_of(one, "reason"));
        else
            cli_print("    since %s\n", text_of(one, "since"));
    }
    json_array_foreach(rotations, i, one)
        cli_print("replaced: %s\n    by %s from %s\n    accepted until %s, as signing key %s says\n",
                  text_of(one, "old_key"), text_of(one, "new_key"), text_of(one, "from"),
                  text_of(one, "old_key_until"), text_of(one, "signing_key"));
}

/* Of both places as one. */
static tally_status list(const cli_places *places, int json, tally_error *error)
{
    const char *const homes[] = {places->home, places->system};
    json_t *all = json_pack("{s:[], s:[]}", "revoked", "rotations");
    tally_status st = all ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (int i = 0; !st && i < 2; i++) {
        char *folder = NULL, *text = NULL;
        if (!homes[i])
            continue;
        st = cli_peers_folder(homes[i], &folder, error);
        if (!st)
            st = tally_peers_json(folder, &text, error);
        json_t *one = st ? NULL : json_loads(text, 0, NULL);
        if (one) {
            json_array_extend(json_object_get(all, "revoked"), json_object_get(one, "revoked"));
            json_array_extend(json_object_get(all, "rotations"), json_object_get(one, "rotations"));
        }
        json_decref(one);
        free(text);
        free(folder);
    }
    char *text = !st && json ? json_dumps(all, JSON_INDENT(2)) : NULL;
    if (text)
        printf("%s\n", text);
    else if (!st && !json)
        print_list(all);
    free(text);
    json_decref(all);
    return st;
}

/* ---- The others ---- */

/* The home, made if it is not there, and the folder in it. */
static tally_status own_folder(const cli_places *places, char **out, tally_error *error)
{
    char *unused = NULL;
    tally_status st = cli_identity_fresh(places, "peers", &unused, error); /* makes the home */
    free(unused);
    return st ? st : cli_peers_folder(places->home, out, error);
}

static tally_status act(const peer_options *o, const char *folder, tally_error *error)
{
    tally_status st;
    if (o->what == REVOKE) {
        st = tally_peers_revoke(folder, o->word, o->reason, error);
        if (!st)
            cli_note("revoked: %s is refused from now on", o->word);
        return st;
    }
    if (o->what == RESTORE) {
        st = tally_peers_restore(folder, o->word, error);
        if (!st)
            cli_note("restored: %s is not revoked any more", o->word);
        return st;
    }
    st = tally_peers_add_rotation(folder, o->word, error);
    if (!st) {
        cli_note("taken over from %s; tally peer list shows it", o->word);
        cli_advise("it counts for agreements that name its signing key; compare the new fingerprint with the "
                   "other side by a way you both trust");
    }
    return st;
}

int cli_peer(char *const *argv)
{
    peer_options o = {0};
    cli_places places = {0};
    char *folder = NULL;
    tally_error error = {0};
    tally_status st = parse(argv, &o, &error);
    if (st)
        return cli_report(&error);
    if (o.help)
        return cli_show_help(cli_help_peer);
    st = cli_places_find(&places, &error);
    if (!st && o.what == LIST)
        st = list(&places, o.json, &error);
    else if (!st)
        st = own_folder(&places, &folder, &error);
    if (!st && o.what != LIST)
        st = act(&o, folder, &error);
    if (st)
        cli_report(&error);
    free(folder);
    cli_places_free(&places);
    return tally_exit_status(st);
}
