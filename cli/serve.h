/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally serve: from a configuration to runs of several agreements in one process.
 *
 *   serve.c          the command, signals, the loop that accepts
 *   serve_config.c   the file
 *   serve_setup.c    what the file names: identity, agreements, ledger; what one entry's session is
 *   serve_run.c      one connection: waits its turn, runs, is reported
 *   serve_status.c   the status file, and word to systemd
 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "cli/serve_config.h"

#include <pthread.h>

/* ---- One reading of the configuration ---- */

typedef struct cli_serve_agreed {
    tally_agreement *agreement;
    char name[200], peer[200], own[200], function[16];
    int sender;
} cli_serve_agreed;

typedef struct cli_serve_setup {
    unsigned users; /* under cli_serve.lock */
    cli_serve_config config;
    char *ledger_path;
    tally_identity *identity;
    tally_ledger *ledger;
    cli_serve_agreed agreed[TALLY_SERVER_ENTRIES];
} cli_serve_setup;

/* users is 1. Everything that runs have in common is loaded; an entry that cannot be served at all is an
 * error that names it. */
tally_status cli_serve_setup_load(cli_serve_setup **out, const char *path,
                                  tally_error *error) TALLY_MUST_CHECK;
void cli_serve_setup_free(cli_serve_setup *setup);
/* A server of its entries and addresses, which does not listen yet. */
tally_status cli_serve_setup_server(cli_serve_setup *setup, tally_server **out,
                                    tally_error *error) TALLY_MUST_CHECK;
/* Session and input of an entry, for one run; both to be freed, also on failure. output: its file, or NULL.
 */
tally_status cli_serve_setup_session(cli_serve_setup *setup, size_t entry, const char *output,
                                     tally_session **session, tally_input **input,
                                     tally_error *error) TALLY_MUST_CHECK;
/* What a run of the entry would be refused for today, as far as this side alone can tell. */
tally_status cli_serve_setup_check(cli_serve_setup *setup, size_t entry, tally_error *error) TALLY_MUST_CHECK;
/* Takes away what a killed process has left half written in the folders of the entries. */
void cli_serve_setup_clean(const cli_serve_setup *setup);

/* ---- What is known of an entry over all readings ---- */

typedef struct cli_serve_slot {
    struct cli_serve_slot *next;
    char name[72];
    int busy; /* a run of it is on */
    unsigned waiting;
    uint64_t done, failed, last_run;
    int last_exit; /* -1: there was none */
    int64_t last_began, last_ended;
    char last_message[512];
} cli_serve_slot;

typedef struct cli_serve_job cli_serve_job;

/* All but the constant ones under lock. */
typedef struct cli_serve {
    pthread_mutex_t lock;
    pthread_mutex_t writing; /* the status file; taken before lock */
    pthread_cond_t changed;
    const char *config_path, *status_path; /* status_path: --status, or NULL */
    int verbose;
    int64_t began;
    tally_server *server;
    cli_serve_setup *setup;
    cli_serve_slot *slots;
    cli_serve_job *jobs;
    unsigned running, waiting;
    uint64_t number; /* of the last connection */
    int stopping;
} cli_serve;

/* The slot of a name; made if it is new. NULL: no memory. */
cli_serve_slot *cli_serve_slot_of(cli_serve *s, const char *name);
/* One user less; NULL allowed. The lock is held. */
void cli_serve_release(cli_serve_setup *setup);

/* Takes the connection over; its run has a thread of its own. */
void cli_serve_start(cli_serve *s, size_t entry, tally_connection *connection);
/* Joins those that have ended, and cancels those that have run for too long. Returns how many are left. */
unsigned cli_serve_reap(cli_serve *s);
/* Seconds that only grow, whatever is done to the clock. */
int64_t cli_serve_clock(void);
/* Cancels those that wait for their turn, or all. */
void cli_serve_cancel(cli_serve *s, int all);

/* Writes the status file, if there is to be one. The lock is not held: a slow disk keeps no run waiting. */
void cli_serve_write_status(cli_serve *s);
/* A word to the service manager, such as "READY=1"; nothing without $NOTIFY_SOCKET. */
void cli_serve_notify(const char *word);
/* Tells it that the loop goes round, if it wants to know; how often it does, in milliseconds, 0: never. From
 * one thread. */
unsigned cli_serve_alive(void);

#endif
