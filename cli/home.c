/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/home.h"

#include "cli/message.h"
#include "cli/passphrase.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

tally_status cli_places_from(cli_places *out, const char *tally_home, const char *user_home,
                             const char *system, tally_error *error)
{
    cli_places places = {.system = system};
    if (tally_home && *tally_home) {
        places.home = tally_home;
        places.system = NULL;
    } else if (user_home && *user_home) {
        if (asprintf(&places.owned, "%s/.config/tally", user_home) < 0)
            return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
        places.home = places.owned;
    }
    *out = places;
    return TALLY_OK;
}

tally_status cli_places_find(cli_places *out, tally_error *error)
{
    const char *user_home = getenv("HOME");
    if (!user_home || !*user_home) {
        const struct passwd *user = getpwuid(geteuid());
        user_home = user ? user->pw_dir : NULL;
    }
    return cli_places_from(out, getenv("TALLY_HOME"), user_home, "/etc/tally", error);
}

void cli_places_free(cli_places *places)
{
    free(places->owned);
    *places = (cli_places){0};
}

static tally_status check_name(const char *name, tally_error *error)
{
    if (strchr(name, '/') || (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0))
        return TALLY_OK;
    cli_fail(error, TALLY_ERR_USAGE, "\"%s\" is not a name for an identity", name);
    cli_hint(error, "use a plain word, such as bank-id, or a path with a slash");
    return TALLY_ERR_USAGE;
}

static tally_status join(const char *folder, const char *name, char **out, tally_error *error)
{
    char *path;
    if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    *out = path;
    return TALLY_OK;
}

/* Anything but "is not there" counts as there: the library then says what is wrong with it. */
static int exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

tally_status cli_identity_existing(const cli_places *places, const char *name, char **dir, tally_error *error)
{
    const char *folders[2] = {places->home, places->system};
    tally_status st = check_name(name, error);
    if (st)
        return st;
    if (strchr(name, '/'))
        folders[0] = "", folders[1] = NULL;
    for (int i = 0; i < 2; i++) {
        char *path = NULL;
        if (!folders[i])
            continue;
        st = join(folders[i], name, &path, error);
        if (st)
            return st;
        if (exists(path)) {
            *dir = path;
            return TALLY_OK;
        }
        free(path);
    }
    if (strchr(name, '/'))
        cli_fail(error, TALLY_ERR_FILE, "there is no identity %s", name);
    else if (folders[0] && folders[1])
        cli_fail(error, TALLY_ERR_FILE, "there is no identity %s in %s or %s", name, folders[0], folders[1]);
    else
        cli_fail(error, TALLY_ERR_FILE, "there is no identity %s in %s", name,
                 folders[0]   ? folders[0]
                 : folders[1] ? folders[1]
                              : "");
    cli_hint(error, "make one with: tally identity new %s --organisation \"...\"", name);
    return TALLY_ERR_FILE;
}

/* mkdir -p with mode 0700 for what is made. path is changed while it works and restored. */
static int make_folders(char *path)
{
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char held = *p;
        *p = 0;
        int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        *p = held;
        if (failed)
            return -1;
        if (!held)
            return 0;
    }
}

tally_status cli_identity_fresh(const cli_places *places, const char *name, char **dir, tally_error *error)
{
    tally_status st = check_name(name, error);
    if (st)
        return st;
    if (strchr(name, '/'))
        return join("", name, dir, error);
    if (!places->home) {
        cli_fail(error, TALLY_ERR_FILE, "there is no home folder for identities");
        cli_hint(error, "set TALLY_HOME to a folder, or give a path with a slash");
        return TALLY_ERR_FILE;
    }
    char *home = strdup(places->home);
    if (!home)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    if (make_folders(home)) {
        cli_fail(error, TALLY_ERR_FILE, "the folder %s cannot be made: %s", home, party_system_text(errno));
        cli_hint(error, "set TALLY_HOME to a folder you may write to, or give a path with a slash");
        st = TALLY_ERR_FILE;
    } else {
        st = join(home, name, dir, error);
    }
    free(home);
    return st;
}

/* ---- Loading ---- */

#define DAY_S 86400
#define WARN_DAYS 30

static void day_text(char out[32], long long seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
        snprintf(out, 32, "unknown");
}

void cli_identity_warn(const char *name, const tally_identity *identity)
{
    char date[32];
    long long end = tally_identity_not_after(identity), overlap = tally_identity_overlap_until(identity),
              now = (long long)time(NULL);
    if (end - now < (long long)WARN_DAYS * DAY_S) {
        day_text(date, end);
        if (end < now)
            cli_note("warning: the certificate of %s expired on %s", name, date);
        else
            cli_note("warning: the certificate of %s expires on %s, in %lld days", name, date,
                     (end - now) / DAY_S);
        cli_advise("renew it, the fingerprint stays: tally identity rotate %s --renew", name);
    }
    if (overlap && overlap - now < (long long)WARN_DAYS * DAY_S) {
        day_text(date, overlap);
        if (overlap < now)
            cli_note("warning: the key of %s was accepted until %s; its new key waits", name, date);
        else
            cli_note("warning: the key of %s is accepted until %s, for %lld days; its new key waits", name,
                     date, (overlap - now) / DAY_S);
        cli_advise("put the new key in place: tally identity rotate %s --finish", name);
    }
}

tally_status cli_peers_folder(const char *home, char **out, tally_error *error)
{
    return join(home, "peers", out, error);
}

tally_status cli_identity_load(const cli_places *places, const char *dir, cli_passphrase *passphrase,
                               tally_identity **out, tally_error *error)
{
    const char *const homes[] = {places->home, places->system};
    tally_identity *identity = NULL;
    unsigned flags =
        (cli_is_credential(dir) ? TALLY_IDENTITY_CREDENTIAL : 0) | (passphrase ? 0 : TALLY_IDENTITY_PUBLIC);
    tally_status st = tally_identity_load_with(dir, flags, cli_passphrase_ask, passphrase, &identity, error);
    if (passphrase)
        st = cli_passphrase_reason(passphrase, st, error);
    for (int i = 0; !st && i < 2; i++) {
        char *folder = NULL;
        if (!homes[i])
            continue;
        st = cli_peers_folder(homes[i], &folder, error);
        if (!st)
            st = tally_identity_add_peers(identity, folder, error);
        free(folder);
    }
    if (st) {
        tally_identity_free(identity);
        return st;
    }
    *out = identity;
    return TALLY_OK;
}

tally_status cli_identity_open(const cli_places *places, const char *name, const char *passphrase_file,
                               tally_identity **out, tally_error *error)
{
    char *dir = NULL;
    cli_passphrase p = {.file = passphrase_file, .option = "--passphrase-file", .name = name};
    tally_status st = cli_identity_existing(places, name, &dir, error);
    if (!st)
        st = cli_identity_load(places, dir, &p, out, error);
    cli_passphrase_forget(&p);
    if (!st)
        cli_identity_warn(name, *out);
    free(dir);
    return st;
}
