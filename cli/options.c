/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "cli/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 32u /* longer words are not compared with names: none is that long */

/* ---- Nearest name ---- */

/* Levenshtein distance of two words of at most NAME_MAX_LENGTH characters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1], la = strlen(a), lb = strlen(b);
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[lb];
}

const char *cli_nearest(const char *text, const char *const *names)
{
    size_t length = strlen(text), best = length / 3 + 2;
    const char *found = NULL;
    if (length == 0 || length > NAME_MAX_LENGTH)
        return NULL;
    for (; *names; names++) {
        if (strlen(*names) > NAME_MAX_LENGTH)
            continue;
        /* The beginning of a name counts as one slip, so that --conn finds --connect. */
        size_t d = length > 1 && strncmp(*names, text, length) == 0 ? 1 : distance(text, *names);
        if (d < best && d < length) {
            best = d;
            found = *names;
        }
    }
    return found;
}

/* ---- The iterator ---- */

void cli_args_init(cli_args *args, const cli_option *options, size_t count, char *const *argv)
{
    *args = (cli_args){.options = options, .count = count, .argv = argv};
}

int cli_args_seen(const cli_args *args, int i)
{
    return args->seen >> i & 1;
}

static int unknown(const cli_args *args, const char *dashes, const char *name, size_t length,
                   tally_error *error)
{
    char word[NAME_MAX_LENGTH + 1];
    const char *names[CLI_OPTIONS_MAX + 1];
    cli_fail(error, TALLY_ERR_USAGE, "unknown option %s%.*s", dashes, (int)(length < 200 ? length : 200),
             name);
    for (size_t i = 0; i < args->count; i++)
        names[i] = args->options[i].name;
    names[args->count] = NULL;
    const char *near = NULL;
    if (length <= NAME_MAX_LENGTH) {
        memcpy(word, name, length);
        word[length] = 0;
        near = cli_nearest(word, names);
    }
    if (near)
        cli_hint(error, "did you mean --%s?", near);
    else
        cli_hint(error, "--help lists the options");
    return CLI_BAD;
}

/* The option was recognised: counts it, and fetches its value from `attached` or the next argument. */
static int take(cli_args *args, size_t i, const char *attached, const char **value, tally_error *error)
{
    const cli_option *o = &args->options[i];
    uint64_t bit = (uint64_t)1 << i;
    if ((args->seen & bit) && !o->repeats && o->takes_value) {
        cli_fail(error, TALLY_ERR_USAGE, "--%s was given twice", o->name);
        return CLI_BAD;
    }
    args->seen |= bit;
    *value = NULL;
    if (!o->takes_value && attached) {
        cli_fail(error, TALLY_ERR_USAGE, "--%s takes no value", o->name);
        return CLI_BAD;
    }
    if (!o->takes_value)
        return (int)i;
    if (!attached) {
        /* A forgotten value is likelier than one that begins with two dashes; --name=--value is still
         * possible. */
        const char *next = *args->argv;
        if (next && strncmp(next, "--", 2) != 0) {
            attached = next;
            args->argv++;
        }
    }
    if (!attached || !*attached) {
        cli_fail(error, TALLY_ERR_USAGE, "--%s needs a value", o->name);
        cli_hint(error, "write --%s VALUE or --%s=VALUE", o->name, o->name);
        return CLI_BAD;
    }
    *value = attached;
    return (int)i;
}

static int next_short(cli_args *args, const char **value, tally_error *error)
{
    const char *c = args->cluster;
    args->cluster = NULL;
    for (size_t i = 0; i < args->count; i++) {
        if (args->options[i].letter != *c)
            continue;
        if (args->options[i].takes_value)
            return take(args, i, c[1] ? c + 1 : NULL, value, error);
        args->cluster = c[1] ? c + 1 : NULL;
        return take(args, i, NULL, value, error);
    }
    return unknown(args, "-", c, 1, error);
}

int cli_args_next(cli_args *args, const char **value, tally_error *error)
{
    if (args->cluster)
        return next_short(args, value, error);
    if (!*args->argv)
        return CLI_END;
    const char *arg = *args->argv++;
    if (args->words_only || arg[0] != '-' || !arg[1]) {
        *value = arg;
        return CLI_WORD;
    }
    if (arg[1] != '-') {
        args->cluster = arg + 1;
        return next_short(args, value, error);
    }
    if (!arg[2]) {
        args->words_only = 1;
        return cli_args_next(args, value, error);
    }
    const char *name = arg + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    for (size_t i = 0; i < args->count; i++)
        if (strlen(args->options[i].name) == length && strncmp(args->options[i].name, name, length) == 0)
            return take(args, i, equals ? equals + 1 : NULL, value, error);
    return unknown(args, "--", name, length, error);
}

/* ---- Values ---- */

/* Digits at *p, at least one, into *out; 0 if there is none or the number passes 2^64. */
static int digits(const char **p, uint64_t *out)
{
    uint64_t n = 0;
    if (**p < '0' || **p > '9')
        return 0;
    for (; **p >= '0' && **p <= '9'; ++*p)
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(unsigned char)(**p - '0'), &n))
            return 0;
    *out = n;
    return 1;
}

tally_status cli_parse_duration(const char *option, const char *text, unsigned *seconds, tally_error *error)
{
    const char *p = text;
    uint64_t n = 0, unit = 0;
    int ok = digits(&p, &n);
    if (!*p || strcmp(p, "s") == 0)
        unit = 1;
    else if (strcmp(p, "m") == 0)
        unit = 60;
    else if (strcmp(p, "h") == 0)
        unit = 3600;
    if (!ok || !unit || n < 1 || n > 86400 / unit) {
        cli_fail(error, TALLY_ERR_USAGE, "%s: \"%s\" is not a time from 1s to 24h", option, text);
        cli_hint(error, "write a whole number and s, m or h: 90s, 10m, 2h; without a letter it is seconds");
        return TALLY_ERR_USAGE;
    }
    *seconds = (unsigned)(n * unit);
    return TALLY_OK;
}

/* The number in one of the notations of counts; 0 if text is none or passes 2^64. */
static int count_value(const char *text, uint64_t *out)
{
    const char *p = text;
    uint64_t n, unit = 1, power;
    if (!digits(&p, &n))
        return 0;
    if (n == 2 && *p == '^') {
        p++;
        if (!digits(&p, &power) || *p || power > 63)
            return 0;
        *out = (uint64_t)1 << power;
        return 1;
    }
    if (*p == 'k' || *p == 'K')
        unit = 1000;
    else if (*p == 'M')
        unit = 1000000;
    else if (*p == 'G')
        unit = 1000000000;
    if (unit > 1)
        p++;
    return !*p && !__builtin_mul_overflow(n, unit, out);
}

tally_status cli_parse_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                             tally_error *error)
{
    uint64_t n;
    if (!count_value(text, &n)) {
        cli_fail(error, TALLY_ERR_USAGE, "%s: \"%s\" is not a count", option, text);
        cli_hint(error, "write a whole number: 250, 10k, 10M (10000000), 1G, or a power of two such as 2^20");
        return TALLY_ERR_USAGE;
    }
    if (n < min || n > max)
        return cli_fail(error, TALLY_ERR_USAGE, "%s: %s is not between %llu and %llu", option, text,
                        (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return TALLY_OK;
}

/* "P%" with up to four decimals, 0 to 100, as parts per million. */
static int percent_value(const char *text, uint64_t *ppm)
{
    const char *p = text;
    uint64_t whole, fraction = 0, scale = 10000;
    if (!digits(&p, &whole) || whole > 100)
        return 0;
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9' && scale > 1; p++) {
            scale /= 10;
            fraction += (uint64_t)(unsigned char)(*p - '0') * scale;
        }
        if (scale == 10000)
            return 0;
    }
    if (strcmp(p, "%") != 0)
        return 0;
    *ppm = whole * 10000 + fraction;
    return *ppm <= 1000000;
}

tally_status cli_parse_limit(const char *option, const char *text, uint64_t *rows, uint64_t *ppm,
                             tally_error *error)
{
    uint64_t n;
    if (percent_value(text, &n)) {
        *ppm = n;
        *rows = UINT64_MAX;
        return TALLY_OK;
    }
    if (count_value(text, &n)) {
        *rows = n;
        *ppm = UINT64_MAX;
        return TALLY_OK;
    }
    cli_fail(error, TALLY_ERR_USAGE, "%s: \"%s\" is neither a number of rows nor a share", option, text);
    cli_hint(error, "write a number of rows, such as 100, or a share of them, such as 1%% or 0.25%%");
    return TALLY_ERR_USAGE;
}

tally_status cli_parse_delimiter(const char *option, const char *text, char *out, tally_error *error)
{
    if (strcmp(text, "tab") == 0) {
        *out = '\t';
        return TALLY_OK;
    }
    if (strlen(text) != 1) {
        cli_fail(error, TALLY_ERR_USAGE, "%s: \"%s\" is not one ASCII character", option, text);
        cli_hint(error, "write the character itself, such as ';', or the word tab");
        return TALLY_ERR_USAGE;
    }
    *out = *text;
    return TALLY_OK;
}

tally_status cli_parse_choice(const char *option, const char *text, const char *const *names, int *index,
                              tally_error *error)
{
    char list[256] = "";
    size_t used = 0;
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return TALLY_OK;
        }
        int n = snprintf(list + used, sizeof list - used, "%s%s",
                         !i             ? ""
                         : names[i + 1] ? ", "
                                        : PARTY_WORD(" or "),
                         names[i]);
        used += n > 0 && (size_t)n < sizeof list - used ? (size_t)n : 0;
    }
    return cli_fail(error, TALLY_ERR_USAGE, "%s is %s, not \"%s\"", party_word(option), list, text);
}

tally_status cli_split_key(const char *text, char **column, const char **profile, tally_error *error)
{
    const char *colon = strrchr(text, ':');
    if (colon && !colon[1])
        colon = NULL;
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (!length) {
        cli_fail(error, TALLY_ERR_USAGE, "--key: \"%s\" names no column", text);
        cli_hint(error, "write --key COLUMN or --key COLUMN:PROFILE");
        return TALLY_ERR_USAGE;
    }
    char *copy = strndup(text, length);
    if (!copy)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    *column = copy;
    *profile = colon ? colon + 1 : NULL;
    return TALLY_OK;
}
