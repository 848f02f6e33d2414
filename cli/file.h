/* SPDX-License-Identifier: Apache-2.0 */
/* Files the command itself writes or checks: found wanting before a run, not after it. */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "party/tally.h"

/* Checks that a file can be written at path: the folder takes a new file, and path is not a folder or a
   device. overwrite = 0: nothing may be there. TALLY_ERR_FILE. option is "--summary" and the like. */
tally_status cli_file_check(const char *option, const char *path, int overwrite,
                            tally_error *error) TALLY_MUST_CHECK;
/* Writes text and a line end by temporary file (mode 0600), fsync and rename. On TALLY_ERR_FILE path is as
 * before. */
tally_status cli_file_write(const char *path, const char *text, tally_error *error) TALLY_MUST_CHECK;
/* A whole text file of at most max bytes; free(). TALLY_ERR_FILE; TALLY_ERR_INPUT: longer, or no text. */
tally_status cli_file_read(const char *path, size_t max, char **out, tally_error *error) TALLY_MUST_CHECK;
/* 1 if both paths name the same file, or would once both exist. */
int cli_file_same(const char *a, const char *b);

#endif
