/* SPDX-License-Identifier: Apache-2.0 */
/* A cancel flag with a descriptor, so that both loops and poll() notice it. */
#ifndef PARTY_CANCEL_H
#define PARTY_CANCEL_H

#include "party/tally.h"
#include <stdatomic.h>

typedef struct party_cancel {
    atomic_int raised;
    int fd; /* eventfd: readable once raised, never read */
} party_cancel;

tally_status party_cancel_init(party_cancel *c, tally_error *error) TALLY_MUST_CHECK;
void party_cancel_close(party_cancel *c);
/* Async-signal-safe, any thread, any number of times. errno is preserved. */
void party_cancel_raise(party_cancel *c);
static inline int party_cancelled(const party_cancel *c)
{
    return atomic_load_explicit(&c->raised, memory_order_relaxed);
}

/* Monotonic clock, milliseconds. */
int64_t party_now_ms(void);

#endif
