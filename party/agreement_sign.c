/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of an agreement, build and parse of their file (docs/agreement.md):
 *
 *   tally-agreement-signatures 1
 *   ed25519 <public key, base64> <signature, base64> <organisation>
 *
 * Ed25519 over one byte with the tag's length, the tag "tally/1 agrsign", and the normalised text.
 */
#include "party/agreement.h"

#include "party/error.h"
#include "party/identity.h"
#include "party/io.h"
#include "party/output.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FIRST "tally-agreement-signatures 1\n"
#define KIND "ed25519 "
#define PUBLIC64 44    /* base64 of 32 bytes */
#define SIGNATURE64 88 /* of 64 bytes */

/* ---- What is signed ---- */

static tally_status message(const tally_agreement *a, uint8_t **out, size_t *len, tally_error *error)
{
    const char *tag = psi_tag_text(PSI_TAG_SIGN);
    size_t tag_len = strlen(tag);
    uint8_t *p = psi_calloc(1 + tag_len + a->len, 1);
    if (!p)
        return party_no_memory(error, "a signature");
    p[0] = (uint8_t)tag_len;
    memcpy(p + 1, tag, tag_len);
    memcpy(p + 1 + tag_len, a->bytes, a->len);
    *out = p;
    *len = 1 + tag_len + a->len;
    return TALLY_OK;
}

tally_status party_agreed_verify(const tally_agreement *a, const uint8_t public32[32],
                                 const uint8_t signature64[64], tally_error *error)
{
    uint8_t *text = NULL;
    size_t len = 0;
    tally_status st = message(a, &text, &len, error);
    if (st)
        return st;
    st = party_sign_verify(public32, text, len, signature64);
    psi_free(text);
    return st && st != TALLY_ERR_DIFFERS ? party_fail(error, st, "a signature could not be verified") : st;
}

/* The party whose signing key this is; PARTY_SIGNATURES: none. */
static size_t party_of(const tally_agreement *a, const char *fingerprint)
{
    size_t p = 0;
    while (p < PARTY_SIGNATURES && strcmp(party_agreed_text(a, AGREED_SIGNING_KEY, p), fingerprint) != 0)
        p++;
    return p;
}

/* ---- The file ---- */

/* Canonical base64 of exactly len bytes: what is read comes out the same when it is written. */
static int decode(uint8_t *out, size_t len, const char *text, size_t text_len)
{
    uint8_t bytes[SIGNATURE64];
    char again[SIGNATURE64 + 1];
    if (EVP_DecodeBlock(bytes, (const uint8_t *)text, (int)text_len) < (int)len)
        return 0;
    EVP_EncodeBlock((uint8_t *)again, bytes, (int)len);
    if (strlen(again) != text_len || memcmp(again, text, text_len) != 0)
        return 0;
    memcpy(out, bytes, len);
    return 1;
}

/* One line without its end. */
typedef struct entry {
    uint8_t public32[32], signature64[64];
    char organisation[4 * 64 + 1];
} entry;

static int take_line(entry *out, const char *line, size_t len)
{
    const size_t key = sizeof KIND - 1, signature = key + PUBLIC64 + 1, name = signature + SIGNATURE64 + 1;
    if (len <= name || len - name >= sizeof out->organisation || memcmp(line, KIND, key) != 0 ||
        line[signature - 1] != ' ' || line[name - 1] != ' ')
        return 0;
    memcpy(out->organisation, line + name, len - name);
    out->organisation[len - name] = 0;
    return strlen(out->organisation) == len - name && decode(out->public32, 32, line + key, PUBLIC64) &&
           decode(out->signature64, 64, line + signature, SIGNATURE64);
}

static tally_status malformed(const char *shown, unsigned line, const char *what, tally_error *error)
{
    party_fail(error, TALLY_ERR_INPUT, "%s:%u: %s", shown, line, party_word(what));
    party_hint(error, "ask for the file again; tally agreement sign writes it, and it is not edited");
    return TALLY_ERR_INPUT;
}

/* The whole file into entries; bytes end in a zero. */
static tally_status parse(entry entries[PARTY_SIGNATURES], size_t *count, const char *bytes, size_t len,
                          const char *shown, tally_error *error)
{
    const char *p = bytes + sizeof FIRST - 1, *end = bytes + len;
    if (len < sizeof FIRST - 1 || memcmp(bytes, FIRST, sizeof FIRST - 1) != 0)
        return malformed(shown, 1, "not a file of signatures of an agreement", error);
    *count = 0;
    for (unsigned line = 2; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop)
            return malformed(shown, line, "the line does not end", error);
        if (*count == PARTY_SIGNATURES)
            return malformed(shown, line, "more than two signatures", error);
        if (!take_line(&entries[*count], p, (size_t)(stop - p)))
            return malformed(shown, line, "not a signature", error);
        ++*count;
        p = stop + 1;
    }
    return *count ? TALLY_OK : malformed(shown, 2, "there is no signature", error);
}

/* Carriage returns, which mail adds, are no part of any line. */
static size_t without_cr(char *bytes, size_t len)
{
    size_t used = 0;
    for (size_t at = 0; at < len; at++)
        if (bytes[at] != '\r' || at + 1 == len || bytes[at + 1] != '\n')
            bytes[used++] = bytes[at];
    bytes[used] = 0;
    return used;
}

/* Judges one signature and keeps it. */
static tally_status judge(tally_agreement *a, const entry *e, const char *shown, const uint8_t *text,
                          size_t len, tally_error *error)
{
    char fingerprint[TALLY_FINGERPRINT_TEXT], organisation[100];
    tally_status st = party_sign_fingerprint(e->public32, fingerprint);
    if (st)
        return party_fail(error, st, "the fingerprint of a key failed");
    party_printable(organisation, sizeof organisation, e->organisation);
    size_t p = party_of(a, fingerprint);
    if (p == PARTY_SIGNATURES) {
        party_fail(error, TALLY_ERR_AUTH,
                   "%s: the signature of %s is by the key %s, which the agreement does "
                   "not name",
                   shown, organisation, fingerprint);
        party_hint(error, "the agreement was changed, or somebody else signed: compare signing-key with what "
                          "tally identity show prints there");
        return TALLY_ERR_AUTH;
    }
    if (strcmp(tally_agreement_organisation(a, p), e->organisation) != 0) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the signature says %s, but its key is that of %s", shown,
                   organisation, tally_agreement_organisation(a, p));
        party_hint(error, "ask for the file again; the organisation is part of the agreement");
        return TALLY_ERR_AUTH;
    }
    st = party_sign_verify(e->public32, text, len, e->signature64);
    if (st && st != TALLY_ERR_DIFFERS)
        return party_fail(error, st, "a signature could not be verified");
    party_signature *kept = &a->signatures[p];
    if (st) {
        if (kept->state != TALLY_SIGNED)
            kept->state = TALLY_SIGNATURE_BAD;
        party_fail(error, TALLY_ERR_DIFFERS, "%s: the signature of %s does not fit the text of %s", shown,
                   organisation, a->path);
        party_hint(error, "the agreement was changed after it was signed, or another one was: compare the "
                          "digests of tally agreement show, and sign again");
        return TALLY_ERR_DIFFERS;
    }
    kept->state = TALLY_SIGNED;
    memcpy(kept->public32, e->public32, 32);
    memcpy(kept->signature64, e->signature64, 64);
    return TALLY_OK;
}

tally_status party_agreed_signatures(tally_agreement *a, const char *path, char *bytes, size_t len,
                                     tally_error *error)
{
    entry entries[PARTY_SIGNATURES];
    char shown[PARTY_PATH_SHOWN];
    uint8_t *text = NULL;
    size_t count = 0, text_len = 0;
    party_printable(shown, sizeof shown, path);
    tally_status st = parse(entries, &count, bytes, without_cr(bytes, len), shown, error);
    if (!st)
        st = message(a, &text, &text_len, error);
    for (size_t i = 0; text && i < count; i++) {
        tally_error later;
        tally_status one = judge(a, &entries[i], shown, text, text_len, st ? &later : error);
        st = st ? st : one;
    }
    psi_free(text);
    return st;
}

tally_status tally_agreement_add_signatures(tally_agreement *a, const char *path, tally_error *error)
{
    char *bytes = NULL;
    size_t len = 0;
    tally_status st = party_agreed_read(path, TALLY_AGREEMENT_SIGNATURES_MAX, &bytes, &len, error);
    if (!st)
        st = party_agreed_signatures(a, path, bytes, len, error);
    psi_free(bytes);
    return st;
}

tally_status tally_agreement_parse_signatures(tally_agreement *a, const char *name, const char *text,
                                              size_t len, tally_error *error)
{
    char *bytes = NULL;
    tally_status st = party_agreed_copy(name, text, len, TALLY_AGREEMENT_SIGNATURES_MAX, &bytes, error);
    if (!st)
        st = party_agreed_signatures(a, name, bytes, len, error);
    psi_free(bytes);
    return st;
}

/* Whoever signs as a party has to be able to be that party on the link too. */
static tally_status check_link(const tally_agreement *a, size_t p, const tally_identity *identity,
                               tally_error *error)
{
    const char *key = party_agreed_text(a, AGREED_LINK_KEY, p),
               *subject = party_agreed_text(a, AGREED_SUBJECT, p);
    char path[96], shown[200];
    int other_key = *key && strcmp(key, identity->fingerprint) != 0;
    if (!other_key && (!*subject || strcmp(subject, identity->subject) == 0))
        return TALLY_OK;
    enum party_agreed_id field = other_key ? AGREED_LINK_KEY : AGREED_SUBJECT;
    party_agreed_path(path, sizeof path, field, p);
    party_printable(shown, sizeof shown, other_key ? identity->fingerprint : identity->subject);
    party_agreed_fail(a, party_agreed_find(a, field, p, 0)->line, path, error,
                      "is not that of this identity, %s: it could sign, and no run would take it", shown);
    party_hint(error, other_key
                          ? "write the fingerprint that tally identity show prints before anybody signs, or "
                            "take the identity that is named"
                          : "write the subject that tally identity show prints before anybody signs, or take "
                            "the identity that is named");
    if (error)
        error->status = TALLY_ERR_AUTH;
    return TALLY_ERR_AUTH;
}

tally_status tally_agreement_sign(tally_agreement *a, const tally_identity *identity, tally_error *error)
{
    uint8_t *text = NULL;
    size_t len = 0;
    if (!identity->sign) {
        party_fail(error, TALLY_ERR_AUTH, "this identity has no key that signs");
        party_hint(error, "make one with: tally identity add-signing-key NAME");
        return TALLY_ERR_AUTH;
    }
    size_t p = party_of(a, identity->sign_fingerprint);
    if (p == PARTY_SIGNATURES) {
        party_fail(error, TALLY_ERR_AUTH, "%s: names no party with the signing key of this identity, %s",
                   a->path, identity->sign_fingerprint);
        party_hint(error, "write it as signing-key of your organisation before anybody signs, or take the "
                          "identity that is named");
        return TALLY_ERR_AUTH;
    }
    tally_status st = check_link(a, p, identity, error);
    if (!st)
        st = message(a, &text, &len, error);
    if (st)
        return st;
    st = party_sign(identity, text, len, a->signatures[p].signature64);
    psi_free(text);
    if (st)
        return party_fail(error, st, "%s: cannot be signed", a->path);
    memcpy(a->signatures[p].public32, identity->sign_public32, 32);
    a->signatures[p].state = TALLY_SIGNED;
    return TALLY_OK;
}

size_t party_agreed_signature_text(const tally_agreement *a, char out[TALLY_AGREEMENT_SIGNATURES_MAX])
{
    size_t used = 0; /* two lines of at most 399 bytes */
    *out = 0;
    for (size_t p = 0; p < PARTY_SIGNATURES; p++) {
        const party_signature *s = &a->signatures[p];
        char key[PUBLIC64 + 1], signature[SIGNATURE64 + 1];
        if (s->state != TALLY_SIGNED)
            continue;
        EVP_EncodeBlock((uint8_t *)key, s->public32, 32);
        EVP_EncodeBlock((uint8_t *)signature, s->signature64, 64);
        used += (size_t)snprintf(out + used, TALLY_AGREEMENT_SIGNATURES_MAX - used, "%s" KIND "%s %s %s\n",
                                 used ? "" : FIRST, key, signature, tally_agreement_organisation(a, p));
    }
    return used;
}

tally_status tally_agreement_write_signatures(const tally_agreement *a, const char *path, tally_error *error)
{
    char text[TALLY_AGREEMENT_SIGNATURES_MAX];
    size_t used = party_agreed_signature_text(a, text);
    return used ? party_file_write(path, text, used, error)
                : party_file_write(path, FIRST, sizeof FIRST - 1, error);
}
