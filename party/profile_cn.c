/* SPDX-License-Identifier: Apache-2.0 */
/* Chinese numbers: resident identity (GB 11643-1999) and unified social credit code (GB 32100-2015). */
#include "party/profile_impl.h"

#include <stdint.h>
#include <string.h>

static unsigned digit(char c)
{
    return (unsigned)(c - '0');
}

/* ISO 7064 MOD 11-2 over the first 17 digits: their sum with weights 2^(17-i) mod 11, then 12 - sum mod 11,
 * 10 written X. */
static char resident_check(const char *id)
{
    static const unsigned char weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    unsigned sum = 0;
    for (size_t i = 0; i < 17; i++)
        sum += digit(id[i]) * weights[i];
    return "10X98765432"[sum % 11];
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

/* Eight ASCII digits: every upper half is 3, also after adding 6. */
static int eight_digits(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ((v & 0xf0f0f0f0f0f0f0f0) | (((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) ==
           0x3333333333333333;
}

/* 18 characters that are a correct number as they stand, as nearly all are: nothing to fold, no reason to
 * find. */
static int resident_as_it_stands(const char *id)
{
    return eight_digits(id) && eight_digits(id + 8) && digit(id[16]) <= 9 && id[0] != '0' &&
           id[17] == resident_check(id) && date_exists(id + 6);
}

enum party_reject party_form_cn_resident_id(const char *parameter, const char *text, size_t len, char *out,
                                            size_t *out_len)
{
    char id[PARTY_IDENTIFIER_MAX];
    size_t n;
    (void)parameter;
    if (len == 18 && resident_as_it_stands(text)) {
        memcpy(out, text, 18);
        *out_len = 18;
        return PARTY_ACCEPTED;
    }
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

/* Whether the last of 18 characters checks the others; -1: one of them is not of the alphabet. */
static int uscc_checks(const char *code)
{
    /* The value of a character is its place; I, O, S, V and Z are left out. */
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    /* From '0' to 'Z': the value and one, 0 for no character of the alphabet. */
    static const unsigned char place['Z' - '0' + 1] = {
        1,  2,  3,  4, 5,  6,  7,  8,  9,  10, 0,  0,  0,  0, 0,  0,  0, 11, 12, 13, 14, 15,
        16, 17, 18, 0, 19, 20, 21, 22, 23, 0,  24, 25, 26, 0, 27, 28, 0, 29, 30, 31, 0};
    /* GB 32100-2015: weights 3^i mod 31 over 17 characters, check value 31 - sum mod 31, with 31 written as
     * 0. */
    static const unsigned char weights[18] = {1,  3,  9,  27, 19, 26, 16, 17, 20,
                                              29, 25, 13, 8,  24, 10, 30, 28, 0};
    unsigned sum = 0;
    for (size_t i = 0; i < 18; i++) {
        unsigned c = digit(code[i]);
        if (c >= sizeof place || !place[c])
            return -1;
        sum += (place[c] - 1u) * weights[i];
    }
    return code[17] == alphabet[(31 - sum % 31) % 31];
}

enum party_reject party_form_cn_uscc(const char *parameter, const char *text, size_t len, char *out,
                                     size_t *out_len)
{
    char code[PARTY_IDENTIFIER_MAX];
    size_t n;
    (void)parameter;
    if (len == 18 && uscc_checks(text) == 1) {
        memcpy(out, text, 18);
        *out_len = 18;
        return PARTY_ACCEPTED;
    }
    enum party_reject r = party_fold(text, len, code, &n);
    if (r != PARTY_ACCEPTED)
        return r;
    if (party_fold_masked(code, n, 0))
        return PARTY_REJECT_MASKED;
    if (party_fold_scientific(code, n))
        return PARTY_REJECT_SCIENTIFIC;
    if (n != 18)
        return PARTY_REJECT_LENGTH;
    int checks = uscc_checks(code);
    if (checks < 0)
        return PARTY_REJECT_CHARACTER;
    if (!checks)
        return party_fold_digits(code, n) == n && memcmp(code + 15, "000", 3) == 0 ? PARTY_REJECT_DIGITS_LOST
                                                                                   : PARTY_REJECT_CHECK_DIGIT;
    memcpy(out, code, 18);
    *out_len = 18;
    return PARTY_ACCEPTED;
}
