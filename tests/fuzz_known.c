/* SPDX-License-Identifier: Apache-2.0 */
/* What the home knows of peers, and URIs of tokens. First byte: which parser; the rest: its input. 0
 * statements of rotation, 1 the list of revoked keys, 2 a URI. */
#include "party/known.h"
#include "party/rotation.h"
#include "party/token.h"
#include "psi/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
    if (!ok)
        abort();
}

/* What was taken comes out again as it was, carriage returns aside. */
static void fuzz_rotation(const char *text, size_t len)
{
    static party_rotation all[PARTY_ROTATIONS_ALL];
    char out[PARTY_ROTATION_TEXT];
    size_t count = 0;
    tally_error error;
    tally_status st = party_rotation_parse(all, PARTY_ROTATIONS_ALL, &count, "f", text, len, &error);
    need(st == TALLY_OK || st == TALLY_ERR_INPUT || st == TALLY_ERR_DIFFERS);
    need(st == TALLY_OK || error.message[0]);
    for (size_t i = 0; !st && i < count; i++) {
        party_rotation_text(out, &all[i]);
        need(strlen(out) < sizeof out);
        need(memchr(text, '\r', len) || memmem(text, len, out, strlen(out)) != NULL);
    }
}

static void fuzz_revoked(const char *text, size_t len)
{
    party_known known = {.revoked = NULL};
    tally_error error;
    size_t lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    if (party_revoked_parse(&known, "f", text, len, &error))
        need(error.message[0] && !known.revoked_count);
    else
        need(known.revoked_count == lines);
    for (size_t i = 0; i < known.revoked_count; i++)
        need(party_known_revoked(&known, known.revoked[i].pin32) != NULL);
    psi_free(known.revoked);
}

static void fuzz_uri(const char *text)
{
    party_token_uri u;
    tally_error error;
    if (party_token_uri_parse(&u, text, "w", &error)) {
        need(error.status == TALLY_ERR_INPUT && error.message[0]);
        return;
    }
    need((*u.object || u.id_len) && u.id_len <= sizeof u.id);
    need(strlen(u.token) < sizeof u.token && strlen(u.pin_source) < sizeof u.pin_source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = malloc(size);
    need(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] % 3 == 0)
        fuzz_rotation(text, size - 1);
    else if (data[0] % 3 == 1)
        fuzz_revoked(text, size - 1);
    else
        fuzz_uri(text);
    free(text);
    return 0;
}
