/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"
#include "cli/log.h"
#include "cli/message.h"
#include "cli/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAITING_OF_ONE                                                                                       \
    2 /* connections of an entry that wait beside the one that runs; more are sent away                      \
       */

struct cli_serve_job {
    struct cli_serve_job *next;
    cli_serve *serve;
    cli_serve_setup *setup;
    size_t entry;
    cli_serve_slot *slot;
    tally_connection *connection; /* until the session has it */
    uint64_t number;
    pthread_t thread;
    tally_session *session; /* under the lock, for who cancels */
    int waits, runs, cancelled, done;
    int64_t turn; /* cli_serve_clock when it came to its turn */
    int refused;  /* too many wait: the other side is told so, which may take a moment */
};

cli_serve_slot *cli_serve_slot_of(cli_serve *s, const char *name)
{
    cli_serve_slot *slot = s->slots;
    while (slot && strcmp(slot->name, name) != 0)
        slot = slot->next;
    if (slot)
        return slot;
    slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->last_exit = -1;
    slot->next = s->slots;
    s->slots = slot;
    return slot;
}

void cli_serve_release(cli_serve_setup *setup)
{
    if (setup && --setup->users == 0)
        cli_serve_setup_free(setup);
}

/* ---- Its turn ---- */

/* The lock is held. */
static int may_run(const cli_serve_job *j)
{
    return !j->slot->busy && j->serve->running < j->setup->config.max_sessions;
}

/*
 * One run of an entry at a time, and so many in all. The session calls this first when its link is there, so
 * the other side is kept patient while this one waits for its turn.
 */
static void take_turn(void *user, const char *phase, uint64_t done, uint64_t total)
{
    cli_serve_job *j = user;
    cli_serve *s = j->serve;
    (void)phase, (void)done, (void)total;
    if (!j->waits)
        return;
    pthread_mutex_lock(&s->lock);
    if (!may_run(j))
        cli_note("serve: entry=%s connection=%llu event=waits", j->slot->name, (unsigned long long)j->number);
    while (!may_run(j) && !j->cancelled)
        pthread_cond_wait(&s->changed, &s->lock);
    j->waits = 0;
    j->slot->waiting--;
    s->waiting--;
    if (!j->cancelled) {
        j->runs = 1;
        j->turn = cli_serve_clock();
        j->slot->busy = 1;
        s->running++;
        j->slot->last_began = (int64_t)time(NULL);
    }
    int runs = j->runs;
    pthread_mutex_unlock(&s->lock);
    if (runs)
        cli_serve_write_status(s);
}

static void pass_log(void *user, int level, const char *line)
{
    const cli_serve_job *j = user;
    if (level == 0)
        cli_note("serve: entry=%s connection=%llu event=warning: %s", j->slot->name,
                 (unsigned long long)j->number, line);
    else if (j->serve->verbose)
        cli_note("serve: entry=%s connection=%llu event=detail: %s", j->slot->name,
                 (unsigned long long)j->number, line);
}

/* ---- The run ---- */

/* FOLDER/NAME-20261126-181923-NUMBER.SUFFIX: date and time in UTC, number of the connection. NULL: no memory,
 * or no folder. */
static char *result_path(const cli_serve_job *j, const char *folder, const char *suffix)
{
    char *path = NULL, when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (gmtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    if (!folder || asprintf(&path, "%s/%s-%s-%llu.%s", folder, j->slot->name, when,
                            (unsigned long long)j->number, suffix) < 0)
        return NULL;
    return path;
}

/* A text of the library into a file, if there are both; free()s the text. */
static void keep_text(const cli_serve_job *j, const char *path, char *text)
{
    tally_error error;
    if (path && text && cli_file_write(path, text, &error))
        cli_note("serve: entry=%s connection=%llu event=warning: %s", j->slot->name,
                 (unsigned long long)j->number, cli_shown(&error));
    free(text);
}

static tally_status run_session(cli_serve_job *j, tally_result *result, tally_error *error)
{
    const cli_serve_entry *e = &j->setup->config.entry[j->entry];
    int match = strcmp(j->setup->agreed[j->entry].function, "match") == 0;
    char *output = result_path(j, e->output, match ? "csv" : "json"),
         *summary = result_path(j, e->summary, "summary.json");
    tally_session *session = NULL;
    tally_input *input = NULL;
    tally_status st = TALLY_OK;
    if ((e->output && !output) || (e->summary && !summary))
        st = cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    if (!st)
        st = cli_serve_setup_session(j->setup, j->entry, match ? output : NULL, &session, &input, error);
    if (!st) {
        tally_session_set_connection(session, j->connection);
        j->connection = NULL;
        tally_session_on_progress(session, take_turn, j);
        tally_session_on_log(session, pass_log, j);
        pthread_mutex_lock(&j->serve->lock);
        j->session = session;
        if (j->cancelled)
            tally_session_cancel(session);
        pthread_mutex_unlock(&j->serve->lock);
        st = tally_session_run(session, error);
        tally_session_get_result(session, result);
        if (result->run)
            keep_text(j, summary, tally_session_summary_json(session));
        if (!st && !match)
            keep_text(j, output, tally_session_figures_json(session));
        pthread_mutex_lock(&j->serve->lock);
        j->session = NULL;
        pthread_mutex_unlock(&j->serve->lock);
    }
    tally_session_free(session);
    tally_input_free(input);
    free(summary);
    free(output);
    return st;
}

static void report(const cli_serve_job *j, tally_status st, const tally_result *r, const tally_error *error)
{
    const char *peer = j->setup->agreed[j->entry].peer, *name = j->slot->name;
    unsigned long long number = (unsigned long long)j->number, run = (unsigned long long)r->run;
    cli_log_set_run(run);
    if (!st)
        cli_note("serve: entry=%s connection=%llu run=%llu event=done status=0 peer=\"%s\" own-items=%llu "
                 "peer-items=%llu bytes-sent=%llu bytes-received=%llu",
                 name, number, run, peer, (unsigned long long)r->own_items, (unsigned long long)r->peer_items,
                 (unsigned long long)r->bytes_sent, (unsigned long long)r->bytes_received);
    else
        cli_note("serve: entry=%s connection=%llu run=%llu event=failed status=%d disclosed=%s peer=\"%s\" "
                 "reason: %s",
                 name, number, run, tally_exit_status(st), r->disclosed ? "yes" : "no", peer,
                 cli_shown(error));
    if (!st && r->share_exceeded)
        cli_note(
            "serve: entry=%s connection=%llu event=warning: more of the receiver's list matched than the "
            "agreement expects (max-match-share); the receipt says so",
            name, number);
    if (st && error->hint[0])
        cli_advise(PARTY_WHOLE, party_hint_of(error));
}

/* Before it is reported, so that whoever reads that finds the status as it is. */
static void note_end(cli_serve_job *j, tally_status st, const tally_result *result, const tally_error *error)
{
    cli_serve *s = j->serve;
    cli_serve_slot *slot = j->slot;
    pthread_mutex_lock(&s->lock);
    if (j->waits) { /* it never came to its turn */
        slot->waiting--;
        s->waiting--;
    }
    if (!j->runs)
        slot->last_began = (int64_t)time(NULL);
    if (j->runs) {
        slot->busy = 0;
        s->running--;
    }
    if (st)
        slot->failed++;
    else
        slot->done++;
    slot->last_run = result->run;
    slot->last_exit = tally_exit_status(st);
    slot->last_ended = (int64_t)time(NULL);
    snprintf(slot->last_message, sizeof slot->last_message, "%s", st ? error->message : "");
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    cli_serve_write_status(s);
}

static void *run_job(void *arg)
{
    cli_serve_job *j = arg;
    cli_serve *s = j->serve;
    tally_error error = {.message = ""};
    tally_result result = {.run = 0};
    tally_status st = TALLY_OK;
    if (!j->refused) {
        st = run_session(j, &result, &error);
        note_end(j, st, &result, &error);
        report(j, st, &result, &error);
    }
    tally_connection_free(j->connection); /* of who was refused, or got no session: it hears so */
    pthread_mutex_lock(&s->lock);
    j->done = 1;
    pthread_cond_broadcast(&s->changed);
    if (s->server)
        tally_server_wake(s->server);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
/* ---- From the loop that accepts ---- */

static int start_thread(cli_serve_job *j)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&j->thread, NULL, run_job, j);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

/* A job with its thread, or NULL. The lock is held. */
static cli_serve_job *new_job(cli_serve *s, size_t entry, tally_connection *connection, uint64_t number)
{
    cli_serve_slot *slot = cli_serve_slot_of(s, s->setup->config.entry[entry].name);
    cli_serve_job *j = slot ? calloc(1, sizeof *j) : NULL;
    if (!j)
        return NULL;
    int refused = slot->waiting + (unsigned)slot->busy > WAITING_OF_ONE;
    *j = (cli_serve_job){.serve = s,
                         .setup = s->setup,
                         .entry = entry,
                         .slot = slot,
                         .connection = connection,
                         .number = number,
                         .waits = !refused,
                         .refused = refused};
    if (start_thread(j)) {
        free(j);
        return NULL;
    }
    s->setup->users++;
    slot->waiting += !refused;
    s->waiting += !refused;
    return j;
}

void cli_serve_start(cli_serve *s, size_t entry, tally_connection *connection)
{
    pthread_mutex_lock(&s->lock);
    unsigned long long number = (unsigned long long)++s->number;
    const char *name = s->setup->config.entry[entry].name;
    cli_note("serve: entry=%s connection=%llu event=connected from=%s peer=\"%s\"", name, number,
             tally_connection_from(connection), s->setup->agreed[entry].peer);
    cli_serve_job *j = new_job(s, entry, connection, number);
    if (j && j->refused)
        cli_note("serve: entry=%s connection=%llu event=refused reason: others of this entry wait already",
                 name, number);
    else if (!j)
        cli_note(
            "serve: entry=%s connection=%llu event=refused reason: there is no memory or no thread for it",
            name, number);
    if (j) {
        j->next = s->jobs;
        s->jobs = j;
    }
    pthread_mutex_unlock(&s->lock);
    if (!j)
        tally_connection_free(connection);
}

int64_t cli_serve_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

/* A peer that only keeps its link alive would hold its place for good. The lock is held. */
static void end_overlong(cli_serve_job *j)
{
    unsigned most = j->setup->config.max_duration_s;
    if (!most || !j->runs || j->cancelled || !j->session || cli_serve_clock() - j->turn < (int64_t)most)
        return;
    cli_note("serve: entry=%s connection=%llu event=cancelling: it has run for max-duration, %u s",
             j->slot->name, (unsigned long long)j->number, most);
    j->cancelled = 1;
    tally_session_cancel(j->session);
}

unsigned cli_serve_reap(cli_serve *s)
{
    unsigned left = 0;
    pthread_mutex_lock(&s->lock);
    for (cli_serve_job **at = &s->jobs; *at;) {
        cli_serve_job *j = *at;
        if (!j->done) {
            end_overlong(j);
            left++;
            at = &j->next;
            continue;
        }
        *at = j->next;
        pthread_join(j->thread, NULL); /* it only lets go of the lock */
        cli_serve_release(j->setup);
        free(j);
    }
    pthread_mutex_unlock(&s->lock);
    return left;
}

void cli_serve_cancel(cli_serve *s, int all)
{
    pthread_mutex_lock(&s->lock);
    for (cli_serve_job *j = s->jobs; j; j = j->next) {
        if (j->done || (!all && j->runs))
            continue;
        j->cancelled = 1;
        if (j->session)
            tally_session_cancel(j->session);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}
