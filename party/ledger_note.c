/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints as text, build and parse: C2SP tlog-checkpoint, which is a C2SP signed-note.
 *
 *   tally/ledger/0123456789abcdef      origin
 *   42                                 records
 *   <root, base64>
 *                                      an empty line, and what follows, only when it is signed
 *   — tally/ledger/0123456789abcdef <base64 of 4 bytes that tell the key, 64 of the signature>
 *
 * Others may add lines of their own at the end: a witness that countersigns. And the small change of texts:
 * base64, hex, a text that grows.
 */
#include "party/ledger_impl.h"

#include "party/identity.h"
#include "psi/mem.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DASH "\xe2\x80\x94 " /* the em dash that starts a line of a signature */
#define ORIGIN "tally/ledger/"
#define SIGNED (4 + 64) /* bytes of a signature with what tells the key */

/* ---- Base64 and hex ---- */

void party_base64_write(char *out, const uint8_t *bytes, size_t len)
{
    EVP_EncodeBlock((uint8_t *)out, bytes, (int)len);
}

int party_base64_read(uint8_t *out, size_t len, const char *text, size_t text_len)
{
    int good = 0;
    if (text_len != PARTY_BASE64(len) || text_len > INT32_MAX)
        return 0;
    uint8_t *bytes = psi_calloc(text_len + 4, 1);
    char *again = psi_calloc(text_len + 4, 1);
    if (bytes && again && EVP_DecodeBlock(bytes, (const uint8_t *)text, (int)text_len) >= (int)len) {
        party_base64_write(again, bytes, len);
        good = strlen(again) == text_len && memcmp(again, text, text_len) == 0;
    }
    if (good)
        memcpy(out, bytes, len);
    psi_free(again);
    psi_free(bytes);
    return good;
}

void party_hex_write(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = 0;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int party_hex_read(uint8_t *out, size_t len, const char *text)
{
    if (strlen(text) != 2 * len)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

/* ---- Text that grows ---- */

static int make_room(party_text *t, size_t more)
{
    size_t room = t->room ? t->room : 1024;
    while (!t->failed && room - t->used <= more)
        room = room <= SIZE_MAX / 2 ? 2 * room : (t->failed = 1, room);
    if (!t->failed && room != t->room) {
        char *at = realloc(t->at, room);
        t->failed = !at;
        t->at = at ? at : t->at;
        t->room = at ? room : t->room;
    }
    return !t->failed;
}

void party_text_add_bytes(party_text *t, const char *bytes, size_t len)
{
    if (!make_room(t, len))
        return;
    if (len)
        memcpy(t->at + t->used, bytes, len);
    t->used += len;
    t->at[t->used] = 0;
}

void party_text_add(party_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        t->failed = 1;
    else if (make_room(t, (size_t)len))
        t->used += (size_t)vsnprintf(t->at + t->used, t->room - t->used, format, again);
    va_end(again);
}

char *party_text_take(party_text *t)
{
    char *out = t->failed ? NULL : t->at;
    if (t->failed)
        free(t->at);
    *t = (party_text){0};
    return out;
}

void party_text_drop(party_text *t)
{
    free(t->at);
    *t = (party_text){0};
}

/* ---- Notes ---- */

tally_status party_note_hint(const char *name, const uint8_t public32[32], uint8_t out4[4])
{
    uint8_t bytes[PARTY_ORIGIN + 2 + 32], hash[32];
    size_t len = strlen(name);
    if (len >= PARTY_ORIGIN)
        return TALLY_ERR_INTERNAL;
    memcpy(bytes, name, len);
    bytes[len] = 0x0a;
    bytes[len + 1] = 0x01; /* Ed25519 */
    memcpy(bytes + len + 2, public32, 32);
    tally_status st = psi_sha256(bytes, len + 2 + 32, hash);
    if (!st)
        memcpy(out4, hash, 4);
    return st;
}

tally_status party_note_make(const tally_identity *identity, const char *origin, uint64_t size,
                             const uint8_t root32[32], char out[PARTY_NOTE])
{
    char root[PARTY_BASE64(32) + 1], signature[PARTY_BASE64(SIGNED) + 1];
    uint8_t bytes[SIGNED];
    party_base64_write(root, root32, 32);
    int len = snprintf(out, PARTY_NOTE, "%s\n%" PRIu64 "\n%s\n", origin, size, root);
    if (!identity || !identity->sign)
        return TALLY_OK;
    tally_status st = party_note_hint(origin, identity->sign_public32, bytes);
    if (!st)
        st = party_sign(identity, out, (size_t)len, bytes + 4);
    if (st)
        return st;
    party_base64_write(signature, bytes, SIGNED);
    snprintf(out + len, PARTY_NOTE - (size_t)len, "\n" DASH "%s %s\n", origin, signature);
    return TALLY_OK;
}

/* The end of the line that starts at p; NULL: it does not end. */
static const char *line_end(const char *p)
{
    return strchr(p, '\n');
}

/* A number without a sign or leading zeros. */
static int read_size(const char *p, const char *end, uint64_t *out)
{
    uint64_t v = 0;
    if (p == end || end - p > 19 || (*p == '0' && end - p > 1))
        return 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        v = 10 * v + (uint64_t)(*p - '0'); /* 19 digits: below 2^64 */
    }
    *out = v;
    return v <= PSI_MERKLE_MAX;
}

static int read_origin(const char *p, const char *end, char out[PARTY_ORIGIN])
{
    size_t len = (size_t)(end - p), prefix = sizeof ORIGIN - 1;
    uint8_t name[8];
    if (len != prefix + 2 * sizeof name || memcmp(p, ORIGIN, prefix) != 0)
        return 0;
    memcpy(out, p, len);
    out[len] = 0;
    return party_hex_read(name, sizeof name, out + prefix);
}

int party_note_read(const char *text, party_note *out)
{
    party_note n = {.text_len = 0};
    const char *one = line_end(text), *two = one ? line_end(one + 1) : NULL,
               *three = two ? line_end(two + 1) : NULL;
    if (!three || strlen(text) > PARTY_NOTE_READ_MAX || !read_origin(text, one, n.origin) ||
        !read_size(one + 1, two, &n.size) ||
        !party_base64_read(n.root32, 32, two + 1, (size_t)(three - two - 1)))
        return 0;
    n.text_len = (size_t)(three + 1 - text);
    const char *p = three + 1;
    if (*p) { /* no lines of our own stand between root and empty line, so others do not either */
        if (*p++ != '\n' || !*p)
            return 0;
        for (; *p; n.signatures++) {
            const char *end = line_end(p);
            if (!end || strncmp(p, DASH, sizeof DASH - 1) != 0)
                return 0;
            p = end + 1;
        }
    }
    *out = n;
    return 1;
}

tally_status party_note_verify(const char *text, const party_note *note, const uint8_t public32[32])
{
    char start[sizeof DASH + PARTY_ORIGIN];
    uint8_t hint[4], bytes[SIGNED];
    const char *p = text + note->text_len + 1;
    tally_status st = party_note_hint(note->origin, public32, hint);
    if (st)
        return st;
    size_t len = (size_t)snprintf(start, sizeof start, DASH "%s ", note->origin);
    for (size_t i = 0; i < note->signatures; i++) {
        const char *end = line_end(p);
        if (strncmp(p, start, len) == 0 &&
            party_base64_read(bytes, SIGNED, p + len, (size_t)(end - p) - len) &&
            memcmp(bytes, hint, 4) == 0) {
            st = party_sign_verify(public32, text, note->text_len, bytes + 4);
            if (st != TALLY_ERR_DIFFERS)
                return st;
        }
        p = end + 1;
    }
    return TALLY_ERR_DIFFERS;
}
