/* SPDX-License-Identifier: Apache-2.0 */
#include "party/link.h"

#include "party/agreement.h"
#include "party/error.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAX ((size_t)4 << 20) /* bytes waiting in one direction */
#define SLICE_MS 100                /* longest time in which nobody looks at the flags */
#define HEARTBEAT_MS 1000
#define GRACE_MS 1000 /* how long a write failure waits for the peer's own word on it */
#define ABORT_MS 2000
#define CLOSE_MS 5000
#define LINGER_MS 2000

/* One allocation for a frame: header and payload lie side by side, as they are written. */
typedef struct frame {
    struct frame *next;
    uint32_t length; /* of the payload; until it is sent: the buffer's size */
    uint8_t header[WIRE_HEADER];
    uint8_t payload[];
} frame;
_Static_assert(offsetof(frame, payload) == offsetof(frame, header) + WIRE_HEADER, "header touches payload");

typedef struct queue {
    frame *head, **tail;
    size_t bytes; /* with the frames' own overhead, so that tiny frames count too */
} queue;

struct party_link {
    tally_transport io;
    party_cancel *cancel;
    unsigned silence_ms;
    psi_account *account; /* of whoever made it: both threads allocate for the same */
    pthread_t reader, writer;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t user, to_reader, to_writer;
    queue in, out;
    tally_error failure;
    int failed;       /* failure is filled */
    int discard;      /* incoming frames are of no interest any more */
    int stop;         /* closing */
    int writing;      /* the writer is inside a frame */
    int write_broken; /* nothing can be written any more, since broken_at */
    int64_t broken_at;
    int reader_ended; /* nothing will be read any more */
    int aborting;     /* party_link_abort was called with abort */
    int abort_sent;
    int peer_aborted;
    wire_abort abort;
    party_traffic traffic;
    int got_done;  /* the peer's DONE was received */
    int last_word; /* our DONE was sent after that */

    int64_t heard; /* reader only: when bytes last came */
};

/* ---- Frames and queues ------------------------------------------------------------------------------- */

static frame *frame_new(size_t len)
{
    if (len > WIRE_PAYLOAD_MAX)
        return NULL;
    frame *f = psi_calloc(1, sizeof *f + len);
    if (f)
        f->length = (uint32_t)len;
    return f;
}

static frame *frame_of(uint8_t *payload)
{
    return (frame *)(void *)(payload - offsetof(frame, payload));
}

static size_t cost(size_t len)
{
    return sizeof(frame) + len;
}

static void push(queue *q, frame *f)
{
    f->next = NULL;
    *q->tail = f;
    q->tail = &f->next;
    q->bytes += cost(f->length);
}

static frame *pop(queue *q)
{
    frame *f = q->head;
    q->head = f->next;
    if (!q->head)
        q->tail = &q->head;
    q->bytes -= cost(f->length);
    return f;
}

static void clear(queue *q)
{
    while (q->head)
        psi_free(pop(q));
}

/* Of a run that has ended nothing queued is needed but a hello: it may tell the user which terms differ. */
static void keep_hellos(queue *q)
{
    queue kept = {.head = NULL, .tail = &kept.head};
    while (q->head) {
        frame *f = pop(q);
        if (f->header[8] == WIRE_HELLO1 || f->header[8] == WIRE_HELLO2)
            push(&kept, f);
        else
            psi_free(f);
    }
    while (kept.head)
        push(q, pop(&kept));
}

/* A frame may always enter an empty queue. */
static int has_room(const queue *q, size_t len)
{
    return !q->head || q->bytes + cost(len) <= QUEUE_MAX;
}

uint8_t *party_link_buffer(size_t len)
{
    frame *f = frame_new(len);
    return f ? f->payload : NULL;
}

void party_link_buffer_free(uint8_t *buffer)
{
    if (buffer)
        psi_free(frame_of(buffer));
}

void party_frame_free(party_frame *f)
{
    party_link_buffer_free(f->payload);
    f->payload = NULL;
}

/* ---- Failing and waiting; the lock is held ----------------------------------------------------------- */

static void wake_all(party_link *link)
{
    pthread_cond_broadcast(&link->user);
    pthread_cond_broadcast(&link->to_reader);
    pthread_cond_broadcast(&link->to_writer);
}

static void fail(party_link *link, tally_status status, const char *message, const char *hint)
{
    if (link->failed)
        return;
    (void)party_fail(&link->failure, status, PARTY_WHOLE, message);
    if (hint)
        party_hint(&link->failure, PARTY_WHOLE, hint);
    link->failed = 1;
    wake_all(link);
}

static void notice_cancel(party_link *link)
{
    if (!party_cancelled(link->cancel) || link->failed)
        return;
    fail(link, TALLY_ERR_INTERRUPTED, "the run was interrupted", NULL);
    link->discard = 1;
}

/* Until `cond` is signalled, `until` (party_now_ms) or one slice has passed. */
static void wait_slice(party_link *link, pthread_cond_t *cond, int64_t until)
{
    int64_t now = party_now_ms(), at = until < now + SLICE_MS ? until : now + SLICE_MS;
    struct timespec t = {.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};
    (void)pthread_cond_timedwait(cond, &link->lock, &t);
}

static tally_status give_failure(const party_link *link, tally_error *error)
{
    if (error)
        *error = link->failure;
    return link->failure.status;
}

/* ---- Reader ------------------------------------------------------------------------------------------ */

enum got { GOT_ALL, GOT_END, GOT_CUT, GOT_BROKEN, GOT_SILENT, GOT_STOP };

/* Once a slice: the flags. 1 if the link is closing. */
static int tick(party_link *link)
{
    pthread_mutex_lock(&link->lock);
    notice_cancel(link);
    if (link->write_broken && party_now_ms() - link->broken_at >= GRACE_MS)
        fail(link, TALLY_ERR_NETWORK, "the connection to the other side broke while sending",
             "check that the other side still runs; its own log may have the reason");
    int stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

/* inside: the bytes wanted continue a frame. */
static enum got read_all(party_link *link, uint8_t *p, size_t len, int inside)
{
    for (size_t have = 0; have < len;) {
        if (tick(link))
            return GOT_STOP;
        int64_t n = link->io.read(link->io.user, p + have, len - have, SLICE_MS);
        if (n == TALLY_IO_TIMEOUT) {
            if (party_now_ms() - link->heard >= link->silence_ms)
                return GOT_SILENT;
        } else if (n == TALLY_IO_END) {
            return inside || have ? GOT_CUT : GOT_END;
        } else if (n < 0 || (size_t)n > len - have) {
            return GOT_BROKEN;
        } else {
            have += (size_t)n;
            link->heard = party_now_ms();
        }
    }
    return GOT_ALL;
}

/* Nothing more will come. */
static void lost(party_link *link, enum got how)
{
    static const char see_log[] = "the messages and the ledger of the other side have the reason";
    char message[240];
    pthread_mutex_lock(&link->lock);
    link->reader_ended = 1;
    switch (how) {
    case GOT_END:
        fail(link, TALLY_ERR_NETWORK, "the other side closed the connection", see_log);
        break;
    case GOT_CUT:
        fail(link, TALLY_ERR_NETWORK, "the connection ended in the middle of a frame (truncated)", see_log);
        break;
    case GOT_BROKEN:
        fail(link, TALLY_ERR_NETWORK, "the connection to the other side broke",
             "check the line between the two sides and the other side's own log, then run again");
        break;
    case GOT_SILENT:
        if (link->silence_ms % 1000)
            party_both(message, sizeof message, "nothing was heard from the other side for %u ms",
                       link->silence_ms);
        else
            party_both(message, sizeof message, "nothing was heard from the other side for %u s",
                       link->silence_ms / 1000);
        fail(link, TALLY_ERR_TIMEOUT, message,
             "check that the other side still runs and that the line between the two sides is up, then run "
             "again");
        break;
    case GOT_ALL:
    case GOT_STOP:
        break;
    }
    wake_all(link);
    pthread_mutex_unlock(&link->lock);
}

static void peer_aborted(party_link *link, wire_abort abort)
{
    tally_status status = TALLY_ERR_PEER_STOPPED;
    const char *hint = "the messages and the ledger of the other side have the reason";
    enum wire_abort_code code = abort.code;
    char message[700], field[96] = "";
    if (code == WIRE_ABORT_TERMS || code == WIRE_ABORT_VERSION) {
        status = TALLY_ERR_INCOMPATIBLE;
        hint = "compare the options and the versions of both sides";
    } else if (code == WIRE_ABORT_POLICY) {
        status = TALLY_ERR_POLICY;
        if (abort.field && abort.field <= AGREED_FIELDS)
            party_agreed_field_path(field, sizeof field, (enum party_agreed_id)(abort.field - 1));
    }
    if (*field)
        party_both(message, sizeof message, "the other side ended the run: %s, by the agreement's field %s",
                   party_word(wire_abort_text(code)), field);
    else
        party_both(message, sizeof message, "the other side ended the run: %s",
                   party_word(wire_abort_text(code)));
    pthread_mutex_lock(&link->lock);
    keep_hellos(&link->in);
    link->reader_ended = link->peer_aborted = 1;
    fail(link, status, message, hint);
    if (!link->aborting) { /* the answer: the peer need not wait until the holder of this link notices */
        keep_hellos(&link->out);
        link->aborting = 1;
        link->abort = (wire_abort){WIRE_ABORT_FAILED, 0};
    }
    wake_all(link);
    pthread_mutex_unlock(&link->lock);
}

/*
 * The frames cannot be followed any more. Should this side abort, what still comes is read and dropped until
 * the peer closes: unread bytes would make the close a reset, which could overtake the abort.
 */
static void derailed(party_link *link, tally_status status, const char *message)
{
    uint8_t scrap[4096];
    pthread_mutex_lock(&link->lock);
    fail(link, status, message,
         status == TALLY_ERR_MALFORMED ? "the other side runs another program or version, or is faulty"
                                       : NULL);
    while (!link->stop && !link->aborting)
        pthread_cond_wait(&link->to_reader, &link->lock);
    pthread_mutex_unlock(&link->lock);
    while (!tick(link)) {
        int64_t n = link->io.read(link->io.user, scrap, sizeof scrap, SLICE_MS);
        if (n <= 0 && n != TALLY_IO_TIMEOUT)
            break;
    }
    lost(link, GOT_STOP);
}

static void malformed(party_link *link, uint8_t type, const char *why)
{
    char message[600];
    party_both(message, sizeof message, "the other side sent a malformed frame (type %u, %s): %s", type,
               wire_frame_name(type), party_word(why));
    derailed(link, TALLY_ERR_MALFORMED, message);
}

/* Waits for the holder of the queue; that time is no silence of the peer. 0 when the link is closing. */
static int wait_for_room(party_link *link, size_t len)
{
    int waited = 0;
    for (;;) {
        if (tick(link))
            return 0;
        pthread_mutex_lock(&link->lock);
        int room = link->discard || has_room(&link->in, len);
        if (!room)
            wait_slice(link, &link->to_reader, INT64_MAX);
        pthread_mutex_unlock(&link->lock);
        if (room)
            break;
        waited = 1;
    }
    if (waited)
        link->heard = party_now_ms();
    return 1;
}

static void *reader_main(void *arg)
{
    party_link *link = arg;
    psi_account_enter(link->account);
    link->heard = party_now_ms();
    for (uint32_t sequence = 0;; sequence++) {
        uint8_t raw[WIRE_HEADER];
        wire_header h;
        const char *why = NULL;
        wire_abort abort;
        enum got got = read_all(link, raw, sizeof raw, 0);
        if (got)
            return lost(link, got), NULL;
        if (wire_header_parse(&h, raw, sequence, &why))
            return malformed(link, raw[8], why), NULL;
        if (h.type == WIRE_HEARTBEAT)
            continue;
        if (h.type != WIRE_ABORT && !wait_for_room(link, h.length))
            return lost(link, GOT_STOP), NULL;
        frame *f = frame_new(h.length);
        if (!f)
            return derailed(link, TALLY_ERR_NO_MEMORY, "no memory for a frame of the other side"), NULL;
        memcpy(f->header, raw, sizeof raw);
        got = read_all(link, f->payload, h.length, 1);
        if (got) {
            psi_free(f);
            return lost(link, got), NULL;
        }
        if (h.type == WIRE_ABORT) {
            tally_status status = wire_abort_parse(&abort, f->payload, f->length);
            psi_free(f);
            if (status)
                return malformed(link, h.type, "not a code of the list"), NULL;
            return peer_aborted(link, abort), NULL;
        }
        pthread_mutex_lock(&link->lock);
        if (link->discard)
            psi_free(f);
        else
            push(&link->in, f);
        pthread_cond_broadcast(&link->user);
        pthread_mutex_unlock(&link->lock);
    }
}

/* ---- Writer ------------------------------------------------------------------------------------------ */

static int stopping(party_link *link)
{
    pthread_mutex_lock(&link->lock);
    int stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

/* Entered and left with the lock held, which is open meanwhile. */
static void write_frame(party_link *link, const uint8_t *p, size_t len)
{
    size_t done = 0;
    link->writing = 1;
    pthread_mutex_unlock(&link->lock);
    while (done < len && !stopping(link)) {
        int64_t n = link->io.write(link->io.user, p + done, len - done, SLICE_MS);
        if (n > 0 && (size_t)n <= len - done)
            done += (size_t)n;
        else if (n != TALLY_IO_TIMEOUT)
            break;
    }
    pthread_mutex_lock(&link->lock);
    link->writing = 0;
    if (done < len) {
        link->write_broken = 1;
        link->broken_at = party_now_ms();
    }
    pthread_cond_broadcast(&link->user);
}

static void *writer_main(void *arg)
{
    party_link *link = arg;
    uint32_t sequence = 0;
    int64_t idle_since = party_now_ms();
    psi_account_enter(link->account);
    pthread_mutex_lock(&link->lock);
    while (!link->stop && !link->write_broken) {
        uint8_t small[WIRE_HEADER + WIRE_ABORT_BYTES];
        if (link->out.head && (!link->failed || link->aborting)) {
            frame *f = pop(&link->out);
            wire_header_build(f->header, &(wire_header){f->length, sequence++, f->header[8]});
            write_frame(link, (const uint8_t *)f + offsetof(frame, header), WIRE_HEADER + (size_t)f->length);
            psi_free(f);
            idle_since = party_now_ms();
        } else if (link->aborting && !link->abort_sent) {
            size_t bytes = wire_abort_build(small + WIRE_HEADER, link->abort);
            wire_header_build(small, &(wire_header){(uint32_t)bytes, sequence++, WIRE_ABORT});
            write_frame(link, small, WIRE_HEADER + bytes);
            link->abort_sent = !link->write_broken;
        } else if (link->failed) {
            pthread_cond_wait(&link->to_writer, &link->lock);
        } else if (party_now_ms() - idle_since >= HEARTBEAT_MS) {
            wire_header_build(small, &(wire_header){0, sequence++, WIRE_HEARTBEAT});
            write_frame(link, small, WIRE_HEADER);
            idle_since = party_now_ms();
        } else {
            wait_slice(link, &link->to_writer, idle_since + HEARTBEAT_MS);
        }
    }
    pthread_mutex_unlock(&link->lock);
    return NULL;
}

/* ---- For the holder of the link ---------------------------------------------------------------------- */

/* Lock held. */
static void count(party_link *link, uint64_t bytes[PARTY_STAGES], uint8_t type, size_t len)
{
    enum party_stage stage = type == WIRE_HELLO1 || type == WIRE_HELLO2  ? PARTY_GREETING
                             : type == WIRE_RECEIPT || type == WIRE_DONE ? PARTY_SETTLING
                                                                         : PARTY_PROTOCOL;
    link->traffic.types |= (uint64_t)1 << (type & 63);
    bytes[stage] += WIRE_HEADER + len;
}

tally_status party_link_send(party_link *link, uint8_t type, uint8_t *buffer, size_t len, tally_error *error)
{
    if (!buffer)
        return party_no_memory(error, "a frame to send");
    frame *f = frame_of(buffer);
    uint32_t limit = wire_frame_limit(type);
    if (!wire_frame_known(type) || len > f->length || len > limit || (len == 0) != (limit == 0)) {
        psi_free(f);
        return party_fail(error, TALLY_ERR_INTERNAL, "a frame of type %u cannot have %zu bytes", type, len);
    }
    f->length = (uint32_t)len;
    f->header[8] = type;
    pthread_mutex_lock(&link->lock);
    notice_cancel(link);
    while (!link->failed && !has_room(&link->out, len)) {
        wait_slice(link, &link->user, INT64_MAX);
        notice_cancel(link);
    }
    if (link->failed) {
        tally_status status = give_failure(link, error);
        pthread_mutex_unlock(&link->lock);
        psi_free(f);
        return status;
    }
    if (type == WIRE_DONE)
        link->last_word = link->got_done;
    count(link, link->traffic.sent, type, len);
    push(&link->out, f);
    pthread_cond_signal(&link->to_writer);
    pthread_mutex_unlock(&link->lock);
    return TALLY_OK;
}

tally_status party_link_wait(party_link *link, unsigned wish, unsigned *ready, tally_error *error)
{
    tally_status status = TALLY_OK;
    unsigned can = 0;
    pthread_mutex_lock(&link->lock);
    for (;;) {
        notice_cancel(link);
        if (!link->failed && has_room(&link->out, WIRE_PAYLOAD_MAX))
            can |= PARTY_CAN_SEND;
        if (link->in.head && !link->discard)
            can |= PARTY_CAN_RECEIVE;
        can &= wish;
        if (can || link->failed)
            break;
        wait_slice(link, &link->user, INT64_MAX);
    }
    if (can)
        *ready = can;
    else
        status = give_failure(link, error);
    pthread_mutex_unlock(&link->lock);
    return status;
}

tally_status party_link_receive(party_link *link, party_frame *out, tally_error *error)
{
    unsigned ready;
    tally_status status = party_link_wait(link, PARTY_CAN_RECEIVE, &ready, error);
    if (status)
        return status;
    pthread_mutex_lock(&link->lock);
    if (link->in.head) {
        frame *f = pop(&link->in);
        *out = (party_frame){.type = f->header[8], .length = f->length, .payload = f->payload};
        link->got_done |= out->type == WIRE_DONE;
        count(link, link->traffic.received, out->type, out->length);
        pthread_cond_signal(&link->to_reader);
    } else { /* an abort came in between */
        status = give_failure(link, error);
    }
    pthread_mutex_unlock(&link->lock);
    return status;
}

/* Lock held. Until all is written, the link has failed, or `until`. */
static void wait_written(party_link *link, int64_t until)
{
    notice_cancel(link);
    while (!link->failed && (link->out.head || link->writing) && party_now_ms() < until) {
        wait_slice(link, &link->user, until);
        notice_cancel(link);
    }
}

void party_link_abort(party_link *link, wire_abort abort)
{
    int64_t until = party_now_ms() + ABORT_MS;
    pthread_mutex_lock(&link->lock);
    notice_cancel(link);
    if (!link->aborting && !link->peer_aborted) {
        fail(link, TALLY_ERR_INTERNAL, "this side has ended the run", NULL);
        link->aborting = link->discard = 1;
        link->abort = abort;
        keep_hellos(&link->out);
        clear(&link->in);
        wake_all(link);
        while (!link->abort_sent && !link->write_broken && party_now_ms() < until)
            wait_slice(link, &link->user, until);
        while (link->abort_sent && !link->reader_ended && party_now_ms() < until)
            wait_slice(link, &link->user, until);
    }
    pthread_mutex_unlock(&link->lock);
}

void party_link_traffic(party_link *link, party_traffic *out)
{
    pthread_mutex_lock(&link->lock);
    *out = link->traffic;
    pthread_mutex_unlock(&link->lock);
}

static void free_link(party_link *link)
{
    clear(&link->in);
    clear(&link->out);
    pthread_cond_destroy(&link->to_writer);
    pthread_cond_destroy(&link->to_reader);
    pthread_cond_destroy(&link->user);
    pthread_mutex_destroy(&link->lock);
    psi_free(link);
}

static void ask_to_stop(party_link *link)
{
    pthread_mutex_lock(&link->lock);
    link->stop = 1;
    wake_all(link);
    pthread_mutex_unlock(&link->lock);
}

void party_link_close(party_link *link, int graceful)
{
    if (!link)
        return;
    if (graceful) {
        pthread_mutex_lock(&link->lock);
        wait_written(link, party_now_ms() + CLOSE_MS);
        int64_t until = party_now_ms() + LINGER_MS;
        while (link->last_word && !link->failed && party_now_ms() < until)
            wait_slice(link, &link->user, until);
        pthread_mutex_unlock(&link->lock);
    }
    ask_to_stop(link);
    link->io.shutdown(link->io.user);
    pthread_join(link->reader, NULL);
    pthread_join(link->writer, NULL);
    free_link(link);
}

static int init_sync(party_link *link)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr))
        return 0;
    int good = !pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) && !pthread_mutex_init(&link->lock, NULL) &&
               !pthread_cond_init(&link->user, &attr) && !pthread_cond_init(&link->to_reader, &attr) &&
               !pthread_cond_init(&link->to_writer, &attr);
    pthread_condattr_destroy(&attr);
    return good;
}

/* Both threads, or none. */
static int start_threads(party_link *link)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reading = !pthread_create(&link->reader, NULL, reader_main, link);
    int writing = reading && !pthread_create(&link->writer, NULL, writer_main, link);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reading && !writing) {
        ask_to_stop(link);
        pthread_join(link->reader, NULL);
    }
    return writing;
}

tally_status party_link_new(party_link **out, const tally_transport *io, unsigned silence_ms,
                            party_cancel *cancel, tally_error *error)
{
    party_link *link = psi_calloc(1, sizeof *link);
    if (!link)
        return party_no_memory(error, "the link");
    link->io = *io;
    link->account = psi_account_current();
    link->cancel = cancel;
    link->silence_ms = silence_ms;
    link->in.tail = &link->in.head;
    link->out.tail = &link->out.head;
    if (!init_sync(link)) { /* cannot happen on Linux, where none of these calls needs anything */
        psi_free(link);
        return party_fail(error, TALLY_ERR_INTERNAL, "the locks of the link could not be made");
    }
    if (!start_threads(link)) {
        free_link(link);
        return party_no_memory(error, "the threads of the link");
    }
    *out = link;
    return TALLY_OK;
}
