/* SPDX-License-Identifier: Apache-2.0 */
#include "party/sizes.h"

#include "party/error.h"
#include "party/input.h"
#include "party/session.h"
#include "psi/tagsize.h"
#include "psi/verify.h"
#include "psi/vole_setup.h"

#include <string.h>

/* Payload of a message that goes whole. */
static uint64_t whole_bytes(const party_sizes *s, uint8_t type)
{
    const party_aggregate *a = &s->aggregate;
    switch (type) {
    case WIRE_VOLE_OPEN:
        return PSI_VOLE_OPEN;
    case WIRE_VOLE_CHOICE:
        return psi_vole_choice_bytes(&s->vole);
    case WIRE_VOLE_TREES:
        return psi_vole_trees_bytes(&s->vole);
    case WIRE_AGG_KEY:
        return a->plan.key_bytes;
    case WIRE_AGG_COUNT:
        return 8 * a->groups;
    case WIRE_AGG_MERGED:
        return party_merged_bytes(a);
    default:
        return 0;
    }
}

static void add(party_sizes *s, unsigned to, const party_message *m)
{
    uint64_t payload = m->units * m->unit_bytes, frames = 1;
    if (!m->units)
        return;
    if (!m->unit_bytes) {
        payload = whole_bytes(s, m->type);
    } else {
        size_t batch = party_batch(m->type, (size_t)m->unit_bytes);
        frames = (m->units + batch - 1) / batch;
    }
    if (m->type == WIRE_OPRF_EVALUATED)
        payload += 64 * ((m->units + PARTY_PROOF_ITEMS - 1) / PARTY_PROOF_ITEMS);
    PSI_CHECK(s->count < PARTY_SENT_MAX);
    s->sent[s->count++] =
        (party_sent){m->type, (uint8_t)to, m->units, frames, payload + frames * WIRE_HEADER};
}

/* What comes to a side, from its rows of the state table. */
static void add_all(party_sizes *s, unsigned side, const party_state *state)
{
    party_message m;
    for (size_t i = 0; party_state_message(state, i, &m); i++)
        if (m.type != WIRE_RECEIPT && m.type != WIRE_DONE)
            add(s, side, &m);
}

static tally_status add_aggregate(party_sizes *s, const wire_terms terms[2], tally_error *error)
{
    uint8_t show[PSI_AHE_COLUMNS_MAX];
    uint64_t batch[PSI_AHE_GROUPS_MAX];
    for (unsigned side = 0; side < 2; side++) {
        party_aggregate *a = &s->aggregate;
        party_aggregate_free(a);
        /* The computing side's view last: it stays. */
        unsigned at = side ? s->computing : !s->computing;
        party_aggregate_agree(a, &terms[at], &terms[!at]);
        for (size_t g = 0; g < a->groups; g++)
            batch[g] = s->items[s->computing] / a->groups + (g < s->items[s->computing] % a->groups);
        tally_status st =
            party_aggregate_size(a, s->items[at], s->items[!at], batch, a->groups > 1 ? a->groups : 0, error);
        if (st)
            return st;
        party_state state;
        s->tag = psi_tag_bytes(a->masked, a->others);
        party_aggregate_state(a, &state, s->tag);
        if (a->sum) {
            party_aggregate_show(a, 0, show);
            party_state_sums(&state, party_aggregate_groups(a) * psi_ahe_sum_units(&a->plan, show),
                             party_aggregate_groups(a) * party_aggregate_shown(a, show));
        }
        add_all(s, at, &state);
    }
    s->aggregate.owner = s->aggregate.adder = NULL; /* the caller's terms, which end before this does */
    return TALLY_OK;
}

static tally_status add_match(party_sizes *s, tally_error *error)
{
    const uint64_t *n = s->items;
    s->tag = psi_tag_bytes(n[0], n[1]);
    if (s->protocol == TALLY_VOLE && psi_vole_sizes_init(&s->vole, s->k, n[0], n[1]))
        return party_fail(error, TALLY_ERR_USAGE,
                          "the lists are too large for one run: at most 2^30 identifiers a side");
    for (unsigned at = 0; at < 2; at++) {
        party_state state;
        party_state_sizes(&state, at == PARTY_AT_RECEIVER ? TALLY_RECEIVER : TALLY_SENDER, s->protocol,
                          s->active ? TALLY_MALICIOUS : TALLY_SEMI_HONEST, s->both, n[at], n[!at], s->tag);
        party_state_sealed(&state, s->sealed);
        party_state_bins(&state, PSI_VOLE_SEED + s->vole.bin_bytes, s->vole.bins);
        party_state_confirmed(&state, 0); /* as many as match, which nobody knows */
        add_all(s, at, &state);
    }
    return TALLY_OK;
}

tally_status party_sizes_init(party_sizes *s, const wire_terms terms[2], tally_error *error)
{
    s->count = 0;
    memset(&s->aggregate, 0, sizeof s->aggregate);
    for (unsigned at = 0; at < 2; at++)
        if (s->items[at] > WIRE_ITEMS_MAX)
            return party_fail(error, TALLY_ERR_USAGE,
                              "the lists are too large for one run: at most 2^30 identifiers a side");
    if (s->function == TALLY_MATCH)
        return add_match(s, error);
    s->computing = party_aggregate_receiver_computes(terms[0].function, terms[0].reveal, terms[0].min_overlap,
                                                     terms[0].value_count > 0)
                       ? PARTY_AT_RECEIVER
                       : PARTY_AT_SENDER;
    return add_aggregate(s, terms, error);
}

tally_status party_sizes_of(party_sizes *s, const tally_session *session, tally_error *error)
{
    unsigned own = session->role == TALLY_RECEIVER ? PARTY_AT_RECEIVER : PARTY_AT_SENDER;
    wire_terms terms[2];
    size_t items;
    party_input_items(session->input, &items);
    *s = (party_sizes){.function = session->function,
                       .protocol = session->chosen,
                       .active = session->run.security == TALLY_MALICIOUS,
                       .k = session->run.vole_k,
                       .sealed = session->form.sealed,
                       .both = session->reveal == TALLY_REVEAL_BOTH};
    s->items[own] = items;
    s->items[!own] = session->peer_items;
    terms[own] = session->terms;
    terms[!own] = session->peer_hello.terms;
    return party_sizes_init(s, terms, error);
}

void party_sizes_free(party_sizes *s)
{
    party_aggregate_free(&s->aggregate);
}

uint64_t party_sizes_bytes(const party_sizes *s, uint8_t type)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->count; i++)
        bytes += s->sent[i].type == type ? s->sent[i].bytes : 0;
    return bytes;
}

uint64_t party_sizes_to(const party_sizes *s, unsigned side)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->count; i++)
        bytes += s->sent[i].to == side ? s->sent[i].bytes : 0;
    return bytes;
}
