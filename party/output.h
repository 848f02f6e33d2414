/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "row": takes matched items, gives the matching rows of the input file, byte for byte and in input
 * order. Written to a temporary file, renamed only by party_output_commit. Called by party/session.
 */
#ifndef PARTY_OUTPUT_H
#define PARTY_OUTPUT_H

#include "party/columns.h"

typedef struct party_output party_output;

/*
 * Opens the temporary file beside path ("-": none, rows are spooled to an unnamed file and copied to standard
 * output by commit) before the protocol starts, so that a missing folder, missing rights or an existing file
 * are found early. columns: names (or numbers without header), count 0 = whole rows; resolved against the
 * loaded input. TALLY_ERR_FILE, TALLY_ERR_INPUT (no such column: names it and lists what there is).
 */
tally_status party_output_open(party_output **out, const char *path, int overwrite,
                               const char *const *columns, size_t count, tally_input *input,
                               tally_error *error) TALLY_MUST_CHECK;
/* From now on each matching row comes out once for each of the peer's rows, with its columns behind; the
 * header gets their names. opened is borrowed. TALLY_ERR_FILE: no converter for the input's encoding. */
tally_status party_output_join(party_output *out, const party_opened *opened,
                               tally_error *error) TALLY_MUST_CHECK;
/*
 * Writes header and every row whose item has its bit in matched (bit i of byte i/8) set; *rows counts them.
 * Each such row is read again, its item derived again and compared: TALLY_ERR_INPUT_CHANGED if the file is
 * not what was read. A last row without line end gets one if the file uses line ends elsewhere:
 * rows never run together. A byte order mark of the input stands in front of the
 * first record that is written. TALLY_ERR_FILE: disk full and the like.
 */
tally_status party_output_write(party_output *out, const uint8_t *matched, party_cancel *cancel,
                                uint64_t *rows, tally_error *error) TALLY_MUST_CHECK;
/* fsync, rename over path, fsync of the folder. After it the output stands. */
tally_status party_output_commit(party_output *out, tally_error *error) TALLY_MUST_CHECK;
/* Removes the temporary file if not committed, and frees. NULL allowed. */
void party_output_free(party_output *out);

/* Writes len bytes to path by temporary file, mode 0600, fsync and rename: summaries and reject lists. */
tally_status party_file_write(const char *path, const void *data, size_t len,
                              tally_error *error) TALLY_MUST_CHECK;

#endif
