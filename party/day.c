/* SPDX-License-Identifier: Apache-2.0 */
#include "party/day.h"

#include "party/error.h"
#include "party/io.h"
#include "psi/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400
#define LAST_SECOND 253370764799 /* 9998-12-31 23:59:59 UTC: the local year has four digits everywhere */
#define OFFSET_WEST 89999        /* RFC 8536 section 3.2: -25:59:59 to +25:59:59, as far as 26 hours */
#define OFFSET_EAST 93599

/* ---- Calendar ---- */

/* Floor, for a divisor above zero. */
static int64_t divide(int64_t a, int64_t by)
{
    return a / by - (a % by < 0);
}

/* Days since 1970-01-01 of a day of the Gregorian calendar; years begin in March, so that the leap day is
 * last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = divide(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t date_of(int64_t days)
{
    int64_t z = days + 719468, era = divide(z, 146097), d = z - era * 146097;
    int64_t of_era = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * of_era + of_era / 4 - of_era / 100), m = (5 * of_year + 2) / 153;
    int64_t month = m < 10 ? m + 3 : m - 9, day = of_year - (153 * m + 2) / 5 + 1;
    return (era * 400 + of_era + (month <= 2)) * 10000 + month * 100 + day;
}

static int is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ---- The rule for times after the last transition (POSIX TZ, with the extensions of RFC 8536 section 3.3.1)
 * ---- */

/* When daylight saving time begins or ends in a year. */
typedef struct turn {
    char form; /* 'J': day 1..365, never the leap day; 'N': day 0..365; 'M' */
    int day, month, week;
    int32_t time; /* seconds after midnight, local, -167 to 167 hours */
} turn;

typedef struct rule {
    int32_t standard, daylight; /* seconds east */
    int has_daylight;
    turn begins, ends;
} rule;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A number of at most three digits up to most. */
static int take_number(const char **p, int most, int *out)
{
    int n = 0, digits = 0;
    for (; is_digit(**p) && digits < 3; digits++)
        n = n * 10 + *(*p)++ - '0';
    *out = n;
    return digits && !is_digit(**p) && n <= most;
}

/* [+-]hours[:minutes[:seconds]], in seconds. */
static int take_time(const char **p, int hours, int32_t *out)
{
    int minus = **p == '-', part[3] = {0};
    *p += **p == '-' || **p == '+';
    if (!take_number(p, hours, &part[0]))
        return 0;
    for (int i = 1; i < 3 && **p == ':'; i++) {
        ++*p;
        if (!take_number(p, 59, &part[i]))
            return 0;
    }
    int32_t seconds = part[0] * 3600 + part[1] * 60 + part[2];
    *out = minus ? -seconds : seconds;
    return 1;
}

/* What the time is called: at least three letters, or anything short in <>. */
static int take_label(const char **p)
{
    const char *from = *p;
    if (*from == '<') {
        const char *end = strchr(from, '>');
        *p = end ? end + 1 : from;
        return end && end - from > 1;
    }
    while (is_letter(**p))
        ++*p;
    return *p - from >= 3;
}

/* ",M3.2.0/2" */
static int take_turn(const char **p, turn *t)
{
    int good;
    if (*(*p)++ != ',')
        return 0;
    t->form = is_digit(**p) ? 'N' : *(*p)++;
    if (t->form == 'N') {
        good = take_number(p, 365, &t->day);
    } else if (t->form == 'J') {
        good = take_number(p, 365, &t->day) && t->day;
    } else {
        good = t->form == 'M' && take_number(p, 12, &t->month) && t->month && *(*p)++ == '.' &&
               take_number(p, 5, &t->week) && t->week && *(*p)++ == '.' && take_number(p, 6, &t->day);
    }
    t->time = 2 * 3600;
    if (good && **p == '/') {
        ++*p;
        good = take_time(p, 167, &t->time);
    }
    return good;
}

static int take_rule(const char *text, rule *r)
{
    const char *p = text;
    int32_t west;
    if (!take_label(&p) || !take_time(&p, 24, &west))
        return 0;
    r->standard = -west;
    r->has_daylight = *p != 0;
    if (!r->has_daylight)
        return 1;
    r->daylight = r->standard + 3600;
    if (!take_label(&p))
        return 0;
    if (*p != ',') {
        if (!take_time(&p, 24, &west))
            return 0;
        r->daylight = -west;
    }
    return take_turn(&p, &r->begins) && take_turn(&p, &r->ends) && !*p;
}

/* The turn of a year in seconds since 1970, local. */
static int64_t local_turn(const turn *t, int64_t year)
{
    int64_t first = days_of(year, 1, 1), day;
    if (t->form == 'N') {
        day = first + t->day;
    } else if (t->form == 'J') {
        day = first + t->day - 1 + (is_leap(year) && t->day > 59);
    } else {
        int64_t begin = days_of(year, t->month, 1);
        int64_t end = t->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, t->month + 1, 1);
        int64_t weekday = (begin + 4) - divide(begin + 4, 7) * 7; /* 1970-01-01 was a Thursday */
        day = begin + (t->day - weekday + 7) % 7 + 7 * (t->week - 1);
        while (day >= end) /* week 5 is the last one */
            day -= 7;
    }
    return day * DAY + t->time;
}

/* By the latest turn up to then. Of two at one moment the beginning counts: such a year has daylight saving
 * time to its end and beyond. */
static int32_t offset_by_rule(const rule *r, int64_t seconds)
{
    int64_t year = date_of(divide(seconds + r->standard, DAY)) / 10000, latest = INT64_MIN;
    int32_t offset = r->standard;
    if (!r->has_daylight)
        return offset;
    for (int64_t y = year - 2; y <= year + 1; y++) {
        int64_t begins = local_turn(&r->begins, y) - r->standard,
                ends = local_turn(&r->ends, y) - r->daylight;
        if (ends <= seconds && ends > latest) {
            latest = ends;
            offset = r->standard;
        }
        if (begins <= seconds && begins >= latest) {
            latest = begins;
            offset = r->daylight;
        }
    }
    return offset;
}

/* ---- The file ---- */

#define HEADER 44 /* bytes: magic, version, 15 unused, six counts */

/* Counts of a header, in its order, and what stands behind it. */
typedef struct block {
    uint32_t utc, standard, leaps, times, types, characters;
    const uint8_t *data;
    size_t bytes;
} block;

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t load_time(const uint8_t *p)
{
    return (int64_t)((uint64_t)load32(p) << 32 | load32(p + 4));
}

/* A header at `at` and its data, whose times have `width` bytes. */
static int take_block(const uint8_t *file, size_t len, size_t at, size_t width, block *b)
{
    const uint8_t *h = file + at;
    if (len - at < HEADER || memcmp(h, "TZif", 4) != 0 || h[4] < '2' || h[4] > '9')
        return 0;
    *b = (block){load32(h + 20), load32(h + 24), load32(h + 28), load32(h + 32),
                 load32(h + 36), load32(h + 40), h + HEADER,     0};
    /* Each count below 2^18, so that no sum overflows. */
    uint32_t all = b->utc | b->standard | b->leaps | b->times | b->types | b->characters;
    if (all >= PARTY_ZONE_FILE_MAX)
        return 0;
    b->bytes =
        b->times * (width + 1) + b->types * 6 + b->characters + b->leaps * (width + 4) + b->standard + b->utc;
    return b->bytes <= len - at - HEADER;
}

/* Seconds east of local time type t; 0: there is none such. */
static int offset_of_type(const block *b, uint32_t t, int32_t *offset)
{
    if (t >= b->types)
        return 0;
    *offset = (int32_t)load32(b->data + b->times * 9 + t * 6);
    return *offset >= -OFFSET_WEST && *offset <= OFFSET_EAST;
}

/* The text between the two line ends behind the data. */
static int take_footer(const uint8_t *p, size_t len, char *out, size_t size)
{
    const uint8_t *end = len > 1 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    if (!end || (size_t)(end - p) > size || memchr(p, 0, (size_t)(end - p)))
        return 0;
    memcpy(out, p + 1, (size_t)(end - p) - 1);
    out[end - p - 1] = 0;
    return 1;
}

int party_zone_offset(const uint8_t *file, size_t len, int64_t seconds, int32_t *offset)
{
    block old, b;
    char footer[128];
    rule r;
    uint32_t before = 0; /* transitions up to then */
    if (len > PARTY_ZONE_FILE_MAX || !take_block(file, len, 0, 4, &old))
        return 0;
    size_t second = HEADER + old.bytes;
    if (!take_block(file, len, second, 8, &b) || !b.types ||
        b.leaps) /* leap seconds: another clock than ours */
        return 0;
    size_t end = second + HEADER + b.bytes;
    if (!take_footer(file + end, len - end, footer, sizeof footer) || (*footer && !take_rule(footer, &r)))
        return 0;
    for (uint32_t i = 0; i < b.times; i++) {
        int64_t at = load_time(b.data + 8 * i);
        if (i && at <= load_time(b.data + 8 * (i - 1)))
            return 0;
        before += at <= seconds;
    }
    if (before == b.times && *footer) {
        *offset = offset_by_rule(&r, seconds);
        return 1;
    }
    return offset_of_type(&b, before ? b.data[8 * b.times + before - 1] : 0, offset);
}

/* ---- Zones by name ---- */

int party_zone_name(const char *name)
{
    /* Files in that folder that are no zones, or another for each machine. */
    static const char *const none[] = {"localtime", "Factory", "posixrules"};
    size_t len = strlen(name);
    int good = len && len <= PARTY_ZONE_MAX && name[0] != '/' && !strstr(name, "//");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        good = good && strcmp(name, none[i]) != 0;
    good = good && strncmp(name, "right/", 6) != 0 && strncmp(name, "posix/", 6) != 0;
    for (size_t i = 0; good && i < len; i++)
        good = is_digit(name[i]) || is_letter(name[i]) || strchr("/_+-", name[i]);
    return good;
}

/* The whole file, or a failure; one that is too long is read as far as shows that. */
static tally_status read_zone(const char *zone, uint8_t *buf, size_t room, size_t *len, tally_error *error)
{
    char path[sizeof PARTY_ZONES + PARTY_ZONE_MAX];
    ssize_t n = 1;
    snprintf(path, sizeof path, PARTY_ZONES "%s", zone);
    int fd = party_io_open(path, O_RDONLY | O_NONBLOCK);
    for (*len = 0; fd >= 0 && n > 0 && *len<room; *len += n> 0 ? (size_t)n : 0)
        n = party_io_read(fd, buf + *len, room - *len);
    int e = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && n >= 0)
        return TALLY_OK;
    party_io_failed(error, "read the time zone file", path, e);
    if (e == ENOENT)
        party_hint(error,
                   "install the package tzdata, or name a zone such as Asia/Shanghai, Europe/Berlin or UTC");
    return TALLY_ERR_FILE;
}

static tally_status offset_in_zone(const char *zone, int64_t seconds, int32_t *offset, tally_error *error)
{
    size_t len = 0;
    uint8_t *file = psi_calloc(PARTY_ZONE_FILE_MAX + 1, 1);
    if (!file)
        return party_no_memory(error, "a time zone");
    tally_status st = read_zone(zone, file, PARTY_ZONE_FILE_MAX + 1, &len, error);
    if (!st && !party_zone_offset(file, len, seconds, offset)) {
        st = party_fail(error, TALLY_ERR_FILE, PARTY_ZONES "%s is no time zone file that can be read", zone);
        party_hint(error, "install the package tzdata anew");
    }
    psi_free(file);
    return st;
}

tally_status party_day_in_zone(const char *zone, int64_t seconds, uint32_t *yyyymmdd, tally_error *error)
{
    int32_t offset = 0;
    tally_status st = TALLY_OK;
    if (!party_zone_name(zone)) {
        char shown[80];
        party_printable(shown, sizeof shown, zone);
        party_fail(error, TALLY_ERR_USAGE, "\"%s\" is not the IANA name of a time zone", shown);
        party_hint(error, "write a name such as Asia/Shanghai, Europe/Berlin or UTC");
        return TALLY_ERR_USAGE;
    }
    if (seconds < 0 || seconds > LAST_SECOND) {
        party_fail(error, TALLY_ERR_USAGE, "the time %lld is out of range", (long long)seconds);
        party_hint(error, "look at the clock of this machine");
        return TALLY_ERR_USAGE;
    }
    if (strcmp(zone, "UTC") != 0)
        st = offset_in_zone(zone, seconds, &offset, error);
    if (!st)
        *yyyymmdd = (uint32_t)date_of(divide(seconds + offset, DAY));
    return st;
}
