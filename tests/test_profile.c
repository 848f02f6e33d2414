/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party/profile. Numbers are made up; their check characters were computed apart from this project (weights
 * of GB 11643-1999 and GB 32100-2015 in another language). 11010519491231002X and 440524188001010014 are the
 * examples printed in GB 11643-1999.
 */
#include "party/profile.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

/* Applies; result as canonical text, or "!" and the reason. */
static const char *apply_bytes(const char *profile, const char *text, size_t len)
{
    static char out[PARTY_IDENTIFIER_MAX + 1], reason[64];
    char parameter[8];
    size_t n = 0;
    const party_profile *p = party_profile_find(profile, parameter);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    enum party_reject r = party_profile_apply(p, parameter, text, len, out, &n);
    if (r != PARTY_ACCEPTED) {
        snprintf(reason, sizeof reason, "!%s", party_reject_name(r));
        return reason;
    }
    CU_ASSERT_FATAL(n >= 1 && n <= PARTY_IDENTIFIER_MAX);
    out[n] = 0;
    return out;
}

static const char *apply(const char *profile, const char *text)
{
    return apply_bytes(profile, text, strlen(text));
}

typedef struct pair {
    const char *text, *want;
} pair;

static void expect_all(const char *profile, const pair *t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = apply(profile, t[i].text);
        if (strcmp(got, t[i].want) != 0)
            printf("%s: case %zu: got [%s]\n", profile, i, got);
        CU_ASSERT_STRING_EQUAL(got, t[i].want);
    }
}
#define EXPECT_ALL(profile, t) expect_all(profile, t, sizeof t / sizeof *t)

static void test_names(void)
{
    char parameter[8] = "?";
    static const char *const names[] = {"exact", "cn-resident-id", "cn-uscc", "phone-e164"};
    for (size_t i = 0; i < 4; i++) {
        const party_profile *p = party_profile_find(names[i], parameter);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT_STRING_EQUAL(party_profile_name(p), names[i]);
        CU_ASSERT_STRING_EQUAL(parameter, "");
        CU_ASSERT_STRING_EQUAL(party_profile_at(i), names[i]);
    }
    CU_ASSERT_PTR_NULL(party_profile_at(4));
    const party_profile *p = party_profile_find("phone-e164+86", parameter);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_STRING_EQUAL(parameter, "86");
    CU_ASSERT_STRING_EQUAL(party_profile_name(p), "phone-e164");
    static const char *const bad[] = {
        "",          "Exact",          "exact ",       "exact+1",         "exac",
        "cn-uscc+1", "phone-e164+",    "phone-e164+0", "phone-e164+1234", "phone-e164+8a",
        "+86",       "phone-e164++86", "phone-e16+86"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_PTR_NULL(party_profile_find(bad[i], parameter));
    /* frozen: scripts and summaries know these */
    static const char *const reasons[] = {"empty",
                                          "bad encoding",
                                          "wrong number of columns",
                                          "too long",
                                          "wrong length",
                                          "bad character",
                                          "bad check digit",
                                          "bad date of birth",
                                          "masked",
                                          "scientific notation",
                                          "digits lost",
                                          "no country code",
                                          "no value",
                                          "not a number",
                                          "more decimals than declared",
                                          "value outside its range",
                                          "no consent",
                                          "consent expired",
                                          "consent not a date"};
    for (int i = 0; i < PARTY_REJECT_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(party_reject_name(i), reasons[i]);
    CU_ASSERT_PTR_NULL(party_reject_name(PARTY_REJECT_COUNT));
    CU_ASSERT_PTR_NULL(party_reject_name(-1));
}

static void test_exact(void)
{
    static const pair t[] = {
        {"Müller", "Müller"},
        {"Mu\xcc\x88ller", "M\xc3\xbcller"},          /* U+0075 U+0308 -> U+00FC */
        {"\xe2\x84\xab", "\xc3\x85"},                 /* U+212B -> U+00C5 */
        {"\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80"}, /* Hangul: U+1100 U+1161 -> U+AC00 */
        {"q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87"},   /* canonical order of marks */
        {"\xe5\xbc\xa0\xe4\xb8\x89", "\xe5\xbc\xa0\xe4\xb8\x89"},
        {"\xef\xbc\xa1", "\xef\xbc\xa1"}, /* full-width letters stay: NFC, not NFKC */
        {" a B ", " a B "},
        {"a\nb\t", "a\nb\t"},
        {"", "!empty"},
        {"a\xff", "!bad encoding"},
        {"\xc0\xaf", "!bad encoding"},         /* overlong */
        {"\xe0\x80\xaf", "!bad encoding"},     /* overlong */
        {"\xf0\x80\x80\xaf", "!bad encoding"}, /* overlong */
        {"\xed\xa0\x80", "!bad encoding"},     /* surrogate */
        {"\xf4\x90\x80\x80", "!bad encoding"}, /* above U+10FFFF */
        {"\xe5\xbc", "!bad encoding"},         /* cut */
        {"\x80", "!bad encoding"},
    };
    EXPECT_ALL("exact", t);
    static char big[PARTY_IDENTIFIER_MAX + 1];
    memset(big, 'a', sizeof big);
    CU_ASSERT_EQUAL(strlen(apply_bytes("exact", big, PARTY_IDENTIFIER_MAX)), PARTY_IDENTIFIER_MAX);
    CU_ASSERT_STRING_EQUAL(apply_bytes("exact", big, PARTY_IDENTIFIER_MAX + 1), "!too long");
    /* U+1D160 becomes three code points of 4 bytes and stays so: 4096 bytes in, 12288 out */
    for (size_t i = 0; i < PARTY_IDENTIFIER_MAX; i += 4)
        memcpy(big + i, "\xf0\x9d\x85\xa0", 4);
    CU_ASSERT_STRING_EQUAL(apply_bytes("exact", big, PARTY_IDENTIFIER_MAX), "!too long");
    /* U+1F82 decomposes into four code points and composes again */
    for (size_t i = 0; i + 3 <= PARTY_IDENTIFIER_MAX; i += 3)
        memcpy(big + i, "\xe1\xbe\x82", 3);
    CU_ASSERT_EQUAL(strlen(apply_bytes("exact", big, 4095)), 4095);
    /* U+01D5, three code points for two bytes */
    for (size_t i = 0; i < PARTY_IDENTIFIER_MAX; i += 2)
        memcpy(big + i, "\xc7\x95", 2);
    CU_ASSERT_EQUAL(strlen(apply_bytes("exact", big, PARTY_IDENTIFIER_MAX)), PARTY_IDENTIFIER_MAX);
}

static void test_resident_id(void)
{
    static const pair t[] = {
        {"11010519491231002X", "11010519491231002X"},
        {"440524188001010014", "440524188001010014"},
        {"11010519491231002x", "11010519491231002X"},
        {"110105491231002", "11010519491231002X"},
        {"440524880101001", "440524198801010011"},
        /* full-width digits and X, U+FF11.. and U+FF38, U+FF58 */
        {"１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X"},
        {"１１０１０５１９４９１２３１００２ｘ", "11010519491231002X"},
        {" 110105 19491231 002X ", "11010519491231002X"},
        {"\t110105\xc2\xa0"
         "19491231\xe3\x80\x80"
         "002X\xe2\x80\x8b\xef\xbb\xbf\r\n",
         "11010519491231002X"},
        {"'11010519491231002X", "11010519491231002X"},
        {" \xef\xbc\x87"
         "11010519491231002X",
         "11010519491231002X"},
        {"110101200002290018", "110101200002290018"}, /* 29 February of a leap century */
        {"110101180001010015", "110101180001010015"},
        {"110101209912310015", "110101209912310015"},
        {"110105195809090000", "110105195809090000"}, /* ends in 000 and is right */
        {"", "!empty"},
        {" \xe3\x80\x80", "!empty"},
        {"'", "!empty"},
        {"11010519491231002\xff", "!bad encoding"},
        {"110105********002X", "!masked"},
        {"110105＊＊＊＊＊＊＊＊002X", "!masked"},
        {"1101**", "!masked"},
        {"110105xxxxxxxx0021", "!masked"},
        {"1101051949123100XX", "!masked"},
        {"1.10105E+17", "!scientific notation"},
        {"4.40301e+17", "!scientific notation"},
        {"１．１Ｅ＋１７", "!scientific notation"},
        {"4E+17", "!scientific notation"},
        {"11010519491231002", "!wrong length"},
        {"11010519491231002X0", "!wrong length"},
        {"1", "!wrong length"},
        {"110105E17", "!wrong length"},
        {"1101051949123100A1", "!bad character"},
        {"11010519491231X021", "!bad character"},
        {"11010549123100X", "!bad character"},
        {"010105194912310021", "!bad character"},
        {"11010519491231-02X", "!bad character"},
        {"''110105491231002", "!wrong length"},
        {"1101051949123100\xe4\xb8\x80X", "!bad character"},
        {"110105194912310000", "!digits lost"},
        {"110101190002290011", "!bad date of birth"}, /* 1900 was no leap year */
        {"110101199013010014", "!bad date of birth"},
        {"110101199000010014", "!bad date of birth"},
        {"110101199004310014", "!bad date of birth"},
        {"110101199004000014", "!bad date of birth"},
        {"110101179912310010", "!bad date of birth"},
        {"110101210001010014", "!bad date of birth"},
        {"110105490229002", "!bad date of birth"},
        {"110105194912310021", "!bad check digit"},
        {"440524188001010015", "!bad check digit"},
    };
    EXPECT_ALL("cn-resident-id", t);
}

/* Weights as GB 11643-1999 prints them, apart from how profile_cn.c computes. */
static void test_resident_check(void)
{
    static const unsigned weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    unsigned wrong = 0;
    for (int round = 0; round < 2000; round++) {
        char id[19];
        snprintf(id, sizeof id, "%06u%04u%02u%02u%03u", 100000 + unit_below(900000), 1800 + unit_below(300),
                 1 + unit_below(12), 1 + unit_below(28), unit_below(1000));
        unsigned sum = 0;
        for (int i = 0; i < 17; i++)
            sum += weights[i] * (unsigned)(id[i] - '0');
        char right = "10X98765432"[sum % 11];
        for (const char *c = "0123456789X"; *c; c++) {
            id[17] = *c;
            id[18] = 0;
            const char *got = apply("cn-resident-id", id);
            wrong += (*c == right) != (strcmp(got, id) == 0);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_uscc(void)
{
    static const pair t[] = {
        {"91350100M000100Y43", "91350100M000100Y43"},
        {"91350100m000100y43", "91350100M000100Y43"},
        {"９１３５０１００Ｍ０００１００Ｙ４３", "91350100M000100Y43"},
        {"９１３５０１００ｍ０００１００ｙ４３", "91350100M000100Y43"},
        {" 9135 0100 M000 100Y 43\n", "91350100M000100Y43"},
        {"913100001234567896", "913100001234567896"},
        {"9131000012345678EM", "9131000012345678EM"},
        {"91350100E00010043M", "91350100E00010043M"}, /* an E that is no exponent */
        {"", "!empty"},
        {"\x80", "!bad encoding"},
        {"91350100****100Y43", "!masked"},
        {"9.1350E+17", "!scientific notation"},
        {"91350100M000100Y4", "!wrong length"},
        {"91350100M000100Y433", "!wrong length"},
        {"91350100I000100Y43", "!bad character"},
        {"91350100O000100Y43", "!bad character"},
        {"91350100S000100Y43", "!bad character"},
        {"91350100V000100Y43", "!bad character"},
        {"91350100Z000100Y43", "!bad character"},
        {"91350100-000100Y43", "!bad character"},
        {"91350100M000100Y44", "!bad check digit"},
        {"91350100M000100Y4Z", "!bad character"},
        {"913100001234567000", "!digits lost"},
        {"91350100M000100000", "!bad check digit"},
    };
    EXPECT_ALL("cn-uscc", t);
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    /* i-th weight: 3^i mod 31 */
    static const unsigned weights[17] = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};
    unsigned wrong = 0;
    for (int round = 0; round < 2000; round++) {
        char code[19];
        unsigned sum = 0, accepted = 0;
        for (int i = 0; i < 17; i++) {
            unsigned v = unit_below(31);
            code[i] = alphabet[v];
            sum += v * weights[i];
        }
        for (unsigned v = 0; v < 31; v++) {
            code[17] = alphabet[v];
            code[18] = 0;
            int ok = strcmp(apply("cn-uscc", code), code) == 0;
            accepted += (unsigned)ok;
            wrong += ok != ((sum + v) % 31 == 0);
        }
        wrong += accepted != 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_phone(void)
{
    static const pair international[] = {
        {"+8613800138000", "+8613800138000"},
        {"+86 138-0013-8000", "+8613800138000"},
        {"0086 138 0013 8000", "+8613800138000"},
        {"＋８６（１３８）００１３－８０００", "+8613800138000"},
        {"'+86.138.0013.8000", "+8613800138000"},
        {"+86/138/0013/8000", "+8613800138000"},
        {"\xe2\x80\xad+8613800138000\xe2\x80\xac",
         "+8613800138000"}, /* U+202D, U+202C come with copied contacts */
        {"+44 (0)20 7946 0018", "+442079460018"},
        {"0044(0)20 7946 0018", "+442079460018"},
        {"+39 (0)6 1234567", "+39061234567"},
        {"+39 06 1234567", "+39061234567"},
        {"+123456", "!wrong length"},
        {"+1234567", "+1234567"},
        {"+123456789012345", "+123456789012345"},
        {"+1234567890123456", "!wrong length"},
        {"00", "!wrong length"},
        {"+", "!wrong length"},
        {"0(0)8613800138000", "+8613800138000"},
        {"", "!empty"},
        {" - ", "!wrong length"},
        {"\xed\xa0\x80", "!bad encoding"},
        {"+86 138****8000", "!masked"},
        {"+86 138xxxx8000", "!masked"},
        {"1.38001E+10", "!scientific notation"},
        {"+86 138 0013 800a", "!bad character"},
        {"+86+13800138000", "!bad character"},
        {"86+13800138000", "!bad character"},
        {"+8613800138000 ext 5", "!bad character"},
        {"+0138001380", "!no country code"},
        {"13800138000", "!no country code"},
        {"013800138000", "!no country code"},
    };
    EXPECT_ALL("phone-e164", international);
    static const pair china[] = {
        {"13800138000", "+8613800138000"},
        {"010-6552 1234", "+861065521234"},
        {"(010) 65521234", "+861065521234"},
        {"(0)10 65521234", "+861065521234"},
        {"+8613800138000", "+8613800138000"},
        {"008613800138000", "+8613800138000"},
        {"+442079460018", "+442079460018"},
        {"0", "!wrong length"},
        {"110", "!wrong length"},
        {"138001380001380", "!wrong length"},
    };
    EXPECT_ALL("phone-e164+86", china);
    static const pair italy[] = {{"06 1234567", "+39061234567"}, {"347 1234567", "+393471234567"}};
    EXPECT_ALL("phone-e164+39", italy);
    static char digits[PARTY_IDENTIFIER_MAX];
    memset(digits, '5', sizeof digits);
    CU_ASSERT_STRING_EQUAL(apply_bytes("phone-e164+999", digits, sizeof digits), "!wrong length");
}

/* Whatever is accepted stays what it is when it is given again; the same person spelled differently is one.
 */
static void test_idempotent(void)
{
    static const char *const profiles[] = {"exact", "cn-resident-id", "cn-uscc", "phone-e164",
                                           "phone-e164+86"};
    static const char *const bits[] = {"1", "0", "00",           "5", "X", "+",         "(0)",
                                       " ", "-", "\xef\xbc\x91", "'", "M", "u\xcc\x88", "\xff"};
    unsigned wrong = 0, accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char text[64] = "", first[PARTY_IDENTIFIER_MAX + 1];
        for (uint32_t n = unit_below(18); n; n--) {
            const char *bit = bits[unit_below(sizeof bits / sizeof *bits)];
            memcpy(text + strlen(text), bit, strlen(bit) + 1);
        }
        for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
            const char *once = apply(profiles[i], text);
            if (*once == '!')
                continue;
            memcpy(first, once, strlen(once) + 1);
            accepted++;
            wrong += strcmp(apply(profiles[i], first), first) != 0;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(accepted > 1000);
}

/* A number of 18 characters is taken as it stands when it is right; a blank in front sends it the long way.
 */
static void test_as_it_stands(void)
{
    static const char *const profiles[] = {"cn-resident-id", "cn-uscc"};
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY", odd[] = "xXa*'.+E-/:@[\xff\0 ISVZ";
    unsigned wrong = 0, accepted[2] = {0, 0};
    for (int round = 0; round < 40000; round++) {
        char text[20] = " ", want[PARTY_IDENTIFIER_MAX + 1];
        size_t k = (size_t)round % 2;
        for (size_t i = 1; i < 19; i++)
            text[i] = alphabet[unit_below(k ? 31 : 10)];
        if (!k) { /* often a date that exists */
            memcpy(text + 7, unit_below(2) ? "19" : "20", 2);
            text[11] = (char)('0' + unit_below(2));
            text[13] = (char)('0' + unit_below(4));
            text[18] = "10X98765432"[unit_below(11)];
        }
        for (uint32_t n = unit_below(8); n > 5; n--)
            text[1 + unit_below(18)] = odd[unit_below(sizeof odd - 1)];
        for (size_t tries = 0; tries < 31; tries++) { /* every check character: one of them is right */
            text[18] = tries ? alphabet[tries] : text[18];
            const char *got = apply_bytes(profiles[k], text, 19);
            memcpy(want, got, strlen(got) + 1);
            got = apply_bytes(profiles[k], text + 1, 18);
            wrong += strcmp(got, want) != 0;
            accepted[k] += *got != '!';
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(accepted[0] > 1000 && accepted[1] > 10000);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"names", test_names},
        {"exact", test_exact},
        {"resident_id", test_resident_id},
        {"resident_check", test_resident_check},
        {"uscc", test_uscc},
        {"phone", test_phone},
        {"idempotent", test_idempotent},
        {"as_it_stands", test_as_it_stands},
    };
    return unit_main(argc, argv, "profile", tests, sizeof tests / sizeof *tests);
}
