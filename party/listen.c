/* SPDX-License-Identifier: Apache-2.0 */
#include "party/listen.h"

#include "party/error.h"
#include "party/ping.h"
#include "psi/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUESTS 512u           /* connections at hand; further ones wait in the backlog */
#define GUESTS_OF_ONE 256u    /* of one source */
#define HANDSHAKES 96u        /* at once: three descriptors each, so that 1024 are enough for all */
#define HANDSHAKES_OF_ONE 48u /* of one source */
#define HANDSHAKE_MS 10000
#define YOUNG_MS 250  /* a handshake that has run for less is left alone: three round trips of 80 ms */
#define KNOWN_MS 1000 /* likewise between handshake and greeting, which follows it at once */
#define LINGER_MS 200
#define FULL_MS 100        /* pause when the system has no descriptors left */
#define QUEUE_MS 20        /* how soon the queue is looked at again */
#define STACK (512u << 10) /* of a handshake's thread */
#define LINES 64           /* log lines about strangers before they are counted only */
#define LINE_MS 500        /* one more after this time */
#define SOURCE 16          /* bytes of a source */
#define REPORT_MS 10000    /* how often the lines left out are told */

enum place { FREE, QUEUED, RUNNING };

/* One address, or /64: how many guests of it are where. Free when there are none. */
struct source {
    uint8_t key[SOURCE];
    unsigned queued, running, leaving; /* leaving: of those that run, told to end */
    uint64_t pass;                     /* of start_queued, in which nobody could be made to leave */
};

/* One connection. From its start on arrival, status and error belong to its thread until it was joined. */
struct guest {
    enum place place;
    int fd; /* while it is queued */
    int leaving;
    int pinged;      /* it was a ping, and has its answer */
    uint64_t number; /* in the order in which they came */
    int64_t began;
    struct source *source;
    atomic_int done, failed;
    atomic_llong known_ms; /* when it had authenticated; 0: not yet */
    pthread_t thread;
    party_cancel cancel;
    party_arrival arrival;
    int64_t deadline_ms;
    party_listener *listener;
    tally_status status;
    tally_error error;
};

struct party_listener {
    const party_connect_options *options;
    const party_tls_context *context;
    party_greeting greet;
    void *user;
    int wake;             /* eventfd: a handshake has ended */
    psi_account *account; /* of whoever made it: handshakes allocate for the same */
    struct guest guest[GUESTS];
    struct source source[GUESTS];
    struct guest *queue[GUESTS]; /* the queued ones, oldest first */
    size_t count, running, queued, leaving;
    uint64_t number, pass;
    unsigned refused; /* connections that failed with TALLY_ERR_AUTH */
    tally_error last_refused;
    char last_from[PARTY_ADDRESS_TEXT];
    int lines; /* that may still be logged */
    int64_t line_at;
    unsigned silent; /* lines left out */
    int64_t silent_since;
};

/* ---- The log ---- */

/* 1 if another line about a stranger may be written: whoever can connect could fill a disk otherwise. */
static int may_log(party_listener *l)
{
    int64_t now = party_now_ms(), more = (now - l->line_at) / LINE_MS;
    if (more > 0) {
        l->lines = more < LINES - l->lines ? l->lines + (int)more : LINES;
        l->line_at = now;
    }
    if (l->lines > 0) {
        l->lines--;
        return 1;
    }
    if (!l->silent++)
        l->silent_since = now;
    return 0;
}

static void log_silent(party_listener *l, int at_once)
{
    if (!l->silent || (!at_once && party_now_ms() - l->silent_since < REPORT_MS))
        return;
    party_channel_log(l->options, 0, "dropped %u more connections", l->silent);
    l->silent = 0;
}

static void log_dropped(party_listener *l, const char *from, const char *why)
{
    if (may_log(l))
        party_channel_log(l->options, 0, "dropped a connection from %s: %s", from, why);
}

/* ---- A handshake ---- */

static void *shake_hands(void *arg)
{
    struct guest *g = arg;
    const uint64_t one = 1;
    party_listener *l = g->listener;
    party_channel *c = &g->arrival.channel;
    psi_account_enter(l->account);
    g->status = party_channel_secure(c, l->context, l->options->identity, NULL, g->deadline_ms, &g->cancel,
                                     &g->error);
    if (g->status == TALLY_OK)
        atomic_store(&g->known_ms, party_now_ms());
    if (g->status == TALLY_OK && c->tls && !l->options->ping && party_tls_is_ping(c->tls)) {
        g->status = party_ping_answer(c, g->deadline_ms, &g->cancel, &g->error);
        g->pinged = g->status == TALLY_OK;
        c->io.shutdown(c->io.user);
        if (g->pinged)
            g->status = TALLY_ERR_INTERRUPTED; /* not one to be taken */
    }
    if (g->status == TALLY_OK && c->tls)
        g->arrival.accepted = party_tls_accepted(c->tls);
    if (g->status == TALLY_OK && l->greet) {
        g->status = l->greet(l->user, &g->arrival, g->deadline_ms, &g->cancel, &g->error);
        if (g->status)
            c->io.shutdown(c->io.user);
    }
    if (g->status) {
        atomic_store(&g->failed, 1);
        party_tcp_linger(&c->raw, LINGER_MS, &g->cancel);
    }
    atomic_store(&g->done, 1);
    ssize_t n = write(l->wake, &one, sizeof one);
    (void)n;
    return NULL;
}

static int start_thread(struct guest *g)
{
    sigset_t all, old;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&g->thread, &attributes, shake_hands, g);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

static void leave(party_listener *l, struct guest *g)
{
    l->count--;
    g->place = FREE;
}

/* A guest that left the queue gets its thread, or is closed with a log line. */
static void start(party_listener *l, struct guest *g)
{
    tally_error error = {.message = ""};
    g->source->queued--;
    g->began = party_now_ms();
    g->deadline_ms = g->began + HANDSHAKE_MS;
    if (l->options->deadline_ms && g->deadline_ms > l->options->deadline_ms)
        g->deadline_ms = l->options->deadline_ms;
    tally_status st = party_tcp_from_fd(g->fd, &g->arrival.channel.raw, &error);
    if (!st) {
        st = party_cancel_init(&g->cancel, &error);
        int failed = st ? 0 : start_thread(g);
        if (failed) {
            st = party_fail(&error, TALLY_ERR_INTERNAL, "no thread for it: %s", party_system_text(failed));
            party_cancel_close(&g->cancel);
        }
        if (st)
            party_tcp_free(&g->arrival.channel.raw);
    }
    if (st) {
        log_dropped(l, g->arrival.from, party_message_of(&error));
        leave(l, g);
        return;
    }
    g->place = RUNNING;
    g->source->running++;
    l->running++;
}

/* ---- Who is let in ---- */

/* Makes one handshake end: of one source, or (NULL) of the one that has most. 0: there is none to take. */
static int make_room(party_listener *l, const struct source *source)
{
    struct guest *victim = NULL;
    unsigned most = 0;
    int64_t now = party_now_ms();
    for (size_t i = 0; i < GUESTS; i++) {
        struct guest *g = &l->guest[i];
        if (g->place != RUNNING || g->leaving || (source && g->source != source))
            continue;
        int failed = atomic_load(&g->failed);
        unsigned weight = g->source->running + (failed ? GUESTS : 0);
        int64_t known = atomic_load(&g->known_ms);
        if (!failed && (known ? now - known < KNOWN_MS : now - g->began < YOUNG_MS))
            continue;
        if (!victim || weight > most || (weight == most && g->number < victim->number)) {
            victim = g;
            most = weight;
        }
    }
    if (!victim)
        return 0;
    victim->leaving = 1;
    victim->source->leaving++;
    l->leaving++;
    party_cancel_raise(&victim->cancel);
    return 1;
}

/* Starts what may start, oldest first, and makes room for what may not. */
static void start_queued(party_listener *l)
{
    size_t left = 0;
    int stuck = 0;
    l->pass++;
    for (size_t i = 0; i < l->queued; i++) {
        struct guest *g = l->queue[i];
        struct source *from = g->source;
        if (from->running < HANDSHAKES_OF_ONE && l->running < HANDSHAKES) {
            start(l, g);
            continue;
        }
        l->queue[left++] = g;
        if (from->running >= HANDSHAKES_OF_ONE) {
            if (from->leaving < from->queued && from->pass != l->pass && !make_room(l, from))
                from->pass = l->pass;
        } else if (!stuck && l->leaving < l->queued) {
            stuck = !make_room(l, NULL);
        }
    }
    l->queued = left;
}

/* Of an address: the one that has guests already, or a free one. There are as many as guests. */
static struct source *source_of(party_listener *l, const struct sockaddr_storage *from)
{
    uint8_t key[SOURCE] = {0};
    struct source *unused = NULL;
    if (from->ss_family == AF_INET6) /* who has one address of a /64 has all */
        memcpy(key, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 8);
    else if (from->ss_family == AF_INET)
        memcpy(key + 8, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    for (size_t i = 0; i < GUESTS; i++) {
        struct source *s = &l->source[i];
        int used = s->queued + s->running > 0;
        if (used && memcmp(s->key, key, SOURCE) == 0)
            return s;
        if (!used && !unused)
            unused = s;
    }
    *unused = (struct source){.queued = 0};
    memcpy(unused->key, key, SOURCE);
    return unused;
}

/* Takes fd over: into the queue, or closed when its source has too many there. */
static void admit(party_listener *l, int fd, const struct sockaddr_storage *from)
{
    struct guest *g = l->guest;
    while (g->place != FREE)
        g++; /* accept is called only while there is room */
    memset(g, 0, sizeof *g);
    g->fd = fd;
    g->number = ++l->number;
    g->listener = l;
    g->source = source_of(l, from);
    party_tcp_peer_text(fd, g->arrival.from, sizeof g->arrival.from);
    if (g->source->running + g->source->queued >= GUESTS_OF_ONE) {
        log_dropped(l, g->arrival.from, PARTY_WORD("too many connections of that address at once"));
        close(fd);
        return;
    }
    g->place = QUEUED;
    g->source->queued++;
    l->queue[l->queued++] = g;
    l->count++;
}

static void accept_from(party_listener *l, int listener, const party_cancel *cancel)
{
    while (l->count < GUESTS) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof from;
        int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            struct pollfd p = {.fd = cancel->fd, .events = POLLIN};
            poll(&p, 1, FULL_MS);
        }
        return; /* nobody there, or gone again */
    }
}

/* ---- Who has ended ---- */

static void note_refusal(party_listener *l, const struct guest *g)
{
    l->refused++;
    l->last_refused = g->error;
    memcpy(l->last_from, g->arrival.from, sizeof l->last_from);
}

/* Joins a guest and, unless it is a peer, drops it. Returns 1 for a peer: out is filled. */
static int dismiss(party_listener *l, struct guest *g, party_arrival *out)
{
    pthread_join(g->thread, NULL);
    party_cancel_close(&g->cancel);
    l->running--;
    g->source->running--;
    l->leaving -= (size_t)g->leaving;
    g->source->leaving -= (unsigned)g->leaving;
    g->arrival.channel.owns_raw = 1;
    leave(l, g);
    if (g->status == TALLY_OK && out) {
        *out = g->arrival;
        return 1;
    }
    psi_free(g->arrival.first.bytes);
    if (g->status == TALLY_OK) {
        party_channel_close(&g->arrival.channel);
        party_channel_log(l->options, 0, "dropped a second connection of the other side, from %s",
                          g->arrival.from);
        return 0;
    }
    party_channel_drop(&g->arrival.channel);
    if (g->pinged && may_log(l))
        party_channel_log(l->options, 1,
                          "answered a ping of the other side, from %s; still waiting for its run",
                          g->arrival.from);
    else if (g->pinged)
        return 0;
    else if (g->leaving && g->status == TALLY_ERR_INTERRUPTED)
        log_dropped(l, g->arrival.from, PARTY_WORD("others waited for its place"));
    else if (g->status != TALLY_ERR_INTERRUPTED)
        log_dropped(l, g->arrival.from, party_message_of(&g->error));
    if (g->status == TALLY_ERR_AUTH)
        note_refusal(l, g);
    return 0;
}

/* Ends everything that still runs or waits. */
static void dismiss_all(party_listener *l)
{
    while (l->queued) {
        struct guest *g = l->queue[--l->queued];
        close(g->fd);
        g->source->queued--;
        leave(l, g);
    }
    for (size_t i = 0; i < GUESTS; i++)
        if (l->guest[i].place == RUNNING)
            party_cancel_raise(&l->guest[i].cancel);
    for (size_t i = 0; i < GUESTS; i++)
        if (l->guest[i].place == RUNNING)
            dismiss(l, &l->guest[i], NULL);
}

/* ---- The loop ---- */

static int next_done(party_listener *l, party_arrival *out)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (l->guest[i].place == RUNNING && atomic_load(&l->guest[i].done) && dismiss(l, &l->guest[i], out))
            return 1;
    return 0;
}

/* 1 when cancel is raised. */
static int wait_events(party_listener *l, struct pollfd *p, const int *fds, size_t fd_count,
                       int64_t deadline_ms, const party_cancel *cancel)
{
    uint64_t count;
    int64_t left = deadline_ms - party_now_ms(), most = l->queued ? QUEUE_MS : l->silent ? 1000 : 60000;
    p[0] = (struct pollfd){.fd = cancel->fd, .events = POLLIN};
    p[1] = (struct pollfd){.fd = l->wake, .events = POLLIN};
    for (size_t i = 0; i < fd_count; i++)
        p[i + 2] = (struct pollfd){.fd = l->count < GUESTS ? fds[i] : -1, .events = POLLIN};
    poll(p, (nfds_t)(fd_count + 2), (int)(left < 0 ? 0 : left < most ? left : most));
    if (p[1].revents & POLLIN)
        (void)!read(l->wake, &count, sizeof count);
    return p[0].revents || party_cancelled(cancel);
}

tally_status party_listener_next(party_listener *l, const int *fds, size_t fd_count, int64_t deadline_ms,
                                 const party_cancel *cancel, party_arrival *out)
{
    struct pollfd *p = psi_calloc(fd_count + 2, sizeof *p);
    tally_status st = !p ? TALLY_ERR_NO_MEMORY : party_cancelled(cancel) ? TALLY_ERR_INTERRUPTED : TALLY_OK;
    while (!st && !next_done(l, out)) {
        log_silent(l, 0);
        if (wait_events(l, p, fds, fd_count, deadline_ms, cancel))
            st = TALLY_ERR_INTERRUPTED;
        for (size_t i = 0; !st && i < fd_count; i++)
            if (p[i + 2].revents)
                accept_from(l, fds[i], cancel);
        start_queued(l);
        if (!st && party_now_ms() >= deadline_ms) {
            if (next_done(l, out))
                break;
            st = TALLY_ERR_TIMEOUT;
        }
    }
    psi_free(p);
    return st;
}

tally_status party_listener_new(party_listener **out, const party_connect_options *options,
                                const party_tls_context *context, party_greeting greet, void *user,
                                tally_error *error)
{
    party_listener *l = psi_calloc(1, sizeof *l);
    if (!l)
        return party_no_memory(error, "waiting connections");
    l->account = psi_account_current();
    l->options = options;
    l->context = context;
    l->greet = greet;
    l->user = user;
    l->lines = LINES;
    l->line_at = party_now_ms();
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0) {
        psi_free(l);
        return party_fail(error, TALLY_ERR_INTERNAL, "cannot make an event descriptor: %s",
                          party_system_text(errno));
    }
    *out = l;
    return TALLY_OK;
}

void party_listener_free(party_listener *l)
{
    if (!l)
        return;
    dismiss_all(l);
    log_silent(l, 1);
    close(l->wake);
    psi_free(l);
}

unsigned party_listener_refused(const party_listener *l, const tally_error **last, const char **from)
{
    *last = &l->last_refused;
    *from = l->last_from;
    return l->refused;
}
