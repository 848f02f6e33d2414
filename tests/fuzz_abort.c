/* SPDX-License-Identifier: Apache-2.0 */
/* The abort message. */
#include "proto/abort.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_abort word;
    uint8_t again[WIRE_ABORT_BYTES];
    tally_status status = wire_abort_parse(&word, data, size);
    if (status)
        return status == TALLY_ERR_MALFORMED ? 0 : (abort(), 0);
    size_t len = wire_abort_build(again, word);
    if (!wire_abort_text(word.code) || size != len || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
