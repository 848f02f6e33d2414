/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a ledger: file and folder, how SQLite is to treat them, schema and its upgrades, transactions. */
#include "party/ledger_impl.h"

#include "party/error.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX (4 << 20) /* bytes of one value: an agreement in JSON, with room to spare */

static const char *const texts[LEDGER_STATEMENTS] = {
    [LEDGER_BEGIN] = "BEGIN",
    [LEDGER_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [LEDGER_COMMIT] = "COMMIT",
    [LEDGER_ROLLBACK] = "ROLLBACK",
    [LEDGER_ORIGIN] = "SELECT origin FROM meta WHERE id = 1",
    [LEDGER_NOTE] = "SELECT size, note, public FROM checkpoint WHERE id = 1",
    [LEDGER_SET_NOTE] = "UPDATE checkpoint SET size = ?1, note = ?2, public = ?3 WHERE id = 1",
    [LEDGER_SIZE] = "SELECT coalesce(max(seq), 0) FROM records",
    [LEDGER_RUNS] = "SELECT coalesce(max(run), 0) FROM records WHERE run > 0",
    [LEDGER_NODE] = "SELECT hash FROM nodes WHERE pos = ?1",
    [LEDGER_ADD_NODE] = "INSERT INTO nodes VALUES (?1, ?2)",
    [LEDGER_ADD_RECORD] = "INSERT INTO records(" PARTY_COLUMNS ") "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [LEDGER_RECORD] = "SELECT " PARTY_COLUMNS " FROM records WHERE seq = ?1",
    [LEDGER_AGREED] = "SELECT " PARTY_COLUMNS " FROM records WHERE kind = 4 AND agreement = ?1",
    [LEDGER_OF_RUN] = "SELECT " PARTY_COLUMNS " FROM records WHERE run > 0 AND run = ?1 ORDER BY kind",
/* A run counts unless its outcome says that nothing was disclosed. */
#define COUNTED                                                                                              \
    "FROM records i WHERE i.kind = 1 AND i.agreement <> '' AND i.agreement = ?1 AND i.role = ?2 AND "        \
    "NOT EXISTS (SELECT 1 FROM records o WHERE o.run > 0 AND o.run = i.run AND o.kind = 2 AND "              \
    "o.disclosed = 0) "
    [LEDGER_COUNT_DAY] = "SELECT count(*), coalesce(sum(i.items), 0) " COUNTED "AND i.day = ?3",
    [LEDGER_COUNT_ALL] = "SELECT count(*) " COUNTED,
    [LEDGER_ASKED] =
        "SELECT coalesce(sum(o.peer_items), 0) FROM records i JOIN records o ON o.run > 0 AND "
        "o.run = i.run AND o.kind = 2 AND o.disclosed = 1 WHERE i.kind = 1 AND i.agreement <> '' AND "
        "i.agreement = ?1 AND i.role = 2 AND i.day = ?2",
    [LEDGER_SKETCHES] = "SELECT i.run, i.day, i.sketch " COUNTED "AND length(i.sketch) > 0",
    [LEDGER_LIST] =
        "SELECT i.run, i.kind, i.time, i.function, i.role, i.items, i.peer_items, i.disclosed, i.status, "
        "i.agreement, i.peer, o.time, o.peer_items, o.disclosed, o.status, o.peer "
        "FROM records i LEFT JOIN records o ON o.run > 0 AND o.run = i.run AND o.kind = 2 "
        "WHERE i.run > 0 AND i.run BETWEEN ?1 AND ?2 AND i.kind <> 2 ORDER BY i.run",
};

/* Word for word what the file says of itself: party_ledger_schema compares. */
static const char *const schema[] = {
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), origin TEXT NOT NULL) STRICT",
    "CREATE TABLE records(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, run INTEGER NOT NULL, "
    "time INTEGER NOT NULL, agreement TEXT NOT NULL, day INTEGER NOT NULL, function INTEGER NOT NULL, "
    "role INTEGER NOT NULL, items INTEGER NOT NULL, peer_items INTEGER NOT NULL, "
    "disclosed INTEGER NOT NULL, status INTEGER NOT NULL, peer TEXT NOT NULL, body TEXT NOT NULL, "
    "sketch BLOB NOT NULL) STRICT",
    "CREATE TABLE nodes(pos INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT",
    "CREATE TABLE checkpoint(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL, "
    "note TEXT NOT NULL, public BLOB NOT NULL) STRICT",
    "CREATE UNIQUE INDEX records_run ON records(run, kind) WHERE run > 0",
    "CREATE INDEX records_agreed ON records(agreement, role, day) WHERE kind = 1 AND agreement <> ''",
    "CREATE UNIQUE INDEX records_text ON records(agreement) WHERE kind = 4",
    NULL,
};

/* ---- Failures ---- */

/* A copy that is none, because a journal belongs to it. */
static tally_status half_copied(const tally_ledger *l, tally_error *error)
{
    party_fail(error, TALLY_ERR_FILE, "%s was copied while a run was writing, or a run in it was cut off",
               l->shown);
    party_hint(error,
               "make the copy with tally ledger backup; in a ledger of this machine, the next run undoes "
               "what was cut off");
    return TALLY_ERR_FILE;
}

tally_status party_ledger_failed(const tally_ledger *l, int rc, const char *what, tally_error *error)
{
    if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY)
        return half_copied(l, error);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return party_no_memory(error, "the ledger");
    case SQLITE_FULL:
        party_fail(error, TALLY_ERR_FILE, "cannot %s the ledger %s: disk full", party_word(what), l->shown);
        party_hint(error, "free some space on that disk, then run again; the ledger is as it was before");
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        party_fail(error, TALLY_ERR_FILE,
                   "cannot %s the ledger %s: another process has held it for %d seconds", party_word(what),
                   l->shown, PARTY_LEDGER_BUSY_MS / 1000);
        party_hint(error, "see which process has the file open (fuser), let it end, and try again");
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        party_fail(error, TALLY_ERR_FILE, "cannot %s %s: it is damaged, or no ledger", party_word(what),
                   l->shown);
        party_hint(error,
                   "keep the file as it is for whoever looks into it, and go on with the latest backup "
                   "that tally ledger verify accepts");
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        party_fail(error, TALLY_ERR_FILE, "cannot %s the ledger %s: %s", party_word(what), l->shown,
                   l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc));
        party_hint(error, "check that file and folder belong to this user and may be written; SQLite needs a "
                          "journal beside the file");
        break;
    default:
        party_fail(error, TALLY_ERR_FILE, "cannot %s the ledger %s: %s", party_word(what), l->shown,
                   sqlite3_errstr(rc));
        party_hint(error, "see the system's log for errors of the disk, then try again");
    }
    return TALLY_ERR_FILE;
}

tally_status party_ledger_damaged(const tally_ledger *l, const char *what, tally_error *error)
{
    party_fail(error, TALLY_ERR_FILE, "the ledger %s is damaged: %s", l->shown, party_word(what));
    party_hint(error,
               "tally ledger verify names the first record that does not hold; keep the file, and go on "
               "with the latest backup that it accepts");
    return TALLY_ERR_FILE;
}

/* ---- Statements and transactions ---- */

sqlite3_stmt *party_ledger_sql(tally_ledger *l, enum party_ledger_sql which, tally_status *status,
                               tally_error *error)
{
    sqlite3_stmt **s = &l->sql[which];
    if (*s) {
        sqlite3_reset(*s);
        sqlite3_clear_bindings(*s);
        return *s;
    }
    int rc = sqlite3_prepare_v3(l->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
    *status = rc ? party_ledger_failed(l, rc, "read", error) : TALLY_OK;
    return rc ? NULL : *s;
}

int party_ledger_one(tally_ledger *l, sqlite3_stmt *s, tally_status *status, tally_error *error)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return rc == SQLITE_ROW;
    /* To SQLite a COMMIT is one that reads. */
    int reads = sqlite3_stmt_readonly(s) && s != l->sql[LEDGER_COMMIT];
    *status = party_ledger_failed(l, rc, reads ? "read" : "write", error);
    sqlite3_reset(s);
    return -1;
}

/* A statement without values or rows. */
static tally_status plain(tally_ledger *l, enum party_ledger_sql which, tally_error *error)
{
    tally_status st = TALLY_OK;
    sqlite3_stmt *s = party_ledger_sql(l, which, &st, error);
    if (s && party_ledger_one(l, s, &st, error) >= 0)
        sqlite3_reset(s);
    return st;
}

tally_status party_ledger_mine(const tally_ledger *l, tally_error *error)
{
    if (l->owner == getpid())
        return TALLY_OK;
    party_fail(error, TALLY_ERR_USAGE, "%s: the ledger was opened by another process, before a fork",
               l->shown);
    party_hint(error, "open the ledger in the process that uses it");
    return TALLY_ERR_USAGE;
}

tally_status party_ledger_start(tally_ledger *l, int write, tally_error *error)
{
    tally_status mine = party_ledger_mine(l, error);
    if (mine)
        return mine;
    pthread_mutex_lock(&l->lock);
    tally_status st = l->bulk ? TALLY_OK : plain(l, write ? LEDGER_BEGIN_WRITE : LEDGER_BEGIN, error);
    if (st)
        pthread_mutex_unlock(&l->lock);
    return st;
}

tally_status party_ledger_finish(tally_ledger *l, tally_status st, tally_error *error)
{
    for (size_t i = 0; i < LEDGER_STATEMENTS; i++) /* one that still reads would keep the lock */
        if (l->sql[i])
            sqlite3_reset(l->sql[i]);
    if (!l->bulk && !st)
        st = plain(l, LEDGER_COMMIT, error);
    if (!l->bulk &&
        !sqlite3_get_autocommit(l->db)) { /* after some failures SQLite has rolled back by itself */
        tally_status ignored = plain(l, LEDGER_ROLLBACK, NULL);
        (void)ignored;
    }
    pthread_mutex_unlock(&l->lock);
    return st;
}

#ifdef TALLY_TEST
tally_status party_ledger_bulk(tally_ledger *l, int on, tally_error *error)
{
    tally_status st = plain(l, on ? LEDGER_BEGIN_WRITE : LEDGER_COMMIT, error);
    l->bulk = st ? l->bulk : on;
    return st;
}
#endif

/* One statement that is not kept, without rows. */
static tally_status execute(tally_ledger *l, const char *sql, tally_error *error)
{
    int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    return rc ? party_ledger_failed(l, rc, "open", error) : TALLY_OK;
}

/* The number that a PRAGMA or a SELECT gives. */
static tally_status number(tally_ledger *l, const char *sql, int64_t *out, tally_error *error)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);
    if (!rc)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? TALLY_OK : party_ledger_failed(l, rc, "open", error);
}

/* ---- Schema ---- */

static tally_status first_fill(tally_ledger *l, tally_error *error)
{
    uint8_t name[8], root[32];
    char origin[PARTY_ORIGIN] = "tally/ledger/", note[PARTY_NOTE], sql[512 + PARTY_NOTE];
    tally_status st = psi_random(name, sizeof name);
    if (st)
        return party_fail(error, st, "the random generator failed, so the ledger has no name");
    party_hex_write(origin + strlen(origin), name, sizeof name);
    psi_merkle_empty(root);
    st = party_note_make(NULL, origin, 0, root, note);
    if (st)
        return party_fail(error, st, "the first checkpoint of the ledger %s cannot be made", l->shown);
    snprintf(sql, sizeof sql, /* neither has a quotation mark */
             "INSERT INTO meta VALUES (1, '%s'); INSERT INTO checkpoint VALUES (1, 0, '%s', x''); "
             "PRAGMA application_id = %d",
             origin, note, PARTY_LEDGER_APPLICATION);
    return execute(l, sql, error);
}

static const party_ledger_step steps[PARTY_LEDGER_VERSION] = {{schema, first_fill}};

static tally_status one_step(tally_ledger *l, const party_ledger_step *step, int64_t to, tally_error *error)
{
    char version[64];
    tally_status st = TALLY_OK;
    for (const char *const *sql = step->sql; *sql && !st; sql++)
        st = execute(l, *sql, error);
    if (!st && step->fill)
        st = step->fill(l, error);
    snprintf(version, sizeof version, "PRAGMA user_version = %" PRId64, to);
    return st ? st : execute(l, version, error);
}

tally_status party_ledger_upgrade(tally_ledger *l, const party_ledger_step *upgrades, size_t count,
                                  tally_error *error)
{
    int64_t version = 0;
    tally_status st = number(l, "PRAGMA user_version", &version, error);
    while (!st && version >= 0 && version < (int64_t)count) {
        st = party_ledger_start(l, 1, error);
        if (st)
            break;
        st = number(l, "PRAGMA user_version", &version, error); /* another process may have been first */
        if (!st && version >= 0 && version < (int64_t)count)
            st = one_step(l, &upgrades[version], version + 1, error);
        st = party_ledger_finish(l, st, error);
        version++;
    }
    return st;
}

tally_status party_ledger_schema(tally_ledger *l, int *same, tally_error *error)
{
    sqlite3_stmt *s = NULL;
    size_t i = 0;
    int rc = sqlite3_prepare_v2(l->db, "SELECT sql FROM sqlite_schema ORDER BY rowid", -1, &s, NULL);
    *same = 1;
    while (!rc && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        rc = SQLITE_OK;
        if (!schema[i] || !text || strcmp(text, schema[i++]) != 0) {
            *same = 0;
            rc = SQLITE_DONE;
        }
    }
    sqlite3_finalize(s);
    *same &= !schema[i];
    return rc == SQLITE_DONE ? TALLY_OK : party_ledger_failed(l, rc, "read", error);
}

static tally_status check_version(tally_ledger *l, tally_error *error)
{
    int64_t application = 0, version = 0, objects = 0;
    int same = 0;
    tally_status st = party_ledger_start(l, 0, error);
    if (st)
        return st;
    st = number(l, "PRAGMA application_id", &application, error); /* all three of one time: another process */
    if (!st)                                                      /* may be making the ledger just now */
        st = number(l, "PRAGMA user_version", &version, error);
    if (!st)
        st = number(l, "SELECT count(*) FROM sqlite_schema", &objects, error);
    st = party_ledger_finish(l, st, error);
    if (st)
        return st;
    int empty = !application && !version && !objects;
    if (!empty && application != PARTY_LEDGER_APPLICATION)
        goto no_ledger;
    if (version > PARTY_LEDGER_VERSION) {
        party_fail(error, TALLY_ERR_FILE,
                   "the ledger %s is of a newer version: schema %" PRId64 ", known up to %d", l->shown,
                   version, PARTY_LEDGER_VERSION);
        party_hint(error, "use the newer version of tally that wrote it; a ledger does not go back");
        return TALLY_ERR_FILE;
    }
    if (version < 0 || (empty && l->mode != TALLY_LEDGER_WRITE))
        goto no_ledger;
    if (version < PARTY_LEDGER_VERSION && l->mode != TALLY_LEDGER_WRITE) {
        party_fail(error, TALLY_ERR_FILE, "the ledger %s is of an older version: schema %" PRId64, l->shown,
                   version);
        party_hint(error, "the next run brings it to this version; or make a backup of it first");
        return TALLY_ERR_FILE;
    }
    st = party_ledger_upgrade(l, steps, PARTY_LEDGER_VERSION, error);
    if (!st)
        st = party_ledger_schema(l, &same, error);
    return st || same ? st : party_ledger_damaged(l, "its schema is not the one this version makes", error);
no_ledger:
    party_fail(error, TALLY_ERR_FILE, "%s is not a ledger", l->shown);
    party_hint(error, "give the path of the ledger, or of a file that is not there yet");
    return TALLY_ERR_FILE;
}

/* ---- File and folder ---- */

/* The entry in the folder above is safe on disk as well. */
static void sync_above(char *path, size_t len)
{
    char keep = path[len];
    path[len] = 0;
    int fd = party_io_open(len ? path : "/", O_RDONLY | O_DIRECTORY);
    path[len] = keep;
    if (fd < 0)
        return;
    (void)party_io_fsync(fd); /* some file systems cannot; SQLite syncs the folder of the file itself */
    close(fd);
}

/* Folders on the way that are not there. */
static tally_status make_folders(tally_ledger *l, tally_error *error)
{
    char *p = l->path;
    size_t above = 0;
    for (size_t i = 1; p[i]; i++) {
        if (p[i] != '/')
            continue;
        p[i] = 0;
        int made = mkdir(p, 0700), e = errno;
        if (made && e != EEXIST && e != EISDIR && access(p, F_OK) != 0) {
            tally_status st = party_io_failed(error, "create", p, e);
            p[i] = '/';
            return st;
        }
        p[i] = '/';
        if (!made)
            sync_above(p, above);
        above = i;
    }
    return TALLY_OK;
}

/* SQLite would make it as the umask says; its journal gets the mode of the file. */
static tally_status make_file(tally_ledger *l, tally_error *error)
{
    tally_status st = make_folders(l, error);
    if (st)
        return st;
    int fd = open(l->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? TALLY_OK : party_io_failed(error, "create", l->path, errno);
    if (fchmod(fd, 0600)) {
        st = party_io_failed(error, "create", l->path, errno);
        unlink(l->path);
    }
    close(fd);
    return st;
}

/* The header of a copy does not ask for a write-ahead log. Read by SQLite's own descriptor: closing another
 * one of the same file would drop the locks that this process holds on it. */
static tally_status wants_no_log(const tally_ledger *l, tally_error *error)
{
    static const char magic[16] = "SQLite format 3";
    uint8_t head[20] = {0};
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(l->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (!rc && file && file->pMethods)
        rc = file->pMethods->xRead(file, head, sizeof head, 0);
    if (rc && rc != SQLITE_IOERR_SHORT_READ)
        return party_ledger_failed(l, rc, "open", error);
    return memcmp(head, magic, sizeof magic) == 0 && (head[18] > 1 || head[19] > 1) ? half_copied(l, error)
                                                                                    : TALLY_OK;
}

/* A session's records, with its receipt, are longer than a page of SQLite's usual 4096 bytes, which would
 * stay half empty: 8192 made a large ledger a third smaller. Also for reading a file that may be written is
 * opened so: what a crash left in a journal is then undone. Not so a copy: a journal that came with it could
 * have SQLite write anything into it, and delete any file. Opened to be read only, SQLite plays none back,
 * and still takes the locks that keep a run from writing meanwhile, should it be no copy. */
static tally_status connect_file(tally_ledger *l, tally_error *error)
{
    int writable =
        l->mode == TALLY_LEDGER_WRITE || (l->mode == TALLY_LEDGER_READ && access(l->path, W_OK) == 0);
    int flags = (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(l->path, &l->db, flags, NULL);
    if (rc)
        return party_ledger_failed(l, rc, "open", error);
    tally_status st = l->mode == TALLY_LEDGER_COPY ? wants_no_log(l, error) : TALLY_OK;
    if (st)
        return st;
    static const struct {
        int option, value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                   {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0}};
    for (size_t i = 0; i < sizeof options / sizeof *options && !rc; i++)
        rc = sqlite3_db_config(l->db, options[i].option, options[i].value, NULL);
    if (!rc)
        rc = sqlite3_busy_timeout(l->db, PARTY_LEDGER_BUSY_MS);
    sqlite3_limit(l->db, SQLITE_LIMIT_LENGTH, RECORD_MAX);
    sqlite3_limit(l->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_extended_result_codes(l->db, 1);
    if (rc)
        return party_ledger_failed(l, rc, "open", error);
    st = execute(l,
                 "PRAGMA page_size = 8192; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; "
                 "PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384",
                 error);
    if (st)
        return st;
    return execute(l,
                   l->mode == TALLY_LEDGER_WRITE ? "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = DELETE"
                                                 : "PRAGMA query_only = ON",
                   error);
}

/* SQLite has names of its own, such as :memory:; a path with a slash is none of them. */
static tally_status take_path(tally_ledger *l, const char *path, tally_error *error)
{
    size_t len = strlen(path);
    int bare = !strchr(path, '/');
    if (!len) {
        party_fail(error, TALLY_ERR_USAGE, "the path of the ledger is empty");
        party_hint(error, "give the path of a file");
        return TALLY_ERR_USAGE;
    }
    l->path = psi_calloc(len + 3, 1);
    if (!l->path)
        return party_no_memory(error, "the ledger");
    snprintf(l->path, len + 3, "%s%s", bare ? "./" : "", path);
    party_printable(l->shown, sizeof l->shown, path);
    return TALLY_OK;
}

static tally_status must_be_file(const tally_ledger *l, tally_error *error)
{
    struct stat info;
    if (stat(l->path, &info))
        return party_io_failed(error, "open the ledger", l->path, errno);
    if (S_ISREG(info.st_mode))
        return TALLY_OK;
    party_fail(error, TALLY_ERR_FILE, "%s is not a regular file", l->shown);
    party_hint(error, "give the path of the ledger's file");
    return TALLY_ERR_FILE;
}

/* A write-ahead log, which SQLite would make or recover beside the file. A ledger of tally has none. */
static tally_status has_no_log(const tally_ledger *l, tally_error *error)
{
    char *log = psi_calloc(strlen(l->path) + 5, 1);
    struct stat info;
    if (!log)
        return party_no_memory(error, "the ledger");
    snprintf(log, strlen(l->path) + 5, "%s-wal", l->path);
    int has_log = lstat(log, &info) == 0;
    psi_free(log);
    return has_log ? half_copied(l, error) : TALLY_OK;
}

tally_status tally_ledger_open(tally_ledger **out, const char *path, enum tally_ledger_mode mode,
                               tally_error *error)
{
    tally_ledger *l = psi_calloc(1, sizeof *l);
    if (!l)
        return party_no_memory(error, "the ledger");
    l->mode = mode;
    l->owner = getpid();
    if (pthread_mutex_init(&l->lock, NULL)) {
        psi_free(l);
        return party_no_memory(error, "the ledger");
    }
    tally_status st = take_path(l, path, error);
    if (!st && mode == TALLY_LEDGER_WRITE)
        st = make_file(l, error);
    if (!st)
        st = must_be_file(l, error);
    if (!st && mode == TALLY_LEDGER_COPY)
        st = has_no_log(l, error);
    if (!st)
        st = connect_file(l, error);
    if (!st)
        st = check_version(l, error);
    if (st) {
        tally_ledger_free(l);
        return st;
    }
    *out = l;
    return TALLY_OK;
}

void tally_ledger_free(tally_ledger *l)
{
    if (!l || l->owner != getpid()) /* closing it here could undo what the parent's connection relies on */
        return;
    for (size_t i = 0; i < LEDGER_STATEMENTS; i++)
        sqlite3_finalize(l->sql[i]);
    sqlite3_close(l->db);
    pthread_mutex_destroy(&l->lock);
    psi_free(l->path);
    psi_free(l);
}
