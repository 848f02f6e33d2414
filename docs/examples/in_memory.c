/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two parties in one process: rows from memory, the bytes between them through tally_pipe_new. Prints which
 * of the first party's rows the second has too. Build: cc in_memory.c $(pkg-config --cflags --libs tally)
 * -lpthread
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <tally.h>

typedef struct party {
    const char *name;
    enum tally_role role;
    const char *const *rows;
    size_t count;
    tally_transport transport;
    tally_status status;
    tally_error error;
} party;

static const char *const bank[] = {"+44 20 7946 0101", "+44 20 7946 0102", "(020) 7946 0103",
                                   "020 7946 0104"};
static const char *const court[] = {"+442079460103", "020-7946-0999", "+442079460101"};

/* Rows count from 1, in the order in which they were added. */
static int print_row(void *user, uint64_t row, uint64_t line)
{
    const party *p = (const party *)user;
    (void)line;
    printf("%s: row %u matches: %s\n", p->name, (unsigned)row, p->rows[row - 1]);
    return 0; /* go on */
}

static tally_status add_rows(tally_input *input, const party *p, tally_error *error)
{
    tally_status st = tally_input_add_key(input, "telephone", "phone-e164+44", error);
    for (size_t i = 0; !st && i < p->count; i++) {
        tally_text key = {p->rows[i], strlen(p->rows[i])};
        st = tally_input_add_row(input, &key, 1, error);
    }
    return st;
}

static void *run_party(void *user)
{
    party *p = (party *)user;
    tally_input *input = NULL;
    tally_session *session = NULL;

    p->status = tally_input_new(&input, &p->error);
    if (!p->status)
        p->status = add_rows(input, p, &p->error);
    if (!p->status)
        p->status = tally_session_new(&session, &p->error);
    if (!p->status) {
        tally_session_set_role(session, p->role);
        tally_session_set_security(session, TALLY_MALICIOUS);
        tally_session_set_input(session, input);
        /* No TLS: the bytes never leave this process, and we know who is at both ends. */
        tally_session_set_transport(session, &p->transport, 0, 0);
        tally_session_set_timeout(session, 10);
        tally_session_on_match(session, print_row, p);
        p->status = tally_session_run(session, &p->error);
    }
    if (!p->status)
        printf("%s: %s\n", p->name, tally_session_learned(session));
    else /* the other party must not wait for one that never came */
        p->transport.shutdown(p->transport.user);
    tally_session_free(session);
    tally_input_free(input);
    return NULL;
}

int main(void)
{
    party parties[2];
    pthread_t thread;
    tally_error error;

    memset(parties, 0, sizeof parties);
    parties[0].name = "bank";
    parties[0].role = TALLY_RECEIVER;
    parties[0].rows = bank;
    parties[0].count = sizeof bank / sizeof *bank;
    parties[1].name = "court";
    parties[1].role = TALLY_SENDER;
    parties[1].rows = court;
    parties[1].count = sizeof court / sizeof *court;

    tally_status st = tally_pipe_new(&parties[0].transport, &parties[1].transport, &error);
    if (st) {
        fprintf(stderr, "in_memory: %s\n", error.message);
        return tally_exit_status(st);
    }
    if (pthread_create(&thread, NULL, run_party, &parties[1])) {
        fprintf(stderr, "in_memory: no thread\n");
        return 70;
    }
    run_party(&parties[0]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        tally_pipe_free(&parties[i].transport);
        if (parties[i].status)
            fprintf(stderr, "%s: %s\n", parties[i].name, parties[i].error.message);
    }
    return tally_exit_status(parties[0].status ? parties[0].status : parties[1].status);
}
