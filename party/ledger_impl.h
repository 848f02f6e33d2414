/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's inside, for party/ledger_*.c and its tests: the handle, its statements, the schema, leaves,
 * notes. */
#ifndef PARTY_LEDGER_IMPL_H
#define PARTY_LEDGER_IMPL_H

#include "party/io.h"
#include "party/ledger.h"
#include "psi/merkle.h"
#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#define PARTY_LEDGER_APPLICATION 0x54616c79 /* "Taly", in the header of the file */
#define PARTY_LEDGER_VERSION 1              /* of the schema */
#define PARTY_LEDGER_BUSY_MS 20000          /* how long to wait for another process */
#define PARTY_ORIGIN 64                     /* "tally/ledger/", 16 hex digits, zero */

/* Columns of records in the order that party_ledger_row reads them. */
#define PARTY_COLUMNS                                                                                        \
    "seq, kind, run, time, agreement, day, function, role, items, peer_items, disclosed, status, peer, "     \
    "body, sketch"

enum party_ledger_sql {
    LEDGER_BEGIN,
    LEDGER_BEGIN_WRITE,
    LEDGER_COMMIT,
    LEDGER_ROLLBACK,
    LEDGER_ORIGIN,
    LEDGER_NOTE,
    LEDGER_SET_NOTE,
    LEDGER_SIZE,
    LEDGER_RUNS,
    LEDGER_NODE,
    LEDGER_ADD_NODE,
    LEDGER_ADD_RECORD,
    LEDGER_RECORD,
    LEDGER_AGREED,
    LEDGER_OF_RUN,
    LEDGER_COUNT_DAY,
    LEDGER_COUNT_ALL,
    LEDGER_ASKED,
    LEDGER_SKETCHES,
    LEDGER_LIST,
    LEDGER_STATEMENTS
};

struct tally_ledger {
    sqlite3 *db;
    char *path;
    char shown[PARTY_PATH_SHOWN]; /* path, as messages have it */
    enum tally_ledger_mode mode;
    pid_t owner;          /* the process that opened it: SQLite's connections do not survive a fork */
    pthread_mutex_t lock; /* around each transaction: a connection has one at a time */
    sqlite3_stmt *sql[LEDGER_STATEMENTS];
    int bulk; /* test builds: in one transaction that lasts */
};

/* ---- Statements and transactions ---- */

/* TALLY_ERR_USAGE in a process that did not open it. */
tally_status party_ledger_mine(const tally_ledger *l, tally_error *error) TALLY_MUST_CHECK;

/* TALLY_ERR_FILE, or out of memory, for SQLite's result rc: "cannot WHAT PATH: ...", and what to do. */
tally_status party_ledger_failed(const tally_ledger *l, int rc, const char *what, tally_error *error);
/* TALLY_ERR_FILE: the file says something that it cannot say. */
tally_status party_ledger_damaged(const tally_ledger *l, const char *what, tally_error *error);
/* A kept statement, reset and without bound values; NULL: *error is filled, *status says why. */
sqlite3_stmt *party_ledger_sql(tally_ledger *l, enum party_ledger_sql which, tally_status *status,
                               tally_error *error);
/* Steps a statement that gives one row: 1 row, 0 none, -1 failed. The statement stays open. */
int party_ledger_one(tally_ledger *l, sqlite3_stmt *s, tally_status *status, tally_error *error);
/* Takes the handle for this thread and begins; write: nobody else writes until it ends. */
tally_status party_ledger_start(tally_ledger *l, int write, tally_error *error) TALLY_MUST_CHECK;
/* Ends it: commits if st is TALLY_OK, else rolls back; gives the handle free. */
tally_status party_ledger_finish(tally_ledger *l, tally_status st, tally_error *error) TALLY_MUST_CHECK;

/* ---- Schema ---- */

/* Brings version i to i + 1: statements, NULL-terminated, then fill (NULL: nothing more). */
typedef struct party_ledger_step {
    const char *const *sql;
    tally_status (*fill)(tally_ledger *l, tally_error *error);
} party_ledger_step;

/* Each step that is still to be done in a transaction of its own; version: of the file, as it is. */
tally_status party_ledger_upgrade(tally_ledger *l, const party_ledger_step *steps, size_t count,
                                  tally_error *error) TALLY_MUST_CHECK;
/* *same: 1 if the schema is, word for word, that of PARTY_LEDGER_VERSION. */
tally_status party_ledger_schema(tally_ledger *l, int *same, tally_error *error) TALLY_MUST_CHECK;

/* ---- Records and the tree ---- */

/* The row a statement over PARTY_COLUMNS stands on; text is valid until its next step. 0: no such record. */
int party_ledger_row(sqlite3_stmt *s, party_record *out, uint64_t *seq);

#define PARTY_LEAF_HEAD 96 /* bytes: tag with its length, 13, then 52 of numbers, then the first length */
#define PARTY_LEAF_PARTS 8

/* What is hashed of a record (ledger_append.c): parts point into the leaf and into the record. */
typedef struct party_leaf {
    uint8_t head[PARTY_LEAF_HEAD], sizes[3][8];
    psi_part parts[PARTY_LEAF_PARTS];
    size_t count;
} party_leaf;

/* One sketch or two (party/ledger.h). */
int party_sketch_fits(size_t len);

void party_leaf_make(party_leaf *out, const party_record *record, uint64_t seq);
/* Reads such bytes back; strings point into them and have no zero behind. 0: not such bytes. */
int party_leaf_read(const uint8_t *bytes, size_t len, party_record *out, uint64_t *seq);

/* Nodes are kept in the order in which they were completed: where that of the subtree stands, from 0. */
uint64_t party_ledger_position(unsigned level, uint64_t index);
/* psi_merkle_get over the file; user is a party_ledger_reader. */
typedef struct party_ledger_reader {
    tally_ledger *l;
    tally_error *error;
} party_ledger_reader;
tally_status party_ledger_get(void *user, unsigned level, uint64_t index, uint8_t out32[32]);

/* The latest checkpoint; note and public32 are copies. */
typedef struct party_checkpoint {
    char origin[PARTY_ORIGIN];
    uint64_t size;
    char *note; /* psi_free */
    int is_signed;
    uint8_t public32[32];
} party_checkpoint;
tally_status party_ledger_latest(tally_ledger *l, party_checkpoint *out, tally_error *error) TALLY_MUST_CHECK;

/* Is the record what the checkpoint covers as this one? leaf: made of it; proof (PSI_MERKLE_PROOF) and count:
 * its path. TALLY_ERR_DIFFERS: it is not. */
struct party_note;
tally_status party_ledger_covered(tally_ledger *l, const struct party_note *note, const party_record *r,
                                  uint64_t seq, party_leaf *leaf, uint8_t (*proof)[32], size_t *count,
                                  tally_error *error) TALLY_MUST_CHECK;

/* ---- Notes: checkpoints as text (ledger_note.c) ---- */

#define PARTY_NOTE 320            /* bytes of a note that party_note_make makes, zero included */
#define PARTY_NOTE_READ_MAX 65536 /* of one that is read: others may have signed it too */

typedef struct party_note {
    char origin[PARTY_ORIGIN];
    uint64_t size;
    uint8_t root32[32];
    size_t text_len; /* the first bytes, which are what is signed */
    size_t signatures;
} party_note;

/* identity NULL, or without a signing key: not signed. */
tally_status party_note_make(const tally_identity *identity, const char *origin, uint64_t size,
                             const uint8_t root32[32], char out[PARTY_NOTE]) TALLY_MUST_CHECK;
/* 0: not a checkpoint in canonical form. */
int party_note_read(const char *text, party_note *out);
/* TALLY_ERR_DIFFERS: no signature by this key of this origin that holds. */
tally_status party_note_verify(const char *text, const party_note *note,
                               const uint8_t public32[32]) TALLY_MUST_CHECK;
/* The first four bytes of SHA-256(name, 0x0a, 0x01, public key). */
tally_status party_note_hint(const char *name, const uint8_t public32[32], uint8_t out4[4]) TALLY_MUST_CHECK;

/* Canonical base64 of exactly len bytes: 1, else 0. */
int party_base64_read(uint8_t *out, size_t len, const char *text, size_t text_len);
#define PARTY_BASE64(len) (((size_t)(len) + 2) / 3 * 4) /* digits for len bytes */
/* Digits and a zero. */
void party_base64_write(char *out, const uint8_t *bytes, size_t len);
/* len bytes as 2 * len hex digits and a zero; and back, 0: not exactly that. */
void party_hex_write(char *out, const uint8_t *bytes, size_t len);
int party_hex_read(uint8_t *out, size_t len, const char *text);

/* ---- Words ---- */

const char *party_record_name(enum party_record_kind kind);
/* "2026-08-25" */
void party_day_text(char out[16], uint32_t day);

/* Text that grows. failed: memory was short, and nothing more is added. */
typedef struct party_text {
    char *at;
    size_t used, room;
    int failed;
} party_text;
void party_text_add(party_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void party_text_add_bytes(party_text *t, const char *bytes, size_t len);
/* As the caller of the library frees it, by free(): NULL when memory was short. t is empty then. */
char *party_text_take(party_text *t);
void party_text_drop(party_text *t);

#ifdef TALLY_TEST
/* From now on everything in one transaction, which the second call commits. */
tally_status party_ledger_bulk(tally_ledger *l, int on, tally_error *error);
#endif

#endif
