/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/file.h"
#include "cli/log.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS 1000
#define CANCELLED_S 10 /* how long cancelled runs have to end */

const char cli_help_serve[] =
    "usage: tally serve --config FILE [OPTIONS]\n"
    "       tally serve --example\n"
    "\n"
    "Waits for the other sides of several agreements and runs with each what it\n"
    "has signed, again and again, in one process. Who connects is known by its\n"
    "key, and reaches nothing but its own agreement. The list of an entry is read\n"
    "anew for each run. One run of an entry at a time: the next waits its turn.\n"
    "\n"
    "      --config FILE             what to listen on, who you are, and the runs\n"
    "      --check                   look at all of it, say what would be done, and\n"
    "                                end; nothing is listened on\n"
    "      --example                 print a commented configuration\n"
    "      --status FILE             write there what it does, as JSON\n"
    "      --log-file FILE           append messages to FILE\n"
    "      --grace TIME              how long a stop lets runs finish (default: as\n"
    "                                the configuration says, else 60s)\n"
    "  -v, --verbose                 say more\n"
    "  -h, --help                    show this text\n"
    "\n"
    "Signals: TERM and INT stop listening, let runs finish, and end; once more\n"
    "stops the runs too. HUP reads the configuration again; if it cannot be used,\n"
    "the old one stays.\n"
    "\n"
    "example:\n"
    "  tally serve --example > serve.yaml\n"
    "  tally serve --config serve.yaml --check\n"
    "  tally serve --config serve.yaml\n";

enum { CONFIG, CHECK, EXAMPLE, STATUS, LOG_FILE, GRACE, VERBOSE, HELP, OPTIONS };
static const cli_option options[OPTIONS] = {
    [CONFIG] = {.name = "config", .takes_value = 1},
    [CHECK] = {.name = "check"},
    [EXAMPLE] = {.name = "example"},
    [STATUS] = {.name = "status", .takes_value = 1},
    [LOG_FILE] = {.name = "log-file", .takes_value = 1},
    [GRACE] = {.name = "grace", .takes_value = 1},
    [VERBOSE] = {.name = "verbose", .letter = 'v'},
    [HELP] = {.name = "help", .letter = 'h'},
};

typedef struct arguments {
    const char *config, *status, *log;
    unsigned grace_s; /* 0: as the configuration says */
    int check, example, verbose, help;
} arguments;

static tally_status parse(arguments *a, char *const *argv, tally_error *error)
{
    cli_args args;
    const char *value;
    int i;
    cli_args_init(&args, options, OPTIONS, argv);
    while ((i = cli_args_next(&args, &value, error)) != CLI_END) {
        tally_status st = TALLY_OK;
        if (i == CLI_WORD) {
            cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
            cli_hint(error, "tally serve takes options only; tally serve --help lists them");
            return TALLY_ERR_USAGE;
        }
        if (i == CLI_BAD)
            return error->status;
        if (i == CONFIG)
            a->config = value;
        else if (i == STATUS)
            a->status = value;
        else if (i == LOG_FILE)
            a->log = value;
        else if (i == GRACE)
            st = cli_parse_duration("--grace", value, &a->grace_s, error);
        if (st)
            return st;
    }
    a->check = cli_args_seen(&args, CHECK);
    a->example = cli_args_seen(&args, EXAMPLE);
    a->verbose = cli_args_seen(&args, VERBOSE);
    a->help = cli_args_seen(&args, HELP);
    if (a->config || a->example || a->help)
        return TALLY_OK;
    cli_fail(error, TALLY_ERR_USAGE, "--config is missing");
    cli_hint(error, "tally serve --example > serve.yaml gives a file to fill in");
    return TALLY_ERR_USAGE;
}

/* ---- --check ---- */

static void say_entry(const cli_serve_setup *s, size_t i)
{
    const cli_serve_entry *e = &s->config.entry[i];
    const cli_serve_agreed *a = &s->agreed[i];
    const char *until = tally_agreement_valid_until(a->agreement);
    if (a->sender)
        cli_print("%s: %s with \"%s\", as the sender, under \"%s\" until %s; the list is %s\n", e->name,
                  a->function, a->peer, a->name, until, e->input);
    else
        cli_print("%s: %s with \"%s\", as the receiver, under \"%s\" until %s; the list is %s\n", e->name,
                  a->function, a->peer, a->name, until, e->input);
}

/* Every entry is looked at; the first failure is the status. */
static tally_status check_all(cli_serve_setup *s, int say)
{
    tally_error error = {.message = ""};
    tally_status first = TALLY_OK;
    for (size_t i = 0; i < s->config.count; i++) {
        if (say)
            say_entry(s, i);
        tally_status st = cli_serve_setup_check(s, i, &error);
        if (st)
            cli_report(&error);
        if (!first)
            first = st;
    }
    return first;
}

static tally_status check(const arguments *a, tally_error *error)
{
    cli_serve_setup *s = NULL;
    tally_server *server = NULL;
    tally_status st = cli_serve_setup_load(&s, a->config, error);
    if (st)
        return st;
    st = cli_serve_setup_server(s, &server, error);
    if (!st) {
        for (size_t i = 0; i < s->config.listen.count; i++)
            cli_print("listens on %s\n", s->config.listen.at[i]);
        cli_print("at most %llu runs at once, recorded in %s\n", (unsigned long long)s->config.max_sessions,
                  s->ledger_path);
        st = check_all(s, 1);
        if (st)
            *error = (tally_error){.status = st}; /* said already */
    }
    tally_server_free(server);
    cli_serve_setup_free(s);
    return st;
}

/* ---- Signals ---- */

static volatile sig_atomic_t stops, reload;
static tally_server *volatile woken; /* changed with signals blocked */

static void on_signal(int number)
{
    int saved = errno;
    if (number == SIGHUP)
        reload = 1;
    else
        stops++;
    if (woken)
        tally_server_wake(woken);
    errno = saved;
}

static void block_signals(int block)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = on_signal};
        sigemptyset(&action.sa_mask);
        sigaction(numbers[i], &action, NULL);
    }
}

/* ---- Serving ---- */

static void log_stranger(void *user, int level, const char *line)
{
    const cli_serve *s = user;
    if (level == 0)
        cli_note("serve: event=dropped: %s", line);
    else if (s->verbose)
        cli_note("serve: event=detail: %s", line);
}

/* From one reading of the configuration to a server that listens, in place of the older one. */
static tally_status take_up(cli_serve *s, cli_serve_setup *setup, tally_error *error)
{
    tally_server *server = NULL, *old = s->server;
    cli_serve_setup *earlier = s->setup;
    tally_status st = cli_serve_setup_server(setup, &server, error);
    if (!st) {
        tally_server_on_log(server, log_stranger, s);
        st = tally_server_listen(server, old, error);
    }
    if (st) {
        tally_server_free(server);
        return st;
    }
    block_signals(1);
    pthread_mutex_lock(&s->lock);
    woken = s->server = server;
    s->setup = setup;
    pthread_mutex_unlock(&s->lock);
    block_signals(0);
    cli_serve_write_status(s);
    tally_server_free(old); /* before what it borrows */
    pthread_mutex_lock(&s->lock);
    cli_serve_release(earlier);
    pthread_mutex_unlock(&s->lock);
    return TALLY_OK;
}

static void say_serving(const cli_serve_setup *setup)
{
    for (size_t i = 0; i < setup->config.listen.count; i++)
        cli_note("serve: event=listening on=%s entries=%zu", setup->config.listen.at[i], setup->config.count);
}

static void reload_config(cli_serve *s)
{
    tally_error error = {.message = ""};
    cli_serve_setup *setup = NULL;
    char word[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(word, sizeof word, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    cli_serve_notify(word);
    tally_status st = cli_serve_setup_load(&setup, s->config_path, &error);
    if (!st) {
        st = take_up(s, setup, &error);
        if (st)
            cli_serve_setup_free(setup);
    }
    if (st) {
        cli_note("serve: event=not-reloaded: the configuration stays as it was");
        cli_report(&error);
    } else {
        cli_note("serve: event=reloaded entries=%zu", setup->config.count);
        check_all(setup, 0);
        say_serving(setup);
    }
    cli_serve_notify("READY=1");
}

/* Until a signal says so. */
static tally_status accept_runs(cli_serve *s, tally_error *error)
{
    while (!stops) {
        unsigned often = cli_serve_alive();
        unsigned tick_ms = often && often < TICK_MS ? often : TICK_MS;
        size_t entry = 0;
        tally_connection *connection = NULL;
        tally_status st = tally_server_accept(s->server, tick_ms, &entry, &connection, error);
        if (!st)
            cli_serve_start(s, entry, connection);
        else if (st != TALLY_ERR_TIMEOUT && st != TALLY_ERR_INTERRUPTED && st != TALLY_ERR_NO_MEMORY)
            return st;
        cli_serve_reap(s);
        if (reload) {
            reload = 0;
            reload_config(s);
        }
    }
    return TALLY_OK;
}

/* Runs that have begun may finish until `seconds` from now, or until they are told again. */
static unsigned wait_for_runs(cli_serve *s, unsigned seconds, sig_atomic_t until_stops)
{
    int64_t end = cli_serve_clock() + (int64_t)seconds;
    unsigned left;
    while ((left = cli_serve_reap(s)) > 0 && cli_serve_clock() < end && stops < until_stops) {
        struct timespec pause = {.tv_nsec = 50000000};
        cli_serve_alive();
        nanosleep(&pause, NULL);
    }
    return left;
}

static void stop(cli_serve *s, unsigned grace_s)
{
    cli_serve_notify("STOPPING=1");
    tally_server_stop(s->server);
    pthread_mutex_lock(&s->lock);
    s->stopping = 1;
    cli_note("serve: event=stopping running=%u waiting=%u", s->running, s->waiting);
    pthread_mutex_unlock(&s->lock);
    cli_serve_write_status(s);
    cli_serve_cancel(s, 0);
    if (wait_for_runs(s, grace_s, 2)) {
        cli_note("serve: event=cancelling");
        cli_serve_cancel(s, 1);
        if (wait_for_runs(s, CANCELLED_S, 3)) { /* nothing of theirs may be freed */
            cli_note("serve: event=stopped runs were left unfinished");
            _Exit(CLI_EXIT_OK);
        }
    }
    pthread_mutex_lock(&s->lock);
    s->stopping = 2;
    pthread_mutex_unlock(&s->lock);
    cli_serve_write_status(s);
    cli_note("serve: event=stopped");
}

/* --log-file, or the one of settings.yaml. */
static tally_status open_log(const arguments *a, tally_error *error)
{
    cli_places places = {0};
    char *path = NULL;
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_settings_log(&places, a->log, &path, error);
    if (!st && path && cli_file_same(path, a->config)) {
        cli_fail(error, TALLY_ERR_USAGE, "the log %s is the configuration", path);
        cli_hint(error, "give the log a name of its own: --log-file FILE");
        st = TALLY_ERR_USAGE;
    }
    if (!st && path)
        st = cli_log_open(path, "serve", error);
    free(path);
    cli_places_free(&places);
    return st;
}

static tally_status serve(const arguments *a, tally_error *error)
{
    cli_serve s = {.config_path = a->config,
                   .status_path = a->status,
                   .verbose = a->verbose,
                   .began = (int64_t)time(NULL)};
    cli_serve_setup *setup = NULL;
    tally_status st = cli_serve_setup_load(&setup, a->config, error);
    if (st)
        return st;
    pthread_mutex_init(&s.lock, NULL);
    pthread_mutex_init(&s.writing, NULL);
    pthread_cond_init(&s.changed, NULL);
    catch_signals();
    st = take_up(&s, setup, error);
    if (!st) {
        cli_serve_setup_clean(setup);
        check_all(setup, 0); /* what cannot run today may tomorrow */
        say_serving(setup);
        cli_serve_notify("READY=1");
        st = accept_runs(&s, error);
        stop(&s, a->grace_s ? a->grace_s : s.setup->config.grace_s);
        woken = NULL;
        tally_server_free(s.server);
        setup = s.setup;
    }
    cli_serve_setup_free(setup);
    while (s.slots) {
        cli_serve_slot *next = s.slots->next;
        free(s.slots);
        s.slots = next;
    }
    pthread_cond_destroy(&s.changed);
    pthread_mutex_destroy(&s.writing);
    pthread_mutex_destroy(&s.lock);
    return st;
}

int cli_serve_main(char *const *argv)
{
    arguments a = {.config = NULL};
    tally_error error = {.message = ""};
    tally_status st = parse(&a, argv, &error);
    if (!st && a.help)
        return cli_show_help(cli_help_serve);
    if (!st && a.example)
        return cli_show_help(cli_serve_example);
    if (!st)
        st = a.check ? check(&a, &error) : open_log(&a, &error);
    if (!st && !a.check)
        st = serve(&a, &error);
    if (st && error.message[0])
        cli_report(&error);
    cli_log_close(tally_exit_status(st));
    return tally_exit_status(st);
}
