/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many sessions in one thread: 8 pairs of parties, whose sessions are started and then stepped whenever their
 * descriptor is readable, as a program with an event loop of its own (libevent, libuv, epoll) does it. Here
 * the loop is poll. Build: cc event_loop.c $(pkg-config --cflags --libs tally)
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <tally.h>

#define PAIRS 8
#define SESSIONS (2 * PAIRS)
#define ROWS 20

typedef struct party {
    tally_input *input;
    tally_session *session;
    tally_transport transport;
    int running;
    unsigned matches;
} party;

/* Called by tally_session_step, so by the thread of the loop: nothing here needs a lock. */
static int count_row(void *user, uint64_t row, uint64_t line)
{
    party *p = (party *)user;
    (void)row, (void)line;
    p->matches++;
    return 0; /* go on */
}

/* The receiver has the identifiers 0..19, the sender every `every`-th of them. */
static tally_status start(party *p, enum tally_role role, unsigned every, tally_error *error)
{
    char id[16];
    tally_status st = tally_input_new(&p->input, error);
    if (!st)
        st = tally_input_add_key(p->input, "id", "exact", error);
    for (unsigned i = 0; !st && i < ROWS; i += every) {
        tally_text key;
        key.len = (size_t)snprintf(id, sizeof id, "%u", i);
        key.p = id;
        st = tally_input_add_row(p->input, &key, 1, error);
    }
    if (!st)
        st = tally_session_new(&p->session, error);
    if (st)
        return st;
    tally_session_set_role(p->session, role);
    tally_session_set_input(p->session, p->input);
    tally_session_set_transport(p->session, &p->transport, 0, 0);
    tally_session_set_timeout(p->session, 30);
    tally_session_set_threads(p->session, 1);                /* no threads that only compute */
    tally_session_set_memory_limit(p->session, 64ull << 20); /* 64 MiB at most, each */
    tally_session_on_match(p->session, count_row, p);
    st = tally_session_start(p->session, error);
    p->running = !st;
    return st;
}

/* Milliseconds until the first session wants to be stepped; -1: none does before its descriptor is readable.
 */
static int soonest(const party *parties)
{
    int wait = -1;
    for (int i = 0; i < SESSIONS; i++) {
        int due = parties[i].running ? tally_session_deadline_ms(parties[i].session) : -1;
        if (due >= 0 && (wait < 0 || due < wait))
            wait = due;
    }
    return wait;
}

/* Until no session runs any more. Returns the first failure. */
static tally_status loop(party *parties)
{
    struct pollfd fds[SESSIONS];
    tally_status failed = TALLY_OK;
    int left = SESSIONS;
    while (left > 0) {
        for (int i = 0; i < SESSIONS; i++) { /* poll passes over a negative descriptor */
            fds[i].fd = parties[i].running ? tally_session_poll_fd(parties[i].session) : -1;
            fds[i].events = POLLIN;
        }
        poll(fds, SESSIONS, soonest(parties));
        for (int i = 0; i < SESSIONS; i++) {
            if (!parties[i].running)
                continue;
            tally_status st = tally_session_step(parties[i].session, NULL);
            if (st == TALLY_IN_PROGRESS)
                continue;
            parties[i].running = 0;
            left--;
            if (st) { /* the other party must not wait for one that has ended */
                fprintf(stderr, "event_loop: %s\n", tally_session_error(parties[i].session)->message);
                parties[i].transport.shutdown(parties[i].transport.user);
                failed = failed ? failed : st;
            }
        }
    }
    return failed;
}

int main(void)
{
    party parties[SESSIONS];
    tally_error error;
    tally_status st = TALLY_OK;

    memset(parties, 0, sizeof parties);
    for (int i = 0; !st && i < SESSIONS; i += 2) {
        unsigned every = (unsigned)i / 2 + 1;
        st = tally_pipe_new(&parties[i].transport, &parties[i + 1].transport, &error);
        if (!st)
            st = start(&parties[i], TALLY_RECEIVER, 1, &error);
        if (!st)
            st = start(&parties[i + 1], TALLY_SENDER, every, &error);
    }
    if (st)
        fprintf(stderr, "event_loop: %s\n", error.message);
    else
        st = loop(parties);
    for (int i = 0; !st && i < SESSIONS; i += 2)
        printf("pair %d: %u of %d match\n", i / 2 + 1, parties[i].matches, ROWS);
    for (int i = 0; i < SESSIONS; i++) {
        tally_session_free(parties[i].session); /* ends those that still run */
        tally_input_free(parties[i].input);
    }
    for (int i = 0; i < SESSIONS; i++)
        tally_pipe_free(&parties[i].transport);
    return tally_exit_status(st);
}
