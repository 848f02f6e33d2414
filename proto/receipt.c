/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/receipt.h"

#include "proto/budget.h"
#include "proto/tally.pb-c.h"
#include "psi/verify.h"
#include <string.h>

#define ROWS_MAX (1ull << 32)

tally_status wire_receipt_build(const wire_receipt *receipt, uint8_t **out, size_t *len)
{
    wire_receipt r = *receipt; /* protobuf-c wants pointers to what may be changed */
    Tally__Facts facts = TALLY__FACTS__INIT;
    Tally__Receipt message = TALLY__RECEIPT__INIT;
    facts.time = r.facts.time;
    facts.without_consent = r.facts.without_consent;
    facts.share = (uint32_t)r.facts.share;
    if (r.facts.has_result)
        facts.result = (ProtobufCBinaryData){.len = sizeof r.facts.result32, .data = r.facts.result32};
    if (r.facts.has_ledger)
        facts.ledger = (ProtobufCBinaryData){.len = sizeof r.facts.ledger32, .data = r.facts.ledger32};
    if (r.has_facts)
        message.facts = &facts;
    if (r.has_digest)
        message.digest = (ProtobufCBinaryData){.len = sizeof r.digest32, .data = r.digest32};
    if (r.has_signature)
        message.signature = (ProtobufCBinaryData){.len = sizeof r.signature64, .data = r.signature64};
    size_t size = tally__receipt__get_packed_size(&message);
    PSI_CHECK(size && size <= WIRE_RECEIPT_MAX);
    uint8_t *buffer = psi_calloc(size, 1);
    if (!buffer)
        return TALLY_ERR_NO_MEMORY;
    *len = tally__receipt__pack(&message, buffer);
    *out = buffer;
    return TALLY_OK;
}

/* Copies exactly size bytes, or none. 0: another length. */
static int take_bytes(int *has, uint8_t *out, size_t size, const ProtobufCBinaryData *in)
{
    *has = in->len != 0;
    if (in->len == size)
        memcpy(out, in->data, size);
    return in->len == 0 || in->len == size;
}

static const char *take_facts(wire_facts *out, const Tally__Facts *in)
{
    if (in->time < 0 || in->time > WIRE_TIME_MAX)
        return "receipt: time must be in the years 1970 to 9999";
    if (in->without_consent > ROWS_MAX)
        return "receipt: without_consent is above 2^32";
    if (in->share > WIRE_SHARE_EXCEEDED)
        return "receipt: share must be 0, 1 or 2";
    if (!take_bytes(&out->has_result, out->result32, sizeof out->result32, &in->result))
        return "receipt: result must be 32 bytes or none";
    if (!take_bytes(&out->has_ledger, out->ledger32, sizeof out->ledger32, &in->ledger))
        return "receipt: ledger must be 32 bytes or none";
    out->time = in->time;
    out->without_consent = in->without_consent;
    out->share = (enum wire_share)in->share;
    return NULL;
}

static const char *take_receipt(wire_receipt *out, const Tally__Receipt *in)
{
    if (!take_bytes(&out->has_digest, out->digest32, sizeof out->digest32, &in->digest))
        return "receipt: digest must be 32 bytes or none";
    if (!take_bytes(&out->has_signature, out->signature64, sizeof out->signature64, &in->signature))
        return "receipt: signature must be 64 bytes or none";
    out->has_facts = in->facts != NULL;
    return in->facts ? take_facts(&out->facts, in->facts) : NULL;
}

tally_status wire_receipt_parse(wire_receipt *out, const uint8_t *in, size_t len, const char **why)
{
    wire_budget b;
    wire_receipt receipt = {.has_facts = 0};
    if (len > WIRE_RECEIPT_MAX) {
        *why = "receipt: longer than 512 bytes";
        return TALLY_ERR_MALFORMED;
    }
    wire_budget_init(&b);
    Tally__Receipt *message = tally__receipt__unpack(&b.allocator, len, in);
    if (!message)
        return wire_budget_failed(&b, why, "receipt: too many fields",
                                  "receipt: not a protocol buffer of this kind");
    const char *wrong = take_receipt(&receipt, message);
    tally__receipt__free_unpacked(message, &b.allocator);
    if (wrong) {
        *why = wrong;
        return TALLY_ERR_MALFORMED;
    }
    *out = receipt;
    return TALLY_OK;
}
