/* SPDX-License-Identifier: Apache-2.0 */
#include "party/step.h"

#include "party/error.h"
#include "party/session.h"
#include "psi/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 64u  /* that wait for a step; then the session waits */
#define ROWS 256u   /* callbacks for rows in one step */
#define SLICE_MS 50 /* within which a waiting session notices a cancel */

typedef struct event {
    const char *phase; /* of progress; NULL: a log line */
    uint64_t done, total;
    int level;
    char line[1024];
} event;

struct party_steps {
    pthread_t thread;
    int joined;
    int fd; /* eventfd: readable while a step has something to do */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    event ring[EVENTS];
    size_t first, used;
    party_tell_some some; /* the session waits for rows to be told; NULL: it does not */
    void *some_user;
    int telling; /* a step is at it */
    enum party_told told;
    int gone;  /* nobody steps any more */
    int ended; /* the session's thread has returned from the run */
    tally_error outcome;
};

/* ---- Calling the caller ---- */

/* Callbacks that this thread is in: a caller may run one session in a callback of another. */
typedef struct calling {
    const tally_session *session;
    struct calling *outer;
    psi_account *account;
} calling;
static _Thread_local calling *callings;

/* What the caller allocates through us in a callback is not the session's. */
static void enter(calling *c, const tally_session *s)
{
    *c = (calling){.session = s, .outer = callings, .account = psi_account_enter(NULL)};
    callings = c;
}

static void leave(calling *c)
{
    callings = c->outer;
    psi_account_enter(c->account);
}

int party_in_callback(const tally_session *s)
{
    for (const calling *c = callings; c; c = c->outer)
        if (c->session == s)
            return 1;
    return 0;
}

static void call_progress(const tally_session *s, const char *phase, uint64_t done, uint64_t total)
{
    calling c;
    enter(&c, s);
    s->on_progress(s->on_progress_user, phase, done, total);
    leave(&c);
}

static void call_log(const tally_session *s, int level, const char *line)
{
    calling c;
    enter(&c, s);
    s->on_log(s->on_log_user, level, line);
    leave(&c);
}

static enum party_told call_some(const tally_session *s, party_tell_some some, void *user, size_t most)
{
    calling c;
    enter(&c, s);
    enum party_told told = some(user, most);
    leave(&c);
    return told;
}

/* ---- From the session's thread ---- */

static void arm(const party_steps *p)
{
    const uint64_t one = 1;
    ssize_t n = write(p->fd, &one, sizeof one); /* a full counter is readable too */
    (void)n;
}

static void wait_slice(party_steps *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SLICE_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static int given_up(const tally_session *s)
{
    return s->steps->gone || party_cancelled(&s->cancel);
}

/* The next place in the ring, or NULL when nobody waits for what goes there; the lock is held. */
static event *place(const tally_session *s)
{
    party_steps *p = s->steps;
    while (p->used == EVENTS && !given_up(s))
        wait_slice(p);
    return p->used < EVENTS ? &p->ring[(p->first + p->used++) % EVENTS] : NULL;
}

void party_tell_progress(const tally_session *s, const char *phase, uint64_t done, uint64_t total)
{
    party_steps *p = s->steps;
    if (!s->on_progress)
        return;
    if (!p) {
        call_progress(s, phase, done, total);
        return;
    }
    pthread_mutex_lock(&p->lock);
    event *last = p->used ? &p->ring[(p->first + p->used - 1) % EVENTS] : NULL;
    if (!last || last->phase != phase) /* progress that nobody has seen yet is brought up to date */
        last = place(s);
    if (last) {
        last->phase = phase;
        last->done = done;
        last->total = total;
        arm(p);
    }
    pthread_mutex_unlock(&p->lock);
}

void party_tell_log(const tally_session *s, int level, const char *line)
{
    party_steps *p = s->steps;
    if (!s->on_log)
        return;
    if (!p) {
        call_log(s, level, line);
        return;
    }
    pthread_mutex_lock(&p->lock);
    event *e = place(s);
    if (e) {
        e->phase = NULL;
        e->level = level;
        snprintf(e->line, sizeof e->line, "%s", line);
        arm(p);
    }
    pthread_mutex_unlock(&p->lock);
}

enum party_told party_tell_rows(const tally_session *s, party_tell_some some, void *user)
{
    party_steps *p = s->steps;
    enum party_told told = PARTY_TOLD_SOME;
    if (!p) {
        while (told == PARTY_TOLD_SOME)
            told = call_some(s, some, user, SIZE_MAX);
        return told;
    }
    pthread_mutex_lock(&p->lock);
    p->some = some;
    p->some_user = user;
    p->told = PARTY_TOLD_SOME;
    arm(p);
    while (p->told == PARTY_TOLD_SOME && (p->telling || !given_up(s)))
        wait_slice(p);
    told = p->told == PARTY_TOLD_SOME ? PARTY_TOLD_CANCELLED : p->told;
    p->some = NULL;
    pthread_mutex_unlock(&p->lock);
    return told;
}

static void *session_main(void *user)
{
    tally_session *s = user;
    party_steps *p = s->steps;
    tally_error outcome;
    outcome.status = party_session_run(s, &outcome);
    pthread_mutex_lock(&p->lock);
    p->outcome = outcome;
    p->ended = 1;
    arm(p);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- From the caller's ---- */

tally_status tally_session_start(tally_session *s, tally_error *error)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    tally_status st = party_may_run(s, &s->last);
    if (st)
        return party_kept(s, st, error);
    party_steps *p = psi_calloc(1, sizeof *p);
    if (!p)
        return party_kept(s, party_no_memory(&s->last, "a session's steps"), error);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0) {
        party_fail(&s->last, TALLY_ERR_INTERNAL, "cannot make an event descriptor: %s",
                   party_system_text(errno));
        party_hint(&s->last,
                   "raise the limit of open descriptors (ulimit -n), or run fewer sessions at once");
        psi_free(p);
        return party_kept(s, TALLY_ERR_INTERNAL, error);
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->steps = p;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&p->thread, NULL, session_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        p->joined = 1;
        s->steps = NULL;
        party_steps_free(s, p);
        return party_kept(s, party_no_memory(&s->last, "the thread of a session"), error);
    }
    return TALLY_OK;
}

int tally_session_poll_fd(const tally_session *s)
{
    return s->steps ? s->steps->fd : -1;
}

int tally_session_deadline_ms(const tally_session *s)
{
    party_steps *p = s->steps;
    if (!p)
        return -1;
    pthread_mutex_lock(&p->lock);
    int now = p->used || p->some || p->ended;
    pthread_mutex_unlock(&p->lock);
    return now ? 0 : -1;
}

/* Takes the oldest event; 0 when there is none. */
static int take_event(party_steps *p, event *out)
{
    pthread_mutex_lock(&p->lock);
    int some = p->used > 0;
    if (some) {
        *out = p->ring[p->first];
        p->first = (p->first + 1) % EVENTS;
        p->used--;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return some;
}

static void tell_rows(const tally_session *s, party_steps *p)
{
    pthread_mutex_lock(&p->lock);
    party_tell_some some = p->told == PARTY_TOLD_SOME ? p->some : NULL;
    void *user = p->some_user;
    p->telling = some != NULL;
    pthread_mutex_unlock(&p->lock);
    if (!some)
        return;
    enum party_told told = call_some(s, some, user, ROWS);
    pthread_mutex_lock(&p->lock);
    p->telling = 0;
    p->told = told;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

tally_status tally_session_step(tally_session *s, tally_error *error)
{
    party_steps *p = s->steps;
    uint64_t count;
    event e;
    if (s->owner != getpid())
        return party_kept(s, party_other_process(&s->last), error);
    if (party_in_callback(s)) {
        party_fail(&s->last, TALLY_ERR_USAGE, "a session is not stepped from one of its callbacks");
        return party_kept(s, TALLY_ERR_USAGE, error);
    }
    if (!p) {
        party_fail(&s->last, TALLY_ERR_USAGE, "a session is started before it is stepped");
        party_hint(&s->last, "call tally_session_start first");
        return party_kept(s, TALLY_ERR_USAGE, error);
    }
    if (!p->joined) {
        ssize_t n = read(p->fd, &count, sizeof count); /* what comes after this arms it again */
        (void)n;
        for (unsigned i = 0; i < EVENTS && take_event(p, &e); i++) {
            if (e.phase)
                call_progress(s, e.phase, e.done, e.total);
            else
                call_log(s, e.level, e.line);
        }
        tell_rows(s, p);
        pthread_mutex_lock(&p->lock);
        int more = p->used || p->ended || (p->some && p->told == PARTY_TOLD_SOME);
        int over = p->ended && !p->used;
        if (more)
            arm(p); /* and once it is over it stays so */
        pthread_mutex_unlock(&p->lock);
        if (!over)
            return TALLY_IN_PROGRESS;
        pthread_join(p->thread, NULL);
        p->joined = 1;
        if (p->outcome.status)
            s->last = p->outcome;
    }
    if (!p->outcome.status)
        return TALLY_OK;
    if (error)
        *error = p->outcome;
    return p->outcome.status;
}

void party_steps_free(tally_session *s, party_steps *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->gone = 1;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (!p->joined) {
        party_cancel_raise(&s->cancel);
        pthread_join(p->thread, NULL);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    close(p->fd);
    psi_free(p);
}
