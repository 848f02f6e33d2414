/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of an agreement that have to go together. Rules about a run are those of the session: the agreement
 * is made into the settings of both sides, which are checked, and compared, as before a run. So an agreement
 * allows nothing that the command would refuse.
 */
#include "party/agreement.h"

#include "party/error.h"
#include "party/held.h"
#include "party/input.h"
#include "party/terms.h"
#include "psi/mem.h"
#include <stdio.h>
#include <string.h>

static tally_status refuse(const tally_agreement *a, enum party_agreed_id field, size_t item,
                           tally_error *error, const char *what, const char *hint)
{
    char path[96];
    const party_agreed *f = party_agreed_find(a, field, item, 0);
    party_agreed_path(path, sizeof path, field, item);
    party_agreed_fail(a, f ? f->line : 1, path, error, PARTY_WHOLE, what);
    party_hint(error, PARTY_WHOLE, hint);
    return TALLY_ERR_INPUT;
}

static int given(const tally_agreement *a, enum party_agreed_id field)
{
    const party_agreed *f = party_agreed_find(a, field, 0, 0);
    return f && f->given;
}

/* ---- The parties, the days, and what stands with what ---- */

static int same(const tally_agreement *a, enum party_agreed_id field)
{
    const char *one = party_agreed_text(a, field, 0), *two = party_agreed_text(a, field, 1);
    return *one && strcmp(one, two) == 0;
}

static tally_status check_parties(const tally_agreement *a, tally_error *error)
{
    for (size_t p = 0; p < 2; p++) {
        int pin = *party_agreed_text(a, AGREED_LINK_KEY, p) != 0,
            ca = *party_agreed_text(a, AGREED_CA, p) != 0,
            subject = *party_agreed_text(a, AGREED_SUBJECT, p) != 0;
        if (ca != subject)
            return refuse(a, ca ? AGREED_CA : AGREED_SUBJECT, p, error,
                          ca ? "needs subject: an authority signs many certificates"
                             : "needs ca: who signed the certificate of this subject?",
                          "give both, or link-key alone");
        if (!pin && !ca)
            return refuse(a, AGREED_ORGANISATION, p, error,
                          "there is neither link-key nor ca and subject: anybody could come as this party",
                          "add link-key: the line \"fingerprint\" of tally identity show");
        if (pin && strcmp(party_agreed_text(a, AGREED_LINK_KEY, p),
                          party_agreed_text(a, AGREED_SIGNING_KEY, p)) == 0)
            return refuse(a, AGREED_SIGNING_KEY, p, error, "is the link-key",
                          "copy the line \"signing key\" of tally identity show, not \"fingerprint\"");
    }
    if (same(a, AGREED_ROLE))
        return refuse(a, AGREED_ROLE, 1, error, "both parties have this role",
                      "one is the receiver, which asks, the other the sender");
    if (same(a, AGREED_ORGANISATION))
        return refuse(a, AGREED_ORGANISATION, 1, error, "both parties have this name",
                      "two departments of one organisation need names that tell them apart");
    if (same(a, AGREED_LINK_KEY))
        return refuse(a, AGREED_LINK_KEY, 1, error, "both parties have this key",
                      "each has an identity of its own: tally identity show at the other organisation");
    for (size_t p = 0; p < 2; p++)
        if (strcmp(party_agreed_text(a, AGREED_SIGNING_KEY, p), party_agreed_text(a, AGREED_LINK_KEY, !p)) ==
            0)
            return refuse(a, AGREED_SIGNING_KEY, p, error, "is the link-key of the other party",
                          "copy the line \"signing key\" of tally identity show at the right organisation");
    if (same(a, AGREED_SIGNING_KEY))
        return refuse(a, AGREED_SIGNING_KEY, 1, error, "both parties have this key",
                      "each has an identity of its own: tally identity show at the other organisation");
    return TALLY_OK;
}

static tally_status check_fields(const tally_agreement *a, tally_error *error)
{
    int64_t function = party_agreed_number(a, AGREED_FUNCTION, 0);
    for (int f = 0; f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        char what[400];
        if (field->parent != AGREED_TOP || !given(a, (enum party_agreed_id)f) ||
            (field->functions >> function & 1))
            continue;
        party_both(what, sizeof what, "has no meaning with the function %s",
                   party_agreed_text(a, AGREED_FUNCTION, 0));
        return refuse(a, (enum party_agreed_id)f, 0, error, what, "leave it out, or choose another function");
    }
    if (party_agreed_number(a, AGREED_VALID_UNTIL, 0) < party_agreed_number(a, AGREED_VALID_FROM, 0))
        return refuse(a, AGREED_VALID_UNTIL, 0, error, "is before valid-from",
                      "the last day comes after the first, or is the same");
    if (given(a, AGREED_ROWS_PER_PERSON) && !party_agreed_find(a, AGREED_COLUMNS, 0, 0))
        return refuse(a, AGREED_ROWS_PER_PERSON, 0, error, "needs columns",
                      "it is the number of rows whose columns are revealed for one identifier");
    if (function == TALLY_SUM && !given(a, AGREED_VALUES_OF))
        return refuse(a, AGREED_FUNCTION, 0, error, "a sum needs values-of",
                      "say whose file has the values: values-of: sender");
    if (function == TALLY_SUM && !party_agreed_find(a, AGREED_VALUES, 0, 0))
        return refuse(a, AGREED_FUNCTION, 0, error, "a sum needs values",
                      "name at least one column with min and max under values");
    for (size_t b = 0; given(a, AGREED_PADDING) && b < party_agreed_count(a, AGREED_BANDS, 0); b++)
        if (party_agreed_number(a, AGREED_BAND_OF, b) != party_agreed_number(a, AGREED_VALUES_OF, 0))
            return refuse(
                a, AGREED_PADDING, 0, error,
                "hides nothing where the side that adds up has bands: the other side is told how many "
                "identifiers lie in each",
                "leave out padding-step, or the bands of that side");
    if (given(a, AGREED_PADDING) && given(a, AGREED_MAX_SHARE) &&
        party_agreed_number(a, AGREED_REVEAL_TO, 0) == 1)
        return refuse(
            a, AGREED_PADDING, 0, error,
            "does not go with max-match-share where the sender alone learns the result: it knows the "
            "receiver's list only with its padding",
            "leave one of them out");
    if (given(a, AGREED_QUOTAS) && !party_agreed_find(a, AGREED_RUNS_DAY, 0, 0) &&
        !party_agreed_find(a, AGREED_RUNS_ALL, 0, 0) && !party_agreed_find(a, AGREED_ROWS_DAY, 0, 0))
        return refuse(a, AGREED_QUOTAS, 0, error, "says no number",
                      "add runs-per-day, runs-in-all or rows-per-day, or leave quotas out");
    return TALLY_OK;
}

/* ---- As the settings of two sessions ---- */

/* One side of a run under the agreement. */
typedef struct side {
    tally_session *session;
    tally_input *input;
} side;

static void free_side(side *s)
{
    tally_session_free(s->session);
    tally_input_free(s->input);
}

/* A refusal of the settings as one of the field. */
static tally_status blame(const tally_agreement *a, enum party_agreed_id field, size_t item, tally_status st,
                          const tally_error *why, tally_error *error)
{
    if (st == TALLY_ERR_NO_MEMORY || st == TALLY_ERR_INTERNAL) {
        party_fail(error, st, PARTY_WHOLE, party_message_of(why));
        return st;
    }
    return refuse(a, field, item, error, party_message_of(why),
                  why->hint[0] ? party_hint_of(why) : "change this field, or those it does not go with");
}

static tally_status add_values(const tally_agreement *a, side *s, tally_error *error)
{
    size_t count = party_agreed_count(a, AGREED_VALUES, 0);
    for (size_t i = 0; i < count; i++) {
        tally_error why = {.hint = ""};
        unsigned scale = (unsigned)party_agreed_number(a, AGREED_VALUE_SCALE, i);
        int64_t end[2] = {0};
        static const enum party_agreed_id field[2] = {AGREED_VALUE_MIN, AGREED_VALUE_MAX};
        for (size_t e = 0; e < 2; e++)
            if (!party_agreed_decimal(party_agreed_text(a, field[e], i), scale, &end[e]))
                return refuse(a, field[e], i, error, "has more decimals than the scale",
                              "say how many decimals the values have, such as scale: 2");
        if (end[0] > end[1])
            return refuse(a, AGREED_VALUE_MAX, i, error, "is below min", "the larger end is max");
        tally_status st = tally_input_add_value(s->input, party_agreed_text(a, AGREED_VALUE_NAME, i), end[0],
                                                end[1], scale, &why);
        if (st)
            return blame(a, AGREED_VALUE_NAME, i, st, &why, error);
    }
    return TALLY_OK;
}

/* Bands are the input's on the side that has the column; the owner of the values accepts the other's. */
static tally_status add_bands(const tally_agreement *a, side *s, int64_t owner, int64_t role,
                              tally_error *error)
{
    size_t count = party_agreed_count(a, AGREED_BANDS, 0);
    for (size_t i = 0; i < count; i++) {
        tally_error why = {.hint = ""};
        int64_t edges[WIRE_EDGES_MAX], of = party_agreed_number(a, AGREED_BAND_OF, i);
        size_t n = party_agreed_count(a, AGREED_BAND_EDGES, i);
        unsigned scale = 0;
        const char *name = party_agreed_text(a, AGREED_BAND_NAME, i);
        for (size_t e = 0; e < n; e++) {
            unsigned needs = party_agreed_decimals(party_agreed_find(a, AGREED_BAND_EDGES, i, e)->text);
            scale = needs > scale ? needs : scale;
        }
        for (size_t e = 0; scale <= WIRE_SCALE_MAX && e < n; e++)
            if (!party_agreed_decimal(party_agreed_find(a, AGREED_BAND_EDGES, i, e)->text, scale, &edges[e]))
                scale = WIRE_SCALE_MAX + 1;
        if (scale > WIRE_SCALE_MAX)
            return refuse(a, AGREED_BAND_EDGES, i, error, "an edge has more than 9 decimals",
                          "write it with fewer");
        tally_status st = TALLY_OK;
        if (of == role)
            st = tally_input_add_band(s->input, name, edges, n, scale, &why);
        else if (owner == role)
            st = tally_session_add_peer_band(s->session, name, edges, n, scale, &why);
        if (st)
            return blame(a, AGREED_BAND_EDGES, i, st, &why, error);
    }
    return TALLY_OK;
}

static tally_status add_columns(const tally_agreement *a, side *s, int sender, tally_error *error)
{
    size_t count = party_agreed_count(a, AGREED_COLUMNS, 0);
    tally_error why = {.hint = ""};
    tally_status st = TALLY_OK;
    for (size_t i = 0; i < count; i++) {
        const char *name = party_agreed_text(a, AGREED_COLUMN_NAME, i);
        st = sender ? tally_session_add_offer(s->session, name,
                                              (size_t)party_agreed_number(a, AGREED_COLUMN_WIDTH, i), &why)
                    : tally_session_add_want(s->session, name, &why);
        if (st)
            return blame(a, AGREED_COLUMN_NAME, i, st, &why, error);
    }
    if (count)
        st = tally_session_set_rows_per_person(
            s->session, (unsigned)party_agreed_number(a, AGREED_ROWS_PER_PERSON, 0), &why);
    return st ? blame(a, AGREED_ROWS_PER_PERSON, 0, st, &why, error) : TALLY_OK;
}

static tally_status make_side(const tally_agreement *a, side *s, enum tally_role role, tally_error *error)
{
    static const enum tally_reveal reveals[] = {TALLY_REVEAL_RECEIVER, TALLY_REVEAL_SENDER,
                                                TALLY_REVEAL_BOTH};
    tally_error why = {.hint = ""};
    int64_t word = role == TALLY_SENDER; /* of the fields that say receiver or sender */
    tally_status st = tally_session_new(&s->session, error);
    if (!st)
        st = tally_input_new(&s->input, error);
    if (st)
        return st;
    tally_session_set_role(s->session, role);
    tally_session_set_input(s->session, s->input);
    tally_session_set_function(s->session, (enum tally_function)party_agreed_number(a, AGREED_FUNCTION, 0));
    tally_session_set_protocol(s->session, (enum tally_protocol)party_agreed_number(a, AGREED_PROTOCOL, 0));
    tally_session_set_security(s->session, party_agreed_number(a, AGREED_SECURITY, 0) ? TALLY_MALICIOUS
                                                                                      : TALLY_SEMI_HONEST);
    tally_session_set_reveal(s->session, reveals[party_agreed_number(a, AGREED_REVEAL_TO, 0)]);
    tally_session_set_scheme(s->session, (enum tally_scheme)party_agreed_number(a, AGREED_SCHEME, 0));
    for (size_t k = 0; k < party_agreed_count(a, AGREED_KEYS, 0); k++) {
        st = tally_input_add_key(s->input,
                                 party_agreed_text(a, word ? AGREED_KEY_SENDER : AGREED_KEY_RECEIVER, k),
                                 party_agreed_text(a, AGREED_KEY_PROFILE, k), &why);
        if (st)
            return blame(a, AGREED_KEY_PROFILE, k, st, &why, error);
    }
    st = tally_session_set_min_overlap(s->session, (uint64_t)party_agreed_number(a, AGREED_MIN_OVERLAP, 0),
                                       &why);
    if (st)
        return blame(a, AGREED_MIN_OVERLAP, 0, st, &why, error);
    st = tally_session_set_noise(s->session, (uint64_t)party_agreed_number(a, AGREED_NOISE, 0), &why);
    if (st)
        return blame(a, AGREED_NOISE, 0, st, &why, error);
    tally_input_set_clip(s->input, party_agreed_number(a, AGREED_NOISE, 0) != 0);
    tally_input_set_duplicates(s->input,
                               (enum tally_duplicates)(party_agreed_number(a, AGREED_DUPLICATES, 0) + 1));
    int64_t owner = party_agreed_number(a, AGREED_VALUES_OF, 0);
    if (party_agreed_find(a, AGREED_VALUES, 0, 0) && owner == word)
        st = add_values(a, s, error);
    if (!st)
        st = add_bands(a, s, owner, word, error);
    return st ? st : add_columns(a, s, (int)word, error);
}

tally_status party_agreed_settings(const tally_agreement *a, enum tally_role role, tally_session **session,
                                   tally_input **input, tally_error *error)
{
    side s = {.input = NULL};
    tally_status st = make_side(a, &s, role, error);
    if (st) {
        free_side(&s);
        return st;
    }
    *session = s.session;
    *input = s.input;
    return TALLY_OK;
}

/* The two sides' settings, each by itself and against the other. */
static tally_status check_sides(side *receiver, side *sender, tally_error *error)
{
    party_form form;
    tally_session *r = receiver->session, *s = sender->session;
    tally_status st = party_terms_check(r, error);
    if (!st)
        st = party_terms_check(s, error);
    if (!st)
        st = party_terms_fill(r, error);
    if (!st)
        st = party_terms_fill(s, error);
    return st ? st : party_terms_compare(&r->terms, &s->terms, &form, error);
}

/* The settings with one of them as if it had been left out. */
static void leave_out(side *s, enum party_agreed_id field)
{
    if (field == AGREED_SECURITY)
        s->session->security = TALLY_SEMI_HONEST;
    else if (field == AGREED_PROTOCOL)
        s->session->protocol = TALLY_AUTO;
    else if (field == AGREED_REVEAL_TO)
        s->session->reveal = TALLY_REVEAL_RECEIVER;
    else if (field == AGREED_MIN_OVERLAP)
        s->session->min_overlap = 0;
    else if (field == AGREED_NOISE)
        s->session->epsilon_micro = 0;
    else if (field == AGREED_COLUMNS)
        s->session->offer_count = s->session->want_count = 0;
}

/* Which field it is whose absence makes the settings good: the one to name. */
static enum party_agreed_id culprit(side *receiver, side *sender, const tally_agreement *a)
{
    static const enum party_agreed_id candidates[] = {AGREED_SECURITY, AGREED_PROTOCOL,    AGREED_REVEAL_TO,
                                                      AGREED_COLUMNS,  AGREED_MIN_OVERLAP, AGREED_NOISE};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const tally_session were[2] = {*receiver->session, *sender->session};
        if (!given(a, candidates[i]))
            continue;
        leave_out(receiver, candidates[i]);
        leave_out(sender, candidates[i]);
        tally_status st = check_sides(receiver, sender, NULL);
        *receiver->session = were[0];
        *sender->session = were[1];
        if (!st)
            return candidates[i];
    }
    return party_agreed_find(a, AGREED_BANDS, 0, 0) ? AGREED_BANDS : AGREED_FUNCTION;
}

static tally_status check_run(const tally_agreement *a, tally_error *error)
{
    side receiver = {.input = NULL}, sender = {.input = NULL};
    tally_error why = {.hint = ""};
    tally_status st = make_side(a, &receiver, TALLY_RECEIVER, error);
    if (!st)
        st = make_side(a, &sender, TALLY_SENDER, error);
    if (st)
        goto done;
    /* A session checks this one before the others, when it also has a link. */
    if (receiver.session->protocol == TALLY_VOLE && receiver.session->security == TALLY_MALICIOUS)
        st = refuse(a, AGREED_PROTOCOL, 0, error, "vole protects against semi-honest peers only",
                    "take the protocol ecdh or auto, or agree on the semi-honest model");
    if (st)
        goto done;
    st = check_sides(&receiver, &sender, &why);
    if (st)
        st = blame(a, culprit(&receiver, &sender, a), 0, st, &why, error);
done:
    free_side(&sender);
    free_side(&receiver);
    return st;
}

tally_status party_agreed_check(const tally_agreement *a, tally_error *error)
{
    tally_status st = check_parties(a, error);
    if (!st)
        st = check_fields(a, error);
    return st ? st : check_run(a, error);
}
