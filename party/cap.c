/* SPDX-License-Identifier: Apache-2.0 */
#include "party/cap.h"

#include "party/error.h"
#include "party/estimate.h"
#include "party/input.h"

#include <string.h>

/* The protocol and its form as hello 2 will settle them. */
static void fill_sizes(party_sizes *z, const tally_session *s, size_t own_items, uint64_t peer_items)
{
    unsigned own = s->role == TALLY_RECEIVER ? PARTY_AT_RECEIVER : PARTY_AT_SENDER;
    int malicious = s->security == TALLY_MALICIOUS;
    const char *mine = s->terms.protocol, *theirs = s->peer_hello.terms.protocol, *why;
    const char *named = strcmp(mine, "auto") != 0 ? mine : theirs;
    enum tally_protocol asked = strcmp(named, "vole") == 0   ? TALLY_VOLE
                                : strcmp(named, "ecdh") == 0 ? TALLY_ECDH
                                                             : TALLY_AUTO;
    *z = (party_sizes){.function = s->function,
                       .protocol = party_choose(asked, s->function, malicious, own_items, peer_items, &why),
                       .k = s->vole_k ? s->vole_k : party_vole_k(0),
                       .sealed = s->form.sealed,
                       .both = s->reveal == TALLY_REVEAL_BOTH};
    z->active = z->protocol == TALLY_ECDH && (malicious || s->form.count);
    z->items[own] = own_items;
    z->items[!own] = peer_items;
}

tally_status party_cap_check(const tally_session *s, uint64_t peer_items, tally_error *error)
{
    unsigned own = s->role == TALLY_RECEIVER ? PARTY_AT_RECEIVER : PARTY_AT_SENDER;
    party_sizes sizes;
    party_place place = {.same_machine = 0};
    tally_input_stats stats;
    wire_terms terms[2];
    size_t own_items;
    if (!s->memory_limit)
        return TALLY_OK;
    party_input_items(s->input, &own_items);
    tally_input_get_stats(s->input, &stats);
    fill_sizes(&sizes, s, own_items, peer_items);
    terms[own] = s->terms;
    terms[!own] = s->peer_hello.terms;
    tally_status st = party_sizes_init(&sizes, terms, error);
    if (!st) {
        place.rows[own] = stats.accepted;
        place.numbers[own] = terms[own].value_count;
        place.threads[own] = party_pool_size(s->pool);
        uint64_t bytes = party_matching_bytes(&sizes, &place, own);
        if (bytes > s->memory_limit) {
            st = party_fail(
                error, TALLY_ERR_NO_MEMORY,
                "the run will need about %llu bytes of memory, and the limit of this session is %llu",
                (unsigned long long)bytes, (unsigned long long)s->memory_limit);
            party_hint(error, "raise the limit, use fewer threads, or split the list");
        }
    }
    party_sizes_free(&sizes);
    return st;
}
