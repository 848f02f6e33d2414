/* SPDX-License-Identifier: Apache-2.0 */
#include "party/held.h"

#include "party/consent.h"
#include "party/day.h"
#include "party/error.h"
#include "party/identity.h"
#include "party/input.h"
#include "party/pad.h"
#include "psi/mem.h"
#include "psi/sketch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static tally_status breach(tally_session *s, enum party_agreed_id field, tally_error *error, const char *hint,
                           const char *format, ...) __attribute__((format(printf, 5, 6)));

static tally_status breach(tally_session *s, enum party_agreed_id field, tally_error *error, const char *hint,
                           const char *format, ...)
{
    char what[1000];
    va_list args;
    va_start(args, format);
    party_both_of(what, sizeof what, format, args);
    va_end(args);
    party_fail(error, TALLY_ERR_POLICY, PARTY_WHOLE, what);
    party_hint(error, PARTY_WHOLE, hint);
    return party_breach(s, field, error);
}

static tally_status refuse(enum party_agreed_id field, tally_error *error)
{
    const tally_error why = *error;
    char path[96];
    party_agreed_field_path(path, sizeof path, field);
    party_fail(error, TALLY_ERR_POLICY, "the agreement does not allow this run: %s: %s", path,
               party_message_of(&why));
    party_hint(error, PARTY_WHOLE, party_hint_of(&why));
    return TALLY_ERR_POLICY;
}

tally_status party_breach(tally_session *s, enum party_agreed_id field, tally_error *error)
{
    s->breached = (uint8_t)(field + 1);
    return refuse(field, error);
}

tally_status party_hold_size(uint64_t items, uint64_t most, tally_error *error)
{
    if (items <= most)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_POLICY,
               "the list has %" PRIu64 " identifiers, and at most %" PRIu64 " are allowed", items, most);
    party_hint(error, "take a shorter list, or have a new agreement signed");
    return refuse(AGREED_MAX_LIST, error);
}

static const char narrow[] =
    "leave the option out, or have both organisations sign an agreement that allows it";

/* ---- Who, and when ---- */

static tally_status check_signatures(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    for (size_t p = 0; p < PARTY_SIGNATURES; p++)
        if (a->signatures[p].state == TALLY_SIGNATURE_BAD)
            return breach(s, AGREED_SIGNING_KEY, error,
                          "compare the digests of tally agreement show on both sides, and sign again",
                          "the signature of %s does not fit the text of %s",
                          party_agreed_text(a, AGREED_ORGANISATION, p), a->path);
        else if (a->signatures[p].state != TALLY_SIGNED)
            return breach(
                s, AGREED_SIGNING_KEY, error,
                "sign it with tally agreement sign, and take over the other side's signature with --add",
                "%s has not signed %s", party_agreed_text(a, AGREED_ORGANISATION, p), a->path);
    return TALLY_OK;
}

static const char others_key[] =
    "tally identity show prints the keys of an identity; take the one that the agreement "
    "names, or have a new agreement signed";

/* Of the party that this identity is. */
static enum tally_role agreed_role(const tally_session *s)
{
    return party_agreed_number(s->agreement, AGREED_ROLE, s->own_party) ? TALLY_SENDER : TALLY_RECEIVER;
}

/* Which party of the agreement this identity is. */
static tally_status find_party(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    const tally_identity *id = s->identity;
    s->own_party = PARTY_SIGNATURES; /* of neither, so far */
    if (!id || !id->sign)
        return breach(s, AGREED_SIGNING_KEY, error, "tally identity add-signing-key makes one",
                      "this identity has no signing key");
    for (s->own_party = 0; s->own_party < PARTY_SIGNATURES; s->own_party++)
        if (strcmp(party_agreed_text(a, AGREED_SIGNING_KEY, s->own_party), id->sign_fingerprint) == 0)
            break;
    if (s->own_party == PARTY_SIGNATURES)
        return breach(s, AGREED_SIGNING_KEY, error, others_key,
                      "the signing key of this identity, %s, is of neither party", id->sign_fingerprint);
    return TALLY_OK;
}

/* Is it the agreed key, or one that this identity has replaced it by? */
static enum party_pin_state judge_own_key(const tally_identity *id, const char *pin)
{
    uint8_t agreed32[32];
    int64_t until;
    if (party_pin_parse(agreed32, pin, NULL))
        return PARTY_PIN_OTHER;
    return party_rotation_judge(id->rotations, id->rotation_count, id->sign_fingerprint, agreed32,
                                id->fingerprint32, (int64_t)time(NULL), &until);
}

/* Whether it may be that party. */
static tally_status check_party(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    const tally_identity *id = s->identity;
    const char *pin = party_agreed_text(a, AGREED_LINK_KEY, s->own_party),
               *subject = party_agreed_text(a, AGREED_SUBJECT, s->own_party);
    enum tally_role role = agreed_role(s);
    if (s->role && s->role != role)
        return breach(s, AGREED_ROLE, error, narrow, "%s is the %s",
                      party_agreed_text(a, AGREED_ORGANISATION, s->own_party),
                      party_agreed_text(a, AGREED_ROLE, s->own_party));
    s->role = role;
    enum party_pin_state own = *pin ? judge_own_key(id, pin) : PARTY_PIN_CURRENT;
    if (own == PARTY_PIN_RETIRED)
        return breach(s, AGREED_LINK_KEY, error,
                      "put the new key in place: tally identity rotate NAME --finish",
                      "the key %s of this identity was replaced, and its time is over", id->fingerprint);
    if (own == PARTY_PIN_OTHER)
        return breach(s, AGREED_LINK_KEY, error, others_key,
                      "this identity has the key %s, not the agreed %s", id->fingerprint, pin);
    if (*subject && strcmp(subject, id->subject) != 0)
        return breach(s, AGREED_SUBJECT, error, others_key, "this identity is \"%s\", not the agreed \"%s\"",
                      id->subject, subject);
    return TALLY_OK;
}

static tally_status check_days(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    const char *zone = party_agreed_text(a, AGREED_TIME_ZONE, 0);
    char today[16];
    static const char hint[] = "run it on the days it is for, or have a new agreement signed; if today is "
                               "wrong, set the clock of this machine";
    tally_status st = party_day_in_zone(zone, s->began, &s->today, error);
    if (st)
        return st;
    snprintf(today, sizeof today, "%04u-%02u-%02u", s->today / 10000, s->today / 100 % 100, s->today % 100);
    if (s->today < party_agreed_number(a, AGREED_VALID_FROM, 0))
        return breach(s, AGREED_VALID_FROM, error, hint, "it begins on %s, and today is %s in %s",
                      tally_agreement_valid_from(a), today, zone);
    if (s->today > party_agreed_number(a, AGREED_VALID_UNTIL, 0))
        return breach(s, AGREED_VALID_UNTIL, error, hint, "it ended on %s, and today is %s in %s",
                      tally_agreement_valid_until(a), today, zone);
    return TALLY_OK;
}

/* ---- The link ---- */

static tally_status hold_address(tally_session *s, tally_error *error)
{
    const char *own = party_agreed_text(s->agreement, AGREED_PLACE, s->own_party),
               *other = party_agreed_text(s->agreement, AGREED_PLACE, !s->own_party);
    if (s->has_listen || s->has_connect || s->transport || s->connection)
        return TALLY_OK;
    /* Where both may wait, the sender does. */
    if (*own && (!*other || agreed_role(s) == TALLY_SENDER))
        return tally_session_set_listen(s, own, error);
    if (*other)
        return tally_session_set_connect(s, other, error);
    party_fail(error, TALLY_ERR_USAGE,
               "the agreement names no address, and neither listen nor connect was set");
    party_hint(error, "one side waits, the other calls it: --listen HOST:PORT and --connect HOST:PORT");
    return TALLY_ERR_USAGE;
}

static tally_status hold_peer(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    size_t other = !s->own_party;
    const char *pin = party_agreed_text(a, AGREED_LINK_KEY, other),
               *ca = party_agreed_text(a, AGREED_CA, other),
               *subject = party_agreed_text(a, AGREED_SUBJECT, other);
    uint8_t agreed32[32];
    int found = !s->rule.pin_count;
    if (s->transport && !s->transport_tls)
        return TALLY_OK; /* the caller vouches for the other side */
    s->rule.agreed = 1;
    snprintf(s->rule.signing, sizeof s->rule.signing, "%s", party_agreed_text(a, AGREED_SIGNING_KEY, other));
    if (*pin) {
        tally_status st = party_pin_parse(agreed32, pin, error);
        if (st)
            return st;
        for (size_t i = 0; i < s->rule.pin_count; i++)
            found |= memcmp(s->rule.pins[i], agreed32, 32) == 0;
        if (!found)
            return breach(s, AGREED_LINK_KEY, error, narrow, "the other side has the key %s", pin);
        memcpy(s->rule.pins[0], agreed32, 32);
        s->rule.pin_count = 1;
    }
    if (!*ca)
        return TALLY_OK;
    if (!s->rule.ca_file) {
        party_fail(
            error, TALLY_ERR_USAGE,
            "the agreement names the authority %s of the other side, and its certificate was not given", ca);
        party_hint(error, "give the authority's file: --peer-ca FILE");
        return TALLY_ERR_USAGE;
    }
    if (s->peer_name && strcmp(s->peer_name, subject) != 0)
        return breach(s, AGREED_SUBJECT, error, narrow, "the other side is \"%s\"", subject);
    tally_status st = party_set_text(&s->peer_name, subject, error);
    if (st)
        return st;
    s->rule.name = s->peer_name;
    s->rule.has_ca_pin = 1;
    return party_pin_parse(s->rule.ca_pin32, ca, error);
}

/* ---- The terms ---- */

static tally_status hold_words(tally_session *s, const tally_session *agreed, tally_error *error)
{
    if (!s->function_given)
        s->function = agreed->function;
    if (s->function != agreed->function)
        return breach(s, AGREED_FUNCTION, error, "run what was agreed: tally match, tally count or tally sum",
                      "it is %s", party_agreed_text(s->agreement, AGREED_FUNCTION, 0));
    if (s->protocol == TALLY_AUTO)
        s->protocol = agreed->protocol;
    if (agreed->protocol != TALLY_AUTO && s->protocol != agreed->protocol)
        return breach(s, AGREED_PROTOCOL, error, narrow, "it is %s", party_protocol_name(agreed->protocol));
    if (!s->security_given)
        s->security = agreed->security;
    if (agreed->security == TALLY_MALICIOUS && s->security != TALLY_MALICIOUS)
        return breach(s, AGREED_SECURITY, error, narrow, "it is malicious");
    if (!s->reveal_given)
        s->reveal = agreed->reveal;
    if (agreed->reveal != TALLY_REVEAL_BOTH && s->reveal != agreed->reveal)
        return breach(s, AGREED_REVEAL_TO, error, narrow, "the result is for the %s",
                      party_agreed_text(s->agreement, AGREED_REVEAL_TO, 0));
    if (s->scheme == TALLY_SCHEME_AUTO)
        s->scheme = agreed->scheme;
    if (agreed->scheme != TALLY_SCHEME_AUTO && s->scheme != agreed->scheme)
        return breach(s, AGREED_SCHEME, error, narrow, "it is %s",
                      party_agreed_text(s->agreement, AGREED_SCHEME, 0));
    return TALLY_OK;
}

static tally_status hold_limits(tally_session *s, const tally_session *agreed, tally_error *error)
{
    if (!s->min_overlap)
        s->min_overlap = agreed->min_overlap;
    if (s->min_overlap < agreed->min_overlap)
        return breach(s, AGREED_MIN_OVERLAP, error, narrow, "it is at least %" PRIu64, agreed->min_overlap);
    if (!s->epsilon_micro)
        s->epsilon_micro = agreed->epsilon_micro;
    if (agreed->epsilon_micro && s->epsilon_micro > agreed->epsilon_micro)
        return breach(s, AGREED_NOISE, error, narrow, "epsilon is at most %s",
                      party_agreed_text(s->agreement, AGREED_NOISE, 0));
    if (s->epsilon_micro)
        tally_input_set_clip(s->input, 1);
    return TALLY_OK;
}

/* Columns of a match: those agreed, or fewer and narrower ones. */
static tally_status hold_columns(tally_session *s, const tally_session *agreed, tally_error *error)
{
    int sender = s->role == TALLY_SENDER;
    wire_column *list = sender ? s->offers : s->wants;
    size_t *count = sender ? &s->offer_count : &s->want_count;
    const wire_column *from = sender ? agreed->offers : agreed->wants;
    size_t from_count = sender ? agreed->offer_count : agreed->want_count;
    if (!*count) {
        memcpy(list, from, from_count * sizeof *list);
        *count = from_count;
    }
    for (size_t i = 0; i < *count; i++) {
        size_t k = 0;
        while (k < from_count && strcmp(from[k].name, list[i].name) != 0)
            k++;
        if (k == from_count)
            return breach(s, AGREED_COLUMN_NAME, error, narrow, "%s is not among them", list[i].name);
        if (list[i].width > from[k].width)
            return breach(s, AGREED_COLUMN_WIDTH, error, narrow, "that of %s is at most %" PRIu32,
                          from[k].name, from[k].width);
    }
    if (!s->rows_per_person && *count)
        s->rows_per_person = agreed->rows_per_person;
    if (s->rows_per_person > (agreed->rows_per_person ? agreed->rows_per_person : 1))
        return breach(s, AGREED_ROWS_PER_PERSON, error, narrow, "at most %u",
                      agreed->rows_per_person ? agreed->rows_per_person : 1);
    return TALLY_OK;
}

/* ---- The input ---- */

static tally_status hold_keys(tally_session *s, const tally_input *agreed, tally_error *error)
{
    tally_input *input = s->input;
    enum party_agreed_id column = s->role == TALLY_SENDER ? AGREED_KEY_SENDER : AGREED_KEY_RECEIVER;
    int all = !input->key_count;
    for (size_t k = 0; all && k < agreed->key_count; k++) {
        tally_status st =
            tally_input_add_key(input, agreed->keys[k].column, party_input_key_profile(agreed, k), error);
        if (st)
            return st;
    }
    if (input->key_count != agreed->key_count)
        return breach(s, AGREED_KEYS, error, narrow, "there are %zu, not %zu", agreed->key_count,
                      input->key_count);
    for (size_t k = 0; k < agreed->key_count; k++) {
        if (strcmp(party_input_key_profile(input, k), party_input_key_profile(agreed, k)) != 0)
            return breach(s, AGREED_KEY_PROFILE, error, narrow, "that of key %zu is %s", k + 1,
                          party_input_key_profile(agreed, k));
        if (input->path && strcmp(input->keys[k].column, agreed->keys[k].column) != 0)
            return breach(s, column, error, narrow, "key %zu is in the column %s", k + 1,
                          agreed->keys[k].column);
    }
    return TALLY_OK;
}

static tally_status hold_values(tally_session *s, const tally_input *agreed, tally_error *error)
{
    tally_input *input = s->input;
    int all = !input->value_count;
    for (size_t i = 0; all && i < agreed->value_count; i++) {
        const party_value *v = &agreed->values[i];
        tally_status st = tally_input_add_value(input, v->column, v->min, v->max, v->scale, error);
        if (st)
            return st;
    }
    for (size_t i = 0; i < input->value_count; i++) {
        const party_value *v = &input->values[i], *w = agreed->values;
        while (w < agreed->values + agreed->value_count && strcmp(w->column, v->column) != 0)
            w++;
        if (w == agreed->values + agreed->value_count)
            return breach(s, AGREED_VALUE_NAME, error, narrow, "%s is not among them", v->column);
        if (v->scale != w->scale)
            return breach(s, AGREED_VALUE_SCALE, error, narrow, "that of %s is %u", v->column, w->scale);
        if (v->min < w->min)
            return breach(s, AGREED_VALUE_MIN, error, narrow, "that of %s is not so low", v->column);
        if (v->max > w->max)
            return breach(s, AGREED_VALUE_MAX, error, narrow, "that of %s is not so high", v->column);
    }
    return TALLY_OK;
}

static int same_edges(const int64_t *a, size_t a_count, unsigned a_scale, const int64_t *b, size_t b_count,
                      unsigned b_scale)
{
    return a_count == b_count && a_scale == b_scale && memcmp(a, b, a_count * sizeof *a) == 0;
}

static tally_status hold_bands(tally_session *s, const tally_session *with, const tally_input *agreed,
                               tally_error *error)
{
    tally_input *input = s->input;
    int all = !input->band_count;
    for (size_t i = 0; all && i < agreed->band_count; i++) {
        const party_band *b = &agreed->bands[i];
        tally_status st = tally_input_add_band(input, b->column, b->edges, b->count, b->scale, error);
        if (st)
            return st;
    }
    for (size_t i = 0; i < input->band_count; i++) {
        const party_band *b = &input->bands[i], *c = agreed->bands;
        while (c < agreed->bands + agreed->band_count && strcmp(c->column, b->column) != 0)
            c++;
        if (c == agreed->bands + agreed->band_count)
            return breach(s, AGREED_BAND_NAME, error, narrow, "%s is not among them", b->column);
        if (!same_edges(b->edges, b->count, b->scale, c->edges, c->count, c->scale))
            return breach(s, AGREED_BAND_EDGES, error, narrow, "those of %s are others", b->column);
    }
    if (!s->peer_band_count) {
        memcpy(s->peer_bands, with->peer_bands, sizeof s->peer_bands);
        s->peer_band_count = with->peer_band_count;
    }
    for (size_t i = 0; i < s->peer_band_count; i++) {
        const wire_band *b = &s->peer_bands[i], *c = &with->peer_bands[0];
        if (!with->peer_band_count || strcmp(b->name, c->name) != 0)
            return breach(s, AGREED_BAND_NAME, error, narrow, "%s of the other side is not among them",
                          b->name);
        if (!same_edges(b->edges, b->count, b->scale, c->edges, c->count, c->scale))
            return breach(s, AGREED_BAND_EDGES, error, narrow, "those of %s are others", b->name);
    }
    return TALLY_OK;
}

static tally_status hold_duplicates(tally_session *s, const tally_input *agreed, tally_error *error)
{
    if (!s->input->duplicates_given)
        s->input->duplicates = agreed->duplicates;
    if (s->input->duplicates != agreed->duplicates)
        return breach(s, AGREED_DUPLICATES, error, narrow, "it is %s",
                      party_agreed_text(s->agreement, AGREED_DUPLICATES, 0));
    return TALLY_OK;
}

/* Consent is that of the persons on the receiver's list. */
static tally_status hold_consent(tally_session *s, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    if (s->role != TALLY_RECEIVER || !party_agreed_find(a, AGREED_CONSENT, 0, 0))
        return TALLY_OK;
    return party_input_set_consent(s->input, party_agreed_text(a, AGREED_CONSENT_COLUMN, 0),
                                   (int)party_agreed_number(a, AGREED_CONSENT_RULE, 0), s->today, error);
}

static tally_status hold_settings(tally_session *s, const tally_session *with, const tally_input *input,
                                  tally_error *error)
{
    tally_status st = hold_words(s, with, error);
    if (!st)
        st = hold_limits(s, with, error);
    if (!st)
        st = hold_columns(s, with, error);
    if (!st)
        st = hold_keys(s, input, error);
    if (!st)
        st = hold_values(s, input, error);
    if (!st)
        st = hold_bands(s, with, input, error);
    if (!st)
        st = hold_duplicates(s, input, error);
    return st ? st : hold_consent(s, error);
}

tally_status party_hold_sides(tally_session *s, tally_error *error)
{
    tally_status st = find_party(s, error);
    if (!st)
        st = hold_address(s, error);
    if (!st)
        st = hold_peer(s, error);
    return st ? st : check_party(s, error);
}

tally_status party_hold(tally_session *s, tally_error *error)
{
    tally_session *with = NULL;
    tally_input *input = NULL;
    if (!s->agreement)
        return TALLY_OK;
    s->padding = (uint64_t)party_agreed_number(s->agreement, AGREED_PADDING, 0);
    /* Who and where first: the other side can then hear of what follows. */
    tally_status st = party_hold_sides(s, error);
    if (!st)
        st = check_signatures(s, error);
    if (!st)
        st = check_days(s, error);
    if (!st)
        st = party_agreed_settings(s->agreement, s->role, &with, &input, error);
    if (!st)
        st = hold_settings(s, with, input, error);
    tally_session_free(with);
    tally_input_free(input);
    return st;
}

tally_status party_hold_day(tally_session *s, tally_error *error)
{
    uint32_t before = s->today;
    s->began = (int64_t)time(NULL);
    if (!s->agreement)
        return party_day_in_zone("UTC", s->began, &s->today, error);
    tally_status st = check_days(s, error);
    if (!st && s->today != before && s->role == TALLY_RECEIVER &&
        party_agreed_find(s->agreement, AGREED_CONSENT, 0, 0))
        return breach(s, AGREED_CONSENT_RULE, error, "run again: consents are then judged anew",
                      "the day has changed since the list was read");
    return st;
}

/* ---- The list ---- */

/*
 * One key for each agreement, signing key and set of columns: sketches of different ones cannot be compared.
 * columns: 0 for identifiers alone.
 */
static tally_status sketch_key(const tally_session *s, int columns, uint8_t key[32])
{
    const tally_input *input = s->input;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return TALLY_ERR_NO_MEMORY;
    fputs(tally_agreement_digest(s->agreement), f);
    for (size_t i = 0; columns && i < input->value_count; i++)
        fprintf(f, "\nvalue %s %u", input->values[i].column, input->values[i].scale);
    for (size_t i = 0; columns && i < input->band_count; i++) {
        fprintf(f, "\nband %s %u", input->bands[i].column, input->bands[i].scale);
        for (size_t e = 0; e < input->bands[i].count; e++)
            fprintf(f, " %" PRId64, input->bands[i].edges[e]);
    }
    tally_status st =
        fclose(f) ? TALLY_ERR_NO_MEMORY : party_sign_derive(s->identity, PSI_TAG_SKETCH_KEY, text, len, key);
    free(text);
    return st;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(psi_item));
}

/* Each item with its numbers as one: who changes a person's number changes the list. */
static tally_status with_numbers(const psi_item *items, size_t count, const int64_t *numbers, size_t columns,
                                 psi_item *out)
{
    psi_hash *h = psi_hash_new();
    tally_status st = h ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t i = 0; !st && i < count; i++) {
        st = psi_hash_start(h, PSI_TAG_SKETCH);
        if (!st)
            st = psi_hash_add(h, items[i].b, sizeof items[i].b);
        if (!st)
            st = psi_hash_add(h, numbers + i * columns, columns * sizeof *numbers);
        if (!st)
            st = psi_hash_end(h, out[i].b);
    }
    psi_hash_free(h);
    qsort(out, count, sizeof *out, by_bytes);
    return st;
}

/* Of the identifiers, and where the list has numbers, of the identifiers with their numbers behind it. */
static tally_status make_sketch(tally_session *s, tally_error *error)
{
    uint8_t key[32];
    size_t count, columns;
    const psi_item *items = party_input_items(s->input, &count);
    const int64_t *numbers = party_input_numbers(s->input, &columns);
    psi_item *both = columns ? psi_secret_calloc(count ? count : 1, sizeof *both) : NULL;
    s->sketch_len = PSI_SKETCH_BYTES * (columns ? 2 : 1);
    s->sketch = psi_calloc(s->sketch_len, 1);
    tally_status st = s->sketch && (both || !columns) ? sketch_key(s, 0, key) : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_sketch_make(key, items, count, s->sketch);
    if (!st && columns)
        st = with_numbers(items, count, numbers, columns, both);
    if (!st && columns)
        st = sketch_key(s, 1, key);
    if (!st && columns)
        st = psi_sketch_make(key, both, count, s->sketch + PSI_SKETCH_BYTES);
    psi_secret_free(both);
    psi_wipe(key, sizeof key);
    return st ? party_fail(error, st, "the sketch of the list could not be computed") : TALLY_OK;
}

/* What the commitment is to: the list without dummies, which nobody could show again. */
static tally_status digest_list(tally_session *s, tally_error *error)
{
    size_t count;
    const psi_item *items = party_input_items(s->input, &count);
    psi_hash *h = psi_hash_new();
    tally_status st = h ? psi_list_digest(h, items, count, s->list_digest) : TALLY_ERR_NO_MEMORY;
    psi_hash_free(h);
    return st ? party_fail(error, st, "the digest of the list could not be computed") : TALLY_OK;
}

static tally_status judge_list(tally_session *s, tally_error *error)
{
    size_t count;
    party_limits limits;
    party_input_items(s->input, &count);
    party_hold_limits(s, &limits);
    uint64_t most = (uint64_t)party_agreed_number(s->agreement, AGREED_MAX_LIST, s->own_party);
    if (party_hold_size(count, most, error)) {
        s->breached = AGREED_MAX_LIST + 1;
        return TALLY_ERR_POLICY;
    }
    return s->ledger && limits.least_difference ? make_sketch(s, error) : TALLY_OK;
}

tally_status party_hold_list(tally_session *s, tally_error *error)
{
    tally_status st = party_input_unpad(s->input, error); /* of an earlier session with this input */
    if (!st)
        st = digest_list(s, error);
    if (!st && s->agreement)
        st = judge_list(s, error);
    return st || !s->padding ? st : party_input_pad(s->input, s->padding, error);
}

/* The sender too holds the receiver to its rows: by what it was asked about so far. */
static tally_status check_asked(tally_session *s, tally_error *error)
{
    uint64_t most = (uint64_t)party_agreed_number(s->agreement, AGREED_ROWS_DAY, 0), asked = 0;
    if (!most || !s->ledger || s->role != TALLY_SENDER)
        return TALLY_OK;
    tally_status st =
        party_ledger_asked(s->ledger, tally_agreement_digest(s->agreement), s->today, &asked, error);
    if (!st && (asked > most || s->peer_items > most - asked))
        return breach(s, AGREED_ROWS_DAY, error, "the other side runs another program, or has another ledger",
                      "the other side asked about %" PRIu64 " identifiers today and now about %" PRIu64
                      ", and may about %" PRIu64,
                      asked, s->peer_items, most);
    return st;
}

/* A padded list may go beyond the cap by what it takes to fill the last step. */
tally_status party_hold_peer_list(tally_session *s, tally_error *error)
{
    uint64_t step = s->padding;
    if (!s->agreement)
        return TALLY_OK;
    uint64_t most = (uint64_t)party_agreed_number(s->agreement, AGREED_MAX_LIST, !s->own_party);
    if (step)
        most = (most + step - 1) / step * step;
    if (step && s->peer_items % step)
        return breach(s, AGREED_PADDING, error, "the other side runs another program, or is faulty",
                      "the other side's list is not padded: it has %" PRIu64, s->peer_items);
    if (s->peer_items > most)
        return breach(s, AGREED_MAX_LIST, error, "the other side runs another program, or is faulty",
                      "the other side's list has %" PRIu64 " identifiers, and at most %" PRIu64
                      " are allowed",
                      s->peer_items, most);
    return check_asked(s, error);
}

void party_hold_limits(const tally_session *s, party_limits *out)
{
    const tally_agreement *a = s->agreement;
    *out = (party_limits){.runs_per_day = (uint64_t)party_agreed_number(a, AGREED_RUNS_DAY, 0),
                          .runs_in_all = (uint64_t)party_agreed_number(a, AGREED_RUNS_ALL, 0)};
    /* It is the receiver's list that asks. */
    if (s->role == TALLY_RECEIVER)
        out->rows_per_day = (uint64_t)party_agreed_number(a, AGREED_ROWS_DAY, 0);
    if (s->function != TALLY_MATCH)
        out->least_difference = (uint64_t)party_agreed_number(a, AGREED_MIN_OVERLAP, 0);
}

int party_hold_share(const tally_session *s, uint64_t matches)
{
    if (!s->agreement || !party_agreed_find(s->agreement, AGREED_MAX_SHARE, 0, 0))
        return 0;
    uint64_t of = s->role == TALLY_RECEIVER ? (uint64_t)party_input_real(s->input) : s->peer_items;
    return matches * 1000000 > of * (uint64_t)party_agreed_number(s->agreement, AGREED_MAX_SHARE, 0);
}

/* ---- Hello 1 ---- */

/* The fields by which one side tells the other what it agreed to: receiver first. */
tally_status party_hold_say(const tally_session *s, wire_hello1 *hello, tally_error *error)
{
    const tally_agreement *a = s->agreement;
    _Static_assert(AGREED_FIELDS <= WIRE_FIELDS_MAX, "the schema fits hello 1");
    if (s->identity && s->identity->sign) {
        hello->signs = 1;
        memcpy(hello->signing_key32, s->identity->sign_public32, sizeof hello->signing_key32);
    }
    hello->keeps_ledger = s->ledger != NULL;
    if (!a)
        return TALLY_OK;
    wire_agreement *out = &hello->agreement;
    size_t receiver = party_agreed_party(a, TALLY_RECEIVER);
    hello->has_agreement = 1;
    out->field_count = AGREED_FIELDS;
    for (size_t i = 0; i < PARTY_SIGNATURES; i++)
        memcpy(out->signatures[i], a->signatures[i ? !receiver : receiver].signature64, 64);
    tally_status st = party_pin_parse(out->digest32, a->digest, error);
    return st ? st : party_agreed_field_digests(a, out->fields, error);
}

static tally_status compare_fields(tally_session *s, const wire_agreement *theirs, tally_error *error)
{
    uint8_t own[AGREED_FIELDS][WIRE_FIELD_DIGEST];
    char list[300] = "";
    size_t used = 0;
    tally_status st = party_agreed_field_digests(s->agreement, own, error);
    if (st)
        return st;
    for (size_t f = 0; f < AGREED_FIELDS; f++) {
        char path[96];
        if (f < theirs->field_count && memcmp(own[f], theirs->fields[f], WIRE_FIELD_DIGEST) == 0)
            continue;
        party_agreed_field_path(path, sizeof path, (enum party_agreed_id)f);
        if (used + strlen(path) + 8 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", path);
        if (!s->breached)
            s->breached = (uint8_t)(f + 1);
    }
    if (used)
        party_fail(error, TALLY_ERR_POLICY, "the two sides hold different agreements: they differ in %s",
                   list);
    else
        party_fail(
            error, TALLY_ERR_POLICY,
            "the two sides hold different texts of the agreement, with the same fields: comments or layout "
            "differ");
    party_hint(
        error,
        "run with the file that both organisations have signed; tally agreement show prints its digest");
    return TALLY_ERR_POLICY;
}

tally_status party_hold_hear(tally_session *s, tally_error *error)
{
    const wire_hello1 *peer = &s->peer_hello;
    const tally_agreement *a = s->agreement;
    char digest[TALLY_FINGERPRINT_TEXT], signing[TALLY_FINGERPRINT_TEXT];
    if (!a != !peer->has_agreement) {
        party_fail(error, TALLY_ERR_POLICY, PARTY_WHOLE,
                   a ? "the other side runs without the agreement"
                     : "the other side holds this run to an agreement, this side to none");
        party_hint(error, "both sides give the agreement: --agreement FILE");
        return TALLY_ERR_POLICY;
    }
    if (!a)
        return TALLY_OK;
    party_pin_text(digest, peer->agreement.digest32);
    if (strcmp(digest, a->digest) != 0)
        return compare_fields(s, &peer->agreement, error);
    size_t receiver = party_agreed_party(a, TALLY_RECEIVER);
    for (size_t i = 0; i < PARTY_SIGNATURES; i++) {
        const party_signature *known = &a->signatures[i ? !receiver : receiver];
        tally_status st = party_agreed_verify(a, known->public32, peer->agreement.signatures[i], error);
        if (st == TALLY_ERR_DIFFERS)
            return breach(s, AGREED_SIGNING_KEY, error,
                          "the other side has a damaged file of signatures, or is faulty",
                          "the other side shows a signature of %s that does not fit",
                          party_agreed_text(a, AGREED_ORGANISATION, i ? !receiver : receiver));
        if (st)
            return st;
    }
    tally_status st = peer->signs ? party_sign_fingerprint(peer->signing_key32, signing) : TALLY_OK;
    if (st)
        return party_fail(error, st, "the fingerprint of a key failed");
    if (!peer->signs || strcmp(signing, party_agreed_text(a, AGREED_SIGNING_KEY, !s->own_party)) != 0)
        return breach(s, AGREED_SIGNING_KEY, error,
                      "the other side has to run with the identity that the agreement names",
                      "the other side signs with another key");
    return TALLY_OK;
}
