/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on files, one door for all of party/rows and party/output, so that tests can make each one
 * fail. No step of the data path. Interrupted calls are repeated; errno says what went wrong.
 */
#ifndef PARTY_IO_H
#define PARTY_IO_H

#include "party/tally.h"
#include <sys/types.h>

int party_io_open(const char *path, int flags); /* O_CLOEXEC is added */
int party_io_temp(char *template);              /* mkostemp with O_CLOEXEC: mode 0600 */
ssize_t party_io_read(int fd, void *buf, size_t len);
ssize_t party_io_pread(int fd, void *buf, size_t len, uint64_t offset);
/* All len bytes, or -1. */
int party_io_write(int fd, const void *buf, size_t len);
int party_io_fsync(int fd);
/* Renames; with replace = 0 an existing target is EEXIST. */
int party_io_rename(const char *from, const char *to, int replace);

/* An unnamed temporary file in $TMPDIR or /tmp, gone when it is closed; -1 and errno. */
int party_io_spool(void);

/* TALLY_ERR_FILE for errno e: "cannot <what> <path>: <system's text>", with a hint where one is known. */
tally_status party_io_failed(tally_error *error, const char *what, const char *path, int e);

#define PARTY_PATH_SHOWN 200 /* bytes of a path in a message, zero included */

#ifdef TALLY_TEST
/* Test builds only: the n-th call above from now (1 = the next) fails with errno e; 0 turns it off. */
void party_io_fail_at(unsigned long n, int e);
/* Calls made since the last call of party_io_fail_at. */
unsigned long party_io_count(void);
#endif

#endif
