/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The abort message: one code of a closed list (2 bytes big-endian); with WIRE_ABORT_POLICY optionally one
 * byte more, the number of the field of the agreement that does not allow the run. After hello 2 only
 * WIRE_ABORT_FAILED is sent.
 */
#ifndef WIRE_ABORT_H
#define WIRE_ABORT_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

enum wire_abort_code {
    WIRE_ABORT_FAILED = 0,      /* generic: the only code after hello 2 */
    WIRE_ABORT_VERSION = 1,     /* no common protocol version */
    WIRE_ABORT_TERMS = 2,       /* terms differ */
    WIRE_ABORT_INPUT = 3,       /* the sender of the abort could not use its own list */
    WIRE_ABORT_POLICY = 4,      /* refused by policy */
    WIRE_ABORT_MALFORMED = 5,   /* the other side's message was not understood */
    WIRE_ABORT_INTERRUPTED = 6, /* stopped by its user */
    WIRE_ABORT_LOCAL = 7        /* a local fault: file, memory, internal */
};
#define WIRE_ABORT_BYTES 3

typedef struct wire_abort {
    enum wire_abort_code code;
    uint8_t field; /* enum party_agreed_id + 1; 0: none, and with every code but WIRE_ABORT_POLICY */
} wire_abort;

/* Returns the bytes of the message, 2 or 3. */
size_t wire_abort_build(uint8_t out[WIRE_ABORT_BYTES], wire_abort word);
/* TALLY_ERR_MALFORMED: wrong length, a code outside the list, or a field where none may be. */
tally_status wire_abort_parse(wire_abort *out, const uint8_t *in, size_t len) TALLY_MUST_CHECK;
/* A sentence part for the user, such as "the terms of the run differ". Never NULL for a code of the list. */
const char *wire_abort_text(enum wire_abort_code code);

#endif
