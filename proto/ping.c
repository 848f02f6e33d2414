/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ping.h"

#include <string.h>

#define FIXED 20u
_Static_assert(FIXED + WIRE_SOFTWARE_MAX == WIRE_PING_MAX, "the longest form fits");

static void put(uint8_t *out, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *in, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | in[i];
    return v;
}

size_t wire_ping_build(const wire_ping *ping, uint8_t out[WIRE_PING_MAX])
{
    size_t n = strlen(ping->software);
    out[0] = 1;
    out[1] = (uint8_t)ping->waits;
    out[2] = ping->has_terms != 0;
    put(out + 3, ping->clock_ms, 8);
    put(out + 11, ping->version_min, 4);
    put(out + 15, ping->version_max, 4);
    out[19] = (uint8_t)n;
    memcpy(out + FIXED, ping->software, n);
    return FIXED + n;
}

tally_status wire_ping_parse(wire_ping *out, const uint8_t *bytes, size_t len, const char **why)
{
    wire_ping ping = {.has_terms = 0};
    if (len < FIXED || len != FIXED + (size_t)bytes[19] || bytes[19] > WIRE_SOFTWARE_MAX)
        *why = "wrong length";
    else if (bytes[0] != 1 || (bytes[1] != WIRE_WAITS_PING && bytes[1] != WIRE_WAITS_RUN) || bytes[2] > 1)
        *why = "a form that is not known here";
    else if (get(bytes + 3, 8) >> 53)
        *why = "a time far from any";
    else if (get(bytes + 11, 4) > get(bytes + 15, 4))
        *why = "the lowest version is above the highest";
    else {
        for (size_t i = FIXED; i < len; i++)
            if (bytes[i] < ' ' || bytes[i] > '~') {
                *why = "a character in the name of the software that cannot be shown";
                return TALLY_ERR_MALFORMED;
            }
        ping.waits = (enum wire_waits)bytes[1];
        ping.has_terms = bytes[2];
        ping.clock_ms = get(bytes + 3, 8);
        ping.version_min = (uint32_t)get(bytes + 11, 4);
        ping.version_max = (uint32_t)get(bytes + 15, 4);
        memcpy(ping.software, bytes + FIXED, len - FIXED);
        *out = ping;
        return TALLY_OK;
    }
    return TALLY_ERR_MALFORMED;
}
