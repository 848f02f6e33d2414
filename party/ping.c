/* SPDX-License-Identifier: Apache-2.0 */
#include "party/ping.h"

#include "party/day.h"
#include "party/error.h"
#include "party/first.h"
#include "party/held.h"
#include "party/identity.h"
#include "party/input.h"
#include "party/session.h"
#include "proto/ping.h"
#include "psi/mem.h"

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000
#define HANDSHAKE_LEAST_MS 1000 /* also when connecting took all the time */
#define ANSWER_MS 5000
#define AGAIN_MS 250       /* between attempts to connect */
#define CLOCK_WARN_S 30.0  /* clocks this far apart are told */
#define CLOCK_FAIL_S 300.0 /* and this far fail: certificates are judged with this tolerance */
#define DAY_S 86400
#define EXPIRY_DAYS 30

typedef struct ping {
    tally_session *s;
    tally_ping_callback tell;
    void *user;
    tally_ping *out;
    int64_t deadline_ms;
    int has_terms;
    wire_ping theirs;
} ping;

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell(const ping *p, enum tally_ping_step step, enum tally_ping_state state,
                 const tally_error *detail)
{
    if (p->tell)
        p->tell(p->user, step, state, detail);
}

/* ---- Frames ---- */

static tally_status send_ping(party_link *link, const wire_ping *own, tally_error *error)
{
    uint8_t bytes[WIRE_PING_MAX];
    size_t len = wire_ping_build(own, bytes);
    uint8_t *buffer = party_link_buffer(len);
    if (buffer)
        memcpy(buffer, bytes, len);
    return party_link_send(link, WIRE_PING, buffer, len, error);
}

static tally_status take_ping(party_link *link, wire_ping *out, tally_error *error)
{
    party_frame frame;
    const char *why = "";
    tally_status st = party_link_receive(link, &frame, error);
    if (st)
        return st;
    if (frame.type != WIRE_PING)
        st = party_fail(error, TALLY_ERR_MALFORMED, "the other side answers a ping with a frame '%s'",
                        wire_frame_name(frame.type));
    else if (wire_ping_parse(out, frame.payload, frame.length, &why))
        st =
            party_fail(error, TALLY_ERR_MALFORMED, "the other side's ping is not valid: %s", party_word(why));
    party_frame_free(&frame);
    return st;
}

static wire_ping own_ping(enum wire_waits waits, int has_terms)
{
    wire_ping own = {.waits = waits,
                     .has_terms = has_terms,
                     .clock_ms = (uint64_t)clock_ms(),
                     .version_min = WIRE_VERSION_MIN,
                     .version_max = WIRE_VERSION_MAX};
    snprintf(own.software, sizeof own.software, "tally %s", TALLY_VERSION);
    return own;
}

tally_status party_ping_answer(party_channel *channel, int64_t deadline_ms, const party_cancel *cancel,
                               tally_error *error)
{
    int64_t until = party_now_ms() + ANSWER_MS;
    const char *why = "";
    uint8_t bytes[WIRE_PING_MAX];
    party_first first;
    wire_ping theirs;
    tally_status st = party_first_read(channel, WIRE_PING, &first, until < deadline_ms ? until : deadline_ms,
                                       cancel, error);
    if (!st && wire_ping_parse(&theirs, first.bytes + first.payload, first.len - first.payload, &why))
        st =
            party_fail(error, TALLY_ERR_MALFORMED, "the other side's ping is not valid: %s", party_word(why));
    psi_free(first.bytes);
    if (st)
        return st;
    wire_ping own = own_ping(WIRE_WAITS_RUN, 0);
    party_first_say(channel, WIRE_PING, bytes, wire_ping_build(&own, bytes));
    return TALLY_OK;
}

/* ---- Resolve and connect ---- */

static void numeric(const struct addrinfo *ai, char out[NI_MAXHOST])
{
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, out, NI_MAXHOST, NULL, 0, NI_NUMERICHOST))
        snprintf(out, NI_MAXHOST, "?");
}

/* Which of this machine's addresses packets to there would leave from; a datagram socket sends none for it.
 */
static void own_address(const struct addrinfo *to, char out[NI_MAXHOST])
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    *out = 0;
    int fd = to ? socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
        getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
        getnameinfo((struct sockaddr *)&own, len, out, NI_MAXHOST, NULL, 0, NI_NUMERICHOST))
        *out = 0;
    close(fd);
}

static tally_status resolve(ping *p, char own[NI_MAXHOST], tally_error *error)
{
    struct addrinfo *all = NULL;
    char list[400] = "", one[NI_MAXHOST];
    size_t used = 0;
    tally_error detail = {0};
    tally_status st = party_resolve(&p->s->address, 0, p->deadline_ms, &p->s->cancel, &all, NULL, error);
    if (st) {
        tell(p, TALLY_PING_RESOLVE, TALLY_PING_FAILED, error);
        return st;
    }
    for (const struct addrinfo *ai = all; ai; ai = ai->ai_next) {
        numeric(ai, one);
        if (used + strlen(one) + 3 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", one);
    }
    own_address(all, own);
    freeaddrinfo(all);
    party_fail(&detail, TALLY_OK, "%s is %s", p->s->address.host, list);
    tell(p, TALLY_PING_RESOLVE, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

/* What to ask whom about a connection that did not come about. */
static void advise(const ping *p, int failed, const char *from, tally_error *error)
{
    const char *own = *from ? from : party_word(PARTY_WORD("this machine"));
    const char *host = p->s->address.host, *port = p->s->address.port;
    if (failed == ECONNREFUSED)
        party_hint(
            error,
            "the host answers, but nothing listens there: ask the other side whether its tally waits, and "
            "on port %s. If it does, ask its firewall's keeper to let TCP from %s in to port %s",
            port, own, port);
    else if (failed == ETIMEDOUT)
        party_hint(
            error,
            "no answer at all, as when a firewall drops packets: ask the keepers of both firewalls to let "
            "TCP from %s to %s port %s through, outgoing here and incoming there; is the host on?",
            own, host, port);
    else if (failed == EHOSTUNREACH || failed == ENETUNREACH)
        party_hint(error,
                   "there is no way to that address: is the network or VPN up? Ask the keeper of the "
                   "network for a route from %s to %s",
                   own, host);
    else if (failed == EINVAL || failed == EACCES || failed == EPERM)
        party_hint(
            error,
            "this machine itself does not let it out: look at its firewall and its routes (ip route get "
            "%s) for TCP to %s port %s",
            host, host, port);
    else if (failed)
        party_hint(error, "ask the network's keeper about TCP from %s to %s port %s", own, host, port);
}

/* As long as there is time: the other side may be about to start. */
static tally_status connect_there(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    char own[NI_MAXHOST], there[PARTY_ADDRESS_TEXT];
    int fd = -1, failed = 0, retry = 1;
    int64_t began = 0;
    tally_error detail = {0};
    tally_status st = resolve(p, own, error);
    if (st)
        return st;
    do {
        began = party_now_ms();
        st = party_tcp_try(&s->address, p->deadline_ms, &s->cancel, &fd, &retry, &failed, error);
        int64_t left = p->deadline_ms - party_now_ms();
        if (!st || !retry || left <= 0 || party_cancelled(&s->cancel))
            break;
        struct pollfd wait = {.fd = s->cancel.fd, .events = POLLIN};
        poll(&wait, 1, left < AGAIN_MS ? (int)left : AGAIN_MS);
    } while (party_now_ms() < p->deadline_ms);
    if (st) {
        advise(p, failed, own, error);
        tell(p, TALLY_PING_CONNECT, TALLY_PING_FAILED, error);
        return st;
    }
    int took = (int)(party_now_ms() - began);
    party_tcp_peer_text(fd, there, sizeof there);
    st = party_tcp_from_fd(fd, &s->channel.raw, error);
    if (st)
        return st;
    party_fail(&detail, TALLY_OK, "TCP to %s, %d ms", there, took);
    tell(p, TALLY_PING_CONNECT, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

/* ---- Authenticate ---- */

static void tell_peer(ping *p)
{
    tally_session *s = p->s;
    tally_error detail = {0};
    int64_t now = (int64_t)time(NULL);
    long long own = (p->out->own_not_after - now) / DAY_S, peer = (p->out->peer_not_after - now) / DAY_S;
    snprintf(p->out->peer, sizeof p->out->peer, "%s", s->peer_pin);
    snprintf(p->out->peer_subject, sizeof p->out->peer_subject, "%s", s->peer_subject);
    if (own < EXPIRY_DAYS || peer < EXPIRY_DAYS) {
        party_fail(&detail, TALLY_OK,
                   "TLS 1.3; the other side is %s, %s. A certificate is about to expire: days left here "
                   "%lld, there %lld",
                   s->peer_subject, s->peer_pin, own, peer);
        tell(p, TALLY_PING_AUTHENTICATE, TALLY_PING_WARNED, &detail);
        return;
    }
    party_fail(&detail, TALLY_OK,
               "TLS 1.3; the other side is %s, %s; days left of the certificates here %lld, there %lld",
               s->peer_subject, s->peer_pin, own, peer);
    tell(p, TALLY_PING_AUTHENTICATE, TALLY_PING_OK, &detail);
}

static tally_status authenticate(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    char where[PARTY_ADDRESS_TEXT];
    party_tls_context *context = NULL;
    int64_t now = party_now_ms(), left = p->deadline_ms - now;
    left = left < HANDSHAKE_LEAST_MS ? HANDSHAKE_LEAST_MS : left;
    int64_t until = now + (left < HANDSHAKE_MS ? left : HANDSHAKE_MS);
    party_address_text(where, &s->address);
    tally_status st = party_tls_context_new(&context, 0, s->identity, &s->rule, error);
    if (!st) {
        party_tls_context_purpose(context, PARTY_TLS_PING);
        st = party_channel_secure(&s->channel, context, s->identity, where, until, &s->cancel, error);
        if (tally_exit_status(st) == -TALLY_ERR_NETWORK && !error->hint[0])
            party_hint(error,
                       "something listens there and does not speak TLS, or a device in between ends the "
                       "connection: is that the other side's tally, and may TLS pass unopened?");
    }
    party_tls_context_free(context);
    if (!st)
        s->channel.owns_raw = 1;
    else
        party_tcp_free(&s->channel.raw);
    return st;
}

/* Of the side that listens, both steps are one: strangers are told in the log. */
static tally_status wait_here(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    char where[PARTY_ADDRESS_TEXT];
    tally_error detail = {0};
    tally_status st = party_session_listen(s, p->deadline_ms, error);
    party_address_text(where, &s->address);
    if (st) {
        tell(p, tally_exit_status(st) == -TALLY_ERR_AUTH ? TALLY_PING_AUTHENTICATE : TALLY_PING_CONNECT,
             TALLY_PING_FAILED, error);
        return st;
    }
    party_fail(&detail, TALLY_OK, "the other side came to %s", where);
    tell(p, TALLY_PING_CONNECT, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

static tally_status reach(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    tally_status st = s->has_listen ? wait_here(p, error) : connect_there(p, error);
    if (st)
        return st;
    if (!s->has_listen) {
        st = authenticate(p, error);
        if (st) {
            tell(p, TALLY_PING_AUTHENTICATE, TALLY_PING_FAILED, error);
            return st;
        }
    }
    int64_t key_until;
    party_tls_peer_until(s->channel.tls, &p->out->peer_not_after, &key_until);
    st = party_session_link(s, error);
    if (!st)
        tell_peer(p);
    return st;
}

/* ---- What both sides say ---- */

static tally_status exchange(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    int64_t sent = clock_ms();
    tally_status st = TALLY_OK;
    if (s->has_listen)
        st = take_ping(s->link, &p->theirs, error);
    int64_t heard = clock_ms();
    wire_ping own = own_ping(WIRE_WAITS_PING, p->has_terms);
    if (!st)
        st = send_ping(s->link, &own, error);
    if (!st && !s->has_listen) {
        st = take_ping(s->link, &p->theirs, error);
        heard = clock_ms();
    }
    if (st) {
        tell(p, TALLY_PING_VERSIONS, TALLY_PING_FAILED, error);
        return st;
    }
    p->out->met_run = p->theirs.waits == WIRE_WAITS_RUN;
    p->out->round_trip_seconds = party_tcp_round_trip_us(&s->channel.raw) * 1e-6;
    /* The one who asks has the answer's time in the middle; the other one is half a round trip behind. */
    double middle =
        s->has_listen ? (double)heard - p->out->round_trip_seconds * 500 : ((double)sent + (double)heard) / 2;
    p->out->clock_ahead_seconds = ((double)p->theirs.clock_ms - middle) / 1000;
    return TALLY_OK;
}

static tally_status versions(ping *p, tally_error *error)
{
    tally_error detail = {0};
    const wire_ping *t = &p->theirs;
    if (!wire_version_pick(WIRE_VERSION_MIN, WIRE_VERSION_MAX, t->version_min, t->version_max)) {
        party_fail(error, TALLY_ERR_INCOMPATIBLE,
                   "no common protocol version: here %u to %u, there %u to %u (%s)", WIRE_VERSION_MIN,
                   WIRE_VERSION_MAX, t->version_min, t->version_max, t->software);
        party_hint(error, "the side with the older version has to upgrade");
        tell(p, TALLY_PING_VERSIONS, TALLY_PING_FAILED, error);
        return TALLY_ERR_INCOMPATIBLE;
    }
    party_fail(&detail, TALLY_OK, "here tally %s, there %s", TALLY_VERSION, t->software);
    tell(p, TALLY_PING_VERSIONS, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

static tally_status clocks(ping *p, tally_error *error)
{
    double ahead = p->out->clock_ahead_seconds, apart = fabs(ahead);
    tally_error detail = {0};
    if (ahead > 0)
        party_fail(&detail, TALLY_OK, "the other side's clock is %.1f s ahead of this one", apart);
    else
        party_fail(&detail, TALLY_OK, "the other side's clock is %.1f s behind this one", apart);
    if (apart <= CLOCK_FAIL_S) {
        tell(p, TALLY_PING_CLOCKS, apart > CLOCK_WARN_S ? TALLY_PING_WARNED : TALLY_PING_OK, &detail);
        return TALLY_OK;
    }
    *error = detail;
    error->status = TALLY_ERR_INCOMPATIBLE;
    party_hint(error,
               "one of the two clocks is wrong, and certificates and agreements are judged by them: set it, "
               "best by NTP");
    tell(p, TALLY_PING_CLOCKS, TALLY_PING_FAILED, error);
    return TALLY_ERR_INCOMPATIBLE;
}

static void skip_run(const ping *p)
{
    tally_error detail = {0};
    party_fail(&detail, TALLY_OK, "not compared: a run waits there, not a ping; it waits on for your run");
    tell(p, TALLY_PING_TERMS, TALLY_PING_SKIPPED, &detail);
    party_fail(&detail, TALLY_OK, "not measured, for the same reason; round trip %.1f ms",
               p->out->round_trip_seconds * 1e3);
    tell(p, TALLY_PING_LINE, TALLY_PING_SKIPPED, &detail);
}

static tally_status terms(ping *p, tally_error *error)
{
    tally_error detail = {0};
    if (!p->has_terms || !p->theirs.has_terms) {
        if (!p->has_terms)
            party_fail(&detail, TALLY_OK, "not compared: this side gave neither a role nor an agreement");
        else
            party_fail(&detail, TALLY_OK,
                       "not compared: the other side gave neither a role nor an agreement");
        tell(p, TALLY_PING_TERMS, TALLY_PING_SKIPPED, &detail);
        return TALLY_OK;
    }
    tally_status st = party_greet_terms(p->s, error);
    if (st) {
        tell(p, TALLY_PING_TERMS, TALLY_PING_FAILED, error);
        return st;
    }
    if (p->s->agreement)
        party_fail(&detail, TALLY_OK, "both sides have the same agreement, and the same terms");
    else
        party_fail(&detail, TALLY_OK, "the terms of both sides go together");
    tell(p, TALLY_PING_TERMS, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

static tally_status line(ping *p, tally_error *error)
{
    tally_error detail = {0};
    tally_status st = party_line_glance(p->s, p->out, error);
    if (st) {
        tell(p, TALLY_PING_LINE, TALLY_PING_FAILED, error);
        return st;
    }
    p->out->round_trip_seconds = party_tcp_round_trip_us(&p->s->channel.raw) * 1e-6;
    party_fail(&detail, TALLY_OK, "round trip %.1f ms, %.1f Mbit/s there, %.1f Mbit/s back",
               p->out->round_trip_seconds * 1e3, p->out->sent_bits_per_second / 1e6,
               p->out->received_bits_per_second / 1e6);
    tell(p, TALLY_PING_LINE, TALLY_PING_OK, &detail);
    return TALLY_OK;
}

/* ---- The ping ---- */

/* Terms, if there are any; from an agreement also whom to reach, and where. */
static tally_status prepare(ping *p, tally_error *error)
{
    tally_session *s = p->s;
    tally_status st = TALLY_OK;
    if (s->ran)
        return party_fail(error, TALLY_ERR_USAGE, "a session runs once; make a new one");
    if (!s->identity)
        return party_fail(error, TALLY_ERR_USAGE, "no identity was set");
    p->has_terms = s->agreement || s->role;
    if (p->has_terms && !s->input)
        return party_fail(error, TALLY_ERR_USAGE, "no input was set");
    s->began = (int64_t)time(NULL);
    st = party_day_in_zone("UTC", s->began, &s->today, error);
    if (!st)
        st = party_hold(s, error);
    if (!st && p->has_terms)
        st = party_terms_check(s, error);
    if (!st && p->has_terms)
        st = party_terms_fill(s, error);
    if (!st && (s->has_listen + s->has_connect != 1 || s->transport))
        st = party_fail(error, TALLY_ERR_USAGE, "a ping needs an address: either listen or connect");
    if (!st && !party_session_knows_peer(s))
        st = party_fail(error, TALLY_ERR_USAGE,
                        "whom to accept is not set: a peer fingerprint, or a CA and a name");
    if (!st && (s->timeout_s < 1 || s->timeout_s > 7 * 86400))
        st = party_fail(error, TALLY_ERR_USAGE, "the timeout has to be between 1 second and 7 days");
    return st ? st : party_identity_usable(s->identity, error);
}

static tally_status talk(ping *p, tally_error *error)
{
    tally_error clock = {0};
    tally_status st = exchange(p, error);
    if (!st)
        st = versions(p, error);
    if (st)
        return st;
    /* Both sides go on, whichever finds the clocks too far apart. */
    tally_status apart = clocks(p, &clock);
    if (p->out->met_run)
        skip_run(p);
    else
        st = terms(p, error);
    if (!st && !p->out->met_run)
        st = line(p, error);
    if (!st && apart)
        *error = clock;
    return st ? st : apart;
}

tally_status tally_session_ping(tally_session *s, tally_ping_callback callback, void *user, tally_ping *out,
                                tally_error *error)
{
    tally_error local = {0};
    tally_error *e = error ? error : &local;
    ping p = {.s = s, .tell = callback, .user = user, .out = out};
    *e = (tally_error){.status = TALLY_OK};
    *out = (tally_ping){.met_run = 0};
    tally_status st = prepare(&p, e);
    if (st)
        return st;
    s->ran = 1;
    out->own_not_after = tally_identity_not_after(s->identity);
    p.deadline_ms = party_now_ms() + (int64_t)s->timeout_s * 1000;
    st = reach(&p, e);
    if (!st)
        st = talk(&p, e);
    party_session_close(s, !st || tally_exit_status(st) == -TALLY_ERR_INCOMPATIBLE ||
                               tally_exit_status(st) == -TALLY_ERR_POLICY);
    if (st && party_cancelled(&s->cancel))
        st = party_fail(e, TALLY_ERR_INTERRUPTED, "interrupted");
    return st;
}
