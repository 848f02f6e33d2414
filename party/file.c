/* SPDX-License-Identifier: Apache-2.0 */
#include "party/file.h"

#include "party/error.h"
#include "party/io.h"
#include "party/output.h"
#include "psi/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (256u << 10)
#define NAME_KEPT 200 /* bytes of the name that the temporary name keeps: NAME_MAX is 255 */

struct party_file {
    int fd;
    int overwrite;
    char *path;
    char *temp; /* NULL: nothing to remove (standard output, or committed) */
    char *folder;
    uint8_t *buffer;
    size_t used;
};

static int is_stdout(const party_file *f)
{
    return strcmp(f->path, "-") == 0;
}

/* The three names: path, its folder, and the temporary name beside it. */
static int set_names(party_file *f, const char *path)
{
    size_t len = strlen(path);
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    f->path = psi_calloc(len + 1, 1);
    f->folder = psi_calloc(folder + 2, 1);
    f->temp = psi_calloc(len + 32, 1);
    if (!f->path || !f->folder || !f->temp)
        return 0;
    memcpy(f->path, path, len);
    memcpy(f->folder, folder ? path : ".", folder ? folder : 1);
    snprintf(f->temp, len + 32, "%.*s.%.*s.tally-XXXXXX", (int)folder, path, NAME_KEPT, path + folder);
    return 1;
}

static tally_status may_write(const party_file *f, tally_error *error)
{
    struct stat st;
    char shown[PARTY_PATH_SHOWN];
    if (lstat(f->path, &st))
        return TALLY_OK;
    party_printable(shown, sizeof shown, f->path);
    if (!S_ISREG(st.st_mode)) {
        party_fail(error, TALLY_ERR_FILE, "%s exists and is not a regular file", shown);
        party_hint(error, "give the path of a file, or - for standard output");
        return TALLY_ERR_FILE;
    }
    if (!f->overwrite) {
        party_fail(error, TALLY_ERR_FILE, "%s already exists", shown);
        party_hint(error, "choose another name, or allow overwriting with --force");
        return TALLY_ERR_FILE;
    }
    return TALLY_OK;
}

tally_status party_file_open(party_file **out, const char *path, int overwrite, tally_error *error)
{
    tally_status st;
    party_file *f = psi_calloc(1, sizeof *f);
    if (!f)
        return party_no_memory(error, "an output file");
    f->fd = -1;
    f->overwrite = overwrite;
    f->buffer = psi_calloc(BUFFER, 1);
    if (!f->buffer || !set_names(f, path)) {
        st = party_no_memory(error, "an output file");
        psi_free(f->temp);
        f->temp = NULL;
        goto fail;
    }
    if (is_stdout(f)) {
        psi_free(f->temp);
        f->temp = NULL;
        f->fd = party_io_spool();
        st = f->fd < 0 ? party_io_failed(error, "open a temporary file for", "standard output", errno)
                       : TALLY_OK;
    } else {
        st = may_write(f, error);
        if (!st)
            f->fd = party_io_temp(f->temp);
        if (!st && f->fd < 0)
            st = party_io_failed(error, "create", path, errno);
        if (f->fd < 0) {
            psi_free(f->temp);
            f->temp = NULL;
        }
    }
    if (st)
        goto fail;
    *out = f;
    return TALLY_OK;
fail:
    party_file_free(f);
    return st;
}

static tally_status flush(party_file *f, tally_error *error)
{
    size_t n = f->used;
    f->used = 0;
    return party_io_write(f->fd, f->buffer, n) ? party_io_failed(error, "write", f->path, errno) : TALLY_OK;
}

tally_status party_file_add(party_file *f, const void *data, size_t len, tally_error *error)
{
    const uint8_t *p = data;
    while (len) {
        size_t room = BUFFER - f->used, n = len < room ? len : room;
        memcpy(f->buffer + f->used, p, n);
        f->used += n;
        p += n;
        len -= n;
        tally_status st = f->used == BUFFER ? flush(f, error) : TALLY_OK;
        if (st)
            return st;
    }
    return TALLY_OK;
}

static tally_status copy_to_stdout(party_file *f, tally_error *error)
{
    uint64_t at = 0;
    for (;;) {
        ssize_t n = party_io_pread(f->fd, f->buffer, BUFFER, at);
        if (n < 0)
            return party_io_failed(error, "read the temporary file for", "standard output", errno);
        if (n == 0)
            return TALLY_OK;
        if (party_io_write(STDOUT_FILENO, f->buffer, (size_t)n))
            return party_io_failed(error, "write to", "standard output", errno);
        at += (uint64_t)n;
    }
}

/* The name is safe on disk only when its folder is. File systems that cannot sync a folder say EINVAL. */
static int sync_folder(const party_file *f)
{
    int fd = party_io_open(f->folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    int r = party_io_fsync(fd), e = errno;
    close(fd);
    errno = e;
    return r && e != EINVAL ? -1 : 0;
}

tally_status party_file_commit(party_file *f, tally_error *error)
{
    tally_status st = flush(f, error);
    if (st)
        return st;
    if (is_stdout(f))
        return copy_to_stdout(f, error);
    if (party_io_fsync(f->fd))
        return party_io_failed(error, "write", f->path, errno);
    st = may_write(f, error);
    if (st)
        return st;
    if (party_io_rename(f->temp, f->path, f->overwrite))
        return party_io_failed(error, "rename the finished file to", f->path, errno);
    psi_free(f->temp);
    f->temp = NULL;
    if (sync_folder(f)) {
        int e = errno;
        unlink(f->path);
        return party_io_failed(error, "write", f->path, e);
    }
    return TALLY_OK;
}

void party_file_free(party_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->temp)
        unlink(f->temp);
    psi_free(f->temp);
    psi_free(f->folder);
    psi_free(f->path);
    psi_free(f->buffer);
    psi_free(f);
}

tally_status party_file_write(const char *path, const void *data, size_t len, tally_error *error)
{
    party_file *f = NULL;
    tally_status st = party_file_open(&f, path, 1, error);
    if (!st)
        st = party_file_add(f, data, len, error);
    if (!st)
        st = party_file_commit(f, error);
    party_file_free(f);
    return st;
}
