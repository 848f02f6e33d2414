/* SPDX-License-Identifier: Apache-2.0 */
/* Telephone numbers in the international form of ITU-T E.164, section 6: country code and national number, at
 * most 15 digits. */
#include "party/profile_impl.h"

#include <string.h>

#define E164_MIN 7 /* shorter ones are service numbers, which name nobody */
#define E164_MAX 15

/* Italy dials and writes the leading 0 of a number from abroad too; elsewhere 0 is a prefix for calls within
 * the country. */
static int keeps_zero(const char *international)
{
    return strncmp(international, "39", 2) == 0;
}

enum party_reject party_form_phone_e164(const char *parameter, const char *text, size_t len, char *out,
                                        size_t *out_len)
{
    char folded[PARTY_IDENTIFIER_MAX], number[PARTY_IDENTIFIER_MAX + 8];
    size_t n, digits = 0, country = strlen(parameter), zero_at = 0;
    enum party_reject r = party_fold(text, len, folded, &n);
    if (r != PARTY_ACCEPTED)
        return r;
    if (party_fold_masked(folded, n, 1))
        return PARTY_REJECT_MASKED;
    if (party_fold_scientific(folded, n))
        return PARTY_REJECT_SCIENTIFIC;
    int plus = folded[0] == '+';
    for (size_t i = (size_t)plus; i < n; i++) {
        if (folded[i] >= '0' && folded[i] <= '9') {
            /* "(0)" between country code and number: where the prefix of calls within the country stands. */
            if (!zero_at && i + 1 < n && folded[i] == '0' && folded[i - (i > 0)] == '(' &&
                folded[i + 1] == ')')
                zero_at = digits;
            number[digits++] = folded[i];
        } else if (!strchr("-()./", folded[i])) {
            return PARTY_REJECT_CHARACTER;
        }
    }
    if (!plus && digits >= 2 && memcmp(number, "00", 2) == 0) {
        plus = 1;
        digits -= 2;
        zero_at = zero_at > 2 ? zero_at - 2 : 0;
        memmove(number, number + 2, digits);
    }
    number[digits] = 0;
    if (plus && zero_at && !keeps_zero(number)) {
        digits--;
        memmove(number + zero_at, number + zero_at + 1, digits - zero_at);
    }
    if (!plus) {
        if (!country)
            return digits ? PARTY_REJECT_COUNTRY_CODE : PARTY_REJECT_LENGTH;
        size_t prefix = digits && number[0] == '0' && !keeps_zero(parameter);
        memmove(number + country, number + prefix, digits - prefix);
        memcpy(number, parameter, country);
        digits += country - prefix;
    }
    if (digits < E164_MIN || digits > E164_MAX)
        return PARTY_REJECT_LENGTH;
    if (number[0] == '0')
        return PARTY_REJECT_COUNTRY_CODE;
    out[0] = '+';
    memcpy(out + 1, number, digits);
    *out_len = digits + 1;
    return PARTY_ACCEPTED;
}
