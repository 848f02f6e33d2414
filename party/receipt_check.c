/* SPDX-License-Identifier: Apache-2.0 */
/* A kept receipt and its two signatures, for who reads a report. */
#include "party/error.h"
#include "party/identity.h"
#include "party/receipt.h"

#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 128 hex digits: 1. */
static int signature_of(const char *hex, uint8_t out64[64])
{
    if (strlen(hex) != 128)
        return 0;
    for (size_t i = 0; i < 64; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out64[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

static tally_status check_side(const char *text, const party_receipt_side *side, const char *hex,
                               tally_receipt_signature *out)
{
    uint8_t signature64[64];
    *out = (tally_receipt_signature){.state = TALLY_UNSIGNED};
    if (side->signs) {
        tally_status st = party_sign_fingerprint(side->public32, out->key);
        if (st)
            return st;
    }
    if (!hex || !*hex)
        return TALLY_OK;
    out->state = signature_of(hex, signature64) && !party_receipt_verify(text, side, signature64)
                     ? TALLY_SIGNED
                     : TALLY_SIGNATURE_BAD;
    return TALLY_OK;
}

tally_status tally_receipt_check(const char *text, const char *const signatures[2],
                                 tally_receipt_signature out[2], tally_error *error)
{
    party_receipt_run run;
    tally_receipt_signature found[2];
    if (party_receipt_read(text, &run))
        return party_fail(error, TALLY_ERR_DIFFERS, "this is not the text of a receipt");
    for (size_t i = 0; i < 2; i++) {
        tally_status st = check_side(text, &run.side[i], signatures[i], &found[i]);
        if (st)
            return party_fail(error, st, "the signatures of a receipt could not be checked");
    }
    memcpy(out, found, sizeof found);
    return TALLY_OK;
}
