/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt's text: lines "name: value" in one order, each there in every receipt, so that one run has one
 * text. Reading it back is writing what was read and comparing: no two texts say the same.
 */
#include "party/receipt.h"

#include "party/error.h"
#include "party/identity.h"
#include "party/tls.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST "tally/1 receipt\n"
#define NONE "none"

/* ---- Writing ---- */

typedef struct text {
    char *at;
    size_t used, room;
} text;

static void put(text *t, const char *side, const char *name, const char *value)
{
    if (t->used < t->room)
        t->used += (size_t)snprintf(t->at + t->used, t->room - t->used, "%s%s%s: %s\n", side,
                                    *side ? "-" : "", name, *value ? value : NONE);
}

static void put_number(text *t, const char *side, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    put(t, side, name, digits);
}

static void put_hex(text *t, const char *side, const char *name, int is, const uint8_t bytes32[32])
{
    char hex[65] = "";
    for (size_t i = 0; is && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes32[i]);
    put(t, side, name, hex);
}

static void put_time(text *t, const char *side, int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm utc;
    char out[40] = "";
    if (gmtime_r(&when, &utc))
        strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &utc);
    put(t, side, "time", out);
}

static const char *const shares[] = {
    [WIRE_SHARE_UNSAID] = "", [WIRE_SHARE_WITHIN] = "no", [WIRE_SHARE_EXCEEDED] = "yes"};
static const char *const side_names[2] = {"receiver", "sender"};

static void put_side(text *t, const char *name, const party_receipt_side *s)
{
    put(t, name, "organisation", s->organisation);
    put(t, name, "link-key", s->fingerprint);
    put_hex(t, name, "signing-key", s->signs, s->public32);
    put_time(t, name, s->facts.time);
    put_number(t, name, "list", s->items);
    put_number(t, name, "without-consent", s->facts.without_consent);
    put_hex(t, name, "list-commitment", 1, s->commitment32);
    put_hex(t, name, "result-commitment", s->facts.has_result, s->facts.result32);
    put(t, name, "share-exceeded", shares[s->facts.share]);
    put_hex(t, name, "ledger", s->facts.has_ledger, s->facts.ledger32);
}

static int write_text(char out[PARTY_RECEIPT_MAX], const party_receipt_run *run)
{
    text t = {out, 0, PARTY_RECEIPT_MAX};
    t.used = (size_t)snprintf(out, PARTY_RECEIPT_MAX, FIRST);
    put(&t, "", "session", run->session);
    put(&t, "", "agreement", run->agreement);
    put(&t, "", "function", run->function);
    put(&t, "", "protocol", run->protocol);
    put(&t, "", "security", run->security);
    put(&t, "", "reveal-to", run->reveal);
    put_number(&t, "", "min-overlap", run->min_overlap);
    for (size_t i = 0; i < 2; i++)
        put_side(&t, side_names[i], &run->side[i]);
    return t.used < t.room;
}

/* What is signed: one byte tag length, tag, text. */
static size_t signed_bytes(const char *receipt, uint8_t out[16 + PARTY_RECEIPT_MAX])
{
    const char *tag = psi_tag_text(PSI_TAG_RECEIPT);
    size_t tag_len = strlen(tag), len = strnlen(receipt, PARTY_RECEIPT_MAX);
    out[0] = (uint8_t)tag_len;
    memcpy(out + 1, tag, tag_len);
    memcpy(out + 1 + tag_len, receipt, len);
    return 1 + tag_len + len;
}

tally_status party_receipt_write(party_receipt *out, const party_receipt_run *run)
{
    uint8_t bytes[16 + PARTY_RECEIPT_MAX];
    party_receipt_run back;
    /* What is signed can be read again, whatever stands in it. */
    if (!write_text(out->text, run) || party_receipt_read(out->text, &back)) {
        *out->text = 0;
        return TALLY_ERR_INTERNAL;
    }
    return psi_sha256(bytes, signed_bytes(out->text, bytes), out->digest32);
}

tally_status party_receipt_sign(party_receipt *receipt, size_t side, const tally_identity *identity)
{
    uint8_t bytes[16 + PARTY_RECEIPT_MAX];
    tally_status st =
        party_sign(identity, bytes, signed_bytes(receipt->text, bytes), receipt->signature64[side]);
    receipt->has_signature[side] = !st;
    return st;
}

tally_status party_receipt_verify(const char *receipt, const party_receipt_side *side,
                                  const uint8_t signature64[64])
{
    uint8_t bytes[16 + PARTY_RECEIPT_MAX];
    if (!side->signs || strnlen(receipt, PARTY_RECEIPT_MAX) == PARTY_RECEIPT_MAX)
        return TALLY_ERR_DIFFERS;
    return party_sign_verify(side->public32, bytes, signed_bytes(receipt, bytes), signature64);
}

/* ---- Reading ---- */

/* Takes the line "side-name: value"; NULL when another comes. "none" is "". */
static const char *take(const char **at, const char *side, const char *name, char *out, size_t size)
{
    char start[64];
    size_t len = (size_t)snprintf(start, sizeof start, "%s%s%s: ", side, *side ? "-" : "", name);
    const char *end = strchr(*at, '\n');
    if (!end || strncmp(*at, start, len) != 0 || (size_t)(end - *at) < len ||
        (size_t)(end - *at) - len >= size)
        return NULL;
    memcpy(out, *at + len, (size_t)(end - *at) - len);
    out[(size_t)(end - *at) - len] = 0;
    if (strcmp(out, NONE) == 0)
        *out = 0;
    *at = end + 1;
    return out;
}

static int take_number(const char **at, const char *side, const char *name, uint64_t *out)
{
    char digits[24];
    if (!take(at, side, name, digits, sizeof digits))
        return 0;
    *out = strtoull(digits, NULL, 10);
    return 1;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static int take_hex(const char **at, const char *side, const char *name, int *is, uint8_t out[32])
{
    char hex[65];
    if (!take(at, side, name, hex, sizeof hex))
        return 0;
    *is = strlen(hex) == 64;
    for (size_t i = 0; *is && i < 32; i++)
        out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return 1;
}

static int take_time(const char **at, const char *side, int64_t *out)
{
    char when[40];
    struct tm utc = {.tm_sec = 0};
    if (!take(at, side, "time", when, sizeof when) || !strptime(when, "%Y-%m-%dT%H:%M:%SZ", &utc))
        return 0;
    *out = (int64_t)timegm(&utc);
    return 1;
}

static int take_side(const char **at, const char *name, party_receipt_side *s)
{
    char share[8];
    int is;
    if (!take(at, name, "organisation", s->organisation, sizeof s->organisation) ||
        !take(at, name, "link-key", s->fingerprint, sizeof s->fingerprint) ||
        !take_hex(at, name, "signing-key", &s->signs, s->public32) || !take_time(at, name, &s->facts.time) ||
        !take_number(at, name, "list", &s->items) ||
        !take_number(at, name, "without-consent", &s->facts.without_consent) ||
        !take_hex(at, name, "list-commitment", &is, s->commitment32) ||
        !take_hex(at, name, "result-commitment", &s->facts.has_result, s->facts.result32) ||
        !take(at, name, "share-exceeded", share, sizeof share) ||
        !take_hex(at, name, "ledger", &s->facts.has_ledger, s->facts.ledger32))
        return 0;
    s->facts.share = !*share ? WIRE_SHARE_UNSAID : *share == 'y' ? WIRE_SHARE_EXCEEDED : WIRE_SHARE_WITHIN;
    return 1;
}

tally_status party_receipt_read(const char *receipt, party_receipt_run *out)
{
    char again[PARTY_RECEIPT_MAX];
    const char *at = receipt + sizeof FIRST - 1;
    *out = (party_receipt_run){.min_overlap = 0};
    if (strncmp(receipt, FIRST, sizeof FIRST - 1) != 0 ||
        !take(&at, "", "session", out->session, sizeof out->session) ||
        !take(&at, "", "agreement", out->agreement, sizeof out->agreement) ||
        !take(&at, "", "function", out->function, sizeof out->function) ||
        !take(&at, "", "protocol", out->protocol, sizeof out->protocol) ||
        !take(&at, "", "security", out->security, sizeof out->security) ||
        !take(&at, "", "reveal-to", out->reveal, sizeof out->reveal) ||
        !take_number(&at, "", "min-overlap", &out->min_overlap) ||
        !take_side(&at, side_names[0], &out->side[0]) || !take_side(&at, side_names[1], &out->side[1]))
        return TALLY_ERR_DIFFERS;
    return write_text(again, out) && strcmp(again, receipt) == 0 ? TALLY_OK : TALLY_ERR_DIFFERS;
}
