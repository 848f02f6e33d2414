/* SPDX-License-Identifier: Apache-2.0 */
#include "party/server.h"

#include "party/agreement.h"
#include "party/error.h"
#include "party/held.h"
#include "party/identity.h"
#include "proto/abort.h"
#include "proto/frame.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLACES 16
#define SHORT_MS 100 /* pause when memory is short */

struct entry {
    const tally_agreement *agreement;
    tally_session *sides; /* holds own party, role and whom to accept */
    uint8_t digest32[32], fields[AGREED_FIELDS][WIRE_FIELD_DIGEST];
};

struct place {
    party_address address;
    int fds[PARTY_SOCKETS];
    size_t count; /* 0: not open, or given to another server */
};

struct tally_server {
    const tally_identity *identity;
    struct entry entry[TALLY_SERVER_ENTRIES];
    size_t entries;
    struct place place[PLACES];
    size_t places;
    party_tls_context *context;
    party_listener *listener;
    party_connect_options options; /* of the listener: identity and log */
    party_cancel wake;
    tally_log_callback on_log;
    void *on_log_user;
};
_Static_assert(TALLY_SERVER_ENTRIES <= PARTY_RULES_MAX, "a rule for each entry");

/* ---- The first words ---- */

static void say_abort(party_channel *c, enum wire_abort_code code)
{
    uint8_t word[WIRE_ABORT_BYTES];
    size_t len = wire_abort_build(word, (wire_abort){code, 0});
    party_first_say(c, WIRE_ABORT, word, len);
}

/* ---- Which entry ---- */

/* TALLY_SERVER_ENTRIES: none. Key and agreement have to be those of the same entry. */
static size_t find_entry(const tally_server *s, uint64_t accepted, const wire_hello1 *hello)
{
    for (size_t i = 0; hello->has_agreement && i < s->entries; i++)
        if ((accepted >> i & 1) &&
            memcmp(s->entry[i].digest32, hello->agreement.digest32, sizeof s->entry[i].digest32) == 0)
            return i;
    return TALLY_SERVER_ENTRIES;
}

static unsigned differences(const struct entry *e, const wire_hello1 *hello)
{
    unsigned n = 0;
    for (size_t f = 0; f < AGREED_FIELDS; f++)
        n += !hello->has_agreement || f >= hello->agreement.field_count ||
             memcmp(e->fields[f], hello->agreement.fields[f], WIRE_FIELD_DIGEST) != 0;
    return n;
}

/* Of the entries of this peer, the one whose agreement is most like its own. */
static const struct entry *nearest(const tally_server *s, uint64_t accepted, const wire_hello1 *hello)
{
    const struct entry *best = NULL;
    for (size_t i = 0; i < s->entries; i++)
        if ((accepted >> i & 1) && (!best || differences(&s->entry[i], hello) < differences(best, hello)))
            best = &s->entry[i];
    return best;
}

/*
 * A peer of ours with an agreement that is none of its entries hears what a session would say: the agreement
 * nearest to its own, so that it can name the fields that differ. It has signed that one, so nothing is new
 * to it.
 */
static void answer(const tally_server *s, party_arrival *a, const struct entry *e)
{
    tally_session *with = NULL;
    tally_input *input = NULL;
    wire_hello1 *mine = psi_calloc(1, sizeof *mine);
    uint8_t *bytes = NULL;
    size_t len = 0;
    tally_status st =
        mine ? party_agreed_settings(e->agreement, e->sides->role, &with, &input, NULL) : TALLY_ERR_NO_MEMORY;
    if (!st) {
        with->input = input;
        with->agreement = e->agreement;
        with->identity = s->identity;
        with->own_party = e->sides->own_party;
        st = party_terms_fill(with, NULL);
    }
    if (!st) {
        mine->version_min = WIRE_VERSION_MIN;
        mine->version_max = WIRE_VERSION_MAX;
        mine->terms = with->terms;
        snprintf(mine->software, sizeof mine->software, "tally %s", TALLY_VERSION);
        st = psi_random(mine->nonce, sizeof mine->nonce);
    }
    if (!st)
        st = party_hold_say(with, mine, NULL);
    if (!st)
        st = wire_hello1_build(mine, &bytes, &len);
    if (!st)
        party_first_say(&a->channel, WIRE_HELLO1, bytes, len);
    tally_session_free(with);
    tally_input_free(input);
    psi_free(bytes);
    psi_free(mine);
}

/* What the peer hears that has no such entry, and the reason for the log. */
static tally_status send_away(const tally_server *s, party_arrival *a, const wire_hello1 *hello,
                              tally_error *error)
{
    const struct entry *e = nearest(s, a->accepted, hello);
    if (!e) /* not met: who meets no rule does not get through the handshake */
        return party_fail(error, TALLY_ERR_AUTH, "the connection is that of another peer");
    const char *name = party_agreed_text(e->agreement, AGREED_ORGANISATION, !e->sides->own_party);
    answer(s, a, e);
    if (hello->has_agreement)
        return party_fail(
            error, TALLY_ERR_POLICY,
            "the other side %s is known, and runs under an agreement that is not one of it here", name);
    return party_fail(error, TALLY_ERR_POLICY, "the other side %s is known, and runs without an agreement",
                      name);
}

/* In the thread of the handshake. */
static tally_status greet(void *user, party_arrival *a, int64_t deadline_ms, const party_cancel *cancel,
                          tally_error *error)
{
    const tally_server *s = user;
    const char *why = "";
    tally_status st = party_first_read(&a->channel, WIRE_HELLO1, &a->first, deadline_ms, cancel, error);
    if (st) {
        if (st == TALLY_ERR_MALFORMED)
            say_abort(&a->channel, WIRE_ABORT_MALFORMED);
        return st;
    }
    wire_hello1 *hello = psi_calloc(1, sizeof *hello);
    if (!hello)
        return party_no_memory(error, "a greeting");
    st = wire_hello1_parse(hello, a->first.bytes + a->first.payload, a->first.len - a->first.payload, &why);
    if (st) {
        say_abort(&a->channel, WIRE_ABORT_MALFORMED);
        party_fail(error, st, "the peer's greeting is not valid: %s", party_word(why));
    } else {
        a->entry = find_entry(s, a->accepted, hello);
        if (a->entry == TALLY_SERVER_ENTRIES)
            st = send_away(s, a, hello, error);
    }
    psi_free(hello);
    return st;
}

/* ---- The server ---- */

static void forward_log(void *user, int level, const char *line)
{
    const tally_server *s = user;
    if (s->on_log)
        s->on_log(s->on_log_user, level, line);
}

tally_status tally_server_new(tally_server **out, const tally_identity *identity, tally_error *error)
{
    tally_server *s = psi_calloc(1, sizeof *s);
    if (!s)
        return party_no_memory(error, "a server");
    tally_status st = party_cancel_init(&s->wake, error);
    if (st) {
        psi_free(s);
        return st;
    }
    s->identity = identity;
    s->options = (party_connect_options){.identity = identity, .log = forward_log, .log_user = s};
    *out = s;
    return TALLY_OK;
}

static void close_place(struct place *p)
{
    while (p->count)
        close(p->fds[--p->count]);
}

void tally_server_stop(tally_server *s)
{
    party_listener_free(s->listener);
    s->listener = NULL;
    for (size_t i = 0; i < s->places; i++)
        close_place(&s->place[i]);
}

void tally_server_free(tally_server *s)
{
    if (!s)
        return;
    tally_server_stop(s);
    party_tls_context_free(s->context);
    for (size_t i = 0; i < s->entries; i++)
        tally_session_free(s->entry[i].sides);
    party_cancel_close(&s->wake);
    psi_free(s);
}

void tally_server_on_log(tally_server *s, tally_log_callback callback, void *user)
{
    s->on_log = callback;
    s->on_log_user = user;
}

tally_status tally_server_add(tally_server *s, const tally_agreement *agreement, const char *peer_ca,
                              const char *peer_crl, tally_error *error)
{
    struct entry e = {.agreement = agreement};
    if (s->listener)
        return party_fail(error, TALLY_ERR_USAGE, "the server listens already");
    if (s->entries == TALLY_SERVER_ENTRIES)
        return party_fail(error, TALLY_ERR_USAGE, "more than %d agreements at one place",
                          TALLY_SERVER_ENTRIES);
    tally_status st = party_pin_parse(e.digest32, agreement->digest, error);
    for (size_t i = 0; !st && i < s->entries; i++)
        if (memcmp(s->entry[i].digest32, e.digest32, sizeof e.digest32) == 0)
            return party_fail(error, TALLY_ERR_USAGE, "the agreement %s is there twice", agreement->digest);
    if (!st)
        st = party_agreed_field_digests(agreement, e.fields, error);
    if (!st)
        st = tally_session_new(&e.sides, error);
    if (!st) {
        e.sides->identity = s->identity;
        e.sides->agreement = agreement;
        e.sides->has_listen = 1;
    }
    if (!st && peer_ca)
        st = tally_session_set_peer_ca(e.sides, peer_ca, NULL, error);
    if (!st && peer_crl)
        st = tally_session_set_peer_crl(e.sides, peer_crl, error);
    if (!st)
        st = party_hold_sides(e.sides, error);
    if (!st && s->context)
        st = party_tls_context_add(s->context, &e.sides->rule, error);
    else if (!st)
        st = party_tls_context_new(&s->context, 1, s->identity, &e.sides->rule, error);
    if (st)
        tally_session_free(e.sides);
    else
        s->entry[s->entries++] = e;
    return st;
}

tally_status tally_server_add_address(tally_server *s, const char *address, tally_error *error)
{
    if (s->listener)
        return party_fail(error, TALLY_ERR_USAGE, "the server listens already");
    if (s->places == PLACES)
        return party_fail(error, TALLY_ERR_USAGE, "more than %d addresses to listen on", PLACES);
    tally_status st = party_address_parse(&s->place[s->places].address, address, 1, error);
    if (!st)
        s->places++;
    return st;
}

/* The open sockets of the same address, if an older server has them. */
static const struct place *open_in(const tally_server *old, const party_address *address)
{
    for (size_t i = 0; old && i < old->places; i++)
        if (old->place[i].count && strcmp(old->place[i].address.host, address->host) == 0 &&
            strcmp(old->place[i].address.port, address->port) == 0)
            return &old->place[i];
    return NULL;
}

tally_status tally_server_listen(tally_server *s, tally_server *old, tally_error *error)
{
    if (!s->entries || !s->places)
        return party_fail(error, TALLY_ERR_USAGE, "a server needs an agreement and an address");
    if (s->listener)
        return party_fail(error, TALLY_ERR_USAGE, "the server listens already");
    party_tls_context_purpose(s->context, PARTY_TLS_RUN_OR_PING);
    tally_status st = party_listener_new(&s->listener, &s->options, s->context, greet, s, error);
    for (size_t i = 0; !st && i < s->places; i++)
        if (!open_in(old, &s->place[i].address))
            st = party_tcp_listen(&s->place[i].address, s->place[i].fds, PARTY_SOCKETS, &s->place[i].count,
                                  error);
    if (st) {
        tally_server_stop(s);
        return st;
    }
    for (size_t i = 0; old && i < s->places; i++)
        for (size_t k = 0; k < old->places; k++)
            if (&old->place[k] == open_in(old, &s->place[i].address)) {
                memcpy(s->place[i].fds, old->place[k].fds, sizeof s->place[i].fds);
                s->place[i].count = old->place[k].count;
                old->place[k].count = 0;
            }
    if (old)
        tally_server_stop(old);
    return TALLY_OK;
}

void tally_server_wake(tally_server *s)
{
    party_cancel_raise(&s->wake);
}

/* Of a wake that comes meanwhile the flag or the descriptor stays, and either is seen. */
static void forget_wake(tally_server *s)
{
    uint64_t count;
    atomic_store(&s->wake.raised, 0);
    (void)!read(s->wake.fd, &count, sizeof count);
}

/* A caller that tries again at once would not help where memory is short. */
static void pause_short(const tally_server *s, unsigned timeout_ms)
{
    struct pollfd p = {.fd = s->wake.fd, .events = POLLIN};
    poll(&p, 1, timeout_ms < SHORT_MS ? (int)timeout_ms : SHORT_MS);
}

tally_status tally_server_accept(tally_server *s, unsigned timeout_ms, size_t *entry, tally_connection **out,
                                 tally_error *error)
{
    int fds[PLACES * PARTY_SOCKETS];
    size_t count = 0;
    tally_connection *c = psi_calloc(1, sizeof *c);
    if (!c) {
        pause_short(s, timeout_ms);
        return party_no_memory(error, "a connection");
    }
    for (size_t i = 0; i < s->places; i++)
        for (size_t k = 0; k < s->place[i].count; k++)
            fds[count++] = s->place[i].fds[k];
    tally_status st = s->listener ? party_listener_next(s->listener, fds, count, party_now_ms() + timeout_ms,
                                                        &s->wake, &c->arrival)
                                  : TALLY_ERR_USAGE;
    if (!st) {
        *entry = c->arrival.entry;
        memcpy(c->digest, s->entry[*entry].agreement->digest, sizeof c->digest);
        *out = c;
        return TALLY_OK;
    }
    psi_free(c);
    if (st == TALLY_ERR_INTERRUPTED)
        forget_wake(s);
    if (st == TALLY_ERR_USAGE)
        return party_fail(error, st, "the server does not listen");
    if (st == TALLY_ERR_NO_MEMORY) {
        pause_short(s, timeout_ms);
        return party_no_memory(error, "waiting connections");
    }
    if (st == TALLY_ERR_TIMEOUT)
        return party_fail(error, st, "no peer came in time");
    return party_fail(error, st, "interrupted while waiting for peers");
}

/* ---- One connection ---- */

tally_status party_connection_take(tally_connection *c, party_channel *out, tally_error *error)
{
    if (c->taken)
        return party_fail(error, TALLY_ERR_INTERNAL, "the connection is in use");
    tally_status st =
        party_channel_unread(&c->arrival.channel, c->arrival.first.bytes, c->arrival.first.len, error);
    if (st)
        return st;
    *out = c->arrival.channel;
    c->taken = 1;
    return TALLY_OK;
}

const char *tally_connection_from(const tally_connection *c)
{
    return c->arrival.from;
}

void tally_connection_free(tally_connection *c)
{
    if (!c)
        return;
    if (!c->taken) {
        say_abort(&c->arrival.channel, WIRE_ABORT_LOCAL);
        party_channel_close(&c->arrival.channel);
    }
    psi_free(c->arrival.first.bytes);
    psi_free(c);
}
