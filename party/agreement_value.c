/* SPDX-License-Identifier: Apache-2.0 */
/* The text of one field of an agreement -> its value, or what is wrong with it and what to do. */
#include "party/agreement.h"

#include "party/day.h"
#include "party/error.h"
#include "party/numbers.h"
#include "party/profile.h"
#include "party/tls.h"
#include "party/transport.h"
#include "proto/hello.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <utf8proc.h>

/* What every failure needs. */
typedef struct place {
    const tally_agreement *a;
    const party_agreed_field *field;
    const char *path;
    uint32_t line;
    tally_error *error;
} place;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "name: WHAT it is not a whole number from ..." */
static tally_status refuse(const place *p, const char *text, const char *hint)
{
    char form[600], shown[80];
    party_agreed_form(p->field, form, sizeof form);
    party_printable(shown, sizeof shown, text);
    party_agreed_fail(p->a, p->line, p->path, p->error, "\"%s\" is not %s", shown, form);
    if (hint)
        party_hint(p->error, PARTY_WHOLE, hint);
    return TALLY_ERR_INPUT;
}

/* ---- Numbers ---- */

/* Forms of YAML numbers that are read differently by different programs. NULL: none of them. */
static const char *strange_number(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    if (*text == '+')
        return "write the number without a sign";
    if (p[0] == '0' && p[1] && strchr("xXoObB", p[1]))
        return "hexadecimal, octal and binary numbers are not taken: write it in decimal digits";
    if (p[0] == '0' && is_digit(p[1]))
        return "a number that begins with 0 is octal to some programs: write it without the 0";
    if (is_digit(*p) && strchr(p, '_'))
        return "write the digits without _ between them";
    if (is_digit(*p) && strpbrk(p, "eE"))
        return "write the number out, such as 1000000, not with an exponent";
    if (is_digit(*p) && strpbrk(p, "kKMG"))
        return "write the number out: 10000000, not 10M";
    if (is_digit(*p) && strchr(p, ','))
        return "write the digits without commas between them";
    return NULL;
}

/* [-]digits[.digits], no leading zero. */
static int is_decimal(const char *text)
{
    const char *p = text + (*text == '-');
    if (!is_digit(*p) || (p[0] == '0' && is_digit(p[1])))
        return 0;
    while (is_digit(*p))
        p++;
    if (*p == '.' && is_digit(p[1]))
        for (p++; is_digit(*p);)
            p++;
    return !*p;
}

unsigned party_agreed_decimals(const char *text)
{
    const char *point = strchr(text, '.');
    return point ? (unsigned)strlen(point + 1) : 0;
}

int party_agreed_decimal(const char *text, unsigned scale, int64_t *out)
{
    return is_decimal(text) &&
           party_number_parse((const uint8_t *)text, strlen(text), scale, 0, out) == PARTY_ACCEPTED;
}

static tally_status take_number(const place *p, const char *text, int64_t *number)
{
    const party_agreed_field *f = p->field;
    const char *strange = strange_number(text);
    unsigned scale = f->type == AGREED_EPSILON ? AGREED_EPSILON_DECIMALS : 0;
    int64_t n = 0;
    if (strange)
        return refuse(p, text, strange);
    if (f->type == AGREED_INTEGER && is_decimal(text) && strchr(text, '.'))
        return refuse(p, text, "leave out the point and what follows it");
    if (f->type == AGREED_DECIMAL) {
        if (!is_decimal(text) || strlen(text) > 32)
            return refuse(p, text, "write digits, with a point before decimals if there are any");
        return TALLY_OK;
    }
    if (!party_agreed_decimal(text, scale, &n))
        return refuse(p, text, scale ? "write such as 0.5" : "write decimal digits only");
    if (n < 0 || (uint64_t)n < f->min || (uint64_t)n > f->max)
        return refuse(p, text, "choose a number in that range");
    *number = n;
    return TALLY_OK;
}

/* "P%", as parts per million. */
static tally_status take_share(const place *p, char *text, int64_t *number)
{
    size_t len = strlen(text);
    int64_t n = 0;
    int good = len > 1 && len < 16 && text[len - 1] == '%';
    if (good) {
        text[len - 1] = 0;
        good = party_agreed_decimal(text, AGREED_SHARE_DECIMALS, &n) && n >= (int64_t)p->field->min &&
               n <= (int64_t)p->field->max;
        text[len - 1] = '%';
    }
    if (!good)
        return refuse(p, text, "write a share of the receiver's list, such as 5% or 0.25%");
    *number = n;
    return TALLY_OK;
}

static tally_status take_date(const place *p, const char *text, int64_t *number)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned part[3] = {0}, at = 0;
    int good = strlen(text) == 10;
    for (size_t i = 0; good && i < 10; i++) {
        if (i == 4 || i == 7) {
            good = text[i] == '-';
            at++;
        } else {
            good = is_digit(text[i]);
            part[at] = part[at] * 10 + (unsigned)(text[i] - '0');
        }
    }
    if (!good)
        return refuse(p, text, "write year, month and day with dashes: 2027-01-31");
    unsigned year = part[0], month = part[1], day = part[2];
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 2000 || month < 1 || month > 12 || day < 1 ||
        day > days[month - 1] + (month == 2 && leap ? 1u : 0u))
        return refuse(p, text, "there is no such day from 2000-01-01 on: look at the calendar");
    *number = year * 10000 + month * 100 + day;
    return TALLY_OK;
}

/* ---- Texts ---- */

/* "12:30" and "1:20.5": to YAML 1.1 a number to the base of 60. */
static int is_sexagesimal(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    int groups = 0;
    if (!is_digit(*p))
        return 0;
    p += strspn(p, "0123456789_");
    for (; *p == ':'; groups++) {
        size_t digits = strspn(p + 1, "0123456789");
        if (digits < 1 || digits > 2 || (digits == 2 && p[1] > '5'))
            return 0;
        p += 1 + digits;
    }
    if (groups && *p == '.')
        p += 1 + strspn(p + 1, "0123456789_");
    return groups && !*p;
}

/* What YAML 1.1 makes something else of than text: nothing, truth, numbers, times, and its own marks. */
static int not_text(const char *text)
{
    static const char *const words[] = {"",  "~", "null", "true", "false", "yes",   "no", "on", "off",
                                        "y", "n", ".inf", ".nan", "+.inf", "-.inf", "=",  "<<"};
    const char *p = text + (*text == '-' || *text == '+');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return 1;
    int is_time = strspn(text, "0123456789") == 4 && text[4] == '-';
    if (is_time && text[strspn(text, "0123456789-+:.tTzZ \t")] == 0)
        return 1;
    p += *p == '.';
    return is_digit(*p) && p[strspn(p, "0123456789abcdefABCDEFxo_.:eE+-")] == 0;
}

/* What cannot be seen, reorders text, or has no meaning yet: controls, formats, private and unassigned
 * characters, and the letters and marks that show nothing (Default_Ignorable_Code_Point of Unicode that is no
 * format, and the empty Braille pattern). */
int party_agreed_hidden(int32_t c)
{
    return wire_unseen(c) || c == 0x34f || c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 ||
           (c >= 0x180b && c <= 0x180f) || c == 0x2800 || c == 0x3164 || (c >= 0xfe00 && c <= 0xfe0f) ||
           c == 0xffa0 || (c >= 0xe0000 && c <= 0xe0fff);
}

/* A blank of any width. */
static int is_blank(int32_t c)
{
    return c == ' ' || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

/* Printable, on one line unless prose, no blank at either end; its characters, or -1. */
static long characters(const char *text, size_t len, int lines)
{
    long n = 0;
    for (size_t at = 0; at < len; n++) {
        utf8proc_int32_t c;
        ptrdiff_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (ptrdiff_t)(len - at), &c);
        if (step <= 0 || (party_agreed_hidden(c) && !(lines && c == '\n')))
            return -1;
        if (is_blank(c) && (at == 0 || at + (size_t)step == len))
            return -1;
        at += (size_t)step;
    }
    return n;
}

static tally_status take_text(const place *p, char *text, size_t len, int plain)
{
    const party_agreed_field *f = p->field;
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = 0;
    if (plain && len && not_text(text)) {
        refuse(p, text, NULL);
        party_hint(p->error, "YAML takes this for something else than text: put it in quotes");
        return TALLY_ERR_INPUT;
    }
    if (f->type == AGREED_COLUMN)
        return wire_column_name(text, len)
                   ? TALLY_OK
                   : refuse(p, text, "write the name as it stands in the first line of the file");
    long n = characters(text, len, f->type == AGREED_PROSE);
    if (n < 0)
        return refuse(p, text,
                      "take out blanks at the ends, line ends, and characters that reorder or hide text");
    if (n < (long)f->min)
        return refuse(p, text, "there has to be something: write it after the colon");
    if (n > (long)f->max)
        return refuse(p, text, "shorten it, and refer to a document for the rest");
    return TALLY_OK;
}

static tally_status take_word(const place *p, const char *text, int64_t *number)
{
    for (size_t i = 0; p->field->words[i]; i++)
        if (strcmp(p->field->words[i], text) == 0) {
            *number = (int64_t)i;
            return TALLY_OK;
        }
    return refuse(p, text, "take one of these words");
}

static tally_status take_fingerprint(const place *p, char *text)
{
    uint8_t pin[32];
    if (party_pin_parse(pin, text, NULL))
        return refuse(p, text, "copy it from what tally identity show prints at that organisation");
    party_pin_text(text, pin);
    return TALLY_OK;
}

static tally_status take_address(const place *p, const char *text, int plain)
{
    party_address address;
    tally_error why;
    if (plain && is_sexagesimal(text))
        return refuse(p, text, "YAML takes this for something else than text: put it in quotes");
    if (!party_address_parse(&address, text, 0, &why))
        return TALLY_OK;
    party_agreed_fail(p->a, p->line, p->path, p->error, PARTY_WHOLE, party_message_of(&why));
    party_hint(p->error, PARTY_WHOLE, party_hint_of(&why));
    return TALLY_ERR_INPUT;
}

static tally_status take_zone(const place *p, const char *text)
{
    uint32_t day;
    int good = party_zone_name(text);
    tally_error why;
    if (good && !party_day_in_zone(text, 0, &day, &why))
        return TALLY_OK;
    if (good && why.status == TALLY_ERR_NO_MEMORY)
        return party_no_memory(p->error, "a time zone");
    if (good && access(PARTY_ZONES, F_OK))
        return refuse(p, text, "this machine has no list of time zones: install the package tzdata");
    return refuse(p, text, "write a name such as Asia/Shanghai, Europe/Berlin or UTC");
}

tally_status party_agreed_value(const tally_agreement *a, const party_agreed_field *field, const char *path,
                                uint32_t line, char *text, size_t len, int plain, int64_t *number,
                                tally_error *error)
{
    const place p = {a, field, path, line, error};
    char parameter[8];
    int is_number = field->type == AGREED_INTEGER || field->type == AGREED_DECIMAL ||
                    field->type == AGREED_EDGES || field->type == AGREED_EPSILON ||
                    field->type == AGREED_SHARE || field->type == AGREED_DATE;
    if (strlen(text) != len)
        return refuse(&p, text, "take out the zero character");
    if (is_number && !plain) {
        char form[600];
        party_agreed_form(field, form, sizeof form);
        party_agreed_fail(a, line, path, error, "text in quotes is not %s", form);
        party_hint(error, "write it without quotes");
        return TALLY_ERR_INPUT;
    }
    switch (field->type) {
    case AGREED_INTEGER:
    case AGREED_DECIMAL:
    case AGREED_EPSILON:
        return take_number(&p, text, number);
    case AGREED_EDGES: {
        party_agreed_field edge = *field;
        edge.type = AGREED_DECIMAL;
        return take_number(&(const place){a, &edge, path, line, error}, text, number);
    }
    case AGREED_SHARE:
        return take_share(&p, text, number);
    case AGREED_DATE:
        return take_date(&p, text, number);
    case AGREED_WORD:
        return take_word(&p, text, number);
    case AGREED_FINGERPRINT:
        return take_fingerprint(&p, text);
    case AGREED_ADDRESS:
        return take_address(&p, text, plain);
    case AGREED_PROFILE:
        return party_profile_find(text, parameter)
                   ? TALLY_OK
                   : refuse(&p, text, "CC is a country code such as 86: phone-e164+86");
    case AGREED_ZONE:
        return take_zone(&p, text);
    default:
        return take_text(&p, text, len, plain);
    }
}
