/* SPDX-License-Identifier: Apache-2.0 */
#include "party/token.h"

#include "party/error.h"

#include <stdio.h>
#include <string.h>

static int nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decodes into at most cap bytes. -1: not well formed, or too long. */
static long decode(unsigned char *out, size_t cap, const char *text, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            if (len - i < 3)
                return -1;
            int hi = nibble(text[i + 1]), lo = nibble(text[i + 2]);
            if (hi < 0 || lo < 0)
                return -1;
            c = hi << 4 | lo;
            i += 2;
        }
        if (used == cap)
            return -1;
        out[used++] = (unsigned char)c;
    }
    return (long)used;
}

static int take_text(char out[PARTY_TOKEN_TEXT], const char *value, size_t len)
{
    long n = decode((unsigned char *)out, PARTY_TOKEN_TEXT - 1, value, len);
    if (n <= 0 || memchr(out, 0, (size_t)n) || *out == 0) {
        out[0] = 0;
        return 0;
    }
    out[n] = 0;
    return 1;
}

/* One attribute; 0: unknown or wrong. */
static int take(party_token_uri *out, const char *name, size_t name_len, const char *value, size_t len)
{
    const struct {
        const char *name;
        char *text;
    } texts[] = {{"token", out->token},          {"serial", out->serial}, {"manufacturer", out->manufacturer},
                 {"model", out->model},          {"object", out->object}, {"module-path", out->module},
                 {"pin-source", out->pin_source}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strlen(texts[i].name) == name_len && memcmp(texts[i].name, name, name_len) == 0)
            return !*texts[i].text && take_text(texts[i].text, value, len);
    if (name_len == 2 && memcmp(name, "id", 2) == 0 && !out->id_len) {
        long n = decode(out->id, sizeof out->id, value, len);
        out->id_len = n > 0 ? (size_t)n : 0;
        return n > 0;
    }
    return name_len == 4 && memcmp(name, "type", 4) == 0 && len == 7 && memcmp(value, "private", 7) == 0;
}

tally_status party_token_uri_parse(party_token_uri *out, const char *uri, const char *where,
                                   tally_error *error)
{
    static const char scheme[] = "pkcs11:";
    party_token_uri u = {.id_len = 0};
    int ok = strncmp(uri, scheme, sizeof scheme - 1) == 0, query = 0;
    const char *p = uri + (ok ? sizeof scheme - 1 : 0);
    while (ok && *p) {
        size_t len = strcspn(p, query ? "&" : ";?");
        const char *equal = memchr(p, '=', len);
        if (equal && (size_t)(equal - p) == 9 && memcmp(p, "pin-value", 9) == 0) {
            party_fail(error, TALLY_ERR_INPUT, "%s: a PIN may not stand in the URI", where);
            party_hint(error,
                       "put it into a file that only you may read, and name that by pin-source=FILE, or "
                       "give it with --passphrase-file");
            return TALLY_ERR_INPUT;
        }
        ok = equal && take(&u, p, (size_t)(equal - p), equal + 1, len - (size_t)(equal + 1 - p));
        p += len;
        query |= *p == '?';
        p += *p != 0;
    }
    if (!ok || !(*u.object || u.id_len)) {
        party_fail(error, TALLY_ERR_INPUT, "%s: not the URI of a key in a token", where);
        party_hint(error, "write it as pkcs11:token=NAME;object=KEY?module-path=FILE (RFC 7512); other "
                          "attributes: id, serial, manufacturer, model, type=private, pin-source");
        return TALLY_ERR_INPUT;
    }
    if (strncmp(u.pin_source, "file:", 5) == 0)
        memmove(u.pin_source, u.pin_source + 5, strlen(u.pin_source + 5) + 1);
    *out = u;
    return TALLY_OK;
}
