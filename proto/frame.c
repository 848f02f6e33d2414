/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/frame.h"

#include "proto/limits.h"
#include "psi/verify.h"

/* Every known type; a limit of 0 means that the frame is empty, otherwise it has at least one byte. */
static const struct kind {
    uint8_t type;
    uint32_t limit;
    const char *name;
} kinds[] = {
    {WIRE_HELLO1, WIRE_HELLO1_MAX, "hello 1"},
    {WIRE_HELLO2, WIRE_HELLO2_MAX, "hello 2"},
    {WIRE_ABORT, WIRE_ABORT_MAX, "abort"},
    {WIRE_HEARTBEAT, 0, "heartbeat"},
    {WIRE_DONE, 0, "done"},
    {WIRE_RECEIPT, WIRE_RECEIPT_MAX, "receipt"},
    {WIRE_PROBE, WIRE_PROBE_MAX, "probe of the line"},
    {WIRE_PING, WIRE_PING_MAX, "ping"},
    {WIRE_ECDH_RECEIVER, WIRE_BULK_MAX, "receiver's masked items"},
    {WIRE_ECDH_REPLY, WIRE_BULK_MAX, "tags of the receiver's items"},
    {WIRE_ECDH_SENDER, WIRE_BULK_MAX, "sender's masked items"},
    {WIRE_OPRF_KEY, 32, "public key"},
    {WIRE_OPRF_BLINDED, WIRE_BULK_MAX, "blinded items"},
    {WIRE_OPRF_EVALUATED, WIRE_BULK_MAX, "evaluated items"},
    {WIRE_OPRF_TAGS, WIRE_BULK_MAX, "sender's tags"},
    {WIRE_VOLE_OPEN, 8193, "base OT points"},
    {WIRE_VOLE_CHOICE, 64 + 16 * 944, "OT extension"},
    {WIRE_VOLE_TREES, 32 * 942, "tree corrections"},
    {WIRE_VOLE_BIN, WIRE_BIN_MAX, "masked table of a bin"},
    {WIRE_VOLE_TAGS, WIRE_BULK_MAX, "sender's tags of all bins"},
    {WIRE_AGG_MASKED, WIRE_BULK_MAX, "masked items of the side that adds up"},
    {WIRE_AGG_TAGS, WIRE_BULK_MAX, "tags of the side that adds up"},
    {WIRE_AGG_OTHER, WIRE_BULK_MAX, "masked items of the other side"},
    {WIRE_AGG_KEY, WIRE_KEY_MAX, "key of the values"},
    {WIRE_AGG_VALUES, WIRE_BULK_MAX, "encrypted values"},
    {WIRE_AGG_COUNT, 8 * WIRE_EDGES_MAX, "counts"},
    {WIRE_AGG_MERGED, (WIRE_EDGES_MAX + 7) / 8, "merged bands"},
    {WIRE_AGG_SUMS, WIRE_BULK_MAX, "encrypted sums"},
    {WIRE_AGG_FIGURES, WIRE_BULK_MAX, "figures"},
    {WIRE_AGG_SIZES, WIRE_BULK_MAX, "sizes of bands"},
    {WIRE_MATCHED, WIRE_BULK_MAX, "matches"},
    {WIRE_CONFIRM, WIRE_BULK_MAX, "confirmations"},
};

static const struct kind *find(uint8_t type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

uint32_t wire_frame_limit(uint8_t type)
{
    const struct kind *k = find(type);
    return k ? k->limit : 0;
}

int wire_frame_known(uint8_t type)
{
    return find(type) != NULL;
}

const char *wire_frame_name(uint8_t type)
{
    const struct kind *k = find(type);
    return k ? k->name : "unknown";
}

static void put32(uint8_t out[4], uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void wire_header_build(uint8_t out[WIRE_HEADER], const wire_header *h)
{
    PSI_CHECK(wire_frame_known(h->type) && h->length <= wire_frame_limit(h->type));
    put32(out, h->length);
    put32(out + 4, h->sequence);
    out[8] = h->type;
    out[9] = out[10] = out[11] = 0;
}

tally_status wire_header_parse(wire_header *out, const uint8_t in[WIRE_HEADER], uint32_t expected_sequence,
                               const char **why)
{
    const struct kind *k = find(in[8]);
    uint32_t length = get32(in), sequence = get32(in + 4);
    if (!k)
        *why = "unknown frame type";
    else if (in[9] | in[10] | in[11])
        *why = "reserved bytes of the header are not zero";
    else if (length > k->limit)
        *why = "longer than its type allows";
    else if (length == 0 && k->limit != 0)
        *why = "empty where a payload must be";
    else if (sequence != expected_sequence)
        *why = "out of order: not the next sequence number";
    else {
        *out = (wire_header){.length = length, .sequence = sequence, .type = in[8]};
        return TALLY_OK;
    }
    return TALLY_ERR_MALFORMED;
}
