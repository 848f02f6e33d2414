/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_session.h"

#include "proto/limits.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX (WIRE_HEADER + WIRE_PAYLOAD_MAX)

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "tests/support_session: %s failed\n", what);
    abort();
}

/* ---- Frames and the tap ------------------------------------------------------------------------------ */

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

uint32_t frame_length(const uint8_t *frame)
{
    return get32(frame);
}

uint32_t frame_sequence(const uint8_t *frame)
{
    return get32(frame + 4);
}

void frame_set_length(uint8_t *frame, uint32_t length)
{
    put32(frame, length);
}

void frame_set_sequence(uint8_t *frame, uint32_t sequence)
{
    put32(frame + 4, sequence);
}

void tap_pass(pair_tap *tap, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    while (len && !tap->closed) {
        long n = tap->inner.write(tap->inner.user, p, len, 100);
        if (n == TALLY_IO_TIMEOUT)
            continue;
        if (n <= 0) {
            tap->closed = 1;
            return;
        }
        p += n;
        len -= (size_t)n;
    }
}

void tap_close(pair_tap *tap)
{
    tap->closed = 1;
    tap->inner.shutdown(tap->inner.user);
}

static void whole_frame(pair_tap *tap)
{
    int heartbeat = tap->bytes[8] == WIRE_HEARTBEAT;
    if (tap->on_frame)
        tap->on_frame(tap, tap->index, tap->bytes, tap->fill);
    else
        tap_pass(tap, tap->bytes, tap->fill);
    tap->index += !heartbeat;
    tap->fill = 0;
}

static long tap_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    pair_tap *tap = user;
    const uint8_t *p = buf;
    (void)timeout_ms;
    for (size_t i = 0; i < len && !tap->closed; i++) {
        tap->bytes[tap->fill++] = p[i];
        if (tap->fill < WIRE_HEADER)
            continue;
        size_t whole = WIRE_HEADER + (size_t)frame_length(tap->bytes);
        must(whole <= FRAME_MAX, "a frame within its limit");
        if (tap->fill == whole)
            whole_frame(tap);
    }
    return tap->closed ? TALLY_IO_FAILED : (long)len;
}

static long tap_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    pair_tap *tap = user;
    return tap->inner.read(tap->inner.user, buf, cap, timeout_ms);
}

static void tap_shutdown(void *user)
{
    pair_tap *tap = user;
    tap->inner.shutdown(tap->inner.user);
}

/* ---- Callbacks --------------------------------------------------------------------------------------- */

static int on_match(void *user, uint64_t row, uint64_t line)
{
    pair_side *side = user;
    must(row == line, "rows from memory have their number as line");
    if (side->row_count == side->row_room) {
        side->row_room = side->row_room ? 2 * side->row_room : 64;
        side->rows = realloc(side->rows, side->row_room * sizeof *side->rows);
        must(side->rows != NULL, "memory");
    }
    side->rows[side->row_count++] = row;
    return 0;
}

static void on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
    pair_side *side = user;
    (void)phase, (void)done, (void)total;
    side->progress_calls++;
}

static void look_for_mark(pair_side *side, const char *text)
{
    if (text && strstr(text, PAIR_MARK))
        side->leaked = 1;
}

static void on_log(void *user, int level, const char *line)
{
    pair_side *side = user;
    (void)level;
    side->log_lines++;
    look_for_mark(side, line);
}

/* ---- A pair ------------------------------------------------------------------------------------------ */

static void init_side(pair_side *side, enum tally_role role, enum tally_security security,
                      enum tally_reveal reveal)
{
    must(!tally_session_new(&side->session, NULL) && !tally_input_new(&side->input, NULL) &&
             !tally_input_add_key(side->input, "id", "exact", NULL),
         "making a session");
    side->tap.inner = side->pipe;
    side->tap.bytes = malloc(FRAME_MAX);
    must(side->tap.bytes != NULL, "memory");
    side->io = (tally_transport){&side->tap, tap_read, tap_write, tap_shutdown};
    tally_session_set_role(side->session, role);
    tally_session_set_protocol(side->session, TALLY_ECDH);
    tally_session_set_security(side->session, security);
    tally_session_set_reveal(side->session, reveal);
    tally_session_set_input(side->session, side->input);
    tally_session_set_transport(side->session, &side->io, 0, 0);
    tally_session_set_threads(side->session, 1);
    tally_session_set_timeout(side->session, 30);
    tally_session_on_match(side->session, on_match, side);
    tally_session_on_progress(side->session, on_progress, side);
    tally_session_on_log(side->session, on_log, side);
}

void pair_init(pair *p, enum tally_security security, enum tally_reveal reveal)
{
    memset(p, 0, sizeof *p);
    must(!tally_pipe_new(&p->side[0].pipe, &p->side[1].pipe, NULL), "making a pipe");
    init_side(&p->side[PAIR_RECEIVER], TALLY_RECEIVER, security, reveal);
    init_side(&p->side[PAIR_SENDER], TALLY_SENDER, security, reveal);
}

void pair_set_protocol(pair *p, enum tally_protocol protocol)
{
    for (int i = 0; i < 2; i++)
        tally_session_set_protocol(p->side[i].session, protocol);
}

void pair_add(pair_side *side, const uint32_t *ids, size_t n)
{
    char text[48];
    tally_text key = {text, 0};
    if (n == 0) {
        char path[200];
        snprintf(path, sizeof path, "%s/empty.csv", unit_tmp());
        FILE *f = fopen(path, "w");
        must(f && fputs("id\n", f) > 0 && fclose(f) == 0 && !tally_input_set_file(side->input, path, NULL),
             "writing an empty list");
    }
    for (size_t i = 0; i < n; i++) {
        key.len = (size_t)snprintf(text, sizeof text, PAIR_MARK "%u", (unsigned)ids[i]);
        must(!tally_input_add_row(side->input, &key, 1, NULL), "adding a row");
    }
}

static void *run_side(void *user)
{
    pair_side *side = user;
    if (side->before)
        side->before(side->hook_user);
    side->status = tally_session_run(side->session, &side->error);
    if (side->after)
        side->after(side->hook_user);
    /* A side that is gone leaves a closed stream behind, as a process would. */
    side->pipe.shutdown(side->pipe.user);
    return NULL;
}

void pair_start(pair *p)
{
    for (int i = 0; i < 2; i++)
        must(!pthread_create(&p->side[i].thread, NULL, run_side, &p->side[i]), "starting a thread");
}

void pair_join(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pair_side *side = &p->side[i];
        pthread_join(side->thread, NULL);
        tally_session_get_result(side->session, &side->result);
        char *summary = tally_session_summary_json(side->session);
        look_for_mark(side, summary);
        look_for_mark(side, side->error.message);
        look_for_mark(side, side->error.hint);
        look_for_mark(side, tally_session_learned(side->session));
        free(summary);
    }
}

void pair_run(pair *p)
{
    pair_start(p);
    pair_join(p);
}

void pair_free(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pair_side *side = &p->side[i];
        tally_session_free(side->session);
        tally_input_free(side->input);
        tally_pipe_free(&side->pipe);
        free(side->tap.bytes);
        free(side->rows);
    }
}

int pair_category(const pair_side *side)
{
    return tally_exit_status(side->status);
}

/* ---- Recording --------------------------------------------------------------------------------------- */

static void record_frame(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    pair_record *r = tap->user;
    tap_pass(tap, frame, len);
    if (frame[8] == WIRE_HEARTBEAT)
        return;
    must(index < sizeof r->frame / sizeof *r->frame, "a short conversation");
    r->frame[index].type = frame[8];
    r->frame[index].length = frame_length(frame);
    r->frame[index].payload = malloc(len);
    must(r->frame[index].payload != NULL, "memory");
    memcpy(r->frame[index].payload, frame + WIRE_HEADER, len - WIRE_HEADER);
    r->count = index + 1;
}

void pair_record_start(pair_record *record, pair_tap *tap)
{
    memset(record, 0, sizeof *record);
    tap->on_frame = record_frame;
    tap->user = record;
}

void pair_record_free(pair_record *record)
{
    for (size_t i = 0; i < record->count; i++)
        free(record->frame[i].payload);
}
