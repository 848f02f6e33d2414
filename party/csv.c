/* SPDX-License-Identifier: Apache-2.0 */
#include "party/csv.h"

#include <endian.h>
#include <string.h>

/* Where the scan stands. Everything at and after `end` is unknown, unless `whole`: then nothing follows. */
typedef struct scan {
    const uint8_t *p;
    size_t at, end;
    int whole;
    enum party_csv_result ran_out; /* what to say at `end` when more may follow */
    uint8_t delimiter;
    uint64_t delimiters, high; /* eight delimiters; the top bits when characters of several bytes matter */
    int gb18030;
    int bad;
    uint32_t lines;
} scan;

/*
 * Bytes of the GB18030 character at p (GB 18030-2005, section 4): one below 80; two with a second byte 40..7E
 * or 80..FE; four with second and fourth 30..39 and third 81..FE. 0 when `left` is too short to tell. A byte
 * that starts none is one bad byte.
 */
static size_t gb18030_length(const uint8_t *p, size_t left, int *bad)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] > 0x80 && p[0] < 0xff) {
        if (left < 2)
            return 0;
        if (p[1] >= 0x40 && p[1] != 0x7f && p[1] != 0xff)
            return 2;
        if (p[1] >= 0x30 && p[1] <= 0x39) {
            if (left < 3)
                return 0;
            if (p[2] >= 0x81 && p[2] <= 0xfe) {
                if (left < 4)
                    return 0;
                if (p[3] >= 0x30 && p[3] <= 0x39)
                    return 4;
            }
        }
    }
    *bad = 1;
    return 1;
}

/* Steps over one character that is not syntax. 0: the data end inside it and more may follow. */
static int step(scan *s)
{
    size_t n = 1;
    if (s->gb18030 && s->p[s->at] >= 0x80) {
        n = gb18030_length(s->p + s->at, s->end - s->at, &s->bad);
        if (n == 0 && !s->whole)
            return 0;
        if (n == 0) {
            s->bad = 1;
            n = 1;
        }
    }
    s->at += n;
    return 1;
}

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

/*
 * Skips what can be no syntax, eight bytes at a time: stops at the first byte that is one of `eight` equal
 * ones, below 0E (zero byte, LF, CR), or of several bytes in GB18030; or less than eight bytes before the
 * end. A borrow reaches only bytes above the first one found.
 */
static void skip(scan *s, uint64_t eight)
{
    while (s->end - s->at >= 8) {
        uint64_t v;
        memcpy(&v, s->p + s->at, 8);
        v = le64toh(v);
        uint64_t same = v ^ eight;
        uint64_t found = (((same - ONES) & ~same) | ((v - 0x0e * ONES) & ~v)) & TOPS;
        found |= v & s->high;
        if (found) {
            s->at += (size_t)__builtin_ctzll(found) / 8;
            return;
        }
        s->at += 8;
    }
}

/* Over the content of an unquoted field, to delimiter, line end or end. PARTY_CSV_RECORD: all is well so far.
 */
static enum party_csv_result plain(scan *s)
{
    for (skip(s, s->delimiters); s->at < s->end; skip(s, s->delimiters)) {
        uint8_t c = s->p[s->at];
        if (c == s->delimiter || c == '\n' || c == '\r')
            return PARTY_CSV_RECORD;
        if (c == 0)
            return PARTY_CSV_NUL;
        if (!step(s))
            return s->ran_out;
    }
    return s->whole ? PARTY_CSV_RECORD : s->ran_out;
}

/* From behind the opening quote to behind the closing one; `end` of the field is set. */
static enum party_csv_result quoted(scan *s, party_csv_field *field)
{
    for (skip(s, '"' * ONES); s->at < s->end; skip(s, '"' * ONES)) {
        uint8_t c = s->p[s->at];
        int two = s->at + 1 < s->end;
        if (c == 0)
            return PARTY_CSV_NUL;
        if (c == '"' || c == '\r') {
            if (!two && !s->whole)
                return s->ran_out;
            uint8_t next = two ? s->p[s->at + 1] : 0;
            if (c == '"' && !(two && next == '"')) {
                field->end = (uint32_t)s->at++;
                if (!two || next == s->delimiter || next == '\n' || next == '\r')
                    return PARTY_CSV_RECORD;
                return next == 0 ? PARTY_CSV_NUL : PARTY_CSV_BAD_QUOTE;
            }
            field->escaped |= c == '"';
            s->lines += c == '\r';
            s->at += next == (c == '"' ? '"' : '\n') ? 2 : 1;
            continue;
        }
        s->lines += c == '\n';
        if (!step(s))
            return s->ran_out;
    }
    return s->whole ? PARTY_CSV_OPEN_QUOTE : s->ran_out;
}

/* One field; s->at is then at its delimiter, its line end or the end. */
static enum party_csv_result one_field(scan *s, party_csv_field *field)
{
    *field = (party_csv_field){.begin = (uint32_t)s->at};
    if (s->at < s->end && s->p[s->at] == '"') {
        s->at++;
        field->begin++;
        field->quoted = 1;
        return quoted(s, field);
    }
    enum party_csv_result r = plain(s);
    field->end = (uint32_t)s->at;
    return r;
}

enum party_csv_result party_csv_next(const party_csv_format *format, const uint8_t *p, size_t len, int last,
                                     party_csv_record *record, party_csv_field *fields)
{
    scan s = {.p = p,
              .end = len < PARTY_RECORD_MAX ? len : PARTY_RECORD_MAX,
              .whole = last && len <= PARTY_RECORD_MAX,
              .ran_out = len > PARTY_RECORD_MAX ? PARTY_CSV_TOO_LONG : PARTY_CSV_MORE,
              .delimiter = (uint8_t)format->delimiter,
              .delimiters = (uint8_t)format->delimiter * ONES,
              .high = format->encoding == PARTY_GB18030 ? TOPS : 0,
              .gb18030 = format->encoding == PARTY_GB18030,
              .lines = 1};
    *record = (party_csv_record){.lines = 1};
    if (len == 0)
        return last ? PARTY_CSV_END : PARTY_CSV_MORE;
    uint32_t n = 0;
    enum party_csv_result r;
    do {
        r = n < PARTY_FIELDS_MAX ? one_field(&s, &fields[n++]) : PARTY_CSV_TOO_MANY;
    } while (r == PARTY_CSV_RECORD && s.at < s.end && s.p[s.at] == s.delimiter && ++s.at);
    size_t content = s.at;
    if (r == PARTY_CSV_RECORD && s.at < s.end) {
        int cr = s.p[s.at++] == '\r';
        if (cr && s.at == s.end && !s.whole)
            r = s.ran_out;
        else if (cr && s.at < s.end && s.p[s.at] == '\n')
            s.at++;
    }
    record->lines = s.lines;
    if (r != PARTY_CSV_RECORD)
        return r;
    record->length = s.at;
    record->content = content;
    record->fields = n;
    record->blank = content == 0;
    record->bad_encoding = s.bad;
    return PARTY_CSV_RECORD;
}

int party_csv_delimiter(char delimiter)
{
    unsigned char c = (unsigned char)delimiter;
    int letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !(c == 0 || c >= 0x7f || c == '"' || c == '\r' || c == '\n' || c == 0x1a || letter);
}

const char *party_csv_result_text(enum party_csv_result r)
{
    switch (r) {
    case PARTY_CSV_BAD_QUOTE:
        return "text after a closing quote";
    case PARTY_CSV_OPEN_QUOTE:
        return "a quote is opened and never closed";
    case PARTY_CSV_TOO_LONG:
        return "record longer than 16 MiB";
    case PARTY_CSV_TOO_MANY:
        return "more than 4096 columns";
    case PARTY_CSV_NUL:
        return "zero byte, so this is not text in the declared encoding";
    case PARTY_CSV_RECORD:
    case PARTY_CSV_MORE:
    case PARTY_CSV_END:
        break;
    }
    return "no fault";
}

size_t party_csv_field_text(const uint8_t *record, const party_csv_field *field, uint8_t *out)
{
    size_t len = field->end - field->begin, n = 0;
    const uint8_t *p = record + field->begin;
    if (!field->escaped) {
        memcpy(out, p, len);
        return len;
    }
    /* 22 is never the second to fourth byte of a character, so bytes will do. */
    for (size_t i = 0; i < len; i++) {
        out[n++] = p[i];
        i += p[i] == '"';
    }
    return n;
}

static int needs_quotes(const party_csv_format *format, const uint8_t *text, size_t len)
{
    scan s = {.p = text, .end = len, .whole = 1, .gb18030 = format->encoding == PARTY_GB18030};
    while (s.at < len) {
        uint8_t c = text[s.at];
        if (c == (uint8_t)format->delimiter || c == '"' || c == '\r' || c == '\n')
            return 1;
        step(&s);
    }
    return 0;
}

size_t party_csv_field_write(const party_csv_format *format, const uint8_t *text, size_t len, uint8_t *out)
{
    if (!needs_quotes(format, text, len)) {
        memcpy(out, text, len);
        return len;
    }
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            out[n++] = '"';
        out[n++] = text[i];
    }
    out[n++] = '"';
    return n;
}
