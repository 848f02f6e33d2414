/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything recomputed: in one pass every record with its leaf, every node of the tree, the order of the
 * runs; the latest checkpoint; if asked, all signatures of receipts and agreements; then the file's own
 * structure. Bodies are not parsed for the tree, only for agreements and signatures.
 */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "party/identity.h"
#include "party/receipt.h"
#include "psi/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An agreement, and who signs receipts under it. */
struct agreed {
    char digest[TALLY_FINGERPRINT_TEXT],
        signer[2][TALLY_FINGERPRINT_TEXT]; /* receiver, sender; "": anybody */
};

typedef struct walk {
    tally_ledger *l;
    tally_error *error;
    int signatures;
    psi_merkle m;
    sqlite3_stmt *records, *nodes;
    uint64_t *open; /* by run: what the intent says of it, in eight bytes; 0: not open */
    size_t room;
    struct agreed *agreed; /* so far */
    size_t agreements, agreed_room;
    uint64_t seq, run; /* the record that is looked at */
    uint64_t runs, incomplete, receipts;
} walk;

/* TALLY_ERR_DIFFERS: names the record. */
static tally_status differs(walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static tally_status differs(walk *w, const char *format, ...)
{
    char what[700], of[100] = "";
    va_list args;
    va_start(args, format);
    party_both_of(what, sizeof what, format, args);
    va_end(args);
    if (w->run)
        party_both(of, sizeof of, " (run %" PRIu64 ")", w->run);
    party_fail(w->error, TALLY_ERR_DIFFERS, "%s: record %" PRIu64 "%s: %s", w->l->shown, w->seq, of,
               party_word(what));
    party_hint(w->error,
               "keep the file as it is for whoever looks into it; the latest backup that verifies, and "
               "the other side's receipts, show what was there");
    return TALLY_ERR_DIFFERS;
}

static tally_status file_differs(walk *w, const char *what)
{
    party_fail(w->error, TALLY_ERR_DIFFERS, PARTY_OF_WHOLE, w->l->shown, what);
    party_hint(w->error,
               "keep the file as it is for whoever looks into it; the latest backup that verifies, and "
               "the other side's receipts, show what was there");
    return TALLY_ERR_DIFFERS;
}

/* What SQLite could not read: damage is a difference, anything else is not. */
static tally_status cannot_read(walk *w, int rc)
{
    int code = rc & 0xff;
    if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB && code != SQLITE_TOOBIG)
        return party_ledger_failed(w->l, rc, "read", w->error);
    return differs(w, "the file is damaged behind it");
}

/* ---- The file ---- */

static tally_status check_schema(walk *w)
{
    int same = 0;
    tally_status st = party_ledger_schema(w->l, &same, w->error);
    return st || same ? st : file_differs(w, "its schema is not the one this version makes");
}

/* What SQLite itself finds: pages, order of rows, indexes against tables. */
static tally_status check_file(walk *w)
{
    sqlite3_stmt *s = NULL;
    char what[200] = "SQLite finds the file damaged";
    int good = 0;
    int rc = sqlite3_prepare_v2(w->l->db, "PRAGMA integrity_check(1)", -1, &s, NULL);
    if (!rc)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        good = text && strcmp(text, "ok") == 0;
        if (!good && text)
            party_both(what, sizeof what, "SQLite finds the file damaged: %s", text);
    }
    sqlite3_finalize(s);
    int code = rc & 0xff;
    if (rc != SQLITE_ROW && code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
        return party_ledger_failed(w->l, rc, "read", w->error);
    return good ? TALLY_OK : file_differs(w, what);
}

/* ---- Agreements ---- */

/* A copy with room behind, as the parsers of party/agreement want it. */
static char *copy_text(const char *text, size_t len)
{
    char *out = psi_calloc(len + 4, 1);
    if (out)
        memcpy(out, text, len);
    return out;
}

static tally_status check_agreed_signatures(walk *w, tally_agreement *a, const char *text)
{
    tally_error inner;
    if (!w->signatures || !*text)
        return TALLY_OK;
    char *copy = copy_text(text, strlen(text));
    if (!copy)
        return party_no_memory(w->error, "signatures");
    tally_status st = party_agreed_signatures(a, "signatures", copy, strlen(text), &inner);
    psi_free(copy);
    if (st == TALLY_ERR_NO_MEMORY)
        return party_no_memory(w->error, "signatures");
    return st ? differs(w, "a signature of the agreement does not hold: %s", party_message_of(&inner))
              : TALLY_OK;
}

static tally_status note_agreement(walk *w, const tally_agreement *a)
{
    if (w->agreements == w->agreed_room) {
        size_t room = w->agreed_room ? 2 * w->agreed_room : 16;
        struct agreed *all = psi_grow(w->agreed, room, sizeof *all);
        if (!all)
            return party_no_memory(w->error, "agreements");
        w->agreed = all;
        w->agreed_room = room;
    }
    struct agreed *more = w->agreed + w->agreements++;
    memcpy(more->digest, a->digest, sizeof more->digest);
    for (size_t i = 0; i < 2; i++)
        snprintf(more->signer[i], sizeof more->signer[i], "%s",
                 party_agreed_text(a, AGREED_SIGNING_KEY,
                                   party_agreed_party(a, i ? TALLY_SENDER : TALLY_RECEIVER)));
    return TALLY_OK;
}

static const struct agreed *find_agreed(const walk *w, const char *digest)
{
    for (size_t i = w->agreements; i-- > 0;)
        if (strcmp(w->agreed[i].digest, digest) == 0)
            return &w->agreed[i];
    return NULL;
}

static tally_status check_agreement(walk *w, const party_record *r)
{
    tally_agreement *a = NULL;
    tally_error inner;
    if (r->run || r->sketch_len || find_agreed(w, r->agreement))
        return differs(w, "not the record of an agreement");
    json_t *body = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(body, "text"));
    const char *signatures = json_string_value(json_object_get(body, "signatures"));
    tally_status st = TALLY_OK;
    if (!text || !signatures) {
        st = differs(w, "the record of an agreement cannot be read");
        goto done;
    }
    char *copy = copy_text(text, strlen(text));
    st = copy ? party_agreed_take("agreement", copy, strlen(text), &a, &inner) : TALLY_ERR_NO_MEMORY;
    if (st == TALLY_ERR_NO_MEMORY)
        st = party_no_memory(w->error, "an agreement");
    else if (st)
        st = differs(w, "the text of the agreement cannot be read: %s", party_message_of(&inner));
    else if (strcmp(a->digest, r->agreement) != 0)
        st = differs(w, "the text of the agreement is not that of its digest %s", r->agreement);
    if (!st)
        st = check_agreed_signatures(w, a, signatures);
    if (!st)
        st = note_agreement(w, a);
done:
    tally_agreement_free(a);
    json_decref(body);
    return st;
}

/* ---- The order of runs ---- */

/* What intent and outcome of a run have in common, never 0. */
static tally_status common(const party_record *r, uint64_t *out)
{
    struct {
        char agreement[TALLY_FINGERPRINT_TEXT];
        uint64_t day, function, role, items;
    } of;
    uint8_t hash[32];
    memset(&of, 0, sizeof of);
    memcpy(of.agreement, r->agreement, strlen(r->agreement));
    of.day = r->day;
    of.function = (uint64_t)r->function;
    of.role = (uint64_t)r->role;
    of.items = r->items;
    tally_status st = psi_sha256(&of, sizeof of, hash);
    memcpy(out, hash, sizeof *out);
    *out |= 1;
    return st;
}

static tally_status add_run(walk *w, uint64_t what)
{
    if (w->runs >= w->room) {
        size_t room = w->room ? 2 * w->room : 1024;
        uint64_t *more = psi_grow(w->open, room, sizeof *more);
        if (!more)
            return party_no_memory(w->error, "the runs of the ledger");
        w->open = more;
        w->room = room;
    }
    w->open[w->runs++] = what;
    w->incomplete += what != 0;
    return TALLY_OK;
}

static tally_status check_order(walk *w, const party_record *r)
{
    uint64_t what = 0;
    if (r->kind == PARTY_AGREED)
        return check_agreement(w, r);
    if ((!r->role && r->kind != PARTY_REFUSED) || !r->run)
        return differs(w, "not the record of a run");
    if (r->kind != PARTY_INTENT && r->sketch_len)
        return differs(w, "only an intent has a sketch");
    if (r->kind == PARTY_REFUSED || r->kind == PARTY_INTENT) {
        if (r->run != w->runs + 1)
            return differs(w, "the run before it was number %" PRIu64, w->runs);
        if (r->kind == PARTY_REFUSED)
            return add_run(w, 0);
        if (*r->agreement && !find_agreed(w, r->agreement))
            return differs(w, "its agreement does not stand before it");
    }
    tally_status st = common(r, &what);
    if (st)
        return party_fail(w->error, st, "a record could not be hashed");
    if (r->kind == PARTY_INTENT)
        return add_run(w, what);
    if (r->run > w->runs || !w->open[r->run - 1])
        return differs(w, "an outcome without an intent before it, or a second one");
    if (w->open[r->run - 1] != what)
        return differs(w, "the outcome is not of the run of its intent");
    w->open[r->run - 1] = 0;
    w->incomplete--;
    return TALLY_OK;
}

/* ---- The tree ---- */

/* The next node of the file has to be this one: they stand in the order in which they are completed. */
static tally_status same_node(void *user, unsigned level, uint64_t index, const uint8_t hash32[32])
{
    walk *w = user;
    int rc = sqlite3_step(w->nodes);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return cannot_read(w, rc);
    const void *hash = rc == SQLITE_ROW ? sqlite3_column_blob(w->nodes, 1) : NULL;
    if (!hash || sqlite3_column_bytes(w->nodes, 1) != 32 ||
        (uint64_t)sqlite3_column_int64(w->nodes, 0) != party_ledger_position(level, index) ||
        memcmp(hash, hash32, 32) != 0)
        return differs(w, level ? "a node of the tree over it was changed after it was written"
                                : "the record was changed after it was written");
    return TALLY_OK;
}

static tally_status check_record(walk *w, const party_record *r)
{
    party_leaf leaf;
    uint8_t hash[32];
    party_leaf_make(&leaf, r, w->seq);
    psi_merkle_leaf(leaf.parts, leaf.count, hash);
    tally_status st = psi_merkle_add(&w->m, hash, same_node, w);
    return st ? st : check_order(w, r);
}

static tally_status check_records(walk *w)
{
    int rc = sqlite3_prepare_v2(w->l->db, "SELECT " PARTY_COLUMNS " FROM records ORDER BY seq", -1,
                                &w->records, NULL);
    if (!rc)
        rc = sqlite3_prepare_v2(w->l->db, "SELECT pos, hash FROM nodes ORDER BY pos", -1, &w->nodes, NULL);
    if (rc)
        return cannot_read(w, rc);
    while ((rc = sqlite3_step(w->records)) == SQLITE_ROW) {
        party_record r;
        uint64_t seq = 0;
        w->run = 0;
        w->seq++;
        if (!party_ledger_row(w->records, &r, &seq))
            return differs(w, "its columns are none of a record");
        w->run = r.run;
        if (seq != w->seq)
            return differs(w, "it is missing: the next one is record %" PRIu64, seq);
        tally_status st = check_record(w, &r);
        if (st)
            return st;
    }
    if (rc != SQLITE_DONE)
        return cannot_read(w, rc);
    rc = sqlite3_step(w->nodes);
    if (rc != SQLITE_DONE)
        return rc == SQLITE_ROW
                   ? file_differs(w, "its tree is over more records than there are: the last ones are "
                                     "missing")
                   : cannot_read(w, rc);
    return TALLY_OK;
}

/* ---- The checkpoint ---- */

static tally_status check_checkpoint(walk *w, tally_ledger_state *out)
{
    party_checkpoint latest = {.note = NULL};
    party_note note;
    uint8_t root[32];
    tally_status st = party_ledger_latest(w->l, &latest, w->error);
    if (st)
        return st == TALLY_ERR_FILE ? file_differs(w, "its checkpoint cannot be read") : st;
    psi_merkle_root(&w->m, root);
    if (!party_note_read(latest.note, &note) || strcmp(note.origin, latest.origin) != 0)
        st = file_differs(w, "its checkpoint belongs to another ledger");
    else if (note.size != w->m.size || latest.size != w->m.size || memcmp(note.root32, root, 32) != 0)
        st = file_differs(w, "its checkpoint is not that of its records: some are missing, or were added");
    else if (note.signatures != (latest.is_signed ? 1u : 0u))
        st = file_differs(w, "its checkpoint is not signed as it says");
    else if (latest.is_signed) {
        st = party_note_verify(latest.note, &note, latest.public32);
        if (!st)
            st = party_sign_fingerprint(latest.public32, out->signer);
        if (st == TALLY_ERR_DIFFERS)
            st = file_differs(w, "the signature of its checkpoint does not hold");
        else if (st)
            st = party_fail(w->error, st, "the signature of a checkpoint could not be verified");
    }
    psi_free(latest.note);
    memcpy(out->origin, latest.origin, sizeof out->origin);
    party_hex_write(out->root, root, 32);
    return st;
}

/* ---- Receipts ---- */

/* Signature of one side under the text, as the outcome keeps it. A run that failed at its very end may lack
 * one. */
static tally_status check_signature(walk *w, const party_record *r, const char *text,
                                    const party_receipt_side *side, const json_t *receipt, const char *name)
{
    uint8_t signature[64];
    const char *hex = json_string_value(json_object_get(receipt, name));
    int wanted = side->signs && r->status == 0;
    if (!hex || (wanted && !*hex) || (!side->signs && *hex))
        return differs(w, "the receipt has no signature of the %s as it should", party_word(name));
    if (!*hex)
        return TALLY_OK;
    tally_status st = TALLY_ERR_DIFFERS;
    if (party_hex_read(signature, 64, hex))
        st = party_receipt_verify(text, side, signature);
    if (st == TALLY_ERR_DIFFERS)
        return differs(w, "the signature of the %s under the receipt does not hold", party_word(name));
    return st ? party_fail(w->error, st, "a signature could not be verified") : TALLY_OK;
}

/* Root of the tree that ended with the intent of the run, and whose link key the intent says is its own. */
static tally_status root_at_intent(walk *w, uint64_t run, uint8_t root32[32],
                                   char identity[TALLY_FINGERPRINT_TEXT])
{
    party_ledger_reader reader = {w->l, w->error};
    party_record intent;
    psi_merkle m;
    uint64_t seq = 0;
    tally_status st = TALLY_OK;
    *identity = 0;
    sqlite3_stmt *s = party_ledger_sql(w->l, LEDGER_OF_RUN, &st, w->error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, (int64_t)run);
    int row = party_ledger_one(w->l, s, &st, w->error);
    if (row > 0 && !party_ledger_row(s, &intent, &seq))
        seq = 0;
    if (seq) {
        json_t *body = json_loadb(intent.body, intent.body_len, JSON_REJECT_DUPLICATES, NULL);
        const char *own = json_string_value(json_object_get(body, "identity"));
        snprintf(identity, TALLY_FINGERPRINT_TEXT, "%s", own ? own : "");
        json_decref(body);
    }
    sqlite3_reset(s);
    if (!st)
        st = psi_merkle_load(&m, seq, party_ledger_get, &reader);
    if (!st)
        psi_merkle_root(&m, root32);
    return st;
}

static const char *function_name(const party_record *r)
{
    static const char *const functions[] = {"match", "count", "sum"};
    return functions[r->function];
}

/* One side of the receipt against what the run says of it; fingerprint: its link key, if the run knows it. */
static tally_status check_side(walk *w, const party_record *r, const party_receipt_side *side, int is_sender,
                               const char *fingerprint, uint64_t items)
{
    const char *name = is_sender ? "sender" : "receiver";
    const struct agreed *a = *r->agreement ? find_agreed(w, r->agreement) : NULL;
    char signer[TALLY_FINGERPRINT_TEXT] = "";
    if (fingerprint && *fingerprint && *side->fingerprint && strcmp(fingerprint, side->fingerprint) != 0)
        return differs(w, "the receipt names another link key of the %s than the run", party_word(name));
    if (side->items != items)
        return differs(w, "the receipt has another list size of the %s than the run", party_word(name));
    tally_status st = side->signs ? party_sign_fingerprint(side->public32, signer) : TALLY_OK;
    if (st)
        return party_fail(w->error, st, "the fingerprint of a key failed");
    if (a && *a->signer[is_sender] && strcmp(a->signer[is_sender], signer) != 0)
        return differs(w, "the receipt is not signed by the key that the agreement names for the %s",
                       party_word(name));
    return TALLY_OK;
}

static tally_status check_sides(walk *w, const party_record *r, const party_receipt_run *facts,
                                const char *identity, const json_t *body)
{
    int own = r->role == TALLY_SENDER;
    const char *peer = json_string_value(json_object_get(json_object_get(body, "peer"), "fingerprint"));
    if (strcmp(facts->function, function_name(r)) != 0)
        return differs(w, "the receipt is of another function than the run");
    tally_status st = check_side(w, r, &facts->side[own], own, identity, r->items);
    return st ? st : check_side(w, r, &facts->side[!own], !own, peer, r->peer_items);
}

/* The columns, which rules and lists go by, say what the body says. */
static tally_status check_columns(walk *w, const party_record *r, const json_t *body)
{
    static const char *const roles[] = {"", "receiver", "sender"};
    const char *role = json_string_value(json_object_get(body, "role"));
    const char *function = json_string_value(json_object_get(body, "function"));
    const json_t *disclosed = json_object_get(body, "disclosed"),
                 *status = json_object_get(body, "exit_status"), *items = json_object_get(body, "peer_items");
    const char *other = NULL;
    if (r->kind != PARTY_OUTCOME && (!role || strcmp(role, roles[r->role]) != 0))
        other = "role";
    else if (r->kind != PARTY_OUTCOME && (!function || strcmp(function, function_name(r)) != 0))
        other = "function";
    else if (r->kind != PARTY_INTENT &&
             (!json_is_boolean(disclosed) || json_is_true(disclosed) != r->disclosed))
        other = "disclosed";
    else if (r->kind != PARTY_INTENT &&
             (!json_is_integer(status) || json_integer_value(status) != (json_int_t)r->status))
        other = "exit_status";
    else if (r->kind != PARTY_INTENT &&
             (!json_is_integer(items) || json_integer_value(items) != (json_int_t)r->peer_items))
        other = "peer_items";
    return other ? differs(w, "its column and its body say different things of %s", other) : TALLY_OK;
}

static tally_status check_receipt(walk *w, const party_record *r, const json_t *body)
{
    const json_t *receipt = json_object_get(body, "receipt");
    const char *text = json_string_value(json_object_get(receipt, "text"));
    const char *session = json_string_value(json_object_get(body, "session"));
    party_receipt_run facts;
    char identity[TALLY_FINGERPRINT_TEXT];
    uint8_t root[32];
    if (!receipt || json_is_null(receipt))
        return r->status ? TALLY_OK : differs(w, "the run was completed, and has no receipt");
    if (!r->disclosed)
        return differs(w, "it says that nothing was disclosed, and has a receipt");
    if (!text || party_receipt_read(text, &facts))
        return differs(w, "the receipt cannot be read");
    if (!session || strcmp(session, facts.session) != 0 || strcmp(r->agreement, facts.agreement) != 0)
        return differs(w, "the receipt is of another session or agreement");
    tally_status st = check_signature(w, r, text, &facts.side[0], receipt, "receiver");
    if (!st)
        st = check_signature(w, r, text, &facts.side[1], receipt, "sender");
    const wire_facts *own = &facts.side[r->role == TALLY_SENDER].facts;
    if (!st && !own->has_ledger)
        st = differs(w, "the receipt says that this side keeps no ledger");
    if (!st)
        st = root_at_intent(w, r->run, root, identity);
    if (!st && memcmp(root, own->ledger32, 32) != 0)
        st = differs(w, "the receipt was given for another ledger than this one was when the run began");
    if (!st)
        st = check_sides(w, r, &facts, identity, body);
    w->receipts += !st;
    return st;
}

static tally_status check_receipts(walk *w)
{
    sqlite3_stmt *s = NULL;
    tally_status st = TALLY_OK;
    int rc = sqlite3_prepare_v2(
        w->l->db, "SELECT " PARTY_COLUMNS " FROM records WHERE kind <> 4 ORDER BY seq", -1, &s, NULL);
    while (!st && !rc && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        party_record r;
        rc = SQLITE_OK;
        if (!party_ledger_row(s, &r, &w->seq)) {
            st = differs(w, "its columns are none of a record");
            break;
        }
        w->run = r.run;
        json_t *body = json_loadb(r.body, r.body_len, JSON_REJECT_DUPLICATES, NULL);
        st = json_is_object(body) ? check_columns(w, &r, body) : differs(w, "its body cannot be read");
        if (!st && r.kind == PARTY_OUTCOME)
            st = check_receipt(w, &r, body);
        json_decref(body);
    }
    sqlite3_finalize(s);
    return st || rc == SQLITE_DONE ? st : cannot_read(w, rc);
}

/* ---- All of it ---- */

tally_status tally_ledger_verify(tally_ledger *l, int signatures, tally_ledger_state *out, tally_error *error)
{
    walk w = {.l = l, .error = error, .signatures = signatures};
    tally_ledger_state state = {.runs = 0};
    tally_status st = party_ledger_start(l, 0, error);
    if (st)
        return st;
    st = check_schema(&w);
    if (!st)
        st = check_records(&w);
    if (!st)
        st = check_checkpoint(&w, &state);
    if (!st && signatures)
        st = check_receipts(&w);
    sqlite3_finalize(w.records);
    sqlite3_finalize(w.nodes);
    st = party_ledger_finish(l, st, error);
    /* After the records, which are read in the order of the file: SQLite's own check jumps, and has them in
     * memory now. In a transaction of its own: a run that waits to write has its turn in between. */
    if (!st)
        st = party_ledger_start(l, 0, error);
    if (!st)
        st = party_ledger_finish(l, check_file(&w), error);
    state.runs = w.runs;
    state.records = w.m.size;
    state.incomplete = w.incomplete;
    state.receipts = w.receipts;
    psi_free(w.open);
    psi_free(w.agreed);
    if (!st && out)
        *out = state;
    return st;
}
