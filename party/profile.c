/* SPDX-License-Identifier: Apache-2.0 */
#include "party/profile_impl.h"

#include <string.h>
#include <utf8proc.h>

static const char *const reject_names[] = {
    [PARTY_REJECT_EMPTY] = "empty",
    [PARTY_REJECT_ENCODING] = "bad encoding",
    [PARTY_REJECT_COLUMNS] = "wrong number of columns",
    [PARTY_REJECT_TOO_LONG] = "too long",
    [PARTY_REJECT_LENGTH] = "wrong length",
    [PARTY_REJECT_CHARACTER] = "bad character",
    [PARTY_REJECT_CHECK_DIGIT] = "bad check digit",
    [PARTY_REJECT_DATE] = "bad date of birth",
    [PARTY_REJECT_MASKED] = "masked",
    [PARTY_REJECT_SCIENTIFIC] = "scientific notation",
    [PARTY_REJECT_DIGITS_LOST] = "digits lost",
    [PARTY_REJECT_COUNTRY_CODE] = "no country code",
    [PARTY_REJECT_NO_VALUE] = "no value",
    [PARTY_REJECT_NOT_NUMBER] = "not a number",
    [PARTY_REJECT_DECIMALS] = "more decimals than declared",
    [PARTY_REJECT_RANGE] = "value outside its range",
    [PARTY_REJECT_NO_CONSENT] = "no consent",
    [PARTY_REJECT_CONSENT_EXPIRED] = "consent expired",
    [PARTY_REJECT_CONSENT_DATE] = "consent not a date",
};
_Static_assert(sizeof reject_names / sizeof *reject_names == PARTY_REJECT_COUNT, "a name for every reason");
_Static_assert((int)PARTY_REJECT_COUNT <= TALLY_REJECT_REASONS,
               "the public statistics have room for every reason");

const char *party_reject_name(int reason)
{
    return reason >= 0 && reason < PARTY_REJECT_COUNT ? reject_names[reason] : NULL;
}

/*
 * NFC (Unicode Standard Annex 15) of text that is not all ASCII; everything else stays as it is. One code
 * point decomposes canonically to at most 3 per two bytes or 4 per three bytes of UTF-8, so 2 per byte is
 * room enough.
 */
static enum party_reject form_exact(const char *parameter, const char *text, size_t len, char *out,
                                    size_t *out_len)
{
    int32_t points[2 * PARTY_IDENTIFIER_MAX + 1];
    size_t ascii = 0;
    (void)parameter;
    while (ascii < len && (unsigned char)text[ascii] < 0x80)
        ascii++;
    if (ascii == len) {
        memcpy(out, text, len);
        *out_len = len;
        return PARTY_ACCEPTED;
    }
    ptrdiff_t n = utf8proc_decompose((const uint8_t *)text, (ptrdiff_t)len, points, 2 * PARTY_IDENTIFIER_MAX,
                                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0)
        return PARTY_REJECT_ENCODING;
    if (n > (ptrdiff_t)(2 * PARTY_IDENTIFIER_MAX))
        return PARTY_REJECT_TOO_LONG;
    n = utf8proc_reencode(points, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0)
        return PARTY_REJECT_ENCODING;
    if (n > (ptrdiff_t)PARTY_IDENTIFIER_MAX)
        return PARTY_REJECT_TOO_LONG;
    memcpy(out, points, (size_t)n);
    *out_len = (size_t)n;
    return PARTY_ACCEPTED;
}

static const party_profile profiles[] = {
    {"exact", 0, form_exact},
    {"cn-resident-id", 0, party_form_cn_resident_id},
    {"cn-uscc", 0, party_form_cn_uscc},
    {"phone-e164", 1, party_form_phone_e164},
};
#define PROFILES (sizeof profiles / sizeof *profiles)

const party_profile *party_profile_find(const char *name, char parameter[8])
{
    const char *plus = strchr(name, '+');
    size_t len = plus ? (size_t)(plus - name) : strlen(name), extra = plus ? strlen(plus + 1) : 0;
    for (size_t i = 0; i < PROFILES; i++) {
        if (strlen(profiles[i].name) != len || memcmp(profiles[i].name, name, len) != 0)
            continue;
        if (plus && (!profiles[i].takes_country || extra < 1 || extra > 3 || plus[1] == '0' ||
                     strspn(plus + 1, "0123456789") != extra))
            return NULL;
        memset(parameter, 0, 8);
        if (plus)
            memcpy(parameter, plus + 1, extra);
        return &profiles[i];
    }
    return NULL;
}

const char *party_profile_name(const party_profile *profile)
{
    return profile->name;
}

const char *party_profile_at(size_t i)
{
    return i < PROFILES ? profiles[i].name : NULL;
}

enum party_reject party_profile_apply(const party_profile *profile, const char *parameter, const char *text,
                                      size_t len, char *out, size_t *out_len)
{
    if (len == 0)
        return PARTY_REJECT_EMPTY;
    if (len > PARTY_IDENTIFIER_MAX)
        return PARTY_REJECT_TOO_LONG;
    return profile->form(parameter, text, len, out, out_len);
}

/* ---- Shared by the profiles of numbers ---- */

/* White space, and the invisible marks that come along when a number is copied from a web page or a
 * telephone. */
static int blank(int32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || c == 0x205f || c == 0x2060 || c == 0x3000 || c == 0xfeff;
}

enum party_reject party_fold(const char *text, size_t len, char *out, size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        int32_t c = (unsigned char)text[i];
        ptrdiff_t step = 1;
        if (c >= 0x80)
            step = utf8proc_iterate((const uint8_t *)text + i, (ptrdiff_t)(len - i), &c);
        if (step <= 0)
            return PARTY_REJECT_ENCODING;
        i += (size_t)step;
        if (blank(c))
            continue;
        if (c >= 0xff01 && c <= 0xff5e)
            c -= 0xff01 - '!';
        if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        out[n++] = (char)(c > ' ' && c <= '~' ? c : PARTY_FOLD_OTHER);
    }
    /* What spreadsheets are told text by: '110 and ="110". */
    if (n && out[0] == '\'')
        memmove(out, out + 1, --n);
    if (n >= 3 && out[0] == '=' && out[1] == '"' && out[n - 1] == '"') {
        n -= 3;
        memmove(out, out + 2, n);
    }
    *out_len = n;
    return n ? PARTY_ACCEPTED : PARTY_REJECT_EMPTY;
}

int party_fold_masked(const char *text, size_t len, int runs_of_x)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '*' || (runs_of_x && i && text[i] == 'X' && text[i - 1] == 'X'))
            return 1;
    return 0;
}

size_t party_fold_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* The sign or the point is required: 1E17 alone could be the beginning of a credit code. */
int party_fold_scientific(const char *text, size_t len)
{
    size_t i = party_fold_digits(text, len);
    int point = i < len && text[i] == '.';
    if (i == 0)
        return 0;
    if (point)
        i += 1 + party_fold_digits(text + i + 1, len - i - 1);
    if (i >= len || text[i] != 'E')
        return 0;
    i++;
    int sign = i < len && (text[i] == '+' || text[i] == '-');
    i += (size_t)sign;
    size_t exponent = party_fold_digits(text + i, len - i);
    return (point || sign) && exponent && i + exponent == len;
}
