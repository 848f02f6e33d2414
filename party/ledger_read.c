/* SPDX-License-Identifier: Apache-2.0 */
/* Records out: the list of runs, one run as JSON with its agreement. */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "psi/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 128 /* runs read in one go; the handle is free while the caller looks at them */

const char *party_record_name(enum party_record_kind kind)
{
    static const char *const names[] = {"", "intent", "outcome", "refused", "agreement"};
    return kind >= PARTY_INTENT && kind <= PARTY_AGREED ? names[kind] : "";
}

void party_day_text(char out[16], uint32_t day)
{
    snprintf(out, 16, "%04u-%02u-%02u", (unsigned)(day / 10000 % 10000), (unsigned)(day / 100 % 100),
             (unsigned)(day % 100));
}

/* ---- Rows ---- */

/* Text of a column without a zero inside; NULL: it is none. */
static const char *text_of(sqlite3_stmt *s, int column, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    *len = (size_t)sqlite3_column_bytes(s, column);
    return text && strlen(text) == *len ? text : NULL;
}

static int text_into(char *out, size_t size, sqlite3_stmt *s, int column)
{
    size_t len;
    const char *text = text_of(s, column, &len);
    if (!text || len >= size)
        return 0;
    memcpy(out, text, len + 1);
    return 1;
}

int party_ledger_row(sqlite3_stmt *s, party_record *out, uint64_t *seq)
{
    /* Types of PARTY_COLUMNS, and the most that a number may be. */
    static const int types[15] = {SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                  SQLITE_TEXT,    SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                  SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                  SQLITE_TEXT,    SQLITE_TEXT,    SQLITE_BLOB};
    static const int64_t most[12] = {INT64_MAX, PARTY_AGREED, INT64_MAX, INT64_MAX, 0, 99999999,
                                     TALLY_SUM, TALLY_SENDER, INT64_MAX, INT64_MAX, 1, 255};
    int64_t v[12] = {0};
    for (int i = 0; i < 15; i++)
        if (sqlite3_column_type(s, i) != types[i])
            return 0;
    for (int i = 0; i < 12; i++)
        if (i != 4) {
            v[i] = sqlite3_column_int64(s, i);
            if (v[i] < 0 || v[i] > most[i])
                return 0;
        }
    party_record r = {.kind = (enum party_record_kind)v[1],
                      .run = (uint64_t)v[2],
                      .time = v[3],
                      .day = (uint32_t)v[5],
                      .function = (enum tally_function)v[6],
                      .role = (enum tally_role)v[7],
                      .items = (uint64_t)v[8],
                      .peer_items = (uint64_t)v[9],
                      .disclosed = (int)v[10],
                      .status = (int)v[11]};
    if (!v[1] || !text_into(r.agreement, sizeof r.agreement, s, 4) ||
        !text_into(r.peer, sizeof r.peer, s, 12))
        return 0;
    r.body = text_of(s, 13, &r.body_len);
    r.sketch = sqlite3_column_blob(s, 14);
    r.sketch_len = (size_t)sqlite3_column_bytes(s, 14);
    *seq = (uint64_t)v[0];
    *out = r;
    return r.body && (!r.sketch_len || party_sketch_fits(r.sketch_len));
}

/* ---- The list ---- */

/* The row of LEDGER_LIST: a run from its intent or refusal, joined with its outcome. */
static int read_run(sqlite3_stmt *s, tally_run *out)
{
    tally_run r = {.n = (uint64_t)sqlite3_column_int64(s, 0)};
    int refused = sqlite3_column_int(s, 1) == PARTY_REFUSED;
    int ended = sqlite3_column_type(s, 11) != SQLITE_NULL, from = ended ? 11 : 0;
    r.began = sqlite3_column_int64(s, 2);
    r.function = (enum tally_function)sqlite3_column_int(s, 3);
    r.role = (enum tally_role)sqlite3_column_int(s, 4);
    r.items = (uint64_t)sqlite3_column_int64(s, 5);
    r.peer_items = (uint64_t)sqlite3_column_int64(s, ended ? from + 1 : 6);
    r.disclosed = 1; /* what is not known to be kept back counts as disclosed */
    r.exit_status = -1;
    if (ended || refused) {
        r.ended = sqlite3_column_int64(s, ended ? 11 : 2);
        r.disclosed = sqlite3_column_int(s, ended ? 13 : 7) != 0;
        r.exit_status = sqlite3_column_int(s, ended ? 14 : 8);
    }
    if (!text_into(r.agreement, sizeof r.agreement, s, 9))
        return 0;
    size_t len;
    const char *later = ended ? text_of(s, 15, &len) : NULL; /* a name may be known only at the end */
    if (!text_into(r.peer, sizeof r.peer, s, later && *later ? 15 : 10))
        return 0;
    *out = r;
    return 1;
}

/* Up to BATCH runs of first..last. */
static tally_status read_batch(tally_ledger *l, uint64_t first, uint64_t last, tally_run *out, size_t *count,
                               tally_error *error)
{
    *count = 0;
    tally_status st = party_ledger_start(l, 0, error);
    if (st)
        return st;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_LIST, &st, error);
    if (s) {
        sqlite3_bind_int64(s, 1, (int64_t)first);
        sqlite3_bind_int64(s, 2, (int64_t)last);
        while (*count < BATCH && party_ledger_one(l, s, &st, error) > 0)
            if (!read_run(s, &out[(*count)++])) {
                st = party_ledger_damaged(l, "the list of runs cannot be read", error);
                break;
            }
    }
    return party_ledger_finish(l, st, error);
}

tally_status tally_ledger_list(tally_ledger *l, uint64_t first, uint64_t last,
                               int (*each)(void *user, const tally_run *run), void *user, tally_error *error)
{
    size_t count = BATCH;
    tally_run *runs = psi_calloc(BATCH, sizeof *runs);
    if (!runs)
        return party_no_memory(error, "the list of runs");
    tally_status st = TALLY_OK;
    last = last < INT64_MAX ? last : INT64_MAX;
    while (!st && count == BATCH && first <= last) {
        st = read_batch(l, first, last, runs, &count, error);
        for (size_t i = 0; !st && i < count; i++) {
            first = runs[i].n + 1;
            if (each(user, &runs[i])) {
                count = 0;
                break;
            }
        }
    }
    psi_free(runs);
    return st;
}

tally_status tally_ledger_runs(tally_ledger *l, uint64_t *out, tally_error *error)
{
    tally_status st = party_ledger_start(l, 0, error);
    if (st)
        return st;
    uint64_t runs = 0;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_RUNS, &st, error);
    if (s && party_ledger_one(l, s, &st, error) > 0)
        runs = (uint64_t)sqlite3_column_int64(s, 0);
    st = party_ledger_finish(l, st, error);
    if (!st)
        *out = runs;
    return st;
}

/* ---- One run as JSON ---- */

/* Columns of a record, and its body as it is. */
static json_t *record_json(const party_record *r, uint64_t seq)
{
    static const char *const functions[] = {"match", "count", "sum"}, *const roles[] = {"", "receiver",
                                                                                        "sender"};
    json_t *body = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(body)) {
        json_decref(body);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:s, s:i, s:s, s:s, s:I, s:I, s:b, s:i, s:s, s:o}", "seq", (json_int_t)seq,
                     "time", (json_int_t)r->time, "agreement", r->agreement, "day", (int)r->day, "function",
                     functions[r->function], "role", roles[r->role], "items", (json_int_t)r->items,
                     "peer_items", (json_int_t)r->peer_items, "disclosed", r->disclosed, "status", r->status,
                     "peer", r->peer, "body", body);
}

static tally_status check_record(tally_ledger *l, const party_note *note, const party_record *r, uint64_t seq,
                                 tally_error *error)
{
    party_leaf leaf;
    uint8_t proof[PSI_MERKLE_PROOF][32];
    size_t count = 0;
    return party_ledger_covered(l, note, r, seq, &leaf, proof, &count, error);
}

/* What the records have to be what was recorded by. */
static tally_status latest_note(tally_ledger *l, party_note *out, tally_error *error)
{
    party_checkpoint latest = {.note = NULL};
    tally_status st = party_ledger_latest(l, &latest, error);
    if (!st && (!party_note_read(latest.note, out) || strcmp(out->origin, latest.origin) != 0))
        st = party_ledger_damaged(l, "its checkpoint cannot be read", error);
    psi_free(latest.note);
    return st;
}

/* The records of the run into root. */
static tally_status add_records(tally_ledger *l, uint64_t n, const party_note *note, json_t *root,
                                party_record *first, tally_error *error)
{
    tally_status st = TALLY_OK;
    uint64_t seq = 0;
    int found = 0;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_OF_RUN, &st, error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, n < INT64_MAX ? (int64_t)n : 0);
    while (!st && party_ledger_one(l, s, &st, error) > 0) {
        party_record r;
        int is = party_ledger_row(s, &r, &seq);
        st = is ? check_record(l, note, &r, seq, error) : TALLY_OK;
        if (st)
            return st;
        json_t *json = is ? record_json(&r, seq) : NULL;
        if (!json)
            return party_ledger_damaged(l, "a record of the run cannot be read", error);
        if (!found++) {
            *first = r;
            json_object_set_new(root, "began", json_integer(r.time));
        }
        if (r.kind != PARTY_INTENT)
            json_object_set_new(root, "ended", json_integer(r.time));
        if (json_object_set_new(root, party_record_name(r.kind), json))
            return party_no_memory(error, "a record");
    }
    sqlite3_reset(s);
    if (!st && !found) {
        party_fail(error, TALLY_ERR_USAGE, "the ledger %s has no run %" PRIu64, l->shown, n);
        party_hint(error, "tally ledger list shows the numbers of its runs");
        return TALLY_ERR_USAGE;
    }
    return st;
}

static tally_status add_agreement(tally_ledger *l, const char *digest, const party_note *note, json_t *root,
                                  tally_error *error)
{
    tally_status st = TALLY_OK;
    party_record r;
    uint64_t seq = 0;
    json_t *body = NULL;
    if (!*digest) {
        json_object_set_new(root, "agreement", json_null());
        return TALLY_OK;
    }
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_AGREED, &st, error);
    if (!s)
        return st;
    sqlite3_bind_text(s, 1, digest, -1, SQLITE_STATIC);
    int row = party_ledger_one(l, s, &st, error);
    if (row < 0)
        return st;
    if (row && party_ledger_row(s, &r, &seq)) {
        st = check_record(l, note, &r, seq, error);
        body = st ? NULL : json_loadb(r.body, r.body_len, JSON_REJECT_DUPLICATES, NULL);
    }
    sqlite3_reset(s);
    if (st)
        return st;
    if (!json_is_object(body)) {
        json_decref(body);
        return row ? party_ledger_damaged(l, "the record of an agreement cannot be read", error)
                   : (json_object_set_new(root, "agreement", json_null()), TALLY_OK);
    }
    json_object_set_new(body, "digest", json_string(digest));
    return json_object_set_new(root, "agreement", body) ? party_no_memory(error, "an agreement") : TALLY_OK;
}

tally_status tally_ledger_run_json(tally_ledger *l, uint64_t n, char **out, tally_error *error)
{
    party_record first = {.run = 0};
    party_note note;
    char *text = NULL;
    json_t *root = json_pack("{s:I, s:i}", "n", (json_int_t)n, "ended", 0);
    if (!root)
        return party_no_memory(error, "a run");
    tally_status st = party_ledger_start(l, 0, error);
    if (!st) {
        st = latest_note(l, &note, error);
        if (!st)
            st = add_records(l, n, &note, root, &first, error);
        if (!st)
            st = add_agreement(l, first.agreement, &note, root, error);
        st = party_ledger_finish(l, st, error);
    }
    if (!st) {
        text = json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT);
        st = text ? TALLY_OK : party_no_memory(error, "a run");
    }
    json_decref(root);
    if (!st)
        *out = text;
    return st;
}
