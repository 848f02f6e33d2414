/* SPDX-License-Identifier: Apache-2.0 */
/* The two hellos: nothing that derives from a list leaves before the terms are known to agree. */
#include "party/cap.h"
#include "party/entry.h"
#include "party/error.h"
#include "party/held.h"
#include "party/input.h"
#include "party/session.h"
#include "party/terms.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <stdio.h>
#include <string.h>

static tally_status send_message(party_link *link, uint8_t type, const uint8_t *message, size_t len,
                                 tally_error *error)
{
    uint8_t *buffer = party_link_buffer(len);
    if (!buffer)
        return party_no_memory(error, "a message");
    memcpy(buffer, message, len);
    return party_link_send(link, type, buffer, len, error);
}

/* Receives the one frame of a hello; its bytes are kept for the session id. */
static tally_status receive_hello(tally_session *s, party_state *state, party_frame *frame,
                                  tally_error *error)
{
    uint64_t first, units;
    tally_status st = party_link_receive(s->link, frame, error);
    if (st)
        return st;
    st = party_state_take(state, frame, &first, &units, error);
    if (st)
        party_frame_free(frame);
    return st;
}

static tally_status malformed(tally_error *error, tally_status st, const char *why)
{
    if (st == TALLY_ERR_NO_MEMORY)
        return party_no_memory(error, "the peer's hello");
    return party_fail(error, st, "the peer's greeting is not valid: %s", party_word(why));
}

static tally_status commit_to_list(tally_session *s, psi_hash *h, wire_hello2 *hello)
{
    size_t count;
    party_input_items(s->input, &count);
    tally_status st = psi_random(s->list_opening, sizeof s->list_opening);
    if (!st)
        st = psi_list_commit(h, s->list_opening, s->list_digest, s->list_commitment);
    memcpy(hello->commitment, s->list_commitment, sizeof hello->commitment);
    hello->items = count;
    s->committed = !st;
    return st;
}

/* A hello as it was on the wire. */
typedef struct message {
    uint8_t *bytes;
    size_t len;
} message;

/*
 * Session id = SHA-256(tag SID, then with 8-byte lengths: version (4 bytes big-endian), receiver's and
 * sender's fingerprints, TLS exporter, receiver's hello 1, sender's hello 1, receiver's hello 2, sender's
 * hello 2).
 */
static tally_status session_id(tally_session *s, psi_hash *h, uint32_t version, const message mine[2],
                               const message theirs[2])
{
    int receiver = s->role == TALLY_RECEIVER;
    const message *r = receiver ? mine : theirs, *t = receiver ? theirs : mine;
    const party_channel *c = &s->channel;
    uint8_t v[4] = {(uint8_t)(version >> 24), (uint8_t)(version >> 16), (uint8_t)(version >> 8),
                    (uint8_t)version};
    const psi_part parts[] = {{v, sizeof v},
                              {receiver ? c->own_fingerprint : c->peer_fingerprint, 32},
                              {receiver ? c->peer_fingerprint : c->own_fingerprint, 32},
                              {c->binding, sizeof c->binding},
                              {r[0].bytes, r[0].len},
                              {t[0].bytes, t[0].len},
                              {r[1].bytes, r[1].len},
                              {t[1].bytes, t[1].len}};
    tally_status st = psi_hash_start(h, PSI_TAG_SID);
    for (size_t i = 0; !st && i < sizeof parts / sizeof *parts; i++)
        st = psi_hash_add_sized(h, parts[i].p, parts[i].len);
    return st ? st : psi_hash_end(h, s->sid.b);
}

/* What receipts and ledgers call the session: SHA-256(tag SESSION, session id). */
static tally_status session_number(tally_session *s, psi_hash *h)
{
    uint8_t number[32];
    tally_status st = psi_hash_start(h, PSI_TAG_SESSION);
    if (!st)
        st = psi_hash_add(h, s->sid.b, sizeof s->sid.b);
    if (!st)
        st = psi_hash_end(h, number);
    for (size_t i = 0; !st && i < sizeof number; i++)
        snprintf(s->session_number + 2 * i, 3, "%02x", number[i]);
    return st;
}

/* The side that adds up hears here what it adds up. */
static void log_values(const tally_session *s)
{
    const wire_terms *t = &s->peer_hello.terms;
    for (size_t k = 0; k < t->value_count; k++) {
        const wire_value *v = &t->values[k];
        char min[PSI_AGG_TEXT], max[PSI_AGG_TEXT], name[WIRE_NAME_MAX + 1];
        psi_agg_sum_text(min, v->min, v->scale);
        psi_agg_sum_text(max, v->max, v->scale);
        party_printable(name, sizeof name, v->name);
        party_log(s, 1, "values of the other side: %s, %s to %s", name, min, max);
    }
    for (size_t k = 0; k < t->band_count; k++) {
        char name[WIRE_NAME_MAX + 1];
        party_printable(name, sizeof name, t->bands[k].name);
        party_log(s, 1, "bands of the other side: %s, %zu and what lies outside", name,
                  t->bands[k].count - 1);
    }
}

static tally_status hello1(tally_session *s, party_state *state, message *mine, party_frame *theirs,
                           uint32_t *version, tally_error *error)
{
    wire_hello1 hello = {.version_min = WIRE_VERSION_MIN, .version_max = WIRE_VERSION_MAX, .terms = s->terms};
    const char *why = "";
    snprintf(hello.software, sizeof hello.software, "tally %s", TALLY_VERSION);
    tally_status st = psi_random(hello.nonce, sizeof hello.nonce);
    if (st)
        return party_fail(error, st, "the random generator of the system failed");
    st = party_hold_say(s, &hello, error);
    if (st)
        return st;
    st = wire_hello1_build(&hello, &mine->bytes, &mine->len);
    if (st)
        return party_no_memory(error, "hello 1");
    st = send_message(s->link, WIRE_HELLO1, mine->bytes, mine->len, error);
    if (!st)
        st = receive_hello(s, state, theirs, error);
    if (st)
        return st;
    st = wire_hello1_parse(&s->peer_hello, theirs->payload, theirs->length, &why);
    if (st)
        return malformed(error, st, why);
    *version = wire_version_pick(hello.version_min, hello.version_max, s->peer_hello.version_min,
                                 s->peer_hello.version_max);
    if (!*version) {
        party_fail(error, TALLY_ERR_INCOMPATIBLE,
                   "no common protocol version: here %u to %u, there %u to %u (%s)", hello.version_min,
                   hello.version_max, s->peer_hello.version_min, s->peer_hello.version_max,
                   s->peer_hello.software);
        party_hint(error, "the side with the older version has to upgrade");
        return TALLY_ERR_INCOMPATIBLE;
    }
    st = party_hold_hear(s, error);
    if (!st)
        st = party_terms_compare(&s->terms, &s->peer_hello.terms, &s->form, error);
    if (!st && s->function != TALLY_MATCH) {
        party_aggregate_agree(&s->aggregate, &s->terms, &s->peer_hello.terms);
        log_values(s);
    }
    return st;
}

tally_status party_greet_terms(tally_session *s, tally_error *error)
{
    party_state state;
    message mine = {0};
    party_frame theirs = {0};
    uint32_t version = 0;
    party_state_init(&state);
    tally_status st = hello1(s, &state, &mine, &theirs, &version, error);
    party_frame_free(&theirs);
    psi_free(mine.bytes);
    return st;
}

const char *party_protocol_name(enum tally_protocol protocol)
{
    static const char *const names[] = {[TALLY_AUTO] = "auto", [TALLY_ECDH] = "ecdh", [TALLY_VOLE] = "vole"};
    return names[protocol];
}

/* Below this many identifiers on both sides, 128 base OTs cost more than a few group operations an item. */
#define ECDH_BELOW 512u

enum tally_protocol party_choose(enum tally_protocol asked, enum tally_function function, int active,
                                 uint64_t own, uint64_t peer, const char **why)
{
    *why = "as asked for";
    if (function != TALLY_MATCH) {
        *why = "counts and sums use it";
        return TALLY_ECDH;
    }
    if (asked != TALLY_AUTO)
        return asked;
    if (active) {
        *why = "the malicious model needs it";
        return TALLY_ECDH;
    }
    if (own < ECDH_BELOW && peer < ECDH_BELOW) {
        *why = "both lists are small";
        return TALLY_ECDH;
    }
    *why = "the fastest for lists of this size in the semi-honest model";
    return TALLY_VOLE;
}

/* What both sides compute alike from both terms and both sizes. */
static void choose_protocol(tally_session *s, uint64_t own)
{
    const char *mine = s->terms.protocol, *theirs = s->peer_hello.terms.protocol, *why;
    const char *asked = strcmp(mine, "auto") != 0 ? mine : theirs;
    enum tally_protocol named = strcmp(asked, "vole") == 0   ? TALLY_VOLE
                                : strcmp(asked, "ecdh") == 0 ? TALLY_ECDH
                                                             : TALLY_AUTO;
    s->chosen = party_choose(named, s->function, s->security == TALLY_MALICIOUS, own, s->peer_items, &why);
    party_log(s, 1, "protocol %s: %s", party_protocol_name(s->chosen), party_word(why));
}

/* The computing side of a sum with bands of its own says how many of its items lie in each. */
static void say_batches(const tally_session *s, wire_hello2 *hello)
{
    const party_aggregate *a = &s->aggregate;
    size_t columns;
    if (!a->computing || a->groups < 2)
        return;
    const int64_t *numbers = party_input_numbers(s->input, &columns);
    party_aggregate_batches(numbers, hello->items, hello->batches);
    hello->batch_count = a->groups;
}

static tally_status hello2(tally_session *s, party_state *state, psi_hash *h, message *mine,
                           party_frame *theirs, tally_error *error)
{
    wire_hello2 hello = {.items = 0}, peer;
    const char *why = "";
    tally_status st = commit_to_list(s, h, &hello);
    if (st)
        return party_fail(error, st, "the commitment to the list could not be computed");
    say_batches(s, &hello);
    st = party_cap_check(s, 0, error);
    if (!st)
        st = party_hold_day(s, error);
    if (st)
        return st;
    /* Nothing that derives from the list has left yet: from here on the ledger has a trace of the run. */
    st = party_entry_begin(s, error);
    if (st)
        return st;
    st = wire_hello2_build(&hello, &mine->bytes, &mine->len);
    if (st)
        return party_no_memory(error, "hello 2");
    s->greeted = 1;
    st = send_message(s->link, WIRE_HELLO2, mine->bytes, mine->len, error);
    if (!st)
        st = receive_hello(s, state, theirs, error);
    if (st)
        return st;
    st = wire_hello2_parse(&peer, theirs->payload, theirs->length, &why);
    if (st)
        return malformed(error, st, why);
    s->peer_items = peer.items;
    memcpy(s->peer_commitment, peer.commitment, sizeof s->peer_commitment);
    st = party_hold_peer_list(s, error);
    if (!st)
        st = party_cap_check(s, peer.items, error);
    if (st)
        return st;
    choose_protocol(s, hello.items);
    if (s->function == TALLY_MATCH)
        return TALLY_OK;
    const wire_hello2 *computing = s->aggregate.computing ? &hello : &peer,
                      *other = s->aggregate.computing ? &peer : &hello;
    if (other->batch_count)
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer says sizes of batches that it does not have");
    st = party_aggregate_size(&s->aggregate, hello.items, peer.items, computing->batches,
                              computing->batch_count, error);
    if (!st && s->function == TALLY_SUM)
        party_log(s, 1, "scheme %s", s->aggregate.plan.scheme == PSI_AHE_RLWE ? "rlwe" : "paillier");
    return st;
}

tally_status party_greet(tally_session *s, party_state *state, tally_error *error)
{
    message mine[2] = {{0}};
    party_frame theirs[2] = {{0}};
    uint32_t version = 0;
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : party_no_memory(error, "a hash");
    if (!st)
        st = hello1(s, state, &mine[0], &theirs[0], &version, error);
    if (!st)
        st = hello2(s, state, h, &mine[1], &theirs[1], error);
    if (!st) {
        message peer[2] = {{theirs[0].payload, theirs[0].length}, {theirs[1].payload, theirs[1].length}};
        st = session_id(s, h, version, mine, peer);
        if (!st)
            st = session_number(s, h);
        if (st)
            party_fail(error, st, "the session id could not be computed");
    }
    for (int i = 1; i >= 0; i--) {
        party_frame_free(&theirs[i]);
        psi_free(mine[i].bytes);
    }
    psi_hash_free(h);
    return st;
}
