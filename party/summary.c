/* SPDX-License-Identifier: Apache-2.0 */
/* What a run reports: numbers, the closing sentence, the summary as JSON (docs/summary.md), versions. No
 * identifier in any of it. */
#include "party/summary.h"
#include "party/agreement.h"
#include "party/entry.h"
#include "party/error.h"
#include "party/estimate.h"
#include "party/figures.h"
#include "party/input.h"
#include "party/pad.h"
#include "party/usage.h"
#include "psi/expand.h"
#include "psi/gf128.h"
#include "psi/group.h"
#include "psi/rlwe_ring.h"
#include "psi/rowhash.h"
#include "psi/sha256.h"
#include "psi/subspace.h"

#include <gmp.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <protobuf-c/protobuf-c.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>
#include <yaml.h>

const char *tally_version(void)
{
    return TALLY_VERSION;
}

static json_t *versions(void)
{
    return json_pack(
        "{s:s, s:{s:i, s:i}, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s}}",
        "tally", TALLY_VERSION, "protocol", "min", WIRE_VERSION_MIN, "max", WIRE_VERSION_MAX, "libraries",
        "openssl", OpenSSL_version(OPENSSL_VERSION_STRING), "libsodium", sodium_version_string(),
        "protobuf-c", protobuf_c_version(), "utf8proc", utf8proc_version(), "jansson", JANSSON_VERSION, "gmp",
        gmp_version, "libyaml", yaml_get_version_string(), "backends", "group", psi_group()->name, "sha512",
        psi_expand_name(psi_expand()), "streams", psi_subspace()->name, "rows", psi_rowhash()->name, "sha256",
        psi_sha256_lanes()->name, "shares", psi_gf128_lanes()->name, "polynomials", psi_rlwe_ring()->name);
}

char *party_json_text(json_t *j)
{
    char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(j);
    return text;
}

json_t *party_backends_json(void)
{
    json_t *all = versions(), *backends = json_incref(json_object_get(all, "backends"));
    json_decref(all);
    return backends;
}

char *tally_version_json(void)
{
    return party_json_text(versions());
}

const char *tally_status_name(tally_status status)
{
    switch (status) {
    case TALLY_OK:
        return "ok";
    case TALLY_IN_PROGRESS:
        return "in progress";
    case TALLY_ERR_USAGE:
        return "usage";
    case TALLY_ERR_INCOMPATIBLE:
        return "incompatible peer";
    case TALLY_ERR_INPUT:
        return "input data";
    case TALLY_ERR_POLICY:
        return "policy refused";
    case TALLY_ERR_AUTH:
        return "authentication";
    case TALLY_ERR_NETWORK:
        return "network";
    case TALLY_ERR_FILE:
        return "local file";
    case TALLY_ERR_MALFORMED:
        return "malformed peer message";
    case TALLY_ERR_INTERRUPTED:
        return "interrupted";
    case TALLY_ERR_NO_MEMORY:
        return "out of memory";
    case TALLY_ERR_DIFFERS:
        return "verification differs";
    case TALLY_ERR_INTERNAL:
        return "internal";
    case TALLY_ERR_INPUT_CHANGED:
        return "input changed";
    case TALLY_ERR_TIMEOUT:
        return "timeout";
    case TALLY_ERR_PEER_STOPPED:
        return "peer stopped";
    case TALLY_ERR_RANDOM:
        return "random generator";
    }
    return "unknown";
}

int tally_exit_status(tally_status status)
{
    return -(int)status % 100;
}

void tally_session_get_result(const tally_session *s, tally_result *out)
{
    size_t own = 0;
    if (s->input)
        own = party_input_real(s->input);
    *out = (tally_result){.own_items = own,
                          .peer_items = s->peer_items,
                          .bytes_sent = s->bytes_sent,
                          .bytes_received = s->bytes_received,
                          .learns_matches = party_learns_matches(s),
                          .learns_figures = party_figures_learned(s),
                          .run = s->run_number,
                          .disclosed = party_disclosed(s),
                          .share_exceeded = s->share == WIRE_SHARE_EXCEEDED};
    if (s->ran && s->outcome.status == TALLY_OK && out->learns_matches) {
        out->matched_items = s->matched.count;
        out->matched_rows = s->matched_rows;
    }
    if (party_figures_learned(s))
        out->matched_items =
            (uint64_t)(party_figures_count(&s->aggregate) > 0 ? party_figures_count(&s->aggregate) : 0);
}

const char *tally_session_learned(const tally_session *s)
{
    return *s->learned_local ? s->learned_local : s->learned;
}

void party_say(party_sentence *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_render(s->text + s->used, s->size - s->used, s->local, format, args);
    va_end(args);
    s->used += strlen(s->text + s->used);
}

/* What went with the matches, behind the sentence. */
static void add_columns_sentence(const tally_session *session, party_sentence *s)
{
    const party_form *f = &session->form;
    size_t left = f->count;
    if (!left)
        return;
    party_say(s, session->role == TALLY_RECEIVER
                     ? " With each match this side received columns of the other side's rows: "
                     : " With each match the other side received columns of this side's rows: ");
    for (size_t c = 0; c < f->count && s->used + strlen(f->columns[c].name) + 24 < s->size; c++, left--) {
        if (c)
            party_say(s, ", ");
        party_say(s, "%s", f->columns[c].name);
    }
    if (left)
        party_say(s, " and %zu more", left);
    party_say(s, ".");
    if (f->minimum)
        party_say(s, " Fewer than %" PRIu32 " matching identifiers would have opened none of them.",
                  f->minimum);
}

/* What the receipt tells both, behind all else. */
static void add_receipt_sentence(const tally_session *session, party_sentence *s)
{
    const party_receipt_side *receiver = &session->receipt_run.side[0];
    if (session->share)
        party_say(s,
                  session->share == WIRE_SHARE_EXCEEDED
                      ? " Both sides learned that more of the receiver's list matched than the agreed share."
                      : " Both sides learned that no more of the receiver's list matched than the agreed "
                        "share.");
    if (receiver->facts.without_consent)
        party_say(
            s, " The receipt says that %" PRIu64 " rows of the receiver were left out for want of consent.",
            receiver->facts.without_consent);
}

static void match_sentence(const tally_session *session, party_sentence *s)
{
    tally_result r;
    size_t declared;
    party_input_items(session->input, &declared);
    tally_session_get_result(session, &r);
    if (session->reveal == TALLY_REVEAL_BOTH)
        party_say(s,
                  "Both sides learned which of their own identifiers are on the other's list (%" PRIu64
                  ") and the size of the "
                  "other's list: %" PRIu64 " here, %" PRIu64 " there.",
                  r.matched_items, (uint64_t)declared, r.peer_items);
    else if (session->role == TALLY_RECEIVER)
        party_say(s,
                  "This side learned which of its %" PRIu64
                  " identifiers are on the other side's list (%" PRIu64
                  ") and that the other list has %" PRIu64
                  "; the other side learned only that this list has %" PRIu64 ".",
                  r.own_items, r.matched_items, r.peer_items, (uint64_t)declared);
    else
        party_say(s,
                  "The other side learned which of its %" PRIu64
                  " identifiers are on this side's list and that this list "
                  "has %" PRIu64 "; this side learned only that the other list has %" PRIu64 ".",
                  r.peer_items, (uint64_t)declared, r.peer_items);
    add_columns_sentence(session, s);
}

static void learned_sentence(const tally_session *session, party_sentence *s)
{
    if (session->function == TALLY_MATCH)
        match_sentence(session, s);
    else
        party_figures_sentence(session, s);
    add_receipt_sentence(session, s);
}

/* The English one is recorded. */
void party_learned_sentence(tally_session *s)
{
    learned_sentence(s, &(party_sentence){s->learned, sizeof s->learned, 0, 0});
    if (party_translates())
        learned_sentence(s, &(party_sentence){s->learned_local, sizeof s->learned_local, 0, 1});
}

static json_t *input_json(const tally_session *s)
{
    tally_input_stats stats = {0};
    json_t *rejects = json_object();
    if (s->input)
        tally_input_get_stats(s->input, &stats);
    for (size_t i = 0; tally_reject_name(i); i++)
        if (stats.by_reason[i])
            json_object_set_new(rejects, tally_reject_name(i),
                                json_pack("{s:I, s:I}", "rows", (json_int_t)stats.by_reason[i], "first_line",
                                          (json_int_t)stats.first_line[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "rows", (json_int_t)stats.rows, "accepted",
                     (json_int_t)stats.accepted, "items", (json_int_t)stats.items, "duplicates",
                     (json_int_t)(stats.accepted - stats.items), "rejected", (json_int_t)stats.rejected,
                     "without_consent", (json_int_t)stats.without_consent, "clipped",
                     (json_int_t)stats.clipped, "rejects", rejects);
}

static json_t *offer_json(const wire_terms *t)
{
    json_t *list = json_array();
    for (size_t c = 0; c < t->column_count; c++)
        json_array_append_new(
            list, json_pack("{s:s, s:i}", "column", t->columns[c].name, "width", (int)t->columns[c].width));
    return list;
}

static json_t *want_json(const wire_terms *t)
{
    json_t *list = json_array();
    for (size_t c = 0; c < t->column_count; c++)
        json_array_append_new(list, json_string(t->columns[c].name));
    return list;
}

static json_t *values_json(const wire_terms *t)
{
    json_t *list = json_array();
    for (size_t k = 0; k < t->value_count; k++) {
        const wire_value *v = &t->values[k];
        char min[PSI_AGG_TEXT], max[PSI_AGG_TEXT];
        psi_agg_sum_text(min, v->min, v->scale);
        psi_agg_sum_text(max, v->max, v->scale);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i}", "column", v->name, "min", min, "max",
                                              max, "scale", (int)v->scale));
    }
    return list;
}

static json_t *bands_json(const wire_terms *t)
{
    json_t *list = json_array();
    for (size_t k = 0; k < t->band_count; k++) {
        json_t *edges = json_array();
        for (size_t i = 0; i < t->bands[k].count; i++) {
            char edge[PSI_AGG_TEXT];
            psi_agg_sum_text(edge, t->bands[k].edges[i], t->bands[k].scale);
            json_array_append_new(edges, json_string(edge));
        }
        json_array_append_new(list, json_pack("{s:s, s:o}", "column", t->bands[k].name, "edges", edges));
    }
    return list;
}

static const char *scheme_used(const tally_session *s)
{
    const party_aggregate *a = &s->aggregate;
    if (!a->figures)
        return s->terms.scheme;
    return a->plan.scheme == PSI_AHE_RLWE ? "rlwe" : "paillier";
}

/* What counts and sums have besides. */
static void add_aggregate_terms(json_t *terms, const tally_session *s)
{
    const wire_terms *mine = &s->terms, *theirs = &s->peer_hello.terms;
    int owner = mine->value_count > 0;
    json_object_set_new(terms, "min_overlap", json_integer((json_int_t)mine->min_overlap));
    if (s->function == TALLY_MATCH)
        return;
    json_object_set_new(terms, "epsilon",
                        mine->epsilon_micro ? json_real((double)mine->epsilon_micro / 1e6) : json_null());
    json_object_set_new(terms, "dummies", json_integer((json_int_t)mine->dummies));
    if (s->function != TALLY_SUM)
        return;
    json_object_set_new(terms, "scheme", json_string(scheme_used(s)));
    json_object_set_new(terms, "duplicates", json_string(owner ? mine->duplicates : theirs->duplicates));
    json_object_set_new(terms, "values", values_json(owner ? mine : theirs));
    json_object_set_new(terms, "bands", bands_json(owner ? mine : theirs));
    json_object_set_new(terms, "bands_of_the_adder", bands_json(owner ? theirs : mine));
}

json_t *party_terms_json(const tally_session *s)
{
    json_t *keys = json_array();
    for (size_t k = 0; k < s->terms.key_count; k++)
        json_array_append_new(keys, json_string(s->terms.keys[k]));
    int sender = s->role == TALLY_SENDER;
    const wire_terms *theirs = &s->peer_hello.terms;
    json_t *terms = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:i}", "role", s->terms.role, "function", s->terms.function,
        "protocol", party_protocol_name(s->chosen ? s->chosen : s->protocol), "security", s->terms.security,
        "reveal_to", s->terms.reveal, "keys", keys, "offer", offer_json(sender ? &s->terms : theirs), "want",
        want_json(sender ? theirs : &s->terms), "rows_per_person", (int)s->terms.rows_per_person);
    if (terms)
        add_aggregate_terms(terms, s);
    return terms;
}

/* Seconds by phase. */
static json_t *phases_json(const double *t)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "reading", t[PARTY_READING], "waiting", t[PARTY_WAITING],
                     "matching", t[PARTY_MATCHING], "writing", t[PARTY_WRITING], "total",
                     t[PARTY_READING] + t[PARTY_WAITING] + t[PARTY_MATCHING] + t[PARTY_WRITING]);
}

/* How much of the own line is read, and what is known of the line. */
static void fill_place(party_place *place, const tally_session *s, const party_line **line)
{
    unsigned own = s->role == TALLY_SENDER ? PARTY_AT_SENDER : PARTY_AT_RECEIVER;
    tally_input_stats stats;
    tally_input_get_stats(s->input, &stats);
    const wire_terms *terms[2] = {own ? &s->peer_hello.terms : &s->terms,
                                  own ? &s->terms : &s->peer_hello.terms};
    *place = (party_place){.same_machine = s->on_this_machine, .round_trip = s->round_trip};
    *line = party_calibration_line(s->calibration, s->peer_pin);
    if (*line) {
        place->bits_to[!own] = (*line)->sent_bits;
        place->bits_to[own] = (*line)->received_bits;
        place->round_trip = (*line)->round_trip;
    }
    for (unsigned side = 0; side < 2; side++) {
        place->threads[side] = party_pool_threads(s->threads);
        place->rows[side] = side == own ? stats.rows : s->peer_items;
        place->row_bytes[side] = stats.rows ? (double)party_input_bytes(s->input) / (double)stats.rows : 0;
        place->numbers[side] = terms[side]->value_count;
    }
    place->output[own] = s->output_path != NULL;
    place->ledger[own] = s->ledger != NULL;
}

/* What this run should have taken, as far as it was known when it began; null without a calibration, and
 * before hello 2. */
static json_t *predicted_json(const tally_session *s)
{
    party_sizes sizes;
    party_place place;
    party_forecast forecast;
    const party_line *line;
    if (!s->calibration || !s->chosen)
        return json_null();
    tally_status st = party_sizes_of(&sizes, s, NULL);
    if (!st) {
        fill_place(&place, s, &line);
        party_forecast_run(&forecast, &sizes, &place, s->calibration);
    }
    json_t *all = st ? json_null() : party_forecast_json(&forecast, &sizes, s->role == TALLY_SENDER);
    party_sizes_free(&sizes);
    if (!st)
        json_object_set_new(all, "line",
                            json_string(line                 ? "measured"
                                        : s->on_this_machine ? "this machine"
                                                             : "not measured"));
    return all;
}

char *tally_session_summary_json(const tally_session *s)
{
    tally_result r;
    tally_session_get_result(s, &r);
    json_t *result = party_figures_json(s);
    if (s->ran && s->outcome.status == TALLY_OK && r.learns_matches)
        result =
            json_pack("{s:I, s:I}", "items", (json_int_t)r.matched_items, "rows", (json_int_t)r.matched_rows);
    if (!result)
        result = json_null();
    json_t *agreement = json_null();
    if (s->agreement)
        agreement = json_pack("{s:s, s:s}", "digest", tally_agreement_digest(s->agreement), "name",
                              party_agreed_text(s->agreement, AGREED_NAME, 0));
    json_t *warnings = json_array();
    for (size_t i = 0; i < s->warning_count; i++)
        json_array_append_new(warnings, json_string(s->warnings[i]));
    return party_json_text(json_pack(
        "{s:o, s:{s:I, s:b}, s:{s:s, s:i, s:s, s:s}, s:o, s:o, s:{s:I, s:s, s:s, s:s}, s:o, "
        "s:{s:I, s:I, s:I, s:I}, s:o, s:o, s:I, s:o, s:s, s:o, s:o}",
        "agreement", agreement, "ledger", "run", (json_int_t)s->run_number, "receipt", *s->receipt.text != 0,
        "outcome", "status", tally_status_name(s->outcome.status), "exit_status",
        tally_exit_status(s->outcome.status), "message", s->outcome.message, "hint", s->outcome.hint, "terms",
        party_terms_json(s), "input", input_json(s), "peer", "items", (json_int_t)r.peer_items, "fingerprint",
        s->peer_pin, "subject", s->peer_subject, "software", s->peer_hello.software, "result", result,
        "bytes", "sent", (json_int_t)r.bytes_sent, "received", (json_int_t)r.bytes_received, "protocol_sent",
        (json_int_t)s->traffic.sent[PARTY_PROTOCOL], "protocol_received",
        (json_int_t)s->traffic.received[PARTY_PROTOCOL], "seconds", phases_json(s->seconds), "cpu_seconds",
        phases_json(s->cpu_seconds), "peak_memory_bytes", (json_int_t)party_peak_bytes(), "predicted",
        predicted_json(s), "learned", s->learned, "warnings", warnings, "versions", versions()));
}
