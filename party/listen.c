/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the peer. Each connection gets a thread for its handshake and a cancel of its own; all of them
 * are joined before the wait ends. Threads tell by one event descriptor that one of them is done.
 */
#include "party/connect.h"
#include "party/error.h"
#include "psi/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUESTS 32 /* handshakes at a time; further connections wait in the backlog */
#define HANDSHAKE_MS 10000
#define SOCKETS 8 /* addresses of the host we listen on */
#define LINGER_MS 200
#define FULL_MS 100 /* pause when the system has no descriptors left */

/* One connection whose handshake runs. Everything but done belongs to the thread until it has been joined. */
struct guest {
    int used;
    atomic_int done;
    pthread_t thread;
    party_cancel cancel;
    party_channel channel;
    char from[PARTY_ADDRESS_TEXT];
    int64_t deadline_ms;
    const struct waiting *waiting;
    tally_status status;
    tally_error error;
};

struct waiting {
    const party_connect_options *options;
    const party_tls_context *context;
    int fds[SOCKETS];
    size_t fd_count;
    int wake;             /* eventfd */
    psi_account *account; /* of the thread that waits: handshakes allocate for the same */
    struct guest guest[GUESTS];
    size_t guests;
    unsigned refused; /* connections that failed with TALLY_ERR_AUTH */
    tally_error last_refused;
    char last_from[PARTY_ADDRESS_TEXT];
};

static void *shake_hands(void *arg)
{
    struct guest *g = arg;
    const uint64_t one = 1;
    const struct waiting *w = g->waiting;
    psi_account_enter(w->account);
    g->status = party_channel_secure(&g->channel, w->context, w->options->identity, NULL, g->deadline_ms,
                                     &g->cancel, &g->error);
    if (g->status)
        party_tcp_linger(&g->channel.raw, LINGER_MS, &g->cancel);
    atomic_store(&g->done, 1);
    ssize_t n = write(w->wake, &one, sizeof one);
    (void)n;
    return NULL;
}

/* Takes fd over: a thread of its own, or closed with a log line. */
static void admit(struct waiting *w, int fd)
{
    sigset_t all, old;
    char from[PARTY_ADDRESS_TEXT];
    tally_error error;
    struct guest *g = w->guest;
    while (g->used)
        g++; /* accept is called only while there is room */
    party_tcp_peer_text(fd, from, sizeof from);
    memset(g, 0, sizeof *g);
    memcpy(g->from, from, sizeof g->from);
    g->waiting = w;
    g->deadline_ms = party_now_ms() + HANDSHAKE_MS;
    if (g->deadline_ms > w->options->deadline_ms)
        g->deadline_ms = w->options->deadline_ms;
    tally_status st = party_tcp_from_fd(fd, &g->channel.raw, &error);
    if (st) {
        party_channel_log(w->options, 0, "dropped a connection from %s: %s", from, party_message_of(&error));
        return;
    }
    st = party_cancel_init(&g->cancel, &error);
    if (st) {
        party_channel_log(w->options, 0, "dropped a connection from %s: %s", from, party_message_of(&error));
        party_tcp_free(&g->channel.raw);
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&g->thread, NULL, shake_hands, g);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        party_channel_log(w->options, 0, "dropped a connection from %s: %s", from, party_system_text(failed));
        party_cancel_close(&g->cancel);
        party_tcp_free(&g->channel.raw);
        return;
    }
    g->used = 1;
    w->guests++;
}

/* Joins a guest and, unless it is the peer, drops it. Returns 1 for the peer: out is filled. */
static int dismiss(struct waiting *w, struct guest *g, party_channel *out)
{
    pthread_join(g->thread, NULL);
    party_cancel_close(&g->cancel);
    g->used = 0;
    w->guests--;
    if (g->status == TALLY_OK && out) {
        *out = g->channel;
        out->owns_raw = 1;
        return 1;
    }
    if (g->status == TALLY_OK) {
        g->channel.owns_raw = 1;
        party_channel_close(&g->channel);
        party_channel_log(w->options, 0, "dropped a second connection of the peer, from %s", g->from);
        return 0;
    }
    party_tcp_free(&g->channel.raw);
    if (g->status != TALLY_ERR_INTERRUPTED)
        party_channel_log(w->options, 0, "dropped a connection from %s: %s", g->from,
                          party_message_of(&g->error));
    if (g->status == TALLY_ERR_AUTH) {
        w->refused++;
        w->last_refused = g->error;
        memcpy(w->last_from, g->from, sizeof w->last_from);
    }
    return 0;
}

/* Ends all handshakes that still run. */
static void dismiss_all(struct waiting *w)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (w->guest[i].used)
            party_cancel_raise(&w->guest[i].cancel);
    for (size_t i = 0; i < GUESTS; i++)
        if (w->guest[i].used)
            dismiss(w, &w->guest[i], NULL);
}

static void accept_from(struct waiting *w, int listener)
{
    while (w->guests < GUESTS) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(w, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            struct pollfd p = {.fd = w->options->cancel->fd, .events = POLLIN};
            poll(&p, 1, FULL_MS);
        }
        return; /* nobody there, or gone again */
    }
}

static tally_status out_of_time(const struct waiting *w, tally_error *error)
{
    char where[PARTY_ADDRESS_TEXT];
    if (w->refused) {
        party_fail(error, TALLY_ERR_AUTH,
                   "nobody who connected was the peer (%u refused); the last, from %s: %s", w->refused,
                   w->last_from, party_message_of(&w->last_refused));
        party_hint(error, PARTY_WHOLE, party_hint_of(&w->last_refused));
        return TALLY_ERR_AUTH;
    }
    party_address_text(where, w->options->listen);
    party_fail(error, TALLY_ERR_TIMEOUT, "no peer connected to %s in time", where);
    party_hint(
        error,
        "check that the peer connects to this host and port and that the firewall lets it in; --timeout "
        "sets how long to wait");
    return TALLY_ERR_TIMEOUT;
}

static tally_status wait_for_peer(struct waiting *w, party_channel *out, tally_error *error)
{
    const party_connect_options *o = w->options;
    uint64_t count;
    for (;;) {
        struct pollfd p[SOCKETS + 2] = {{.fd = o->cancel->fd, .events = POLLIN},
                                        {.fd = w->wake, .events = POLLIN}};
        for (size_t i = 0; i < w->fd_count; i++)
            p[i + 2] = (struct pollfd){.fd = w->guests < GUESTS ? w->fds[i] : -1, .events = POLLIN};
        int64_t left = o->deadline_ms - party_now_ms();
        if (left > 0)
            poll(p, (nfds_t)(w->fd_count + 2), left > 60000 ? 60000 : (int)left);
        if (party_cancelled(o->cancel))
            return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while waiting for the peer");
        if ((p[1].revents & POLLIN) && read(w->wake, &count, sizeof count) == sizeof count)
            for (size_t i = 0; i < GUESTS; i++)
                if (w->guest[i].used && atomic_load(&w->guest[i].done) && dismiss(w, &w->guest[i], out))
                    return TALLY_OK;
        if (party_now_ms() >= o->deadline_ms) {
            dismiss_all(w); /* their deadline is ours: whoever was refused counts */
            return out_of_time(w, error);
        }
        for (size_t i = 0; i < w->fd_count; i++)
            if (p[i + 2].revents)
                accept_from(w, w->fds[i]);
    }
}

tally_status party_channel_listen(party_channel *out, const party_connect_options *options,
                                  const party_tls_context *context, tally_error *error)
{
    tally_status st = TALLY_ERR_NO_MEMORY;
    struct waiting *w = psi_calloc(1, sizeof *w);
    if (!w)
        return party_no_memory(error, "waiting connections");
    w->account = psi_account_current();
    w->options = options;
    w->context = context;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0) {
        st = party_fail(error, TALLY_ERR_INTERNAL, "cannot make an event descriptor: %s",
                        party_system_text(errno));
        goto done;
    }
    st = party_tcp_listen(options->listen, w->fds, SOCKETS, &w->fd_count, error);
    if (st)
        goto done;
    char where[PARTY_ADDRESS_TEXT];
    party_address_text(where, options->listen);
    party_channel_log(options, 1, "listening on %s", where);
    st = wait_for_peer(w, out, error);
    for (size_t i = 0; i < w->fd_count; i++)
        close(w->fds[i]);
    dismiss_all(w);
done:
    if (w->wake >= 0)
        close(w->wake);
    psi_free(w);
    return st;
}
