/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ledgers of the two sides of runs. Sessions are matched by their number, which both sides derive from
 * the session id. Only runs whose peer was an identity of the other ledger are looked for there. A run that
 * never got a session number, because it failed before the second hello, is no difference; an incomplete run
 * is one. A receipt carries the root of either ledger as it was when the run began: who cut a ledger short,
 * or wrote it anew, is told by the other side's receipts.
 */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "party/receipt.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One run, as one ledger has it. */
typedef struct entry {
    uint64_t n, intent_seq; /* 0: refused before an intent */
    int64_t time;
    uint32_t own, peer; /* places in the list of fingerprints, from 1; 0: none */
    uint8_t ended, good, has_session, has_receipt, has_root, matched;
    uint8_t session32[32], receipt32[32]; /* hash over text and signatures */
    uint8_t root32[32];                   /* of the other side's ledger, as the receipt has it */
} entry;

typedef struct book {
    tally_ledger *l;
    const char *name; /* in lines */
    entry *runs;      /* by number */
    size_t count, room;
    char (*keys)[TALLY_FINGERPRINT_TEXT];
    uint8_t *is_own; /* by key: an identity of this ledger */
    size_t key_count;
    uint32_t *slots; /* places in keys by hash, 0: none; a power of two, at least twice as many as keys */
    size_t slot_count;
    uint8_t salt[16]; /* who wrote the ledger does not choose where its keys fall */
    entry **by_session;
    size_t sessions;
} book;

typedef struct report {
    void (*each)(void *user, const char *line);
    void *user;
    uint64_t compared, differences;
} report;

static void say(report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(report *r, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    party_render(line, sizeof line, 1, format, args);
    va_end(args);
    r->differences++;
    if (r->each)
        r->each(r->user, line);
}

/* ---- Reading a ledger ---- */

/* Where it stands, or would; NULL: it cannot be hashed. There are slots. */
static uint32_t *slot_of(const book *b, const char *fingerprint)
{
    uint8_t text[16 + TALLY_FINGERPRINT_TEXT], hash[32];
    size_t len = strlen(fingerprint), at;
    memcpy(text, b->salt, 16);
    memcpy(text + 16, fingerprint, len);
    if (psi_sha256(text, 16 + len, hash))
        return NULL;
    memcpy(&at, hash, sizeof at);
    at &= b->slot_count - 1;
    while (b->slots[at] && strcmp(b->keys[b->slots[at] - 1], fingerprint) != 0)
        at = (at + 1) & (b->slot_count - 1);
    return &b->slots[at];
}

/* Room for one more key. */
static int more_slots(book *b)
{
    size_t count = b->slot_count ? 2 * b->slot_count : 64;
    if (2 * (b->key_count + 1) <= b->slot_count)
        return 1;
    if (!b->slot_count && psi_random(b->salt, sizeof b->salt))
        return 0;
    char(*keys)[TALLY_FINGERPRINT_TEXT] = psi_grow(b->keys, count / 2, sizeof *keys);
    b->keys = keys ? keys : b->keys;
    uint8_t *own = keys ? psi_grow(b->is_own, count / 2, 1) : NULL;
    b->is_own = own ? own : b->is_own;
    uint32_t *slots = own ? psi_calloc(count, sizeof *slots) : NULL;
    if (!slots)
        return 0;
    psi_free(b->slots);
    b->slots = slots;
    b->slot_count = count;
    for (size_t i = 0; i < b->key_count; i++) {
        uint32_t *slot = slot_of(b, b->keys[i]);
        if (!slot)
            return 0;
        *slot = (uint32_t)i + 1;
    }
    return 1;
}

/* Its place in the list, from 1; 0: no fingerprint. out of memory: *failed. */
static uint32_t key_of(book *b, const char *fingerprint, int *failed)
{
    if (!fingerprint || !*fingerprint || strlen(fingerprint) >= TALLY_FINGERPRINT_TEXT)
        return 0;
    uint32_t *slot = more_slots(b) ? slot_of(b, fingerprint) : NULL;
    if (!slot) {
        *failed = 1;
        return 0;
    }
    if (*slot > 0)
        return *slot;
    memcpy(b->keys[b->key_count], fingerprint, strlen(fingerprint) + 1);
    b->is_own[b->key_count] = 0;
    *slot = (uint32_t)++b->key_count;
    return (uint32_t)b->key_count;
}

/* The entry of a run that starts, or that ends. NULL: the order of the runs is none, or memory is short. */
static entry *entry_of(book *b, const party_record *r)
{
    if (r->kind == PARTY_OUTCOME)
        return r->run && r->run <= b->count ? &b->runs[r->run - 1] : NULL;
    if (r->run != b->count + 1)
        return NULL;
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 256;
        entry *more = psi_grow(b->runs, room, sizeof *more);
        if (!more)
            return NULL;
        b->runs = more;
        b->room = room;
    }
    b->runs[b->count] = (entry){.n = r->run, .time = r->time};
    return &b->runs[b->count++];
}

/* What the receipt says, as far as it is compared. */
static tally_status take_receipt(entry *e, const party_record *r, const json_t *receipt)
{
    party_receipt_run run;
    const char *text = json_string_value(json_object_get(receipt, "text"));
    if (!text || party_receipt_read(text, &run))
        return TALLY_ERR_DIFFERS;
    const wire_facts *other = &run.side[r->role == TALLY_RECEIVER].facts;
    char *all = json_dumps(receipt, JSON_SORT_KEYS | JSON_COMPACT);
    tally_status st = all ? psi_sha256(all, strlen(all), e->receipt32) : TALLY_ERR_NO_MEMORY;
    free(all);
    e->has_receipt = 1;
    e->has_root = other->has_ledger != 0;
    memcpy(e->root32, other->ledger32, 32);
    return st;
}

static tally_status unreadable(const book *b, uint64_t seq, tally_error *error)
{
    party_fail(error, TALLY_ERR_FILE, "record %" PRIu64 " of %s cannot be read", seq, b->l->shown);
    party_hint(error, "see what tally ledger verify says of it");
    return TALLY_ERR_FILE;
}

static tally_status take_record(book *b, const party_record *r, uint64_t seq, tally_error *error)
{
    entry *e = entry_of(b, r);
    json_t *body = e ? json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *receipt = json_object_get(body, "receipt");
    const char *session = json_string_value(json_object_get(body, "session"));
    const char *peer = json_string_value(json_object_get(json_object_get(body, "peer"), "fingerprint"));
    tally_status st = TALLY_OK;
    int failed = 0;
    if (!json_is_object(body)) {
        json_decref(body);
        return unreadable(b, seq, error);
    }
    uint32_t own = key_of(b, json_string_value(json_object_get(body, "identity")), &failed);
    uint32_t other = key_of(b, peer, &failed);
    if (own) {
        e->own = own;
        b->is_own[own - 1] = 1;
    }
    e->peer = other ? other : e->peer;
    if (r->kind == PARTY_INTENT)
        e->intent_seq = seq;
    else
        e->ended = 1;
    e->good = r->kind == PARTY_OUTCOME && r->status == 0;
    if (session)
        e->has_session = party_hex_read(e->session32, 32, session) != 0;
    if (json_is_object(receipt))
        st = take_receipt(e, r, receipt);
    json_decref(body);
    if (failed || st == TALLY_ERR_NO_MEMORY)
        return party_no_memory(error, "the runs of a ledger");
    return st ? unreadable(b, seq, error) : TALLY_OK;
}

static int compare(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    return memcmp((*x)->session32, (*y)->session32, 32);
}

static tally_status sort_sessions(book *b, tally_error *error)
{
    b->by_session = psi_calloc(b->count, sizeof *b->by_session);
    if (!b->by_session)
        return party_no_memory(error, "the runs of a ledger");
    for (size_t i = 0; i < b->count; i++)
        if (b->runs[i].has_session)
            b->by_session[b->sessions++] = &b->runs[i];
    qsort(b->by_session, b->sessions, sizeof *b->by_session, compare);
    return TALLY_OK;
}

static tally_status read_book(book *b, tally_error *error)
{
    sqlite3_stmt *s = NULL;
    tally_status st = party_ledger_start(b->l, 0, error);
    if (st)
        return st;
    int rc = sqlite3_prepare_v2(
        b->l->db, "SELECT " PARTY_COLUMNS " FROM records WHERE kind <> 4 ORDER BY seq", -1, &s, NULL);
    while (!st && !rc && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        party_record r;
        uint64_t seq = (uint64_t)sqlite3_column_int64(s, 0);
        rc = SQLITE_OK;
        st = party_ledger_row(s, &r, &seq) ? take_record(b, &r, seq, error) : unreadable(b, seq, error);
    }
    sqlite3_finalize(s);
    if (!st && rc != SQLITE_DONE)
        st = party_ledger_failed(b->l, rc, "read", error);
    st = party_ledger_finish(b->l, st, error);
    return st ? st : sort_sessions(b, error);
}

/* ---- Comparing ---- */

/* Was this run with the side whose ledger the other one is? */
static int with(const book *b, const entry *e, const book *other)
{
    const uint32_t *slot = e->peer && other->slots ? slot_of(other, b->keys[e->peer - 1]) : NULL;
    return slot && *slot && other->is_own[*slot - 1];
}

/* Session numbers are long; their beginning tells them apart for people. */
static void short_session(char out[17], const entry *e)
{
    party_hex_write(out, e->session32, 8);
}

/* b's own tree when the run began, against what the receipt of the other side's entry has. */
static tally_status check_root(report *r, book *b, const entry *own, const book *other, const entry *theirs,
                               tally_error *error)
{
    party_ledger_reader reader = {b->l, error};
    psi_merkle m;
    uint8_t root[32];
    char session[17];
    if (!theirs->has_root || !own->intent_seq)
        return TALLY_OK;
    tally_status st = psi_merkle_load(&m, own->intent_seq, party_ledger_get, &reader);
    if (st)
        return st;
    psi_merkle_root(&m, root);
    short_session(session, own);
    if (memcmp(root, theirs->root32, 32) != 0)
        say(r,
            "session %s: %s run %" PRIu64
            " stands in a ledger that was rewritten: the receipt of %s run %" PRIu64
            " has another root of it",
            session, b->name, own->n, other->name, theirs->n);
    return TALLY_OK;
}

static tally_status compare_pair(report *r, book *a, entry *x, book *b, entry *y, tally_error *error)
{
    char session[17];
    short_session(session, x);
    x->matched = y->matched = 1;
    r->compared++;
    if (x->has_receipt != y->has_receipt)
        say(r, "session %s: only %s run %" PRIu64 " has a receipt", session,
            x->has_receipt ? a->name : b->name, x->has_receipt ? x->n : y->n);
    else if (x->has_receipt && memcmp(x->receipt32, y->receipt32, 32) != 0)
        say(r, "session %s: the receipts of %s run %" PRIu64 " and %s run %" PRIu64 " differ", session,
            a->name, x->n, b->name, y->n);
    if (x->ended && y->ended && x->good != y->good)
        say(r, "session %s: %s run %" PRIu64 " ended well, %s run %" PRIu64 " did not", session,
            x->good ? a->name : b->name, x->good ? x->n : y->n, x->good ? b->name : a->name,
            x->good ? y->n : x->n);
    tally_status st = check_root(r, a, x, b, y, error);
    return st ? st : check_root(r, b, y, a, x, error);
}

/* The nodes of both trees are read meanwhile. */
static tally_status compare_sessions(report *r, book *a, book *b, tally_error *error)
{
    tally_status st = TALLY_OK;
    for (size_t i = 0, j = 0; !st && i < a->sessions && j < b->sessions;) {
        int order = memcmp(a->by_session[i]->session32, b->by_session[j]->session32, 32);
        if (!order)
            st = compare_pair(r, a, a->by_session[i], b, b->by_session[j], error);
        i += order <= 0;
        j += order >= 0;
    }
    return st;
}

/* Runs that only one ledger has. */
static void tell_alone(report *r, const book *b, const book *other)
{
    for (size_t i = 0; i < b->count; i++) {
        const entry *e = &b->runs[i];
        char session[17];
        if (e->matched || (other->count && !with(b, e, other)))
            continue;
        short_session(session, e);
        if (!e->ended)
            say(r, "%s run %" PRIu64 " is incomplete: it began, and has no outcome", b->name, e->n);
        else if (e->has_session && e->has_root)
            say(r,
                "session %s: %s run %" PRIu64
                " has a receipt over the other side's ledger, and that ledger does not "
                "have the session: it was cut short or rewritten",
                session, b->name, e->n);
        else if (e->has_session)
            say(r, "session %s: only in one ledger, as %s run %" PRIu64, session, b->name, e->n);
    }
}

static void drop(book *b)
{
    psi_free(b->runs);
    psi_free(b->keys);
    psi_free(b->slots);
    psi_free(b->is_own);
    psi_free(b->by_session);
}

/* A ledger compared with itself would always agree, and with an older copy of itself look like fraud. */
static tally_status must_be_two(tally_ledger *mine, tally_ledger *theirs, tally_error *error)
{
    party_checkpoint latest[2] = {{.note = NULL}, {.note = NULL}};
    tally_ledger *const both[2] = {mine, theirs};
    struct stat info[2];
    int same = mine == theirs;
    tally_status st = TALLY_OK;
    if (!same && !stat(mine->path, &info[0]) && !stat(theirs->path, &info[1]))
        same = info[0].st_dev == info[1].st_dev && info[0].st_ino == info[1].st_ino;
    for (size_t i = 0; i < 2 && !same && !st; i++) {
        st = party_ledger_start(both[i], 0, error);
        if (!st)
            st = party_ledger_finish(both[i], party_ledger_latest(both[i], &latest[i], error), error);
    }
    if (!st && !same)
        same = strcmp(latest[0].origin, latest[1].origin) == 0;
    psi_free(latest[0].note);
    psi_free(latest[1].note);
    if (st || !same)
        return st;
    party_fail(error, TALLY_ERR_USAGE, "%s is this ledger itself, or a copy of it", theirs->shown);
    party_hint(error,
               "give the other organisation's; to compare with an older state of your own: tally ledger "
               "verify --checkpoint");
    return TALLY_ERR_USAGE;
}

tally_status tally_ledger_reconcile(tally_ledger *mine, tally_ledger *theirs,
                                    void (*each)(void *user, const char *line), void *user,
                                    uint64_t *compared, uint64_t *differences, tally_error *error)
{
    report r = {.each = each, .user = user};
    book a = {.l = mine, .name = "my"}, b = {.l = theirs, .name = "their"};
    tally_status st = must_be_two(mine, theirs, error);
    if (!st)
        st = read_book(&a, error);
    if (!st)
        st = read_book(&b, error);
    if (!st)
        st = party_ledger_start(mine, 0, error);
    if (!st) {
        st = party_ledger_start(theirs, 0, error);
        if (!st)
            st = party_ledger_finish(theirs, compare_sessions(&r, &a, &b, error), error);
        st = party_ledger_finish(mine, st, error);
    }
    if (!st) {
        tell_alone(&r, &a, &b);
        tell_alone(&r, &b, &a);
        *compared = r.compared;
        *differences = r.differences;
    }
    if (!st && a.sessions && !r.compared) {
        party_fail(error, TALLY_ERR_DIFFERS, "nothing was compared: %s has no session with this ledger",
                   theirs->shown);
        party_hint(error, "is it the ledger of the organisation that these runs were with? tally ledger list "
                          "shows the other side of each");
        st = TALLY_ERR_DIFFERS;
    }
    drop(&a);
    drop(&b);
    return st;
}
