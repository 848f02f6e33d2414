/* SPDX-License-Identifier: Apache-2.0 */
#include "party/io.h"

#include "party/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef TALLY_TEST
#include <stdatomic.h>

static atomic_ulong made, fail_at;
static atomic_int fail_errno;

void party_io_fail_at(unsigned long n, int e)
{
    atomic_store(&made, 0);
    atomic_store(&fail_at, n);
    atomic_store(&fail_errno, e);
}

unsigned long party_io_count(void)
{
    return atomic_load(&made);
}

static int must_fail(void)
{
    if (atomic_fetch_add(&made, 1) + 1 != atomic_load(&fail_at))
        return 0;
    errno = atomic_load(&fail_errno);
    return 1;
}
#else
static inline int must_fail(void)
{
    return 0;
}
#endif

int party_io_open(const char *path, int flags)
{
    return must_fail() ? -1 : open(path, flags | O_CLOEXEC);
}

int party_io_temp(char *template)
{
    return must_fail() ? -1 : mkostemp(template, O_CLOEXEC);
}

ssize_t party_io_read(int fd, void *buf, size_t len)
{
    return must_fail() ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, len));
}

ssize_t party_io_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    return must_fail() ? -1 : TEMP_FAILURE_RETRY(pread(fd, buf, len, (off_t)offset));
}

int party_io_write(int fd, const void *buf, size_t len)
{
    const char *p = buf;
    if (must_fail())
        return -1;
    while (len) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, p, len));
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int party_io_fsync(int fd)
{
    return must_fail() ? -1 : (int)TEMP_FAILURE_RETRY(fsync(fd));
}

int party_io_rename(const char *from, const char *to, int replace)
{
    if (must_fail())
        return -1;
    if (replace)
        return rename(from, to);
    int r = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    /* Some file systems know no such flag: a link never replaces anything either. */
    if (r == 0 || (errno != EINVAL && errno != ENOSYS))
        return r;
    return link(from, to) ? -1 : unlink(from);
}

int party_io_spool(void)
{
    const char *dir = getenv("TMPDIR");
    if (!dir || !*dir)
        dir = "/tmp";
    if (must_fail())
        return -1;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/tally-XXXXXX", dir) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

tally_status party_io_failed(tally_error *error, const char *what, const char *path, int e)
{
    char shown[PARTY_PATH_SHOWN];
    party_printable(shown, sizeof shown, path);
    if (e == ENOSPC || e == EDQUOT) {
        party_fail(error, TALLY_ERR_FILE, "cannot %s %s: disk full", party_word(what), shown);
        party_hint(error, "free some space, or choose a folder on another disk (TMPDIR for temporary files)");
        return TALLY_ERR_FILE;
    }
    party_fail(error, TALLY_ERR_FILE, "cannot %s %s: %s", party_word(what), shown, party_system_text(e));
    if (e == ENOENT || e == ENOTDIR)
        party_hint(error, "check the spelling and the folder; folders are not made on the way");
    else if (e == EACCES || e == EPERM || e == EROFS)
        party_hint(error, "check the permissions of the file and of its folder");
    else if (e == EISDIR)
        party_hint(error, "give the path of a file");
    return TALLY_ERR_FILE;
}
