/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a passphrase comes from: the file that was given, else systemd's credential tally-passphrase.NAME or
 * tally-passphrase, else the terminal, without echo. Never an argument, never the environment.
 */
#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "party/tally.h"

typedef struct cli_passphrase {
    const char *file;   /* of the option; NULL: none was given */
    const char *option; /* "--passphrase-file", for messages */
    const char *name;   /* of the identity */
    int is_new;         /* 1: one that is being chosen: asked for twice, never taken from a credential */
    size_t kept_len;    /* 0: not asked yet */
    char kept[TALLY_PASSPHRASE_MAX]; /* so that one command asks once; see cli_passphrase_forget */
    tally_error error;               /* why there is none, when that is more than that none was given */
} cli_passphrase;

/* A tally_passphrase_callback; user is a cli_passphrase. */
int64_t cli_passphrase_ask(void *user, const char *what, char *out, size_t size);
/* Wipes what was kept. */
void cli_passphrase_forget(cli_passphrase *p);
/* After a call that failed: its own reason is the better one. Returns the status to go on with. */
tally_status cli_passphrase_reason(const cli_passphrase *p, tally_status st, tally_error *error);
/* 1 if path lies in the folder of systemd's credentials. */
int cli_is_credential(const char *path);

#endif
