/* SPDX-License-Identifier: Apache-2.0 */
#include "party/connect.h"

#include "party/counted.h"
#include "party/error.h"
#include "party/identity.h"
#include "party/listen.h"
#include "psi/mem.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HANDSHAKE_MS 15000 /* longer than a listener's 10 s, so that the listener's reason comes first */
#define WAIT_FIRST_MS 20
#define WAIT_LONGEST_MS 2000
#define LINGER_MS 500

void party_channel_log(const party_connect_options *options, int level, const char *format, ...)
{
    char line[1024];
    va_list args;
    if (!options->log)
        return;
    va_start(args, format);
    party_render(line, sizeof line, 1, format, args);
    va_end(args);
    options->log(options->log_user, level, line);
}

tally_status party_channel_secure(party_channel *channel, const party_tls_context *context,
                                  const tally_identity *identity, const char *where, int64_t deadline_ms,
                                  party_cancel *cancel, tally_error *error)
{
    tally_transport counted_io;
    party_tls *tls = NULL;
    tally_status st = TALLY_OK;
    party_counted *counted = psi_calloc(1, sizeof *counted);
    if (!counted) {
        channel->raw.shutdown(channel->raw.user);
        return party_no_memory(error, "a connection");
    }
    party_counted_init(counted, &channel->raw, &counted_io);
    if (context) {
        st = party_tls_open(&tls, context, &counted_io, where, deadline_ms, cancel, error);
        if (!st) {
            st = party_tls_binding(tls, channel->binding);
            if (st)
                party_fail(error, st, "TLS gives no keying material for the session");
        }
    }
    if (st) {
        channel->raw.shutdown(channel->raw.user);
        party_tls_free(tls);
        psi_free(counted);
        return st;
    }
    channel->counted = counted;
    channel->io = counted_io;
    channel->tls = tls;
    if (tls) {
        party_tls_io(tls, &channel->io);
        party_tls_peer(tls, channel->peer_fingerprint, channel->peer_subject, sizeof channel->peer_subject);
        party_tls_peer_until(tls, &channel->peer_until, &channel->peer_key_until);
        memcpy(channel->own_fingerprint, identity->fingerprint32, 32);
    }
    return TALLY_OK;
}

/* One connection and its handshake. *retry: 1 when another attempt may succeed. */
static tally_status try_once(party_channel *out, const party_connect_options *o,
                             const party_tls_context *context, const char *where, int *retry,
                             tally_error *error)
{
    int fd = -1;
    tally_status st = party_tcp_connect(o->connect, o->deadline_ms, o->cancel, &fd, retry, error);
    if (st)
        return st;
    *retry = 0;
    st = party_tcp_from_fd(fd, &out->raw, error);
    if (st)
        return st;
    int64_t until = party_now_ms() + HANDSHAKE_MS;
    st = party_channel_secure(out, context, o->identity, where,
                              until < o->deadline_ms ? until : o->deadline_ms, o->cancel, error);
    if (!st) {
        out->owns_raw = 1;
        return TALLY_OK;
    }
    *retry = st == TALLY_ERR_NETWORK || st == TALLY_ERR_TIMEOUT;
    party_tcp_linger(&out->raw, LINGER_MS, o->cancel);
    party_tcp_free(&out->raw);
    return st;
}

static tally_status connect_patiently(party_channel *out, const party_connect_options *o,
                                      const party_tls_context *context, tally_error *error)
{
    char where[PARTY_ADDRESS_TEXT];
    tally_error last = {.status = TALLY_OK};
    int64_t wait = WAIT_FIRST_MS;
    party_address_text(where, o->connect);
    for (int attempt = 0;; attempt++) {
        int retry = 0;
        tally_status st = try_once(out, o, context, where, &retry, &last);
        if (st == TALLY_OK || !retry) {
            if (st && error)
                *error = last;
            return st;
        }
        party_channel_log(o, attempt ? 2 : 1, "%s; trying again", party_message_of(&last));
        int64_t left = o->deadline_ms - party_now_ms();
        if (left <= 0)
            break;
        struct pollfd p = {.fd = o->cancel->fd, .events = POLLIN};
        poll(&p, 1, (int)(wait < left ? wait : left));
        if (party_cancelled(o->cancel))
            return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while waiting for %s", where);
        if (party_now_ms() >= o->deadline_ms)
            break;
        wait = wait * 2 < WAIT_LONGEST_MS ? wait * 2 : WAIT_LONGEST_MS;
    }
    party_fail(error, TALLY_ERR_TIMEOUT, "the other side was not reached at %s in time; the last attempt: %s",
               where, party_message_of(&last));
    party_hint(error, "check that the other side's run listens there and that the firewall lets you through; "
                      "--timeout sets "
                      "how long to wait");
    return TALLY_ERR_TIMEOUT;
}

/* ---- A single run that waits ---- */

static tally_status out_of_time(const party_connect_options *o, const party_listener *l, tally_error *error)
{
    char where[PARTY_ADDRESS_TEXT];
    const tally_error *last;
    const char *from;
    unsigned refused = party_listener_refused(l, &last, &from);
    if (refused) {
        party_fail(error, TALLY_ERR_AUTH,
                   "nobody who connected was the other side (%u refused); the last, from %s: %s", refused,
                   from, party_message_of(last));
        party_hint(error, PARTY_WHOLE, party_hint_of(last));
        return TALLY_ERR_AUTH;
    }
    party_address_text(where, o->listen);
    party_fail(error, TALLY_ERR_TIMEOUT, "the other side did not connect to %s in time", where);
    party_hint(error, "check that the other side connects to this host and port and that the firewall lets "
                      "it in; --timeout "
                      "sets how long to wait");
    return TALLY_ERR_TIMEOUT;
}

/* Until the first who is the peer; then nobody listens any more, and the others are dropped. */
static tally_status wait_for_peer(party_channel *out, const party_connect_options *o,
                                  const party_tls_context *context, tally_error *error)
{
    party_listener *l = NULL;
    party_arrival arrival = {.entry = 0};
    int fds[PARTY_SOCKETS];
    size_t count = 0;
    char where[PARTY_ADDRESS_TEXT];
    tally_status st = party_listener_new(&l, o, context, NULL, NULL, error);
    if (!st)
        st = party_tcp_listen(o->listen, fds, PARTY_SOCKETS, &count, error);
    if (!st) {
        party_address_text(where, o->listen);
        party_channel_log(o, 1, "listening on %s", where);
        st = party_listener_next(l, fds, count, o->deadline_ms, o->cancel, &arrival);
        if (st == TALLY_ERR_INTERRUPTED)
            party_fail(error, st, "interrupted while waiting for the other side");
        else if (st == TALLY_ERR_NO_MEMORY)
            party_no_memory(error, "waiting connections");
        else if (st)
            st = out_of_time(o, l, error);
    }
    while (count)
        close(fds[--count]);
    party_listener_free(l);
    if (!st)
        *out = arrival.channel;
    return st;
}

tally_status party_channel_open(party_channel *out, const party_connect_options *o, tally_error *error)
{
    party_channel channel = {.owns_raw = 0};
    party_tls_context *context = NULL;
    tally_status st = TALLY_OK;
    if (!o->transport || o->transport_tls) {
        int server = o->transport ? o->transport_tls_server : o->listen != NULL;
        st = party_tls_context_new(&context, server, o->identity, o->rule, error);
        if (st)
            return st;
        if (o->listen || o->ping)
            party_tls_context_purpose(context, o->ping ? PARTY_TLS_PING : PARTY_TLS_RUN_OR_PING);
    }
    if (o->transport) {
        channel.raw = *o->transport;
        st = party_channel_secure(&channel, context, o->identity, NULL, o->deadline_ms, o->cancel, error);
    } else if (o->listen) {
        st = wait_for_peer(&channel, o, context, error);
    } else {
        st = connect_patiently(&channel, o, context, error);
    }
    party_tls_context_free(context);
    if (!st)
        *out = channel;
    return st;
}

void party_channel_drop(party_channel *channel)
{
    party_tls_free(channel->tls);
    if (channel->owns_raw)
        party_tcp_free(&channel->raw);
    psi_free(channel->counted);
    psi_free(channel->unread);
    psi_wipe(channel, sizeof *channel);
}

void party_channel_close(party_channel *channel)
{
    if (channel->io.shutdown)
        channel->io.shutdown(channel->io.user);
    if (channel->owns_raw)
        party_tcp_linger(&channel->raw, LINGER_MS, NULL);
    party_channel_drop(channel);
}

/* ---- Bytes that were read too early ---- */

struct party_unread {
    tally_transport below;
    size_t len, at;
    uint8_t bytes[];
};

static long unread_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    struct party_unread *u = user;
    size_t left = u->len - u->at, n = left < cap ? left : cap;
    if (!n)
        return u->below.read(u->below.user, buf, cap, timeout_ms);
    memcpy(buf, u->bytes + u->at, n);
    u->at += n;
    return (long)n;
}

static long unread_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    const struct party_unread *u = user;
    return u->below.write(u->below.user, buf, len, timeout_ms);
}

static void unread_shutdown(void *user)
{
    const struct party_unread *u = user;
    u->below.shutdown(u->below.user);
}

tally_status party_channel_unread(party_channel *channel, const uint8_t *bytes, size_t len,
                                  tally_error *error)
{
    struct party_unread *u = psi_calloc(1, sizeof *u + len);
    if (!u)
        return party_no_memory(error, "a connection");
    u->below = channel->io;
    u->len = len;
    memcpy(u->bytes, bytes, len);
    channel->unread = u;
    channel->io =
        (tally_transport){.user = u, .read = unread_read, .write = unread_write, .shutdown = unread_shutdown};
    return TALLY_OK;
}

void party_channel_bytes(const party_channel *channel, uint64_t *sent, uint64_t *received)
{
    *sent = channel->counted ? atomic_load(&channel->counted->sent) : 0;
    *received = channel->counted ? atomic_load(&channel->counted->received) : 0;
}
