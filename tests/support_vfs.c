/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_vfs.h"

#include "tests/unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 8, SECTOR = 512 };

typedef struct image {
    uint8_t *bytes;
    size_t len, room;
    int exists;
} image;

typedef struct disk_file {
    char name[256];
    image now, safe;
} disk_file;

typedef struct handle {
    sqlite3_file base;
    disk_file *file;
    int delete_on_close;
} handle;

static disk_file disk[FILES];
static unsigned long changes, cut_at, writes, full_at, syncs;
static int cut, full;
static sqlite3_vfs *below;

/* ---- Images ---- */

static void resize(image *i, size_t len)
{
    if (len > i->room) {
        size_t room = 2 * len;
        i->bytes = realloc(i->bytes, room);
        if (!i->bytes)
            abort();
        i->room = room;
    }
    if (len > i->len)
        memset(i->bytes + i->len, 0, len - i->len);
    i->len = len;
}

static void copy_image(image *to, const image *from)
{
    resize(to, from->len);
    if (from->len)
        memcpy(to->bytes, from->bytes, from->len);
    to->exists = from->exists;
}

static void empty(image *i)
{
    free(i->bytes);
    *i = (image){0};
}

static disk_file *named(const char *name, int make)
{
    for (size_t i = 0; i < FILES; i++)
        if (strcmp(disk[i].name, name) == 0)
            return &disk[i];
    for (size_t i = 0; i < FILES && make; i++)
        if (!disk[i].name[0]) {
            snprintf(disk[i].name, sizeof disk[i].name, "%s", name);
            return &disk[i];
        }
    if (make)
        abort();
    return NULL;
}

/* 1: the power is off, or goes off now. */
static int change(void)
{
    changes++;
    cut |= cut_at && changes >= cut_at;
    return cut;
}

/* ---- Files ---- */

static int do_close(sqlite3_file *f)
{
    handle *h = (handle *)f;
    if (h->delete_on_close)
        h->file->now.exists = 0;
    return SQLITE_OK;
}

static int do_read(sqlite3_file *f, void *out, int amount, sqlite3_int64 offset)
{
    const image *i = &((handle *)f)->file->now;
    size_t at = (size_t)offset, want = (size_t)amount, have = at < i->len ? i->len - at : 0;
    if (cut)
        return SQLITE_IOERR_READ;
    memset(out, 0, want);
    memcpy(out, i->bytes ? i->bytes + (have ? at : 0) : (const uint8_t *)"", have < want ? have : want);
    return have < want ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int do_write(sqlite3_file *f, const void *in, int amount, sqlite3_int64 offset)
{
    image *i = &((handle *)f)->file->now;
    size_t at = (size_t)offset, len = (size_t)amount;
    if (change())
        return SQLITE_IOERR_WRITE;
    writes++;
    if (full_at && writes >= full_at) {
        full = 1;
        return SQLITE_FULL;
    }
    if (at + len > i->len)
        resize(i, at + len);
    memcpy(i->bytes + at, in, len);
    return SQLITE_OK;
}

static int do_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (change())
        return SQLITE_IOERR_TRUNCATE;
    resize(&((handle *)f)->file->now, (size_t)size);
    return SQLITE_OK;
}

static int do_sync(sqlite3_file *f, int flags)
{
    disk_file *file = ((handle *)f)->file;
    (void)flags;
    if (change())
        return SQLITE_IOERR_FSYNC;
    syncs++;
    copy_image(&file->safe, &file->now);
    return SQLITE_OK;
}

static int do_size(sqlite3_file *f, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((handle *)f)->file->now.len;
    return cut ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int do_lock(sqlite3_file *f, int level)
{
    (void)f, (void)level;
    return SQLITE_OK;
}

static int do_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int do_control(sqlite3_file *f, int op, void *arg)
{
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int do_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}

static int do_device(sqlite3_file *f)
{
    (void)f;
    return 0;
}

/* ---- Names ---- */

static int do_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {1,          do_close,  do_read,   do_write, do_truncate,
                                               do_sync,    do_size,   do_lock,   do_lock,  do_reserved,
                                               do_control, do_sector, do_device, NULL,     NULL,
                                               NULL,       NULL,      NULL,      NULL};
    handle *h = (handle *)f;
    (void)v;
    h->base.pMethods = NULL;
    disk_file *file = named(name ? name : "a temporary file", 1);
    if (cut)
        return SQLITE_CANTOPEN;
    /* The ledger makes its file itself, so it is there, empty, before SQLite looks. */
    if (!file->now.exists && (flags & SQLITE_OPEN_MAIN_DB)) {
        file->now.exists = file->safe.exists = 1;
    } else if (!file->now.exists) {
        if (!(flags & SQLITE_OPEN_CREATE) || change())
            return SQLITE_CANTOPEN;
        resize(&file->now, 0);
        file->now.exists = 1;
    }
    h->file = file;
    h->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    h->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int do_delete(sqlite3_vfs *v, const char *name, int sync)
{
    disk_file *file = named(name, 0);
    (void)v;
    if (!file || !file->now.exists)
        return SQLITE_IOERR_DELETE_NOENT;
    if (change())
        return SQLITE_IOERR_DELETE;
    file->now.exists = 0;
    file->now.len = 0;
    if (!sync)
        return SQLITE_OK;
    if (change()) /* gone, but the folder is not on disk yet */
        return SQLITE_IOERR_DIR_FSYNC;
    syncs++;
    copy_image(&file->safe, &file->now);
    return SQLITE_OK;
}

static int do_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    const disk_file *file = named(name, 0);
    (void)v, (void)flags;
    *out = file && file->now.exists;
    return cut ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int do_path(sqlite3_vfs *v, const char *name, int size, char *out)
{
    (void)v;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int do_random(sqlite3_vfs *v, int len, char *out)
{
    (void)v;
    return below->xRandomness(below, len, out);
}

static int do_sleep(sqlite3_vfs *v, int us)
{
    (void)v, (void)us;
    return 0;
}

static int do_time(sqlite3_vfs *v, double *out)
{
    (void)v;
    return below->xCurrentTime(below, out);
}

static int do_error(sqlite3_vfs *v, int len, char *out)
{
    (void)v, (void)len, (void)out;
    return 0;
}

static sqlite3_vfs vfs = {.iVersion = 1,
                          .szOsFile = sizeof(handle),
                          .mxPathname = 255,
                          .zName = "disk in memory",
                          .xOpen = do_open,
                          .xDelete = do_delete,
                          .xAccess = do_access,
                          .xFullPathname = do_path,
                          .xRandomness = do_random,
                          .xSleep = do_sleep,
                          .xCurrentTime = do_time,
                          .xGetLastError = do_error};

/* ---- What tests do with it ---- */

void vfs_install(void)
{
    below = sqlite3_vfs_find(NULL);
    if (!below || sqlite3_vfs_register(&vfs, 1))
        abort();
    vfs_format();
}

void vfs_remove(void)
{
    vfs_format();
    sqlite3_vfs_unregister(&vfs);
    sqlite3_vfs_register(below, 1);
}

void vfs_format(void)
{
    for (size_t i = 0; i < FILES; i++) {
        empty(&disk[i].now);
        empty(&disk[i].safe);
        disk[i].name[0] = 0;
    }
    vfs_cut_at(0);
    vfs_full_at(0);
}

void vfs_cut_at(unsigned long n)
{
    cut = 0;
    cut_at = n ? changes + n : 0;
}

int vfs_is_cut(void)
{
    return cut;
}

void vfs_full_at(unsigned long n)
{
    full = 0;
    full_at = n ? writes + n : 0;
}

int vfs_was_full(void)
{
    return full;
}

static void keep_some(disk_file *f)
{
    if (!f->now.exists) { /* a name goes with all that is behind it, or not at all */
        if (unit_below(2))
            copy_image(&f->safe, &f->now);
        return;
    }
    size_t len = unit_below(2) ? f->now.len : f->safe.len;
    int exists = unit_below(2) ? f->now.exists : f->safe.exists;
    image out = {0};
    resize(&out, len);
    for (size_t at = 0; at < len; at += SECTOR) {
        const image *from = unit_below(2) ? &f->now : &f->safe;
        size_t have = at < from->len ? from->len - at : 0, want = len - at < SECTOR ? len - at : SECTOR;
        if (have)
            memcpy(out.bytes + at, from->bytes + at, have < want ? have : want);
    }
    out.exists = exists;
    empty(&f->safe);
    f->safe = out;
}

void vfs_restart(enum vfs_keeps keeps)
{
    for (size_t i = 0; i < FILES; i++) {
        disk_file *f = &disk[i];
        if (keeps == VFS_KEEPS_ALL)
            copy_image(&f->safe, &f->now);
        else if (keeps == VFS_KEEPS_SOME)
            keep_some(f);
        copy_image(&f->now, &f->safe);
    }
    vfs_cut_at(0);
    vfs_full_at(0);
}

unsigned long vfs_syncs(void)
{
    return syncs;
}
