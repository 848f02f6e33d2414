/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a match over TLS, with a CSV file. The receiver prints its matching rows on standard output.
 * Build: cc receiver.c $(pkg-config --cflags --libs tally)
 * Run:   receiver receiver|sender listen|connect HOST:PORT IDENTITY-DIR PEER-FINGERPRINT FILE COLUMN
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tally.h>

static tally_session *volatile running; /* for the signal handler */

static void interrupted(int signal_number)
{
    (void)signal_number;
    if (running)
        tally_session_cancel(
            running); /* the one call a signal handler may make; the run then ends by itself */
}

static void print_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
    (void)user;
    if (total)
        fprintf(stderr, "%s %u of %u\n", phase, (unsigned)done, (unsigned)total);
    else
        fprintf(stderr, "%s\n", phase);
}

static void print_log(void *user, int level, const char *line)
{
    (void)user;
    if (level < 2)
        fprintf(stderr, "%s: %s\n", level == 0 ? "warning" : "note", line);
}

typedef struct arguments {
    int receiver, listen;
    const char *address, *identity_dir, *fingerprint, *file, *column;
} arguments;

static int parse(int argc, char **argv, arguments *a)
{
    if (argc != 8)
        return 0;
    a->receiver = strcmp(argv[1], "receiver") == 0;
    a->listen = strcmp(argv[2], "listen") == 0;
    a->address = argv[3];
    a->identity_dir = argv[4];
    a->fingerprint = argv[5];
    a->file = argv[6];
    a->column = argv[7];
    return (a->receiver || strcmp(argv[1], "sender") == 0) && (a->listen || strcmp(argv[2], "connect") == 0);
}

static tally_status describe_list(tally_input *input, const arguments *a, tally_error *error)
{
    tally_status st = tally_input_add_key(input, a->column, "exact", error);
    return st ? st : tally_input_set_file(input, a->file, error);
}

static tally_status set_up(tally_session *session, const arguments *a, tally_error *error)
{
    tally_status st = tally_session_add_peer_pin(session, a->fingerprint, error);
    if (!st && a->listen)
        st = tally_session_set_listen(session, a->address, error);
    if (!st && !a->listen)
        st = tally_session_set_connect(session, a->address, error);
    if (!st && a->receiver)
        st = tally_session_set_output(session, "-", 0, error);
    tally_session_set_role(session, a->receiver ? TALLY_RECEIVER : TALLY_SENDER);
    tally_session_set_timeout(session, 60);
    tally_session_on_progress(session, print_progress, NULL);
    tally_session_on_log(session, print_log, NULL);
    return st;
}

static tally_status run(tally_session *session, tally_error *error)
{
    running = session;
    signal(SIGINT, interrupted);
    tally_status st = tally_session_run(session, error);
    signal(SIGINT, SIG_DFL);
    running = NULL;
    return st;
}

int main(int argc, char **argv)
{
    arguments a;
    tally_error error;
    tally_identity *identity = NULL;
    tally_input *input = NULL;
    tally_session *session = NULL;

    memset(&error, 0, sizeof error);
    if (!parse(argc, argv, &a)) {
        fprintf(stderr, "usage: receiver receiver|sender listen|connect HOST:PORT IDENTITY-DIR "
                        "PEER-FINGERPRINT FILE COLUMN\n");
        return 1;
    }
    tally_status st = tally_identity_load(a.identity_dir, &identity, &error);
    if (!st)
        st = tally_input_new(&input, &error);
    if (!st)
        st = describe_list(input, &a, &error);
    if (!st)
        st = tally_session_new(&session, &error);
    if (!st)
        st = set_up(session, &a, &error);
    if (!st) {
        tally_session_set_identity(session, identity);
        tally_session_set_input(session, input);
        st = run(session, &error);
    }
    if (st)
        fprintf(stderr, "receiver: %s%s%s\n", error.message, error.hint[0] ? "\n  " : "", error.hint);
    else
        fprintf(stderr, "%s\n", tally_session_learned(session));
    /* In the reverse order: the session borrows the other two. */
    tally_session_free(session);
    tally_input_free(input);
    tally_identity_free(identity);
    return tally_exit_status(st);
}
