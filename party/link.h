/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "frame", moving part: whole frames over a byte stream, in both directions at once. A reader thread and
 * a writer thread keep bounded queues (4 MiB each way), so that computing and sending overlap and a slow peer
 * holds the fast one back. The writer sends a heartbeat when nothing else was sent for 1 s; a peer from which
 * nothing at all came for silence_ms while we were reading is lost. Called by the spines and party/session.
 *
 * The first failure is the failure: every later call returns it. Frames that had come whole before the peer
 * closed or the stream broke are still received first. An abort drops what is queued on
 * either side, so that it is heard promptly; only hellos still go and come first: they may say why.
 *
 *   TALLY_ERR_NETWORK      the peer closed the stream, between frames or inside one, or the stream broke
 *   TALLY_ERR_TIMEOUT      the peer was silent
 *   TALLY_ERR_MALFORMED    a header that wire_header_parse or an abort that wire_abort_parse refuses
 *   TALLY_ERR_INTERRUPTED  the cancel flag was raised (noticed within 100 ms)
 *   TALLY_ERR_PEER_STOPPED, TALLY_ERR_INCOMPATIBLE, TALLY_ERR_POLICY   the peer's abort
 *   TALLY_ERR_INTERNAL     a frame its type does not allow, or a call after party_link_abort
 *   TALLY_ERR_NO_MEMORY
 */
#ifndef PARTY_LINK_H
#define PARTY_LINK_H

#include "party/cancel.h"
#include "proto/abort.h"
#include "proto/frame.h"

typedef struct party_link party_link;

typedef struct party_frame {
    uint8_t type;
    uint32_t length;
    uint8_t *payload; /* length bytes; owned by the holder of the frame */
} party_frame;

/* Starts both threads over io (borrowed; must outlive the link). All signals are blocked in them. */
tally_status party_link_new(party_link **out, const tally_transport *io, unsigned silence_ms,
                            party_cancel *cancel, tally_error *error) TALLY_MUST_CHECK;

/* A zeroed payload buffer of len bytes, 0..WIRE_PAYLOAD_MAX, for party_link_send to take over. NULL: memory.
 */
uint8_t *party_link_buffer(size_t len);
/* Releases a buffer that was not sent; NULL allowed. */
void party_link_buffer_free(uint8_t *buffer);
/*
 * Queues one frame of the first len bytes; blocks while the queue is full. Takes the buffer (from
 * party_link_buffer) over in every case; NULL is TALLY_ERR_NO_MEMORY.
 */
tally_status party_link_send(party_link *link, uint8_t type, uint8_t *buffer, size_t len,
                             tally_error *error) TALLY_MUST_CHECK;
/* Takes the next frame that is not a heartbeat; blocks. Release with party_frame_free. */
tally_status party_link_receive(party_link *link, party_frame *out, tally_error *error) TALLY_MUST_CHECK;
void party_frame_free(party_frame *frame);

enum { PARTY_CAN_SEND = 1, PARTY_CAN_RECEIVE = 2 };
/*
 * Waits until at least one wish can be met without blocking (one frame of any size); *ready says which.
 * Failure, cancel and a silent peer end the wait with their status.
 */
tally_status party_link_wait(party_link *link, unsigned wish, unsigned *ready,
                             tally_error *error) TALLY_MUST_CHECK;

/*
 * Best effort, at most 2 s in all: drops what is queued but not begun, hellos excepted, sends one abort
 * frame, and waits until the peer has closed or aborted too, so that a reset does not overtake it (a link
 * answers an abort by itself). Works after a cancel or a failure; does nothing after an abort of the peer.
 */
void party_link_abort(party_link *link, wire_abort abort);

/* What the frames of a run are for. */
enum party_stage { PARTY_GREETING, PARTY_PROTOCOL, PARTY_SETTLING, PARTY_STAGES };

/* Frames given to party_link_send or taken by party_link_receive so far; headers count, heartbeats and what
 * TLS adds do not. */
typedef struct party_traffic {
    uint64_t types;                                      /* bit t for type t */
    uint64_t sent[PARTY_STAGES], received[PARTY_STAGES]; /* bytes */
} party_traffic;

void party_link_traffic(party_link *link, party_traffic *out);

/*
 * Shuts the stream down, ends both threads and frees; within 200 ms if the transport keeps its timeouts.
 * graceful, on a link that has not failed: what is queued is written first (at most 5 s); and the side whose
 * DONE was the last word (sent after the peer's had been received) gives the peer up to 2 s to close first,
 * so that a reset does not overtake it.
 */
void party_link_close(party_link *link, int graceful);

#endif
