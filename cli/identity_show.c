/* SPDX-License-Identifier: Apache-2.0 */
/* What tally identity show prints, from what the library tells as JSON. */
#include "cli/identity.h"

#include "cli/message.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGREEMENTS_MAX 1000 /* files looked at in one folder */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int is_set(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* "2026-11-26T18:00:00Z" for people. */
static void day_text(char out[32], const char *utc)
{
    if (strlen(utc) == 20)
        snprintf(out, 32, "%.10s %.8s UTC", utc, utc + 11);
    else
        snprintf(out, 32, "unknown");
}

static const char *key_place(const json_t *all)
{
    if (strcmp(text_of(all, "key_in"), "token") == 0)
        return PARTY_WORD("in a token");
    return is_set(all, "key_encrypted") ? PARTY_WORD("key.pem, encrypted")
                                        : PARTY_WORD("key.pem, not encrypted");
}

static const char *signing_place(const json_t *all)
{
    return is_set(all, "signing_key_encrypted") ? PARTY_WORD("sign.pem, encrypted")
                                                : PARTY_WORD("sign.pem, not encrypted");
}

static const char *uses(const json_t *all)
{
    const json_t *may = json_object_get(all, "may");
    int listens = is_set(may, "listen"), connects = is_set(may, "connect");
    return listens && connects ? PARTY_WORD("listening and connecting")
           : listens           ? PARTY_WORD("listening only (serverAuth without clientAuth)")
                               : PARTY_WORD("connecting only (clientAuth without serverAuth)");
}

static void print_rotation(const json_t *all)
{
    const json_t *rotation = json_object_get(all, "rotation"),
                 *list = json_object_get(rotation, "statements");
    size_t count = json_array_size(list);
    const json_t *last = count ? json_array_get(list, count - 1) : NULL;
    char until[32];
    if (!last)
        return;
    day_text(until, text_of(last, "old_key_until"));
    if (is_set(rotation, "new_key_waits"))
        cli_print("rotation: the new key %s waits in next/; this one is accepted until %s\n",
                  text_of(last, "new_key"), until);
    else
        cli_print("rotation: this key replaced %s, which is accepted until %s\n", text_of(last, "old_key"),
                  until);
}

/* ---- Agreements that name it ---- */

/* What is to be said of one; NULL: it is none, or of other parties. */
static json_t *agreement_of(const char *path, const char *signing_key)
{
    tally_agreement *a = NULL;
    tally_error ignored;
    json_t *found = NULL;
    char *text = tally_agreement_load(path, &a, &ignored) ? NULL : tally_agreement_json(a);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *fields = json_object_get(all, "fields"), *parties = json_object_get(fields, "parties");
    for (size_t i = 0; !found && i < json_array_size(parties); i++)
        if (strcmp(text_of(json_array_get(parties, i), "signing-key"), signing_key) == 0)
            found = json_pack("{s:s, s:s, s:s, s:s}", "file", path, "name", text_of(fields, "name"), "with",
                              text_of(json_array_get(parties, !i), "organisation"), "valid_until",
                              tally_agreement_valid_until(a));
    json_decref(all);
    free(text);
    tally_agreement_free(a);
    return found;
}

static int is_yaml(const struct dirent *e)
{
    size_t len = strlen(e->d_name);
    return *e->d_name != '.' && len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

/* Those that lie in the home and in the system's folder. */
static json_t *agreements(const cli_places *places, const char *signing_key)
{
    const char *const folders[] = {places->home, places->system};
    json_t *list = json_array();
    for (size_t i = 0; *signing_key && i < sizeof folders / sizeof *folders; i++) {
        struct dirent **names = NULL;
        int count = folders[i] ? scandir(folders[i], &names, is_yaml, alphasort) : 0;
        for (int k = 0; k < count; k++) {
            char *path = NULL;
            if (k < AGREEMENTS_MAX && asprintf(&path, "%s/%s", folders[i], names[k]->d_name) >= 0) {
                json_t *one = agreement_of(path, signing_key);
                if (one)
                    json_array_append_new(list, one);
                free(path);
            }
            free(names[k]);
        }
        free(names);
    }
    return list;
}

static void print_agreements(const json_t *all)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(all, "agreements"), i, one)
        cli_print("agreement: %s, with %s until %s: %s\n", text_of(one, "name"), text_of(one, "with"),
                  text_of(one, "valid_until"), text_of(one, "file"));
}

/* ---- All of it ---- */

static void print_people(const char *name, const char *dir, const json_t *all)
{
    char from[32], until[32];
    const json_t *chain = json_object_get(all, "chain");
    long long left = json_integer_value(json_object_get(all, "days_left"));
    day_text(from, text_of(all, "valid_from"));
    day_text(until, text_of(all, "valid_until"));
    cli_print("name: %s\nfolder: %s\nsubject: %s\nkey: %s\nkey kept: %s\nfingerprint: %s\n", name, dir,
              text_of(all, "subject"), text_of(all, "key"), key_place(all), text_of(all, "fingerprint"));
    if (*text_of(all, "token"))
        cli_print("token: %s\n", text_of(all, "token"));
    if (*text_of(all, "signing_key"))
        cli_print("signing key: %s\nsigning key kept: %s\n", text_of(all, "signing_key"), signing_place(all));
    else
        cli_print("signing key: none\n");
    if (is_set(all, "self_signed"))
        cli_print("issuer: itself\n");
    else
        cli_print("issuer: %s\n", text_of(all, "issuer"));
    cli_print("serial: %s\nvalid from: %s\nvalid until: %s\n", text_of(all, "serial"), from, until);
    if (left >= 0)
        cli_print("days left: %lld\n", left);
    else
        cli_print("days left: none, it has expired\n");
    cli_print("certificate for: %s\n", uses(all));
    for (size_t i = 0; i < json_array_size(chain); i++)
        cli_print("chain: %s\n", text_of(json_array_get(chain, i), "subject"));
    print_rotation(all);
    print_agreements(all);
    if (!is_set(all, "self_signed"))
        cli_advise("who goes by your authority needs its certificate, and the subject exactly as above: "
                   "--peer-ca FILE --peer-name SUBJECT");
}

/* The keys of before come first, in their order. */
static tally_status print_json(const char *name, const char *dir, const char *organisation, json_t *all)
{
    json_t *object = json_pack("{s:s, s:s}", "name", name, "folder", dir);
    if (object && organisation)
        json_object_set_new(object, "organisation", json_string(organisation));
    char *text = object && json_object_update(object, all) == 0 ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (!text)
        return TALLY_ERR_NO_MEMORY; /* or a name that is not UTF-8 */
    printf("%s\n", text);
    free(text);
    return TALLY_OK;
}

tally_status cli_identity_print(const cli_places *places, const char *name, const char *dir,
                                const char *organisation, int json, const tally_identity *identity,
                                tally_error *error)
{
    char *text = tally_identity_json(identity);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    tally_status st = all ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    if (all)
        json_object_set_new(all, "agreements",
                            agreements(places, tally_identity_signing_fingerprint(identity)));
    if (!st && json)
        st = print_json(name, dir, organisation, all);
    else if (!st && organisation)
        cli_print("folder: %s\norganisation: %s\nfingerprint: %s\nsigning key: %s\n", dir, organisation,
                  tally_identity_fingerprint(identity), tally_identity_signing_fingerprint(identity));
    else if (!st)
        print_people(name, dir, all);
    json_decref(all);
    free(text);
    return st ? cli_fail(error, st, "the result could not be written as JSON") : TALLY_OK;
}
