/* SPDX-License-Identifier: Apache-2.0 */
/* Chinese numbers: resident identity (GB 11643-1999) and unified social credit code (GB 32100-2015). */
#include "party/profile_impl.h"

#include <string.h>

static unsigned digit(char c)
{
    return (unsigned)(c - '0');
}

/* ISO 7064 MOD 11-2 over the first 17 digits: their sum with weights 2^(17-i) mod 11, then 12 - sum mod 11,
 * 10 written X. */
static char resident_check(const char *id)
{
    unsigned sum = 0;
    for (size_t i = 0; i < 17; i++)
        sum = (sum + digit(id[i])) * 2 % 11;
    return "10X98765432"[sum];
}

static int date_exists(const char *yyyymmdd)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = yyyymmdd;
    unsigned year = digit(p[0]) * 1000 + digit(p[1]) * 100 + digit(p[2]) * 10 + digit(p[3]);
    unsigned month = digit(p[4]) * 10 + digit(p[5]), day = digit(p[6]) * 10 + digit(p[7]);
    if (year < 1800 || year > 2099 || month < 1 || month > 12 || day < 1)
        return 0;
    unsigned leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + leap;
}

enum party_reject party_form_cn_resident_id(const char *parameter, const char *text, size_t len, char *out,
                                            size_t *out_len)
{
    char id[PARTY_IDENTIFIER_MAX];
    size_t n;
    (void)parameter;
    enum party_reject r = party_fold(text, len, id, &n);
    if (r != PARTY_ACCEPTED)
        return r;
    if (party_fold_masked(id, n, 1))
        return PARTY_REJECT_MASKED;
    if (party_fold_scientific(id, n))
        return PARTY_REJECT_SCIENTIFIC;
    if (n != 15 && n != 18)
        return PARTY_REJECT_LENGTH;
    size_t digits = party_fold_digits(id, n);
    if (id[0] == '0' || !(digits == n || (n == 18 && digits == 17 && id[17] == 'X')))
        return PARTY_REJECT_CHARACTER;
    if (n == 15) {
        memmove(id + 8, id + 6, 9);
        memcpy(id + 6, "19", 2);
        id[17] = resident_check(id);
    }
    /* A spreadsheet keeps 15 digits of a number and writes zeros for the rest. */
    int checks = id[17] == resident_check(id);
    if (!checks && memcmp(id + 15, "000", 3) == 0)
        return PARTY_REJECT_DIGITS_LOST;
    if (!date_exists(id + 6))
        return PARTY_REJECT_DATE;
    if (!checks)
        return PARTY_REJECT_CHECK_DIGIT;
    memcpy(out, id, 18);
    *out_len = 18;
    return PARTY_ACCEPTED;
}

enum party_reject party_form_cn_uscc(const char *parameter, const char *text, size_t len, char *out,
                                     size_t *out_len)
{
    /* The value of a character is its place; I, O, S, V and Z are left out. */
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    char code[PARTY_IDENTIFIER_MAX];
    size_t n, sum = 0, weight = 1;
    (void)parameter;
    enum party_reject r = party_fold(text, len, code, &n);
    if (r != PARTY_ACCEPTED)
        return r;
    if (party_fold_masked(code, n, 0))
        return PARTY_REJECT_MASKED;
    if (party_fold_scientific(code, n))
        return PARTY_REJECT_SCIENTIFIC;
    if (n != 18)
        return PARTY_REJECT_LENGTH;
    /* GB 32100-2015: weights 3^i mod 31 over 17 characters, check value 31 - sum mod 31, with 31 written as
     * 0. */
    for (size_t i = 0; i < 18; i++) {
        const char *place = memchr(alphabet, code[i], sizeof alphabet - 1);
        if (!place)
            return PARTY_REJECT_CHARACTER;
        sum += i < 17 ? (size_t)(place - alphabet) * weight : 0;
        weight = weight * 3 % 31;
    }
    if (code[17] != alphabet[(31 - sum % 31) % 31])
        return party_fold_digits(code, n) == n && memcmp(code + 15, "000", 3) == 0 ? PARTY_REJECT_DIGITS_LOST
                                                                                   : PARTY_REJECT_CHECK_DIGIT;
    memcpy(out, code, 18);
    *out_len = 18;
    return PARTY_ACCEPTED;
}
