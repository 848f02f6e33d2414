/* SPDX-License-Identifier: Apache-2.0 */
#include "party/rotation.h"

#include "party/error.h"
#include "party/identity.h"
#include "party/peer.h"
#include "psi/hash.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define UTC "%Y-%m-%dT%H:%M:%SZ"
#define UTC_LENGTH 20u

void party_utc_text(char out[32], int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, UTC, &tm))
        snprintf(out, 32, "out of range");
}

int party_utc_parse(const char *text, size_t len, int64_t *seconds)
{
    struct tm tm = {0};
    char copy[UTC_LENGTH + 1], again[32];
    if (len != UTC_LENGTH || memchr(text, 0, len))
        return 0;
    memcpy(copy, text, len);
    copy[len] = 0;
    const char *end = strptime(copy, UTC, &tm);
    if (!end || *end)
        return 0;
    *seconds = timegm(&tm);
    party_utc_text(again, *seconds); /* 30 February, and other spellings of a time, come out otherwise */
    return strcmp(copy, again) == 0;
}

/* ---- The text ---- */

static void hex(char *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* What is signed, without the tag. Returns its length, below PARTY_ROTATION_TEXT. */
static size_t signed_text(char out[PARTY_ROTATION_TEXT], const party_rotation *r)
{
    char signing[65], old[TALLY_FINGERPRINT_TEXT], new[TALLY_FINGERPRINT_TEXT], from[32], until[32];
    hex(signing, r->signing32, 32);
    party_pin_text(old, r->old32);
    party_pin_text(new, r->new32);
    party_utc_text(from, r->from);
    party_utc_text(until, r->until);
    return (size_t)snprintf(out, PARTY_ROTATION_TEXT,
                            "tally-rotation: 1\nsigning-key: %s\nold-key: %s\nnew-key: %s\nfrom: %s\n"
                            "old-key-until: %s\n",
                            signing, old, new, from, until);
}

void party_rotation_text(char out[PARTY_ROTATION_TEXT], const party_rotation *r)
{
    char signature[129];
    size_t len = signed_text(out, r);
    hex(signature, r->signature64, 64);
    snprintf(out + len, PARTY_ROTATION_TEXT - len, "signature: %s\n", signature);
}

/* The tag and the text. */
static size_t message(char out[2 * PARTY_ROTATION_TEXT], const party_rotation *r)
{
    const char *tag = psi_tag_text(PSI_TAG_ROTATION);
    size_t used = strlen(tag);
    memcpy(out, tag, used);
    return used + signed_text(out + used, r);
}

tally_status party_rotation_sign(party_rotation *r, const tally_identity *identity)
{
    char text[2 * PARTY_ROTATION_TEXT];
    memcpy(r->signing32, identity->sign_public32, sizeof r->signing32);
    size_t len = message(text, r);
    return party_sign(identity, text, len, r->signature64);
}

/* ---- Reading ---- */

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int unhex(uint8_t *out, size_t bytes, const char *text, size_t len)
{
    int ok = len == 2 * bytes;
    for (size_t i = 0; ok && i < bytes; i++) {
        int hi = nibble(text[2 * i]), lo = nibble(text[2 * i + 1]);
        ok = hi >= 0 && lo >= 0;
        if (ok)
            out[i] = (uint8_t)(hi << 4 | lo);
    }
    return ok;
}

/* The value of the line "key: value" at *p, which moves behind it. NULL: it is another line. */
static const char *value_of(const char **p, const char *end, const char *key, size_t *len)
{
    size_t skip = strlen(key);
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));
    if (!stop || (size_t)(stop - *p) < skip || memcmp(*p, key, skip) != 0)
        return NULL;
    const char *value = *p + skip, *last = stop > value && stop[-1] == '\r' ? stop - 1 : stop;
    *len = (size_t)(last - value);
    *p = stop + 1;
    return value;
}

/* One statement; its signature is not looked at yet. */
static int parse_one(party_rotation *r, const char **p, const char *end)
{
    size_t len = 0;
    const char *v = value_of(p, end, "tally-rotation: ", &len);
    if (!v || len != 1 || *v != '1')
        return 0;
    v = value_of(p, end, "signing-key: ", &len);
    if (!v || !unhex(r->signing32, 32, v, len))
        return 0;
    v = value_of(p, end, "old-key: sha256:", &len);
    if (!v || !unhex(r->old32, 32, v, len))
        return 0;
    v = value_of(p, end, "new-key: sha256:", &len);
    if (!v || !unhex(r->new32, 32, v, len))
        return 0;
    v = value_of(p, end, "from: ", &len);
    if (!v || !party_utc_parse(v, len, &r->from))
        return 0;
    v = value_of(p, end, "old-key-until: ", &len);
    if (!v || !party_utc_parse(v, len, &r->until) || r->until < r->from)
        return 0;
    v = value_of(p, end, "signature: ", &len);
    return v && unhex(r->signature64, 64, v, len) && memcmp(r->old32, r->new32, 32) != 0;
}

tally_status party_rotation_parse(party_rotation *out, size_t max, size_t *count, const char *name,
                                  const char *text, size_t len, tally_error *error)
{
    const char *p = text, *end = text + len;
    size_t n = 0;
    for (; p < end; n++) {
        char signed_bytes[2 * PARTY_ROTATION_TEXT];
        party_rotation r = {0};
        if (n == max) {
            party_fail(error, TALLY_ERR_INPUT, "%s: more than %zu statements of rotation", name, max);
            party_hint(error, "remove those of agreements that have ended");
            return TALLY_ERR_INPUT;
        }
        if (!parse_one(&r, &p, end)) {
            party_fail(error, TALLY_ERR_INPUT, "%s: not a statement of rotation", name);
            party_hint(error,
                       "ask for the file again; tally identity rotate writes it, and it is not edited");
            return TALLY_ERR_INPUT;
        }
        size_t signed_len = message(signed_bytes, &r);
        tally_status st = party_sign_verify(r.signing32, signed_bytes, signed_len, r.signature64);
        if (st) {
            party_fail(error, st, "%s: the signature does not fit the statement of rotation", name);
            party_hint(error, "ask for the file again: it was changed, or somebody else wrote it");
            return st;
        }
        out[n] = r;
    }
    *count = n;
    return TALLY_OK;
}

/* ---- Judging ---- */

enum party_pin_state party_rotation_judge(const party_rotation *r, size_t count, const char *signing,
                                          const uint8_t agreed32[32], const uint8_t shown32[32], int64_t now,
                                          int64_t *until)
{
    /* Statements by this signing key; those that begin at the agreed key or at one that it leads to. Each
     * round adds one of them or is the last. */
    enum { NOT_THEIRS, THEIRS, REACHED };
    uint8_t is[PARTY_ROTATIONS_ALL];
    int early = 0, is_reached = memcmp(agreed32, shown32, 32) == 0;
    *until = 0;
    for (size_t i = 0; i < count; i++) {
        char key[TALLY_FINGERPRINT_TEXT];
        is[i] = party_sign_fingerprint(r[i].signing32, key) == TALLY_OK && strcmp(key, signing) == 0
                    ? THEIRS
                    : NOT_THEIRS;
    }
    for (int again = 1; again;) {
        again = 0;
        for (size_t i = 0; i < count; i++) {
            int follows = is[i] == THEIRS && memcmp(r[i].old32, agreed32, 32) == 0;
            for (size_t k = 0; is[i] == THEIRS && !follows && k < count; k++)
                follows = is[k] == REACHED && memcmp(r[i].old32, r[k].new32, 32) == 0;
            if (follows)
                is[i] = REACHED;
            again |= follows;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (is[i] != REACHED)
            continue;
        if (memcmp(r[i].new32, shown32, 32) == 0) {
            early |= now + PARTY_CLOCK_TOLERANCE_S < r[i].from;
            is_reached |= now + PARTY_CLOCK_TOLERANCE_S >= r[i].from;
        }
        if (memcmp(r[i].old32, shown32, 32) == 0) {
            if (now - PARTY_CLOCK_TOLERANCE_S > r[i].until)
                return PARTY_PIN_RETIRED;
            *until = *until && *until < r[i].until ? *until : r[i].until;
        }
    }
    return is_reached ? PARTY_PIN_CURRENT : early ? PARTY_PIN_EARLY : PARTY_PIN_OTHER;
}
