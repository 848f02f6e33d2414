/* SPDX-License-Identifier: Apache-2.0 */
#include "party/run.h"

#include "party/error.h"
#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/shuffle.h"
#include "psi/verify.h"
#include <string.h>

tally_status party_receive(party_run *run, party_frame *frame, uint64_t *first, uint64_t *units,
                           tally_error *error)
{
    tally_status st = party_link_receive(run->link, frame, error);
    if (st)
        return st;
    st = party_state_take(&run->state, frame, first, units, error);
    if (st)
        party_frame_free(frame);
    return st;
}

static tally_status take_one(party_run *run, party_take take, void *user, tally_error *error)
{
    party_frame frame;
    uint64_t first, n;
    tally_status st = party_receive(run, &frame, &first, &n, error);
    if (st)
        return st;
    st = take(user, (size_t)first, (size_t)n, &frame, error);
    party_frame_free(&frame);
    return st;
}

size_t party_batch(uint8_t type, size_t stride)
{
    size_t fit = stride < WIRE_BULK_MAX ? WIRE_BULK_MAX / stride : 1, most = PARTY_BATCH;
    if (type == WIRE_VOLE_TAGS)
        most = 8 * PARTY_BATCH; /* small, and looked up at once */
    else if (type == WIRE_AGG_TAGS || type == WIRE_MATCHED)
        most = fit;
    return most < fit ? most : fit;
}

static tally_status send_one(party_run *run, const party_source *source, size_t *sent, void *user,
                             tally_error *error)
{
    size_t left = source->total - *sent;
    size_t most = party_batch(source->type, source->stride), n = left < most ? left : most;
    uint8_t *payload = party_link_buffer(n * source->stride);
    if (!payload)
        return party_no_memory(error, "a batch to send");
    tally_status st = source->make(user, *sent, n, payload, error);
    if (st) {
        party_link_buffer_free(payload);
        return st;
    }
    *sent += n;
    return party_link_send(run->link, source->type, payload, n * source->stride, error);
}

tally_status party_exchange(party_run *run, const party_source *source, uint8_t in_type, party_take take,
                            void *user, tally_error *error)
{
    size_t sent = 0;
    PSI_CHECK(!source || source->stride <= WIRE_BULK_MAX);
    for (;;) {
        unsigned wish = 0, ready = 0;
        if (source && sent < source->total)
            wish |= PARTY_CAN_SEND;
        if (in_type && party_state_expects(&run->state) == in_type)
            wish |= PARTY_CAN_RECEIVE;
        if (!wish)
            return TALLY_OK;
        tally_status st = party_link_wait(run->link, wish, &ready, error);
        /* Receiving comes first: it frees the peer, which may be waiting for us to read. */
        if (!st && (ready & PARTY_CAN_RECEIVE))
            st = take_one(run, take, user, error);
        else if (!st && (ready & PARTY_CAN_SEND))
            st = send_one(run, source, &sent, user, error);
        if (st)
            return st;
    }
}

void party_advance(party_run *run, size_t n)
{
    run->done += n;
    if (run->progress)
        run->progress(run->progress_user, run->done, run->total);
}

int party_grow(void **list, size_t *room, size_t n, size_t size)
{
    if (n <= *room)
        return 1;
    size_t wanted = 2 * *room > n ? 2 * *room : n;
    void *p = psi_calloc(wanted, size);
    if (!p)
        return 0;
    if (*room)
        memcpy(p, *list, *room * size);
    psi_free(*list);
    *list = p;
    *room = wanted;
    return 1;
}

tally_status party_order(uint32_t **order, size_t n, tally_error *error)
{
    uint32_t *p = psi_secret_calloc(n, sizeof *p);
    if (!p)
        return party_no_memory(error, "the order of the items");
    tally_status st = psi_shuffle(p, n);
    if (st) {
        psi_secret_free(p);
        return party_fail(error, st, "the random generator of the system failed");
    }
    *order = p;
    return TALLY_OK;
}
