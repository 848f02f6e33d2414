/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the line to a peer (docs/sizing.md): round trips first, then as much as goes through in a few
 * seconds one way, then the other way. The side that connects leads. Frames are of one type and hold zeros
 * and the rates that were found; nothing of a list is there to be sent.
 *
 *   connecting -> listening   PINGS times: one byte              and the same back
 *   connecting -> listening   bulk, then an end                  listening -> connecting: the rate it saw
 *   listening -> connecting   bulk, then an end                  connecting -> listening: the rate it saw
 */
#include "party/calibration.h"

#include "party/error.h"
#include "party/ping.h"
#include "party/session.h"
#include "proto/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PINGS 20u
#define LONGEST_SECONDS 600.0 /* that what the peer sends may take */
#define GLANCE_SECONDS 1.0    /* each way, of a ping */
#define GLANCE_BYTES ((uint64_t)64 << 20)
#define RATE_MAX 1000000000000000u /* bits a second */
#define ENDS 9u                    /* bytes of an end and of a rate: longer than a ping, shorter than bulk */
#define OVERHEAD ((1 + 22.0 / 16384) * (1 + 12.0 / WIRE_PROBE_MAX) * 1500 / 1448)

/* At most, one way. */
static double bulk_seconds = 3;
static uint64_t bulk_bytes = (uint64_t)512 << 20;

#ifdef TALLY_TEST
void party_line_limits(double most_seconds, uint64_t most_bytes)
{
    bulk_seconds = most_seconds;
    bulk_bytes = most_bytes;
}
#endif

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static tally_status send_probe(party_link *link, size_t len, double rate, tally_error *error)
{
    uint8_t *buffer = party_link_buffer(len);
    uint64_t bits = (uint64_t)rate;
    for (size_t i = 0; buffer && len == ENDS && i < 8; i++)
        buffer[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
    return party_link_send(link, WIRE_PROBE, buffer, len, error);
}

static tally_status take_probe(party_link *link, party_frame *frame, tally_error *error)
{
    tally_status st = party_link_receive(link, frame, error);
    if (st || frame->type == WIRE_PROBE)
        return st;
    st = party_fail(error, TALLY_ERR_INCOMPATIBLE,
                    "the other side does not measure the line: it sent a frame '%s'",
                    wire_frame_name(frame->type));
    party_hint(error, "both sides have to run tally estimate --calibrate, one with --listen and one with "
                      "--connect");
    party_frame_free(frame);
    return st;
}

static tally_status take_length(party_link *link, size_t len, double *rate, tally_error *error)
{
    party_frame frame;
    uint64_t bits = 0;
    tally_status st = take_probe(link, &frame, error);
    if (st)
        return st;
    if (frame.length != len)
        st = party_fail(error, TALLY_ERR_MALFORMED, "the other side's probe has %u bytes, not %zu",
                        frame.length, len);
    for (size_t i = 0; !st && len == ENDS && i < 8; i++)
        bits = bits << 8 | frame.payload[1 + i];
    party_frame_free(&frame);
    if (!st && rate && (bits == 0 || bits > RATE_MAX))
        st = party_fail(error, TALLY_ERR_MALFORMED,
                        "the other side says that it saw %" PRIu64 " bits a second", bits);
    if (!st && rate)
        *rate = (double)bits;
    return st;
}

static tally_status ping(party_link *link, int leads, tally_error *error)
{
    tally_status st = TALLY_OK;
    for (unsigned i = 0; !st && i < PINGS; i++) {
        if (leads)
            st = send_probe(link, 1, 0, error);
        if (!st)
            st = take_length(link, 1, NULL, error);
        if (!st && !leads)
            st = send_probe(link, 1, 0, error);
    }
    return st;
}

/* At most, one way. */
typedef struct bulk {
    double seconds;
    uint64_t bytes;
} bulk;

static tally_status send_bulk(party_link *link, bulk most, double *rate, tally_error *error)
{
    double began = now();
    tally_status st = TALLY_OK;
    for (uint64_t sent = 0; !st && sent < most.bytes && now() - began < most.seconds; sent += WIRE_PROBE_MAX)
        st = send_probe(link, WIRE_PROBE_MAX, 0, error);
    if (!st)
        st = send_probe(link, ENDS, 0, error);
    return st ? st : take_length(link, ENDS, rate, error);
}

/* The rate of the later half of the time: a connection begins slowly. */
typedef struct arrivals {
    double at[64];
    uint64_t bytes[64];
    size_t count, step; /* every step-th frame is kept; doubled when there are too many */
} arrivals;

static void keep(arrivals *a, size_t frame, uint64_t bytes)
{
    if (frame % a->step)
        return;
    if (a->count == sizeof a->at / sizeof *a->at) {
        for (size_t i = 0; i < a->count / 2; i++) {
            a->at[i] = a->at[2 * i];
            a->bytes[i] = a->bytes[2 * i];
        }
        a->count /= 2;
        a->step *= 2;
        if (frame % a->step)
            return;
    }
    a->at[a->count] = now();
    a->bytes[a->count++] = bytes;
}

static double later_half(const arrivals *a)
{
    size_t from = 0, last = a->count - 1;
    if (a->count < 2)
        return 0;
    while (from + 1 < last && a->at[from] < (a->at[0] + a->at[last]) / 2)
        from++;
    double took = a->at[last] - a->at[from];
    return took > 0 ? 8 * (double)(a->bytes[last] - a->bytes[from]) / took : 0;
}

static tally_status take_bulk(party_link *link, double *rate, tally_error *error)
{
    arrivals a = {.step = 1};
    uint64_t bytes = 0;
    double began = now();
    for (size_t frames = 0;; frames++) {
        party_frame frame;
        tally_status st = take_probe(link, &frame, error);
        if (st)
            return st;
        size_t length = frame.length;
        party_frame_free(&frame);
        if (length == ENDS)
            break;
        bytes += length;
        if (length != WIRE_PROBE_MAX || bytes > bulk_bytes + WIRE_PROBE_MAX)
            return party_fail(error, TALLY_ERR_MALFORMED,
                              "the other side's probes do not end, or have another length");
        if (now() - began > LONGEST_SECONDS)
            return party_fail(
                error, TALLY_ERR_TIMEOUT,
                "the other side's probes still come after %.0f s: the line is too slow to be measured",
                LONGEST_SECONDS);
        keep(&a, frames, bytes);
    }
    *rate = later_half(&a) * OVERHEAD;
    if (*rate < 1 || *rate > (double)RATE_MAX)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the other side sent too little to see how fast the line is");
    return send_probe(link, ENDS, *rate, error);
}

static tally_status measure(tally_session *s, bulk most, party_line *line, tally_error *error)
{
    int leads = s->has_connect;
    tally_status st = ping(s->link, leads, error);
    if (!st)
        st = leads ? send_bulk(s->link, most, &line->sent_bits, error)
                   : take_bulk(s->link, &line->received_bits, error);
    if (!st)
        st = leads ? take_bulk(s->link, &line->received_bits, error)
                   : send_bulk(s->link, most, &line->sent_bits, error);
    return st;
}

tally_status party_line_glance(tally_session *s, tally_ping *out, tally_error *error)
{
    party_line line = {.measured = 0};
    bulk most = {bulk_seconds < GLANCE_SECONDS ? bulk_seconds : GLANCE_SECONDS,
                 bulk_bytes < GLANCE_BYTES ? bulk_bytes : GLANCE_BYTES};
    tally_status st = measure(s, most, &line, error);
    out->sent_bits_per_second = line.sent_bits;
    out->received_bits_per_second = line.received_bits;
    return st;
}

/* In place of what is there of the peer, or of the oldest. */
static void store(tally_calibration *c, const party_line *line)
{
    size_t at = 0;
    while (at < c->line_count && strcmp(c->lines[at].peer, line->peer) != 0)
        at++;
    if (at == PARTY_LINES_MAX) {
        at = 0;
        for (size_t i = 1; i < PARTY_LINES_MAX; i++)
            at = c->lines[i].measured < c->lines[at].measured ? i : at;
    } else if (at == c->line_count) {
        c->line_count++;
    }
    c->lines[at] = *line;
}

tally_status tally_session_measure_line(tally_session *s, tally_calibration *c, tally_line *out,
                                        tally_error *error)
{
    tally_error *e = &s->last;
    party_line line = {.measured = (int64_t)time(NULL)};
    *e = (tally_error){.status = TALLY_OK};
    tally_status st = party_session_open(s, e);
    if (st)
        return party_kept(s, st, error);
    snprintf(line.peer, sizeof line.peer, "%s", s->peer_pin);
    st = measure(s, (bulk){bulk_seconds, bulk_bytes}, &line, e);
    line.round_trip = party_tcp_round_trip_us(&s->channel.raw) * 1e-6;
    party_session_close(s, st == TALLY_OK);
    if (st && party_cancelled(&s->cancel))
        st = party_fail(e, TALLY_ERR_INTERRUPTED, "interrupted");
    if (st)
        return party_kept(s, st, error);
    store(c, &line);
    *out = (tally_line){.sent_bits_per_second = line.sent_bits,
                        .received_bits_per_second = line.received_bits,
                        .round_trip_seconds = line.round_trip};
    snprintf(out->peer, sizeof out->peer, "%s", line.peer);
    if (error)
        *error = *e;
    return TALLY_OK;
}
