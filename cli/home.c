/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/home.h"

#include "cli/message.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
