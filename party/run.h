/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a spine needs of a running session, and the one loop that moves batches: party_exchange sends what a
 * source makes and takes what comes, whichever is possible, so that both directions and computing overlap.
 * Called by party/receiver and party/sender, set up by party/session.
 */
#ifndef PARTY_RUN_H
#define PARTY_RUN_H

#include "party/columns.h"
#include "party/pool.h"
#include "party/state.h"
#include "psi/item.h"

#define PARTY_BATCH 4096u /* items in one frame: 128 KiB of points */
#define PARTY_CHUNK 128u  /* items one worker takes at a time: a batch of the group's backends */

/* What a run learned: bit i of byte i/8 for item i. */
typedef struct party_matched {
    uint8_t *bits; /* (items + 7) / 8 bytes; psi_free */
    uint64_t count;
    party_sealed sealed; /* the receiver's, with columns */
} party_matched;

typedef struct party_run {
    party_link *link;
    party_pool *pool;
    party_state state;
    enum tally_role role;
    enum tally_protocol protocol; /* ECDH or VOLE */
    enum tally_security security;
    int both;
    const psi_item *items; /* ours */
    size_t own;
    size_t peer; /* the peer's number of items */
    psi_sid sid;
    const party_form *form;       /* of the columns; NULL: none */
    const party_offer *offer;     /* the sender's, with columns */
    const party_overlap *overlap; /* the sender's, with a minimum overlap */
    unsigned vole_k;              /* receiver's choice: 4 on a fast link, 6 on a slow one */
    struct party_hits *hits;      /* receiver: what the spine found, for party_hits_collect */
    uint64_t done, total;         /* progress: items worked on */
    void (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
} party_run;

/* Makes the n entries from `first` of what is sent, stride bytes each, into payload. */
typedef tally_status (*party_make)(void *user, size_t first, size_t n, uint8_t *payload, tally_error *error);
/* Takes n entries from `first` of what was received. */
typedef tally_status (*party_take)(void *user, size_t first, size_t n, const party_frame *frame,
                                   tally_error *error);

typedef struct party_source {
    uint8_t type;
    size_t stride; /* bytes of an entry, at least 1 */
    size_t total;  /* entries in all */
    party_make make;
} party_source;

/* Until the source (NULL: none) is sent and the step of type in_type (0: none) is complete. */
tally_status party_exchange(party_run *run, const party_source *source, uint8_t in_type, party_take take,
                            void *user, tally_error *error) TALLY_MUST_CHECK;
/* Receives one frame that the state table expects. */
tally_status party_receive(party_run *run, party_frame *frame, uint64_t *first, uint64_t *units,
                           tally_error *error) TALLY_MUST_CHECK;
/* Adds n items to the progress. */
void party_advance(party_run *run, size_t n);

static inline void party_set_bit(uint8_t *bits, size_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << (i % 8));
}
static inline int party_get_bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

/* The two roles, from hello 2 to the last protocol message. The receiver leaves its matches in run->hits; the
   sender fills *matched when the result is revealed to both. */
tally_status party_receiver(party_run *run, tally_error *error) TALLY_MUST_CHECK;
tally_status party_sender(party_run *run, party_matched *matched, tally_error *error) TALLY_MUST_CHECK;
/* The same for subspace VOLE (party/vole_receiver.c, party/vole_sender.c), called by the two above. */
tally_status party_vole_receiver(party_run *run, tally_error *error) TALLY_MUST_CHECK;
tally_status party_vole_sender(party_run *run, party_matched *matched, tally_error *error) TALLY_MUST_CHECK;

/* Bytes that follow each tag of the sender: the sealed columns, 0 without. */
static inline size_t party_sealed_bytes(const party_run *run)
{
    return run->form ? run->form->sealed : 0;
}

/* Entries of `stride` bytes that go into one frame of a type: what a sender puts there, not what a peer may.
 */
size_t party_batch(uint8_t type, size_t stride);

/* Makes room for n entries of `size` bytes in a list of *room, zeroed beyond what it held; doubles, so that
 * memory follows what has come and not what was declared. 0: no memory, the list stays. */
int party_grow(void **list, size_t *room, size_t n, size_t size);

/* A random permutation of n for the order in which items are sent; psi_secret_free. */
tally_status party_order(uint32_t **order, size_t n, tally_error *error) TALLY_MUST_CHECK;
#endif
