/* SPDX-License-Identifier: Apache-2.0 */
#include "party/settle.h"

#include "party/error.h"
#include "party/figures.h"
#include "party/held.h"
#include "party/identity.h"
#include "party/input.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOCKS_APART_S 600

/* ---- This side's part ---- */

/* How many identifiers match, where this side knows it. */
static int known_matches(const tally_session *s, uint64_t *out)
{
    if (s->function != TALLY_MATCH) {
        int64_t count = party_figures_learned(s) ? party_figures_count(&s->aggregate) : 0;
        *out = count > 0 ? (uint64_t)count : 0;
        return party_figures_learned(s);
    }
    *out = s->role == TALLY_RECEIVER ? s->hits.distinct : s->matched.count;
    return party_learns_matches(s);
}

/* The text that stands for what this side learned, from which the commitment is made. */
static tally_status result_text(tally_session *s, uint64_t matches, tally_error *error)
{
    if (s->function == TALLY_MATCH) {
        s->result_text = psi_calloc(32, 1);
        if (!s->result_text)
            return party_no_memory(error, "the result");
        snprintf(s->result_text, 32, "matched %" PRIu64, matches);
        return TALLY_OK;
    }
    json_t *figures = party_figures_json(s);
    char *text = figures ? json_dumps(figures, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(figures);
    s->result_text = text ? psi_calloc(strlen(text) + 1, 1) : NULL;
    if (s->result_text)
        memcpy(s->result_text, text, strlen(text) + 1);
    free(text);
    return s->result_text ? TALLY_OK : party_no_memory(error, "the result");
}

static tally_status commit(tally_session *s, uint8_t out32[32], tally_error *error)
{
    psi_hash *h = psi_hash_new();
    tally_status st = h ? psi_random(s->result_opening, sizeof s->result_opening) : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_hash_start(h, PSI_TAG_RESULT);
    if (!st)
        st = psi_hash_add(h, s->result_opening, sizeof s->result_opening);
    if (!st)
        st = psi_hash_add_sized(h, s->result_text, strlen(s->result_text));
    if (!st)
        st = psi_hash_end(h, out32);
    psi_hash_free(h);
    return st ? party_fail(error, st, "the commitment to the result could not be computed") : TALLY_OK;
}

static int has_consent(const tally_session *s)
{
    return s->agreement && party_agreed_find(s->agreement, AGREED_CONSENT, 0, 0);
}

/* Whether the agreed share was exceeded is said by one side: the receiver, whose list it is a share of, or,
 * where the receiver learns nothing, the sender. */
static int says_share(const tally_session *s, enum tally_role role)
{
    if (!s->agreement || !party_agreed_find(s->agreement, AGREED_MAX_SHARE, 0, 0))
        return 0;
    return role == TALLY_RECEIVER || s->reveal == TALLY_REVEAL_SENDER;
}

static tally_status own_facts(tally_session *s, wire_facts *out, tally_error *error)
{
    tally_input_stats stats;
    uint64_t matches;
    tally_input_get_stats(s->input, &stats);
    *out = (wire_facts){.time = (int64_t)time(NULL),
                        .without_consent =
                            s->role == TALLY_RECEIVER && has_consent(s) ? stats.without_consent : 0,
                        .has_ledger = s->run_number != 0};
    memcpy(out->ledger32, s->ledger_root, sizeof out->ledger32);
    if (!known_matches(s, &matches))
        return TALLY_OK;
    if (says_share(s, s->role)) {
        out->share = party_hold_share(s, matches) ? WIRE_SHARE_EXCEEDED : WIRE_SHARE_WITHIN;
        s->share = out->share;
    }
    out->has_result = 1;
    tally_status st = result_text(s, matches, error);
    return st ? st : commit(s, out->result32, error);
}

/* ---- The text ---- */

static void fill_side(const tally_session *s, int own, const wire_facts *facts, party_receipt_side *out)
{
    const party_channel *c = &s->channel;
    *out = (party_receipt_side){.facts = *facts};
    if (s->agreement)
        snprintf(out->organisation, sizeof out->organisation, "%s",
                 tally_agreement_organisation(s->agreement, own ? s->own_party : !s->own_party));
    if (c->tls)
        party_pin_text(out->fingerprint, own ? c->own_fingerprint : c->peer_fingerprint);
    if (own) {
        size_t count;
        party_input_items(s->input, &count);
        out->items = count;
        out->signs = s->identity && s->identity->sign;
        if (out->signs)
            memcpy(out->public32, s->identity->sign_public32, sizeof out->public32);
    } else {
        out->items = s->peer_items;
        out->signs = s->peer_hello.signs;
        memcpy(out->public32, s->peer_hello.signing_key32, sizeof out->public32);
    }
    memcpy(out->commitment32, own ? s->list_commitment : s->peer_commitment, sizeof out->commitment32);
}

static tally_status write_receipt(tally_session *s, const wire_facts *own, const wire_facts *peer,
                                  tally_error *error)
{
    party_receipt_run run = {.min_overlap = s->terms.min_overlap};
    int sender = s->role == TALLY_SENDER;
    snprintf(run.session, sizeof run.session, "%s", s->session_number);
    snprintf(run.agreement, sizeof run.agreement, "%s",
             s->agreement ? tally_agreement_digest(s->agreement) : "");
    snprintf(run.function, sizeof run.function, "%.7s", s->terms.function);
    snprintf(run.protocol, sizeof run.protocol, "%s", party_protocol_name(s->chosen));
    snprintf(run.security, sizeof run.security, "%.15s", s->terms.security);
    snprintf(run.reveal, sizeof run.reveal, "%.15s", s->terms.reveal);
    fill_side(s, 1, own, &run.side[sender]);
    fill_side(s, 0, peer, &run.side[!sender]);
    tally_status st = party_receipt_write(&s->receipt, &run);
    s->receipt_run = run;
    return st ? party_fail(error, st, "the receipt could not be made") : TALLY_OK;
}

/* ---- The exchange ---- */

static tally_status send_receipt(tally_session *s, const wire_receipt *receipt, tally_error *error)
{
    uint8_t *bytes = NULL, *buffer = NULL;
    size_t len = 0;
    tally_status st = wire_receipt_build(receipt, &bytes, &len);
    if (!st && !(buffer = party_link_buffer(len)))
        st = TALLY_ERR_NO_MEMORY;
    if (!st)
        memcpy(buffer, bytes, len);
    psi_free(bytes);
    return st ? party_no_memory(error, "the receipt")
              : party_link_send(s->link, WIRE_RECEIPT, buffer, len, error);
}

static tally_status receive_receipt(party_run *run, wire_receipt *out, tally_error *error)
{
    party_frame frame;
    uint64_t first, units;
    const char *why = "";
    tally_status st = party_receive(run, &frame, &first, &units, error);
    if (st)
        return st;
    st = wire_receipt_parse(out, frame.payload, frame.length, &why);
    party_frame_free(&frame);
    if (st == TALLY_ERR_NO_MEMORY)
        return party_no_memory(error, "the peer's receipt");
    return st ? party_fail(error, st, "the peer's receipt is not valid: %s", party_word(why)) : TALLY_OK;
}

static tally_status refuse(tally_error *error, const char *what)
{
    party_fail(error, TALLY_ERR_MALFORMED, "the peer's receipt is not valid: %s", party_word(what));
    party_hint(error, "the result is discarded; the run counts as one that may have disclosed");
    return TALLY_ERR_MALFORMED;
}

static enum tally_role other_role(const tally_session *s)
{
    return s->role == TALLY_RECEIVER ? TALLY_SENDER : TALLY_RECEIVER;
}

/* Does the other side learn how many match? */
static int peer_learns(const tally_session *s)
{
    const party_aggregate *a = &s->aggregate;
    if (s->function == TALLY_MATCH)
        return s->role == TALLY_SENDER || s->reveal == TALLY_REVEAL_BOTH;
    return a->computing ? a->other_learns : a->computing_learns;
}

/* The peer says what it has to say, and nothing that this run cannot have. */
static tally_status judge_facts(const tally_session *s, const wire_receipt *peer, tally_error *error)
{
    const wire_facts *f = &peer->facts;
    if (!peer->has_facts)
        return refuse(error, "receipt: facts are missing");
    if (f->has_ledger != s->peer_hello.keeps_ledger)
        return refuse(error, "receipt: ledger is not what hello 1 said of it");
    if (f->has_result != peer_learns(s))
        return refuse(error, "receipt: result is not what the terms say of it");
    if ((f->share != WIRE_SHARE_UNSAID) != says_share(s, other_role(s)))
        return refuse(error, "receipt: share is missing, or said by the wrong side");
    if (f->without_consent && (s->role == TALLY_RECEIVER || !has_consent(s)))
        return refuse(error, "receipt: without_consent where no consent was agreed");
    return TALLY_OK;
}

/* The peer's digest and signature against the text made here. */
static tally_status take_signature(tally_session *s, const wire_receipt *peer, tally_error *error)
{
    size_t side = s->role == TALLY_RECEIVER; /* the peer's: sender 1, receiver 0 */
    if (!peer->has_digest || memcmp(peer->digest32, s->receipt.digest32, sizeof peer->digest32) != 0)
        return refuse(error, "receipt: the other side's text is another");
    if (peer->has_signature != s->peer_hello.signs)
        return refuse(error, peer->has_signature ? "receipt: signature without a key"
                                                 : "receipt: signature is missing");
    if (!peer->has_signature)
        return TALLY_OK;
    tally_status st = party_receipt_verify(s->receipt.text, &s->receipt_run.side[side], peer->signature64);
    if (st == TALLY_ERR_DIFFERS)
        return refuse(error, "receipt: signature does not fit");
    if (st)
        return party_fail(error, st, "the signature of the receipt could not be verified");
    memcpy(s->receipt.signature64[side], peer->signature64, sizeof peer->signature64);
    s->receipt.has_signature[side] = 1;
    return TALLY_OK;
}

/* This side's digest and signature into a message. */
static tally_status put_signature(tally_session *s, wire_receipt *own, tally_error *error)
{
    size_t side = s->role == TALLY_SENDER;
    own->has_digest = 1;
    memcpy(own->digest32, s->receipt.digest32, sizeof own->digest32);
    if (!s->receipt_run.side[side].signs)
        return TALLY_OK;
    tally_status st = party_receipt_sign(&s->receipt, side, s->identity);
    own->has_signature = !st;
    memcpy(own->signature64, s->receipt.signature64[side], sizeof own->signature64);
    return st ? party_fail(error, st, "the receipt could not be signed") : TALLY_OK;
}

static tally_status exchange_done(tally_session *s, party_run *run, tally_error *error)
{
    party_frame frame;
    uint64_t first, units;
    tally_status st = TALLY_OK;
    if (s->role == TALLY_RECEIVER)
        st = party_link_send(s->link, WIRE_DONE, party_link_buffer(0), 0, error);
    if (!st)
        st = party_receive(run, &frame, &first, &units, error);
    if (st)
        return st;
    party_frame_free(&frame);
    if (s->role == TALLY_SENDER)
        st = party_link_send(s->link, WIRE_DONE, party_link_buffer(0), 0, error);
    /* Written out by the graceful close. The peer may close as soon as it has read it: that is no failure. */
    return st;
}

static tally_status settle_receiver(tally_session *s, party_run *run, const wire_facts *facts,
                                    tally_error *error)
{
    wire_receipt told = {.has_facts = 1, .facts = *facts}, signature = {.has_facts = 0},
                 peer = {.has_facts = 0};
    tally_status st = send_receipt(s, &told, error);
    if (!st)
        st = receive_receipt(run, &peer, error);
    if (!st)
        st = judge_facts(s, &peer, error);
    if (!st)
        st = write_receipt(s, facts, &peer.facts, error);
    if (!st)
        st = take_signature(s, &peer, error);
    if (!st)
        st = put_signature(s, &signature, error);
    return st ? st : send_receipt(s, &signature, error);
}

static tally_status settle_sender(tally_session *s, party_run *run, const wire_facts *facts,
                                  tally_error *error)
{
    wire_receipt own = {.has_facts = 1, .facts = *facts}, peer = {.has_facts = 0},
                 signature = {.has_facts = 0};
    tally_status st = receive_receipt(run, &peer, error);
    if (!st)
        st = judge_facts(s, &peer, error);
    if (!st)
        st = write_receipt(s, facts, &peer.facts, error);
    if (!st)
        st = put_signature(s, &own, error);
    if (!st)
        st = send_receipt(s, &own, error);
    if (!st)
        st = receive_receipt(run, &signature, error);
    if (!st && signature.has_facts)
        st = refuse(error, "receipt: facts come twice");
    return st ? st : take_signature(s, &signature, error);
}

tally_status party_settle(tally_session *s, party_run *run, tally_error *error)
{
    wire_facts own;
    /* The figures are asked for here and then not until the run is on record. */
    s->aggregate.done = 1;
    tally_status st = own_facts(s, &own, error);
    s->aggregate.done = 0;
    if (!st)
        st = s->role == TALLY_RECEIVER ? settle_receiver(s, run, &own, error)
                                       : settle_sender(s, run, &own, error);
    if (!st)
        st = exchange_done(s, run, error);
    if (st)
        return st;
    const wire_facts *peer = &s->receipt_run.side[s->role == TALLY_RECEIVER].facts;
    if (!s->share)
        s->share = peer->share;
    int64_t apart = peer->time - own.time;
    if (apart > CLOCKS_APART_S || apart < -CLOCKS_APART_S)
        party_log(s, 0, "the clocks of the two sides are %" PRId64 " minutes apart",
                  (apart < 0 ? -apart : apart) / 60);
    return TALLY_OK;
}
