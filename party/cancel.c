/* SPDX-License-Identifier: Apache-2.0 */
#include "party/cancel.h"

#include "party/error.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

tally_status party_cancel_init(party_cancel *c, tally_error *error)
{
    atomic_init(&c->raised, 0);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0)
        return party_fail(error, TALLY_ERR_INTERNAL, "cannot make an event descriptor: %s",
                          party_system_text(errno));
    return TALLY_OK;
}

void party_cancel_close(party_cancel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void party_cancel_raise(party_cancel *c)
{
    int saved = errno;
    const uint64_t one = 1;
    /* The flag first: whoever wakes from the descriptor sees it. A full counter is readable too. */
    atomic_store_explicit(&c->raised, 1, memory_order_seq_cst);
    ssize_t n = write(c->fd, &one, sizeof one);
    (void)n;
    errno = saved;
}

int64_t party_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
