/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints out, copies of the ledger, and proofs: build and check of a file, lines of ASCII in this order.
 *
 *   tally-ledger-proof 1
 *   origin tally/ledger/0123456789abcdef
 *   run 7
 *   size 20                     of the checkpoint it goes with
 *   key <public key, base64>    that signed this checkpoint; no line: it is not signed
 *   older 12 <root>             of an older checkpoint, and how its tree continues: RFC 6962, section 2.1.2
 *   consistency <hash>          as many as there are
 *   record 13                   each record of the run: its number, its leaf (ledger_append.c),
 *   leaf <base64>
 *   path <hash>                 and its path: RFC 6962, section 2.1.1
 */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "party/identity.h"
#include "psi/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST "tally-ledger-proof 1\n"
#define RECORDS_MAX 2 /* of a run */
#define LEAF_MAX (8u << 20)
#define STEP_PAGES 1024 /* of a copy, between which a run may write */
#define RESTARTS 16     /* of a copy, because of runs; then it goes through in one step */

tally_status tally_ledger_checkpoint(tally_ledger *l, char **out, tally_error *error)
{
    party_checkpoint latest = {.note = NULL};
    party_text text = {0};
    tally_status st = party_ledger_start(l, 0, error);
    if (!st)
        st = party_ledger_finish(l, party_ledger_latest(l, &latest, error), error);
    if (!st) {
        party_text_add(&text, "%s", latest.note);
        char *taken = party_text_take(&text);
        st = taken ? TALLY_OK : party_no_memory(error, "a checkpoint");
        if (!st)
            *out = taken;
    }
    psi_free(latest.note);
    return st;
}

/* ---- Making a proof ---- */

static void add_hash(party_text *t, const char *name, const uint8_t hash32[32])
{
    char text[PARTY_BASE64(32) + 1];
    party_base64_write(text, hash32, 32);
    party_text_add(t, "%s %s\n", name, text);
}

static tally_status add_older(tally_ledger *l, const party_note *note, const char *older, party_text *t,
                              tally_error *error)
{
    party_ledger_reader reader = {l, error};
    party_note old;
    psi_merkle m;
    uint8_t root[32], proof[PSI_MERKLE_PROOF][32];
    char text[PARTY_BASE64(32) + 1];
    size_t count = 0;
    if (!party_note_read(older, &old)) {
        party_fail(error, TALLY_ERR_INPUT, "what was given as the older checkpoint is not a checkpoint");
        party_hint(error, "give a file that tally ledger checkpoint wrote");
        return TALLY_ERR_INPUT;
    }
    if (strcmp(old.origin, note->origin) != 0) {
        party_fail(error, TALLY_ERR_DIFFERS, "the older checkpoint is of the ledger %s, and %s is %s",
                   old.origin, l->shown, note->origin);
        party_hint(error, "give a checkpoint of the same ledger, or the ledger it is of");
        return TALLY_ERR_DIFFERS;
    }
    tally_status st =
        old.size <= note->size ? psi_merkle_load(&m, old.size, party_ledger_get, &reader) : TALLY_OK;
    if (st)
        return st;
    if (old.size <= note->size)
        psi_merkle_root(&m, root);
    if (old.size > note->size || memcmp(root, old.root32, 32) != 0) {
        party_fail(error, TALLY_ERR_DIFFERS,
                   "%s does not continue the older checkpoint of %" PRIu64 " records: it has %" PRIu64
                   ", and was %s",
                   l->shown, old.size, note->size,
                   old.size > note->size ? PARTY_WORD("cut short") : PARTY_WORD("rewritten"));
        party_hint(error, "keep both as they are for whoever looks into it");
        return TALLY_ERR_DIFFERS;
    }
    st = psi_merkle_extend(old.size, note->size, party_ledger_get, &reader, proof, &count);
    party_base64_write(text, old.root32, 32);
    party_text_add(t, "older %" PRIu64 " %s\n", old.size, text);
    for (size_t i = 0; !st && i < count; i++)
        add_hash(t, "consistency", proof[i]);
    return st;
}

static tally_status add_leaf(const party_leaf *leaf, party_text *t, tally_error *error)
{
    size_t len = 0, used = 0;
    for (size_t i = 0; i < leaf->count; i++)
        len += leaf->parts[i].len;
    uint8_t *bytes = psi_calloc(len, 1);
    char *text = psi_calloc(PARTY_BASE64(len) + 1, 1);
    if (bytes && text) {
        for (size_t i = 0; i < leaf->count; used += leaf->parts[i++].len)
            if (leaf->parts[i].len)
                memcpy(bytes + used, leaf->parts[i].p, leaf->parts[i].len);
        party_base64_write(text, bytes, len);
        party_text_add(t, "leaf %s\n", text);
    }
    tally_status st = bytes && text ? TALLY_OK : party_no_memory(error, "a proof");
    psi_free(text);
    psi_free(bytes);
    return st;
}

tally_status party_ledger_covered(tally_ledger *l, const party_note *note, const party_record *r,
                                  uint64_t seq, party_leaf *leaf, uint8_t (*proof)[32], size_t *count,
                                  tally_error *error)
{
    party_ledger_reader reader = {l, error};
    uint8_t hash[32];
    char of[32] = "";
    party_leaf_make(leaf, r, seq);
    psi_merkle_leaf(leaf->parts, leaf->count, hash);
    if (!seq || seq > note->size)
        return party_ledger_damaged(l, "its checkpoint does not cover its records", error);
    tally_status st = psi_merkle_include(seq - 1, note->size, party_ledger_get, &reader, proof, count);
    if (st || psi_merkle_included(seq - 1, note->size, hash, proof[0], *count, note->root32))
        return st;
    if (r->run)
        snprintf(of, sizeof of, " (run %" PRIu64 ")", r->run);
    party_fail(error, TALLY_ERR_DIFFERS, "%s: record %" PRIu64 "%s is not what was recorded", l->shown, seq,
               of);
    party_hint(error, "tally ledger verify --signatures; docs/auditor.md says what to do");
    return TALLY_ERR_DIFFERS;
}

static tally_status add_record(tally_ledger *l, const party_note *note, const party_record *r, uint64_t seq,
                               party_text *t, tally_error *error)
{
    party_leaf leaf;
    uint8_t proof[PSI_MERKLE_PROOF][32];
    size_t count = 0;
    tally_status st = party_ledger_covered(l, note, r, seq, &leaf, proof, &count, error);
    if (st)
        return st;
    party_text_add(t, "record %" PRIu64 "\n", seq);
    st = add_leaf(&leaf, t, error);
    for (size_t i = 0; !st && i < count; i++)
        add_hash(t, "path", proof[i]);
    return st;
}

static tally_status add_run(tally_ledger *l, const party_note *note, uint64_t n, party_text *t,
                            tally_error *error)
{
    tally_status st = TALLY_OK;
    size_t found = 0;
    sqlite3_stmt *s = party_ledger_sql(l, LEDGER_OF_RUN, &st, error);
    if (!s)
        return st;
    sqlite3_bind_int64(s, 1, n < INT64_MAX ? (int64_t)n : 0);
    while (!st && found < RECORDS_MAX && party_ledger_one(l, s, &st, error) > 0) {
        party_record r;
        uint64_t seq = 0;
        found++;
        st = party_ledger_row(s, &r, &seq)
                 ? add_record(l, note, &r, seq, t, error)
                 : party_ledger_damaged(l, "a record of the run cannot be read", error);
    }
    if (!st && !found) {
        party_fail(error, TALLY_ERR_USAGE, "the ledger %s has no run %" PRIu64, l->shown, n);
        party_hint(error, "tally ledger list shows the numbers of its runs");
        return TALLY_ERR_USAGE;
    }
    return st;
}

static tally_status make_proof(tally_ledger *l, uint64_t n, const char *older, party_text *t,
                               tally_error *error)
{
    party_checkpoint latest = {.note = NULL};
    party_note note;
    tally_status st = party_ledger_latest(l, &latest, error);
    if (st)
        return st;
    if (!party_note_read(latest.note, &note))
        st = party_ledger_damaged(l, "its checkpoint cannot be read", error);
    if (!st) {
        party_text_add(t, FIRST "origin %s\nrun %" PRIu64 "\nsize %" PRIu64 "\n", note.origin, n, note.size);
        if (latest.is_signed)
            add_hash(t, "key", latest.public32);
        if (older)
            st = add_older(l, &note, older, t, error);
    }
    if (!st)
        st = add_run(l, &note, n, t, error);
    psi_free(latest.note);
    return st;
}

tally_status tally_ledger_prove(tally_ledger *l, uint64_t n, const char *older, char **out,
                                tally_error *error)
{
    party_text text = {0};
    tally_status st = party_ledger_start(l, 0, error);
    if (!st)
        st = party_ledger_finish(l, make_proof(l, n, older, &text, error), error);
    char *taken = st ? NULL : party_text_take(&text);
    if (!st && !taken)
        st = party_no_memory(error, "a proof");
    party_text_drop(&text);
    if (!st)
        *out = taken;
    return st;
}

/* ---- Checking one ---- */

typedef struct reading {
    const char *p; /* the next line */
    const char *checkpoint;
    party_note note; /* of the checkpoint */
    uint64_t run, size;
    uint8_t public32[32];
    int has_key;
    party_text shown;
    tally_error *error;
} reading;

static tally_status not_proved(reading *r, const char *what)
{
    party_fail(r->error, TALLY_ERR_DIFFERS, "not proved: %s", party_word(what));
    party_hint(r->error,
               "ask for the proof and its checkpoint again, both made at one time by tally ledger prove and "
               "tally ledger checkpoint");
    return TALLY_ERR_DIFFERS;
}

/* Is the next line "name value"? Then it is taken; value and its length. */
static int take_line(reading *r, const char *name, const char **value, size_t *len)
{
    size_t n = strlen(name);
    const char *end = strchr(r->p, '\n');
    if (!end || strncmp(r->p, name, n) != 0 || r->p[n] != ' ' || r->p + n >= end)
        return 0;
    *value = r->p + n + 1;
    *len = (size_t)(end - *value);
    r->p = end + 1;
    return 1;
}

static int take_number(reading *r, const char *name, uint64_t *out)
{
    const char *value;
    size_t len;
    char again[32];
    if (!take_line(r, name, &value, &len) || !len || len > 19)
        return 0;
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 0;
        *out = 10 * *out + (uint64_t)(value[i] - '0');
    }
    return snprintf(again, sizeof again, "%" PRIu64, *out) == (int)len;
}

/* -1: the line is there, and is no hash. */
static int take_hash(reading *r, const char *name, uint8_t out32[32])
{
    const char *value;
    size_t len;
    if (!take_line(r, name, &value, &len))
        return 0;
    return party_base64_read(out32, 32, value, len) ? 1 : -1;
}

/* All lines of the name. -1: one is no hash, or there are too many. */
static int take_hashes(reading *r, const char *name, uint8_t proof[PSI_MERKLE_PROOF][32], size_t *count)
{
    uint8_t hash[32];
    int got;
    *count = 0;
    while ((got = take_hash(r, name, hash)) > 0) {
        if (*count == PSI_MERKLE_PROOF)
            return -1;
        memcpy(proof[(*count)++], hash, 32);
    }
    return got;
}

static tally_status check_head(reading *r, const char *key)
{
    const char *value;
    char signer[TALLY_FINGERPRINT_TEXT];
    size_t len;
    if (strncmp(r->p, FIRST, sizeof FIRST - 1) != 0)
        return not_proved(r, "the file is no proof of a ledger");
    r->p += sizeof FIRST - 1;
    if (!take_line(r, "origin", &value, &len) || len != strlen(r->note.origin) ||
        memcmp(value, r->note.origin, len) != 0)
        return not_proved(r, "it is of another ledger than the checkpoint");
    if (!take_number(r, "run", &r->run) || !take_number(r, "size", &r->size))
        return not_proved(r, "the proof cannot be read");
    if (r->size != r->note.size)
        return not_proved(r, "it goes with a checkpoint of another size");
    r->has_key = take_hash(r, "key", r->public32);
    if (r->has_key < 0)
        return not_proved(r, "the proof cannot be read");
    if (!r->has_key && (key || r->note.signatures))
        return not_proved(r, "it does not say which key has signed the checkpoint");
    if (!r->has_key)
        return TALLY_OK;
    tally_status st = party_note_verify(r->checkpoint, &r->note, r->public32);
    if (st == TALLY_ERR_DIFFERS)
        return not_proved(r, "the signature of the checkpoint does not hold");
    if (!st)
        st = party_sign_fingerprint(r->public32, signer);
    if (st)
        return party_fail(r->error, st, "the signature of a checkpoint could not be verified");
    return key && strcmp(key, signer) != 0 ? not_proved(r, "the checkpoint is signed by another key")
                                           : TALLY_OK;
}

/* For people, in the language that is shown. */
static void say(party_text *shown, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(party_text *shown, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    party_render(text, sizeof text, party_translates(), format, args);
    va_end(args);
    party_text_add(shown, "%s", text);
}

static tally_status check_older(reading *r)
{
    const char *value;
    size_t len, count = 0;
    uint64_t size = 0;
    uint8_t root[32], proof[PSI_MERKLE_PROOF][32];
    if (!take_line(r, "older", &value, &len))
        return TALLY_OK;
    const char *blank = memchr(value, ' ', len);
    for (const char *p = value; blank && p < blank; p++) {
        if (*p < '0' || *p > '9' || blank - value > 19)
            return not_proved(r, "the proof cannot be read");
        size = 10 * size + (uint64_t)(*p - '0');
    }
    if (!blank || !party_base64_read(root, 32, blank + 1, len - (size_t)(blank + 1 - value)) ||
        take_hashes(r, "consistency", proof, &count) < 0)
        return not_proved(r, "the proof cannot be read");
    if (!psi_merkle_extends(size, r->size, root, r->note.root32, proof[0], count))
        return not_proved(r, "the checkpoint does not continue the older one");
    say(&r->shown,
        "Nothing that the older checkpoint of %" PRIu64 " records covers was changed since, if its root is "
        "%.*s.\n",
        size, (int)PARTY_BASE64(32), blank + 1);
    return TALLY_OK;
}

/* In words. What a proof says is not our own: it is made safe for a terminal. */
static tally_status show_record(reading *r, const party_record *record, uint64_t seq)
{
    static const char *const functions[] = {"match", "count", "sum"}, *const roles[] = {"", "receiver",
                                                                                        "sender"};
    char time[32], peer[PARTY_PEER_MAX], agreement[TALLY_FINGERPRINT_TEXT];
    char *body = psi_calloc(record->body_len + 1, 2);
    if (!body)
        return party_no_memory(r->error, "a proof");
    char *safe = body + record->body_len + 1;
    memcpy(body, record->body, record->body_len);
    party_printable(safe, record->body_len + 1, body);
    party_printable(peer, sizeof peer, record->peer);
    party_printable(agreement, sizeof agreement, record->agreement);
    party_time_text(time, record->time);
    say(&r->shown, "record %" PRIu64 ": %s, %s, %s as %s, %" PRIu64 " identifiers, with %s, ", seq,
        party_word(party_record_name(record->kind)), time, functions[record->function], roles[record->role],
        record->items, *peer ? peer : PARTY_WORD("an unknown side"));
    if (*agreement)
        say(&r->shown, "agreement %s\n", agreement);
    else
        say(&r->shown, "no agreement\n");
    party_text_add(&r->shown, "  %s\n", safe);
    psi_free(body);
    return TALLY_OK;
}

static tally_status check_leaf(reading *r, uint64_t seq, const uint8_t *bytes, size_t len)
{
    uint8_t hash[32], proof[PSI_MERKLE_PROOF][32];
    const psi_part part = {bytes, len};
    party_record record;
    uint64_t number = 0;
    size_t count = 0;
    if (take_hashes(r, "path", proof, &count) < 0)
        return not_proved(r, "the proof cannot be read");
    psi_merkle_leaf(&part, 1, hash);
    if (!seq || !psi_merkle_included(seq - 1, r->size, hash, proof[0], count, r->note.root32))
        return not_proved(r, "a record is not in the ledger of the checkpoint, or not as it stands here");
    if (!party_leaf_read(bytes, len, &record, &number) || number != seq || record.run != r->run ||
        record.kind < PARTY_INTENT || record.kind > PARTY_REFUSED || record.function > TALLY_SUM ||
        record.role > TALLY_SENDER)
        return not_proved(r, "a record is not one of the run");
    return show_record(r, &record, seq);
}

static tally_status check_records(reading *r)
{
    size_t found = 0;
    while (*r->p) {
        const char *value;
        size_t len;
        uint64_t seq = 0;
        if (!take_number(r, "record", &seq) || !take_line(r, "leaf", &value, &len) ||
            found++ == RECORDS_MAX || len < 4 || len > PARTY_BASE64(LEAF_MAX))
            return not_proved(r, "the proof cannot be read");
        size_t bytes = len / 4 * 3 - (value[len - 1] == '=') - (value[len - 2] == '=');
        uint8_t *leaf = psi_calloc(bytes + 1, 1);
        if (!leaf)
            return party_no_memory(r->error, "a proof");
        tally_status st = party_base64_read(leaf, bytes, value, len)
                              ? check_leaf(r, seq, leaf, bytes)
                              : not_proved(r, "the proof cannot be read");
        psi_free(leaf);
        if (st)
            return st;
    }
    return found ? TALLY_OK : not_proved(r, "it has no record");
}

static tally_status say_checkpoint(reading *r)
{
    char root[PARTY_BASE64(32) + 1], signer[TALLY_FINGERPRINT_TEXT];
    tally_status st = r->has_key ? party_sign_fingerprint(r->public32, signer) : TALLY_OK;
    if (st)
        return party_fail(r->error, st, "the fingerprint of a key failed");
    party_base64_write(root, r->note.root32, 32);
    if (r->has_key)
        say(&r->shown,
            "The ledger %s of %" PRIu64 " records with root %s, signed by the key %s holds of run %" PRIu64
            ":\n",
            r->note.origin, r->size, root, signer, r->run);
    else
        say(&r->shown,
            "The ledger %s of %" PRIu64
            " records with root %s, which nobody has signed, holds of run %" PRIu64 ":\n",
            r->note.origin, r->size, root, r->run);
    return TALLY_OK;
}

tally_status tally_proof_check(const char *proof, const char *checkpoint, const char *key, char **shown,
                               tally_error *error)
{
    reading r = {.p = proof, .checkpoint = checkpoint, .error = error};
    tally_status st = party_note_read(checkpoint, &r.note)
                          ? check_head(&r, key)
                          : not_proved(&r, "what was given as the checkpoint is not a checkpoint");
    party_text older = {0};
    if (!st)
        st = check_older(&r);
    if (!st) {
        older = r.shown;
        r.shown = (party_text){0};
        st = say_checkpoint(&r);
    }
    if (!st)
        st = check_records(&r);
    if (!st && older.used)
        party_text_add_bytes(&r.shown, older.at, older.used);
    r.shown.failed |= older.failed;
    char *taken = st ? NULL : party_text_take(&r.shown);
    if (!st && !taken)
        st = party_no_memory(error, "a proof");
    party_text_drop(&older);
    party_text_drop(&r.shown);
    if (!st)
        *shown = taken;
    return st;
}

/* ---- Copies ---- */

static tally_status copy_pages(tally_ledger *l, sqlite3 *to, tally_error *error)
{
    int rc = SQLITE_OK, pages = STEP_PAGES;
    pthread_mutex_lock(&l->lock);
    sqlite3_backup *b = sqlite3_backup_init(to, "main", l->db, "main");
    pthread_mutex_unlock(&l->lock);
    if (!b)
        return party_ledger_failed(l, sqlite3_errcode(to), "copy", error);
    for (unsigned steps = 0; rc == SQLITE_OK; steps++) {
        int left = sqlite3_backup_remaining(b);
        pthread_mutex_lock(&l->lock);
        rc = sqlite3_backup_step(b, pages);
        pthread_mutex_unlock(&l->lock);
        if (rc == SQLITE_OK && steps && sqlite3_backup_remaining(b) >= left && steps > RESTARTS)
            pages = -1;
    }
    pthread_mutex_lock(&l->lock);
    int end = sqlite3_backup_finish(b);
    pthread_mutex_unlock(&l->lock);
    return rc == SQLITE_DONE && !end ? TALLY_OK : party_ledger_failed(l, end ? end : rc, "copy", error);
}

/* temp is the name of an empty file. */
static tally_status copy_into(tally_ledger *l, const char *temp, tally_error *error)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2(temp, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!rc)
        rc = sqlite3_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    tally_status st = rc ? party_ledger_failed(l, rc, "copy", error) : copy_pages(l, to, error);
    rc = sqlite3_close(to);
    return st || !rc ? st : party_ledger_failed(l, rc, "copy", error);
}

static tally_status put_in_place(const char *temp, const char *path, tally_error *error)
{
    const char *slash = strrchr(path, '/');
    char *folder = psi_calloc(strlen(path) + 2, 1);
    tally_status st = folder ? TALLY_OK : party_no_memory(error, "a copy");
    int fd = st ? -1 : party_io_open(temp, O_RDONLY);
    if (!st && (fd < 0 || party_io_fsync(fd) || party_io_rename(temp, path, 0)))
        st = party_io_failed(error, "write", path, errno);
    if (fd >= 0)
        close(fd);
    if (!st) {
        memcpy(folder, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
        fd = party_io_open(folder, O_RDONLY | O_DIRECTORY);
        if (fd >= 0) {
            if (party_io_fsync(fd) && errno != EINVAL)
                st = party_io_failed(error, "write", path, errno);
            close(fd);
        }
    }
    psi_free(folder);
    return st;
}

tally_status tally_ledger_backup(tally_ledger *l, const char *path, tally_error *error)
{
    struct stat info;
    char shown[PARTY_PATH_SHOWN];
    size_t len = strlen(path);
    tally_status mine = party_ledger_mine(l, error);
    if (mine)
        return mine;
    party_printable(shown, sizeof shown, path);
    if (lstat(path, &info) == 0) {
        party_fail(error, TALLY_ERR_FILE, "%s already exists", shown);
        party_hint(error, "choose another name: a copy of a ledger replaces nothing");
        return TALLY_ERR_FILE;
    }
    char *temp = psi_calloc(len + 24, 1);
    if (!temp)
        return party_no_memory(error, "a copy");
    snprintf(temp, len + 24, "%s%s.tally-XXXXXX", strchr(path, '/') ? "" : "./", path);
    int fd = party_io_temp(temp);
    tally_status st = fd < 0 ? party_io_failed(error, "create", path, errno) : TALLY_OK;
    if (fd >= 0) {
        close(fd);
        st = copy_into(l, temp, error);
        if (!st)
            st = put_in_place(temp, path, error);
        if (st)
            unlink(temp);
    }
    psi_free(temp);
    return st;
}
