/* SPDX-License-Identifier: Apache-2.0 */
/* Where identities live: $TALLY_HOME, else ~/.config/tally, else /etc/tally. */
#ifndef CLI_HOME_H
#define CLI_HOME_H

#include "cli/passphrase.h"
#include "party/tally.h"

/* The places to look in, in order. Strings are borrowed; NULL: there is none. */
typedef struct cli_places {
    const char *home;   /* $TALLY_HOME, or made from ~ by cli_places_find */
    const char *system; /* /etc/tally; NULL when $TALLY_HOME is set */
    char *owned;        /* what home points to, if it was made */
} cli_places;

/* From the environment; user_home as $HOME or the password database says. */
tally_status cli_places_find(cli_places *out, tally_error *error) TALLY_MUST_CHECK;
/* The rule itself, without the environment; NULL or "" for a variable that is not set. */
tally_status cli_places_from(cli_places *out, const char *tally_home, const char *user_home,
                             const char *system, tally_error *error) TALLY_MUST_CHECK;
void cli_places_free(cli_places *places);

/*
 * Folder of an identity, to be freed. A name with a slash is a path; otherwise a folder in the home.
 * cli_identity_existing: TALLY_ERR_FILE if there is none. cli_identity_fresh makes the home (mode 0700) if
 * needed; the identity's own folder is the library's to make. TALLY_ERR_USAGE: not a name.
 */
tally_status cli_identity_existing(const cli_places *places, const char *name, char **dir,
                                   tally_error *error) TALLY_MUST_CHECK;
tally_status cli_identity_fresh(const cli_places *places, const char *name, char **dir,
                                tally_error *error) TALLY_MUST_CHECK;
/*
 * The whole way to an identity, for every command that uses one: its folder, its passphrase (from
 * passphrase_file, NULL: see cli/passphrase), what the home knows of peers, and a warning when its
 * certificate or key ends soon.
 */
tally_status cli_identity_open(const cli_places *places, const char *name, const char *passphrase_file,
                               tally_identity **out, tally_error *error) TALLY_MUST_CHECK;
/* Without the warning, for one whose folder is known, with a passphrase that the caller forgets. NULL:
 * without the keys that need one, to be shown. */
tally_status cli_identity_load(const cli_places *places, const char *dir, cli_passphrase *passphrase,
                               tally_identity **out, tally_error *error) TALLY_MUST_CHECK;
/* Warns on standard error when the certificate, or the key that is being replaced, has ended or has fewer
 * than 30 days left. */
void cli_identity_warn(const char *name, const tally_identity *identity);
/* The folder of what is known of peers, in the home or the system's folder; to be freed. */
tally_status cli_peers_folder(const char *home, char **out, tally_error *error) TALLY_MUST_CHECK;

#endif
