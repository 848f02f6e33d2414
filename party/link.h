/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "frame", moving part: whole frames over a byte stream, in both directions at once. A reader thread and a writer thread keep bounded queues
 * (4 MiB each way), so that computing and sending overlap and a slow peer holds the fast one back. The writer sends a heartbeat when nothing else
 * was sent for 1 s; a peer from which nothing at all came for silence_ms is lost. Called by the spines and party/session.
 */
#ifndef PARTY_LINK_H
#define PARTY_LINK_H

#include "party/cancel.h"
#include "proto/frame.h"
#include "proto/abort.h"

typedef struct party_link party_link;

typedef struct party_frame {
    uint8_t type;
    uint32_t length;
    uint8_t *payload; /* length bytes; owned by the holder of the frame */
} party_frame;

/* Starts both threads over io (borrowed; must outlive the link). All signals are blocked in them. */
tally_status party_link_new(party_link **out, const tally_transport *io, unsigned silence_ms, party_cancel *cancel,
                            tally_error *error) TALLY_MUST_CHECK;

/* A payload buffer of len bytes (1..WIRE_BULK_MAX; 0 gives a valid pointer) that party_link_send can take over. NULL: memory. */
uint8_t *party_link_buffer(size_t len);
/* Queues one frame; blocks while the queue is full. Takes buffer (from party_link_buffer) over in every case. */
tally_status party_link_send(party_link *link, uint8_t type, uint8_t *buffer, size_t len,
                             tally_error *error) TALLY_MUST_CHECK;
/* Takes the next frame that is not a heartbeat; blocks. An abort frame gives TALLY_ERR_PEER_STOPPED, category by code
   (terms, version: INCOMPATIBLE; policy: POLICY), with a message. Release with party_frame_free. */
tally_status party_link_receive(party_link *link, party_frame *out, tally_error *error) TALLY_MUST_CHECK;
void party_frame_free(party_frame *frame);

enum { PARTY_CAN_SEND = 1, PARTY_CAN_RECEIVE = 2 };
/* Waits until at least one wish can be met without blocking; *ready says which. Failure, cancel and a silent peer end the wait with their status. */
tally_status party_link_wait(party_link *link, unsigned wish, unsigned *ready, tally_error *error) TALLY_MUST_CHECK;

/* Waits until everything queued has been written to the stream, at most timeout_ms. */
tally_status party_link_flush(party_link *link, unsigned timeout_ms, tally_error *error) TALLY_MUST_CHECK;

/* Best effort, at most 2 s: drops what is queued but not begun, sends one abort frame, flushes. Works after a cancel. */
void party_link_abort(party_link *link, enum wire_abort_code code);

/*
 * Ends both threads and frees. graceful: what is queued is flushed first (at most 5 s) and the stream is shut down in order; otherwise it is shut down
 * at once.
 */
void party_link_close(party_link *link, int graceful);

#endif
