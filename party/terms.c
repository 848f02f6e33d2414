/* SPDX-License-Identifier: Apache-2.0 */
#include "party/terms.h"

#include "party/error.h"
#include "party/input.h"
#include "party/session.h"
#include "psi/laplace.h"

#include <stdio.h>
#include <string.h>

/* Differences and their parts hold marks (error.h): they are texts in two languages. */
enum { LIST = 2000, NAMES = 256, PART = 2 * NAMES };

/* What does not fit is left out. */
static void add(char *list, size_t size, const char *one)
{
    size_t used = strlen(list);
    if (used + strlen(one) + sizeof PARTY_WORD("; ") < size)
        snprintf(list + used, size - used, "%s%s", used ? PARTY_WORD("; ") : "", one);
}

/* Appends "field: here A, there B" to the list of differences. */
static void differ(char *list, size_t size, const char *field, const char *here, const char *there)
{
    char one[LIST];
    party_both(one, sizeof one, "%s: here %s, there %s", field, here, there);
    add(list, size, one);
}

/* "none" or "court, amount and 3 more". */
static const char *column_names(char text[NAMES], const wire_terms *t)
{
    char more[96];
    size_t used = 0, i = 0;
    snprintf(text, NAMES, PARTY_WORD("none"));
    for (; i < t->column_count && used + strlen(t->columns[i].name) + 20 < 160; i++)
        used += (size_t)snprintf(text + used, NAMES - used, "%s%s", i ? ", " : "", t->columns[i].name);
    if (i < t->column_count) {
        party_both(more, sizeof more, " and %zu more", t->column_count - i);
        snprintf(text + used, NAMES - used, "%s", more);
    }
    return text;
}

/* What is offered and what is wanted; where they agree, *form. */
static void compare_columns(const wire_terms *mine, const wire_terms *theirs, party_form *form, char *list,
                            size_t size)
{
    int sender = strcmp(mine->role, "sender") == 0;
    const wire_terms *offer = sender ? mine : theirs, *want = sender ? theirs : mine;
    char here[PART], there[PART], names[NAMES];
    if (strcmp(mine->role, theirs->role) == 0 || (!mine->column_count && !theirs->column_count))
        return;
    if (!mine->column_count || !theirs->column_count) {
        party_both(here, sizeof here, sender ? "%s offered" : "%s wanted", column_names(names, mine));
        party_both(there, sizeof there, sender ? "%s wanted" : "%s offered", column_names(names, theirs));
        differ(list, size, PARTY_WORD("columns"), here, there);
        return;
    }
    if (mine->rows_per_person != theirs->rows_per_person) {
        snprintf(here, sizeof here, "%u", mine->rows_per_person);
        snprintf(there, sizeof there, "%u", theirs->rows_per_person);
        differ(list, size, PARTY_WORD("rows per person"), here, there);
    }
    size_t bad = 0;
    tally_status st = party_form_init(form, offer, want, &bad);
    if (st == TALLY_ERR_DIFFERS) {
        party_both(names, sizeof names, "column '%s'", want->columns[bad].name);
        differ(list, size, names, sender ? PARTY_WORD("not offered") : PARTY_WORD("wanted"),
               sender ? PARTY_WORD("wanted") : PARTY_WORD("not offered"));
    } else if (st) {
        party_both(here, sizeof here, "the columns take %zu bytes for each identifier, more than %u",
                   form->sealed, WIRE_SEALED_MAX);
        add(list, size, here);
    }
}

static const char *number(char text[24], uint64_t n)
{
    if (n)
        snprintf(text, 24, "%llu", (unsigned long long)n);
    else
        snprintf(text, 24, PARTY_WORD("none"));
    return text;
}

static void differ_number(char *list, size_t size, const char *field, uint64_t here, uint64_t there)
{
    char a[24], b[24];
    if (here != there)
        differ(list, size, field, number(a, here), number(b, there));
}

static const char *epsilon(char text[48], uint64_t micro)
{
    if (micro)
        snprintf(text, 48, "epsilon=%llu.%06llu", (unsigned long long)(micro / 1000000),
                 (unsigned long long)(micro % 1000000));
    else
        snprintf(text, 48, PARTY_WORD("none"));
    return text;
}

/* "region:0,1,2", cut where it gets long; "none". */
static const char *band_text(char text[160], const wire_band *b)
{
    size_t used = 0;
    snprintf(text, 160, PARTY_WORD("none"));
    if (b)
        used = (size_t)snprintf(text, 160, "%s:", b->name);
    for (size_t i = 0; b && i < b->count; i++) {
        char edge[PSI_AGG_TEXT];
        psi_agg_sum_text(edge, b->edges[i], b->scale);
        if (used + strlen(edge) + 8 > 160) {
            snprintf(text + used, 160 - used, ",..");
            break;
        }
        used += (size_t)snprintf(text + used, 160 - used, "%s%s", i ? "," : "", edge);
    }
    return text;
}

static int same_band(const wire_band *a, const wire_band *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->name, b->name) == 0 && a->scale == b->scale && a->count == b->count &&
           memcmp(a->edges, b->edges, a->count * sizeof *a->edges) == 0;
}

/* The bands of the side that adds up, which the owner of the values has to have accepted. */
static void compare_bands(const wire_terms *mine, const wire_terms *theirs, char *list, size_t size)
{
    int owner = mine->value_count > 0;
    const wire_terms *values = owner ? mine : theirs, *adds = owner ? theirs : mine;
    const wire_band *accepted = values->peer_band_count ? &values->peer_bands[0] : NULL,
                    *asked = adds->band_count ? &adds->bands[0] : NULL;
    if (values->peer_band_count > 1 || adds->band_count > 1 || adds->peer_band_count) {
        differ(list, size, PARTY_WORD("columns with bands of the side that adds up"),
               owner ? PARTY_WORD("one") : PARTY_WORD("several"),
               owner ? PARTY_WORD("several") : PARTY_WORD("one"));
        return;
    }
    const wire_band *here = owner ? accepted : asked, *there = owner ? asked : accepted;
    char text[2][160];
    if (!same_band(here, there))
        differ(list, size, owner ? "peer-band" : "band", band_text(text[0], here), band_text(text[1], there));
    if (mine->min_overlap && values->band_count + adds->band_count > 1)
        differ(list, size, PARTY_WORD("columns with bands, of which a minimum overlap allows one"),
               mine->band_count ? PARTY_WORD("some") : PARTY_WORD("none"),
               theirs->band_count ? PARTY_WORD("some") : PARTY_WORD("none"));
}

static void compare_sum(const wire_terms *mine, const wire_terms *theirs, char *list, size_t size)
{
    char here[48], there[48];
    if (strcmp(mine->scheme, theirs->scheme) != 0 && strcmp(mine->scheme, "auto") != 0 &&
        strcmp(theirs->scheme, "auto") != 0)
        differ(list, size, "scheme", mine->scheme, theirs->scheme);
    else if (strcmp(theirs->scheme, "auto") != 0 && strcmp(theirs->scheme, "rlwe") != 0 &&
             strcmp(theirs->scheme, "paillier") != 0)
        differ(list, size, "scheme", mine->scheme, *theirs->scheme ? theirs->scheme : PARTY_WORD("none"));
    if (!mine->value_count == !theirs->value_count) {
        differ(list, size, PARTY_WORD("values, which one side names with --value and the other does not"),
               number(here, mine->value_count), number(there, theirs->value_count));
        return;
    }
    compare_bands(mine, theirs, list, size);
}

/* What counts and sums add; a match has none of it but a minimum overlap with columns. */
static void compare_aggregate(const wire_terms *mine, const wire_terms *theirs, char *list, size_t size)
{
    char here[48], there[48];
    differ_number(list, size, "min-overlap", mine->min_overlap, theirs->min_overlap);
    if (strcmp(mine->function, theirs->function) != 0)
        return;
    if (mine->epsilon_micro != theirs->epsilon_micro)
        differ(list, size, "noise", epsilon(here, mine->epsilon_micro),
               epsilon(there, theirs->epsilon_micro));
    else
        differ_number(list, size, PARTY_WORD("dummies"), mine->dummies, theirs->dummies);
    if (strcmp(mine->function, "match") != 0 && theirs->column_count)
        differ(list, size, PARTY_WORD("columns"), PARTY_WORD("none"), PARTY_WORD("some"));
    if (strcmp(mine->function, "sum") == 0)
        compare_sum(mine, theirs, list, size);
    else if (theirs->value_count || theirs->band_count || theirs->peer_band_count || *theirs->scheme)
        differ(list, size, PARTY_WORD("values"), PARTY_WORD("none"), PARTY_WORD("some"));
}

/*
 * Auto goes with every protocol this version knows, but not with vole in the malicious model: an honest side
 * never asks for that, and one that does must not get it.
 */
static int protocols_agree(const wire_terms *mine, const wire_terms *theirs)
{
    const char *asked = strcmp(mine->protocol, "auto") != 0 ? mine->protocol : theirs->protocol;
    int vole = strcmp(asked, "vole") == 0;
    if (strcmp(asked, "auto") != 0 && strcmp(asked, "ecdh") != 0 && !vole)
        return 0;
    if (vole && (strcmp(mine->security, "malicious") == 0 || strcmp(mine->function, "match") != 0))
        return 0;
    return strcmp(asked, theirs->protocol) == 0 || strcmp(theirs->protocol, "auto") == 0;
}

tally_status party_terms_compare(const wire_terms *mine, const wire_terms *theirs, party_form *form,
                                 tally_error *error)
{
    char list[LIST] = "";
    if (strcmp(mine->role, theirs->role) == 0)
        differ(list, sizeof list, "role", mine->role, theirs->role);
    if (strcmp(mine->function, theirs->function) != 0)
        differ(list, sizeof list, "function", mine->function, theirs->function);
    if (!protocols_agree(mine, theirs))
        differ(list, sizeof list, "protocol", mine->protocol, theirs->protocol);
    if (strcmp(mine->security, theirs->security) != 0)
        differ(list, sizeof list, "security", mine->security, theirs->security);
    if (strcmp(mine->reveal, theirs->reveal) != 0)
        differ(list, sizeof list, "reveal-to", mine->reveal, theirs->reveal);
    size_t keys = mine->key_count > theirs->key_count ? mine->key_count : theirs->key_count;
    for (size_t k = 0; k < keys; k++) {
        const char *here = k < mine->key_count ? mine->keys[k] : PARTY_WORD("none");
        const char *there = k < theirs->key_count ? theirs->keys[k] : PARTY_WORD("none");
        char field[96];
        party_both(field, sizeof field, "key %zu", k + 1);
        if (strcmp(here, there) != 0)
            differ(list, sizeof list, field, here, there);
    }
    compare_columns(mine, theirs, form, list, sizeof list);
    compare_aggregate(mine, theirs, list, sizeof list);
    if (!*list)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_INCOMPATIBLE, "the terms of the run differ: %s", list);
    party_hint(error,
               "both sides have to say the same (and opposite roles); agree on the options and run again");
    return TALLY_ERR_INCOMPATIBLE;
}

/* ---- From the settings ---- */

static const char *const function_names[] = {
    [TALLY_MATCH] = "match", [TALLY_COUNT] = "count", [TALLY_SUM] = "sum"};
static const char *const reveal_names[] = {
    [TALLY_REVEAL_RECEIVER] = "receiver", [TALLY_REVEAL_SENDER] = "sender", [TALLY_REVEAL_BOTH] = "both"};
static const char *const scheme_names[] = {
    [TALLY_SCHEME_AUTO] = "auto", [TALLY_SCHEME_RLWE] = "rlwe", [TALLY_SCHEME_PAILLIER] = "paillier"};
static const char *const duplicates_names[] = {
    [TALLY_DUPLICATES_SUM] = "sum", [TALLY_DUPLICATES_MAX] = "max", [TALLY_DUPLICATES_REFUSE] = "refuse"};

static tally_status usage(tally_error *error, const char *what)
{
    return party_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, what);
}

static tally_status check_match(const tally_session *s, tally_error *error)
{
    if (s->reveal == TALLY_REVEAL_SENDER)
        return usage(error, "the result of a match can be revealed to the receiver or to both");
    if (party_input_values(s->input) || party_input_bands(s->input) || s->peer_band_count)
        return usage(error, "values and bands are for a sum");
    if (s->scheme != TALLY_SCHEME_AUTO)
        return usage(error, "a scheme is for a sum");
    if (s->epsilon_micro)
        return usage(error, "noise is for counts and sums");
    if (s->min_overlap && !s->offer_count && !s->want_count)
        return usage(error, "a minimum overlap of a match holds for columns, and none is offered or wanted");
    if (s->min_overlap > WIRE_SHARED_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "a minimum overlap on columns is at most %u",
                          WIRE_SHARED_MAX);
    return TALLY_OK;
}

static tally_status check_sum(const tally_session *s, tally_error *error)
{
    size_t values = party_input_values(s->input), bands = party_input_bands(s->input);
    if (!values && bands > 1)
        return usage(error, "the side that adds up has bands of one column at most");
    if (!values && s->peer_band_count)
        return usage(error, "bands of the other side are accepted by the side that has the values");
    if (s->min_overlap && bands + s->peer_band_count > 1)
        return usage(error, "with a minimum overlap at most one column has bands");
    if (s->epsilon_micro && values && !s->input->clip) {
        usage(error, "with noise the values have to be clipped to their ranges");
        party_hint(error, "turn clipping on for the input");
        return TALLY_ERR_USAGE;
    }
    /* The owner of the values would see from a refusal on which side of the minimum the exact count is. */
    int owner_receives = (values > 0) == (s->role == TALLY_RECEIVER);
    int owner_learns = s->reveal != (owner_receives ? TALLY_REVEAL_SENDER : TALLY_REVEAL_RECEIVER);
    if (s->epsilon_micro && s->min_overlap && !owner_learns) {
        usage(
            error,
            "a minimum overlap and noise go together only where the side with the values learns the figures");
        party_hint(error, "leave one of them out: a refusal would tell that side about the exact count");
        return TALLY_ERR_USAGE;
    }
    return TALLY_OK;
}

tally_status party_terms_check(const tally_session *s, tally_error *error)
{
    if (s->function != TALLY_MATCH && s->function != TALLY_COUNT && s->function != TALLY_SUM)
        return usage(error, "the function is neither match nor count nor sum");
    if (s->reveal < TALLY_REVEAL_RECEIVER || s->reveal > TALLY_REVEAL_BOTH)
        return usage(error, "the result can be revealed to the receiver, the sender or both");
    if (s->scheme < TALLY_SCHEME_AUTO || s->scheme > TALLY_SCHEME_PAILLIER)
        return usage(error, "the scheme is neither auto nor rlwe nor paillier");
    if (s->function == TALLY_MATCH)
        return check_match(s, error);
    if (s->security == TALLY_MALICIOUS) {
        usage(error, "counts and sums hold against semi-honest peers only");
        party_hint(error,
                   "an active peer could single out members of the list; agree on the semi-honest model");
        return TALLY_ERR_USAGE;
    }
    if (s->protocol == TALLY_VOLE) {
        usage(error, "counts and sums need the protocol ecdh");
        party_hint(error, "take the protocol ecdh or auto");
        return TALLY_ERR_USAGE;
    }
    if (s->offer_count || s->want_count || s->output_path || s->column_count)
        return usage(error, "counts and sums tell no rows: they have neither columns nor an output of rows");
    if (s->function == TALLY_SUM)
        return check_sum(s, error);
    if (party_input_values(s->input) || party_input_bands(s->input) || s->peer_band_count)
        return usage(error, "values and bands are for a sum");
    return s->scheme == TALLY_SCHEME_AUTO ? TALLY_OK : usage(error, "a scheme is for a sum");
}

static void fill_numbers(wire_terms *t, const tally_session *s)
{
    t->value_count = party_input_values(s->input);
    for (size_t i = 0; i < t->value_count; i++) {
        const party_value *v = party_input_value(s->input, i);
        wire_value *to = &t->values[i];
        snprintf(to->name, sizeof to->name, "%s", v->column);
        to->min = v->min;
        to->max = v->max;
        to->scale = v->scale;
    }
    t->band_count = party_input_bands(s->input);
    for (size_t i = 0; i < t->band_count; i++) {
        const party_band *b = party_input_band(s->input, i);
        wire_band *to = &t->bands[i];
        snprintf(to->name, sizeof to->name, "%s", b->column);
        to->scale = b->scale;
        to->count = b->count;
        memcpy(to->edges, b->edges, b->count * sizeof *b->edges);
    }
    t->peer_band_count = s->peer_band_count;
    memcpy(t->peer_bands, s->peer_bands, sizeof t->peer_bands);
    if (t->value_count || t->band_count)
        snprintf(t->duplicates, sizeof t->duplicates, "%s", duplicates_names[s->input->duplicates]);
}

/* How many columns of integers the owner's terms come to. */
static tally_status check_figures(const wire_terms *t, tally_error *error)
{
    psi_aggregate form = {.values = t->value_count,
                          .banded = t->band_count,
                          .ones = t->epsilon_micro != 0,
                          .outside = t->min_overlap && !t->epsilon_micro};
    for (size_t k = 0; k < form.banded; k++)
        form.cells[k] = t->bands[k].count;
    size_t columns = t->value_count ? psi_agg_columns(&form) : 0;
    if (columns <= PSI_AHE_COLUMNS_MAX)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_USAGE, "values and bands come to %zu figures, more than %u", columns,
               PSI_AHE_COLUMNS_MAX);
    party_hint(error, "each value is added up for every band of every column: take fewer");
    return TALLY_ERR_USAGE;
}

void party_terms_words(wire_terms *t, enum tally_function function, enum tally_security security,
                       enum tally_reveal reveal, enum tally_scheme scheme)
{
    snprintf(t->function, sizeof t->function, "%s", function_names[function]);
    snprintf(t->security, sizeof t->security, "%s",
             security == TALLY_MALICIOUS ? "malicious" : "semi-honest");
    snprintf(t->reveal, sizeof t->reveal, "%s", reveal_names[reveal]);
    if (function == TALLY_SUM)
        snprintf(t->scheme, sizeof t->scheme, "%s", scheme_names[scheme]);
}

tally_status party_terms_fill(tally_session *s, tally_error *error)
{
    wire_terms *t = &s->terms;
    int receiver = s->role == TALLY_RECEIVER;
    *t = (wire_terms){.min_overlap = s->min_overlap, .epsilon_micro = s->epsilon_micro};
    party_terms_words(t, s->function, s->security, s->reveal, s->scheme);
    snprintf(t->role, sizeof t->role, "%s", receiver ? "receiver" : "sender");
    snprintf(t->protocol, sizeof t->protocol, "%s", party_protocol_name(s->protocol));
    t->key_count = party_input_keys(s->input);
    for (size_t k = 0; k < t->key_count; k++)
        snprintf(t->keys[k], sizeof t->keys[k], "%s", party_input_key_profile(s->input, k));
    t->column_count = receiver ? s->want_count : s->offer_count;
    memcpy(t->columns, receiver ? s->wants : s->offers, sizeof t->columns);
    if (t->column_count)
        t->rows_per_person = s->rows_per_person ? s->rows_per_person : 1;
    if (s->function == TALLY_MATCH)
        return TALLY_OK;
    fill_numbers(t, s);
    if (s->epsilon_micro) {
        int receiver_computes = party_aggregate_receiver_computes(t->function, t->reveal, t->min_overlap,
                                                                  receiver == (t->value_count > 0));
        int sender_learns = s->reveal != TALLY_REVEAL_RECEIVER,
            receiver_learns = s->reveal != TALLY_REVEAL_SENDER;
        t->dummies = psi_dummies(party_aggregate_padding(
            t->function, receiver_computes ? sender_learns : receiver_learns, s->epsilon_micro));
    }
    return check_figures(t, error);
}
