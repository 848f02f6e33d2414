/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears whole or not at all: written beside its path under a temporary name, renamed by commit.
 * Called by party/output and party/rows (list of rejects).
 */
#ifndef PARTY_FILE_H
#define PARTY_FILE_H

#include "party/tally.h"

typedef struct party_file party_file;

/*
 * path "-": bytes are spooled and copied to standard output by commit. What exists at path must be a regular
 * file, and needs overwrite. TALLY_ERR_FILE.
 */
tally_status party_file_open(party_file **out, const char *path, int overwrite,
                             tally_error *error) TALLY_MUST_CHECK;
tally_status party_file_add(party_file *f, const void *data, size_t len, tally_error *error) TALLY_MUST_CHECK;
/* fsync, rename, fsync of the folder. On failure nothing is left, neither under the temporary name nor under
 * path. */
tally_status party_file_commit(party_file *f, tally_error *error) TALLY_MUST_CHECK;
/* Removes the temporary file unless committed. NULL allowed. */
void party_file_free(party_file *f);

#endif
