/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "record": RFC 4180 records out of bytes in memory. Takes a buffer that begins at a record, gives one
 * record at a time with its raw extent and its fields. The one splitter of the project: first pass, output of
 * columns and tests all call it. Called by party/rows, party/output.
 */
#ifndef PARTY_CSV_H
#define PARTY_CSV_H

#include "party/tally.h"

enum party_encoding { PARTY_UTF8 = 0, PARTY_GB18030 = 1 };

#define PARTY_RECORD_MAX (16u << 20) /* bytes of one record, line ends included */
#define PARTY_FIELDS_MAX 4096u

typedef struct party_csv_format {
    char delimiter;
    enum party_encoding
        encoding; /* multi-byte characters are stepped over whole, so no part of one is taken for syntax */
} party_csv_format;

typedef struct party_csv_field {
    uint32_t begin, end; /* offsets into the record: content, without the outer quotes */
    uint8_t quoted;      /* outer quotes were there */
    uint8_t escaped;     /* holds doubled quotes, to be halved by party_csv_field_text */
} party_csv_field;

typedef struct party_csv_record {
    size_t length;    /* raw bytes up to and including the line end */
    size_t content;   /* raw bytes without the line end (LF, CRLF or CR) */
    uint32_t lines;   /* physical lines the record spans, >= 1 (0 for a last record without line end is not
                         used: it counts 1) */
    uint32_t fields;  /* filled entries of the caller's array; 1 empty field for a blank line */
    int blank;        /* nothing but the line end */
    int bad_encoding; /* GB18030: a byte that begins no character was stepped over. UTF-8: 0, not checked here
                       */
} party_csv_record;

enum party_csv_result {
    PARTY_CSV_RECORD,     /* a record was found */
    PARTY_CSV_MORE,       /* the buffer ends inside a record and `last` is 0 */
    PARTY_CSV_END,        /* nothing left */
    PARTY_CSV_BAD_QUOTE,  /* text after a closing quote */
    PARTY_CSV_OPEN_QUOTE, /* the data end inside quotes */
    PARTY_CSV_TOO_LONG,   /* longer than PARTY_RECORD_MAX */
    PARTY_CSV_TOO_MANY,   /* more than PARTY_FIELDS_MAX fields */
    PARTY_CSV_NUL         /* a zero byte: not a text file (UTF-16?) */
};

/*
 * Next record at p, len bytes, last = 1 if no more bytes follow. A quote inside an unquoted field is an
 * ordinary character. fields must have room for PARTY_FIELDS_MAX entries. On anything but PARTY_CSV_RECORD,
 * *record holds `lines` up to the fault and nothing else of meaning.
 */
enum party_csv_result party_csv_next(const party_csv_format *format, const uint8_t *p, size_t len, int last,
                                     party_csv_record *record, party_csv_field *fields);
/* 1 if a delimiter can be this character. */
int party_csv_delimiter(char delimiter);
/* One sentence part for a result that is an error: "text after a closing quote". */
const char *party_csv_result_text(enum party_csv_result r);

/* Content of a field with doubled quotes halved, still in the file's encoding. out has room for end - begin
 * bytes. Returns its length. */
size_t party_csv_field_text(const uint8_t *record, const party_csv_field *field, uint8_t *out);

/* Appends text to out as one field, quoted if it holds delimiter, quote, CR or LF. out has room for 2*len
 * + 2. Returns bytes written. */
size_t party_csv_field_write(const party_csv_format *format, const uint8_t *text, size_t len, uint8_t *out);

#endif
