/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The abort message: one code of a closed list (2 bytes big-endian). After hello 2 only WIRE_ABORT_FAILED
 * is sent.
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
#define WIRE_ABORT_BYTES 2

void wire_abort_build(uint8_t out[WIRE_ABORT_BYTES], enum wire_abort_code code);
/* TALLY_ERR_MALFORMED: wrong length, or a code outside the list. */
tally_status wire_abort_parse(enum wire_abort_code *out, const uint8_t *in, size_t len) TALLY_MUST_CHECK;
/* A sentence part for the user, such as "the terms of the run differ". Never NULL for a code of the list. */
const char *wire_abort_text(enum wire_abort_code code);

#endif
