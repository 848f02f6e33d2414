/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/abort.h"

#include "psi/verify.h"

static const char *const texts[] = {
    [WIRE_ABORT_FAILED] = "it could not go on",
    [WIRE_ABORT_VERSION] = "the two sides speak no common protocol version",
    [WIRE_ABORT_TERMS] = "the terms of the run differ",
    [WIRE_ABORT_INPUT] = "it could not use its own list",
    [WIRE_ABORT_POLICY] = "its policy does not allow the run",
    [WIRE_ABORT_MALFORMED] = "it did not understand a message from this side",
    [WIRE_ABORT_INTERRUPTED] = "its user interrupted the run",
    [WIRE_ABORT_LOCAL] = "it had a fault of its own",
};

size_t wire_abort_build(uint8_t out[WIRE_ABORT_BYTES], wire_abort word)
{
    PSI_CHECK(wire_abort_text(word.code) && (!word.field || word.code == WIRE_ABORT_POLICY));
    out[0] = 0;
    out[1] = (uint8_t)word.code;
    out[2] = word.field;
    return word.field ? 3 : 2;
}

tally_status wire_abort_parse(wire_abort *out, const uint8_t *in, size_t len)
{
    if ((len != 2 && len != 3) || in[0] != 0 || in[1] >= sizeof texts / sizeof *texts)
        return TALLY_ERR_MALFORMED;
    if (len == 3 && (in[1] != WIRE_ABORT_POLICY || !in[2]))
        return TALLY_ERR_MALFORMED;
    *out = (wire_abort){(enum wire_abort_code)in[1], len == 3 ? in[2] : 0};
    return TALLY_OK;
}

const char *wire_abort_text(enum wire_abort_code code)
{
    size_t i = (size_t)code;
    return i < sizeof texts / sizeof *texts ? texts[i] : NULL;
}
