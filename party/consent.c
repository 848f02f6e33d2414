/* SPDX-License-Identifier: Apache-2.0 */
#include "party/consent.h"

#include "party/error.h"
#include <utf8proc.h>

int party_consent_reason(int reason)
{
    return reason >= PARTY_REJECT_NO_CONSENT && reason <= PARTY_REJECT_CONSENT_DATE;
}

/* ---- A cell ---- */

static int is_blank(int32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

/* Takes blanks from both ends. What is not UTF-8 is no blank. */
static void trim(const char **text, size_t *len)
{
    const char *first = NULL, *last = NULL;
    for (size_t at = 0; at < *len;) {
        int32_t c;
        ptrdiff_t n = utf8proc_iterate((const utf8proc_uint8_t *)*text + at, (ptrdiff_t)(*len - at), &c);
        int blank = n > 0 && is_blank(c);
        size_t step = n > 0 ? (size_t)n : 1;
        if (!blank && !first)
            first = *text + at;
        if (!blank)
            last = *text + at + step;
        at += step;
    }
    *text = first ? first : *text;
    *len = first ? (size_t)(last - first) : 0;
}

static int is_day(unsigned year, unsigned month, unsigned day)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* yyyymmdd, or 0. */
static uint32_t day_of(const char *text, size_t len)
{
    unsigned n = 0, digits = 0;
    if (len != 8 && len != 10)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (len == 10 && (i == 4 || i == 7)) {
            if ((text[i] != '-' && text[i] != '/') || text[i] != text[4])
                return 0;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return 0;
        n = n * 10 + (unsigned)(text[i] - '0');
        digits++;
    }
    return digits == 8 && is_day(n / 10000, n / 100 % 100, n % 100) ? n : 0;
}

enum party_reject party_consent_judge(const char *text, size_t len, int reference, uint32_t today)
{
    trim(&text, &len);
    if (!len)
        return PARTY_REJECT_NO_CONSENT;
    if (reference)
        return PARTY_ACCEPTED;
    uint32_t until = day_of(text, len);
    return !until ? PARTY_REJECT_CONSENT_DATE : until < today ? PARTY_REJECT_CONSENT_EXPIRED : PARTY_ACCEPTED;
}

enum party_reject party_consent_of_record(party_derive *d, const tally_input *input, const uint8_t *record)
{
    const party_consent *c = &input->consent;
    tally_text text;
    if (!c->column)
        return PARTY_ACCEPTED;
    enum party_reject reject = party_derive_text(d, record, &party_derive_fields(d)[c->index], &text);
    return reject == PARTY_ACCEPTED ? party_consent_judge(text.p, text.len, c->reference, c->today) : reject;
}
