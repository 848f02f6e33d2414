/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements and files of signatures out of any bytes. First byte: which of the two; an agreement is also
 * tried behind a good beginning, and as the value of a field that the byte picks. */
#include "party/agreement.h"
#include "psi/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY(first) "sha256:" first "123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd"

static const char head[] =
    "tally-agreement: 1\n"
    "name: a\n"
    "parties:\n"
    "- {organisation: A, role: receiver, link-key: " KEY("0") ", signing-key: " KEY(
        "1") ", contact: a}\n"
             "- {organisation: B, role: sender, link-key: " KEY("2") ", signing-key: " KEY(
                 "3") ", contact: b}\n"
                      "purpose: p\n"
                      "legal-basis: l\n"
                      "valid-from: 2026-01-01\n"
                      "valid-until: 2026-12-31\n"
                      "keys: [{receiver-column: i, sender-column: j}]\n";

static void must(int holds)
{
    if (!holds)
        abort();
}

/* As a file that is read: with room behind it; psi_free. */
static char *put(const char *before, const uint8_t *data, size_t size, size_t *len)
{
    size_t first = strlen(before);
    char *bytes = psi_calloc(first + size + 2, 1);
    must(bytes != NULL);
    memcpy(bytes, before, first);
    memcpy(bytes + first, data, size);
    *len = first + size;
    return bytes;
}

/* What was taken can be shown, and differs from itself in nothing. */
static void look_at(tally_agreement *a)
{
    char *text[] = {tally_agreement_fields(a), tally_agreement_json(a), tally_agreement_learns(a),
                    tally_agreement_learns_json(a), NULL};
    must(tally_agreement_diff(a, a, 1, &text[4], NULL) == TALLY_OK);
    for (size_t i = 0; i < 5; i++) {
        must(text[i] && *text[i]);
        free(text[i]);
    }
}

static void try_agreement(const char *before, const uint8_t *data, size_t size)
{
    tally_agreement *a = NULL;
    tally_error error = {.hint = ""};
    size_t len;
    char *bytes = put(before, data, size, &len);
    tally_status st = party_agreed_take("a.yaml", bytes, len, &a, &error);
    must(st == TALLY_OK || (st == TALLY_ERR_INPUT && !a && error.message[0] && error.hint[0]));
    if (!st)
        look_at(a);
    tally_agreement_free(a);
}

static void try_signatures(const uint8_t *data, size_t size)
{
    tally_agreement *a = NULL;
    tally_error error;
    size_t len;
    char *bytes = put(head, (const uint8_t *)"function: match\n", 16, &len);
    must(party_agreed_take("a.yaml", bytes, len, &a, &error) == TALLY_OK);
    bytes = put(data[0] & 2 ? "tally-agreement-signatures 1\n" : "", data, size, &len);
    tally_status st = party_agreed_signatures(a, "a.sig", bytes, len, &error);
    must(st == TALLY_ERR_INPUT || st == TALLY_ERR_AUTH || st == TALLY_ERR_DIFFERS);
    must(tally_agreement_signed(a, 0) != TALLY_SIGNED && tally_agreement_signed(a, 1) != TALLY_SIGNED);
    psi_free(bytes);
    tally_agreement_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 1)
        try_signatures(data + 1, size - 1);
    else {
        try_agreement("", data + 1, size - 1);
        try_agreement(head, data + 1, size - 1);
        char before[sizeof head + 64];
        static const char *const functions[] = {"match", "count", "sum"};
        const party_agreed_field *field = &party_agreed_fields[(data[0] >> 1) % AGREED_FIELDS];
        snprintf(before, sizeof before, "%sfunction: %s\n%s: ", head, functions[data[0] % 3], field->name);
        try_agreement(before, data + 1, size - 1);
    }
    return 0;
}
