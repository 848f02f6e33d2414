/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/notation.h"

#include "cli/message.h"
#include <stdlib.h>
#include <string.h>

#define SCALE_MAX 9u
#define BOUND ((uint64_t)1 << 48)        /* of what tally_input_add_value takes */
#define MANTISSA_MAX 100000000000000000u /* 10^17: one more digit fits 64 bits */
#define EXPONENT_MAX 40                  /* larger ones are as hopeless: BOUND is below 10^15 */

/* ---- Numbers ---- */

/* mantissa * 10^exponent; the mantissa has no trailing zeros that the exponent could have. */
typedef struct decimal {
    int negative;
    uint64_t mantissa;
    int exponent;
} decimal;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One more digit; those beyond the 18th are kept as size only, and as being there at all. */
static void add_digit(decimal *d, char c, int place)
{
    if (d->mantissa >= MANTISSA_MAX) {
        d->mantissa |= c != '0';
        d->exponent += !place;
    } else {
        d->mantissa = d->mantissa * 10 + (uint64_t)(unsigned char)(c - '0');
        d->exponent -= place;
    }
}

/* e and digits, or a letter for a power of ten; 0 if p is at something else. */
static int read_power(const char **p, const char *end, int *power)
{
    const char *q = *p;
    *power = 0;
    if (q == end)
        return 1;
    if (*q == 'e' || *q == 'E') {
        if (++q == end || !is_digit(*q))
            return 0;
        for (; q < end && is_digit(*q); q++)
            *power = *power < EXPONENT_MAX ? *power * 10 + (*q - '0') : EXPONENT_MAX;
    } else {
        *power = *q == 'k' || *q == 'K' ? 3 : *q == 'M' ? 6 : *q == 'G' ? 9 : 0;
        q += *power > 0;
    }
    *p = q;
    return 1;
}

/* All of [p, end); 0 if it is no number. */
static int read_decimal(const char *p, const char *end, decimal *out)
{
    decimal d = {.negative = 0};
    int power;
    if (p < end && (*p == '+' || *p == '-'))
        d.negative = *p++ == '-';
    if (p == end || !is_digit(*p))
        return 0;
    for (; p < end && is_digit(*p); p++)
        add_digit(&d, *p, 0);
    if (p < end && *p == '.') {
        if (++p == end || !is_digit(*p))
            return 0;
        for (; p < end && is_digit(*p); p++)
            add_digit(&d, *p, 1);
    }
    if (!read_power(&p, end, &power) || p != end)
        return 0;
    d.exponent += power;
    while (d.mantissa && d.mantissa % 10 == 0) {
        d.mantissa /= 10;
        d.exponent++;
    }
    *out = d;
    return 1;
}

/* Decimals that it needs. */
static unsigned decimals_of(const decimal *d)
{
    return d->mantissa && d->exponent < 0 ? (unsigned)-d->exponent : 0;
}

/* Times 10^scale, which is at least its decimals; 0 if that is not below 2^48. */
static int at_scale(const decimal *d, unsigned scale, int64_t *out)
{
    uint64_t n = d->mantissa;
    if (n)
        for (int i = d->exponent + (int)scale; i > 0 && n < BOUND; i--)
            n *= 10;
    if (n >= BOUND)
        return 0;
    *out = d->negative ? -(int64_t)n : (int64_t)n;
    return 1;
}

/* ---- Values ---- */

static int shown(size_t length)
{
    return (int)(length < 100 ? length : 100);
}

static tally_status not_value(const char *option, const char *text, tally_error *error)
{
    cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\" is not a column and the range of its values", option,
             text);
    cli_hint(error, "write %s COLUMN:MIN..MAX, with @DECIMALS if there are any: %s balance:-1e6..1e9@2",
             option, option);
    return TALLY_ERR_USAGE;
}

static tally_status too_large(const char *option, const char *text, const char *p, const char *end,
                              unsigned scale, tally_error *error)
{
    cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\": %.*s is too large at %u decimals", option, text,
             shown((size_t)(end - p)), p, scale);
    cli_hint(error, "without its point a number is below 2^48 (281474976710656), all its decimals included: "
                    "with 2 decimals up to 2.8e12");
    return TALLY_ERR_USAGE;
}

/* The number in [p, end) at the scale. */
static tally_status bound_of(const char *option, const char *text, const char *p, const char *end,
                             unsigned scale, int64_t *out, tally_error *error)
{
    decimal d;
    if (!read_decimal(p, end, &d))
        return not_value(option, text, error);
    if (decimals_of(&d) > scale) {
        cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\": %.*s has more than %u decimals", option, text,
                 shown((size_t)(end - p)), p, scale);
        cli_hint(error, "say how many decimals the values have: %s balance:-0.50..1e6@2", option);
        return TALLY_ERR_USAGE;
    }
    return at_scale(&d, scale, out) ? TALLY_OK : too_large(option, text, p, end, scale, error);
}

static tally_status copy_column(const char *text, const char *colon, char **column, tally_error *error)
{
    *column = strndup(text, (size_t)(colon - text));
    return *column ? TALLY_OK : cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
}

tally_status cli_parse_value(const char *option, const char *text, char **column, int64_t *min, int64_t *max,
                             unsigned *scale, tally_error *error)
{
    const char *colon = strrchr(text, ':'), *end = text + strlen(text);
    const char *dots = colon ? strstr(colon, "..") : NULL, *at = colon ? strchr(colon, '@') : NULL;
    unsigned places = 0;
    int64_t low = 0, high = 0;
    char *copy;
    if (!dots || colon == text || (at && at < dots))
        return not_value(option, text, error);
    if (at) {
        if (!is_digit(at[1]) || at[2]) {
            cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\": the decimals are 0 to 9, not \"%.100s\"",
                     option, text, at + 1);
            cli_hint(error, "for values such as 12.50 write @2: %s balance:0..1e6@2", option);
            return TALLY_ERR_USAGE;
        }
        places = (unsigned)(at[1] - '0');
        end = at;
    }
    tally_status st = bound_of(option, text, colon + 1, dots, places, &low, error);
    if (!st)
        st = bound_of(option, text, dots + 2, end, places, &high, error);
    if (!st && low > high) {
        st =
            cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\": the range ends before it begins", option, text);
        cli_hint(error, "the smaller end comes first: %s balance:-100..5000", option);
    }
    if (!st)
        st = copy_column(text, colon, &copy, error);
    if (st)
        return st;
    *column = copy;
    *min = low;
    *max = high;
    *scale = places;
    return TALLY_OK;
}

/* ---- Bands ---- */

static tally_status not_band(const char *option, const char *text, const char *what, tally_error *error)
{
    cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\"%s", option, text, what);
    cli_hint(error,
             "write %s COLUMN:EDGE,EDGE,..., 2 to %u edges in ascending order: %s score:350,550,650,750",
             option, CLI_EDGES_MAX, option);
    return TALLY_ERR_USAGE;
}

tally_status cli_parse_band(const char *option, const char *text, char **column, int64_t edges[CLI_EDGES_MAX],
                            size_t *count, unsigned *scale, tally_error *error)
{
    const char *colon = strrchr(text, ':'), *p = colon;
    decimal given[CLI_EDGES_MAX];
    int64_t found[CLI_EDGES_MAX];
    size_t n = 0;
    unsigned places = 0;
    char *copy;
    if (!colon || colon == text)
        return not_band(option, text, " is not a column and the edges of its bands", error);
    for (const char *end; p; p = end) { /* p is at the colon or comma before an edge */
        end = strchr(p + 1, ',');
        if (n == CLI_EDGES_MAX)
            return not_band(option, text, " has too many edges", error);
        if (!read_decimal(p + 1, end ? end : text + strlen(text), &given[n]))
            return not_band(option, text, " is not a column and the edges of its bands", error);
        places = decimals_of(&given[n]) > places ? decimals_of(&given[n]) : places;
        n++;
    }
    if (n < 2)
        return not_band(option, text, " has only one edge", error);
    if (places > SCALE_MAX)
        return not_band(option, text, " has more than 9 decimals", error);
    p = colon + 1;
    for (size_t i = 0; i < n; i++, p += strcspn(p, ",") + 1) {
        if (!at_scale(&given[i], places, &found[i]))
            return too_large(option, text, p, p + strcspn(p, ","), places, error);
        if (i && found[i] <= found[i - 1])
            return not_band(option, text, ": the edges do not ascend", error);
    }
    tally_status st = copy_column(text, colon, &copy, error);
    if (st)
        return st;
    *column = copy;
    memcpy(edges, found, n * sizeof *edges);
    *count = n;
    *scale = places;
    return TALLY_OK;
}

/* ---- Noise ---- */

tally_status cli_parse_epsilon(const char *option, const char *text, uint64_t *micro, tally_error *error)
{
    static const char name[] = "epsilon=";
    decimal d;
    int64_t n;
    const char *p = text + sizeof name - 1;
    if (strncmp(text, name, sizeof name - 1) != 0 || !read_decimal(p, p + strlen(p), &d) ||
        decimals_of(&d) > 6 || !at_scale(&d, 6, &n) || n < 1000 || n > 100000000) {
        cli_fail(error, TALLY_ERR_USAGE, "%s: \"%.200s\" is not epsilon= and a number from 0.001 to 100",
                 option, text);
        cli_hint(error, "a smaller epsilon is more noise; up to 6 decimals: %s epsilon=0.5", option);
        return TALLY_ERR_USAGE;
    }
    *micro = (uint64_t)n;
    return TALLY_OK;
}
