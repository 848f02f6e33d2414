/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as the caller gives it -> forecasts of every protocol that can do it -> JSON (docs/sizing.md). */
#include "party/error.h"
#include "party/estimate.h"
#include "party/pool.h"
#include "party/summary.h"

#include <stdio.h>
#include <string.h>

enum { SIDES = 2 };
static const char *const side_names[SIDES] = {"receiver", "sender"};

static tally_status usage(tally_error *error, const char *what)
{
    return party_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, what);
}

static int below(double v, double most)
{
    return v >= 0 && v <= most; /* not a NaN either */
}

static tally_status advise(tally_error *error, const char *what, const char *hint)
{
    party_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, what);
    party_hint(error, PARTY_WHOLE, hint);
    return TALLY_ERR_USAGE;
}

tally_status tally_plan_check(const tally_plan *p, tally_error *error)
{
    if (p->role != TALLY_RECEIVER && p->role != TALLY_SENDER)
        return usage(error, "the plan has no role: receiver or sender");
    if (p->function != TALLY_MATCH && p->function != TALLY_COUNT && p->function != TALLY_SUM)
        return usage(error, "the plan's function is neither match nor count nor sum");
    if (p->protocol != TALLY_AUTO && p->protocol != TALLY_ECDH && p->protocol != TALLY_VOLE)
        return usage(error, "the plan's protocol is neither ecdh nor vole nor auto");
    if (p->security && p->security != TALLY_SEMI_HONEST && p->security != TALLY_MALICIOUS)
        return usage(error, "the plan's security model is neither semi-honest nor malicious");
    if (p->scheme != TALLY_SCHEME_AUTO && p->scheme != TALLY_SCHEME_RLWE &&
        p->scheme != TALLY_SCHEME_PAILLIER)
        return usage(error, "the plan's scheme is neither rlwe nor paillier nor auto");
    if (p->reveal && (p->reveal < TALLY_REVEAL_RECEIVER || p->reveal > TALLY_REVEAL_BOTH))
        return usage(error, "the result can be revealed to the receiver, the sender or both");
    if (p->function == TALLY_MATCH && p->reveal == TALLY_REVEAL_SENDER)
        return usage(error, "the result of a match can be revealed to the receiver or to both");
    if (p->value_count > TALLY_PLAN_VALUES || (p->function == TALLY_SUM) != (p->value_count > 0))
        return usage(error, "a sum has 1 to 16 values, another function none");
    for (size_t i = 0; i < p->value_count; i++)
        if (p->values[i].min > p->values[i].max || p->values[i].min <= -(1LL << WIRE_VALUE_BITS) ||
            p->values[i].max >= 1LL << WIRE_VALUE_BITS)
            return usage(error, "the range of a value is empty or beyond 2^48");
    if (p->function != TALLY_MATCH && p->security == TALLY_MALICIOUS)
        return advise(error, "counts and sums hold against semi-honest peers only",
                      "plan them with security semi-honest, or plan a match");
    if (p->protocol == TALLY_VOLE && (p->security == TALLY_MALICIOUS || p->function != TALLY_MATCH))
        return advise(error, "vole is for semi-honest matches",
                      "plan it with the protocol ecdh, or with all that can do it by naming none");
    if (p->min_overlap && p->function == TALLY_MATCH)
        return advise(error, "a minimum overlap is for counts and sums, and for matches with columns",
                      "a plan has no columns of a match; plan it without the minimum");
    if (p->scheme != TALLY_SCHEME_AUTO && p->function != TALLY_SUM)
        return usage(error, "a scheme is for a sum");
    if (!below(p->bits_per_second, 1e15) || !below(p->received_bits_per_second, 1e15) ||
        !below(p->round_trip_seconds, 3600) || !below(p->row_bytes, 1e6) || p->threads > 256 ||
        p->peer_threads > 256)
        return usage(error, "a figure of the plan is out of bounds");
    return TALLY_OK;
}

static void fill_terms(wire_terms terms[SIDES], const tally_plan *p, enum tally_scheme scheme)
{
    for (int i = 0; i < SIDES; i++) {
        wire_terms *t = &terms[i];
        memset(t, 0, sizeof *t);
        snprintf(t->role, sizeof t->role, "%s", side_names[i]);
        party_terms_words(t, p->function, p->security, p->reveal ? p->reveal : TALLY_REVEAL_RECEIVER, scheme);
        t->min_overlap = p->min_overlap;
    }
    wire_terms *owner = &terms[p->receiver_has_values ? 0 : 1];
    owner->value_count = p->value_count;
    for (size_t i = 0; i < p->value_count; i++) {
        owner->values[i].min = p->values[i].min;
        owner->values[i].max = p->values[i].max;
    }
}

static void fill_place(party_place *place, const tally_plan *p)
{
    unsigned mine = p->role == TALLY_SENDER;
    double row = p->row_bytes > 0 ? p->row_bytes : TALLY_PLAN_ROW_BYTES;
    *place = (party_place){
        .same_machine = p->same_machine, .round_trip = p->round_trip_seconds, .row_bytes = {row, row}};
    place->bits_to[!mine] = p->bits_per_second;
    place->bits_to[mine] = p->received_bits_per_second > 0 ? p->received_bits_per_second : p->bits_per_second;
    place->threads[mine] = p->threads ? p->threads : party_pool_threads(0);
    place->threads[!mine] = p->peer_threads ? p->peer_threads : place->threads[mine];
    place->rows[mine] = p->own_items;
    place->rows[!mine] = p->peer_items;
    place->numbers[p->receiver_has_values ? 0 : 1] = p->value_count;
    place->ledger[0] = place->ledger[1] = 1;
    if (p->function == TALLY_MATCH) {
        place->output[0] = 1;
        place->output[1] = p->reveal == TALLY_REVEAL_BOTH;
    }
}

static json_t *seconds_json(const party_forecast *f)
{
    return json_pack("{s:f, s:f, s:f}", "low", f->low, "expected", f->seconds, "high", f->high);
}

static json_t *side_json(const party_forecast *f, int side)
{
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "cpu_seconds", f->side[side].cpu, "peak_bytes",
                     (json_int_t)f->side[side].peak, "sent_bytes", (json_int_t)f->side[side].sent,
                     "received_bytes", (json_int_t)f->side[!side].sent, "protocol_sent_bytes",
                     (json_int_t)f->side[side].protocol, "protocol_received_bytes",
                     (json_int_t)f->side[!side].protocol, "disk_bytes", (json_int_t)f->side[side].disk);
}

static json_t *stages_json(const party_forecast *f)
{
    static const char *const bounds[] = {"the receiver's computing", "the sender's computing", "the line",
                                         "the delay of the line", "the disk"};
    json_t *stages = json_array();
    for (size_t i = 0; i < f->stages; i++)
        json_array_append_new(stages, json_pack("{s:s, s:f, s:s}", "stage", f->stage[i].name, "seconds",
                                                f->stage[i].seconds, "waits_for", bounds[f->stage[i].bound]));
    return stages;
}

json_t *party_forecast_json(const party_forecast *f, const party_sizes *sizes, unsigned own)
{
    double reading = f->side[own].reading, writing = f->side[own].writing;
    const char *scheme = sizes->aggregate.plan.scheme == PSI_AHE_RLWE ? "rlwe" : "paillier";
    return json_pack("{s:s, s:s?, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f, s:f}}", "protocol",
                     party_protocol_name(sizes->protocol), "scheme",
                     sizes->function == TALLY_SUM ? scheme : NULL, "wall_seconds", seconds_json(f),
                     "receiver", side_json(f, 0), "sender", side_json(f, 1), "stages", stages_json(f),
                     "seconds", "reading", reading, "matching", f->matching, "writing", writing, "total",
                     reading + f->matching + writing);
}

/* One row of the answer. */
static tally_status add(json_t *list, const tally_plan *p, const tally_calibration *c,
                        enum tally_protocol protocol, enum tally_scheme scheme, tally_error *error)
{
    unsigned mine = p->role == TALLY_SENDER;
    wire_terms terms[SIDES];
    party_place place;
    party_forecast forecast;
    party_sizes sizes = {.function = p->function,
                         .protocol = protocol,
                         .active = p->security == TALLY_MALICIOUS,
                         .k = party_vole_k(p->round_trip_seconds),
                         .both = p->reveal == TALLY_REVEAL_BOTH};
    sizes.items[mine] = p->own_items;
    sizes.items[!mine] = p->peer_items;
    fill_terms(terms, p, scheme);
    fill_place(&place, p);
    tally_status st = party_sizes_init(&sizes, terms, error);
    if (!st) {
        party_forecast_run(&forecast, &sizes, &place, c);
        if (json_array_append_new(list, party_forecast_json(&forecast, &sizes, mine)))
            st = party_no_memory(error, "the estimate");
    }
    party_sizes_free(&sizes);
    return st;
}

/* All that can be had; a scheme that cannot hold the figures is left out unless it was asked for. */
static tally_status add_all(json_t *list, const tally_plan *p, const tally_calibration *c, tally_error *error)
{
    tally_status st = TALLY_OK;
    if (p->function == TALLY_MATCH) {
        if (p->protocol != TALLY_ECDH && p->security != TALLY_MALICIOUS)
            st = add(list, p, c, TALLY_VOLE, TALLY_SCHEME_AUTO, error);
        if (!st && p->protocol != TALLY_VOLE)
            st = add(list, p, c, TALLY_ECDH, TALLY_SCHEME_AUTO, error);
        return st;
    }
    if (p->function == TALLY_COUNT)
        return add(list, p, c, TALLY_ECDH, TALLY_SCHEME_AUTO, error);
    for (enum tally_scheme s = TALLY_SCHEME_RLWE; s <= TALLY_SCHEME_PAILLIER; s++) {
        if (p->scheme != TALLY_SCHEME_AUTO && p->scheme != s)
            continue;
        st = add(list, p, c, TALLY_ECDH, s, error);
        if (st && p->scheme == s)
            return st;
    }
    return json_array_size(list) ? TALLY_OK : st;
}

char *tally_estimate_json(const tally_calibration *c, const tally_plan *p, tally_error *error)
{
    static const char *const functions[] = {
        [TALLY_MATCH] = "match", [TALLY_COUNT] = "count", [TALLY_SUM] = "sum"};
    if (tally_plan_check(p, error))
        return NULL;
    json_t *list = json_array();
    if (add_all(list, p, c, error)) {
        json_decref(list);
        return NULL;
    }
    const char *why;
    double back = p->received_bits_per_second > 0 ? p->received_bits_per_second : p->bits_per_second;
    enum tally_protocol chosen = party_choose(TALLY_AUTO, p->function, p->security == TALLY_MALICIOUS,
                                              p->own_items, p->peer_items, &why);
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:{s:f, s:f, s:f}, s:{s:s, s:I, s:b}}", "function",
                  functions[p->function], "role", side_names[p->role == TALLY_SENDER], "security",
                  p->security == TALLY_MALICIOUS ? "malicious" : "semi-honest", "protocols", list, "auto",
                  party_protocol_name(chosen), "because", why, "line", "bits_per_second", p->bits_per_second,
                  "received_bits_per_second", back, "round_trip_seconds", p->round_trip_seconds,
                  "calibration", "processor", c->processor, "measured", (json_int_t)c->measured,
                  "fits_this_machine", tally_calibration_fits(c));
    char *text = party_json_text(all);
    if (!text)
        party_no_memory(error, "the estimate");
    return text;
}
