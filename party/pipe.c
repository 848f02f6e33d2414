/* SPDX-License-Identifier: Apache-2.0 */
/* The in-memory byte stream: two rings under one lock. */
#include "party/error.h"
#include "party/transport.h"
#include "psi/mem.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define RING 65536u /* bytes under way in one direction */

struct ring {
    uint8_t bytes[RING];
    size_t first, used; /* first < RING, used <= RING */
};

struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ring ring[2]; /* ring[i] is written by end i */
    int down[2];         /* end i was shut down */
    int ends;            /* not yet freed */
    struct pipe_end {
        struct pipe *pipe;
        int side;
    } end[2];
};

/* Waits for a change until the deadline; the lock is held. 0 when time is up. */
static int await(struct pipe *p, const struct timespec *until)
{
    return pthread_cond_timedwait(&p->changed, &p->lock, until) == 0;
}

static struct timespec deadline(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void ring_copy_out(struct ring *r, uint8_t *out, size_t n)
{
    size_t head = smaller(n, RING - r->first);
    memcpy(out, r->bytes + r->first, head);
    memcpy(out + head, r->bytes, n - head);
    r->first = (r->first + n) % RING;
    r->used -= n;
}

static void ring_copy_in(struct ring *r, const uint8_t *in, size_t n)
{
    size_t at = (r->first + r->used) % RING, head = smaller(n, RING - at);
    memcpy(r->bytes + at, in, head);
    memcpy(r->bytes, in + head, n - head);
    r->used += n;
}

static int64_t pipe_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    const struct pipe_end *end = user;
    struct pipe *p = end->pipe;
    struct ring *r = &p->ring[!end->side];
    struct timespec until = deadline(timeout_ms);
    int64_t result = TALLY_IO_TIMEOUT;
    pthread_mutex_lock(&p->lock);
    for (int waiting = 1; waiting;) {
        if (p->down[end->side]) {
            result = TALLY_IO_FAILED;
            break;
        }
        if (r->used) {
            size_t n = smaller(cap, r->used);
            ring_copy_out(r, buf, n);
            result = (int64_t)n;
            break;
        }
        if (p->down[!end->side]) {
            result = TALLY_IO_END;
            break;
        }
        waiting = await(p, &until);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return result;
}

static int64_t pipe_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    const struct pipe_end *end = user;
    struct pipe *p = end->pipe;
    struct ring *r = &p->ring[end->side];
    struct timespec until = deadline(timeout_ms);
    int64_t result = TALLY_IO_TIMEOUT;
    pthread_mutex_lock(&p->lock);
    for (int waiting = 1; waiting;) {
        if (p->down[0] || p->down[1]) {
            result = TALLY_IO_FAILED;
            break;
        }
        if (r->used < RING) {
            size_t n = smaller(len, RING - r->used);
            ring_copy_in(r, buf, n);
            result = (int64_t)n;
            break;
        }
        waiting = await(p, &until);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return result;
}

static void pipe_shutdown(void *user)
{
    const struct pipe_end *end = user;
    pthread_mutex_lock(&end->pipe->lock);
    end->pipe->down[end->side] = 1;
    pthread_cond_broadcast(&end->pipe->changed);
    pthread_mutex_unlock(&end->pipe->lock);
}

tally_status tally_pipe_new(tally_transport *a, tally_transport *b, tally_error *error)
{
    pthread_condattr_t monotonic;
    struct pipe *p = psi_calloc(1, sizeof *p);
    if (!p)
        return party_no_memory(error, "an in-memory stream");
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->ends = 2;
    tally_transport *out[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        p->end[i].pipe = p;
        p->end[i].side = i;
        *out[i] = (tally_transport){
            .user = &p->end[i], .read = pipe_read, .write = pipe_write, .shutdown = pipe_shutdown};
    }
    return TALLY_OK;
}

void tally_pipe_free(tally_transport *transport)
{
    if (!transport || !transport->user)
        return;
    struct pipe_end *end = transport->user;
    struct pipe *p = end->pipe;
    pipe_shutdown(end);
    pthread_mutex_lock(&p->lock);
    int last = --p->ends == 0;
    pthread_mutex_unlock(&p->lock);
    if (last) {
        pthread_cond_destroy(&p->changed);
        pthread_mutex_destroy(&p->lock);
        psi_free(p);
    }
    memset(transport, 0, sizeof *transport);
}
