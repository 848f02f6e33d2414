/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages that make the receipt (tally.proto): build and parse, with every limit checked. Called by
 * party/receipt.
 */
#ifndef WIRE_RECEIPT_H
#define WIRE_RECEIPT_H

#include "proto/limits.h"
#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

/* Was the agreed share of matches exceeded? Said by a side that knows, where there is such a share. */
enum wire_share { WIRE_SHARE_UNSAID = 0, WIRE_SHARE_WITHIN = 1, WIRE_SHARE_EXCEEDED = 2 };

#define WIRE_TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z: four digits of a year */

/* One side's part. */
typedef struct wire_facts {
    int64_t time;             /* seconds since 1970, UTC, 0 .. WIRE_TIME_MAX */
    uint64_t without_consent; /* rows left out, at most 2^32 */
    enum wire_share share;
    int has_result;
    uint8_t result32[32]; /* hiding commitment */
    int has_ledger;
    uint8_t ledger32[32];
} wire_facts;

typedef struct wire_receipt {
    int has_facts;
    wire_facts facts;
    int has_digest; /* of the receipt's text */
    uint8_t digest32[32];
    int has_signature;
    uint8_t signature64[64];
} wire_receipt;

/* *out is allocated (release with psi_free), *len its bytes. TALLY_ERR_NO_MEMORY. */
tally_status wire_receipt_build(const wire_receipt *receipt, uint8_t **out, size_t *len) TALLY_MUST_CHECK;
/* TALLY_ERR_MALFORMED with *why a fixed phrase that names the field, TALLY_ERR_NO_MEMORY; *out untouched on
 * failure. */
tally_status wire_receipt_parse(wire_receipt *out, const uint8_t *in, size_t len,
                                const char **why) TALLY_MUST_CHECK;

#endif
