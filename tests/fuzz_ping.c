/* SPDX-License-Identifier: Apache-2.0 */
/* What the other side of a ping says of itself: accepted bytes have exactly one form. */
#include "proto/ping.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_ping ping = {.clock_ms = 0};
    const char *why = NULL;
    uint8_t again[WIRE_PING_MAX];
    tally_status status = wire_ping_parse(&ping, data, size, &why);
    if (status) {
        if (status != TALLY_ERR_MALFORMED || !why || ping.waits)
            abort();
        return 0;
    }
    if (wire_ping_build(&ping, again) != size || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
