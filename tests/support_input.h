/* SPDX-License-Identifier: Apache-2.0 */
/* Files and inputs for the tests of party/rows and party/output. */
#ifndef TESTS_SUPPORT_INPUT_H
#define TESTS_SUPPORT_INPUT_H

#include "party/tally.h"

/* dir/name in a buffer of its own until the next but seven call. */
const char *unit_path(const char *dir, const char *name);
/* Writes a file, aborts if it cannot. */
void unit_write(const char *path, const void *data, size_t len);
void unit_write_text(const char *path, const char *text);
/* Whole file with a zero behind it, to be freed; NULL if there is none. */
char *unit_read(const char *path, size_t *len);
/* Names in a folder. */
unsigned unit_entries(const char *dir);
/* An input with one or two keys (key2 may be NULL): "column:profile", not loaded. path may be NULL. */
tally_input *unit_input(const char *path, const char *key, const char *key2);
/* The folder with the real lists (environment TALLY_REAL_DATA, else ../shared/data), or NULL with a note. */
const char *unit_real_data(void);
/* Open descriptors of this process: to see that none is left. */
unsigned unit_descriptors(void);

#endif
