/* SPDX-License-Identifier: Apache-2.0 */
#include "party/state.h"

#include "party/error.h"
#include "psi/ahe.h"
#include "psi/tagsize.h"

enum count {
    ONE,
    OWN,
    PEER,
    OWN_BYTES,
    CONFIRMED,
    BINS,
    AGG_MASKED,
    AGG_OTHER,
    AGG_VALUES,
    AGG_FIRST_SUMS,
    AGG_SUMS,
    AGG_FIRST_FIGURES,
    AGG_FIGURES
};
enum unit {
    WHOLE = 0,
    POINT = 32,
    TAG = -1,
    EVALUATED = -2,
    BIN = -3,
    ENTRY = -4,      /* tag, then what is sealed for it */
    OPRF_ENTRY = -5, /* the same with a tag of PSI_MALICIOUS_TAG bytes */
    VALUE = -6,      /* of encrypted rows */
    SUM = -7,
    FIGURE = PSI_AHE_PLAIN,
    BYTE = 1,
    LABEL_TAG = PSI_MALICIOUS_TAG
};

struct party_step {
    uint8_t type;
    int8_t unit;   /* bytes, or a rule below zero */
    uint8_t count; /* how many units in all */
    uint8_t part;  /* enum party_part: only in a run that has it; 0: in every run */
};

/* What each role receives, in order. A row with type 0 ends a list. */
static const party_step hellos[] = {{WIRE_HELLO1, WHOLE, ONE, 0}, {WIRE_HELLO2, WHOLE, ONE, 0}, {0, 0, 0, 0}};
static const party_step receiver_semi_honest[] = {
    {WIRE_ECDH_REPLY, TAG, OWN, 0}, {WIRE_ECDH_SENDER, POINT, PEER, 0},
    {WIRE_RECEIPT, WHOLE, ONE, 0},  {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
    {WIRE_DONE, WHOLE, ONE, 0},     {0, 0, 0, 0}};
static const party_step sender_semi_honest[] = {
    {WIRE_ECDH_RECEIVER, POINT, PEER, 0}, {WIRE_MATCHED, BYTE, OWN_BYTES, PARTY_PART_BOTH},
    {WIRE_RECEIPT, WHOLE, ONE, 0},        {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
    {WIRE_DONE, WHOLE, ONE, 0},           {0, 0, 0, 0}};
static const party_step receiver_malicious[] = {{WIRE_OPRF_KEY, POINT, ONE, 0},
                                                {WIRE_OPRF_EVALUATED, EVALUATED, OWN, 0},
                                                {WIRE_OPRF_TAGS, OPRF_ENTRY, PEER, 0},
                                                {WIRE_RECEIPT, WHOLE, ONE, 0},
                                                {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
                                                {WIRE_DONE, WHOLE, ONE, 0},
                                                {0, 0, 0, 0}};
static const party_step sender_malicious[] = {{WIRE_OPRF_BLINDED, POINT, PEER, 0},
                                              {WIRE_MATCHED, BYTE, OWN_BYTES, PARTY_PART_BOTH},
                                              {WIRE_CONFIRM, LABEL_TAG, CONFIRMED, PARTY_PART_BOTH},
                                              {WIRE_RECEIPT, WHOLE, ONE, 0},
                                              {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
                                              {WIRE_DONE, WHOLE, ONE, 0},
                                              {0, 0, 0, 0}};

static const party_step receiver_vole[] = {
    {WIRE_VOLE_CHOICE, WHOLE, ONE, 0}, {WIRE_VOLE_TAGS, ENTRY, PEER, 0},
    {WIRE_RECEIPT, WHOLE, ONE, 0},     {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
    {WIRE_DONE, WHOLE, ONE, 0},        {0, 0, 0, 0}};
static const party_step sender_vole[] = {
    {WIRE_VOLE_OPEN, WHOLE, ONE, 0}, {WIRE_VOLE_TREES, WHOLE, ONE, 0},
    {WIRE_VOLE_BIN, BIN, BINS, 0},   {WIRE_MATCHED, BYTE, OWN_BYTES, PARTY_PART_BOTH},
    {WIRE_RECEIPT, WHOLE, ONE, 0},   {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
    {WIRE_DONE, WHOLE, ONE, 0},      {0, 0, 0, 0}};

static const party_step aggregate_computing[] = {
    {WIRE_AGG_TAGS, TAG, AGG_MASKED, 0},
    {WIRE_AGG_OTHER, POINT, AGG_OTHER, 0},
    {WIRE_AGG_KEY, WHOLE, ONE, PARTY_PART_SUM},
    {WIRE_AGG_VALUES, VALUE, AGG_VALUES, PARTY_PART_SUM},
    {WIRE_AGG_SIZES, FIGURE, AGG_FIRST_FIGURES, PARTY_PART_FIRST},
    {WIRE_AGG_MERGED, WHOLE, ONE, PARTY_PART_MERGED},
    {WIRE_AGG_FIGURES, FIGURE, AGG_FIGURES, PARTY_PART_FIGURES},
    {WIRE_RECEIPT, WHOLE, ONE, 0},
    {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
    {WIRE_DONE, WHOLE, ONE, 0},
    {0, 0, 0, 0}};
static const party_step aggregate_other[] = {{WIRE_AGG_MASKED, POINT, AGG_MASKED, 0},
                                             {WIRE_AGG_SUMS, SUM, AGG_FIRST_SUMS, PARTY_PART_FIRST},
                                             {WIRE_AGG_COUNT, WHOLE, ONE, PARTY_PART_COUNT},
                                             {WIRE_AGG_MERGED, WHOLE, ONE, PARTY_PART_MERGES},
                                             {WIRE_AGG_SUMS, SUM, AGG_SUMS, PARTY_PART_SUM},
                                             {WIRE_RECEIPT, WHOLE, ONE, 0},
                                             {WIRE_RECEIPT, WHOLE, ONE, PARTY_PART_SENDER},
                                             {WIRE_DONE, WHOLE, ONE, 0},
                                             {0, 0, 0, 0}};

void party_state_init(party_state *s)
{
    *s = (party_state){.step = hellos};
}

void party_state_sizes(party_state *s, enum tally_role role, enum tally_protocol protocol,
                       enum tally_security security, int both, uint64_t own, uint64_t peer, size_t tag_width)
{
    int receiver = role == TALLY_RECEIVER;
    const party_step *steps = receiver ? receiver_semi_honest : sender_semi_honest;
    if (protocol == TALLY_VOLE)
        steps = receiver ? receiver_vole : sender_vole;
    else if (security == TALLY_MALICIOUS)
        steps = receiver ? receiver_malicious : sender_malicious;
    *s = (party_state){.step = steps,
                       .own = own,
                       .peer = peer,
                       .confirmed = UINT64_MAX, /* not known, so the step is not passed over */
                       .tag_width = tag_width,
                       .parts = (both ? PARTY_PART_BOTH : 0u) | (receiver ? 0u : PARTY_PART_SENDER)};
}

void party_state_aggregate(party_state *s, int computing, unsigned parts, size_t tag_width,
                           const struct party_agg_sizes *sizes)
{
    *s = (party_state){.step = computing ? aggregate_computing : aggregate_other,
                       .tag_width = tag_width,
                       .parts = parts,
                       .agg = *sizes};
}

void party_state_sums(party_state *s, uint64_t sums, uint64_t figures)
{
    s->agg.sums = sums;
    s->agg.figures = figures;
}

void party_state_bins(party_state *s, size_t bin_bytes, size_t bins)
{
    s->bin_bytes = bin_bytes;
    s->bins = bins;
}

void party_state_sealed(party_state *s, size_t sealed)
{
    s->sealed = sealed;
}

void party_state_confirmed(party_state *s, uint64_t count)
{
    s->confirmed = count;
}

static uint64_t total(const party_state *s)
{
    if (s->step->part && !(s->parts & s->step->part))
        return 0;
    switch ((enum count)s->step->count) {
    case OWN:
        return s->own;
    case PEER:
        return s->peer;
    case OWN_BYTES:
        return (s->own + 7) / 8;
    case CONFIRMED:
        return s->confirmed;
    case BINS:
        return s->bins;
    case AGG_MASKED:
        return s->agg.masked;
    case AGG_OTHER:
        return s->agg.other;
    case AGG_VALUES:
        return s->agg.values;
    case AGG_FIRST_SUMS:
        return s->agg.first_sums;
    case AGG_SUMS:
        return s->agg.sums;
    case AGG_FIRST_FIGURES:
        return s->agg.first_figures;
    case AGG_FIGURES:
        return s->agg.figures;
    case ONE:
        break;
    }
    return 1;
}

static uint64_t unit_bytes(const party_state *s)
{
    switch (s->step->unit) {
    case EVALUATED:
        return POINT; /* and proofs */
    case TAG:
        return s->tag_width;
    case BIN:
        return s->bin_bytes;
    case ENTRY:
        return s->tag_width + s->sealed;
    case OPRF_ENTRY:
        return PSI_MALICIOUS_TAG + s->sealed;
    case VALUE:
        return s->agg.value_bytes;
    case SUM:
        return s->agg.sum_bytes;
    default:
        return (uint64_t)s->step->unit;
    }
}

int party_state_message(const party_state *s, size_t i, party_message *out)
{
    party_state at = *s;
    for (; i && at.step->type; i--)
        at.step++;
    if (!at.step->type)
        return 0;
    int counted = at.step->unit != WHOLE;
    *out = (party_message){at.step->type, total(&at), counted ? unit_bytes(&at) : 0};
    return 1;
}

uint8_t party_state_expects(party_state *s)
{
    while (s->step->type && s->taken == total(s)) {
        s->step++;
        s->taken = 0;
    }
    return s->step->type;
}

uint64_t party_evaluated_items(uint32_t length)
{
    const uint64_t group = 32 * PARTY_PROOF_ITEMS + 64;
    uint64_t full = length / group, rest = length % group;
    if (rest == 0)
        return full * PARTY_PROOF_ITEMS;
    if (rest <= 64 || (rest - 64) % 32 != 0)
        return 0;
    return full * PARTY_PROOF_ITEMS + (rest - 64) / 32;
}

tally_status party_state_take(party_state *s, const party_frame *frame, uint64_t *first, uint64_t *units,
                              tally_error *error)
{
    uint8_t want = party_state_expects(s);
    if (frame->type != want)
        return party_fail(error, TALLY_ERR_MALFORMED, "the peer sent a frame '%s' where '%s' has to come",
                          wire_frame_name(frame->type),
                          want ? wire_frame_name(want) : PARTY_WORD("the end of the stream"));
    uint64_t n = 1;
    if (s->step->unit == EVALUATED) {
        n = party_evaluated_items(frame->length);
    } else if (s->step->unit != WHOLE) {
        uint64_t size = unit_bytes(s);
        n = frame->length % size == 0 ? frame->length / size : 0;
    }
    if (n == 0)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer sent a frame '%s' of %u bytes, which is no whole number of entries",
                          wire_frame_name(want), frame->length);
    if (n > total(s) - s->taken)
        return party_fail(error, TALLY_ERR_MALFORMED,
                          "the peer sent more entries in '%s' than the size it declared",
                          wire_frame_name(want));
    *first = s->taken;
    *units = n;
    s->taken += n;
    return TALLY_OK;
}
