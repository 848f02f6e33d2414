/* SPDX-License-Identifier: Apache-2.0 */
/* Step "peer": counts the bytes of a transport in each direction. Between party/tls and what lies below. */
#ifndef PARTY_COUNTED_H
#define PARTY_COUNTED_H

#include "party/tally.h"
#include <stdatomic.h>

typedef struct party_counted {
    tally_transport below;
    atomic_uint_fast64_t sent, received; /* bytes */
} party_counted;

/* below is borrowed; out calls it and may be used until c is gone. */
void party_counted_init(party_counted *c, const tally_transport *below, tally_transport *out);

#endif
