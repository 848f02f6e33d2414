/* SPDX-License-Identifier: Apache-2.0 */
#include "party/entry.h"

#include "party/error.h"
#include "party/figures.h"
#include "party/held.h"
#include "party/identity.h"
#include "party/input.h"
#include "party/summary.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "psi/sketch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- JSON ---- */

static json_t *hex(const uint8_t *bytes, size_t len)
{
    char text[129] = "";
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

/* json_string refuses what is not UTF-8: messages of the system may hold anything. */
static json_t *text(const char *value)
{
    json_t *j = json_string(value);
    char printable[600];
    if (j)
        return j;
    party_printable(printable, sizeof printable, value);
    return json_string(printable);
}

/* "" where it is not known: no agreement, or an identity of neither party. */
static const char *organisation(const tally_session *s, int own)
{
    if (!s->agreement || s->own_party >= PARTY_SIGNATURES)
        return "";
    return tally_agreement_organisation(s->agreement, own ? s->own_party : !s->own_party);
}

static json_t *peer_json(const tally_session *s)
{
    return json_pack("{s:s, s:s, s:o, s:s}", "organisation", organisation(s, 0), "fingerprint", s->peer_pin,
                     "subject", text(s->peer_subject), "software", s->peer_hello.software);
}

static json_t *input_json(const tally_session *s)
{
    tally_input_stats stats;
    size_t declared;
    tally_input_get_stats(s->input, &stats);
    party_input_items(s->input, &declared);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rows", (json_int_t)stats.rows, "accepted",
                     (json_int_t)stats.accepted, "items", (json_int_t)stats.items, "declared",
                     (json_int_t)declared, "duplicates", (json_int_t)(stats.accepted - stats.items),
                     "rejected", (json_int_t)(stats.rejected - stats.without_consent), "without_consent",
                     (json_int_t)stats.without_consent, "clipped", (json_int_t)stats.clipped);
}

/* What was asked. */
static json_t *asked_json(const tally_session *s)
{
    static const char *const functions[] = {
        [TALLY_MATCH] = "match", [TALLY_COUNT] = "count", [TALLY_SUM] = "sum"};
    static const char *const roles[] = {"", [TALLY_RECEIVER] = "receiver", [TALLY_SENDER] = "sender"};
    const tally_agreement *a = s->agreement;
    json_t *list = json_null();
    if (s->committed)
        list = json_pack("{s:o, s:o}", "commitment", hex(s->list_commitment, 32), "opening",
                         hex(s->list_opening, 32));
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:o, s:o, s:o, s:o, s:s}", "v", 1,
        "run_id", s->run_id, "role", roles[s->role], "function", functions[s->function], "protocol",
        party_protocol_name(s->protocol), "security",
        s->security == TALLY_MALICIOUS ? "malicious" : "semi-honest", "reveal_to",
        s->reveal == TALLY_REVEAL_BOTH     ? "both"
        : s->reveal == TALLY_REVEAL_SENDER ? "sender"
                                           : "receiver",
        "organisation", organisation(s, 1), "identity", s->identity ? s->identity->fingerprint : "",
        "agreement", a ? tally_agreement_digest(a) : NULL, "agreement_name",
        a ? party_agreed_text(a, AGREED_NAME, 0) : "", "zone",
        a ? party_agreed_text(a, AGREED_TIME_ZONE, 0) : "UTC", "peer", peer_json(s), "terms",
        party_terms_json(s), "input", input_json(s), "list", list, "ledger", s->ledger ? "kept" : "bypassed");
}

static json_t *both_ways(uint64_t sent, uint64_t received)
{
    return json_pack("{s:I, s:I}", "sent", (json_int_t)sent, "received", (json_int_t)received);
}

/* total: on the line, with what TLS adds. */
static json_t *traffic_json(const tally_session *s)
{
    const party_traffic *t = &s->traffic;
    return json_pack("{s:o, s:o, s:o, s:o}", "greeting",
                     both_ways(t->sent[PARTY_GREETING], t->received[PARTY_GREETING]), "protocol",
                     both_ways(t->sent[PARTY_PROTOCOL], t->received[PARTY_PROTOCOL]), "receipt",
                     both_ways(t->sent[PARTY_SETTLING], t->received[PARTY_SETTLING]), "total",
                     both_ways(s->bytes_sent, s->bytes_received));
}

static json_t *receipt_json(const tally_session *s)
{
    const party_receipt *r = &s->receipt;
    if (!*r->text)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "text", r->text, "receiver",
                     hex(r->signature64[0], r->has_signature[0] ? 64 : 0), "sender",
                     hex(r->signature64[1], r->has_signature[1] ? 64 : 0));
}

/* What the protocol may have shown to either side: any frame from which a result follows was sent or taken.
 */
int party_disclosed(const tally_session *s)
{
    static const uint8_t tells[] = {WIRE_ECDH_REPLY, WIRE_ECDH_SENDER, WIRE_OPRF_TAGS,   WIRE_VOLE_TAGS,
                                    WIRE_MATCHED,    WIRE_CONFIRM,     WIRE_AGG_TAGS,    WIRE_AGG_OTHER,
                                    WIRE_AGG_COUNT,  WIRE_AGG_SUMS,    WIRE_AGG_FIGURES, WIRE_AGG_SIZES,
                                    WIRE_AGG_MERGED, WIRE_RECEIPT,     WIRE_DONE};
    for (size_t i = 0; i < sizeof tells; i++)
        if (s->traffic.types >> tells[i] & 1)
            return 1;
    return 0;
}

static void add_result(json_t *body, const tally_session *s, int good)
{
    const wire_facts *own = &s->receipt_run.side[s->role == TALLY_SENDER].facts;
    json_t *result = json_null(), *matched = json_null(), *figures = json_null();
    if (good && s->result_text) {
        result = json_pack("{s:o, s:o, s:s}", "commitment", hex(own->result32, 32), "opening",
                           hex(s->result_opening, 32), "value", s->result_text);
        if (s->function == TALLY_MATCH)
            matched = json_integer((json_int_t)s->matched.count);
        else
            figures = party_figures_json(s);
        if (!figures)
            figures = json_null();
    }
    json_object_set_new(body, "result", result);
    json_object_set_new(body, "matched", matched);
    json_object_set_new(body, "figures", figures);
    json_object_set_new(body, "share_exceeded",
                        s->share ? json_boolean(s->share == WIRE_SHARE_EXCEEDED) : json_null());
}

/* How it ended. */
static json_t *ended_json(const tally_session *s, const tally_error *outcome)
{
    const double *t = s->seconds;
    const char *session = s->session_number;
    json_t *body = json_pack(
        "{s:i, s:s, s:i, s:o, s:o, s:s?, s:s, s:o, s:I, s:b, s:o, s:{s:f, s:f, s:f, s:f}, s:s, s:o}", "v", 1,
        "status", tally_status_name(outcome->status), "exit_status", tally_exit_status(outcome->status),
        "message", text(outcome->message), "hint", text(outcome->hint), "session", *session ? session : NULL,
        "protocol", party_protocol_name(s->chosen), "peer", peer_json(s), "peer_items",
        (json_int_t)s->peer_items, "disclosed", party_disclosed(s), "bytes", traffic_json(s), "seconds",
        "reading", t[PARTY_READING], "waiting", t[PARTY_WAITING], "matching", t[PARTY_MATCHING], "writing",
        t[PARTY_WRITING], "learned", s->learned, "receipt", receipt_json(s));
    if (body)
        add_result(body, s, outcome->status == TALLY_OK);
    return body;
}

/* ---- Records ---- */

static void fill(const tally_session *s, enum party_record_kind kind, party_record *out)
{
    size_t count = 0;
    const char *peer = *organisation(s, 0) ? organisation(s, 0) : s->peer_pin;
    party_input_items(s->input, &count);
    *out = (party_record){.kind = kind,
                          .run = s->run_number,
                          .time = kind == PARTY_INTENT ? s->began : (int64_t)time(NULL),
                          .day = s->today,
                          .function = s->function,
                          .role = s->role,
                          .items = count,
                          .peer_items = s->peer_items};
    snprintf(out->agreement, sizeof out->agreement, "%s",
             s->agreement ? tally_agreement_digest(s->agreement) : "");
    snprintf(out->peer, sizeof out->peer, "%s", peer);
}

static char *dump(json_t *body)
{
    char *out = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(body);
    return out;
}

tally_status party_entry_begin(tally_session *s, tally_error *error)
{
    party_record record;
    party_limits limits;
    enum party_agreed_id broken = AGREED_FIELDS;
    if (!s->ledger)
        return TALLY_OK;
    fill(s, PARTY_INTENT, &record);
    if (s->agreement)
        party_hold_limits(s, &limits);
    record.sketch = s->sketch;
    record.sketch_len = s->sketch ? s->sketch_len : 0;
    char *body = dump(asked_json(s));
    if (!body)
        return party_no_memory(error, "a record of the ledger");
    record.body = body;
    record.body_len = strlen(body);
    tally_status st = party_ledger_begin(s->ledger, s->identity, s->agreement, s->agreement ? &limits : NULL,
                                         &record, &s->run_number, s->ledger_root, &broken, error);
    free(body);
    if (st != TALLY_ERR_POLICY || broken >= AGREED_FIELDS)
        return st;
    st = party_breach(s, broken, error);
    if (broken == AGREED_MIN_OVERLAP)
        s->breached = 0; /* that this list is nearly an earlier one is nothing for the other side */
    return st;
}

tally_status party_entry_end(tally_session *s, const tally_error *outcome, tally_error *error)
{
    party_record record;
    if (!s->ledger)
        return TALLY_OK;
    fill(s, s->run_number ? PARTY_OUTCOME : PARTY_REFUSED, &record);
    record.status = tally_exit_status(outcome->status);
    record.disclosed = party_disclosed(s);
    json_t *ended = ended_json(s, outcome), *all = ended;
    if (ended && record.kind == PARTY_REFUSED) {
        all = asked_json(s);
        if (all && json_object_update(all, ended)) {
            json_decref(all);
            all = NULL;
        }
        json_decref(ended);
    }
    char *body = dump(all);
    if (!body)
        return party_no_memory(error, "a record of the ledger");
    record.body = body;
    record.body_len = strlen(body);
    tally_status st = party_ledger_end(s->ledger, s->identity, &record, error);
    free(body);
    return st;
}
