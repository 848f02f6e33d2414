/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello 1 and hello 2: build and parse, with every limit checked (tally.proto, protobuf-c). Called by
 * party/hello. Strings are checked to be printable ASCII before they reach anybody.
 */
#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

#include "proto/limits.h"
#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

/* A column of the sender's that the receiver gets for each match. */
typedef struct wire_column {
    char name[WIRE_NAME_MAX + 1]; /* wire_column_name */
    uint32_t width;               /* bytes of a value, 1..WIRE_WIDTH_MAX; 0 in what a receiver wants */
} wire_column;

/* A column that is added up, or whose squares are; values at `scale` decimals. */
typedef struct wire_value {
    char name[WIRE_NAME_MAX + 1]; /* wire_column_name */
    int64_t min, max;             /* min <= max, |.| < 2^WIRE_VALUE_BITS */
    uint32_t scale;               /* 0..WIRE_SCALE_MAX */
} wire_value;

/* Bands [edges[i], edges[i + 1]) of a column. */
typedef struct wire_band {
    char name[WIRE_NAME_MAX + 1];
    uint32_t scale;
    size_t count;                  /* of edges, 2..WIRE_EDGES_MAX; bands: count - 1, and what lies outside */
    int64_t edges[WIRE_EDGES_MAX]; /* ascending, |.| < 2^WIRE_VALUE_BITS */
} wire_band;

/* Terms of the run: what both sides say alike (role: the opposite). ASCII strings, zero-terminated. */
typedef struct wire_terms {
    char role[WIRE_NAME_MAX + 1];                /* "receiver" or "sender" */
    char function[WIRE_NAME_MAX + 1];            /* "match", "count" or "sum" */
    char protocol[WIRE_NAME_MAX + 1];            /* "auto", "ecdh" or "vole" */
    char security[WIRE_NAME_MAX + 1];            /* "semi-honest" or "malicious" */
    char reveal[WIRE_NAME_MAX + 1];              /* "receiver", "sender" or "both" */
    size_t key_count;                            /* 1..WIRE_KEYS_MAX */
    char keys[WIRE_KEYS_MAX][WIRE_NAME_MAX + 1]; /* identifier profiles, in order */
    size_t column_count;                         /* 0..WIRE_COLUMNS_MAX, names differ */
    wire_column columns[WIRE_COLUMNS_MAX];       /* a sender's: offered; a receiver's: wanted, in order */
    uint32_t rows_per_person;                    /* 1..WIRE_ROWS_MAX with columns, 0 without */
    uint64_t min_overlap;                        /* 0: none; else 2..WIRE_OVERLAP_MAX */
    char scheme[WIRE_NAME_MAX + 1];              /* sum: "auto", "rlwe" or "paillier"; otherwise empty */
    char duplicates[WIRE_NAME_MAX + 1];          /* "sum", "max" or "refuse" with values or bands, or empty */
    uint64_t epsilon_micro;                      /* noise, in millionths; 0: none */
    uint32_t dummies;                            /* tau of the noise on the computing side's count */
    size_t value_count;                          /* of the owner of the values */
    wire_value values[WIRE_VALUES_MAX];
    size_t band_count; /* of who sends this hello */
    wire_band bands[WIRE_BANDS_MAX];
    size_t peer_band_count; /* those the owner of the values accepts of the other side */
    wire_band peer_bands[WIRE_BANDS_MAX];
} wire_terms;

/* The agreement a run is held to, as its sides tell each other which it is. */
typedef struct wire_agreement {
    uint8_t digest32[32];
    uint8_t signatures[2][64]; /* receiver's, sender's */
    size_t field_count;        /* 1..WIRE_FIELDS_MAX */
    uint8_t fields[WIRE_FIELDS_MAX][WIRE_FIELD_DIGEST];
} wire_agreement;

typedef struct wire_hello1 {
    uint32_t version_min, version_max; /* 1 <= min <= max <= 65535 */
    char software[WIRE_SOFTWARE_MAX + 1];
    uint8_t nonce[32];
    wire_terms terms;
    int has_agreement;
    wire_agreement agreement;
    int signs; /* has a key that signs receipts */
    uint8_t signing_key32[32];
    int keeps_ledger;
} wire_hello1;

typedef struct wire_hello2 {
    uint64_t items;         /* list size, at most WIRE_ITEMS_MAX */
    uint8_t commitment[32]; /* psi_list_commit */
    size_t batch_count;     /* 0, or bands of the side that adds up: its identifiers in each */
    uint64_t batches[WIRE_EDGES_MAX];
} wire_hello2;

/* *out is allocated (release with psi_free), *len its bytes. TALLY_ERR_NO_MEMORY. */
tally_status wire_hello1_build(const wire_hello1 *hello, uint8_t **out, size_t *len) TALLY_MUST_CHECK;
tally_status wire_hello2_build(const wire_hello2 *hello, uint8_t **out, size_t *len) TALLY_MUST_CHECK;
/*
 * TALLY_ERR_MALFORMED with *why a fixed phrase that names the field, TALLY_ERR_NO_MEMORY; *out untouched on
 * failure. Fields that are not known are stepped over. At most WIRE_PARSE_MAX bytes are allocated meanwhile.
 */
tally_status wire_hello1_parse(wire_hello1 *out, const uint8_t *in, size_t len,
                               const char **why) TALLY_MUST_CHECK;
tally_status wire_hello2_parse(wire_hello2 *out, const uint8_t *in, size_t len,
                               const char **why) TALLY_MUST_CHECK;

/* 1 for a control, format, line separator, private or unassigned character. */
int wire_unseen(int32_t c);

/* 1 if the len bytes at name can name a column: 1..WIRE_NAME_MAX bytes of UTF-8, no control, format,
 * separator, private or unassigned character but the blank. */
int wire_column_name(const char *name, size_t len);

/* Highest version both ranges hold, 0 if none. */
uint32_t wire_version_pick(uint32_t min_a, uint32_t max_a, uint32_t min_b, uint32_t max_b);

#endif
