/* SPDX-License-Identifier: Apache-2.0 */
#include "party/counted.h"

static int64_t counted_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    party_counted *c = user;
    int64_t n = c->below.read(c->below.user, buf, cap, timeout_ms);
    if (n > 0)
        atomic_fetch_add(&c->received, (uint64_t)n);
    return n;
}

static int64_t counted_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    party_counted *c = user;
    int64_t n = c->below.write(c->below.user, buf, len, timeout_ms);
    if (n > 0)
        atomic_fetch_add(&c->sent, (uint64_t)n);
    return n;
}

static void counted_shutdown(void *user)
{
    const party_counted *c = user;
    c->below.shutdown(c->below.user);
}

void party_counted_init(party_counted *c, const tally_transport *below, tally_transport *out)
{
    c->below = *below;
    atomic_init(&c->sent, 0);
    atomic_init(&c->received, 0);
    *out = (tally_transport){
        .user = c, .read = counted_read, .write = counted_write, .shutdown = counted_shutdown};
}
