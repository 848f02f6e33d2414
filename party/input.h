/* SPDX-License-Identifier: Apache-2.0 */
/* The input's inside. Shared by party/input (settings), party/rows (reading), party/derive and party/output.
 */
#ifndef PARTY_INPUT_H
#define PARTY_INPUT_H

#include "party/numbers.h"
#include "party/rows.h"
#include "party/traps.h"
#include <sys/stat.h>

typedef struct party_key {
    char *column;
    const party_profile *profile;
    char parameter[8];
    uint32_t index; /* column, from 0; set by loading */
} party_key;

typedef struct party_reject_row {
    uint32_t line;
    uint8_t reason;
} party_reject_row;

typedef struct party_consent {
    char *column; /* NULL: no consent is looked for */
    int reference;
    uint32_t today; /* yyyymmdd */
    uint32_t index; /* column, from 0; set by loading */
} party_consent;

/* Rows that were taken, in input order; items[r] and numbers[r * columns ..] belong to rows[r]. */
typedef struct party_taken {
    party_row *rows;
    psi_item *items;
    int64_t *numbers;
    party_reject_row *rejects;
    size_t count, row_room, item_room, number_room, reject_count, reject_room;
    size_t columns;     /* numbers a row has */
    uint32_t data_rows; /* accepted and rejected */
    uint64_t clipped;   /* numbers of accepted rows that were moved into their range */
} party_taken;

struct tally_input {
    /* settings */
    party_key keys[PARTY_KEYS_MAX];
    size_t key_count;
    char *path; /* NULL: rows from memory */
    char *rejects_path;
    party_csv_format format;
    int delimiter_given;
    int header;
    uint64_t max_rejects, max_rejects_ppm;
    unsigned threads;
    const tally_executor *executor; /* NULL: threads of the library */
    party_value values[PARTY_VALUES_MAX];
    size_t value_count;
    party_band bands[PARTY_BANDS_MAX];
    size_t band_count;
    size_t row_numbers; /* numbers of a row: value columns, and band columns that are none */
    enum tally_duplicates duplicates;
    int duplicates_given; /* it was set, also to what it is anyway */
    int clip;
    party_consent consent;
    /* Of an agreement, for a check; a run asks the agreement. most: max-list, 0 without an agreement. */
    uint64_t padding, most;

    /* the file */
    int fd;      /* -1: none */
    int spooled; /* fd is an unnamed copy, nobody else can change it */
    int kept;    /* the same copy for a second reading; -1: none */
    struct stat seen;
    uint32_t bom;          /* bytes of the byte order mark */
    uint64_t header_at;    /* offset of the header record, if header */
    uint32_t header_bytes; /* its length; 0 when there is none */
    uint32_t columns;      /* of the first record; 0 before it was read */
    char line_end[3];      /* the first one of the file; "" if there is none */
    int separator_line;    /* it began with sep= */

    /* rows; before folding items[r] belongs to rows[r] */
    struct party_derive *derive; /* of rows from memory */
    party_row *rows;
    size_t row_count, row_room;
    psi_item *items;
    size_t item_count, item_room;
    int64_t *numbers;      /* row-major, until duplicates are folded */
    int64_t *item_numbers; /* item-major, from then on */
    size_t number_room;    /* rows */
    party_reject_row *rejects;
    size_t reject_count, reject_room;
    tally_input_stats stats;
    party_lines reject_lines[PARTY_REJECT_COUNT];
    int counted; /* stats are complete */
    int folded;  /* items are distinct ones */
    int loaded;
};

/* Takes one accepted (item; numbers, unless the input has none) or rejected row into the lists and the
   statistics. */
tally_status party_input_take(tally_input *input, const party_row *row, const psi_item *item,
                              const party_numbers *numbers, enum party_reject reject,
                              tally_error *error) TALLY_MUST_CHECK;
/* Asks for huge pages if the list is large: filled once from front to back, it is there sooner. A wish, on
   whose answer nothing depends. */
void party_input_huge_pages(void *p, size_t bytes);
/* Makes room for so many more; 0: no memory. */
int party_taken_room(party_taken *t, size_t accepted, size_t rejected);
void party_taken_free(party_taken *t);
/*
 * Takes what was taken elsewhere, whose numbers count from 0: the next rows of the input, the first of them
 * at physical line `line`. expected: rows of the whole input, as far as can be told now; memory is not taken
 * for much more.
 */
tally_status party_input_take_all(tally_input *input, const party_taken *t, uint64_t line, size_t expected,
                                  tally_error *error) TALLY_MUST_CHECK;
/* Drops rows, statistics and the open file; settings stay. */
void party_input_reset(tally_input *input);
/* Bytes of the file; 0 for rows from memory. */
uint64_t party_input_bytes(const tally_input *input);
/* The file's name as messages show it. */
void party_input_name(const tally_input *input, char *out, size_t size);
/* 1 if path leads to the input file. */
int party_input_is(const tally_input *input, const char *path);

#ifdef TALLY_TEST
/* Test builds only: bytes of one read and of a thread's piece (default 1 MiB), and the highest row and line
 * number (default 2^32 - 1). */
void party_input_limits(size_t chunk, uint32_t highest);
#endif

#endif
