/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proof and its checkpoint, any bytes, a zero between them; both parsers, and that of leaves. The first
 * byte chooses whether what follows is a leaf whose tree of one record is then made to fit, so that a proof
 * of it is looked at to its end.
 */
#include "party/ledger_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void try_both(const char *proof, const char *checkpoint)
{
    tally_error error;
    char *shown = NULL;
    tally_status st = tally_proof_check(proof, checkpoint, NULL, &shown, &error);
    must((st == TALLY_OK) == (shown != NULL));
    must(st == TALLY_OK || (st == TALLY_ERR_DIFFERS && *error.message && *error.hint));
    free(shown);
}

/* A ledger of one record, whatever the record is. */
static void try_leaf(const uint8_t *leaf, size_t len)
{
    const char *origin = "tally/ledger/0123456789abcdef";
    const psi_part part = {leaf, len};
    uint8_t root[32];
    char note[PARTY_NOTE];
    party_record r;
    uint64_t seq = 0, run = party_leaf_read(leaf, len, &r, &seq) ? r.run : 1;
    size_t room = PARTY_BASE64(len) + 256;
    char *text = malloc(PARTY_BASE64(len) + 1), *proof = malloc(room);
    must(text && proof);
    psi_merkle_leaf(&part, 1, root);
    must(party_note_make(NULL, origin, 1, root, note) == TALLY_OK);
    party_base64_write(text, leaf, len);
    snprintf(proof, room, "tally-ledger-proof 1\norigin %s\nrun %llu\nsize 1\nrecord 1\nleaf %s\n", origin,
             (unsigned long long)run, text);
    try_both(proof, note);
    free(proof);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 1) {
        try_leaf(data + 1, size - 1);
        return 0;
    }
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = text[size] = 0;
    const char *second = memchr(text, 0, size);
    try_both(text, second < text + size - 1 ? second + 1 : "");
    free(text);
    return 0;
}
