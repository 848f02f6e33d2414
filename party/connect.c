/* SPDX-License-Identifier: Apache-2.0 */
#include "party/connect.h"

#include "party/counted.h"
#include "party/error.h"
#include "party/identity.h"
#include "psi/mem.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    party_fail(error, TALLY_ERR_TIMEOUT, "no peer at %s in time; the last attempt: %s", where,
               party_message_of(&last));
    party_hint(
        error,
        "check that the peer's run listens there and that the firewall lets you through; --timeout sets "
        "how long to wait");
    return TALLY_ERR_TIMEOUT;
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
    }
    if (o->transport) {
        channel.raw = *o->transport;
        st = party_channel_secure(&channel, context, o->identity, NULL, o->deadline_ms, o->cancel, error);
    } else if (o->listen) {
        st = party_channel_listen(&channel, o, context, error);
    } else {
        st = connect_patiently(&channel, o, context, error);
    }
    party_tls_context_free(context);
    if (!st)
        *out = channel;
    return st;
}

void party_channel_close(party_channel *channel)
{
    if (channel->io.shutdown)
        channel->io.shutdown(channel->io.user);
    if (channel->owns_raw)
        party_tcp_linger(&channel->raw, LINGER_MS, NULL);
    party_tls_free(channel->tls);
    if (channel->owns_raw)
        party_tcp_free(&channel->raw);
    psi_free(channel->counted);
    psi_wipe(channel, sizeof *channel);
}

void party_channel_bytes(const party_channel *channel, uint64_t *sent, uint64_t *received)
{
    *sent = channel->counted ? atomic_load(&channel->counted->sent) : 0;
    *received = channel->counted ? atomic_load(&channel->counted->received) : 0;
}
