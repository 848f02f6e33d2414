/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements and files of signatures out of any bytes. First byte: which of the two; an agreement is also
 * tried behind a good beginning, so that the fields behind it are reached. */
#include "party/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static const char *path(void)
{
    static char name[64];
    snprintf(name, sizeof name, "/tmp/tally-fuzz-agreement-%ld", (long)getpid());
    return name;
}

static void put(const char *before, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path(), "wb");
    must(f && fwrite(before, 1, strlen(before), f) == strlen(before) && fwrite(data, 1, size, f) == size &&
         !fclose(f));
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
    put(before, data, size);
    tally_status st = tally_agreement_load(path(), &a, &error);
    must(st == TALLY_OK || (st == TALLY_ERR_INPUT && !a && error.message[0] && error.hint[0]));
    if (!st)
        look_at(a);
    tally_agreement_free(a);
}

static void try_signatures(const uint8_t *data, size_t size)
{
    tally_agreement *a = NULL;
    tally_error error;
    put(head, (const uint8_t *)"function: match\n", 16);
    must(tally_agreement_load(path(), &a, &error) == TALLY_OK);
    put(data[0] & 2 ? "tally-agreement-signatures 1\n" : "", data, size);
    tally_status st = tally_agreement_add_signatures(a, path(), &error);
    must(st == TALLY_ERR_INPUT || st == TALLY_ERR_AUTH || st == TALLY_ERR_DIFFERS);
    must(tally_agreement_signed(a, 0) != TALLY_SIGNED && tally_agreement_signed(a, 1) != TALLY_SIGNED);
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
    }
    unlink(path());
    return 0;
}
