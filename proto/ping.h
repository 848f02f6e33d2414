/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "protocol message": what the sides of a ping say of themselves, outside any session. Build and parse;
 * no list has a part in it. Called by party/ping.
 *
 *   0       form, 1
 *   1       what waits here: 1 a ping, 2 a run
 *   2       1: terms follow, 0: none
 *   3..10   clock of this side, milliseconds since 1970 UTC, big-endian
 *   11..18  lowest and highest protocol version, 4 bytes each
 *   19      n, 0..64
 *   20..    n bytes of printable ASCII: the software
 */
#ifndef WIRE_PING_H
#define WIRE_PING_H

#include "proto/limits.h"
#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

enum wire_waits { WIRE_WAITS_PING = 1, WIRE_WAITS_RUN = 2 };

typedef struct wire_ping {
    enum wire_waits waits;
    int has_terms;
    uint64_t clock_ms; /* below 2^53 */
    uint32_t version_min, version_max;
    char software[WIRE_SOFTWARE_MAX + 1];
} wire_ping;

/* Returns the number of bytes, at most WIRE_PING_MAX. */
size_t wire_ping_build(const wire_ping *ping, uint8_t out[WIRE_PING_MAX]);
/* TALLY_ERR_MALFORMED (out untouched) and *why a fixed phrase. */
tally_status wire_ping_parse(wire_ping *out, const uint8_t *bytes, size_t len,
                             const char **why) TALLY_MUST_CHECK;

#endif
