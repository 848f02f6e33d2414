/* SPDX-License-Identifier: Apache-2.0 */
/* The receipt: its messages and, behind a first byte of 0xff, the text that a ledger keeps. */
#include "party/receipt.h"
#include "proto/receipt.h"
#include "psi/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message(const uint8_t *data, size_t size)
{
    wire_receipt receipt, back;
    const char *why = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    tally_status status = wire_receipt_parse(&receipt, data, size, &why);
    if (status == TALLY_ERR_MALFORMED && why && strncmp(why, "receipt: ", 9) == 0)
        return;
    if (status)
        abort();
    if (!receipt.has_facts && !receipt.has_digest && !receipt.has_signature)
        return; /* an empty message, which no frame holds */
    if (wire_receipt_build(&receipt, &out, &len) || wire_receipt_parse(&back, out, len, &why) ||
        back.has_facts != receipt.has_facts || back.has_digest != receipt.has_digest ||
        back.has_signature != receipt.has_signature || back.facts.time != receipt.facts.time ||
        back.facts.without_consent != receipt.facts.without_consent ||
        back.facts.share != receipt.facts.share)
        abort();
    psi_free(out);
}

static void text(const uint8_t *data, size_t size)
{
    party_receipt_run run;
    party_receipt again;
    char *copy = malloc(size + 1);
    if (!copy)
        return;
    memcpy(copy, data, size);
    copy[size] = 0;
    /* What is read is what would be written. */
    if (!party_receipt_read(copy, &run) &&
        (party_receipt_write(&again, &run) || strcmp(again.text, copy) != 0))
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] == 0xff)
        text(data + 1, size - 1);
    else
        message(data, size);
    return 0;
}
