/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in. A leaf of the tree is the bytes
 *
 *   1  length of the tag      and the tag "tally/1 leaf"
 *   8  seq        1  kind     8  run         8  time       4  day    1  function   1  role
 *   8  items      8  peer_items              1  disclosed  4  status
 *   8  length     and agreement;  the same of peer, body, sketch
 *
 * numbers big-endian, time and status in two's complement: every column of the record, each in one way only.
 */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "party/identity.h"
#include "psi/mem.h"
#include "psi/sketch.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- Leaves ---- */

static uint8_t *put(uint8_t *p, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return p + bytes;
}

static uint8_t *put_head(uint8_t *p, const party_record *r, uint64_t seq)
{
    const char *tag = psi_tag_text(PSI_TAG_LEAF);
    size_t tag_len = strlen(tag);
    p = put(p, tag_len, 1);
    memcpy(p, tag, tag_len);
    p = put(p + tag_len, seq, 8);
    p = put(p, (uint64_t)r->kind, 1);
    p = put(p, r->run, 8);
    p = put(p, (uint64_t)r->time, 8);
    p = put(p, r->day, 4);
    p = put(p, (uint64_t)r->function, 1);
    p = put(p, (uint64_t)r->role, 1);
    p = put(p, r->items, 8);
    p = put(p, r->peer_items, 8);
    p = put(p, (uint64_t)r->disclosed, 1);
    return put(p, (uint64_t)(int64_t)r->status, 4);
}

void party_leaf_make(party_leaf *out, const party_record *r, uint64_t seq)
{
    const psi_part strings[4] = {{r->agreement, strlen(r->agreement)},
                                 {r->peer, strlen(r->peer)},
                                 {r->body, r->body_len},
                                 {r->sketch, r->sketch_len}};
    uint8_t *p = put(put_head(out->head, r, seq), strings[0].len, 8);
    out->count = 0;
    out->parts[out->count++] = (psi_part){out->head, (size_t)(p - out->head)};
    out->parts[out->count++] = strings[0];
    for (size_t i = 1; i < 4; i++) {
        put(out->sizes[i - 1], strings[i].len, 8);
        out->parts[out->count++] = (psi_part){out->sizes[i - 1], 8};
        out->parts[out->count++] = strings[i];
    }
}

/* The next `bytes` of a leaf as a number; *ok falls to 0 at its end. */
static uint64_t take(const uint8_t **p, const uint8_t *end, unsigned bytes, int *ok)
{
    uint64_t v = 0;
    *ok &= (size_t)(end - *p) >= bytes;
    for (unsigned i = 0; i < bytes && *ok; i++)
        v = v << 8 | *(*p)++;
    return v;
}

static const uint8_t *take_string(const uint8_t **p, const uint8_t *end, size_t *len, int *ok)
{
    uint64_t n = take(p, end, 8, ok);
    const uint8_t *at = *p;
    *ok &= (uint64_t)(end - at) >= n;
    *len = *ok ? (size_t)n : 0;
    *p += *len;
    return at;
}

static int take_into(char *out, size_t size, const uint8_t **p, const uint8_t *end)
{
    int ok = 1;
    size_t len;
    const uint8_t *at = take_string(p, end, &len, &ok);
    if (!ok || len >= size || memchr(at, 0, len))
        return 0;
    memcpy(out, at, len);
    out[len] = 0;
    return 1;
}

int party_leaf_read(const uint8_t *bytes, size_t len, party_record *out, uint64_t *seq)
{
    const char *tag = psi_tag_text(PSI_TAG_LEAF);
    size_t tag_len = strlen(tag);
    const uint8_t *p = bytes + 1 + tag_len, *end = bytes + len;
    party_record r = {.run = 0};
    int ok = 1;
    if (len < 1 + tag_len || bytes[0] != tag_len || memcmp(bytes + 1, tag, tag_len) != 0)
        return 0;
    *seq = take(&p, end, 8, &ok);
    r.kind = (enum party_record_kind)take(&p, end, 1, &ok);
    r.run = take(&p, end, 8, &ok);
    r.time = (int64_t)take(&p, end, 8, &ok);
    r.day = (uint32_t)take(&p, end, 4, &ok);
    r.function = (enum tally_function)take(&p, end, 1, &ok);
    r.role = (enum tally_role)take(&p, end, 1, &ok);
    r.items = take(&p, end, 8, &ok);
    r.peer_items = take(&p, end, 8, &ok);
    r.disclosed = (int)take(&p, end, 1, &ok);
    r.status = (int32_t)(uint32_t)take(&p, end, 4, &ok);
    ok = ok && take_into(r.agreement, sizeof r.agreement, &p, end) &&
         take_into(r.peer, sizeof r.peer, &p, end);
    if (!ok)
        return 0;
    r.body = (const char *)take_string(&p, end, &r.body_len, &ok);
    r.sketch = take_string(&p, end, &r.sketch_len, &ok);
    *out = r;
    return ok && p == end && !memchr(r.body, 0, r.body_len);
}

/* ---- The tree in the file ---- */

uint64_t party_ledger_position(unsigned level, uint64_t index)
{
    uint64_t last = ((index + 1) << level) - 1,
             nodes = 2 * last; /* of `last` leaves: twice, less one a bit set */
    for (uint64_t bits = last; bits; bits &= bits - 1)
        nodes--;
    return nodes + level;
}

tally_status party_ledger_get(void *user, unsigned level, uint64_t index, uint8_t out32[32])
{
    const party_ledger_reader *r = user;
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(r->l, LEDGER_NODE, &st, r->error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, (int64_t)party_ledger_position(level, index));
    int row = party_ledger_one(r->l, s, &st, r->error);
    if (row < 0)
        return st;
    const void *hash = row ? sqlite3_column_blob(s, 0) : NULL;
    if (!hash || sqlite3_column_bytes(s, 0) != 32)
        st = party_ledger_damaged(r->l, "a node of its tree is missing", r->error);
    else
        memcpy(out32, hash, 32);
    sqlite3_reset(s);
    return st;
}

static tally_status put_node(void *user, unsigned level, uint64_t index, const uint8_t hash32[32])
{
    const party_ledger_reader *r = user;
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(r->l, LEDGER_ADD_NODE, &st, r->error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, (int64_t)party_ledger_position(level, index));
    sqlite3_bind_blob(s, 2, hash32, 32, SQLITE_STATIC);
    party_ledger_one(r->l, s, &st, r->error);
    return st;
}

/* The name of the ledger and its latest checkpoint; neither is verified. */
tally_status party_ledger_latest(tally_ledger *l, party_checkpoint *out, tally_error *error)
{
    tally_status st = TALLY_OK;
    party_checkpoint c = {.size = 0};
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_ORIGIN, &st, error);
    int row = s ? party_ledger_one(l, s, &st, error) : -1;
    if (row < 0)
        return st;
    const char *text = row ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (!text || strlen(text) >= sizeof c.origin)
        return party_ledger_damaged(l, "it has no name", error);
    memcpy(c.origin, text, strlen(text));
    sqlite3_reset(s);
    s = party_ledger_sql(l, LEDGER_NOTE, &st, error);
    row = s ? party_ledger_one(l, s, &st, error) : -1;
    if (row < 0)
        return st;
    text = row ? (const char *)sqlite3_column_text(s, 1) : NULL;
    int key = row ? sqlite3_column_bytes(s, 2) : 1;
    if (!text || (key && key != 32))
        return party_ledger_damaged(l, "it has no checkpoint", error);
    c.size = (uint64_t)sqlite3_column_int64(s, 0);
    c.is_signed = key == 32;
    if (key)
        memcpy(c.public32, sqlite3_column_blob(s, 2), 32);
    c.note = psi_calloc(strlen(text) + 1, 1);
    if (!c.note)
        return party_no_memory(error, "a checkpoint");
    memcpy(c.note, text, strlen(text));
    sqlite3_reset(s);
    *out = c;
    return TALLY_OK;
}

/* What the next record builds on. */
typedef struct tree {
    char origin[PARTY_ORIGIN];
    psi_merkle m;
} tree;

/* Cheap enough to be done every time: the tree that is continued is the one of the latest checkpoint. */
static tally_status load(tally_ledger *l, tree *t, tally_error *error)
{
    party_ledger_reader reader = {l, error};
    party_checkpoint latest = {.note = NULL};
    party_note note;
    uint8_t root[32];
    tally_status st = party_ledger_latest(l, &latest, error);
    if (st)
        return st;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_SIZE, &st, error);
    int row = s ? party_ledger_one(l, s, &st, error) : -1;
    uint64_t size = row > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    if (s)
        sqlite3_reset(s);
    if (!st && (!party_note_read(latest.note, &note) || note.size != latest.size || size != latest.size ||
                strcmp(note.origin, latest.origin) != 0))
        st = party_ledger_damaged(l, "its latest checkpoint is not that of its records", error);
    if (!st && latest.is_signed) { /* what this side signs next says that this one was its own */
        st = party_note_verify(latest.note, &note, latest.public32);
        if (st == TALLY_ERR_DIFFERS)
            st = party_ledger_damaged(l, "the signature of its latest checkpoint does not hold", error);
        else if (st)
            st = party_fail(error, st, "the signature of a checkpoint could not be verified");
    }
    if (!st)
        st = psi_merkle_load(&t->m, size, party_ledger_get, &reader);
    if (!st) {
        psi_merkle_root(&t->m, root);
        if (memcmp(root, note.root32, 32) != 0)
            st = party_ledger_damaged(l, "its tree is not that of its latest checkpoint", error);
        memcpy(t->origin, latest.origin, sizeof t->origin);
    }
    psi_free(latest.note);
    return st;
}

static tally_status insert(tally_ledger *l, const party_record *r, uint64_t seq, tally_error *error)
{
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_ADD_RECORD, &st, error);
    if (!s)
        return st;
    const int64_t before[3] = {(int64_t)seq, r->kind, (int64_t)r->run};
    const int64_t after[7] = {r->day,
                              (int64_t)r->function,
                              (int64_t)r->role,
                              (int64_t)r->items,
                              (int64_t)r->peer_items,
                              r->disclosed,
                              r->status};
    int rc = SQLITE_OK;
    for (int i = 0; i < 3; i++)
        rc |= sqlite3_bind_int64(s, 1 + i, before[i]);
    rc |= sqlite3_bind_int64(s, 4, r->time);
    rc |= sqlite3_bind_text(s, 5, r->agreement, -1, SQLITE_STATIC);
    for (int i = 0; i < 7; i++)
        rc |= sqlite3_bind_int64(s, 6 + i, after[i]);
    rc |= sqlite3_bind_text(s, 13, r->peer, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text64(s, 14, r->body, r->body_len, SQLITE_STATIC, SQLITE_UTF8);
    rc |= r->sketch_len ? sqlite3_bind_blob64(s, 15, r->sketch, r->sketch_len, SQLITE_STATIC)
                        : sqlite3_bind_zeroblob(s, 15, 0);
    if (rc) {
        party_fail(error, TALLY_ERR_INTERNAL, "a record does not fit into the ledger %s", l->shown);
        return TALLY_ERR_INTERNAL;
    }
    party_ledger_one(l, s, &st, error);
    sqlite3_reset(s);
    return st;
}

/* One record and the nodes that it completes. */
static tally_status append(tally_ledger *l, tree *t, const party_record *r, tally_error *error)
{
    party_ledger_reader reader = {l, error};
    party_leaf leaf;
    uint8_t hash[32];
    uint64_t seq = t->m.size + 1;
    tally_status st = insert(l, r, seq, error);
    if (st)
        return st;
    party_leaf_make(&leaf, r, seq);
    psi_merkle_leaf(leaf.parts, leaf.count, hash);
    return psi_merkle_add(&t->m, hash, put_node, &reader);
}

static tally_status set_checkpoint(tally_ledger *l, const tally_identity *identity, const tree *t,
                                   uint8_t root32[32], tally_error *error)
{
    char note[PARTY_NOTE];
    psi_merkle_root(&t->m, root32);
    tally_status st = party_note_make(identity, t->origin, t->m.size, root32, note);
    if (st)
        return party_fail(error, st, "the checkpoint of the ledger %s cannot be signed", l->shown);
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_SET_NOTE, &st, error);
    if (!s)
        return st;
    int with_key = identity && identity->sign;
    sqlite3_bind_int64(s, 1, (int64_t)t->m.size);
    sqlite3_bind_text(s, 2, note, -1, SQLITE_STATIC);
    if (with_key)
        sqlite3_bind_blob(s, 3, identity->sign_public32, 32, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(s, 3, 0);
    party_ledger_one(l, s, &st, error);
    sqlite3_reset(s);
    return st;
}

static tally_status last_run(tally_ledger *l, uint64_t *out, tally_error *error)
{
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_RUNS, &st, error);
    int row = s ? party_ledger_one(l, s, &st, error) : -1;
    if (row > 0)
        *out = (uint64_t)sqlite3_column_int64(s, 0);
    if (s)
        sqlite3_reset(s);
    return st;
}

/* ---- Agreements ---- */

static tally_status agreed_body(const tally_agreement *a, char **out, tally_error *error)
{
    char signatures[TALLY_AGREEMENT_SIGNATURES_MAX];
    party_agreed_signature_text(a, signatures);
    json_t *body = json_pack("{s:s, s:s%}", "signatures", signatures, "text", a->bytes, a->len);
    *out = body ? json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(body);
    return *out ? TALLY_OK : party_no_memory(error, "the record of an agreement");
}

/* Text and signatures of the agreement, unless they are there. */
static tally_status append_agreement(tally_ledger *l, tree *t, const tally_agreement *a, int64_t time,
                                     tally_error *error)
{
    party_record r = {.kind = PARTY_AGREED, .time = time};
    char *body = NULL;
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_AGREED, &st, error);
    if (!s)
        return st;
    sqlite3_bind_text(s, 1, a->digest, -1, SQLITE_STATIC);
    int row = party_ledger_one(l, s, &st, error);
    sqlite3_reset(s);
    if (row)
        return st;
    st = agreed_body(a, &body, error);
    if (st)
        return st;
    memcpy(r.agreement, a->digest, sizeof r.agreement);
    r.body = body;
    r.body_len = strlen(body);
    st = append(l, t, &r, error);
    free(body);
    return st;
}

/* ---- What the agreement still allows ---- */

/* Runs that count under the agreement and in the role, and their rows; day 0: on all days. */
static tally_status count_runs(tally_ledger *l, const party_record *r, uint32_t day, uint64_t *runs,
                               uint64_t *rows, tally_error *error)
{
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(l, day ? LEDGER_COUNT_DAY : LEDGER_COUNT_ALL, &st, error);
    if (!s)
        return st;
    sqlite3_bind_text(s, 1, r->agreement, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (int64_t)r->role);
    if (day)
        sqlite3_bind_int64(s, 3, day);
    if (party_ledger_one(l, s, &st, error) > 0) {
        *runs = (uint64_t)sqlite3_column_int64(s, 0);
        *rows = day ? (uint64_t)sqlite3_column_int64(s, 1) : 0;
    }
    sqlite3_reset(s);
    return st;
}

tally_status party_ledger_asked(tally_ledger *l, const char *agreement, uint32_t day, uint64_t *rows,
                                tally_error *error)
{
    tally_status st = party_ledger_start(l, 0, error);
    if (st)
        return st;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_ASKED, &st, error);
    if (s) {
        sqlite3_bind_text(s, 1, agreement, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, day);
        if (party_ledger_one(l, s, &st, error) > 0)
            *rows = (uint64_t)sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
    }
    return party_ledger_finish(l, st, error);
}

static tally_status refuse(enum party_agreed_id field, enum party_agreed_id *broken)
{
    *broken = field;
    return TALLY_ERR_POLICY;
}

#define INCOMPLETE "a run without an outcome counts, for it may have shown something"

static tally_status quotas(tally_ledger *l, const tally_agreement *a, const party_limits *limits,
                           const party_record *r, enum party_agreed_id *broken, tally_error *error)
{
    const char *name = party_agreed_text(a, AGREED_NAME, 0),
               *zone = party_agreed_text(a, AGREED_TIME_ZONE, 0);
    uint64_t runs = 0, rows = 0, ignored = 0;
    char day[16];
    party_day_text(day, r->day);
    tally_status st = TALLY_OK;
    if (limits->runs_in_all)
        st = count_runs(l, r, 0, &runs, &ignored, error);
    if (!st && limits->runs_in_all && runs >= limits->runs_in_all) {
        party_fail(error, TALLY_ERR_POLICY,
                   limits->runs_in_all == 1 ? "the agreement \"%s\" allows %" PRIu64
                                              " run in all, and the ledger %s counts %" PRIu64
                                            : "the agreement \"%s\" allows %" PRIu64
                                              " runs in all, and the ledger %s counts %" PRIu64,
                   name, limits->runs_in_all, l->shown, runs);
        party_hint(error, "agree anew for more runs; tally ledger list shows them (" INCOMPLETE ")");
        return refuse(AGREED_RUNS_ALL, broken);
    }
    if (!st && (limits->runs_per_day || limits->rows_per_day))
        st = count_runs(l, r, r->day, &runs, &rows, error);
    if (!st && limits->runs_per_day && runs >= limits->runs_per_day) {
        party_fail(error, TALLY_ERR_POLICY,
                   limits->runs_per_day == 1 ? "the agreement \"%s\" allows %" PRIu64
                                               " run a day, and the ledger %s counts %" PRIu64 " on %s"
                                             : "the agreement \"%s\" allows %" PRIu64
                                               " runs a day, and the ledger %s counts %" PRIu64 " on %s",
                   name, limits->runs_per_day, l->shown, runs, day);
        party_hint(error, "run again after the end of that day (%s); " INCOMPLETE, *zone ? zone : "UTC");
        return refuse(AGREED_RUNS_DAY, broken);
    }
    if (!st && limits->rows_per_day &&
        (rows > limits->rows_per_day || r->items > limits->rows_per_day - rows)) {
        party_fail(error, TALLY_ERR_POLICY,
                   "the agreement \"%s\" allows %" PRIu64 " rows a day; the ledger %s counts %" PRIu64
                   " on %s, and this list has %" PRIu64,
                   name, limits->rows_per_day, l->shown, rows, day, r->items);
        party_hint(error, "run again after the end of that day (%s), or with a shorter list; " INCOMPLETE,
                   *zone ? zone : "UTC");
        return refuse(AGREED_ROWS_DAY, broken);
    }
    return st;
}

int party_sketch_fits(size_t len)
{
    return len == PSI_SKETCH_BYTES || len == 2 * (size_t)PSI_SKETCH_BYTES;
}

/* What of the two lists is nearly the same, in words; NULL: nothing is. */
static const char *nearly(const uint8_t *earlier, size_t len, const party_record *r, uint64_t least)
{
    if (psi_sketch_near(earlier, r->sketch, least))
        return PARTY_WORD("identifiers");
    if (len > PSI_SKETCH_BYTES && r->sketch_len > PSI_SKETCH_BYTES &&
        psi_sketch_near(earlier + PSI_SKETCH_BYTES, r->sketch + PSI_SKETCH_BYTES, least))
        return PARTY_WORD("identifiers with their numbers");
    return NULL;
}

/* Two answers for lists that differ in a few people tell of these few. */
static tally_status guard(tally_ledger *l, const party_limits *limits, const party_record *r,
                          enum party_agreed_id *broken, tally_error *error)
{
    tally_status st = TALLY_OK;
    if (!limits->least_difference)
        return TALLY_OK;
    if (!party_sketch_fits(r->sketch_len))
        return party_fail(error, TALLY_ERR_INTERNAL, "a run with a guard has no sketch of its list");
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_SKETCHES, &st, error);
    if (!s)
        return st;
    sqlite3_bind_text(s, 1, r->agreement, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (int64_t)r->role);
    while (!st && party_ledger_one(l, s, &st, error) > 0) {
        const uint8_t *earlier = sqlite3_column_blob(s, 2);
        size_t len = (size_t)sqlite3_column_bytes(s, 2);
        uint64_t run = (uint64_t)sqlite3_column_int64(s, 0);
        char day[16];
        const char *what = NULL;
        if (!earlier || !party_sketch_fits(len)) {
            st = party_ledger_damaged(l, "a sketch has a wrong length", error);
        } else if ((what = nearly(earlier, len, r, limits->least_difference)) != NULL) {
            party_day_text(day, (uint32_t)sqlite3_column_int64(s, 1));
            party_fail(error, TALLY_ERR_POLICY,
                       "the list is nearly that of run %" PRIu64
                       " of %s in the ledger %s: it may differ in fewer "
                       "than %" PRIu64 " %s, and the two answers would tell of these few",
                       run, day, l->shown, limits->least_difference, party_word(what));
            party_hint(error,
                       "take the very list of run %" PRIu64
                       ", or one that differs clearly in more than %" PRIu64 " %s; see docs/ledger.md",
                       run, limits->least_difference, party_word(what));
            st = refuse(AGREED_MIN_OVERLAP, broken);
        }
    }
    sqlite3_reset(s);
    return st;
}

/* ---- Calls of a session ---- */

/* A caller's bug is not written into a ledger for good. */
static tally_status sound(const party_record *r, tally_error *error)
{
    const uint64_t most = INT64_MAX;
    int good =
        r->body && r->body_len && r->items <= most && r->peer_items <= most &&
        (r->role == TALLY_RECEIVER || r->role == TALLY_SENDER || (!r->role && r->kind == PARTY_REFUSED)) &&
        r->function <= TALLY_SUM && (r->disclosed == 0 || r->disclosed == 1) &&
        strlen(r->body) == r->body_len;
    return good ? TALLY_OK : party_fail(error, TALLY_ERR_INTERNAL, "a record for the ledger is not complete");
}

tally_status party_ledger_begin(tally_ledger *l, const tally_identity *identity, const tally_agreement *a,
                                const party_limits *limits, const party_record *record, uint64_t *run,
                                uint8_t root32[32], enum party_agreed_id *broken, tally_error *error)
{
    party_record r = *record;
    uint8_t root[32];
    tree t;
    tally_status st = sound(&r, error);
    if (!st && strcmp(r.agreement, a ? a->digest : "") != 0)
        st = party_fail(error, TALLY_ERR_INTERNAL, "a record for the ledger names another agreement");
    if (!st)
        st = party_ledger_start(l, 1, error);
    if (st)
        return st;
    r.kind = PARTY_INTENT;
    if (a && limits)
        st = quotas(l, a, limits, &r, broken, error);
    if (!st && a && limits)
        st = guard(l, limits, &r, broken, error);
    if (!st)
        st = load(l, &t, error);
    if (!st && a)
        st = append_agreement(l, &t, a, r.time, error);
    if (!st)
        st = last_run(l, &r.run, error);
    r.run++;
    if (!st)
        st = append(l, &t, &r, error);
    if (!st)
        st = set_checkpoint(l, identity, &t, root, error);
    st = party_ledger_finish(l, st, error);
    if (st)
        return st;
    *run = r.run;
    memcpy(root32, root, 32);
    return TALLY_OK;
}

/* The outcome is of the same run: what the intent says of it holds. */
static tally_status join_intent(tally_ledger *l, party_record *r, tally_error *error)
{
    tally_status st = TALLY_OK;
    party_record intent = {.run = 0}, later = {.run = 0};
    uint64_t seq = 0;
    int records = 0;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_OF_RUN, &st, error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, (int64_t)r->run);
    while (party_ledger_one(l, s, &st, error) > 0)
        if (!party_ledger_row(s, records ? &later : &intent, &seq) || ++records > 1)
            break;
    sqlite3_reset(s);
    if (st)
        return st;
    if (records != 1 || intent.kind != PARTY_INTENT)
        return party_fail(error, TALLY_ERR_INTERNAL, "run %" PRIu64 " of the ledger %s waits for no outcome",
                          r->run, l->shown);
    memcpy(r->agreement, intent.agreement, sizeof r->agreement);
    r->day = intent.day;
    r->function = intent.function;
    r->role = intent.role;
    r->items = intent.items;
    return TALLY_OK;
}

tally_status party_ledger_end(tally_ledger *l, const tally_identity *identity, const party_record *record,
                              tally_error *error)
{
    party_record r = *record;
    uint8_t root[32];
    tree t;
    tally_status st = sound(&r, error);
    if (!st)
        st = party_ledger_start(l, 1, error);
    if (st)
        return st;
    if (r.kind == PARTY_OUTCOME) {
        st = join_intent(l, &r, error);
    } else {
        r.kind = PARTY_REFUSED;
        st = last_run(l, &r.run, error);
        r.run++;
    }
    r.sketch = NULL;
    r.sketch_len = 0;
    if (!st)
        st = load(l, &t, error);
    if (!st)
        st = append(l, &t, &r, error);
    if (!st)
        st = set_checkpoint(l, identity, &t, root, error);
    return party_ledger_finish(l, st, error);
}
