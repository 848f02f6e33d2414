/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers: a stream of frames as the link would take it, payloads stepped over. */
#include "proto/frame.h"
#include "proto/limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t sequence = 0;
    while (size >= WIRE_HEADER) {
        wire_header h = {0};
        const char *why = NULL;
        uint8_t again[WIRE_HEADER];
        tally_status status = wire_header_parse(&h, data, sequence++, &why);
        if (status) {
            if (status != TALLY_ERR_MALFORMED || !why || h.length)
                abort();
            return 0;
        }
        /* What is accepted has exactly one form, and keeps within its limit. */
        if (!wire_frame_known(h.type) || h.length > wire_frame_limit(h.type) || h.length > WIRE_PAYLOAD_MAX)
            abort();
        wire_header_build(again, &h);
        if (memcmp(again, data, WIRE_HEADER) != 0)
            abort();
        data += WIRE_HEADER;
        size -= WIRE_HEADER;
        if (h.length > size)
            return 0;
        data += h.length;
        size -= h.length;
    }
    return 0;
}
