/* SPDX-License-Identifier: Apache-2.0 */
/* The abort message. */
#include "proto/abort.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum wire_abort_code code;
    uint8_t again[WIRE_ABORT_BYTES];
    tally_status status = wire_abort_parse(&code, data, size);
    if (status)
        return status == TALLY_ERR_MALFORMED ? 0 : (abort(), 0);
    wire_abort_build(again, code);
    if (!wire_abort_text(code) || size != sizeof again || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
