/* SPDX-License-Identifier: Apache-2.0 */
#include "party/first.h"

#include "party/error.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "psi/mem.h"

#include <string.h>

#define SAY_MS 1000
#define HEARTBEATS 64 /* before the frame: more are no first word */

/* len more bytes at the end of what was read. */
static tally_status read_more(party_channel *c, party_first *f, size_t len, int64_t deadline_ms,
                              const party_cancel *cancel, tally_error *error)
{
    const tally_transport *io = &c->io;
    for (size_t have = 0; have < len;) {
        if (party_cancelled(cancel))
            return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted before the greeting");
        if (party_now_ms() >= deadline_ms)
            return party_fail(error, TALLY_ERR_TIMEOUT, "the other side did not send its greeting in time");
        long n = io->read(io->user, f->bytes + f->len, len - have, 100);
        if (n == TALLY_IO_TIMEOUT)
            continue;
        if (n <= 0 || (size_t)n > len - have)
            return party_fail(error, TALLY_ERR_NETWORK,
                              "the other side closed the connection before its greeting");
        have += (size_t)n;
        f->len += (size_t)n;
    }
    return TALLY_OK;
}

static tally_status other_type(uint8_t wanted, uint8_t type, tally_error *error)
{
    if (type == WIRE_ABORT)
        return party_fail(error, TALLY_ERR_PEER_STOPPED, "the other side stopped before its greeting");
    if (wanted == WIRE_PING)
        return party_fail(error, TALLY_ERR_INCOMPATIBLE, "the other side announced a ping and began with %s",
                          wire_frame_name(type));
    return party_fail(error, TALLY_ERR_INCOMPATIBLE, "the other side does not want a run: it began with %s",
                      wire_frame_name(type));
}

tally_status party_first_read(party_channel *channel, uint8_t type, party_first *out, int64_t deadline_ms,
                              const party_cancel *cancel, tally_error *error)
{
    wire_header header = {.type = WIRE_HEARTBEAT};
    const char *why = "";
    *out = (party_first){.bytes = psi_calloc((HEARTBEATS + 1) * WIRE_HEADER + wire_frame_limit(type), 1)};
    if (!out->bytes)
        return party_no_memory(error, "a greeting");
    for (uint32_t n = 0; n <= HEARTBEATS && header.type == WIRE_HEARTBEAT; n++) {
        const uint8_t *at = out->bytes + out->len;
        tally_status st = read_more(channel, out, WIRE_HEADER, deadline_ms, cancel, error);
        if (st)
            return st;
        if (wire_header_parse(&header, at, n, &why))
            return party_fail(error, TALLY_ERR_MALFORMED, "the peer's greeting is not valid: %s",
                              party_word(why));
    }
    if (header.type != type)
        return other_type(type, header.type, error);
    out->payload = out->len;
    return read_more(channel, out, header.length, deadline_ms, cancel, error); /* within the type's limit */
}

void party_first_say(party_channel *channel, uint8_t type, const uint8_t *payload, size_t len)
{
    uint8_t frame[WIRE_HEADER + WIRE_HELLO1_MAX];
    const tally_transport *io = &channel->io;
    wire_header header = {.length = (uint32_t)len, .type = type};
    int64_t until = party_now_ms() + SAY_MS;
    if (len > WIRE_HELLO1_MAX)
        return;
    wire_header_build(frame, &header);
    memcpy(frame + WIRE_HEADER, payload, len);
    for (size_t at = 0; at < WIRE_HEADER + len && party_now_ms() < until;) {
        long n = io->write(io->user, frame + at, WIRE_HEADER + len - at, 100);
        if (n == TALLY_IO_FAILED || n == TALLY_IO_END)
            return;
        at += n > 0 ? (size_t)n : 0;
    }
}
